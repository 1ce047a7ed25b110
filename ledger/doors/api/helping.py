"""Routes of helpers: let somebody act for a person, see who may, and end it."""

from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import Identifier
from ledger.scheme.callers import Scope
from ledger.scheme.helping import Grant, Helper, Helpers, May

_TAG: Final = ["people"]


class HelperInput(Input, frozen=True, kw_only=True):
    """Who shall help, and in what."""

    helper: Annotated[Identifier, Meta(description="The person who helps.")]
    may: Annotated[list[May], Meta(min_length=1, max_length=len(May))]


class HelperList(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who helps now, the longest there first."""

    helpers: list[Helper]


def routes(access: Access, helpers: Helpers) -> list[HTTPRouteHandler]:
    """Return the routes of helpers."""

    @post(
        "/v1/people/{person:uuid}/helpers",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Let somebody help",
        description=(
            "The helper may from now on read the `balance`, `claim` hours or `book` for this person, by their own key."
            " What they do, and each look at the balance, stands in the person's acts. To change in what, end it and"
            " grant it anew."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def grant(
        request: CallerRequest,
        person: FromPath[Identifier],
        data: JSONBody[HelperInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Helper]:
        asked = Grant(helped=person, helper=data.helper, may=sorted(set(data.may)))
        helper, replayed = await helpers.grant(request.user, idempotency_key, asked)
        return Created(helper, replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/helpers",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read who helps",
        description="Everybody who helps this person now. A helper finds nobody but themselves.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, person: FromPath[Identifier]) -> HelperList:
        return HelperList(helpers=list(await helpers.of(request.user, person)))

    @post(
        "/v1/helpers/{helper:uuid}/end",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="End somebody's help",
        description="At once and for good: by the person helped, by the helper, or by the scheme.",
        responses=refused(400, 401, 403, 404, 422, 503),
        tags=_TAG,
    )
    async def end(
        request: CallerRequest, helper: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Helper]:
        ended, replayed = await helpers.end(request.user, idempotency_key, helper)
        return Created(ended, replayed=replayed)

    return [grant, read, end]
