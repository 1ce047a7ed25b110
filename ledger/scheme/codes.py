"""Codes that people read from a slip, a card or a phone and type: Crockford's base32 with a check character.

Lower case, spaces, hyphens, ``O`` for ``0`` and ``I`` or ``L`` for ``1`` are understood. The check character (Luhn's,
modulo 32) is tested first: it finds every single mistyped character, and nearly every two that changed places, so a
slip of the finger costs no try. Their length tells the kinds apart, and a QR code holds the same characters:

    plain, 11:     ten of HMAC-SHA256(secret, what it is for || id), check
    pass, 13:      six, the pass's number; six of HMAC-SHA256(secret, "pass" || id || step), check
    enrolment, 14: as a plain one, with thirteen: it works without a key, so it is longer

What a phone shows (a pass, a booking) is drawn as a link to the till's page with the code behind its ``#``: a tablet's
own camera opens it, and a scanner that types what it reads types all of it. So a link is read as the code at its end.

No code is stored. A plain one is made anew from the scheme's secret and the id of what it stands for; the database
keeps its keyed hash, to be found by. A phone pass is found by its number, and its code holds for one step of some
seconds (rule 24): the steps are counted from 1970 on, so every process counts alike.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import asyncpg
from msgspec import Struct

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 50 random bits: a thousand guesses a second would find one of a thousand slips in 35 years.
_DIGITS: Final = 10
# 65 random bits, for ten minutes: at ten thousand guesses a second one in 10^12 finds the code of a till.
_ENROLMENT_DIGITS: Final = 13
# A pass's number and its MAC: six digits each. A guess is right once in a thousand million, and ten an hour are heard.
PASS_BITS: Final = 30
_PASS_DIGITS: Final = 2 * PASS_BITS // 5
# A code of the hour before is known as one that has moved on, which helps the till and counts as no wrong one.
_STALE_SECONDS: Final = 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Tables for `bytes.translate`, by which a code is read in 1 us: what a typed character stands for, what a digit is
# written as, and what it counts where Luhn doubles it.
_NO_DIGIT: Final = 255
# A scanner may type the signs of a link as another keyboard's.
_LINK: Final = re.compile(r"\A\s*https?.*till\W", re.IGNORECASE)
_STANDS_FOR: Final = {**{c: v for v, c in enumerate(ALPHABET)}, "O": 0, "I": 1, "L": 1}
_VALUES: Final = bytes([_STANDS_FOR.get(chr(byte).upper(), _NO_DIGIT) for byte in range(256)])
_CHARACTERS: Final = ALPHABET.encode().ljust(256, b"?")
_DOUBLED: Final = bytes([digit * 2 // 32 + digit * 2 % 32 for digit in range(32)]).ljust(256)


class Plain(Struct, frozen=True):
    """A card's, a booking's or a slip's code: its characters as they are hashed."""

    text: str


class Pass(Struct, frozen=True):
    """A phone pass's code: which pass, and what proves that it is on its phone now."""

    number: int
    mac: int


Typed = Plain | Pass


async def secret_of(raw: asyncpg.Connection) -> bytes:
    """The scheme's secret, from which codes are made."""
    secret: bytes = await raw.fetchval("SELECT secret FROM scheme.directory")
    return secret


def code_for(secret: bytes, purpose: str, id_: UUID) -> str:
    """The code of that thing: ``XXXX-XXXX-XXX``."""
    return _written(_of(secret, purpose, id_, 5 * _DIGITS), _DIGITS)


def enrolment_code(secret: bytes, device: UUID) -> str:
    """The code that a till is enrolled with: ``XXXX-XXXX-XXXX-XX``."""
    return _written(_of(secret, "enrolment", device, 5 * _ENROLMENT_DIGITS), _ENROLMENT_DIGITS)


def pass_code(secret: bytes, number: int, credential: UUID, step: int) -> str:
    """A phone pass's code during that step: ``XXXX-XXXX-XXXX-X``."""
    return _written(number << PASS_BITS | _mac(secret, credential, step), _PASS_DIGITS)


