"""The judge: decides, in memory and in order, what becomes of each entry of a batch.

Pure: no I/O, no clock, no randomness. ``judge`` takes the state that was read and the entries that ask, and returns
one outcome for each. Whatever an entry is refused for, the others are judged as if it had never come; so a batch
gives what the same entries give one at a time. ``State`` is changed as it goes along and is, afterwards, what the
journal holds once the batch is written.

An entry is judged in four steps, top to bottom:

1. an id seen before gets the earlier outcome (or ``key_reused``, when its content differs);
2. what is malformed is refused, and nothing is kept of it;
3. what stands against the state is refused, and that stays with the key;
4. *after this point it must succeed*: balances move, and the entry takes the next position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.journal.entries import (
    DETAILS_BYTES_MAX,
    KEPT,
    MINUTES_MAX,
    REFERENCE_BYTES_MAX,
    TRANSFERS_MAX,
    Chart,
    Entry,
    Kind,
    Moved,
    Outcome,
    Posted,
    Reason,
    Refused,
    Transfer,
)
from ledger.journal.leaf import commitment, microseconds

# A kind and at most two owners' words, each of at most 64 characters: "allowance:{offer}:{period}".
ACCOUNT_NAME = re.compile(r"[a-z][a-z_]{0,31}(?::[A-Za-z0-9._-]{1,64}){0,2}")


class Account:
    """An account while a batch is judged: its balance (minutes) and the number of transfers that touched it."""

    __slots__ = ("balance", "floor", "id", "name", "sequence")

    def __init__(self, id_: int, name: str, floor: int | None, balance: int = 0, sequence: int = 0) -> None:
        self.id = id_
        self.name = name
        self.floor = floor
        self.balance = balance
        self.sequence = sequence


class Earlier(Struct, gc=False):
    """What an id already has: its outcome, and what is needed to compare the content that asks again.

    ``entry`` is there when it came in this very batch. Otherwise ``commitment`` is there unless the content is the
    posted entry's own fields, and ``salt`` and ``body`` unless they have been erased.
    """

    outcome: Posted | Refused
    entry: Entry | None = None
    commitment: bytes | None = None
    salt: bytes | None = None
    body: str = ""


class Target:
    """An entry that others resolve, refund or reverse, and how far they have."""

    __slots__ = ("hold", "posted", "refunded", "resolved", "reversed")

    def __init__(
        self,
        posted: Posted,
        hold: Posted | None = None,
        *,
        resolved: bool = False,
        is_reversed: bool = False,
        refunded: dict[str, int] | None = None,
    ) -> None:
        self.posted = posted
        self.hold = hold  # what `posted` captured, if it is a capture
        self.resolved = resolved
        self.reversed = is_reversed
        self.refunded = refunded or {}  # minutes taken back, by the account that had been credited

    def credited(self) -> dict[str, int]:
        """Minutes that a refund may give back, by account: what was credited, less a capture's returned rest."""
        origin = {moved.credit: moved.debit for moved in self.hold.transfers} if self.hold else {}
        sums: dict[str, int] = {}
        for moved in self.posted.transfers:
            if origin.get(moved.debit) != moved.credit:
                sums[moved.credit] = sums.get(moved.credit, 0) + moved.minutes
        return sums


class State:
    """The journal as far as a batch needs it: the head, the accounts it names, the ids and targets already there."""

    __slots__ = (
        "accounts",
        "batch",
        "chart",
        "frontier",
        "opened",
        "position",
        "recorded_at",
        "seen",
        "targets",
    )

    def __init__(
        self,
        *,
        chart: Chart,
        batch: UUID,
        position: int = 0,
        opened: int = 0,
        recorded_at: datetime,
        frontier: bytes = b"",
    ) -> None:
        self.chart = chart
        self.batch = batch  # the tag of the last batch written; any other means that the head has moved
        self.position = position
        self.opened = opened
        self.recorded_at = recorded_at
        self.frontier = frontier
        self.accounts: dict[str, Account] = {}
        self.seen: dict[UUID, Earlier] = {}
        self.targets: dict[UUID, Target] = {}

    def follow(self, earlier: State, judgement: Judgement, entries: Iterable[Entry]) -> None:
        """Stand behind a batch that is judged but not yet written: what it changed hides what was read.

        Only what the batch itself changed matters, for all before it was committed when this state was read.
        """
        self.batch = earlier.batch
        self.position = earlier.position
        self.opened = earlier.opened
        self.recorded_at = earlier.recorded_at
        self.frontier = earlier.frontier
        self.accounts.update(judgement.touched)
        for entry in entries:
            seen = earlier.seen.get(entry.id)
            if seen is not None:
                self.seen[entry.id] = seen
            # Of what is seen here again, also what was done to it there: `target` would take it for untouched.
            for id_ in (entry.id, entry.target):
                target = None if id_ is None else earlier.target(id_)
                if target is not None:
                    self.targets[target.posted.id] = target

    def target(self, id_: UUID) -> Target | None:
        """The entry of that id, whether it was read or has just been posted in this batch."""
        found = self.targets.get(id_)
        if found is None:
            earlier = self.seen.get(id_)
            if earlier is None or earlier.entry is None or not isinstance(earlier.outcome, Posted):
                return None
            held = (
                self.target(earlier.entry.target)
                if earlier.outcome.kind is Kind.CAPTURE and earlier.entry.target
                else None
            )
            found = self.targets[id_] = Target(earlier.outcome, held.posted if held else None)
        return found


