"""Spending from a group's pot: a keyholder proposes a visit, and above a limit another one agrees (rule 21).

    proposed -> booked | declined | lapsed

    lock keyholder and visitor -> enough keyholders? -> book it, to see that it can be and what it comes to
        -> up to the limit: booked        above it: taken back again, and waits for another keyholder
    agreed: still a keyholder's, still as much at most -> booked

A spend is a booking that the pot pays for (``bookings.book``): a visit of one of the group's members. The pot's floor,
quotas and limits are judged then, and again when it is agreed to, for nothing is held while it waits. It waits for
`WAITS_FOR`; whoever proposed it may withdraw it by declining. Who proposed it must be a keyholder still.

Keyholders act by their own keys, or staff for them, which is recorded; but nobody proposes for one and agrees for
another. Whoever is neither isn't told that there is one.

What bounds it: `OPEN_MAX` waiting a group.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import entry_id, new_key
from ledger.scheme import acts, outbox
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_people
from ledger.scheme.bookings import Wanted, book
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.pots import check_may_look
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import in_force
from ledger.scheme.terms import Party

WAITS_FOR: Final = timedelta(days=14)
# More than a group's keyholders would look through in that time.
OPEN_MAX: Final = 20
_NOT_THERE: Final = "There is no such spend, or it is another group's."


class State(StrEnum):
    """How a spend stands."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    DECLINED = "declined"
    LAPSED = "lapsed"


class PotSpend(Struct, frozen=True, kw_only=True):
    """A spend from a group's pot; who was erased is nobody. ``booking`` is, of a course, that of its first session."""

    id: UUID
    group: UUID
    state: State
    minutes: int
    person: UUID
    offer: UUID
    visit_at: datetime | None
    occasion: UUID | None
    party: Party
    proposed_by: UUID | None
    proposed_at: datetime
    lapses_at: datetime
    agreed_by: UUID | None
    decided_at: datetime | None
    booking: UUID | None


class Propose(Struct, frozen=True, kw_only=True, tag="propose_pot_spend", tag_field="operation"):
    """What a keyholder would like to have booked."""

    group: UUID
    keyholder: UUID
    wanted: Wanted


class Decide(Struct, frozen=True, kw_only=True, tag="decide_pot_spend", tag_field="operation"):
    """What a keyholder says to a spend that waits."""

    spend: UUID
    keyholder: UUID
    agreed: bool


class PotSpendStep(Struct, frozen=True, kw_only=True):
    """What became of a spend, and the booking if there is one."""

    spend: UUID
    state: State
    minutes: int
    booking: UUID | None
    at: datetime


class PotSpends:
    """Proposing spends, deciding on them, and listing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def propose(self, caller: Caller, key: str, asked: Propose) -> tuple[PotSpendStep, bool]:
        """Book what a keyholder wants, or let it wait for another; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> PotSpendStep:
            return await _propose(raw, caller, key, asked, now)

        return await self._answers.once(caller, key, asked, work, PotSpendStep)

    async def decide(self, caller: Caller, key: str, asked: Decide) -> tuple[PotSpendStep, bool]:
        """Agree, and so book it, or decline; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> PotSpendStep:
            return await _decide(raw, caller, key, asked, now)

        return await self._answers.once(caller, key, asked, work, PotSpendStep)

    async def of(self, caller: Caller, group: UUID, *, before: UUID | None, limit: int) -> Sequence[PotSpend]:
        """A group's spends, newest first, to its keyholders and the scheme; ``before`` is the last one seen."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            return await spends_of(raw, group, now, before=before, limit=limit)


# --- proposing ----------------------------------------------------------------------------------------------


async def _propose(raw: asyncpg.Connection, caller: Caller, key: str, asked: Propose, now: datetime) -> PotSpendStep:
    holders = await _locked(raw, caller, asked.group, asked.keyholder, asked.wanted.person)
    keyholders = await _keyholders(raw, asked.group)
    rules = (await in_force(raw)).rules
    if len(keyholders) < rules.pot_keyholders:
        raise _too_few(rules.pot_keyholders)
    by = holders[asked.keyholder]
    spend = UUID(new_key())
    await acts.record(raw, caller, by, "pot_spend_proposed", spend, now)
    # What `book` raises takes the whole back.
    tried = raw.transaction()
    await tried.start()
    made = await book(raw, caller, key, asked.wanted, holders[asked.wanted.person], now, payer=asked.group)
    waits = made.minutes > rules.pot_both_above_minutes
    await (tried.rollback() if waits else tried.commit())
    if waits:
        others = [holder for holder in keyholders if holder != by]
        await _check_can_wait(raw, asked.group, others, now)
        await outbox.put(raw, [_told(Topic.POT_SPEND_PROPOSED, other, spend, made.minutes) for other in others], now)
    step = PotSpendStep(
        spend=spend,
        state=State.PROPOSED if waits else State.BOOKED,
        minutes=made.minutes,
        booking=None if waits else made.id,
        at=now,
    )
    request = msgspec.json.encode(asked.wanted).decode()
    decided_at = None if waits else now
    await raw.execute(
        _PUT, spend, asked.group, by, caller.identity, now, made.minutes, request, decided_at, step.booking
    )
    return step


