"""Guardians: who answers for somebody under 18, and the consent that lets that child's hours be spent (rule 26).

    lock child and guardian -> may they? -> the consent -> award whatever waited for it: one transaction

A child's hours are recorded and approved like anybody's, and wait until a consent holds (``awards``). A consent lasts
`consent_months` by the clock on the wall, and holds until it is withdrawn or past its end; one guardian's is enough.
Withdrawing takes nothing back: what was awarded stays, what is approved later waits again. From 16 hours wait for
nobody; until 18 a consent still counts for gifts (rule 20).

Whoever approves hours and whoever consents lock the child's holder first, so neither misses the other's: hours are
awarded by the one that comes second.

A guardian acts by their own key, and for that child alone; others' children aren't there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, outbox
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers
from ledger.scheme.awards import Due, award, lock_holders, without_consent
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import in_force

UNDER_18: Final = ("under_8", "8_to_15", "16_to_17")
# Parents, grandparents, a foster family or two, and their predecessors: a list that one answer can hold.
GUARDIANS_MAX: Final = 20
# A large family; or whoever answers for a home's children.
CHILDREN_SHOWN: Final = 50
# Marked and told within some 20 ms.
LAPSES_MAX: Final = 500


class ConsentState(StrEnum):
    """Whether a consent holds."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class Consent(Struct, frozen=True, kw_only=True):
    """What a guardian agreed to, and until when."""

    id: UUID
    child: UUID
    guardian: UUID
    state: ConsentState
    given_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None


class Guardian(Struct, frozen=True, kw_only=True):
    """Who answers for a child, and the newest consent they gave."""

    child: UUID
    guardian: UUID
    name: str
    began_at: datetime
    ended_at: datetime | None
    consent: Consent | None


class Child(Struct, frozen=True, kw_only=True):
    """Somebody for whom a guardian answers, and the newest consent that they gave."""

    child: UUID
    name: str
    consent: Consent | None


class Given(Struct, frozen=True, kw_only=True):
    """A consent as it was given; ``claims`` had waited for it, and their ``minutes`` are in the child's wallet."""

    id: UUID
    child: UUID
    guardian: UUID
    given_at: datetime
    ends_at: datetime
    claims: int
    minutes: int


class _Give(Struct, frozen=True, kw_only=True, tag="give_consent", tag_field="operation"):
    child: UUID
    guardian: UUID


class _Pair(Struct, frozen=True):
    """A child, somebody who is or may become their guardian, and the child's holder."""

    child: UUID
    guardian: UUID
    holder: UUID


