"""Examples of what keeps the scheme running: its rules and their changes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.rules import RulesHistory, RulesInput, RulesShown
from ledger.scheme.rules import RuleChange, RulesVersion, Setting

_setting: Final = {
    "name": "daily_cap_minutes",
    "number": 3,
    "value": 420,
    "default": 480,
    "unit": "minutes",
    "least": 15,
    "most": 1440,
    "choices": [],
    "meaning": "Above this on one day, a second person looks before it is approved.",
    "enforced": True,
}
_change: Final = {"name": "daily_cap_minutes", "before": 480, "after": 420}
_version: Final = {
    "version": 2,
    "at": "2026-11-14T15:02:11.204518Z",
    "by": "9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02",
    "changes": [_change],
}

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    Setting: _setting,
    RulesShown: {"version": 2, "rules": [_setting]},
    RulesInput: {"daily_cap_minutes": 420},
    RuleChange: _change,
    RulesVersion: _version,
    RulesHistory: {"versions": [_version], "next": None},
}
