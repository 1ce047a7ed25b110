"""Holds whose time runs out: they lapse once, whoever notices, and what was resolved before goes without a word."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Kind, Transfer
from ledger.journal.posting import post
from ledger.scheme import lapses
from ledger.scheme.chart import CHART, account
from ledger.scheme.lapses import LAPSES_MAX, lapse_due, lapse_id
from tests.journal.conftest import audit

NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLDER, GROUP, OFFER = uuid4(), uuid4(), uuid4()
WALLET, HELD = account("wallet", HOLDER), account("held", HOLDER)


async def posted(database: Database, *entries: Entry) -> None:
    async with database.transaction() as connection:
        await post(driver(connection), CHART, entries, NOW)


async def hold(database: Database, *transfers: Transfer, ends_at: datetime = NOW) -> UUID:
    """A hold of what is there, that ends at that moment."""
    given = [
        Entry(
            id=uuid4(),
            transfers=(Transfer("issued:x", each.debit, each.minutes),),
            happened_at=NOW,
            actor=uuid4(),
        )
        for each in transfers
        if each.least is None
    ]
    entry = Entry(id=uuid4(), kind=Kind.HOLD, transfers=transfers, happened_at=NOW, actor=uuid4())
    async with database.transaction() as connection:
        await post(driver(connection), CHART, [*given, entry], NOW)
        await lapses.put(driver(connection), entry.id, ends_at)
    return entry.id


async def lapsed(database: Database, now: datetime = NOW) -> int:
    async with database.transaction() as connection:
        return await lapse_due(driver(connection), now)


async def told(owner: asyncpg.Connection) -> list[tuple[str, UUID | None, str]]:
    rows = await owner.fetch("SELECT topic, holder, body FROM scheme.outbox ORDER BY at, id")
    return [(row["topic"], row["holder"], row["body"]) for row in rows]


@pytest.mark.parametrize(
    ("transfers", "event"),
    [
        ([Transfer(WALLET, HELD, 60)], ("hold_lapsed", HOLDER, '{"minutes":60}')),
        ([Transfer(WALLET, "transit", 45)], ("gift_lapsed", HOLDER, '{"minutes":45}')),
        (
            [
                Transfer(account("limit", OFFER), account("held_limit", OFFER), 60, -60),
                Transfer(account("allowance", OFFER), account("held_allowance", OFFER), 2, -40),
                Transfer(WALLET, HELD, 60),
            ],
            ("hold_lapsed", HOLDER, '{"minutes":60}'),
        ),
        (
            [Transfer(account("pot", GROUP), account("held_pot", GROUP), 120)],
            ("hold_lapsed", None, '{"minutes":120}'),
        ),
    ],
    ids=["a booking's", "a gift's", "with a place and a limit", "a pot's"],
)
async def test_all_of_it_goes_back_and_whom_it_concerns_is_told(
    database: Database,
    owner: asyncpg.Connection,
    transfers: list[Transfer],
    event: tuple[str, UUID | None, str],
) -> None:
    id_ = await hold(database, *transfers, ends_at=NOW + MINUTE)
    assert [await lapsed(database, NOW + MINUTE - timedelta(microseconds=1)), await told(owner)] == [0, []]
    assert [await lapsed(database, NOW + timedelta(hours=1)) for _ in range(2)] == [1, 0]
    left = await owner.fetch(
        "SELECT name FROM journal.balance WHERE balance <> 0 AND name <> 'issued:x' AND name <> ALL($1)",
        [each.debit for each in transfers if each.least is None],
    )
    assert left == []
    assert await told(owner) == [event]
    entry = await reading.entry(owner, lapse_id(id_))
    assert entry is not None
    assert (entry.kind, entry.happened_at, entry.reference) == (Kind.LAPSE, NOW + MINUTE, "lapse")
    assert await owner.fetchval("SELECT count(*) FROM scheme.lapse") == 0
    await audit(owner)


@pytest.mark.parametrize("kind", [Kind.CAPTURE, Kind.VOID, Kind.LAPSE])
async def test_what_was_resolved_before_goes_without_a_word(
    database: Database, owner: asyncpg.Connection, kind: Kind
) -> None:
    id_ = await hold(database, Transfer(WALLET, HELD, 60))
    taken = (Transfer(HELD, "redeemed:v", 60),) if kind is Kind.CAPTURE else ()
    await posted(database, Entry(id=uuid4(), kind=kind, target=id_, transfers=taken, happened_at=NOW, actor=uuid4()))
    position = await reading.position(owner)
    assert await lapsed(database) == 1
    assert (await reading.position(owner), await told(owner)) == (position, [])
    assert await owner.fetchval("SELECT count(*) FROM journal.refusal") == 0
    assert await owner.fetchval("SELECT count(*) FROM scheme.lapse") == 0


async def test_one_that_is_put_back_into_the_queue_lapses_no_second_time(
    database: Database, owner: asyncpg.Connection
) -> None:
    id_ = await hold(database, Transfer(WALLET, HELD, 60))
    for _ in range(2):
        assert await lapsed(database) == 1
        async with database.transaction() as connection:
            await lapses.put(driver(connection), id_, NOW)
    assert len(await told(owner)) == 1
    await audit(owner)


async def test_of_two_who_notice_at_once_one_lapses_it(dsn: str, database: Database, owner: asyncpg.Connection) -> None:
    async with Database.open(dsn) as other:
        for _ in range(10):
            await hold(database, Transfer(WALLET, HELD, 15))
            await asyncio.gather(lapsed(database), lapsed(other))
    assert [topic for topic, _, _ in await told(owner)] == ["hold_lapsed"] * 10
    assert await owner.fetchval("SELECT balance FROM journal.balance WHERE name = $1", WALLET) == 150
    await audit(owner)


async def test_many_lapse_in_portions_the_oldest_first(database: Database, owner: asyncpg.Connection) -> None:
    entries = [
        Entry(id=uuid4(), kind=kind, transfers=(transfer,), happened_at=NOW, actor=uuid4())
        for kind, transfer in [
            (Kind.PLAIN, Transfer("issued:x", WALLET, LAPSES_MAX + 7)),
            *[(Kind.HOLD, Transfer(WALLET, HELD, 1))] * (LAPSES_MAX + 7),
        ]
    ]
    await posted(database, *entries)
    async with database.transaction() as connection:
        for number, entry in enumerate(entries[:0:-1]):
            await lapses.put(driver(connection), entry.id, NOW + number * MINUTE)
    late = NOW + timedelta(days=9)
    assert await lapsed(database, late) == LAPSES_MAX
    assert await owner.fetchval("SELECT min(at) FROM scheme.lapse") == NOW + LAPSES_MAX * MINUTE
    assert [await lapsed(database, late) for _ in range(2)] == [7, 0]
    await audit(owner)
