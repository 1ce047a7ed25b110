"""The one write path of the journal: lock, read, judge, write.

What is promised: an entry is posted whole or not at all; positions are gapless and equal commit order; a batch gives
what its entries give one at a time; the rows, the balances and the Merkle frontier change together.

**Lock.** ``journal.head`` is one row, and its ``batch`` is the version of the whole journal, a new random tag with
every write: whatever was read after the head is still true at the moment of writing if the head has not moved. So
there are two ways to take the lock, and everything between them is the same:

- *first* (``post``, inside a caller's transaction): ``SELECT ... FOR UPDATE``, then read, judge, write; the caller
  commits. Nobody else can move the head meanwhile.
- *last* (the batcher): read, judge, and write on condition that the head still carries the tag that was read
  (``UPDATE ... WHERE batch = $1`` waits for whoever holds the row and then finds it moved). If it has moved,
  nothing was written and the batch is judged anew, the lock taken first. A lone entry costs two round trips and one
  commit this way, or one where the batcher needn't read at all, and no lock is held while Python thinks.

**Read.** Set-based, by index: head, accounts by name, ids already seen, and the targets with all that was done to them.

**Judge.** Pure; see ``judge.py``. **Seal** turns its judgement into rows: leaves, frontier, commitments.

**Write.** Only the head and the kinds' totals change; all else is added. Balances aren't stored a second time: an
account's stands in its newest transfer. The head, the kinds and new accounts go in one statement. Below
``COPY_FROM_ENTRIES`` the same statement inserts the rows too (arrays and unnest), so that it is its own transaction;
from there on the rows follow by COPY, packed beforehand (``packing.py``), which costs five more round trips.

What was tried, entries/s on PostgreSQL 18.4 with two cores; the database's share alone, in batches of 1 / 50 / 1,000:

===================================================  ========================
bare COPY of the same rows, nothing else             2,150 / 54,000 / 97,000
lock, COPY, update of the accounts, seven trips      1,070 / 32,000 / 77,000
one statement: arrays, unnest, update of accounts    1,600 / 47,000 / 56,000
===================================================  ========================

and the whole door, Python included, in batches of 1,000 through the batcher (other work beside all but the last):

===================================================  ========
one batch after the other, accounts updated          30,000
accounts derived from the newest transfer instead    38,000
the next batch read and judged ahead                 44,000
judged in portions, so that the writer gets its turn 52,000
rows packed for COPY between the portions            62,000
start-up's objects kept out of garbage collection    75,000
===================================================  ========

Growth: onto ten million entries the door was 0.75 as fast as onto ten thousand, for every random id touched a leaf of
its own in an index of 400 MB: a miss of every cache, and after each checkpoint a full page in the log (10,000 entries
wrote 150 MB there instead of 19). With ids that begin with their key's time (``entry_id``) it is 0.85 to 0.95.

Arrays are sent as PostgreSQL writes them, but for text (``_WRITE``): 50 us for a batch of 16 instead of 94.

Passing a small batch's rows as VALUES instead of arrays saved 0.04 ms of a lone entry's 0.58 and lost from eight
entries on, so it was left out. A CHECK with a regular expression on account names cost 16 us at every update of a
balance, while there were such: the judge checks names, and the database their uniqueness.

What fails how: an integrity error of the database (a constraint, a trigger) means that the judge accepted what it
should not have; it is raised and nothing is written. A lost connection is raised as it is: during ``write`` the fate
of the batch is unknown, before it nothing was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pgproto import pgproto
from msgspec import Struct

from ledger.journal import packing
from ledger.journal.entries import Chart, Entry, Kind, Moved, Outcome, Posted, Refused
from ledger.journal.judge import Account, Earlier, Judgement, State, Target, content, judge
from ledger.journal.leaf import commitment, encode
from ledger.journal.merkle import Frontier, leaf_hash
from ledger.journal.packing import pack_entries, pack_transfers

# Where COPY overtakes arrays: its five more round trips cost 0.5 ms, and it saves 1.5 us a row.
COPY_FROM_ENTRIES = 250


async def lock(connection: asyncpg.Connection) -> None:
    """Keep everybody else from posting until the caller's transaction ends: for entries that depend on a balance.

    What is read after it still stands when ``post`` follows. Nothing slow between them.
    """
    await connection.execute("SELECT FROM journal.head FOR UPDATE")


async def post(
    connection: asyncpg.Connection,
    chart: Chart,
    entries: Sequence[Entry],
    recorded_at: datetime,
) -> list[Outcome]:
    """Posts entries inside the caller's transaction, and returns an outcome for each, in order.

    The head stays locked until the caller commits: do it last, and nothing slow after it.
    """
    if not connection.is_in_transaction():
        raise RuntimeError("the journal's door needs a transaction: nothing is posted outside one")
    await lock(connection)
    state = await read(connection, chart, entries)
    judgement = judge(state, entries, recorded_at)
    if not await write(connection, seal(state, judgement)):
        raise RuntimeError("the head of the journal moved while it was locked")
    return judgement.outcomes


# --- read -------------------------------------------------------------------------------------------------------------

_READ = """
SELECT h.batch, h.position, h.accounts, h.recorded_at, h.frontier,
    a.ids, a.floors, a.balances, a.sequences, a.names,
    EXISTS (SELECT FROM journal.entry WHERE id = ANY($2::uuid[]))
    OR EXISTS (SELECT FROM journal.refusal WHERE id = ANY($2::uuid[])) AS seen
