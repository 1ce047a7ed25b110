"""Challenges: 32 random bytes that a browser is given to have answered, taken back once, within five minutes.

    make -> the browser, its authenticator or its organisation -> take: there no more, whatever it was taken for

A challenge is bound to the browser that it was made for, by the hash of that browser's cookie; to a purpose; and, where
somebody adds something, to that holder. Who answers in another browser, or for another purpose, finds none.

What bounds it: `EACH_BROWSER` at a time in one browser, or for one holder, of which the oldest goes when another is
made; where nobody is known yet, `FROM` an hour from one network (``attempts``). With each that is made some of those
that are over go, so no more are kept than were made within the last minutes: of some 200 bytes each, 120 KB of a
network's, for whoever asks without a cookie each time.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from ledger.scheme import attempts
from ledger.scheme.attempts import What
from ledger.scheme.refusals import Declined, Refusal

LASTS: Final = timedelta(minutes=5)
# A form that is open in some tabs; whoever opens more begins anew in the oldest.
EACH_BROWSER: Final = 10
# Two hundred at work behind one address, who all come in within an hour and start again twice.
FROM: Final = 600
_BYTES: Final = 32
_FORGOTTEN_AT_ONCE: Final = 10


class Purpose(StrEnum):
    """What a challenge is answered for."""

    ADD = "add"
    SIGN_IN = "sign_in"
    ORGANISATION = "organisation"


async def asked(raw: asyncpg.Connection, secret: bytes, network: str, now: datetime) -> None:
    """Count one that somebody asks for from that address; declines it where there were too many."""
    if not await attempts.heard(raw, secret, What.CHALLENGE_FROM, attempts.network(network), FROM, now):
        raise Declined(Refusal.TRY_AGAIN, "Many people sign in from where you are: please try again in an hour.")


async def make(
    raw: asyncpg.Connection, purpose: Purpose, browser: str, now: datetime, *, holder: UUID | None = None
) -> bytes:
    """A new challenge for that browser, by its cookie's value; for that holder, if they add something."""
    challenge = os.urandom(_BYTES)
    await raw.execute(_FORGET, now, _FORGOTTEN_AT_ONCE)
    await raw.execute(_FORGET_BROWSERS, _hash(browser), EACH_BROWSER - 1)
    if holder is not None:
        await raw.execute(_FORGET_HOLDERS, holder, EACH_BROWSER - 1)
    await raw.execute(_MAKE, uuid4(), purpose.value, challenge, holder, _hash(browser), now + LASTS)
    return challenge


async def take(
    raw: asyncpg.Connection,
    purpose: Purpose,
    browser: str,
    now: datetime,
    *,
    holder: UUID | None = None,
    is_it: Callable[[bytes], bool],
) -> bytes | None:
    """The challenge of that browser, purpose and holder which `is_it`; None if there is none, or it is over.

    It is used up with the transaction: so let that commit, whatever the answer turns out to be worth.
    """
    for row in await raw.fetch(_MADE, _hash(browser), purpose.value, holder):
        if is_it(row["challenge"]) and await raw.fetchval(_TAKE, row["id"]):
            challenge: bytes = row["challenge"]
            return challenge if row["ends_at"] > now else None
    return None


def _hash(browser: str) -> bytes:
    return hashlib.sha256(browser.encode()).digest()


# What another transaction is about to delete is left to it, so that nobody waits.
_FORGET = """
DELETE FROM scheme.challenge WHERE id = ANY(ARRAY(
    SELECT id FROM scheme.challenge WHERE ends_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
))
"""
_FORGET_OLDEST = """
DELETE FROM scheme.challenge WHERE id = ANY(ARRAY(
    SELECT id FROM scheme.challenge WHERE {} = $1 ORDER BY ends_at DESC, id OFFSET $2 FOR UPDATE SKIP LOCKED
))
"""
_FORGET_BROWSERS, _FORGET_HOLDERS = _FORGET_OLDEST.format("browser_hash"), _FORGET_OLDEST.format("holder")
_MAKE = """
INSERT INTO scheme.challenge (id, purpose, challenge, holder, browser_hash, ends_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_MADE = """
SELECT id, challenge, ends_at FROM scheme.challenge
WHERE browser_hash = $1 AND purpose = $2 AND holder IS NOT DISTINCT FROM $3
"""
_TAKE = "DELETE FROM scheme.challenge WHERE id = $1 RETURNING true"
