"""The application of the pages: its routes, a part of the house each, with the verbs that they call."""

from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from ledger.app.engine import Engine
from ledger.doors.api.inputs import StrictRequest
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
    groups,
    keepsakes,
    kiosk,
    opportunity,
    organisation,
    passes,
    passkey,
    person,
    preferences,
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
    voucher,
)
from ledger.doors.web.about import About
from ledger.doors.web.access import Access
from ledger.doors.web.entering import Entering
from ledger.doors.web.pages import say
from ledger.doors.web.paper import Press
from ledger.scheme.acquaintance import Acquaintances
from ledger.scheme.acts import Acts
from ledger.scheme.approvals import Approvals
from ledger.scheme.attendances import Attendances
from ledger.scheme.bookings import Bookings
from ledger.scheme.claiming import Claiming
from ledger.scheme.claims import Claims
from ledger.scheme.copies import Copies
from ledger.scheme.corrections import Corrections
from ledger.scheme.credentials import Credentials
from ledger.scheme.demo.cast import cast, tablets
from ledger.scheme.devices import Devices
from ledger.scheme.diary import Diary
from ledger.scheme.erasure import Erasure
from ledger.scheme.finding import Finding
from ledger.scheme.gifts import Gifts
from ledger.scheme.given import Given
from ledger.scheme.group_pots import GroupPots
from ledger.scheme.groups import Groups
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.home import Homes
from ledger.scheme.keyholders import Keyholders
from ledger.scheme.kiosks import Kiosks
from ledger.scheme.letters import Letters
from ledger.scheme.lines import Statements
from ledger.scheme.milestones import Milestones
from ledger.scheme.offers import Offers
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.overview import Overview
from ledger.scheme.paper import Paper
from ledger.scheme.passkeys import Passkeys
from ledger.scheme.people import People
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
from ledger.scheme.vouchers import Vouchers
from ledger.scheme.vouching import Vouching


def application(engine: Engine) -> Application:
    """Return what answers where people open a page."""
    settings = engine.settings
    handlers = [handler for part in _parts(engine) for handler in part]
    return Application(
        handlers,
        request_class=StrictRequest,
        exception_handlers=refused.HANDLERS,
        openapi_config=None,
        logging_config=None,
        # Only a live one can be without: in a demo letters are shown instead, and a test has nobody to be told.
        state=State({"sends_mail": bool(settings.smtp) or settings.environment != "live"}),
    )


def _parts(engine: Engine) -> Sequence[Sequence[HTTPRouteHandler]]:
    """Return the routes of each part of the house."""
    settings, database, clock = engine.settings, engine.database, engine.clock
    directory, batcher, notary = engine.directory, engine.batcher, engine.notary
    one_time, oidc = engine.one_time, engine.oidc
    # In a demo people come in by its front door, and have no passkey that they could show once more.
    pages = Access(SignIns(database, clock), settings.url, asks_again=settings.environment != "demo")
    about = About(
        scheme=settings.scheme,
        controller=settings.controller,
        email=settings.contact_email,
        phone=settings.contact_phone,
        url=settings.url,
    )
    press = Press(about)
    entering = Entering(pages, SignIns(database, clock))
    passkeys = Passkeys(database, clock, directory.secret, urlsplit(settings.url).hostname or "", settings.url)
    return [
        public.routes(pages, about, Rulebook(database, clock)),
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
        kiosk.routes(pages, Kiosks(database, directory, clock), clock, directory.secret),
        person.routes(
            pages,
            Homes(database, clock),
            Statements(database, clock),
            Helpers(database, clock),
            Guardians(database, clock),
            directory.secret,
        ),
        passes.routes(pages, Credentials(database, clock), clock, settings.url),
        style.routes(pages, clock) if settings.environment != "live" else [],
        preferences.routes(pages, Preferences(database, clock), People(database, clock)),
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
                GroupPots(database, clock),
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
            pages,
            GroupPots(database, clock),
            PotSpends(database, clock),
            Finding(database, clock),
            directory.secret,
        ),
        groups.routes(
            pages,
            Groups(database, clock, say),
            Keyholders(database, clock, say),
            Paper(database, clock),
            People(database, clock),
            directory.secret,
        ),
        batches.routes(
            pages,
            Paper(database, clock),
            Pots(database, clock),
            Groups(database, clock),
            press,
            directory.secret,
        ),
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
        trusted.routes(pages, Helpers(database, clock), Guardians(database, clock), Acquaintances(database, clock)),
        voucher.routes(pages, Vouchers(database, clock), Helpers(database, clock)),
        spend.routes(pages, Finding(database, clock), clock, directory.secret),
        booking.routes(
            pages,
            Bookings(database, clock),
            Diary(database, clock),
            Finding(database, clock),
            Helpers(database, clock),
            clock,
            directory.secret,
            settings.url,
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
                redemptions=Redemptions(database, batcher, directory, clock),
                press=press,
                about=about,
            ),
        ),
        *([organisation.routes(pages, entering, oidc, Vouching(database, clock, directory.secret))] if oidc else []),
    ]
