"""Pages for what can't be done: not found, not yours, sign in first, and our own failures; in words, with a way on.

`unread` is the page for what was refused before anybody read it: an address that is none, or a form of a whole book.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import quote

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import Scope
from structlog.contextvars import get_contextvars

from ledger.doors.application import in_allow
from ledger.doors.cursors import WrongCursor
from ledger.doors.web.access import AtDevice, EnrolmentNeeded, PasskeyNeeded, SignInNeeded, Who
from ledger.doors.web.forms import in_words
from ledger.doors.web.pages import HTML, go, is_at_work, page
from ledger.doors.web.pages import _ as marked
from ledger.scheme.refusals import OUTAGES, TABLE, Declined, Refusal

_Request = Request[Any, Any, Any]

_TITLES: Final[Mapping[int, str]] = {
    400: marked("That could not be read"),
    403: marked("This page is for others"),
    404: marked("There is nothing here"),
    405: marked("There is nothing here"),
    409: marked("That can't be done as it stands"),
    410: marked("This is over"),
    413: marked("That is too much at once"),
    415: marked("That could not be read"),
    422: marked("Something needs another look"),
    431: marked("That could not be read"),
    429: marked("Please wait a moment"),
    500: marked("Sorry, something went wrong"),
    503: marked("We are busy just now"),
}
_SAYS: Final[Mapping[int, str]] = {
    404: marked("The address may be mistyped, or the page is for somebody else."),
    405: marked("The address may be mistyped, or the page is for somebody else."),
    413: marked("Nothing was sent. Go back: what you typed is still there. Make it shorter, and send it again."),
    500: marked("The fault is ours, and we have a record of it. Nothing of yours is lost; please try once more."),
    503: marked("Nothing is lost. Please try again in a moment."),
}


def _shown(request: _Request, status: int, says: str = "", headers: Mapping[str, str] | None = None) -> Response[bytes]:
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    return page(
        request,
        "refused.html",
        status=status,
        headers=headers,
        title=title,
        says=_SAYS.get(status) or says,
        request_id=get_contextvars().get("request_id", "") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    )


def unread(scope: MutableMapping[str, Any], status: int) -> tuple[Iterable[tuple[str, str]], bytes]:
    """Return the headers and the page for a request that was refused as it came in.

    Of it nothing is read but the language: whose it is nobody knows, and where it was going may be no address.
    """
    bare = {"path": "/", "raw_path": b"/", "query_string": b"", "method": "POST", "user": None}
    request: _Request = Request(cast("Scope", {**scope, **bare}))
    drawn = _shown(request, status, marked("Nothing was done. The address or what your browser sent is damaged."))
    return {**drawn.headers, "content-type": f"{HTML}; charset=utf-8"}.items(), drawn.content


def _on_sign_in_needed(request: _Request, exc: SignInNeeded | PasskeyNeeded) -> Response[Any]:
    """To where they sign in, once more or at all, and back; a form that was sent is kept on a page: it may be long."""
    path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
    address = f"{path}?{query}" if query else path
    is_weak = isinstance(exc, PasskeyNeeded)
    way = "/sign-in/passkey" if is_weak else "/sign-in"
    if exc.form is None:
        return go_with_next(way, address)
    kept = [(name, value) for name in exc.form.names() for value in exc.form.values(name)]
    status = HTTPStatus.FORBIDDEN if is_weak else HTTPStatus.UNAUTHORIZED
    again = isinstance(exc, PasskeyNeeded) and exc.again
    return page(
        request,
        "sign_in/again.html",
        status=status,
        key=exc.form.key,
        action=address,
        kept=kept,
        way=way,
        again=again,
    )


def _on_enrolment_needed(request: _Request, exc: EnrolmentNeeded) -> Response[bytes]:
    """That the tablet has to be set up again. A form that was sent isn't kept: in it is the code of who stood there."""
    return page(
        request,
        "till/ended.html",
        status=HTTPStatus.UNAUTHORIZED,
        is_till=exc.kind is Who.TILL,
        was_sent=request.method == "POST",
    )


def _on_device(request: _Request, _exc: AtDevice) -> Response[bytes]:
    """That nobody signs in or out at a till or a kiosk, and where to do so instead."""
    return page(request, "sign_in/device.html", status=HTTPStatus.FORBIDDEN)


def go_with_next(path: str, next_: str) -> Response[None]:
    """Return a redirect that says where to go on afterwards."""
    return Response(None, status_code=303, headers={"location": f"{path}?next={quote(next_)}"})


def plain_path(wanted: str) -> str:
    """Where to go on: a path of this site; the start page for anything else."""
    is_path = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if is_path and wanted.isascii() and wanted.isprintable() and "\\" not in wanted else "/"


def _on_declined(request: _Request, exc: Declined) -> Response[bytes]:
    return _shown(request, TABLE[exc.reason].status, in_words(exc, at_work=is_at_work(request)))


def _on_outage(request: _Request, exc: Exception) -> Response[bytes]:
    refusal: Refusal = next(OUTAGES[kind] for kind in type(exc).__mro__ if kind in OUTAGES)
    structlog.get_logger(__name__).warning("outage", refusal=refusal.value, error=repr(exc))
    row = TABLE[refusal]
    return _shown(request, row.status, f"{row.staff}.", {"retry-after": str(row.retry_after or 1)})


def _on_http(request: _Request, exc: HTTPException) -> Response[Any]:
    status = exc.status_code
    if status == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET":
        return go(_page_above(request))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE:
        return _on_failure(request, exc)
    headers = {name.lower(): value for name, value in (exc.headers or {}).items()}
    if "allow" in headers:
        headers["allow"] = in_allow(headers["allow"].split(", "))
    return _shown(request, status, exc.detail, headers)


def _page_above(request: _Request) -> str:
    """Where an address leads that only takes forms: the nearest page above it, which sees who may.

    Whoever loads the answer to a form anew, or a telephone that has let go of it, asks for such an address.
    """
    parts = [part for part in request.scope["path"].split("/") if part]
    while parts:
        parts.pop()
        above = "/" + "/".join(parts)
        try:
            request.app.asgi_router.handle_routing(path=above, method="GET")
        except HTTPException:
            continue
        return quote(above)
    return "/"


def _on_wrong_cursor(request: _Request, _: WrongCursor) -> Response[bytes]:
    return _shown(request, HTTPStatus.BAD_REQUEST, marked("This page of the list is not there any more."))


def _on_failure(request: _Request, exc: Exception) -> Response[bytes]:
    structlog.get_logger(__name__).error(
        "request_failed", method=request.method, route=request.scope.get("path_template", ""), exc_info=exc
    )
    return _shown(request, HTTPStatus.INTERNAL_SERVER_ERROR)


HANDLERS: Final[dict[type[Exception] | int, Callable[[_Request, Any], Any]]] = {
    SignInNeeded: _on_sign_in_needed,
    PasskeyNeeded: _on_sign_in_needed,
    EnrolmentNeeded: _on_enrolment_needed,
    AtDevice: _on_device,
    Declined: _on_declined,
    WrongCursor: _on_wrong_cursor,
    HTTPException: _on_http,
    Exception: _on_failure,
    **dict.fromkeys(OUTAGES, _on_outage),
}
