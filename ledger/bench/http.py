"""Redemptions by card over HTTP, every rule on, against an empty Litestar POST: three real processes beside PostgreSQL.

The service is started as an operator starts it (``timecredits serve``), the empty POST by the same server program with
the same settings, and the load is a third process. All three are ended at the end, whatever happens.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from msgspec import Struct

from ledger.bench.client import pack
from ledger.bench.fill import ACTOR, now
from ledger.database import Database
from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Posted, Transfer, entry_id, new_key
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART
from ledger.scheme.codes import code_for, code_hash
from ledger.scheme.keys import Keys
from ledger.scheme.offers import Details, NewOffer, Offers
from ledger.scheme.states import Publication
from ledger.scheme.terms import Terms
from ledger.scheme.venues import NewVenue, Venues
from ledger.scheme.windows import Window

CONNECTIONS = 64
VENUES = 50
START_SECONDS = 60
_COMMAND = "from ledger.doors.cli import main; main()"  # `timecredits`, by this very Python


class Till(Struct, frozen=True):
    """What a venue's till knows: its key, and the offer that it redeems."""

    token: str
    offer: uuid.UUID


async def measure_http(dsn: str, rounds: int, requests: int) -> dict[str, float]:
    """The figures over HTTP, on a freshly migrated database of that DSN."""
    async with Database.open(dsn) as database:
        tills = await _tills(database)
        cards = await _cards(database, requests)
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as name:
        folder = Path(name)
        async with _running("-m", "ledger.bench.hello", "{port}") as hello, running_service(dsn, folder) as service:
            figures = await _rounds(
                folder=folder,
                hello=hello,
                service=service,
                tills=tills,
                cards=cards,
                rounds=rounds,
                requests=requests,
            )
            figures["rss_mib"] = _peak_mib(service.pid)
    return figures


async def _rounds(
    *,
    folder: Path,
    hello: _Process,
    service: _Process,
    tills: Sequence[Till],
    cards: Sequence[str],
    rounds: int,
    requests: int,
) -> dict[str, float]:
    def redemptions(of: Sequence[Till]) -> list[bytes]:
        return [_redemption(of[number % len(of)], cards[number % len(cards)]) for number in range(requests)]

    async def load(process: _Process, prepared: list[bytes], status: str) -> dict[str, float]:
        file = folder / "requests"
        file.write_bytes(pack(prepared))
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ledger.bench.client", str(process.port), str(CONNECTIONS), str(file)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await client.communicate()
        if client.returncode != 0:
            raise RuntimeError("the load could not be run; what it said stands above")
        answered = json.loads(output)
        if answered["statuses"] != {status: requests}:
            raise RuntimeError(f"the bench expected {requests} answers {status} and got {answered['statuses']}")
        return {
            "per_s": answered["requests"] / answered["seconds"],
            "p50_ms": answered["p50_ms"],
            "p99_ms": answered["p99_ms"],
        }

    empty = [_post("/hello", _body(tills[0], cards[0]), tills[0].token) for _ in range(requests)]
    for warm_up in ((hello, empty), (service, redemptions(tills))):
        await load(*warm_up, "201")
    rows = [
        (
            await load(hello, empty, "201"),
            await load(service, redemptions(tills), "201"),
            await load(service, redemptions(tills[:1]), "201"),
        )
        for _ in range(rounds)
    ]

    def median(of: int, figure: str) -> float:
        return statistics.median(row[of][figure] for row in rows)

    return {
        "hello_per_s": median(0, "per_s"),
        "http_per_s": median(1, "per_s"),
        "http_p50_ms": median(1, "p50_ms"),
        "http_p99_ms": median(1, "p99_ms"),
        "http_vs_hello": statistics.median(spread["per_s"] / empty["per_s"] for empty, spread, _ in rows),
        "hot_vs_spread": statistics.median(hot["per_s"] / spread["per_s"] for _, spread, hot in rows),
    }


# --- reads ------------------------------------------------------------------------------------------------------------


