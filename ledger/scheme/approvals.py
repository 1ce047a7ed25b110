"""Approvals: a project decides on the hours that were claimed of it.

    the project -> lock the holders, then the claims -> decide on each -> rows and awards, one transaction

A call approves up to ``CLAIMS_MAX`` claims and answers for each, in order. A plain call leaves those alone that
somebody should look at first: what has exceptions, is queried, or lies at the same time as others of its person that
count by now, is approved where it is named singly, or ``despite_exceptions``. What counts is judged once the holders
are locked: so of two claims at the same time neither is approved unseen, whichever came first, nor what overlaps hours
that were awarded since somebody looked.

One approver is enough, unless the claim needs a second: then two people approve it, each by a key that says whose it
is, since nobody can tell two other keys from one person with both. A key without a person approves what needs one
approver; where two are needed its approval isn't taken (``person_needed``), and one that a register brought with it
counts as none. Nobody approves their own hours. Approval and award are one transaction: whoever approves what another
has just approved hears the same, and the journal holds one entry.

Hours that were approved and wait for a guardian's consent can still be rejected; once awarded, they are corrected.

Of a claim that is named singly, a "no" is a refusal (403, 404 or 409), and nothing is written; among several it is that
claim's outcome.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, outbox, rules
from ledger.scheme.answers import Answers
from ledger.scheme.awards import Due, award
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.claims import (
    Claim,
    ClaimStep,
    Opened,
    Place,
    RemarkKind,
    Said,
    Source,
    decide,
    fields,
    of_project,
    opened,
    opened_many,
    remark,
)
from ledger.scheme.clock import Clock
from ledger.scheme.hours import State
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.standing import Overlap, overlaps
from ledger.scheme.states import Participation

# A big project's month: some 0.3 s, most of it the journal's.
CLAIMS_MAX = 1_000


class Outcome(StrEnum):
    """What became of a claim in an approval."""

    AWARDED = "awarded"
    WAITING_FOR_SECOND = "waiting_for_second"
    WAITING_FOR_CONSENT = "waiting_for_consent"
    # Not approved, and why
    HAS_EXCEPTIONS = "has_exceptions"
    QUERIED = "queried"
    OWN_HOURS = "own_hours"
    SAME_APPROVER = "same_approver"
    PERSON_NEEDED = "person_needed"
    ALREADY_DECIDED = "already_decided"
    WITHDRAWN = "withdrawn"
    NOT_FOUND = "not_found"


# Of one claim alone, why not is why the request is refused.
_SINGLY = {
    Outcome.OWN_HOURS: (Refusal.OWN_HOURS, ""),
    Outcome.SAME_APPROVER: (Refusal.SAME_APPROVER, "You approved this already; a second person decides."),
    Outcome.PERSON_NEEDED: (
        Refusal.SAME_APPROVER,
        "This needs two people, so use keys that say whose they are.",
    ),
    Outcome.ALREADY_DECIDED: (Refusal.WRONG_STATE, "This claim was rejected."),
    Outcome.WITHDRAWN: (Refusal.WRONG_STATE, "This claim was withdrawn."),
    Outcome.NOT_FOUND: (Refusal.NOT_FOUND, "There is no such claim."),
}


class Approve(Struct, frozen=True, kw_only=True):
    """Which claims of a project to approve."""

    project: UUID
    claims: Sequence[UUID]
    despite_exceptions: bool = False


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """One claim's outcome."""

    claim: UUID
    outcome: Outcome


class Approved(Struct, frozen=True, kw_only=True):
    """What became of each claim, in the order they were named, and the minutes that this call awarded."""

    project: UUID
    decisions: Sequence[Decision]
    minutes: int
    recorded_at: datetime


class Waiting(Claim, frozen=True, kw_only=True):
    """A claim that waits, and what would become of it if whoever asks approved it now, by itself.

    Whether it would wait for a consent then isn't told. ``overlaps`` are the project's own hours that it overlaps.
    """

    outcome: Outcome
    overlaps: Sequence[Overlap] = ()
    overlaps_elsewhere: bool = False


class _Approval(Struct, frozen=True, kw_only=True, tag="approve", tag_field="operation"):
    """What the answer depends on: another person under the same key asks something else."""

    holder: UUID | None
    asked: Approve


class _Query(Struct, frozen=True, kw_only=True, tag="query_claim", tag_field="operation"):
    claim: UUID
    text: str


