"""Redemptions: a venue takes credits for an offer, at the offer's price.

    authorised -> captured | partially_captured | voided | lapsed;  then partially_refunded | refunded

A walk-in is captured on the spot: one plain entry, wallet to venue. An authorisation is a hold, to be captured (whole
or in part, the rest going back), voided or left to lapse. Nothing of this is stored here: the state is derived from the
journal, and a redemption is known by its entry's id.

Whatever is asked goes through the batcher, the scheme's own refusals too (``Entry.refused``), so that a till that was
told "no" never finds "yes" in a late retry. What is asked stands in the entry's details, in a fixed order, so that
the same key with other content is told which fields differ. The entry's reference is the offer's id.

A venue acts on its own redemptions; others aren't there for it. It never learns a balance. To a holder who was erased
nothing is refunded: a refund is decided under the lock of the holder's row, apart from the batches.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Kind, Outcome, Posted, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme.chart import CHART
from ledger.scheme.clock import Clock
from ledger.scheme.directory import Directory, Offer
from ledger.scheme.keys import Caller, Scope
from ledger.scheme.refusals import Declined, Refusal, settled


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


# What was asked, as it stands in the entry's details. The order of fields is part of it.


class _Redeem(Struct, frozen=True, tag="redeem", tag_field="operation", gc=False):
    offer: UUID
    holder: UUID
    capture: bool


class _Capture(Struct, frozen=True, tag="capture", tag_field="operation", gc=False):
    redemption: UUID
    minutes: int | None


class _Void(Struct, frozen=True, tag="void", tag_field="operation", gc=False):
    redemption: UUID


class _Refund(Struct, frozen=True, tag="refund", tag_field="operation", gc=False):
    redemption: UUID
    minutes: int | None


_encode = msgspec.json.Encoder().encode


class Redemptions:
    """Taking credits for offers, and giving them back."""

    def __init__(self, database: Database, batcher: Batcher, directory: Directory, clock: Clock) -> None:
        self._database = database
        self._batcher = batcher
        self._directory = directory
        self._clock = clock

    async def redeem(
        self, caller: Caller, key: str, offer: Offer | None, holder: UUID, *, holder_known: bool, capture: bool
    ) -> tuple[Redemption, bool]:
        """Take an offer's price from a holder, or put it on hold; and whether this is the replay of an answer.

        ``offer`` and ``holder_known`` are what the directory found a moment ago.
        """
        if offer is None or offer.venue != caller.object:
            raise Declined(Refusal.NOT_FOUND, "There is no such offer of this venue.")
        digits = holder.hex
        posted = settled(
            await self._batcher.post(
                Entry(
                    id=entry_id(caller.principal, key),
                    kind=Kind.PLAIN if capture else Kind.HOLD,
                    transfers=(
                        Transfer("wallet:" + digits, offer.redeemed if capture else "held:" + digits, offer.price),
                    ),
                    happened_at=self._clock(),
                    actor=caller.key,
                    reference=offer.reference,
                    details=_encode(_Redeem(offer.id, holder, capture)).decode(),
                    refused=_rule_against(offer, holder_known=holder_known),
                )
            )
        )
        return _at_first(posted, offer.id), posted.replayed

    async def get(self, caller: Caller, id_: UUID) -> Redemption:
        """The redemption as it stands, to its venue and to the scheme."""
        posted, offer = await self._own(caller, id_)
        done = await self._done_to(posted)
        captured = sum(_captured(entry) for entry in done) if posted.kind is Kind.HOLD else _minutes(posted)
        refunded = sum(_minutes(entry) for entry in done if entry.kind is Kind.REFUND)
        return Redemption(
            id=posted.id,
            status=_status(posted, done, captured, refunded),
            offer=offer.id,
            minutes=_minutes(posted),
            captured=captured,
            refunded=refunded,
            recorded_at=posted.recorded_at,
        )

    async def capture(self, caller: Caller, key: str, id_: UUID, minutes: int | None) -> tuple[Step, bool]:
        """Take what was authorised, or some of it; the rest goes back to the holder in the same entry."""
        hold, offer = await self._own(caller, id_)
        held = hold.transfers[0]
        return await self._step(
            caller,
            key,
            id_,
            Kind.CAPTURE,
            (Transfer(held.credit, offer.redeemed, minutes or held.minutes),),
            target=id_,
            details=_Capture(id_, minutes),
            # Of a walk-in nothing is on hold; the transfer above would be from the venue to itself.
            refused=Refusal.ALREADY_RESOLVED if hold.kind is not Kind.HOLD else None,
        )

    async def void(self, caller: Caller, key: str, id_: UUID) -> tuple[Step, bool]:
        """Give back all that was authorised."""
        await self._own(caller, id_)
        return await self._step(caller, key, id_, Kind.VOID, (), target=id_, details=_Void(id_))

    async def refund(self, caller: Caller, key: str, id_: UUID, minutes: int | None) -> tuple[Step, bool]:
        """Give back some of what was captured, or, with no minutes said, all that is left of it."""
        posted, offer = await self._own(caller, id_)
        done = await self._done_to(posted)
        taken = posted if posted.kind is Kind.PLAIN else _first(done, Kind.CAPTURE)
        captured = 0 if taken is None else _captured(taken) or _minutes(taken)
        left = captured - sum(_minutes(entry) for entry in done if entry.kind is Kind.REFUND)
        refused = None
        if taken is None:
            refused = Refusal.NOT_CAPTURED
        elif minutes is None and left == 0:
            refused = Refusal.ALREADY_REFUNDED
        wallet = posted.transfers[0].debit
        return await self._step(
            caller,
            key,
            id_,
            Kind.REFUND,
            (Transfer(offer.redeemed, wallet, minutes or left),),
            target=id_ if taken is None else taken.id,
            details=_Refund(id_, minutes),
            refused=refused,
            into=UUID(wallet.partition(":")[2]),
        )

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

    async def _done_to(self, posted: Posted) -> list[Posted]:
        """What was done to a redemption and, if it was captured, to its capture."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            done = await reading.resolution(raw, posted.position)
            capture = _first(done, Kind.CAPTURE)
            if capture is not None:
                done += await reading.resolution(raw, capture.position)
        return done

    async def _step(
        self,
        caller: Caller,
        key: str,
        redemption: UUID,
        kind: Kind,
        transfers: tuple[Transfer, ...],
        *,
        target: UUID,
        details: Struct,
        refused: Refusal | None = None,
        into: UUID | None = None,
    ) -> tuple[Step, bool]:
        entry = Entry(
            id=entry_id(caller.principal, key),
            kind=kind,
            transfers=transfers,
            target=target,
            happened_at=self._clock(),
            actor=caller.key,
            reference=redemption.hex,
            details=_encode(details).decode(),
            refused=refused or "",
        )
        posted = settled(await self._batcher.post(entry) if into is None else await self._pay(into, entry))
        step = Step(
            id=posted.id,
            redemption=redemption,
            kind=kind,
            minutes=_captured(posted) or _minutes(posted),
            recorded_at=posted.recorded_at,
        )
        return step, posted.replayed

    async def _pay(self, holder: UUID, entry: Entry) -> Outcome:
        """Post what pays a holder, unless they were erased; they can't be meanwhile."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if not await raw.fetchval(_IS_OPEN, holder):
                entry = msgspec.structs.replace(entry, refused=entry.refused or Refusal.CODE_UNKNOWN)
            (outcome,) = await post(raw, CHART, [entry], self._clock())
        return outcome


def _rule_against(offer: Offer, *, holder_known: bool) -> str:
    """The scheme's rule that stands against a redemption, or nothing."""
    if offer.venue_status != "active":
        return Refusal.VENUE_PAUSED
    if offer.status != "published":
        return Refusal.OFFER_CLOSED_NOW
    return "" if holder_known else Refusal.CODE_UNKNOWN


