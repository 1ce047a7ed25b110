"""Roles: what somebody may do besides being a volunteer, for a project, a venue or the whole scheme.

    grant: lock the person -> one live role of a kind and place -> row, act, event
    end: lock the scheme's staff, then them -> row, the API keys that stood on it, act, event
                                                         all of it at once: see ``leaving``

Staff grant and end them, to others than themselves; rights are read at each request, so what ended stops working at
once, on pages and by the API: the keys in their name that stood on that role end with it (``keys``). Of the devices
that they had enrolled those in use stay, for they are the venue's or the project's; a code that nobody typed yet is no
longer taken (``devices``).

**Staff are made by two of the staff**, who give the same role within `ASKED_LASTS`: the first asks for it, which stands
in the audit trail, and the second grants it. So nobody makes a second one of themselves, where two of the staff have to
agree. The first two are made by the operator. The scheme keeps at least one: the last one's role ends after another was
granted one. A role stays when its project or venue ends, where there is then nothing to do with it, and is kept when it
ended, for what was done under it is recorded.

What bounds it: ``ROLES_MAX`` live roles of somebody.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts, keys, outbox
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal

# Somebody who coordinates and approves at twenty projects; with more nobody knows any longer who may do what.
ROLES_MAX: Final = 40
# As for recoveries: whoever asks on a Friday finds somebody on Monday.
ASKED_LASTS: Final = timedelta(hours=72)


class Role(StrEnum):
    """What somebody may do. Everybody is a volunteer; helpers and guardians stand in tables of their own."""

    COORDINATOR = "coordinator"
    APPROVER = "approver"
    MANAGER = "manager"
    STAFF = "staff"
    AUDITOR = "auditor"


OF_PROJECT: Final = frozenset({Role.COORDINATOR, Role.APPROVER})
"""What is held at a project; a manager is a venue's, the others are the whole scheme's."""


class Held(Struct, frozen=True, kw_only=True):
    """A role as somebody holds it: of which project or venue, and ``place``, the name of that."""

    id: UUID
    role: Role
    project: UUID | None = None
    venue: UUID | None = None
    place: str | None = None


class Assignment(Struct, frozen=True, kw_only=True):
    """A role, whose it is, and since when; ``person`` is None once they were erased."""

    id: UUID
    person: UUID | None
    role: Role
    project: UUID | None
    venue: UUID | None
    granted_at: datetime
    ended_at: datetime | None = None


class Holding(Assignment, frozen=True, kw_only=True):
    """The same with the name of whoever has it, and of the project or venue."""

    name: str
    place: str | None


class Granted(Assignment, frozen=True, kw_only=True):
    """The same as it was given."""

    waits: bool = False
    """Whether it isn't granted yet: another of the staff has to give it too."""


class Asked(Struct, frozen=True, kw_only=True):
    """That somebody becomes one of the staff: which asking, by whom, when, and until when another can agree."""

    id: UUID
    by: UUID
    """The holder who asked."""
    by_name: str
    at: datetime
    ends_at: datetime


class Grant(Struct, frozen=True, kw_only=True, tag="role_grant", tag_field="operation"):
    """Who shall have which role, and where."""

    person: UUID
    role: Role
    project: UUID | None = None
    venue: UUID | None = None


class _End(Struct, frozen=True, kw_only=True, tag="role_end", tag_field="operation"):
    role: UUID


class Roles:
    """Granting roles and ending them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def grant(self, caller: Caller, key: str, grant: Grant) -> tuple[Granted, bool]:
        """Give somebody a role, and whether this is the replay of an answer. The same again finds the live role.

        That of the staff ``waits`` until another of them gives it too.
        """
        _check_place(grant)

        async def work(raw: asyncpg.Connection, now: datetime) -> Granted:
            return await _granted(raw, caller, grant, now)

        return await self._answers.once(caller, key, grant, work, Granted)

    async def asked(self, caller: Caller, person: UUID) -> Sequence[Asked]:
        """Who of the staff asked that this person becomes one of them, as far as another can agree; for staff."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            if caller.scope is not Scope.SCHEME:
                raise Declined(Refusal.NOT_FOUND)
            return await _asked(raw, await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person), now)

    async def end(self, caller: Caller, key: str, role: UUID) -> tuple[Assignment, bool]:
        """End a role now, for good; ending it again changes nothing. Declines the last one of the scheme's staff."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Assignment:
            return await _ended(raw, caller, role, now)

        return await self._answers.once(caller, key, _End(role=role), work, Assignment)

    async def of(self, caller: Caller, person: UUID) -> Sequence[Held]:
        """The roles that the person has, for themselves and for staff."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person)
            if holder is None or not (caller.scope is Scope.SCHEME or is_own(caller, holder)):
                raise Declined(Refusal.NOT_FOUND)
            return await held(raw, holder)

    async def page(
        self,
        *,
        project: UUID | None = None,
        venue: UUID | None = None,
        of_scheme: bool = False,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Holding]:
        """Who has which role, of a project, a venue, the scheme itself or everywhere, in the order they were granted.

        For staff.
        """
        async with self._database.reading() as connection:
            raw = driver(connection)
            if project is not None:
                rows = await raw.fetch(_OF_PROJECT, after, limit, project)
            elif venue is not None:
                rows = await raw.fetch(_OF_VENUE, after, limit, venue)
            else:
                rows = await raw.fetch(_OF_SCHEME if of_scheme else _ALL, after, limit)
        return [Holding(**{**row, "role": Role(row["role"])}) for row in rows]


