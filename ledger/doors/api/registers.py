"""Routes of a coordinator: record a register of hours, and correct an award."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.guard import KIB, Allowance
from ledger.doors.api.inputs import IdempotencyKey, Identifier, Input, Minutes, Moment
from ledger.scheme.hours import LINES_MAX, Hours, Line, Recorded, Register, Reversed
from ledger.scheme.keys import Scope

_TAG: Final = ["hours"]

# A line is 70 to 120 bytes, with generous white space 200: 5,000 lines fit. Registers live below projects.
ALLOWANCES: Final = {"/v1/projects/": Allowance(1024 * KIB)}


class LineInput(Input, frozen=True, kw_only=True):
    """Who gave how much."""

    person: Identifier
    minutes: Annotated[Minutes, Meta(description="15 to 480, in steps of 15.")]

    def __post_init__(self) -> None:
        """Nothing: there is no moment in a line, and looking for one costs 5,000 lines 1.5 ms."""


class RegisterInput(Input, frozen=True, kw_only=True):
    """A session, and everybody who gave time in it."""

    started_at: Annotated[Moment, Meta(description="At most 60 days ago.")]
    ended_at: Annotated[Moment, Meta(description="Not in the future; at most 24 hours after the start.")]
    lines: Annotated[list[LineInput], Meta(min_length=1, max_length=LINES_MAX)]


def routes(access: Access, hours: Hours) -> list[HTTPRouteHandler]:
    """Return the routes of hours."""

    @post(
        "/v1/projects/{project:uuid}/registers",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Record a register",
        description=(
            "Awards everybody on it what they gave, all or nothing. Sending it again under the same key gives"
            " the same answer and counts nothing twice."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def record(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[RegisterInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Recorded]:
        register = Register(
            project=project,
            started_at=_utc(data.started_at),
            ended_at=_utc(data.ended_at),
            lines=[Line(line.person, line.minutes) for line in data.lines],
        )
        recorded, replayed = await hours.record(request.user, idempotency_key, register)
        return Created(recorded, replayed=replayed)

    @post(
        "/v1/awards/{entry:uuid}/reversal",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Take back an award",
        description=(
            "Corrects a mistake by a new entry, whole and once; the same hours may then be registered anew."
            " Refused if the credits have been spent."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def reverse(
        request: CallerRequest, entry: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Reversed]:
        reversal, replayed = await hours.reverse(request.user, idempotency_key, entry)
        return Created(reversal, replayed=replayed)

    return [record, reverse]


def _utc(moment: datetime) -> datetime:
    """The same moment in UTC, so that a retry which names it by another offset is known as a retry."""
    return moment.astimezone(UTC)
