"""What verifying comes to, as values; and what it takes no journal to verify: signed notes and receipts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
from msgspec import Struct

from ledger.journal.checkpoint import Checkpoint, ProofError, Verifier
from ledger.journal.entries import Posted
from ledger.journal.leaf import LeafError, decode
from ledger.journal.receipt import Receipt

Progress = Callable[[int, int], None]
"""Is told how many of how many are done."""


class Verified(Struct, frozen=True, kw_only=True):
    """The journal holds what it claims; how much of what was looked at."""

    entries: int
    transfers: int
    accounts: int
    details: int
    nodes: int
    checkpoints: int
    root: bytes


class VerifiedAccount(Struct, frozen=True, kw_only=True):
    """The account's transfers 1..k are in the log, and none is missing. `balance` is in minutes."""

    account: str
    transfers: int
    balance: int
    size: int
    root: bytes


class VerifiedReceipt(Struct, frozen=True):
    """The entry that a signed log holds."""

    entry: Posted
    checkpoint: Checkpoint


class Broken(Struct, frozen=True):
    """The first bad position lies from `position` to `until`; they are equal where it is known exactly."""

    position: int
    until: int
    why: str


def open_notes(text: str, verifiers: Sequence[Verifier]) -> list[Checkpoint]:
    """The checkpoints of one or more signed notes, one after another; `ProofError` for one that isn't trusted."""
    notes: list[list[str]] = []
    signed = True
    for line in text.splitlines(keepends=True):
        is_signature = line.startswith("\N{EM DASH} ")
        if signed and not is_signature:
            if not line.strip():  # between two notes
                continue
            notes.append([])
        signed = is_signature
        if not notes:
            raise ProofError("This is not a checkpoint: it begins with a signature.")
        notes[-1].append(line)
    return [open_note("".join(note), verifiers) for note in notes]


def open_note(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint, if one of these trusts it; ProofError of the last otherwise."""
    for verifier in verifiers[:-1]:  # older keys of the same log
        try:
            return verifier.open(note)
        except ProofError:
            continue
    return verifiers[-1].open(note)


def verify_receipt(text: str, verifier: Verifier) -> VerifiedReceipt:
    """What the receipt proves, offline; `ProofError` if it proves nothing."""
    receipt = Receipt.parse(text)
    checkpoint = receipt.verify(verifier)
    try:
        posted, _, _ = decode(receipt.leaf)
    except LeafError as error:
        raise ProofError(f"The signed log holds this leaf, but it can't be read: {error}.") from None
    if posted.position != receipt.index + 1:
        raise ProofError(f"The leaf says position {posted.position}, and stands at {receipt.index + 1}.")
    return VerifiedReceipt(posted, checkpoint)


@asynccontextmanager
async def snapshot(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """All reads see the journal of one moment, by index, whatever the planner makes of old statistics."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL enable_seqscan = off")
        yield
