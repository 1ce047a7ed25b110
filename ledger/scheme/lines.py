"""The lines of a statement with what a person would ask of each: why, where, with whom. Facts only; pages find words.

    the wallet's newest lines (``journal.reading``) -> what stands behind each, in one query -> why, by one table

Why a line stands there follows from its entry's kind, the account on its other side and which way it went (`_WHY`), so
an entry of a new kind is `Why.OTHER` until it stands in that table; a test makes one of each. What was put on hold is
told as it stands now: once the venue has taken it, it was spent.

A project is told by its alias alone. Another person is told by their first name, and only to the two themselves and
staff, as gifts are: the receiver's once they accepted, the giver's not to a child without a guardian's consent. Who was
erased has none.

All by index: a page of `reading.PAGE_MAX` lines is two queries, each of some rows a line, below 10 ms.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Kind
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.awards import without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.helping import May, may_act
from ledger.scheme.notes import SOURCE as NOTES
from ledger.scheme.people import first_name, holder_of
from ledger.scheme.refusals import Declined, Refusal


class Why(StrEnum):
    """Why credits came or went. In brackets, what of `Line` tells more."""

    HOURS = "hours"
    """Hours given, and approved. [project]"""
    SLIP = "slip"
    """The same, by the code of a printed slip. [project]"""
    CORRECTION = "correction"
    """Hours were put right: more, or less. [project]"""
    SPENT = "spent"
    """A visit, at once or from what was on hold; some of it may have come back since, by lines of its own.
    [venue, offer; visit_at if it was on hold]"""
    ON_HOLD = "on_hold"
    """Put aside for a visit; no longer `is_open` once it came back. [venue, offer, visit_at, is_open]"""
    CANCELLED = "cancelled"
    """Back from hold: the visit was cancelled. [venue, offer, visit_at]"""
    CHANGED = "changed"
    """Back from hold: another booking took its place. [venue, offer, visit_at]"""
    LAPSED = "lapsed"
    """Back from hold: its time ran out. [venue, offer, visit_at]"""
    REST = "rest"
    """Back from hold: the visit came to less. [venue, offer, visit_at]"""
    REFUND = "refund"
    """Given back by the venue. [venue, offer]"""
    GIFT_OFFERED = "gift_offered"
    """A gift of theirs; not `is_open` once it came back. [is_open]"""
    GIFT_GIVEN = "gift_given"
    """A gift of theirs that was accepted. [other]"""
    GIFT_DECLINED = "gift_declined"
    GIFT_TAKEN_BACK = "gift_taken_back"
    GIFT_LAPSED = "gift_lapsed"
    """These three: a gift of theirs came back."""
    GIFT_RECEIVED = "gift_received"
    """A gift to them. [other]"""
    TO_POT = "to_pot"
    """A gift of theirs to a group's pot, or the community's. [group]"""
    FROM_COMMUNITY = "from_community"
    """Passed on to them from the community's pot."""
    VOUCHER = "voucher"
    """A voucher that was printed for anybody."""
    NOTE = "note"
    """Paper notes of the scheme before."""
    OPENING = "opening"
    """A balance that was taken over."""
    EXPIRED = "expired"
    REINSTATED = "reinstated"
    """What had expired came back."""
    GOODWILL = "goodwill"
    """From, or to, what the scheme bears."""
    CLOSED = "closed"
    """The person was erased: nobody reads this any more."""
    OTHER = "other"


class Line(Struct, frozen=True, kw_only=True):
    """A line; `minutes` is signed, `balance` is what was available after it. What doesn't apply is None."""

    entry: UUID
    sequence: int
    why: Why
    minutes: int
    balance: int
    happened_at: datetime
    recorded_at: datetime
    about: UUID | None
    """The claim, redemption or gift that it is about."""
    project: str | None
    """Its alias."""
    project_id: UUID | None
    """For who records that it was told."""
    venue: str | None
    offer: str | None
    visit_at: datetime | None
    group: str | None
    """Whose pot; of `Why.TO_POT` without one, the community's."""
    other: str | None
    """The other's first name; None is "somebody"."""
    is_open: bool
    """Whether it is still on hold, or still offered."""


