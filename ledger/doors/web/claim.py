"""Hours that somebody tells of themselves: told, looked at with the rounded figure, sent; answered, or taken back.

    tell -> what it counts, and who looks first (nothing is written) -> sent, or kept as a draft

As with bookings, the first two are one form: without `sure` it is looked at, with `again` shown once more as it was
filled in. A helper tells for whom they help.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Text
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import gettext, go, page
from ledger.doors.web.trusted import name_of
from ledger.scheme.claiming import Change, Claiming, NewClaim
from ledger.scheme.claims import ClaimInFull, Claims, Source
from ledger.scheme.clock import LONDON
from ledger.scheme.helping import Helpers
from ledger.scheme.hours import State
from ledger.scheme.projects import CHOICES_MAX, Projects
from ledger.scheme.refusals import Declined, Refusal

# What a phone shows in three screens.
CLAIMS: Final = 20

Length = Annotated[int, Meta(ge=1, le=1440)]

# What the rules say of a period, for whoever told when it began and how long it was.
_OF_A_PERIOD: Final = {
    "must not lie in the future": marked("Please tell us once it is over: this ends later than now."),
    "must be at most 24 hours after started_at": marked("One day at a time, please: at most 24 hours."),
}


class Told(Struct, frozen=True):
    """What somebody tells. ``counts`` is the rounded figure, once they have seen it."""

    project: UUID
    started_at: datetime
    minutes: Length
    note: Text = ""
    counts: Length | None = None


class Changed(Struct, frozen=True):
    """What they tell otherwise."""

    started_at: datetime
    minutes: Length


class Answer(Struct, frozen=True):
    """What somebody says to a question, or along with their hours."""

    note: Text = ""


def routes(  # noqa: PLR0917  # the verbs of four pages
    access: Access, claims: Claims, claiming: Claiming, projects: Projects, helpers: Helpers, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of somebody's own hours."""
    return [
        *_lists(access, claims, projects, helpers, secret),
        *_telling(access, claiming, projects),
        *_one(access, claims, claiming, projects),
    ]


def _lists(
    access: Access, claims: Claims, projects: Projects, helpers: Helpers, secret: bytes
) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/claims", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place, cursor = f"claims/{person}", request.query_params.get("after") or None
        after = cursors.read_id(secret, place, cursor)
        found = await claims.of_person(request.user.caller, person, after=after, limit=CLAIMS + 1)
        shown, more = cursors.page(secret, place, found, CLAIMS)
        aliases = await projects.aliases({each.project for each in shown})
        return page(
            request,
            "claim/list.html",
            person=person,
            claims=shown,
            aliases=aliases,
            more=more,
            is_first=cursor is None,
            name=await name_of(request, helpers, person),
        )

    return [listed]


