"""The demo scheme: believable, made by the public verbs, once."""

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.batcher import Batcher
from ledger.scheme import demo
from ledger.scheme.chart import CHART
from ledger.scheme.clock import system_clock
from ledger.scheme.directory import Directory


async def test_it_is_made_once_and_its_keys_work(database: Database) -> None:
    async with (
        Batcher.running(database.connect, CHART, system_clock) as batcher,
        Directory.running(database.connect, system_clock, "demo") as directory,
    ):
        made = await demo.load(database, batcher, directory, system_clock, "demo")
        assert made is not None
        for token in (made.scheme_token, made.project_token, made.venue_token):
            assert (await directory.find(token)).caller is not None
        assert await demo.load(database, batcher, directory, system_clock, "demo") is None
    async with database.reading() as connection:
        totals = await reading.trial_balance(driver(connection))
    assert sum(total.balance for total in totals) == 0
    spent = {total.kind: total.balance for total in totals}
    assert spent["redeemed"] > 0
    assert spent["held"] > 0
