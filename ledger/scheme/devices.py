"""Devices: a venue's tills and a project's kiosks. Each is enrolled once, by a code that is typed in at it.

    make -> its code, for ten minutes -> typed in at the device -> ``enrol``: a till's API key, shown once
                                                                -> ``enrol_here``: a sign-in of its browser
    revoke -> no key works, and no sign-in

The code has 65 random bits, for it is taken without a key; it works once, and only its keyed hash is stored. Whether a
code is unknown, was used or is over, the answer is the same, and too many wrong ones aren't even heard (``throttle``).
Codes are looked at one at a time, and only so many wait (`ENROLLING_MAX`): anybody can send them, and a flood is to
have one connection of the pool at most. A till that is told to wait in the midst of it asks again a second later.
Whoever misses the ten minutes, or loses the key, revokes the device and makes another: none is enrolled a second time.
A kiosk is enrolled in its browser only, for it has no verb of the API: one that is sent there keeps its code.

A till stands at one of its venue's sites, or is carried about and stands at none. Revoking a device ends its keys and
its sign-ins in the same transaction; ``directory`` and ``sign_ins`` see to it that they stop at once, in every process.
A project that ends takes its kiosks with it, and gets no more; whoever leaves takes those that they had enrolled, but
for some to keep (``leaving``).

Who may: the scheme; a project for its kiosks, a venue's manager for its tills. To others they aren't there. What bounds
it: `MADE_A_DAY` by a project or venue itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger.database import Database, driver
from ledger.scheme import acts, sign_ins, throttle
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.codes import code_hash, enrolment_code, read_enrolment, secret_of
from ledger.scheme.keys import LIFETIME_DEFAULT, Key, make
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Strength

CODE_LASTS: Final = timedelta(minutes=10)
# The one whose turn it is among them. A code takes five round trips at most, some 5 ms: the last of eight waits 40 ms,
# and 200 a second are answered by a process, where no more than a few tills a week are enrolled.
ENROLLING_MAX: Final = 8
# A code that nobody typed in time, twice over, at each of three doors; whoever needs more has another trouble.
MADE_A_DAY: Final = 10
_DAY: Final = timedelta(days=1)


class Kind(StrEnum):
    """What a device is: where credits are spent, at a venue; or where volunteers sign in and out, at a project."""

    TILL = "till"
    KIOSK = "kiosk"


class Status(StrEnum):
    """How a device stands: its code wasn't typed in yet; in use; ended for good."""

    EXPECTED = "expected"
    ACTIVE = "active"
    REVOKED = "revoked"


class Device(Struct, frozen=True, kw_only=True):
    """A till of a ``venue`` or a kiosk of a ``project``.

    While ``locked_until`` lies ahead no code is looked at, for too many were wrong, at it or at its venue.
    """

    id: UUID
    kind: Kind
    venue: UUID | None
    site: UUID | None
    project: UUID | None
    name: str
    status: Status
    created_at: datetime
    code_until: datetime | None = None
    """While it is expected: until then its code is good."""
    enrolled_at: datetime | None = None
    locked_until: datetime | None = None
    revoked_at: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether it is in use and no code is looked at."""
        return self.status is Status.ACTIVE and self.locked_until is not None and self.locked_until > now


class ExpectedDevice(Struct, frozen=True, kw_only=True):
    """A device that was made, and the code that it is enrolled with until then."""

    device: Device
    code: str
    code_until: datetime


class EnrolledDevice(Struct, frozen=True, kw_only=True):
    """A till that has been enrolled, with its key's token, which is told only here, and when the key ends."""

    device: Device
    token: str
    expires_at: datetime


class NewDevice(Struct, frozen=True, kw_only=True, tag="device", tag_field="operation"):
    """A device to be made: a venue's till, which may stand at a site, or a project's kiosk."""

    name: str
    venue: UUID | None = None
    site: UUID | None = None
    project: UUID | None = None


class _Made(Struct, frozen=True):
    """What is kept of making one: no code, no name."""

    id: UUID
    created_at: datetime
    code_until: datetime


