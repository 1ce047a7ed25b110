"""Expiry: credits that have ended leave their wallets, whoever they end for hears before, and on request they return.

    the day's look:   some holders -> who can be concerned? -> fold their wallets -> tell what is about to end
                          -> lock the journal -> what came in meanwhile -> wallet to expired, and tell
    a reinstatement:  lock the holder -> fold -> lock the journal -> what came in meanwhile -> expired to wallet

What ends when is told by the journal and the rules of today alone (see ``endings``); here is no lot and no date of
anybody's. With `expiry_months` at 0 nothing ends and nobody looks.

**The look** is made once for each day in London, through all holders in the order of their ids, ``HOLDERS_MAX`` a
round. Each round is one transaction and says in ``scheme.expiry`` how far it came, so an interrupted look goes on where
it stopped, and what is told is told once. An expiry's id follows from the holder and the end date: it is posted once,
whoever runs it. Whoever is erased at the same moment is left out.

**Notices** go by days: at the look of a day are told the dates that came within a notice's reach since the look before,
and those near ones of which something came back since (by a void, say). They say what is there at that moment.

**Who can be concerned** is found by index, without their history: what is left in a wallet is what came last. So where
the newest credits, all received recently enough to last beyond the first notice, make up the balance, nothing else is
there. One that came back is old for all that is known here, and the wallet is folded: some rows for each of the others.
Measured with 60,000 wallets of 30 lines each, a tenth of them folded every day: half a minute a day on two busy cores
with cold caches, of which 3 s are Python's.

**Reinstatement** is a refund of the expiry's entry, so the journal itself gives back no more than ended. It may be
asked for until ``reinstatement_days`` after the day when the credits left the wallet, for a late look shortens nothing;
what was reinstated once isn't again.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Kind, Transfer, entry_id
from ledger.journal.posting import lock, post
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_open, lock_people
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import Clock, day_of, end_of
from ledger.scheme.endings import NEVER, Dating, Line, Purse
from ledger.scheme.helping import May, may_act
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import Rules

# Looked at within 0.1 s where little of it is cached. Should all of them have something that ended, it is posted within
# some 50 ms, for which everybody else who posts has to wait; folded they are before.
HOLDERS_MAX: Final = 250
_FIRST: Final = UUID(int=0)
_EXPIRED: Final = "expired"
_REFERENCE: Final = "expiry"
_DAY: Final = timedelta(days=1)
# By these, end dates are made and told: a change of one puts off whatever would have ended soon.
_DATING: Final = (
    "expiry_months",
    "expiry_first_notice_days",
    "expiry_last_notice_days",
    "void_extension_days",
    "refund_extension_days",
)


class Ending(Struct, frozen=True, kw_only=True):
    """The last day on which so many minutes last."""

    ends_on: date
    minutes: int


class Reinstatable(Struct, frozen=True, kw_only=True):
    """Minutes that have ended, and come back when asked for on that day at the latest."""

    until: date
    minutes: int


class Endings(Struct, frozen=True, kw_only=True):
    """What of somebody's credits ends when, soonest first, and what has ended and can still come back.

    A date for each month in which something was received, and for whatever came back: a few hundred at most.
    """

    endings: Sequence[Ending]
    reinstatable: Sequence[Reinstatable]


class Reinstated(Struct, frozen=True, kw_only=True):
    """So many minutes are in the wallet again, and last until then; null if nothing ends any more."""

    person: UUID
    minutes: int
    ends_on: date | None
    reinstated_at: datetime


class _Reinstate(Struct, frozen=True, kw_only=True, tag="reinstate_credits", tag_field="operation"):
    person: UUID


class Expiry:
    """Reading what ends when, and reinstating what ended."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def endings(self, caller: Caller, person: UUID) -> Endings:
        """What of a person's credits ends when: for the scheme, the person, and a helper who may see the balance."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if not await may_act(raw, caller, holder, May.BALANCE):
                raise Declined(Refusal.NOT_FOUND)
            if caller.scope is not Scope.SCHEME:
                await acts.record(raw, caller, holder, "endings_read", None, now)
            rules, dating = await _rules(raw)
            (purse,) = await _purses(raw, dating, [holder])
        keep, today = timedelta(days=rules.reinstatement_days), day_of(now)
        until: dict[date, int] = {}
        for lapsed in purse.reinstatable(today, since=today - keep):
            until[lapsed.day + keep] = until.get(lapsed.day + keep, 0) + lapsed.minutes
        return Endings(
            endings=_endings(purse),
            reinstatable=[Reinstatable(until=day, minutes=minutes) for day, minutes in until.items()],
        )

    async def reinstate(self, caller: Caller, key: str, person: UUID) -> tuple[Reinstated, bool]:
        """Give back all that ended lately: for the scheme, the person, and a helper who may book for them."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Reinstated:
            holder = await holder_of(raw, person)
            if not await may_act(raw, caller, holder, May.BOOK):
                raise Declined(Refusal.NOT_FOUND)
            if person not in await lock_people(raw, [person]):
                raise Declined(Refusal.NOT_FOUND)
            return await _reinstate(raw, caller, key, _Person(person, holder), now)

        return await self._answers.once(caller, key, _Reinstate(person=person), work, Reinstated)


