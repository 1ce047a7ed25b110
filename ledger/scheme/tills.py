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
from ledger.scheme.callers import Caller
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.codes import Pass, code_hash, pass_age, read_typed
from ledger.scheme.directory import Directory, Found, Shown
from ledger.scheme.people import first_name
from ledger.scheme.redemptions import (
    BOOKED,
    Redemption,
    against_booking,
    done_to,
    minutes_of,
    posted_or,
    redemption_of,
)
from ledger.scheme.refusals import TABLE, Declined, Refusal, settled, to_visitor
from ledger.scheme.spending import Limit, card_limit, pass_limit, spend, take
from ledger.scheme.terms import Charge, No, Offer, Party, open_from, weigh


class Quote(Struct, frozen=True, kw_only=True):
    """What a visit would come to, and whether it would be accepted now; if not, why, and from when it would work.

    ``name`` is the holder's first name, to be asked for at a printed card before it is redeemed; ``booking`` is set
    where the code is that of a booking, which then says the offer.
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
# What isn't kept, so that it can be mended and sent again.
_MENDABLE: Final = frozenset({404, 422})
_NOBODYS: Final = No(reason=Refusal.CODE_UNKNOWN, detail="")
_A_SLIP: Final = No(
    reason=Refusal.CODE_UNKNOWN,
    detail="This is a slip for hours: it goes into an account first, and is spent there.",
)
_ELSEWHERE: Final = No(reason=Refusal.DEVICE_NOT_ALLOWED, detail="This offer is given at another site of the venue.")
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
        return code_of(self._directory.secret, typed)

    def asks_name(self, found: Found) -> bool:
        """Whether somebody is asked for their first name before it is redeemed: at a printed card (rule 23)."""
        return found.shown is not None and found.shown.kind == "card" and found.rules.card_name_check

    async def redeem(
        self, caller: Caller, key: str, wanted: Wanted, code: Code, found: Found, *, capture: bool
    ) -> tuple[Redemption, bool]:
        """Take an offer's price, or put it on hold; and whether this is the replay of an answer.

        ``found`` is what the directory knew of the till, the offer and the code a moment ago.
        """
        asked = _Asked(caller, wanted, code, found, self._clock())
        details = _encode(_Redeem(wanted.offer, code.tag, wanted.party, wanted.name_checked, capture)).decode()
        entry = Entry(
            id=entry_id(caller.principal, key),
            kind=Kind.PLAIN if capture else Kind.HOLD,
            happened_at=asked.now,
            actor=caller.identity,
            reference="" if wanted.offer is None else wanted.offer.hex,
            details=details,
        )
        await self._admit(asked, entry.id)
        shown = found.shown
        if shown is not None and shown.kind == "booking":
            return await self._redeem_booking(asked, entry, shown)
        if shown is not None and shown.kind == "voucher":
            return await self._redeem_voucher(asked, entry, shown)
        return await self._redeem_from_wallet(asked, entry)

    async def quote(self, caller: Caller, wanted: Wanted, code: Code, found: Found) -> Quote:
        """What a visit would come to. Nothing is written, but that a code was wrong."""
        asked = _Asked(caller, wanted, code, found, self._clock())
        await self._admit(asked)
        if found.shown is not None and found.shown.kind == "booking":
            return await self._quote_booking(asked, found.shown)
        return await self._quote_visit(asked)

    async def _quote_visit(self, asked: _Asked) -> Quote:
        shown, offer = asked.found.shown, asked.found.offer
        name = None if shown is None or shown.name is None else first_name(shown.name)
        if shown is not None and shown.kind == "voucher":
            verdict = await self._look_at_voucher(asked, shown)
        else:
            verdict = self._verdict(asked, hold=False)
        if verdict is _NOBODYS:
            verdict = await self._unknown(asked)
            if verdict is _NOBODYS:
                await self._count_wrong(asked)
        if isinstance(verdict, No):
            return _no(verdict, asked.wanted.offer)
        assert offer is not None, "it was weighed"
        async with self._database.reading() as connection:
            balances = await reading.balances(driver(connection), [moved.debit for moved in verdict])
        for moved in verdict:
            if balances[moved.debit] - moved.minutes < (moved.least or 0):
                refused = Refused(id=offer.id, reason=Reason.INSUFFICIENT, account=moved.debit)
                try:
                    settled(refused, verdict)
                except Declined as declined:
                    _when_open(declined, asked)
                    no = No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at)
                    return _no(no, offer.id)
        places = sum(moved.minutes for moved in verdict if moved.debit.startswith(f"allowance:{offer.reference}:"))
        return Quote(accepted=True, minutes=verdict[0].minutes, places=places or None, name=name, offer=offer.id)

    # --- whether this till may ask at all -----------------------------------------------------------------

    async def _admit(self, asked: _Asked, entry: UUID | None = None) -> None:
        """Decline what is no till, and what a locked one asks, but for what it asked before: that hears its answer.

        It isn't kept, for it passes.
        """
        if asked.caller.device is None:
            raise Declined(Refusal.DEVICE_NOT_ALLOWED, "Only an enrolled till takes credits.")
        locked_until = asked.caller.locked_until
        if locked_until is None or locked_until <= asked.now:
            return
        if entry is not None:
            async with self._database.reading() as connection:
                if await reading.is_known(driver(connection), entry):
                    return
        raise Declined(Refusal.TRY_AGAIN, works_at=locked_until)

    async def _unknown(self, asked: _Asked) -> No:
        """What is said of a code that no credential has. A slip for hours is somebody's, and counts as no wrong try."""
        if isinstance(asked.code.lookup, bytes):
            async with self._database.reading() as connection:
                if await is_slip(driver(connection), asked.code.lookup):
                    return _A_SLIP
        return _NOBODYS

    async def _count_wrong(self, asked: _Asked) -> None:
        assert asked.caller.device is not None, "only tills ask"
        assert asked.caller.object is not None, "a till is a venue's"
        async with self._database.transaction() as connection:
            await throttle.wrong(driver(connection), asked.caller.device, asked.caller.object, asked.now)

    # --- a card or a pass ---------------------------------------------------------------------------------

    async def _redeem_from_wallet(self, asked: _Asked, entry: Entry) -> tuple[Redemption, bool]:
        verdict = self._verdict(asked, hold=entry.kind is Kind.HOLD)
        if verdict is _NOBODYS:
            verdict = await self._unknown(asked)
        if isinstance(verdict, No):
            no: No | None = verdict
            entry = msgspec.structs.replace(entry, refused=verdict.reason.value)
        else:
            no = None
            entry = msgspec.structs.replace(entry, transfers=verdict)
        if no is None and entry.kind is Kind.HOLD:
            outcome = await self._hold(asked, entry)
        else:
            outcome = await self._batcher.post(entry)
        if no is _NOBODYS and isinstance(outcome, Refused) and not outcome.replayed:
            await self._count_wrong(asked)
        return _redemption(asked, outcome, entry, no)

    def _verdict(self, asked: _Asked, *, hold: bool) -> tuple[Transfer, ...] | No:
        """The transfers of the visit, or why it can't be. What others used of a quota is the journal's to say."""
        shown, rules = asked.found.shown, asked.found.rules
        if shown is None or shown.holder is None:
            return _NOBODYS
        limit = self._pass_limit(asked, shown) if shown.kind == "pass" else None
        if isinstance(limit, No):
            return limit
        no = standing_of(shown, asked.now)
        if no is not None:
            return no
        at = asked.now.astimezone(LONDON)
        offer, charge = _weighed(asked, shown, at)
        if isinstance(charge, No):
            return charge
        if self.asks_name(asked.found) and not asked.wanted.name_checked:
            return No(reason=Refusal.NAME_CHECK_NEEDED, detail="")
        if shown.kind == "card":
            limit = card_limit(shown.holder, at, charge.minutes, rules.card_day_minutes)
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

    async def _hold(self, asked: _Asked, entry: Entry) -> Outcome:
        """Put a walk-in on hold: the entry, and what the journal doesn't know of it."""
        shown, offer = asked.found.shown, asked.found.offer
        assert shown is not None, "it was weighed"
        assert shown.holder is not None, "so was this"
        assert offer is not None, "and this"
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
                ends_at = asked.now + timedelta(minutes=asked.found.rules.walk_in_hold_minutes)
                await lapses.put(raw, outcome.id, ends_at)
        return outcome

    # --- a voucher, a booking -----------------------------------------------------------------------------

    async def _redeem_voucher(self, asked: _Asked, entry: Entry, shown: Shown) -> tuple[Redemption, bool]:
        """Spend a bearer's voucher: locked meanwhile, for it is spent or claimed once."""
        if entry.kind is Kind.HOLD:
            raise Declined(Refusal.WRONG_VALUES, fields=(("capture", "must be true: a voucher is spent at once"),))
        no = None
        async with self._database.transaction() as connection:
            raw = driver(connection)
            try:
                async with raw.transaction():
                    worth = await paper.take(raw, shown.id, entry.id, asked.now)
                    paid = msgspec.structs.replace(entry, transfers=_by_voucher(asked, shown, worth))
                    (outcome,) = await post(raw, CHART, [paid], asked.now)
                    settled(outcome, paid.transfers)
            except Declined as declined:
                if TABLE[declined.reason].status in _MENDABLE:
                    raise
                # The voucher is unused again, and the no is kept; a replay is known as one.
                no = No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at)
                refused = msgspec.structs.replace(entry, refused=no.reason.value)
                (outcome,) = await post(raw, CHART, [refused], asked.now)
        return _redemption(asked, outcome, entry, no)

    async def _look_at_voucher(self, asked: _Asked, shown: Shown) -> tuple[Transfer, ...] | No:
        try:
            async with self._database.reading() as connection:
                worth = await paper.look(driver(connection), shown.id, asked.now)
            return _by_voucher(asked, shown, worth)
        except Declined as declined:
            if TABLE[declined.reason].status in _MENDABLE:
                raise
            return No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at)

    async def _redeem_booking(self, asked: _Asked, entry: Entry, shown: Shown) -> tuple[Redemption, bool]:
        """Capture the hold that a booking code stands for."""
        booked, hold = await self._booking(asked, shown, entry.id)
        no = standing_of(shown, asked.now) or against_booking(asked.caller, booked, asked.now)
        entry = msgspec.structs.replace(
            entry,
            kind=Kind.CAPTURE,
            transfers=take(hold.transfers, account("redeemed", booked["venue"]), None),
            target=hold.id,
            reference=hold.id.hex,
            refused="" if no is None else no.reason.value,
        )
        posted = posted_or(await self._batcher.post(entry), no)
        return redemption_of(hold, [posted], booked["offer"]), posted.replayed

    async def _quote_booking(self, asked: _Asked, shown: Shown) -> Quote:
        booked, hold = await self._booking(asked, shown)
        no = standing_of(shown, asked.now) or against_booking(asked.caller, booked, asked.now)
        if no is None:
            async with self._database.reading() as connection:
                if any(entry.kind is not Kind.REFUND for entry in await done_to(driver(connection), hold)):
                    no = No(reason=Refusal.ALREADY_RESOLVED, detail="")
        if no is not None:
            return msgspec.structs.replace(_no(no, booked["offer"]), booking=hold.id)
        name = None if shown.name is None else first_name(shown.name)
        return Quote(accepted=True, minutes=minutes_of(hold), name=name, offer=booked["offer"], booking=hold.id)

    async def _booking(self, asked: _Asked, shown: Shown, entry: UUID | None = None) -> tuple[asyncpg.Record, Posted]:
        """The booking that the code means now, with its hold; on a retry the one that the entry took then."""
        assert shown.booking is not None, "a booking code is a booking's"
        async with self._database.reading() as connection:
            raw = driver(connection)
            id_ = await raw.fetchval(_TAKEN_BEFORE, entry) or await for_now(raw, shown.booking, asked.now)
            booked, hold = await raw.fetchrow(BOOKED, id_), await reading.entry(raw, id_)
        if booked is None or hold is None or booked["venue"] != asked.caller.object:
            raise Declined(Refusal.NOT_FOUND, "There is no such booking at this venue.")
        if asked.wanted.offer not in {None, booked["offer"]}:
            raise Declined(Refusal.WRONG_VALUES, fields=(("offer", "is another than was booked"),))
        return booked, hold


