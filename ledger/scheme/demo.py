"""A small scheme to look at: three projects, four venues, a dozen people, two weeks of giving and spending.

Made through the public verbs, so that it is as real as anything else in the journal; only in a database that has no
project yet. The keys are told once, to be printed: a second start has them no more.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.batcher import Batcher
from ledger.scheme.clock import Clock
from ledger.scheme.directory import Directory
from ledger.scheme.hours import Hours, Line, Register
from ledger.scheme.keys import SCHEME, Caller, Keys, Scope
from ledger.scheme.offers import Offers, Status
from ledger.scheme.people import People, Person
from ledger.scheme.projects import Projects
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.venues import Venues

_PEOPLE = (
    *("Ann", "Bilal", "Carys", "Dev", "Edith", "Femi"),
    *("Grace", "Hamid", "Iris", "Jola", "Kit", "Lwazi"),
)
# Name, alias, hour it starts, and how much each of some people gives: (index of the person, minutes).
_PROJECTS = (
    ("Repair cafe", "Saturdays", ((0, 150), (1, 150), (2, 150), (3, 45), (9, 120))),
    ("Open door, a drop-in of Cambridge Mind", "The garden room", ((4, 120), (5, 120), (6, 90), (7, 60))),
    ("River clean-up", "By the river", ((8, 180), (9, 180), (10, 180), (11, 165), (0, 180))),
)
# Venue, and its offers with their prices in minutes.
_VENUES = (
    ("Parkside pool", (("A swim", 60), ("Aqua aerobics", 90))),
    ("Corner theatre", (("A seat on Tuesday", 120), ("A tour backstage", 60))),
    ("The Tower", (("A ticket for one", 180), ("A late opening", 120))),
    ("Adult learning centre", (("Pottery, one evening", 120), ("First steps in Welsh", 60))),
)


class Demo(Struct, frozen=True, kw_only=True):
    """What to show: a key for each role, and a person and offers to try them with."""

    scheme_key: str
    project_key: str
    venue_key: str
    project: str
    offer: str
    person: Person


class Nouns(Struct, frozen=True, kw_only=True):
    """The verbs that the demo speaks with."""

    people: People
    projects: Projects
    hours: Hours
    venues: Venues
    offers: Offers
    redemptions: Redemptions
    keys: Keys


async def load(
    database: Database, batcher: Batcher, directory: Directory, clock: Clock, environment: str
) -> Demo | None:
    """Fill an empty scheme; None, and nothing done, if there is a project already."""
    async with database.reading() as connection:
        if await driver(connection).fetchval("SELECT EXISTS (SELECT FROM scheme.project)"):
            return None
    projects, venues, offers = Projects(database, clock), Venues(database, clock), Offers(database, clock)
    hours, keys = Hours(database, batcher, clock), Keys(database, clock, environment)
    redemptions = Redemptions(database, batcher, directory, clock)
    people = [await People(database, clock).create(name) for name in _PEOPLE]
    scheme_key, scheme_token = await keys.create(Scope.SCHEME, None, "demo: the office")
    office = Caller(key=scheme_key.id, scope=Scope.SCHEME, object=None)
