"""Commands of a till: quote, redeem.

Whoever may run them reaches the database itself; the till that they speak for is named with `--device`, and stands in
what is posted. A code is typed as it is printed or shown.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click
import msgspec

from ledger.database import driver
from ledger.doors.cli.answers import Answer, Verb, credits_text
from ledger.doors.cli.scheme import check_key
from ledger.doors.cli.server import at_work, settings, with_database
from ledger.scheme.clock import system_clock
from ledger.scheme.devices import speaking_for
from ledger.scheme.terms import Party
from ledger.scheme.tills import Tills, Wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ledger.database import Database
    from ledger.scheme.callers import Caller
    from ledger.scheme.directory import Found
    from ledger.scheme.tills import Code, Quote

_PEOPLE_MAX: Final = 100


def _visit(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """What both commands ask: the till, the code, the offer, and who comes; the last two as one `wanted`."""

    @functools.wraps(command)
    def asked(
        *,
        offer: UUID | None,
        adults: int,
        children: int,
        young: int,
        companion: bool,
        name_checked: bool = True,  # a quote only tells the name
        **rest: Any,  # noqa: ANN401  # the command's own
    ) -> Answer:
        party = Party(adults=adults, children=children, young=young, companion=companion)
        return command(wanted=Wanted(offer=offer, party=party, name_checked=name_checked), **rest)

    many = click.IntRange(0, _PEOPLE_MAX)
    for option in (
        click.option("--companion", is_flag=True, help="One who comes along, free where the offer says so."),
        click.option("--young", type=many, default=0, help="Under 8."),
        click.option("--children", type=many, default=0, help="From 8 to 15."),
        click.option("--adults", type=many, default=1, show_default=True, help="The holder is one of those who come."),
        click.option("--offer", type=click.UUID, help="Which offer; a booking code says so itself."),
        click.option("--device", type=click.UUID, required=True, help="The till that you speak for."),
        click.argument("code"),
    ):
        asked = option(asked)
    return asked


@click.command(cls=Verb)
@_visit
def quote(code: str, device: UUID, wanted: Wanted) -> Answer:
    """Ask what a visit with this CODE would come to, and whether it would be accepted. Takes nothing."""

    async def ask(tills: Tills, caller: Caller, read: Code, found: Found) -> Answer:
        quoted = await tills.quote(caller, wanted, read, found)
        return Answer(quoted, _in_words(quoted))

    return _at_the_till(code, device, wanted, ask)


@click.command(cls=Verb)
@_visit
@click.option("--name-checked", is_flag=True, help="A printed card: you asked for the name, and it is theirs.")
@click.option("--hold", is_flag=True, help="Only authorise: the till captures later.")
@click.option(
    "--key",
    "idempotency_key",
    metavar="TEXT",
    required=True,
    callback=check_key,
    help="Idempotency key: the same again counts once.",
)
def redeem(code: str, device: UUID, wanted: Wanted, *, hold: bool, idempotency_key: str) -> Answer:
    """Take credits for an offer from whoever shows this CODE: of a card, a pass, a voucher or a booking."""

    async def ask(tills: Tills, caller: Caller, read: Code, found: Found) -> Answer:
        redemption, replayed = await tills.redeem(caller, idempotency_key, wanted, read, found, capture=not hold)
        again = " (already: nothing was counted twice)" if replayed else ""
        text = f"{credits_text(redemption.minutes)} {redemption.status}{again}\nredemption {redemption.id}"
        return Answer({"replayed": replayed, **msgspec.to_builtins(redemption)}, text)

    return _at_the_till(code, device, wanted, ask)


def _at_the_till(
    code: str, device: UUID, wanted: Wanted, ask: Callable[[Tills, Caller, Code, Found], Awaitable[Answer]]
) -> Answer:
    of = settings()

    async def work(database: Database) -> Answer:
        async with database.reading() as connection:
            caller = await speaking_for(driver(connection), device)
        async with at_work(database, of) as (batcher, directory):
            tills = Tills(database, batcher, directory, system_clock)
            read = tills.code(code)
            return await ask(tills, caller, read, await directory.find(offer=wanted.offer, code=read.lookup))

    return with_database(of, work)


def _in_words(quoted: Quote) -> str:
    if quoted.accepted:
        called = f" from {quoted.name}" if quoted.name else ""
        return f"Yes: {credits_text(quoted.minutes or 0)}{called}."
    return f"No: {quoted.detail}"
