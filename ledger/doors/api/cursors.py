"""Cursors: a place in one list, signed, so that nobody makes one up or carries it to another list.

A cursor is a number (of 64 bits) and its HMAC-SHA256 over the list's name, cut to 128 bits, in base64url. It is no
secret and grants nothing: whoever presents one still has to be allowed to read the list.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from ledger.doors.api.problems import Fault, Refused

_NUMBER_BYTES = 8
_SIGNATURE_BYTES = 16


def sign(secret: bytes, name: str, number: int) -> str:
    """Return the cursor for a place in the list of that name."""
    place = number.to_bytes(_NUMBER_BYTES)
    return urlsafe_b64encode(place + _signature(secret, name, place)).rstrip(b"=").decode()


def read(secret: bytes, name: str, cursor: str) -> int:
    """Return the place, or refuse (400) a cursor that was edited or belongs to another list."""
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Error, ValueError):
        data = b""
    place, signature = data[:_NUMBER_BYTES], data[_NUMBER_BYTES:]
    if not hmac.compare_digest(signature, _signature(secret, name, place)):
        fault = Fault("cursor", "is not one that this list gave")
        raise Refused("wrong_parameters", f"`cursor` {fault.message}.", fields=[fault])
    return int.from_bytes(place)


def _signature(secret: bytes, name: str, place: bytes) -> bytes:
    # The place has a fixed length, so that name and place can't run into each other.
    return hmac.digest(secret, place + name.encode(), "sha256")[:_SIGNATURE_BYTES]
