"""The demo scheme: a county, three months after it began. Only in a database that has no project yet.

    parties -> each day's registers, claims, visits, bookings and gifts -> what waits today -> keys

Made through the public verbs, with a clock that goes through the three months: so it is as real as anything else in the
journal. A load that is killed goes on where it was at the next start, for each step is done once under its own key
(see ``making``); until its last step is done, no keys are shown. The keys are told once, to be printed.

Some 1,500 steps; ``AT_ONCE`` of one part of a day go on at the same time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import groupby
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.batcher import Batcher
from ledger.scheme.callers import SCHEME, Scope
from ledger.scheme.chart import CHART
from ledger.scheme.clock import Clock
from ledger.scheme.demo import county, history, names, waiting
from ledger.scheme.demo.making import OFFICE, Making, Present
from ledger.scheme.demo.places import VENUES
from ledger.scheme.demo.plan import (
    ANN,
    AUDITOR,
    BILAL,
    CHILDREN,
    GUARDIAN_BEFORE,
    PEOPLE,
    SPAN,
    STAFF,
    TEENAGERS,
    WITHOUT_CONSENT,
    Plan,
    Step,
    coordinator_of,
    deputy_of,
    has_card,
    has_pass,
    manager_of,
)
from ledger.scheme.directory import Directory
from ledger.scheme.districts import District, Districts
from ledger.scheme.keys import Keys
from ledger.scheme.offers import NewOffer, Offer
from ledger.scheme.people import AgeBand, Channel, NewPerson, Person, Reach
from ledger.scheme.projects import NewProject, Project
from ledger.scheme.roles import Role
from ledger.scheme.states import Participation
from ledger.scheme.telling import settle_all
from ledger.scheme.venues import NewVenue, Venue, Venues

# Of the pool's connections; the journal's writer has its own.
AT_ONCE: Final = 6
_FIRST: Final = "demo project 0"
_LAST: Final = "demo last step"
Told = Callable[[int], None]
"""Hears how far a load has come, in per cent."""
Result = TypeVar("Result")


class Demo(Struct, frozen=True, kw_only=True):
    """What to show: a token for each role, and what to try them with."""

    scheme_token: str
    project_token: str
    person_token: str
    venue_token: str
    project: Project
    venue: Venue
    offer: Offer
    ticket: Offer
    person: Person
    friend: Person
    card: str
    device: UUID


async def load(database: Database, clock: Clock, environment: str, told: Told = lambda _: None) -> Demo | None:
    """Fill an empty scheme, or go on where that ended; None, and nothing done, where there is another already."""
    async with database.reading() as connection:
        (standing,) = await driver(connection).fetch(_STANDING, SCHEME, _FIRST, _LAST)
    if standing["done"] or (standing["used"] and not standing["begun"]):
        return None
    now = Present(clock() - SPAN)
    async with (
        Batcher.running(database.connect, CHART, now) as batcher,
        Directory.running(database.connect, now, environment) as directory,
    ):
        making = Making(database, batcher, directory, now, environment)
        # Of a load that was killed, this is the answer that it had, and so the moment at which it began.
        now.at = (await making.project(0, _project(0))).created_at
        told(0)
        await _parties(making)
        plan = Plan(making, now.at)
        past = history.History(plan)
        waiting.begin(plan)
        past.add()
        waiting.add(plan)
        steps = plan.in_order()
        done = 0
        for _, part in groupby(steps, key=lambda step: step.part):
            at_once = list(part)
            now.at = at_once[-1].at
            await _at_once(partial(_take, now, step) for step in at_once)
            done += len(at_once)
            told(100 * done // len(steps))
        await making.kiosk(0, "The tablet by the tea urn")
        shown = await _shown(making, plan, Keys(database, now, environment))
        async with database.transaction() as connection:
            await settle_all(driver(connection), plan.now)
        await making.expected_till(_LAST, 0, "The new till by the turnstile")
    return shown


async def _take(now: Present, step: Step) -> None:
    now.is_then(step.at)
    await step.run()


async def _at_once(work: Iterable[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """Their results in order, some of them at the same time; if one fails, the others are cancelled."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(step: Callable[[], Awaitable[Result]]) -> Result:
        async with room:
            return await step()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(step)) for step in work]
    return [task.result() for task in tasks]


