"""The directory: who a token speaks for, what an offer is, whose a code is. Never older than the question.

    ask -> wait for the running query to end -> share the next one -> version same? answer from memory

Keys with their devices, offers with their terms, and the scheme's rules are kept in memory, verified and decoded. They
are true as long as ``scheme.directory.version`` is the one under which they were loaded: triggers raise it with every
change of a key, device, project, venue, offer or rule, in any process. ``find`` therefore reads the version in a query
that *started after it was called*, and all that wait meanwhile share that query: no timer, and at 64 requests in flight
a sixty-fourth of a round trip each. So a revoked key or a paused offer stops working at once, everywhere. Whatever is
known of a credential and its holder is read in the same query and never kept: a replaced card is known as such at once.

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
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.journal.batcher import SESSION, Connect, QueueFull, Unavailable
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.codes import secret_of
from ledger.scheme.keys import Presented, parse
from ledger.scheme.rules import Rules, in_force
from ledger.scheme.terms import Kind, Offer, Terms, Visitor

_log = logging.getLogger(__name__)

# A caller takes about 0.5 KiB and an offer with its terms 2: 25 MiB together when full, and a nation has 5,000 offers.
CALLERS_MAX = 10_000
OFFERS_MAX = 10_000
# As many as the journal's queue takes by default; a round trip answers all of them.
WAITING_MAX = 20_000


class Shown(Struct, frozen=True, kw_only=True):
    """A credential as it is shown at a till: what it is, how it stands, and whose, as far as a rule may ask.

    ``holder`` is None for a bearer's voucher, and for a credential whose holder was erased; ``name`` is what they are
    called by.
    """

    id: UUID
    kind: str
    status: str
    holder: UUID | None
    name: str | None
    expires_at: datetime | None
    booking: UUID | None
    visitor: Visitor


class Found(Struct, frozen=True, gc=False):
    """What was found: None where nothing was, or it works no more; and the rules in force."""

    caller: Caller | None
    offer: Offer | None
    shown: Shown | None
    rules: Rules


class _Asked(Struct, gc=False):
    """One question, and who waits for its answer."""

    digest: bytes | None
    token: str
    offer: UUID | None
    code: bytes | int | None
    found: asyncio.Future[Found]


class Directory:
    """Keys, offers and rules in memory. Open it with ``Directory.running``."""

    def __init__(self, connect: Connect, clock: Clock, environment: str) -> None:
        self._connect = connect
        self._clock = clock
        self._environment = environment
        self._connection: asyncpg.Connection | None = None
        self._version = -1
        self._callers: dict[bytes, Caller] = {}  # by the SHA-256 of the whole token
        self._offers: dict[UUID, Offer] = {}
        self._rules: Rules | None = None
        self._waiting: list[_Asked] = []
        self._arrival = asyncio.Event()
        self._closing = False
        self.secret = b""
        """The scheme's own, the same in every process: signs cursors and makes codes."""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, connect: Connect, clock: Clock, environment: str) -> AsyncIterator["Directory"]:
        """A directory that answers."""
        directory = cls(connect, clock, environment)
        directory._connection = await connect(**SESSION)
        try:
            directory.secret = await secret_of(directory._connection)
            answering = asyncio.create_task(directory._run(), name="directory")
            try:
                yield directory
            finally:
                directory._closing = True
                directory._arrival.set()
                await answering
        finally:
            directory._drop_connection()

    def recall(self, token: str) -> Caller | None:
        """Whom a token spoke for when last seen. For turning strangers away early; ``find`` decides."""
        caller = self._callers.get(hashlib.sha256(token.encode()).digest())
        return None if caller is None else self._live(caller)

    async def find(self, token: str = "", *, offer: UUID | None = None, code: bytes | int | None = None) -> Found:
        """Who and what this is, as of a moment after the call. Raises ``Unavailable`` or ``QueueFull``.

        ``code`` is a code's hash, or the number of a phone pass; the pass's code itself is the asker's to check.
        """
        if self._closing:
            raise Unavailable("the service is stopping")
        if len(self._waiting) >= WAITING_MAX:
            raise QueueFull(f"{WAITING_MAX} questions are waiting")
        digest = hashlib.sha256(token.encode()).digest() if token else None
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(digest, token, offer, code, found))
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
        codes = {one.code for one in asked if type(one.code) is bytes}
        numbers = {one.code for one in asked if type(one.code) is int}
        rows = await connection.fetch(_VERSION_AND_SHOWN, codes, numbers, self._clock())
        if not rows:
            raise RuntimeError("the directory has no row: the database was not migrated")
        # What is loaded from here on is at least as new as this version.
        version = rows[0]["version"]
        changed, self._version = version != self._version, version
        if changed or len(self._callers) > CALLERS_MAX:
            self._callers.clear()
        if changed or len(self._offers) > OFFERS_MAX:
            self._offers.clear()
        if changed or self._rules is None:
            self._rules = (await in_force(connection)).rules
        await self._load_callers(connection, asked)
        await self._load_offers(connection, asked)
        shown = {row["code"] or row["number"]: _shown(row) for row in rows if row["id"] is not None}
        callers, offers, rules = self._callers, self._offers, self._rules
        for one in asked:
            if not one.found.done():  # done already: the caller was cancelled
                caller = callers.get(one.digest) if one.digest is not None else None
                one.found.set_result(
                    Found(
                        None if caller is None else self._live(caller),
                        offers.get(one.offer) if one.offer is not None else None,
                        shown.get(one.code) if one.code is not None else None,
                        rules,
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
                device=row["device"],
                site=row["site"],
                locked_until=row["locked_until"],
            )
            for digest, presented in missing[row["id"]]:
                if compare_digest(presented.secret_hash, row["secret_hash"]):
                    self._callers[digest] = caller

    async def _load_offers(self, connection: asyncpg.Connection, asked: list[_Asked]) -> None:
        offers = self._offers
        missing = {one.offer for one in asked if one.offer is not None and one.offer not in offers}
        if not missing:
            return
        offers |= {offer.id: offer for offer in await offers_of(connection, missing)}

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._connection.terminate()
        self._connection = None


async def offers_of(connection: asyncpg.Connection, ids: Collection[UUID]) -> list[Offer]:
    """Those of these offers that there are, as whoever weighs one needs it."""
    return [
        Offer(
            id=row["id"],
            venue=row["venue"],
            site=row["site"],
            kind=Kind(row["kind"]),
            price=row["price"],
            status=row["status"],
            venue_status=row["venue_status"],
            terms=_terms(row["terms"]),
            redeemed=account("redeemed", row["venue"]),
            reference=row["id"].hex,
        )
        for row in await connection.fetch(_OFFERS, ids)
    ]


def _shown(row: asyncpg.Record) -> Shown:
    return Shown(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        holder=row["holder"],
        name=row["name"],
        expires_at=row["expires_at"],
        booking=row["booking"],
        visitor=Visitor(
            age_band=row["age_band"], lacks_consent=bool(row["lacks_consent"]), eligible=tuple(row["eligible"] or ())
        ),
    )


# One row at least, with the version. Each code is looked for by its own index: written as `= ANY`, the planner took an
# index that it had to read from end to end.
_VERSION_AND_SHOWN = """
SELECT d.version, c.id, c.code_hash AS code, c.number, c.kind, c.status, c.expires_at, c.booking,
    h.id AS holder, p.name, p.age_band,
    p.age_band IN ('under_8', '8_to_15') AND NOT EXISTS (
        SELECT FROM scheme.consent a WHERE a.child = p.id AND a.withdrawn_at IS NULL AND a.ends_at > $3
    ) AS lacks_consent,
    (SELECT array_agg(word) FROM scheme.eligible e WHERE e.person = p.id AND (e.ends_at IS NULL OR e.ends_at > $3))
        AS eligible
FROM scheme.directory d
LEFT JOIN (
    SELECT c.* FROM unnest($1::bytea[]) code JOIN scheme.credential c ON c.code_hash = code
    UNION ALL
    SELECT c.* FROM unnest($2::int[]) code JOIN scheme.credential c ON c.number = code
) c ON true
LEFT JOIN scheme.holder h ON h.id = c.holder AND h.closed_at IS NULL
LEFT JOIN scheme.person p ON p.id = h.person
"""
_KEYS = """
SELECT k.id, k.secret_hash, k.scope, coalesce(k.project, k.venue) AS object, k.holder, k.expires_at, k.device, d.site,
    greatest(d.locked_until, v.locked_until) AS locked_until
FROM scheme.api_key k
LEFT JOIN scheme.device d ON d.id = k.device
LEFT JOIN scheme.venue v ON v.id = k.venue
WHERE k.id = ANY($1::uuid[]) AND k.revoked_at IS NULL AND (k.device IS NULL OR d.status = 'active')
"""
_OFFERS = """
SELECT o.id, o.venue, o.site, o.kind, o.price, o.status, o.terms, v.status AS venue_status
FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
WHERE o.id = ANY($1::uuid[])
"""
_terms = msgspec.json.Decoder(Terms).decode