class Reader:
    """A service on a filled journal, and one connection to it: what somebody reads who looks at a wallet."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, people: list[str]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._token = token
        self.people = people

    @classmethod
    @asynccontextmanager
    async def running(cls, dsn: str, wallets: Sequence[str]) -> AsyncIterator[Reader]:
        """A reader of those wallets (``wallet:{hex}``), once the service has signed its log and is idle."""
        people = [str(uuid.UUID(wallet.partition(":")[2])) for wallet in wallets]
        async with Database.open(dsn) as database:
            _, token = await Keys(database, now, "demo").create(Scope.SCHEME, None, "bench")
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "INSERT INTO scheme.person (id, name, created_at) SELECT unnest($1::uuid[]), 'Ann', now()", people
        )
        await connection.execute("INSERT INTO scheme.holder (id, person) SELECT p, p FROM unnest($1::uuid[]) p", people)
        with tempfile.TemporaryDirectory(prefix="ledger-bench-") as name:
            async with running_service(dsn, Path(name)) as service:
                while not await connection.fetchval(  # noqa: ASYNC110  # another process signs
                    "SELECT position = (SELECT max(size) FROM journal.checkpoint) FROM journal.head"
                ):
                    await asyncio.sleep(0.2)
                await connection.close()
                # Only now: an idle connection is closed after five seconds.
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
                try:
                    yield cls(reader, writer, token, people)
                finally:
                    writer.close()

    async def get(self, person: str, what: str) -> None:
        """GET a person's balance or statement."""
        self._writer.write(
            f"GET /v1/people/{person}/{what} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:  # an EOFError, which click would take for Ctrl-D
            raise RuntimeError("the service closed the connection without an answer") from error
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the bench expected an answer 200 and got {head!r}")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await self._reader.readexactly(int(length[1]))


# --- what the requests need -------------------------------------------------------------------------------------------


async def _tills(database: Database) -> list[Till]:
    """Tills at offers with every rule on: a window, a month's quota, a party with a child, a limit a visit."""
    office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
    keys, venues, offers = Keys(database, now, "demo"), Venues(database, now), Offers(database, now)
    terms = Terms(
        windows=(
            Window(days=("mon", "tue", "wed", "thu", "fri"), opens="00:00", closes="24:00"),
            Window(days=("sat", "sun"), opens="00:00", closes="24:00"),
        ),
        quota=100_000,
        visit_minutes=60,
        people=4,
        child_price=1,
        companion_free=True,
    )
    tills = []
    for number in range(VENUES):
        venue, _ = await venues.create(office, f"venue {number}", NewVenue(name=f"Venue {number}"))
        _, token = await keys.create(Scope.VENUE, venue.id, "bench")
        details = Details(title="An hour", price=1, terms=terms)
        offer, _ = await offers.create(office, f"offer {number}", NewOffer(venue=venue.id, details=details))
        await offers.change(office, offer.id, Publication.PUBLISHED)
        tills.append(Till(token, offer.id))
    return tills


async def _cards(database: Database, count: int) -> list[str]:
    """The codes of cards whose holders have enough for every round."""
    connection = await asyncpg.connect(database.dsn)
    secret = await connection.fetchval("SELECT secret FROM scheme.directory")
    ids = [uuid.uuid4() for _ in range(count)]
    codes = [code_for(secret, "card", id_) for id_ in ids]
    await connection.execute(_ISSUE, ids, [code_hash(secret, code) for code in codes], ACTOR)
    await connection.close()
    async with Batcher.running(database.connect, CHART, now) as batcher:
        outcomes = await batcher.post_all(
            [
                Entry(
                    id=entry_id(ACTOR, id_.hex),
                    transfers=(Transfer(f"issued:{ACTOR.hex}", f"wallet:{id_.hex}", 60_000),),
                    happened_at=now(),
                    actor=ACTOR,
                )
                for id_ in ids
            ]
        )
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    return codes


# A person, a holder and a card of one id each, so that one list makes them all.
_ISSUE = """
WITH given AS (SELECT * FROM unnest($1::uuid[], $2::bytea[]) AS g(id, code_hash)),
person AS (
    INSERT INTO scheme.person (id, name, age_band, created_at) SELECT id, 'Ann', '18_and_over', now() FROM given
),
holder AS (INSERT INTO scheme.holder (id, person) SELECT id, id FROM given)
INSERT INTO scheme.credential (id, kind, status, holder, code_hash, issued_at, issued_by, changed_at, changed_by)
SELECT id, 'card', 'active', id, code_hash, now(), $3, now(), $3 FROM given
"""


def _body(till: Till, card: str) -> bytes:
    party = {"adults": 1, "children": 1, "companion": True}
    asked = {"offer": str(till.offer), "code": card, "party": party, "name_checked": True}
    return json.dumps(asked).encode()


def _redemption(till: Till, card: str) -> bytes:
    return _post("/v1/redemptions", _body(till, card), till.token)


def _post(path: str, body: bytes, token: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {new_key()}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


# --- processes --------------------------------------------------------------------------------------------------------


class _Process(Struct, frozen=True):
    pid: int
    port: int


@asynccontextmanager
async def _running(*arguments: str, **environment: str) -> AsyncIterator[_Process]:
    """A Python process that listens on a free port, which stands for ``{port}`` in the arguments."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *(argument.format(port=port) for argument in arguments)),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
                await asyncio.sleep(0.05)
        yield _Process(process.pid, port)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()


@asynccontextmanager
async def running_service(dsn: str, data: Path) -> AsyncIterator[_Process]:
    """The service on that database, as an operator starts it."""
    arguments = ("-c", _COMMAND, "serve", "--empty", "--port", "{port}")
    async with _running(*arguments, LEDGER_DSN=dsn, LEDGER_DATA=str(data)) as service:
        yield service


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _peak_mib(pid: int) -> float:
    """The process's highest resident memory, MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024
