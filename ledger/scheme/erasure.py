"""Erasure: a person goes, and the sums stay right.

    lock the staff, the holder, and of whom they are guardian -> what they had for work -> their words and rows
        -> the holder is nobody's -> lock the journal -> their holds, their credits

All of it in one transaction, and for good. What goes: the person with contact, helpers, memberships, guardians and
consents; remarks on their hours, whoever wrote them; bookings; what waits in the outbox; their keys and cards, which
stop at once; sign-ins, and mail to them, sent or not; and the words of their entries and refusals
(``ledger.journal.erasing``). What a slip called them went when they claimed it. Hours that nobody had approved are
withdrawn, and so is what they consented to as a guardian: who runs the scheme hears that a child needs another. Open
holds are voided, those of gifts to them too, and all that is in the wallet goes to the community's pot or is
surrendered.

Whoever worked here leaves by it (``leaving``): the tills and kiosks that they had enrolled end, too, but for those that
somebody of the office kept when they left before. Nor is the last of the staff erased.

What stays: ids and figures. Claims, attendance, acts and entries name the holder, a random id that is closed and
nobody's from then on; nothing is paid to it, and to every other verb it isn't there. The log verifies as before.

Whoever pays somebody locks their holder first (``lock_holders``), so it is done before or declined after; a venue's
redemption is judged by the balance, which is nothing then. So no credit is lost, whatever comes at the same moment.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database
from ledger.journal import reading
from ledger.journal.entries import Entry, Kind, Transfer, entry_id
from ledger.journal.erasing import forget_details, forget_refusals, open_holds
from ledger.journal.posting import lock
from ledger.scheme import acts, credentials, devices, gifts, leaving, outbox, roles
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers, post_new
from ledger.scheme.awards import lock_people
from ledger.scheme.bookings import open_by_pot
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import COMMUNITY, account
from ledger.scheme.clock import Clock
from ledger.scheme.guardians import wards, withdraw_all
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

_REFERENCE: Final = "erasure"


class GiveTo(StrEnum):
    """Where the credits go: to the community's pot, or to nobody."""

    COMMUNITY = "community"
    SURRENDER = "surrender"


_TO: Final = {GiveTo.COMMUNITY: COMMUNITY, GiveTo.SURRENDER: "surrendered"}


class Erased(Struct, frozen=True, kw_only=True):
    """A person was erased: the minutes that were in their wallet, and the holds that were voided before."""

    person: UUID
    give_to: GiveTo
    minutes: int
    holds: int
    erased_at: datetime


class _Erase(Struct, frozen=True, kw_only=True, tag="erase_person", tag_field="operation"):
    person: UUID
    give_to: GiveTo


class _Asked(Struct, frozen=True):
    """One request: who asks, under which key, what, and when."""

    caller: Caller
    key: str
    erase: _Erase
    now: datetime


