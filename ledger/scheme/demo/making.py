"""Making the county: each step by the verb that the API would call, under a key of its own.

Whoever makes it is the demo, in the name of the office, a project, a till or a person: nobody's API key is needed for
what lies in the past. The keys of the steps hold a space, which no client's can; so a step that was done is heard
again when a load that was killed is resumed, and nothing is done twice. What has no key is the same when it is done
again. The time is what ``at`` says: it is put forward by whoever goes through the months.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.batcher import Batcher
from ledger.scheme import devices, lapses, roles
from ledger.scheme.allocations import Allocations, Allot
from ledger.scheme.approvals import Approvals, Approve
from ledger.scheme.attendances import Attendances, Presence
from ledger.scheme.bookings import Bookings, occasion_cancelled
from ledger.scheme.bookings import Wanted as Visit
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.claiming import Claiming, NewClaim
from ledger.scheme.corrections import Correct, Corrections
from ledger.scheme.credentials import Credentials
from ledger.scheme.devices import Devices, NewDevice
from ledger.scheme.directory import Directory
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.gifts import Gifts, NewGift, ToPot
from ledger.scheme.groups import Groups, NewGroup
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Grant, Helpers, May
from ledger.scheme.notes import Bring, Note, Notes
from ledger.scheme.occasions import NewOccasions, Occasions
from ledger.scheme.occasions import Times as OccasionTimes
from ledger.scheme.offers import NewOffer, Offer, Offers
from ledger.scheme.openings import Opening, OpeningLine, Openings
from ledger.scheme.opportunities import Details, Draft, Opportunities
from ledger.scheme.paper import Batch, Paper, Printing
from ledger.scheme.people import NewPerson, People, Person
from ledger.scheme.pot_spends import PotSpends, Propose
from ledger.scheme.pots import PassOn, Pots
from ledger.scheme.projects import NewProject, Project, Projects
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.registers import Line, Register, Registers
from ledger.scheme.sessions import Plan as SessionPlan
from ledger.scheme.sessions import Sessions
from ledger.scheme.sites import NewSite, Place, Sites
from ledger.scheme.states import Publication
from ledger.scheme.terms import Party
from ledger.scheme.tills import Tills
from ledger.scheme.tills import Wanted as Shown
from ledger.scheme.venues import NewVenue, Venue, Venues
from ledger.scheme.vouchers import Vouchers

OFFICE: Final = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)


_MOMENT: Final[ContextVar[datetime | None]] = ContextVar("moment of a step", default=None)


class Present:
    """The time of the county: it stands until it is put forward, and each step may have a moment of its own."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """The moment of the running task, or else of the county."""
        return _MOMENT.get() or self.at

    def is_then(self, moment: datetime) -> None:
        """Let it be that moment for the running task."""
        _MOMENT.set(moment)


class Till(Struct, frozen=True):
    """A venue's till, and as whom it speaks."""

    device: UUID
    caller: Caller


