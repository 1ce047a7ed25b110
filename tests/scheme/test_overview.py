"""Figures of the whole scheme: worked out by hand, for staff only."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Kind, Posted, Transfer
from ledger.journal.posting import post
from ledger.scheme import overview
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.overview import KEPT, MONTHS, Aged, Flow, Outstanding, Overview, Waiting, record_verification
from ledger.scheme.people import NewPerson, People
from ledger.scheme.projects import NewProject, Projects
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.venues import NewVenue, Venues
from tests.doors.bookings.lido import NOW, SATURDAY, Lido

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
SECOND = timedelta(seconds=1)
EMPTY = [
    Aged(from_months=begins, to_months=ends, minutes=0, wallets=0)
    for begins, ends in ((0, 3), (3, 6), (6, 12), (12, 24), (24, None))
]


class World:
    """A project, a venue, and wallets into which a test posts when it likes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = datetime(2023, 1, 1, tzinfo=UTC)
        self.overview = Overview(database, self.clock)
        self.issued = self.redeemed = ""

    def clock(self) -> datetime:
        return self.now

    async def begin(self) -> None:
        project, _ = await Projects(self.database, self.clock).create(STAFF, "p", NewProject(name="Shed", alias="Shed"))
        venue, _ = await Venues(self.database, self.clock).create(STAFF, "v", NewVenue(name="The lido"))
        self.issued, self.redeemed = account("issued", project.id), account("redeemed", venue.id)

    async def wallet(self, name: str = "Ann") -> str:
        person, _ = await People(self.database, self.clock).create(STAFF, f"key-{uuid4()}", NewPerson(name=name))
        return account("wallet", person.holder)

    async def post(
        self, at: str | datetime, kind: Kind, *moves: tuple[str, str, int], of: Posted | None = None
    ) -> Posted:
        """Post it at that moment, to which the clock is put."""
        self.now = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at
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

    async def award(self, at: str | datetime, wallet: str, minutes: int) -> Posted:
        return await self.post(at, Kind.PLAIN, (self.issued, wallet, minutes))

    async def spend(self, at: str, wallet: str, minutes: int) -> Posted:
        return await self.post(at, Kind.PLAIN, (wallet, self.redeemed, minutes))

    async def outstanding(self) -> Outstanding:
        return await Overview(self.database, self.clock).outstanding(STAFF)


def held(wallet: str) -> str:
    return wallet.replace("wallet:", "held:")


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.begin()
    return world


