"""Hours of a project: what waits for approval, each claim by itself, and putting right what was awarded.

What somebody should look at stands on top, with why, and with the other hours where it overlaps any; the rest is ticked
and approved at once. What came of that is told on the page behind it: the figures stand signed in its address, so that
nobody is sent a page that says what isn't so.

Approvers and coordinators see the same; nobody is offered to approve their own hours, or what they approved before.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, go, page
from ledger.scheme.approvals import CLAIMS_MAX, Approvals, Approve, Approved, Outcome, Waiting
from ledger.scheme.claims import Claim, ClaimInFull, Claims, Place
from ledger.scheme.corrections import Correct, Corrections
from ledger.scheme.hours import Exceptional, State

# A month of a busy project; a page of some 30 KiB.
WAITING: Final = 50
LISTED: Final = 25
_Words = Annotated[str, Meta(min_length=1, max_length=2_000)]
_WHY: Final = {
    Exceptional.ABOVE_DAILY_CAP: _("It was a long day, so two people approve it."),
    Exceptional.ABOVE_SECOND_APPROVAL: _("It is long for one time, so two people approve it."),
    Exceptional.OWN_HOURS: _("Whoever filled in the register gave these hours."),
    Exceptional.AUTO_CLOSED: _("Nobody signed out, so the time is as it was planned."),
}
_STATES: Final = {
    State.APPROVED: _("Approved"),
    State.SUBMITTED: _("Waiting"),
    State.QUERIED: _("Asked about, or overlapping"),
    State.REJECTED: _("Not approved"),
    State.WITHDRAWN: _("Taken back"),
    State.DRAFT: _("Not sent yet"),
}
_LISTS: Final = (State.APPROVED, State.QUERIED, State.REJECTED, State.WITHDRAWN)
_EXCEPTIONAL, _PLAIN = "exceptional", "plain"


class Ticked(Struct, frozen=True):
    """Which hours are approved together."""

    claim: Annotated[list[UUID], Meta(min_length=1, max_length=CLAIMS_MAX)]


class Words(Struct, frozen=True):
    """What to tell whoever gave the hours."""

    text: _Words


class Right(Struct, frozen=True):
    """What hours should count, and why."""

    minutes: Annotated[int, Meta(ge=0, le=1440)]
    reason: _Words


class Came(Struct, frozen=True):
    """What came of approving many: minutes awarded, and of how many claims; how many wait; how many were left alone."""

    minutes: int
    awarded: int
    second: int
    consent: int
    left: int

    @classmethod
    def of(cls, approved: Approved) -> "Came":
        """As the verb answered."""
        outcomes = [decision.outcome for decision in approved.decisions]
        awarded, second, consent = (
            outcomes.count(outcome)
            for outcome in (Outcome.AWARDED, Outcome.WAITING_FOR_SECOND, Outcome.WAITING_FOR_CONSENT)
        )
        return cls(approved.minutes, awarded, second, consent, len(outcomes) - awarded - second - consent)

    def number(self) -> int:
        """All of it as one number, for an address."""
        packed = self.minutes
        for count in (self.awarded, self.second, self.consent, self.left):
            packed = packed << _BITS | count
        return packed

    @classmethod
    def read(cls, packed: int) -> "Came":
        """From that number."""
        counts = []
        for _number in range(4):
            counts.append(packed & (1 << _BITS) - 1)
            packed >>= _BITS
        return cls(packed, *reversed(counts))


# A thousand claims of a day each: 4 x 10 bits, and the minutes in the 24 above them.
_BITS: Final = 10


def routes(
    access: Access, claims: Claims, approvals: Approvals, corrections: Corrections, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of a project's hours."""
    deciding = access.only(Who.COORDINATOR, Who.APPROVER)

    async def waiting_page(request: PageRequest, project: UUID, form: Form | None) -> Response[Any]:
        """What waits; ``form`` is what was sent, where that can't be done."""
        caller, cursor = request.user.caller, request.query_params.get("after")
        after = None if cursor is None else _place(secret, project, cursor)
        found = await approvals.waiting(caller, project, after=after, limit=WAITING + 1)
        shown = found[:WAITING]
        ready = [claim for claim in shown if _is_ready(claim)]
        done = request.query_params.get("approved")
        return page(
            request,
            "project/approvals.html",
            status=form.status if form else 200,
            form=form or Form.blank(claim=[str(claim.id) for claim in ready]),
            came=None if done is None else Came.read(cursors.read(secret, f"approved/{project}", done)),
            look=[claim for claim in shown if claim not in ready],
            ready=ready,
            why=_WHY,
            next=_cursor(secret, project, shown[-1]) if len(found) > WAITING else None,
            first=after is None,
            **around(request, project),
        )

    @get("/projects/{project:uuid}/approvals", before_request=deciding)
    async def waiting(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        return await waiting_page(request, project, None)

    @post("/projects/{project:uuid}/approvals", before_request=deciding, status_code=303)
    async def approve(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        ticked = form.take(Ticked)
        if ticked is None:
            form.faults = {"claim": _("Tick the hours that you approve.")}
        else:
            with form.heeding():
                asked = Approve(project=project, claims=ticked.claim)
                approved, _replayed = await approvals.approve(request.user.caller, form.key, asked)
                signed = cursors.sign(secret, f"approved/{project}", Came.of(approved).number())
                return go(f"/projects/{project}/approvals?approved={signed}")
        return await waiting_page(request, project, form)

    @get("/projects/{project:uuid}/claims", before_request=deciding)
    async def listed(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        wanted = request.query_params.get("state")
        state = next((state for state in _LISTS if state == wanted), State.APPROVED)
        place, cursor = f"claims/{project}/{state}", request.query_params.get("after")
        after = cursors.read_id(secret, place, cursor)
        behind = None if after is None else Place(after)
        found = await claims.of_project(request.user.caller, project, state, after=behind, limit=LISTED + 1)
        shown, older = cursors.page(secret, place, found, LISTED)
        return page(
            request,
            "project/claims.html",
            form=Form.blank(state=state.value),
            state=state,
            states=[(each.value, _STATES[each]) for each in _LISTS],
            claims=shown,
            older=older,
            first=after is None,
            **around(request, project),
        )

    async def claim_page(
        request: PageRequest, project: UUID, id_: UUID, *, doing: str = "", form: Form | None = None
    ) -> Response[Any]:
        """A claim; ``form`` is that of what somebody was ``doing``, where it can't be done."""
        caller = request.user.caller
        claim = await claims.get(caller, id_)
        blank = {name: Form.blank() for name in ("approve", "question", "reject")}
        return page(
            request,
            "project/claim.html",
            status=form.status if form else 200,
            claim=claim,
            outcome=await approvals.outcome(caller, project, id_),
            forms={**blank, doing: form} if form else blank,
            doing=doing,
            why=_WHY,
            says=_says(claim),
            own=_is_own(request, claim),
            **around(request, project),
        )

    @get("/projects/{project:uuid}/claims/{claim:uuid}", before_request=deciding)
    async def one(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        return await claim_page(request, project, claim)

    @post("/projects/{project:uuid}/claims/{claim:uuid}/approve", before_request=deciding, status_code=303)
    async def approve_one(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            asked = Approve(project=project, claims=[claim])
            approved, _replayed = await approvals.approve(request.user.caller, form.key, asked)
            (decision,) = approved.decisions
            return go(f"/projects/{project}/claims/{claim}", _DONE.get(decision.outcome, "hours_approved"))
        return await claim_page(request, project, claim, doing="approve", form=form)

    @post("/projects/{project:uuid}/claims/{claim:uuid}/question", before_request=deciding, status_code=303)
    async def ask(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        words = form.take(Words)
        if words is not None:
            with form.heeding():
                await approvals.query(request.user.caller, form.key, claim, words.text)
                return go(f"/projects/{project}/claims/{claim}", "hours_asked")
        return await claim_page(request, project, claim, doing="question", form=form)

    @post("/projects/{project:uuid}/claims/{claim:uuid}/reject", before_request=deciding, status_code=303)
    async def reject(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        words = form.take(Words)
        if words is not None:
            with form.heeding():
                await approvals.reject(request.user.caller, form.key, claim, words.text)
                return go(f"/projects/{project}/claims/{claim}", "hours_not_approved")
        return await claim_page(request, project, claim, doing="reject", form=form)

    @get("/projects/{project:uuid}/claims/{claim:uuid}/correction", before_request=deciding)
    async def correction(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        found = await claims.get(request.user.caller, claim)
        form = Form.blank(minutes_hours=str(found.counts // 60), minutes_minutes=str(found.counts % 60))
        return page(
            request,
            "project/correction.html",
            claim=found,
            form=form,
            own=_is_own(request, found),
            **around(request, project),
        )

    @post("/projects/{project:uuid}/claims/{claim:uuid}/correction", before_request=deciding)
    async def correct(request: PageRequest, project: FromPath[UUID], claim: FromPath[UUID]) -> Response[Any]:
        form, caller = await Form.sent(request), request.user.caller
        found = await claims.get(caller, claim)
        place = around(request, project)
        right = form.take(Right)
        if right is not None and form.value("step") != "change":
            asked = Correct(claim=claim, minutes=right.minutes, reason=right.reason)
            with form.heeding():
                if form.value("step") == "save":
                    await corrections.correct(caller, form.key, asked)
                    return go(f"/projects/{project}/claims/{claim}", "hours_put_right")
                tried = await corrections.tried(caller, asked)
                return page(request, "project/correcting.html", claim=found, form=form, tried=tried, **place)
        own = _is_own(request, found)
        return page(request, "project/correction.html", status=form.status, claim=found, form=form, own=own, **place)

    return [waiting, approve, listed, one, approve_one, ask, reject, correction, correct]


_DONE: Final = {
    Outcome.WAITING_FOR_SECOND: "hours_approved_first",
    Outcome.WAITING_FOR_CONSENT: "hours_approved_for_consent",
}


def _is_ready(claim: Waiting) -> bool:
    """Whether nothing about it is unusual, so that it can be approved with others."""
    is_usual = not claim.exceptions and not claim.overlapping
    return claim.outcome is Outcome.AWARDED and claim.state is State.SUBMITTED and is_usual


def _says(claim: ClaimInFull) -> str:
    """How it stands, in a word or two; what is queried without a question waits for the project itself."""
    if claim.state is State.QUERIED:
        return _("A question was asked") if claim.asked else _STATES[State.SUBMITTED]
    return _STATES[claim.state]


def _is_own(request: PageRequest, claim: ClaimInFull) -> bool:
    present = request.user.present
    return present is not None and claim.person is not None and claim.person == present.person


def around(request: PageRequest, project: UUID) -> dict[str, Any]:
    """What every page of a project's hours needs: which it is, and what else of it is theirs."""
    held = [role for role in _roles(request) if role.project == project]
    return {
        "project": project,
        "project_name": next((role.place for role in held if role.place), ""),
        "coordinates": any(role.role == Who.COORDINATOR.value for role in held),
    }


def _roles(request: PageRequest) -> Sequence[Any]:
    present = request.user.present
    return present.roles if present is not None else ()


def _cursor(secret: bytes, project: UUID, last: Claim) -> str:
    part = _EXCEPTIONAL if last.exceptions else _PLAIN
    return cursors.sign_named(secret, f"approvals/{project}", (part, last.id))


def _place(secret: bytes, project: UUID, cursor: str) -> Place | None:
    place = cursors.read_named(secret, f"approvals/{project}", cursor)
    assert place is not None
    part, claim = place
    return Place(claim, exceptional=part == _EXCEPTIONAL)
