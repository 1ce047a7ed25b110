"""Tills: a venue takes credits for an offer, from whoever shows a card, a phone pass, a voucher or a booking.

    what is shown, the offer, the till -> may it be? (``weigh``) -> one entry: credits, quota and limits (``spend``)

A walk-in is captured on the spot: one plain entry through the batcher, and nothing else is written. Otherwise it is put
on hold, and the booking's row is written with it. A booking's code takes what was held; a voucher is spent whole.

Whatever is asked goes to the journal, the scheme's own refusals too (``Entry.refused``), so that a till that was told
"no" never finds "yes" in a late retry, and one that was told "yes" hears it again although the pass has moved on. What
is asked stands in the entry's details, in a fixed order, with the code as a keyed hash, so that the same key with other
content is told which fields differ. What passes by itself isn't kept: a till that is locked, a mistyped code.

A code that is nobody's counts as a wrong try of the till and its venue (``throttle``), once for each key.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Kind, Outcome, Posted, Reason, Refused, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme import lapses, paper, throttle
from ledger.scheme.awards import lock_open
from ledger.scheme.booking_codes import for_now
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.codes import Pass, code_hash, pass_age, read_typed
from ledger.scheme.directory import Directory, Found, Shown
from ledger.scheme.keys import Caller
from ledger.scheme.redemptions import Redemption, done_to, minutes_of, redemption_of
from ledger.scheme.refusals import TABLE, Declined, Refusal, settled
from ledger.scheme.spending import Limit, card_limit, pass_limit, spend, take
from ledger.scheme.terms import No, Offer, Party, open_from, weigh


class Quote(Struct, frozen=True, kw_only=True):
    """What a visit would come to, and whether it would be accepted now; if not, why, and from when it would work.

    ``name`` is what the holder is called by, to be checked against a printed card; ``booking`` is set where the code is
    that of a booking, which then says the offer.
    """

    accepted: bool
    minutes: int | None = None
    places: int | None = None
    name: str | None = None
    offer: UUID | None = None
    booking: UUID | None = None
    reason: Refusal | None = None
    detail: str | None = None
    visitor: str | None = None
    works_at: datetime | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """What a till asks: which offer (a booking code says so itself), who comes, and that it asked for the name."""

    offer: UUID | None
    party: Party
    name_checked: bool


class Code(Struct, frozen=True):
    """A typed code as it is looked for: by its hash, or by its pass's number with what proves the moment."""

    lookup: bytes | int
    mac: int
    tag: str


# What was asked, as it stands in the entry's details. The order of fields is part of it.
class _Redeem(Struct, frozen=True, tag="redeem", tag_field="operation", gc=False):
    offer: UUID | None
    code: str
    party: Party
    name_checked: bool
    capture: bool


class _Asked(Struct, frozen=True, gc=False):
    """One request of a till, with what the directory found a moment ago."""

    caller: Caller
    wanted: Wanted
    code: Code
    found: Found
    now: datetime


_encode = msgspec.json.Encoder().encode
_NOBODYS: Final = No(reason=Refusal.CODE_UNKNOWN, detail="")
_STATUS_SAYS: Final = {
    "blocked": No(reason=Refusal.CARD_BLOCKED, detail=""),
    "replaced": No(reason=Refusal.CARD_REPLACED, detail=""),
    "revoked": No(reason=Refusal.CODE_UNKNOWN, detail=""),
}


