"""What a coordinator looks at before and after they record hours: a project's day, a session's list, a register.

    the project's day -> a session's sheet: who is on its list, and the regulars -> a register is posted (``registers``)
                                                                                 -> what stands recorded of the session

A **sheet** lists whom a register is likely to be about: who is on the session's list, and the regulars: at most
`REGULARS_MAX` of those who came most often in the last ten weeks. Others whom the project knows are suggested by name,
or found by the name that was typed; of two people of one name both are. Who has hours in the session already is listed
apart, for nobody is recorded twice.

All of it is for the project itself and the scheme; to others there is none. Reading who volunteers at a sensitive
project is an act, and so is reading the codes of slips, which are money.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, rules
from ledger.scheme.attendances import Presence
from ledger.scheme.callers import Caller
from ledger.scheme.clock import LONDON, Clock, day_of, end_of
from ledger.scheme.codes import code_for, secret_of
from ledger.scheme.hours import State, of_period, period_faults, reasons
from ledger.scheme.letters import WRITTEN_TO
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.registers import VOUCHER
from ledger.scheme.rules import InForce
from ledger.scheme.standing import OVERLAPPING

# What two screens of a phone show; nobody runs more a day.
TODAY_MAX: Final = 20
COMING_MAX: Final = 6
LATELY_MAX: Final = 5
# Whom a coordinator may be asked to look through; the others are found by name.
REGULARS_MAX: Final = 40
KNOWN_MAX: Final = 120
# A list of a session: more than any register that is filled in on a page.
LISTED_MAX: Final = 300
COUNT_MAX: Final = 1_000
_RECENTLY: Final = timedelta(weeks=10)
_LATELY: Final = timedelta(weeks=2)
_COMING: Final = timedelta(weeks=2)
_LONGEST: Final = timedelta(hours=24)


class DaySession(Struct, frozen=True, kw_only=True):
    """A session with the names of who is expected and of who is here; ``told`` counts the people of `Recorded`."""

    id: UUID
    title: str | None
    """Its opportunity's."""
    started_at: datetime
    ended_at: datetime
    places: int | None
    expected: Sequence[str]
    here: Sequence[str]
    told: int


class Day(Struct, frozen=True, kw_only=True):
    """A project's day."""

    project: UUID
    name: str
    alias: str
    status: str
    waiting: int
    """Claims that somebody looks at, up to `COUNT_MAX`."""
    today: Sequence[DaySession]
    untold: Sequence[DaySession]
    """Of the last two weeks, the newest first: over, and nobody's hours are known."""
    lately: Sequence[DaySession]
    """Likewise: over, and recorded."""
    coming: Sequence[DaySession]
    """In the two weeks after today."""


class Known(Struct, frozen=True, kw_only=True):
    """Somebody whom the project knows, and when they last came to it; they may be but expected, and have never been."""

    person: UUID
    name: str
    last_at: datetime | None


class Listed(Struct, frozen=True, kw_only=True):
    """Somebody on a session's list, or a regular, who has no state. ``minutes`` are their hours, where they are known.

    ``usual`` is what a register would say of them: the session's length, or what is left of it since they came.
    """

    person: UUID
    name: str
    state: Presence | None
    came_at: datetime | None
    left_at: datetime | None
    minutes: int | None
    usual: int
    written_to: bool = False
    """Whether a letter tells them of what is cancelled."""

    @property
    def is_told(self) -> bool:
        """Whether their hours in the session are known already."""
        return self.state in {Presence.CHECKED_OUT, Presence.AUTO_CLOSED, Presence.CONFIRMED}


class Sheet(Struct, frozen=True, kw_only=True):
    """Whom a register may be about. ``minutes`` is the session's length; without a session it is one to be made."""

    project: UUID
    name: str
    alias: str
    session: UUID | None
    title: str | None
    started_at: datetime
    ended_at: datetime
    is_over: bool
    """Hours can be told of from then on."""
    cancelled_at: datetime | None
    places: int | None
    minutes: int
    step: int
    listed: Sequence[Listed]
    """By name: who is on the list of the session."""
    regulars: Sequence[Listed]
    """By name: who isn't."""
    known: Sequence[Known]
    """Others who came within a year, the latest first."""
    slips: Sequence[str]
    """What the slips of this session are labelled."""
    beside: UUID | None
    """Where it is to be made: a session of the project at that time, for which it may be taken; rather at just that."""


