"""The command that loads postcode districts: where "near me" is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ledger.doors.cli.answers import Answer, Verb
from ledger.doors.cli.lists import read_rows
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.districts import ROWS_MAX, District, Districts, Latitude, Longitude

if TYPE_CHECKING:
    from ledger.database import Database

_COLUMNS: Final = ("district", "latitude", "longitude")
_NAME: Final = re.compile(r"[A-Z]{1,2}[0-9][0-9A-Z]?")
_DEGREES: Final = re.compile(r"-?[0-9]{1,2}(\.[0-9]{1,15})?")


@click.group()
def districts() -> None:
    """Postcode districts, for finding what is near by."""


@districts.command("load", cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def districts_load(file: Path) -> Answer:
    """Know the districts of a CSV FILE, an open list such as the ONS's: district, latitude, longitude.

    All of them or none. What is known already is put right, and what the list leaves out stays: so it can be loaded
    again whenever there is a newer one.
    """
    found = _read_districts(file)

    async def work(database: Database) -> Answer:
        loaded = await Districts(database).load(found)
        noun = "district" if loaded.districts == 1 else "districts"
        text = f"Loaded {loaded.districts:,} {noun}: {loaded.new:,} new, {loaded.changed:,} put right."
        return Answer(loaded, text)

    return with_database(settings(), work)


def _read_districts(file: Path) -> list[District]:
    """The districts of the file; a usage error that names the rows at fault, for anything that isn't such a list."""
    first: dict[str, int] = {}

    def check(header: list[str]) -> None:
        if sorted(header) != sorted(_COLUMNS):
            raise click.UsageError(f"{file} has the columns {header}; a list of districts has {', '.join(_COLUMNS)}.")

    def read(number: int, cells: dict[str, str]) -> District:
        name = cells["district"].upper()
        if not _NAME.fullmatch(name):
            raise ValueError("has no postcode district, such as CB4")
        if first.setdefault(name, number) != number:
            raise ValueError(f"has {name} again, which stands in row {first[name]}")
        return District(name, *(_degrees(cells, column) for column in _COLUMNS[1:]))

    return read_rows(file, check, read, ROWS_MAX)


def _degrees(cells: dict[str, str], column: str) -> float:
    """Degrees within the kingdom, as the district's own type bounds them."""
    if not _DEGREES.fullmatch(cells[column]):
        raise ValueError(f"has no {column} in degrees, such as 52.21")
    try:
        return msgspec.convert(float(cells[column]), Latitude if column == "latitude" else Longitude)
    except msgspec.ValidationError:
        raise ValueError(f"has a {column} outside the kingdom") from None
