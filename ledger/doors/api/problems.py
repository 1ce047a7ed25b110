"""Every refusal and failure as one shape: RFC 9457 `application/problem+json`.

    {"type": "/docs/problems#wrong_fields", "title": ..., "status": 400, "detail": ...,
     "code": "wrong_fields", "request_id": ...,
     "fields": [{"field": "lines[3].minutes", "message": "must be at least 1"}]}

What the scheme refuses has two sentences, `detail` for the staff and `visitor` for whoever stands before them, and
`works_at` where it is known from when the same would work.

Promises: the request id is in every one of them; no stack, statement or secret ever is; `type` leads to a
paragraph on the documentation's page; a failure of ours (500) is logged exactly once, here, with the same
request id. So give Litestar `logging_config=None`: its own would log a second time.

Of the request, 400 says "this can't be read as what the route takes" (syntax, a missing or unknown field, a
wrong type) and 422 "this was read, and the value isn't allowed" (a range, a length, a time without its
zone). What stands outside the body - path, query, headers - is always 400.

`HANDLERS` is for `Litestar(exception_handlers=...)`. `guard` raises the same `Refused` and renders it itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Meta
from structlog.contextvars import get_contextvars

from ledger.doors.application import in_allow
from ledger.doors.cursors import WrongCursor
from ledger.doors.fields import Fault, in_plain_words

MEDIA_TYPE: Final = "application/problem+json"
PAGE: Final = "/docs/problems"


class Kind(NamedTuple):
    """What one `code` means: its status, its title, and a paragraph for the documentation's page."""

    status: int
    title: str
    meaning: str


KINDS: Final[Mapping[str, Kind]] = {
    "malformed_json": Kind(
        400,
        "The body is not valid JSON",
        "The body must be one JSON value in UTF-8, no key twice in an object, nested at most 32 deep, without"
        " NaN or Infinity and with nothing behind it.",
    ),
    "wrong_fields": Kind(
        400,
        "A field is missing, unknown or of the wrong type",
        '`fields` names each. Whole numbers are written as 60, not as 60.0 or "60".',
    ),
    "wrong_values": Kind(
        422,
        "A value is not allowed",
        "The request was understood, but a value lies outside what its field takes; `fields` names both.",
    ),
    "control_characters": Kind(
        422,
        "Text holds a control character",
        "Text may hold line breaks and tabs, but no NUL and no other control character, escaped or not.",
    ),
    "wrong_parameters": Kind(
        400,
        "A parameter of the address or a header is wrong",
        "`fields` names the parameter of the path or query, or the header.",
    ),
    "repeated_parameter": Kind(
        400, "A query parameter is given twice", "Each query parameter may stand in the address once."
    ),
    "repeated_header": Kind(
        400,
        "A header is given twice",
        "Authorization, Content-Type, Content-Length, Content-Encoding, Host and Idempotency-Key stand once.",
    ),
    "key_in_address": Kind(
        400,
        "A key was sent in the address",
        "Addresses end up in logs and histories. Send the key as `Authorization: Bearer ...`, and replace the"
        " one that was sent: others may have seen it.",
    ),
    "idempotency_key": Kind(
        400,
        "An Idempotency-Key is needed",
        "Whatever moves credits takes the header `Idempotency-Key`: 1 to 255 visible ASCII characters that"
        " the client makes, a new one for each thing it wants done. The same key and content again gives the"
        " same answer and never counts twice, so a request whose answer was lost can simply be sent again.",
    ),
    "unknown_host": Kind(
        400, "This host is not served here", "The Host header names a site this service doesn't know."
    ),
    "body_too_large": Kind(413, "The body is too large", "`detail` says how many bytes this route takes."),
    "unsupported_body": Kind(
        415,
        "The body's type is not supported",
        "Send `Content-Type: application/json`, in UTF-8 and without Content-Encoding.",
    ),
    "too_many_headers": Kind(431, "There are too many headers", "A request may carry at most 100 headers."),
    "unauthorized": Kind(401, "Sign in first", "Send a valid API key as `Authorization: Bearer ...`."),
    "forbidden": Kind(403, "This is not yours to do", "The key is valid, but has no right to this."),
    "not_found": Kind(404, "There is nothing here", "The address is wrong, or what it names isn't visible to you."),
    "method_not_allowed": Kind(405, "This method is not possible here", "The header `Allow` lists those that are."),
    "too_many_requests": Kind(429, "Too many requests", "Wait for as long as `Retry-After` says."),
    "internal": Kind(
        500,
        "We failed",
        "The failure is ours and is recorded. With the same Idempotency-Key it is safe to send it again.",
    ),
    "unavailable": Kind(503, "Not available just now", "Wait for as long as `Retry-After` says and send it again."),
}

_CODE_OF_STATUS: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one shape of every answer that isn't a success. Fields left out are absent."""

    type: str
    title: str
    status: int
    detail: str
    code: str | None = None
    request_id: str
    fields: tuple[Fault, ...] = ()
    retry_after: int | None = None  # seconds; also sent as the header Retry-After
    visitor: Annotated[str | None, Meta(description="May be read to the visitor; `detail` is for the staff.")] = None
    works_at: Annotated[datetime | None, Meta(description="From when the same would work, where that is known.")] = None

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        headers = {"content-type": MEDIA_TYPE}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return headers

    def response(self, headers: Mapping[str, str] | None = None) -> Response[bytes]:
        """Return it as a Litestar response, with further headers if given."""
        return Response(
            msgspec.json.encode(self),
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers={**self.headers(), **(headers or {})},
        )


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    type: str | None = None,  # noqa: A002 - RFC 9457's own name
    code: str | None = None,
    fields: Sequence[Fault] = (),
    request_id: str | None = None,
    retry_after: int | None = None,
    visitor: str | None = None,
    works_at: datetime | None = None,
) -> Problem:
    """Make a problem; by default `type` leads to the code's paragraph, and the request id is the current."""
    return Problem(
        type=type or (f"{PAGE}#{code}" if code else "about:blank"),
        title=title,
        status=status,
        detail=detail,
        code=code,
        fields=tuple(fields),
        request_id=request_id or get_contextvars().get("request_id", ""),
        retry_after=retry_after,
        visitor=visitor,
        works_at=works_at,
    )


