"""People of a project, as its desk sees them: whom it knows by name, their card, and what they have on a slip.

Known to a project is who came, is expected or gave hours there (`people.is_known_to`); to anybody else they aren't
there. Found by name are those of the last `LATELY`, by the beginning of any word of it: of a project's claims and
attendances of that time, read by index, which at a busy one are some thousand rows and 10 ms. Names of a sensitive
project are read in a transaction that says so (`acts.read_names`).

A slip tells somebody what they have, where they gave hours and they were approved; that it was made stands in their
acts. It lies about on a table: of what they do elsewhere it says that, and not where.

What bounds it: `CHOSEN_MAX` people at a time, `SLIP_LINES` lines.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts
from ledger.scheme.answers import Answers
from ledger.scheme.attendances import expect, locked
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.credentials import CARDS_MAX, Status
from ledger.scheme.lines import Line, lines_of
from ledger.scheme.namesakes import NameKnown, Namesake
from ledger.scheme.people import is_known_to, make_known
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sheets import Sheets

# As long as contacts are kept (rule 28): who has been away for longer is found by the scheme's staff.
LATELY: Final = timedelta(days=730)
CHOSEN_MAX: Final = CARDS_MAX
SLIP_LINES: Final = 5


class Known(Struct, frozen=True, kw_only=True):
    """Somebody whom a project knows, and the card that they have now, if any.

    ``ours`` is whether this project issued it, and so may print, replace and unblock it. ``gave`` is whether hours of
    theirs were approved here: then there can be a slip.
    """

    id: UUID
    name: str
    card: UUID | None
    status: Status | None
    issued_at: datetime | None
    ours: bool
    gave: bool

    @property
    def printable(self) -> bool:
        """Whether the project may print their card, and it would be taken at a till."""
        return self.ours and self.status is Status.ACTIVE


class Slip(Struct, frozen=True, kw_only=True):
    """What somebody has, in minutes, and their newest lines, newest first; and whether they would have large print."""

    name: str
    large_print: bool
    available: int
    held: int
    at: datetime
    lines: Sequence[Line]


class Welcomed(Struct, frozen=True, kw_only=True):
    """Somebody new, who is expected at a session."""

    person: UUID
    session: UUID


class _Welcome(Struct, frozen=True, kw_only=True, tag="welcome", tag_field="operation"):
    project: UUID
    name: str
    session: UUID


class ProjectPeople:
    """Finding a project's people, making somebody new known to it, and their slips."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)
        self._sheets = Sheets(database, clock)

    async def named(
        self, caller: Caller, project: UUID, begins: str, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Known]:
        """Those of whose names a word begins so, in any case, by name; ``after`` is the last one seen."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await need_project(raw, caller, project)
            await acts.read_names(raw, caller, project, now)
            rows = await raw.fetch(_NAMED, project, now - LATELY, begins.strip(), *(after or (None, None)), limit)
        return [_known(row) for row in rows]

    async def chosen(self, caller: Caller, project: UUID, people: Sequence[UUID]) -> Sequence[Known]:
        """These people by name, as far as they are known to the project. Declines more than `CHOSEN_MAX`."""
        if len(people) > CHOSEN_MAX:
            raise Declined(Refusal.WRONG_VALUES, fields=(("person", f"must be {CHOSEN_MAX} at most"),))
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await need_project(raw, caller, project)
            await acts.read_names(raw, caller, project, now)
            rows = await raw.fetch(_CHOSEN, project, list(people))
        return [_known(row) for row in rows]

    async def get(self, caller: Caller, project: UUID, person: UUID) -> Known:
        """One of them, or ``not_found``."""
        found = await self.chosen(caller, project, [person])
        if not found:
            raise Declined(Refusal.NOT_FOUND)
        return found[0]

    async def welcome(
        self, caller: Caller, key: str, project: UUID, name: str, session: UUID, *, another: bool
    ) -> tuple[Welcomed, bool]:
        """Make somebody new known and expect them at a session of the project's; and whether this is a replay.

        Not ``another``: declines with `NameKnown` where the project knows somebody by that name, as a register does.
        """
        known = [] if another else await self._namesakes(caller, project, name)

        async def work(raw: asyncpg.Connection, now: datetime) -> Welcomed:
            row = await _session(raw, caller, project, session)
            if known:
                raise NameKnown(known)
            ((person, holder),) = await make_known(raw, [name], now)
            await acts.by_staff(raw, caller, "person_added", None, now, holder=holder)
            await lock_holders(raw, [holder])
            await expect(raw, caller, row, holder, now)
            return Welcomed(person=person, session=session)

        asked = _Welcome(project=project, name=name, session=session)
        return await self._answers.once(caller, key, asked, work, Welcomed)

    async def expect(self, caller: Caller, project: UUID, person: UUID, session: UUID) -> None:
        """Expect somebody whom the project knows at a session of its own; where they are on its list, they are."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await _session(raw, caller, project, session)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person)
            if holder is None or not await is_known_to(raw, holder, project):
                raise Declined(Refusal.NOT_FOUND)
            await lock_holders(raw, [holder])
            await expect(raw, caller, row, holder, self._clock())

    async def _namesakes(self, caller: Caller, project: UUID, name: str) -> Sequence[Namesake]:
        (found,), _people = await self._sheets.find(caller, project, [name])
        return [Namesake(person=each.person, name=each.name, last_at=each.last_at) for each in found]

    async def slip(self, caller: Caller, project: UUID, person: UUID) -> Slip:
        """What somebody has who gave hours here, or ``not_found``; it is recorded."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await need_project(raw, caller, project)
            row = await raw.fetchrow(_WHO, person, project)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            await acts.looked(raw, caller, row["holder"], "balance_read", None, now, projects=[project])
            wallet, held = account("wallet", row["holder"]), account("held", row["holder"])
            balances = await reading.balances(raw, [wallet, held])
            lines = await lines_of(raw, caller, row["holder"], now, before=None, limit=SLIP_LINES)
        return Slip(
            name=row["name"],
            large_print=row["large_print"],
            available=balances[wallet],
            held=balances[held],
            at=now,
            lines=[_discreet(line, row["alias"]) for line in lines],
        )


async def _session(raw: asyncpg.Connection, caller: Caller, project: UUID, session: UUID) -> asyncpg.Record:
    """The project's session, as ``expect`` takes it."""
    await need_project(raw, caller, project)
    row = await locked(raw, session)
    if row["project"] != project:
        raise Declined(Refusal.NOT_FOUND)
    return row


