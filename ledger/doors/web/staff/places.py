"""What projects and venues share in the office: their list by how they stand, and the kiosks or tills that are theirs.

A device is made with a code that is shown once, and put out of use at its own place's address only.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar
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
from ledger.scheme.clock import Clock
from ledger.scheme.devices import Device, Devices, NewDevice
from ledger.scheme.devices import Status as Stands
from ledger.scheme.keys import Caller
from ledger.scheme.refusals import Declined, Refusal

# As many as one reads down: more are on the next page.
LISTED: Final = 50
# Of one place, all on its page: several times what any has.
ROLES: Final = 100
DEVICES: Final = 100

_Status = TypeVar("_Status", bound=StrEnum)


class Named(Protocol):
    """A project or a venue."""

    @property
    def id(self) -> UUID:
        """By which its address has it."""

    @property
    def name(self) -> str:
        """What it is called."""


class DeviceForm(Struct, frozen=True):
    """What a till or kiosk is called, and where it stands."""

    name: Name
    site: UUID | None = None


class Place(Struct, frozen=True):
    """Projects, or venues, as the devices' pages need them."""

    kind: str
    """As the addresses have it: "project" or "venue"."""
    get: Callable[[Caller, UUID], Awaitable[Named]]
    shown: Callable[[PageRequest, UUID, Form], Awaitable[Response[Any]]]
    """Its page, with what was refused."""
    sites: Callable[[Caller, UUID], Awaitable[Sequence[tuple[str, str]]]] | None = None
    """Where its devices may stand, by id and name."""


class Asked(Struct, frozen=True):
    """Which of them: a filter that goes along into what it lists, and back."""

    status: str = ""


def query(request: PageRequest) -> str:
    """The filter of the list that somebody came from, as the end of its address."""
    return Form.asked(request).query(Asked)


async def listed(
    request: PageRequest,
    secret: bytes,
    kinds: str,
    statuses: type[_Status],
    page_of: Callable[..., Awaitable[Sequence[Named]]],
) -> Response[Any]:
    """The list of projects, or venues, of the status that is asked for."""
    asked = request.query_params.get("status", "")
    status = statuses(asked) if asked in set(statuses) else None
    place = f"staff/{kinds}/{status}"
    after = cursors.read_named(secret, place, request.query_params.get("after"))
    found = await page_of(status=status, after=after, limit=LISTED + 1)
    shown, following = cursors.page_named(secret, place, found, LISTED, lambda one: one.name)
    chosen = status.value if status else ""
    return page(request, f"staff/{kinds}.html", listed=shown, chosen=chosen, query=query(request), following=following)


def machines(found: Sequence[Device], clock: Clock) -> list[tuple[Device, str]]:
    """The devices that are in use or may come to be, and how each stands; a code may have run out."""
    now = clock()
    return [
        (each, "run_out" if each.code_until is not None and each.code_until <= now else each.status.value)
        for each in found
        if each.status is not Stands.REVOKED
    ]


def devices(access: Access, verbs: Devices, place: Place) -> list[HTTPRouteHandler]:
    """Return the routes by which a place's devices are made and put out of use."""
    staff, kind = access.only(Who.STAFF), place.kind
    base = f"/staff/{kind}s/{{{kind}:uuid}}/devices"

    def here(request: PageRequest) -> UUID:
        """Whose they are; the address has it by a name of its own for each kind."""
        found: UUID = request.path_params[kind]
        return found

    async def asking(request: PageRequest, form: Form) -> Response[Any]:
        caller, whose = request.user.caller, here(request)
        return page(
            request,
            "staff/new_device.html",
            status=form.status,
            form=form,
            place=await place.get(caller, whose),
            back_to=f"/staff/{kind}s/{whose}",
            sites=None if place.sites is None else await place.sites(caller, whose),
        )

    @get(f"{base}/new", before_request=staff, name=f"new device of a {kind}")
    async def new(request: PageRequest) -> Response[Any]:
        return await asking(request, Form.blank())

    @post(f"{base}/new", before_request=staff, status_code=200, name=f"add a device of a {kind}")
    async def add(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(DeviceForm)
        if typed is not None:
            with form.heeding():
                wanted = NewDevice(name=typed.name, site=typed.site, **{kind: here(request)})
                made, _ = await verbs.create(request.user.caller, form.key, wanted)
                back_to, named = f"/staff/{kind}s/{here(request)}", await place.get(request.user.caller, here(request))
                return page(
                    request,
                    "staff/device.html",
                    made=made,
                    back_to=back_to,
                    place=named,
                    enrolment=access.enrolment,
                )
        return await asking(request, form)

    @post(f"{base}/{{device:uuid}}/revoke", before_request=staff, status_code=303, name=f"revoke a device of a {kind}")
    async def revoke(request: PageRequest, device: FromPath[UUID]) -> Response[Any]:
        form, caller, whose = await Form.sent(request), request.user.caller, here(request)
        of = verbs.of_project if kind == "project" else verbs.of_venue
        if device not in {each.id for each in await of(caller, whose, after=None, limit=DEVICES)}:
            raise Declined(Refusal.NOT_FOUND)
        with form.heeding():
            await verbs.revoke(caller, device)
            return go(f"/staff/{kind}s/{whose}", "revoked")
        return await place.shown(request, whose, form)

    return [new, add, revoke]