async def _parties(making: Making) -> None:
    """Everybody and everything that is there from the beginning."""
    districts = [District(name, north / 1000, east / 1000) for name, north, east in county.DISTRICTS]
    await Districts(making.database).load(districts)
    making.people = await _at_once(partial(making.known, who, newcomer) for who, newcomer in enumerate(_newcomers()))
    making.projects = await _at_once(
        partial(making.project, number, _project(number)) for number in range(len(county.PROJECTS))
    )
    made = await _at_once(partial(making.venue, spending.name, spending.sites) for spending in VENUES)
    making.venues = [venue for venue, _, _ in made]
    making.sites = [sites for _, sites, _ in made]
    making.tills = [till for _, _, till in made]
    offers = []
    for number, spending in enumerate(VENUES):
        for offering in spending.offerings:
            site = None if offering.site is None else making.sites[number][offering.site]
            details = msgspec.structs.replace(offering.details, site=site)
            asked = NewOffer(venue=making.venues[number].id, details=details)
            offers.append(partial(making.offer, asked, details.title, paused=offering.paused))
    making.offers = await _at_once(offers)
    all_times = [offering.times for spending in VENUES for offering in spending.offerings]
    await _at_once(
        partial(making.occasions_of, number, history.occasions(times, making.now()))
        for number, times in enumerate(all_times)
        if times is not None
    )
    await _at_once(
        [
            *(
                partial(making.role, coordinator_of(n), Role.COORDINATOR, project=n)
                for n in range(len(making.projects))
            ),
            *(partial(making.role, deputy_of(n), Role.APPROVER, project=n) for n in range(len(making.projects))),
            *(partial(making.role, manager_of(n), Role.MANAGER, venue=n) for n in range(len(making.venues))),
            *(partial(making.role, who, Role.STAFF) for who in STAFF),
            partial(making.role, AUDITOR, Role.AUDITOR),
        ]
    )
    await _at_once(
        partial(making.guardian, child, child - GUARDIAN_BEFORE, consents=child != WITHOUT_CONSENT)
        for child in CHILDREN
    )
    await _at_once(partial(making.card, who) for who in range(PEOPLE) if has_card(who))
    await _at_once(partial(making.phone_pass, who) for who in range(PEOPLE) if has_pass(who))
    applied = NewProject(name="Cambourne bereavement walks", alias="The Sunday walk", status=Participation.APPLIED)
    await making.project(len(county.PROJECTS), applied)
    lido = NewVenue(name="Jesus Green Lido", status=Participation.APPLIED)
    await Venues(making.database, making.now).create(OFFICE, "demo venue that applied", lido)


def _project(number: int) -> NewProject:
    giving = county.PROJECTS[number]
    return NewProject(name=giving.name, alias=giving.alias)


def _newcomers() -> list[NewPerson]:
    grown_up = names.grown_up(CHILDREN.start)
    children = [names.child_of(grown_up[child - GUARDIAN_BEFORE], child) for child in CHILDREN]
    return [
        NewPerson(name=name, age_band=_age_band(who), contact=_contact(who, name))
        for who, name in enumerate([*grown_up, *children])
    ]


def _age_band(who: int) -> AgeBand | None:
    """Many don't tell, and needn't."""
    if who in CHILDREN:
        return AgeBand.UNDER_8 if who % 7 == 0 else AgeBand.FROM_8
    if who in TEENAGERS:
        return AgeBand.FROM_16
    return AgeBand.ADULT if who % 3 else None


def _contact(who: int, name: str) -> Reach | None:
    """Of four people one leaves an email, one a phone; numbers and addresses that are nobody's."""
    if who in CHILDREN:
        return None
    if who % 4 == 0:
        email = f"{name.lower().replace(' ', '.')}@example.org"
        return Reach(email=email, channel=Channel.EMAIL, safe=True if who % 8 else None)
    if who % 4 == 1:
        return Reach(phone=f"07700 900{who:03}", channel=Channel.TEXT, safe=who % 20 != 1)
    return Reach(channel=Channel.IN_PERSON) if who % 12 == 2 else None  # noqa: PLR2004


async def _shown(making: Making, plan: Plan, keys: Keys) -> Demo:
    making.now.at = plan.now
    swim, ticket = plan.named("A swim"), plan.named("A day ticket with the special exhibition")
    till, project = making.tills[swim.venue], making.projects[0]
    chair = making.people[coordinator_of(0)].id
    venue = making.venues[swim.venue]
    return Demo(
        scheme_token=(await keys.create(Scope.SCHEME, None, "demo: the office"))[1],
        project_token=(await keys.create(Scope.PROJECT, project.id, "demo: a coordinator", person=chair))[1],
        person_token=(await keys.create(Scope.PERSON, None, "demo: a volunteer", person=making.people[ANN].id))[1],
        venue_token=(await keys.create(Scope.VENUE, venue.id, "demo: the till", device=till.device))[1],
        project=project,
        venue=venue,
        offer=making.offers[swim.number],
        ticket=making.offers[ticket.number],
        person=making.people[ANN],
        friend=making.people[BILAL],
        card=making.cards[ANN],
        device=till.device,
    )


_STANDING = """
SELECT EXISTS (SELECT FROM scheme.project) AS used,
    EXISTS (SELECT FROM scheme.answer WHERE principal = $1 AND key = $2) AS begun,
    EXISTS (SELECT FROM scheme.answer WHERE principal = $1 AND key = $3) AS done
"""
