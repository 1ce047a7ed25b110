"""Erasing: what the journal forgets of an account's owner. The entries stay, and the log verifies as before.

    refusals' words, while anybody may post -> lock -> open holds, entries' words -> the caller's last entries

An entry or a refusal that has words (``details``) holds only their salted commitment; words and salt stand apart and go
together, so that nothing can be guessed back. Whoever retries under such a key hears the earlier outcome, whatever
else they ask: nothing is posted twice.

Entries are found by their accounts, by index: 5 ms for three thousand. Refusals are found by reading all of their words
once, 8 us each, so that a million take eight seconds: do it before the journal's head is locked. Of a refusal that
comes in meanwhile or later, the caller sees to it that it can only name ids.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

# Longer than any other statement may take: thirty million refusals: more than a nation's tills are told in a century.
_SCAN_MS_MAX = 240_000


async def open_holds(connection: asyncpg.Connection, account: str) -> list[UUID]:
    """The ids of the holds into that account which nothing has resolved yet, oldest first."""
    return [row["id"] for row in await connection.fetch(_OPEN_HOLDS, account)]


async def forget_details(connection: asyncpg.Connection, accounts: Sequence[str]) -> int:
    """Delete the words of every entry that touched one of these accounts; how many that were."""
    return _count(await connection.execute(_FORGET_DETAILS, list(accounts)))


async def forget_refusals(connection: asyncpg.Connection, accounts: Sequence[str], mentioned: Sequence[UUID]) -> int:
    """Delete the words of refusals: at a floor of these accounts, or naming one of their entries or of these ids."""
    await connection.execute(f"SET LOCAL statement_timeout = {_SCAN_MS_MAX}")
    status = await connection.execute(_FORGET_REFUSALS, list(accounts), list(mentioned))
    await connection.execute("SET LOCAL statement_timeout TO DEFAULT")
    return _count(status)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


_OPEN_HOLDS = """
SELECT e.id
FROM journal.entry e
WHERE e.kind = 'hold'
    AND e.position IN (
        SELECT position FROM journal.transfer WHERE credit = (SELECT id FROM journal.account WHERE name = $1)
    )
    AND NOT EXISTS (
        SELECT FROM journal.entry r WHERE r.target = e.position AND r.kind IN ('capture', 'void', 'lapse')
    )
ORDER BY e.position
"""
_POSITIONS = """
    SELECT position FROM journal.transfer
    WHERE debit = ANY(ARRAY(SELECT id FROM journal.account WHERE name = ANY($1::text[])))
    UNION
    SELECT position FROM journal.transfer
    WHERE credit = ANY(ARRAY(SELECT id FROM journal.account WHERE name = ANY($1::text[])))
"""
_FORGET_DETAILS = f"DELETE FROM journal.detail WHERE position IN ({_POSITIONS})"  # noqa: S608  # of the constant above
# Words are JSON: an id stands between quotation marks.
_FORGET_REFUSALS = f"""
DELETE FROM journal.refusal_detail WHERE id IN (
    SELECT id FROM journal.refusal WHERE account = ANY($1::text[])
    UNION
    SELECT d.id
    FROM journal.refusal_detail d CROSS JOIN LATERAL unnest(string_to_array(d.body, '"')) named
    WHERE named IN (
        SELECT unnest($2::uuid[])::text
        UNION
        SELECT e.id::text FROM journal.entry e WHERE e.position IN ({_POSITIONS})
    )
)
"""  # noqa: S608  # of the constant above
