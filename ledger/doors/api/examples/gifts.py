"""Examples of gifts and pots: Ann gives Bob two credits, and the gardeners have a pot."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.gifts import GiftInput, GiftPage, PotGiftInput
from ledger.doors.api.pots import PassOnInput, PotDecisionInput, PotSpendInput, PotSpendPage
from ledger.scheme.gifts import Gift, GiftStep, GivenToPot, Offered
from ledger.scheme.pot_spends import PotSpend, PotSpendStep
from ledger.scheme.pots import CommunityPot, PassedOn, Pot

_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_BOB: Final = "8c7d6e5f-4a3b-4c2d-9e1f-0a1b2c3d4e0b"
_GROUP: Final = "3d4e5f6a-7b8c-4d9e-8f0a-2b3c4d5e6f14"
_GIFT: Final = "0193c7d8-e9fa-8b1c-8d2e-3f4a5b6c7d20"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"
_LAPSES: Final = "2026-12-14T15:02:11.204518Z"

_words: Final = "Happy birthday!"
_gift: Final = {
    "id": _GIFT,
    "state": "accepted",
    "minutes": 120,
    "giver": _ANN,
    "giver_name": "Ann",
    "receiver": _BOB,
    "receiver_name": "Bob",
    "words": _words,
    "offered_at": _THEN,
    "lapses_at": _LAPSES,
    "settled_at": _NOW,
}

_offer: Final = {
    "person": _BOB,
    "offer": "e5d4c3b2-a190-4f8e-9d7c-6b5a49382705",
    "visit_at": "2026-12-05T14:00:00Z",
    "occasion": None,
    "party": {"adults": 8, "children": 4, "young": 0, "companion": False},
}
_spend: Final = {
    "id": "0193c7d8-e9fa-7b1c-8d2e-3f4a5b6c7d21",
    "group": _GROUP,
    "state": "booked",
    "minutes": 1440,
    **_offer,
    "proposed_by": _ANN,
    "proposed_at": _THEN,
    "lapses_at": "2026-11-28T15:02:11.204518Z",
    "agreed_by": _BOB,
    "decided_at": _NOW,
    "booking": "0193c7d8-e9fa-8b1c-8d2e-3f4a5b6c7d22",
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    GiftInput: {"receiver": _BOB, "minutes": 120, "words": _words},
    Offered: {
        "id": _GIFT,
        "giver": _ANN,
        "receiver": _BOB,
        "minutes": 120,
        "offered_at": _THEN,
        "lapses_at": _LAPSES,
    },
    Gift: _gift,
    GiftPage: {"gifts": [_gift], "next": None},
    GiftStep: {"gift": _GIFT, "state": "accepted", "minutes": 120, "at": _NOW},
    PotGiftInput: {"giver": _ANN, "minutes": 60},
    GivenToPot: {"id": _GIFT, "giver": _ANN, "group": _GROUP, "minutes": 60, "at": _NOW},
    Pot: {"group": _GROUP, "available": 540, "held": 60},
    PotSpendInput: {"keyholder": _ANN, **_offer},
    PotSpendStep: {
        "spend": _spend["id"],
        "state": "booked",
        "minutes": 1440,
        "booking": _spend["booking"],
        "at": _NOW,
    },
    PotDecisionInput: {"keyholder": _BOB},
    PotSpend: _spend,
    PotSpendPage: {"spends": [_spend], "next": None},
    CommunityPot: {"available": 1260},
    PassOnInput: {"person": _BOB, "minutes": 120, "reason": "welcome"},
    PassedOn: {"id": _GIFT, "person": _BOB, "minutes": 120, "at": _NOW},
}
