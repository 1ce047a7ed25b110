"""kill -9 of the service and of PostgreSQL, at named points and at random moments, while clients insist.

Each client keeps a log on disk, as a till does: what it is about to ask, and then the answer, each line flushed before
anything follows from it. At the end the logs are read back, and held against the journal.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest

from ledger.database import Embedded
from tests.conftest import WAIT_SECONDS
from tests.faults.conftest import Answer, Asked, Clients, Durable, Place, Scheme, Service, position, verified
from tests.proxy import Proxy

# ---- named points

BEFORE = "before the write is sent"
AFTER = "after the commit and before its answer"


# What the batcher writes is one message; this is in that one alone.
WRITTEN_AT_ONCE = {
    "redeem": b'"operation":"redeem"',
    "refusal": b'"operation":"redeem"',
    "capture": b'"operation":"capture"',
    "void": b'"operation":"void"',
}
# All else is many statements, and only their COMMIT decides; this has passed on its connection before, and no COMMIT
# since.
WRITTEN_BEFORE_COMMIT = {
    "authorise": b'"operation":"redeem"',
    "refund": b'"operation":"refund"',
    "register": b'"claims":[',
    "approval": b'"decisions":[',
    "correction": b'"goodwill":',
    "erasure": b'"give_to":',
}


class Killable(NamedTuple):
    """A service behind a proxy, and a scheme that has begun there."""

    service: Service
    proxy: Proxy
    scheme: Scheme
    place: Place


@pytest.fixture(scope="module")
async def killable(durable: Durable, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Killable]:
    place = await durable.create()
    proxy = Proxy(place.dsn, tmp_path_factory.mktemp("proxy"))
    await proxy.start()
    try:
        async with Service.running(place._replace(dsn=proxy.dsn)) as service:
            clients = Clients([service])
            try:
                yield Killable(service, proxy, await Scheme.begun(clients, place), place)
                # Once for all of the module's tests.
                await clients.replay_all_twice()
                await verified(place)
            finally:
                await clients.close()
    finally:
        await proxy.stop()


@pytest.mark.parametrize("point", [BEFORE, AFTER])
@pytest.mark.parametrize(
    "what",
    [
        *("redeem", "authorise", "refusal", "capture", "void"),
        *("refund", "register", "approval", "correction", "erasure"),
    ],
)
async def test_a_retry_after_a_kill_posts_what_was_not_committed_and_hears_what_was(
    killable: Killable, what: str, point: str
) -> None:
    service, proxy, scheme, place = killable
    asked = await prepared(scheme, what)
    before = await position(place)
    killed = asyncio.Event()

    def kill() -> None:
        service.kill()
        killed.set()

    proxy.on_loss = kill
    proxy.after = WRITTEN_BEFORE_COMMIT.get(what)
    decides = b"COMMIT\0" if what in WRITTEN_BEFORE_COMMIT else WRITTEN_AT_ONCE[what]
    if point == BEFORE:
        proxy.lose = decides
    else:
        proxy.lose_answer_to = decides

    insisting = asyncio.create_task(scheme.clients.insist(asked))
    async with asyncio.timeout(WAIT_SECONDS):
        await killed.wait()
    assert await position(place) == before + (point == AFTER and what != "refusal")
    await service.restart()
    answer = await insisting

    scheme.clients.history.append((asked, answer))
    assert answer.word == ("409 insufficient_credits" if what == "refusal" else "201")
    assert answer.replayed == (point == AFTER)
    assert await position(place) == before + (what != "refusal")


async def prepared(scheme: Scheme, what: str) -> Asked:
    """What is to be asked."""
    ann = await scheme.person(0 if what == "refusal" else 60)
    match what:
        case "redeem" | "authorise" | "refusal":
            return scheme.redeem(ann, capture=what != "authorise")
        case "capture" | "void" | "refund":
            held = await scheme.clients.ask(scheme.redeem(ann, capture=what == "refund"))
            return scheme.step(held.body["id"], what)
        case "approval":
            return scheme.approval([(await scheme.clients.ask(scheme.claim(ann["id"]))).body["id"]])
        case "correction":
            given = await scheme.clients.ask(scheme.register({ann["id"]: 60}))
            return scheme.correction(given.body["claims"][0])
        case "erasure":
            return scheme.erasure(ann["id"])
        case _:
            return scheme.register({ann["id"]: 60})


# ---- random moments


class Log:
    """A client's requests and answers on disk. What was written is there, whoever is killed."""

    def __init__(self, path: Path, written: Callable[[], None]) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._written = written

    def close(self) -> None:
        self._file.close()

    def write(self, line: Asked | Answer) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        os.fsync(self._file.fileno())
        self._written()

    def read(self) -> list[tuple[Asked, Answer]]:
        """Each request that was answered so far, with its answer."""
        lines = self._path.read_bytes().splitlines()
        whole = len(lines) // 2 * 2
        asked = [msgspec.json.decode(line, type=Asked) for line in lines[:whole:2]]
        return list(zip(asked, (msgspec.json.decode(line, type=Answer) for line in lines[1:whole:2]), strict=True))

    @property
    def settled(self) -> bool:
        """Whether every request has its answer."""
        return self._path.read_bytes().count(b"\n") % 2 == 0


