r"""One ASGI guard before the whole application: raw HTTP is judged here, once, before anything parses it.

    scope -> request id -> headers, host, address -> body (read once, bounded) -> JSON's text -> application
                     \____ the first fault is the answer, as the door draws it that was asked ____/

Promises of whatever reaches the application: at most 100 headers and none of those that decide twice; a
Host that is served here; an address without control characters, no query parameter twice and no key in it;
a body of a permitted size, type and encoding; and, if it is JSON, valid UTF-8, no key twice, at most 32
deep, no NaN, no control characters in its text. X-Forwarded-Host and method-override headers are never
read. A HEAD is passed on as the GET it stands for.

Of whatever leaves: `x-request-id` (a UUID4's hex, also structlog's context variable `request_id`) and the
security headers, `no-store` and a policy that permits nothing among them, except where the answer brings
its own.

Bounds: 64 KiB a body unless an `Allowance` says otherwise, by Content-Length and again while it arrives;
memory is one body and its parsed form. Measured on Python 3.11, by itself: 8 us for a POST of 170 bytes of JSON, a
quarter of it the scan; 5 ms for a register of 5,000 lines (570 KB), 18 ms if its text has escapes. The
scanner is the standard library's, written in C: msgspec doesn't tell of repeated keys.

A client that goes away while it sends is dropped without a word. What the application raises passes through.
"""

import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from json import JSONDecodeError
from os import urandom
from time import perf_counter
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from structlog.contextvars import bind_contextvars

from ledger.doors.api.problems import Problem, Refused
from ledger.doors.fields import Fault

KIB: Final = 1024

HEADERS_MAX: Final = 100  # browsers behind three proxies send about forty
PARAMETERS_MAX: Final = 50  # no route has a tenth of it
DEPTH_MAX: Final = 32  # our deepest request has 3; Python's own limit is near 1,000

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]  # Litestar's own types of the three are narrower

Observe = Callable[[str, str, int, float], None]
"""Called after each request with its method, route template (empty if none matched), status and seconds."""


Answer = tuple[Iterable[tuple[str, str]], bytes]
Draw = Callable[[Scope, Problem], Answer | None]
"""The headers and the body that tell somebody a refusal; None where a problem's own JSON does."""


class Allowance(NamedTuple):
    """What bodies are taken below one path prefix."""

    bytes_max: int = 64 * KIB
    types: tuple[str, ...] = ("application/json",)


class _Gone(Exception):  # noqa: N818 - not an error: the client left
    """The client left before its body was complete."""


# --- the address and the headers ------------------------------------------------------------------

_SINGLE: Final = (
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"host",
    b"idempotency-key",
)
_KEY_NAMES: Final = frozenset({"key", "api_key", "apikey", "token", "access_token"})
_KEY_PREFIX: Final = "tc_"
_PORT: Final = re.compile(rb":\d{1,5}$")
# Of text, line breaks and tabs are permitted (a Name forbids them by its own pattern).
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROL_RAW: Final = re.compile(r"[\x7f-\x9f]")  # those that JSON allows unescaped


def _check_query(query: bytes) -> None:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError:  # not ASCII, not UTF-8 below its percent signs, or too many
        raise Refused("wrong_parameters", "The query of the address can't be read.") from None
    seen = set()
    for name, value in pairs:
        if name.lower() in _KEY_NAMES or name.startswith(_KEY_PREFIX) or value.startswith(_KEY_PREFIX):
            raise Refused("key_in_address", "Send the key in the header Authorization, and replace this one.")
        if name in seen:
            shown = name[:100]
            raise Refused("repeated_parameter", f"`{shown}` is given twice.", fields=[Fault(shown, "is given twice")])
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise Refused("wrong_parameters", "The query of the address holds a control character.")
        seen.add(name)


def _type_of(content_type: bytes) -> str:
    """Return the media type, or nothing if a parameter other than charset=utf-8 follows it."""
    media_type, _, parameters = content_type.decode("latin-1").lower().partition(";")
    return media_type.strip() if parameters.replace('"', "").strip() in {"", "charset=utf-8"} else ""


# --- the text of JSON -----------------------------------------------------------------------------


