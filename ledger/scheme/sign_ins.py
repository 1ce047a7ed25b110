"""Sign-ins: a browser in which somebody is known, by a cookie, for a time.

    begin, enter -> the cookie's value, told only here      who: each request      of: a list
    end, end_one, end_all: it stops at once

The value has 256 random bits, and only its SHA-256 is stored; it is new with each sign-in, so none can be set
beforehand. How somebody proved who they are is its strength, which decides how long it lasts (`LIVES`). Who somebody
is and what they may is read with each request, by one query: a role that ended, a device that was revoked and somebody
who was erased are known as such at the next click.

**A shared computer.** Whoever signs in by a link may say that others use that computer: then the cookie ends with the
browser, and the sign-in after `SHARED.unused` without a page, for many browsers keep such a cookie or are never closed
(ASVS 5.0, 7.3). What was typed until then is kept on the page that asks to sign in once more.

**Freshly.** For `FRESH` after it began a sign-in is fresh: whoever is there has just shown who they are. What weighs
most asks for that (ASVS 5.0, 7.5). Whoever shows it once more begins another sign-in in place of this one: nothing is
prolonged, and nothing is kept but when it began.

``seen_at`` is written once in `Life.noted` at most, in a transaction of its own, and moves the end along with it: so a
page that is read hardly ever costs a write, and a sign-in may end so much before its time.

What bounds it: `LIVE_MAX` sign-ins of somebody, and one of a device; the oldest ends when another begins. What ended or
ran out is deleted `_KEPT` later.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import Held, Role


class Strength(StrEnum):
    """How somebody proved who they are."""

    LINK = "link"
    PASSKEY = "passkey"
    ORGANISATION = "organisation"
    DEVICE = "device"


class Life(NamedTuple):
    """How long a sign-in lasts: so long without use, and so long in all, if that is bounded; how often use is noted."""

    unused: timedelta
    most: timedelta | None
    noted: timedelta = timedelta(hours=1)


LIVES: Final[Mapping[Strength, Life]] = MappingProxyType(
    {
        # Somebody who looks once a season stays signed in on their own phone; once a year they show it is still theirs.
        Strength.LINK: Life(timedelta(days=90), timedelta(days=365)),
        # Whoever may change what is others' proves it anew each working day; 12 hours cover the longest.
        Strength.PASSKEY: Life(timedelta(hours=12), timedelta(hours=12)),
        Strength.ORGANISATION: Life(timedelta(hours=12), timedelta(hours=12)),
        # A till must work on the first morning of the season. It ends by being revoked, or was forgotten in a drawer.
        Strength.DEVICE: Life(timedelta(days=365), None),
    }
)
# Whoever walks away from a library's computer without closing the browser is known there for no longer than it takes to
# read a page with help; what is typed is kept. And nobody sits there for more than a day.
SHARED: Final = Life(timedelta(minutes=30), timedelta(hours=12), noted=timedelta(minutes=1))
# Enough to go through with what one came for, as when a colleague leaves; too short for whoever comes by a computer
# that was left open over lunch.
FRESH: Final = timedelta(minutes=15)
# A phone, a tablet, some computers, and each with a browser or two; what is above it was forgotten somewhere.
LIVE_MAX: Final = 20
# As long as somebody may want to be told which browsers they had been signed in with.
_KEPT: Final = timedelta(days=30)
_FORGOTTEN_AT_ONCE: Final = 500
_TOKEN_BYTES: Final = 32
_TOKEN_CHARACTERS: Final = 43


class Present(Struct, frozen=True, kw_only=True):
    """Who is signed in in a browser, as of this request: somebody with their live roles, or a device.

    ``venue`` and ``site`` are a till's, ``project`` a kiosk's. ``locked_until`` is set where too many codes were wrong,
    at the device or at its venue. ``is_fresh`` is whether the sign-in began within `FRESH`.
    """

    sign_in: UUID
    strength: Strength
    holder: UUID | None
    person: UUID | None
    name: str | None
    roles: tuple[Held, ...]
    device: UUID | None
    device_name: str | None
    venue: UUID | None
    site: UUID | None
    project: UUID | None
    locked_until: datetime | None
    language: str = "en"
    large_print: bool = False
    is_fresh: bool = False


class SignIn(Struct, frozen=True, kw_only=True):
    """A browser in which somebody is signed in; ``seen_at`` is when it was last used, to the hour.

    ``shared`` is whether they said that others use that computer.
    """

    id: UUID
    strength: Strength
    shared: bool
    made_at: datetime
    seen_at: datetime


class Entered(Struct, frozen=True, kw_only=True):
    """Somebody who has just come in: ``token`` is the cookie's value, which a ``shared`` browser forgets at its end."""

    holder: UUID
    token: str
    shared: bool = False

    def __repr__(self) -> str:
        """Without the cookie's value, which has no place in a log."""
        return f"Entered(holder={self.holder!r})"


