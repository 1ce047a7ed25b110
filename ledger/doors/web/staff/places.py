"""What projects and venues share in the office: their list, opening and closing one, and its kiosks or tills.

A device is made with a code that is shown once, and taken out of use at its own place's address only.
"""

from collections.abc import Awaitable, Callable, Sequence
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
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.devices import Device, Devices, NewDevice
from ledger.scheme.devices import Status as Stands
from ledger.scheme.projects import Project, Projects
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Participation
from ledger.scheme.venues import Venue, Venues

# As many as one reads down: more are on the next page.
LISTED: Final = 50
# Of one place, all on its page: several times what any has.
ROLES: Final = 100
DEVICES: Final = 100


class DeviceForm(Struct, frozen=True):
    """What a till or kiosk is called, and where it stands."""

    name: Name
    site: UUID | None = None


class Place(Struct, frozen=True):
    """Projects, or venues."""

    kind: str
    """As the addresses have it: "project" or "venue"."""
    verbs: Projects | Venues
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


def machines(found: Sequence[Device], clock: Clock) -> list[tuple[Device, str]]:
    """The devices that are in use or may come to be, and how each stands; a code may have run out, a till may rest."""
    now = clock()

    def stands(device: Device) -> str:
        if device.code_until is not None and device.code_until <= now:
            return "run_out"
        return "resting" if device.rests(now) else device.status.value

    return [(each, stands(each)) for each in found if each.status is not Stands.REVOKED]


def routes(access: Access, devices: Devices, secret: bytes, place: Place) -> list[HTTPRouteHandler]:
    """Return the routes that projects, or venues, have alike."""
    staff, freshly, kind = access.only(Who.STAFF), access.only(Who.STAFF, freshly=True), place.kind
    base = f"/staff/{kind}s/{{{kind}:uuid}}"

    def here(request: PageRequest) -> UUID:
        """Whose they are; the address has it by a name of its own for each kind."""
        found: UUID = request.path_params[kind]
        return found

    @get(f"/staff/{kind}s", before_request=staff)
    async def listed(request: PageRequest) -> Response[Any]:
        asked = request.query_params.get("status", "")
        status = Participation(asked) if asked in set(Participation) else None
        name = f"staff/{kind}s/{status}"
        after = cursors.read_named(secret, name, request.query_params.get("after"))
        found: Sequence[Project | Venue] = await place.verbs.page(status=status, after=after, limit=LISTED + 1)
        shown, following = cursors.page_named(secret, name, found, LISTED, lambda one: one.name)
        return page(
            request,
            f"staff/{kind}s.html",
            listed=shown,
            chosen=status.value if status else "",
            query=query(request),
            following=following,
        )

    @post(f"{base}/status/{{status:str}}", before_request=staff, status_code=303)
    async def change(request: PageRequest, status: FromPath[str]) -> Response[Any]:
        if status not in {Participation.ACTIVE, Participation.SUSPENDED, Participation.ENDED}:
            raise Declined(Refusal.NOT_FOUND)
        form, whose = await Form.sent(request), here(request)
        with form.heeding():
            await place.verbs.change(request.user.caller, whose, Participation(status))
            return go(f"/staff/{kind}s/{whose}", "done")
        return await place.shown(request, whose, form)

    async def asking(request: PageRequest, whose: UUID, form: Form) -> Response[Any]:
        caller = request.user.caller
        return page(
            request,
            "staff/new_device.html",
            status=form.status,
            form=form,
            place=await place.verbs.get(caller, whose),
            back_to=f"/staff/{kind}s/{whose}",
            sites=None if place.sites is None else await place.sites(caller, whose),
        )

    @get(f"{base}/devices/new", before_request=staff)
    async def new_device(request: PageRequest) -> Response[Any]:
        return await asking(request, here(request), Form.blank())

    @post(f"{base}/devices/new", before_request=freshly, status_code=200)
    async def add_device(request: PageRequest) -> Response[Any]:
        form, caller, whose = await Form.sent(request), request.user.caller, here(request)
        typed = form.take(DeviceForm)
        if typed is not None:
            with form.heeding():
                wanted = NewDevice(name=typed.name, site=typed.site, **{kind: whose})
                made, _ = await devices.create(caller, form.key, wanted)
                return page(
                    request,
                    "staff/device.html",
                    made=made,
                    back_to=f"/staff/{kind}s/{whose}",
                    place=await place.verbs.get(caller, whose),
                    enrolment=access.enrolment,
                )
        return await asking(request, whose, form)

    @post(f"{base}/devices/{{device:uuid}}/revoke", before_request=staff, status_code=303)
    async def revoke(request: PageRequest, device: FromPath[UUID]) -> Response[Any]:
        form, caller, whose = await Form.sent(request), request.user.caller, here(request)
        of = devices.of_project if kind == "project" else devices.of_venue
        if device not in {each.id for each in await of(caller, whose, after=None, limit=DEVICES)}:
            raise Declined(Refusal.NOT_FOUND)
        with form.heeding():
            await devices.revoke(caller, device)
            return go(f"/staff/{kind}s/{whose}", "revoked")
        return await place.shown(request, whose, form)

    return [listed, change, new_device, add_device, revoke]
