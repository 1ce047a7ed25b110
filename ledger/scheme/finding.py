"""Finding somewhere to spend: published offers of active venues, the nearest first.

    the district -> every offer that fits, with its nearest site -> a page in order -> the sites of that page

Near by come first, by whole kilometres from the middle of the district; then offers whose place isn't known; then the
national ones, for whoever wants to go far: they are found from everywhere, however near somebody looks. Of the same
distance, by title. Without a district, by title within the same order.

What is told is an offer's public side: no quota, nothing of whoever looks, and who looks for what is kept nowhere.

What bounds it: a nation has some 5,000 published offers and 3,000 sites, all of which are looked through for each page
(30 ms); a page shows ``SITES_SHOWN`` sites of each. What fails: a district that isn't in the list, with the field.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.districts import district, known_district
from ledger.scheme.occasions import Occasion, coming
from ledger.scheme.offers import TIMED
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.terms import Kind, Reach, Terms
from ledger.scheme.windows import DAYS, Window

SITES_SHOWN: Final = 5
# A screenful or two; a course has as many at most as one can book (see `visits`).
OCCASIONS_SHOWN: Final = 60
# Farther than anything in the kingdom: where nobody knows how far it is.
_SOMEWHERE: Final = 100_000


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody looks for. ``near`` is a district or a postcode; ``within_km`` of it, but for national offers.

    ``open_on`` are those that are open at some time of that day, or have an occasion on it; ``quiet_on`` those with a
    quiet time that day, ``quiet`` those with one on any day; ``low_talk`` those where nobody has to talk.
    ``step_free`` looks at step-free sites only. ``words`` stand in the title, the description or the venue's name.
    """

    near: str | None = None
    within_km: int | None = None
    reach: Reach | None = None
    kind: Kind | None = None
    step_free: bool = False
    companion_free: bool = False
    low_talk: bool = False
    open_on: date | None = None
    quiet_on: date | None = None
    quiet: bool = False
    words: str | None = None


class Where(Struct, frozen=True, kw_only=True):
    """A site at which the offer is given, and how far that is; None where that isn't known or wasn't asked."""

    id: UUID
    name: str
    address: str
    postcode: str | None
    step_free: bool | None
    km: int | None


class Found(Struct, frozen=True, kw_only=True):
    """An offer as everybody finds it; ``price`` in minutes, ``km`` to its nearest site, ``sites`` the nearest first."""

    id: UUID
    venue: UUID
    venue_name: str
    title: str
    kind: Kind
    reach: Reach
    description: str
    expect: str
    price: int
    companion_free: bool
    low_talk: bool
    booking_needed: bool
    requires: Sequence[str]
    windows: Sequence[Window]
    closed: Sequence[date]
    quiet: Sequence[Window]
    km: int | None
    sites: Sequence[Where]

    @property
    def place(self) -> str:
        """Where it stands in the order, for whoever goes on from it."""
        far = self.reach is Reach.NATIONAL
        return f"{far:d} {_SOMEWHERE if self.km is None else self.km} {self.title}"


class Shown(Found, frozen=True, kw_only=True):
    """An offer by itself, with its terms but for the quota; ``can_be_used``: it is published, and its venue active.

    ``occasions`` are the next of them that aren't over, cancelled ones left out; of a course all that can be booked.
    """

    terms: Terms
    can_be_used: bool
    occasions: Sequence[Occasion]


class Finding:
    """Finding offers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def search(self, wanted: Wanted, *, after: tuple[str, UUID] | None, limit: int) -> Sequence[Found]:
        """The offers that fit, in order; ``after`` is the last one seen: its ``place`` then, and its id."""
        if wanted.within_km is not None and wanted.near is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("near", "is needed where there is a within_km"),))
        async with self._database.reading() as connection:
            raw = driver(connection)
            near = None if wanted.near is None else await known_district(raw, wanted.near)
            rows = await raw.fetch(
                _SEARCH,
                near,
                wanted.within_km,
                wanted.reach and wanted.reach.value,
                wanted.kind and wanted.kind.value,
                wanted.step_free,
                *_terms_wanted(wanted),
                *_day(wanted.open_on),
                *_place(after),
                limit,
                wanted.words and wanted.words.lower(),
            )
            sites = await raw.fetch(_SITES, near, [row["id"] for row in rows], wanted.step_free, SITES_SHOWN)
        places: dict[UUID, list[Where]] = {row["id"]: [] for row in rows}
        for site in sites:
            places[site["offer"]].append(Where(**{name: site[name] for name in Where.__struct_fields__}))
        return [_found(row, places[row["id"]]) for row in rows]

    async def show(self, id_: UUID, *, near: str | None = None) -> Shown:
        """The offer, to whoever asks; one that is paused or over, too, for somebody may have booked it. No draft.

        A ``near`` that isn't known says nothing of distances.
        """
        async with self._database.reading() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_SHOW, id_)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            place = None if near is None else district(near)
            sites = await raw.fetch(_SITES, place, [id_], False, SITES_SHOWN)  # noqa: FBT003  # a parameter of SQL
            occasions = await coming(raw, id_, self._clock(), OCCASIONS_SHOWN) if row["kind"] in TIMED else ()
        where = [Where(**{name: site[name] for name in Where.__struct_fields__}) for site in sites]
        found = _found({**row, "km": next((each.km for each in where), None)}, where)
        return Shown(
            **{name: getattr(found, name) for name in Found.__struct_fields__},
            terms=msgspec.structs.replace(msgspec.json.decode(row["terms"], type=Terms), quota=None),
            can_be_used=row["can_be_used"],
            occasions=occasions,
        )


def _terms_wanted(wanted: Wanted) -> tuple[str, str, str]:
    """What an offer's terms must hold, one of its windows, and what they may not; as JSON holds JSON."""
    must: dict[str, object] = {}
    if wanted.companion_free:
        must["companion_free"] = True
    if wanted.low_talk:
        must["low_talk"] = True
    if wanted.quiet:
        must["quiet"] = [{}]  # any
    if wanted.quiet_on is not None:
        must["quiet"] = [{"days": [DAYS[wanted.quiet_on.weekday()]]}]
    day = [] if wanted.open_on is None else [{"days": [DAYS[wanted.open_on.weekday()]]}]
    closed = [] if wanted.open_on is None else [wanted.open_on]
    encode = msgspec.json.encode
    return encode(must).decode(), encode({"windows": day}).decode(), encode({"closed": closed}).decode()


