"""Refusals in plain words, and failures of ours without a word too many."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    PermissionDeniedException,
    ServiceUnavailableException,
)
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta
from structlog.testing import capture_logs

from ledger.doors.api.guard import guard
from ledger.doors.api.inputs import Input, StrictRequest
from ledger.doors.api.problems import HANDLERS, KINDS, MEDIA_TYPE, Refused, problem
from ledger.doors.fields import PATTERNS_IN_WORDS, Fault, Minutes, Moment, Name, Text, in_plain_words


class Line(Input, frozen=True, kw_only=True):
    name: Name = "Ann"
    minutes: Minutes = 60
    note: Text | None = None
    quarter_hours: Annotated[int, Meta(multiple_of=15)] = 15
    kind: Literal["given", "spent"] = "given"
    happened_at: Moment | None = None
    volunteer: UUID | None = None


class Register(Input, frozen=True, kw_only=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=3)]


@pytest.mark.parametrize(
    ("body", "status", "field", "message"),
    [
        (b"{}", 400, "lines", "is required"),
        (b'{"lines":[]}', 422, "lines", "must have at least 1 item"),
        (b'{"lines":[{},{},{},{}]}', 422, "lines", "must have at most 3 items"),
        (b'{"lines":{}}', 400, "lines", "must be a list, not an object"),
        (b'{"lines":[1]}', 400, "lines[0]", "must be an object, not a whole number"),
        (b'{"lines":[{},{"x":1}]}', 400, "lines[1].x", "is not a field of this request"),
        (b'{"lines":[{"minutes":"1"}]}', 400, "lines[0].minutes", "must be a whole number, not text"),
        (b'{"lines":[{"minutes":1.0}]}', 400, "lines[0].minutes", "must be a whole number, not a number"),
        (b'{"lines":[{"minutes":null}]}', 400, "lines[0].minutes", "must be a whole number, not null"),
        (b'{"lines":[{"minutes":0}]}', 422, "lines[0].minutes", "must be at least 1"),
        (b'{"lines":[{"minutes":6001}]}', 422, "lines[0].minutes", "must be at most 6000"),
        (b'{"lines":[{"minutes":1e400}]}', 400, "lines[0].minutes", "is a number too large to be read"),
        (b'{"lines":[{"quarter_hours":16}]}', 422, "lines[0].quarter_hours", "must be a multiple of 15"),
        (b'{"lines":[{"name":""}]}', 422, "lines[0].name", "must have at least 1 character"),
        (b'{"lines":[{"note":1}]}', 400, "lines[0].note", "must be text or null, not a whole number"),
        (b'{"lines":[{"kind":"x"}]}', 422, "lines[0].kind", "is not one of the values that are allowed"),
        (
            b'{"lines":[{"name":" Ann"}]}',
            422,
            "lines[0].name",
            "must be on one line, without a space at either end and without control characters",
        ),
        (
            b'{"lines":[{"happened_at":"2026-03-14T10:30:00"}]}',
            422,
            "lines[0].happened_at",
            "must say its time zone, such as 2026-03-14T10:30:00+00:00",
        ),
        (
            b'{"lines":[{"happened_at":"yesterday"}]}',
            400,
            "lines[0].happened_at",
            "must be a date with its time and zone, such as 2026-03-14T10:30:00+00:00",
        ),
        (
            b'{"lines":[{"happened_at":"1999-12-31T23:59:59Z"}]}',
            422,
            "lines[0].happened_at",
            "must lie in the years 2000 to 2100",
        ),
        (
            b'{"lines":[{"volunteer":"1"}]}',
            400,
            "lines[0].volunteer",
            "must be a UUID, such as 0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e",
        ),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_a_fault_is_named_by_its_path_and_in_plain_words(body: bytes, status: int, field: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(body, type=Register)
    assert in_plain_words(str(wrong.value)) == (status, Fault(field, message))


def test_every_pattern_of_ours_has_its_words() -> None:
    for pattern, words in PATTERNS_IN_WORDS.items():
        with pytest.raises(msgspec.ValidationError) as wrong:
            msgspec.json.decode(b'""', type=Annotated[str, Meta(pattern=pattern)])
        assert in_plain_words(str(wrong.value))[1].message == words


def test_a_message_we_do_not_know_says_nothing_wrong() -> None:
    assert in_plain_words("Something new - at `$.a`") == (
        400,
        Fault("a", "can't be read as what this field takes"),
    )


def test_a_clients_own_text_is_not_echoed_without_end() -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(b'{"%b":1}' % (b"x" * 10_000), type=Line)
    assert len(in_plain_words(str(wrong.value))[1].field) == 100


def test_a_problem_leaves_out_what_it_does_not_have() -> None:
    plain = msgspec.to_builtins(problem(418, "Teapot", "Short and stout.", request_id="r"))
    assert plain == {
        "type": "about:blank",
        "title": "Teapot",
        "status": 418,
        "detail": "Short and stout.",
        "request_id": "r",
    }


@get("/fail")
async def fail() -> None:
    raise RuntimeError("secret")


@get("/raise/{status:int}")
async def raise_status(status: FromPath[int]) -> None:
    for exception in (NotAuthorizedException, PermissionDeniedException, ServiceUnavailableException):
        if exception.status_code == status:
            raise exception
    raise HTTPException(status_code=status, detail="secret" if status >= 500 else "A detail.")


@get("/refuse")
async def refuse() -> None:
    raise Refused("too_many_requests", "Ten tries an hour.", retry_after=60)


@get("/number")
async def number(number: FromQuery[int]) -> int:
    return number


class Open(msgspec.Struct):
    n: int


@post("/open")
async def take_open(data: JSONBody[Open]) -> int:
    return data.n


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    application = Litestar(
        [fail, raise_status, refuse, number, take_open],
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    transport = httpx.ASGITransport(guard(application, hosts=["localhost"]))
    # No lifespan: anyio forbids leaving Litestar's in another task than the one in which a fixture began it.
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as it:
        yield it


async def test_a_failure_is_logged_once_and_told_without_its_reason(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answer = await client.get("/fail")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    [log] = logs
    assert (log["event"], log["log_level"], log["route"]) == ("request_failed", "error", "/fail")
    assert log["request_id"] == answer.json()["request_id"] == answer.headers["x-request-id"]
    assert isinstance(log["exc_info"], RuntimeError)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (503, "unavailable"), (404, "not_found")]
)
async def test_a_raised_status_is_a_problem_and_is_not_logged(
    client: httpx.AsyncClient, status: int, code: str
) -> None:
    with capture_logs() as logs:
        answer = await client.get(f"/raise/{status}")
    assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (
        status,
        code,
        MEDIA_TYPE,
    )
    assert logs == []


async def test_401_says_how_to_authenticate(client: httpx.AsyncClient) -> None:
    assert (await client.get("/raise/401")).headers["www-authenticate"] == "Bearer"


async def test_a_status_without_a_code_of_its_own_keeps_its_phrase(client: httpx.AsyncClient) -> None:
    told = (await client.get("/raise/410")).json()
    assert (told["type"], told["title"], told["detail"]) == ("about:blank", "Gone", "A detail.")


async def test_a_raised_500_hides_its_detail(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answer = await client.get("/raise/500")
    assert (answer.status_code, answer.json()["code"], len(logs)) == (500, "internal", 1)
    assert "secret" not in answer.text


async def test_a_wait_is_told_in_the_header_and_the_body(client: httpx.AsyncClient) -> None:
    answer = await client.get("/refuse")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["retry_after"]) == (
        429,
        "60",
        60,
    )


@pytest.mark.parametrize(("query", "words"), [("", "is required"), ("?number=x", "must be a whole number, not text")])
async def test_a_parameter_is_named(client: httpx.AsyncClient, query: str, words: str) -> None:
    answer = await client.get(f"/number{query}")
    assert answer.status_code == 400
    assert answer.json()["fields"] == [{"field": "number", "message": words}]


async def test_a_body_that_is_no_input_fails_loudly(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        assert (await client.post("/open", json={"n": 1})).status_code == 500
    assert "derive it from ledger.doors.api.inputs.Input" in str(logs[0]["exc_info"])


def test_every_kind_is_a_refusal_or_failure_in_whole_sentences() -> None:
    for code, kind in KINDS.items():
        assert 400 <= kind.status < 600, code
        assert kind.title[0].isupper(), code
        assert not kind.title.endswith("."), code
        assert kind.meaning.endswith("."), code
