"""Examples of people, of those who help them, and of groups: Bob helps Ann, and both garden."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.groups import GroupInput, GroupPage, MemberInput
from ledger.doors.api.helping import HelperInput, HelperList
from ledger.doors.api.people import (
    ActPage,
    ContactChange,
    ContactInput,
    PeoplePage,
    PersonChange,
    PersonInput,
    Statement,
    StatementLine,
)
from ledger.doors.api.preferences import PreferenceChange
from ledger.scheme.acts import Act
from ledger.scheme.groups import Group, Member, Membership
from ledger.scheme.helping import Helper
from ledger.scheme.people import Balance, Contact, Person
from ledger.scheme.preferences import Preference

_ANN: Final = "5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01"
_BOB: Final = "8c7d6e5f-4a3b-4c2d-9e1f-0a1b2c3d4e0b"
_THEN: Final = "2026-11-14T15:02:11.204518Z"
_NOW: Final = "2026-11-21T16:40:05.118230Z"

_reach: Final = {
    "email": "ann@example.org",
    "phone": "+44 1223 496 0000",
    "address": "3 Mill Lane\nCambridge",
    "channel": "text",
    "safe": None,
}
_contact: Final = {
    **_reach,
    "caution": "We don't know whether it is safe to contact them here: ask them first.",
}
_named: Final = {
    "id": _ANN,
    "holder": "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02",
    "name": "Ann",
    "created_at": _THEN,
    "age_band": "18_and_over",
}
_line: Final = {
    "entry": "0a9b8c7d-6e5f-84d3-a2b1-c0d9e8f7a608",
    "kind": "plain",
    "minutes": -60,
    "balance": 90,
    "other": "redeemed:c3a9d7e52f414b6c9d8e3f4a5b6c7d04",
    "happened_at": _NOW,
    "recorded_at": _NOW,
}
_helper: Final = {
    "id": "0193a2b4-c5d6-7e8f-9a0b-1c2d3e4f5a10",
    "helped": _ANN,
    "helper": _BOB,
    "may": ["balance", "book"],
    "began_at": _THEN,
    "ended_at": None,
}
_act: Final = {
    "id": "0193c7d8-e9fa-7b1c-8d2e-3f4a5b6c7d11",
    "at": _NOW,
    "by": "1b2c3d4e-5f6a-4b7c-8d9e-0f1a2b3c4d12",
    "person": _BOB,
    "key": "2c3d4e5f-6a7b-4c8d-9e0f-1a2b3c4d5e13",
    "scope": "person",
    "verb": "balance_read",
    "holder": "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02",
    "object": None,
    "device": None,
}
_group: Final = {"id": "3d4e5f6a-7b8c-4d9e-8f0a-2b3c4d5e6f14", "name": "Tuesday gardeners", "created_at": _THEN}
_member: Final = {"person": _ANN, "name": "Ann", "keyholder": True, "joined_at": _THEN}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    ContactInput: _reach,
    PersonInput: {"name": "Ann", "age_band": "18_and_over", "contact": {"phone": "+44 1223 496 0000"}},
    ContactChange: {"email": None, "safe": True},
    PersonChange: {"name": "Annie", "contact": {"email": None, "safe": True}},
    Contact: _contact,
    Person: {**_named, "contact": _contact},
    PeoplePage: {"people": [_named], "next": None},
    Balance: {"available": 90, "held": 0},
    StatementLine: _line,
    Statement: {"lines": [_line], "next": None},
    Act: _act,
    ActPage: {"acts": [_act], "next": None},
    HelperInput: {"helper": _BOB, "may": ["balance", "book"]},
    Helper: _helper,
    HelperList: {"helpers": [_helper]},
    PreferenceChange: {"large_print": True, "milestones": [10, 50, 100]},
    Preference: {
        "language": "en",
        "large_print": True,
        "quiet": False,
        "paused_at": None,
        "named": True,
        "milestones": [10, 50, 100],
    },
    GroupInput: {"name": "Tuesday gardeners"},
    Group: _group,
    GroupPage: {"groups": [_group], "next": None},
    MemberInput: {"keyholder": True},
    Member: _member,
    Membership: {**_group, "members": [_member]},
}
