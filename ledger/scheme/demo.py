"""A small scheme to look at: three projects, four venues, a dozen people, a fortnight of giving and spending.

Made through the public verbs, so it is as real as anything else in the journal; only in a database that has no project
yet. The keys are told once, to be printed: a second start has them no more.
"""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.batcher import Batcher
from ledger.scheme.clock import Clock
from ledger.scheme.credentials import Credentials
from ledger.scheme.directory import Directory
from ledger.scheme.keys import Caller, Keys, Scope
from ledger.scheme.offers import Details, NewOffer, Offer, Offers, Status
from ledger.scheme.people import NewPerson, People, Person
from ledger.scheme.projects import NewProject, Project, Projects
from ledger.scheme.registers import Line, Register, Registers
from ledger.scheme.terms import Party
from ledger.scheme.tills import Tills, Wanted
from ledger.scheme.venues import NewVenue, Venue, Venues

_PEOPLE = (
    *("Ann", "Bilal", "Carys", "Dev", "Edith", "Femi"),
    *("Grace", "Hamid", "Iris", "Jola", "Kit", "Lwazi"),
)
# Who runs the first project, and so approves the hours of others there.
_COORDINATOR = 11
# Name, alias, and what some of the people give each time: (place in _PEOPLE, minutes).
_PROJECTS = (
    ("Repair cafe", "Saturdays", ((0, 150), (1, 150), (2, 150), (3, 45), (9, 120))),
    ("Open door drop-in", "The garden room", ((4, 120), (5, 120), (6, 90), (7, 60), (1, 60))),
    ("River clean-up", "By the river", ((8, 180), (9, 180), (10, 180), (11, 165), (0, 180))),
)
# Name, and its offers with their prices in minutes.
_VENUES = (
    ("Parkside pool", (("A swim", 60), ("Aqua aerobics", 90))),
    ("Corner theatre", (("A seat on Tuesday", 120), ("A tour backstage", 60))),
    ("The Tower", (("A ticket for one", 180), ("A late opening", 120))),
    ("Adult learning centre", (("Pottery, one evening", 120), ("First steps in Welsh", 60))),
)
# Who spends, on which offer (places in the lists above, offers counted through), and whether at once or on hold.
_VISITS = ((0, 0, True), (1, 0, True), (2, 2, True), (4, 7, True), (8, 4, True), (9, 1, True), (0, 6, False))


class Demo(Struct, frozen=True, kw_only=True):
    """What to show: a token for each role, and what to try them with."""

    scheme_token: str
    project_token: str
    person_token: str
    venue_token: str
    project: Project
    venue: Venue
    offer: Offer
    person: Person
    card: str
    device: UUID


async def load(
    database: Database, batcher: Batcher, directory: Directory, clock: Clock, environment: str
) -> Demo | None:
    """Fill an empty scheme; None, and nothing done, where there is a project already."""
    async with database.reading() as connection:
        if await driver(connection).fetchval("SELECT EXISTS (SELECT FROM scheme.project)"):
            return None
    keys = Keys(database, clock, environment)
    scheme_key, scheme_token = await keys.create(Scope.SCHEME, None, "demo: the office")
    office = Caller(key=scheme_key.id, scope=Scope.SCHEME, object=None)
    people = [
        (await People(database, clock).create(office, f"demo-{name}", NewPerson(name=name)))[0] for name in _PEOPLE
    ]
    projects = [
        (await Projects(database, clock).create(office, f"demo-{alias}", NewProject(name=name, alias=alias)))[0]
        for name, alias, _ in _PROJECTS
    ]
    venues = [
        (await Venues(database, clock).create(office, f"demo-{name}", NewVenue(name=name)))[0] for name, _ in _VENUES
    ]
    offers = [
        await _published(Offers(database, clock), office, venue, title, price)
        for venue, (_, made) in zip(venues, _VENUES, strict=True)
        for title, price in made
    ]
    tills = {
        venue.id: await keys.create(Scope.VENUE, venue.id, f"demo: the till at {venue.name}") for venue in venues
    }
    await _give(Registers(database, clock), office, projects, people, clock())

    till = Tills(database, batcher, directory, clock)
    cards = {
        who: (await Credentials(database, clock).issue_card(office, f"demo-card-{who}", people[who].id))[0]
        for who in sorted({who for who, _, _ in _VISITS})
    }
    for number, (who, what, capture) in enumerate(_VISITS):
        read = till.code(str(cards[who].code))
        found = await directory.find(tills[offers[what].venue][1], offer=offers[what].id, code=read.lookup)
        assert found.caller is not None
        wanted = Wanted(offer=offers[what].id, party=Party(), name_checked=True)
        await till.redeem(found.caller, f"demo-visit-{number}", wanted, read, found, capture=capture)
    pool, pool_token = tills[venues[0].id]
    assert pool.device is not None
    return Demo(
        scheme_token=scheme_token,
        project_token=(
            await keys.create(Scope.PROJECT, projects[0].id, "demo: a coordinator", person=people[_COORDINATOR].id)
        )[1],
        person_token=(await keys.create(Scope.PERSON, None, "demo: a volunteer", person=people[0].id))[1],
        venue_token=pool_token,
        project=projects[0],
        venue=venues[0],
        offer=offers[0],
        person=people[0],
        card=str(cards[0].code),
        device=pool.device,
    )


async def _published(offers: Offers, office: Caller, venue: Venue, title: str, price: int) -> Offer:
    details = Details(title=title, price=price)
    offer, _ = await offers.create(office, f"demo-{title}", NewOffer(venue=venue.id, details=details))
    return await offers.change(offer.id, Status.PUBLISHED)


async def _give(
    registers: Registers, office: Caller, projects: list[Project], people: list[Person], now: datetime
) -> None:
    """Two weeks of registers, each project on a day of its own."""
    for days_ago in (14, 7):
        for day, (project, (_, _, given)) in enumerate(zip(projects, _PROJECTS, strict=True)):
            started = now - timedelta(days=days_ago - day)
            register = Register(
                project=project.id,
                started_at=started,
                ended_at=started + timedelta(hours=3),
                lines=[Line(minutes, people[who].id) for who, minutes in given],
            )
            await registers.record(office, f"demo-register-{days_ago}-{day}", register)
