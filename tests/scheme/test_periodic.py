"""Periodic work: when it is due, once, whoever runs it, and again after whatever went wrong."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from structlog.testing import capture_logs

from ledger.database import Database, driver
from ledger.scheme import periodic, retention
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.periodic import JOBS, Job, Outcome, Periodic, Verb
from ledger.scheme.retention import remove_contacts
from ledger.scheme.rules import Rulebook
from tests.conftest import Postgres
from tests.daytime import daytime
from tests.doors.house import Api

NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONDON = ZoneInfo("Europe/London")


class Time:
    """A clock that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def a_job(verb: Verb, name: str = "job", every: timedelta = HOUR) -> Job:
    return Job(name, every, verb)


def counts(moments: list[datetime]) -> Verb:
    """A verb that finds nothing to do, and remembers when it was asked."""

    async def verb(_: asyncpg.Connection, now: datetime) -> int:
        moments.append(now)
        return 0

    return verb


@pytest.fixture
async def heap(owner: asyncpg.Connection) -> Callable[[int], Awaitable[None]]:
    """A table of things to be done, 1, 2, 3 ..., and what adds to it. What is done stands in `done`, each time."""
    await owner.execute("CREATE TABLE scheme.heap (id serial PRIMARY KEY); CREATE TABLE scheme.done (id int)")
    await owner.execute("GRANT ALL ON scheme.heap, scheme.done TO timecredits_app")

    async def add(count: int) -> None:
        await owner.execute(
            "INSERT INTO scheme.heap SELECT nextval('scheme.heap_id_seq') FROM generate_series(1, $1)", count
        )

    return add


async def do_three(connection: asyncpg.Connection, _: datetime) -> int:
    """Three things of the heap. It takes no lock of its own: that of the job has to do."""
    found = await connection.fetch(
        "WITH gone AS (DELETE FROM scheme.heap WHERE id IN (SELECT id FROM scheme.heap ORDER BY id LIMIT 3)"
        " RETURNING id) INSERT INTO scheme.done SELECT id FROM gone RETURNING id"
    )
    return len(found)


async def done(owner: asyncpg.Connection) -> list[int]:
    return [row["id"] for row in await owner.fetch("SELECT id FROM scheme.done ORDER BY id")]


async def outcome(work: Periodic) -> tuple[Outcome, int]:
    [run] = await work.run_due()
    return run.outcome, run.count


async def test_a_job_runs_at_first_and_then_whenever_its_time_has_passed(database: Database) -> None:
    moments: list[datetime] = []
    time = Time()
    work = Periodic(database, time, [a_job(counts(moments))])
    for step in (0 * SECOND, 59 * MINUTE, 59 * SECOND, SECOND, HOUR - SECOND, HOUR, 24 * HOUR):
        time.now += step
        await work.run_due()
    due = [timedelta(), HOUR, 3 * HOUR - SECOND, 27 * HOUR - SECOND]
    assert [moment - NOW for moment in moments] == due


async def test_several_jobs_each_keep_their_own_time(database: Database) -> None:
    hourly: list[datetime] = []
    daily: list[datetime] = []
    time = Time()
    work = Periodic(database, time, [a_job(counts(hourly), "hourly"), a_job(counts(daily), "daily", DAY)])
    for _ in range(48):
        await work.run_due()
        time.now += HOUR
    assert (len(hourly), len(daily)) == (48, 2)


@pytest.mark.parametrize(
    ("midnight", "hours"), [(datetime(2027, 3, 28, tzinfo=LONDON), 23), (datetime(2027, 10, 31, tzinfo=LONDON), 25)]
)
async def test_the_night_on_which_the_clocks_change_has_as_many_runs_as_hours(
    database: Database, midnight: datetime, hours: int
) -> None:
    moments: list[datetime] = []
    time = Time(midnight.astimezone(UTC))
    # The clock tells the time in London: 01:30 comes twice in October, and never in March.
    work = Periodic(database, lambda: time.now.astimezone(LONDON), [a_job(counts(moments))])
    end = (midnight + DAY).astimezone(UTC)
    while time.now < end:
        await work.run_due()
        time.now += 10 * MINUTE
    assert len(moments) == hours
    assert {later - earlier for earlier, later in itertools.pairwise(moments)} == {HOUR}


