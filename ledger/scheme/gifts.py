"""Gifts: credits from one person to another, or into a pot, within a month's limit (rule 20).

    offered -> accepted | declined | taken_back | lapsed

    lock both people -> may they give? -> the gift, act, event -> hold: wallet -> transit, and the month's counter
    accept: lock the receiver -> may they receive? -> capture: transit -> their wallet      else: void, or lapse by time

A gift is a hold in the journal: whatever ends it, ends it once, and what isn't accepted goes back with its part of the
month's limit. How it stands is read there. ``scheme.gift`` holds what the journal doesn't know: who gives to whom and
the words, which go with either person (``erasure`` also resolves what is open). A gift to a pot is immediate, one plain
entry, and nothing else is kept of it.

The limit is a floor in the same entry (``Transfer.least``), so it holds under any interleaving. A month is London's,
and a gift counts in the month in which it was offered.

Who is under 18 gives with a guardian's consent; who is under 16 receives with one. That is asked of the receiver when
they accept, so that no giver learns how old somebody is; and until there is a consent, whose gift it is and what they
say isn't shown to a child.

People give by their own key, or staff for them, which is recorded; no helper gives away what is another's. The giver
learns nobody's balance, and an unknown receiver looks like any id that isn't there.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Kind, Reason, Refused, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme import acts, lapses, outbox
from ledger.scheme.acquaintance import names_known_to
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_open, lock_people, without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, COMMUNITY, account
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import AgeBand, holder_of
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import Rules, in_force

_TRANSIT: Final = "transit"
_REFERENCE: Final = "gift"
_TAKEN_BACK: Final = "taken_back"
_NOT_THERE: Final = "There is no such gift, or it is another's."
# The youngest of each band: a band that begins below the age of a rule is below it. Who didn't tell is grown up.
_BEGINS: Final = {None: 18, AgeBand.UNDER_8: 0, AgeBand.FROM_8: 8, AgeBand.FROM_16: 16, AgeBand.ADULT: 18}


class State(StrEnum):
    """How a gift stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TAKEN_BACK = "taken_back"
    LAPSED = "lapsed"


class Side(StrEnum):
    """From which side a person looks at gifts."""

    GIVEN = "given"
    RECEIVED = "received"


class Gift(Struct, frozen=True, kw_only=True):
    """A gift; who was erased is nobody.

    The receiver's name is told once they have accepted it; before, their first name, to a giver who knows them.
    """

    id: UUID
    state: State
    minutes: int
    giver: UUID | None
    giver_name: str | None
    receiver: UUID | None
    receiver_name: str | None
    words: str | None
    offered_at: datetime
    lapses_at: datetime
    settled_at: datetime | None


class NewGift(Struct, frozen=True, kw_only=True, tag="offer_gift", tag_field="operation"):
    """A gift to be offered: from one person to another."""

    giver: UUID
    receiver: UUID
    minutes: int
    words: str | None = None


class Offered(Struct, frozen=True, kw_only=True):
    """A gift as it was offered."""

    id: UUID
    giver: UUID
    receiver: UUID
    minutes: int
    offered_at: datetime
    lapses_at: datetime


class GiftStep(Struct, frozen=True, kw_only=True):
    """What became of a gift, by whose minutes and when."""

    gift: UUID
    state: State
    minutes: int
    at: datetime


class ToPot(Struct, frozen=True, kw_only=True, tag="give_to_pot", tag_field="operation"):
    """Credits to be given into the pot of a group, or the community's."""

    giver: UUID
    group: UUID | None
    minutes: int


class GivenToPot(Struct, frozen=True, kw_only=True):
    """Credits that went into a pot: a group's, or the community's where there is none."""

    id: UUID
    giver: UUID
    group: UUID | None
    minutes: int
    at: datetime


class _Settle(Struct, frozen=True, kw_only=True, tag="settle_gift", tag_field="operation"):
    gift: UUID
    to: State


