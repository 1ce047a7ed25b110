"""How the scheme's answers look over HTTP: its refusals as problems, its replays with their header.

`HANDLERS` renders `Declined`, and what the database or the queue may raise, by the one table in
`ledger.scheme.refusals`; `KINDS` puts the same table on the documentation's page. `refused(...)` documents the
refusals of a route.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
import structlog
from litestar import Request, Response
from litestar.openapi import ResponseSpec
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from ledger.doors.api.problems import HANDLERS as OF_REQUESTS
from ledger.doors.api.problems import KINDS as OF_REQUESTS_KINDS
from ledger.doors.api.problems import MEDIA_TYPE, Kind, Problem, problem
from ledger.doors.fields import Fault
from ledger.scheme.refusals import OUTAGES, TABLE, Declined, Refusal, to_visitor

_Body = TypeVar("_Body", bound=msgspec.Struct)

REPLAYED: Final = {"idempotency-replayed": "true"}

KINDS: Final[Mapping[str, Kind]] = {
    **{
        refusal.value: Kind(
            row.status,
            row.staff,
            f"For the visitor: \u201c{row.visitor}\u201d "
            + ("Send it again with the same key." if row.retry_after else "Sending it again gives the same."),
        )
        for refusal, row in TABLE.items()
    },
    **OF_REQUESTS_KINDS,  # theirs are the wider words for those that both have
}


class Sent(ASGIResponse):
    """An answer as it goes out. Litestar's own carries cookies, encodings and background tasks: 10 us."""

    __slots__ = ("_start",)

    def __init__(self, body: bytes, headers: list[tuple[bytes, bytes]], status: int) -> None:
        self.body = body
        self._start: HTTPResponseStartEvent = {"type": "http.response.start", "status": status, "headers": headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Send it, as Litestar asks for it."""
        await self.by(send)

    async def by(self, send: Callable[[Any], Awaitable[None]]) -> None:
        """Send it."""
        await send(self._start)
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Created(Response[_Body]):
    """201 with a body, where it stands, and a mark if this is an earlier answer given again."""

    def __init__(self, content: _Body, *, location: str | None = None, replayed: bool = False) -> None:
        self.content = content
        self._location = location
        self._replayed = replayed

    def to_asgi_response(self, *_: object, **__: object) -> ASGIResponse:
        """Return what sends it, as Litestar asks for it."""
        return self.sent()

    def sent(self) -> "Sent":
        """Return what sends it."""
        body = msgspec.json.encode(self.content)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if self._location is not None:
            headers.append((b"location", self._location.encode()))
        if self._replayed:
            headers.append((b"idempotency-replayed", b"true"))
        return Sent(body, headers, HTTPStatus.CREATED)


def _rendered(
    refusal: Refusal, detail: str = "", fields: Sequence[tuple[str, str]] = (), works_at: datetime | None = None
) -> Problem:
    row = TABLE[refusal]
    said = " ".join(f"`{field}` {message}." for field, message in fields[:3])
    return problem(
        row.status,
        row.staff,
        detail or said or f"{row.staff}.",
        code=refusal.value,
        fields=[Fault(field, message) for field, message in fields],
        retry_after=row.retry_after,
        visitor=to_visitor(refusal, detail),
        works_at=None if works_at is None else works_at.astimezone(UTC),
    )


def _on_declined(_: Request[Any, Any, Any], exc: Declined) -> Response[bytes]:
    declined = _rendered(exc.reason, exc.detail, exc.fields, exc.works_at)
    return declined.response(REPLAYED if exc.replayed else None)


def _on_outage(_: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    refusal = next(OUTAGES[kind] for kind in type(exc).__mro__ if kind in OUTAGES)
    structlog.get_logger(__name__).warning("outage", refusal=refusal.value, error=repr(exc))
    return _rendered(refusal).response()


HANDLERS: Final[dict[type[Exception] | int, Callable[[Any, Any], Response[bytes]]]] = {
    **OF_REQUESTS,
    Declined: _on_declined,
    **dict.fromkeys(OUTAGES, _on_outage),
}


def refused(*statuses: int) -> dict[int, ResponseSpec]:
    """Document the refusals of a route; its content is described once, for all (see `openapi`)."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in statuses
    }
