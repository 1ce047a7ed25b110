"""One example of each body, as the documentation shows it: Ann gives two hours and a half and goes for a swim.

A test holds them to their Structs: a field added there and forgotten here fails.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.journal import Entry, Feed, TrialBalance
from ledger.doors.api.keys import CreatedKey, KeyInput
from ledger.doors.api.parties import OfferInput, ProjectInput, VenueInput
from ledger.doors.api.people import PersonInput, Statement, StatementLine
from ledger.doors.api.proofs import Consistency
from ledger.doors.api.redemptions import CaptureInput, RedemptionInput, RefundInput
from ledger.doors.api.registers import LineInput, RegisterInput
from ledger.scheme.hours import Recorded, Reversed
from ledger.scheme.keys import Key
from ledger.scheme.offers import Offer
from ledger.scheme.people import Balance, Person
from ledger.scheme.projects import Project
from ledger.scheme.redemptions import Redemption, Step
from ledger.scheme.venues import Venue

_PERSON: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_HOLDER: Final = "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02"
_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_VENUE: Final = "c3a9d7e5-2f41-4b6c-9d8e-3f4a5b6c7d04"
_OFFER: Final = "7e6d5c4b-3a29-4187-b6a5-4c3d2e1f0a05"
_KEY: Final = "2a1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c06"
_AWARD: Final = "e0f1a2b3-c4d5-86f7-9081-92a3b4c5d607"
_SPENT: Final = "0a9b8c7d-6e5f-84d3-a2b1-c0d9e8f7a608"
_AGAIN: Final = "4b3a2918-0716-85f4-93e2-d1c0bfaead09"

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
_line: Final = {
    "entry": _SPENT,
    "kind": "plain",
    "minutes": -60,
    "balance": 90,
    "other": "redeemed:c3a9d7e52f414b6c9d8e3f4a5b6c7d04",
    "happened_at": _NOW,
    "recorded_at": _NOW,
}
_key: Final = {
    "id": _KEY,
    "scope": "venue",
    "object": _VENUE,
    "label": "the till at the pool",
    "created_at": _THEN,
    "expires_at": "2027-11-14T15:02:11.204518Z",
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    PersonInput: {"name": "Ann"},
    Person: {"id": _PERSON, "holder": _HOLDER, "name": "Ann", "created_at": _THEN},
    Balance: {"available": 90, "held": 0},
    StatementLine: _line,
    Statement: {"lines": [_line], "next": None},
    ProjectInput: {"name": "Repair cafe", "alias": "Saturdays"},
    Project: {
        "id": _PROJECT,
        "name": "Repair cafe",
        "alias": "Saturdays",
        "status": "active",
        "created_at": _THEN,
    },
    LineInput: {"person": _PERSON, "minutes": 150},
    RegisterInput: {
        "started_at": "2026-11-14T10:00:00Z",
        "ended_at": _GIVEN,
        "lines": [{"person": _PERSON, "minutes": 150}],
    },
    Recorded: {
        "id": "6b5a4938-2716-485f-94e3-d2c1b0af9e0a",
        "project": _PROJECT,
        "lines": 1,
        "minutes": 150,
        "awards": [_AWARD],
        "recorded_at": _THEN,
    },
    Reversed: {"id": _AGAIN, "award": _AWARD, "minutes": 150, "recorded_at": _NOW},
    VenueInput: {"name": "Parkside pool"},
    Venue: {"id": _VENUE, "name": "Parkside pool", "status": "active", "created_at": _THEN},
    OfferInput: {"title": "A swim", "price": 60},
    Offer: {
        "id": _OFFER,
        "venue": _VENUE,
        "title": "A swim",
        "price": 60,
        "status": "published",
        "created_at": _THEN,
    },
    RedemptionInput: {"offer": _OFFER, "holder": _HOLDER, "capture": True},
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
