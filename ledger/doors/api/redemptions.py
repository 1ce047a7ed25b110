"""Routes of a venue's till: quote and redeem an offer, look at a redemption, capture, void and refund it.

`POST /v1/redemptions` is the hot path: a lane of its own, one shared read (key, offer, code), one entry.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest, admitted
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.guard import ASGIApp
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.api.lane import Lane
from ledger.doors.fields import Identifier, Minutes
from ledger.scheme.callers import Scope
from ledger.scheme.directory import Directory
from ledger.scheme.redemptions import Redemption, Redemptions, Step
from ledger.scheme.terms import Party
from ledger.scheme.tills import Quote, Tills, Wanted

_VENUE: Final = frozenset({Scope.VENUE})
_TAG: Final = ["redemptions"]
PATH: Final = "/v1/redemptions"


# A code is 13 characters at most; spaces and hyphens are read over, and a link to it is no longer than this.
CodeText = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="As it was typed or scanned; a link counts as the code at its end."),
]


class QuoteInput(Input, frozen=True, kw_only=True):
    """What is shown, for which offer, and who comes."""

    code: Annotated[CodeText, Meta(description="Of a card, a phone pass, a voucher or a booking.")]
    offer: Annotated[Identifier | None, Meta(description="An offer of this venue; a booking code says so itself.")] = (
        None
    )
    party: Annotated[Party, Meta(description="Who comes, the holder among them: one adult, if left out.")] = Party()


class RedemptionInput(QuoteInput, frozen=True, kw_only=True):
    """The same, to be done."""

    name_checked: Annotated[
        bool, Meta(description="For a printed card: that the visitor was asked for their first name, and it is theirs.")
    ] = False
    capture: Annotated[
        bool, Meta(description="true takes the credits at once; false puts them on hold, to be captured.")
    ] = True


class CaptureInput(Input, frozen=True, kw_only=True):
    """How much of what is on hold to take."""

    minutes: Annotated[Minutes | None, Meta(description="All of it, if left out; the rest goes back.")] = None


class RefundInput(Input, frozen=True, kw_only=True):
    """How much of what was taken to give back."""

    minutes: Annotated[Minutes | None, Meta(description="All that is left of it, if left out.")] = None


def redeeming(
    directory: Directory, tills: Tills
) -> Callable[[str, str, RedemptionInput], Awaitable[Created[Redemption]]]:
    """Return what redeems, for the route and its lane."""

    async def redeem(token: str, key: str, data: RedemptionInput) -> Created[Redemption]:
        code = tills.code(data.code)
        found = await directory.find(token, offer=data.offer, code=code.lookup)
        caller = admitted(found.caller, _VENUE)
        wanted = Wanted(offer=data.offer, party=data.party, name_checked=data.name_checked)
        redemption, replayed = await tills.redeem(caller, key, wanted, code, found, capture=data.capture)
        return Created(redemption, replayed=replayed, location=f"{PATH}/{redemption.id}")

    return redeem


def lane(app: ASGIApp, directory: Directory, tills: Tills) -> ASGIApp:
    """Return the application with a lane for redeeming."""

    def is_tills(token: str) -> bool:
        caller = directory.recall(token)
        return caller is not None and caller.scope in _VENUE

    return Lane(app, PATH, RedemptionInput, redeeming(directory, tills), is_tills)


def routes(access: Access, directory: Directory, tills: Tills, redemptions: Redemptions) -> list[HTTPRouteHandler]:
    """Return the routes of redemptions."""
    redeemed = redeeming(directory, tills)

    @post(
        "/v1/quotes",
        before_request=access.only(Scope.VENUE, recalled=True),
        status_code=200,
        summary="Ask what a visit would come to",
        description="Whether it would be accepted now and what it would be charged; if not, why, and from when it "
        "would work. It says the first name to ask for at a printed card. Nothing is taken; a code that isn't known "
        "counts as a wrong try.",
        responses=refused(400, 401, 403, 404, 422, 429, 503),
        tags=_TAG,
    )
    async def quote(request: CallerRequest, data: JSONBody[QuoteInput]) -> Quote:
        code = tills.code(data.code)
        found = await directory.find(request.auth, offer=data.offer, code=code.lookup)
        wanted = Wanted(offer=data.offer, party=data.party, name_checked=True)
        return await tills.quote(admitted(found.caller, _VENUE), wanted, code, found)

    @post(
        PATH,
        before_request=access.only(Scope.VENUE, recalled=True),
        summary="Redeem an offer",
        description="Takes the offer's price for the party from the credits of whoever shows the code, or puts it on "
        "hold. A booking's code takes what was held for it.",
        responses=refused(400, 401, 403, 404, 409, 422, 429, 503),
        tags=_TAG,
    )
    async def redeem(
        request: CallerRequest, data: JSONBody[RedemptionInput], idempotency_key: IdempotencyKey
    ) -> Created[Redemption]:
        return await redeemed(request.auth, idempotency_key, data)

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
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
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
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
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
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="Refund what was captured",
        description="Gives back all or some of it: a till on the same day, the scheme for 30 days. All refunds "
        "together never exceed what was captured.",
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

    return [quote, redeem, read, capture, void, refund]
