"""The demo county: believable, made by the public verbs, once, and whole whatever happens while it is loaded."""

import asyncio
import contextlib
from datetime import timedelta

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.batcher import Batcher
from ledger.scheme import demo
from ledger.scheme.chart import CHART
from ledger.scheme.clock import Clock
from ledger.scheme.demo.county import PROJECTS
from ledger.scheme.demo.making import OFFICE
from ledger.scheme.demo.places import VENUES
from ledger.scheme.demo.plan import PEOPLE, STAFF
from ledger.scheme.directory import Directory
from ledger.scheme.projects import NewProject, Projects
from tests.daytime import daytime


async def load(database: Database, clock: Clock = daytime) -> demo.Demo:
    made = await demo.load(database, clock, "demo")
    assert made is not None
    return made


async def count(raw: asyncpg.Connection, what: str) -> int:
    found: int = await raw.fetchval(f"SELECT count(*) FROM {what}")
    return found


# What there is, and at least how much of it.
COUNTS = {
    "scheme.project WHERE status = 'active'": 12,
    "scheme.offer WHERE status = 'published'": 30,
    "scheme.offer WHERE reach = 'national'": 3,
    "scheme.person": 200,
    "scheme.person WHERE age_band IN ('under_8', '8_to_15')": 10,
    "scheme.credential WHERE kind = 'card' AND status = 'active'": 100,
    "scheme.credential WHERE kind = 'pass'": 20,
    "scheme.credential WHERE kind = 'voucher' AND used_by IS NOT NULL": 3,
    "scheme.claim WHERE state = 'approved'": 2000,
    "scheme.booking": 60,
    "scheme.gift": 10,
    "scheme.correction": 1,
    "scheme.role WHERE role = 'coordinator'": 12,
    "scheme.role WHERE role = 'approver'": 12,
    "scheme.role WHERE role = 'manager'": len(VENUES),
    "scheme.role WHERE role = 'staff'": 2,
    "scheme.role WHERE role = 'auditor'": 1,
}
# For each role, what is there to be looked at.
WAITING = {
    "a coordinator, claims to approve": "scheme.claim WHERE state = 'submitted' AND approver IS NULL AND exceptions = "
    "'{}'",
    "a second approver": "scheme.claim c JOIN scheme.role r ON r.project = c.project AND r.role = 'approver' WHERE "
    "state = 'submitted' AND second_needed AND approver IS NOT NULL",
    "a coordinator, their own hours": "scheme.claim WHERE 'own_hours' = ANY(exceptions) AND state = 'submitted'",
    "a coordinator, a line that needs a look": "scheme.claim WHERE 'overlapping' = ANY(exceptions) AND state = "
    "'queried'",
    "a volunteer, a claim that was queried": "scheme.remark WHERE kind = 'query'",
    "a volunteer, a draft": "scheme.claim WHERE state = 'draft'",
    "a volunteer, a gift to accept": "scheme.gift g WHERE lapses_at > now() AND NOT EXISTS"
    " (SELECT FROM journal.entry h JOIN journal.entry e ON e.target = h.position WHERE h.id = g.id)",
    "a guardian": "scheme.claim c WHERE state = 'approved' AND NOT EXISTS (SELECT FROM journal.entry e WHERE e.id = "
    "c.id)",
    "a keyholder": "scheme.pot_spend WHERE decided_at IS NULL",
    "a till, tomorrow's bookings": "scheme.booking WHERE visit_at > now() AND visit_at < now() + interval '36 hours'",
    "a manager, bookings to come": "scheme.booking b JOIN scheme.role r ON r.venue = b.venue WHERE visit_at > now()",
    "an auditor, what staff did": "scheme.act WHERE scope = 'scheme'",
    "a kiosk, in use": "scheme.device d JOIN scheme.role r ON r.project = d.project AND r.role = 'coordinator' WHERE "
    "status = 'active'",
    "a project, who is expected": "scheme.attendance WHERE state = 'expected'",
    "the office, a till to be enrolled": "scheme.device WHERE status = 'expected'",
    "the office, a project that applied": "scheme.project WHERE status = 'applied'",
    "the office, a venue that applied": "scheme.venue WHERE status = 'applied'",
    "the office, a funder's cap": "scheme.outbox WHERE topic = 'allocation_low'",
    "whoever tells people": "scheme.outbox",
}


async def test_it_is_a_county_with_something_waiting_for_each_role(database: Database) -> None:
    made = await load(database)

    async with database.reading() as connection:
        raw = driver(connection)
        for what, least in COUNTS.items():
            assert await count(raw, what) >= least, what
        for who, what in WAITING.items():
            assert await count(raw, what) > 0, who
        ((began, newest),) = await raw.fetch("SELECT min(recorded_at), max(recorded_at) FROM journal.entry")
        assert daytime() - began > timedelta(days=88), "three months"
        assert daytime() - newest < timedelta(days=1), "up to today"
        assert await count(raw, "scheme.outbox WHERE delivered_at IS NULL") == 0, "what is past is told to nobody"
        assert await count(raw, "journal.refusal") == 0, "nothing was refused"
        assert await count(raw, "scheme.answer WHERE refusal IS NOT NULL") == 0, "nothing was refused"
        totals = await reading.trial_balance(raw)
        assert sum(total.balance for total in totals) == 0
        by_kind = {total.kind: total.balance for total in totals}
        assert min(by_kind[kind] for kind in ("redeemed", "held", "transit", "paper", "pot")) > 0
    async with (
        Batcher.running(database.connect, CHART, daytime),
        Directory.running(database.connect, daytime, "demo") as directory,
    ):
        for token in (made.scheme_token, made.project_token, made.person_token, made.venue_token):
            assert (await directory.find(token)).caller is not None


async def test_it_is_made_once_and_never_where_something_else_is(database: Database) -> None:
    await Projects(database, daytime).create(OFFICE, "ours", NewProject(name="Our own", alias="Ours"))

    assert await demo.load(database, daytime, "demo") is None

    async with database.reading() as connection:
        assert await count(driver(connection), "scheme.person") == 0


@pytest.mark.parametrize("percent", [0, 40, 97, 98])
async def test_a_load_that_ends_in_the_middle_goes_on_at_the_next_start(database: Database, percent: int) -> None:
    loop = asyncio.get_running_loop()

    def told(reached: int) -> None:
        if reached >= percent:
            loop.call_later(0.01, loading.cancel)  # amid the steps that follow

    loading = asyncio.create_task(demo.load(database, daytime, "demo", told))
    with contextlib.suppress(asyncio.CancelledError):
        await loading
    async with database.reading() as connection:
        half = await count(driver(connection), "scheme.answer")
    later = daytime() + timedelta(hours=5)

    await load(database, lambda: later)

    async with database.reading() as connection:
        raw = driver(connection)
        assert 0 < half < await count(raw, "scheme.answer"), "it ended in the middle"
        assert await count(raw, "scheme.person") == PEOPLE
        assert await count(raw, "scheme.project") == len(PROJECTS) + 1
        assert await count(raw, "journal.refusal") == 0
        assert await raw.fetchval("SELECT max(n) FROM (SELECT count(*) n FROM scheme.device GROUP BY venue) x") == 2
        assert await count(raw, "scheme.device WHERE project IS NOT NULL") == 1
        assert await count(raw, "scheme.role") == 2 * len(PROJECTS) + len(VENUES) + len(STAFF) + 1
    assert await demo.load(database, lambda: later, "demo") is None, "it is whole"
