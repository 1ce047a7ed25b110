"""Vouchers are claimed: whoever types in the code gets the minutes, once. One box for both kinds; the code tells them.

A **slip** is of somebody who had no account when they gave an hour. Its minutes lie in ``paper:{session}`` from the
moment the register was posted. Claiming moves them to the claimer's wallet; the slip's row is locked meanwhile, so of
two who claim at once one wins. From then on the hours are the claimer's: the claim carries their holder, and counts in
their day and week.

So they are weighed then, against what stands for the claimer, as any hours are: where they overlap with others or make
the day longer than one approver decides, the project has a look first (``needs_a_look``), as while they wait for a
second approver. That isn't kept as the answer, for it passes. Whoever approved or corrected the hours can't claim them.

A **bearer voucher** of a batch (see ``paper``) is anybody's who brings it, and nobody's hours.

A code that was mistyped (its check character tells) is 422 and costs nothing; one that nobody printed is
``code_unknown``, and whoever sends many such isn't heard for a while (``throttle``). Somebody under 16 needs a
guardian's consent first.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Posted, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme import acts, outbox, paper, rules, throttle
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_holders, without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import Clock
from ledger.scheme.codes import code_hash, read_code, secret_of
from ledger.scheme.helping import May, may_act
from ledger.scheme.hours import Exceptional, State, crosses_week_note, weigh
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.standing import Given, standing


class Claimed(Struct, frozen=True, kw_only=True):
    """A voucher's minutes in a wallet: the entry, and how many. A slip has the claim that they were given for.

    A bearer voucher has the batch that it was printed in.
    """

    id: UUID
    claim: UUID | None = None
    batch: UUID | None = None
    minutes: int
    recorded_at: datetime


class _Claim(Struct, frozen=True, kw_only=True, tag="claim_voucher", tag_field="operation"):
    code: str
    person: UUID


class _Asked(Struct, frozen=True):
    """One request: who asks, which entry it becomes, whose wallet it is about, and when."""

    caller: Caller
    entry: UUID
    holder: UUID
    now: datetime


class Vouchers:
    """Claiming vouchers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def claim(self, caller: Caller, key: str, typed: str, person: UUID) -> tuple[Claimed, bool]:
        """Put a voucher's minutes into somebody's wallet; and whether this is the replay of an answer."""
        code = read_code(typed)
        if code is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))

        asked = _Claim(code=code, person=person)

        async def work(raw: asyncpg.Connection, now: datetime) -> Claimed:
            await throttle.may_type(raw, caller, now)
            return await _claim(raw, caller, entry_id(caller.principal, key), asked, now)

        try:
            return await self._answers.once(caller, key, asked, work, Claimed)
        except Declined as declined:
            if declined.reason is Refusal.CODE_UNKNOWN and not declined.replayed:
                async with self._database.transaction() as connection:
                    await throttle.wrong_slip(driver(connection), caller, self._clock())
            raise


async def _claim(raw: asyncpg.Connection, caller: Caller, id_: UUID, claim: _Claim, now: datetime) -> Claimed:
    holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", claim.person)
    # A project hands out slips, and so helps to claim them.
    if holder is None or not (caller.scope is Scope.PROJECT or await may_act(raw, caller, holder, May.CLAIM)):
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    await lock_holders(raw, [holder])
    asked = _Asked(caller, id_, holder, now)
    secret = await secret_of(raw)
    hashed = code_hash(secret, claim.code)
    slip = await raw.fetchval("SELECT claim FROM scheme.voucher WHERE code_hash = $1 FOR NO KEY UPDATE", hashed)
    if slip is not None:
        return await _claim_slip(raw, asked, hashed)
    credential = await paper.found_by(raw, hashed)
    if credential is None:
        raise Declined(Refusal.CODE_UNKNOWN)
    return await _claim_bearers(raw, asked, credential)


async def _claim_bearers(raw: asyncpg.Connection, asked: _Asked, credential: UUID) -> Claimed:
    caller, holder, now = asked.caller, asked.holder, asked.now
    if holder in await without_consent(raw, [holder], now):
        raise Declined(Refusal.CONSENT_NEEDED)
    worth = await paper.take(raw, credential, asked.entry, now)
    await acts.record(raw, caller, holder, "claim_voucher", worth.batch, now)
    event = Event(topic=Topic.VOUCHER_CLAIMED, holder=holder, object=worth.batch, body={"minutes": worth.minutes})
    await outbox.put(raw, [event], now)
    posted = await _move(raw, asked, Transfer(worth.paper, account("wallet", holder), worth.minutes), worth.batch)
    return Claimed(id=posted.id, batch=worth.batch, minutes=worth.minutes, recorded_at=posted.recorded_at)


