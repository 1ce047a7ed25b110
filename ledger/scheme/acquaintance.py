"""Naming another person without a directory: whom somebody knows here already, or whose card they were shown.

Whoever gives, or asks for help, has to say to whom. Nobody can look people up: what they are offered is who shares a
group with them, who helps them or is helped, their guardians and children, and whom they gave to or had from; by first
name, and of a group only those who let themselves be named (`preference.named`). Anybody else shows their printed card.

A code that is nobody's counts against whoever typed it, as a slip's does (``throttle``). What bounds it: ``KNOWN_MAX``
people, of groups of 500 at most; all by index.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme.acts import is_own
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.codes import code_hash, read_code, secret_of
from ledger.scheme.people import first_name, holder_of
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import in_force
from ledger.scheme.throttle import may_type, wrong_slip

# As many as can be looked through on a telephone.
KNOWN_MAX: Final = 100


class Acquaintance(Struct, frozen=True, kw_only=True):
    """Somebody they know, by first name, and through which group, if that is how."""

    person: UUID
    name: str
    group: str | None


class Pot(Struct, frozen=True, kw_only=True):
    """A group that they are in."""

    group: UUID
    name: str


class Giving(Struct, frozen=True, kw_only=True):
    """What somebody can give, and to whom: ``left`` of the month's limit, ``available`` to spend; minutes."""

    people: Sequence[Acquaintance]
    pots: Sequence[Pot]
    available: int
    limit: int
    left: int


class Acquaintances:
    """Whom somebody knows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def giving(self, caller: Caller, person: UUID) -> Giving:
        """To whom they can give, and how much; to themselves and the scheme."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await _own(raw, caller, person)
            people = await raw.fetch(_KNOWN, person, holder, KNOWN_MAX)
            pots = await raw.fetch(_POTS, person)
            most = (await in_force(raw)).rules.gift_month_minutes
            wallet, counter = account("wallet", holder), _counter(holder, self._clock())
            balances = await reading.balances(raw, [wallet, counter])
        return Giving(
            people=[_known(row) for row in people],
            pots=[Pot(**row) for row in pots],
            available=balances[wallet],
            limit=most,
            left=max(0, most + balances[counter]),
        )

    async def of(self, caller: Caller, person: UUID) -> Sequence[Acquaintance]:
        """Whom they know, likewise."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await _own(raw, caller, person)
            return [_known(row) for row in await raw.fetch(_KNOWN, person, holder, KNOWN_MAX)]

    async def by_card(self, caller: Caller, typed: str, field: str) -> UUID:
        """Whose printed card that is; declines, with the field, what is no card that works."""
        now = self._clock()
        code = read_code(typed)
        if code is None:
            raise Declined(Refusal.WRONG_VALUES, fields=((field, "has a slip of the pen: please read it once more"),))
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await may_type(raw, caller, now)
            secret = await secret_of(raw)
            found: UUID | None = await raw.fetchval(_BY_CARD, code_hash(secret, code))
            if found is None:
                await wrong_slip(raw, caller, now)
        if found is None:
            raise Declined(Refusal.WRONG_VALUES, fields=((field, "is on no card that works now"),))
        return found


async def names_known_to(raw: asyncpg.Connection, person: UUID, holder: UUID) -> dict[UUID, str]:
    """The first names of those whom they know, by person."""
    return {row["person"]: first_name(row["name"]) for row in await raw.fetch(_KNOWN, person, holder, KNOWN_MAX)}


async def _own(raw: asyncpg.Connection, caller: Caller, person: UUID) -> UUID:
    holder = await holder_of(raw, person)
    if not (caller.scope is Scope.SCHEME or is_own(caller, holder)):
        raise Declined(Refusal.NOT_FOUND)
    return holder


def _counter(holder: UUID, now: datetime) -> str:
    """The month's account of gifts, below zero by what was given (see ``gifts``)."""
    return f"limit:gifts:{holder.hex}.{now.astimezone(LONDON):%Y-%m}"


def _known(row: asyncpg.Record) -> Acquaintance:
    return Acquaintance(person=row["person"], name=first_name(row["name"]), group=row["group"])


# Who helps, guards or gave is named whatever they prefer: they know each other. One line a person, the group last.
_KNOWN = """
WITH close AS (
    SELECT helper AS person FROM scheme.helping WHERE helped = $1 AND ended_at IS NULL
    UNION SELECT helped FROM scheme.helping WHERE helper = $1 AND ended_at IS NULL
    UNION SELECT guardian FROM scheme.guardian WHERE child = $1 AND ended_at IS NULL
    UNION SELECT child FROM scheme.guardian WHERE guardian = $1 AND ended_at IS NULL
    UNION SELECT h.person FROM scheme.gift g JOIN scheme.holder h ON h.id = g.receiver
        JOIN journal.entry hold ON hold.id = g.id
        JOIN journal.entry done ON done.target = hold.position AND done.kind = 'capture'
        WHERE g.giver = $2
    UNION SELECT h.person FROM scheme.gift g JOIN scheme.holder h ON h.id = g.giver
        JOIN journal.entry hold ON hold.id = g.id
        JOIN journal.entry done ON done.target = hold.position AND done.kind = 'capture'
        WHERE g.receiver = $2
),
known AS (
    SELECT person, NULL AS "group" FROM close
    UNION ALL
    SELECT m.person, g.name
    FROM scheme.membership mine
    JOIN scheme.group g ON g.id = mine."group"
    JOIN scheme.membership m ON m."group" = mine."group"
    LEFT JOIN scheme.preference o ON o.person = m.person
    WHERE mine.person = $1 AND coalesce(o.named, true)
)
SELECT DISTINCT ON (p.name, p.id) p.id AS person, p.name, k."group"
FROM known k JOIN scheme.person p ON p.id = k.person
WHERE p.id <> $1
ORDER BY p.name, p.id, k."group" NULLS FIRST LIMIT $3
"""
_POTS = """
SELECT g.id AS "group", g.name FROM scheme.membership m JOIN scheme.group g ON g.id = m."group"
WHERE m.person = $1 ORDER BY g.name, g.id
"""
_BY_CARD = """
SELECT h.person FROM scheme.credential c JOIN scheme.holder h ON h.id = c.holder
WHERE c.code_hash = $1 AND c.kind = 'card' AND c.status = 'active' AND h.person IS NOT NULL
"""
