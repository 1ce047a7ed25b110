"""Claims: hours that somebody says they gave, as they stand, and what whoever changes one needs first.

    draft -> submitted -> approved          submitted -> queried -> submitted
    draft, submitted, queried -> withdrawn  submitted, queried -> rejected
    approved, but waiting for a consent -> rejected

Who gave the hours acts in ``claiming``, a project decides in ``approvals`` and puts right in ``corrections``. All of
them open a claim by ``opened``, which locks its holder and then the claim itself, so that two claims of one person
can't miss each other. Whether a claim was awarded is read in the journal, by the claim's own id. What people said
stands in ``scheme.remark`` alone, at most ``REMARKS_MAX`` notes and queries a claim.

To whom a claim isn't theirs to see, it isn't there (``not_found``). The person sees it, their helpers who may claim,
its project and the scheme; a draft is seen by whoever wrote it, the person, their helpers and the scheme. Of what
overlaps it a project sees its own hours, and that there are others: not whose project they are of, nor when.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.helping import May, may_act
from ledger.scheme.hours import Exceptional, State, reasons
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.standing import OVERLAPPING, Overlap, overlaps

# Notes and queries: a claim is read whole, and whoever asked back and forth this often should rather talk. It is
# rejected once, and corrections have a bound of their own.
REMARKS_MAX = 100


class Source(StrEnum):
    """Where a claim comes from."""

    REGISTER = "register"
    ATTENDANCE = "attendance"
    CLAIM = "claim"


class RemarkKind(StrEnum):
    """What a remark is for."""

    NOTE = "note"
    QUERY = "query"
    REJECTION = "rejection"
    CORRECTION = "correction"


class Claim(Struct, frozen=True, kw_only=True):
    """A claim as it stands. ``counts`` is what it counts now: corrected, and 0 unless it waits or is approved.

    An approved claim is ``awarded``, or waits for a guardian's consent (``consent_needed``). One that is submitted and
    has an ``approved_at`` waits for a second approver. ``explained`` says why somebody looks first.

    ``exceptions`` are what was found when it was weighed. While it waits, ``overlapping`` says whether others of theirs
    that count lie at the same time now: so of two claims both do, whichever came first. ``asked``: it is queried, and
    there is a question to answer; what is queried for its times alone waits for the project.
    """

    id: UUID
    project: UUID
    person: UUID | None
    name: str | None
    session: UUID | None
    started_at: datetime
    ended_at: datetime
    minutes: int
    counts: int
    source: Source
    state: State
    exceptions: Sequence[Exceptional]
    explained: Sequence[str]
    second_needed: bool
    approved_at: datetime | None
    awarded: bool
    consent_needed: bool
    created_at: datetime
    changed_at: datetime
    overlapping: bool = False
    asked: bool = False


class Remark(Struct, frozen=True, kw_only=True):
    """What was said about a claim."""

    kind: RemarkKind
    body: str
    at: datetime


class CorrectionLine(Struct, frozen=True, kw_only=True):
    """A correction: its entry, the minutes that counted before and after, and why."""

    id: UUID
    before: int
    after: int
    goodwill: int
    reason: str | None
    at: datetime


class ClaimInFull(Claim, frozen=True, kw_only=True):
    """A claim with all that was said about it and its corrections, oldest first.

    ``overlaps`` are the hours that it overlaps while it waits, so far as they are seen; ``overlaps_elsewhere``: there
    are others, at another project.
    """

    remarks: Sequence[Remark]
    corrections: Sequence[CorrectionLine]
    overlaps: Sequence[Overlap] = ()
    overlaps_elsewhere: bool = False


class ClaimStep(Struct, frozen=True, kw_only=True):
    """A claim after something was done with it, in figures alone: this is kept for ever as the answer."""

    id: UUID
    state: State
    minutes: int
    exceptions: Sequence[Exceptional]
    second_needed: bool
    recorded_at: datetime


class Place(Struct, frozen=True):
    """Behind which claim a page begins, and whether that one stood among those with exceptions."""

    claim: UUID
    exceptional: bool = False


class Opened(Struct, frozen=True, kw_only=True):
    """A claim's row, for whoever decides about it: locked, where they are about to change it.

    ``approver`` is who approved it, so far as that counts: of two who are needed, each is a person.
    """

    id: UUID
    project: UUID
    session: UUID | None
    holder: UUID | None
    started_at: datetime
    ended_at: datetime
    minutes: int
    source: Source
    state: State
    exceptions: Sequence[Exceptional]
    second_needed: bool
    created_at: datetime
    by: UUID
    approver: UUID | None
    awarded: bool
    overlapping: bool
    asked: bool

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Opened":
        """From a row that has more, too."""
        return msgspec.convert(dict(row), cls)

    def need(self, *states: State) -> None:
        """Decline unless it is in one of these states."""
        if self.state not in states:
            raise Declined(Refusal.WRONG_STATE, f"This claim is {self.state}.")

    def step(self, now: datetime) -> ClaimStep:
        """The answer that tells how it stands."""
        return ClaimStep(
            id=self.id,
            state=self.state,
            minutes=self.minutes,
            exceptions=self.exceptions,
            second_needed=self.second_needed,
            recorded_at=now,
        )


# --- reading ----------------------------------------------------------------------------------------------------


class Claims:
    """Reading claims."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, caller: Caller, claim: UUID) -> ClaimInFull:
        """The claim with all that was said and done about it."""
        # No mere reading, here and below: whoever looks at another's hours leaves an act.
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await _visible(raw, caller, await raw.fetchrow(_ROWS, [claim]))
            found = await in_full(raw, caller, claim)
            if row["holder"] is None:
                await acts.read_names(raw, caller, row["project"], self._clock())
            else:
                projects = {row["project"], *(each.project for each in found.overlaps)}
                await _looked(raw, caller, row["holder"], claim, projects, self._clock())
            return found

    async def of_person(
        self, caller: Caller, person: UUID, *, after: UUID | None = None, limit: int
    ) -> Sequence[Claim]:
        """Somebody's claims, newest first. A project sees those on itself; who has none isn't there for it."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person)
            project = caller.object if caller.scope is Scope.PROJECT else None
            seen = holder is not None and (
                await may_act(raw, caller, holder, May.CLAIM)
                if project is None
                else await raw.fetchval(_SEEN_BY_PROJECT, holder, project, caller.identity)
            )
            if not seen:
                raise Declined(Refusal.NOT_FOUND, "There is no such person.")
            behind = await _behind(raw, after)
            rows = await raw.fetch(_OF_PERSON, holder, project, caller.identity, *behind, limit)
            await _looked(raw, caller, holder, None, {row["project"] for row in rows}, self._clock())
            return [msgspec.convert(fields(row), Claim) for row in rows]

    async def of_project(
        self, caller: Caller, project: UUID, state: State | None, *, after: Place | None = None, limit: int
    ) -> Sequence[Claim]:
        """A project's claims: those that wait, exceptions first and the oldest first; or of a state, newest first."""
        async with self._database.transaction() as connection:
            rows = await of_project(driver(connection), caller, project, state, self._clock(), after=after, limit=limit)
        return [msgspec.convert(fields(row), Claim) for row in rows]


