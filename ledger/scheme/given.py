"""What was given: by a project's people in a quarter, and by a venue in a month. For thanks and for reports.

**A project's quarter** counts approved hours as they stand corrected, on the day on which they were given. It names
nobody, and it is made to be passed on, so small counts are hidden (rule 29): figures of fewer than `SMALL` people
aren't told. Of a breakdown whose sum is told, so many more parts are hidden that what is missing is at least two parts
and `SMALL` people together: it can't be worked out from the rest. Slips that nobody has claimed count as hours and as
nobody.

**A venue's month** counts what its account received, less what it gave back, by when that was recorded; a visit that
was refunded whole in the month isn't one. The quota is the month's by the date of the visit, on hold or made, for that
is how it is used up.

For the scheme and the project or venue itself; to others there is none. A quarter is read from the project's claims
that were made since it began, a month from a stretch of the venue's account, both by index: some thousand rows.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import LONDON
from ledger.scheme.refusals import Declined, Refusal

SMALL: Final = 5
_MONTHS: Final = 12
_QUARTER: Final = 3
_TICK: Final = timedelta(microseconds=1)

Part = TypeVar("Part", bound=Hashable)


class Figures(Struct, frozen=True, kw_only=True):
    """What was given, and by how many; all None where that is hidden."""

    minutes: int | None
    people: int | None
    sessions: int | None

    @property
    def is_hidden(self) -> bool:
        """Whether they are too few to be told."""
        return self.minutes is None


class OpportunityGave(Struct, frozen=True, kw_only=True):
    """A part of a quarter: by opportunity, or with None what belongs to none."""

    opportunity: UUID | None
    title: str | None
    figures: Figures


class MonthGave(Struct, frozen=True, kw_only=True):
    """A part of a quarter: a month in which something was given, by its first day."""

    month: date
    figures: Figures


class ProjectGave(Struct, frozen=True, kw_only=True):
    """What a project's people gave in a quarter, from its first to its last day."""

    project: UUID
    name: str
    alias: str
    first_day: date
    last_day: date
    total: Figures
    opportunities: Sequence[OpportunityGave]
    """By title, what belongs to none last."""
    months: Sequence[MonthGave]


class OfferHonoured(Struct, frozen=True, kw_only=True):
    """What was honoured of an offer in a month, in minutes; ``quota`` is as it is now."""

    offer: UUID
    title: str
    visits: int
    minutes: int
    """Less what was refunded; below zero where more was given back of earlier visits."""
    refunded: int
    quota: int | None
    used: int
    """Places of the month's quota, on hold or visited; 0 without one."""


class VenueMonth(Struct, frozen=True, kw_only=True):
    """What a venue honoured in a month, which is told by its first day."""

    venue: UUID
    name: str
    month: date
    visits: int
    minutes: int
    refunded: int
    offers: Sequence[OfferHonoured]
    """By title: those that can be had, and others of which something was used or given back."""


class Given:
    """Reading what was given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_project(self, caller: Caller, project: UUID, quarter: date) -> ProjectGave:
        """What the project's people gave in the quarter in which that day lies."""
        first = quarter_of(quarter)
        after = _later(first, _QUARTER)
        async with self._database.reading() as connection:
            raw = driver(connection)
            named = await raw.fetchrow("SELECT name, alias FROM scheme.project WHERE id = $1", project)
            if named is None or not caller.speaks_for(project):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_HOURS, project, first, after, _midnight(first))
        titles = {row["opportunity"]: row["title"] for row in rows}
        total = _figures(rows)
        opportunities = _told(rows, _opportunity, total)
        months = _told(rows, _month, total)
        return ProjectGave(
            project=project,
            name=named["name"],
            alias=named["alias"],
            first_day=first,
            last_day=after - timedelta(days=1),
            total=total,
            opportunities=[
                OpportunityGave(opportunity=id_, title=titles[id_], figures=opportunities[id_])
                for id_ in sorted(titles, key=lambda id_: (id_ is None, titles[id_] or "", str(id_)))
            ],
            months=[MonthGave(month=month, figures=months[month]) for month in sorted(months)],
        )

    async def venue_month(self, caller: Caller, venue: UUID, month: date) -> VenueMonth:
        """What the venue honoured in the month in which that day lies."""
        first = month.replace(day=1)
        before = [_midnight(day) - _TICK for day in (first, _later(first, 1))]
        own = caller.scope is Scope.SCHEME or (caller.scope is Scope.VENUE and caller.object == venue)
        async with self._database.reading() as connection:
            raw = driver(connection)
            name = await raw.fetchval("SELECT name FROM scheme.venue WHERE id = $1", venue)
            if name is None or not own:
                raise Declined(Refusal.NOT_FOUND)
            honoured = {row["offer"]: row for row in await raw.fetch(_HONOURED, account("redeemed", venue), *before)}
            offers = await raw.fetch(_OFFERS, venue, f"{first:%Y-%m}")
        shown = [
            _honoured(row, honoured.get(row["id"].hex))
            for row in offers
            if row["status"] == "published" or row["used"] or row["id"].hex in honoured
        ]
        return VenueMonth(
            venue=venue,
            name=name,
            month=first,
            visits=sum(each.visits for each in shown),
            minutes=sum(each.minutes for each in shown),
            refunded=sum(each.refunded for each in shown),
            offers=shown,
        )


