"""Checkpoints: what the log says of itself, signed, in a form that other people's tools read as well.

A checkpoint is a C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint) in a C2SP signed note
(https://c2sp.org/signed-note):

    <origin>                                      the log's name
    <size>                                        leaves, in decimal
    <root>                                        the Merkle root over them, in base64
                                                  a blank line
    — <key name> <base64 of key id || signature>  one line or more

What it promises: `Verifier.open` gives a checkpoint only if the pinned key signed exactly these bytes and the
text names the pinned origin. The envelope is judged first, the signature next, and the text only then. Every
number and every base64 has just one accepted spelling, so a checkpoint has just one text. Signatures of keys
that aren't pinned (witnesses, an older or a newer key of ours) are passed over, as the specification demands;
a wrong one of the pinned key rejects the note.

Where we are narrower than the specification: only Ed25519 (signature type 1), and no extension lines, which
it advises against and a `Checkpoint` couldn't carry.

What bounds it: a note of 64 KiB, which holds the 16 signatures that the specification asks for even if they
are ML-DSA-44 (3.3 kB a line), and 100 signatures. What fails how: whatever is wrong with what others hand us
is a `ProofError`, whose text is a sentence for the reader; a wrong argument of our own (a name with a space,
a key file of another kind) is a ValueError.

That a log never signs two checkpoints that contradict each other is the duty of whoever calls `Signer.sign`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.journal.merkle import HASH_BYTES, SIZE_MAX

NOTE_CHARS_MAX: Final = 64 * 1024
SIGNATURES_MAX: Final = 100  # as Go's x/mod/sumdb/note; verifying 100 takes 15 ms

_ED25519: Final = b"\x01"  # the signature type of C2SP signed-note
_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_SIGNATURE_MARK: Final = "\N{EM DASH} "
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")  # everything below U+0020 but the newline


class ProofError(Exception):
    """A proof doesn't hold. Its text says why, in one sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log claims: the root over its first `size` leaves."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """A log's private key, under the log's name, which is the origin of all that it signs."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that a note can't carry."""
        if not _is_key_name(self.name):
            raise ValueError(f"a log's name has no space, no control character and no plus: {self.name!r}")

    def sign(self, checkpoint: Checkpoint) -> str:
        """Give the signed note; ValueError for a checkpoint of another log, or one that no log could have."""
        if checkpoint.origin != self.name:
            raise ValueError(f"{self.name} doesn't sign for {checkpoint.origin}")
        if not 0 <= checkpoint.size <= SIZE_MAX or len(checkpoint.root) != HASH_BYTES:
            raise ValueError(f"no log has {checkpoint.size} leaves and the root {checkpoint.root.hex()}")
        signature = self.key.sign(checkpoint.text.encode())
        line = encode_base64(_key_id(self.name, self._public_key) + signature)
        return f"{checkpoint.text}\n{_SIGNATURE_MARK}{self.name} {line}\n"

    @property
    def verifier(self) -> str:
        """The verifier key to publish: name, key id and public key, which `Verifier.parse` reads."""
        key_id = _key_id(self.name, self._public_key)
        return f"{self.name}+{key_id.hex()}+{encode_base64(_ED25519 + self._public_key)}"

    @property
    def _public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a reader trusts: one public key under its name, and the origin of the log that it signs for."""

    name: str
    public_key: bytes
    origin: str

    @classmethod
    def parse(cls, key: str, origin: str | None = None) -> Self:
        """Read a verifier key, `name+keyid+base64`. The origin is the key's name unless a log differs."""
        parts = key.split("+", 2)  # base64 may hold a plus, names may not
        if len(parts) != 3 or not _is_key_name(parts[0]):  # noqa: PLR2004 - the three parts of the line above
            raise ProofError("A verifier key has the form name+keyid+base64.")
        name, key_id, encoded = parts
        data = decode_base64(encoded, "the verifier key")
        if data[:1] != _ED25519 or len(data) != 1 + _KEY_BYTES:
            raise ProofError("The verifier key is not an Ed25519 key.")
        if key_id != _key_id(name, data[1:]).hex():
            raise ProofError("The verifier key was mistyped or altered: its id doesn't fit it.")
        return cls(name, data[1:], name if origin is None else origin)

    def open(self, note: str) -> Checkpoint:
        """Verify a signed checkpoint and give what it says, or raise ProofError."""
        text, signatures = _split_note(note)
        key_id = _key_id(self.name, self.public_key)
        ours = [signature for name, id_, signature in signatures if (name, id_) == (self.name, key_id)]
        if not ours:
            raise ProofError(f"The checkpoint is not signed by the trusted key {self.name}+{key_id.hex()}.")
        key = Ed25519PublicKey.from_public_bytes(self.public_key)
        try:
            for signature in ours:
                key.verify(signature, text.encode())
        except InvalidSignature:
            raise ProofError(f"The checkpoint was altered: the signature of {self.name} doesn't fit it.") from None
        checkpoint = _parse_text(text)
        if checkpoint.origin != self.origin:
            raise ProofError(f"The checkpoint is of the log {checkpoint.origin!r}, not of {self.origin!r}.")
        return checkpoint