class Erasure:
    """Erasing people."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._answers = Answers(database, clock)

    async def erase(self, caller: Caller, key: str, person: UUID, give_to: GiveTo) -> tuple[Erased, bool]:
        """Erase a person, for the scheme or by their own key; and whether this is the replay of an answer."""
        erase = _Erase(person=person, give_to=give_to)

        async def work(raw: asyncpg.Connection, now: datetime) -> Erased:
            staff = await roles.lock_staff(raw)
            holder = await holder_of(raw, person)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            # All at once, for that is the one order in which holders are locked.
            children = await wards(raw, person)
            locked = await lock_people(raw, [person, *children])
            if person not in locked:
                raise Declined(Refusal.NOT_FOUND)
            if not set(await wards(raw, person)) <= set(children):
                raise Declined(Refusal.BUSY, "They became a child's guardian just now: please try again.")
            await withdraw_all(
                raw, caller, person, {child: locked[child] for child in children if child in locked}, now
            )
            asked = _Asked(caller, key, erase, now)
            kept = await devices.kept(raw, holder)
            await leaving.end_all(raw, caller, holder, staff, now, keep=kept)
            await _forget(raw, asked, holder)
            return await _empty(raw, asked, holder)

        return await self._answers.once(caller, key, erase, work, Erased)


async def _forget(raw: asyncpg.Connection, asked: _Asked, holder: UUID) -> None:
    """Everything but the credits. Nothing of it keeps others from posting."""
    caller, person, now = asked.caller, asked.erase.person, asked.now
    # Whoever is about to add a remark to one of these finishes first, and it goes with the rest.
    await raw.execute(_LOCK_CLAIMS, holder)
    for statement in _THEIR_WORDS:
        await raw.execute(statement, holder)
    await raw.execute(_WITHDRAW, holder, now, caller.identity)
    await forget_refusals(raw, _accounts(holder), [holder, person])
    await raw.execute(_FORGET_KEYS, holder)
    await credentials.revoke_all(raw, holder, caller.identity, now)
    await raw.execute("UPDATE scheme.holder SET person = NULL, closed_at = $2 WHERE id = $1", holder, now)
    # Contact, helpers, memberships, guardians and consents go with it.
    await raw.execute("DELETE FROM scheme.person WHERE id = $1", person)
    await acts.record(raw, caller, holder, "person_erased", None, now)


async def _empty(raw: asyncpg.Connection, asked: _Asked, holder: UUID) -> Erased:
    """Void their holds and move all that they have."""
    caller, key, now = asked.caller, asked.key, asked.now
    wallet, held = _accounts(holder)
    await lock(raw)
    # Once more: a lapse locks no holder, and may have told them of one until now.
    await raw.execute(_UNTELL, holder)
    await forget_details(raw, [wallet, held])
    left_open = await gifts.left_open(raw, holder)
    holds = [(hold, _REFERENCE) for hold in (*await open_holds(raw, held), *await open_by_pot(raw, holder))]
    holds += [(gift.id, gift.reference) for gift in left_open]
    await outbox.put(raw, [gift.event for gift in left_open], now)
    # Their ids end in a number after a space, which no key can hold; that of the key itself is the last entry's.
    voids = [
        Entry(
            id=entry_id(caller.principal, f"{key} {number}"),
            kind=Kind.VOID,
            target=hold,
            happened_at=now,
            actor=caller.identity,
            reference=reference,
        )
        for number, (hold, reference) in enumerate(holds, 1)
    ]
    if voids:
        await post_new(raw, voids, now)
    minutes = (await reading.balances(raw, [wallet]))[wallet]
    if minutes:
        last = Entry(
            id=entry_id(caller.principal, key),
            transfers=(Transfer(wallet, _TO[asked.erase.give_to], minutes),),
            happened_at=now,
            actor=caller.identity,
            reference=_REFERENCE,
        )
        await post_new(raw, [last], now)
    return Erased(
        person=asked.erase.person, give_to=asked.erase.give_to, minutes=minutes, holds=len(holds), erased_at=now
    )


def _accounts(holder: UUID) -> tuple[str, str]:
    return account("wallet", holder), account("held", holder)


_LOCK_CLAIMS = "SELECT FROM scheme.claim WHERE holder = $1 ORDER BY id FOR UPDATE"
_UNTELL: Final = "DELETE FROM scheme.outbox WHERE holder = $1 AND delivered_at IS NULL"
# No voucher is touched: its label went when it was claimed, and whoever corrects one locks it before its claim.
_THEIR_WORDS: Final = (
    "DELETE FROM scheme.remark WHERE claim IN (SELECT id FROM scheme.claim WHERE holder = $1)",
    # What was confirmed counts in the session; a booking, or a sign-in that nobody confirmed, would wait for ever.
    "DELETE FROM scheme.attendance WHERE holder = $1 AND state NOT IN ('confirmed', 'absent')",
    _UNTELL,
    "UPDATE scheme.gift SET words = NULL WHERE giver = $1 OR receiver = $1",
    "DELETE FROM scheme.passkey WHERE holder = $1",
    "DELETE FROM scheme.challenge WHERE holder = $1",
    "DELETE FROM scheme.sign_in WHERE holder = $1",
    "DELETE FROM scheme.one_time WHERE holder = $1",
    "DELETE FROM scheme.letter WHERE holder = $1",
)
_WITHDRAW = """
UPDATE scheme.claim SET state = 'withdrawn', decided_by = $3, changed_at = $2
WHERE holder = $1 AND state IN ('draft', 'submitted', 'queried')
"""
# The row stays, for entries name the key that posted them.
_FORGET_KEYS = "UPDATE scheme.api_key SET label = 'erased' WHERE holder = $1"