async def held(raw: asyncpg.Connection, holder: UUID) -> Sequence[Held]:
    """The roles that this holder has now."""
    return [Held(**{**row, "role": Role(row["role"])}) for row in await raw.fetch(_OF, holder)]


async def end_all(raw: asyncpg.Connection, holder: UUID, by: UUID, now: datetime) -> int:
    """End all roles of that holder, in the caller's transaction, and return how many they were."""
    return int((await raw.execute(_END_ALL, holder, now, by)).split()[-1])


async def lock_staff(raw: asyncpg.Connection) -> frozenset[UUID]:
    """The holders of the scheme's staff, who stay so until the transaction ends."""
    return frozenset(row["holder"] for row in await raw.fetch(_STAFF))


def need_another(staff: frozenset[UUID], holder: UUID) -> None:
    """Decline to take that role from the last of them."""
    if staff == {holder}:
        raise Declined(
            Refusal.WRONG_STATE, "They are the last of the scheme's staff: give somebody else that role first."
        )


def _check_place(grant: Grant) -> None:
    wanted = "project" if grant.role in OF_PROJECT else "venue" if grant.role is Role.MANAGER else None
    faults = []
    for field, given in (("project", grant.project), ("venue", grant.venue)):
        if field == wanted and given is None:
            faults.append((field, f"must say of which {field} they are {grant.role}"))
        if field != wanted and given is not None:
            faults.append((field, f"must be absent: {grant.role} is no role of a {field}"))
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))


async def need_staff(raw: asyncpg.Connection, caller: Caller) -> UUID:
    """The holder who asks, if they are of the staff now: somebody, and not a key with nobody behind it."""
    if caller.scope is not Scope.SCHEME or caller.holder is None or not await raw.fetchval(_IS_STAFF, caller.holder):
        raise Declined(Refusal.STAFF_ONLY, "This takes two of the scheme's staff, each signed in as themselves.")
    return caller.holder


async def _asked(raw: asyncpg.Connection, holder: UUID | None, now: datetime) -> Sequence[Asked]:
    rows = await raw.fetch(_ASKED, holder, now - ASKED_LASTS)
    return [Asked(**row, ends_at=row["at"] + ASKED_LASTS) for row in rows]


async def _first(raw: asyncpg.Connection, caller: Caller, holder: UUID, grant: Grant, now: datetime) -> Granted | None:
    """What waits for another of the staff, if nobody but the caller has asked for it of late."""
    staff = await need_staff(raw, caller)
    asked = await _asked(raw, holder, now)
    if any(each.by != staff for each in asked):
        return None
    id_, at = (asked[0].id, asked[0].at) if asked else (UUID(new_key()), now)
    if not asked:
        await acts.record(raw, caller, holder, "staff_asked", id_, at)
    return Granted(id=id_, person=grant.person, role=grant.role, project=None, venue=None, granted_at=at, waits=True)


async def _granted(raw: asyncpg.Connection, caller: Caller, grant: Grant, now: datetime) -> Granted:
    # They stay where they are until the end: nobody is erased meanwhile, and two grants see each other.
    holder = await raw.fetchval(_LOCK, grant.person)
    if holder is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("person", "is nobody of this scheme"),))
    if holder == caller.holder:
        raise Declined(Refusal.WRONG_STATE, "Nobody gives themselves a role: somebody else of the staff does.")
    for field, place, found in (
        ("project", grant.project, await raw.fetchval(_PROJECT, grant.project)),
        ("venue", grant.venue, await raw.fetchval(_VENUE, grant.venue)),
    ):
        if place is not None and found is None:
            raise Declined(Refusal.WRONG_VALUES, fields=((field, f"is no {field} of this scheme"),))
        if found == "ended":
            raise Declined(Refusal.WRONG_STATE, f"That {field} has ended.")
    live = [_assignment(row) for row in await raw.fetch(_LIVE, holder)]
    for one in live:
        if (one.role, one.project, one.venue) == (grant.role, grant.project, grant.venue):
            return Granted(**msgspec.structs.asdict(one))
    if len(live) >= ROLES_MAX:
        raise Declined(Refusal.WRONG_STATE, f"They have {ROLES_MAX} roles already, which is the most: end one first.")
    id_ = UUID(new_key())
    if grant.role is Role.STAFF and caller != OPERATOR and (waits := await _first(raw, caller, holder, grant, now)):
        return waits
    await raw.execute(_GRANT, id_, holder, grant.role.value, grant.project, grant.venue, now, caller.identity)
    await acts.record(raw, caller, holder, Topic.ROLE_GRANTED.value, id_, now)
    await outbox.put(raw, [Event(topic=Topic.ROLE_GRANTED, holder=holder, project=grant.project, object=id_)], now)
    return Granted(
        id=id_, person=grant.person, role=grant.role, project=grant.project, venue=grant.venue, granted_at=now
    )


