"""Recovery: somebody lost their passkeys, and two of the staff see to it that they get a new one.

    ask (one of the staff) -> agree (another): passkeys and sign-ins end, an invitation goes out
                           -> decline, or 72 hours: over

The two are of the staff as they agree: who asked and has left since no longer counts. Neither is the person, and the
second isn't the first; the database sees to that as well. How the person may be reached is shown with when it was
changed last, and a change after the asking ends it: nobody has an address put in and then has a link sent there with
the agreement of somebody who knew of another.

All that ends and the invitation are one transaction. The link goes by letter; only where there is no safe address is it
told to whoever agreed, for the person beside them.

What bounds it: one that is open for a person, `LASTS`; `OPEN_MAX` on the page.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts, one_time, outbox, passkeys, sign_ins
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.letters import Say, english
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import need_staff

# Whoever asks on a Friday finds somebody to agree on Monday.
LASTS: Final = timedelta(hours=72)
# Of a hundred staff some lose a phone each week; with more than a page of them something else is wrong.
OPEN_MAX: Final = 100


class Recovery(Struct, frozen=True, kw_only=True):
    """A recovery that waits for another of the staff: for whom, who asked, and until when it can be agreed to."""

    id: UUID
    person: UUID
    name: str
    asked_at: datetime
    asked_by: UUID
    """The holder who asked."""
    asked_by_name: str | None
    ends_at: datetime
    contact_changed_at: datetime | None
    """When somebody last changed how the person may be reached: not lately, or there is something to ask about."""


class Agreed(Struct, frozen=True, kw_only=True):
    """A recovery that was agreed to: until when the invitation can be used, and whether it goes out by letter.

    Where it doesn't, ``link`` is for the person beside whoever agreed. It is like a key.
    """

    recovery: UUID
    ends_at: datetime
    written: bool
    link: str | None

    def __repr__(self) -> str:
        """Without the link, which has no place in a log."""
        return f"Agreed(recovery={self.recovery!r}, ends_at={self.ends_at!r}, written={self.written!r})"


class _Ask(Struct, frozen=True, kw_only=True, tag="recovery", tag_field="operation"):
    person: UUID


class _Agree(Struct, frozen=True, kw_only=True, tag="recovery_agree", tag_field="operation"):
    recovery: UUID


class _Asked(Struct, frozen=True):
    """What is kept of asking."""

    id: UUID


class _Invited(Struct, frozen=True):
    """What is kept of agreeing: no link."""

    invitation: UUID
    ends_at: datetime
    written: bool


class Recoveries:
    """Asking for recoveries, agreeing to them and declining them. ``say`` has the letter's words in other languages."""

    def __init__(self, database: Database, clock: Clock, secret: bytes, say: Say = english) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret
        self._say = say
        self._answers = Answers(database, clock)

    async def ask(self, caller: Caller, key: str, person: UUID) -> tuple[UUID, bool]:
        """Ask for that person's, and return its id; and whether this is the replay of an answer. Again: the same."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Asked:
            staff = await need_staff(raw, caller)
            holder = await holder_of(raw, person)
            if holder == staff:
                raise Declined(Refusal.SAME_APPROVER, "Ask somebody else of the staff to ask for you.")
            await lock_holders(raw, [holder])
            waits = await raw.fetchrow(_OPEN, holder)
            if waits is not None and _over(waits, now):
                await raw.execute(_END, waits["id"], now)
            elif waits is not None:
                if waits["asked_by"] != staff:
                    raise Declined(Refusal.WRONG_STATE, "Somebody else asked for it already: you can agree to that.")
                return _Asked(waits["id"])
            asked = _Asked(UUID(new_key()))
            await raw.execute(_ASK, asked.id, holder, now, staff)
            await _tell(raw, caller, Topic.RECOVERY_ASKED, holder, asked.id, now)
            return asked

        asked, replayed = await self._answers.once(caller, key, _Ask(person=person), work, _Asked)
        return asked.id, replayed

    async def agree(self, caller: Caller, key: str, recovery: UUID, *, address_of_link: str) -> tuple[Agreed, bool]:
        """Agree to it, as another of the staff; and whether this is the replay of an answer.

        ``address_of_link`` is what the invitation's link begins with: the service's own address.
        """

        async def work(raw: asyncpg.Connection, now: datetime) -> _Invited:
            staff = await need_staff(raw, caller)
            row = await _locked(raw, recovery)
            _look(row, staff, now)
            holder = row["holder"]
            await raw.execute(_AGREE, recovery, now, staff)
            await passkeys.end_all(raw, holder, now)
            await sign_ins.end_all(raw, holder, now)
            made = await one_time.invitation(raw, self._secret, caller, row["person"], address_of_link, now, self._say)
            await _tell(raw, caller, Topic.RECOVERY_AGREED, holder, recovery, now)
            return _Invited(made.id, made.ends_at, made.written)

        made, replayed = await self._answers.once(caller, key, _Agree(recovery=recovery), work, _Invited)
        link = f"{address_of_link}/sign-in/{one_time.invitation_link(self._secret, made.invitation)}"
        agreed = Agreed(
            recovery=recovery, ends_at=made.ends_at, written=made.written, link=None if made.written else link
        )
        return agreed, replayed

    async def decline(self, caller: Caller, recovery: UUID) -> None:
        """End it without more, as anybody of the staff, whoever asked and the person too; again: nothing changes."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await need_staff(raw, caller)
            row = await _locked(raw, recovery)
            if row["agreed_at"] is not None:
                raise Declined(Refusal.WRONG_STATE, "It was agreed to already.")
            if row["ended_at"] is None:
                await raw.execute(_END, recovery, now)
                await _tell(raw, caller, Topic.RECOVERY_DECLINED, row["holder"], recovery, now)

    async def waiting(self, caller: Caller) -> Sequence[Recovery]:
        """Those that can be agreed to now, the oldest first."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            await need_staff(raw, caller)
            rows = await raw.fetch(_WAITING, now - LASTS, OPEN_MAX)
        return [
            Recovery(
                id=row["id"],
                person=row["person"],
                name=row["name"],
                asked_at=row["asked_at"],
                asked_by=row["asked_by"],
                asked_by_name=row["asked_by_name"],
                ends_at=row["asked_at"] + LASTS,
                contact_changed_at=row["changed_at"],
            )
            for row in rows
        ]


async def end_all(raw: asyncpg.Connection, holder: UUID, now: datetime) -> None:
    """End what waits for that holder, in the caller's transaction: they leave, or are erased."""
    await raw.execute(_END_ALL, holder, now)


