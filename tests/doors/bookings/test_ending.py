"""What becomes of bookings: cancelled, changed, come to nothing, lapsed, undone. All that was held goes back."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme import bookings
from ledger.scheme.bookings import release_cancelled
from ledger.scheme.lapses import lapse_due
from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LIMITED: Mapping[str, Any] = {"quota": 5, "month_minutes": 120}


async def events(owner: asyncpg.Connection, topic: str) -> list[tuple[str, str]]:
    """Whom the events of that topic concern, and what they say."""
    rows = await owner.fetch("SELECT holder, body FROM scheme.outbox WHERE topic = $1 ORDER BY at, id", topic)
    return [(str(row["holder"]), row["body"]) for row in rows]


# --- cancelled ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "by", "before", "status"),
    [
        (0, "ann", timedelta(seconds=1), 201),
        (0, "ann", timedelta(0), 409),
        (1440, "ann", DAY + timedelta(seconds=1), 201),
        (1440, "ann", DAY, 409),
        (1440, "helper", DAY, 409),
        (1440, "till", HOUR, 201),
        (1440, "scheme", HOUR, 201),
        (0, "till", -HOUR, 201),
        (0, "scheme", -HOUR, 201),
        (0, "stranger", DAY, 404),
        (0, "another's till", DAY, 404),
    ],
)
async def test_who_cancels_how_long_before_the_visit(
    lido: Lido, notice: int, by: str, before: timedelta, status: int
) -> None:
    ann, hal, swim = await lido.person(), await lido.person("Hal"), await lido.offer(cancel_minutes=notice, **LIMITED)
    await lido.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": hal["id"], "may": ["book"]})
    keys = {"ann": ann["key"], "helper": hal["key"], "till": lido.till, "scheme": lido.api.scheme}
    keys["stranger"] = (await lido.person("Bob"))["key"]
    keys["another's till"] = await lido.api.till(await lido.api.venue("The theatre"))
    booking = await lido.book(ann, swim, SATURDAY)
    lido.clock.now = SATURDAY - before

    answer = await lido.cancel(booking["id"], keys[by])

    assert answer.status_code == status, answer.text
    if status == 201:
        returned = answer.json()
        assert (returned["bookings"], returned["minutes"]) == ([booking["id"]], 60)
        assert (await lido.api.balance(ann["id"]), await lido.counters()) == ((240, 0), {})
        assert await lido.state(booking["id"]) == "voided"
    else:
        assert await lido.state(booking["id"]) == "authorised"


async def test_too_late_it_says_until_when_it_could_be_done_and_who_can_help(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(cancel_minutes=2880)
    booking = await lido.book(ann, swim, SATURDAY)
    lido.clock.now = SATURDAY - HOUR
    said = (await lido.cancel(booking["id"], ann["key"])).json()["detail"]
    assert said == (
        "This could be done until 10:00 on Thursday 19 November 2026; the venue or the office can still help."
    )


async def test_the_time_to_cancel_stays_as_it_was_told_when_the_terms_change(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    changed = await lido.api.send("PATCH", f"/v1/offers/{swim}", {"terms": {"cancel_minutes": 2880}})
    assert changed.status_code == 200, changed.text
    lido.clock.now = SATURDAY - HOUR
    assert (await lido.cancel(booking["id"], ann["key"])).status_code == 201


async def test_a_venue_asks_for_no_more_notice_than_the_scheme_allows(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(cancel_minutes=2880)
    assert (await lido.api.send("PATCH", "/v1/rules", {"cancel_notice_max_minutes": 60})).status_code == 200
    booking = await lido.book(ann, swim, SATURDAY)
    assert booking["cancel_until"] == "2026-11-21T09:00:00Z"


async def test_cancelled_again_under_its_key_it_is_the_same_and_under_another_it_was_done(
    lido: Lido, owner: asyncpg.Connection
) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    path = f"/v1/bookings/{booking['id']}/cancel"
    first = await lido.api.post(path, {}, ann["key"], "cancel-1")
    again = await lido.api.post(path, {}, ann["key"], "cancel-1")
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert refusal(await lido.cancel(booking["id"], ann["key"])) == (409, "already_resolved")
    told = await events(owner, "booking_cancelled")
    assert told == [(ann["holder"], '{"minutes":60,"sessions":1,"by":"person"}')]


async def test_the_key_of_a_refusal_takes_no_credits_afterwards(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    assert (await lido.cancel(booking["id"], ann["key"])).status_code == 201
    path = f"/v1/bookings/{booking['id']}/cancel"
    assert refusal(await lido.api.post(path, {"course": False}, lido.till, "k")) == (409, "already_resolved")
    visit = await lido.api.visit(swim, ann["id"])
    assert refusal(await lido.api.post("/v1/redemptions", visit, lido.till, "k")) == (422, "key_reused")
    again = await lido.api.post(path, {"course": False}, lido.till, "k")
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, "already_resolved"), "true")
    assert await lido.api.balance(ann["id"]) == (240, 0)


async def test_captured_and_cancelled_at_once_exactly_one_wins(lido: Lido) -> None:
    ann, swim = await lido.person(minutes=300), await lido.offer(price=15)
    lido.clock.now = SATURDAY - timedelta(hours=1)
    for visit in range(10):
        booking = await lido.book(ann, swim, SATURDAY)
        both = [lido.capture(booking["id"]), lido.cancel(booking["id"], ann["key"])]
        captured, cancelled = await asyncio.gather(*both)
        assert sorted((captured.status_code, cancelled.status_code)) == [201, 409], visit
        lost = cancelled if captured.status_code == 201 else captured
        assert refusal(lost) == (409, "already_resolved")
        won = "captured" if captured.status_code == 201 else "voided"
        assert await lido.state(booking["id"]) == won
    available, held = await lido.api.balance(ann["id"])
    assert held == 0
    assert 300 - available == (await lido.api.trial_balance()).get("redeemed", 0)


# --- changed --------------------------------------------------------------------------------------------------


async def test_a_change_holds_the_new_and_returns_the_old_under_the_same_code(
    lido: Lido, owner: asyncpg.Connection
) -> None:
    ann, swim = await lido.person(minutes=180), await lido.offer(quota=3, month_minutes=180)
    booking = await lido.book(ann, swim, SATURDAY, party={"adults": 2})

    body = {"visit_at": (SATURDAY + HOUR).isoformat(), "party": {"adults": 3}}
    answer = await lido.api.post(f"/v1/bookings/{booking['id']}/change", body, ann["key"], "change-1")

    assert answer.status_code == 201, answer.text
    (changed,) = answer.json()["bookings"]
    assert changed["id"] != booking["id"]
    assert (changed["visit_at"], changed["party"]["adults"], changed["minutes"]) == ("2026-11-21T11:00:00Z", 3, 180)
    assert changed["code"] == booking["code"]
    assert (await lido.api.balance(ann["id"]), (await lido.counters())["held_allowance"]) == ((0, 180), 3)
    old = (await lido.api.get(f"/v1/bookings/{booking['id']}", ann["key"])).json()
    assert (old["status"], old["code"]) == ("voided", None)
    again = await lido.api.post(f"/v1/bookings/{booking['id']}/change", body, ann["key"], "change-1")
    assert (again.json(), again.headers["idempotency-replayed"]) == (answer.json(), "true")
    ((_, said),) = await events(owner, "booking_changed")
    assert booking["id"] in said
    lido.clock.now = SATURDAY + HOUR
    taken = await lido.api.made("/v1/redemptions", {"code": booking["code"]}, token=lido.till)
    assert (taken["id"], taken["captured"]) == (changed["id"], 180)


@pytest.mark.parametrize(
    ("kept", "body", "expected"),
    [
        ("visit_at", {"party": {"adults": 2}}, ("2026-11-21T10:00:00Z", 2)),
        ("party", {"visit_at": "2026-11-22T10:00:00Z"}, ("2026-11-22T10:00:00Z", 1)),
    ],
)
async def test_what_is_not_named_in_a_change_stays(
    lido: Lido, kept: str, body: dict[str, Any], expected: tuple[str, int]
) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    made = await lido.api.made(f"/v1/bookings/{booking['id']}/change", body, token=ann["key"])
    (changed,) = made["bookings"]
    assert (changed["visit_at"], changed["party"]["adults"]) == expected
    assert changed[kept] == booking[kept]


async def test_a_show_is_changed_to_another_of_its_occasions(lido: Lido) -> None:
    ann, play = await lido.person(), await lido.offer("show")
    tonight, tomorrow = await lido.occasions(play, SATURDAY, SATURDAY + DAY, places=1)
    booking = await lido.book(ann, play, occasion=tonight)
    path = f"/v1/bookings/{booking['id']}/change"
    assert refusal(await lido.api.post(path, {"visit_at": SATURDAY.isoformat()}, ann["key"])) == (422, "wrong_values")
    (changed,) = (await lido.api.made(path, {"occasion": tomorrow}, token=ann["key"]))["bookings"]
    assert (changed["occasion"], changed["visit_at"]) == (tomorrow, "2026-11-22T10:00:00Z")
    assert (await lido.ask(ann, play, occasion=tonight)).status_code == 201


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (422, "wrong_values")),
        ({"party": {"adults": 0}}, (409, "party_rule")),
        ({"party": {"adults": 3}}, (409, "insufficient_credits")),
        ({"visit_at": "2026-11-16T12:00:00Z"}, (422, "wrong_values")),
        ({"visit_at": "2026-12-25T10:00:00Z"}, (409, "offer_closed_now")),
        ({"visit_at": "2026-12-01T10:00:00Z"}, (409, "quota_full")),
    ],
)
async def test_what_cannot_be_had_leaves_the_booking_as_it_was(
    lido: Lido, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    ann, swim = await lido.person(minutes=120), await lido.offer(quota=2, closed=["2026-12-25"])
    await lido.book(await lido.person("Bob"), swim, datetime.fromisoformat("2026-12-02T10:00:00Z"), party={"adults": 2})
    booking = await lido.book(ann, swim, SATURDAY)
    answer = await lido.api.post(f"/v1/bookings/{booking['id']}/change", body, ann["key"])
    assert refusal(answer) == expected
    assert (await lido.api.get(f"/v1/bookings/{booking['id']}", ann["key"])).json() == booking
    assert (await lido.api.balance(ann["id"]), (await lido.counters())["held_allowance"]) == ((60, 60), 3)


async def test_the_party_changes_when_it_is_too_late_to_book_another_time(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(booking_needed=True, ahead_minutes=1440)
    booking = await lido.book(ann, swim, SATURDAY, party={"adults": 2})
    lido.clock.now = SATURDAY - HOUR
    path = f"/v1/bookings/{booking['id']}/change"
    later = await lido.api.post(path, {"visit_at": (SATURDAY + HOUR).isoformat()}, ann["key"])
    assert refusal(later) == (422, "wrong_values")
    await lido.api.made(path, {"party": {"adults": 1}}, token=ann["key"])
    assert await lido.api.balance(ann["id"]) == (180, 60)


@pytest.mark.parametrize(("by", "status"), [("ann", 409), ("till", 403), ("scheme", 201), ("stranger", 404)])
async def test_a_change_is_bound_by_the_time_to_cancel(lido: Lido, by: str, status: int) -> None:
    ann, swim = await lido.person(), await lido.offer(cancel_minutes=1440)
    keys = {"ann": ann["key"], "till": lido.till, "scheme": lido.api.scheme}
    keys["stranger"] = (await lido.person("Bob"))["key"]
    booking = await lido.book(ann, swim, SATURDAY)
    lido.clock.now = SATURDAY - DAY
    body = {"visit_at": (SATURDAY + 2 * DAY).isoformat()}
    answer = await lido.api.post(f"/v1/bookings/{booking['id']}/change", body, keys[by])
    assert answer.status_code == status, answer.text


async def test_what_was_used_or_cancelled_cannot_be_changed(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    assert (await lido.cancel(booking["id"], ann["key"])).status_code == 201
    answer = await lido.api.post(f"/v1/bookings/{booking['id']}/change", {"party": {"adults": 2}}, ann["key"])
    assert refusal(answer) == (409, "already_resolved")
    assert await lido.api.balance(ann["id"]) == (240, 0)


# --- nobody came ----------------------------------------------------------------------------------------------


async def test_where_nobody_came_everything_returns_at_the_venues_word(lido: Lido, owner: asyncpg.Connection) -> None:
    ann, swim = await lido.person(), await lido.offer(**LIMITED)
    booking = await lido.book(ann, swim, SATURDAY)
    path = f"/v1/bookings/{booking['id']}/no-show"
    lido.clock.now = SATURDAY - timedelta(seconds=1)
    early = await lido.api.post(path, token=lido.till)
    assert refusal(early) == (409, "wrong_state")
    assert early.json()["works_at"].startswith("2026-11-21T10:00:00")
    lido.clock.now = SATURDAY
    elsewhere = await lido.api.till(await lido.api.venue("The theatre"))
    assert refusal(await lido.api.post(path, token=elsewhere)) == (404, "not_found")

    said = await lido.api.made(path, token=lido.till)

    assert (said["bookings"], said["minutes"]) == ([booking["id"]], 60)
    assert (await lido.api.balance(ann["id"]), await lido.counters()) == ((240, 0), {})
    assert await lido.state(booking["id"]) == "lapsed"
    assert refusal(await lido.api.post(path, token=lido.till)) == (409, "already_resolved")
    assert await events(owner, "hold_lapsed") == [(ann["holder"], '{"minutes":60}')]


@pytest.mark.parametrize(("hold", "lapses_after"), [(None, 2 * DAY), (0, timedelta(0)), (20160, 14 * DAY)])
async def test_a_hold_that_nobody_resolved_lapses_by_the_rule_and_gives_back_all_counters(
    lido: Lido, database: Database, hold: int | None, lapses_after: timedelta
) -> None:
    if hold is not None:
        assert (await lido.api.send("PATCH", "/v1/rules", {"booking_hold_minutes": hold})).status_code == 200
    ann, play = await lido.person(), await lido.offer("show", **LIMITED)
    (tonight,) = await lido.occasions(play, SATURDAY, places=2)
    booking = await lido.book(ann, play, occasion=tonight)
    assert await lido.counters() == {"allowance": -2, "held_allowance": 2, "limit": -60, "held_limit": 60}

    async def lapse(at: datetime) -> str:
        lido.clock.now = at
        async with database.transaction() as connection:
            await lapse_due(driver(connection), at)
        return await lido.state(booking["id"])

    assert await lapse(SATURDAY + lapses_after - timedelta(seconds=1)) == "authorised"
    assert await lapse(SATURDAY + lapses_after) == "lapsed"
    assert (await lido.api.balance(ann["id"]), await lido.counters()) == ((240, 0), {})


# --- an occasion that is cancelled ----------------------------------------------------------------------------


async def test_a_cancelled_occasion_undoes_its_bookings_and_tells_each(lido: Lido, owner: asyncpg.Connection) -> None:
    ann, bob, play = await lido.person(), await lido.person("Bob"), await lido.offer("show", **LIMITED)
    tonight, tomorrow = await lido.occasions(play, SATURDAY, SATURDAY + DAY)
    undone = [await lido.book(each, play, occasion=tonight) for each in (ann, bob)]
    stays = await lido.book(ann, play, occasion=tomorrow)
    gone = await lido.book(bob, play, occasion=tonight)
    assert (await lido.cancel(gone["id"], bob["key"])).status_code == 201

    await lido.api.made(f"/v1/occasions/{tonight}/cancel")

    assert [await lido.state(each["id"]) for each in (*undone, stays)] == ["voided", "voided", "authorised"]
    assert [await lido.api.balance(each["id"]) for each in (ann, bob)] == [(180, 60), (240, 0)]
    assert sorted(await events(owner, "booking_undone")) == sorted(
        [(ann["holder"], '{"minutes":60}'), (bob["holder"], '{"minutes":60}')]
    )


async def test_what_is_too_much_for_one_transaction_is_undone_in_the_next_ones(
    lido: Lido, database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookings, "RELEASED_MAX", 2)
    ann, play = await lido.person(minutes=300), await lido.offer("show")
    (tonight,) = await lido.occasions(play, SATURDAY)
    made = [await lido.book(ann, play, occasion=tonight) for _ in range(5)]
    await lido.api.made(f"/v1/occasions/{tonight}/cancel")
    rounds = []
    for _ in range(3):
        async with database.transaction() as connection:
            rounds.append(await release_cancelled(driver(connection), NOW))
    assert rounds == [2, 1, 0]
    assert {await lido.state(each["id"]) for each in made} == {"voided"}
    assert len(await events(owner, "booking_undone")) == 5


async def test_nobody_books_an_occasion_while_it_is_cancelled(lido: Lido) -> None:
    play = await lido.offer("show", 15)
    ann = await lido.person()
    for hours in range(6):
        (tonight,) = await lido.occasions(play, SATURDAY + hours * HOUR)
        asked, _ = await asyncio.gather(
            lido.ask(ann, play, occasion=tonight), lido.api.made(f"/v1/occasions/{tonight}/cancel")
        )
        if asked.status_code == 201:
            assert await lido.state(asked.json()["id"]) == "voided"
        else:
            assert refusal(asked) == (409, "offer_closed_now")
    assert await lido.api.balance(ann["id"]) == (240, 0)
