"""The chart of accounts, in Python and in the database."""

from uuid import UUID

import asyncpg

from ledger.scheme.chart import CHART, account


async def test_the_database_has_the_same_chart(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT name, floor FROM journal.kind")
    assert {row["name"]: row["floor"] for row in rows} == dict(CHART)


def test_an_account_is_named_by_its_owners_digits() -> None:
    assert account("wallet", UUID(int=10)) == "wallet:0000000000000000000000000000000a"
