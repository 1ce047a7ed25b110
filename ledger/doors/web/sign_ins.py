"""Where somebody is signed in, and with what: to be looked over, and ended everywhere at once, by themselves only."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web.access import Access, PageRequest, Who, is_strong
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.passkey import own
from ledger.scheme.passkeys import LIVE_MAX, Passkeys
from ledger.scheme.sign_ins import SignIns


def routes(access: Access, sign_ins: SignIns, passkeys: Passkeys) -> list[HTTPRouteHandler]:
    """Return the routes of somebody's own sign-ins."""

    @get("/people/{person:uuid}/sign-ins", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        found = await passkeys.list_of(present.holder)
        return page(
            request,
            "person/sign_ins.html",
            person=person,
            here=present.sign_in,
            sign_ins=sorted(await sign_ins.of(present.holder), key=lambda each: each.id != present.sign_in),
            passkeys=found,
            # The first one is made by an invitation, for whoever has something to look after.
            may_add=is_strong(present) or bool(found),
            most=LIVE_MAX,
            form=Form.blank(),
        )

    @post("/people/{person:uuid}/sign-ins/end", before_request=access.only(Who.PERSON), status_code=303)
    async def end(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        await sign_ins.end_all(present.holder)
        return signed_out(access, "signed_out_everywhere")

    return [listed, end]


def signed_out(access: Access, done: str) -> Response[Any]:
    """Return the way out: nothing of the person stays in a browser that others use, not even what Back would show."""
    answer = go("/", done)
    answer.set_cookie(access.signed_out())
    answer.headers["clear-site-data"] = '"cache"'
    return answer
