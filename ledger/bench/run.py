"""The figures, what each means, and how each is measured.

=================== ==================================================================================================
bulk_per_s          awards to a county's 2,500 wallets in batches of 1,000, everything on: ids, floors, Merkle log
bulk_vs_copy        that / a bare COPY of the same rows into tables with the same indexes, 1,000 a transaction
http_per_s          walk-in redemptions over HTTP, whole (authentication, offer, price, floors, proof, commit), 64
                    connections, each wallet and request new
http_vs_hello       that / an empty Litestar POST on the same server program
hot_vs_spread       redemptions all at one venue / over fifty venues
lone_vs_insert      median of one posting alone / median of a one-row INSERT with its commit (lower is better)
grown_vs_empty      bulk posting for 2,500 wallets onto the grown journal / the same onto a nearly empty one
balance_read_ms     median of a balance as served (GET, authentication, everything) from the grown journal;
                    balance_grown_vs_small is its ratio to a journal of 10,000; balance_query_... is the query alone
statement_read_ms   the same for the newest page of a statement, 40 lines
verify_per_s        entries verified in full
page_..._vs_calls   the median of a page of the demo county / of the API calls that tell the same
rss_mib             the service process's highest resident memory under that load
filling_per_s       the same for all the wallets of the grown journal, new at first, while it grows
bytes_per_entry     the database's growth / entries, indexes included
=================== ==================================================================================================

The embedded PostgreSQL runs with its defaults, durability on. The load comes from ``client``, another process.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from ledger.app import settle_memory
from ledger.bench.fill import Awards, fill, now
from ledger.bench.http import Reader, measure_http
from ledger.bench.pages import COMPARED, measure_pages
from ledger.database import Database, Embedded, migrate
from ledger.journal import reading, verifying
from ledger.journal.batcher import Batcher
from ledger.scheme.chart import CHART

SMALL_ENTRIES = 10_000


class Size(Struct, frozen=True):
    """How much of everything."""

    grown_entries: int
    rounds: int
    http_requests: int
    lone: int
    reads: int


QUICK = Size(grown_entries=150_000, rounds=5, http_requests=4_000, lone=300, reads=300)
FULL = Size(grown_entries=10_000_000, rounds=9, http_requests=10_000, lone=1_000, reads=1_000)
# A wallet in use has this many lines at any size, or the statements of two journals couldn't be compared.
LINES = 40
# Who is about while posting is compared: a county's wallets.
ACTIVE_WALLETS = 2_500

Figures = dict[str, float]


class Journal:
    """One database with a batcher on it."""

    def __init__(self, database: Database, batcher: Batcher, connection: asyncpg.Connection, awards: Awards) -> None:
        self.database = database
        self.batcher = batcher
        self.connection = connection
        self.awards = awards

    async def rate(self, entries: int, awards: Awards | None = None) -> float:
        """Awards posted in a second, by the thousand; making them isn't counted."""
        made = (awards or self.awards).take(entries)
        return await _rate(entries, self.batcher.post_all(made))


async def _create(server: Embedded, name: str) -> None:
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    await asyncio.to_thread(migrate, server.dsn(name))


@asynccontextmanager
async def _journal(server: Embedded, name: str, wallets: int) -> AsyncIterator[Journal]:
    await _create(server, name)
    async with (
        Database.open(server.dsn(name)) as database,
        Batcher.running(database.connect, CHART, now) as batcher,
    ):
        connection = await database.connect(role="ledger")
        try:
            yield Journal(database, batcher, connection, Awards(wallets))
        finally:
            await connection.close()