async def _locked(
    raw: asyncpg.Connection, caller: Caller, group: UUID, keyholder: UUID, visitor: UUID
) -> Mapping[UUID, UUID]:
    """The holders of both, locked, by person: declines unless the one decides for the group and the other is in it.

    Nobody comes or goes until the transaction ends.
    """
    holders = await lock_people(raw, [keyholder, visitor])
    by = holders.get(keyholder)
    if by is None or not (caller.scope is Scope.SCHEME or is_own(caller, by)):
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    await raw.execute("SELECT FROM scheme.group WHERE id = $1 FOR SHARE", group)
    members = {row["person"]: row["keyholder"] for row in await raw.fetch(_MEMBERS, group, [keyholder, visitor])}
    if not members.get(keyholder):
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    if visitor not in members or visitor not in holders:
        raise Declined(Refusal.WRONG_VALUES, fields=(("person", "is no member of the group, who share its pot"),))
    return holders


async def _keyholders(raw: asyncpg.Connection, group: UUID) -> Sequence[UUID]:
    return [row["id"] for row in await raw.fetch(_KEYHOLDERS, group)]


def _too_few(needed: int) -> Declined:
    said = f"A group's pot is spent from once it has {needed} keyholders: staff can add them."
    return Declined(Refusal.WRONG_STATE, said)


async def _check_can_wait(raw: asyncpg.Connection, group: UUID, others: Sequence[UUID], now: datetime) -> None:
    if not others:
        raise _too_few(2)
    if await raw.fetchval(_WAITING, group, now - WAITS_FOR) >= OPEN_MAX:
        raise Declined(Refusal.WRONG_STATE, f"{OPEN_MAX} spends wait already: please decide on some of them first.")


# --- deciding -----------------------------------------------------------------------------------------------


async def _decide(raw: asyncpg.Connection, caller: Caller, key: str, asked: Decide, now: datetime) -> PotSpendStep:
    found = await raw.fetchrow(_ONE, asked.spend)
    if found is None:
        raise Declined(Refusal.NOT_FOUND, _NOT_THERE)
    group, wanted = found["group"], _wanted(found["request"])
    # Who would come may have left since: then it can be declined.
    visitor = wanted.person if asked.agreed else asked.keyholder
    holders = await _locked(raw, caller, group, asked.keyholder, visitor)
    row = await raw.fetchrow(_LOCKED, asked.spend)
    assert row is not None  # they stay for ever
    state, by = _state(row, now), holders[asked.keyholder]
    if state is not State.PROPOSED:
        raise Declined(Refusal.WRONG_STATE, f"This spend was {_SAID[state]}.")
    if asked.agreed:
        return await _agree(raw, caller, key, asked, row, holders, now)
    await acts.record(raw, caller, by, "pot_spend_declined", asked.spend, now)
    await raw.execute(_DECLINE, asked.spend, now)
    await outbox.put(raw, [_told(Topic.POT_SPEND_DECLINED, row["proposed_by"], asked.spend, row["minutes"])], now)
    return PotSpendStep(spend=asked.spend, state=State.DECLINED, minutes=row["minutes"], booking=None, at=now)


