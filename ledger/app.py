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
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry
from structlog.typing import ExcInfo

from ledger.database import Database, check
from ledger.doors import mail, web
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
    preferences,
    projects,
    proofs,
    redemptions,
    registers,
    roles,
    rules,
    sessions,
    venues,
    vouchers,
)
from ledger.doors.api.access import Access
from ledger.doors.api.answers import HANDLERS, KINDS, methods
from ledger.doors.api.examples import EXAMPLES
from ledger.doors.api.figures import JournalMetrics, Readiness, WorkMetrics, together
from ledger.doors.api.guard import Allowance, ASGIApp, Receive, Scope, Send, guard
from ledger.doors.api.inputs import StrictRequest
from ledger.doors.api.openapi import documentation
from ledger.doors.api.operations import RequestMetrics, operations
from ledger.doors.application import Application
from ledger.doors.web import (
    audit,
    batches,
    booking,
    claim,
    data,
    demo,
    do,
    enrol,
    gift,
    group_pot,
    keepsakes,
    kiosk,
    opportunity,
    organisation,
    passes,
    passkey,
    person,
    project,
    project_hours,
    project_people,
    public,
    receipts,
    refused,
    register,
    sign_in,
    sign_ins,
    spend,
    staff,
    style,
    till,
    trusted,
    venue,
)
from ledger.doors.web import (
    preferences as page_preferences,
)
from ledger.doors.web.access import Access as PageAccess
from ledger.doors.web.entering import Entering
from ledger.doors.web.oidc import Client, Oidc
from ledger.doors.web.pages import say
from ledger.doors.web.paper import Press
from ledger.journal import log
from ledger.journal.batcher import Batcher
from ledger.scheme.acquaintance import Acquaintances
from ledger.scheme.acts import Acts
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
from ledger.scheme.demo.cast import cast, tablets
from ledger.scheme.devices import Devices
from ledger.scheme.diary import Diary
from ledger.scheme.directory import Directory
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.erasure import Erasure
from ledger.scheme.expiry import Expiry
from ledger.scheme.finding import Finding
from ledger.scheme.gifts import Gifts
from ledger.scheme.given import Given
from ledger.scheme.group_pots import GroupPots
from ledger.scheme.groups import Groups
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.home import Homes
from ledger.scheme.keys import Keys
from ledger.scheme.kiosks import Kiosks
from ledger.scheme.letters import Letters
from ledger.scheme.lines import Statements
from ledger.scheme.milestones import Milestones
from ledger.scheme.notes import Notes
from ledger.scheme.occasions import Occasions
from ledger.scheme.offers import Offers
from ledger.scheme.one_time import OneTime
from ledger.scheme.openings import Openings
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.overview import Overview
from ledger.scheme.paper import Paper
from ledger.scheme.passkeys import Passkeys
from ledger.scheme.people import People
from ledger.scheme.periodic import Periodic
from ledger.scheme.pot_spends import PotSpends
from ledger.scheme.pots import Pots
from ledger.scheme.preferences import Preferences
from ledger.scheme.project_people import ProjectPeople
from ledger.scheme.projects import Projects
from ledger.scheme.receipts import Receipts
from ledger.scheme.recoveries import Recoveries
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.registers import Registers
from ledger.scheme.roles import Roles
from ledger.scheme.rules import Rulebook
from ledger.scheme.seeking import Seeking
from ledger.scheme.sessions import Sessions
from ledger.scheme.sheets import Sheets
from ledger.scheme.sign_ins import SignIns
from ledger.scheme.sites import Sites
from ledger.scheme.tills import Tills
from ledger.scheme.venues import Venues
from ledger.scheme.vouchers import Vouchers
from ledger.scheme.vouching import Vouching
from ledger.settings import Settings

_ABOUT: Final = """\
People give an hour at a community project and receive one Time Credit; they spend it at a partner venue.

All amounts are whole minutes: 60 are one Time Credit. Whatever moves credits takes an `Idempotency-Key`; the same key
and content again gives the same answer and never counts twice. Refusals are `application/problem+json`; each `code` is
explained [here](/docs/problems)."""


