"""The guard in front of a real Litestar: what passes, what every answer carries, and what nobody thought of."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from ledger.doors.api.guard import DEPTH_MAX, HEADERS_MAX, KIB, check_json, guard
from ledger.doors.api.problems import HANDLERS, Refused
from tests.doors.toy import GOOD, JSON, ROUTES, drive, line, typed


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
            "content-security-policy": (
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
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
