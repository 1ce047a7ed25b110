"""What people may do at work, and how they sign in for it: roles, invitations, recoveries, and the end of it all.

Who is of the staff and who audits stands on one page; who looks after a project or a venue, on its own.

Nobody of the staff does these for themselves. A lost passkey takes two of them, and so does making somebody one of the
staff: one asks, another agrees. Links to make a passkey go by letter. To whoever has no address they are shown once, on
the page that follows, for whoever sits beside them; they stand in no address of ours.

Whatever takes or gives a right or a way in asks who it is that does it (`freshly`).
"""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, go, page
from ledger.scheme.desk import Desk
from ledger.scheme.leaving import Leaving
from ledger.scheme.one_time import OneTime
from ledger.scheme.projects import Projects
from ledger.scheme.recoveries import Recoveries
from ledger.scheme.roles import OF_PROJECT, Grant, Role, Roles
from ledger.scheme.states import Participation
from ledger.scheme.venues import Venues

# What a list to choose from can hold; of a nation's projects more are added by the API.
PLACES_MAX: Final = 200
# All on one page: several times what an office has.
STAFF_MAX: Final = 200


class RoleForm(Struct, frozen=True):
    """Which role, and where."""

    role: Role
    project: UUID | None = None
    venue: UUID | None = None


class LeaveForm(Struct, frozen=True):
    """Which devices that they had enrolled stay."""

    keep: tuple[UUID, ...] = ()


