"""Preferences: one's own, with defaults, each changed by itself."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from ledger.database import Database
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.people import NewPerson, People, Person
from ledger.scheme.preferences import HOURS_MAX, MILESTONES_MAX, Language, Preference, PreferenceChanges, Preferences
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.house import Api

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


class World:
    """Ann, and the time."""

    def __init__(self, database: Database, ann: Person) -> None:
        self.now = NOW
        self.database = database
        self.ann = ann
        self.preferences = Preferences(database, lambda: self.now)

    @property
    def own(self) -> Caller:
        return Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=self.ann.holder)

    async def change(self, caller: Caller | None = None, **changes: Any) -> Preference:  # noqa: ANN401
        return await self.preferences.change(caller or self.own, self.ann.id, PreferenceChanges(**changes))


@pytest.fixture
async def world(database: Database) -> World:
    ann, _ = await People(database, lambda: NOW).create(STAFF, "ann", NewPerson(name="Ann"))
    return World(database, ann)


async def test_who_never_said_anything_has_the_defaults_and_no_row(world: World, owner: asyncpg.Connection) -> None:
    found = await world.preferences.read(world.own, world.ann.id)
    assert found == Preference(
        language=Language.ENGLISH, large_print=False, quiet=False, paused_at=None, named=True, milestones=()
    )
    assert await world.change() == found, "nothing was changed"
    assert await owner.fetchval("SELECT count(*) FROM scheme.preference") == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"language": Language.WELSH}, {"language": Language.WELSH}),
        ({"large_print": True}, {"large_print": True}),
        ({"quiet": True}, {"quiet": True}),
        ({"paused": True}, {"paused_at": NOW}),
        ({"named": False}, {"named": False}),
        ({"milestones": [100, 10, 10]}, {"milestones": [10, 100]}),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_change_sets_what_it_names_and_leaves_the_rest(
    world: World, changes: dict[str, Any], expected: dict[str, Any], *, is_first: bool
) -> None:
    before: dict[str, Any] = (
        {"milestones": []} if is_first else {"milestones": [5], "named": True, "language": Language.ENGLISH}
    )
    if not is_first:
        await world.change(**before)
    assert await world.change(**changes) == msgspec.structs.replace(
        Preference(milestones=before["milestones"]), **expected
    )
    assert await world.preferences.read(STAFF, world.ann.id) == await world.preferences.read(world.own, world.ann.id)


async def test_a_break_begins_once_and_ends_when_they_say_so(world: World) -> None:
    await world.change(paused=True)
    world.now += timedelta(days=3)
    assert (await world.change(paused=True)).paused_at == NOW, "it began then"
    assert (await world.change(quiet=True)).paused_at == NOW
    assert (await world.change(paused=False)).paused_at is None
    assert (await world.change(paused=True)).paused_at == NOW + timedelta(days=3)


async def test_two_changes_at_once_both_count(world: World) -> None:
    await asyncio.gather(world.change(quiet=True), world.change(large_print=True), world.change(named=False))
    found = await world.preferences.read(world.own, world.ann.id)
    assert (found.quiet, found.large_print, found.named) == (True, True, False)


@pytest.mark.parametrize(
    ("milestones", "said"),
    [
        (list(range(1, MILESTONES_MAX + 2)), "must be 20 at most"),
        ([0], "must be whole hours from 1 to 100000"),
        ([HOURS_MAX + 1], "must be whole hours from 1 to 100000"),
    ],
)
async def test_milestones_are_few_and_possible(world: World, milestones: list[int], said: str) -> None:
    with pytest.raises(Declined) as no:
        await world.change(milestones=milestones)
    assert (no.value.reason, no.value.fields) == (Refusal.WRONG_VALUES, (("milestones", said),))


async def test_they_are_ones_own_and_staffs_change_is_an_act(world: World, owner: asyncpg.Connection) -> None:
    await world.change(quiet=True)
    assert await owner.fetchval("SELECT count(*) FROM scheme.act WHERE verb = 'preferences_changed'") == 0
    await world.change(STAFF, large_print=True)
    act = await owner.fetchrow("SELECT by, holder FROM scheme.act WHERE verb = 'preferences_changed'")
    assert act is not None
    assert (act["by"], act["holder"]) == (STAFF.identity, world.ann.holder)


@pytest.mark.parametrize(
    "caller",
    [
        Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=uuid4()),
        Caller(key=uuid4(), scope=Scope.PROJECT, object=uuid4()),
        Caller(key=uuid4(), scope=Scope.VENUE, object=uuid4()),
        Caller(key=uuid4(), scope=Scope.AUDITOR, object=None, holder=uuid4()),
    ],
    ids=lambda caller: caller.scope.value,
)
async def test_to_anybody_else_nobody_is_there(world: World, caller: Caller) -> None:
    for asked in (world.preferences.read(caller, world.ann.id), world.change(caller, quiet=True)):
        with pytest.raises(Declined) as no:
            await asked
        assert no.value.reason is Refusal.NOT_FOUND
    with pytest.raises(Declined) as no:
        await world.preferences.read(STAFF, UUID(int=1))
    assert no.value.reason is Refusal.NOT_FOUND


async def test_they_go_with_the_person(world: World, owner: asyncpg.Connection) -> None:
    await world.change(milestones=[10])
    await owner.execute("UPDATE scheme.holder SET person = NULL WHERE person = $1", world.ann.id)
    await owner.execute("DELETE FROM scheme.person WHERE id = $1", world.ann.id)
    assert await owner.fetchval("SELECT count(*) FROM scheme.preference") == 0


async def test_over_http_what_is_not_there_stays(dsn: str) -> None:
    async with Api.running(dsn) as api:
        ann = await api.person()
        path, key = f"/v1/people/{ann['id']}/preferences", await api.key("person", person=ann["id"])
        assert (await api.send("PATCH", path, {"language": "cy", "milestones": [50, 10]}, key)).status_code == 200
        changed = await api.send("PATCH", path, {"quiet": True}, key)
        assert changed.json() == (await api.get(path, key)).json() == (await api.get(path)).json()
        assert changed.json() == {
            "language": "cy",
            "large_print": False,
            "quiet": True,
            "paused_at": None,
            "named": True,
            "milestones": [10, 50],
        }
        for body, status in (({"language": "fr"}, 422), ({"milestones": [0]}, 422), ({"quiet": None}, 400)):
            assert (await api.send("PATCH", path, body, key)).status_code == status, body
