"""Examples of the journal, of redemptions and registers, and of who takes part."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.journal import Entry, Feed, TrialBalance
from ledger.doors.api.keys import CreatedKey, KeyInput
from ledger.doors.api.proofs import Consistency
from ledger.doors.api.redemptions import CaptureInput, QuoteInput, RedemptionInput, RefundInput
from ledger.doors.api.registers import LineInput, RegisterInput
from ledger.doors.api.vouchers import VoucherInput
from ledger.scheme.keys import Key
from ledger.scheme.redemptions import Redemption, Step
from ledger.scheme.registers import Newcomer, Recorded, Slip, Waiting
from ledger.scheme.tills import Quote
from ledger.scheme.vouchers import Claimed

_PERSON: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_HOLDER: Final = "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02"
_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_VENUE: Final = "c3a9d7e5-2f41-4b6c-9d8e-3f4a5b6c7d04"
_OFFER: Final = "7e6d5c4b-3a29-4187-b6a5-4c3d2e1f0a05"
_KEY: Final = "2a1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c06"
_AWARD: Final = "e0f1a2b3-c4d5-86f7-9081-92a3b4c5d607"
_SPENT: Final = "0a9b8c7d-6e5f-84d3-a2b1-c0d9e8f7a608"
_AGAIN: Final = "4b3a2918-0716-85f4-93e2-d1c0bfaead09"

# A card's code, of a scheme with another secret than yours.
_VISIT: Final = {
    "code": "7Q4M-2XKD-93G",
    "offer": _OFFER,
    "party": {"adults": 1, "children": 2},
}
_GIVEN: Final = "2026-11-14T12:30:00Z"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"

_entry: Final = {
    "position": 1,
    "id": _AWARD,
    "kind": "plain",
    "target": None,
    "happened_at": _GIVEN,
    "recorded_at": _THEN,
    "actor": _KEY,
    "reference": "6b5a49382716485f94e3d2c1b0af9e0a",
    "transfers": [
        {
            "debit": "issued:1f4e8d2a93b64d0fa1c72b5e6f7a8b03",
            "credit": "wallet:9b2f3c441d7a4c588f0b7a1e5d3c2b02",
            "minutes": 150,
            "debit_sequence": 1,
            "debit_balance": -150,
            "credit_sequence": 1,
            "credit_balance": 150,
        }
    ],
}
_waiting: Final = {
    "line": 1,
    "claim": "d1e2f3a4-b5c6-87d8-99ea-0b1c2d3e4f0c",
    "state": "submitted",
    "exceptions": ["above_second_approval"],
    "consent_needed": False,
}
_slip: Final = {
    "line": 2,
    "claim": "a5b6c7d8-e9f0-8a1b-8c2d-3e4f5a6b7c0d",
    "minutes": 150,
    "code": "7KQ2-M4XT-9B3",
}
_key: Final = {
    "id": _KEY,
    "scope": "venue",
    "object": _VENUE,
    "device": "0e1f2a3b-4c5d-4e6f-8a7b-9c0d1e2f3a15",
    "person": None,
    "label": "the till at the pool",
    "created_at": _THEN,
    "expires_at": "2027-11-14T15:02:11.204518Z",
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    LineInput: {"person": _PERSON, "minutes": 150},
    Waiting: _waiting,
    Newcomer: {"line": 3, "person": _PERSON},
    VoucherInput: {"code": _slip["code"], "person": _PERSON},
    Claimed: {"id": _AGAIN, "claim": _slip["claim"], "batch": None, "minutes": 150, "recorded_at": _NOW},
    Slip: _slip,
    RegisterInput: {
        "started_at": "2026-11-14T10:00:00Z",
        "ended_at": _GIVEN,
        "lines": [
            {"person": _PERSON, "minutes": 150},
            {"person": "8c7d6e5f-4a3b-4c2d-9e1f-0a1b2c3d4e0b", "minutes": 420},
            {"voucher": "Sam, in the blue jumper", "minutes": 150},
        ],
    },
    Recorded: {
        "id": "6b5a4938-2716-485f-94e3-d2c1b0af9e0a",
        "project": _PROJECT,
        "lines": 3,
        "awarded": 150,
        "paper": 150,
        "waiting": 420,
        "claims": [_AWARD, _waiting["claim"], _slip["claim"]],
        "attention": [_waiting],
        "newcomers": [],
        "vouchers": [_slip],
        "recorded_at": _THEN,
    },
    QuoteInput: _VISIT,
    Quote: {
        "accepted": True,
        "minutes": 180,
        "places": 3,
        "name": "Ann",
        "offer": _OFFER,
        "booking": None,
        "reason": None,
        "detail": None,
        "visitor": None,
        "works_at": None,
    },
    RedemptionInput: {**_VISIT, "name_checked": True, "capture": True},
    Redemption: {
        "id": _SPENT,
        "status": "captured",
        "offer": _OFFER,
        "minutes": 60,
        "captured": 60,
        "refunded": 0,
        "recorded_at": _NOW,
    },
    CaptureInput: {"minutes": 45},
    RefundInput: {"minutes": 30},
    Step: {"id": _AGAIN, "redemption": _SPENT, "kind": "refund", "minutes": 30, "recorded_at": _NOW},
    KeyInput: {"scope": "venue", "object": _VENUE, "label": "the till at the pool"},
    CreatedKey: {**_key, "token": "tc_live_..."},
    Key: {**_key, "revoked_at": None},
    Entry: _entry,
    Feed: {"entries": [_entry]},
    TrialBalance: {
        "kinds": [
            {"kind": "issued", "balance": -150, "floor": None},
            {"kind": "redeemed", "balance": 60, "floor": 0},
            {"kind": "wallet", "balance": 90, "floor": 0},
        ],
        "total": 0,
    },
    Consistency: {"old": 3, "new": 4, "path": ["xXIIFsCdQrRZyl/EAHmiIylY5kjTGGZBdwQ5BgVuM7U="]},
}