def _telling(access: Access, claiming: Claiming, projects: Projects) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/claims/new", before_request=access.only(Who.PERSON))
    async def new(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await asked(request, person, Form.blank(named=request.query_params.get("named") or None))

    @post("/people/{person:uuid}/claims/new", before_request=access.only(Who.PERSON), status_code=303)
    async def tell(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        told = None if form.value("again") else form.take(Told)
        if told is None:
            return await asked(request, person, form)
        hours = NewClaim(
            project=told.project,
            person=person,
            started_at=told.started_at,
            ended_at=told.started_at + timedelta(minutes=told.minutes),
            minutes=told.counts or told.minutes,
            note=told.note or None,
            draft=form.value("sure") == "keep",
        )
        try:
            if form.value("sure") and told.counts is not None:
                await claiming.claim(request.user.caller, form.key, hours)
                return go(f"/people/{person}/claims", "kept" if hours.draft else "sent")
            checked = await claiming.check(request.user.caller, hours)
        except Declined as declined:
            _place(request, form, declined)
            return await asked(request, person, form)
        kept = {name: form.value(name) for name in form.names() if form.value(name) and name != "sure"}
        return page(
            request,
            "claim/check.html",
            person=person,
            told=told,
            checked=checked,
            alias=(await projects.aliases([told.project])).get(told.project, ""),
            form=form.to_confirm(),
            kept={**kept, "counts": str(checked.minutes)},
        )

    async def asked(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        choices = await projects.choices(request.user.caller, person, form.value("named"))
        return page(
            request,
            "claim/new.html",
            status=form.status,
            form=form,
            person=person,
            choices=choices,
            many=len(choices) == CHOICES_MAX or bool(form.value("named")),
        )

    return [new, tell]


def _one(access: Access, claims: Claims, claiming: Claiming, projects: Projects) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/claims/{claim:uuid}", before_request=access.only(Who.PERSON))
    async def one(request: PageRequest, person: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, await theirs(request, person, claim), Form.blank())

    @post("/people/{person:uuid}/claims/{claim:uuid}/send", before_request=access.only(Who.PERSON), status_code=303)
    async def send(request: PageRequest, person: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        found = await theirs(request, person, claim)
        answer = form.take(Answer)
        if answer is not None:
            try:
                await claiming.submit(request.user.caller, form.key, claim, answer.note or None)
                return go(f"/people/{person}/claims/{claim}", "sent")
            except Declined as declined:
                _say(request, form, found, declined)
        return await shown(request, person, found, form)

    @post("/people/{person:uuid}/claims/{claim:uuid}/withdraw", before_request=access.only(Who.PERSON), status_code=303)
    async def withdraw(request: PageRequest, person: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        found = await theirs(request, person, claim)
        try:
            await claiming.withdraw(request.user.caller, form.key, claim)
            return go(f"/people/{person}/claims", "taken_back")
        except Declined as declined:
            _say(request, form, found, declined)
        return await shown(request, person, found, form)

    @get("/people/{person:uuid}/claims/{claim:uuid}/edit", before_request=access.only(Who.PERSON))
    async def edit(request: PageRequest, person: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        found = await theirs(request, person, claim)
        if not _can_change(found):
            raise Declined(Refusal.WRONG_STATE, gettext(request)("These hours can't be changed any more."))
        local = found.started_at.astimezone(LONDON)
        form = Form.blank(
            started_at_day=f"{local:%Y-%m-%d}",
            started_at_time=f"{local:%H:%M}",
            minutes_hours=str(found.minutes // 60),
            minutes_minutes=str(found.minutes % 60),
        )
        return page(request, "claim/edit.html", form=form, person=person, claim=found)

    @post("/people/{person:uuid}/claims/{claim:uuid}/edit", before_request=access.only(Who.PERSON), status_code=303)
    async def change(request: PageRequest, person: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        found = await theirs(request, person, claim)
        told = form.take(Changed)
        if told is not None:
            times = Change(
                started_at=told.started_at, ended_at=told.started_at + timedelta(minutes=told.minutes)
            )  # the minutes are the period's, rounded
            try:
                await claiming.change(request.user.caller, claim, times)
                return go(f"/people/{person}/claims/{claim}", "saved")
            except Declined as declined:
                _place(request, form, declined)
        return page(request, "claim/edit.html", status=form.status, form=form, person=person, claim=found)

    async def theirs(request: PageRequest, person: UUID, claim: UUID) -> ClaimInFull:
        """The claim, at its person's address only."""
        found = await claims.get(request.user.caller, claim)
        if found.person != person:
            raise Declined(Refusal.NOT_FOUND)
        return found

    async def shown(request: PageRequest, person: UUID, claim: ClaimInFull, form: Form) -> Response[Any]:
        return page(
            request,
            "claim/claim.html",
            status=form.status,
            form=form,
            person=person,
            claim=claim,
            alias=(await projects.aliases([claim.project])).get(claim.project, ""),
            can_change=_can_change(claim),
        )

    return [one, send, withdraw, edit, change]


def _can_change(claim: ClaimInFull) -> bool:
    return claim.source is Source.CLAIM and claim.state in {State.DRAFT, State.QUERIED}


def _say(request: PageRequest, form: Form, claim: ClaimInFull, declined: Declined) -> None:
    """Say why that can't be, in no words of ours: those of states are for programs."""
    form.heed(declined)
    if declined.reason is Refusal.WRONG_STATE:
        said = gettext(request)
        is_open = claim.state in {State.DRAFT, State.QUERIED}
        form.refuse(
            said("These hours can't go as they are. Please look at the day and the time again.")
            if is_open
            else said("Something was done with these hours meanwhile. This is how they stand now.")
        )


def _place(request: PageRequest, form: Form, declined: Declined) -> None:
    """Say what is wrong with a period at the fields that there are: when it began, and how long it was."""
    if declined.reason is Refusal.NOT_FOUND:
        raise declined
    said = gettext(request)
    fields = tuple(
        ("minutes" if name == "ended_at" else name, said(_OF_A_PERIOD.get(says, says)))
        for name, says in declined.fields
    )
    form.heed(declined, fields=fields)
