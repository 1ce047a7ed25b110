"""Reading, against a recomputation from nothing but what was posted; and by index alone, however large the journal."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal import posting, reading
from ledger.journal.batcher import SESSION, Batcher
from ledger.journal.entries import Kind, Posted
from tests.journal.conftest import (
    CHART,
    NOON,
    Journal,
    award,
    capture,
    entry,
    hold,
    id_of,
    insert_chart,
    reasons,
    refund,
    reversal,
    steady_clock,
    void,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger.journal.entries import Entry
    from tests.conftest import Postgres


# ---- against what was posted


class Filled(NamedTuple):
    """A journal, and what it said when each of its entries was posted."""

    connection: asyncpg.Connection
    posted: list[Posted]

    @property
    def accounts(self) -> list[str]:
        return sorted(
            {name for each in self.posted for moved in each.transfers for name in (moved.debit, moved.credit)}
        )

    def lines(self, account: str) -> list[tuple[Posted, int, str]]:
        """Every transfer of the account: its entry, its signed minutes, and the other side."""
        return [
            (each, sign * moved.minutes, other)
            for each in self.posted
            for moved in each.transfers
            for sign, this, other in ((-1, moved.debit, moved.credit), (1, moved.credit, moved.debit))
            if this == account
        ]


def a_few_weeks() -> list[Entry]:
    """Some 100 entries over few accounts, with several transfers each and accounts on both sides of one entry."""
    choose = random.Random(7)  # noqa: S311  # a table of examples, not a secret
    entries: list[Entry] = []
    for number in range(24):
        who, other = choose.sample(["ann", "bob", "cat"], 2)
        entries += [
            award(f"a{number}", who, choose.randrange(60, 240), details=f'{{"n":{number}}}', reference=f"w{number}"),
            hold(f"h{number}", who, 50),
            capture(f"c{number}", f"h{number}", who, choose.choice([20, 50])),
            entry(
                f"p{number}",
                (f"wallet:{who}", f"wallet:{other}", 5),
                (f"wallet:{other}", "pot:club", 3),
                ("pot:club", f"wallet:{who}", 1),
            ),
        ]
        if number % 3 == 0:
            entries += [refund(f"r{number}", f"c{number}", who, 4), refund(f"s{number}", f"c{number}", who, 5)]
        if number % 4 == 0:
            entries += [hold(f"v{number}", who, 9), void(f"w{number}", f"v{number}")]
        if number % 5 == 0:
            entries += [award(f"x{number}", who, 7), reversal(f"y{number}", f"x{number}")]
    return entries


@pytest.fixture(scope="module")
async def filled(postgres: Postgres) -> AsyncIterator[Filled]:
    """A journal whose batches were recorded a minute apart, one to three entries each."""
    name = await postgres.create()
    owner: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
    try:
        await insert_chart(owner)
        posted: list[Posted] = []
        entries = a_few_weeks()
        async with Database.open(postgres.dsn(name)) as database:
            journal = Journal(database, owner)
            journal.clock = steady_clock(timedelta(minutes=1))
            while entries:
                size = 1 + len(entries) % 3
                outcomes = await journal.post(*entries[:size])
                posted += [outcome for outcome in outcomes if isinstance(outcome, Posted)]
                entries = entries[size:]
        assert len(posted) == len(a_few_weeks())
        yield Filled(owner, posted)
    finally:
        await owner.close()
        await postgres.drop(name)


async def test_a_balance_is_the_sum_of_what_moved_and_of_a_stranger_nothing(filled: Filled) -> None:
    accounts = [*filled.accounts, "wallet:stranger"]

    found = await reading.balances(filled.connection, accounts)

    assert found == {name: sum(minutes for _, minutes, _ in filled.lines(name)) for name in accounts}
    assert found["wallet:stranger"] == 0
    assert await reading.balances(filled.connection, []) == {}


@pytest.mark.parametrize("limit", [1, 3, 7, reading.PAGE_MAX])
async def test_a_statement_is_every_transfer_of_an_account_newest_first_in_pages(filled: Filled, limit: int) -> None:
    for account in filled.accounts:
        pages = []
        before = None
        while page := await reading.statement(filled.connection, account, before=before, limit=limit):
            assert len(page) <= limit
            pages += page
            before = page[-1].sequence

        lines = filled.lines(account)
        assert [(line.position, line.minutes, line.other) for line in reversed(pages)] == [
            (each.position, minutes, other) for each, minutes, other in lines
        ]
        assert [line.sequence for line in pages] == list(range(len(lines), 0, -1))
        assert [
            (line.entry, line.kind, line.happened_at, line.recorded_at, line.reference, line.details)
            for line in reversed(pages)
        ] == [
            (each.id, each.kind, each.happened_at, each.recorded_at, each.reference, each.details) for each, *_ in lines
        ]
        balance = 0
        for line in reversed(pages):
            balance += line.minutes
            assert line.balance == balance


async def test_a_page_has_a_limit_whatever_is_asked(filled: Filled) -> None:
    longest = max(filled.accounts, key=lambda name: len(filled.lines(str(name))))

    assert len(await reading.statement(filled.connection, longest)) == 50
    assert await reading.statement(filled.connection, "wallet:stranger") == []
    assert await reading.statement(filled.connection, longest, before=1) == []
    assert len(await reading.feed(filled.connection, limit=10**6)) == min(len(filled.posted), reading.PAGE_MAX)


async def test_a_balance_as_of_a_position_is_what_had_moved_by_then(filled: Filled) -> None:
    for account in [*filled.accounts, "wallet:stranger"]:
        lines = filled.lines(account)
        for position in range(0, len(filled.posted) + 2, 1 if account == "wallet:ann" else 9):
            expected = sum(minutes for each, minutes, _ in lines if each.position <= position)
            assert await reading.balance_at(filled.connection, account, position) == expected


async def test_a_balance_as_of_a_moment_is_what_had_been_recorded_by_then(filled: Filled) -> None:
    moments = sorted({each.recorded_at for each in filled.posted})
    assert len(moments) < len(filled.posted), "some entries share a moment"
    asked = [
        *moments,
        *(first + (second - first) / 2 for first, second in pairwise(moments)),
        *(moment - timedelta(microseconds=1) for moment in moments),
        moments[-1] + timedelta(days=1),
        datetime(1970, 1, 1, tzinfo=UTC),
    ]
    for account in ("wallet:ann", "redeemed:pool", "wallet:stranger"):
        lines = filled.lines(account)
        for moment in asked:
            expected = sum(minutes for each, minutes, _ in lines if each.recorded_at <= moment)
            assert await reading.balance_at(filled.connection, account, moment) == expected


async def test_an_entry_is_found_by_its_id_as_it_was_posted(filled: Filled) -> None:
    for each in filled.posted:
        assert await reading.entry(filled.connection, each.id) == each
    assert await reading.entry(filled.connection, UUID(int=0)) is None


async def test_what_was_done_to_an_entry_is_told_in_order(filled: Filled) -> None:
    most = 0
    for each in filled.posted:
        done = [later for later in filled.posted if later.target == each.position]
        assert await reading.resolution(filled.connection, each.position) == done
        most = max(most, len(done))
    assert most == 2


@pytest.mark.parametrize("limit", [1, 10, reading.PAGE_MAX])
async def test_the_feed_is_every_entry_in_order(filled: Filled, limit: int) -> None:
    found: list[Posted] = []
    while page := await reading.feed(filled.connection, after=len(found), limit=limit):
        assert len(page) <= limit
        found += page

    assert found == filled.posted
    assert await reading.position(filled.connection) == len(found)


async def test_the_trial_balance_is_each_kind_with_its_sum_and_all_of_them_are_zero(filled: Filled) -> None:
    sums: dict[str, int] = defaultdict(int)
    for account in filled.accounts:
        sums[account.partition(":")[0]] += sum(minutes for _, minutes, _ in filled.lines(account))

    totals = await reading.trial_balance(filled.connection)

    assert {total.kind: total.balance for total in totals if total.kind in CHART} == {
        name: sums[name] for name in CHART
    }
    assert {total.kind: total.floor for total in totals if total.kind in CHART} == CHART
    assert sum(total.balance for total in totals) == 0
    assert sums["wallet"] > 0


# ---- by index

LARGE = 50_000
LARGE_TABLES = {"entry", "transfer", "account", "detail", "refusal", "node"}


def many() -> list[Entry]:
    """50,000 entries, four in five with details, over 12,500 wallets, and 5,000 refusals."""
    entries: list[Entry] = []
    for number in range(LARGE // 5):
        n, who = f"{number}", f"p{number}"
        entries += [
            award(f"a{n}", who, 100, details="{}", reference=n),
            hold(f"h{n}", who, 50, details="{}"),
            capture(f"c{n}", f"h{n}", who, 40, details="{}"),
            entry(
                f"g{n}",
                (f"wallet:{who}", "pot:club", 1),
                (f"wallet:{who}", f"wallet:q{number % 2500}", 1),
                details="{}",
            ),
            refund(f"r{n}", f"c{n}", who, 5) if number % 2 else reversal(f"r{n}", f"g{n}"),
        ]
        if number % 2:
            entries.append(void(f"x{n}", "nothing"))
    return entries


@pytest.fixture(scope="module")
async def large(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of a large and analysed journal."""
    name = await postgres.create()
    try:
        owner: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
        await insert_chart(owner)
        async with (
            Database.open(postgres.dsn(name)) as database,
            Batcher.running(database.connect, CHART, steady_clock()) as batcher,
        ):
            outcomes = await batcher.post_all(many())
        assert set(reasons(outcomes)) == {"plain", "hold", "capture", "refund", "reversal", "target_unknown"}
        assert await reading.position(owner) == LARGE
        await owner.execute("ANALYZE")
        await owner.close()
        yield postgres.dsn(name)
    finally:
        await postgres.drop(name)


