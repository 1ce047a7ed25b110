"""Eligibility over HTTP: staff give words and withdraw them, and a venue hears yes or no."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.daytime import daytime
from tests.doors.house import Api

TOMORROW = (daytime() + timedelta(days=1)).isoformat().replace("+00:00", "Z")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def words(api: Api, person: str, token: str | None = None) -> list[tuple[str, str | None]]:
    answer = await api.get(f"/v1/people/{person}/eligibility", token)
    assert answer.status_code == 200, answer.text
    return [(each["word"], each["ends_at"]) for each in answer.json()["eligible"]]


async def give(api: Api, person: str, word: str, **body: object) -> dict[str, Any]:
    answer = await api.send("PUT", f"/v1/people/{person}/eligibility/{word}", body)
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


async def verbs(owner: asyncpg.Connection) -> list[str]:
    rows = await owner.fetch("SELECT verb FROM scheme.act WHERE verb LIKE 'eligibility%' ORDER BY at, id")
    return [row["verb"].removeprefix("eligibility_") for row in rows]


async def test_words_are_given_and_withdrawn_and_it_is_known_who_did_it(api: Api, owner: asyncpg.Connection) -> None:
    ann = (await api.person())["id"]
    first = await give(api, ann, "gym_induction")
    assert await give(api, ann, "gym_induction") == first, "given again, nothing changes"
    await give(api, ann, "client", ends_at=TOMORROW)
    assert await words(api, ann) == [("client", TOMORROW), ("gym_induction", None)]
    later = await give(api, ann, "client", ends_at=None)
    assert later["ends_at"] is None
    for _ in range(2):  # one that they don't have stays away
        gone = await api.send("DELETE", f"/v1/people/{ann}/eligibility/gym_induction")
        assert gone.status_code == 204
    assert await words(api, ann) == [("client", None)]
    assert await verbs(owner) == ["given", "given", "read", "given", "withdrawn", "read"]


async def test_who_reads_them(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob = (await api.person())["id"], (await api.person("Bob"))["id"]
    await give(api, ann, "client")
    own, other = await api.key("person", person=ann), await api.key("person", person=bob)
    helper = {"helper": bob, "may": ["balance", "claim", "book"]}
    await api.made(f"/v1/people/{ann}/helpers", helper)
    path = f"/v1/people/{ann}/eligibility"
    assert await words(api, ann, own) == [("client", None)]
    assert refusal(await api.get(path, other)) == (404, "not_found"), "not even who helps them"
    for token in (await api.till(await api.venue()), await api.key("project", await api.project())):
        assert refusal(await api.get(path, token)) == (403, "forbidden")
    assert refusal(await api.send("PUT", f"{path}/gym", {}, own)) == (403, "forbidden"), "nobody gives themselves one"
    assert refusal(await api.send("DELETE", f"{path}/client", None, own)) == (403, "forbidden")
    assert await verbs(owner) == ["given"], "nobody else has read them"


WORDS_THAT_CANNOT_BE: list[tuple[str, dict[str, Any], int, str]] = [
    ("Gym", {}, 400, "word"),
    ("1st", {}, 400, "word"),
    ("gym-induction", {}, 400, "word"),
    ("g" * 49, {}, 400, "word"),
    ("gym", {"ends_at": "2026-01-01T00:00:00Z"}, 422, "ends_at"),
    ("gym", {"ends_at": "2027-01-01T00:00:00"}, 422, "ends_at"),
    ("gym", {"ends_at": "2101-01-01T00:00:00Z"}, 422, "ends_at"),
    ("gym", {"given_at": TOMORROW}, 400, "given_at"),
]


async def test_a_word_that_cannot_be(api: Api) -> None:
    ann = (await api.person())["id"]
    for word, body, status, field in WORDS_THAT_CANNOT_BE:
        answer = await api.send("PUT", f"/v1/people/{ann}/eligibility/{word}", body)
        assert (answer.status_code, fields(answer)) == (status, [field]), (word, body)
    assert await words(api, ann) == []


async def test_nobody_is_eligible_who_is_not_there(api: Api) -> None:
    nobody = uuid4()
    path = f"/v1/people/{nobody}/eligibility"
    assert refusal(await api.get(path)) == (404, "not_found")
    assert refusal(await api.send("PUT", f"{path}/gym", {})) == (404, "not_found")
    assert refusal(await api.send("DELETE", f"{path}/gym")) == (404, "not_found")


async def test_somebody_has_so_many_words(api: Api, owner: asyncpg.Connection) -> None:
    ann = (await api.person())["id"]
    await owner.execute(
        "INSERT INTO scheme.eligible (person, word, given_at, given_by)"
        " SELECT $1::uuid, 'word' || n, now(), $1::uuid FROM generate_series(1, 100) n",
        ann,
    )
    answer = await api.send("PUT", f"/v1/people/{ann}/eligibility/gym", {})
    assert refusal(answer) == (409, "wrong_state")
    await give(api, ann, "word7", ends_at=TOMORROW)


async def test_a_venue_hears_yes_or_no_and_never_the_word(api: Api, dsn: str) -> None:
    ann, venue = (await api.person())["id"], await api.venue()
    offer, till = await api.offer(venue, price=15, requires=["client"]), await api.till(venue)
    await api.give(await api.project(), {ann: 60})
    asked = {"offer": offer, "code": await api.card(ann), "name_checked": True}
    refused = await api.post("/v1/redemptions", asked, token=till)
    assert refusal(refused) == (409, "not_eligible")
    assert "client" not in refused.text
    await give(api, ann, "client", ends_at=TOMORROW)
    await api.made("/v1/redemptions", asked, token=till)
    in_two_days = daytime() + timedelta(days=2)
    async with Api.running(dsn, scheme=api.scheme, clock=lambda: in_two_days) as later:
        assert refusal(await later.post("/v1/redemptions", asked, token=till)) == (409, "not_eligible")
    await give(api, ann, "client")
    await api.made("/v1/redemptions", asked, token=till)


async def test_they_are_in_the_copy_and_go_with_the_person(api: Api, owner: asyncpg.Connection) -> None:
    ann = (await api.person())["id"]
    given = await give(api, ann, "client", ends_at=TOMORROW)
    assert (await api.get(f"/v1/people/{ann}/copy")).json()["eligible"] == [given]
    await api.made(f"/v1/people/{ann}/erasure", {"give_to": "surrender"})
    assert await owner.fetchval("SELECT count(*) FROM scheme.eligible") == 0