class _RepeatedError(ValueError):
    """An object has one key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = set()
        raise _RepeatedError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _not_a_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_not_a_number)


def _children(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects stand in each other more than so often; level by level, without recursion."""
    level = [value]
    for _ in range(levels):
        level = [child for outer in level for child in _children(outer) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield each text, keys included, and the path to it. Recurses at most DEPTH_MAX deep."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield path, key
            yield from _texts(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _texts(child, f"{path}[{place}]")


def _parse(body: bytes) -> tuple[str, object]:
    """Return the text of a body and the value it stands for."""
    try:
        text = body.decode()
        return text, _DECODER.decode(text)
    except UnicodeDecodeError as wrong:
        raise Refused("malformed_json", f"Byte {wrong.start + 1} of the body is not UTF-8.") from None
    except JSONDecodeError as wrong:
        where = f"line {wrong.lineno}, column {wrong.colno}"
        if wrong.msg.startswith("Invalid control character"):
            raise Refused("control_characters", f"There is a control character in text at {where}.") from None
        raise Refused("malformed_json", f"The body stops being JSON at {where}.") from None
    except _RepeatedError as repeated:
        fault = Fault(str(repeated)[:100], "is given twice")
        raise Refused("malformed_json", f"`{fault.field}` is given twice.", fields=[fault]) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # NaN, Infinity, or an integer of more than 4,300 digits
        raise Refused("malformed_json", "The body holds a number that is none in JSON.") from None


def check_json(body: bytes) -> None:
    """Refuse what isn't one plain JSON value in UTF-8, or whose text holds control characters."""
    text, value = _parse(body)
    # So few brackets can't be too deep: the walk is for registers and for mischief.
    if text.count("[") + text.count("{") > DEPTH_MAX and _is_deeper(value, DEPTH_MAX):
        raise _too_deep()
    # Escapes can hide control characters; without any, only DEL and those above ASCII may stand in JSON.
    if "\\" in text or "\x7f" in text or (not text.isascii() and _CONTROL_RAW.search(text)):
        for path, content in _texts(value, ""):
            if _CONTROL.search(content):
                fault = Fault(path[:100] or "body", "must not hold control characters")
                detail = f"`{fault.field}` holds a control character."
                raise Refused("control_characters", detail, fields=[fault])


def _too_deep() -> Refused:
    return Refused("malformed_json", f"The body is nested more than {DEPTH_MAX} deep.")


# --- the guard ------------------------------------------------------------------------------------

_ORDINARY: Final = Allowance()
_DIGITS_MAX: Final = 12  # of a Content-Length; Python refuses to read thousands of them
_OPERATIONS: Final = ("/health/", "/metrics")
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SECURITY: Final = (
    (b"cache-control", b"no-store"),
    # The first covers neither of the next two.
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_CLIENT_LEFT: Final = 499  # nginx's number for it, for the metrics: nobody is there to be answered


# A year, as browsers' own lists want it.
_ONLY_BY_TLS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def _with_ours(
    headers: Iterable[tuple[bytes, bytes]], request_id: str, ours: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Add the request id, and those security headers that the answer doesn't bring itself."""
    brought = dict(headers)
    missing = [header for header in ours if header[0] not in brought]
    return [*headers, (b"x-request-id", request_id.encode()), *missing]


class _Guard:
    """The guard around one application; made by `guard`."""

    __slots__ = ("_allowances", "_app", "_draw", "_headers", "_hosts", "_observe")

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        allowances: Mapping[str, Allowance],
        observe: Observe | None,
        draw: Draw | None,
        *,
        only_by_tls: bool,
    ) -> None:
        self._app = app
        self._draw = draw
        self._headers = (*_SECURITY, _ONLY_BY_TLS) if only_by_tls else _SECURITY
        self._hosts = frozenset(host.lower().encode("ascii") for host in hosts)
        # The longest prefix speaks, whatever the order they were given in.
        self._allowances = tuple(sorted(allowances.items(), key=lambda item: -len(item[0])))
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request; answer it or hand it on."""
        if scope["type"] != "http":
            await self._pass_by(scope, receive, send)
            return
        started = perf_counter()
        request_id = urandom(16).hex()  # a UUID's 122 bits would take 1.4 us longer
        bind_contextvars(request_id=request_id)
        method = scope["method"]
        head = method == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        status = 500  # what the server sends if the application raises before it answers

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()), request_id, self._headers)
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            replay = await self._judged(scope, receive)
        except Refused as refused:
            await self._refuse(scope, refused.problem(), answer)
        except _Gone:
            status = _CLIENT_LEFT
        else:
            await self._app(scope, replay, answer)
        finally:
            if self._observe is not None:
                self._observe(method, scope.get("path_template", ""), status, perf_counter() - started)

    async def _pass_by(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the lifespan; refuse WebSockets, which no door speaks and nothing here would judge."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, problem: Problem, send: Send) -> None:
        drawn = self._draw and self._draw(scope, problem)
        brought, body = drawn or (problem.headers().items(), msgspec.json.encode(problem))
        headers = [(name.encode(), value.encode("latin-1")) for name, value in brought]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _judged(self, scope: Scope, receive: Receive) -> Receive:
        """Return the `receive` for the application, or raise the first fault."""
        headers = self._checked_headers(scope)
        if scope["method"] in _BODILESS:  # a body means nothing there (RFC 9110, 9.3.1): no handler reads it
            return receive
        return await self._checked_body(scope, headers, receive)

    def _checked_headers(self, scope: Scope) -> dict[bytes, bytes]:
        """Judge everything before the body, and return the headers by name (lower case, says ASGI)."""
        if len(scope["headers"]) > HEADERS_MAX:
            raise Refused("too_many_headers", f"A request may carry at most {HEADERS_MAX} headers.")
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _SINGLE:
                if names.count(name) > 1:
                    raise Refused("repeated_header", f"The header {name.decode().title()} is given twice.")
        path = scope["path"]
        host = headers.get(b"host", b"").lower()
        if (
            host not in self._hosts
            and _PORT.sub(b"", host) not in self._hosts
            # Probes and scrapers ask by address, and what they are told holds no link.
            and not path.startswith(_OPERATIONS)
        ):
            raise Refused("unknown_host", "The Host header names a site that isn't served here.")
        if not path.isprintable():
            raise Refused("wrong_parameters", "The path of the address holds a control character.")
        if query := scope["query_string"]:
            _check_query(query)
        return headers

    async def _checked_body(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Receive:
        """Read the body, judge it, and return a `receive` that gives it once more."""
        path = scope["path"]
        allowance = next((taken for prefix, taken in self._allowances if path.startswith(prefix)), _ORDINARY)
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > _DIGITS_MAX or int(declared) > allowance.bytes_max:
            raise _too_large(allowance)
        if b"content-encoding" in headers:
            raise Refused("unsupported_body", "Send the body as it is, without Content-Encoding.")
        body = await _read(receive, allowance)
        if body:
            media_type = _type_of(headers.get(b"content-type", b""))
            if media_type not in allowance.types:
                raise Refused("unsupported_body", f"Send the body as {' or '.join(allowance.types)}, in UTF-8.")
            if media_type == "application/json":
                check_json(body)
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replay


def _too_large(allowance: Allowance) -> Refused:
    return Refused("body_too_large", f"A body may have at most {allowance.bytes_max:,} bytes here.")


async def _read(receive: Receive, allowance: Allowance) -> bytes:
    """Return the whole body, or stop at the message that passes the bound."""
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > allowance.bytes_max:
            raise _too_large(allowance)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)


def guard(
    app: ASGIApp,
    *,
    hosts: Collection[str],
    allowances: Mapping[str, Allowance] | None = None,
    observe: Observe | None = None,
    draw: Draw | None = None,
    only_by_tls: bool = False,
) -> ASGIApp:
    """Put the guard in front of an application.

    Args:
        app: what to protect, lifespan included.
        hosts: the names that are served, without a port (any port passes) or with one (then only it).
        allowances: by path prefix, where more than 64 KiB or another type is taken; the longest prefix wins.
        observe: told of every request, the guard's own refusals included; must be quick and not raise.
        draw: what tells a refusal of the guard's own where somebody reads pages.
        only_by_tls: whether browsers are told to come back by https alone.
    """
    return _Guard(app, hosts, allowances or {}, observe, draw, only_by_tls=only_by_tls)
