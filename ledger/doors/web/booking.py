"""Booking: choosing when and with whom, looking at what it comes to, and what is booked: to be shown, changed, undone.

    choose -> what goes on hold, and until when it can be cancelled (nothing is written) -> booked, with its code

The first two are one form, sent to one address: without `sure` it is looked at, with it done, and with `again` it is
shown once more as it was filled in. A change is looked at likewise where it comes to another amount. Both take the
same road through the rules, so what is looked at is refused by the same words as what is done. A helper books for whom
they help.
"""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import gettext, go, page, said_in, sentence_in
from ledger.doors.web.qr import qr_svg
from ledger.doors.web.trusted import name_of
from ledger.scheme.bookings import Bookings, Change, Checked, Wanted
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.codes import link
from ledger.scheme.diary import Booking, Diary
from ledger.scheme.finding import Finding
from ledger.scheme.helping import Helpers, Known, May
from ledger.scheme.redemptions import State
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.terms import Kind, Party

# What a phone shows in three screens.
BOOKINGS: Final = 20

Count = Annotated[int, Meta(ge=0, le=50)]

_SHORT: Final = {
    Refusal.INSUFFICIENT_CREDITS: marked(
        "This needs more credits than there are to spend just now. Nothing was taken."
    ),
    Refusal.QUOTA_FULL: marked("All places for credits are taken then. Another time may have some."),
    Refusal.CONSENT_NEEDED: marked("A parent or guardian has to agree first. Then this will work."),
    Refusal.NOT_ELIGIBLE: marked("There is one more step first. The office can help you with it."),
}


class Choice(Struct, frozen=True):
    """What somebody chose: of a show an occasion, of a course nothing, else a day and a time."""

    person: UUID | None = None
    occasion: UUID | None = None
    visit_at: datetime | None = None
    adults: Count = 1
    children: Count = 0
    young: Count = 0
    companion: bool = False

    @property
    def party(self) -> Party:
        """Who comes."""
        return Party(adults=self.adults, children=self.children, young=self.young, companion=self.companion)


class CancelChoice(Struct, frozen=True):
    """Whether all of a course is cancelled."""

    course: bool = False


def routes(  # noqa: PLR0917  # the verbs of three pages
    access: Access,
    bookings: Bookings,
    diary: Diary,
    finding: Finding,
    helpers: Helpers,
    clock: Clock,
    secret: bytes,
    url: str,
) -> list[HTTPRouteHandler]:
    """Return the routes of booking; ``url`` is where a till opens this service."""
    return [
        *_choosing(access, bookings, finding, helpers),
        *_standing(access, bookings, diary, finding, helpers, clock, secret, url),
    ]