def _day(day: date | None) -> tuple[datetime | None, datetime | None]:
    """When that day begins and ends in London."""
    if day is None:
        return None, None
    return datetime.combine(day, time(), LONDON), datetime.combine(day + timedelta(days=1), time(), LONDON)


def _place(after: tuple[str, UUID] | None) -> tuple[bool | None, int | None, str | None, UUID | None]:
    """What `Found.place` says, and the id."""
    if after is None:
        return None, None, None, None
    far, km, title = after[0].split(" ", 2)
    return far == "1", int(km), title, after[1]


def _found(row: Mapping[str, Any] | asyncpg.Record, sites: Sequence[Where]) -> Found:
    terms = msgspec.json.decode(row["terms"], type=Terms)
    return Found(
        id=row["id"],
        venue=row["venue"],
        venue_name=row["venue_name"],
        title=row["title"],
        kind=Kind(row["kind"]),
        reach=Reach(row["reach"]),
        description=row["description"],
        expect=row["expect"],
        price=row["price"],
        companion_free=terms.companion_free,
        low_talk=terms.low_talk,
        booking_needed=terms.booking_needed,
        requires=terms.requires,
        windows=terms.windows,
        closed=terms.closed,
        quiet=terms.quiet,
        km=None if row["km"] == _SOMEWHERE else row["km"],
        sites=sites,
    )


# By the haversine, on a sphere of 6,371 km: right within half a per cent.
_KM = """
    round(2 * 6371 * asin(sqrt(
        sind((coalesce(s.latitude, d.latitude) - h.latitude) / 2) ^ 2
        + cosd(h.latitude) * cosd(coalesce(s.latitude, d.latitude))
            * sind((coalesce(s.longitude, d.longitude) - h.longitude) / 2) ^ 2
    )))::integer
"""
_SITE = f"""
SELECT s.id, s.venue, s.name, s.address, s.postcode, s.step_free, {_KM} AS km
FROM scheme.site s
LEFT JOIN scheme.district d ON d.name = split_part(s.postcode, ' ', 1)
LEFT JOIN scheme.district h ON h.name = $1
WHERE s.closed_at IS NULL
"""  # noqa: S608  # a piece of our own
# Every offer is looked at for each page: it is the distance that orders them, and that is another for each who asks.
_SEARCH = f"""
WITH site AS MATERIALIZED ({_SITE} AND (NOT $5::boolean OR s.step_free)),
found AS (
    SELECT o.id, o.title, v.name AS venue_name, o.reach = 'national' AS far, coalesce(min(s.km), {_SOMEWHERE}) AS km
    FROM scheme.offer o
    JOIN scheme.venue v ON v.id = o.venue
    LEFT JOIN site s ON s.venue = o.venue AND (o.site IS NULL OR s.id = o.site)
    WHERE o.status = 'published' AND v.status = 'active'
        AND ($3::text IS NULL OR o.reach = $3) AND ($4::text IS NULL OR o.kind = $4)
        AND ($6::jsonb = '{{}}' OR o.terms::jsonb @> $6)
        AND ($9::timestamptz IS NULL OR CASE
            WHEN o.kind IN ('show', 'course') THEN o.id IN (
                SELECT c.offer FROM scheme.occasion c
                WHERE c.starts_at >= $9 AND c.starts_at < $10 AND c.cancelled_at IS NULL
            )
            ELSE (o.terms::jsonb -> 'windows' IS NULL OR o.terms::jsonb @> $7::jsonb)
                AND NOT o.terms::jsonb @> $8::jsonb
        END)
        AND ($16::text IS NULL OR strpos(lower(concat_ws(' ', o.title, v.name, o.description)), $16) > 0)
    GROUP BY o.id, v.name
    HAVING (NOT $5 OR count(s.id) > 0)
        AND ($2::integer IS NULL OR o.reach = 'national' OR min(s.km) <= $2)
),
page AS (
    SELECT * FROM found
    WHERE $11::boolean IS NULL OR (far, km, title, id) > ($11, $12::integer, $13::text, $14::uuid)
    ORDER BY far, km, title, id
    LIMIT $15
)
SELECT o.*, p.venue_name, p.km FROM page p JOIN scheme.offer o ON o.id = p.id ORDER BY p.far, p.km, p.title, p.id
"""  # noqa: S608  # pieces of our own
_SHOW = """
SELECT o.*, v.name AS venue_name, o.status = 'published' AND v.status = 'active' AS can_be_used
FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
WHERE o.id = $1 AND o.status <> 'draft'
"""
_SITES = f"""
SELECT o.id AS offer, s.*
FROM scheme.offer o
CROSS JOIN LATERAL (
    {_SITE} AND s.venue = o.venue AND (o.site IS NULL OR s.id = o.site) AND (NOT $3::boolean OR s.step_free)
    ORDER BY km, s.name, s.id LIMIT $4
) s
WHERE o.id = ANY($2::uuid[])
ORDER BY s.km, s.name, s.id
"""  # noqa: S608  # pieces of our own
