"""Vouching: an organisation's own sign-in (OIDC) says who somebody is, and the scheme knows whose account that is.

    begin: state, nonce, verifier -> the organisation -> resume: the same, once, in the browser that began -> holder

What a sign-in was begun with is made from one challenge (``challenges``), so it is of one browser, used once and over
after five minutes; the verifier is told to nobody before, and can't be made from the others.

Whom an account belongs to is kept by issuer and subject, which an organisation never gives to another. At first sight
it is found by the verified address: that of exactly one person with a role other than volunteer. Who has an account of
that issuer already keeps it: an address that the organisation gave to another later opens nothing.

What bounds it: an account of each issuer for each person.
"""

import base64
import hashlib
import hmac
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import challenges, outbox
from ledger.scheme.awards import lock_holders
from ledger.scheme.challenges import Purpose
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal

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

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, browser: str) -> Begun:
        """What to begin a sign-in with, in the browser of that cookie."""
        async with self._database.transaction() as connection:
            return _begun(await challenges.make(driver(connection), Purpose.ORGANISATION, browser, self._clock()))

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

    async def holder(self, vouched: Vouched) -> UUID:
        """Whose account it is."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            known: UUID | None = await raw.fetchval(_KNOWN, vouched.issuer, vouched.subject)
            return known or await self._at_first_sight(raw, vouched)

    async def _at_first_sight(self, raw: asyncpg.Connection, vouched: Vouched) -> UUID:
        email = (vouched.email or "").strip().lower()
        found: list[UUID] = [row["id"] for row in await raw.fetch(_BY_EMAIL, email)] if email else []
        if len(found) != 1:
            raise _unknown()
        (holder,) = found
        # Locked, so that of two accounts at once the second is told from the first.
        await lock_holders(raw, found)
        subject = await raw.fetchval(_OF_HOLDER, vouched.issuer, holder)
        if subject is None:
            now = self._clock()
            await raw.execute(_VOUCH, vouched.issuer, vouched.subject, holder, now)
            await outbox.put(raw, [Event(topic=Topic.ORGANISATION_VOUCHED, holder=holder)], now)
        elif subject != vouched.subject:
            raise _unknown()
        return holder


def _unknown() -> Declined:
    return Declined(
        Refusal.NOT_VERIFIED,
        "Your organisation knows you, but we could not find you here by it: please ask the people who run the scheme.",
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
_OF_HOLDER = "SELECT subject FROM scheme.vouched WHERE issuer = $1 AND holder = $2"
_VOUCH = "INSERT INTO scheme.vouched (issuer, subject, holder, made_at) VALUES ($1, $2, $3, $4)"
