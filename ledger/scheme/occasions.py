"""Occasions: when a show is given, or a session of a course. They are booked one by one, or a course as a whole.

    planned -> cancelled

Some are added at once, for a season or a term; how many places are for credits can be changed until the occasion is
over. What is taken is what the journal has on ``allowance:{occasion}``, below zero, so a figure below what is taken
only means that nobody else can book.

Whoever books locks the occasion's row, so none is booked that is being cancelled. Cancelling tells the outbox, and in
the same transaction whoever was given as ``cancelled``: there the bookings come undone. Doing it again changes nothing.

What bounds it: ``OCCASIONS_MAX`` of one offer, each of at most ``LENGTH_MAX``. Adding them is done once under the
client's key.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.offers import TIMED, visible
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.terms import Kind

# A show each day for a year, and what was cancelled of it.
OCCASIONS_MAX: Final = 400
LENGTH_MAX: Final = timedelta(hours=24)

Cancelled = Callable[[asyncpg.Connection, Caller, UUID, datetime], Awaitable[None]]
"""What else happens when that occasion is cancelled, last in the transaction: so it may post to the journal."""


class Times(Struct, frozen=True, kw_only=True):
    """When one is, and its places for credits; None: no limit but the offer's own."""

    starts_at: datetime
    ends_at: datetime
    places: int | None = None


class Occasion(Times, frozen=True, kw_only=True):
    """An occasion; ``left`` are the places that can still be booked, None where there is no limit."""

    id: UUID
    offer: UUID
    left: int | None
    cancelled_at: datetime | None


class NewOccasions(Struct, frozen=True, kw_only=True, tag="occasions", tag_field="operation"):
    """What is asked for."""

    offer: UUID
    occasions: Sequence[Times]


class _Made(Struct, frozen=True):
    ids: Sequence[UUID]


class Occasions:
    """Adding occasions, finding, changing and cancelling them."""

    def __init__(self, database: Database, clock: Clock, cancelled: Cancelled) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)
        self._cancelled = cancelled

    async def add(self, caller: Caller, key: str, asked: NewOccasions) -> tuple[Sequence[Occasion], bool]:
        """New occasions of a show or a course, in the order they were given; and whether this is a replay."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            row = await raw.fetchrow(_LOCK_OFFER, asked.offer)
            if row is None:
                raise Declined(Refusal.NOT_FOUND, "There is no such offer.")
            if row["status"] == "ended":
                raise Declined(Refusal.WRONG_STATE, "The offer has ended.")
            if Kind(row["kind"]) not in TIMED:
                raise Declined(Refusal.WRONG_STATE, "Only shows and courses have occasions.")
            stand = {each["starts_at"] for each in await raw.fetch(_STARTS, asked.offer, OCCASIONS_MAX)}
            if wrong := _faults(asked.occasions, stand, now):
                raise Declined(Refusal.WRONG_VALUES, fields=wrong)
            ids = [uuid4() for _ in asked.occasions]
            await raw.execute(
                _ADD,
                asked.offer,
                ids,
                [each.starts_at for each in asked.occasions],
                [each.ends_at for each in asked.occasions],
                [each.places for each in asked.occasions],
            )
            await acts.by_staff(raw, caller, "occasions_added", asked.offer, now)
            return _Made(ids)

        made, replayed = await self._answers.once(caller, key, asked, work, _Made)
        added = [
            Occasion(
                id=id_,
                offer=asked.offer,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                places=each.places,
                left=each.places,
                cancelled_at=None,
            )
            for id_, each in zip(made.ids, asked.occasions, strict=True)
        ]
        return added, replayed

    async def of_offer(
        self, caller: Caller, offer: UUID, *, since: datetime | None, after: UUID | None, limit: int
    ) -> Sequence[Occasion]:
        """An offer's occasions in order, those that aren't over by ``since`` or, if that is None, by now.

        They are there for whomever the offer is; ``after`` is the last one seen.
        """
        async with self._database.reading() as connection:
            raw = driver(connection)
            await visible(raw, caller, offer)
            rows = await raw.fetch(_OF_OFFER, offer, since or self._clock(), after, limit)
            return await _with_places(raw, rows)

    async def set_places(self, caller: Caller, id_: UUID, places: int | None) -> Occasion:
        """Have so many places for credits from now on; what is taken stays. Declines one that is over or cancelled."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await _locked(raw, id_)
            if row["cancelled_at"] is not None or row["ends_at"] <= self._clock():
                over = "over" if row["cancelled_at"] is None else "cancelled"
                raise Declined(Refusal.WRONG_STATE, f"The occasion is {over}.")
            if row["places"] != places:
                await raw.execute("UPDATE scheme.occasion SET places = $2 WHERE id = $1", id_, places)
                await acts.by_staff(raw, caller, "occasion_changed", id_, self._clock())
            return (await _with_places(raw, await raw.fetch(_BY_ID, id_)))[0]

    async def cancel(self, caller: Caller, id_: UUID) -> Occasion:
        """Cancel one that isn't over; cancelling it again changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await _locked(raw, id_)
            if row["cancelled_at"] is None:
                if row["ends_at"] <= now:
                    raise Declined(Refusal.WRONG_STATE, "The occasion is over.")
                await raw.execute("UPDATE scheme.occasion SET cancelled_at = $2 WHERE id = $1", id_, now)
                await outbox.put(raw, [Event(topic=Topic.OCCASION_CANCELLED, object=id_)], now)
                await acts.by_staff(raw, caller, Topic.OCCASION_CANCELLED.value, id_, now)
                await self._cancelled(raw, caller, id_, now)
            return (await _with_places(raw, await raw.fetch(_BY_ID, id_)))[0]


async def coming(raw: asyncpg.Connection, offer: UUID, now: datetime, limit: int) -> Sequence[Occasion]:
    """An offer's next occasions that have not begun and aren't cancelled; for whom it is, is the asker's care."""
    return await _with_places(raw, await raw.fetch(_COMING, offer, now, limit))


