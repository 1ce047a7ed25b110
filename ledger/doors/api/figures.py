"""What operators read off: whether the service is ready, and the figures of its journal and its periodic work.

Each figure is read when it is asked for. Without the database those that it knows stay as they were.
"""

import contextlib
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Gauge

from ledger.database import Database, driver
from ledger.journal import log, reading
from ledger.journal.batcher import Batcher
from ledger.scheme.periodic import Periodic
from ledger.scheme.refusals import OUTAGES


class Readiness:
    """Whether work can be taken: the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> str | None:
        """Say why no work can be taken, or nothing."""
        try:
            async with self._database.reading() as connection:
                await reading.position(driver(connection))
        except tuple(OUTAGES):
            return "The database can't be reached."
        return None


def together(*refreshes: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Read all of these, one after the other."""

    async def refresh() -> None:
        for each in refreshes:
            await each()

    return refresh


class WorkMetrics:
    """The figures of periodic work: the database's, whichever process did it, and this process's failures."""

    def __init__(self, registry: CollectorRegistry, periodic: Periodic) -> None:
        self._periodic = periodic
        self._success = Gauge(
            "work_last_success_timestamp_seconds", "When the job last ended well.", ("job",), registry=registry
        )
        self._lag = Gauge("work_lag_seconds", "Seconds since all that was due was done.", ("job",), registry=registry)
        # A gauge by its type, for its value is read and not counted here.
        self._failures = Gauge("work_failures", "Runs that failed in this process.", ("job",), registry=registry)

    async def __call__(self) -> None:
        """Read them."""
        for name, failures in self._periodic.failures.items():
            self._failures.labels(name).set(failures)
        with contextlib.suppress(*OUTAGES):
            for job in await self._periodic.standing():
                if job.lag_seconds is not None:
                    self._lag.labels(job.name).set(job.lag_seconds)
                if job.ran_at is not None:
                    self._success.labels(job.name).set(job.ran_at.timestamp())


class JournalMetrics:
    """The journal's figures, read when they are asked for."""

    def __init__(self, registry: CollectorRegistry, database: Database, batcher: Batcher, notary: log.Notary) -> None:
        self._database = database
        waiting = Gauge("journal_queue_entries", "Entries waiting for the writer.", registry=registry)
        waiting.set_function(lambda: batcher.waiting)
        # A gauge by its type, for its value is read and not counted here.
        batches = Gauge("journal_batches", "Batches written by this process.", registry=registry)
        batches.set_function(lambda: batcher.batches)
        signed = Gauge("journal_signed_position", "The newest position under a checkpoint.", registry=registry)
        signed.set_function(lambda: notary.signed_size)
        refusing = Gauge(
            "journal_signer_refuses", "1 while no checkpoint can be signed; see the log.", registry=registry
        )
        refusing.set_function(lambda: notary.failure is not None)
        self._position = Gauge("journal_position", "Entries in the journal.", registry=registry)

    async def __call__(self) -> None:
        """Read them."""
        with contextlib.suppress(*OUTAGES):
            async with self._database.reading() as connection:
                self._position.set(await reading.position(driver(connection)))
