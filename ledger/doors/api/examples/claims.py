"""Examples of claims, their approval and corrections: Ann says that she gave two hours and forty minutes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.approvals import ApprovalInput, CorrectionInput, WordsInput
from ledger.doors.api.claims import ChangeInput, ClaimInput, ClaimsPage, SubmissionInput
from ledger.scheme.approvals import Approved, Decision
from ledger.scheme.claiming import Checked
from ledger.scheme.claims import Claim, ClaimInFull, ClaimStep, CorrectionLine, Remark
from ledger.scheme.corrections import Correction

_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_CLAIM: Final = "3c2d1e0f-a9b8-87c6-95d4-e3f2a1b0c90e"
_OTHER: Final = "d1e2f3a4-b5c6-87d8-99ea-0b1c2d3e4f0c"
_CORRECTION: Final = "8e7f6a5b-4c3d-82e1-b0f9-a8b7c6d5e40f"

_BEGAN: Final = "2026-11-14T10:00:00Z"
_ENDED: Final = "2026-11-14T12:40:00Z"
_TOLD: Final = "2026-11-14T18:20:31.550142Z"
_DECIDED: Final = "2026-11-16T09:12:07.031877Z"

_step: Final = {
    "id": _CLAIM,
    "state": "submitted",
    "minutes": 165,
    "exceptions": [],
    "second_needed": False,
    "recorded_at": _TOLD,
}
_claim: Final[dict[str, Any]] = {
    "id": _CLAIM,
    "project": _PROJECT,
    "person": "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01",
    "name": "Ann",
    "session": None,
    "started_at": _BEGAN,
    "ended_at": _ENDED,
    "minutes": 165,
    "counts": 150,
    "source": "claim",
    "state": "approved",
    "exceptions": [],
    "explained": [],
    "second_needed": False,
    "approved_at": _DECIDED,
    "awarded": True,
    "consent_needed": False,
    "created_at": _TOLD,
    "changed_at": _DECIDED,
    "overlapping": False,
    "asked": False,
}
_remark: Final = {"kind": "note", "body": "I stayed to sweep up.", "at": _TOLD}
_correction: Final = {
    "id": _CORRECTION,
    "before": 165,
    "after": 150,
    "goodwill": 0,
    "reason": "We closed at half past twelve.",
    "at": _DECIDED,
}
_decision: Final = {"claim": _CLAIM, "outcome": "awarded"}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    ClaimInput: {
        "project": _PROJECT,
        "started_at": _BEGAN,
        "ended_at": _ENDED,
        "minutes": 165,
        "note": "I stayed to sweep up.",
    },
    ChangeInput: {"ended_at": "2026-11-14T12:30:00Z"},
    SubmissionInput: {"note": "It was the Saturday, not the Sunday."},
    Checked: {
        "minutes": 165,
        "state": "submitted",
        "exceptions": [],
        "second_needed": False,
        "explained": ["2 hours 40 becomes 2 hours 45."],
    },
    ClaimStep: _step,
    Claim: _claim,
    Remark: _remark,
    CorrectionLine: _correction,
    ClaimInFull: {
        **_claim,
        "remarks": [_remark],
        "corrections": [_correction],
        "overlaps": [],
        "overlaps_elsewhere": False,
    },
    ClaimsPage: {"claims": [_claim], "next": None},
    ApprovalInput: {"claims": [_CLAIM, _OTHER]},
    Decision: _decision,
    Approved: {
        "project": _PROJECT,
        "decisions": [_decision, {"claim": _OTHER, "outcome": "has_exceptions"}],
        "minutes": 165,
        "recorded_at": _DECIDED,
    },
    WordsInput: {"text": "Was that the Saturday or the Sunday?"},
    CorrectionInput: {"minutes": 150, "reason": "We closed at half past twelve."},
    Correction: {
        "id": _CORRECTION,
        "claim": _CLAIM,
        "before": 165,
        "after": 150,
        "goodwill": 0,
        "recorded_at": _DECIDED,
    },
}
