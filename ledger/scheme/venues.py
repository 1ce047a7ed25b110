"""Venues: where credits are spent."""

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal


class Venue(Struct, frozen=True, kw_only=True):
    """A venue. It takes credits while its status is ``active``."""

    id: UUID
    name: str
    status: str
    created_at: datetime


class Venues:
    """Making venues known."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str) -> Venue:
        """A new venue, active at once."""
        venue = Venue(id=uuid4(), name=name, status="active", created_at=self._clock())
        async with self._database.transaction() as connection:
            await driver(connection).execute(
                "INSERT INTO scheme.venue (id, name, status, created_at) VALUES ($1, $2, $3, $4)",
                venue.id,
                venue.name,
                venue.status,
                venue.created_at,
            )
        return venue

    async def get(self, id_: UUID) -> Venue:
        """The venue, or ``not_found``."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(
                "SELECT id, name, status, created_at FROM scheme.venue WHERE id = $1", id_
            )
        if row is None:
            raise Declined(Refusal.NOT_FOUND)
        return Venue(**row)
