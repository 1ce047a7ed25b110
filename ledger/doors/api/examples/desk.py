"""Examples of what a desk gives out: Ann's card, her phone pass, and a till at the pool."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.credentials import CardInput, CredentialPage
from ledger.doors.api.devices import DeviceChange, DeviceInput, DevicePage, EnrolmentInput, KioskInput
from ledger.scheme.credentials import CardCode, Credential, IssuedCredential, ShownPass
from ledger.scheme.devices import Device, EnrolledDevice, ExpectedDevice

_THEN: Final = "2026-11-14T15:02:11.204518Z"
_CARD: Final = "0193b5c6-d7e8-7f90-8a1b-2c3d4e5f6a17"

_card: Final = {
    "id": _CARD,
    "kind": "card",
    "status": "active",
    "issued_at": _THEN,
    "changed_at": _THEN,
    "expires_at": None,
    "replaced_by": None,
}
_device: Final = {
    "id": "0e1f2a3b-4c5d-4e6f-8a7b-9c0d1e2f3a15",
    "kind": "till",
    "venue": "c3a9d7e5-2f41-4b6c-9d8e-3f4a5b6c7d04",
    "site": None,
    "project": None,
    "name": "the till at the pool",
    "status": "active",
    "created_at": _THEN,
    "code_until": None,
    "enrolled_at": "2026-11-14T15:04:40.018274Z",
    "locked_until": None,
    "revoked_at": None,
}
_expected: Final = {
    **_device,
    "status": "expected",
    "code_until": "2026-11-14T15:12:11.204518Z",
    "enrolled_at": None,
}
_code: Final = "5SR2-GJAM-GA1S-09"

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    CardInput: {"expires_at": None},
    Credential: _card,
    IssuedCredential: {"credential": _card, "code": "XHDW-YJ7V-9XN"},
    CardCode: {"credential": _CARD, "code": "XHDW-YJ7V-9XN"},
    CredentialPage: {"credentials": [_card], "next": None},
    ShownPass: {
        "credential": "0193b5c6-d7e8-7f90-8a1b-2c3d4e5f6a18",
        "code": "X5P5-Y2RA-P2H4-R",
        "ends_at": "2026-11-21T16:40:30Z",
    },
    DeviceInput: {"name": "the till at the pool", "site": None},
    KioskInput: {"name": "the tablet at the door"},
    DeviceChange: {"name": "the till at the café"},
    EnrolmentInput: {"code": _code},
    Device: _device,
    ExpectedDevice: {"device": _expected, "code": _code, "code_until": "2026-11-14T15:12:11.204518Z"},
    EnrolledDevice: {"device": _device, "token": "tc_live_...", "expires_at": "2027-11-14T15:04:40.018274Z"},
    DevicePage: {"devices": [_device], "next": None},
}