async def _locked(raw: asyncpg.Connection, id_: UUID) -> asyncpg.Record:
    """The recovery, once its person and it are locked: in this order everywhere."""
    holder = await raw.fetchval("SELECT holder FROM scheme.recovery WHERE id = $1", id_)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND)
    await lock_holders(raw, [holder])
    row = await raw.fetchrow(_BY_ID, id_)
    assert row is not None, "no recovery is ever deleted"
    return row


def _look(row: asyncpg.Record, staff: UUID, now: datetime) -> None:
    """Decline a recovery that can't be agreed to, or not by them."""
    if staff == row["holder"]:
        raise Declined(Refusal.SAME_APPROVER, "Two others of the staff decide about your own passkeys.")
    if staff == row["asked_by"]:
        raise Declined(Refusal.SAME_APPROVER, "You asked for it: another of the staff agrees.")
    if row["agreed_at"] is not None:
        raise Declined(Refusal.WRONG_STATE, "It was agreed to already.")
    over = "It was declined: ask again." if row["ended_at"] is not None else _over(row, now)
    if over:
        raise Declined(Refusal.WRONG_STATE, over)


def _over(row: asyncpg.Record, now: datetime) -> str:
    """Why one that nobody declined can't be agreed to any more, or nothing."""
    if row["asked_at"] <= now - LASTS:
        return "It waited for too long: ask again."
    if not row["asker_is_staff"]:
        return "Whoever asked is not of the staff any more: ask again."
    if row["changed_at"] is not None and row["changed_at"] > row["asked_at"]:
        return "How they are reached was changed since it was asked for: ask again."
    return ""


async def _tell(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, caller: Caller, topic: Topic, holder: UUID, recovery: UUID, now: datetime
) -> None:
    await acts.record(raw, caller, holder, topic.value, recovery, now)
    await outbox.put(raw, [Event(topic=topic, holder=holder, object=recovery)], now)


_ASK = "INSERT INTO scheme.recovery (id, holder, asked_at, asked_by) VALUES ($1, $2, $3, $4)"
_AGREE = "UPDATE scheme.recovery SET agreed_at = $2, agreed_by = $3 WHERE id = $1"
_END = "UPDATE scheme.recovery SET ended_at = $2 WHERE id = $1"
_END_ALL = "UPDATE scheme.recovery SET ended_at = $2 WHERE holder = $1 AND agreed_at IS NULL AND ended_at IS NULL"
_ONE = """
SELECT r.id, r.holder, h.person, r.asked_at, r.asked_by, r.agreed_at, r.ended_at, c.changed_at,
    EXISTS (
        SELECT FROM scheme.role s WHERE s.holder = r.asked_by AND s.role = 'staff' AND s.ended_at IS NULL
    ) AS asker_is_staff
FROM scheme.recovery r
JOIN scheme.holder h ON h.id = r.holder
LEFT JOIN scheme.contact c ON c.person = h.person
WHERE {}
FOR UPDATE OF r
"""
_BY_ID = _ONE.format("r.id = $1")
_OPEN = _ONE.format("r.holder = $1 AND r.agreed_at IS NULL AND r.ended_at IS NULL")
_WAITING = """
SELECT r.id, p.id AS person, p.name, r.asked_at, r.asked_by, a.name AS asked_by_name, c.changed_at
FROM scheme.recovery r
JOIN scheme.holder h ON h.id = r.holder
JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.holder b ON b.id = r.asked_by
LEFT JOIN scheme.person a ON a.id = b.person
LEFT JOIN scheme.contact c ON c.person = p.id
WHERE r.agreed_at IS NULL AND r.ended_at IS NULL AND r.asked_at > $1
ORDER BY r.asked_at, r.id
LIMIT $2
"""