# --- outstanding by age -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slice_", [1, 2, 2_000])
async def test_what_is_left_is_what_came_last(world: World, slice_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann: 60, 120 and 30 came, 60 of it is spent, 15 given away; 135 are the 30 and 105 of the 120."""
    monkeypatch.setattr(overview, "WALLETS_A_SLICE", slice_)
    ann, bob, cas = [await world.wallet(name) for name in ("Ann", "Bob", "Cas")]
    await world.wallet("Dee")
    await world.award("2023-05-01", cas, 60)
    await world.award("2024-01-10", ann, 60)
    await world.award("2026-01-10", ann, 120)
    visit = await world.spend("2026-02-10", ann, 90)
    await world.award("2026-10-10", ann, 30)
    on_hold = await world.post("2026-10-11", Kind.HOLD, (ann, held(ann), 60))
    await world.post("2026-11-01", Kind.VOID, of=on_hold)
    await world.post("2026-11-02", Kind.REFUND, (world.redeemed, ann, 30), of=visit)
    gift = await world.post("2026-11-03", Kind.HOLD, (ann, "transit", 15))
    await world.post("2026-11-04", Kind.CAPTURE, ("transit", bob, 15), of=gift)
    back = await world.post("2026-11-05", Kind.HOLD, (ann, "transit", 20))
    await world.post("2026-11-06", Kind.LAPSE, of=back)
    await world.post("2026-11-07", Kind.HOLD, (cas, held(cas), 45))
    world.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    found = await world.outstanding()

    assert (found.as_of, found.minutes) == (world.now, 165)
    assert [(aged.from_months, aged.to_months, aged.minutes, aged.wallets) for aged in found.ages] == [
        (0, 3, 45, 2),
        (3, 6, 0, 0),
        (6, 12, 105, 1),
        (12, 24, 0, 0),
        (24, None, 15, 1),
    ]
    elsewhere = {each.kind: each.minutes for each in found.elsewhere}
    assert elsewhere == {"held": 45, "pot": 0, "held_pot": 0, "transit": 0, "paper": 0}


async def test_what_expired_and_came_back_is_as_old_as_it_was(world: World) -> None:
    ann = await world.wallet()
    await world.award("2024-05-01", ann, 60)
    expiry = await world.post("2026-06-01", Kind.PLAIN, (ann, "expired", 60))
    await world.post("2026-06-10", Kind.REFUND, ("expired", ann, 60), of=expiry)
    assert [aged.minutes for aged in (await world.outstanding()).ages] == [0, 0, 0, 0, 60]


@pytest.mark.parametrize(
    ("at", "age"),
    [
        (datetime(2026, 8, 31, 22, 59, 59, 999999, tzinfo=UTC), 1),
        (datetime(2026, 8, 31, 23, tzinfo=UTC), 0),  # in London the first of September, in summer
        (datetime(2026, 5, 31, 23, tzinfo=UTC), 1),
        (datetime(2026, 5, 31, 22, 59, tzinfo=UTC), 2),
        (datetime(2025, 12, 1, tzinfo=UTC), 2),
        (datetime(2025, 11, 30, 23, 59, tzinfo=UTC), 3),
        (datetime(2024, 12, 1, tzinfo=UTC), 3),
        (datetime(2024, 11, 30, 23, 59, tzinfo=UTC), 4),
    ],
)
async def test_an_age_is_counted_in_months_of_london(world: World, at: datetime, age: int) -> None:
    await world.award(at, await world.wallet(), 60)
    world.now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert [aged.minutes for aged in (await world.outstanding()).ages] == [60 if n == age else 0 for n in range(5)]


async def test_it_is_kept_for_a_while_and_says_as_of_when(world: World) -> None:
    ann = await world.wallet()
    first = await world.overview.outstanding(STAFF)
    assert (first.minutes, first.ages) == (0, EMPTY)
    await world.award(world.now, ann, 60)
    world.now += KEPT - SECOND
    assert await world.overview.outstanding(STAFF) == first
    world.now += SECOND
    assert (await world.overview.outstanding(STAFF)).minutes == 60
    world.now -= timedelta(days=1)
    assert (await world.overview.outstanding(STAFF)).as_of == world.now, "the clock was set back"


# --- earned and spent -------------------------------------------------------------------------------------------


async def test_what_was_earned_and_spent_by_month(world: World) -> None:
    """Each by when the books recorded it: a correction and a refund count off in their own month."""
    ann = await world.wallet()
    await world.award("2024-11-30T23:59:59", ann, 600)  # before all of them
    await world.award("2024-12-01T00:00:00", ann, 15)
    await world.award("2026-06-30T22:59:59", ann, 120)  # in London June's last second
    await world.award("2026-06-30T23:00:00", ann, 60)
    visit = await world.spend("2026-07-10", ann, 90)
    await world.post("2026-08-01", Kind.PLAIN, (ann, world.issued, 45))
    await world.post("2026-08-02", Kind.REFUND, (world.redeemed, ann, 30), of=visit)
    await world.award("2026-11-19", ann, 75)
    world.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    found = await world.overview.months(STAFF)

    assert len(found) == MONTHS
    assert [(flow.month, flow.earned, flow.spent) for flow in found if flow.earned or flow.spent] == [
        (date(2024, 12, 1), 15, 0),
        (date(2026, 6, 1), 120, 0),
        (date(2026, 7, 1), 60, 90),
        (date(2026, 8, 1), -45, -30),
        (date(2026, 11, 1), 75, 0),
    ]
    assert found[-1] == Flow(month=date(2026, 11, 1), earned=75, spent=0)

    await world.spend("2026-11-30T23:00:00", ann, 60)
    await world.award("2026-12-01T00:00:00", ann, 30)
    again = await world.overview.months(STAFF)
    assert again == await Overview(world.database, world.clock).months(STAFF), "with what it remembers and without"
    assert again[:-2] == found[1:-1]
    assert [(flow.month, flow.earned, flow.spent) for flow in again[-2:]] == [
        (date(2026, 11, 1), 75, 60),
        (date(2026, 12, 1), 30, 0),
    ]


async def test_where_nothing_was_posted_yet_all_is_nothing(world: World) -> None:
    assert all((flow.earned, flow.spent) == (0, 0) for flow in await world.overview.months(STAFF))
    assert (await world.overview.trial_balance(STAFF)).position == 0


# --- demand, the books, and how it is running ---------------------------------------------------------------------


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


async def test_demand_against_quota_the_fullest_first(lido: Lido, database: Database) -> None:
    ann = await lido.person(minutes=360)
    offers = [await lido.offer(quota=quota) for quota in (4, 2, 3)]
    (half, full, none) = offers
    await lido.offer()
    ended = await lido.offer(quota=5)
    await lido.api.made(f"/v1/offers/{ended}/end")
    for offer in (half, full):
        await lido.api.made("/v1/redemptions", await lido.api.visit(offer, ann["id"]), token=lido.till)
    for offer in (half, full):
        await lido.book(ann, offer, SATURDAY)
    await lido.book(ann, half, datetime(2026, 12, 5, 12, tzinfo=UTC))
    found = await Overview(database, lido.clock).demand(STAFF, NOW.date())
    assert [(str(each.offer), each.venue_name, each.used, each.quota) for each in found] == [
        (full, "The lido", 2, 2),
        (half, "The lido", 2, 4),
        (none, "The lido", 0, 3),
    ]
    december = await Overview(database, lido.clock).demand(STAFF, date(2026, 12, 31))
    assert {str(each.offer): each.used for each in december} == {half: 1, full: 0, none: 0}


async def test_credits_and_counters_each_come_to_nothing(lido: Lido, database: Database) -> None:
    ann = await lido.person(minutes=240)
    offer = await lido.offer(quota=4, month_minutes=120)
    await lido.api.made("/v1/redemptions", await lido.api.visit(offer, ann["id"]), token=lido.till)
    found = await Overview(database, lido.clock).trial_balance(STAFF)
    assert {kind.kind: kind.balance for kind in found.credits if kind.balance} == {
        "issued": -240,
        "wallet": 180,
        "redeemed": 60,
    }
    assert sum(kind.balance for kind in found.credits) == sum(kind.balance for kind in found.counters) == 0
    assert {kind.kind for kind in found.counters if kind.balance} == {"allowance", "honoured", "limit", "counted"}
    assert {kind.kind for kind in (*found.credits, *found.counters)} == CHART.keys()
    assert found.position == 2


async def test_what_waits(lido: Lido, database: Database, owner: asyncpg.Connection) -> None:
    ann = await lido.person(minutes=0)
    seen = Overview(database, lido.clock)
    nothing = Waiting(
        letters=0,
        letters_in_trouble=0,
        second_approvals=0,
        recoveries=0,
        paused_offers=0,
        applied_projects=0,
        applied_venues=0,
    )
    assert (await seen.running(STAFF)).waiting == nothing
    offer = await lido.offer()
    await lido.api.made(f"/v1/offers/{offer}/pause")
    began = NOW - timedelta(days=1)
    times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=8)).isoformat()}
    lines = [{"person": ann["id"], "minutes": 375}]  # more than one person approves
    await lido.api.made(f"/v1/projects/{lido.project}/registers", {**times, "lines": lines})
    for body in ({"name": "Sheds", "alias": "Sheds"}, {"name": "Choir", "alias": "Choir"}):
        await lido.api.made("/v1/projects", body)
    await owner.execute("UPDATE scheme.project SET status = 'applied' WHERE name <> 'Repair cafe'")
    for tries, sent in ((0, None), (2, None), (1, NOW)):
        await owner.execute(
            "INSERT INTO scheme.letter (id, at, subject, body, tries, next_at, ends_at, sent_at)"
            " VALUES ($1, $2, 'Your link', 'Here it is', $3, $2, $2, $4)",
            *(uuid4(), NOW, tries, sent),
        )
    await owner.execute(
        "INSERT INTO scheme.recovery (id, holder, asked_at, asked_by) VALUES ($1, $2, $3, $4)",
        *(uuid4(), UUID(ann["holder"]), NOW, uuid4()),
    )
    assert (await seen.running(STAFF)).waiting == Waiting(
        letters=2,
        letters_in_trouble=1,
        second_approvals=1,
        recoveries=1,
        paused_offers=1,
        applied_projects=2,
        applied_venues=0,
    )


async def test_how_the_log_stands(world: World, owner: asyncpg.Connection) -> None:
    log = (await world.overview.running(STAFF)).log
    assert (log.position, log.recorded_at, log.checkpoint_size, log.signed_at, log.unproven) == (0, None, None, None, 0)
    ann = await world.wallet()
    for _ in range(3):
        await world.award("2026-11-20", ann, 15)
    signed = world.now
    await owner.execute("INSERT INTO journal.checkpoint (size, signed_at, note) VALUES (2, $1, 'signed')", signed)
    world.now += timedelta(minutes=2)
    log = (await world.overview.running(STAFF)).log
    assert (log.position, log.recorded_at, log.checkpoint_size, log.signed_at) == (3, signed, 2, signed)
    assert (log.unproven, log.checkpoint_age_seconds) == (1, 120)


async def test_when_it_was_verified_last(world: World) -> None:
    async def known() -> tuple[datetime | None, datetime | None]:
        log = (await world.overview.running(STAFF)).log
        return log.verified_at, log.broken_at

    assert await known() == (None, None)
    first = world.now
    await record_verification(world.database, first, sound=False)
    assert await known() == (None, first)
    for days, sound in ((1, True), (2, True)):
        await record_verification(world.database, first + timedelta(days=days), sound=sound)
    assert await known() == (first + timedelta(days=2), first)


async def test_periodic_work_is_told_of(world: World) -> None:
    work = (await world.overview.running(STAFF)).work
    assert "lapse_holds" in {job.name for job in work}
    assert "verify_journal" not in {job.name for job in work}, "nobody here does it"


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.SCHEME])
async def test_none_of_it_is_there_for_anybody_else(world: World, scope: Scope) -> None:
    caller = Caller(key=uuid4(), scope=scope, object=uuid4(), holder=uuid4())
    seen, today = world.overview, world.now.date()
    for asked in (
        seen.outstanding(caller),
        seen.months(caller),
        seen.demand(caller, today),
        seen.trial_balance(caller),
        seen.running(caller),
    ):
        with pytest.raises(Declined) as no:
            await asked
        assert no.value.reason is Refusal.NOT_FOUND
