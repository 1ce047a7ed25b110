"""Routes of devices: make a till known, enrol it, move it, revoke it."""

from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from ledger.doors.api import cursors
from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import Created, refused
from ledger.doors.api.inputs import Cursor, IdempotencyKey, Identifier, Input, Name, page_size
from ledger.scheme.devices import Device, Devices, EnrolledDevice, ExpectedDevice, NewDevice
from ledger.scheme.keys import Scope

_TAG: Final = ["devices"]


class DeviceInput(Input, frozen=True, kw_only=True):
    """A new till or kiosk."""

    name: Annotated[Name, Meta(description="Where it stands, to know which one to revoke.")]
    site: Annotated[Identifier | None, Meta(description="The site where it stands; absent if it is carried about.")] = (
        None
    )


class DeviceChange(Input, frozen=True, kw_only=True):
    """What changes of a device: what isn't there stays."""

    name: Name | UnsetType = UNSET
    site: Annotated[
        Identifier | UnsetType | None, Meta(description="Another site of its venue; null if it is carried about.")
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
    """A page of a venue's devices, the oldest first, and the cursor of the next."""

    devices: list[Device]
    next: str | None


def routes(access: Access, devices: Devices, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of devices."""

    @post(
        "/v1/venues/{venue:uuid}/devices",
        before_request=access.only(Scope.SCHEME),
        summary="Make a device known",
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
        summary="List a venue's devices",
        description="The oldest first, those that were revoked too. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403, 404),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def listed(venue: FromPath[Identifier], page_size: NamedDependency[int], cursor: Cursor = None) -> DevicePage:
        place = f"devices/{venue}"
        after = cursors.read_id(cursor_secret, place, cursor)
        found = await devices.of(venue, after=after, limit=page_size + 1)
        shown, following = cursors.page(cursor_secret, place, found, page_size)
        return DevicePage(devices=list(shown), next=following)

    @post(
        "/v1/devices/enrol",
        status_code=200,
        security=[{}],
        summary="Enrol a device",
        description=(
            "Sent by the till itself, without a key; the answer holds its own, which is shown only this once. A code"
            " that is unknown, was used or is over is `code_unknown`; whoever sends many gets `try_again`."
        ),
        responses=refused(400, 409, 413, 422, 429, 503),
        tags=_TAG,
    )
    async def enrol(data: JSONBody[EnrolmentInput]) -> EnrolledDevice:
        return await devices.enrol(data.code)

    @patch(
        "/v1/devices/{device:uuid}",
        before_request=access.only(Scope.SCHEME),
        summary="Rename or move a device",
        description="Only what is given changes. It stays at its venue.",
        responses=refused(400, 401, 403, 404, 409, 413, 422, 503),
        tags=_TAG,
    )
    async def change(device: FromPath[Identifier], data: JSONBody[DeviceChange]) -> Device:
        return await devices.change(device, name=data.name, site=data.site)

    @post(
        "/v1/devices/{device:uuid}/revoke",
        before_request=access.only(Scope.SCHEME),
        status_code=200,
        summary="Revoke a device",
        description="At once and for good, with its keys; or with its code, if it wasn't enrolled yet.",
        responses=refused(401, 403, 404, 503),
        tags=_TAG,
    )
    async def revoke(device: FromPath[Identifier]) -> Device:
        return await devices.revoke(device)

    return [create, listed, enrol, change, revoke]
