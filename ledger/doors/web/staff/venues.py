"""Venues: where credits are spent. Their sites, their offers and their tills, and who looks after them."""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import POSTCODE_PATTERN, Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.staff import places
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.desk import Desk
from ledger.scheme.devices import Devices
from ledger.scheme.offers import Offers
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import Roles
from ledger.scheme.sites import SITES_MAX, NewSite, Place, Site, Sites
from ledger.scheme.venues import NewVenue, Venues

_OFFERS: Final = 100
_STEP_FREE: Final = {"yes": True, "no": False, "": None}


class VenueForm(Struct, frozen=True):
    """What a venue is called."""

    name: Name


class SiteForm(Struct, frozen=True):
    """Where a site is."""

    name: Name
    address: Annotated[str, Meta(max_length=500)] = ""
    postcode: Annotated[str, Meta(pattern=POSTCODE_PATTERN)] | None = None
    step_free: Annotated[str, Meta(pattern="^(yes|no)?$")] = ""


def routes(  # noqa: PLR0917  # each has its own type
    access: Access,
    desk: Desk,
    venues: Venues,
    sites: Sites,
    offers: Offers,
    devices: Devices,
    roles: Roles,
    secret: bytes,
    clock: Clock,
) -> list[HTTPRouteHandler]:
    """Return the routes of venues."""
    staff = access.only(Who.STAFF)

    @get("/staff/venues/paused", before_request=staff)
    async def paused(request: PageRequest) -> Response[Any]:
        return page(request, "staff/paused.html", offers=await desk.paused_offers(request.user.caller))

    @get("/staff/venues/new", before_request=staff)
    async def new(request: PageRequest) -> Response[Any]:
        return page(request, "staff/venue_details.html", form=Form.blank(), venue=None)

    @post("/staff/venues/new", before_request=staff, status_code=303)
    async def create(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(VenueForm)
        if typed is not None:
            with form.heeding():
                made, _ = await venues.create(request.user.caller, form.key, NewVenue(name=typed.name))
                return go(f"/staff/venues/{made.id}", "saved")
        return page(request, "staff/venue_details.html", status=form.status, form=form, venue=None)

    async def venue_page(request: PageRequest, venue: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        found = await venues.get(caller, venue)
        return page(
            request,
            "staff/venue.html",
            status=form.status,
            form=form,
            venue=found,
            sites=await sites.of_venue(caller, venue, after=None, limit=SITES_MAX),
            offers=await offers.of_venue(caller, venue, after=None, limit=_OFFERS),
            devices=places.machines(await devices.of_venue(caller, venue, after=None, limit=places.DEVICES), clock),
            roles=await roles.page(venue=venue, after=None, limit=places.ROLES),
            query=places.query(request),
        )

    @get("/staff/venues/{venue:uuid}", before_request=staff)
    async def one(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        return await venue_page(request, venue, Form.blank())

    @get("/staff/venues/{venue:uuid}/details", before_request=staff)
    async def details(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        found = await venues.get(request.user.caller, venue)
        return page(request, "staff/venue_details.html", form=Form.blank(name=found.name), venue=found)

    @post("/staff/venues/{venue:uuid}/details", before_request=staff, status_code=303)
    async def rename(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(VenueForm)
        if typed is not None:
            with form.heeding():
                await venues.rename(request.user.caller, venue, typed.name)
                return go(f"/staff/venues/{venue}", "saved")
        found = await venues.get(request.user.caller, venue)
        return page(request, "staff/venue_details.html", status=form.status, form=form, venue=found)

    # --- sites -------------------------------------------------------------------------------------------

    async def site_of(request: PageRequest, venue: UUID, site: UUID) -> Site:
        """That site of the venue, or ``not_found``."""
        found = await sites.of_venue(request.user.caller, venue, after=None, limit=SITES_MAX)
        for each in found:
            if each.id == site:
                return each
        raise Declined(Refusal.NOT_FOUND)

    @get("/staff/venues/{venue:uuid}/sites/new", before_request=staff)
    async def new_site(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        found = await venues.get(request.user.caller, venue)
        return page(request, "staff/site.html", form=Form.blank(), venue=found, site=None)

    @post("/staff/venues/{venue:uuid}/sites/new", before_request=staff, status_code=303)
    async def add_site(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(SiteForm)
        if typed is not None:
            with form.heeding():
                await sites.add(request.user.caller, form.key, NewSite(venue=venue, place=_place(typed)))
                return go(f"/staff/venues/{venue}", "saved")
        found = await venues.get(request.user.caller, venue)
        return page(request, "staff/site.html", status=form.status, form=form, venue=found, site=None)

    @get("/staff/venues/{venue:uuid}/sites/{site:uuid}", before_request=staff)
    async def one_site(request: PageRequest, venue: FromPath[UUID], site: FromPath[UUID]) -> Response[Any]:
        found = await venues.get(request.user.caller, venue)
        place = await site_of(request, venue, site)
        form = Form.blank(
            name=place.name,
            address=place.address,
            postcode=place.postcode,
            step_free={True: "yes", False: "no", None: ""}[place.step_free],
        )
        return page(request, "staff/site.html", form=form, venue=found, site=place)

    @post("/staff/venues/{venue:uuid}/sites/{site:uuid}", before_request=staff, status_code=303)
    async def change_site(request: PageRequest, venue: FromPath[UUID], site: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(SiteForm)
        place = await site_of(request, venue, site)
        if typed is not None:
            with form.heeding():
                # Where exactly it lies isn't asked here, and stays.
                named = {name: getattr(_place(typed), name) for name in ("name", "address", "postcode", "step_free")}
                await sites.change(request.user.caller, site, named)
                return go(f"/staff/venues/{venue}", "saved")
        found = await venues.get(request.user.caller, venue)
        return page(request, "staff/site.html", status=form.status, form=form, venue=found, site=place)

    @post("/staff/venues/{venue:uuid}/sites/{site:uuid}/close", before_request=staff, status_code=303)
    async def close_site(request: PageRequest, venue: FromPath[UUID], site: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        await site_of(request, venue, site)
        with form.heeding():
            await sites.close(request.user.caller, site)
            return go(f"/staff/venues/{venue}", "done")
        return await venue_page(request, venue, form)

    async def open_sites(caller: Caller, venue: UUID) -> list[tuple[str, str]]:
        """Where a till may stand."""
        found = await sites.of_venue(caller, venue, after=None, limit=SITES_MAX)
        return [(str(each.id), each.name) for each in found if each.closed_at is None]

    return [
        *(paused, new, create, one, details, rename),
        *(new_site, add_site, one_site, change_site, close_site),
        *places.routes(access, devices, secret, places.Place("venue", venues, venue_page, open_sites)),
    ]


def _place(typed: SiteForm) -> Place:
    return Place(**{**msgspec.structs.asdict(typed), "step_free": _STEP_FREE[typed.step_free]})
