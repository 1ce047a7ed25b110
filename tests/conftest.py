"""A real PostgreSQL for every test that asks for one.

One server for each process that runs tests, of which `scripts/test` starts one a core: the embedded one, with
durability off and in memory where there is room, or the one that LEDGER_DSN names, which they share (as a
superuser; databases are made there and dropped again). One template database is migrated once and copied for
each test, which takes about 20 ms. What a killed process left behind is removed by the next.
"""

import asyncio
import contextlib
import fcntl
import gc
import itertools
import os
import shutil
import tempfile
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest

from ledger.database import Database, Embedded, Unfit, migrate

T = TypeVar("T")

_FOLDER_PREFIX = "ledger-tests-"
# A database is a thousand small files: on a disk's file system their copy can take the kernel 300 ms.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a folder of our own in it
# The largest tests fill a third of it; a container may have as little as 64 MB.
_ROOM_BYTES = 2 << 30
# Of a session that has only just begun to wait; on two busy cores that takes less than one.
WAIT_SECONDS = 30

# Where CI is set, Hypothesis loads a profile of its own that asks for the same examples each time, and so would find
# nothing new however often it ran. Ours looks at other ones there too, and prints what repeats a failure.
hypothesis.settings.register_profile("looking", hypothesis.settings.get_profile("default"), print_blob=True)
hypothesis.settings.load_profile("looking")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="many more examples, kills and rounds: for the night")


def pytest_configure() -> None:
    """Forget the terminal's size, which xdist's processes are told of: Rich keeps to the first that it finds."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


def pytest_collection_finish() -> None:
    """Spend less on garbage: what was imported is none, and an application, made for most tests, would set it off."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether to look longer: hundreds of kills and thousands of examples instead of dozens."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """A warning that only garbage collection gives fails a test of the module that left something open."""
    yield
    gc.collect()


@types.coroutine
def cancelled_at(work: Coroutine[object, object, T], nth: int) -> Generator[object, object, T]:
    """Run `work` as the whole of a task; cancel the task while it waits for its nth await, if it gets there."""
    step: Callable[[], object] = partial(work.send, None)
    for awaits in itertools.count(1):
        try:
            waiting = step()
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration isn't generic
        if awaits == nth:
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
        try:
            value = yield waiting
            step = partial(work.send, value)
        except BaseException as error:  # noqa: BLE001  # handed on into `work`
            step = partial(work.throw, error)
    raise AssertionError("itertools.count ended")


async def blocked(owner: asyncpg.Connection, sessions: int = 1) -> list[int]:
    """The process ids of this database's sessions that wait for a lock, as soon as there are so many."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await owner.fetch(_WAITING)
            if len(found) >= sessions:
                return [row["pid"] for row in found]


# A wait for a row names no database, but whoever waits for one has locked its table. Not by pg_stat_activity, which
# stands still within a transaction.
_WAITING = """
SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid IN (
    SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database()
)
"""


class Postgres:
    """The session's server: databases by name, as its superuser."""

    def __init__(self, dsn: str) -> None:
        self._dsn = urlsplit(dsn)
        self._prefix = f"ledger_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self.template = f"{self._prefix}_template"

    def dsn(self, name: str) -> str:
        """The DSN of the database of that name."""
        return urlunsplit(self._dsn._replace(path=f"/{name}"))

    async def run(self, statement: str) -> None:
        """Run one statement outside of every test's database and of every transaction."""
        connection = await asyncpg.connect(urlunsplit(self._dsn))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self, template: str | None = None) -> str:
        """A new database's name: a copy of the migrated template, or of the one named."""
        name = f"{self._prefix}_{next(self._numbers)}"
        # The other strategy, PostgreSQL's default, writes it all to the WAL as well.
        await self.run(f"CREATE DATABASE {name} TEMPLATE {template or self.template} STRATEGY file_copy")
        return name

    async def drop(self, name: str) -> None:
        """Drop it, ending whatever is still connected."""
        await self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _server() -> Iterator[str]:
    """The DSN of a running server."""
    if given := os.environ.get("LEDGER_DSN"):
        yield given
        return
    settings = {"max_connections": "200", "shared_buffers": "128MB", "max_wal_size": "128MB"}
    with temporary_server(durable=False, settings=settings) as embedded:
        yield embedded.dsn()


@contextlib.contextmanager
def temporary_server(*, durable: bool, settings: Mapping[str, str]) -> Iterator[Embedded]:
    """A server in a temporary folder, which goes when it does."""
    _remove_left_overs()
    in_memory = not durable and _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free >= _ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=_IN_MEMORY if in_memory else None))
    try:
        with Embedded(folder, durable=durable, settings=settings) as embedded:
            yield embedded
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_overs() -> None:
    temporary = Path(tempfile.gettempdir())
    with (temporary / f"{_FOLDER_PREFIX}{os.getuid()}.lock").open("w") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process is at it
        for folder in (each for parent in (temporary, _IN_MEMORY) for each in parent.glob(f"{_FOLDER_PREFIX}*")):
            if _is_left_over(folder):
                with contextlib.suppress(Unfit, OSError):
                    with Embedded(folder, durable=False):
                        pass  # starting ends a server whose process was killed
                    shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    """Whether the process that used it is dead. Not whether its lock is free: a test may be restarting its server."""
    try:
        pid = int((folder / "lock").read_text())
    except (OSError, ValueError):
        return False  # no server's, or about to be one, or another user's
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="session")
async def postgres(_server: str) -> AsyncIterator[Postgres]:
    """The session's server with its migrated template."""
    server = Postgres(_server)
    await server.run(f"CREATE DATABASE {server.template}")
    try:
        # The session's loop runs already, and migrate brings its own: in a thread it may.
        await asyncio.to_thread(migrate, server.dsn(server.template))
        yield server
    finally:
        await server.drop(server.template)


@pytest.fixture
async def dsn(postgres: Postgres) -> AsyncIterator[str]:
    """A fresh, migrated database of the test's own, as superuser."""
    name = await postgres.create()
    try:
        yield postgres.dsn(name)
    finally:
        await postgres.drop(name)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """That database as the service sees it: the role timecredits_app."""
    async with Database.open(dsn) as opened:
        yield opened


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """That database as its superuser sees it: a raw connection, to set up and to tamper."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