async def of_project(
    raw: asyncpg.Connection,
    caller: Caller,
    project: UUID,
    state: State | None,
    now: datetime,
    *,
    after: Place | None,
    limit: int,
) -> Sequence[asyncpg.Record]:
    """The rows of those claims: what both a `Claim` and an `Opened` are made of."""
    await need_project(raw, caller, project)
    await acts.read_names(raw, caller, project, now)
    behind = await _behind(raw, after.claim if after else None)
    if state in {None, State.SUBMITTED, State.QUERIED}:
        plain = after is not None and not after.exceptional
        return await raw.fetch(_WAITING, project, state, *behind, plain, limit)
    drafts_of = None if caller.scope is Scope.SCHEME else caller.identity
    return await raw.fetch(_OF_STATE, project, state, drafts_of, *behind, limit)


async def _looked(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, caller: Caller, holder: UUID, claim: UUID | None, projects: Collection[UUID], now: datetime
) -> None:
    """Write that somebody looked at another's hours. A project sees its own anyway: that it did, where it matters."""
    if caller.scope is Scope.PROJECT:
        await acts.read_names_at(raw, caller, projects, now, holder=holder)
    else:
        await acts.looked(raw, caller, holder, "claims_read", claim, now, projects=projects)


async def _behind(raw: asyncpg.Connection, after: UUID | None) -> tuple[datetime | None, UUID | None]:
    """When the claim behind which a page begins was made, and its id: what never changes of it.

    So a page goes on where the last one ended, whatever is decided or claimed meanwhile.
    """
    if after is None:
        return None, None
    return await raw.fetchval("SELECT created_at FROM scheme.claim WHERE id = $1", after), after


async def in_full(raw: asyncpg.Connection, caller: Caller, claim: UUID) -> ClaimInFull:
    """The claim with all that was said and done about it, for this caller, who sees it."""
    row = await raw.fetchrow(_CLAIM, claim)
    assert row is not None
    remarks = await raw.fetch(_REMARKS, claim)
    corrections = await raw.fetch(_CORRECTIONS, claim)
    beside = (await overlaps(raw, [claim])).get(claim, [])
    seen = [each for each in beside if caller.scope is not Scope.PROJECT or each.project == row["project"]]
    return msgspec.convert(
        {
            **fields(row),
            "remarks": list(map(dict, remarks)),
            "corrections": list(map(dict, corrections)),
            "overlaps": seen,
            "overlaps_elsewhere": len(seen) < len(beside),
        },
        ClaimInFull,
    )


