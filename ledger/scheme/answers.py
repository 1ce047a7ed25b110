"""What was answered under a client's key: done once, and the same answer for ever.

    lock the key -> answered before? hear it -> do the work -> keep the answer: one transaction

Requests with one key wait for each other, so the work runs once however many come at the same moment. A refusal that
stands against the request as it was (409) is kept like any answer, and what the work had written is taken back; a
malformed request (400, 404, 422 ...) isn't kept, so that it can be mended and sent again under its key.

The journal keeps the keys of what goes straight to it (redemptions). A key that it knows is refused here; and the first
entry of whatever is done here should carry the key's own id, so that it is refused there. A refusal that is kept is
told to the journal under that id, last of all. Only what was done without an entry isn't known there, which a venue's
key has no verb for: it costs the scheme's own key the warning that it used a key twice, and nobody a credit.
"""

import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Entry, entry_id
from ledger.journal.posting import post
from ledger.scheme.callers import Caller
from ledger.scheme.chart import CHART
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import TABLE, Declined, Refusal, settled

Answer = TypeVar("Answer", bound=Struct)
Work = Callable[[asyncpg.Connection, datetime], Awaitable[Answer]]
"""Does what was asked, in the transaction it is given, and returns the answer; whatever it posts, it posts last."""

_KEPT_STATUS = 409


class _Kept(Struct, frozen=True):
    """A refusal as it was given."""

    detail: str
    fields: tuple[tuple[str, str], ...]
    works_at: datetime | None = None


class Answers:
    """Doing things once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def once(
        self, caller: Caller, key: str, request: Struct, work: Work[Answer], answer_type: type[Answer]
    ) -> tuple[Answer, bool]:
        """The answer to this request, and whether it is the replay of an earlier one.

        ``request`` is all that the answer depends on, in a form that is equal whenever the same was asked (moments in
        UTC); its tag is the operation. Raises ``Declined``; ``key_reused`` if something else was asked under the key.
        """
        now = self._clock()
        asked = msgspec.json.encode(request)
        operation = str(request.__struct_config__.tag)
        refused: Declined | None = None
        answer: Answer | None = None
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await raw.execute("SELECT pg_advisory_xact_lock($1)", _lock(caller, key))
            earlier = await raw.fetchrow(_ANSWER, caller.principal, key)
            if earlier is not None:
                # Commits afresh: what was only read may not have reached a standby yet.
                await post(raw, CHART, [], now)
            elif await reading.is_known(raw, entry_id(caller.principal, key)):
                raise Declined(Refusal.KEY_REUSED)
            else:
                try:
                    async with raw.transaction():
                        answer = await work(raw, now)
                except Declined as declined:
                    if TABLE[declined.reason].status != _KEPT_STATUS:
                        raise
                    refused = declined
                    refused.used_up = True
                salt = os.urandom(16)
                await raw.execute(
                    _KEEP,
                    caller.principal,
                    key,
                    operation,
                    now,
                    salt,
                    hashlib.sha256(salt + asked).digest(),
                    None if refused is None else refused.reason.value,
                    msgspec.json.encode(
                        answer if refused is None else _Kept(refused.detail, refused.fields, refused.works_at),
                    ).decode(),
                )
                if refused is not None:
                    await post(raw, CHART, [_refusal(caller, key, operation, refused, now)], now)
        if earlier is not None:
            return _heard(earlier, operation, asked, answer_type), True
        if refused is not None:
            raise refused
        assert answer is not None
        return answer, False


async def post_new(raw: asyncpg.Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Post what a key asks for; declines for what stands in the way of the first that can't be, or was there before."""
    for entry, outcome in zip(entries, await post(raw, CHART, entries, now), strict=True):
        if settled(outcome, entry.transfers).replayed:
            raise Declined(Refusal.KEY_REUSED)


def _lock(caller: Caller, key: str) -> int:
    """The number that PostgreSQL locks; that two keys share one makes them wait, and no more."""
    return int.from_bytes(hashlib.sha256(caller.principal.bytes + key.encode()).digest()[:8], signed=True)


def _refusal(caller: Caller, key: str, operation: str, refused: Declined, now: datetime) -> Entry:
    """What the journal keeps of it: that there was one. By its details it is like nothing that goes straight there."""
    return Entry(
        id=entry_id(caller.principal, key),
        happened_at=now,
        actor=caller.identity,
        details=msgspec.json.encode({"answered": operation}).decode(),
        refused=refused.reason.value,
    )


def _heard(earlier: asyncpg.Record, operation: str, asked: bytes, answer_type: type[Answer]) -> Answer:
    same = hashlib.sha256(earlier["salt"] + asked).digest() == earlier["digest"]
    if earlier["operation"] != operation or not same:
        raise Declined(Refusal.KEY_REUSED, used_up=earlier["refusal"] is not None)
    if earlier["refusal"] is None:
        return msgspec.json.decode(earlier["body"], type=answer_type)
    kept = msgspec.json.decode(earlier["body"], type=_Kept)
    raise Declined(
        Refusal(earlier["refusal"]),
        kept.detail,
        fields=kept.fields,
        works_at=kept.works_at,
        replayed=True,
        used_up=True,
    )


_ANSWER = "SELECT operation, salt, digest, refusal, body FROM scheme.answer WHERE principal = $1 AND key = $2"
_KEEP = """
INSERT INTO scheme.answer (principal, key, operation, recorded_at, salt, digest, refusal, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
