"""The pool, its transactions, and the settings that every session has.

What is promised:

- Inside `Database.transaction()` BEGIN was sent. Leaving it normally means that COMMIT was confirmed; leaving
  it by any exception, cancellation included, means that nothing stays open: the transaction is rolled back,
  and if even that can't be confirmed in time the connection is cut.
- COMMIT has no client timeout and is never cancelled: asyncpg would send a cancel request, and PostgreSQL
  answers a cancelled wait for a synchronous standby with success. A cancelled caller therefore waits for the
  answer first.
- When COMMIT's answer is lost, or comes with a warning, the caller hears `CommitUnknown`: it may have
  happened.
- A COMMIT that PostgreSQL turned into a ROLLBACK (an error was swallowed inside) raises instead of looking
  done.
- Every session, pooled or not, has the same settings, in its startup packet, so that no statement comes
  before them.

What bounds it: `pool_size` connections and no overflow; `POOL_WAIT_SECONDS` for one to become free;
`CONNECT_SECONDS` to open one; the timeouts of `SESSION`.

What fails how: statements raise SQLAlchemy's errors, or asyncpg's through `driver`, each with its SQLSTATE.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping
from types import MappingProxyType

import asyncpg
import msgspec
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
# A batch takes 35 ms and a page 5 ms: who waited five seconds for a connection is better told "503, try
# again".
POOL_WAIT_SECONDS = 5
# Sent data that nobody confirms, or keepalives that nobody answers: as the server's tcp_user_timeout below.
SILENCE_MS_MAX = 30_000
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": SILENCE_MS_MAX}
# A ROLLBACK is one round trip after the cancelled statement ends; after this long the server is gone or
# stuck.
ROLLBACK_SECONDS = 5

SESSION: Mapping[str, str] = MappingProxyType(
    {
        # The longest single statement is a page of 10,000 rows, about 50 ms; longer ones say so to `connect`.
        "statement_timeout": "15s",
        # The head is locked for one batch, 35 ms: 5 s is a queue of 140 batches.
        "lock_timeout": "5s",
        # Nothing slow happens inside a transaction; a process that stopped in one must not hold the head for
        # long.
        "idle_in_transaction_session_timeout": "10s",
        # A client that vanished without a word is noticed after this (milliseconds; ignored on Unix sockets).
        "tcp_user_timeout": "30000",
        "TimeZone": "UTC",
        # Every name in our SQL says its schema.
        "search_path": "pg_catalog, pg_temp",
        # Compiling a plan takes longer than any of our statements.
        "jit": "off",
        # Every statement is an index read or an insert whatever its arguments: planning it anew, 0.2 ms, is half of it.
        "plan_cache_mode": "force_generic_plan",
        "application_name": "timecredits",
    }
)


class CommitUnknown(Exception):  # noqa: N818  # the name says what is known, which is not that it failed
    """COMMIT's answer was lost or doubtful: it may have happened. Retry with the same key."""


class _Connection(asyncpg.Connection):
    """An asyncpg connection whose COMMIT means committed."""

    __slots__ = ("_warning",)

    # ASYNC109: a timeout is an argument of asyncpg's own signature.
    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109
        if query.rstrip("; ").upper() != "COMMIT":
            return await super().execute(query, *args, timeout=timeout)
        self._warning: asyncpg.PostgresLogMessage | None = None
        self.add_log_listener(_Connection._warned)
        try:
            status = await super().execute("COMMIT")
        except asyncpg.PostgresError as error:
            # Broken constraints, serialization and raised exceptions are PostgreSQL saying "no"; all else may
            # have come after the commit record was written.
            if (error.sqlstate or "")[:2] in {"23", "25", "40", "P0"}:
                raise
            raise CommitUnknown(f"COMMIT ended with {error.sqlstate}: {error}") from error
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise CommitUnknown(f"COMMIT was not answered: {error}") from error
        finally:
            if not self.is_closed():
                self.remove_log_listener(_Connection._warned)
        if status != "COMMIT":
            raise asyncpg.InFailedSQLTransactionError(
                "COMMIT was answered by ROLLBACK: an error inside the transaction was swallowed; "
                "let it pass, or put the statement that may fail behind a savepoint"
            )
        if self._warning is not None:
            raise CommitUnknown(f"COMMIT came with a warning: {self._warning}")
        return status

    @staticmethod
    def _warned(
        connection: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy",
        message: asyncpg.PostgresLogMessage,
    ) -> None:
        if isinstance(connection, _Connection) and message.severity == "WARNING":
            connection._warning = message  # noqa: SLF001  # its own class


