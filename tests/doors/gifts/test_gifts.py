"""What becomes of a gift, and when: accepted, declined, taken back, lapsed, or erased with whom it concerns."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.scheme.lapses import lapse_due
from tests.daytime import daytime
from tests.doors.gifts.giving import Fund, gift, offered, pair, refusal, state, sums, topics, word
from tests.doors.house import Api
from tests.journal.conftest import audit

# --- what becomes of a gift ---------------------------------------------------------------------------------


async def test_a_gift_leaves_at_once_and_arrives_when_it_is_accepted(
    api: Api, fund: Fund, owner: asyncpg.Connection
) -> None:
    ann, bob = await pair(api, fund)
    answer = await offered(api, ann, bob, words="Happy birthday!\nFrom all of us.")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/gifts/{made['id']}"
    assert (made["giver"], made["receiver"], made["minutes"]) == (ann["id"], bob["id"], 120)
    assert (await api.balance(ann["id"]), await api.balance(bob["id"])) == ((480, 0), (0, 0))
    assert await sums(owner) == {
        "issued": -600,
        "wallet": 480,
        "transit": 120,
        "limit": -120,
        "held_limit": 120,
    }

    step = await api.made(f"/v1/gifts/{made['id']}/accept")
    assert (step["gift"], step["state"], step["minutes"]) == (made["id"], "accepted", 120)
    assert (await api.balance(ann["id"]), await api.balance(bob["id"])) == ((480, 0), (120, 0))
    assert await sums(owner) == {"issued": -600, "wallet": 600, "limit": -120, "counted": 120}
    assert (await topics(owner, bob), await topics(owner, ann)) == (["gift_offered"], ["gift_accepted"])

    shown = (await api.get(f"/v1/gifts/{made['id']}")).json()
    assert shown == {
        "id": made["id"],
        "state": "accepted",
        "minutes": 120,
        "giver": ann["id"],
        "giver_name": "Ann",
        "receiver": bob["id"],
        "receiver_name": "Bob",
        "words": "Happy birthday!\nFrom all of us.",
        "offered_at": made["offered_at"],
        "lapses_at": made["lapses_at"],
        "settled_at": shown["settled_at"],
    }
    await audit(owner)


@pytest.mark.parametrize(
    ("verb", "becomes", "hears"),
    [("decline", "declined", "ann"), ("take-back", "taken_back", "bob")],
)
async def test_what_is_not_accepted_goes_back_with_its_part_of_the_month(
    api: Api, fund: Fund, owner: asyncpg.Connection, *, verb: str, becomes: str, hears: str
) -> None:
    ann, bob = await pair(api, fund)
    id_ = await gift(api, ann, bob, 600)
    step = await api.made(f"/v1/gifts/{id_}/{verb}")
    assert (step["state"], await state(api, id_)) == (becomes, becomes)
    assert await api.balance(ann["id"]) == (600, 0)
    assert await sums(owner) == {"issued": -600, "wallet": 600}
    assert (await topics(owner, {"ann": ann, "bob": bob}[hears]))[-1] == f"gift_{becomes}"
    assert (await api.get(f"/v1/gifts/{id_}")).json()["receiver_name"] is None
    await gift(api, ann, bob, 600)


@pytest.mark.parametrize("first", ["accept", "decline", "take-back"])
async def test_a_gift_ends_once(api: Api, fund: Fund, first: str) -> None:
    ann, bob = await pair(api, fund)
    id_ = await gift(api, ann, bob)
    became = (await api.made(f"/v1/gifts/{id_}/{first}"))["state"]
    for verb in ("accept", "decline", "take-back"):
        assert refusal(await api.post(f"/v1/gifts/{id_}/{verb}")) == (409, "already_resolved")
    assert await state(api, id_) == became


async def test_the_same_key_gives_the_same_answer_and_moves_once(
    api: Api, fund: Fund, owner: asyncpg.Connection
) -> None:
    ann, bob = await pair(api, fund)
    first, again = [await offered(api, ann, bob, words="Hello", key="k") for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert refusal(await offered(api, ann, bob, words="Good bye", key="k")) == (422, "key_reused")
    path = f"/v1/gifts/{first.json()['id']}"
    steps = [await api.post(f"{path}/accept", key="a") for _ in range(2)]
    assert steps[0].json() == steps[1].json()
    assert refusal(await api.post(f"{path}/decline", key="a")) == (422, "key_reused")
    assert (await api.balance(ann["id"]), await api.balance(bob["id"])) == ((480, 0), (120, 0))
    assert await owner.fetchval("SELECT count(*) FROM scheme.gift") == 1


# --- its time runs out --------------------------------------------------------------------------------------


async def lapsed(database: Database, now: datetime) -> int:
    async with database.transaction() as connection:
        return await lapse_due(driver(connection), now)


@pytest.mark.parametrize(
    ("offered_at", "lapses_at"),
    [
        (datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)),
        (datetime(2026, 10, 10, 11, tzinfo=UTC), datetime(2026, 11, 9, 12, tzinfo=UTC)),
        (datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 4, 9, 11, tzinfo=UTC)),
    ],
    ids=["in winter", "over the end of summer time", "over its beginning"],
)
async def test_a_gift_waits_for_thirty_days_of_the_clock_on_the_wall(
    dsn: str, database: Database, fund: Fund, owner: asyncpg.Connection, *, offered_at: datetime, lapses_at: datetime
) -> None:
    now = offered_at
    async with Api.running(dsn, clock=lambda: now) as api:
        ann, bob = await pair(api, fund)
        one, two = await gift(api, ann, bob, 60), await gift(api, ann, bob, 90)
        assert datetime.fromisoformat((await api.get(f"/v1/gifts/{one}")).json()["lapses_at"]) == lapses_at
        now = lapses_at - timedelta(seconds=1)
        assert await lapsed(database, now) == 0
        await api.made(f"/v1/gifts/{one}/accept")

        now = lapses_at
        for verb in ("accept", "decline", "take-back"):
            assert refusal(await api.post(f"/v1/gifts/{two}/{verb}")) == (409, "already_resolved")
        assert await state(api, two) == "lapsed"
        assert [await lapsed(database, now) for _ in range(2)] == [2, 0]
        assert [await state(api, id_) for id_ in (one, two)] == ["accepted", "lapsed"]
        assert (await api.balance(ann["id"]), await api.balance(bob["id"])) == ((540, 0), (60, 0))
        assert await sums(owner) == {"issued": -600, "wallet": 600, "limit": -60, "counted": 60}
    assert await topics(owner, ann) == ["gift_accepted", "gift_lapsed"]
    assert await owner.fetchval("SELECT count(*) FROM scheme.lapse") == 0


async def test_how_long_it_waits_is_the_schemes_to_say(api: Api, fund: Fund) -> None:
    assert (await api.send("PATCH", "/v1/rules", {"gift_accept_days": 7})).status_code == 200
    ann, bob = await pair(api, fund)
    made = (await offered(api, ann, bob)).json()
    waits = datetime.fromisoformat(made["lapses_at"]) - datetime.fromisoformat(made["offered_at"])
    assert abs(waits - timedelta(days=7)) <= timedelta(hours=1)


# --- at the same moment -------------------------------------------------------------------------------------


async def test_of_whoever_ends_a_gift_at_once_exactly_one_wins(
    api: Api, dsn: str, database: Database, fund: Fund, owner: asyncpg.Connection
) -> None:
    """Two services and the periodic work: accepted, declined, taken back and lapsed, in any order."""
    became: Counter[str] = Counter()
    ann, bob = await pair(api, fund, 12_000)
    assert (await api.send("PATCH", "/v1/rules", {"gift_month_minutes": 60_000})).status_code == 200
    later = daytime() + timedelta(days=60)
    async with Api.running(dsn, scheme=api.scheme) as other:
        for number in range(25):
            id_ = await gift(api, ann, bob, 60)
            ends = [
                api.post(f"/v1/gifts/{id_}/accept"),
                other.post(f"/v1/gifts/{id_}/decline"),
                other.post(f"/v1/gifts/{id_}/take-back"),
                api.post(f"/v1/gifts/{id_}/accept"),
                lapsed(database, later),
            ]
            random.Random(number).shuffle(ends)  # noqa: S311  # no secret
            found = await asyncio.gather(*ends)
            answers = [one for one in found if isinstance(one, httpx.Response)]
            words = Counter(map(word, answers))
            state_ = await state(api, id_)
            assert words == ({"already_resolved": 4} if state_ == "lapsed" else {"201": 1, "already_resolved": 3})
            became[state_] += 1
            await lapsed(database, later)
    assert await api.balance(bob["id"]) == (60 * became["accepted"], 0)
    assert await api.balance(ann["id"]) == (12_000 - 60 * became["accepted"], 0)
    assert await owner.fetchval("SELECT count(*) FROM scheme.lapse") == 0
    await audit(owner)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_no_credit_is_lost(
    api: Api, database: Database, fund: Fund, owner: asyncpg.Connection, seed: int
) -> None:
    """A random history of gifts among three people and a pot: the wallets, the pot and what is on its way are all."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    people = [await api.person(name) for name in ("Ann", "Bob", "Eve")]
    for person in people:
        await fund(person, 400)
    open_: list[str] = []
    for _ in range(40):
        giver, receiver = chance.sample(people, 2)
        match chance.choice(["offer", "offer", "accept", "decline", "take-back", "pot", "lapse"]):
            case "offer":
                answer = await offered(api, giver, receiver, chance.choice([15, 60, 120, 401]))
                open_ += [answer.json()["id"]] if answer.status_code == 201 else []
            case "pot":
                await api.post("/v1/community-pot/gifts", {"giver": giver["id"], "minutes": chance.choice([15, 90])})
            case "lapse":
                if chance.random() < 0.3:
                    await lapsed(database, daytime() + timedelta(days=60))
            case verb if open_:
                await api.post(f"/v1/gifts/{chance.choice(open_)}/{verb}")
        now = await sums(owner)
        assert now["wallet"] + now.get("transit", 0) + now.get("pot", 0) == 1_200
        states = Counter([await state(api, id_) for id_ in open_])
        waiting = await owner.fetchval("SELECT count(*) FROM scheme.lapse")
        assert waiting >= states["offered"]
        counters = now.get("held_limit", 0), now.get("counted", 0)
        assert counters[0] == now.get("transit", 0)
        assert sum(counters) == -now.get("limit", 0)
    await audit(owner)


# --- lists --------------------------------------------------------------------------------------------------


async def test_gifts_given_and_received_page_by_page(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund)
    await fund(bob, 60)
    own = await api.key("person", person=ann["id"])
    given = [await gift(api, ann, bob, 60 + number, words=f"No {number}") for number in range(5)]
    back = await gift(api, bob, ann, 30)
    strangers = (await api.get(f"/v1/people/{ann['id']}/gifts", own, side="given")).json()["gifts"]
    assert {one["receiver_name"] for one in strangers} == {None}, "whose id it is nobody learns by giving"
    await api.made(f"/v1/gifts/{given[0]}/accept")
    seen: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await api.get(f"/v1/people/{ann['id']}/gifts", own, side="given", limit=2, **query)).json()
        seen += page["gifts"]
        if page["next"] is None:
            break
        query = {"cursor": page["next"]}
    assert [one["id"] for one in seen] == given[::-1]
    assert seen == [(await api.get(f"/v1/gifts/{id_}", own)).json() for id_ in given[::-1]]
    assert {one["receiver_name"] for one in seen} == {"Bob"}, "from then on they know each other"
    received = (await api.get(f"/v1/people/{ann['id']}/gifts", own)).json()["gifts"]
    assert [(one["id"], one["giver_name"]) for one in received] == [(back, "Bob")]
    wrong = await api.get(f"/v1/people/{ann['id']}/gifts", own, side="received", **query)
    assert refusal(wrong) == (400, "wrong_parameters")
    assert refusal(await api.get(f"/v1/people/{uuid4()}/gifts")) == (404, "not_found")


