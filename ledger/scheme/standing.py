"""What stands: the hours that count for somebody already, when others of theirs are weighed.

Registers, claims and attendance ask it of each person with the period in question, set-based, after they locked the
holders: so nobody's hours are weighed against a past that changes meanwhile.

Of two claims at the same time only the later one is weighed against the other. So whether a claim that waits overlaps
others is no longer asked of what was found when it came, but of what counts now (``OVERLAPPING``): by whoever lists it,
and by whoever approves it, under the holder's lock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.scheme.clock import day_of
from ledger.scheme.hours import State

# Nobody is at as many places at once; whoever says so is talked to.
OVERLAPS_MAX: Final = 10


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


class Overlap(Struct, frozen=True, kw_only=True):
    """Other hours of the same person that count and lie in the same period, or in a part of it."""

    id: UUID
    """The claim's."""
    project: UUID
    started_at: datetime
    ended_at: datetime
    counts: int
    state: State


async def overlaps(connection: asyncpg.Connection, claims: Sequence[UUID]) -> dict[UUID, list[Overlap]]:
    """Of each of these claims that waits: what counts beside it, its own project's first, at most `OVERLAPS_MAX`."""
    found: dict[UUID, list[Overlap]] = {}
    for row in await connection.fetch(_OVERLAPS, claims, OVERLAPS_MAX):
        found.setdefault(row["claim"], []).append(
            Overlap(
                id=row["id"],
                project=row["project"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                counts=row["counts"],
                state=State(row["state"]),
            )
        )
    return found


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
# What counts beside a claim `c`. A period is a day long at most, and a day may be 23 hours.
_BESIDE = """
scheme.counted o
WHERE o.holder = c.holder AND o.day BETWEEN c.day - 2 AND c.day + 2 AND o.id <> c.id
    AND o.started_at < c.ended_at AND o.ended_at > c.started_at
"""
# Whether a claim `c` waits, and others of its person overlap it now. Those of one session are one claim.
OVERLAPPING: Final = f"(c.state IN ('submitted', 'queried') AND EXISTS (SELECT FROM {_BESIDE}))"
_OVERLAPS = f"""
SELECT c.id AS claim, beside.*
FROM scheme.claim c
CROSS JOIN LATERAL (
    SELECT o.id, o.project, o.started_at, o.ended_at, o.minutes AS counts, o.state FROM {_BESIDE}
    ORDER BY o.project <> c.project, o.started_at, o.id LIMIT $2
) beside
WHERE c.id = ANY($1::uuid[]) AND c.state IN ('submitted', 'queried')
ORDER BY c.id, beside.project <> c.project, beside.started_at, beside.id
"""  # noqa: S608  # our own
