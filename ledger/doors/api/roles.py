"""Routes of roles: who may do what besides being a volunteer, somebody who leaves, and the audit trail."""

from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.days import DAY_PATTERN, day
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier
from ledger.scheme.acts import Act, Acts, Wanted
from ledger.scheme.callers import Scope
from ledger.scheme.leaving import Leaving, Left
from ledger.scheme.roles import Assignment, Grant, Granted, Held, Holding, Role, Roles

_TAG: Final = ["roles"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_OfProject = Annotated[Identifier | None, QueryParameter(description="Only those of this project.")]
_OfVenue = Annotated[Identifier | None, QueryParameter(description="Only those of this venue.")]
_By = Annotated[
    Identifier | None, QueryParameter(description="Only what they did: a holder, or a key nobody is behind.")
]
_Holder = Annotated[Identifier | None, QueryParameter(description="Only what was done for or about this holder.")]
_Verb = Annotated[
    str | None,
    QueryParameter(pattern=r"^[a-z][a-z_]{0,47}$(?!\n)", description="Only this, such as `contact_read`."),
]
_Since = Annotated[
    str | None,
    QueryParameter(
        pattern=DAY_PATTERN, format="date", description="From this day on, as London's calendar has it: 2026-11-14."
    ),
]


class RoleInput(Input, frozen=True, kw_only=True):
    """Who shall have which role."""

    person: Identifier
    role: Role
    project: Annotated[Identifier | None, Meta(description="Of a coordinator or an approver.")] = None
    venue: Annotated[Identifier | None, Meta(description="Of a manager.")] = None


class RoleList(msgspec.Struct, frozen=True, kw_only=True):
    """Every role that somebody has now."""

    roles: list[Held]


class RolePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of roles in the order they were granted, and the cursor of the next."""

    roles: list[Holding]
    next: str | None


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit trail, newest first, and the cursor of the page before it in time."""

    acts: list[Act]
    next: str | None


def routes(  # each has its own type
    access: Access, roles: Roles, leaving: Leaving, acts: Acts, cursor_secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of roles and of the audit trail."""

    @post(
        "/v1/roles",
        before_request=access.only(Scope.SCHEME),
        summary="Give somebody a role",
        description=(
            "A `coordinator` or an `approver` of a project, a `manager` of a venue, one of the scheme's `staff`, or its"
            " `auditor`. They may act as such from the next time they sign in with a passkey or by their organisation."
            " Nobody gives themselves a role. The same again finds the role that they have. `staff` takes two of the"
            " staff, each with a key in their own name: after the first it `waits`, for 72 hours."
        ),
        responses=refused(400, 401, 403, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def grant(
        request: CallerRequest, data: JSONBody[RoleInput], idempotency_key: IdempotencyKey
    ) -> Created[Granted]:
        asked = Grant(person=data.person, role=data.role, project=data.project, venue=data.venue)
        granted, replayed = await roles.grant(request.user, idempotency_key, asked)
        return Created(granted, replayed=replayed)

    @get(
        "/v1/roles",
        before_request=access.only(Scope.SCHEME),
        summary="List who has which role",
        description="All that are live, or those of one project or venue. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        page_size: NamedDependency[int], project: _OfProject = None, venue: _OfVenue = None, cursor: Cursor = None
    ) -> RolePage:
        place = f"roles/{project}/{venue}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await roles.page(project=project, venue=venue, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return RolePage(roles=list(shown), next=following)

    @post(
        "/v1/roles/{role:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        summary="End a role",
        description=(
            "At once and for good, with the API keys in their name that stood on it; it can be granted anew. The scheme"
            " keeps at least one of its staff."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def end(
        request: CallerRequest, role: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Assignment]:
        ended, replayed = await roles.end(request.user, idempotency_key, role)
        return Created(ended, replayed=replayed)

    @post(
        "/v1/people/{person:uuid}/leave",
        before_request=access.only(Scope.SCHEME),
        summary="Let somebody leave",
        description=(
            "All their roles, sign-ins, passkeys, open links and codes, organisations' sign-ins and API keys end"
            " together and at once, and so do the tills and kiosks that they had enrolled. They stay a volunteer and"
            " keep what is in their wallet."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def leave(
        request: CallerRequest, person: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Left]:
        left, replayed = await leaving.leave(request.user, idempotency_key, person)
        return Created(left, replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/roles",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read somebody's roles",
        description="Those that they have now. A person's key reads their own.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def of(request: CallerRequest, person: FromPath[Identifier]) -> RoleList:
        return RoleList(roles=list(await roles.of(request.user, person)))

    @get(
        "/v1/acts",
        before_request=access.only(Scope.AUDITOR, Scope.SCHEME),
        summary="Read the audit trail",
        description=(
            "Every act of staff and of helpers, and every look at who volunteers at a sensitive project; newest first,"
            " by ids only. Give `next` as `cursor` to go on."
        ),
        responses=refused(400, 401, 403),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def trail(
        *,
        page_size: NamedDependency[int],
        by: _By = None,
        holder: _Holder = None,
        verb: _Verb = None,
        since: _Since = None,
        cursor: Cursor = None,
    ) -> Trail:
        place = f"acts/{by}/{holder}/{verb}/{since}"
        before = cursors.read_id(cursor_secret, place, cursor)
        wanted = Wanted(by=by, holder=holder, verb=verb, since=day("since", since))
        found = await acts.page(wanted, before=before, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return Trail(acts=list(shown), next=following)

    return [grant, index, end, leave, of, trail]