class Regulars(Struct, frozen=True, kw_only=True):
    """Who often comes to a project, by name: for a sheet of paper on a day that nobody planned."""

    alias: str
    names: Sequence[str]


class Told(Struct, frozen=True, kw_only=True):
    """Hours that are recorded in a session, and what they wait for, if they do."""

    claim: UUID
    name: str | None
    """None: nobody's yet, or somebody's who was erased."""
    minutes: int
    state: State
    is_awarded: bool
    consent_needed: bool
    explained: Sequence[str]
    is_slip: bool
    code: str | None
    """Of a slip that nobody claimed yet."""


class Recorded(Struct, frozen=True, kw_only=True):
    """What is recorded of a session; ``tea`` are those who came and gave no time. ``people`` counts both.

    A slip is somebody, too, and hours that were taken back whole are nobody's any more.
    """

    project: UUID
    alias: str
    session: UUID
    title: str | None
    started_at: datetime
    ended_at: datetime
    people: int
    lines: Sequence[Told]
    tea: Sequence[str]


class Sheets:
    """Reading what coordinators work with."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._secret = b""

    async def day(self, caller: Caller, project: UUID) -> Day:
        """The project's day, as it is in London."""
        now = self._clock()
        today = day_of(now)
        midnight = datetime.combine(today, time(), LONDON)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            found = await _project(raw, caller, project)
            await acts.read_names(raw, caller, project, now)
            rows = await raw.fetch(_TODAY, project, now, midnight, end_of(today), TODAY_MAX)
            untold = await raw.fetch(_UNTOLD, project, now, now - _LATELY, LATELY_MAX)
            lately = await raw.fetch(_TOLD_LATELY, project, now, now - _LATELY, LATELY_MAX)
            coming = await raw.fetch(_COMING_UP, project, end_of(today), end_of(today) + _COMING, COMING_MAX)
            waiting = await raw.fetchval(_WAITING, project, COUNT_MAX)
        return Day(
            project=project,
            name=found["name"],
            alias=found["alias"],
            status=found["status"],
            waiting=waiting,
            today=[DaySession(**row) for row in rows],
            untold=[DaySession(**row) for row in untold],
            lately=[DaySession(**row) for row in lately],
            coming=[DaySession(**row) for row in coming],
        )

    async def of_session(self, caller: Caller, project: UUID, session: UUID) -> Sheet:
        """The sheet of a session that was planned."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            found = await _project(raw, caller, project)
            planned = await raw.fetchrow(_SESSION, session, project)
            if planned is None:
                raise Declined(Refusal.NOT_FOUND)
            await acts.read_names(raw, caller, project, now)
            force = await rules.in_force(raw)
            return await _sheet(raw, found, planned, force, now)

    async def of_time(self, caller: Caller, project: UUID, started_at: datetime, ended_at: datetime) -> Sheet:
        """The sheet of a session that wasn't planned; declines a time of which nobody can tell now."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            found = await _project(raw, caller, project)
            force = await rules.in_force(raw)
            if faults := period_faults(force.rules, started_at, ended_at, now):
                raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))
            await acts.read_names(raw, caller, project, now)
            times = {"id": None, "title": None, "places": None, "cancelled_at": None}
            return await _sheet(raw, found, {**times, "started_at": started_at, "ended_at": ended_at}, force, now)

    async def regulars(self, caller: Caller, project: UUID) -> Regulars:
        """The regulars, as a sheet without a session has them."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            found = await _project(raw, caller, project)
            await acts.read_names(raw, caller, project, now)
            people = await _people(raw, project, None, now)
        return Regulars(alias=found["alias"], names=[row["name"] for row in _often(people)])

    async def find(
        self, caller: Caller, project: UUID, names: Sequence[str], people: Sequence[UUID] = ()
    ) -> tuple[Sequence[Sequence[Known]], Mapping[UUID, Known]]:
        """Whom the project knows by each of these names, in any case; and who of these people it knows at all."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await _project(raw, caller, project)
            await acts.read_names(raw, caller, project, self._clock())
            named = await raw.fetch(_NAMED, project, list(names)) if names else []
            known = await raw.fetch(_KNOWN, project, list(people)) if people else []
        found: list[list[Known]] = [[] for _ in names]
        for row in named:
            found[row["number"] - 1].append(_known(row))
        return found, {row["person"]: _known(row) for row in known}

    async def recorded(self, caller: Caller, project: UUID, session: UUID) -> Recorded:
        """What is recorded of the session, with the codes of the slips that nobody claimed yet."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            found = await _project(raw, caller, project)
            planned = await raw.fetchrow(_SESSION, session, project)
            if planned is None:
                raise Declined(Refusal.NOT_FOUND)
            await acts.read_names(raw, caller, project, now)
            force = await rules.in_force(raw)
            rows = await raw.fetch(_TOLD, session, LISTED_MAX)
            tea = await raw.fetch(_TEA, session, LISTED_MAX)
            if any(row["is_open"] for row in rows):
                await acts.record(raw, caller, None, "codes_read", session, now)
                self._secret = self._secret or await secret_of(raw)
        return Recorded(
            project=project,
            alias=found["alias"],
            session=session,
            title=planned["title"],
            started_at=planned["started_at"],
            ended_at=planned["ended_at"],
            people=await raw.fetchval(_PEOPLE_TOLD, session),
            lines=[self._told(row, force) for row in rows],
            tea=[row["name"] for row in tea],
        )

    def _told(self, row: asyncpg.Record, force: InForce) -> Told:
        state = State(row["state"])
        waits = state in {State.SUBMITTED, State.QUERIED}
        return Told(
            claim=row["id"],
            name=row["name"],
            minutes=row["minutes"],
            state=state,
            is_awarded=row["is_awarded"],
            consent_needed=state is State.APPROVED and not row["is_awarded"],
            explained=reasons(force.rules, row["exceptions"], overlapping=row["overlapping"]) if waits else (),
            is_slip=row["is_slip"],
            code=code_for(self._secret, VOUCHER, row["id"]) if row["is_open"] else None,
        )


async def _project(raw: asyncpg.Connection, caller: Caller, project: UUID) -> asyncpg.Record:
    """The project, which the caller speaks for."""
    found = await raw.fetchrow("SELECT id, name, alias, status FROM scheme.project WHERE id = $1", project)
    if found is None or not caller.speaks_for(project):
        raise Declined(Refusal.NOT_FOUND)
    return found


async def _sheet(
    raw: asyncpg.Connection,
    found: asyncpg.Record,
    planned: asyncpg.Record | Mapping[str, Any],
    force: InForce,
    now: datetime,
) -> Sheet:
    project, session = found["id"], planned["id"]
    began, ended = planned["started_at"], planned["ended_at"]
    whole = of_period(force.rules, began, ended)
    listed = await raw.fetch(_LISTED, session, LISTED_MAX)
    people = await _people(raw, project, session, now)
    regulars = _often(people)
    listed_here = {row["person"] for row in regulars}
    slips = await raw.fetch(_SLIPS, session, LISTED_MAX) if session else []
    beside = None if session else await raw.fetchval(_BESIDE, project, began, ended, began - _LONGEST)

    def usual(came: datetime | None) -> int:
        return whole if came is None else min(whole, of_period(force.rules, came, max(ended, came)))

    return Sheet(
        **{name: found[name] for name in ("name", "alias")},
        project=project,
        session=session,
        title=planned["title"],
        started_at=began,
        ended_at=ended,
        is_over=ended <= now,
        cancelled_at=planned["cancelled_at"],
        places=planned["places"],
        minutes=whole,
        step=force.rules.step_minutes,
        listed=[Listed(**{**row, "state": Presence(row["state"])}, usual=usual(row["came_at"])) for row in listed],
        regulars=[
            Listed(
                person=row["person"],
                name=row["name"],
                state=None,
                came_at=None,
                left_at=None,
                minutes=None,
                usual=whole,
            )
            for row in regulars
        ],
        known=[_known(row) for row in people if row["person"] not in listed_here],
        slips=[row["label"] for row in slips],
        beside=beside,
    )


async def _people(
    raw: asyncpg.Connection, project: UUID, session: UUID | None, now: datetime
) -> Sequence[asyncpg.Record]:
    """Whom the project knows of the last year, who came most often lately first; not who is on the session's list."""
    found: Sequence[asyncpg.Record] = await raw.fetch(_PEOPLE, project, session, now, now - _RECENTLY, KNOWN_MAX)
    return found


