"""Bookings over HTTP: what they hold, what is refused and why, and the last place."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme.awards import lock_holders
from ledger.scheme.bookings import Wanted, book
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.lapses import lapse_due
from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal

WEEK = timedelta(days=7)


async def test_a_booking_holds_the_credits_and_tells_its_code(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(cancel_minutes=1440)

    answer = await lido.ask(ann, swim, SATURDAY, party={"adults": 1, "children": 2})

    assert answer.status_code == 201, answer.text
    booked = answer.json()
    (booking,) = booked["bookings"]
    assert answer.headers["location"] == f"/v1/bookings/{booked['id']}"
    assert (booked["id"], booked["minutes"], await lido.api.balance(ann["id"])) == (booking["id"], 180, (60, 180))
    assert booking == (await lido.api.get(f"/v1/bookings/{booked['id']}", ann["key"])).json()
    assert len(booking.pop("code")) == len("7K3M-Q9TD-4HX")
    assert booking == {
        "id": booked["id"],
        "person": ann["id"],
        "offer": swim,
        "title": "A swim",
        "venue": lido.venue,
        "venue_name": "The lido",
        "site": None,
        "occasion": None,
        "course": None,
        "visit_at": "2026-11-21T10:00:00Z",
        "cancel_until": "2026-11-20T10:00:00Z",
        "party": {"adults": 1, "children": 2, "young": 0, "companion": False},
        "minutes": 180,
        "status": "authorised",
        "group": None,
        "made_at": "2026-11-16T12:00:00Z",
    }


async def test_its_code_is_taken_at_the_till_on_its_day_and_once(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    shown = {"code": booking["code"].lower().replace("-", " ")}

    early = await lido.api.post("/v1/redemptions", shown, lido.till)
    assert refusal(early) == (409, "offer_closed_now")
    assert datetime.fromisoformat(early.json()["works_at"]) == datetime(2026, 11, 21, tzinfo=UTC)
    assert await lido.state(booking["id"]) == "authorised"

    lido.clock.now = SATURDAY + timedelta(minutes=5)
    taken = await lido.api.made("/v1/redemptions", shown, token=lido.till)
    assert (taken["id"], taken["status"], taken["captured"]) == (booking["id"], "captured", 60)
    assert refusal(await lido.api.post("/v1/redemptions", shown, lido.till)) == (409, "already_resolved")
    assert await lido.api.balance(ann["id"]) == (180, 0)
    read = (await lido.api.get(f"/v1/bookings/{booking['id']}", ann["key"])).json()
    assert (read["status"], read["code"]) == ("captured", None)


async def test_another_venues_till_does_not_find_its_code(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    lido.clock.now = SATURDAY
    elsewhere = await lido.api.till(await lido.api.venue("The theatre"))
    answer = await lido.api.post("/v1/redemptions", {"code": booking["code"]}, elsewhere)
    assert answer.status_code in {404, 409}
    assert await lido.state(booking["id"]) == "authorised"


async def test_sent_again_it_is_the_same_booking(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    first = await lido.ask(ann, swim, SATURDAY, key="book-1")
    in_paris = SATURDAY.astimezone(datetime.fromisoformat("2026-11-21T11:00:00+01:00").tzinfo)
    again = await lido.ask(ann, swim, in_paris, key="book-1")
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    assert refusal(await lido.ask(ann, swim, SATURDAY + WEEK, key="book-1")) == (422, "key_reused")
    assert await lido.api.balance(ann["id"]) == (180, 60)


async def test_what_is_kept_of_it_names_nobody(lido: Lido, owner: asyncpg.Connection) -> None:
    ann, swim = await lido.person("Zzyzx"), await lido.offer()
    await lido.cancel((await lido.book(ann, swim, SATURDAY))["id"], ann["key"])
    answers = "SELECT string_agg(body, '') FROM scheme.answer WHERE operation IN ('book', 'cancel_booking')"
    for kept in (await owner.fetchval(answers), await owner.fetchval("SELECT string_agg(body, '') FROM scheme.outbox")):
        assert "minutes" in kept
        assert "Zzyzx" not in kept
        assert ann["id"] not in kept


# --- refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "field"),
    [
        ("drop_in", {}, "visit_at"),
        ("drop_in", {"visit_at": NOW}, "visit_at"),
        ("drop_in", {"visit_at": NOW + timedelta(hours=2) - timedelta(seconds=1)}, "visit_at"),
        ("drop_in", {"visit_at": NOW + timedelta(hours=2)}, ""),
        ("drop_in", {"visit_at": NOW + timedelta(days=366)}, ""),
        ("drop_in", {"visit_at": NOW + timedelta(days=366, seconds=1)}, "visit_at"),
        ("drop_in", {"visit_at": SATURDAY, "occasion": "next"}, "occasion"),
        ("ticket", {"occasion": "next"}, "occasion"),
        ("ticket", {"visit_at": SATURDAY}, ""),
        ("show", {"visit_at": SATURDAY}, "visit_at"),
        ("show", {}, "occasion"),
        ("show", {"occasion": "another's"}, "occasion"),
        ("show", {"occasion": "soon"}, "occasion"),
        ("show", {"occasion": "next"}, ""),
        ("course", {"visit_at": SATURDAY}, "visit_at"),
        ("course", {"occasion": "next"}, "occasion"),
        ("course", {}, ""),
    ],
)
async def test_each_kind_is_booked_by_its_own_time(lido: Lido, kind: str, asked: dict[str, Any], field: str) -> None:
    ann, offer = await lido.person(), await lido.offer(kind, 15, booking_needed=True, ahead_minutes=120)
    known: dict[str, str] = {}
    if kind in {"show", "course"}:
        known["soon"], known["next"] = await lido.occasions(offer, NOW + timedelta(hours=1), SATURDAY)
    (known["another's"],) = await lido.occasions(await lido.offer("show"), SATURDAY)
    if "occasion" in asked:
        asked = {**asked, "occasion": known.get(str(asked["occasion"]), known["another's"])}
    if "visit_at" in asked:
        asked = {**asked, "visit_at": asked["visit_at"].isoformat()}

    answer = await lido.ask(ann, offer, None, **asked)

    if field:
        assert refusal(answer) == (422, "wrong_values")
        assert [fault["field"] for fault in answer.json()["fields"]] == [field]
        assert await lido.api.balance(ann["id"]) == (240, 0)
    else:
        assert answer.status_code == 201, answer.text
        assert await lido.api.balance(ann["id"]) == (225, 15)


async def test_too_late_to_be_booked_it_says_from_when_it_would_work(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(booking_needed=True, ahead_minutes=2880)
    answer = await lido.ask(ann, swim, NOW + timedelta(days=1))
    (fault,) = answer.json()["fields"]
    assert fault["message"] == "must be at least 2 days ahead: 12:00 on Wednesday 18 November 2026 or later"

    late = await lido.offer(booking_needed=True, ahead_minutes=2880, windows=EVENINGS)
    (fault,) = (await lido.ask(ann, late, NOW + timedelta(days=1))).json()["fields"]
    assert fault["message"].endswith("19:00 on Wednesday 18 November 2026 or later"), "when it is open, and no sooner"


EVENINGS = [{"days": ["mon", "wed"], "opens": "19:00", "closes": "21:00"}]


@pytest.mark.parametrize(
    ("who", "terms", "party", "reason"),
    [
        ({}, {"windows": EVENINGS}, {}, "offer_closed_now"),
        ({}, {"closed": ["2026-11-21"]}, {}, "offer_closed_now"),
        ({}, {}, {"adults": 0}, "party_rule"),
        ({}, {}, {"adults": 1, "young": 3}, "party_rule"),
        ({}, {"people": 2}, {"adults": 3}, "party_rule"),
        ({}, {"visit_minutes": 60}, {"adults": 2}, "visit_limit"),
        ({}, {"month_minutes": 90}, {"adults": 2}, "visit_limit"),
        ({}, {"quota": 1}, {"adults": 2}, "quota_full"),
        ({}, {"quota": 0}, {}, "quota_full"),
        ({}, {"requires": ["induction"]}, {}, "not_eligible"),
        ({}, {}, {"adults": 5}, "insufficient_credits"),
        ({"age_band": "16_to_17"}, {"from_years": 18}, {}, "age_rule"),
        ({"age_band": "18_and_over"}, {"below_years": 18}, {}, "age_rule"),
        ({"age_band": "8_to_15"}, {}, {"adults": 0, "children": 1}, "consent_needed"),
    ],
)
async def test_the_first_rule_in_the_way_answers_and_nothing_is_written(  # noqa: PLR0917  # the table's columns
    lido: Lido,
    owner: asyncpg.Connection,
    who: dict[str, Any],
    terms: dict[str, Any],
    party: dict[str, int],
    reason: str,
) -> None:
    ann, offer = await lido.person(**who), await lido.offer(**terms)
    answer = await lido.ask(ann, offer, SATURDAY, key="asked-once", party=party)
    assert refusal(answer) == (409, reason)
    again = await lido.ask(ann, offer, SATURDAY, key="asked-once", party=party)
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, reason), "true")
    left = "SELECT (SELECT count(*) FROM scheme.booking) + (SELECT count(*) FROM scheme.lapse)"
    assert await owner.fetchval(left) == 0
    assert await owner.fetchval("SELECT count(*) FROM scheme.credential WHERE kind = 'booking'") == 0
    assert await owner.fetchval("SELECT count(*) FROM journal.entry WHERE kind = 'hold'") == 0


async def test_who_is_not_there_or_not_theirs_cannot_be_booked_for(lido: Lido) -> None:
    ann, bob, swim = await lido.person(), await lido.person("Bob"), await lido.offer()
    assert refusal(await lido.ask({**ann, "key": bob["key"]}, swim, SATURDAY)) == (404, "not_found")
    assert refusal(await lido.ask({**ann, "id": str(uuid4())}, swim, SATURDAY)) == (404, "not_found")
    assert refusal(await lido.ask(ann, str(uuid4()), SATURDAY)) == (404, "not_found")
    draft = await lido.api.made(f"/v1/venues/{lido.venue}/offers", {"title": "Soon", "price": 60})
    assert refusal(await lido.ask(ann, draft["id"], SATURDAY)) == (404, "not_found")


# --- on somebody's behalf -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["helper", "scheme"])
async def test_what_is_booked_for_somebody_stands_in_their_acts(lido: Lido, by: str) -> None:
    ann, hal, swim = await lido.person(), await lido.person("Hal"), await lido.offer()
    await lido.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": hal["id"], "may": ["book"]})
    token = hal["key"] if by == "helper" else lido.api.scheme

    booking = await lido.book({**ann, "key": token}, swim, SATURDAY)
    assert (await lido.cancel(booking["id"], token)).status_code == 201

    acts = (await lido.api.get(f"/v1/people/{ann['id']}/acts", ann["key"])).json()["acts"]
    assert [(act["verb"], act["object"]) for act in acts[:2]] == [
        ("cancel_booking", booking["id"]),
        ("book", booking["id"]),
    ]


async def test_what_one_does_oneself_is_no_act(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer()
    await lido.cancel((await lido.book(ann, swim, SATURDAY))["id"], ann["key"])
    acts = (await lido.api.get(f"/v1/people/{ann['id']}/acts", ann["key"])).json()["acts"]
    assert [act for act in acts if "book" in act["verb"]] == []


@pytest.mark.parametrize("may", ["balance", "claim"])
async def test_a_helper_who_may_not_book_cannot(lido: Lido, may: str) -> None:
    ann, hal, swim = await lido.person(), await lido.person("Hal"), await lido.offer()
    await lido.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": hal["id"], "may": [may]})
    booking = await lido.book(ann, swim, SATURDAY)
    helped = {**ann, "key": hal["key"]}
    assert refusal(await lido.ask(helped, swim, SATURDAY)) == (404, "not_found")
    assert refusal(await lido.cancel(booking["id"], hal["key"])) == (404, "not_found")
    assert refusal(await lido.api.get(f"/v1/bookings/{booking['id']}", hal["key"])) == (404, "not_found")
    assert refusal(await lido.api.get(f"/v1/people/{ann['id']}/bookings", hal["key"])) == (404, "not_found")


async def test_a_pot_pays_and_gets_back_what_is_cancelled(lido: Lido, database: Database) -> None:
    ann, dot, swim = await lido.person(), await lido.person("Dot"), await lido.offer(month_minutes=60)
    group = (await lido.api.made("/v1/groups", {"name": "The choir"}))["id"]
    assert (await lido.api.send("PUT", f"/v1/groups/{group}/members/{ann['id']}", {"keyholder": True})).is_success
    await lido.api.made(f"/v1/groups/{group}/pot/gifts", {"giver": ann["id"], "minutes": 100}, token=ann["key"])
    caller = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    wanted = Wanted(person=UUID(dot["id"]), offer=UUID(swim), visit_at=SATURDAY)
    holder = UUID(dot["holder"])
    async with database.transaction() as connection:
        raw = driver(connection)
        await lock_holders(raw, [holder])
        made = await book(raw, caller, "pot-1", wanted, holder, NOW, payer=UUID(group))

    booking = (await lido.api.get(f"/v1/bookings/{made.id}", dot["key"])).json()
    assert (booking["group"], booking["minutes"]) == (group, 60)
    sums = await lido.api.trial_balance()
    assert (sums["pot"], sums["held_pot"], (await lido.counters())["held_limit"]) == (40, 60, 60)
    assert await lido.api.balance(dot["id"]) == (240, 0)
    change = await lido.api.post(f"/v1/bookings/{made.id}/change", {"party": {"adults": 2}}, dot["key"])
    assert refusal(change) == (409, "wrong_state")
    assert (await lido.cancel(str(made.id), dot["key"])).json()["minutes"] == 60
    sums = await lido.api.trial_balance()
    assert (sums["pot"], sums.get("held_pot", 0)) == (100, 0)
    assert "held_limit" not in await lido.counters()


async def test_whose_visit_a_pot_had_paid_for_hears_that_it_lapsed(
    lido: Lido, database: Database, owner: asyncpg.Connection
) -> None:
    dot, swim = await lido.person("Dot"), await lido.offer()
    group = (await lido.api.made("/v1/groups", {"name": "The choir"}))["id"]
    assert (await lido.api.send("PUT", f"/v1/groups/{group}/members/{dot['id']}", {"keyholder": True})).is_success
    await lido.api.made(f"/v1/groups/{group}/pot/gifts", {"giver": dot["id"], "minutes": 60}, token=dot["key"])
    wanted, holder = Wanted(person=UUID(dot["id"]), offer=UUID(swim), visit_at=SATURDAY), UUID(dot["holder"])
    caller = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    async with database.transaction() as connection:
        await lock_holders(driver(connection), [holder])
        made = await book(driver(connection), caller, "pot-1", wanted, holder, NOW, payer=UUID(group))
    async with database.transaction() as connection:
        assert await lapse_due(driver(connection), SATURDAY + timedelta(days=60)) == 1
    assert (await lido.api.trial_balance())["pot"] == 60
    rows = await owner.fetch("SELECT holder, object, body FROM scheme.outbox WHERE topic = 'hold_lapsed'")
    assert [tuple(row) for row in rows] == [(holder, made.id, '{"minutes":60}')]


# --- what others take -----------------------------------------------------------------------------------------


async def test_the_last_place_is_given_once_and_comes_back(lido: Lido) -> None:
    """Worked example 4: 39 of 40 places are taken, and two ask at once."""
    swim = await lido.offer(price=120, quota=40)
    for number in range(13):
        guest = await lido.person(f"Guest {number}", 360)
        await lido.book(guest, swim, SATURDAY, party={"adults": 3})
    assert (await lido.counters())["held_allowance"] == 39
    ann, bob = await lido.person("Ann", 300), await lido.person("Bob", 300)

    answers = await asyncio.gather(*(lido.ask(each, swim, SATURDAY) for each in (ann, bob)))

    won, lost = (ann, bob) if answers[0].status_code == 201 else (bob, ann)
    no = next(answer for answer in answers if answer.status_code != 201)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert refusal(no) == (409, "quota_full")
    assert datetime.fromisoformat(no.json()["works_at"]) == datetime(2026, 12, 1, tzinfo=UTC)
    assert [await lido.api.balance(each["id"]) for each in (won, lost)] == [(180, 120), (300, 0)]

    lido.clock.now = SATURDAY - timedelta(days=1)
    (booking,) = (await lido.api.get(f"/v1/people/{won['id']}/bookings", won["key"])).json()["bookings"]
    assert (await lido.cancel(booking["id"], won["key"])).status_code == 201
    assert await lido.api.balance(won["id"]) == (300, 0)
    assert (await lido.counters())["held_allowance"] == 39
    assert (await lido.ask(lost, swim, SATURDAY)).status_code == 201


async def test_an_occasions_places_are_beside_the_offers_quota(lido: Lido) -> None:
    play = await lido.offer("show", 15, quota=3)
    tonight, tomorrow = await lido.occasions(play, SATURDAY, SATURDAY + timedelta(days=1), places=2)
    ann = await lido.person()
    await lido.book(ann, play, occasion=tonight, party={"adults": 2})
    full = await lido.ask(ann, play, occasion=tonight)
    assert (refusal(full), full.json().get("works_at")) == ((409, "quota_full"), None)
    await lido.book(ann, play, occasion=tomorrow)
    of_the_month = await lido.ask(ann, play, occasion=tomorrow)
    assert refusal(of_the_month) == (409, "quota_full")
    assert of_the_month.json()["works_at"].startswith("2026-12-01T00:00:00")


async def test_a_cancelled_occasion_cannot_be_booked(lido: Lido) -> None:
    ann, play = await lido.person(), await lido.offer("show")
    (tonight,) = await lido.occasions(play, SATURDAY)
    await lido.api.made(f"/v1/occasions/{tonight}/cancel")
    assert refusal(await lido.ask(ann, play, occasion=tonight)) == (409, "offer_closed_now")


@pytest.mark.parametrize(
    ("visits", "reason"),
    [
        # The quota and a person's limit are one visit a month; London is an hour ahead of UTC in May.
        (["2027-05-31T22:30:00Z", "2027-05-31T22:45:00Z"], "quota_full"),
        (["2027-05-31T22:30:00Z", "2027-05-31T23:00:00Z"], ""),
        (["2027-05-31T22:59:59Z", "2027-06-30T22:59:59Z"], ""),
        (["2027-05-31T23:00:00Z", "2027-06-30T22:59:59Z"], "quota_full"),
        (["2027-06-30T22:59:59Z", "2027-06-30T23:00:00Z"], ""),
        # In winter it isn't.
        (["2026-11-30T23:30:00Z", "2026-12-01T00:00:00Z"], ""),
        (["2026-12-01T00:00:00+00:00", "2026-12-31T23:59:59Z"], "quota_full"),
        (["2026-12-01T00:30:00+01:00", "2026-12-01T00:00:00Z"], ""),
        (["2026-12-01T00:30:00+01:00", "2026-11-30T12:00:00Z"], "quota_full"),
    ],
)
async def test_a_months_turn_is_londons_by_the_time_of_the_visit(lido: Lido, visits: list[str], reason: str) -> None:
    ann, swim = await lido.person(), await lido.offer(quota=1, month_minutes=60)
    first, second = map(datetime.fromisoformat, visits)
    await lido.book(ann, swim, first)
    answer = await lido.ask(ann, swim, second)
    if reason:
        assert refusal(answer) == (409, reason)
    else:
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("visit_at", "is_open"),
    [
        # Open from one to two at night: on 28 March 2027 that hour is left out, on 31 October it comes twice.
        ("2027-03-27T01:30:00+00:00", True),
        ("2027-03-28T00:59:00+00:00", False),
        ("2027-03-28T01:00:00+00:00", False),
        ("2027-03-29T00:30:00+00:00", True),
        ("2027-10-31T00:00:00+00:00", True),
        ("2027-10-31T00:59:59+00:00", True),
        ("2027-10-31T01:30:00+00:00", True),
        ("2027-10-31T02:00:00+00:00", False),
        ("2027-10-31T02:30:00+01:00", True),
    ],
)
async def test_when_the_clocks_change_a_window_is_what_the_clock_on_the_wall_shows(
    lido: Lido, visit_at: str, *, is_open: bool
) -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    ann, swim = await lido.person(), await lido.offer(windows=[{"days": days, "opens": "01:00", "closes": "02:00"}])
    answer = await lido.ask(ann, swim, datetime.fromisoformat(visit_at))
    if is_open:
        assert answer.status_code == 201, answer.text
    else:
        assert refusal(answer) == (409, "offer_closed_now")


# --- what is held is honoured ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pause", "end"])
async def test_an_offer_that_stops_takes_no_new_booking_and_honours_what_is_held(lido: Lido, status: str) -> None:
    ann, swim = await lido.person(), await lido.offer()
    booking = await lido.book(ann, swim, SATURDAY)
    await lido.api.made(f"/v1/offers/{swim}/{status}")
    assert refusal(await lido.ask(ann, swim, SATURDAY)) == (409, "offer_closed_now")
    lido.clock.now = SATURDAY
    assert (await lido.capture(booking["id"])).status_code == 201
    assert await lido.state(booking["id"]) == "captured"


async def test_a_consent_that_is_withdrawn_honours_what_is_held(lido: Lido) -> None:
    gus = await lido.person("Gus")
    carys = await lido.person("Carys", age_band="8_to_15")
    await lido.api.made(f"/v1/people/{carys['id']}/guardians", {"guardian": gus["id"]})
    consent = await lido.api.made(f"/v1/people/{carys['id']}/consents", {"guardian": gus["id"]}, token=gus["key"])
    swim, party = await lido.offer(), {"adults": 0, "children": 1}
    booking = await lido.book(carys, swim, SATURDAY, party=party)

    await lido.api.made(f"/v1/consents/{consent['id']}/withdraw", token=gus["key"])

    assert refusal(await lido.ask(carys, swim, SATURDAY, party=party)) == (409, "consent_needed")
    lido.clock.now = SATURDAY
    taken = await lido.api.made("/v1/redemptions", {"code": booking["code"]}, token=lido.till)
    assert taken["status"] == "captured"
