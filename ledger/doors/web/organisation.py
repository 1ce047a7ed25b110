"""Signing in by the organisation's own way (`oidc`): a link leads there, and it sends people back with a code.

Both are GET, as the protocol has it. The one changes nothing but a challenge, and begins only by a link of our own or a
typed address: whom another site's link leads there sees the page to sign in at, and goes on if they want to. Otherwise
that link alone would sign in whoever is signed in at the organisation, without their having asked for it. The other
signs in only who comes back in the browser that went, once. What fails is said on a page with a way on.
"""

from typing import Any, Final
from urllib.parse import quote

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ledger.doors.web.access import Access, PageRequest, Who, is_strong
from ledger.doors.web.entering import Entering
from ledger.doors.web.oidc import Oidc
from ledger.doors.web.pages import go, page
from ledger.doors.web.refused import plain_path
from ledger.scheme.refusals import TABLE, Declined
from ledger.scheme.vouching import Vouching

BACK: Final = "/sign-in/organisation/back"
"""Where the organisation sends people back to: what it has to know of us."""
# What a browser says that was led there by a page of ours, or by nobody's; an old one says nothing.
_ASKED_FOR: Final = frozenset({"same-origin", "none"})


def routes(access: Access, entering: Entering, oidc: Oidc, vouching: Vouching) -> list[HTTPRouteHandler]:
    """Return the routes of signing in by the organisation."""

    def failed(request: PageRequest, declined: Declined) -> Response[Any]:
        status = TABLE[declined.reason].status
        return page(request, "sign_in/organisation.html", status=status, says=declined.detail)

    newcomer = access.only(Who.ANYBODY, not_at_devices=True)

    @get("/sign-in/organisation", before_request=newcomer)
    async def begin(request: PageRequest) -> Response[Any]:
        if request.headers.get("sec-fetch-site", "none") not in _ASKED_FOR:
            wanted = request.query_params.get("next")
            return go("/sign-in" if wanted is None else f"/sign-in?next={quote(plain_path(wanted))}")
        browser = entering.browser_or_new(request)
        try:
            address = await oidc.begin(browser, entering.network(request))
        except Declined as declined:
            return failed(request, declined)
        answer: Response[Any] = Response(
            None, status_code=303, headers={"location": address, "cache-control": "no-store"}
        )
        entering.remembered(answer, browser)
        entering.going(request, answer)
        return answer

    @get(BACK, before_request=newcomer)
    async def back(request: PageRequest) -> Response[Any]:
        try:
            vouched = await oidc.finish(dict(request.query_params.items()), entering.browser(request))
            present = request.user.present
            sure = present.holder if present is not None and is_strong(present) else None
            entered = await vouching.sign_in(vouched, sure=sure)
        except Declined as declined:
            return failed(request, declined)
        return await entering.begun(request, entered)

    return [begin, back]
