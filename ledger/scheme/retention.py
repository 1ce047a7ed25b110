"""Retention: what is kept of people goes when its time has come (rule 28).

Contact details go ``contact_months`` after they were last used, all of them at once: how somebody may be reached, how
they would like to be, and whether it is safe. The name stays, for as long as the person is one of ours, and the journal
stays, which knows neither. Somebody who comes back is simply asked again.

Whoever uses or changes the details at the same moment wins: a row that is locked is left, and looked at the next time.
A run removes ``ROWS_MAX`` at most and tells how many; run again it goes on, and with nothing left it does nothing.
"""

from datetime import datetime
from typing import Final

import asyncpg

from ledger.scheme import outbox
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.rules import in_force

# Deleted and told within some 20 ms, so that nobody waits long for their row.
ROWS_MAX: Final = 500


async def remove_contacts(connection: asyncpg.Connection, now: datetime) -> int:
    """Remove contact details that nobody used for so long, in the caller's transaction; return how many."""
    months = (await in_force(connection)).rules.contact_months
    holders = [row["id"] for row in await connection.fetch(_REMOVE, now, months, ROWS_MAX)]
    await outbox.put(connection, [Event(topic=Topic.CONTACT_REMOVED, holder=holder) for holder in holders], now)
    return len(holders)


# Months are those of the clock on the wall, as everywhere in the scheme. Every person has a holder. By arrays, of whose
# length nothing is known: of what a limit may let through, the planner would think too much and read whole tables.
_REMOVE = """
WITH due AS (
    SELECT person FROM scheme.contact
    WHERE used_at <= (($1::timestamptz AT TIME ZONE 'Europe/London') - make_interval(months => $2))
        AT TIME ZONE 'Europe/London'
    ORDER BY used_at LIMIT $3
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM scheme.contact WHERE person = ANY(ARRAY(SELECT person FROM due)) RETURNING person
)
SELECT id FROM scheme.holder WHERE person = ANY(ARRAY(SELECT person FROM gone))
"""
