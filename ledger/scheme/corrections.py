"""Corrections: what was awarded is put right by a new entry, up or down, and the claim stays readable as it was.

    lock the holder and the claim -> who may? -> lock the journal -> what the wallet still has -> post

Down, the minutes go back where they came from: from the wallet as far as it has them, and the rest is goodwill
(``goodwill:correction``), so nobody ever has less than nothing (rule 22). A voucher that nobody has claimed yet is put
right on ``paper:{session}``, which always has them. Up, what goodwill bore of this very claim is repaid first, for
those minutes were spent and never given back; the rest is awarded like any hours. A funder's cap is drawn on for what
is counted more; down, it gets back whatever of its share the claim no longer needs.

It is decided by the project or the scheme, never on one's own hours, and never above the time from start to end. An
entry above the threshold is not for the claim's first approver. A correction is one person's act, so it never takes
hours to where two have to agree (rule 8), unless two agreed to as much of this claim before (``same_approver``), nor
raises hours that overlap others by now (``overlapping_session``): those are claimed anew, and somebody looks at them.
Hours corrected to 0 count for nothing any more, and can be corrected up again.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Transfer, entry_id, new_key
from ledger.journal.posting import lock, post
from ledger.scheme import acts, outbox, rules
from ledger.scheme.answers import Answers
from ledger.scheme.awards import Caps, without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.claims import Opened, RemarkKind, Said, opened, remark
from ledger.scheme.clock import Clock
from ledger.scheme.hours import minutes_fault, of_period, weigh
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import InForce
from ledger.scheme.standing import Given, standing

# A claim is read whole, and nobody needs more tries than this.
CORRECTIONS_MAX = 50


class Correct(Struct, frozen=True, kw_only=True):
    """What a claim should count instead, and why."""

    claim: UUID
    minutes: int
    reason: str


class Correction(Struct, frozen=True, kw_only=True):
    """A correction as it was made: its entry, and of what was taken back, how much was goodwill.

    Up, ``goodwill`` is what was repaid of it, as a negative figure; the rest was awarded.
    """

    id: UUID
    claim: UUID
    before: int
    after: int
    goodwill: int
    recorded_at: datetime


class _Request(Struct, frozen=True, kw_only=True, tag="correct", tag_field="operation"):
    """What the answer depends on: another person under the same key asks something else."""

    holder: UUID | None
    asked: Correct


class Corrections:
    """Putting awarded hours right."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def correct(self, caller: Caller, key: str, asked: Correct) -> tuple[Correction, bool]:
        """Let a claim count other minutes; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Correction:
            return await _correct(raw, caller, entry_id(caller.principal, key), asked, now)

        request = _Request(holder=caller.holder, asked=asked)
        return await self._answers.once(caller, key, request, work, Correction)

    async def tried(self, caller: Caller, asked: Correct) -> Correction:
        """What a correction would come to now, or why it would be declined; it is made, and taken back whole.

        What it tells of a wallet that has less is recorded, as any look at what somebody has.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            trial = raw.transaction()
            await trial.start()
            found = await _correct(raw, caller, UUID(new_key()), asked, now)
            await trial.rollback()
            if found.goodwill > 0:
                holder = await raw.fetchval("SELECT holder FROM scheme.claim WHERE id = $1", asked.claim)
                await acts.record(raw, caller, holder, "balance_read", None, now)
        return found


class _Move(Struct, frozen=True, kw_only=True):
    """A correction on its way: whose claim, from how many minutes to how many, and what goodwill bears of it so far."""

    row: Opened
    before: int
    after: int
    borne: int

    @property
    def minutes(self) -> int:
        """What its entry comes to."""
        return abs(self.after - self.before)

    @property
    def is_up(self) -> bool:
        """Whether more is awarded."""
        return self.after > self.before

    @property
    def purse(self) -> str:
        """Where the award went: the wallet, or the session's paper while nobody has claimed the voucher."""
        if self.row.holder is not None:
            return account("wallet", self.row.holder)
        assert self.row.session is not None  # a voucher is of a register, and that of a session
        return account("paper", self.row.session)


class _Posting(Struct, frozen=True, kw_only=True):
    """The transfers of a correction, what of it is goodwill, and what staff should hear of the cap."""

    transfers: tuple[Transfer, ...]
    goodwill: int = 0
    events: tuple[Event, ...] = ()


async def _correct(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: Correct, now: datetime) -> Correction:
    row = await opened(raw, caller, asked.claim)
    if caller.identity == row.holder:
        raise Declined(Refusal.OWN_HOURS)
    if not row.awarded:
        raise Declined(Refusal.WRONG_STATE, "Only hours that were awarded can be corrected.")
    newest = await raw.fetchrow(_NEWEST, row.id)
    number, before, borne = tuple(newest) if newest else (0, row.minutes, 0)
    move = _Move(row=row, before=before, after=asked.minutes, borne=borne)
    force = await rules.in_force(raw)
    if wrong := _fault(force, move):
        raise Declined(Refusal.WRONG_VALUES, fields=(("minutes", wrong),))
    if number >= CORRECTIONS_MAX:
        raise Declined(Refusal.WRONG_STATE, f"These hours were corrected {CORRECTIONS_MAX} times already.")
    await _need_right(raw, caller, force, move, now)
    said = Said(kind=RemarkKind.CORRECTION, body=asked.reason, field="reason")
    await remark(raw, caller, row.id, said, now=now, id_=id_)

    posting = await (_up if move.is_up else _down)(raw, force, move)
    await raw.execute(_CORRECT, id_, row.id, number + 1, before, move.after, posting.goodwill, caller.identity, now)
    body = {"before": before, "after": move.after, "goodwill": posting.goodwill}
    event = Event(topic=Topic.CORRECTED, holder=row.holder, project=row.project, object=row.id, body=body)
    await outbox.put(raw, [event, *posting.events], now)
    await acts.by_staff(raw, caller, "hours_corrected", row.id, now, holder=row.holder)
    entry = Entry(id=id_, transfers=posting.transfers, happened_at=now, actor=caller.identity, reference=row.id.hex)
    (outcome,) = await post(raw, CHART, [entry], now)
    settled(outcome)
    return Correction(id=id_, claim=row.id, before=before, after=move.after, goodwill=posting.goodwill, recorded_at=now)


