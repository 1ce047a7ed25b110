"""Commands of the desk: a card is given, replaced, blocked and unblocked."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click
import msgspec

from ledger.doors.cli.answers import Answer, Verb
from ledger.doors.cli.scheme import OPERATOR, check_key
from ledger.doors.cli.server import settings, with_database
from ledger.scheme.clock import system_clock
from ledger.scheme.credentials import Credential, Credentials, IssuedCredential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from ledger.database import Database
    from ledger.scheme.callers import Caller

_again = click.option(
    "--key",
    "idempotency_key",
    default=lambda: str(uuid4()),
    show_default="a new one",
    callback=check_key,
    help="Idempotency key: the same again is done once.",
)


@click.group()
def card() -> None:
    """Printed cards: one for each person, and the old one stops when it is replaced."""


@card.command("issue", cls=Verb)
@click.argument("person", type=click.UUID)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M%z"]), help="When it ends; default: never.")
@_again
def card_issue(person: UUID, until: datetime | None, idempotency_key: str) -> Answer:
    """Give a PERSON who has no card one, and show the code to print on it."""

    async def work(database: Database) -> Answer:
        ends = until and until.astimezone(UTC)
        return _issued(*await Credentials(database, system_clock).issue_card(OPERATOR, idempotency_key, person, ends))

    return with_database(settings(), work)


@card.command("replace", cls=Verb)
@click.argument("person", type=click.UUID)
@_again
def card_replace(person: UUID, idempotency_key: str) -> Answer:
    """Give a PERSON a new card for the one they have, which stops at once."""

    async def work(database: Database) -> Answer:
        return _issued(*await Credentials(database, system_clock).replace_card(OPERATOR, idempotency_key, person))

    return with_database(settings(), work)


@card.command("block", cls=Verb)
@click.argument("card_or_person", type=click.UUID)
@_again
def card_block(card_or_person: UUID, idempotency_key: str) -> Answer:
    """Let a card rest, at once: that CARD, or the one that a PERSON has."""
    return _changed(card_or_person, idempotency_key, Credentials.block)


@card.command("unblock", cls=Verb)
@click.argument("card_or_person", type=click.UUID)
@_again
def card_unblock(card_or_person: UUID, idempotency_key: str) -> Answer:
    """Let a blocked card work again: that CARD, or the one that a PERSON has."""
    return _changed(card_or_person, idempotency_key, Credentials.unblock)


def _changed(
    card_or_person: UUID,
    key: str,
    change: Callable[[Credentials, Caller, str, UUID], Awaitable[tuple[Credential, bool]]],
) -> Answer:
    async def work(database: Database) -> Answer:
        credentials = Credentials(database, system_clock)
        has = await credentials.live_card(card_or_person)
        changed, replayed = await change(credentials, OPERATOR, key, card_or_person if has is None else has)
        again = " (already: nothing was done twice)" if replayed else ""
        return Answer(
            {"replayed": replayed, **msgspec.to_builtins(changed)}, f"The card is {changed.status.value}{again}."
        )

    return with_database(settings(), work)


def _issued(issued: IssuedCredential, replayed: bool) -> Answer:  # noqa: FBT001  # as the verbs give it
    assert issued.code is not None
    # Read over a counter and written down by hand, where no printer is near.
    large = "   ".join(" ".join(group) for group in issued.code.split("-"))
    again = "It was made already: this is the same one.\n" if replayed else ""
    text = f"\n    {large}\n\n{again}Card {issued.credential.id}; the QR code holds {issued.code}"
    return Answer({"replayed": replayed, **msgspec.to_builtins(issued)}, text)
