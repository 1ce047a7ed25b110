"""The log as it is stored: the tree's rows, proofs from them, and the signer who vouches for them.

Three parts, to be read downward:

**Rows.** `fetch` gives a range of entries with their transfers, as the integers and bytes that PostgreSQL sends in
binary COPY: no text that a database rendered, no time or id made into an object, 2 us an entry. `encode` makes the leaf
of such a row. It is written apart from `leaf.encode`, which the writer uses, so that the two check each other.

**Proofs.** `root`, `inclusion`, `consistency` and `receipt` read what `merkle` names: leaf hashes from the entries,
larger subtrees from the nodes. At most 255 rows for each eight levels of the tree, whatever its size.

**The signer.** `sign_next` vouches for what was added since it last signed. In this order: it takes its state file,
locked; reads the head; goes on from *its own* frontier, not the database's, with the leaves since, each encoded anew
from its row and compared with the stored one; compares the root with the head's; writes its state down, durably; signs;
stores the note. So what it signs always continues what it signed before:

- a log smaller than what was signed, one that differs in what was signed, a row that doesn't fit its leaf: `Damaged`
  is raised, nothing is signed, and never will be until an operator has looked (`timecredits verify journal`);
- a crash after the state was written and before the note was stored: the next call signs the same tree again, which
  gives the same note, byte for byte, for Ed25519 is deterministic;
- the state file is lost: everything is read again, and must continue the newest checkpoint that stands in the journal
  with our signature. Lose neither key nor state together with the journal: then nobody can tell.
- two processes with the same key file: the lock lets one sign, and the other has nothing to do. Two machines with
  copies of one key are not told apart: don't copy the key.

What bounds it: `CHUNK_ENTRIES` rows in memory, however long the unsigned log is; `SIGN_EVERY_SECONDS` between two
signatures while there is activity, and none while there is none.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from ledger.journal.checkpoint import (
    Checkpoint,
    ProofError,
    Signer,
    Verifier,
    generate_key_pem,
    load_key_pem,
)
from ledger.journal.leaf import KIND_CODE, VERSION, microseconds
from ledger.journal.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_nodes,
    consistency_path,
    inclusion_nodes,
    inclusion_path,
    stored_cover,
    subtree_root,
)
from ledger.journal.receipt import Receipt

_log = logging.getLogger(__name__)

Connect = Callable[..., Awaitable[asyncpg.Connection]]

# 500 rows are 4 ms of Python: the signer shares its loop with requests, and none waits longer for it.
CHUNK_ENTRIES = 500
SIGN_EVERY_SECONDS = 10


class Damaged(Exception):  # noqa: N818  # a finding, and it reads as one
    """The stored log contradicts itself or what was signed: between two positions, or at one, and why."""

    def __init__(self, position: int, why: str, until: int | None = None) -> None:
        super().__init__(f"position {position}: {why}")
        self.position = position
        self.until = position if until is None else until
        self.why = why


# --- rows -------------------------------------------------------------------------------------------------------------

Line = tuple[int, int, int, int, int, int, int, int, int, int]
"""A transfer: position, debit account's id, credit account's id, minutes, the debit account's sequence and balance
after it, the credit account's, the debit account's floor or `NO_FLOOR`, and its line in the entry."""

NO_FLOOR = -(2**63)


class Row(NamedTuple):
    """An entry as its row has it. Times are microseconds since 1970 in UTC; `target` is 0 for none, `kind` its code."""

    position: int
    id: bytes
    happened_at: int
    recorded_at: int
    actor: bytes
    nonce: bytes
    leaf: bytes
    target: int
    kind: int
    commitment: bytes
    reference: bytes
    lines: list[Line]


_ENTRIES = """
SELECT position, id, happened_at, recorded_at, actor, nonce, leaf, coalesce(target, 0), kind,
    coalesce(commitment, ''), coalesce(reference, '')
FROM journal.entry WHERE position {} ORDER BY position
"""
_TRANSFERS = """
SELECT position, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence, credit_balance,
    coalesce(debit_floor, -9223372036854775808), line
