"""Sessions: when hours are given, planned beforehand; and what happens to whoever forgot to sign out of one.

A session can be planned for at most a year ahead, alone or weekly: the same time on London's clocks each week, summer
and winter, and each as long as the first. It can be cancelled until somebody came or it is over; whoever was
expected is told (``telling``), and sees it on their pages until its day is over.

Who was checked in and never out is closed by rule (9), at the session's end or some hours after they came, whichever is
first (who came after its end: those hours later). Their hours are claimed up to then and wait for somebody to look.
That runs from time to time (see ``periodic``):

    who is due -> lock their sessions -> lock the holders -> still due? -> attendance closed, claims, events

Sessions are locked before holders here as everywhere, and each kind in the order of its ids, so none deadlock.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, outbox, rules
from ledger.scheme.answers import Answers
from ledger.scheme.attendances import Stay, close
from ledger.scheme.awards import lock_open
from ledger.scheme.callers import SCHEME, Caller
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.hours import SESSION_MAX
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.states import Participation

AHEAD_MAX: Final = timedelta(days=366)
REPEAT_MAX: Final = 26
# A transaction of some 0.2 s, in which the sessions' registers wait; the rest comes with the next call.
CLOSED_MAX: Final = 1_000


class Plan(Struct, frozen=True, kw_only=True, tag="sessions", tag_field="operation"):
    """What is asked for: a session at that time, or one a week from then on."""

    project: UUID
    opportunity: UUID | None
    started_at: datetime
    ended_at: datetime
    repeat: int


class _Made(Struct, frozen=True):
    ids: Sequence[UUID]


class Session(Struct, frozen=True, kw_only=True):
    """A session; of its ``places`` so many are ``taken``. Without places, as many can come as like."""

    id: UUID
    project: UUID
    opportunity: UUID | None
    started_at: datetime
    ended_at: datetime
    places: int | None
    taken: int
    cancelled_at: datetime | None


class Period(Struct, frozen=True, kw_only=True):
    """From the first day to the last, both included, as London's calendar has them; None is no bound."""

    first: date | None = None
    last: date | None = None

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The moments: from the first, and before the second."""
        after = None if self.last is None else _midnight(self.last + timedelta(days=1))
        return None if self.first is None else _midnight(self.first), after


class Sessions:
    """Planning sessions, finding them and cancelling them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def plan(self, caller: Caller, key: str, plan: Plan) -> tuple[Sequence[Session], bool]:
        """New sessions, in the order of their time; and whether they were made before under this key."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            return await _plan(raw, caller, plan, now)

        made, replayed = await self._answers.once(caller, key, plan, work, _Made)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_BY_IDS, list(made.ids))
        return [Session(**row) for row in rows], replayed

    async def get(self, caller: Caller, id_: UUID) -> Session:
        """The session; another project's isn't there."""
        async with self._database.reading() as connection:
            return _own(caller, await driver(connection).fetchrow(_BY_IDS, [id_]))

    async def of_project(
        self, caller: Caller, project: UUID, period: Period, *, after: UUID | None, limit: int
    ) -> Sequence[Session]:
        """A project's sessions that begin in that period, by time; ``after`` is the last one seen."""
        if not caller.speaks_for(project):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_OF_PROJECT, project, *period.bounds, after, limit)
        return [Session(**row) for row in rows]

    async def to_come(self, caller: Caller, opportunity: UUID, *, after: UUID | None, limit: int) -> Sequence[Session]:
        """When one can come: its sessions that aren't over or cancelled. Anybody may see a published opportunity's."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_SHOWN, opportunity)
            if row is None or not (row["shown"] or caller.speaks_for(row["project"])):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_TO_COME, opportunity, self._clock(), after, limit)
        return [Session(**row) for row in rows]

    async def cancel(self, caller: Caller, id_: UUID) -> Session:
        """Cancel a session and tell whoever is expected. Declines one that somebody came to, or that is over."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await raw.execute(_LOCK, [id_])
            session = _own(caller, await raw.fetchrow(_BY_IDS, [id_]))
            if session.cancelled_at is not None:
                return session
            if session.ended_at <= now:
                raise Declined(Refusal.WRONG_STATE, "The session is over.")
            people = await raw.fetch("SELECT holder, state FROM scheme.attendance WHERE session = $1", id_)
            if any(row["state"] not in {"expected", "absent"} for row in people):
                raise Declined(Refusal.WRONG_STATE, "Somebody has come to this session.")
            await raw.execute("UPDATE scheme.session SET cancelled_at = $2 WHERE id = $1", id_, now)
            told = [
                Event(topic=Topic.SESSION_CANCELLED, holder=row["holder"], project=session.project, object=id_)
                for row in people
                if row["state"] == "expected"
            ]
            await outbox.put(raw, told, now)
            await acts.by_staff(raw, caller, Topic.SESSION_CANCELLED.value, id_, now)
            return _own(caller, await raw.fetchrow(_BY_IDS, [id_]))


