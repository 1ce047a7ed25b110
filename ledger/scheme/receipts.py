"""Receipts for the people whose entries they are: the proof that a line of their statement stands in the journal.

A receipt is a whole leaf of the log, with every account that the entry touches and its balance after it; without them
it would prove nothing. Staff and the auditor may have any. Somebody else is given one only if the entry touches their
own wallet, or what they have on hold, and no account of another person: so nobody learns from it what another has or
gave. That leaves out a gift that was received, for it counts in the giver's month; staff have its receipt.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import log
from ledger.scheme.acts import is_own
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.lines import Line, lines_of
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

_NOT_YET = f"No checkpoint covers this yet: one is signed every {log.SIGN_EVERY_SECONDS} seconds."


class OwnReceipt(Struct, frozen=True, kw_only=True):
    """A line of somebody's statement and its receipt.

    ``text`` is None for the seconds until it is signed for, and for good where the entry is another person's too.
    """

    line: Line
    position: int
    is_anothers_too: bool
    text: str | None


class Receipts:
    """Reading receipts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def text(self, caller: Caller, entry: UUID) -> str:
        """The receipt of any entry for the scheme and its auditor, and of their own for whoever asks besides."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            if caller.scope not in {Scope.SCHEME, Scope.AUDITOR} and await _is_anothers_too(raw, caller, entry):
                raise Declined(Refusal.NOT_FOUND, "Its receipt tells of somebody else too: staff have it.")
            found = await log.receipt(raw, entry)
        if found is None:
            raise Declined(Refusal.NOT_FOUND, f"There is no such entry. Or: {_NOT_YET}")
        return found

    async def of(self, caller: Caller, person: UUID, entry: UUID) -> OwnReceipt:
        """A line of their own statement with its receipt."""
        now: datetime = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            anothers = await _is_anothers_too(raw, caller, entry)
            at = await raw.fetchrow(_LINE, account("wallet", holder), entry)
            if at is None:
                raise Declined(Refusal.NOT_FOUND)
            (line,) = await lines_of(raw, caller, holder, now, before=at["sequence"] + 1, limit=1)
            return OwnReceipt(
                line=line,
                position=at["position"],
                is_anothers_too=anothers,
                text=None if anothers else await log.receipt(raw, entry),
            )


async def _is_anothers_too(raw: asyncpg.Connection, caller: Caller, entry: UUID) -> bool:
    """Whether an entry of the caller's touches another person's account as well; declines what isn't theirs at all."""
    if caller.scope is not Scope.PERSON or caller.holder is None:
        raise Declined(Refusal.NOT_FOUND)
    own = [account(kind, caller.holder) for kind in ("wallet", "held")]
    row = await raw.fetchrow(_WHOSE, entry, own, caller.holder)
    if row is None or not row["is_theirs"]:
        raise Declined(Refusal.NOT_FOUND)
    return bool(row["is_anothers"])


# An account is `kind:owner`, or `kind:owner:period`; the owner may be a person's holder, a venue, an offer and so on.
_WHOSE = """
SELECT coalesce(bool_or(a.name = ANY($2::text[])), false) AS is_theirs,
    coalesce(bool_or(h.id IS NOT NULL), false) AS is_anothers
FROM journal.entry e
JOIN journal.transfer t ON t.position = e.position
JOIN journal.account a ON a.id IN (t.debit, t.credit)
CROSS JOIN LATERAL (
    SELECT CASE WHEN split_part(a.name, ':', 2) ~ '^[0-9a-f]{32}$' THEN split_part(a.name, ':', 2)::uuid END AS owner
) named
LEFT JOIN scheme.holder h ON h.id = named.owner AND h.id <> $3
WHERE e.id = $1
"""
_LINE = """
SELECT e.position, CASE WHEN t.debit = a.id THEN t.debit_sequence ELSE t.credit_sequence END AS sequence
FROM journal.account a, journal.entry e
JOIN journal.transfer t ON t.position = e.position
WHERE a.name = $1 AND e.id = $2 AND a.id IN (t.debit, t.credit)
ORDER BY t.line LIMIT 1
"""
