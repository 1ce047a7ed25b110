"""The scheme's rules: what is documented of each, and what a change does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from ledger.database import Database
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.refusals import Declined
from ledger.scheme.rules import Rulebook, RuleChange, Rules, Value, table
from tests.daytime import daytime

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)


@pytest.fixture
def rulebook(database: Database) -> Rulebook:
    return Rulebook(database, lambda: NOW)


def test_every_rule_of_the_product_stands_here() -> None:
    assert {row.number for row in table()} == set(range(1, 33))
    assert [row.number for row in table()] == sorted(row.number for row in table())


@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_every_rule_is_explained_and_its_default_is_allowed(row: Any) -> None:  # noqa: ANN401  # pytest's parameter
    assert row.meaning.endswith(".")
    if isinstance(row.default, bool | str):
        assert row.default in row.choices
        assert (row.least, row.most, row.unit) == (None, None, "")
    else:
        assert row.least <= row.default <= row.most
        assert row.unit
        assert not row.choices
    assert getattr(Rules(), row.name) == row.default == row.value


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("credit_minutes", 60),
        ("step_minutes", 15),
        ("daily_cap_minutes", 8 * 60),
        ("weekly_note_minutes", 20 * 60),
        ("back_days", 60),
        ("future_days", 0),
        ("second_above_minutes", 6 * 60),
        ("auto_close_minutes", 4 * 60),
        ("allocation_warns_percent", 20),
        ("expiry_months", 0),
        ("walk_in_hold_minutes", 10),
        ("booking_hold_minutes", 48 * 60),
        ("visit_cap_minutes", 8 * 60),
        ("gift_month_minutes", 10 * 60),
        ("pot_both_above_minutes", 20 * 60),
        ("card_day_minutes", 4 * 60),
        ("offline_sync_minutes", 72 * 60),
        ("consent_months", 12),
        ("goods_for_credits", False),
        ("contact_months", 24),
        ("small_count_below", 5),
        ("quiet_from_minute", 20 * 60),
        ("quiet_until_minute", 9 * 60),
    ],
)
def test_the_defaults_are_the_products(name: str, default: Value) -> None:
    assert msgspec.structs.asdict(Rules())[name] == default


async def test_a_change_is_in_force_and_is_kept_with_who_and_when(rulebook: Rulebook) -> None:
    assert (await rulebook.in_force()).version == 1
    changed = await rulebook.change(STAFF, {"daily_cap_minutes": 420, "back_days": 30})
    assert (changed.version, changed.rules) == (2, Rules(daily_cap_minutes=420, back_days=30))
    assert await rulebook.in_force() == changed
    [version] = await rulebook.history(before=None, limit=10)
    assert (version.version, version.at, version.by) == (2, NOW, STAFF.identity)
    assert version.changes == [
        RuleChange(name="daily_cap_minutes", before=480, after=420),
        RuleChange(name="back_days", before=60, after=30),
    ]


async def test_only_what_differs_from_the_defaults_is_kept(rulebook: Rulebook, owner: asyncpg.Connection) -> None:
    await rulebook.change(STAFF, {"daily_cap_minutes": 420, "back_days": 60})
    await rulebook.change(STAFF, {"back_days": 30})
    await rulebook.change(STAFF, {"daily_cap_minutes": 480})
    kept = await owner.fetch("SELECT changes FROM scheme.rules ORDER BY version")
    assert [row["changes"] for row in kept] == [
        "{}",
        '{"daily_cap_minutes":420}',
        '{"daily_cap_minutes":420,"back_days":30}',
        '{"back_days":30}',
    ]


@pytest.mark.parametrize("values", [{}, {"daily_cap_minutes": 420}, {"goods_for_credits": False}])
async def test_what_changes_nothing_makes_no_version(rulebook: Rulebook, values: dict[str, Value]) -> None:
    before = await rulebook.change(STAFF, {"daily_cap_minutes": 420})
    assert await rulebook.change(STAFF, values) == before
    assert await rulebook.in_force() == before


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"second_above_minutes": 495}, ["second_above_minutes"]),
        ({"daily_cap_minutes": 345}, ["second_above_minutes"]),
        ({"daily_cap_minutes": 345, "second_above_minutes": 346}, ["second_above_minutes"]),
        ({"step_minutes": 25}, ["step_minutes"]),
        ({"step_minutes": 7, "second_above_minutes": 600}, ["step_minutes", "second_above_minutes"]),
        ({"sms_characters": 150}, ["sms_characters"]),
        ({"goods_for_credits": True, "step_minutes": 25}, ["goods_for_credits", "step_minutes"]),
        ({"back_days": 30, "reminders": 2}, ["reminders"]),
    ],
    ids=[
        "second approval above the daily cap",
        "the daily cap below the second approval",
        "both, and one minute apart",
        "no number of steps makes a credit",
        "two faults at once",
        "not enforced yet",
        "not enforced yet, and a fault",
        "not enforced yet, beside one that is",
    ],
)
async def test_what_cannot_be_is_declined_and_writes_nothing(
    rulebook: Rulebook, values: dict[str, Value], fields: list[str]
) -> None:
    with pytest.raises(Declined) as declined:
        await rulebook.change(STAFF, values)
    assert (declined.value.reason, [field for field, _ in declined.value.fields]) == ("wrong_values", fields)
    assert (await rulebook.in_force()).version == 1


@pytest.mark.parametrize(
    "values", [{"daily_cap_minutes": 345, "second_above_minutes": 345}, {"step_minutes": 20}, {"step_minutes": 60}]
)
async def test_what_goes_together_is_taken(rulebook: Rulebook, values: dict[str, Value]) -> None:
    assert (await rulebook.change(STAFF, values)).rules == msgspec.convert(values, Rules)


async def test_of_many_changes_at_once_none_is_lost(dsn: str, database: Database) -> None:
    enforced = {"back_days": 30, "weekly_note_minutes": 600, "contact_months": 12, "consent_months": 6}
    async with Database.open(dsn) as other:
        books = Rulebook(database, daytime), Rulebook(other, daytime)
        found = await asyncio.gather(
            *(books[number % 2].change(STAFF, {name: value}) for number, (name, value) in enumerate(enforced.items())),
        )
    assert sorted(change.version for change in found) == [2, 3, 4, 5]
    in_force = await books[0].in_force()
    assert (in_force.version, in_force.rules) == (5, msgspec.convert(enforced, Rules))
    assert [len(version.changes) for version in await books[0].history(before=None, limit=9)] == [1, 1, 1, 1]


async def test_the_same_change_by_two_at_once_is_one(rulebook: Rulebook) -> None:
    found = await asyncio.gather(*(rulebook.change(STAFF, {"back_days": 30}) for _ in range(5)))
    assert {change.version for change in found} == {2}


async def test_the_history_is_read_newest_first_and_page_by_page(database: Database) -> None:
    now = NOW
    rulebook = Rulebook(database, lambda: now)
    for days in (10, 20, 30):
        await rulebook.change(STAFF, {"back_days": days})
        now += timedelta(days=1)
    newest = await rulebook.history(before=None, limit=2)
    assert [(version.version, version.at) for version in newest] == [
        (4, NOW + timedelta(days=2)),
        (3, NOW + timedelta(days=1)),
    ]
    [first] = await rulebook.history(before=3, limit=2)
    assert first.changes == [RuleChange(name="back_days", before=60, after=10)]
    assert await rulebook.history(before=2, limit=2) == []
