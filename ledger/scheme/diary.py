"""The diary: what is booked, as the person and as the venue see it.

How a booking stands is read from the journal each time: its hold, what resolved that, and what was given back since.
To whom it isn't shown it isn't there. A person sees theirs with the code for the till; a helper who may ``book`` sees
the same, as staff do, and that one of these looked is recorded. A venue sees its own day: a first name, who comes
along, when and for what. By its own key no day is shown that is more than `BACK_MAX` ago: by then every visit is
settled, and who came is nobody's business any more.

Pages go on by the time of the visit and the booking's id, by index, whatever is booked meanwhile.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, booking_codes
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.codes import secret_of
from ledger.scheme.helping import May, may_act
from ledger.scheme.people import first_name, holder_of
from ledger.scheme.redemptions import State
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sessions import Period
from ledger.scheme.terms import Party

# A month, in which a venue settles whatever came of a visit.
BACK_MAX: Final = timedelta(days=31)


class Booking(Struct, frozen=True, kw_only=True):
    """A visit that was booked; of a course, one of its sessions. ``minutes`` are on hold for it, or were.

    Whoever booked may cancel until ``cancel_until``. ``code`` is what to show at the till, while it can be used.
    """

    id: UUID
    person: UUID | None
    offer: UUID
    title: str
    venue: UUID
    venue_name: str
    site: UUID | None
    occasion: UUID | None
    course: UUID | None
    visit_at: datetime
    cancel_until: datetime
    party: Party
    minutes: int
    status: State
    group: UUID | None
    made_at: datetime
    code: str | None


class Expected(Struct, frozen=True, kw_only=True):
    """A visit as its venue sees it. Without a ``first_name``, whoever it was is no longer known."""

    id: UUID
    first_name: str | None
    party: Party
    visit_at: datetime
    offer: UUID
    title: str
    site: UUID | None
    occasion: UUID | None
    minutes: int
    status: State


class Agenda(Struct, frozen=True, kw_only=True):
    """Some of what a person has booked, as it lay before or behind the moment at which the list was begun."""

    begun_at: datetime
    bookings: Sequence[Booking]


class Diary:
    """Reading what is booked."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(self, caller: Caller, id_: UUID) -> Booking:
        """The booking, to whom it is for, who may book for them, and the scheme."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT holder FROM scheme.booking WHERE id = $1 AND NOT walk_in", id_)
            if holder is None or not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            await acts.looked(raw, caller, holder, "bookings_read", id_, self._clock())
            (booking,) = await shown(raw, [id_])
            return booking

    async def of_person(
        self, caller: Caller, person: UUID, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> Agenda:
        """What a person has booked: what is to come, the next first; then what was before, the last first.

        ``after`` is the last one seen, and when its list was begun: the whole list is as of then.
        """
        now = self._clock()
        begun_at, last = after or (now, None)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            await acts.looked(raw, caller, holder, "bookings_read", None, now)
            rows = await raw.fetch(_OF_PERSON, holder, begun_at, last, limit)
            return Agenda(begun_at=begun_at, bookings=await shown(raw, [row["id"] for row in rows]))

    async def expected(self, caller: Caller, id_: UUID) -> Expected:
        """One of a venue's visits as it sees it, to the venue and the scheme."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(_STANDING, [id_])
        if row is None or not (caller.scope is Scope.SCHEME or caller.object == row["venue"]):
            raise Declined(Refusal.NOT_FOUND)
        return _expected(row)

    async def of_venue(
        self, caller: Caller, venue: UUID, day: date | None, *, after: UUID | None, limit: int
    ) -> Sequence[Expected]:
        """Who is booked at a venue on a day in London, today if it is None, by time; ``after`` is the last one seen."""
        today = day_of(self._clock())
        day = day or today
        if caller.scope is not Scope.SCHEME:
            if caller.object != venue:
                raise Declined(Refusal.NOT_FOUND)
            if day < today - BACK_MAX:
                raise Declined(Refusal.WRONG_VALUES, fields=(("day", f"must be at most {BACK_MAX.days} days ago"),))
        async with self._database.reading() as connection:
            raw = driver(connection)
            if not await raw.fetchval("SELECT EXISTS (SELECT FROM scheme.venue WHERE id = $1)", venue):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_OF_VENUE, venue, *Period(first=day, last=day).bounds, after, limit)
            stand = {row["id"]: row for row in await raw.fetch(_STANDING, [row["id"] for row in rows])}
        return [_expected(stand[row["id"]]) for row in rows]


async def shown(raw: asyncpg.Connection, ids: Sequence[UUID]) -> Sequence[Booking]:
    """These bookings as they stand, in this order; what isn't there is left out. Whose they are is the asker's care."""
    stand = {row["id"]: row for row in await raw.fetch(_STANDING, list(ids))}
    secret = await secret_of(raw)
    return [_booking(stand[id_], secret) for id_ in ids if id_ in stand]


