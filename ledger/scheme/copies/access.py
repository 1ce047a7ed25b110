"""Of a copy: how they come in and what they may do, what they were told, and what was done about them or by them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct


class HeldKey(Struct, frozen=True, kw_only=True):
    """A key of theirs; its secret is stored nowhere."""

    id: UUID
    scope: str
    project: UUID | None
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class HeldEvent(Struct, frozen=True, kw_only=True):
    """Something that concerned them; `body` is JSON."""

    id: UUID
    at: datetime
    topic: str
    project: UUID | None
    object: UUID | None
    body: str
    delivered_at: datetime | None


class HeldRole(Struct, frozen=True, kw_only=True):
    """What they may do besides being a volunteer, or might once."""

    id: UUID
    role: str
    project: UUID | None
    venue: UUID | None
    granted_at: datetime
    ended_at: datetime | None


class HeldPasskey(Struct, frozen=True, kw_only=True):
    """A passkey of theirs, without its key."""

    name: str
    made_at: datetime
    used_at: datetime | None
    ended_at: datetime | None


class HeldRecovery(Struct, frozen=True, kw_only=True):
    """That somebody of the staff asked for new passkeys for them, and whether another agreed."""

    id: UUID
    asked_at: datetime
    agreed_at: datetime | None
    ended_at: datetime | None


class HeldVouched(Struct, frozen=True, kw_only=True):
    """An account at their organisation that they sign in with."""

    issuer: str
    subject: str
    made_at: datetime


class HeldSignIn(Struct, frozen=True, kw_only=True):
    """A browser that they signed in with; ``seen_at`` is to the hour, ``shared`` whether others use that computer."""

    id: UUID
    strength: str
    shared: bool
    made_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None


class HeldLetter(Struct, frozen=True, kw_only=True):
    """Mail to them, without what it says: that may let whoever reads it sign in. What was sent has no address more."""

    id: UUID
    at: datetime
    recipient: str | None
    subject: str
    ends_at: datetime
    sent_at: datetime | None


class HeldAct(Struct, frozen=True, kw_only=True):
    """What was done: by whom (an identity), under which key, for or about which holder, if anybody in particular."""

    id: UUID
    at: datetime
    by: UUID
    key: UUID
    scope: str
    holder: UUID | None
    verb: str
    object: UUID | None


# $1 is the person or, where the rows know only that, the holder; $2 the most rows.
PARTS: Final[Mapping[str, str]] = {
    "keys": """
SELECT id, scope, project, label, created_at, expires_at, revoked_at
FROM scheme.api_key WHERE holder = $1 ORDER BY created_at DESC LIMIT $2
""",
    "events": """
SELECT id, at, topic, project, object, body, delivered_at
FROM scheme.outbox WHERE holder = $1 ORDER BY at DESC, id LIMIT $2
""",
    "roles": """
SELECT id, role, project, venue, granted_at, ended_at
FROM scheme.role WHERE holder = $1 ORDER BY granted_at DESC, id LIMIT $2
""",
    "passkeys": """
SELECT name, made_at, used_at, ended_at FROM scheme.passkey WHERE holder = $1 ORDER BY made_at DESC LIMIT $2
""",
    "sign_ins": """
SELECT id, strength, shared, made_at, seen_at, ends_at, ended_at
FROM scheme.sign_in WHERE holder = $1 ORDER BY made_at DESC, id LIMIT $2
""",
    "letters": """
SELECT id, at, recipient, subject, ends_at, sent_at FROM scheme.letter WHERE holder = $1 ORDER BY at DESC, id LIMIT $2
""",
    "recoveries": """
SELECT id, asked_at, agreed_at, ended_at FROM scheme.recovery WHERE holder = $1 ORDER BY asked_at DESC, id LIMIT $2
""",
    "vouched": """
SELECT issuer, subject, made_at FROM scheme.vouched WHERE holder = $1 ORDER BY made_at DESC, issuer LIMIT $2
""",
    "acts": """
SELECT id, at, by, key, scope, holder, verb, object FROM scheme.act WHERE holder = $1 ORDER BY at DESC LIMIT $2
""",
    "acted": """
SELECT id, at, by, key, scope, holder, verb, object FROM scheme.act WHERE by = $1 ORDER BY at DESC LIMIT $2
""",
}
