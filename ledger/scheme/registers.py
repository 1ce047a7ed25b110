"""Registers: a coordinator tells of a whole session at once, and everybody on it is awarded what they gave.

    the register by itself -> lock the holders -> weigh each line against what stands -> rows and awards, all or nothing

A line is somebody we know, a name of somebody new (who gets a wallet on the spot), or somebody without an account,
whose minutes go into a voucher to be claimed. 0 minutes ("just tea") is attendance and no claim. Each other line is a
claim; whoever posts the register approves it, except what another must look at (see ``hours``): their own hours and
long days wait for a second approver, overlapping sessions are queried. Those wait; the rest is awarded at once.

A newcomer has no row to be found twice by, so a register that is sent once more under another key, from another tab,
would make everybody known again. It is declined (``sent_before``) if it names newcomers or slips, and everybody on it
is recorded already: in that session, or in one of the project's at exactly that time. Who is somebody else of a name
that is there already is said so (``Line.another``).

``check`` answers the same beforehand, with every figure rounded to the step: it writes nothing and locks nothing, so
``record`` decides anew.

Up to ``LINES_MAX`` lines, set-based. Two registers that share a person wait for each other at the holders' rows, so
both can't miss the other's hours. The answer is kept under the client's key; the first line's claim, and so its
award, has the key's own id, and the others' ids end in their number after a space, which no key can hold.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import entry_id
from ledger.scheme import acts, outbox, rules
from ledger.scheme.answers import Answers
from ledger.scheme.awards import Due, award, lock_people, without_consent
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.codes import code_for, code_hash, secret_of
from ledger.scheme.hours import (
    Exceptional,
    State,
    Weighed,
    crosses_week_note,
    explained,
    minutes_fault,
    of_period,
    period_faults,
    rounded,
    weigh,
)
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import make_known
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import InForce
from ledger.scheme.standing import Given, standing
from ledger.scheme.states import Participation

LINES_MAX = 5_000
# As many as a page can show; with 5,000 wrong lines the first say it.
FAULTS_MAX = 100
VOUCHER = "voucher"

Faults = list[tuple[str, str]]


class Line(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who gave how many minutes: one of the three says who. ``another`` is called as somebody who is there already."""

    minutes: int
    person: UUID | None = None
    name: str | None = None
    voucher: str | None = None
    another: bool = False


class Register(Struct, frozen=True, kw_only=True, tag="register", tag_field="operation"):
    """What is posted: a session that was planned or when it was, and a line for each who came."""

    project: UUID
    session: UUID | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lines: Sequence[Line]
    by: UUID | None = None
    """The holder behind the caller's key: what is waiting as somebody's own hours depends on it."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A line that wasn't awarded at once: its state, and why."""

    line: int
    claim: UUID
    state: State
    exceptions: Sequence[Exceptional]
    consent_needed: bool = False


class Newcomer(Struct, frozen=True, kw_only=True):
    """A line's person who wasn't known before."""

    line: int
    person: UUID


class Slip(Struct, frozen=True, kw_only=True):
    """A line's voucher, to be printed; the code is the money."""

    line: int
    claim: UUID
    minutes: int
    code: str = ""


class Recorded(Struct, frozen=True, kw_only=True):
    """A register as it was recorded. ``claims`` are in the order of its lines, None where 0 minutes were given.

    ``awarded`` minutes went to wallets, ``paper`` minutes into vouchers, ``waiting`` minutes nowhere yet.
    """

    id: UUID
    project: UUID
    lines: int
    awarded: int
    paper: int
    waiting: int
    claims: Sequence[UUID | None]
    attention: Sequence[Waiting]
    newcomers: Sequence[Newcomer]
    vouchers: Sequence[Slip]
    recorded_at: datetime


class Looked(Struct, frozen=True, kw_only=True):
    """A line that would wait, and why, each reason in a sentence."""

    line: int
    state: State
    exceptions: Sequence[Exceptional]
    consent_needed: bool
    explained: Sequence[str]


class Checked(Struct, frozen=True, kw_only=True):
    """What recording a register would come to; ``minutes`` are its lines' as they would be recorded, rounded."""

    minutes: Sequence[int]
    awarded: int
    paper: int
    waiting: int
    attention: Sequence[Looked]


class _Session(Struct, frozen=True):
    id: UUID
    started_at: datetime
    ended_at: datetime
    planned: bool