class Refused(Exception):  # noqa: N818 - it reads "raise Refused(...)": a refusal, not an error of ours
    """A request is refused for one of `KINDS`; the handlers and the guard render it."""

    def __init__(self, code: str, detail: str, *, fields: Sequence[Fault] = (), retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.fields, self.retry_after = code, detail, fields, retry_after

    def problem(self) -> Problem:
        """Return the refusal in the shape that is sent."""
        kind = KINDS[self.code]
        return problem(
            kind.status,
            kind.title,
            self.detail,
            code=self.code,
            fields=self.fields,
            retry_after=self.retry_after,
        )


# --- Litestar's exceptions ------------------------------------------------------------------------

_MISSING: Final = re.compile(r"Missing required (?P<source>\w+) parameter '(?P<name>[^']+)'")


def _sentence(fault: Fault) -> str:
    return f"`{fault.field}` {fault.message}."


def _body_fault(message: str, path: str = "") -> Refused:
    status, fault = in_plain_words(message, path)
    return Refused(
        "wrong_fields" if status == HTTPStatus.BAD_REQUEST else "wrong_values",
        _sentence(fault),
        fields=[fault],
    )


def _parameter_fault(faults: Sequence[Fault]) -> Refused:
    code = "idempotency_key" if any(fault.field == "Idempotency-Key" for fault in faults) else "wrong_parameters"
    return Refused(code, " ".join(_sentence(fault) for fault in faults), fields=faults)


def _refusal_of(exc: ValidationException) -> Refused:
    """Read Litestar's collection of errors: those of the body first, for there our own status applies."""
    if missing := _MISSING.search(exc.detail):
        return _parameter_fault([Fault(missing["name"], "is required")])
    errors: list[dict[str, str]] = exc.extra if isinstance(exc.extra, list) else []
    faults = []
    for error in errors:
        key, source, message = error.get("key", ""), error.get("source", ""), error["message"]
        if source == "body":
            if message == "'data'":  # what Litestar says of a body that isn't there
                return Refused("wrong_fields", "The request needs a JSON body.")
            return _body_fault(message, "" if key == "data" else key)
        # A header's argument is named after it: `idempotency_key`.
        name = key.replace("_", "-").title() if source == "header" else key
        faults.append(Fault(name, in_plain_words(message)[1].message))
    return _parameter_fault(faults) if faults else Refused("wrong_parameters", "The request can't be read.")


_Request = Request[Any, Any, Any]


def _on_refused(_: _Request, exc: Refused) -> Response[bytes]:
    return exc.problem().response()


def _on_wrong_cursor(_: _Request, __: WrongCursor) -> Response[bytes]:
    return _parameter_fault([Fault("cursor", "is not one that this list gave")]).problem().response()


def _on_invalid_body(_: _Request, exc: msgspec.ValidationError) -> Response[bytes]:
    return _body_fault(str(exc)).problem().response()


def _on_unreadable_body(_: _Request, __: msgspec.DecodeError) -> Response[bytes]:
    # Half a surrogate pair, which the guard's parser lets pass; msgspec's own words would mislead.
    return Refused("malformed_json", "The body holds an escape that is no character.").problem().response()


def _on_validation(_: _Request, exc: ValidationException) -> Response[bytes]:
    return _refusal_of(exc).problem().response()


def _on_http(request: _Request, exc: HTTPException) -> Response[bytes]:
    """Render what Litestar or a handler raised with a status; its detail is shown for refusals only."""
    status = exc.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE:
        return _on_failure(request, exc)
    headers = {name.lower(): value for name, value in (exc.headers or {}).items()}
    if "allow" in headers:
        headers["allow"] = in_allow(headers["allow"].split(", "))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("www-authenticate", "Bearer")  # RFC 9110, 15.5.2
    phrase = HTTPStatus(status).phrase
    code = _CODE_OF_STATUS.get(status)
    kind = KINDS[code] if code else Kind(status, phrase, phrase)
    detail = kind.meaning if exc.detail == phrase else exc.detail
    return problem(status, kind.title, detail, code=code).response(headers)


def _on_failure(request: _Request, exc: Exception) -> Response[bytes]:
    kind = KINDS["internal"]
    failed = problem(kind.status, kind.title, kind.meaning, code="internal")
    structlog.get_logger(__name__).error(
        "request_failed",
        request_id=failed.request_id,
        method=request.method,
        route=request.scope.get("path_template", ""),
        exc_info=exc,
    )
    return failed.response()


HANDLERS: Final[dict[type[Exception] | int, Callable[[_Request, Any], Response[bytes]]]] = {
    Refused: _on_refused,
    WrongCursor: _on_wrong_cursor,
    msgspec.ValidationError: _on_invalid_body,
    msgspec.DecodeError: _on_unreadable_body,
    ValidationException: _on_validation,
    HTTPException: _on_http,
    Exception: _on_failure,
}
