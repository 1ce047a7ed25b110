"""Acts: who did what for or about whom, so that whoever it concerns, and the auditor, can see it.

    in the transaction of the act itself: record(...), or by_staff(...) where it concerns nobody in particular
    in the transaction of the look:       looked(...), looked_today(...), read_names(...)

**Doing.** Whatever helpers do for somebody and whatever the scheme's staff change is written, what they move of credits
too. What people do for themselves isn't, nor what a project or a venue does at its own.

**Looking** leaves an act unless it is at one's own:

- Whoever is told that somebody volunteers at a *sensitive* project, be it a helper, the project itself or staff: one
  for each such project that the answer names, and about whom, if it is about one person.
- A helper: whatever they look at of what somebody has, did or will do. A project: what somebody has.
- Staff: what somebody did or will do (home, statement, hours, bookings, gifts, a copy), how they may be reached, what
  they are cleared for, and codes that are money; that they had somebody's page at the desk open, once a day.

None for what names nobody's doings: figures alone, to staff (a balance, what of it ends); lists of names, and who may
act for whom or has which card and role, which the office keeps itself; a receipt or an entry, which are by number; a
venue's own day; and this trail.

Who acted is told by the holder, or the device or key where nobody in particular is behind it (`Caller.identity`), and
as what they did. The journal names the same one as an entry's actor. Neither is ever deleted, as the sign-in is by
which it was done: so both are told apart for as long as they are kept.

A row holds ids only, and stays when a person is erased: it then concerns a holder that is nobody's. There are some
dozens a day for each of the staff, kept for good; each list of them is read by an index, in pages. A look costs one
statement more, in its own transaction: 0.2 ms, and the COMMIT is written to disk. The service can add a row, and can
neither change nor delete one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import LONDON

# What is written of a sensitive project; its object is the project.
NAMES_READ: Final = "people_of_sensitive_project"


class Act(Struct, frozen=True, kw_only=True):
    """Something that was done: when, by whom under which key, what, for or about whom, and to which object."""

    id: UUID
    at: datetime
    by: UUID
    """The holder who acted, or the device or key where nobody in particular is behind it."""
    person: UUID | None
    """That holder's person, while they are known."""
    key: UUID
    """The API key, or the sign-in."""
    scope: Scope
    verb: str
    holder: UUID | None
    """Whom it concerned, if anybody."""
    object: UUID | None
    device: UUID | None
    """The till or kiosk that acted, if it was one. A kiosk does so for whoever shows a card or pass there."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which acts: by whom, about whom, what, from which day on and up to which; what isn't said is any.

    Of several ``verbs`` any: they are looked for among all acts, so they are for what is done often.
    """

    by: UUID | None = None
    holder: UUID | None = None
    verb: str | None = None
    verbs: Sequence[str] | None = None
    since: date | None = None
    until: date | None = None


class Acts:
    """Reading the audit trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: Wanted, *, before: UUID | None, limit: int) -> Sequence[Act]:
        """The acts that are wanted, newest first; ``before`` is the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            return await trail(raw, wanted, before=before, limit=limit)

    async def ending(self, digits: str) -> Collection[UUID]:
        """Whose number, of all who may act or be acted for, ends with these eight digits; two of them at most."""
        async with self._database.reading() as connection:
            return {row["id"] for row in await driver(connection).fetch(_ENDING, digits.lower())}


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


async def looked(  # noqa: PLR0917  # as above
    raw: asyncpg.Connection,
    caller: Caller,
    holder: UUID,
    verb: str,
    object_: UUID | None,
    now: datetime,
    *,
    projects: Collection[UUID] = (),
) -> None:
    """Write that the caller looked at this of that holder's; nothing if they are the same.

    ``projects`` are those at which the answer tells that they volunteer.
    """
    if not is_own(caller, holder):
        await _write(raw, caller, holder, [(verb, object_), *((NAMES_READ, each) for each in projects)], now)


async def looked_today(raw: asyncpg.Connection, caller: Caller, holder: UUID, verb: str, now: datetime) -> None:
    """The same of what is opened many times while somebody stands in front of them: written once a day."""
    if not await raw.fetchval(_WRITTEN, holder, now - _DAY, caller.identity, verb):
        await looked(raw, caller, holder, verb, None, now)


async def read_names(raw: asyncpg.Connection, caller: Caller, project: UUID, now: datetime) -> None:
    """Write that the caller reads who volunteers at the project, if that is sensitive; people read their own."""
    await read_names_at(raw, caller, [project], now)


