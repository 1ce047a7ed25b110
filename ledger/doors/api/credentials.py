"""Routes of cards and phone passes: for a desk, and for the people whose they are."""

from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Moment
from ledger.scheme.callers import Scope
from ledger.scheme.credentials import CardCode, Credential, Credentials, IssuedCredential, ShownPass

_TAG: Final = ["cards and passes"]


class CardInput(Input, frozen=True, kw_only=True):
    """A new card."""

    expires_at: Annotated[Moment | None, Meta(description="When it ends; never, if left out.")] = None


class CredentialPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of somebody's cards and passes, newest first, and the cursor of the page before it in time."""

    credentials: list[Credential]
    next: str | None


def routes(access: Access, credentials: Credentials, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of cards and passes."""

    @post(
        "/v1/people/{person:uuid}/cards",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Issue a card",
        description=(
            "The answer holds the code to print, in letters and in a QR code of the same. A person has one card at a"
            " time; a project's desk issues them to whoever came or gave hours to it."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def issue_card(
        request: CallerRequest,
        person: FromPath[Identifier],
        data: JSONBody[CardInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[IssuedCredential]:
        card, replayed = await credentials.issue_card(request.user, idempotency_key, person, data.expires_at)
        return Created(card, replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/credentials",
        before_request=access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME),
        summary="List cards and passes",
        description="Newest first, those that ended too; without their codes. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def listed(
        request: CallerRequest,
        person: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> CredentialPage:
        place = f"credentials/{person}"
        before = cursors.read_id(cursor_secret, place, cursor)
        found = await credentials.of(request.user, person, before=before, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return CredentialPage(credentials=list(shown), next=following)

    @post(
        "/v1/people/{person:uuid}/pass",
        before_request=access.only(Scope.PERSON),
        summary="Make a phone pass",
        description="For oneself, or as a helper who may `book`. Whoever has one already is given that.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def make_pass(
        request: CallerRequest, person: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Credential]:
        made, replayed = await credentials.make_pass(request.user, idempotency_key, person)
        return Created(made, replayed=replayed)

    @get(
        "/v1/people/{person:uuid}/pass",
        before_request=access.only(Scope.PERSON),
        summary="Show a phone pass",
        description=(
            "Its code of now, in letters and for a QR code: ask anew at `ends_at`. Each code is taken once. That a"
            " helper shows it stands in the person's acts, once a day."
        ),
        responses=refused(401, 403, 404, 409),
        tags=_TAG,
    )
    async def show_pass(request: CallerRequest, person: FromPath[Identifier]) -> ShownPass:
        return await credentials.shown_pass(request.user, person)

    @get(
        "/v1/credentials/{credential:uuid}/code",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Read a card's code",
        description=(
            "To print the same card anew; that it was read stands in the person's acts. If the card may be in other"
            " hands, replace it instead. A project reads, replaces, unblocks and revokes only cards that it issued."
        ),
        responses=refused(401, 403, 404, 409),
        tags=_TAG,
    )
    async def card_code(request: CallerRequest, credential: FromPath[Identifier]) -> CardCode:
        return await credentials.card_code(request.user, credential)

    @post(
        "/v1/credentials/{credential:uuid}/replace",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Replace a card or pass",
        description=(
            "In one step: tills answer `card_replaced` to the old one from now on, and take the new one. It ends when"
            " the old one would have, if that lies ahead. By a project only a card that it issued."
        ),
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def replace(
        request: CallerRequest, credential: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[IssuedCredential]:
        new, replayed = await credentials.replace(request.user, idempotency_key, credential)
        return Created(new, replayed=replayed)

    @post(
        "/v1/credentials/{credential:uuid}/block",
        before_request=access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME),
        summary="Block a card or pass",
        description="At once: by whose it is, a helper who may `book`, or a desk. Nothing is lost by it.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def block(
        request: CallerRequest, credential: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Credential]:
        blocked, replayed = await credentials.block(request.user, idempotency_key, credential)
        return Created(blocked, replayed=replayed)

    @post(
        "/v1/credentials/{credential:uuid}/unblock",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Unblock a card or pass",
        description="It works again at once. By a project only a card that it issued.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def unblock(
        request: CallerRequest, credential: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Credential]:
        unblocked, replayed = await credentials.unblock(request.user, idempotency_key, credential)
        return Created(unblocked, replayed=replayed)

    @post(
        "/v1/credentials/{credential:uuid}/revoke",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Revoke a card or pass",
        description="At once and for good; a new one can be issued. By a project only a card that it issued.",
        responses=refused(400, 401, 403, 404, 409, 422, 503),
        tags=_TAG,
    )
    async def revoke(
        request: CallerRequest, credential: FromPath[Identifier], idempotency_key: IdempotencyKey
    ) -> Created[Credential]:
        revoked, replayed = await credentials.revoke(request.user, idempotency_key, credential)
        return Created(revoked, replayed=replayed)

    return [issue_card, listed, make_pass, show_pass, card_code, replace, block, unblock, revoke]
