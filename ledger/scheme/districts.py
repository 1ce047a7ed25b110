"""Postcode districts: where the first half of a postcode lies, for "near me".

They come from an open list, such as the ONS's, that the scheme loads and loads again: what is there already is put
right, what the list leaves out stays, all of it or nothing. The kingdom has some 3,000; ``ROWS_MAX`` bounds a list.

A postcode is written as the post does, "CB4 1DQ". Nobody's own postcode is ever asked for or kept: who looks for
something near by says a district, or a postcode of which only the first half is looked at.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import asyncpg
from msgspec import Meta, Struct

from ledger.database import Database, driver
from ledger.scheme.refusals import Declined, Refusal

ROWS_MAX: Final = 5_000
_INWARD: Final = 3  # characters of a postcode's second half
_DISTRICT_MAX: Final = 4  # and of its first half, at most

# Degrees on WGS 84, as the database bounds them; the one place where a figure isn't whole.
Latitude = Annotated[float, Meta(ge=49, le=61)]
Longitude = Annotated[float, Meta(ge=-9, le=2)]


class District(Struct, frozen=True, gc=False):
    """A district and about where its middle lies."""

    name: str
    latitude: Latitude
    longitude: Longitude


class Loaded(Struct, frozen=True, kw_only=True):
    """How many districts a list has, and how many of them are new or lie elsewhere now."""

    districts: int
    new: int
    changed: int


def postcode(text: str) -> str:
    """A whole postcode as it is written: "cb41dq" is "CB4 1DQ"."""
    bare = _bare(text)
    return f"{bare[:-_INWARD]} {bare[-_INWARD:]}"


def district(text: str) -> str:
    """The district of a postcode, or the district itself: "CB4" of both "cb4 1dq" and "cb4"."""
    bare = _bare(text)
    return bare[:-_INWARD] if len(bare) > _DISTRICT_MAX else bare


async def known_district(raw: asyncpg.Connection, near: str) -> str:
    """The same of what somebody looks near by of; declines one that isn't in the list."""
    name = district(near)
    if not await raw.fetchval("SELECT EXISTS (SELECT FROM scheme.district WHERE name = $1)", name):
        raise Declined(
            Refusal.WRONG_VALUES,
            f"We don't know where {name} is: please try a district near by.",
            fields=(("near", "is no postcode district that is known here"),),
        )
    return name


def _bare(text: str) -> str:
    return "".join(text.split()).upper()


class Districts:
    """Loading districts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, districts: Sequence[District]) -> Loaded:
        """Know these districts from now on; each stands in the list once."""
        if not 0 < len(districts) <= ROWS_MAX:
            raise Declined(Refusal.WRONG_VALUES, fields=(("districts", f"must be 1 to {ROWS_MAX:,}"),))
        async with self._database.transaction() as connection:
            written = await driver(connection).fetch(
                _LOAD,
                [one.name for one in districts],
                [one.latitude for one in districts],
                [one.longitude for one in districts],
            )
        new = sum(row["new"] for row in written)
        return Loaded(districts=len(districts), new=new, changed=len(written) - new)


# In order of their names, so that two lists at once can't wait for each other.
_LOAD = """
INSERT INTO scheme.district AS d (name, latitude, longitude)
SELECT * FROM unnest($1::text[], $2::double precision[], $3::double precision[]) u (name, latitude, longitude)
ORDER BY name
ON CONFLICT (name) DO UPDATE SET latitude = excluded.latitude, longitude = excluded.longitude
    WHERE (d.latitude, d.longitude) <> (excluded.latitude, excluded.longitude)
RETURNING xmax = 0 AS new
"""