class Judgement(Struct):
    """What the batch came to: an outcome per entry, in order, and what is to be written for it."""

    outcomes: list[Outcome]
    posted: list[tuple[Entry, Posted]]
    refused: list[tuple[Entry, Refused]]
    touched: dict[str, Account]
    opened: range = range(0)  # the numbers of the accounts that this batch opened

    def extend(self, later: Judgement) -> None:
        """Take in what was judged next, against the same state."""
        self.outcomes += later.outcomes
        self.posted += later.posted
        self.refused += later.refused
        self.touched |= later.touched
        self.opened = range(self.opened.start, later.opened.stop)


def judge(state: State, entries: Iterable[Entry], recorded_at: datetime) -> Judgement:
    """Each entry's outcome, in order. ``recorded_at`` is the writer's clock; it never goes back."""
    judgement = Judgement([], [], [], {})
    opened = state.opened
    state.recorded_at = max(state.recorded_at, recorded_at)
    for entry in entries:
        earlier = state.seen.get(entry.id)
        if earlier is not None:
            judgement.outcomes.append(_again(state, entry, earlier))
            continue
        outcome = _decide(state, entry, judgement.touched)
        judgement.outcomes.append(outcome)
        if isinstance(outcome, Posted):
            judgement.posted.append((entry, outcome))
        elif outcome.reason in KEPT or outcome.reason == entry.refused:
            judgement.refused.append((entry, outcome))
        else:
            continue
        state.seen[entry.id] = Earlier(outcome, entry)
    judgement.opened = range(opened + 1, state.opened + 1)
    return judgement


def content(entry: Entry) -> str:
    """What an id stands for: the details where there are any, the entry's own fields otherwise.

    ``refused`` is no part of it, nor a transfer's ``least``, for they are answers and not what was asked: who was told
    "no" by a rule hears it again when the rule has changed. A moment is the same in every zone.
    """
    if entry.details:
        return entry.details
    # Without a zone it is malformed, and like nothing that was kept.
    moment = None if entry.happened_at.utcoffset() is None else microseconds(entry.happened_at)
    transfers = [(transfer.debit, transfer.credit, transfer.minutes) for transfer in entry.transfers]
    fields = (entry.kind, transfers, entry.target, moment, entry.reference)
    return msgspec.json.encode(fields, enc_hook=str).decode()


def _again(state: State, entry: Entry, earlier: Earlier) -> Outcome:
    fields = _differing(state, entry, earlier)
    if fields is not None:
        return Refused(id=entry.id, reason=Reason.KEY_REUSED, fields=fields)
    return msgspec.structs.replace(earlier.outcome, replayed=True)


def _differing(state: State, entry: Entry, earlier: Earlier) -> tuple[str, ...] | None:
    """None when the content is the same; otherwise the fields that differ, as far as they are still known.

    It is the same comparison for what came in this batch and for what was read, but for what has been erased since.
    """
    outcome = earlier.outcome
    if isinstance(outcome, Posted):
        # A rule's refusal of the same request needn't know what the request would have become.
        if entry.kind is not outcome.kind and not entry.refused:
            return ("kind",)
        if entry.target is not None or not entry.refused:
            wanted = None
            if entry.target is not None:
                target = state.target(entry.target)
                # No entry has the position 0: one that isn't there is another than any, and than none.
                wanted = 0 if target is None else target.posted.position
            if wanted != outcome.target:
                return ("target",)
    if earlier.entry is not None:
        before = earlier.entry.details
        if isinstance(outcome, Posted) and not before:
            return _differing_fields(state, entry, outcome)
        same = content(entry) == content(earlier.entry)
    elif earlier.commitment is not None:
        # An erased salt leaves nothing to compare with: the earlier outcome stands, and nothing is posted twice.
        same = earlier.salt is None or commitment(earlier.salt, content(entry)) == earlier.commitment
        before = earlier.body
    else:
        assert isinstance(outcome, Posted)
        return _differing_fields(state, entry, outcome)
    if same:
        return None
    return _differing_details(before, entry.details)


