"""Routes of API keys: make one, revoke one."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Input
from ledger.doors.fields import Identifier, Moment, Name
from ledger.scheme.callers import Scope
from ledger.scheme.keys import Key, Keys

_TAG: Final = ["keys"]


class KeyInput(Input, frozen=True, kw_only=True):
    """A new key."""

    scope: Scope
    object: Annotated[Identifier | None, Meta(description="The project or venue it is for; absent for the scheme.")] = (
        None
    )
    device: Annotated[
        Identifier | None,
        Meta(description="A venue's till. Absent: a new one, named by the label. Most are better enrolled by a code."),
    ] = None
    label: Annotated[Name, Meta(description="Where it is used, to know which one to revoke.")]
    expires_at: Annotated[Moment | None, Meta(description="In a year, if left out; at most in three.")] = None


class CreatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its token, which is shown only here."""

    id: UUID
    scope: Scope
    object: UUID | None
    device: UUID | None
    person: UUID | None
    label: str
    created_at: datetime
    expires_at: datetime
    token: str


def routes(access: Access, keys: Keys) -> list[HTTPRouteHandler]:
    """Return the routes of API keys."""

    @post(
        "/v1/keys",
        before_request=access.only(Scope.SCHEME),
        summary="Make an API key",
        description=(
            "The answer holds the token; keep it, for it is shown only this once. Behind the new key stands who stands "
            "behind the one that makes it: that person, or nobody in particular. A first key in somebody's name is "
            "made by `timecredits key create --person`, on the service's own machine; they have the role first that it"
            " stands on, and it ends with that role. A key of nobody's ends when it is revoked."
        ),
        responses=refused(400, 401, 403, 422, 503),
        tags=_TAG,
    )
    async def create(request: CallerRequest, data: JSONBody[KeyInput]) -> Created[CreatedKey]:
        key, token = await keys.create(
            data.scope,
            data.object,
            data.label,
            data.expires_at,
            device=data.device,
            by=request.user,
        )
        return Created(
            CreatedKey(
                id=key.id,
                scope=key.scope,
                object=key.object,
                device=key.device,
                person=key.person,
                label=key.label,
                created_at=key.created_at,
                expires_at=key.expires_at,
                token=token,
            )
        )

    @post(
        "/v1/keys/{key:uuid}/revoke",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Revoke an API key",
        description="It stops working at once, for good.",
        responses=refused(401, 403, 404, 503),
        tags=_TAG,
    )
    async def revoke(request: CallerRequest, key: FromPath[Identifier]) -> Key:
        return await keys.revoke(key, request.user)

    return [create, revoke]
