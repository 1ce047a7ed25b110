"""Claiming: people tell of hours they gave, change what they told, submit it or take it back.

    the hours by themselves -> lock the holder -> weigh them against what stands -> the claim

People claim for themselves, helpers for whom they help, a project for whoever gave hours to it. A figure must have been
rounded to the step before it is sent: ``check`` answers the same question beforehand, rounds, and writes nothing. What
overlaps is queried at once; a long day waits for a second approver; a week above the soft cap is told to staff, once.

What somebody told is theirs: a project's key changes, submits or withdraws what it told itself, and asks back about
anything else, or rejects it. The scheme, the person and their helpers may. What lies too far back for others to tell
(rule 5), the office may write down; somebody approves it like any other.

A draft counts for nothing and is weighed anew when it is submitted. A queried claim counts on; submitted again, with
an answer, it keeps what is exceptional about it for the project to judge. What was queried for its times alone, and not
by a question, is submitted as soon as it is changed to times that overlap nothing. The claim has its key's own id, and
so will its award.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import entry_id
from ledger.scheme import acts, outbox, rules
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.claims import (
    ClaimInFull,
    ClaimStep,
    Opened,
    RemarkKind,
    Said,
    Source,
    decide,
    in_full,
    opened,
    remark,
)
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.helping import May, may_act
from ledger.scheme.hours import (
    Exceptional,
    State,
    Weighed,
    crosses_week_note,
    explained,
    in_words,
    minutes_fault,
    of_period,
    period_faults,
    rounded,
    weigh,
)
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import InForce, Rules
from ledger.scheme.standing import Given, standing


class NewClaim(Struct, frozen=True, kw_only=True, tag="claim", tag_field="operation"):
    """Hours that somebody says they gave: the caller's own where no person is named, the period's where no minutes."""

    project: UUID
    person: UUID | None = None
    started_at: datetime
    ended_at: datetime
    minutes: int | None = None
    note: str | None = None
    draft: bool = False


class Change(Struct, frozen=True, kw_only=True):
    """Other times or minutes; what is None stays. Where only times are given, the minutes are the period's."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    minutes: int | None = None


class Checked(Struct, frozen=True, kw_only=True):
    """What a claim would come to, and why somebody would look first; nothing was written."""

    minutes: int
    state: State
    exceptions: list[Exceptional]
    second_needed: bool
    explained: list[str]


class _Submission(Struct, frozen=True, kw_only=True, tag="submit_claim", tag_field="operation"):
    holder: UUID | None
    claim: UUID
    note: str | None


class _Withdrawal(Struct, frozen=True, kw_only=True, tag="withdraw_claim", tag_field="operation"):
    holder: UUID | None
    claim: UUID


class _Hours(Struct, frozen=True, kw_only=True):
    """Hours as they are weighed; ``claim`` is the claim that they are of already, ``counted`` its minutes so far."""

    holder: UUID
    started_at: datetime
    ended_at: datetime
    minutes: int
    claim: UUID | None = None
    counted: int = 0


class _Figures(Struct, frozen=True, kw_only=True):
    """What the rules say of some hours, and which rules."""

    hours: _Hours
    force: InForce
    weighed: Weighed
    week_above: bool

    @property
    def state(self) -> State:
        """The state in which they are submitted."""
        return State.QUERIED if self.weighed.overlapping else State.SUBMITTED


