"""Redemptions: how a visit that was paid for stands, and what follows: capture, void, refund.

    authorised -> captured | partially_captured | voided | lapsed;  then partially_refunded | refunded

A redemption is an entry of the journal: a plain one where it was captured on the spot, or a hold (``tills`` and
``bookings`` make both). How it stands isn't stored but derived from what was done to the entry, and it is known by the
entry's id. The entry's reference is the offer's id; its actor is the till.

What follows is an entry too, under the key of whoever asks: a hold is resolved once, refunds never exceed what was
captured, and the same key hears the same for ever. Limits and quotas move with the credits (``spending``).

A venue acts on its own redemptions; others aren't there for it. It never learns a balance. To a holder who was erased
nothing is refunded: a refund is decided under the lock of the holder's row, apart from the batches.

What a venue took today is read from its account, by index, with the first name of whoever paid: so a refund finds the
visit that it is for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.batcher import Batcher
from ledger.journal.entries import KEPT, Entry, Kind, Outcome, Posted, Reason, Refused, Transfer, entry_id
from ledger.journal.posting import lock, post
from ledger.scheme import acts, paper
from ledger.scheme.awards import lock_open
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.directory import Directory
from ledger.scheme.people import first_name
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import Rules, in_force
from ledger.scheme.spending import credits_of, give_back, take
from ledger.scheme.terms import No, Offer, in_credits
from ledger.scheme.venues import belongs
from ledger.scheme.visits import in_words


class State(StrEnum):
    """How a redemption stands."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    PARTIALLY_CAPTURED = "partially_captured"
    VOIDED = "voided"
    LAPSED = "lapsed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Redemption(Struct, frozen=True, kw_only=True):
    """A redemption; all minutes. ``captured`` is what the venue took, ``refunded`` what it gave back of that."""

    id: UUID
    status: State
    offer: UUID
    minutes: int
    captured: int
    refunded: int
    recorded_at: datetime


class Step(Struct, frozen=True, kw_only=True):
    """What was done to a redemption: its capture, void or refund. ``minutes`` were captured or given back."""

    id: UUID
    redemption: UUID
    kind: Kind
    minutes: int
    recorded_at: datetime


class Taking(Struct, frozen=True, kw_only=True):
    """What a venue took today, for which visit: ``minutes``, of which ``refunded`` were given back since.

    No ``first_name``: a voucher or a pot paid, or whoever it was is no longer known. ``sequence`` is its place.
    """

    redemption: UUID
    offer: UUID
    title: str
    first_name: str | None
    minutes: int
    refunded: int
    recorded_at: datetime
    sequence: int


# What was asked, as it stands in the entry's details. The order of fields is part of it.


class _Capture(Struct, frozen=True, tag="capture", tag_field="operation", gc=False):
    redemption: UUID
    minutes: int | None


class _Void(Struct, frozen=True, tag="void", tag_field="operation", gc=False):
    redemption: UUID


class _Refund(Struct, frozen=True, tag="refund", tag_field="operation", gc=False):
    redemption: UUID
    minutes: int | None


_encode = msgspec.json.Encoder().encode
_NOBODYS: Final = No(reason=Refusal.CODE_UNKNOWN, detail="")
_TICK: Final = timedelta(microseconds=1)