async def _locked(raw: asyncpg.Connection, id_: UUID) -> asyncpg.Record:
    """The occasion's row, which nobody cancels or changes until the transaction ends; or ``not_found``."""
    row = await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return row


def _faults(asked: Sequence[Times], stand: set[datetime], now: datetime) -> tuple[tuple[str, str], ...]:
    """What is wrong with new occasions, beside those that stand."""
    if len(stand) + len(asked) > OCCASIONS_MAX:
        return (("occasions", f"must be at most {OCCASIONS_MAX} of one offer, with the {len(stand)} that it has"),)
    found: list[tuple[str, str]] = []
    seen = set(stand)
    for number, each in enumerate(asked):
        field = f"occasions[{number}]"
        if each.starts_at <= now:
            found.append((f"{field}.starts_at", "must lie ahead"))
        elif each.starts_at in seen:
            found.append((f"{field}.starts_at", "is the beginning of another one already"))
        seen.add(each.starts_at)
        if each.ends_at <= each.starts_at:
            found.append((f"{field}.ends_at", "must be later than starts_at"))
        elif each.ends_at - each.starts_at > LENGTH_MAX:
            found.append((f"{field}.ends_at", "must be within 24 hours of starts_at"))
    return tuple(found)


async def _with_places(raw: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[Occasion]:
    """The occasions with what the journal has taken of their places."""
    taken = await reading.balances(raw, [account("allowance", row["id"]) for row in rows])
    return [
        Occasion(
            **row,
            left=None if row["places"] is None else max(0, row["places"] + taken[account("allowance", row["id"])]),
        )
        for row in rows
    ]


_LOCK_OFFER = "SELECT kind, status FROM scheme.offer WHERE id = $1 FOR NO KEY UPDATE"
# As many as there can be.
_STARTS = "SELECT starts_at FROM scheme.occasion WHERE offer = $1 LIMIT $2"
_ADD = """
INSERT INTO scheme.occasion (offer, id, starts_at, ends_at, places)
SELECT $1, u.* FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::integer[]) u
"""
_SELECT = "SELECT id, offer, starts_at, ends_at, places, cancelled_at FROM scheme.occasion "
_BY_ID = _SELECT + "WHERE id = $1"
_COMING = _SELECT + "WHERE offer = $1 AND starts_at > $2 AND cancelled_at IS NULL ORDER BY starts_at, id LIMIT $3"
_OF_OFFER = f"""{_SELECT}
WHERE offer = $1 AND ends_at > $2 AND (
    $3::uuid IS NULL
    OR (starts_at, id) > (SELECT last.starts_at, last.id FROM scheme.occasion last WHERE last.id = $3)
)
ORDER BY starts_at, id LIMIT $4
"""  # noqa: S608  # a piece of our own
