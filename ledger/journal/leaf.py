"""The leaf: one whole entry in a fixed, length-prefixed binary form, version 1.

This is the published format; a receipt printed today must verify in twenty years. Integers are big-endian. Nothing
here is text that a database rendered, nor JSON.

======================  ====================================================================================
bytes                   field
======================  ====================================================================================
1                       version, 0x01
8                       position, unsigned, from 1 (the index in the tree is one less)
16                      entry id
1                       kind: 1 plain, 2 hold, 3 capture, 4 void, 5 lapse, 6 refund, 7 reversal
8                       target's position, 0 for none
8                       happened_at, signed, microseconds since 1970-01-01T00:00:00Z
8                       recorded_at, the same
16                      actor
16                      nonce, random: nobody can guess a leaf from its hash
1 + 0 or 32             commitment to the details: its length, then SHA-256(salt || details)
1 + n                   reference: its length, then UTF-8
1                       the number of transfers
for each transfer
1 + n                   debit account: the length of its name, then UTF-8
1 + n                   credit account: the same
8                       minutes, unsigned
8                       the debit account's sequence number, unsigned
8                       the debit account's balance after it, signed
8, 8                    the credit account's, the same
======================  ====================================================================================

Because a leaf carries each account's sequence number and balance, whoever holds leaves 1..k of an account knows that
none is missing. The details' salt stands with the details and is erased with them, so that an erased text can't be
guessed back from its commitment.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ledger.journal.entries import Kind, Moved, Posted

VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KIND_CODE = {
    Kind.PLAIN: 1,
    Kind.HOLD: 2,
    Kind.CAPTURE: 3,
    Kind.VOID: 4,
    Kind.LAPSE: 5,
    Kind.REFUND: 6,
    Kind.REVERSAL: 7,
}
_KIND_OF_CODE = {code: kind for kind, code in KIND_CODE.items()}

_BYTE = [bytes((number,)) for number in range(256)]
_HEAD = struct.Struct(">BQ16sBQqq16s16s")
_MOVE = struct.Struct(">QQqQq")


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC: integer arithmetic, for a float would lose the last digit."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def commitment(salt: bytes, details: str) -> bytes:
    """What the leaf keeps of the details."""
    return hashlib.sha256(salt + details.encode()).digest()


def encode(posted: Posted, nonce: bytes, committed: bytes | None) -> bytes:
    """The leaf's bytes; ``committed`` is the commitment to its details, if it has any."""
    reference = posted.reference.encode()
    parts = [
        _HEAD.pack(
            VERSION,
            posted.position,
            posted.id.bytes,
            KIND_CODE[posted.kind],
            posted.target or 0,
            microseconds(posted.happened_at),
            microseconds(posted.recorded_at),
            posted.actor.bytes,
            nonce,
        ),
        b"\x00" if committed is None else b"\x20" + committed,
        _BYTE[len(reference)],
        reference,
        _BYTE[len(posted.transfers)],
    ]
    for moved in posted.transfers:
        debit, credit = moved.debit.encode(), moved.credit.encode()
        parts += (
            _BYTE[len(debit)],
            debit,
            _BYTE[len(credit)],
            credit,
            _MOVE.pack(
                moved.minutes,
                moved.debit_sequence,
                moved.debit_balance,
                moved.credit_sequence,
                moved.credit_balance,
            ),
        )
    return b"".join(parts)


class LeafError(ValueError):
    """These bytes are not a leaf of version 1."""


def decode(data: bytes) -> tuple[Posted, bytes, bytes | None]:
    """The entry, its nonce and the commitment to its details; ``LeafError`` unless every byte is as above."""
    try:
        version, position, entry, kind, target, happened, recorded, actor, nonce = _HEAD.unpack_from(data)
        at = _HEAD.size
        if version != VERSION:
            raise LeafError(f"the leaf is of version {version}, and this program reads version {VERSION}")
        committed, at = _prefixed(data, at)
        if len(committed) not in {0, 32}:
            raise LeafError("the commitment is not a SHA-256 hash")
        reference, at = _prefixed(data, at)
        count, at = data[at], at + 1
        transfers = []
        for _ in range(count):
            debit, at = _prefixed(data, at)
            credit, at = _prefixed(data, at)
            transfers.append(Moved(debit.decode(), credit.decode(), *_MOVE.unpack_from(data, at)))
            at += _MOVE.size
        if at != len(data):
            raise LeafError("there are bytes after the leaf's end")
        posted = Posted(
            position=position,
            id=UUID(bytes=entry),
            kind=_KIND_OF_CODE[kind],
            target=target or None,
            happened_at=EPOCH + timedelta(microseconds=happened),
            recorded_at=EPOCH + timedelta(microseconds=recorded),
            actor=UUID(bytes=actor),
            reference=reference.decode(),
            transfers=tuple(transfers),
        )
    except (struct.error, IndexError, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise LeafError("the bytes are not a leaf") from error
    return posted, nonce, committed or None


def _prefixed(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + data[at]
    if end > len(data):
        raise LeafError("the leaf ends too early")
    return data[at + 1 : end], end