class Redemptions:
    """Redemptions as they stand, and what follows them."""

    def __init__(self, database: Database, batcher: Batcher, directory: Directory, clock: Clock) -> None:
        self._database = database
        self._batcher = batcher
        self._directory = directory
        self._clock = clock

    async def get(self, caller: Caller, id_: UUID) -> Redemption:
        """The redemption as it stands, to its venue and to the scheme."""
        posted, offer = await self._own(caller, id_)
        async with self._database.reading() as connection:
            return redemption_of(posted, await done_to(driver(connection), posted), offer.id)

    async def of_payer(self, caller: Caller, holder: UUID, id_: UUID) -> Redemption:
        """The same, if that holder paid for it; to others' pages it isn't there. That staff looked is recorded."""
        posted, offer = await self._own(caller, id_)
        if posted.transfers[0].debit != account("wallet", holder):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await acts.looked(raw, caller, holder, "bookings_read", id_, self._clock())
            return redemption_of(posted, await done_to(raw, posted), offer.id)

    async def today(self, caller: Caller, venue: UUID, *, before: int | None, limit: int) -> Sequence[Taking]:
        """What the venue took today in London, the newest first; ``before`` is the place of the last one seen."""
        if not belongs(caller, venue):
            raise Declined(Refusal.NOT_FOUND)
        yesterday = datetime.combine(day_of(self._clock()), time(), LONDON) - _TICK
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_TODAY, account("redeemed", venue), yesterday, before, limit)
        return [
            Taking(
                redemption=row["redemption"],
                offer=row["offer"],
                title=row["title"],
                first_name=None if row["name"] is None else first_name(row["name"]),
                minutes=row["minutes"],
                refunded=row["refunded"],
                recorded_at=row["recorded_at"],
                sequence=row["sequence"],
            )
            for row in rows
        ]

    async def capture(self, caller: Caller, key: str, id_: UUID, minutes: int | None) -> tuple[Step, bool]:
        """Take what was authorised, or some of it; the rest goes back to the holder in the same entry.

        A booking is taken on its day or later, at its site.
        """
        hold, offer = await self._own(caller, id_)
        async with self._database.reading() as connection:
            booked = await driver(connection).fetchrow(BOOKED, id_)
        # Of a walk-in that was captured on the spot nothing is on hold any more.
        no: No | None = No(reason=Refusal.ALREADY_RESOLVED, detail="")
        if hold.kind is Kind.HOLD:
            no = None if booked is None else against_booking(caller, booked, self._clock())
        entry = self._entry(caller, key, Kind.CAPTURE, id_, id_, _Capture(id_, minutes), no)
        if hold.kind is Kind.HOLD:
            entry = msgspec.structs.replace(entry, transfers=take(hold.transfers, offer.redeemed, minutes))
        return _step(id_, await self._post(caller, entry, "visit_taken", hold), no)

    async def void(self, caller: Caller, key: str, id_: UUID) -> tuple[Step, bool]:
        """Give back all that a till authorised. A booking is cancelled as one, so that its holder hears of it."""
        hold, _ = await self._own(caller, id_)
        async with self._database.reading() as connection:
            booked = await driver(connection).fetchrow(BOOKED, id_)
        if booked is not None and not booked["walk_in"]:
            raise Declined(Refusal.WRONG_STATE, f"This is a booking: cancel it at /v1/bookings/{id_}/cancel.")
        entry = self._entry(caller, key, Kind.VOID, id_, id_, _Void(id_))
        return _step(id_, await self._post(caller, entry, "visit_called_off", hold))

    async def refund(self, caller: Caller, key: str, id_: UUID, minutes: int | None) -> tuple[Step, bool]:
        """Give back some of what was captured, or, with no minutes said, all that is left of it (rule 15)."""
        posted, _ = await self._own(caller, id_)
        payer = posted.transfers[0].debit
        kind, _, owner = payer.partition(":")
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            rules = (await in_force(raw)).rules
            is_open = kind != "wallet" or bool(await lock_open(raw, [UUID(owner)]))
            if kind == "paper":
                # A voucher is used once; what comes back of it goes to the pot that it came from.
                payer = await paper.pot_of(raw, UUID(owner))
            # From here on nobody else refunds it: whether this is the last of it decides what goes back of its places.
            await lock(raw)
            done = await done_to(raw, posted)
            taken = posted if posted.kind is Kind.PLAIN else first_of(done, Kind.CAPTURE)
            captured = 0 if taken is None else credits_of(taken.transfers, "redeemed")
            left = captured - sum(_refunded(entry) for entry in done)
            back = minutes or left
            no = _against_refund(caller, rules, taken, back, left, now) if is_open else _NOBODYS
            target = id_ if taken is None else taken.id
            entry = self._entry(caller, key, Kind.REFUND, id_, target, _Refund(id_, minutes), no)
            if taken is not None and no is None:
                moves = give_back(posted.transfers, taken.transfers, payer, back, whole=back == left)
                entry = msgspec.structs.replace(entry, transfers=moves)
            (outcome,) = await post(raw, CHART, [entry], now)
            await _write_act(raw, caller, "visit_refunded", posted, outcome)
        return _step(id_, outcome, no)

    async def _post(self, caller: Caller, entry: Entry, verb: str, redemption: Posted) -> Outcome:
        """Write what a till does with the batcher; what staff do alone, with the act that tells of it."""
        if caller.scope is not Scope.SCHEME:
            return await self._batcher.post(entry)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            (outcome,) = await post(raw, CHART, [entry], self._clock())
            await _write_act(raw, caller, verb, redemption, outcome)
        return outcome

    async def _own(self, caller: Caller, id_: UUID) -> tuple[Posted, Offer]:
        """The redemption's entry and its offer, if it is one and the caller's."""
        async with self._database.reading() as connection:
            posted = await reading.entry(driver(connection), id_)
        if posted is None or not _is_redemption(posted):
            raise Declined(Refusal.NOT_FOUND)
        offer = (await self._directory.find(offer=UUID(posted.reference))).offer
        if offer is None or (caller.scope is not Scope.SCHEME and offer.venue != caller.object):
            raise Declined(Refusal.NOT_FOUND)
        return posted, offer

    def _entry(  # noqa: PLR0917  # who, under which key, does what to what, and why not
        self,
        caller: Caller,
        key: str,
        kind: Kind,
        redemption: UUID,
        target: UUID,
        details: Struct,
        no: No | None = None,
    ) -> Entry:
        return Entry(
            id=entry_id(caller.principal, key),
            kind=kind,
            target=target,
            happened_at=self._clock(),
            actor=caller.identity,
            reference=redemption.hex,
            details=_encode(details).decode(),
            refused="" if no is None else no.reason.value,
        )


