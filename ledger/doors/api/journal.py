"""Routes of the journal, for the scheme's own keys and its auditor's: its entries and the trial balance."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from ledger.database import Database, driver
from ledger.doors.api.access import Access
from ledger.doors.api.answers import refused
from ledger.doors.api.inputs import page_size
from ledger.doors.fields import Identifier
from ledger.journal import reading
from ledger.journal.entries import Kind, Moved, Posted
from ledger.scheme.callers import Scope

_TAG: Final = ["journal"]

# 18 digits: the journal's positions end just above them.
_After = Annotated[
    str,
    QueryParameter(
        pattern=r"^(0|[1-9][0-9]{0,17})$(?!\n)",
        description="The last position already seen.",
        schema_extra={"type": "integer", "minimum": 0, "maximum": 10**18 - 1, "default": 0},
    ),
]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with its transfers. `target` is the position of what it resolves, refunds or reverses."""

    position: int
    id: UUID
    kind: Kind
    target: int | None
    happened_at: datetime
    recorded_at: datetime
    actor: UUID
    reference: str
    transfers: tuple[Moved, ...]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in order. Go on after the last one's position; an empty page means that there is no more yet."""

    entries: list[Entry]


class TrialBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Each kind of account with the sum of its balances, in minutes; `total` is zero, or something is wrong."""

    kinds: list[reading.Total]
    total: int


def routes(access: Access, database: Database) -> list[HTTPRouteHandler]:
    """Return the routes of the journal."""

    @get(
        "/v1/entries",
        before_request=access.only(Scope.AUDITOR, Scope.SCHEME),
        summary="Follow the journal",
        description="Positions have no gaps and grow in the order of commits: a reader who goes on misses none.",
        responses=refused(400, 401, 403),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def feed(page_size: NamedDependency[int], after: _After = "0") -> Feed:
        async with database.reading() as connection:
            entries = await reading.feed(driver(connection), after=int(after), limit=page_size)
        return Feed(entries=[_shown(posted) for posted in entries])

    @get(
        "/v1/entries/{entry:uuid}",
        before_request=access.only(Scope.AUDITOR, Scope.SCHEME),
        summary="Read an entry",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(entry: FromPath[Identifier]) -> Entry:
        async with database.reading() as connection:
            posted = await reading.entry(driver(connection), entry)
        if posted is None:
            raise NotFoundException
        return _shown(posted)

    @get(
        "/v1/trial-balance",
        before_request=access.only(Scope.AUDITOR, Scope.SCHEME),
        summary="Read the trial balance",
        description="A debit takes minutes away and a credit adds them, so what was issued is negative.",
        responses=refused(401, 403),
        tags=_TAG,
    )
    async def trial_balance() -> TrialBalance:
        async with database.reading() as connection:
            kinds = await reading.trial_balance(driver(connection))
        return TrialBalance(kinds=kinds, total=sum(kind.balance for kind in kinds))

    return [feed, read, trial_balance]


def _shown(posted: Posted) -> Entry:
    return Entry(
        position=posted.position,
        id=posted.id,
        kind=posted.kind,
        target=posted.target,
        happened_at=posted.happened_at,
        recorded_at=posted.recorded_at,
        actor=posted.actor,
        reference=posted.reference,
        transfers=posted.transfers,
    )
