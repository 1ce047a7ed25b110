"""Helpers: one person acts for another, in what they may, until either of them or the scheme ends it.

    grant: lock both people -> one live link a pair -> row, act, event        end: lock the link -> the same

``may_act`` is the one question that every verb asks which acts for somebody. It is read anew each time, so a helper who
was ended may nothing from then on. Whoever lets a helper act also records it (``acts.record``), in one transaction.

What bounds it: ``HELPERS_MAX`` live helpers a person. A link that ended stays, for what was done under it is recorded;
it goes with either person.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts, outbox
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal

# A family and everybody who looks in; with more than a screenful nobody knows any longer who may do what.
HELPERS_MAX = 20
# Whom one person helps, as a page shows them: a support worker's clients.
HELPED_SHOWN = 100


class May(StrEnum):
    """What a helper may do for the person they help: read what they have, claim hours, book offers."""

    BALANCE = "balance"
    CLAIM = "claim"
    BOOK = "book"


async def may_act(raw: asyncpg.Connection, caller: Caller, holder: UUID, may: May) -> bool:
    """Whether the caller may do this for that holder: the scheme, the holder by their own key, or a live helper.

    A project's or a venue's key speaks for its project or venue and for no person, whoever is behind it: what it may do
    is told by ``Caller.speaks_for``.
    """
    if caller.scope is Scope.SCHEME or is_own(caller, holder):
        return True
    return caller.scope is Scope.PERSON and bool(await raw.fetchval(_MAY, holder, caller.holder, may.value))


class Helper(Struct, frozen=True, kw_only=True):
    """A link between two people: who is helped, by whom, and in what."""

    id: UUID
    helped: UUID
    helper: UUID
    may: Sequence[May]
    began_at: datetime
    ended_at: datetime | None = None


class Known(Struct, frozen=True, kw_only=True):
    """The other side of a link: who helps, or is helped, by their name, and in what."""

    id: UUID
    person: UUID
    name: str
    may: Sequence[May]
    began_at: datetime


class Grant(Struct, frozen=True, kw_only=True, tag="helper", tag_field="operation"):
    """Who shall help whom, and in what: in one order, so that the same is known as the same."""

    helped: UUID
    helper: UUID
    may: Sequence[May]


class End(Struct, frozen=True, kw_only=True, tag="helper_end", tag_field="operation"):
    """Which link shall end."""

    helper: UUID


class Helpers:
    """Letting people help, and ending it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def grant(self, caller: Caller, key: str, grant: Grant) -> tuple[Helper, bool]:
        """Let somebody help, and whether this is the replay of an answer. The same again finds the live link."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Helper:
            return await _granted(raw, caller, grant, now)

        return await self._answers.once(caller, key, grant, work, Helper)

    async def end(self, caller: Caller, key: str, link: UUID) -> tuple[Helper, bool]:
        """End it now, for good; ending it again changes nothing."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Helper:
            return await _ended(raw, caller, link, now)

        return await self._answers.once(caller, key, End(helper=link), work, Helper)

    async def of(self, caller: Caller, helped: UUID) -> Sequence[Helper]:
        """Who helps this person now, oldest first; to a helper, nobody but themselves."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", helped)
            rows = await raw.fetch(_LIVE, helped)
        if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
            rows = [row for row in rows if row["helper_holder"] == caller.holder]
            if not rows:
                raise Declined(Refusal.NOT_FOUND)
        elif holder is None:
            raise Declined(Refusal.NOT_FOUND)
        return [_helper(row) for row in rows]

    async def helped(self, caller: Caller) -> Sequence[Known]:
        """Whom the caller helps now, by name."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_HELPED, caller.holder, HELPED_SHOWN)
        return [_known(row) for row in rows]

    async def named(self, caller: Caller, helped: UUID) -> Sequence[Known]:
        """Who helps this person now, by name, to that person and the scheme."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", helped)
            if holder is None or not (caller.scope is Scope.SCHEME or is_own(caller, holder)):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_HELPERS, helped)
        return [_known(row) for row in rows]


async def _granted(raw: asyncpg.Connection, caller: Caller, grant: Grant, now: datetime) -> Helper:
    # Both stay where they are until the end: nobody is erased meanwhile, and two grants see each other.
    holders = {row["person"]: row["id"] for row in await raw.fetch(_LOCK, [grant.helped, grant.helper])}
    holder = holders.get(grant.helped)
    if holder is None or not (caller.scope is Scope.SCHEME or is_own(caller, holder)):
        raise Declined(Refusal.NOT_FOUND)
    if grant.helper == grant.helped:
        raise Declined(Refusal.WRONG_VALUES, fields=(("helper", "must be somebody else"),))
    if grant.helper not in holders:
        raise Declined(Refusal.WRONG_VALUES, fields=(("helper", "is nobody of this scheme"),))
    live = [_helper(row) for row in await raw.fetch(_LIVE, grant.helped)]
    for link in live:
        if link.helper == grant.helper:
            if set(link.may) == set(grant.may):
                return link
            words = ", ".join(link.may)
            raise Declined(Refusal.WRONG_STATE, f"They help already, in other things ({words}): end that first.")
    if len(live) >= HELPERS_MAX:
        raise Declined(
            Refusal.WRONG_STATE, f"There are {HELPERS_MAX} helpers already, which is the most: end one first."
        )
    link = Helper(id=UUID(new_key()), helped=grant.helped, helper=grant.helper, may=grant.may, began_at=now)
    may = [may.value for may in link.may]
    await raw.execute(_GRANT, link.id, link.helped, link.helper, may, now, caller.identity)
    await _tell(raw, caller, Event(topic=Topic.HELPER_ADDED, holder=holder, object=link.id), now)
    return link


async def _ended(raw: asyncpg.Connection, caller: Caller, id_: UUID, now: datetime) -> Helper:
    row = await raw.fetchrow(_ONE, id_)
    if row is None or not (
        caller.scope is Scope.SCHEME or is_own(caller, row["helped_holder"]) or is_own(caller, row["helper_holder"])
    ):
        raise Declined(Refusal.NOT_FOUND)
    if row["ended_at"] is None:
        await raw.execute(_END, id_, now, caller.identity)
        event = Event(topic=Topic.HELPER_ENDED, holder=row["helped_holder"], object=id_)
        await _tell(raw, caller, event, now)
    return msgspec.structs.replace(_helper(row), ended_at=row["ended_at"] or now)


async def _tell(raw: asyncpg.Connection, caller: Caller, event: Event, now: datetime) -> None:
    assert event.holder is not None
    await acts.record(raw, caller, event.holder, event.topic.value, event.object, now)
    await outbox.put(raw, [event], now)


def _helper(row: asyncpg.Record) -> Helper:
    return Helper(
        id=row["id"],
        helped=row["helped"],
        helper=row["helper"],
        may=[May(word) for word in row["may"]],
        began_at=row["began_at"],
        ended_at=row["ended_at"],
    )


def _known(row: asyncpg.Record) -> Known:
    return Known(**{**row, "may": [May(word) for word in row["may"]]})


_MAY = """
SELECT EXISTS (
    SELECT FROM scheme.helping
    WHERE helped = (SELECT person FROM scheme.holder WHERE id = $1)
        AND helper = (SELECT person FROM scheme.holder WHERE id = $2)
        AND ended_at IS NULL AND $3 = ANY(may)
)
"""
_LOCK = "SELECT person, id FROM scheme.holder WHERE person = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LIVE = """
SELECT l.id, l.helped, l.helper, l.may, l.began_at, l.ended_at, h.id AS helper_holder
FROM scheme.helping l JOIN scheme.holder h ON h.person = l.helper
WHERE l.helped = $1 AND l.ended_at IS NULL
ORDER BY l.began_at, l.id
"""
_HELPED = """
SELECT l.id, l.helped AS person, p.name, l.may, l.began_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helped
WHERE l.helper = (SELECT person FROM scheme.holder WHERE id = $1) AND l.ended_at IS NULL
ORDER BY lower(p.name), p.id LIMIT $2
"""
_HELPERS = """
SELECT l.id, l.helper AS person, p.name, l.may, l.began_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helper
WHERE l.helped = $1 AND l.ended_at IS NULL
ORDER BY l.began_at, l.id
"""
_ONE = """
SELECT l.id, l.helped, l.helper, l.may, l.began_at, l.ended_at,
    helped.id AS helped_holder, helper.id AS helper_holder
FROM scheme.helping l
JOIN scheme.holder helped ON helped.person = l.helped
JOIN scheme.holder helper ON helper.person = l.helper
WHERE l.id = $1
FOR NO KEY UPDATE OF l
"""
_GRANT = """
INSERT INTO scheme.helping (id, helped, helper, may, began_at, began_by) VALUES ($1, $2, $3, $4, $5, $6)
"""
_END = "UPDATE scheme.helping SET ended_at = $2, ended_by = $3 WHERE id = $1"