class Guardians:
    """Guardians of children, and their consents."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def add(self, caller: Caller, child: UUID, guardian: UUID) -> Guardian:
        """Make them a guardian of that child; where they are one already, nothing changes."""
        now = self._clock()
        if child == guardian:
            raise Declined(Refusal.WRONG_VALUES, fields=(("guardian", "must be somebody else"),))
        async with self._database.transaction() as connection:
            raw = driver(connection)
            pair = await _lock_both(raw, caller, child, guardian)
            await _check_is_grown_up(raw, guardian)
            await _check_is_child(raw, child)
            if await raw.fetchval(_ADD, child, guardian, now):
                await acts.record(raw, caller, pair.holder, "guardian_added", guardian, now)
            listed = await raw.fetch(_LISTED, child, now, None)
            if len(listed) > GUARDIANS_MAX:
                raise Declined(Refusal.WRONG_STATE, f"They have {GUARDIANS_MAX} guardians already, former ones too.")
            return next(_guardian(row) for row in listed if row["guardian"] == guardian)

    async def end(self, caller: Caller, child: UUID, guardian: UUID) -> Guardian:
        """They answer for that child no more, and their consent is withdrawn; ending it again changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if not await raw.fetchval(_EVER_WAS, child, guardian):
                raise Declined(Refusal.NOT_FOUND)
            pair = await _lock_both(raw, caller, child, guardian)
            await _end(raw, caller, pair, now)
            listed = await raw.fetch(_LISTED, child, now, None)
            return next(_guardian(row) for row in listed if row["guardian"] == guardian)

    async def of(self, caller: Caller, child: UUID) -> Sequence[Guardian]:
        """A child's guardians, former ones too: to the scheme and the child all, to a guardian themselves alone."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", child)
            everybody = holder is not None and (caller.scope is Scope.SCHEME or is_own(caller, holder))
            rows = await raw.fetch(_LISTED, child, self._clock(), None if everybody else caller.holder)
        if not rows and not everybody:
            raise Declined(Refusal.NOT_FOUND)
        return [_guardian(row) for row in rows]

    async def children(self, caller: Caller) -> Sequence[Child]:
        """For whom the caller answers now, by name."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_CHILDREN, caller.holder, self._clock(), CHILDREN_SHOWN)
        return [
            Child(child=row["child"], name=row["name"], consent=None if row["id"] is None else _read_consent(row))
            for row in rows
        ]

    async def consent(self, caller: Caller, key: str, child: UUID, guardian: UUID) -> tuple[Given, bool]:
        """Record a guardian's consent and award what waited for it; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Given:
            return await _consent(raw, caller, child, guardian, now)

        return await self._answers.once(caller, key, _Give(child=child, guardian=guardian), work, Given)

    async def withdraw(self, caller: Caller, id_: UUID) -> Consent:
        """Withdraw a consent, and every other of the same guardian for the same child; again changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_CONSENT, id_, now)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            pair = await _lock_both(raw, caller, row["child"], row["guardian"])
            await _withdraw(raw, caller, pair, now)
            row = await raw.fetchrow(_CONSENT, id_, now)
            if row is None:  # the guardian was erased meanwhile, and this with them
                raise Declined(Refusal.NOT_FOUND)
            return _read_consent(row)


async def award_waiting(raw: asyncpg.Connection, caller: Caller, holder: UUID, now: datetime) -> Sequence[Due]:
    """Award the approved hours of a holder that nothing keeps waiting any more, and return them.

    For a consent that was given, or an age band that was changed, in the same transaction; the holder is locked. What
    a child gives is a few hours a week, so all of them go at once.
    """
    if holder in await without_consent(raw, [holder], now):
        return ()
    due = [Due(**row) for row in await raw.fetch(_WAITING, holder)]
    if due:
        await award(raw, caller, (await in_force(raw)).rules, due, now)
    return due


async def wards(raw: asyncpg.Connection, guardian: UUID) -> Sequence[UUID]:
    """Those for whom they answer now."""
    return [row["child"] for row in await raw.fetch(_WARDS, guardian)]


async def withdraw_all(
    raw: asyncpg.Connection, caller: Caller, guardian: UUID, children: Mapping[UUID, UUID], now: datetime
) -> None:
    """End that somebody is a guardian of these children, and withdraw their consents, before the guardian is erased.

    ``children`` are holders by person, and locked together with the guardian's.
    """
    for child, holder in children.items():
        await _end(raw, caller, _Pair(child, guardian, holder), now)


async def lapse(raw: asyncpg.Connection, now: datetime) -> int:
    """Mark consents that are past their end, `LAPSES_MAX` at most, and return how many.

    From its end a consent holds no more, marked or not. It is told unless another one holds, or the child is 16.
    """
    rows = await raw.fetch(_LAPSE, now, LAPSES_MAX)
    events = [
        Event(topic=Topic.CONSENT_LAPSED, holder=row["holder"], object=row["id"]) for row in rows if row["is_missed"]
    ]
    await outbox.put(raw, events, now)
    return len(rows)


async def _consent(raw: asyncpg.Connection, caller: Caller, child: UUID, guardian: UUID, now: datetime) -> Given:
    holder = (await _lock_both(raw, caller, child, guardian)).holder
    if not await raw.fetchval(_IS_GUARDIAN, child, guardian):
        if caller.scope is not Scope.SCHEME:
            raise Declined(Refusal.NOT_FOUND)
        raise Declined(Refusal.WRONG_VALUES, fields=(("guardian", "is no guardian of theirs"),))
    await _check_is_grown_up(raw, guardian)
    await _check_is_child(raw, child)
    id_ = uuid4()
    months = (await in_force(raw)).rules.consent_months
    ends_at = await raw.fetchval(_GIVE, id_, child, guardian, now, caller.identity, months)
    await acts.record(raw, caller, holder, "consent_given", id_, now)
    await outbox.put(raw, [Event(topic=Topic.CONSENT_GIVEN, holder=holder, object=id_)], now)
    awarded = await award_waiting(raw, caller, holder, now)
    return Given(
        id=id_,
        child=child,
        guardian=guardian,
        given_at=now,
        ends_at=ends_at,
        claims=len(awarded),
        minutes=sum(one.minutes for one in awarded),
    )


