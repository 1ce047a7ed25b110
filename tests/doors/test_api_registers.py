"""A coordinator's registers over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.doors.house import Api, register


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def count(owner: asyncpg.Connection, table: str) -> int:
    return int(await owner.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_register_awards_everybody_on_it(api: Api) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    recorded = await api.give(project, {ann["id"]: 165, bob["id"]: 75})
    assert (recorded["lines"], recorded["minutes"], len(recorded["awards"])) == (2, 240, 2)
    assert await api.balance(ann["id"]) == (165, 0)
    assert await api.balance(bob["id"]) == (75, 0)
    assert await api.trial_balance() == {"issued": -240, "wallet": 240}


async def test_a_register_sent_twice_counts_once(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    body, path = register({ann["id"]: 60}), f"/v1/projects/{project}/registers"
    first = await api.post(path, body, key="k")
    body["started_at"] = datetime.fromisoformat(body["started_at"]).astimezone().isoformat()
    again = await api.post(path, body, key="k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await api.balance(ann["id"]) == (60, 0)


async def test_fifty_at_once_with_one_key_count_once(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    body, path = register({ann["id"]: 60}), f"/v1/projects/{project}/registers"
    answers = await asyncio.gather(*(api.post(path, body, key="k") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await api.balance(ann["id"]) == (60, 0)


async def test_a_key_used_for_another_register_or_act_is_refused(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    path = f"/v1/projects/{project}/registers"
    award = (await api.made(path, register({ann["id"]: 60}), key="k"))["awards"][0]
    assert refusal(await api.post(path, register({ann["id"]: 75}), key="k")) == (422, "key_reused")
    assert refusal(await api.post(f"/v1/awards/{award}/reversal", key="k")) == (422, "key_reused")
    await api.made(f"/v1/awards/{award}/reversal", key="r")
    assert refusal(await api.post(path, register({ann["id"]: 60}), key="r")) == (422, "key_reused")
    assert await api.balance(ann["id"]) == (0, 0)
    award = (await api.made(path, register({ann["id"]: 60})))["awards"][0]
    assert refusal(await api.post(path, register({ann["id"]: 75}), key="no")) == (409, "overlapping_session")
    assert refusal(await api.post(f"/v1/awards/{award}/reversal", key="no")) == (422, "key_reused")
    assert await api.balance(ann["id"]) == (60, 0)


@pytest.mark.parametrize("minutes", [14, 20, 481, 495])
async def test_minutes_off_the_rules_name_the_line(api: Api, minutes: int) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    answer = await api.post(f"/v1/projects/{project}/registers", register({ann["id"]: 60, bob["id"]: minutes}), key="k")
    assert refusal(answer) == (422, "wrong_values")
    assert fields(answer) == ["lines[1].minutes"]
    mended = register({ann["id"]: 60, bob["id"]: 15})
    assert (await api.post(f"/v1/projects/{project}/registers", mended, key="k")).status_code == 201


@pytest.mark.parametrize(
    ("started", "ended", "field"),
    [
        (timedelta(hours=-2), timedelta(hours=1), "ended_at"),
        (timedelta(hours=-2), timedelta(hours=-2), "ended_at"),
        (timedelta(hours=-2), timedelta(hours=-3), "ended_at"),
        (timedelta(hours=-32), timedelta(hours=-2), "ended_at"),
        (timedelta(days=-61), timedelta(days=-60, hours=-20), "started_at"),
    ],
    ids=["in the future", "no length", "ends before it starts", "thirty hours", "too long ago"],
)
async def test_a_session_that_cannot_be(api: Api, started: timedelta, ended: timedelta, field: str) -> None:
    ann, project, now = await api.person(), await api.project(), datetime.now(UTC)
    body = register({ann["id"]: 60})
    body |= {"started_at": (now + started).isoformat(), "ended_at": (now + ended).isoformat()}
    answer = await api.post(f"/v1/projects/{project}/registers", body)
    assert refusal(answer) == (422, "wrong_values")
    assert fields(answer) == [field]


async def test_nobody_stands_on_it_twice_and_nobody_is_made_up(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    path = f"/v1/projects/{project}/registers"
    body = register({ann["id"]: 60})
    body["lines"] *= 2
    twice = await api.post(path, body)
    assert (refusal(twice), fields(twice)) == ((422, "wrong_values"), ["lines[1].person"])
    unknown = await api.post(path, register({ann["id"]: 60, str(uuid4()): 60}))
    assert (refusal(unknown), fields(unknown)) == ((422, "wrong_values"), ["lines[1].person"])


async def test_an_overlap_names_the_lines_and_writes_nothing(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob, one, other = (
        await api.person(),
        await api.person("Bob"),
        await api.project(),
        await api.project("Choir"),
    )
    await api.give(one, {ann["id"]: 60})
    path = f"/v1/projects/{other}/registers"
    body = register({bob["id"]: 60, ann["id"]: 60})
    answer = await api.post(path, body, key="k")
    assert (refusal(answer), fields(answer)) == ((409, "overlapping_session"), ["lines[1].person"])
    assert await count(owner, "scheme.session") == 1
    assert await api.balance(bob["id"]) == (0, 0)

    again = await api.post(path, body, key="k")
    assert (refusal(again), fields(again)) == ((409, "overlapping_session"), ["lines[1].person"])
    assert again.headers["idempotency-replayed"] == "true"
    assert (await api.post(path, register({ann["id"]: 60}, days_ago=3))).status_code == 201


async def test_two_registers_at_once_do_not_miss_each_others_session(api: Api) -> None:
    ann, one, other = await api.person(), await api.project(), await api.project("Choir")
    body = register({ann["id"]: 60})
    answers = await asyncio.gather(
        *(api.post(f"/v1/projects/{project}/registers", body) for project in [one, other] * 5)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert await api.balance(ann["id"]) == (60, 0)


async def test_a_corrected_register_may_follow_a_reversal(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    award = (await api.give(project, {ann["id"]: 240}))["awards"][0]
    first = await api.post(f"/v1/awards/{award}/reversal", key="k")
    again = await api.post(f"/v1/awards/{award}/reversal", key="k")
    assert (first.status_code, first.json()["minutes"]) == (201, 240)
    assert (again.status_code, again.json()) == (201, first.json())
    assert refusal(await api.post(f"/v1/awards/{award}/reversal")) == (409, "already_reversed")
    await api.give(project, {ann["id"]: 120})
    assert await api.balance(ann["id"]) == (120, 0)


async def test_what_was_spent_is_not_taken_back(api: Api) -> None:
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    award = (await api.give(project, {ann["id"]: 60}))["awards"][0]
    offer, till = await api.offer(venue), await api.key("venue", venue)
    spent = await api.made("/v1/redemptions", {"offer": offer, "holder": ann["holder"]}, token=till)
    assert refusal(await api.post(f"/v1/awards/{award}/reversal")) == (409, "insufficient_credits")
    assert refusal(await api.post(f"/v1/awards/{spent['id']}/reversal")) == (404, "not_found")


async def test_a_project_acts_for_itself_alone(api: Api) -> None:
    ann, own, other = await api.person(), await api.project(), await api.project("Choir")
    key = await api.key("project", own)
    body = register({ann["id"]: 60})
    assert refusal(await api.post(f"/v1/projects/{other}/registers", body, key)) == (404, "not_found")
    assert refusal(await api.post(f"/v1/projects/{uuid4()}/registers", body)) == (404, "not_found")
    assert (await api.get(f"/v1/people/{ann['id']}/balance", key)).status_code == 404

    await api.made(f"/v1/projects/{own}/registers", body, token=key)

    assert (await api.get(f"/v1/people/{ann['id']}/balance", key)).json() == {"available": 60, "held": 0}
    award = (await api.give(other, {ann["id"]: 60}, days_ago=3))["awards"][0]
    assert refusal(await api.post(f"/v1/awards/{award}/reversal", token=key)) == (404, "not_found")


async def test_a_project_that_listed_somebody_by_mistake_reads_their_balance_no_more(api: Api) -> None:
    stranger, own, other = await api.person(), await api.project(), await api.project("Choir")
    await api.give(other, {stranger["id"]: 120}, days_ago=3)
    key = await api.key("project", own)
    recorded = await api.made(f"/v1/projects/{own}/registers", register({stranger["id"]: 60}), token=key)
    await api.made(f"/v1/awards/{recorded['awards'][0]}/reversal", None, token=key)
    assert refusal(await api.get(f"/v1/people/{stranger['id']}/balance", key)) == (404, "not_found")


async def test_five_thousand_lines_at_once(api: Api, owner: asyncpg.Connection) -> None:
    await owner.execute(
        "WITH p AS (INSERT INTO scheme.person SELECT gen_random_uuid(), 'P', now() "
        "FROM generate_series(1, 5000) RETURNING id) "
        "INSERT INTO scheme.holder SELECT gen_random_uuid(), id FROM p"
    )
    people = [str(row["id"]) for row in await owner.fetch("SELECT id FROM scheme.person")]
    project = await api.project()
    body = register(dict.fromkeys(people, 60))
    path = f"/v1/projects/{project}/registers"

    first = await api.post(path, body, key="k")

    assert first.status_code == 201, first.text
    assert (first.json()["lines"], first.json()["minutes"]) == (5_000, 300_000)
    assert (await api.post(path, body, key="k")).json() == first.json()
    assert await api.trial_balance() == {"issued": -300_000, "wallet": 300_000}
    body["lines"].append(body["lines"][0])
    assert (await api.post(path, body)).status_code == 422
    assert (await api.post("/v1/people", {"name": "x" * 70_000})).status_code == 413


async def test_a_statement_page_by_page(api: Api) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    for days in range(1, 6):
        await api.give(project, {ann["id"]: 15 * days, bob["id"]: 15}, days_ago=days)
    path = f"/v1/people/{ann['id']}/statement"
    seen: list[dict[str, Any]] = []
    page = (await api.get(path, limit=2)).json()
    seen += page["lines"]
    while page["next"] is not None:
        page = (await api.get(path, limit=2, cursor=page["next"])).json()
        seen += page["lines"]
    assert [line["minutes"] for line in seen] == [75, 60, 45, 30, 15]
    assert [line["balance"] for line in seen] == [225, 150, 90, 45, 15]

    given = (await api.get(path, limit=2)).json()["next"]
    edited = ("A" if given[0] != "A" else "B") + given[1:]
    for wrong in (edited, given[:-1], "x", given + "AAAA"):
        assert (await api.get(path, cursor=wrong)).status_code == 400, wrong
    assert (await api.get(f"/v1/people/{bob['id']}/statement", cursor=given)).status_code == 400
