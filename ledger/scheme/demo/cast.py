"""Whom a visitor of the demo may want to be: people of the county whose pages have something to show, and tablets."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.callers import SCHEME
from ledger.scheme.demo.plan import (
    ANN,
    BILAL,
    GUARDIAN_BEFORE,
    WITHOUT_CONSENT,
    coordinator_of,
    deputy_of,
    manager_of,
)

# By their place in the list of all; see `waiting` for what was made for each.
_CAST: Final[Mapping[int, str]] = {
    ANN: "has a card and a pass, and credits to spend",
    BILAL: "is a friend of hers",
    78: "was asked something about their hours",
    31: "helps somebody with their pages",
    WITHOUT_CONSENT - GUARDIAN_BEFORE: "is a guardian who has not agreed yet",
    19: "keeps a group's pot, with another",
    # Known by their roles, and shown before others who have the same.
    coordinator_of(0): "",
    deputy_of(0): "",
    manager_of(0): "",
}

_TABLETS: Final[Mapping[str, str]] = {"demo till Parkside Pool": "/till", "demo kiosk 0": "/kiosk"}


class Member(Struct, frozen=True):
    """Somebody of the cast, and what there is to see as them; nothing where their role tells it."""

    person: UUID
    name: str
    says: str


class Tablet(Struct, frozen=True):
    """A till or a kiosk, where it stands, and the page that it shows."""

    device: UUID
    name: str
    place: str
    page: str


async def tablets(database: Database) -> Sequence[Tablet]:
    """Those of the tablets that are still in use; none where no demo was loaded."""
    async with database.reading() as connection:
        rows = {row["key"]: row for row in await driver(connection).fetch(_DEVICES, SCHEME, list(_TABLETS))}
    return [
        Tablet(rows[key]["id"], rows[key]["name"], rows[key]["place"], page)
        for key, page in _TABLETS.items()
        if key in rows
    ]


async def cast(database: Database) -> Sequence[Member]:
    """Those of the cast who are still there, in its order; none where no demo was loaded."""
    keys = {f"demo person {who}": says for who, says in _CAST.items()}
    async with database.reading() as connection:
        rows = {row["key"]: row for row in await driver(connection).fetch(_PEOPLE, SCHEME, list(keys))}
    return [Member(rows[key]["id"], rows[key]["name"], says) for key, says in keys.items() if key in rows]


_PEOPLE = """
SELECT a.key, p.id, p.name
FROM scheme.answer a JOIN scheme.person p ON p.id = (a.body::json ->> 'id')::uuid
WHERE a.principal = $1 AND a.key = ANY($2::text[])
"""
_DEVICES = """
SELECT a.key, d.id, d.name, coalesce(v.name, p.name) AS place
FROM scheme.answer a
JOIN scheme.device d ON d.id = (a.body::json ->> 'id')::uuid
LEFT JOIN scheme.venue v ON v.id = d.venue
LEFT JOIN scheme.project p ON p.id = d.project
WHERE a.principal = $1 AND a.key = ANY($2::text[]) AND d.status = 'active'
"""
