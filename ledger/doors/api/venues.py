"""Routes of venues and their sites: the scheme makes them known, opens and closes them."""

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import TAKING_PART, Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import POSTCODE_PATTERN, Identifier, Name
from ledger.scheme.callers import Scope
from ledger.scheme.districts import Latitude, Longitude
from ledger.scheme.sites import NewSite, Place, Site, Sites
from ledger.scheme.states import Participation
from ledger.scheme.venues import NewVenue, Venue, Venues

_TAG: Final = ["venues"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_StatusWanted = Annotated[Participation | None, QueryParameter(description="Only those of this status.")]
_Address = Annotated[str, Meta(max_length=500)]
_Postcode = Annotated[str, Meta(pattern=POSTCODE_PATTERN, description="In any case, with its space or without.")]
_StepFree = Annotated[bool | None, Meta(description="Whether there are no steps on the way in or inside.")]
_North = Annotated[Latitude, Meta(description="Where its postcode's district isn't exact enough; with longitude.")]


class VenueInput(Input, frozen=True, kw_only=True):
    """A new venue."""

    name: Name
    status: Annotated[Literal["applied", "active"], Meta(description="Whether somebody has yet to say yes to it.")] = (
        "active"
    )


class VenueChange(Input, frozen=True, kw_only=True):
    """A venue's other name."""

    name: Name


class VenuePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of venues by name, and the cursor of the next."""

    venues: list[Venue]
    next: str | None


class SiteInput(Input, frozen=True, kw_only=True):
    """A new site."""

    name: Name
    address: _Address = ""
    postcode: _Postcode | None = None
    latitude: _North | None = None
    longitude: Longitude | None = None
    step_free: _StepFree = None


class SiteChange(Input, frozen=True, kw_only=True):
    """What changes of a site: null clears, what isn't there stays."""

    name: Name | UnsetType = UNSET
    address: _Address | UnsetType = UNSET
    postcode: _Postcode | UnsetType | None = UNSET
    latitude: _North | UnsetType | None = UNSET
    longitude: Longitude | UnsetType | None = UNSET
    step_free: bool | UnsetType | None = UNSET


class SitePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sites by name, and the cursor of the next."""

    sites: list[Site]
    next: str | None


def routes(access: Access, venues: Venues, sites: Sites, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of venues and their sites."""
    return [*_of_venues(access, venues, cursor_secret), *_of_sites(access, sites, cursor_secret)]


def _of_venues(access: Access, venues: Venues, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @post(
        "/v1/venues",
        before_request=access.only(Scope.SCHEME),
        summary="Make a venue known",
        description="Active at once, unless it is only applied for.",
        responses=refused(400, 401, 403, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest, data: JSONBody[VenueInput], idempotency_key: IdempotencyKey
    ) -> Created[Venue]:
        asked = NewVenue(name=data.name, status=Participation(data.status))
        venue, replayed = await venues.create(request.user, idempotency_key, asked)
        return Created(venue, location=f"/v1/venues/{venue.id}", replayed=replayed)

    @get(
        "/v1/venues",
        before_request=access.only(Scope.SCHEME),
        summary="List venues",
        description="By name. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(page_size: NamedDependency[int], status: _StatusWanted = None, cursor: Cursor = None) -> VenuePage:
        place = f"venues/{status}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await venues.page(status=status, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.name)
        return VenuePage(venues=list(shown), next=following)

    @get(
        "/v1/venues/{venue:uuid}",
        before_request=access.only(*TAKING_PART),
        summary="Read a venue",
        description="One that isn't active is there for itself and the scheme alone.",
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, venue: FromPath[Identifier]) -> Venue:
        return await venues.get(request.user, venue)

    @patch(
        "/v1/venues/{venue:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Rename a venue",
        responses=refused(400, 401, 403, 404, 422, 503),
        tags=_TAG,
    )
    async def rename(request: CallerRequest, venue: FromPath[Identifier], data: JSONBody[VenueChange]) -> Venue:
        return await venues.rename(request.user, venue, data.name)

    @post(
        "/v1/venues/{venue:uuid}/activate",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Activate a venue",
        description="From applied or suspended. From then on it takes credits, and its offers are found.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def activate(request: CallerRequest, venue: FromPath[Identifier]) -> Venue:
        return await venues.change(request.user, venue, Participation.ACTIVE)

    @post(
        "/v1/venues/{venue:uuid}/suspend",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Suspend a venue",
        description="From active. It takes no credits, and nothing of it is found, until it is activated again.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def suspend(request: CallerRequest, venue: FromPath[Identifier]) -> Venue:
        return await venues.change(request.user, venue, Participation.SUSPENDED)

    @post(
        "/v1/venues/{venue:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="End a venue",
        description="For good. What was redeemed there stays.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def end(request: CallerRequest, venue: FromPath[Identifier]) -> Venue:
        return await venues.change(request.user, venue, Participation.ENDED)

    return [create, index, read, rename, activate, suspend, end]


def _of_sites(access: Access, sites: Sites, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @post(
        "/v1/venues/{venue:uuid}/sites",
        before_request=access.only(Scope.SCHEME),
        summary="Add a site",
        description="Where the venue is. Its postcode says how far it is for whoever looks for something near by.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def add(
        request: CallerRequest,
        venue: FromPath[Identifier],
        data: JSONBody[SiteInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Site]:
        asked = NewSite(venue=venue, place=Place(**_told(data)))
        site, replayed = await sites.add(request.user, idempotency_key, asked)
        return Created(site, location=f"/v1/venues/{venue}/sites", replayed=replayed)

    @get(
        "/v1/venues/{venue:uuid}/sites",
        before_request=access.only(*TAKING_PART),
        summary="List a venue's sites",
        description=(
            "By name; those that are closed for the venue itself and the scheme alone. Give `next` as `cursor` to"
            " go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        request: CallerRequest, venue: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> SitePage:
        place = f"sites/{venue}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await sites.of_venue(request.user, venue, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.name)
        return SitePage(sites=list(shown), next=following)

    @patch(
        "/v1/sites/{site:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Change a site",
        description="What isn't there stays as it is; null clears.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def change(request: CallerRequest, site: FromPath[Identifier], data: JSONBody[SiteChange]) -> Site:
        return await sites.change(request.user, site, _told(data))

    @post(
        "/v1/sites/{site:uuid}/close",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Close a site",
        description="For good, once no offer that hasn't ended is given there alone.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def close(request: CallerRequest, site: FromPath[Identifier]) -> Site:
        return await sites.close(request.user, site)

    return [add, index, change, close]


def _told(data: SiteInput | SiteChange) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