class Claiming:
    """Telling of hours."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def claim(self, caller: Caller, key: str, asked: NewClaim) -> tuple[ClaimStep, bool]:
        """Claim hours, or keep them as a draft; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> ClaimStep:
            return await _claim(raw, caller, entry_id(caller.principal, key), asked, now)

        return await self._answers.once(caller, key, asked, work, ClaimStep)

    async def check(self, caller: Caller, asked: NewClaim) -> Checked:
        """What ``claim`` would answer, each exception in a sentence. A figure off the step is rounded, and told so."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await _claimant(raw, caller, asked)
            force = await rules.in_force(raw)
            said = asked.minutes or int((asked.ended_at - asked.started_at).total_seconds()) // 60
            if asked.minutes is not None:
                asked = msgspec.structs.replace(asked, minutes=rounded(asked.minutes, force.rules.step_minutes))
            minutes = _minutes(caller, force.rules, asked, now)
            await _need_active(raw, asked.project)
            hours = _Hours(holder=holder, started_at=asked.started_at, ended_at=asked.ended_at, minutes=minutes)
            figures = await _weigh(raw, caller, force, hours)
        sentences = [explained(force.rules, exception) for exception in figures.weighed.exceptions]
        if said != minutes:
            sentences.insert(0, f"{in_words(said)} becomes {in_words(minutes)}.")
        return Checked(
            minutes=minutes,
            state=State.DRAFT if asked.draft else figures.state,
            exceptions=list(figures.weighed.exceptions),
            second_needed=figures.weighed.second_needed,
            explained=sentences,
        )

    async def change(self, caller: Caller, claim: UUID, change: Change) -> ClaimInFull:
        """Give a draft or a queried claim other times or minutes."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await _own(raw, caller, claim)
            if row.source is not Source.CLAIM:
                raise Declined(
                    Refusal.WRONG_STATE,
                    "These hours are from a register: the project decides on them or corrects them.",
                )
            row.need(State.DRAFT, State.QUERIED)
            await _need_active(raw, row.project)
            force = await rules.in_force(raw)
            hours = _changed(caller, force.rules, row, change, now)
            figures = await _weigh(raw, caller, force, hours)
            state = row.state if row.state is State.DRAFT or row.asked else figures.state
            await _set(raw, row.id, figures, state, now)
            topics = [Topic.CLAIM_SUBMITTED] if state is State.SUBMITTED else []
            if row.state is State.QUERIED and figures.week_above:
                topics.append(Topic.WEEK_ABOVE_NOTE)
            await _tell(raw, topics, row.project, hours, now)
            await acts.record(raw, caller, hours.holder, "change_claim", row.id, now)
            found = await in_full(raw, caller, row.id)
            if elsewhere := {each.project for each in found.overlaps} - {row.project}:
                await acts.looked(raw, caller, hours.holder, "claims_read", row.id, now, projects=elsewhere)
            return found

    async def submit(self, caller: Caller, key: str, claim: UUID, note: str | None) -> tuple[ClaimStep, bool]:
        """Submit a draft, or a queried claim again, with an answer to what was asked."""

        async def work(raw: asyncpg.Connection, now: datetime) -> ClaimStep:
            row = await _own(raw, caller, claim)
            row.need(State.DRAFT, State.QUERIED)
            await _need_active(raw, row.project)
            if row.state is State.DRAFT:
                row = await _submit_draft(raw, caller, row, now)
            else:
                row = await _submit_again(raw, row, now)
            await remark(raw, caller, row.id, _note(note), now=now)
            if row.holder is not None:
                await acts.record(raw, caller, row.holder, "submit_claim", row.id, now)
            return row.step(now)

        request = _Submission(holder=caller.holder, claim=claim, note=note)
        return await self._answers.once(caller, key, request, work, ClaimStep)

    async def withdraw(self, caller: Caller, key: str, claim: UUID) -> tuple[ClaimStep, bool]:
        """Take a claim back before it was decided on."""

        async def work(raw: asyncpg.Connection, now: datetime) -> ClaimStep:
            row = await _own(raw, caller, claim)
            row.need(State.DRAFT, State.SUBMITTED, State.QUERIED)
            row = await decide(raw, caller, row, State.WITHDRAWN, now)
            if row.holder is not None:
                await acts.record(raw, caller, row.holder, "withdraw_claim", row.id, now)
            return row.step(now)

        request = _Withdrawal(holder=caller.holder, claim=claim)
        return await self._answers.once(caller, key, request, work, ClaimStep)


