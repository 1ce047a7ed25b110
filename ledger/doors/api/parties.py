"""Routes of venues and their offers: the scheme's administration."""

from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Identifier, Input, Minutes, Name
from ledger.scheme.keys import Scope
from ledger.scheme.offers import Offer, Offers, Status
from ledger.scheme.venues import Venue, Venues

_OFFERS: Final = ["offers"]


class VenueInput(Input, frozen=True, kw_only=True):
    """A new venue."""

    name: Name


class OfferInput(Input, frozen=True, kw_only=True):
    """A new offer."""

    title: Name
    price: Annotated[Minutes, Meta(description="In minutes; 60 are one Time Credit.")]


def routes(access: Access, venues: Venues, offers: Offers) -> list[HTTPRouteHandler]:
    """Return the routes of venues and offers."""

    @post(
        "/v1/venues",
        before_request=access.only(Scope.SCHEME),
        summary="Make a venue known",
        responses=refused(400, 401, 403, 422, 503),
        tags=["venues"],
    )
    async def create_venue(data: JSONBody[VenueInput]) -> Created[Venue]:
        venue = await venues.create(data.name)
        return Created(venue, location=f"/v1/venues/{venue.id}")

    @get(
        "/v1/venues/{venue:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Read a venue",
        responses=refused(401, 403, 404),
        tags=["venues"],
    )
    async def read_venue(venue: FromPath[Identifier]) -> Venue:
        return await venues.get(venue)

    @post(
        "/v1/venues/{venue:uuid}/offers",
        before_request=access.only(Scope.SCHEME),
        summary="Make an offer",
        description="A draft, until it is published.",
        responses=refused(400, 401, 403, 404, 422, 503),
        tags=_OFFERS,
    )
    async def create_offer(venue: FromPath[Identifier], data: JSONBody[OfferInput]) -> Created[Offer]:
        offer = await offers.create(venue, data.title, data.price)
        return Created(offer, location=f"/v1/offers/{offer.id}")

    @get(
        "/v1/offers/{offer:uuid}",
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="Read an offer",
        responses=refused(401, 403, 404),
        tags=_OFFERS,
    )
    async def read_offer(request: CallerRequest, offer: FromPath[Identifier]) -> Offer:
        return await offers.get(request.user, offer)

    @post(
        "/v1/offers/{offer:uuid}/publish",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Publish an offer",
        description="From draft or paused. From then on it can be redeemed.",
        responses=refused(401, 403, 404, 409, 503),
        tags=_OFFERS,
    )
    async def publish_offer(offer: FromPath[Identifier]) -> Offer:
        return await offers.change(offer, Status.PUBLISHED)

    @post(
        "/v1/offers/{offer:uuid}/pause",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Pause an offer",
        description="It stops at once, until it is published again.",
        responses=refused(401, 403, 404, 409, 503),
        tags=_OFFERS,
    )
    async def pause_offer(offer: FromPath[Identifier]) -> Offer:
        return await offers.change(offer, Status.PAUSED)

    @post(
        "/v1/offers/{offer:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="End an offer",
        description="For good.",
        responses=refused(401, 403, 404, 409, 503),
        tags=_OFFERS,
    )
    async def end_offer(offer: FromPath[Identifier]) -> Offer:
        return await offers.change(offer, Status.ENDED)

    return [
        create_venue,
        read_venue,
        create_offer,
        read_offer,
        publish_offer,
        pause_offer,
        end_offer,
    ]