def fields(row: asyncpg.Record) -> dict[str, Any]:
    """A row of ``_CLAIMS`` as the fields of a claim, explained by the rules that it was weighed by."""
    rules = msgspec.json.decode(row["changes"], type=Rules)
    return {
        **row,
        "explained": reasons(rules, row["exceptions"], overlapping=row["overlapping"]),
        "consent_needed": row["state"] == State.APPROVED and not row["awarded"],
    }


# --- for whoever changes one ------------------------------------------------------------------------------------


async def opened(raw: asyncpg.Connection, caller: Caller, claim: UUID) -> Opened:
    """The claim, locked: its holder first, or its voucher where there is none. Declines what the caller doesn't see."""
    holder = await raw.fetchval("SELECT holder FROM scheme.claim WHERE id = $1", claim)
    if holder is not None:
        await lock_holders(raw, [holder])
    else:
        await raw.execute("SELECT FROM scheme.voucher WHERE claim = $1 FOR UPDATE", claim)
    await raw.execute("SELECT FROM scheme.claim WHERE id = $1 FOR NO KEY UPDATE", claim)
    # Read after the locks: a statement that waited for one sees everything else as it was before.
    row = await _visible(raw, caller, await raw.fetchrow(_ROWS, [claim]))
    if row["holder"] != holder:
        raise Declined(Refusal.BUSY, "Its voucher was claimed just now: please try again.")
    return Opened.of(row)


async def opened_many(
    raw: asyncpg.Connection, project: UUID, claims: Sequence[UUID], *, lock: bool = True
) -> dict[UUID, Opened]:
    """Those of the claims that are the project's, by id, locked likewise. Whoever was erased claims nothing.

    Without a ``lock`` they are as they stand, for whoever only looks.
    """
    holders = await raw.fetch(_HOLDERS, claims, project)
    if lock:
        await lock_holders(raw, [row["id"] for row in holders])
        await raw.execute(_LOCK_MANY, claims, project)
    rows = await raw.fetch(_ROWS, claims)
    known = {None, *(row["id"] for row in holders)}
    return {row["id"]: Opened.of(row) for row in rows if row["project"] == project and row["holder"] in known}


async def decide(raw: asyncpg.Connection, caller: Caller, row: Opened, state: State, now: datetime) -> Opened:
    """Query, reject or withdraw it. An approval that it had was of the claim as it stood, and goes."""
    await raw.execute(_DECIDE, row.id, state, now, caller.identity)
    return msgspec.structs.replace(row, state=state, approver=None)


class Said(Struct, frozen=True, kw_only=True):
    """Somebody's words, if they had any, and the field in which they sent them."""

    kind: RemarkKind
    body: str | None
    field: str


async def remark(
    raw: asyncpg.Connection, caller: Caller, claim: UUID, said: Said, *, now: datetime, id_: UUID | None = None
) -> None:
    """Keep what was said, if anything was."""
    if said.body is None:
        return
    if not said.body.strip():
        raise Declined(Refusal.WRONG_VALUES, fields=((said.field, "must have words in it"),))
    talk = said.kind in {RemarkKind.NOTE, RemarkKind.QUERY}
    if talk and await raw.fetchval(_TALK, claim) >= REMARKS_MAX:
        raise Declined(
            Refusal.WRONG_STATE,
            f"There are {REMARKS_MAX} remarks on this already: a word with each other may help more.",
        )
    await raw.execute(_REMARK, id_ or UUID(new_key()), claim, said.kind, said.body, caller.identity, now)


async def _visible(raw: asyncpg.Connection, caller: Caller, row: asyncpg.Record | None) -> asyncpg.Record:
    if row is not None:
        if caller.scope is Scope.PROJECT:
            seen = caller.speaks_for(row["project"]) and (row["state"] != State.DRAFT or row["by"] == caller.identity)
        elif row["holder"] is None:
            seen = caller.scope is Scope.SCHEME
        else:
            seen = await may_act(raw, caller, row["holder"], May.CLAIM)
        if seen:
            return row
    raise Declined(Refusal.NOT_FOUND, "There is no such claim.")


