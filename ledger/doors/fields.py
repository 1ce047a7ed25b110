"""What people and programs may send, field by field: bounded types, and what is wrong with a value in plain words.

Every integer, text and moment is bounded, so nothing that follows can overflow or grow without end. The API's bodies
and the pages' forms are made of the same types, and what msgspec says of a value is told by `in_plain_words` to both.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from ledger.scheme.windows import CLOSES_PATTERN, OPENS_PATTERN

_ECHO_MAX: Final = 100  # characters of a client's own text in an answer: enough to recognise it

# Wide enough for any paper that is entered late and any session that is planned; within it no arithmetic on
# zones can leave what Python and PostgreSQL hold (`0001-01-01T00:00:00+14:00` would). The scheme's rules are
# tighter.
YEAR_FIRST: Final = 2000
YEAR_LAST: Final = 2100

# `$(?!\n)`: Python's `$` also matches before a last line break; JSON Schema's readers know no `\Z`.
# `\s` is white space of any kind, in Python and in JSON Schema: a name has something to be called by.
NAME_PATTERN: Final = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$(?!\n)"
KEY_PATTERN: Final = r"^[\x21-\x7e]+$(?!\n)"
CURSOR_PATTERN: Final = r"^[A-Za-z0-9_.-]+$(?!\n)"
PREFIX_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$(?!\n)"
EMAIL_PATTERN: Final = r"^[^@\x00-\x20\x7f-\xa0]+@[^@\x00-\x20\x7f-\xa0]+$(?!\n)"
PHONE_PATTERN: Final = r"^[+(]?[0-9][0-9() ./-]*[0-9]$(?!\n)"
ADDRESS_PATTERN: Final = r"\S"
LIMIT_PATTERN: Final = r"^([1-9][0-9]?|1[0-9][0-9]|200)$(?!\n)"

SERIAL_PATTERN: Final = r"^[A-Za-z0-9 /.#-]+$(?!\n)"
TAG_PATTERN: Final = r"^[a-z][a-z_]{0,31}$(?!\n)"
DISTRICT_PATTERN: Final = r"^[A-Z]{1,2}[0-9][A-Z0-9]?$(?!\n)"
POSTCODE_PATTERN: Final = r"^[A-Za-z]{1,2}[0-9][0-9A-Za-z]? ?[0-9][A-Za-z]{2}$(?!\n)"
NEAR_PATTERN: Final = r"^[A-Za-z]{1,2}[0-9][0-9A-Za-z]?( ?[0-9][A-Za-z]{2})?$(?!\n)"
MONTH_PATTERN: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$(?!\n)"
WORD_PATTERN: Final = r"^[a-z][a-z0-9_]{0,47}$(?!\n)"
# What a page shows of a UUID are its last eight digits.
NUMBER_PATTERN: Final = r"^([0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{4})?[0-9A-Fa-f]{8}$(?!\n)"

# What a reader is told when a value doesn't match: msgspec can only quote the pattern; `problems` looks here.
PATTERNS_IN_WORDS: Final[Mapping[str, str]] = {
    NAME_PATTERN: "must be on one line, without a space at either end and without control characters",
    KEY_PATTERN: "must be visible ASCII characters only, without spaces",
    CURSOR_PATTERN: "must be a cursor as an earlier page gave it",
    PREFIX_PATTERN: "must be text without control characters",
    EMAIL_PATTERN: "must be an email address, such as ann@example.org",
    PHONE_PATTERN: "must be a phone number: digits, spaces and the signs + ( ) / . - only",
    ADDRESS_PATTERN: "must say something",
    LIMIT_PATTERN: "must be a whole number from 1 to 200, written in digits only",
    SERIAL_PATTERN: "must be letters, digits, spaces and the signs / . # - only",
    TAG_PATTERN: "must be a word of small letters and underscores, 32 at most",
    DISTRICT_PATTERN: "must be the first half of a postcode in capitals, such as CB4",
    POSTCODE_PATTERN: "must be a postcode, such as CB4 1DQ",
    NEAR_PATTERN: "must be a postcode or its first half, such as CB4",
    MONTH_PATTERN: "must be a month, such as 2026-11",
    NUMBER_PATTERN: "must be a number as it is shown, or its last eight digits",
    WORD_PATTERN: "must be a word of small letters, digits and underscores, 48 at most",
    OPENS_PATTERN: "must be a time of day from 00:00 to 23:59",
    CLOSES_PATTERN: "must be a time of day from 00:00 to 24:00",
}

# 6,000 minutes are 100 hours: several times the longest session (24 h) and any offer; 5,000 lines of it are
# 3 * 10^7, so no sum of one request comes near 2^63. The scheme's own caps are tighter.
Minutes = Annotated[int, Meta(ge=1, le=6_000, description="Whole minutes; 60 are one Time Credit.")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NAME_PATTERN)]
Text = Annotated[str, Meta(max_length=2_000, description="Free text; line breaks are kept.")]
Identifier = UUID
Moment = Annotated[
    datetime,
    Meta(tz=True, description=f"With its zone or offset; from {YEAR_FIRST} to {YEAR_LAST}."),
]


class Fault(msgspec.Struct, frozen=True):
    """One field and what is wrong with it, in words for whoever filled it in."""

    field: str
    message: str


# --- msgspec's messages in plain words

_TYPES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "datetime": "a date with a time",
    "date": "a date",
    "uuid": "a UUID",
}
_MOMENT_EXAMPLE: Final = "such as 2026-03-14T10:30:00+00:00"
_LAST_OF_PATH: Final = re.compile(r" - at `(?P<path>[^`]*)`$")


def _types(names: str) -> str:
    """Name what msgspec calls `int | null`."""
    return " or ".join(_TYPES.get(name, name) for name in names.split(" | "))


def _sized(kind: str, size: str, *, most: bool) -> str:
    # Whole sentences, for translators read them out of here.
    one = size == "1"
    if kind == "str":
        return f"must have {'at most' if most else 'at least'} {size} {'character' if one else 'characters'}"
    if kind == "array":
        return f"must have {'at most' if most else 'at least'} {size} {'item' if one else 'items'}"
    return f"must have {'at most' if most else 'at least'} {size} {'entry' if one else 'entries'}"


class _Phrase(NamedTuple):
    """One form of msgspec's messages: its status and how to say it. A `suffix` group extends the path."""

    pattern: re.Pattern[str]
    status: int
    say: Callable[[re.Match[str]], str]


