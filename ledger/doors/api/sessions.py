"""Routes of sessions and of who comes to them: plan, book, check in, check out."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import delete, get, post
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
from ledger.scheme.attendances import Attendance, Attendances
from ledger.scheme.callers import Scope
from ledger.scheme.sessions import REPEAT_MAX, Period, Plan, Session, Sessions

_TAG: Final = ["sessions"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}
_OWN: Final = (Scope.PROJECT, Scope.SCHEME)
_BOOKING: Final = (Scope.PERSON, Scope.PROJECT, Scope.SCHEME)
_OF_ONE: Final = "/v1/sessions/{session:uuid}/attendances/{person:uuid}"

_FirstDay = Annotated[
    str | None,
    QueryParameter(
        pattern=DAY_PATTERN, format="date", description="From this day on, as London's calendar has it: 2026-11-14."
    ),
]
_LastDay = Annotated[
    str | None, QueryParameter(pattern=DAY_PATTERN, format="date", description="Up to this day and including it.")
]


class SessionInput(Input, frozen=True, kw_only=True):
    """A new session, or one a week."""

    opportunity: Annotated[
        Identifier | None, Meta(description="What it is a session of; its places are the bound.")
    ] = None
    started_at: Annotated[Moment, Meta(description="At most a year ahead.")]
    ended_at: Annotated[Moment, Meta(description="At most 24 hours after the start.")]
    repeat: Annotated[
        int,
        Meta(ge=1, le=REPEAT_MAX, description="How many: one a week, at the same time on London's clocks."),
    ] = 1


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that were made, by time."""

    sessions: list[Session]


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions by time, and the cursor of the next."""

    sessions: list[Session]
    next: str | None


class AttendancePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a session's list by name, and the cursor of the next."""

    attendances: list[Attendance]
    next: str | None


class BookingInput(Input, frozen=True, kw_only=True):
    """Who comes."""

    person: Identifier


class MomentInput(Input, frozen=True, kw_only=True):
    """When it was, from a till that was offline; without it, it is now."""

    at: Annotated[Moment | None, Meta(description="On the session's day, and not in the future.")] = None


def routes(
    access: Access, sessions: Sessions, attendances: Attendances, cursor_secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of sessions and attendance."""
    return [*_sessions(access, sessions, cursor_secret), *_attendance(access, attendances, cursor_secret)]


def _sessions(access: Access, sessions: Sessions, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @post(
        "/v1/projects/{project:uuid}/sessions",
        before_request=access.only(*_OWN),
        summary="Plan a session, or one a week",
        description="Each lasts as long as the first and begins at the same time on the wall, in summer too.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def plan(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[SessionInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Planned]:
        asked = Plan(
            project=project,
            opportunity=data.opportunity,
            started_at=data.started_at.astimezone(UTC),
            ended_at=data.ended_at.astimezone(UTC),
            repeat=data.repeat,
        )
        made, replayed = await sessions.plan(request.user, idempotency_key, asked)
        return Created(Planned(sessions=list(made)), replayed=replayed)

    @get(
        "/v1/projects/{project:uuid}/sessions",
        before_request=access.only(*_OWN),
        summary="List a project's sessions",
        description="By time. Give `next` as `cursor` to go on, with the same days.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        *,
        request: CallerRequest,
        project: FromPath[Identifier],
        page_size: NamedDependency[int],
        first_day: _FirstDay = None,
        last_day: _LastDay = None,
        cursor: Cursor = None,
    ) -> SessionPage:
        period = Period(first=day("first_day", first_day), last=day("last_day", last_day))
        place = f"sessions/{project}?{first_day}&{last_day}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await sessions.of_project(request.user, project, period, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return SessionPage(sessions=list(shown), next=following)

    @get(
        "/v1/opportunities/{opportunity:uuid}/sessions",
        before_request=access.only(*TAKING_PART),
        summary="See when one can come",
        description="The sessions of a published opportunity that aren't over or cancelled, by time.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def to_come(
        request: CallerRequest,
        opportunity: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> SessionPage:
        place = f"sessions-to-come/{opportunity}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await sessions.to_come(request.user, opportunity, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return SessionPage(sessions=list(shown), next=following)

    @get(
        "/v1/sessions/{session:uuid}",
        before_request=access.only(*_OWN),
        summary="Read a session",
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, session: FromPath[Identifier]) -> Session:
        return await sessions.get(request.user, session)

    @post(
        "/v1/sessions/{session:uuid}/cancel",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Cancel a session",
        description=(
            "It stays on the pages of whoever is expected until its day is over, and who takes emails gets one. Not"
            " once somebody has come, or when it is over."
        ),
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def cancel(request: CallerRequest, session: FromPath[Identifier]) -> Session:
        return await sessions.cancel(request.user, session)

    return [plan, index, to_come, read, cancel]


def _attendance(access: Access, attendances: Attendances, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @get(
        "/v1/sessions/{session:uuid}/attendances",
        before_request=access.only(*_OWN),
        summary="Read who is on a session's list",
        description="By name. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def attending(
        request: CallerRequest, session: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> AttendancePage:
        place = f"attendances/{session}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await attendances.page(request.user, session, after=after, limit=page_size + 1)
        shown = list(found[:page_size])
        following = None
        if len(found) > page_size:
            following = cursors.sign_named(cursor_secret, place, (shown[-1].name, shown[-1].person))
        return AttendancePage(attendances=shown, next=following)

    @post(
        "/v1/sessions/{session:uuid}/attendances",
        before_request=access.only(*_BOOKING),
        summary="Book somebody in",
        description=(
            "People book for themselves, or a helper for them, what is published; a project books anybody. Where the"
            " opportunity has places, one of them is taken. Booking again changes nothing."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def book(
        request: CallerRequest, session: FromPath[Identifier], data: JSONBody[BookingInput]
    ) -> Created[Attendance]:
        return Created(await attendances.book(request.user, session, data.person))

    @delete(
        _OF_ONE,
        before_request=access.only(*_BOOKING),
        summary="Cancel a booking",
        description="Until they came. Nobody asks why.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def cancel_booking(
        request: CallerRequest, session: FromPath[Identifier], person: FromPath[Identifier]
    ) -> None:
        await attendances.cancel(request.user, session, person)

    @post(
        f"{_OF_ONE}/check-in",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Check somebody in",
        description="Booked or not. Doing it again changes nothing.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def check_in(
        request: CallerRequest,
        session: FromPath[Identifier],
        person: FromPath[Identifier],
        data: JSONBody[MomentInput],
    ) -> Attendance:
        return await attendances.check_in(request.user, session, person, _at(data))

    @post(
        f"{_OF_ONE}/check-out",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Check somebody out",
        description=(
            "Their minutes, to the nearest step, become a claim for the project to approve; less than half a step is"
            " recorded as 0. Doing it again changes nothing."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def check_out(
        request: CallerRequest,
        session: FromPath[Identifier],
        person: FromPath[Identifier],
        data: JSONBody[MomentInput],
    ) -> Attendance:
        return await attendances.check_out(request.user, session, person, _at(data))

    @post(
        f"{_OF_ONE}/absent",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Record that somebody isn't there",
        description="Who was expected, or checked in by mistake. Nobody is told.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def absent(request: CallerRequest, session: FromPath[Identifier], person: FromPath[Identifier]) -> Attendance:
        return await attendances.absent(request.user, session, person)

    return [attending, book, cancel_booking, check_in, check_out, absent]


def _at(data: MomentInput) -> datetime | None:
    return None if data.at is None else data.at.astimezone(UTC)
