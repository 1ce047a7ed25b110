"""A browser that is a till or a kiosk stays one, whoever stands at it and however they would sign in there."""

from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from ledger.database import Database
from ledger.doors.web.access import Who
from ledger.journal.entries import new_key
from ledger.scheme.callers import OPERATOR
from ledger.scheme.one_time import OneTime
from tests.daytime import daytime
from tests.doors.house import Api, written
from tests.doors.web.client import Pages, cookie_at
from tests.doors.web.entrance import Entrance
from tests.doors.web.test_access import OURS, routes_of
from tests.doors.web.test_passkey import asked as options
from tests.doors.web.test_passkey import made
from tests.doors.web.test_sign_in import came

DEVICES: Final = (("till", "venue"), ("kiosk", "project"))
# Whoever has the code of another device was told it by its venue, its project or the office.
BY_ITS_CODE: Final = "POST /enrol"


async def device(api: Api, entrance: Entrance, kind: str, place: str) -> str:
    """The cookie's value of a new one."""
    token: str = await getattr(entrance, kind)(await getattr(api, place)())
    return token


@pytest.mark.parametrize(("kind", "place"), DEVICES)
async def test_at_a_till_or_a_kiosk_nobody_signs_in_by_whatever_way_and_nothing_of_it_is_used_up(  # noqa: PLR0917  # five are fixtures
    api: Api, pages: Pages, entrance: Entrance, database: Database, owner: asyncpg.Connection, kind: str, place: str
) -> None:
    body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "safe": True}}
    ann = (await api.made("/v1/people", body))["id"]
    # All that she would show was asked for in this very browser, before it became what it is.
    await pages.get("/sign-in")
    await pages.submit("Send me the link", email="ann@example.org")
    link, code = await came(database)
    token = await device(api, entrance, kind, place)
    pages.sign_in(token)
    before = await written(owner)
    sent: dict[str, Any] = {"key": "k", "email": "ann@example.org", "code": code, "response": "{}"}
    for path in ("/sign-in", "/sign-in/code", "/sign-in/passkey", link, "/sign-in/anything"):
        page = await pages.get(path, status=403)
        assert page.heading == f"This is a {kind}"
        page = await pages.post(path, sent, status=403)
        assert page.heading == f"This is a {kind}"
    assert await written(owner) == before
    page = await pages.click(f"Back to the {kind}")
    assert page.path == f"/{kind}"
    assert pages.client.cookies[cookie_at(pages.url)] == token

    del pages.client.cookies[cookie_at(pages.url)]
    await pages.get(link)
    page = await pages.submit("Sign in")
    assert page.path == f"/people/{ann}", "the link was not used up there"


@pytest.mark.parametrize(("kind", "place"), DEVICES)
async def test_nor_by_a_passkey_nor_by_an_invitation(  # noqa: PLR0917  # four are fixtures
    api: Api, pages: Pages, entrance: Entrance, database: Database, owner: asyncpg.Connection, kind: str, place: str
) -> None:
    one_time = OneTime(database, daytime, await owner.fetchval("SELECT secret FROM scheme.directory"))
    links = []
    for name in ("Ann", "Bob"):
        person = UUID((await api.person(name))["id"])
        links.append((await one_time.invite(OPERATOR, new_key(), person, address_of_link=""))[0].link or "")
    mine = await made(pages, links[0])
    await pages.submit("Sign out")
    response = mine.get(options(await pages.get("/sign-in/passkey")))
    pages.sign_in(token := await device(api, entrance, kind, place))

    await pages.post("/sign-in/passkey", {"key": "k", "response": response}, status=403)
    await pages.post(links[1], {"key": "k", "name": "mine", "response": response}, status=403)
    assert (await pages.get(f"/{kind}")).status == 200
    assert pages.client.cookies[cookie_at(pages.url)] == token


@pytest.mark.parametrize(("kind", "place"), DEVICES)
async def test_no_page_for_everybody_takes_its_cookie_away(
    api: Api, pages: Pages, entrance: Entrance, kind: str, place: str
) -> None:
    pages.sign_in(token := await device(api, entrance, kind, place))
    routes = [route for route in await routes_of(api) if route.who and Who.ANYBODY in route.who]
    tried: list[str] = []
    for route in routes:
        name, path = f"{route.method} {route.path}", route.at({})
        if name == BY_ITS_CODE:
            continue
        form = {"key": new_key()} if route.method == "POST" else None
        answer = await pages.client.request(route.method, path, headers=OURS, data=form)
        assert cookie_at(pages.url) not in "".join(answer.headers.get_list("set-cookie")), name
        tried.append(name)
    refused = {f"{route.method} {route.path}" for route in routes if route.not_at_devices}
    assert refused == {each for each in tried if each.split()[1].startswith(("/sign-in", "/sign-out"))}
    assert "POST /sign-out" in refused
    assert (await pages.get(f"/{kind}")).status == 200, "it is what it was"
    assert pages.client.cookies[cookie_at(pages.url)] == token


@pytest.mark.parametrize(("kind", "place"), DEVICES)
async def test_the_start_page_there_is_its_own_and_every_page_leads_back_to_it(
    api: Api, pages: Pages, entrance: Entrance, kind: str, place: str
) -> None:
    pages.sign_in(await device(api, entrance, kind, place))
    for path, status, words in (
        ("/do", 200, "Time Credits"),
        ("/staff", 403, "Go to the start page"),
        ("/nowhere", 404, "Go to the start page"),
    ):
        await pages.get(path, status=status)
        page = await pages.click(words)
        assert page.path == f"/{kind}", path


async def test_a_tablet_that_is_none_yet_finds_from_signing_in_where_it_is_set_up(pages: Pages) -> None:
    await pages.get("/sign-in")
    page = await pages.click("Set it up with its code")

    assert page.heading == "Set up a till or a kiosk"
