"""Routes of bearer vouchers: print a batch from a pot, make its codes for the printer, and end it."""

from datetime import date
from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Minutes, Name
from ledger.scheme.callers import Scope
from ledger.scheme.paper import COUNT_MAX, Batch, BatchCodes, BatchCount, Paper, Printing, Voided

_TAG: Final = ["vouchers"]


class PrintingInput(Input, frozen=True, kw_only=True):
    """Bearer vouchers to be printed."""

    group: Annotated[Identifier | None, Meta(description="Whose pot they come from; null for the community's.")]
    label: Annotated[Name, Meta(description="What they are for: staff read it.")]
    minutes: Annotated[Minutes, Meta(description="Of each, in minutes; 60 are one Time Credit.")]
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX, description="How many.")]
    last_day: Annotated[date, Meta(description="The last on which they can be used, by the clock in London.")]


class BatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of batches, the newest first, and the cursor of the page before it in time."""

    batches: list[Batch]
    next: str | None


def routes(access: Access, paper: Paper, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of bearer vouchers."""
    staff = access.only(Scope.SCHEME)

    @post(
        "/v1/batches",
        before_request=staff,
        summary="Print bearer vouchers",
        description=(
            "From a pot that has so much; of a group's, within 24 hours no more than one keyholder may spend alone"
            " (`pot_both_above_minutes`): more is declined as `wrong_state`. Anybody who brings one may spend it once,"
            " or put it into a wallet. The codes are told by `GET /v1/batches/{batch}/codes`, and never kept."
        ),
        responses=refused(400, 401, 403, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest, data: JSONBody[PrintingInput], idempotency_key: IdempotencyKey
    ) -> Created[Batch]:
        printing = Printing(**msgspec.structs.asdict(data))
        batch, replayed = await paper.print(request.user, idempotency_key, printing)
        return Created(batch, location=f"/v1/batches/{batch.id}", replayed=replayed)

    @get(
        "/v1/batches",
        before_request=staff,
        summary="List batches of bearer vouchers",
        description="The newest first. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def find(page_size: NamedDependency[int], cursor: Cursor = None) -> BatchPage:
        after = cursors.read_id(cursor_secret, "batches", cursor)
        found = await paper.all(after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, "batches", found, page_size)
        return BatchPage(batches=list(shown), next=following)

    @get(
        "/v1/batches/{batch:uuid}",
        before_request=staff,
        summary="Read a batch of bearer vouchers",
        description="`count` is the sum of `used`, `left` and `returned`: those that went back to the pot.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(batch: FromPath[Identifier]) -> BatchCount:
        return await paper.get(batch)

    @get(
        "/v1/batches/{batch:uuid}/codes",
        before_request=staff,
        summary="Read the codes of a batch",
        description="Of the vouchers that can still be used, for printing. Each is money. Who read them is recorded.",
        responses=refused(401, 403, 404, 503),
        tags=_TAG,
    )
    async def codes(request: CallerRequest, batch: FromPath[Identifier]) -> BatchCodes:
        return await paper.codes(request.user, batch)

    @post(
        "/v1/batches/{batch:uuid}/void",
        before_request=staff,
        summary="Void what is left of a batch",
        description=(
            "What nobody has used is worth nothing any more, and its minutes go back to the pot. After the last day"
            " that happens by itself."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def void(
        request: CallerRequest, batch: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Voided]:
        voided, replayed = await paper.void(request.user, idempotency_key, batch)
        return Created(voided, replayed=replayed)

    return [create, find, read, codes, void]