def _often(people: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    """The regulars among these, by name."""
    often = [row for row in people if row["times"]][:REGULARS_MAX]
    return sorted(often, key=lambda row: (row["name"].lower(), row["person"]))


def _known(row: asyncpg.Record) -> Known:
    return Known(person=row["person"], name=row["name"], last_at=row["last_at"])


# Who came and gave no time, of an attendance `t`.
_IS_TEA = "t.state IN ('confirmed', 'checked_out') AND t.minutes = 0"
_DAY = f"""
SELECT s.id, o.title, s.started_at, s.ended_at, o.places,
    coalesce(array_agg(p.name ORDER BY lower(p.name), p.id) FILTER (WHERE a.state = 'expected'), '{{}}') AS expected,
    coalesce(array_agg(p.name ORDER BY lower(p.name), p.id) FILTER (WHERE a.state = 'checked_in'), '{{}}') AS here,
    (SELECT count(*) FROM scheme.counted n WHERE n.session = s.id)
        + (SELECT count(*) FROM scheme.attendance t WHERE t.session = s.id AND {_IS_TEA}) AS told
FROM scheme.session s
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
LEFT JOIN scheme.attendance a ON a.session = s.id
LEFT JOIN scheme.holder h ON h.id = a.holder
LEFT JOIN scheme.person p ON p.id = h.person
WHERE s.project = $1 AND s.cancelled_at IS NULL
"""  # noqa: S608  # a piece of our own
# None is longer than a day, so what began the day before yesterday is passed over by index.
_TODAY = _DAY + (
    "AND s.started_at > $3::timestamptz - interval '24 hours' AND s.started_at < $4"
    " AND (s.started_at >= $3 OR s.ended_at > $2)"
    " GROUP BY s.id, o.id ORDER BY s.started_at, s.id LIMIT $5"
)
_IS_TOLD = """(
    EXISTS (SELECT FROM scheme.claim c WHERE c.session = s.id)
    OR EXISTS (SELECT FROM scheme.attendance t WHERE t.session = s.id
        AND t.state IN ('checked_out', 'auto_closed', 'confirmed'))
)"""
_OVER = "AND s.started_at > $3 AND s.started_at < $2 AND s.ended_at <= $2"
_NEWEST = "GROUP BY s.id, o.id ORDER BY s.started_at DESC, s.id LIMIT $4"
_UNTOLD = f"{_DAY} {_OVER} AND NOT {_IS_TOLD} {_NEWEST}"
_TOLD_LATELY = f"{_DAY} {_OVER} AND {_IS_TOLD} {_NEWEST}"
_COMING_UP = _DAY + (
    "AND s.started_at >= $2 AND s.started_at < $3 GROUP BY s.id, o.id ORDER BY s.started_at, s.id LIMIT $4"
)
_WAITING = """
SELECT count(*) FROM (
    SELECT FROM scheme.claim WHERE project = $1 AND state IN ('submitted', 'queried') LIMIT $2
) waiting
"""
_SESSION = """
SELECT s.id, o.title, s.started_at, s.ended_at, s.cancelled_at, o.places
FROM scheme.session s LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.id = $1 AND s.project = $2
"""
_LISTED = f"""
SELECT p.id AS person, p.name, a.state, a.checked_in_at AS came_at, a.checked_out_at AS left_at, a.minutes,
    {WRITTEN_TO} AS written_to
FROM scheme.attendance a JOIN scheme.holder h ON h.id = a.holder JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.contact c ON c.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE a.session = $1
ORDER BY lower(p.name), p.id LIMIT $2
"""  # noqa: S608  # a piece of our own
# Who came most often lately first, and then who came last: a year of the project's sessions by index.
_PEOPLE = """
SELECT p.id AS person, p.name, max(s.started_at) AS last_at, count(*) FILTER (WHERE s.started_at > $4) AS times
FROM scheme.session s
JOIN scheme.attendance a ON a.session = s.id AND a.state NOT IN ('expected', 'absent')
JOIN scheme.holder h ON h.id = a.holder
JOIN scheme.person p ON p.id = h.person
WHERE s.project = $1 AND s.started_at > $3::timestamptz - interval '1 year' AND s.started_at <= $3
    AND NOT EXISTS (SELECT FROM scheme.attendance here WHERE here.session = $2 AND here.holder = a.holder)
GROUP BY p.id ORDER BY times DESC, last_at DESC, p.id LIMIT $5
"""
_SLIPS = "SELECT label FROM scheme.voucher WHERE session = $1 AND label IS NOT NULL LIMIT $2"
_BESIDE = """
SELECT id FROM scheme.session
WHERE project = $1 AND cancelled_at IS NULL AND started_at > $4 AND started_at < $3 AND ended_at > $2
ORDER BY (started_at, ended_at) = ($2, $3) DESC, started_at, id LIMIT 1
"""
# Whoever came to the project or was expected there; not who is known to it by nothing. Only who came was there.
_LAST_AT = "max(s.started_at) FILTER (WHERE a.state NOT IN ('expected', 'absent')) AS last_at"
_LAST = """
JOIN scheme.holder h ON h.person = p.id
JOIN scheme.attendance a ON a.holder = h.id
JOIN scheme.session s ON s.id = a.session AND s.project = $1
"""
_NAMED = f"""
SELECT n.number, p.id AS person, p.name, {_LAST_AT}
FROM unnest($2::text[]) WITH ORDINALITY n (name, number)
JOIN scheme.person p ON lower(p.name) = lower(n.name)
{_LAST}
GROUP BY n.number, p.id ORDER BY n.number, last_at DESC NULLS LAST, p.id
"""  # noqa: S608  # both are our own
_KNOWN = f"""
SELECT p.id AS person, p.name, {_LAST_AT}
FROM scheme.person p
{_LAST}
WHERE p.id = ANY($2::uuid[]) GROUP BY p.id
"""  # noqa: S608  # likewise
# A slip is open while nobody claimed it and its hours weren't rejected.
_TOLD = f"""
SELECT c.id, coalesce(p.name, v.label) AS name, n.minutes, c.state, c.exceptions, v.claim IS NOT NULL AS is_slip,
    v.claim IS NOT NULL AND v.claimed_at IS NULL AS is_open,
    EXISTS (SELECT FROM journal.entry e WHERE e.id = c.id) AS is_awarded, {OVERLAPPING} AS overlapping
FROM scheme.claim c
JOIN scheme.counted n ON n.id = c.id
LEFT JOIN scheme.voucher v ON v.claim = c.id
LEFT JOIN scheme.holder h ON h.id = c.holder
LEFT JOIN scheme.person p ON p.id = h.person
WHERE c.session = $1
ORDER BY lower(coalesce(p.name, v.label)), c.id LIMIT $2
"""  # noqa: S608  # likewise
_TEA = f"""
SELECT p.name
FROM scheme.attendance t JOIN scheme.holder h ON h.id = t.holder JOIN scheme.person p ON p.id = h.person
WHERE t.session = $1 AND {_IS_TEA}
ORDER BY lower(p.name), p.id LIMIT $2
"""  # noqa: S608  # likewise
_PEOPLE_TOLD = f"""
SELECT (SELECT count(*) FROM scheme.counted WHERE session = $1)
    + (SELECT count(*) FROM scheme.attendance t WHERE t.session = $1 AND {_IS_TEA})
"""  # noqa: S608  # likewise
