"""Routes of whoever decides on hours: approve many at once, query, reject, and correct what was awarded."""

from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import Identifier
from ledger.scheme.approvals import CLAIMS_MAX, Approvals, Approve, Approved
from ledger.scheme.callers import Scope
from ledger.scheme.claims import ClaimStep
from ledger.scheme.corrections import Correct, Correction, Corrections

_TAG: Final = ["hours"]
_Words = Annotated[str, Meta(min_length=1, max_length=2_000, description="Read by whoever gave the hours.")]


class ApprovalInput(Input, frozen=True, kw_only=True):
    """Which claims to approve."""

    claims: Annotated[list[Identifier], Meta(min_length=1, max_length=CLAIMS_MAX)]
    despite_exceptions: Annotated[
        bool, Meta(description="Also those that somebody should look at first. One that is named singly always is.")
    ] = False


class WordsInput(Input, frozen=True, kw_only=True):
    """What to tell whoever gave the hours."""

    text: _Words


class CorrectionInput(Input, frozen=True, kw_only=True):
    """What the hours should count, and why."""

    minutes: Annotated[int, Meta(ge=0, le=1440, description="In the scheme's steps; 0 takes them back whole.")]
    reason: _Words


def routes(access: Access, approvals: Approvals, corrections: Corrections) -> list[HTTPRouteHandler]:
    """Return the routes of approvals and corrections."""
    whoever_decides = access.only(Scope.PROJECT, Scope.SCHEME)

    @post(
        "/v1/projects/{project:uuid}/approvals",
        before_request=whoever_decides,
        summary="Approve claims",
        description=(
            "Each claim has its outcome, in order. What has exceptions is left alone (`has_exceptions`) unless it is"
            " named singly or `despite_exceptions`; so is what overlaps other hours of the same person by now, awarded"
            " or waiting, whichever came first. Hours of one's own are never approved, and those that need a second"
            " approver wait for another person: both then need keys that say whose they are (`person_needed`). Of one"
            " claim alone, why not is a refusal."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def approve(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[ApprovalInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Approved]:
        asked = Approve(project=project, claims=data.claims, despite_exceptions=data.despite_exceptions)
        approved, replayed = await approvals.approve(request.user, idempotency_key, asked)
        return Created(approved, replayed=replayed)

    @post(
        "/v1/claims/{claim:uuid}/query",
        before_request=whoever_decides,
        summary="Ask back about a claim",
        description="It waits until it is submitted again. An approval that it had is taken back.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def query(
        request: CallerRequest,
        claim: FromPath[Identifier],
        data: JSONBody[WordsInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[ClaimStep]:
        step, replayed = await approvals.query(request.user, idempotency_key, claim, data.text)
        return Created(step, replayed=replayed)

    @post(
        "/v1/claims/{claim:uuid}/reject",
        before_request=whoever_decides,
        summary="Reject a claim",
        description="For good, with the reason; also what was approved and waits for a guardian's consent.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def reject(
        request: CallerRequest,
        claim: FromPath[Identifier],
        data: JSONBody[WordsInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[ClaimStep]:
        step, replayed = await approvals.reject(request.user, idempotency_key, claim, data.text)
        return Created(step, replayed=replayed)

    @post(
        "/v1/claims/{claim:uuid}/corrections",
        before_request=whoever_decides,
        summary="Correct awarded hours",
        description=(
            "By a new entry; the claim stays readable as it was. What the wallet no longer has is `goodwill`, so no"
            " balance is ever below zero; up again, that is repaid first, and `goodwill` negative. Not one's own hours;"
            " and more than the threshold is for another person than the first approver. Nothing is raised above the"
            " time from start to end, where it overlaps other hours of theirs, or to where two people have to agree,"
            " unless they did before: claim it anew, so that a second person can approve it."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def correct(
        request: CallerRequest,
        claim: FromPath[Identifier],
        data: JSONBody[CorrectionInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Correction]:
        asked = Correct(claim=claim, minutes=data.minutes, reason=data.reason)
        correction, replayed = await corrections.correct(request.user, idempotency_key, asked)
        return Created(correction, replayed=replayed)

    return [approve, query, reject, correct]