async def _end(raw: asyncpg.Connection, caller: Caller, of: _Pair, now: datetime) -> None:
    if await raw.fetchval(_END, of.child, of.guardian, now):
        await acts.record(raw, caller, of.holder, "guardian_ended", of.guardian, now)
        await _withdraw(raw, caller, of, now)


async def _withdraw(raw: asyncpg.Connection, caller: Caller, of: _Pair, now: datetime) -> None:
    """Withdraw all that they gave for that child: one that was renewed early must not be left behind."""
    for row in await raw.fetch(_WITHDRAW, of.child, of.guardian, now):
        await acts.record(raw, caller, of.holder, "consent_withdrawn", row["id"], now)
        await outbox.put(raw, [Event(topic=Topic.CONSENT_WITHDRAWN, holder=of.holder, object=row["id"])], now)


async def _lock_both(raw: asyncpg.Connection, caller: Caller, child: UUID, guardian: UUID) -> _Pair:
    """The two, with their holders locked; declines unless the caller is the scheme or that guardian."""
    rows = await raw.fetch("SELECT person, id FROM scheme.holder WHERE person = ANY($1::uuid[])", [child, guardian])
    holders = {row["person"]: row["id"] for row in rows}
    is_guardians = guardian in holders and is_own(caller, holders[guardian])
    if child not in holders or not (caller.scope is Scope.SCHEME or is_guardians):
        raise Declined(Refusal.NOT_FOUND)
    if guardian not in holders:
        raise Declined(Refusal.WRONG_VALUES, fields=(("guardian", "is nobody of this scheme"),))
    await lock_holders(raw, holders.values())
    return _Pair(child, guardian, holders[child])


async def _check_is_grown_up(raw: asyncpg.Connection, guardian: UUID) -> None:
    # How old they are may have been said since they became one.
    if await raw.fetchval(_IS_MINOR, guardian):
        raise Declined(Refusal.WRONG_VALUES, fields=(("guardian", "must be 18 or over"),))


async def _check_is_child(raw: asyncpg.Connection, child: UUID) -> None:
    if await raw.fetchval("SELECT age_band FROM scheme.person WHERE id = $1", child) not in UNDER_18:
        said = f"must be of the age band {' or '.join(UNDER_18)}: nobody else needs a guardian's consent"
        raise Declined(Refusal.WRONG_VALUES, fields=(("child", said),))


def _guardian(row: asyncpg.Record) -> Guardian:
    return Guardian(
        child=row["child"],
        guardian=row["guardian"],
        name=row["name"],
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        consent=None if row["id"] is None else _read_consent(row),
    )


def _read_consent(row: asyncpg.Record) -> Consent:
    return Consent(
        id=row["id"],
        child=row["child"],
        guardian=row["guardian"],
        state=ConsentState(row["state"]),
        given_at=row["given_at"],
        ends_at=row["ends_at"],
        withdrawn_at=row["withdrawn_at"],
    )