def _fault(force: InForce, move: _Move) -> str:
    """What is wrong with the figure by itself, or nothing."""
    if wrong := minutes_fault(force.rules, move.after, least=0):
        return wrong
    if move.after == move.before:
        return "is what these hours count already"
    most = of_period(force.rules, move.row.started_at, move.row.ended_at)
    if move.after > most:
        return f"must be at most {most}: that is the time from start to end"
    return ""


async def _need_right(raw: asyncpg.Connection, caller: Caller, force: InForce, move: _Move, now: datetime) -> None:
    """Decline what this caller may not do, or what nobody may as things stand."""
    row = move.row
    status = await raw.fetchval("SELECT status FROM scheme.project WHERE id = $1", row.project)
    if status != "active" and caller.scope is not Scope.SCHEME:
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)
    if caller.identity == row.approver and move.minutes > force.rules.second_above_minutes:
        raise Declined(Refusal.SAME_APPROVER, "You approved these hours; this much is for a second person to correct.")
    if move.is_up:
        await _need_agreement(raw, force, move)
        if row.holder is not None and await without_consent(raw, [row.holder], now):
            raise Declined(Refusal.CONSENT_NEEDED)


async def _need_agreement(raw: asyncpg.Connection, force: InForce, move: _Move) -> None:
    """Decline to raise hours by one person's word alone where a claim of as many would need more than that."""
    row, day = move.row, 0
    if row.holder is not None:
        given = Given(
            holder=row.holder, session=row.session, started_at=row.started_at, ended_at=row.ended_at, claim=row.id
        )
        (stands,) = await standing(raw, [given])
        if stands.overlapping:
            raise Declined(
                Refusal.OVERLAPPING_SESSION,
                "They have other hours at the same time: claim it anew, so that somebody can look at both.",
            )
        day = stands.day_minutes
    # Two approved whatever was awarded and needed two.
    agreed = row.minutes if row.second_needed else 0
    if move.after > agreed and weigh(force.rules, move.after, day_minutes=day).second_needed:
        raise Declined(
            Refusal.SAME_APPROVER,
            "Two people have to agree to that much: claim it anew, so that a second person can approve it.",
        )


async def _up(raw: asyncpg.Connection, force: InForce, move: _Move) -> _Posting:
    project = move.row.project
    caps = await Caps.locked(raw, {project})
    issued, repaid = account("issued", project), min(move.borne, move.minutes)
    transfers = (
        Transfer(issued, _GOODWILL, repaid),
        Transfer(issued, move.purse, move.minutes - repaid),
        *caps.cover(project, move.minutes),
    )
    return _Posting(
        transfers=tuple(one for one in transfers if one.minutes),
        goodwill=-repaid,
        events=tuple(caps.events(force.rules.allocation_warns_percent)),
    )


async def _down(raw: asyncpg.Connection, _: InForce, move: _Move) -> _Posting:
    project, purse = move.row.project, move.purse
    issued, allocation, cap = (account(kind, project) for kind in ("issued", "allocation", "cap"))
    drawn = await raw.fetchval(_DRAWN, move.row.id, allocation)
    # From here on nobody spends: what the wallet has now, it still has when the entry is posted.
    await lock(raw)
    there = min((await reading.balances(raw, [purse]))[purse], move.minutes)
    goodwill = move.minutes - there
    transfers = (
        Transfer(purse, issued, there),
        Transfer(_GOODWILL, issued, goodwill),
        # The claim's own overrun goes first: the cap covers what it covered, as far as the claim still counts it.
        Transfer(cap, allocation, max(drawn - move.after, 0)),
    )
    return _Posting(transfers=tuple(one for one in transfers if one.minutes), goodwill=goodwill)


_GOODWILL = "goodwill:correction"
# A claim has CORRECTIONS_MAX at most.
_NEWEST = """
SELECT number, after, (sum(goodwill) OVER ())::integer AS borne
FROM scheme.correction WHERE claim = $1 ORDER BY number DESC LIMIT 1
"""
_CORRECT = """
INSERT INTO scheme.correction (id, claim, number, before, after, goodwill, by, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# What the claim's award and its corrections so far took from the cap, less what they gave back.
_DRAWN = """
SELECT coalesce(sum(CASE d.name WHEN $2 THEN t.minutes ELSE -t.minutes END), 0)::bigint
FROM journal.entry e
JOIN journal.transfer t ON t.position = e.position
JOIN journal.account d ON d.id = t.debit
JOIN journal.account c ON c.id = t.credit
WHERE e.id = ANY(ARRAY(SELECT $1::uuid UNION ALL SELECT id FROM scheme.correction WHERE claim = $1))
    AND $2::text IN (d.name, c.name)
"""
