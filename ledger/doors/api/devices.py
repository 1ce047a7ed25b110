"""Routes of devices: make a till or a kiosk known, enrol a till, move it, revoke either."""

from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Input, page_size
from ledger.doors.fields import Identifier, Name
from ledger.scheme.callers import Scope
from ledger.scheme.devices import Device, Devices, EnrolledDevice, ExpectedDevice, NewDevice

_TAG: Final = ["devices"]


class DeviceInput(Input, frozen=True, kw_only=True):
    """A new till."""

    name: Annotated[Name, Meta(description="Where it stands, to know which one to revoke.")]
    site: Annotated[Identifier | None, Meta(description="The site where it stands; absent if it is carried about.")] = (
        None
    )


class KioskInput(Input, frozen=True, kw_only=True):
    """A new kiosk."""

    name: Annotated[Name, Meta(description="Where it stands, to know which one to revoke.")]


class DeviceChange(Input, frozen=True, kw_only=True):
    """What changes of a device: what isn't there stays."""

    name: Name | UnsetType = UNSET
    site: Annotated[
        Identifier | UnsetType | None, Meta(description="Another site of a till's venue; null if it is carried about.")
    ] = UNSET


class EnrolmentInput(Input, frozen=True, kw_only=True):
    """A till that wants its key."""

    code: Annotated[
        str,
        Meta(
            min_length=14,
            max_length=40,
            description="As it was shown; lower case, spaces and hyphens don't matter, O is 0, I and L are 1.",
        ),
    ]


class DevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a venue's or a project's devices, the oldest first, and the cursor of the next."""

    devices: list[Device]
    next: str | None


def routes(access: Access, devices: Devices, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of devices."""

    @post(
        "/v1/venues/{venue:uuid}/devices",
        before_request=access.only(Scope.SCHEME),
        summary="Make a till known",
        description="The answer holds the code that it is enrolled with: within ten minutes, and once.",
        responses=refused(400, 401, 403, 404, 413, 422, 503),
        tags=_TAG,
    )
    async def create(
        request: CallerRequest,
        venue: FromPath[Identifier],
        data: JSONBody[DeviceInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[ExpectedDevice]:
        new = NewDevice(venue=venue, name=data.name, site=data.site)
        made, replayed = await devices.create(request.user, idempotency_key, new)
        return Created(made, replayed=replayed)

    @get(
        "/v1/venues/{venue:uuid}/devices",
        before_request=access.only(Scope.SCHEME),
        summary="List a venue's tills",
        description="The oldest first, those that were revoked too. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def listed(
        request: CallerRequest, venue: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> DevicePage:
        place = f"devices/{venue}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await devices.of_venue(request.user, venue, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return DevicePage(devices=list(shown), next=following)

    @post(
        "/v1/projects/{project:uuid}/devices",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Make a kiosk known",
        description=(
            "The answer holds the code that is typed in the browser of the kiosk: within ten minutes, and once. It gets"
            " no API key."
        ),
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def create_kiosk(
        request: CallerRequest,
        project: FromPath[Identifier],
        data: JSONBody[KioskInput],
        idempotency_key: IdempotencyKey,
    ) -> Created[ExpectedDevice]:
        new = NewDevice(project=project, name=data.name)
        made, replayed = await devices.create(request.user, idempotency_key, new)
        return Created(made, replayed=replayed)

    @get(
        "/v1/projects/{project:uuid}/devices",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="List a project's kiosks",
        description="The oldest first, those that were revoked too. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def kiosks(
        request: CallerRequest, project: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None
    ) -> DevicePage:
        place = f"devices/{project}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await devices.of_project(request.user, project, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return DevicePage(devices=list(shown), next=following)

    @post(
        "/v1/devices/enrol",
        status_code=200,
        security=[{}],
        summary="Enrol a till",
        description=(
            "Sent by the till itself, without a key; the answer holds its own, which is shown only this once. A code"
            " that is unknown, was used or is over is `code_unknown`; whoever sends many gets `try_again`. A kiosk's is"
            " `wrong_state`, and keeps working: it is typed in its browser."
        ),
        responses=refused(400, 409, 413, 422, 429, 503),
        tags=_TAG,
    )
    async def enrol(data: JSONBody[EnrolmentInput]) -> EnrolledDevice:
        return await devices.enrol(data.code)

    @patch(
        "/v1/devices/{device:uuid}",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        summary="Rename or move a device",
        description="Only what is given changes. It stays at its venue or project.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def change(request: CallerRequest, device: FromPath[Identifier], data: JSONBody[DeviceChange]) -> Device:
        return await devices.change(request.user, device, name=data.name, site=data.site)

    @post(
        "/v1/devices/{device:uuid}/revoke",
        before_request=access.only(Scope.PROJECT, Scope.SCHEME),
        status_code=200,
        summary="Revoke a device",
        description="At once and for good, with its keys and sign-ins, or its code; a project for its kiosks.",
        responses=refused(401, 403, 404, 503),
        tags=_TAG,
    )
    async def revoke(request: CallerRequest, device: FromPath[Identifier]) -> Device:
        return await devices.revoke(request.user, device)

    return [create, listed, create_kiosk, kiosks, enrol, change, revoke]
