"""Routes of opportunities: projects write them, anybody with a key finds those that are published."""

from typing import Annotated, Any, Final

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import TAKING_PART, Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import DISTRICT_PATTERN, TAG_PATTERN, Identifier, Name, Text
from ledger.scheme.callers import Scope
from ledger.scheme.opportunities import (
    USUAL_TAGS,
    Details,
    Draft,
    Kind,
    Opportunities,
    Opportunity,
    Referral,
    Wanted,
)
from ledger.scheme.states import Publication

_TAG: Final = ["opportunities"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}
_OWN: Final = (Scope.PROJECT, Scope.SCHEME)

_USUAL: Final = "The usual ones: " + ", ".join(f"`{tag}` ({said})" for tag, said in USUAL_TAGS.items()) + "."

Tag = Annotated[str, Meta(pattern=TAG_PATTERN)]
Tags = Annotated[list[Tag], Meta(max_length=20, description=f"What helps people to come, in words. {_USUAL}")]
District = Annotated[str, Meta(pattern=DISTRICT_PATTERN, description="The first half of its postcode: CB4.")]
Length = Annotated[int, Meta(ge=15, le=1440, description="How many minutes it usually takes.")]
Pence = Annotated[int, Meta(ge=0, le=100_000, description="What joining costs, in pence of sterling.")]
Places = Annotated[int, Meta(ge=1, le=10_000, description="How many can come to one session; null for no bound.")]
Note = Annotated[str, Meta(max_length=500)]
Prerequisites = Annotated[Note, Meta(description="What somebody needs beforehand: an induction, say.")]

_KindWanted = Annotated[Kind | None, QueryParameter(description="Only those of this kind.")]
_TagsWanted = Annotated[
    str | None,
    QueryParameter(
        # Ten words; nobody looks for more at once.
        pattern=r"^[a-z][a-z_]{0,31}(,[a-z][a-z_]{0,31}){0,9}$(?!\n)",
        description=f"Only those with all of these tags, separated by commas. {_USUAL}",
    ),
]
_DistrictWanted = Annotated[
    str | None, QueryParameter(pattern=DISTRICT_PATTERN, description="Only those in this district: CB4.")
]
_SelfReferral = Annotated[
    str | None,
    QueryParameter(pattern=r"^true$(?!\n)", description="`true`: only those that nobody has to refer one to."),
]


class OpportunityInput(Input, frozen=True, kw_only=True):
    """A new opportunity."""

    title: Name
    description: Text = ""
    kind: Kind
    minutes: Length | None = None
    place: Name | None = None
    district: District | None = None
    tags: Tags = []  # noqa: RUF012  # msgspec copies an empty list
    prerequisites: Prerequisites = ""
    joining_pence: Pence = 0
    donation_note: Note = ""
    referral: Referral = Referral.NONE
    places: Places | None = None


class OpportunityChange(Input, frozen=True, kw_only=True):
    """What changes of an opportunity: null clears, what isn't there stays."""

    title: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    minutes: Length | UnsetType | None = UNSET
    place: Name | UnsetType | None = UNSET
    district: District | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    prerequisites: Prerequisites | UnsetType = UNSET
    joining_pence: Pence | UnsetType = UNSET
    donation_note: Note | UnsetType = UNSET
    referral: Referral | UnsetType = UNSET
    places: Places | UnsetType | None = UNSET


class OpportunityPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of opportunities by title, and the cursor of the next."""

    opportunities: list[Opportunity]
    next: str | None


def routes(access: Access, opportunities: Opportunities, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of opportunities."""

    @post(
        "/v1/projects/{project:uuid}/opportunities",
        before_request=access.only(*_OWN),
        summary="Write an opportunity",
        description="A draft, until it is published.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[OpportunityInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Opportunity]:
        draft = Draft(project=project, details=Details(**_told(data)))
        opportunity, replayed = await opportunities.create(request.user, idempotency_key, draft)
        return Created(opportunity, location=f"/v1/opportunities/{opportunity.id}", replayed=replayed)

    @get(
        "/v1/projects/{project:uuid}/opportunities",
        before_request=access.only(*_OWN),
        summary="List a project's own opportunities",
        description="By title, drafts and all. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index_own(
        request: CallerRequest, project: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> OpportunityPage:
        place = f"opportunities/{project}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await opportunities.of_project(request.user, project, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.title)
        return OpportunityPage(opportunities=list(shown), next=following)

    @get(
        "/v1/opportunities",
        before_request=access.only(*TAKING_PART),
        summary="Find opportunities",
        description=(
            "Those that are published at active projects, by title; `alias` is what a project is called here."
            " Give `next` as `cursor` to go on, with the same filters."
        ),
        responses=refused(400, 401, 403),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        *,
        page_size: NamedDependency[int],
        kind: _KindWanted = None,
        tags: _TagsWanted = None,
        district: _DistrictWanted = None,
        self_referral: _SelfReferral = None,
        cursor: Cursor = None,
    ) -> OpportunityPage:
        wanted = Wanted(
            kind=kind,
            tags=tags.split(",") if tags else [],
            district=district,
            self_referral=self_referral is not None,
        )
        place = f"opportunities?{kind}&{tags}&{district}&{self_referral}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await opportunities.published(wanted, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.title)
        return OpportunityPage(opportunities=list(shown), next=following)

    @get(
        "/v1/opportunities/{opportunity:uuid}",
        before_request=access.only(*TAKING_PART),
        summary="Read an opportunity",
        description="One that isn't published is there for its own project and the scheme alone.",
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, opportunity: FromPath[Identifier]) -> Opportunity:
        return await opportunities.get(request.user, opportunity)

    @patch(
        "/v1/opportunities/{opportunity:uuid}",
        before_request=access.only(*_OWN),
        summary="Rewrite an opportunity",
        description="What isn't there stays as it is; null clears.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def rewrite(
        request: CallerRequest, opportunity: FromPath[Identifier], data: JSONBody[OpportunityChange]
    ) -> Opportunity:
        return await opportunities.rewrite(request.user, opportunity, _told(data))

    @post(
        "/v1/opportunities/{opportunity:uuid}/publish",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Publish an opportunity",
        description="From draft or paused. From then on everybody finds it, while its project is active.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def publish(request: CallerRequest, opportunity: FromPath[Identifier]) -> Opportunity:
        return await opportunities.change(request.user, opportunity, Publication.PUBLISHED)

    @post(
        "/v1/opportunities/{opportunity:uuid}/pause",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="Pause an opportunity",
        description="It is shown no more, until it is published again.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def pause(request: CallerRequest, opportunity: FromPath[Identifier]) -> Opportunity:
        return await opportunities.change(request.user, opportunity, Publication.PAUSED)

    @post(
        "/v1/opportunities/{opportunity:uuid}/end",
        before_request=access.only(*_OWN),
        status_code=200,
        summary="End an opportunity",
        description="For good.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def end(request: CallerRequest, opportunity: FromPath[Identifier]) -> Opportunity:
        return await opportunities.change(request.user, opportunity, Publication.ENDED)

    return [create, index_own, index, read, rewrite, publish, pause, end]


def _told(data: OpportunityInput | OpportunityChange) -> dict[str, Any]:
    """The details that stand in it, each tag once."""
    told = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    return {name: list(dict.fromkeys(value)) if name == "tags" else value for name, value in told.items()}