_HOLDERS = """
SELECT id FROM scheme.holder
WHERE closed_at IS NULL AND id IN (SELECT holder FROM scheme.claim WHERE id = ANY($1::uuid[]) AND project = $2)
"""
_LOCK_MANY = """
SELECT FROM scheme.claim WHERE id = ANY($1::uuid[]) AND project = $2 ORDER BY id FOR NO KEY UPDATE
"""
_APPROVER = """
    CASE WHEN NOT c.second_needed OR EXISTS (SELECT FROM scheme.holder h WHERE h.id = c.approver) THEN c.approver END
        AS approver
"""
# Of what is queried: whether there is a question, and not only an overlap.
_ASKED = """
    c.state = 'queried' AND EXISTS (SELECT FROM scheme.remark q WHERE q.claim = c.id AND q.kind = 'query') AS asked
"""
_ROWS = f"""
SELECT id, project, session, holder, started_at, ended_at, minutes, source, state, exceptions, second_needed,
    created_at, by, EXISTS (SELECT FROM journal.entry e WHERE e.id = c.id) AS awarded, {_APPROVER},
    {OVERLAPPING} AS overlapping, {_ASKED}
FROM scheme.claim c WHERE id = ANY($1::uuid[])
"""  # noqa: S608  # our own
_DECIDE = """
UPDATE scheme.claim
SET state = $2, changed_at = $3, decided_by = $4, approver = NULL, approved_at = NULL, second_approver = NULL,
    second_approved_at = NULL
WHERE id = $1
"""
_TALK = "SELECT count(*) FROM scheme.remark WHERE claim = $1 AND kind IN ('note', 'query')"
_REMARK = "INSERT INTO scheme.remark (id, claim, kind, body, by, at) VALUES ($1, $2, $3, $4, $5, $6)"
_CLAIMS = f"""
SELECT c.id, c.project, c.holder, c.by, h.person, coalesce(p.name, v.label) AS name, c.session, c.started_at,
    c.ended_at, c.minutes, coalesce(n.minutes, 0) AS counts, c.source, c.state, c.exceptions, c.second_needed,
    c.approved_at, EXISTS (SELECT FROM journal.entry e WHERE e.id = c.id) AS awarded, c.created_at, c.changed_at,
    r.changes, {_APPROVER}, {OVERLAPPING} AS overlapping, {_ASKED}
FROM scheme.claim c
JOIN scheme.rules r ON r.version = c.rules
LEFT JOIN scheme.holder h ON h.id = c.holder
LEFT JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.voucher v ON v.claim = c.id
LEFT JOIN scheme.counted n ON n.id = c.id
"""  # noqa: S608  # our own
_CLAIM = _CLAIMS + "WHERE c.id = $1"
_REMARKS = """
SELECT kind, body, at FROM scheme.remark WHERE claim = $1 AND kind <> 'correction' ORDER BY at, id
"""
# Why, stands in the remark of the same id.
_CORRECTIONS = """
SELECT c.id, c.before, c.after, c.goodwill, r.body AS reason, c.at
FROM scheme.correction c LEFT JOIN scheme.remark r ON r.id = c.id
WHERE c.claim = $1 ORDER BY c.number
"""
# The first page begins at an infinite moment, which no claim has: so its id, which is none, is never compared. In a
# project's lists, where a page begins is part of the index's condition: what went before isn't read again. A person's
# are chosen first and then looked up, for they are in no index's order.
_OF_PERSON = _CLAIMS + (  # noqa: S608  # both are our own
    """
WHERE c.id = ANY(ARRAY(
    SELECT id FROM scheme.claim
    WHERE holder = $1 AND ($2::uuid IS NULL OR project = $2 AND (state <> 'draft' OR by = $3))
        AND (created_at, id) < (coalesce($4::timestamptz, 'infinity'), $5::uuid)
    ORDER BY created_at DESC, id DESC LIMIT $6
))
ORDER BY c.created_at DESC, c.id DESC
"""
)
_SEEN_BY_PROJECT = """
SELECT EXISTS (SELECT FROM scheme.claim WHERE holder = $1 AND project = $2 AND (state <> 'draft' OR by = $3))
"""
_WAITING = (
    _CLAIMS
    + """
WHERE c.project = $1 AND c.state IN ('submitted', 'queried') AND ($2::text IS NULL OR c.state = $2)
    AND (cardinality(c.exceptions) = 0, c.created_at, c.id)
        > ($5::boolean, coalesce($3::timestamptz, '-infinity'), $4::uuid)
ORDER BY cardinality(c.exceptions) = 0, c.created_at, c.id LIMIT $6
"""
)
_OF_STATE = (
    _CLAIMS
    + """
WHERE c.project = $1 AND c.state = $2::text AND ($2 <> 'draft' OR $3::uuid IS NULL OR c.by = $3)
    AND (c.created_at, c.id) < (coalesce($4::timestamptz, 'infinity'), $5::uuid)
ORDER BY c.created_at DESC, c.id DESC LIMIT $6
"""
)