def _discreet(line: Line, alias: str) -> Line:
    """Without what somebody does elsewhere."""
    return structs.replace(
        line, venue=None, offer=None, group=None, other=None, project=line.project if line.project == alias else None
    )


def _known(row: asyncpg.Record) -> Known:
    return Known(**{**row, "status": row["status"] and Status(row["status"])})


_SEEN = """
{}
SELECT p.id, p.name, k.id AS card, k.status, k.issued_at, coalesce(k.project = $1, false) AS ours, EXISTS (
    SELECT FROM scheme.counted WHERE holder = h.id AND project = $1 AND state = 'approved'
) AS gave
FROM scheme.person p
JOIN scheme.holder h ON h.person = p.id
LEFT JOIN scheme.credential k ON k.holder = h.id AND k.kind = 'card' AND k.status IN ('active', 'blocked')
WHERE {}
ORDER BY lower(p.name), p.id
{}
"""
# Hours that were taken back whole make nobody known, as in `people`.
_LATELY_KNOWN = """
WITH known AS (
    SELECT c.holder FROM scheme.claim c
    WHERE c.project = $1 AND c.state IN ('submitted', 'queried', 'approved') AND c.created_at > $2
        AND (SELECT after FROM scheme.correction WHERE claim = c.id ORDER BY number DESC LIMIT 1) IS DISTINCT FROM 0
    UNION
    SELECT a.holder FROM scheme.session s JOIN scheme.attendance a ON a.session = s.id
    WHERE s.project = $1 AND s.started_at > $2
)"""
_NAMED = _SEEN.format(
    _LATELY_KNOWN,
    """
    h.id IN (SELECT holder FROM known) AND position(' ' || lower($3) IN ' ' || lower(p.name)) > 0
    AND ($4::text IS NULL OR (lower(p.name), p.id) > (lower($4), $5::uuid))
""",
    "LIMIT $6",
)
_CHOSEN = _SEEN.format(
    "",
    """
    p.id = ANY($2::uuid[]) AND (
        EXISTS (
            SELECT FROM scheme.attendance a JOIN scheme.session s ON s.id = a.session
            WHERE a.holder = h.id AND s.project = $1
        )
        OR EXISTS (SELECT FROM scheme.counted WHERE holder = h.id AND project = $1)
    )
""",
    "",
)
# Approved hours only, as for a balance.
_WHO = """
SELECT h.id AS holder, p.name, j.alias,
    coalesce((SELECT large_print FROM scheme.preference WHERE person = p.id), false) AS large_print
FROM scheme.holder h JOIN scheme.person p ON p.id = h.person CROSS JOIN scheme.project j
WHERE p.id = $1 AND j.id = $2
    AND EXISTS (SELECT FROM scheme.counted WHERE holder = h.id AND project = $2 AND state = 'approved')
"""
