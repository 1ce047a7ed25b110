"""Hours that wait for a second approver, over all projects.

Two people look at long ones, and at a coordinator's own: whoever approved first, or gave the hours, isn't the second.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.scheme.approvals import Approvals, Approve, Outcome
from ledger.scheme.desk import WAITING_MAX, Desk

_MEANWHILE: Final = _("Somebody has decided about these hours meanwhile. What still waits stands here.")


class ProjectForm(Struct, frozen=True):
    """Whose hours they are."""

    project: UUID


class ReasonForm(Struct, frozen=True):
    """What is asked, or why not: the person reads it."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


def routes(access: Access, desk: Desk, approvals: Approvals) -> list[HTTPRouteHandler]:
    """Return the routes of second approvals."""
    staff = access.only(Who.STAFF)

    async def waiting_page(request: PageRequest, form: Form) -> Response[Any]:
        found = await desk.second_approvals(request.user.caller)
        return page(request, "staff/approvals.html", status=form.status, form=form, waiting=found, most=WAITING_MAX)

    @get("/staff/approvals", before_request=staff)
    async def waiting(request: PageRequest) -> Response[Any]:
        return await waiting_page(request, Form.blank())

    @post("/staff/approvals/{claim:uuid}/approve", before_request=staff, status_code=303)
    async def approve(request: PageRequest, claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ProjectForm)
        if typed is not None:
            with form.heeding():
                asked = Approve(project=typed.project, claims=[claim])
                done, _ = await approvals.approve(request.user.caller, form.key_for("approve", claim.hex), asked)
                waits = done.decisions[0].outcome is Outcome.WAITING_FOR_SECOND
                return go("/staff/approvals", "second_needed" if waits else "approved")
        return await waiting_page(request, form)

    async def question_page(request: PageRequest, claim: UUID, form: Form) -> Response[Any]:
        found = next((each for each in await desk.second_approvals(request.user.caller) if each.id == claim), None)
        if found is None:
            form.faults.clear()  # nobody is asked for better words about what was decided
            form.refuse(form.said or gettext(request)(_MEANWHILE))
            return await waiting_page(request, form)
        return page(request, "staff/question.html", status=form.status, form=form, claim=found)

    @get("/staff/approvals/{claim:uuid}", before_request=staff)
    async def question(request: PageRequest, claim: FromPath[UUID]) -> Response[Any]:
        return await question_page(request, claim, Form.blank())

    @post("/staff/approvals/{claim:uuid}/query", before_request=staff, status_code=303)
    async def query(request: PageRequest, claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ReasonForm)
        if typed is not None:
            with form.heeding():
                await approvals.query(request.user.caller, form.key_for("query"), claim, typed.text)
                return go("/staff/approvals", "sent")
        return await question_page(request, claim, form)

    @post("/staff/approvals/{claim:uuid}/reject", before_request=staff, status_code=303)
    async def reject(request: PageRequest, claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ReasonForm)
        if typed is not None:
            with form.heeding():
                await approvals.reject(request.user.caller, form.key_for("reject"), claim, typed.text)
                return go("/staff/approvals", "done")
        return await question_page(request, claim, form)

    return [waiting, approve, question, query, reject]