def _by_door(kind: type[Exception] | int) -> Callable[[Any, Any], Any]:
    """Whichever door the address belongs to renders the refusal: a page or a problem."""
    of_api, of_pages = HANDLERS.get(kind, HANDLERS[Exception]), refused.HANDLERS.get(kind, refused.HANDLERS[Exception])
    return lambda request, exc: (of_pages if web.is_page(request.scope["path"]) else of_api)(request, exc)


_HANDLERS: Final = {kind: _by_door(kind) for kind in {*HANDLERS, *refused.HANDLERS}}

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
            _writing(OneTime(database, clock, directory.secret, say)) as one_time,
            _organisation(settings, database, clock) as oidc,
            _delivering(settings, Letters(database, clock)),
        ):
            access = Access(directory)
            pages = PageAccess(SignIns(database, clock), settings.environment, settings.url)
            press = Press()
            entering = Entering(pages, SignIns(database, clock))
            passkeys = Passkeys(database, clock, urlsplit(settings.url).hostname or "", settings.url)
            registry = CollectorRegistry()
            metrics = RequestMetrics(registry)
            application = Application(
                [
                    *venues.routes(access, Venues(database, clock), Sites(database, clock), directory.secret),
                    *offers.routes(access, Offers(database, clock), Finding(database, clock), directory.secret),
                    *occasions.routes(access, Occasions(database, clock, occasion_cancelled), directory.secret),
                    *eligibility.routes(access, Eligibility(database, clock)),
                    *projects.routes(access, Projects(database, clock), Allocations(database, clock), directory.secret),
                    *opportunities.routes(access, Opportunities(database, clock), directory.secret),
                    *sessions.routes(access, Sessions(database, clock), Attendances(database, clock), directory.secret),
                    *people.routes(access, People(database, clock), directory.secret),
                    *preferences.routes(access, Preferences(database, clock)),
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
                    *claims.routes(access, Claims(database, clock), Claiming(database, clock), directory.secret),
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
                    *proofs.routes(access, database, Receipts(database, clock), notary.verifier),
                    *keys.routes(access, Keys(database, clock, settings.environment)),
                    *credentials.routes(access, Credentials(database, clock), directory.secret),
                    *devices.routes(access, Devices(database, clock, settings.environment), directory.secret),
                    *roles.routes(access, Roles(database, clock), Acts(database), directory.secret),
                    *rules.routes(access, Rulebook(database, clock), directory.secret),
                    *operations(
                        ready=Readiness(database),
                        registry=registry,
                        refresh=together(
                            JournalMetrics(registry, database, batcher, notary), WorkMetrics(registry, periodic)
                        ),
                        metrics_token=settings.metrics_token,
                        metrics_open=settings.environment != "live",
                    ),
                    *web.undocumented(
                        public.routes(pages),
                        *(
                            [
                                demo.routes(
                                    pages,
                                    People(database, clock),
                                    Roles(database, clock),
                                    SignIns(database, clock),
                                    Letters(database, clock),
                                    cast=partial(cast, database),
                                    tablets=partial(tablets, database),
                                )
                            ]
                            if settings.environment == "demo"
                            else []
                        ),
                        enrol.routes(pages, Devices(database, clock, settings.environment), SignIns(database, clock)),
                        till.routes(
                            pages,
                            till.Verbs(
                                directory,
                                Tills(database, batcher, directory, clock),
                                Redemptions(database, batcher, directory, clock),
                                Bookings(database, clock),
                                Diary(database, clock),
                                Offers(database, clock),
                                clock,
                                directory.secret,
                            ),
                        ),
                        venue.routes(
                            pages,
                            venue.Verbs(
                                Given(database),
                                Diary(database, clock),
                                Offers(database, clock),
                                Devices(database, clock, settings.environment),
                                Sites(database, clock),
                                press,
                                clock,
                            ),
                        ),
                        kiosk.routes(pages, Kiosks(database, directory, clock), clock),
                        person.routes(
                            pages,
                            Homes(database, clock),
                            Statements(database, clock),
                            Helpers(database, clock),
                            directory.secret,
                        ),
                        passes.routes(pages, Credentials(database, clock), clock),
                        style.routes(pages, clock) if settings.environment != "live" else [],
                        page_preferences.routes(pages, Preferences(database, clock), People(database, clock)),
                        data.routes(
                            pages,
                            People(database, clock),
                            Copies(database, clock),
                            Erasure(database, clock),
                            directory.secret,
                        ),
                        receipts.routes(pages, Receipts(database, clock), notary.verifier),
                        keepsakes.routes(pages, Milestones(database), Homes(database, clock), press, clock),
                        project.routes(
                            pages,
                            project.Verbs(
                                Sheets(database, clock),
                                Sessions(database, clock),
                                Attendances(database, clock),
                                Opportunities(database, clock),
                                Given(database),
                                clock,
                            ),
                        ),
                        opportunity.routes(pages, Opportunities(database, clock), directory.secret),
                        register.routes(pages, Registers(database, clock), Sheets(database, clock), press, clock),
                        project_hours.routes(
                            pages,
                            Claims(database, clock),
                            Approvals(database, clock),
                            Corrections(database, clock),
                            directory.secret,
                        ),
                        group_pot.routes(
                            pages, GroupPots(database, clock), PotSpends(database, clock), Finding(database, clock)
                        ),
                        batches.routes(pages, Paper(database, clock), Pots(database, clock), press, directory.secret),
                        project_people.routes(
                            pages,
                            ProjectPeople(database, clock),
                            Credentials(database, clock),
                            Sessions(database, clock),
                            press,
                            directory.secret,
                            clock,
                        ),
                        claim.routes(
                            pages,
                            Claims(database, clock),
                            Claiming(database, clock),
                            Projects(database, clock),
                            Helpers(database, clock),
                            directory.secret,
                        ),
                        do.routes(
                            pages,
                            Seeking(database, clock),
                            Attendances(database, clock),
                            Helpers(database, clock),
                            directory.secret,
                        ),
                        gift.routes(pages, Gifts(database, clock), Acquaintances(database, clock)),
                        trusted.routes(
                            pages, Helpers(database, clock), Guardians(database, clock), Acquaintances(database, clock)
                        ),
                        spend.routes(pages, Finding(database, clock), clock, directory.secret),
                        booking.routes(
                            pages,
                            Bookings(database, clock),
                            Diary(database, clock),
                            Finding(database, clock),
                            Helpers(database, clock),
                            clock,
                            directory.secret,
                        ),
                        sign_in.routes(
                            pages,
                            entering,
                            one_time,
                            passkey.Invitations(entering, passkeys, People(database, clock)),
                            SignIns(database, clock),
                            settings.url,
                            by_organisation=oidc is not None,
                        ),
                        passkey.routes(pages, entering, passkeys, by_organisation=oidc is not None),
                        sign_ins.routes(pages, SignIns(database, clock), passkeys),
                        audit.routes(pages, database, Acts(database), directory.secret),
                        staff.routes(
                            pages,
                            staff.House(
                                database=database,
                                clock=clock,
                                environment=settings.environment,
                                secret=directory.secret,
                                url=settings.url,
                                one_time=one_time,
                                recoveries=Recoveries(database, clock, directory.secret, say),
                                overview=Overview(database, clock),
                                press=press,
                            ),
                        ),
                        *([organisation.routes(pages, entering, oidc, Vouching(database, clock))] if oidc else []),
                    ),
                ],
                request_class=StrictRequest,
                exception_handlers=_HANDLERS,
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
                allowances={
                    "/": Allowance(types=web.FORM),
                    **dict.fromkeys(web.OTHERS, Allowance()),
                    **registers.ALLOWANCES,
                    **openings.ALLOWANCES,
                },
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


@contextlib.asynccontextmanager
async def _writing(one_time: OneTime) -> AsyncIterator[OneTime]:
    """The letters that were asked for last are written before the database is closed."""
    try:
        yield one_time
    finally:
        await one_time.settled()


@contextlib.asynccontextmanager
async def _organisation(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[Oidc | None]:
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
    async with Oidc.running(client, Vouching(database, clock), clock) as oidc:
        yield oidc


@contextlib.asynccontextmanager
async def _delivering(settings: Settings, letters: Letters) -> AsyncIterator[None]:
    """Mail is sent for as long as the context lasts, if the settings say where."""
    if not settings.smtp:
        if settings.environment == "live":
            structlog.get_logger(__name__).warning("no mail is sent: LEDGER_SMTP is empty")
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
