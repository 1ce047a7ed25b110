"""Commands of the scheme: register, balance, statement, redeem, key.

Whoever may run them reaches the database itself, and so speaks for the scheme. What moves credits takes a key of the
caller's making (`--key`): the same again is the same answer and counts nothing twice.
"""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click
import msgspec
from rich.table import Table

from ledger.doors.cli.answers import Answer, Verb, credits_text
from ledger.doors.cli.server import at_work, settings, with_database
from ledger.scheme.clock import system_clock
from ledger.scheme.keys import LIFETIME_MAX, SCHEME, Caller, Keys, Scope
from ledger.scheme.people import People
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.registers import LINES_MAX, Line, Recorded, Register, Registers

if TYPE_CHECKING:
    from ledger.database import Database

# As a request's: 5,000 lines of a UUID and minutes are 0.2 MB.
FILE_BYTES_MAX: Final = 5 * 1024 * 1024
_FAULTS_SHOWN: Final = 20
_WHO: Final = {"person", "name", "voucher"}
_MINUTES: Final = re.compile(r"[0-9]{1,9}")

OPERATOR: Final = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
"""Whoever runs these commands; stands as the actor in what they post."""

# As the API takes them, and the database.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_LABEL_MAX: Final = 200


def _check_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    if key is not None and not _KEY.fullmatch(key):
        raise click.BadParameter("must be 1 to 255 visible ASCII characters, without spaces")
    return key


def _is_label(text: str) -> bool:
    return 0 < len(text) <= _LABEL_MAX and text.isprintable()


def _check_label(_: click.Context, __: click.Parameter, label: str) -> str:
    if not _is_label(label):
        raise click.BadParameter(f"must be 1 to {_LABEL_MAX} characters, on one line")
    return label


_key = click.option(
    "--key",
    "idempotency_key",
    metavar="TEXT",
    callback=_check_key,
    help="Idempotency key, 1 to 255 characters.",
)
_moment = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])


@click.group()
def register() -> None:
    """Hours that people gave."""