class Till:
    """A client that goes on and on: visits, holds and what becomes of them, refunds, hours, approvals, corrections."""

    def __init__(
        self, scheme: Scheme, log: Log, own: Sequence[dict[str, Any]], shared: dict[str, Any], seed: int
    ) -> None:
        self._scheme = scheme
        self._log = log
        self._shared = shared
        self._choose = random.Random(seed)  # noqa: S311  # no secret
        # With what they begin with and 300 minutes for each day, no card comes to what it may spend in one: 6,000.
        self._days = iter([(who, day) for who in own for day in range(6, 24)])
        self._own = own[0]

    async def until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._visit(self._shared if self._choose.random() < 0.3 else self._own)

    async def _ask(self, asked: Asked) -> Answer:
        self._log.write(asked)
        answer = await self._scheme.clients.insist(asked)
        self._log.write(answer)
        return answer

    async def _visit(self, who: dict[str, Any]) -> None:
        scheme, choose = self._scheme, self._choose
        walk_in = choose.random() < 0.5
        made = await self._ask(scheme.redeem(who, capture=walk_in))
        if made.status == 201:
            if not walk_in:
                minutes = choose.choice([None, 45])
                taken = choose.choice(
                    [scheme.step(made.body["id"], "void"), scheme.step(made.body["id"], "capture", minutes)]
                )
                assert (await self._ask(taken)).status == 201
                return
            if choose.random() < 0.5:
                assert (
                    await self._ask(scheme.step(made.body["id"], "refund", choose.choice([None, 15])))
                ).status == 201
        elif (given := next(self._days, None)) is not None:
            self._own, day = given
            claim = await self._give(day)
            if choose.random() < 0.3:
                assert (await self._ask(scheme.correction(claim, choose.choice([0, 120, 300])))).status == 201

    async def _give(self, day: int) -> str:
        """Hours on a register, or claimed and then approved. Returns the claim."""
        scheme, ann = self._scheme, self._own["id"]
        if self._choose.random() < 0.5:
            given = await self._ask(scheme.register({ann: 240}, days_ago=day))
            assert given.status == 201, given
            return str(given.body["claims"][0])
        claim = str((await self._ask(scheme.claim(ann, days_ago=day, minutes=240))).body["id"])
        approved = await self._ask(scheme.approval([claim]))
        assert [decision["outcome"] for decision in approved.body["decisions"]] == ["awarded"]
        return claim


class Moments:
    """Counts what the clients write down, and tells when so many lines more stand there."""

    def __init__(self) -> None:
        self._lines = 0
        self._wanted = 0
        self._there = asyncio.Event()

    def written(self) -> None:
        self._lines += 1
        if self._lines >= self._wanted:
            self._there.set()

    async def more(self, lines: int) -> None:
        self._wanted = self._lines + lines
        self._there.clear()
        await self._there.wait()


Kill = Callable[[], Coroutine[None, None, None]]


