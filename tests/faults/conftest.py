"""A PostgreSQL that keeps what it confirms, `timecredits serve` as real processes on it, and clients that insist.

Whoever moves credits in a test ends with `verified`.
"""

import asyncio
import contextlib
import itertools
import os
import random
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, Embedded, migrate
from ledger.scheme.callers import OPERATOR, SCHEME, Caller, Scope
from ledger.scheme.clock import system_clock
from ledger.scheme.keys import Keys
from ledger.scheme.roles import Grant, Role, Roles
from ledger.scheme.rules import Rulebook
from tests.conftest import temporary_server
from tests.doors.house import register
from tests.journal.conftest import audit

BIN = Path(sys.executable).parent
# On two busy cores a service starts within 3 s; PostgreSQL recovers within 2.
START_SECONDS = 60
ANSWER_SECONDS = 60
# The longest entry that one approver decides on.
ONE_APPROVER_MINUTES = 360
# Less than the service's 75, or a request could go out on a connection that is just being closed.
KEEP_ALIVE_SECONDS = 5


# ---- PostgreSQL


class Place(NamedTuple):
    """A database, and the data folder of the services on it, where their signing key is."""

    dsn: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
        ours = {"LEDGER_DSN": self.dsn, "LEDGER_DATA": str(self.data), "LEDGER_ENVIRONMENT": "test", "COLUMNS": "200"}
        return {**kept, **ours}


class Durable:
    """An embedded PostgreSQL with durability on; its databases are copies of one migrated template."""

    def __init__(self, embedded: Embedded) -> None:
        self.embedded = embedded
        self._numbers = itertools.count(1)

    async def run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.embedded.dsn())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self) -> Place:
        """A new, migrated database."""
        name = f"faults_{next(self._numbers)}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE faults")
        data = self.embedded.folder / name
        data.mkdir()
        return Place(self.embedded.dsn(name), data)


@pytest.fixture(scope="package")
def _cluster() -> Iterator[Embedded]:
    with temporary_server(durable=True, settings={"max_connections": "200"}) as embedded:
        yield embedded


@pytest.fixture(scope="package")
async def durable(_cluster: Embedded) -> Durable:
    server = Durable(_cluster)
    await server.run("CREATE DATABASE faults")
    await asyncio.to_thread(migrate, _cluster.dsn("faults"))
    return server


# ---- the service


