"""Routes of projects: the scheme makes them known, opens and closes them, and records what a funder grants."""

from typing import Annotated, Final, Literal

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Name
from ledger.scheme.allocations import Allocation, Allocations, Allot, Allotted, Grant
from ledger.scheme.callers import Scope
from ledger.scheme.projects import NewProject, Project, Projects
from ledger.scheme.states import Participation

_TAG: Final = ["projects"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_Alias = Annotated[
    Name,
    Meta(description="What everybody else reads instead of the name: nothing that tells what the project is about."),
]
_Sensitive: Final = Meta(
    description="Whether it tells something of people that they are there. Who reads their names is then recorded."
)
_StatusWanted = Annotated[Participation | None, QueryParameter(description="Only those of this status.")]


class ProjectInput(Input, frozen=True, kw_only=True):
    """A new project."""

    name: Name
    alias: _Alias
    status: Annotated[Literal["applied", "active"], Meta(description="Whether somebody has yet to say yes to it.")] = (
        "active"
    )
    sensitive: Annotated[bool, _Sensitive] = False


class ProjectChange(Input, frozen=True, kw_only=True):
    """What changes of a project; what isn't there stays."""

    name: Name | UnsetType = UNSET
    alias: _Alias | UnsetType = UNSET
    sensitive: Annotated[bool | UnsetType, _Sensitive] = UNSET


class ProjectPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of projects by name, and the cursor of the next."""

    projects: list[Project]
    next: str | None


class GrantInput(Input, frozen=True, kw_only=True):
    """What a funder grants a project."""

    funder: Name
    # Ten million credits; a hundred such grants are still far from what the journal holds.
    minutes: Annotated[int, Meta(ge=1, le=600_000_000, description="In minutes; 60 are one Time Credit.")]


class AllocationPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a project was granted and has left, a page of the grants, oldest first, and the cursor of the next."""

    allocation: Allocation
    grants: list[Grant]
    next: str | None


def routes(
    access: Access, projects: Projects, allocations: Allocations, cursor_secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of projects."""

    @post(
        "/v1/projects",
        before_request=access.only(Scope.SCHEME),
        summary="Make a project known",
        description="Active at once, unless it is only applied for.",
        responses=refused(400, 401, 403, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest, data: JSONBody[ProjectInput], idempotency_key: IdempotencyKey
    ) -> Created[Project]:
        asked = NewProject(
            name=data.name, alias=data.alias, status=Participation(data.status), sensitive=data.sensitive
        )
        project, replayed = await projects.create(request.user, idempotency_key, asked)
        return Created(project, location=f"/v1/projects/{project.id}", replayed=replayed)

    @get(
        "/v1/projects",
        before_request=access.only(Scope.SCHEME),
        summary="List projects",
        description="By name. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        page_size: NamedDependency[int], status: _StatusWanted = None, cursor: Cursor = None
    ) -> ProjectPage:
        place = f"projects/{status}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await projects.page(status=status, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.name)
        return ProjectPage(projects=list(shown), next=following)

    @get(
        "/v1/projects/{project:uuid}",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Read a project",
        description="A project's key reads its own.",
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, project: FromPath[Identifier]) -> Project:
        return await projects.get(request.user, project)

    @patch(
        "/v1/projects/{project:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Change a project",
        responses=refused(400, 401, 403, 404, 422, 503),
        tags=_TAG,
    )
    async def rewrite(request: CallerRequest, project: FromPath[Identifier], data: JSONBody[ProjectChange]) -> Project:
        return await projects.rewrite(
            request.user,
            project,
            name=None if data.name is UNSET else data.name,
            alias=None if data.alias is UNSET else data.alias,
            sensitive=None if data.sensitive is UNSET else data.sensitive,
        )

    @post(
        "/v1/projects/{project:uuid}/activate",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Activate a project",
        description="From applied or suspended. From then on hours can be recorded for it.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def activate(request: CallerRequest, project: FromPath[Identifier]) -> Project:
        return await projects.change(request.user, project, Participation.ACTIVE)

    @post(
        "/v1/projects/{project:uuid}/suspend",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Suspend a project",
        description=(
            "From active. Nobody registers or claims hours and nothing of it is shown until it is activated again."
            " Who has signed in may still sign out, and staff may still decide."
        ),
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def suspend(request: CallerRequest, project: FromPath[Identifier]) -> Project:
        return await projects.change(request.user, project, Participation.SUSPENDED)

    @post(
        "/v1/projects/{project:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="End a project",
        description="For good. What was recorded stays.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def end(request: CallerRequest, project: FromPath[Identifier]) -> Project:
        return await projects.change(request.user, project, Participation.ENDED)

    @post(
        "/v1/projects/{project:uuid}/allocations",
        before_request=access.only(Scope.SCHEME),
        summary="Record what a funder grants",
        description=(
            "What the project gives draws on it from then on. Staff hear when a fifth is left and when more was given;"
            " no hours are ever refused for it."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def allot(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[GrantInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Allotted]:
        asked = Allot(project=project, funder=data.funder, minutes=data.minutes)
        allotted, replayed = await allocations.allot(request.user, idempotency_key, asked)
        return Created(allotted, location=f"/v1/entries/{allotted.id}", replayed=replayed)

    @get(
        "/v1/projects/{project:uuid}/allocations",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Read what a project was granted and has left",
        description="A project that was granted nothing has no cap. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def allocation(
        request: CallerRequest, project: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> AllocationPage:
        place = f"allocations/{project}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found, grants = await allocations.read(request.user, project, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, grants, page_size)
        return AllocationPage(allocation=found, grants=list(shown), next=following)

    return [create, index, read, rewrite, activate, suspend, end, allot, allocation]
