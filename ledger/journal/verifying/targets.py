"""Entries against what they resolve, refund or reverse.

A hold is resolved once and to the minute; a void, lapse or reversal is exact; a reversal happens once, and not to what
was refunded; refunds together never exceed what was credited. This is the judge's rule told a second time, by account
ids and sums: neither knows the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import asyncpg

from ledger.journal.entries import Kind
from ledger.journal.leaf import KIND_CODE
from ledger.journal.log import Damaged, Row

_PLAIN, _HOLD, _CAPTURE = (KIND_CODE[kind] for kind in (Kind.PLAIN, Kind.HOLD, Kind.CAPTURE))
_REFUND, _REVERSAL = KIND_CODE[Kind.REFUND], KIND_CODE[Kind.REVERSAL]
TARGETLESS = frozenset({_PLAIN, _HOLD})
_RESOLVES = frozenset(KIND_CODE[kind] for kind in (Kind.CAPTURE, Kind.VOID, Kind.LAPSE))


class _Seen(NamedTuple):
    """An entry as far as others depend on it: moves are debit, credit and minutes."""

    kind: int
    target: int
    moves: list[tuple[int, int, int]]


_RELATED = """
SELECT position, target, kind::text FROM journal.entry WHERE position = ANY($1::bigint[])
UNION SELECT position, target, kind::text FROM journal.entry
    WHERE target = ANY($2::bigint[]) AND position < $3 AND kind IN ('capture', 'void', 'lapse')
UNION SELECT position, target, kind::text FROM journal.entry
    WHERE target = ANY($2::bigint[]) AND position < $3 AND kind = 'reversal'
UNION SELECT position, target, kind::text FROM journal.entry
    WHERE target = ANY($2::bigint[]) AND position < $3 AND kind = 'refund'
ORDER BY position
"""
_MOVES = """
SELECT position, debit, credit, minutes FROM journal.transfer WHERE position = ANY($1::bigint[]) ORDER BY position, line
"""


async def check_targets(connection: asyncpg.Connection, rows: list[Row], first: int) -> None:
    """Rows of one chunk, from position `first`, against what they resolve, refund or reverse.

    All of that is read by index, for it may lie anywhere in the past, and nothing of it is kept.
    """
    targets = {row.target for row in rows}
    seen = await _fetch_seen(connection, list(targets), list(targets), first)
    holds = [entry.target for entry in seen.values() if entry.kind == _CAPTURE]
    seen |= await _fetch_seen(connection, [hold for hold in holds if hold not in seen], [], first)
    done: dict[int, list[_Seen]] = {}
    for position, entry in seen.items():
        if position < first and entry.target:
            done.setdefault(entry.target, []).append(entry)
    for row in rows:
        entry = _Seen(row.kind, row.target, [line[1:4] for line in row.lines])
        before = done.setdefault(row.target, [])
        target = seen.get(row.target) if row.target < row.position else None
        why = "there is no such entry before it" if target is None else _against(entry, target, seen, before)
        if why is not None:
            raise Damaged(row.position, f"it doesn't fit entry {row.target}, its target: {why}")
        before.append(entry)


async def _fetch_seen(
    connection: asyncpg.Connection, positions: list[int], targets: list[int], first: int
) -> dict[int, _Seen]:
    if not positions:
        return {}
    seen = {
        position: _Seen(KIND_CODE[Kind(kind)], target or 0, [])
        for position, target, kind in await connection.fetch(_RELATED, positions, targets, first)
    }
    for position, *move in await connection.fetch(_MOVES, list(seen)):
        seen[position].moves.append((move[0], move[1], move[2]))
    return seen


def _against(entry: _Seen, target: _Seen, seen: dict[int, _Seen], done: Sequence[_Seen]) -> str | None:
    """Why the entry doesn't fit its target; `done` are the earlier ones with that target."""
    if entry.kind == _REFUND:
        return _against_refunded(entry, target, seen, done)
    kinds_done = {other.kind for other in done}
    back = [(credit, debit, minutes) for debit, credit, minutes in target.moves]
    if entry.kind == _REVERSAL:
        if target.kind != _PLAIN or kinds_done:
            return "it can't be reversed, or has been"
        return None if entry.moves == back[::-1] else "the reversal doesn't undo it exactly"
    if target.kind != _HOLD:
        return "it is no hold"
    if kinds_done & _RESOLVES:
        return "the hold has been resolved already"
    whole = _sums(entry.moves) == _sums(back) if entry.kind == _CAPTURE else entry.moves == back
    return None if whole else "the hold isn't resolved to the minute"


def _against_refunded(entry: _Seen, target: _Seen, seen: dict[int, _Seen], done: Sequence[_Seen]) -> str | None:
    if target.kind not in {_PLAIN, _CAPTURE} or any(other.kind == _REVERSAL for other in done):
        return "it can't be refunded"
    left = _credited(target, seen)
    for other in (*done, entry):
        for debit, _, minutes in other.moves:
            left[debit] = left.get(debit, 0) - minutes
    return "more was refunded than was credited" if min(left.values()) < 0 else None


def _sums(moves: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    """Minutes by the account that they were taken from."""
    sums: dict[int, int] = {}
    for debit, _, minutes in moves:
        sums[debit] = sums.get(debit, 0) + minutes
    return sums


def _credited(target: _Seen, seen: dict[int, _Seen]) -> dict[int, int]:
    """Minutes by the account that they were given to, without what a capture returned where it had come from."""
    hold = seen.get(target.target) if target.kind == _CAPTURE else None
    origin = {credit: debit for debit, credit, _ in hold.moves} if hold else {}
    return _sums((credit, debit, minutes) for debit, credit, minutes in target.moves if origin.get(debit) != credit)
