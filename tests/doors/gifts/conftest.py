"""Where what is given comes from."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from tests.doors.gifts.giving import Fund, Person


@pytest.fixture
def fund(database: Database) -> Fund:
    """Puts minutes into a wallet, as if for hours."""

    async def given(person: Person, minutes: int) -> None:
        transfer = Transfer("issued:x", account("wallet", UUID(person["holder"])), minutes)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        async with database.transaction() as connection:
            await post(
                driver(connection),
                CHART,
                [Entry(id=uuid4(), transfers=(transfer,), happened_at=now, actor=uuid4())],
                now,
            )

    return given
