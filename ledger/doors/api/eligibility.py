"""Routes of eligibility: the words by which offers ask for what not everybody may."""

from datetime import UTC
from typing import Annotated, Final

import msgspec
from litestar import delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import refused
from ledger.doors.api.inputs import Input
from ledger.doors.fields import WORD_PATTERN, Identifier, Moment
from ledger.scheme.callers import Scope
from ledger.scheme.eligibility import Eligibility, Eligible

_TAG: Final = ["people"]
_WORD: Final = "/v1/people/{person:uuid}/eligibility/{word:str}"

_Word = Annotated[
    str, PathParameter(pattern=WORD_PATTERN, description="As offers have it in `requires`: `gym_induction`.")
]


class EligibleInput(Input, frozen=True, kw_only=True):
    """How long a word holds."""

    ends_at: Annotated[Moment | None, Meta(description="Null: until it is withdrawn.")] = None


class EligibleList(msgspec.Struct, frozen=True, kw_only=True):
    """All of somebody's words, in the order of the alphabet."""

    eligible: list[Eligible]


def routes(access: Access, eligibility: Eligibility) -> list[HTTPRouteHandler]:
    """Return the routes of eligibility."""

    @get(
        "/v1/people/{person:uuid}/eligibility",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read what somebody is eligible for",
        description="A person's key reads their own. A venue hears yes or no, and never a word.",
        responses=refused(400, 401, 403, 404, 503),
        tags=_TAG,
    )
    async def read(request: CallerRequest, person: FromPath[Identifier]) -> EligibleList:
        return EligibleList(eligible=list(await eligibility.of(request.user, person)))

    @put(
        _WORD,
        before_request=access.only(Scope.SCHEME),
        summary="Have somebody be eligible",
        description="Given again, the word has the new end.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def give(
        request: CallerRequest, person: FromPath[Identifier], word: _Word, data: JSONBody[EligibleInput]
    ) -> Eligible:
        ends_at = None if data.ends_at is None else data.ends_at.astimezone(UTC)
        return await eligibility.give(request.user, person, word, ends_at)

    @delete(
        _WORD,
        before_request=access.only(Scope.SCHEME),
        summary="Withdraw a word",
        description="One that they don't have stays away.",
        responses=refused(400, 401, 403, 404, 503),
        tags=_TAG,
    )
    async def withdraw(request: CallerRequest, person: FromPath[Identifier], word: _Word) -> None:
        await eligibility.withdraw(request.user, person, word)

    return [read, give, withdraw]
