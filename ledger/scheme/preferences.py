"""Preferences: how somebody would like the service to be, and what others may see of them.

They are the person's own; staff may set them for who can't, and that stands in the person's acts. Who never said
anything has the defaults, and no row. A change sets what it names and leaves the rest: one statement, so two changes at
once each count, and the same again changes nothing (``paused_at`` stays that of the first).

Bounded: one row a person, `MILESTONES_MAX` milestones; it goes with the person.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import UNSET, Struct, UnsetType

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

MILESTONES_MAX: Final = 20
# More hours than a working life has: 50 years of 200 days of 10 hours.
HOURS_MAX: Final = 100_000


class Language(StrEnum):
    """In what language pages and letters are, as far as they are translated."""

    ENGLISH = "en"
    WELSH = "cy"


class Preference(Struct, frozen=True, kw_only=True):
    """How somebody would like it, by default as a newcomer has it."""

    language: Language = Language.ENGLISH
    large_print: bool = False
    quiet: bool = False
    """Written to only about what they must know (``telling``)."""
    paused_at: datetime | None = None
    """Taking a break since then: not written to, but to sign in and for their safety."""
    named: bool = True
    """Whether others of their groups may choose them by first name, to give or to ask for help (``acquaintance``)."""
    milestones: Sequence[int] = ()
    """Hours at which they would like a certificate, in order."""


class PreferenceChanges(Struct, frozen=True, kw_only=True):
    """What is to be another from now on; UNSET stays."""

    language: Language | UnsetType = UNSET
    large_print: bool | UnsetType = UNSET
    quiet: bool | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    named: bool | UnsetType = UNSET
    milestones: Sequence[int] | UnsetType = UNSET


class Preferences:
    """Reading and setting preferences: one's own, or staff anybody's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(self, caller: Caller, person: UUID) -> Preference:
        """How the person would like it."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            _check_may(caller, await holder_of(raw, person))
            return await preference_of(raw, person)

    async def change(self, caller: Caller, person: UUID, changes: PreferenceChanges) -> Preference:
        """Set what is given and leave the rest."""
        if changes.milestones is not UNSET:
            _check_milestones(changes.milestones)
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            _check_may(caller, await holder_of(raw, person))
            # Locked, so that nobody is erased meanwhile.
            holder = (await lock_people(raw, [person])).get(person)
            if holder is None:
                raise Declined(Refusal.NOT_FOUND)
            if changes != PreferenceChanges():
                await raw.execute(_SET, person, *_arguments(changes), now)
                await acts.record(raw, caller, holder, "preferences_changed", None, now)
            return await preference_of(raw, person)


async def preference_of(raw: asyncpg.Connection, person: UUID) -> Preference:
    """What stands of that person, or the defaults."""
    row = await raw.fetchrow(_READ, person)
    if row is None:
        return Preference()
    return Preference(**{**row, "language": Language(row["language"])})


def _check_may(caller: Caller, holder: UUID) -> None:
    if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
        raise Declined(Refusal.NOT_FOUND)


def _check_milestones(milestones: Sequence[int]) -> None:
    if len(milestones) > MILESTONES_MAX:
        said = f"must be {MILESTONES_MAX} at most"
    elif not all(1 <= hours <= HOURS_MAX for hours in milestones):
        said = f"must be whole hours from 1 to {HOURS_MAX}"
    else:
        return
    raise Declined(Refusal.WRONG_VALUES, fields=(("milestones", said),))


def _arguments(changes: PreferenceChanges) -> Sequence[object]:
    """What `_SET` takes: None for what stays."""
    milestones = None if changes.milestones is UNSET else sorted(set(changes.milestones))
    others = (changes.language, changes.large_print, changes.quiet, changes.paused, changes.named)
    return [*(None if value is UNSET else value for value in others), milestones]


_READ = "SELECT language, large_print, quiet, paused_at, named, milestones FROM scheme.preference WHERE person = $1"
_SET = """
INSERT INTO scheme.preference AS p (person, language, large_print, quiet, paused_at, named, milestones, changed_at)
VALUES ($1, coalesce($2::text, 'en'), coalesce($3::boolean, false), coalesce($4::boolean, false),
    CASE WHEN $5::boolean THEN $8::timestamptz END, coalesce($6::boolean, true), coalesce($7::integer[], '{}'), $8)
ON CONFLICT (person) DO UPDATE SET language = coalesce($2, p.language), large_print = coalesce($3, p.large_print),
    quiet = coalesce($4, p.quiet), named = coalesce($6, p.named), milestones = coalesce($7, p.milestones),
    paused_at = CASE WHEN $5 IS NULL THEN p.paused_at WHEN $5 THEN coalesce(p.paused_at, $8) END, changed_at = $8
"""
