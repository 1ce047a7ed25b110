"""Lists of claims over HTTP: in which order, to whom, and page by page."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.doors.house import Api
from tests.doors.shed import NOON, TUESDAY, Shed, refusal


@pytest.fixture
async def shed(dsn: str) -> AsyncIterator[Shed]:
    async with Shed.open(dsn) as opened:
        yield opened


async def paged(api: Api, path: str, token: str, size: int = 2, **query: object) -> list[list[dict[str, Any]]]:
    pages, cursor = [], None
    while True:
        more = query if cursor is None else {**query, "cursor": cursor}
        answer = await api.get(path, token, limit=size, **more)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["claims"])
        cursor = answer.json()["next"]
        if cursor is None:
            return pages


async def test_a_projects_list_has_exceptions_on_top_and_then_the_oldest(shed: Shed) -> None:
    made = []
    for days, minutes in enumerate([60, 375, 60, 390, 60]):
        shed.now = NOON + timedelta(minutes=days)
        made.append((await shed.claim(minutes, at=TUESDAY - timedelta(days=days, hours=5)))["id"])
    path = f"/v1/projects/{shed.project}/claims"
    pages = await paged(shed.api, path, shed.as_carol)
    assert [len(page) for page in pages] == [2, 2, 1]
    expected = [made[1], made[3], made[0], made[2], made[4]]
    assert [claim["id"] for page in pages for claim in page] == expected
    await shed.act(made[2], "query", {"text": "When?"})
    assert [
        [claim["id"] for claim in page] for page in await paged(shed.api, path, shed.as_carol, state="queried")
    ] == [[made[2]]]
    assert await shed.approve(made[0], made[4]) == ["awarded", "awarded"]
    approved = await paged(shed.api, path, shed.as_carol, state="approved", size=1)
    assert [[claim["id"] for claim in page] for page in approved] == [[made[4]], [made[0]]]


async def test_a_page_goes_on_where_the_last_one_ended_whatever_is_decided_meanwhile(shed: Shed) -> None:
    made = [
        (await shed.claim(375 if days < 4 else 60, at=TUESDAY - timedelta(days=days, hours=5)))["id"]
        for days in range(8)
    ]
    path = f"/v1/projects/{shed.project}/claims"
    first = (await shed.api.get(path, shed.as_carol, limit=3)).json()
    seen = [claim["id"] for claim in first["claims"]]
    # The last one seen loses what was exceptional about it, others are decided, new ones come.
    await shed.act(seen[2], "query", {"text": "All of it?"})
    at = (await shed.read(seen[2]))["started_at"]
    shorter = (datetime.fromisoformat(at) + timedelta(hours=1)).isoformat()
    changed = await shed.api.send("PATCH", f"/v1/claims/{seen[2]}", {"ended_at": shorter}, shed.as_ann)
    assert changed.json()["exceptions"] == []
    await shed.act(seen[2], "withdraw", token=shed.as_ann)
    assert await shed.approve(seen[0]) == ["waiting_for_second"]
    late = (await shed.claim(at=TUESDAY - timedelta(days=20)))["id"]
    rest, cursor = [], first["next"]
    while cursor:
        page = (await shed.api.get(path, shed.as_carol, limit=3, cursor=cursor)).json()
        rest += [claim["id"] for claim in page["claims"]]
        cursor = page["next"]
    assert sorted(seen + rest) == sorted([*made, late])
    assert not set(seen) & set(rest)


async def test_somebodys_claims_newest_first_to_those_who_may(shed: Shed) -> None:
    other = await shed.api.project("Choir")
    as_other = await shed.api.key("project", other)
    made = []
    for days in range(3):
        shed.now = NOON + timedelta(minutes=days)
        made.append((await shed.claim(at=TUESDAY - timedelta(days=days), draft=days == 2))["id"])
    shed.now = NOON + timedelta(minutes=5)
    sung = (await shed.claim(at=TUESDAY - timedelta(days=9), project=other))["id"]
    path = f"/v1/people/{shed.ann}/claims"
    helper = await shed.helper("claim")
    for token, expected in (
        (shed.as_ann, [sung, made[2], made[1], made[0]]),
        (helper, [sung, made[2], made[1], made[0]]),
        (shed.api.scheme, [sung, made[2], made[1], made[0]]),
        (shed.as_carol, [made[1], made[0]]),
        (as_other, [sung]),
    ):
        found = [claim["id"] for page in await paged(shed.api, path, token) for claim in page]
        assert found == expected
    stranger = await shed.api.key("project", await shed.api.project("Library"))
    for token in (shed.as_bob, stranger, await shed.helper("balance")):
        assert refusal(await shed.api.get(path, token)) == (404, "not_found")
    assert refusal(await shed.api.get(f"/v1/people/{uuid4()}/claims")) == (404, "not_found")


async def test_a_list_is_the_projects_own_and_a_cursor_the_lists(shed: Shed) -> None:
    other = await shed.api.project("Choir")
    for days in range(3):
        await shed.claim(at=TUESDAY - timedelta(days=days))
    path = f"/v1/projects/{shed.project}/claims"
    as_other = await shed.api.key("project", other)
    assert refusal(await shed.api.get(path, as_other)) == (404, "not_found")
    assert refusal(await shed.api.get(f"/v1/projects/{uuid4()}/claims")) == (404, "not_found")
    cursor = (await shed.api.get(path, shed.as_carol, limit=1)).json()["next"]
    assert (await shed.api.get(path, shed.as_carol, limit=1, cursor=cursor)).status_code == 200
    for wrong in ("e" + cursor[1:], cursor[2:], cursor[:-1], "p.", "x"):
        assert (await shed.api.get(path, shed.as_carol, cursor=wrong)).status_code == 400, wrong
    for elsewhere in (f"/v1/projects/{other}/claims", f"/v1/people/{shed.ann}/claims"):
        assert (await shed.api.get(elsewhere, cursor=cursor)).status_code == 400, elsewhere
    for query in ({"state": "nearly"}, {"state": "submitted", "cursor": cursor}):
        assert (await shed.api.get(path, shed.as_carol, **query)).status_code == 400, query
