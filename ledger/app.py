"""The composition root: settings -> database -> journal -> scheme -> doors.

`serving` is the whole service, opened in that order and closed in the reverse; `create_app` is the same as an ASGI
application, for servers that open and close by the lifespan protocol. Nothing below reads the settings: what a module
needs, it gets as an argument here.

It refuses to start (`Unfit`) on a database that can't be trusted with the journal.
"""

import asyncio
import contextlib
import gc
import io
import re
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Final, TextIO

import structlog
from litestar import Litestar
from prometheus_client import CollectorRegistry, Gauge
from structlog.typing import ExcInfo

from ledger.database import Database, check, driver
from ledger.doors.api import (
    approvals,
    bookings,
    care,
    claims,
    credentials,
    devices,
    eligibility,
    expiry,
    gifts,
    groups,
    helping,
    journal,
    keys,
    notes,
    occasions,
    offers,
    openings,
    opportunities,
    paper,
    people,
    pots,
    projects,
    proofs,
    redemptions,
    registers,
    rules,
    sessions,
    venues,
    vouchers,
)
from ledger.doors.api.access import Access
from ledger.doors.api.answers import HANDLERS, KINDS, methods
from ledger.doors.api.examples import EXAMPLES
from ledger.doors.api.guard import ASGIApp, Receive, Scope, Send, guard
from ledger.doors.api.inputs import StrictRequest
from ledger.doors.api.openapi import documentation
from ledger.doors.api.operations import RequestMetrics, operations
from ledger.journal import log, reading
from ledger.journal.batcher import Batcher
from ledger.scheme.allocations import Allocations
from ledger.scheme.approvals import Approvals
from ledger.scheme.attendances import Attendances
from ledger.scheme.bookings import Bookings, occasion_cancelled
from ledger.scheme.chart import CHART
from ledger.scheme.claiming import Claiming
from ledger.scheme.claims import Claims
from ledger.scheme.clock import Clock, system_clock
from ledger.scheme.copies import Copies
from ledger.scheme.corrections import Corrections
from ledger.scheme.credentials import Credentials
from ledger.scheme.devices import Devices
from ledger.scheme.diary import Diary
from ledger.scheme.directory import Directory
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.erasure import Erasure
from ledger.scheme.expiry import Expiry
from ledger.scheme.finding import Finding
from ledger.scheme.gifts import Gifts
from ledger.scheme.groups import Groups
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.keys import Keys
from ledger.scheme.notes import Notes
from ledger.scheme.occasions import Occasions
from ledger.scheme.offers import Offers
from ledger.scheme.openings import Openings
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.paper import Paper
from ledger.scheme.people import People
from ledger.scheme.periodic import Periodic
from ledger.scheme.pot_spends import PotSpends
from ledger.scheme.pots import Pots
from ledger.scheme.projects import Projects
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.refusals import OUTAGES
from ledger.scheme.registers import Registers
from ledger.scheme.rules import Rulebook
from ledger.scheme.sessions import Sessions
from ledger.scheme.sites import Sites
from ledger.scheme.tills import Tills
from ledger.scheme.venues import Venues
from ledger.scheme.vouchers import Vouchers
from ledger.settings import Settings

_ABOUT: Final = """\
People give an hour at a community project and receive one Time Credit; they spend it at a partner venue.

All amounts are whole minutes: 60 are one Time Credit. Whatever moves credits takes an `Idempotency-Key`; the same key
and content again gives the same answer and never counts twice. Refusals are `application/problem+json`; each `code` is
explained [here](/docs/problems)."""

_DETAIL: Final = re.compile(r"\nDETAIL:.*?(?=\n\n|\nHINT:|\Z)", re.DOTALL)


