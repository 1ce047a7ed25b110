"""Expiry over the journal: what the daily look tells and takes, once, however it is interrupted."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Kind, Posted, Transfer
from ledger.journal.posting import post
from ledger.scheme import expiry, outbox
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.erasure import Erasure, GiveTo
from ledger.scheme.expiry import Ending, Expiry, expire
from ledger.scheme.outbox import Topic
from ledger.scheme.periodic import Job, Periodic
from ledger.scheme.rules import Rulebook
from tests.conftest import blocked

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SHED = account("issued", UUID(int=7))
POOL = account("redeemed", UUID(int=8))


class Person(Struct, frozen=True):
    id: UUID
    holder: UUID

    @property
    def wallet(self) -> str:
        return account("wallet", self.holder)

    @property
    def held(self) -> str:
        return account("held", self.holder)


class World:
    """A scheme in which a test sets the time, posts what it likes, and has the look made."""

    def __init__(self, database: Database, now: str) -> None:
        self.database = database
        self.now = datetime.fromisoformat(now).astimezone(LONDON)

    @property
    def clock(self) -> Clock:
        return lambda: self.now

    async def rules(self, **values: int) -> None:
        await Rulebook(self.database, self.clock).change(STAFF, values)

    async def person(self) -> Person:
        made = Person(uuid4(), uuid4())
        async with self.database.transaction() as connection:
            raw = driver(connection)
            await raw.execute(
                "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, 'Ann', $2)", made.id, self.now
            )
            await raw.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", made.holder, made.id)
        return made

    async def post(self, kind: Kind, *moves: tuple[str, str, int], of: Posted | None = None) -> Posted:
        entry = Entry(
            id=uuid4(),
            kind=kind,
            transfers=tuple(Transfer(*move) for move in moves),
            target=None if of is None else of.id,
            happened_at=self.now,
            actor=SCHEME,
        )
        async with self.database.transaction() as connection:
            (outcome,) = await post(driver(connection), CHART, [entry], self.now)
        assert isinstance(outcome, Posted), outcome
        return outcome

    async def award(self, person: Person, minutes: int) -> Posted:
        return await self.post(Kind.PLAIN, (SHED, person.wallet, minutes))

    def work(self, database: Database | None = None) -> Periodic:
        return Periodic(database or self.database, self.clock, [Job("expire_credits", HOUR, expire)])

    async def look(self) -> int:
        """Make it round by round, as the service does; how many were looked at."""
        count = 0
        while True:
            async with self.database.transaction() as connection:
                done = await expire(driver(connection), self.now)
            if not done:
                return count
            count += done

    async def go_to(self, moment: str, *, looking: bool = True) -> None:
        """Let the days pass, with a look on each."""
        end = datetime.fromisoformat(moment).astimezone(LONDON)
        while looking and self.now < end:
            self.now = min(self.now + DAY, end)
            await self.look()
        self.now = end

    async def balance(self, person: Person) -> int:
        async with self.database.reading() as connection:
            return (await reading.balances(driver(connection), [person.wallet]))[person.wallet]

    async def endings(self, person: Person) -> list[tuple[str, int]]:
        found = await Expiry(self.database, self.clock).endings(STAFF, person.id)
        return [(ending.ends_on.isoformat(), ending.minutes) for ending in found.endings]

    async def told(self, person: Person, topic: Topic) -> list[tuple[str, Mapping[str, object]]]:
        """The day and the body of each event of theirs."""
        async with self.database.reading() as connection:
            rows = await outbox.waiting(driver(connection), topic=topic, limit=1000)
        return [(day_of(row.at).isoformat(), row.body) for row in rows if row.holder == person.holder]

    async def notices(self, person: Person) -> list[tuple[str, str, str, int]]:
        return [
            (day, str(body["notice"]), str(body["ends_on"]), int(str(body["minutes"])))
            for day, body in await self.told(person, Topic.CREDITS_ENDING)
        ]

    async def expiries(self, person: Person) -> list[reading.Line]:
        async with self.database.reading() as connection:
            lines = await reading.statement(driver(connection), person.wallet, limit=200)
        return [line for line in reversed(lines) if line.other == "expired" and line.minutes < 0]


@pytest.fixture
async def world(database: Database) -> World:
    """Two years' expiry, switched on long ago."""
    world = World(database, "2026-01-15T12:00:00Z")
    await world.rules(expiry_months=24)
    return world