async def everything(connection: asyncpg.Connection) -> None:
    """Every read, and a post that takes every way through the door."""
    for account in ("wallet:p77", "issued:shed", "redeemed:pool", "wallet:stranger"):
        await reading.balances(connection, [account, "transit"])
        await reading.statement(connection, account)
        await reading.statement(connection, account, before=20, limit=200)
        await reading.balance_at(connection, account, 25_000)
        await reading.balance_at(connection, account, NOON + timedelta(milliseconds=20))
    assert await reading.entry(connection, id_of("c77"))
    assert len(await reading.resolution(connection, 77 * 5 + 3)) == 1
    assert len(await reading.feed(connection, after=30_000)) == 200
    await reading.position(connection)
    await reading.trial_balance(connection)
    replays = many()[-400:]
    fresh = [
        award("new", "p1", 60),
        void("no", "nowhere"),
        *(hold(f"hold {n}", f"p{n}", 1) for n in range(300)),
        *(refund(f"refund {n}", f"c{n}", f"p{n}", 1) for n in range(1, 300, 2)),
        *(capture(f"capture {n}", f"hold {n}", f"p{n}", 1) for n in range(300)),
    ]
    outcomes = await posting.post(connection, CHART, [*replays, *fresh], NOON)
    assert {"plain*", "target_unknown*", "plain", "hold", "capture", "refund", "target_unknown"} <= set(
        reasons(outcomes)
    )
    outcomes = await posting.post(
        connection, CHART, [void("one", "hold 1"), entry("two", kind=Kind.LAPSE, of="h5")], NOON
    )
    assert reasons(outcomes) == ["already_resolved", "already_resolved"]
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


