"""Routes of occasions: when a show is given, or a session of a course."""

from datetime import UTC, datetime, time
from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import TAKING_PART, Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.days import DAY_PATTERN, day
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Moment
from ledger.scheme.callers import Scope
from ledger.scheme.clock import LONDON
from ledger.scheme.occasions import OCCASIONS_MAX, NewOccasions, Occasion, Occasions, Times

_TAG: Final = ["offers"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_Places = Annotated[int, Meta(ge=0, le=100_000, description="For credits; null for no limit but the offer's own.")]
_Since = Annotated[
    str | None,
    QueryParameter(
        pattern=DAY_PATTERN, format="date", description="Those of that day and later: 2026-11-28. By default from now."
    ),
]


class OccasionInput(Input, frozen=True, kw_only=True):
    """A new occasion."""

    starts_at: Moment
    ends_at: Annotated[Moment, Meta(description="At most 24 hours after the start.")]
    places: _Places | None = None


class OccasionsInput(Input, frozen=True, kw_only=True):
    """New occasions: a season of a show, the sessions of a course."""

    occasions: Annotated[list[OccasionInput], Meta(min_length=1, max_length=OCCASIONS_MAX)]


class OccasionChange(Input, frozen=True, kw_only=True):
    """How many places an occasion has from now on."""

    places: _Places | None


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """The occasions that were added, in the order they were given."""

    occasions: list[Occasion]


class OccasionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of occasions by time, and the cursor of the next."""

    occasions: list[Occasion]
    next: str | None


def routes(access: Access, occasions: Occasions, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of occasions."""

    @post(
        "/v1/offers/{offer:uuid}/occasions",
        before_request=access.only(Scope.SCHEME),
        summary="Add occasions to a show or a course",
        description=f"All of them or none; an offer has at most {OCCASIONS_MAX}.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def add(
        request: CallerRequest,
        offer: FromPath[Identifier],
        data: JSONBody[OccasionsInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Added]:
        times = [
            Times(starts_at=each.starts_at.astimezone(UTC), ends_at=each.ends_at.astimezone(UTC), places=each.places)
            for each in data.occasions
        ]
        asked = NewOccasions(offer=offer, occasions=times)
        added, replayed = await occasions.add(request.user, idempotency_key, asked)
        return Created(Added(occasions=list(added)), location=f"/v1/offers/{offer}/occasions", replayed=replayed)

    @get(
        "/v1/offers/{offer:uuid}/occasions",
        before_request=access.only(*TAKING_PART),
        summary="List an offer's occasions",
        description=(
            "By time, cancelled ones too; `left` are the places that can still be booked. Give `next` as `cursor` to"
            " go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        request: CallerRequest,
        offer: FromPath[Identifier],
        page_size: NamedDependency[int],
        since: _Since = None,
        cursor: Cursor = None,
    ) -> OccasionPage:
        place = f"occasions/{offer}/{since}"
        first = day("since", since)
        found = await occasions.of_offer(
            request.user,
            offer,
            since=None if first is None else datetime.combine(first, time(), LONDON),
            after=cursors.read_id(cursor_secret, place, cursor),
            limit=page_size + 1,
        )
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return OccasionPage(occasions=list(shown), next=following)

    @patch(
        "/v1/occasions/{occasion:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Change how many places an occasion has",
        description="Bookings stay, be they more than that: then nobody else can book.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def change(
        request: CallerRequest, occasion: FromPath[Identifier], data: JSONBody[OccasionChange]
    ) -> Occasion:
        return await occasions.set_places(request.user, occasion, data.places)

    @post(
        "/v1/occasions/{occasion:uuid}/cancel",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Cancel an occasion",
        description="One that isn't over. Doing it again changes nothing.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def cancel(request: CallerRequest, occasion: FromPath[Identifier]) -> Occasion:
        return await occasions.cancel(request.user, occasion)

    return [add, index, change, cancel]