class Tills:
    """Quoting and redeeming."""

    def __init__(self, database: Database, batcher: Batcher, directory: Directory, clock: Clock) -> None:
        self._database = database
        self._batcher = batcher
        self._directory = directory
        self._clock = clock

    def code(self, typed: str) -> Code:
        """The code that was typed or scanned, to ask the directory for. Declines what was mistyped: no try."""
        read = read_typed(typed)
        if read is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))
        secret = self._directory.secret
        if isinstance(read, Pass):
            return Code(read.number, read.mac, code_hash(secret, f"{read.number}.{read.mac}").hex()[:32])
        hashed = code_hash(secret, read.text)
        return Code(hashed, 0, hashed.hex()[:32])

    async def redeem(
        self, caller: Caller, key: str, wanted: Wanted, code: Code, found: Found, *, capture: bool
    ) -> tuple[Redemption, bool]:
        """Take an offer's price, or put it on hold; and whether this is the replay of an answer.

        ``found`` is what the directory knew of the till, the offer and the code a moment ago.
        """
        asked = _Asked(caller, wanted, code, found, self._clock())
        self._admit(asked)
        details = _encode(_Redeem(wanted.offer, code.tag, wanted.party, wanted.name_checked, capture)).decode()
        entry = Entry(
            id=entry_id(caller.principal, key),
            kind=Kind.PLAIN if capture else Kind.HOLD,
            happened_at=asked.now,
            actor=caller.device or caller.key,
            details=details,
        )
        shown = found.shown
        if shown is not None and shown.kind == "booking":
            return await self._redeem_booking(asked, entry, shown)
        offer = _own_offer(asked)
        if shown is not None and shown.kind == "voucher":
            return await self._redeem_voucher(asked, entry, shown, offer)
        verdict = self._verdict(asked, offer, hold=not capture)
        no = verdict if isinstance(verdict, No) else None
        entry = msgspec.structs.replace(
            entry,
            transfers=() if isinstance(verdict, No) else verdict,
            reference=offer.reference,
            refused="" if no is None else no.reason.value,
        )
        if capture or no is not None or shown is None:
            outcome = await self._batcher.post(entry)
        else:
            outcome = await self._hold(asked, entry, shown, offer)
        if no is _NOBODYS and not getattr(outcome, "replayed", False):
            await self._count_wrong(caller, asked.now)
        posted = _posted(outcome, entry, no, lambda at: open_from(offer, found.rules, at))
        return redemption_of(posted, [], offer.id), posted.replayed

    async def quote(self, caller: Caller, wanted: Wanted, code: Code, found: Found) -> Quote:
        """What a visit would come to. Nothing is written, but that a code was wrong."""
        asked = _Asked(caller, wanted, code, found, self._clock())
        self._admit(asked)
        shown = found.shown
        name = None if shown is None else shown.name
        if shown is not None and shown.kind == "booking":
            return await self._quote_booking(asked, shown)
        offer = _own_offer(asked)
        verdict = (
            await self._look_at_voucher(asked, shown, offer)
            if shown is not None and shown.kind == "voucher"
            else self._verdict(asked, offer, hold=False)
        )
        if verdict is _NOBODYS:
            await self._count_wrong(caller, asked.now)
        if isinstance(verdict, No):
            return _no(verdict, name if verdict.reason is Refusal.NAME_CHECK_NEEDED else None, offer.id)
        async with self._database.reading() as connection:
            balances = await reading.balances(driver(connection), [moved.debit for moved in verdict])
        for moved in verdict:
            if balances[moved.debit] - moved.minutes < (moved.least or 0):
                refused = Refused(id=offer.id, reason=Reason.INSUFFICIENT, account=moved.debit)
                try:
                    settled(refused, verdict)
                except Declined as declined:
                    at = declined.works_at and open_from(offer, found.rules, declined.works_at)
                    no = No(reason=declined.reason, detail=declined.detail, works_at=at)
                    return _no(no, name, offer.id)
        places = sum(moved.minutes for moved in verdict if moved.debit.startswith(f"allowance:{offer.reference}:"))
        return Quote(accepted=True, minutes=verdict[0].minutes, places=places or None, name=name, offer=offer.id)

    def _admit(self, asked: _Asked) -> None:
        """Whether this till may ask at all. What it is told here isn't kept: it passes."""
        locked_until = asked.caller.locked_until
        if locked_until is not None and asked.now < locked_until:
            raise Declined(Refusal.TRY_AGAIN, works_at=locked_until)
        if asked.caller.device is None:
            raise Declined(Refusal.DEVICE_NOT_ALLOWED, "Only an enrolled till takes credits.")

    def _verdict(self, asked: _Asked, offer: Offer, *, hold: bool) -> tuple[Transfer, ...] | No:
        """The transfers of the visit, or why it can't be. What others used of a quota is the journal's to say."""
        shown, rules = asked.found.shown, asked.found.rules
        if shown is None or shown.holder is None:
            return _NOBODYS
        limit = self._pass_limit(asked, shown) if shown.kind == "pass" else None
        if isinstance(limit, No):
            return limit
        no = _status_of(asked, shown)
        if no is not None:
            return no
        at = asked.now.astimezone(LONDON)
        charge = weigh(offer, rules, asked.wanted.party, shown.visitor, at)
        if isinstance(charge, No):
            return charge
        if shown.kind == "card":
            if rules.card_name_check and not asked.wanted.name_checked:
                return No(reason=Refusal.NAME_CHECK_NEEDED, detail="")
            limit = card_limit(shown.id, at, charge.minutes, rules.card_day_minutes)
        return spend(
            offer,
            charge,
            "wallet:" + shown.holder.hex,
            shown.holder,
            at,
            limits=() if limit is None else (limit,),
            hold=hold,
        )

    def _pass_limit(self, asked: _Asked, shown: Shown) -> Limit | No:
        """That a phone pass's code is used once, if it is of this moment (rule 24)."""
        rules = asked.found.rules
        step = pass_age(
            self._directory.secret, shown.id, asked.code.mac, asked.now, rules.pass_seconds, rules.pass_steps_tolerated
        )
        if step is None:
            return _NOBODYS
        if step == "stale":
            return No(reason=Refusal.CODE_STALE, detail="")
        return pass_limit(shown.id, step)

    async def _hold(self, asked: _Asked, entry: Entry, shown: Shown, offer: Offer) -> Outcome:
        """Put a walk-in on hold: the entry, and what the journal doesn't know of it."""
        assert shown.holder is not None, "nobody's credits were weighed"
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if not await lock_open(raw, [shown.holder]):
                entry = msgspec.structs.replace(entry, refused=Refusal.CODE_UNKNOWN.value)
            (outcome,) = await post(raw, CHART, [entry], asked.now)
            if isinstance(outcome, Posted) and not outcome.replayed:
                await raw.execute(
                    _KEEP_WALK_IN,
                    outcome.id,
                    offer.id,
                    offer.venue,
                    asked.caller.site or offer.site,
                    shown.holder,
                    asked.now,
                    _encode(asked.wanted.party).decode(),
                    asked.caller.device,
                )
                await lapses.put(raw, outcome.id, asked.now + timedelta(minutes=asked.found.rules.walk_in_hold_minutes))
        return outcome

    async def _redeem_voucher(self, asked: _Asked, entry: Entry, shown: Shown, offer: Offer) -> tuple[Redemption, bool]:
        """Spend a bearer's voucher: locked meanwhile, for it is spent or claimed once."""
        no = None
        entry = msgspec.structs.replace(entry, kind=Kind.PLAIN, reference=offer.reference)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            try:
                async with raw.transaction():
                    worth = await paper.take(raw, shown.id, entry.id, asked.now)
                    paid = msgspec.structs.replace(entry, transfers=_by_voucher(asked, offer, shown, worth))
                    (outcome,) = await post(raw, CHART, [paid], asked.now)
                    settled(outcome, paid.transfers)
            except Declined as declined:
                # The voucher is unused again, and the no is kept; a replay is known as one.
                no = No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at)
                refused = msgspec.structs.replace(entry, refused=no.reason.value)
                (outcome,) = await post(raw, CHART, [refused], asked.now)
        posted = _posted(outcome, entry, no)
        return redemption_of(posted, [], offer.id), posted.replayed

    async def _look_at_voucher(self, asked: _Asked, shown: Shown, offer: Offer) -> tuple[Transfer, ...] | No:
        try:
            async with self._database.reading() as connection:
                worth = await paper.look(driver(connection), shown.id, asked.now)
            return _by_voucher(asked, offer, shown, worth)
        except Declined as declined:
            return No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at)

    async def _redeem_booking(self, asked: _Asked, entry: Entry, shown: Shown) -> tuple[Redemption, bool]:
        """Capture the hold that a booking code stands for."""
        booked, hold = await self._booking(asked, shown, entry.id)
        no = _against_booking(asked, shown, booked)
        entry = msgspec.structs.replace(
            entry,
            kind=Kind.CAPTURE,
            transfers=take(hold.transfers, account("redeemed", booked["venue"]), None),
            target=hold.id,
            reference=hold.id.hex,
            refused="" if no is None else no.reason.value,
        )
        posted = _posted(await self._batcher.post(entry), entry, no)
        return redemption_of(hold, [posted], booked["offer"]), posted.replayed

    async def _quote_booking(self, asked: _Asked, shown: Shown) -> Quote:
        booked, hold = await self._booking(asked, shown)
        no = _against_booking(asked, shown, booked)
        if no is None:
            async with self._database.reading() as connection:
                if any(entry.kind is not Kind.REFUND for entry in await done_to(driver(connection), hold)):
                    no = No(reason=Refusal.ALREADY_RESOLVED, detail="")
        if no is not None:
            return msgspec.structs.replace(_no(no, None, booked["offer"]), booking=hold.id)
        return Quote(accepted=True, minutes=minutes_of(hold), name=shown.name, offer=booked["offer"], booking=hold.id)

    async def _booking(self, asked: _Asked, shown: Shown, entry: UUID | None = None) -> tuple[asyncpg.Record, Posted]:
        """The booking that the code means now, with its hold; on a retry the one that the entry took then."""
        assert shown.booking is not None, "a booking code is a booking's"
        async with self._database.reading() as connection:
            raw = driver(connection)
            id_ = await raw.fetchval(_TAKEN_BEFORE, entry) or await for_now(raw, shown.booking, asked.now)
            booked, hold = await raw.fetchrow(_BOOKED, id_), await reading.entry(raw, id_)
        if booked is None or hold is None or booked["venue"] != asked.caller.object:
            raise Declined(Refusal.NOT_FOUND, "There is no such booking at this venue.")
        return booked, hold

    async def _count_wrong(self, caller: Caller, now: datetime) -> None:
        if caller.device is not None and caller.object is not None:
            async with self._database.transaction() as connection:
                await throttle.wrong(driver(connection), caller.device, caller.object, now)