_Given = TypeVar("_Given")
_Give = Callable[[asyncpg.Connection, Device, datetime], Awaitable[_Given]]
"""Gives a device that was just enrolled what it is known by from then on, in the transaction of that."""


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
            await _look_at_place(raw, caller, new, now)
            await _look_at_site(raw, new.venue, new.site)
            made = _Made(uuid4(), now, now + CODE_LASTS)
            secret = await secret_of(raw)
            hashed = code_hash(secret, enrolment_code(secret, made.id))
            await raw.execute(
                _CREATE,
                *(made.id, new.venue, new.site, new.project, new.name),
                *(now, caller.identity, hashed, made.code_until),
            )
            await acts.by_staff(raw, caller, "device_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, new, work, _Made)
        async with self._database.reading() as connection:
            secret = await secret_of(driver(connection))
        # The rest is what was just asked: the same words, whatever became of the device since.
        device = Device(
            id=made.id,
            kind=Kind.TILL if new.project is None else Kind.KIOSK,
            venue=new.venue,
            site=new.site,
            project=new.project,
            name=new.name,
            status=Status.EXPECTED,
            created_at=made.created_at,
            code_until=made.code_until,
        )
        return ExpectedDevice(device=device, code=enrolment_code(secret, made.id), code_until=made.code_until), replayed

    async def enrol(self, typed: str) -> EnrolledDevice:
        """Give the till whose code this is its API key: once. Declines a kiosk's, which is typed in its browser."""

        async def give(raw: asyncpg.Connection, device: Device, now: datetime) -> EnrolledDevice:
            if device.venue is None:
                raise Declined(Refusal.WRONG_STATE, "This is the code of a kiosk: please type it in its browser.")
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

        return await self._enrol(typed, give)

    async def enrol_here(self, typed: str) -> tuple[Device, str]:
        """Sign in the browser of the till or kiosk whose code this is, and return it with the cookie's value: once."""

        async def give(raw: asyncpg.Connection, device: Device, now: datetime) -> tuple[Device, str]:
            return device, await sign_ins.begin(raw, Strength.DEVICE, now, device=device.id)

        return await self._enrol(typed, give)

    async def _enrol(self, typed: str, give: _Give[_Given]) -> _Given:
        code = read_enrolment(typed)
        if code is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))
        if self._enrolling >= ENROLLING_MAX:
            raise Declined(Refusal.BUSY)
        self._enrolling += 1
        try:
            async with self._turn:
                return await self._enrol_in_turn(code, give)
        finally:
            self._enrolling -= 1

    async def _enrol_in_turn(self, code: str, give: _Give[_Given]) -> _Given:
        now = self._clock()
        refusal = Refusal.CODE_UNKNOWN
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_EXPECTED, code_hash(await secret_of(raw), code), now)
            if row is not None:
                await raw.execute(_ENROL, row["id"], now)
                device = msgspec.structs.replace(_device(row), status=Status.ACTIVE, enrolled_at=now)
                return await give(raw, device, now)
            if await throttle.wrong_enrolment(raw, now):
                refusal = Refusal.TRY_AGAIN
        # Behind the transaction, which keeps the count.
        raise Declined(refusal, "This code is not known, was used, or is over: please ask for a new one.")

    async def of_venue(self, caller: Caller, venue: UUID, *, after: UUID | None, limit: int) -> Sequence[Device]:
        """The tills of a venue, the oldest first, those that were revoked too; ``after`` is the last one seen."""
        if not _may(caller, venue, None):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            raw = driver(connection)
            if not await raw.fetchval(_VENUE, venue):
                raise Declined(Refusal.NOT_FOUND)
            return [_device(row) for row in await raw.fetch(_OF_VENUE, venue, after, limit)]

    async def of_project(self, caller: Caller, project: UUID, *, after: UUID | None, limit: int) -> Sequence[Device]:
        """The kiosks of a project likewise."""
        if not _may(caller, None, project):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            raw = driver(connection)
            if not await raw.fetchval(_PROJECT, project):
                raise Declined(Refusal.NOT_FOUND)
            return [_device(row) for row in await raw.fetch(_OF_PROJECT, project, after, limit)]

    async def change(
        self, caller: Caller, id_: UUID, *, name: str | UnsetType = UNSET, site: UUID | UnsetType | None = UNSET
    ) -> Device:
        """Call it another, or put it at another site; what is UNSET stays."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            device = await _locked(raw, caller, id_)
            if device.status is Status.REVOKED:
                raise Declined(Refusal.WRONG_STATE, "This device was revoked.")
            if site is not UNSET:
                await _look_at_site(raw, device.venue, site)
            changed = msgspec.structs.replace(
                device, name=device.name if name is UNSET else name, site=device.site if site is UNSET else site
            )
            if changed != device:
                await raw.execute(_CHANGE, id_, changed.name, changed.site)
                await acts.by_staff(raw, caller, "device_changed", id_, self._clock())
            return changed

    async def revoke(self, caller: Caller, id_: UUID) -> Device:
        """End it, its code, its keys and its sign-ins now, for good; ending it again changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            device = await _locked(raw, caller, id_)
            if device.status is Status.REVOKED:
                return device
            await _revoke(raw, caller, id_, now)
            return msgspec.structs.replace(device, status=Status.REVOKED, revoked_at=now)


