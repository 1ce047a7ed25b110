"""Groups over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ledger.scheme.groups import MEMBERS_MAX
from tests.doors.house import Api


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def group(api: Api, name: str = "Gardeners") -> dict[str, Any]:
    return await api.made("/v1/groups", {"name": name})


async def members(api: Api, id_: str) -> dict[str, bool]:
    """Who is in it by name, and whether they are keyholders."""
    found = (await api.get(f"/v1/groups/{id_}")).json()["members"]
    return {member["name"]: member["keyholder"] for member in found}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"name": "x" * 200}, 201),
        ({"name": "'; DROP TABLE scheme.group; --"}, 201),
        ({"name": "<script>"}, 201),
        ({"name": "x" * 201}, 422),
        ({"name": ""}, 422),
        ({"name": " Gardeners"}, 422),
        ({"name": 1}, 400),
        ({}, 400),
        ({"name": "Gardeners", "pot": 60}, 400),
    ],
)
async def test_a_group_has_a_name(api: Api, owner: asyncpg.Connection, body: dict[str, Any], answer: int) -> None:
    made = await api.post("/v1/groups", body)
    assert made.status_code == answer
    if answer == 201:
        assert made.headers["location"] == f"/v1/groups/{made.json()['id']}"
        assert (await api.get(made.headers["location"])).json() == {**made.json(), "members": []}
        assert made.json()["name"] == body["name"]
    else:
        assert await owner.fetchval("SELECT count(*) FROM scheme.group") == 0


async def test_a_group_is_made_once(api: Api) -> None:
    first, again = [await api.post("/v1/groups", {"name": "Gardeners"}, key="k") for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert refusal(await api.post("/v1/groups", {"name": "Choir"}, key="k")) == (422, "key_reused")
    assert len((await api.get("/v1/groups")).json()["groups"]) == 1


async def test_people_come_and_go(api: Api) -> None:
    ann, bob, gardeners = await api.person(), await api.person("Bob"), await group(api)
    path = f"/v1/groups/{gardeners['id']}/members"
    joined = await api.send("PUT", f"{path}/{ann['id']}", {"keyholder": True})
    assert (joined.status_code, joined.json()["person"], joined.json()["name"]) == (200, ann["id"], "Ann")
    assert (await api.send("PUT", f"{path}/{bob['id']}", {"keyholder": False})).status_code == 200
    assert await members(api, gardeners["id"]) == {"Ann": True, "Bob": False}

    changed = await api.send("PUT", f"{path}/{ann['id']}", {"keyholder": False})
    assert changed.json() == {**joined.json(), "keyholder": False}
    assert await members(api, gardeners["id"]) == {"Ann": False, "Bob": False}

    for _ in range(2):
        gone = await api.send("DELETE", f"{path}/{ann['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
    assert await members(api, gardeners["id"]) == {"Bob": False}


async def test_what_is_sent_again_changes_nothing_and_each_change_stands_in_the_acts(api: Api) -> None:
    ann, gardeners = await api.person(), await group(api)
    path = f"/v1/groups/{gardeners['id']}/members/{ann['id']}"
    for keyholder in (False, False, True, True):
        await api.send("PUT", path, {"keyholder": keyholder})
    for _ in range(2):
        await api.send("DELETE", path)
    found = await api.acts(ann["id"])
    assert [act["verb"] for act in found] == ["group_joined", "keyholder_changed", "group_left"]
    assert {act["object"] for act in found} == {gardeners["id"]}


async def test_who_is_not_there_does_not_join(api: Api) -> None:
    ann, gardeners = await api.person(), await group(api)
    for id_, person in [(gardeners["id"], uuid4()), (uuid4(), ann["id"]), (uuid4(), uuid4())]:
        path = f"/v1/groups/{id_}/members/{person}"
        assert refusal(await api.send("PUT", path, {"keyholder": False})) == (404, "not_found")
        assert refusal(await api.send("DELETE", path)) == (404, "not_found")
    assert refusal(await api.get(f"/v1/groups/{uuid4()}")) == (404, "not_found")
    assert await members(api, gardeners["id"]) == {}


async def test_who_keeps_a_pot_with_credits_in_it_is_not_said_by_one_key(api: Api) -> None:
    ann, bob, cas = [await api.person(name) for name in ("Ann", "Bob", "Cas")]
    gardeners = await group(api)
    path = f"/v1/groups/{gardeners['id']}/members"
    for person in (ann, bob):  # as long as it is empty, each way
        for keyholder in (False, True):
            await api.send("PUT", f"{path}/{person['id']}", {"keyholder": keyholder})
    await api.give(await api.project(), {cas["id"]: 60})
    await api.made(f"/v1/groups/{gardeners['id']}/pot/gifts", {"giver": cas["id"], "minutes": 60})

    for person, keyholder in ((ann, False), (cas, True)):
        answer = await api.send("PUT", f"{path}/{person['id']}", {"keyholder": keyholder})
        assert refusal(answer) == (409, "wrong_state")
        assert "two people decide who keeps it" in answer.json()["detail"]
    assert refusal(await api.send("DELETE", f"{path}/{bob['id']}")) == (409, "wrong_state")
    assert await members(api, gardeners["id"]) == {"Ann": True, "Bob": True}, "and nobody joined on the way"

    # What changes no keyholder goes on as before.
    for person, keyholder in ((ann, True), (cas, False)):
        assert (await api.send("PUT", f"{path}/{person['id']}", {"keyholder": keyholder})).status_code == 200
    assert (await api.send("DELETE", f"{path}/{cas['id']}")).status_code == 204
    assert await members(api, gardeners["id"]) == {"Ann": True, "Bob": True}


@pytest.mark.parametrize("body", [{}, {"keyholder": None}, {"keyholder": 1}, {"keyholder": True, "pot": 1}])
async def test_a_member_is_a_keyholder_or_not(api: Api, body: dict[str, Any]) -> None:
    ann, gardeners = await api.person(), await group(api)
    answer = await api.send("PUT", f"/v1/groups/{gardeners['id']}/members/{ann['id']}", body)
    assert refusal(answer) == (400, "wrong_fields")
    assert await members(api, gardeners["id"]) == {}


async def test_a_group_does_not_grow_past_its_bound_when_all_come_at_once(api: Api, owner: asyncpg.Connection) -> None:
    people, gardeners = [await api.person(f"P{number}") for number in range(8)], await group(api)
    await owner.execute(
        "WITH p AS (INSERT INTO scheme.person (id, name, created_at) "
        "SELECT gen_random_uuid(), 'M', now() FROM generate_series(1, $2::integer) RETURNING id) "
        'INSERT INTO scheme.membership ("group", person, keyholder, joined_at) SELECT $1, id, false, now() FROM p',
        gardeners["id"],
        MEMBERS_MAX - 3,
    )
    paths = [f"/v1/groups/{gardeners['id']}/members/{person['id']}" for person in people]
    answers = await asyncio.gather(*(api.send("PUT", path, {"keyholder": False}) for path in paths))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 5
    assert len((await api.get(f"/v1/groups/{gardeners['id']}")).json()["members"]) == MEMBERS_MAX
    [inside, *_] = [path for path, answer in zip(paths, answers, strict=True) if answer.status_code == 200]
    assert (await api.send("PUT", inside, {"keyholder": True})).status_code == 200


async def test_groups_page_by_page(api: Api) -> None:
    made = [await group(api, f"Group {number}") for number in range(5)]
    seen: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await api.get("/v1/groups", limit=2, **query)).json()
        seen += page["groups"]
        if page["next"] is None:
            break
        query = {"cursor": page["next"]}
    assert seen == made
    assert refusal(await api.get("/v1/people", **query)) == (400, "wrong_parameters")
