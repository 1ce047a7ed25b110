"""The phone pass and the card: what somebody shows at a till, and how they stop it when it is lost.

    no pass yet -> one button makes it -> its code of now as a picture and in letters -> redrawn while it is looked at

The page shows the code that holds at this moment, and with a script redraws it from itself three times as often as it
changes, so that what stands there is never old enough to be refused. Without a script it is loaded anew when the code
ends. The secret never leaves the service (``ledger.scheme.credentials``), so a phone without connection has no pass:
the page says so, and a till takes the card or finds the name.
"""

from math import ceil
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.doors.web.qr import qr_svg
from ledger.scheme.clock import Clock
from ledger.scheme.codes import link
from ledger.scheme.credentials import Credentials

_TIMES_A_STEP: Final = 3


def routes(access: Access, credentials: Credentials, clock: Clock, url: str) -> list[HTTPRouteHandler]:
    """Return the routes of the pass and the card; ``url`` is where a till opens this service."""

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        carried = await credentials.carried(request.user.caller, person)
        drawn, wait = None, 0
        if carried.shown is not None:
            drawn = qr_svg(link(url, carried.shown.code), gettext(request)(_("The pass, for a scanner")))
            # Not before it ends, or the same code would be there again.
            wait = max(1, ceil((carried.shown.ends_at - clock()).total_seconds()))
        return page(
            request,
            "pass/pass.html",
            status=form.status,
            form=form,
            person=person,
            carried=carried,
            drawn=drawn,
            wait=wait,
            every=carried.seconds // _TIMES_A_STEP,
        )

    @get("/people/{person:uuid}/pass", before_request=access.only(Who.PERSON))
    async def read(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @post("/people/{person:uuid}/pass", before_request=access.only(Who.PERSON), status_code=303)
    async def make(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await credentials.make_pass(request.user.caller, form.key, person)
            return go(f"/people/{person}/pass")
        return await shown(request, person, form)

    @post("/people/{person:uuid}/pass/{credential:uuid}/block", before_request=access.only(Who.PERSON), status_code=303)
    async def block(request: PageRequest, person: FromPath[UUID], credential: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await credentials.block(request.user.caller, form.key, credential)
            return go(f"/people/{person}/pass", "stopped")
        return await shown(request, person, form)

    return [read, make, block]