FROM journal.head h, (
    SELECT array_agg(id) AS ids, array_agg(floor) AS floors, array_agg(balance) AS balances,
        array_agg(sequence) AS sequences, array_agg(name) AS names
    FROM journal.balance WHERE name = ANY($1::text[])
) a
"""

_ENTRIES = """
SELECT e.position, e.id, e.kind::text, e.target, e.happened_at, e.recorded_at, e.actor, e.reference, e.commitment,
    d.salt, d.body, t.debit_names, t.credit_names, t.minutes, t.debit_sequences, t.debit_balances,
    t.credit_sequences, t.credit_balances
FROM journal.entry e
LEFT JOIN journal.detail d ON d.position = e.position
CROSS JOIN LATERAL (
    SELECT array_agg(da.name ORDER BY line) AS debit_names, array_agg(ca.name ORDER BY line) AS credit_names,
        array_agg(minutes ORDER BY line) AS minutes,
        array_agg(debit_sequence ORDER BY line) AS debit_sequences,
        array_agg(debit_balance ORDER BY line) AS debit_balances,
        array_agg(credit_sequence ORDER BY line) AS credit_sequences,
        array_agg(credit_balance ORDER BY line) AS credit_balances
    FROM journal.transfer
    JOIN journal.account da ON da.id = debit
    JOIN journal.account ca ON ca.id = credit
    WHERE transfer.position = e.position
) t
"""
ENTRIES_BY_ID = _ENTRIES + "WHERE e.id = ANY($1::uuid[])"
ENTRIES_BY_POSITION = _ENTRIES + "WHERE e.position = ANY($1::bigint[])"

_REFUSALS = """
SELECT r.id, r.reason, r.account, r.commitment, d.salt, d.body
FROM journal.refusal r LEFT JOIN journal.refusal_detail d ON d.id = r.id
WHERE r.id = ANY($1::uuid[])
"""

# One arm for each partial index on entry.target.
_DONE_TO = """
SELECT target, 'resolved' AS what, '' AS name, 0::bigint AS minutes FROM journal.entry
WHERE target = ANY($1::bigint[]) AND kind IN ('capture', 'void', 'lapse')
UNION ALL
SELECT target, 'reversed', '', 0 FROM journal.entry WHERE target = ANY($1::bigint[]) AND kind = 'reversal'
UNION ALL
SELECT e.target, 'refunded', a.name, sum(t.minutes)::bigint
FROM journal.entry e
JOIN journal.transfer t ON t.position = e.position
JOIN journal.account a ON a.id = t.debit
WHERE e.target = ANY($1::bigint[]) AND e.kind = 'refund'
GROUP BY e.target, a.name
"""


async def read(
    connection: asyncpg.Connection, chart: Chart, entries: Sequence[Entry], known: Container[str] = ()
) -> State:
    """The journal as far as these entries need it. The head is read first: see the module's docstring.

    The accounts named in ``known`` are left out: the caller has them.
    """
    names = {name for entry in entries for transfer in entry.transfers for name in (transfer.debit, transfer.credit)}
    ids = [entry.id for entry in entries]
    row = await connection.fetchrow(_READ, [name for name in names if name not in known], ids)
    if row is None:
        raise RuntimeError("the journal has no head: the database was not migrated")
    state = State(
        chart=chart,
        batch=row["batch"],
        position=row["position"],
        opened=row["accounts"],
        recorded_at=row["recorded_at"],
        frontier=row["frontier"],
    )
    _take_accounts(state, row)
    if row["seen"]:
        await _read_seen(connection, state, ids)
    wanted = {entry.target for entry in entries if entry.target is not None}
    if wanted:
        await _read_targets(connection, state, list(wanted))
    return state


def _take_accounts(state: State, row: asyncpg.Record) -> None:
    if row["ids"] is not None:
        for id_, floor, balance, sequence, name in zip(
            row["ids"],
            row["floors"],
            row["balances"],
            row["sequences"],
            row["names"],
            strict=True,
        ):
            state.accounts[name] = Account(id_, name, floor, balance, sequence)


async def _read_seen(connection: asyncpg.Connection, state: State, ids: list[UUID]) -> None:
    for row in await connection.fetch(ENTRIES_BY_ID, ids):
        state.seen[row["id"]] = Earlier(
            posted_from(row),
            commitment=row["commitment"],
            salt=row["salt"],
            body=row["body"] or "",
        )
    for row in await connection.fetch(_REFUSALS, ids):
        state.seen[row["id"]] = Earlier(
            Refused(id=row["id"], reason=row["reason"], account=row["account"]),
            commitment=row["commitment"],
            salt=row["salt"],
            body=row["body"] or "",
        )


async def _read_targets(connection: asyncpg.Connection, state: State, ids: list[UUID]) -> None:
    found = [posted_from(row) for row in await connection.fetch(ENTRIES_BY_ID, ids)]
    if not found:
        return
    holds = [posted.target for posted in found if posted.kind is Kind.CAPTURE]
    hold_at = (
        {row["position"]: posted_from(row) for row in await connection.fetch(ENTRIES_BY_POSITION, holds)}
        if holds
        else {}
    )
    by_position = {}
    for posted in found:
        target = Target(posted, hold_at[posted.target] if posted.kind is Kind.CAPTURE and posted.target else None)
        state.targets[posted.id] = by_position[posted.position] = target
    for row in await connection.fetch(_DONE_TO, list(by_position)):
        target = by_position[row["target"]]
        if row["what"] == "resolved":
            target.resolved = True
        elif row["what"] == "reversed":
            target.reversed = True
        else:
            target.refunded[row["name"]] = row["minutes"]
    # A void, a lapse, a reversal or a rest goes back to accounts that the entry itself doesn't name.
    names = {
        name
        for target in by_position.values()
        for moved in target.posted.transfers
        for name in (moved.debit, moved.credit)
        if name not in state.accounts
    }
    if names:
        accounts = await connection.fetchrow(_READ, list(names), [])
        assert accounts is not None
        _take_accounts(state, accounts)


def posted_from(row: asyncpg.Record) -> Posted:
    """The entry in a row of ``ENTRIES_BY_ID`` or ``ENTRIES_BY_POSITION``."""
    return Posted(
        position=row["position"],
        id=row["id"],
        kind=Kind(row["kind"]),
        target=row["target"],
        happened_at=row["happened_at"],
        recorded_at=row["recorded_at"],
        actor=row["actor"],
        reference=row["reference"] or "",
        transfers=tuple(
            map(
                Moved,
                row["debit_names"],
                row["credit_names"],
                row["minutes"],
                row["debit_sequences"],
                row["debit_balances"],
                row["credit_sequences"],
                row["credit_balances"],
            ),
        ),
        details=row["body"] or "",
    )


# --- seal -------------------------------------------------------------------------------------------------------------


class Sealed(Struct):
    """A judged batch as rows: all that ``write`` needs, and nothing more to decide."""

    base: UUID
    batch: UUID
    position: int
    opened: int
    recorded_at: datetime
    frontier: bytes
    rows: dict[str, list[tuple[Any, ...]]]
    packed: dict[str, list[bytes]] = msgspec.field(default_factory=lambda: {"entry": [], "transfer": []})

    def pack(self) -> None:
        """Turn entries and transfers into what COPY sends; the rows themselves are gone then."""
        self.packed["entry"].append(pack_entries(self.rows["entry"]))
        self.packed["transfer"].append(pack_transfers(self.rows["transfer"]))
        self.rows["entry"], self.rows["transfer"] = [], []

    def extend(self, later: Sealed) -> None:
        """Take in what was sealed next, on top of this."""
        self.batch = later.batch
        self.position = later.position
        self.opened = later.opened
        self.recorded_at = later.recorded_at
        self.frontier = later.frontier
        totals = dict(self.rows.pop("kind"))
        for kind, minutes in later.rows.pop("kind"):
            totals[kind] = totals.get(kind, 0) + minutes
        for table in self.rows:
            self.rows[table] += later.rows[table]
        for table in self.packed:
            self.packed[table] += later.packed[table]
        self.rows["kind"] = list(totals.items())


def seal(state: State, judgement: Judgement, random: Callable[[int], bytes] = os.urandom) -> Sealed:
    """Turns a judgement into rows, and brings the state's frontier and tag up to it."""
    frontier = Frontier.from_bytes(state.position - len(judgement.posted), state.frontier)
    posted_rows, transfer_rows, detail_rows, leaves = [], [], [], []
    kinds: dict[str, int] = {}
    account_of = judgement.touched
    noise = random(16 + 32 * (len(judgement.posted) + len(judgement.refused)))
    base, state.batch, at = state.batch, pgproto.UUID(noise[:16]), 16
    for _, posted in judgement.posted:
        nonce, salt = noise[at : at + 16], noise[at + 16 : at + 32]
        at += 32
        committed = commitment(salt, posted.details) if posted.details else None
        leaf = leaf_hash(encode(posted, nonce, committed))
        leaves.append(leaf)
        position = posted.position
        posted_rows.append(
            (
                position,
                posted.target,
                posted.happened_at,
                posted.id,
                posted.actor,
                posted.kind.value,
                nonce,
                leaf,
                committed,
                posted.reference or None,
                posted.recorded_at,
            ),
        )
        if committed is not None:
            detail_rows.append((position, salt, posted.details))
        for line, moved in enumerate(posted.transfers):
            debit, credit, minutes = moved.debit, moved.credit, moved.minutes
            transfer_rows.append(
                (
                    position,
                    account_of[debit].id,
                    account_of[credit].id,
                    minutes,
                    moved.debit_sequence,
                    moved.debit_balance,
                    moved.credit_sequence,
                    moved.credit_balance,
                    account_of[debit].floor,
                    line,
                ),
            )
            debit_kind, credit_kind = debit.partition(":")[0], credit.partition(":")[0]
            kinds[debit_kind] = kinds.get(debit_kind, 0) - minutes
            kinds[credit_kind] = kinds.get(credit_kind, 0) + minutes

    refusal_rows, asked_rows = [], []
    for entry, refused in judgement.refused:
        salt, at = noise[at : at + 16], at + 32
        committed = commitment(salt, content(entry))
        refusal_rows.append((state.recorded_at, entry.id, committed, refused.reason, refused.account))
        asked_rows.append((entry.id, salt, entry.details))

    nodes = frontier.extend(leaves)
    state.frontier = frontier.to_bytes()
    new = [
        (account.id, account.floor, account.name) for account in account_of.values() if account.id in judgement.opened
    ]
    rows: dict[str, list[tuple[Any, ...]]] = {
        "account": new,
        "kind": [(name, minutes) for name, minutes in kinds.items() if minutes],
        "entry": posted_rows,
        "transfer": transfer_rows,
        "detail": detail_rows,
        "refusal": refusal_rows,
        "refusal_detail": asked_rows,
        "node": [tuple(node) for node in nodes],
    }
    return Sealed(base, state.batch, state.position, state.opened, state.recorded_at, state.frontier, rows)


