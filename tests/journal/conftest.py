"""A journal to post into, entries in one line each, and an audit of all its rows that trusts none of its code.

The chart is that of product.md. `audit` reads every row and recomputes everything that can be recomputed:
whoever posts something in a test ends with it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec
import pytest

from ledger.database import Database, driver
from ledger.journal import posting, reading
from ledger.journal.entries import Entry, Kind, Outcome, Posted, Refused, Transfer, entry_id
from ledger.journal.leaf import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.conftest import Postgres

WITHOUT_FLOOR = ("issued", "opening", "goodwill", "allowance")
WITH_FLOOR = (
    *("allocation", "wallet", "held", "pot", "held_pot", "transit"),
    *("paper", "redeemed", "expired", "surrendered"),
)
CHART: dict[str, int | None] = {**dict.fromkeys(WITHOUT_FLOOR), **dict.fromkeys(WITH_FLOOR, 0)}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRINCIPAL = UUID("5f0c2c0e-7a4b-4c4e-9d8e-000000000001")

Move = tuple[str, str, int] | tuple[str, str, int, int]


def id_of(key: str) -> UUID:
    """The id that a key of the tests' one principal stands for."""
    return entry_id(PRINCIPAL, key)


def entry(
    key: str,
    *moves: Move,
    kind: Kind = Kind.PLAIN,
    of: str | None = None,
    at: datetime = NOON,
    reference: str = "",
    details: str = "",
    refused: str = "",
) -> Entry:
    """An entry with that key; `of` is the key of its target."""
    return Entry(
        id=id_of(key),
        kind=kind,
        transfers=tuple(itertools.starmap(Transfer, moves)),
        target=None if of is None else id_of(of),
        happened_at=at,
        actor=PRINCIPAL,
        reference=reference,
        details=details,
        refused=refused,
    )


def award(key: str, holder: str, minutes: int, **others: str) -> Entry:
    """Credits for a holder's wallet, out of nothing but hours."""
    return entry(key, ("issued:shed", f"wallet:{holder}", minutes), **others)  # type: ignore[arg-type]


def hold(key: str, holder: str, minutes: int, **others: str) -> Entry:
    """Part of a wallet, set aside."""
    return entry(key, (f"wallet:{holder}", f"held:{holder}", minutes), kind=Kind.HOLD, **others)  # type: ignore[arg-type]


def capture(key: str, of: str, holder: str, minutes: int, **others: str) -> Entry:
    """A hold, or part of it, honoured by the pool."""
    return entry(key, (f"held:{holder}", "redeemed:pool", minutes), kind=Kind.CAPTURE, of=of, **others)  # type: ignore[arg-type]


def void(key: str, of: str) -> Entry:
    """A hold, given back."""
    return entry(key, kind=Kind.VOID, of=of)


def refund(key: str, of: str, holder: str, minutes: int) -> Entry:
    """Part of what the pool was paid, given back."""
    return entry(key, ("redeemed:pool", f"wallet:{holder}", minutes), kind=Kind.REFUND, of=of)


def reversal(key: str, of: str) -> Entry:
    """A plain entry, undone."""
    return entry(key, kind=Kind.REVERSAL, of=of)


def moves_of(outcome: Outcome) -> list[Move]:
    """What a posted entry moved."""
    assert isinstance(outcome, Posted), outcome
    return [(moved.debit, moved.credit, moved.minutes) for moved in outcome.transfers]


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """One word for each outcome: its kind, with a star if it is a replay, or why it was refused."""
    words = []
    for outcome in outcomes:
        word = type(outcome).__name__.lower()
        if isinstance(outcome, Posted):
            word = outcome.kind.value
        elif isinstance(outcome, Refused):
            word = str(outcome.reason)
        words.append(word + "*" * bool(getattr(outcome, "replayed", False)))
    return words


def replayed(outcome: Outcome) -> Outcome:
    """What a retry of the same request hears."""
    assert isinstance(outcome, Posted | Refused), outcome
    return msgspec.structs.replace(outcome, replayed=True)


def steady_clock(step: timedelta = timedelta(milliseconds=1)) -> Callable[[], datetime]:
    """A clock that goes forward by one step a look."""
    ticks = itertools.count(1)
    return lambda: NOON + next(ticks) * step


class Journal:
    """A migrated, charted, empty journal: the service's way in, and the superuser's."""

    def __init__(self, database: Database, owner: asyncpg.Connection) -> None:
        self.database = database
        self.owner = owner
        self.clock = steady_clock()

    async def post(self, *entries: Entry) -> list[Outcome]:
        """All of them as one batch, in a transaction of their own."""
        async with self.database.transaction() as connection:
            return await posting.post(driver(connection), CHART, entries, self.clock())

    async def balances(self, *accounts: str) -> list[int]:
        """The balance of each."""
        found = await reading.balances(self.owner, accounts)
        return [found[account] for account in accounts]


async def insert_chart(owner: asyncpg.Connection) -> None:
    """The kinds that the migrations may or may not have put there already."""
    await owner.executemany(
        "INSERT INTO journal.kind (name, floor) VALUES ($1, $2) ON CONFLICT DO NOTHING", list(CHART.items())
    )


