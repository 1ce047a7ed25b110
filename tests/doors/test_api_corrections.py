"""Corrections over HTTP: up and down by new entries, never below zero, and the claim readable as it was."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.journal.entries import entry_id
from tests.doors.shed import TUESDAY, Shed, faults, refusal


@pytest.fixture
async def shed(dsn: str) -> AsyncIterator[Shed]:
    async with Shed.open(dsn) as opened:
        yield opened


class Pool:
    """A venue where an hour's swim costs 60 minutes, and its till."""

    def __init__(self, shed: Shed) -> None:
        self._shed = shed
        self.till = self.offer = ""

    @classmethod
    async def of(cls, shed: Shed) -> "Pool":
        pool = cls(shed)
        venue = await shed.api.venue()
        pool.till, pool.offer = await shed.api.key("venue", venue), await shed.api.offer(venue)
        # So that it is the credits that run out, and not the card.
        assert (await shed.api.send("PATCH", "/v1/rules", {"card_day_minutes": 6_000})).status_code == 200
        return pool

    async def swim(self, *, capture: bool = True) -> httpx.Response:
        body = {**await self._shed.api.visit(self.offer, self._shed.ann), "capture": capture}
        return await self._shed.api.post("/v1/redemptions", body, self.till)


async def correct(shed: Shed, claim: str, minutes: int, token: str = "", key: str | None = None) -> httpx.Response:
    """Dan corrects, unless another key is given."""
    body = {"minutes": minutes, "reason": "We closed early."}
    return await shed.api.post(f"/v1/claims/{claim}/corrections", body, token or shed.as_dan, key)


# --- rule 22: what is taken back, and what is goodwill --------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "swims", "held", "corrected", "wallet", "goodwill", "why"),
    [
        (150, 0, 0, 60, 60, 0, "all of it is still there"),
        (150, 0, 0, 0, 0, 0, "taken back whole"),
        (150, 1, 0, 120, 60, 0, "what is left is enough"),
        (150, 2, 0, 60, 0, 60, "30 are there, and the rest is goodwill"),
        (120, 2, 0, 0, 0, 120, "nothing is there: all of it is goodwill"),
        (150, 0, 1, 60, 0, 0, "what is on hold isn't needed"),
        (150, 0, 2, 60, 0, 60, "what is on hold isn't touched"),
        (60, 0, 0, 150, 150, 0, "up"),
        (60, 1, 0, 150, 90, 0, "up, after it was spent"),
    ],
)
async def test_a_correction_takes_back_what_is_there_and_the_rest_is_goodwill(
    *, shed: Shed, given: int, swims: int, held: int, corrected: int, wallet: int, goodwill: int, why: str
) -> None:
    claim, pool = await shed.awarded(max(given, corrected), minutes=given), await Pool.of(shed)
    for number in range(swims + held):
        assert (await pool.swim(capture=number < swims)).status_code == 201, why
    answer = await correct(shed, claim, corrected)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["claim"], found["before"], found["after"], found["goodwill"]) == (claim, given, corrected, goodwill)
    assert await shed.api.balance(shed.ann) == (wallet, 60 * held), why
    expected = {"issued": -corrected, "wallet": wallet, "held": 60 * held, "redeemed": 60 * swims}
    expected["goodwill"] = -goodwill
    assert await shed.api.trial_balance() == {kind: sum_ for kind, sum_ in expected.items() if sum_}, why


