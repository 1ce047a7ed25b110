"""Bearer vouchers: printed together from a pot, each claimed or spent once by whoever brings it, until their last day.

    printed    pot -> paper:{batch}
    claimed    paper -> wallet                          (POST /v1/vouchers/claims, see ``vouchers``)
    spent      paper -> redeemed, and the rest -> pot   (at a till, see ``redemptions``)
    ended      paper -> pot: what is left, when the batch is voided or its last day is over

So ``paper:{batch}`` holds what the unused vouchers of a batch are worth, at any moment. A code is never stored; it is
made anew, for printing, as long as its voucher is unused, and that somebody did so is recorded.

A voucher gives no change, and nobody who brings one is turned away for its being worth too much: the rest of it goes
back to the pot that it came from, for somebody else's visit. Whoever wants all of it claims it into a wallet.

Whoever uses a voucher shares its batch's lock and has the voucher's alone; whoever ends a batch has the batch's alone.
So of two who bring the same voucher one wins, and none is used while the rest of its batch goes back.

A group's pot is its keyholders', and one of the staff prints alone. So no more of it becomes vouchers within 24 hours
than one keyholder may spend alone (rule 21): all batches of that time count together, but for what went back to the pot
unused. More than that is the keyholders' to spend, by two (``pot_spends``). The community's pot is the staff's.

What bounds it: ``COUNT_MAX`` vouchers a batch, ``DAYS_MAX`` until its last day, ``ENDS_MAX`` batches a round of work.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, Transfer, entry_id, new_key
from ledger.journal.posting import post
from ledger.scheme import acts, outbox
from ledger.scheme.answers import Answers
from ledger.scheme.callers import SCHEME, Caller
from ledger.scheme.chart import CHART, COMMUNITY, account
from ledger.scheme.clock import Clock, day_of, end_of
from ledger.scheme.codes import code_for, code_hash, secret_of
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.pots import check_may_look
from ledger.scheme.refusals import Declined, Refusal, settled
from ledger.scheme.rules import in_force
from ledger.scheme.terms import in_credits

# As the table has it: what an afternoon at a printer is, and what one answer can hold.
COUNT_MAX: Final = 1_000
# What lies in a drawer for longer is hardly looked for any more; its minutes wait in no pot meanwhile.
DAYS_MAX: Final = 3 * 366
# Ended and told within some 20 ms, for which everybody else who posts has to wait.
ENDS_MAX: Final = 100
_PURPOSE: Final = "voucher"
_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta(microseconds=1)


class Printing(Struct, frozen=True, kw_only=True, tag="print_vouchers", tag_field="operation"):
    """Vouchers to be printed: from which group's pot (None: the community's), how many, of how many minutes each."""

    group: UUID | None
    label: str
    minutes: int
    count: int
    last_day: date
    """The last on which they can be used, in London."""


class Batch(Struct, frozen=True, kw_only=True):
    """Vouchers that were printed together; ``ended_at`` is when what was left of them went back to the pot."""

    id: UUID
    group: UUID | None
    label: str
    minutes: int
    count: int
    last_day: date
    printed_at: datetime
    ended_at: datetime | None


class BatchCount(Batch, frozen=True, kw_only=True):
    """A batch and what became of its vouchers: ``count`` is the sum of ``used``, ``left`` and ``returned``."""

    used: int
    left: int
    returned: int


class VoucherCode(Struct, frozen=True):
    """A voucher that can be used, and the code that does so: it is the money."""

    id: UUID
    code: str


class BatchCodes(Struct, frozen=True, kw_only=True):
    """What to print: the vouchers of a batch that can still be used, in an order that stays."""

    id: UUID
    label: str
    minutes: int
    last_day: date
    vouchers: Sequence[VoucherCode]


class Voided(Struct, frozen=True, kw_only=True):
    """A batch that was ended before its last day: the minutes that went back, by the entry of this id, if any did."""

    id: UUID
    batch: UUID
    minutes: int
    ended_at: datetime


class Worth(Struct, frozen=True):
    """A voucher that can be used: its minutes, the account that they lie in, and the pot that they came from."""

    batch: UUID
    minutes: int
    paper: str
    pot: str

    def rest(self, minutes: int) -> tuple[Transfer, ...]:
        """What goes with a visit that takes so many of its minutes: the others, back to the pot. Declines too many."""
        if minutes > self.minutes:
            said = f"The voucher is worth {self.minutes} minutes, and this comes to {minutes}."
            raise Declined(Refusal.INSUFFICIENT_CREDITS, said)
        return (Transfer(self.paper, self.pot, self.minutes - minutes),) if minutes < self.minutes else ()


class _Printed(Struct, frozen=True):
    """What is kept of a printing: no word and no code."""

    id: UUID
    printed_at: datetime


class _Void(Struct, frozen=True, kw_only=True, tag="void_vouchers", tag_field="operation"):
    batch: UUID


class Paper:
    """Printing batches, looking at them, and ending them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def print(self, caller: Caller, key: str, printing: Printing) -> tuple[Batch, bool]:
        """Print vouchers from a pot that has so much; and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Printed:
            return await _print(raw, caller, entry_id(caller.principal, key), printing, now)

        made, replayed = await self._answers.once(caller, key, printing, work, _Printed)
        asked = msgspec.structs.asdict(printing)
        return Batch(id=made.id, printed_at=made.printed_at, ended_at=None, **asked), replayed

    async def all(self, *, after: UUID | None, limit: int) -> Sequence[Batch]:
        """Every batch, the newest first; ``after`` is the last one seen."""
        async with self._database.reading() as connection:
            return [_batch(row) for row in await driver(connection).fetch(_ALL, after, limit)]

    async def of_group(self, caller: Caller, group: UUID, *, after: UUID | None, limit: int) -> Sequence[BatchCount]:
        """What was printed from a group's pot, to its keyholders and the scheme; ``after`` is the last one seen."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            await check_may_look(raw, caller, group)
            return [_counted(row) for row in await raw.fetch(_OF_GROUP, after, limit, group)]

    async def get(self, id_: UUID) -> BatchCount:
        """The batch and what became of its vouchers, or ``not_found``."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(_COUNTED, id_)
        if row is None:
            raise Declined(Refusal.NOT_FOUND)
        return _counted(row)

    async def codes(self, caller: Caller, id_: UUID) -> BatchCodes:
        """The codes of what can still be used of a batch, made anew; that they were read is recorded."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_ONE, id_)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            secret = await secret_of(raw)
            unused = await raw.fetch(_UNUSED, id_, now)
            await acts.record(raw, caller, None, "codes_read", id_, now)
        batch = _batch(row)
        return BatchCodes(
            id=batch.id,
            label=batch.label,
            minutes=batch.minutes,
            last_day=batch.last_day,
            vouchers=[VoucherCode(one["id"], code_for(secret, _PURPOSE, one["id"])) for one in unused],
        )

    async def void(self, caller: Caller, key: str, batch: UUID) -> tuple[Voided, bool]:
        """End a batch now: what is unused is worth nothing any more and goes back to the pot; and whether a replay."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Voided:
            return await _void(raw, caller, entry_id(caller.principal, key), batch, now)

        return await self._answers.once(caller, key, _Void(batch=batch), work, Voided)


# --- one voucher --------------------------------------------------------------------------------------------


async def look(raw: asyncpg.Connection, credential: UUID, now: datetime) -> Worth:
    """What a voucher is worth at that moment; declines one that can't be used."""
    return _usable(await raw.fetchrow(_VOUCHER, credential), now)


