"""Route of opening balances: take over a list of what people had in the scheme before this one."""

from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.guard import KIB, Allowance
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import TAG_PATTERN, Identifier, Name
from ledger.scheme.callers import Scope
from ledger.scheme.openings import LINES_MAX, MINUTES_MAX, Opened, Opening, OpeningLine, Openings

_TAG: Final = ["people"]

# As a register's.
ALLOWANCES: Final = {"/v1/openings": Allowance(1024 * KIB)}


class OpeningLineInput(Input, frozen=True, kw_only=True):
    """Who had how much: a person we know, or the name of somebody new."""

    minutes: Annotated[int, Meta(ge=1, le=MINUTES_MAX, description="Whole minutes; 60 are one Time Credit.")]
    person: Annotated[Identifier | None, Meta(description="Somebody known.")] = None
    name: Annotated[Name | None, Meta(description="Somebody new, who is made known and gets a wallet.")] = None
    another: Annotated[
        bool, Meta(description="True where somebody of that name had theirs from this source, and this is another.")
    ] = False

    def __post_init__(self) -> None:
        """Nothing: there is no moment in a line; see the register's."""


class OpeningInput(Input, frozen=True, kw_only=True):
    """A list of balances, and where it comes from."""

    source: Annotated[str, Meta(pattern=TAG_PATTERN, description="A word for it, which stands in the books.")]
    lines: Annotated[list[OpeningLineInput], Meta(min_length=1, max_length=LINES_MAX)]


def routes(access: Access, openings: Openings) -> list[HTTPRouteHandler]:
    """Return the route of opening balances."""

    @post(
        "/v1/openings",
        before_request=access.only(Scope.SCHEME),
        summary="Take over opening balances",
        description=(
            "All or nothing. Of one source everybody has one: a list that was put right and is sent once more under"
            " another key is refused for those who had theirs, and for names that they bear."
        ),
        responses=refused(400, 401, 403, 413, 422, 503),
        tags=_TAG,
    )
    async def take_over(
        request: CallerRequest, data: JSONBody[OpeningInput], idempotency_key: IdempotencyKey
    ) -> Created[Opened]:
        opening = Opening(
            source=data.source,
            lines=[OpeningLine(line.minutes, line.person, line.name, line.another) for line in data.lines],
        )
        opened, replayed = await openings.open(request.user, idempotency_key, opening)
        return Created(opened, location=f"/v1/entries/{opened.id}", replayed=replayed)

    return [take_over]
