"""Cards and phone passes: what shows at a till whose credits these are.

    active <-> blocked        -> replaced (by the next one) | revoked: for good        expired, once its end has come

Each person has one card and one pass at most; the database sees to it. A card's code is made from the scheme's secret
and the card's id and stored nowhere (``codes``): it is shown to the desk that issues the card, and again to one that
prints it anew. A pass's code changes every ``pass_seconds`` (rule 24); whoever may show it asks for the one of now. The
secret stays here: a phone that held it would show passes still when the pass was blocked, or the phone in other hands.

To replace is one step: the old one is known as replaced from then on, at every till, and the new one works. What is
known of a credential is never kept in memory (``directory``).

Who may: a desk is the scheme's key, or that of a project which the person came or gave hours to. It issues a card to
whoever has none, sees what there is, and blocks it. To replace, unblock, revoke and print is the scheme's, and a
project's only for a card that it issued itself: a project may name anybody in a register, and a code is money. People
themselves, and who helps them to ``book``, block what they have and show the pass. What another than the person did
stands in their acts, showing a pass once a day; and of each change they hear by the outbox.

What bounds it: `NEW_A_DAY` cards, and as many passes, a person and day.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal.entries import new_key
from ledger.scheme import acts, outbox
from ledger.scheme.acts import is_own
from ledger.scheme.answers import Answers
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.codes import PASS_BITS, code_for, code_hash, pass_code, pass_step, secret_of, step_ends
from ledger.scheme.credentials.rows import (
    LIVE,
    Credential,
    Has,
    Kind,
    Status,
    as_of,
    by_id,
    listed,
    live,
    locked,
    working,
)
from ledger.scheme.helping import May, may_act
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.people import holder_of, is_known_to
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import in_force

__all__ = [
    "CARDS_MAX",
    "NEW_A_DAY",
    "CardCode",
    "Carried",
    "Credential",
    "Credentials",
    "IssuedCards",
    "IssuedCredential",
    "Kind",
    "NamedCard",
    "ShownPass",
    "Status",
    "listed",
    "revoke_all",
]

# A printer that jams, a dog that eats two; whoever needs more has another trouble.
NEW_A_DAY: Final = 10
# Five sheets of ten: some 0.2 s.
CARDS_MAX: Final = 50
# Of a thousand million numbers some million are taken: that four in a row are is one in 10^12.
_TRIES: Final = 4
_DAY: Final = timedelta(days=1)


class IssuedCredential(Struct, frozen=True, kw_only=True):
    """A new one, and the code to print on it; a pass has none to print."""

    credential: Credential
    code: str | None


class CardCode(Struct, frozen=True, kw_only=True):
    """A card's code, to print it anew."""

    credential: UUID
    code: str


class IssuedCards(Struct, frozen=True, kw_only=True):
    """The cards that several people got who had none, without their codes."""

    cards: Sequence[UUID]


class NamedCard(Struct, frozen=True, kw_only=True):
    """A card in use as it is printed: the name to be called by, and its code."""

    person: UUID
    name: str
    code: str


class ShownPass(Struct, frozen=True, kw_only=True):
    """A pass's code of now. Ask anew at ``ends_at``; tills take it for a little longer."""

    credential: UUID
    code: str
    ends_at: datetime


class Carried(Struct, frozen=True, kw_only=True):
    """What somebody carries: their card and their pass as they stand, and the pass's code if it works now."""

    card: Credential | None
    phone_pass: Credential | None
    shown: ShownPass | None
    seconds: int
    """How often the code changes."""


class _Issue(Struct, frozen=True, kw_only=True, tag="credential", tag_field="operation"):
    person: UUID
    kind: Kind
    expires_at: datetime | None


class _IssueMany(Struct, frozen=True, kw_only=True, tag="cards", tag_field="operation"):
    people: Sequence[UUID]


class _Replace(Struct, frozen=True, kw_only=True, tag="credential_replace", tag_field="operation"):
    credential: UUID


class _ReplaceCard(Struct, frozen=True, kw_only=True, tag="card_replace", tag_field="operation"):
    person: UUID


class _Become(Struct, frozen=True, kw_only=True, tag="credential_become", tag_field="operation"):
    credential: UUID
    topic: Topic


