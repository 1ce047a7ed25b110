"""The directory: who a token speaks for, what an offer is, whether a holder is there. Never older than the question.

    ask -> wait for the running query to end -> share the next one -> version same? answer from memory

Keys and offers are kept in memory, verified and ready. They are true as long as ``scheme.directory.version`` is the one
under which they were loaded: triggers raise it with every change of a key, project, venue or offer, in any process.
``find`` therefore reads the version in a query that *started after it was called*, and all that wait meanwhile share
that query: no timer, and at 64 requests in flight a sixty-fourth of a round trip each. So a revoked key or a paused
offer stops working at once, everywhere. Whether holders exist is read in the same query and never kept.

What bounds it: ``CALLERS_MAX`` and ``OFFERS_MAX`` in memory (whichever is fuller is emptied, and fills again with what
is in use); ``WAITING_MAX`` questions waiting (above that ``QueueFull``); one connection. Only what exists is kept, so
nobody fills it with guesses.

What fails how: without the database every question raises ``Unavailable``, and the next one tries to connect anew. A
caller that is cancelled leaves its question behind, which harms nobody.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from hmac import compare_digest
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.journal.batcher import SESSION, Connect, QueueFull, Unavailable
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller, Presented, Scope, parse

_log = logging.getLogger(__name__)

# A caller takes about 0.5 KiB and an offer 0.8: 13 MiB together when full, and a nation has 5,000 offers.
CALLERS_MAX = 10_000
OFFERS_MAX = 10_000
# As many as the journal's queue takes by default; a round trip answers all of them.
WAITING_MAX = 20_000


class Offer(Struct, frozen=True, kw_only=True):
    """An offer as a redemption needs it; ``price`` in minutes, ``redeemed`` its venue's account."""

    id: UUID
    venue: UUID
    price: int
    status: str
    venue_status: str
    redeemed: str
    reference: str


class Found(Struct, frozen=True, gc=False):
    """What was found: None or False where nothing was, or it works no more."""

    caller: Caller | None
    offer: Offer | None
    holder: bool


class _Asked(Struct, gc=False):
    """One question, and who waits for its answer."""

    digest: bytes | None
    token: str
    offer: UUID | None
    holder: UUID | None
    found: asyncio.Future[Found]