def scanned_whole(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(scanned_whole(part) for part in plan.get("Plans", [])))


async def test_no_plan_of_reading_or_posting_scans_a_table_of_a_large_journal(large: str) -> None:
    said: dict[str, tuple[object, ...]] = {}

    def hear(query: Any) -> None:  # noqa: ANN401  # asyncpg's LoggedQuery has no public name
        said.setdefault(query.query, query.args)

    async with Database.open(large) as database:
        connection = await database.connect()
        transaction = connection.transaction()
        await transaction.start()
        with connection.query_logger(hear):
            await everything(connection)
        await transaction.rollback()
        await connection.close()
        planned = {query: arguments for query, arguments in said.items() if _has_a_plan(query)}
        assert len(planned) >= 15
        for known in (
            posting.ENTRIES_BY_ID,
            posting.ENTRIES_BY_POSITION,
            reading._STATEMENT,
            reading._BALANCE_AT_MOMENT,
        ):
            assert known in planned
        for settings in ({}, SESSION):
            connection = await database.connect(**settings)
            await connection.execute("SET plan_cache_mode = force_generic_plan")
            for number, (query, arguments) in enumerate(planned.items()):
                for_these = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arguments)
                await connection.execute(f"PREPARE q{number} AS {query}")
                nulls = f"({', '.join(['NULL'] * len(arguments))})" if arguments else ""
                for_any = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE q{number}{nulls}")
                for plan in (for_these, for_any):
                    assert not scanned_whole(plan[0]["Plan"]) & LARGE_TABLES, query
            await connection.close()


async def test_a_scan_would_be_noticed(large: str) -> None:
    async with Database.open(large) as database:
        connection = await database.connect()
        plan = await connection.fetchval(
            "EXPLAIN (FORMAT JSON) SELECT count(*) FROM journal.entry WHERE reference = 'x'"
        )
        await connection.close()
    assert scanned_whole(plan[0]["Plan"]) == {"entry"}


def _has_a_plan(query: str) -> bool:
    return query.split(maxsplit=1)[0] in {"SELECT", "WITH", "INSERT", "UPDATE"}


async def test_the_functions_and_triggers_inside_scan_none_either(large: str) -> None:
    counted = (
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'journal' AND relname = ANY($1::text[]) "
        "ORDER BY relname"
    )
    owner: asyncpg.Connection = await asyncpg.connect(large)
    before = [tuple(row) for row in await owner.fetch(counted, list(LARGE_TABLES))]
    assert len(before) == len(LARGE_TABLES)
    async with Database.open(large) as database:
        connection = await database.connect()
        transaction = connection.transaction()
        await transaction.start()
        for _ in range(7):  # from the sixth time on, PL/pgSQL may use a generic plan
            savepoint = connection.transaction()
            await savepoint.start()
            await everything(connection)
            await savepoint.rollback()
        await transaction.rollback()
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.close()
    looked = await owner.fetchval("SELECT idx_scan FROM pg_stat_user_tables WHERE relid = 'journal.transfer'::regclass")
    assert looked > 1_000
    assert [tuple(row) for row in await owner.fetch(counted, list(LARGE_TABLES))] == before
    await owner.close()