class Making:
    """What was made so far, in the order of the lists; and the verbs that make more of it."""

    def __init__(
        self, database: Database, batcher: Batcher, directory: Directory, now: Present, environment: str
    ) -> None:
        self.database = database
        self.directory = directory
        self.now = now
        self.people: list[Person] = []
        self.projects: list[Project] = []
        self.venues: list[Venue] = []
        self.sites: list[list[UUID]] = []
        self.tills: list[Till] = []
        self.offers: list[Offer] = []
        self.occasions: dict[int, Sequence[UUID]] = {}
        """Of each show and course, by the place of its offer."""
        self.cards: dict[int, str] = {}
        """The code on somebody's card, by their place."""
        self.made: dict[str, Sequence[UUID]] = {}
        """What came of a step, by its key: a claim, a redemption, bookings, a gift, a group."""
        self.batches: dict[str, Batch] = {}
        """Vouchers that were printed, by the key of the step."""
        self._registers = Registers(database, now)
        self._claiming = Claiming(database, now)
        self._approvals = Approvals(database, now)
        self._credentials = Credentials(database, now)
        self._tills = Tills(database, batcher, directory, now)
        self._bookings = Bookings(database, now)
        self._redemptions = Redemptions(database, batcher, directory, now)
        self._gifts = Gifts(database, now)
        self._devices = Devices(database, now, environment)
        self._groups = Groups(database, now)
        self._paper = Paper(database, now)
        self._vouchers = Vouchers(database, now)
        self._sessions = Sessions(database, now)
        self._attendances = Attendances(database, now)
        self._roles = roles.Roles(database, now)

    # --- in whose name ------------------------------------------------------------------------------------------

    def person(self, who: int) -> Caller:
        """Somebody, by their own key."""
        return Caller(key=SCHEME, scope=Scope.PERSON, object=None, holder=self.people[who].holder)

    def coordinator(self, project: int, who: int) -> Caller:
        """Somebody who speaks for a project."""
        return Caller(key=SCHEME, scope=Scope.PROJECT, object=self.projects[project].id, holder=self.people[who].holder)

    # --- parties ------------------------------------------------------------------------------------------------

    async def known(self, who: int, newcomer: NewPerson) -> Person:
        """Somebody."""
        return (await People(self.database, self.now).create(OFFICE, f"demo person {who}", newcomer))[0]

    async def project(self, number: int, asked: NewProject) -> Project:
        """A project."""
        return (await Projects(self.database, self.now).create(OFFICE, f"demo project {number}", asked))[0]

    async def venue(self, name: str, places: Sequence[Place]) -> tuple[Venue, list[UUID], Till]:
        """A venue with its sites, and a till at the first of them."""
        venue, _ = await Venues(self.database, self.now).create(OFFICE, f"demo venue {name}", NewVenue(name=name))
        sites = Sites(self.database, self.now)
        ids = [
            (await sites.add(OFFICE, f"demo site {place.name}", NewSite(venue=venue.id, place=place)))[0].id
            for place in places
        ]
        new = NewDevice(venue=venue.id, name="The front desk", site=ids[0] if len(ids) == 1 else None)
        expected, _ = await self._devices.create(OFFICE, f"demo till {name}", new)
        (device,) = await self._devices.of_venue(OFFICE, venue.id, after=None, limit=1)
        if device.enrolled_at is None:
            await self._devices.enrol(expected.code)
        async with self.database.reading() as connection:
            caller = await devices.speaking_for(driver(connection), device.id)
        return venue, ids, Till(device.id, caller)

    async def offer(self, asked: NewOffer, key: str, *, paused: bool) -> Offer:
        """An offer that is published; or was, and is paused."""
        offers = Offers(self.database, self.now)
        made, _ = await offers.create(OFFICE, f"demo offer {key}", asked)
        offer = await offers.change(OFFICE, made.id, Publication.PUBLISHED)
        return await offers.change(OFFICE, made.id, Publication.PAUSED) if paused else offer

    async def occasions_of(self, offer: int, times: Sequence[OccasionTimes]) -> None:
        """When a show or a course is."""
        asked = NewOccasions(offer=self.offers[offer].id, occasions=times)
        added, _ = await Occasions(self.database, self.now, occasion_cancelled).add(
            OFFICE, f"demo occasions {offer}", asked
        )
        self.occasions[offer] = [occasion.id for occasion in added]

    async def role(self, who: int, role: roles.Role, *, project: int | None = None, venue: int | None = None) -> None:
        """Give somebody a role."""
        grant = roles.Grant(
            person=self.people[who].id,
            role=role,
            project=None if project is None else self.projects[project].id,
            venue=None if venue is None else self.venues[venue].id,
        )
        await self._roles.grant(OFFICE, f"demo {role} {who}", grant)

    async def guardian(self, child: int, guardian: int, *, consents: bool) -> None:
        """Somebody who answers for a child, with their consent or not yet."""
        guardians, ids = Guardians(self.database, self.now), (self.people[child].id, self.people[guardian].id)
        await guardians.add(OFFICE, *ids)
        if consents:
            await guardians.consent(OFFICE, f"demo consent {child}", *ids)

    async def card(self, who: int) -> None:
        """A printed card."""
        issued, _ = await self._credentials.issue_card(OFFICE, f"demo card {who}", self.people[who].id)
        self.cards[who] = str(issued.code)

    async def project_card(self, project: int, coordinator: int, who: int) -> None:
        """A printed card, by the desk of a project that they come to."""
        caller = self.coordinator(project, coordinator)
        await self._credentials.issue_card(caller, f"demo card {who}", self.people[who].id)

    async def new_card(self, who: int) -> None:
        """Another card in the stead of one that was lost."""
        issued, _ = await self._credentials.replace_card(OFFICE, f"demo new card {who}", self.people[who].id)
        self.cards[who] = str(issued.code)

    async def eligible(self, who: int, word: str) -> None:
        """What somebody may do that not everybody may."""
        await Eligibility(self.database, self.now).give(OFFICE, self.people[who].id, word, None)

    async def helper(self, helped: int, helper: int) -> None:
        """Somebody who looks after what another has, and books for them."""
        may = (May.BALANCE, May.CLAIM, May.BOOK)
        grant = Grant(helped=self.people[helped].id, helper=self.people[helper].id, may=may)
        await Helpers(self.database, self.now).grant(OFFICE, f"demo helper {helped}", grant)

    async def opened(self, source: str, balances: Sequence[tuple[int, int]]) -> None:
        """What people had in the scheme that was there before."""
        lines = [OpeningLine(minutes, self.people[who].id) for who, minutes in balances]
        await Openings(self.database, self.now).open(OFFICE, "demo openings", Opening(source=source, lines=lines))

    async def notes(self, who: int, serials: Sequence[str]) -> None:
        """Old paper notes, an hour each, brought to the desk."""
        bring = Bring(person=self.people[who].id, notes=[Note(serial, 60) for serial in serials])
        await Notes(self.database, self.now).take(OFFICE, f"demo notes {who}", bring)

    async def phone_pass(self, who: int) -> None:
        """A pass on a phone."""
        await self._credentials.make_pass(self.person(who), f"demo pass {who}", self.people[who].id)

    # --- giving -------------------------------------------------------------------------------------------------

    async def register(
        self,
        key: str,
        project: int,
        coordinator: int,
        period: tuple[datetime, datetime],
        lines: Sequence[tuple[int, int]],
        *,
        papers: Sequence[tuple[str, int]] = (),
    ) -> None:
        """A session's register: who gave how many minutes, and vouchers for whoever has no account."""
        asked = Register(
            project=self.projects[project].id,
            started_at=period[0],
            ended_at=period[1],
            lines=[
                *(Line(minutes, self.people[who].id) for who, minutes in lines),
                *(Line(minutes, voucher=label) for label, minutes in papers),
            ],
        )
        recorded, _ = await self._registers.record(self.coordinator(project, coordinator), key, asked)
        self.made[key] = [claim for claim in recorded.claims if claim is not None]

    async def allot(self, project: int, minutes: int) -> None:
        """What a funder lets a project give."""
        asked = Allot(project=self.projects[project].id, funder="The County Foundation", minutes=minutes)
        await Allocations(self.database, self.now).allot(OFFICE, "demo allocation", asked)

    async def correct(self, register: str, minutes: int, reason: str) -> None:
        """Put the first line of a register right."""
        asked = Correct(claim=self.made[register][0], minutes=minutes, reason=reason)
        await Corrections(self.database, self.now).correct(OFFICE, f"{register} corrected", asked)

    async def opportunity(self, project: int, details: Details) -> None:
        """What can be done at a project, for everybody to find."""
        opportunities = Opportunities(self.database, self.now)
        draft = Draft(project=self.projects[project].id, details=details)
        made, _ = await opportunities.create(OFFICE, f"demo opportunity {project}", draft)
        await opportunities.change(OFFICE, made.id, Publication.PUBLISHED)
        self.made[f"demo opportunity {project}"] = [made.id]

    async def sessions(
        self, key: str, project: int, period: tuple[datetime, datetime], repeat: int, expected: Sequence[int]
    ) -> None:
        """Sessions of an opportunity, one a week; and who has booked for the first."""
        (opportunity,) = self.made[f"demo opportunity {project}"]
        asked = SessionPlan(
            project=self.projects[project].id,
            opportunity=opportunity,
            started_at=period[0],
            ended_at=period[1],
            repeat=repeat,
        )
        planned, _ = await self._sessions.plan(OFFICE, key, asked)
        self.made[key] = [session.id for session in planned]
        for who in expected:
            await self._attendances.book(self.person(who), planned[0].id, self.people[who].id)

    async def came(self, session: str, who: int) -> None:
        """Somebody who was expected came to a session."""
        (id_,), person = self.made[session], self.people[who].id
        listed = await self._attendances.page(OFFICE, id_, after=None, limit=100)
        # Whoever has left by now, in a load that was killed, isn't checked in again.
        if any(one.person == person and one.state is Presence.EXPECTED for one in listed):
            await self._attendances.check_in(OFFICE, id_, person, None)

    async def left(self, session: str, who: int) -> None:
        """Somebody left, and so claims the time between."""
        await self._attendances.check_out(OFFICE, self.made[session][0], self.people[who].id, None)

    async def claim(
        self,
        key: str,
        project: int,
        who: int,
        period: tuple[datetime, datetime],
        note: str | None = None,
        *,
        draft: bool = False,
    ) -> None:
        """Hours that somebody claims."""
        asked = NewClaim(
            project=self.projects[project].id, started_at=period[0], ended_at=period[1], note=note, draft=draft
        )
        claimed, _ = await self._claiming.claim(self.person(who), key, asked)
        self.made[key] = [claimed.id]

    async def approve(self, claim: str, project: int, coordinator: int) -> None:
        """Approve what was claimed under that key."""
        asked = Approve(project=self.projects[project].id, claims=self.made[claim])
        await self._approvals.approve(self.coordinator(project, coordinator), f"{claim} approved", asked)

    async def query(self, claim: str, project: int, coordinator: int, text: str) -> None:
        """Ask back about it."""
        caller, (id_,) = self.coordinator(project, coordinator), self.made[claim]
        await self._approvals.query(caller, f"{claim} queried", id_, text)

    # --- spending -----------------------------------------------------------------------------------------------

    async def visit(self, key: str, venue: int, offer: int, who: int, party: Party, *, by_pass: bool) -> None:
        """Somebody shows their card or their phone at a till, and it takes the price."""
        typed = self.cards.get(who)
        if by_pass or typed is None:
            typed = (await self._credentials.shown_pass(self.person(who), self.people[who].id)).code
        code, id_ = self._tills.code(typed), self.offers[offer].id
        found = await self.directory.find(offer=id_, code=code.lookup)
        wanted = Shown(offer=id_, party=party, name_checked=True)
        redeemed, _ = await self._tills.redeem(self.tills[venue].caller, key, wanted, code, found, capture=True)
        self.made[key] = [redeemed.id]

    async def refund(self, visit: str) -> None:
        """Give back what a visit cost: the office does."""
        await self._redemptions.refund(OFFICE, f"{visit} refunded", self.made[visit][0], None)

    async def book(
        self,
        key: str,
        offer: int,
        who: int,
        party: Party,
        *,
        visit_at: datetime | None = None,
        occasion: int | None = None,
    ) -> None:
        """Somebody books for themselves: a moment, an occasion, or a course."""
        visit = Visit(
            person=self.people[who].id,
            offer=self.offers[offer].id,
            visit_at=visit_at,
            occasion=None if occasion is None else self.occasions[offer][occasion],
            party=party,
        )
        booked, _ = await self._bookings.book(self.person(who), key, visit)
        self.made[key] = [booking.id for booking in booked.bookings]

    async def capture(self, booking: str, venue: int, session: int = 0) -> None:
        """Whoever booked came; of a course, to that session."""
        caller, id_ = self.tills[venue].caller, self.made[booking][session]
        await self._redemptions.capture(caller, f"{booking} captured {session}", id_, None)

    async def cancel(self, booking: str, who: int) -> None:
        """They can't come after all."""
        id_ = self.made[booking][0]
        await self._bookings.cancel(self.person(who), f"{booking} cancelled", id_, course=False)

    # --- between people -----------------------------------------------------------------------------------------

    async def gift(self, key: str, giver: int, receiver: int, minutes: int, words: str | None = None) -> None:
        """A gift, offered."""
        asked = NewGift(giver=self.people[giver].id, receiver=self.people[receiver].id, minutes=minutes, words=words)
        offered, _ = await self._gifts.offer(self.person(giver), key, asked)
        self.made[key] = [offered.id]

    async def accept(self, gift: str, receiver: int) -> None:
        """It is accepted."""
        await self._gifts.accept(self.person(receiver), f"{gift} accepted", self.made[gift][0])

    async def decline(self, gift: str, receiver: int) -> None:
        """It is declined, and goes back."""
        await self._gifts.decline(self.person(receiver), f"{gift} declined", self.made[gift][0])

    async def group(self, name: str, keyholders: Sequence[int], members: Sequence[int]) -> None:
        """People who share a pot."""
        key = f"demo group {name}"
        group, _ = await self._groups.create(OFFICE, key, NewGroup(name=name))
        self.made[key] = [group.id]
        for who in (*keyholders, *members):
            await self._groups.put(OFFICE, group.id, self.people[who].id, keyholder=who in keyholders)

    async def to_pot(self, key: str, giver: int, group: str | None, minutes: int) -> None:
        """Credits for a group's pot, or the community's."""
        to = None if group is None else self.made[f"demo group {group}"][0]
        await self._gifts.give_to_pot(
            self.person(giver), key, ToPot(giver=self.people[giver].id, group=to, minutes=minutes)
        )

    async def propose(self, key: str, group: str, keyholder: int, offer: int, party: Party) -> None:
        """What a keyholder would like to do with the pot."""
        who = self.people[keyholder].id
        wanted = Visit(person=who, offer=self.offers[offer].id, party=party)
        asked = Propose(group=self.made[f"demo group {group}"][0], keyholder=who, wanted=wanted)
        await PotSpends(self.database, self.now).propose(self.person(keyholder), key, asked)

    async def pass_on(self, who: int, minutes: int, reason: str) -> None:
        """Some of what the community has, for somebody who could do with it."""
        asked = PassOn(person=self.people[who].id, minutes=minutes, reason=reason)
        await Pots(self.database, self.now).pass_on(OFFICE, f"demo passed on {who}", asked)

    async def printed(self, key: str, printing: Printing) -> None:
        """Vouchers, from the community's pot."""
        batch, _ = await self._paper.print(OFFICE, key, printing)
        self.batches[key] = batch

    async def claim_vouchers(self, printing: str, people: Sequence[int]) -> None:
        """Some people put a voucher each into their wallets; those whose codes can't be read any more have."""
        batch = self.batches[printing]
        codes = await self._paper.codes(OFFICE, batch.id)
        claimed = batch.count - len(codes.vouchers)
        for who, voucher in zip(people[claimed:], codes.vouchers, strict=False):
            await self._vouchers.claim(self.person(who), f"{printing} claimed", voucher.code, self.people[who].id)

    # --- what comes round ---------------------------------------------------------------------------------------

    async def lapse_due(self) -> None:
        """Gifts that nobody accepted and bookings that nobody came for go back."""
        async with self.database.transaction() as connection:
            while await lapses.lapse_due(driver(connection), self.now()):
                pass

    async def kiosk(self, project: int, name: str) -> None:
        """A tablet at a project's door, in use."""
        id_ = self.projects[project].id
        expected, _ = await self._devices.create(OFFICE, f"demo kiosk {project}", NewDevice(project=id_, name=name))
        (device,) = await self._devices.of_project(OFFICE, id_, after=None, limit=1)
        if device.enrolled_at is None:
            await self._devices.enrol_here(expected.code)

    async def expected_till(self, key: str, venue: int, name: str) -> None:
        """A till that is to be enrolled."""
        new = NewDevice(venue=self.venues[venue].id, name=name, site=self.sites[venue][0])
        await self._devices.create(OFFICE, key, new)
