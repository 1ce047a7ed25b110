"""Signing in without a letter or a passkey: each gives a cookie's value, for `sign_in` of pages and of windows.

Whoever is asked for without a person is somebody new, known by no other role.
"""

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from ledger.database import Database
from ledger.doors.web.access import Who
from ledger.scheme.callers import OPERATOR
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.codes import code_for
from ledger.scheme.demo import Demo
from ledger.scheme.devices import Devices, NewDevice
from ledger.scheme.people import NewPerson, People
from ledger.scheme.projects import NewProject, Projects
from ledger.scheme.roles import Grant, Role, Roles
from ledger.scheme.sign_ins import SignIns, Strength
from ledger.scheme.venues import NewVenue, Venues
from tests.daytime import daytime

Id = str | UUID
_numbers: Final = itertools.count(1)

# As a page is written, and a template: in a name it is nothing but letters.
MARKUP: Final = """<b>x&"'{{7*7}}"""
LONG_PERSON: Final = f"Bartholomew {MARKUP} Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh"
LONG_PROJECT: Final = f"Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch {MARKUP} Community Garden"
LONG_VENUE: Final = f"The Royal Hippodrome, Pump Rooms and {MARKUP} Conservatory of Saffron Walden and the Villages"


class Entrance:
    """Of the service on that database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._people = People(database, clock)
        self._roles = Roles(database, clock)
        self._projects = Projects(database, clock)
        self._venues = Venues(database, clock)
        self._devices = Devices(database, clock, "test")
        self._sign_ins = SignIns(database, clock)

    async def person(self, person: Id, strength: Strength = Strength.LINK) -> str:
        """Somebody who is known already: with a link a volunteer only, with a passkey in all of their roles."""
        holder = await self._people.holder(UUID(str(person)))
        return await self._sign_ins.begin(strength, holder=holder)

    async def coordinator(self, project: Id, person: Id | None = None) -> str:
        return await self._in_role(Role.COORDINATOR, person, project=project)

    async def approver(self, project: Id, person: Id | None = None) -> str:
        return await self._in_role(Role.APPROVER, person, project=project)

    async def manager(self, venue: Id, person: Id | None = None) -> str:
        return await self._in_role(Role.MANAGER, person, venue=venue)

    async def staff(self, person: Id | None = None) -> str:
        return await self._in_role(Role.STAFF, person)

    async def auditor(self, person: Id | None = None) -> str:
        return await self._in_role(Role.AUDITOR, person)

    async def till(self, venue: Id, site: Id | None = None) -> str:
        """A new one, enrolled."""
        return await self._enrolled(NewDevice(name="Front desk", venue=_id(venue), site=_id(site)))

    async def kiosk(self, project: Id) -> str:
        """A new one, enrolled."""
        return await self._enrolled(NewDevice(name="Tablet by the door", project=_id(project)))

    async def bare(self) -> dict[str, str]:
        """A newcomer, a project and a venue that have nothing yet but long names: their ids, as `known_of` has them."""
        person, _ = await self._people.create(OPERATOR, _key(), NewPerson(name=LONG_PERSON))
        project, _ = await self._projects.create(OPERATOR, _key(), NewProject(name=LONG_PROJECT, alias=LONG_PROJECT))
        venue, _ = await self._venues.create(OPERATOR, _key(), NewVenue(name=LONG_VENUE))
        return {"person": str(person.id), "project": str(project.id), "venue": str(venue.id)}

    async def _in_role(
        self, role: Role, person: Id | None, *, project: Id | None = None, venue: Id | None = None
    ) -> str:
        """By a passkey, which every role but a volunteer's takes."""
        if person is None:
            newcomer = NewPerson(name=f"{role.value.capitalize()} Jones")
            person = (await self._people.create(OPERATOR, _key(), newcomer))[0].id
        grant = Grant(person=UUID(str(person)), role=role, project=_id(project), venue=_id(venue))
        await self._roles.grant(OPERATOR, _key(), grant)
        return await self.person(person, Strength.PASSKEY)

    async def _enrolled(self, new: NewDevice) -> str:
        expected, _ = await self._devices.create(OPERATOR, _key(), new)
        return (await self._devices.enrol_here(expected.code))[1]


def known_of(shown: Demo) -> dict[str, str]:
    """What of the demo county addresses and fields are filled in with."""
    today = daytime().astimezone(LONDON).date()
    return {
        "person": str(shown.person.id),
        "project": str(shown.project.id),
        "venue": str(shown.venue.id),
        "offer": str(shown.offer.id),
        "friend": str(shown.friend.id),
        "card": shown.card,
        "lost": code_for(b"a secret of others", "card", shown.person.id),
        "yesterday": (today - timedelta(days=1)).isoformat(),
        "soon": (today + timedelta(days=9)).isoformat(),
    }


async def tokens_of(entrance: Entrance, known: Mapping[str, str]) -> dict[str, str]:
    """A cookie of somebody in each capacity, at what is known; nobody's for anybody."""
    project, venue = known["project"], known["venue"]
    return {
        Who.ANYBODY.value: "",
        Who.PERSON.value: await entrance.person(known["person"]),
        Who.COORDINATOR.value: await entrance.coordinator(project),
        Who.APPROVER.value: await entrance.approver(project),
        Who.MANAGER.value: await entrance.manager(venue),
        Who.STAFF.value: await entrance.staff(),
        Who.AUDITOR.value: await entrance.auditor(),
        Who.TILL.value: await entrance.till(venue),
        Who.KIOSK.value: await entrance.kiosk(project),
    }


def _id(given: Id | None) -> UUID | None:
    return None if given is None else UUID(str(given))


def _key() -> str:
    return f"entrance-{next(_numbers)}"
