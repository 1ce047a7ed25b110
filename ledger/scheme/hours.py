"""Hours: a coordinator posts a register, and everybody on it is awarded what they gave.

    rules on the register alone -> lock the holders -> rules against what stands -> rows and awards, all or nothing

One transaction holds the session, a row a line and an entry a line (``issued:{project}`` to ``wallet:{holder}``), up to
``LINES_MAX`` lines, set-based. Two registers that share a person wait for each other at the holders' rows, so that both
can't miss the other's session. The journal's head is locked last and briefly.

The answer is kept for ever under the client's key, a refusal by rule too; what is malformed isn't kept. The first
line's entry has the key's own id, so that the journal refuses the key for anything else; the others' end in their
number after a space, which no key can hold.

A correction reverses an award, whole and once, and the hours then count as never given: the same session may be
registered again, as it was. If the volunteer has spent them, the journal refuses: a balance is never negative.

Sending 5,000 lines takes about 0.4 s (two cores), half of it the journal's.
"""

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Kind, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller, Scope
from ledger.scheme.refusals import Declined, Refusal, settled

LINES_MAX = 5_000
STEP_MINUTES = 15
LINE_MINUTES_MAX = 8 * 60  # rule 3: above it a second approver, who comes with a later release
SESSION_MAX = timedelta(hours=24)
BACK_MAX = timedelta(days=60)
# As many as a page can show; with 5,000 wrong lines the first say it.
FAULTS_MAX = 100

Fields = tuple[tuple[str, str], ...]


class Line(Struct, frozen=True, gc=False):
    """Who gave how many minutes."""

    person: UUID
    minutes: int


class Register(Struct, frozen=True, kw_only=True, tag="register", tag_field="operation"):
    """What is posted: a session of a project, and a line for each who came."""

    project: UUID
    started_at: datetime
    ended_at: datetime
    lines: Sequence[Line]


class Recorded(Struct, frozen=True, kw_only=True):
    """A register as it was recorded; ``awards`` are the entries' ids, in the order of its lines."""

    id: UUID
    project: UUID
    lines: int
    minutes: int
    awards: Sequence[UUID]
    recorded_at: datetime


class Reversed(Struct, frozen=True, kw_only=True):
    """An award taken back: the correction's entry, the award's, and the minutes."""

    id: UUID
    award: UUID
    minutes: int
    recorded_at: datetime