class _Asked(Struct, frozen=True):
    """One request: who asks, under which key, and when."""

    caller: Caller
    key: str
    register: Register
    now: datetime


class _Row(Struct):
    """A line on its way: whose it is, and what becomes of it."""

    number: int
    line: Line
    holder: UUID | None
    claim: UUID | None = None
    weighed: Weighed | None = None
    state: State = State.APPROVED
    week_above: bool = False


class Registers:
    """Recording registers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)
        self._secret = b""

    async def record(self, caller: Caller, key: str, register: Register) -> tuple[Recorded, bool]:
        """Record a register and award its hours; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Recorded:
            return await _record(raw, _Asked(caller, key, register, now), secret)

        register = msgspec.structs.replace(register, by=caller.holder)
        secret = await self._known_secret()
        recorded, replayed = await self._answers.once(caller, key, register, work, Recorded)
        # Made anew at each telling: an answer that is kept for ever should hold no money.
        slips = [
            msgspec.structs.replace(slip, code=code_for(secret, VOUCHER, slip.claim)) for slip in recorded.vouchers
        ]
        return msgspec.structs.replace(recorded, vouchers=slips), replayed

    async def check(self, caller: Caller, register: Register) -> Checked:
        """What ``record`` would answer as things stand, or decline."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            status = await need_project(raw, caller, register.project)
            force = await rules.in_force(raw)
            step = force.rules.step_minutes
            lines = [
                msgspec.structs.replace(line, minutes=rounded(line.minutes, step)) if line.minutes > 0 else line
                for line in register.lines
            ]
            register = msgspec.structs.replace(register, lines=lines)
            session = await _session(raw, register, force, now, locks=False)
            rows = await _rows_seen(raw, register)
            if status is not Participation.ACTIVE:
                raise Declined(Refusal.PROJECT_NOT_ACTIVE)
            await _weigh(raw, caller, force, session, rows)
            unconsented = await without_consent(raw, [row.holder for row in rows if row.holder and row.weighed], now)
        given = [row for row in rows if row.weighed is not None]
        waits = [row for row in given if row.state is not State.APPROVED or row.holder in unconsented]
        waiting = sum(row.line.minutes for row in waits)
        slips = [row for row in given if row.line.voucher is not None and row.state is State.APPROVED]
        paper = sum(row.line.minutes for row in slips)
        return Checked(
            minutes=[line.minutes for line in lines],
            awarded=sum(row.line.minutes for row in given) - waiting - paper,
            paper=paper,
            waiting=waiting,
            attention=[
                Looked(
                    line=row.number,
                    state=row.state,
                    exceptions=row.weighed.exceptions,
                    consent_needed=row.state is State.APPROVED,
                    explained=[explained(force.rules, exception) for exception in row.weighed.exceptions],
                )
                for row in waits
                if row.weighed is not None
            ],
        )

    async def _known_secret(self) -> bytes:
        if not self._secret:
            async with self._database.reading() as connection:
                self._secret = await secret_of(driver(connection))
        return self._secret


async def _record(raw: asyncpg.Connection, asked: _Asked, secret: bytes) -> Recorded:
    caller, register, now = asked.caller, asked.register, asked.now
    status = await need_project(raw, caller, register.project)
    force = await rules.in_force(raw)
    session = await _session(raw, register, force, now)
    await _look_whether_sent(raw, register, session)
    rows = await _rows(raw, asked)
    if status is not Participation.ACTIVE:
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)
    await _weigh(raw, caller, force, session, rows)
    await _write(raw, asked, force, session, rows)
    await acts.by_staff(raw, caller, "register_recorded", session.id, now)
    claims = [row for row in rows if row.claim is not None]
    vouchers = [row for row in claims if row.line.voucher is not None]
    await raw.execute(
        _VOUCHERS,
        session.id,
        [row.claim for row in vouchers],
        [code_hash(secret, code_for(secret, VOUCHER, row.claim)) for row in vouchers if row.claim],
        [row.line.voucher for row in vouchers],
    )
    unconsented = await award(
        raw,
        caller,
        force.rules,
        [
            Due(
                claim=row.claim,
                project=register.project,
                session=session.id,
                holder=row.holder,
                minutes=row.line.minutes,
                ended_at=session.ended_at,
            )
            for row in claims
            if row.claim is not None and row.state is State.APPROVED
        ],
        now,
    )
    waits = [row for row in claims if row.state is not State.APPROVED or row.claim in unconsented]
    waiting = sum(row.line.minutes for row in waits)
    paper = sum(row.line.minutes for row in vouchers if row.state is State.APPROVED)
    return Recorded(
        id=session.id,
        project=register.project,
        lines=len(rows),
        awarded=sum(row.line.minutes for row in claims) - waiting - paper,
        paper=paper,
        waiting=waiting,
        claims=[row.claim for row in rows],
        attention=[
            Waiting(
                line=row.number,
                claim=row.claim,
                state=row.state,
                exceptions=row.weighed.exceptions,
                consent_needed=row.claim in unconsented,
            )
            for row in waits
            if row.claim is not None and row.weighed is not None
        ],
        newcomers=[
            Newcomer(line=row.number, person=row.line.person)
            for row in rows
            if row.line.name is not None and row.line.person is not None
        ],
        vouchers=[
            Slip(line=row.number, claim=row.claim, minutes=row.line.minutes)
            for row in vouchers
            if row.claim is not None
        ],
        recorded_at=now,
    )


# --- reading the register -----------------------------------------------------------------------------------


async def _session(
    raw: asyncpg.Connection, register: Register, force: InForce, now: datetime, *, locks: bool = True
) -> _Session:
    """The session that was planned, or a new one; declines a register that is wrong by itself."""
    faults: Faults = []
    if register.session is not None:
        row = await raw.fetchrow(_PLANNED_LOCKED if locks else _PLANNED, register.session, register.project)
        if row is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("session", "is no session of this project"),))
        if row["cancelled_at"] is not None:
            raise Declined(Refusal.WRONG_STATE, "The session was cancelled.")
        session = _Session(register.session, row["started_at"], row["ended_at"], planned=True)
        if register.started_at is not None or register.ended_at is not None:
            faults.append(("started_at", "must be absent where a session is named"))
    elif register.started_at is None or register.ended_at is None:
        missing = "started_at" if register.started_at is None else "ended_at"
        raise Declined(Refusal.WRONG_VALUES, fields=((missing, "is needed where no session is named"),))
    else:
        session = _Session(uuid4(), register.started_at, register.ended_at, planned=False)
    wrong = period_faults(force.rules, session.started_at, session.ended_at, now)
    if session.planned:  # its times weren't sent: it is the session that can't be told of now
        wrong = [("session", f"can't be told of now: its {field} {why}") for field, why in wrong]
    faults += wrong
    most = 24 * 60 if wrong else of_period(force.rules, session.started_at, session.ended_at)
    faults += _line_faults(register, force, most)
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults[:FAULTS_MAX]))
    return session


async def _look_whether_sent(raw: asyncpg.Connection, register: Register, session: _Session) -> None:
    """Decline a register of newcomers that is recorded already, as the module has it."""
    names = [line.name for line in register.lines if line.name is not None]
    labels = [line.voucher for line in register.lines if line.voucher is not None]
    if not (names or labels) or any(line.another for line in register.lines):
        return
    if not session.planned:
        # Two at once are looked at one by one; a session that was planned is locked itself.
        await raw.execute("SELECT FROM scheme.project WHERE id = $1 FOR NO KEY UPDATE", register.project)
    people = [line.person for line in register.lines if line.person is not None]
    of_time = (register.project, session.started_at, session.ended_at)
    if await raw.fetchval(_SENT, session.id if session.planned else None, *of_time, people, names, labels):
        raise Declined(Refusal.SENT_BEFORE)


def _line_faults(register: Register, force: InForce, most: int) -> Faults:
    """What is wrong with the lines; ``most`` minutes are the session's length."""
    faults: Faults = []
    if not 0 < len(register.lines) <= LINES_MAX:
        faults.append(("lines", f"must be 1 to {LINES_MAX:,}"))
    seen: dict[UUID, int] = {}
    for number, line in enumerate(register.lines):
        if wrong := minutes_fault(force.rules, line.minutes, least=0):
            faults.append((f"lines[{number}].minutes", wrong))
        elif line.minutes > most:
            faults.append((f"lines[{number}].minutes", f"must be at most {most}: that is the session's length"))
        who = [line.person, line.name, line.voucher]
        if who.count(None) != len(who) - 1:
            faults.append((f"lines[{number}]", "must have one of person, name and voucher"))
        elif line.voucher is not None and line.minutes == 0:
            faults.append((f"lines[{number}].minutes", "must be more than 0 for a voucher"))
        elif line.person is not None and (first := seen.setdefault(line.person, number)) != number:
            faults.append((f"lines[{number}].person", f"stands in lines[{first}] already"))
    return faults


