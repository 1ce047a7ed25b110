"""What staff want to know of the whole scheme: who has what and since when, what comes and goes, how it is running.

**Outstanding by age**: what is in a wallet is what came last, for the oldest is spent first. So from the newest receipt
backwards, until the balance is made up, each says how old that part of it is. What only came back (from hold, from a
venue, from what had expired) isn't received anew: it leaves the figures as if it had never gone. A gift is as old as
its acceptance. All wallets are walked, `WALLETS_A_SLICE` a statement in one snapshot, some rows each: 60,000 wallets in
some five seconds on two busy cores. So the answer is kept for `KEPT` in this process and says as of when it is; whoever
asks meanwhile waits for the one that is on its way. With a million wallets it should be made at night.

**By month**: the change of what projects issued and venues honoured between two moments, as the books recorded it,
corrections and refunds counted off. What the sums were at the end of a month never changes, so each is found once in a
process, by halving along each account: a nation's 24 in some seconds for whoever asks first, a statement each. After
that a request asks for the current month only.

**Demand** is read from the counters that the quotas are kept by, **the trial balance** from the totals that are kept
with each entry. What waits is counted up to `COUNT_MAX`: that many means so many or more.

To anybody but the scheme's staff none of it is there. Nothing here names a volunteer.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.reading import Total
from ledger.scheme import throttle
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import COMMODITIES
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.periodic import Periodic, Standing
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.throttle import Alert

# The months at which an age begins: "this month and the two before" is from 0 to 3.
AGES: Final = (0, 3, 6, 12, 24)
MONTHS: Final = 24
KEPT: Final = timedelta(minutes=10)
# Some 0.1 s each: far from any timeout, and the round trips between them don't count.
WALLETS_A_SLICE: Final = 2_000
# A page of them; who is interested in the last of 8,000 offers looks at its venue.
DEMAND_MAX: Final = 200
COUNT_MAX: Final = 1_000
_YEAR: Final = 12
_TICK: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_FIRST: Final = UUID(int=0)
# Where credits are outstanding besides wallets.
_ELSEWHERE: Final = ("held", "pot", "held_pot", "transit", "paper")
_VERIFYING: Final = "verify_journal"


class Aged(Struct, frozen=True, kw_only=True):
    """What was received so many calendar months ago, this one being 0; without ``to_months`` it is that long or longer.

    ``wallets`` is in how many some of it lies.
    """

    from_months: int
    to_months: int | None
    minutes: int
    wallets: int


class Elsewhere(Struct, frozen=True, kw_only=True):
    """Credits that are outstanding and in no wallet: on hold, in pots, in gifts and vouchers, by kind of account."""

    kind: str
    minutes: int


class Outstanding(Struct, frozen=True, kw_only=True):
    """What people could spend at that moment: in wallets by age, newest first, and elsewhere."""

    as_of: datetime
    minutes: int
    """In wallets: the sum of the ages."""
    ages: Sequence[Aged]
    elsewhere: Sequence[Elsewhere]


class Flow(Struct, frozen=True, kw_only=True):
    """What was earned and spent in a month, told by its first day; in a month of corrections it may be below zero."""

    month: date
    earned: int
    spent: int


class Demand(Struct, frozen=True, kw_only=True):
    """How much of an offer's quota a month has used, on hold or visited: places, not minutes."""

    offer: UUID
    title: str
    venue: UUID
    venue_name: str
    quota: int
    used: int


class TrialBalance(Struct, frozen=True, kw_only=True):
    """The sums by kind of account at a position: credits in minutes, and apart from them what only counts.

    Each of the two adds up to zero.
    """

    position: int
    credits: Sequence[Total]
    counters: Sequence[Total]


class LogHealth(Struct, frozen=True, kw_only=True):
    """How the log stands: its entries, how many of them no signed checkpoint covers yet, when it was last verified."""

    position: int
    recorded_at: datetime | None
    """When the newest entry was recorded."""
    checkpoint_size: int | None
    signed_at: datetime | None
    checkpoint_age_seconds: int | None
    unproven: int
    verified_at: datetime | None
    """The last full verification that found all as it should be; None: none is known."""
    broken_at: datetime | None
    """The last that didn't."""