class Made(Struct, frozen=True, kw_only=True):
    """A device in use, as of whoever had it enrolled: which, and where it stands."""

    id: UUID
    name: str
    place: str
    enrolled_at: datetime


async def made_by(raw: asyncpg.Connection, holder: UUID) -> Sequence[Made]:
    """Those in use that this holder had enrolled, the newest first."""
    return [Made(**row) for row in await raw.fetch(_MADE_BY, holder)]


async def kept(raw: asyncpg.Connection, holder: UUID) -> Sequence[UUID]:
    """Those in use that somebody of the office said to keep when this holder left, if they did."""
    return [row["id"] for row in await raw.fetch(_KEPT, holder)]


async def revoke_made_by(
    raw: asyncpg.Connection, caller: Caller, holder: UUID, keep: Collection[UUID], now: datetime
) -> int:
    """End those, but for some to keep, and what waits for its code; in the caller's transaction. Return how many."""
    rows = await raw.fetch(_LOCK_MADE_BY, holder, list(keep))
    for row in rows:
        await _revoke(raw, caller, row["id"], now)
    return len(rows)


async def revoke_kiosks(raw: asyncpg.Connection, caller: Caller, project: UUID, now: datetime) -> None:
    """End all kiosks of a project, which the caller has locked, so that none is made meanwhile."""
    for row in await raw.fetch(_KIOSKS, project):
        await _revoke(raw, caller, row["id"], now)


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


async def _revoke(raw: asyncpg.Connection, caller: Caller, id_: UUID, now: datetime) -> None:
    """End a device that is locked, its code, its keys and its sign-ins."""
    await raw.execute("UPDATE scheme.api_key SET revoked_at = $2 WHERE device = $1 AND revoked_at IS NULL", id_, now)
    await raw.execute(_SIGN_OUT, id_, now)
    await raw.execute(_REVOKE, id_, now)
    await acts.by_staff(raw, caller, "device_revoked", id_, now)


def _may(caller: Caller, venue: UUID | None, project: UUID | None) -> bool:
    """Whether the caller has a say in the devices of that venue or project. A device has none, not in itself either."""
    if project is not None:
        return caller.speaks_for(project)
    return caller.scope is Scope.SCHEME or (
        caller.scope is Scope.VENUE and caller.device is None and caller.object == venue
    )


async def _look_at_place(raw: asyncpg.Connection, caller: Caller, new: NewDevice, now: datetime) -> None:
    """Decline a venue or project that isn't there for the caller, or one that made many of late itself."""
    assert (new.venue is None) != (new.project is None), "a device is a till or a kiosk"
    status = None
    if _may(caller, new.venue, new.project):
        # Locked, so that those made at once are counted one by one, and none is made while its project ends.
        status = await raw.fetchval(_LOCK_VENUE if new.project is None else _LOCK_PROJECT, new.project or new.venue)
    if status is None:
        raise Declined(Refusal.NOT_FOUND)
    if new.project is not None and status == "ended":
        raise Declined(Refusal.WRONG_STATE, "This project has ended.")
    if caller.scope is not Scope.SCHEME:
        made = await raw.fetchval(_MADE_SINCE, new.venue, new.project, now - _DAY)
        if made >= MADE_A_DAY:
            raise Declined(
                Refusal.WRONG_STATE,
                f"{MADE_A_DAY} were made within a day, and that is all; the office can make another.",
            )


async def _look_at_site(raw: asyncpg.Connection, venue: UUID | None, site: UUID | None) -> None:
    """Decline a site that isn't the venue's."""
    if site is not None and not await raw.fetchval(_SITE, site, venue):
        raise Declined(Refusal.WRONG_VALUES, fields=(("site", "is no site of this venue"),))