def _choosing(access: Access, bookings: Bookings, finding: Finding, helpers: Helpers) -> list[HTTPRouteHandler]:
    @get("/spend/{offer:uuid}/book", before_request=access.only(Who.PERSON))
    async def choose(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        shown, others = await finding.show(offer), await _others(request, helpers)
        form = Form.blank(person=request.query_params.get("for") or _self(request), adults="1")
        return page(request, "booking/choose.html", form=form, offer=shown, others=others)

    @post("/spend/{offer:uuid}/book", before_request=access.only(Who.PERSON), status_code=303)
    async def book(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        form, shown = await Form.sent(request), await finding.show(offer)
        choice = None if form.value("again") else form.take(Choice)
        if choice is not None and shown.kind is Kind.SHOW and choice.occasion is None:
            form.fault("occasion", gettext(request)("Please choose one of these times."))
            choice = None
        if choice is not None:
            person = choice.person or UUID(_self(request))
            wanted = Wanted(
                person=person,
                offer=offer,
                visit_at=choice.visit_at,
                occasion=choice.occasion,
                party=choice.party,
            )
            try:
                if form.value("sure"):
                    booked, _ = await bookings.book(request.user.caller, form.key, wanted)
                    return go(f"/people/{person}/bookings/{booked.id}", "booked")
                checked = await bookings.check(request.user.caller, wanted)
                name = await name_of(request, helpers, person)
                return _is_this_right(request, form, checked, offer=shown, party=wanted.party, name=name)
            except Declined as declined:
                if declined.reason is Refusal.NOT_FOUND:
                    raise
                _kindly(request, form, declined)
        others = await _others(request, helpers)
        return page(request, "booking/choose.html", status=form.status, form=form, offer=shown, others=others)

    return [choose, book]


def _standing(  # noqa: PLR0917  # the verbs of three pages
    access: Access,
    bookings: Bookings,
    diary: Diary,
    finding: Finding,
    helpers: Helpers,
    clock: Clock,
    secret: bytes,
    url: str,
) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/bookings", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place, cursor = f"bookings/{person}", request.query_params.get("after") or None
        last = cursors.read_named(secret, place, cursor)
        after = None if last is None else (datetime.fromisoformat(last[0]), last[1])
        agenda = await diary.of_person(request.user.caller, person, after=after, limit=BOOKINGS + 1)
        shown, more = cursors.page_named(
            secret, place, agenda.bookings, BOOKINGS, lambda _: agenda.begun_at.isoformat()
        )
        # What was cancelled isn't to come, whenever it would have been.
        coming = [each for each in shown if each.visit_at >= agenda.begun_at and each.status is State.AUTHORISED]
        return page(
            request,
            "booking/list.html",
            person=person,
            coming=coming,
            past=[each for each in shown if each not in coming],
            more=more,
            is_first=cursor is None,
            name=await name_of(request, helpers, person),
        )

    @get("/people/{person:uuid}/bookings/{booking:uuid}", before_request=access.only(Who.PERSON))
    async def one(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        found = await theirs(request, diary, person, booking)
        return page(
            request,
            "booking/booking.html",
            booking=found,
            offer=await finding.show(found.offer),
            can_cancel=_can_cancel(found, clock()),
            svg=qr_svg(link(url, found.code), gettext(request)("The code of your booking")) if found.code else None,
        )

    @get("/people/{person:uuid}/bookings/{booking:uuid}/cancel", before_request=access.only(Who.PERSON))
    async def leave(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        found = await theirs(request, diary, person, booking)
        return page(request, "booking/cancel.html", booking=found, form=Form.blank(course=found.course is not None))

    @post(
        "/people/{person:uuid}/bookings/{booking:uuid}/cancel", before_request=access.only(Who.PERSON), status_code=303
    )
    async def cancel(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        choice = form.take(CancelChoice) or CancelChoice()
        with form.heeding():
            await bookings.cancel(request.user.caller, form.key, booking, course=choice.course)
            return go(f"/people/{person}/bookings/{booking}", "cancelled")
        found = await theirs(request, diary, person, booking)
        return page(request, "booking/cancel.html", status=form.status, booking=found, form=form)

    @get("/people/{person:uuid}/bookings/{booking:uuid}/change", before_request=access.only(Who.PERSON))
    async def other(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        found = await theirs(request, diary, person, booking)
        return page(
            request,
            "booking/change.html",
            booking=found,
            offer=await finding.show(found.offer),
            form=_as_it_is(found),
        )

    @post(
        "/people/{person:uuid}/bookings/{booking:uuid}/change", before_request=access.only(Who.PERSON), status_code=303
    )
    async def change(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        choice = None if form.value("again") else form.take(Choice)
        found = await theirs(request, diary, person, booking)
        if choice is not None:
            # What stays as it was needs no notice.
            at = None if choice.visit_at == found.visit_at else choice.visit_at
            occasion = None if choice.occasion == found.occasion else choice.occasion
            asked = Change(booking=booking, visit_at=at, occasion=occasion, party=choice.party)
            try:
                # What was changed already isn't looked at: sent again, it has its answer by its key.
                if not form.value("sure") and found.status is State.AUTHORISED:
                    checked = await bookings.check_change(request.user.caller, asked)
                    if checked.minutes != found.minutes:
                        offer, name = await finding.show(found.offer), await name_of(request, helpers, person)
                        return _is_this_right(
                            request, form, checked, offer=offer, party=choice.party, name=name, booking=found
                        )
                changed, _ = await bookings.change(request.user.caller, form.key, asked)
                return go(f"/people/{person}/bookings/{changed.id}", "changed")
            except Declined as declined:
                _kindly(request, form, declined)
        return page(
            request,
            "booking/change.html",
            status=form.status,
            booking=found,
            offer=await finding.show(found.offer),
            form=form,
        )

    return [listed, one, leave, cancel, other, change]


def _is_this_right(
    request: PageRequest,
    form: Form,
    checked: Checked,
    *,
    offer: object,
    party: object,
    name: str | None,
    booking: Booking | None = None,
) -> Response[bytes]:
    """Return the page that shows what it comes to, before it is booked, or changed where there is a booking."""
    return page(
        request,
        "booking/check.html",
        offer=offer,
        booking=booking,
        checked=checked,
        party=party,
        name=name,
        form=form.to_confirm(),
        kept=_kept(form),
    )


async def theirs(request: PageRequest, diary: Diary, person: UUID, booking: UUID) -> Booking:
    """The booking, at its person's address only."""
    found = await diary.read(request.user.caller, booking)
    if found.person != person:
        raise Declined(Refusal.NOT_FOUND)
    return found


async def _others(request: PageRequest, helpers: Helpers) -> list[Known]:
    """For whom else they may book."""
    return [each for each in await helpers.helped(request.user.caller) if May.BOOK in each.may]


def _kept(form: Form) -> dict[str, str]:
    """What was chosen, for the page that asks whether it is right."""
    return {name: form.value(name) for name in form.names() if form.value(name)}


def _self(request: PageRequest) -> str:
    present = request.user.present
    assert present is not None, "the page is for people"
    return str(present.person)


def _can_cancel(booking: Booking, now: datetime) -> bool:
    return booking.status is State.AUTHORISED and now < booking.cancel_until


def _as_it_is(booking: Booking) -> Form:
    party = booking.party
    return Form.blank(
        occasion=str(booking.occasion) if booking.occasion else None,
        adults=str(party.adults),
        children=str(party.children),
        young=str(party.young),
        companion=party.companion,
        **_moment(booking.visit_at),
    )


def _moment(at: datetime) -> dict[str, str]:
    local = at.astimezone(LONDON)
    return {"visit_at_day": f"{local:%Y-%m-%d}", "visit_at_time": f"{local:%H:%M}"}


def _kindly(request: PageRequest, form: Form, declined: Declined) -> None:
    """Say what stood in the way to whoever wants to come, and from when it would work."""
    form.heed(declined)
    if declined.reason is Refusal.WRONG_VALUES:
        return
    said = gettext(request)
    plain = _SHORT.get(declined.reason)
    words = said(plain) if plain else sentence_in(request)(form.said)
    if declined.works_at is not None and declined.reason is not Refusal.OFFER_CLOSED_NOW:
        words += " " + said("It will work from %(moment)s on.") % {"moment": said_in(request).moment(declined.works_at)}
    form.refuse(words, form.status)