async def _rows(raw: asyncpg.Connection, asked: _Asked) -> list[_Row]:
    """The lines with their holders, locked; newcomers are made known. Declines people who aren't there."""
    key, register = asked.key, asked.register
    holder_of = await lock_people(raw, [line.person for line in register.lines if line.person is not None])
    rows: list[_Row] = []
    faults: Faults = []
    named = [line.name for line in register.lines if line.name is not None]
    newcomers = iter(await make_known(raw, named, asked.now) if named else ())
    for number, line in enumerate(register.lines):
        claim = entry_id(asked.caller.principal, f"{key} {number}" if number else key) if line.minutes else None
        if line.name is not None:
            person, holder = next(newcomers)
            line = msgspec.structs.replace(line, person=person)  # noqa: PLW2901  # now we know who
        elif line.voucher is not None:
            holder = None
        elif (holder := None if line.person is None else holder_of.get(line.person)) is None:
            faults.append((f"lines[{number}].person", "is nobody of this scheme"))
        rows.append(_Row(number, line, holder, claim))
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults[:FAULTS_MAX]))
    return rows


async def _rows_seen(raw: asyncpg.Connection, register: Register) -> list[_Row]:
    """The lines with their holders as they stand, for a check; newcomers have none yet."""
    wanted = [line.person for line in register.lines if line.person is not None]
    holder_of = {row["person"]: row["id"] for row in await raw.fetch(_HOLDERS, wanted)}
    strangers = [
        (f"lines[{number}].person", "is nobody of this scheme")
        for number, line in enumerate(register.lines)
        if line.person is not None and line.person not in holder_of
    ]
    if strangers:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(strangers[:FAULTS_MAX]))
    return [
        _Row(number, line, holder_of.get(line.person) if line.person else None, uuid4() if line.minutes else None)
        for number, line in enumerate(register.lines)
    ]