class Waiting(Struct, frozen=True, kw_only=True):
    """What waits for staff, or is to be known to them; `COUNT_MAX` means so many or more."""

    letters: int
    letters_in_trouble: int
    """Of these, what was tried in vain at least once."""
    second_approvals: int
    recoveries: int
    paused_offers: int
    applied_projects: int
    applied_venues: int


class Running(Struct, frozen=True, kw_only=True):
    """How the scheme is running."""

    log: LogHealth
    work: Sequence[Standing]
    waiting: Waiting
    alerts: Sequence[Alert]
    """Where somebody may be guessing codes."""


class Overview:
    """Reading figures of the whole scheme; one for each process, for it remembers what doesn't change."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._aging, self._summing = asyncio.Lock(), asyncio.Lock()
        self._aged: Outstanding | None = None
        self._closed: dict[date, tuple[int, int]] = {}

    async def outstanding(self, caller: Caller) -> Outstanding:
        """What is outstanding, by age; at most `KEPT` old."""
        _check_staff(caller)
        async with self._aging:
            now = self._clock()
            if self._aged is None or not self._aged.as_of <= now < self._aged.as_of + KEPT:
                self._aged = await self._walk(now)
            return self._aged

    async def months(self, caller: Caller) -> Sequence[Flow]:
        """What was earned and spent in each of the last `MONTHS` months, oldest first; the last is the current one."""
        _check_staff(caller)
        now = self._clock()
        this = day_of(now).replace(day=1)
        months = [_earlier(this, back) for back in reversed(range(MONTHS))]
        async with self._summing, self._database.reading() as connection:
            raw = driver(connection)
            sums = [await self._sums_before(raw, month, now) for month in months]
            kinds = {kind.kind: kind.balance for kind in await reading.trial_balance(raw)}
        sums.append((kinds["issued"], kinds["redeemed"]))
        return [
            Flow(month=month, earned=before[0] - after[0], spent=after[1] - before[1])
            for month, before, after in zip(months, sums, sums[1:], strict=False)
        ]

    async def demand(self, caller: Caller, month: date) -> Sequence[Demand]:
        """How much of their quota the offers used in the month of that day: the fullest first, `DEMAND_MAX` at most."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_DEMAND, f"{month:%Y-%m}", DEMAND_MAX)
        return [Demand(**row) for row in rows]

    async def trial_balance(self, caller: Caller) -> TrialBalance:
        """The trial balance, as of one moment."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            raw = driver(connection)
            await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            position, kinds = await reading.position(raw), await reading.trial_balance(raw)
        return TrialBalance(
            position=position,
            credits=[kind for kind in kinds if kind.kind not in COMMODITIES],
            counters=[kind for kind in kinds if kind.kind in COMMODITIES],
        )

    async def running(self, caller: Caller) -> Running:
        """The log, periodic work, what waits, and where wrong codes were typed."""
        _check_staff(caller)
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            (log,) = await raw.fetch(_HEALTH, _VERIFYING)
            (waiting,) = await raw.fetch(_WAITING, COUNT_MAX)
            alerts = await throttle.alerts(raw, now)
        work = await Periodic(self._database, self._clock).standing()
        return Running(log=_health(log, now), work=work, waiting=Waiting(**waiting), alerts=alerts)

    async def _walk(self, now: datetime) -> Outstanding:
        """Look at all wallets, in one snapshot."""
        this = day_of(now).replace(day=1)
        # An age begins with the month after the one at which it ends: what came before `bounds[0]` is the oldest.
        starts = [_midnight(_earlier(this, months - 1)) - _TICK for months in reversed(AGES[1:])]
        minutes, wallets = [0] * len(AGES), [0] * len(AGES)
        async with self._database.reading() as connection:
            raw = driver(connection)
            await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            bounds = [await raw.fetchval(_POSITION_AT, start) + 1 for start in starts]
            reached = _FIRST
            while rows := await raw.fetch(_AGED, reached, WALLETS_A_SLICE, bounds):
                for row in rows:
                    reached = row["reached"]
                    if row["age"] is not None:
                        minutes[-1 - row["age"]] += row["minutes"]
                        wallets[-1 - row["age"]] += row["wallets"]
            kinds = {kind.kind: kind.balance for kind in await reading.trial_balance(raw)}
        return Outstanding(
            as_of=now,
            minutes=sum(minutes),
            ages=[
                Aged(from_months=begins, to_months=ends, minutes=minutes[number], wallets=wallets[number])
                for number, (begins, ends) in enumerate(zip(AGES, (*AGES[1:], None), strict=True))
            ],
            elsewhere=[Elsewhere(kind=kind, minutes=kinds[kind]) for kind in _ELSEWHERE],
        )

    async def _sums_before(self, raw: asyncpg.Connection, month: date, now: datetime) -> tuple[int, int]:
        """What had been issued and honoured before that month began."""
        if month in self._closed:
            return self._closed[month]
        (row,) = await raw.fetch(_SUMS, _midnight(month) - _TICK)
        sums = row["issued"], row["redeemed"]
        # A day later no writer's clock is so slow that it would record something before that.
        if _midnight(month) + _DAY <= now:
            self._closed[month] = sums
            for past in [past for past in self._closed if past < _earlier(month, MONTHS + 1)]:
                del self._closed[past]
        return sums


async def record_verification(database: Database, now: datetime, *, sound: bool) -> None:
    """Keep when the whole journal was verified last, and whether it was as it should be."""
    async with database.transaction() as connection:
        await driver(connection).execute(_SOUND if sound else _BROKEN, _VERIFYING, now)


def _check_staff(caller: Caller) -> None:
    if caller.scope is not Scope.SCHEME:
        raise Declined(Refusal.NOT_FOUND)


def _health(row: asyncpg.Record, now: datetime) -> LogHealth:
    age = None if row["signed_at"] is None else max(0, int((now - row["signed_at"]).total_seconds()))
    return LogHealth(
        position=row["position"],
        recorded_at=row["recorded_at"] if row["position"] else None,
        checkpoint_size=row["size"],
        signed_at=row["signed_at"],
        checkpoint_age_seconds=age,
        unproven=row["position"] - (row["size"] or 0),
        verified_at=row["verified_at"],
        broken_at=row["broken_at"],
    )


def _earlier(month: date, months: int) -> date:
    """The first day of the month that lies so many before."""
    number = month.year * _YEAR + month.month - 1 - months
    return date(number // _YEAR, number % _YEAR + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LONDON)


_POSITION_AT = "SELECT journal.position_at($1)"
# With their limits the inner reads are made one by one, by index, however many rows the planner expects.
_AGED = """
WITH RECURSIVE slice AS MATERIALIZED (
    SELECT id FROM scheme.holder WHERE id > $1 ORDER BY id LIMIT $2
), receipt AS (
    SELECT s.id, w.account, w.sequence + 1 AS sequence, w.balance AS wanted, 0::bigint AS minutes,
        NULL::bigint AS position
    FROM slice s CROSS JOIN LATERAL (
        SELECT b.id AS account, b.sequence, b.balance FROM journal.balance b
        WHERE b.name = 'wallet:' || encode(uuid_send(s.id), 'hex') AND b.balance > 0 LIMIT 1
    ) w
    UNION ALL
    SELECT r.id, r.account, t.sequence, r.wanted - t.received, t.received, t.position
    FROM receipt r CROSS JOIN LATERAL (
        SELECT c.credit_sequence AS sequence, c.position, CASE
            WHEN e.kind IN ('plain', 'reversal') THEN least(c.minutes, r.wanted)
            WHEN e.kind = 'capture' AND c.debit = (SELECT id FROM journal.account WHERE name = 'transit')
                THEN least(c.minutes, r.wanted)
            ELSE 0
        END AS received
        FROM journal.transfer c JOIN journal.entry e ON e.position = c.position
        WHERE c.credit = r.account AND c.credit_sequence < r.sequence
        ORDER BY c.credit_sequence DESC LIMIT 1
    ) t
    WHERE r.wanted > 0
)
SELECT (SELECT id FROM slice ORDER BY id DESC LIMIT 1) AS reached, aged.*
FROM (SELECT) once
LEFT JOIN (
    SELECT width_bucket(position, $3::bigint[]) AS age, sum(minutes)::bigint AS minutes, count(DISTINCT id) AS wallets
    FROM receipt WHERE minutes > 0 GROUP BY 1
) aged ON true
WHERE EXISTS (SELECT FROM slice)
"""
_SUMS = """
SELECT coalesce(sum(balance) FILTER (WHERE name LIKE 'issued:%'), 0)::bigint AS issued,
    coalesce(sum(balance) FILTER (WHERE name LIKE 'redeemed:%'), 0)::bigint AS redeemed