class Gifts:
    """Offering gifts, answering them, and looking at them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def offer(self, caller: Caller, key: str, offer: NewGift) -> tuple[Offered, bool]:
        """Offer a gift, and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Offered:
            return await _offer(raw, caller, entry_id(caller.principal, key), offer, now)

        return await self._answers.once(caller, key, offer, work, Offered)

    async def give_to_pot(self, caller: Caller, key: str, gift: ToPot) -> tuple[GivenToPot, bool]:
        """Give into a pot, at once; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> GivenToPot:
            return await _give_to_pot(raw, caller, entry_id(caller.principal, key), gift, now)

        return await self._answers.once(caller, key, gift, work, GivenToPot)

    async def accept(self, caller: Caller, key: str, gift: UUID) -> tuple[GiftStep, bool]:
        """Put it into the receiver's wallet, and whether this is the replay of an answer."""
        return await self._settle(caller, key, gift, State.ACCEPTED)

    async def decline(self, caller: Caller, key: str, gift: UUID) -> tuple[GiftStep, bool]:
        """Give it back for the receiver, likewise."""
        return await self._settle(caller, key, gift, State.DECLINED)

    async def take_back(self, caller: Caller, key: str, gift: UUID) -> tuple[GiftStep, bool]:
        """Take it back for the giver, while it isn't accepted, likewise."""
        return await self._settle(caller, key, gift, State.TAKEN_BACK)

    async def get(self, caller: Caller, id_: UUID) -> Gift:
        """A gift, to its giver, its receiver and the scheme, whose look is recorded."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_ONE, id_)
            if row is None or not (
                caller.scope is Scope.SCHEME
                or is_own(caller, row["giver_holder"])
                or is_own(caller, row["receiver_holder"])
            ):
                raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
            hidden = is_own(caller, row["receiver_holder"]) and bool(
                await without_consent(raw, [row["receiver_holder"]], now)
            )
            if caller.scope is Scope.SCHEME:
                for holder in (row["giver_holder"], row["receiver_holder"]):
                    await acts.looked(raw, caller, holder, "gifts_read", id_, now)
            gift = _gift(row, now, hidden=hidden)
            if is_own(caller, row["receiver_holder"]) or row["giver"] is None:
                return gift
            return (await _to_known(raw, row["giver"], row["giver_holder"], [gift]))[0]

    async def of(self, caller: Caller, person: UUID, side: Side, *, before: UUID | None, limit: int) -> Sequence[Gift]:
        """The gifts that a person gave or received, newest first; ``before`` is the last one seen."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not _acts_for(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_GIVEN if side is Side.GIVEN else _RECEIVED, holder, before, limit)
            hidden = (
                side is Side.RECEIVED and is_own(caller, holder) and bool(await without_consent(raw, [holder], now))
            )
            await acts.looked(raw, caller, holder, "gifts_read", None, now)
            gifts = [_gift(row, now, hidden=hidden) for row in rows]
            return await _to_known(raw, person, holder, gifts) if side is Side.GIVEN else gifts

    async def _settle(self, caller: Caller, key: str, gift: UUID, to: State) -> tuple[GiftStep, bool]:
        async def work(raw: asyncpg.Connection, now: datetime) -> GiftStep:
            return await _settled(raw, caller, entry_id(caller.principal, key), gift, to, now)

        return await self._answers.once(caller, key, _Settle(gift=gift, to=to), work, GiftStep)


# --- giving -------------------------------------------------------------------------------------------------