def _at_first(posted: Posted, offer: UUID) -> Redemption:
    """The redemption as it was when it was made: a replay tells the same, whatever became of it since."""
    minutes = posted.transfers[0].minutes
    captured = posted.kind is Kind.PLAIN
    return Redemption(
        id=posted.id,
        status=State.CAPTURED if captured else State.AUTHORISED,
        offer=offer,
        minutes=minutes,
        captured=minutes if captured else 0,
        refunded=0,
        recorded_at=posted.recorded_at,
    )


def _status(posted: Posted, done: list[Posted], captured: int, refunded: int) -> State:
    if refunded:
        return State.REFUNDED if refunded == captured else State.PARTIALLY_REFUNDED
    if captured:
        return State.CAPTURED if captured == _minutes(posted) else State.PARTIALLY_CAPTURED
    if _first(done, Kind.VOID) is not None:
        return State.VOIDED
    return State.AUTHORISED if _first(done, Kind.LAPSE) is None else State.LAPSED


def _is_redemption(posted: Posted) -> bool:
    moved = posted.transfers[0]
    wanted = {Kind.PLAIN: "redeemed:", Kind.HOLD: "held:"}.get(posted.kind)
    return wanted is not None and moved.debit.startswith("wallet:") and moved.credit.startswith(wanted)


def _first(entries: list[Posted], kind: Kind) -> Posted | None:
    return next((entry for entry in entries if entry.kind is kind), None)


def _minutes(posted: Posted) -> int:
    return sum(moved.minutes for moved in posted.transfers)


def _captured(posted: Posted) -> int:
    """What a capture took: all but the rest that went back to a wallet. 0 for any other entry."""
    if posted.kind is not Kind.CAPTURE:
        return 0
    return sum(moved.minutes for moved in posted.transfers if not moved.credit.startswith("wallet:"))


_IS_OPEN = "SELECT closed_at IS NULL FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE"
