"""Routes of expiry: read what of somebody's credits ends when, and ask for what has ended."""

from typing import Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey
from ledger.doors.fields import Identifier
from ledger.scheme.callers import Scope
from ledger.scheme.expiry import Endings, Expiry, Reinstated

_TAG: Final = ["people"]


def routes(access: Access, expiry: Expiry) -> list[HTTPRouteHandler]:
    """Return the routes of expiry."""

    @get(
        "/v1/people/{person:uuid}/endings",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read what ends when",
        description=(
            "What of a person's credits lasts until which day, soonest first, and what has ended and still comes back"
            " when asked for. Both are empty where credits don't end. What ends soonest is spent first. A helper needs"
            " `balance`; their look stands in the person's acts."
        ),
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, person: FromPath[Identifier]) -> Endings:
        return await expiry.endings(request.user, person)

    @post(
        "/v1/people/{person:uuid}/reinstatements",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Give back what has ended",
        description=(
            "All that ended lately, as `endings` shows it, and once: what ends again is over. For the scheme, the"
            " person, and a helper who may `book` for them."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def reinstate(
        request: CallerRequest, person: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Reinstated]:
        reinstated, replayed = await expiry.reinstate(request.user, idempotency_key, person)
        return Created(reinstated, replayed=replayed)

    return [read, reinstate]
