"""Signing in by a letter, and out again. What people type here is never told whether anybody has that address.

    address -> "look in your mail" -> the link's page, or the code typed -> signed in, where they were going

The link's page signs nobody in by being looked at (mail is scanned by machines): its button does. The link of an
invitation leads to making a passkey instead (`passkey`). Both that page and the code's ask whether others use this
computer: the link works in no other browser, and so it is asked where the answer counts.
"""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import EMAIL_PATTERN
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.entering import Entering
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page, sends_mail
from ledger.doors.web.passkey import Invitations
from ledger.doors.web.sign_ins import signed_out
from ledger.scheme.one_time import OneTime, Purpose
from ledger.scheme.sign_ins import SignIns


class Asked(Struct, frozen=True):
    """Who asks for a letter."""

    email: Annotated[str, Meta(min_length=3, max_length=254, pattern=EMAIL_PATTERN)]


class Typed(Struct, frozen=True):
    """A code from a letter, and whether others use this computer."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]
    shared: bool = False


def routes(  # noqa: PLR0917  # each has its own type
    access: Access,
    entering: Entering,
    one_time: OneTime,
    invitations: Invitations,
    sign_ins: SignIns,
    url: str,
    *,
    by_organisation: bool,
) -> list[HTTPRouteHandler]:
    """Return the routes of signing in and out.

    ``url`` is the service's public address; ``by_organisation``: whether there is that way, too.
    """
    newcomer = access.only(Who.ANYBODY, not_at_devices=True)

    @get("/sign-in", before_request=newcomer)
    async def ask(request: PageRequest) -> Response[Any]:
        answer = page(request, "sign_in/ask.html", form=Form.blank(), by_organisation=by_organisation)
        entering.going(request, answer, otherwise="/")
        return answer

    @post("/sign-in", before_request=newcomer, status_code=303)
    async def send(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Asked)
        if typed is None:
            return page(request, "sign_in/ask.html", status=form.status, form=form, by_organisation=by_organisation)
        browser = entering.browser_or_new(request)
        await one_time.ask(typed.email, browser, network=entering.network(request), address_of_link=url)
        answer = go("/sign-in/code")
        entering.remembered(answer, browser)
        return answer

    @get("/sign-in/code", before_request=newcomer)
    async def code(request: PageRequest) -> Response[Any]:
        if not sends_mail(request):
            return go("/sign-in")  # which says so; here they would wait for a letter
        return page(request, "sign_in/code.html", form=Form.blank())

    @post("/sign-in/code", before_request=newcomer, status_code=303)
    async def use_code(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Typed)
        if typed is not None:
            with form.heeding():
                entered = await one_time.use_code(typed.code, entering.browser(request), shared=typed.shared)
                return await entering.begun(request, entered)
        return page(request, "sign_in/code.html", status=form.status, form=form)

    @get("/sign-in/{link:str}", before_request=newcomer)
    async def link(request: PageRequest, link: FromPath[str]) -> Response[Any]:
        good = await one_time.look(link, entering.browser(request))
        if good is not None and good.purpose is Purpose.PASSKEY:
            return await invitations.shown(request, good.holder, Form.blank())
        status = 200 if good is not None else 410
        return page(request, "sign_in/link.html", status=status, good=good is not None, form=Form.blank())

    @post("/sign-in/{link:str}", before_request=newcomer, status_code=303)
    async def use_link(request: PageRequest, link: FromPath[str]) -> Response[Any]:
        form = await Form.sent(request)
        browser = entering.browser(request)
        with form.heeding():
            good = await one_time.look(link, browser)
            if good is not None and good.purpose is Purpose.PASSKEY:
                return await invitations.made(request, form, link, good.holder)
            shared = bool(form.value("shared"))
            return await entering.begun(request, await one_time.use_link(link, browser, shared=shared))
        return page(request, "sign_in/link.html", status=form.status, good=False, form=form)

    @post("/sign-out", before_request=newcomer, status_code=303)
    async def out(request: PageRequest) -> Response[Any]:
        present = request.user.present
        if present is not None:
            await sign_ins.end(present.sign_in)
        return signed_out(access, "signed_out")

    return [ask, send, code, use_code, link, use_link, out]
