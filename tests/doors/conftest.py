"""The whole service on a database of the test's own, with a key of its scheme."""

from collections.abc import AsyncIterator

import pytest

from tests.doors.house import Api


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    """The service, in this process, spoken to over HTTP."""
    async with Api.running(dsn) as running:
        yield running