class Service:
    """`timecredits serve` on a database, in a process of its own, to be killed and started again."""

    def __init__(self, place: Place) -> None:
        self._environment = place.environment
        self._process: asyncio.subprocess.Process | None = None
        self._draining: asyncio.Task[None] | None = None
        self.base = ""
        self.said: list[str] = []
        self.starts = 0
        self.ready = asyncio.Event()
        """Set while it answers."""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, place: Place) -> AsyncIterator[Self]:
        service = cls(place)
        try:
            await service.start()
            yield service
        finally:
            service.kill()
            await service.gone()

    async def start(self) -> None:
        """Start it; return when it says that it answers."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(BIN / "timecredits", "serve", "--empty", "--port", "0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        assert process.stdout is not None
        output = process.stdout
        async with asyncio.timeout(START_SECONDS):
            while True:
                line = (await output.readline()).decode()
                self.said.append(line)
                if not line:
                    raise AssertionError(f"the service ended with {await process.wait()}: {''.join(self.said[-20:])}")
                if found := re.search(r"is at (\S+) ", line):
                    break
        self._draining = asyncio.create_task(self._drain(output))
        self.base = found[1]
        self.starts += 1
        self.ready.set()

    async def _drain(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self.said.append(line.decode())

    def kill(self) -> None:
        """SIGKILL, this instant."""
        self.ready.clear()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def gone(self) -> None:
        """The process has ended."""
        if self._process is not None:
            await self._process.wait()
        if self._draining is not None:
            await self._draining

    async def restart(self) -> None:
        self.kill()
        await self.gone()
        await self.start()


# ---- the clients


class Asked(NamedTuple):
    """A request that moves credits, as a client keeps it before it sends it."""

    path: str
    token: str
    key: str
    body: Any


class Answer(NamedTuple):
    """What is the same at every replay: the status, and the body without the number of the request."""

    status: int
    body: dict[str, Any]
    replayed: bool

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        body = response.json()
        body.pop("request_id", None)
        return cls(response.status_code, body, "idempotency-replayed" in response.headers)

    @property
    def word(self) -> str:
        """Its status and, of a refusal, why."""
        return f"{self.status} {self.body.get('code', '')}".strip()

    def same(self, other: "Answer") -> bool:
        return (self.status, self.body) == (other.status, other.body)


class Clients:
    """Whoever asks: each request goes to one of the services, and is kept with its first answer."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = services
        self.history: list[tuple[Asked, Answer]] = []
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS))
        self.database_up = asyncio.Event()
        """Cleared while it is known that there is no database: so nobody asks in vain."""
        self.database_up.set()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, asked: Asked, service: int = 0) -> Answer:
        """Send it once to that service; raises what the connection raises."""
        return Answer.of(
            await self._http.post(
                self.services[service].base + asked.path,
                json=asked.body,
                headers={"authorization": f"Bearer {asked.token}", "idempotency-key": asked.key},
            )
        )

    async def alive(self, service: int) -> None:
        """Ask that service for nothing but whether it is there."""
        assert (await self._http.get(self.services[service].base + "/health/live")).status_code == httpx.codes.OK

    async def ask(self, asked: Asked, service: int = 0) -> Answer:
        """Send it once, and keep it."""
        answer = await self.send(asked, service)
        self.history.append((asked, answer))
        return answer

    async def insist(self, asked: Asked, service: int = 0) -> Answer:
        """Send it until it is answered: what is unknown, or wasn't heard, is asked again with the same key."""
        heard: object = "nothing yet"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while True:
                    await self.services[service].ready.wait()
                    try:
                        heard = answer = await self.send(asked, service)
                    except httpx.TransportError as error:
                        heard = error
                        continue
                    if answer.status < httpx.codes.INTERNAL_SERVER_ERROR:
                        return answer
                    assert answer.status == httpx.codes.SERVICE_UNAVAILABLE
                    await self.database_up.wait()
        except (TimeoutError, AssertionError) as error:
            said = "".join(self.services[service].said[-60:])
            raise AssertionError(f"{asked} was not answered; last came {heard!r}\n{said}") from error

    async def get(self, path: str, token: str) -> Any:  # noqa: ANN401  # JSON
        response = await self._http.get(self.services[0].base + path, headers={"authorization": f"Bearer {token}"})
        assert response.status_code == httpx.codes.OK, response.text
        return response.json()

    async def made(self, path: str, token: str, body: object = None) -> dict[str, Any]:
        """The body of a request that succeeds; it isn't kept."""
        answer = await self.send(Asked(path, token, uuid4().hex, body))
        assert answer.status in {200, 201}, answer
        return answer.body

    async def replay_all_twice(self) -> None:
        """Everything that was ever asked, again, twice, in any order, of any service: the same answers."""
        again = self.history * 2
        random.shuffle(again)
        for start in range(0, len(again), 100):
            portion = again[start : start + 100]
            answers = await asyncio.gather(
                *(self.send(asked, number % len(self.services)) for number, (asked, _) in enumerate(portion))
            )
            for (asked, first), answer in zip(portion, answers, strict=True):
                assert answer.same(first), (asked, first, answer)
                assert answer.replayed, (asked, answer)


# ---- the scheme


