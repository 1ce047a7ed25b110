"""Attendance: who is expected at a session, who came, and how long they stayed.

    expected -> checked_in -> checked_out | auto_closed        expected, checked_in -> absent -> expected, checked_in

A booking needs one of the opportunity's places, and can be cancelled without a word until somebody came. Whoever stands
at the door is checked in, booked or not: the places are for planning, and what happened is recorded. Minutes count from
check-in to check-out, to the nearest step; less than half a step is "just tea". The rest becomes a claim that waits for
the project's approval, weighed like any hours (see ``hours``). A register makes an attendance ``confirmed``.

The clock decides when something was, or a till that was offline: within the session's day and not in the future.

Whatever changes a session's attendance locks the session first and then the holder: two people can't take the last
place, nobody is checked out twice, and nobody is written down while they are erased. Doing again what was done changes
nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts, outbox, rules
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.helping import May, may_act
from ledger.scheme.hours import SESSION_MAX, State, crosses_week_note, of_period, weigh
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import InForce, Rules
from ledger.scheme.standing import Given, standing

# A term of two sessions a week.
EXPECTED_SHOWN: Final = 50


class Presence(StrEnum):
    """Where somebody's attendance stands."""

    EXPECTED = "expected"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    AUTO_CLOSED = "auto_closed"
    CONFIRMED = "confirmed"
    ABSENT = "absent"


# For whoever stands at the door.
_IN_WORDS: Final[Mapping[Presence | None, str]] = MappingProxyType(
    {
        None: "they haven't been checked in",
        Presence.EXPECTED: "they haven't been checked in",
        Presence.CHECKED_IN: "they are checked in",
        Presence.CHECKED_OUT: "they have been checked out",
        Presence.AUTO_CLOSED: "nobody checked them out, so that was done for them",
        Presence.CONFIRMED: "their hours are confirmed",
        Presence.ABSENT: "they are marked as absent",
    }
)


class Attendance(Struct, frozen=True, kw_only=True):
    """Somebody's attendance; ``minutes`` are those to be credited, ``claim`` the claim that they became."""

    session: UUID
    person: UUID
    name: str
    state: Presence
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    minutes: int | None
    claim: UUID | None


class Expected(Struct, frozen=True, kw_only=True):
    """A session that somebody is expected at: by the opportunity's title, if it has one, and the project's alias.

    One that is ``cancelled`` stands there until its day is over, for whoever has not heard.
    """

    session: UUID
    project: UUID
    opportunity: UUID | None
    title: str | None
    alias: str
    place: str | None
    starts_at: datetime
    ends_at: datetime
    cancelled: bool


class Stay(Struct, frozen=True, kw_only=True):
    """Who was at a session from when to when; ``own`` says that they recorded it themselves."""

    session: UUID
    project: UUID
    holder: UUID
    came: datetime
    left: datetime
    auto_closed: bool = False
    own: bool = False

    def minutes(self, rules_: Rules) -> int:
        """What is credited: the time to the nearest step, or nothing below half a step."""
        half = timedelta(minutes=rules_.step_minutes) / 2
        return of_period(rules_, self.came, self.left) if self.left - self.came >= half else 0