async def close_forgotten(raw: asyncpg.Connection, now: datetime) -> int:
    """Close whoever is still checked in when they no longer should be, some at a time, and return how many.

    In the transaction it is given; safe to run twice, or in two places. One attendance of each holder at a time, so
    that each is weighed against all before it.
    """
    force = await rules.in_force(raw)
    span = timedelta(minutes=force.rules.auto_close_minutes)
    due = await raw.fetch(_DUE, now, span, CLOSED_MAX, None, None)
    if not due:
        return 0
    sessions = {row["session"] for row in due}
    await raw.execute(_LOCK, list(sessions))
    # Who was erased meanwhile has no attendance left, and keeps nobody else waiting.
    holders = await lock_open(raw, {row["holder"] for row in due})
    stays = [
        Stay(
            session=row["session"],
            project=row["project"],
            holder=row["holder"],
            came=row["checked_in_at"],
            left=row["left_at"],
            auto_closed=True,
        )
        for row in await raw.fetch(_DUE, now, span, CLOSED_MAX, list(sessions), list(holders))
    ]
    await close(raw, force, SCHEME, stays, now)
    return len(stays)


# --- planning -------------------------------------------------------------------------------------------------


async def _plan(raw: asyncpg.Connection, caller: Caller, plan: Plan, now: datetime) -> _Made:
    status = await need_project(raw, caller, plan.project)
    force = await rules.in_force(raw)
    starts = _weekly(plan.started_at, plan.repeat)
    faults = _faults(plan, starts[-1], force.rules, now)
    opportunity = None if plan.opportunity is None else await raw.fetchrow(_SHOWN, plan.opportunity)
    if plan.opportunity is not None and (opportunity is None or opportunity["project"] != plan.project):
        faults.append(("opportunity", "is no opportunity of this project"))
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))
    if status is not Participation.ACTIVE:
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)
    if opportunity is not None and opportunity["status"] == "ended":
        raise Declined(Refusal.WRONG_STATE, "The opportunity has ended.")
    made = _Made([uuid4() for _ in starts])
    length = plan.ended_at - plan.started_at
    await raw.execute(
        _PLAN,
        plan.project,
        plan.opportunity,
        now,
        caller.identity,
        list(made.ids),
        starts,
        [start + length for start in starts],
    )
    await acts.by_staff(raw, caller, "sessions_planned", plan.project, now)
    return made


def _weekly(first: datetime, repeat: int) -> list[datetime]:
    """The first moment and those of the weeks after it, at the same time on London's clocks."""
    # On an aware moment of one zone, Python adds days to what the clock on the wall shows; so the first is kept apart,
    # which may be the second 01:30 of its night.
    wall = first.astimezone(LONDON)
    return [first, *((wall + timedelta(weeks=week)).astimezone(UTC) for week in range(1, repeat))]


