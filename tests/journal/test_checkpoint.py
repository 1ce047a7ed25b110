"""Signed checkpoints, held against keys and notes that other implementations made."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ledger.journal.checkpoint import (
    NOTE_CHARS_MAX,
    SIGNATURES_MAX,
    Checkpoint,
    ProofError,
    Signer,
    Verifier,
    generate_key_pem,
    load_key_pem,
)
from ledger.journal.merkle import SIZE_MAX

# What Go's checksum database signed, as sum.golang.org gave it.
GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_ORIGIN = "go.sum database tree"
GO_NOTE = (
    "go.sum database tree\n"
    "65209736\n"
    "5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=\n"
    "\n"
    "— sum.golang.org Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/"
    "R3cVtYspg3dxXABkGZZKdsQ8=\n"
)

# The example of golang.org/x/mod/sumdb/note: a key, its seed, and a note that is signed but no checkpoint.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotp"
    "RZb6KE6RyyBwJnAM=\n"
)

NAME = "credits.example/journal"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(NAME, KEY)
VERIFIER = Verifier.parse(SIGNER.verifier)
ROOT = bytes(range(100, 132))
CHECKPOINT = Checkpoint(NAME, 20_852_163, ROOT)
NOTE = SIGNER.sign(CHECKPOINT)
TEXT, SIGNATURE_LINE = NOTE.split("\n\n")
ROOT_LINE = TEXT.split("\n")[2]
OTHER_LINE = Signer("witness.example", KEY).sign(Checkpoint("witness.example", 1, ROOT)).split("\n\n")[1]


def signed(text: str) -> str:
    """Sign whatever text, so that only the text itself can be at fault."""
    key_id = b64decode(SIGNATURE_LINE.split(" ")[2])[:4]
    return f"{text}\n— {NAME} {b64encode(key_id + KEY.sign(text.encode())).decode()}\n"


def test_a_checkpoint_of_the_go_checksum_database_opens_under_its_published_key() -> None:
    checkpoint = Verifier.parse(GO_KEY, GO_ORIGIN).open(GO_NOTE)

    assert checkpoint.origin == GO_ORIGIN
    assert checkpoint.size == 65_209_736
    assert checkpoint.root == b64decode("5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=")
    assert checkpoint.text == GO_NOTE.split("\n\n", maxsplit=1)[0] + "\n"


@pytest.mark.parametrize("size", ["65209735", "65209737", "6520973"])
def test_a_checkpoint_of_the_go_checksum_database_with_another_size_does_not_open(size: str) -> None:
    with pytest.raises(ProofError, match="was altered"):
        Verifier.parse(GO_KEY, GO_ORIGIN).open(GO_NOTE.replace("65209736", size))


def test_a_key_gives_the_verifier_that_go_gives() -> None:
    assert Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(PETER_SEED)).verifier == PETER_KEY


def test_a_signed_note_of_go_passes_as_a_note_and_fails_only_as_a_checkpoint() -> None:
    verifier = Verifier.parse(PETER_KEY)

    with pytest.raises(ProofError, match="not a checkpoint of just three lines"):
        verifier.open(PETER_NOTE)
    with pytest.raises(ProofError, match="was altered"):
        verifier.open(PETER_NOTE.replace("If you", "If we"))


def test_a_note_has_the_text_a_blank_line_and_the_signature() -> None:
    lines = NOTE.split("\n")

    assert lines[:4] == [NAME, "20852163", "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=", ""]
    assert lines[4].startswith(f"— {NAME} ")
    assert lines[5:] == [""]


@given(st.integers(0, SIZE_MAX), st.binary(min_size=32, max_size=32))
def test_what_is_signed_is_what_opens(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(NAME, size, root)

    assert VERIFIER.open(SIGNER.sign(checkpoint)) == checkpoint


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_altered_character_goes_unnoticed(at: int, character: str) -> None:
    altered = NOTE[:at] + character + NOTE[at + 1 :]
    if altered == NOTE:
        return
    with pytest.raises(ProofError):
        VERIFIER.open(altered)


@given(st.text())
def test_no_text_makes_a_verifier_fail_otherwise_than_with_a_reason(text: str) -> None:
    for note in (text, f"{TEXT}\n\n{text}", f"{text}\n\n{SIGNATURE_LINE}"):
        with pytest.raises(ProofError):
            VERIFIER.open(note)


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("", "a text, a blank line"),
        (TEXT + "\n", "a text, a blank line"),
        (TEXT + "\n\n", "a text, a blank line"),
        (NOTE[:-1], "a text, a blank line"),
        (NOTE + "\n", "a text, a blank line"),
        (NOTE.replace("\n", "\r\n"), "characters that no signed note may have"),
        (NOTE.replace("credits", "cred\tits"), "characters that no signed note may have"),
        ("\x01" + NOTE, "characters that no signed note may have"),
        ("\ud800" + NOTE, "characters that no signed note may have"),
        (NOTE + "trailing\n", "line among its signatures that is none"),
        (NOTE.replace("— ", "- "), "line among its signatures that is none"),
        (NOTE.replace("— ", "—"), "line among its signatures that is none"),
        (NOTE + f"— a+b {SIGNATURE_LINE.split(' ')[2]}", "line among its signatures that is none"),
        (NOTE + f"—  {SIGNATURE_LINE.split(' ')[2]}", "line among its signatures that is none"),
        (NOTE + "— witness.example\n", "signature that is too short"),
        (NOTE + "— witness.example AAAAAA==\n", "signature that is too short"),
        (NOTE + "— witness.example %%%%\n", "no proper base64 where a signature"),
        (NOTE + "— witness.example AAAAAAA\n", "no proper base64 where a signature"),
        (NOTE + "— two words AAAAAAAA\n", "no proper base64 where a signature"),
        (NOTE[:-2] + " =\n", "no proper base64 where a signature"),
        (f"{TEXT}\n\n{OTHER_LINE}", f"not signed by the trusted key {NAME}\\+"),
        (NOTE.replace(f"— {NAME}", "— credits.example/journal2"), "not signed by the trusted key"),
        (NOTE.replace("20852163", "20852164"), "was altered"),
        (NOTE.replace(NAME, "credits.example/journa1", 1), "was altered"),
        ("\n" + NOTE, "was altered"),
        (NOTE + SIGNATURE_LINE[:60] + "ABCD" + SIGNATURE_LINE[60:], "was altered"),
        (NOTE + SIGNATURE_LINE * SIGNATURES_MAX, f"more than {SIGNATURES_MAX} signatures"),
        ("x" * NOTE_CHARS_MAX + NOTE, f"longer than {NOTE_CHARS_MAX}"),
    ],
)
def test_a_note_that_is_malformed_or_not_ours_is_refused_with_its_reason(note: str, reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        VERIFIER.open(note)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            f"another.example\n5\n{ROOT_LINE}\n",
            "of the log 'another.example', not of 'credits.example/journal'",
        ),
        (f"{NAME} \n5\n{ROOT_LINE}\n", "of the log 'credits.example/journal '"),
        (f"\n5\n{ROOT_LINE}\n", "just three lines"),
        (f"{NAME}\n5\n", "just three lines"),
        (f"{NAME}\n5\n{ROOT_LINE}\nextension\n", "just three lines"),
        (f"{NAME}\n5\n{ROOT_LINE}\n\n", "just three lines"),
        (f"{NAME}\n05\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n00\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n+5\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n-5\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n5 \n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n1_000\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n\u0665\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n{SIZE_MAX + 1}\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n{'9' * 5000}\n{ROOT_LINE}\n", "no proper number where the checkpoint's size"),
        (f"{NAME}\n5\n{ROOT_LINE[:-1]}\n", "no proper base64 where the checkpoint's root"),
        (f"{NAME}\n5\n{ROOT_LINE[:-2]}N=\n", "no proper base64 where the checkpoint's root"),
        (f"{NAME}\n5\n {ROOT_LINE}\n", "no proper base64 where the checkpoint's root"),
        (f"{NAME}\n5\n{ROOT_LINE.replace('+', '-')}\n", "no proper base64 where the checkpoint's root"),
        (f"{NAME}\n5\nAAAA\n", "root is not 32 bytes"),
    ],
)
def test_even_a_properly_signed_text_must_be_a_checkpoint_of_our_log(text: str, reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        VERIFIER.open(signed(text))


def test_signatures_of_keys_that_nobody_pinned_are_passed_over() -> None:
    unknown = "— witness.example AAAAAAAAAAAA\n"

    assert VERIFIER.open(NOTE + OTHER_LINE + unknown) == CHECKPOINT
    assert VERIFIER.open(f"{TEXT}\n\n{OTHER_LINE}{unknown * (SIGNATURES_MAX - 2)}{SIGNATURE_LINE}") == CHECKPOINT


def test_during_a_change_of_keys_each_reader_is_served_by_the_key_it_pinned() -> None:
    newer = Signer(NAME, Ed25519PrivateKey.generate())
    note = NOTE + newer.sign(CHECKPOINT).split("\n\n")[1]

    assert VERIFIER.open(note) == Verifier.parse(newer.verifier).open(note) == CHECKPOINT


def test_a_pinned_origin_may_differ_from_the_name_of_the_key() -> None:
    with pytest.raises(ProofError, match=r"of the log 'go\.sum database tree', not of 'sum\.golang\.org'"):
        Verifier.parse(GO_KEY).open(GO_NOTE)


def test_every_part_of_a_verifier_key_counts() -> None:
    assert Verifier.parse(PETER_KEY).name == "PeterNeumann"
    for at, character in enumerate(PETER_KEY):
        before, after = PETER_KEY[:at], PETER_KEY[at + 1 :]
        for altered in (before, after, before + after, before + chr(ord(character) + 1) + after):
            with pytest.raises(ProofError):
                Verifier.parse(altered)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "has the form name\\+keyid\\+base64"),
        ("PeterNeumann", "has the form"),
        ("PeterNeumann+c74f20a3", "has the form"),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "has the form"),
        (PETER_KEY.replace("Peter", "Peter "), "has the form"),
        (PETER_KEY.replace("c74f20a3", "C74F20A3"), "id doesn't fit"),
        (PETER_KEY.replace("c74f20a3", "c74f20a4"), "id doesn't fit"),
        (PETER_KEY.replace("Peter", "Petra"), "id doesn't fit"),
        (PETER_KEY + "\n", "no proper base64"),
        # Go's own bad keys, with ids that fit them: one too long, one of an unknown type.
        (
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "no proper base64|not an Ed25519",
        ),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "not an Ed25519 key"),
    ],
)
def test_a_verifier_key_that_is_none_is_refused_with_its_reason(key: str, reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        Verifier.parse(key)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\there", "line\nbreak", "nul\0", "no\xa0break", "\ud800"])
def test_a_log_can_not_have_a_name_that_a_note_can_not_carry(name: str) -> None:
    with pytest.raises(ValueError, match="a log's name"):
        Signer(name, KEY)


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        (Checkpoint("another.example", 5, ROOT), "doesn't sign for"),
        (Checkpoint(NAME, -1, ROOT), "no log has"),
        (Checkpoint(NAME, SIZE_MAX + 1, ROOT), "no log has"),
        (Checkpoint(NAME, 5, ROOT[:-1]), "no log has"),
    ],
)
def test_a_signer_does_not_sign_what_its_verifier_would_refuse(checkpoint: Checkpoint, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SIGNER.sign(checkpoint)


def test_a_generated_key_loads_and_signs() -> None:
    pem = generate_key_pem()
    signer = Signer(NAME, load_key_pem(pem))

    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert pem != generate_key_pem()
    assert Verifier.parse(signer.verifier).open(signer.sign(CHECKPOINT)) == CHECKPOINT


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(SIGNER) == f"Signer(name='{NAME}')"


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (b"", "not an unencrypted private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted private key"),
        (
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
            "not an unencrypted private key",
        ),
        (
            generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "not an Ed25519 key",
        ),
    ],
)
def test_a_key_file_of_another_kind_is_refused_with_its_reason(pem: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_key_pem(pem)
