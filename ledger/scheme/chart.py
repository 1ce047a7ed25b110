"""The chart of accounts: each kind with its floor in minutes, ``None`` where there is none, and what it counts.

The same stands in ``journal.kind`` (``db/sql/scheme.sql``), and a test holds them equal. Everything scarce is an
account with a floor, so one mechanism judges all of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

CHART: Mapping[str, int | None] = MappingProxyType(
    {
        "issued": None,
        "opening": None,
        "goodwill": None,
        "allocation": 0,
        "cap": None,
        "wallet": 0,
        "held": 0,
        "pot": 0,
        "held_pot": 0,
        "transit": 0,
        "paper": 0,
        "allowance": None,
        "held_allowance": 0,
        "honoured": 0,
        "limit": None,
        "held_limit": 0,
        "counted": 0,
        "redeemed": 0,
        "expired": 0,
        "surrendered": 0,
    }
)

# Places, limits and funders' caps are counted in the journal, so that one mechanism judges everything scarce. They are
# no credits: exports keep them apart by these names.
COMMODITIES: Mapping[str, str] = MappingProxyType(
    {
        "allowance": "PLACE",
        "held_allowance": "PLACE",
        "honoured": "PLACE",
        "limit": "LIMIT-MIN",
        "held_limit": "LIMIT-MIN",
        "counted": "LIMIT-MIN",
        "allocation": "ALLOCATION-MIN",
        "cap": "ALLOCATION-MIN",
    }
)

# The one pot that is no group's: the community's.
COMMUNITY: Final = "pot:community"


def account(kind: str, owner: UUID) -> str:
    """The account's name in the journal; the owner is its 32 hexadecimal digits."""
    return f"{kind}:{owner.hex}"
