"""Routes of people: make somebody known, change what is known of them, and read what they have."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import ADDRESS_PATTERN, EMAIL_PATTERN, PHONE_PATTERN, PREFIX_PATTERN, Identifier, Name
from ledger.journal.entries import Kind
from ledger.journal.reading import Line
from ledger.scheme.acts import Act
from ledger.scheme.callers import Scope
from ledger.scheme.people import AgeBand, Balance, Changes, Channel, NewPerson, People, Person, Reach

_TAG: Final = ["people"]

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=EMAIL_PATTERN)]
Phone = Annotated[str, Meta(min_length=3, max_length=40, pattern=PHONE_PATTERN)]
Address = Annotated[str, Meta(min_length=1, max_length=500, pattern=ADDRESS_PATTERN)]
Prefix = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=200,
        pattern=PREFIX_PATTERN,
        description="How a word of their name begins, and what follows it.",
    ),
]


class ContactInput(Input, frozen=True, kw_only=True):
    """How somebody may be reached: nothing of it need be given."""

    email: Email | None = None
    phone: Phone | None = None
    address: Address | None = None
    channel: Annotated[Channel | None, Meta(description="How they would like to be reached.")] = None
    safe: Annotated[
        bool | None, Meta(description="Whether it is safe to contact them there; null if they didn't say.")
    ] = None


class PersonInput(Input, frozen=True, kw_only=True):
    """A new person."""

    name: Annotated[Name, Meta(description="What they like to be called. Nothing else need be given.")]
    age_band: AgeBand | None = None
    contact: ContactInput | None = None


class ContactChange(Input, frozen=True, kw_only=True):
    """What changes of a contact: null clears, what isn't there stays."""

    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    channel: Channel | UnsetType | None = UNSET
    safe: bool | UnsetType | None = UNSET


class PersonChange(Input, frozen=True, kw_only=True):
    """What changes of a person: null clears, what isn't there stays."""

    name: Name | UnsetType = UNSET
    age_band: AgeBand | UnsetType | None = UNSET
    contact: ContactChange | UnsetType | None = UNSET


class PeoplePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of people by name, without their contacts, and the cursor of the next."""

    people: list[Person]
    next: str | None


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a statement; `minutes` is signed, `balance` what was available after it."""

    entry: UUID
    kind: Kind
    minutes: int
    balance: int
    other: str
    happened_at: datetime
    recorded_at: datetime


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a statement, newest first, and the cursor of the page before it in time."""

    lines: list[StatementLine]
    next: str | None

    @classmethod
    def of(cls, secret: bytes, name: str, lines: Sequence[Line], size: int) -> Self:
        """The page of these lines of the statement of that name; an account's first line has the sequence 1."""
        more = len(lines) == size and lines[-1].sequence > 1
        return cls(
            lines=msgspec.convert(lines, list[StatementLine], from_attributes=True),
            next=cursors.sign(secret, name, lines[-1].sequence) if more else None,
        )


class ActPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of acts, newest first, and the cursor of the page before it in time."""

    acts: list[Act]
    next: str | None


def routes(access: Access, people: People, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of people."""

    @post(
        "/v1/people",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Make a person known",
        description="With a new, empty wallet. `holder` is the id that venues are shown.",
        responses=refused(400, 401, 403, 413, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest, data: JSONBody[PersonInput], idempotency_key: IdempotencyKey
    ) -> Created[Person]:
        contact = None if data.contact is None else Reach(**msgspec.structs.asdict(data.contact))
        newcomer = NewPerson(name=data.name, age_band=data.age_band, contact=contact)
        person, replayed = await people.create(request.user, idempotency_key, newcomer)
        return Created(person, location=f"/v1/people/{person.id}", replayed=replayed)

    @get(
        "/v1/people",
        before_request=access.only(Scope.SCHEME),
        summary="Find people by name",
        description="By how a word of their name begins, in any case; without their contacts. Give `next` as `cursor`"
        " to go on.",
        responses=refused(400, 401, 403),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def find(page_size: NamedDependency[int], name: Prefix = None, cursor: Cursor = None) -> PeoplePage:
        prefix = name or ""
        place = f"people/{prefix}"
        after = cursors.read_named(cursor_secret, place, cursor)
        found = await people.named(prefix, after=after, limit=page_size + 1)
        shown, following = cursors.page_named(cursor_secret, place, found, page_size, lambda one: one.name)
        return PeoplePage(people=list(shown), next=following)

    @get(
        "/v1/people/{person:uuid}",
        before_request=access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME),
        summary="Read a person",
        description=(
            "The scheme and the person see all of it; heed `caution` before you use a contact. A project sees the name"
            " of whoever came to it or gave hours to it."
        ),
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, person: FromPath[Identifier]) -> Person:
        return await people.read(request.user, person)

    @patch(
        "/v1/people/{person:uuid}",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Change a person",
        description="Only what is given changes; null clears it. How old somebody is, and the email by which they sign"
        " in, are for staff to say.",
        responses=refused(400, 401, 403, 404, 413, 422, 503),
        tags=_TAG,
    )
    async def change(request: CallerRequest, person: FromPath[Identifier], data: JSONBody[PersonChange]) -> Person:
        changes = Changes(
            name=data.name,
            age_band=data.age_band,
            contact=_given(data.contact) if isinstance(data.contact, ContactChange) else data.contact,
        )
        return await people.change(request.user, person, changes)

    @get(
        "/v1/people/{person:uuid}/balance",
        before_request=access.only(Scope.PERSON, Scope.PROJECT, Scope.SCHEME),
        summary="Read a balance",
        description=(
            "In minutes. A project's key reads those of people who gave hours to it; a person's key its own, and those"
            " of whom they help where they may. Another's look stands in the person's acts, unless it is staff's."
        ),
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def balance(request: CallerRequest, person: FromPath[Identifier]) -> Balance:
        return await people.balance(request.user, person)

    @get(
        "/v1/people/{person:uuid}/statement",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read a statement",
        description="By `recorded_at`, newest first. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def statement(
        request: CallerRequest,
        person: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> Statement:
        name = f"statement/{person}"
        before = None if cursor is None else cursors.read(cursor_secret, name, cursor)
        lines = await people.statement(request.user, person, before=before, limit=page_size)
        return Statement.of(cursor_secret, name, lines, page_size)

    @get(
        "/v1/people/{person:uuid}/acts",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read who did what for somebody",
        description=(
            "What helpers did for the person and what staff changed about them, newest first; and who read their"
            " contact or a copy, or, of helpers and projects, looked at what they have. What a project's kiosk did (its"
            " `device`) was by a card or pass of theirs. Give `next` as `cursor` to go on."
        ),
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def acts(
        request: CallerRequest,
        person: FromPath[Identifier],
        page_size: NamedDependency[int],
        cursor: Cursor = None,
    ) -> ActPage:
        place = f"acts/{person}"
        before = cursors.read_id(cursor_secret, place, cursor)
        found = await people.acts_about(request.user, person, before=before, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return ActPage(acts=list(shown), next=following)

    return [create, find, read, change, balance, statement, acts]


def _given(change: ContactChange) -> Mapping[str, str | bool | None]:
    """The fields that were there."""
    return {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
