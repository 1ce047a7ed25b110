"""Vouchers: hours of somebody who has no account yet."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.doors.house import Api, register
from tests.doors.test_api_registers import fields, refusal


async def printed(api: Api, project: str, minutes: int = 150, days_ago: int = 1) -> dict[str, Any]:
    """The slip of a register whose only line is a voucher."""
    body = {**register({}, days_ago=days_ago), "lines": [{"voucher": "Sam, in the blue jumper", "minutes": minutes}]}
    recorded = await api.made(f"/v1/projects/{project}/registers", body)
    slip: dict[str, Any] = recorded["vouchers"][0]
    return slip


async def test_a_slips_code_puts_its_minutes_into_a_wallet_once(api: Api, owner: asyncpg.Connection) -> None:
    sam, ann, project = await api.person("Sam"), await api.person(), await api.project()
    slip = await printed(api, project)
    assert await api.trial_balance() == {"issued": -150, "paper": 150}
    body = {"code": slip["code"].lower().replace("-", " "), "person": sam["id"]}
    first = await api.post("/v1/vouchers/claims", body, key="k")
    again = await api.post("/v1/vouchers/claims", body, key="k")
    assert (first.status_code, first.json()["minutes"], first.json()["claim"]) == (201, 150, slip["claim"])
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await api.trial_balance() == {"issued": -150, "wallet": 150}
    assert await api.balance(sam["id"]) == (150, 0)
    late = await api.post("/v1/vouchers/claims", {"code": slip["code"], "person": ann["id"]})
    assert refusal(late) == (409, "already_used")
    assert await owner.fetchval("SELECT label FROM scheme.voucher") is None, "who it was for is known by now"
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'voucher_claimed'") == 1


async def test_its_hours_count_from_then_on_for_whoever_claimed_it(api: Api) -> None:
    sam, project = await api.person("Sam"), await api.project()
    slip = await printed(api, project, minutes=300)
    await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": sam["id"]})
    recorded = await api.give(project, {sam["id"]: 60})
    assert recorded["attention"][0]["exceptions"] == ["overlapping"]


async def test_the_code_is_told_again_at_each_replay_and_stands_nowhere(api: Api, owner: asyncpg.Connection) -> None:
    project = await api.project()
    body = {**register({}), "lines": [{"voucher": "Sam", "minutes": 60}]}
    path = f"/v1/projects/{project}/registers"
    code = (await api.made(path, body, key="k"))["vouchers"][0]["code"]
    assert (await api.made(path, body, key="k"))["vouchers"][0]["code"] == code
    tables = [row["name"] for row in await owner.fetch(_TABLES)]
    for table in tables:
        for row in await owner.fetch(f"SELECT t::text AS text FROM {table} t"):
            assert code not in row["text"], table
            assert code.replace("-", "") not in row["text"], table


_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('scheme', 'journal')
"""


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("7KQ2-M4XT-9B4", 422, "wrong_values"),
        ("!!!!!!!!!!!", 422, "wrong_values"),
        ("00000000000", 409, "code_unknown"),
        ("short", 422, "wrong_values"),
    ],
)
async def test_a_code_that_is_none(api: Api, code: str, status: int, said: str) -> None:
    sam = await api.person("Sam")
    answer = await api.post("/v1/vouchers/claims", {"code": code, "person": sam["id"]})
    assert refusal(answer) == (status, said)
    if status == 422:
        assert fields(answer) == ["code"]


async def test_of_many_who_claim_it_at_once_one_wins(api: Api) -> None:
    people = [await api.person() for _ in range(10)]
    slip = await printed(api, await api.project())
    answers = await asyncio.gather(
        *(api.post("/v1/vouchers/claims", {"code": slip["code"], "person": person["id"]}) for person in people)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert await api.trial_balance() == {"issued": -150, "wallet": 150}


async def test_who_may_claim_it_and_for_whom(api: Api) -> None:
    sam, ann, own, other = await api.person("Sam"), await api.person(), await api.project(), await api.project("Choir")
    slip = await printed(api, own)
    body = {"code": slip["code"], "person": sam["id"]}
    claims = "/v1/vouchers/claims"
    assert refusal(await api.post(claims, body, await api.key("person", person=ann["id"]))) == (404, "not_found")
    assert refusal(await api.post(claims, body, await api.key("project", other))) == (409, "code_unknown")
    assert (await api.post(claims, body, await api.key("person", person=sam["id"]))).status_code == 201
    slip = await printed(api, own, days_ago=3)
    body = {"code": slip["code"], "person": sam["id"]}
    assert (await api.post(claims, body, await api.key("project", own))).status_code == 201


async def test_whoever_approved_the_hours_cannot_claim_them(api: Api) -> None:
    lead, project = await api.person("Lead"), await api.project()
    key = await api.key("project", project, person=lead["id"])
    body = {**register({}), "lines": [{"voucher": "Sam", "minutes": 60}]}
    recorded = await api.made(f"/v1/projects/{project}/registers", body, token=key)
    claim = {"code": recorded["vouchers"][0]["code"], "person": lead["id"]}
    assert refusal(await api.post("/v1/vouchers/claims", claim)) == (403, "own_hours")


async def test_somebody_under_16_needs_a_guardians_consent_first(api: Api, owner: asyncpg.Connection) -> None:
    kit, project = await api.person("Kit"), await api.project()
    await owner.execute("UPDATE scheme.person SET age_band = '8_to_15'")
    slip = await printed(api, project)
    claim = {"code": slip["code"], "person": kit["id"]}
    assert refusal(await api.post("/v1/vouchers/claims", claim)) == (409, "consent_needed")
