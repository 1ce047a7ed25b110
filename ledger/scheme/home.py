"""A volunteer's home: what they have, what ends, what is coming up, what waits for somebody, what moved last.

    who is it, and what have they? -> may the caller look? -> what is coming -> what waits -> the newest lines

For the person themselves and staff, all of it. A helper who may see the balance sees that, what ends and the newest
lines; what is coming if they may book, hours that wait if they may claim, gifts never: it is what each of them may do
something about. Another's look is an act.

**Coming up** is what is on hold for a visit of today or later, and sessions that they are expected at and that aren't
over, soonest first. A visit stays until midnight, for the till takes it when they are there. What was cancelled by
somebody else stays as long, and says so.

All of it by index in one transaction, seven queries, one more where credits end and one where somebody else looks; what
bounds it are `COMING_MAX`, `WAITING_MAX`, `NEWEST` and `groups.KEPT_MAX`. Somebody's own attendance and claims are
looked through, which in twenty years are some thousand rows: 3 ms.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.awards import without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.expiry import Ending, endings_of
from ledger.scheme.groups import KeptPot, kept_by
from ledger.scheme.helping import May, may_act
from ledger.scheme.lines import Line, lines_of, projects_of
from ledger.scheme.people import first_name
from ledger.scheme.refusals import Declined, Refusal

# What fits a phone's screen and a little more; the rest has pages of its own.
COMING_MAX: Final = 10
WAITING_MAX: Final = 10
NEWEST: Final = 3


class Event(StrEnum):
    """What is coming up."""

    VISIT = "visit"
    SESSION = "session"


class Coming(Struct, frozen=True, kw_only=True):
    """Something that is coming up: a visit that is on hold, or a session that they are expected at."""

    kind: Event
    id: UUID
    """The booking's, or the session's."""
    title: str | None
    """The offer's, or the opportunity's; a session may have none."""
    where: str
    """The venue's name, or the project's alias."""
    place: str | None
    """The venue's site, or where the opportunity is."""
    starts_at: datetime
    ends_at: datetime | None
    """A visit that isn't a show's or a course's has none."""
    minutes: int
    """On hold for it; of a session 0."""
    from_pot: bool
    """Whether a group's pot pays."""
    project_id: UUID | None
    """For who records that it was told."""
    cancelled: bool = False
    """By the project or the venue; it stands there until its day is over, for whoever has not heard."""


class Wait(StrEnum):
    """For what hours wait."""

    DRAFT = "draft"
    """For the person, to send them."""
    SUBMITTED = "submitted"
    """For the project."""
    QUERIED = "queried"
    """For the person, to answer."""
    CONSENT = "consent"
    """Approved, and for a guardian."""


class WaitingClaim(Struct, frozen=True, kw_only=True):
    """Hours that aren't credits yet."""

    id: UUID
    wait: Wait
    project: str
    """Its alias."""
    project_id: UUID
    day: date
    minutes: int
    query: str | None
    """What was asked of them last, where they are queried."""


class WaitingGift(Struct, frozen=True, kw_only=True):
    """A gift that is offered to them."""

    id: UUID
    minutes: int
    giver: str | None
    """The first name; None is "somebody"."""
    words: str | None
    lapses_at: datetime


class Home(Struct, frozen=True, kw_only=True):
    """What a volunteer sees first; all minutes."""

    person: UUID
    holder: UUID
    name: str
    paused_at: datetime | None
    """Taking a break since then."""
    large_print: bool
    available: int
    held: int
    ends: Sequence[Ending]
    """What ends when, soonest first; nothing where credits don't end."""
    coming: Sequence[Coming]
    claims: Sequence[WaitingClaim]
    gifts: Sequence[WaitingGift]
    newest: Sequence[Line]
    pots: Sequence[KeptPot]
    """Groups whose keyholder they are; to themselves only."""
    may: Sequence[May]
    """What the caller may do here, which is why something isn't told: all of it for the person and staff."""


class Homes:
    """Reading somebody's home."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller, person: UUID) -> Home:
        """What there is for that person now, as far as the caller may see it, or ``not_found``."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            who = await raw.fetchrow(_WHO, person)
            if who is None or not await may_act(raw, caller, who["holder"], May.BALANCE):
                raise Declined(Refusal.NOT_FOUND)
            holder = who["holder"]
            may = [each for each in May if await may_act(raw, caller, holder, each)]
            coming = await _coming(raw, holder, now) if May.BOOK in may else ()
            claims, gifts = await _waiting(raw, caller, holder, now, claims=May.CLAIM in may)
            newest = await lines_of(raw, caller, holder, now, before=None, limit=NEWEST)
            told = {each.project_id for each in coming if each.project_id} | {each.project_id for each in claims}
            await acts.looked(raw, caller, holder, "home_read", None, now, projects=told | projects_of(newest))
            return Home(
                person=person,
                holder=holder,
                name=who["name"],
                paused_at=who["paused_at"],
                large_print=who["large_print"],
                available=who["available"],
                held=who["held"],
                ends=await endings_of(raw, holder),
                coming=coming,
                claims=claims,
                gifts=gifts,
                newest=newest,
                pots=await kept_by(raw, holder) if is_own(caller, holder) else (),
                may=may,
            )


async def _coming(raw: asyncpg.Connection, holder: UUID, now: datetime) -> Sequence[Coming]:
    today = datetime.combine(day_of(now), time(), LONDON)
    rows = await raw.fetch(_COMING, holder, today, now, COMING_MAX)
    return [Coming(**{**row, "kind": Event(row["kind"])}) for row in rows]


