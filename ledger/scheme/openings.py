"""Opening balances: what people had in the scheme before this one, imported from a list, all of it or nothing.

    the list by itself -> lock the holders -> had any of them theirs already? -> newcomers -> one entry a line

A line is somebody we know, or a name of somebody new, who gets a wallet on the spot. Each line moves its minutes from
``opening:{source}`` to a wallet. Of one source, everybody has one opening balance: a list that was put right and is
sent once more under another key is declined for those who had theirs; and for a name that one of them bears, unless
its line says that this is ``another`` of that name. The journal tells who had, and it is asked after the source and the
holders are locked, so two lists at once can't both miss the other.

``preview`` looks at a list in the same way and writes nothing.

What bounds it: ``LINES_MAX`` lines, set-based. As in a register, the first line's entry has the key's own id, and the
others' ids end in their number after a space, which no key can hold.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer, entry_id
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import make_known
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.registers import Newcomer

LINES_MAX: Final = 5_000
# A thousand credits: nobody saved up more, and a slip of the finger is noticed.
MINUTES_MAX: Final = 60_000
# As many as a page can show; with 5,000 wrong lines the first say it.
FAULTS_MAX: Final = 100
# Paper notes come from there; see ``notes``.
_TAKEN: Final = "notes"
_SOURCE: Final = re.compile(r"[a-z][a-z_]{0,31}")

Faults = list[tuple[str, str]]


class OpeningLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who had how many minutes: one of the two says who. ``another`` may have the name of one who had theirs."""

    minutes: int
    person: UUID | None = None
    name: str | None = None
    another: bool = False


class Opening(Struct, frozen=True, kw_only=True, tag="open_balances", tag_field="operation"):
    """A list of balances; ``source`` is a word for where it comes from, and stands in the books."""

    source: str
    lines: Sequence[OpeningLine]


class Opened(Struct, frozen=True, kw_only=True):
    """A list that was taken over; its first line's entry has this id."""

    id: UUID
    source: str
    lines: int
    minutes: int
    newcomers: Sequence[Newcomer]
    recorded_at: datetime


class Preview(Struct, frozen=True, kw_only=True):
    """What a list would come to. ``namesakes`` are the lines whose name somebody else has, here or in the list."""

    lines: int
    minutes: int
    newcomers: int
    namesakes: Sequence[int]


class Openings:
    """Taking over balances."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def open(self, caller: Caller, key: str, opening: Opening) -> tuple[Opened, bool]:
        """Take over a list; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Opened:
            return await _open(raw, caller, key, opening, now)

        return await self._answers.once(caller, key, opening, work, Opened)

    async def preview(self, opening: Opening) -> Preview:
        """What the list would come to now; declines what `open` would decline."""
        _by_itself(opening)
        people = [line.person for line in opening.lines if line.person is not None]
        names = [line.name for line in opening.lines if line.name is not None]
        async with self._database.reading() as connection:
            raw = driver(connection)
            await _known(raw, opening, {row["person"]: row["id"] for row in await raw.fetch(_HOLDERS, people)})
            here = {row["name"] for row in await raw.fetch(_NAMESAKES, names)}
        times = Counter(name.casefold() for name in names)
        return Preview(
            lines=len(opening.lines),
            minutes=sum(line.minutes for line in opening.lines),
            newcomers=len(names),
            namesakes=[
                number
                for number, line in enumerate(opening.lines)
                if line.name is not None and (line.name in here or times[line.name.casefold()] > 1)
            ],
        )


