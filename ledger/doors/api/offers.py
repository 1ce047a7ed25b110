"""Routes of offers: the scheme makes them for its venues, and anybody with a key finds somewhere to spend."""

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
from ledger.doors.api.days import DAY_PATTERN, day
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import MONTH_PATTERN, NEAR_PATTERN, Identifier, Minutes, Name
from ledger.scheme.callers import Scope
from ledger.scheme.finding import Finding, Found, Wanted
from ledger.scheme.offers import Details, NewOffer, Offer, Offers, Quota
from ledger.scheme.states import Publication
from ledger.scheme.terms import Kind, Reach, Terms

_TAG: Final = ["offers"]
_PAGED: Final = {"page_size": Provide(page_size, sync_to_thread=False)}

_Price = Annotated[
    Minutes, Meta(description="In minutes, for each person who is charged; for each session of a course.")
]
_Site = Annotated[Identifier | None, Meta(description="One of the venue's sites, if it isn't given at all of them.")]
_LongText = Annotated[str, Meta(max_length=4_000)]
_Expect = Annotated[_LongText, Meta(description="What to expect, for whoever is anxious about going.")]
_Terms = Annotated[Terms, Meta(description="Its rules, as a whole. Times are by the clock in London.")]

_Near = Annotated[
    str | None,
    QueryParameter(
        pattern=NEAR_PATTERN,
        description="The first half of a postcode: CB4. Of a whole one only that half is looked at, and nothing kept.",
    ),
]
_Within = Annotated[
    str | None,
    QueryParameter(
        pattern=r"^[1-9][0-9]{0,2}$(?!\n)",
        description="Only those so many kilometres from there, at most; national ones are found all the same.",
        schema_extra={"one_of": None, "type": "integer", "minimum": 1, "maximum": 999},
    ),
]
_ReachWanted = Annotated[Reach | None, QueryParameter(description="Only those of this reach.")]
_KindWanted = Annotated[Kind | None, QueryParameter(description="Only those of this kind.")]
_StepFree = Annotated[
    str | None, QueryParameter(pattern=r"^true$(?!\n)", description="`true`: only at sites without steps.")
]
_CompanionFree = Annotated[
    str | None,
    QueryParameter(pattern=r"^true$(?!\n)", description="`true`: only those where a companion comes in free."),
]
_LowTalk = Annotated[
    str | None,
    QueryParameter(pattern=r"^true$(?!\n)", description="`true`: only those where nobody has to talk."),
]
_OpenOn = Annotated[
    str | None,
    QueryParameter(
        pattern=DAY_PATTERN, format="date", description="Only those open on that day, or with an occasion: 2026-11-28."
    ),
]
_QuietOn = Annotated[
    str | None,
    QueryParameter(pattern=DAY_PATTERN, format="date", description="Only those with a quiet time on that day."),
]
_Month = Annotated[
    str | None,
    QueryParameter(pattern=MONTH_PATTERN, description="The month by London's calendar: 2026-11. By default this one."),
]


class OfferInput(Input, frozen=True, kw_only=True):
    """A new offer."""

    title: Name
    price: _Price
    site: _Site = None
    kind: Kind = Kind.DROP_IN
    reach: Reach = Reach.LOCAL
    description: _LongText = ""
    expect: _Expect = ""
    terms: _Terms = Terms()


class OfferChange(Input, frozen=True, kw_only=True):
    """What changes of an offer: what isn't there stays, terms are given as a whole, null is all of the sites."""

    title: Name | UnsetType = UNSET
    price: _Price | UnsetType = UNSET
    site: Identifier | UnsetType | None = UNSET
    kind: Kind | UnsetType = UNSET
    reach: Reach | UnsetType = UNSET
    description: _LongText | UnsetType = UNSET
    expect: _Expect | UnsetType = UNSET
    terms: _Terms | UnsetType = UNSET


class OfferPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a venue's offers by title, and the cursor of the next."""

    offers: list[Offer]
    next: str | None


class FoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of offers, the nearest first, and the cursor of the next."""

    offers: list[Found]
    next: str | None


def routes(access: Access, offers: Offers, finding: Finding, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of offers."""
    return [
        _search(access, finding, cursor_secret),
        *_of_venues(access, offers, cursor_secret),
        *_of_offers(access, offers),
    ]


