"""People: somebody to be called by a name, and the holder that the journal knows in their stead.

The only thing a person must give is a name to be called by. The holder's id is random and tells nothing; it alone
stands in the journal, and what a venue is shown. What somebody has is read from the journal and never stored here.

Who sees what: the scheme and the person's own key all of it; a project the name of whoever came or gave hours to it,
and what they have once they gave; a helper what they have, where they may. To anybody else the person isn't there.

A contact is used whenever it is set or shown, and goes 24 months after that (rule 28). Staff who change somebody or see
how they may be reached, and helpers who look, leave an act behind in the same transaction (see ``acts``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts
from ledger.scheme.acts import Act, is_own
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.guardians import award_waiting
from ledger.scheme.helping import May, may_act
from ledger.scheme.namesakes import NameKnown, Namesake
from ledger.scheme.refusals import Declined, Refusal

# Whom somebody looks through who is asked which one it is.
NAMESAKES_MAX: Final = 20
_BEGINNING: Final = UUID(int=0)


class AgeBand(StrEnum):
    """How old somebody is, as far as anything here depends on it. A birth date is never asked."""

    UNDER_8 = "under_8"
    FROM_8 = "8_to_15"
    FROM_16 = "16_to_17"
    ADULT = "18_and_over"


class Channel(StrEnum):
    """How somebody would like to be reached."""

    EMAIL = "email"
    TEXT = "text"
    PHONE = "phone"
    POST = "post"
    IN_PERSON = "in_person"


class Reach(Struct, frozen=True, kw_only=True):
    """How somebody may be reached: all of it optional. ``safe`` is whether it is safe to do so, if that is known."""

    email: str | None = None
    phone: str | None = None
    address: str | None = None
    channel: Channel | None = None
    safe: bool | None = None


class Contact(Reach, frozen=True, kw_only=True):
    """The same as it is shown: with what to heed before it is used, unless it is known to be safe."""

    caution: str | None


class Person(Struct, frozen=True, kw_only=True):
    """A person and the id under which the journal knows them; what isn't shown to everybody is left out."""

    id: UUID
    holder: UUID
    name: str
    created_at: datetime
    age_band: AgeBand | UnsetType | None = UNSET
    contact: Contact | UnsetType | None = UNSET


class NewPerson(Struct, frozen=True, kw_only=True, tag="person", tag_field="operation"):
    """Somebody to be made known."""

    name: str
    age_band: AgeBand | None = None
    contact: Reach | None = None


class Changes(Struct, frozen=True, kw_only=True):
    """What is to be another from now on: None clears, UNSET leaves as it is, ``contact`` has the fields that change."""

    name: str | UnsetType = UNSET
    age_band: AgeBand | UnsetType | None = UNSET
    contact: Mapping[str, str | bool | None] | UnsetType | None = UNSET


class Balance(Struct, frozen=True, kw_only=True):
    """What a person has, in minutes: to spend now, and authorised somewhere but not yet captured."""

    available: int
    held: int


class _Made(Struct, frozen=True):
    """What is kept of making somebody known: nothing that an erasure must reach."""

    id: UUID
    holder: UUID
    created_at: datetime


def first_name(name: str) -> str:
    """What comes first in somebody's name: all that a till or a venue's list is told of it."""
    return next(iter(name.split()), name)


async def holder_of(raw: asyncpg.Connection, person: UUID) -> UUID:
    """The holder that the journal knows in the person's stead, or ``not_found``."""
    holder: UUID | None = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", person)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND)
    return holder


async def is_known_to(raw: asyncpg.Connection, holder: UUID, project: UUID | None) -> bool:
    """Whether that holder's person came or gave hours to the project."""
    return bool(await raw.fetchval(_KNOWN_TO, holder, project))


async def make_known(raw: asyncpg.Connection, names: Sequence[str], now: datetime) -> Sequence[tuple[UUID, UUID]]:
    """Make newcomers known by their names, each with a wallet; and return person and holder of each, in order."""
    made = [(uuid4(), uuid4()) for _ in names]
    await raw.execute(_NEWCOMERS, [person for person, _ in made], names, [holder for _, holder in made], now)
    return made


