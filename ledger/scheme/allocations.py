"""Allocations: a funder's cap on what a project gives (rule 10), and how much of it is left.

    the project -> the grant's row -> the entry ``cap:{project}`` to ``allocation:{project}``, one transaction

A project without a grant has no cap. With one, each award draws on it (see ``awards``): staff hear when little is left
and when more was given, and no thank-you is ever refused for it. Grants add up and are never taken back. What is left
is read in the journal; ``ALLOCATION-MIN`` is a commodity of its own there, whose accounts sum to zero by themselves.

The answer is kept under the client's key, whose own id the entry carries.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Transfer, entry_id
from ledger.scheme import acts
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal


class Allot(Struct, frozen=True, kw_only=True, tag="allot", tag_field="operation"):
    """What is asked for: so many minutes for that project, from that funder."""

    project: UUID
    funder: str
    minutes: int


class Allotted(Struct, frozen=True, kw_only=True):
    """A grant as it was made. The funder's name stands in the list, and not in an answer that is kept for ever."""

    id: UUID
    project: UUID
    minutes: int
    at: datetime


class Grant(Struct, frozen=True, kw_only=True):
    """What one funder granted, in minutes."""

    id: UUID
    funder: str
    minutes: int
    at: datetime


class Allocation(Struct, frozen=True, kw_only=True):
    """What a project was granted in all, and what is left of it, in minutes; ``used_percent`` is rounded down."""

    granted: int
    left: int
    used_percent: int


class Allocations:
    """Granting, and reading what is left."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def allot(self, caller: Caller, key: str, asked: Allot) -> tuple[Allotted, bool]:
        """Grant a project minutes; and whether this is the replay of an answer. Declines one that has ended."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Allotted:
            return await _allot(raw, caller, entry_id(caller.principal, key), asked, now)

        return await self._answers.once(caller, key, asked, work, Allotted)

    async def read(
        self, caller: Caller, project: UUID, *, after: UUID | None, limit: int
    ) -> tuple[Allocation, Sequence[Grant]]:
        """What a project was granted and has left, and a page of its grants, oldest first."""
        allocation = account("allocation", project)
        async with self._database.reading() as connection:
            raw = driver(connection)
            if not caller.speaks_for(project) or await raw.fetchval(_STATUS, project) is None:
                raise Declined(Refusal.NOT_FOUND)
            # First what is left: a grant made meanwhile is then used for a moment, and never more left than granted.
            left = (await reading.balances(raw, [allocation]))[allocation]
            granted = await raw.fetchval(_GRANTED, project)
            grants = await raw.fetch(_GRANTS, project, after, limit)
        used = 100 * (granted - left) // granted if granted else 0
        return Allocation(granted=granted, left=left, used_percent=used), [Grant(**row) for row in grants]


async def _allot(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: Allot, now: datetime) -> Allotted:
    status = await raw.fetchval(_STATUS + " FOR SHARE", asked.project)
    if status is None:
        raise Declined(Refusal.NOT_FOUND, "There is no such project.")
    if status == "ended":
        raise Declined(Refusal.WRONG_STATE, "The project has ended.")
    await raw.execute(_ALLOT, id_, asked.project, asked.funder, asked.minutes, caller.identity, now)
    await acts.by_staff(raw, caller, "allocation_granted", id_, now)
    entry = Entry(
        id=id_,
        transfers=(Transfer(account("cap", asked.project), account("allocation", asked.project), asked.minutes),),
        happened_at=now,
        actor=caller.identity,
        reference=asked.project.hex,
    )
    await post_new(raw, [entry], now)
    return Allotted(id=id_, project=asked.project, minutes=asked.minutes, at=now)


_STATUS = "SELECT status FROM scheme.project WHERE id = $1"
_ALLOT = "INSERT INTO scheme.allocation (id, project, funder, minutes, by, at) VALUES ($1, $2, $3, $4, $5, $6)"
_GRANTED = "SELECT coalesce(sum(minutes), 0)::bigint FROM scheme.allocation WHERE project = $1"
_GRANTS = """
SELECT id, funder, minutes, at FROM scheme.allocation
WHERE project = $1
    AND ($2::uuid IS NULL OR (at, id) > (SELECT at, id FROM scheme.allocation WHERE id = $2))
ORDER BY at, id LIMIT $3
"""