def _phrase(pattern: str, status: int, say: str | Callable[[re.Match[str]], str]) -> _Phrase:
    return _Phrase(re.compile(pattern, re.DOTALL), status, say if callable(say) else lambda _: say)


# Read from top to bottom; the first that matches speaks.
_PHRASES: Final = (
    _phrase(r"Object missing required field `(?P<suffix>.*)`", 400, "is required"),
    _phrase(r"Object contains unknown field `(?P<suffix>.*)`", 400, "is not a field of this request"),
    _phrase(r"Expected `datetime` with a timezone.*", 422, f"must say its time zone, {_MOMENT_EXAMPLE}"),
    _phrase(r"Expected `([^`]+)`, got `([^`]+)`", 400, lambda m: f"must be {_types(m[1])}, not {_types(m[2])}"),
    _phrase(r"Expected `(\w+)` of length >= (\d+)", 422, lambda m: _sized(m[1], m[2], most=False)),
    _phrase(r"Expected `(\w+)` of length <= (\d+)", 422, lambda m: _sized(m[1], m[2], most=True)),
    _phrase(r"Expected `\w+` >= (\S+)", 422, lambda m: f"must be at least {m[1]}"),
    _phrase(r"Expected `\w+` <= (\S+)", 422, lambda m: f"must be at most {m[1]}"),
    _phrase(r"Expected `\w+` > (\S+)", 422, lambda m: f"must be more than {m[1]}"),
    _phrase(r"Expected `\w+` < (\S+)", 422, lambda m: f"must be less than {m[1]}"),
    _phrase(r"Expected `\w+` that's a multiple of (\S+)", 422, lambda m: f"must be a multiple of {m[1]}"),
    _phrase(
        r"Expected `str` matching regex (?P<quoted>.*)",
        422,
        lambda m: next(
            (words for pattern, words in PATTERNS_IN_WORDS.items() if repr(pattern) == m["quoted"]),
            "is not in the form that the documentation shows",
        ),
    ),
    _phrase(r"Invalid RFC3339 encoded datetime", 400, f"must be a date with its time and zone, {_MOMENT_EXAMPLE}"),
    _phrase(r"Invalid RFC3339 encoded date", 400, "must be a date, such as 2026-03-14"),
    _phrase(r"Invalid UUID", 400, "must be a UUID, such as 0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e"),
    _phrase(r"Invalid (?:enum )?value .*", 422, "is not one of the values that are allowed"),
    _phrase(r"(?:Number|Integer value) out of range", 400, "is a number too large to be read"),
    _phrase(r"`(?P<suffix>\w+)` (?P<own>must .*)", 422, lambda m: m["own"]),  # from an Input's __post_init__
    _phrase(r"(?P<own>must .*)", 422, lambda m: m["own"]),
)


def in_plain_words(message: str, path: str = "") -> tuple[int, Fault]:
    """Return the status and the field's fault for one of msgspec's messages.

    The path is taken from the message's own end (``... - at `$.lines[3].minutes` ``) or from the argument.
    """
    if at := _LAST_OF_PATH.search(message):
        message, path = message[: at.start()], at["path"].removeprefix("$").removeprefix(".")
    for phrase in _PHRASES:
        if match := phrase.pattern.fullmatch(message):
            if suffix := match.groupdict().get("suffix"):
                path = f"{path}.{suffix[:_ECHO_MAX]}" if path else suffix[:_ECHO_MAX]
            return phrase.status, Fault(path or "body", phrase.say(match))
    return 400, Fault(path or "body", "can't be read as what this field takes")