class Attendances:
    """Booking, checking in and out."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self, caller: Caller, session: UUID, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Attendance]:
        """Who is on a session's list, by name; ``after`` is the last person seen, by what they were called then.

        Who was erased is on none.
        """
        # No mere reading: at a sensitive project it is written down.
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_SESSION, session)
            if row is None or not caller.speaks_for(row["project"]):
                raise Declined(Refusal.NOT_FOUND)
            await acts.read_names(raw, caller, row["project"], self._clock())
            rows = await raw.fetch(_PAGE, session, *(after or (None, None)), limit)
        return [_attendance(row) for row in rows]

    async def expected(self, caller: Caller, person: UUID) -> Sequence[Expected]:
        """The next sessions at which they are expected and that aren't over, to them and to who may book for them.

        Until its day is over, what was cancelled too.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            today = datetime.combine(day_of(now), time(), LONDON)
            rows = await raw.fetch(_EXPECTED, holder, now, today, EXPECTED_SHOWN)
            projects = {row["project"] for row in rows}
            await acts.looked(raw, caller, holder, "bookings_read", None, now, projects=projects)
        return [Expected(**row) for row in rows]

    async def book(self, caller: Caller, session: UUID, person: UUID) -> Attendance:
        """Expect somebody. People book for themselves, or a helper for them, what is published.

        Declines a session without a place left (``places_full``), or that is over or cancelled.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await locked(raw, session)
            if caller.speaks_for(row["project"]):
                holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person)
                if holder is None:
                    raise Declined(Refusal.WRONG_VALUES, fields=(("person", "is nobody of this scheme"),))
            else:
                holder = await holder_of(raw, person)
                if not row["shown"] or not await may_act(raw, caller, holder, May.BOOK):
                    raise Declined(Refusal.NOT_FOUND)
            await lock_holders(raw, [holder])
            await expect(raw, caller, row, holder, now)
            return await _read(raw, session, holder)

    async def cancel(self, caller: Caller, session: UUID, person: UUID) -> None:
        """Take a booking off the list. Declines where there is none, or somebody who has come."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await locked(raw, session)
            holder = await _holder(raw, person)
            if not caller.speaks_for(row["project"]) and not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            was = await state_of(raw, session, holder)
            if was is None:
                raise Declined(Refusal.NOT_FOUND, "There is no such booking.")
            if was is not Presence.EXPECTED:
                raise Declined(Refusal.WRONG_STATE, f"This is no booking any more: {_IN_WORDS[was]}.")
            await raw.execute("DELETE FROM scheme.attendance WHERE session = $1 AND holder = $2", session, holder)
            await acts.record(raw, caller, holder, "cancel_booking", session, now)

    async def check_in(self, caller: Caller, session: UUID, person: UUID, at: datetime | None) -> Attendance:
        """Record that somebody came, booked or not."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row, holder = await _own(raw, caller, session, person)
            return await come(raw, caller, row, holder, at, now)

    async def check_out(self, caller: Caller, session: UUID, person: UUID, at: datetime | None) -> Attendance:
        """Record that somebody left, and claim their hours."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row, holder = await _own(raw, caller, session, person)
            return await leave(raw, caller, row, holder, at, now)

    async def absent(self, caller: Caller, session: UUID, person: UUID) -> Attendance:
        """Record that somebody who was expected isn't there, or was checked in by mistake. Nobody is told."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row, holder = await _own(raw, caller, session, person)
            was = await state_of(raw, session, holder)
            if was is None:
                raise Declined(Refusal.NOT_FOUND, "They are not on this session's list.")
            if was is not Presence.ABSENT:
                if was not in {Presence.EXPECTED, Presence.CHECKED_IN}:
                    raise Declined(Refusal.WRONG_STATE, f"They have been here: {_IN_WORDS[was]}.")
                if now < row["started_at"]:
                    raise Declined(Refusal.WRONG_STATE, "The session hasn't begun; a booking can be cancelled instead.")
                await raw.execute(_SET, session, holder, Presence.ABSENT.value, None, now, caller.identity)
                await acts.by_staff(raw, caller, "marked_absent", session, now, holder=holder)
            return await _read(raw, session, holder)


async def expect(raw: asyncpg.Connection, caller: Caller, row: asyncpg.Record, holder: UUID, now: datetime) -> None:
    """Expect somebody at that session, a row of ``locked``; the holder is locked too. Who came has come."""
    if await state_of(raw, row["id"], holder) not in {None, Presence.ABSENT}:
        return
    _decline_closed(row)
    if row["ended_at"] <= now:
        raise Declined(Refusal.WRONG_STATE, "The session is over.")
    await decline_full(raw, row)
    await raw.execute(_SET, row["id"], holder, Presence.EXPECTED.value, None, now, caller.identity)
    await acts.record(raw, caller, holder, "book", row["id"], now)


async def come(  # noqa: PLR0917  # the order is that of the sentence
    raw: asyncpg.Connection, caller: Caller, row: asyncpg.Record, holder: UUID, at: datetime | None, now: datetime
) -> Attendance:
    """Record that somebody came to that session, a row of ``locked``; the holder is locked too."""
    session = row["id"]
    was = await state_of(raw, session, holder)
    if was is not Presence.CHECKED_IN:
        if was not in {None, Presence.EXPECTED, Presence.ABSENT}:
            raise Declined(Refusal.WRONG_STATE, f"They can't be checked in: {_IN_WORDS[was]}.")
        _decline_closed(row)
        moment = _moment(row, await rules.in_force(raw), at, now)
        await raw.execute(_SET, session, holder, Presence.CHECKED_IN.value, moment, now, caller.identity)
        await acts.by_staff(raw, caller, Presence.CHECKED_IN.value, session, now, holder=holder)
    return await _read(raw, session, holder)


async def leave(  # noqa: PLR0917  # likewise
    raw: asyncpg.Connection, caller: Caller, row: asyncpg.Record, holder: UUID, at: datetime | None, now: datetime
) -> Attendance:
    """Record that they left it, and claim their hours."""
    session = row["id"]
    was = await state_of(raw, session, holder)
    if was is not Presence.CHECKED_OUT:
        if was is not Presence.CHECKED_IN:
            raise Declined(Refusal.WRONG_STATE, f"They can't be checked out: {_IN_WORDS[was]}.")
        force = await rules.in_force(raw)
        came = (await _read(raw, session, holder)).checked_in_at
        assert came is not None
        stay = Stay(
            session=session,
            project=row["project"],
            holder=holder,
            came=came,
            left=_moment(row, force, at, now, came=came),
            own=holder == caller.holder,
        )
        await close(raw, force, caller.identity, [stay], now)
        await acts.by_staff(raw, caller, Presence.CHECKED_OUT.value, session, now, holder=holder)
    return await _read(raw, session, holder)


async def close(raw: asyncpg.Connection, force: InForce, by: UUID, stays: Sequence[Stay], now: datetime) -> None:
    """End these stays and claim their hours. The sessions and the holders are locked; no holder stands there twice."""
    minutes = [stay.minutes(force.rules) for stay in stays]
    await raw.execute(
        _CLOSE,
        now,
        by,
        [stay.session for stay in stays],
        [stay.holder for stay in stays],
        [Presence.AUTO_CLOSED.value if stay.auto_closed else Presence.CHECKED_OUT.value for stay in stays],
        [stay.left for stay in stays],
        minutes,
    )
    events = [
        Event(
            topic=Topic.ATTENDANCE_AUTO_CLOSED,
            holder=stay.holder,
            project=stay.project,
            object=stay.session,
            body={"minutes": given},
        )
        for stay, given in zip(stays, minutes, strict=True)
        if stay.auto_closed
    ]
    claimed = [(stay, given) for stay, given in zip(stays, minutes, strict=True) if given]
    await outbox.put(raw, events + await _claim(raw, force, by, claimed, now), now)


async def _claim(
    raw: asyncpg.Connection, force: InForce, by: UUID, stays: Sequence[tuple[Stay, int]], now: datetime
) -> list[Event]:
    """Claim these stays' minutes, and return what to tell of it. Who has a claim in the session keeps that one."""
    found = await standing(
        raw,
        [
            Given(holder=stay.holder, session=stay.session, started_at=stay.came, ended_at=stay.left)
            for stay, _ in stays
        ],
    )
    claims = []
    events = {}
    for (stay, minutes), stands in zip(stays, found, strict=True):
        weighed = weigh(
            force.rules,
            minutes,
            day_minutes=stands.day_minutes,
            overlapping=stands.overlapping,
            own=stay.own,
            auto_closed=stay.auto_closed,
        )
        state = State.QUERIED if weighed.overlapping else State.SUBMITTED
        id_ = UUID(new_key())
        claims.append(
            (
                id_,
                stay.project,
                stay.session,
                stay.holder,
                stay.came,
                stay.left,
                day_of(stay.came),
                minutes,
                state.value,
                ",".join(weighed.exceptions),
                weighed.second_needed,
            )
        )
        topics = [Topic.CLAIM_QUERIED if weighed.overlapping else Topic.CLAIM_SUBMITTED]
        if crosses_week_note(force.rules, stands.week_minutes, stands.week_minutes + minutes):
            topics.append(Topic.WEEK_ABOVE_NOTE)
        events[id_] = [
            Event(topic=topic, holder=stay.holder, project=stay.project, object=id_, body={"minutes": minutes})
            for topic in topics
        ]
    if not claims:
        return []
    made = await raw.fetch(_CLAIM, force.version, by, now, *map(list, zip(*claims, strict=True)))
    return [event for row in made for event in events[row["id"]]]


