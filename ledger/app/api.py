"""The application of the API: its routes, a noun each, with the verbs that they call; and its documentation."""

from importlib.metadata import version
from typing import Final

from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry

from ledger.app.engine import Engine
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
from ledger.doors.api.answers import HANDLERS, KINDS
from ledger.doors.api.examples import EXAMPLES
from ledger.doors.api.figures import JournalMetrics, Readiness, WorkMetrics, together
from ledger.doors.api.guard import ASGIApp
from ledger.doors.api.inputs import StrictRequest
from ledger.doors.api.openapi import documentation
from ledger.doors.api.operations import operations
from ledger.doors.application import Application
from ledger.doors.web.pages import say
from ledger.scheme.acts import Acts
from ledger.scheme.allocations import Allocations
from ledger.scheme.approvals import Approvals
from ledger.scheme.attendances import Attendances
from ledger.scheme.bookings import Bookings, occasion_cancelled
from ledger.scheme.claiming import Claiming
from ledger.scheme.claims import Claims
from ledger.scheme.copies import Copies
from ledger.scheme.corrections import Corrections
from ledger.scheme.credentials import Credentials
from ledger.scheme.devices import Devices
from ledger.scheme.diary import Diary
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.erasure import Erasure
from ledger.scheme.expiry import Expiry
from ledger.scheme.finding import Finding
from ledger.scheme.gifts import Gifts
from ledger.scheme.groups import Groups
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.keys import Keys
from ledger.scheme.leaving import Leaving
from ledger.scheme.notes import Notes
from ledger.scheme.occasions import Occasions
from ledger.scheme.offers import Offers
from ledger.scheme.openings import Openings
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.paper import Paper
from ledger.scheme.people import People
from ledger.scheme.pot_spends import PotSpends
from ledger.scheme.pots import Pots
from ledger.scheme.preferences import Preferences
from ledger.scheme.projects import Projects
from ledger.scheme.receipts import Receipts
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.registers import Registers
from ledger.scheme.roles import Roles
from ledger.scheme.rules import Rulebook
from ledger.scheme.sessions import Sessions
from ledger.scheme.sites import Sites
from ledger.scheme.tills import Tills
from ledger.scheme.venues import Venues
from ledger.scheme.vouchers import Vouchers

_ABOUT: Final = """\
People give an hour at a community project and receive one Time Credit; they spend it at a partner venue.

All amounts are whole minutes: 60 are one Time Credit. Whatever moves credits takes an `Idempotency-Key`; the same key
and content again gives the same answer and never counts twice. Refusals are `application/problem+json`; each `code` is
explained [here](/docs/problems)."""


def application(engine: Engine, registry: CollectorRegistry) -> Application:
    """Return what answers all that isn't a page's."""
    return Application(
        _routes(engine, registry),
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        openapi_config=documentation(
            title="Time Credits", version=version("timecredits"), description=_ABOUT, kinds=KINDS, examples=EXAMPLES
        ),
        logging_config=None,
    )


def _routes(engine: Engine, registry: CollectorRegistry) -> list[HTTPRouteHandler]:
    """Return the routes under /v1, and what operators ask."""
    settings, database, clock = engine.settings, engine.database, engine.clock
    directory, batcher, notary = engine.directory, engine.batcher, engine.notary
    access = Access(directory)
    return [
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
        *groups.routes(access, Groups(database, clock, say), directory.secret),
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
        *roles.routes(access, Roles(database, clock), Leaving(database, clock), Acts(database), directory.secret),
        *rules.routes(access, Rulebook(database, clock), directory.secret),
        *operations(
            ready=Readiness(database),
            registry=registry,
            refresh=together(
                JournalMetrics(registry, database, batcher, notary), WorkMetrics(registry, engine.periodic)
            ),
            metrics_token=settings.metrics_token,
            metrics_open=settings.environment != "live",
        ),
    ]


def lane(engine: Engine, application: ASGIApp) -> ASGIApp:
    """Return the application with the redemptions' lane in front."""
    tills = Tills(engine.database, engine.batcher, engine.directory, engine.clock)
    return redemptions.lane(application, engine.directory, tills)