# --- write ------------------------------------------------------------------------------------------------------------

# The columns that each list of rows fills, with their types.
_COLUMNS: dict[str, dict[str, str]] = {
    "account": {"id": "bigint", "floor": "bigint", "name": "text"},
    "kind": {"name": "text", "minutes": "bigint"},
    "entry": {
        "position": "bigint",
        "target": "bigint",
        "happened_at": "timestamptz",
        "id": "uuid",
        "actor": "uuid",
        "kind": "journal.entry_kind",
        "nonce": "bytea",
        "leaf": "bytea",
        "commitment": "bytea",
        "reference": "text",
        "recorded_at": "timestamptz",
    },
    "transfer": {
        "position": "bigint",
        "debit": "bigint",
        "credit": "bigint",
        "minutes": "bigint",
        "debit_sequence": "bigint",
        "debit_balance": "bigint",
        "credit_sequence": "bigint",
        "credit_balance": "bigint",
        "debit_floor": "bigint",
        "line": "smallint",
    },
    "detail": {"position": "bigint", "salt": "bytea", "body": "text"},
    "refusal": {
        "recorded_at": "timestamptz",
        "id": "uuid",
        "commitment": "bytea",
        "reason": "text",
        "account": "text",
    },
    "refusal_detail": {"id": "uuid", "salt": "bytea", "body": "text"},
    "node": {"level": "smallint", "index": "bigint", "hash": "bytea"},
}
_HEAD = (
    "UPDATE journal.head SET batch = $2, position = $3, accounts = $4, recorded_at = $5, frontier = $6 "
    "WHERE batch = $1{unseen} RETURNING 1"
)
_UNSEEN = (
    " AND NOT EXISTS (SELECT FROM journal.entry WHERE id = ANY($7::text::uuid[]))"
    " AND NOT EXISTS (SELECT FROM journal.refusal WHERE id = ANY($7::text::uuid[]))"
)
_KIND = "UPDATE journal.kind k SET balance = k.balance + u.minutes FROM head, {rows} WHERE k.name = u.name"