def _weighed(asked: _Asked, shown: Shown, at: datetime) -> tuple[Offer, Charge | No]:
    """The offer that the till named, and what the visit comes to. Declines one that isn't its venue's."""
    offer, caller = asked.found.offer, asked.caller
    if asked.wanted.offer is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("offer", "must be said, but for a booking code"),))
    if offer is None or offer.venue != caller.object:
        raise Declined(Refusal.NOT_FOUND, "There is no such offer of this venue.")
    if offer.site is not None and caller.site is not None and offer.site != caller.site:
        return offer, _ELSEWHERE
    return offer, weigh(offer, asked.found.rules, asked.wanted.party, shown.visitor, at)


def _by_voucher(asked: _Asked, shown: Shown, worth: paper.Worth) -> tuple[Transfer, ...]:
    """The transfers of a visit that a voucher pays for; a bearer is taken for grown up. Declines what can't be."""
    offer, charge = _weighed(asked, shown, asked.now.astimezone(LONDON))
    if isinstance(charge, No):
        raise Declined(charge.reason, charge.detail, works_at=charge.works_at)
    return (*spend(offer, charge, worth.paper, None, asked.now, hold=False), *worth.rest(charge.minutes))


def code_of(secret: bytes, typed: str) -> Code:
    """The code that was typed or scanned at a till or kiosk. Declines what was mistyped."""
    read = read_typed(typed)
    if read is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))
    if isinstance(read, Pass):
        return Code(read.number, read.mac, code_hash(secret, f"{read.number}.{read.mac}").hex()[:32])
    hashed = code_hash(secret, read.text)
    return Code(hashed, 0, hashed.hex()[:32])


