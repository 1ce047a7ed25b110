"""Enrolling a till or kiosk: its code is typed in at it, once, and from then on the browser is that device.

The code is read out at the venue's or project's own page, or by staff. Whoever was signed in here before is signed out:
a browser is one device or one person. A device that types in another's code becomes that one; without a code nobody
makes it anything else (`access`).
"""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.devices import Devices, Kind
from ledger.scheme.sign_ins import SignIns


class Typed(Struct, frozen=True):
    """A code as it was typed; it has 14 characters, and spaces and hyphens are read over."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]


def routes(access: Access, devices: Devices, sign_ins: SignIns) -> list[HTTPRouteHandler]:
    """Return the routes of enrolling."""

    @get("/enrol", before_request=access.only(Who.ANYBODY))
    async def ask(request: PageRequest) -> Response[Any]:
        return page(request, "till/enrol.html", form=Form.blank())

    @post("/enrol", before_request=access.only(Who.ANYBODY), status_code=303)
    async def enrol(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Typed)
        if typed is not None:
            with form.heeding():
                device, token = await devices.enrol_here(typed.code)
                if request.user.present is not None:
                    await sign_ins.end(request.user.present.sign_in)
                answer = go("/till" if device.kind is Kind.TILL else "/kiosk", "enrolled")
                answer.set_cookie(access.signed_in(token))
                return answer
        return page(request, "till/enrol.html", status=form.status, form=form)

    return [ask, enrol]
