"""Offers: what a venue gives for credits, at a price in minutes.

    draft -> published <-> paused -> ended

An offer can be redeemed while it is published; a paused one stops at once, in every process (see ``directory``). The
price of what was redeemed is kept in its entry, so a new price changes nothing that was.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller, Scope
from ledger.scheme.refusals import Declined, Refusal


class Status(StrEnum):
    """Where an offer stands."""

    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    ENDED = "ended"


# What may become of what; doing again what was done changes nothing.
_FROM = {
    Status.PUBLISHED: [Status.DRAFT, Status.PAUSED],
    Status.PAUSED: [Status.PUBLISHED],
    Status.ENDED: [Status.DRAFT, Status.PUBLISHED, Status.PAUSED],
}


class Offer(Struct, frozen=True, kw_only=True):
    """An offer; ``price`` in minutes."""

    id: UUID
    venue: UUID
    title: str
    price: int
    status: Status
    created_at: datetime


class Offers:
    """Making offers, and opening and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, venue: UUID, title: str, price: int) -> Offer:
        """A new offer, a draft at first."""
        offer = Offer(id=uuid4(), venue=venue, title=title, price=price, status=Status.DRAFT, created_at=self._clock())
        async with self._database.transaction() as connection:
            created = await driver(connection).fetchval(
                "INSERT INTO scheme.offer (id, venue, title, price, status, created_at) "
                "SELECT $1, id, $3, $4, $5, $6 FROM scheme.venue WHERE id = $2 RETURNING id",
                offer.id,
                offer.venue,
                offer.title,
                offer.price,
                offer.status.value,
                offer.created_at,
            )
        if created is None:
            raise Declined(Refusal.NOT_FOUND)
        return offer

    async def get(self, caller: Caller, id_: UUID) -> Offer:
        """The offer; to a venue, others' aren't there."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(_BY_ID, id_)
        if row is None or (caller.scope is not Scope.SCHEME and caller.object != row["venue"]):
            raise Declined(Refusal.NOT_FOUND)
        return Offer(**{**row, "status": Status(row["status"])})

    async def change(self, id_: UUID, status: Status) -> Offer:
        """Publish, pause or end an offer. Declines what the states above don't permit."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_BY_ID + " FOR UPDATE", id_)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            was = Status(row["status"])
            if was is not status:
                if was not in _FROM[status]:
                    raise Declined(Refusal.WRONG_STATE, f"The offer is {was}; it can't become {status}.")
                await raw.execute("UPDATE scheme.offer SET status = $2 WHERE id = $1", id_, status.value)
        return Offer(**{**row, "status": status})


_BY_ID = "SELECT id, venue, title, price, status, created_at FROM scheme.offer WHERE id = $1"
