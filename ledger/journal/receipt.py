"""Receipts: a text that proves, offline and years later, that one entry stands in the journal.

It is a C2SP tlog-proof (https://c2sp.org/tlog-proof), by custom in a file named `*.tlog-proof`:

    c2sp.org/tlog-proof@v1
    extra <base64 of the leaf's bytes>
    index <the leaf's position, from 0>
    <base64 of a hash>       none or more: from the leaf's sibling up to the root's child
                             a blank line
    <the signed checkpoint, as `ledger.journal.checkpoint` describes it>

What it promises: `verify` returns only if the pinned key signed a tree that has exactly these leaf bytes at
this index. Nothing in a receipt is trusted for being there, above all not the leaf in the `extra` line: it
counts only because its hash leads to the signed root. `parse` and `render` are inverse to each other, to the
byte.

In what order: shape and bounds when a receipt is made or parsed; then, in `verify`, the signature, the index,
the path.

What bounds it: 64 KiB of text, so a leaf of about 45 KiB at most, and 63 hashes. What fails how: always a
`ProofError` with one sentence.

Where we are narrower than the specification: the `extra` line is optional there, and means what the
application likes. Here it must carry the leaf, since a receipt is to be verified with nothing else at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ledger.journal.checkpoint import ProofError, decode_base64, decode_decimal, encode_base64
from ledger.journal.merkle import HASH_BYTES, PATH_HASHES_MAX, SIZE_MAX, leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from ledger.journal.checkpoint import Checkpoint, Verifier

RECEIPT_CHARS_MAX: Final = 64 * 1024

_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One leaf's bytes, its index, its inclusion path, and the signed checkpoint of the tree it leads to."""

    leaf: bytes
    index: int
    path: list[bytes]
    checkpoint: str

    def __post_init__(self) -> None:
        """Refuse what no log could hold, and what nobody could then parse."""
        if not self.leaf:
            raise ProofError("The receipt carries no leaf.")
        if not 0 <= self.index <= SIZE_MAX:
            raise ProofError(f"No log has a leaf {self.index}.")
        if len(self.path) > PATH_HASHES_MAX:
            raise ProofError(f"The receipt's path is longer than {PATH_HASHES_MAX} hashes.")
        if any(len(hash_) != HASH_BYTES for hash_ in self.path):
            raise ProofError(f"The receipt's path has a hash that is not {HASH_BYTES} bytes long.")
        if not self.checkpoint:
            raise ProofError("The receipt carries no checkpoint.")

    def render(self) -> str:
        """Write the text to hand out; ProofError if the leaf and the checkpoint are too large for one."""
        head = [
            _HEADER,
            f"extra {encode_base64(self.leaf)}",
            f"index {self.index}",
            *[encode_base64(hash_) for hash_ in self.path],
        ]
        text = "\n".join([*head, "", self.checkpoint])
        _refuse_too_long(text)
        return text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a receipt's text. It is then well formed and bounded, but not yet verified."""
        _refuse_too_long(text)
        head, _, checkpoint = text.partition("\n\n")  # the checkpoint has a blank line of its own
        header, *lines = head.split("\n")
        if header != _HEADER:
            raise ProofError(f"This is not a receipt: its first line is not {_HEADER}.")
        if not lines or not lines[0].startswith("extra "):
            raise ProofError("The receipt has no leaf: its second line doesn't begin with 'extra'.")
        if len(lines) == 1 or not lines[1].startswith("index "):
            raise ProofError("The receipt has no position: its third line doesn't begin with 'index'.")
        return cls(
            leaf=decode_base64(lines[0].removeprefix("extra "), "the receipt's leaf"),
            index=decode_decimal(lines[1].removeprefix("index "), "the receipt's index"),
            path=[decode_base64(line, "a hash of the receipt's path") for line in lines[2:]],
            checkpoint=checkpoint,
        )

    def verify(self, verifier: Verifier) -> Checkpoint:
        """Give the checkpoint whose tree is proven to hold this leaf, or raise ProofError."""
        checkpoint = verifier.open(self.checkpoint)
        if self.index >= checkpoint.size:
            raise ProofError(f"The receipt's index is {self.index}, but its log has {checkpoint.size} leaves.")
        leaf = leaf_hash(self.leaf)
        if not verify_inclusion(self.index, checkpoint.size, leaf, self.path, checkpoint.root):
            raise ProofError(f"The receipt's leaf is not what the signed log has at index {self.index}.")
        return checkpoint


def _refuse_too_long(text: str) -> None:
    if len(text) > RECEIPT_CHARS_MAX:
        raise ProofError(f"A receipt can't be longer than {RECEIPT_CHARS_MAX} characters.")
