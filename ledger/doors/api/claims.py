"""Routes of claims: tell of hours, ask beforehand, change, submit or withdraw them, and see what became of them."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Moment, Text
from ledger.scheme.callers import Scope
from ledger.scheme.claiming import Change, Checked, Claiming, NewClaim
from ledger.scheme.claims import Claim, ClaimInFull, Claims, ClaimStep, Place
from ledger.scheme.hours import State

_TAG: Final = ["hours"]
_MinutesOfDay = Annotated[int, Meta(ge=1, le=1440)]
_State = Annotated[
    State | None,
    QueryParameter(name="state", description="Only those of this state; those that wait, if it is left out."),
]


class ClaimInput(Input, frozen=True, kw_only=True):
    """Hours that somebody gave, or says they did."""

    project: Identifier
    person: Annotated[Identifier | None, Meta(description="Whose hours; the caller's own, if left out.")] = None
    started_at: Annotated[Moment, Meta(description="At most 60 days ago, unless the scheme's rules differ.")]
    ended_at: Annotated[Moment, Meta(description="Not in the future; at most 24 hours after the start.")]
    minutes: Annotated[
        _MinutesOfDay | None,
        Meta(description="Rounded to the scheme's step already; the time from start to end, if left out."),
    ] = None
    note: Annotated[Text | None, Meta(description="For whoever decides.")] = None
    draft: Annotated[bool, Meta(description="Keep it without submitting it yet.")] = False


class ChangeInput(Input, frozen=True, kw_only=True):
    """What is to be different; what is left out stays."""

    started_at: Moment | None = None
    ended_at: Moment | None = None
    minutes: Annotated[
        _MinutesOfDay | None, Meta(description="Where only times are given, it is the time from start to end.")
    ] = None


class SubmissionInput(Input, frozen=True, kw_only=True):
    """An answer to what was asked, or nothing."""

    note: Annotated[Text | None, Meta(description="For whoever decides.")] = None


class ClaimsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of claims, and the cursor of the next."""

    claims: list[Claim]
    next: str | None


def routes(access: Access, claims: Claims, claiming: Claiming, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of claims."""
    whoever_claims = access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME)
    paged = {"page_size": Provide(page_size, sync_to_thread=False)}

    @post(
        "/v1/claims",
        before_request=whoever_claims,
        summary="Claim hours",
        description=(
            "One's own, as a helper who may claim, or as the project where they were given. What overlaps is queried at"
            " once. The claim's id is also that of its award."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def claim(
        request: CallerRequest, data: JSONBody[ClaimInput], idempotency_key: IdempotencyKey
    ) -> Created[ClaimStep]:
        step, replayed = await claiming.claim(request.user, idempotency_key, _asked(data))
        return Created(step, location=f"/v1/claims/{step.id}", replayed=replayed)

    @post(
        "/v1/claims/check",
        before_request=whoever_claims,
        status_code=200,
        summary="See what a claim would come to",
        description=(
            "Nothing is written. `explained` says it in sentences: how the time is rounded, and why somebody would look"
            " at it first. Send `minutes` from here."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def check(request: CallerRequest, data: JSONBody[ClaimInput]) -> Checked:
        return await claiming.check(request.user, _asked(data))

    @get(
        "/v1/claims/{claim:uuid}",
        before_request=whoever_claims,
        summary="Read a claim",
        description="With what was said about it and its corrections. Whether it was awarded is read from the journal.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, claim: FromPath[Identifier]) -> ClaimInFull:
        return await claims.get(request.user, claim)

    @patch(
        "/v1/claims/{claim:uuid}",
        before_request=whoever_claims,
        summary="Change a claim",
        description=(
            "While it is a draft or queried. One that was queried for its times alone, without a question, is "
            "submitted as soon as they overlap nothing."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def change(request: CallerRequest, claim: FromPath[Identifier], data: JSONBody[ChangeInput]) -> ClaimInFull:
        wanted = Change(started_at=_utc(data.started_at), ended_at=_utc(data.ended_at), minutes=data.minutes)
        return await claiming.change(request.user, claim, wanted)

    @post(
        "/v1/claims/{claim:uuid}/submit",
        before_request=whoever_claims,
        summary="Submit a claim",
        description="A draft, or one that was queried, with an answer to what was asked.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def submit(
        request: CallerRequest,
        claim: FromPath[Identifier],
        data: JSONBody[SubmissionInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[ClaimStep]:
        step, replayed = await claiming.submit(request.user, idempotency_key, claim, data.note)
        return Created(step, replayed=replayed)

    @post(
        "/v1/claims/{claim:uuid}/withdraw",
        before_request=whoever_claims,
        summary="Withdraw a claim",
        description="Before it was decided on.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def withdraw(
        request: CallerRequest, claim: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[ClaimStep]:
        step, replayed = await claiming.withdraw(request.user, idempotency_key, claim)
        return Created(step, replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/claims",
        before_request=whoever_claims,
        summary="List somebody's claims",
        description="Newest first. A project's key sees those on its own project. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies=paged,
        tags=_TAG,
    )
    async def of_person(
        request: CallerRequest,
        person: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> ClaimsPage:
        name = f"claims/person/{person}"
        after = cursors.read_id(cursor_secret, name, cursor)
        found = await claims.of_person(request.user, person, after=after, limit=page_size + 1)
        shown, behind = cursors.page(cursor_secret, name, found, page_size)
        return ClaimsPage(claims=list(shown), next=behind)

    @get(
        "/v1/projects/{project:uuid}/claims",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="List a project's claims",
        description=(
            "Those that wait, with exceptions on top and the oldest first; or those of another `state`, newest first."
            " Give `next` as `cursor` to go on: nothing is shown twice or left out, whatever is decided meanwhile."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies=paged,
        tags=_TAG,
    )
    async def of_project(
        request: CallerRequest,
        project: FromPath[Identifier],
        page_size: NamedDependency[int],
        claim_state: _State = None,
        cursor: Cursor = None,
    ) -> ClaimsPage:
        name = f"claims/project/{project}/{claim_state}"
        after = None if cursor is None else _place(cursor_secret, name, cursor)
        found = await claims.of_project(request.user, project, claim_state, after=after, limit=page_size + 1)
        part = _EXCEPTIONAL if len(found) > page_size and found[page_size - 1].exceptions else _PLAIN
        shown, behind = cursors.page(cursor_secret, f"{name}/{part}", found, page_size)
        return ClaimsPage(claims=list(shown), next=behind and f"{part}.{behind}")

    return [claim, check, read, change, submit, withdraw, of_person, of_project]


def _asked(data: ClaimInput) -> NewClaim:
    return NewClaim(
        project=data.project,
        person=data.person,
        started_at=data.started_at.astimezone(UTC),
        ended_at=data.ended_at.astimezone(UTC),
        minutes=data.minutes,
        note=data.note,
        draft=data.draft,
    )


def _utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC, so that nothing is reckoned on a clock on the wall."""
    return None if moment is None else moment.astimezone(UTC)


# Exceptions may be settled between two pages: so the cursor itself says whether its claim stood among them.
_EXCEPTIONAL, _PLAIN = "e", "p"


def _place(secret: bytes, name: str, cursor: str) -> Place | None:
    part, _, signed = cursor.partition(".")
    claim = cursors.read_id(secret, f"{name}/{part}", signed)
    return None if claim is None else Place(claim, exceptional=part == _EXCEPTIONAL)
