"""What a request may hold: the strict Struct of every JSON body, and the bounded types of its fields.

Promises, of every body that reaches a handler as an `Input`:

1. only named fields, each of exactly the type that is written down: `1.0`, `"1"` and `true` are not integers;
2. every integer, text, list and moment is bounded, so nothing that follows can overflow or grow without end;
3. it can't be changed afterwards.

Litestar decodes a body without its type and then converts it leniently (2.25: `"1"` and `1.0` become 1, at
any depth). `StrictRequest` decodes the bytes straight into the handler's Struct instead, which is also the
faster way; give it to Litestar as `request_class`. The same leniency holds for query parameters, hence
`page_size`.

What fails: msgspec's ValidationError, which `problems` turns into plain words with the path of the field.
Syntax, repeated keys, depth and control characters have been refused by `guard` before.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
from litestar import Request
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import Empty, HTTPRequestEvent
from msgspec import Meta

from ledger.scheme.windows import CLOSES_PATTERN, OPENS_PATTERN

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
    WORD_PATTERN: "must be a word of small letters, digits and underscores, 48 at most",
    OPENS_PATTERN: "must be a time of day from 00:00 to 23:59",
    CLOSES_PATTERN: "must be a time of day from 00:00 to 24:00",
}


class Input(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Derive every JSON request body, and every object inside one, from this.

    Write `class Line(Input, frozen=True, kw_only=True)`: mypy asks for the first, and the second holds for
    one class's own fields only. That unknown fields are forbidden is inherited.
    """

    def __post_init__(self) -> None:
        """Keep moments within the years that are meant; msgspec has no bound of its own for them."""
        # 0.3 us for five fields; 5,000 lines of a register 1.5 ms.
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is datetime and not YEAR_FIRST <= value.year <= YEAR_LAST:
                raise ValueError(f"`{name}` must lie in the years {YEAR_FIRST} to {YEAR_LAST}")


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

# The header parameter's name in a handler must be `idempotency_key`: Litestar's errors name the argument, and
# `problems` writes the header's name from it. 255 is what Stripe and the IETF draft allow.
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=KEY_PATTERN,
        description="Made by the client, one for each thing it wants done; send it again to retry safely. "
        "Any text will do; a UUID of version 7 is the quickest.",
    ),
]

# Likewise `cursor`. 512 leaves room for a signed position of any kind.
Cursor = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=1200,  # a name of 200 characters, an id and the signature
        pattern=CURSOR_PATTERN,
        description="From the answer that gave the page before.",
    ),
]

LIMIT_MAX: Final = 200
# What a phone shows in two screens; each line of a statement is a page of the database.
LIMIT_DEFAULT: Final = "25"


def page_size(
    limit: Annotated[
        str,
        QueryParameter(
            pattern=LIMIT_PATTERN,
            description="How many to return.",
            schema_extra={
                "type": "integer",
                "minimum": 1,
                "maximum": LIMIT_MAX,
                "default": int(LIMIT_DEFAULT),
            },
        ),
    ] = LIMIT_DEFAULT,
) -> int:
    """Read `?limit=`, as a dependency `{"page_size": Provide(page_size, sync_to_thread=False)}`.

    Taken as text and matched, because Litestar would read `1e2` and `1.0` as integers.
    """
    return int(limit)


@cache
def _decoder(model: type[Any]) -> msgspec.json.Decoder[Any]:
    if not issubclass(model, Input):
        raise TypeError(f"{model!r} is the body of a route: derive it from ledger.doors.api.inputs.Input")
    return msgspec.json.Decoder(model)


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded in one strict step into the Struct that its handler declares."""

    async def body(self) -> bytes:
        """Return the whole body, which the guard gives in one message.

        Litestar would look at its length once more and join its parts: 8 us.
        """
        if self._body is Empty:
            message = cast("HTTPRequestEvent", await self.receive())
            self._body = message["body"]
        return self._body

    async def json(self) -> Any:  # noqa: ANN401 - Litestar's signature; what is returned is the handler's own Struct
        """Return the body as the handler's `data` type, or raise msgspec's ValidationError."""
        field = self.route_handler.parsed_data_field
        if field is None:
            return await super().json()
        return _decoder(field.annotation).decode(await self.body())
