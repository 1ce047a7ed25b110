"""The desk: what staff need before their eyes when somebody stands in front of them, and what waits for them.

`of` is one look at a person: what they have, their cards and passes, who helps them, how they sign in. Neither how they
may be reached nor what they are eligible for is in it: each look at those leaves an act of its own behind, and is asked
for by itself (``people``, ``eligibility``).

Hours that wait for a second approver are shown with names, over all projects; where a project is sensitive, that they
were looked at is recorded.

To anybody but the scheme's staff none of it is there. What bounds it: ``CREDENTIALS``, ``ACTS`` and ``WAITING_MAX``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts, sign_ins
from ledger.scheme.acts import Act
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.credentials import Credential
from ledger.scheme.credentials import listed as credentials_of
from ledger.scheme.helping import May
from ledger.scheme.people import AgeBand, holder_of
from ledger.scheme.recoveries import LASTS
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import Held
from ledger.scheme.roles import held as roles_of

# The card and the pass in use, and those before them that somebody may hold in their hand.
CREDENTIALS: Final = 8
# What was done lately; all of it is a page of its own.
ACTS: Final = 5
# A page; whoever has more of them waiting asks their projects first.
WAITING_MAX: Final = 100


class Helping(Struct, frozen=True, kw_only=True):
    """Somebody who helps, or is helped: the link, who they are, and in what."""

    id: UUID
    person: UUID
    name: str
    may: Sequence[May]


class Guardianship(Struct, frozen=True, kw_only=True):
    """Somebody's guardian, or the child: who they are, and until when a consent holds, if one does."""

    person: UUID
    name: str
    consent: UUID | None
    ends_at: datetime | None


class AtDesk(Struct, frozen=True, kw_only=True):
    """A person as the desk sees them: minutes that they have, what they carry, who is around them."""

    id: UUID
    holder: UUID
    name: str
    age_band: AgeBand | None
    created_at: datetime
    available: int
    held: int
    large_print: bool
    paused: bool
    has_contact: bool
    credentials: Sequence[Credential]
    roles: Sequence[Held]
    helpers: Sequence[Helping]
    helps: Sequence[Helping]
    guardians: Sequence[Guardianship]
    children: Sequence[Guardianship]
    passkeys: int
    was_sure: bool
    """Whether they ever had one, or their organisation vouched for them: then a new one takes two of the staff."""
    sign_ins: int
    recovery: bool
    """Whether one waits for another of the staff."""
    acts: Sequence[Act]
    names: Mapping[UUID, str]
    """Of who acted, by their person."""


class SecondApproval(Struct, frozen=True, kw_only=True):
    """Hours that one person approved, and that another has to: ``minutes`` as they are to be awarded."""

    id: UUID
    project: UUID
    project_name: str
    person: UUID | None
    name: str
    started_at: datetime
    ended_at: datetime
    minutes: int
    approver: str | None
    """Who approved it, by name; None where nobody is known behind it any more."""
    approved_at: datetime
    needs_two: bool
    """Whether nobody has by name: it came with the approval of a key that nobody in particular is behind."""
    is_own: bool
    """Whether whoever asks can't be the second: they are the first, or the hours are theirs."""


class PausedOffer(Struct, frozen=True, kw_only=True):
    """An offer that is paused, and since when."""

    id: UUID
    title: str
    venue: UUID
    venue_name: str
    changed_at: datetime


