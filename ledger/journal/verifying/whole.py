"""The whole journal, in one pass: see the package for what is checked and in what order."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from hashlib import sha256

import asyncpg

from ledger.journal.checkpoint import Checkpoint, ProofError, Verifier
from ledger.journal.log import NO_FLOOR, Damaged, Head, Row, encode, fetch, head, prefixed
from ledger.journal.merkle import STORED_LEVELS_STEP, Frontier
from ledger.journal.verifying.findings import Broken, Progress, Verified, open_note, snapshot
from ledger.journal.verifying.targets import TARGETLESS, check_targets

# 5,000 entries are about 2 MB of rows and 60 ms; larger chunks gain nothing.
CHUNK_ENTRIES = 5_000
_CHUNK_ACCOUNTS = 10_000


async def verify_journal(
    connection: asyncpg.Connection,
    *,
    verifiers: Sequence[Verifier] = (),
    against: Collection[Checkpoint] = (),
    progress: Progress | None = None,
) -> Verified | Broken:
    """Everything, against the stored checkpoints and the given ones; without `verifiers` the stored are passed over."""
    async with snapshot(connection):
        try:
            return await _Walk(connection, verifiers, against).to_the_end(progress)
        except Damaged as damage:
            return Broken(damage.position, damage.until, damage.why)


class _Walk:
    """One pass over the log, with what it must remember."""

    def __init__(
        self, connection: asyncpg.Connection, verifiers: Sequence[Verifier], against: Iterable[Checkpoint]
    ) -> None:
        self._connection = connection
        self._verifiers = verifiers
        self._against = sorted(against, key=lambda checkpoint: checkpoint.size)
        self._frontier = Frontier()
        self._fits = 0  # the size of the last checkpoint that fitted
        self._recorded_at = -(2**63)
        self._transfers = self._details = self._nodes = self._checkpoints = 0
        self._reads_details = False
        # By account id; 0 is nobody's. What is wrong with an account's row is held against the first entry that
        # touches it, in `_suspect`.
        self._names: list[bytes] = [b""]
        self._floors = array("q", [NO_FLOOR])
        self._balances = array("q", [0])
        self._sequences = array("q", [0])
        self._suspect: dict[int, str] = {}

    async def to_the_end(self, progress: Progress | None) -> Verified:
        now = await head(self._connection)
        size = now.size
        self._reads_details = await self._connection.fetchval("SELECT has_table_privilege('journal.detail', 'SELECT')")
        await self._refuse_before_the_first()
        await self._load_accounts()
        await self._check_tree([], 0, 0)
        for first in range(1, size + 1, CHUNK_ENTRIES):
            last = min(first + CHUNK_ENTRIES - 1, size)
            await self._check_chunk(first, last)
            if progress is not None:
                progress(last, size)
        await self._check_end(now)
        return Verified(
            entries=size,
            transfers=self._transfers,
            accounts=len(self._names) - 1,
            details=self._details,
            nodes=self._nodes,
            checkpoints=self._checkpoints,
            root=self._frontier.root(),
        )

    async def _check_chunk(self, first: int, last: int) -> None:
        """All checks of a range. The damage that is raised is the first in the order of positions."""
        rows: list[Row] = []
        leaves: list[bytes] = []
        details = await self._fetch_details(first, last)
        found: Damaged | None = None
        try:
            for row in await fetch(self._connection, first, last):
                leaves.append(self._check_row(row, first + len(leaves), details))
                if row.target:
                    rows.append(row)
        except Damaged as damage:
            found = damage
        else:
            if len(leaves) <= last - first:
                found = Damaged(first + len(leaves), "the entry is missing")
        try:
            if rows:
                await check_targets(self._connection, rows, first)
        except Damaged as damage:
            found = damage  # which is earlier: these rows were good in themselves
        if found is not None:
            del leaves[found.position - first :]
        await self._check_tree(leaves, first, last)
        if found is not None:
            raise found

    async def _fetch_details(self, first: int, last: int) -> dict[int, tuple[bytes, str]]:
        if not self._reads_details:
            return {}
        rows = await self._connection.fetch(
            "SELECT position, salt, body FROM journal.detail WHERE position BETWEEN $1 AND $2", first, last
        )
        return {position: (salt, body) for position, salt, body in rows}

    def _check_row(self, row: Row, expected: int, details: dict[int, tuple[bytes, str]]) -> bytes:
        """The entry's leaf hash, if all that can be said of the entry by itself is right."""
        position = row.position
        if position != expected:
            raise Damaged(expected, "the entry is missing")
        if row.recorded_at < self._recorded_at:
            raise Damaged(position, "it was recorded before the entry ahead of it")
        self._recorded_at = row.recorded_at
        self._check_lines(row)
        leaf = sha256(b"\x00" + encode(row, self._names.__getitem__)).digest()
        if leaf != row.leaf:
            raise Damaged(position, "the entry's rows don't fit its leaf")
        if (row.target == 0) != (row.kind in TARGETLESS):
            raise Damaged(position, "an entry of its kind has a target, or it has one and may not")
        if details and position in details:
            salt, body = details[position]
            if sha256(salt + body.encode()).digest() != row.commitment:
                raise Damaged(position, "the details are not those that the entry commits to")
            self._details += 1
        return leaf

    def _check_lines(self, row: Row) -> None:
        """Both accounts of each transfer go on where they were, and above their floors."""
        sequences, balances = self._sequences, self._balances
        if not row.lines:
            raise Damaged(row.position, "the entry has no transfers")
        for expected, line in enumerate(row.lines):
            _, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence, credit_balance, floor, at = line
            if self._suspect or not (0 < debit < len(sequences) and 0 < credit < len(sequences)):
                self._refuse_suspect(row.position, debit, credit)
            if at != expected or minutes <= 0 or debit == credit:
                raise Damaged(row.position, f"transfer {expected} is missing, moves nothing or stays where it is")
            if (
                debit_sequence != sequences[debit] + 1
                or debit_balance != balances[debit] - minutes
                or credit_sequence != sequences[credit] + 1
                or credit_balance != balances[credit] + minutes
            ):
                raise Damaged(row.position, self._explain_chain(line))
            if debit_balance < floor or floor != self._floors[debit]:
                raise Damaged(row.position, f"{self._name(debit)} falls below its floor, or the row has another floor")
            sequences[debit], balances[debit] = debit_sequence, debit_balance
            sequences[credit], balances[credit] = credit_sequence, credit_balance
        self._transfers += len(row.lines)

    def _refuse_suspect(self, position: int, *accounts: int) -> None:
        for account in accounts:
            if not 0 < account < len(self._names):
                raise Damaged(position, f"its account {account} has no row")
            if account in self._suspect:
                raise Damaged(position, self._suspect[account])

    def _explain_chain(self, line: Sequence[int]) -> str:
        _, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence, credit_balance, *_ = line
        for account, sequence, balance, change in (
            (debit, debit_sequence, debit_balance, -minutes),
            (credit, credit_sequence, credit_balance, minutes),
        ):
            want = self._sequences[account] + 1, self._balances[account] + change
            if (sequence, balance) != want:
                return (
                    f"{self._name(account)} should be at its transfer {want[0]} with {want[1]} minutes, "
                    f"and the entry says transfer {sequence} with {balance}"
                )
        raise AssertionError("the chain holds")

    def _name(self, account: int) -> str:
        return self._names[account][1:].decode()

    # --- the tree -----------------------------------------------------------------------------------------------------

    async def _check_tree(self, leaves: list[bytes], first: int, last: int) -> None:
        """Grow the tree by these leaves, and compare it with the nodes and checkpoints on the way."""
        nodes = await self._fetch_nodes(first, last)
        start = 0
        for size, root in [*await self._checkpoints_between(first, last), (last, None)]:
            segment = leaves[start : size - first + 1]
            start += len(segment)
            completed = self._frontier.extend(segment)
            for level, index, hash_ in sorted(completed, key=lambda node: node.index + 1 << node.level):
                if nodes.get((level, index)) != hash_:
                    until = index + 1 << level
                    raise Damaged(
                        max((index << level) + 1, self._fits + 1),
                        f"the stored node at level {level}, index {index} is not over these leaves",
                        until,
                    )
            self._nodes += len(completed)
            if self._frontier.size < size:
                return  # the leaves end at damage that the caller knows of
            if root is not None and root != self._frontier.root():
                raise Damaged(self._fits + 1, _REWRITTEN.format(self._fits, size), size)
            if root is not None:
                self._fits = size
                self._checkpoints += 1

    async def _fetch_nodes(self, first: int, last: int) -> dict[tuple[int, int], bytes]:
        """The stored nodes over perfect subtrees that end within the range."""
        keys = [
            (level, index)
            for level in range(STORED_LEVELS_STEP, last.bit_length(), STORED_LEVELS_STEP)
            for index in range((first - 1 >> level), last >> level)
        ]
        if not keys:
            return {}
        levels, indexes = zip(*keys, strict=True)
        rows = await self._connection.fetch(
            "SELECT n.level, n.index, n.hash FROM unnest($1::smallint[], $2::bigint[]) w (level, index) "
            "JOIN journal.node n USING (level, index)",
            list(levels),
            list(indexes),
        )
        return {(level, index): hash_ for level, index, hash_ in rows}

    async def _checkpoints_between(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Sizes and roots of all checkpoints in the range, stored and given, by size."""
        marks = [(checkpoint.size, checkpoint.root) for checkpoint in self._against if first <= checkpoint.size <= last]
        if self._verifiers:
            for size, note in await self._connection.fetch(
                "SELECT size, note FROM journal.checkpoint WHERE size BETWEEN $1 AND $2", first, last
            ):
                try:
                    checkpoint = open_note(note, self._verifiers)
                except ProofError as error:
                    raise Damaged(size, f"the stored checkpoint of {size} entries: {error}") from None
                if checkpoint.size != size:
                    raise Damaged(size, f"the stored checkpoint of {size} entries is one of {checkpoint.size}")
                marks.append((size, checkpoint.root))
        return sorted(marks)

    # --- what stands beside the log -----------------------------------------------------------------------------------

    async def _refuse_before_the_first(self) -> None:
        for table in ("entry", "transfer"):
            before = await self._connection.fetchval(_FIRST.format(table))
            if before is not None and before < 1:
                raise Damaged(before, f"there is a row in journal.{table} before the first position")

    async def _load_accounts(self) -> None:
        """Names and floors, by id. What is wrong with a row matters from the first entry on that touches it."""
        floors = {row["name"]: row["floor"] for row in await self._connection.fetch(_KINDS)}
        async for id_, floor, name in self._accounts():
            while len(self._names) < id_:
                self._suspect[len(self._names)] = f"its account {len(self._names)} has no row"
                self._take_account(b"", None)
            kind = name.partition(":")[0]
            if kind not in floors:
                self._suspect[id_] = f"its account {name!r} is of a kind that the chart doesn't have"
            elif floor != floors[kind]:
                self._suspect[id_] = f"the floor of {name!r} is {floor}, and its kind's is {floors[kind]}"
            self._take_account(name.encode(), floor)
        for row in await self._connection.fetch(_NAMED_ALIKE):
            self._suspect |= dict.fromkeys(row["ids"], "two accounts have the name of its account")

    def _take_account(self, name: bytes, floor: int | None) -> None:
        self._names.append(prefixed(name[:255]))
        self._floors.append(NO_FLOOR if floor is None else floor)
        self._balances.append(0)
        self._sequences.append(0)

    async def _accounts(self) -> AsyncIterator[tuple[int, int | None, str]]:
        """Id, floor and name of every account that was given a number, by number."""
        after = 0
        while rows := await self._connection.fetch(_ACCOUNTS, after, _CHUNK_ACCOUNTS):
            for id_, floor, name in rows:
                yield id_, floor, name
            after = rows[-1]["id"]

    async def _check_end(self, now: Head) -> None:
        """Rows after the last, the head, the accounts and the kinds: all must be what the log comes to."""
        size = now.size
        longest = await self._connection.fetchval(
            "SELECT max(size) FROM journal.checkpoint" if self._verifiers else "SELECT 0::bigint"
        )
        longest = max([longest or 0, *(checkpoint.size for checkpoint in self._against)])
        if longest > size:
            raise Damaged(size + 1, f"the log ends at {size}, and a tree of {longest} was signed", longest)
        for table in ("entry", "transfer", *(("detail",) if self._reads_details else ())):
            after = await self._connection.fetchval(_AFTER.format(table), size)
            if after is not None:
                raise Damaged(after, f"there is a row in journal.{table} after the head's position {size}")
        if self._frontier.to_bytes() != now.frontier:
            raise Damaged(size, "the head's frontier is not that of the leaves")
        if now.accounts != len(self._names) - 1:
            raise Damaged(size, f"the head counts {now.accounts} accounts, and there are {len(self._names) - 1}")
        if now.recorded_at < self._recorded_at:
            raise Damaged(size, "the head's time is before that of the last entry")
        if await self._connection.fetchval("SELECT count(*) FROM journal.node") != self._nodes:
            raise Damaged(size, f"there are nodes that no tree of {size} leaves has")
        await self._check_kinds(size)

    async def _check_kinds(self, size: int) -> None:
        totals: dict[str, int] = {}
        for id_, name in enumerate(self._names[1:], 1):
            if not self._sequences[id_]:
                raise Damaged(size, f"no entry has touched account {id_}, {self._name(id_)!r}")
            kind = name[1:].partition(b":")[0].decode()
            totals[kind] = totals.get(kind, 0) + self._balances[id_]
        for row in await self._connection.fetch(_KINDS):
            come_to = totals.get(row["name"], 0)
            if row["balance"] != come_to:
                why = f"the accounts of kind {row['name']!r} come to {come_to}, and its row says {row['balance']}"
                raise Damaged(size, why)
        # Follows from the transfers, and is what an auditor asks first.
        if sum(totals.values()):
            raise Damaged(size, f"the trial balance is {sum(totals.values())} minutes instead of 0")


_REWRITTEN = (
    "history was rewritten: the log fits the checkpoint of {} entries, and no longer that of {}; the rows fit their "
    "leaves, so only a checkpoint between the two could tell more"
)
_FIRST = "SELECT position FROM journal.{} ORDER BY position LIMIT 1"
_AFTER = "SELECT position FROM journal.{} WHERE position > $1 ORDER BY position LIMIT 1"
_KINDS = "SELECT name, floor, balance FROM journal.kind ORDER BY name"
# A number that was never given out would make the memory for those before it: whoever uses it has no row.
_ACCOUNTS = """
SELECT id, floor, name FROM journal.account
WHERE id > $1 AND id <= (SELECT count(*) FROM journal.account) ORDER BY id LIMIT $2
"""
_NAMED_ALIKE = "SELECT array_agg(id) AS ids FROM journal.account GROUP BY name HAVING count(*) > 1"
