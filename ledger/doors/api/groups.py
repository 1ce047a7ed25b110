"""Routes of groups: make one, and say who is in it."""

from typing import Annotated, Final

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Name
from ledger.scheme.callers import Scope
from ledger.scheme.groups import Group, Groups, Member, Membership, NewGroup

_TAG: Final = ["groups"]


class GroupInput(Input, frozen=True, kw_only=True):
    """A new group."""

    name: Name


class MemberInput(Input, frozen=True, kw_only=True):
    """What a member is to the group."""

    keyholder: Annotated[bool, Meta(description="Whether they may spend from the group's pot.")]


class GroupPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of groups, the oldest first, and the cursor of the next."""

    groups: list[Group]
    next: str | None


def routes(access: Access, groups: Groups, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of groups."""

    @post(
        "/v1/groups",
        before_request=access.only(Scope.SCHEME),
        summary="Make a group",
        responses=refused(400, 401, 403, 413, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest, data: JSONBody[GroupInput], idempotency_key: IdempotencyKey
    ) -> Created[Group]:
        group, replayed = await groups.create(request.user, idempotency_key, NewGroup(name=data.name))
        return Created(group, location=f"/v1/groups/{group.id}", replayed=replayed)

    @get(
        "/v1/groups",
        before_request=access.only(Scope.SCHEME),
        summary="List the groups",
        description="The oldest first. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def find(page_size: NamedDependency[int], cursor: Cursor = None) -> GroupPage:
        after = cursors.read_id(cursor_secret, "groups", cursor)
        shown, following = cursors.page(
            cursor_secret, "groups", await groups.all(after=after, limit=page_size + 1), page_size
        )
        return GroupPage(groups=list(shown), next=following)

    @get(
        "/v1/groups/{group:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Read a group and its members",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(group: FromPath[Identifier]) -> Membership:
        return await groups.get(group)

    @put(
        "/v1/groups/{group:uuid}/members/{person:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Have somebody in a group",
        description=(
            "Or change whether they are a keyholder, as long as the pot is empty: so a group begins. Once there are"
            " credits in it, that takes two people, each signed in as themselves, on the page of who shares the pot;"
            " here it is declined as `wrong_state`."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def have(
        request: CallerRequest,
        group: FromPath[Identifier],
        person: FromPath[Identifier],
        data: JSONBody[MemberInput],
    ) -> Member:
        return await groups.put(request.user, group, person, keyholder=data.keyholder)

    @delete(
        "/v1/groups/{group:uuid}/members/{person:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Take somebody out of a group",
        description="Who isn't in it stays out. A keyholder of a pot with credits in it is declined as `wrong_state`.",
        responses=refused(401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def remove(request: CallerRequest, group: FromPath[Identifier], person: FromPath[Identifier]) -> None:
        await groups.remove(request.user, group, person)

    return [create, find, read, have, remove]