class Credentials:
    """Issuing cards and passes, showing their codes, and ending them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    # --- new ones ----------------------------------------------------------------------------------------

    async def issue_card(
        self, caller: Caller, key: str, person: UUID, expires_at: datetime | None = None
    ) -> tuple[IssuedCredential, bool]:
        """A card for somebody who has none, with its code; and whether this is the replay of an answer."""
        asked = _Issue(person=person, kind=Kind.CARD, expires_at=expires_at)

        async def work(raw: asyncpg.Connection, now: datetime) -> Credential:
            holder = await holder_of(raw, person)
            await _desk(raw, caller, holder)
            if expires_at is not None and expires_at <= now:
                raise Declined(Refusal.WRONG_VALUES, fields=(("expires_at", "must lie ahead"),))
            await lock_holders(raw, [holder])
            if await live(raw, holder, Kind.CARD) is not None:
                raise Declined(Refusal.WRONG_STATE, "They have a card already: replace it by a new one.")
            new = await _new(raw, caller, holder, Kind.CARD, expires_at, now)
            await _tell(raw, caller, Topic.CREDENTIAL_ISSUED, holder, new, now)
            return new

        card, replayed = await self._answers.once(caller, key, asked, work, Credential)
        return await self._with_code(card), replayed

    async def issue_cards(self, caller: Caller, key: str, people: Sequence[UUID]) -> tuple[IssuedCards, bool]:
        """A card for each of these who has none, `CARDS_MAX` people at most; and whether this is a replay."""
        if len(people) > CARDS_MAX:
            raise Declined(Refusal.WRONG_VALUES, fields=(("person", f"must be {CARDS_MAX} at most"),))

        async def work(raw: asyncpg.Connection, now: datetime) -> IssuedCards:
            holders = [await holder_of(raw, person) for person in people]
            for holder in holders:
                await _desk(raw, caller, holder)
            await lock_holders(raw, holders)
            cards = []
            for holder in dict.fromkeys(holders):
                if await live(raw, holder, Kind.CARD) is None:
                    new = await _new(raw, caller, holder, Kind.CARD, None, now)
                    await _tell(raw, caller, Topic.CREDENTIAL_ISSUED, holder, new, now)
                    cards.append(new.id)
            return IssuedCards(cards=cards)

        return await self._answers.once(caller, key, _IssueMany(people=people), work, IssuedCards)

    async def make_pass(self, caller: Caller, key: str, person: UUID) -> tuple[Credential, bool]:
        """The person's phone pass, new if they have none; and whether this is the replay of an answer."""
        asked = _Issue(person=person, kind=Kind.PASS, expires_at=None)

        async def work(raw: asyncpg.Connection, now: datetime) -> Credential:
            holder = await _own(raw, caller, person)
            await lock_holders(raw, [holder])
            has = await live(raw, holder, Kind.PASS)
            if has is not None:
                return as_of(working(has, now), now)
            new = await _new(raw, caller, holder, Kind.PASS, None, now)
            await _tell(raw, caller, Topic.CREDENTIAL_ISSUED, holder, new, now)
            return new

        return await self._answers.once(caller, key, asked, work, Credential)

    async def replace(self, caller: Caller, key: str, id_: UUID) -> tuple[IssuedCredential, bool]:
        """Another in its stead, in one step; and whether this is the replay of an answer.

        It ends when the old one would have, if that lies ahead.
        """

        async def work(raw: asyncpg.Connection, now: datetime) -> Credential:
            old = _for_its_desk(caller, await _at_desk(raw, caller, id_))
            if old.credential.status not in LIVE:
                raise Declined(Refusal.WRONG_STATE, f"It was {old.credential.status} already.")
            return await _another(raw, caller, old, now)

        new, replayed = await self._answers.once(caller, key, _Replace(credential=id_), work, Credential)
        return await self._with_code(new), replayed

    async def replace_card(self, caller: Caller, key: str, person: UUID) -> tuple[IssuedCredential, bool]:
        """Another card in the stead of whichever the person has, likewise."""

        async def work(raw: asyncpg.Connection, now: datetime) -> Credential:
            holder = await holder_of(raw, person)
            await _desk(raw, caller, holder)
            await lock_holders(raw, [holder])
            old = await live(raw, holder, Kind.CARD)
            if old is None:
                raise Declined(Refusal.WRONG_STATE, "They have no card: issue one.")
            return await _another(raw, caller, _for_its_desk(caller, old), now)

        new, replayed = await self._answers.once(caller, key, _ReplaceCard(person=person), work, Credential)
        return await self._with_code(new), replayed

    # --- what becomes of them ----------------------------------------------------------------------------

    async def block(self, caller: Caller, key: str, id_: UUID) -> tuple[Credential, bool]:
        """Let it rest, at once; again, and nothing changes. And whether this is the replay of an answer."""
        return await self._become(caller, key, id_, Topic.CREDENTIAL_BLOCKED)

    async def unblock(self, caller: Caller, key: str, id_: UUID) -> tuple[Credential, bool]:
        """Let it work again, likewise; for a desk."""
        return await self._become(caller, key, id_, Topic.CREDENTIAL_UNBLOCKED)

    async def revoke(self, caller: Caller, key: str, id_: UUID) -> tuple[Credential, bool]:
        """End it for good, likewise; for a desk."""
        return await self._become(caller, key, id_, Topic.CREDENTIAL_REVOKED)

    async def _become(self, caller: Caller, key: str, id_: UUID, topic: Topic) -> tuple[Credential, bool]:
        status = _BECOMES[topic]

        async def work(raw: asyncpg.Connection, now: datetime) -> Credential:
            if topic is Topic.CREDENTIAL_BLOCKED:
                has = await _theirs(raw, caller, id_)
            else:
                has = _for_its_desk(caller, await _at_desk(raw, caller, id_))
            if has.credential.status is status:
                return as_of(has.credential, now)
            if has.credential.status not in LIVE:
                raise Declined(Refusal.WRONG_STATE, f"It was {has.credential.status} already.")
            await raw.execute(_SET, id_, status.value, now, caller.identity)
            changed = msgspec.structs.replace(has.credential, status=status, changed_at=now)
            await _tell(raw, caller, topic, has.holder, changed, now)
            return as_of(changed, now)

        return await self._answers.once(caller, key, _Become(credential=id_, topic=topic), work, Credential)

    # --- showing them ------------------------------------------------------------------------------------

    async def of(self, caller: Caller, person: UUID, *, before: UUID | None, limit: int) -> Sequence[Credential]:
        """Somebody's cards and passes, newest first, without their codes; ``before`` is the last one seen."""
        now = self._clock()
        async with self._database.reading() as connection:
            raw = driver(connection)
            holder = await holder_of(raw, person)
            if caller.scope is Scope.PERSON:
                await _own(raw, caller, person)
            else:
                await _desk(raw, caller, holder)
            return await listed(raw, holder, now, before=before, limit=limit)

    async def live_card(self, person: UUID) -> UUID | None:
        """The card that somebody has, blocked or not; None if they have none, or there is nobody of that id."""
        async with self._database.reading() as connection:
            card: UUID | None = await driver(connection).fetchval(_CARD_OF, person)
        return card

    async def card_code(self, caller: Caller, id_: UUID) -> CardCode:
        """The code of a card in use, for a desk to print it anew; that stands in the person's acts."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            has = _for_its_desk(caller, await _at_desk(raw, caller, id_))
            if has.credential.kind is not Kind.CARD:
                raise Declined(Refusal.WRONG_STATE, "A phone pass has no code to print.")
            if has.credential.status not in LIVE:
                raise Declined(Refusal.WRONG_STATE, f"This card was {has.credential.status}.")
            await acts.record(raw, caller, has.holder, "card_code_read", id_, now)
            return CardCode(credential=id_, code=code_for(await secret_of(raw), Kind.CARD.value, id_))

    async def card_codes(self, caller: Caller, people: Sequence[UUID]) -> Sequence[NamedCard]:
        """The active cards of these people by name, to be printed on one sheet; that stands in each one's acts.

        Of those whose cards this desk may print; the others are left out.
        """
        if len(people) > CARDS_MAX:
            raise Declined(Refusal.WRONG_VALUES, fields=(("person", f"must be {CARDS_MAX} at most"),))
        now = self._clock()
        project = None if caller.scope is Scope.SCHEME else caller.object
        async with self._database.transaction() as connection:
            raw = driver(connection)
            rows = [
                row
                for row in await raw.fetch(_PRINTED, list(people), now)
                if project is None or (row["project"] == project and await is_known_to(raw, row["holder"], project))
            ]
            for row in rows:
                await acts.record(raw, caller, row["holder"], "card_code_read", row["card"], now)
            secret = await secret_of(raw)
        return [
            NamedCard(person=row["person"], name=row["name"], code=code_for(secret, Kind.CARD.value, row["card"]))
            for row in rows
        ]

    async def shown_pass(self, caller: Caller, person: UUID) -> ShownPass:
        """The person's pass as it is now. Declines one that is blocked, and where there is none."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _own(raw, caller, person)
            has = await live(raw, holder, Kind.PASS)
            if has is None:
                raise Declined(Refusal.NOT_FOUND, "There is no pass yet: make one first.")
            working(has, now)
            return await _show(raw, caller, has, (await in_force(raw)).rules.pass_seconds, now)

    async def carried(self, caller: Caller, person: UUID) -> Carried:
        """The person's card and pass, whatever their state, for those who may show the pass: it is shown with it."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            holder = await _own(raw, caller, person)
            seconds = (await in_force(raw)).rules.pass_seconds
            card, has = await live(raw, holder, Kind.CARD), await live(raw, holder, Kind.PASS)
            works = has is not None and as_of(has.credential, now).status is Status.ACTIVE
            return Carried(
                card=None if card is None else as_of(card.credential, now),
                phone_pass=None if has is None else as_of(has.credential, now),
                shown=await _show(raw, caller, has, seconds, now) if has is not None and works else None,
                seconds=seconds,
            )

    async def _with_code(self, new: Credential) -> IssuedCredential:
        """What is made anew from the id, at a replay too, for no code is kept with an answer."""
        if new.kind is not Kind.CARD:
            return IssuedCredential(credential=new, code=None)
        async with self._database.reading() as connection:
            secret = await secret_of(driver(connection))
        return IssuedCredential(credential=new, code=code_for(secret, Kind.CARD.value, new.id))


_BECOMES: Final = {
    Topic.CREDENTIAL_BLOCKED: Status.BLOCKED,
    Topic.CREDENTIAL_UNBLOCKED: Status.ACTIVE,
    Topic.CREDENTIAL_REVOKED: Status.REVOKED,
}


async def revoke_all(raw: asyncpg.Connection, holder: UUID, by: UUID, now: datetime) -> None:
    """End all that somebody has, whatever became of it, in the caller's transaction: for an erasure.

    What was replaced too: that somebody had another card is nobody's business any more.
    """
    await raw.execute(_REVOKE_ALL, holder, now, by)


# --- who may ------------------------------------------------------------------------------------------------


async def _desk(raw: asyncpg.Connection, caller: Caller, holder: UUID) -> None:
    """Decline whoever isn't a desk for that holder."""
    if caller.scope is Scope.SCHEME or (
        caller.scope is Scope.PROJECT and await is_known_to(raw, holder, caller.object)
    ):
        return
    raise Declined(Refusal.NOT_FOUND)