async def _write_act(raw: asyncpg.Connection, caller: Caller, verb: str, redemption: Posted, outcome: Outcome) -> None:
    """Write that staff did it, if it was done and now: about whoever paid, unless that was a pot or a voucher."""
    if isinstance(outcome, Posted) and not outcome.replayed:
        kind, _, owner = redemption.transfers[0].debit.partition(":")
        holder = UUID(owner) if kind == "wallet" else None
        await acts.by_staff(raw, caller, verb, redemption.id, outcome.recorded_at, holder=holder)


async def done_to(raw: asyncpg.Connection, posted: Posted) -> list[Posted]:
    """What was done to a redemption and, if it was captured, to its capture."""
    done = await reading.resolution(raw, posted.position)
    capture = first_of(done, Kind.CAPTURE)
    if capture is not None:
        done += await reading.resolution(raw, capture.position)
    return done


def redemption_of(posted: Posted, done: list[Posted], offer: UUID) -> Redemption:
    """The redemption as it stands after what was done to it."""
    captured = sum(credits_of(entry.transfers, "redeemed") for entry in done)
    if posted.kind is Kind.PLAIN:
        captured = minutes_of(posted)
    refunded = sum(_refunded(entry) for entry in done)
    return Redemption(
        id=posted.id,
        status=_status(posted, done, captured, refunded),
        offer=offer,
        minutes=minutes_of(posted),
        captured=captured,
        refunded=refunded,
        recorded_at=posted.recorded_at,
    )


def against_booking(caller: Caller, booked: asyncpg.Record, now: datetime) -> No | None:
    """Why a booking (a row of ``BOOKED``) can't be taken here now.

    A consent that was withdrawn meanwhile is no reason, nor is an offer that is paused: what is held is honoured.
    """
    if booked["site"] is not None and caller.site not in {None, booked["site"]}:
        return No(reason=Refusal.DEVICE_NOT_ALLOWED, detail="This was booked for another site of the venue.")
    at = booked["visit_at"].astimezone(LONDON)
    if now.astimezone(LONDON).date() < at.date():
        return No(
            reason=Refusal.OFFER_CLOSED_NOW,
            detail=f"This booking is for {in_words(at)}.",
            works_at=datetime(at.year, at.month, at.day, tzinfo=LONDON),
        )
    return None


def _against_refund(  # noqa: PLR0917  # each has its own type
    caller: Caller, rules: Rules, taken: Posted | None, back: int, left: int, now: datetime
) -> No | None:
    """Why this caller can't refund so many minutes of what was taken, of which so many are left."""
    if taken is None:
        return No(reason=Refusal.NOT_CAPTURED, detail="")
    if back == 0:
        return No(reason=Refusal.ALREADY_REFUNDED, detail="")
    days = (now.astimezone(LONDON).date() - taken.recorded_at.astimezone(LONDON).date()).days
    if days <= (rules.refund_days if caller.scope is Scope.SCHEME else rules.device_refund_days):
        if 0 < left < back:
            return No(reason=Refusal.EXCEEDS_CAPTURE, detail=f"You can give back {in_credits(left)} at most.")
        return None
    if caller.scope is Scope.SCHEME:
        return No(reason=Refusal.WRONG_STATE, detail=f"A visit can be refunded for {rules.refund_days} days after it.")
    same = "on the same day" if rules.device_refund_days == 0 else f"for {rules.device_refund_days} days"
    return No(
        reason=Refusal.WRONG_STATE,
        detail=f"A till refunds {same}; the office can do it for {rules.refund_days} days.",
    )


