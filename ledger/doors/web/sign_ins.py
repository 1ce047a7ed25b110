"""Where somebody is signed in, and with what: to be looked over and ended, by themselves only.

Another browser is signed out alone, or all are at once. A passkey is called by another name here; it is added and
removed by ``passkey``. Names are changed by whoever signed in with more than a link, as all else of passkeys.
"""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web.access import Access, PageRequest, Who, is_strong
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.passkey import Named, own
from ledger.scheme.passkeys import LIVE_MAX, Passkeys
from ledger.scheme.sign_ins import Present, SignIns


def routes(access: Access, sign_ins: SignIns, passkeys: Passkeys) -> list[HTTPRouteHandler]:
    """Return the routes of somebody's own sign-ins."""

    async def shown(
        request: PageRequest, present: Present, renaming: str = "", form: Form | None = None
    ) -> Response[Any]:
        """The page; ``form`` is one in which the passkey of that id was called by a name that is none."""
        assert present.holder is not None
        found = await passkeys.list_of(present.holder)
        names = {each.id: Form.blank(name=each.name) for each in found}
        if form is not None:
            names[renaming] = form
        return page(
            request,
            "person/sign_ins.html",
            status=200 if form is None else form.status,
            person=present.person,
            here=present.sign_in,
            sign_ins=sorted(await sign_ins.of(present.holder), key=lambda each: each.id != present.sign_in),
            passkeys=found,
            # The first one is made by an invitation, for whoever has something to look after.
            may_add=is_strong(present) or bool(found),
            most=LIVE_MAX,
            names=names,
            form=Form.blank(),
        )

    @get("/people/{person:uuid}/sign-ins", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, own(request, person))

    @post("/people/{person:uuid}/sign-ins/end", before_request=access.only(Who.PERSON), status_code=303)
    async def end(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        await sign_ins.end_all(present.holder)
        return signed_out(access, "signed_out_everywhere")

    @post("/people/{person:uuid}/sign-ins/{sign_in:uuid}/end", before_request=access.only(Who.PERSON), status_code=303)
    async def end_one(request: PageRequest, person: FromPath[UUID], sign_in: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        await sign_ins.end_one(present.holder, sign_in)
        if sign_in == present.sign_in:
            return signed_out(access, "signed_out")
        return go(f"/people/{person}/sign-ins", "signed_out_there")

    @post("/people/{person:uuid}/passkeys/{passkey:str}/name", before_request=access.only(Who.SURELY), status_code=303)
    async def rename(request: PageRequest, person: FromPath[UUID], passkey: FromPath[str]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        form = await Form.sent(request)
        typed = form.take(Named)
        if typed is not None:
            with form.heeding():
                await passkeys.rename(present.holder, passkey, typed.name)
                return go(f"/people/{person}/sign-ins", "saved")
        return await shown(request, present, passkey, form)

    return [listed, end, end_one, rename]


def signed_out(access: Access, done: str) -> Response[Any]:
    """Return the way out: nothing of the person stays in a browser that others use, not even what Back would show."""
    answer = go("/", done)
    answer.set_cookie(access.signed_out())
    answer.headers["clear-site-data"] = '"cache"'
    return answer
