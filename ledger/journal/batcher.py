"""The batcher: one writer for the entries of many requests.

What is promised: each entry gets its outcome, a value, only after its batch is committed; strangers share a batch, and
neither a refusal nor a defect of one fails another's; entries are judged in the order in which they came.

Requests wait for the running batch to end and then go together: batches form by themselves, without a timer, and a
lone entry goes at once. Of many that wait, half go first: the other half, if there are ``AHEAD_FROM_ENTRIES``, is read
and judged while they are being written, and their callers are answered, and ask again, while it is. A batch judged
ahead *follows* the unwritten one, and the head's tag makes sure that it becomes true only if that one did. By the same
tag, accounts that were touched before needn't be read again: while the head carries the tag of our last batch, nobody
else can have changed them. And after ``CALM_BATCHES`` in which nobody else wrote and no key came again, a small batch
on such accounts isn't read for at all: the write itself looks for its ids, and writes nothing if one is there or the
head has moved.

What bounds it: ``queue_max`` entries wait at most (above that ``QueueFull``, and the caller tries again), ``batch_max``
go into one batch, and two connections are held.

What fails how:

- the head moved (another process wrote): the batch is judged anew with the lock taken first;
- the database refuses what the judge accepted, or the judge stumbles: logged as a defect, and the batch is halved until
  only the offender gets ``Failed``;
- the connection is lost, or COMMIT comes with a warning (a cancelled wait for a standby): every entry of the batch
  gets ``Unknown``; a retry with the same key settles it, and commits once more before it answers;
- nothing was sent yet, or the server said no for a reason of its own (a lock or statement timeout, no connection):
  ``Unavailable`` is raised, nothing was written, and the caller tries again;
- the caller is cancelled: the batch goes on, for the writer owns its task and its connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import CommitUnknown
from ledger.journal.entries import Chart, Entry, Failed, Outcome, Unknown
from ledger.journal.judge import Account, Judgement, State, judge
from ledger.journal.posting import COPY_FROM_ENTRIES, Sealed, post, read, seal, write

_log = logging.getLogger(__name__)

# With 64 requests in flight, all in one batch, the service waited for the database a quarter of its time and the
# database for it; in batches of 16 a twentieth. Of 8, 12, 14, 16, 18, 20 and 24 it gave the most redemptions: smaller
# ones cost both sides more for each entry, and larger ones let the one wait for the other.
AHEAD_FROM_ENTRIES = 16
# Half a millisecond of judging. All 1,000 entries at once made the batch before wait for its turn to send the next
# command, and bulk posting a sixth slower (44,000 entries a second instead of 52,000).
PORTION_ENTRIES = 50
# A full queue of 20,000 entries drains in about a second.
RETRY_AFTER_SECONDS = 1

# Remembered accounts, about 400 bytes each: 20 MB for what a nation's volunteers touch in a day.
ACCOUNTS_MAX = 50_000

# Reading takes a quarter of a lone posting; a guess that fails costs one statement, and then reading is the rule again.
CALM_BATCHES = 2

# Index reads only: a journal that grew since its last ANALYZE must not talk the planner into reading all of it. So each
# statement has one plan for all its arguments, and is planned once: planning took longer than doing (0.3 ms and 0.1).
SESSION = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

# The second is what a statement gets between PostgreSQL's goodbye and the end of the connection.
_CONNECTION_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError)

Connect = Callable[..., Awaitable[asyncpg.Connection]]


class QueueFull(Exception):  # noqa: N818  # an expected state, not an error
    """Too many entries wait; nothing was posted. Try again after ``RETRY_AFTER_SECONDS``."""


class Unavailable(Exception):  # noqa: N818  # as above
    """The database can't be written to now; nothing was posted. Try again."""


class _Asked(Struct, gc=False):
    """Entries that were handed in together, and who waits for their outcomes."""

    entries: Sequence[Entry]
    answer: asyncio.Future[list[Outcome]]


