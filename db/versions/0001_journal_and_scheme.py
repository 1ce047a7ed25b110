"""The journal and the scheme, from their SQL files.

Before the first release these files are edited in place; after it they are frozen and changes are new
revisions.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import asyncpg
    from sqlalchemy.engine.interfaces import AdaptedConnection

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _execute(sql: str, raw: "asyncpg.Connection") -> "Awaitable[str]":
    return raw.execute(sql)


def upgrade() -> None:
    """Run the files, each as one multi-statement command, which only the raw driver takes."""
    adapted = cast("AdaptedConnection", op.get_bind().connection.dbapi_connection)
    for name in ("journal.sql", "scheme.sql", "hours.sql", "running.sql", "spending.sql", "access.sql"):
        sql = (Path(__file__).parents[1] / "sql" / name).read_text(encoding="utf-8")
        adapted.run_async(partial(_execute, sql))


def downgrade() -> None:
    """A journal has no way back: restore a backup instead."""
    raise NotImplementedError("an append-only journal isn't taken down; restore a backup")