FROM journal.transfer WHERE position {} ORDER BY position, line
"""

# Binary COPY: a header; then each row as the number of its fields and each field behind its length (skipped where a
# type has but one); then a trailer. Should somebody have stored a NULL where none may be, what is read
# from there on is nonsense that no leaf hash fits, so it is noticed at that row.
_COPY_HEADER_BYTES = 19
_COPY_TRAILER_BYTES = 2
_ENTRY = struct.Struct(">2x4xq4x16s4xq4xq4x16s4x16s4x32s4xqi")
_TRANSFER = struct.Struct(">2x4xq4xq4xq4xq4xq4xq4xq4xq4xq4xh")
_LENGTH = struct.Struct(">i")
_SINCE_1970 = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000
_CODE = {kind.value.encode(): code for kind, code in KIND_CODE.items()}


async def fetch(connection: asyncpg.Connection, first: int, last: int) -> Iterator[Row]:
    """The entries at these positions, in order, as far as there are any: a gap is for the caller to notice.

    Raises `Damaged` while iterated, at the first row that can't be read at all.
    """
    return await _fetch(connection, f"BETWEEN {first} AND {last}", first)


async def fetch_at(connection: asyncpg.Connection, positions: Sequence[int]) -> Iterator[Row]:
    """The same for these positions, which need not be neighbours."""
    return await _fetch(connection, f"= ANY('{{{','.join(map(str, positions))}}}')", positions[0])


async def _fetch(connection: asyncpg.Connection, where: str, first: int) -> Iterator[Row]:
    entries = await _copy(connection, _ENTRIES.format(where))
    transfers = await _copy(connection, _TRANSFERS.format(where))
    whole = len(transfers) - len(transfers) % _TRANSFER.size
    return _rows(entries, list(_TRANSFER.iter_unpack(transfers[:whole])), first)


async def _copy(connection: asyncpg.Connection, query: str) -> bytes:
    parts: list[bytes] = []

    async def keep(data: bytes) -> None:  # asyncpg wants a coroutine
        parts.append(data)

    await connection.copy_from_query(query, output=keep, format="binary")
    return b"".join(parts)[_COPY_HEADER_BYTES:-_COPY_TRAILER_BYTES]


def _rows(data: bytes, lines: list[Line], expected: int) -> Iterator[Row]:
    at = next_line = 0
    while at < len(data):
        try:
            *fixed, length = _ENTRY.unpack_from(data, at)
            at += _ENTRY.size
            kind = _CODE[data[at : at + length]]
            at += length
            (length,) = _LENGTH.unpack_from(data, at)
            commitment = data[at + 4 : at + 4 + length]
            at += 4 + length
            (length,) = _LENGTH.unpack_from(data, at)
            reference = data[at + 4 : at + 4 + length]
            at += 4 + length
        except (struct.error, KeyError):
            raise Damaged(expected, "the entry's row can't be read") from None
        position, id_, happened_at, recorded_at, actor, nonce, leaf, target = fixed
        start = next_line
        while next_line < len(lines) and lines[next_line][0] <= position:
            next_line += 1
        yield Row(
            position,
            id_,
            happened_at + _SINCE_1970,
            recorded_at + _SINCE_1970,
            actor,
            nonce,
            leaf,
            target,
            kind,
            commitment,
            reference,
            lines[start:next_line],
        )
        expected = position + 1


_HEAD = struct.Struct(">BQ16sBQqq16s16s")
_MOVE = struct.Struct(">QQqQq")


def prefixed(name: bytes) -> bytes:
    """An account's name as leaves carry it: behind its length."""
    return bytes((len(name),)) + name


def encode(row: Row, names: Callable[[int], bytes]) -> bytes:
    """The leaf's bytes; `names` gives an account's `prefixed` name by its id.

    Raises `Damaged` for values that no leaf could hold: the row isn't one that the journal wrote.
    """
    position, id_, happened_at, recorded_at, actor, nonce, _, target, kind, commitment, reference, lines = row
    try:
        head = _HEAD.pack(VERSION, position, id_, kind, target, happened_at, recorded_at, actor, nonce)
        middle = b"%c%b%c%b%c" % (len(commitment), commitment, len(reference), reference, len(lines))
        if len(lines) == 1:  # nearly all
            (line,) = lines
            return head + middle + names(line[1]) + names(line[2]) + _MOVE.pack(*line[3:8])
        return b"".join(
            (
                head,
                middle,
                *[names(line[1]) + names(line[2]) + _MOVE.pack(*line[3:8]) for line in lines],
            )
        )
    except (struct.error, OverflowError, KeyError):
        raise Damaged(position, "the entry has values that the journal can't have written") from None


