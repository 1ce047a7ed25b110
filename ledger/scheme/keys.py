"""API keys: ``tc_<environment>_<id>_<secret>_<checksum>``, each for a person, a project, a venue or the scheme itself.

An auditor's key is the scheme's too, and only reads: the books and the audit trail.

Id and secret are Crockford base32, 128 and 256 random bits. The checksum is tested first, so that a mistyped key
costs nothing; the environment stands in it, so that a test key can't be meant for the live service. What is stored is
the secret's SHA-256: of 256 random bits nothing can be guessed, so no slow hash is needed. The secret is shown once.

A key ends at ``expires_at`` or when it is revoked, whichever comes first; ``directory`` sees to it that it stops at
once, in every process. Two keys of one project or venue may live at a time and longer, for rotation: both speak as the
same *principal*, so that a retry under the new key is known as a retry.

Behind a key stands somebody, or nobody in particular (a till, another system). Who acts is told by `Caller.identity`:
the holder behind the key, or its till, or else the key itself. Two approvals are two identities, and nobody approves
their own hours: so give each coordinator a key of their own, with their person in it.

**A key is in the name of whoever makes it**: behind one that is made with somebody's key stands the same person, behind
one that is made with a key of nobody's, nobody. So no key becomes two people, wherever two have to agree. Only whoever
reaches the database itself (`OPERATOR`) puts somebody else's name in.

**A key in somebody's name stands on a role of theirs**, and ends with it, in one transaction (`end_unfounded`): a
project's on that of its coordinator, an auditor's on the auditor's, and any of them on that of the scheme's staff. So
none is made for whoever has no such role: not for an approver, who may do less than a project's key. A person's own
key stands on nothing but them; a till's key is nobody's, and ends with its till.

A venue's key is always that of one of its devices (see ``devices``), so that every redemption names its till. One that
is made here without a device brings a new one, named by the label.
"""

import hashlib
import os
import secrets
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal

LIFETIME_DEFAULT = timedelta(days=365)
LIFETIME_MAX = timedelta(days=3 * 365)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {digit: value for value, digit in enumerate(_ALPHABET)}
_SECRET_BYTES = 32
_ID_DIGITS, _SECRET_DIGITS, _CHECK_DIGITS = 26, 52, 6
_PARTS = 5
_NOBODY = ("person", "is nobody of this scheme")
# Whose role bears a key of that scope.
_BEARERS = {
    Scope.PROJECT: "a coordinator of that project, or of the scheme's staff",
    Scope.AUDITOR: "an auditor, or of the scheme's staff",
    Scope.SCHEME: "of the scheme's staff",
}


class Key(Struct, frozen=True, kw_only=True):
    """An API key as it may be shown: without its secret."""

    id: UUID
    scope: Scope
    object: UUID | None
    device: UUID | None
    person: UUID | None
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class Presented(Struct, frozen=True):
    """What a well-formed token says: the key's id and its secret's SHA-256."""

    id: UUID
    secret_hash: bytes


def _crockford(number: int, digits: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(digits)))


