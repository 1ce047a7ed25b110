"""Paper notes of the scheme before this one: whoever brings some has their minutes put into a wallet, each note once.

    lock the holder -> the serials, each new? -> opening:notes -> wallet: one entry for all that were brought

A serial is read without its spaces and hyphens and in capitals, so that it is the same note however it was typed. All
that is brought is taken in, or nothing. Two who bring the same note at once wait for each other at its row, in the
order of the serials, so none deadlock; one of them wins.

What bounds it: ``NOTES_MAX`` at a time. A serial stays for ever, without a word of whoever brought it but their holder.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database
from ledger.journal.entries import Entry, Transfer, entry_id
from ledger.journal.posting import post
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_people
from ledger.scheme.callers import Caller
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal, settled

# A purse of them; who brings more comes with a box, and can be asked twice.
NOTES_MAX: Final = 100
SOURCE: Final = "opening:notes"
_NOT_READ: Final = str.maketrans({" ": None, "-": None})


class Note(Struct, frozen=True):
    """A note as it was brought: its serial, as somebody typed it, and what it is worth."""

    serial: str
    minutes: int


class Bring(Struct, frozen=True, kw_only=True, tag="bring_notes", tag_field="operation"):
    """Notes, and whose wallet they go to."""

    person: UUID
    notes: Sequence[Note]


class Taken(Struct, frozen=True, kw_only=True):
    """Notes that were taken in, by the entry of this id: how many, and what they came to."""

    id: UUID
    person: UUID
    notes: int
    minutes: int
    recorded_at: datetime


class Notes:
    """Taking in notes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._answers = Answers(database, clock)

    async def take(self, caller: Caller, key: str, bring: Bring) -> tuple[Taken, bool]:
        """Put what the notes are worth into somebody's wallet; and whether this is the replay of an answer."""
        asked = Bring(person=bring.person, notes=[Note(as_read(note.serial), note.minutes) for note in bring.notes])

        async def work(raw: asyncpg.Connection, now: datetime) -> Taken:
            return await _take(raw, caller, entry_id(caller.principal, key), asked, now)

        return await self._answers.once(caller, key, asked, work, Taken)


def as_read(serial: str) -> str:
    """The serial as it is kept."""
    return serial.upper().translate(_NOT_READ)


async def _take(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: Bring, now: datetime) -> Taken:
    holder = (await lock_people(raw, [asked.person])).get(asked.person)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND, "There is no such person.")
    places: dict[str, int] = {}
    faults = []
    for number, note in enumerate(asked.notes):
        if not note.serial:
            faults.append((f"notes[{number}].serial", "must have a letter or a digit"))
        elif (first := places.setdefault(note.serial, number)) != number:
            faults.append((f"notes[{number}].serial", f"is that of notes[{first}] too"))
    if faults or not 0 < len(asked.notes) <= NOTES_MAX:
        faults = faults or [("notes", f"must be 1 to {NOTES_MAX}")]
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))
    minutes = sum(note.minutes for note in asked.notes)
    new = await raw.fetch(
        _TAKE,
        holder,
        id_,
        now,
        caller.identity,
        [note.serial for note in asked.notes],
        [note.minutes for note in asked.notes],
    )
    known = places.keys() - {row["serial"] for row in new}
    if known:
        # By their place: an answer is kept for ever, and what somebody typed needn't be.
        fields = tuple(
            (f"notes[{places[serial]}].serial", "was taken in before") for serial in places if serial in known
        )
        raise Declined(Refusal.ALREADY_USED, "Some of these notes were taken in before.", fields=fields)
    await acts.record(raw, caller, holder, "notes_taken", id_, now)
    event = Event(topic=Topic.NOTES_TAKEN, holder=holder, object=id_, body={"minutes": minutes})
    await outbox.put(raw, [event], now)
    entry = Entry(
        id=id_,
        transfers=(Transfer(SOURCE, account("wallet", holder), minutes),),
        happened_at=now,
        actor=caller.identity,
        reference="notes",
    )
    (outcome,) = await post(raw, CHART, [entry], now)
    posted = settled(outcome)
    return Taken(
        id=posted.id, person=asked.person, notes=len(asked.notes), minutes=minutes, recorded_at=posted.recorded_at
    )


_TAKE = """
INSERT INTO scheme.note (holder, entry, taken_at, taken_by, serial, minutes)
SELECT $1, $2, $3, $4, u.* FROM unnest($5::text[], $6::integer[]) u (serial, minutes)
ORDER BY u.serial COLLATE "C"
ON CONFLICT ON CONSTRAINT note_pkey DO NOTHING
RETURNING serial
"""
