"""Projects: where hours are given. Each has a name, and a neutral alias for slips and statements.

    applied -> active <-> suspended -> ended

A project's name may tell what somebody lives with; its alias never does. So whatever a volunteer carries around or a
venue might see says the alias; the name is for staff and for the project itself. Where even that somebody is there
tells something of them, staff mark it as ``sensitive``: whoever then reads the names of those who come or came leaves
an act behind (``acts.read_names``).

Hours are recorded and opportunities shown while a project is ``active``. Any that hasn't ended can be ended, and that
is final: its kiosks end with it, in the same transaction. Doing again what was done changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, devices
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.helping import May, may_act
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Participation

# As many as somebody can still look through; beyond, they say a piece of the name.
CHOICES_MAX: Final = 200


class Project(Struct, frozen=True, kw_only=True):
    """A project. Hours can be recorded while it is ``active``; who reads names at a ``sensitive`` one is recorded."""

    id: UUID
    name: str
    alias: str
    status: Participation
    sensitive: bool
    created_at: datetime


class NewProject(Struct, frozen=True, kw_only=True, tag="project", tag_field="operation"):
    """What is asked for: a project that is active at once, or one that somebody applied for."""

    name: str
    alias: str
    status: Participation = Participation.ACTIVE
    sensitive: bool = False


class Choice(Struct, frozen=True, kw_only=True):
    """A project as whoever gave hours finds it: by its alias, and whether they were there before."""

    id: UUID
    alias: str
    is_known: bool


class _Made(Struct, frozen=True):
    """The answer that is kept: no names."""

    id: UUID
    created_at: datetime


async def need_project(raw: asyncpg.Connection, caller: Caller, project: UUID) -> Participation:
    """How a project stands that the caller speaks for; to others it isn't there."""
    status = await raw.fetchval("SELECT status FROM scheme.project WHERE id = $1", project)
    if status is None or not caller.speaks_for(project):
        raise Declined(Refusal.NOT_FOUND, "There is no such project.")
    return Participation(status)


class Projects:
    """Making projects known, and opening and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, asked: NewProject) -> tuple[Project, bool]:
        """A new project, and whether this is the replay of an answer. Two of the same name are two projects."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            made = _Made(uuid4(), now)
            await raw.execute(_CREATE, made.id, asked.name, asked.alias, asked.status.value, asked.sensitive, now)
            await acts.by_staff(raw, caller, "project_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, asked, work, _Made)
        project = Project(
            id=made.id,
            name=asked.name,
            alias=asked.alias,
            status=asked.status,
            sensitive=asked.sensitive,
            created_at=made.created_at,
        )
        return project, replayed

    async def get(self, caller: Caller, id_: UUID) -> Project:
        """The project; to a project's key, others aren't there."""
        if not caller.speaks_for(id_):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            return _project(await driver(connection).fetchrow(_BY_ID, id_))

    async def page(
        self, *, status: Participation | None, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Project]:
        """Projects by name, those of one status or all; ``after`` is the last one seen, by its name then."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_PAGE, status and status.value, *(after or (None, None)), limit)
        return [_project(row) for row in rows]

    async def choices(self, caller: Caller, person: UUID, named: str = "") -> Sequence[Choice]:
        """Active projects to which somebody may have given hours: those they know, then others by alias.

        ``named`` is a piece of the others' aliases. To whoever may not claim for them, the person isn't there; whoever
        may is told where they were, which is recorded.
        """
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not await may_act(raw, caller, holder, May.CLAIM):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_CHOICES, holder, named.lower(), CHOICES_MAX)
            known = [row["id"] for row in rows if row["is_known"]]
            await acts.looked(raw, caller, holder, "claims_read", None, self._clock(), projects=known)
        return [Choice(**row) for row in rows]

    async def aliases(self, ids: Collection[UUID]) -> Mapping[UUID, str]:
        """What these projects are called before anybody's eyes."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(
                "SELECT id, alias FROM scheme.project WHERE id = ANY($1::uuid[])", list(ids)
            )
        return {row["id"]: row["alias"] for row in rows}

    async def rewrite(
        self,
        caller: Caller,
        id_: UUID,
        *,
        name: str | None = None,
        alias: str | None = None,
        sensitive: bool | None = None,
    ) -> Project:
        """Give it another name or alias, or say whether it is sensitive; None leaves what is there."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            project = _project(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_))
            was = (project.name, project.alias, project.sensitive)
            given = (name or None, alias or None, sensitive)
            wanted = [old if new is None else new for old, new in zip(was, given, strict=True)]
            if wanted != list(was):
                await raw.execute(_REWRITE, id_, *wanted)
                await acts.by_staff(raw, caller, "project_changed", id_, self._clock())
            return _project(await raw.fetchrow(_BY_ID, id_))

    async def change(self, caller: Caller, id_: UUID, status: Participation) -> Project:
        """Activate, suspend or end a project. Declines what can't become of it (see `states`)."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _project(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_)).status
            if was.becomes(status, "project"):
                await raw.execute("UPDATE scheme.project SET status = $2 WHERE id = $1", id_, status.value)
                if status is Participation.ENDED:
                    await devices.revoke_kiosks(raw, caller, id_, self._clock())
                await acts.by_staff(raw, caller, f"project_{status}", id_, self._clock())
            return _project(await raw.fetchrow(_BY_ID, id_))


def _project(row: asyncpg.Record | None) -> Project:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Project(**{**row, "status": Participation(row["status"])})


_CREATE = """
INSERT INTO scheme.project (id, name, alias, status, sensitive, created_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_REWRITE = "UPDATE scheme.project SET name = $2, alias = $3, sensitive = $4 WHERE id = $1"
_BY_ID = "SELECT id, name, alias, status, sensitive, created_at FROM scheme.project WHERE id = $1"
_CHOICES = """
WITH known AS (
    SELECT project FROM scheme.claim WHERE holder = $1
    UNION
    SELECT s.project FROM scheme.attendance a JOIN scheme.session s ON s.id = a.session WHERE a.holder = $1
)
SELECT id, alias, id IN (SELECT project FROM known) AS is_known
FROM scheme.project
WHERE status = 'active' AND (strpos(lower(alias), $2) > 0 OR id IN (SELECT project FROM known))
ORDER BY is_known DESC, lower(alias), id LIMIT $3
"""
# A nation has some thousands of projects, so they are sorted at each asking and need no index by name.
_PAGE = """
SELECT id, name, alias, status, sensitive, created_at FROM scheme.project
WHERE ($1::text IS NULL OR status = $1)
    AND ($2::text IS NULL OR (lower(name), id) > (lower($2), $3::uuid))
ORDER BY lower(name), id LIMIT $4
"""
