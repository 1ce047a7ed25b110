"""What runs in each process of the service, besides answering: opened in this order, closed in the reverse.

    database -> the journal's writer -> the directory -> the signer, periodic work, letters, the organisation's sign-in

It refuses to start (`Unfit`) on a database that can't be trusted with the journal.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from msgspec import Struct

from ledger.database import Database, check
from ledger.doors import mail
from ledger.doors.web import organisation
from ledger.doors.web.oidc import Client, Oidc
from ledger.doors.web.pages import say
from ledger.doors.web.voice import VOICE
from ledger.journal import log
from ledger.journal.batcher import Batcher
from ledger.scheme.chart import CHART
from ledger.scheme.clock import Clock
from ledger.scheme.directory import Directory
from ledger.scheme.letters import Letters
from ledger.scheme.one_time import OneTime
from ledger.scheme.periodic import Periodic, jobs
from ledger.scheme.vouching import Vouching
from ledger.settings import Settings


class Engine(Struct, frozen=True, kw_only=True):
    """What there is one of in each process, for the doors to work with."""

    settings: Settings
    clock: Clock
    database: Database
    batcher: Batcher
    directory: Directory
    notary: log.Notary
    periodic: Periodic
    one_time: OneTime
    oidc: Oidc | None


@contextlib.asynccontextmanager
async def running(settings: Settings, dsn: str, clock: Clock, *, tested: bool) -> AsyncIterator[Engine]:
    """The engine on the database of that DSN, migrated before.

    A `tested` one takes a server that loses commits, and does nothing that comes round by itself.
    """
    async with Database.open(dsn, pool_size=settings.pool_size) as database:
        await check(database, durable=not tested)
        _warn(settings)
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
            _periodic(database, clock, kept=not tested) as periodic,
            _writing(OneTime(database, clock, directory.secret, say)) as one_time,
            _organisation(settings, Vouching(database, clock, directory.secret), clock) as oidc,
            _delivering(settings, Letters(database, clock)),
        ):
            yield Engine(
                settings=settings,
                clock=clock,
                database=database,
                batcher=batcher,
                directory=directory,
                notary=notary,
                periodic=periodic,
                one_time=one_time,
                oidc=oidc,
            )


def _warn(settings: Settings) -> None:
    """Say what will do, and is likely not what was meant."""
    if settings.environment != "live":
        return
    log_ = structlog.get_logger(__name__)
    if not settings.smtp:
        log_.warning("no mail is sent: LEDGER_SMTP is empty")
    # The service itself speaks http, so where people open it by https a proxy is there.
    if settings.is_https and not settings.trusted_proxies:
        log_.warning("all who come through the proxy share its limits: LEDGER_TRUSTED_PROXIES is empty")


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


def periodic_work(database: Database, clock: Clock) -> Periodic:
    """All that comes round, which tells people in their languages."""
    return Periodic(database, clock, jobs(VOICE))


@contextlib.asynccontextmanager
async def _periodic(database: Database, clock: Clock, *, kept: bool) -> AsyncIterator[Periodic]:
    """The periodic work, done when it is due for as long as the context lasts, if it is `kept`."""
    periodic = periodic_work(database, clock)
    if not kept:
        yield periodic
        return
    keeping = asyncio.create_task(periodic.keep(), name="periodic")
    try:
        yield periodic
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


@contextlib.asynccontextmanager
async def _writing(one_time: OneTime) -> AsyncIterator[OneTime]:
    """The letters that were asked for last are written before the database is closed."""
    try:
        yield one_time
    finally:
        await one_time.settled()


@contextlib.asynccontextmanager
async def _organisation(settings: Settings, vouching: Vouching, clock: Clock) -> AsyncIterator[Oidc | None]:
    """The organisation's own sign-in, if the settings name one."""
    if not settings.oidc_issuer:
        yield None
        return
    client = Client(
        issuer=settings.oidc_issuer,
        id=settings.oidc_client,
        secret=settings.oidc_secret,
        redirect_uri=settings.url + organisation.BACK,
    )
    async with Oidc.running(client, vouching, clock) as oidc:
        yield oidc


@contextlib.asynccontextmanager
async def _delivering(settings: Settings, letters: Letters) -> AsyncIterator[None]:
    """Mail is sent for as long as the context lasts, if the settings say where."""
    if not settings.smtp:
        yield
        return
    work = mail.deliver(letters, mail.Server.read(settings.smtp), settings.mail_from)
    delivering = asyncio.create_task(work, name="mail")
    try:
        yield
    finally:
        delivering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await delivering