class SignIns:
    """Beginning sign-ins, knowing them again, and ending them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, strength: Strength, *, holder: UUID | None = None, device: UUID | None = None) -> str:
        """The cookie's value of a new sign-in. Declines somebody who was erased, and a device that isn't in use."""
        async with self._database.transaction() as connection:
            return await begin(driver(connection), strength, self._clock(), holder=holder, device=device)

    async def who(self, token: str, *, by_itself: bool = False) -> Present | None:
        """Who is signed in with that cookie's value; None if nobody is any more.

        What an open page asks ``by_itself``, as a pass does that redraws itself, is no use of a shared computer.
        """
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        now = self._clock()
        row = await self._database.row(_WHO, _hash(token), now)
        if row is None:
            return None
        life = _life(Strength(row["strength"]), shared=row["shared"])
        if row["seen_at"] <= now - life.noted and not (by_itself and row["shared"]):
            async with self._database.transaction() as connection:
                ends_at = _ends_at(life, row["made_at"], now)
                await driver(connection).execute(_SAW, row["id"], now, ends_at, now - life.noted)
        return _present(row, is_fresh=now - row["made_at"] <= FRESH)

    async def of(self, holder: UUID) -> Sequence[SignIn]:
        """Where somebody is signed in, the last used first: `LIVE_MAX` at most."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_OF, holder, self._clock())
        return [
            SignIn(
                id=row["id"],
                strength=Strength(row["strength"]),
                shared=row["shared"],
                made_at=row["made_at"],
                seen_at=row["seen_at"],
            )
            for row in rows
        ]

    async def end(self, sign_in: UUID) -> None:
        """Sign out that browser; again, and nothing changes."""
        async with self._database.transaction() as connection:
            await driver(connection).execute(_END, sign_in, self._clock())

    async def end_one(self, holder: UUID, sign_in: UUID) -> None:
        """Sign out another browser of the holder's own; again, and nothing changes."""
        async with self._database.transaction() as connection:
            if not await driver(connection).fetchval(_END_THEIRS, sign_in, self._clock(), holder):
                raise Declined(Refusal.NOT_FOUND)

    async def end_all(self, holder: UUID) -> int:
        """Sign that holder out everywhere, and return in how many browsers they had been signed in."""
        async with self._database.transaction() as connection:
            return await end_all(driver(connection), holder, self._clock())


async def begin(
    raw: asyncpg.Connection,
    strength: Strength,
    now: datetime,
    *,
    holder: UUID | None = None,
    device: UUID | None = None,
    shared: bool = False,
) -> str:
    """The same in the caller's transaction."""
    assert (holder is None) != (device is None), "a sign-in is somebody's or a device's"
    assert not shared or strength is Strength.LINK, "the others end soon anyway"
    # Locked, so that none begins while they are erased or it is revoked, and so that they are counted one by one.
    if not await raw.fetchval(_OF_DEVICE if holder is None else _OF_HOLDER, device if holder is None else holder):
        raise Declined(Refusal.NOT_FOUND)
    await raw.execute(_END_OLDEST, holder, device, now, LIVE_MAX - 1 if device is None else 0)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    ends_at = _ends_at(_life(strength, shared=shared), now, now)
    await raw.execute(_BEGIN, uuid4(), _hash(token), holder, device, strength.value, now, ends_at, shared)
    return token


async def enter(
    raw: asyncpg.Connection, strength: Strength, now: datetime, holder: UUID, *, shared: bool = False
) -> Entered:
    """Begin one for somebody who has just proved who they are, in the transaction that found it so.

    They are locked there first of all: whatever ends all of their ways in is then done before, or ends this one too.
    """
    return Entered(holder=holder, token=await begin(raw, strength, now, holder=holder, shared=shared), shared=shared)


async def was_sure(raw: asyncpg.Connection, holder: UUID) -> bool:
    """Whether they ever had a passkey or an organisation that vouched for them, or left: it isn't their first time."""
    found: bool = await raw.fetchval(_WAS_SURE, holder)
    return found


