"""Devices: the tills and kiosks of a venue. Each is enrolled once, by a code, and has a key of its own from then on.

    make -> its code, for ten minutes -> typed in at the till -> its key, shown once        revoke -> no key works

The code has 65 random bits, for it is taken without a key; it works once, and only its keyed hash is stored. Whether a
code is unknown, was used or is over, the answer is the same, and too many wrong ones aren't even heard (``throttle``).
Codes are looked at one at a time, and only so many wait (`ENROLLING_MAX`): anybody can send them, and a flood is to
have one connection of the pool at most. A till that is told to wait in the midst of it asks again a second later.
Whoever misses the ten minutes, or loses the key, revokes the device and makes another: none is enrolled a second time.

A device stands at one of its venue's sites, or is carried about and stands at none. Revoking it ends its keys in the
same transaction; ``directory`` sees to it that they stop at once, in every process.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger.database import Database, driver
from ledger.scheme import throttle
from ledger.scheme.answers import Answers
from ledger.scheme.clock import Clock
from ledger.scheme.codes import code_hash, enrolment_code, read_enrolment
from ledger.scheme.keys import LIFETIME_DEFAULT, Caller, Key, Scope, make
from ledger.scheme.refusals import Declined, Refusal

CODE_LASTS: Final = timedelta(minutes=10)
# The one whose turn it is among them. A code takes five round trips at most, some 5 ms: the last of eight waits 40 ms,
# and 200 a second are answered by a process, where no more than a few tills a week are enrolled.
ENROLLING_MAX: Final = 8


class Status(StrEnum):
    """How a device stands: its code wasn't typed in yet; in use; ended for good."""

    EXPECTED = "expected"
    ACTIVE = "active"
    REVOKED = "revoked"


class Device(Struct, frozen=True, kw_only=True):
    """A till or kiosk. While ``locked_until`` lies ahead no code is looked at, for too many were wrong."""

    id: UUID
    venue: UUID
    site: UUID | None
    name: str
    status: Status
    created_at: datetime
    enrolled_at: datetime | None = None
    locked_until: datetime | None = None
    revoked_at: datetime | None = None


class ExpectedDevice(Struct, frozen=True, kw_only=True):
    """A device that was made, and the code that it is enrolled with until then."""

    device: Device
    code: str
    code_until: datetime


class EnrolledDevice(Struct, frozen=True, kw_only=True):
    """A device that has been enrolled, with its key's token, which is told only here, and when the key ends."""

    device: Device
    token: str
    expires_at: datetime


class NewDevice(Struct, frozen=True, kw_only=True, tag="device", tag_field="operation"):
    """A device to be made."""

    venue: UUID
    name: str
    site: UUID | None = None


class _Made(Struct, frozen=True):
    """What is kept of making one: no code, no name."""

    id: UUID
    created_at: datetime
    code_until: datetime


class Devices:
    """Making devices, enrolling, moving and revoking them."""

    def __init__(self, database: Database, clock: Clock, environment: str) -> None:
        self._database = database
        self._clock = clock
        self._environment = environment
        self._answers = Answers(database, clock)
        self._turn = asyncio.Lock()
        self._enrolling = 0

    async def create(self, caller: Caller, key: str, new: NewDevice) -> tuple[ExpectedDevice, bool]:
        """A device that is expected, with its code; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            if not await raw.fetchval("SELECT true FROM scheme.venue WHERE id = $1", new.venue):
                raise Declined(Refusal.NOT_FOUND)
            await _look_at_site(raw, new.venue, new.site)
            made = _Made(uuid4(), now, now + CODE_LASTS)
            secret = await _secret(raw)
            hashed = code_hash(secret, enrolment_code(secret, made.id))
            await raw.execute(
                _CREATE, made.id, new.venue, new.site, new.name, now, caller.identity, hashed, made.code_until
            )
            return made

        made, replayed = await self._answers.once(caller, key, new, work, _Made)
        async with self._database.reading() as connection:
            secret = await _secret(driver(connection))
        # The rest is what was just asked: the same words, whatever became of the device since.
        device = Device(
            id=made.id,
            venue=new.venue,
            site=new.site,
            name=new.name,
            status=Status.EXPECTED,
            created_at=made.created_at,
        )
        return ExpectedDevice(device=device, code=enrolment_code(secret, made.id), code_until=made.code_until), replayed

    async def enrol(self, typed: str) -> EnrolledDevice:
        """Give the till whose code this is its key: once."""
        code = read_enrolment(typed)
        if code is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))
        if self._enrolling >= ENROLLING_MAX:
            raise Declined(Refusal.BUSY)
        self._enrolling += 1
        try:
            async with self._turn:
                return await self._enrol(code)
        finally:
            self._enrolling -= 1

    async def _enrol(self, code: str) -> EnrolledDevice:
        now = self._clock()
        refusal = Refusal.CODE_UNKNOWN
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_EXPECTED, code_hash(await _secret(raw), code), now)
            if row is not None:
                await raw.execute(_ENROL, row["id"], now)
                device = msgspec.structs.replace(_device(row), status=Status.ACTIVE, enrolled_at=now)
                key = Key(
                    id=uuid4(),
                    scope=Scope.VENUE,
                    object=device.venue,
                    device=device.id,
                    person=None,
                    label=device.name,
                    created_at=now,
                    expires_at=now + LIFETIME_DEFAULT,
                )
                token = await make(raw, self._environment, key)
                assert token is not None
                return EnrolledDevice(device=device, token=token, expires_at=key.expires_at)
            if await throttle.wrong_enrolment(raw, now):
                refusal = Refusal.TRY_AGAIN
        # Behind the transaction, which keeps the count.
        raise Declined(refusal, "This code is not known, was used, or is over: please ask for a new one.")

    async def of(self, venue: UUID, *, after: UUID | None, limit: int) -> Sequence[Device]:
        """The devices of a venue, the oldest first, those that were revoked too; ``after`` is the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            if not await raw.fetchval("SELECT true FROM scheme.venue WHERE id = $1", venue):
                raise Declined(Refusal.NOT_FOUND)
            return [_device(row) for row in await raw.fetch(_OF_VENUE, venue, after, limit)]

    async def change(self, id_: UUID, *, name: str | UnsetType, site: UUID | UnsetType | None) -> Device:
        """Call it another, or put it at another site; what is UNSET stays."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            device = await _locked(raw, id_)
            if device.status is Status.REVOKED:
                raise Declined(Refusal.WRONG_STATE, "This device was revoked.")
            if site is not UNSET:
                await _look_at_site(raw, device.venue, site)
            changed = msgspec.structs.replace(
                device, name=device.name if name is UNSET else name, site=device.site if site is UNSET else site
            )
            if changed != device:
                await raw.execute(_CHANGE, id_, changed.name, changed.site)
            return changed

    async def revoke(self, id_: UUID) -> Device:
        """End it, its code and its keys now, for good; ending it again changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            device = await _locked(raw, id_)
            if device.status is Status.REVOKED:
                return device
            await raw.execute(
                "UPDATE scheme.api_key SET revoked_at = $2 WHERE device = $1 AND revoked_at IS NULL", id_, now
            )
            await raw.execute(_REVOKE, id_, now)
            return msgspec.structs.replace(device, status=Status.REVOKED, revoked_at=now)


