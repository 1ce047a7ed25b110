"""One account: its transfers 1..k, each leaf proven to be in the tree, and the tree to continue the checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from ledger.journal.checkpoint import Checkpoint, ProofError, Verifier
from ledger.journal.log import (
    NO_FLOOR,
    Damaged,
    Head,
    Row,
    account_names,
    consistency,
    encode,
    fetch_at,
    head,
    inclusions,
    prefixed,
)
from ledger.journal.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.journal.verifying.findings import Broken, Progress, VerifiedAccount, open_note, snapshot

# 200 proofs read about 10,000 hashes.
PAGE_ENTRIES = 200

_POSITIONS = """
SELECT position FROM (
    (SELECT position, debit_sequence AS sequence FROM journal.transfer
        WHERE debit = $1 AND debit_sequence > $2 ORDER BY debit_sequence LIMIT $3)
    UNION ALL
    (SELECT position, credit_sequence FROM journal.transfer
        WHERE credit = $1 AND credit_sequence > $2 ORDER BY credit_sequence LIMIT $3)
    ORDER BY sequence LIMIT $3
) t
"""


async def verify_account(
    connection: asyncpg.Connection,
    name: str,
    *,
    verifiers: Sequence[Verifier] = (),
    against: Iterable[Checkpoint] = (),
    progress: Progress | None = None,
) -> VerifiedAccount | Broken | None:
    """The account's transfers from the first to the last, each proven to be in the log; None for an unknown account.

    The log itself must continue the newest stored checkpoint (if there are `verifiers`) and the given ones.
    """
    async with snapshot(connection):
        account = await connection.fetchrow("SELECT id, floor, sequence FROM journal.balance WHERE name = $1", name)
        if account is None:
            return None
        chain = _Chain(account["id"], NO_FLOOR if account["floor"] is None else account["floor"])
        try:
            now = await head(connection)
            await _check_continues(connection, now, verifiers, against)
            while positions := await _positions(connection, chain):
                await _check_page(connection, chain, positions, now)
                if progress is not None:
                    progress(chain.sequence, account["sequence"])
        except Damaged as damage:
            return Broken(damage.position, damage.until, damage.why)
        return VerifiedAccount(
            account=name, transfers=chain.sequence, balance=chain.balance, size=now.size, root=now.root
        )


class _Chain:
    """How far the account has been followed."""

    def __init__(self, account: int, floor: int) -> None:
        self.account = account
        self._floor = floor
        self.sequence = 0
        self.balance = 0

    def follow(self, row: Row) -> None:
        """Take the entry's transfers, if they are what comes next."""
        for line in row.lines:
            for side, minutes in ((1, -line[3]), (2, line[3])):
                if line[side] != self.account:
                    continue
                self.sequence += 1
                self.balance += minutes
                if (line[side * 2 + 2], line[side * 2 + 3]) != (self.sequence, self.balance):
                    raise Damaged(row.position, f"the account's transfer {self.sequence} is missing or altered")
                if minutes < 0 and self.balance < self._floor:
                    raise Damaged(row.position, f"the account falls to {self.balance}, below {self._floor}")


async def _check_continues(
    connection: asyncpg.Connection, now: Head, verifiers: Sequence[Verifier], against: Iterable[Checkpoint]
) -> None:
    checkpoints = list(against)
    if verifiers:
        note = await connection.fetchval("SELECT note FROM journal.checkpoint ORDER BY size DESC LIMIT 1")
        if note is not None:
            try:
                checkpoints.append(open_note(note, verifiers))
            except ProofError as error:
                raise Damaged(now.size, f"the newest stored checkpoint: {error}") from None
    for checkpoint in checkpoints:
        if checkpoint.size > now.size:
            why = f"the log ends at {now.size}, and a tree of {checkpoint.size} was signed"
            raise Damaged(now.size + 1, why, checkpoint.size)
        path = await consistency(connection, checkpoint.size, now.size)
        if not verify_consistency(checkpoint.size, now.size, checkpoint.root, now.root, path):
            why = f"the log doesn't continue the checkpoint of {checkpoint.size} entries: verify the journal"
            raise Damaged(1, why, checkpoint.size)


async def _positions(connection: asyncpg.Connection, chain: _Chain) -> list[int]:
    """Where the account's next transfers are said to stand."""
    rows = await connection.fetch(_POSITIONS, chain.account, chain.sequence, PAGE_ENTRIES)
    return sorted({row["position"] for row in rows})


async def _check_page(connection: asyncpg.Connection, chain: _Chain, positions: list[int], now: Head) -> None:
    """The entries at these positions stand in the tree as their rows have them, and continue the chain."""
    if not 1 <= positions[0] <= positions[-1] <= now.size:
        raise Damaged(positions[-1], f"the log has no entry there: it has {now.size}")
    rows = {row.position: row for row in await fetch_at(connection, positions)}
    names = await account_names(connection, rows.values())
    for position, path in zip(positions, await inclusions(connection, positions, now.size), strict=True):
        row = rows.get(position)
        if row is None:
            raise Damaged(position, "the entry is missing")
        leaf = leaf_hash(encode(row, lambda account: prefixed(names[account].encode())))
        if leaf != row.leaf:
            raise Damaged(position, "the entry's rows don't fit its leaf")
        if not verify_inclusion(position - 1, now.size, leaf, path, now.root):
            why = f"the leaves and nodes don't prove the entry at {position}: verify the journal to find where"
            raise Damaged(1, why, now.size)
        before = chain.sequence
        chain.follow(row)
        if chain.sequence == before:
            raise Damaged(position, "the entry doesn't touch the account")