async def _waiting(
    raw: asyncpg.Connection, caller: Caller, holder: UUID, now: datetime, *, claims: bool
) -> tuple[Sequence[WaitingClaim], Sequence[WaitingGift]]:
    own = is_own(caller, holder)
    gifts = own or caller.scope is Scope.SCHEME
    rows = await raw.fetch(_WAITING, holder, now, WAITING_MAX) if claims or gifts else []
    # As in `gifts`: whose it is and what they say isn't shown to a child before a guardian has agreed.
    offered = [row for row in rows if row["wait"] is None and gifts]
    hidden = own and bool(offered) and bool(await without_consent(raw, [holder], now))
    return (
        [
            WaitingClaim(
                id=row["id"],
                wait=Wait(row["wait"]),
                project=row["name"],
                project_id=row["project"],
                day=row["day"],
                minutes=row["minutes"],
                query=row["words"],
            )
            for row in rows
            if row["wait"] is not None and claims
        ],
        [
            WaitingGift(
                id=row["id"],
                minutes=row["minutes"],
                giver=None if hidden or row["name"] is None else first_name(row["name"]),
                words=None if hidden else row["words"],
                lapses_at=row["at"],
            )
            for row in offered
        ],
    )


_WHO = """
SELECT h.id AS holder, p.name, (SELECT paused_at FROM scheme.preference WHERE person = p.id),
    coalesce((SELECT large_print FROM scheme.preference WHERE person = p.id), false) AS large_print,
    coalesce((
        SELECT balance FROM journal.balance WHERE name = 'wallet:' || encode(uuid_send(h.id), 'hex')
    ), 0) AS available,
    coalesce((
        SELECT balance FROM journal.balance WHERE name = 'held:' || encode(uuid_send(h.id), 'hex')
    ), 0) AS held
FROM scheme.holder h JOIN scheme.person p ON p.id = h.person
WHERE p.id = $1
"""
# The credits are the first transfer of a hold (see `spending`). What was voided to book another instead, which is the
# next entry, isn't cancelled.
_COMING = """
SELECT * FROM ((
    SELECT 'visit' AS kind, b.id, o.title, v.name AS "where", s.name AS place, b.visit_at AS starts_at,
        n.ends_at, held.minutes, b."group" IS NOT NULL AS from_pot, NULL::uuid AS project_id,
        done.id IS NOT NULL AS cancelled
    FROM scheme.booking b
    JOIN scheme.offer o ON o.id = b.offer
    JOIN scheme.venue v ON v.id = b.venue
    LEFT JOIN scheme.site s ON s.id = b.site
    LEFT JOIN scheme.occasion n ON n.id = b.occasion
    JOIN journal.entry hold ON hold.id = b.id
    JOIN journal.transfer held ON held.position = hold.position AND held.line = 0
    LEFT JOIN journal.entry done ON done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
    WHERE b.holder = $1 AND b.visit_at >= $2 AND NOT b.walk_in
        AND (
            done.id IS NULL
            OR done.kind = 'void' AND done.actor <> b.holder AND NOT EXISTS (
                SELECT FROM journal.entry next JOIN scheme.booking n ON n.id = next.id
                WHERE next.position = done.position + 1 AND n.holder = b.holder
            )
        )
    ORDER BY b.visit_at, b.id LIMIT $4
)
UNION ALL
(
    SELECT 'session', s.id, o.title, p.alias, o.place, s.started_at, s.ended_at, 0, false, p.id,
        s.cancelled_at IS NOT NULL
    FROM scheme.attendance a
    JOIN scheme.session s ON s.id = a.session
    JOIN scheme.project p ON p.id = s.project
    LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
    WHERE a.holder = $1 AND a.state IN ('expected', 'checked_in')
        AND CASE WHEN s.cancelled_at IS NULL THEN s.ended_at > $3 ELSE s.started_at >= $2 END
    ORDER BY s.started_at, s.id LIMIT $4
)) coming
ORDER BY starts_at, id LIMIT $4
"""
# Approved hours wait only for a consent, which nobody but a child needs.
_WAITING = """
SELECT id, wait, project, name, at, day, minutes, words FROM ((
    SELECT c.id, p.id AS project, CASE c.state WHEN 'approved' THEN 'consent' ELSE c.state END AS wait, p.alias AS name,
        c.started_at AS at, c.day, c.minutes, CASE WHEN c.state = 'queried' THEN (
            SELECT body FROM scheme.remark WHERE claim = c.id AND kind = 'query' ORDER BY at DESC LIMIT 1
        ) END AS words
    FROM scheme.claim c JOIN scheme.project p ON p.id = c.project
    WHERE c.holder = $1 AND (
        c.state IN ('draft', 'submitted', 'queried')
        OR c.state = 'approved'
            AND (
                SELECT age_band IN ('under_8', '8_to_15')
                FROM scheme.person WHERE id = (SELECT person FROM scheme.holder WHERE id = $1)
            )
            AND NOT EXISTS (SELECT FROM journal.entry WHERE id = c.id)
    )
    ORDER BY c.started_at DESC, c.id LIMIT $3
)
UNION ALL
(
    SELECT g.id, NULL, NULL, giver.name, g.lapses_at, NULL, g.minutes, g.words
    FROM scheme.gift g
    JOIN journal.entry hold ON hold.id = g.id
    JOIN scheme.holder h ON h.id = g.giver
    LEFT JOIN scheme.person giver ON giver.id = h.person
    WHERE g.receiver = $1 AND g.lapses_at > $2 AND NOT EXISTS (
        SELECT FROM journal.entry done WHERE done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
    )
    ORDER BY g.lapses_at, g.id LIMIT $3
)) waiting
ORDER BY CASE WHEN wait IS NULL THEN at END, at DESC, id
"""