class People:
    """Making people known, changing what is known of them, and reading what they have."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def create(
        self, caller: Caller, key: str, newcomer: NewPerson, *, another: bool = True
    ) -> tuple[Person, bool]:
        """A new person with an empty wallet, and whether this is a replay. Two of the same name are two people.

        Not ``another``: declines with `NameKnown` where somebody is called so already.
        """

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            if not another and (rows := await raw.fetch(_CALLED, newcomer.name, NAMESAKES_MAX)):
                raise NameKnown([Namesake(**row) for row in rows])
            made = _Made(uuid4(), uuid4(), now)
            await raw.execute(_CREATE, made.id, newcomer.name, newcomer.age_band, now, made.holder)
            if newcomer.contact is not None:
                await _set_contact(raw, made.id, newcomer.contact, now)
            await acts.by_staff(raw, caller, "person_added", None, now, holder=made.holder)
            return made

        made, replayed = await self._answers.once(caller, key, newcomer, work, _Made)
        # The rest is what was just asked: the same words, whatever became of the person since.
        person = Person(
            id=made.id,
            holder=made.holder,
            name=newcomer.name,
            created_at=made.created_at,
            age_band=newcomer.age_band,
            contact=_shown(newcomer.contact),
        )
        return person, replayed

    async def holder(self, id_: UUID) -> UUID:
        """The holder that the journal knows in the person's stead, or ``not_found``."""
        async with self._database.reading() as connection:
            return await holder_of(driver(connection), id_)

    async def name_of(self, holder: UUID) -> str:
        """What somebody is called, by their holder; ``not_found`` if they were erased."""
        async with self._database.reading() as connection:
            name: str | None = await driver(connection).fetchval(_NAME_OF, holder)
        if name is None:
            raise Declined(Refusal.NOT_FOUND)
        return name

    async def read(self, caller: Caller, id_: UUID) -> Person:
        """The person as the caller may see them, or ``not_found``."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            person = await _person(raw, id_)
            if caller.scope is Scope.PROJECT:
                if not await is_known_to(raw, person.holder, caller.object):
                    raise Declined(Refusal.NOT_FOUND)
                assert caller.object is not None
                await acts.read_names_at(raw, caller, [caller.object], now, holder=person.holder)
                return msgspec.structs.replace(person, age_band=UNSET)
            if caller.scope is not Scope.SCHEME and not is_own(caller, person.holder):
                raise Declined(Refusal.NOT_FOUND)
            return await _with_contact(raw, caller, person, now)

    async def named(self, prefix: str, *, after: tuple[str, UUID] | None, limit: int) -> Sequence[Person]:
        """People with a word in their name that begins so, in any case, by that word and what follows it, then by name.

        Without their contacts; ``after`` is the last one seen, by what they were called then. Of no prefix, everybody
        by name.
        """
        async with self._database.reading() as connection:
            raw = driver(connection)
            rows = await raw.fetch(_NAMED if prefix else _LIST, prefix, *(after or (prefix, _BEGINNING)), limit)
        return [_read(row) for row in rows]

    async def change(self, caller: Caller, id_: UUID, changes: Changes) -> Person:
        """Set what is given and leave the rest.

        How old somebody is, is for staff to say, for it decides who consents; hours that no longer have to wait for a
        consent are awarded with it. So is their email: whoever reads mail there signs in as them, and a key that got
        into others' hands shall not become a way in that outlives it.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, id_)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            if caller.scope is not Scope.SCHEME and changes.age_band is not UNSET:
                raise Declined(Refusal.STAFF_ONLY, fields=(("age_band", "is changed by the office"),))
            # Awards look at the age band under the same lock.
            await lock_holders(raw, [holder])
            before = await _person(raw, id_)
            name = before.name if changes.name is UNSET else changes.name
            age_band = before.age_band if changes.age_band is UNSET else changes.age_band
            await raw.execute("UPDATE scheme.person SET name = $2, age_band = $3 WHERE id = $1", id_, name, age_band)
            if changes.contact is not UNSET:
                row = await raw.fetchrow(_USE_CONTACT, id_, now)
                reach = _reach(row) if row is not None else Reach()
                given = Reach() if changes.contact is None else msgspec.structs.replace(reach, **changes.contact)
                if caller.scope is not Scope.SCHEME and given.email != reach.email:
                    raise Declined(Refusal.STAFF_ONLY, fields=(("contact.email", "is changed by the office"),))
                await _set_contact(raw, id_, given, now)
            if changes != Changes():
                await acts.record(raw, caller, holder, "person_changed", None, now)
            person = await _with_contact(raw, caller, await _person(raw, id_), now)
            if changes.age_band is not UNSET:
                await award_waiting(raw, caller, holder, now)
            return person

    async def balance(self, caller: Caller, id_: UUID) -> Balance:
        """What the person has. A figure alone, and programs ask for it by the thousand: staff's look leaves no act."""
        is_staff = caller.scope is Scope.SCHEME
        async with self._database.reading() if is_staff else self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _shown_to(raw, caller, id_)
            wallet, held = account("wallet", holder), account("held", holder)
            found = await reading.balances(raw, [wallet, held])
            if not is_staff:
                await acts.looked(raw, caller, holder, "balance_read", None, self._clock())
        return Balance(available=found[wallet], held=found[held])

    async def statement(self, caller: Caller, id_: UUID, *, before: int | None, limit: int) -> Sequence[reading.Line]:
        """The wallet's newest lines, newest first; ``before`` is the sequence number of the last one seen."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _shown_to(raw, caller, id_)
            lines = await reading.statement(raw, account("wallet", holder), before=before, limit=limit)
            issued = {line.other for line in lines if line.other.startswith("issued:")}
            gave_at = [UUID(name.partition(":")[2]) for name in issued]
            await acts.looked(raw, caller, holder, "statement_read", None, self._clock(), projects=gave_at)
            return lines

    async def acts_about(self, caller: Caller, id_: UUID, *, before: UUID | None, limit: int) -> Sequence[Act]:
        """Who did what for or about the person, newest first; ``before`` is the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, id_)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            return await acts.listed(raw, holder, before=before, limit=limit)