# --- when it is off, and when it is switched on -----------------------------------------------------------------


async def test_without_the_rule_nobody_looks_and_nothing_ends(database: Database, owner: asyncpg.Connection) -> None:
    world = World(database, "2026-01-15T12:00:00Z")
    ann = await world.person()
    await world.award(ann, 60)
    world.now += 40 * 365 * DAY
    assert await world.look() == 0
    assert await owner.fetchval("SELECT day IS NULL FROM scheme.expiry")
    assert (await world.balance(ann), await world.endings(ann)) == (60, [])


async def test_switched_on_it_ends_nothing_within_the_notice(database: Database) -> None:
    world = World(database, "2020-01-15T12:00:00Z")
    ann = await world.person()
    await world.award(ann, 60)
    await world.go_to("2026-01-10T12:00:00Z", looking=False)
    await world.award(ann, 90)
    await world.go_to("2026-01-15T12:00:00Z", looking=False)
    await world.rules(expiry_months=24)
    assert await world.endings(ann) == [("2026-03-16", 60), ("2028-01-31", 90)]
    await world.look()
    await world.go_to("2026-03-17T00:01:00Z")
    assert await world.notices(ann) == [
        ("2026-01-15", "first", "2026-03-16", 60),
        ("2026-03-02", "last", "2026-03-16", 60),
    ]
    assert [line.minutes for line in await world.expiries(ann)] == [-60]
    assert await world.balance(ann) == 90


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ({}, "2026-02-28"),
        ({"expiry_months": 12}, "2026-04-01"),
        ({"expiry_months": 36}, "2027-02-28"),
        ({"expiry_months": 0}, None),
        ({"void_extension_days": 5}, "2026-04-01"),
        ({"refund_extension_days": 5}, "2026-04-01"),
        ({"expiry_first_notice_days": 90}, "2026-05-01"),
        ({"expiry_last_notice_days": 7}, "2026-04-01"),
        ({"reinstatement_days": 90}, "2026-02-28"),
        ({"back_days": 30}, "2026-02-28"),
    ],
    ids=[
        "as it was",
        "shorter: nobody loses anything at once",
        "longer, for all",
        "off",
        "a void's days",
        "a refund's",
        "an earlier first notice",
        "a later last one",
        "what dates nothing",
        "a rule of something else",
    ],
)
async def test_no_change_of_the_rules_takes_anything_before_a_first_notice(
    database: Database, change: dict[str, int], ends: str | None
) -> None:
    world = World(database, "2024-02-10T12:00:00Z")
    await world.rules(expiry_months=24)
    ann = await world.person()
    await world.award(ann, 60)
    world.now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    await world.rules(**change)
    assert await world.endings(ann) == ([] if ends is None else [(ends, 60)])


# --- the look ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded_at", "still_there", "gone"),
    [
        ("2026-01-20T12:00:00Z", "2028-01-31T23:59:59Z", "2028-02-01T00:00:00Z"),
        ("2026-01-31T23:59:59Z", "2028-01-31T23:59:59Z", "2028-02-01T00:00:00Z"),
        ("2026-02-01T00:00:00Z", "2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z"),
        ("2026-03-15T12:00:00Z", "2028-03-31T22:59:59Z", "2028-03-31T23:00:00Z"),
        ("2026-03-31T22:59:59Z", "2028-03-31T22:59:59Z", "2028-03-31T23:00:00Z"),
        ("2026-03-31T23:00:00Z", "2028-04-30T22:59:59Z", "2028-04-30T23:00:00Z"),
        ("2026-10-31T23:30:00Z", "2028-10-31T23:59:59Z", "2028-11-01T00:00:00Z"),
    ],
    ids=[
        "at the end of a month, London time",
        "received in the last second of a month",
        "on a 29 February",
        "an hour earlier in UTC where it is summer",
        "received in the last second of a month of summer",
        "received when a month had begun in London, and not in UTC",
        "received in winter",
    ],
)
async def test_credits_leave_when_their_last_day_in_london_is_over(
    world: World, recorded_at: str, still_there: str, gone: str
) -> None:
    ann = await world.person()
    world.now = datetime.fromisoformat(recorded_at)
    await world.award(ann, 60)
    for moment, there in ((still_there, 60), (gone, 0)):
        world.now = datetime.fromisoformat(moment)
        await world.look()
        assert await world.balance(ann) == there
    [line] = await world.expiries(ann)
    assert (line.minutes, line.happened_at) == (-60, datetime.fromisoformat(gone))
    until = day_of(world.now) + 30 * DAY
    ended_on = day_of(world.now) - DAY
    assert await world.told(ann, Topic.CREDITS_EXPIRED) == [
        (day_of(world.now).isoformat(), {"minutes": 60, "ended_on": str(ended_on), "until": str(until)})
    ]


