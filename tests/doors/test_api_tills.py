"""A venue's till over HTTP: what it is told of a card, a pass, a voucher or a booking, and what moves."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from ledger.database import Database, driver
from ledger.scheme.codes import code_for
from ledger.scheme.lapses import lapse_due
from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal

# Well formed, and of nothing here: made from another secret.
NOBODYS = code_for(b"another scheme's", "card", uuid4())
EVENING = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "19:00", "closes": "21:00"}


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


async def ask(
    lido: Lido, code: str, offer: str | None, key: str | None = None, *, till: str = "", **more: object
) -> httpx.Response:
    """What the till asks: by a card it has asked for the name, unless it says otherwise."""
    body = {"code": code, "offer": offer, "name_checked": True, **more}
    return await lido.api.post("/v1/redemptions", body, till or lido.till, key)


async def quote(lido: Lido, code: str, offer: str | None, *, till: str = "", **more: object) -> dict[str, Any]:
    answer = await lido.api.post("/v1/quotes", {"code": code, "offer": offer, **more}, till or lido.till)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def position(lido: Lido) -> int:
    """How many entries there are."""
    found = (await lido.api.get("/v1/entries", limit=200)).json()
    assert found.get("next") is None
    return len(found["entries"])


async def a_pass(lido: Lido, ann: dict[str, Any]) -> str:
    """The code that Ann's phone shows now."""
    await lido.api.post(f"/v1/people/{ann['id']}/pass", None, ann["key"])
    shown = await lido.api.get(f"/v1/people/{ann['id']}/pass", ann["key"])
    assert shown.status_code == 200, shown.text
    return str(shown.json()["code"])


# --- why not, and from when ---------------------------------------------------------------------------------


class Case(NamedTuple):
    """Ann comes with 345 minutes and a card; what is different this time, and what the till hears."""

    what: str
    offer: dict[str, Any]
    reason: str
    works_at: datetime | None = None
    asked: Mapping[str, Any] = MappingProxyType({})
    age_band: str | None = None