def _step(redemption: UUID, outcome: Outcome, no: No | None = None) -> tuple[Step, bool]:
    """What was done, and whether this is the replay of an answer; or why it wasn't."""
    posted = posted_or(outcome, no)
    step = Step(
        id=posted.id,
        redemption=redemption,
        kind=posted.kind,
        minutes=credits_of(posted.transfers, "redeemed") or _refunded(posted) or minutes_of(posted),
        recorded_at=posted.recorded_at,
    )
    return step, posted.replayed


def posted_or(outcome: Outcome, no: No | None, asked: Iterable[Transfer] = ()) -> Posted:
    """The entry as posted; else the refusal, with what is known of this very case where it is for the same reason."""
    try:
        return settled(outcome, asked)
    except Declined as declined:
        # The journal keeps a refusal under its key, but not what was malformed.
        malformed = set(Reason) - KEPT
        declined.used_up = isinstance(outcome, Refused) and outcome.reason not in malformed
        if no is not None and no.reason is declined.reason:
            declined.detail, declined.works_at = no.detail, no.works_at
        raise


def _status(posted: Posted, done: list[Posted], captured: int, refunded: int) -> State:
    if refunded:
        return State.REFUNDED if refunded == captured else State.PARTIALLY_REFUNDED
    if captured:
        return State.CAPTURED if captured == minutes_of(posted) else State.PARTIALLY_CAPTURED
    if first_of(done, Kind.VOID) is not None:
        return State.VOIDED
    return State.AUTHORISED if first_of(done, Kind.LAPSE) is None else State.LAPSED


def _is_redemption(posted: Posted) -> bool:
    moved = posted.transfers[0]
    if posted.kind is Kind.PLAIN:
        return moved.credit.startswith("redeemed:")
    return posted.kind is Kind.HOLD and moved.credit.startswith(("held:", "held_pot:"))


def first_of(entries: list[Posted], kind: Kind) -> Posted | None:
    """The first entry of that kind, if there is one."""
    return next((entry for entry in entries if entry.kind is kind), None)


def minutes_of(posted: Posted) -> int:
    """The credits of a redemption, or of what undoes it: they come first, before places and limits."""
    return posted.transfers[0].minutes


def _refunded(posted: Posted) -> int:
    if posted.kind is not Kind.REFUND:
        return 0
    return sum(moved.minutes for moved in posted.transfers if moved.debit.startswith("redeemed:"))


# What the journal doesn't know of a hold.
BOOKED = "SELECT offer, venue, site, visit_at, walk_in FROM scheme.booking WHERE id = $1"
# What was taken at once, or the capture of a hold. Who pays is said by the first transfer, of the hold if there is one.
_TODAY = """
WITH venue AS MATERIALIZED (
    SELECT id, journal.sequence_at(id, journal.position_at($2)) AS after FROM journal.account WHERE name = $1
)
SELECT coalesce(hold.id, e.id) AS redemption, o.id AS offer, o.title, p.name, t.minutes, e.recorded_at,
    t.credit_sequence AS sequence, coalesce((
        SELECT sum(b.minutes)::bigint
        FROM journal.entry back JOIN journal.transfer b ON b.position = back.position AND b.line = 0
        WHERE back.target = e.position AND back.kind = 'refund'
    ), 0) AS refunded
FROM venue v
JOIN journal.transfer t
    ON t.credit = v.id AND t.credit_sequence > v.after AND ($3::bigint IS NULL OR t.credit_sequence < $3)
JOIN journal.entry e ON e.position = t.position
LEFT JOIN journal.entry hold ON hold.position = e.target
JOIN scheme.offer o ON o.id = coalesce(hold.reference, e.reference)::uuid
JOIN journal.transfer paid ON paid.position = coalesce(hold.position, e.position) AND paid.line = 0
JOIN journal.account payer ON payer.id = paid.debit
LEFT JOIN scheme.holder h
    ON h.id = CASE WHEN payer.name LIKE 'wallet:%' THEN substr(payer.name, length('wallet:') + 1)::uuid END
LEFT JOIN scheme.person p ON p.id = h.person
ORDER BY t.credit_sequence DESC
LIMIT $4
"""