class Database:
    """One PostgreSQL database, as one role, from one event loop."""

    def __init__(self, dsn: str, *, pool_size: int, role: str) -> None:
        self.dsn = dsn
        self.role = role
        # AUTOCOMMIT is SQLAlchemy's word for "leave transactions to me": BEGIN and COMMIT are sent by
        # `_begin` alone.
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect_pooled,
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, dsn: str, *, pool_size: int = 10, role: str = "timecredits_app") -> AsyncIterator["Database"]:
        """A pool, closed at the end. It opens lazily: the first transaction makes the first connection."""
        database = cls(dsn, pool_size=pool_size, role=role)
        try:
            yield database
        finally:
            await database._engine.dispose()

    async def connect(self, **session: str) -> asyncpg.Connection:
        """Open a connection apart from the pool, with the same session settings; the caller closes it.

        `session` overrides single settings, such as `statement_timeout="0"` for an export.
        """
        connection: asyncpg.Connection = await asyncpg.connect(
            self.dsn,
            timeout=CONNECT_SECONDS,
            connection_class=_Connection,
            server_settings={**SESSION, "role": self.role, **session},
        )
        try:
            _notice_silence(connection)
            # As SQLAlchemy sets them, so that a statement reads alike in and out of the pool.
            for name in ("json", "jsonb"):
                await connection.set_type_codec(name, encoder=str, decoder=msgspec.json.decode, schema="pg_catalog")
        except BaseException:  # cancelled, or the server went away: nobody else would close it
            connection.terminate()
            raise
        return connection

    async def _connect_pooled(self) -> asyncpg.Connection:
        """The same for the pool, where SQLAlchemy would make one word of all that PostgreSQL says at the door."""
        try:
            return await self.connect()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise ConnectionError(f"PostgreSQL can't be reached: {error}") from error

    def transaction(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A started read-write transaction, READ COMMITTED: commits at the end, rolls back on any exception.

        `driver(connection)` is in the same transaction; savepoints are `connection.begin_nested()` or
        `driver(connection).transaction()`. Raises CommitUnknown when COMMIT's answer is lost.
        """
        return self._begin(readonly=False)

    def reading(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """The same, read-only: every statement that writes is refused by PostgreSQL."""
        return self._begin(readonly=True)

    @contextlib.asynccontextmanager
    async def plain(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection without BEGIN and COMMIT, for reads that need not be of one moment: two round trips less."""
        async with self._engine.connect() as connection:
            raw = driver(connection)
            try:
                yield raw
            except asyncio.CancelledError:
                raw.terminate()  # an answer may still be on its way to it
                raise

    async def row(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """The first row of one statement that reads."""
        async with self.plain() as raw:
            return await raw.fetchrow(query, *arguments)

    @contextlib.asynccontextmanager
    async def _begin(self, *, readonly: bool) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            raw = driver(connection)
            transaction = raw.transaction(isolation="read_committed", readonly=readonly)
            try:
                # The BEGIN that SQLAlchemy would send before the first statement, sent now: no round trip
                # more.
                await transaction.start()
                yield connection
            except BaseException:
                await _to_its_end(_roll_back(raw, transaction))
                raise
            try:
                await _to_its_end(transaction.commit())
            except Exception:
                if raw.is_in_transaction():
                    raw.terminate()
                raise


def _notice_silence(connection: asyncpg.Connection) -> None:
    """Have the system end a TCP connection whose server has gone silent: asyncpg would wait for its answer for ever."""
    transport = getattr(connection, "_transport", None)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # macOS lacks two of them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def driver(connection: AsyncConnection) -> asyncpg.Connection:
    """The asyncpg connection beneath, in the same transaction."""
    sync = connection.sync_connection
    assert sync is not None, "the connection is closed"
    raw = sync.connection.driver_connection
    assert isinstance(raw, _Connection)
    return raw


async def _roll_back(raw: asyncpg.Connection, transaction: asyncpg.transaction.Transaction) -> None:
    """Leave no transaction open: roll back or, when that isn't confirmed, cut the connection."""
    try:
        async with asyncio.timeout(ROLLBACK_SECONDS):
            await transaction.rollback()
    except Exception:  # noqa: BLE001  # whatever it was, the first error is the one to tell
        raw.terminate()


async def _to_its_end(work: Awaitable[None]) -> None:
    """Wait for `work` even when cancelled, then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:  # noqa: BLE001, S110  # `task.result()` below raises it
            pass
    if cancelled is not None:
        if not task.cancelled() and task.exception() is not None:
            _log.warning("cancelled while ending a transaction, which failed: %s", task.exception())
        raise cancelled
    task.result()


def _refuse_closed(adapted: object, _record: object, _proxy: object) -> None:
    """Replace pooled connections that died while idle: asyncpg saw the socket close, so this asks nobody."""
    if adapted.driver_connection.is_closed():  # type: ignore[attr-defined]  # SQLAlchemy's AdaptedConnection
        raise exc.DisconnectionError