async def endings_of(raw: asyncpg.Connection, holder: UUID) -> Sequence[Ending]:
    """What of a holder's credits ends when, soonest first; whether the caller may look is asked before."""
    _, dating = await _rules(raw)
    if not dating.months:
        return ()
    (purse,) = await _purses(raw, dating, [holder])
    return _endings(purse)


def _endings(purse: Purse) -> Sequence[Ending]:
    return [Ending(ends_on=ends, minutes=minutes) for ends, minutes in purse.by_date.items() if ends < NEVER]


class _Person(Struct, frozen=True):
    id: UUID
    holder: UUID


async def _reinstate(raw: asyncpg.Connection, caller: Caller, key: str, whose: _Person, now: datetime) -> Reinstated:
    rules, dating = await _rules(raw)
    (purse,) = await _purses(raw, dating, [whose.holder])
    await lock(raw)
    await _follow(raw, {whose.holder: purse})
    today = day_of(now)
    lapsed = purse.reinstatable(today, since=today - timedelta(days=rules.reinstatement_days))
    if not lapsed:
        raise Declined(
            Refusal.WRONG_STATE,
            f"Nothing of theirs ended within the last {rules.reinstatement_days} days that didn't come back already.",
        )
    ids = {row["position"]: row["id"] for row in await raw.fetch(_IDS, [one.position for one in lapsed])}
    entries = [
        Entry(
            # The first is the key's own; no key holds a space.
            id=entry_id(caller.principal, f"{key} {number}" if number else key),
            kind=Kind.REFUND,
            target=ids[one.position],
            transfers=(Transfer(_EXPIRED, account("wallet", whose.holder), one.minutes),),
            happened_at=now,
            actor=caller.identity,
            reference=_REFERENCE,
        )
        for number, one in enumerate(lapsed)
    ]
    minutes = sum(one.minutes for one in lapsed)
    ends = min(one.ends for one in lapsed)
    body: dict[str, int | str] = {"minutes": minutes}
    if ends < NEVER:
        body["ends_on"] = ends.isoformat()
    event = Event(topic=Topic.CREDITS_REINSTATED, holder=whose.holder, object=entries[0].id, body=body)
    await acts.record(raw, caller, whose.holder, "credits_reinstated", entries[0].id, now)
    await outbox.put(raw, [event], now)
    await post_new(raw, entries, now)
    return Reinstated(person=whose.id, minutes=minutes, ends_on=ends if ends < NEVER else None, reinstated_at=now)


# --- the day's look ---------------------------------------------------------------------------------------------


class _Look(Struct, frozen=True, kw_only=True):
    """The look of a day, and the day of the one before, if there was one."""

    rules: Rules
    dating: Dating
    day: date
    before: date | None

    @property
    def notices(self) -> Mapping[str, int]:
        """The notices by name, the more urgent first, with the days that they come before the end."""
        return {"last": self.rules.expiry_last_notice_days, "first": self.rules.expiry_first_notice_days}

    @property
    def horizon(self) -> date:
        """The last date that it is about."""
        return self.day + timedelta(days=self.rules.expiry_first_notice_days)


class _Found(Struct):
    """A wallet, and which notice is due of which date."""

    purse: Purse
    due: Mapping[date, str]


