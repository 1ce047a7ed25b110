"""A desk whose clock a test can set."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from ledger.database import Database
from tests.scheme.one_time.desk import Desk, Hands


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def desk(database: Database, owner: asyncpg.Connection, clock: Hands) -> AsyncIterator[Desk]:
    desk = Desk(database, owner, clock)
    yield desk
    await desk.one_time.settled()