async def _offer(raw: asyncpg.Connection, caller: Caller, id_: UUID, offer: NewGift, now: datetime) -> Offered:
    locked = await lock_people(raw, [offer.giver, offer.receiver])
    giver, receiver = locked.get(offer.giver), locked.get(offer.receiver)
    if giver is None or receiver is None or not _acts_for(caller, giver):
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    if giver == receiver:
        raise Declined(Refusal.WRONG_VALUES, fields=(("receiver", "must be somebody else"),))
    rules = (await in_force(raw)).rules
    await _check_may_give(raw, offer.giver, rules, now)
    # As long by the clock on the wall, in summer too.
    lapses_at = (now.astimezone(LONDON) + timedelta(days=rules.gift_accept_days)).astimezone(UTC)
    await raw.execute(_PUT, id_, giver, receiver, offer.minutes, offer.words, now, lapses_at)
    await lapses.put(raw, id_, lapses_at)
    await acts.record(raw, caller, giver, "gift_offered", id_, now)
    event = Event(topic=Topic.GIFT_OFFERED, holder=receiver, object=id_, body={"minutes": offer.minutes})
    await outbox.put(raw, [event], now)
    hold = Entry(
        id=id_,
        kind=Kind.HOLD,
        transfers=(
            Transfer(account("wallet", giver), _TRANSIT, offer.minutes),
            _counted(giver, "held_limit", offer.minutes, rules, now),
        ),
        happened_at=now,
        actor=caller.identity,
        reference=_REFERENCE,
    )
    await post_new(raw, [hold], now)
    return Offered(
        id=id_,
        giver=offer.giver,
        receiver=offer.receiver,
        minutes=offer.minutes,
        offered_at=now,
        lapses_at=lapses_at,
    )


async def _give_to_pot(raw: asyncpg.Connection, caller: Caller, id_: UUID, gift: ToPot, now: datetime) -> GivenToPot:
    giver = (await lock_people(raw, [gift.giver])).get(gift.giver)
    if giver is None or not _acts_for(caller, giver):
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    if gift.group is not None and not await raw.fetchval(_IS_GROUP, gift.group):
        raise Declined(Refusal.NOT_FOUND, "There is no such group.")
    rules = (await in_force(raw)).rules
    await _check_may_give(raw, gift.giver, rules, now)
    await acts.record(raw, caller, giver, "gave_to_pot", gift.group, now)
    event = Event(topic=Topic.POT_GIVEN_TO, object=gift.group, body={"minutes": gift.minutes})
    await outbox.put(raw, [event], now)
    entry = Entry(
        id=id_,
        transfers=(
            Transfer(
                account("wallet", giver),
                COMMUNITY if gift.group is None else account("pot", gift.group),
                gift.minutes,
            ),
            _counted(giver, "counted", gift.minutes, rules, now),
        ),
        happened_at=now,
        actor=caller.identity,
        reference=_REFERENCE,
    )
    await post_new(raw, [entry], now)
    return GivenToPot(id=id_, giver=gift.giver, group=gift.group, minutes=gift.minutes, at=now)


def _acts_for(caller: Caller, holder: UUID) -> bool:
    """Only people themselves give and receive, or the scheme for them: it isn't among what a helper may."""
    return caller.scope is Scope.SCHEME or is_own(caller, holder)


def _counted(giver: UUID, kind: str, minutes: int, rules: Rules, now: datetime) -> Transfer:
    """The gift's part of the giver's month, on hold (``held_limit``) or used (``counted``)."""
    month = f"{now.astimezone(LONDON):%Y-%m}"
    return Transfer(f"limit:gifts:{giver.hex}.{month}", account(kind, giver), minutes, -rules.gift_month_minutes)


async def _check_may_give(raw: asyncpg.Connection, person: UUID, rules: Rules, now: datetime) -> None:
    row = await raw.fetchrow(_AGE_AND_CONSENT, person, now)
    assert row is not None  # the holder is locked
    if _BEGINS[row["age_band"]] < rules.gift_from_years and not row["has_consent"]:
        raise Declined(Refusal.CONSENT_NEEDED)


# --- answering ----------------------------------------------------------------------------------------------