async def test_the_claim_stays_readable_as_it_was(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = await shed.awarded(150)
    award = (await shed.api.get(f"/v1/entries/{claim}")).json()
    before = await shed.read(claim, shed.as_ann)
    down = (await correct(shed, claim, 60, key="k")).json()
    up = (await correct(shed, claim, 90)).json()
    assert down["id"] == str(entry_id(UUID(shed.project), "k"))
    found = await shed.read(claim, shed.as_ann)
    assert [
        (one["id"], one["before"], one["after"], one["goodwill"], one["reason"]) for one in found["corrections"]
    ] == [(down["id"], 150, 60, 0, "We closed early."), (up["id"], 60, 90, 0, "We closed early.")]
    assert found | {"corrections": [], "counts": 150} == before
    assert (found["minutes"], found["counts"], found["remarks"]) == (150, 90, [])
    assert (await shed.api.get(f"/v1/entries/{claim}")).json() == award
    entry = (await shed.api.get(f"/v1/entries/{down['id']}")).json()
    [moved] = entry["transfers"]
    assert (moved["debit"], moved["minutes"]) == (f"wallet:{UUID(shed.ann_holder).hex}", 90)
    assert moved["credit"] == f"issued:{UUID(shed.project).hex}"
    told = await owner.fetch("SELECT body, object FROM scheme.outbox WHERE topic = 'corrected' ORDER BY at, id")
    assert [(row["body"], str(row["object"])) for row in told] == [
        ('{"before":150,"after":60,"goodwill":0}', claim),
        ('{"before":60,"after":90,"goodwill":0}', claim),
    ]


async def test_what_goodwill_bore_is_repaid_before_anything_is_awarded_again(shed: Shed) -> None:
    claim, pool = await shed.awarded(90, minutes=60), await Pool.of(shed)
    assert (await pool.swim()).status_code == 201
    found = [(await correct(shed, claim, minutes)).json()["goodwill"] for minutes in (0, 45, 90, 60)]
    assert found == [60, -45, -15, 0]
    assert await shed.api.balance(shed.ann) == (0, 0)
    assert await shed.api.trial_balance() == {"issued": -60, "redeemed": 60}
    lines = (await shed.read(claim, shed.as_ann))["corrections"]
    assert [line["goodwill"] for line in lines] == found
    entry = (await shed.api.get(f"/v1/entries/{lines[2]['id']}")).json()
    assert {(moved["credit"], moved["minutes"]) for moved in entry["transfers"]} == {
        ("goodwill:correction", 15),
        (f"wallet:{UUID(shed.ann_holder).hex}", 30),
    }


async def test_down_and_up_again_never_gives_more_than_was_earned(shed: Shed) -> None:
    claim, pool = await shed.awarded(300, minutes=120), await Pool.of(shed)
    counts, spent = 120, 0
    for low, high in ((0, 120), (30, 180), (0, 60), (45, 300), (15, 240)):
        while (await pool.swim()).status_code == 201:
            spent += 60
        for minutes in (low, high):
            assert (await correct(shed, claim, minutes)).status_code == 201
            counts = minutes
            goodwill = max(spent - counts, 0)
            assert await shed.api.balance(shed.ann) == (max(counts - spent, 0), 0)
            expected = {"issued": -counts, "wallet": max(counts - spent, 0), "redeemed": spent, "goodwill": -goodwill}
            assert await shed.api.trial_balance() == {kind: sum_ for kind, sum_ in expected.items() if sum_}
            borne = sum(line["goodwill"] for line in (await shed.read(claim))["corrections"])
            assert borne == goodwill
    assert spent == 300


async def test_hours_corrected_to_nothing_overlap_nothing_and_can_come_back(shed: Shed) -> None:
    claim = await shed.awarded(60)
    assert (await correct(shed, claim, 0)).status_code == 201
    other = await shed.claim(60, at=TUESDAY + timedelta(minutes=30))
    assert other["state"] == "submitted"
    await shed.act(other["id"], "withdraw", token=shed.as_ann)
    assert (await correct(shed, claim, 60)).status_code == 201
    assert (await shed.read(claim))["counts"] == 60
    assert await shed.api.balance(shed.ann) == (60, 0)


async def test_a_registers_hours_are_corrected_like_any(shed: Shed) -> None:
    body = shed.hours(240) | {"lines": [{"person": shed.ann, "minutes": 240}]}
    del body["project"]
    recorded = await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)
    assert (await correct(shed, recorded["claims"][0], 60)).json()["before"] == 240
    assert await shed.api.balance(shed.ann) == (60, 0)


