"""Groups: people who share a pot. Some of the members are its keyholders, who may spend from it.

Staff keep the list; joining and leaving are recorded as acts about the person (see ``acts``). Who is erased is no
member any more. Staff, and a key of the scheme's, say who is a keyholder as long as the pot is empty, which is how a
group begins; then it takes two, each signed in as themselves (``keyholders``), and here a change is declined. Whom it
concerns is told (``keyholder_news``).

What bounds it: ``MEMBERS_MAX`` a group.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.keyholder_news import News, tell
from ledger.scheme.letters import Say, english
from ledger.scheme.refusals import Declined, Refusal

# More than any hall holds, and few enough to be shown whole.
MEMBERS_MAX = 500
# Nobody keeps more pots than that in mind.
KEPT_MAX = 10


class Group(Struct, frozen=True, kw_only=True):
    """A group."""

    id: UUID
    name: str
    created_at: datetime


class Member(Struct, frozen=True, kw_only=True):
    """Somebody of a group; a keyholder may spend from its pot."""

    person: UUID
    name: str
    keyholder: bool
    joined_at: datetime


class Membership(Struct, frozen=True, kw_only=True):
    """A group and everybody in it, the longest there first."""

    id: UUID
    name: str
    created_at: datetime
    members: Sequence[Member]


class KeptPot(Struct, frozen=True, kw_only=True):
    """A group's pot that somebody keeps with others."""

    group: UUID
    name: str


class NewGroup(Struct, frozen=True, kw_only=True, tag="group", tag_field="operation"):
    """A group to be made."""

    name: str


class _Made(Struct, frozen=True):
    """What is kept of making a group."""

    id: UUID
    created_at: datetime


class Groups:
    """Making groups, and who is in them. ``say`` has the letters' words in other languages."""

    def __init__(self, database: Database, clock: Clock, say: Say = english) -> None:
        self._database = database
        self._clock = clock
        self._say = say
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, group: NewGroup) -> tuple[Group, bool]:
        """A new group without members, and whether this is a replay. Two of the same name are two groups."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            made = _Made(uuid4(), now)
            await raw.execute(_CREATE, made.id, group.name, now)
            await acts.by_staff(raw, caller, "group_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, group, work, _Made)
        return Group(id=made.id, name=group.name, created_at=made.created_at), replayed

    async def get(self, id_: UUID) -> Membership:
        """The group with its members, or ``not_found``."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            row = await raw.fetchrow("SELECT id, name, created_at FROM scheme.group WHERE id = $1", id_)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            return Membership(**row, members=await members_of(raw, id_))

    async def all(self, *, after: UUID | None, limit: int) -> Sequence[Group]:
        """Every group, the oldest first; ``after`` is the last one seen."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_ALL, after, limit)
        return [Group(**row) for row in rows]

    async def put(self, caller: Caller, id_: UUID, person: UUID, *, keyholder: bool | None = None) -> Member:
        """Have somebody in the group, as a keyholder or not; who is in it already stays since when they are.

        None leaves whether they are one, and somebody new is none. Declines to change it where there is something in
        the pot: that takes two.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await hold(raw, id_, person)
            before = await raw.fetchrow(_MEMBER, id_, person)
            if keyholder is None:
                keyholder = before is not None and before["keyholder"]
            changes = keyholder != (before is not None and before["keyholder"])
            if changes:
                await _check_empty(raw, id_)
            if before is None and await raw.fetchval(_SIZE, id_) >= MEMBERS_MAX:
                raise Declined(Refusal.WRONG_STATE, f"The group has {MEMBERS_MAX} members already, which is the most.")
            await raw.execute(_PUT, id_, person, keyholder, now)
            if before is None or changes:
                verb = "group_joined" if before is None else "keyholder_changed"
                await acts.record(raw, caller, holder, verb, id_, now)
            if changes:
                news = News(group=id_, holder=holder, keyholder=keyholder, done=True)
                await tell(raw, self._say, news, caller.identity, now)
            name = await raw.fetchval("SELECT name FROM scheme.person WHERE id = $1", person)
        joined_at = now if before is None else before["joined_at"]
        return Member(person=person, name=name, keyholder=keyholder, joined_at=joined_at)

    async def remove(self, caller: Caller, id_: UUID, person: UUID) -> None:
        """Have somebody no more in the group; who isn't in it stays out. Declines a keyholder likewise."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await hold(raw, id_, person)
            before = await raw.fetchrow(_MEMBER, id_, person)
            if before is None:
                return
            if before["keyholder"]:
                await _check_empty(raw, id_)
            await raw.execute(_REMOVE, id_, person)
            await acts.record(raw, caller, holder, "group_left", id_, now)
            if before["keyholder"]:
                news = News(group=id_, holder=holder, keyholder=False, done=True)
                await tell(raw, self._say, news, caller.identity, now)


async def members_of(raw: asyncpg.Connection, group: UUID) -> Sequence[Member]:
    """Everybody in a group, the longest there first."""
    return [Member(**member) for member in await raw.fetch(_MEMBERS, group)]


async def kept_by(raw: asyncpg.Connection, holder: UUID) -> Sequence[KeptPot]:
    """The pots whose keyholder somebody is, by name."""
    return [KeptPot(**row) for row in await raw.fetch(_KEPT, holder, KEPT_MAX)]


async def hold(raw: asyncpg.Connection, group: UUID, person: UUID) -> UUID:
    """The person's holder; until the transaction ends they can't be erased, nor the group grow past its bound.

    Nor can its keyholders, who may have to be told: all are locked in the one order of holders, and then the group.
    """
    keyholders = [row["person"] for row in await raw.fetch(_KEYHOLDERS, group)]
    holder = (await lock_people(raw, [person, *keyholders])).get(person)
    if holder is None or not await raw.fetchval(_HOLD_GROUP, group):
        raise Declined(Refusal.NOT_FOUND)
    return holder


async def is_empty(raw: asyncpg.Connection, group: UUID) -> bool:
    """Whether there is nothing in the group's pot, nor on hold: nothing that its keyholders guard."""
    balances = await reading.balances(raw, [account("pot", group), account("held_pot", group)])
    return not any(balances.values())


