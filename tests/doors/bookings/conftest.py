"""The lido, open."""

from collections.abc import AsyncIterator

import pytest

from tests.doors.bookings.lido import Lido


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened
