"""Worked examples 4 and 5 in a thousand random interleavings each, through two service processes on one database.

Each time two tills ask at about the same moment: in either order, of either process, the second at once or up to some
milliseconds after the first, and always with others' requests beside them, so that batches of both processes meet.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.journal.entries import Entry, Posted, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART
from ledger.scheme.clock import LONDON, system_clock
from ledger.scheme.codes import code_for, code_hash
from tests.faults.conftest import Answer, Asked, Durable, Place, Scheme, two_services, verified

ROUNDS = 1_000
AT_ONCE = 16
# A GET of nothing takes about a millisecond.
APART_MAX = 6
dice = random.Random()  # noqa: S311  # nothing secret


class Stage(NamedTuple):
    """Two processes, their database, and two tills at two venues."""

    scheme: Scheme
    place: Place
    owner: asyncpg.Pool
    tills: list[str]
    offers: list[str]


@pytest.fixture
async def stage(durable: Durable) -> AsyncIterator[Stage]:
    place = await durable.create()
    async with asyncpg.create_pool(place.dsn, min_size=1, max_size=AT_ONCE) as owner:
        async with two_services(place) as scheme:
            boss = scheme.coordinator
            venue = (await scheme.clients.made("/v1/venues", boss, {"name": "The theatre"}))["id"]
            offer = await scheme.clients.made(f"/v1/venues/{venue}/offers", boss, {"title": "A seat", "price": 60})
            await scheme.clients.made(f"/v1/offers/{offer['id']}/publish", boss)
            key = {"scope": "venue", "object": venue, "label": "a till"}
            till = (await scheme.clients.made("/v1/keys", boss, key))["token"]
            yield Stage(scheme, place, owner, [scheme.till, till], [scheme.offer, offer["id"]])
        await verified(place)


async def test_the_last_place_is_given_once_and_is_there_again_when_it_was_given_back(stage: Stage) -> None:
    """Quota 39 of 40, price 120, two who have 300 each."""
    cards = await cards_with(stage.owner, 2 * ROUNDS, 300)
    offers = await offers_with_one_place_left(stage)
    words: Counter[str] = Counter()

    async def interleaving(number: int) -> None:
        offer, pair = offers[number], cards[2 * number : 2 * number + 2]
        asks = [asked(stage.tills[0], str(offer), code, capture=False) for _, code in pair]
        answers = await at_about_the_same_moment(stage, asks)
        words.update(answer.word for answer in answers)
        held = [answer for answer in answers if answer.status == 201]
        assert len(held) == 1, answers
        assert await balances(stage.owner, *holder_accounts(pair), places(offer)) == (
            [180, 120, 300, 0, -40] if answers[0].status == 201 else [300, 0, 180, 120, -40]
        )
        void = Asked(f"/v1/redemptions/{held[0].body['id']}/void", stage.tills[0], uuid4().hex, None)
        assert (await stage.scheme.clients.send(void, dice.randrange(2))).status == 201
        assert await balances(stage.owner, *holder_accounts(pair), places(offer)) == [300, 0, 300, 0, -39]

    await many(interleaving)
    assert words == {"201": ROUNDS, "409 quota_full": ROUNDS}


async def test_one_balance_is_spent_at_one_of_two_doors(stage: Stage) -> None:
    """Wallet 60, two venues at once."""
    cards = await cards_with(stage.owner, ROUNDS, 60)
    words: Counter[str] = Counter()

    async def interleaving(number: int) -> None:
        holder, code = cards[number]
        asks = [asked(till, offer, code) for till, offer in zip(stage.tills, stage.offers, strict=True)]
        answers = await at_about_the_same_moment(stage, asks)
        words.update(answer.word for answer in answers)
        assert sorted(answer.word for answer in answers) == ["201", "409 insufficient_credits"]
        assert await balances(stage.owner, f"wallet:{holder.hex}") == [0]

    await many(interleaving)
    assert words == {"201": ROUNDS, "409 insufficient_credits": ROUNDS}


# --- how ----------------------------------------------------------------------------------------------------


async def many(interleaving: Callable[[int], Awaitable[None]]) -> None:
    """All of them, some at a time, so that none is alone."""
    numbers = iter(range(ROUNDS))

    async def one_after_the_other() -> None:
        for number in numbers:
            await interleaving(number)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def at_about_the_same_moment(stage: Stage, asks: Sequence[Asked]) -> list[Answer]:
    """Both, in either order and some milliseconds apart, of one process and the other or of the same."""

    async def later(each: Asked, trips: int, service: int) -> Answer:
        for _ in range(trips):
            await stage.scheme.clients.alive(service)
        return await stage.scheme.clients.send(each, service)

    trips = [0, dice.randint(0, APART_MAX)]
    dice.shuffle(trips)
    return await asyncio.gather(
        *(later(each, apart, dice.randrange(2)) for each, apart in zip(asks, trips, strict=True))
    )


def asked(till: str, offer: str, code: str, *, capture: bool = True) -> Asked:
    body = {"offer": offer, "code": code, "name_checked": True, "capture": capture}
    return Asked("/v1/redemptions", till, uuid4().hex, body)


async def cards_with(owner: asyncpg.Pool, count: int, minutes: int) -> list[tuple[UUID, str]]:
    """So many people with a card and that much in their wallet: their holders, and what stands on the cards."""
    secret = await owner.fetchval("SELECT secret FROM scheme.directory")
    ids = [uuid4() for _ in range(count)]
    cards = [(id_, code_for(secret, "card", id_)) for id_ in ids]
    await owner.execute(_PEOPLE, ids)
    await owner.execute(_CARDS, ids, [code_hash(secret, code) for _, code in cards])
    await posted(owner, [(f"issued:{uuid4().hex}", f"wallet:{id_.hex}", minutes) for id_ in ids])
    return cards


async def offers_with_one_place_left(stage: Stage) -> list[UUID]:
    """Offers at the pool for 120 minutes, of whose 40 places this month 39 are taken."""
    offers = [uuid4() for _ in range(ROUNDS)]
    await stage.owner.execute(_OFFERS, offers, UUID(stage.scheme.offer))
    await posted(stage.owner, [(places(offer), f"honoured:{offer.hex}", 39) for offer in offers])
    return offers


async def posted(owner: asyncpg.Pool, moves: Sequence[tuple[str, str, int]]) -> None:
    now = system_clock()
    async with owner.acquire() as raw, raw.transaction():
        outcomes = await post(
            raw,  # type: ignore[arg-type]  # a pool's connection is one
            CHART,
            [Entry(id=uuid4(), transfers=(Transfer(*move),), happened_at=now, actor=uuid4()) for move in moves],
            now,
        )
    assert all(isinstance(outcome, Posted) for outcome in outcomes)


def places(offer: UUID) -> str:
    """The account of its places this month."""
    return f"allowance:{offer.hex}:{system_clock().astimezone(LONDON):%Y-%m}"


def holder_accounts(pair: Sequence[tuple[UUID, str]]) -> list[str]:
    return [f"{kind}:{holder.hex}" for holder, _ in pair for kind in ("wallet", "held")]


async def balances(owner: asyncpg.Pool, *names: str) -> list[int]:
    """Of one that was never used, nothing."""
    return [row[0] for row in await owner.fetch(_BALANCES, list(names))]


_PEOPLE = """
WITH person AS (INSERT INTO scheme.person (id, name, created_at) SELECT u, 'Ann', now() FROM unnest($1::uuid[]) u)
INSERT INTO scheme.holder (id, person) SELECT u, u FROM unnest($1::uuid[]) u
"""
_CARDS = """
INSERT INTO scheme.credential (id, kind, status, holder, code_hash, issued_at, issued_by, changed_at, changed_by)
SELECT u.id, 'card', 'active', u.id, u.hash, now(), u.id, now(), u.id FROM unnest($1::uuid[], $2::bytea[]) u(id, hash)
"""
_OFFERS = """
INSERT INTO scheme.offer (id, venue, kind, reach, title, description, expect, price, terms, status, created_at,
    changed_at)
SELECT u, o.venue, o.kind, o.reach, o.title, '', '', 120, '{"quota":40}', 'published', now(), now()
FROM scheme.offer o, unnest($1::uuid[]) u WHERE o.id = $2
"""
_BALANCES = """
SELECT coalesce((SELECT balance FROM journal.balance WHERE name = u.name), 0)
FROM unnest($1::text[]) WITH ORDINALITY u(name, number) ORDER BY u.number
"""
