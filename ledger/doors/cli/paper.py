"""Commands of what comes on paper or from before: bearer vouchers to be printed, and opening balances from a list."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click
import msgspec

from ledger.doors.cli.answers import Answer, Verb, credits_text
from ledger.doors.cli.lists import read_list, told_by_row
from ledger.doors.cli.scheme import OPERATOR, check_key, check_label
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.clock import system_clock
from ledger.scheme.openings import LINES_MAX, Opened, Opening, OpeningLine, Openings, Preview
from ledger.scheme.paper import COUNT_MAX, BatchCodes, Paper, Printing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.database import Database
    from ledger.doors.cli.lists import Listed

_COMMUNITY: Final = "community"
_ROWS_SHOWN: Final = 20
_once = click.option(
    "--key",
    "idempotency_key",
    metavar="TEXT",
    required=True,
    callback=check_key,
    help="Idempotency key: the same again counts once.",
)


@click.group()
def voucher() -> None:
    """Bearer vouchers: paper that anybody may spend once, or put into a wallet."""


@voucher.command("print", cls=Verb)
@click.option("--pot", type=str, required=True, metavar=f"GROUP|{_COMMUNITY}", help="Whose pot they come from.")
@click.option("--count", type=click.IntRange(1, COUNT_MAX), required=True, help="How many.")
@click.option("--minutes", type=click.IntRange(1, 6_000), required=True, help="Of each; 60 are one credit.")
@click.option("--last-day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="On which they can be used.")
@click.option("--label", required=True, callback=check_label, help="What they are for: staff read it.")
@_once
def voucher_print(  # noqa: PLR0917  # click gives them by name
    pot: str, count: int, minutes: int, last_day: datetime, label: str, idempotency_key: str
) -> Answer:
    """Take vouchers from a pot and show their codes, one a line. Each code is money: keep them as you keep cash."""
    printing = Printing(group=_group(pot), label=label, minutes=minutes, count=count, last_day=last_day.date())

    async def work(database: Database) -> Answer:
        paper = Paper(database, system_clock)
        batch, replayed = await paper.print(OPERATOR, idempotency_key, printing)
        codes = await paper.codes(OPERATOR, batch.id)
        return Answer({"replayed": replayed, **msgspec.to_builtins(codes)}, _sheet(codes))

    return with_database(settings(), work)


@voucher.command("codes", cls=Verb)
@click.argument("batch", type=click.UUID)
def voucher_codes(batch: UUID) -> Answer:
    """The codes of a BATCH that can still be used. That they were read is recorded."""

    async def work(database: Database) -> Answer:
        codes = await Paper(database, system_clock).codes(OPERATOR, batch)
        return Answer(codes, _sheet(codes))

    return with_database(settings(), work)


@voucher.command("void", cls=Verb)
@click.argument("batch", type=click.UUID)
@_once
def voucher_void(batch: UUID, idempotency_key: str) -> Answer:
    """End a BATCH: what nobody has used is worth nothing any more, and goes back to its pot."""

    async def work(database: Database) -> Answer:
        voided, replayed = await Paper(database, system_clock).void(OPERATOR, idempotency_key, batch)
        again = " (already: nothing was done twice)" if replayed else ""
        text = f"{credits_text(voided.minutes)} went back to the pot{again}."
        return Answer({"replayed": replayed, **msgspec.to_builtins(voided)}, text)

    return with_database(settings(), work)


def _group(pot: str) -> UUID | None:
    """The group, or None for the community's pot."""
    if pot == _COMMUNITY:
        return None
    try:
        return UUID(pot)
    except ValueError:
        raise click.UsageError(f"--pot takes a group's id or {_COMMUNITY!r}.") from None


def _sheet(codes: BatchCodes) -> str:
    """The codes by themselves on their lines, so that they can be copied, between words on what they are."""
    lines = [one.code for one in codes.vouchers]
    each = f"{credits_text(codes.minutes)} each, to be used until {codes.last_day:%d %B %Y}"
    return "\n".join([f"{codes.label}: {len(lines):,} vouchers, {each}", *lines, f"batch {codes.id}"])


@click.command(cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", metavar="WORD", required=True, help="Where the balances come from: a word for the books.")
@click.option(
    "--another",
    type=click.IntRange(2),
    multiple=True,
    metavar="ROW",
    help="A row with the name of somebody who had theirs from this source, and who is another; once for each.",
)
@click.option("--commit", is_flag=True, help="Take them over; without it, only say what they come to.")
@click.option(
    "--key", "idempotency_key", metavar="TEXT", callback=check_key, help="Idempotency key, 1 to 255 characters."
)
def opening(file: Path, source: str, another: tuple[int, ...], *, commit: bool, idempotency_key: str | None) -> Answer:
    """Take over what people had elsewhere, from a CSV FILE.

    Its columns: minutes, and for who it was person (an id) or name (of somebody new, who gets a wallet). All lines or
    none. Without --key the file itself is the key: sending it again counts nothing twice.
    """
    listed = read_list(file, "a list of balances", {"person", "name"}, LINES_MAX)
    lines = [OpeningLine(one.minutes, one.person, one.words or None, one.row in another) for one in listed]
    asked = Opening(source=source, lines=lines)
    key = idempotency_key or hashlib.sha256(msgspec.json.encode(asked)).hexdigest()

    async def work(database: Database) -> Answer:
        openings = Openings(database, system_clock)
        with told_by_row(listed):
            if not commit:
                preview = await openings.preview(asked)
                return Answer({"committed": False, **msgspec.to_builtins(preview)}, _previewed(preview, listed))
            opened, replayed = await openings.open(OPERATOR, key, asked)
        value = {"committed": True, "replayed": replayed, **msgspec.to_builtins(opened)}
        return Answer(value, _told(opened, replayed=replayed))

    return with_database(settings(), work)


def _previewed(preview: Preview, listed: Sequence[Listed]) -> str:
    said = [f"{preview.lines:,} balances, {credits_text(preview.minutes)}; {preview.newcomers:,} people are new."]
    if preview.namesakes:
        rows = ", ".join(str(listed[number].row) for number in preview.namesakes[:_ROWS_SHOWN])
        more = " ..." if len(preview.namesakes) > _ROWS_SHOWN else ""
        said.append(f"Somebody else has the same name in row {rows}{more}: if they are the same person, name their id.")
    return "\n".join([*said, "Nothing was taken over: add --commit to do so."])


def _told(opened: Opened, *, replayed: bool) -> str:
    again = " (already: nothing was counted twice)" if replayed else ""
    return (
        f"Took over {opened.lines:,} balances, {credits_text(opened.minutes)}{again};"
        f" {len(opened.newcomers):,} people are new.\nopening {opened.id}"
    )
