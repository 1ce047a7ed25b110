"""The directory: fresh, shared, bounded."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal.batcher import Unavailable
from ledger.scheme.clock import system_clock
from ledger.scheme.directory import Directory
from ledger.scheme.keys import SCHEME, Caller, Keys, Scope
from ledger.scheme.offers import Offers, Status
from ledger.scheme.people import NewPerson, People
from ledger.scheme.venues import Venues


async def an_offer(database: Database) -> UUID:
    venue = await Venues(database, system_clock).create("Parkside pool")
    offers = Offers(database, system_clock)
    offer = await offers.create(venue.id, "A swim", 60)
    await offers.change(offer.id, Status.PUBLISHED)
    return offer.id


async def test_what_is_there_is_found_and_what_is_not_is_not(database: Database) -> None:
    office, offer = Caller(key=SCHEME, scope=Scope.SCHEME, object=None), await an_offer(database)
    person, _ = await People(database, system_clock).create(office, "ann", NewPerson(name="Ann"))
    _, token = await Keys(database, system_clock, "test").create(Scope.SCHEME, None, "x")
    async with Directory.running(database.connect, system_clock, "test") as directory:
        found = await directory.find(token, offer=offer, holder=person.holder)
        assert found.caller is not None
        assert found.caller.scope is Scope.SCHEME
        assert found.offer is not None
        assert (found.offer.price, found.offer.status) == (60, "published")
        assert found.holder
        nothing = await directory.find("tc_test_x", offer=uuid4(), holder=person.id)
        assert (nothing.caller, nothing.offer, nothing.holder) == (None, None, False)


async def test_a_change_is_seen_by_the_next_question(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, system_clock, "test") as directory:
        for status in (Status.PAUSED, Status.PUBLISHED, Status.ENDED):
            await Offers(database, system_clock).change(offer, status)
            found = await directory.find(offer=offer)
            assert found.offer is not None
            assert found.offer.status == status


async def test_questions_that_wait_share_one_query(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, system_clock, "test") as directory:
        await directory.find(offer=offer)
        answers = 0
        answer = directory._answer

        async def counted(asked: list[object]) -> None:
            nonlocal answers
            answers += 1
            await answer(asked)  # type: ignore[arg-type]

        directory._answer = counted  # type: ignore[method-assign, assignment]
        found = await asyncio.gather(*(directory.find(offer=offer) for _ in range(500)))
    assert answers == 1
    assert {one.offer.id for one in found if one.offer} == {offer}
    assert len(found) == 500


async def test_a_full_memory_is_emptied_and_everything_is_still_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.scheme.directory.OFFERS_MAX", 3)
    venue = await Venues(database, system_clock).create("Parkside pool")
    offers = [(await Offers(database, system_clock).create(venue.id, "A swim", 60)).id for _ in range(10)]
    async with Directory.running(database.connect, system_clock, "test") as directory:
        for _ in range(3):
            found = await asyncio.gather(*(directory.find(offer=offer) for offer in offers))
            assert [one.offer.id for one in found if one.offer] == offers
        for offer in offers:
            assert (await directory.find(offer=offer)).offer is not None
            assert len(directory._offers) <= 10


async def test_without_the_database_it_says_so_and_comes_back(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, system_clock, "test") as directory:
        assert directory._connection is not None
        directory._connection.terminate()
        directory._connect = database.connect
        found = await directory.find(offer=offer)
        assert found.offer is not None

        async def refused(**_: str) -> asyncpg.Connection:
            raise ConnectionRefusedError

        directory._connection.terminate()
        directory._connect = refused
        with pytest.raises(Unavailable):
            await directory.find(offer=offer)
        directory._connect = database.connect
        assert (await directory.find(offer=offer)).offer is not None


async def test_after_a_failover_what_was_known_is_asked_anew(database: Database, owner: asyncpg.Connection) -> None:
    """The new server may have lost the last changes, and count others up to the same version."""
    offer = await an_offer(database)
    async with Directory.running(database.connect, system_clock, "test") as directory:
        before = (await directory.find(offer=offer)).offer
        version = await owner.fetchval("SELECT version FROM scheme.directory")
        await owner.execute("UPDATE scheme.offer SET status = 'paused'")
        await owner.execute("UPDATE scheme.directory SET version = $1", version)
        assert directory._connection is not None
        directory._connection.terminate()
        after = (await directory.find(offer=offer)).offer
    assert before is not None
    assert after is not None
    assert (before.status, after.status) == ("published", "paused")


async def test_a_cancelled_question_harms_nobody(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, system_clock, "test") as directory:
        asked = [asyncio.create_task(directory.find(offer=offer)) for _ in range(20)]
        await asyncio.sleep(0)
        for one in asked[::2]:
            one.cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, asyncio.CancelledError) for one in found) == 10
    assert sum(getattr(one, "offer", None) is not None for one in found) == 10


async def test_a_key_is_live_until_its_moment(database: Database) -> None:
    now = datetime.now(UTC)
    key, token = await Keys(database, lambda: now, "test").create(Scope.SCHEME, None, "x")
    async with Directory.running(database.connect, lambda: now, "test") as directory:
        assert (await directory.find(token)).caller is not None
        assert directory.recall(token) is not None
        now = key.expires_at
        assert (await directory.find(token)).caller is None
        assert directory.recall(token) is None
