"""Rights are read with each request: whoever has them no more is out at the next click, and the next call."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

import pytest

from ledger.database import Database
from ledger.journal.entries import new_key
from ledger.scheme.callers import OPERATOR, Scope
from ledger.scheme.devices import Devices
from ledger.scheme.leaving import Leaving
from ledger.scheme.refusals import Declined
from ledger.scheme.roles import Role, Roles
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


class Work(NamedTuple):
    """Where a role is held, a page that it opens, and a key that stands on it with what that reads, if there is one."""

    place: str
    page: str
    scope: Scope
    call: str = ""


WORK: Final[Mapping[Role, Work]] = {
    Role.COORDINATOR: Work("project", "/projects/{place}/approvals", Scope.PROJECT, "/v1/projects/{place}/claims"),
    # Who only approves does so on pages: a project's key may do more.
    Role.APPROVER: Work("project", "/projects/{place}/approvals", Scope.PROJECT),
    # A venue's key is a till's, and nobody's.
    Role.MANAGER: Work("venue", "/venues/{place}", Scope.VENUE),
    Role.STAFF: Work("", "/staff", Scope.SCHEME, "/v1/people"),
    Role.AUDITOR: Work("", "/audit", Scope.AUDITOR, "/v1/acts"),
}


@pytest.mark.parametrize("role", Role)
async def test_a_role_that_ended_is_over_at_the_next_click_and_the_next_call(
    api: Api, pages: Pages, entrance: Entrance, database: Database, role: Role
) -> None:
    work, ann = WORK[role], (await api.person())["id"]
    await entrance.staff()  # the last one's role can't end
    place = await getattr(api, work.place)() if work.place else None
    pages.sign_in(await getattr(entrance, role)(*([place] if place else []), ann))
    await pages.get(page := work.page.format(place=place))
    making, call, key = api.keys.create(work.scope, place and UUID(place), "theirs", person=UUID(ann)), work.call, ""
    if call:
        key = (await making)[1]
        assert (await api.get(call.format(place=place), key)).status_code == 200
    else:
        with pytest.raises(Declined):
            await making
    roles = Roles(database, daytime)
    [held] = await roles.of(OPERATOR, UUID(ann))
    await roles.end(OPERATOR, new_key(), held.id)

    await pages.get(page, status=404 if place else 403)
    assert not call or (await api.get(call.format(place=place), key)).status_code == 401
    assert (await pages.get(f"/people/{ann}")).status == 200, "they are a volunteer still"


async def test_whoever_goes_leaves_nothing_of_theirs_in_the_browser(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = (await api.person())["id"]
    fields = {"key": ["goes"], "give_to": ["community"], "sure": ["yes"]}
    for way in ("/sign-out", f"/people/{ann}/sign-ins/end", f"/people/{ann}/data/erase"):
        pages.sign_in(await entrance.person(ann))
        assert (await pages.get(f"/people/{ann}")).status == 200
        answer = await pages.sent(way, fields)
        assert (answer.status_code, answer.headers.get("clear-site-data")) == (303, '"cache"'), way
        assert not pages.is_somebody, way


async def test_who_left_is_out_at_the_next_click(
    api: Api, pages: Pages, entrance: Entrance, database: Database
) -> None:
    ann = (await api.person())["id"]
    await entrance.staff()  # the last one can't leave
    pages.sign_in(await entrance.staff(ann))
    await pages.get("/staff")
    await Leaving(database, daytime).leave(OPERATOR, new_key(), UUID(ann))

    assert (await pages.get("/staff")).heading == "Sign in"


@pytest.mark.parametrize("kind", ["till", "kiosk"])
async def test_a_device_that_was_revoked_is_out_at_the_next_click(
    api: Api, pages: Pages, entrance: Entrance, database: Database, kind: str
) -> None:
    path = f"/{kind}"
    place = await (api.venue() if kind == "till" else api.project())
    pages.sign_in(await getattr(entrance, kind)(place))
    await pages.get(path)
    devices = Devices(database, daytime, "test")
    listed = devices.of_venue if kind == "till" else devices.of_project
    [device] = await listed(OPERATOR, UUID(place), after=None, limit=10)
    await devices.revoke(OPERATOR, device.id)

    assert (await pages.get(path, status=401)).heading == f"This {kind} has to be set up again"


async def test_who_was_erased_is_out_at_the_next_click(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = (await api.person())["id"]
    pages.sign_in(await entrance.person(ann))
    await pages.get(f"/people/{ann}")
    await api.made(f"/v1/people/{ann}/erasure", {"give_to": "community"})

    assert (await pages.get(f"/people/{ann}")).heading == "Sign in"
