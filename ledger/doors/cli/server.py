"""Where the database is: LEDGER_DSN, the embedded server that a service runs, or one of the command's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import click

from ledger.database import Database, Embedded, Unfit, check
from ledger.doors.cli.answers import err
from ledger.journal.batcher import Batcher
from ledger.scheme.chart import CHART
from ledger.scheme.clock import system_clock
from ledger.scheme.directory import Directory
from ledger.settings import Settings

Result = TypeVar("Result")


def settings() -> Settings:
    """The settings, from the environment."""
    return Settings.from_environment(os.environ)


@contextmanager
def database_server(of: Settings, *, create: bool = False, share: bool = True) -> Iterator[str]:
    """The DSN of the database, for as long as the context lasts.

    Only `create` makes a cluster where there is none; without `share`, one that another process runs is refused.
    """
    if of.dsn:
        yield of.dsn
        return
    if not create and not (of.data / "cluster").exists():
        raise click.UsageError(
            f"There is no journal in {of.data.absolute()}: set LEDGER_DATA or LEDGER_DSN, or run `timecredits serve`."
        )
    embedded = Embedded(of.data)
    try:
        embedded.start()
    except Unfit:
        dsn = embedded.running_dsn() if share else None
        if dsn is None:
            raise
        yield dsn
        return
    try:
        yield embedded.dsn()
    finally:
        embedded.stop()


def with_database(of: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do the work on a database that is fit for it. Ctrl-C cancels it, and everything is closed."""

    async def opened(dsn: str) -> Result:
        async with Database.open(dsn, pool_size=of.pool_size) as database:
            await check(database)
            return await work(database)

    with database_server(of) as dsn:
        return asyncio.run(opened(dsn))


@asynccontextmanager
async def at_work(database: Database, of: Settings) -> AsyncIterator[tuple[Batcher, Directory]]:
    """The journal's writer and the directory, as verbs need them that move credits."""
    async with (
        Batcher.running(database.connect, CHART, system_clock) as batcher,
        Directory.running(database.connect, system_clock, of.environment) as directory,
    ):
        yield batcher, directory


def remark(text: str) -> None:
    """Something for people beside the answer."""
    err.print(text, markup=False, highlight=False)