FROM (
    SELECT name, coalesce(
        (SELECT debit_balance FROM journal.transfer WHERE debit = a.id AND debit_sequence = a.sequence),
        (SELECT credit_balance FROM journal.transfer WHERE credit = a.id AND credit_sequence = a.sequence)
    ) AS balance
    FROM (
        SELECT id, name, journal.sequence_at(id, journal.position_at($1)) AS sequence
        FROM journal.account WHERE name = ANY(ARRAY(
            SELECT 'issued:' || encode(uuid_send(id), 'hex') FROM scheme.project
            UNION ALL
            SELECT 'redeemed:' || encode(uuid_send(id), 'hex') FROM scheme.venue
        ))
    ) a
) balances
"""
_DEMAND = """
SELECT id AS offer, title, venue, venue_name, quota, used
FROM (
    SELECT o.id, o.title, o.venue, v.name AS venue_name, o.status, (o.terms::json ->> 'quota')::integer AS quota,
        coalesce((
            SELECT -balance FROM journal.balance
            WHERE name = 'allowance:' || encode(uuid_send(o.id), 'hex') || ':' || $1::text
        ), 0) AS used
    FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
    WHERE o.terms::json ->> 'quota' IS NOT NULL
) wanted
WHERE status = 'published' OR used > 0
ORDER BY used::float / greatest(quota, 1) DESC, used DESC, title, id LIMIT $2
"""
_HEALTH = """
SELECT h.position, h.recorded_at, c.size, c.signed_at, w.ran_at AS verified_at, w.failed_at AS broken_at
FROM journal.head h
LEFT JOIN LATERAL (
    SELECT size, signed_at FROM journal.checkpoint WHERE size <= h.position ORDER BY size DESC LIMIT 1
) c ON true
LEFT JOIN scheme.work w ON w.name = $1
"""
_WAITING = """
SELECT letters.waiting AS letters, letters.in_trouble AS letters_in_trouble,
    (
        SELECT count(*) FROM (
            SELECT FROM scheme.project p CROSS JOIN LATERAL (
                SELECT FROM scheme.claim c
                WHERE c.project = p.id AND c.state IN ('submitted', 'queried') AND c.state = 'submitted'
                    AND c.second_needed AND c.approver IS NOT NULL AND c.second_approver IS NULL
                LIMIT $1
            ) c
            LIMIT $1
        ) waiting
    ) AS second_approvals,
    (SELECT count(*) FROM scheme.recovery WHERE agreed_at IS NULL AND ended_at IS NULL) AS recoveries,
    (SELECT count(*) FROM scheme.offer WHERE status = 'paused') AS paused_offers,
    (SELECT count(*) FROM scheme.project WHERE status = 'applied') AS applied_projects,
    (SELECT count(*) FROM scheme.venue WHERE status = 'applied') AS applied_venues
FROM (
    SELECT count(*) AS waiting, count(*) FILTER (WHERE tries > 0) AS in_trouble
    FROM (SELECT tries FROM scheme.letter WHERE sent_at IS NULL AND body IS NOT NULL LIMIT $1) l
) letters
"""
_SOUND = """
INSERT INTO scheme.work (name, done_until, ran_at) VALUES ($1, $2, $2)
ON CONFLICT (name) DO UPDATE SET done_until = $2, ran_at = $2
"""
_BROKEN = """
INSERT INTO scheme.work (name, done_until, failed_at) VALUES ($1, $2, $2)
ON CONFLICT (name) DO UPDATE SET failed_at = $2
"""
