"""Periodic work: one table of jobs, each run when it is due, once however many processes run.

    which are due? -> lock the job's row, or leave it to whoever has it -> still due? -> do some -> commit

A job's verb does what fell due up to a moment, some hundreds at most, and returns how many; it is called again, each
time in a transaction of its own, until it finds nothing. Only then the row in ``scheme.work`` says that all is done up
to that moment. So whatever ends a run in the middle (a kill, a lost connection) leaves the job due, with what was
committed done and the rest not; and after a pause of any length everything is caught up with.

What bounds it: a tick calls a verb `ROUNDS_MAX` times, so a long backlog doesn't keep the other jobs waiting.

What fails how: a job that raises is rolled back, logged, counted, marked (``failed_at``) and tried again at the next
tick; the others go on. A database that is away is waited for. Verbs must be safe to run twice: a commit whose answer
was lost may have happened.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

import asyncpg
import structlog
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.bookings import release_cancelled
from ledger.scheme.clock import Clock
from ledger.scheme.expiry import expire
from ledger.scheme.guardians import lapse
from ledger.scheme.lapses import lapse_due
from ledger.scheme.letters import forget as forget_letters
from ledger.scheme.one_time import forget as forget_one_time
from ledger.scheme.outbox import forget as forget_told
from ledger.scheme.paper import end_due
from ledger.scheme.refusals import OUTAGES
from ledger.scheme.retention import remove_contacts
from ledger.scheme.sessions import close_forgotten
from ledger.scheme.sign_ins import forget as forget_sign_ins
from ledger.scheme.telling import ENGLISH, Voice, tell
from ledger.scheme.throttle import forget as forget_wrong_codes

Verb = Callable[[asyncpg.Connection, datetime], Awaitable[int]]
"""Does some of what fell due up to the moment, in the transaction it is given, and returns how many: 0, nothing was."""

TICK_SECONDS: Final = 30
ROUNDS_MAX: Final = 20
_SECOND: Final = timedelta(seconds=1)


class Job(Struct, frozen=True):
    """Work that comes round."""

    name: str
    every: timedelta
    verb: Verb


def jobs(voice: Voice = ENGLISH) -> tuple[Job, ...]:
    """All of them; people are told what happened in that voice.

    A sign-out that was forgotten should stand closed before its coordinator looks, and what is cancelled be known
    before anybody sets out; of the others nobody waits for the minute, for a consent that has ended counts no more from
    its end, noticed or not.
    """
    return (
        Job("close_forgotten", timedelta(minutes=5), close_forgotten),
        Job("lapse_consents", timedelta(hours=1), lapse),
        Job("release_cancelled", timedelta(minutes=1), release_cancelled),  # what was too much for one transaction
        Job("lapse_holds", timedelta(minutes=1), lapse_due),
        Job("expire_credits", timedelta(hours=1), expire),  # looks once a day, soon after it has begun in London
        Job("end_batches", timedelta(hours=1), end_due),
        Job("tell_people", timedelta(minutes=1), partial(tell, voice=voice)),
        Job("forget_told", timedelta(days=1), forget_told),
        Job("remove_contacts", timedelta(days=1), remove_contacts),
        Job("forget_wrong_codes", timedelta(hours=1), forget_wrong_codes),
        Job("forget_letters", timedelta(minutes=10), forget_letters),  # what could not be sent holds a secret still
        Job("forget_one_time", timedelta(hours=1), forget_one_time),
        Job("forget_sign_ins", timedelta(hours=1), forget_sign_ins),
    )


JOBS: Final = jobs()


class Outcome(StrEnum):
    """How a job's run ended."""

    DONE = "done"
    UNFINISHED = "unfinished"  # more is left for the next tick
    NOT_DUE = "not_due"
    ELSEWHERE = "running_elsewhere"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Run(Struct, frozen=True, kw_only=True):
    """What became of a job, and how many things were dealt with."""

    name: str
    outcome: Outcome
    count: int = 0


class Standing(Struct, frozen=True, kw_only=True):
    """How a job has been doing: all that fell due up to ``done_until`` is done, and the lag is since then."""

    name: str
    every_seconds: int
    done_until: datetime | None = None
    ran_at: datetime | None = None
    failed_at: datetime | None = None
    lag_seconds: int | None = None