class _Rejection(Struct, frozen=True, kw_only=True, tag="reject_claim", tag_field="operation"):
    claim: UUID
    text: str


class Approvals:
    """Deciding on claims."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def approve(self, caller: Caller, key: str, asked: Approve) -> tuple[Approved, bool]:
        """Approve claims and award them; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Approved:
            return await _approve(raw, caller, asked, now)

        request = _Approval(holder=caller.holder, asked=asked)
        return await self._answers.once(caller, key, request, work, Approved)

    async def waiting(
        self, caller: Caller, project: UUID, *, after: Place | None = None, limit: int
    ) -> Sequence[Waiting]:
        """A project's claims that wait, in the order of `Claims.of_project`; nothing is approved by looking."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            rows = await of_project(raw, caller, project, None, self._clock(), after=after, limit=limit)
            unclear = [row["id"] for row in rows if row["overlapping"]]
            beside = await overlaps(raw, unclear) if unclear else {}
        return [_waiting(row, caller, beside.get(row["id"], ())) for row in rows]

    async def outcome(self, caller: Caller, project: UUID, claim: UUID) -> Outcome:
        """What would become of one, as `Waiting` tells it."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            await need_project(raw, caller, project)
            found = await opened_many(raw, project, [claim], lock=False)
        return _judged(found.get(claim), caller, despite=True)

    async def query(self, caller: Caller, key: str, claim: UUID, text: str) -> tuple[ClaimStep, bool]:
        """Ask back about a claim; it waits until it is submitted again, or decided on all the same."""
        said = Said(kind=RemarkKind.QUERY, body=text, field="text")

        async def work(raw: asyncpg.Connection, now: datetime) -> ClaimStep:
            return await _decline(raw, caller, claim, said, now)

        return await self._answers.once(caller, key, _Query(claim=claim, text=text), work, ClaimStep)

    async def reject(self, caller: Caller, key: str, claim: UUID, text: str) -> tuple[ClaimStep, bool]:
        """Decide that these hours aren't approved, and say why."""
        said = Said(kind=RemarkKind.REJECTION, body=text, field="text")

        async def work(raw: asyncpg.Connection, now: datetime) -> ClaimStep:
            return await _decline(raw, caller, claim, said, now)

        return await self._answers.once(caller, key, _Rejection(claim=claim, text=text), work, ClaimStep)


_DECLINED_AS = {
    RemarkKind.QUERY: (State.QUERIED, Topic.CLAIM_QUERIED),
    RemarkKind.REJECTION: (State.REJECTED, Topic.CLAIM_REJECTED),
}


async def _decline(raw: asyncpg.Connection, caller: Caller, claim: UUID, said: Said, now: datetime) -> ClaimStep:
    row = await opened(raw, caller, claim)
    # What waits for a consent isn't awarded yet: wrong hours are put right before they ever are.
    if said.kind is not RemarkKind.REJECTION or row.state is not State.APPROVED or row.awarded:
        row.need(State.SUBMITTED, State.QUERIED)
    state, topic = _DECLINED_AS[said.kind]
    row = await decide(raw, caller, row, state, now)
    await remark(raw, caller, claim, said, now=now)
    await outbox.put(raw, [_event(topic, row)], now)
    await acts.by_staff(raw, caller, topic.value, claim, now, holder=row.holder)
    return row.step(now)


async def _approve(raw: asyncpg.Connection, caller: Caller, asked: Approve, now: datetime) -> Approved:
    status = await need_project(raw, caller, asked.project)
    if faults := _faults(asked.claims):
        raise Declined(Refusal.WRONG_VALUES, fields=faults)
    if status is not Participation.ACTIVE and caller.scope is not Scope.SCHEME:
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)
    found = await opened_many(raw, asked.project, asked.claims)
    singly = len(asked.claims) == 1
    despite = singly or asked.despite_exceptions
    outcomes = {id_: _judged(found.get(id_), caller, despite=despite) for id_ in asked.claims}
    if singly and (refused := _SINGLY.get(outcomes[asked.claims[0]])):
        raise Declined(*refused)
    rows = [row for row in found.values() if row.state is not State.APPROVED and outcomes[row.id] in _APPROVES]
    firsts = [row.approver is None for row in rows]
    await raw.execute(_APPROVE, [row.id for row in rows], caller.identity, now, firsts)
    if rows:
        await acts.by_staff(raw, caller, "hours_approved", asked.project, now)
    due = [row for row in rows if outcomes[row.id] is Outcome.AWARDED]
    await raw.execute(_CONFIRM, [row.id for row in due if row.source is Source.ATTENDANCE], caller.identity, now)
    seconds = [row for row in rows if outcomes[row.id] is Outcome.WAITING_FOR_SECOND]
    await outbox.put(raw, [_event(Topic.SECOND_APPROVAL_NEEDED, row) for row in seconds], now)
    force = await rules.in_force(raw)
    waiting = await award(raw, caller, force.rules, [_due(row) for row in due], now)
    outcomes.update(dict.fromkeys(waiting, Outcome.WAITING_FOR_CONSENT))
    return Approved(
        project=asked.project,
        decisions=[Decision(claim=id_, outcome=outcome) for id_, outcome in outcomes.items()],
        minutes=sum(row.minutes for row in due if row.id not in waiting),
        recorded_at=now,
    )