async def expire(raw: asyncpg.Connection, now: datetime) -> int:
    """Go on with the day's look by a round, and return how many holders were looked at: 0, it is done."""
    rules, dating = await _rules(raw)
    row = await raw.fetchrow(_PLACE)
    if not dating.months or row is None:
        return 0
    after, look = row["reached"], _Look(rules=rules, dating=dating, day=row["day"] or date.min, before=row["before"])
    if after is None:
        if look.day >= day_of(now):
            return 0
        after, look = _FIRST, msgspec.structs.replace(look, day=day_of(now), before=row["day"])
    since = dating.lasting_beyond(look.horizon)
    holders = [] if since is None else await raw.fetch(_LOOK, after, HOLDERS_MAX, end_of(since - _DAY))
    concerned = [row["id"] for row in holders if row["is_concerned"]]
    if concerned:
        await _tell_and_end(raw, look, concerned, now)
    await raw.execute(_REACHED, look.day, look.before, holders[-1]["id"] if len(holders) == HOLDERS_MAX else None)
    return len(holders)


async def _tell_and_end(raw: asyncpg.Connection, look: _Look, holders: Sequence[UUID], now: datetime) -> None:
    lines = await _lines(raw, dict.fromkeys(holders, 0))
    found = {holder: _found(look, lines.get(holder, [])) for holder in holders}
    wanted = [holder for holder, one in found.items() if one.due or one.purse.ended(look.day)]
    # Who was erased meanwhile is left out, and nobody is from here on.
    open_ = await lock_open(raw, wanted)
    found = {holder: found[holder] for holder in wanted if holder in open_}
    purses = {holder: one.purse for holder, one in found.items() if one.purse.ended(look.day)}
    if purses:
        await lock(raw)
        await _follow(raw, purses)
    events = [
        _ending(holder, one.purse, ends, notice)
        for holder, one in found.items()
        for ends, notice in one.due.items()
        if ends in one.purse.by_date
    ]
    until = day_of(now) + timedelta(days=look.rules.reinstatement_days)
    entries = []
    for holder, purse in purses.items():
        for ends, minutes in purse.ended(look.day).items():
            entries.append(_expiry(holder, ends, minutes))
            events.append(_ended(entries[-1], holder, ends, until))
    await outbox.put(raw, events, now)
    if entries:
        for outcome in await post(raw, CHART, entries, now):
            settled(outcome)


def _found(look: _Look, lines: Sequence[Line]) -> _Found:
    """Which notices are due is told by how things stood when the day began, so that a later look misses nothing."""
    purse = Purse(look.dating)
    before = [line for line in lines if line.day < look.day]
    purse.take(before)
    due = _due(look, purse)
    purse.take(lines[len(before) :])
    return _Found(purse, due)


def _due(look: _Look, purse: Purse) -> dict[date, str]:
    back = set() if look.before is None else purse.came_back_since(look.before)
    due: dict[date, str] = {}
    for ends in purse.by_date:
        for notice, days in look.notices.items():
            reach = timedelta(days=days)
            is_new = look.before is None or ends > look.before + reach or ends in back
            if look.day <= ends <= look.day + reach and is_new:
                due.setdefault(ends, notice)
    return due


def _ending(holder: UUID, purse: Purse, ends: date, notice: str) -> Event:
    body: dict[str, int | str] = {"minutes": purse.by_date[ends], "ends_on": ends.isoformat(), "notice": notice}
    return Event(topic=Topic.CREDITS_ENDING, holder=holder, body=body)


def _ended(expiry: Entry, holder: UUID, ends: date, until: date) -> Event:
    minutes = expiry.transfers[0].minutes
    body: dict[str, int | str] = {"minutes": minutes, "ended_on": ends.isoformat(), "until": until.isoformat()}
    return Event(topic=Topic.CREDITS_EXPIRED, holder=holder, object=expiry.id, body=body)


def _expiry(holder: UUID, ends: date, minutes: int) -> Entry:
    return Entry(
        # No client's key holds a space.
        id=entry_id(holder, f"expiry {ends}"),
        transfers=(Transfer(account("wallet", holder), _EXPIRED, minutes),),
        happened_at=end_of(ends),
        actor=SCHEME,
        reference=_REFERENCE,
    )


# --- what it is read from ---------------------------------------------------------------------------------------


async def _rules(raw: asyncpg.Connection) -> tuple[Rules, Dating]:
    """The rules of today, and what end dates are made by."""
    versions = [
        (row["changed_at"], msgspec.json.decode(row["changes"], type=Rules)) for row in await raw.fetch(_VERSIONS)
    ]
    no_sooner = date.min
    for (_, old), (changed_at, new) in itertools.pairwise(versions):
        if any(getattr(old, name) != getattr(new, name) for name in _DATING):
            no_sooner = max(no_sooner, day_of(changed_at) + timedelta(days=new.expiry_first_notice_days))
    rules = versions[-1][1]
    return rules, Dating(
        months=rules.expiry_months,
        void_days=rules.void_extension_days,
        refund_days=rules.refund_extension_days,
        no_sooner=no_sooner,
    )


