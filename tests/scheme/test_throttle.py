"""Wrong codes: how many are heard, of whom, and for how long nobody listens then."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme import throttle
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.directory import Directory
from ledger.scheme.keys import Keys
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.throttle import forget, may_type, wrong, wrong_enrolment, wrong_slip
from tests.daytime import daytime

NOW = datetime(2026, 11, 21, 16, 40, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Venue(NamedTuple):
    """A venue and two of its tills."""

    id: UUID
    tills: list[UUID]
    tokens: list[str]


@pytest.fixture
async def venue(database: Database, owner: asyncpg.Connection) -> Venue:
    id_ = uuid4()
    await owner.execute(
        "INSERT INTO scheme.venue (id, name, status, created_at) VALUES ($1, 'The pool', 'active', now())", id_
    )
    keys = Keys(database, daytime, "test")
    made = [await keys.create(Scope.VENUE, id_, name) for name in ("the till", "the kiosk")]
    return Venue(id_, [key.device for key, _ in made if key.device is not None], [token for _, token in made])


async def typed(database: Database, venue: Venue, till: int, moments: Iterable[datetime]) -> None:
    for moment in moments:
        async with database.transaction() as connection:
            await wrong(driver(connection), venue.tills[till], venue.id, moment)


async def locked(owner: asyncpg.Connection, venue: Venue) -> list[datetime | None]:
    """Until when the venue and each till are locked."""
    return [
        await owner.fetchval("SELECT locked_until FROM scheme.venue WHERE id = $1", venue.id),
        *[await owner.fetchval("SELECT locked_until FROM scheme.device WHERE id = $1", each) for each in venue.tills],
    ]


async def alerts(owner: asyncpg.Connection) -> list[tuple[UUID | None, dict[str, int]]]:
    rows = await owner.fetch("SELECT object, body FROM scheme.outbox WHERE topic = 'wrong_codes' ORDER BY at, id")
    return [(row["object"], json.loads(row["body"])) for row in rows]


async def read(database: Database, now: datetime) -> list[tuple[str, str | None, datetime, datetime]]:
    """What the office reads: where, of which venue or project, since and until when."""
    async with database.reading() as connection:
        found = await throttle.alerts(driver(connection), now)
    return [(each.where.value, each.place, each.since, each.until) for each in found]


# --- at a till ----------------------------------------------------------------------------------------------


async def test_the_tenth_wrong_code_within_an_hour_locks_the_till_and_staff_hear_of_it_once(
    database: Database, owner: asyncpg.Connection, venue: Venue
) -> None:
    await typed(database, venue, 0, [NOW + MINUTE * number for number in range(9)])
    assert await locked(owner, venue) == [None, None, None]
    assert await alerts(owner) == []
    await typed(database, venue, 0, [NOW + 9 * MINUTE])
    assert await locked(owner, venue) == [None, NOW + HOUR, None]
    await typed(database, venue, 0, [NOW + 10 * MINUTE])  # was on its way when the lock fell
    assert await locked(owner, venue) == [None, NOW + HOUR, None]
    assert await alerts(owner) == [(venue.tills[0], {"count": 10, "within_minutes": 60})]


@pytest.mark.parametrize(
    ("tenth", "until"),
    [
        (timedelta(0), HOUR),
        (HOUR - timedelta(microseconds=1), HOUR),
        (HOUR, None),  # the first was an hour ago: there were nine in this one
    ],
)
async def test_they_count_for_an_hour(
    database: Database, owner: asyncpg.Connection, venue: Venue, tenth: timedelta, until: timedelta | None
) -> None:
    await typed(database, venue, 0, [NOW, *[NOW + HOUR / 2] * 8, NOW + tenth])
    assert (await locked(owner, venue))[1] == (None if until is None else NOW + until)


async def test_after_the_hour_the_till_works_until_there_are_ten_again(
    database: Database, owner: asyncpg.Connection, venue: Venue
) -> None:
    await typed(database, venue, 0, [NOW + MINUTE * number for number in range(10)])
    later = NOW + HOUR
    await typed(database, venue, 0, [later])
    assert (await locked(owner, venue))[1] == NOW + MINUTE + HOUR, "there are ten within the last hour once more"
    assert len(await alerts(owner)) == 2
    much_later = NOW + 3 * HOUR
    await typed(database, venue, 0, [much_later] * 9)
    assert (await locked(owner, venue))[1] == NOW + MINUTE + HOUR


async def test_the_hundredth_within_a_day_locks_the_venue(
    database: Database, owner: asyncpg.Connection, venue: Venue
) -> None:
    # Nine an hour and till, which locks neither.
    spread = [NOW + HOUR * hour for hour in range(6) for _ in range(9)]
    await typed(database, venue, 0, spread[:50])
    await typed(database, venue, 1, spread[:49])
    assert await locked(owner, venue) == [None, None, None]
    await typed(database, venue, 1, [NOW + 8 * HOUR])
    assert await locked(owner, venue) == [NOW + DAY, None, None]
    assert await read(database, NOW + 8 * HOUR) == [("venue", "The pool", NOW, NOW + DAY)]
    assert await alerts(owner) == [(venue.id, {"count": 100, "within_minutes": 1440})]


async def test_ten_at_one_moment_lock_it_too(database: Database, owner: asyncpg.Connection, venue: Venue) -> None:
    await asyncio.gather(*(typed(database, venue, number % 2, [NOW]) for number in range(20)))
    assert await locked(owner, venue) == [None, NOW + HOUR, NOW + HOUR]
    assert len(await alerts(owner)) == 2


async def test_every_process_knows_of_a_lock_with_its_next_question(database: Database, venue: Venue) -> None:
    async with (
        Directory.running(database.connect, daytime, "test") as here,
        Directory.running(database.connect, daytime, "test") as there,
    ):
        for directory in (here, there):
            caller = (await directory.find(venue.tokens[0])).caller
            assert caller is not None
            assert (caller.device, caller.locked_until) == (venue.tills[0], None)
        await typed(database, venue, 0, [NOW] * 10)
        for directory in (here, there):
            found = [(await directory.find(token)).caller for token in venue.tokens]
            assert [caller and caller.locked_until for caller in found] == [NOW + HOUR, None]


# --- under one's key, and without one -----------------------------------------------------------------------


def person() -> Caller:
    return Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=uuid4())


async def slips(database: Database, caller: Caller, count: int, now: datetime = NOW) -> None:
    for _ in range(count):
        async with database.transaction() as connection:
            await wrong_slip(driver(connection), caller, now)


async def heard(database: Database, caller: Caller, now: datetime = NOW) -> bool:
    async with database.transaction() as connection:
        try:
            await may_type(driver(connection), caller, now)
        except Declined as declined:
            return declined.reason is not Refusal.TRY_AGAIN
    return True


async def test_who_typed_ten_wrong_slips_is_not_heard_for_an_hour_and_others_are(
    database: Database, owner: asyncpg.Connection
) -> None:
    ann, bob = person(), person()
    coordinator = Caller(key=uuid4(), scope=Scope.PROJECT, object=uuid4())
    for caller in (ann, coordinator):
        await slips(database, caller, 9)
        assert await heard(database, caller)
        await slips(database, caller, 1)
        assert not await heard(database, caller)
        assert not await heard(database, caller, NOW + HOUR - timedelta(microseconds=1))
        assert await heard(database, caller, NOW + HOUR)
    assert await heard(database, bob)
    assert [object_ for object_, _ in await alerts(owner)] == [ann.key, coordinator.key]


async def test_another_key_of_the_same_person_helps_nothing(database: Database) -> None:
    ann = person()
    await slips(database, ann, 10)
    assert not await heard(database, Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=ann.holder))


async def test_the_schemes_own_key_is_always_heard(database: Database, owner: asyncpg.Connection) -> None:
    office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    await slips(database, office, 20)
    assert await heard(database, office)
    assert await owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == 0


async def test_of_those_without_a_key_ten_in_ten_minutes_are_counted_and_no_more(
    database: Database, owner: asyncpg.Connection
) -> None:
    async def sent(now: datetime) -> bool:
        async with database.transaction() as connection:
            return await wrong_enrolment(driver(connection), now)

    assert [await sent(NOW) for _ in range(12)] == [False] * 10 + [True] * 2
    assert await owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == 10
    assert await alerts(owner) == [(None, {"count": 10, "within_minutes": 10})]
    assert await sent(NOW + 10 * MINUTE - timedelta(microseconds=1))
    assert not await sent(NOW + 10 * MINUTE)


async def test_what_is_counted_of_one_says_nothing_of_another(
    database: Database, owner: asyncpg.Connection, venue: Venue
) -> None:
    ann = person()
    await slips(database, ann, 9)
    await typed(database, venue, 0, [NOW] * 9)
    async with database.transaction() as connection:
        for _ in range(9):
            assert not await wrong_enrolment(driver(connection), NOW)
    assert await heard(database, ann)
    assert await locked(owner, venue) == [None, None, None]
    assert await alerts(owner) == []


# --- and then they are forgotten ----------------------------------------------------------------------------


async def test_nothing_is_kept_for_longer_than_a_day(
    database: Database, owner: asyncpg.Connection, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "_FORGOTTEN_AT_ONCE", 2)
    await typed(database, venue, 0, [NOW, NOW, NOW, NOW + timedelta(microseconds=1)])
    forgotten = []
    for _ in range(3):
        async with database.transaction() as connection:
            forgotten.append(await forget(driver(connection), NOW + DAY))
    assert forgotten == [2, 1, 0]
    assert await owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == 1


# --- what the office reads ----------------------------------------------------------------------------------


async def test_the_office_reads_of_each_for_a_day(database: Database, venue: Venue) -> None:
    ann = Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=uuid4())

    async def all_typed(moments: Iterable[datetime]) -> None:
        for moment in moments:
            await typed(database, venue, 0, [moment])
            async with database.transaction() as connection:
                raw = driver(connection)
                await wrong_slip(raw, ann, moment)
                await wrong_enrolment(raw, moment)
                await throttle.wrong_sign_in(raw, moment)

    await all_typed(NOW + MINUTE / 2 * number for number in range(9))
    assert await read(database, NOW + 10 * MINUTE) == []
    await all_typed([NOW + 10 * MINUTE])  # nine, and one more when ten minutes are over
    expected = {("device", "The pool", NOW, NOW + HOUR), ("slips", None, NOW, NOW + HOUR)}
    assert set(await read(database, NOW + 10 * MINUTE)) == expected
    later = NOW + 2 * HOUR
    await all_typed([later] * 10)
    soon = {(where, None, later, later + 10 * MINUTE) for where in ("enrolment", "sign_in")}
    expected = soon | {("device", "The pool", later, later + HOUR), ("slips", None, later, later + HOUR)}
    for hours in (0, 23):
        assert set(await read(database, later + hours * HOUR)) == expected
    assert await read(database, later + 26 * HOUR) == []
