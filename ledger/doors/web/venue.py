"""A venue's own pages, for whoever manages it and for staff: today, the month's places, its thanks, offers and tills.

What a venue sees of people is a first name, who comes along and when: never what anybody has, or where they help.

A till's code is shown once, by the page that answers the form that made it, and stands in no address. That page may be
loaded again, while its form is known; whoever lost the code makes another till.
"""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors.fields import Name
from ledger.doors.web import paper
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import gettext, go, language_of, page, pdf, said_in
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.devices import Devices, NewDevice
from ledger.scheme.diary import Diary
from ledger.scheme.given import Given, VenueMonth
from ledger.scheme.offers import Offers
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sites import Sites

BOOKINGS_MAX: Final = 200
# Beyond these a venue is looked at by the office, not on one page.
OFFERS_MAX: Final = 200
TILLS_MAX: Final = 100
SITES_MAX: Final = 100
# When there were no computers, there were no Time Credits either.
_YEAR_FIRST: Final = 2000
_MONTHS: Final = 12


class Till(Struct, frozen=True):
    """A till to be made."""

    name: Name
    site: UUID | None = None


class Verbs(Struct, frozen=True):
    """The verbs behind a venue's pages."""

    given: Given
    diary: Diary
    offers: Offers
    devices: Devices
    sites: Sites
    press: paper.Press
    clock: Clock


def routes(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    """Return the routes of a venue's pages."""
    return [*_looking(access, verbs), *_tills(access, verbs)]


def _looking(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    @get("/venues/{venue:uuid}", before_request=access.only(Who.MANAGER, Who.STAFF))
    async def home(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        caller, now = request.user.caller, verbs.clock()
        month = await verbs.given.venue_month(caller, venue, day_of(now))
        booked = await verbs.diary.of_venue(caller, venue, None, after=None, limit=BOOKINGS_MAX + 1)
        return page(
            request,
            "venue/home.html",
            month=month,
            booked=booked[:BOOKINGS_MAX],
            most=len(booked) > BOOKINGS_MAX,
            now=now,
        )

    @get("/venues/{venue:uuid}/month", before_request=access.only(Who.MANAGER, Who.STAFF))
    async def month(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        today = day_of(verbs.clock())
        first = _month(request, today)
        found = await verbs.given.venue_month(request.user.caller, venue, first)
        after = _after(first)
        return page(
            request,
            "venue/month.html",
            month=found,
            before=_before(first),
            after=after if after <= today else None,
            is_now=first == today.replace(day=1),
        )

    @get("/venues/{venue:uuid}/month.pdf", before_request=access.only(Who.MANAGER, Who.STAFF))
    async def thanks(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        first = _month(request, day_of(verbs.clock()))
        found = await verbs.given.venue_month(request.user.caller, venue, first)
        document = _thank_you(request, found)
        return pdf(await verbs.press.pdf(document), f"thank-you-{first:%Y-%m}")

    @get("/venues/{venue:uuid}/offers", before_request=access.only(Who.MANAGER, Who.STAFF))
    async def offers(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        found = await verbs.offers.of_venue(request.user.caller, venue, after=None, limit=OFFERS_MAX)
        return page(request, "venue/offers.html", venue=venue, offers=found)

    return [home, month, thanks, offers]


def _tills(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    async def listed(request: PageRequest, venue: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        tills = await verbs.devices.of_venue(caller, venue, after=None, limit=TILLS_MAX)
        sites = await verbs.sites.of_venue(caller, venue, after=None, limit=SITES_MAX)
        return page(
            request,
            "venue/tills.html",
            status=form.status,
            form=form,
            venue=venue,
            tills=tills,
            now=verbs.clock(),
            sites={site.id: site.name for site in sites},
            open_sites=[site for site in sites if site.closed_at is None],
        )

    @get("/venues/{venue:uuid}/tills", before_request=access.only(Who.MANAGER, Who.STAFF))
    async def tills(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        return await listed(request, venue, Form.blank())

    @post(
        "/venues/{venue:uuid}/tills", before_request=access.only(Who.MANAGER, Who.STAFF, freshly=True), status_code=200
    )
    async def make(request: PageRequest, venue: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        new = form.take(Till)
        if new is not None:
            with form.heeding():
                asked = NewDevice(venue=venue, name=new.name, site=new.site)
                expected, _ = await verbs.devices.create(request.user.caller, form.key, asked)
                return page(request, "venue/code.html", venue=venue, expected=expected, enrolment=access.enrolment)
        return await listed(request, venue, form)

    @post(
        "/venues/{venue:uuid}/tills/{till:uuid}/revoke",
        before_request=access.only(Who.MANAGER, Who.STAFF),
        status_code=303,
    )
    async def revoke(request: PageRequest, venue: FromPath[UUID], till: FromPath[UUID]) -> Response[Any]:
        await Form.sent(request, keyed=False)
        known = await verbs.devices.of_venue(request.user.caller, venue, after=None, limit=TILLS_MAX)
        if till not in {each.id for each in known}:
            raise Declined(Refusal.NOT_FOUND)
        await verbs.devices.revoke(request.user.caller, till)
        return go(f"/venues/{venue}/tills", "revoked")

    return [tills, make, revoke]


def _month(request: PageRequest, today: date) -> date:
    """The first day of the month that the address asks for; of this one, if it asks for none that there was."""
    try:
        asked = date.fromisoformat(request.query_params.get("month", "") + "-01")
    except ValueError:
        return today.replace(day=1)
    return asked if asked <= today and asked.year >= _YEAR_FIRST else today.replace(day=1)


def _after(first: date) -> date:
    """The first day of the next month."""
    return date(first.year + first.month // _MONTHS, first.month % _MONTHS + 1, 1)


def _before(first: date) -> date:
    """The first day of the month before."""
    return (first - timedelta(days=1)).replace(day=1)


def _thank_you(request: PageRequest, month: VenueMonth) -> paper.ThankYou:
    """The month's statement for paper: what was visited. What was only given back isn't on it."""
    said, language = said_in(request), language_of(request)
    return paper.ThankYou(
        language=language,
        venue=month.name,
        month=said.month(month.month),
        offers=[
            paper.OfferCount(offer=each.title, visits=each.visits, credits=said.credits(each.minutes))
            for each in month.offers
            if each.visits or each.minutes
        ],
        visits=month.visits,
        credits=said.credits(month.minutes),
        words=paper.translated(paper.ThankYouWords, gettext(request)),
    )