async def _check_empty(raw: asyncpg.Connection, group: UUID) -> None:
    if not await is_empty(raw, group):
        raise Declined(
            Refusal.WRONG_STATE,
            "There are credits in this pot, so two people decide who keeps it. One keyholder, or the office, proposes"
            " it on the page of who shares the pot. Another one agrees there.",
        )


_CREATE = "INSERT INTO scheme.group (id, name, created_at) VALUES ($1, $2, $3)"
_ALL = """
SELECT id, name, created_at FROM scheme.group
WHERE $1::uuid IS NULL OR (created_at, id) > (SELECT last.created_at, last.id FROM scheme.group last WHERE last.id = $1)
ORDER BY created_at, id
LIMIT $2
"""
_MEMBERS = """
SELECT m.person, p.name, m.keyholder, m.joined_at
FROM scheme.membership m JOIN scheme.person p ON p.id = m.person
WHERE m."group" = $1
ORDER BY m.joined_at, m.person
"""
_MEMBER = 'SELECT keyholder, joined_at FROM scheme.membership WHERE "group" = $1 AND person = $2'
_KEPT = """
SELECT g.id AS "group", g.name
FROM scheme.membership m JOIN scheme.holder h ON h.person = m.person JOIN scheme.group g ON g.id = m."group"
WHERE h.id = $1 AND m.keyholder ORDER BY lower(g.name), g.id LIMIT $2
"""
_KEYHOLDERS = 'SELECT person FROM scheme.membership WHERE "group" = $1 AND keyholder'
_HOLD_GROUP = "SELECT true FROM scheme.group WHERE id = $1 FOR NO KEY UPDATE"
_SIZE = 'SELECT count(*) FROM scheme.membership WHERE "group" = $1'
_PUT = """
INSERT INTO scheme.membership ("group", person, keyholder, joined_at) VALUES ($1, $2, $3, $4)
ON CONFLICT ("group", person) DO UPDATE SET keyholder = excluded.keyholder,
    wanted = NULL, wanted_by = NULL, wanted_at = NULL
WHERE membership.keyholder <> excluded.keyholder
"""
_REMOVE = 'DELETE FROM scheme.membership WHERE "group" = $1 AND person = $2'
