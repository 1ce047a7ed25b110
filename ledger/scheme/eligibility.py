"""Eligibility: what somebody may do that not everybody may, such as to use the gym after an induction.

An offer asks for it by its word. The scheme's staff give words and withdraw them; a venue hears yes or no and never the
word, for that somebody is a client already may tell of a need. The person reads their own.

A word holds until its end, where it has one. Each change, and each look of somebody else's, leaves an act behind. All
of it goes with the person. What bounds it: ``WORDS_MAX`` of one person.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

# Several times the inductions of a county.
WORDS_MAX: Final = 100


class Eligible(Struct, frozen=True, kw_only=True):
    """A word that somebody was given; it holds from then until ``ends_at``."""

    word: str
    given_at: datetime
    ends_at: datetime | None


class Eligibility:
    """Giving words and withdrawing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller, person: UUID) -> Sequence[Eligible]:
        """A person's words in the order of the alphabet, for the scheme and themselves; those that ended too."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            await acts.record(raw, caller, holder, "eligibility_read", None, self._clock())
            rows = await raw.fetch("SELECT * FROM scheme.eligible WHERE person = $1 ORDER BY word", person)
        return [_eligible(row) for row in rows]

    async def asked_for(self, caller: Caller) -> Sequence[str]:
        """The words that offers ask for, those that ended aside, in the order of the alphabet; for the scheme."""
        if caller.scope is not Scope.SCHEME:
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            return [row["word"] for row in await driver(connection).fetch(_ASKED_FOR)]

    async def give(self, caller: Caller, person: UUID, word: str, ends_at: datetime | None) -> Eligible:
        """Have the word hold for them from now until then; given again, it has the new end."""
        now = self._clock()
        if ends_at is not None and ends_at <= now:
            raise Declined(Refusal.WRONG_VALUES, fields=(("ends_at", "must lie ahead"),))
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _locked(raw, person)
            row = await raw.fetchrow(_ONE, person, word)
            if row is not None and row["ends_at"] == ends_at:
                return _eligible(row)
            if row is None and await raw.fetchval(_COUNT, person) >= WORDS_MAX:
                raise Declined(Refusal.WRONG_STATE, f"They have {WORDS_MAX} words, and that is the most.")
            await acts.record(raw, caller, holder, "eligibility_given", None, now)
            await raw.execute(_GIVE, person, word, now, caller.identity, ends_at)
        return Eligible(word=word, given_at=now, ends_at=ends_at)

    async def withdraw(self, caller: Caller, person: UUID, word: str) -> None:
        """Have it hold no more; a word that they don't have stays away."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _locked(raw, person)
            withdrawn = await raw.fetchval(_WITHDRAW, person, word)
            if withdrawn is not None:
                await acts.record(raw, caller, holder, "eligibility_withdrawn", None, self._clock())


async def _locked(raw: asyncpg.Connection, person: UUID) -> UUID:
    """Their holder, locked: nobody is erased meanwhile."""
    holder = (await lock_people(raw, [person])).get(person)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND)
    return holder


def _eligible(row: asyncpg.Record) -> Eligible:
    return Eligible(word=row["word"], given_at=row["given_at"], ends_at=row["ends_at"])


_ASKED_FOR = """
SELECT DISTINCT word FROM scheme.offer o, jsonb_array_elements_text(o.terms::jsonb -> 'requires') word
WHERE o.status <> 'ended' ORDER BY word
"""
_ONE = "SELECT word, given_at, ends_at FROM scheme.eligible WHERE person = $1 AND word = $2"
_COUNT = "SELECT count(*) FROM scheme.eligible WHERE person = $1"
_GIVE = """
INSERT INTO scheme.eligible (person, word, given_at, given_by, ends_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person, word) DO UPDATE
    SET given_at = excluded.given_at, given_by = excluded.given_by, ends_at = excluded.ends_at
"""
_WITHDRAW = "DELETE FROM scheme.eligible WHERE person = $1 AND word = $2 RETURNING word"
