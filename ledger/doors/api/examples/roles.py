"""Examples of roles and of the audit trail: Bob coordinates the repair cafe, and one of the staff looks Ann up."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.roles import RoleInput, RoleList, RolePage, Trail
from ledger.scheme.leaving import Left
from ledger.scheme.roles import Assignment, Granted, Held, Holding

_BOB: Final = "8c7d6e5f-4a3b-4c2d-9e1f-0a1b2c3d4e0b"
_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_ROLE: Final = "0193d8e9-fa0b-7c2d-9e3f-4a5b6c7d8e14"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"

_held: Final = {"id": _ROLE, "role": "coordinator", "project": _PROJECT, "venue": None, "place": "Repair cafe"}
_assignment: Final = {
    "id": _ROLE,
    "person": _BOB,
    "role": "coordinator",
    "project": _PROJECT,
    "venue": None,
    "granted_at": _THEN,
    "ended_at": None,
}
_holding: Final = {**_assignment, "name": "Bob", "place": "Repair cafe"}
_act: Final = {
    "id": "0193c7d8-e9fa-7b1c-8d2e-3f4a5b6c7d15",
    "at": _NOW,
    "by": "1b2c3d4e-5f6a-4b7c-8d9e-0f1a2b3c4d12",
    "person": _BOB,
    "key": "2c3d4e5f-6a7b-4c8d-9e0f-1a2b3c4d5e13",
    "scope": "scheme",
    "verb": "contact_read",
    "holder": "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02",
    "object": None,
    "device": None,
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    RoleInput: {"person": _BOB, "role": "coordinator", "project": _PROJECT},
    Held: _held,
    RoleList: {"roles": [_held]},
    Assignment: _assignment,
    Granted: {**_assignment, "waits": False},
    Holding: _holding,
    RolePage: {"roles": [_holding], "next": None},
    Left: {
        "person": _BOB,
        "left_at": _NOW,
        "roles": 1,
        "sign_ins": 2,
        "passkeys": 1,
        "codes": 0,
        "organisations": 0,
        "keys": 1,
        "devices": 1,
    },
    Trail: {"acts": [_act], "next": None},
}