def _for_its_desk(caller: Caller, has: Has) -> Has:
    """The credential, if this desk may do more to it than block it; it was seen to be a desk (``_desk``)."""
    if caller.scope is not Scope.SCHEME and (has.project is None or has.project != caller.object):
        raise Declined(Refusal.STAFF_ONLY, "This project didn't issue it: the office can do that.")
    return has


async def _own(raw: asyncpg.Connection, caller: Caller, person: UUID) -> UUID:
    """The person's holder, if the caller is they or helps them to book."""
    holder = await holder_of(raw, person)
    if caller.scope is not Scope.PERSON or not await may_act(raw, caller, holder, May.BOOK):
        raise Declined(Refusal.NOT_FOUND)
    return holder


async def _at_desk(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> Has:
    """The credential of that id, for a desk; its holder is locked."""
    await _desk(raw, caller, (await by_id(raw, id_)).holder)
    return await locked(raw, id_)


async def _theirs(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> Has:
    """The credential of that id, likewise; for its person or a helper of theirs as well."""
    if caller.scope is not Scope.PERSON:
        return await _at_desk(raw, caller, id_)
    if not await may_act(raw, caller, (await by_id(raw, id_)).holder, May.BOOK):
        raise Declined(Refusal.NOT_FOUND)
    return await locked(raw, id_)


# --- making them --------------------------------------------------------------------------------------------


async def _show(raw: asyncpg.Connection, caller: Caller, has: Has, seconds: int, now: datetime) -> ShownPass:
    """The code of a pass that works; that another shows it stands in the person's acts, once a day."""
    id_ = has.credential.id
    assert has.number is not None, "every pass has a number"
    if not is_own(caller, has.holder) and not await raw.fetchval(_SHOWN, caller.identity, now - _DAY, id_):
        await acts.record(raw, caller, has.holder, "pass_shown", id_, now)
    step = pass_step(now, seconds)
    code = pass_code(await secret_of(raw), has.number, id_, step)
    return ShownPass(credential=id_, code=code, ends_at=step_ends(step, seconds))


async def _new(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, caller: Caller, holder: UUID, kind: Kind, expires_at: datetime | None, now: datetime
) -> Credential:
    if await raw.fetchval(_ISSUED_SINCE, holder, kind.value, now - _DAY) >= NEW_A_DAY:
        raise Declined(Refusal.WRONG_STATE, f"There were {NEW_A_DAY} new ones within a day: please try again tomorrow.")
    project = caller.object if caller.scope is Scope.PROJECT else None
    secret = await secret_of(raw)
    for _ in range(_TRIES):
        id_ = UUID(new_key())
        hashed = number = None
        if kind is Kind.CARD:
            hashed = code_hash(secret, code_for(secret, kind.value, id_))
        else:
            number = secrets.randbits(PASS_BITS)
        row = (id_, kind.value, holder, hashed, number, now, caller.identity, expires_at, project)
        if await raw.fetchval(_CREATE, *row):
            return Credential(
                id=id_, kind=kind, status=Status.ACTIVE, issued_at=now, changed_at=now, expires_at=expires_at
            )
    raise RuntimeError(f"{_TRIES} random codes were all taken")


async def _another(raw: asyncpg.Connection, caller: Caller, old: Has, now: datetime) -> Credential:
    """A new one in the stead of that one, whose holder is locked."""
    id_, kind, ends = old.credential.id, old.credential.kind, old.credential.expires_at
    # In between it is revoked, for of two that live the database would take neither.
    await raw.execute(_SET, id_, Status.REVOKED.value, now, caller.identity)
    new = await _new(raw, caller, old.holder, kind, ends if ends is not None and ends > now else None, now)
    await raw.execute(_REPLACED, id_, new.id)
    await _tell(raw, caller, Topic.CREDENTIAL_REPLACED, old.holder, new, now)
    return new


async def _tell(  # noqa: PLR0917  # the order is that of the sentence
    raw: asyncpg.Connection, caller: Caller, topic: Topic, holder: UUID, credential: Credential, now: datetime
) -> None:
    await acts.record(raw, caller, holder, topic.value, credential.id, now)
    event = Event(topic=topic, holder=holder, object=credential.id, body={"kind": credential.kind.value})
    await outbox.put(raw, [event], now)


_CARD_OF = """
SELECT c.id FROM scheme.credential c JOIN scheme.holder h ON h.id = c.holder
WHERE h.person = $1 AND c.kind = 'card' AND c.status IN ('active', 'blocked')
"""
_PRINTED = """
SELECT p.id AS person, p.name, h.id AS holder, c.id AS card, c.project
FROM scheme.credential c JOIN scheme.holder h ON h.id = c.holder JOIN scheme.person p ON p.id = h.person
WHERE p.id = ANY($1::uuid[]) AND c.kind = 'card' AND c.status = 'active' AND (c.expires_at IS NULL OR c.expires_at > $2)
ORDER BY lower(p.name), p.id
"""
_ISSUED_SINCE = "SELECT count(*) FROM scheme.credential WHERE holder = $1 AND kind = $2 AND issued_at > $3"
_CREATE = """
INSERT INTO scheme.credential (
    id, kind, status, holder, code_hash, number, issued_at, issued_by, expires_at, changed_at, changed_by, project
)
VALUES ($1, $2, 'active', $3, $4, $5, $6, $7, $8, $6, $7, $9)
ON CONFLICT DO NOTHING
RETURNING id
"""
_SET = "UPDATE scheme.credential SET status = $2, changed_at = $3, changed_by = $4 WHERE id = $1"
_REPLACED = "UPDATE scheme.credential SET status = 'replaced', replaced_by = $2 WHERE id = $1"
_REVOKE_ALL = """
UPDATE scheme.credential SET status = 'revoked', replaced_by = NULL, changed_at = $2, changed_by = $3
WHERE holder = $1 AND status <> 'revoked'
"""
_SHOWN = """
SELECT EXISTS (
    SELECT FROM scheme.act WHERE by = $1 AND at > $2 AND object = $3 AND verb = 'pass_shown'
)
"""
