"""Who did what for whom."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.keys import Keys
from ledger.scheme.people import NewPerson, People, Person
from tests.daytime import daytime

OFFICE = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def person(database: Database, name: str) -> Person:
    return (await People(database, daytime).create(OFFICE, name, NewPerson(name=name)))[0]


async def recorded(database: Database, caller: Caller, holder: UUID, *verbs: str, now: datetime = NOW) -> None:
    async with database.transaction() as connection:
        for verb in verbs:
            await acts.record(driver(connection), caller, holder, verb, None, now)


async def listed(database: Database, holder: UUID, *, before: UUID | None = None, limit: int = 100) -> list[acts.Act]:
    async with database.reading() as connection:
        return list(await acts.listed(driver(connection), holder, before=before, limit=limit))


ANN, BOB = uuid4(), uuid4()


@pytest.mark.parametrize(
    ("scope", "holder", "own"),
    [
        (Scope.PERSON, ANN, True),
        (Scope.PERSON, BOB, False),
        (Scope.PROJECT, ANN, False),
        (Scope.SCHEME, ANN, False),
        (Scope.SCHEME, None, False),
    ],
)
async def test_only_what_people_do_by_their_own_key_is_theirs_and_not_recorded(
    database: Database,
    *,
    scope: Scope,
    holder: UUID | None,
    own: bool,
) -> None:
    caller = Caller(key=uuid4(), scope=scope, object=None, holder=holder)
    await recorded(database, caller, ANN, "looked")
    found = await listed(database, ANN)
    assert is_own(caller, ANN) is own
    assert [(act.by, act.key, act.verb) for act in found] == (
        [] if own else [(holder or caller.key, caller.key, "looked")]
    )


async def test_it_tells_who_acted_and_as_what(database: Database) -> None:
    ann, bob = await person(database, "Ann"), await person(database, "Bob")
    key, _ = await Keys(database, daytime, "test").create(Scope.PERSON, None, "Bob's", person=bob.id)
    await recorded(database, Caller(key=key.id, scope=Scope.PERSON, object=None, holder=bob.holder), ann.holder, "b")
    await recorded(database, OFFICE, ann.holder, "a", now=NOW + timedelta(seconds=1))
    assert [(act.verb, act.by, act.person, act.scope) for act in await listed(database, ann.holder)] == [
        ("person_added", SCHEME, None, Scope.SCHEME),
        ("a", SCHEME, None, Scope.SCHEME),
        ("b", bob.holder, bob.id, Scope.PERSON),
    ]


async def test_the_newest_come_first_and_none_is_missed_where_many_are_of_one_moment(database: Database) -> None:
    await recorded(database, OFFICE, ANN, "first", now=NOW - timedelta(days=1))
    await recorded(database, OFFICE, ANN, *["same"] * 5)
    await recorded(database, OFFICE, BOB, "another")
    await recorded(database, OFFICE, ANN, "last", now=NOW + timedelta(days=1))
    whole = await listed(database, ANN)
    assert [act.verb for act in whole] == ["last", *["same"] * 5, "first"]
    seen: list[acts.Act] = []
    while page := await listed(database, ANN, before=seen[-1].id if seen else None, limit=2):
        seen += page
    assert seen == whole


async def test_an_act_that_was_not_done_is_not_recorded(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await acts.record(driver(connection), OFFICE, ANN, "looked", None, NOW)
            raise ZeroDivisionError
    assert await listed(database, ANN) == []


async def test_what_was_done_stays_done(database: Database) -> None:
    await recorded(database, OFFICE, ANN, "looked")
    for statement in ("UPDATE scheme.act SET verb = 'slept'", "DELETE FROM scheme.act", "TRUNCATE scheme.act"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction() as connection:
                await driver(connection).execute(statement)
