"""Courses: booked as a whole, captured session by session, with one code."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
LESSONS = [SATURDAY + week * WEEK for week in range(4)]


async def test_a_course_holds_each_session_that_is_still_to_come(lido: Lido) -> None:
    ann, lessons = await lido.person(), await lido.offer("course", quota=5, month_minutes=120)
    ids = await lido.occasions(lessons, NOW + timedelta(hours=1), *LESSONS, places=2)
    await lido.api.made(f"/v1/occasions/{ids[2]}/cancel")
    lido.clock.now = NOW + timedelta(hours=2)

    sessions = await lido.enrol(ann, lessons)

    assert [session["occasion"] for session in sessions] == [ids[1], ids[3], ids[4]]
    assert {session["course"] for session in sessions} == {sessions[0]["id"]}
    assert len({session["code"] for session in sessions}) == 1
    assert await lido.api.balance(ann["id"]) == (60, 180)
    assert await lido.counters() == {"allowance": -6, "held_allowance": 6, "limit": -180, "held_limit": 180}


@pytest.mark.parametrize(
    ("terms", "minutes", "places", "reason"),
    [
        ({}, 239, 1, "insufficient_credits"),
        ({}, 240, 1, ""),
        ({}, 240, 0, "quota_full"),
        ({"quota": 1}, 240, 1, "quota_full"),
        ({"quota": 2}, 240, 1, ""),
        ({"month_minutes": 60}, 240, 1, "visit_limit"),
        ({"month_minutes": 120}, 240, 1, ""),
        ({"closed": ["2026-12-05"]}, 240, 1, "offer_closed_now"),
    ],
)
async def test_all_of_its_sessions_are_had_or_none(  # noqa: PLR0917  # the table's columns
    lido: Lido, owner: asyncpg.Connection, terms: dict[str, Any], minutes: int, places: int, reason: str
) -> None:
    """Four sessions, two in November and two in December; the last one has so many places."""
    ann, lessons = await lido.person(minutes=minutes // 15 * 15), await lido.offer("course", **terms)
    await lido.occasions(lessons, *LESSONS[:3])
    await lido.occasions(lessons, LESSONS[3], places=places)
    answer = await lido.ask(ann, lessons)
    if reason:
        assert refusal(answer) == (409, reason)
        assert (await lido.api.balance(ann["id"]))[1] == 0
        assert await owner.fetchval("SELECT count(*) FROM scheme.booking") == 0
        assert await lido.counters() == {}
    else:
        assert (answer.status_code, await lido.api.balance(ann["id"])) == (201, (0, 240))


async def test_a_course_without_a_session_to_come_is_over(lido: Lido) -> None:
    ann, lessons = await lido.person(), await lido.offer("course")
    assert refusal(await lido.ask(ann, lessons)) == (409, "offer_closed_now")
    await lido.occasions(lessons, SATURDAY)
    lido.clock.now = SATURDAY
    assert refusal(await lido.ask(ann, lessons)) == (409, "offer_closed_now")


@pytest.mark.parametrize(("sessions", "status"), [(60, 201), (61, 409)])
async def test_a_course_has_sixty_sessions_at_most(lido: Lido, sessions: int, status: int) -> None:
    ann, lessons = await lido.person(minutes=360), await lido.offer("course", 5)
    await lido.occasions(lessons, *(SATURDAY + day * DAY for day in range(sessions)))
    answer = await lido.ask(ann, lessons)
    assert answer.status_code == status, answer.text
    assert (await lido.api.balance(ann["id"]))[1] == (5 * sessions if status == 201 else 0)


async def test_its_one_code_captures_each_session_on_its_day_and_once(lido: Lido) -> None:
    ann, lessons = await lido.person(), await lido.offer("course")
    await lido.occasions(lessons, *LESSONS[:2], LESSONS[1] + DAY, LESSONS[2])
    first, second, third, fourth = await lido.enrol(ann, lessons)
    shown = {"code": first["code"]}

    async def capture(at: datetime, key: str | None = None) -> str:
        lido.clock.now = at
        answer = await lido.api.post("/v1/redemptions", shown, lido.till, key)
        return str(answer.json().get("id") or answer.json()["code"])

    assert await capture(LESSONS[0] - DAY) == "offer_closed_now"
    assert await capture(LESSONS[0], "at-the-first") == first["id"]
    assert await capture(LESSONS[0] + timedelta(minutes=50)) == "already_resolved"
    assert await capture(LESSONS[1] - DAY) == "offer_closed_now"
    # They didn't come to the second, which hasn't lapsed yet.
    assert await capture(LESSONS[1] + DAY) == third["id"]
    assert await capture(LESSONS[2] - timedelta(hours=3)) == fourth["id"]
    assert await capture(LESSONS[2], "at-the-first") == first["id"]
    states = [await lido.state(session["id"]) for session in (first, second, third, fourth)]
    assert states == ["captured", "authorised", "captured", "captured"]
    assert await lido.api.balance(ann["id"]) == (0, 60)


@pytest.mark.parametrize(
    ("course", "nth", "left"),
    [
        (False, 0, ["voided", "authorised", "authorised", "authorised"]),
        (False, 2, ["authorised", "authorised", "voided", "authorised"]),
        (True, 0, ["voided", "voided", "voided", "voided"]),
        (True, 3, ["voided", "voided", "voided", "voided"]),
    ],
)
async def test_one_session_is_cancelled_or_all_that_remain(
    lido: Lido, nth: int, left: list[str], *, course: bool
) -> None:
    ann, lessons = await lido.person(), await lido.offer("course", quota=5)
    await lido.occasions(lessons, *LESSONS, places=1)
    sessions = await lido.enrol(ann, lessons)
    returned = (await lido.cancel(sessions[nth]["id"], ann["key"], course=course)).json()
    assert [await lido.state(session["id"]) for session in sessions] == left
    assert (len(returned["bookings"]), returned["minutes"]) == (left.count("voided"), 60 * left.count("voided"))
    assert await lido.api.balance(ann["id"]) == (60 * left.count("voided"), 60 * left.count("authorised"))


async def test_of_a_course_what_was_used_or_is_too_near_stays(lido: Lido) -> None:
    ann, lessons = await lido.person(), await lido.offer("course", cancel_minutes=2 * 1440)
    await lido.occasions(lessons, LESSONS[0], LESSONS[1], LESSONS[1] + DAY, LESSONS[2])
    sessions = await lido.enrol(ann, lessons)
    lido.clock.now = LESSONS[0]
    assert (await lido.capture(sessions[0]["id"])).status_code == 201
    lido.clock.now = LESSONS[1] - DAY
    returned = (await lido.cancel(sessions[0]["id"], ann["key"], course=True)).json()
    assert returned["bookings"] == [sessions[3]["id"]]
    assert refusal(await lido.cancel(sessions[0]["id"], ann["key"], course=True)) == (409, "wrong_state")
    assert (await lido.cancel(sessions[0]["id"], lido.till, course=True)).json()["minutes"] == 120
    assert refusal(await lido.cancel(sessions[0]["id"], ann["key"], course=True)) == (409, "already_resolved")


async def test_a_course_is_not_changed_and_what_is_none_is_not_cancelled_as_one(lido: Lido) -> None:
    ann, lessons, swim = await lido.person(), await lido.offer("course"), await lido.offer()
    await lido.occasions(lessons, *LESSONS[:2])
    session = await lido.book(ann, lessons)
    change = await lido.api.post(f"/v1/bookings/{session['id']}/change", {"party": {"adults": 2}}, ann["key"])
    assert refusal(change) == (409, "wrong_state")
    booking = await lido.book(ann, swim, SATURDAY)
    assert refusal(await lido.cancel(booking["id"], ann["key"], course=True)) == (422, "wrong_values")


async def test_one_session_that_is_cancelled_by_the_venue_leaves_the_others(lido: Lido) -> None:
    ann, lessons = await lido.person(), await lido.offer("course")
    ids = await lido.occasions(lessons, *LESSONS)
    sessions = await lido.enrol(ann, lessons)
    await lido.api.made(f"/v1/occasions/{ids[1]}/cancel")
    states = [await lido.state(session["id"]) for session in sessions]
    assert states == ["authorised", "voided", "authorised", "authorised"]
    lido.clock.now = LESSONS[0]
    taken = await lido.api.made("/v1/redemptions", {"code": sessions[0]["code"]}, token=lido.till)
    assert taken["id"] == sessions[0]["id"]
