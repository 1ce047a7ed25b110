"""Commands of who may do what: roles are given, listed and ended; and the audit trail is read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click
import msgspec
from rich.table import Table

from ledger.doors.cli.answers import Answer, Verb
from ledger.doors.cli.scheme import OPERATOR, check_key
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.acts import Acts, Wanted
from ledger.scheme.clock import LONDON, system_clock
from ledger.scheme.roles import Grant, Role, Roles

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.database import Database

_again = click.option(
    "--key",
    "idempotency_key",
    default=lambda: str(uuid4()),
    show_default="a new one",
    callback=check_key,
    help="Idempotency key: the same again is done once.",
)
_limit = click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Lines, at most.")


@click.group()
def role() -> None:
    """What people may do besides being a volunteer, at a project, a venue or for the scheme."""


@role.command("grant", cls=Verb)
@click.argument("person", type=click.UUID)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--project", type=click.UUID, help="Where they are coordinator or approver.")
@click.option("--venue", type=click.UUID, help="Where they are manager.")
@_again
def role_grant(person: UUID, role: str, project: UUID | None, venue: UUID | None, idempotency_key: str) -> Answer:
    """Give a PERSON a ROLE. The first two of the staff are made here."""
    asked = Grant(person=person, role=Role(role), project=project, venue=venue)

    async def work(database: Database) -> Answer:
        granted, replayed = await Roles(database, system_clock).grant(OPERATOR, idempotency_key, asked)
        value = {"replayed": replayed, **msgspec.to_builtins(granted)}
        return Answer(value, f"They are {granted.role} now.\nrole {granted.id}")

    return with_database(settings(), work)


@role.command("end", cls=Verb)
@click.argument("role", type=click.UUID)
@_again
def role_end(role: UUID, idempotency_key: str) -> Answer:
    """End a ROLE, by its id, now and for good."""

    async def work(database: Database) -> Answer:
        ended, replayed = await Roles(database, system_clock).end(OPERATOR, idempotency_key, role)
        return Answer(
            {"replayed": replayed, **msgspec.to_builtins(ended)}, f"They are not {ended.role} there any more."
        )

    return with_database(settings(), work)


@role.command("list", cls=Verb)
@click.option("--project", type=click.UUID, help="Only those of this project.")
@click.option("--venue", type=click.UUID, help="Only those of this venue.")
@click.option("--after", type=click.UUID, help="Go on behind this role.")
@_limit
def role_list(project: UUID | None, venue: UUID | None, after: UUID | None, limit: int) -> Answer:
    """Who has which role, in the order they were given."""
    if project is not None and venue is not None:
        raise click.UsageError("Name a project or a venue, not both.")

    async def work(database: Database) -> Answer:
        found = await Roles(database, system_clock).page(project=project, venue=venue, after=after, limit=limit)
        table = Table("role", "where", "name", "person", "since", "id")
        for one in found:
            since = f"{one.granted_at.astimezone(LONDON):%Y-%m-%d}"
            table.add_row(one.role, one.place or "the scheme", one.name, str(one.person), since, str(one.id))
        return Answer(found, table)

    return with_database(settings(), work)


@click.command(cls=Verb)
@click.option("--by", type=click.UUID, help="Only what this holder or key did.")
@click.option("--holder", type=click.UUID, help="Only what was done for or about this holder.")
@click.option("--verb", metavar="WORD", help="Only this, such as contact_read.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="From this day on, as London's calendar has it.")
@click.option("--before", type=click.UUID, help="Go on before this act.")
@_limit
def audit(  # noqa: PLR0917  # click gives them by name
    by: UUID | None,
    holder: UUID | None,
    verb: str | None,
    since: datetime | None,
    before: UUID | None,
    limit: int,
) -> Answer:
    """The audit trail, newest first: who did what, as what, about whom; by ids only."""
    wanted = Wanted(by=by, holder=holder, verb=verb, since=since and since.date())

    async def work(database: Database) -> Answer:
        found = await Acts(database).page(wanted, before=before, limit=limit)
        table = Table("at", "as", "by", "what", "about", "object")
        for act in found:
            at = f"{act.at.astimezone(LONDON):%Y-%m-%d %H:%M:%S}"
            table.add_row(at, act.scope, str(act.by), act.verb, str(act.holder or ""), str(act.object or ""))
        return Answer(found, table)

    return with_database(settings(), work)
