"""Letters: mail that is to be sent, written in the transaction that made it so.

    write -> due: leased to whoever sends it -> sent: its words go        -> failed: tried again later, or given up

Whoever takes a letter has `LEASE` to send it: meanwhile it is nobody else's, and later it is anybody's again, so what a
killed process had taken is sent by the next. So a letter is sent once, or again where it isn't known whether it was;
its id stands in it, by which mailboxes know the second one. What failed is tried after a growing pause, until nobody
would want it any more (``ends_at``).

A letter may hold a secret, and says who has to do with us: what was sent, was given up or is over loses its words and
whom they were for, and an erased person's are deleted. Nothing here sends: ``doors/mail`` does, outside of every
transaction. Where nothing is sent, in a demo, the newest can be read on a page instead (``latest``).

Some letters are asked for, to sign in; others come by themselves (``telling``), to whom `WRITTEN_TO` says.

What bounds it: `LEASED_MAX` at a time, `PAUSES` from the first try to the last; a row goes when its letter is over.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme.clock import Clock

# One connection to a mail server sends so many within a second, and a slow one within the lease.
LEASED_MAX: Final = 20
LEASE: Final = timedelta(minutes=2)
# Somebody waits in front of the screen, so the first come soon; most servers that are away are back within the hour.
PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (10, 30, 60, 120, 300, 900, 3600, 2 * 3600, 4 * 3600, 8 * 3600)
)
_FORGOTTEN_AT_ONCE: Final = 500

# Whom we write to of our own accord, of a contact ``c`` and a preference ``f``: not while they take a break; at an
# address that is safe, or, where nobody has asked whether it is, because they chose to be written to.
WRITTEN_TO: Final = """(
    c.email IS NOT NULL AND c.safe IS NOT FALSE AND (c.channel = 'email' OR c.channel IS NULL AND c.safe)
    AND f.paused_at IS NULL
) IS TRUE"""

Say = Callable[[str, str], str]
"""The sentence in a language: given its code and the English one."""


def english(_language: str, sentence: str) -> str:
    """The sentence as it is: where no translations are at hand."""
    return sentence


class Words(NamedTuple):
    """What a letter says."""

    subject: str
    body: str


class Letter(Struct, frozen=True, kw_only=True):
    """A letter that waits; ``tries`` counts this one too."""

    id: UUID
    at: datetime
    recipient: str
    subject: str
    body: str
    tries: int
    ends_at: datetime

    def __repr__(self) -> str:
        """Without its words and whom they are for: those have no place in a log."""
        return f"Letter(id={self.id!r}, tries={self.tries})"


async def write(  # noqa: PLR0917  # each has its own meaning, and the order is that of an envelope
    raw: asyncpg.Connection,
    holder: UUID | None,
    recipient: str,
    words: Words,
    ends_at: datetime,
    now: datetime,
) -> UUID:
    """Have it sent, in the caller's transaction; ``ends_at`` is when nobody would want it any more."""
    id_ = UUID(new_key())
    await raw.execute(_WRITE, id_, now, holder, recipient, words.subject, words.body, ends_at)
    return id_


class Letters:
    """Taking the letters that wait, and telling what became of them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def due(self, limit: int = LEASED_MAX) -> Sequence[Letter]:
        """Some that are to be sent now, the longest waiting first: the caller's for as long as `LEASE`."""
        now = self._clock()
        async with self._database.transaction() as connection:
            rows = await driver(connection).fetch(_DUE, now, now + LEASE, limit)
        return [_letter(row) for row in sorted(rows, key=lambda row: row["id"])]

    async def sent(self, id_: UUID) -> None:
        """It is on its way: its words go."""
        async with self._database.transaction() as connection:
            await driver(connection).execute(_SENT, id_, self._clock())

    async def failed(self, letter: Letter, *, for_good: bool = False) -> None:
        """Try it again after a pause; or never, for nobody would take it (or it is too late), and its words go."""
        again_at = self._clock() + PAUSES[min(letter.tries, len(PAUSES)) - 1]
        async with self._database.transaction() as connection:
            raw = driver(connection)
            if for_good or again_at >= letter.ends_at:
                await raw.execute(_GIVE_UP, letter.id)
            else:
                await raw.execute(_AGAIN, letter.id, again_at)

    async def latest(self, limit: int) -> Sequence[Letter]:
        """The newest that wait, newest first. For the page that a demo has in place of a mail server, and no other."""
        async with self._database.reading() as connection:
            return [_letter(row) for row in await driver(connection).fetch(_LATEST, self._clock(), limit)]


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some that are over, sent or not, and return how many they were."""
    return int((await raw.execute(_FORGET, now, _FORGOTTEN_AT_ONCE)).split()[-1])


def _letter(row: asyncpg.Record) -> Letter:
    return Letter(
        id=row["id"],
        at=row["at"],
        recipient=row["recipient"],
        subject=row["subject"],
        body=row["body"],
        tries=row["tries"],
        ends_at=row["ends_at"],
    )


_WRITE = """
INSERT INTO scheme.letter (id, at, holder, recipient, subject, body, next_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $2, $7)
"""
# What is over is left to be forgotten.
_DUE = """
UPDATE scheme.letter SET tries = tries + 1, next_at = $2
WHERE id = ANY(ARRAY(
    SELECT id FROM scheme.letter
    WHERE sent_at IS NULL AND body IS NOT NULL AND next_at <= $1 AND ends_at > $1
    ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED
))
RETURNING id, at, recipient, subject, body, tries, ends_at
"""
_SENT = "UPDATE scheme.letter SET sent_at = $2, recipient = NULL, body = NULL WHERE id = $1"
_AGAIN = "UPDATE scheme.letter SET next_at = $2 WHERE id = $1 AND sent_at IS NULL"
_GIVE_UP = "UPDATE scheme.letter SET recipient = NULL, body = NULL WHERE id = $1 AND sent_at IS NULL"
# By an index on when it is over: few letters wait for longer than a day.
_LATEST = """
SELECT id, at, recipient, subject, body, tries, ends_at FROM scheme.letter
WHERE sent_at IS NULL AND body IS NOT NULL AND ends_at > $1
ORDER BY at DESC, id DESC LIMIT $2
"""
_FORGET = """
DELETE FROM scheme.letter WHERE id = ANY(ARRAY(SELECT id FROM scheme.letter WHERE ends_at <= $1 LIMIT $2))
"""
