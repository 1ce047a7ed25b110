"""Of a copy: the hours that they gave, and what was said about them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct


class HeldAttendance(Struct, frozen=True, kw_only=True):
    """A booking, or that they came; the project by its alias."""

    session: UUID
    project: UUID
    alias: str
    started_at: datetime
    ended_at: datetime
    state: str
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    minutes: int | None
    changed_at: datetime


class HeldClaim(Struct, frozen=True, kw_only=True):
    """Hours of theirs; awarded by the entry of the same id, if it stands in `wallet`."""

    id: UUID
    project: UUID
    alias: str
    session: UUID | None
    started_at: datetime
    ended_at: datetime
    day: date
    minutes: int
    source: str
    state: str
    exceptions: list[str]
    created_at: datetime
    changed_at: datetime
    approved_at: datetime | None
    second_approved_at: datetime | None


class HeldRemark(Struct, frozen=True, kw_only=True):
    """What was said about hours of theirs."""

    id: UUID
    claim: UUID
    kind: str
    body: str
    at: datetime


class HeldCorrection(Struct, frozen=True, kw_only=True):
    """Hours of theirs that were put right."""

    id: UUID
    claim: UUID
    before: int
    after: int
    goodwill: int
    at: datetime


class HeldVoucher(Struct, frozen=True, kw_only=True):
    """A slip that they claimed."""

    claim: UUID
    session: UUID
    label: str | None
    claimed_at: datetime
    entry: UUID


class HeldNote(Struct, frozen=True, kw_only=True):
    """A paper note that they brought."""

    serial: str
    minutes: int
    entry: UUID
    taken_at: datetime


# $1 is the person or, where the rows know only that, the holder; $2 the most rows.
PARTS: Final[Mapping[str, str]] = {
    "attendance": """
SELECT a.session, s.project, p.alias, s.started_at, s.ended_at, a.state, a.checked_in_at, a.checked_out_at, a.minutes,
    a.changed_at
FROM scheme.attendance a JOIN scheme.session s ON s.id = a.session JOIN scheme.project p ON p.id = s.project
WHERE a.holder = $1 ORDER BY s.started_at DESC LIMIT $2
""",
    "claims": """
SELECT c.id, c.project, p.alias, c.session, c.started_at, c.ended_at, c.day, c.minutes, c.source, c.state, c.exceptions,
    c.created_at, c.changed_at, c.approved_at, c.second_approved_at
FROM scheme.claim c JOIN scheme.project p ON p.id = c.project
WHERE c.holder = $1 ORDER BY c.created_at DESC, c.id LIMIT $2
""",
    "remarks": """
SELECT r.id, r.claim, r.kind, r.body, r.at
FROM scheme.remark r JOIN scheme.claim c ON c.id = r.claim WHERE c.holder = $1 ORDER BY r.at DESC LIMIT $2
""",
    "corrections": """
SELECT r.id, r.claim, r.before, r.after, r.goodwill, r.at
FROM scheme.correction r JOIN scheme.claim c ON c.id = r.claim WHERE c.holder = $1 ORDER BY r.at DESC LIMIT $2
""",
    "vouchers": """
SELECT v.claim, v.session, v.label, v.claimed_at, v.entry
FROM scheme.voucher v JOIN scheme.claim c ON c.id = v.claim
WHERE c.holder = $1 AND v.claimed_by = c.holder ORDER BY v.claimed_at DESC LIMIT $2
""",
    "notes": """
SELECT serial, minutes, entry, taken_at FROM scheme.note WHERE holder = $1 ORDER BY taken_at DESC, serial LIMIT $2
""",
}