class _Prepared(Struct):
    """A batch read, judged and sealed on the assumption that the head will stand where it was."""

    state: State
    judgement: Judgement
    sealed: Sealed
    unread: tuple[UUID, ...] = ()  # ids that nobody has looked for yet


class Batcher:
    """Posts entries in batches. Open it with ``Batcher.running``."""

    def __init__(
        self,
        connect: Connect,
        chart: Chart,
        clock: Callable[[], datetime],
        *,
        queue_max: int = 20_000,
        batch_max: int = 1_000,
    ) -> None:
        self._connect = connect
        self._chart = chart
        self._clock = clock
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._queue: deque[_Asked] = deque()
        self._arrival = asyncio.Event()
        self._closing = False
        self._reader: asyncpg.Connection | None = None
        self._writer: asyncpg.Connection | None = None
        self._warned = False
        # Accounts as the batch tagged `_accounts_at` leaves them; of use only while the head carries that tag.
        self._accounts: dict[str, Account] = {}
        self._accounts_at: UUID | None = None
        # The journal as our last batch leaves it, and the batches since it was anything else.
        self._latest: State | None = None
        self._calm = 0
        self.waiting = 0
        """Entries in the queue."""
        self.batches = 0
        """Batches written since the start."""

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        connect: Connect,
        chart: Chart,
        clock: Callable[[], datetime],
        *,
        queue_max: int = 20_000,
        batch_max: int = 1_000,
    ) -> AsyncIterator[Batcher]:
        """A batcher with its writer running; at the end what waits is still written."""
        batcher = cls(connect, chart, clock, queue_max=queue_max, batch_max=batch_max)
        writer = asyncio.create_task(batcher._run(), name="journal writer")
        try:
            yield batcher
        finally:
            batcher._closing = True
            batcher._arrival.set()
            try:
                await writer
            finally:  # whoever is cancelled a second time doesn't wait, and leaves no connection open either
                batcher._drop_connections()

    async def post(self, entry: Entry) -> Outcome:
        """The entry's outcome, once it is committed. Raises ``QueueFull`` or ``Unavailable``: nothing was posted."""
        return (await self._hand_in((entry,)))[0]

    async def post_all(self, entries: Sequence[Entry]) -> list[Outcome]:
        """An outcome for each, in order. Each is posted or refused for itself; at most ``batch_max`` at a time.

        Where there are more than that, a part may be posted when ``QueueFull`` or ``Unavailable`` is raised; trying
        again with all of them, under the same keys, is safe as ever.
        """
        outcomes: list[Outcome] = []
        # Two are handed in at a time: one is judged while the other is written.
        answers: deque[asyncio.Future[list[Outcome]]] = deque()
        try:
            for start in range(0, len(entries), self._batch_max):
                answers.append(self._hand_in(entries[start : start + self._batch_max]))
                if len(answers) > 1:
                    outcomes += await answers[0]
                    answers.popleft()
            for answer in answers:
                outcomes += await answer
        finally:
            for answer in answers:
                answer.cancel()  # nobody waits for it any more; harmless where it has come
        return outcomes

    def _hand_in(self, entries: Sequence[Entry]) -> asyncio.Future[list[Outcome]]:
        if self._closing:
            raise Unavailable("the service is stopping")
        if self.waiting + len(entries) > self._queue_max:
            raise QueueFull(f"{self.waiting} entries are waiting")
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Asked(entries, answer))
        self.waiting += len(entries)
        self._arrival.set()
        return answer

    # --- the writer ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        writing: asyncio.Task[None] | None = None
        ahead_of: _Prepared | None = None
        while True:
            if not self._queue:
                self._arrival.clear()
                if self._closing:
                    break
                await self._arrival.wait()
                continue
            if writing is not None and self.waiting < AHEAD_FROM_ENTRIES:
                await writing
                writing = ahead_of = None
            await asyncio.sleep(0)
            batch = self._take()
            prepared = await self._prepare(batch, ahead_of)
            if writing is not None:
                await writing
            writing = asyncio.create_task(self._settle(batch, prepared), name="journal batch")
            ahead_of = prepared
            if self.waiting < AHEAD_FROM_ENTRIES:
                await writing
                writing = ahead_of = None
        if writing is not None:
            await writing

    def _take(self) -> list[_Asked]:
        batch: list[_Asked] = []
        room = min(max(-(-self.waiting // 2), AHEAD_FROM_ENTRIES), self._batch_max)
        while self._queue and (not batch or len(self._queue[0].entries) <= room):
            asked = self._queue.popleft()
            room -= len(asked.entries)
            self.waiting -= len(asked.entries)
            batch.append(asked)
        return batch

    async def _prepare(self, batch: list[_Asked], ahead_of: _Prepared | None) -> _Prepared | None:
        """The batch, judged without the lock; None where it has to be taken first."""
        entries = [entry for asked in batch for entry in asked.entries]
        try:
            guessed = self._guess(entries, ahead_of)
            state = guessed or await self._read(entries, ahead_of)
            if state is None:
                return None
            prepared = await self._judge(state, entries)
            if guessed is not None:
                prepared.unread = tuple(entry.id for entry in entries)
        except (OSError, asyncpg.PostgresError, *_CONNECTION_LOST) as error:
            _log.warning("the journal could not be read ahead: %s", error)
            return None
        except Exception:  # noqa: BLE001  # logged with its trace; `_write` meets it again, and halves the batch
            _log.exception("a batch could not be judged")
            # Judging had begun to move the remembered balances, and of that nothing will be written.
            self._accounts = {}
            return None
        self._remember(prepared)
        return prepared

    async def _read(self, entries: list[Entry], ahead_of: _Prepared | None) -> State | None:
        if self._reader is None or self._reader.is_closed():
            self._reader = await self._connect(**SESSION)
        while True:
            known = self._accounts
            state = await read(self._reader, self._chart, entries, known)
            if ahead_of is not None and state.batch != ahead_of.sealed.batch:
                if state.batch != ahead_of.sealed.base:
                    return None
                state.follow(ahead_of.state, ahead_of.judgement, entries)
            if state.batch == self._accounts_at or not known:
                self._calm = self._calm + 1 if known and not state.seen else 0
                _recall(state, entries, known)
                return state
            # Somebody else wrote, or a batch of ours was not written as it was judged: what we knew is stale.
            self._accounts = {}

    def _guess(self, entries: list[Entry], ahead_of: _Prepared | None) -> State | None:
        """The state without reading, if all that the entries name is known and nothing suggests that it has changed."""
        latest, known = self._latest, self._accounts
        if latest is None or self._calm < CALM_BATCHES or len(entries) >= COPY_FROM_ENTRIES:
            return None
        for entry in entries:
            if entry.target is not None or (ahead_of is not None and entry.id in ahead_of.state.seen):
                return None
            for transfer in entry.transfers:
                if transfer.debit not in known or transfer.credit not in known:
                    return None
        state = State(
            chart=self._chart,
            batch=latest.batch,
            position=latest.position,
            opened=latest.opened,
            recorded_at=latest.recorded_at,
            frontier=latest.frontier,
        )
        _recall(state, entries, known)
        return state

    async def _judge(self, state: State, entries: list[Entry]) -> _Prepared:
        """Judges and seals in portions, between which the batch before gets on with its writing."""
        now = self._clock()
        prepared = None
        for start in range(0, len(entries), PORTION_ENTRIES):
            judgement = judge(state, entries[start : start + PORTION_ENTRIES], now)
            sealed = seal(state, judgement)
            if len(entries) >= COPY_FROM_ENTRIES:
                sealed.pack()
            if prepared is None:
                prepared = _Prepared(state, judgement, sealed)
            else:
                prepared.judgement.extend(judgement)
                prepared.sealed.extend(sealed)
            await asyncio.sleep(0)
        assert prepared is not None, "a batch has at least one entry"
        return prepared

    def _remember(self, prepared: _Prepared) -> None:
        """Keeps what the batch touched; the oldest go when there are too many."""
        self._latest = prepared.state
        self._accounts_at = prepared.sealed.batch
        self._accounts |= prepared.judgement.touched
        surplus = len(self._accounts) - ACCOUNTS_MAX
        if surplus > 0:
            for name in list(islice(self._accounts, surplus)):
                del self._accounts[name]

    async def _settle(self, batch: list[_Asked], prepared: _Prepared | None) -> None:
        """Writes the batch and answers everyone in it. Never raises."""
        entries = [entry for asked in batch for entry in asked.entries]
        try:
            outcomes: list[Outcome] = await self._write(entries, prepared)
        except Unavailable as error:
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            return
        except Exception as error:  # noqa: BLE001  # a defect of ours: the writer goes on, and nobody waits for ever
            _log.exception("a batch could not be settled")
            outcomes = await self._lost(entries, error)
        self.batches += 1
        start = 0
        for asked in batch:
            end = start + len(asked.entries)
            if not asked.answer.done():  # done already: the caller was cancelled
                asked.answer.set_result(outcomes[start:end])
            start = end

    async def _write(self, entries: list[Entry], prepared: _Prepared | None) -> list[Outcome]:
        try:
            if self._writer is None or self._writer.is_closed():
                self._writer = await self._connect(**SESSION)
                self._writer.add_log_listener(self._hear)
        except Exception as error:  # whatever it was, nothing has been sent yet
            raise Unavailable(f"no connection to the database: {error}") from error
        self._warned = False
        try:
            if prepared is not None and await write(self._writer, prepared.sealed, prepared.unread):
                outcomes = prepared.judgement.outcomes
            else:
                self._calm = 0
                async with self._writer.transaction():
                    outcomes = await post(self._writer, self._chart, entries, self._clock())
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.RaiseError) as error:
            return await self._halve(entries, error)
        except (OSError, CommitUnknown, *_CONNECTION_LOST) as error:
            return await self._lost(entries, error)
        except asyncpg.PostgresError as error:
            # Class 57P and 08: the server went away in the middle. Anything else was said before the commit.
            if (error.sqlstate or "")[:3] == "57P" or (error.sqlstate or "")[:2] == "08":
                return await self._lost(entries, error)
            raise Unavailable(f"the database said {error.sqlstate}: {error}") from error
        except Exception as error:  # noqa: BLE001  # nobody may wait for ever, nor fail for a stranger's entry
            return await self._halve(entries, error)
        if self._warned:
            return [Unknown(entry.id) for entry in entries]
        return outcomes

    async def _halve(self, entries: list[Entry], error: Exception) -> list[Outcome]:
        """What the judge accepted can't be written: find the offender, and post all others."""
        constraint = str(
            getattr(error, "constraint_name", None) or getattr(error, "sqlstate", None) or type(error).__name__,
        )
        # Not the error's own text: PostgreSQL's DETAIL shows the row, and so people's words.
        _log.error("of %d entries that were to be posted one can't be: %s", len(entries), constraint)
        if len(entries) == 1:
            return [Failed(entries[0].id, constraint)]
        middle = len(entries) // 2
        outcomes: list[Outcome] = []
        for half in (entries[:middle], entries[middle:]):
            try:
                outcomes += await self._write(half, None)
            except Unavailable:  # by now a part may have been committed, so "nothing was" would be untrue
                outcomes += [Unknown(entry.id) for entry in half]
        return outcomes

    async def _lost(self, entries: list[Entry], error: Exception) -> list[Outcome]:
        _log.warning("the fate of a batch of %d entries is unknown: %s", len(entries), error)
        self._drop_connections()
        return [Unknown(entry.id) for entry in entries]

    def _hear(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity == "WARNING":
            _log.warning("a commit came with a warning: %s", message)
            self._warned = True

    def _drop_connections(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection.terminate()
        self._reader = self._writer = None


def _recall(state: State, entries: list[Entry], known: dict[str, Account]) -> None:
    """Adds the accounts that the entries name and that needn't be read."""
    for entry in entries:
        for transfer in entry.transfers:
            for name in (transfer.debit, transfer.credit):
                if name in known:
                    state.accounts[name] = known[name]
