"""Finding somewhere to spend, over HTTP: what is found, in which order, and how far it is."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

import httpx
import pytest

from ledger.database import Database
from ledger.scheme.clock import LONDON
from ledger.scheme.districts import District, Districts
from tests.daytime import daytime
from tests.doors.house import Api

# About where these are; those of one word are only somewhere in the town.
DISTRICTS = (
    District("CB1", 52.197, 0.150),
    District("CB4", 52.222, 0.133),
    District("CB23", 52.192, 0.009),
    District("PE29", 52.329, -0.190),
    District("EC3N", 51.510, -0.076),
    District("EH1", 55.950, -3.187),
)
SATURDAY, SUNDAY, WEDNESDAY = "2026-11-28", "2026-11-29", "2026-12-02"
DAILY = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "07:00", "closes": "21:00"}


@pytest.fixture(autouse=True)
async def districts(database: Database) -> None:
    await Districts(database).load(DISTRICTS)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def offered(
    api: Api,
    title: str,
    *postcodes: str,
    reach: str = "local",
    kind: str = "drop_in",
    step_free: bool | None = None,
    **terms: object,
) -> str:
    """A published offer of that title at a venue of its own, with a site at each postcode."""
    venue = await api.venue(f"{title[:20]} house")
    for postcode in postcodes:
        place = {"name": f"By {postcode}", "postcode": postcode, "step_free": step_free}
        await api.made(f"/v1/venues/{venue}/sites", place)
    body = {"title": title, "price": 60, "reach": reach, "kind": kind, "terms": terms}
    offer = (await api.made(f"/v1/venues/{venue}/offers", body))["id"]
    await api.made(f"/v1/offers/{offer}/publish")
    return str(offer)


async def search(api: Api, token: str | None = None, **query: object) -> list[dict[str, Any]]:
    answer = await api.get("/v1/offers", token, **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["offers"])


async def titles(api: Api, **query: object) -> list[str]:
    return [one["title"] for one in await search(api, None, **query)]


async def county(api: Api) -> None:
    """Offers near and far, made in no order."""
    await offered(api, "Far theatre", "EH1 1BB", reach="county")
    await offered(api, "Tower", "EC3N 4AB", reach="national")
    await offered(api, "Pool", "CB1 1LY")
    await offered(api, "Farm", "CB23 7AA")
    await offered(api, "Castle", "EH1 2NG", reach="national")
    await offered(api, "Somewhere", reach="county")
    await offered(api, "Library", "CB4 1DQ")


# --- distance and order -----------------------------------------------------------------------------------------


async def test_the_nearest_come_first_and_national_ones_always_last(api: Api) -> None:
    await county(api)
    found = [(one["title"], one["km"]) for one in await search(api, near="CB4")]
    assert found == [
        ("Library", 0),
        ("Pool", 3),
        ("Farm", 9),
        ("Far theatre", 468),
        ("Somewhere", None),
        ("Tower", 80),
        ("Castle", 468),
    ]
    assert await titles(api, near="EH1") == ["Far theatre", "Farm", "Library", "Pool", "Somewhere", "Castle", "Tower"]


async def test_without_a_district_they_are_in_the_order_of_their_titles(api: Api) -> None:
    await county(api)
    found = await search(api)
    assert [one["title"] for one in found] == ["Far theatre", "Farm", "Library", "Pool", "Somewhere", "Castle", "Tower"]
    assert {one["km"] for one in found} == {None}


# Great circles between the centres of these towns, as atlases have them.
KNOWN_DISTANCES = [
    ("London - Edinburgh", (51.5074, -0.1278), (55.9533, -3.1883), 534),
    ("London - Manchester", (51.5074, -0.1278), (53.4808, -2.2426), 262),
    ("London - Cardiff", (51.5074, -0.1278), (51.4816, -3.1791), 211),
    ("London - Belfast", (51.5074, -0.1278), (54.5973, -5.9301), 519),
    ("Land's End - John o' Groats", (50.0657, -5.7132), (58.6373, -3.0689), 970),
    ("the same", (52.2, 0.1), (52.2, 0.1), 0),
]


async def test_distances_are_those_of_the_atlas(api: Api, database: Database) -> None:
    for what, start, end, km in KNOWN_DISTANCES:
        await Districts(database).load([District("W1A", *start)])
        offer = await offered(api, what)
        site = {"name": "There", "latitude": end[0], "longitude": end[1]}
        venue = (await api.get(f"/v1/offers/{offer}")).json()["venue"]
        await api.made(f"/v1/venues/{venue}/sites", site)
        (found,) = [one for one in await search(api, near="W1A") if one["id"] == offer]
        assert abs(found["km"] - km) <= 1 + km // 200, (what, found["km"])  # half a per cent


async def test_a_district_is_told_by_itself_or_by_a_whole_postcode(api: Api) -> None:
    await offered(api, "Pool", "CB1 1LY")
    for near in ("CB4", "cb4", "CB4 1DQ", "cb41dq", "cb4 9zz"):
        assert [one["km"] for one in await search(api, near=near)] == [3], near


WHAT_CANNOT_BE_LOOKED_FOR: list[tuple[dict[str, object], int, str]] = [
    ({"near": "ZZ9"}, 422, "near"),  # well written, but nowhere that is known
    ({"near": "ZZ9 9ZZ"}, 422, "near"),
    ({"within_km": 5}, 422, "near"),  # of where?
    ({"near": "Cambridge"}, 400, "near"),
    ({"near": "CB4 1"}, 400, "near"),
    ({"near": "CB4\n"}, 400, "near"),
    ({"near": "CB4", "within_km": 0}, 400, "within_km"),
    ({"near": "CB4", "within_km": "5.5"}, 400, "within_km"),
    ({"near": "CB4", "within_km": "1e2"}, 400, "within_km"),
    ({"near": "CB4", "within_km": 1000}, 400, "within_km"),
    ({"reach": "regional"}, 400, "reach"),
    ({"kind": "raffle"}, 400, "kind"),
    ({"step_free": "yes"}, 400, "step_free"),
    ({"companion_free": "1"}, 400, "companion_free"),
    ({"low_talk": "false"}, 400, "low_talk"),
    ({"open_on": "saturday"}, 400, "open_on"),
    ({"open_on": "2026-02-30"}, 400, "open_on"),
    ({"quiet_on": "9999-12-31"}, 400, "quiet_on"),
    ({"cursor": "CB4"}, 400, "cursor"),
]


async def test_what_cannot_be_looked_for(api: Api) -> None:
    for query, status, field in WHAT_CANNOT_BE_LOOKED_FOR:
        answer = await api.get("/v1/offers", None, **query)
        assert (answer.status_code, fields(answer)) == (status, [field]), query


async def test_of_several_sites_the_nearest_counts_and_five_are_shown(api: Api) -> None:
    sites = ["EH1 1BB", "CB23 7AA", "CB1 1LY", "PE29 3TN", "CB4 1DQ", "EC3N 4AB"]
    await offered(api, "Pools", *sites)
    (found,) = await search(api, near="CB1")
    assert found["km"] == 0
    assert [(site["postcode"], site["km"]) for site in found["sites"]] == [
        ("CB1 1LY", 0),
        ("CB4 1DQ", 3),
        ("CB23 7AA", 10),
        ("PE29 3TN", 27),
        ("EC3N 4AB", 78),
    ]
    (found,) = await search(api)
    assert [(site["name"], site["km"]) for site in found["sites"]] == [(f"By {one}", None) for one in sorted(sites)[:5]]


async def test_an_offer_of_one_site_is_there_alone(api: Api) -> None:
    offer = await offered(api, "Pools", "CB4 1DQ", "EC3N 4AB")
    venue = (await api.get(f"/v1/offers/{offer}")).json()["venue"]
    far = (await api.get(f"/v1/venues/{venue}/sites")).json()["sites"][1]
    assert far["postcode"] == "EC3N 4AB"
    await api.send("PATCH", f"/v1/offers/{offer}", {"site": far["id"]})
    (found,) = await search(api, near="CB4")
    assert ([site["id"] for site in found["sites"]], found["km"]) == ([far["id"]], 80)
    await api.send("PATCH", f"/v1/offers/{offer}", {"site": None})
    await api.made(f"/v1/sites/{far['id']}/close")
    (found,) = await search(api, near="EC3N")
    assert [site["postcode"] for site in found["sites"]] == ["CB4 1DQ"], "a closed one isn't shown"


# --- filters ----------------------------------------------------------------------------------------------------


async def test_each_filter_by_itself_and_together(api: Api) -> None:
    quiet = [{"days": ["sun"], "opens": "08:00", "closes": "10:00"}]
    await offered(api, "Daily", "CB4 1DQ", windows=[DAILY], closed=[SATURDAY], companion_free=True)
    await offered(api, "Weekend", "CB1 1LY", windows=[{**DAILY, "days": ["sat", "sun"]}], quiet=quiet, step_free=True)
    await offered(api, "Always", "CB23 7AA", kind="ticket", step_free=False, quiet=quiet, low_talk=True)
    await offered(api, "Tower", "EC3N 4AB", reach="national", companion_free=True, low_talk=True, step_free=True)
    looked: list[tuple[dict[str, object], Sequence[str]]] = [
        ({}, ["Always", "Daily", "Weekend", "Tower"]),
        ({"reach": "national"}, ["Tower"]),
        ({"reach": "county"}, []),
        ({"kind": "ticket"}, ["Always"]),
        ({"step_free": "true"}, ["Weekend", "Tower"]),  # nobody has said so of Daily
        ({"companion_free": "true"}, ["Daily", "Tower"]),
        ({"low_talk": "true"}, ["Always", "Tower"]),
        ({"low_talk": "true", "companion_free": "true"}, ["Tower"]),
        ({"open_on": SATURDAY}, ["Always", "Weekend", "Tower"]),
        ({"open_on": SUNDAY}, ["Always", "Daily", "Weekend", "Tower"]),
        ({"open_on": WEDNESDAY}, ["Always", "Daily", "Tower"]),
        ({"quiet_on": SUNDAY}, ["Always", "Weekend"]),
        ({"quiet_on": SATURDAY}, []),
        ({"near": "CB4", "within_km": 3}, ["Daily", "Weekend", "Tower"]),
        ({"near": "CB4", "within_km": 2}, ["Daily", "Tower"]),
        ({"near": "CB4", "within_km": 2, "reach": "local"}, ["Daily"]),
        ({"near": "CB4", "step_free": "true", "open_on": SUNDAY, "quiet_on": SUNDAY}, ["Weekend"]),
    ]
    for query, expected in looked:
        assert await titles(api, **query) == expected, query


async def test_what_is_open_is_asked_of_the_day_and_its_dates_as_they_stand(api: Api) -> None:
    offer = await offered(api, "Pool", "CB1 1LY", windows=[{**DAILY, "days": ["sat"]}])
    assert (await titles(api, open_on=SATURDAY), await titles(api, open_on=SUNDAY)) == (["Pool"], [])
    terms = {"windows": [{**DAILY, "days": ["sun"]}], "closed": ["2026-12-06"]}
    await api.send("PATCH", f"/v1/offers/{offer}", {"terms": terms})
    assert (await titles(api, open_on=SATURDAY), await titles(api, open_on=SUNDAY)) == ([], ["Pool"])
    assert (await titles(api, open_on="2026-12-06"), await titles(api, open_on="2026-12-13")) == ([], ["Pool"])


async def test_a_show_is_open_on_the_days_of_its_occasions(api: Api) -> None:
    offer = await offered(api, "Play", "CB1 1LY", kind="show")
    # One at 23:30 and one at 00:30 in London's summer, which are both on the earlier day in UTC.
    day = (daytime() + timedelta(days=400)).replace(month=7, day=10).date()
    late = datetime.combine(day, time(23, 30), LONDON)
    occasions = [
        {"starts_at": start.isoformat(), "ends_at": (start + timedelta(minutes=20)).isoformat()}
        for start in (late, late + timedelta(hours=1))
    ]
    made = (await api.made(f"/v1/offers/{offer}/occasions", {"occasions": occasions}))["occasions"]
    after, before = day + timedelta(days=1), day - timedelta(days=1)
    for on, expected in [(before, []), (day, ["Play"]), (after, ["Play"]), (after + timedelta(days=1), [])]:
        assert await titles(api, open_on=on) == expected, on
    await api.made(f"/v1/occasions/{made[0]['id']}/cancel")
    assert (await titles(api, open_on=day), await titles(api, open_on=after)) == ([], ["Play"])


async def test_with_step_free_only_such_sites_are_near(api: Api) -> None:
    offer = await offered(api, "Pools", "CB4 1DQ", step_free=False)
    venue = (await api.get(f"/v1/offers/{offer}")).json()["venue"]
    await api.made(f"/v1/venues/{venue}/sites", {"name": "Flat", "postcode": "CB23 7AA", "step_free": True})
    (found,) = await search(api, near="CB4", step_free="true")
    assert ([site["name"] for site in found["sites"]], found["km"]) == (["Flat"], 9)
    assert await titles(api, near="CB4", step_free="true", within_km=5) == []


# --- who finds what ---------------------------------------------------------------------------------------------


async def test_only_published_offers_of_active_venues_are_found(api: Api) -> None:
    offer = await offered(api, "Pool", "CB1 1LY")
    venue = (await api.get(f"/v1/offers/{offer}")).json()["venue"]
    await api.made(f"/v1/venues/{venue}/offers", {"title": "A draft", "price": 60})
    for hide, show in [
        (f"/v1/offers/{offer}/pause", f"/v1/offers/{offer}/publish"),
        (f"/v1/venues/{venue}/suspend", f"/v1/venues/{venue}/activate"),
    ]:
        assert await titles(api) == ["Pool"]
        await api.made(hide)
        assert await titles(api) == []
        await api.made(show)
    await api.made(f"/v1/venues/{venue}/end")
    assert await titles(api) == []


async def test_everybody_finds_the_public_side_and_no_more(api: Api) -> None:
    ann = (await api.person())["id"]
    await api.send("PUT", f"/v1/people/{ann}/eligibility/client", {})
    await offered(
        api, "Gym", "CB1 1LY", quota=40, month_minutes=600, requires=["client"], windows=[DAILY], booking_needed=True
    )
    keys = [
        api.scheme,
        await api.key("person", person=ann),
        await api.key("project", await api.project()),
        await api.till(await api.venue()),
    ]
    found = [await search(api, key, near="CB4") for key in keys]
    assert all(one == found[0] for one in found)
    ((gym,),) = found[:1]
    assert set(gym) == {
        *("id", "venue", "venue_name", "title", "kind", "reach", "description", "expect", "price", "companion_free"),
        *("low_talk", "booking_needed", "requires", "windows", "closed", "quiet", "km", "sites"),
    }
    assert (gym["venue_name"], gym["requires"], gym["windows"]) == ("Gym house", ["client"], [DAILY])


# --- page by page -----------------------------------------------------------------------------------------------


async def pages(api: Api, **query: object) -> list[str]:
    """All titles, read two at a time."""
    seen: list[str] = []
    cursor: dict[str, object] = {}
    while True:
        page = (await api.get("/v1/offers", None, limit=2, **query, **cursor)).json()
        seen += [one["title"] for one in page["offers"]]
        if page["next"] is None:
            return seen
        cursor = {"cursor": page["next"]}


async def test_page_by_page_in_the_same_order_nothing_twice_nothing_missed(api: Api) -> None:
    await county(api)
    await offered(api, "Pool", "CB1 1LY")  # of the same name, at the same distance
    await offered(api, "\U0001f3ca" * 200, "CB1 1LY")  # as long as a title can be
    for query in ({"near": "CB4"}, {}, {"near": "CB4", "within_km": 9}, {"reach": "local"}):
        assert await pages(api, **query) == await titles(api, **query, limit=200), query
    assert len(await pages(api, near="CB4")) == 9


async def test_a_cursor_is_of_its_search_alone(api: Api) -> None:
    await county(api)
    cursor = (await api.get("/v1/offers", near="CB4", limit=2)).json()["next"]
    for query in ({"near": "CB1"}, {}, {"near": "CB4", "kind": "drop_in"}, {"near": "CB4", "open_on": SUNDAY}):
        assert refusal(await api.get("/v1/offers", cursor=cursor, **query)) == (400, "wrong_parameters"), query
    assert (await api.get("/v1/offers", near="CB4", cursor=cursor)).status_code == 200


async def test_the_list_goes_on_where_it_was_when_the_last_one_shown_is_gone(api: Api) -> None:
    await county(api)
    page = (await api.get("/v1/offers", near="CB4", limit=2)).json()
    last = page["offers"][-1]["id"]
    await api.made(f"/v1/offers/{last}/end")
    rest = await search(api, near="CB4", cursor=page["next"])
    assert [one["title"] for one in rest] == ["Farm", "Far theatre", "Somewhere", "Tower", "Castle"]
