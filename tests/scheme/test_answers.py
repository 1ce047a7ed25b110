"""Things are done once, and their answers kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Reason, Refused, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme.answers import Answers, Work
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART
from ledger.scheme.refusals import Declined, Refusal
from tests.journal.conftest import audit

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OFFICE = Caller(key=UUID(int=1), scope=Scope.SCHEME, object=None)
ANN = Caller(key=UUID(int=2), scope=Scope.PERSON, object=None, holder=UUID(int=3))


class Add(Struct, frozen=True, tag="add", tag_field="operation"):
    name: str


class Remove(Struct, frozen=True, tag="remove", tag_field="operation"):
    name: str


class Added(Struct, frozen=True):
    id: UUID


@pytest.fixture
def answers(database: Database) -> Answers:
    return Answers(database, lambda: NOW)


def adding(name: str, refusal: Refusal | None = None) -> Work[Added]:
    """Makes somebody known, and then perhaps thinks better of it."""

    async def work(raw: asyncpg.Connection, now: datetime) -> Added:
        id_ = uuid4()
        await raw.execute("INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, $3)", id_, name, now)
        if refusal is not None:
            raise Declined(refusal, "because", fields=(("name", "is taken"),))
        return Added(id_)

    return work


async def names(owner: asyncpg.Connection) -> list[str]:
    return [row["name"] for row in await owner.fetch("SELECT name FROM scheme.person ORDER BY name")]


async def test_the_same_under_the_same_key_is_done_once(answers: Answers, owner: asyncpg.Connection) -> None:
    first = await answers.once(OFFICE, "k", Add("Ann"), adding("Ann"), Added)
    again = await answers.once(OFFICE, "k", Add("Ann"), adding("Ann"), Added)
    assert (first[1], again) == (False, (first[0], True))
    assert await names(owner) == ["Ann"]


async def test_a_refusal_is_told_again_as_it_was_with_the_moment_from_which_it_would_work(answers: Answers) -> None:
    async def closed(_: asyncpg.Connection, now: datetime) -> Added:
        raise Declined(Refusal.OFFER_CLOSED_NOW, "It opens at 19:00.", works_at=now + timedelta(hours=7))

    for replayed in (False, True):
        with pytest.raises(Declined) as declined:
            await answers.once(ANN, "k", Add("Ann"), closed, Added)
        told = declined.value
        assert (told.reason, told.detail, told.replayed) == (Refusal.OFFER_CLOSED_NOW, "It opens at 19:00.", replayed)
        assert told.works_at == datetime(2026, 6, 1, 19, tzinfo=UTC)


async def test_of_many_at_once_one_does_it_and_all_hear_its_answer(answers: Answers, owner: asyncpg.Connection) -> None:
    heard = await asyncio.gather(
        *(answers.once(OFFICE, "k", Add("Ann"), adding("Ann"), Added) for _ in range(20)),
    )
    assert sorted(replayed for _, replayed in heard) == [False] + [True] * 19
    assert len({answer for answer, _ in heard}) == 1
    assert await names(owner) == ["Ann"]


@pytest.mark.parametrize("asked", [Add("Bob"), Remove("Ann")], ids=["another value", "another operation"])
async def test_something_else_under_the_same_key_is_refused(answers: Answers, asked: Struct) -> None:
    await answers.once(OFFICE, "k", Add("Ann"), adding("Ann"), Added)
    with pytest.raises(Declined) as refused:
        await answers.once(OFFICE, "k", asked, adding("Bob"), Added)
    assert refused.value.reason is Refusal.KEY_REUSED


async def test_a_key_is_used_up_where_nothing_was_done_under_it_and_nothing_can_be(answers: Answers) -> None:
    async def used_up(name: str, refusal: Refusal | None) -> bool | None:
        try:
            await answers.once(OFFICE, "k", Add(name), adding(name, refusal), Added)
        except Declined as declined:
            return declined.used_up
        return None

    assert await used_up("Ann", Refusal.WRONG_VALUES) is False, "it may be mended and sent again"
    assert await used_up("Ann", Refusal.QUOTA_FULL) is True
    assert await used_up("Ann", None) is True, "the refusal stands"
    assert await used_up("Bob", None) is True
    await answers.once(OFFICE, "done", Add("Cat"), adding("Cat"), Added)
    with pytest.raises(Declined) as declined:
        await answers.once(OFFICE, "done", Add("Dee"), adding("Dee"), Added)
    assert (declined.value.reason, declined.value.used_up) == (Refusal.KEY_REUSED, False)


async def test_another_principals_key_is_another_key(answers: Answers, owner: asyncpg.Connection) -> None:
    for caller in (OFFICE, ANN):
        _, replayed = await answers.once(caller, "k", Add("Ann"), adding("Ann"), Added)
        assert not replayed
    assert await names(owner) == ["Ann", "Ann"]


async def test_a_refusal_by_rule_is_kept_and_what_was_written_is_taken_back(
    answers: Answers, owner: asyncpg.Connection
) -> None:
    for replayed in (False, True):
        with pytest.raises(Declined) as refused:
            await answers.once(OFFICE, "k", Add("Ann"), adding("Ann", Refusal.WRONG_STATE), Added)
        said = refused.value
        assert (said.reason, said.detail, said.fields) == (Refusal.WRONG_STATE, "because", (("name", "is taken"),))
        assert said.replayed is replayed
    assert await names(owner) == []


@pytest.mark.parametrize("refusal", [Refusal.WRONG_VALUES, Refusal.NOT_FOUND, Refusal.OWN_HOURS])
async def test_what_can_be_mended_is_not_kept(answers: Answers, owner: asyncpg.Connection, refusal: Refusal) -> None:
    with pytest.raises(Declined):
        await answers.once(OFFICE, "k", Add("Ann"), adding("Ann", refusal), Added)
    await answers.once(OFFICE, "k", Add("Bob"), adding("Bob"), Added)
    assert await names(owner) == ["Bob"]


async def test_a_key_whose_refusal_is_kept_is_used_for_nothing_that_goes_straight_to_the_journal(
    answers: Answers, database: Database, owner: asyncpg.Connection
) -> None:
    with pytest.raises(Declined):
        await answers.once(OFFICE, "k", Add("Ann"), adding("Ann", Refusal.WRONG_STATE), Added)
    entry = Entry(
        id=entry_id(OFFICE.principal, "k"),
        transfers=(Transfer("issued:x", "wallet:y", 60),),
        happened_at=NOW,
        actor=OFFICE.key,
    )
    async with database.transaction() as connection:
        (outcome,) = await post(driver(connection), CHART, [entry], NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.replayed) == (Reason.KEY_REUSED, False)
    kept = await owner.fetchrow("SELECT reason, body FROM journal.refusal JOIN journal.refusal_detail USING (id)")
    assert tuple(kept or ()) == ("wrong_state", '{"answered":"add"}')
    await audit(owner)


async def test_a_key_that_the_journal_knows_is_refused(answers: Answers, database: Database) -> None:
    entry = Entry(
        id=entry_id(OFFICE.principal, "k"),
        transfers=(Transfer("issued:x", "wallet:y", 60),),
        happened_at=NOW,
        actor=OFFICE.key,
    )
    async with database.transaction() as connection:
        await post(driver(connection), CHART, [entry], NOW)
    with pytest.raises(Declined) as refused:
        await answers.once(OFFICE, "k", Add("Ann"), adding("Ann"), Added)
    assert refused.value.reason is Refusal.KEY_REUSED
