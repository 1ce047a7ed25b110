"""The office: pages for the scheme's staff, who help whoever stands at the desk and look after all the rest.

    desk        what waits, finding people, a person at the desk, their cards and slips
    wallet      what somebody has: their lines and bookings; giving back, cancelling late, bringing back, old hours
    keeping     what is known of a person: name, contact, what they are cleared for, who is around them, erasing them
    rights      roles, sign-ins, invitations and recoveries
    deciding    hours that wait for a second approver, over all projects
    figures     what is outstanding, earned and spent, and used of quotas; how everything is running
    rulebook    the scheme's rules
    places      what projects and venues share: their lists, and their kiosks and tills
    projects    projects, with what funders granted, and their kiosks
    venues      venues, with their sites and tills
    offers      what a venue gives, and its dates; `terms` is the form of it
    clearances  what somebody can be cleared for, in the office's words

Whatever is done here is written to the audit trail by the verbs. A page with many buttons asks each under a key of its
own (`Form.key_for`).
"""

from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from ledger.database import Database
from ledger.doors.web.about import About
from ledger.doors.web.access import Access
from ledger.doors.web.paper import Press
from ledger.doors.web.staff import deciding, desk, figures, keeping, offers, projects, rights, rulebook, venues, wallet
from ledger.scheme.allocations import Allocations
from ledger.scheme.approvals import Approvals
from ledger.scheme.bookings import Bookings, occasion_cancelled
from ledger.scheme.claiming import Claiming
from ledger.scheme.clock import Clock
from ledger.scheme.credentials import Credentials
from ledger.scheme.desk import Desk
from ledger.scheme.devices import Devices
from ledger.scheme.diary import Diary
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.erasure import Erasure
from ledger.scheme.expiry import Expiry
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.leaving import Leaving
from ledger.scheme.lines import Statements
from ledger.scheme.occasions import Occasions
from ledger.scheme.offers import Offers
from ledger.scheme.one_time import OneTime
from ledger.scheme.overview import Overview
from ledger.scheme.people import People
from ledger.scheme.projects import Projects
from ledger.scheme.recoveries import Recoveries
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.roles import Roles
from ledger.scheme.rules import Rulebook
from ledger.scheme.sites import Sites
from ledger.scheme.venues import Venues


class House(Struct, frozen=True, kw_only=True):
    """What the office works with: the database and the clock, and what there is one of in each process."""

    database: Database
    clock: Clock
    environment: str
    secret: bytes
    """Signs cursors, and links to make a passkey."""
    url: str
    """The service's public address."""
    one_time: OneTime
    recoveries: Recoveries
    overview: Overview
    redemptions: Redemptions
    press: Press
    about: About


def routes(access: Access, house: House) -> list[HTTPRouteHandler]:
    """Return the routes of the office."""
    database, clock = house.database, house.clock
    at_desk, people = Desk(database, clock), People(database, clock)
    devices, roles = Devices(database, clock, house.environment), Roles(database, clock)
    all_projects, all_venues = Projects(database, clock), Venues(database, clock)
    sites, all_offers = Sites(database, clock), Offers(database, clock)
    statements, eligibility = Statements(database, clock), Eligibility(database, clock)
    return [
        *desk.routes(
            access,
            at_desk,
            people,
            Credentials(database, clock),
            statements,
            house.overview,
            house.press,
            house.secret,
            clock,
        ),
        *wallet.routes(
            access,
            wallet.Verbs(
                at_desk,
                people,
                statements,
                Expiry(database, clock),
                Diary(database, clock),
                Bookings(database, clock),
                house.redemptions,
                all_offers,
                all_venues,
                Claiming(database, clock),
                all_projects,
                house.secret,
            ),
        ),
        *keeping.routes(
            access,
            at_desk,
            people,
            eligibility,
            Helpers(database, clock),
            Guardians(database, clock),
            Erasure(database, clock),
        ),
        *rights.routes(
            access,
            at_desk,
            roles,
            Leaving(database, clock),
            all_projects,
            all_venues,
            house.one_time,
            house.recoveries,
            house.url,
        ),
        *deciding.routes(access, at_desk, Approvals(database, clock)),
        *figures.routes(access, house.overview, clock),
        *rulebook.routes(access, Rulebook(database, clock), at_desk, house.about, house.secret),
        *projects.routes(access, all_projects, Allocations(database, clock), devices, roles, house.secret, clock),
        *venues.routes(access, at_desk, all_venues, sites, all_offers, devices, roles, house.secret, clock),
        *offers.routes(
            access, all_venues, sites, all_offers, Occasions(database, clock, occasion_cancelled), eligibility
        ),
    ]
