"""Projects: where hours are given. Their names, whether they are open, what funders granted, and their kiosks."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.staff import places
from ledger.scheme.allocations import Allocations, Allot
from ledger.scheme.clock import Clock
from ledger.scheme.devices import Devices
from ledger.scheme.projects import NewProject, Projects
from ledger.scheme.roles import Roles

_GRANTS: Final = 50


class ProjectForm(Struct, frozen=True):
    """What a project is called, and whether its people need more care."""

    name: Name
    alias: Name
    sensitive: bool = False


class GrantForm(Struct, frozen=True):
    """What a funder granted, in credits."""

    funder: Name
    credits: Annotated[int, Meta(ge=1, le=16_000_000)]


def routes(  # noqa: PLR0917  # each has its own type
    access: Access,
    projects: Projects,
    allocations: Allocations,
    devices: Devices,
    roles: Roles,
    secret: bytes,
    clock: Clock,
) -> list[HTTPRouteHandler]:
    """Return the routes of projects."""
    staff = access.only(Who.STAFF)

    @get("/staff/projects/new", before_request=staff)
    async def new(request: PageRequest) -> Response[Any]:
        return page(request, "staff/project_details.html", form=Form.blank(), project=None)

    @post("/staff/projects/new", before_request=staff, status_code=303)
    async def create(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ProjectForm)
        if typed is not None:
            with form.heeding():
                asked = NewProject(name=typed.name, alias=typed.alias, sensitive=typed.sensitive)
                made, _ = await projects.create(request.user.caller, form.key, asked)
                return go(f"/staff/projects/{made.id}", "saved")
        return page(request, "staff/project_details.html", status=form.status, form=form, project=None)

    async def project_page(request: PageRequest, project: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        found = await projects.get(caller, project)
        allocation, grants = await allocations.read(caller, project, after=None, limit=_GRANTS)
        return page(
            request,
            "staff/project.html",
            status=form.status,
            form=form,
            project=found,
            allocation=allocation,
            grants=grants,
            devices=places.machines(await devices.of_project(caller, project, after=None, limit=places.DEVICES), clock),
            roles=await roles.page(project=project, after=None, limit=places.ROLES),
            query=places.query(request),
        )

    @get("/staff/projects/{project:uuid}", before_request=staff)
    async def one(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        return await project_page(request, project, Form.blank())

    @get("/staff/projects/{project:uuid}/details", before_request=staff)
    async def details(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        found = await projects.get(request.user.caller, project)
        form = Form.blank(name=found.name, alias=found.alias, sensitive=found.sensitive)
        return page(request, "staff/project_details.html", form=form, project=found)

    @post("/staff/projects/{project:uuid}/details", before_request=staff, status_code=303)
    async def rewrite(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ProjectForm)
        if typed is not None:
            with form.heeding():
                await projects.rewrite(
                    request.user.caller, project, name=typed.name, alias=typed.alias, sensitive=typed.sensitive
                )
                return go(f"/staff/projects/{project}", "saved")
        found = await projects.get(request.user.caller, project)
        return page(request, "staff/project_details.html", status=form.status, form=form, project=found)

    @post("/staff/projects/{project:uuid}/grants", before_request=staff, status_code=303)
    async def grant(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(GrantForm)
        if typed is not None:
            with form.heeding():
                asked = Allot(project=project, funder=typed.funder, minutes=typed.credits * 60)
                await allocations.allot(request.user.caller, form.key, asked)
                return go(f"/staff/projects/{project}", "saved")
        return await project_page(request, project, form)

    return [
        *(new, create, one, details, rewrite, grant),
        *places.routes(access, devices, secret, places.Place("project", projects, project_page)),
    ]