def _own_offer(asked: _Asked) -> Offer:
    """The offer that the till named, if it is its venue's and given where the till stands."""
    offer, caller = asked.found.offer, asked.caller
    if asked.wanted.offer is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("offer", "must be said, but for a booking code"),))
    if offer is None or offer.venue != caller.object:
        raise Declined(Refusal.NOT_FOUND, "There is no such offer of this venue.")
    if offer.site is not None and caller.site is not None and offer.site != caller.site:
        raise Declined(Refusal.DEVICE_NOT_ALLOWED, "This offer is given at another site of the venue.")
    return offer


def _by_voucher(asked: _Asked, offer: Offer, shown: Shown, worth: paper.Worth) -> tuple[Transfer, ...]:
    """The transfers of a visit that a voucher pays for; a bearer is taken for grown up. Declines what can't be."""
    charge = weigh(offer, asked.found.rules, asked.wanted.party, shown.visitor, asked.now.astimezone(LONDON))
    if isinstance(charge, No):
        raise Declined(charge.reason, charge.detail, works_at=charge.works_at)
    return (*spend(offer, charge, worth.paper, None, asked.now, hold=False), *worth.rest(charge.minutes))


def _status_of(asked: _Asked, shown: Shown) -> No | None:
    """Why this credential is taken no more."""
    if shown.status != "active":
        return _STATUS_SAYS[shown.status]
    if shown.expires_at is not None and shown.expires_at <= asked.now:
        return No(reason=Refusal.CARD_EXPIRED, detail="")
    return None


