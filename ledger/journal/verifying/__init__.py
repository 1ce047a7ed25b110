"""Verifying: a second opinion, of the whole journal or of one account, that shares with the writer but the format.

**`verify_journal`** reads everything in the order of positions, in one snapshot, and recomputes what the journal
claims. For each chunk of `CHUNK_ENTRIES`, in this order:

1. each entry: its position is the next, its time no earlier than the one before, its leaf is the one that its rows
   encode to, its details (where they haven't been erased) fit the commitment;
2. each transfer: both accounts' sequence and balance continue their chains, and no floor is crossed;
3. each entry with a target: a hold is resolved once and to the minute, a reversal is exact and happens once, refunds
   never exceed what was credited;
4. the tree over the leaves: the stored nodes, and the root at every checkpoint, stored or given.

In the end what stands beside the log must be what the log comes to: the accounts and their kinds, the head.

The result is a value. `Broken` names the *first bad position*: exact when a row, a leaf, a sequence or a balance shows
it. Somebody who has rewritten rows, leaves, nodes and frontier so that they fit each other can't sign; then the bad
position is one after the last checkpoint that still fits, up to the first that doesn't (`position` to `until`). Stored
checkpoints can be deleted with the rest: keep some elsewhere, and give them as `against`.

What bounds it: one chunk of rows, and about 120 bytes an account (its name, balance, sequence and floor). The snapshot
is held to the end: half a minute for a million entries, in which the database can't vacuum.

**`verify_account`** proves the same of one account's transfers 1..k: each leaf is in the tree, by an inclusion proof,
and the tree continues the checkpoints. **`verify_receipt`** needs no database at all.
"""

from ledger.journal.verifying.account import verify_account
from ledger.journal.verifying.findings import (
    Broken,
    Progress,
    Verified,
    VerifiedAccount,
    VerifiedReceipt,
    open_notes,
    verify_receipt,
)
from ledger.journal.verifying.whole import verify_journal

__all__ = [
    "Broken",
    "Progress",
    "Verified",
    "VerifiedAccount",
    "VerifiedReceipt",
    "open_notes",
    "verify_account",
    "verify_journal",
    "verify_receipt",
]
