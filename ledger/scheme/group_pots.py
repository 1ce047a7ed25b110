"""A group's pot as its keyholders see it: what is in it, who shares it, what waits, what came and went.

For its keyholders, by their own sign-in, and staff (`pots.check_may_look`). Who would go on a visit, and who proposed
it, is told by name, for they share the pot; a line says what kind of thing it was and names nobody.

All by index in one transaction; what bounds it are `SPENDS` and `LINES`, and the members of a group.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Kind
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.groups import KeptPot, Member, kept_by, members_of
from ledger.scheme.people import first_name
from ledger.scheme.pot_spends import OPEN_MAX, PotSpend, State, spends_of
from ledger.scheme.pots import check_may_look
from ledger.scheme.rules import in_force
from ledger.scheme.terms import Party

# What waits is among the newest of these, for it lapses; and as many as a page shows of what was decided.
SPENDS: Final = OPEN_MAX + 10
LINES: Final = 10


class Why(StrEnum):
    """Why credits came into the pot or left it."""

    GIFT = "gift"
    ON_HOLD = "on_hold"
    """For a visit; the visit itself is paid from there."""
    CAME_BACK = "came_back"
    """A visit was cancelled, not used, or came to less."""
    REFUND = "refund"
    PRINTED = "printed"
    """Vouchers were printed."""
    UNUSED = "unused"
    """Vouchers that nobody used."""
    OTHER = "other"


class Line(Struct, frozen=True, kw_only=True):
    """A line of the pot; `minutes` is signed."""

    sequence: int
    why: Why
    minutes: int
    happened_at: datetime


class Spend(Struct, frozen=True, kw_only=True):
    """A visit that the pot pays for, or is to; ``at`` is None for a course. Who was erased has no name."""

    id: UUID
    state: State
    minutes: int
    visitor: str | None
    offer: str
    venue: str
    at: datetime | None
    party: Party
    proposed_by: UUID | None
    proposer: str | None
    proposed_at: datetime
    lapses_at: datetime


class GroupPot(Struct, frozen=True, kw_only=True):
    """A group's pot, in minutes, with its people and the newest of what happened."""

    group: UUID
    name: str
    available: int
    held: int
    members: Sequence[Member]
    keyholders_needed: int
    both_above_minutes: int
    spends: Sequence[Spend]
    lines: Sequence[Line]
    has_older: bool
    """Whether there are lines before these."""

    @property
    def waiting(self) -> Sequence[Spend]:
        """What another keyholder has to agree to."""
        return [spend for spend in self.spends if spend.state is State.PROPOSED]

    @property
    def settled(self) -> Sequence[Spend]:
        """What was decided, newest first."""
        return [spend for spend in self.spends if spend.state is not State.PROPOSED]

    @property
    def can_spend(self) -> bool:
        """Whether there are keyholders enough."""
        return sum(member.keyholder for member in self.members) >= self.keyholders_needed


class GroupPots:
    """Reading a group's pot."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def kept(self, caller: Caller) -> Sequence[KeptPot]:
        """The pots that whoever asks keeps, by name: as a person, whatever they act as."""
        if caller.holder is None:
            return ()
        async with self._database.reading() as connection:
            return await kept_by(driver(connection), caller.holder)

    async def get(self, caller: Caller, group: UUID, *, before: int | None = None) -> GroupPot:
        """The pot, or ``not_found``; ``before`` is the sequence number of the last line seen."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            pot, held = account("pot", group), account("held_pot", group)
            balances = await reading.balances(raw, [pot, held])
            spends = await spends_of(raw, group, now, before=None, limit=SPENDS)
            rules = (await in_force(raw)).rules
            lines = await reading.statement(raw, pot, before=before, limit=LINES + 1)
            return GroupPot(
                group=group,
                name=await raw.fetchval("SELECT name FROM scheme.group WHERE id = $1", group),
                available=balances[pot],
                held=balances[held],
                members=await members_of(raw, group),
                keyholders_needed=rules.pot_keyholders,
                both_above_minutes=rules.pot_both_above_minutes,
                spends=await _named(raw, spends),
                lines=[_line(line) for line in lines[:LINES]],
                has_older=len(lines) > LINES,
            )


def _line(line: reading.Line) -> Line:
    way = (line.other.partition(":")[0], line.kind, line.minutes > 0)
    return Line(
        sequence=line.sequence, why=_WHY.get(way, Why.OTHER), minutes=line.minutes, happened_at=line.happened_at
    )


async def _named(raw: asyncpg.Connection, spends: Sequence[PotSpend]) -> Sequence[Spend]:
    """These with the names of whom and what they are about."""
    people = {spend.person for spend in spends} | {spend.proposed_by for spend in spends if spend.proposed_by}
    names = {row["id"]: first_name(row["name"]) for row in await raw.fetch(_NAMES, list(people))}
    offers = {row["id"]: row for row in await raw.fetch(_OFFERS, [spend.offer for spend in spends])}
    shows = [spend.occasion for spend in spends if spend.occasion is not None]
    starts = {row["id"]: row["starts_at"] for row in await raw.fetch(_OCCASIONS, shows)} if shows else {}
    return [_spend(spend, names, offers, starts) for spend in spends]


def _spend(
    spend: PotSpend, names: Mapping[UUID, str], offers: Mapping[UUID, asyncpg.Record], starts: Mapping[UUID, datetime]
) -> Spend:
    return Spend(
        id=spend.id,
        state=spend.state,
        minutes=spend.minutes,
        visitor=names.get(spend.person),
        offer=offers[spend.offer]["title"],
        venue=offers[spend.offer]["venue"],
        at=spend.visit_at if spend.occasion is None else starts.get(spend.occasion),
        party=spend.party,
        proposed_by=spend.proposed_by,
        proposer=names.get(spend.proposed_by) if spend.proposed_by else None,
        proposed_at=spend.proposed_at,
        lapses_at=spend.lapses_at,
    )


_IN, _OUT = True, False
_WHY: Final[Mapping[tuple[str, Kind, bool], Why]] = {
    ("wallet", Kind.PLAIN, _IN): Why.GIFT,
    ("held_pot", Kind.HOLD, _OUT): Why.ON_HOLD,
    ("held_pot", Kind.CAPTURE, _IN): Why.CAME_BACK,
    ("held_pot", Kind.VOID, _IN): Why.CAME_BACK,
    ("held_pot", Kind.LAPSE, _IN): Why.CAME_BACK,
    ("redeemed", Kind.REFUND, _IN): Why.REFUND,
    ("paper", Kind.PLAIN, _OUT): Why.PRINTED,
    ("paper", Kind.PLAIN, _IN): Why.UNUSED,
}
_NAMES = "SELECT id, name FROM scheme.person WHERE id = ANY($1::uuid[])"
_OFFERS = """
SELECT o.id, o.title, v.name AS venue FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
WHERE o.id = ANY($1::uuid[])
"""
_OCCASIONS = "SELECT id, starts_at FROM scheme.occasion WHERE id = ANY($1::uuid[])"
