"""The guard in front of a real Litestar: every row of the table of bad input that concerns raw HTTP.

Requests are driven as raw ASGI, for an HTTP client would mend what is to be refused. To time the guard, await
`guard(bare)` and `bare` some ten thousand times each, where `bare` is an ASGI function that answers at once.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Meta
from structlog.contextvars import get_contextvars

from ledger.doors.api.answers import methods
from ledger.doors.api.guard import DEPTH_MAX, HEADERS_MAX, KIB, Allowance, ASGIApp, check_json, guard
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, StrictRequest, page_size
from ledger.doors.api.problems import HANDLERS, Refused
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
    application = Litestar(
        ROUTES,
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        before_request=methods,
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


class Row(NamedTuple):
    """One row of the table: what is sent, what it gets, and the field that is named, if one is."""

    says: str
    status: int
    code: str
    request: dict[str, Any]
    field: str | None = None


def line(minutes: bytes = b"60", name: bytes = b'"Ann"', rest: bytes = b"") -> dict[str, Any]:
    return {"body": b'{"name":%b,"minutes":%b%b}' % (name, minutes, rest)}


def listing(query: bytes) -> dict[str, Any]:
    return {"method": "GET", "query": query, "headers": ()}


KEY = "tc_demo_0123_secret_x"

ROWS = (
    Row("invalid UTF-8 in JSON", 400, "malformed_json", line(name=b'"\xff"')),
    Row("UTF-16 sent as JSON", 400, "malformed_json", {"body": GOOD.decode().encode("utf-16")}),
    Row("a byte order mark", 400, "malformed_json", {"body": b"\xef\xbb\xbf" + GOOD}),
    Row("100,000 nested arrays in a field", 413, "body_too_large", line(rest=b',"note":' + b"[" * 100_000)),
    Row(
        "100,000 nested arrays where 5 MiB are taken",
        400,
        "malformed_json",
        {"path": "/v1/registers", "body": b"[" * 100_000 + b"]" * 100_000},
    ),
    Row("30,000 nested arrays", 400, "malformed_json", {"body": b"[" * 30_000 + b"]" * 30_000}),
    Row("arrays nested one too deep", 400, "malformed_json", {"body": b"[" * 33 + b"]" * 33}),
    Row("objects nested one too deep", 400, "malformed_json", {"body": b'{"a":' * 33 + b"1" + b"}" * 33}),
    Row("a key twice", 400, "malformed_json", line(rest=b',"minutes":6'), "minutes"),
    Row("a key twice, once escaped", 400, "malformed_json", line(rest=rb',"minute\u0073":6'), "minutes"),
    Row("trailing garbage", 400, "malformed_json", {"body": GOOD + b"x"}),
    Row("two values", 400, "malformed_json", {"body": GOOD + GOOD}),
    Row("JSON that stops", 400, "malformed_json", {"body": GOOD[:-1]}),
    Row("no body where one is needed", 400, "wrong_fields", {"body": b""}),
    Row("a comment in JSON", 400, "malformed_json", {"body": b"/* */" + GOOD}),
    Row("NaN", 400, "malformed_json", line(b"NaN")),
    Row("Infinity", 400, "malformed_json", line(b"-Infinity")),
    Row("a leading zero", 400, "malformed_json", line(b"01")),
    Row("an integer of 5,000 digits", 400, "malformed_json", line(b"9" * 5_000)),
    Row("half a surrogate pair", 400, "malformed_json", line(name=rb'"\ud800"')),
    Row("an array for an object", 400, "wrong_fields", {"body": b"[]"}, "body"),
    Row("null for an object", 400, "wrong_fields", {"body": b"null"}, "body"),
    Row("text/plain with JSON", 415, "unsupported_body", {"body": GOOD, "headers": typed("text/plain")}),
    Row("no type with JSON", 415, "unsupported_body", {"body": GOOD, "headers": JSON[1:]}),
    Row(
        "charset=utf-16 with JSON",
        415,
        "unsupported_body",
        {"body": GOOD, "headers": typed("application/json; charset=utf-16")},
    ),
    Row(
        "a type that only begins like JSON's",
        415,
        "unsupported_body",
        {"body": GOOD, "headers": typed("application/jsonx")},
    ),
    Row(
        "a form",
        415,
        "unsupported_body",
        {"body": b"a=1", "headers": typed("application/x-www-form-urlencoded")},
    ),
    Row("CSV where none is taken", 415, "unsupported_body", {"body": b"a,b", "headers": typed("text/csv")}),
    Row(
        "Content-Encoding on plain text",
        415,
        "unsupported_body",
        {"body": GOOD, "headers": (*JSON, ("content-encoding", "gzip"))},
    ),
    Row("an unknown field", 400, "wrong_fields", line(rest=b',"role":"admin"'), "role"),
    Row("a missing field", 400, "wrong_fields", {"body": b'{"name":"Ann"}'}, "minutes"),
    Row("1.0 for an integer", 400, "wrong_fields", line(b"1.0"), "minutes"),
    Row("1e2 for an integer", 400, "wrong_fields", line(b"1e2"), "minutes"),
    Row("text for an integer", 400, "wrong_fields", line(b'"1"'), "minutes"),
    Row("true for an integer", 400, "wrong_fields", line(b"true"), "minutes"),
    Row("a number for text", 400, "wrong_fields", line(name=b"1"), "name"),
    Row("a body above 64 KiB", 413, "body_too_large", {"body": b" " * (64 * KIB) + GOOD}),
    Row("a body above 64 KiB in chunks", 413, "body_too_large", {"body": [b" " * KIB] * 65}),
    Row(
        "a Content-Length above 64 KiB, whatever follows",
        413,
        "body_too_large",
        {"body": GOOD, "headers": (*JSON, ("content-length", "65537"))},
    ),
    Row(
        "a Content-Length of 5,000 digits",
        413,
        "body_too_large",
        {"body": GOOD, "headers": (*JSON, ("content-length", "9" * 5_000))},
    ),
    Row(
        "a register above 5 MiB",
        413,
        "body_too_large",
        {"path": "/v1/registers", "body": [b" " * KIB * KIB] * 6},
    ),
    Row("300 headers", 431, "too_many_headers", {"headers": [(f"x-{n}", "1") for n in range(300)]}),
    Row("an unknown Host", 400, "unknown_host", {"host": "evil.example", "body": GOOD}),
    Row("a Host that only ends like ours", 400, "unknown_host", {"host": "x.localhost", "body": GOOD}),
    Row(
        "another port where the port is fixed",
        400,
        "unknown_host",
        {"host": "ledger.example:1", "body": GOOD},
    ),
    Row("no Host", 400, "unknown_host", {"host": None, "body": GOOD}),
    Row(
        "X-Forwarded-Host of ours with an unknown Host",
        400,
        "unknown_host",
        {"host": "evil.example", "body": GOOD, "headers": (*JSON, ("x-forwarded-host", "localhost"))},
    ),
    Row("a wrong method", 405, "method_not_allowed", {"method": "DELETE", "headers": ()}),
    Row(
        "a method-override header",
        405,
        "method_not_allowed",
        {"method": "PUT", "body": GOOD, "headers": (*JSON, ("x-http-method-override", "POST"))},
    ),
    Row("minutes 0", 422, "wrong_values", line(b"0"), "minutes"),
    Row("minutes -60", 422, "wrong_values", line(b"-60"), "minutes"),
    Row("minutes 10^23", 422, "wrong_values", line(b"1" + b"0" * 23), "minutes"),
    Row("minutes above the bound", 422, "wrong_values", line(b"6001"), "minutes"),
    Row("limit=1e2", 400, "wrong_parameters", listing(b"limit=1e2"), "limit"),
    Row("limit=1.0", 400, "wrong_parameters", listing(b"limit=1.0"), "limit"),
    Row("limit=-1", 400, "wrong_parameters", listing(b"limit=-1"), "limit"),
    Row("limit=+1", 400, "wrong_parameters", listing(b"limit=%2B1"), "limit"),
    Row("limit with a space", 400, "wrong_parameters", listing(b"limit=+1"), "limit"),
    Row("limit with a line break", 400, "wrong_parameters", listing(b"limit=1%0A"), "limit"),
    Row("limit=0", 400, "wrong_parameters", listing(b"limit=0"), "limit"),
    Row("limit=201", 400, "wrong_parameters", listing(b"limit=201"), "limit"),
    Row("limit=10^20", 400, "wrong_parameters", listing(b"limit=100000000000000000000"), "limit"),
    Row("a cursor with other characters", 400, "wrong_parameters", listing(b"cursor=a%20b"), "cursor"),
    Row("a query parameter twice", 400, "repeated_parameter", listing(b"limit=1&limit=2"), "limit"),
    Row(
        "a query parameter twice, once escaped",
        400,
        "repeated_parameter",
        listing(b"limit=1&%6Cimit=2"),
        "limit",
    ),
    Row("NUL in a query", 400, "wrong_parameters", listing(b"cursor=%00")),
    Row("a query that is not UTF-8", 400, "wrong_parameters", listing(b"cursor=%ff")),
    Row(
        "a thousand query parameters",
        400,
        "wrong_parameters",
        listing(b"&".join(b"p%d=1" % n for n in range(1000))),
    ),
    Row("NUL in a path", 400, "wrong_parameters", {"method": "GET", "path": "/v1/lines/\x00", "headers": ()}),
    Row("NUL in text", 422, "control_characters", line(name=b'"a\x00b"')),
    Row("NUL in text, escaped", 422, "control_characters", line(name=rb'"a\u0000b"'), "name"),
    Row("an escape character in text, escaped", 422, "control_characters", line(name=rb'"a\u001Bb"'), "name"),
    Row("a backspace in text, escaped", 422, "control_characters", line(name=rb'"a\bb"'), "name"),
    Row("DEL in text", 422, "control_characters", line(name=b'"a\x7fb"'), "name"),
    Row("a C1 control character in text", 422, "control_characters", line(name='"a\x85b"'.encode()), "name"),
    Row(
        "NUL deep in a register",
        422,
        "control_characters",
        {
            "path": "/v1/registers",
            "body": rb'{"lines":[{"name":"a","minutes":1},{"name":"\u0000","minutes":1}]}',
        },
        "lines[1].name",
    ),
    Row("a raw line break in text", 422, "control_characters", line(name=b'"a\nb"')),
    Row("a line break in a name", 422, "wrong_values", line(name=rb'"a\nb"'), "name"),
    Row("a line break behind a name", 422, "wrong_values", line(name=rb'"ab\n"'), "name"),
    Row("an empty name", 422, "wrong_values", line(name=b'""'), "name"),
    Row("a name of spaces", 422, "wrong_values", line(name=b'"  "'), "name"),
    Row("a name of 201 characters", 422, "wrong_values", line(name=b'"%b"' % (b"a" * 201)), "name"),
    Row("a note of 2,001 characters", 422, "wrong_values", line(rest=b',"note":"%b"' % (b"a" * 2001)), "note"),
    Row("a note of 5 MB", 413, "body_too_large", line(rest=b',"note":"%b"' % (b"a" * 5_000_000))),
    Row(
        "a time without a zone",
        422,
        "wrong_values",
        line(rest=b',"happened_at":"2026-03-14T10:30:00"'),
        "happened_at",
    ),
    Row("30 February", 400, "wrong_fields", line(rest=b',"happened_at":"2026-02-30T10:30:00Z"'), "happened_at"),
    Row(
        "an offset of +99:00",
        400,
        "wrong_fields",
        line(rest=b',"happened_at":"2026-03-14T10:30:00+99:00"'),
        "happened_at",
    ),
    Row(
        "the year 1, whose UTC lies before all years",
        422,
        "wrong_values",
        line(rest=b',"happened_at":"0001-01-01T00:00:00+14:00"'),
        "happened_at",
    ),
    Row(
        "moving credits without a key",
        400,
        "idempotency_key",
        {"body": GOOD, "headers": JSON[:1]},
        "Idempotency-Key",
    ),
    Row(
        "a key of 256 characters",
        400,
        "idempotency_key",
        {"body": GOOD, "headers": (JSON[0], ("idempotency-key", "k" * 256))},
        "Idempotency-Key",
    ),
    Row(
        "a key with control characters",
        400,
        "idempotency_key",
        {"body": GOOD, "headers": (JSON[0], ("idempotency-key", "k\x01"))},
        "Idempotency-Key",
    ),
    Row(
        "an empty key",
        400,
        "idempotency_key",
        {"body": GOOD, "headers": (JSON[0], ("idempotency-key", ""))},
        "Idempotency-Key",
    ),
    *(
        Row(
            f"the header {name} twice",
            400,
            "repeated_header",
            {"body": GOOD, "headers": (*JSON, (name, a), (name, b))},
        )
        for name, a, b in (
            ("authorization", "Bearer a", "Bearer b"),
            ("idempotency-key", "k2", "k3"),
            ("content-type", "application/json", "text/plain"),
            ("host", "localhost", "localhost"),
            ("content-length", "1", "2"),
        )
    ),
    Row("an API key in the query", 400, "key_in_address", listing(f"cursor={KEY}".encode())),
    Row("an API key as the query", 400, "key_in_address", listing(KEY.encode())),
    *(
        Row(f"a query parameter named {name}", 400, "key_in_address", listing(f"{name}=x".encode()))
        for name in ("key", "api_key", "token", "access_token", "Token")
    ),
    Row(
        "an address that isn't there",
        404,
        "not_found",
        {"method": "GET", "path": "/v1/nowhere", "headers": ()},
    ),
    Row("an id that is none", 404, "not_found", {"method": "GET", "path": "/v1/lines/1", "headers": ()}),
    Row("a failure of ours", 500, "internal", {"method": "GET", "path": "/v1/broken", "headers": ()}),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.says} gets {row.status}")
async def test_bad_input(row: Row) -> None:
    WRITTEN.clear()
    answer = await drive(**row.request)
    problem = answer.json()
    assert (answer.status, problem["code"]) == (row.status, row.code), problem
    if row.field is not None:
        assert [fault["field"] for fault in problem["fields"]] == [row.field]
    assert WRITTEN == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.says)
async def test_every_refusal_has_one_shape(row: Row) -> None:
    answer = await drive(**row.request)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert set(problem) - {"fields", "retry_after"} == {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "request_id",
    }
    assert problem["status"] == answer.status
    assert problem["type"] == f"/docs/problems#{problem['code']}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert all(set(fault) == {"field", "message"} for fault in problem.get("fields", ()))
    assert not re.search(rb"Traceback|secret|password|msgspec|litestar|Expected `|\$\.", answer.body)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/lines", GOOD, 201),
        ("GET", "/v1/lines", b"", 200),
        ("GET", "/v1/nowhere", b"", 404),
        ("GET", "/v1/broken", b"", 500),
        ("POST", "/v1/lines", b"{", 400),
    ],
)
async def test_every_answer_carries_the_security_headers(method: str, path: str, body: bytes, status: int) -> None:
    answer = await drive(method, path, body)
    assert answer.status == status
    assert (
        answer.headers.items()
        >= {
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer",
        }.items()
    )
    assert len(bytes.fromhex(answer.headers["x-request-id"])) == 16


async def test_the_request_id_is_new_each_time_and_known_to_handlers_and_logs() -> None:
    first, second = await drive("GET"), await drive("GET")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.json()["request_id"] == first.headers["x-request-id"]


@pytest.mark.parametrize(
    "request_parts",
    [
        pytest.param({"body": GOOD, "headers": typed("application/json; charset=utf-8")}, id="charset utf-8"),
        pytest.param(
            {"body": GOOD, "headers": typed('Application/JSON;charset="UTF-8"')},
            id="the same, otherwise written",
        ),
        pytest.param({"body": [GOOD[:3], b"", GOOD[3:]]}, id="a body in chunks"),
        pytest.param({"body": b"\n " + GOOD + b" \r\n"}, id="whitespace around JSON"),
        pytest.param({"body": GOOD + b" " * (64 * KIB - len(GOOD))}, id="a body of just 64 KiB"),
        pytest.param({"body": GOOD, "host": "LOCALHOST:8000"}, id="the host in capitals and with a port"),
        pytest.param({"body": GOOD, "host": "ledger.example:8443"}, id="a host with the port that is listed"),
        pytest.param({"body": GOOD, "headers": (*JSON, ("x-forwarded-host", "evil.example"))}, id="X-Forwarded-Host"),
        pytest.param({"body": GOOD, "headers": (*JSON, ("x-http-method-override", "GET"))}, id="a method override"),
        pytest.param({"body": GOOD, "headers": (*JSON, ("x-a", "1"), ("x-a", "2"))}, id="a harmless header twice"),
        pytest.param(
            {"body": GOOD, "headers": [*JSON, *((f"x-{n}", "1") for n in range(HEADERS_MAX - 4))]},
            id="100 headers",
        ),
        pytest.param(line(name='"Siân Ŵyn-Ó Súilleabháin 🌻"'.encode()), id="a Welsh name"),
        pytest.param(line(name=rb'"Si\u00e2n \ud83c\udf3b"'), id="the same, escaped"),
        pytest.param(line(name=rb'"a\\u0000b"'), id="text that only looks like an escape"),
        pytest.param(line(rest=rb',"note":"two\nlines\tand a tab"'), id="line breaks and tabs in a note"),
        pytest.param(line(name=b'"<script>alert(1)</script> {{7*7}} \'; DROP TABLE x"'), id="markup and SQL as a name"),
        pytest.param(
            line(rest=b',"happened_at":"2026-10-25T01:30:00+01:00"'),
            id="an hour that comes twice, by its offset",
        ),
    ],
)
async def test_good_input_passes(request_parts: dict[str, Any]) -> None:
    answer = await drive(**request_parts)
    assert answer.status == 201, answer.body


async def test_text_is_stored_as_it_was_sent() -> None:
    name = "<script>{{7*7}}'; DROP TABLE x"
    assert (await drive(body=json.dumps({"name": name, "minutes": 1}).encode())).json()["name"] == name


async def test_a_post_without_a_body_needs_no_type() -> None:
    assert (await drive(path="/v1/void", headers=())).status == 201
    assert (await drive(path="/v1/void", headers=(("content-length", "0"),))).status == 201


async def test_a_register_of_5_000_lines_passes_where_5_mib_are_taken() -> None:
    body = json.dumps({"lines": [{"name": "Siân", "minutes": 60, "note": "x" * 100}] * 5_000}).encode()
    answer = await drive(path="/v1/registers", body=body)
    assert (answer.status, answer.json()) == (201, 5_000)


async def test_head_on_a_get_answers_as_get_without_the_body() -> None:
    head, got = await drive("HEAD"), await drive("GET")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    missing = await drive("HEAD", "/v1/nowhere")
    assert (missing.status, missing.body) == (404, b"")


async def test_a_wrong_method_is_told_which_are_right() -> None:
    assert (await drive("DELETE")).headers["allow"].split(", ") == ["GET", "HEAD", "OPTIONS", "POST"]
    assert (await drive("GET", "/v1/void")).headers["allow"].split(", ") == ["OPTIONS", "POST"]


async def test_options_names_every_method_of_the_address_whichever_handler_came_first() -> None:
    for path in ("/v1/lines", "/v1/void", "/v1/lines/0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e"):
        asked = await drive("OPTIONS", path, headers=())
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["allow"] == (await drive("DELETE", path)).headers["allow"]


async def test_probes_may_ask_by_address() -> None:
    assert (await drive("GET", "/health/live", host="10.0.0.7:8000")).status == 404  # the toy has none; no 400


async def test_an_answer_may_bring_its_own_policy() -> None:
    async def page(_scope: object, _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        headers = [(b"content-security-policy", b"default-src 'self'"), (b"cache-control", b"public")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    answer = await drive("GET", app=guard(page, hosts=["localhost"]))
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["cache-control"] == "public"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_client_that_leaves_while_sending_reaches_no_route_and_is_observed_once() -> None:
    observed: list[tuple[str, str, int]] = []
    sent: list[object] = []

    async def never(*_: object) -> None:
        raise AssertionError("a torn body reached the application")

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    app = guard(never, hosts=["localhost"], observe=lambda *seen: observed.append(seen[:3]))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await app(scope, receive, send)
    assert (sent, observed) == ([], [("POST", "", 499)])


async def test_a_websocket_is_closed_and_the_lifespan_passes() -> None:
    seen: list[Any] = []

    async def app(scope: dict[str, Any], _receive: object, _send: object) -> None:
        seen.append(scope["type"])

    async def send(message: dict[str, Any]) -> None:
        seen.append(message["type"])

    guarded = guard(app, hosts=[])
    await guarded({"type": "websocket"}, None, send)
    await guarded({"type": "lifespan"}, None, send)
    assert seen == ["websocket.close", "lifespan"]


async def test_whoever_observes_is_told_method_template_and_status() -> None:
    observed: list[tuple[str, str, int]] = []
    application = Litestar(ROUTES, exception_handlers=HANDLERS, logging_config=None, openapi_config=None)
    app = guard(application, hosts=["localhost"], observe=lambda *seen: observed.append(seen[:3]))
    await drive("GET", "/v1/lines/0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e", app=app)
    await drive("HEAD", "/v1/lines", app=app)
    await drive(body=b"{", app=app)
    await drive("GET", "/v1/nowhere", app=app)
    assert observed == [
        ("GET", "/v1/lines/{line}", 200),
        ("HEAD", "/v1/lines", 200),
        ("POST", "", 400),
        ("GET", "", 404),
    ]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cc", "Cs"))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cc", "Cs"))), inner),
    max_leaves=60,
)


@given(PLAIN, st.booleans())
def test_any_plain_json_passes_however_it_is_escaped(value: object, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    check_json(json.dumps(value, ensure_ascii=ascii_only).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_passed_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        check_json(body)
    except Refused:
        return
    json.loads(body)


@given(st.integers(1, 3 * DEPTH_MAX))
def test_depth_is_judged_exactly(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    if depth <= DEPTH_MAX:
        check_json(body)
    else:
        with pytest.raises(Refused):
            check_json(body)
