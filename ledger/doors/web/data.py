"""What is kept about somebody: to be seen, copied, and erased by themselves alone.

    what we keep · who looked -> a copy, as a file -> erase me: what then happens, a tick and a button -> goodbye

Erasing is for good and asks for one tick; nothing has to be typed, and no reason given. Whoever was erased is signed
out in every browser. The page that says so is for the one in which they did it, and for a short time: anybody else, and
whoever is signed in, goes on to the start page.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import UNSET, Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.acts import OTHER, SAYS, as_what
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.scheme.acts import Act
from ledger.scheme.copies import Copies
from ledger.scheme.erasure import Erasure, GiveTo
from ledger.scheme.people import AgeBand, Channel, People, Person

ACTS: Final = 25
# The newest few are shown beside what we keep: most people have none, and a helper's come in dozens.
ACTS_NEWEST: Final = 5
AGES: Final[Mapping[AgeBand, str]] = {
    AgeBand.UNDER_8: _("Under 8"),
    AgeBand.FROM_8: _("8 to 15"),
    AgeBand.FROM_16: _("16 or 17"),
    AgeBand.ADULT: _("18 or over"),
}
_CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.EMAIL: _("Email"),
    Channel.TEXT: _("Text message"),
    Channel.PHONE: _("Phone"),
    Channel.POST: _("Post"),
    Channel.IN_PERSON: _("In person"),
}


class Erase(Struct, frozen=True):
    """That somebody is to be erased, and what becomes of their credits."""

    give_to: GiveTo
    sure: bool = False


def routes(access: Access, people: People, copies: Copies, erasure: Erasure, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of somebody's own data."""

    @get("/people/{person:uuid}/data", before_request=access.only(Who.PERSON))
    async def kept(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        known = await people.read(request.user.caller, person)
        acts = await people.acts_about(request.user.caller, person, before=None, limit=ACTS_NEWEST)
        return page(
            request,
            "data/kept.html",
            person=person,
            known=_known(known, request),
            acts=_told(acts),
        )

    @get("/people/{person:uuid}/data/acts", before_request=access.only(Who.PERSON))
    async def looked(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place = f"acts/{person}"
        before = cursors.read_id(secret, place, request.query_params.get("before"))
        found = await people.acts_about(request.user.caller, person, before=before, limit=ACTS + 1)
        shown, older = cursors.page(secret, place, found, ACTS)
        return page(
            request,
            "data/acts.html",
            person=person,
            acts=_told(shown),
            older=older,
            newest=before is None,
        )

    @get("/people/{person:uuid}/data/copy", before_request=access.only(Who.PERSON))
    async def copy(request: PageRequest, person: FromPath[UUID]) -> Response[bytes]:
        held = await copies.of(request.user.caller, person)
        return Response(
            msgspec.json.format(msgspec.json.encode(held), indent=2),
            media_type="application/json",
            headers={
                "cache-control": "no-store",
                "content-disposition": f'attachment; filename="time-credits-{held.made_at:%Y-%m-%d}.json"',
            },
        )

    async def asked(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        balance = await people.balance(request.user.caller, person)
        present = request.user.present
        return page(
            request,
            "data/erase.html",
            status=form.status,
            form=form,
            person=person,
            balance=balance,
            give_to=GiveTo,
            works_here=present is not None and bool(present.roles),
        )

    @get("/people/{person:uuid}/data/erase", before_request=access.only(Who.PERSON))
    async def ask(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        await people.read(request.user.caller, person)  # a helper may see a balance, and not this
        return await asked(request, person, Form.blank(give_to=GiveTo.COMMUNITY.value))

    @post("/people/{person:uuid}/data/erase", before_request=access.only(Who.PERSON), status_code=303)
    async def erase(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Erase)
        if typed is not None and not typed.sure:
            form.fault("sure", gettext(request)(_("Please tick this box if you are sure.")))
        elif typed is not None:
            with form.heeding():
                await erasure.erase(request.user.caller, form.key, person, typed.give_to)
                answer = go("/goodbye")
                answer.set_cookie(access.signed_out())
                answer.set_cookie(access.erased())
                answer.headers["clear-site-data"] = '"cache"'
                return answer
        await people.read(request.user.caller, person)
        return await asked(request, person, form)

    @get("/goodbye", before_request=access.only(Who.ANYBODY))
    async def goodbye(request: PageRequest) -> Response[Any]:
        if request.user.present is not None or access.erased_cookie not in request.cookies:
            return go("/")
        return page(request, "data/goodbye.html")

    return [kept, looked, copy, ask, erase, goodbye]


def _told(acts: Sequence[Act]) -> list[tuple[Act, str, str]]:
    """Each with what was done, and in what capacity; the template translates both."""
    return [(act, SAYS.get(act.verb, OTHER), as_what(act, own=True)) for act in acts]


def _known(known: Person, request: PageRequest) -> list[tuple[str, str]]:
    """What is known of somebody, as term and value; what they never gave isn't there."""
    said = gettext(request)
    rows = [(said(_("Name")), known.name)]
    if known.age_band is not UNSET and known.age_band is not None:
        rows.append((said(_("Age")), said(AGES[known.age_band])))
    if known.contact is not UNSET and known.contact is not None:
        contact = known.contact
        rows += [
            (said(term), value)
            for term, value in (
                (_("Email"), contact.email),
                (_("Phone"), contact.phone),
                (_("Address"), contact.address),
                (_("We reach you by"), contact.channel and said(_CHANNELS[contact.channel])),
            )
            if value
        ]
    return rows
