"""Alembic's environment: one connection, one transaction, as the schema's owner.

In order: an advisory lock, so that of several deploys one migrates and the others wait; `sql/roles.sql`,
every time, for Alembic's own table needs an owner before the first revision runs, and a new login user needs
its memberships; then, as `timecredits_owner`, the revisions. All of it commits together or not at all.

`lock_timeout` bounds how long a migration may wait for a table that is in use, and so how long the service
waits behind the migration: it fails, and is run again at a quieter moment.

`ledger.database.migrate` is the door; the bare `alembic` command works with LEDGER_DSN.
"""

import asyncio
import os
from pathlib import Path

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_LOCK = 7_310_579  # any number that nothing else in the database uses
_SESSION = {
    "application_name": "timecredits-migrate",
    "lock_timeout": "5s",
    "statement_timeout": "0",  # building an index on a large journal takes as long as it takes
    "TimeZone": "UTC",
    "search_path": "pg_catalog, pg_temp",
    "client_min_messages": "warning",
}


def _migrate(connection: Connection) -> None:
    # Waiting for another migration may take long, so this one lock is exempt from lock_timeout.
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    roles = Path(__file__).with_name("sql") / "roles.sql"
    connection.connection.dbapi_connection.run_async(  # type: ignore[union-attr]  # asyncpg's adapter
        lambda raw: raw.execute(roles.read_text(encoding="utf-8"))
    )
    connection.execute(text("SET LOCAL ROLE timecredits_owner"))
    context.configure(connection=connection, version_table_schema="migration")
    context.run_migrations()


async def _main(dsn: str) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, server_settings=_SESSION),
        poolclass=NullPool,
    )
    async with engine.begin() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_main(context.config.attributes.get("dsn") or os.environ["LEDGER_DSN"]))
