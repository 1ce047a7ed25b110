"""Projects: where hours are given. Each has a name, and a neutral alias for slips and statements.

A project's name may tell what somebody lives with; its alias never does. So whatever a volunteer carries around or a
venue might see says the alias.
"""

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal


class Project(Struct, frozen=True, kw_only=True):
    """A project. Hours can be recorded while its status is ``active``."""

    id: UUID
    name: str
    alias: str
    status: str
    created_at: datetime


class Projects:
    """Making projects known."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, alias: str) -> Project:
        """A new project, active at once."""
        project = Project(id=uuid4(), name=name, alias=alias, status="active", created_at=self._clock())
        async with self._database.transaction() as connection:
            await driver(connection).execute(
                "INSERT INTO scheme.project (id, name, alias, status, created_at) VALUES ($1, $2, $3, $4, $5)",
                project.id,
                project.name,
                project.alias,
                project.status,
                project.created_at,
            )
        return project

    async def get(self, id_: UUID) -> Project:
        """The project, or ``not_found``."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(
                "SELECT id, name, alias, status, created_at FROM scheme.project WHERE id = $1", id_
            )
        if row is None:
            raise Declined(Refusal.NOT_FOUND)
        return Project(**row)
