"""What people can do at a project, as its coordinator describes it: listed, written, opened and closed.

    a draft -> published, when everybody finds it -> paused and published again -> ended, for good

What is described is what whoever looks for something to do reads; the project's name isn't there, its alias is.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct
from msgspec.structs import asdict

from ledger.doors import cursors
from ledger.doors.fields import DISTRICT_PATTERN, TAG_PATTERN, Name, Text
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.do import TAGS, labels
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.scheme.opportunities import Details, Draft, Kind, Opportunities, Opportunity, Referral
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Publication

_SIZE: Final = 50
_POUND: Final = 100

Note = Annotated[str, Meta(max_length=500)]
Pounds = Annotated[int, Meta(ge=0, le=1_000)]


class DetailsForm(Struct, frozen=True, kw_only=True):
    """What is told of it; what joining costs in whole pounds."""

    title: Name
    description: Text = ""
    kind: Kind
    minutes: Annotated[int, Meta(ge=0, le=1440)] | None = None
    place: Name | None = None
    district: Annotated[str, Meta(pattern=DISTRICT_PATTERN)] | None = None
    tags: Annotated[
        list[Annotated[str, Meta(pattern=TAG_PATTERN)]], Meta(max_length=20)
    ] = []  # msgspec copies an empty list
    prerequisites: Note = ""
    joining: Pounds = 0
    donation_note: Note = ""
    referral: Referral = Referral.NONE
    places: Annotated[int, Meta(ge=1, le=10_000)] | None = None


KINDS: Final[Mapping[Kind, str]] = {
    Kind.WEEKLY: _("Every week"),
    Kind.ONE_OFF: _("Once, or now and then"),
    Kind.AT_HOME: _("At home, in their own time"),
    Kind.ONLINE: _("Online"),
}
REFERRALS: Final[Mapping[Referral, str]] = {
    Referral.NONE: _("Anybody can come"),
    Referral.SELF_OR_REFERRED: _("They ask us, or somebody refers them"),
    Referral.NEEDED: _("Somebody has to refer them"),
}
STATES: Final[Mapping[Publication, tuple[str, str]]] = {
    Publication.DRAFT: (_("Draft"), "neutral"),
    Publication.PUBLISHED: (_("Open"), "good"),
    Publication.PAUSED: (_("Paused"), "warn"),
    Publication.ENDED: (_("Ended"), "neutral"),
}
_STEPS: Final[Mapping[str, Publication]] = {
    "publish": Publication.PUBLISHED,
    "pause": Publication.PAUSED,
    "end": Publication.ENDED,
}


def routes(access: Access, opportunities: Opportunities, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of a project's opportunities."""
    only = access.only(Who.COORDINATOR)

    @get("/projects/{project:uuid}/opportunities", before_request=only)
    async def index(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        place = f"opportunities/{project}"
        after = cursors.read_named(secret, place, request.query_params.get("after"))
        found = await opportunities.of_project(request.user.caller, project, after=after, limit=_SIZE + 1)
        shown, following = cursors.page_named(secret, place, found, _SIZE, lambda one: one.title)
        return page(
            request, "project/opportunities.html", project=project, found=shown, states=STATES, following=following
        )

    @get("/projects/{project:uuid}/opportunities/new", before_request=only)
    async def new(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = Form.blank(kind=Kind.WEEKLY.value, referral=Referral.NONE.value)
        return _form(request, project, None, form)

    @post("/projects/{project:uuid}/opportunities/new", before_request=only, status_code=303)
    async def create(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        details = _details(request, form)
        if details is not None:
            with form.heeding():
                made, _replayed = await opportunities.create(
                    request.user.caller, form.key, Draft(project=project, details=details)
                )
                return go(f"/projects/{project}/opportunities/{made.id}", "draft_kept")
        return _form(request, project, None, form)

    @get("/projects/{project:uuid}/opportunities/{opportunity:uuid}", before_request=only)
    async def read(request: PageRequest, project: FromPath[UUID], opportunity: FromPath[UUID]) -> Response[Any]:
        return _shown(request, await own(request, project, opportunity), Form.blank())

    @get("/projects/{project:uuid}/opportunities/{opportunity:uuid}/edit", before_request=only)
    async def edit(request: PageRequest, project: FromPath[UUID], opportunity: FromPath[UUID]) -> Response[Any]:
        found = await own(request, project, opportunity)
        return _form(request, project, found, _filled(found))

    @post("/projects/{project:uuid}/opportunities/{opportunity:uuid}/edit", before_request=only, status_code=303)
    async def rewrite(request: PageRequest, project: FromPath[UUID], opportunity: FromPath[UUID]) -> Response[Any]:
        found = await own(request, project, opportunity)
        form = await Form.sent(request)
        details = _details(request, form)
        if details is not None:
            with form.heeding():
                await opportunities.rewrite(request.user.caller, opportunity, asdict(details))
                return go(f"/projects/{project}/opportunities/{opportunity}", "saved")
        return _form(request, project, found, form)

    @post("/projects/{project:uuid}/opportunities/{opportunity:uuid}", before_request=only, status_code=303)
    async def change(request: PageRequest, project: FromPath[UUID], opportunity: FromPath[UUID]) -> Response[Any]:
        found = await own(request, project, opportunity)
        form = await Form.sent(request, keyed=False)
        with form.heeding():
            step = _STEPS.get(form.value("do"))
            if step is None:
                raise Declined(Refusal.WRONG_VALUES, "This form can't be read.")
            await opportunities.change(request.user.caller, opportunity, step)
            return go(f"/projects/{project}/opportunities/{opportunity}", "saved")
        return _shown(request, found, form)

    async def own(request: PageRequest, project: UUID, opportunity: UUID) -> Opportunity:
        """The project's own; another's, which anybody can read elsewhere, isn't here."""
        found = await opportunities.get(request.user.caller, opportunity)
        if found.project != project:
            raise Declined(Refusal.NOT_FOUND)
        return found

    return [index, new, create, read, edit, rewrite, change]


def _shown(request: PageRequest, found: Opportunity, form: Form) -> Response[Any]:
    return page(
        request,
        "project/opportunity.html",
        status=form.status,
        found=found,
        form=form,
        state=STATES[found.status],
        kind=KINDS[found.kind],
        referral=REFERRALS[found.referral],
        tags=labels(request, found.tags),
    )


def _form(request: PageRequest, project: UUID, found: Opportunity | None, form: Form) -> Response[Any]:
    said = gettext(request)
    # Words of their own that the API gave it stay.
    tags = [*TAGS, *(tag for tag in (found.tags if found else ()) if tag not in TAGS)]
    return page(
        request,
        "project/opportunity_form.html",
        status=form.status,
        project=project,
        found=found,
        form=form,
        kinds=_options(KINDS, said),
        referrals=_options(REFERRALS, said),
        tags=list(zip(tags, labels(request, tags), strict=True)),
    )


def _options(words: Mapping[Any, str], said: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401  # the catalogue's own
    return [(value.value, said(says)) for value, says in words.items()]


def _details(request: PageRequest, form: Form) -> Details | None:
    """What was typed, if nothing is wrong with it."""
    typed = form.take(DetailsForm)
    if typed is None:
        return None
    least = 15
    if typed.minutes is not None and 0 < typed.minutes < least:
        form.fault("minutes", gettext(request)(_("must be at least 15 minutes, or nothing")))
        return None
    told = asdict(typed)
    told["joining_pence"] = told.pop("joining") * _POUND
    told["minutes"] = typed.minutes or None
    return Details(**told)


def _filled(found: Opportunity) -> Form:
    hours, minutes = divmod(found.minutes or 0, 60)
    return Form.blank(
        title=found.title,
        description=found.description,
        kind=found.kind.value,
        minutes_hours=str(hours) if found.minutes else "",
        minutes_minutes=str(minutes) if found.minutes else "",
        place=found.place,
        district=found.district,
        tags=list(found.tags),
        prerequisites=found.prerequisites,
        joining=str(found.joining_pence // _POUND) if found.joining_pence else "",
        donation_note=found.donation_note,
        referral=found.referral.value,
        places=None if found.places is None else str(found.places),
    )