# --- what is asked for ----------------------------------------------------------------------------------------


async def locked(raw: asyncpg.Connection, session: UUID) -> asyncpg.Record:
    """The session, locked, with its project and places; declines one that isn't there."""
    row = await raw.fetchrow(_SESSION + " FOR NO KEY UPDATE OF s", session)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return row


async def _own(raw: asyncpg.Connection, caller: Caller, session: UUID, person: UUID) -> tuple[asyncpg.Record, UUID]:
    """The session and the person's holder, both locked; another project's session isn't there."""
    row = await locked(raw, session)
    if not caller.speaks_for(row["project"]):
        raise Declined(Refusal.NOT_FOUND)
    return row, await _holder(raw, person)


async def _holder(raw: asyncpg.Connection, person: UUID) -> UUID:
    """The person's holder, locked."""
    holder = await holder_of(raw, person)
    await lock_holders(raw, [holder])
    return holder


async def decline_full(raw: asyncpg.Connection, row: asyncpg.Record) -> None:
    """Decline one more at a locked session without a place left."""
    if row["places"] is not None and await raw.fetchval(_TAKEN, row["id"]) >= row["places"]:
        raise Declined(Refusal.PLACES_FULL)


def _decline_closed(row: asyncpg.Record) -> None:
    if row["cancelled_at"] is not None:
        raise Declined(Refusal.WRONG_STATE, "The session was cancelled.")
    if row["project_status"] != "active":
        raise Declined(Refusal.PROJECT_NOT_ACTIVE)