async def alternately(
    rounds: int, first: Callable[[], Awaitable[float]], second: Callable[[], Awaitable[float]]
) -> tuple[float, float, float]:
    """The medians of two figures measured in turn, and the median of the rounds' ratios, first / second."""
    pairs = [(await first(), await second()) for _ in range(rounds)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


async def _rate(count: int, work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return count / (time.perf_counter() - started)


async def _median_ms(times: int, work: Callable[[int], Awaitable[object]]) -> float:
    taken = []
    for number in range(times):
        started = time.perf_counter()
        await work(number)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


async def _bulk(journal: Journal, size: Size) -> Figures:
    connection = journal.connection
    await connection.execute(
        "CREATE SCHEMA bare;"
        "CREATE TABLE bare.entry (LIKE journal.entry INCLUDING INDEXES);"
        "CREATE TABLE bare.transfer (LIKE journal.transfer INCLUDING INDEXES)"
    )
    batches = 10
    taken = 0
    county = journal.awards.only(ACTIVE_WALLETS)

    async def posted() -> float:
        return await journal.rate(batches * 1000, county)

    async def copied() -> float:
        nonlocal taken
        portions = []
        for _ in range(batches):
            portions.append([await _rows(connection, table, taken) for table in ("entry", "transfer")])
            taken += 1000

        async def copy() -> None:
            for entries, transfers in portions:
                async with connection.transaction():
                    await connection.copy_records_to_table("entry", schema_name="bare", records=entries)
                    await connection.copy_records_to_table("transfer", schema_name="bare", records=transfers)

        return await _rate(batches * 1000, copy())

    rate, copy_rate, ratio = await alternately(size.rounds, posted, copied)
    await connection.execute("DROP SCHEMA bare CASCADE")
    return {"bulk_per_s": rate, "copy_per_s": copy_rate, "bulk_vs_copy": ratio}


async def _rows(connection: asyncpg.Connection, table: str, after: int) -> list[tuple[object, ...]]:
    """The rows of a thousand entries, as they stand in the journal."""
    query = f"SELECT * FROM journal.{table} WHERE position > $1 AND position <= $1 + 1000"  # noqa: S608  # two tables
    return [tuple(row) for row in await connection.fetch(query, after)]


async def _lone(journal: Journal, size: Size) -> Figures:
    connection = journal.connection
    await connection.execute("CREATE TABLE public.bare (id bigint PRIMARY KEY, note text)")
    insert = await connection.prepare("INSERT INTO public.bare VALUES ($1, $2)")
    entries = journal.awards.take(size.lone * size.rounds)
    done = 0

    async def posted() -> float:
        nonlocal done
        done += size.lone
        return await _median_ms(size.lone, lambda number: journal.batcher.post(entries[done - size.lone + number]))

    async def inserted() -> float:
        return await _median_ms(size.lone, lambda number: insert.fetch(done + number, "x"))

    lone, one_row, ratio = await alternately(size.rounds, posted, inserted)
    await connection.execute("DROP TABLE public.bare")
    return {"lone_ms": lone, "insert_ms": one_row, "lone_vs_insert": ratio}


async def _grown(grown: Journal, empty: Journal, size: Size) -> Figures:
    """The same day's work onto both: as many wallets, of those that are there or, on the empty one, new at first."""
    on_all, on_new = grown.awards.only(ACTIVE_WALLETS), Awards(ACTIVE_WALLETS, seed=2)
    for journal, awards in ((grown, on_all), (empty, on_new)):
        await journal.rate(10_000, awards)
        await journal.connection.execute("CHECKPOINT")
    on_grown, on_empty, ratio = await alternately(
        size.rounds, lambda: grown.rate(10_000, on_all), lambda: empty.rate(10_000, on_new)
    )
    return {"grown_per_s": on_grown, "empty_per_s": on_empty, "grown_vs_empty": ratio}


_QUERIES: dict[str, Callable[[asyncpg.Connection, str], Awaitable[object]]] = {
    "balance": lambda connection, wallet: reading.balances(connection, [wallet]),
    "statement": lambda connection, wallet: reading.statement(connection, wallet, limit=50),
}


async def _reads(grown: Journal, small: Journal, size: Size) -> Figures:
    """A balance and the newest page of a statement: as served, and the journal's query alone."""
    figures: Figures = {}
    wallets = {}
    for journal in (grown, small):
        await journal.connection.execute("VACUUM ANALYZE")
        wallets[journal] = journal.awards.wallets[: SMALL_ENTRIES // LINES]
    async with (
        Reader.running(grown.database.dsn, wallets[grown]) as of_grown,
        Reader.running(small.database.dsn, wallets[small]) as of_small,
    ):
        for name, query in _QUERIES.items():

            async def served(reader: Reader, name: str = name) -> float:
                people = reader.people
                return await _median_ms(size.reads, lambda number: reader.get(people[number % len(people)], name))

            async def queried(journal: Journal, query: Callable[..., Awaitable[object]] = query) -> float:
                names = wallets[journal]
                return await _median_ms(
                    size.reads, lambda number: query(journal.connection, names[number % len(names)])
                )

            on_grown, _, ratio = await alternately(size.rounds, lambda: served(of_grown), lambda: served(of_small))
            figures |= {f"{name}_read_ms": on_grown, f"{name}_grown_vs_small": ratio}
            on_grown, _, ratio = await alternately(size.rounds, lambda: queried(grown), lambda: queried(small))
            figures |= {f"{name}_query_ms": on_grown, f"{name}_query_grown_vs_small": ratio}
    return figures


async def _verified(journal: Journal) -> Figures:
    entries = await reading.position(journal.connection)
    connection = await journal.database.connect(statement_timeout="0")
    try:
        return {"verify_per_s": await _rate(entries, verifying.verify_journal(connection))}
    finally:
        await connection.close()


async def _bytes(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT pg_database_size(current_database())"))


async def measure(size: Size, console: Console) -> Figures:
    """All the figures, on an embedded PostgreSQL of the bench's own."""
    settle_memory()  # as the service does
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder,
        Embedded(Path(folder) / "data") as server,
        Progress(
            "{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as progress,
    ):
        steps = progress.add_task("HTTP", total=7)

        def step(name: str) -> None:
            progress.update(steps, advance=1, description=name)

        await _create(server, "http")
        figures |= await measure_http(server.dsn("http"), size.rounds, size.http_requests)
        step("pages")
        await _create(server, "pages")
        figures |= await measure_pages(server.dsn("pages"), size.rounds, size.reads // 3)
        async with (
            _journal(server, "grown", size.grown_entries // LINES) as grown,
            _journal(server, "small", SMALL_ENTRIES // LINES) as small,
        ):
            step("bulk")
            before = await _bytes(grown.connection)
            figures |= await _bulk(grown, size)
            step("growing")
            growing = progress.add_task("entries", total=size.grown_entries)
            posted = await reading.position(grown.connection)
            growth = max(0, size.grown_entries - posted)
            figures["filling_per_s"] = await _rate(
                growth,
                fill(grown.batcher, grown.awards, growth, lambda count: progress.update(growing, advance=count)),
            )
            figures["bytes_per_entry"] = (await _bytes(grown.connection) - before) / await reading.position(
                grown.connection
            )
            await small.rate(SMALL_ENTRIES)
            step("reads")
            figures |= await _reads(grown, small, size)
            step("lone")
            figures |= await _lone(small, size)
            step("grown")
            figures |= await _grown(grown, small, size)
            step("verify")
            figures |= await _verified(grown)
    return figures


# The ratio, what the first column of ../shared/measurements.md asks for, what the second, and which way is better.
AIMS = {
    "bulk_vs_copy": (0.6, 0.85, ">="),
    "http_vs_hello": (0.5, 0.75, ">="),
    "hot_vs_spread": (0.9, 1.0, ">="),
    "lone_vs_insert": (4.0, 2.0, "<="),
    "grown_vs_empty": (0.8, 0.95, ">="),
    "balance_grown_vs_small": (1.2, 1.05, "<="),
    "statement_grown_vs_small": (1.2, 1.05, "<="),
    **{f"page_{compared.name}_vs_calls": (2.0, 2.0, "<=") for compared in COMPARED},
    "rss_mib": (200.0, 120.0, "<="),
}


def table(figures: Figures) -> Table:
    """The figures for people, the aims beside them."""
    shown = Table(title="Time Credits, measured")
    for column in ("figure", "value", "first aim", "then"):
        shown.add_column(column, justify="left" if column == "figure" else "right")
    for name, value in figures.items():
        first, then, better = AIMS.get(name, (None, None, ""))
        shown.add_row(
            name,
            f"{value:,.0f}" if value >= 1000 else f"{value:.3g}",  # noqa: PLR2004  # no decimals where none matter
            f"{better} {first}" if first else "",
            f"{better} {then}" if then else "",
        )
    return shown


def main(*, quick: bool, file: Path | None) -> None:
    """Measure, print, and write the JSON where it is wanted."""
    console = Console(stderr=True)
    figures = uvloop.run(measure(QUICK if quick else FULL, console))
    Console().print(table(figures))
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
