"""Who may do what for somebody: their helpers, whom they help, their guardians, and the children they answer for.

Only the person themselves says who helps; either of the two ends it, at once. A guardian agrees for a child and takes
it back here. What helpers did stands on the page of what is kept (`data`).
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.acquaintance import Acquaintances
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Grant, Helpers, May
from ledger.scheme.refusals import Declined, Refusal

_CARD: Final = "card"


class Ended(Struct, frozen=True):
    """Which link ends."""

    link: UUID


class Chosen(Struct, frozen=True):
    """Who shall help: a person's id, or `card` with the code on it; and in what."""

    who: Annotated[str, Meta(pattern=r"^(card|[0-9a-f-]{36})$")]
    may: Annotated[list[May], Meta(min_length=1)]
    code: Annotated[str, Meta(max_length=40)] = ""


async def name_of(request: PageRequest, helpers: Helpers, person: UUID) -> str | None:
    """Whose page it is, if it is somebody's whom the reader helps; None on their own."""
    present = request.user.present
    if present is None or present.person == person:
        return None
    return next((each.name for each in await helpers.helped(request.user.caller) if each.person == person), None)


async def helped_in(request: PageRequest, helpers: Helpers, person: UUID, may: May) -> str | None:
    """The same, for a page of one thing that helpers may do; `not_found` to everybody who may not."""
    present = request.user.present
    if present is not None and present.person == person:
        return None
    for each in await helpers.helped(request.user.caller):
        if each.person == person and may in each.may:
            return each.name
    raise Declined(Refusal.NOT_FOUND)


def routes(
    access: Access, helpers: Helpers, guardians: Guardians, acquaintances: Acquaintances
) -> list[HTTPRouteHandler]:
    """Return the routes of helpers and guardians."""
    return [
        *_helping(access, helpers, guardians),
        *_adding(access, helpers, acquaintances),
    ]


def _helping(access: Access, helpers: Helpers, guardians: Guardians) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/helpers", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @post("/people/{person:uuid}/helpers", before_request=access.only(Who.PERSON), status_code=303)
    async def end(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        ended = form.take(Ended)
        if ended is not None:
            with form.heeding():
                await helpers.end(request.user.caller, form.key, ended.link)
                return go(f"/people/{person}/helpers", "helper_ended")
        return await shown(request, person, form)

    @post(
        "/people/{person:uuid}/children/{child:uuid}/consent", before_request=access.only(Who.PERSON), status_code=303
    )
    async def agree(request: PageRequest, person: FromPath[UUID], child: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await guardians.consent(request.user.caller, form.key, child, person)
            return go(f"/people/{person}/helpers", "consented")
        return await shown(request, person, form)

    @post(
        "/people/{person:uuid}/children/{child:uuid}/withdraw", before_request=access.only(Who.PERSON), status_code=303
    )
    async def withdraw(request: PageRequest, person: FromPath[UUID], child: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        own = next((each for each in await guardians.children(request.user.caller) if each.child == child), None)
        if own is None or own.consent is None:
            raise Declined(Refusal.NOT_FOUND)
        with form.heeding():
            await guardians.withdraw(request.user.caller, own.consent.id)
            return go(f"/people/{person}/helpers", "withdrawn")
        return await shown(request, person, form)

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        named = await helpers.named(request.user.caller, person)  # to nobody but themselves
        return page(
            request,
            "trusted/list.html",
            status=form.status,
            form=form,
            person=person,
            helpers=named,
            helped=await helpers.helped(request.user.caller),
            guardians=[each for each in await guardians.of(request.user.caller, person) if each.ended_at is None],
            children=await guardians.children(request.user.caller),
        )

    return [listed, end, agree, withdraw]


def _adding(access: Access, helpers: Helpers, acquaintances: Acquaintances) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/helpers/new", before_request=access.only(Who.PERSON))
    async def new(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await asked(request, person, Form.blank())

    @post("/people/{person:uuid}/helpers/new", before_request=access.only(Who.PERSON), status_code=303)
    async def add(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        if chosen is not None:
            with form.heeding():
                helper = (
                    await acquaintances.by_card(request.user.caller, chosen.code, "code")
                    if chosen.who == _CARD
                    else UUID(chosen.who)
                )
                grant = Grant(helped=person, helper=helper, may=[may for may in May if may in chosen.may])
                await helpers.grant(request.user.caller, form.key, grant)
                return go(f"/people/{person}/helpers", "helper_added")
        return await asked(request, person, form)

    async def asked(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        known = await acquaintances.of(request.user.caller, person)
        return page(request, "trusted/new.html", status=form.status, form=form, person=person, known=known)

    return [new, add]
