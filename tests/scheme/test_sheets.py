"""What a coordinator's pages are made of: the day, sheets of sessions, names that are looked up, what is recorded."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database
from ledger.scheme.attendances import Presence
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.hours import State
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.registers import Line, Register, Registers
from ledger.scheme.sheets import KNOWN_MAX, REGULARS_MAX, Sheet, Sheets
from tests.doors.house import Api

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Hut:
    """A project on a Wednesday at one in London, and its coordinator."""

    def __init__(self, api: Api, database: Database) -> None:
        self.api = api
        self.sheets = Sheets(database, lambda: NOW)
        self.registers = Registers(database, lambda: NOW)
        self.project = UUID(int=0)
        self.caller = Caller(key=uuid4(), scope=Scope.PROJECT, object=None, holder=uuid4())

    async def opened(self) -> "Hut":
        self.project = UUID(await self.api.project())
        self.caller = Caller(key=uuid4(), scope=Scope.PROJECT, object=self.project, holder=uuid4())
        return self

    async def person(self, name: str) -> UUID:
        return UUID((await self.api.person(name))["id"])

    async def session(self, began: datetime, hours: int = 2) -> UUID:
        times = {"started_at": began.isoformat(), "ended_at": (began + hours * HOUR).isoformat()}
        made = await self.api.made(f"/v1/projects/{self.project}/sessions", times)
        return UUID(made["sessions"][0]["id"])

    async def record(self, session: UUID, *lines: dict[str, Any]) -> None:
        body = {"session": str(session), "lines": list(lines)}
        await self.api.made(f"/v1/projects/{self.project}/registers", body)

    async def came(self, began: datetime, *people: UUID) -> UUID:
        session = await self.session(began)
        await self.record(session, *({"person": str(each), "minutes": 60} for each in people))
        return session

    async def expect(self, session: UUID, person: UUID) -> None:
        await self.api.made(f"/v1/sessions/{session}/attendances", {"person": str(person)})

    async def sheet(self, session: UUID) -> Sheet:
        return await self.sheets.of_session(self.caller, self.project, session)


@pytest.fixture
async def hut(dsn: str, database: Database) -> AsyncIterator[Hut]:
    async with Api.running(dsn, clock=lambda: NOW) as api:
        yield await Hut(api, database).opened()


# --- the day ------------------------------------------------------------------------------------------------


async def test_a_day_is_londons_and_each_session_stands_where_it_belongs(hut: Hut) -> None:
    ann = await hut.person("Ann")
    early = await hut.session(datetime(2026, 6, 9, 23, 30, tzinfo=UTC), hours=1)  # half past midnight in London
    over_night = await hut.session(datetime(2026, 6, 9, 20, tzinfo=UTC), hours=20)
    evening = await hut.session(NOW + 5 * HOUR)
    tomorrow = await hut.session(NOW + DAY)
    in_three_weeks = await hut.session(NOW + 21 * DAY)
    told = await hut.came(NOW - 2 * DAY, ann)
    untold = await hut.session(NOW - 3 * DAY)
    cancelled = await hut.session(NOW + 2 * HOUR)
    await hut.api.made(f"/v1/sessions/{cancelled}/cancel", {})
    await hut.expect(evening, ann)

    day = await hut.sheets.day(hut.caller, hut.project)
    assert [each.id for each in day.today] == [over_night, early, evening]
    assert [each.id for each in day.coming] == [tomorrow]
    assert [each.id for each in day.untold] == [early, untold]
    assert [(each.id, each.told) for each in day.lately] == [(told, 1)]
    assert day.today[-1].expected == ["Ann"]
    assert in_three_weeks not in {each.id for each in day.coming}


async def test_a_day_counts_the_claims_that_wait(hut: Hut) -> None:
    ann = await hut.person("Ann")
    for days in (1, 2):
        began = NOW - days * DAY
        times = {"started_at": began.isoformat(), "ended_at": (began + HOUR).isoformat()}
        await hut.api.made("/v1/claims", {"project": str(hut.project), "person": str(ann), **times})
    assert (await hut.sheets.day(hut.caller, hut.project)).waiting == 2


# --- sheets -------------------------------------------------------------------------------------------------


async def test_a_sheet_lists_who_is_expected_and_the_regulars_each_once(hut: Hut) -> None:
    ann, bob, cy, dot = [await hut.person(name) for name in ("ann", "Bob", "Cy", "Dot")]
    await hut.came(NOW - 7 * DAY, ann, bob)
    await hut.came(NOW - 14 * DAY, bob)
    session = await hut.session(NOW - 3 * HOUR)
    await hut.api.made(f"/v1/sessions/{session}/attendances/{ann}/check-in", {"at": (NOW - 2 * HOUR).isoformat()})
    sheet = await hut.sheet(session)
    assert [(each.person, each.state) for each in sheet.listed] == [(ann, Presence.CHECKED_IN)]
    assert [each.person for each in sheet.regulars] == [bob]
    assert {cy, dot}.isdisjoint(each.person for each in (*sheet.listed, *sheet.regulars))
    assert (sheet.minutes, sheet.step, sheet.is_over) == (120, 15, True)
    assert (sheet.listed[0].usual, sheet.regulars[0].usual) == (60, 120), "what was left since she came"


async def test_whose_hours_are_known_is_told_apart(hut: Hut) -> None:
    ann = await hut.person("Ann")
    session = await hut.came(NOW - 4 * HOUR, ann)
    (listed,) = (await hut.sheet(session)).listed
    assert (listed.is_told, listed.minutes) == (True, 60)


async def test_who_came_long_ago_is_suggested_and_no_regular(hut: Hut, owner: asyncpg.Connection) -> None:
    ann, bob = await hut.person("Ann"), await hut.person("Bob")
    old, older = await hut.came(NOW - 59 * DAY, ann), await hut.came(NOW - 58 * DAY, bob)
    move = "UPDATE scheme.session SET started_at = started_at - $2::interval, ended_at = ended_at - $2 WHERE id = $1"
    await owner.execute(move, old, 30 * DAY)
    await owner.execute(move, older, 400 * DAY)
    sheet = await hut.sheet(await hut.session(NOW - 3 * HOUR))
    assert ([each.person for each in sheet.regulars], [each.person for each in sheet.known]) == ([], [ann])


async def test_regulars_and_suggestions_are_bounded(hut: Hut) -> None:
    body = {
        "started_at": (NOW - 7 * DAY).isoformat(),
        "ended_at": (NOW - 7 * DAY + HOUR).isoformat(),
        "lines": [{"name": f"Person {number:03}", "minutes": 60} for number in range(KNOWN_MAX + 10)],
    }
    await hut.api.made(f"/v1/projects/{hut.project}/registers", body)
    sheet = await hut.sheet(await hut.session(NOW - 3 * HOUR))
    assert len(sheet.regulars) == REGULARS_MAX
    assert len(sheet.known) == KNOWN_MAX - REGULARS_MAX


async def test_a_session_that_was_not_planned_says_if_there_is_one_at_its_time(hut: Hut) -> None:
    session = await hut.session(NOW - 5 * HOUR)
    for began, ended, beside in (
        (NOW - 4 * HOUR, NOW - HOUR, session),
        (NOW - 3 * HOUR, NOW - HOUR, None),
        (NOW - 6 * HOUR, NOW - 5 * HOUR, None),
    ):
        sheet = await hut.sheets.of_time(hut.caller, hut.project, began, ended)
        assert (sheet.session, sheet.beside) == (None, beside)
    with pytest.raises(Declined) as declined:
        await hut.sheets.of_time(hut.caller, hut.project, NOW - HOUR, NOW + HOUR)
    assert declined.value.fields == (("ended_at", "must not lie in the future"),)


async def test_names_are_found_in_any_case_among_those_whom_the_project_knows(hut: Hut) -> None:
    ann, other, stranger = await hut.person("Ann Lee"), await hut.person("ANN LEE"), await hut.person("Ann Lee")
    await hut.came(NOW - 7 * DAY, ann)
    await hut.came(NOW - 6 * DAY, other)
    (named, unknown), known = await hut.sheets.find(
        hut.caller, hut.project, ["ann lee", "Zoe"], [ann, stranger, uuid4()]
    )
    assert [each.person for each in named] == [other, ann], "who came last is first"
    assert unknown == []
    assert list(known) == [ann]


async def test_a_day_on_which_nobody_came_is_not_when_they_were_last_here(hut: Hut, owner: asyncpg.Connection) -> None:
    ann, bob = await hut.person("Ann"), await hut.person("Bob")
    await hut.came(NOW - 7 * DAY, ann)
    missed, coming = await hut.session(NOW - 2 * DAY), await hut.session(NOW + 5 * DAY)
    for person in (ann, bob):
        await hut.expect(coming, person)
    await owner.execute(
        """
        INSERT INTO scheme.attendance (session, holder, state, changed_at, by)
        SELECT $1, holder, 'absent', changed_at, by FROM scheme.attendance WHERE session = $2
        """,
        missed,
        coming,
    )
    ((found,), (expected,)), known = await hut.sheets.find(hut.caller, hut.project, ["Ann", "Bob"], [ann, bob])
    assert (found.person, found.last_at) == (ann, NOW - 7 * DAY)
    assert (expected.person, expected.last_at) == (bob, None), "they are expected, and so are known"
    assert known == {ann: found, bob: expected}


# --- what is recorded ---------------------------------------------------------------------------------------


async def test_what_is_recorded_is_told_with_the_codes_of_slips_which_is_an_act(hut: Hut) -> None:
    ann, bob = await hut.person("Ann"), await hut.person("Bob")
    session = await hut.session(NOW - 10 * HOUR, hours=9)
    await hut.record(
        session,
        {"person": str(ann), "minutes": 60},
        {"person": str(bob), "minutes": 495},
        {"voucher": "A visitor", "minutes": 30},
        {"name": "Zoe", "minutes": 0},
    )
    found = await hut.sheets.recorded(hut.caller, hut.project, session)
    visitor, ann_told, bob_told = found.lines
    assert (ann_told.is_awarded, ann_told.explained, ann_told.code) == (True, (), None)
    assert (bob_told.is_awarded, bob_told.state, len(bob_told.explained)) == (False, State.SUBMITTED, 2)
    assert visitor.name == "A visitor"
    assert visitor.code is not None
    assert found.tea == ["Zoe"]
    acts = (await hut.api.get("/v1/acts", verb="codes_read")).json()["acts"]
    assert [each["object"] for each in acts] == [str(session)]
    dave = await hut.person("Dave")
    await hut.api.made("/v1/vouchers/claims", {"code": visitor.code, "person": str(dave)})
    again = await hut.sheets.recorded(hut.caller, hut.project, session)
    assert [each.code for each in again.lines] == [None] * 3
    assert len((await hut.api.get("/v1/acts", verb="codes_read")).json()["acts"]) == 1


async def test_the_day_counts_those_who_are_recorded_as_the_register_does(hut: Hut) -> None:
    ann, bob = await hut.person("Ann"), await hut.person("Bob")
    session = await hut.session(NOW - 10 * HOUR, hours=2)
    await hut.record(
        session,
        {"person": str(ann), "minutes": 60},
        {"person": str(bob), "minutes": 60},
        {"voucher": "A visitor", "minutes": 30},
        {"name": "Zoe", "minutes": 0},
    )

    async def counted() -> tuple[int, int, int]:
        found = await hut.sheets.recorded(hut.caller, hut.project, session)
        day = await hut.sheets.day(hut.caller, hut.project)
        (told,) = [each.told for each in (*day.today, *day.lately) if each.id == session][:1]
        return told, found.people, len(found.lines) + len(found.tea)

    assert await counted() == (4, 4, 4), "a slip and a cup of tea are somebody, too"
    claim = next(
        each.claim for each in (await hut.sheets.recorded(hut.caller, hut.project, session)).lines if each.name == "Bob"
    )
    await hut.api.made(f"/v1/claims/{claim}/corrections", {"minutes": 0, "reason": "He was ill."})
    assert await counted() == (3, 3, 3)


# --- the check of a register --------------------------------------------------------------------------------


async def test_a_check_says_what_recording_would_and_writes_nothing(hut: Hut, owner: asyncpg.Connection) -> None:
    ann, bob, cy = [await hut.person(name) for name in ("Ann", "Bob", "Cy")]
    began, ended = NOW - 10 * HOUR, NOW - HOUR
    await hut.came(NOW - 9 * HOUR, cy)
    lines = [
        Line(minutes=160, person=ann),
        Line(minutes=500, person=bob),
        Line(minutes=60, person=cy),
        Line(minutes=7, voucher="A visitor"),
        Line(minutes=0, name="Zoe"),
        Line(minutes=60, name="Eve"),
    ]
    register = Register(project=hut.project, started_at=began, ended_at=ended, lines=lines)
    counts = "SELECT (SELECT count(*) FROM scheme.claim), (SELECT count(*) FROM scheme.person)"
    before = await owner.fetchrow(counts)
    checked = await hut.registers.check(hut.caller, register)
    assert await owner.fetchrow(counts) == before
    assert list(checked.minutes) == [165, 495, 60, 15, 0, 60]
    assert (checked.awarded, checked.paper, checked.waiting) == (165 + 60, 15, 495 + 60)
    assert [(each.line, each.state) for each in checked.attention] == [(1, State.SUBMITTED), (2, State.QUERIED)]
    assert all(each.explained for each in checked.attention)

    rounded = [Line(minutes=minutes, person=line.person, name=line.name, voucher=line.voucher)
               for line, minutes in zip(lines, checked.minutes, strict=True)]  # fmt: skip
    posted = Register(project=hut.project, started_at=began, ended_at=ended, lines=rounded)
    recorded, _ = await hut.registers.record(hut.caller, "key", posted)
    assert (recorded.awarded, recorded.paper, recorded.waiting) == (checked.awarded, checked.paper, checked.waiting)
    assert [(each.line, each.state) for each in recorded.attention] == [
        (each.line, each.state) for each in checked.attention
    ]


async def test_a_check_says_who_waits_for_a_guardian(hut: Hut) -> None:
    body = {"name": "Kit", "age_band": "8_to_15"}
    kit = UUID((await hut.api.made("/v1/people", body))["id"])
    session = await hut.session(NOW - 3 * HOUR)
    lines = [Line(minutes=60, person=kit)]
    checked = await hut.registers.check(hut.caller, Register(project=hut.project, session=session, lines=lines))
    assert [(each.consent_needed, each.state) for each in checked.attention] == [(True, State.APPROVED)]
    assert (checked.awarded, checked.waiting) == (0, 60)


async def test_a_check_declines_what_recording_declines(hut: Hut) -> None:
    ann = await hut.person("Ann")
    session = await hut.came(NOW - 4 * HOUR, ann)
    wrong = {
        "lines[0].person": [Line(minutes=60, person=ann)],
        "lines[0].minutes": [Line(minutes=135, name="Zoe")],
        "lines": [],
    }
    for field, lines in wrong.items():
        with pytest.raises(Declined) as declined:
            await hut.registers.check(hut.caller, Register(project=hut.project, session=session, lines=lines))
        assert [name for name, _ in declined.value.fields] == [field]
    stranger = Register(project=hut.project, session=session, lines=[Line(minutes=60, person=uuid4())])
    with pytest.raises(Declined) as declined:
        await hut.registers.check(hut.caller, stranger)
    assert declined.value.fields == (("lines[0].person", "is nobody of this scheme"),)


# --- who may ------------------------------------------------------------------------------------------------


async def test_to_others_there_is_none_of_it(hut: Hut) -> None:
    other = UUID(await hut.api.project("Choir"))
    session = await hut.session(NOW - 3 * HOUR)
    person = Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=uuid4())
    kiosk = Caller(key=uuid4(), scope=Scope.PROJECT, object=hut.project, device=uuid4())
    choir = Caller(key=uuid4(), scope=Scope.PROJECT, object=other)
    register = Register(project=hut.project, session=session, lines=[Line(minutes=60, name="Zoe")])
    for caller in (person, kiosk, choir):
        for work in (
            hut.sheets.day(caller, hut.project),
            hut.sheets.of_session(caller, hut.project, session),
            hut.sheets.of_time(caller, hut.project, NOW - HOUR, NOW),
            hut.sheets.find(caller, hut.project, ["Ann"]),
            hut.sheets.recorded(caller, hut.project, session),
            hut.registers.check(caller, register),
        ):
            with pytest.raises(Declined) as declined:
                await work
            assert declined.value.reason is Refusal.NOT_FOUND
    for work in (
        hut.sheets.of_session(choir, other, session),
        hut.sheets.recorded(choir, other, session),
    ):
        with pytest.raises(Declined) as declined:
            await work
        assert declined.value.reason is Refusal.NOT_FOUND
    office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    assert (await hut.sheets.day(office, hut.project)).project == hut.project
