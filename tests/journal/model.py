"""A small sequential model of the journal, which shares no code with it, and the words in which both are asked.

It knows what product.md and the docstring of `entries` say, and nothing of how it is done: dictionaries, one entry
after the other.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ledger.journal.entries import Entry, Kind, Outcome, Posted, Refused, Transfer
from tests.journal.conftest import NOON, PRINCIPAL, id_of

Move = tuple[str, str, int]


class Asked(NamedTuple):
    """What somebody asks, in words that belong neither to the journal nor to the model."""

    key: str
    kind: str
    moves: tuple[Move, ...] = ()
    of: str | None = None
    details: str = ""
    refused: str = ""
    least: int | None = None  # below which its first move may not take an account

    def entry(self, run: str = "") -> Entry:
        """The same for the journal; `run` keeps two runs in one journal apart."""
        return Entry(
            id=id_of(run + self.key),
            kind=Kind(self.kind),
            transfers=tuple(
                Transfer(_apart(debit, run), _apart(credit, run), minutes, self.least if number == 0 else None)
                for number, (debit, credit, minutes) in enumerate(self.moves)
            ),
            target=None if self.of is None else id_of(run + self.of),
            happened_at=NOON,
            actor=PRINCIPAL,
            details=self.details,
            refused=self.refused,
        )


def _apart(account: str, run: str) -> str:
    return f"{account}.{run}" if run and ":" in account else account


Told = tuple[Any, ...]
RESOLVING = ("capture", "void", "lapse")


class Fact(NamedTuple):
    """Something that the model posted."""

    asked: Asked
    moves: list[Move]
    recorded_at: datetime


class Model:
    """The journal as one would explain it: one entry after the other, dictionaries, and no floor below zero."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.answers: dict[str, tuple[Asked, Told]] = {}
        self.erased: set[str] = set()
        self.now = datetime(1970, 1, 1, tzinfo=UTC)

    def copy(self) -> Model:
        other = Model()
        other.facts, other.answers, other.erased, other.now = [*self.facts], {**self.answers}, {*self.erased}, self.now
        return other

    def balances(self) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for fact in self.facts:
            for debit, credit, minutes in fact.moves:
                sums[debit] -= minutes
                sums[credit] += minutes
        return sums

    def ask(self, asked: Asked, clock: datetime) -> Told:
        self.now = max(self.now, clock)
        if asked.key in self.answers:
            first, answer = self.answers[asked.key]
            return (*answer, "again") if self._same(first, asked, answer) else ("no", "key_reused")
        answer = self._judge(asked)
        if answer[0] == "yes" or answer[1] not in MALFORMED:
            self.answers[asked.key] = asked, answer
        return answer

    def _same(self, first: Asked, then: Asked, answer: Told) -> bool:
        if answer[0] == "yes":
            if then.kind != first.kind and not then.refused:
                return False
            if then.of != first.of and (then.of is not None or not then.refused):
                return False
            if first.key in self.erased:
                return True
        if first.details or then.details:
            return first.details == then.details
        return (first.kind, first.moves, first.of) == (then.kind, then.moves, then.of) or (
            answer[0] == "yes" and first.moves == then.moves and first.of == then.of
        )

    def _judge(self, asked: Asked) -> Told:
        if asked.refused:
            return "no", asked.refused
        wrong = _malformed(asked)
        if wrong:
            return "no", wrong
        moves: list[Move] | str = list(asked.moves)
        if asked.of is not None:
            found = [fact for fact in self.facts if fact.asked.key == asked.of]
            moves = self._against(asked, found[0]) if found else "target_unknown"
        if isinstance(moves, str):
            return "no", moves
        return self._move(asked, moves)

    def _move(self, asked: Asked, moves: list[Move]) -> Told:
        if any(name.startswith("purse") for move in moves for name in move[:2]):
            return "no", "account_kind_unknown"
        balances = self.balances()
        for number, (debit, credit, minutes) in enumerate(moves):
            balances[debit] -= minutes
            balances[credit] += minutes
            if balances[debit] < 0 and not debit.startswith("issued"):
                return "no", "insufficient"
            if number == 0 and asked.least is not None and asked.moves and balances[debit] < asked.least:
                return "no", "insufficient"
        self.facts.append(Fact(asked, moves, self.now))
        return "yes", len(self.facts), tuple(moves)

    def _against(self, asked: Asked, target: Fact) -> list[Move] | str:
        done = [fact for fact in self.facts if fact.asked.of == target.asked.key]
        if asked.kind in RESOLVING:
            return self._resolve(asked, target, done)
        wanted = {"plain"} if asked.kind == "reversal" else {"plain", "capture"}
        if target.asked.kind not in wanted:
            return "target_of_other_kind"
        if any(fact.asked.kind == "reversal" for fact in done):
            return "already_reversed"
        if asked.kind == "refund":
            return self._refund(asked, target, done)
        if done:
            return "already_refunded"
        return [(credit, debit, minutes) for debit, credit, minutes in reversed(target.moves)]

    @staticmethod
    def _resolve(asked: Asked, target: Fact, done: list[Fact]) -> list[Move] | str:
        if target.asked.kind != "hold":
            return "target_of_other_kind"
        if done:
            return "already_resolved"
        left = {held: (minutes, wallet) for wallet, held, minutes in target.moves}
        for debit, _, minutes in asked.moves:
            there, back_to = left.get(debit, (0, ""))
            if minutes > there:
                return "exceeds_hold"
            left[debit] = there - minutes, back_to
        return [*asked.moves, *((held, wallet, minutes) for held, (minutes, wallet) in left.items() if minutes)]

    @staticmethod
    def _refund(asked: Asked, target: Fact, done: list[Fact]) -> list[Move] | str:
        got: dict[str, int] = defaultdict(int)
        # A capture's rest went back to a wallet: that is no part of what the venue got.
        for _, credit, minutes in target.moves[: len(target.asked.moves)]:
            got[credit] += minutes
        for debit, _, minutes in [*(move for fact in done for move in fact.moves), *asked.moves]:
            got[debit] -= minutes
            if got[debit] < 0:
                return "exceeds_capture"
        return list(asked.moves)


MALFORMED = {
    *("no_transfers", "same_account", "minutes_out_of_range", "transfers_are_derived", "target_missing"),
    *("hold_ambiguous", "account_kind_unknown"),
}


def _malformed(asked: Asked) -> str | None:
    if asked.kind in {"void", "lapse", "reversal"}:
        return "transfers_are_derived" if asked.moves else None
    if not asked.moves:
        return "no_transfers"
    if any(minutes < 1 for _, _, minutes in asked.moves):
        return "minutes_out_of_range"
    if any(debit == credit for debit, credit, _ in asked.moves):
        return "same_account"
    if asked.kind in {"capture", "refund"} and asked.of is None:
        return "target_missing"
    credits_ = [credit for _, credit, _ in asked.moves]
    return "hold_ambiguous" if asked.kind == "hold" and len({*credits_}) < len(credits_) else None


def told(outcome: Outcome) -> Told:
    """What the journal said, in the model's words."""
    again = ("again",) if getattr(outcome, "replayed", False) else ()
    if isinstance(outcome, Posted):
        moves = tuple((moved.debit, moved.credit, moved.minutes) for moved in outcome.transfers)
        return ("yes", outcome.position, moves, *again)
    assert isinstance(outcome, Refused), outcome
    return ("no", str(outcome.reason), *again)