async def _ended(raw: asyncpg.Connection, caller: Caller, id_: UUID, now: datetime) -> Assignment:
    staff = await lock_staff(raw)
    row = await raw.fetchrow(_ONE, id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    role = _assignment(row)
    if role.ended_at is not None:
        return role
    if role.role is Role.STAFF:
        need_another(staff, row["holder"])
    await raw.execute(_END, id_, now, caller.identity)
    await acts.record(raw, caller, row["holder"], Topic.ROLE_ENDED.value, id_, now)
    await keys.end_unfounded(raw, caller, row["holder"], now)
    event = Event(topic=Topic.ROLE_ENDED, holder=row["holder"], project=role.project, object=id_)
    await outbox.put(raw, [event], now)
    return msgspec.structs.replace(role, ended_at=now)


def _assignment(row: asyncpg.Record) -> Assignment:
    return Assignment(
        id=row["id"],
        person=row["person"],
        role=Role(row["role"]),
        project=row["project"],
        venue=row["venue"],
        granted_at=row["granted_at"],
        ended_at=row["ended_at"],
    )


_LOCK = "SELECT id FROM scheme.holder WHERE person = $1 FOR NO KEY UPDATE"
_PROJECT = "SELECT status FROM scheme.project WHERE id = $1 FOR SHARE"
_VENUE = "SELECT status FROM scheme.venue WHERE id = $1 FOR SHARE"
# Locked in one order, so that of two who end each other's role the second sees that they are the last.
_STAFF = """
SELECT holder FROM scheme.role
WHERE role = 'staff' AND ended_at IS NULL AND project IS NULL AND venue IS NULL
ORDER BY id FOR NO KEY UPDATE
"""
_IS_STAFF = "SELECT true FROM scheme.role WHERE holder = $1 AND role = 'staff' AND ended_at IS NULL"
# Of those who are of the staff still, since the person became one last.
_ASKED = """
SELECT a.object AS id, a.by, p.name AS by_name, a.at
FROM scheme.act a
JOIN scheme.holder h ON h.id = a.by
JOIN scheme.person p ON p.id = h.person
WHERE a.holder = $1 AND a.verb = 'staff_asked' AND a.at > $2
    AND EXISTS (SELECT FROM scheme.role r WHERE r.holder = a.by AND r.role = 'staff' AND r.ended_at IS NULL)
    AND NOT EXISTS (SELECT FROM scheme.role r WHERE r.holder = a.holder AND r.role = 'staff' AND r.granted_at >= a.at)
ORDER BY a.at, a.id
"""
_LIVE = """
SELECT r.id, h.person, r.role, r.project, r.venue, r.granted_at, r.ended_at
FROM scheme.role r JOIN scheme.holder h ON h.id = r.holder
WHERE r.holder = $1 AND r.ended_at IS NULL
"""
# Their row too, so that no key is made for them meanwhile.
_ONE = """
SELECT r.id, r.holder, h.person, r.role, r.project, r.venue, r.granted_at, r.ended_at
FROM scheme.role r JOIN scheme.holder h ON h.id = r.holder
WHERE r.id = $1
FOR NO KEY UPDATE OF r, h
"""
_OF = """
SELECT r.id, r.role, r.project, r.venue, coalesce(p.name, v.name) AS place
FROM scheme.role r
LEFT JOIN scheme.project p ON p.id = r.project
LEFT JOIN scheme.venue v ON v.id = r.venue
WHERE r.holder = $1 AND r.ended_at IS NULL
ORDER BY r.role, place, r.id
"""
_HOLDINGS = """
SELECT r.id, h.person, r.role, r.project, r.venue, r.granted_at, r.ended_at, who.name,
    coalesce(p.name, v.name) AS place
FROM scheme.role r
JOIN scheme.holder h ON h.id = r.holder
JOIN scheme.person who ON who.id = h.person
LEFT JOIN scheme.project p ON p.id = r.project
LEFT JOIN scheme.venue v ON v.id = r.venue
WHERE r.ended_at IS NULL AND r.id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000') {}
ORDER BY r.id LIMIT $2
"""
_ALL = _HOLDINGS.format("")
_OF_SCHEME = _HOLDINGS.format("AND r.project IS NULL AND r.venue IS NULL")
_OF_PROJECT = _HOLDINGS.format("AND r.project = $3")
_OF_VENUE = _HOLDINGS.format("AND r.venue = $3")
_GRANT = """
INSERT INTO scheme.role (id, holder, role, project, venue, granted_at, granted_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_END = "UPDATE scheme.role SET ended_at = $2, ended_by = $3 WHERE id = $1"
_END_ALL = "UPDATE scheme.role SET ended_at = $2, ended_by = $3 WHERE holder = $1 AND ended_at IS NULL"