async def _locked(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> Device:
    row = await raw.fetchrow(_BY_ID, id_)
    if row is None or not _may(caller, row["venue"], row["project"]):
        raise Declined(Refusal.NOT_FOUND)
    return _device(row)


def _device(row: asyncpg.Record) -> Device:
    return Device(
        id=row["id"],
        kind=Kind.TILL if row["project"] is None else Kind.KIOSK,
        venue=row["venue"],
        site=row["site"],
        project=row["project"],
        name=row["name"],
        status=Status(row["status"]),
        created_at=row["created_at"],
        code_until=row["code_until"],
        enrolled_at=row["enrolled_at"],
        locked_until=row["locked_until"],
        revoked_at=row["revoked_at"],
    )


_VENUE = "SELECT status FROM scheme.venue WHERE id = $1"
_PROJECT = "SELECT status FROM scheme.project WHERE id = $1"
_LOCK_VENUE = _VENUE + " FOR NO KEY UPDATE"
_LOCK_PROJECT = _PROJECT + " FOR NO KEY UPDATE"
_SITE = "SELECT true FROM scheme.site WHERE id = $1 AND venue = $2 AND closed_at IS NULL"
_MADE_SINCE = """
SELECT count(*) FROM scheme.device WHERE (venue = $1 OR project = $2) AND created_at > $3
"""
_CREATE = """
INSERT INTO scheme.device (id, venue, site, project, name, status, created_at, created_by, code_hash, code_until)
VALUES ($1, $2, $3, $4, $5, 'expected', $6, $7, $8, $9)
"""
_READ = """
SELECT id, venue, site, project, name, status, created_at, code_until, enrolled_at,
    greatest(locked_until, (SELECT v.locked_until FROM scheme.venue v WHERE v.id = device.venue)) AS locked_until,
    revoked_at
FROM scheme.device WHERE {}
"""
# Looked for before it is written: a write, even of no row, empties every process's memory (see `directory`), and
# anybody can send a code.
# Nor is a code taken whose maker left, lost a role or was erased, before it was typed or while they made it.
_EXPECTED = _READ.format("""
    code_hash = $1 AND status = 'expected' AND code_until > $2 AND NOT EXISTS (
        SELECT FROM scheme.act WHERE holder = created_by AND verb IN ('left', 'role_ended', 'person_erased')
            AND at >= created_at
    )
    FOR NO KEY UPDATE
""")
_BY_ID = _READ.format("id = $1 FOR NO KEY UPDATE")
_ENROL = """
UPDATE scheme.device SET status = 'active', code_hash = NULL, code_until = NULL, enrolled_at = $2 WHERE id = $1
"""
_LISTED = _READ.format("""
    {} = $1
    AND ($2::uuid IS NULL OR (created_at, id) > (SELECT l.created_at, l.id FROM scheme.device l WHERE l.id = $2))
ORDER BY created_at, id
LIMIT $3
""")
_OF_VENUE = _LISTED.format("venue")
_OF_PROJECT = _LISTED.format("project")
_KIOSKS = "SELECT id FROM scheme.device WHERE project = $1 AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE"
_MADE_BY = """
SELECT d.id, d.name, coalesce(v.name, p.name) AS place, d.enrolled_at
FROM scheme.device d
LEFT JOIN scheme.venue v ON v.id = d.venue
LEFT JOIN scheme.project p ON p.id = d.project
WHERE d.created_by = $1 AND d.revoked_at IS NULL AND d.status = 'active'
ORDER BY d.created_at DESC, d.id
"""
# What wasn't, ended when they left.
_KEPT = """
SELECT id FROM scheme.device d
WHERE created_by = $1 AND revoked_at IS NULL AND EXISTS (
    SELECT FROM scheme.act a WHERE a.holder = $1 AND a.verb = 'left' AND a.at >= d.created_at
)
"""
_LOCK_MADE_BY = """
SELECT id FROM scheme.device
WHERE created_by = $1 AND revoked_at IS NULL AND (status = 'expected' OR id <> ALL($2::uuid[]))
ORDER BY id FOR NO KEY UPDATE
"""
_CHANGE = "UPDATE scheme.device SET name = $2, site = $3 WHERE id = $1"
_REVOKE = """
UPDATE scheme.device SET status = 'revoked', code_hash = NULL, code_until = NULL, revoked_at = $2 WHERE id = $1
"""
# What ended is deleted a while after its end, as `sign_ins` has it.
_SIGN_OUT = """
UPDATE scheme.sign_in SET ended_at = $2, ends_at = least(ends_at, $2) WHERE device = $1 AND ended_at IS NULL
"""
_SPEAKING_FOR = """
SELECT d.venue, d.site, greatest(d.locked_until, v.locked_until) AS locked_until
FROM scheme.device d JOIN scheme.venue v ON v.id = d.venue
WHERE d.id = $1 AND d.status = 'active'
"""
