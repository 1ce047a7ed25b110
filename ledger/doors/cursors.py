"""Cursors: a place in one list, signed, so that nobody makes one up or carries it to another list.

A cursor is a number (of 64 bits), the id of the last thing seen, or its id and name; and the HMAC-SHA256 of that over
the list's name, cut to 128 bits, in base64url. It is no secret and grants nothing: whoever presents one still has to be
allowed to read the list.

Lists in the order of names have the name in their cursors, as it was then: so they go on where they were when that one
was given another name meanwhile, or is gone.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

_NUMBER_BYTES = 8
_ID_BYTES = 16
_SIGNATURE_BYTES = 16
_LENGTH_BYTES = 2


class WrongCursor(Exception):  # noqa: N818  # a refusal, not an error of ours
    """The cursor was edited, or belongs to another list: 400."""


class _Thing(Protocol):
    """Something with an id."""

    @property
    def id(self) -> UUID: ...


_Found = TypeVar("_Found", bound=_Thing)


def sign(secret: bytes, name: str, number: int) -> str:
    """Return the cursor for a place in the list of that name."""
    return _signed(secret, name, number.to_bytes(_NUMBER_BYTES))


def sign_id(secret: bytes, name: str, id_: UUID) -> str:
    """Return the cursor for the place behind that thing, in a list whose order needs more than a number."""
    return _signed(secret, name, id_.bytes)


def sign_named(secret: bytes, name: str, last: tuple[str, UUID]) -> str:
    """Return the cursor for the place behind the thing of that name and id, in a list in the order of names."""
    return _signed(secret, name, last[1].bytes + last[0].encode())


def page(secret: bytes, name: str, found: Sequence[_Found], size: int) -> tuple[Sequence[_Found], str | None]:
    """Return what fits, and the cursor behind it where more was found: so look for one more than fits."""
    shown = found[:size]
    return shown, sign_id(secret, name, shown[-1].id) if len(found) > size else None


def page_named(
    secret: bytes, name: str, found: Sequence[_Found], size: int, named: Callable[[_Found], str]
) -> tuple[Sequence[_Found], str | None]:
    """Return likewise what fits of a list in the order of names."""
    shown = found[:size]
    more = len(found) > size
    return shown, sign_named(secret, name, (named(shown[-1]), shown[-1].id)) if more else None


def read(secret: bytes, name: str, cursor: str) -> int:
    """Return the place, or refuse (400) a cursor that was edited or belongs to another list."""
    return int.from_bytes(_place(secret, name, cursor, _NUMBER_BYTES))


def read_id(secret: bytes, name: str, cursor: str | None) -> UUID | None:
    """Return the last thing seen, None on the first page, or refuse likewise."""
    return None if cursor is None else UUID(bytes=_place(secret, name, cursor, _ID_BYTES))


def read_named(secret: bytes, name: str, cursor: str | None) -> tuple[str, UUID] | None:
    """Return name and id of the last thing seen, None on the first page, or refuse likewise."""
    if cursor is None:
        return None
    place = _place(secret, name, cursor)
    return place[_ID_BYTES:].decode(), UUID(bytes=place[:_ID_BYTES])


def _signed(secret: bytes, name: str, place: bytes) -> str:
    return urlsafe_b64encode(place + _signature(secret, name, place)).rstrip(b"=").decode()


def _place(secret: bytes, name: str, cursor: str, size: int | None = None) -> bytes:
    """What was signed, of that size; or an id and a name behind it."""
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Error, ValueError):
        data = b""
    place = data[:size] if size is not None else data[:-_SIGNATURE_BYTES]
    if len(place) < (size or _ID_BYTES) or not hmac.compare_digest(_signed(secret, name, place), cursor):
        raise WrongCursor
    return place


def _signature(secret: bytes, name: str, place: bytes) -> bytes:
    # The place's length goes first, so that name and place can't run into each other.
    return hmac.digest(secret, len(place).to_bytes(_LENGTH_BYTES) + place + name.encode(), "sha256")[:_SIGNATURE_BYTES]
