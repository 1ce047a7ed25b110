"""Finding somewhere to spend, for everybody: by place, day and need; and one offer with all that is to know of it.

Nothing of what is looked for is written down.
"""

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import page
from ledger.doors.web.searching import SHOWN, Near, Words, found_page
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.finding import Finding, Found, Wanted
from ledger.scheme.terms import Reach


class Search(Struct, frozen=True):
    """What somebody looks for."""

    near: Near | None = None
    words: Words | None = None
    reach: Reach | None = None
    today: bool = False
    low_talk: bool = False
    quiet: bool = False
    step_free: bool = False
    companion_free: bool = False


def routes(access: Access, finding: Finding, clock: Clock, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of finding offers."""

    @get("/spend", before_request=access.only(Who.ANYBODY))
    async def spend(request: PageRequest) -> Response[Any]:
        form, found, more = Form.asked(request), list[Found](), None
        search = form.take(Search)
        if search is not None:
            wanted = Wanted(
                near=search.near,
                words=search.words,
                reach=search.reach,
                open_on=day_of(clock()) if search.today else None,
                low_talk=search.low_talk,
                quiet=search.quiet,
                step_free=search.step_free,
                companion_free=search.companion_free,
            )
            with form.heeding():
                place = "/spend?" + repr(search)
                after = cursors.read_named(secret, place, form.value("after") or None)
                all_ = await finding.search(wanted, after=after, limit=SHOWN + 1)
                shown, more = cursors.page_named(secret, place, all_, SHOWN, lambda one: one.place)
                found = list(shown)
        return found_page(request, "spend/search.html", Search, form, found, more)

    @get("/spend/{offer:uuid}", before_request=access.only(Who.ANYBODY))
    async def offer(request: PageRequest, offer: FromPath[UUID]) -> Response[Any]:
        form = Form.asked(request)
        return page(
            request,
            "spend/offer.html",
            offer=await finding.show(offer, near=form.value("near") or None),
            query=form.query(Search),
            public=True,
        )

    return [spend, offer]