# --- weighing and writing -------------------------------------------------------------------------------------


async def _weigh(raw: asyncpg.Connection, caller: Caller, force: InForce, session: _Session, rows: list[_Row]) -> None:
    """Weigh each line against what stands for its person."""
    given = [
        Given(holder=row.holder, session=session.id, started_at=session.started_at, ended_at=session.ended_at)
        for row in rows
        if row.holder is not None
    ]
    found = dict(zip((one.holder for one in given), await standing(raw, given), strict=True))
    faults: Faults = []
    for row in rows:
        stands = None if row.holder is None else found[row.holder]
        minutes = row.line.minutes
        if stands is not None and stands.here:
            faults.append((f"lines[{row.number}].person", "has hours in this session already"))
        if row.claim is None:
            continue
        row.weighed = weighed = weigh(
            force.rules,
            minutes,
            day_minutes=stands.day_minutes if stands else 0,
            overlapping=bool(stands and stands.overlapping),
            own=row.holder is not None and row.holder == caller.holder,
        )
        if weighed.overlapping:
            row.state = State.QUERIED
        elif weighed.exceptions:
            row.state = State.SUBMITTED
        week_before = stands.week_minutes if stands else 0
        row.week_above = crosses_week_note(force.rules, week_before, week_before + minutes)
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults[:FAULTS_MAX]))


async def _write(raw: asyncpg.Connection, asked: _Asked, force: InForce, session: _Session, rows: list[_Row]) -> None:
    caller, register, now = asked.caller, asked.register, asked.now
    if not session.planned:
        await raw.execute(
            _SESSION, session.id, register.project, session.started_at, session.ended_at, now, caller.identity
        )
    here = [row for row in rows if row.holder is not None]
    await raw.execute(
        _ATTENDANCE, session.id, now, caller.identity, [row.holder for row in here], [row.line.minutes for row in here]
    )
    claims = [row for row in rows if row.claim is not None and row.weighed is not None]
    # Who posts a register approves it; not their own hours, nor what is queried.
    approvers = [
        None if row.state is State.QUERIED or row.holder == caller.identity else caller.identity for row in claims
    ]
    await raw.execute(
        _CLAIMS,
        register.project,
        session.id,
        session.started_at,
        session.ended_at,
        day_of(session.started_at),
        force.version,
        caller.identity,
        now,
        [row.claim for row in claims],
        [row.holder for row in claims],
        [row.line.minutes for row in claims],
        [row.state.value for row in claims],
        [",".join(row.weighed.exceptions) for row in claims if row.weighed],
        [row.weighed.second_needed for row in claims if row.weighed],
        approvers,
    )
    await outbox.put(raw, [event for row in claims for event in _events(register.project, row)], now)


