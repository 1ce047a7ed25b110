"""Examples of care: Cat's guardian consents, Ann takes her copy along, and Ann is erased."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.care import ConsentInput, ErasureInput, GuardianInput, GuardianList
from ledger.scheme.copies import Copy
from ledger.scheme.erasure import Erased
from ledger.scheme.guardians import Consent, Given, Guardian

_CHILD: Final = "0b6d8f1a-3c5e-4a7b-9d2f-4e6a8c0b1d10"
_GUARDIAN: Final = "7f9e1d3c-5b7a-4980-a1b2-c3d4e5f60711"
_CONSENT: Final = "3d2c1b0a-f9e8-4d7c-b6a5-948372615012"
_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_HOLDER: Final = "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02"
_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_SESSION: Final = "6b5a4938-2716-485f-94e3-d2c1b0af9e0a"
_AWARD: Final = "e0f1a2b3-c4d5-86f7-9081-92a3b4c5d607"
_KEY: Final = "2a1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c06"

_BEGAN: Final = "2026-11-14T10:00:00Z"
_ENDED: Final = "2026-11-14T12:30:00Z"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"
_IN_A_YEAR: Final = "2027-11-21T16:40:05.118230Z"

_consent: Final = {
    "id": _CONSENT,
    "child": _CHILD,
    "guardian": _GUARDIAN,
    "state": "given",
    "given_at": _NOW,
    "ends_at": _IN_A_YEAR,
    "withdrawn_at": None,
}
_guardian: Final = {
    "child": _CHILD,
    "guardian": _GUARDIAN,
    "name": "Dee",
    "began_at": _THEN,
    "ended_at": None,
    "consent": _consent,
}
_claim: Final = {
    "id": _AWARD,
    "project": _PROJECT,
    "alias": "Saturdays",
    "session": _SESSION,
    "started_at": _BEGAN,
    "ended_at": _ENDED,
    "day": "2026-11-14",
    "minutes": 150,
    "source": "register",
    "state": "approved",
    "exceptions": [],
    "created_at": _THEN,
    "changed_at": _THEN,
    "approved_at": _THEN,
    "second_approved_at": None,
}
_attendance: Final = {
    "session": _SESSION,
    "project": _PROJECT,
    "alias": "Saturdays",
    "started_at": _BEGAN,
    "ended_at": _ENDED,
    "state": "confirmed",
    "checked_in_at": None,
    "checked_out_at": None,
    "minutes": 150,
    "changed_at": _THEN,
}
_line: Final = {
    "entry": _AWARD,
    "kind": "plain",
    "minutes": 150,
    "balance": 150,
    "other": "issued:1f4e8d2a93b64d0fa1c72b5e6f7a8b03",
    "happened_at": _ENDED,
    "recorded_at": _THEN,
    "reference": "6b5a49382716485f94e3d2c1b0af9e0a",
    "details": "",
}
_event: Final = {
    "id": "0192f3c4-5d6e-7f80-91a2-b3c4d5e6f713",
    "at": _THEN,
    "topic": "awarded",
    "project": _PROJECT,
    "object": _AWARD,
    "body": '{"minutes":150}',
    "delivered_at": None,
}
_act: Final = {
    "id": "0192f3c4-6e7f-7091-a2b3-c4d5e6f70814",
    "at": _NOW,
    "by": _KEY,
    "key": _KEY,
    "scope": "project",
    "holder": _HOLDER,
    "verb": "contact_read",
    "object": None,
}
_lists: Final = (
    *("helpers", "helping", "guardians", "children", "consents", "groups", "eligible", "remarks"),
    *("corrections", "vouchers", "notes", "credentials", "bookings"),
    *("gifts_given", "gifts_received", "pot_spends"),
    *("held", "keys", "acted", "cut"),
    *("roles", "passkeys", "recoveries", "vouched", "sign_ins", "letters"),
)

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    GuardianInput: {"guardian": _GUARDIAN},
    Guardian: _guardian,
    GuardianList: {"guardians": [_guardian]},
    ConsentInput: {"guardian": _GUARDIAN},
    Given: {
        "id": _CONSENT,
        "child": _CHILD,
        "guardian": _GUARDIAN,
        "given_at": _NOW,
        "ends_at": _IN_A_YEAR,
        "claims": 2,
        "minutes": 105,
    },
    Consent: _consent,
    Copy: {
        "made_at": _NOW,
        "person": {"id": _ANN, "holder": _HOLDER, "name": "Ann", "age_band": None, "created_at": _BEGAN},
        "contact": None,
        "preference": None,
        "available": 150,
        "on_hold": 0,
        **{name: [] for name in _lists},
        "attendance": [_attendance],
        "claims": [_claim],
        "wallet": [_line],
        "events": [_event],
        "acts": [_act],
    },
    ErasureInput: {"give_to": "community"},
    Erased: {"person": _ANN, "give_to": "community", "minutes": 90, "holds": 0, "erased_at": _NOW},
}
