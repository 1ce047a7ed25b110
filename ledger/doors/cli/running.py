"""Commands of what keeps the scheme running: its rules, its periodic work, and what waits to be told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table

from ledger.database import driver
from ledger.doors.cli.answers import DEFECT, DONE, RETRY, Answer, Verb
from ledger.doors.cli.scheme import OPERATOR
from ledger.doors.cli.server import settings, with_database
from ledger.scheme import outbox as events
from ledger.scheme import rules as scheme_rules
from ledger.scheme.clock import system_clock
from ledger.scheme.outbox import Topic
from ledger.scheme.periodic import JOBS, Outcome, Periodic, Run
from ledger.scheme.rules import Rulebook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ledger.database import Database
    from ledger.scheme.rules import InForce, Setting, Value

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_YES_OR_NO: Final = {"true": True, "yes": True, "false": False, "no": False}


class _Listing(click.Group):
    """Commands of which `list` is meant where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def rules() -> None:
    """The scheme's rules; without a command, they are listed."""


@rules.command("list", cls=Verb)
def rules_list() -> Answer:
    """Every rule with its value, its default and what it means."""

    async def work(database: Database) -> Answer:
        return _listed(await Rulebook(database, system_clock).in_force())

    return with_database(settings(), work)


@rules.command("set", cls=Verb)
@click.argument("assignments", metavar="NAME=VALUE ...", nargs=-1, required=True)
def rules_set(assignments: tuple[str, ...]) -> Answer:
    """Change rules, from now on; what was decided before stays as it is."""
    values = dict(_read(assignment) for assignment in assignments)
    if len(values) < len(assignments):
        raise click.UsageError("Name each rule once.")

    async def work(database: Database) -> Answer:
        rulebook = Rulebook(database, system_clock)
        before = await rulebook.in_force()
        after = await rulebook.change(OPERATOR, values)
        if after.version == before.version:
            return Answer(_plain(after), f"Nothing differs: version {after.version} stays in force.")
        changed = "\n".join(
            f"  {one.name}: {_shown(one)} -> {_shown(other)}"
            for one, other in zip(before.settings, after.settings, strict=True)
            if one.value != other.value
        )
        return Answer(_plain(after), f"Version {after.version} of the rules is in force.\n{changed}")

    return with_database(settings(), work)


def _read(assignment: str) -> tuple[str, Value]:
    """A rule's name and value; a usage error that says what it takes, for anything it can't be."""
    name, given, text = assignment.partition("=")
    name, text = name.strip(), text.strip()
    row = next((row for row in scheme_rules.table() if row.name == name), None)
    if row is None or not given:
        raise click.UsageError(f"{assignment!r} is no rule's name and value: `timecredits rules` lists them.")
    value: Value | None
    if row.least is not None and row.most is not None:
        value = int(text) if _WHOLE.fullmatch(text) and row.least <= int(text) <= row.most else None
        takes = f"{row.least} to {row.most}, in {row.unit}"
    else:
        word = _YES_OR_NO.get(text.lower(), text) if isinstance(row.default, bool) else text
        value = word if word in row.choices else None
        takes = " or ".join(_word(choice) for choice in row.choices)
    if value is None:
        raise click.UsageError(f"{name} takes {takes}.")
    return name, value


def _listed(found: InForce) -> Answer:
    table = Table("rule", "name", "value", "default", "meaning", title=f"Rules, version {found.version}")
    for row in found.settings:
        later = "" if row.enforced else " (Of a later release: it does nothing yet.)"
        table.add_row(str(row.number), row.name, _shown(row), _word(row.default), row.meaning + later)
    return Answer(_plain(found), table)


def _plain(found: InForce) -> dict[str, object]:
    return {"version": found.version, "rules": found.settings}


def _shown(row: Setting) -> str:
    return f"{_word(row.value)} {row.unit}".rstrip()


def _word(value: Value) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


@click.group(cls=_Listing)
def work() -> None:
    """Work that comes round; the service does it by itself. Without a command, how it has been doing."""


@work.command("list", cls=Verb)
def work_list() -> Answer:
    """Each job: how often, its last run, and since when it lags."""

    async def look(database: Database) -> Answer:
        found = await Periodic(database, system_clock).standing()
        table = Table("job", "every", "last run", "lag", "last failure")
        for job in found:
            lag = "-" if job.lag_seconds is None else f"{job.lag_seconds} s"
            table.add_row(job.name, f"{job.every_seconds} s", _moment(job.ran_at), lag, _moment(job.failed_at))
        return Answer(found, table)

    return with_database(settings(), look)


@work.command("run", cls=Verb)
@click.argument("name", type=click.Choice([job.name for job in JOBS]), required=False)
def work_run(name: str | None) -> Answer:
    """Run what is due now, or that one if it is due."""
    from ledger.app.engine import periodic_work  # noqa: PLC0415  # half a second that only this command needs

    async def run(database: Database) -> Answer:
        runs = await periodic_work(database, system_clock).run_due(name)
        return Answer(runs, "\n".join(_told(one) for one in runs), _status(runs))

    return with_database(settings(), run)


def _told(run: Run) -> str:
    return f"{run.name}: {run.outcome.replace('_', ' ')}" + (f", {run.count} dealt with" if run.count else "")


def _status(runs: Sequence[Run]) -> int:
    outcomes = {run.outcome for run in runs}
    if Outcome.FAILED in outcomes:
        return DEFECT
    return RETRY if Outcome.UNAVAILABLE in outcomes else DONE


@click.command(cls=Verb)
@click.option("--topic", type=click.Choice([topic.value for topic in Topic]), help="Only events of this kind.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Events, at most.")
@click.option("--all", "delivered", is_flag=True, help="Those that were delivered, too.")
def outbox(topic: str | None, limit: int, *, delivered: bool) -> Answer:
    """What waits to be told, oldest first: ids and figures, never names."""

    async def look(database: Database) -> Answer:
        async with database.reading() as connection:
            found = await events.waiting(
                driver(connection), topic=None if topic is None else Topic(topic), limit=limit, delivered=delivered
            )
        table = Table("at", "what", "holder", "project", "about", "figures")
        for event in found:
            figures = ", ".join(f"{name} {value}" for name, value in event.body.items())
            ids = (str(event.holder or "-"), event.alias or "-", str(event.object or "-"))
            table.add_row(_moment(event.at), event.topic, *ids, figures)
        return Answer(found, table)

    return with_database(settings(), look)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
