"""What the journal is told and what it answers: accounts, transfers, entries, outcomes.

An **account** is named by its kind, or by ``kind:owner`` (``wallet:5f0c...``, ``redeemed:...``, ``transit``). Its kind
stands in the chart of accounts, which gives its floor; it is opened by the first transfer that touches it.

An **entry** is one or more transfers, all or none. Its kinds:

========  ==========================================================================================================
plain     moves what its transfers say
hold      the same, into holding accounts, to be resolved once by a capture, a void or a lapse
capture   moves on what its transfers name of a hold; the rest goes back where it came from, in the same entry
void      all of a hold goes back (somebody decided so)
lapse     all of a hold goes back (its time ran out)
refund    gives back part of what a capture or a plain entry credited; all refunds together never more than that
reversal  undoes a plain entry that nobody has refunded, whole and once
========  ==========================================================================================================

The transfers of a void, lapse or reversal, and the returned rest of a capture, are derived by the judge, so that a
caller needn't read the hold before resolving it.

A **key** is made by the client and scoped to its principal; ``entry_id`` turns both into the entry's id. The same id
with the same content gets the same outcome for ever, marked ``replayed``; with other content it is refused. The
content of an entry is its details where it has them (what was asked, before prices and rules made transfers of it),
and its own fields otherwise.

Minutes are integers: 60 are one Time Credit. All times carry a zone.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from asyncpg.pgproto import pgproto
from msgspec import Struct

# 32 transfers hold a party of every age band over several allowances, and with a returned rest for each a leaf stays
# below 24 KiB, which fits a receipt. 10^9 minutes are 19 centuries. At both limits 2.8 * 10^8 entries would be needed
# to overflow a balance (2^63), and then PostgreSQL refuses loudly.
TRANSFERS_MAX = 32
MINUTES_MAX = 1_000_000_000
REFERENCE_BYTES_MAX = 64
DETAILS_BYTES_MAX = 4096

Chart = Mapping[str, int | None]
"""The kinds of account with their floors in minutes; ``None`` is no floor."""


class Kind(StrEnum):
    """What an entry does."""

    PLAIN = "plain"
    HOLD = "hold"
    CAPTURE = "capture"
    VOID = "void"
    LAPSE = "lapse"
    REFUND = "refund"
    REVERSAL = "reversal"


class Reason(StrEnum):
    """Why the journal refused an entry. A caller's own refusals carry other words; see ``Entry.refused``."""

    # Malformed: nothing is kept, and the key may be used again for the mended request.
    NO_TRANSFERS = "no_transfers"
    TOO_MANY_TRANSFERS = "too_many_transfers"
    TRANSFERS_ARE_DERIVED = "transfers_are_derived"
    MINUTES_OUT_OF_RANGE = "minutes_out_of_range"
    SAME_ACCOUNT = "same_account"
    ACCOUNT_NAME_INVALID = "account_name_invalid"
    ACCOUNT_KIND_UNKNOWN = "account_kind_unknown"
    TARGET_MISSING = "target_missing"
    TARGET_NOT_WANTED = "target_not_wanted"
    TIME_WITHOUT_ZONE = "time_without_zone"
    REFERENCE_TOO_LONG = "reference_too_long"
    DETAILS_TOO_LONG = "details_too_long"
    HOLD_AMBIGUOUS = "hold_ambiguous"
    KEY_REUSED = "key_reused"
    # By the state of the journal: kept under the key for ever.
    TARGET_UNKNOWN = "target_unknown"
    TARGET_OF_OTHER_KIND = "target_of_other_kind"
    ALREADY_RESOLVED = "already_resolved"
    EXCEEDS_HOLD = "exceeds_hold"
    ALREADY_REVERSED = "already_reversed"
    ALREADY_REFUNDED = "already_refunded"
    EXCEEDS_CAPTURE = "exceeds_capture"
    INSUFFICIENT = "insufficient"


