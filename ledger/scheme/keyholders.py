"""Keyholders: who of a group may spend from its pot, and how that changes (rule 21).

    proposed, by a keyholder or one of the staff -> another of these agrees -> it is so
                                                 -> declined by any of them, or lapsed after `WAITS_FOR`

So nobody opens a pot alone, nor locks another out of it, staff neither; and nobody decides that they themselves become
one. While a pot is empty there is nothing to guard: staff say at once who keeps it, which is how a group begins. To
propose what another proposed is to agree. Who proposed it must be a keyholder or of the staff still.

For keyholders by their own sign-in, and for staff by theirs; to others there is no such group. Each step is an act
about the person. What is proposed, and what is so, is told to whom it concerns (``keyholder_news``). What bounds it:
one change of a member waits at a time.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.groups import hold, is_empty
from ledger.scheme.keyholder_news import News, tell
from ledger.scheme.letters import Say, english
from ledger.scheme.people import first_name
from ledger.scheme.pot_spends import WAITS_FOR
from ledger.scheme.pots import check_may_look
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import in_force


class Change(Struct, frozen=True, kw_only=True):
    """That somebody is to become a keyholder, or to be none any more; ``proposer`` is a first name, None: erased."""

    keyholder: bool
    proposed_by: UUID
    """A holder."""
    proposer: str | None
    lapses_at: datetime


class Sharer(Struct, frozen=True, kw_only=True):
    """Somebody who shares the pot, and what is to change, if anything."""

    person: UUID
    name: str
    keyholder: bool
    joined_at: datetime
    change: Change | None


class Sharing(Struct, frozen=True, kw_only=True):
    """A group: what is in its pot, in minutes, and who shares it, the longest there first."""

    group: UUID
    name: str
    available: int
    held: int
    keyholders_needed: int
    members: Sequence[Sharer]

    @property
    def keyholders(self) -> int:
        """How many there are."""
        return sum(member.keyholder for member in self.members)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the pot, nor on hold."""
        return not (self.available or self.held)


class Keyholders:
    """Who keeps a group's pot. ``say`` has the letters' words in other languages."""

    def __init__(self, database: Database, clock: Clock, say: Say = english) -> None:
        self._database = database
        self._clock = clock
        self._say = say

    async def of(self, caller: Caller, group: UUID) -> Sharing:
        """The group, or ``not_found``."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            pot, held = account("pot", group), account("held_pot", group)
            balances = await reading.balances(raw, [pot, held])
            return Sharing(
                group=group,
                name=await raw.fetchval("SELECT name FROM scheme.group WHERE id = $1", group),
                available=balances[pot],
                held=balances[held],
                keyholders_needed=(await in_force(raw)).rules.pot_keyholders,
                members=[_sharer(row, now) for row in await raw.fetch(_MEMBERS, group)],
            )

    async def propose(self, caller: Caller, group: UUID, person: UUID, *, keyholder: bool) -> bool:
        """Have a member be a keyholder, or none; and whether it is so now, or waits for another to agree."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            by, holder, row = await _locked(raw, caller, group, person)
            if row["keyholder"] == keyholder:
                await raw.execute(_FORGET, group, person)
                return True
            _not_oneself(by, holder, keyholder=keyholder)
            seconds = row["wanted"] == keyholder and row["wanted_by"] != by and await _stands(raw, row, group, now)
            done = seconds or (caller.scope is Scope.SCHEME and await is_empty(raw, group))
            if done:
                await raw.execute(_CHANGE, group, person, keyholder)
                await acts.record(raw, caller, holder, "keyholder_changed", group, now)
            else:
                await raw.execute(_WANT, group, person, keyholder, by, now)
                await acts.record(raw, caller, holder, "keyholder_proposed", group, now)
            # Who proposes the same once more, as from another tab, tells nobody again.
            if done or (row["wanted"], row["wanted_by"]) != (keyholder, by):
                news = News(group=group, holder=holder, keyholder=keyholder, done=done)
                await tell(raw, self._say, news, by, now)
            return done

    async def agree(self, caller: Caller, group: UUID, person: UUID) -> None:
        """Have it so, as another than who proposed it."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            by, holder, row = await _locked(raw, caller, group, person)
            if row["wanted"] is None or not await _stands(raw, row, group, now):
                raise Declined(Refusal.WRONG_STATE, "This doesn't wait any more: please propose it anew.")
            if row["wanted_by"] == by:
                raise Declined(
                    Refusal.SAME_APPROVER,
                    "Nobody agrees to their own plan. Please ask another keyholder, or the office.",
                )
            _not_oneself(by, holder, keyholder=row["wanted"])
            await raw.execute(_CHANGE, group, person, row["wanted"])
            await acts.record(raw, caller, holder, "keyholder_changed", group, now)
            news = News(group=group, holder=holder, keyholder=row["wanted"], done=True)
            await tell(raw, self._say, news, by, now)

    async def decline(self, caller: Caller, group: UUID, person: UUID) -> None:
        """Let it be as it is; again: nothing changes."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            _by, holder, row = await _locked(raw, caller, group, person)
            if row["wanted"] is not None:
                await raw.execute(_FORGET, group, person)
                await acts.record(raw, caller, holder, "keyholder_declined", group, now)