def _against_booking(asked: _Asked, shown: Shown, booked: asyncpg.Record) -> No | None:
    """Why a booking can't be taken now. A consent that was withdrawn meanwhile is no reason: a hold is honoured."""
    if no := _status_of(asked, shown):
        return no
    if asked.wanted.offer not in {None, booked["offer"]}:
        raise Declined(Refusal.WRONG_VALUES, fields=(("offer", "is another than was booked"),))
    day = booked["visit_at"].astimezone(LONDON).date()
    if asked.now.astimezone(LONDON).date() < day:
        at = booked["visit_at"].astimezone(LONDON)
        return No(
            reason=Refusal.OFFER_CLOSED_NOW,
            detail=f"This booking is for {at:%A} {at.day} {at:%B} at {at:%H:%M}.",
            works_at=datetime(at.year, at.month, at.day, tzinfo=LONDON),
        )
    return None


def _posted(
    outcome: Outcome, entry: Entry, no: No | None, opens: Callable[[datetime], datetime | None] | None = None
) -> Posted:
    """The entry as posted; else the refusal, with what is known of this very case.

    ``opens`` tells when the offer is open once a period has begun in which a limit leaves something again.
    """
    try:
        return settled(outcome, entry.transfers)
    except Declined as declined:
        if no is not None and no.reason is declined.reason:
            declined.detail, declined.works_at = no.detail, no.works_at
        elif opens is not None and declined.works_at is not None:
            declined.works_at = opens(declined.works_at)
        raise


def _no(no: No, name: str | None, offer: UUID) -> Quote:
    row = TABLE[no.reason]
    return Quote(
        accepted=False,
        name=name,
        offer=offer,
        reason=no.reason,
        detail=no.detail or row.staff + ".",
        visitor=row.visitor,
        works_at=no.works_at,
    )


_KEEP_WALK_IN = """
INSERT INTO scheme.booking (id, offer, venue, site, holder, visit_at, walk_in, party, made_at, made_by)
VALUES ($1, $2, $3, $4, $5, $6, true, $7, $6, $8)
"""
_BOOKED = "SELECT offer, venue, visit_at FROM scheme.booking WHERE id = $1"
_TAKEN_BEFORE = """
SELECT hold.id FROM journal.entry e JOIN journal.entry hold ON hold.position = e.target WHERE e.id = $1
"""