# --- who may, and what may be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "status", "why"),
    [
        (50, 422, "rule 2: off the step"),
        (60, 422, "what counts already"),
        (7, 422, "less than a step"),
        (-15, 422, "nobody gives less than nothing"),
        (1455, 422, "more than a day"),
    ],
)
async def test_minutes_that_will_not_do_change_nothing(shed: Shed, minutes: int, status: int, why: str) -> None:
    claim = await shed.awarded(60)
    answer = await correct(shed, claim, minutes, key="k")
    assert (answer.status_code, list(faults(answer))) == (status, ["minutes"]), why
    assert await shed.api.balance(shed.ann) == (60, 0), why
    assert (await correct(shed, claim, 45, key="k")).status_code == 201, why


async def test_a_reason_is_given(shed: Shed) -> None:
    claim = await shed.awarded(60)
    path = f"/v1/claims/{claim}/corrections"
    for reason in ("", "  ", "x" * 2001):
        answer = await shed.api.post(path, {"minutes": 45, "reason": reason}, shed.as_dan)
        assert (refusal(answer), list(faults(answer))) == ((422, "wrong_values"), ["reason"])
    assert (await shed.api.post(path, {"minutes": 45}, shed.as_dan)).status_code == 400
    assert (await shed.read(claim))["corrections"] == []


async def test_only_what_was_awarded_can_be_corrected(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim())["id"]
    assert refusal(await correct(shed, claim, 45)) == (409, "wrong_state")
    await owner.execute("UPDATE scheme.person SET age_band = '8_to_15' WHERE id = $1", shed.ann)
    assert await shed.approve(claim) == ["waiting_for_consent"]
    assert refusal(await correct(shed, claim, 45)) == (409, "wrong_state")
    assert (await shed.read(claim))["corrections"] == []


@pytest.mark.parametrize(
    ("given", "corrected", "who", "expected", "why"),
    [
        (60, 75, "carol", 201, "a little, by the first approver"),
        (60, 0, "carol", 201, "whole, by the first approver"),
        (300, 360, "dan", 201, "rule 8: 6 h in the end are not above 6 h"),
        (300, 375, "carol", 403, "rule 8: above 6 h in the end two agree"),
        (300, 375, "dan", 403, "rule 8: and a correction is one person's act"),
        (300, 375, "scheme", 403, "rule 8: the scheme's too"),
        (15, 1440, "dan", 403, "rule 8: a little is never made much"),
        (480, 90, "carol", 403, "rule 8: an entry above 6 h, downwards too"),
        (480, 120, "carol", 201, "rule 8: 6 h are not above 6 h"),
        (480, 90, "dan", 201, "rule 8: by another"),
        (60, 75, "ann", 403, "rule 7: never one's own"),
        (60, 0, "ann", 403, "rule 7: downwards neither"),
        (60, 75, "volunteer", 403, "a person's key corrects nothing"),
        (60, 75, "other", 404, "another project"),
    ],
)
async def test_who_may_correct_what(
    *, shed: Shed, given: int, corrected: int, who: str, expected: int, why: str
) -> None:
    claim = await shed.awarded(max(given, corrected), minutes=given)
    tokens = {
        "carol": shed.as_carol,
        "dan": shed.as_dan,
        "scheme": shed.api.scheme,
        "ann": await shed.api.key("project", shed.project, person=shed.ann),
        "volunteer": shed.as_bob,
        "other": await shed.api.key("project", await shed.api.project("Choir")),
    }
    answer = await correct(shed, claim, corrected, tokens[who])
    assert answer.status_code == expected, (why, answer.text)
    balance = corrected if expected == 201 else given
    assert await shed.api.balance(shed.ann) == (balance, 0), why


