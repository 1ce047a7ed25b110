"""Examples of projects, what a funder grants them, opportunities, sessions and who came."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.opportunities import OpportunityChange, OpportunityInput, OpportunityPage
from ledger.doors.api.projects import AllocationPage, GrantInput, ProjectChange, ProjectInput, ProjectPage
from ledger.doors.api.sessions import (
    AttendancePage,
    BookingInput,
    MomentInput,
    Planned,
    SessionInput,
    SessionPage,
)
from ledger.scheme.allocations import Allocation, Allotted, Grant
from ledger.scheme.attendances import Attendance
from ledger.scheme.opportunities import Opportunity
from ledger.scheme.projects import Project
from ledger.scheme.sessions import Session

_PERSON: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_PROJECT: Final = "1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03"
_OPPORTUNITY: Final = "3c5e7a9b-1d2f-4a6c-8e0b-5d7f9a1c3e10"
_SESSION: Final = "6b5a4938-2716-485f-94e3-d2c1b0af9e0a"
_GRANT: Final = "a7b8c9d0-e1f2-83a4-95b6-c7d8e9f0a111"
_CLAIM: Final = "0191d2f4-7c1e-7000-8000-5b1d2a3c4d12"
_THEN: Final = "2026-10-30T09:15:00.204518Z"

_project: Final = {
    "id": _PROJECT,
    "name": "Repair cafe",
    "alias": "Saturdays",
    "status": "active",
    "sensitive": False,
    "created_at": _THEN,
}
_grant: Final = {"id": _GRANT, "funder": "The county council", "minutes": 60_000, "at": _THEN}
_allocation: Final = {"granted": 60_000, "left": 47_400, "used_percent": 21}
_details: Final = {
    "title": "Mend a lamp with us",
    "description": "We sit at a long table and mend what people bring. Nobody has to talk.",
    "kind": "weekly",
    "minutes": 150,
    "place": "The hall on Mill Road",
    "district": "CB1",
    "tags": ["low_talk", "step_free", "buddy"],
    "prerequisites": "",
    "joining_pence": 0,
    "donation_note": "",
    "referral": "self_or_referred",
    "places": 12,
}
_opportunity: Final = {
    **_details,
    "id": _OPPORTUNITY,
    "project": _PROJECT,
    "alias": "Saturdays",
    "status": "published",
    "created_at": _THEN,
    "changed_at": _THEN,
}
_session: Final = {
    "id": _SESSION,
    "project": _PROJECT,
    "opportunity": _OPPORTUNITY,
    "started_at": "2026-11-14T10:00:00Z",
    "ended_at": "2026-11-14T12:30:00Z",
    "places": 12,
    "taken": 9,
    "cancelled_at": None,
}
_attendance: Final = {
    "session": _SESSION,
    "person": _PERSON,
    "name": "Ann",
    "state": "checked_out",
    "checked_in_at": "2026-11-14T10:02:40Z",
    "checked_out_at": "2026-11-14T12:31:05Z",
    "minutes": 150,
    "claim": _CLAIM,
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    ProjectInput: {"name": "Repair cafe", "alias": "Saturdays", "status": "active", "sensitive": False},
    ProjectChange: {"alias": "The long table"},
    Project: _project,
    ProjectPage: {"projects": [_project], "next": None},
    GrantInput: {"funder": "The county council", "minutes": 60_000},
    Allotted: {"id": _GRANT, "project": _PROJECT, "minutes": 60_000, "at": _THEN},
    Grant: _grant,
    Allocation: _allocation,
    AllocationPage: {"allocation": _allocation, "grants": [_grant], "next": None},
    OpportunityInput: _details,
    OpportunityChange: {"minutes": None, "tags": ["low_talk", "step_free", "seated"]},
    Opportunity: _opportunity,
    OpportunityPage: {"opportunities": [_opportunity], "next": None},
    SessionInput: {
        "opportunity": _OPPORTUNITY,
        "started_at": "2026-11-14T10:00:00Z",
        "ended_at": "2026-11-14T12:30:00Z",
        "repeat": 6,
    },
    Session: _session,
    Planned: {"sessions": [_session]},
    SessionPage: {"sessions": [_session], "next": None},
    BookingInput: {"person": _PERSON},
    MomentInput: {"at": "2026-11-14T12:31:05Z"},
    Attendance: _attendance,
    AttendancePage: {"attendances": [_attendance], "next": None},
}
