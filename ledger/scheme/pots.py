"""Pots: what a group shares, and what the community keeps for anybody (rule 21).

    a group's:      gifts and prints in, bookings out; its keyholders look at it and spend from it (``pot_spends``)
    the community's: gifts and what erased people leave in; staff pass it on, wallet by wallet

A group's balance and statement are for its keyholders, by their own keys, and for the scheme. A line says from what
kind of account it came or where it went, never from whose. What the community has is no secret.

Staff pass on no more than there is, which is the pot's floor. Why is a word in the entry's details, that goes when the
person is erased; that it was done stands in the person's acts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Transfer, entry_id
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import COMMUNITY, account
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal

_REFERENCE: Final = "passed_on"


class Pot(Struct, frozen=True, kw_only=True):
    """What is in a group's pot, in minutes: to spend now, and on hold for what is booked."""

    group: UUID
    available: int
    held: int


class CommunityPot(Struct, frozen=True, kw_only=True):
    """What the community has for whoever needs it, in minutes."""

    available: int


class PassOn(Struct, frozen=True, kw_only=True, tag="pass_on", tag_field="operation"):
    """Credits of the community's for one person, and a word for why."""

    person: UUID
    minutes: int
    reason: str


class PassedOn(Struct, frozen=True, kw_only=True):
    """Credits that went from the community's pot into somebody's wallet."""

    id: UUID
    person: UUID
    minutes: int
    at: datetime


class _Why(Struct, frozen=True):
    """What the entry keeps of it."""

    reason: str


class Pots:
    """Looking into pots, and passing on what is the community's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def get(self, caller: Caller, group: UUID) -> Pot:
        """What is in a group's pot."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            pot, held = account("pot", group), account("held_pot", group)
            found = await reading.balances(raw, [pot, held])
        return Pot(group=group, available=found[pot], held=found[held])

    async def statement(self, caller: Caller, group: UUID, *, before: int | None, limit: int) -> Sequence[reading.Line]:
        """The pot's newest lines, newest first; ``before`` is the sequence number of the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            lines = await reading.statement(raw, account("pot", group), before=before, limit=limit)
        return [msgspec.structs.replace(line, other=line.other.partition(":")[0]) for line in lines]

    async def community(self) -> CommunityPot:
        """What the community has."""
        async with self._database.reading() as connection:
            found = await reading.balances(driver(connection), [COMMUNITY])
        return CommunityPot(available=found[COMMUNITY])

    async def pass_on(self, caller: Caller, key: str, asked: PassOn) -> tuple[PassedOn, bool]:
        """Put some of it into a wallet, and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> PassedOn:
            return await _pass_on(raw, caller, entry_id(caller.principal, key), asked, now)

        return await self._answers.once(caller, key, asked, work, PassedOn)


async def check_may_look(raw: asyncpg.Connection, caller: Caller, group: UUID) -> None:
    """Declines unless there is such a group, and the caller is the scheme or one of its keyholders."""
    if caller.scope is Scope.SCHEME:
        seen = await raw.fetchval("SELECT EXISTS (SELECT FROM scheme.group WHERE id = $1)", group)
    else:
        seen = caller.scope is Scope.PERSON and await raw.fetchval(_IS_KEYHOLDER, group, caller.holder)
    if not seen:
        raise Declined(Refusal.NOT_FOUND, "There is no such pot, or it is another group's.")


async def _pass_on(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: PassOn, now: datetime) -> PassedOn:
    holder = (await lock_people(raw, [asked.person])).get(asked.person)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    await acts.record(raw, caller, holder, "community_gave", id_, now)
    event = Event(topic=Topic.POT_GAVE, holder=holder, object=id_, body={"minutes": asked.minutes})
    await outbox.put(raw, [event], now)
    entry = Entry(
        id=id_,
        transfers=(Transfer(COMMUNITY, account("wallet", holder), asked.minutes),),
        happened_at=now,
        actor=caller.identity,
        reference=_REFERENCE,
        details=msgspec.json.encode(_Why(asked.reason)).decode(),
    )
    await post_new(raw, [entry], now)
    return PassedOn(id=id_, person=asked.person, minutes=asked.minutes, at=now)


_IS_KEYHOLDER = """
SELECT EXISTS (
    SELECT FROM scheme.membership m JOIN scheme.holder h ON h.person = m.person
    WHERE m."group" = $1 AND h.id = $2 AND m.keyholder
)
"""