def quarter_of(day: date) -> date:
    """The first day of the quarter in which that day lies."""
    return day.replace(month=(day.month - 1) // _QUARTER * _QUARTER + 1, day=1)


def hidden(parts: Mapping[Part, Collection[UUID]]) -> set[Part]:
    """The parts to hide where their sum is told: the small ones, and others until what is missing is no small count."""
    people = {part: set(who) for part, who in parts.items()}
    found = {part for part, who in people.items() if len(who) < SMALL}
    shown = sorted((part for part in people if part not in found), key=lambda part: len(people[part]), reverse=True)
    while found and shown and (len(found) == 1 or len(set().union(*(people[part] for part in found))) < SMALL):
        found.add(shown.pop())
    return found


def _told(
    rows: Sequence[asyncpg.Record], part_of: Callable[[asyncpg.Record], Part], total: Figures
) -> Mapping[Part, Figures]:
    """The figures of each part, as far as they are told."""
    parts: defaultdict[Part, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        parts[part_of(row)].append(row)
    hides = set(parts) if total.is_hidden else hidden({part: _people(of) for part, of in parts.items()})
    return {part: _HIDDEN if part in hides else _figures(of) for part, of in parts.items()}


def _opportunity(row: asyncpg.Record) -> UUID | None:
    found: UUID | None = row["opportunity"]
    return found


def _month(row: asyncpg.Record) -> date:
    found: date = row["month"]
    return found


def _figures(rows: Sequence[asyncpg.Record]) -> Figures:
    people = _people(rows)
    # Nothing at all tells of nobody.
    if rows and len(people) < SMALL:
        return _HIDDEN
    sessions = {row["session"] for row in rows} - {None}
    return Figures(minutes=sum(row["minutes"] for row in rows), people=len(people), sessions=len(sessions))


def _people(rows: Sequence[asyncpg.Record]) -> set[UUID]:
    return {row["holder"] for row in rows if row["holder"] is not None}


def _honoured(offer: asyncpg.Record, row: asyncpg.Record | None) -> OfferHonoured:
    return OfferHonoured(
        offer=offer["id"],
        title=offer["title"],
        visits=0 if row is None else row["visits"],
        minutes=0 if row is None else row["taken"] - row["refunded"],
        refunded=0 if row is None else row["refunded"],
        quota=offer["quota"],
        used=offer["used"],
    )


def _later(first: date, months: int) -> date:
    """The first day of the month that lies so many later."""
    number = first.year * _MONTHS + first.month - 1 + months
    return date(number // _MONTHS, number % _MONTHS + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LONDON)


_HIDDEN: Final = Figures(minutes=None, people=None, sessions=None)
# Nobody claims hours of the future, so none of a quarter was made before it began: that leaves out the years before.
_HOURS = """
SELECT o.id AS opportunity, o.title, date_trunc('month', c.day)::date AS month, c.holder, c.session, c.minutes
FROM scheme.claim made
JOIN scheme.counted c ON c.id = made.id
LEFT JOIN scheme.session s ON s.id = c.session
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE made.project = $1 AND made.state = 'approved' AND made.created_at >= $4::timestamptz - interval '1 day'
    AND c.day >= $2 AND c.day < $3
"""
# A visit began with an entry: what was taken at once, or the hold; its reference is the offer.
_HONOURED = """
WITH venue AS MATERIALIZED (
    SELECT id, journal.sequence_at(id, journal.position_at($2)) AS after,
        journal.sequence_at(id, journal.position_at($3)) AS until
    FROM journal.account WHERE name = $1
), moved AS (
    SELECT t.position, t.minutes AS taken, 0 AS refunded
    FROM venue v JOIN journal.transfer t
        ON t.credit = v.id AND t.credit_sequence > v.after AND t.credit_sequence <= v.until
    UNION ALL
    SELECT t.position, 0, t.minutes
    FROM venue v JOIN journal.transfer t
        ON t.debit = v.id AND t.debit_sequence > v.after AND t.debit_sequence <= v.until
), visit AS (
    SELECT coalesce(r.reference, t.reference, e.reference) AS offer, sum(m.taken)::bigint AS taken,
        sum(m.refunded)::bigint AS refunded
    FROM moved m
    JOIN journal.entry e ON e.position = m.position
    LEFT JOIN journal.entry t ON t.position = e.target
    LEFT JOIN journal.entry r ON r.position = t.target
    GROUP BY coalesce(r.position, t.position, e.position), 1
)
SELECT offer, count(*) FILTER (WHERE taken > refunded) AS visits, sum(taken)::bigint AS taken,
    sum(refunded)::bigint AS refunded
FROM visit GROUP BY offer
"""
_OFFERS = """
SELECT o.id, o.title, o.status, (o.terms::json ->> 'quota')::integer AS quota, coalesce((
    SELECT -balance FROM journal.balance WHERE name = 'allowance:' || encode(uuid_send(o.id), 'hex') || ':' || $2::text
), 0) AS used
FROM scheme.offer o WHERE o.venue = $1 ORDER BY o.title, o.id
"""
