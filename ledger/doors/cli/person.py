"""Commands about one person: a copy of everything that is held about them, and erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click
import msgspec

from ledger.doors.cli.answers import Answer, Verb, credits_text
from ledger.doors.cli.scheme import OPERATOR
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.clock import system_clock
from ledger.scheme.copies import Copies, Copy
from ledger.scheme.erasure import Erased, Erasure, GiveTo

if TYPE_CHECKING:
    from ledger.database import Database


@click.group()
def person() -> None:
    """One person: what is held about them, and an end to it."""


@person.command("copy", cls=Verb)
@click.argument("id", type=click.UUID)
def person_copy(id: UUID) -> Answer:  # noqa: A002  # click's name for the argument
    """Everything that is held about the person with that ID; with --json it is the copy to hand to them."""

    async def work(database: Database) -> Answer:
        copy = await Copies(database, system_clock).of(OPERATOR, id)
        return Answer(copy, _summary(copy))

    return with_database(settings(), work)


def _summary(copy: Copy) -> str:
    lists = {name: value for name, value in msgspec.structs.asdict(copy).items() if isinstance(value, list) and value}
    cut = set(lists.pop("cut", ()))
    rows = [f"  {name} {'more than ' * (name in cut)}{len(value):,}" for name, value in lists.items()]
    held = f"; {credits_text(copy.on_hold)} on hold" if copy.on_hold else ""
    has = f"{credits_text(copy.available)} available{held}"
    known = f"{copy.person.name}, known since {copy.person.created_at:%Y-%m-%d}: {has}."
    return "\n".join([known, *rows, "With --json it is the whole document."])


@person.command("erase", cls=Verb)
@click.argument("id", type=click.UUID)
@click.option(
    "--give-to",
    type=click.Choice([choice.value for choice in GiveTo]),
    required=True,
    help="Where their credits go: to the community's pot, or to nobody.",
)
@click.option("--yes", is_flag=True, help="Needed: it can't be undone.")
def person_erase(id: UUID, give_to: str, *, yes: bool) -> Answer:  # noqa: A002  # click's name for the argument
    """Erase the person with that ID, for good. The books keep ids and figures, and their sums stay right."""
    if not yes:
        raise click.UsageError("Erasing a person can't be undone: add --yes if it is meant.")

    async def work(database: Database) -> Answer:
        # A person is erased once, so a key of the person's own is enough for a retry.
        key = f"erase-{id}-{give_to}"
        erased, replayed = await Erasure(database, system_clock).erase(OPERATOR, key, id, GiveTo(give_to))
        return Answer({"replayed": replayed, **msgspec.to_builtins(erased)}, _told(erased, replayed=replayed))

    return with_database(settings(), work)


def _told(erased: Erased, *, replayed: bool) -> str:
    to = {GiveTo.COMMUNITY: "went to the community's pot", GiveTo.SURRENDER: "were surrendered"}[erased.give_to]
    again = " (already: nothing was done twice)" if replayed else ""
    holds = f" Holds at venues that were voided first: {erased.holds}." if erased.holds else ""
    return f"Erased{again}. {credits_text(erased.minutes)} {to}.{holds}"
