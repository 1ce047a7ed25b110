"""Routes of people: make somebody known, and read what they have."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ledger.doors.api import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, Identifier, Input, Name, page_size
from ledger.journal.entries import Kind
from ledger.scheme.keys import Scope
from ledger.scheme.people import Balance, People, Person

_TAG: Final = ["people"]


class PersonInput(Input, frozen=True, kw_only=True):
    """A new person."""

    name: Annotated[Name, Meta(description="What they like to be called. Nothing else is asked.")]


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


def routes(access: Access, people: People, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of people."""

    @post(
        "/v1/people",
        before_request=access.only(Scope.SCHEME),
        summary="Make a person known",
        description="With a new, empty wallet. `holder` is the id that venues are shown.",
        responses=refused(400, 401, 403, 422, 503),
        tags=_TAG,
    )
    async def create(data: JSONBody[PersonInput]) -> Created[Person]:
        person = await people.create(data.name)
        return Created(person, location=f"/v1/people/{person.id}")

    @get(
        "/v1/people/{person:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Read a person",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(person: FromPath[Identifier]) -> Person:
        return await people.get(person)

    @get(
        "/v1/people/{person:uuid}/balance",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Read a balance",
        description="In minutes. A project's key reads those of people on its own registers.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def balance(request: CallerRequest, person: FromPath[Identifier]) -> Balance:
        return await people.balance(request.user, person)

    @get(
        "/v1/people/{person:uuid}/statement",
        before_request=access.only(Scope.SCHEME),
        summary="Read a statement",
        description="Newest first. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def statement(
        person: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> Statement:
        name = f"statement/{person}"
        before = None if cursor is None else cursors.read(cursor_secret, name, cursor)
        lines = await people.statement(person, before=before, limit=page_size)
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

    return [create, read, balance, statement]