class Hours:
    """Recording hours, and correcting them."""

    def __init__(self, database: Database, batcher: Batcher, clock: Clock) -> None:
        self._database = database
        self._batcher = batcher
        self._clock = clock

    async def record(self, caller: Caller, key: str, register: Register) -> tuple[Recorded, bool]:
        """Record a register and award its hours; and whether this is the replay of an answer."""
        now = self._clock()
        faults = _faults(register, now)  # heard after the earlier answer: a retry may come after 61 days
        request = msgspec.json.encode(register)
        while True:
            outcome: Recorded | Declined | None = None
            async with self._database.transaction() as connection:
                raw = driver(connection)
                earlier = await raw.fetchrow(_ANSWER, caller.principal, key)
                if earlier is not None:
                    # Commits afresh: what was only read may not have reached a standby yet.
                    await post(raw, CHART, [], now)
                elif faults:
                    raise Declined(Refusal.WRONG_VALUES, fields=faults)
                else:
                    outcome = await self._record(raw, caller, key, register, request=request, now=now)
            if earlier is not None:
                return _replayed(earlier, request), True
            if isinstance(outcome, Declined):
                raise outcome  # committed, for the refusal is kept
            if outcome is not None:
                return outcome, False
            # Another request with this key was first, and has committed by now: hear its answer.

    async def _record(
        self,
        raw: asyncpg.Connection,
        caller: Caller,
        key: str,
        register: Register,
        *,
        request: bytes,
        now: datetime,
    ) -> Recorded | Declined | None:
        """The register recorded, or the refusal that was kept; None if its key was taken meanwhile."""
        status = await raw.fetchval("SELECT status FROM scheme.project WHERE id = $1", register.project)
        if status is None or (caller.scope is not Scope.SCHEME and caller.object != register.project):
            raise Declined(Refusal.NOT_FOUND, "There is no such project.")
        holders = await _lock_holders(raw, register)
        refusal = await _rule_against(raw, register, holders, status)
        salt = os.urandom(16)
        recorded = Recorded(
            id=uuid4(),
            project=register.project,
            lines=len(register.lines),
            minutes=sum(line.minutes for line in register.lines),
            awards=[
                entry_id(caller.principal, f"{key} {number}" if number else key)
                for number in range(len(register.lines))
            ],
            recorded_at=now,
        )
        kept = await raw.fetchval(
            _KEEP,
            caller.principal,
            key,
            now,
            salt,
            hashlib.sha256(salt + request).digest(),
            None if refusal is None else refusal.reason.value,
            msgspec.json.encode(recorded if refusal is None else refusal.fields).decode(),
        )
        if kept is None:
            return None
        if refusal is not None:
            return refusal
        minutes = [line.minutes for line in register.lines]
        await raw.execute(
            _SESSION, recorded.id, register.project, register.started_at, register.ended_at, now, caller.key
        )
        await raw.execute(_HOURS, recorded.id, holders, recorded.awards, minutes)
        issued = account("issued", register.project)
        reference = recorded.id.hex
        outcomes = await post(
            raw,
            CHART,
            [
                Entry(
                    id=id_,
                    transfers=(Transfer(issued, account("wallet", holder), line.minutes),),
                    happened_at=register.ended_at,
                    actor=caller.key,
                    reference=reference,
                )
                for id_, holder, line in zip(recorded.awards, holders, register.lines, strict=True)
            ],
            now,
        )
        for outcome in outcomes:
            if settled(outcome).replayed:
                raise Declined(Refusal.KEY_REUSED)
        return recorded

    async def reverse(self, caller: Caller, key: str, award: UUID) -> tuple[Reversed, bool]:
        """Take back an award that was a mistake; to a project, others' awards aren't there."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            project = await raw.fetchval(_PROJECT_OF_AWARD, award)
            register = await raw.fetchrow(_ANSWER, caller.principal, key)
        if project is None or (caller.scope is not Scope.SCHEME and caller.object != project):
            raise Declined(Refusal.NOT_FOUND)
        if register is not None:  # perhaps refused, and then the journal doesn't know of the key
            raise Declined(Refusal.KEY_REUSED)
        posted = settled(
            await self._batcher.post(
                Entry(
                    id=entry_id(caller.principal, key),
                    kind=Kind.REVERSAL,
                    target=award,
                    happened_at=self._clock(),
                    actor=caller.key,
                    reference=award.hex,
                    details=msgspec.json.encode({"operation": "reverse", "award": award}).decode(),
                )
            )
        )
        return (
            Reversed(
                id=posted.id,
                award=award,
                minutes=posted.transfers[0].minutes,
                recorded_at=posted.recorded_at,
            ),
            posted.replayed,
        )


# --- the rules --------------------------------------------------------------------------------------------


def _faults(register: Register, now: datetime) -> Fields:
    """What is wrong with a register by itself, field by field."""
    faults = []
    if register.ended_at <= register.started_at:
        faults.append(("ended_at", "must be after started_at"))
    elif register.ended_at - register.started_at > SESSION_MAX:
        faults.append(("ended_at", "must be at most 24 hours after started_at"))
    if register.ended_at > now:
        faults.append(("ended_at", "must not lie in the future"))
    if register.started_at < now - BACK_MAX:
        faults.append(("started_at", f"must be at most {BACK_MAX.days} days ago"))
    if not 0 < len(register.lines) <= LINES_MAX:
        faults.append(("lines", f"must be 1 to {LINES_MAX:,}"))
    seen: dict[UUID, int] = {}
    for number, line in enumerate(register.lines):
        if not STEP_MINUTES <= line.minutes <= LINE_MINUTES_MAX or line.minutes % STEP_MINUTES:
            faults.append(
                (
                    f"lines[{number}].minutes",
                    f"must be {STEP_MINUTES} to {LINE_MINUTES_MAX}, in steps of {STEP_MINUTES}",
                )
            )
        first = seen.setdefault(line.person, number)
        if first != number:
            faults.append((f"lines[{number}].person", f"stands in lines[{first}] already"))
    return tuple(faults[:FAULTS_MAX])


async def _lock_holders(raw: asyncpg.Connection, register: Register) -> list[UUID]:
    """The holder of each line, locked in one order; declines people who aren't there."""
    people = [line.person for line in register.lines]
    rows = await raw.fetch(_LOCK_HOLDERS, people)
    holder_of = {row["person"]: row["id"] for row in rows}
    unknown = tuple(
        (f"lines[{number}].person", "is nobody of this scheme")
        for number, person in enumerate(people)
        if person not in holder_of
    )
    if unknown:
        raise Declined(Refusal.WRONG_VALUES, fields=unknown[:FAULTS_MAX])
    return [holder_of[person] for person in people]