async def account_names(connection: asyncpg.Connection, rows: Iterable[Row]) -> dict[int, str]:
    """The names of all accounts that these rows touch, by id."""
    ids = {account for row in rows for line in row.lines for account in (line[1], line[2])}
    found = await connection.fetch("SELECT id, name FROM journal.account WHERE id = ANY($1::bigint[])", list(ids))
    return {row["id"]: row["name"] for row in found}


async def read(
    connection: asyncpg.Connection,
    after: int,
    last: int,
    chunk: int | None = None,
) -> AsyncIterator[tuple[list[Row], dict[int, str]]]:
    """The entries after one position up to another, in chunks, with the names of the accounts in each.

    Raises `Damaged` at the first position that is missing or can't be read; what came before it has been given.
    """
    chunk = chunk or CHUNK_ENTRIES
    for first in range(after + 1, last + 1, chunk):
        end = min(first + chunk - 1, last)
        rows = list(await fetch(connection, first, end))
        for expected, row in enumerate(rows, first):
            if row.position != expected:
                raise Damaged(expected, "the entry is missing")
        if len(rows) != end - first + 1:
            raise Damaged(first + len(rows), "the entry is missing")
        yield rows, await account_names(connection, rows)


@asynccontextmanager
async def long_reading(connect: Connect) -> AsyncIterator[asyncpg.Connection]:
    """A connection for reading the whole journal: by index, and for as long as it takes."""
    connection = await connect(statement_timeout="0", enable_seqscan="off")
    try:
        yield connection
    finally:
        connection.terminate()


# --- proofs -----------------------------------------------------------------------------------------------------------


class Head(NamedTuple):
    """Where the log stands: its leaves, the roots of its perfect subtrees, the accounts opened so far.

    `recorded_at` is the newest, in microseconds since 1970.
    """

    size: int
    frontier: bytes
    accounts: int
    recorded_at: int

    @property
    def root(self) -> bytes:
        """The root over all leaves; `Damaged` where size and frontier don't fit each other."""
        try:
            return Frontier.from_bytes(self.size, self.frontier).root()
        except ValueError as error:
            raise Damaged(self.size, f"the head's frontier is not one: {error}") from None


async def head(connection: asyncpg.Connection) -> Head:
    """Where the log stands now."""
    row = await connection.fetchrow("SELECT position, frontier, accounts, recorded_at FROM journal.head")
    if row is None:
        raise Damaged(0, "the journal has no head")
    return Head(row["position"], row["frontier"], row["accounts"], microseconds(row["recorded_at"]))


async def root(connection: asyncpg.Connection, size: int) -> bytes:
    """The root over the first `size` leaves, from what is stored."""
    if size == 0:
        return EMPTY_ROOT
    parts, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            parts.append((level, start >> level))
            start += 1 << level
    found = await _subtrees(connection, parts)
    return Frontier.from_bytes(size, b"".join(found[part] for part in parts)).root()


async def inclusion(connection: asyncpg.Connection, position: int, size: int) -> list[bytes]:
    """The path from the entry at `position` to the root over the first `size`."""
    found = await _subtrees(connection, inclusion_nodes(position - 1, size))
    return inclusion_path(position - 1, size, lambda level, index: found[level, index])


async def inclusions(connection: asyncpg.Connection, positions: Sequence[int], size: int) -> list[list[bytes]]:
    """The same for several entries, with the same number of queries."""
    wanted = [part for position in positions for part in inclusion_nodes(position - 1, size)]
    found = await _subtrees(connection, wanted)
    return [inclusion_path(position - 1, size, lambda level, index: found[level, index]) for position in positions]


async def consistency(connection: asyncpg.Connection, old: int, new: int) -> list[bytes]:
    """The proof that the first `old` leaves are the beginning of the first `new`."""
    found = await _subtrees(connection, consistency_nodes(old, new))
    return consistency_path(old, new, lambda level, index: found[level, index])


