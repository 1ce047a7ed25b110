"""Route of paper notes of the scheme before this one: put what they are worth into a wallet."""

from typing import Annotated, Final

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import Meta

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import IdempotencyKey, Input
from ledger.doors.fields import SERIAL_PATTERN, Identifier, Minutes
from ledger.scheme.callers import Scope
from ledger.scheme.notes import NOTES_MAX, Bring, Note, Notes, Taken

_TAG: Final = ["vouchers"]


class NoteInput(Input, frozen=True, kw_only=True):
    """A note: what is printed on it."""

    serial: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            pattern=SERIAL_PATTERN,
            description="As printed; capitals, spaces and hyphens don't matter.",
        ),
    ]
    minutes: Minutes


class NotesInput(Input, frozen=True, kw_only=True):
    """Notes, and whose wallet they go to."""

    person: Identifier
    notes: Annotated[list[NoteInput], Meta(min_length=1, max_length=NOTES_MAX)]


def routes(access: Access, notes: Notes) -> list[HTTPRouteHandler]:
    """Return the route of paper notes."""

    @post(
        "/v1/notes",
        before_request=access.only(Scope.SCHEME),
        summary="Take in paper notes",
        description=(
            "Of the scheme before this one; all of them or none. Each serial is taken in once, for ever: where one was"
            " before, `already_used` says which."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def take(
        request: CallerRequest, data: JSONBody[NotesInput], idempotency_key: IdempotencyKey
    ) -> Created[Taken]:
        bring = Bring(person=data.person, notes=[Note(note.serial, note.minutes) for note in data.notes])
        taken, replayed = await notes.take(request.user, idempotency_key, bring)
        return Created(taken, location=f"/v1/entries/{taken.id}", replayed=replayed)

    return [take]
