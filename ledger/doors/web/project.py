"""A coordinator's day: a project's sessions, who comes to them, and what the project gave.

    today (what is on, what waits, what comes) -> a session: who is expected and who is here -> its register

An approver who isn't its coordinator sees of the day what waits, and no session. Signing in and out says what is so and
may be said twice; planning is done once under the form's key.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

from litestar import Response, get, post
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.scheme.attendances import Attendances
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.given import Given, quarter_of
from ledger.scheme.group_pots import GroupPots
from ledger.scheme.opportunities import Opportunities
from ledger.scheme.roles import Role
from ledger.scheme.sessions import REPEAT_MAX, Plan, Sessions
from ledger.scheme.sheets import Sheets
from ledger.scheme.states import Publication
from ledger.scheme.windows import OPENS_PATTERN

# What fits a list to choose from; a project with more looks at them on a page of their own.
OFFERED_MAX: Final = 50
_QUARTERS: Final = 8
_MONTHS: Final = 3

TimeOfDay = Annotated[str, Meta(pattern=OPENS_PATTERN)]


class PlanForm(Struct, frozen=True, kw_only=True):
    """A session to be planned, or one a week."""

    day: date
    begins: TimeOfDay
    ends: TimeOfDay
    repeat: Annotated[int, Meta(ge=1, le=REPEAT_MAX)] = 1
    opportunity: UUID | None = None


class SignForm(Struct, frozen=True, kw_only=True):
    """What is so of somebody at a session."""

    person: UUID
    do: Literal["come", "leave", "absent"]


class CameForm(Struct, frozen=True, kw_only=True):
    """Somebody at the door who isn't on the list."""

    name: Name


class Verbs(NamedTuple):
    """What a coordinator's pages are made of."""

    sheets: Sheets
    sessions: Sessions
    attendances: Attendances
    opportunities: Opportunities
    given: Given
    pots: GroupPots
    clock: Clock


