"""People: somebody to be called by a name, and the holder that the journal knows in their stead.

The only thing a person must give is a name to be called by. The holder's id is random and tells nothing; it alone
stands in the journal, and what a venue is shown. What somebody has is read from the journal and never stored here.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller, Scope
from ledger.scheme.refusals import Declined, Refusal


class Person(Struct, frozen=True, kw_only=True):
    """A person and the id under which the journal knows them."""

    id: UUID
    holder: UUID
    name: str
    created_at: datetime


class Balance(Struct, frozen=True, kw_only=True):
    """What a person has, in minutes: to spend now, and authorised somewhere but not yet captured."""

    available: int
    held: int


class People:
    """Making people known, and reading what they have."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str) -> Person:
        """A new person with an empty wallet. Two of the same name are two people."""
        person = Person(id=uuid4(), holder=uuid4(), name=name, created_at=self._clock())
        async with self._database.transaction() as connection:
            await driver(connection).execute(_CREATE, person.id, name, person.created_at, person.holder)
        return person

    async def get(self, id_: UUID) -> Person:
        """The person, or ``not_found``."""
        async with self._database.reading() as connection:
            return await _person(driver(connection), id_)

    async def balance(self, caller: Caller, id_: UUID) -> Balance:
        """What the person has. A project sees those who gave hours to it; to it, others aren't there."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            person = await _person(raw, id_)
            if caller.scope is Scope.PROJECT and not await raw.fetchval(_GAVE_HOURS_TO, person.holder, caller.object):
                raise Declined(Refusal.NOT_FOUND)
            wallet, held = account("wallet", person.holder), account("held", person.holder)
            found = await reading.balances(raw, [wallet, held])
        return Balance(available=found[wallet], held=found[held])

    async def statement(self, id_: UUID, *, before: int | None, limit: int) -> Sequence[reading.Line]:
        """The wallet's newest lines, newest first; ``before`` is the sequence number of the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            person = await _person(raw, id_)
            return await reading.statement(raw, account("wallet", person.holder), before=before, limit=limit)


async def _person(connection: asyncpg.Connection, id_: UUID) -> Person:
    row = await connection.fetchrow(_BY_ID, id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Person(id=row["id"], holder=row["holder"], name=row["name"], created_at=row["created_at"])


_CREATE = """
WITH person AS (INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, $3) RETURNING id)
INSERT INTO scheme.holder (id, person) SELECT $4, id FROM person
"""
_BY_ID = """
SELECT p.id, h.id AS holder, p.name, p.created_at
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id
WHERE p.id = $1
"""
# Hours whose award was reversed count as never given: who was listed by mistake is nobody to that project.
_GAVE_HOURS_TO = """
SELECT EXISTS (
    SELECT FROM scheme.hours h JOIN scheme.session s ON s.id = h.session JOIN journal.entry e ON e.id = h.entry
    WHERE h.holder = $1 AND s.project = $2
        AND NOT EXISTS (SELECT FROM journal.entry r WHERE r.target = e.position AND r.kind = 'reversal')
)
"""