async def _claim_slip(raw: asyncpg.Connection, asked: _Asked, hashed: bytes) -> Claimed:
    caller, holder, now = asked.caller, asked.holder, asked.now
    # Read after the lock: a statement that waited for it would see the hours as they were before a correction.
    voucher = await raw.fetchrow(_VOUCHER, hashed)
    if voucher is None or (caller.scope is Scope.PROJECT and not caller.speaks_for(voucher["project"])):
        raise Declined(Refusal.CODE_UNKNOWN)
    if voucher["claimed_at"] is not None:
        raise Declined(Refusal.ALREADY_USED)
    if voucher["state"] != State.APPROVED:
        raise Declined(
            Refusal.NEEDS_A_LOOK, "Somebody at the project still looks at these hours: please try again later."
        )
    if holder in voucher["deciders"]:
        raise Declined(Refusal.OWN_HOURS, "Whoever approved or corrected these hours can't claim them.")
    if holder in await without_consent(raw, [holder], now):
        raise Declined(Refusal.CONSENT_NEEDED)
    topics = [Topic.VOUCHER_CLAIMED]
    if await _weighed(raw, holder, voucher):
        topics.append(Topic.WEEK_ABOVE_NOTE)
    await raw.execute(_TAKE, voucher["claim"], now, holder, asked.entry)
    await raw.execute(
        "UPDATE scheme.claim SET holder = $2, changed_at = $3 WHERE id = $1", voucher["claim"], holder, now
    )
    await acts.record(raw, caller, holder, "claim_voucher", voucher["claim"], now)
    events = [
        Event(
            topic=topic,
            holder=holder,
            project=voucher["project"],
            object=voucher["claim"],
            body={"minutes": voucher["minutes"]},
        )
        for topic in topics
    ]
    await outbox.put(raw, events, now)
    transfer = Transfer(account("paper", voucher["session"]), account("wallet", holder), voucher["minutes"])
    posted = await _move(raw, asked, transfer, voucher["claim"])
    return Claimed(id=posted.id, claim=voucher["claim"], minutes=voucher["minutes"], recorded_at=posted.recorded_at)


async def _move(raw: asyncpg.Connection, asked: _Asked, transfer: Transfer, about: UUID) -> Posted:
    entry = Entry(
        id=asked.entry,
        transfers=(transfer,),
        happened_at=asked.now,
        actor=asked.caller.identity,
        reference=about.hex,
    )
    (outcome,) = await post(raw, CHART, [entry], asked.now)
    return settled(outcome)


async def _weighed(raw: asyncpg.Connection, holder: UUID, voucher: asyncpg.Record) -> bool:
    """Weigh a slip's hours as the claimer's, and return whether their week comes above the soft cap by them.

    Declines what somebody should look at first. A slip that makes a long day all by itself was looked at twice before.
    """
    given = Given(
        holder=holder,
        session=voucher["session"],
        started_at=voucher["started_at"],
        ended_at=voucher["ended_at"],
        claim=voucher["claim"],
    )
    (stands,) = await standing(raw, [given])
    if stands.here:
        raise Declined(Refusal.ALREADY_USED, "They have hours in this session already.")
    minutes = voucher["minutes"]
    force = await rules.in_force(raw)
    weighed = weigh(force.rules, minutes, day_minutes=stands.day_minutes, overlapping=stands.overlapping)
    if weighed.overlapping:
        raise Declined(
            Refusal.NEEDS_A_LOOK,
            "These hours overlap with others of theirs. Please ask the project, which can put either right.",
        )
    looked_at_twice = voucher["second_approver"] is not None or not stands.day_minutes
    if Exceptional.ABOVE_DAILY_CAP in weighed.exceptions and not looked_at_twice:
        raise Declined(
            Refusal.NEEDS_A_LOOK,
            "With these hours the day gets long, so a second person has a look first. Please ask the project, which can"
            " put the slip right and record the hours for them.",
        )
    return crosses_week_note(force.rules, stands.week_minutes, stands.week_minutes + minutes)


# What a correction left of it counts; one that was rejected or taken back whole is as if it had never been printed.
_VOUCHER = """
SELECT v.claim, v.session, v.claimed_at, c.project, c.state, c.started_at, c.ended_at, n.minutes, c.second_approver,
    ARRAY[c.approver, c.second_approver] || ARRAY(SELECT by FROM scheme.correction WHERE claim = c.id) AS deciders
FROM scheme.voucher v JOIN scheme.claim c ON c.id = v.claim JOIN scheme.counted n ON n.id = v.claim
WHERE v.code_hash = $1
"""
_TAKE = "UPDATE scheme.voucher SET claimed_at = $2, claimed_by = $3, entry = $4, label = NULL WHERE claim = $1"
