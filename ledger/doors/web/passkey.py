"""Passkeys on pages: signing in with one, making the first by an invitation, adding and removing one's own.

    a page with what the authenticator is asked -> its answer, put into the form by `site.js` -> what it was worth

Each such page asks with a challenge of its own, good for five minutes in that browser; one that was refused is shown
again with a new one. Without script, or in a browser that knows no passkeys, the page says so and what else there is.

Whoever adds or removes one has signed in with more than a link, and just now (`sign_ins.FRESH`): who reads somebody's
mail, or finds their computer left open, could else lock them out, or put their own in its place.
"""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import NAME_PATTERN
from ledger.doors.web.access import Access, PageRequest, Who, is_strong
from ledger.doors.web.entering import Entering
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.passkeys import NAME_MAX, Passkeys
from ledger.scheme.people import People
from ledger.scheme.sign_ins import Present


class Named(Struct, frozen=True):
    """What somebody calls a passkey of theirs."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN)]


class Invitations:
    """Making the first passkey, by the link of an invitation: whoever has it isn't signed in yet."""

    def __init__(self, entering: Entering, passkeys: Passkeys, people: People) -> None:
        self._entering = entering
        self._passkeys = passkeys
        self._people = people

    async def shown(self, request: PageRequest, holder: UUID, form: Form) -> Response[Any]:
        """Return the page on which it is made."""
        browser = self._entering.browser_or_new(request)
        name = await self._people.name_of(holder)
        options = await self._passkeys.begin_adding(holder, name, browser)
        answer = page(request, "sign_in/invited.html", status=form.status, form=form, options=options, name=name)
        self._entering.remembered(answer, browser)
        return answer

    async def made(self, request: PageRequest, form: Form, link: str, holder: UUID) -> Response[Any]:
        """Keep what was made, and sign them in with it."""
        typed = form.take(Named)
        if typed is not None:
            browser = self._entering.browser(request)
            with form.heeding():
                answer = form.value("response")
                entered = await self._passkeys.finish_invited(holder, browser, answer, typed.name, link)
                return await self._entering.begun(request, entered)
        return await self.shown(request, holder, form)


def routes(access: Access, entering: Entering, passkeys: Passkeys, *, by_organisation: bool) -> list[HTTPRouteHandler]:
    """Return the routes of passkeys; ``by_organisation``: whether there is that way, too."""

    async def ask(request: PageRequest, form: Form) -> Response[Any]:
        browser = entering.browser_or_new(request)
        present = request.user.present
        sent_here = "next" in request.query_params
        answer = page(
            request,
            "sign_in/passkey.html",
            status=form.status,
            form=form,
            options=await passkeys.begin_sign_in(browser, entering.network(request)),
            needed=sent_here and present is not None and not is_strong(present),
            again=sent_here and present is not None and is_strong(present),
            by_organisation=by_organisation,
        )
        entering.remembered(answer, browser)
        return answer

    newcomer = access.only(Who.ANYBODY, not_at_devices=True)

    @get("/sign-in/passkey", before_request=newcomer)
    async def show(request: PageRequest) -> Response[Any]:
        answer = await ask(request, Form.blank())
        entering.going(request, answer)
        return answer

    @post("/sign-in/passkey", before_request=newcomer, status_code=303)
    async def sign_in(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            entered = await passkeys.finish_sign_in(entering.browser(request), form.value("response"))
            return await entering.begun(request, entered)
        return await ask(request, form)

    freshly = access.only(Who.SURELY, freshly=True)

    async def adding(request: PageRequest, present: Present, form: Form) -> Response[Any]:
        browser = entering.browser_or_new(request)
        assert present.holder is not None
        options = await passkeys.begin_adding(present.holder, present.name or "", browser)
        answer = page(
            request, "sign_in/new_passkey.html", status=form.status, form=form, options=options, person=present.person
        )
        entering.remembered(answer, browser)
        return answer

    @get("/people/{person:uuid}/passkeys/new", before_request=freshly)
    async def new(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        return await adding(request, present, Form.blank())

    @post("/people/{person:uuid}/passkeys/new", before_request=freshly, status_code=303)
    async def add(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        present = own(request, person)
        form = await Form.sent(request)
        typed = form.take(Named)
        if typed is not None:
            assert present.holder is not None
            with form.heeding():
                await passkeys.finish_adding(
                    present.holder, entering.browser(request), form.value("response"), typed.name
                )
                return go(f"/people/{person}/sign-ins", "passkey_added")
        return await adding(request, present, form)

    @post("/people/{person:uuid}/passkeys/{passkey:str}/end", before_request=freshly, status_code=303)
    async def remove(request: PageRequest, person: FromPath[UUID], passkey: FromPath[str]) -> Response[Any]:
        present = own(request, person)
        assert present.holder is not None
        await passkeys.end(present.holder, passkey)
        return go(f"/people/{person}/sign-ins", "passkey_removed")

    return [show, sign_in, new, add, remove]


def own(request: PageRequest, person: UUID) -> Present:
    """Who is there, if the page is their own: no helper or guardian signs in for somebody. Raises 404."""
    present = request.user.present
    if present is None or present.person != person:
        raise NotFoundException
    return present
