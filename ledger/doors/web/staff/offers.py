"""Offers: what a venue gives for credits, under which terms; published, paused and ended; and the dates of shows."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, go, page
from ledger.doors.web.staff import clearances, terms
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.occasions import NewOccasions, Occasions, Times
from ledger.scheme.offers import TIMED, NewOffer, Offers
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sites import SITES_MAX, Sites
from ledger.scheme.states import Publication
from ledger.scheme.terms import Kind, Reach
from ledger.scheme.venues import Venues

_OCCASIONS: Final = 50
# A term, or a season's Saturdays.
_WEEKS_MAX: Final = 52

_KINDS: Final = (
    (Kind.DROP_IN.value, _("Drop in"), _("People come when it is open.")),
    (Kind.SHOW.value, _("Show"), _("At set times, booked one by one.")),
    (Kind.COURSE.value, _("Course"), _("All of its dates together.")),
    (Kind.TICKET.value, _("Ticket"), _("For a day and time that you agree on.")),
)
_REACHES: Final = (
    (Reach.LOCAL.value, _("Local")),
    (Reach.COUNTY.value, _("The county")),
    (Reach.NATIONAL.value, _("The whole country")),
)


class OccasionsForm(Struct, frozen=True):
    """A date, or one a week for so many weeks."""

    starts_at: datetime
    lasts: Annotated[int, Meta(ge=1, le=1440)]
    places: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    weeks: Annotated[int, Meta(ge=1, le=_WEEKS_MAX)] = 1


def routes(  # noqa: PLR0917  # each has its own type
    access: Access, venues: Venues, sites: Sites, offers: Offers, occasions: Occasions, eligibility: Eligibility
) -> list[HTTPRouteHandler]:
    """Return the routes of offers."""
    staff = access.only(Who.STAFF)

    async def form_page(request: PageRequest, venue: UUID, form: Form, offer: Any) -> Response[Any]:  # noqa: ANN401
        """The form of an offer, new or standing."""
        found = await sites.of_venue(request.user.caller, venue, after=None, limit=SITES_MAX)
        return page(
            request,
            "staff/offer_form.html",
            status=form.status,
            form=form,
            venue=await venues.get(request.user.caller, venue),
            offer=offer,
            sites=[(str(each.id), each.name) for each in found if each.closed_at is None],
            kinds=_KINDS,
            reaches=_REACHES,
            asked_for=clearances.said(await eligibility.asked_for(request.user.caller)),
        )

    @get("/staff/venues/{venue:uuid}/offers/new", before_request=staff)
    async def new(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        return await form_page(request, venue, terms.blank(), None)

    @post("/staff/venues/{venue:uuid}/offers/new", before_request=staff, status_code=303)
    async def create(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        details = terms.taken(form)
        if details is not None:
            try:
                made, _replayed = await offers.create(
                    request.user.caller, form.key, NewOffer(venue=venue, details=details)
                )
                return go(f"/staff/offers/{made.id}", "saved")
            except Declined as declined:
                terms.heed(form, declined)
        return await form_page(request, venue, form, None)

    async def offer_page(request: PageRequest, offer: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        found = await offers.get(caller, offer)
        dates = []
        if found.kind in TIMED:
            dates = list(await occasions.of_offer(caller, offer, since=None, after=None, limit=_OCCASIONS))
        return page(
            request,
            "staff/offer.html",
            status=form.status,
            form=form,
            offer=found,
            venue=await venues.get(caller, found.venue),
            quota=await offers.quota(caller, offer, None) if found.terms.quota is not None else None,
            occasions=dates,
            lacks=await offers.lacks(caller, offer),
            is_timed=found.kind in TIMED,
            kinds={value: says for value, says, _hint in _KINDS},
            reaches=dict(_REACHES),
        )

    @get("/staff/offers/{offer:uuid}", before_request=staff)
    async def one(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        return await offer_page(request, offer, Form.blank())

    @get("/staff/offers/{offer:uuid}/edit", before_request=staff)
    async def edit(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        found = await offers.get(request.user.caller, offer)
        return await form_page(request, found.venue, terms.filled(found), found)

    @post("/staff/offers/{offer:uuid}/edit", before_request=staff, status_code=303)
    async def rewrite(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        details = terms.taken(form)
        if details is not None:
            try:
                named = {name: getattr(details, name) for name in details.__struct_fields__}
                await offers.rewrite(request.user.caller, offer, named)
                return go(f"/staff/offers/{offer}", "saved")
            except Declined as declined:
                terms.heed(form, declined)
        found = await offers.get(request.user.caller, offer)
        return await form_page(request, found.venue, form, found)

    @post("/staff/offers/{offer:uuid}/status/{status:str}", before_request=staff, status_code=303)
    async def change(request: PageRequest, offer: FromPath[UUID], status: FromPath[str]) -> Response[Any]:
        if status not in {Publication.PUBLISHED, Publication.PAUSED, Publication.ENDED}:
            raise Declined(Refusal.NOT_FOUND)
        form = await Form.sent(request)
        with form.heeding():
            await offers.change(request.user.caller, offer, Publication(status))
            return go(f"/staff/offers/{offer}", "done")
        return await offer_page(request, offer, form)

    @post("/staff/offers/{offer:uuid}/occasions", before_request=staff, status_code=303)
    async def add(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(OccasionsForm)
        if typed is not None:
            # The same time by the clock each week, in summer and in winter.
            times = [
                Times(starts_at=starts, ends_at=starts + timedelta(minutes=typed.lasts), places=typed.places)
                for starts in (typed.starts_at + timedelta(weeks=week) for week in range(typed.weeks))
            ]
            try:
                await occasions.add(request.user.caller, form.key, NewOccasions(offer=offer, occasions=times))
                return go(f"/staff/offers/{offer}", "saved")
            except Declined as declined:
                form.heed(declined, fields=_of_form(declined))
        return await offer_page(request, offer, form)

    @post("/staff/offers/{offer:uuid}/occasions/{occasion:uuid}/cancel", before_request=staff, status_code=303)
    async def cancel(request: PageRequest, offer: FromPath[UUID], occasion: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await occasions.cancel(request.user.caller, occasion)
            return go(f"/staff/offers/{offer}", "done")
        return await offer_page(request, offer, form)

    return [new, create, one, edit, rewrite, change, add, cancel]


def _of_form(declined: Declined) -> tuple[tuple[str, str], ...]:
    """Faults of single dates at the fields from which they are made."""
    places = {"starts_at": "starts_at", "ends_at": "lasts"}
    return tuple((places.get(name.rpartition(".")[2], "weeks"), says) for name, says in declined.fields)
