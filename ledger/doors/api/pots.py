"""Routes of pots: look into a group's, and what the community has for whoever needs it."""

from typing import Annotated, Final

from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import TAG_PATTERN, Cursor, IdempotencyKey, Identifier, Input, Minutes, page_size
from ledger.doors.api.people import Statement, StatementLine
from ledger.scheme.keys import Scope
from ledger.scheme.pots import CommunityPot, PassedOn, PassOn, Pot, Pots

_TAG: Final = ["pots"]
_Reason = Annotated[
    str,
    Meta(pattern=TAG_PATTERN, description="A word of the scheme's own, such as `welcome`; never what somebody needs."),
]


class PassOnInput(Input, frozen=True, kw_only=True):
    """Credits of the community's for one person."""

    person: Identifier
    minutes: Minutes
    reason: _Reason


def routes(access: Access, pots: Pots, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of pots."""
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
        more = len(lines) == page_size and lines[-1].sequence > 1
        return Statement(
            lines=[
                StatementLine(
                    entry=line.entry,
                    kind=line.kind,
                    minutes=line.minutes,
                    balance=line.balance,
                    other=line.other,
                    happened_at=line.happened_at,
                    recorded_at=line.recorded_at,
                )
                for line in lines
            ],
            next=cursors.sign(cursor_secret, name, lines[-1].sequence) if more else None,
        )

    @get(
        "/v1/community-pot",
        before_request=access.only(*Scope),
        summary="Look into the community's pot",
        description="What was given for whoever needs it, in minutes.",
        responses=refused(401),
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
