"""Cursors: a place in one list, signed, so that nobody makes one up or carries it to another list.

A cursor is a number (of 64 bits) or the id of the last thing seen, and its HMAC-SHA256 over the list's name, cut to
128 bits, in base64url. It is no secret and grants nothing: whoever presents one still has to be allowed to read the
list.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from ledger.doors.api.problems import Fault, Refused

_NUMBER_BYTES = 8
_ID_BYTES = 16
_SIGNATURE_BYTES = 16


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


def page(secret: bytes, name: str, found: Sequence[_Found], size: int) -> tuple[Sequence[_Found], str | None]:
    """Return what fits, and the cursor behind it where more was found: so look for one more than fits."""
    shown = found[:size]
    return shown, sign_id(secret, name, shown[-1].id) if len(found) > size else None


def read(secret: bytes, name: str, cursor: str) -> int:
    """Return the place, or refuse (400) a cursor that was edited or belongs to another list."""
    return int.from_bytes(_place(secret, name, cursor, _NUMBER_BYTES))


def read_id(secret: bytes, name: str, cursor: str | None) -> UUID | None:
    """Return the last thing seen, None on the first page, or refuse likewise."""
    return None if cursor is None else UUID(bytes=_place(secret, name, cursor, _ID_BYTES))


def _signed(secret: bytes, name: str, place: bytes) -> str:
    return urlsafe_b64encode(place + _signature(secret, name, place)).rstrip(b"=").decode()


def _place(secret: bytes, name: str, cursor: str, size: int) -> bytes:
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Error, ValueError):
        data = b""
    place = data[:size]
    if len(place) < size or not hmac.compare_digest(_signed(secret, name, place), cursor):
        fault = Fault("cursor", "is not one that this list gave")
        raise Refused("wrong_parameters", f"`cursor` {fault.message}.", fields=[fault])
    return place


def _signature(secret: bytes, name: str, place: bytes) -> bytes:
    # The place's length goes first, so that name and place can't run into each other.
    return hmac.digest(secret, bytes([len(place)]) + place + name.encode(), "sha256")[:_SIGNATURE_BYTES]
