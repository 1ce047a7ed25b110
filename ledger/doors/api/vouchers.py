"""Route of vouchers: put the minutes of a slip, or of a bearer voucher, into a wallet."""

from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import Identifier
from ledger.scheme.callers import Scope
from ledger.scheme.vouchers import Claimed, Vouchers

_TAG: Final = ["hours"]


class VoucherInput(Input, frozen=True, kw_only=True):
    """A voucher's code, and whose wallet its minutes go to."""

    code: Annotated[
        str,
        Meta(
            min_length=11,
            max_length=40,
            description="As printed; lower case, spaces and hyphens don't matter, O is 0, I and L are 1.",
        ),
    ]
    person: Identifier


def routes(access: Access, vouchers: Vouchers) -> list[HTTPRouteHandler]:
    """Return the route of vouchers."""

    @post(
        "/v1/vouchers/claims",
        before_request=access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME),
        summary="Claim a voucher",
        description=(
            "Once. For oneself, as a helper who may claim, at a project, or by staff. The code tells whether it is a"
            " bearer voucher or a slip of hours, which of all projects only its own may claim for others. Where it is a"
            " slip and the project has to look at the hours first, because they overlap with others, make a long day or"
            " wait for a second approver, that is `needs_a_look`: the same code can be sent again later."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 429, 503),
        tags=_TAG,
    )
    async def claim(
        request: CallerRequest, data: JSONBody[VoucherInput], idempotency_key: IdempotencyKey
    ) -> Created[Claimed]:
        claimed, replayed = await vouchers.claim(request.user, idempotency_key, data.code, data.person)
        return Created(claimed, replayed=replayed)

    return [claim]
