"""Acts: who did what for or about whom, so that whoever it concerns, and the auditor, can see it.

    in the transaction of the act itself: record(...), or by_staff(...) where it concerns nobody in particular

What is written: what helpers do for somebody; whatever the scheme's staff change; who reads a contact, a copy of
everything or codes that are money; a helper or a project who looks at what somebody has; and who reads the names of
those at a *sensitive* project. Other reading isn't, such as of hours by those who decide on them, nor what people do
for themselves, nor what a project or a venue does at its own. Credits that staff move for a till stand in the journal
alone: each entry names its actor.

A row holds ids only, and stays when a person is erased: it then concerns a holder that is nobody's. There are some
dozens a day for each of the staff, kept for good; each list of them is read by an index, in pages.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import LONDON


class Act(Struct, frozen=True, kw_only=True):
    """Something that was done: when, by whom under which key, what, for or about whom, and to which object."""

    id: UUID
    at: datetime
    by: UUID
    """The holder who acted, or the key where nobody in particular is behind it."""
    person: UUID | None
    """That holder's person, while they are known."""
    key: UUID
    """The API key, or the sign-in."""
    scope: Scope
    verb: str
    holder: UUID | None
    """Whom it concerned, if anybody."""
    object: UUID | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which acts: by whom, about whom, what, from which day on; what isn't said is any."""

    by: UUID | None = None
    holder: UUID | None = None
    verb: str | None = None
    since: date | None = None


class Acts:
    """Reading the audit trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: Wanted, *, before: UUID | None, limit: int) -> Sequence[Act]:
        """The acts that are wanted, newest first; ``before`` is the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            return await trail(raw, wanted, before=before, limit=limit)


def is_own(caller: Caller, holder: UUID) -> bool:
    """Whether this is the holder's own key: theirs as a person, not one that they use at work."""
    return caller.scope is Scope.PERSON and caller.holder == holder


async def record(  # noqa: PLR0917  # each has its own type, and the order is that of the sentence
    raw: asyncpg.Connection, caller: Caller, holder: UUID | None, verb: str, object_: UUID | None, now: datetime
) -> None:
    """Write that the caller did this for or about that holder, in their transaction; nothing if they are the same.

    ``None`` is for what concerns nobody in particular and is to be known all the same: who read codes that are money.
    """
    if holder is None or not is_own(caller, holder):
        await raw.execute(
            _RECORD, UUID(new_key()), now, caller.identity, caller.key, caller.scope.value, holder, verb, object_
        )


async def by_staff(
    raw: asyncpg.Connection,
    caller: Caller,
    verb: str,
    object_: UUID | None,
    now: datetime,
    *,
    holder: UUID | None = None,
) -> None:
    """Write what staff changed, about that holder or nobody in particular; a project's or a venue's work isn't."""
    if caller.scope is Scope.SCHEME:
        await record(raw, caller, holder, verb, object_, now)


async def read_names(raw: asyncpg.Connection, caller: Caller, project: UUID, now: datetime) -> None:
    """Write that the caller reads who volunteers at the project, if that is sensitive; people read their own."""
    if caller.scope is not Scope.PERSON and await raw.fetchval(_SENSITIVE, project):
        await record(raw, caller, None, "people_of_sensitive_project", project, now)


async def listed(raw: asyncpg.Connection, holder: UUID, *, before: UUID | None, limit: int) -> Sequence[Act]:
    """What was done for or about that holder, newest first; ``before`` is the last one seen."""
    return await trail(raw, Wanted(holder=holder), before=before, limit=limit)


async def trail(raw: asyncpg.Connection, wanted: Wanted, *, before: UUID | None, limit: int) -> Sequence[Act]:
    """The acts that are wanted, newest first; ``before`` is the last one seen."""
    # By the index of what is told of the acts that are wanted; the first of these is in the fewest.
    asked = ("holder", wanted.holder), ("by", wanted.by), ("verb", wanted.verb)
    index = next((name for name, value in asked if value is not None), "at")
    since = wanted.since and datetime.combine(wanted.since, time(), LONDON)
    rows = await raw.fetch(_TRAILS[index], before, limit, wanted.holder, wanted.by, wanted.verb, since)
    return [Act(**{**row, "scope": Scope(row["scope"])}) for row in rows]


_SENSITIVE = "SELECT sensitive FROM scheme.project WHERE id = $1"
_RECORD = """
INSERT INTO scheme.act (id, at, by, key, scope, holder, verb, object) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TRAIL = """
SELECT a.id, a.at, a.by, h.person, a.key, a.scope, a.verb, a.holder, a.object
FROM scheme.act a
LEFT JOIN scheme.holder h ON h.id = a.by
WHERE (a.at, a.id) < (
        coalesce((SELECT last.at FROM scheme.act last WHERE last.id = $1), 'infinity'),
        coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
    AND ($3::uuid IS NULL OR a.holder = $3)
    AND ($4::uuid IS NULL OR a.by = $4)
    AND ($5::text IS NULL OR a.verb = $5)
    AND ($6::timestamptz IS NULL OR a.at >= $6)
    {}
ORDER BY a.at DESC, a.id DESC
LIMIT $2
"""
_TRAILS: Final[Mapping[str, str]] = {
    "holder": _TRAIL.format("AND a.holder = $3"),
    "by": _TRAIL.format("AND a.by = $4"),
    "verb": _TRAIL.format("AND a.verb = $5"),
    "at": _TRAIL.format(""),
}
