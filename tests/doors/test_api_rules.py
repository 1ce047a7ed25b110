"""The scheme's rules over HTTP: read by all, changed by staff, never for what was before."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from ledger.scheme.rules import Rules, table
from tests.doors.house import Api, register

NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)


async def change(api: Api, values: object, token: str | None = None) -> httpx.Response:
    return await api.send("PATCH", "/v1/rules", values, token)


async def values(api: Api) -> dict[str, Any]:
    answer = await api.get("/v1/rules")
    assert answer.status_code == 200
    return {rule["name"]: rule["value"] for rule in answer.json()["rules"]}


def refusal(answer: httpx.Response) -> tuple[int, str, list[str]]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"], [field["field"] for field in answer.json()["fields"]]


async def test_everybody_with_a_key_reads_every_rule_and_what_it_means(api: Api) -> None:
    keys = [
        api.scheme,
        await api.key("project", await api.project()),
        await api.key("venue", await api.venue()),
        await api.key("person", person=(await api.person())["id"]),
    ]
    answers = [await api.get("/v1/rules", key) for key in keys]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    found = answers[0].json()
    assert found["version"] == 1
    assert [rule["name"] for rule in found["rules"]] == list(Rules.__struct_fields__)
    [cap] = [rule for rule in found["rules"] if rule["name"] == "daily_cap_minutes"]
    assert cap == {
        "name": "daily_cap_minutes",
        "number": 3,
        "value": 480,
        "default": 480,
        "unit": "minutes",
        "least": 15,
        "most": 1440,
        "choices": [],
        "meaning": "Above this on one day, a second person looks before it is approved.",
        "enforced": True,
    }
    [goods] = [rule for rule in found["rules"] if rule["name"] == "goods_for_credits"]
    assert (goods["value"], goods["choices"], goods["least"], goods["enforced"]) == (False, [False, True], None, False)


async def test_a_change_is_answered_and_in_force_from_now_on(api: Api) -> None:
    answer = await change(api, {"daily_cap_minutes": 420, "back_days": 30})
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    assert (await api.get("/v1/rules")).json() == answer.json()
    found = await values(api)
    assert (found["daily_cap_minutes"], found["back_days"], found["step_minutes"]) == (420, 30, 15)
    ann, project = await api.person(), await api.project()
    late = await api.post(f"/v1/projects/{project}/registers", register({ann["id"]: 60}, days_ago=31))
    assert refusal(late) == (422, "wrong_values", ["started_at"])


async def test_the_same_values_again_and_none_at_all_make_no_version(api: Api) -> None:
    await change(api, {"daily_cap_minutes": 420})
    for again in ({"daily_cap_minutes": 420}, {}, {"daily_cap_minutes": 420, "no_show": "credits_return"}):
        answer = await change(api, again)
        assert (answer.status_code, answer.json()["version"]) == (200, 2)


async def test_what_is_read_can_be_sent_back_whole(api: Api) -> None:
    answer = await change(api, await values(api))
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"daily_cap": 420}, (400, "wrong_fields", ["daily_cap"])),
        ({"version": 7}, (400, "wrong_fields", ["version"])),
        ({"daily_cap_minutes": "420"}, (400, "wrong_fields", ["daily_cap_minutes"])),
        ({"daily_cap_minutes": 420.0}, (400, "wrong_fields", ["daily_cap_minutes"])),
        ({"daily_cap_minutes": True}, (400, "wrong_fields", ["daily_cap_minutes"])),
        ({"daily_cap_minutes": None}, (400, "wrong_fields", ["daily_cap_minutes"])),
        ({"goods_for_credits": 1}, (400, "wrong_fields", ["goods_for_credits"])),
        ([], (400, "wrong_fields", ["body"])),
        ({"daily_cap_minutes": 14}, (422, "wrong_values", ["daily_cap_minutes"])),
        ({"daily_cap_minutes": 1441}, (422, "wrong_values", ["daily_cap_minutes"])),
        ({"credit_minutes": 30}, (422, "wrong_values", ["credit_minutes"])),
        ({"future_days": 1}, (422, "wrong_values", ["future_days"])),
        ({"own_hours": "allowed"}, (422, "wrong_values", ["own_hours"])),
        ({"second_above_minutes": 495}, (422, "wrong_values", ["second_above_minutes"])),
        ({"step_minutes": 7}, (422, "wrong_values", ["step_minutes"])),
        ({"sms_characters": 150}, (422, "wrong_values", ["sms_characters"])),
        ({"back_days": 30, "reminders": 2}, (422, "wrong_values", ["reminders"])),
    ],
    ids=[
        "an unknown name",
        "a name of the answer, not of a rule",
        "text for a number",
        "a fraction",
        "yes for a number",
        "nothing for a number",
        "a number for yes",
        "a list",
        "below its bound",
        "above its bound",
        "a credit is an hour",
        "no hours beforehand",
        "not one of the words",
        "the second approval above the daily cap",
        "no number of steps makes a credit",
        "not enforced yet",
        "not enforced yet, beside one that is",
    ],
)
async def test_what_cannot_be_is_refused_by_its_name_and_nothing_is_written(
    api: Api, owner: asyncpg.Connection, body: object, expected: tuple[int, str, list[str]]
) -> None:
    assert refusal(await change(api, body)) == expected
    assert await owner.fetchval("SELECT count(*) FROM scheme.rules") == 1


async def test_a_rule_that_is_not_enforced_says_so_in_a_sentence(api: Api) -> None:
    answer = await change(api, {"sms_characters": 150})
    assert answer.json()["detail"] == ("`sms_characters` can't be changed yet: this release doesn't enforce it.")


@pytest.mark.parametrize(
    "row", [row for row in table() if row.enforced and row.least != row.most], ids=lambda r: r.name
)
async def test_every_rule_that_is_enforced_takes_its_least_and_its_most(api: Api, row: Any) -> None:  # noqa: ANN401  # pytest's parameter
    for value in (row.least, row.most):
        beside: dict[str, Any] = {}
        if row.name == "daily_cap_minutes":
            beside = {"second_above_minutes": value}
        if row.name == "second_above_minutes":
            beside = {"daily_cap_minutes": 1440}
        if row.name == "expiry_first_notice_days":
            beside = {"expiry_last_notice_days": 1}
        if row.name == "expiry_last_notice_days":
            beside = {"expiry_first_notice_days": 366}
        answer = await change(api, {row.name: value, **beside})
        assert answer.status_code == 200, answer.text
        assert (await values(api))[row.name] == value


async def test_only_the_schemes_own_key_changes_them_or_sees_who_did(api: Api) -> None:
    for key in (await api.key("project", await api.project()), await api.key("venue", await api.venue())):
        assert (await change(api, {"back_days": 30}, key)).status_code == 403
        assert (await api.get("/v1/rules/changes", key)).status_code == 403
    assert (await values(api))["back_days"] == 60


async def test_the_changes_tell_who_when_and_from_what_to_what(dsn: str) -> None:
    now = NOW
    async with Api.running(dsn, clock=lambda: now) as api:
        assert (await api.get("/v1/rules/changes")).json() == {"versions": [], "next": None}
        bea = await api.person("Bea")
        staff = await api.key("scheme", person=bea["id"])
        await change(api, {"back_days": 30}, staff)
        now += timedelta(days=1)
        await change(api, {"back_days": 45, "step_minutes": 20}, staff)
        found = (await api.get("/v1/rules/changes")).json()
        assert found == {
            "versions": [
                {
                    "version": 3,
                    "at": "2026-11-15T12:00:00Z",
                    "by": bea["holder"],
                    "changes": [
                        {"name": "step_minutes", "before": 15, "after": 20},
                        {"name": "back_days", "before": 30, "after": 45},
                    ],
                },
                {
                    "version": 2,
                    "at": "2026-11-14T12:00:00Z",
                    "by": bea["holder"],
                    "changes": [{"name": "back_days", "before": 60, "after": 30}],
                },
            ],
            "next": None,
        }


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_the_changes_come_page_by_page_each_once(api: Api, limit: int) -> None:
    for days in range(1, 6):
        await change(api, {"back_days": days})
    seen, pages, cursor = [], 0, None
    while pages == 0 or cursor:
        going_on: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = (await api.get("/v1/rules/changes", None, limit=limit, **going_on)).json()
        seen += [version["version"] for version in page["versions"]]
        pages, cursor = pages + 1, page["next"]
    assert seen == [6, 5, 4, 3, 2]
    assert pages == -(-5 // limit)


async def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    for days in range(1, 4):
        await change(api, {"back_days": days})
    cursor = (await api.get("/v1/rules/changes", limit=1)).json()["next"]
    edited = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert refusal(await api.get("/v1/rules/changes", cursor=edited)) == (400, "wrong_parameters", ["cursor"])


async def test_of_many_changes_at_once_in_two_processes_none_is_lost(api: Api, dsn: str) -> None:
    async with Api.running(dsn, scheme=api.scheme) as other:
        asked = [
            {"back_days": 30},
            {"step_minutes": 20},
            {"contact_months": 12},
            {"consent_months": 6},
            {"auto_close_minutes": 120},
        ]
        answers = await asyncio.gather(*(change((api, other)[n % 2], body) for n, body in enumerate(asked)))
    assert sorted(answer.json()["version"] for answer in answers) == [2, 3, 4, 5, 6]
    found = await values(api)
    assert all(found[name] == value for body in asked for name, value in body.items())
    versions = (await api.get("/v1/rules/changes")).json()["versions"]
    assert sorted(change["name"] for version in versions for change in version["changes"]) == sorted(
        name for body in asked for name in body
    )


async def test_a_change_never_rewrites_what_was_decided_before(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    await api.give(project, {ann["id"]: 240}, days_ago=2)
    await api.give(project, {ann["id"]: 390}, days_ago=3)  # a second approver looks at it
    before = await owner.fetch("SELECT * FROM scheme.claim ORDER BY id")
    assert sorted(row["state"] for row in before) == ["approved", "submitted"]
    assert await api.balance(ann["id"]) == (240, 0)

    assert (await change(api, {"daily_cap_minutes": 120, "second_above_minutes": 120})).json()["version"] == 2
    assert await owner.fetch("SELECT * FROM scheme.claim ORDER BY id") == before
    assert await api.balance(ann["id"]) == (240, 0)

    recorded = await api.give(project, {bob["id"]: 240}, days_ago=2)
    assert [waiting["exceptions"] for waiting in recorded["attention"]] == [
        ["above_daily_cap", "above_second_approval"]
    ]
    assert await api.balance(bob["id"]) == (0, 0)
    weighed_by = await owner.fetch("SELECT rules, count(*) FROM scheme.claim GROUP BY rules ORDER BY rules")
    assert [tuple(row) for row in weighed_by] == [(1, 2), (2, 1)]


async def test_the_document_shows_each_rules_bounds(api: Api) -> None:
    schemas = (await api.client.get("/docs/openapi.json")).json()["components"]["schemas"]
    asked = schemas["RulesInput"]
    assert asked["properties"].keys() == set(Rules.__struct_fields__)
    assert asked["additionalProperties"] is False
    assert "required" not in asked or not asked["required"]
    cap = asked["properties"]["daily_cap_minutes"]
    assert (cap["minimum"], cap["maximum"]) == (15, 1440)