class Statements:
    """Reading statements, line by line with its facts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller, person: UUID, *, before: int | None, limit: int) -> Sequence[Line]:
        """The wallet's newest lines, newest first; ``before`` is the sequence number of the last one seen.

        For the person, the scheme, and a helper who may see the balance; the others' look is recorded.
        """
        now = self._clock()
        async with self._database.plain() as raw:
            holder = await holder_of(raw, person)
            if is_own(caller, holder):
                # Nothing is recorded, and a line that stands stays: these reads need not be of one moment.
                return await lines_of(raw, caller, holder, now, before=before, limit=limit)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if not await may_act(raw, caller, holder, May.BALANCE):
                raise Declined(Refusal.NOT_FOUND)
            lines = await lines_of(raw, caller, holder, now, before=before, limit=limit)
            await acts.looked(raw, caller, holder, "statement_read", None, now, projects=projects_of(lines))
            return lines


async def lines_of(
    raw: asyncpg.Connection, caller: Caller, holder: UUID, now: datetime, *, before: int | None, limit: int
) -> Sequence[Line]:
    """The same for a caller who may look, which the asker has made sure of."""
    lines = await reading.statement(raw, account("wallet", holder), before=before, limit=limit)
    if not lines:
        return []
    sides, groups = [_side(line.other) for line in lines], [_group(line.other) for line in lines]
    rows = await raw.fetch(_FACTS, [line.position for line in lines], sides, groups)
    facts = {row["position"]: row for row in rows}
    shown = [_line(line, facts[line.position]) for line in lines]
    own = is_own(caller, holder)
    if not own and caller.scope is not Scope.SCHEME:
        return [_unnamed(line) for line in shown]
    hides = own and any(row["to_a_child"] for row in rows) and await without_consent(raw, [holder], now)
    return [_unnamed(line) if hides and line.why is Why.GIFT_RECEIVED else line for line in shown]


def projects_of(lines: Sequence[Line]) -> set[UUID]:
    """The projects that are told."""
    return {line.project_id for line in lines if line.project_id is not None}


def _line(line: reading.Line, row: asyncpg.Record) -> Line:
    why = _why(line, row)
    name = row["receiver"] if why is Why.GIFT_GIVEN else row["giver"] if why is Why.GIFT_RECEIVED else None
    return Line(
        entry=line.entry,
        sequence=line.sequence,
        why=why,
        minutes=line.minutes,
        balance=line.balance,
        happened_at=line.happened_at,
        recorded_at=line.recorded_at,
        about=row["about"],
        project=row["project"],
        project_id=row["project_id"],
        venue=row["venue"],
        offer=row["offer"],
        visit_at=row["visit_at"],
        group=row["group"],
        other=None if name is None else first_name(name),
        is_open=line.kind is Kind.HOLD and row["outcome"] is None,
    )


def _why(line: reading.Line, row: asyncpg.Record) -> Why:
    why = _WHY.get((_side(line.other), line.kind, line.minutes > 0), Why.OTHER)
    is_taken = row["outcome"] == Kind.CAPTURE.value
    finer = {
        Why.HOURS: (Why.CORRECTION, not row["is_award"]),
        Why.VOUCHER: (Why.SLIP, row["project"] is not None),
        Why.OPENING: (Why.NOTE, line.other == NOTES),
        Why.ON_HOLD: (Why.SPENT, is_taken),
        Why.GIFT_OFFERED: (Why.GIFT_GIVEN, is_taken),
        Why.CANCELLED: (Why.CHANGED, line.reference == "changed"),
        Why.GIFT_DECLINED: (Why.GIFT_TAKEN_BACK, line.reference == "taken_back"),
        Why.TO_POT: (Why.CLOSED, line.reference == "erasure"),
    }
    exactly, applies = finer.get(why, (why, True))
    return exactly if applies else why


def _unnamed(line: Line) -> Line:
    return line if line.other is None else structs.replace(line, other=None)


def _side(other: str) -> str:
    """The kind of the account on the other side."""
    return other.partition(":")[0]


def _group(other: str) -> UUID | None:
    """Whose pot the account on the other side is, if it is a group's."""
    kind, _, owner = other.partition(":")
    return UUID(owner) if kind == "pot" and owner != "community" else None