@asynccontextmanager
async def insisting_clients(
    durable: Durable, folder: Path, seed: int, *, soak: bool
) -> AsyncIterator[tuple[Service, Clients, Callable[[Kill], Coroutine[None, None, None]]]]:
    """Eight tills at work on one service. Gives what kills something amid their work; at the end all must be there."""
    choose = random.Random(seed)  # noqa: S311  # no secret
    place = await durable.create()
    async with Service.running(place) as service:
        clients = Clients([service])
        moments, stop = Moments(), asyncio.Event()
        logs: list[Log] = []
        known: dict[str, int] = {}
        try:
            scheme = await Scheme.begun(clients, place)
            shared = await scheme.person(480)
            people = [[await scheme.person(480) for _ in range(4 if soak else 1)] for _ in range(8)]
            before = await position(place)

            async def amid(kill: Kill) -> None:
                await moments.more(choose.randrange(8, 60))
                # Not always when a line has just been written: somewhere within the next request or two.
                later = asyncio.Event()
                asyncio.get_running_loop().call_later(choose.uniform(0, 0.02), later.set)
                await later.wait()
                await kill()
                await nothing_is_lost(place, [pair for log in logs for pair in log.read()], known)

            logs = [Log(folder / f"{number}", moments.written) for number in range(8)]
            async with asyncio.TaskGroup() as tills:
                for log, own in zip(logs, people, strict=True):
                    till = Till(scheme, log, own, shared, choose.randrange(1 << 30))
                    tills.create_task(till.until(stop))
                yield service, clients, amid
                await moments.more(40)
                stop.set()

            assert all(log.settled for log in logs), "every unknown was resolved by a retry"
            clients.history = [pair for log in logs for pair in log.read()]
            posted = await nothing_is_lost(place, clients.history, known)
            assert await position(place) == before + posted, (
                "nothing is doubled, and nothing was posted that nobody heard of"
            )
            assert {answer.word for _, answer in clients.history} <= {"201", "409 insufficient_credits"}
            await clients.replay_all_twice()
            assert await position(place) == before + posted
        finally:
            for log in logs:
                log.close()
            await clients.close()
    await verified(place)


def entries_of(body: dict[str, Any]) -> list[str]:
    """The ids of the entries that an answer tells of: a claim's is also its award's, and it has none at first."""
    if "claims" in body:
        return list(body["claims"])
    if "decisions" in body:
        return [decision["claim"] for decision in body["decisions"]]
    return [] if "exceptions" in body else [body["id"]]


async def nothing_is_lost(place: Place, heard: list[tuple[Asked, Answer]], known: dict[str, int]) -> int:
    """Each acknowledged entry stands where it stood, with what was said of it. Returns how many there are."""
    bodies = {}
    for _, answer in heard:
        if answer.status == 201:
            for id_ in entries_of(answer.body):
                assert id_ not in bodies, "two keys never got one entry"
                bodies[id_] = answer.body
    connection: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        rows = await connection.fetch(
            "SELECT id::text, position, recorded_at FROM journal.entry WHERE id = ANY($1::uuid[])", list(bodies)
        )
    finally:
        await connection.close()
    found = {row["id"]: row for row in rows}
    assert set(found) == set(bodies), "what was acknowledged is there"
    for id_, row in found.items():
        said = datetime.fromisoformat(bodies[id_]["recorded_at"])
        # What is written by many statements says when it came; its entries, when their turn was.
        many = bodies[id_].keys() & {"claims", "decisions", "goodwill"}
        assert said <= row["recorded_at"] if many else said == row["recorded_at"]
        assert known.setdefault(id_, row["position"]) == row["position"]
    return len(bodies)


async def test_a_service_killed_at_any_moment_loses_and_doubles_nothing(
    durable: Durable, tmp_path: Path, *, soak: bool
) -> None:
    async with insisting_clients(durable, tmp_path, 20260601, soak=soak) as (service, _, amid):
        for _ in range(300 if soak else 8):
            await amid(service.restart)


async def test_postgresql_killed_at_any_moment_loses_and_doubles_nothing(
    durable: Durable, tmp_path: Path, *, soak: bool
) -> None:
    async with insisting_clients(durable, tmp_path, 20260602, soak=soak) as (_, clients, amid):

        async def kill() -> None:
            await restart_after_a_kill(durable.embedded, clients)

        for _ in range(300 if soak else 12):
            await amid(kill)


async def test_both_killed_together_lose_and_double_nothing(durable: Durable, tmp_path: Path, *, soak: bool) -> None:
    async with insisting_clients(durable, tmp_path, 20260603, soak=soak) as (service, clients, amid):

        async def kill() -> None:
            service.kill()
            await restart_after_a_kill(durable.embedded, clients)
            await service.restart()

        for _ in range(50 if soak else 3):
            await amid(kill)


async def restart_after_a_kill(embedded: Embedded, clients: Clients) -> None:
    """SIGKILL of the postmaster, and a start that recovers; meanwhile nobody asks what can't be answered."""
    pid, dsn = embedded.pid, embedded.dsn()
    assert pid is not None
    clients.database_up.clear()
    os.kill(pid, signal.SIGKILL)

    def again() -> None:
        embedded.stop()
        embedded.start()

    await asyncio.to_thread(again)
    assert embedded.dsn() == dsn
    clients.database_up.set()