def generate_key_pem() -> bytes:
    """Make a new signing key, as unencrypted PKCS #8: whoever stores it guards it."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key_pem(pem: bytes) -> Ed25519PrivateKey:
    """Read a signing key; ValueError if it is anything but an unencrypted Ed25519 private key."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the signing key is not an unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the signing key is not an Ed25519 key")  # noqa: TRY004 - it's the file that is wrong
    return key


def encode_base64(data: bytes) -> str:
    """Write standard base64 with padding (RFC 4648, section 4), as all C2SP formats do."""
    return b64encode(data).decode()


def decode_base64(text: str, what: str) -> bytes:
    """Read standard base64 in its one canonical spelling, or raise ProofError about `what`."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = None
    # Spare bits of the last character decode to the same bytes: without this, two texts would say one thing.
    if data is None or encode_base64(data) != text:
        raise ProofError(f"There is no proper base64 where {what} should be.")
    return data


def decode_decimal(text: str, what: str) -> int:
    """Read a number from 0 to SIZE_MAX without sign or leading zeroes, or raise ProofError about `what`."""
    if not _DECIMAL.fullmatch(text) or (number := int(text)) > SIZE_MAX:
        raise ProofError(f"There is no proper number where {what} should be.")
    return number


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Part a note into its text and its signatures: of each the key's name, its id, and the signature."""
    if len(note) > NOTE_CHARS_MAX:
        raise ProofError(f"The checkpoint is longer than {NOTE_CHARS_MAX} characters.")
    if _CONTROL.search(note) or not _is_unicode(note):
        raise ProofError("The checkpoint has characters that no signed note may have.")
    # The text may have blank lines of its own, so the last one is what parts it from the signatures.
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise ProofError("The checkpoint is not a text, a blank line and lines with signatures.")
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise ProofError(f"The checkpoint has more than {SIGNATURES_MAX} signatures.")
    return head + "\n", [_parse_signature(line) for line in lines]


def _parse_signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
    if not line.startswith(_SIGNATURE_MARK) or not _is_key_name(name):
        raise ProofError("The checkpoint has a line among its signatures that is none.")
    data = decode_base64(encoded, "a signature of the checkpoint")
    if len(data) <= _KEY_ID_BYTES:
        raise ProofError("The checkpoint has a signature that is too short.")
    return name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:]


def _parse_text(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) != 3 or not lines[0]:  # noqa: PLR2004 - the origin, the size and the root
        raise ProofError("The signed text is not a checkpoint of just three lines: origin, size and root.")
    size = decode_decimal(lines[1], "the checkpoint's size")
    root = decode_base64(lines[2], "the checkpoint's root")
    if len(root) != HASH_BYTES:
        raise ProofError(f"The checkpoint's root is not {HASH_BYTES} bytes long.")
    return Checkpoint(lines[0], size, root)


def _key_id(name: str, public_key: bytes) -> bytes:
    """Give the four bytes that tell keys apart. They are a hint, not a protection: the pinned key is that."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def _is_key_name(name: str) -> bool:
    """Tell whether signed-note allows the name: not empty, without Unicode spaces, controls or plus."""
    return bool(name) and _is_unicode(name) and not re.search(r"[\s\x00-\x1f+]", name)


def _is_unicode(text: str) -> bool:
    """Tell whether the text can be UTF-8: a str from JSON may hold half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