@pytest.mark.parametrize(
    ("given", "others", "steps", "expected", "why"),
    [
        (180, 300, [195], 403, "rule 3: above 8 h on the day two agree"),
        (180, 300, [165, 180], 201, "8 h on the day are not above 8 h"),
        (195, 300, [0, 195], 201, "two agreed to it, for it came to more than 8 h"),
        (195, 300, [0, 210], 403, "two agreed to less"),
        (420, 0, [0, 420], 201, "two agreed to 7 h"),
        (420, 0, [0, 375], 201, "and so to what is less"),
        (420, 0, [0, 435], 403, "but not to more"),
    ],
)
async def test_hours_are_raised_to_where_two_agreed_and_no_further(
    *, shed: Shed, given: int, others: int, steps: list[int], expected: int, why: str
) -> None:
    if others:
        await shed.awarded(others, at=TUESDAY - timedelta(hours=6))
    claim = await shed.awarded(480, minutes=given)
    *before, last = steps
    for minutes in before:
        assert (await correct(shed, claim, minutes)).status_code == 201, why
    answer = await correct(shed, claim, last)
    assert answer.status_code == expected, (why, answer.text)
    if expected == 403:
        assert refusal(answer) == (403, "same_approver"), why
        assert "claim it anew" in answer.json()["detail"], why
    counts = last if expected == 201 else [given, *before][-1]
    assert await shed.api.balance(shed.ann) == (others + counts, 0), why


async def test_hours_are_not_raised_beside_others_at_the_same_time(shed: Shed) -> None:
    body = shed.hours(240) | {"lines": [{"person": shed.ann, "minutes": 240}]}
    del body["project"]
    path = f"/v1/projects/{shed.project}/registers"
    [claim] = (await shed.api.made(path, body, token=shed.as_carol))["claims"]
    assert (await correct(shed, claim, 0, shed.as_carol)).status_code == 201
    [again] = (await shed.api.made(path, body, token=shed.as_carol))["claims"]
    for token in (shed.as_carol, shed.as_dan, shed.api.scheme):
        for minutes in (15, 240):
            answer = await correct(shed, claim, minutes, token)
            assert refusal(answer) == (409, "overlapping_session")
            assert "claim it anew" in answer.json()["detail"]
    assert await shed.api.balance(shed.ann) == (240, 0)
    assert (await correct(shed, again, 0)).status_code == 201
    assert (await correct(shed, claim, 240)).status_code == 201
    assert await shed.api.balance(shed.ann) == (240, 0)


async def test_hours_two_agreed_to_are_not_raised_beside_others_either(shed: Shed) -> None:
    claim = await shed.awarded(420)
    assert (await correct(shed, claim, 0)).status_code == 201
    await shed.awarded(60)
    assert refusal(await correct(shed, claim, 420)) == (409, "overlapping_session")


async def test_hours_are_not_raised_above_the_time_from_start_to_end(shed: Shed) -> None:
    claim = await shed.awarded(67, minutes=30)
    answer = await correct(shed, claim, 75)
    assert (refusal(answer), faults(answer)) == (
        (422, "wrong_values"),
        {"minutes": "must be at most 60: that is the time from start to end"},
    )
    assert (await correct(shed, claim, 60)).status_code == 201