def link(url: str, code: str) -> str:
    """The address that opens the till at that service with the code in its field; a browser sends no fragment."""
    return f"{url}/till#{code}"


def read_typed(typed: str) -> Typed | None:
    """Which code this is, or None if it was mistyped."""
    digits = _read(typed, _DIGITS, _PASS_DIGITS)
    if digits is None:
        return None
    if len(digits) == _DIGITS + 1:
        return Plain(_text(digits))
    number = 0
    for digit in digits[:-1]:
        number = number << 5 | digit
    return Pass(number >> PASS_BITS, number & (1 << PASS_BITS) - 1)


def read_code(typed: str) -> str | None:
    """A plain code's characters as they are hashed, or None if it was mistyped or is a pass's."""
    digits = _read(typed, _DIGITS)
    return None if digits is None else _text(digits)


def read_enrolment(typed: str) -> str | None:
    """A till's enrolment code likewise."""
    digits = _read(typed, _ENROLMENT_DIGITS)
    return None if digits is None else _text(digits)


def code_hash(secret: bytes, code: str) -> bytes:
    """What is kept of a code, as it is shown or as it was read: BLAKE2b under the secret, a third of HMAC's time."""
    return hashlib.blake2b(code.replace("-", "").encode(), key=secret, person=b"code kept", digest_size=32).digest()


def pass_step(now: datetime, seconds: int) -> int:
    """The step at that moment, where each lasts so many seconds."""
    return (now - _EPOCH) // timedelta(seconds=seconds)


def step_ends(step: int, seconds: int) -> datetime:
    """The moment at which the next step begins."""
    return _EPOCH + timedelta(seconds=seconds) * (step + 1)


def pass_age(  # noqa: PLR0917  # each is another word of rule 24
    secret: bytes, credential: UUID, mac: int, now: datetime, seconds: int, tolerated: int
) -> int | Literal["stale"] | None:
    """The step that the code is of, if it holds now; ``stale`` if it did within the hour; None: it is no code of this.

    What holds is the present step, so many before it, and the one ahead: the process that showed it may have a clock
    that is a moment before this one's.
    """
    present = pass_step(now, seconds)
    for step in range(present + 1, present - tolerated - 1, -1):
        if _is_of(secret, credential, mac, step):
            return step
    oldest = present - _STALE_SECONDS // seconds
    for step in range(present - tolerated - 1, oldest - 1, -1):
        if _is_of(secret, credential, mac, step):
            return "stale"
    return None


def _of(secret: bytes, purpose: str, id_: UUID, bits: int) -> int:
    said = hmac.digest(secret, purpose.encode() + b"\0" + id_.bytes, hashlib.sha256)
    return int.from_bytes(said) >> 8 * len(said) - bits


def _is_of(secret: bytes, credential: UUID, mac: int, step: int) -> bool:
    return hmac.compare_digest(mac.to_bytes(4), _mac(secret, credential, step).to_bytes(4))


def _mac(secret: bytes, credential: UUID, step: int) -> int:
    said = b"pass\0" + credential.bytes + step.to_bytes(8, signed=True)
    return int.from_bytes(hmac.digest(secret, said, hashlib.sha256)[:4]) >> 32 - PASS_BITS


def _written(number: int, count: int) -> str:
    digits = bytes([number >> 5 * place & 31 for place in reversed(range(count))])
    text = _text(digits + bytes([_check(digits)]))
    return "-".join([text[place : place + 4] for place in range(0, len(text), 4)])


def _text(digits: bytes) -> str:
    return digits.translate(_CHARACTERS).decode()


def _read(typed: str, *counts: int) -> bytes | None:
    """The digits with their check, if they are so many besides it and fit together."""
    digits = _LINK.sub("", typed, count=1).encode("ascii", "replace").translate(_VALUES, b" -")
    if len(digits) - 1 not in counts or _NO_DIGIT in digits:
        return None
    return digits if digits[-1] == _check(digits[:-1]) else None


def _check(digits: bytes) -> int:
    return -(sum(digits[-1::-2].translate(_DOUBLED)) + sum(digits[-2::-2])) % 32