def routes(  # noqa: PLR0917  # one for each page; each argument has its own type
    access: Access,
    desk: Desk,
    roles: Roles,
    leaving: Leaving,
    projects: Projects,
    venues: Venues,
    one_time: OneTime,
    recoveries: Recoveries,
    url: str,
) -> list[HTTPRouteHandler]:
    """Return the routes of rights. ``url`` is the service's public address."""
    staff, freshly = access.only(Who.STAFF), access.only(Who.STAFF, freshly=True)

    async def places(role: Role | None) -> list[tuple[str, str]]:
        """Where that role can be held, to choose from."""
        if role in OF_PROJECT:
            running = await projects.page(status=Participation.ACTIVE, after=None, limit=PLACES_MAX)
            return [(str(each.id), each.name) for each in running]
        if role is Role.MANAGER:
            open_ = await venues.page(status=Participation.ACTIVE, after=None, limit=PLACES_MAX)
            return [(str(each.id), each.name) for each in open_]
        return []

    async def roles_page(
        request: PageRequest, person: UUID, form: Form, role: Role | None, *, asked: bool = False
    ) -> Response[Any]:
        choice = Form.blank(role=role.value if role else "")
        if asked and role is None:
            choice.fault("role", _("Choose one"))
        return page(
            request,
            "staff/roles.html",
            status=form.status if form.failed else choice.status,
            form=form,
            choice=choice,
            person=await desk.of(request.user.caller, person),
            role=role.value if role else "",
            asked=await roles.asked(request.user.caller, person),
            own=request.user.caller.holder,
            places=await places(role),
        )

    @get("/staff/roles", before_request=staff)
    async def office(request: PageRequest) -> Response[Any]:
        found = await roles.page(of_scheme=True, after=None, limit=STAFF_MAX)
        return page(
            request, "staff/office.html", roles=sorted(found, key=lambda one: (one.role != Role.STAFF, one.name))
        )

    @get("/staff/people/{person:uuid}/roles", before_request=staff)
    async def held(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        asked = request.query_params.get("role", "")
        role = Role(asked) if asked in set(Role) else None
        return await roles_page(request, person, Form.blank(), role, asked="asked" in request.query_params)

    @post("/staff/people/{person:uuid}/roles", before_request=freshly, status_code=303)
    async def grant(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(RoleForm)
        if typed is not None:
            with form.heeding():
                asked = Grant(person=person, role=typed.role, project=typed.project, venue=typed.venue)
                granted, _replayed = await roles.grant(request.user.caller, form.key, asked)
                return go(f"/staff/people/{person}/roles", "asked_another" if granted.waits else "saved")
        return await roles_page(request, person, form, typed.role if typed is not None else None)

    @post("/staff/people/{person:uuid}/roles/{role:uuid}/end", before_request=freshly, status_code=303)
    async def end(request: PageRequest, person: FromPath[UUID], role: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await roles.end(request.user.caller, form.key_for("end", role.hex), role)
            return go(f"/staff/people/{person}/roles", "done")
        return await roles_page(request, person, form, None)

    async def leave_page(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        found = await desk.of(request.user.caller, person)
        devices = await leaving.devices(request.user.caller, person)
        return page(request, "staff/leave.html", status=form.status, form=form, person=found, devices=devices)

    @get("/staff/people/{person:uuid}/leave", before_request=staff)
    async def before_leaving(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await leave_page(request, person, Form.blank())

    @post("/staff/people/{person:uuid}/leave", before_request=freshly, status_code=303)
    async def leave(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(LeaveForm)
        if typed is not None:
            with form.heeding():
                await leaving.leave(request.user.caller, form.key, person, keep=typed.keep)
                return go(f"/staff/people/{person}", "done")
        return await leave_page(request, person, form)

    @post("/staff/people/{person:uuid}/sign-out", before_request=staff, status_code=303)
    async def sign_out(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        await Form.sent(request)
        await desk.sign_out(request.user.caller, person)
        return go(f"/staff/people/{person}", "done")

    # --- passkeys ----------------------------------------------------------------------------------------

    def link_page(request: PageRequest, name: str, back: str, made: Any) -> Response[Any]:  # noqa: ANN401  # of two kinds
        return page(request, "staff/invitation.html", name=name, back_to=back, made=made)

    @post("/staff/people/{person:uuid}/invitation", before_request=freshly, status_code=200)
    async def invite(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        found = await desk.of(request.user.caller, person)
        with form.heeding():
            made, _replayed = await one_time.invite(
                request.user.caller, form.key_for("invite"), person, address_of_link=url
            )
            return link_page(request, found.name, f"/staff/people/{person}", made)
        return page(request, "staff/refused.html", status=form.status, form=form, person=found)

    @post("/staff/people/{person:uuid}/recovery", before_request=staff, status_code=303)
    async def ask(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await recoveries.ask(request.user.caller, form.key_for("recovery"), person)
            return go("/staff/recoveries", "asked_another")
        found = await desk.of(request.user.caller, person)
        return page(request, "staff/refused.html", status=form.status, form=form, person=found)

    async def waiting_page(request: PageRequest, form: Form) -> Response[Any]:
        found = await recoveries.waiting(request.user.caller)
        own = request.user.caller.holder
        return page(request, "staff/recoveries.html", status=form.status, form=form, recoveries=found, own=own)

    @get("/staff/recoveries", before_request=staff)
    async def waiting(request: PageRequest) -> Response[Any]:
        return await waiting_page(request, Form.blank())

    @post("/staff/recoveries/{recovery:uuid}/agree", before_request=freshly, status_code=200)
    async def agree(request: PageRequest, recovery: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        name = form.value("name")
        with form.heeding():
            made, _replayed = await recoveries.agree(
                request.user.caller, form.key_for("agree", recovery.hex), recovery, address_of_link=url
            )
            return link_page(request, name, "/staff/recoveries", made)
        return await waiting_page(request, form)

    @post("/staff/recoveries/{recovery:uuid}/decline", before_request=staff, status_code=303)
    async def decline(request: PageRequest, recovery: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await recoveries.decline(request.user.caller, recovery)
            return go("/staff/recoveries", "declined")
        return await waiting_page(request, form)

    return [
        *(office, held, grant, end, before_leaving, leave, sign_out),
        *(invite, ask, waiting, agree, decline),
    ]