async def _purses(raw: asyncpg.Connection, dating: Dating, holders: Collection[UUID]) -> list[Purse]:
    """The wallets of these holders, in order."""
    purses = {holder: Purse(dating) for holder in holders}
    await _follow(raw, purses)
    return list(purses.values())


async def _follow(raw: asyncpg.Connection, purses: Mapping[UUID, Purse]) -> None:
    """Take in what came since they were read; under the journal's lock, that is all that ever will have."""
    lines = await _lines(raw, {holder: purse.sequence for holder, purse in purses.items()})
    for holder, found in lines.items():
        purses[holder].take(found)


async def _lines(raw: asyncpg.Connection, after: Mapping[UUID, int]) -> dict[UUID, list[Line]]:
    """The lines of each holder's wallet that follow the one of that number."""
    lines: dict[UUID, list[Line]] = {}
    for row in await raw.fetch(_LINES, list(after), list(after.values())):
        lines.setdefault(row["holder"], []).append(
            Line(
                sequence=row["sequence"],
                position=row["position"],
                day=day_of(row["recorded_at"]),
                kind=Kind(row["kind"]),
                minutes=row["minutes"],
                origin=row["origin"],
                is_expiry=row["is_expiry"],
            )
        )
    return lines


_VERSIONS = "SELECT changed_at, changes FROM scheme.rules ORDER BY version"
_PLACE = "SELECT day, before, reached FROM scheme.expiry FOR UPDATE"
_REACHED = "UPDATE scheme.expiry SET day = $1, before = $2, reached = $3"
_IDS = "SELECT position, id FROM journal.entry WHERE position = ANY($1::bigint[])"
# The entry that took what comes back is the hold that was resolved; of a refund that of its capture, or the plain entry
# itself.
_LINES = """
SELECT w.holder, l.sequence, l.position, l.minutes, e.kind::text, e.recorded_at,
    coalesce(t.target, e.target) AS origin,
    coalesce(l.other = (SELECT id FROM journal.account WHERE name = 'expired'), false) AS is_expiry
FROM unnest($1::uuid[], $2::bigint[]) w (holder, after)
JOIN journal.account a ON a.name = 'wallet:' || encode(uuid_send(w.holder), 'hex')
CROSS JOIN LATERAL (
    SELECT position, debit_sequence AS sequence, -minutes AS minutes, credit AS other
    FROM journal.transfer WHERE debit = a.id AND debit_sequence > w.after
    UNION ALL
    SELECT position, credit_sequence, minutes, debit
    FROM journal.transfer WHERE credit = a.id AND credit_sequence > w.after
) l
JOIN journal.entry e ON e.position = l.position
LEFT JOIN journal.entry t ON t.position = e.target
ORDER BY w.holder, l.sequence
"""
# From the newest credit backwards, until the balance is made up or something is met that may be about to end: what was
# recorded before $3, or came back.
_LOOK = """
SELECT h.id, coalesce((
    WITH RECURSIVE newest AS (
        SELECT b.sequence + 1 AS sequence, 0::numeric AS made_up, false AS is_old, b.balance
        FROM journal.balance b WHERE b.name = 'wallet:' || encode(uuid_send(h.id), 'hex')
        UNION ALL
        SELECT t.credit_sequence, n.made_up + t.minutes, e.recorded_at < $3 OR e.target IS NOT NULL, n.balance
        FROM newest n
        CROSS JOIN LATERAL (
            SELECT credit_sequence, minutes, position FROM journal.transfer
            WHERE credit = (
                SELECT id FROM journal.account WHERE name = 'wallet:' || encode(uuid_send(h.id), 'hex')
            ) AND credit_sequence < n.sequence
            ORDER BY credit_sequence DESC LIMIT 1
        ) t
        JOIN journal.entry e ON e.position = t.position
        WHERE n.made_up < n.balance AND NOT n.is_old
    )
    SELECT bool_or(is_old) FROM newest
), false) AS is_concerned
FROM scheme.holder h
WHERE h.id > $1 AND h.closed_at IS NULL
ORDER BY h.id LIMIT $2
"""
