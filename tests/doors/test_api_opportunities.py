"""Opportunities over HTTP: a project writes them, everybody finds those that are published."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.doors.house import Api

ACTS = {"published": "publish", "paused": "pause", "ended": "end"}
WAY_TO = {"draft": [], "published": ["publish"], "paused": ["publish", "pause"], "ended": ["end"]}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def draft(api: Api, project: str, **details: object) -> str:
    body = {"title": "Mend a lamp", "kind": "weekly", **details}
    return str((await api.made(f"/v1/projects/{project}/opportunities", body))["id"])


async def published(api: Api, project: str, **details: object) -> str:
    opportunity = await draft(api, project, **details)
    await api.made(f"/v1/opportunities/{opportunity}/publish")
    return opportunity


async def found(api: Api, token: str | None = None, **query: object) -> list[str]:
    answer = await api.get("/v1/opportunities", token, **query)
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["opportunities"]]


async def everybody(api: Api) -> list[str]:
    """A key of each scope, none of them the project's own."""
    return [
        await api.key("person", person=(await api.person())["id"]),
        await api.key("project", await api.project("Choir")),
        await api.key("venue", await api.venue()),
        api.scheme,
    ]


async def test_a_project_writes_its_own_and_reads_what_it_wrote(api: Api) -> None:
    project = await api.project()
    key = await api.key("project", project)
    body = {
        "title": "Mend a lamp",
        "description": "At a long table.\nNobody has to talk.",
        "kind": "weekly",
        "minutes": 150,
        "place": "The hall",
        "district": "CB1",
        "tags": ["low_talk", "step_free", "low_talk", "made_up_here"],
        "prerequisites": "an induction",
        "joining_pence": 1000,
        "donation_note": "A pound for the tea, if you can.",
        "referral": "self_or_referred",
        "places": 12,
    }
    answer = await api.post(f"/v1/projects/{project}/opportunities", body, key)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made == made | body | {"tags": ["low_talk", "step_free", "made_up_here"]}
    assert (made["status"], made["project"], made["alias"]) == ("draft", project, "Saturdays")
    assert (await api.get(answer.headers["location"], key)).json() == made


async def test_only_a_title_and_a_kind_are_needed(api: Api) -> None:
    made = await api.made(f"/v1/projects/{await api.project()}/opportunities", {"title": "x", "kind": "at_home"})
    assert [made[name] for name in ("minutes", "place", "district", "tags", "places")] == [None, None, None, [], None]
    assert [made[name] for name in ("joining_pence", "referral", "prerequisites")] == [0, "none", ""]


