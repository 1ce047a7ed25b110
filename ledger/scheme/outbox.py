"""The outbox: whatever a person or a system may wait for, written in the transaction that made it so.

A row holds ids and figures, never names or words: whoever delivers it reads those then, so nothing here outlives an
erasure. ``telling`` settles them, each by a letter or by none, and marks them as delivered; ``timecredits outbox``
shows what waits. What people need to sign in goes by ``letters`` at once, and so does, where somebody can be written
to, who keeps their group's pot (``keyholder_news``).

What waits is read oldest first, by moment and then id, and a row that was delivered is marked. Nobody remembers how far
they had read: a transaction that took long commits rows of an earlier moment, and whoever went on from a place in the
order would never see them. A row waits until it is marked, whenever it came.

What bounds it: a marked row goes after `KEPT`. Of a nation's two million events a month that leaves six million rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.journal.entries import new_key

# Longer than anybody asks why no letter came.
KEPT: Final = timedelta(days=90)
_FORGOTTEN_AT_ONCE: Final = 1_000


class Topic(StrEnum):
    """What happened."""

    AWARDED = "awarded"
    AWARD_WAITS_FOR_CONSENT = "award_waits_for_consent"
    CLAIM_SUBMITTED = "claim_submitted"
    CLAIM_QUERIED = "claim_queried"
    CLAIM_REJECTED = "claim_rejected"
    SECOND_APPROVAL_NEEDED = "second_approval_needed"
    CORRECTED = "corrected"
    WEEK_ABOVE_NOTE = "week_above_note"
    ALLOCATION_LOW = "allocation_low"
    ALLOCATION_OVERRUN = "allocation_overrun"
    ATTENDANCE_AUTO_CLOSED = "attendance_auto_closed"
    SESSION_CANCELLED = "session_cancelled"
    OCCASION_CANCELLED = "occasion_cancelled"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_LAPSED = "consent_lapsed"
    HELPER_ADDED = "helper_added"
    HELPER_ENDED = "helper_ended"
    ROLE_GRANTED = "role_granted"
    ROLE_ENDED = "role_ended"
    LEFT = "left"
    VOUCHER_CLAIMED = "voucher_claimed"
    VOUCHERS_PRINTED = "vouchers_printed"
    VOUCHERS_RETURNED = "vouchers_returned"
    NOTES_TAKEN = "notes_taken"
    BALANCE_OPENED = "balance_opened"
    GIFT_OFFERED = "gift_offered"
    GIFT_ACCEPTED = "gift_accepted"
    GIFT_DECLINED = "gift_declined"
    GIFT_TAKEN_BACK = "gift_taken_back"
    GIFT_LAPSED = "gift_lapsed"
    HOLD_LAPSED = "hold_lapsed"
    BOOKED = "booked"
    BOOKING_CHANGED = "booking_changed"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_UNDONE = "booking_undone"
    POT_GIVEN_TO = "pot_given_to"
    POT_GAVE = "pot_gave"
    POT_SPEND_PROPOSED = "pot_spend_proposed"
    POT_SPEND_AGREED = "pot_spend_agreed"
    POT_SPEND_DECLINED = "pot_spend_declined"
    KEYHOLDER_PROPOSED = "keyholder_proposed"
    KEYHOLDER_CHANGED = "keyholder_changed"
    CREDITS_ENDING = "credits_ending"
    CREDITS_EXPIRED = "credits_expired"
    CREDITS_REINSTATED = "credits_reinstated"
    CONTACT_REMOVED = "contact_removed"
    CREDENTIAL_ISSUED = "credential_issued"
    CREDENTIAL_REPLACED = "credential_replaced"
    CREDENTIAL_BLOCKED = "credential_blocked"
    CREDENTIAL_UNBLOCKED = "credential_unblocked"
    CREDENTIAL_REVOKED = "credential_revoked"
    WRONG_CODES = "wrong_codes"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_ENDED = "passkey_ended"
    RECOVERY_ASKED = "recovery_asked"
    RECOVERY_AGREED = "recovery_agreed"
    RECOVERY_DECLINED = "recovery_declined"
    ORGANISATION_VOUCHED = "organisation_vouched"


class Event(Struct, frozen=True, kw_only=True):
    """One row: whom it concerns, where, what it is about, and its figures."""

    topic: Topic
    holder: UUID | None = None
    project: UUID | None = None
    object: UUID | None = None
    body: Mapping[str, int | str] = {}


async def put(connection: asyncpg.Connection, events: Sequence[Event], now: datetime) -> None:
    """Write them, in the caller's transaction."""
    if events:
        await connection.execute(
            _PUT,
            now,
            [UUID(new_key()) for _ in events],
            [event.topic.value for event in events],
            [event.holder for event in events],
            [event.project for event in events],
            [event.object for event in events],
            [msgspec.json.encode(event.body).decode() for event in events],
        )


class Waiting(Struct, frozen=True, kw_only=True):
    """A row as it is read, with the project's neutral alias; ``delivered_at`` is None while it waits."""

    id: UUID
    at: datetime
    topic: str
    holder: UUID | None
    project: UUID | None
    alias: str | None
    object: UUID | None
    body: Mapping[str, int | str]
    delivered_at: datetime | None


async def waiting(
    connection: asyncpg.Connection, *, topic: Topic | None = None, limit: int, delivered: bool = False
) -> Sequence[Waiting]:
    """What waits, oldest first, of all topics or of that one; with ``delivered`` what was delivered too."""
    rows = await connection.fetch(_ALL if delivered else _WAITING, topic and topic.value, limit)
    return [
        Waiting(
            id=row["id"],
            at=row["at"],
            topic=row["topic"],
            holder=row["holder"],
            project=row["project"],
            alias=row["alias"],
            object=row["object"],
            body=msgspec.json.decode(row["body"]),
            delivered_at=row["delivered_at"],
        )
        for row in rows
    ]


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some of what was settled long ago, and return how many they were. What waits, waits."""
    return int((await raw.execute(_FORGET, now - KEPT, _FORGOTTEN_AT_ONCE)).split()[-1])


_PUT = """
INSERT INTO scheme.outbox (at, id, topic, holder, project, object, body)
SELECT $1, u.* FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[]) u
"""
_READ = """
SELECT o.id, o.at, o.topic, o.holder, o.project, p.alias, o.object, o.body, o.delivered_at
FROM scheme.outbox o LEFT JOIN scheme.project p ON p.id = o.project
WHERE {} AND ($1::text IS NULL OR o.topic = $1)
ORDER BY o.at, o.id LIMIT $2
"""
_ALL, _WAITING = _READ.format("true"), _READ.format("o.delivered_at IS NULL")
_FORGET = """
DELETE FROM scheme.outbox WHERE id = ANY(ARRAY(
    SELECT id FROM scheme.outbox WHERE at <= $1 AND delivered_at IS NOT NULL ORDER BY at, id LIMIT $2
))
"""