class Desk:
    """Looking at people, and at what waits, for staff."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller, person: UUID) -> AtDesk:
        """The person, or ``not_found``. That they were looked at is written down once a day."""
        _check_staff(caller)
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_PERSON, person, now, now - LASTS)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            holder = row["holder"]
            wallet, on_hold = account("wallet", holder), account("held", holder)
            found = await reading.balances(raw, [wallet, on_hold])
            around = await raw.fetch(_HELPING, person)
            family = await raw.fetch(_GUARDIANS, person, now)
            latest = await acts.listed(raw, holder, before=None, limit=ACTS)
            await acts.looked_today(raw, caller, holder, "person_read", now)
            was_sure = await sign_ins.was_sure(raw, holder)
            return AtDesk(
                **{**row, "age_band": None if row["age_band"] is None else AgeBand(row["age_band"])},
                was_sure=was_sure,
                available=found[wallet],
                held=found[on_hold],
                credentials=await credentials_of(raw, holder, now, before=None, limit=CREDENTIALS),
                roles=await roles_of(raw, holder),
                helpers=[_helping(each) for each in around if each["helped"] == person],
                helps=[_helping(each) for each in around if each["helped"] != person],
                guardians=[_guardianship(each) for each in family if each["child"] == person],
                children=[_guardianship(each) for each in family if each["child"] != person],
                acts=latest,
                names=await _names(raw, {act.person for act in latest if act.person is not None}),
            )

    async def sign_out(self, caller: Caller, person: UUID) -> int:
        """Sign them out everywhere, for a phone that was lost; and return in how many browsers they had been."""
        _check_staff(caller)
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            ended = await sign_ins.end_all(raw, holder, now)
            await acts.record(raw, caller, holder, "signed_out_everywhere", None, now)
            return ended

    async def names(self, caller: Caller, persons: Collection[UUID]) -> Mapping[UUID, str]:
        """The names of those people, as far as they are known."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            return await _names(driver(connection), persons)

    async def with_cards(self, caller: Caller, persons: Collection[UUID]) -> Collection[UUID]:
        """Those of these people who have a card."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            return {row["person"] for row in await driver(connection).fetch(_WITH_CARDS, list(persons))}

    async def names_of_holders(self, caller: Caller, holders: Collection[UUID]) -> Mapping[UUID, str]:
        """The names of those holders likewise."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_NAMES_OF_HOLDERS, list(holders))
        return {row["id"]: row["name"] for row in rows}

    async def second_approvals(self, caller: Caller) -> Sequence[SecondApproval]:
        """What waits for a second approver anywhere, the oldest first."""
        _check_staff(caller)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            rows = await raw.fetch(_SECONDS, WAITING_MAX, caller.identity)
            await acts.read_names_at(raw, caller, {row["project"] for row in rows}, self._clock())
        return [SecondApproval(**row) for row in rows]

    async def paused_offers(self, caller: Caller) -> Sequence[PausedOffer]:
        """Offers that are paused, those that have been for longest first."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_PAUSED, WAITING_MAX)
        return [PausedOffer(**row) for row in rows]


def _check_staff(caller: Caller) -> None:
    if caller.scope is not Scope.SCHEME:
        raise Declined(Refusal.NOT_FOUND)


async def _names(raw: asyncpg.Connection, persons: Collection[UUID]) -> Mapping[UUID, str]:
    if not persons:
        return {}
    return {row["id"]: row["name"] for row in await raw.fetch(_NAMES, list(persons))}


def _helping(row: asyncpg.Record) -> Helping:
    return Helping(id=row["id"], person=row["person"], name=row["name"], may=[May(may) for may in row["may"]])


def _guardianship(row: asyncpg.Record) -> Guardianship:
    return Guardianship(person=row["person"], name=row["name"], consent=row["consent"], ends_at=row["ends_at"])


_PERSON = """
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at, coalesce(f.large_print, false) AS large_print,
    f.paused_at IS NOT NULL AS paused, EXISTS (SELECT FROM scheme.contact WHERE person = p.id) AS has_contact,
    (SELECT count(*) FROM scheme.passkey WHERE holder = h.id AND ended_at IS NULL) AS passkeys,
    (SELECT count(*) FROM scheme.sign_in WHERE holder = h.id AND ended_at IS NULL AND ends_at > $2) AS sign_ins,
    EXISTS (
        SELECT FROM scheme.recovery WHERE holder = h.id AND agreed_at IS NULL AND ended_at IS NULL AND asked_at > $3
    ) AS recovery
FROM scheme.person p
JOIN scheme.holder h ON h.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE p.id = $1
"""
_NAMES = "SELECT id, name FROM scheme.person WHERE id = ANY($1::uuid[])"
_WITH_CARDS = """
SELECT h.person
FROM scheme.holder h
JOIN scheme.credential k ON k.holder = h.id AND k.kind = 'card' AND k.status IN ('active', 'blocked')
WHERE h.person = ANY($1::uuid[])
"""
_NAMES_OF_HOLDERS = """
SELECT h.id, p.name FROM scheme.holder h JOIN scheme.person p ON p.id = h.person WHERE h.id = ANY($1::uuid[])
"""
_HELPING = """
SELECT l.id, l.helped, p.id AS person, p.name, l.may
FROM scheme.helping l JOIN scheme.person p ON p.id = CASE WHEN l.helped = $1 THEN l.helper ELSE l.helped END
WHERE (l.helped = $1 OR l.helper = $1) AND l.ended_at IS NULL
ORDER BY l.began_at, l.id
"""
_GUARDIANS = """
SELECT g.child, p.id AS person, p.name, c.id AS consent, c.ends_at
FROM scheme.guardian g
JOIN scheme.person p ON p.id = CASE WHEN g.child = $1 THEN g.guardian ELSE g.child END
LEFT JOIN LATERAL (
    SELECT id, ends_at FROM scheme.consent
    WHERE child = g.child AND guardian = g.guardian AND withdrawn_at IS NULL AND ends_at > $2
    ORDER BY given_at DESC LIMIT 1
) c ON true
WHERE (g.child = $1 OR g.guardian = $1) AND g.ended_at IS NULL
ORDER BY g.began_at, p.id
"""
# Project by project, each by its index of what waits.
_SECONDS = """
SELECT c.id, p.id AS project, p.name AS project_name, who.id AS person, coalesce(who.name, v.label, '') AS name,
    c.started_at, c.ended_at, c.minutes, first.name AS approver, c.approved_at, f.id IS NULL AS needs_two,
    c.approver = $2 OR coalesce(c.holder = $2, false) AS is_own
FROM scheme.project p
CROSS JOIN LATERAL (
    SELECT id, holder, started_at, ended_at, minutes, approver, approved_at, created_at FROM scheme.claim
    WHERE project = p.id AND state IN ('submitted', 'queried') AND state = 'submitted'
        AND second_needed AND approver IS NOT NULL AND second_approver IS NULL
    LIMIT $1
) c
LEFT JOIN scheme.holder h ON h.id = c.holder
LEFT JOIN scheme.person who ON who.id = h.person
LEFT JOIN scheme.voucher v ON v.claim = c.id
LEFT JOIN scheme.holder f ON f.id = c.approver
LEFT JOIN scheme.person first ON first.id = f.person
ORDER BY c.created_at, c.id LIMIT $1
"""
_PAUSED = """
SELECT o.id, o.title, o.venue, v.name AS venue_name, o.changed_at
FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
WHERE o.status = 'paused' ORDER BY o.changed_at, o.id LIMIT $1
"""