def _faults(plan: Plan, last: datetime, rules_: Rules, now: datetime) -> list[tuple[str, str]]:
    faults = []
    if plan.ended_at <= plan.started_at:
        faults.append(("ended_at", "must be after started_at"))
    elif plan.ended_at - plan.started_at > SESSION_MAX:
        faults.append(("ended_at", "must be at most 24 hours after started_at"))
    if plan.started_at > now + AHEAD_MAX:
        faults.append(("started_at", "must be at most a year ahead"))
    elif last > now + AHEAD_MAX:
        faults.append(("repeat", "must end within a year"))
    if plan.started_at < now - timedelta(days=rules_.back_days):
        faults.append(("started_at", f"must be at most {rules_.back_days} days ago"))
    return faults


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


def _own(caller: Caller, row: asyncpg.Record | None) -> Session:
    if row is None or not caller.speaks_for(row["project"]):
        raise Declined(Refusal.NOT_FOUND)
    return Session(**row)


_PLAN = """
INSERT INTO scheme.session (project, opportunity, created_at, by, id, started_at, ended_at)
SELECT $1, $2, $3, $4, u.* FROM unnest($5::uuid[], $6::timestamptz[], $7::timestamptz[]) u
"""
_LOCK = "SELECT FROM scheme.session WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_SHOWN = """
SELECT o.project, o.status, o.status = 'published' AND p.status = 'active' AS shown
FROM scheme.opportunity o JOIN scheme.project p ON p.id = o.project
WHERE o.id = $1
"""
_SELECT = """
SELECT s.id, s.project, s.opportunity, s.started_at, s.ended_at, o.places, s.cancelled_at,
    (SELECT count(*) FROM scheme.attendance a WHERE a.session = s.id AND a.state <> 'absent') AS taken
FROM scheme.session s LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
"""
_BY_IDS = _SELECT + "WHERE s.id = ANY($1::uuid[]) ORDER BY s.started_at, s.id"
_OF_PROJECT = _SELECT + (  # noqa: S608  # both are our own
    "WHERE s.project = $1 AND s.started_at < coalesce($3::timestamptz, 'infinity')"
    " AND s.started_at >= coalesce($2::timestamptz, '-infinity')"
    " AND (s.started_at, s.id) > (coalesce((SELECT started_at FROM scheme.session WHERE id = $4), '-infinity'), $4)"
    " ORDER BY s.started_at, s.id LIMIT $5"
)
_TO_COME = _SELECT + (  # noqa: S608  # both are our own
    "WHERE s.opportunity = $1 AND s.ended_at > $2 AND s.cancelled_at IS NULL"
    " AND s.started_at > $2 - interval '24 hours'"  # none is longer, and so the past is passed over by index
    " AND ($3::uuid IS NULL OR (s.started_at, s.id) > (SELECT started_at, id FROM scheme.session WHERE id = $3))"
    " ORDER BY s.started_at, s.id LIMIT $4"
)
# One of each holder, the first they came to. What is due is looked for among those who are checked in, an index of
# today's people only.
_DUE = """
SELECT * FROM (
    SELECT DISTINCT ON (a.holder) a.session, a.holder, s.project, a.checked_in_at, due.left_at
    FROM scheme.attendance a
    JOIN scheme.session s ON s.id = a.session
    CROSS JOIN LATERAL (SELECT CASE
        WHEN a.checked_in_at < s.ended_at THEN least(s.ended_at, a.checked_in_at + $2::interval)
        ELSE a.checked_in_at + $2::interval
    END AS left_at) due
    WHERE a.state = 'checked_in' AND due.left_at <= $1
        AND ($4::uuid[] IS NULL OR a.session = ANY($4)) AND ($5::uuid[] IS NULL OR a.holder = ANY($5))
    ORDER BY a.holder, a.checked_in_at, a.session
) due
ORDER BY holder LIMIT $3
"""