async def take(raw: asyncpg.Connection, credential: UUID, entry: UUID, now: datetime) -> Worth:
    """Use a voucher up, for the entry of that id, which the caller then posts in the same transaction.

    The entry moves all of what it is worth. Declines as ``look`` does; whoever waits for another that uses it hears
    ``already_used``.
    """
    await raw.execute(_SHARE_BATCH, credential)
    worth = _usable(await raw.fetchrow(_VOUCHER_ALONE, credential), now)
    await raw.execute("UPDATE scheme.credential SET used_by = $2 WHERE id = $1", credential, entry)
    return worth


async def found_by(raw: asyncpg.Connection, hashed: bytes) -> UUID | None:
    """The voucher that a code of this hash is printed on, if there is one."""
    found: UUID | None = await raw.fetchval(
        "SELECT id FROM scheme.credential WHERE code_hash = $1 AND kind = 'voucher'", hashed
    )
    return found


async def pot_of(raw: asyncpg.Connection, batch: UUID) -> str:
    """The pot that a batch was printed from: where what is refunded of a voucher goes, which itself stays used."""
    return _pot(await raw.fetchval('SELECT "group" FROM scheme.batch WHERE id = $1', batch))


def _usable(row: asyncpg.Record | None, now: datetime) -> Worth:
    if row is None or row["status"] != "active":
        raise Declined(Refusal.CODE_UNKNOWN)
    if row["used_by"] is not None:
        raise Declined(Refusal.ALREADY_USED)
    # The work that ended its batch may have had a clock a moment ahead.
    if now >= row["expires_at"] or row["ended_at"] is not None:
        raise Declined(Refusal.CARD_EXPIRED)
    return Worth(row["batch"], row["minutes"], account("paper", row["batch"]), _pot(row["group"]))


