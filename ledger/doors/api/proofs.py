"""Routes of the proof: the log's newest checkpoint and its key, consistency, and receipts.

What stands under /log is for anyone who doubts us, without a key: it tells sizes and hashes and nothing else. A receipt
holds a whole leaf, with balances, and so is given to the scheme and its auditor, and besides to the person alone whose
entry it is.
"""

from typing import Annotated, Final

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from ledger.database import Database, driver
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import refused
from ledger.doors.fields import Identifier
from ledger.journal import log
from ledger.scheme.callers import Scope
from ledger.scheme.receipts import Receipts
from ledger.scheme.refusals import Declined, Refusal

_TAG: Final = ["proof"]
_NOT_YET: Final = f"No checkpoint covers this yet: one is signed every {log.SIGN_EVERY_SECONDS} seconds."

_Size = Annotated[
    str,
    QueryParameter(
        pattern=r"^[1-9][0-9]{0,17}$(?!\n)",
        description="A number of entries, as a checkpoint says it.",
        schema_extra={"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
    ),
]


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """That the log of `new` entries begins with that of `old`: RFC 9162's proof, each hash in base64."""

    old: int
    new: int
    path: list[bytes]


def routes(access: Access, database: Database, receipts: Receipts, verifier: str) -> list[HTTPRouteHandler]:
    """Return the routes of the proof; `verifier` is the key that checkpoints are signed with."""

    @get(
        "/log/checkpoint",
        media_type=MediaType.TEXT,
        summary="Read the newest checkpoint",
        description="A signed note (C2SP): keep it, and hold every later state of the log against it.",
        responses=refused(404),
        tags=_TAG,
        security=[],
    )
    async def checkpoint() -> Response[str]:
        async with database.reading() as connection:
            note = await log.newest_checkpoint(driver(connection))
        if note is None:
            raise Declined(Refusal.NOT_FOUND, _NOT_YET)
        return Response(note, media_type=MediaType.TEXT)

    @get(
        "/log/key",
        media_type=MediaType.TEXT,
        summary="Read the key that checkpoints are signed with",
        description="A verifier key, name+id+base64. Pin it: whoever asks anew each time trusts whoever answers.",
        tags=_TAG,
        security=[],
    )
    async def key() -> Response[str]:
        return Response(verifier + "\n", media_type=MediaType.TEXT)

    @get(
        "/log/consistency",
        summary="Prove that one log continues another",
        responses=refused(400, 404),
        tags=_TAG,
        security=[],
    )
    async def consistency(old: _Size, new: _Size) -> Consistency:
        first, second = int(old), int(new)
        async with database.reading() as connection:
            raw = driver(connection)
            if not first <= second <= (await log.head(raw)).size:
                raise Declined(Refusal.NOT_FOUND, "There are no such two sizes of this log, the old one first.")
            path = await log.consistency(raw, first, second)
        return Consistency(old=first, new=second, path=path)

    @get(
        "/v1/entries/{entry:uuid}/receipt",
        before_request=access.only(Scope.AUDITOR, Scope.PERSON, Scope.SCHEME),
        media_type=MediaType.TEXT,
        summary="Read an entry's receipt",
        description=(
            "A proof (C2SP) that the entry is in the log. It verifies offline, with the published format. A person's"
            " key reads those of entries that move that person's credits."
        ),
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def receipt(request: CallerRequest, entry: FromPath[Identifier]) -> Response[str]:
        return Response(await receipts.text(request.user, entry), media_type=MediaType.TEXT)

    return [checkpoint, key, consistency, receipt]