async def _subtrees(connection: asyncpg.Connection, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """The roots of these perfect subtrees, folded from what is stored."""
    covers = {part: stored_cover(*part) for part in wanted}
    leaves = {index + 1 for level, indexes in covers.values() if level == 0 for index in indexes}
    nodes = {(level, index) for level, indexes in covers.values() if level for index in indexes}
    hashes = {
        (0, row["position"] - 1): row["leaf"]
        for row in await connection.fetch(
            "SELECT position, leaf FROM journal.entry WHERE position = ANY($1::bigint[])", list(leaves)
        )
    }
    if nodes:
        levels, indexes = zip(*nodes, strict=True)
        found = await connection.fetch(
            "SELECT n.level, n.index, n.hash FROM unnest($1::smallint[], $2::bigint[]) w (level, index) "
            "JOIN journal.node n USING (level, index)",
            list(levels),
            list(indexes),
        )
        hashes |= {(row["level"], row["index"]): row["hash"] for row in found}
    try:
        return {
            part: subtree_root([hashes[level, index] for index in indexes]) for part, (level, indexes) in covers.items()
        }
    except KeyError as error:
        level, index = error.args[0]
        raise Damaged((index << level) + 1, f"the hash at level {level}, index {index} is missing") from None


async def receipt(connection: asyncpg.Connection, id_: UUID) -> str | None:
    """The receipt of the entry of that id, against the newest checkpoint; None if none covers it yet, or no such entry.

    The leaf is encoded anew from its rows. Raises `Damaged` if it isn't the one that stands in the tree.
    """
    found = await connection.fetchrow(
        "SELECT e.position, c.size, c.note FROM journal.entry e, journal.checkpoint c "
        "WHERE e.id = $1 AND c.size >= e.position ORDER BY c.size DESC LIMIT 1",
        id_,
    )
    if found is None:
        return None
    position: int = found["position"]
    [((row,), names)] = [chunk async for chunk in read(connection, position - 1, position)]
    leaf = _checked_leaf(row, names)
    path = await inclusion(connection, position, found["size"])
    return Receipt(leaf, position - 1, path, found["note"]).render()


async def newest_checkpoint(connection: asyncpg.Connection) -> str | None:
    """The newest signed checkpoint's note."""
    note: str | None = await connection.fetchval("SELECT note FROM journal.checkpoint ORDER BY size DESC LIMIT 1")
    return note


def _checked_leaf(row: Row, names: Mapping[int, str]) -> bytes:
    leaf = encode(row, lambda account: prefixed(names[account].encode()))
    if sha256(b"\x00" + leaf).digest() != row.leaf:
        raise Damaged(row.position, "the entry's rows don't fit its leaf")
    return leaf


# --- the signer -------------------------------------------------------------------------------------------------------


class Signed(msgspec.Struct, frozen=True):
    """What was signed last: the state file, as JSON with base64."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    frontier: bytes = b""


class Notary:
    """The key that signs checkpoints, with its memory of what it has signed.

    `failure` is why it refuses to sign, for health and metrics; `signed_size` is as far as it has vouched.
    """

    def __init__(self, key: Path, signer: Signer) -> None:
        self.signer = signer
        self.failure: str | None = None
        self.signed_size = 0
        self.key = key
        self.state = key.with_name(key.name + ".signed")

    @classmethod
    def open(cls, key: Path, origin: str) -> Notary:
        """With the key in that file, which is made, readable by its owner only, if there is none.

        Raises ValueError for a file that holds anything else.
        """
        if not key.exists():
            key.parent.mkdir(parents=True, exist_ok=True)
            fresh = key.with_name(f"{key.name}.{os.getpid()}")
            _write_durably(fresh, generate_key_pem())
            with suppress(FileExistsError):  # another process was first, and its key is the one
                os.link(fresh, key)
            fresh.unlink()
        return cls(key, Signer(origin, load_key_pem(key.read_bytes())))

    @property
    def verifier(self) -> str:
        """The verifier key to publish."""
        return self.signer.verifier

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether we alone may sign, for as long as the context lasts."""
        descriptor = os.open(
            self.state.with_name(self.state.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def recall(self) -> Signed | None:
        """What was signed last; None if nothing was, or the file is lost. `Damaged` if it was altered."""
        try:
            signed = msgspec.json.decode(self.state.read_bytes(), type=Signed)
            if Frontier.from_bytes(signed.size, signed.frontier).root() == signed.root:
                return signed
        except FileNotFoundError:
            return None
        except ValueError:  # msgspec's errors are some
            pass
        raise Damaged(0, f"{self.state} is not what was written there: restore it, or verify and remove it")

    def remember(self, signed: Signed) -> None:
        """Write it down, so that even a power cut leaves the old state or the new one."""
        fresh = self.state.with_name(self.state.name + ".new")
        _write_durably(fresh, msgspec.json.encode(signed))
        fresh.replace(self.state)
        folder = os.open(self.state.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_durably(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


async def sign_next(connection: asyncpg.Connection, notary: Notary, clock: Callable[[], datetime]) -> str | None:
    """Sign what was added since the last time; None if nothing was, or another process is at it.

    Raises `Damaged` rather than sign what doesn't continue what was signed.
    """
    with notary.locked() as ours:
        if not ours:
            return None
        before = notary.recall()
        now = await head(connection)
        stored = await connection.fetchrow("SELECT size, note FROM journal.checkpoint ORDER BY size DESC LIMIT 1")
        promised: dict[int, bytes | None] = {} if before is None else {before.size: before.root}
        if stored is not None:
            _take_promise(notary, promised, stored["size"], stored["note"])
        signed = await _extend(connection, before or Signed(), now, promised)
        if signed != before:
            notary.remember(signed)
        notary.signed_size = signed.size
        if signed.size == (0 if stored is None else stored["size"]):
            return None
        note = notary.signer.sign(Checkpoint(notary.signer.name, signed.size, signed.root))
        await connection.execute(
            "INSERT INTO journal.checkpoint (size, signed_at, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            signed.size,
            clock(),
            note,
        )
        return note


def _take_promise(notary: Notary, promised: dict[int, bytes | None], size: int, note: str) -> None:
    """Add the newest stored checkpoint to the roots, by size, that the log must have."""
    try:
        checkpoint = Verifier.parse(notary.verifier).open(note)
    except ProofError as error:
        # A lost key is replaced by a new one, which owes nothing to what the old one said, but to the length.
        if promised:
            raise Damaged(size, f"the newest stored checkpoint isn't ours: {error}") from None
        promised_root = None
    else:
        if checkpoint.size != size:
            raise Damaged(size, f"the stored checkpoint is one of {checkpoint.size} entries")
        promised_root = checkpoint.root
    if promised.setdefault(size, promised_root) != promised_root:
        raise Damaged(size, "the newest stored checkpoint contradicts what this key has signed")


async def _extend(
    connection: asyncpg.Connection, before: Signed, now: Head, promised: dict[int, bytes | None]
) -> Signed:
    """What there is to sign: our own frontier with the leaves since, if it is what the head says it is.

    `promised` are the roots, by size, that the log must have had; None where only the length is known.
    """
    longest = max(promised, default=0)
    if now.size < longest:
        raise Damaged(now.size + 1, f"the log has {now.size} entries, and a tree of {longest} has been signed")
    frontier = Frontier.from_bytes(before.size, before.frontier)
    async for rows, names in read(connection, before.size, now.size):
        leaves = []
        for row in rows:
            _checked_leaf(row, names)
            leaves.append(row.leaf)
            if row.position in promised:
                frontier.extend(leaves)
                leaves.clear()
                if promised[row.position] not in {None, frontier.root()}:
                    raise Damaged(row.position, "the log is not the one that was signed up to here")
        frontier.extend(leaves)
    if frontier.root() != now.root:
        raise Damaged(now.size, "the log is not a continuation of what was signed: its head has another root")
    return Signed(now.size, frontier.root(), frontier.to_bytes())


async def run(
    connect: Connect,
    notary: Notary,
    clock: Callable[[], datetime],
    *,
    every_seconds: int = SIGN_EVERY_SECONDS,
) -> None:
    """Sign whenever something was added, until cancelled. What goes wrong is logged, shown, and tried again."""
    connection: asyncpg.Connection | None = None
    try:
        while True:
            try:
                if connection is None or connection.is_closed():
                    # Index reads only, as for the writer: a journal that grew since its last ANALYZE must not talk
                    # the planner into reading all of it every ten seconds.
                    connection = await connect(enable_seqscan="off")
                await sign_next(connection, notary, clock)
                notary.failure = None
            except Damaged as damage:
                notary.failure = f"the journal is not signed: {damage}"
                _log.critical("%s; run `timecredits verify journal`", notary.failure)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                notary.failure = "no checkpoint could be signed: the database or the key's folder is away"
                _log.warning("%s: %s", notary.failure, error)
            except Exception:  # noqa: BLE001  # a signer that died unnoticed would be worse
                notary.failure = "no checkpoint could be signed: see the log"
                _log.exception("the signer met what it doesn't know")
            await asyncio.sleep(every_seconds)
    finally:
        if connection is not None:
            connection.terminate()