def _pot(group: UUID | None) -> str:
    return COMMUNITY if group is None else account("pot", group)


# --- a batch ------------------------------------------------------------------------------------------------


async def _print(raw: asyncpg.Connection, caller: Caller, id_: UUID, asked: Printing, now: datetime) -> _Printed:
    today, faults = day_of(now), []
    # Locked, so that batches that are printed at once are counted one by one.
    if asked.group is not None and not await raw.fetchval(_LOCK_GROUP, asked.group):
        faults.append(("group", "is no group of this scheme"))
    if not 0 <= (asked.last_day - today).days <= DAYS_MAX:
        faults.append(("last_day", f"must be today or later, by at most {DAYS_MAX} days"))
    if faults:
        raise Declined(Refusal.WRONG_VALUES, fields=tuple(faults))
    if asked.group is not None:
        await _check_alone(raw, asked.group, asked.minutes * asked.count, now)
    expires_at = end_of(asked.last_day)
    await raw.execute(
        _BATCH, id_, asked.group, asked.label, asked.minutes, asked.count, expires_at, now, caller.identity
    )
    secret = await secret_of(raw)
    vouchers = [UUID(new_key()) for _ in range(asked.count)]
    hashes = [code_hash(secret, code_for(secret, _PURPOSE, voucher)) for voucher in vouchers]
    await raw.execute(_VOUCHERS, id_, now, caller.identity, expires_at, vouchers, hashes)
    minutes = asked.minutes * asked.count
    await outbox.put(raw, [_event(Topic.VOUCHERS_PRINTED, id_, minutes)], now)
    await acts.by_staff(raw, caller, Topic.VOUCHERS_PRINTED.value, id_, now)
    entry = Entry(
        id=id_,
        transfers=(Transfer(_pot(asked.group), account("paper", id_), minutes),),
        happened_at=now,
        actor=caller.identity,
        reference=id_.hex,
    )
    (outcome,) = await post(raw, CHART, [entry], now)
    settled(outcome)
    return _Printed(id_, now)


async def _check_alone(raw: asyncpg.Connection, group: UUID, minutes: int, now: datetime) -> None:
    """Decline more of a group's pot than one person decides on."""
    most = (await in_force(raw)).rules.pot_both_above_minutes
    if await raw.fetchval(_PRINTED_SINCE, group, now - _DAY) + minutes > most:
        raise Declined(
            Refusal.WRONG_STATE,
            f"From a group's pot, vouchers of {in_credits(most)} at most are printed within a day. More takes two"
            " keyholders: on the pot's page one proposes what they would like to do, and another agrees.",
        )


async def _void(raw: asyncpg.Connection, caller: Caller, id_: UUID, batch: UUID, now: datetime) -> Voided:
    row = await raw.fetchrow(_ONE_ALONE, batch)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    if row["ended_at"] is not None:
        raise Declined(Refusal.WRONG_STATE, "What was left of this batch has gone back to its pot already.")
    await raw.execute(_REVOKE, batch, now, caller.identity)
    await acts.by_staff(raw, caller, "vouchers_ended", batch, now)
    entry = Entry(id=id_, happened_at=now, actor=caller.identity, reference=batch.hex)
    back = await _end(raw, {batch: (_pot(row["group"]), entry)}, now)
    return Voided(id=id_, batch=batch, minutes=back[batch], ended_at=now)


async def end_due(raw: asyncpg.Connection, now: datetime) -> int:
    """End the batches whose last day is over, `ENDS_MAX` at most, and return how many: periodic work."""
    ending = {
        row["id"]: (
            _pot(row["group"]),
            Entry(
                # No client's key holds a space.
                id=entry_id(SCHEME, f"batch {row['id']}"),
                happened_at=row["expires_at"],
                actor=SCHEME,
                reference=row["id"].hex,
            ),
        )
        for row in await raw.fetch(_DUE, now, ENDS_MAX)
    }
    if ending:
        await _end(raw, ending, now)
    return len(ending)