def _booking(row: asyncpg.Record, secret: bytes) -> Booking:
    status = _status(row)
    is_usable = status is State.AUTHORISED and row["credential"] is not None
    return Booking(
        id=row["id"],
        person=row["person"],
        offer=row["offer"],
        title=row["title"],
        venue=row["venue"],
        venue_name=row["venue_name"],
        site=row["site"],
        occasion=row["occasion"],
        course=row["course"],
        visit_at=row["visit_at"],
        cancel_until=row["cancel_until"],
        party=_party(row["party"]),
        minutes=row["minutes"],
        status=status,
        group=row["group"],
        made_at=row["made_at"],
        code=booking_codes.shown(secret, row["credential"]) if is_usable else None,
    )


def _expected(row: asyncpg.Record) -> Expected:
    return Expected(
        id=row["id"],
        first_name=None if row["name"] is None else first_name(row["name"]),
        party=_party(row["party"]),
        visit_at=row["visit_at"],
        offer=row["offer"],
        title=row["title"],
        site=row["site"],
        occasion=row["occasion"],
        minutes=row["minutes"],
        status=_status(row),
    )


def _status(row: asyncpg.Record) -> State:
    if row["done"] != "capture":
        return _UNTAKEN[row["done"]]
    if row["refunded"]:
        return State.REFUNDED if row["refunded"] == row["captured"] else State.PARTIALLY_REFUNDED
    return State.CAPTURED if row["captured"] == row["minutes"] else State.PARTIALLY_CAPTURED


_UNTAKEN: Final = {None: State.AUTHORISED, "void": State.VOIDED, "lapse": State.LAPSED}
_party = msgspec.json.Decoder(Party).decode

# The credits are the first transfer of a hold, of its capture and of a refund (see `spending`).
_STANDING = """
SELECT b.id, h.person, p.name, b.offer, o.title, b.venue, v.name AS venue_name, b.site, b.occasion, b.course,
    b.visit_at, b.cancel_until, b.party, b.group, b.made_at, c.id AS credential,
    held.minutes, done.kind::text AS done, taken.minutes AS captured, (
        SELECT sum(t.minutes)::bigint
        FROM journal.entry back JOIN journal.transfer t ON t.position = back.position AND t.line = 0
        WHERE back.target = done.position AND back.kind = 'refund'
    ) AS refunded
FROM scheme.booking b
JOIN scheme.offer o ON o.id = b.offer
JOIN scheme.venue v ON v.id = b.venue
JOIN scheme.holder h ON h.id = b.holder
LEFT JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.credential c ON c.booking = coalesce(b.course, b.id) AND c.status = 'active'
JOIN journal.entry hold ON hold.id = b.id
JOIN journal.transfer held ON held.position = hold.position AND held.line = 0
LEFT JOIN journal.entry done ON done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
LEFT JOIN journal.transfer taken ON taken.position = done.position AND taken.line = 0
WHERE b.id = ANY($1::uuid[]) AND NOT b.walk_in
"""
# What is to come goes forwards in time, what is past backwards; each half reads no more than a page.
_OF_PERSON = """
WITH last AS (SELECT visit_at, id, visit_at < $2 AS is_past FROM scheme.booking WHERE id = $3)
SELECT id FROM (
    (
        SELECT id, visit_at, false AS is_past
        FROM scheme.booking
        WHERE holder = $1 AND NOT walk_in AND visit_at >= $2
            AND ($3::uuid IS NULL OR (visit_at, id) > (SELECT visit_at, id FROM last WHERE NOT is_past))
        ORDER BY visit_at, id LIMIT $4
    )
    UNION ALL
    (
        SELECT id, visit_at, true
        FROM scheme.booking
        WHERE holder = $1 AND NOT walk_in AND visit_at < $2
            AND (
                $3::uuid IS NULL OR NOT (SELECT is_past FROM last)
                OR (visit_at, id) < (SELECT visit_at, id FROM last)
            )
        ORDER BY visit_at DESC, id DESC LIMIT $4
    )
) page
ORDER BY is_past, CASE WHEN NOT is_past THEN visit_at END, CASE WHEN NOT is_past THEN id END, visit_at DESC, id DESC
LIMIT $4
"""
_OF_VENUE = """
SELECT id FROM scheme.booking
WHERE venue = $1 AND NOT walk_in AND visit_at >= $2 AND visit_at < $3
    AND ($4::uuid IS NULL OR (visit_at, id) > (SELECT visit_at, id FROM scheme.booking WHERE id = $4))
ORDER BY visit_at, id LIMIT $5
"""
