"""What all commands share: an answer, shown to people or to programs, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import click
import msgspec
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.database import Unfit
from ledger.journal.checkpoint import ProofError
from ledger.journal.exporting import Unexportable
from ledger.journal.log import Damaged
from ledger.scheme.refusals import OUTAGES, TABLE, Declined
from ledger.scheme.terms import in_credits
from ledger.settings import SettingsError

DONE, REFUSED, USAGE, RETRY, UNVERIFIED, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


class Answer(NamedTuple):
    """What a command found or did: for programs (anything that msgspec writes), for people, and the exit code."""

    value: Any
    text: RenderableType
    status: int = DONE


class Verb(click.Command):
    """A command whose callback returns an `Answer`, or None when it has said all itself. It adds `--json`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # click's own signature
        super().__init__(*arguments, **options)
        self.params.append(click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON."))

    def invoke(self, ctx: click.Context) -> None:
        """Run the callback, and show its answer or what went wrong."""
        as_json = ctx.params.pop("as_json")
        try:
            answer: Answer | None = super().invoke(ctx)
            if answer is None:
                return
            if as_json:
                click.echo(msgspec.json.encode(answer.value))
            elif isinstance(answer.text, str):
                click.echo(answer.text)  # as it is: a note or a receipt is signed to the byte
            else:
                out.print(answer.text, highlight=False)
        except click.ClickException:
            raise
        except BrokenPipeError:
            # Whoever read the output has had enough. Python would complain at its own flush at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(DONE)
        except KeyboardInterrupt:
            err.print("interrupted")
            ctx.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001  # what isn't known is told as a defect
            _fail(ctx, error, as_json=as_json)
        ctx.exit(answer.status)


def _fail(ctx: click.Context, error: Exception, *, as_json: bool) -> NoReturn:
    """Say what went wrong and leave by its exit code; what isn't expected leaves its trace."""
    outage = next((refusal for kind, refusal in OUTAGES.items() if isinstance(error, kind)), None)
    if isinstance(error, Declined) or outage is not None:
        reason = error.reason if isinstance(error, Declined) else outage
        assert reason is not None
        row = TABLE[reason]
        code, said = reason.value, (error.detail if isinstance(error, Declined) else str(error)) or row.staff
        status = REFUSED if row.retry_after is None else RETRY
    elif isinstance(error, SettingsError):
        code, said, status = "usage", str(error), USAGE
    elif isinstance(error, Unfit):
        code, said, status = "unavailable", str(error), RETRY
    elif isinstance(error, Damaged | ProofError):
        code, said, status = "unverified", str(error), UNVERIFIED
    elif isinstance(error, Unexportable):
        code, said, status = "unexportable", str(error), REFUSED
    else:
        traceback.print_exception(error)
        code, said, status = "defect", "this program has a defect, which stands above; please report it", DEFECT
    fields = error.fields if isinstance(error, Declined) else ()
    if as_json:
        said_of = [{"field": name, "detail": why} for name, why in fields]
        told: dict[str, object] = {"error": code, "detail": said, "fields": said_of}
        if isinstance(error, Declined) and error.works_at is not None:
            told["works_at"] = error.works_at
        click.echo(msgspec.json.encode(told), err=True)
    else:
        err.print(f"{code}: {said}", markup=False, highlight=False)
        for name, why in fields:
            err.print(f"  {name} {why}", markup=False, highlight=False)
    ctx.exit(status)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if that is a terminal; gives the function to tell how many of how many are done."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def credits_text(minutes: int) -> str:
    """Minutes as people say them: "2 credits 45 minutes"; of books, "minus 2 credits"."""
    return ("minus " if minutes < 0 else "") + in_credits(abs(minutes))