async def _claim(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: NewClaim, now: datetime) -> ClaimStep:
    holder = await _claimant(raw, caller, asked)
    force = await rules.in_force(raw)
    minutes = _minutes(caller, force.rules, asked, now)
    await _need_active(raw, asked.project)
    await lock_holders(raw, [holder])
    hours = _Hours(holder=holder, started_at=asked.started_at, ended_at=asked.ended_at, minutes=minutes, claim=id_)
    figures = await _weigh(raw, caller, force, hours)
    weighed = figures.weighed
    state = State.DRAFT if asked.draft else figures.state
    await raw.execute(
        _INSERT,
        id_,
        asked.project,
        holder,
        asked.started_at,
        asked.ended_at,
        day_of(asked.started_at),
        minutes,
        state,
        weighed.exceptions,
        weighed.second_needed,
        force.version,
        caller.identity,
        now,
    )
    await remark(raw, caller, id_, _note(asked.note), now=now)
    await acts.record(raw, caller, holder, "claim", id_, now)
    if state is not State.DRAFT:
        await _tell(raw, _submitted(figures), asked.project, hours, now)
    return ClaimStep(
        id=id_,
        state=state,
        minutes=minutes,
        exceptions=weighed.exceptions,
        second_needed=weighed.second_needed,
        recorded_at=now,
    )


async def _own(raw: asyncpg.Connection, caller: Caller, claim: UUID) -> Opened:
    """The claim, locked, for whoever told of it; a project decides on others' as they stand."""
    row = await opened(raw, caller, claim)
    if caller.scope is Scope.PROJECT and row.by != caller.identity:
        raise Declined(Refusal.WRONG_STATE, "Somebody else told of these hours: ask back about them, or reject them.")
    return row


async def _submit_draft(raw: asyncpg.Connection, caller: Caller, row: Opened, now: datetime) -> Opened:
    """Weighed as if it came now, for only what is submitted counts."""
    force = await rules.in_force(raw)
    try:
        hours = _changed(caller, force.rules, row, Change(), now)
    except Declined as declined:
        # Nothing of it was sent just now, so no field of the request is at fault.
        said = "; ".join(f"{field} {wrong}" for field, wrong in declined.fields)
        raise Declined(Refusal.WRONG_STATE, f"The draft can't be submitted as it stands: {said}.") from None
    figures = await _weigh(raw, caller, force, hours)
    await _set(raw, row.id, figures, figures.state, now)
    await _tell(raw, _submitted(figures), row.project, hours, now)
    return msgspec.structs.replace(
        row,
        state=figures.state,
        exceptions=figures.weighed.exceptions,
        second_needed=figures.weighed.second_needed,
    )


async def _submit_again(raw: asyncpg.Connection, row: Opened, now: datetime) -> Opened:
    await raw.execute("UPDATE scheme.claim SET state = 'submitted', changed_at = $2 WHERE id = $1", row.id, now)
    event = Event(
        topic=Topic.CLAIM_SUBMITTED,
        holder=row.holder,
        project=row.project,
        object=row.id,
        body={"minutes": row.minutes},
    )
    await outbox.put(raw, [event], now)
    return msgspec.structs.replace(row, state=State.SUBMITTED)


# --- what may be claimed ----------------------------------------------------------------------------------------


async def _claimant(raw: asyncpg.Connection, caller: Caller, asked: NewClaim) -> UUID:
    """Whose hours they are, if the caller may claim for them on that project."""
    known = await raw.fetchval("SELECT EXISTS (SELECT FROM scheme.project WHERE id = $1)", asked.project)
    if not known or not (caller.scope is Scope.PERSON or caller.speaks_for(asked.project)):
        raise Declined(Refusal.NOT_FOUND, "There is no such project.")
    if asked.person is None and caller.holder is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("person", "must say whose hours these are"),))
    holder: UUID | None = await raw.fetchval(_HOLDER, asked.person, caller.holder)
    if holder is None or not (caller.scope is Scope.PROJECT or await may_act(raw, caller, holder, May.CLAIM)):
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    return holder


async def _need_active(raw: asyncpg.Connection, project: UUID) -> None:
    if await raw.fetchval("SELECT status FROM scheme.project WHERE id = $1", project) != "active":
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)