async def read_names_at(
    raw: asyncpg.Connection,
    caller: Caller,
    projects: Collection[UUID],
    now: datetime,
    *,
    holder: UUID | None = None,
) -> None:
    """The same of several projects, or that this one of their people was looked at."""
    if caller.scope is not Scope.PERSON:
        await _write(raw, caller, holder, [(NAMES_READ, each) for each in projects], now)


async def _write(
    raw: asyncpg.Connection,
    caller: Caller,
    holder: UUID | None,
    said: Sequence[tuple[str, UUID | None]],
    now: datetime,
) -> None:
    """Write these at once: verbs and what they are about. A project is named only where it is sensitive."""
    if said:
        ids, (verbs, objects) = [UUID(new_key()) for _ in said], zip(*said, strict=True)
        by = (now, caller.identity, caller.key, caller.scope.value, holder)
        await raw.execute(_LOOKED, *by, ids, verbs, objects, NAMES_READ)


async def listed(raw: asyncpg.Connection, holder: UUID, *, before: UUID | None, limit: int) -> Sequence[Act]:
    """What was done for or about that holder, as they are told it, newest first; ``before`` is the last one seen.

    That a helper or staff saw a sensitive project's name is the auditor's to know: here the look itself stands already.
    """
    return _acts(await raw.fetch(_LISTED, before, limit, holder, *[None] * 5))


async def trail(raw: asyncpg.Connection, wanted: Wanted, *, before: UUID | None, limit: int) -> Sequence[Act]:
    """The acts that are wanted, newest first; ``before`` is the last one seen."""
    # By the index of what is told of the acts that are wanted; the first of these is in the fewest.
    asked = ("holder", wanted.holder), ("by", wanted.by), ("verb", wanted.verb)
    index = next((name for name, value in asked if value is not None), "at")
    since = wanted.since and datetime.combine(wanted.since, time(), LONDON)
    behind = wanted.until and datetime.combine(min(wanted.until, date.max - _DAY) + _DAY, time(), LONDON)
    which = wanted.holder, wanted.by, wanted.verb, since, behind, wanted.verbs
    return _acts(await raw.fetch(_TRAILS[index], before, limit, *which))


def _acts(rows: Sequence[asyncpg.Record]) -> Sequence[Act]:
    return [Act(**{**row, "scope": Scope(row["scope"])}) for row in rows]


_DAY: Final = timedelta(days=1)
_WRITTEN = """
SELECT EXISTS (SELECT FROM scheme.act WHERE holder = $1 AND at > $2 AND by = $3 AND verb = $4)
"""
_LOOKED = """
INSERT INTO scheme.act (id, at, by, key, scope, holder, verb, object)
SELECT said.id, $1, $2, $3, $4, $5, said.verb, said.object
FROM unnest($6::uuid[], $7::text[], $8::uuid[]) said (id, verb, object)
WHERE said.verb <> $9 OR EXISTS (SELECT FROM scheme.project p WHERE p.id = said.object AND p.sensitive)
"""
_RECORD = """
INSERT INTO scheme.act (id, at, by, key, scope, holder, verb, object) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TRAIL = """
SELECT a.id, a.at, a.by, h.person, a.key, a.scope, a.verb, a.holder, a.object, d.id AS device
FROM scheme.act a
LEFT JOIN scheme.holder h ON h.id = a.by
LEFT JOIN scheme.device d ON d.id = a.by
WHERE (a.at, a.id) < (
        coalesce((SELECT last.at FROM scheme.act last WHERE last.id = $1), 'infinity'),
        coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
    AND ($3::uuid IS NULL OR a.holder = $3)
    AND ($4::uuid IS NULL OR a.by = $4)
    AND ($5::text IS NULL OR a.verb = $5)
    AND ($6::timestamptz IS NULL OR a.at >= $6)
    AND a.at < coalesce($7::timestamptz, 'infinity')
    AND ($8::text[] IS NULL OR a.verb = ANY($8))
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
_ENDING: Final = """
SELECT id FROM scheme.holder WHERE right(id::text, 8) = $1
UNION ALL SELECT id FROM scheme.device WHERE right(id::text, 8) = $1
UNION ALL SELECT id FROM scheme.api_key WHERE right(id::text, 8) = $1
LIMIT 2
"""
_LISTED: Final = _TRAIL.format(f"AND a.holder = $3 AND NOT (a.verb = '{NAMES_READ}' AND a.scope <> 'project')")
