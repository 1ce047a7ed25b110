"""Bearer vouchers: printed together from a pot, each claimed or spent once, until their last day."""

import asyncio
import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import LONDON, day_of
from ledger.scheme.paper import COUNT_MAX, DAYS_MAX
from ledger.scheme.periodic import Outcome, Periodic
from tests.conftest import blocked
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.test_api_notes import faults
from tests.doors.test_api_registers import refusal
from tests.journal.conftest import audit

TODAY = day_of(daytime())


def printing(group: object = None, **other: object) -> dict[str, Any]:
    """Three vouchers of an hour, for a year."""
    last_day = (TODAY + timedelta(days=365)).isoformat()
    return {"group": group, "label": "Winter swims", "minutes": 60, "count": 3, "last_day": last_day, **other}


async def fill(api: Api, minutes: int = 600) -> None:
    """Have so much in the community's pot: of somebody who leaves."""
    lines = [{"name": "Eve", "minutes": minutes}]
    (eve,) = (await api.made("/v1/openings", {"source": "timebank", "lines": lines}))["newcomers"]
    await api.made(f"/v1/people/{eve['person']}/erasure", {"give_to": "community"})


async def codes_of(api: Api, batch: str) -> list[str]:
    return [one["code"] for one in (await api.get(f"/v1/batches/{batch}/codes")).json()["vouchers"]]


async def printed(api: Api, **other: object) -> tuple[str, list[str]]:
    """A batch from the community's pot, and its codes."""
    batch = (await api.made("/v1/batches", printing(**other)))["id"]
    return batch, await codes_of(api, batch)


async def claim(api: Api, code: str, person: str, **options: str) -> httpx.Response:
    return await api.post("/v1/vouchers/claims", {"code": code, "person": person}, **options)


async def spend(api: Api, code: str, offer: str, till: str, **options: str) -> httpx.Response:
    return await api.post("/v1/redemptions", {"code": code, "offer": offer}, token=till, **options)


async def till_at_pool(api: Api, price: int = 60) -> tuple[str, str]:
    """An offer, and a till of its venue."""
    venue = await api.venue()
    return await api.offer(venue, price), await api.till(venue)


async def counts(api: Api, batch: str) -> tuple[int, int, int]:
    """Used, left and returned."""
    found = (await api.get(f"/v1/batches/{batch}")).json()
    assert found["count"] == found["used"] + found["left"] + found["returned"]
    return found["used"], found["left"], found["returned"]


# --- printing -----------------------------------------------------------------------------------------------


async def test_a_batch_takes_its_minutes_from_the_pot(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    first, again = [await api.post("/v1/batches", printing(), key="k") for _ in range(2)]
    batch = first.json()
    assert (first.status_code, batch["count"], batch["minutes"], batch["label"]) == (201, 3, 60, "Winter swims")
    assert (again.json(), again.headers["idempotency-replayed"]) == (batch, "true")
    assert await api.trial_balance() == {"opening": -600, "pot": 420, "paper": 180}
    assert await counts(api, batch["id"]) == (0, 3, 0)
    assert (await api.get(first.headers["location"])).json()["last_day"] == batch["last_day"] == printing()["last_day"]
    entry = (await api.get(f"/v1/entries/{batch['id']}")).json()
    assert [one["debit"] for one in entry["transfers"]] == ["pot:community"]
    told = await owner.fetchrow("SELECT object, body FROM scheme.outbox WHERE topic = 'vouchers_printed'")
    assert told is not None
    assert (str(told["object"]), told["body"]) == (batch["id"], '{"minutes":180}')
    await audit(owner)


async def test_a_group_prints_from_its_own_pot(api: Api) -> None:
    await fill(api)
    group = (await api.made("/v1/groups", {"name": "Choir"}))["id"]
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 120})
    await api.made(f"/v1/groups/{group}/pot/gifts", {"giver": ann["id"], "minutes": 120})
    assert refusal(await api.post("/v1/batches", printing(group))) == (409, "insufficient_credits")
    batch, _ = await printed(api, group=group, count=2)
    entry = (await api.get(f"/v1/entries/{batch}")).json()
    assert [one["debit"] for one in entry["transfers"]] == [f"pot:{UUID(group).hex}"]
    await api.made(f"/v1/batches/{batch}/void")
    assert (await api.get(f"/v1/groups/{group}/pot")).json()["available"] == 120


