"""Gifts between people over HTTP: who may give what to whom, what becomes of it, and when (rule 20)."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from ledger.scheme.lapses import lapse_due
from tests.doors.house import Api
from tests.journal.conftest import audit

Person = dict[str, Any]
Fund = Callable[..., Any]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def word(answer: httpx.Response) -> str:
    return "201" if answer.status_code == 201 else str(answer.json()["code"])


@pytest.fixture
def fund(database: Database) -> Fund:
    """Puts minutes into a wallet, as if for hours."""

    async def given(person: Person, minutes: int) -> None:
        transfer = Transfer("issued:x", account("wallet", UUID(person["holder"])), minutes)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        async with database.transaction() as connection:
            await post(
                driver(connection),
                CHART,
                [Entry(id=uuid4(), transfers=(transfer,), happened_at=now, actor=uuid4())],
                now,
            )

    return given


async def pair(api: Api, fund: Fund, minutes: int = 600) -> tuple[Person, Person]:
    """Ann, who has so many minutes, and Bob."""
    ann, bob = await api.person("Ann"), await api.person("Bob")
    await fund(ann, minutes)
    return ann, bob


async def offered(api: Api, ann: Person, bob: Person, minutes: int = 120, **more: Any) -> httpx.Response:  # noqa: ANN401
    token, key = more.pop("token", None), more.pop("key", None)
    body = {"receiver": bob["id"], "minutes": minutes, **more}
    return await api.post(f"/v1/people/{ann['id']}/gifts", body, token, key)


async def gift(api: Api, ann: Person, bob: Person, minutes: int = 120, **more: Any) -> str:  # noqa: ANN401
    answer = await offered(api, ann, bob, minutes, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def state(api: Api, id_: str) -> str:
    return str((await api.get(f"/v1/gifts/{id_}")).json()["state"])


async def aged(api: Api, name: str, band: str | None, *, consent: bool = False) -> Person:
    """Somebody of that age band, for whom a guardian consented or not."""
    person = await api.made("/v1/people", {"name": name, "age_band": band})
    if consent:
        guardian = (await api.person("Dee"))["id"]
        await api.made(f"/v1/people/{person['id']}/guardians", {"guardian": guardian})
        await api.made(f"/v1/people/{person['id']}/consents", {"guardian": guardian})
    return person


async def topics(owner: asyncpg.Connection, person: Person) -> list[str]:
    rows = await owner.fetch(
        "SELECT topic FROM scheme.outbox WHERE holder = $1 ORDER BY at, id", UUID(person["holder"])
    )
    return [row["topic"] for row in rows]


async def sums(owner: asyncpg.Connection) -> dict[str, int]:
    """The balance of each kind of account, what counts towards limits too."""
    return {
        row["name"]: row["balance"]
        for row in await owner.fetch("SELECT name, balance FROM journal.kind WHERE balance <> 0")
    }


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


# --- what can't be given ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"minutes": 0}, (422, "wrong_values")),
        ({"minutes": -60}, (422, "wrong_values")),
        ({"minutes": 6_001}, (422, "wrong_values")),
        ({"minutes": 60.0}, (400, "wrong_fields")),
        ({"minutes": None}, (400, "wrong_fields")),
        ({"words": ""}, (422, "wrong_values")),
        ({"words": "  "}, (422, "wrong_values")),
        ({"words": "x" * 201}, (422, "wrong_values")),
        ({"words": "\x07"}, (422, "control_characters")),
        ({"receiver": "Bob"}, (400, "wrong_fields")),
        ({"receiver": str(uuid4())}, (404, "not_found")),
        ({"giver": str(uuid4())}, (400, "wrong_fields")),
        ({"minutes": 601}, (409, "insufficient_credits")),
    ],
)
async def test_what_cannot_be_given_is_refused_and_nothing_is_written(
    api: Api, fund: Fund, owner: asyncpg.Connection, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    ann, bob = await pair(api, fund)
    asked = {"receiver": bob["id"], "minutes": 60, **body}
    assert refusal(await api.post(f"/v1/people/{ann['id']}/gifts", asked)) == expected
    for table in ("gift", "lapse", "outbox"):
        assert await owner.fetchval(f"SELECT count(*) FROM scheme.{table}") == 0, table
    assert await api.acts(ann["id"]) == await api.acts(bob["id"]) == []
    assert await api.balance(ann["id"]) == (600, 0)


async def test_nobody_gives_to_themselves(api: Api, fund: Fund) -> None:
    ann, _ = await pair(api, fund)
    answer = await offered(api, ann, ann)
    assert (refusal(answer), [each["field"] for each in answer.json()["fields"]]) == (
        (422, "wrong_values"),
        ["receiver"],
    )


async def test_an_unknown_receiver_looks_like_one_who_was_erased(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund)
    await api.made(f"/v1/people/{bob['id']}/erasure", {"give_to": "community"})
    own = await api.key("person", person=ann["id"])
    answers = [(await offered(api, ann, {"id": who}, token=own)).json() for who in (bob["id"], str(uuid4()))]
    assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}
    assert answers[0]["code"] == "not_found"


@pytest.mark.parametrize("who", ["stranger", "helper", "receiver"])
async def test_nobody_gives_away_what_is_anothers(api: Api, fund: Fund, who: str) -> None:
    ann, bob = await pair(api, fund)
    eve = await api.person("Eve")
    if who == "helper":
        await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": eve["id"], "may": ["balance", "claim", "book"]})
    token = await api.key("person", person=(bob if who == "receiver" else eve)["id"])
    assert refusal(await offered(api, ann, bob, token=token)) == (404, "not_found")
    assert refusal(await api.get(f"/v1/people/{ann['id']}/gifts", token)) == (404, "not_found")
    pot = {"giver": ann["id"], "minutes": 60}
    assert refusal(await api.post("/v1/community-pot/gifts", pot, token)) == (404, "not_found")
    assert await api.balance(ann["id"]) == (600, 0)


async def test_staff_give_for_somebody_and_it_is_recorded(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund)
    own = await api.key("person", person=ann["id"])
    by_herself = await gift(api, ann, bob, token=own)
    by_staff = await gift(api, ann, bob)
    await api.made(f"/v1/gifts/{by_staff}/accept")
    await api.made(f"/v1/gifts/{by_herself}/take-back", token=own)
    acts = {
        name: [(act["verb"], act["object"]) for act in await api.acts(who["id"])]
        for name, who in (("ann", ann), ("bob", bob))
    }
    assert acts == {"ann": [("gift_offered", by_staff)], "bob": [("gift_accepted", by_staff)]}


# --- whose gift it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "reads", "accepts", "takes_back"),
    [
        ("giver", 200, "not_found", "201"),
        ("receiver", 200, "201", "not_found"),
        ("stranger", 404, "not_found", "not_found"),
        ("helper", 404, "not_found", "not_found"),
        ("scheme", 200, "201", "201"),
        ("project", 403, "forbidden", "forbidden"),
    ],
)
async def test_who_may_what_with_a_gift(
    api: Api, fund: Fund, *, who: str, reads: int, accepts: str, takes_back: str
) -> None:
    ann, bob = await pair(api, fund)
    eve, may = await api.person("Eve"), ["balance", "claim", "book"]
    for helped in (ann, bob):
        if who == "helper":
            await api.made(f"/v1/people/{helped['id']}/helpers", {"helper": eve["id"], "may": may})
    match who:
        case "scheme":
            token = api.scheme
        case "project":
            token = await api.key("project", await api.project())
        case _:
            token = await api.key("person", person={"giver": ann, "receiver": bob}.get(who, eve)["id"])
    one, two, three = [await gift(api, ann, bob, words="For you") for _ in range(3)]
    assert (await api.get(f"/v1/gifts/{one}", token)).status_code == reads
    assert word(await api.post(f"/v1/gifts/{one}/accept", token=token)) == accepts
    assert word(await api.post(f"/v1/gifts/{two}/decline", token=token)) == accepts
    assert word(await api.post(f"/v1/gifts/{three}/take-back", token=token)) == takes_back


async def test_what_is_not_there_is_not_there(api: Api) -> None:
    for answer in (
        await api.get(f"/v1/gifts/{uuid4()}"),
        *[await api.post(f"/v1/gifts/{uuid4()}/{verb}") for verb in ("accept", "decline", "take-back")],
    ):
        assert refusal(answer) == (404, "not_found")


# --- age (rules 20 and 26) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("band", "consent", "from_years", "expected"),
    [
        (None, False, 18, "201"),
        ("18_and_over", False, 18, "201"),
        ("16_to_17", False, 18, "consent_needed"),
        ("16_to_17", True, 18, "201"),
        ("8_to_15", False, 18, "consent_needed"),
        ("8_to_15", True, 18, "201"),
        ("under_8", True, 18, "201"),
        ("16_to_17", False, 16, "201"),
        ("16_to_17", False, 17, "consent_needed"),
        ("8_to_15", False, 16, "consent_needed"),
        ("8_to_15", False, 8, "201"),
        ("under_8", False, 8, "consent_needed"),
        ("under_8", False, 0, "201"),
    ],
)
async def test_from_what_age_people_give_on_their_own(
    api: Api,
    fund: Fund,
    *,
    band: str | None,
    consent: bool,
    from_years: int,
    expected: str,
) -> None:
    if from_years != 18:
        assert (await api.send("PATCH", "/v1/rules", {"gift_from_years": from_years})).status_code == 200
    cat, bob = await aged(api, "Cat", band, consent=consent), await api.person("Bob")
    await fund(cat, 120)
    assert word(await offered(api, cat, bob, 60)) == expected
    assert word(await api.post("/v1/community-pot/gifts", {"giver": cat["id"], "minutes": 60})) == expected


async def test_a_consent_that_was_withdrawn_or_ended_lets_nobody_give(
    api: Api, fund: Fund, owner: asyncpg.Connection
) -> None:
    cat, bob = await aged(api, "Cat", "16_to_17", consent=True), await api.person("Bob")
    await fund(cat, 120)
    await owner.execute("UPDATE scheme.consent SET given_at = now() - interval '2 years', ends_at = now()")
    assert refusal(await offered(api, cat, bob, 60)) == (409, "consent_needed")


@pytest.mark.parametrize(
    ("band", "consent", "expected"),
    [
        (None, False, "201"),
        ("16_to_17", False, "201"),
        ("8_to_15", False, "consent_needed"),
        ("under_8", False, "consent_needed"),
        ("8_to_15", True, "201"),
    ],
)
async def test_who_is_under_16_receives_with_a_consent_and_no_giver_learns_of_it(
    api: Api, fund: Fund, band: str | None, *, consent: bool, expected: str
) -> None:
    ann, cat = await api.person("Ann"), await aged(api, "Cat", band, consent=consent)
    await fund(ann, 120)
    own, childs = [await api.key("person", person=who["id"]) for who in (ann, cat)]
    id_ = await gift(api, ann, cat, words="Psst", token=own)
    assert word(await api.post(f"/v1/gifts/{id_}/accept", token=childs)) == expected
    expects = expected == "201"
    seen = (await api.get(f"/v1/gifts/{id_}", childs)).json()
    [listed] = (await api.get(f"/v1/people/{cat['id']}/gifts", childs)).json()["gifts"]
    assert listed == seen
    assert (seen["giver"], seen["giver_name"], seen["words"]) == (
        (ann["id"], "Ann", "Psst") if expects else (None, None, None)
    )
    assert (await api.get(f"/v1/gifts/{id_}", own)).json()["state"] == ("accepted" if expects else "offered")


async def test_a_consent_lets_a_child_accept_what_waits(api: Api, fund: Fund) -> None:
    ann, cat, dee = await api.person("Ann"), await aged(api, "Cat", "8_to_15"), await api.person("Dee")
    await fund(ann, 120)
    id_ = await gift(api, ann, cat)
    assert refusal(await api.post(f"/v1/gifts/{id_}/accept")) == (409, "consent_needed")
    await api.made(f"/v1/people/{cat['id']}/guardians", {"guardian": dee["id"]})
    await api.made(f"/v1/people/{cat['id']}/consents", {"guardian": dee["id"]})
    await api.made(f"/v1/gifts/{id_}/accept")
    assert await api.balance(cat["id"]) == (120, 0)


# --- the month's limit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "given", "expected"),
    [
        (600, [600, 1], ["201", "gift_limit"]),
        (600, [601], ["gift_limit"]),
        (600, [590, 11, 10], ["201", "gift_limit", "201"]),
        (120, [60, 60, 1], ["201", "201", "gift_limit"]),
        (0, [1], ["gift_limit"]),
        (700, [700], ["201"]),
    ],
)
async def test_what_a_person_gives_in_a_month(
    api: Api, fund: Fund, limit: int, given: list[int], expected: list[str]
) -> None:
    assert (await api.send("PATCH", "/v1/rules", {"gift_month_minutes": limit})).status_code == 200
    ann, bob = await pair(api, fund, 1_000)
    assert [word(await offered(api, ann, bob, minutes)) for minutes in given] == expected


async def test_a_limit_that_changes_counts_at_once(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund, 1_000)
    await gift(api, ann, bob, 600)
    for limit, expected in ((700, "201"), (300, "gift_limit"), (701, "gift_limit")):
        assert (await api.send("PATCH", "/v1/rules", {"gift_month_minutes": limit})).status_code == 200
        assert word(await offered(api, ann, bob, 100 if limit == 700 else 2)) == expected


async def test_gifts_to_people_and_into_pots_share_the_limit(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund, 1_000)
    group = (await api.made("/v1/groups", {"name": "Gardeners"}))["id"]
    await gift(api, ann, bob, 200)
    body = {"giver": ann["id"], "minutes": 200}
    await api.made(f"/v1/groups/{group}/pot/gifts", body)
    await api.made("/v1/community-pot/gifts", body)
    for answer in (
        await offered(api, ann, bob, 1),
        await api.post("/v1/community-pot/gifts", {**body, "minutes": 1}),
        await api.post(f"/v1/groups/{group}/pot/gifts", {**body, "minutes": 1}),
    ):
        assert refusal(answer) == (409, "gift_limit")
        assert answer.json()["detail"] == "This is more than one person gives in a month."
        assert "works_at" in answer.json()


async def test_of_twenty_gifts_at_once_ten_fit_into_the_month(
    api: Api, dsn: str, fund: Fund, owner: asyncpg.Connection
) -> None:
    async with Api.running(dsn, scheme=api.scheme) as other:
        ann, bob = await pair(api, fund, 2_000)
        answers = await asyncio.gather(*(offered((api, other)[number % 2], ann, bob, 60) for number in range(20)))
    assert Counter(map(word, answers)) == {"201": 10, "gift_limit": 10}
    assert await api.balance(ann["id"]) == (1_400, 0)
    assert await owner.fetchval("SELECT count(*) FROM scheme.gift") == 10
    assert await owner.fetchval("SELECT count(*) FROM scheme.lapse") == 10


@pytest.mark.parametrize(
    ("at", "later", "expected"),
    [
        (datetime(2026, 6, 30, 22, 59, 59, tzinfo=UTC), timedelta(seconds=1), "201"),
        (datetime(2026, 6, 30, 22, 59, 58, tzinfo=UTC), timedelta(seconds=1), "gift_limit"),
        (datetime(2026, 6, 30, 23, 30, tzinfo=UTC), timedelta(hours=1), "gift_limit"),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), timedelta(seconds=1), "201"),
        (datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), timedelta(seconds=1), "gift_limit"),
    ],
    ids=[
        "in summer the month turns at 23:00 UTC",
        "and not a second before",
        "when it turns in UTC, it has turned",
        "in winter it turns with UTC",
        "and not an hour before",
    ],
)
async def test_a_month_is_londons(dsn: str, fund: Fund, at: datetime, later: timedelta, expected: str) -> None:
    now = at
    async with Api.running(dsn, clock=lambda: now) as api:
        ann, bob = await pair(api, fund, 2_000)
        await gift(api, ann, bob, 600)
        now = at + later
        assert word(await offered(api, ann, bob, 60)) == expected


async def test_a_gift_counts_in_the_month_in_which_it_was_offered(dsn: str, fund: Fund) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    async with Api.running(dsn, clock=lambda: now) as api:
        ann, bob = await pair(api, fund, 2_000)
        kept, returned = await gift(api, ann, bob, 300), await gift(api, ann, bob, 300)
        now = datetime(2026, 12, 1, 12, tzinfo=UTC)
        await api.made(f"/v1/gifts/{kept}/accept")
        await api.made(f"/v1/gifts/{returned}/decline")
        await gift(api, ann, bob, 600)
        assert refusal(await offered(api, ann, bob, 1)) == (409, "gift_limit")


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
    later = datetime.now(UTC) + timedelta(days=60)
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
                    await lapsed(database, datetime.now(UTC) + timedelta(days=60))
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
    assert [one["receiver_name"] for one in seen] == [None, None, None, None, "Bob"]
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
    assert await lapsed(database, datetime.now(UTC) + timedelta(days=60)) == 2
    await audit(owner)


async def test_gifts_stand_in_both_copies(api: Api, fund: Fund) -> None:
    ann, bob = await pair(api, fund)
    id_ = await gift(api, ann, bob, words="Hello")
    for person, part, other in ((ann, "gifts_given", "gifts_received"), (bob, "gifts_received", "gifts_given")):
        copy = (await api.get(f"/v1/people/{person['id']}/copy")).json()
        [held] = copy[part]
        assert (held["id"], held["giver"], held["receiver"], held["words"]) == (id_, ann["id"], bob["id"], "Hello")
        assert copy[other] == []