_IN, _OUT = True, False
_WHY: Final[Mapping[tuple[str, Kind, bool], Why]] = {
    ("issued", Kind.PLAIN, _IN): Why.HOURS,
    ("issued", Kind.PLAIN, _OUT): Why.CORRECTION,
    ("paper", Kind.PLAIN, _IN): Why.VOUCHER,
    ("opening", Kind.PLAIN, _IN): Why.OPENING,
    ("goodwill", Kind.PLAIN, _IN): Why.GOODWILL,
    ("goodwill", Kind.PLAIN, _OUT): Why.GOODWILL,
    ("redeemed", Kind.PLAIN, _OUT): Why.SPENT,
    ("redeemed", Kind.REFUND, _IN): Why.REFUND,
    ("held", Kind.HOLD, _OUT): Why.ON_HOLD,
    ("held", Kind.CAPTURE, _IN): Why.REST,
    ("held", Kind.VOID, _IN): Why.CANCELLED,
    ("held", Kind.LAPSE, _IN): Why.LAPSED,
    ("transit", Kind.HOLD, _OUT): Why.GIFT_OFFERED,
    ("transit", Kind.CAPTURE, _IN): Why.GIFT_RECEIVED,
    ("transit", Kind.VOID, _IN): Why.GIFT_DECLINED,
    ("transit", Kind.LAPSE, _IN): Why.GIFT_LAPSED,
    ("pot", Kind.PLAIN, _OUT): Why.TO_POT,
    ("pot", Kind.PLAIN, _IN): Why.FROM_COMMUNITY,
    ("expired", Kind.PLAIN, _OUT): Why.EXPIRED,
    ("expired", Kind.REFUND, _IN): Why.REINSTATED,
    ("surrendered", Kind.PLAIN, _OUT): Why.CLOSED,
}
# What a line is about began with an entry: itself, what it resolves, or what was taken before it was refunded. That
# one's reference is the offer of a visit; an award's own id is its claim's, and a slip and a correction refer to it.
# What the account on the other side rules out has no key, and so isn't looked for: that was a third of the query.
_FACTS = """
SELECT l.position, own.id IS NOT NULL AS is_award, p.alias AS project, p.id AS project_id, v.name AS venue,
    o.title AS offer, b.visit_at, g.name AS "group", giver.name AS giver, receiver.name AS receiver,
    receiver.age_band IN ('under_8', '8_to_15') AS to_a_child,
    done.kind::text AS outcome,
    CASE WHEN c.id IS NOT NULL THEN c.id WHEN o.id IS NOT NULL OR gift.id IS NOT NULL THEN began.id END AS about
FROM unnest($1::bigint[], $2::text[], $3::uuid[]) l (position, side, "group")
JOIN journal.entry e ON e.position = l.position
LEFT JOIN journal.entry t ON t.position = e.target
LEFT JOIN journal.entry r ON r.position = t.target
CROSS JOIN LATERAL (
    SELECT coalesce(r.id, t.id, e.id) AS id, coalesce(r.reference, t.reference, e.reference) AS reference
) began
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN l.side = 'issued' THEN e.id END AS award,
        CASE WHEN l.side IN ('issued', 'paper', 'goodwill') AND began.reference ~ '^[0-9a-f]{32}$'
            THEN began.reference::uuid END AS claim,
        CASE WHEN l.side IN ('held', 'redeemed') AND began.reference ~ '^[0-9a-f]{32}$'
            THEN began.reference::uuid END AS offer,
        CASE WHEN l.side IN ('held', 'redeemed') THEN began.id END AS booking,
        CASE WHEN l.side = 'transit' THEN began.id END AS gift,
        CASE WHEN e.kind = 'hold' THEN e.position END AS hold
) key
LEFT JOIN journal.entry done ON done.target = key.hold AND done.kind IN ('capture', 'void', 'lapse')
LEFT JOIN scheme.claim own ON own.id = key.award
LEFT JOIN scheme.claim c ON c.id = coalesce(own.id, key.claim)
LEFT JOIN scheme.project p ON p.id = c.project
LEFT JOIN scheme.offer o ON o.id = key.offer
LEFT JOIN scheme.venue v ON v.id = o.venue
LEFT JOIN scheme.booking b ON b.id = key.booking
LEFT JOIN scheme.group g ON g.id = l."group"
LEFT JOIN scheme.gift gift ON gift.id = key.gift
LEFT JOIN scheme.holder gh ON gh.id = gift.giver
LEFT JOIN scheme.person giver ON giver.id = gh.person
LEFT JOIN scheme.holder rh ON rh.id = gift.receiver
LEFT JOIN scheme.person receiver ON receiver.id = rh.person
"""
