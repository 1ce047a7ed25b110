"""Examples of what comes on paper or from before: ten vouchers for the choir, two old notes, and a list."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.notes import NoteInput, NotesInput
from ledger.doors.api.openings import OpeningInput, OpeningLineInput
from ledger.doors.api.paper import BatchPage, PrintingInput
from ledger.scheme.notes import Taken
from ledger.scheme.openings import Opened
from ledger.scheme.paper import Batch, BatchCodes, BatchCount, Voided, VoucherCode

_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_BOB: Final = "8c7d6e5f-4a3b-4c2d-9e1f-0a1b2c3d4e0b"
_BATCH: Final = "0193a2b4-c5d6-8e8f-9a0b-1c2d3e4f5a30"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"

_printing: Final = {"group": None, "label": "Winter swims", "minutes": 60, "count": 10, "last_day": "2027-03-31"}
_batch: Final = {"id": _BATCH, **_printing, "printed_at": _THEN, "ended_at": None}
_code: Final = {"id": "0193a2b4-c5d6-7e8f-9a0b-1c2d3e4f5a31", "code": "7G2K-M9QX-4TB"}
_note: Final = {"serial": "SP-104 882", "minutes": 60}
_line: Final = {"person": _ANN, "minutes": 150}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    PrintingInput: _printing,
    Batch: _batch,
    BatchPage: {"batches": [_batch], "next": None},
    BatchCount: {**_batch, "used": 3, "left": 7, "returned": 0},
    VoucherCode: _code,
    BatchCodes: {"id": _BATCH, "label": "Winter swims", "minutes": 60, "last_day": "2027-03-31", "vouchers": [_code]},
    Voided: {"id": "0193c7d8-e9fa-8b1c-8d2e-3f4a5b6c7d32", "batch": _BATCH, "minutes": 420, "ended_at": _NOW},
    NoteInput: _note,
    NotesInput: {"person": _ANN, "notes": [_note, {"serial": "SP-104 883", "minutes": 60}]},
    Taken: {
        "id": "0193c7d8-e9fa-8b1c-8d2e-3f4a5b6c7d33",
        "person": _ANN,
        "notes": 2,
        "minutes": 120,
        "recorded_at": _NOW,
    },
    OpeningLineInput: _line,
    OpeningInput: {"source": "timebank", "lines": [_line, {"name": "Bob", "minutes": 45}]},
    Opened: {
        "id": "0193c7d8-e9fa-8b1c-8d2e-3f4a5b6c7d34",
        "source": "timebank",
        "lines": 2,
        "minutes": 195,
        "newcomers": [{"line": 1, "person": _BOB}],
        "recorded_at": _NOW,
    },
}