async def is_slip(raw: asyncpg.Connection, hashed: bytes) -> bool:
    """Whether that is the code of a slip for hours: somebody's, and no wrong try."""
    return bool(await raw.fetchval(_IS_A_SLIP, hashed))


def standing_of(shown: Shown, now: datetime) -> No | None:
    """Why this credential is taken no more."""
    if shown.status != "active":
        return _STATUS_SAYS[shown.status]
    if shown.expires_at is not None and shown.expires_at <= now:
        return No(reason=Refusal.CARD_EXPIRED, detail="")
    return None


def _redemption(asked: _Asked, outcome: Outcome, entry: Entry, no: No | None) -> tuple[Redemption, bool]:
    """The redemption as it was made, and whether this is the replay of an answer; or why it wasn't."""
    try:
        posted = posted_or(outcome, no, entry.transfers)
    except Declined as declined:
        if no is None:
            _when_open(declined, asked)
        raise
    assert asked.wanted.offer is not None, "nothing is posted of no offer"
    return redemption_of(posted, [], asked.wanted.offer), posted.replayed


def _when_open(declined: Declined, asked: _Asked) -> None:
    """Say when the offer is open, once a period has begun in which a limit leaves something again."""
    if declined.works_at is not None and asked.found.offer is not None:
        declined.works_at = open_from(asked.found.offer, asked.found.rules, declined.works_at)


def refused(declined: Declined, offer: UUID | None) -> Quote:
    """A refusal as a quote says it."""
    return _no(No(reason=declined.reason, detail=declined.detail, works_at=declined.works_at), offer)


def _no(no: No, offer: UUID | None) -> Quote:
    row = TABLE[no.reason]
    return Quote(
        accepted=False,
        offer=offer,
        reason=no.reason,
        detail=no.detail or row.staff + ".",
        visitor=to_visitor(no.reason, no.detail),
        works_at=no.works_at,
    )


_KEEP_WALK_IN = """
INSERT INTO scheme.booking (id, offer, venue, site, holder, visit_at, walk_in, party, made_at, made_by)
VALUES ($1, $2, $3, $4, $5, $6, true, $7, $6, $8)
"""
_IS_A_SLIP = "SELECT EXISTS (SELECT FROM scheme.voucher WHERE code_hash = $1)"
_TAKEN_BEFORE = """
SELECT hold.id FROM journal.entry e JOIN journal.entry hold ON hold.position = e.target WHERE e.id = $1
"""
