"""The batcher when a connection is lost, the server is away, or nobody knows whether a commit happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal import reading
from ledger.journal.batcher import Batcher, Unavailable
from ledger.journal.entries import Unknown
from ledger.journal.posting import COPY_FROM_ENTRIES
from tests.conftest import blocked
from tests.journal.batching import PORTIONS, head_locked, running
from tests.journal.conftest import CHART, PRINCIPAL, Journal, award, hold, id_of, reasons, void
from tests.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_a_writer_that_is_cut_off_before_it_wrote_leaves_an_unknown_that_a_retry_posts(journal: Journal) -> None:
    async with running(journal) as batcher:
        await batcher.post(award("before", "ann", 1))
        async with head_locked(journal):
            cut = asyncio.create_task(batcher.post(award("a", "ann", 60)))
            [writer] = await blocked(journal.owner)
            await journal.owner.execute("SELECT pg_terminate_backend($1)", writer)
            assert await cut == Unknown(id_of("a"))

        assert reasons([await batcher.post(award("a", "ann", 60)), await batcher.post(award("a", "ann", 60))]) == [
            "plain",
            "plain*",
        ]
    assert await journal.balances("wallet:ann") == [61]


@pytest.fixture
async def proxy(dsn: str, tmp_path: Path) -> AsyncIterator[Proxy]:
    proxy = Proxy(dsn, tmp_path)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def far(journal: Journal, proxy: Proxy) -> AsyncIterator[Journal]:
    """The journal, seen through the proxy."""
    async with Database.open(proxy.dsn) as database:
        yield Journal(database, journal.owner)


# Each way to write, and what only the message that decides it contains: the actor stands in no message of the reader.
DECIDING = [(PORTIONS[0], str(PRINCIPAL).encode()), (PORTIONS[1], b"COMMIT\0")]


@pytest.mark.parametrize(("count", "message"), DECIDING, ids=["one statement", "copy"])
async def test_an_answer_lost_after_the_commit_is_an_unknown_whose_retry_hears_what_was_posted(
    far: Journal, proxy: Proxy, count: int, message: bytes
) -> None:
    entries = [award(f"{n}", "ann", 1) for n in range(count)]
    async with running(far) as batcher:
        await batcher.post(award("before", "ann", 1))
        proxy.lose_answer_to = message
        assert await batcher.post_all(entries) == [Unknown(each.id) for each in entries]
        assert await reading.position(far.owner) == count + 1

        assert reasons(await batcher.post_all([*entries, award("after", "ann", 1)])) == ["plain*"] * count + ["plain"]
    assert await far.balances("wallet:ann") == [count + 2]


@pytest.mark.parametrize(("count", "message"), DECIDING, ids=["one statement", "copy"])
async def test_a_message_lost_before_the_commit_is_an_unknown_whose_retry_posts(
    far: Journal, proxy: Proxy, count: int, message: bytes
) -> None:
    entries = [award(f"{n}", "ann", 1) for n in range(count)]
    async with running(far) as batcher:
        await batcher.post(award("before", "ann", 1))
        proxy.lose = message
        assert await batcher.post_all(entries) == [Unknown(each.id) for each in entries]

        assert reasons(await batcher.post_all([*entries, award("after", "ann", 1)])) == ["plain"] * (count + 1)
    assert await far.balances("wallet:ann") == [count + 2]


async def test_a_batch_judged_on_one_whose_fate_is_unknown_is_posted_all_the_same(far: Journal, proxy: Proxy) -> None:
    count = COPY_FROM_ENTRIES + 50
    async with running(far, batch_max=count) as batcher:
        await batcher.post(award("before", "ann", 1))
        proxy.lose_answer_to = b"COMMIT\0"
        first, second, third = await asyncio.gather(
            batcher.post_all([award(f"a{n}", f"p{n}", 10) for n in range(count)]),
            batcher.post_all([hold(f"h{n}", f"p{n}", 10) for n in range(count)]),
            batcher.post_all([void(f"v{n}", f"h{n}") for n in range(count)]),
        )

    assert [set(reasons(part)) for part in (first, second, third)] == [{"unknown"}, {"hold"}, {"void"}]
    assert await far.balances("wallet:p0", "held:p0") == [10, 0]


async def test_without_a_server_the_journal_is_unavailable_until_there_is_one_again(far: Journal, proxy: Proxy) -> None:
    async with running(far) as batcher:
        assert reasons([await batcher.post(award("a", "ann", 1))]) == ["plain"]
        await proxy.stop()
        outcomes = await asyncio.gather(
            *(batcher.post(award(f"b{n}", "ann", 1)) for n in range(3)), return_exceptions=True
        )
        # The first may have found its connection still open.
        assert {type(outcome) for outcome in outcomes} <= {Unavailable, Unknown}
        with pytest.raises(Unavailable):
            await batcher.post(award("c", "ann", 1))
        assert await reading.position(far.owner) == 1
        await proxy.start()
        assert reasons(await batcher.post_all([award("a", "ann", 1), award("c", "ann", 1)])) == ["plain*", "plain"]


@pytest.mark.parametrize("after", [0, 1], ids=["reader", "writer"])
async def test_a_connection_that_fails_as_nobody_foresaw_leaves_nobody_waiting(journal: Journal, after: int) -> None:
    opened = 0

    async def connect(**session: str) -> asyncpg.Connection:
        nonlocal opened
        opened += 1
        # asyncpg's own word for a server that ended between two messages; nothing that a connection should raise.
        if opened in {after + 1, 2}:
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        return await journal.database.connect(**session)

    async with Batcher.running(connect, CHART, journal.clock) as batcher:
        with pytest.raises(Unavailable):
            await batcher.post(award("a", "ann", 1))
        assert reasons([await batcher.post(award("a", "ann", 1))]) == ["plain"]


async def test_a_wait_for_the_head_that_takes_too_long_is_told_as_unavailable_and_wrote_nothing(
    journal: Journal,
) -> None:
    async with running(journal, lock_timeout="50ms") as batcher:
        await batcher.post(award("a", "ann", 5))
        async with head_locked(journal):
            with pytest.raises(Unavailable, match="55P03"):
                await batcher.post(award("b", "ann", 5))
        outcomes = [
            await batcher.post(each) for each in (hold("h", "ann", 6), award("b", "ann", 5), hold("i", "ann", 6))
        ]

    assert reasons(outcomes) == ["insufficient", "plain", "hold"]


@pytest.mark.parametrize("count", PORTIONS)
async def test_a_commit_that_comes_with_a_warning_is_unknown(journal: Journal, count: int) -> None:
    # As when somebody cancels the wait for a synchronous standby: the commit stands here, and perhaps not there.
    await journal.owner.execute("""
        CREATE FUNCTION scheme.warn() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE WARNING 'the transaction may not have been replicated';
            RETURN NULL;
        END $$;
        GRANT EXECUTE ON FUNCTION scheme.warn TO timecredits_app;
        CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON journal.entry DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION scheme.warn();
    """)
    entries = [award(f"{n}", "ann", 1) for n in range(count)]
    async with running(journal) as batcher:
        assert await batcher.post_all(entries) == [Unknown(each.id) for each in entries]
        assert reasons(await batcher.post_all(entries)) == ["plain*"] * count
