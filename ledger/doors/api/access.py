"""Who may use a route: every route under /v1 names its scopes with `only`, and a test walks all of them.

    no key, or none that works -> 401      a key of another scope -> 403      another's object -> 404, by the verb

A key is sent as `Authorization: Bearer tc_...`. The rights are read anew for every request (see
`ledger.scheme.directory`): what was revoked stops working at once. All that is wrong with a key gives the same
answer.

`only(...)` goes to `before_request=`, for Litestar copies the whole route handler at every request that has `guards`
(12 us). The handler then reads `request.user`, a `Caller`. On the hot path, where the key is looked up together with
the offer and the holder, `only(..., recalled=True)` turns strangers away by what was last known, before their body is
looked at, and the handler itself asks `admitted`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Request
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException

from ledger.scheme.callers import Caller, Scope
from ledger.scheme.directory import Directory

CallerRequest = Request[Caller, str, Any]
"""A request that was admitted: `user` is who asks, `auth` the token they sent."""

TAKING_PART: Final = (Scope.PERSON, Scope.PROJECT, Scope.VENUE, Scope.SCHEME)
"""Every scope but the auditor's, who reads the books and the audit trail and nothing else."""

Admit = Callable[[Request[Any, Any, Any]], Awaitable[None]]
"""Lets a request pass, or raises."""


def admitted(caller: Caller | None, scopes: frozenset[Scope]) -> Caller:
    """Return the caller, or refuse: 401 for nobody, 403 for a scope that has no business here."""
    if caller is None:
        raise NotAuthorizedException(detail="Send a valid API key as `Authorization: Bearer ...`.")
    if caller.scope not in scopes:
        names = " or ".join(sorted(scopes))
        raise PermissionDeniedException(detail=f"This takes a key of scope {names}; yours is {caller.scope}.")
    return caller


class Access:
    """Admits requests by what the directory knows."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def only(self, *scopes: Scope, recalled: bool = False) -> Admit:
        """Return what admits these scopes to a route; `recalled` only where the handler asks `admitted`."""
        wanted = frozenset(scopes)
        directory = self._directory

        async def admit(request: Request[Any, Any, Any]) -> None:
            token = _token(request)
            caller = directory.recall(token) if recalled else None
            if caller is None and token:
                caller = (await directory.find(token)).caller
            request.scope["auth"] = token
            request.scope["user"] = admitted(caller, wanted)

        return admit


def bearer(authorization: bytes) -> str:
    """Return the token in the header's value, or nothing."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _token(request: Request[Any, Any, Any]) -> str:
    """Return the token, or nothing. The guard in front has seen that the header stands once at most."""
    return next((bearer(value) for name, value in request.scope["headers"] if name == b"authorization"), "")
