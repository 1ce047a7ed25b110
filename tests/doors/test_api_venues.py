"""Venues and their sites over HTTP: their states, their names, and where they are."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.doors.house import Api

ACTS = {"active": "activate", "suspended": "suspend", "ended": "end"}
# How a fresh one, applied for, comes to each state.
WAY_TO = {"applied": [], "active": ["activate"], "suspended": ["activate", "suspend"], "ended": ["end"]}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def applied(api: Api, name: str = "Parkside pool") -> str:
    made = await api.made("/v1/venues", {"name": name, "status": "applied"})
    assert made["status"] == "applied"
    return str(made["id"])


async def site(api: Api, venue: str, **place: object) -> dict[str, Any]:
    return await api.made(f"/v1/venues/{venue}/sites", {"name": "Parkside", **place})


async def sites(api: Api, venue: str, token: str | None = None) -> list[str]:
    answer = await api.get(f"/v1/venues/{venue}/sites", token)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["sites"]]


# --- states ---------------------------------------------------------------------------------------------------


WHAT_A_VENUE_MAY_BECOME = [
    ("applied", "active", 200),
    ("applied", "suspended", 409),
    ("applied", "ended", 200),
    ("active", "active", 200),  # again: nothing changes
    ("active", "suspended", 200),
    ("active", "ended", 200),
    ("suspended", "active", 200),
    ("suspended", "suspended", 200),
    ("suspended", "ended", 200),
    ("ended", "active", 409),
    ("ended", "suspended", 409),
    ("ended", "ended", 200),
]


async def test_what_a_venue_may_become(api: Api) -> None:
    for was, wanted, status in WHAT_A_VENUE_MAY_BECOME:
        venue = await applied(api)
        for act in WAY_TO[was]:
            await api.made(f"/v1/venues/{venue}/{act}")
        answer = await api.post(f"/v1/venues/{venue}/{ACTS[wanted]}")
        assert answer.status_code == status, (was, wanted)
        if status == 409:
            assert answer.json()["code"] == "wrong_state"
        stands = (await api.get(f"/v1/venues/{venue}")).json()["status"]
        assert stands == (wanted if status == 200 else was)


async def test_a_suspended_venue_takes_no_credits_at_once_in_every_process(api: Api, dsn: str) -> None:
    ann, venue = (await api.person())["id"], await api.venue()
    offer, till, card = await api.offer(venue, price=15), await api.till(venue), await api.card(ann)
    await api.give(await api.project(), {ann: 60})
    asked = {"offer": offer, "code": card, "name_checked": True}
    async with Api.running(dsn, scheme=api.scheme) as other:
        for service in (api, other):
            await service.made("/v1/redemptions", asked, token=till)
        await api.made(f"/v1/venues/{venue}/suspend")
        for service in (other, api):
            assert refusal(await service.post("/v1/redemptions", asked, token=till)) == (409, "venue_paused")
        await other.made(f"/v1/venues/{venue}/activate")
        await api.made("/v1/redemptions", asked, token=till)
    assert await api.balance(ann) == (15, 0)


async def test_a_venue_that_is_not_there(api: Api) -> None:
    nobody = uuid4()
    for act in ACTS.values():
        assert refusal(await api.post(f"/v1/venues/{nobody}/{act}")) == (404, "not_found")
    for path in ("", "/sites", "/offers"):
        assert refusal(await api.get(f"/v1/venues/{nobody}{path}")) == (404, "not_found")
    assert refusal(await api.send("PATCH", f"/v1/venues/{nobody}", {"name": "x"})) == (404, "not_found")
    assert refusal(await api.post(f"/v1/venues/{nobody}/sites", {"name": "x"})) == (404, "not_found")
    assert refusal(await api.send("PATCH", f"/v1/sites/{nobody}", {"name": "x"})) == (404, "not_found")
    assert refusal(await api.post(f"/v1/sites/{nobody}/close")) == (404, "not_found")


async def test_who_may_know_of_a_venue(api: Api) -> None:
    own, other = await applied(api), await api.venue("The theatre")
    till, person = await api.till(own), await api.key("person", person=(await api.person())["id"])
    for token, path, status in [
        (till, f"/v1/venues/{own}", 200),
        (till, f"/v1/venues/{own}/sites", 200),
        (till, f"/v1/venues/{other}", 200),
        (person, f"/v1/venues/{other}", 200),
        (person, f"/v1/venues/{other}/sites", 200),
        (person, f"/v1/venues/{own}", 404),  # it isn't active yet
        (person, f"/v1/venues/{own}/sites", 404),
        (till, f"/v1/venues/{other}/offers", 404),
        (person, f"/v1/venues/{other}/offers", 403),
    ]:
        assert (await api.get(path, token)).status_code == status, path


# --- names ----------------------------------------------------------------------------------------------------


async def test_a_venue_made_twice_under_one_key_is_one(api: Api, owner: asyncpg.Connection) -> None:
    body = {"name": "Parkside pool"}
    first, again = await api.post("/v1/venues", body, key="k"), await api.post("/v1/venues", body, key="k")
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert (first.json()["status"], again.headers["idempotency-replayed"]) == ("active", "true")
    assert refusal(await api.post("/v1/venues", {"name": "Another"}, key="k")) == (422, "key_reused")
    assert refusal(await api.post("/v1/venues", body, key="")) == (400, "idempotency_key")
    assert len((await api.get("/v1/venues")).json()["venues"]) == 1
    assert "Parkside" not in await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'venue'")


A_VENUE_THAT_CANNOT_BE: list[tuple[dict[str, Any], int, str]] = [
    ({"name": ""}, 422, "name"),
    ({"name": None}, 400, "name"),
    ({"name": "x" * 201}, 422, "name"),
    ({"status": "suspended"}, 422, "status"),
    ({"status": None}, 400, "status"),
    ({"id": str(uuid4())}, 400, "id"),
]


async def test_a_venue_that_cannot_be(api: Api) -> None:
    for change, status, field in A_VENUE_THAT_CANNOT_BE:
        answer = await api.post("/v1/venues", {"name": "The theatre", **change})
        assert (answer.status_code, fields(answer)) == (status, [field]), change
    assert (await api.get("/v1/venues")).json() == {"venues": [], "next": None}


async def test_a_venue_is_renamed(api: Api) -> None:
    venue = await api.venue()
    before = (await api.get(f"/v1/venues/{venue}")).json()
    after = (await api.send("PATCH", f"/v1/venues/{venue}", {"name": "The lido"})).json()
    assert after == before | {"name": "The lido"} == (await api.get(f"/v1/venues/{venue}")).json()
    answer = await api.send("PATCH", f"/v1/venues/{venue}", {"name": "The lido", "status": "ended"})
    assert (answer.status_code, fields(answer)) == (400, ["status"])


async def test_venues_by_name_page_by_page(api: Api) -> None:
    for name in ("delta", "Alpha", "echo", "Bravo", "charlie"):
        await applied(api, name)
    await api.venue("Foxtrot")
    seen: list[str] = []
    page = (await api.get("/v1/venues", status="applied", limit=2)).json()
    cursor = page["next"]
    while True:
        seen += [venue["name"] for venue in page["venues"]]
        if page["next"] is None:
            break
        page = (await api.get("/v1/venues", status="applied", limit=2, cursor=page["next"])).json()
    assert seen == ["Alpha", "Bravo", "charlie", "delta", "echo"]
    assert len((await api.get("/v1/venues")).json()["venues"]) == 6
    assert refusal(await api.get("/v1/venues", cursor=cursor)) == (400, "wrong_parameters")
    assert refusal(await api.get("/v1/venues", status="closed")) == (400, "wrong_parameters")


# --- sites ----------------------------------------------------------------------------------------------------


POSTCODES = [
    ("cb4 1dq", "CB4 1DQ"),
    ("CB41DQ", "CB4 1DQ"),
    ("m1 1ae", "M1 1AE"),
    ("ec1a1bb", "EC1A 1BB"),
    ("W1A 0AX", "W1A 0AX"),
    ("dn55 1pt", "DN55 1PT"),
]


async def test_a_postcode_is_written_as_the_post_does(api: Api) -> None:
    venue = await api.venue()
    for told, written in POSTCODES:
        made = await site(api, venue, postcode=told)
        assert made["postcode"] == written
        changed = await api.send("PATCH", f"/v1/sites/{made['id']}", {"postcode": told.lower()})
        assert changed.json()["postcode"] == written


async def test_a_site_is_added_once_changed_and_cleared(api: Api, owner: asyncpg.Connection) -> None:
    venue = await api.venue()
    path = f"/v1/venues/{venue}/sites"
    body = {
        "name": "Parkside",
        "address": "Gonville Place",
        "postcode": "CB1 1LY",
        "latitude": 52.2,
        "longitude": 0,
        "step_free": True,
    }
    first, again = await api.post(path, body, key="k"), await api.post(path, {**body, "postcode": "cb11ly"}, key="k")
    assert (first.status_code, first.json()) == (201, again.json())
    assert first.json() == first.json() | body | {"venue": venue, "closed_at": None}
    assert (await api.get(path)).json()["sites"] == [first.json()]
    assert refusal(await api.post(path, {**body, "name": "Abbey"}, key="k")) == (422, "key_reused")
    assert "Parkside" not in await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'site'")

    cleared = {"postcode": None, "latitude": None, "longitude": None, "step_free": None, "address": ""}
    changed = await api.send("PATCH", f"/v1/sites/{first.json()['id']}", cleared)
    assert changed.json() == first.json() | cleared
    assert (await api.send("PATCH", f"/v1/sites/{first.json()['id']}", {})).json() == changed.json()


A_SITE_THAT_CANNOT_BE: list[tuple[dict[str, Any], int, str]] = [
    ({"name": ""}, 422, "name"),
    ({"address": "x" * 501}, 422, "address"),
    ({"postcode": "CB4"}, 422, "postcode"),
    ({"postcode": "4CB 1DQ"}, 422, "postcode"),
    ({"postcode": "CB4 1DQ\n"}, 422, "postcode"),
    ({"postcode": "CB4  1DQ"}, 422, "postcode"),
    ({"latitude": 52.2}, 422, "longitude"),
    ({"longitude": 0.1}, 422, "latitude"),
    ({"latitude": 48.9, "longitude": 0.1}, 422, "latitude"),
    ({"latitude": 52.2, "longitude": 2.5}, 422, "longitude"),
    ({"latitude": "52.2", "longitude": 0.1}, 400, "latitude"),
    ({"step_free": "yes"}, 400, "step_free"),
    ({"venue": str(uuid4())}, 400, "venue"),
]


async def test_a_site_that_cannot_be(api: Api) -> None:
    venue = await api.venue()
    stands = (await site(api, venue))["id"]
    for change, status, field in A_SITE_THAT_CANNOT_BE:
        added = await api.post(f"/v1/venues/{venue}/sites", {"name": "Abbey", **change})
        assert (added.status_code, fields(added)) == (status, [field]), change
        changed = await api.send("PATCH", f"/v1/sites/{stands}", change)
        assert (changed.status_code, fields(changed)) == (status, [field]), change
    assert await sites(api, venue) == ["Parkside"]


async def test_a_site_is_closed_once_nothing_is_given_there_alone(api: Api) -> None:
    venue = await api.venue()
    here, there = (await site(api, venue))["id"], (await site(api, venue, name="Abbey"))["id"]
    offers = []
    for title in ("A swim", "Aqua aerobics"):
        body = {"title": title, "price": 60, "site": here}
        offers.append((await api.made(f"/v1/venues/{venue}/offers", body))["id"])
    await api.offer(venue, title="Anywhere")
    answer = await api.post(f"/v1/sites/{here}/close")
    assert refusal(answer) == (409, "wrong_state")
    assert answer.json()["detail"].startswith("2 offers are given here")
    await api.made(f"/v1/offers/{offers[0]}/end")
    assert (await api.post(f"/v1/sites/{here}/close")).json()["detail"].startswith("1 offer is given here")
    assert (await api.send("PATCH", f"/v1/offers/{offers[1]}", {"site": there})).status_code == 200
    closed = await api.made(f"/v1/sites/{here}/close")
    assert closed["closed_at"] is not None
    assert await api.made(f"/v1/sites/{here}/close") == closed
    assert refusal(await api.send("PATCH", f"/v1/sites/{here}", {"name": "x"})) == (409, "wrong_state")
    body = {"title": "A swim", "price": 60, "site": here}
    assert fields(await api.post(f"/v1/venues/{venue}/offers", body)) == ["site"]
    assert await sites(api, venue) == ["Abbey", "Parkside"]
    assert await sites(api, venue, await api.till(await api.venue("Other"))) == ["Abbey"]


async def test_sites_page_by_page_and_none_at_a_venue_that_has_ended(api: Api) -> None:
    venue = await api.venue()
    for name in ("echo", "Alpha", "charlie"):
        await site(api, venue, name=name)
    path = f"/v1/venues/{venue}/sites"
    page = (await api.get(path, limit=2)).json()
    rest = (await api.get(path, limit=2, cursor=page["next"])).json()
    assert [one["name"] for one in page["sites"] + rest["sites"]] == ["Alpha", "charlie", "echo"]
    assert rest["next"] is None
    await api.made(f"/v1/venues/{venue}/end")
    assert refusal(await api.post(path, {"name": "x"})) == (409, "wrong_state")


async def test_a_venue_has_so_many_sites(api: Api, owner: asyncpg.Connection) -> None:
    venue = await api.venue()
    await owner.execute(
        "INSERT INTO scheme.site (id, venue, name, address, created_at)"
        " SELECT gen_random_uuid(), $1::uuid, 'Site ' || n, '', now() FROM generate_series(1, 199) n",
        venue,
    )
    await site(api, venue)
    assert refusal(await api.post(f"/v1/venues/{venue}/sites", {"name": "x"})) == (409, "wrong_state")
