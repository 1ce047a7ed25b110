"""Milestones: how much time somebody gave in all, and when they reached each of those that they chose to celebrate.

Hours count as they stand corrected, on the day on which they were given, once they are approved; so a milestone can be
reached earlier, or not yet, after something was put right. For the person themselves and staff: what somebody
celebrates is nobody else's affair, a helper's neither.

Somebody's own claims are looked through, by an index: in twenty years some thousand rows, 5 ms.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.acts import is_own
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.people import holder_of
from ledger.scheme.preferences import preference_of
from ledger.scheme.refusals import Declined, Refusal


class Milestone(Struct, frozen=True, kw_only=True):
    """Hours that somebody chose, and the day on which they had given so many; None as long as they haven't."""

    hours: int
    reached_on: date | None


class Celebrated(Struct, frozen=True, kw_only=True):
    """What somebody gave in all, and their milestones in order."""

    name: str
    large_print: bool
    minutes: int
    milestones: Sequence[Milestone]


class Milestones:
    """Reading milestones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, caller: Caller, person: UUID) -> Celebrated:
        """What there is to celebrate, or ``not_found``."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            preference = await preference_of(raw, person)
            rows = await raw.fetch(_REACHED, holder, list(preference.milestones))
            who = await raw.fetchrow(_GAVE, person, holder)
        if who is None:  # erased in between
            raise Declined(Refusal.NOT_FOUND)
        return Celebrated(
            name=who["name"],
            large_print=preference.large_print,
            minutes=who["minutes"],
            milestones=[Milestone(hours=row["hours"], reached_on=row["reached_on"]) for row in rows],
        )


_REACHED = """
WITH given AS (
    SELECT day, sum(minutes) OVER (ORDER BY day, started_at, id) AS minutes
    FROM scheme.counted WHERE holder = $1 AND state = 'approved'
)
SELECT hours, (SELECT min(day) FROM given WHERE minutes >= hours * 60) AS reached_on
FROM unnest($2::integer[]) hours
ORDER BY hours
"""
_GAVE = """
SELECT p.name, coalesce((
    SELECT sum(minutes) FROM scheme.counted WHERE holder = $2 AND state = 'approved'
), 0)::bigint AS minutes
FROM scheme.person p WHERE p.id = $1
"""