@pytest.fixture
async def journal(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Journal]:
    """A journal of the test's own; whatever the test did with it, its rows are sound at the end."""
    await insert_chart(owner)
    yield Journal(database, owner)
    await audit(owner)


@pytest.fixture
async def twin(postgres: Postgres) -> AsyncIterator[Journal]:
    """A second journal, as empty as the first, to do the same in another way."""
    name = await postgres.create()
    owner: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
    try:
        await insert_chart(owner)
        async with Database.open(postgres.dsn(name)) as database:
            yield Journal(database, owner)
        await audit(owner)
    finally:
        await owner.close()
        await postgres.drop(name)


# ---- the audit


async def audit(connection: asyncpg.Connection) -> None:
    """Every row against every other, recomputed in the plainest way."""
    entries = await connection.fetch("SELECT * FROM journal.entry ORDER BY position")
    transfers = await connection.fetch("SELECT * FROM journal.transfer ORDER BY position, line")
    accounts = {row["id"]: row for row in await connection.fetch("SELECT * FROM journal.account")}
    head = await connection.fetchrow("SELECT * FROM journal.head")
    assert head is not None

    assert [row["position"] for row in entries] == list(range(1, head["position"] + 1)), "positions are gapless"
    assert sorted(accounts) == list(range(1, head["accounts"] + 1)), "so are the numbers of accounts"
    moments = [row["recorded_at"] for row in entries]
    assert moments == sorted(moments), "recorded_at never decreases"
    assert not moments or moments[-1] <= head["recorded_at"]

    balances: dict[int, int] = defaultdict(int)
    sequences: dict[int, int] = defaultdict(int)
    lines: dict[int, int] = defaultdict(int)
    for row in transfers:
        assert row["line"] == lines[row["position"]], "an entry's lines are counted from 0"
        lines[row["position"]] += 1
        for side, sign in (("debit", -1), ("credit", 1)):
            account = row[side]
            balances[account] += sign * row["minutes"]
            sequences[account] += 1
            assert row[f"{side}_sequence"] == sequences[account], "sequences are gapless"
            assert row[f"{side}_balance"] == balances[account], "each transfer keeps the balance after it"
            floor = accounts[account]["floor"]
            assert floor is None or balances[account] >= floor, "no floor is crossed, at any transfer"
        assert row["debit_floor"] == accounts[row["debit"]]["floor"], "and the row says which it kept to"
    assert set(lines) == {row["position"] for row in entries}, "every entry has transfers, and each an entry"
    told = {row["id"]: row for row in await connection.fetch("SELECT * FROM journal.balance")}
    assert {id_: row["balance"] for id_, row in told.items()} == balances, "balances rebuilt equal those told"
    assert {id_: row["sequence"] for id_, row in told.items()} == sequences
    assert sum(balances.values()) == 0, "the trial balance is zero"

    totals: dict[str, int] = defaultdict(int)
    for row in told.values():
        totals[row["name"].partition(":")[0]] += row["balance"]
    kinds = await connection.fetch("SELECT name, balance, floor FROM journal.kind")
    assert {row["name"]: row["balance"] for row in kinds if row["balance"]} == {
        name: total for name, total in totals.items() if total
    }, "control totals equal the sums of their accounts"
    floors = {row["name"]: row["floor"] for row in kinds}
    assert all(row["floor"] == floors[row["name"].partition(":")[0]] for row in accounts.values())

    ids = await connection.fetchval(
        "SELECT count(*) FROM journal.entry JOIN journal.refusal USING (id)",
    )
    assert ids == 0, "nothing is both posted and refused"
    await _audit_log(connection, head["position"], head["frontier"])


async def _audit_log(connection: asyncpg.Connection, size: int, frontier: bytes) -> None:
    rows = await connection.fetch(posting.ENTRIES_BY_POSITION, list(range(1, size + 1)))
    sealed = await connection.fetch("SELECT position, nonce, commitment, leaf FROM journal.entry")
    seal_at = {row["position"]: row for row in sealed}
    leaves = []
    for row in sorted(rows, key=lambda row: int(row["position"])):
        seal = seal_at[row["position"]]
        leaf = sha256(b"\0" + encode(posting.posted_from(row), seal["nonce"], seal["commitment"])).digest()
        assert leaf == seal["leaf"], "a leaf is the hash of its row"
        if row["body"] is not None:
            assert sha256(row["salt"] + row["body"].encode()).digest() == seal["commitment"]
        leaves.append(leaf)
    assert len(leaves) == size
    assert frontier == naive_frontier(leaves), "the frontier is that of the leaves"
    nodes = await connection.fetch("SELECT level, index, hash FROM journal.node")
    assert {(row["level"], row["index"]): row["hash"] for row in nodes} == {
        (level, index): _root(leaves[index << level : (index + 1) << level])
        for level in range(8, size.bit_length(), 8)
        for index in range(size >> level)
    }, "the stored nodes are those of every eighth level"


def naive_frontier(leaves: Sequence[bytes]) -> bytes:
    """The roots of the perfect subtrees that make up the tree, largest first."""
    roots, start = b"", 0
    for level in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> level & 1:
            roots += _root(leaves[start : start + (1 << level)])
            start += 1 << level
    return roots


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()
