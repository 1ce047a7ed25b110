"""What is demanded of a server before it is trusted with the journal, and how a database gets its schema.

`check` looks, in this order: the server answers and is new enough; it keeps what it confirms; its schema is
this program's; the service's role can't change the past. The first that doesn't hold raises `Unfit` with the
remedy. `migrate` brings the schema up, all of it in one transaction or not at all.
"""

import asyncio
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from ledger.database.sessions import Database

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_log = logging.getLogger(__name__)


class Unfit(Exception):  # noqa: N818  # "the server is unfit" reads as a sentence
    """The server, schema or role can't be trusted with the journal; the message tells the remedy."""


# `local` and `remote_write` confirm before a standby has written: a failover could lose what was confirmed.
_DURABLE = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_apply")}


# As the triggers of db/sql/journal.sql have them.
_ONLY_GROW = ["account", "entry", "transfer", "node", "refusal", "checkpoint"]


async def check(database: Database, *, durable: bool = True) -> None:
    """Refuse a server, schema or role that can't be trusted with the journal, by raising Unfit.

    `durable=False`, for tests only, accepts a server that loses commits when the power fails.
    """
    try:
        connection = await database.connect()
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Unfit(
            f"PostgreSQL can't be reached as {database.role}: {error}. Look at LEDGER_DSN, run "
            f"`timecredits migrate`, and GRANT {database.role} to the login user."
        ) from error
    try:
        version = connection.get_server_version()
        if version.major < 15:  # noqa: PLR2004  # said in the message
            raise Unfit(f"PostgreSQL {version.major} is too old; use version 15 or newer.")
        for name, safe in _DURABLE.items() if durable else ():
            value = await connection.fetchval("SELECT current_setting($1)", name)
            if value not in safe:
                raise Unfit(
                    f"{name} is {value}: PostgreSQL could lose what it confirmed. Set {name} = on in "
                    f"postgresql.conf (and in ALTER ROLE or ALTER DATABASE, if it is set there)."
                )
        await _check_schema(connection)
        await _check_rights(connection, database.role)
        if await connection.fetchval("SELECT current_setting('data_checksums')") != "on":
            _log.warning(
                "data checksums are off: a disk's silent error would go unnoticed until the next "
                "verification; stop PostgreSQL and run pg_checksums --enable"
            )
    finally:
        await connection.close()


async def _check_schema(connection: asyncpg.Connection) -> None:
    newest = _script_directory().get_current_head()
    try:
        found = await connection.fetchval("SELECT version_num FROM migration.alembic_version")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):
        found = None
    if found != newest:
        raise Unfit(
            f"The schema is at version {found or 'none'} and this program needs {newest}: run "
            f"`timecredits migrate` from this program's release, or start the release that fits the schema."
        )


async def _check_rights(connection: asyncpg.Connection, role: str) -> None:
    """Try to change the past; a refusal for want of the privilege (42501) is the only good answer.

    A trigger's refusal isn't enough: an owner can drop a trigger.
    """
    for name in ("entry", "transfer"):
        for attempt in (
            f"UPDATE journal.{name} SET position = position WHERE false",  # noqa: S608  # the two names above
            f"DELETE FROM journal.{name} WHERE false",  # noqa: S608
            f"TRUNCATE journal.{name}",
        ):
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(attempt)
            except asyncpg.InsufficientPrivilegeError:
                continue
            except asyncpg.PostgresError as error:
                raise Unfit(f"{attempt!r} as {role} should lack the privilege, and got: {error}") from error
            finally:
                await transaction.rollback()
            raise Unfit(
                f"{role} may {attempt.split()[0]} journal.{name}, so the past could be changed: "
                f"REVOKE UPDATE, DELETE, TRUNCATE ON journal.{name} FROM {role}, "
                f"and make it no member of the owner."
            )
    changeable = await connection.fetchval(
        "SELECT string_agg('journal.' || name, ', ') FROM unnest($1::text[]) name "
        "WHERE has_any_column_privilege('journal.' || name, 'UPDATE') "
        "OR has_table_privilege('journal.' || name, 'DELETE, TRUNCATE')",  # either of them
        _ONLY_GROW,
    )
    if changeable is not None:
        raise Unfit(
            f"{role} may change {changeable}, or single columns of it: "
            f"REVOKE UPDATE, DELETE, TRUNCATE on it, and UPDATE on each of its columns, from {role}."
        )


_migrating = threading.Lock()  # Alembic keeps its state in the module


def migrate(dsn: str) -> None:
    """Bring the database to the newest schema; where it is there already, nothing happens and no right is needed.

    Raises Unfit for a login user who may not, for a service should not be able to.

    Blocks, and runs an event loop of its own: from a coroutine call `asyncio.to_thread(migrate, dsn)`.
    Takes an advisory lock, so of several that start together one migrates and the others wait.
    """
    from alembic import command  # noqa: PLC0415  # 80 ms that only a start or a deploy needs
    from alembic.config import Config  # noqa: PLC0415

    if asyncio.run(_is_migrated(dsn)):
        return
    config = Config(attributes={"dsn": dsn})
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    with _migrating:
        try:
            command.upgrade(config, "head")
        except asyncpg.InsufficientPrivilegeError as error:
            raise Unfit(
                f"The schema is not this program's, and this login user can't change it ({error}): "
                f"run `timecredits migrate` as a member of timecredits_owner."
            ) from error


async def _is_migrated(dsn: str) -> bool:
    """Whether the schema is the newest, and the login user can be the service's role."""
    try:
        connection = await asyncpg.connect(dsn, server_settings={"role": "timecredits_app"})
    except asyncpg.PostgresError:  # the role isn't there yet, or not for this user
        return False
    try:
        await _check_schema(connection)
    except Unfit:
        return False
    finally:
        await connection.close()
    return True


def _script_directory() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # as in `migrate`

    return ScriptDirectory(_migrations())


def _migrations() -> Path:
    """The folder `db`: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "db", package.parent / "db") if (folder / "env.py").is_file())