class Periodic:
    """Running the jobs that are due, and telling how they have been doing."""

    def __init__(self, database: Database, clock: Clock, jobs: Sequence[Job] = JOBS) -> None:
        self._database = database
        self._clock = clock
        self._jobs = jobs
        self.failures = {job.name: 0 for job in jobs}
        """Runs that failed in this process, by job."""

    async def standing(self) -> list[Standing]:
        """Each job, in the table's order."""
        now = self._now()
        async with self._database.reading() as connection:
            rows = {row["name"]: row for row in await driver(connection).fetch(_ALL)}
        return [_standing(job, rows.get(job.name), now) for job in self._jobs]

    async def run_due(self, only: str | None = None) -> list[Run]:
        """Run every job that is due, or that one if it is. Raises only if the database is away from the start."""
        before = {job.name: job for job in await self.standing()}
        unknown = [name for name, job in before.items() if job.done_until is None]
        if unknown:
            async with self._database.transaction() as connection:
                await driver(connection).execute(_ADD, unknown, self._now())
        runs = []
        for job in self._jobs:
            if only not in {None, job.name}:
                continue
            standing = before[job.name]
            if _is_due(job, standing.ran_at and standing.done_until, self._now()):
                runs.append(await self._run(job))
            else:
                runs.append(Run(name=job.name, outcome=Outcome.NOT_DUE))
        return runs

    async def keep(self, *, every_seconds: int = TICK_SECONDS) -> None:
        """Run what is due, again and again until cancelled. Whatever goes wrong is logged and tried again."""
        log = structlog.get_logger(__name__)
        while True:
            try:
                await self.run_due()
            except tuple(OUTAGES) as error:
                log.warning("periodic work waits for the database", error=repr(error))
            except Exception:  # work that stopped unnoticed would be worse
                log.exception("periodic work met what it doesn't know")
            await asyncio.sleep(every_seconds)

    async def _run(self, job: Job) -> Run:
        log, count = structlog.get_logger(__name__).bind(job=job.name), 0
        try:
            for _ in range(ROUNDS_MAX):
                done = await self._round(job)
                if isinstance(done, Outcome):
                    outcome = done
                    break
                count += done
            else:
                outcome = Outcome.UNFINISHED
        except tuple(OUTAGES) as error:
            log.warning("periodic work could not be done", error=repr(error))
            outcome = Outcome.UNAVAILABLE
        except Exception:  # one job that fails must not stop the others
            log.exception("periodic work failed")
            outcome = Outcome.FAILED
        if outcome in {Outcome.UNAVAILABLE, Outcome.FAILED}:
            await self._mark_failed(job)
        elif count:
            log.info("periodic work", outcome=outcome.value, count=count)
        return Run(name=job.name, outcome=outcome, count=count)

    async def _round(self, job: Job) -> int | Outcome:
        """One transaction: how many were dealt with, or why this run is over."""
        async with self._database.transaction() as connection:
            raw, now = driver(connection), self._now()
            row = await raw.fetchrow(_TAKE, job.name)
            if row is None:
                return Outcome.ELSEWHERE
            if not _is_due(job, row["ran_at"] and row["done_until"], now):
                return Outcome.NOT_DUE
            count = await job.verb(raw, now)
            if count:
                return count
            await raw.execute(_DONE, job.name, now)
            return Outcome.DONE

    async def _mark_failed(self, job: Job) -> None:
        self.failures[job.name] += 1
        with contextlib.suppress(Exception):  # why it failed is logged; that this can't be noted stops no other job
            async with self._database.transaction() as connection:
                await driver(connection).execute(_FAILED, job.name, self._now())

    def _now(self) -> datetime:
        # In UTC, where a day has 24 hours on every night of the year.
        return self._clock().astimezone(UTC)


def _standing(job: Job, row: asyncpg.Record | None, now: datetime) -> Standing:
    every = job.every // _SECOND
    if row is None:
        return Standing(name=job.name, every_seconds=every)
    return Standing(
        name=job.name,
        every_seconds=every,
        done_until=row["done_until"],
        ran_at=row["ran_at"],
        failed_at=row["failed_at"],
        lag_seconds=max(0, (now - row["done_until"]) // _SECOND),
    )


def _is_due(job: Job, done_until: datetime | None, now: datetime) -> bool:
    """Whether it never ran, or long enough ago; or the clock was set back since, and must not stop the work."""
    return done_until is None or not done_until <= now < done_until + job.every


_ALL = "SELECT name, done_until, ran_at, failed_at FROM scheme.work"
_ADD = "INSERT INTO scheme.work (name, done_until) SELECT u, $2 FROM unnest($1::text[]) u ON CONFLICT DO NOTHING"
_TAKE = "SELECT done_until, ran_at FROM scheme.work WHERE name = $1 FOR UPDATE SKIP LOCKED"
_DONE = "UPDATE scheme.work SET done_until = $2, ran_at = $2 WHERE name = $1"
# Whoever runs it meanwhile may fare better, and isn't waited for.
_FAILED = """
UPDATE scheme.work SET failed_at = $2
WHERE name IN (SELECT name FROM scheme.work WHERE name = $1 FOR UPDATE SKIP LOCKED)
"""
