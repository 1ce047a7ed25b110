"""A slip's or a voucher's code is typed in, or scanned, and its minutes are somebody's: their own, or whom they help.

One field for both kinds, for the code tells which it is. Who types many wrong ones isn't heard for a while, as at the
API's `POST /v1/vouchers/claims`: it is the same verb. `/voucher` is the address that stands on the paper.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import gettext, go, page
from ledger.doors.web.trusted import helped_in
from ledger.scheme.helping import Helpers, May
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.vouchers import Vouchers

_KINDLY: Final = {
    Refusal.CODE_UNKNOWN: marked("We don't know this code. Please look at it again, letter by letter."),
    Refusal.ALREADY_USED: marked(
        "This one was used before, and each works once. If it was not you, please ask whoever gave it to you."
    ),
    Refusal.CARD_EXPIRED: marked(
        "This one could be used until the day that is printed on it. If you would like to, ask the office."
    ),
    Refusal.NEEDS_A_LOOK: marked(
        "The project has a look at these hours first. Keep the slip: its code still works then. You can also ask them."
    ),
    Refusal.OWN_HOURS: marked("Who approved these hours can't take them as well. Please ask the project."),
    Refusal.CONSENT_NEEDED: marked("A parent or guardian has to agree first. Then this will work."),
    Refusal.TRY_AGAIN: marked(
        "There were too many codes that we don't know. Please wait an hour, or ask at any desk. The slip stays good."
    ),
}


class Typed(Struct, frozen=True):
    """A code, as it was typed or scanned."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]


def routes(access: Access, vouchers: Vouchers, helpers: Helpers) -> list[HTTPRouteHandler]:
    """Return the routes of slips and vouchers."""

    @get("/voucher", before_request=access.only(Who.PERSON))
    async def short(request: PageRequest) -> Response[Any]:
        present = request.user.present
        assert present is not None, "the page is for people"
        return go(f"/people/{present.person}/vouchers")

    @get("/people/{person:uuid}/vouchers", before_request=access.only(Who.PERSON))
    async def asked(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @post("/people/{person:uuid}/vouchers", before_request=access.only(Who.PERSON), status_code=303)
    async def claim(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Typed)
        if typed is not None:
            try:
                await vouchers.claim(request.user.caller, form.key, typed.code, person)
            except Declined as declined:
                if declined.reason is Refusal.NOT_FOUND:
                    raise
                form.heed(declined)
                kindly = _KINDLY.get(declined.reason)
                if kindly is not None:
                    form.refuse(gettext(request)(kindly), form.status)
            else:
                return go(f"/people/{person}/vouchers", "voucher_claimed")
        return await shown(request, person, form)

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        name = await helped_in(request, helpers, person, May.CLAIM)
        return page(request, "person/voucher.html", status=form.status, form=form, person=person, name=name)

    return [short, asked, claim]