# --- erasure ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("erased", "becomes", "ann_has", "community_has"),
    [("ann", "taken_back", None, 540), ("bob", "declined", 540, 60)],
)
async def test_with_either_person_an_open_gift_goes_back_and_the_words_go(
    api: Api,
    fund: Fund,
    owner: asyncpg.Connection,
    database: Database,
    *,
    erased: str,
    becomes: str,
    ann_has: int | None,
    community_has: int,
) -> None:
    ann, bob = await pair(api, fund)
    settled, left = await gift(api, ann, bob, 60, words="zzq one"), await gift(api, ann, bob, 120, words="zzq two")
    await api.made(f"/v1/gifts/{settled}/accept")
    who, other = (ann, bob) if erased == "ann" else (bob, ann)
    gone = await api.made(f"/v1/people/{who['id']}/erasure", {"give_to": "community"})
    assert gone["minutes"] == community_has
    assert gone["holds"] == 1
    assert [await state(api, id_) for id_ in (settled, left)] == ["accepted", becomes]
    if ann_has is not None:
        assert await api.balance(ann["id"]) == (ann_has, 0)
    shown = (await api.get(f"/v1/gifts/{left}")).json()
    assert (shown["giver" if erased == "ann" else "receiver"], shown["words"]) == (None, None)
    assert await owner.fetchval("SELECT count(*) FROM scheme.gift WHERE words IS NOT NULL") == 0
    assert (await topics(owner, other))[-1] == f"gift_{becomes}"
    assert await lapsed(database, daytime() + timedelta(days=60)) == 2
    await audit(owner)


async def test_gifts_stand_in_both_copies(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund)
    id_ = await gift(api, ann, bob, words="Hello")
    for person, part, other in ((ann, "gifts_given", "gifts_received"), (bob, "gifts_received", "gifts_given")):
        copy = (await api.get(f"/v1/people/{person['id']}/copy")).json()
        [held] = copy[part]
        assert (held["id"], held["giver"], held["receiver"], held["words"]) == (id_, ann["id"], bob["id"], "Hello")
        assert copy[other] == []
