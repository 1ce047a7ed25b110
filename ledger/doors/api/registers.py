"""Route of a coordinator: record a register, a whole session at once."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.guard import KIB, Allowance
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import Identifier, Moment, Name
from ledger.scheme.callers import Scope
from ledger.scheme.registers import LINES_MAX, Line, Recorded, Register, Registers

_TAG: Final = ["hours"]

# A line is 70 to 120 bytes, with generous white space 200: 5,000 lines fit. Registers live below projects.
ALLOWANCES: Final = {"/v1/projects/": Allowance(1024 * KIB)}


class LineInput(Input, frozen=True, kw_only=True):
    """Who gave how much: a person we know, the name of somebody new, or whom a voucher is for."""

    minutes: Annotated[
        int,
        Meta(
            ge=0,
            le=1440,
            description="In steps of the scheme, at most the session's length; 0 for who came and gave no time.",
        ),
    ]
    person: Annotated[Identifier | None, Meta(description="Somebody known.")] = None
    name: Annotated[Name | None, Meta(description="Somebody new, who is made known and gets a wallet.")] = None
    voucher: Annotated[Name | None, Meta(description="Somebody without an account: what to write on the slip.")] = None
    another: Annotated[
        bool,
        Meta(
            description=(
                "Somebody else of a name that this session has already. Without it a register with newcomers or"
                " vouchers, all of whose lines are recorded already, is `sent_before`."
            )
        ),
    ] = False

    def __post_init__(self) -> None:
        """Nothing: there is no moment in a line, and looking for one costs 5,000 lines 1.5 ms."""


class RegisterInput(Input, frozen=True, kw_only=True):
    """A session, and everybody who came to it."""

    session: Annotated[Identifier | None, Meta(description="A planned one; then without the two times.")] = None
    started_at: Annotated[Moment | None, Meta(description="At most 60 days ago, unless the scheme's rules differ.")] = (
        None
    )
    ended_at: Annotated[Moment | None, Meta(description="Not in the future; at most 24 hours after the start.")] = None
    lines: Annotated[list[LineInput], Meta(min_length=1, max_length=LINES_MAX)]


def routes(access: Access, registers: Registers) -> list[HTTPRouteHandler]:
    """Return the route of registers."""

    @post(
        "/v1/projects/{project:uuid}/registers",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Record a register",
        description=(
            "Awards everybody on it what they gave, all or nothing. What somebody else must look at first waits, and"
            " stands in `attention`. Sending it again under the same key gives the same answer and counts once."
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
            session=data.session,
            started_at=_utc(data.started_at),
            ended_at=_utc(data.ended_at),
            lines=[
                Line(
                    minutes=line.minutes,
                    person=line.person,
                    name=line.name,
                    voucher=line.voucher,
                    another=line.another,
                )
                for line in data.lines
            ],
        )
        recorded, replayed = await registers.record(request.user, idempotency_key, register)
        return Created(recorded, replayed=replayed)

    return [record]


def _utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC, so that a retry which names it by another offset is known as a retry."""
    return None if moment is None else moment.astimezone(UTC)