_encode = msgspec.json.Encoder().encode


def _literal(column: Iterable[object]) -> str:
    """Numbers, ids or moments: JSON's way and PostgreSQL's differ in the brackets only."""
    return "{" + _encode(column)[1:-1].decode() + "}"


def _hexadecimal(column: Iterable[bytes | None]) -> str:
    written = ["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in column]
    return "{" + ",".join(written) + "}"


# The types whose arrays are sent as PostgreSQL writes them: asyncpg asks of each element whether it is an array, and
# that alone takes 0.2 us. Text is left to asyncpg, for PostgreSQL has its own way with backslashes.
_WRITE: dict[str, Callable[[Any], str]] = {
    "bigint": _literal,
    "smallint": _literal,
    "uuid": _literal,
    "timestamptz": _literal,
    "bytea": _hexadecimal,
}


@cache
def _statement(parts: tuple[str, ...], *, looking: bool) -> str:
    """One statement for these parts: the head moves, and whatever follows from it happens only if it did."""
    number = 8 if looking else 7
    clauses = [f"WITH head AS ({_HEAD.format(unseen=_UNSEEN if looking else '')})"]
    for part in parts:
        columns = _COLUMNS[part]
        arrays = ", ".join(
            f"${n}::text::{type_}[]" if type_ in _WRITE else f"${n}::{type_}[]"
            for n, type_ in enumerate(columns.values(), number)
        )
        number += len(columns)
        names = ", ".join(columns)
        rows = f"unnest({arrays}) u ({names})"
        insert = f"INSERT INTO journal.{part} ({names}) SELECT u.* FROM head, {rows}"  # noqa: S608  # of _COLUMNS
        clauses.append(f"{part} AS ({_KIND.format(rows=rows) if part == 'kind' else insert})")
    return ", ".join(clauses) + " SELECT count(*) FROM head"  # noqa: S608


async def write(connection: asyncpg.Connection, sealed: Sealed, unseen: Sequence[UUID] = ()) -> bool:
    """Writes a sealed batch if the head still stands where it was read; False, and nothing written, if not.

    The same if one of ``unseen`` has been posted or refused before: ids that the caller didn't look for. In a
    transaction of the caller's it takes part in that; otherwise it commits.
    """
    if len(sealed.rows["entry"]) >= COPY_FROM_ENTRIES:
        sealed.pack()
    if not sealed.packed["entry"]:
        return await _change(connection, sealed, unseen)
    if connection.is_in_transaction():
        return await _copy(connection, sealed)
    async with connection.transaction():
        return await _copy(connection, sealed)


async def _change(connection: asyncpg.Connection, sealed: Sealed, unseen: Sequence[UUID] = ()) -> bool:
    filled = tuple(part for part, rows in sealed.rows.items() if rows)
    arrays = [
        _WRITE[type_](column) if type_ in _WRITE else column
        for part in filled
        for type_, column in zip(_COLUMNS[part].values(), zip(*sealed.rows[part], strict=True), strict=True)
    ]
    moved = await connection.fetchval(
        _statement(filled, looking=bool(unseen)),
        sealed.base,
        sealed.batch,
        sealed.position,
        sealed.opened,
        sealed.recorded_at,
        sealed.frontier,
        *([_literal(unseen)] if unseen else []),
        *arrays,
    )
    return bool(moved)


async def _copy(connection: asyncpg.Connection, sealed: Sealed) -> bool:
    if not await _change(connection, sealed):
        return False
    for table, portions in sealed.packed.items():
        await connection.copy_to_table(
            table,
            schema_name="journal",
            columns=packing.COLUMNS[table],
            source=packing.stream(portions),
            format="binary",
        )
    return True