async def test_each_notice_comes_once_with_the_minutes_of_that_day(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    for moment, minutes in (("2026-01-20T12:00:00Z", 60), ("2026-02-20T12:00:00Z", 90)):
        await world.go_to(moment, looking=False)
        await world.award(ann, minutes)
    await world.award(bob, 30)
    await world.go_to("2027-11-20T12:00:00Z", looking=False)
    await world.go_to("2027-12-20T12:00:00Z")
    await world.post(Kind.PLAIN, (ann.wallet, POOL, 20))
    await world.go_to("2028-04-01T12:00:00Z")
    assert await world.notices(ann) == [
        ("2027-12-02", "first", "2028-01-31", 60),
        ("2027-12-31", "first", "2028-02-29", 90),
        ("2028-01-17", "last", "2028-01-31", 40),
        ("2028-02-15", "last", "2028-02-29", 90),
    ]
    assert [line.minutes for line in await world.expiries(ann)] == [-40, -90]
    assert await world.notices(bob) == [
        ("2027-12-31", "first", "2028-02-29", 30),
        ("2028-02-15", "last", "2028-02-29", 30),
    ]


async def test_who_spent_it_all_hears_nothing(world: World) -> None:
    ann = await world.person()
    await world.award(ann, 60)
    world.now += 600 * DAY
    await world.post(Kind.PLAIN, (ann.wallet, POOL, 60))
    await world.award(ann, 45)
    await world.go_to("2028-03-01T12:00:00Z", looking=False)
    await world.look()
    assert await world.notices(ann) == []
    assert await world.expiries(ann) == []


async def test_a_look_that_comes_late_tells_what_is_left_to_tell_once(world: World) -> None:
    ann = await world.person()
    await world.award(ann, 60)
    await world.look()
    await world.go_to("2028-01-20T12:00:00Z", looking=False)
    await world.look()
    await world.go_to("2028-02-05T12:00:00Z", looking=False)
    await world.look()
    assert await world.notices(ann) == [("2028-01-20", "last", "2028-01-31", 60)]
    assert [line.recorded_at for line in await world.expiries(ann)] == [world.now]
    assert [body["until"] for _, body in await world.told(ann, Topic.CREDITS_EXPIRED)] == ["2028-03-06"]


async def test_what_came_back_near_its_end_is_told_of_then(world: World) -> None:
    ann = await world.person()
    await world.award(ann, 60)
    world.now = datetime(2027, 11, 1, 12, tzinfo=UTC)
    hold = await world.post(Kind.HOLD, (ann.wallet, ann.held, 60))
    await world.go_to("2028-01-25T12:00:00Z")
    assert await world.notices(ann) == []
    await world.post(Kind.VOID, of=hold)
    await world.go_to("2028-02-02T12:00:00Z")
    assert await world.notices(ann) == [("2028-01-26", "last", "2028-01-31", 60)]


async def test_credits_on_hold_do_not_end_and_come_back_for_thirty_days(world: World) -> None:
    ann = await world.person()
    await world.award(ann, 90)
    held = await world.post(Kind.HOLD, (ann.wallet, ann.held, 60))
    await world.go_to("2028-01-25T12:00:00Z", looking=False)
    await world.go_to("2028-02-10T12:00:00Z")
    assert [line.minutes for line in await world.expiries(ann)] == [-30]
    await world.post(Kind.LAPSE, of=held)
    assert await world.endings(ann) == [("2028-03-11", 60)]
    await world.go_to("2028-03-11T12:00:00Z")
    assert await world.balance(ann) == 60
    await world.go_to("2028-03-12T12:00:00Z")
    assert await world.balance(ann) == 0


@pytest.mark.parametrize(
    ("refunded_at", "ends"),
    [
        ("2027-12-31T12:00:00Z", "2028-01-31"),
        ("2028-01-01T12:00:00Z", "2028-01-31"),
        ("2028-01-02T12:00:00Z", "2028-02-01"),
        ("2028-01-31T12:00:00Z", "2028-03-01"),
        ("2028-02-01T12:00:00Z", "2028-03-02"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["a walk-in", "a captured hold"])
async def test_a_refund_lasts_as_long_as_it_would_have_and_thirty_days_at_least(
    world: World, refunded_at: str, ends: str, *, at_once: bool
) -> None:
    ann = await world.person()
    await world.award(ann, 60)
    world.now = datetime(2027, 12, 30, 12, tzinfo=UTC)
    if at_once:
        visit = await world.post(Kind.PLAIN, (ann.wallet, POOL, 60))
    else:
        hold = await world.post(Kind.HOLD, (ann.wallet, ann.held, 60))
        visit = await world.post(Kind.CAPTURE, (ann.held, POOL, 60), of=hold)
    world.now = datetime.fromisoformat(refunded_at)
    await world.post(Kind.REFUND, (POOL, ann.wallet, 60), of=visit)
    assert await world.endings(ann) == [(ends, 60)]


async def test_a_gift_that_was_accepted_is_received_anew_and_one_that_lapsed_is_not(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    await world.award(ann, 90)
    world.now = datetime(2027, 12, 30, 12, tzinfo=UTC)
    for minutes, kind in ((60, Kind.CAPTURE), (30, Kind.LAPSE)):
        gift = await world.post(Kind.HOLD, (ann.wallet, "transit", minutes))
        await world.post(kind, *([("transit", bob.wallet, 60)] if kind is Kind.CAPTURE else []), of=gift)
    assert await world.endings(bob) == [("2029-12-31", 60)]
    assert await world.endings(ann) == [("2028-01-31", 30)]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happened_the_look_leaves_nothing_behind_that_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whom the look passes over, by index, are not concerned: here everybody's wallet is folded and asked."""
    monkeypatch.setattr(expiry, "HOLDERS_MAX", 5)
    dice = random.Random(seed)  # noqa: S311  # no secret
    await world.rules(expiry_months=1 + seed % 2, void_extension_days=3, refund_extension_days=(2, 70)[seed % 2])
    people = [await world.person() for _ in range(12)]
    world.now += 61 * DAY
    holds: list[tuple[Person, Posted]] = []
    visits: list[tuple[Person, Posted]] = []
    passed_over = 0
    for _ in range(40):
        for ann in people:
            balance, minutes = await world.balance(ann), dice.randint(1, 60)
            match dice.randrange(7):
                case 0 | 1:
                    await world.award(ann, minutes)
                case 2 if balance:
                    visits.append((ann, await world.post(Kind.PLAIN, (ann.wallet, POOL, min(balance, minutes)))))
                case 3 if balance:
                    holds.append((ann, await world.post(Kind.HOLD, (ann.wallet, ann.held, min(balance, minutes)))))
                case 4 if holds:
                    _, hold = holds.pop(dice.randrange(len(holds)))
                    await world.post(Kind.VOID, of=hold)
                case 5 if visits:
                    bob, visit = visits.pop(dice.randrange(len(visits)))
                    await world.post(Kind.REFUND, (POOL, bob.wallet, visit.transfers[0].minutes), of=visit)
        world.now += dice.randint(1, 9) * DAY
        before = {ann.holder: await world.endings(ann) for ann in people}
        await world.look()
        for ann in people:
            there = await world.endings(ann)
            today = day_of(world.now).isoformat()
            assert there == [(ends, minutes) for ends, minutes in before[ann.holder] if ends >= today]
            passed_over += not there
    assert sum([len(await world.expiries(ann)) for ann in people]) > 20
    assert passed_over


# --- interrupted, twice at once, beside an erasure ------------------------------------------------------------------


async def test_a_look_that_was_interrupted_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: asyncpg.Connection
) -> None:
    monkeypatch.setattr(expiry, "HOLDERS_MAX", 3)
    people = [await world.person() for _ in range(10)]
    for ann in people:
        await world.award(ann, 60)
        world.now += DAY
        await world.award(ann, 30)
    await world.go_to("2028-01-20T12:00:00Z", looking=False)
    rounds = 0

    async def killed(raw: asyncpg.Connection, now: datetime) -> int:
        nonlocal rounds
        done = await expire(raw, now)
        rounds += 1
        if rounds % 3 == 2:
            raise ConnectionResetError("the power failed before this round was committed")
        return done

    for _ in range(5):
        work = Periodic(world.database, world.clock, [Job("expire_credits", HOUR, killed)])
        await work.run_due()
    assert await owner.fetchval("SELECT reached IS NULL FROM scheme.expiry")
    for ann in people:
        assert [notice[1:] for notice in await world.notices(ann)] == [("last", "2028-01-31", 90)]

    await world.go_to("2028-02-01T12:00:00Z", looking=False)
    for _ in range(5):
        work = Periodic(world.database, world.clock, [Job("expire_credits", HOUR, killed)])
        await work.run_due()
    for ann in people:
        assert [line.minutes for line in await world.expiries(ann)] == [-90]
        assert len(await world.told(ann, Topic.CREDITS_EXPIRED)) == 1
        assert len(await world.notices(ann)) == 1


async def test_a_look_that_lasts_beyond_its_day_is_finished_before_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: asyncpg.Connection
) -> None:
    monkeypatch.setattr(expiry, "HOLDERS_MAX", 3)
    people = [await world.person() for _ in range(10)]
    for ann in people:
        await world.award(ann, 60)
    world.now = datetime(2027, 12, 1, 12, tzinfo=UTC)
    await world.look()
    # 2 December is the day of the first notice: half of them hear on the day after.
    world.now += DAY
    async with world.database.transaction() as connection:
        assert await expire(driver(connection), world.now) == 3
    world.now += DAY
    await world.look()
    assert await owner.fetchval("SELECT day FROM scheme.expiry") == date(2027, 12, 3)
    days = sorted([day for ann in people for day, *_ in await world.notices(ann)])
    assert days == ["2027-12-02"] * 3 + ["2027-12-03"] * 7


async def test_two_processes_at_once_end_and_tell_once(world: World, dsn: str) -> None:
    people = [await world.person() for _ in range(20)]
    for ann in people:
        await world.award(ann, 60)
    for moment in ("2028-01-20T12:00:00Z", "2028-02-01T00:00:00Z"):
        world.now = datetime.fromisoformat(moment)
        async with Database.open(dsn) as other:
            await asyncio.gather(*(world.work(database).run_due() for database in (world.database, other) * 3))
    for ann in people:
        assert [line.minutes for line in await world.expiries(ann)] == [-60]
        assert len(await world.told(ann, Topic.CREDITS_EXPIRED)) == 1
        assert len(await world.notices(ann)) == 1


async def test_what_is_spent_while_the_look_waits_for_the_journal_does_not_end(
    world: World, owner: asyncpg.Connection
) -> None:
    ann = await world.person()
    await world.award(ann, 60)
    world.now = datetime(2028, 2, 1, 12, tzinfo=UTC)
    spend = Entry(id=uuid4(), transfers=(Transfer(ann.wallet, POOL, 45),), happened_at=world.now, actor=SCHEME)
    async with owner.transaction():
        await post(owner, CHART, [spend], world.now)
        looking = asyncio.create_task(world.look())
        await blocked(owner)
    await looking
    assert [line.minutes for line in await world.expiries(ann)] == [-15]
    assert [body["minutes"] for _, body in await world.told(ann, Topic.CREDITS_EXPIRED)] == [15]


async def test_who_was_erased_is_passed_over(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    await world.award(ann, 60)
    await world.award(bob, 60)
    await Erasure(world.database, world.clock).erase(STAFF, "erase-ann", ann.id, GiveTo.COMMUNITY)
    world.now = datetime(2028, 2, 1, 12, tzinfo=UTC)
    assert await world.look() == 1
    assert await world.expiries(ann) == []
    assert [line.minutes for line in await world.expiries(bob)] == [-60]


async def test_who_is_erased_at_the_same_moment_is_left_out(world: World, owner: asyncpg.Connection) -> None:
    ann, bob = await world.person(), await world.person()
    await world.award(ann, 60)
    await world.award(bob, 60)
    world.now = datetime(2028, 2, 1, 12, tzinfo=UTC)
    async with owner.transaction():
        await owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", ann.holder)
        looking = asyncio.create_task(world.look())
        await blocked(owner)
    await looking
    assert await world.expiries(ann) == []
    assert await world.told(ann, Topic.CREDITS_EXPIRED) == []
    assert [line.minutes for line in await world.expiries(bob)] == [-60]


def test_an_ending_is_figures_and_no_more() -> None:
    assert {field.name for field in msgspec.structs.fields(Ending)} == {"ends_on", "minutes"}
