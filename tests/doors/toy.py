"""A toy service behind the real guard, and requests to it.

They are driven as raw ASGI, for an HTTP client would mend what is to be refused.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Meta
from structlog.contextvars import get_contextvars

from ledger.doors.api.guard import KIB, Allowance, ASGIApp, guard
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, StrictRequest, page_size
from ledger.doors.api.problems import HANDLERS
from ledger.doors.application import Application
from ledger.doors.fields import Minutes, Moment, Name, Text

WRITTEN: list[object] = []
"""What the toy routes did: a refused request must add nothing."""


class Line(Input, frozen=True, kw_only=True):
    name: Name
    minutes: Minutes
    note: Text = ""
    happened_at: Moment | None = None


class Register(Input, frozen=True, kw_only=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=5_000)]


@post("/v1/lines")
async def post_line(data: JSONBody[Line], idempotency_key: IdempotencyKey) -> Line:
    WRITTEN.append((data, idempotency_key))
    return data


@post("/v1/registers")
async def post_register(data: JSONBody[Register]) -> int:
    WRITTEN.append(data)
    return len(data.lines)


@post("/v1/void")
async def post_nothing() -> str:
    WRITTEN.append("void")
    return "voided"


@get("/v1/lines", dependencies={"page_size": Provide(page_size, sync_to_thread=False)})
async def list_lines(page_size: NamedDependency[int], cursor: Cursor = None) -> dict[str, Any]:
    return {"page_size": page_size, "cursor": cursor, "request_id": get_contextvars()["request_id"]}


@get("/v1/lines/{line:uuid}")
async def get_line(line: FromPath[UUID]) -> str:
    return str(line)


@get("/v1/broken")
async def break_down() -> None:
    raise RuntimeError("secret: the database's password")


ROUTES = [post_line, post_register, post_nothing, list_lines, get_line, break_down]


def toy() -> ASGIApp:
    """The real guard around a real Litestar with toy routes."""
    application = Application(
        ROUTES,
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    allowances = {"/v1/registers": Allowance(5 * KIB * KIB, ("application/json", "text/csv"))}
    return guard(application, hosts=("localhost", "ledger.example:8443"), allowances=allowances)


APP = toy()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - it is JSON
        return json.loads(self.body)


Headers = Sequence[tuple[str, str]]
GOOD = b'{"name":"Ann","minutes":60}'
JSON: Headers = (("content-type", "application/json"), ("idempotency-key", "k1"))


def typed(content_type: str) -> Headers:
    return (("content-type", content_type), ("idempotency-key", "k1"))


async def drive(  # noqa: PLR0917 - one argument a part of an HTTP request
    method: str = "POST",
    path: str = "/v1/lines",
    body: bytes | Iterable[bytes] = b"",
    headers: Headers = JSON,
    query: bytes = b"",
    host: str | None = "localhost",
    app: ASGIApp | None = None,
) -> Answer:
    """Send one request as a server would hand it over, in one piece or in chunks without Content-Length."""
    whole = isinstance(body, bytes)
    chunks = [body] if isinstance(body, bytes) else list(body)
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    if host is not None:
        sent.append((b"host", host.encode()))
    if whole and chunks[0] and not any(name == b"content-length" for name, _ in sent):
        sent.append((b"content-length", str(len(chunks[0])).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": sent,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    arriving = iter(chunks)
    left = len(chunks)
    answer: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        if left < 0:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": next(arriving), "more_body": left > 0}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.update(message)
        else:
            answer["body"] += message.get("body", b"")

    await (app or APP)(scope, receive, send)
    names = [name.decode().lower() for name, _ in answer["headers"]]
    assert len(set(names)) == len(names), f"a header twice in {names}"
    values = [value.decode() for _, value in answer["headers"]]
    return Answer(answer["status"], dict(zip(names, values, strict=True)), answer["body"])


def line(minutes: bytes = b"60", name: bytes = b'"Ann"', rest: bytes = b"") -> dict[str, Any]:
    return {"body": b'{"name":%b,"minutes":%b%b}' % (name, minutes, rest)}
