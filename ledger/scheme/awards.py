"""Awards: the entries of approved hours, in the transaction that approved them.

    who must wait for a guardian -> lock the journal -> what a funder's cap still covers -> post

An award moves minutes from ``issued:{project}`` to ``wallet:{holder}``, or to ``paper:{session}`` for a voucher,
under the claim's own id: a claim is awarded once at most, and whether it was is read in the journal. Hours of
somebody under 16 without a guardian's consent (rule 26) are approved and wait; the consent awards them.

Where a funder caps a project (rule 10), the same entry moves what the cap still covers from ``allocation:{project}`` to
``cap:{project}``. A thank-you is never blocked: what the cap doesn't cover is awarded all the same and told to staff.

Whoever awards has locked the holders before (``lock_holders``), so that an approval and a consent at the same moment
can't miss each other. The journal's head is locked last and briefly.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.journal import reading
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import lock
from ledger.scheme import outbox
from ledger.scheme.answers import post_new
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import Rules


class Due(Struct, frozen=True, kw_only=True):
    """An approved claim; without a holder it becomes a voucher of its session."""

    claim: UUID
    project: UUID
    session: UUID | None
    holder: UUID | None
    minutes: int
    ended_at: datetime


async def lock_holders(connection: asyncpg.Connection, holders: Collection[UUID]) -> None:
    """Let nobody else award or consent for these until the transaction ends; in one order, so none deadlock.

    Declines if one of them is closed: somebody who was erased isn't there, not even since the caller looked.
    """
    wanted = set(holders)
    if await lock_open(connection, wanted) < wanted:
        raise Declined(Refusal.NOT_FOUND, "Somebody whom this is about is not there any more.")


async def lock_open(connection: asyncpg.Connection, holders: Collection[UUID]) -> set[UUID]:
    """Those of these that aren't closed, locked likewise: for work that goes on without whoever was erased."""
    locked = await connection.fetch(
        "SELECT id FROM scheme.holder WHERE id = ANY($1::uuid[]) AND closed_at IS NULL ORDER BY id FOR NO KEY UPDATE",
        list(holders),
    )
    return {row["id"] for row in locked}


async def lock_people(connection: asyncpg.Connection, people: Collection[UUID]) -> dict[UUID, UUID]:
    """The holder of each of these people, locked likewise. Who isn't there, or was erased meanwhile, is left out."""
    rows = await connection.fetch(
        "SELECT id, person FROM scheme.holder WHERE person = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        list(people),
    )
    return {row["person"]: row["id"] for row in rows}


async def without_consent(connection: asyncpg.Connection, holders: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of these who are under 16 and have no guardian's consent that holds (rule 26)."""
    return {row["id"] for row in await connection.fetch(_WITHOUT_CONSENT, holders, now)}


async def award(
    connection: asyncpg.Connection, caller: Caller, rules: Rules, due: Sequence[Due], now: datetime
) -> frozenset[UUID]:
    """Post the awards of these claims, and return which of them wait for a consent instead.

    Raises ``Declined`` if a claim's id was used for something else.
    """
    if not due:
        return frozenset()
    holders = [one.holder for one in due if one.holder is not None]
    waiting = await without_consent(connection, holders, now)
    posted = [one for one in due if one.holder not in waiting]
    events = [
        Event(
            topic=Topic.AWARD_WAITS_FOR_CONSENT if one.holder in waiting else Topic.AWARDED,
            holder=one.holder,
            project=one.project,
            object=one.claim,
            body={"minutes": one.minutes},
        )
        for one in due
        if one.holder is not None
    ]
    caps = await Caps.locked(connection, {one.project for one in posted})
    entries = [
        Entry(
            id=one.claim,
            transfers=(
                Transfer(
                    account("issued", one.project),
                    account("paper", one.session) if one.holder is None and one.session else _wallet(one),
                    one.minutes,
                ),
                *caps.cover(one.project, one.minutes),
            ),
            happened_at=one.ended_at,
            actor=caller.identity,
            reference=(one.session or one.claim).hex,
        )
        for one in posted
    ]
    await outbox.put(connection, events + caps.events(rules.allocation_warns_percent), now)
    if entries:
        await post_new(connection, entries, now)
    return frozenset(one.claim for one in due if one.holder in waiting)


def _wallet(one: Due) -> str:
    if one.holder is None:
        raise RuntimeError("a claim without a holder has no session: there is nowhere to award it to")
    return account("wallet", one.holder)


class Caps:
    """What funders' caps still cover while awards are made one after the other."""

    def __init__(self, granted: Mapping[UUID, int], left: Mapping[UUID, int]) -> None:
        self._granted = granted
        self._before = left
        self._left = dict(left)
        self._overrun = dict.fromkeys(left, 0)

    @classmethod
    async def locked(cls, connection: asyncpg.Connection, projects: Collection[UUID]) -> "Caps":
        """Of those projects that have one; the journal is locked from here on, so what is left is left."""
        rows = await connection.fetch(_CAPPED, list(projects))
        await lock(connection)
        names = {row["project"]: account("allocation", row["project"]) for row in rows}
        balances = await reading.balances(connection, list(names.values()))
        return cls(
            {row["project"]: row["minutes"] for row in rows},
            {project: balances[name] for project, name in names.items()},
        )

    def cover(self, project: UUID, minutes: int) -> tuple[Transfer, ...]:
        """The transfer that goes with an award of so many minutes, if there is a cap and anything left of it."""
        if project not in self._left:
            return ()
        covered = min(self._left[project], minutes)
        self._left[project] -= covered
        self._overrun[project] += minutes - covered
        return (Transfer(account("allocation", project), account("cap", project), covered),) if covered else ()

    def events(self, warns_percent: int) -> list[Event]:
        """What staff should hear: that little is left, once; that more was given than the cap, each time."""
        events = []
        for project, granted in self._granted.items():
            left, before, overrun = self._left[project], self._before[project], self._overrun[project]
            if 100 * left < warns_percent * granted <= 100 * before:
                body = {"minutes": left, "granted": granted}
                events.append(Event(topic=Topic.ALLOCATION_LOW, project=project, body=body))
            if overrun:
                events.append(Event(topic=Topic.ALLOCATION_OVERRUN, project=project, body={"minutes": overrun}))
        return events


# A consent holds from its commit on, whatever the clock said: who waited for it at the holder's row may have asked the
# time before it was given.
_WITHOUT_CONSENT = """
SELECT h.id
FROM scheme.holder h JOIN scheme.person p ON p.id = h.person
WHERE h.id = ANY($1::uuid[]) AND p.age_band IN ('under_8', '8_to_15')
    AND NOT EXISTS (
        SELECT FROM scheme.consent c
        WHERE c.child = p.id AND c.withdrawn_at IS NULL AND c.ends_at > $2
    )
"""
_CAPPED = """
SELECT project, sum(minutes)::bigint AS minutes FROM scheme.allocation WHERE project = ANY($1::uuid[]) GROUP BY project
"""