async def _rule_against(
    raw: asyncpg.Connection, register: Register, holders: list[UUID], project_status: str
) -> Declined | None:
    """The rule that stands against a register, as far as others' rows decide it."""
    if project_status != "active":
        return Declined(Refusal.PROJECT_NOT_ACTIVE)
    rows = await raw.fetch(_OVERLAPPING, holders, register.started_at, register.ended_at)
    overlapping = {row["holder"] for row in rows}
    if not overlapping:
        return None
    return Declined(
        Refusal.OVERLAPPING_SESSION,
        fields=tuple(
            (f"lines[{number}].person", "has hours in a session that overlaps this one")
            for number, holder in enumerate(holders)
            if holder in overlapping
        )[:FAULTS_MAX],
    )


def _replayed(earlier: asyncpg.Record, request: bytes) -> Recorded:
    if (
        earlier["operation"] != Register.__struct_config__.tag
        or hashlib.sha256(earlier["salt"] + request).digest() != earlier["digest"]
    ):
        raise Declined(Refusal.KEY_REUSED)
    if earlier["refusal"] is None:
        return msgspec.json.decode(earlier["body"], type=Recorded)
    fields: Any = msgspec.json.decode(earlier["body"], type=Fields)
    raise Declined(Refusal(earlier["refusal"]), fields=fields, replayed=True)


_ANSWER = "SELECT operation, salt, digest, refusal, body FROM scheme.answer WHERE principal = $1 AND key = $2"
# Waits for another transaction with the same key, and then finds its row.
_KEEP = """
INSERT INTO scheme.answer (principal, key, operation, recorded_at, salt, digest, refusal, body)
VALUES ($1, $2, 'register', $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT answer_pkey DO NOTHING
RETURNING 1
"""
_LOCK_HOLDERS = """
SELECT id, person FROM scheme.holder WHERE person = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
# Hours whose award was reversed count as never given.
_OVERLAPPING = """
SELECT DISTINCT h.holder
FROM unnest($1::uuid[]) AS asked (holder)
JOIN scheme.hours h ON h.holder = asked.holder
JOIN scheme.session s ON s.id = h.session
JOIN journal.entry e ON e.id = h.entry
WHERE s.started_at < $3 AND s.ended_at > $2
    AND NOT EXISTS (SELECT FROM journal.entry r WHERE r.target = e.position AND r.kind = 'reversal')
"""
_SESSION = """
INSERT INTO scheme.session (id, project, started_at, ended_at, recorded_at, actor) VALUES ($1, $2, $3, $4, $5, $6)
"""
_HOURS = """
INSERT INTO scheme.hours (session, holder, entry, minutes)
SELECT $1, u.* FROM unnest($2::uuid[], $3::uuid[], $4::integer[]) u
"""
_PROJECT_OF_AWARD = """
SELECT s.project FROM scheme.hours h JOIN scheme.session s ON s.id = h.session WHERE h.entry = $1
"""
