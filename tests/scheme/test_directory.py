"""The directory: fresh, shared, bounded."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal.batcher import Unavailable
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.codes import Pass, code_hash, read_typed
from ledger.scheme.credentials import Credentials
from ledger.scheme.directory import Directory
from ledger.scheme.keys import Keys
from ledger.scheme.offers import Details, NewOffer, Offers
from ledger.scheme.people import AgeBand, NewPerson, People
from ledger.scheme.rules import Rulebook
from ledger.scheme.states import Publication
from ledger.scheme.terms import Terms, Visitor
from ledger.scheme.venues import NewVenue, Venues
from tests.daytime import daytime

OFFICE = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)


async def offers_of_a_venue(database: Database, count: int) -> list[UUID]:
    venue, _ = await Venues(database, daytime).create(OFFICE, "pool", NewVenue(name="Parkside pool"))
    offers = Offers(database, daytime)
    swim = NewOffer(venue=venue.id, details=Details(title="A swim", price=60, terms=Terms(quota=40)))
    return [(await offers.create(OFFICE, f"swim {number}", swim))[0].id for number in range(count)]


async def an_offer(database: Database) -> UUID:
    [offer] = await offers_of_a_venue(database, 1)
    await Offers(database, daytime).change(OFFICE, offer, Publication.PUBLISHED)
    return offer


async def test_what_is_there_is_found_and_what_is_not_is_not(database: Database) -> None:
    offer = await an_offer(database)
    person, _ = await People(database, daytime).create(OFFICE, "ann", NewPerson(name="Ann", age_band=AgeBand.FROM_16))
    card, _ = await Credentials(database, daytime).issue_card(OFFICE, "card", person.id)
    _, token = await Keys(database, daytime, "test").create(Scope.SCHEME, None, "x")
    async with Directory.running(database.connect, daytime, "test") as directory:
        hashed = code_hash(directory.secret, str(card.code))
        found = await directory.find(token, offer=offer, code=hashed)
        assert found.caller is not None
        assert found.caller.scope is Scope.SCHEME
        assert found.offer is not None
        assert (found.offer.price, found.offer.status, found.offer.terms.quota) == (60, "published", 40)
        assert found.shown is not None
        assert (found.shown.id, found.shown.kind, found.shown.status) == (card.credential.id, "card", "active")
        assert (found.shown.holder, found.shown.name) == (person.holder, "Ann")
        assert found.shown.visitor == Visitor(age_band="16_to_17")
        nothing = await directory.find("tc_test_x", offer=uuid4(), code=bytes(32))
        assert (nothing.caller, nothing.offer, nothing.shown) == (None, None, None)


async def test_a_phone_pass_is_found_by_its_number(database: Database) -> None:
    people, credentials = People(database, daytime), Credentials(database, daytime)
    person, _ = await people.create(OFFICE, "ann", NewPerson(name="Ann"))
    ann = Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=person.holder)
    made, _ = await credentials.make_pass(ann, "pass", person.id)
    typed = read_typed((await credentials.shown_pass(ann, person.id)).code)
    assert isinstance(typed, Pass)
    async with Directory.running(database.connect, daytime, "test") as directory:
        found = await directory.find(code=typed.number)
        assert found.shown is not None
        assert (found.shown.id, found.shown.kind, found.shown.holder) == (made.id, "pass", person.holder)
        assert (await directory.find(code=typed.number ^ 1)).shown is None


async def test_whoever_asks_at_the_same_moment_hears_of_their_own_code(database: Database) -> None:
    people, credentials = People(database, daytime), Credentials(database, daytime)
    holders = {}
    async with Directory.running(database.connect, daytime, "test") as directory:
        for number in range(20):
            person, _ = await people.create(OFFICE, f"person {number}", NewPerson(name=f"Ann {number}"))
            card, _ = await credentials.issue_card(OFFICE, f"card {number}", person.id)
            holders[code_hash(directory.secret, str(card.code))] = person.holder
        found = await asyncio.gather(*(directory.find(code=hashed) for hashed in holders))
    assert [one.shown and one.shown.holder for one in found] == list(holders.values())


async def test_new_rules_are_known_to_the_next_question(database: Database) -> None:
    async with Directory.running(database.connect, daytime, "test") as directory:
        assert (await directory.find()).rules.visit_cap_minutes == 480
        await Rulebook(database, daytime).change(OFFICE, {"visit_cap_minutes": 240})
        assert (await directory.find()).rules.visit_cap_minutes == 240


async def test_a_consent_and_what_somebody_is_eligible_for_are_read_each_time(
    database: Database, owner: asyncpg.Connection
) -> None:
    person, _ = await People(database, daytime).create(OFFICE, "cat", NewPerson(name="Cat", age_band=AgeBand.FROM_8))
    card, _ = await Credentials(database, daytime).issue_card(OFFICE, "card", person.id)
    async with Directory.running(database.connect, daytime, "test") as directory:
        hashed = code_hash(directory.secret, str(card.code))

        async def visitor() -> Visitor:
            shown = (await directory.find(code=hashed)).shown
            assert shown is not None
            return shown.visitor

        assert await visitor() == Visitor(age_band="8_to_15", lacks_consent=True)
        given = "INSERT INTO scheme.eligible (person, word, given_at, given_by) VALUES ($1, 'induction', $2, $1)"
        await owner.execute(given, person.id, daytime())
        assert await visitor() == Visitor(age_band="8_to_15", lacks_consent=True, eligible=("induction",))
        await owner.execute("UPDATE scheme.eligible SET ends_at = given_at, given_at = given_at - interval '1 day'")
        assert await visitor() == Visitor(age_band="8_to_15", lacks_consent=True)


async def test_a_change_is_seen_by_the_next_question(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, daytime, "test") as directory:
        for status in (Publication.PAUSED, Publication.PUBLISHED, Publication.ENDED):
            await Offers(database, daytime).change(OFFICE, offer, status)
            found = await directory.find(offer=offer)
            assert found.offer is not None
            assert found.offer.status == status


async def test_questions_that_wait_share_one_query(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, daytime, "test") as directory:
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
    offers = await offers_of_a_venue(database, 10)
    async with Directory.running(database.connect, daytime, "test") as directory:
        for _ in range(3):
            found = await asyncio.gather(*(directory.find(offer=offer) for offer in offers))
            assert [one.offer.id for one in found if one.offer] == offers
        for offer in offers:
            assert (await directory.find(offer=offer)).offer is not None
            assert len(directory._offers) <= 10


async def test_without_the_database_it_says_so_and_comes_back(database: Database) -> None:
    offer = await an_offer(database)
    async with Directory.running(database.connect, daytime, "test") as directory:
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
    async with Directory.running(database.connect, daytime, "test") as directory:
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
    async with Directory.running(database.connect, daytime, "test") as directory:
        asked = [asyncio.create_task(directory.find(offer=offer)) for _ in range(20)]
        await asyncio.sleep(0)
        for one in asked[::2]:
            one.cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, asyncio.CancelledError) for one in found) == 10
    assert sum(getattr(one, "offer", None) is not None for one in found) == 10


async def test_a_key_is_live_until_its_moment(database: Database) -> None:
    now = daytime()
    key, token = await Keys(database, lambda: now, "test").create(Scope.SCHEME, None, "x")
    async with Directory.running(database.connect, lambda: now, "test") as directory:
        assert (await directory.find(token)).caller is not None
        assert directory.recall(token) is not None
        now = key.expires_at
        assert (await directory.find(token)).caller is None
        assert directory.recall(token) is None
