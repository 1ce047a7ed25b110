"""Batchers on the journal of a test, and what stops them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from ledger.journal.batcher import Batcher
from ledger.journal.posting import COPY_FROM_ENTRIES
from tests.journal.conftest import CHART, Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager


PORTIONS = (5, COPY_FROM_ENTRIES + 50)
"""Entries that go by one statement, and that go by COPY."""


def running(
    journal: Journal, *, queue_max: int = 20_000, batch_max: int = 1_000, said: list[str] | None = None, **session: str
) -> AbstractAsyncContextManager[Batcher]:
    """A batcher on the journal; `said` collects the statements of its connections."""

    async def connect(**own: str) -> asyncpg.Connection:
        connection = await journal.database.connect(**own, **session)
        if said is not None:
            connection.add_query_logger(lambda query: said.append(query.query))
        return connection

    return Batcher.running(connect, CHART, journal.clock, queue_max=queue_max, batch_max=batch_max)


@asynccontextmanager
async def head_locked(journal: Journal) -> AsyncIterator[None]:
    """While this is open, nobody can write."""
    async with journal.owner.transaction():
        await journal.owner.execute("SELECT FROM journal.head FOR UPDATE")
        yield