def _search(access: Access, finding: Finding, cursor_secret: bytes) -> HTTPRouteHandler:
    @get(
        "/v1/offers",
        before_request=access.only(*TAKING_PART),
        summary="Find somewhere to spend",
        description=(
            "Published offers of active venues. With `near`, the nearest first, by whole kilometres from the middle of"
            " that district to the nearest of their sites; then those whose place isn't known; national ones always"
            " last. Else by title. Give `next` as `cursor` to go on, with the same filters."
        ),
        responses=refused(400, 401, 403, 422),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def search(
        *,
        page_size: NamedDependency[int],
        near: _Near = None,
        within_km: _Within = None,
        reach: _ReachWanted = None,
        kind: _KindWanted = None,
        step_free: _StepFree = None,
        companion_free: _CompanionFree = None,
        low_talk: _LowTalk = None,
        open_on: _OpenOn = None,
        quiet_on: _QuietOn = None,
        cursor: Cursor = None,
    ) -> FoundPage:
        wanted = Wanted(
            near=near,
            within_km=None if within_km is None else int(within_km),
            reach=reach,
            kind=kind,
            step_free=step_free is not None,
            companion_free=companion_free is not None,
            low_talk=low_talk is not None,
            open_on=day("open_on", open_on),
            quiet_on=day("quiet_on", quiet_on),
        )
        place = "offers?" + msgspec.json.encode(wanted).decode()
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await finding.search(wanted, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.place)
        return FoundPage(offers=list(shown), next=following)

    return search


def _of_venues(access: Access, offers: Offers, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    @post(
        "/v1/venues/{venue:uuid}/offers",
        before_request=access.only(Scope.SCHEME),
        summary="Make an offer",
        description="A draft, until it is published.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest,
        venue: FromPath[Identifier],
        data: JSONBody[OfferInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Offer]:
        asked = NewOffer(venue=venue, details=Details(**_told(data)))
        offer, replayed = await offers.create(request.user, idempotency_key, asked)
        return Created(offer, location=f"/v1/offers/{offer.id}", replayed=replayed)

    @get(
        "/v1/venues/{venue:uuid}/offers",
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="List a venue's own offers",
        description="By title, drafts and all. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies=_PAGED,
        tags=_TAG,
    )
    async def index(
        request: CallerRequest, venue: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> OfferPage:
        place = f"offers/{venue}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await offers.of_venue(request.user, venue, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.title)
        return OfferPage(offers=list(shown), next=following)

    return [create, index]


def _of_offers(access: Access, offers: Offers) -> list[HTTPRouteHandler]:
    @get(
        "/v1/offers/{offer:uuid}",
        before_request=access.only(*TAKING_PART),
        summary="Read an offer",
        description=(
            "One that isn't published, or whose venue isn't active, is there for its venue and the scheme alone; so is"
            " the quota of any."
        ),
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, offer: FromPath[Identifier]) -> Offer:
        return await offers.get(request.user, offer)

    @patch(
        "/v1/offers/{offer:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Rewrite an offer",
        description=(
            "Published or not: what isn't there stays as it is, `terms` are given as a whole. Bookings that are on hold"
            " keep their price; a new quota counts at once, for this month too."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def rewrite(request: CallerRequest, offer: FromPath[Identifier], data: JSONBody[OfferChange]) -> Offer:
        return await offers.rewrite(request.user, offer, _told(data))

    @post(
        "/v1/offers/{offer:uuid}/publish",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Publish an offer",
        description="From draft or paused. From then on it is found and can be redeemed, while its venue is active.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def publish(request: CallerRequest, offer: FromPath[Identifier]) -> Offer:
        return await offers.change(request.user, offer, Publication.PUBLISHED)

    @post(
        "/v1/offers/{offer:uuid}/pause",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Pause an offer",
        description="It stops at once, until it is published again.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def pause(request: CallerRequest, offer: FromPath[Identifier]) -> Offer:
        return await offers.change(request.user, offer, Publication.PAUSED)

    @post(
        "/v1/offers/{offer:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="End an offer",
        description="For good.",
        responses=refused(400, 401, 403, 404, 409, 503),
        tags=_TAG,
    )
    async def end(request: CallerRequest, offer: FromPath[Identifier]) -> Offer:
        return await offers.change(request.user, offer, Publication.ENDED)

    @get(
        "/v1/offers/{offer:uuid}/quota",
        before_request=access.only(Scope.VENUE, Scope.SCHEME),
        summary="Read how much of a month's quota is used",
        description="For the venue and the scheme. Places of visits and of bookings count alike.",
        responses=refused(400, 401, 403, 404),
        tags=_TAG,
    )
    async def quota(request: CallerRequest, offer: FromPath[Identifier], month: _Month = None) -> Quota:
        return await offers.quota(request.user, offer, month)

    return [read, rewrite, publish, pause, end, quota]


def _told(data: OfferInput | OfferChange) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