class Directory:
    """Keys and offers in memory. Open it with ``Directory.running``."""

    def __init__(self, connect: Connect, clock: Clock, environment: str) -> None:
        self._connect = connect
        self._clock = clock
        self._environment = environment
        self._connection: asyncpg.Connection | None = None
        self._version = -1
        self._callers: dict[bytes, Caller] = {}  # by the SHA-256 of the whole token
        self._offers: dict[UUID, Offer] = {}
        self._waiting: list[_Asked] = []
        self._arrival = asyncio.Event()
        self._closing = False
        self.cursor_secret = b""
        """Signs cursors, the same in every process."""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, connect: Connect, clock: Clock, environment: str) -> AsyncIterator["Directory"]:
        """A directory that answers."""
        directory = cls(connect, clock, environment)
        directory._connection = await connect(**SESSION)
        directory.cursor_secret = await directory._connection.fetchval("SELECT secret FROM scheme.directory")
        answering = asyncio.create_task(directory._run(), name="directory")
        try:
            yield directory
        finally:
            directory._closing = True
            directory._arrival.set()
            await answering
            directory._drop_connection()

    def recall(self, token: str) -> Caller | None:
        """Whom a token spoke for when last seen. For turning strangers away early; ``find`` decides."""
        caller = self._callers.get(hashlib.sha256(token.encode()).digest())
        return None if caller is None else self._live(caller)

    async def find(self, token: str = "", *, offer: UUID | None = None, holder: UUID | None = None) -> Found:
        """Who and what this is, as of a moment after the call. Raises ``Unavailable`` or ``QueueFull``."""
        if self._closing:
            raise Unavailable("the service is stopping")
        if len(self._waiting) >= WAITING_MAX:
            raise QueueFull(f"{WAITING_MAX} questions are waiting")
        digest = hashlib.sha256(token.encode()).digest() if token else None
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(digest, token, offer, holder, found))
        self._arrival.set()
        return await found

    # --- the one reader -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._arrival.clear()
                if self._closing:
                    return
                await self._arrival.wait()
                continue
            await asyncio.sleep(0)
            asked, self._waiting = self._waiting, []
            try:
                await self._answer(asked)
            except Exception as error:  # noqa: BLE001  # nobody may wait for ever, whatever it was
                _log.warning("the directory could not be read: %s", error)
                self._drop_connection()
                for one in asked:
                    if not one.found.done():
                        one.found.set_exception(Unavailable(f"the directory could not be read: {error}"))

    async def _answer(self, asked: list[_Asked]) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._connect(**SESSION)
            self._version = -1  # perhaps another server, that lost the last changes and counts others as these versions
        wanted = {one.holder for one in asked if one.holder is not None}
        row = await connection.fetchrow(_VERSION_AND_HOLDERS, wanted)
        if row is None:
            raise RuntimeError("the directory has no row: the database was not migrated")
        # What is loaded from here on is at least as new as this version.
        changed, self._version = row["version"] != self._version, row["version"]
        if changed or len(self._callers) > CALLERS_MAX:
            self._callers.clear()
        if changed or len(self._offers) > OFFERS_MAX:
            self._offers.clear()
        await self._load_callers(connection, asked)
        await self._load_offers(connection, asked)
        holders = frozenset(row["holders"] or ())
        callers, offers = self._callers, self._offers
        for one in asked:
            if not one.found.done():  # done already: the caller was cancelled
                caller = callers.get(one.digest) if one.digest is not None else None
                one.found.set_result(
                    Found(
                        None if caller is None else self._live(caller),
                        offers.get(one.offer) if one.offer is not None else None,
                        one.holder in holders,
                    )
                )

    def _live(self, caller: Caller) -> Caller | None:
        return caller if caller.expires_at is None or self._clock() < caller.expires_at else None

    async def _load_callers(self, connection: asyncpg.Connection, asked: list[_Asked]) -> None:
        missing: dict[UUID, list[tuple[bytes, Presented]]] = {}
        for one in asked:
            if one.digest is not None and one.digest not in self._callers:
                presented = parse(one.token, self._environment)
                if presented is not None:
                    missing.setdefault(presented.id, []).append((one.digest, presented))
        if not missing:
            return
        for row in await connection.fetch(_KEYS, list(missing)):
            caller = Caller(
                key=row["id"],
                scope=Scope(row["scope"]),
                object=row["object"],
                expires_at=row["expires_at"],
                holder=row["holder"],
            )
            for digest, presented in missing[row["id"]]:
                if compare_digest(presented.secret_hash, row["secret_hash"]):
                    self._callers[digest] = caller

    async def _load_offers(self, connection: asyncpg.Connection, asked: list[_Asked]) -> None:
        offers = self._offers
        missing = {one.offer for one in asked if one.offer is not None and one.offer not in offers}
        if not missing:
            return
        for row in await connection.fetch(_OFFERS, missing):
            offers[row["id"]] = Offer(
                id=row["id"],
                venue=row["venue"],
                price=row["price"],
                status=row["status"],
                venue_status=row["venue_status"],
                redeemed=account("redeemed", row["venue"]),
                reference=row["id"].hex,
            )

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._connection.terminate()
        self._connection = None


_VERSION_AND_HOLDERS = """
SELECT version, (SELECT array_agg(id) FROM scheme.holder WHERE id = ANY($1::uuid[]) AND closed_at IS NULL) AS holders
FROM scheme.directory
"""
_KEYS = """
SELECT id, secret_hash, scope, coalesce(project, venue) AS object, holder, expires_at
FROM scheme.api_key WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL
"""
_OFFERS = """
SELECT o.id, o.venue, o.price, o.status, v.status AS venue_status
FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
WHERE o.id = ANY($1::uuid[])
"""
