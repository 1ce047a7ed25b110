"""The demo's front door: come in as anybody of the county, where the environment is `demo` and the county is loaded.

`demo` is the environment that nobody has set: a scheme that began in it, empty, with people of its own, has no such
door. It also shows the letters that would have been sent, for in a demo nobody has a mailbox.

Whoever came in as a till or a kiosk may become somebody else here, as nowhere else (`access`): it is a button away.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.refused import plain_path
from ledger.scheme.demo.cast import Member, Tablet
from ledger.scheme.letters import Letters
from ledger.scheme.people import People
from ledger.scheme.roles import Role, Roles
from ledger.scheme.sign_ins import SignIns, Strength

# Thirteen projects with two each, seventeen venues, three of the office.
_ROLES_MAX: Final = 100
_LETTERS: Final = 20


class Chosen(Struct, frozen=True):
    """Whom somebody wants to be."""

    person: UUID
    to: Annotated[str, Meta(max_length=200)] = "/"


class ChosenDevice(Struct, frozen=True):
    """Which till or kiosk a browser is to be."""

    device: UUID
    to: Literal["/till", "/kiosk"]


def routes(
    access: Access,
    people: People,
    roles: Roles,
    sign_ins: SignIns,
    letters: Letters,
    *,
    cast: Callable[[], Awaitable[Sequence[Member]]],
    tablets: Callable[[], Awaitable[Sequence[Tablet]]],
) -> list[HTTPRouteHandler]:
    """Return the routes of the demo's front door. ``cast`` tells whose pages have something to show."""

    async def members_of_the_demo() -> Sequence[Member]:
        found = await cast()
        if not found:
            raise NotFoundException
        return found

    @get("/demo", before_request=access.only(Who.ANYBODY))
    async def door(request: PageRequest) -> Response[Any]:
        members = await members_of_the_demo()
        first = {member.person for member in members}
        holdings = await roles.page(after=None, limit=_ROLES_MAX)
        holdings = sorted(holdings, key=lambda held: (held.person not in first, held.place or "", held.name))
        by_role = {role: [each for each in holdings if each.role is role] for role in Role}
        return page(
            request,
            "public/demo.html",
            roles=by_role,
            volunteers=[member for member in members if member.says],
            tablets=await tablets(),
            form=Form.blank(),
        )

    @post("/demo", before_request=access.only(Who.ANYBODY), status_code=303)
    async def come_in(request: PageRequest) -> Response[Any]:
        await members_of_the_demo()
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        if chosen is None:
            return go("/demo")
        token = await sign_ins.begin(Strength.PASSKEY, holder=await people.holder(chosen.person))
        answer = go(plain_path(chosen.to), "signed_in")
        answer.set_cookie(access.signed_in(token))
        return answer

    @post("/demo/device", before_request=access.only(Who.ANYBODY), status_code=303)
    async def be_device(request: PageRequest) -> Response[Any]:
        await members_of_the_demo()
        form = await Form.sent(request)
        chosen = form.take(ChosenDevice)
        if chosen is None:
            return go("/demo")
        token = await sign_ins.begin(Strength.DEVICE, device=chosen.device)
        answer = go(chosen.to)
        answer.set_cookie(access.signed_in(token))
        return answer

    @get("/demo/letters", before_request=access.only(Who.ANYBODY))
    async def mailbox(request: PageRequest) -> Response[Any]:
        await members_of_the_demo()
        return page(request, "public/letters.html", letters=await letters.latest(_LETTERS))

    return [door, come_in, be_device, mailbox]
