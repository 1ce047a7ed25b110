"""The lane of the hot route: a request that is in order is answered past Litestar; any other goes to the route itself.

Promised: whatever the lane answers is what the route would have answered (a test asks both). What isn't in order - no
key that was seen before, no ``Idempotency-Key``, a body of another shape - is handed on untouched, for the route to say
what is wrong. Who may is decided where the route decides it: by the handler, after the directory was asked.

Litestar (2.25) finds the route, makes a request, reads parameters by their models and makes a response in 22 us; the
lane takes 6. Of a redemption's 150 that is much; of any other route's it is nothing, so there is one lane.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.types import HTTPScope

from ledger.doors.api.access import bearer
from ledger.doors.api.answers import HANDLERS, Created, Sent
from ledger.doors.api.guard import ASGIApp, Message, Receive, Scope, Send
from ledger.doors.api.inputs import KEY_LENGTH_MAX, Input
from ledger.doors.fields import KEY_PATTERN

Handle = Callable[[str, str, Any], Awaitable[Created[Any]]]
"""What the route does, given the token, the Idempotency-Key and the body."""

_is_key: Final = re.compile(KEY_PATTERN).match


class Lane:
    """The application, with a lane for one POST of it."""

    __slots__ = ("_app", "_decode", "_handle", "_is_known", "_path")

    def __init__(
        self, app: ASGIApp, path: str, body: type[Input], handle: Handle, is_known: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._path = path
        self._decode = msgspec.json.Decoder(body).decode
        self._handle = handle
        self._is_known = is_known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is in order; hand on any other."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        token = bearer(headers.get(b"authorization", b""))
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if not (self._is_known(token) and len(key) <= KEY_LENGTH_MAX and _is_key(key)):
            await self._app(scope, receive, send)
            return
        message = await receive()  # the guard gives the whole body in one
        try:
            body = self._decode(message["body"])
        except (msgspec.DecodeError, UnicodeDecodeError):
            await self._app(scope, _again(message, receive), send)
            return
        scope["path_template"] = self._path
        try:
            answer = (await self._handle(token, key, body)).sent()
        except Exception as error:  # noqa: BLE001  # as Litestar does: each has its handler
            answer = _refused(Request(cast("HTTPScope", scope)), error)
        await answer.by(send)


def _again(message: Message, receive: Receive) -> Receive:
    """What gives a message that was taken already, and then what comes."""
    taken = [message]

    async def again() -> Message:
        return taken.pop() if taken else await receive()

    return again


def _refused(request: Request[Any, Any, Any], error: Exception) -> Sent:
    kind = next(kind for kind in type(error).__mro__ if kind in HANDLERS)
    said = HANDLERS[kind](request, error)
    headers = {**said.headers, "content-length": str(len(said.content))}
    return Sent(
        said.content,
        [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        said.status_code or 500,
    )
