"""Attempts: how often something is asked for by whoever is there, who isn't known yet; counted for each hour.

    heard: one more of a network, or of a mailbox -> whether that is within its limit
    open_try -> tried: codes typed in a browser, if anything was asked for in it

Whom it is about is kept as a keyed hash, of a browser's cookie as a plain one, which has random bits enough. A network
is an address of IPv4, or the 2^64 of IPv6 that one household or organisation has: *of the request*, so behind a proxy
the settings have to name that.

What bounds it: a row for each network, mailbox and browser in an hour; those of mailboxes and browsers are written only
for requests that were heard from their network. What is a day old is forgotten. Where a limit is passed, the log says
so, once for each hour, and not whose it is.
"""

import hashlib
import hmac
import ipaddress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import asyncpg
import structlog

_HOUR: Final = timedelta(hours=1)
_KEPT: Final = timedelta(days=1)
_FORGOTTEN_AT_ONCE: Final = 500
# One household or organisation has 2^64 addresses of IPv6.
_NETWORK_BITS: Final = 64


class What(StrEnum):
    """What is counted."""

    LETTER_FROM = "letter_from"
    LETTER_TO = "letter_to"
    CHALLENGE_FROM = "challenge_from"
    CODE_IN = "code_in"


async def heard(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, secret: bytes, what: What, whom: str, most: int, now: datetime
) -> bool:
    """Count one more from that network or for that mailbox; whether it is one of so many within the hour."""
    hashed = hmac.digest(secret, what.encode() + b"\0" + whom.encode(), hashlib.sha256)
    count: int = await raw.fetchval(_COUNT, what.value, hashed, _hour(now))
    if count == most + 1:
        structlog.get_logger(__name__).warning("asked for too often: no more are heard until the next hour", what=what)
    return count <= most


async def open_try(raw: asyncpg.Connection, browser: bytes, now: datetime) -> None:
    """Let codes be tried in the browser of that hash, in which something was asked for."""
    await raw.execute(_OPEN, What.CODE_IN.value, browser, _hour(now))


async def tried(raw: asyncpg.Connection, browser: bytes, now: datetime) -> int | None:
    """Count a code that is typed there, and return the how-manyth it is; None where nothing was asked for of late."""
    count: int | None = await raw.fetchval(_TRY, What.CODE_IN.value, browser, _hour(now) - _HOUR)
    return count


async def succeeded(raw: asyncpg.Connection, browser: bytes) -> None:
    """A right one doesn't count, nor those before it."""
    await raw.execute(_BEGIN_ANEW, What.CODE_IN.value, browser)


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some counts of a day ago, and return how many they were."""
    return int((await raw.execute(_FORGET, now - _KEPT, _FORGOTTEN_AT_ONCE)).split()[-1])


def network(address: str) -> str:
    """The address by which requests are counted: of IPv6, the network that one household has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))


def _hour(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


_COUNT = """
INSERT INTO scheme.attempt AS a (what, whom, since, count) VALUES ($1, $2, $3, 1)
ON CONFLICT (what, whom, since) DO UPDATE SET count = a.count + 1
RETURNING count
"""
_OPEN = "INSERT INTO scheme.attempt (what, whom, since, count) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING"
# A letter that came just before the hour is read after it.
_TRY = """
UPDATE scheme.attempt SET count = count + 1
WHERE what = $1 AND whom = $2
    AND since = (SELECT max(since) FROM scheme.attempt WHERE what = $1 AND whom = $2 AND since >= $3)
RETURNING count
"""
_BEGIN_ANEW = "UPDATE scheme.attempt SET count = 0 WHERE what = $1 AND whom = $2"
_FORGET = """
DELETE FROM scheme.attempt WHERE ctid = ANY(ARRAY(SELECT ctid FROM scheme.attempt WHERE since <= $1 LIMIT $2))
"""
