"""Booking codes: what somebody shows at a till for what they have booked.

A code is a credential's, and finds one hold; that of a course is found by the id of its first session, and is good for
each of them on its day. When a booking is changed its code goes along, so whoever wrote it down needn't hear of it. As
any code it is made anew when it is shown, and never stored (see ``codes``).
"""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from ledger.scheme.codes import code_for, code_hash, secret_of

_PURPOSE: Final = "booking"


async def give(raw: asyncpg.Connection, booking: UUID, holder: UUID, by: UUID, now: datetime) -> None:
    """A code for that booking, or for the course whose first session it is."""
    secret, id_ = await secret_of(raw), uuid4()
    await raw.execute(_GIVE, id_, holder, code_hash(secret, shown(secret, id_)), booking, now, by)


async def move(raw: asyncpg.Connection, before: UUID, after: UUID, by: UUID, now: datetime) -> None:
    """Let the code of a booking be that of the one which takes its place."""
    await raw.execute(_MOVE, before, after, now, by)


async def for_now(raw: asyncpg.Connection, booking: UUID, now: datetime) -> UUID:
    """Which hold the code means at this moment: of a course, the session whose time is nearest.

    Those that were cancelled or have lapsed aren't meant; one that was captured is, so that whoever captures again
    hears so, and doesn't pay for the next.
    """
    found: UUID | None = await raw.fetchval(_FOR_NOW, booking, now)
    return booking if found is None else found


def shown(secret: bytes, credential: UUID) -> str:
    """The code as it is read and typed."""
    return code_for(secret, _PURPOSE, credential)


_GIVE = """
INSERT INTO scheme.credential (id, kind, status, holder, code_hash, booking, issued_at, issued_by, changed_at,
    changed_by)
VALUES ($1, 'booking', 'active', $2, $3, $4, $5, $6, $5, $6)
"""
_MOVE = """
UPDATE scheme.credential SET booking = $2, changed_at = $3, changed_by = $4 WHERE booking = $1 AND status = 'active'
"""
_FOR_NOW = """
SELECT b.id
FROM scheme.booking b JOIN journal.entry hold ON hold.id = b.id
WHERE b.course = $1 AND NOT EXISTS (
    SELECT FROM journal.entry done WHERE done.target = hold.position AND done.kind IN ('void', 'lapse')
)
ORDER BY greatest(b.visit_at - $2::timestamptz, $2 - b.visit_at), b.id
LIMIT 1
"""
