"""Of a copy: their credits, where they went, and the cards that show them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ledger.journal.entries import Kind


class HeldCredential(Struct, frozen=True, kw_only=True):
    """A card, a phone pass or a booking code of theirs; its code is stored nowhere."""

    id: UUID
    kind: str
    status: str
    booking: UUID | None
    issued_at: datetime
    expires_at: datetime | None
    changed_at: datetime


class HeldGift(Struct, frozen=True, kw_only=True):
    """A gift from or to them: the two people, as far as they are still known, and what was said with it."""

    id: UUID
    giver: UUID | None
    receiver: UUID | None
    minutes: int
    words: str | None
    offered_at: datetime
    lapses_at: datetime


class HeldPotSpend(Struct, frozen=True, kw_only=True):
    """A spend from a group's pot that they proposed or decided on; `request` is what was to be booked, as JSON."""

    id: UUID
    group: UUID
    minutes: int
    request: str
    proposed_at: datetime
    decided_at: datetime | None
    declined: bool
    booking: UUID | None


class HeldLine(Struct, frozen=True, kw_only=True):
    """A line of a statement: `minutes` is signed, `balance` what there was after it."""

    entry: UUID
    kind: Kind
    minutes: int
    balance: int
    other: str
    happened_at: datetime
    recorded_at: datetime
    reference: str
    details: str


class HeldBooking(Struct, frozen=True, kw_only=True):
    """A visit that was booked, or put on hold at a till; how it stands is in `held`, or the pot's that paid."""

    id: UUID
    offer: UUID
    title: str
    venue: UUID
    venue_name: str
    group: UUID | None
    course: UUID | None
    visit_at: datetime
    walk_in: bool
    party: str
    made_at: datetime


# $1 is the person or, where the rows know only that, the holder; $2 the most rows.
PARTS: Final[Mapping[str, str]] = {
    "credentials": """
SELECT id, kind, status, booking, issued_at, expires_at, changed_at
FROM scheme.credential WHERE holder = $1 ORDER BY issued_at DESC, id LIMIT $2
""",
    "gifts_given": """
SELECT g.id, f.person AS giver, t.person AS receiver, g.minutes, g.words, g.offered_at, g.lapses_at
FROM scheme.gift g JOIN scheme.holder f ON f.id = g.giver JOIN scheme.holder t ON t.id = g.receiver
WHERE g.giver = $1 ORDER BY g.offered_at DESC, g.id LIMIT $2
""",
    "gifts_received": """
SELECT g.id, f.person AS giver, t.person AS receiver, g.minutes, g.words, g.offered_at, g.lapses_at
FROM scheme.gift g JOIN scheme.holder f ON f.id = g.giver JOIN scheme.holder t ON t.id = g.receiver
WHERE g.receiver = $1 ORDER BY g.offered_at DESC, g.id LIMIT $2
""",
    "pot_spends": """
SELECT id, "group", minutes, request, proposed_at, decided_at, declined, booking
FROM scheme.pot_spend WHERE proposed_by = $1 OR agreed_by = $1 ORDER BY proposed_at DESC, id LIMIT $2
""",
    "bookings": """
SELECT b.id, b.offer, o.title, b.venue, v.name AS venue_name, b.group, b.course, b.visit_at, b.walk_in, b.party,
    b.made_at
FROM scheme.booking b JOIN scheme.offer o ON o.id = b.offer JOIN scheme.venue v ON v.id = b.venue
WHERE b.holder = $1 ORDER BY b.visit_at DESC, b.id LIMIT $2
""",
}
