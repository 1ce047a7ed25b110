"""A real PostgreSQL for every test that asks for one.

One server a session: the embedded one, in a temporary folder and with durability off, or the one that
LEDGER_DSN names (as a superuser; databases are made there and dropped again). One template database is
migrated once and copied for each test, which takes about 20 ms. What a killed session left behind is removed
by the next.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ledger.database import Database, Embedded, Unfit, migrate

T = TypeVar("T")

_FOLDER_PREFIX = "ledger-tests-"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="many more examples, kills and rounds: for the night")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether to look longer: hundreds of kills and thousands of examples instead of dozens."""
    return bool(pytestconfig.getoption("--soak"))


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
        await self.run(f"CREATE DATABASE {name} TEMPLATE {template or self.template}")
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
    _remove_left_overs()
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    try:
        settings = {"max_connections": "200", "shared_buffers": "128MB"}
        with Embedded(folder, durable=False, settings=settings) as embedded:
            yield embedded.dsn()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_overs() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        if not (folder / "lock").exists():
            continue  # another session is about to start there
        try:
            with Embedded(folder, durable=False):
                pass  # starting ends a server whose session was killed
        except (Unfit, OSError):
            continue  # a running session's, or another user's
        shutil.rmtree(folder, ignore_errors=True)


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
