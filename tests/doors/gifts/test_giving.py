"""Who may give what to whom, and how much of it in a month."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.daytime import daytime
from tests.doors.gifts.giving import Fund, aged, gift, offered, pair, refusal, word
from tests.doors.house import Api

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
    await owner.execute(
        "UPDATE scheme.consent SET given_at = $1::timestamptz - interval '2 years', ends_at = $1", daytime()
    )
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