async def _shown_to(raw: asyncpg.Connection, caller: Caller, person: UUID) -> UUID:
    """The person's holder, if the caller may look at what they have: a project, once they gave hours to it."""
    holder = await holder_of(raw, person)
    if caller.scope is Scope.PROJECT:
        seen = await raw.fetchval(_GAVE_HOURS_TO, holder, caller.object)
    else:
        seen = await may_act(raw, caller, holder, May.BALANCE)
    if not seen:
        raise Declined(Refusal.NOT_FOUND)
    return holder


async def _person(raw: asyncpg.Connection, id_: UUID) -> Person:
    row = await raw.fetchrow(_BY_ID, id_)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return _read(row)


def _read(row: asyncpg.Record) -> Person:
    return Person(
        id=row["id"],
        holder=row["holder"],
        name=row["name"],
        created_at=row["created_at"],
        age_band=None if row["age_band"] is None else AgeBand(row["age_band"]),
    )


async def _with_contact(raw: asyncpg.Connection, caller: Caller, person: Person, now: datetime) -> Person:
    """The person with their contact, which is thereby used, and seen by the caller."""
    row = await raw.fetchrow(_USE_CONTACT, person.id, now)
    if row is None:
        return msgspec.structs.replace(person, contact=None)
    await acts.record(raw, caller, person.holder, "contact_read", None, now)
    return msgspec.structs.replace(person, contact=_shown(_reach(row)))


async def _set_contact(raw: asyncpg.Connection, person: UUID, reach: Reach, now: datetime) -> None:
    """Keep it; of one that says nothing, nothing is kept."""
    if reach == Reach():
        await raw.execute("DELETE FROM scheme.contact WHERE person = $1", person)
    else:
        await raw.execute(_SET_CONTACT, person, *msgspec.structs.astuple(reach), now)


def _reach(row: asyncpg.Record) -> Reach:
    return Reach(
        email=row["email"],
        phone=row["phone"],
        address=row["address"],
        channel=None if row["channel"] is None else Channel(row["channel"]),
        safe=row["safe"],
    )


def _shown(reach: Reach | None) -> Contact | None:
    if reach is None or reach == Reach():
        return None
    return Contact(**msgspec.structs.asdict(reach), caution=_CAUTIONS[reach.safe])