def _moment(
    row: asyncpg.Record, force: InForce, at: datetime | None, now: datetime, *, came: datetime | None = None
) -> datetime:
    """When it was: as it was sent, or now. Declines what can't be."""
    moment = at or now
    faults = []
    if moment > now:
        faults.append("must not lie in the future")
    if not day_of(row["started_at"]) <= day_of(moment) <= day_of(row["ended_at"]):
        if at is None:
            raise Declined(Refusal.WRONG_STATE, "The session isn't on today; say in `at` when it was.")
        faults.append("must lie on the session's day")
    if moment < now - timedelta(days=force.rules.back_days):
        faults.append(f"must be at most {force.rules.back_days} days ago")
    if came is not None and not came <= moment <= came + SESSION_MAX:
        faults.append("must be at most 24 hours after they were checked in, and not before")
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(("at", fault) for fault in faults))
    return moment


async def state_of(raw: asyncpg.Connection, session: UUID, holder: UUID) -> Presence | None:
    """Where that holder's attendance stands; None: they aren't on the session's list."""
    state = await raw.fetchval(
        "SELECT state FROM scheme.attendance WHERE session = $1 AND holder = $2", session, holder
    )
    return None if state is None else Presence(state)


async def _read(raw: asyncpg.Connection, session: UUID, holder: UUID) -> Attendance:
    row = await raw.fetchrow(_BY_HOLDER, session, holder)
    assert row is not None
    return _attendance(row)


def _attendance(row: asyncpg.Record) -> Attendance:
    return Attendance(**{**row, "state": Presence(row["state"])})


_SESSION = """
SELECT s.id, s.project, s.started_at, s.ended_at, s.cancelled_at, p.status AS project_status, o.places,
    coalesce(o.status = 'published' AND p.status = 'active', false) AS shown
FROM scheme.session s
JOIN scheme.project p ON p.id = s.project
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.id = $1
"""
_EXPECTED = """
SELECT s.id AS session, s.project, s.opportunity, o.title, p.alias, o.place, s.started_at AS starts_at,
    s.ended_at AS ends_at, s.cancelled_at IS NOT NULL AS cancelled
FROM scheme.attendance a
JOIN scheme.session s ON s.id = a.session
JOIN scheme.project p ON p.id = s.project
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE a.holder = $1 AND a.state = 'expected'
    AND CASE WHEN s.cancelled_at IS NULL THEN s.ended_at > $2 ELSE s.started_at >= $3 END
ORDER BY s.started_at, s.id LIMIT $4
"""
_TAKEN = "SELECT count(*) FROM scheme.attendance WHERE session = $1 AND state <> 'absent'"
_SET = """
INSERT INTO scheme.attendance (session, holder, state, checked_in_at, changed_at, by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT attendance_pkey DO UPDATE
SET state = EXCLUDED.state, checked_in_at = EXCLUDED.checked_in_at, changed_at = EXCLUDED.changed_at,
    by = EXCLUDED.by
"""
_CLOSE = """
UPDATE scheme.attendance a
SET state = u.state, checked_out_at = u.left_at, minutes = u.minutes, changed_at = $1, by = $2
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::integer[])
    u (session, holder, state, left_at, minutes)
WHERE a.session = u.session AND a.holder = u.holder
"""
_CLAIM = """
INSERT INTO scheme.claim (source, rules, by, created_at, changed_at,
    id, project, session, holder, started_at, ended_at, day, minutes, state, exceptions, second_needed)
SELECT 'attendance', $1, $2, $3::timestamptz, $3,
    u.id, u.project, u.session, u.holder, u.started_at, u.ended_at, u.day, u.minutes, u.state,
    string_to_array(u.exceptions, ','), u.second_needed
FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::timestamptz[], $9::timestamptz[], $10::date[],
        $11::integer[], $12::text[], $13::text[], $14::boolean[])
    u (id, project, session, holder, started_at, ended_at, day, minutes, state, exceptions, second_needed)
ON CONFLICT ON CONSTRAINT claim_once_a_session DO NOTHING
RETURNING id
"""
_SELECT = """
SELECT a.session, p.id AS person, p.name, a.state, a.checked_in_at, a.checked_out_at, a.minutes,
    (SELECT id FROM scheme.claim WHERE session = a.session AND holder = a.holder) AS claim
FROM scheme.attendance a
JOIN scheme.holder h ON h.id = a.holder
JOIN scheme.person p ON p.id = h.person
WHERE a.session = $1
"""
_BY_HOLDER = _SELECT + "AND a.holder = $2"
_PAGE = _SELECT + (
    "AND ($2::text IS NULL OR (lower(p.name), p.id) > (lower($2), $3::uuid)) ORDER BY lower(p.name), p.id LIMIT $4"
)
