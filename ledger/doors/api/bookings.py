"""Routes of bookings: book, change and cancel a visit, see what is booked, and say at the venue that nobody came.

A till captures a booking by its code (`POST /v1/redemptions`) or its id (`POST /v1/redemptions/{booking}/capture`).
"""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api import days
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Moment
from ledger.scheme.bookings import Booked, Bookings, Change, Returned, Wanted
from ledger.scheme.callers import Scope
from ledger.scheme.diary import Booking, Diary, Expected
from ledger.scheme.terms import Party

_TAG: Final = ["bookings"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_Day = Annotated[
    str | None,
    QueryParameter(
        pattern=days.DAY_PATTERN,
        format="date",
        description="As London's calendar has it; today, if left out: 2026-11-22.",
    ),
]


class VisitInput(Input, frozen=True, kw_only=True):
    """What to book."""

    person: Annotated[Identifier, Meta(description="Who comes and pays.")]
    offer: Identifier
    visit_at: Annotated[Moment | None, Meta(description="For a drop-in or a ticket: when, at most 366 days ahead.")] = (
        None
    )
    occasion: Annotated[Identifier | None, Meta(description="For a show: which. A course is booked as a whole.")] = None
    party: Annotated[Party, Meta(description="Who comes, the person among them: one adult, if left out.")] = Party()


class VisitChange(Input, frozen=True, kw_only=True):
    """What is to be another: a time or the party, or both."""

    visit_at: Moment | None = None
    occasion: Identifier | None = None
    party: Party | None = None


class CancelInput(Input, frozen=True, kw_only=True):
    """What to cancel."""

    course: Annotated[
        bool, Meta(description="true: every session of this one's course that can still be cancelled.")
    ] = False


class BookingPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a person's bookings, and the cursor of the next."""

    bookings: list[Booking]
    next: str | None


class ExpectedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of who is booked at a venue on a day, by time, and the cursor of the next."""

    bookings: list[Expected]
    next: str | None


def routes(access: Access, bookings: Bookings, diary: Diary, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of bookings."""
    return [*_booking(access, bookings), *_lists(access, diary, cursor_secret)]


def _booking(access: Access, bookings: Bookings) -> list[HTTPRouteHandler]:
    @post(
        "/v1/bookings",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Book a visit",
        description=(
            "Puts the credits on hold, with the place; the venue takes them when the visit is made. For oneself, or as"
            " a helper who may `book`. A course holds each of its sessions that are still to come, all or nothing."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def book(
        request: CallerRequest, data: JSONBody[VisitInput], idempotency_key: IdempotencyKey
    ) -> Created[Booked]:
        wanted = Wanted(
            person=data.person,
            offer=data.offer,
            visit_at=_utc(data.visit_at),
            occasion=data.occasion,
            party=data.party,
        )
        booked, replayed = await bookings.book(request.user, idempotency_key, wanted)
        return Created(booked, location=f"/v1/bookings/{booked.id}", replayed=replayed)

    @post(
        "/v1/bookings/{booking:uuid}/change",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Change a booking",
        description=(
            "Books another time or party in its place, as long as it can be cancelled; the code stays, the id is a new"
            " one. Where that can't be had, the booking stands as it was."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def change(
        request: CallerRequest,
        booking: FromPath[Identifier],
        data: JSONBody[VisitChange],
        idempotency_key: IdempotencyKey,
    ) -> Created[Booked]:
        asked = Change(booking=booking, visit_at=_utc(data.visit_at), occasion=data.occasion, party=data.party)
        booked, replayed = await bookings.change(request.user, idempotency_key, asked)
        return Created(booked, location=f"/v1/bookings/{booked.id}", replayed=replayed)

    @post(
        "/v1/bookings/{booking:uuid}/cancel",
        before_request=access.only(Scope.PERSON, Scope.VENUE, Scope.SCHEME),
        summary="Cancel a booking",
        description=(
            "All that is on hold for it goes back. By whoever booked until `cancel_until`, by the venue or the scheme"
            " as long as it is open."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def cancel(
        request: CallerRequest,
        booking: FromPath[Identifier],
        data: JSONBody[CancelInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Returned]:
        returned, replayed = await bookings.cancel(request.user, idempotency_key, booking, course=data.course)
        return Created(returned, replayed=replayed)

    @post(
        "/v1/bookings/{booking:uuid}/no-show",
        before_request=access.only(Scope.VENUE),
        summary="Say that nobody came",
        description="The credits go back at once, and nobody is told off. Not before the visit's time.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def no_show(
        request: CallerRequest, booking: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Returned]:
        returned, replayed = await bookings.no_show(request.user, idempotency_key, booking)
        return Created(returned, replayed=replayed)

    return [book, change, cancel, no_show]


def _lists(access: Access, diary: Diary, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @get(
        "/v1/bookings/{booking:uuid}",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read a booking",
        description="As it stands now, with the code to show at the till while it can be used.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, booking: FromPath[Identifier]) -> Booking:
        return await diary.read(request.user, booking)

    @get(
        "/v1/people/{person:uuid}/bookings",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="List a person's bookings",
        description=(
            "What is to come, the next first; then what was before, the last first. To the person, to helpers who may"
            " `book`, and the scheme. Give `next` as `cursor` to go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def of_person(
        request: CallerRequest, person: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> BookingPage:
        place = f"bookings/{person}"
        last = cursors.read_named(cursor_secret, place, cursor)
        after = None if last is None else (datetime.fromisoformat(last[0]), last[1])
        agenda = await diary.of_person(request.user, person, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(
            cursor_secret, place, agenda.bookings, page_size, lambda _: agenda.begun_at.isoformat()
        )
        return BookingPage(bookings=list(shown), next=following)

    @get(
        "/v1/venues/{venue:uuid}/bookings",
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="List who is booked at a venue",
        description=(
            "On one day, by time; for a venue's own key, at most 31 days ago. Give `next` as `cursor` to go on, with"
            " the same day."
        ),
        responses=refused(400, 401, 403, 404, 422),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def of_venue(
        request: CallerRequest,
        venue: FromPath[Identifier],
        page_size: NamedDependency[int],
        day: _Day = None,
        cursor: Cursor = None,
    ) -> ExpectedPage:
        place = f"bookings/{venue}?{day}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await diary.of_venue(request.user, venue, days.day("day", day), after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return ExpectedPage(bookings=list(shown), next=following)

    return [read, of_person, of_venue]


def _utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC, so that a retry which names it by another offset is known as a retry."""
    return None if moment is None else moment.astimezone(UTC)
