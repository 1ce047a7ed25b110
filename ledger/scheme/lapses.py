"""Holds whose time runs out: gifts that nobody accepted, bookings that nobody came for, holds at a till.

    put: the hold's entry and when it ends      lapse_due: what is due -> still open? -> post its lapse -> tell -> gone

Whoever posts a hold that must end puts it here, in the same transaction. When its time has come, all of it goes back to
where it came from, limits and places too, and whom that concerns is told. A hold that was resolved before isn't looked
for until then: it is found to be so, and goes without a word.

The lapse's id follows from the hold's, and it happened when the hold's time ran out: so however often it is posted, it
is one entry. No holder is locked: whoever erases somebody reads their open holds under the journal's lock, so it finds
each hold open or its credits in the wallet.

What bounds it: the queue holds one row for each hold until its end; `LAPSES_MAX` a round.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from ledger.journal.entries import Entry, Kind, Posted, entry_id
from ledger.journal.posting import post
from ledger.scheme import outbox
from ledger.scheme.callers import SCHEME
from ledger.scheme.chart import CHART
from ledger.scheme.outbox import Event, Topic

# Posted within some 20 ms, for which everybody else who posts has to wait.
LAPSES_MAX: Final = 200
_REFERENCE: Final = "lapse"


async def put(raw: asyncpg.Connection, entry: UUID, at: datetime) -> None:
    """Let that hold lapse at that moment, unless it is resolved before; in the transaction that posts it."""
    await raw.execute("INSERT INTO scheme.lapse (entry, at) VALUES ($1, $2)", entry, at)


async def lapse_due(raw: asyncpg.Connection, now: datetime) -> int:
    """Lapse the holds whose time has run out, `LAPSES_MAX` at most, and return how many were dealt with."""
    due = {row["entry"]: row["at"] for row in await raw.fetch(_DUE, now, LAPSES_MAX)}
    if due:
        await raw.execute("DELETE FROM scheme.lapse WHERE entry = ANY($1::uuid[])", list(due))
        resolved = {row["id"] for row in await raw.fetch(_RESOLVED, list(due))}
        visitors = {row["id"]: row["holder"] for row in await raw.fetch(_VISITORS, list(due))}
        lapsed = await _lapse(raw, {hold: at for hold, at in due.items() if hold not in resolved}, now)
        await outbox.put(raw, [_told(hold, posted, visitors.get(hold)) for hold, posted in lapsed], now)
    return len(due)


async def _lapse(raw: asyncpg.Connection, ended: dict[UUID, datetime], now: datetime) -> Sequence[tuple[UUID, Posted]]:
    """Each hold with its lapse, but for those that were resolved a moment ago, or lapsed before."""
    entries = [
        Entry(
            id=lapse_id(hold),
            kind=Kind.LAPSE,
            target=hold,
            happened_at=at,
            actor=SCHEME,
            reference=_REFERENCE,
        )
        for hold, at in ended.items()
    ]
    outcomes = await post(raw, CHART, entries, now) if entries else []
    return [
        (hold, outcome)
        for hold, outcome in zip(ended, outcomes, strict=True)
        if isinstance(outcome, Posted) and not outcome.replayed
    ]


def lapse_id(hold: UUID) -> UUID:
    """The id of that hold's lapse. No client's key holds a space."""
    return entry_id(SCHEME, f"lapse {hold}")


def _told(hold: UUID, lapse: Posted, visitor: UUID | None) -> Event:
    """What is told of a lapse: by what the hold was, to whom its credits went back, or for whom a pot had paid."""
    for moved in lapse.transfers:
        kind, _, owner = moved.credit.partition(":")
        if kind == "wallet":
            topic = Topic.GIFT_LAPSED if moved.debit == "transit" else Topic.HOLD_LAPSED
            return Event(topic=topic, holder=UUID(owner), object=hold, body={"minutes": moved.minutes})
        if kind == "pot":
            return Event(topic=Topic.HOLD_LAPSED, holder=visitor, object=hold, body={"minutes": moved.minutes})
    raise RuntimeError(f"a hold of no credits lapsed: {hold}")


_DUE = "SELECT entry, at FROM scheme.lapse WHERE at <= $1 ORDER BY at, entry LIMIT $2"
_VISITORS = """
SELECT id, holder FROM scheme.booking WHERE id = ANY($1::uuid[]) AND "group" IS NOT NULL
"""
_RESOLVED = """
SELECT hold.id FROM journal.entry hold
WHERE hold.id = ANY($1::uuid[]) AND EXISTS (
    SELECT FROM journal.entry done WHERE done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
)
"""