async def _settled(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, caller: Caller, id_: UUID, gift: UUID, to: State, now: datetime
) -> GiftStep:
    row = await raw.fetchrow("SELECT giver, receiver, minutes, lapses_at FROM scheme.gift WHERE id = $1", gift)
    if row is None:
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    giver, receiver, minutes = row["giver"], row["receiver"], row["minutes"]
    decides, hears = (giver, receiver) if to is State.TAKEN_BACK else (receiver, giver)
    if not _acts_for(caller, decides):
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    # The other one too, so that nobody hears of it who is erased meanwhile.
    if decides not in await lock_open(raw, [giver, receiver]):
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    if row["lapses_at"] <= now:
        raise Declined(Refusal.ALREADY_RESOLVED, "Its time has run out, so it goes back to who gave it.")
    if to is State.ACCEPTED and await without_consent(raw, [receiver], now):
        raise Declined(Refusal.CONSENT_NEEDED)
    await acts.record(raw, caller, decides, f"gift_{to}", gift, now)
    event = Event(topic=_TOPICS[to], holder=hears, object=gift, body={"minutes": minutes})
    await outbox.put(raw, [event], now)
    (outcome,) = await post(raw, CHART, [_resolution(id_, gift, row, to, caller, now)], now)
    if isinstance(outcome, Refused) and outcome.reason == Reason.ALREADY_RESOLVED:
        raise Declined(Refusal.ALREADY_RESOLVED, "This gift isn't open any more: please look at it again.")
    if settled(outcome).replayed:
        raise Declined(Refusal.KEY_REUSED)
    return GiftStep(gift=gift, state=to, minutes=minutes, at=now)


def _resolution(  # noqa: PLR0917  # the same
    id_: UUID, gift: UUID, row: asyncpg.Record, to: State, caller: Caller, now: datetime
) -> Entry:
    giver, receiver, minutes = row["giver"], row["receiver"], row["minutes"]
    accepted = to is State.ACCEPTED
    return Entry(
        id=id_,
        kind=Kind.CAPTURE if accepted else Kind.VOID,
        transfers=(
            Transfer(_TRANSIT, account("wallet", receiver), minutes),
            Transfer(account("held_limit", giver), account("counted", giver), minutes),
        )
        if accepted
        else (),
        target=gift,
        happened_at=now,
        actor=caller.identity,
        reference=_TAKEN_BACK if to is State.TAKEN_BACK else _REFERENCE,
    )


_TOPICS: Final = {
    State.ACCEPTED: Topic.GIFT_ACCEPTED,
    State.DECLINED: Topic.GIFT_DECLINED,
    State.TAKEN_BACK: Topic.GIFT_TAKEN_BACK,
}


# --- erasure ------------------------------------------------------------------------------------------------


class Open(Struct, frozen=True):
    """A gift that somebody leaves open when they are erased: how it is voided, and who should hear of it."""

    id: UUID
    reference: str
    event: Event


async def left_open(raw: asyncpg.Connection, holder: UUID) -> Sequence[Open]:
    """The open gifts to and from that holder, oldest first; the journal is locked."""
    return [
        Open(
            row["id"],
            _TAKEN_BACK if row["is_giver"] else _REFERENCE,
            Event(
                topic=Topic.GIFT_TAKEN_BACK if row["is_giver"] else Topic.GIFT_DECLINED,
                holder=row["other"],
                object=row["id"],
                body={"minutes": row["minutes"]},
            ),
        )
        for row in await raw.fetch(_OPEN, holder)
    ]


# --- reading ------------------------------------------------------------------------------------------------


def _gift(row: asyncpg.Record, now: datetime, *, hidden: bool) -> Gift:
    """What a row tells; ``hidden`` from a child, whose gift it is and the words."""
    state = _state(row, now)
    return Gift(
        id=row["id"],
        state=state,
        minutes=row["minutes"],
        giver=None if hidden else row["giver"],
        giver_name=None if hidden else row["giver_name"],
        receiver=row["receiver"],
        receiver_name=row["receiver_name"] if state is State.ACCEPTED else None,
        words=None if hidden else row["words"],
        offered_at=row["offered_at"],
        lapses_at=row["lapses_at"],
        settled_at=row["recorded_at"],
    )


