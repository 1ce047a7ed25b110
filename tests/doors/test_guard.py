"""The guard in front of a real Litestar: every row of the table of bad input that concerns raw HTTP.

To time the guard, await `guard(bare)` and `bare` some ten thousand times each, where `bare` is an ASGI function that
answers at once.
"""

import re
from typing import Any, NamedTuple

import pytest

from ledger.doors.api.guard import KIB
from tests.doors.toy import GOOD, JSON, WRITTEN, drive, line, typed


class Row(NamedTuple):
    """One row of the table: what is sent, what it gets, and the field that is named, if one is."""

    says: str
    status: int
    code: str
    request: dict[str, Any]
    field: str | None = None


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
