"""Cards and passes as they are stored: found, locked, and as they stand at a moment."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.scheme.awards import lock_holders
from ledger.scheme.refusals import Declined, Refusal


class Kind(StrEnum):
    """What people carry. Booking codes and vouchers are credentials too, with verbs of their own elsewhere."""

    CARD = "card"
    PASS = "pass"  # noqa: S105  # no password


class Status(StrEnum):
    """How a credential stands."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    REPLACED = "replaced"
    REVOKED = "revoked"
    EXPIRED = "expired"


LIVE: Final = (Status.ACTIVE, Status.BLOCKED)


class Credential(Struct, frozen=True, kw_only=True):
    """A card or a pass, without its code; ``changed_at`` is when it came to stand as it does."""

    id: UUID
    kind: Kind
    status: Status
    issued_at: datetime
    changed_at: datetime
    expires_at: datetime | None = None
    replaced_by: UUID | None = None


class Has(Struct, frozen=True, kw_only=True):
    """A credential as it is stored, and whose it is."""

    holder: UUID
    credential: Credential
    number: int | None
    project: UUID | None


async def by_id(raw: asyncpg.Connection, id_: UUID) -> Has:
    """The credential of that id, or decline."""
    row = await raw.fetchrow(_ONE, id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return _read(row)


async def locked(raw: asyncpg.Connection, id_: UUID) -> Has:
    """The credential once its holder is locked: so whatever changes one of theirs is done one after the other."""
    await lock_holders(raw, [(await by_id(raw, id_)).holder])
    return await by_id(raw, id_)


async def live(raw: asyncpg.Connection, holder: UUID, kind: Kind) -> Has | None:
    """The one of that kind that somebody carries, blocked or not."""
    row = await raw.fetchrow(_LIVE, holder, kind.value)
    return None if row is None else _read(row)


async def listed(
    raw: asyncpg.Connection, holder: UUID, now: datetime, *, before: UUID | None, limit: int
) -> Sequence[Credential]:
    """That holder's cards and passes, newest first, as they stand now; ``before`` is the last one seen."""
    return [as_of(_read(row).credential, now) for row in await raw.fetch(_LISTED, holder, before, limit)]


def working(has: Has, now: datetime) -> Credential:
    """The credential if it would be taken at a till."""
    status = as_of(has.credential, now).status
    if status is Status.BLOCKED:
        raise Declined(Refusal.CARD_BLOCKED)
    if status is Status.EXPIRED:
        raise Declined(Refusal.CARD_EXPIRED)
    return has.credential


def as_of(credential: Credential, now: datetime) -> Credential:
    """The credential as it stands then: what isn't ended otherwise is expired once its end has come."""
    if credential.status in LIVE and credential.expires_at is not None and credential.expires_at <= now:
        return msgspec.structs.replace(credential, status=Status.EXPIRED)
    return credential


def _read(row: asyncpg.Record) -> Has:
    return Has(
        holder=row["holder"],
        number=row["number"],
        project=row["project"],
        credential=Credential(
            id=row["id"],
            kind=Kind(row["kind"]),
            status=Status(row["status"]),
            issued_at=row["issued_at"],
            changed_at=row["changed_at"],
            expires_at=row["expires_at"],
            replaced_by=row["replaced_by"],
        ),
    )


_READ = """
SELECT id, holder, kind, status, number, project, issued_at, changed_at, expires_at, replaced_by
FROM scheme.credential WHERE kind IN ('card', 'pass') AND {}
"""
_ONE = _READ.format("id = $1")
_LIVE = _READ.format("holder = $1 AND kind = $2 AND status IN ('active', 'blocked')")
_LISTED = _READ.format("""
    holder = $1
    AND ($2::uuid IS NULL OR (issued_at, id) < (SELECT l.issued_at, l.id FROM scheme.credential l WHERE l.id = $2))
ORDER BY issued_at DESC, id DESC
LIMIT $3
""")