async def _open(raw: asyncpg.Connection, caller: Caller, key: str, opening: Opening, now: datetime) -> Opened:
    _by_itself(opening)
    # Names have no row to lock. Lists come once or twice in a scheme's life.
    await raw.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"opening:{opening.source}")
    holders = await lock_people(raw, [line.person for line in opening.lines if line.person is not None])
    await _known(raw, opening, holders)
    named = [(number, line.name) for number, line in enumerate(opening.lines) if line.name is not None]
    made = await make_known(raw, [name for _, name in named], now) if named else ()
    newcomer = {number: ids for (number, _), ids in zip(named, made, strict=True)}
    entries, events = [], []
    for number, line in enumerate(opening.lines):
        holder = newcomer[number][1] if line.person is None else holders[line.person]
        id_ = entry_id(caller.principal, f"{key} {number}" if number else key)
        transfer = Transfer(f"opening:{opening.source}", account("wallet", holder), line.minutes)
        entries.append(
            Entry(id=id_, transfers=(transfer,), happened_at=now, actor=caller.identity, reference=opening.source)
        )
        events.append(Event(topic=Topic.BALANCE_OPENED, holder=holder, object=id_, body={"minutes": line.minutes}))
    await outbox.put(raw, events, now)
    await acts.by_staff(raw, caller, "balances_opened", entries[0].id, now)
    await post_new(raw, entries, now)
    return Opened(
        id=entries[0].id,
        source=opening.source,
        lines=len(entries),
        minutes=sum(line.minutes for line in opening.lines),
        newcomers=[Newcomer(line=number, person=person) for number, (person, _) in newcomer.items()],
        recorded_at=now,
    )


def _by_itself(opening: Opening) -> None:
    """Decline a list that is wrong whoever is in it."""
    faults: Faults = []
    if not _SOURCE.fullmatch(opening.source):
        faults.append(("source", "must be a word of small letters and underscores, 32 at most"))
    elif opening.source == _TAKEN:
        faults.append(("source", f"must be another word: {_TAKEN!r} is where paper notes come from"))
    if not 0 < len(opening.lines) <= LINES_MAX:
        faults.append(("lines", f"must be 1 to {LINES_MAX:,}"))
    seen: dict[UUID, int] = {}
    for number, line in enumerate(opening.lines):
        if not 0 < line.minutes <= MINUTES_MAX:
            faults.append((f"lines[{number}].minutes", f"must be 1 to {MINUTES_MAX:,}"))
        if (line.person is None) == (line.name is None):
            faults.append((f"lines[{number}]", "must have one of person and name"))
        elif line.another and line.name is None:
            faults.append((f"lines[{number}].another", "goes with a name"))
        elif line.person is not None and (first := seen.setdefault(line.person, number)) != number:
            faults.append((f"lines[{number}].person", f"stands in lines[{first}] already"))
    _decline(faults)


async def _known(raw: asyncpg.Connection, opening: Opening, holders: dict[UUID, UUID]) -> None:
    """Decline people who aren't there, or who had their balance from this source, and newcomers by their names."""
    source, wallets = f"opening:{opening.source}", [account("wallet", holder) for holder in holders.values()]
    had = {row["name"] for row in await raw.fetch(_HAD, source, wallets)}
    names = [line.name for line in opening.lines if line.name is not None and not line.another]
    bear = {row["name"] for row in await raw.fetch(_BEAR, source, names)}
    faults: Faults = []
    for number, line in enumerate(opening.lines):
        if line.person is None:
            if line.name in bear and not line.another:
                faults.append((f"lines[{number}].name", f"is that of somebody who had theirs from {opening.source}"))
            continue
        holder = holders.get(line.person)
        if holder is None:
            faults.append((f"lines[{number}].person", "is nobody of this scheme"))
        elif account("wallet", holder) in had:
            faults.append((f"lines[{number}].person", f"has an opening balance from {opening.source} already"))
    _decline(faults)


def _decline(faults: Faults) -> None:
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults[:FAULTS_MAX]))


_HOLDERS = "SELECT id, person FROM scheme.holder WHERE person = ANY($1::uuid[])"
_NAMESAKES = """
SELECT u.name FROM unnest($1::text[]) u (name)
WHERE EXISTS (SELECT FROM scheme.person p WHERE lower(p.name) = lower(u.name))
"""
_HAD = """
SELECT w.name
FROM journal.account w
WHERE w.name = ANY($2::text[]) AND EXISTS (
    SELECT FROM journal.transfer t
    WHERE t.credit = w.id AND t.debit = (SELECT id FROM journal.account WHERE name = $1)
)
"""
_BEAR = """
SELECT u.name FROM unnest($2::text[]) u (name)
WHERE EXISTS (
    SELECT FROM scheme.person p
    JOIN scheme.holder h ON h.person = p.id
    JOIN journal.account w ON w.name = 'wallet:' || replace(h.id::text, '-', '')
    JOIN journal.transfer t ON t.credit = w.id AND t.debit = (SELECT id FROM journal.account WHERE name = $1)
    WHERE lower(p.name) = lower(u.name)
)
"""
