"""Of a copy: who they are, how they may be reached, and who stands by them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct


class HeldPerson(Struct, frozen=True, kw_only=True):
    """The person; the journal and others know them by `holder` alone."""

    id: UUID
    holder: UUID
    name: str
    age_band: str | None
    created_at: datetime


class HeldContact(Struct, frozen=True, kw_only=True):
    """How they may be reached."""

    email: str | None
    phone: str | None
    address: str | None
    channel: str | None
    safe: bool | None
    changed_at: datetime
    used_at: datetime


class HeldPreference(Struct, frozen=True, kw_only=True):
    """How they would like the service to be."""

    language: str
    large_print: bool
    quiet: bool
    paused_at: datetime | None
    named: bool
    milestones: list[int]
    changed_at: datetime


class HeldHelping(Struct, frozen=True, kw_only=True):
    """Who helps whom: one of the two is this person."""

    id: UUID
    helped: UUID
    helper: UUID
    name: str
    """The other one's."""
    may: list[str]
    began_at: datetime
    ended_at: datetime | None


class HeldGuardian(Struct, frozen=True, kw_only=True):
    """Who answers for whom: one of the two is this person."""

    child: UUID
    guardian: UUID
    name: str
    """The other one's."""
    began_at: datetime
    ended_at: datetime | None


class HeldConsent(Struct, frozen=True, kw_only=True):
    """A consent for this person, or by them."""

    id: UUID
    child: UUID
    guardian: UUID
    given_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None
    lapsed_at: datetime | None


class HeldMembership(Struct, frozen=True, kw_only=True):
    """A group they belong to."""

    group: UUID
    name: str
    keyholder: bool
    joined_at: datetime


class HeldEligible(Struct, frozen=True, kw_only=True):
    """What they may do that not everybody may."""

    word: str
    given_at: datetime
    ends_at: datetime | None


# $1 is the person or, where the rows know only that, the holder; $2 the most rows.
PARTS: Final[Mapping[str, str]] = {
    "person": """
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id WHERE p.id = $1 LIMIT $2
""",
    "contact": """
SELECT email, phone, address, channel, safe, changed_at, used_at FROM scheme.contact WHERE person = $1 LIMIT $2
""",
    "preference": """
SELECT language, large_print, quiet, paused_at, named, milestones, changed_at
FROM scheme.preference WHERE person = $1 LIMIT $2
""",
    "helpers": """
SELECT l.id, l.helped, l.helper, p.name, l.may, l.began_at, l.ended_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helper WHERE l.helped = $1 ORDER BY l.began_at DESC LIMIT $2
""",
    "helping": """
SELECT l.id, l.helped, l.helper, p.name, l.may, l.began_at, l.ended_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helped WHERE l.helper = $1 ORDER BY l.began_at DESC LIMIT $2
""",
    "guardians": """
SELECT g.child, g.guardian, p.name, g.began_at, g.ended_at
FROM scheme.guardian g JOIN scheme.person p ON p.id = g.guardian WHERE g.child = $1 ORDER BY g.began_at DESC LIMIT $2
""",
    "children": """
SELECT g.child, g.guardian, p.name, g.began_at, g.ended_at
FROM scheme.guardian g JOIN scheme.person p ON p.id = g.child WHERE g.guardian = $1 ORDER BY g.began_at DESC LIMIT $2
""",
    "consents": """
SELECT c.id, c.child, c.guardian, c.given_at, c.ends_at, c.withdrawn_at, c.lapsed_at
FROM scheme.consent c JOIN scheme.guardian g USING (child, guardian)
WHERE g.child = $1 OR g.guardian = $1 ORDER BY c.given_at DESC LIMIT $2
""",
    "groups": """
SELECT g.id AS group, g.name, m.keyholder, m.joined_at
FROM scheme.membership m JOIN scheme.group g ON g.id = m.group WHERE m.person = $1 ORDER BY m.joined_at DESC LIMIT $2
""",
    "eligible": """
SELECT word, given_at, ends_at FROM scheme.eligible WHERE person = $1 ORDER BY given_at DESC, word LIMIT $2
""",
}
