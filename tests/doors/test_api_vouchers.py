"""Vouchers: hours of somebody who has no account yet."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.daytime import daytime
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


async def test_at_a_till_it_is_told_apart_from_a_code_that_is_nobodys(api: Api) -> None:
    """To the staff and to whoever shows it alike: nobody looks at a code once more that is read well."""
    slip, venue = await printed(api, await api.project()), await api.venue()
    offer, till = await api.offer(venue), await api.till(venue)
    said = "This is a slip for hours: it goes into an account first, and is spent there."
    quoted = await api.made("/v1/quotes", {"offer": offer, "code": slip["code"]}, token=till)
    assert (quoted["reason"], quoted["detail"], quoted["visitor"]) == ("code_unknown", said, said)
    refused = (await api.post("/v1/redemptions", {"offer": offer, "code": slip["code"]}, till)).json()
    assert (refused["code"], refused["detail"], refused["visitor"]) == ("code_unknown", said, said)


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


# --- what somebody looks at first ---------------------------------------------------------------------------------


async def claimed(api: Api, slip: dict[str, Any], person: dict[str, Any], key: str | None = None) -> httpx.Response:
    return await api.post("/v1/vouchers/claims", {"code": slip["code"], "person": person["id"]}, key=key)


async def correct(api: Api, slip: dict[str, Any], minutes: int, token: str | None = None) -> None:
    path, body = f"/v1/claims/{slip['claim']}/corrections", {"minutes": minutes, "reason": "as it was"}
    assert (await api.post(path, body, token)).status_code == 201


async def test_whoever_corrected_the_hours_cannot_claim_them(api: Api) -> None:
    lead, sam, project = await api.person("Lead"), await api.person("Sam"), await api.project()
    slip = await printed(api, project, minutes=60)
    await correct(api, slip, 120, await api.key("project", project, person=lead["id"]))
    await correct(api, slip, 105)
    assert refusal(await claimed(api, slip, lead)) == (403, "own_hours")
    assert (await claimed(api, slip, sam)).json()["minutes"] == 105


@pytest.mark.parametrize(
    ("days_ago", "corrected_to", "expected"),
    [
        (1, None, (403, "needs_a_look")),
        (1, 0, (409, "code_unknown")),  # what was taken back is no slip
        (2, None, (201, None)),
    ],
)
async def test_hours_that_overlap_with_others_of_the_claimer_are_looked_at_first(
    api: Api, days_ago: int, corrected_to: int | None, expected: tuple[int, str | None]
) -> None:
    sam, project = await api.person("Sam"), await api.project()
    await api.give(project, {sam["id"]: 60}, days_ago=days_ago)
    slip = await printed(api, project, minutes=60)
    if corrected_to is not None:
        await correct(api, slip, corrected_to)
    answer = await claimed(api, slip, sam)
    assert (answer.status_code, answer.json().get("code")) == expected


async def test_what_was_looked_at_can_be_claimed_under_the_same_key(api: Api) -> None:
    sam, project = await api.person("Sam"), await api.project()
    given = await api.give(project, {sam["id"]: 60})
    slip = await printed(api, project)
    assert refusal(await claimed(api, slip, sam, "k")) == (403, "needs_a_look")
    await correct(api, {"claim": given["claims"][0]}, 0)
    assert (await claimed(api, slip, sam, "k")).status_code == 201


async def on_a_day(api: Api, project: str, line: dict[str, Any], hour: int, token: str | None = None) -> dict[str, Any]:
    """The register of a line of a session some days ago: from two to eight, or from nine to nine."""
    started = (daytime() - timedelta(days=5)).replace(hour=hour, minute=0, second=0, microsecond=0)
    times = {
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(hours=12 if hour == 9 else 6)).isoformat(),
    }
    path = f"/v1/projects/{project}/registers"
    return await api.made(path, {**times, "lines": [line]}, **({"token": token} if token else {}))


@pytest.mark.parametrize(
    ("there", "on_slip", "expected"),
    [
        (240, 240, (201, None)),
        (255, 240, (403, "needs_a_look")),
        # Two people looked at the slip.
        (240, 375, (201, None)),
        (0, 600, (201, None)),
    ],
)
async def test_a_day_above_the_cap_is_looked_at_first(
    api: Api, there: int, on_slip: int, expected: tuple[int, str | None]
) -> None:
    sam, project = await api.person("Sam"), await api.project()
    if there:
        await on_a_day(api, project, {"person": sam["id"], "minutes": there}, hour=2)
    first, second = [await api.key("project", project, person=(await api.person("Lead"))["id"]) for _ in range(2)]
    slip = (await on_a_day(api, project, {"voucher": "Sam", "minutes": on_slip}, 9, first))["vouchers"][0]
    await api.made(f"/v1/projects/{project}/approvals", {"claims": [slip["claim"]]}, token=second)
    answer = await claimed(api, slip, sam)
    assert (answer.status_code, answer.json().get("code")) == expected


async def test_a_slip_that_waits_for_a_second_approver_is_claimed_under_the_same_key_later(api: Api) -> None:
    sam, project = await api.person("Sam"), await api.project()
    first, second = [await api.key("project", project, person=(await api.person("Lead"))["id"]) for _ in range(2)]
    slip = (await on_a_day(api, project, {"voucher": "Sam", "minutes": 375}, 9, first))["vouchers"][0]
    early = await claimed(api, slip, sam, "k")
    assert refusal(early) == (403, "needs_a_look")
    assert "later" in early.json()["detail"]
    await api.made(f"/v1/projects/{project}/approvals", {"claims": [slip["claim"]]}, token=second)
    assert (await claimed(api, slip, sam, "k")).json()["minutes"] == 375


async def test_a_week_above_the_soft_cap_is_noted(api: Api, owner: asyncpg.Connection) -> None:
    sam, project = await api.person("Sam"), await api.project()
    assert (await api.send("PATCH", "/v1/rules", {"weekly_note_minutes": 120})).status_code == 200
    slip = await printed(api, project, minutes=150)
    await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": sam["id"]})
    noted = "SELECT count(*) FROM scheme.outbox WHERE topic = 'week_above_note' AND holder = $1"
    assert await owner.fetchval(noted, UUID(sam["holder"])) == 1


async def test_that_somebody_else_claimed_it_stands_in_the_acts(api: Api) -> None:
    sam, ann, project = await api.person("Sam"), await api.person("Ann"), await api.project()
    own, helper = await api.key("person", person=sam["id"]), await api.key("person", person=ann["id"])
    await api.made(f"/v1/people/{sam['id']}/helpers", {"helper": ann["id"], "may": ["claim"]}, token=own)
    for days_ago, token in ((1, helper), (3, own)):
        slip = await printed(api, project, days_ago=days_ago)
        await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": sam["id"]}, token=token)
    acts = await api.acts(sam["id"], own)
    assert [(act["verb"], act["person"]) for act in acts] == [("claim_voucher", ann["id"])]
