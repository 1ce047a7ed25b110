"""Hours at the same time: neither claim is approved unseen, whichever came first, and each tells of the other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.conftest import blocked
from tests.doors.shed import TUESDAY, Shed


@pytest.fixture
async def shed(dsn: str) -> AsyncIterator[Shed]:
    async with Shed.open(dsn) as opened:
        yield opened


async def register(shed: Shed, person: str, **more: object) -> dict[str, Any]:
    """Carol's register of Tuesday, from half past ten to noon."""
    started_at = TUESDAY + timedelta(minutes=30)
    body = {
        "started_at": started_at.isoformat(),
        "ended_at": (started_at + timedelta(minutes=90)).isoformat(),
        "lines": [{"person": person, "minutes": 90}],
        **more,
    }
    return await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)


def seen(claim: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["id"], each["state"]) for each in claim["overlaps"]]


async def test_neither_is_approved_unseen_whichever_came_first(shed: Shed) -> None:
    earlier, plain = (await shed.claim())["id"], (await shed.claim(at=TUESDAY - timedelta(days=1)))["id"]
    assert (await shed.read(earlier))["overlapping"] is False
    [later] = (await register(shed, shed.ann))["claims"]
    found = await shed.read(earlier)
    assert (found["state"], found["exceptions"], found["overlapping"]) == ("submitted", [], True)
    assert found["explained"] == ["The times overlap with other hours, so somebody has a look first."]

    assert await shed.approve(earlier, later, plain) == ["has_exceptions", "has_exceptions", "awarded"]
    assert await shed.approve(later) == ["awarded"]
    assert await shed.approve(earlier, plain) == ["has_exceptions", "awarded"], "one press doesn't pay it twice"
    assert await shed.api.balance(shed.ann) == (60 + 90, 0)
    assert await shed.approve(earlier) == ["awarded"], "looked at by itself"
    assert (await shed.read(earlier))["overlapping"] is False, "it waits for nobody any more"


async def test_what_counts_no_more_is_in_nobodys_way(shed: Shed) -> None:
    earlier, plain = (await shed.claim())["id"], (await shed.claim(at=TUESDAY - timedelta(days=1)))["id"]
    later = await shed.claim(at=TUESDAY + timedelta(minutes=30))
    assert seen(await shed.read(later["id"])) == [(earlier, "submitted")]
    await shed.act(later["id"], "withdraw", token=shed.as_ann)
    found = await shed.read(earlier)
    assert (found["overlapping"], found["explained"], found["overlaps"]) == (False, [], [])
    assert await shed.approve(earlier, plain) == ["awarded", "awarded"]


async def test_one_that_begins_when_the_other_ends_overlaps_nothing_nor_do_another_persons(shed: Shed) -> None:
    first = (await shed.claim())["id"]
    after = (await shed.claim(at=TUESDAY + timedelta(hours=1)))["id"]
    bobs = (await shed.claim(token=shed.as_bob))["id"]
    draft = await shed.claim(draft=True)
    assert draft["state"] == "draft"
    assert await shed.approve(first, after, bobs) == ["awarded"] * 3


async def test_hours_that_come_while_an_approval_waits_are_seen_by_it(shed: Shed, owner: asyncpg.Connection) -> None:
    earlier, plain = (await shed.claim())["id"], (await shed.claim(at=TUESDAY - timedelta(days=1)))["id"]
    async with owner.transaction():
        await owner.execute("SELECT FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE", shed.ann_holder)
        approval = asyncio.create_task(shed.approve(earlier, plain))
        await blocked(owner)
        # As a register would have, which had the lock first.
        await owner.execute(
            """
            INSERT INTO scheme.claim (id, project, holder, started_at, ended_at, day, minutes, source, state,
                exceptions, second_needed, rules, by, created_at, changed_at)
            SELECT gen_random_uuid(), project, holder, started_at, ended_at, day, minutes, source, state, exceptions,
                second_needed, rules, by, created_at, changed_at
            FROM scheme.claim WHERE id = $1
            """,
            earlier,
        )
    assert await approval == ["has_exceptions", "awarded"]


async def test_the_other_hours_are_told_to_whoever_sees_them(shed: Shed) -> None:
    choir = await shed.api.project("Choir")
    as_choir = await shed.api.key("project", choir)
    here = (await shed.claim())["id"]
    [later] = (await register(shed, shed.ann))["claims"]
    sung = (await shed.claim(30, at=TUESDAY + timedelta(minutes=30), project=choir))["id"]
    others = {here: [later, sung], later: [here, sung], sung: [here, later]}
    for token in (shed.as_ann, shed.api.scheme):
        for claim, overlaps in others.items():
            found = await shed.read(claim, token)
            assert sorted(id_ for id_, _state in seen(found)) == sorted(overlaps)
            assert found["overlaps_elsewhere"] is False
    for token, claim, overlaps in (
        (shed.as_carol, here, [(later, "queried")]),
        (shed.as_carol, later, [(here, "submitted")]),
        (as_choir, sung, []),
    ):
        found = await shed.read(claim, token)
        assert (seen(found), found["overlaps_elsewhere"]) == (overlaps, True), "not when, nor at which project"
    found = await shed.read(here, shed.as_carol)
    assert [found["overlaps"][0][name] for name in ("project", "counts")] == [shed.project, 90]


async def test_whoever_reads_of_hours_at_a_sensitive_project_beside_others_is_written_down(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    choir = await shed.api.project("Choir")
    await shed.api.send("PATCH", f"/v1/projects/{choir}", {"sensitive": True})
    await shed.claim(30, project=choir)
    here = (await shed.claim())["id"]
    await owner.execute("TRUNCATE scheme.act")
    helper = await shed.helper("claim")
    changed = {"minutes": 45}
    for token in (shed.api.scheme, helper):
        assert (await shed.read(here, token))["overlaps"]
        assert (await shed.api.send("PATCH", f"/v1/claims/{here}", changed, token)).json()["overlaps"]
    acts = await owner.fetch("SELECT object FROM scheme.act WHERE verb = 'people_of_sensitive_project'")
    assert [str(row["object"]) for row in acts] == [choir] * 4


async def test_what_nobody_asked_about_is_submitted_once_its_times_overlap_nothing(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    await shed.claim()
    for asked in (False, True):
        claim = await shed.claim(at=TUESDAY + timedelta(minutes=30))
        assert (claim["state"], (await shed.read(claim["id"]))["asked"]) == ("queried", False)
        if asked:
            await shed.act(claim["id"], "query", {"text": "Which of the two?"})
            assert (await shed.read(claim["id"]))["asked"] is True
        later = {"started_at": (TUESDAY + timedelta(hours=3)).isoformat()}
        later["ended_at"] = (TUESDAY + timedelta(hours=4)).isoformat()
        changed = await shed.api.send("PATCH", f"/v1/claims/{claim['id']}", later, shed.as_ann)
        assert changed.status_code == 200, changed.text
        assert changed.json()["state"] == ("queried" if asked else "submitted"), "a question waits for its answer"
        topics = await owner.fetch("SELECT topic FROM scheme.outbox WHERE object = $1 ORDER BY at, id", claim["id"])
        assert ("claim_submitted" in {row["topic"] for row in topics}) is not asked
        await shed.act(claim["id"], "withdraw", token=shed.as_ann)
