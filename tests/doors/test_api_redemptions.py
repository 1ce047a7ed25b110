"""A venue's till over HTTP."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from ledger.scheme.codes import code_for
from tests.doors.house import Api

# Well formed, and of no card: made from another secret.
NOBODYS = code_for(b"another scheme's", "card", uuid4())


class Till(NamedTuple):
    """A venue with an offer at 60 minutes, and Ann with 240 and a card."""

    api: Api
    ann: dict[str, Any]
    card: str
    venue: str
    offer: str
    token: str

    async def redeem(self, key: str | None = None, **changed: object) -> httpx.Response:
        body = {"offer": self.offer, "code": self.card, "name_checked": True, **changed}
        return await self.api.post("/v1/redemptions", body, self.token, key)

    async def authorised(self) -> str:
        answer = await self.redeem(capture=False)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def captured(self) -> str:
        answer = await self.redeem()
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def act(self, redemption: str, act: str, key: str | None = None, **body: object) -> httpx.Response:
        path = f"/v1/redemptions/{redemption}/{act}"
        return await self.api.post(path, None if act == "void" else body, self.token, key)

    async def status(self, redemption: str) -> tuple[str, int, int]:
        found = (await self.api.get(f"/v1/redemptions/{redemption}", self.token)).json()
        return found["status"], found["captured"], found["refunded"]

    async def balance(self) -> tuple[int, int]:
        return await self.api.balance(self.ann["id"])


@pytest.fixture
async def till(api: Api) -> Till:
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 240})
    return Till(api, ann, await api.card(ann["id"]), venue, await api.offer(venue, price=60), await api.till(venue))


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_a_walk_in_takes_the_price_at_once(till: Till) -> None:
    answer = await till.redeem()
    assert answer.status_code == 201
    found = answer.json()
    assert (found["status"], found["minutes"], found["captured"]) == ("captured", 60, 60)
    assert answer.headers["location"] == f"/v1/redemptions/{found['id']}"
    assert await till.balance() == (180, 0)
    assert await till.api.trial_balance() == {"issued": -240, "wallet": 180, "redeemed": 60}


async def test_authorise_then_capture_some_and_the_rest_goes_back(till: Till) -> None:
    redemption = await till.authorised()
    assert await till.status(redemption) == ("authorised", 0, 0)
    assert await till.balance() == (180, 60)

    step = await till.act(redemption, "capture", minutes=45)

    assert (step.status_code, step.json()["kind"], step.json()["minutes"]) == (201, "capture", 45)
    assert await till.status(redemption) == ("partially_captured", 45, 0)
    assert await till.balance() == (195, 0)


async def test_a_capture_without_minutes_takes_all(till: Till) -> None:
    redemption = await till.authorised()
    await till.act(redemption, "capture")
    assert await till.status(redemption) == ("captured", 60, 0)
    assert await till.balance() == (180, 0)


async def test_a_void_gives_all_back(till: Till) -> None:
    redemption = await till.authorised()
    assert (await till.act(redemption, "void")).json()["minutes"] == 60
    assert await till.status(redemption) == ("voided", 0, 0)
    assert await till.balance() == (240, 0)


@pytest.mark.parametrize("how", ["captured", "authorised"])
async def test_refunds_in_parts_up_to_what_was_captured(till: Till, how: str) -> None:
    redemption = await (till.captured() if how == "captured" else till.authorised())
    if how == "authorised":
        await till.act(redemption, "capture")
    assert (await till.act(redemption, "refund", minutes=15)).status_code == 201
    assert await till.status(redemption) == ("partially_refunded", 60, 15)
    assert refusal(await till.act(redemption, "refund", minutes=60)) == (422, "exceeds_capture")
    assert (await till.act(redemption, "refund")).json()["minutes"] == 45
    assert await till.status(redemption) == ("refunded", 60, 60)
    assert refusal(await till.act(redemption, "refund")) == (409, "already_refunded")
    assert await till.balance() == (240, 0)


async def test_more_than_is_available_is_refused_and_no_balance_is_told(till: Till) -> None:
    big = await till.api.offer(till.venue, price=300)
    answer = await till.redeem(offer=big)
    assert refusal(answer) == (409, "insufficient_credits")
    assert "240" not in str(answer.json() | {"request_id": ""}), "its digits are chance"
    assert answer.json()["visitor"]
    assert await till.balance() == (240, 0)


async def test_each_refusal_that_follows_from_the_state(till: Till) -> None:
    captured, voided, held = await till.captured(), await till.authorised(), await till.authorised()
    await till.act(voided, "void")
    assert refusal(await till.act(captured, "capture")) == (409, "already_resolved")
    assert refusal(await till.act(captured, "void")) == (409, "already_resolved")
    assert refusal(await till.act(voided, "capture")) == (409, "already_resolved")
    assert refusal(await till.act(voided, "void")) == (409, "already_resolved")
    assert refusal(await till.act(voided, "refund")) == (409, "not_captured")
    assert refusal(await till.act(held, "refund", minutes=1)) == (409, "not_captured")
    assert refusal(await till.act(held, "capture", minutes=61)) == (422, "exceeds_hold")
    assert await till.balance() == (120, 60)


async def test_a_refusal_stays_with_its_key(till: Till) -> None:
    assert refusal(await till.redeem("k1", code=NOBODYS)) == (409, "code_unknown")
    await till.api.made(f"/v1/offers/{till.offer}/pause")
    paused = await till.redeem("k2")
    assert refusal(paused) == (409, "offer_closed_now")
    assert "idempotency-replayed" not in paused.headers

    await till.api.made(f"/v1/offers/{till.offer}/publish")

    again = await till.redeem("k2")
    assert refusal(again) == (409, "offer_closed_now")
    assert again.headers["idempotency-replayed"] == "true"
    assert (await till.redeem("k3")).status_code == 201


async def test_a_retry_gives_the_same_answer_and_counts_once(till: Till) -> None:
    first, again = await till.redeem("k"), await till.redeem("k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await till.balance() == (180, 0)


async def test_a_retry_tells_what_was_and_not_what_became_of_it(till: Till) -> None:
    first = await till.redeem("k", capture=False)
    steps = [await till.act(first.json()["id"], "capture", "c") for _ in range(2)]
    refunds = [await till.act(first.json()["id"], "refund", "r") for _ in range(2)]
    await till.api.made(f"/v1/offers/{till.offer}/pause")
    assert (await till.redeem("k", capture=False)).json() == first.json()
    for one, other in (steps, refunds):
        assert (one.status_code, one.json()) == (other.status_code, other.json())
        assert "idempotency-replayed" in other.headers
    assert await till.balance() == (240, 0)


async def test_a_key_used_for_something_else_says_which_fields_differ(till: Till) -> None:
    other = await till.api.offer(till.venue, price=30)
    made = (await till.redeem("k")).json()["id"]
    answer = await till.redeem("k", offer=other)
    assert refusal(answer) == (422, "key_reused")
    assert [field["field"] for field in answer.json()["fields"]] == ["offer"]
    assert refusal(await till.act(made, "refund", "k")) == (422, "key_reused")
    assert await till.balance() == (180, 0)


async def test_fifty_at_once_with_one_key_count_once(till: Till) -> None:
    answers = await asyncio.gather(*(till.redeem("k") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await till.balance() == (180, 0)


async def test_many_at_once_spend_what_is_there_and_no_more(till: Till) -> None:
    answers = await asyncio.gather(*(till.redeem() for _ in range(30)))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 409: 26}
    assert await till.balance() == (0, 0)


async def test_capture_and_void_at_once_one_wins(till: Till) -> None:
    redemption = await till.authorised()
    answers = await asyncio.gather(till.act(redemption, "capture"), till.act(redemption, "void"))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_the_same_key_of_another_venue_is_another_key(till: Till) -> None:
    venue = await till.api.venue("The theatre")
    offer, token = await till.api.offer(venue, price=30), await till.api.key("venue", venue)
    await till.redeem("k")
    other = await till.api.post(
        "/v1/redemptions", {"offer": offer, "code": till.card, "name_checked": True}, token, "k"
    )
    assert other.status_code == 201
    assert await till.balance() == (150, 0)


async def test_another_key_of_the_same_venue_retries_as_the_venue(till: Till) -> None:
    first = await till.redeem("k")
    rotated = till._replace(token=await till.api.key("venue", till.venue))
    assert (await rotated.redeem("k")).json() == first.json()
    assert await till.balance() == (180, 0)


async def test_anothers_offers_and_redemptions_are_not_there(till: Till) -> None:
    redemption = await till.authorised()
    stranger = till._replace(token=await till.api.key("venue", await till.api.venue("The theatre")))
    assert refusal(await stranger.redeem()) == (404, "not_found")
    for act in ("capture", "void", "refund"):
        assert refusal(await stranger.act(redemption, act)) == (404, "not_found")
    assert (await till.api.get(f"/v1/redemptions/{redemption}", stranger.token)).status_code == 404
    assert refusal(await till.act(str(uuid4()), "void")) == (404, "not_found")
    assert await till.status(redemption) == ("authorised", 0, 0)


async def test_an_award_is_no_redemption(till: Till) -> None:
    bob, project = await till.api.person("Bob"), await till.api.project()
    award = (await till.api.give(project, {bob["id"]: 60}))["claims"][0]
    assert refusal(await till.act(award, "refund")) == (404, "not_found")
    assert (await till.api.get(f"/v1/redemptions/{award}")).status_code == 404


async def test_moving_credits_needs_a_key(till: Till) -> None:
    answer = await till.redeem("")
    assert refusal(answer) == (400, "idempotency_key")
    assert answer.json()["type"].startswith("/docs/problems#")


async def test_a_malformed_request_is_not_kept(till: Till) -> None:
    assert (await till.redeem("k", capture="yes")).status_code == 400
    assert (await till.redeem("k", price=1)).status_code == 400
    assert (await till.redeem("k")).status_code == 201


async def test_a_paused_offer_stops_at_once_in_every_process(till: Till, dsn: str) -> None:
    async with Api.running(dsn, scheme=till.api.scheme) as other:
        elsewhere = till._replace(api=other)
        assert (await elsewhere.redeem()).status_code == 201
        await till.api.made(f"/v1/offers/{till.offer}/pause")
        assert refusal(await elsewhere.redeem()) == (409, "offer_closed_now")


async def test_both_processes_spend_the_same_credits(till: Till, dsn: str) -> None:
    async with Api.running(dsn, scheme=till.api.scheme) as other:
        doors = [till, till._replace(api=other)]
        answers = await asyncio.gather(*(doors[number % 2].redeem() for number in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 409: 16}
    assert await till.balance() == (0, 0)
