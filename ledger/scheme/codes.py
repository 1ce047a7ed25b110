"""Codes that people read from a slip and type: Crockford's base32, ten characters and a check character.

Lower case, spaces, hyphens, ``O`` for ``0`` and ``I`` or ``L`` for ``1`` are understood. The check character (Luhn's,
modulo 32) is tested first: it finds every single mistyped character, and nearly every two that changed places, so a
slip of the finger costs no try.

A code is not stored. It is made anew from the scheme's secret and the id of what it stands for; the database keeps its
keyed hash, to be found by.
"""

import hashlib
import hmac
from typing import Final
from uuid import UUID

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 50 random bits: a thousand guesses a second would find one of a thousand slips in 35 years.
_DIGITS: Final = 10
_TYPED: Final = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})


def code_for(secret: bytes, purpose: str, id_: UUID) -> str:
    """The code of that thing: ``XXXX-XXXX-XXX``."""
    number = int.from_bytes(hmac.digest(secret, purpose.encode() + b"\0" + id_.bytes, hashlib.sha256)[:8]) >> 14
    digits = [number >> 5 * place & 31 for place in reversed(range(_DIGITS))]
    text = "".join(ALPHABET[digit] for digit in [*digits, _check(digits)])
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def read_code(typed: str) -> str | None:
    """The code's characters as they are hashed, or None if it was mistyped."""
    text = typed.upper().translate(_TYPED)
    if len(text) != _DIGITS + 1 or not set(text) <= set(ALPHABET):
        return None
    *digits, check = (ALPHABET.index(character) for character in text)
    return text if check == _check(digits) else None


def code_hash(secret: bytes, code: str) -> bytes:
    """What is kept of a code, as ``code_for`` or ``read_code`` gives it."""
    return hmac.digest(secret, b"hash\0" + code.replace("-", "").encode(), hashlib.sha256)


def _check(digits: list[int]) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled // 32 + doubled % 32
    return -total % 32
