"""Vouching: an organisation's own sign-in (OIDC) says who somebody is, and the scheme knows whose account that is.

    begin: state, nonce, verifier -> the organisation -> resume: the same, once, in the browser that began -> sign_in

What a sign-in was begun with is made from one challenge (``challenges``), so it is of one browser, used once and over
after five minutes; the verifier is told to nobody before, and can't be made from the others.

Whom an account belongs to is kept by issuer and subject, which an organisation never gives to another. At first sight
it is found by the verified address: that of exactly one person with a role other than volunteer, who has no other sure
way in. For the address is one that staff can change: whoever has a passkey, or had one, signs in with that first, and
then once more in the same browser through the organisation. Who has an account of that issuer already keeps it: an
address that the organisation gave to another later opens nothing.

A sign-in begins in the transaction that found whose account it is, under the lock on them: when all of somebody's end,
none begins just behind it.

What bounds it: an account of each issuer for each person; challenges, as they are.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import challenges, one_time, outbox, sign_ins
from ledger.scheme.awards import lock_holders
from ledger.scheme.challenges import Purpose
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Entered, Strength

NAME_BYTES_MAX: Final = 255


class Begun(Struct, frozen=True, kw_only=True):
    """What a sign-in was begun with: ``state`` and ``nonce`` come back with it, ``verifier`` proves who asks."""

    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        """Without the three, which have no place in a log."""
        return "Begun()"


class Vouched(Struct, frozen=True, kw_only=True):
    """What the organisation says, checked: whose account it is, and their address, if it is verified."""

    issuer: str
    subject: str
    email: str | None


class Vouching:
    """Beginning and resuming sign-ins by an organisation, and knowing whose they are."""

    def __init__(self, database: Database, clock: Clock, secret: bytes) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret

    async def begin(self, browser: str, network: str) -> Begun:
        """What to begin a sign-in with, in the browser of that cookie, which asks from that address."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await challenges.asked(raw, self._secret, network, now)
            return _begun(await challenges.make(raw, Purpose.ORGANISATION, browser, now))

    async def resume(self, browser: str, state: str) -> Begun:
        """What the sign-in of that state was begun with in that browser; once."""
        async with self._database.transaction() as connection:
            challenge = await challenges.take(
                driver(connection),
                Purpose.ORGANISATION,
                browser,
                self._clock(),
                is_it=lambda each: hmac.compare_digest(_begun(each).state.encode(), state.encode(errors="replace")),
            )
        # Behind the transaction, which has used it up.
        if challenge is None:
            raise Declined(
                Refusal.NOT_VERIFIED, "This sign-in was begun too long ago, or in another browser: please start again."
            )
        return _begun(challenge)

    async def sign_in(self, vouched: Vouched, *, sure: UUID | None = None) -> Entered:
        """Sign in whose account it is; ``sure`` is who is signed in in that browser already, by a passkey."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await raw.fetchval(_KNOWN, vouched.issuer, vouched.subject)
            if holder is not None:
                await lock_holders(raw, [holder])
            # Looked at again under the lock: they may have left.
            if holder is None or await raw.fetchval(_KNOWN, vouched.issuer, vouched.subject) != holder:
                holder = await _at_first_sight(raw, vouched, sure, now)
            return await sign_ins.enter(raw, Strength.ORGANISATION, now, holder)


async def _at_first_sight(raw: asyncpg.Connection, vouched: Vouched, sure: UUID | None, now: datetime) -> UUID:
    email = (vouched.email or "").strip().lower()
    found: list[UUID] = [row["id"] for row in await raw.fetch(_BY_EMAIL, email)] if email else []
    if len(found) != 1:
        raise _unknown()
    (holder,) = found
    # Locked, so that of two accounts at once the second is told from the first.
    await lock_holders(raw, found)
    subject = await raw.fetchval(_OF_HOLDER, vouched.issuer, holder)
    if subject is None:
        if not await raw.fetchval(_HAS_ROLE, holder):
            raise _unknown()
        if holder != sure and await sign_ins.was_sure(raw, holder):
            raise Declined(
                Refusal.NOT_VERIFIED,
                "We know you by another way to sign in. Please sign in with your passkey first, and then once more "
                "through your organisation.",
            )
        await raw.execute(_VOUCH, vouched.issuer, vouched.subject, holder, now)
        await one_time.end_invitations(raw, holder, now)
        await outbox.put(raw, [Event(topic=Topic.ORGANISATION_VOUCHED, holder=holder)], now)
    elif subject != vouched.subject:
        raise _unknown()
    return holder


def _unknown() -> Declined:
    return Declined(
        Refusal.NOT_VERIFIED,
        "Your organisation knows you, but we could not find you here by it: please ask the office.",
    )


def _begun(challenge: bytes) -> Begun:
    state, nonce, verifier = (
        base64.urlsafe_b64encode(hmac.digest(challenge, word, hashlib.sha256)).rstrip(b"=").decode()
        for word in (b"state", b"nonce", b"verifier")
    )
    return Begun(state=state, nonce=nonce, verifier=verifier)


_KNOWN = """
SELECT h.id FROM scheme.vouched v JOIN scheme.holder h ON h.id = v.holder
WHERE v.issuer = $1 AND v.subject = $2 AND h.person IS NOT NULL
"""
# Two are as many as too many.
_BY_EMAIL = """
SELECT h.id FROM scheme.contact c JOIN scheme.holder h ON h.person = c.person
WHERE lower(c.email) = $1 AND EXISTS (SELECT FROM scheme.role r WHERE r.holder = h.id AND r.ended_at IS NULL)
LIMIT 2
"""
_HAS_ROLE = "SELECT EXISTS (SELECT FROM scheme.role WHERE holder = $1 AND ended_at IS NULL)"
_OF_HOLDER = "SELECT subject FROM scheme.vouched WHERE issuer = $1 AND holder = $2"
_VOUCH = "INSERT INTO scheme.vouched (issuer, subject, holder, made_at) VALUES ($1, $2, $3, $4)"