CASES = [
    Case("fewer credits than it costs", {"price": 400}, "insufficient_credits"),
    Case("before it opens", {"windows": [EVENING]}, "offer_closed_now", NOW.replace(hour=19)),
    Case("on a closed date", {"closed": ["2026-11-16"]}, "offer_closed_now", datetime(2026, 11, 17, tzinfo=UTC)),
    Case("a quota of none", {"quota": 0}, "quota_full"),
    Case("more than one visit may cost", {"visit_minutes": 60}, "visit_limit", asked={"party": {"adults": 2}}),
    Case("more than is hers this month", {"month_minutes": 60}, "visit_limit", asked={"party": {"adults": 2}}),
    Case("more than the card's day", {"price": 100, "people": 3}, "visit_limit", asked={"party": {"adults": 3}}),
    Case("a party of nobody", {}, "party_rule", asked={"party": {"adults": 0}}),
    Case(
        "a free companion alone",
        {"companion_free": True},
        "party_rule",
        asked={"party": {"adults": 0, "companion": True}},
    ),
    Case("three under eight with one adult", {}, "party_rule", asked={"party": {"adults": 1, "young": 3}}),
    Case("younger than the offer is for", {"from_years": 18}, "age_rule", age_band="16_to_17"),
    Case("one step to take first", {"requires": ["induction"]}, "not_eligible"),
    Case("a booking to make first", {"booking_needed": True}, "booking_needed"),
    Case("under 16 without a guardian's consent", {}, "consent_needed", age_band="8_to_15"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_the_till_is_told_why_not_and_from_when_and_nothing_moves(lido: Lido, case: Case) -> None:
    ann = await lido.person(minutes=345, age_band=case.age_band)
    card, offer = await lido.api.card(ann["id"]), await lido.offer(**case.offer)
    before = await position(lido)

    quoted = await quote(lido, card, offer, **case.asked)
    answer = await ask(lido, card, offer, "k", **case.asked)

    said = answer.json()
    assert (answer.status_code, said["code"]) == (409, case.reason)
    assert said["detail"]
    assert said["visitor"]
    assert "ask when" not in said["visitor"], "what is known is said"
    assert (said["visitor"] == said["detail"]) == (case.reason == "offer_closed_now")
    assert "345" not in said["detail"] + said["visitor"], "a till never learns a balance"
    works_at = said.get("works_at")
    if case.works_at is not None:
        assert datetime.fromisoformat(works_at) == case.works_at
    assert (quoted["accepted"], quoted["reason"], quoted["detail"]) == (False, case.reason, said["detail"])
    assert quoted.get("works_at") == works_at
    assert quoted["visitor"] == said["visitor"]
    assert await position(lido) == before
    assert await lido.api.balance(ann["id"]) == (345, 0)
    again = await ask(lido, card, offer, "k", **case.asked)
    assert (again.headers["idempotency-replayed"], refusal(again)) == ("true", (409, case.reason))


async def test_a_card_that_stands_as_it_does_not_any_more_is_known_at_once(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    card = await lido.api.card(ann["id"])
    [found] = (await lido.api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    path = f"/v1/credentials/{found['id']}"

    async def heard() -> str:
        return str((await quote(lido, card, offer)).get("reason"))

    assert await heard() == "None"
    await lido.api.made(f"{path}/block")
    assert await heard() == "card_blocked"
    await lido.api.made(f"{path}/unblock")
    assert await heard() == "None"
    newer = (await lido.api.made(f"{path}/replace"))["code"]
    assert await heard() == "card_replaced"
    assert (await ask(lido, newer, offer)).status_code == 201


async def test_a_card_past_its_end_has_expired(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    ends = lido.clock.now + timedelta(hours=1)
    card = (await lido.api.made(f"/v1/people/{ann['id']}/cards", {"expires_at": ends.isoformat()}))["code"]
    lido.clock.now = ends - timedelta(microseconds=1)
    assert (await ask(lido, card, offer)).status_code == 201
    lido.clock.now = ends
    assert refusal(await ask(lido, card, offer)) == (409, "card_expired")


async def test_a_quote_says_the_name_the_price_and_the_places(lido: Lido) -> None:
    ann = await lido.person("Ann Archer")
    offer = await lido.offer(price=60, quota=40, child_price=30)
    quoted = await quote(lido, await lido.api.card(ann["id"]), offer, party={"adults": 1, "children": 2})
    assert (quoted["accepted"], quoted["minutes"], quoted["places"]) == (True, 120, 3)
    assert quoted["name"].startswith("Ann")


async def test_a_printed_card_is_taken_once_the_name_that_the_quote_said_was_asked_for(lido: Lido) -> None:
    ann, offer = await lido.person("Ann Archer"), await lido.offer()
    card = await lido.api.card(ann["id"])
    quoted = await quote(lido, card, offer)
    assert (quoted["accepted"], quoted["name"]) == (True, "Ann")
    assert refusal(await ask(lido, card, offer, name_checked=False)) == (409, "name_check_needed")
    assert (await ask(lido, card, offer)).status_code == 201
    changed = await lido.api.send("PATCH", "/v1/rules", {"card_name_check": False})
    assert changed.status_code == 200
    assert (await ask(lido, card, offer, name_checked=False)).status_code == 201


# --- quotas and limits -----------------------------------------------------------------------------------------


async def test_a_quota_is_used_by_visits_and_holds_and_given_back_by_voids_and_whole_refunds(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(price=15, quota=2)
    card = await lido.api.card(ann["id"])

    async def used() -> tuple[int, int]:
        found = (await lido.api.get(f"/v1/offers/{offer}/quota", lido.till)).json()
        return found["used"], found["left"]

    visit = (await ask(lido, card, offer)).json()["id"]
    hold = (await ask(lido, card, offer, capture=False)).json()["id"]
    assert await used() == (2, 0)
    assert refusal(await ask(lido, card, offer)) == (409, "quota_full")
    await lido.api.made(f"/v1/redemptions/{hold}/void", token=lido.till)
    assert await used() == (1, 1)
    hold = (await ask(lido, card, offer, capture=False)).json()["id"]
    await lido.capture(hold)
    assert await used() == (2, 0)
    await lido.api.made(f"/v1/redemptions/{visit}/refund", {"minutes": 5}, token=lido.till)
    assert await used() == (2, 0), "who got some of it back still came"
    await lido.api.made(f"/v1/redemptions/{visit}/refund", {}, token=lido.till)
    assert await used() == (1, 1)
    assert await lido.api.balance(ann["id"]) == (225, 0)


async def test_a_quota_that_is_raised_or_lowered_counts_at_once(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(price=15, quota=1)
    card = await lido.api.card(ann["id"])
    assert (await ask(lido, card, offer)).status_code == 201
    for quota, expected in ((2, 201), (2, 409), (5, 201), (1, 409)):
        changed = await lido.api.send("PATCH", f"/v1/offers/{offer}", {"terms": {"quota": quota}})
        assert changed.status_code == 200, changed.text
        assert (await ask(lido, card, offer)).status_code == expected


async def test_a_months_quota_begins_at_midnight_in_london_also_in_summer(lido: Lido) -> None:
    lido.clock.now = datetime(2027, 6, 30, 22, 59, tzinfo=UTC)
    ann, offer = await lido.person(), await lido.offer(price=15, quota=1)
    card = await lido.api.card(ann["id"])
    assert (await ask(lido, card, offer)).status_code == 201
    full = await ask(lido, card, offer)
    assert refusal(full) == (409, "quota_full")
    turn = datetime(2027, 6, 30, 23, 0, tzinfo=UTC)
    assert datetime.fromisoformat(full.json()["works_at"]) == turn
    lido.clock.now = turn
    assert (await ask(lido, card, offer)).status_code == 201


async def test_a_refund_after_the_months_end_gives_the_place_back_to_its_month(lido: Lido) -> None:
    lido.clock.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    ann, offer = await lido.person(), await lido.offer(price=15, quota=1)
    card = await lido.api.card(ann["id"])
    visit = (await ask(lido, card, offer)).json()["id"]
    lido.clock.now += timedelta(days=2)
    assert (await ask(lido, card, offer)).status_code == 201
    await lido.api.made(f"/v1/redemptions/{visit}/refund", {})
    months = {}
    for month in ("2026-11", "2026-12"):
        months[month] = (await lido.api.get(f"/v1/offers/{offer}/quota", month=month)).json()["used"]
    assert months == {"2026-11": 0, "2026-12": 1}
    assert refusal(await ask(lido, card, offer)) == (409, "quota_full")


async def test_a_full_month_works_again_when_the_offer_opens_in_the_next(lido: Lido) -> None:
    lido.clock.now = datetime(2026, 11, 30, 19, 30, tzinfo=UTC)
    ann, offer = await lido.person(), await lido.offer(price=15, quota=1, windows=[EVENING])
    card = await lido.api.card(ann["id"])
    assert (await ask(lido, card, offer)).status_code == 201
    full = await ask(lido, card, offer)
    assert refusal(full) == (409, "quota_full")
    assert datetime.fromisoformat(full.json()["works_at"]) == datetime(2026, 12, 1, 19, tzinfo=UTC)
    assert (await quote(lido, card, offer))["works_at"] == full.json()["works_at"]


async def test_a_persons_monthly_limit_is_their_own(lido: Lido) -> None:
    ann, bob, offer = await lido.person(), await lido.person("Bob"), await lido.offer(price=60, month_minutes=120)
    cards = [await lido.api.card(who["id"]) for who in (ann, bob)]
    assert [(await ask(lido, cards[0], offer)).status_code for _ in range(3)] == [201, 201, 409]
    full = await ask(lido, cards[0], offer)
    assert refusal(full) == (409, "visit_limit")
    assert datetime.fromisoformat(full.json()["works_at"]) == datetime(2026, 12, 1, tzinfo=UTC)
    assert (await ask(lido, cards[1], offer)).status_code == 201
    lido.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert (await ask(lido, cards[0], offer)).status_code == 201


async def test_a_printed_card_is_good_for_four_credits_a_day_and_a_pass_for_all_there_is(lido: Lido) -> None:
    ann, offer = await lido.person(minutes=360), await lido.offer(price=120)
    card = await lido.api.card(ann["id"])
    assert [(await ask(lido, card, offer)).status_code for _ in range(2)] == [201, 201]
    full = await ask(lido, card, offer)
    assert refusal(full) == (409, "visit_limit")
    assert datetime.fromisoformat(full.json()["works_at"]) == datetime(2026, 11, 17, tzinfo=UTC)
    assert (await ask(lido, await a_pass(lido, ann), offer, name_checked=False)).status_code == 201
    assert await lido.api.balance(ann["id"]) == (0, 0)


async def test_a_cards_day_goes_on_with_its_replacement_and_a_refund_gives_it_back(lido: Lido) -> None:
    ann, offer, small = await lido.person(minutes=360), await lido.offer(price=240), await lido.offer(price=15)
    visit = (await ask(lido, await lido.api.card(ann["id"]), offer)).json()["id"]
    [found] = (await lido.api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    card = (await lido.api.made(f"/v1/credentials/{found['id']}/replace"))["code"]
    assert refusal(await ask(lido, card, small)) == (409, "visit_limit")
    await lido.api.made(f"/v1/redemptions/{visit}/refund", {"minutes": 30}, token=lido.till)
    assert [(await ask(lido, card, small)).status_code for _ in range(3)] == [201, 201, 409]


# --- the phone pass --------------------------------------------------------------------------------------------


async def test_a_pass_is_used_once_at_any_till_and_a_refusal_does_not_use_it(lido: Lido) -> None:
    ann, offer, dear = await lido.person(), await lido.offer(), await lido.offer(price=300)
    other = await lido.api.till(lido.venue)
    code = await a_pass(lido, ann)
    assert refusal(await ask(lido, code, dear)) == (409, "insufficient_credits")
    assert (await ask(lido, code, offer)).status_code == 201
    assert refusal(await ask(lido, code, offer, till=other)) == (409, "already_used")
    lido.clock.now += timedelta(seconds=30)
    assert (await ask(lido, await a_pass(lido, ann), offer)).status_code == 201


async def test_a_screenshot_of_a_pass_is_stale_and_a_retry_of_what_was_done_still_hears_so(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    code = await a_pass(lido, ann)
    done = await ask(lido, code, offer, "k")
    lido.clock.now += timedelta(seconds=90)
    assert refusal(await ask(lido, code, offer)) == (409, "code_stale")
    again = await ask(lido, code, offer, "k")
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, done.json(), "true")
    assert await lido.api.balance(ann["id"]) == (180, 0)


# --- vouchers and bookings -------------------------------------------------------------------------------------


async def test_a_voucher_is_spent_once_and_its_rest_goes_back_to_the_pot(lido: Lido) -> None:
    code = await a_voucher(lido, 60)
    offer, full = await lido.offer(price=45), await lido.offer(price=45, quota=0)
    assert refusal(await ask(lido, code, full, "full")) == (409, "quota_full")
    assert (await quote(lido, code, offer))["minutes"] == 45
    spent = await ask(lido, code, offer, "k")
    assert (spent.status_code, spent.json()["minutes"]) == (201, 45)
    assert (await ask(lido, code, offer, "k")).json() == spent.json()
    assert refusal(await ask(lido, code, offer)) == (409, "already_used")
    assert refusal(await ask(lido, code, full, "full")) == (409, "quota_full"), "a no stays no"
    assert await lido.api.trial_balance() == {"issued": -60, "pot": 15, "redeemed": 45}
    await lido.api.made(f"/v1/redemptions/{spent.json()['id']}/refund", {}, token=lido.till)
    assert await lido.api.trial_balance() == {"issued": -60, "pot": 60}


async def a_voucher(lido: Lido, minutes: int) -> str:
    """The code of one that was printed from the community pot, which Ann filled."""
    ann = await lido.person(minutes=minutes)
    await lido.api.made("/v1/community-pot/gifts", {"giver": ann["id"], "minutes": minutes}, token=ann["key"])
    printing = {"group": None, "label": "Open day", "minutes": minutes, "count": 1, "last_day": "2026-12-31"}
    batch = (await lido.api.made("/v1/batches", printing))["id"]
    [voucher] = (await lido.api.get(f"/v1/batches/{batch}/codes")).json()["vouchers"]
    return str(voucher["code"])


async def test_a_bookings_code_takes_what_was_held_on_its_day_at_its_venue(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(quota=1)
    booked = await lido.book(ann, offer, SATURDAY)
    code = (await lido.api.get(f"/v1/bookings/{booked['id']}", ann["key"])).json()["code"]
    early = await ask(lido, code, None)
    assert refusal(early) == (409, "offer_closed_now")
    assert datetime.fromisoformat(early.json()["works_at"]) == SATURDAY.replace(hour=0)
    elsewhere = await lido.api.till(await lido.api.venue("The theatre"))
    assert refusal(await ask(lido, code, None, till=elsewhere)) == (404, "not_found")

    lido.clock.now = SATURDAY
    quoted = await quote(lido, code, None)
    assert (quoted["accepted"], quoted["minutes"], quoted["offer"], quoted["booking"]) == (
        True,
        60,
        offer,
        booked["id"],
    )
    taken = await ask(lido, code, None, "k")
    assert (taken.status_code, taken.json()["id"], taken.json()["status"]) == (201, booked["id"], "captured")
    assert (await ask(lido, code, None, "k")).json() == taken.json()
    assert refusal(await ask(lido, code, None)) == (409, "already_resolved")
    assert (await quote(lido, code, None))["reason"] == "already_resolved"
    assert await lido.api.balance(ann["id"]) == (180, 0)


async def test_a_hold_at_the_till_lapses_and_gives_everything_back(lido: Lido, database: Database) -> None:
    ann, offer = await lido.person(), await lido.offer(quota=1, month_minutes=60)
    card = await lido.api.card(ann["id"])
    hold = (await ask(lido, card, offer, capture=False)).json()["id"]
    assert await lido.api.balance(ann["id"]) == (180, 60)
    lido.clock.now += timedelta(minutes=11)
    async with database.transaction() as connection:
        await lapse_due(driver(connection), lido.clock.now)
    assert await lido.api.balance(ann["id"]) == (240, 0)
    assert (await lido.api.get(f"/v1/redemptions/{hold}", lido.till)).json()["status"] == "lapsed"
    assert await lido.counters() == {}
    assert (await ask(lido, card, offer)).status_code == 201


# --- the till itself -------------------------------------------------------------------------------------------


async def test_ten_wrong_codes_lock_the_till_and_a_mistyped_one_costs_nothing(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    card = await lido.api.card(ann["id"])
    mistyped = card[:-1] + ("0" if card[-1] != "0" else "1")
    for _ in range(12):
        answer = await ask(lido, mistyped, offer)
        assert (refusal(answer), answer.json()["fields"][0]["field"]) == ((422, "wrong_values"), "code")
    for number in range(10):
        asked = ask(lido, NOBODYS, offer, f"wrong-{number}") if number % 2 else quote(lido, NOBODYS, offer)
        await asked
    locked = await ask(lido, card, offer)
    assert refusal(locked) == (429, "try_again")
    assert int(locked.headers["retry-after"]) > 0
    assert (await ask(lido, card, offer, till=await lido.api.till(lido.venue))).status_code == 201, "others go on"
    lido.clock.now += timedelta(hours=1, seconds=1)
    assert (await ask(lido, card, offer)).status_code == 201


async def test_a_till_at_another_site_does_not_take_the_offer(lido: Lido) -> None:
    ann = await lido.person()
    card = await lido.api.card(ann["id"])
    sites = [
        (await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": name, "address": ""}))["id"]
        for name in ("North", "South")
    ]
    body = {"title": "A swim", "price": 60, "site": sites[0]}
    offer = (await lido.api.made(f"/v1/venues/{lido.venue}/offers", body))["id"]
    await lido.api.made(f"/v1/offers/{offer}/publish")
    tills = []
    for site in sites:
        expected = await lido.api.made(f"/v1/venues/{lido.venue}/devices", {"name": "till", "site": site})
        enrolled = await lido.api.client.post("/v1/devices/enrol", json={"code": expected["code"]})
        tills.append(enrolled.json()["token"])
    assert (await ask(lido, card, offer, till=tills[0])).status_code == 201
    assert refusal(await ask(lido, card, offer, till=tills[1])) == (403, "device_not_allowed")


async def test_a_retry_at_a_till_that_was_locked_or_moved_meanwhile_hears_what_it_heard(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    card = await lido.api.card(ann["id"])
    site = (await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": "South", "address": ""}))["id"]
    expected = await lido.api.made(f"/v1/venues/{lido.venue}/devices", {"name": "till", "site": None})
    till = (await lido.api.client.post("/v1/devices/enrol", json={"code": expected["code"]})).json()["token"]
    done = await ask(lido, card, offer, "k", till=till)
    assert done.status_code == 201

    assert (await lido.api.send("PATCH", f"/v1/devices/{expected['device']['id']}", {"site": site})).status_code == 200
    other = (await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": "North", "address": ""}))["id"]
    assert (await lido.api.send("PATCH", f"/v1/offers/{offer}", {"site": other})).status_code == 200
    assert refusal(await ask(lido, card, offer, till=till)) == (403, "device_not_allowed")
    assert (await ask(lido, card, offer, "k", till=till)).json() == done.json()
    for number in range(10):
        await ask(lido, NOBODYS, offer, f"wrong-{number}", till=till)
    assert refusal(await ask(lido, card, offer, "other", till=till)) == (429, "try_again")
    assert (await ask(lido, card, offer, "k", till=till)).json() == done.json()


@pytest.mark.parametrize("offer", [None, str(uuid4())], ids=["no offer", "an unknown one"])
async def test_a_wrong_code_counts_whatever_is_said_of_the_offer(lido: Lido, offer: str | None) -> None:
    for number in range(10):
        await quote(lido, NOBODYS, offer) if number % 2 else await ask(lido, NOBODYS, offer)
    assert refusal(await ask(lido, NOBODYS, offer)) == (429, "try_again")


async def test_a_slip_for_hours_is_told_apart_and_is_no_wrong_try(lido: Lido) -> None:
    began = lido.clock.now - timedelta(days=1)
    times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=2)).isoformat()}
    body = {**times, "lines": [{"voucher": "A neighbour", "minutes": 60}]}
    slip = (await lido.api.made(f"/v1/projects/{lido.project}/registers", body))["vouchers"][0]["code"]
    offer = await lido.offer()
    for _ in range(12):
        answer = await ask(lido, slip, offer)
        assert refusal(answer) == (409, "code_unknown")
        assert "slip for hours" in answer.json()["detail"]


async def test_a_till_hears_the_first_name_only(lido: Lido) -> None:
    ann, offer = await lido.person("Ann Archer"), await lido.offer()
    assert (await quote(lido, await lido.api.card(ann["id"]), offer))["name"] == "Ann"


async def test_a_voucher_is_not_put_on_hold(lido: Lido) -> None:
    answer = await ask(lido, await a_voucher(lido, 60), await lido.offer(), capture=False)
    assert (refusal(answer), answer.json()["fields"][0]["field"]) == ((422, "wrong_values"), "capture")


async def test_a_booking_is_captured_on_its_day_and_not_before_also_by_its_id(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer()
    booked = (await lido.book(ann, offer, SATURDAY))["id"]
    path = f"/v1/redemptions/{booked}"
    early = await lido.api.post(f"{path}/capture", {}, lido.till, key="early")
    assert refusal(early) == (409, "offer_closed_now")
    assert datetime.fromisoformat(early.json()["works_at"]) == SATURDAY.replace(hour=0)
    assert refusal(await lido.api.post(f"{path}/void", None, lido.till)) == (409, "wrong_state")
    lido.clock.now = SATURDAY.replace(hour=0)
    again = await lido.api.post(f"{path}/capture", {}, lido.till, key="early")
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, "offer_closed_now"), "true")
    assert (await lido.capture(booked)).status_code == 201


async def test_a_booking_of_one_site_is_taken_there_only(lido: Lido) -> None:
    ann = await lido.person()
    north, south = [
        (await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": name, "address": ""}))["id"]
        for name in ("North", "South")
    ]
    body = {"title": "A swim", "price": 60, "site": north}
    offer = (await lido.api.made(f"/v1/venues/{lido.venue}/offers", body))["id"]
    await lido.api.made(f"/v1/offers/{offer}/publish")
    booked = (await lido.book(ann, offer, SATURDAY))["id"]
    lido.clock.now = SATURDAY
    expected = await lido.api.made(f"/v1/venues/{lido.venue}/devices", {"name": "till", "site": south})
    till = (await lido.api.client.post("/v1/devices/enrol", json={"code": expected["code"]})).json()["token"]
    elsewhere = await lido.api.post(f"/v1/redemptions/{booked}/capture", {}, till)
    assert refusal(elsewhere) == (403, "device_not_allowed")
    assert (await lido.capture(booked)).status_code == 201


async def test_a_refund_that_was_done_or_refused_stays_so_when_the_day_or_the_rules_change(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(price=15)
    card = await lido.api.card(ann["id"])
    done, late = [f"/v1/redemptions/{(await ask(lido, card, offer)).json()['id']}/refund" for _ in range(2)]
    first = await lido.api.post(done, {"minutes": 15}, lido.till, key="done")
    lido.clock.now += timedelta(days=1)
    assert (await lido.api.post(done, {"minutes": 15}, lido.till, key="done")).json() == first.json()
    refused = await lido.api.post(late, {}, lido.till, key="late")
    assert refusal(refused) == (409, "wrong_state")
    assert "same day" in refused.json()["detail"]
    assert (await lido.api.send("PATCH", "/v1/rules", {"device_refund_days": 5})).status_code == 200
    again = await lido.api.post(late, {}, lido.till, key="late")
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, "wrong_state"), "true")
    assert (await lido.api.post(late, {}, lido.till)).status_code == 201


async def test_of_two_partial_refunds_at_once_the_last_gives_the_place_back(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(price=120, quota=5)
    card = await lido.api.card(ann["id"])
    for _ in range(3):
        visit = (await ask(lido, card, offer)).json()["id"]
        path = f"/v1/redemptions/{visit}/refund"
        answers = await asyncio.gather(*(lido.api.post(path, {"minutes": 60}, lido.till) for _ in range(2)))
        assert [answer.status_code for answer in answers] == [201, 201]
        assert (await lido.api.get(f"/v1/offers/{offer}/quota", lido.till)).json()["used"] == 0


async def test_a_till_refunds_on_the_same_day_and_the_scheme_for_thirty(lido: Lido) -> None:
    ann, offer = await lido.person(), await lido.offer(price=15)
    card = await lido.api.card(ann["id"])
    visits = [(await ask(lido, card, offer)).json()["id"] for _ in range(3)]

    async def refund(visit: str, token: str) -> tuple[int, str]:
        answer = await lido.api.post(f"/v1/redemptions/{visit}/refund", {}, token)
        return answer.status_code, answer.json().get("code", "")

    lido.clock.now = lido.clock.now.replace(hour=23, minute=59)
    assert await refund(visits[0], lido.till) == (201, "")
    lido.clock.now += timedelta(minutes=1)
    assert await refund(visits[1], lido.till) == (409, "wrong_state")
    lido.clock.now += timedelta(days=29)
    assert await refund(visits[1], lido.api.scheme) == (201, "")
    lido.clock.now += timedelta(days=1)
    assert await refund(visits[2], lido.api.scheme) == (409, "wrong_state")