async def _locked(
    raw: asyncpg.Connection, caller: Caller, group: UUID, person: UUID
) -> tuple[UUID, UUID, asyncpg.Record]:
    """Who decides, the member's holder, and the membership, once it is locked; declines anybody else."""
    holder = await hold(raw, group, person)
    await check_may_look(raw, caller, group)
    if caller.holder is None:
        raise Declined(Refusal.STAFF_ONLY, "This takes two people, each signed in as themselves.")
    row = await raw.fetchrow(_MEMBER, group, person)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return caller.holder, holder, row


def _not_oneself(by: UUID, holder: UUID, *, keyholder: bool) -> None:
    if keyholder and by == holder:
        raise Declined(Refusal.SAME_APPROVER, "Others decide whether you become a keyholder.")


async def _stands(raw: asyncpg.Connection, row: asyncpg.Record, group: UUID, now: datetime) -> bool:
    """Whether what was proposed can be agreed to still."""
    return now < row["wanted_at"] + WAITS_FOR and bool(await raw.fetchval(_DECIDES, group, row["wanted_by"]))


def _sharer(row: asyncpg.Record, now: datetime) -> Sharer:
    waits = row["wanted"] is not None and now < row["wanted_at"] + WAITS_FOR
    return Sharer(
        person=row["person"],
        name=row["name"],
        keyholder=row["keyholder"],
        joined_at=row["joined_at"],
        change=Change(
            keyholder=row["wanted"],
            proposed_by=row["wanted_by"],
            proposer=row["proposer"] and first_name(row["proposer"]),
            lapses_at=row["wanted_at"] + WAITS_FOR,
        )
        if waits
        else None,
    )


_MEMBERS = """
SELECT m.person, p.name, m.keyholder, m.joined_at, m.wanted, m.wanted_by, m.wanted_at, b.name AS proposer
FROM scheme.membership m
JOIN scheme.person p ON p.id = m.person
LEFT JOIN scheme.holder h ON h.id = m.wanted_by
LEFT JOIN scheme.person b ON b.id = h.person
WHERE m."group" = $1
ORDER BY m.joined_at, m.person
"""
_MEMBER = """
SELECT keyholder, wanted, wanted_by, wanted_at FROM scheme.membership WHERE "group" = $1 AND person = $2
"""
_DECIDES = """
SELECT EXISTS (
    SELECT FROM scheme.membership m JOIN scheme.holder h ON h.person = m.person
    WHERE m."group" = $1 AND h.id = $2 AND m.keyholder
) OR EXISTS (SELECT FROM scheme.role WHERE holder = $2 AND role = 'staff' AND ended_at IS NULL)
"""
_WANT = """
UPDATE scheme.membership SET wanted = $3, wanted_by = $4, wanted_at = $5 WHERE "group" = $1 AND person = $2
"""
_FORGET = """
UPDATE scheme.membership SET wanted = NULL, wanted_by = NULL, wanted_at = NULL WHERE "group" = $1 AND person = $2
"""
_CHANGE = """
UPDATE scheme.membership SET keyholder = $3, wanted = NULL, wanted_by = NULL, wanted_at = NULL
WHERE "group" = $1 AND person = $2
"""