async def test_nothing_is_added_for_a_child_without_consent_and_taken_back_all_the_same(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    claim = await shed.awarded(75, minutes=60)
    await owner.execute("UPDATE scheme.person SET age_band = '8_to_15' WHERE id = $1", shed.ann)
    assert refusal(await correct(shed, claim, 75)) == (409, "consent_needed")
    assert (await correct(shed, claim, 45)).status_code == 201
    assert await shed.api.balance(shed.ann) == (45, 0)


async def test_a_suspended_projects_hours_are_corrected_by_the_scheme(shed: Shed) -> None:
    claim = await shed.awarded(60)
    await shed.api.made(f"/v1/projects/{shed.project}/suspend")
    assert refusal(await correct(shed, claim, 45)) == (409, "project_not_active")
    assert (await correct(shed, claim, 45, shed.api.scheme)).status_code == 201


async def test_there_is_an_end_to_corrections(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = await shed.awarded(60)
    await owner.execute(
        """
        INSERT INTO scheme.correction (id, claim, number, before, after, goodwill, by, at)
        SELECT gen_random_uuid(), $1, n, 60 - n % 2, 59 + n % 2, 0, $1, now() FROM generate_series(1, 50) n
        """,
        claim,
    )
    assert refusal(await correct(shed, claim, 45)) == (409, "wrong_state")
    assert refusal(await correct(shed, str(uuid4()), 45)) == (404, "not_found")


# --- a funder's cap -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "given", "steps", "left", "told", "why"),
    [
        (600, 120, [180], 420, [], "up draws on it"),
        (600, 120, [60], 540, [], "down gives back"),
        (600, 120, [0], 600, [], "all of it"),
        (600, 120, [0, 120], 480, [], "and draws again"),
        (100, 120, [60], 40, ["allocation_low", "allocation_overrun"], "the overrun goes first, then its share"),
        (100, 120, [105], 0, ["allocation_low", "allocation_overrun"], "the overrun goes first"),
        (150, 120, [180], 0, ["allocation_low", "allocation_overrun"], "up, as far as it covers"),
        (150, 120, [180, 165, 60], 90, ["allocation_low", "allocation_overrun"], "back and forth"),
    ],
)
async def test_a_funders_cap_gets_back_what_was_drawn(
    *,
    shed: Shed,
    owner: asyncpg.Connection,
    cap: int,
    given: int,
    steps: list[int],
    left: int,
    told: list[str],
    why: str,
) -> None:
    await shed.api.made(f"/v1/projects/{shed.project}/allocations", {"funder": "The county", "minutes": cap})
    claim = await shed.awarded(240, minutes=given)
    for minutes in steps:
        assert (await correct(shed, claim, minutes)).status_code == 201, why
    found = {kind: sum_ for kind, sum_ in (await shed.api.trial_balance()).items() if kind in {"allocation", "cap"}}
    assert found == ({"allocation": left, "cap": -left} if left else {}), why
    topics = await owner.fetch("SELECT DISTINCT topic FROM scheme.outbox WHERE topic LIKE 'allocation_%' ORDER BY 1")
    assert [row["topic"] for row in topics] == told, why


# --- vouchers -------------------------------------------------------------------------------------------------------


async def voucher(shed: Shed, minutes: int = 150) -> tuple[str, str]:
    """A claim of a register's that is a voucher, beside another, and its code."""
    lines = [{"voucher": "Sam", "minutes": minutes}, {"voucher": "Kit", "minutes": 150}]
    body = shed.hours(240) | {"lines": lines}
    del body["project"]
    recorded = await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)
    return recorded["vouchers"][0]["claim"], recorded["vouchers"][0]["code"]


@pytest.mark.parametrize(("corrected", "paper"), [(60, 210), (0, 150), (180, 330)])
async def test_a_voucher_that_nobody_claimed_is_put_right_on_paper(shed: Shed, corrected: int, paper: int) -> None:
    claim, code = await voucher(shed)
    assert (await correct(shed, claim, corrected)).json()["goodwill"] == 0
    assert await shed.api.trial_balance() == {"issued": -paper, "paper": paper}
    answer = await shed.api.post("/v1/vouchers/claims", {"code": code, "person": shed.ann}, shed.as_ann)
    if corrected:
        assert answer.json()["minutes"] == corrected
        assert await shed.api.balance(shed.ann) == (corrected, 0)
    else:
        assert answer.status_code == 409
    assert (await shed.api.trial_balance())["issued"] == -paper


async def test_a_voucher_is_not_made_much_of_by_one_person(shed: Shed) -> None:
    body = shed.hours(480) | {"lines": [{"voucher": "Sam", "minutes": 15}]}
    del body["project"]
    recorded = await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)
    [claim] = recorded["claims"]
    assert refusal(await correct(shed, claim, 375)) == (403, "same_approver")
    assert (await correct(shed, claim, 360)).status_code == 201
    assert await shed.api.trial_balance() == {"issued": -360, "paper": 360}


