"""Routes of care: a child's guardians and their consent, a copy of everything held about somebody, and erasure."""

from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import Identifier
from ledger.scheme.callers import Scope
from ledger.scheme.copies import Copies, Copy
from ledger.scheme.erasure import Erased, Erasure, GiveTo
from ledger.scheme.guardians import Consent, Given, Guardian, Guardians

_GUARDIANS: Final = ["guardians"]
_PEOPLE: Final = ["people"]


class GuardianInput(Input, frozen=True, kw_only=True):
    """Who is to answer for a child."""

    guardian: Annotated[Identifier, Meta(description="A person of this scheme, not known to be under 18.")]


class ConsentInput(Input, frozen=True, kw_only=True):
    """Whose consent it is."""

    guardian: Annotated[Identifier, Meta(description="One of the child's guardians; with a person's key, oneself.")]


class ErasureInput(Input, frozen=True, kw_only=True):
    """What becomes of the credits of somebody who is erased."""

    give_to: Annotated[
        GiveTo, Meta(description="`community`: to the pot that anybody may be helped from; `surrender`: to nobody.")
    ]


class GuardianList(msgspec.Struct, frozen=True, kw_only=True):
    """A child's guardians; those with `ended_at` were."""

    guardians: list[Guardian]


def routes(access: Access, guardians: Guardians, copies: Copies, erasure: Erasure) -> list[HTTPRouteHandler]:
    """Return the routes of care."""

    @post(
        "/v1/people/{child:uuid}/guardians",
        before_request=access.only(Scope.SCHEME),
        summary="Add a guardian",
        description="For somebody who is known to be under 18. Adding them again changes nothing.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_GUARDIANS,
    )
    async def add(
        request: CallerRequest, child: FromPath[Identifier], data: JSONBody[GuardianInput]
    ) -> Created[Guardian]:
        return Created(await guardians.add(request.user, child, data.guardian))

    @get(
        "/v1/people/{child:uuid}/guardians",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="List a child's guardians",
        description="All 20 at most, each with their newest consent. A guardian's own key sees that guardian alone.",
        responses=refused(401, 403, 404),
        tags=_GUARDIANS,
    )
    async def listed(request: CallerRequest, child: FromPath[Identifier]) -> GuardianList:
        return GuardianList(guardians=list(await guardians.of(request.user, child)))

    @post(
        "/v1/people/{child:uuid}/guardians/{guardian:uuid}/end",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="End a guardian",
        description="They answer for the child no more, and their consent is withdrawn.",
        responses=refused(401, 403, 404, 503),
        tags=_GUARDIANS,
    )
    async def end(request: CallerRequest, child: FromPath[Identifier], guardian: FromPath[Identifier]) -> Guardian:
        return await guardians.end(request.user, child, guardian)

    @post(
        "/v1/people/{child:uuid}/consents",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Give consent",
        description=(
            "A guardian agrees that the child's hours become credits, and may be given away, for 12 months unless the"
            " scheme's rules differ. Hours that waited for it are awarded at once."
        ),
        responses=refused(400, 401, 403, 404, 422, 503),
        tags=_GUARDIANS,
    )
    async def consent(
        request: CallerRequest,
        child: FromPath[Identifier],
        data: JSONBody[ConsentInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Given]:
        given, replayed = await guardians.consent(request.user, idempotency_key, child, data.guardian)
        return Created(given, replayed=replayed)

    @post(
        "/v1/consents/{consent:uuid}/withdraw",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        status_code=200,
        summary="Withdraw consent",
        description=(
            "What was awarded stays; hours approved from now on wait again. An earlier consent of the same guardian for"
            " the same child is withdrawn with it."
        ),
        responses=refused(401, 403, 404, 503),
        tags=_GUARDIANS,
    )
    async def withdraw(request: CallerRequest, consent: FromPath[Identifier]) -> Consent:
        return await guardians.withdraw(request.user, consent)

    @get(
        "/v1/people/{person:uuid}/copy",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Copy everything that is held about a person",
        description=(
            "One document, for the scheme and the person's own key. Each list has its newest 25,000 rows at most; `cut`"
            " names the lists that had more."
        ),
        responses=refused(401, 403, 404, 503),
        tags=_PEOPLE,
    )
    async def copy(request: CallerRequest, person: FromPath[Identifier]) -> Copy:
        return await copies.of(request.user, person)

    @post(
        "/v1/people/{person:uuid}/erasure",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Erase a person",
        description=(
            "For good, by the scheme or the person's own key. All that tells who they were goes; their keys, and the"
            " tills and kiosks that they had enrolled, stop at once, but for those that were kept when they left. The"
            " last of the staff is declined. The journal keeps ids and figures, and its sums stay right."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_PEOPLE,
    )
    async def erase(
        request: CallerRequest,
        person: FromPath[Identifier],
        data: JSONBody[ErasureInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[Erased]:
        erased, replayed = await erasure.erase(request.user, idempotency_key, person, data.give_to)
        return Created(erased, replayed=replayed)

    return [add, listed, end, consent, withdraw, copy, erase]
