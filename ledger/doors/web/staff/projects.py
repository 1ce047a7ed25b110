"""Projects: where hours are given. Their names, whether they are open, what funders granted, and their kiosks."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.allocations import Allocations, Allot
from ledger.scheme.devices import Devices, NewDevice
from ledger.scheme.projects import NewProject, Projects, Status
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import Roles

LISTED: Final = 50
# Of one project or venue: more than anybody has.
DEVICES: Final = 100
ROLES: Final = 100
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


class DeviceForm(Struct, frozen=True):
    """What a till or kiosk is called, and where it stands."""

    name: Name
    site: UUID | None = None


def routes(  # noqa: PLR0917  # each has its own type
    access: Access, projects: Projects, allocations: Allocations, devices: Devices, roles: Roles, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of projects."""
    staff = access.only(Who.STAFF)

    @get("/staff/projects", before_request=staff)
    async def listed(request: PageRequest) -> Response[Any]:
        asked = request.query_params.get("status", "")
        status = Status(asked) if asked in set(Status) else None
        place = f"staff/projects/{status}"
        after = cursors.read_named(secret, place, request.query_params.get("after"))
        found = await projects.page(status=status, after=after, limit=LISTED + 1)
        shown, following = cursors.page_named(secret, place, found, LISTED, lambda one: one.name)
        return page(
            request, "staff/projects.html", projects=shown, chosen=status.value if status else "", following=following
        )

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
            devices=await devices.of_project(caller, project, after=None, limit=DEVICES),
            roles=await roles.page(project=project, after=None, limit=ROLES),
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

    @post("/staff/projects/{project:uuid}/status/{status:str}", before_request=staff, status_code=303)
    async def change(request: PageRequest, project: FromPath[UUID], status: FromPath[str]) -> Response[Any]:
        if status not in {Status.ACTIVE, Status.SUSPENDED, Status.ENDED}:
            raise Declined(Refusal.NOT_FOUND)
        form = await Form.sent(request)
        with form.heeding():
            await projects.change(request.user.caller, project, Status(status))
            return go(f"/staff/projects/{project}", "done")
        return await project_page(request, project, form)

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

    @get("/staff/projects/{project:uuid}/devices/new", before_request=staff)
    async def new_kiosk(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        found = await projects.get(request.user.caller, project)
        back = f"/staff/projects/{project}"
        return page(request, "staff/new_device.html", form=Form.blank(), place=found, back_to=back, sites=None)

    @post("/staff/projects/{project:uuid}/devices/new", before_request=staff, status_code=200)
    async def add_kiosk(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(DeviceForm)
        back = f"/staff/projects/{project}"
        if typed is not None:
            with form.heeding():
                made, _ = await devices.create(
                    request.user.caller, form.key, NewDevice(name=typed.name, project=project)
                )
                return page(request, "staff/device.html", made=made, back_to=back)
        found = await projects.get(request.user.caller, project)
        return page(
            request,
            "staff/new_device.html",
            status=form.status,
            form=form,
            place=found,
            back_to=back,
            sites=None,
        )

    @post("/staff/projects/{project:uuid}/devices/{device:uuid}/revoke", before_request=staff, status_code=303)
    async def revoke(request: PageRequest, project: FromPath[UUID], device: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await devices.revoke(request.user.caller, device)
            return go(f"/staff/projects/{project}", "revoked")
        return await project_page(request, project, form)

    return [
        *(listed, new, create, one, details, rewrite, change, grant),
        *(new_kiosk, add_kiosk, revoke),
    ]