async def test_two_years_in_steps_leave_nothing_undone_at_any_of_them(
    database: Database, owner: asyncpg.Connection, heap: Callable[[int], Awaitable[None]]
) -> None:
    time = Time()
    work = Periodic(database, time, [a_job(do_three, every=DAY)])
    for step in range(24):
        await heap(5)
        assert await outcome(work) == (Outcome.DONE, 5)
        assert await outcome(work) == (Outcome.NOT_DUE, 0)
        assert len(await done(owner)) == 5 * (step + 1)
        time.now += timedelta(days=365 * 2) / 24
    [standing] = await work.standing()
    assert standing.lag_seconds == timedelta(days=365 * 2) / 24 / SECOND


async def test_a_long_backlog_is_caught_up_with_in_bounded_runs(
    database: Database,
    owner: asyncpg.Connection,
    heap: Callable[[int], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(periodic, "ROUNDS_MAX", 4)
    others: list[datetime] = []
    await heap(20)
    work = Periodic(database, Time(), [a_job(do_three), a_job(counts(others), "other")])
    ends = [(await work.run_due())[0] for _ in range(3)]
    assert [(end.outcome, end.count) for end in ends] == [
        (Outcome.UNFINISHED, 12),
        (Outcome.DONE, 8),
        (Outcome.NOT_DUE, 0),
    ]
    assert await done(owner) == [*range(1, 21)]
    assert len(others) == 1


async def test_two_runners_at_once_do_everything_once(
    dsn: str, database: Database, owner: asyncpg.Connection, heap: Callable[[int], Awaitable[None]]
) -> None:
    time = Time()
    async with Database.open(dsn) as second:
        runners = [Periodic(each, time, [a_job(do_three)]) for each in (database, second, database, second)]
        for round_ in range(1, 6):
            await heap(20)
            runs = [run for runs in await asyncio.gather(*(runner.run_due() for runner in runners)) for run in runs]
            assert sum(run.count for run in runs) == 20
            assert not {run.outcome for run in runs} & {Outcome.FAILED, Outcome.UNAVAILABLE}
            assert await done(owner) == [*range(1, 20 * round_ + 1)]
            time.now += HOUR


async def test_while_one_runs_a_job_the_other_leaves_it(dsn: str, database: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: asyncpg.Connection, __: datetime) -> int:
        begun.set()
        await go_on.wait()
        return 0

    async with Database.open(dsn) as second:
        one = asyncio.create_task(outcome(Periodic(database, Time(), [a_job(slow)])))
        await begun.wait()
        assert await outcome(Periodic(second, Time(), [a_job(slow)])) == (Outcome.ELSEWHERE, 0)
        go_on.set()
        assert await one == (Outcome.DONE, 0)
        assert await outcome(Periodic(second, Time(), [a_job(slow)])) == (Outcome.NOT_DUE, 0)


@pytest.mark.parametrize("killed_at", [1, 2, 3])
async def test_a_kill_in_the_middle_leaves_it_to_be_done_again_once(
    database: Database, owner: asyncpg.Connection, heap: Callable[[int], Awaitable[None]], killed_at: int
) -> None:
    rounds = 0

    async def killed(connection: asyncpg.Connection, now: datetime) -> int:
        nonlocal rounds
        rounds += 1
        count = await do_three(connection, now)
        if rounds == killed_at:
            await owner.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await connection.execute("SELECT 1")
        return count

    await heap(8)
    work = Periodic(database, Time(), [a_job(killed)])
    assert await outcome(work) == (Outcome.UNAVAILABLE, 3 * (killed_at - 1))
    assert await done(owner) == [*range(1, 3 * (killed_at - 1) + 1)]
    assert await outcome(work) == (Outcome.DONE, 8 - 3 * (killed_at - 1))
    assert await done(owner) == [*range(1, 9)]


async def test_one_that_is_cancelled_is_rolled_back_and_done_again(
    database: Database, owner: asyncpg.Connection, heap: Callable[[int], Awaitable[None]]
) -> None:
    begun = asyncio.Event()

    async def stuck(connection: asyncpg.Connection, now: datetime) -> int:
        count = await do_three(connection, now)
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return count

    await heap(4)
    work = Periodic(database, Time(), [a_job(stuck)])
    keeping = asyncio.create_task(work.keep())
    await begun.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert await done(owner) == []
    assert await outcome(work) == (Outcome.DONE, 4)


async def test_a_job_that_fails_stops_no_other_and_is_tried_again(database: Database) -> None:
    broken, moments, time = True, list[datetime](), Time()

    async def fails(connection: asyncpg.Connection, _: datetime) -> int:
        if broken:
            await connection.execute("INSERT INTO scheme.rules (version, changed_at, changes) VALUES (1, now(), 'Ann')")
        return 0

    work = Periodic(database, time, [a_job(fails, "bad"), a_job(counts(moments), "good")])
    with capture_logs() as logs:
        assert [run.outcome for run in await work.run_due()] == [Outcome.FAILED, Outcome.DONE]
    assert [(log["event"], log["job"], log["log_level"]) for log in logs] == [("periodic work failed", "bad", "error")]
    time.now += 30 * SECOND
    assert [run.outcome for run in await work.run_due()] == [Outcome.FAILED, Outcome.NOT_DUE]
    bad, good = await work.standing()
    assert (bad.ran_at, bad.failed_at, bad.lag_seconds) == (None, time.now, 30)
    assert (good.ran_at, good.failed_at, good.lag_seconds) == (NOW, None, 30)
    assert work.failures == {"bad": 2, "good": 0}
    broken = False
    assert [run.outcome for run in await work.run_due()] == [Outcome.DONE, Outcome.NOT_DUE]
    assert (await work.standing())[0].ran_at == time.now


async def test_one_job_is_run_by_name(database: Database) -> None:
    one: list[datetime] = []
    other: list[datetime] = []
    work = Periodic(database, Time(), [a_job(counts(one), "one"), a_job(counts(other), "other")])
    assert [(run.name, run.outcome) for run in await work.run_due("other")] == [("other", Outcome.DONE)]
    assert (one, other) == ([], [NOW])


async def test_what_never_ran_has_no_lag_to_tell(database: Database) -> None:
    [standing] = await Periodic(database, Time(), [a_job(counts([]))]).standing()
    assert (standing.done_until, standing.ran_at, standing.failed_at, standing.lag_seconds) == (None,) * 4
    assert standing.every_seconds == 3600


async def test_a_clock_that_was_wrong_for_a_while_stops_nothing(database: Database) -> None:
    moments: list[datetime] = []
    time = Time(NOW + timedelta(days=3650))
    work = Periodic(database, time, [a_job(counts(moments))])
    await work.run_due()
    time.now = NOW
    assert (await work.standing())[0].lag_seconds == 0
    assert await outcome(work) == (Outcome.DONE, 0)
    assert await outcome(work) == (Outcome.NOT_DUE, 0)


async def test_it_keeps_on_while_the_database_is_away(dsn: str, postgres: Postgres) -> None:
    moments: list[datetime] = []
    ran, missed, now, ticks = asyncio.Event(), asyncio.Event(), NOW, 0

    def time() -> datetime:
        nonlocal ticks
        ticks += 1
        if ticks == 5:  # a tick asks two or three times: at least one began since, without a database
            missed.set()
        return now

    async def verb(_: asyncpg.Connection, now: datetime) -> int:
        moments.append(now)
        ran.set()
        return 0

    name = urlsplit(dsn).path.strip("/")
    async with Database.open(dsn) as database:
        keeping = asyncio.create_task(Periodic(database, time, [a_job(verb)]).keep(every_seconds=0))
        try:
            await ran.wait()
            with capture_logs() as logs:
                await postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                await postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
                ticks = 0
                missed.clear()
                await missed.wait()
            assert {log["event"] for log in logs} == {"periodic work waits for the database"}
            ran.clear()
            now += HOUR
            await postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await ran.wait()
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
    assert moments == [NOW, NOW + HOUR]


def test_every_job_has_a_name_that_its_row_can_hold() -> None:
    names = [job.name for job in JOBS]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalpha() and len(name) <= 48 for name in names)


async def test_every_job_finds_nothing_to_do_in_a_new_scheme(database: Database) -> None:
    runs = await Periodic(database, daytime).run_due()
    assert [(run.name, run.outcome, run.count) for run in runs] == [(job.name, Outcome.DONE, 0) for job in JOBS]


async def test_the_service_tells_its_figures(dsn: str, database: Database) -> None:
    now = NOW
    async with Api.running(dsn, clock=lambda: now) as api:
        await Periodic(database, lambda: now).run_due()
        now += 2 * MINUTE
        figures = (await api.client.get("/metrics")).text
    for job in JOBS:
        assert f'work_last_success_timestamp_seconds{{job="{job.name}"}} 1.7946576e+09' in figures
        assert f'work_lag_seconds{{job="{job.name}"}} 120.0' in figures
        assert f'work_failures{{job="{job.name}"}} 0.0' in figures


# --- retention (rule 28) ----------------------------------------------------------------------------------------------


async def a_contact(owner: asyncpg.Connection, used_at: datetime, name: str = "Ann") -> str:
    """Somebody whose contact details were last used then; their holder."""
    return str(
        await owner.fetchval(
            "WITH p AS (INSERT INTO scheme.person (id, name, created_at) VALUES (gen_random_uuid(), $1, $2)"
            " RETURNING id), c AS (INSERT INTO scheme.contact (person, email, changed_at, used_at)"
            " SELECT id, 'ann@example.org', $2, $2 FROM p)"
            " INSERT INTO scheme.holder (id, person) SELECT gen_random_uuid(), id FROM p RETURNING id",
            name,
            used_at,
        )
    )


async def reachable(owner: asyncpg.Connection) -> set[str]:
    rows = await owner.fetch("SELECT h.id FROM scheme.contact c JOIN scheme.holder h USING (person)")
    return {str(row["id"]) for row in rows}


async def removed(database: Database, now: datetime) -> int:
    async with database.transaction() as connection:
        return await remove_contacts(driver(connection), now)


@pytest.mark.parametrize(
    ("used_at", "now", "count"),
    [
        (datetime(2026, 11, 14, 12, tzinfo=UTC), datetime(2028, 11, 14, 11, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 11, 14, 12, tzinfo=UTC), datetime(2028, 11, 14, 12, tzinfo=UTC), 1),
        (datetime(2026, 11, 14, 12, tzinfo=UTC), datetime(2048, 11, 14, 12, tzinfo=UTC), 1),
        # 28 March: an hour later than in winter, as the clock on the wall has it, and the clocks go forward.
        (datetime(2026, 3, 28, 12, tzinfo=LONDON), datetime(2028, 3, 28, 11, 59, tzinfo=LONDON), 0),
        (datetime(2026, 3, 28, 12, tzinfo=LONDON), datetime(2028, 3, 28, 12, tzinfo=LONDON), 1),
        # Half past one in the night comes twice: this is the second.
        (datetime(2025, 10, 26, 1, 30, tzinfo=LONDON, fold=1), datetime(2027, 10, 26, 1, 29, tzinfo=LONDON), 0),
        (datetime(2025, 10, 26, 1, 30, tzinfo=LONDON, fold=1), datetime(2027, 10, 26, 1, 30, tzinfo=LONDON), 1),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC), 1),
    ],
)
async def test_contact_details_go_two_years_after_their_last_use(
    database: Database, owner: asyncpg.Connection, used_at: datetime, now: datetime, count: int
) -> None:
    await a_contact(owner, used_at)
    assert await removed(database, now) == count
    assert len(await reachable(owner)) == 1 - count


