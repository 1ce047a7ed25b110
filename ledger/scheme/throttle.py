"""Wrong codes, and when there were too many: whoever guesses is stopped long before a guess is right.

    at a till or kiosk: ten in an hour lock it, a hundred in a day its venue   ``wrong``, in a transaction of its own
    under one's key:    ten in an hour, of slips                               ``may_type`` -> ``wrong_slip``
    without a key:      ten in ten minutes, of all together                    ``wrong_enrolment``
    to sign in:         the same, of those from letters                        ``wrong_sign_in``

Wrong is a code that is nobody's. One that was mistyped is known by its check character and costs no try; one that is
stale, blocked or used was somebody's, and costs none either.

A device and a venue are locked until so many lie no longer within that time: ``locked_until`` stands in their rows, so
every process knows it with its next question (see ``directory``). Staff read of it, and of the rest, for a day on the
office's page (``alerts``); the outbox has each for other programs.

What bounds it: a row for each wrong code, of which none is kept for longer than a day, and none is written where no
more are heard. What was on its way when the lock fell is still answered, so a few more may be counted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.journal.entries import new_key
from ledger.scheme import outbox
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal


class Limit(NamedTuple):
    """So many wrong codes within that time."""

    most: int
    within: timedelta


DEVICE: Final = Limit(10, timedelta(hours=1))
VENUE: Final = Limit(100, timedelta(days=1))
# As many of each that is no device's, so that one walk over them finds where it was too many.
_TYPED: Final = 10
TYPIST: Final = Limit(_TYPED, timedelta(hours=1))
ENROLMENT: Final = Limit(_TYPED, timedelta(minutes=10))
SIGN_IN: Final = Limit(_TYPED, timedelta(minutes=10))
# As whose they are counted, for nobody is known by then.
_NOBODY_YET: Final = UUID("516e1700-0000-8000-8000-000000000001")
_KEPT: Final = timedelta(days=1)
_FORGOTTEN_AT_ONCE: Final = 500
# A screen of them: with more, whoever looks after the service has to be asked.
ALERTS_MAX: Final = 30


class Where(StrEnum):
    """Where too many wrong codes were typed."""

    DEVICE = "device"
    VENUE = "venue"
    SLIPS = "slips"
    ENROLMENT = "enrolment"
    SIGN_IN = "sign_in"


_LIMITS: Final = {
    Where.DEVICE: DEVICE,
    Where.VENUE: VENUE,
    Where.SLIPS: TYPIST,
    Where.ENROLMENT: ENROLMENT,
    Where.SIGN_IN: SIGN_IN,
}


class Alert(Struct, frozen=True, kw_only=True):
    """Too many wrong codes within a day: where, since when, and until when no more are heard there, or were.

    ``name`` is a device's, ``place`` that of its venue or project. Who typed slips isn't told.
    """

    where: Where
    name: str | None
    place: str | None
    venue: UUID | None
    project: UUID | None
    count: int
    since: datetime
    until: datetime


async def wrong(raw: asyncpg.Connection, device: UUID, venue: UUID | None, now: datetime) -> None:
    """Count a wrong code that was typed at that till or kiosk, and lock it or its venue if there were too many."""
    # One after the other, so that each sees those before.
    if venue is None:
        await raw.execute("SELECT FROM scheme.device WHERE id = $1 FOR NO KEY UPDATE", device)
    else:
        await raw.execute("SELECT FROM scheme.venue WHERE id = $1 FOR NO KEY UPDATE", venue)
    await raw.execute(_COUNT, UUID(new_key()), device, venue, None, now)
    oldest = await raw.fetchval(_FIRST_AT_DEVICE, device, now - DEVICE.within, DEVICE.most - 1)
    if oldest is not None and await raw.fetchval(_LOCK_DEVICE, device, oldest + DEVICE.within, now):
        await _tell(raw, device, DEVICE, now)
    if venue is None:
        return
    oldest = await raw.fetchval(_FIRST_AT_VENUE, venue, now - VENUE.within, VENUE.most - 1)
    if oldest is not None and await raw.fetchval(_LOCK_VENUE, venue, oldest + VENUE.within, now):
        await _tell(raw, venue, VENUE, now)


async def may_type(raw: asyncpg.Connection, caller: Caller, now: datetime) -> None:
    """Decline whoever typed too many wrong codes of slips.

    Not the scheme's own key, which may be that of a website for everybody: and staff need no code to give an hour.
    """
    if caller.scope is Scope.SCHEME:
        return
    since = now - TYPIST.within
    if await raw.fetchval(_FIRST_BY_IDENTITY, caller.identity, since, TYPIST.most - 1) is not None:
        raise Declined(Refusal.TRY_AGAIN)


async def wrong_slip(raw: asyncpg.Connection, caller: Caller, now: datetime) -> None:
    """Count a wrong code of a slip against whoever typed it."""
    if caller.scope is Scope.SCHEME:
        return
    await raw.execute(_COUNT, UUID(new_key()), None, None, caller.identity, now)
    if await raw.fetchval(_FIRST_BY_IDENTITY, caller.identity, now - TYPIST.within, TYPIST.most - 1) is not None:
        await _tell(raw, caller.key, TYPIST, now)


async def wrong_enrolment(raw: asyncpg.Connection, now: datetime) -> bool:
    """Count a wrong code that was sent to enrol a till, and return whether no more are heard for now.

    A right one always is: 65 bits aren't guessed, and so nobody keeps a till out by sending wrong ones.
    """
    since = now - ENROLMENT.within
    if await raw.fetchval(_FIRST_OF_NOBODY, since, ENROLMENT.most - 1) is not None:
        return True
    await raw.execute(_COUNT, UUID(new_key()), None, None, None, now)
    if await raw.fetchval(_FIRST_OF_NOBODY, since, ENROLMENT.most - 1) is not None:
        await _tell(raw, None, ENROLMENT, now)
    return False


async def wrong_sign_in(raw: asyncpg.Connection, now: datetime) -> bool:
    """Count a wrong code to sign in with, and return whether there were so many that somebody seems to guess.

    Whoever has a right one comes in all the same, so nobody is kept out by others' wrong ones.
    """
    since = now - SIGN_IN.within
    if await raw.fetchval(_FIRST_BY_IDENTITY, _NOBODY_YET, since, SIGN_IN.most - 1) is not None:
        return True
    await raw.execute(_COUNT, UUID(new_key()), None, None, _NOBODY_YET, now)
    if await raw.fetchval(_FIRST_BY_IDENTITY, _NOBODY_YET, since, SIGN_IN.most - 1) is not None:
        await _tell(raw, None, SIGN_IN, now, where="sign_in")
    return False


async def alerts(raw: asyncpg.Connection, now: datetime) -> Sequence[Alert]:
    """Where too many were wrong within a day, the last one first; not of a device that was revoked meanwhile."""
    found = []
    limits = [ENROLMENT.within, SIGN_IN.within, TYPIST.within]
    for row in await raw.fetch(_ALERTS, now - _KEPT, _NOBODY_YET, _TYPED - 1, *limits, ALERTS_MAX):
        where = Where(row["where"])
        limit = _LIMITS[where]
        found.append(Alert(**{**row, "where": where}, count=limit.most, since=row["until"] - limit.within))
    return found


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some of what is a day old, and return how many they were."""
    return int((await raw.execute(_FORGET, now - _KEPT, _FORGOTTEN_AT_ONCE)).split()[-1])


