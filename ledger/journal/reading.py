"""Reading the journal: balances, statements, entries, the feed, the trial balance.

Every read here is by index, so it costs the same in a journal of ten thousand entries and of ten million. Nothing is
locked and nothing decided: what may be spent is decided by the judge alone. All minutes are integers; a debit takes
away, a credit adds. Pages are bounded by ``PAGE_MAX``.

Pages go backwards by the account's own sequence number (statement) or forwards by position (feed). Both are gapless and
grow in commit order, so a reader who goes on from the last number it saw misses nothing, whatever is posted meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.journal.entries import Kind, Posted
from ledger.journal.posting import ENTRIES_BY_ID, ENTRIES_BY_POSITION, posted_from

# 200 lines are eight screens of a phone, and below 5 ms.
PAGE_MAX = 200


class Line(Struct, frozen=True, kw_only=True, gc=False):
    """One line of an account's statement. ``minutes`` is signed; ``balance`` is the account's, after it."""

    position: int
    sequence: int
    entry: UUID
    kind: Kind
    minutes: int
    balance: int
    other: str
    happened_at: datetime
    recorded_at: datetime
    reference: str
    details: str


class Total(Struct, frozen=True, gc=False):
    """A line of the trial balance: the sum of all accounts of a kind, in minutes, and its floor."""

    kind: str
    balance: int
    floor: int | None


async def position(connection: asyncpg.Connection) -> int:
    """The number of entries in the journal, which is the position of the newest."""
    return int(await connection.fetchval("SELECT position FROM journal.head"))


async def balances(connection: asyncpg.Connection, accounts: Sequence[str]) -> dict[str, int]:
    """The balance of each account in minutes; one that was never used has 0."""
    rows = await connection.fetch(
        "SELECT name, balance FROM journal.balance WHERE name = ANY($1::text[])",
        list(accounts),
    )
    found = {row["name"]: row["balance"] for row in rows}
    return {account: found.get(account, 0) for account in accounts}


async def balance_at(connection: asyncpg.Connection, account: str, at: int | datetime) -> int:
    """The account's balance right after a position, or after all that was recorded up to a moment (inclusive)."""
    value = await connection.fetchval(
        _BALANCE_AT_MOMENT if isinstance(at, datetime) else _BALANCE_AT_POSITION,
        account,
        at,
    )
    return int(value or 0)


_BALANCE_AT = """
SELECT coalesce(
    (SELECT debit_balance FROM journal.transfer WHERE debit = a.id AND debit_sequence = a.sequence),
    (SELECT credit_balance FROM journal.transfer WHERE credit = a.id AND credit_sequence = a.sequence)
)
FROM (
    SELECT id, journal.sequence_at(id, {position}) AS sequence FROM journal.account WHERE name = $1
) a
"""
_BALANCE_AT_POSITION = _BALANCE_AT.format(position="$2::bigint")
_BALANCE_AT_MOMENT = _BALANCE_AT.format(position="journal.position_at($2::timestamptz)")


# Each arm is a backward scan of its own unique index and stops after a page; the two are merged by sequence.
_STATEMENT = """
SELECT l.position, l.sequence, l.minutes, l.balance, o.name AS other,
    e.id AS entry, e.kind::text, e.happened_at, e.recorded_at, e.reference, d.body
FROM (
    (
        SELECT position, debit_sequence AS sequence, -minutes AS minutes, debit_balance AS balance, credit AS other
        FROM journal.transfer
        WHERE debit = (SELECT id FROM journal.account WHERE name = $1) AND debit_sequence < $2
        ORDER BY debit_sequence DESC LIMIT $3
    )
    UNION ALL
    (
        SELECT position, credit_sequence, minutes, credit_balance, debit
        FROM journal.transfer
        WHERE credit = (SELECT id FROM journal.account WHERE name = $1) AND credit_sequence < $2
        ORDER BY credit_sequence DESC LIMIT $3
    )
    ORDER BY sequence DESC LIMIT $3
) l
JOIN journal.account o ON o.id = l.other
JOIN journal.entry e ON e.position = l.position
LEFT JOIN journal.detail d ON d.position = l.position AND e.commitment IS NOT NULL  -- most have none: not looked for
ORDER BY l.sequence DESC
"""
_NEWEST = 2**63 - 1


async def statement(
    connection: asyncpg.Connection,
    account: str,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """The account's newest lines, newest first; ``before`` is the sequence number of the last line already seen."""
    rows = await connection.fetch(_STATEMENT, account, _NEWEST if before is None else before, min(limit, PAGE_MAX))
    return [
        Line(
            position=row["position"],
            sequence=row["sequence"],
            entry=row["entry"],
            kind=Kind(row["kind"]),
            minutes=row["minutes"],
            balance=row["balance"],
            other=row["other"],
            happened_at=row["happened_at"],
            recorded_at=row["recorded_at"],
            reference=row["reference"] or "",
            details=row["body"] or "",
        )
        for row in rows
    ]


async def entry(connection: asyncpg.Connection, id_: UUID) -> Posted | None:
    """The entry of that id with its transfers."""
    row = await connection.fetchrow(ENTRIES_BY_ID, [id_])
    return None if row is None else posted_from(row)


async def is_known(connection: asyncpg.Connection, id_: UUID) -> bool:
    """Whether an entry of that id was posted, or refused by a rule."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM journal.entry WHERE id = $1)"
            " OR EXISTS (SELECT FROM journal.refusal WHERE id = $1)",
            id_,
        )
    )


async def resolution(connection: asyncpg.Connection, position: int) -> list[Posted]:
    """What was done to the entry at that position, in order: its capture, void or lapse, refunds, reversal."""
    rows = await connection.fetch(_DONE_TO, position)
    posted = await connection.fetch(ENTRIES_BY_POSITION, [row["position"] for row in rows])
    return sorted(map(posted_from, posted), key=lambda entry: entry.position)


# One arm for each partial index on the target.
_DONE_TO = """
SELECT position FROM journal.entry WHERE target = $1 AND kind IN ('capture', 'void', 'lapse')
UNION ALL SELECT position FROM journal.entry WHERE target = $1 AND kind = 'reversal'
UNION ALL SELECT position FROM journal.entry WHERE target = $1 AND kind = 'refund'
"""


async def feed(connection: asyncpg.Connection, *, after: int = 0, limit: int = PAGE_MAX) -> list[Posted]:
    """The entries that follow a position, in order. Going on from the last position seen misses nothing."""
    rows = await connection.fetch(ENTRIES_BY_POSITION, list(range(after + 1, after + 1 + min(limit, PAGE_MAX))))
    return sorted(map(posted_from, rows), key=lambda posted: posted.position)


async def trial_balance(connection: asyncpg.Connection) -> list[Total]:
    """Each kind of account with the sum of its balances; the sums add up to zero."""
    rows = await connection.fetch("SELECT name, balance, floor FROM journal.kind ORDER BY name")
    return [Total(row["name"], row["balance"], row["floor"]) for row in rows]