async def end_all(raw: asyncpg.Connection, holder: UUID, now: datetime) -> int:
    """Sign that holder out everywhere, in the caller's transaction; for an erasure, and where staff leave."""
    return int((await raw.execute(_END_ALL, holder, now)).split()[-1])


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some of what ended or ran out so long ago, and return how many they were."""
    return int((await raw.execute(_FORGET, now - _KEPT, _FORGOTTEN_AT_ONCE)).split()[-1])


def _life(strength: Strength, *, shared: bool) -> Life:
    return SHARED if shared else LIVES[strength]


def _ends_at(life: Life, made_at: datetime, seen_at: datetime) -> datetime:
    ends_at = seen_at + life.unused
    return ends_at if life.most is None else min(ends_at, made_at + life.most)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _present(row: asyncpg.Record, *, is_fresh: bool) -> Present:
    return Present(
        sign_in=row["id"],
        strength=Strength(row["strength"]),
        holder=row["holder"],
        person=row["person"],
        name=row["name"],
        roles=tuple(
            Held(id=id_, role=Role(role), project=project, venue=venue, place=place)
            for id_, role, project, venue, place in row["roles"]
        ),
        device=row["device"],
        device_name=row["device_name"],
        venue=row["venue"],
        site=row["site"],
        project=row["project"],
        locked_until=row["locked_until"],
        language=row["language"],
        large_print=row["large_print"],
        is_fresh=is_fresh,
    )


_OF_HOLDER = "SELECT true FROM scheme.holder WHERE id = $1 AND person IS NOT NULL FOR NO KEY UPDATE"
_OF_DEVICE = "SELECT true FROM scheme.device WHERE id = $1 AND status = 'active' FOR NO KEY UPDATE"
_BEGIN = """
INSERT INTO scheme.sign_in (id, token_hash, holder, device, strength, made_at, seen_at, ends_at, shared)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
"""
_END_OLDEST = """
UPDATE scheme.sign_in SET ended_at = $3, ends_at = least(ends_at, $3) WHERE id = ANY(ARRAY(
    SELECT id FROM scheme.sign_in
    WHERE ended_at IS NULL AND (holder = $1 OR device = $2)
    ORDER BY seen_at DESC, made_at DESC, id OFFSET $4
))
"""
# One look-up by the cookie's hash, and from there by primary keys; roles by their index on whose they are.
_WHO = """
SELECT s.id, s.strength, s.shared, s.made_at, s.seen_at, s.holder, p.id AS person, p.name,
    coalesce(c.language, 'en') AS language, coalesce(c.large_print, false) AS large_print,
    s.device, d.name AS device_name, d.venue, d.site, d.project,
    greatest(d.locked_until, v.locked_until) AS locked_until,
    ARRAY(
        SELECT (r.id, r.role, r.project, r.venue, coalesce(rp.name, rv.name))
        FROM scheme.role r
        LEFT JOIN scheme.project rp ON rp.id = r.project
        LEFT JOIN scheme.venue rv ON rv.id = r.venue
        WHERE r.holder = s.holder AND r.ended_at IS NULL
        ORDER BY r.role, coalesce(rp.name, rv.name), r.id
    ) AS roles
FROM scheme.sign_in s
LEFT JOIN scheme.holder h ON h.id = s.holder
LEFT JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.preference c ON c.person = p.id
LEFT JOIN scheme.device d ON d.id = s.device
LEFT JOIN scheme.venue v ON v.id = d.venue
WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.ends_at > $2
    AND CASE WHEN s.device IS NULL THEN p.id IS NOT NULL ELSE d.status = 'active' END
"""
_OF = """
SELECT id, strength, shared, made_at, seen_at FROM scheme.sign_in
WHERE holder = $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY seen_at DESC, made_at DESC, id
"""
# Of requests that come at once the first writes it.
_SAW = """
UPDATE scheme.sign_in SET seen_at = $2, ends_at = $3 WHERE id = $1 AND seen_at <= $4 AND ended_at IS NULL
"""
# Its end comes with it, by which it is forgotten.
_END = """
UPDATE scheme.sign_in SET ended_at = $2, ends_at = least(ends_at, $2) WHERE id = $1 AND ended_at IS NULL
"""
_END_THEIRS = """
UPDATE scheme.sign_in SET ended_at = coalesce(ended_at, $2), ends_at = least(ends_at, $2)
WHERE id = $1 AND holder = $3
RETURNING true
"""
# What ended is kept, but organisations go with whoever leaves: that they left is known by the act.
_WAS_SURE = """
SELECT EXISTS (SELECT FROM scheme.passkey WHERE holder = $1)
    OR EXISTS (SELECT FROM scheme.vouched WHERE holder = $1)
    OR EXISTS (SELECT FROM scheme.act WHERE holder = $1 AND verb = 'left')
"""
_END_ALL = """
UPDATE scheme.sign_in SET ended_at = $2, ends_at = least(ends_at, $2) WHERE holder = $1 AND ended_at IS NULL
"""
_FORGET = """
DELETE FROM scheme.sign_in WHERE id = ANY(ARRAY(SELECT id FROM scheme.sign_in WHERE ends_at <= $1 LIMIT $2))
"""