async def test_one_written_twice_under_one_key_is_one(api: Api, owner: asyncpg.Connection) -> None:
    project = await api.project()
    path, body = f"/v1/projects/{project}/opportunities", {"title": "Mend a lamp", "kind": "weekly"}
    first, again = await api.post(path, body, key="k"), await api.post(path, body, key="k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert refusal(await api.post(path, {**body, "title": "Other"}, key="k")) == (422, "key_reused")
    assert await owner.fetchval("SELECT count(*) FROM scheme.opportunity") == 1
    assert "Mend" not in await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'opportunity'")


WHAT_CANNOT_BE_WRITTEN: list[tuple[dict[str, Any], int, str]] = [
    ({"title": ""}, 422, "title"),
    ({"title": None}, 400, "title"),
    ({"title": "x" * 201}, 422, "title"),
    ({"description": "x" * 2001}, 422, "description"),
    ({"kind": "fortnightly"}, 422, "kind"),
    ({"minutes": 14}, 422, "minutes"),
    ({"minutes": 1441}, 422, "minutes"),
    ({"minutes": 60.0}, 400, "minutes"),
    ({"place": ""}, 422, "place"),
    ({"district": "cb4"}, 422, "district"),
    ({"district": "CB4 1AA"}, 422, "district"),
    ({"tags": ["Low Talk"]}, 422, "tags[0]"),
    ({"tags": ["low_talk", "_x"]}, 422, "tags[1]"),
    ({"tags": ["a" * 33]}, 422, "tags[0]"),
    ({"tags": ["a"] * 21}, 422, "tags"),
    ({"prerequisites": "x" * 501}, 422, "prerequisites"),
    ({"joining_pence": -1}, 422, "joining_pence"),
    ({"joining_pence": 100_001}, 422, "joining_pence"),
    ({"donation_note": "x" * 501}, 422, "donation_note"),
    ({"referral": "maybe"}, 422, "referral"),
    ({"places": 0}, 422, "places"),
    ({"places": 10_001}, 422, "places"),
    ({"status": "published"}, 400, "status"),
    ({"alias": "x"}, 400, "alias"),
    ({"project": str(uuid4())}, 400, "project"),
]


async def test_what_cannot_be_written(api: Api) -> None:
    project, body = await api.project(), {"title": "Mend a lamp", "kind": "weekly"}
    path = f"/v1/opportunities/{await draft(api, project)}"
    before = (await api.get(path)).json()
    for change, status, field in WHAT_CANNOT_BE_WRITTEN:
        for answer in (
            await api.post(f"/v1/projects/{project}/opportunities", {**body, **change}),
            await api.send("PATCH", path, change),
        ):
            assert (answer.status_code, fields(answer)) == (status, [field]), change
    assert (await api.get(f"/v1/projects/{project}/opportunities")).json()["opportunities"] == [before]


WHAT_AN_OPPORTUNITY_MAY_BECOME = [
    ("draft", "published", 200),
    ("draft", "paused", 409),
    ("draft", "ended", 200),
    ("published", "published", 200),  # again: nothing changes
    ("published", "paused", 200),
    ("published", "ended", 200),
    ("paused", "published", 200),
    ("paused", "paused", 200),
    ("paused", "ended", 200),
    ("ended", "published", 409),
    ("ended", "paused", 409),
    ("ended", "ended", 200),
]


async def test_what_an_opportunity_may_become(api: Api) -> None:
    for was, wanted, status in WHAT_AN_OPPORTUNITY_MAY_BECOME:
        opportunity = await draft(api, await api.project())
        for act in WAY_TO[was]:
            await api.made(f"/v1/opportunities/{opportunity}/{act}")
        answer = await api.post(f"/v1/opportunities/{opportunity}/{ACTS[wanted]}")
        assert answer.status_code == status, (was, wanted)
        if status == 409:
            assert answer.json()["code"] == "wrong_state"
        stands = (await api.get(f"/v1/opportunities/{opportunity}")).json()["status"]
        assert stands == (wanted if status == 200 else was)


async def test_it_is_rewritten_field_by_field_and_null_clears(api: Api) -> None:
    opportunity = await published(api, await api.project(), minutes=60, places=3, tags=["buddy"], district="CB4")
    path = f"/v1/opportunities/{opportunity}"
    before = (await api.get(path)).json()
    assert (await api.send("PATCH", path, {})).json() == before
    change = {"title": "Mend a chair", "minutes": None, "tags": ["seated", "seated"]}
    after = (await api.send("PATCH", path, change)).json()
    changed_at = after["changed_at"]
    assert changed_at > before["changed_at"]
    assert after == before | change | {"tags": ["seated"], "changed_at": changed_at}
    assert (await api.get(path)).json() == after
    await api.made(f"{path}/end")
    assert refusal(await api.send("PATCH", path, {"title": "x"})) == (409, "wrong_state")


async def test_another_projects_is_not_there_to_change(api: Api) -> None:
    own, other = await api.project(), await api.project("Choir")
    key, opportunity = await api.key("project", other), await published(api, own)
    path = f"/v1/opportunities/{opportunity}"
    assert (await api.get(path, key)).status_code == 200
    for act in ACTS.values():
        assert refusal(await api.post(f"{path}/{act}", None, key)) == (404, "not_found")
    assert refusal(await api.send("PATCH", path, {"title": "x"}, key)) == (404, "not_found")
    body = {"title": "x", "kind": "weekly"}
    assert refusal(await api.post(f"/v1/projects/{own}/opportunities", body, key)) == (404, "not_found")
    assert refusal(await api.get(f"/v1/projects/{own}/opportunities", key)) == (404, "not_found")
    assert refusal(await api.post(f"/v1/projects/{uuid4()}/opportunities", body)) == (404, "not_found")


async def test_what_is_not_published_is_there_for_its_own_project_alone(api: Api) -> None:
    project = await api.project()
    own, others = await api.key("project", project), (await everybody(api))[:-1]
    opportunity = await draft(api, project)
    path = f"/v1/opportunities/{opportunity}"
    for act in [None, "publish", "pause", "publish", "end"]:
        if act is not None:
            await api.made(f"{path}/{act}")
        shown = act == "publish"
        for token in others:
            assert (await api.get(path, token)).status_code == (200 if shown else 404), act
            assert await found(api, token) == (["Mend a lamp"] if shown else [])
        for token in (own, api.scheme):
            assert (await api.get(path, token)).status_code == 200
            assert await found(api, token) == (["Mend a lamp"] if shown else [])
            listed = (await api.get(f"/v1/projects/{project}/opportunities", token)).json()["opportunities"]
            assert [one["id"] for one in listed] == [opportunity]


async def test_it_is_shown_while_its_project_is_active(api: Api) -> None:
    project = str((await api.made("/v1/projects", {"name": "x", "alias": "y", "status": "applied"}))["id"])
    person = await api.key("person", person=(await api.person())["id"])
    opportunity = await published(api, project)
    for act, shown in [(None, False), ("activate", True), ("suspend", False), ("activate", True), ("end", False)]:
        if act is not None:
            await api.made(f"/v1/projects/{project}/{act}")
        assert (await api.get(f"/v1/opportunities/{opportunity}", person)).status_code == (200 if shown else 404)
        assert await found(api, person) == (["Mend a lamp"] if shown else [])
    body = {"title": "x", "kind": "weekly"}
    assert refusal(await api.post(f"/v1/projects/{project}/opportunities", body)) == (409, "wrong_state")


async def test_others_read_the_alias_and_never_the_name(api: Api) -> None:
    opportunity = await published(api, await api.project("Living with depression"))
    for token in await everybody(api):
        for path in ("/v1/opportunities", f"/v1/opportunities/{opportunity}"):
            text = (await api.get(path, token)).text
            assert "depression" not in text
            assert "Saturdays" in text


WHAT_SOMEBODY_LOOKS_FOR: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["A", "B", "C", "D"]),
    ({"kind": "weekly"}, ["A", "B"]),
    ({"kind": "online"}, ["D"]),
    ({"tags": "low_talk"}, ["A", "C"]),
    ({"tags": "low_talk,buddy"}, ["A"]),
    ({"tags": "buddy,low_talk"}, ["A"]),
    ({"tags": "nobody_has_this"}, []),
    ({"district": "CB4"}, ["A", "B"]),
    ({"self_referral": "true"}, ["A", "C", "D"]),
    ({"kind": "weekly", "district": "CB4", "tags": "low_talk", "self_referral": "true"}, ["A"]),
]


