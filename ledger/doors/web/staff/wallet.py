"""What somebody has, at the desk: their statement and bookings, and what only the office can still put right.

    credits     every line, as they read it themselves; what ended lately is brought back whole (rule 11)
    bookings    what they booked; one that they could cancel no more is cancelled, and the credits go back (rule 14)
    visits      what a venue took is given back, whole or in part, for longer than its till can (rule 15)
    hours       hours that lie too far back for anybody else (rule 5); the project approves them like any other

Each is the verb that the API calls, and what may not be is the verb's to say. A visit or a booking is there at its
person's address only.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Text
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.booking import CancelChoice, theirs
from ledger.doors.web.forms import Form
from ledger.doors.web.lines import why
from ledger.doors.web.pages import _, gettext, go, page
from ledger.doors.web.till import Part
from ledger.scheme.bookings import Bookings
from ledger.scheme.claiming import Claiming, NewClaim
from ledger.scheme.desk import Desk
from ledger.scheme.diary import Diary
from ledger.scheme.expiry import Expiry
from ledger.scheme.lines import Line, Statements, Why
from ledger.scheme.offers import Offers
from ledger.scheme.people import People
from ledger.scheme.projects import CHOICES_MAX, Projects
from ledger.scheme.redemptions import Redemptions
from ledger.scheme.refusals import Declined
from ledger.scheme.venues import Venues

# What a screen shows without scrolling far.
LINES: Final = 25
BOOKINGS: Final = 25

# What a verb says of fields that stand here as one: when it began, and how long it was.
_OF_A_PERIOD: Final = {
    "must not lie in the future": _("It ends later than now: write it down when it is over."),
    "must be at most 24 hours after started_at": _("One day at a time: at most 24 hours."),
}


class HoursForm(Struct, frozen=True):
    """Hours that they gave, where and when."""

    project: UUID
    started_at: datetime
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    note: Text = ""


class Verbs(Struct, frozen=True):
    """The verbs behind what somebody has."""

    desk: Desk
    people: People
    statements: Statements
    expiry: Expiry
    diary: Diary
    bookings: Bookings
    redemptions: Redemptions
    offers: Offers
    venues: Venues
    claiming: Claiming
    projects: Projects
    secret: bytes


def routes(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    """Return the routes of what somebody has."""
    return [*_credits(access, verbs), *_visits(access, verbs), *_bookings(access, verbs), *_hours(access, verbs)]


def _credits(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    staff = access.only(Who.STAFF)

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        caller, place = request.user.caller, f"staff/credits/{person}"
        cursor = request.query_params.get("before")
        before = cursors.read(verbs.secret, place, cursor) if cursor else None
        found = await verbs.statements.of(caller, person, before=before, limit=LINES + 1)
        lines = found[:LINES]
        ended = (await verbs.expiry.endings(caller, person)).reinstatable if before is None else ()
        return page(
            request,
            "staff/credits.html",
            status=form.status,
            form=form,
            person=person,
            name=await _name(request, verbs, person),
            lines=[(line, why(line, gettext(request), own=False), _is_visit(line)) for line in lines],
            ended=ended,
            older=cursors.sign(verbs.secret, place, lines[-1].sequence) if len(found) > LINES else None,
            newest=before is None,
        )

    @get("/staff/people/{person:uuid}/credits", before_request=staff)
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @post("/staff/people/{person:uuid}/credits/reinstate", before_request=staff, status_code=303)
    async def reinstate(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await verbs.expiry.reinstate(request.user.caller, form.key, person)
            return go(f"/staff/people/{person}/credits", "reinstated")
        return await shown(request, person, form)

    return [listed, reinstate]


def _visits(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    staff = access.only(Who.STAFF)

    async def shown(request: PageRequest, person: UUID, visit: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        holder = await verbs.people.holder(person)
        redemption = await verbs.redemptions.of_payer(caller, holder, visit)
        offer = await verbs.offers.get(caller, redemption.offer)
        return page(
            request,
            "staff/visit.html",
            status=form.status,
            form=form,
            whole=Form.blank(),
            person=person,
            redemption=redemption,
            left=redemption.captured - redemption.refunded,
            offer=offer,
            venue=await verbs.venues.get(caller, offer.venue),
        )

    @get("/staff/people/{person:uuid}/visits/{visit:uuid}", before_request=staff)
    async def one(request: PageRequest, person: FromPath[UUID], visit: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, visit, Form.blank())

    @post("/staff/people/{person:uuid}/visits/{visit:uuid}/refund", before_request=staff, status_code=303)
    async def refund(request: PageRequest, person: FromPath[UUID], visit: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        caller = request.user.caller
        await verbs.redemptions.of_payer(caller, await verbs.people.holder(person), visit)
        part = form.take(Part) if "part" in form.names() else None
        if not form.failed:
            with form.heeding():
                await verbs.redemptions.refund(caller, form.key, visit, None if part is None else part.minutes)
                return go(f"/staff/people/{person}/visits/{visit}", "refunded")
        return await shown(request, person, visit, form)

    return [one, refund]


def _bookings(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    staff = access.only(Who.STAFF)

    @get("/staff/people/{person:uuid}/bookings", before_request=staff)
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place, cursor = f"staff/bookings/{person}", request.query_params.get("after") or None
        last = cursors.read_named(verbs.secret, place, cursor)
        after = None if last is None else (datetime.fromisoformat(last[0]), last[1])
        agenda = await verbs.diary.of_person(request.user.caller, person, after=after, limit=BOOKINGS + 1)
        begun = agenda.begun_at.isoformat()
        shown, older = cursors.page_named(verbs.secret, place, agenda.bookings, BOOKINGS, lambda _: begun)
        return page(
            request,
            "staff/bookings.html",
            person=person,
            name=await _name(request, verbs, person),
            bookings=shown,
            older=older,
            newest=last is None,
        )

    @get("/staff/people/{person:uuid}/bookings/{booking:uuid}", before_request=staff)
    async def one(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        found = await theirs(request, verbs.diary, person, booking)
        form = Form.blank(course=found.course is not None)
        return page(request, "staff/booking.html", person=person, booking=found, form=form)

    @post("/staff/people/{person:uuid}/bookings/{booking:uuid}", before_request=staff, status_code=303)
    async def cancel(request: PageRequest, person: FromPath[UUID], booking: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        await theirs(request, verbs.diary, person, booking)
        typed = form.take(CancelChoice) or CancelChoice()
        with form.heeding():
            await verbs.bookings.cancel(request.user.caller, form.key, booking, course=typed.course)
            return go(f"/staff/people/{person}/bookings", "cancelled")
        found = await theirs(request, verbs.diary, person, booking)
        return page(request, "staff/booking.html", status=form.status, person=person, booking=found, form=form)

    return [listed, one, cancel]


def _hours(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    staff = access.only(Who.STAFF)

    async def asking(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        caller, named = request.user.caller, form.value("named")
        choices = await verbs.projects.choices(caller, person, named)
        return page(
            request,
            "staff/hours.html",
            status=form.status,
            form=form,
            person=person,
            name=await _name(request, verbs, person),
            choices=choices,
            many=len(choices) == CHOICES_MAX or bool(named),
        )

    @get("/staff/people/{person:uuid}/hours/new", before_request=staff)
    async def new(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await asking(request, person, Form.blank(named=request.query_params.get("named", "").strip()[:200]))

    @post("/staff/people/{person:uuid}/hours/new", before_request=staff, status_code=303)
    async def write(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(HoursForm)
        if typed is not None:
            asked = NewClaim(
                project=typed.project,
                person=person,
                started_at=typed.started_at,
                ended_at=typed.started_at + timedelta(minutes=typed.minutes),
                minutes=typed.minutes,
                note=typed.note or None,
            )
            try:
                await verbs.claiming.claim(request.user.caller, form.key, asked)
                return go(f"/staff/people/{person}", "hours_written")
            except Declined as declined:
                placed = tuple(
                    ("minutes" if field == "ended_at" else field, _OF_A_PERIOD.get(says, says))
                    for field, says in declined.fields
                )
                form.heed(declined, fields=placed)
        return await asking(request, person, form)

    return [new, write]


async def _name(request: PageRequest, verbs: Verbs, person: UUID) -> str:
    return (await verbs.desk.names(request.user.caller, [person]))[person]


def _is_visit(line: Line) -> bool:
    """Whether a visit that can be given back stands behind it."""
    return line.about is not None and line.why in {Why.SPENT, Why.REFUND}