async def _end(raw: asyncpg.Connection, ending: Mapping[UUID, tuple[str, Entry]], now: datetime) -> Mapping[UUID, int]:
    """Post what is left of these batches, which the caller has locked, to their pots; and return how much it was."""
    await raw.execute("UPDATE scheme.batch SET ended_at = $2 WHERE id = ANY($1::uuid[])", list(ending), now)
    # Nobody uses a voucher of these meanwhile, so what is read here is what is there.
    balances = await reading.balances(raw, [account("paper", batch) for batch in ending])
    back = {batch: balances[account("paper", batch)] for batch in ending}
    told = [_event(Topic.VOUCHERS_RETURNED, batch, minutes) for batch, minutes in back.items() if minutes]
    await outbox.put(raw, told, now)
    entries = [
        msgspec.structs.replace(entry, transfers=(Transfer(account("paper", batch), pot, back[batch]),))
        for batch, (pot, entry) in ending.items()
        if back[batch]
    ]
    for outcome in await post(raw, CHART, entries, now):
        settled(outcome)
    return back


def _event(topic: Topic, batch: UUID, minutes: int) -> Event:
    return Event(topic=topic, object=batch, body={"minutes": minutes})


def _counted(row: asyncpg.Record) -> BatchCount:
    batch, unused = _batch(row), row["count"] - row["used"]
    left, returned = (unused, 0) if batch.ended_at is None else (0, unused)
    return BatchCount(**msgspec.structs.asdict(batch), used=row["used"], left=left, returned=returned)


def _batch(row: asyncpg.Record) -> Batch:
    return Batch(
        id=row["id"],
        group=row["group"],
        label=row["label"],
        minutes=row["minutes"],
        count=row["count"],
        last_day=day_of(row["expires_at"] - _MOMENT),
        printed_at=row["printed_at"],
        ended_at=row["ended_at"],
    )


_LOCK_GROUP = "SELECT true FROM scheme.group WHERE id = $1 FOR NO KEY UPDATE"
_PRINTED_SINCE = """
SELECT coalesce(sum(b.minutes * CASE
    WHEN b.ended_at IS NULL THEN b.count
    ELSE (SELECT count(*) FROM scheme.credential c WHERE c.batch = b.id AND c.used_by IS NOT NULL)
END), 0)::bigint
FROM scheme.batch b WHERE b.group = $1 AND b.printed_at > $2
"""
_BATCH = """
INSERT INTO scheme.batch (id, "group", label, minutes, count, expires_at, printed_at, printed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_VOUCHERS = """
INSERT INTO scheme.credential (kind, status, batch, issued_at, changed_at, issued_by, changed_by, expires_at, id,
    code_hash)
SELECT 'voucher', 'active', $1, $2::timestamptz, $2, $3::uuid, $3, $4, u.* FROM unnest($5::uuid[], $6::bytea[]) u
"""
_READ = 'SELECT id, "group", label, minutes, count, expires_at, printed_at, ended_at FROM scheme.batch {}'
_ONE = _READ.format("WHERE id = $1")
_ONE_ALONE = _READ.format("WHERE id = $1 FOR NO KEY UPDATE")
_DUE = _READ.format(
    "WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
)
_ALL = _READ.format("""
WHERE $1::uuid IS NULL OR (printed_at, id) < (SELECT printed_at, id FROM scheme.batch WHERE id = $1)
ORDER BY printed_at DESC, id DESC LIMIT $2
""")
_COUNT = """
SELECT b.id, b.group, b.label, b.minutes, b.count, b.expires_at, b.printed_at, b.ended_at,
    (SELECT count(*) FROM scheme.credential c WHERE c.batch = b.id AND c.used_by IS NOT NULL) AS used
FROM scheme.batch b {}
"""
_COUNTED = _COUNT.format("WHERE b.id = $1")
_OF_GROUP = _COUNT.format("""
WHERE b.group = $3
    AND ($1::uuid IS NULL OR (b.printed_at, b.id) < (SELECT l.printed_at, l.id FROM scheme.batch l WHERE l.id = $1))
ORDER BY b.printed_at DESC, b.id DESC LIMIT $2
""")
_UNUSED = """
SELECT id FROM scheme.credential
WHERE batch = $1 AND used_by IS NULL AND status = 'active' AND expires_at > $2 ORDER BY id
"""
_REVOKE = """
UPDATE scheme.credential SET status = 'revoked', changed_at = $2, changed_by = $3 WHERE batch = $1 AND used_by IS NULL
"""
_VOUCHER = """
SELECT c.status, c.used_by, c.expires_at, c.batch, b.group, b.minutes, b.ended_at
FROM scheme.credential c JOIN scheme.batch b ON b.id = c.batch WHERE c.id = $1
"""
_VOUCHER_ALONE = _VOUCHER + "FOR NO KEY UPDATE OF c"
_SHARE_BATCH = """
SELECT FROM scheme.batch WHERE id = (SELECT batch FROM scheme.credential WHERE id = $1) FOR SHARE
"""