async def test_a_voucher_that_was_claimed_is_put_right_on_the_claimers_wallet(shed: Shed) -> None:
    claim, code = await voucher(shed)
    await shed.api.made("/v1/vouchers/claims", {"code": code, "person": shed.ann}, token=shed.as_ann)
    pool = await Pool.of(shed)
    assert (await pool.swim()).status_code == (await pool.swim()).status_code == 201
    own = await shed.api.key("project", shed.project, person=shed.ann)
    assert refusal(await correct(shed, claim, 60, own)) == (403, "own_hours")
    assert (await correct(shed, claim, 60)).json()["goodwill"] == 60
    assert await shed.api.balance(shed.ann) == (0, 0)
    assert await shed.api.trial_balance() == {"issued": -210, "paper": 150, "goodwill": -60, "redeemed": 120}


# --- the same again, and at once --------------------------------------------------------------------------------------


async def test_a_correction_sent_again_counts_once(shed: Shed) -> None:
    claim = await shed.awarded(150)
    answers = await asyncio.gather(*(correct(shed, claim, 60, key="k") for _ in range(50)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await shed.api.balance(shed.ann) == (60, 0)
    assert refusal(await correct(shed, claim, 75, key="k")) == (422, "key_reused")
    assert len((await shed.read(claim))["corrections"]) == 1


async def test_another_person_under_the_same_key_asks_something_else(shed: Shed) -> None:
    claim = await shed.awarded(150)
    assert (await correct(shed, claim, 60, shed.as_dan, key="k")).status_code == 201
    assert refusal(await correct(shed, claim, 60, shed.as_carol, key="k")) == (422, "key_reused")
    again = await shed.api.key("project", shed.project, person=shed.dan)
    assert "idempotency-replayed" in (await correct(shed, claim, 60, again, key="k")).headers


async def test_two_corrections_at_once_follow_each_other(shed: Shed) -> None:
    claim = await shed.awarded(240)
    wanted = [15 * number for number in range(12)]
    answers = await asyncio.gather(*(correct(shed, claim, minutes) for minutes in wanted))
    assert {answer.status_code for answer in answers} == {201}
    corrections = (await shed.read(claim))["corrections"]
    befores = [correction["before"] for correction in corrections]
    afters = [correction["after"] for correction in corrections]
    assert befores == [240, *afters[:-1]]
    assert sorted(afters) == wanted
    assert await shed.api.balance(shed.ann) == (afters[-1], 0)


@pytest.mark.parametrize("round_", range(5))
async def test_of_a_correction_and_redemptions_at_once_none_goes_below_zero(shed: Shed, round_: int) -> None:
    claim, pool = await shed.awarded(240), await Pool.of(shed)
    later = [pool.swim() for _ in range(6)]
    later.insert(round_, correct(shed, claim, 0))
    answers = await asyncio.gather(*later)
    correction = answers.pop(round_).json()
    swims = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        assert answer.status_code == 201 or refusal(answer) == (409, "insufficient_credits")
    spent = 60 * len(swims)
    taken = 240 - correction["goodwill"]
    assert await shed.api.balance(shed.ann) == (240 - spent - taken, 0)
    assert (await shed.api.balance(shed.ann))[0] == 0
    expected: dict[str, Any] = {"redeemed": spent, "goodwill": -correction["goodwill"]}
    assert await shed.api.trial_balance() == {kind: sum_ for kind, sum_ in expected.items() if sum_}


@pytest.mark.parametrize("round_", range(5))
async def test_a_correction_and_a_vouchers_claim_at_once_agree(shed: Shed, round_: int) -> None:
    claim, code = await voucher(shed)
    later = [correct(shed, claim, minutes) for minutes in (60, 105, 90, 180)]
    later.insert(round_, shed.api.post("/v1/vouchers/claims", {"code": code, "person": shed.ann}, shed.as_ann))
    # One that finds the voucher being claimed is told to try again.
    answers = await asyncio.gather(*later)
    assert {answer.status_code for answer in answers} <= {201, 503}, [answer.text for answer in answers]
    assert answers[round_].status_code == 201
    # Kit's 150 are on paper still, and Ann has what the claim counts.
    counts = (await shed.read(claim))["counts"]
    assert await shed.api.balance(shed.ann) == (counts, 0)
    assert await shed.api.trial_balance() == {"issued": -150 - counts, "paper": 150, "wallet": counts}