async def _agree(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection,
    caller: Caller,
    key: str,
    asked: Decide,
    row: asyncpg.Record,
    holders: Mapping[UUID, UUID],
    now: datetime,
) -> PotSpendStep:
    group, wanted, by = row["group"], _wanted(row["request"]), holders[asked.keyholder]
    if by == row["proposed_by"]:
        raise Declined(Refusal.SAME_APPROVER, "Another keyholder agrees to what one has proposed.")
    if caller.identity == row["actor"]:
        said = "You proposed this for one keyholder, so you can't agree for another. They can, or somebody else here."
        raise Declined(Refusal.SAME_APPROVER, said)
    keyholders = await _keyholders(raw, group)
    if row["proposed_by"] not in keyholders:
        raise Declined(Refusal.WRONG_STATE, "Who proposed it is no keyholder any more: please propose it anew.")
    rules = (await in_force(raw)).rules
    if len(keyholders) < rules.pot_keyholders:
        raise _too_few(rules.pot_keyholders)
    await acts.record(raw, caller, by, "pot_spend_agreed", asked.spend, now)
    # The first hold bears the key's own id, so it is known before it is posted.
    booking = entry_id(caller.principal, key)
    await raw.execute(_AGREE, asked.spend, by, now, booking)
    await outbox.put(raw, [_told(Topic.POT_SPEND_AGREED, row["proposed_by"], asked.spend, row["minutes"])], now)
    made = await book(raw, caller, key, wanted, holders[wanted.person], now, payer=group)
    if made.minutes > row["minutes"]:
        said = f"It comes to {made.minutes} minutes by now, and {row['minutes']} were proposed: please propose it anew."
        raise Declined(Refusal.WRONG_STATE, said)
    return PotSpendStep(spend=asked.spend, state=State.BOOKED, minutes=made.minutes, booking=booking, at=now)


def _told(topic: Topic, holder: UUID, spend: UUID, minutes: int) -> Event:
    return Event(topic=topic, holder=holder, object=spend, body={"minutes": minutes})


# --- reading ------------------------------------------------------------------------------------------------


async def spends_of(
    raw: asyncpg.Connection, group: UUID, now: datetime, *, before: UUID | None, limit: int
) -> Sequence[PotSpend]:
    """The same for whoever may look, which the asker has made sure of."""
    return [_spend(row, now) for row in await raw.fetch(_LISTED, group, before, limit)]


def _spend(row: asyncpg.Record, now: datetime) -> PotSpend:
    wanted = _wanted(row["request"])
    return PotSpend(
        id=row["id"],
        group=row["group"],
        state=_state(row, now),
        minutes=row["minutes"],
        person=wanted.person,
        offer=wanted.offer,
        visit_at=wanted.visit_at,
        occasion=wanted.occasion,
        party=wanted.party,
        proposed_by=row["proposer"],
        proposed_at=row["proposed_at"],
        lapses_at=row["proposed_at"] + WAITS_FOR,
        agreed_by=row["agreer"],
        decided_at=row["decided_at"],
        booking=row["booking"],
    )


def _state(row: asyncpg.Record, now: datetime) -> State:
    if row["booking"] is not None:
        return State.BOOKED
    if row["declined"]:
        return State.DECLINED
    return State.PROPOSED if now < row["proposed_at"] + WAITS_FOR else State.LAPSED


_SAID: Final = {
    State.BOOKED: "agreed to, and booked",
    State.DECLINED: "declined",
    State.LAPSED: f"proposed more than {WAITS_FOR.days} days ago: please propose it anew",
}
_wanted = msgspec.json.Decoder(Wanted).decode

_PUT = """
INSERT INTO scheme.pot_spend (id, "group", proposed_by, actor, proposed_at, minutes, request, decided_at, booking)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_MEMBERS = 'SELECT person, keyholder FROM scheme.membership WHERE "group" = $1 AND person = ANY($2::uuid[])'
_KEYHOLDERS = """
SELECT h.id FROM scheme.membership m JOIN scheme.holder h ON h.person = m.person
WHERE m."group" = $1 AND m.keyholder ORDER BY h.id
"""
_WAITING = """
SELECT count(*) FROM scheme.pot_spend WHERE "group" = $1 AND decided_at IS NULL AND proposed_at > $2
"""
_ONE = 'SELECT "group", request FROM scheme.pot_spend WHERE id = $1'
_LOCKED = """
SELECT id, "group", proposed_by, actor, proposed_at, minutes, request, declined, booking
FROM scheme.pot_spend WHERE id = $1 FOR NO KEY UPDATE
"""
_AGREE = "UPDATE scheme.pot_spend SET agreed_by = $2, decided_at = $3, booking = $4 WHERE id = $1"
_DECLINE = "UPDATE scheme.pot_spend SET declined = true, decided_at = $2 WHERE id = $1"
_LISTED = """
SELECT s.id, s."group", s.minutes, s.request, s.proposed_at, s.decided_at, s.declined, s.booking,
    p.person AS proposer, a.person AS agreer
FROM scheme.pot_spend s
JOIN scheme.holder p ON p.id = s.proposed_by
LEFT JOIN scheme.holder a ON a.id = s.agreed_by
WHERE s."group" = $1 AND ($2::uuid IS NULL
    OR (s.proposed_at, s.id) < (SELECT last.proposed_at, last.id FROM scheme.pot_spend last WHERE last.id = $2))
ORDER BY s.proposed_at DESC, s.id DESC
LIMIT $3
"""