KEPT = frozenset(
    {
        Reason.TARGET_UNKNOWN,
        Reason.TARGET_OF_OTHER_KIND,
        Reason.ALREADY_RESOLVED,
        Reason.EXCEEDS_HOLD,
        Reason.ALREADY_REVERSED,
        Reason.ALREADY_REFUNDED,
        Reason.EXCEEDS_CAPTURE,
        Reason.INSUFFICIENT,
    },
)
"""The journal's reasons that stay with the key. A caller's own (``Entry.refused``) always do."""


class Transfer(Struct, frozen=True, gc=False):
    """Takes ``minutes`` from the ``debit`` account and adds them to the ``credit`` account.

    ``least`` is a floor of this transfer's own, below which the debit account may not go by it: a limit that its asker
    knows (a month's quota) and that may be another tomorrow. It says when to refuse and isn't part of what is posted.
    """

    debit: str
    credit: str
    minutes: int
    least: int | None = None


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """What a caller asks the journal to post.

    ``actor`` is the pseudonymous principal who asks. ``reference`` is a short pseudonymous word for finding it again.
    ``details`` is the text of a JSON object (or empty), kept apart and erasable: people's words belong there and
    nowhere else. ``refused`` is the word of a rule of the caller's that already said no: the journal then moves
    nothing and keeps the refusal under the key.
    """

    id: UUID
    kind: Kind = Kind.PLAIN
    transfers: tuple[Transfer, ...] = ()
    target: UUID | None = None
    happened_at: datetime
    actor: UUID
    reference: str = ""
    details: str = ""
    refused: str = ""


class Moved(Struct, frozen=True, gc=False):
    """A transfer as posted, with both accounts' sequence number and balance after it (minutes)."""

    debit: str
    credit: str
    minutes: int
    debit_sequence: int
    debit_balance: int
    credit_sequence: int
    credit_balance: int


class Posted(Struct, frozen=True, kw_only=True, gc=False):
    """An entry as the journal holds it. ``target`` is the position of what it resolves, refunds or reverses."""

    position: int
    id: UUID
    kind: Kind
    target: int | None
    happened_at: datetime
    recorded_at: datetime
    actor: UUID
    reference: str
    transfers: tuple[Moved, ...]
    details: str = ""
    replayed: bool = False


class Refused(Struct, frozen=True, kw_only=True, gc=False):
    """No, and why.

    ``account`` is the one whose floor stood in the way; ``fields`` are those that differ under a reused key (empty
    where the earlier details have been erased).
    """

    id: UUID
    reason: str
    account: str | None = None
    fields: tuple[str, ...] = ()
    replayed: bool = False


class Unknown(Struct, frozen=True, gc=False):
    """The answer to COMMIT was lost. Retrying with the same key settles it."""

    id: UUID


class Failed(Struct, frozen=True, gc=False):
    """The database refused what the judge had accepted: a defect of ours. Nothing was written of this entry."""

    id: UUID
    constraint: str


Outcome = Posted | Refused | Unknown | Failed


# A UUID of version 7 (RFC 9562), alone or with more behind it: the milliseconds at which the client made it come first.
_TIMED_KEY = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE
)


def entry_id(principal: UUID, key: str) -> UUID:
    """The entry's id: 122 bits of SHA-256 over principal and key, as a UUID of version 8 (RFC 9562).

    If the key begins with a UUID of version 7, the id begins with the key's 48 bits of time, and 74 bits are hashed: so
    new ids are neighbours in the index, which at ten million entries makes posting half as fast again (see
    ``posting``). It stays a function of principal and key alone, and 74 bits are more than anybody can try.

    It is asyncpg's UUID, equal to the standard one and several times quicker to hash and to send.
    """
    digest = bytearray(hashlib.sha256(b"timecredits/entry/1\0" + principal.bytes + key.encode()).digest()[:16])
    timed = _TIMED_KEY.match(key)
    if timed is not None:
        digest[:6] = bytes.fromhex(timed[1] + timed[2])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return pgproto.UUID(bytes(digest))


def new_key() -> str:
    """A key for one thing that is wanted done, as every client of ours makes it: a UUID of version 7.

    Its time goes on below the millisecond, in steps of 244 ns (RFC 9562, 6.2, method 3), so the keys that a process
    makes one after the other are in that order: what is sorted by them stays as it happened.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    number = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return str(UUID(int=number))
