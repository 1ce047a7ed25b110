"""What stands: the hours that count for somebody already, when others of theirs are weighed.

Registers, claims and attendance ask it of each person with the period in question, set-based, after they locked the
holders: so nobody's hours are weighed against a past that changes meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.scheme.clock import day_of


class Given(Struct, frozen=True, kw_only=True):
    """Hours to be weighed: whose, in which session, from when to when; and as which claim they count already, if so."""

    holder: UUID
    session: UUID | None
    started_at: datetime
    ended_at: datetime
    claim: UUID | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """What counts for their holder without them: minutes on that day and in that week (from Monday, in London).

    ``overlapping`` says that others lie in the same period, ``here`` that there is a claim of theirs in this very
    session, whatever became of it: there is never a second.
    """

    day_minutes: int
    week_minutes: int
    overlapping: bool
    here: bool


async def standing(connection: asyncpg.Connection, given: Sequence[Given]) -> list[Standing]:
    """What stands for each, in their order. It doesn't weigh them against each other."""
    days = [day_of(one.started_at) for one in given]
    rows = await connection.fetch(
        _STANDING,
        [one.holder for one in given],
        [one.session for one in given],
        [one.started_at for one in given],
        [one.ended_at for one in given],
        days,
        [day - timedelta(days=day.weekday()) for day in days],
        [one.claim for one in given],
    )
    return [Standing(**row) for row in rows]


# A period may reach into the days around its week by its own 24 hours and another's.
_STANDING = """
SELECT coalesce(sum(c.minutes) FILTER (WHERE c.day = u.day), 0)::integer AS day_minutes,
    coalesce(sum(c.minutes) FILTER (WHERE c.day BETWEEN u.monday AND u.monday + 6), 0)::integer AS week_minutes,
    coalesce(bool_or(
        c.started_at < u.ended_at AND c.ended_at > u.started_at
        AND (u.session IS NULL OR c.session IS DISTINCT FROM u.session)
    ), false) AS overlapping,
    bool_or(h.id IS NOT NULL) AS here
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::date[], $6::date[], $7::uuid[])
    WITH ORDINALITY u (holder, session, started_at, ended_at, day, monday, claim, number)
LEFT JOIN scheme.counted c
    ON c.holder = u.holder AND c.day BETWEEN u.monday - 2 AND u.monday + 8 AND c.id IS DISTINCT FROM u.claim
LEFT JOIN scheme.claim h ON h.session = u.session AND h.holder = u.holder AND h.id IS DISTINCT FROM u.claim
GROUP BY u.number
ORDER BY u.number
"""
