"""Routes of a venue's till: redeem an offer, look at a redemption, capture, void and refund it.

`POST /v1/redemptions` is the hot path: a guard that remembers, one shared read (key, offer, holder), one entry.
"""

from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest, admitted
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Identifier, Input, Minutes
from ledger.scheme.directory import Directory
from ledger.scheme.keys import Scope
from ledger.scheme.redemptions import Redemption, Redemptions, Step

_VENUE: Final = frozenset({Scope.VENUE})
_TAG: Final = ["redemptions"]


class RedemptionInput(Input, frozen=True, kw_only=True):
    """Which offer, and whose credits."""

    offer: Annotated[Identifier, Meta(description="An offer of this venue, published.")]
    holder: Annotated[Identifier, Meta(description="Whose credits: the id that stands for a person here.")]
    capture: Annotated[
        bool, Meta(description="true takes the credits at once; false puts them on hold, to be captured.")
    ] = True


class CaptureInput(Input, frozen=True, kw_only=True):
    """How much of what is on hold to take."""

    minutes: Annotated[Minutes | None, Meta(description="All of it, if left out; the rest goes back.")] = None


class RefundInput(Input, frozen=True, kw_only=True):
    """How much of what was taken to give back."""

    minutes: Annotated[Minutes | None, Meta(description="All that is left of it, if left out.")] = None


def routes(access: Access, directory: Directory, redemptions: Redemptions) -> list[HTTPRouteHandler]:
    """Return the routes of redemptions."""

    @post(
        "/v1/redemptions",
        before_request=access.only(Scope.VENUE, recalled=True),
        summary="Redeem an offer",
        description="Takes the offer's price from the holder's credits, or puts it on hold.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def redeem(
        request: CallerRequest, data: JSONBody[RedemptionInput], idempotency_key: IdempotencyKey
    ) -> Created[Redemption]:
        found = await directory.find(request.auth, offer=data.offer, holder=data.holder)
        redemption, replayed = await redemptions.redeem(
            admitted(found.caller, _VENUE),
            idempotency_key,
            found.offer,
            data.holder,
            holder_known=found.holder,
            capture=data.capture,
        )
        return Created(redemption, replayed=replayed, location=f"/v1/redemptions/{redemption.id}")

    @get(
        "/v1/redemptions/{redemption:uuid}",
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="Read a redemption",
        description="How it stands now, read from the journal.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, redemption: FromPath[Identifier]) -> Redemption:
        return await redemptions.get(request.user, redemption)

    @post(
        "/v1/redemptions/{redemption:uuid}/capture",
        before_request=access.only(Scope.VENUE),
        summary="Capture what is on hold",
        description="Takes all or some of it; the rest goes back. A hold is resolved once.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def capture(
        request: CallerRequest,
        redemption: FromPath[Identifier],
        data: JSONBody[CaptureInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Step]:
        step, replayed = await redemptions.capture(request.user, idempotency_key, redemption, data.minutes)
        return Created(step, replayed=replayed)

    @post(
        "/v1/redemptions/{redemption:uuid}/void",
        before_request=access.only(Scope.VENUE),
        summary="Void what is on hold",
        description="Gives all of it back. A hold is resolved once.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def void(
        request: CallerRequest, redemption: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Step]:
        step, replayed = await redemptions.void(request.user, idempotency_key, redemption)
        return Created(step, replayed=replayed)

    @post(
        "/v1/redemptions/{redemption:uuid}/refund",
        before_request=access.only(Scope.VENUE),
        summary="Refund what was captured",
        description="Gives back all or some of it. All refunds together never exceed what was captured.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def refund(
        request: CallerRequest,
        redemption: FromPath[Identifier],
        data: JSONBody[RefundInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Step]:
        step, replayed = await redemptions.refund(request.user, idempotency_key, redemption, data.minutes)
        return Created(step, replayed=replayed)

    return [redeem, read, capture, void, refund]