def routes(access: Access, verbs: Verbs) -> list[HTTPRouteHandler]:
    """Return the routes of a project's day, of its sessions and of what it gave."""
    sheets, sessions, attendances, opportunities, given, pots, clock = verbs
    only = access.only(Who.COORDINATOR)

    @get("/projects/{project:uuid}", before_request=access.only(Who.COORDINATOR, Who.APPROVER))
    async def day(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        found = await sheets.day(request.user.caller, project)
        kept = await pots.kept(request.user.caller)
        leads = _leads(request, project)
        now = clock()
        return page(request, "project/day.html", found=found, leads=leads, kept=kept, now=now, today=day_of(now))

    @get("/projects/{project:uuid}/sessions/new", before_request=only)
    async def new(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = Form.blank(day=request.query_params.get("day", ""), repeat="1")
        return await planning(request, project, form)

    @post("/projects/{project:uuid}/sessions/new", before_request=only, status_code=303)
    async def plan(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(PlanForm)
        if typed is not None:
            began, ended = _moments(typed)
            asked = Plan(
                project=project, opportunity=typed.opportunity, started_at=began, ended_at=ended, repeat=typed.repeat
            )
            with form.heeding():
                made, _replayed = await sessions.plan(request.user.caller, form.key, asked)
                return go(f"/projects/{project}/sessions/{made[0].id}", "planned" if len(made) == 1 else "planned_all")
            form.say_at(_OF_TIMES)
        return await planning(request, project, form)

    async def planning(request: PageRequest, project: UUID, form: Form) -> Response[Any]:
        found = await opportunities.of_project(request.user.caller, project, after=None, limit=OFFERED_MAX)
        options = [(str(each.id), each.title) for each in found if each.status is not Publication.ENDED]
        return page(
            request, "project/session_new.html", status=form.status, form=form, project=project, options=options
        )

    @get("/projects/{project:uuid}/sessions/{session:uuid}", before_request=only)
    async def session(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        return await listed(request, project, session, Form.blank())

    async def listed(request: PageRequest, project: UUID, session: UUID, form: Form) -> Response[Any]:
        sheet = await sheets.of_session(request.user.caller, project, session)
        names = sorted({each.name for each in sheet.regulars} | {each.name for each in sheet.known}, key=str.casefold)
        now = clock()
        is_today = day_of(sheet.started_at) <= day_of(now) <= day_of(sheet.ended_at)
        return page(
            request,
            "project/session.html",
            status=form.status,
            form=form,
            sheet=sheet,
            names=names,
            is_today=is_today and sheet.cancelled_at is None,
            has_begun=sheet.started_at <= now,
        )

    @post("/projects/{project:uuid}/sessions/{session:uuid}/attendances", before_request=only, status_code=303)
    async def sign(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request, keyed=False)
        typed = form.take(SignForm)
        if typed is None:
            raise ClientException("This form can't be read.")
        caller = request.user.caller
        with form.heeding():
            match typed.do:
                case "come":
                    await attendances.check_in(caller, session, typed.person, None)
                case "leave":
                    await attendances.check_out(caller, session, typed.person, None)
                case "absent":
                    await attendances.absent(caller, session, typed.person)
            return go(f"/projects/{project}/sessions/{session}", "saved")
        return await listed(request, project, session, form)

    @post("/projects/{project:uuid}/sessions/{session:uuid}/door", before_request=only, status_code=303)
    async def door(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request, keyed=False)
        typed = form.take(CameForm)
        if typed is not None:
            (found,), _known = await sheets.find(request.user.caller, project, [typed.name])
            if len(found) == 1:
                with form.heeding():
                    await attendances.check_in(request.user.caller, session, found[0].person, None)
                    return go(f"/projects/{project}/sessions/{session}", "saved")
            else:
                said = gettext(request)
                form.fault("name", said(_SEVERAL) if found else said(_NOBODY))
        return await listed(request, project, session, form)

    @get("/projects/{project:uuid}/sessions/{session:uuid}/cancel", before_request=only)
    async def confirm(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        sheet = await sheets.of_session(request.user.caller, project, session)
        return page(request, "project/session_cancel.html", sheet=sheet, form=Form.blank())

    @post("/projects/{project:uuid}/sessions/{session:uuid}/cancel", before_request=only, status_code=303)
    async def cancel(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await sessions.cancel(request.user.caller, session)
            return go(f"/projects/{project}/sessions/{session}", "session_cancelled")
        sheet = await sheets.of_session(request.user.caller, project, session)
        return page(request, "project/session_cancel.html", status=form.status, sheet=sheet, form=form)

    @get("/projects/{project:uuid}/given", before_request=only)
    async def gave(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        quarters = _quarters(day_of(clock()))
        wanted = request.query_params.get("quarter", "")
        chosen = next((each for each in quarters if each.isoformat() == wanted), quarters[0])
        found = await given.by_project(request.user.caller, project, chosen)
        options = [(each.isoformat(), _named(request, each)) for each in quarters]
        form = Form.blank(quarter=chosen.isoformat())
        return page(
            request, "project/given.html", given=found, form=form, quarter=_named(request, chosen), options=options
        )

    return [day, new, plan, session, sign, door, confirm, cancel, gave]


_SEVERAL: Final = _("is what more than one person is called. Write them on the register, which asks who it is")
_NOBODY: Final = _("is nobody who has been here. Write them on the register: they get an account there")


def _leads(request: PageRequest, project: UUID) -> bool:
    """Whether they are the project's coordinator, and no approver alone."""
    present = request.user.present
    return present is not None and any(
        held.role is Role.COORDINATOR and held.project == project for held in present.roles
    )


def _moments(typed: PlanForm) -> tuple[datetime, datetime]:
    """From when to when, in UTC; what ends before it begins ends on the next day."""
    began, ended = (datetime.combine(typed.day, time.fromisoformat(at), LONDON) for at in (typed.begins, typed.ends))
    return began.astimezone(UTC), (ended if ended > began else ended + timedelta(days=1)).astimezone(UTC)


# The moments that a verb takes, and the fields that they are typed in.
_OF_TIMES: Final = {"started_at": "day", "ended_at": "ends"}


def _quarters(today: date) -> list[date]:
    """The first days of the quarters that are shown, this one first."""
    found = [quarter_of(today)]
    while len(found) < _QUARTERS:
        found.append(quarter_of(found[-1] - timedelta(days=1)))
    return found


def _named(request: PageRequest, quarter: date) -> str:
    """Such as "October to December 2026"."""
    said = gettext(request)
    months = (_("January to March"), _("April to June"), _("July to September"), _("October to December"))
    return f"{said(months[(quarter.month - 1) // _MONTHS])} {quarter.year}"
