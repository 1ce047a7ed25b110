"""Projects over HTTP: their states, their names, and what funders grant them."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.doors.house import Api, register

ACTS = {"active": "activate", "suspended": "suspend", "ended": "end"}
# How a fresh one, applied for, comes to each state.
WAY_TO = {
    "applied": [],
    "active": ["activate"],
    "suspended": ["activate", "suspend"],
    "ended": ["end"],
}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def applied(api: Api, name: str = "Repair cafe") -> str:
    made = await api.made("/v1/projects", {"name": name, "alias": "Saturdays", "status": "applied"})
    assert made["status"] == "applied"
    return str(made["id"])


async def topics(owner: asyncpg.Connection, topic: str) -> list[str]:
    rows = await owner.fetch("SELECT body FROM scheme.outbox WHERE topic = $1 ORDER BY at, id", topic)
    return [row["body"] for row in rows]


# --- states ---------------------------------------------------------------------------------------------------


WHAT_A_PROJECT_MAY_BECOME = [
    ("applied", "active", 200),
    ("applied", "suspended", 409),
    ("applied", "ended", 200),
    ("active", "active", 200),  # again: nothing changes
    ("active", "suspended", 200),
    ("active", "ended", 200),
    ("suspended", "active", 200),
    ("suspended", "suspended", 200),
    ("suspended", "ended", 200),
    ("ended", "active", 409),
    ("ended", "suspended", 409),
    ("ended", "ended", 200),
]


async def test_what_a_project_may_become(api: Api) -> None:
    for was, wanted, status in WHAT_A_PROJECT_MAY_BECOME:
        project = await applied(api)
        for act in WAY_TO[was]:
            await api.made(f"/v1/projects/{project}/{act}")
        answer = await api.post(f"/v1/projects/{project}/{ACTS[wanted]}")
        assert answer.status_code == status, (was, wanted)
        if status == 409:
            assert answer.json()["code"] == "wrong_state"
        stands = (await api.get(f"/v1/projects/{project}")).json()["status"]
        assert stands == (wanted if status == 200 else was)


async def test_hours_are_recorded_while_it_is_active(api: Api) -> None:
    ann, project = await api.person(), await applied(api)
    path = f"/v1/projects/{project}/registers"
    assert refusal(await api.post(path, register({ann["id"]: 60}))) == (409, "project_not_active")
    await api.made(f"/v1/projects/{project}/activate")
    await api.made(path, register({ann["id"]: 60}))
    await api.made(f"/v1/projects/{project}/suspend")
    assert refusal(await api.post(path, register({ann["id"]: 60}, days_ago=3))) == (409, "project_not_active")
    assert await api.balance(ann["id"]) == (60, 0)


async def test_a_project_that_is_not_there(api: Api) -> None:
    nobody = uuid4()
    for act in ACTS.values():
        assert refusal(await api.post(f"/v1/projects/{nobody}/{act}")) == (404, "not_found")
    assert refusal(await api.get(f"/v1/projects/{nobody}")) == (404, "not_found")
    assert refusal(await api.send("PATCH", f"/v1/projects/{nobody}", {"name": "x"})) == (404, "not_found")
    assert refusal(await api.get(f"/v1/projects/{nobody}/allocations")) == (404, "not_found")
    grant = {"funder": "The council", "minutes": 60}
    assert refusal(await api.post(f"/v1/projects/{nobody}/allocations", grant)) == (404, "not_found")


# --- names ----------------------------------------------------------------------------------------------------


async def test_a_project_made_twice_under_one_key_is_one(api: Api) -> None:
    body = {"name": "Repair cafe", "alias": "Saturdays"}
    first = await api.post("/v1/projects", body, key="k")
    again = await api.post("/v1/projects", body, key="k")
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json()["status"] == "active"
    assert len((await api.get("/v1/projects")).json()["projects"]) == 1
    assert refusal(await api.post("/v1/projects", {**body, "alias": "Sundays"}, key="k")) == (422, "key_reused")
    assert refusal(await api.post("/v1/projects", body, key="")) == (400, "idempotency_key")


async def test_it_is_renamed_name_and_alias_apart(api: Api) -> None:
    project = await api.project()
    path = f"/v1/projects/{project}"
    before = (await api.get(path)).json()
    assert (await api.send("PATCH", path, {})).json() == before
    after = (await api.send("PATCH", path, {"alias": "The long table"})).json()
    assert after == before | {"alias": "The long table"}
    after = (await api.send("PATCH", path, {"name": "Mending", "alias": "Mondays"})).json()
    assert after == before | {"name": "Mending", "alias": "Mondays"} == (await api.get(path)).json()


NEITHER_IS_EVER_EMPTY: list[tuple[dict[str, Any], int, str]] = [
    ({"name": ""}, 422, "name"),
    ({"alias": ""}, 422, "alias"),
    ({"alias": " "}, 422, "alias"),
    ({"name": None}, 400, "name"),
    ({"alias": None}, 400, "alias"),
    ({"name": "x" * 201}, 422, "name"),
    ({"status": "ended"}, 400, "status"),
    ({"id": str(uuid4())}, 400, "id"),
]


async def test_neither_is_ever_empty(api: Api) -> None:
    path = f"/v1/projects/{await api.project()}"
    before = (await api.get(path)).json()
    for change, status, field in NEITHER_IS_EVER_EMPTY:
        answer = await api.send("PATCH", path, change)
        assert (answer.status_code, fields(answer)) == (status, [field]), change
        assert (await api.get(path)).json() == before


async def test_a_new_project_is_applied_or_active(api: Api) -> None:
    for status, answered in [("suspended", 422), ("ended", 422), ("", 422), (None, 400), (1, 400)]:
        answer = await api.post("/v1/projects", {"name": "Choir", "alias": "Mondays", "status": status})
        assert (answer.status_code, fields(answer)) == (answered, ["status"]), status
    assert (await api.get("/v1/projects")).json()["projects"] == []


async def test_a_projects_key_reads_its_own(api: Api) -> None:
    own, other = await api.project(), await api.project("Choir")
    key = await api.key("project", own)
    assert (await api.get(f"/v1/projects/{own}", key)).json()["name"] == "Repair cafe"
    for path in (f"/v1/projects/{other}", f"/v1/projects/{other}/allocations"):
        assert refusal(await api.get(path, key)) == (404, "not_found")
    assert refusal(await api.get("/v1/projects", key)) == (403, "forbidden")


async def test_projects_by_name_page_by_page(api: Api) -> None:
    for name in ("delta", "Alpha", "echo", "Bravo", "charlie"):
        await applied(api, name)
    ended = await applied(api, "Foxtrot")
    await api.made(f"/v1/projects/{ended}/end")
    seen: list[str] = []
    page = (await api.get("/v1/projects", status="applied", limit=2)).json()
    cursor = page["next"]
    while True:
        seen += [project["name"] for project in page["projects"]]
        if page["next"] is None:
            break
        page = (await api.get("/v1/projects", status="applied", limit=2, cursor=page["next"])).json()
    assert seen == ["Alpha", "Bravo", "charlie", "delta", "echo"]
    assert len((await api.get("/v1/projects")).json()["projects"]) == 6
    assert refusal(await api.get("/v1/projects", cursor=cursor)) == (400, "wrong_parameters")
    assert refusal(await api.get("/v1/projects", status="closed")) == (400, "wrong_parameters")


async def test_the_list_goes_on_where_it_was_when_the_last_one_shown_has_another_name(api: Api) -> None:
    made = {name: await applied(api, name) for name in ("Alpha", "bravo", "Charlie")}
    page = (await api.get("/v1/projects", limit=2)).json()
    renamed = await api.send("PATCH", f"/v1/projects/{made['bravo']}", {"name": "Zulu"})
    assert renamed.status_code == 200
    rest = (await api.get("/v1/projects", cursor=page["next"])).json()["projects"]
    assert [one["name"] for one in rest] == ["Charlie", "Zulu"]


# --- a funder's allocation --------------------------------------------------------------------------------------


async def grant(api: Api, project: str, minutes: int = 600, funder: str = "The council") -> dict[str, Any]:
    return await api.made(f"/v1/projects/{project}/allocations", {"funder": funder, "minutes": minutes})


async def allocation(api: Api, project: str) -> tuple[int, int, int]:
    found = (await api.get(f"/v1/projects/{project}/allocations")).json()["allocation"]
    return found["granted"], found["left"], found["used_percent"]


async def test_without_a_grant_there_is_no_cap(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 240})
    found = (await api.get(f"/v1/projects/{project}/allocations")).json()
    assert found == {"allocation": {"granted": 0, "left": 0, "used_percent": 0}, "grants": [], "next": None}
    assert await api.trial_balance() == {"issued": -240, "wallet": 240}
    assert await topics(owner, "allocation_overrun") == []


async def test_registers_draw_on_it_and_the_books_stay_balanced_by_commodity(api: Api) -> None:
    ann, bob, project = await api.person(), await api.person("Bob"), await api.project()
    made = await grant(api, project, 600)
    assert (await api.get(f"/v1/entries/{made['id']}")).json()["transfers"][0]["minutes"] == 600
    assert await allocation(api, project) == (600, 600, 0)
    assert await api.trial_balance() == {"cap": -600, "allocation": 600}
    await api.give(project, {ann["id"]: 60, bob["id"]: 45})
    assert await allocation(api, project) == (600, 495, 17)
    assert await api.trial_balance() == {"issued": -105, "wallet": 105, "cap": -495, "allocation": 495}
    await grant(api, project, 200, "The lottery")
    assert await allocation(api, project) == (800, 695, 13)
    found = (await api.get(f"/v1/projects/{project}/allocations")).json()
    assert [(one["funder"], one["minutes"]) for one in found["grants"]] == [("The council", 600), ("The lottery", 200)]


async def test_staff_hear_once_that_a_fifth_is_left_and_nothing_is_ever_refused(
    api: Api, owner: asyncpg.Connection
) -> None:
    ann, project, days = await api.person(), await api.project(), iter(range(1, 30))
    await grant(api, project, 600)
    heard = []
    # Minutes given -> left, warnings so far, overruns so far.
    for minutes, left, low, over in [
        (240, 360, 0, 0),
        (240, 120, 0, 0),  # a fifth exactly
        (15, 105, 1, 0),
        (60, 45, 1, 0),
        (60, 0, 1, 1),
        (120, 0, 1, 2),
    ]:
        await api.give(project, {ann["id"]: minutes}, days_ago=next(days))
        warned, overran = await topics(owner, "allocation_low"), await topics(owner, "allocation_overrun")
        assert ((await allocation(api, project))[1], len(warned), len(overran)) == (left, low, over), minutes
        heard = warned + overran
    assert heard == ['{"minutes":105,"granted":600}', '{"minutes":15}', '{"minutes":120}']
    assert await api.balance(ann["id"]) == (735, 0)
    assert await api.trial_balance() == {"issued": -735, "wallet": 735}
    assert await allocation(api, project) == (600, 0, 100)


async def test_a_new_grant_may_run_low_anew(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    await grant(api, project, 100)
    await api.give(project, {ann["id"]: 90})
    await grant(api, project, 100)
    await api.give(project, {ann["id"]: 15}, days_ago=3)
    assert len(await topics(owner, "allocation_low")) == 1
    await api.give(project, {ann["id"]: 90}, days_ago=5)
    assert await topics(owner, "allocation_low") == ['{"minutes":10,"granted":100}', '{"minutes":5,"granted":200}']


async def test_registers_at_once_never_use_more_than_there_is(api: Api) -> None:
    people, project = [await api.person(f"P{number}") for number in range(8)], await api.project()
    await grant(api, project, 300)
    await asyncio.gather(*(api.give(project, {person["id"]: 60}) for person in people))
    assert await allocation(api, project) == (300, 0, 100)
    assert await api.trial_balance() == {"issued": -480, "wallet": 480}


async def test_a_grant_sent_twice_counts_once(api: Api, owner: asyncpg.Connection) -> None:
    project = await api.project()
    path, body = f"/v1/projects/{project}/allocations", {"funder": "The council", "minutes": 600}
    answers = await asyncio.gather(*(api.post(path, body, key="k") for _ in range(10)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await allocation(api, project) == (600, 600, 0)
    assert refusal(await api.post(path, {**body, "minutes": 601}, key="k")) == (422, "key_reused")
    assert refusal(await api.post(path, {**body, "funder": "Another"}, key="k")) == (422, "key_reused")
    kept = await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'allot'")
    assert "council" not in kept


A_GRANT_THAT_CANNOT_BE: list[tuple[dict[str, Any], int, str]] = [
    ({"minutes": 0}, 422, "minutes"),
    ({"minutes": -60}, 422, "minutes"),
    ({"minutes": 600_000_001}, 422, "minutes"),
    ({"minutes": 1.0}, 400, "minutes"),
    ({"minutes": "60"}, 400, "minutes"),
    ({"funder": ""}, 422, "funder"),
    ({"funder": "x" * 201}, 422, "funder"),
    ({"currency": "GBP"}, 400, "currency"),
]


async def test_a_grant_that_cannot_be(api: Api) -> None:
    project = await api.project()
    for change, status, field in A_GRANT_THAT_CANNOT_BE:
        body = {"funder": "The council", "minutes": 60, **change}
        answer = await api.post(f"/v1/projects/{project}/allocations", body)
        assert (answer.status_code, fields(answer)) == (status, [field]), change
        assert await allocation(api, project) == (0, 0, 0)


async def test_only_the_scheme_grants_and_none_to_a_project_that_has_ended(api: Api) -> None:
    project = await api.project()
    key = await api.key("project", project)
    path, body = f"/v1/projects/{project}/allocations", {"funder": "The council", "minutes": 600}
    assert refusal(await api.post(path, body, key)) == (403, "forbidden")
    await api.made(path, body)
    assert (await api.get(path, key)).json()["allocation"]["left"] == 600
    await api.made(f"/v1/projects/{project}/end")
    assert refusal(await api.post(path, body)) == (409, "wrong_state")


async def test_grants_page_by_page(api: Api) -> None:
    project = await api.project()
    for number in range(1, 6):
        await grant(api, project, number)
    path = f"/v1/projects/{project}/allocations"
    seen: list[int] = []
    page = (await api.get(path, limit=2)).json()
    while True:
        seen += [one["minutes"] for one in page["grants"]]
        assert page["allocation"]["granted"] == 15
        if page["next"] is None:
            break
        page = (await api.get(path, limit=2, cursor=page["next"])).json()
    assert seen == [1, 2, 3, 4, 5]
