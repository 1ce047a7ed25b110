"""A journal in memory for the judge, and a party whose visit was put on hold there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ledger.journal.entries import Entry, Kind
from ledger.journal.judge import State, judge
from tests.journal.conftest import CHART, NOON, Move, award, entry

if TYPE_CHECKING:
    from ledger.journal.entries import Outcome


def empty() -> State:
    return State(chart=CHART, batch=UUID(int=0), recorded_at=NOON - timedelta(days=1))


def outcomes_of(*entries: Entry) -> list[Outcome]:
    return judge(empty(), entries, NOON).outcomes


def balances(state: State) -> dict[str, tuple[int, int]]:
    """Balance and sequence of every account that has been opened."""
    return {name: (account.balance, account.sequence) for name, account in state.accounts.items() if account.id}


def took(key: str, *moves: Move, of: str) -> Entry:
    return entry(key, *moves, kind=Kind.CAPTURE, of=of)


PARTY = entry(
    "party",
    ("wallet:ann", "held:ann", 60),
    ("wallet:bob", "held:bob", 30),
    ("pot:club", "held_pot:club", 90),
    kind=Kind.HOLD,
)
FUNDS = (award("a", "ann", 60), award("b", "bob", 60), entry("c", ("issued:shed", "pot:club", 90)))