@register.command("post", cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", type=click.UUID, required=True, help="Where the hours were given.")
@click.option("--started", type=_moment, required=True, help="With its zone: 2026-06-01T10:00+01:00.")
@click.option("--ended", type=_moment, required=True, help="The same.")
@click.option("--preview", is_flag=True, help="Only check the file and say what it comes to.")
@_key
def register_post(
    file: Path, project: UUID, started: datetime, ended: datetime, *, preview: bool, idempotency_key: str | None
) -> Answer:
    """Record a register from a CSV FILE, and award its hours.

    Its columns: minutes, and for who it was one or more of person (an id), name (of somebody new, who gets a wallet)
    and voucher (of somebody without an account: what to write on the slip). All lines or none. Without --key the file
    itself is the key: sending it again counts nothing twice.
    """
    lines = read_register(file)
    total = sum(line.minutes for line in lines)
    if preview:
        text = f"{_people(len(lines))}, {credits_text(total)}. Nothing was recorded."
        return Answer({"lines": len(lines), "minutes": total, "recorded": False}, text)
    asked = Register(project=project, started_at=started.astimezone(UTC), ended_at=ended.astimezone(UTC), lines=lines)
    key = idempotency_key or hashlib.sha256(msgspec.json.encode(asked)).hexdigest()

    of = settings()

    async def work(database: Database) -> Answer:
        recorded, replayed = await Registers(database, system_clock).record(OPERATOR, key, asked)
        return Answer({"replayed": replayed, **msgspec.to_builtins(recorded)}, _told(recorded, again=replayed))

    return with_database(of, work)


def read_register(file: Path) -> list[Line]:
    """The lines of a register; a usage error that names the rows at fault, for anything that isn't one."""
    data = file.read_bytes()
    if len(data) > FILE_BYTES_MAX:
        raise click.UsageError(f"{file} is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} is not in UTF-8 (byte {error.start}): save it as CSV UTF-8.") from None
    if "\0" in text:
        raise click.UsageError(f"{file} has NUL characters: save it as CSV UTF-8.")
    rows = csv.reader(text.splitlines(), strict=True)
    lines: list[Line] = []
    faults: list[str] = []
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if not _is_register(header):
            raise click.UsageError(
                f"{file} has the columns {header}; a register has minutes and one or more of {', '.join(sorted(_WHO))}."
            )
        for row in filter(None, rows):
            try:
                lines.append(_read_line(header, row))
            except ValueError as error:
                faults.append(f"row {rows.line_num}: {error}")
            if len(lines) > LINES_MAX:
                raise click.UsageError(f"{file} has more than {LINES_MAX:,} rows.")
    except csv.Error as error:
        faults.append(f"row {rows.line_num}: {error}")
    if faults:
        more = [f"... and {len(faults) - _FAULTS_SHOWN} more"] if len(faults) > _FAULTS_SHOWN else []
        raise click.UsageError("\n".join([f"{file} can't be read:", *faults[:_FAULTS_SHOWN], *more]))
    return lines


def _is_register(header: list[str]) -> bool:
    """Minutes, somebody, and nothing else or twice."""
    who = set(header) - {"minutes"}
    return len(header) == len(set(header)) == len(who) + 1 and bool(who) and who <= _WHO


def _read_line(header: list[str], row: list[str]) -> Line:
    """A line of the register; raises ValueError with what is wrong. Whether the minutes are allowed the scheme says."""
    if len(row) != len(header):
        raise ValueError(f"has {len(row)} columns instead of {len(header)}")
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    minutes = cells.pop("minutes")
    if not _MINUTES.fullmatch(minutes):
        raise ValueError("has no whole number of minutes")
    who = {name: cell for name, cell in cells.items() if cell}
    if len(who) != 1:
        raise ValueError(f"must say who it was in one of {', '.join(sorted(_WHO))}")
    ((name, cell),) = who.items()
    if name == "person":
        try:
            return Line(int(minutes), UUID(cell))
        except ValueError:
            raise ValueError("has no person's id") from None
    if not _is_label(cell):
        raise ValueError(f"has a {name} that isn't 1 to {_LABEL_MAX} characters on one line")
    return Line(int(minutes), name=cell) if name == "name" else Line(int(minutes), voucher=cell)


def _told(recorded: Recorded, *, again: bool) -> str:
    """What became of a register, for people: what waits and what is to be printed, too."""
    already = " (already: nothing was counted twice)" if again else ""
    said = [f"Recorded {_people(recorded.lines)}, {credits_text(recorded.awarded)}{already}."]
    said += [
        f"line {one.line + 1} waits for {'a guardian' if one.consent_needed else 'somebody to look at it'}"
        f" ({', '.join(one.exceptions) or one.state})"
        for one in recorded.attention
    ]
    said += [
        f"line {slip.line + 1}: voucher {slip.code} for {credits_text(slip.minutes)}" for slip in recorded.vouchers
    ]
    return "\n".join([*said, f"register {recorded.id}"])


@click.command(cls=Verb)
@click.argument("person", type=click.UUID)
def balance(person: UUID) -> Answer:
    """What a PERSON has, by their id."""

    async def work(database: Database) -> Answer:
        found = await People(database, system_clock).balance(OPERATOR, person)
        held = f"; {credits_text(found.held)} on hold" if found.held else ""
        return Answer(found, f"{credits_text(found.available)} available{held}")

    return with_database(settings(), work)


@click.command(cls=Verb)
@click.argument("person", type=click.UUID)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Lines, at most.")
@click.option("--before", type=click.IntRange(1, 2**63 - 1), help="Go on before this line's number.")
def statement(person: UUID, limit: int, before: int | None) -> Answer:
    """The wallet of a PERSON, newest first."""

    async def work(database: Database) -> Answer:
        lines = await People(database, system_clock).statement(OPERATOR, person, before=before, limit=limit)
        table = Table("number", "recorded", "what", "minutes", "balance", "entry")
        for line in lines:
            recorded = f"{line.recorded_at:%Y-%m-%d %H:%M}"
            table.add_row(
                str(line.sequence), recorded, line.kind, f"{line.minutes:+}", str(line.balance), str(line.entry)
            )
        return Answer(lines, table)

    return with_database(settings(), work)


@click.command(cls=Verb)
@click.argument("offer", type=click.UUID)
@click.argument("person", type=click.UUID)
@click.option("--hold", is_flag=True, help="Only authorise: the venue captures later.")
@click.option(
    "--key",
    "idempotency_key",
    metavar="TEXT",
    required=True,
    callback=_check_key,
    help="Idempotency key: the same again counts once.",
)
def redeem(offer: UUID, person: UUID, *, hold: bool, idempotency_key: str) -> Answer:
    """Take the price of an OFFER from the wallet of a PERSON, for the offer's venue."""
    of = settings()

    async def work(database: Database) -> Answer:
        holder = await People(database, system_clock).holder(person)
        async with at_work(database, of) as (batcher, directory):
            found = await directory.find(offer=offer, holder=holder)
            venue = found.offer.venue if found.offer else None
            redemption, replayed = await Redemptions(database, batcher, directory, system_clock).redeem(
                Caller(key=SCHEME, scope=Scope.VENUE, object=venue),
                idempotency_key,
                found.offer,
                holder,
                holder_known=found.holder,
                capture=not hold,
            )
        again = " (already: nothing was counted twice)" if replayed else ""
        text = f"{credits_text(redemption.minutes)} {redemption.status}{again}\nredemption {redemption.id}"
        return Answer({"replayed": replayed, **msgspec.to_builtins(redemption)}, text)

    return with_database(of, work)


@click.group()
def key() -> None:
    """API keys: shown once when made, and of no use from the moment they are revoked."""


@key.command("create", cls=Verb)
@click.argument("scope", type=click.Choice([scope.value for scope in Scope]))
@click.option("--for", "object_", type=click.UUID, help="The project or venue it speaks for.")
@click.option(
    "--person", type=click.UUID, help="Whose key it is: who acts when it is used. Coordinators have their own."
)
@click.option("--label", default="made by timecredits key create", callback=_check_label, help="What it is for.")
@click.option("--days", type=click.IntRange(1, LIFETIME_MAX.days), help="How long it works; default: a year.")
def key_create(scope: str, object_: UUID | None, person: UUID | None, label: str, days: int | None) -> Answer:
    """Make a key for a person, a project, a venue or the scheme.

    Two people have to agree to long days, and nobody approves their own hours: so say with --person whose key it is.
    """
    of = settings()

    async def work(database: Database) -> Answer:
        expires_at = None if days is None else system_clock() + timedelta(days=days)
        keys = Keys(database, system_clock, of.environment)
        made, token = await keys.create(Scope(scope), object_, label, expires_at, person=person)
        return Answer(
            {"token": token, **msgspec.to_builtins(made)},
            f"{token}\nIt is shown only here. Key {made.id}, for the {made.scope}, until {made.expires_at:%Y-%m-%d}.",
        )

    return with_database(of, work)


@key.command("revoke", cls=Verb)
@click.argument("id", type=click.UUID)
def key_revoke(id: UUID) -> Answer:  # noqa: A002  # click's name for the argument
    """End the key with that ID, now and for good."""
    of = settings()

    async def work(database: Database) -> Answer:
        ended = await Keys(database, system_clock, of.environment).revoke(id)
        return Answer(ended, f"Key {ended.id} was revoked at {ended.revoked_at}.")

    return with_database(of, work)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
