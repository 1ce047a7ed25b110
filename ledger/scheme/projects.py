"""Projects: where hours are given. Each has a name, and a neutral alias for slips and statements.

    applied -> active <-> suspended -> ended

A project's name may tell what somebody lives with; its alias never does. So whatever a volunteer carries around or a
venue might see says the alias; the name is for staff and for the project itself.

Hours are recorded and opportunities shown while a project is ``active``. Any that hasn't ended can be ended, and that
is final. Doing again what was done changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.answers import Answers
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller
from ledger.scheme.refusals import Declined, Refusal


class Status(StrEnum):
    """Where a project stands."""

    APPLIED = "applied"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


_FROM = {
    Status.ACTIVE: [Status.APPLIED, Status.SUSPENDED],
    Status.SUSPENDED: [Status.ACTIVE],
    Status.ENDED: [Status.APPLIED, Status.ACTIVE, Status.SUSPENDED],
}


class Project(Struct, frozen=True, kw_only=True):
    """A project. Hours can be recorded while its status is ``active``."""

    id: UUID
    name: str
    alias: str
    status: Status
    created_at: datetime


class NewProject(Struct, frozen=True, kw_only=True, tag="project", tag_field="operation"):
    """What is asked for: a project that is active at once, or one that somebody applied for."""

    name: str
    alias: str
    status: Status = Status.ACTIVE


class _Made(Struct, frozen=True):
    """The answer that is kept: no names."""

    id: UUID
    created_at: datetime


class Projects:
    """Making projects known, and opening and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, asked: NewProject) -> tuple[Project, bool]:
        """A new project, and whether this is the replay of an answer. Two of the same name are two projects."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            made = _Made(uuid4(), now)
            await raw.execute(_CREATE, made.id, asked.name, asked.alias, asked.status.value, now)
            return made

        made, replayed = await self._answers.once(caller, key, asked, work, _Made)
        project = Project(
            id=made.id, name=asked.name, alias=asked.alias, status=asked.status, created_at=made.created_at
        )
        return project, replayed

    async def get(self, caller: Caller, id_: UUID) -> Project:
        """The project; to a project's key, others aren't there."""
        if not caller.speaks_for(id_):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            return _project(await driver(connection).fetchrow(_BY_ID, id_))

    async def page(self, *, status: Status | None, after: tuple[str, UUID] | None, limit: int) -> Sequence[Project]:
        """Projects by name, those of one status or all; ``after`` is the last one seen, by its name then."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_PAGE, status and status.value, *(after or (None, None)), limit)
        return [_project(row) for row in rows]

    async def rename(self, id_: UUID, name: str | None, alias: str | None) -> Project:
        """Give it another name, another alias or both; None leaves what is there."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            project = _project(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_))
            wanted = (name or project.name, alias or project.alias)
            if wanted != (project.name, project.alias):
                await raw.execute("UPDATE scheme.project SET name = $2, alias = $3 WHERE id = $1", id_, *wanted)
            return _project(await raw.fetchrow(_BY_ID, id_))

    async def change(self, id_: UUID, status: Status) -> Project:
        """Activate, suspend or end a project. Declines what the states above don't permit."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _project(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE", id_)).status
            if was is not status:
                if was not in _FROM[status]:
                    raise Declined(Refusal.WRONG_STATE, f"The project is {was}; it can't become {status}.")
                await raw.execute("UPDATE scheme.project SET status = $2 WHERE id = $1", id_, status.value)
            return _project(await raw.fetchrow(_BY_ID, id_))


def _project(row: asyncpg.Record | None) -> Project:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Project(**{**row, "status": Status(row["status"])})


_CREATE = "INSERT INTO scheme.project (id, name, alias, status, created_at) VALUES ($1, $2, $3, $4, $5)"
_BY_ID = "SELECT id, name, alias, status, created_at FROM scheme.project WHERE id = $1"
# A nation has some thousands of projects, so they are sorted at each asking and need no index by name.
_PAGE = """
SELECT id, name, alias, status, created_at FROM scheme.project
WHERE ($1::text IS NULL OR status = $1)
    AND ($2::text IS NULL OR (lower(name), id) > (lower($2), $3::uuid))
ORDER BY lower(name), id LIMIT $4
"""