_CAUTIONS: Final[Mapping[bool | None, str | None]] = {
    True: None,
    None: "We don't know whether it is safe to contact them here: ask them first.",
    False: "It is not safe to contact them here: somebody else may see or hear it. Speak with them in person.",
}

_CREATE = """
WITH person AS (INSERT INTO scheme.person (id, name, age_band, created_at) VALUES ($1, $2, $3, $4) RETURNING id)
INSERT INTO scheme.holder (id, person) SELECT $5, id FROM person
"""
_NEWCOMERS = """
WITH person AS (
    INSERT INTO scheme.person (id, name, created_at)
    SELECT u.person, u.name, $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) u (person, name, holder)
)
INSERT INTO scheme.holder (id, person)
SELECT u.holder, u.person FROM unnest($1::uuid[], $2::text[], $3::uuid[]) u (person, name, holder)
"""
_BY_ID = """
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id
WHERE p.id = $1
"""
_NAME_OF = "SELECT p.name FROM scheme.holder h JOIN scheme.person p ON p.id = h.person WHERE h.id = $1"
# In the order of the index, which is that of the bytes; $1 is empty.
_LIST = """
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id
WHERE lower(p.name) ~>=~ lower($2::text) AND (lower(p.name) <> lower($2::text) OR p.id > $3) AND $1::text IS NOT NULL
ORDER BY lower(p.name) USING ~<~, p.id
LIMIT $4
"""
# Who is called just so, those who came first.
_CALLED = """
SELECT p.id AS person, p.name, p.created_at AS since, EXISTS (
    SELECT FROM scheme.credential k WHERE k.holder = h.id AND k.kind = 'card' AND k.status IN ('active', 'blocked')
) AS has_card
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id
WHERE lower(p.name) = lower($1::text)
ORDER BY p.created_at, p.id LIMIT $2
"""
# Each by the first part of their name that is wanted, and once. No character is above the last. The parts come by
# index; whoever has the same one is sorted by name: 750 people of one surname among 60,000 take 20 ms.
_NAMED = f"""
WITH last AS MATERIALIZED (
    SELECT min(part COLLATE "C") AS part, CASE WHEN $3::uuid = '{_BEGINNING}' THEN '' ELSE lower($2::text) END AS name
    FROM scheme.parts_of($2::text) part
    WHERE part COLLATE "C" BETWEEN lower($1::text) AND lower($1::text) || chr(1114111)
)
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at
FROM scheme.name_part n JOIN scheme.person p ON p.id = n.person JOIN scheme.holder h ON h.person = p.id
WHERE n.part BETWEEN (SELECT part FROM last) AND lower($1::text) || chr(1114111)
    AND (n.part, lower(p.name) COLLATE "C", n.person) > ((SELECT part FROM last), (SELECT name FROM last), $3::uuid)
    AND NOT EXISTS (
        SELECT FROM scheme.name_part o WHERE o.person = n.person AND o.part >= lower($1::text) AND o.part < n.part
    )
ORDER BY n.part, lower(p.name) COLLATE "C", n.person
LIMIT $4
"""  # noqa: S608  # a piece of our own
_USE_CONTACT = """
UPDATE scheme.contact SET used_at = $2 WHERE person = $1 RETURNING email, phone, address, channel, safe
"""
_SET_CONTACT = """
INSERT INTO scheme.contact (person, email, phone, address, channel, safe, changed_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (person) DO UPDATE SET email = excluded.email, phone = excluded.phone, address = excluded.address,
    channel = excluded.channel, safe = excluded.safe, changed_at = excluded.changed_at, used_at = excluded.used_at
"""
_KNOWN_TO = """
SELECT EXISTS (
    SELECT FROM scheme.attendance a JOIN scheme.session s ON s.id = a.session WHERE a.holder = $1 AND s.project = $2
) OR EXISTS (SELECT FROM scheme.counted WHERE holder = $1 AND project = $2)
"""
# Approved hours only, or a project could claim a quarter of an hour for anybody to see what they have. Those that were
# taken back whole count as never given: who was listed by mistake is nobody to that project.
_GAVE_HOURS_TO = """
SELECT EXISTS (SELECT FROM scheme.counted WHERE holder = $1 AND project = $2 AND state = 'approved')
"""