async def _tell(raw: asyncpg.Connection, at: UUID | None, limit: Limit, now: datetime, **of: str) -> None:
    body: dict[str, int | str] = {"count": limit.most, "within_minutes": limit.within // timedelta(minutes=1), **of}
    await outbox.put(raw, [Event(topic=Topic.WRONG_CODES, object=at, body=body)], now)


_COUNT = "INSERT INTO scheme.wrong_code (id, device, venue, identity, at) VALUES ($1, $2, $3, $4, $5)"
# The oldest of the last so many, if there were so many since then.
_FIRST_AT_DEVICE = """
SELECT at FROM scheme.wrong_code WHERE device = $1 AND at > $2 ORDER BY at DESC OFFSET $3 LIMIT 1
"""
_FIRST_AT_VENUE = """
SELECT at FROM scheme.wrong_code WHERE venue = $1 AND at > $2 ORDER BY at DESC OFFSET $3 LIMIT 1
"""
_FIRST_BY_IDENTITY = """
SELECT at FROM scheme.wrong_code WHERE identity = $1 AND at > $2 ORDER BY at DESC OFFSET $3 LIMIT 1
"""
_FIRST_OF_NOBODY = """
SELECT at FROM scheme.wrong_code
WHERE device IS NULL AND identity IS NULL AND at > $1 ORDER BY at DESC OFFSET $2 LIMIT 1
"""
_LOCK_DEVICE = """
UPDATE scheme.device SET locked_until = $2 WHERE id = $1 AND (locked_until IS NULL OR locked_until <= $3) RETURNING true
"""
_LOCK_VENUE = """
UPDATE scheme.venue SET locked_until = $2 WHERE id = $1 AND (locked_until IS NULL OR locked_until <= $3) RETURNING true
"""
# What is no device's lasts from the first of the last so many on. Of each of these no more than 60 an hour are counted.
_ALERTS = """
SELECT * FROM (
    SELECT 'device' AS "where", d.name, coalesce(v.name, p.name) AS place, d.venue, d.project, d.locked_until AS until
    FROM scheme.device d
    LEFT JOIN scheme.venue v ON v.id = d.venue
    LEFT JOIN scheme.project p ON p.id = d.project
    WHERE d.locked_until > $1 AND d.status = 'active'
    UNION ALL
    SELECT 'venue', NULL, name, id, NULL, locked_until FROM scheme.venue WHERE locked_until > $1
    UNION ALL
    SELECT "where", NULL, NULL, NULL, NULL, max(first + within)
    FROM (
        SELECT at, lag(at, $3) OVER (PARTITION BY identity ORDER BY at, id) AS first, identity,
            CASE WHEN identity IS NULL THEN 'enrolment' WHEN identity = $2 THEN 'sign_in' ELSE 'slips' END AS "where",
            CASE WHEN identity IS NULL THEN $4::interval WHEN identity = $2 THEN $5 ELSE $6 END AS within
        FROM scheme.wrong_code WHERE device IS NULL AND at > $1
    ) typed
    WHERE at < first + within
    GROUP BY "where", identity
) heard
ORDER BY until DESC LIMIT $7
"""
_FORGET = """
DELETE FROM scheme.wrong_code WHERE id = ANY(ARRAY(SELECT id FROM scheme.wrong_code WHERE at <= $1 LIMIT $2))
"""
