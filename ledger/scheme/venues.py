"""Venues: where credits are spent.

    applied -> active <-> suspended -> ended

A venue takes credits while it is ``active``: a suspended one stops at once, in every process (see ``directory``), and
its offers aren't found any more. Any that hasn't ended can be ended, and that is final; what was redeemed there stays.
Doing again what was done changes nothing.

Everybody may know of a venue that is active; of the others, the scheme and the venue itself.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Participation


class Venue(Struct, frozen=True, kw_only=True):
    """A venue. It takes credits while its status is ``active``."""

    id: UUID
    name: str
    status: Participation
    created_at: datetime


class NewVenue(Struct, frozen=True, kw_only=True, tag="venue", tag_field="operation"):
    """What is asked for: a venue that is active at once, or one that somebody applied for."""

    name: str
    status: Participation = Participation.ACTIVE


class _Made(Struct, frozen=True):
    """The answer that is kept: no names."""

    id: UUID
    created_at: datetime


def belongs(caller: Caller, venue: UUID) -> bool:
    """Whether this is the scheme's key, or that venue's."""
    return caller.scope is Scope.SCHEME or (caller.scope is Scope.VENUE and caller.object == venue)


class Venues:
    """Making venues known, and opening and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, asked: NewVenue) -> tuple[Venue, bool]:
        """A new venue, and whether this is the replay of an answer. Two of the same name are two venues."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            made = _Made(uuid4(), now)
            await raw.execute(_CREATE, made.id, asked.name, asked.status.value, now)
            await acts.by_staff(raw, caller, "venue_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, asked, work, _Made)
        return Venue(id=made.id, name=asked.name, status=asked.status, created_at=made.created_at), replayed

    async def get(self, caller: Caller, id_: UUID) -> Venue:
        """The venue; one that isn't active is there for the scheme and itself alone."""
        async with self._database.reading() as connection:
            venue = _venue(await driver(connection).fetchrow(_BY_ID, id_))
        if venue.status is not Participation.ACTIVE and not belongs(caller, id_):
            raise Declined(Refusal.NOT_FOUND)
        return venue

    async def page(
        self, *, status: Participation | None, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Venue]:
        """Venues by name, those of one status or all; ``after`` is the last one seen, by its name then."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_PAGE, status and status.value, *(after or (None, None)), limit)
        return [_venue(row) for row in rows]

    async def rename(self, caller: Caller, id_: UUID, name: str) -> Venue:
        """Give it another name."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            venue = _venue(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_))
            if name != venue.name:
                await raw.execute("UPDATE scheme.venue SET name = $2 WHERE id = $1", id_, name)
                await acts.by_staff(raw, caller, "venue_changed", id_, self._clock())
            return _venue(await raw.fetchrow(_BY_ID, id_))

    async def change(self, caller: Caller, id_: UUID, status: Participation) -> Venue:
        """Activate, suspend or end a venue. Declines what can't become of it (see `states`)."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _venue(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_)).status
            if was.becomes(status, "venue"):
                await raw.execute("UPDATE scheme.venue SET status = $2 WHERE id = $1", id_, status.value)
                await acts.by_staff(raw, caller, f"venue_{status}", id_, self._clock())
            return _venue(await raw.fetchrow(_BY_ID, id_))


def _venue(row: asyncpg.Record | None) -> Venue:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Venue(**{**row, "status": Participation(row["status"])})


_CREATE = "INSERT INTO scheme.venue (id, name, status, created_at) VALUES ($1, $2, $3, $4)"
_BY_ID = "SELECT id, name, status, created_at FROM scheme.venue WHERE id = $1"
# A nation has a thousand venues or two, so they are sorted at each asking and need no index by name.
_PAGE = """
SELECT id, name, status, created_at FROM scheme.venue
WHERE ($1::text IS NULL OR status = $1)
    AND ($2::text IS NULL OR (lower(name), id) > (lower($2), $3::uuid))
ORDER BY lower(name), id LIMIT $4
"""
