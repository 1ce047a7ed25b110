"""Routes of pots: look into a group's and spend from it, and what the community has for whoever needs it."""

from datetime import UTC
from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import TAKING_PART, Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.api.people import Statement
from ledger.doors.fields import TAG_PATTERN, Identifier, Minutes, Moment
from ledger.scheme.bookings import Wanted
from ledger.scheme.callers import Scope
from ledger.scheme.pot_spends import Decide, PotSpend, PotSpends, PotSpendStep, Propose
from ledger.scheme.pots import CommunityPot, PassedOn, PassOn, Pot, Pots
from ledger.scheme.terms import Party

_TAG: Final = ["pots"]
_Reason = Annotated[
    str,
    Meta(pattern=TAG_PATTERN, description="A word of the scheme's own, such as `welcome`; never what somebody needs."),
]


_Keyholder = Annotated[
    Identifier, Meta(description="The person, of the group's keyholders, who says so; with a person's key, oneself.")
]


class PotSpendInput(Input, frozen=True, kw_only=True):
    """A visit that the group's pot is to pay for."""

    keyholder: _Keyholder
    person: Annotated[Identifier, Meta(description="Who comes: a member of the group.")]
    offer: Identifier
    visit_at: Annotated[Moment | None, Meta(description="For a drop-in or a ticket: when.")] = None
    occasion: Annotated[Identifier | None, Meta(description="For a show: which. A course is booked as a whole.")] = None
    party: Annotated[Party, Meta(description="Who comes, the person among them: one adult, if left out.")] = Party()


class PotDecisionInput(Input, frozen=True, kw_only=True):
    """Who decides."""

    keyholder: _Keyholder


class PotSpendPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a pot's spends, newest first, and the cursor of the page before it in time."""

    spends: list[PotSpend]
    next: str | None


class PassOnInput(Input, frozen=True, kw_only=True):
    """Credits of the community's for one person."""

    person: Identifier
    minutes: Minutes
    reason: _Reason


def routes(access: Access, pots: Pots, spends: PotSpends, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of pots."""
    return [*_looking(access, pots, cursor_secret), *_spending(access, spends, cursor_secret)]


def _looking(access: Access, pots: Pots, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    keyholders = access.only(Scope.PERSON, Scope.SCHEME)

    @get(
        "/v1/groups/{group:uuid}/pot",
        before_request=keyholders,
        summary="Look into a group's pot",
        description="In minutes; for the group's keyholders, by their own keys, and the scheme.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, group: FromPath[Identifier]) -> Pot:
        return await pots.get(request.user, group)

    @get(
        "/v1/groups/{group:uuid}/pot/statement",
        before_request=keyholders,
        summary="Read a pot's statement",
        description=(
            "Newest first, for the same. `other` is the kind of account that the minutes came from or went to. Give"
            " `next` as `cursor` to go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def statement(
        request: CallerRequest,
        group: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> Statement:
        name = f"pot/{group}"
        before = None if cursor is None else cursors.read(cursor_secret, name, cursor)
        lines = await pots.statement(request.user, group, before=before, limit=page_size)
        return Statement.of(cursor_secret, name, lines, page_size)

    @get(
        "/v1/community-pot",
        before_request=access.only(*TAKING_PART),
        summary="Look into the community's pot",
        description="What was given for whoever needs it, in minutes.",
        responses=refused(401, 403),
        tags=_TAG,
    )
    async def community() -> CommunityPot:
        return await pots.community()

    @post(
        "/v1/community-pot/passed-on",
        before_request=access.only(Scope.SCHEME),
        summary="Pass on what is the community's",
        description="Into somebody's wallet, at once; never more than there is. It stands in the person's acts.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def pass_on(
        request: CallerRequest, data: JSONBody[PassOnInput], idempotency_key: IdempotencyKey
    ) -> Created[PassedOn]:
        asked = PassOn(person=data.person, minutes=data.minutes, reason=data.reason)
        passed, replayed = await pots.pass_on(request.user, idempotency_key, asked)
        return Created(passed, replayed=replayed)

    return [read, statement, community, pass_on]


def _spending(access: Access, spends: PotSpends, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    keyholders = access.only(Scope.PERSON, Scope.SCHEME)

    @post(
        "/v1/groups/{group:uuid}/pot/spends",
        before_request=keyholders,
        summary="Spend from a group's pot",
        description=(
            "By a keyholder, or staff for them, once the group has two. Up to 20 credits, unless the scheme's rules"
            " differ, are booked at once; above it, it waits for 14 days for another keyholder to agree, and nothing is"
            " held meanwhile."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def propose(
        request: CallerRequest,
        group: FromPath[Identifier],
        data: JSONBody[PotSpendInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[PotSpendStep]:
        wanted = Wanted(
            person=data.person,
            offer=data.offer,
            visit_at=None if data.visit_at is None else data.visit_at.astimezone(UTC),
            occasion=data.occasion,
            party=data.party,
        )
        asked = Propose(group=group, keyholder=data.keyholder, wanted=wanted)
        step, replayed = await spends.propose(request.user, idempotency_key, asked)
        return Created(step, replayed=replayed)

    @get(
        "/v1/groups/{group:uuid}/pot/spends",
        before_request=keyholders,
        summary="List a pot's spends",
        description="For the group's keyholders and the scheme, newest first. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def listed(
        request: CallerRequest,
        group: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> PotSpendPage:
        place = f"pot-spends/{group}"
        before = cursors.read_id(cursor_secret, place, cursor)
        found = await spends.of(request.user, group, before=before, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return PotSpendPage(spends=list(shown), next=following)

    @post(
        "/v1/pot-spends/{spend:uuid}/agree",
        before_request=keyholders,
        summary="Agree to a spend",
        description=(
            "By another keyholder than who proposed it, and not by the key that proposed it for them. It is booked"
            " then, if it can still be had for as much."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def agree(
        request: CallerRequest,
        spend: FromPath[Identifier],
        data: JSONBody[PotDecisionInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[PotSpendStep]:
        asked = Decide(spend=spend, keyholder=data.keyholder, agreed=True)
        step, replayed = await spends.decide(request.user, idempotency_key, asked)
        return Created(step, replayed=replayed)

    @post(
        "/v1/pot-spends/{spend:uuid}/decline",
        before_request=keyholders,
        summary="Decline a spend",
        description="By any keyholder, who proposed it too.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def decline(
        request: CallerRequest,
        spend: FromPath[Identifier],
        data: JSONBody[PotDecisionInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[PotSpendStep]:
        asked = Decide(spend=spend, keyholder=data.keyholder, agreed=False)
        step, replayed = await spends.decide(request.user, idempotency_key, asked)
        return Created(step, replayed=replayed)

    return [propose, listed, agree, decline]
