"""A coordinator's registers over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.daytime import daytime
from tests.doors.house import Api, register


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def count(owner: asyncpg.Connection, table: str) -> int:
    return int(await owner.fetchval(f"SELECT count(*) FROM {table}"))


def came(session: dict[str, Any], *lines: dict[str, Any]) -> dict[str, Any]:
    """A register of these lines."""
    return {**session, "lines": list(lines)}


def attention(recorded: dict[str, Any]) -> list[tuple[int, str, list[str]]]:
    return [(line["line"], line["state"], line["exceptions"]) for line in recorded["attention"]]


async def test_a_register_awards_everybody_on_it(api: Api) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    recorded = await api.give(project, {ann["id"]: 165, bob["id"]: 75})
    assert (recorded["lines"], recorded["awarded"], recorded["waiting"]) == (2, 240, 0)
    assert len(recorded["claims"]) == 2
    assert await api.balance(ann["id"]) == (165, 0)
    assert await api.balance(bob["id"]) == (75, 0)
    assert await api.trial_balance() == {"issued": -240, "wallet": 240}
    for claim, minutes in zip(recorded["claims"], (165, 75), strict=True):
        entry = (await api.get(f"/v1/entries/{claim}")).json()
        assert entry["transfers"][0]["minutes"] == minutes, "an award has its claim's id"


async def test_who_came_for_tea_is_recorded_without_an_entry(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    recorded = await api.give(project, {ann["id"]: 0, bob["id"]: 60})
    assert recorded["claims"][0] is None
    assert (await api.get("/v1/entries")).json()["entries"][0]["id"] == recorded["claims"][1]
    rows = await owner.fetch("SELECT state, minutes FROM scheme.attendance ORDER BY minutes")
    assert [tuple(row) for row in rows] == [("confirmed", 0), ("confirmed", 60)]


async def test_somebody_new_is_made_known_on_the_spot(api: Api) -> None:
    project = await api.project()
    body = came(register({}), {"name": "Zoe", "minutes": 90}, {"name": "Zoe", "minutes": 30})
    first = await api.made(f"/v1/projects/{project}/registers", body, key="k")
    again = await api.made(f"/v1/projects/{project}/registers", body, key="k")
    assert again == first, "sent again, nobody is made known twice"
    assert [one["line"] for one in first["newcomers"]] == [0, 1]
    people = [one["person"] for one in first["newcomers"]]
    assert len(set(people)) == 2, "two of the same name are two people"
    assert [(await api.get(f"/v1/people/{person}")).json()["name"] for person in people] == ["Zoe", "Zoe"]
    assert [await api.balance(person) for person in people] == [(90, 0), (30, 0)]


@pytest.mark.parametrize("planned", [True, False])
async def test_newcomers_who_are_recorded_already_are_the_same_register_sent_again(api: Api, *, planned: bool) -> None:
    project, ann = await api.project(), (await api.person())["id"]
    times = register({})
    if planned:
        period = {name: times[name] for name in ("started_at", "ended_at")}
        session = (await api.made(f"/v1/projects/{project}/sessions", period))["sessions"][0]["id"]
        times = {"session": session}

    async def sent(*lines: dict[str, Any]) -> str:
        answer = await api.post(f"/v1/projects/{project}/registers", {**times, "lines": list(lines)})
        return str(answer.json().get("code", "recorded"))

    zoe, slip = {"name": "Zoe", "minutes": 90}, {"voucher": "Dave", "minutes": 60}
    assert await sent(zoe, slip, {"person": ann, "minutes": 60}) == "recorded"
    assert await sent(slip, {"name": "zoe", "minutes": 30}) == "sent_before"
    assert await sent(zoe, slip, {"person": ann, "minutes": 60}) == "sent_before"
    assert await sent(zoe, {"name": "Yan", "minutes": 30}) == "recorded", "somebody else is on it"
    assert await sent({**zoe, "another": True}) == "recorded"
    assert len((await api.get("/v1/people", name="Zoe")).json()["people"]) == 3
    if not planned:
        times["started_at"] = (datetime.fromisoformat(str(times["started_at"])) + timedelta(minutes=15)).isoformat()
        assert await sent(zoe) == "recorded", "that was another session"


async def test_two_registers_of_the_same_newcomers_at_once_are_recorded_once(api: Api) -> None:
    project, body = await api.project(), came(register({}), {"name": "Zoe", "minutes": 90})
    answers = await asyncio.gather(*(api.post(f"/v1/projects/{project}/registers", body) for _ in range(4)))
    assert sorted(answer.json().get("code", "recorded") for answer in answers) == ["recorded", *["sent_before"] * 3]


@pytest.mark.parametrize(
    ("days", "state", "exceptions"),
    [
        ([(1, 360)], None, []),
        ([(1, 375)], "submitted", ["above_second_approval"]),
        ([(1, 300), (2, 180)], None, []),  # two days
        ([(1, 240), (1, 240)], None, []),  # 8 hours on one day
        ([(1, 240), (1, 255)], "submitted", ["above_daily_cap"]),
        ([(1, 495)], "submitted", ["above_daily_cap", "above_second_approval"]),
    ],
)
async def test_long_days_wait_for_a_second_approver(
    dsn: str, days: list[tuple[int, int]], state: str | None, exceptions: list[str]
) -> None:
    noon = datetime(2026, 6, 10, 12, tzinfo=UTC)
    async with Api.running(dsn, clock=lambda: noon) as api:
        ann, project = await api.person(), await api.project()
        recorded: dict[str, Any] = {}
        for number, (days_ago, minutes) in enumerate(days):
            # One in the small hours, one after it: a day is London's.
            started = noon.replace(hour=1 + 9 * number) - timedelta(days=days_ago)
            session = {"started_at": started.isoformat(), "ended_at": (started + timedelta(hours=9)).isoformat()}
            recorded = await api.made(
                f"/v1/projects/{project}/registers", came(session, {"person": ann["id"], "minutes": minutes})
            )
        assert attention(recorded) == ([(0, state, exceptions)] if state else [])
        assert recorded["waiting"] == (days[-1][1] if state else 0)
        assert (await api.balance(ann["id"]))[0] == sum(minutes for _, minutes in days) - recorded["waiting"]


async def test_a_coordinators_own_hours_wait_for_somebody_else(api: Api) -> None:
    lead, ann, project = await api.person("Lead"), await api.person(), await api.project()
    key = await api.key("project", project, person=lead["id"])
    recorded = await api.made(f"/v1/projects/{project}/registers", register({lead["id"]: 60, ann["id"]: 60}), token=key)
    assert attention(recorded) == [(0, "submitted", ["own_hours"])]
    assert await api.balance(lead["id"]) == (0, 0)
    assert await api.balance(ann["id"]) == (60, 0)


async def test_hours_that_overlap_are_queried_and_the_rest_is_awarded(api: Api) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    one, other = await api.project(), await api.project("Choir")
    await api.give(one, {ann["id"]: 60})
    recorded = await api.give(other, {bob["id"]: 60, ann["id"]: 60})
    assert attention(recorded) == [(1, "queried", ["overlapping"])]
    assert await api.balance(ann["id"]) == (60, 0)
    assert await api.balance(bob["id"]) == (60, 0)
    assert attention(await api.give(other, {ann["id"]: 60}, days_ago=3)) == []


async def test_two_registers_at_once_do_not_miss_each_others_session(api: Api) -> None:
    ann, one, other = await api.person(), await api.project(), await api.project("Choir")
    body = register({ann["id"]: 60})
    answers = await asyncio.gather(
        *(api.made(f"/v1/projects/{project}/registers", body) for project in [one, other] * 5)
    )
    assert sorted(answer["waiting"] for answer in answers) == [0] + [60] * 9
    assert await api.balance(ann["id"]) == (60, 0)


async def test_a_planned_session_takes_more_than_one_register_but_nobody_twice(
    api: Api, owner: asyncpg.Connection
) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    session = (await api.give(project, {ann["id"]: 60}))["id"]
    path = f"/v1/projects/{project}/registers"
    late = await api.made(path, {"session": session, "lines": [{"person": bob["id"], "minutes": 60}]})
    assert late["id"] == session
    assert await count(owner, "scheme.session") == 1
    twice = await api.post(path, {"session": session, "lines": [{"person": ann["id"], "minutes": 60}]})
    assert (refusal(twice), fields(twice)) == ((422, "wrong_values"), ["lines[0].person"])
    both = await api.post(path, {**register({bob["id"]: 15}), "session": session})
    assert (refusal(both), fields(both)) == ((422, "wrong_values"), ["started_at"])
    other = await api.project("Choir")
    strange = await api.post(
        f"/v1/projects/{other}/registers", {"session": session, "lines": [{"person": bob["id"], "minutes": 15}]}
    )
    assert (refusal(strange), fields(strange)) == ((422, "wrong_values"), ["session"])


async def test_a_week_above_the_soft_cap_is_noted_and_stops_nothing(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    monday = (daytime() - timedelta(days=14)).replace(hour=9, minute=0, second=0, microsecond=0)
    monday -= timedelta(days=monday.weekday())
    for day in range(5):
        started = monday + timedelta(days=day)
        session = {"started_at": started.isoformat(), "ended_at": (started + timedelta(hours=6)).isoformat()}
        await api.made(f"/v1/projects/{project}/registers", came(session, {"person": ann["id"], "minutes": 345}))
    assert await api.balance(ann["id"]) == (5 * 345, 0)
    notes = await owner.fetch("SELECT holder::text, project::text FROM scheme.outbox WHERE topic = 'week_above_note'")
    assert [tuple(note) for note in notes] == [(ann["holder"], project)], "once, when it crossed 20 hours"


async def test_every_award_has_its_event_in_the_outbox(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    recorded = await api.give(project, {ann["id"]: 60})
    rows = await owner.fetch("SELECT topic, holder::text, project::text, object::text, body FROM scheme.outbox")
    assert [tuple(row) for row in rows] == [
        ("awarded", ann["holder"], project, recorded["claims"][0], '{"minutes":60}')
    ]


async def test_a_key_used_for_another_register_or_act_is_refused(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    path = f"/v1/projects/{project}/registers"
    await api.made(path, register({ann["id"]: 60}), key="k")
    assert refusal(await api.post(path, register({ann["id"]: 75}), key="k")) == (422, "key_reused")
    suspended = await api.project("Choir")
    await api.made(f"/v1/projects/{suspended}/suspend")
    there = f"/v1/projects/{suspended}/registers"
    assert refusal(await api.post(there, register({ann["id"]: 60}), key="no")) == (409, "project_not_active")
    await api.made(f"/v1/projects/{suspended}/activate")
    again = await api.post(there, register({ann["id"]: 60}), key="no")
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, "project_not_active"), "true")
    assert refusal(await api.post(path, register({ann["id"]: 60}), key="no")) == (422, "key_reused")
    assert await api.balance(ann["id"]) == (60, 0)


@pytest.mark.parametrize("minutes", [7, 14, 20, 1435, -15, 1500])
async def test_minutes_off_the_rules_name_the_line(api: Api, minutes: int) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    answer = await api.post(f"/v1/projects/{project}/registers", register({ann["id"]: 60, bob["id"]: minutes}), key="k")
    assert refusal(answer) == (422, "wrong_values")
    assert fields(answer) == ["lines[1].minutes"]
    mended = register({ann["id"]: 60, bob["id"]: 15})
    assert (await api.post(f"/v1/projects/{project}/registers", mended, key="k")).status_code == 201


async def test_nobody_gave_longer_than_the_session_was(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    path = f"/v1/projects/{project}/registers"
    longer = await api.post(path, register({ann["id"]: 75}, hours=1))
    assert (refusal(longer), fields(longer)) == ((422, "wrong_values"), ["lines[0].minutes"])
    assert (await api.post(path, register({ann["id"]: 60}, hours=1))).status_code == 201


async def test_a_planned_session_that_is_to_come_is_named_and_not_its_times(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    tomorrow = daytime() + timedelta(days=1)
    body = {"started_at": tomorrow.isoformat(), "ended_at": (tomorrow + timedelta(hours=2)).isoformat()}
    [session] = (await api.made(f"/v1/projects/{project}/sessions", body))["sessions"]
    line = {"person": ann["id"], "minutes": 60}
    early = await api.post(f"/v1/projects/{project}/registers", {"session": session["id"], "lines": [line]})
    assert (refusal(early), fields(early)) == ((422, "wrong_values"), ["session"])


async def test_another_coordinators_equal_key_is_not_answered_with_the_firsts(api: Api) -> None:
    lead, ann, project = await api.person("Lead"), await api.person(), await api.project()
    as_lead, as_ann = [await api.key("project", project, person=who["id"]) for who in (lead, ann)]
    path, body = f"/v1/projects/{project}/registers", register({ann["id"]: 60})
    assert (await api.post(path, body, as_lead, key="k")).json()["waiting"] == 0
    assert refusal(await api.post(path, body, as_ann, key="k")) == (422, "key_reused")


async def test_a_claim_that_nobody_approved_opens_no_balance_to_a_project(api: Api) -> None:
    ann, one, other = await api.person(), await api.project(), await api.project("Choir")
    await api.give(one, {ann["id"]: 240})
    token = await api.key("project", other)
    claim = {"project": other, "person": ann["id"], **register({}, days_ago=3, hours=1)}
    del claim["lines"]
    await api.made("/v1/claims", claim, token=token)
    assert refusal(await api.get(f"/v1/people/{ann['id']}/balance", token)) == (404, "not_found")


async def test_a_line_says_in_one_way_whose_it_is(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    path = f"/v1/projects/{project}/registers"
    for line in (
        {"minutes": 60},
        {"minutes": 60, "person": ann["id"], "name": "Ann"},
        {"minutes": 60, "name": "Ann", "voucher": "Ann"},
    ):
        answer = await api.post(path, came(register({}), {"person": ann["id"], "minutes": 60}, line))
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["lines[1]"])
    tea = await api.post(path, came(register({}), {"voucher": "Sam", "minutes": 0}))
    assert (refusal(tea), fields(tea)) == ((422, "wrong_values"), ["lines[0].minutes"])


async def test_a_project_acts_for_itself_alone(api: Api) -> None:
    ann, own, other = await api.person(), await api.project(), await api.project("Choir")
    key = await api.key("project", own)
    body = register({ann["id"]: 60})
    assert refusal(await api.post(f"/v1/projects/{other}/registers", body, key)) == (404, "not_found")
    assert refusal(await api.post(f"/v1/projects/{uuid4()}/registers", body)) == (404, "not_found")
    assert (await api.get(f"/v1/people/{ann['id']}/balance", key)).status_code == 404

    await api.made(f"/v1/projects/{own}/registers", body, token=key)

    assert (await api.get(f"/v1/people/{ann['id']}/balance", key)).json() == {"available": 60, "held": 0}


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
    ann, project, now = await api.person(), await api.project(), daytime()
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


async def test_five_thousand_lines_at_once(api: Api, owner: asyncpg.Connection) -> None:
    await owner.execute(
        "WITH p AS (INSERT INTO scheme.person (id, name, created_at) SELECT gen_random_uuid(), 'P', now() "
        "FROM generate_series(1, 5000) RETURNING id) "
        "INSERT INTO scheme.holder (id, person) SELECT gen_random_uuid(), id FROM p"
    )
    people = [str(row["id"]) for row in await owner.fetch("SELECT id FROM scheme.person")]
    project = await api.project()
    body = register(dict.fromkeys(people, 60))
    path = f"/v1/projects/{project}/registers"

    first = await api.post(path, body, key="k")

    assert first.status_code == 201, first.text
    assert (first.json()["lines"], first.json()["awarded"], first.json()["waiting"]) == (5_000, 300_000, 0)
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