def _differing_fields(state: State, entry: Entry, posted: Posted) -> tuple[str, ...] | None:
    asked = list(entry.transfers)
    if posted.kind is Kind.CAPTURE and entry.target is not None:
        hold = state.target(entry.target)
        rest = None if hold is None else _rest(asked, hold.posted)
        asked += rest or ()
    moved = [Transfer(transfer.debit, transfer.credit, transfer.minutes) for transfer in posted.transfers]
    fields = []
    if [msgspec.structs.replace(transfer, least=None) for transfer in asked] != (
        [] if posted.kind in _DERIVED else moved
    ):
        fields.append("transfers")
    if entry.happened_at != posted.happened_at:
        fields.append("happened_at")
    if entry.reference != posted.reference:
        fields.append("reference")
    if entry.details:
        fields.append("details")
    return tuple(fields) or None


def _differing_details(before: str, after: str) -> tuple[str, ...]:
    try:
        old, new = msgspec.json.decode(before), msgspec.json.decode(after)
    except (msgspec.DecodeError, RecursionError):
        return ()
    if not isinstance(old, dict) or not isinstance(new, dict):
        return ()
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def _decide(state: State, entry: Entry, touched: dict[str, Account]) -> Posted | Refused:
    malformed = _unbounded(entry)
    if malformed is None and entry.refused:
        return Refused(id=entry.id, reason=entry.refused)
    malformed = malformed or _malformed(entry)
    if malformed is not None:
        return Refused(id=entry.id, reason=malformed)

    target = None
    transfers: Sequence[Transfer] = entry.transfers
    if entry.target is not None:
        target = state.target(entry.target)
        if target is None:
            return Refused(id=entry.id, reason=Reason.TARGET_UNKNOWN)
        derived = _against(entry, target)
        if isinstance(derived, Reason):
            return Refused(id=entry.id, reason=derived)
        transfers = derived

    moves = _move(state, entry, transfers, touched)
    if isinstance(moves, Refused):
        return moves

    # After this point it must succeed.
    state.position += 1
    if target is not None:
        if entry.kind is Kind.REVERSAL:
            target.reversed = True
        elif entry.kind is Kind.REFUND:
            for transfer in transfers:
                target.refunded[transfer.debit] = target.refunded.get(transfer.debit, 0) + transfer.minutes
        else:
            target.resolved = True
    return Posted(
        position=state.position,
        id=entry.id,
        kind=entry.kind,
        target=None if target is None else target.posted.position,
        happened_at=entry.happened_at,
        recorded_at=state.recorded_at,
        actor=entry.actor,
        reference=entry.reference,
        transfers=moves,
        details=entry.details,
    )


_DERIVED = frozenset({Kind.VOID, Kind.LAPSE, Kind.REVERSAL})
_FREE = frozenset({Kind.PLAIN, Kind.HOLD})


def _unbounded(entry: Entry) -> Reason | None:
    """What even a refusal of the caller's own can't be kept with."""
    if entry.happened_at.utcoffset() is None:
        return Reason.TIME_WITHOUT_ZONE
    if len(entry.reference.encode()) > REFERENCE_BYTES_MAX:
        return Reason.REFERENCE_TOO_LONG
    if len(entry.details) * 4 > DETAILS_BYTES_MAX and len(entry.details.encode()) > DETAILS_BYTES_MAX:
        return Reason.DETAILS_TOO_LONG
    return None


def _malformed(entry: Entry) -> Reason | None:
    kind, transfers = entry.kind, entry.transfers
    if kind in _DERIVED:
        if transfers:
            return Reason.TRANSFERS_ARE_DERIVED
    elif not transfers:
        return Reason.NO_TRANSFERS
    if len(transfers) > TRANSFERS_MAX:
        return Reason.TOO_MANY_TRANSFERS
    for transfer in transfers:
        if not 0 < transfer.minutes <= MINUTES_MAX:
            return Reason.MINUTES_OUT_OF_RANGE
        if transfer.debit == transfer.credit:
            return Reason.SAME_ACCOUNT
    if kind in _FREE:
        if entry.target is not None:
            return Reason.TARGET_NOT_WANTED
        if kind is Kind.HOLD and len({transfer.credit for transfer in transfers}) < len(transfers):
            # A rest must know where it goes back to.
            return Reason.HOLD_AMBIGUOUS
    elif entry.target is None:
        return Reason.TARGET_MISSING
    return None


