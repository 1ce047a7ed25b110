"""What is booked, as the person and the venue see it; and what is left of it when somebody is erased."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme.awards import lock_holders
from ledger.scheme.bookings import Wanted, book
from ledger.scheme.callers import SCHEME, Caller, Scope
from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def pages(lido: Lido, path: str, token: str, **query: object) -> list[dict[str, Any]]:
    """All of a list, two at a time."""
    found: list[dict[str, Any]] = []
    page = (await lido.api.get(path, token, limit=2, **query)).json()
    while True:
        found += page["bookings"]
        if page["next"] is None:
            return found
        page = (await lido.api.get(path, token, limit=2, cursor=page["next"], **query)).json()


# --- the person's ---------------------------------------------------------------------------------------------


async def test_what_is_to_come_stands_first_and_then_what_was_before(lido: Lido) -> None:
    ann, swim = await lido.person(minutes=360), await lido.offer(price=15)
    days = [3, 1, 7, 2, 5, 3, 6]
    made = {(await lido.book(ann, swim, NOW + day * DAY))["id"]: day for day in days}
    lido.clock.now = NOW + 4 * DAY

    found = await pages(lido, f"/v1/people/{ann['id']}/bookings", ann["key"])

    assert [made[booking["id"]] for booking in found] == [5, 6, 7, 3, 3, 2, 1]
    assert len({booking["id"] for booking in found}) == len(days)


async def test_pages_go_on_from_when_the_list_was_begun(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(price=15)
    made = [(await lido.book(ann, swim, NOW + day * DAY))["id"] for day in (1, 2, 3)]
    path = f"/v1/people/{ann['id']}/bookings"
    first = (await lido.api.get(path, ann["key"], limit=2)).json()
    lido.clock.now = NOW + 2 * DAY + HOUR
    new = (await lido.book(ann, swim, NOW + 4 * DAY))["id"]
    second = (await lido.api.get(path, ann["key"], limit=2, cursor=first["next"])).json()
    assert [booking["id"] for booking in first["bookings"] + second["bookings"]] == [*made, new]
    assert second["next"] is None


async def test_how_each_booking_stands_is_read_from_the_journal(lido: Lido) -> None:
    ann, swim = await lido.person(minutes=360), await lido.offer()
    ways = ("kept", "cancelled", "used", "in part", "given back", "some of it")
    made = {way: (await lido.book(ann, swim, SATURDAY))["id"] for way in ways}
    assert (await lido.cancel(made["cancelled"], ann["key"])).status_code == 201
    lido.clock.now = SATURDAY
    for way in ("used", "given back", "some of it"):
        assert (await lido.capture(made[way])).status_code == 201
    await lido.api.made(f"/v1/redemptions/{made['in part']}/capture", {"minutes": 45}, token=lido.till)
    await lido.api.made(f"/v1/redemptions/{made['given back']}/refund", {}, token=lido.till)
    await lido.api.made(f"/v1/redemptions/{made['some of it']}/refund", {"minutes": 15}, token=lido.till)
    found = await pages(lido, f"/v1/people/{ann['id']}/bookings", ann["key"])
    states = {booking["id"]: booking["status"] for booking in found}
    assert {way: states[id_] for way, id_ in made.items()} == {
        "kept": "authorised",
        "cancelled": "voided",
        "used": "captured",
        "in part": "partially_captured",
        "given back": "refunded",
        "some of it": "partially_refunded",
    }
    # The venue's redemptions say the same.
    for way, id_ in made.items():
        assert (await lido.api.get(f"/v1/redemptions/{id_}", lido.till)).json()["status"] == states[id_], way


async def test_a_hold_at_the_till_is_no_booking(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    body = {"offer": swim, "code": await lido.api.card(ann["id"]), "name_checked": True, "capture": False}
    hold = await lido.api.made("/v1/redemptions", body, token=lido.till)
    assert await pages(lido, f"/v1/people/{ann['id']}/bookings", ann["key"]) == []
    assert await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.till) == []
    assert refusal(await lido.api.get(f"/v1/bookings/{hold['id']}", ann["key"])) == (404, "not_found")
    assert refusal(await lido.cancel(hold["id"], ann["key"])) == (404, "not_found")


async def test_a_helper_who_may_book_sees_it_and_that_they_looked_is_recorded(lido: Lido) -> None:
    ann, hal, swim = await lido.person(), await lido.person("Hal"), await lido.offer()
    await lido.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": hal["id"], "may": ["book"]})
    booking = await lido.book(ann, swim, SATURDAY)
    seen = await pages(lido, f"/v1/people/{ann['id']}/bookings", hal["key"])
    assert [each["code"] for each in seen] == [booking["code"]]
    assert (await lido.api.get(f"/v1/bookings/{booking['id']}", hal["key"])).json() == booking
    acts = (await lido.api.get(f"/v1/people/{ann['id']}/acts", ann["key"])).json()["acts"]
    assert [(act["verb"], act["person"]) for act in acts[:2]] == [("bookings_read", hal["id"])] * 2


async def test_to_others_it_is_not_there(lido: Lido) -> None:
    ann, bob, swim = await lido.person(), await lido.person("Bob"), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    for path in (f"/v1/bookings/{booking['id']}", f"/v1/people/{ann['id']}/bookings"):
        assert refusal(await lido.api.get(path, bob["key"])) == (404, "not_found")
        assert refusal(await lido.api.get(path, lido.till)) == (403, "forbidden")


# --- the venue's ----------------------------------------------------------------------------------------------


async def test_a_venue_sees_its_day_by_time_with_first_names_and_who_comes_along(lido: Lido) -> None:
    swim = await lido.offer()
    ann, bob = await lido.person("Ann Archer"), await lido.person("Bob")
    later = await lido.book(bob, swim, SATURDAY + HOUR)
    first = await lido.book(ann, swim, SATURDAY, party={"adults": 1, "children": 1})
    await lido.book(ann, swim, SATURDAY + DAY)
    assert (await lido.cancel(later["id"], bob["key"])).status_code == 201

    found = await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.till, day="2026-11-21")

    assert [(each["first_name"], each["status"]) for each in found] == [("Ann", "authorised"), ("Bob", "voided")]
    assert found[0] == {
        "id": first["id"],
        "first_name": "Ann",
        "party": {"adults": 1, "children": 1, "young": 0, "companion": False},
        "visit_at": "2026-11-21T10:00:00Z",
        "offer": swim,
        "title": "A swim",
        "site": None,
        "occasion": None,
        "minutes": 120,
        "status": "authorised",
    }
    assert found == await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.api.scheme, day="2026-11-21")


@pytest.mark.parametrize(
    ("day", "visits"),
    [
        ("2027-06-30", ["2027-06-29T23:00:00Z", "2027-06-30T22:59:59Z"]),
        ("2027-07-01", ["2027-06-30T23:00:00Z"]),
        ("2027-06-29", []),
        # The day on which the clocks go forward has 23 hours.
        ("2027-03-28", ["2027-03-28T00:00:00Z", "2027-03-28T22:59:00Z"]),
        ("2027-03-29", ["2027-03-28T23:00:00Z"]),
    ],
)
async def test_a_day_is_londons(lido: Lido, day: str, visits: list[str]) -> None:
    ann, swim = await lido.person(), await lido.offer(price=15)
    for visit in (
        *("2027-06-29T23:00:00Z", "2027-06-30T22:59:59Z", "2027-06-30T23:00:00Z"),
        *("2027-03-28T00:00:00Z", "2027-03-28T22:59:00Z", "2027-03-28T23:00:00Z"),
    ):
        await lido.book(ann, swim, datetime.fromisoformat(visit))
    found = await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.till, day=day)
    assert [each["visit_at"] for each in found] == visits


async def test_a_name_of_white_space_alone_stands_in_the_list_as_it_is(lido: Lido, owner: asyncpg.Connection) -> None:
    ann, swim = await lido.person(), await lido.offer()
    await lido.book(ann, swim, SATURDAY)
    # As one may have come in before names were looked at so closely.
    await owner.execute("UPDATE scheme.person SET name = $1", "\u2003")
    found = await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.till, day="2026-11-21")
    assert [each["first_name"] for each in found] == ["\u2003"]


async def test_a_venues_own_key_reads_a_month_back(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    await lido.book(ann, swim, SATURDAY)
    path, day = f"/v1/venues/{lido.venue}/bookings", "2026-11-21"
    lido.clock.now = datetime(2026, 12, 22, 23, tzinfo=UTC)
    assert len(await pages(lido, path, lido.till, day=day)) == 1
    lido.clock.now += 2 * HOUR
    refused = await lido.api.get(path, lido.till, day=day)
    assert refusal(refused) == (422, "wrong_values")
    assert refused.json()["fields"] == [{"field": "day", "message": "must be at most 31 days ago"}]
    assert len(await pages(lido, path, lido.api.scheme, day=day)) == 1, "staff see it still"


async def test_without_a_day_it_is_today(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    path = f"/v1/venues/{lido.venue}/bookings"
    assert await pages(lido, path, lido.till) == []
    lido.clock.now = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
    assert [each["id"] for each in await pages(lido, path, lido.till)] == [booking["id"]]


async def test_another_venues_day_is_not_there(lido: Lido) -> None:
    other = await lido.api.venue("The theatre")
    assert refusal(await lido.api.get(f"/v1/venues/{other}/bookings", lido.till)) == (404, "not_found")
    ann = await lido.person()
    assert refusal(await lido.api.get(f"/v1/venues/{lido.venue}/bookings", ann["key"])) == (403, "forbidden")
    no_day = await lido.api.get(f"/v1/venues/{lido.venue}/bookings", lido.till, day="2026-02-30")
    assert refusal(no_day) == (400, "wrong_parameters")
    assert refusal(await lido.api.get(f"/v1/venues/{ann['id']}/bookings")) == (404, "not_found")


async def test_a_till_finds_a_booking_by_its_code(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    lido.clock.now = SATURDAY
    quote = (await lido.api.post("/v1/quotes", {"code": booking["code"]}, lido.till, "")).json()
    assert (quote["accepted"], quote["booking"], quote["offer"], quote["minutes"]) == (True, booking["id"], swim, 60)


# --- somebody is erased ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_pot", [False, True])
async def test_who_is_erased_is_expected_no_more(lido: Lido, database: Database, *, by_pot: bool) -> None:
    ann, dot, swim = await lido.person(), await lido.person("Dot"), await lido.offer(quota=5, month_minutes=120)
    group = (await lido.api.made("/v1/groups", {"name": "The choir"}))["id"]
    assert (await lido.api.send("PUT", f"/v1/groups/{group}/members/{dot['id']}", {"keyholder": True})).is_success
    await lido.api.made(f"/v1/groups/{group}/pot/gifts", {"giver": dot["id"], "minutes": 60}, token=dot["key"])
    if by_pot:
        wanted = Wanted(person=UUID(ann["id"]), offer=UUID(swim), visit_at=SATURDAY)
        caller = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
        async with database.transaction() as connection:
            raw = driver(connection)
            await lock_holders(raw, [UUID(ann["holder"])])
            booking = str((await book(raw, caller, "pot-1", wanted, UUID(ann["holder"]), NOW, payer=UUID(group))).id)
    else:
        booking = (await lido.book(ann, swim, SATURDAY))["id"]

    erased = await lido.api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"}, token=ann["key"])

    assert (erased["holds"], erased["minutes"]) == (1, 240)
    assert not {"allowance", "held_allowance", "held_limit"} & set(await lido.counters())
    sums = await lido.api.trial_balance()
    assert (sums.get("held", 0), sums.get("held_pot", 0), sums["pot"]) == (0, 0, 300)
    (expected,) = await pages(lido, f"/v1/venues/{lido.venue}/bookings", lido.till, day="2026-11-21")
    assert (expected["id"], expected["first_name"], expected["status"]) == (booking, None, "voided")
    assert (await lido.api.get(f"/v1/bookings/{booking}")).json()["person"] is None
    assert refusal(await lido.cancel(booking, lido.api.scheme)) == (409, "already_resolved")
    change = await lido.api.post(f"/v1/bookings/{booking}/change", {"party": {"adults": 2}})
    assert refusal(change)[0] in {404, 409}