async def test_each_removal_is_told_once_and_the_person_stays(database: Database, owner: asyncpg.Connection) -> None:
    old, fresh = await a_contact(owner, NOW - 731 * DAY), await a_contact(owner, NOW - 30 * DAY, "Bob")
    assert [await removed(database, NOW) for _ in range(3)] == [1, 0, 0]
    assert await reachable(owner) == {fresh}
    [event] = await owner.fetch("SELECT topic, holder, body, at FROM scheme.outbox")
    assert (event["topic"], str(event["holder"]), event["body"], event["at"]) == ("contact_removed", old, "{}", NOW)
    assert await owner.fetchval("SELECT count(*) FROM scheme.person") == 2


async def test_how_long_they_are_kept_is_a_rule_of_the_scheme(database: Database, owner: asyncpg.Connection) -> None:
    await a_contact(owner, NOW - 200 * DAY)
    assert await removed(database, NOW) == 0
    staff = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    await Rulebook(database, daytime).change(staff, {"contact_months": 6})
    assert await removed(database, NOW) == 1


async def test_many_are_removed_in_bounded_runs_the_oldest_first(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_MAX", 2)
    holders = [await a_contact(owner, NOW - (800 - day) * DAY) for day in range(5)]
    assert await removed(database, NOW) == 2
    assert await reachable(owner) == set(holders[2:])
    runs = await Periodic(database, Time(), [a_job(remove_contacts)]).run_due()
    assert (runs[0].outcome, runs[0].count) == (Outcome.DONE, 3)


async def test_who_uses_them_at_the_same_moment_keeps_them(database: Database, owner: asyncpg.Connection) -> None:
    await a_contact(owner, NOW - 800 * DAY)
    async with owner.transaction():
        await owner.execute("UPDATE scheme.contact SET used_at = $1", NOW)
        assert await removed(database, NOW) == 0
    assert await removed(database, NOW) == 0
    assert len(await reachable(owner)) == 1


async def test_retention_over_years_keeps_each_for_as_long_as_it_should(
    database: Database, owner: asyncpg.Connection
) -> None:
    time = Time(datetime(2024, 1, 15, tzinfo=UTC))
    work = Periodic(database, time, [a_job(remove_contacts, every=DAY)])
    used: list[datetime] = []
    for _ in range(36):
        used.append(time.now)
        await a_contact(owner, time.now)
        await work.run_due()
        # 24 months are 730 or 731 days, and no number of steps lies between.
        assert len(await reachable(owner)) == sum(time.now - moment < 730 * DAY for moment in used)
        time.now += 31 * DAY
    assert len(await reachable(owner)) == 24


# --- the jobs of the scheme -------------------------------------------------------------------------------------------


async def a_forgotten_sign_out_and_a_consent(owner: asyncpg.Connection, came: datetime, ends_at: datetime) -> None:
    """A session of two hours with one person in it, and a child with a consent."""
    await owner.execute(
        """
        INSERT INTO scheme.person (id, name, age_band, created_at)
        SELECT gen_random_uuid(), name, band, now()
        FROM (VALUES ('Ann', NULL), ('Bea', '8_to_15'), ('Cas', '18_and_over')) t (name, band);
        INSERT INTO scheme.holder (id, person) SELECT gen_random_uuid(), id FROM scheme.person;
        INSERT INTO scheme.project (id, name, alias, status, created_at)
        VALUES (gen_random_uuid(), 'Repair cafe', 'Saturdays', 'active', now())
        """
    )
    await owner.execute(
        "INSERT INTO scheme.session (id, project, started_at, ended_at, created_at, by)"
        " SELECT gen_random_uuid(), id, $1, $1::timestamptz + interval '2 hours', now(), gen_random_uuid()"
        " FROM scheme.project",
        came,
    )
    await owner.execute(
        "INSERT INTO scheme.attendance (session, holder, state, checked_in_at, changed_at, by)"
        " SELECT s.id, h.id, 'checked_in', s.started_at, now(), h.id FROM scheme.session s, scheme.holder h"
        " JOIN scheme.person p ON p.id = h.person WHERE p.name = 'Ann'"
    )
    await owner.execute(
        "WITH g AS (INSERT INTO scheme.guardian (child, guardian, began_at)"
        " SELECT c.id, a.id, $1 FROM scheme.person c, scheme.person a WHERE c.name = 'Bea' AND a.name = 'Cas'"
        " RETURNING child, guardian) INSERT INTO scheme.consent (id, child, guardian, given_at, given_by, ends_at)"
        " SELECT gen_random_uuid(), child, guardian, $1, guardian, $2 FROM g",
        came,
        ends_at,
    )


@pytest.mark.parametrize(
    "came",
    [
        datetime(2026, 11, 14, 10, tzinfo=UTC),
        datetime(2027, 3, 28, 0, 30, tzinfo=LONDON),
        datetime(2027, 10, 31, 0, 30, tzinfo=LONDON),
    ],
    ids=["by day", "the night on which the clocks go forward", "the night on which they go back"],
)
async def test_what_was_forgotten_is_closed_once_and_what_ended_is_told_once_by_two_runners(
    dsn: str, database: Database, owner: asyncpg.Connection, came: datetime
) -> None:
    came = came.astimezone(UTC)
    await a_forgotten_sign_out_and_a_consent(owner, came, came + 30 * DAY)
    time = Time(came)
    dealt_with: dict[str, list[timedelta]] = {job.name: [] for job in JOBS}
    told: dict[UUID, str] = {}  # what is told is forgotten before the last two years are over
    async with Database.open(dsn) as second:
        runners = Periodic(database, time), Periodic(second, time)
        steps = [*[30 * MINUTE] * 8, *[DAY] * 40, *[365 * DAY] * 2]
        for step in steps:
            for runs in await asyncio.gather(*(runner.run_due() for runner in runners)):
                assert not {run.outcome for run in runs} & {Outcome.FAILED, Outcome.UNAVAILABLE}
                for run in runs:
                    dealt_with[run.name] += [time.now - came] * run.count
            told |= {row["id"]: row["topic"] for row in await owner.fetch("SELECT id, topic FROM scheme.outbox")}
            time.now += step
    assert dealt_with["close_forgotten"] == [2 * HOUR]
    assert dealt_with["lapse_consents"] == [30 * DAY + 4 * HOUR]
    assert await owner.fetchval("SELECT state FROM scheme.attendance") == "auto_closed"
    assert [tuple(row) for row in await owner.fetch("SELECT minutes, state FROM scheme.claim")] == [(120, "submitted")]
    topics = list(told.values())
    assert (topics.count("attendance_auto_closed"), topics.count("consent_lapsed")) == (1, 1)