async def test_of_a_groups_pot_no_more_is_printed_in_a_day_than_one_keyholder_spends_alone(
    dsn: str, database: Database
) -> None:
    now = daytime()
    async with Api.running(dsn, clock=lambda: now) as api:
        group, ann = (await api.made("/v1/groups", {"name": "Choir"}))["id"], await api.person()
        pot = account("pot", UUID(group))
        given = Entry(id=uuid4(), transfers=(Transfer("issued:x", pot, 3_000),), happened_at=now, actor=uuid4())
        async with database.transaction() as connection:
            await post(driver(connection), CHART, [given], now)

        async def answer(count: int, of: str | None = group) -> tuple[int, str]:
            sent = await api.post("/v1/batches", printing(of, count=count))
            return (201, sent.json()["id"]) if sent.status_code == 201 else refusal(sent)

        assert await answer(21) == (409, "wrong_state"), "above rule 21's 20 credits"
        # Nor by several that are smaller, sent at once or one after the other; what went back unused doesn't count.
        answers = await asyncio.gather(*(answer(8) for _ in range(4)))
        assert sorted(status for status, _ in answers) == [201, 201, 409, 409]
        first = next(found for status, found in answers if status == 201)
        assert await answer(5) == (409, "wrong_state")
        [code, *_] = await codes_of(api, first)
        assert (await claim(api, code, ann["id"])).status_code == 201
        await api.made(f"/v1/batches/{first}/void")
        assert await answer(12) == (409, "wrong_state"), "9 are out: one was used, and 8 wait"
        assert (await answer(11))[0] == 201
        now += timedelta(days=1)
        assert (await answer(20))[0] == 201
        limit = {"pot_both_above_minutes": 0}
        assert (await api.send("PATCH", "/v1/rules", limit)).is_success
        assert await answer(1) == (409, "wrong_state")