def _faults(claims: Sequence[UUID]) -> tuple[tuple[str, str], ...]:
    if not 0 < len(claims) <= CLAIMS_MAX:
        return (("claims", f"must be 1 to {CLAIMS_MAX:,}"),)
    seen: dict[UUID, int] = {}
    return tuple(
        (f"claims[{number}]", f"stands in claims[{seen[id_]}] already")
        for number, id_ in enumerate(claims)
        if seen.setdefault(id_, number) != number
    )


_APPROVES = frozenset({Outcome.AWARDED, Outcome.WAITING_FOR_SECOND})


def _judged(row: Opened | None, caller: Caller, *, despite: bool) -> Outcome:
    """What becomes of a claim when this caller approves it: the first that is so. Approved before, it stays so."""
    if row is None:
        return Outcome.NOT_FOUND
    identity = caller.identity
    cases = (
        (row.state is State.DRAFT, Outcome.NOT_FOUND),
        (row.holder == identity, Outcome.OWN_HOURS),
        (row.state is State.WITHDRAWN, Outcome.WITHDRAWN),
        (row.state is State.REJECTED, Outcome.ALREADY_DECIDED),
        (row.state is State.APPROVED and not row.awarded, Outcome.WAITING_FOR_CONSENT),
        (row.state is State.APPROVED, Outcome.AWARDED),
        (row.approver == identity, Outcome.SAME_APPROVER),
        ((bool(row.exceptions) or row.overlapping) and not despite, Outcome.HAS_EXCEPTIONS),
        (row.state is State.QUERIED and not despite, Outcome.QUERIED),
        (row.second_needed and caller.holder is None, Outcome.PERSON_NEEDED),
        (row.second_needed and row.approver is None, Outcome.WAITING_FOR_SECOND),
    )
    return next((outcome for is_so, outcome in cases if is_so), Outcome.AWARDED)


def _waiting(row: asyncpg.Record, caller: Caller, beside: Sequence[Overlap]) -> Waiting:
    own = [each for each in beside if each.project == row["project"]]
    told = {
        **fields(row),
        "outcome": _judged(Opened.of(row), caller, despite=True),
        "overlaps": own,
        "overlaps_elsewhere": len(own) < len(beside),
    }
    return msgspec.convert(told, Waiting)


def _due(row: Opened) -> Due:
    return Due(
        claim=row.id,
        project=row.project,
        session=row.session,
        holder=row.holder,
        minutes=row.minutes,
        ended_at=row.ended_at,
    )


def _event(topic: Topic, row: Opened) -> Event:
    return Event(topic=topic, holder=row.holder, project=row.project, object=row.id, body={"minutes": row.minutes})


# Who comes first takes the first place, though a key that is nobody's stood there.
_APPROVE = """
UPDATE scheme.claim c
SET state = CASE WHEN c.second_needed AND u.is_first THEN 'submitted' ELSE 'approved' END, changed_at = $3,
    approver = CASE WHEN u.is_first THEN $2 ELSE c.approver END,
    approved_at = CASE WHEN u.is_first THEN $3 ELSE c.approved_at END,
    second_approver = CASE WHEN NOT u.is_first THEN $2 END,
    second_approved_at = CASE WHEN NOT u.is_first THEN $3 END
FROM unnest($1::uuid[], $4::boolean[]) u (id, is_first)
WHERE c.id = u.id
"""
_CONFIRM = """
UPDATE scheme.attendance a SET state = 'confirmed', minutes = c.minutes, changed_at = $3, by = $2
FROM scheme.claim c WHERE c.id = ANY($1::uuid[]) AND a.session = c.session AND a.holder = c.holder
"""
