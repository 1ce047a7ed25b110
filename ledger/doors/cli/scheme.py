"""Commands of the scheme: register, balance, statement, key.

Whoever may run them reaches the database itself, and so speaks for the scheme. What moves credits takes a key of the
caller's making (`--key`): the same again is the same answer and counts nothing twice.
"""

from __future__ import annotations

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
from ledger.doors.cli.lists import LABEL_MAX, is_label, read_list
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.clock import system_clock
from ledger.scheme.keys import LIFETIME_MAX, Keys
from ledger.scheme.people import People
from ledger.scheme.registers import LINES_MAX, Line, Recorded, Register, Registers

if TYPE_CHECKING:
    from ledger.database import Database

_WHO: Final = {"person", "name", "voucher"}

OPERATOR: Final = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
"""Whoever runs these commands; stands as the actor in what they post."""

# As the API takes them, and the database.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def check_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    """An idempotency key as the API takes it."""
    if key is not None and not _KEY.fullmatch(key):
        raise click.BadParameter("must be 1 to 255 visible ASCII characters, without spaces")
    return key


def check_label(_: click.Context, __: click.Parameter, label: str) -> str:
    """A name or a label as the API takes it."""
    if not is_label(label):
        raise click.BadParameter(f"must be 1 to {LABEL_MAX} characters, on one line")
    return label


_key = click.option(
    "--key",
    "idempotency_key",
    metavar="TEXT",
    callback=check_key,
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
    return [
        Line(
            line.minutes,
            line.person,
            name=line.words if line.column == "name" else None,
            voucher=line.words if line.column == "voucher" else None,
        )
        for line in read_list(file, "a register", _WHO, LINES_MAX)
    ]


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


@click.group()
def key() -> None:
    """API keys: shown once when made, and of no use from the moment they are revoked."""


@key.command("create", cls=Verb)
@click.argument("scope", type=click.Choice([scope.value for scope in Scope]))
@click.option("--for", "object_", type=click.UUID, help="The project or venue it speaks for.")
@click.option(
    "--person", type=click.UUID, help="Whose key it is: who acts when it is used, while they have the role for it."
)
@click.option("--label", default="made by timecredits key create", callback=check_label, help="What it is for.")
@click.option("--days", type=click.IntRange(1, LIFETIME_MAX.days), help="How long it works; default: a year.")
def key_create(scope: str, object_: UUID | None, person: UUID | None, label: str, days: int | None) -> Answer:
    """Make a key for a person, a project, a venue or the scheme.

    Two people have to agree to long days, and nobody approves their own hours: so say with --person whose key it is.
    A project's is for its coordinator, an auditor's for an auditor, the scheme's for one of the staff, who may have any
    of them: give them the role first (`role grant`). When the role ends, the key does.
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
