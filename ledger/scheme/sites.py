"""Sites: where a venue is. An offer is given at one of its venue's sites, or at all of them.

    open -> closed, for good

A site that an offer names can't be closed until that offer has ended or is given elsewhere: so whatever is found is
found at a place that is there. Where a site lies is told by its postcode's district, or exactly where somebody gives
both degrees.

What bounds it: ``SITES_MAX`` of one venue, closed ones too. Adding one is done once under the client's key.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.districts import Latitude, Longitude, postcode
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.venues import belongs

# A chain of swimming pools in every town of a county.
SITES_MAX: Final = 200


class Place(Struct, frozen=True, kw_only=True):
    """What is told of a site; ``step_free`` is None where nobody has said."""

    name: str
    address: str = ""
    postcode: str | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    step_free: bool | None = None


class Site(Place, frozen=True, kw_only=True):
    """A site of a venue."""

    id: UUID
    venue: UUID
    created_at: datetime
    closed_at: datetime | None


class NewSite(Struct, frozen=True, kw_only=True, tag="site", tag_field="operation"):
    """What is asked for."""

    venue: UUID
    place: Place


class _Made(Struct, frozen=True):
    """The answer that is kept: no names."""

    id: UUID
    created_at: datetime


class Sites:
    """Adding sites, changing and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def add(self, caller: Caller, key: str, asked: NewSite) -> tuple[Site, bool]:
        """A new site of a venue, and whether this is the replay of an answer."""
        place = _written(asked.place)

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            status = await raw.fetchval(_LOCK_VENUE, asked.venue)
            if status is None:
                raise Declined(Refusal.NOT_FOUND, "There is no such venue.")
            if status == "ended":
                raise Declined(Refusal.WRONG_STATE, "The venue has ended.")
            if await raw.fetchval("SELECT count(*) FROM scheme.site WHERE venue = $1", asked.venue) >= SITES_MAX:
                raise Declined(Refusal.WRONG_STATE, f"The venue has {SITES_MAX} sites, and that is the most.")
            made = _Made(uuid4(), now)
            await raw.execute(_ADD, made.id, asked.venue, now, *_columns(place))
            await acts.by_staff(raw, caller, "site_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, NewSite(venue=asked.venue, place=place), work, _Made)
        told = msgspec.structs.asdict(place)
        return Site(**told, id=made.id, venue=asked.venue, created_at=made.created_at, closed_at=None), replayed

    async def of_venue(
        self, caller: Caller, venue: UUID, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Site]:
        """A venue's sites by name; ``after`` is the last one seen, by its name then.

        To anybody but the scheme and the venue itself, only the open ones of an active venue are there.
        """
        within = belongs(caller, venue)
        async with self._database.reading() as connection:
            raw = driver(connection)
            status = await raw.fetchval("SELECT status FROM scheme.venue WHERE id = $1", venue)
            if status is None or not (within or status == "active"):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_OF_VENUE, venue, within, *(after or (None, None)), limit)
        return [_site(row) for row in rows]

    async def change(self, caller: Caller, id_: UUID, changes: Mapping[str, Any]) -> Site:
        """Set those of its details that are named. Declines one that is closed."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _site(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_))
            if was.closed_at is not None:
                raise Declined(Refusal.WRONG_STATE, "The site is closed.")
            place = _written(msgspec.structs.replace(was, **changes))
            if place != was:
                await raw.execute(_CHANGE, id_, *_columns(place))
                await acts.by_staff(raw, caller, "site_changed", id_, self._clock())
            return _site(await raw.fetchrow(_BY_ID, id_))

    async def close(self, caller: Caller, id_: UUID) -> Site:
        """Close a site, for good; closing it again changes nothing."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            # Whoever makes an offer there waits, or is seen here.
            was = _site(await raw.fetchrow(_BY_ID + " FOR UPDATE", id_))
            if was.closed_at is None:
                offers = await raw.fetchval(_GIVEN_HERE, was.venue, id_)
                if offers:
                    raise Declined(
                        Refusal.WRONG_STATE,
                        f"{offers} {'offer is' if offers == 1 else 'offers are'} given here:"
                        " end them, or have them given elsewhere, first.",
                    )
                await raw.execute("UPDATE scheme.site SET closed_at = $2 WHERE id = $1", id_, self._clock())
                await acts.by_staff(raw, caller, "site_closed", id_, self._clock())
            return _site(await raw.fetchrow(_BY_ID, id_))


def _written(place: Place) -> Place:
    """The same with its postcode as the post writes it; declines one degree without the other."""
    if (place.latitude is None) != (place.longitude is None):
        missing, given = ("longitude", "latitude") if place.longitude is None else ("latitude", "longitude")
        raise Declined(Refusal.WRONG_VALUES, fields=((missing, f"is needed where there is a {given}"),))
    return place if place.postcode is None else msgspec.structs.replace(place, postcode=postcode(place.postcode))


def _columns(place: Place) -> list[object]:
    return [getattr(place, name) for name in Place.__struct_fields__]


def _site(row: asyncpg.Record | None) -> Site:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Site(**row)


# The columns of `Place`, in its order.
_COLUMNS = ", ".join(Place.__struct_fields__)
_LOCK_VENUE = "SELECT status FROM scheme.venue WHERE id = $1 FOR NO KEY UPDATE"
_ADD = f"""
INSERT INTO scheme.site (id, venue, created_at, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""  # noqa: S608  # names of our own
_CHANGE = f"""
UPDATE scheme.site SET ({_COLUMNS}) = ($2, $3, $4, $5, $6, $7) WHERE id = $1
"""  # noqa: S608  # names of our own
_SELECT = f"SELECT id, venue, created_at, closed_at, {_COLUMNS} FROM scheme.site "  # noqa: S608  # names of our own
_BY_ID = _SELECT + "WHERE id = $1"
_OF_VENUE = _SELECT + (
    "WHERE venue = $1 AND ($2::boolean OR closed_at IS NULL)"
    " AND ($3::text IS NULL OR (lower(name), id) > (lower($3), $4::uuid))"
    " ORDER BY lower(name), id LIMIT $5"
)
_GIVEN_HERE = "SELECT count(*) FROM scheme.offer WHERE venue = $1 AND site = $2 AND status <> 'ended'"
