"""Examples of bookings: Ann books a swim for herself and two children, and the pool expects them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.bookings import BookingPage, CancelInput, ExpectedPage, VisitChange, VisitInput
from ledger.scheme.bookings import Booked, Returned
from ledger.scheme.diary import Booking, Expected

_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_OFFER: Final = "7e6d5c4b-3a29-4817-b6a5-948372615f05"
_BOOKING: Final = "4d3c2b1a-0f9e-88d7-86c5-b4a392817015"
_THEN: Final = "2026-11-21T16:40:05.118230Z"
_VISIT: Final = "2026-11-28T10:00:00Z"

_party: Final = {"adults": 1, "children": 2, "young": 0, "companion": False}
_what: Final = {
    "id": _BOOKING,
    "offer": _OFFER,
    "title": "A swim",
    "site": None,
    "occasion": None,
    "visit_at": _VISIT,
    "party": _party,
    "minutes": 180,
    "status": "authorised",
}
_booking: Final = {
    **_what,
    "person": _ANN,
    "venue": "c3a9d7e5-2f41-4b6c-9d8e-3f4a5b6c7d04",
    "venue_name": "Parkside pool",
    "course": None,
    "cancel_until": "2026-11-27T10:00:00Z",
    "group": None,
    "made_at": _THEN,
    "code": "7K3M-Q9TD-4HX",
}
_expected: Final = {**_what, "first_name": "Ann"}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    VisitInput: {"person": _ANN, "offer": _OFFER, "visit_at": _VISIT, "party": _party},
    VisitChange: {"visit_at": "2026-11-28T11:00:00Z"},
    CancelInput: {"course": False},
    Booking: _booking,
    Booked: {"id": _BOOKING, "minutes": 180, "bookings": [_booking]},
    Returned: {
        "entry": "8a7b6c5d-4e3f-8210-a9b8-c7d6e5f4a316",
        "bookings": [_BOOKING],
        "minutes": 180,
        "at": _THEN,
    },
    BookingPage: {"bookings": [_booking], "next": None},
    Expected: _expected,
    ExpectedPage: {"bookings": [_expected], "next": None},
}