async def test_never_more_is_printed_than_the_pot_has(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api, 180)
    refused = await api.post("/v1/batches", printing(count=4), key="k")
    assert refusal(refused) == (409, "insufficient_credits")
    assert await owner.fetchval("SELECT count(*) FROM scheme.credential") == 0
    answers = await asyncio.gather(*(api.post("/v1/batches", printing(count=2)) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await api.trial_balance() == {"opening": -180, "pot": 60, "paper": 120}


@pytest.mark.parametrize(
    ("wrong", "status", "field", "said"),
    [
        ({"count": 0}, 422, "count", "at least 1"),
        ({"count": COUNT_MAX + 1}, 422, "count", "at most 1000"),
        ({"count": 3.0}, 400, "count", "whole number"),
        ({"minutes": 0}, 422, "minutes", "at least 1"),
        ({"minutes": 6_001}, 422, "minutes", "at most 6000"),
        ({"label": ""}, 422, "label", "at least 1"),
        ({"label": "two\nlines"}, 422, "label", "on one line"),
        ({"group": str(uuid4())}, 422, "group", "no group of this scheme"),
        ({"last_day": (TODAY - timedelta(days=1)).isoformat()}, 422, "last_day", "today or later"),
        ({"last_day": (TODAY + timedelta(days=DAYS_MAX + 1)).isoformat()}, 422, "last_day", "at most 1098 days"),
        ({"last_day": date.max.isoformat()}, 422, "last_day", "at most 1098 days"),
        ({"last_day": date.min.isoformat()}, 422, "last_day", "today or later"),
        ({"last_day": "2026-02-30"}, 400, "last_day", "must be a date"),
        ({"codes": []}, 400, "codes", ""),
    ],
)
async def test_a_wrong_printing_is_told_by_its_field_and_nothing_is_written(
    api: Api, wrong: dict[str, object], status: int, field: str, said: str
) -> None:
    await fill(api)
    refused = await api.post("/v1/batches", printing(**wrong))
    assert refused.status_code == status, refused.text
    assert said in faults(refused)[field], faults(refused)
    assert (await api.get("/v1/batches")).json()["batches"] == []


async def test_whose_pot_it_is_must_be_said(api: Api) -> None:
    body = printing()
    del body["group"]
    refused = await api.post("/v1/batches", body)
    assert (refused.status_code, faults(refused)) == (400, {"group": "is required"})


# --- codes --------------------------------------------------------------------------------------------------


async def test_codes_stand_nowhere_and_who_read_them_does(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    boss = await api.person("Dee")
    key = await api.key("scheme", person=boss["id"])
    batch, codes = await printed(api)
    assert len(set(codes)) == 3
    found = await api.get(f"/v1/batches/{batch}/codes", key)
    assert [one["code"] for one in found.json()["vouchers"]] == codes, "the same, in the same order"
    for table in ("scheme.answer", "scheme.batch", "scheme.credential", "scheme.outbox", "journal.entry"):
        for row in await owner.fetch(f"SELECT t::text AS text FROM {table} t"):
            assert not [code for code in codes if code in row["text"] or code.replace("-", "") in row["text"]], table
    acts = await owner.fetch("SELECT by, object, holder FROM scheme.act WHERE verb = 'codes_read' ORDER BY id")
    assert [(str(act["object"]), act["holder"]) for act in acts] == [(batch, None)] * 2
    assert str(acts[1]["by"]) == boss["holder"]
    copy = (await api.get(f"/v1/people/{boss['id']}/copy")).json()
    assert [(act["verb"], act["object"], act["holder"]) for act in copy["acted"]] == [("codes_read", batch, None)]


async def test_only_what_can_be_used_is_printed_again(api: Api) -> None:
    await fill(api)
    ann = await api.person()
    batch, codes = await printed(api)
    await claim(api, codes[1], ann["id"])
    assert await codes_of(api, batch) == [codes[0], codes[2]]
    await api.made(f"/v1/batches/{batch}/void")
    assert await codes_of(api, batch) == []
    assert refusal(await api.get(f"/v1/batches/{uuid4()}/codes")) == (404, "not_found")


async def test_batches_are_listed_the_newest_first(api: Api) -> None:
    await fill(api)
    batches = [(await printed(api, count=1, label=f"Number {number}"))[0] for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/v1/batches", limit=2, **cursor)).json()
        seen += [batch["id"] for batch in page["batches"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == batches[::-1]


# --- claimed ------------------------------------------------------------------------------------------------


async def test_a_voucher_is_claimed_by_the_same_box_as_a_slip_once(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    ann, bob = await api.person(), await api.person("Bob")
    own = await api.key("person", person=ann["id"])
    batch, codes = await printed(api)
    typed = codes[0].lower().replace("-", " ").replace("0", "o")
    first, again = [await claim(api, typed, ann["id"], token=own, key="k") for _ in range(2)]
    assert (first.status_code, first.json()["minutes"], first.json()["batch"]) == (201, 60, batch)
    assert first.json()["claim"] is None, "nobody's hours"
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await api.balance(ann["id"]) == (60, 0)
    assert refusal(await claim(api, codes[0], bob["id"])) == (409, "already_used")
    assert await api.trial_balance() == {"opening": -600, "pot": 420, "paper": 120, "wallet": 60}
    assert await counts(api, batch) == (1, 2, 0)
    told = await owner.fetchrow("SELECT holder, object FROM scheme.outbox WHERE topic = 'voucher_claimed'")
    assert told is not None
    assert (str(told["holder"]), str(told["object"])) == (ann["holder"], batch)
    await audit(owner)


async def test_at_any_project_somebody_may_be_helped_to_claim_what_they_bring(api: Api) -> None:
    await fill(api)
    ann, project = await api.person(), await api.project()
    _, codes = await printed(api)
    answer = await claim(api, codes[0], ann["id"], token=await api.key("project", project))
    assert answer.status_code == 201
    stranger = await api.key("person", person=(await api.person("Bob"))["id"])
    assert refusal(await claim(api, codes[1], ann["id"], token=stranger)) == (404, "not_found")


async def test_somebody_under_16_needs_a_guardians_consent_first(api: Api) -> None:
    await fill(api)
    child = await api.made("/v1/people", {"name": "Cat", "age_band": "8_to_15"})
    batch, codes = await printed(api)
    assert refusal(await claim(api, codes[0], child["id"])) == (409, "consent_needed")
    assert await counts(api, batch) == (0, 3, 0)


async def test_a_cards_code_is_no_voucher(api: Api) -> None:
    ann = await api.person()
    assert refusal(await claim(api, await api.card(ann["id"]), ann["id"])) == (409, "code_unknown")


# --- spent --------------------------------------------------------------------------------------------------


async def test_a_voucher_is_spent_at_a_till_once(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    offer, till = await till_at_pool(api)
    batch, codes = await printed(api)
    first, again = [await spend(api, codes[0], offer, till, key="k") for _ in range(2)]
    assert (first.status_code, first.json()["minutes"], first.json()["status"]) == (201, 60, "captured"), first.text
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await api.trial_balance() == {"opening": -600, "pot": 420, "paper": 120, "redeemed": 60}
    assert refusal(await spend(api, codes[0], offer, till)) == (409, "already_used")
    ann = await api.person()
    assert refusal(await claim(api, codes[0], ann["id"])) == (409, "already_used")
    assert await counts(api, batch) == (1, 2, 0)
    await audit(owner)


async def test_what_a_voucher_is_worth_above_the_price_goes_back_to_its_pot(api: Api) -> None:
    await fill(api)
    offer, till = await till_at_pool(api, price=45)
    batch, codes = await printed(api)
    answer = await spend(api, codes[0], offer, till)
    assert (answer.status_code, answer.json()["minutes"]) == (201, 45), answer.text
    assert await api.trial_balance() == {"opening": -600, "pot": 435, "paper": 120, "redeemed": 45}
    assert await counts(api, batch) == (1, 2, 0)


async def test_one_that_is_worth_too_little_stays_whole(api: Api) -> None:
    await fill(api)
    offer, till = await till_at_pool(api, price=75)
    batch, codes = await printed(api)
    refused = await spend(api, codes[0], offer, till)
    assert refusal(refused) == (409, "insufficient_credits")
    assert refused.json()["detail"] == "The voucher is worth 60 minutes, and this comes to 75."
    ann = await api.person()
    assert (await claim(api, codes[0], ann["id"])).status_code == 201
    assert await counts(api, batch) == (1, 2, 0)


async def test_what_is_refunded_of_a_voucher_goes_to_its_pot(api: Api) -> None:
    await fill(api)
    offer, till = await till_at_pool(api)
    _, codes = await printed(api)
    visit = (await spend(api, codes[0], offer, till)).json()["id"]
    await api.made(f"/v1/redemptions/{visit}/refund", {}, token=till)
    assert await api.trial_balance() == {"opening": -600, "pot": 480, "paper": 120}
    assert refusal(await spend(api, codes[0], offer, till)) == (409, "already_used")


# --- at once ------------------------------------------------------------------------------------------------


async def test_of_all_who_bring_one_voucher_at_once_one_wins(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    offer, till = await till_at_pool(api)
    ann, bob = await api.person(), await api.person("Bob")
    batch, codes = await printed(api, count=8)
    for turn, code in enumerate(codes):
        at_once = [
            claim(api, code, ann["id"]),
            spend(api, code, offer, till),
            claim(api, code, bob["id"]),
            spend(api, code, offer, till),
        ]
        answers = await asyncio.gather(*at_once[turn % 4 :], *at_once[: turn % 4])
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {refusal(answer) for answer in answers if answer.status_code == 409} == {(409, "already_used")}
    assert await counts(api, batch) == (8, 0, 0)
    totals = await api.trial_balance()
    assert totals.get("wallet", 0) + totals.get("redeemed", 0) == 480
    assert "paper" not in totals
    await audit(owner)


async def test_who_waits_for_another_that_uses_it_hears_that_it_was_used(api: Api, owner: asyncpg.Connection) -> None:
    await fill(api)
    ann = await api.person()
    batch, codes = await printed(api, count=1)
    async with owner.transaction():
        await owner.execute("SELECT FROM scheme.credential WHERE batch = $1 FOR NO KEY UPDATE", UUID(batch))
        waiting = asyncio.create_task(claim(api, codes[0], ann["id"]))
        await blocked(owner)
        await owner.execute("UPDATE scheme.credential SET used_by = $1 WHERE batch = $2", uuid4(), UUID(batch))
    assert refusal(await waiting) == (409, "already_used")


async def test_whoever_voids_a_batch_waits_for_who_is_using_it_and_takes_the_rest(
    api: Api, owner: asyncpg.Connection
) -> None:
    await fill(api)
    ann = await api.person()
    for _ in range(6):
        batch, codes = await printed(api, count=4)
        answers = await asyncio.gather(
            *(claim(api, code, ann["id"]) for code in codes[:2]),
            api.post(f"/v1/batches/{batch}/void"),
            *(claim(api, code, ann["id"]) for code in codes[2:]),
        )
        voided = answers.pop(2)
        assert voided.status_code == 201, voided.text
        used = sum(answer.status_code == 201 for answer in answers)
        assert {refusal(answer) for answer in answers if answer.status_code != 201} <= {(409, "code_unknown")}
        assert await counts(api, batch) == (used, 0, 4 - used)
        assert voided.json()["minutes"] == 60 * (4 - used)
    assert "paper" not in await api.trial_balance()
    await audit(owner)


# --- ended --------------------------------------------------------------------------------------------------


async def test_what_is_unused_of_a_voided_batch_is_worth_nothing_and_goes_back(
    api: Api, owner: asyncpg.Connection
) -> None:
    await fill(api)
    ann = await api.person()
    offer, till = await till_at_pool(api)
    batch, codes = await printed(api)
    await claim(api, codes[0], ann["id"])
    path = f"/v1/batches/{batch}/void"
    first, again = await api.post(path, key="k"), await api.post(path, key="k")
    assert (first.status_code, first.json()["minutes"], first.json()["batch"]) == (201, 120, batch)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await api.trial_balance() == {"opening": -600, "pot": 540, "wallet": 60}
    assert await counts(api, batch) == (1, 0, 2)
    assert refusal(await claim(api, codes[1], ann["id"])) == (409, "code_unknown")
    assert refusal(await spend(api, codes[1], offer, till)) == (409, "code_unknown")
    assert refusal(await claim(api, codes[0], ann["id"])) == (409, "already_used")
    assert refusal(await api.post(path)) == (409, "wrong_state")
    assert refusal(await api.post(f"/v1/batches/{uuid4()}/void")) == (404, "not_found")
    assert await owner.fetchval("SELECT body FROM scheme.outbox WHERE topic = 'vouchers_returned'") == '{"minutes":120}'
    await audit(owner)


async def test_a_voucher_can_be_used_until_its_last_day_is_over_in_london(dsn: str, owner: asyncpg.Connection) -> None:
    # The day on which summer time ends has 25 hours.
    moments = {
        "printed": datetime(2027, 10, 1, 12, tzinfo=LONDON),
        "last minute": datetime(2027, 10, 31, 23, 59, tzinfo=LONDON),
        "over": datetime(2027, 11, 1, tzinfo=LONDON),
    }
    now = moments["printed"]
    async with Api.running(dsn, clock=lambda: now) as api, Database.open(dsn) as database:
        await fill(api)
        ann = await api.person()
        offer, till = await till_at_pool(api)
        batch, codes = await printed(api, count=4, last_day="2027-10-31")
        work = Periodic(database, lambda: now)
        now = moments["last minute"]
        await work.run_due("end_batches")
        assert (await claim(api, codes[0], ann["id"])).status_code == 201
        assert (await spend(api, codes[1], offer, till)).status_code == 201
        now = moments["over"]
        assert refusal(await claim(api, codes[2], ann["id"])) == (409, "card_expired")
        assert refusal(await spend(api, codes[3], offer, till)) == (409, "card_expired")
        assert await codes_of(api, batch) == []
        assert await counts(api, batch) == (2, 2, 0)
        await owner.execute("UPDATE scheme.work SET done_until = done_until - interval '1 day'")
        (run,) = await work.run_due("end_batches")
        assert (run.outcome, run.count) == (Outcome.DONE, 1)
        assert await counts(api, batch) == (2, 0, 2)
        assert refusal(await claim(api, codes[2], ann["id"])) == (409, "card_expired")
        assert await api.trial_balance() == {"opening": -600, "pot": 480, "wallet": 60, "redeemed": 60}
        assert refusal(await api.post(f"/v1/batches/{batch}/void")) == (409, "wrong_state")
        await owner.execute("UPDATE scheme.work SET done_until = done_until - interval '1 day'")
        (run,) = await work.run_due("end_batches")
        assert (run.outcome, run.count) == (Outcome.DONE, 0)
    ended = await owner.fetchval("SELECT count(*) FROM journal.entry WHERE happened_at = $1", moments["over"])
    assert ended == 1, "it happened when its day was over, whenever the work was done"
    await audit(owner)


# --- the sums -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_printed_is_claimed_spent_returned_or_left_whatever_happens(  # a property, by random histories
    api: Api, owner: asyncpg.Connection, seed: int, *, soak: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    await fill(api, 3_000)
    offers = [await till_at_pool(api, price) for price in (30, 60)]
    people = [(await api.person())["id"] for _ in range(2)]
    batches: dict[str, Counter[str]] = {}
    codes: dict[str, list[str]] = {}
    for _ in range(60 if soak else 12):
        if not batches or chance.random() < 0.2:
            batch, found = await printed(api, count=chance.randint(1, 6))
            batches[batch], codes[batch] = Counter(printed=len(found)), found
        asked = [
            (batch, chance.choices(["claimed", "spent", "voided"], [6, 6, 1])[0], code)
            for batch in chance.choices(list(batches), k=chance.randint(1, 5))
            for code in [chance.choice(codes[batch])]
        ]
        answers = await asyncio.gather(*(_sent(api, chance, one, offers, people) for one in asked))
        for (batch, what, _), answer in zip(asked, answers, strict=True):
            assert answer.status_code in {201, 409}, answer.text
            if answer.status_code == 201:
                batches[batch][what] += answer.json()["minutes"] // 60 if what == "voided" else 1
    for batch, told in batches.items():
        left = len(await codes_of(api, batch))
        assert told["printed"] == told["claimed"] + told["spent"] + told["voided"] + left
        assert await counts(api, batch) == (told["claimed"] + told["spent"], left, told["voided"])
        paper = await owner.fetchval("SELECT balance FROM journal.balance WHERE name = $1", f"paper:{UUID(batch).hex}")
        assert paper == 60 * left
    totals = await api.trial_balance()
    assert totals.get("wallet", 0) == 60 * sum(told["claimed"] for told in batches.values())
    await audit(owner)


async def _sent(  # what is asked, and with what
    api: Api, chance: random.Random, asked: tuple[str, str, str], offers: list[tuple[str, str]], people: list[str]
) -> httpx.Response:
    batch, what, code = asked
    if what == "voided":
        return await api.post(f"/v1/batches/{batch}/void")
    if what == "claimed":
        return await claim(api, code, chance.choice(people))
    return await spend(api, code, *chance.choice(offers))