async def test_what_somebody_looks_for(api: Api) -> None:
    one, two = await api.project(), await api.project("Choir")
    await published(api, one, title="A", tags=["low_talk", "buddy"], district="CB4", referral="self_or_referred")
    await published(api, two, title="B", tags=["buddy"], district="CB4", referral="needed")
    await published(api, one, title="C", kind="one_off", tags=["low_talk"], district="CB1")
    await published(api, two, title="D", kind="online")
    await draft(api, two, title="E")
    for query, titles in WHAT_SOMEBODY_LOOKS_FOR:
        assert await found(api, **query) == titles, query


async def test_what_cannot_be_looked_for(api: Api) -> None:
    for name, value in [
        ("kind", "fortnightly"),
        ("tags", "Low"),
        ("tags", "a,,b"),
        ("tags", ""),
        ("tags", ",".join(["a"] * 11)),
        ("district", "cb4"),
        ("self_referral", "false"),
        ("self_referral", "1"),
        ("limit", "0"),
        ("cursor", "x"),
    ]:
        answer = await api.get("/v1/opportunities", None, **{name: value})
        assert (refusal(answer), fields(answer)) == ((400, "wrong_parameters"), [name]), value


async def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    headers = {"authorization": f"Bearer {api.scheme}"}
    answer = await api.client.get("/v1/opportunities?tags=a&tags=b", headers=headers)
    assert refusal(answer) == (400, "repeated_parameter")


async def test_page_by_page_in_the_order_of_titles(api: Api) -> None:
    project = await api.project()
    for title in ("c", "a", "b", "a", "d"):
        await published(api, project, title=title)
    for path in ("/v1/opportunities", f"/v1/projects/{project}/opportunities"):
        seen: list[dict[str, Any]] = []
        page = (await api.get(path, limit=2)).json()
        cursor = page["next"]
        while True:
            seen += page["opportunities"]
            if page["next"] is None:
                break
            page = (await api.get(path, limit=2, cursor=page["next"])).json()
        assert [one["title"] for one in seen] == ["a", "a", "b", "c", "d"]
        assert len({one["id"] for one in seen}) == 5
        assert refusal(await api.get("/v1/opportunities", cursor=cursor, kind="weekly")) == (400, "wrong_parameters")


async def test_a_list_goes_on_where_it_was_when_the_last_one_shown_has_another_title(api: Api) -> None:
    project = await api.project()
    for title in ("a", "b", "c", "d"):
        await published(api, project, title=title)
    for path, title, following in (
        ("/v1/opportunities", "x", ["c", "d", "x"]),
        (f"/v1/projects/{project}/opportunities", "y", ["d", "x", "y"]),
    ):
        page = (await api.get(path, limit=2)).json()
        await api.send("PATCH", f"/v1/opportunities/{page['opportunities'][-1]['id']}", {"title": title})
        rest = (await api.get(path, cursor=page["next"])).json()["opportunities"]
        assert [one["title"] for one in rest] == following


async def test_the_usual_tags_are_documented(api: Api) -> None:
    text = (await api.client.get("/docs/openapi.json")).text
    for tag in ("low_talk", "step_free", "buddy", "fifteen_minutes"):
        assert f"`{tag}`" in text