_IS_MINOR = "SELECT coalesce(age_band <> '18_and_over', false) FROM scheme.person WHERE id = $1"
_IS_GUARDIAN = """
SELECT EXISTS (SELECT FROM scheme.guardian WHERE child = $1 AND guardian = $2 AND ended_at IS NULL)
"""
_WARDS = "SELECT child FROM scheme.guardian WHERE guardian = $1 AND ended_at IS NULL"
_EVER_WAS = "SELECT EXISTS (SELECT FROM scheme.guardian WHERE child = $1 AND guardian = $2)"
_ADD = """
INSERT INTO scheme.guardian (child, guardian, began_at) VALUES ($1, $2, $3)
ON CONFLICT (child, guardian) DO UPDATE SET ended_at = NULL WHERE scheme.guardian.ended_at IS NOT NULL
RETURNING true
"""
_END = """
UPDATE scheme.guardian SET ended_at = $3 WHERE child = $1 AND guardian = $2 AND ended_at IS NULL RETURNING true
"""
# A consent, as it stands at $2.
_CONSENTS = """
SELECT id, child, guardian, given_at, ends_at, withdrawn_at,
    CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN ends_at <= $2 THEN 'lapsed' ELSE 'given' END AS state
FROM scheme.consent
"""
_CONSENT = _CONSENTS + "WHERE id = $1"
_WITH_NEWEST = f"""
LEFT JOIN LATERAL (
    {_CONSENTS} WHERE child = g.child AND guardian = g.guardian ORDER BY given_at DESC, id LIMIT 1
) c ON true
"""
# All of a child's guardians, or one of them by their holder.
_LISTED = f"""
SELECT g.child, g.guardian, p.name, g.began_at, g.ended_at, c.id, c.given_at, c.ends_at, c.withdrawn_at, c.state
FROM scheme.guardian g
JOIN scheme.person p ON p.id = g.guardian
JOIN scheme.holder h ON h.person = g.guardian
{_WITH_NEWEST}
WHERE g.child = $1 AND ($3::uuid IS NULL OR h.id = $3)
ORDER BY g.began_at, g.guardian
"""  # noqa: S608  # of the constant above
_CHILDREN = f"""
SELECT g.child, g.guardian, p.name, c.id, c.given_at, c.ends_at, c.withdrawn_at, c.state
FROM scheme.guardian g
JOIN scheme.person p ON p.id = g.child
{_WITH_NEWEST}
WHERE g.guardian = (SELECT person FROM scheme.holder WHERE id = $1) AND g.ended_at IS NULL
ORDER BY lower(p.name), p.id LIMIT $3
"""  # noqa: S608  # of the constant above
# Months are those of the clock on the wall in London, in summer too.
_GIVE = """
INSERT INTO scheme.consent (id, child, guardian, given_at, given_by, ends_at)
VALUES ($1, $2, $3, $4, $5,
    (($4 AT TIME ZONE 'Europe/London') + make_interval(months => $6)) AT TIME ZONE 'Europe/London')
RETURNING ends_at
"""
_WITHDRAW = """
UPDATE scheme.consent SET withdrawn_at = $3
WHERE child = $1 AND guardian = $2 AND withdrawn_at IS NULL AND lapsed_at IS NULL AND ends_at > $3
RETURNING id
"""
# What is approved and has no entry; as it was last corrected, and not at all if it was taken back whole.
_WAITING = """
SELECT c.id AS claim, c.project, c.session, c.holder, c.minutes, c.ended_at
FROM scheme.counted c
WHERE c.holder = $1 AND c.state = 'approved' AND NOT EXISTS (SELECT FROM journal.entry WHERE id = c.id)
ORDER BY c.ended_at, c.id
"""
# By arrays, of whose length nothing is known: of what a limit may let through, the planner would think too much.
_LAPSE = """
WITH due AS (
    SELECT id FROM scheme.consent
    WHERE ends_at <= $1 AND withdrawn_at IS NULL AND lapsed_at IS NULL
    ORDER BY ends_at LIMIT $2
    FOR UPDATE SKIP LOCKED
), lapsed AS (
    UPDATE scheme.consent SET lapsed_at = $1 WHERE id = ANY(ARRAY(SELECT id FROM due)) RETURNING id, child
)
SELECT l.id, h.id AS holder,
    p.age_band IN ('under_8', '8_to_15') AND NOT EXISTS (
        SELECT FROM scheme.consent other
        WHERE other.child = l.child AND other.withdrawn_at IS NULL AND other.ends_at > $1
    ) AS is_missed
FROM lapsed l JOIN scheme.person p ON p.id = l.child JOIN scheme.holder h ON h.person = l.child
"""
