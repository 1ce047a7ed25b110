"""Routes of gifts: offer one, answer it, take it back, see what was given and received, and give into a pot."""

from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import ADDRESS_PATTERN, Identifier, Minutes
from ledger.scheme.callers import Scope
from ledger.scheme.gifts import Gift, Gifts, GiftStep, GivenToPot, NewGift, Offered, Side, ToPot

_TAG: Final = ["gifts"]
_Words = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=ADDRESS_PATTERN, description="What the giver says with it."),
]
_Side = Annotated[Side, QueryParameter(name="side", description="What they gave, or what they received.")]


class GiftInput(Input, frozen=True, kw_only=True):
    """A gift to somebody."""

    receiver: Annotated[Identifier, Meta(description="The person whom it is for, as they told their id.")]
    minutes: Minutes
    words: _Words | None = None


class PotGiftInput(Input, frozen=True, kw_only=True):
    """A gift into a pot."""

    giver: Annotated[Identifier, Meta(description="The person who gives; with a person's key, oneself.")]
    minutes: Minutes


class GiftPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of gifts, newest first, and the cursor of the page before it in time."""

    gifts: list[Gift]
    next: str | None


def routes(access: Access, gifts: Gifts, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of gifts."""
    people = access.only(Scope.PERSON, Scope.SCHEME)

    @post(
        "/v1/people/{person:uuid}/gifts",
        before_request=people,
        summary="Offer a gift",
        description=(
            "By the person's own key, or staff for them. It leaves their wallet at once and goes back if it isn't"
            " accepted within 30 days, unless the scheme's rules differ. What a person gives in a month has a limit,"
            " gifts into pots counted with the others; who is under 18 gives with a guardian's consent."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def offer(
        request: CallerRequest,
        person: FromPath[Identifier],
        data: JSONBody[GiftInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Offered]:
        gift = NewGift(giver=person, receiver=data.receiver, minutes=data.minutes, words=data.words)
        offered, replayed = await gifts.offer(request.user, idempotency_key, gift)
        return Created(offered, location=f"/v1/gifts/{offered.id}", replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/gifts",
        before_request=people,
        summary="List somebody's gifts",
        description=(
            "To and from other people, newest first; what went into pots stands in the statement. Give `next` as"
            " `cursor` to go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def listed(
        request: CallerRequest,
        person: FromPath[Identifier],
        page_size: NamedDependency[int],
        side: _Side = Side.RECEIVED,
        cursor: Cursor = None,
    ) -> GiftPage:
        place = f"gifts/{side}/{person}"
        before = cursors.read_id(cursor_secret, place, cursor)
        found = await gifts.of(request.user, person, side, before=before, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return GiftPage(gifts=list(shown), next=following)

    @get(
        "/v1/gifts/{gift:uuid}",
        before_request=people,
        summary="Read a gift",
        description=(
            "For who gives it and for whom it is. A child learns whose it is, and what they say, once a guardian has"
            " given consent."
        ),
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, gift: FromPath[Identifier]) -> Gift:
        return await gifts.get(request.user, gift)

    @post(
        "/v1/gifts/{gift:uuid}/accept",
        before_request=people,
        summary="Accept a gift",
        description=(
            "By whom it is for, or staff for them. It is in their wallet then, for good; somebody under 16 needs a"
            " guardian's consent."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def accept(
        request: CallerRequest, gift: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[GiftStep]:
        step, replayed = await gifts.accept(request.user, idempotency_key, gift)
        return Created(step, replayed=replayed)

    @post(
        "/v1/gifts/{gift:uuid}/decline",
        before_request=people,
        summary="Decline a gift",
        description="By whom it is for, or staff for them. It goes back to who gave it.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def decline(
        request: CallerRequest, gift: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[GiftStep]:
        step, replayed = await gifts.decline(request.user, idempotency_key, gift)
        return Created(step, replayed=replayed)

    @post(
        "/v1/gifts/{gift:uuid}/take-back",
        before_request=people,
        summary="Take a gift back",
        description="By who gives it, or staff for them, as long as it isn't accepted.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def take_back(
        request: CallerRequest, gift: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[GiftStep]:
        step, replayed = await gifts.take_back(request.user, idempotency_key, gift)
        return Created(step, replayed=replayed)

    @post(
        "/v1/groups/{group:uuid}/pot/gifts",
        before_request=people,
        summary="Give into a group's pot",
        description="At once, and for good. It counts in the month's limit like a gift to a person.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def give_to_group(
        request: CallerRequest,
        group: FromPath[Identifier],
        data: JSONBody[PotGiftInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[GivenToPot]:
        gift = ToPot(giver=data.giver, group=group, minutes=data.minutes)
        given, replayed = await gifts.give_to_pot(request.user, idempotency_key, gift)
        return Created(given, replayed=replayed)

    @post(
        "/v1/community-pot/gifts",
        before_request=people,
        summary="Give into the community's pot",
        description="For somebody whom neither knows: staff pass it on. It counts in the month's limit likewise.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def give_to_community(
        request: CallerRequest, data: JSONBody[PotGiftInput], idempotency_key: IdempotencyKey
    ) -> Created[GivenToPot]:
        gift = ToPot(giver=data.giver, group=None, minutes=data.minutes)
        given, replayed = await gifts.give_to_pot(request.user, idempotency_key, gift)
        return Created(given, replayed=replayed)

    return [offer, listed, read, accept, decline, take_back, give_to_group, give_to_community]