def _events(project: UUID, row: _Row) -> list[Event]:
    topics = {
        Topic.CLAIM_QUERIED: row.state is State.QUERIED,
        Topic.SECOND_APPROVAL_NEEDED: row.state is State.SUBMITTED,
        Topic.WEEK_ABOVE_NOTE: row.week_above,
    }
    return [
        Event(topic=topic, holder=row.holder, project=project, object=row.claim, body={"minutes": row.line.minutes})
        for topic, is_so in topics.items()
        if is_so
    ]


_PLANNED = """
SELECT started_at, ended_at, cancelled_at FROM scheme.session WHERE id = $1 AND project = $2
"""
_PLANNED_LOCKED = f"{_PLANNED} FOR NO KEY UPDATE"
# What a slip was labelled goes when it is claimed; it was handed out by then, and nobody sends it again.
_SENT = """
SELECT EXISTS (
    SELECT FROM (
        SELECT $1::uuid AS id WHERE $1 IS NOT NULL
        UNION ALL
        SELECT id FROM scheme.session
        WHERE $1 IS NULL AND project = $2 AND started_at = $3 AND ended_at = $4 AND cancelled_at IS NULL
    ) s
    WHERE (SELECT coalesce(array_agg(p.id), '{}') @> $5::uuid[]
            AND coalesce(array_agg(lower(p.name)), '{}')
                @> (SELECT coalesce(array_agg(lower(n)), '{}') FROM unnest($6::text[]) n)
        FROM scheme.attendance a JOIN scheme.holder h ON h.id = a.holder JOIN scheme.person p ON p.id = h.person
        WHERE a.session = s.id AND a.state = 'confirmed')
    AND (SELECT coalesce(array_agg(lower(v.label)), '{}')
            @> (SELECT coalesce(array_agg(lower(n)), '{}') FROM unnest($7::text[]) n)
        FROM scheme.voucher v WHERE v.session = s.id AND v.label IS NOT NULL)
)
"""
_HOLDERS = "SELECT id, person FROM scheme.holder WHERE person = ANY($1::uuid[])"
_SESSION = """
INSERT INTO scheme.session (id, project, started_at, ended_at, created_at, by) VALUES ($1, $2, $3, $4, $5, $6)
"""
_ATTENDANCE = """
INSERT INTO scheme.attendance (session, holder, state, minutes, changed_at, by)
SELECT $1, u.holder, 'confirmed', u.minutes, $2, $3 FROM unnest($4::uuid[], $5::integer[]) u (holder, minutes)
ON CONFLICT ON CONSTRAINT attendance_pkey DO UPDATE
SET state = 'confirmed', minutes = EXCLUDED.minutes, changed_at = EXCLUDED.changed_at, by = EXCLUDED.by
"""
_CLAIMS = """
INSERT INTO scheme.claim (project, session, started_at, ended_at, day, rules, by, source, created_at, changed_at,
    id, holder, minutes, state, exceptions, second_needed, approver, approved_at)
SELECT $1, $2, $3, $4, $5, $6, $7, 'register', $8::timestamptz, $8,
    u.id, u.holder, u.minutes, u.state, string_to_array(u.exceptions, ','), u.second_needed, u.approver,
    CASE WHEN u.approver IS NOT NULL THEN $8::timestamptz END
FROM unnest($9::uuid[], $10::uuid[], $11::integer[], $12::text[], $13::text[], $14::boolean[], $15::uuid[])
    u (id, holder, minutes, state, exceptions, second_needed, approver)
"""
_VOUCHERS = """
INSERT INTO scheme.voucher (session, claim, code_hash, label)
SELECT $1, u.* FROM unnest($2::uuid[], $3::bytea[], $4::text[]) u
"""