def _checksum(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
    return _crockford(number >> 2, _CHECK_DIGITS)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def token(environment: str, id_: UUID, secret: bytes) -> str:
    """The text that is presented."""
    body = f"tc_{environment}_{_crockford(id_.int, _ID_DIGITS)}_"
    body += _crockford(int.from_bytes(secret), _SECRET_DIGITS)
    return f"{body}_{_checksum(body)}"


def parse(text: str, environment: str) -> Presented | None:
    """What the token says, or None if it is mistyped, or of another environment."""
    body, _, checksum = text.rpartition("_")
    if not text.isascii() or not secrets.compare_digest(checksum, _checksum(body)):
        return None
    parts = body.split("_")
    if len(parts) != _PARTS - 1 or parts[:2] != ["tc", environment]:
        return None
    id_, secret = parts[2:]
    if len(id_) != _ID_DIGITS or len(secret) != _SECRET_DIGITS or not {*id_, *secret} <= _VALUE.keys():
        return None
    number = 0
    for digit in id_:
        number = number << 5 | _VALUE[digit]
    return Presented(UUID(int=number), _hash(secret)) if number < 1 << 128 else None


class Keys:
    """Making keys and ending them."""

    def __init__(self, database: Database, clock: Clock, environment: str) -> None:
        self._database = database
        self._clock = clock
        self._environment = environment

    async def create(
        self,
        scope: Scope,
        object_: UUID | None,
        label: str,
        expires_at: datetime | None = None,
        *,
        person: UUID | None = None,
        device: UUID | None = None,
        by: Caller = OPERATOR,
    ) -> tuple[Key, str]:
        """A new key with its token, which is told only here.

        Declines an object or a person that isn't there, and one in whose name it can't be, for they have no such role.

        ``by`` is whoever makes it, and so the till that comes with a venue's key without a device. ``person`` is for
        the operator to say; otherwise it is who stands behind ``by``.
        """
        assert person is None or by == OPERATOR, "nobody names another"
        now = self._clock()
        expires_at = expires_at or now + LIFETIME_DEFAULT
        if not now < expires_at <= now + LIFETIME_MAX:
            raise _declined("expires_at", f"must lie ahead, by at most {LIFETIME_MAX.days} days")
        _check(scope, object_, person or by.holder, device)
        if scope is Scope.VENUE and person is not None:
            raise _declined("person", "must be absent: a till is nobody's own")
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if by.holder is not None:
                maker = await _still_staff(raw, by.holder)
                person = None if scope is Scope.VENUE else maker
            if scope is Scope.VENUE:
                assert object_ is not None
                device = await _till(raw, object_, device, label, by.identity, now)
            key = Key(
                id=uuid4(),
                scope=scope,
                object=object_,
                device=device,
                person=person,
                label=label,
                created_at=now,
                expires_at=expires_at,
            )
            text = await make(raw, self._environment, key)
            if text is not None:
                if await raw.fetchval(_IS_UNFOUNDED, key.id):
                    raise _declined("person", f"must be {_BEARERS[scope]}")
                holder = await raw.fetchval("SELECT holder FROM scheme.api_key WHERE id = $1", key.id)
                await acts.by_staff(raw, by, "key_made", key.id, now, holder=holder)
        if text is None:
            raise _declined(*(("object", f"is no {scope} of this scheme") if object_ else _NOBODY))
        return key, text

    async def revoke(self, id_: UUID, by: Caller = OPERATOR) -> Key:
        """End a key now, for good; ending it again changes nothing."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            now = self._clock()
            # When it ended first stays as it was.
            ended = await raw.fetchrow(_REVOKE, id_, now)
            if ended is not None:
                await acts.by_staff(raw, by, "key_revoked", id_, now, holder=ended["holder"])
            row = await raw.fetchrow(_BY_ID, id_)
        if row is None:
            raise Declined(Refusal.NOT_FOUND)
        return Key(
            id=row["id"],
            scope=Scope(row["scope"]),
            object=row["object"],
            device=row["device"],
            person=row["person"],
            label=row["label"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
        )


def _declined(field: str, said: str) -> Declined:
    return Declined(Refusal.WRONG_VALUES, fields=((field, said),))


def _check(scope: Scope, object_: UUID | None, whose: UUID | None, device: UUID | None) -> None:
    """Decline a key that names what its scope hasn't, or doesn't name what it has."""
    if (scope in {Scope.SCHEME, Scope.AUDITOR, Scope.PERSON}) != (object_ is None):
        said = f"must be absent for a key of scope {scope}" if object_ else f"must name the {scope}"
        raise _declined("object", said)
    if scope is Scope.PERSON and whose is None:
        raise _declined("scope", "must be another: nobody stands behind the key that makes it, so it is no person's")
    if scope is not Scope.VENUE and device is not None:
        raise _declined("device", "must be absent: only venues have tills")


async def make(raw: asyncpg.Connection, environment: str, key: Key) -> str | None:
    """Write a key that its maker has looked at, and return its token; None if what it is for isn't there."""
    text = token(environment, key.id, os.urandom(_SECRET_BYTES))
    presented = parse(text, environment)
    assert presented is not None
    created = await raw.fetchval(
        _CREATE,
        key.id,
        presented.secret_hash,
        key.scope.value,
        key.object if key.scope is Scope.PROJECT else None,
        key.object if key.scope is Scope.VENUE else None,
        key.person,
        key.label,
        key.created_at,
        key.expires_at,
        key.device,
    )
    return None if created is None else text


async def end_unfounded(raw: asyncpg.Connection, by: Caller, holder: UUID, now: datetime) -> None:
    """End that holder's keys that no role of theirs bears any longer; the caller has locked the holder."""
    for row in await raw.fetch(_END_UNFOUNDED, holder, now):
        await acts.by_staff(raw, by, "key_revoked", row["id"], now, holder=holder)


async def _still_staff(raw: asyncpg.Connection, holder: UUID) -> UUID:
    """The person of whoever makes a key: one of the staff, who stays so until it is made. Declines who was."""
    person: UUID | None = await raw.fetchval("SELECT person FROM scheme.holder WHERE id = $1 FOR SHARE", holder)
    # Asked once they are locked, so that what ended while this waited is seen.
    if person is None or not await raw.fetchval(_IS_STAFF, holder):
        raise Declined(Refusal.STAFF_ONLY)
    return person


async def _till(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, venue: UUID, device: UUID | None, name: str, by: UUID, now: datetime
) -> UUID:
    """The device that the key is for: the one that is named, if it is in use there, or a new one."""
    if device is not None:
        # Locked, so that nobody gives it a key while it is revoked.
        if not await raw.fetchval(_IN_USE, device, venue):
            raise _declined("device", "is no till in use at this venue")
        return device
    device = await raw.fetchval(_NEW_TILL, uuid4(), venue, name, now, by)
    if device is None:
        raise _declined("object", "is no venue of this scheme")
    return device


# The holder's row is locked, so that nobody is given a key while they are erased.
_CREATE = """
WITH holder AS (SELECT id FROM scheme.holder WHERE person = $6 FOR SHARE)
INSERT INTO scheme.api_key (id, secret_hash, scope, project, venue, holder, label, created_at, expires_at, device)
SELECT $1, $2, $3, $4, $5, (SELECT id FROM holder), $7, $8, $9, $10
WHERE ($4::uuid IS NULL OR EXISTS (SELECT FROM scheme.project WHERE id = $4))
    AND ($5::uuid IS NULL OR EXISTS (SELECT FROM scheme.venue WHERE id = $5))
    AND ($6::uuid IS NULL OR EXISTS (SELECT FROM holder))
RETURNING id
"""
_IS_STAFF = "SELECT true FROM scheme.role WHERE holder = $1 AND role = 'staff' AND ended_at IS NULL"
# In somebody's name, at work, and no role of theirs bears it.
_UNFOUNDED = """
k.holder IS NOT NULL AND k.scope <> 'person' AND NOT EXISTS (
    SELECT FROM scheme.role r
    WHERE r.holder = k.holder AND r.ended_at IS NULL AND (
        r.role = 'staff' OR r.role = k.scope OR (r.role = 'coordinator' AND r.project = k.project)
    )
)
"""
_IS_UNFOUNDED = f"SELECT true FROM scheme.api_key k WHERE k.id = $1 AND {_UNFOUNDED}"  # noqa: S608  # constants
_END_UNFOUNDED = f"""
UPDATE scheme.api_key k SET revoked_at = $2 WHERE k.holder = $1 AND k.revoked_at IS NULL AND {_UNFOUNDED} RETURNING k.id
"""  # noqa: S608  # as above
_IN_USE = "SELECT true FROM scheme.device WHERE id = $1 AND venue = $2 AND status = 'active' FOR SHARE"
_NEW_TILL = """
INSERT INTO scheme.device (id, venue, name, status, created_at, created_by, enrolled_at)
SELECT $1, id, $3, 'active', $4, $5, $4 FROM scheme.venue WHERE id = $2
RETURNING id
"""
_REVOKE = "UPDATE scheme.api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING holder"
_BY_ID = """
SELECT k.id, k.scope, coalesce(k.project, k.venue) AS object, k.device, h.person,
    k.label, k.created_at, k.expires_at, k.revoked_at
FROM scheme.api_key k LEFT JOIN scheme.holder h ON h.id = k.holder WHERE k.id = $1
"""
