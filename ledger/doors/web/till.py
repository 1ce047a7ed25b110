"""The till: what is shown, who comes, one large yes or no, and then the credits are taken.

    /till          offer, code, party -> "Check" (a quote: nothing is taken) -> yes or no, with what to say
    /till/take     -> taken -> /till/visits/{redemption}: the large yes of what was done, and on to the next visitor
    /till/today    what was taken today, to give back on the same day; who is booked today, came or didn't come

The code is posted and never stands in an address; the offer does, so that it stays chosen. Check is a question and may
be asked again; taking is done once, by the key of the form that showed the price. The tick for the name is asked for
before the verb is: a refusal would be kept under that key.

A code that is a booking's says its own offer, whatever is chosen. What isn't known at all, a locked till, another
venue's booking: each is a "no" with its sentence; only what was mistyped is said at its field.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Minutes
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import go, page
from ledger.doors.web.qr import TEXT_MAX
from ledger.scheme.bookings import Bookings
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.diary import Diary
from ledger.scheme.directory import Directory
from ledger.scheme.offers import Offer, Offers
from ledger.scheme.redemptions import Redemption, Redemptions
from ledger.scheme.refusals import TABLE, Declined
from ledger.scheme.states import Publication
from ledger.scheme.terms import Party
from ledger.scheme.tills import Quote, Tills, Wanted, refused

# A venue with more than these has several tills, each at a site of its own.
OFFERS_MAX: Final = 100
# What a tablet shows in three screens; more of either goes on on the next page.
TAKINGS: Final = 30
BOOKINGS_MAX: Final = 100

_CHOOSE: Final = marked("Please choose one. Only the code of a booking needs none.")

_Count = Annotated[int, Meta(ge=0, le=100)]


class Shown(Struct, frozen=True):
    """What was typed or scanned, for which offer, and who comes."""

    code: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    offer: UUID | None = None
    adults: _Count = 1
    children: _Count = 0
    young: _Count = 0
    companion: bool = False
    name_checked: bool = False

    @property
    def party(self) -> Party:
        """Who comes, as the verbs take it."""
        return Party(adults=self.adults, children=self.children, young=self.young, companion=self.companion)


class Part(Struct, frozen=True):
    """How much is given back."""

    minutes: Minutes


class Verbs(Struct, frozen=True):
    """The verbs behind a till."""

    directory: Directory
    tills: Tills
    redemptions: Redemptions
    bookings: Bookings
    diary: Diary
    offers: Offers
    clock: Clock
    secret: bytes


def routes(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    """Return the routes of a till."""
    return [*_redeeming(access, verbs), *_visits(access, verbs), *_today(access, verbs)]


def _redeeming(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    @get("/till", before_request=access.only(Who.TILL))
    async def start(request: PageRequest) -> Response[Any]:
        offers = await _offers(verbs, request.user.caller)
        chosen = request.query_params.get("offer", "")
        if len(offers) == 1:
            chosen = str(offers[0].id)
        return _asking(request, verbs, offers, Form.blank(offer=chosen, adults="1", children="0", young="0"))

    @post("/till", before_request=access.only(Who.TILL), status_code=200)
    async def check(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        offers = await _offers(verbs, request.user.caller)
        shown = form.take(Shown)
        if shown is not None:
            with form.heeding():
                return await _answer(request, verbs, offers, form, shown)
        elif not form.value("offer"):
            form.fault("offer", _CHOOSE)  # with what else is wrong, and not after it
        return _asking(request, verbs, offers, form)

    @get("/till/take", before_request=access.only(Who.TILL))
    async def begin_again(request: PageRequest) -> Response[Any]:  # noqa: ARG001  # Litestar wants it
        """Where a reader is who changes the language on the page that a refusal was."""
        return go("/till")

    @post("/till/take", before_request=access.only(Who.TILL), status_code=303)
    async def take(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        caller = request.user.caller
        shown = form.take(Shown)
        if shown is None:
            return _asking(request, verbs, await _offers(verbs, caller), form)
        wanted = Wanted(offer=shown.offer, party=shown.party, name_checked=shown.name_checked)
        try:
            code = verbs.tills.code(shown.code)
            found = await verbs.directory.find(offer=wanted.offer, code=code.lookup)
            if verbs.tills.asks_name(found) and not shown.name_checked:
                form.fault("name_checked", "is needed before credits are taken")
                return await _answer(request, verbs, await _offers(verbs, caller), form, shown)
            redeemed, _ = await verbs.tills.redeem(caller, form.key, wanted, code, found, capture=True)
        except Declined as declined:
            offers = await _offers(verbs, caller)
            status = TABLE[declined.reason].status
            return _verdict(request, offers, form, refused(declined, wanted.offer), status=status)
        return go(f"/till/visits/{redeemed.id}")

    return [start, check, begin_again, take]


def _visits(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    @get("/till/visits/{redemption:uuid}", before_request=access.only(Who.TILL))
    async def visit(request: PageRequest, redemption: FromPath[UUID]) -> Response[Any]:
        return await _visit(request, verbs, redemption, Form.blank())

    @post("/till/visits/{redemption:uuid}/refund", before_request=access.only(Who.TILL), status_code=303)
    async def refund(request: PageRequest, redemption: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        part = form.take(Part) if "part" in form.names() else None
        if not form.failed:
            with form.heeding():
                minutes = None if part is None else part.minutes
                await verbs.redemptions.refund(request.user.caller, form.key, redemption, minutes)
                return go(f"/till/visits/{redemption}", "refunded")
        return await _visit(request, verbs, redemption, form)

    return [visit, refund]


def _today(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    @get("/till/today", before_request=access.only(Who.TILL))
    async def today(request: PageRequest) -> Response[Any]:
        return await _day(request, verbs, Form.blank())

    @post("/till/bookings/{booking:uuid}/came", before_request=access.only(Who.TILL), status_code=303)
    async def came(request: PageRequest, booking: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await verbs.redemptions.capture(request.user.caller, form.key, booking, None)
            return go(f"/till/visits/{booking}")
        return await _day(request, verbs, form)

    @post("/till/bookings/{booking:uuid}/absent", before_request=access.only(Who.TILL), status_code=303)
    async def absent(request: PageRequest, booking: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await verbs.bookings.no_show(request.user.caller, form.key, booking)
            return go("/till/today", "put_back")
        return await _day(request, verbs, form)

    return [today, came, absent]


async def _offers(verbs: Verbs, caller: Caller) -> Sequence[Offer]:
    """What can be had at this till."""
    assert caller.object is not None, "a till is a venue's"
    offers = await verbs.offers.of_venue(caller, caller.object, after=None, limit=OFFERS_MAX)
    here = {None, caller.site}
    open_ = [offer for offer in offers if offer.status is Publication.PUBLISHED]
    return [offer for offer in open_ if caller.site is None or offer.site in here]


def _asking(request: PageRequest, verbs: Verbs, offers: Sequence[Offer], form: Form) -> Response[Any]:
    """The till as it waits for a visitor."""
    until = request.user.caller.locked_until
    locked_until = until if until is not None and until > verbs.clock() else None
    return page(request, "till/till.html", status=form.status, form=form, offers=offers, locked_until=locked_until)


async def _answer(
    request: PageRequest, verbs: Verbs, offers: Sequence[Offer], form: Form, shown: Shown
) -> Response[Any]:
    """Yes or no to what is shown. Declines what was mistyped."""
    caller, wanted = request.user.caller, Wanted(offer=shown.offer, party=shown.party, name_checked=True)
    try:
        code = verbs.tills.code(shown.code)
        found = await verbs.directory.find(offer=wanted.offer, code=code.lookup)
        if found.shown is not None and found.shown.kind == "booking":
            wanted = msgspec.structs.replace(wanted, offer=None)
        quote = await verbs.tills.quote(caller, wanted, code, found)
    except Declined as declined:
        if wanted.offer is None and any(field == "offer" for field, _ in declined.fields):
            form.fault("offer", _CHOOSE)  # the scheme's words are for programs
            return _asking(request, verbs, offers, form)
        if declined.fields:
            raise
        return _verdict(request, offers, form, refused(declined, wanted.offer))
    booked = None if quote.booking is None else await verbs.diary.expected(caller, quote.booking)
    asks = verbs.tills.asks_name(found)
    return _verdict(request, offers, form, quote, status=form.status, booked=booked, asks_name=asks)


def _verdict(
    request: PageRequest,
    offers: Sequence[Offer],
    form: Form,
    quote: Quote,
    *,
    status: int = 200,
    booked: object = None,
    asks_name: bool = False,
) -> Response[Any]:
    """The page of a yes or a no, on which it can be checked again with another party or code."""
    again = Form.blank(**{name: form.value(name) for name in ("code", "offer", "adults", "children", "young")})
    title = next((offer.title for offer in offers if offer.id == quote.offer), None)
    return page(
        request,
        "till/verdict.html",
        status=status,
        form=form,
        again=again,
        offers=offers,
        quote=quote,
        title=title,
        booked=booked,
        asks_name=asks_name,
    )


async def _visit(request: PageRequest, verbs: Verbs, id_: UUID, form: Form) -> Response[Any]:
    """What became of a visit, with what can be given back of it."""
    caller = request.user.caller
    redemption: Redemption = await verbs.redemptions.get(caller, id_)
    offer = await verbs.offers.get(caller, redemption.offer)
    # Each way of giving back has a key of its own: whoever comes Back and takes the other asks something else.
    return page(
        request,
        "till/visit.html",
        status=form.status,
        redemption=redemption,
        offer=offer,
        left=redemption.captured - redemption.refunded,
        form=form,
        whole=Form.blank(),
    )


async def _day(request: PageRequest, verbs: Verbs, form: Form) -> Response[Any]:
    """What was taken today and who is booked."""
    caller = request.user.caller
    assert caller.object is not None, "a till is a venue's"
    place, cursor = f"till/{caller.object}", request.query_params.get("before")
    before = cursors.read(verbs.secret, place, cursor) if cursor else None
    found = await verbs.redemptions.today(caller, caller.object, before=before, limit=TAKINGS + 1)
    shown = found[:TAKINGS]
    list_ = f"till/{caller.object}/booked"
    after = cursors.read_id(verbs.secret, list_, request.query_params.get("after"))
    expected = await verbs.diary.of_venue(caller, caller.object, None, after=after, limit=BOOKINGS_MAX + 1)
    booked, later = cursors.page(verbs.secret, list_, expected, BOOKINGS_MAX)
    return page(
        request,
        "till/today.html",
        status=form.status,
        form=form,
        takings=shown,
        older=cursors.sign(verbs.secret, place, shown[-1].sequence) if len(found) > TAKINGS else None,
        newest=before is None,
        booked=booked,
        later=later,
        earlier=after is not None,
        now=verbs.clock(),
        key=Form.blank().key,
    )
