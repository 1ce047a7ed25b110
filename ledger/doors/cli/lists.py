"""Lists in CSV: what registers, balances and districts have in common, and who and how many minutes in the first two.

A list is in UTF-8; one of minutes has one or more columns that say who it was, of which each row fills one. It is read
whole or not at all: a usage error names the rows at fault, counted as a spreadsheet does, the header being the first.
What bounds it: 5 MiB, as over the API, and the rows that the caller allows.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import UUID

import click

from ledger.scheme.refusals import Declined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

# As a request's: 5,000 lines of a UUID and minutes are 0.2 MB.
FILE_BYTES_MAX: Final = 5 * 1024 * 1024
LABEL_MAX: Final = 200
_FAULTS_SHOWN: Final = 20
_MINUTES: Final = re.compile(r"[0-9]{1,9}")
_LINE: Final = re.compile(r"lines\[([0-9]+)\](\.?)")


Line = TypeVar("Line")


class Listed(NamedTuple):
    """A line of a list: its row in the file, and one of these: somebody's id, or words in the column of that name."""

    row: int
    minutes: int
    person: UUID | None
    column: str
    words: str


def read_list(file: Path, what: str, who: Collection[str], rows_max: int) -> list[Listed]:
    """The lines of the file, which is to be `what`, with those columns that say who it was; `person` is an id."""
    return read_rows(
        file,
        lambda header: _check_header(file, header, what, who),
        lambda number, cells: _read(number, cells, who),
        rows_max,
    )


def read_rows(
    file: Path, check: Callable[[list[str]], None], read: Callable[[int, dict[str, str]], Line], rows_max: int
) -> list[Line]:
    """What `read` makes of each row of the file, its number and its cells by column; it raises ValueError for a fault.

    `check` raises a usage error for columns that aren't those of such a list.
    """
    rows = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    lines: list[Line] = []
    faults: list[str] = []
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        check(header)
        for row in rows:
            if not any(map(str.strip, row)):  # as spreadsheets leave them at the end
                continue
            try:
                lines.append(read(rows.line_num, _cells(header, row)))
            except ValueError as error:
                faults.append(f"row {rows.line_num}: {error}")
            if len(lines) > rows_max:
                raise click.UsageError(f"{file} has more than {rows_max:,} rows.")
    except csv.Error as error:
        faults.append(f"row {rows.line_num}: {error}")
    if faults:
        more = [f"... and {len(faults) - _FAULTS_SHOWN} more"] if len(faults) > _FAULTS_SHOWN else []
        raise click.UsageError("\n".join([f"{file} can't be read:", *faults[:_FAULTS_SHOWN], *more]))
    return lines


@contextmanager
def told_by_row(lines: Sequence[Listed]) -> Iterator[None]:
    """What is declined of a line in here is told by its row in the file."""
    try:
        yield
    except Declined as declined:

        def row(found: re.Match[str]) -> str:
            return f"row {lines[int(found[1])].row}{', ' if found[2] else ''}"

        fields = tuple((_LINE.sub(row, name), _LINE.sub(row, why)) for name, why in declined.fields)
        raise Declined(declined.reason, declined.detail, fields=fields, replayed=declined.replayed) from None


def is_label(text: str) -> bool:
    """Whether it is words on one line, as a name or a label is; what is only white space says nothing."""
    return 0 < len(text) <= LABEL_MAX and text.isprintable() and not text.isspace()


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise click.UsageError(f"{file} is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise click.UsageError(
            f"{file} is not in UTF-8 (row {row}, byte {error.start}): save it as CSV UTF-8."
        ) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise click.UsageError(f"{file} has NUL characters (row {row}): save it as CSV UTF-8.")
    return text


def _check_header(file: Path, header: list[str], what: str, who: Collection[str]) -> None:
    """Minutes, somebody, and nothing else or twice."""
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise click.UsageError(f"{file} has the columns {header}: more than one is called {' and '.join(twice)}.")
    found = set(header) - {"minutes"}
    if "minutes" not in header or not found or not found <= set(who):
        raise click.UsageError(
            f"{file} has the columns {header}; {what} has minutes and one or more of {', '.join(sorted(who))}."
        )


def _cells(header: list[str], row: list[str]) -> dict[str, str]:
    """The row's cells by column; raises ValueError if it has more or less of them."""
    if len(row) != len(header):
        raise ValueError(f"has {len(row)} columns instead of {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def _read(number: int, cells: dict[str, str], who: Collection[str]) -> Listed:
    """A line; raises ValueError with what is wrong. Whether the minutes are allowed the scheme says."""
    minutes = cells.pop("minutes")
    if not _MINUTES.fullmatch(minutes):
        raise ValueError("has no whole number of minutes")
    said = {name: cell for name, cell in cells.items() if cell}
    if len(said) != 1:
        raise ValueError(f"must say who it was in one of {', '.join(sorted(who))}")
    ((column, cell),) = said.items()
    if column == "person":
        try:
            return Listed(number, int(minutes), UUID(cell), column, "")
        except ValueError:
            raise ValueError("has no person's id") from None
    if not is_label(cell):
        raise ValueError(f"has a {column} that isn't 1 to {LABEL_MAX} characters on one line")
    return Listed(number, int(minutes), None, column, cell)