def _minutes(caller: Caller, rules: Rules, asked: NewClaim, now: datetime, *, told_at: datetime | None = None) -> int:
    """The claim's minutes, the period's unless they were sent; declines what is wrong by itself."""
    by_office = caller.scope is Scope.SCHEME
    faults = list(period_faults(rules, asked.started_at, asked.ended_at, now, told_at=told_at, by_office=by_office))
    if asked.minutes is not None and (wrong := minutes_fault(rules, asked.minutes, least=rules.step_minutes)):
        faults.append(("minutes", wrong))
    most = 0 if faults else of_period(rules, asked.started_at, asked.ended_at)
    if not faults and asked.minutes is not None and asked.minutes > most:
        faults.append(("minutes", f"must be at most {most}: that is the time from start to end"))
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))
    return most if asked.minutes is None else asked.minutes


def _changed(caller: Caller, rules: Rules, row: Opened, change: Change, now: datetime) -> _Hours:
    """The claim's hours with what was changed; declines what is wrong by itself."""
    assert row.holder is not None  # only a register claims for nobody known
    timed = change.started_at is not None or change.ended_at is not None
    asked = NewClaim(
        project=row.project,
        started_at=change.started_at or row.started_at,
        ended_at=change.ended_at or row.ended_at,
        minutes=change.minutes or (None if timed else row.minutes),
    )
    queried = row.state is State.QUERIED
    return _Hours(
        holder=row.holder,
        started_at=asked.started_at,
        ended_at=asked.ended_at,
        minutes=_minutes(caller, rules, asked, now, told_at=row.created_at if queried else None),
        claim=row.id,
        counted=row.minutes if queried else 0,
    )


async def _weigh(raw: asyncpg.Connection, caller: Caller, force: InForce, hours: _Hours) -> _Figures:
    """Weigh hours against what stands besides them."""
    given = Given(
        holder=hours.holder, session=None, started_at=hours.started_at, ended_at=hours.ended_at, claim=hours.claim
    )
    (stands,) = await standing(raw, [given])
    weighed = weigh(
        force.rules,
        hours.minutes,
        day_minutes=stands.day_minutes,
        overlapping=stands.overlapping,
        # A coordinator's own; whoever claims by their own key approves nothing anyway.
        own=caller.scope is not Scope.PERSON and caller.holder == hours.holder,
    )
    week = stands.week_minutes
    above = crosses_week_note(force.rules, week + hours.counted, week + hours.minutes)
    return _Figures(hours=hours, force=force, weighed=weighed, week_above=above)


async def _set(raw: asyncpg.Connection, claim: UUID, figures: _Figures, state: State, now: datetime) -> None:
    hours = figures.hours
    await raw.execute(
        _SET,
        claim,
        hours.started_at,
        hours.ended_at,
        day_of(hours.started_at),
        hours.minutes,
        state,
        figures.weighed.exceptions,
        figures.weighed.second_needed,
        figures.force.version,
        now,
    )


def _submitted(figures: _Figures) -> list[Topic]:
    topics = [Topic.CLAIM_QUERIED if figures.weighed.overlapping else Topic.CLAIM_SUBMITTED]
    return [*topics, Topic.WEEK_ABOVE_NOTE] if figures.week_above else topics


async def _tell(raw: asyncpg.Connection, topics: list[Topic], project: UUID, hours: _Hours, now: datetime) -> None:
    body = {"minutes": hours.minutes}
    await outbox.put(
        raw,
        [Event(topic=topic, holder=hours.holder, project=project, object=hours.claim, body=body) for topic in topics],
        now,
    )


def _note(body: str | None) -> Said:
    return Said(kind=RemarkKind.NOTE, body=body, field="note")


_HOLDER = """
SELECT id FROM scheme.holder
WHERE (person = $1 OR $1::uuid IS NULL AND id = $2) AND closed_at IS NULL
"""
_INSERT = """
INSERT INTO scheme.claim (id, project, holder, started_at, ended_at, day, minutes, source, state, exceptions,
    second_needed, rules, by, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'claim', $8, $9::text[], $10, $11, $12, $13, $13)
"""
_SET = """
UPDATE scheme.claim
SET started_at = $2, ended_at = $3, day = $4, minutes = $5, state = $6, exceptions = $7::text[], second_needed = $8,
    rules = $9, changed_at = $10
WHERE id = $1
"""
