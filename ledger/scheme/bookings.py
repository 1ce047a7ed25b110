"""Bookings: credits put on hold for a visit beforehand, with its place and whatever else is limited.

    lock the holder -> facts -> may it be? (``weigh``) -> rows, code, act, event -> the hold (``spend``)

What others take at the same moment is judged with the entry, so the last place is given once. A booking of a course
holds each of its sessions that are still to come, all or nothing; they have one code, and are captured one by one. The
venue captures by the code or by the id (``redemptions``); what nobody came for lapses, by the venue's word or by itself
(rules 12, 13). How a booking stands is read from the journal (``diary``).

Who booked cancels for nothing until ``cancel_until`` (rule 14), which stands from the moment of booking, whatever
becomes of the terms; the venue and the scheme at any time. A change is a cancellation and a booking in one entry each
and one transaction: the credits that come back pay for the new one, and where that can't be had the old one stands.
What is held is honoured: neither a pause of the offer nor a consent that is withdrawn undoes it. An occasion that is
cancelled does (``release_cancelled``), and so does the erasure of whoever would have come.

Nobody's row is locked where credits only go back: what resolves a hold is judged under the journal's lock, once.

What bounds it: see `visits` for how far ahead and how many; each hold takes credits; `RELEASED_MAX` undone at a time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Moved, Posted, Reason, Refused, Transfer, entry_id
from ledger.journal.entries import Kind as EntryKind
from ledger.journal.posting import lock, post
from ledger.scheme import acts, booking_codes, diary, lapses, outbox
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_holders, without_consent
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import Clock
from ledger.scheme.diary import Booking
from ledger.scheme.directory import offers_of
from ledger.scheme.helping import May, may_act
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import Rules, in_force
from ledger.scheme.spending import spend
from ledger.scheme.terms import Charge, Kind, No, Offer, Party, Visitor, weigh
from ledger.scheme.visits import Visit, in_words, visits_of, wrong

# Given back because another booking takes its place, which is no cancellation: a statement tells them apart (`lines`).
_CHANGED: Final = "changed"

# Posted within some 20 ms, for which everybody else who posts has to wait.
RELEASED_MAX: Final = 200


class Wanted(Struct, frozen=True, kw_only=True, tag="book", tag_field="operation"):
    """What is to be booked: for a drop-in or a ticket a moment, for a show an occasion, for a course neither."""

    person: UUID
    offer: UUID
    visit_at: datetime | None = None
    occasion: UUID | None = None
    party: Party = Party()


class Change(Struct, frozen=True, kw_only=True, tag="change_booking", tag_field="operation"):
    """What is to be another; None stays."""

    booking: UUID
    visit_at: datetime | None = None
    occasion: UUID | None = None
    party: Party | None = None


class _Cancel(Struct, frozen=True, kw_only=True, tag="cancel_booking", tag_field="operation"):
    booking: UUID
    course: bool


class _NoShow(Struct, frozen=True, kw_only=True, tag="no_show", tag_field="operation"):
    booking: UUID


class Made(Struct, frozen=True, kw_only=True):
    """A booking as it was made: its id (of a course, the first session's), those of all, and the minutes together."""

    id: UUID
    bookings: Sequence[UUID]
    minutes: int


class Booked(Struct, frozen=True, kw_only=True):
    """The same with the bookings as they stand now, in the order of their time."""

    id: UUID
    minutes: int
    bookings: Sequence[Booking]


class Planned(Struct, frozen=True, kw_only=True):
    """One visit of what would be booked: when, what it would hold, and until when whoever books may cancel."""

    visit_at: datetime
    minutes: int
    cancel_until: datetime


class Checked(Struct, frozen=True, kw_only=True):
    """What a booking would come to; nothing was written. ``available`` is what they have to spend before it."""

    minutes: int
    available: int
    visits: Sequence[Planned]


class Returned(Struct, frozen=True, kw_only=True):
    """Bookings that were undone, by which entry (the first of them), and the minutes that went back."""

    entry: UUID
    bookings: Sequence[UUID]
    minutes: int
    at: datetime


class Bookings:
    """Booking, changing and cancelling; and a venue's word that nobody came."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def check(self, caller: Caller, wanted: Wanted) -> Checked:
        """What ``book`` would answer; declines what it would decline, so far as nobody else is quicker."""
        now = self._clock()
        async with self._database.transaction() as connection:  # no mere reading: occasions stay while it looks
            raw = driver(connection)
            holder = await holder_of(raw, wanted.person)
            if not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            bill = await _bill(raw, await _weighed(raw, wanted, holder, now), holder)
            if caller.scope is not Scope.SCHEME:
                await acts.looked(raw, caller, holder, "balance_read", None, now)
        return _checked(bill)

    async def check_change(self, caller: Caller, change: Change) -> Checked:
        """What ``change`` would answer, likewise; ``available`` is what they have once the old one is given back."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row, wanted, same_time = await _changed(raw, caller, change, now)
            holder, hold = row["holder"], await reading.entry(raw, change.booking)
            assert hold is not None, "a booking is a hold"
            if not await raw.fetch(_OPEN, change.booking, None):
                raise _over()
            weighed = await _weighed(raw, wanted, holder, now, notice_given=same_time)
            bill = await _bill(raw, weighed, holder, hold.transfers)
            if caller.scope is not Scope.SCHEME:
                await acts.looked(raw, caller, holder, "balance_read", None, now)
        return _checked(bill)

    async def book(self, caller: Caller, key: str, wanted: Wanted) -> tuple[Booked, bool]:
        """Book for a person, who pays; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Made:
            holder = await holder_of(raw, wanted.person)
            if not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            await lock_holders(raw, [holder])
            return await book(raw, caller, key, wanted, holder, now)

        made, replayed = await self._answers.once(caller, key, wanted, work, Made)
        return await self._shown(made), replayed

    async def change(self, caller: Caller, key: str, change: Change) -> tuple[Booked, bool]:
        """Book another time or party in a booking's place, with the same code; it has a new id."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Made:
            return await _change(raw, caller, key, change, now)

        made, replayed = await self._answers.once(caller, key, change, work, Made)
        return await self._shown(made), replayed

    async def cancel(self, caller: Caller, key: str, booking: UUID, *, course: bool) -> tuple[Returned, bool]:
        """Give back what a booking holds; with ``course`` all of its course that can still be cancelled."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Returned:
            return await _cancel(raw, caller, key, await _own(raw, caller, booking), now, course=course)

        return await self._answers.once(caller, key, _Cancel(booking=booking, course=course), work, Returned)

    async def no_show(self, caller: Caller, key: str, booking: UUID) -> tuple[Returned, bool]:
        """Nobody came: the hold lapses at once. Not before the visit's time."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Returned:
            row = await _own(raw, caller, booking)
            if now < row["visit_at"]:
                raise Declined(
                    Refusal.WRONG_STATE, f"The visit is {in_words(row['visit_at'])}.", works_at=row["visit_at"]
                )
            lapse = _back(caller, entry_id(caller.principal, key), EntryKind.LAPSE, booking, now)
            await outbox.put(raw, [_told(Topic.HOLD_LAPSED, row)], now)
            await post_new(raw, [lapse], now)
            return Returned(entry=lapse.id, bookings=[booking], minutes=row["minutes"], at=now)

        return await self._answers.once(caller, key, _NoShow(booking=booking), work, Returned)

    async def _shown(self, made: Made) -> Booked:
        async with self._database.reading() as connection:
            bookings = await diary.shown(driver(connection), made.bookings)
        return Booked(id=made.id, minutes=made.minutes, bookings=bookings)


async def book(  # noqa: PLR0917  # who, under which key, what, for whom, when
    raw: asyncpg.Connection,
    caller: Caller,
    key: str,
    wanted: Wanted,
    holder: UUID,
    now: datetime,
    *,
    payer: UUID | None = None,
) -> Made:
    """Hold what is wanted for that holder, whose row is locked; whether the caller may is asked before.

    ``payer`` is the group whose pot pays; None is the holder themselves. The first hold bears the key's own id. As it
    posts, it comes last in the transaction. Raises ``Declined``, and nothing that it wrote may be committed then.
    """
    holds = await _write(raw, caller, wanted, holder, now, key=key, payer=payer)
    made = _made(holds)
    await booking_codes.give(raw, made.id, holder, caller.identity, now)
    await acts.record(raw, caller, holder, "book", made.id, now)
    body = {"minutes": made.minutes, "sessions": len(holds)}
    await outbox.put(raw, [Event(topic=Topic.BOOKED, holder=holder, object=made.id, body=body)], now)
    await post_new(raw, holds, now)
    return made


async def release_cancelled(raw: asyncpg.Connection, now: datetime, *, occasion: UUID | None = None) -> int:
    """Undo bookings of occasions that were cancelled (or of that one), some at a time, and return how many."""
    rows = await raw.fetch(_OF_CANCELLED, now, occasion, RELEASED_MAX)
    voids = [
        Entry(
            id=entry_id(SCHEME, f"undo {row['id']}"),  # no client's key holds a space
            kind=EntryKind.VOID,
            target=row["id"],
            happened_at=row["cancelled_at"],
            actor=SCHEME,
            reference=row["id"].hex,
        )
        for row in rows
    ]
    outcomes = await post(raw, CHART, voids, now) if voids else []
    undone = [
        _told(Topic.BOOKING_UNDONE, row)
        for row, outcome in zip(rows, outcomes, strict=True)
        if isinstance(outcome, Posted) and not outcome.replayed  # else it was captured or cancelled a moment ago
    ]
    await outbox.put(raw, undone, now)
    return len(rows)


async def occasion_cancelled(raw: asyncpg.Connection, _: Caller, occasion: UUID, now: datetime) -> None:
    """Undo the bookings of an occasion in the transaction that cancels it: most often all of them."""
    await release_cancelled(raw, now, occasion=occasion)


async def open_by_pot(raw: asyncpg.Connection, holder: UUID) -> list[UUID]:
    """The open holds for visits of that holder that a pot pays for, oldest first."""
    return [row["id"] for row in await raw.fetch(_OPEN_BY_POT, holder)]


# --- booking --------------------------------------------------------------------------------------------------


async def _write(
    raw: asyncpg.Connection,
    caller: Caller,
    wanted: Wanted,
    holder: UUID,
    now: datetime,
    *,
    key: str,
    payer: UUID | None,
    number: int = 0,
    notice_given: bool = False,
) -> list[Entry]:
    """Write down each visit that is wanted, and return its hold; the ids are the key's from that number on."""
    weighed = await _weighed(raw, wanted, holder, now, notice_given=notice_given)
    offer, visits = weighed.offer, [visit for visit, _ in weighed.visits]
    source = account("wallet", holder) if payer is None else account("pot", payer)
    holds = [
        Entry(
            id=_id(caller, key, number + place),
            kind=EntryKind.HOLD,
            transfers=weighed.spend(visit, charge, source, holder),
            happened_at=now,
            actor=caller.identity,
            reference=offer.reference,
        )
        for place, (visit, charge) in enumerate(weighed.visits)
    ]
    await raw.execute(
        _WRITE,
        [hold.id for hold in holds],
        [visit.occasion for visit in visits],
        [visit.at for visit in visits],
        [visit.at - weighed.notice for visit in visits],
        offer.id,
        offer.venue,
        offer.site,
        holder,
        payer,
        holds[0].id if offer.kind is Kind.COURSE else None,
        msgspec.json.encode(wanted.party).decode(),
        now,
        caller.identity,
    )
    for hold, visit in zip(holds, visits, strict=True):
        await lapses.put(raw, hold.id, visit.at + timedelta(minutes=weighed.rules.booking_hold_minutes))
    return holds


class _Weighed(NamedTuple):
    """Visits that may be, each with what it is charged."""

    offer: Offer
    rules: Rules
    visits: Sequence[tuple[Visit, Charge]]

    @property
    def notice(self) -> timedelta:
        """How long before its visit a booking can be cancelled at the latest."""
        return timedelta(minutes=min(self.offer.terms.cancel_minutes, self.rules.cancel_notice_max_minutes))

    def spend(self, visit: Visit, charge: Charge, source: str, holder: UUID) -> tuple[Transfer, ...]:
        """The transfers of one visit's hold."""
        return spend(self.offer, charge, source, holder, visit.at, places=visit.places, hold=True)


async def _weighed(
    raw: asyncpg.Connection, wanted: Wanted, holder: UUID, now: datetime, *, notice_given: bool = False
) -> _Weighed:
    """Each visit that is wanted, as its terms judge it; declines at the first that may not be."""
    rules = (await in_force(raw)).rules
    offer = next(iter(await offers_of(raw, [wanted.offer])), None)
    if offer is None or offer.status == "draft":
        raise Declined(Refusal.NOT_FOUND, "There is no such offer.")
    visits = await visits_of(
        raw, offer, rules, at=wanted.visit_at, occasion=wanted.occasion, now=now, notice_given=notice_given
    )
    visitor = await _visitor(raw, holder, now)
    charged = []
    for visit in visits:
        charge = weigh(offer, rules, wanted.party, visitor, visit.at, booked=True)
        if isinstance(charge, No):
            raise Declined(charge.reason, charge.detail, works_at=charge.works_at)
        charged.append((visit, charge))
    return _Weighed(offer, rules, charged)


class _Bill(NamedTuple):
    """What visits would take, and the balances from which: those of now, with what is given back beforehand."""

    weighed: _Weighed
    wallet: str
    moves: Sequence[Transfer]
    balances: dict[str, int]


async def _bill(raw: asyncpg.Connection, weighed: _Weighed, holder: UUID, back: Sequence[Moved] = ()) -> _Bill:
    wallet = account("wallet", holder)
    spent = [weighed.spend(visit, charge, wallet, holder) for visit, charge in weighed.visits]
    moves = [moved for each in spent for moved in each]
    touched = {wallet, *(moved.debit for moved in moves), *(returned.debit for returned in back)}
    balances = dict(await reading.balances(raw, list(touched)))
    for returned in back:
        balances[returned.debit] += returned.minutes
    return _Bill(weighed, wallet, moves, balances)


def _checked(bill: _Bill) -> Checked:
    """What it comes to; declines where there isn't enough. That somebody looked at it stands written by then."""
    weighed, balances = bill.weighed, dict(bill.balances)
    for moved in bill.moves:
        balances[moved.debit] -= moved.minutes
        if balances[moved.debit] < (moved.least or 0):
            settled(Refused(id=weighed.offer.id, reason=Reason.INSUFFICIENT, account=moved.debit), bill.moves)
    return Checked(
        minutes=sum(charge.minutes for _, charge in weighed.visits),
        available=bill.balances[bill.wallet],
        visits=[
            Planned(visit_at=visit.at, minutes=charge.minutes, cancel_until=visit.at - weighed.notice)
            for visit, charge in weighed.visits
        ],
    )


async def _visitor(raw: asyncpg.Connection, holder: UUID, now: datetime) -> Visitor:
    (row,) = await raw.fetch(_VISITOR, holder, now)
    lacking = await without_consent(raw, [holder], now)
    return Visitor(age_band=row["age_band"], lacks_consent=holder in lacking, eligible=tuple(row["eligible"]))


# --- changing and cancelling ----------------------------------------------------------------------------------


async def _changed(
    raw: asyncpg.Connection, caller: Caller, change: Change, now: datetime
) -> tuple[asyncpg.Record, Wanted, bool]:
    """The booking that may be changed, what is wanted in its place, and whether that is at the same time."""
    row = await _own(raw, caller, change.booking)
    if change.visit_at is None and change.occasion is None and change.party is None:
        raise wrong("party", "must be given, or another time: else nothing changes")
    if row["course"] is not None:
        raise Declined(
            Refusal.WRONG_STATE, "A course is booked as a whole: cancel it, and book anew what is still wanted."
        )
    if row["group"] is not None:
        raise Declined(Refusal.WRONG_STATE, "A pot pays for this: cancel it, and let its keyholders book anew.")
    if _too_late(caller, row, now):
        raise _late(row)
    same_time = change.visit_at is None and change.occasion is None
    wanted = Wanted(
        person=row["person"],
        offer=row["offer"],
        visit_at=row["visit_at"] if same_time and row["occasion"] is None else change.visit_at,
        occasion=row["occasion"] if same_time else change.occasion,
        party=msgspec.json.decode(row["party"], type=Party) if change.party is None else change.party,
    )
    return row, wanted, same_time


async def _change(raw: asyncpg.Connection, caller: Caller, key: str, change: Change, now: datetime) -> Made:
    row, wanted, same_time = await _changed(raw, caller, change, now)
    holder = row["holder"]
    await lock_holders(raw, [holder])
    holds = await _write(raw, caller, wanted, holder, now, key=key, payer=None, number=1, notice_given=same_time)
    made = _made(holds)
    await booking_codes.move(raw, change.booking, made.id, caller.identity, now)
    await acts.record(raw, caller, holder, "change_booking", made.id, now)
    changed = Event(
        topic=Topic.BOOKING_CHANGED,
        holder=holder,
        object=made.id,
        body={"minutes": made.minutes, "before": str(change.booking)},
    )
    await outbox.put(raw, [changed], now)
    void = _back(caller, _id(caller, key, 0), EntryKind.VOID, change.booking, now, reference=_CHANGED)
    await post_new(raw, [void, *holds], now)
    return made


async def _cancel(
    raw: asyncpg.Connection, caller: Caller, key: str, row: asyncpg.Record, now: datetime, *, course: bool
) -> Returned:
    if course and row["course"] is None:
        raise wrong("course", "must be false: this is no session of a course")
    # From here on nobody else resolves any of them.
    await lock(raw)
    rows = await raw.fetch(_OPEN, row["id"], row["course"] if course else None)
    if not rows:
        raise _over()
    if _too_late(caller, rows[-1], now):
        raise _late(rows[-1])
    # Of a course, what can't be cancelled any more stays.
    rows = [each for each in rows if not _too_late(caller, each, now)]
    voids = [_back(caller, _id(caller, key, place), EntryKind.VOID, each["id"], now) for place, each in enumerate(rows)]
    minutes = sum(each["minutes"] for each in rows)
    await acts.record(raw, caller, row["holder"], "cancel_booking", row["id"], now)
    told = _told(Topic.BOOKING_CANCELLED, row, minutes=minutes, sessions=len(rows), by=caller.scope.value)
    await outbox.put(raw, [told], now)
    await post_new(raw, voids, now)
    return Returned(entry=voids[0].id, bookings=[each["id"] for each in rows], minutes=minutes, at=now)


async def _own(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> asyncpg.Record:
    """The booking, if the caller may do something about it: the person, their helper, the venue or the scheme."""
    row = await raw.fetchrow(_BY_ID, id_)
    if row is not None:
        if caller.scope is Scope.VENUE and caller.object == row["venue"]:
            return row
        if await may_act(raw, caller, row["holder"], May.BOOK):
            return row
    raise Declined(Refusal.NOT_FOUND)


def _too_late(caller: Caller, row: asyncpg.Record, now: datetime) -> bool:
    """Whether this is undone only by the venue or the scheme by now."""
    return caller.scope is Scope.PERSON and bool(now >= row["cancel_until"])


def _late(row: asyncpg.Record) -> Declined:
    until = in_words(row["cancel_until"])
    return Declined(Refusal.WRONG_STATE, f"This could be done until {until}; the venue or the office can still help.")


def _over() -> Declined:
    return Declined(Refusal.ALREADY_RESOLVED, "It was used or cancelled before, or its time ran out.")


def _back(caller: Caller, id_: UUID, kind: EntryKind, hold: UUID, now: datetime, *, reference: str = "") -> Entry:
    """The entry by which all of a hold goes back."""
    return Entry(
        id=id_, kind=kind, target=hold, happened_at=now, actor=caller.identity, reference=reference or hold.hex
    )


def _id(caller: Caller, key: str, number: int) -> UUID:
    """The key's own id first, for which it is known to be used; no key holds a space."""
    return entry_id(caller.principal, f"{key} {number}" if number else key)


def _made(holds: Sequence[Entry]) -> Made:
    minutes = sum(hold.transfers[0].minutes for hold in holds)
    return Made(id=holds[0].id, bookings=[hold.id for hold in holds], minutes=minutes)


def _told(topic: Topic, row: asyncpg.Record, **figures: int | str) -> Event:
    return Event(topic=topic, holder=row["holder"], object=row["id"], body=figures or {"minutes": row["minutes"]})


_VISITOR = """
SELECT p.age_band, ARRAY(
    SELECT e.word FROM scheme.eligible e WHERE e.person = p.id AND (e.ends_at IS NULL OR e.ends_at > $2)
) AS eligible
FROM scheme.holder h JOIN scheme.person p ON p.id = h.person WHERE h.id = $1
"""
_WRITE = """
INSERT INTO scheme.booking (id, occasion, visit_at, cancel_until, walk_in, offer, venue, site, holder, "group", course,
    party, made_at, made_by)
SELECT u.*, false, $5::uuid, $6::uuid, $7::uuid, $8::uuid, $9::uuid, $10::uuid, $11::text, $12::timestamptz, $13::uuid
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) u
"""
# With what its hold holds: the credits are the first transfer (see `spending`).
_SELECT = """
SELECT b.*, h.person, held.minutes
FROM scheme.booking b
JOIN scheme.holder h ON h.id = b.holder
JOIN journal.entry hold ON hold.id = b.id
JOIN journal.transfer held ON held.position = hold.position AND held.line = 0
"""
_IS_OPEN = """
    AND NOT EXISTS (
        SELECT FROM journal.entry done WHERE done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
    )
"""
_BY_ID = _SELECT + "WHERE b.id = $1 AND NOT b.walk_in"
_OPEN = _SELECT + "WHERE (b.id = $1 OR b.course = $2) AND NOT b.walk_in" + _IS_OPEN + "ORDER BY b.visit_at, b.id"
_OPEN_BY_POT = _SELECT + 'WHERE b.holder = $1 AND b."group" IS NOT NULL' + _IS_OPEN + "ORDER BY hold.position"
# A hold lasts for 14 days after its visit at most (rule 12), so the past is passed over by index.
_OF_CANCELLED = f"""
SELECT b.id, b.holder, held.minutes, o.cancelled_at
FROM scheme.occasion o
JOIN scheme.booking b ON b.occasion = o.id
JOIN journal.entry hold ON hold.id = b.id
JOIN journal.transfer held ON held.position = hold.position AND held.line = 0
WHERE o.cancelled_at IS NOT NULL AND o.starts_at > $1::timestamptz - interval '14 days'
    AND ($2::uuid IS NULL OR o.id = $2) {_IS_OPEN}
ORDER BY b.id LIMIT $3
"""  # noqa: S608  # of the constant above
