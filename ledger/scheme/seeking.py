"""Seeking something to do: published opportunities of active projects, the nearest first, each with its next session.

    the district -> every opportunity that fits, with its distance -> a page in order -> when each is next

Near by come first, by whole kilometres between the middles of the two districts; then those whose place isn't known,
among them what is done at home or online, which is as far from everybody. Of the same distance, by title.

Anybody seeks, and nobody is asked who they are; who seeks what is kept nowhere. A project is told by its alias.

What bounds it: a nation has some thousands of opportunities, which are looked through for each page. What fails: a
district that isn't in the list, with the field.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import Clock
from ledger.scheme.districts import known_district
from ledger.scheme.opportunities import Opportunity, told
from ledger.scheme.refusals import Declined, Refusal

# Two months of a weekly session.
SESSIONS_SHOWN: Final = 10
# "A quarter of an hour": and everything that is so short by itself.
SHORT_MINUTES: Final = 15
# Farther than anything in the kingdom: where nobody knows how far it is.
_SOMEWHERE: Final = 100_000


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody seeks. ``near`` is a district or a postcode; ``words`` stand in the title, description or alias.

    ``anywhere``: it is done at home or online. ``short``: a quarter of an hour is enough.
    """

    near: str | None = None
    words: str | None = None
    tags: Sequence[str] = ()
    anywhere: bool = False
    short: bool = False


class Found(Opportunity, frozen=True, kw_only=True):
    """An opportunity as everybody finds it; ``next_at`` is when its next session begins, if one is planned."""

    km: int | None
    next_at: datetime | None

    @property
    def order(self) -> str:
        """Where it stands in the order, for whoever goes on from it."""
        return f"{_SOMEWHERE if self.km is None else self.km} {self.title}"


class Time(Struct, frozen=True, kw_only=True):
    """A session to come; ``left`` None: no limit. ``joined``: whoever asks is expected at it."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    left: int | None
    joined: bool


class Shown(Struct, frozen=True, kw_only=True):
    """An opportunity by itself, with its next sessions."""

    opportunity: Opportunity
    times: Sequence[Time]


class Seeking:
    """Finding opportunities."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def search(self, wanted: Wanted, *, after: tuple[str, UUID] | None, limit: int) -> Sequence[Found]:
        """Those that fit, in order; ``after`` is the last one seen: its ``order`` then, and its id."""
        async with self._database.plain() as raw:
            near = None if wanted.near is None else await known_district(raw, wanted.near)
            rows = await raw.fetch(
                _SEARCH,
                near,
                wanted.words and wanted.words.lower(),
                list(wanted.tags),
                wanted.anywhere,
                wanted.short,
                SHORT_MINUTES,
                *_place(after),
                limit,
                self._clock(),
            )
        return [
            Found(**told(row), km=None if row["km"] == _SOMEWHERE else row["km"], next_at=row["next_at"])
            for row in rows
        ]

    async def show(self, id_: UUID, holder: UUID | None) -> Shown:
        """A published opportunity with its next sessions; ``holder`` is who asks, if they are somebody here."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_SHOW, id_)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            times = await raw.fetch(_TIMES, id_, self._clock(), holder, SESSIONS_SHOWN)
        return Shown(opportunity=Opportunity(**told(row)), times=[Time(**each) for each in times])


def _place(after: tuple[str, UUID] | None) -> tuple[int | None, str | None, UUID | None]:
    if after is None:
        return None, None, None
    km, title = after[0].split(" ", 1)
    return int(km), title, after[1]


# By the haversine, as in `finding`.
_SEARCH = f"""
WITH found AS (
    SELECT o.id, o.title, coalesce(CASE WHEN o.kind NOT IN ('at_home', 'online') THEN round(2 * 6371 * asin(sqrt(
            sind((d.latitude - h.latitude) / 2) ^ 2
            + cosd(h.latitude) * cosd(d.latitude) * sind((d.longitude - h.longitude) / 2) ^ 2
        )))::integer END, {_SOMEWHERE}) AS km
    FROM scheme.opportunity o
    JOIN scheme.project p ON p.id = o.project
    LEFT JOIN scheme.district d ON d.name = o.district
    LEFT JOIN scheme.district h ON h.name = $1
    WHERE o.status = 'published' AND p.status = 'active'
        AND ($2::text IS NULL OR strpos(lower(concat_ws(' ', o.title, o.description, o.place, p.alias)), $2) > 0)
        AND o.tags @> $3::text[]
        AND (NOT $4::boolean OR o.kind IN ('at_home', 'online'))
        AND (NOT $5::boolean OR o.minutes <= $6 OR 'fifteen_minutes' = ANY(o.tags))
),
page AS (
    SELECT * FROM found
    WHERE $7::integer IS NULL OR (km, title, id) > ($7, $8::text, $9::uuid)
    ORDER BY km, title, id
    LIMIT $10
)
SELECT o.*, p.alias, page.km, (
    SELECT s.started_at FROM scheme.session s
    WHERE s.opportunity = o.id AND s.started_at > $11 AND s.cancelled_at IS NULL
    ORDER BY s.started_at LIMIT 1
) AS next_at
FROM page JOIN scheme.opportunity o ON o.id = page.id JOIN scheme.project p ON p.id = o.project
ORDER BY page.km, page.title, page.id
"""  # noqa: S608  # a number of our own
_SHOW = """
SELECT o.*, p.alias
FROM scheme.opportunity o JOIN scheme.project p ON p.id = o.project
WHERE o.id = $1 AND o.status = 'published' AND p.status = 'active'
"""
_TIMES = """
SELECT s.id, s.started_at AS starts_at, s.ended_at AS ends_at,
    CASE WHEN o.places IS NOT NULL THEN greatest(0, o.places - (
        SELECT count(*) FROM scheme.attendance a WHERE a.session = s.id AND a.state <> 'absent'
    ))::integer END AS left,
    EXISTS (SELECT FROM scheme.attendance a WHERE a.session = s.id AND a.holder = $3 AND a.state = 'expected') AS joined
FROM scheme.session s JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.opportunity = $1 AND s.started_at > $2 AND s.cancelled_at IS NULL
ORDER BY s.started_at, s.id LIMIT $4
"""
