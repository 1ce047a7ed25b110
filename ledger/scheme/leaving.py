"""Leaving: somebody stops working for the scheme, and all that they had for it ends together.

    lock the scheme's staff, then them -> roles, ways in, keys, devices -> act, event: one transaction

They stay a volunteer, with their wallet. What ends: all their roles, sign-ins, passkeys, open links and codes, the
organisations that vouched for them, their API keys; and the devices that they had enrolled, for whoever makes a code
may have typed it at home. A till or kiosk that somebody has seen at its place since is named to be kept. A code that
nobody typed yet ends with the rest, whatever is kept, and none that they made just then is taken later (``devices``).
Somebody who is erased loses the same, by the same code (`end_all`).

All of it under the lock that whoever signs them in takes, so that none begins meanwhile. The scheme keeps at least one
of its staff.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, devices, outbox, recoveries, roles
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.devices import Made
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal


class Ended(Struct, frozen=True, kw_only=True):
    """How much of each ended."""

    roles: int
    sign_ins: int
    passkeys: int
    codes: int
    organisations: int
    keys: int
    devices: int


class Left(Ended, frozen=True, kw_only=True):
    """Somebody left: how much of each ended."""

    person: UUID
    left_at: datetime


class _Leave(Struct, frozen=True, kw_only=True, tag="leave", tag_field="operation"):
    person: UUID
    keep: tuple[UUID, ...] = ()


class Leaving:
    """Letting somebody leave, for staff."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._answers = Answers(database, clock)

    async def devices(self, caller: Caller, person: UUID) -> Sequence[Made]:
        """The tills and kiosks in use that they had enrolled, the newest first."""
        _check_staff(caller)
        async with self._database.reading() as connection:
            raw = driver(connection)
            return await devices.made_by(raw, await holder_of(raw, person))

    async def leave(self, caller: Caller, key: str, person: UUID, *, keep: Collection[UUID] = ()) -> tuple[Left, bool]:
        """Take all that somebody may do here from them, but being a volunteer. Declines the last one of the staff.

        ``keep`` are devices of theirs that stay.
        """

        async def work(raw: asyncpg.Connection, now: datetime) -> Left:
            _check_staff(caller)
            return await _left(raw, caller, person, keep, now)

        return await self._answers.once(caller, key, _Leave(person=person, keep=tuple(sorted(keep))), work, Left)


def _check_staff(caller: Caller) -> None:
    if caller.scope is not Scope.SCHEME:
        raise Declined(Refusal.STAFF_ONLY)


async def _left(raw: asyncpg.Connection, caller: Caller, person: UUID, keep: Collection[UUID], now: datetime) -> Left:
    staff = await roles.lock_staff(raw)
    # Whoever signs them in or gives them a key locks this row: it is done before, and ends, or comes after.
    holder = await raw.fetchval(_LOCK, person)
    if holder is None:
        raise Declined(Refusal.NOT_FOUND)
    ended = await end_all(raw, caller, holder, staff, now, keep=keep)
    left = Left(person=person, left_at=now, **msgspec.structs.asdict(ended))
    await acts.record(raw, caller, holder, Topic.LEFT.value, None, now)
    await outbox.put(raw, [Event(topic=Topic.LEFT, holder=holder)], now)
    return left


async def end_all(
    raw: asyncpg.Connection,
    caller: Caller,
    holder: UUID,
    staff: frozenset[UUID],
    now: datetime,
    *,
    keep: Collection[UUID] = (),
) -> Ended:
    """End all that somebody has for work, in the caller's transaction. Declines the last one of the ``staff``.

    The caller has locked these (``roles.lock_staff``), and then the holder.
    """
    roles.need_another(staff, holder)
    ended = [int((await raw.execute(statement, holder, now)).split()[-1]) for statement in _ENDING]
    sign_ins, passkeys, codes, keys = ended
    await recoveries.end_all(raw, holder, now)
    return Ended(
        roles=await roles.end_all(raw, holder, caller.identity, now),
        organisations=int((await raw.execute("DELETE FROM scheme.vouched WHERE holder = $1", holder)).split()[-1]),
        devices=await devices.revoke_made_by(raw, caller, holder, keep, now),
        sign_ins=sign_ins,
        passkeys=passkeys,
        codes=codes,
        keys=keys,
    )


_LOCK = "SELECT id FROM scheme.holder WHERE person = $1 FOR NO KEY UPDATE"
# All by whose they are. A key that has expired ends nothing; nor does it hurt.
_ENDING = (
    "UPDATE scheme.sign_in SET ended_at = $2 WHERE holder = $1 AND ended_at IS NULL",
    "UPDATE scheme.passkey SET ended_at = $2 WHERE holder = $1 AND ended_at IS NULL",
    "UPDATE scheme.one_time SET used_at = $2 WHERE holder = $1 AND used_at IS NULL",
    "UPDATE scheme.api_key SET revoked_at = $2 WHERE holder = $1 AND revoked_at IS NULL",
)