async def speaking_for(raw: asyncpg.Connection, device: UUID) -> Caller:
    """Whoever asks in that till's name without its key: an operator. Declines one that isn't there."""
    found = await raw.fetchrow(_SPEAKING_FOR, device)
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "There is no such till, or it was revoked.")
    return Caller(
        key=device,
        scope=Scope.VENUE,
        object=found["venue"],
        device=device,
        site=found["site"],
        locked_until=found["locked_until"],
    )


async def _secret(raw: asyncpg.Connection) -> bytes:
    secret: bytes = await raw.fetchval("SELECT secret FROM scheme.directory")
    return secret


async def _look_at_site(raw: asyncpg.Connection, venue: UUID, site: UUID | None) -> None:
    """Decline a site that isn't the venue's."""
    if site is not None and not await raw.fetchval(_SITE, site, venue):
        raise Declined(Refusal.WRONG_VALUES, fields=(("site", "is no site of this venue"),))


async def _locked(raw: asyncpg.Connection, id_: UUID) -> Device:
    row = await raw.fetchrow(_BY_ID, id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return _device(row)


def _device(row: asyncpg.Record) -> Device:
    return Device(
        id=row["id"],
        venue=row["venue"],
        site=row["site"],
        name=row["name"],
        status=Status(row["status"]),
        created_at=row["created_at"],
        enrolled_at=row["enrolled_at"],
        locked_until=row["locked_until"],
        revoked_at=row["revoked_at"],
    )


_SITE = "SELECT true FROM scheme.site WHERE id = $1 AND venue = $2 AND closed_at IS NULL"
_CREATE = """
INSERT INTO scheme.device (id, venue, site, name, status, created_at, created_by, code_hash, code_until)
VALUES ($1, $2, $3, $4, 'expected', $5, $6, $7, $8)
"""
# Looked for before it is written: a write, even of no row, empties every process's memory (see `directory`), and
# anybody can send a code.
_EXPECTED = """
SELECT id, venue, site, name, status, created_at, enrolled_at, locked_until, revoked_at
FROM scheme.device WHERE code_hash = $1 AND status = 'expected' AND code_until > $2 FOR NO KEY UPDATE
"""
_ENROL = """
UPDATE scheme.device SET status = 'active', code_hash = NULL, code_until = NULL, enrolled_at = $2 WHERE id = $1
"""
_OF_VENUE = """
SELECT id, venue, site, name, status, created_at, enrolled_at, locked_until, revoked_at
FROM scheme.device
WHERE venue = $1
    AND ($2::uuid IS NULL OR (created_at, id) > (SELECT l.created_at, l.id FROM scheme.device l WHERE l.id = $2))
ORDER BY created_at, id
LIMIT $3
"""
_BY_ID = """
SELECT id, venue, site, name, status, created_at, enrolled_at, locked_until, revoked_at
FROM scheme.device WHERE id = $1 FOR NO KEY UPDATE
"""
_CHANGE = "UPDATE scheme.device SET name = $2, site = $3 WHERE id = $1"
_REVOKE = """
UPDATE scheme.device SET status = 'revoked', code_hash = NULL, code_until = NULL, revoked_at = $2 WHERE id = $1
"""
_SPEAKING_FOR = """
SELECT d.venue, d.site, greatest(d.locked_until, v.locked_until) AS locked_until
FROM scheme.device d JOIN scheme.venue v ON v.id = d.venue
WHERE d.id = $1 AND d.status = 'active'
"""