class Scheme(NamedTuple):
    """A project, a pool with an offer at 60 minutes, and whoever is given something."""

    clients: Clients
    coordinator: str
    till: str
    project: str
    offer: str
    dsn: str

    @classmethod
    async def begun(cls, clients: Clients, place: Place) -> Self:
        async with Database.open(place.dsn) as database:
            _, boss = await Keys(database, system_clock, "test").create(Scope.SCHEME, None, "tests")
            # So that it is the credits that run out, and not the card.
            office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
            await Rulebook(database, system_clock).change(office, {"card_day_minutes": 6_000})
        project = (await clients.made("/v1/projects", boss, {"name": "Repair cafe", "alias": "Saturdays"}))["id"]
        venue = (await clients.made("/v1/venues", boss, {"name": "Parkside pool"}))["id"]
        offer = (await clients.made(f"/v1/venues/{venue}/offers", boss, {"title": "A swim", "price": 60}))["id"]
        await clients.made(f"/v1/offers/{offer}/publish", boss)
        key = {"scope": "venue", "object": venue, "label": "a till"}
        till = (await clients.made("/v1/keys", boss, key))["token"]
        return cls(clients, boss, till, project, offer, place.dsn)

    async def person(self, minutes: int, **known: str) -> dict[str, Any]:
        """Somebody with a card and so many minutes, given three days ago or earlier."""
        person = await self.clients.made("/v1/people", self.coordinator, {"name": "Ann", **known})
        for days in range(3, 60):
            given = min(minutes, ONE_APPROVER_MINUTES)
            if given:
                await self.clients.made(
                    f"/v1/projects/{self.project}/registers",
                    self.coordinator,
                    register({person["id"]: given}, days_ago=days, hours=8),
                )
            minutes -= given
        assert minutes == 0
        card = await self.clients.made(f"/v1/people/{person['id']}/cards", self.coordinator, {})
        return {**person, "card": card["code"]}

    async def another_coordinator(self) -> str:
        """The key of another one, of this project, that says whose it is."""
        person = UUID((await self.person(0))["id"])
        async with Database.open(self.dsn) as database:
            grant = Grant(person=person, role=Role.COORDINATOR, project=UUID(self.project))
            await Roles(database, system_clock).grant(OPERATOR, f"role-{person}", grant)
            keys = Keys(database, system_clock, "test")
            return (await keys.create(Scope.PROJECT, UUID(self.project), "another coordinator", person=person))[1]

    def redeem(self, who: Mapping[str, Any], key: str | None = None, *, capture: bool = True) -> Asked:
        """By their card."""
        body = {"offer": self.offer, "code": who["card"], "name_checked": True, "capture": capture}
        return Asked("/v1/redemptions", self.till, key or uuid4().hex, body)

    def step(self, redemption: str, step: str, minutes: int | None = None) -> Asked:
        body = None if step == "void" else {} if minutes is None else {"minutes": minutes}
        return Asked(f"/v1/redemptions/{redemption}/{step}", self.till, uuid4().hex, body)

    def register(self, given: Mapping[str, int], *, days_ago: int = 1) -> Asked:
        path = f"/v1/projects/{self.project}/registers"
        return Asked(path, self.coordinator, uuid4().hex, register(given, days_ago=days_ago))

    def claim(self, person: str, *, days_ago: int = 1, minutes: int = 60) -> Asked:
        """Hours that began so many days ago."""
        times = register({}, days_ago=days_ago, hours=8)
        del times["lines"]
        body = {"project": self.project, "person": person, "minutes": minutes, **times}
        return Asked("/v1/claims", self.coordinator, uuid4().hex, body)

    def approval(self, claims: Sequence[str], token: str = "") -> Asked:
        path = f"/v1/projects/{self.project}/approvals"
        return Asked(path, token or self.coordinator, uuid4().hex, {"claims": list(claims)})

    def consent(self, child: str, guardian: str) -> Asked:
        return Asked(f"/v1/people/{child}/consents", self.coordinator, uuid4().hex, {"guardian": guardian})

    def erasure(self, person: str) -> Asked:
        return Asked(f"/v1/people/{person}/erasure", self.coordinator, uuid4().hex, {"give_to": "community"})

    def correction(self, claim: str, minutes: int = 0) -> Asked:
        body = {"minutes": minutes, "reason": "A slip of the pen"}
        return Asked(f"/v1/claims/{claim}/corrections", self.coordinator, uuid4().hex, body)

    async def balance(self, person: dict[str, Any]) -> tuple[int, int]:
        """Available and held."""
        found = await self.clients.get(f"/v1/people/{person['id']}/balance", self.coordinator)
        return found["available"], found["held"]


# ---- the end of every test


async def position(place: Place) -> int:
    connection: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        return int(await connection.fetchval("SELECT position FROM journal.head"))
    finally:
        await connection.close()


async def verified(place: Place) -> None:
    """The books balance, no floor was ever crossed, and the journal verifies: by our own audit, and by the command."""
    connection: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        await audit(connection)
        assert await connection.fetchval("SELECT coalesce(sum(balance), 0) FROM journal.kind") == 0
        assert await connection.fetchval("SELECT count(*) FROM journal.balance WHERE floor > balance") == 0
    finally:
        await connection.close()
    process = await asyncio.create_subprocess_exec(
        *(BIN / "timecredits", "verify", "journal"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=place.environment,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert said.startswith(b"Verified"), said.decode()


@contextlib.asynccontextmanager
async def two_services(place: Place) -> AsyncIterator[Scheme]:
    """Two processes on one database, and a scheme that has begun there."""
    async with Service.running(place) as one, Service.running(place) as other:
        clients = Clients([one, other])
        try:
            yield await Scheme.begun(clients, place)
        finally:
            await clients.close()
