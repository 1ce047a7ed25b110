"""A kiosk does what a kiosk does: nobody else does that, and it does nothing else."""

from uuid import UUID, uuid4

import pytest

from ledger.scheme.attendances import Attendances
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.claims import Claims
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.projects import Projects
from ledger.scheme.refusals import Refusal
from ledger.scheme.sessions import Period, Plan, Sessions
from tests.doors.sessions.conftest import planned
from tests.scheme.kiosks.conftest import HOUR, Door, refused

# --- who may ------------------------------------------------------------------------------------------------


def others(project: UUID, device: UUID) -> dict[str, Caller]:
    """Who is no kiosk."""
    return {
        "a coordinator": Caller(key=SCHEME, scope=Scope.PROJECT, object=project, holder=uuid4()),
        "a project's key": Caller(key=SCHEME, scope=Scope.PROJECT, object=project),
        "a till": Caller(key=SCHEME, scope=Scope.VENUE, object=uuid4(), device=device),
        "staff": Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4()),
        "a person": Caller(key=SCHEME, scope=Scope.PERSON, object=None, holder=uuid4()),
    }


@pytest.mark.parametrize("who", others(uuid4(), uuid4()))
async def test_only_a_kiosk_does_what_a_kiosk_does(door: Door, who: str) -> None:
    ann, session = await door.api.person(), UUID(await planned(door.api, door.wall, door.project))
    code, kiosk = await door.api.card(ann["id"]), await door.caller()
    assert kiosk.device is not None
    caller = others(UUID(door.project), kiosk.device)[who]
    for asked in (
        door.kiosks.today(caller),
        door.kiosks.balance(caller, code),
        door.kiosks.check_in(caller, "a", code, session),
        door.kiosks.check_out(caller, "b", code, session),
    ):
        assert (await refused(asked))[0] is Refusal.DEVICE_NOT_ALLOWED


async def test_a_kiosk_does_nothing_that_its_projects_coordinator_does(door: Door) -> None:
    ann = UUID((await door.api.person())["id"])
    project, session = UUID(door.project), UUID(await planned(door.api, door.wall, door.project))
    caller = await door.caller()
    began = door.wall()
    attendances, sessions = Attendances(door.database, door.wall), Sessions(door.database, door.wall)
    plan = Plan(project=project, opportunity=None, started_at=began, ended_at=began + HOUR, repeat=1)
    for name, asked in {
        "the list": attendances.page(caller, session, after=None, limit=9),
        "check in": attendances.check_in(caller, session, ann, None),
        "check out": attendances.check_out(caller, session, ann, None),
        "absent": attendances.absent(caller, session, ann),
        "book": attendances.book(caller, session, ann),
        "plan": sessions.plan(caller, "a", plan),
        "a session": sessions.get(caller, session),
        "sessions": sessions.of_project(caller, project, Period(), after=None, limit=9),
        "cancel": sessions.cancel(caller, session),
        "claims": Claims(door.database, door.wall).of_project(caller, project, None, limit=9),
        "opportunities": Opportunities(door.database, door.wall).of_project(caller, project, after=None, limit=9),
        "the project": Projects(door.database, door.wall).get(caller, project),
    }.items():
        assert (await refused(asked))[0] is Refusal.NOT_FOUND, name


async def test_a_revoked_kiosk_is_nobody(door: Door) -> None:
    device = (await door.caller()).device
    await door.api.made(f"/v1/devices/{device}/revoke", token=await door.api.key("project", door.project))
    assert await door.sign_ins.who(door.token) is None


async def test_a_project_that_ends_takes_its_kiosks_with_it_and_gets_no_more(door: Door) -> None:
    api, devices = door.api, f"/v1/projects/{door.project}/devices"
    neighbour = await door.enrolled(await api.project("Allotment"))
    waiting = await api.made(devices, {"name": "not enrolled yet"})
    await api.made(f"/v1/projects/{door.project}/suspend")
    assert await door.sign_ins.who(door.token) is not None, "a project that pauses keeps its tablet"
    await api.made(f"/v1/projects/{door.project}/end")
    assert await door.sign_ins.who(door.token) is None
    assert (await refused(door.devices.enrol_here(waiting["code"])))[0] is Refusal.CODE_UNKNOWN
    assert {one["status"] for one in (await api.get(devices)).json()["devices"]} == {"revoked"}
    acts = (await api.get("/v1/acts", verb="device_revoked")).json()["acts"]
    assert len(acts) == 2
    assert (await api.post(devices, {"name": "another"})).json()["code"] == "wrong_state"
    assert await door.sign_ins.who(neighbour) is not None
