"""Signing in to a session of today, and out again: once, by whoever holds the card."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.scheme.attendances import Presence
from ledger.scheme.kiosks import Signed
from ledger.scheme.refusals import Refusal
from tests.doors.sessions.conftest import act, listed, opportunity, planned
from tests.scheme.kiosks.conftest import Door, refused

# --- signing in and out -------------------------------------------------------------------------------------


async def test_who_signs_in_and_out_is_on_the_list_and_their_hours_wait_for_approval(
    door: Door, owner: asyncpg.Connection
) -> None:
    api, wall = door.api, door.wall
    ann = await api.person("Ann Archer")
    code, session = await api.card(ann["id"]), await planned(api, wall, door.project)
    await act(api, session, ann["id"], "book")
    wall.set("10:02")
    came = await door.check_in(code, session, "in")
    assert came == Signed(
        name="Ann",
        session=UUID(session),
        title="Saturdays",
        state=Presence.CHECKED_IN,
        checked_in_at=wall(),
        checked_out_at=None,
        minutes=None,
    )
    assert await listed(api, session) == [("Ann Archer", "checked_in")]
    wall.set("12:01")
    left = await door.check_out(code, session, "out")
    assert (left.state, left.checked_out_at, left.minutes) == (Presence.CHECKED_OUT, wall(), 120)
    rows = await owner.fetch("SELECT minutes, state, exceptions, by FROM scheme.claim")
    assert [tuple(row) for row in rows] == [(120, "submitted", [], (await door.caller()).device)]
    wall.set("12:05")
    assert await door.check_in(code, session, "in") == came, "a late retry hears what it heard"
    assert await door.check_out(code, session, "out") == left
    assert await door.check_out(code, session) == left
    assert (await refused(door.check_out(code, session, "in")))[0] is Refusal.KEY_REUSED


# Where somebody stands, what they tap, and what they hear: the state they are in then, or a sentence.
TAPS = [
    ((), "in", "checked_in"),
    (("book",), "in", "checked_in"),
    (("book", "absent"), "in", "checked_in"),
    (("check-in",), "in", "checked_in"),
    (("check-in", "check-out"), "in", "You have signed out of this already."),
    ((), "out", "You haven't signed in to this yet."),
    (("book",), "out", "You haven't signed in to this yet."),
    (("book", "absent"), "out", "You haven't signed in to this yet."),
    (("check-in",), "out", "checked_out"),
    (("check-in", "check-out"), "out", "checked_out"),
]


@pytest.mark.parametrize(("before", "tap", "heard"), TAPS)
async def test_what_a_tap_does_depends_on_where_somebody_stands(
    door: Door, before: tuple[str, ...], tap: str, heard: str
) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    door.wall.set("10:00")
    for verb in before:
        assert (await act(door.api, session, ann["id"], verb)).status_code in {200, 201}
    code = await door.api.card(ann["id"])
    asked = door.check_in(code, session) if tap == "in" else door.check_out(code, session)
    if heard.endswith("."):
        assert await refused(asked) == (Refusal.WRONG_STATE, heard)
    else:
        assert (await asked).state == heard


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("auto_closed", "This was signed out for you; the coordinator can put it right."),
        ("confirmed", "Your hours for this are written down already."),
    ],
)
async def test_what_was_closed_for_somebody_is_for_the_coordinator(
    door: Door, owner: asyncpg.Connection, state: str, sentence: str
) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    door.wall.set("10:00")
    code = await door.api.card(ann["id"])
    await door.check_in(code, session)
    await owner.execute("UPDATE scheme.attendance SET state = $1, checked_out_at = checked_in_at", state)
    for asked in (door.check_in(code, session), door.check_out(code, session)):
        assert await refused(asked) == (Refusal.WRONG_STATE, sentence)


async def test_who_is_not_expected_joins_as_long_as_a_place_is_left(door: Door) -> None:
    api = door.api
    people = {name: await api.person(name) for name in ("Ann", "Bob", "Cy")}
    cards = {name: await api.card(person["id"]) for name, person in people.items()}
    session = await planned(api, door.wall, door.project, opportunity=await opportunity(api, door.project, places=2))
    await act(api, session, people["Ann"]["id"], "book")
    door.wall.set("10:00")

    async def left() -> list[int | None]:
        return [one.places_left for one in await door.kiosks.today(await door.caller())]

    assert await left() == [1]
    assert (await door.check_in(cards["Bob"], session)).state is Presence.CHECKED_IN
    assert await left() == [0]
    assert (await refused(door.check_in(cards["Cy"], session)))[0] is Refusal.PLACES_FULL
    assert (await door.check_in(cards["Ann"], session)).state is Presence.CHECKED_IN, "she was expected"
    await act(api, session, people["Bob"]["id"], "absent")
    assert (await door.check_in(cards["Cy"], session)).state is Presence.CHECKED_IN


async def test_the_last_place_is_one_persons(door: Door) -> None:
    people = [await door.api.person(f"Person {number}") for number in range(6)]
    cards = [await door.api.card(person["id"]) for person in people]
    session = await planned(
        door.api, door.wall, door.project, opportunity=await opportunity(door.api, door.project, places=1)
    )
    door.wall.set("10:00")
    heard = await asyncio.gather(*(door.check_in(card, session) for card in cards), return_exceptions=True)
    assert sorted(getattr(one, "reason", "in") for one in heard) == ["in", *[Refusal.PLACES_FULL] * 5]
    assert len(await listed(door.api, session)) == 1


@pytest.mark.parametrize("key", ["tap", ""])
async def test_two_taps_at_once_sign_in_once_and_out_once(door: Door, owner: asyncpg.Connection, key: str) -> None:
    """Under one key, as a form that is sent twice; and under each its own, as two tablets at one door."""
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    code = await door.api.card(ann["id"])
    door.wall.set("10:00")
    came = await asyncio.gather(*(door.check_in(code, session, key and f"{key} in") for _ in range(6)))
    assert came == [came[0]] * 6
    door.wall.set("11:00")
    left = await asyncio.gather(*(door.check_out(code, session, key and f"{key} out") for _ in range(6)))
    assert (left, left[0].minutes) == ([left[0]] * 6, 60)
    assert await listed(door.api, session) == [("Ann", "checked_out")]
    assert await owner.fetchval("SELECT count(*) FROM scheme.claim") == 1


async def test_a_project_that_is_suspended_signs_nobody_in_and_still_everybody_out(door: Door) -> None:
    ann, bob = await door.api.person(), await door.api.person("Bob")
    session = await planned(door.api, door.wall, door.project)
    door.wall.set("10:00")
    await door.check_in(await door.api.card(ann["id"]), session)
    await door.api.made(f"/v1/projects/{door.project}/suspend")
    assert (await refused(door.check_in(await door.api.card(bob["id"]), session)))[0] is Refusal.PROJECT_NOT_ACTIVE
    assert (await door.check_out(await door.api.card(ann["id"]), session)).state is Presence.CHECKED_OUT


# --- today --------------------------------------------------------------------------------------------------


async def test_today_are_the_projects_own_sessions_by_time(door: Door) -> None:
    api, wall = door.api, door.wall
    late = await planned(api, wall, door.project, "18:00", "20:00")
    early = await planned(api, wall, door.project, opportunity=await opportunity(api, door.project, places=3))
    await planned(api, wall, await api.project("Allotment"))
    cancelled = await planned(api, wall, door.project, "13:00", "14:00")
    await api.made(f"/v1/sessions/{cancelled}/cancel")
    found = [(str(one.session), one.title, one.places_left) for one in await door.kiosks.today(await door.caller())]
    assert found == [(early, "Mend a lamp", 3), (late, "Saturdays", None)]


# A session's day, begin and end on London's clocks, what those show now, and whether the session is on today.
DAYS = [
    ("2026-11-14", "10:00", "12:30", "2026-11-14", "00:00", True),
    ("2026-11-14", "10:00", "12:30", "2026-11-14", "12:29", True),
    ("2026-11-15", "10:00", "12:30", "2026-11-14", "23:59", False),
    ("2026-11-14", "10:00", "12:30", "2026-11-15", "00:00", False),
    # Summer: 00:30 in London is the day before in UTC.
    ("2026-07-04", "00:30", "02:00", "2026-07-04", "00:10", True),
    ("2026-07-04", "00:30", "02:00", "2026-07-03", "23:59", False),
    ("2026-07-03", "23:30", "23:59", "2026-07-04", "00:10", False),
    # The days of 25 and of 23 hours.
    ("2026-10-25", "23:30", "23:59", "2026-10-25", "00:10", True),
    ("2026-10-26", "00:10", "01:00", "2026-10-25", "23:30", False),
    ("2026-03-29", "23:30", "23:59", "2026-03-29", "00:10", True),
    ("2026-03-30", "00:10", "01:00", "2026-03-29", "23:30", False),
]


@pytest.mark.parametrize(("day", "began", "ended", "today", "time", "is_on"), DAYS)
async def test_today_is_the_day_in_london(  # noqa: PLR0917  # a row of the table
    door: Door, day: str, began: str, ended: str, today: str, time: str, *, is_on: bool
) -> None:
    door.wall.set("09:00", (datetime.fromisoformat(day) - timedelta(days=2)).date().isoformat())
    door.token = await door.enrolled(door.project)
    body = {"started_at": door.wall.at(began, day), "ended_at": door.wall.at(ended, day)}
    session = (await door.api.made(f"/v1/projects/{door.project}/sessions", body))["sessions"][0]["id"]
    ann = await door.api.person()
    await act(door.api, session, ann["id"], "book")
    code = await door.api.card(ann["id"])
    door.wall.set(time, today)
    assert [str(one.session) for one in await door.kiosks.today(await door.caller())] == [session] * is_on
    assert [str(one.session) for one in (await door.balance(code)).today] == [session] * is_on
    if is_on:
        assert (await door.check_in(code, session)).checked_in_at == door.wall()
    else:
        assert await refused(door.check_in(code, session)) == (
            *(Refusal.NOT_FOUND, "There is no such session here today."),
        )


async def test_a_session_over_midnight_is_left_on_the_day_after(door: Door) -> None:
    ann = await door.api.person()
    code = await door.api.card(ann["id"])
    body = {"started_at": door.wall.at("22:00"), "ended_at": door.wall.at("01:00", "2026-11-15")}
    session = (await door.api.made(f"/v1/projects/{door.project}/sessions", body))["sessions"][0]["id"]
    door.wall.set("22:00")
    await door.check_in(code, session)
    door.wall.set("00:30", "2026-11-15")
    assert [one.state for one in (await door.balance(code)).today] == [Presence.CHECKED_IN]
    assert (await door.check_out(code, session)).minutes == 150


async def test_nobody_is_signed_in_to_what_is_over_cancelled_or_not_here(door: Door) -> None:
    api, wall = door.api, door.wall
    ann = await api.person()
    code = await api.card(ann["id"])
    session, cancelled = [await planned(api, wall, door.project) for _ in range(2)]
    there = await planned(api, wall, await api.project("Allotment"))
    await act(api, session, ann["id"], "book")
    await api.made(f"/v1/sessions/{cancelled}/cancel")
    wall.set("10:00")
    not_here = (Refusal.NOT_FOUND, "There is no such session here today.")
    for verb in (door.check_in, door.check_out):
        assert await refused(verb(code, there)) == not_here
        assert (await refused(verb(code, str(uuid4()))))[0] is Refusal.NOT_FOUND
    assert await refused(door.check_in(code, cancelled)) == (Refusal.WRONG_STATE, "The session was cancelled.")
    wall.set("12:30")
    assert await refused(door.check_in(code, session)) == (Refusal.WRONG_STATE, "This session is over.")


async def test_who_forgot_is_signed_out_after_the_end_still(door: Door) -> None:
    ann = await door.api.person()
    code, session = await door.api.card(ann["id"]), await planned(door.api, door.wall, door.project)
    door.wall.set("10:00")
    await door.check_in(code, session)
    door.wall.set("12:40")
    assert (await door.check_out(code, session)).minutes == 165