async def _to_known(raw: asyncpg.Connection, giver: UUID, holder: UUID, gifts: Sequence[Gift]) -> Sequence[Gift]:
    """What that giver gave, and while it waits for whom, if they know them: else two of them can't be told apart.

    Whoever's card they were shown stays nameless until they accept it.
    """
    if not any(gift.state is State.OFFERED for gift in gifts):
        return gifts
    names = await names_known_to(raw, giver, holder)
    return [
        structs.replace(gift, receiver_name=names.get(gift.receiver))
        if gift.state is State.OFFERED and gift.receiver is not None
        else gift
        for gift in gifts
    ]


def _state(row: asyncpg.Record, now: datetime) -> State:
    if row["kind"] is None:
        # From its end on it can't be accepted, whether its lapse is posted yet or not.
        return State.OFFERED if now < row["lapses_at"] else State.LAPSED
    match Kind(row["kind"]):
        case Kind.CAPTURE:
            return State.ACCEPTED
        case Kind.LAPSE:
            return State.LAPSED
        case _:
            return State.TAKEN_BACK if row["reference"] == _TAKEN_BACK else State.DECLINED


_PUT = """
INSERT INTO scheme.gift (id, giver, receiver, minutes, words, offered_at, lapses_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_IS_GROUP = "SELECT EXISTS (SELECT FROM scheme.group WHERE id = $1)"
_AGE_AND_CONSENT = """
SELECT p.age_band, EXISTS (
    SELECT FROM scheme.consent c WHERE c.child = p.id AND c.withdrawn_at IS NULL AND c.ends_at > $2
) AS has_consent
FROM scheme.person p WHERE p.id = $1
"""
_READ = """
SELECT g.id, g.minutes, g.words, g.offered_at, g.lapses_at, g.giver AS giver_holder, g.receiver AS receiver_holder,
    giver.id AS giver, giver.name AS giver_name, receiver.id AS receiver, receiver.name AS receiver_name,
    done.kind, done.reference, done.recorded_at
FROM {gifts} g
JOIN scheme.holder gh ON gh.id = g.giver LEFT JOIN scheme.person giver ON giver.id = gh.person
JOIN scheme.holder rh ON rh.id = g.receiver LEFT JOIN scheme.person receiver ON receiver.id = rh.person
JOIN journal.entry hold ON hold.id = g.id
LEFT JOIN LATERAL (
    SELECT kind::text, reference, recorded_at FROM journal.entry
    WHERE target = hold.position AND kind IN ('capture', 'void', 'lapse')
) done ON true
"""
# The page first, and then what is known of each.
_PAGE = """(
    SELECT id, giver, receiver, minutes, words, offered_at, lapses_at FROM scheme.gift
    WHERE {side} = $1 AND ($2::uuid IS NULL
        OR (offered_at, id) < (SELECT last.offered_at, last.id FROM scheme.gift last WHERE last.id = $2))
    ORDER BY offered_at DESC, id DESC LIMIT $3
)"""
_NEWEST_FIRST = "ORDER BY g.offered_at DESC, g.id DESC"
_ONE = _READ.format(gifts="scheme.gift") + "WHERE g.id = $1"
_GIVEN = _READ.format(gifts=_PAGE.format(side="giver")) + _NEWEST_FIRST
_RECEIVED = _READ.format(gifts=_PAGE.format(side="receiver")) + _NEWEST_FIRST
_OPEN = """
SELECT g.id, g.minutes, g.giver = $1 AS is_giver, CASE WHEN g.giver = $1 THEN g.receiver ELSE g.giver END AS other
FROM scheme.gift g JOIN journal.entry hold ON hold.id = g.id
WHERE (g.giver = $1 OR g.receiver = $1) AND NOT EXISTS (
    SELECT FROM journal.entry done WHERE done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
)
ORDER BY hold.position
"""
