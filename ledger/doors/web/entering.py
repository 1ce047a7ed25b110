"""Coming in: however somebody proved who they are, their browser is signed in from then on, where they were going.

Until then a browser is known by a random value in a cookie of its own, which says nothing of anybody: links, codes and
challenges hold in the browser that asked for them. Where somebody was going stands in a second cookie meanwhile; it is
believed in nothing, and is a path of this site or the start page.
"""

import re
import secrets
from typing import Any, Final
from urllib.parse import quote, unquote

from litestar import Response

from ledger.doors.web.access import Access, PageRequest
from ledger.doors.web.pages import go
from ledger.doors.web.refused import plain_path
from ledger.scheme.sign_ins import Entered, SignIns

_BROWSER_BYTES: Final = 16
_BROWSER: Final = re.compile(r"[0-9A-Za-z_-]{22}", re.ASCII)


class Entering:
    """What all ways of signing in have in common."""

    def __init__(self, access: Access, sign_ins: SignIns) -> None:
        self._access = access
        self._sign_ins = sign_ins

    def browser(self, request: PageRequest) -> str:
        """The value by which this browser is known, or empty: nothing was asked for in it, or it is none of ours."""
        value = request.cookies.get(self._access.browser_cookie, "")
        return value if _BROWSER.fullmatch(value) else ""

    def browser_or_new(self, request: PageRequest) -> str:
        """The same, or a new one: to be `remembered` with the answer."""
        return self.browser(request) or secrets.token_urlsafe(_BROWSER_BYTES)

    def network(self, request: PageRequest) -> str:
        """The address that asks; behind a proxy it is whom that names, if the settings trust it."""
        return request.client.host if request.client else ""

    def remembered(self, answer: Response[Any], browser: str) -> None:
        """Let the browser be known by it."""
        answer.set_cookie(self._access.browser(browser))

    def going(self, request: PageRequest, answer: Response[Any], otherwise: str = "") -> None:
        """Remember where they were going, as the address says in `next`; or that other path, if it says nothing."""
        wanted = request.query_params.get("next", otherwise)
        if wanted:
            answer.set_cookie(self._access.next(quote(plain_path(wanted))))

    async def begun(self, request: PageRequest, entered: Entered) -> Response[Any]:
        """Signed in from here on, and on the way; the sign-in before, if any, ends."""
        present = request.user.present
        if present is not None:
            assert present.device is None, "a till or a kiosk stays one: see `access`"
            await self._sign_ins.end(present.sign_in)
        answer = go(plain_path(unquote(request.cookies.get(self._access.next_cookie, "/"))))
        answer.set_cookie(self._access.signed_in(entered.token, shared=entered.shared))
        answer.set_cookie(self._access.next(""))
        return answer