def _trace(out: TextIO, exception: ExcInfo) -> None:
    """Write a plain trace without PostgreSQL's DETAIL, which shows whole rows."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exception)
    out.write(_DETAIL.sub("", plain.getvalue()))


# structlog's own way with a trace, where rich is installed, prints every local variable: keys, names, whole requests.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_trace),
    ],
    logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # where all other remarks go
)


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, dsn: str, *, clock: Clock = system_clock, durable: bool = True
) -> AsyncIterator[ASGIApp]:
    """The service on the database of that DSN, migrated before; the application answers until the block ends.

    `durable=False`, for tests only, accepts a server that loses commits when the power fails.
    """
    async with Database.open(dsn, pool_size=settings.pool_size) as database:
        await check(database, durable=durable)
        async with (
            Batcher.running(
                database.connect,
                CHART,
                clock,
                queue_max=settings.queue_max,
                batch_max=settings.batch_max,
            ) as batcher,
            Directory.running(database.connect, clock, settings.environment) as directory,
            _signing(settings, database, clock) as notary,
            _periodic(database, clock) as periodic,
        ):
            access = Access(directory)
            registry = CollectorRegistry()
            metrics = RequestMetrics(registry)
            application = Litestar(
                [
                    *venues.routes(access, Venues(database, clock), Sites(database, clock), directory.secret),
                    *offers.routes(access, Offers(database, clock), Finding(database), directory.secret),
                    *occasions.routes(access, Occasions(database, clock, occasion_cancelled), directory.secret),
                    *eligibility.routes(access, Eligibility(database, clock)),
                    *projects.routes(access, Projects(database, clock), Allocations(database, clock), directory.secret),
                    *opportunities.routes(access, Opportunities(database, clock), directory.secret),
                    *sessions.routes(access, Sessions(database, clock), Attendances(database, clock), directory.secret),
                    *people.routes(access, People(database, clock), directory.secret),
                    *helping.routes(access, Helpers(database, clock)),
                    *expiry.routes(access, Expiry(database, clock)),
                    *groups.routes(access, Groups(database, clock), directory.secret),
                    *gifts.routes(access, Gifts(database, clock), directory.secret),
                    *pots.routes(access, Pots(database, clock), PotSpends(database, clock), directory.secret),
                    *registers.routes(access, Registers(database, clock)),
                    *vouchers.routes(access, Vouchers(database, clock)),
                    *paper.routes(access, Paper(database, clock), directory.secret),
                    *notes.routes(access, Notes(database, clock)),
                    *openings.routes(access, Openings(database, clock)),
                    *claims.routes(access, Claims(database), Claiming(database, clock), directory.secret),
                    *approvals.routes(access, Approvals(database, clock), Corrections(database, clock)),
                    *care.routes(access, Guardians(database, clock), Copies(database, clock), Erasure(database, clock)),
                    *redemptions.routes(
                        access,
                        directory,
                        Tills(database, batcher, directory, clock),
                        Redemptions(database, batcher, directory, clock),
                    ),
                    *bookings.routes(access, Bookings(database, clock), Diary(database, clock), directory.secret),
                    *journal.routes(access, database),
                    *proofs.routes(access, database, notary.verifier),
                    *keys.routes(access, Keys(database, clock, settings.environment)),
                    *credentials.routes(access, Credentials(database, clock), directory.secret),
                    *devices.routes(access, Devices(database, clock, settings.environment), directory.secret),
                    *rules.routes(access, Rulebook(database, clock), directory.secret),
                    *operations(
                        ready=_Readiness(database),
                        registry=registry,
                        refresh=_together(
                            _JournalMetrics(registry, database, batcher, notary), _WorkMetrics(registry, periodic)
                        ),
                        metrics_token=settings.metrics_token,
                        metrics_open=settings.environment != "live",
                    ),
                ],
                request_class=StrictRequest,
                exception_handlers=HANDLERS,
                before_request=methods,
                openapi_config=documentation(
                    title="Time Credits",
                    version=version("timecredits"),
                    description=_ABOUT,
                    kinds=KINDS,
                    examples=EXAMPLES,
                ),
                logging_config=None,
            )
            # Litestar's own lifespan isn't entered: nothing of ours hangs on it.
            yield guard(
                application,
                hosts=settings.hosts,
                allowances={**registers.ALLOWANCES, **openings.ALLOWANCES},
                observe=metrics.observe,
            )


@contextlib.asynccontextmanager
async def _signing(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[log.Notary]:
    """The notary, with its key from the settings, signing for as long as the context lasts."""
    notary = log.Notary.open(settings.signing_key_path, settings.origin)
    signing = asyncio.create_task(log.run(database.connect, notary, clock), name="signer")
    try:
        yield notary
    finally:
        signing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await signing


@contextlib.asynccontextmanager
async def _periodic(database: Database, clock: Clock) -> AsyncIterator[Periodic]:
    """The periodic work, done when it is due for as long as the context lasts."""
    periodic = Periodic(database, clock)
    keeping = asyncio.create_task(periodic.keep(), name="periodic")
    try:
        yield periodic
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


def create_app(settings: Settings, dsn: str, *, durable: bool = True) -> ASGIApp:
    """The service as an ASGI application, which opens and closes with the server's lifespan messages."""
    answering: ASGIApp | None = None

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif answering is None:
            raise RuntimeError("requests are answered between lifespan's startup and shutdown only")
        else:
            await answering(scope, receive, send)

    async def live(receive: Receive, send: Send) -> None:
        nonlocal answering
        await receive()  # lifespan.startup
        started = False
        try:
            async with serving(settings, dsn, durable=durable) as opened:
                answering = opened
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()  # lifespan.shutdown
                answering = None
        except Exception:
            failed = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{failed}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    return application


def settle_memory() -> None:
    """Leave what was loaded at start out of every later collection of garbage.

    Each full collection walked all of it, 60 ms in which nobody was answered. Requests leave few cycles behind, so the
    young are looked at less often too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


class _Readiness:
    """Whether work can be taken: the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> str | None:
        try:
            async with self._database.reading() as connection:
                await reading.position(driver(connection))
        except tuple(OUTAGES):
            return "The database can't be reached."
        return None


def _together(*refreshes: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def refresh() -> None:
        for each in refreshes:
            await each()

    return refresh


class _WorkMetrics:
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
        for name, failures in self._periodic.failures.items():
            self._failures.labels(name).set(failures)
        with contextlib.suppress(*OUTAGES):
            for job in await self._periodic.standing():
                if job.lag_seconds is not None:
                    self._lag.labels(job.name).set(job.lag_seconds)
                if job.ran_at is not None:
                    self._success.labels(job.name).set(job.ran_at.timestamp())


class _JournalMetrics:
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
        with contextlib.suppress(*OUTAGES):
            async with self._database.reading() as connection:
                self._position.set(await reading.position(driver(connection)))