def _against(entry: Entry, target: Target) -> list[Transfer] | Reason:
    """The transfers by which the entry resolves, refunds or reverses its target, or why it can't."""
    before = target.posted
    if entry.kind is Kind.REFUND:
        return _refund(entry, target)
    if entry.kind is Kind.REVERSAL:
        if before.kind is not Kind.PLAIN:
            return Reason.TARGET_OF_OTHER_KIND
        if target.reversed:
            return Reason.ALREADY_REVERSED
        if target.refunded:
            return Reason.ALREADY_REFUNDED
        return [Transfer(moved.credit, moved.debit, moved.minutes) for moved in reversed(before.transfers)]

    if before.kind is not Kind.HOLD:
        return Reason.TARGET_OF_OTHER_KIND
    if target.resolved:
        return Reason.ALREADY_RESOLVED
    rest = _rest(entry.transfers, before)
    if rest is None:
        return Reason.EXCEEDS_HOLD
    return [*entry.transfers, *rest]


def _rest(taken: Sequence[Transfer], hold: Posted) -> list[Transfer] | None:
    """What goes back of a hold once that is taken from it; None if it is too much."""
    left = {moved.credit: moved.minutes for moved in hold.transfers}
    for transfer in taken:
        if transfer.minutes > left.get(transfer.debit, 0):
            return None
        left[transfer.debit] -= transfer.minutes
    return [Transfer(moved.credit, moved.debit, left[moved.credit]) for moved in hold.transfers if left[moved.credit]]


def _refund(entry: Entry, target: Target) -> list[Transfer] | Reason:
    if target.posted.kind not in {Kind.CAPTURE, Kind.PLAIN}:
        return Reason.TARGET_OF_OTHER_KIND
    if target.reversed:
        return Reason.ALREADY_REVERSED
    left = target.credited()
    for account, minutes in target.refunded.items():
        left[account] -= minutes
    for transfer in entry.transfers:
        if transfer.minutes > left.get(transfer.debit, 0):
            return Reason.EXCEEDS_CAPTURE
        left[transfer.debit] -= transfer.minutes
    return list(entry.transfers)


def _move(
    state: State,
    entry: Entry,
    transfers: Sequence[Transfer],
    touched: dict[str, Account],
) -> tuple[Moved, ...] | Refused:
    """Moves the minutes, transfer by transfer; at the first floor in the way everything is put back."""
    moving = []
    for transfer in transfers:
        debit, credit = state.accounts.get(transfer.debit), state.accounts.get(transfer.credit)
        if debit is None or credit is None:
            reason = _nameable(state, transfer.debit) or _nameable(state, transfer.credit)
            if reason is not None:
                return Refused(id=entry.id, reason=reason)
            debit, credit = _account(state, transfer.debit), _account(state, transfer.credit)
        floor = debit.floor
        if transfer.least is not None and (floor is None or transfer.least > floor):
            floor = transfer.least
        moving.append((transfer.minutes, debit, credit, floor))

    moves: list[Moved] = []
    for minutes, debit, credit, floor in moving:
        if floor is not None and debit.balance - minutes < floor:
            for minutes_back, debited, credited, _ in reversed(moving[: len(moves)]):
                debited.balance += minutes_back
                debited.sequence -= 1
                credited.balance -= minutes_back
                credited.sequence -= 1
            return Refused(id=entry.id, reason=Reason.INSUFFICIENT, account=debit.name)
        debit.balance -= minutes
        debit.sequence += 1
        credit.balance += minutes
        credit.sequence += 1
        moves.append(
            Moved(
                debit.name,
                credit.name,
                minutes,
                debit.sequence,
                debit.balance,
                credit.sequence,
                credit.balance,
            ),
        )

    for _, debit, credit, _ in moving:
        for account in (debit, credit):
            touched[account.name] = account
            if account.id == 0:
                state.opened += 1
                account.id = state.opened
    return tuple(moves)


def _account(state: State, name: str) -> Account:
    """The account of that name; one that nobody has used yet has the number 0 until an entry is accepted."""
    account = state.accounts.get(name)
    if account is None:
        account = state.accounts[name] = Account(0, name, state.chart[name.partition(":")[0]])
    return account


def _nameable(state: State, name: str) -> Reason | None:
    if name in state.accounts:
        return None
    if not ACCOUNT_NAME.fullmatch(name):
        return Reason.ACCOUNT_NAME_INVALID
    if name.partition(":")[0] not in state.chart:
        return Reason.ACCOUNT_KIND_UNKNOWN
    return None
