"""Receipts: they verify offline, say why they don't, and are the text that the C2SP format prescribes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.journal.checkpoint import Checkpoint, ProofError, Signer, Verifier
from ledger.journal.merkle import PATH_HASHES_MAX, SIZE_MAX, Frontier, inclusion_path, leaf_hash, subtree_root
from ledger.journal.receipt import RECEIPT_CHARS_MAX, Receipt

SIGNER = Signer("credits.example/journal", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VERIFIER = Verifier.parse(SIGNER.verifier)
ENTRIES = [b"entry %d" % number for number in range(40)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def checkpoint_at(size: int) -> Checkpoint:
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    return Checkpoint(SIGNER.name, size, frontier.root())


def receipt_for(index: int, size: int) -> Receipt:
    path = inclusion_path(index, size, lambda level, at: subtree_root(LEAVES[at << level : (at + 1) << level]))
    return Receipt(ENTRIES[index], index, path, SIGNER.sign(checkpoint_at(size)))


RECEIPT = receipt_for(5, 8)
TEXT = RECEIPT.render()
HEADER, EXTRA, INDEX, FIRST, SECOND, THIRD = TEXT.split("\n\n")[0].split("\n")


def test_a_receipt_is_a_c2sp_tlog_proof_that_carries_its_leaf() -> None:
    lines = TEXT.split("\n")

    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + b64encode(b"entry 5").decode()
    assert lines[2] == "index 5"
    assert lines[3:6] == [b64encode(hash_).decode() for hash_ in RECEIPT.path]
    assert lines[6] == ""
    assert "\n".join(lines[7:]) == RECEIPT.checkpoint


def test_every_entry_has_a_receipt_in_every_log_that_holds_it() -> None:
    for size in range(1, len(ENTRIES) + 1):
        for index in range(size):
            receipt = Receipt.parse(receipt_for(index, size).render())
            assert receipt.leaf == ENTRIES[index]
            assert receipt.verify(VERIFIER) == checkpoint_at(size)


def test_the_only_entry_of_a_log_has_a_receipt_without_a_path() -> None:
    text = receipt_for(0, 1).render()

    assert text.split("\n")[3] == ""
    assert Receipt.parse(text).path == []
    assert Receipt.parse(text).verify(VERIFIER).size == 1


@given(
    st.builds(
        Receipt,
        leaf=st.binary(min_size=1, max_size=300),
        index=st.integers(0, SIZE_MAX),
        path=st.lists(st.binary(min_size=32, max_size=32), max_size=PATH_HASHES_MAX),
        checkpoint=st.text(min_size=1, max_size=300),
    )
)
def test_what_is_rendered_is_what_parses(receipt: Receipt) -> None:
    assert Receipt.parse(receipt.render()) == receipt


@given(st.text())
def test_whatever_parses_renders_to_the_same_text(text: str) -> None:
    for candidate in (text, f"{HEADER}\n{text}", f"{HEADER}\n{EXTRA}\n{INDEX}\n{text}", TEXT + text):
        try:
            receipt = Receipt.parse(candidate)
        except ProofError:
            continue
        assert receipt.render() == candidate


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"))
def test_no_altered_character_goes_unnoticed(at: int, character: str) -> None:
    altered = TEXT[:at] + character + TEXT[at + 1 :]
    if altered == TEXT:
        return
    with pytest.raises(ProofError):
        Receipt.parse(altered).verify(VERIFIER)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a receipt: its first line"),
        (TEXT.replace("@v1", "@v2"), "not a receipt: its first line"),
        ("\n" + TEXT, "not a receipt: its first line"),
        (" " + TEXT, "not a receipt: its first line"),
        ("\ufeff" + TEXT, "not a receipt: its first line"),
        (TEXT.replace("\n", "\r\n"), "not a receipt: its first line"),
        (HEADER, "no leaf: its second line"),
        (f"{HEADER}\n\n{RECEIPT.checkpoint}", "no leaf: its second line"),
        (TEXT.replace(EXTRA + "\n", ""), "no leaf: its second line"),
        (TEXT.replace("extra ", "extra\t"), "no leaf: its second line"),
        (TEXT.replace(EXTRA, "extra "), "carries no leaf"),
        (TEXT.replace(EXTRA, EXTRA.rstrip("=")), "no proper base64 where the receipt's leaf"),
        (TEXT.replace(EXTRA, EXTRA + " "), "no proper base64 where the receipt's leaf"),
        (TEXT.replace("extra ", "extra  "), "no proper base64 where the receipt's leaf"),
        (TEXT.replace(EXTRA, "extra %%%%"), "no proper base64 where the receipt's leaf"),
        (TEXT.replace(EXTRA, "extra ZW50cnkgNR=="), "no proper base64 where the receipt's leaf"),
        (f"{HEADER}\n{EXTRA}", "no position: its third line"),
        (TEXT.replace(INDEX + "\n", ""), "no position: its third line"),
        (TEXT.replace(INDEX, EXTRA), "no position: its third line"),
        (TEXT.replace(INDEX, "index"), "no position: its third line"),
        (TEXT.replace(INDEX, "index "), "no proper number where the receipt's index"),
        (TEXT.replace(INDEX, "index 05"), "no proper number where the receipt's index"),
        (TEXT.replace(INDEX, "index -5"), "no proper number where the receipt's index"),
        (TEXT.replace(INDEX, "index 5.0"), "no proper number where the receipt's index"),
        (TEXT.replace(INDEX, f"index {SIZE_MAX + 1}"), "no proper number where the receipt's index"),
        (TEXT.replace(FIRST, FIRST[:-1]), "no proper base64 where a hash"),
        (TEXT.replace(FIRST, FIRST + " "), "no proper base64 where a hash"),
        (TEXT.replace(FIRST, INDEX), "no proper base64 where a hash"),
        (TEXT.replace("\n\n", "\n", 1), "no proper base64 where a hash"),
        (TEXT.replace(FIRST, "AAAA"), "a hash that is not 32 bytes"),
        (TEXT.replace(FIRST, "\n".join([FIRST] * PATH_HASHES_MAX)), "longer than 63 hashes"),
        (TEXT.split("\n\n", maxsplit=1)[0], "carries no checkpoint"),
        (TEXT.split("\n\n", maxsplit=1)[0] + "\n\n", "carries no checkpoint"),
        (TEXT + "x" * RECEIPT_CHARS_MAX, f"longer than {RECEIPT_CHARS_MAX} characters"),
    ],
)
def test_a_text_that_is_no_receipt_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        Receipt.parse(text)


@pytest.mark.parametrize(
    ("receipt", "reason"),
    [
        (replace(RECEIPT, leaf=b"entry 6"), "leaf is not what the signed log has at index 5"),
        (replace(RECEIPT, leaf=b"entry 5 "), "leaf is not what the signed log has at index 5"),
        (replace(RECEIPT, index=4), "leaf is not what the signed log has at index 4"),
        (replace(RECEIPT, index=7), "leaf is not what the signed log has at index 7"),
        (replace(RECEIPT, index=8), "index is 8, but its log has 8 leaves"),
        (replace(RECEIPT, index=SIZE_MAX), "but its log has 8 leaves"),
        (replace(RECEIPT, path=RECEIPT.path[:-1]), "leaf is not what the signed log has"),
        (replace(RECEIPT, path=RECEIPT.path[::-1]), "leaf is not what the signed log has"),
        (replace(RECEIPT, path=[*RECEIPT.path, LEAVES[0]]), "leaf is not what the signed log has"),
        (replace(RECEIPT, checkpoint=SIGNER.sign(checkpoint_at(9))), "leaf is not what the signed log has"),
        (replace(RECEIPT, checkpoint=SIGNER.sign(checkpoint_at(4))), "index is 5, but its log has 4 leaves"),
        (replace(RECEIPT, checkpoint=SIGNER.sign(checkpoint_at(0))), "index is 5, but its log has 0 leaves"),
        (replace(RECEIPT, checkpoint=RECEIPT.checkpoint + "trailing\n"), "among its signatures that is none"),
        (replace(RECEIPT, checkpoint=RECEIPT.checkpoint.replace("\n8\n", "\n9\n")), "was altered"),
    ],
)
def test_a_receipt_that_proves_nothing_says_why(receipt: Receipt, reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        receipt.verify(VERIFIER)


def test_a_receipt_signed_by_another_key_of_the_same_name_is_not_trusted() -> None:
    other = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))

    with pytest.raises(ProofError, match="not signed by the trusted key"):
        RECEIPT.verify(Verifier.parse(other.verifier))


def test_an_inner_node_does_not_pass_as_a_leaf() -> None:
    """The classic forgery: hand out the two children of a node as if they were an entry."""
    children = b"\x01" + LEAVES[4] + LEAVES[5]

    for leaf in (children, children[1:]):
        with pytest.raises(ProofError, match="leaf is not what the signed log has"):
            replace(RECEIPT, leaf=leaf, index=2, path=RECEIPT.path[1:]).verify(VERIFIER)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"leaf": b""}, "carries no leaf"),
        ({"index": -1}, "No log has a leaf -1"),
        ({"index": SIZE_MAX + 1}, "No log has a leaf"),
        ({"path": [LEAVES[0]] * (PATH_HASHES_MAX + 1)}, "longer than 63 hashes"),
        ({"path": [LEAVES[0][:-1]]}, "a hash that is not 32 bytes"),
        ({"checkpoint": ""}, "carries no checkpoint"),
    ],
)
def test_a_receipt_that_nobody_could_parse_is_not_made(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        Receipt(**{"leaf": b"entry", "index": 0, "path": [], "checkpoint": "note", **change})  # type: ignore[arg-type]


def test_an_entry_too_large_for_a_receipt_is_refused_when_it_is_rendered() -> None:
    with pytest.raises(ProofError, match=f"longer than {RECEIPT_CHARS_MAX} characters"):
        replace(RECEIPT, leaf=bytes(RECEIPT_CHARS_MAX * 3 // 4)).render()
    assert len(replace(RECEIPT, leaf=bytes(45 * 1024)).render()) < RECEIPT_CHARS_MAX
