"""Groups: the office makes them and keeps the list of who shares a pot; who keeps its keys takes two to change.

    /staff/groups -> a new one -> /groups/{group}/people: who is in it, who keeps the pot, what waits for another
                                  /groups/{group}/vouchers: what was printed from the pot, and what became of it

The two pages of a group are its keyholders' as well, without the list's own buttons. To others there is no such group.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors import cursors
from ledger.doors.fields import Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.groups import Groups, NewGroup
from ledger.scheme.keyholders import Keyholders
from ledger.scheme.paper import Paper
from ledger.scheme.people import People
from ledger.scheme.refusals import Declined, Refusal

GROUPS: Final = 25
BATCHES: Final = 25
# Whoever finds more types one letter more.
FOUND: Final = 25


class New(Struct, frozen=True):
    """A group to be made."""

    name: Name


class Joining(Struct, frozen=True):
    """Who is to be in it."""

    person: UUID


def routes(  # noqa: PLR0917  # each has its own type
    access: Access, groups: Groups, keyholders: Keyholders, paper: Paper, people: People, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of groups."""
    staff, both = access.only(Who.STAFF), access.only(Who.STAFF, Who.PERSON)

    @get("/staff/groups", before_request=staff)
    async def listed(request: PageRequest) -> Response[Any]:
        after = cursors.read_id(secret, "groups", request.query_params.get("after"))
        shown, older = cursors.page(secret, "groups", await groups.all(after=after, limit=GROUPS + 1), GROUPS)
        return page(request, "group/groups.html", groups=shown, older=older, first=after is None)

    @get("/staff/groups/new", before_request=staff)
    async def new(request: PageRequest) -> Response[Any]:
        return page(request, "group/new.html", form=Form.blank())

    @post("/staff/groups/new", before_request=staff, status_code=303)
    async def make(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(New)
        if typed is not None:
            with form.heeding():
                group, _replayed = await groups.create(request.user.caller, form.key, NewGroup(name=typed.name))
                return go(f"/groups/{group.id}/people", "group_made")
        return page(request, "group/new.html", status=form.status, form=form)

    async def people_page(request: PageRequest, group: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        leads = caller.scope is Scope.SCHEME
        wanted = request.query_params.get("name", "").strip() or form.value("wanted") if leads else ""
        sharing = await keyholders.of(caller, group)
        there = {member.person for member in sharing.members}
        found = await people.named(wanted, after=None, limit=FOUND) if wanted else []
        return page(
            request,
            "group/people.html",
            status=form.status,
            form=form,
            search=Form.blank(name=wanted),
            sharing=sharing,
            leads=leads,
            wanted=wanted,
            found=[each for each in found if each.id not in there],
            me=caller.holder,
        )

    @get("/groups/{group:uuid}/people", before_request=both)
    async def shared(request: PageRequest, group: FromPath[UUID]) -> Response[Any]:
        return await people_page(request, group, Form.blank())

    @post("/groups/{group:uuid}/people", before_request=staff, status_code=303)
    async def join(request: PageRequest, group: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(Joining)
        if typed is not None:
            with form.heeding():
                await groups.put(request.user.caller, group, typed.person)
                return go(f"/groups/{group}/people", "saved")
        return await people_page(request, group, form)

    async def leave(caller: Caller, group: UUID, person: UUID) -> str:
        if caller.scope is not Scope.SCHEME:
            raise Declined(Refusal.NOT_FOUND)
        await groups.remove(caller, group, person)
        return "saved"

    async def give(caller: Caller, group: UUID, person: UUID) -> str:
        return _said(so=await keyholders.propose(caller, group, person, keyholder=True))

    async def take(caller: Caller, group: UUID, person: UUID) -> str:
        return _said(so=await keyholders.propose(caller, group, person, keyholder=False))

    async def agree(caller: Caller, group: UUID, person: UUID) -> str:
        await keyholders.agree(caller, group, person)
        return "saved"

    async def decline(caller: Caller, group: UUID, person: UUID) -> str:
        await keyholders.decline(caller, group, person)
        return "declined"

    steps: dict[str, Callable[[Caller, UUID, UUID], Awaitable[str]]] = {
        "leave": leave,
        "give-keys": give,
        "take-keys": take,
        "agree": agree,
        "decline": decline,
    }

    @post("/groups/{group:uuid}/people/{person:uuid}/{step:str}", before_request=both, status_code=303)
    async def change(
        request: PageRequest, group: FromPath[UUID], person: FromPath[UUID], step: FromPath[str]
    ) -> Response[Any]:
        form = await Form.sent(request)
        if step not in steps:
            raise Declined(Refusal.NOT_FOUND)
        with form.heeding():
            return go(f"/groups/{group}/people", await steps[step](request.user.caller, group, person))
        return await people_page(request, group, form)

    @get("/groups/{group:uuid}/vouchers", before_request=both)
    async def printed(request: PageRequest, group: FromPath[UUID]) -> Response[Any]:
        caller, name = request.user.caller, f"vouchers/{group}"
        after = cursors.read_id(secret, name, request.query_params.get("after"))
        found = await paper.of_group(caller, group, after=after, limit=BATCHES + 1)
        shown, older = cursors.page(secret, name, found, BATCHES)
        return page(
            request,
            "group/vouchers.html",
            sharing=await keyholders.of(caller, group),
            leads=caller.scope is Scope.SCHEME,
            batches=shown,
            older=older,
            newest=after is None,
        )

    return [listed, new, make, shared, join, change, printed]


def _said(*, so: bool) -> str:
    return "saved" if so else "asked_keyholder"
