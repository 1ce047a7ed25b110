"""Offers over HTTP: what they are, their terms, their states, who reads what, and how much of a quota is used."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.daytime import daytime
from tests.doors.house import Api

ACTS = {"published": "publish", "paused": "pause", "ended": "end"}
WAY_TO = {"draft": [], "published": ["publish"], "paused": ["publish", "pause"], "ended": ["end"]}

EVENINGS = {"days": ["mon", "fri"], "opens": "19:00", "closes": "21:30"}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def draft(api: Api, venue: str, **details: object) -> str:
    return str((await api.made(f"/v1/venues/{venue}/offers", {"title": "A swim", "price": 60, **details}))["id"])


async def test_an_offer_is_what_was_written(api: Api, owner: asyncpg.Connection) -> None:
    venue = await api.venue()
    site = (await api.made(f"/v1/venues/{venue}/sites", {"name": "Parkside"}))["id"]
    body = {
        "title": "A swim",
        "price": 60,
        "site": site,
        "kind": "ticket",
        "reach": "county",
        "description": "An hour in the big pool.",
        "expect": "Nobody asks anything.\nIt is quiet on Sundays.",
        "terms": {
            "windows": [EVENINGS],
            "closed": ["2026-12-25"],
            "quiet": [{"days": ["sun"], "opens": "08:00", "closes": "24:00"}],
            "quota": 0,
            "visit_minutes": 240,
            "month_minutes": 600,
            "people": 4,
            "child_price": 0,
            "young_per_adult": False,
            "companion_free": True,
            "low_talk": True,
            "from_years": 8,
            "requires": ["gym_induction"],
            "booking_needed": True,
            "ahead_minutes": 1440,
            "cancel_minutes": 2880,
        },
    }
    path = f"/v1/venues/{venue}/offers"
    first, again = await api.post(path, body, key="k"), await api.post(path, body, key="k")
    assert (first.status_code, first.json()) == (201, again.json())
    assert first.json() == first.json() | body | {"venue": venue, "status": "draft"}
    assert (await api.get(first.headers["location"])).json() == first.json()
    assert refusal(await api.post(path, {**body, "price": 61}, key="k")) == (422, "key_reused")
    assert refusal(await api.post(path, body, key="")) == (400, "idempotency_key")
    assert "swim" not in await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'offer'")


async def test_only_a_title_and_a_price_are_needed(api: Api) -> None:
    made = await api.made(f"/v1/venues/{await api.venue()}/offers", {"title": "A swim", "price": 60})
    assert [made[name] for name in ("site", "kind", "reach", "expect", "terms")] == [None, "drop_in", "local", "", {}]


OFFERS_THAT_CANNOT_BE: list[tuple[dict[str, Any], int, str]] = [
    ({"title": ""}, 422, "title"),
    ({"price": 0}, 422, "price"),
    ({"price": 60.0}, 400, "price"),
    ({"price": 481}, 422, "price"),  # above what can be used for one visit: nobody could come
    ({"kind": "raffle"}, 422, "kind"),
    ({"reach": "regional"}, 422, "reach"),
    ({"expect": "x" * 4001}, 422, "expect"),
    ({"description": None}, 400, "description"),
    ({"site": str(uuid4())}, 422, "site"),
    ({"status": "published"}, 400, "status"),
    ({"terms": None}, 400, "terms"),
    ({"terms": {"opening": []}}, 400, "terms.opening"),
    ({"terms": {"windows": [{**EVENINGS, "days": []}]}}, 422, "terms.windows[0].days"),
    ({"terms": {"windows": [{**EVENINGS, "days": ["monday"]}]}}, 422, "terms.windows[0].days[0]"),
    ({"terms": {"windows": [{**EVENINGS, "days": ["mon", "mon"]}]}}, 422, "terms.windows[0].days"),
    ({"terms": {"windows": [{**EVENINGS, "opens": "9:00"}]}}, 422, "terms.windows[0].opens"),
    ({"terms": {"windows": [{**EVENINGS, "opens": "24:00"}]}}, 422, "terms.windows[0].opens"),
    ({"terms": {"windows": [{**EVENINGS, "opens": "19:00\n"}]}}, 422, "terms.windows[0].opens"),
    (
        {"terms": {"windows": [EVENINGS, {**EVENINGS, "days": ["sat"], "closes": "18:00"}]}},
        422,
        "terms.windows[1].closes",
    ),
    ({"terms": {"windows": [EVENINGS, {**EVENINGS, "opens": "21:00"}]}}, 422, "terms.windows[1]"),
    ({"terms": {"windows": [{"days": ["mon"], "opens": "19:00"}]}}, 400, "terms.windows[0].closes"),
    ({"terms": {"closed": ["2026-02-30"]}}, 400, "terms.closed[0]"),
    ({"terms": {"closed": ["2026-12-25", "2026-12-25"]}}, 422, "terms.closed"),
    ({"terms": {"quota": -1}}, 422, "terms.quota"),
    ({"terms": {"quota": 1.0}}, 400, "terms.quota"),
    ({"terms": {"quota": 100_001}}, 422, "terms.quota"),
    ({"terms": {"visit_minutes": 481}}, 422, "terms.visit_minutes"),
    ({"terms": {"month_minutes": 45}}, 422, "terms.month_minutes"),
    ({"terms": {"people": 0}}, 422, "terms.people"),
    ({"terms": {"child_price": -15}}, 422, "terms.child_price"),
    ({"terms": {"from_years": 12}}, 422, "terms.from_years"),
    ({"terms": {"from_years": 16, "below_years": 16}}, 422, "terms.below_years"),
    ({"terms": {"requires": ["Gym"]}}, 422, "terms.requires[0]"),
    ({"terms": {"requires": ["gym\n"]}}, 422, "terms.requires[0]"),
    ({"terms": {"requires": ["a", "b", "c", "d", "e", "f"]}}, 422, "terms.requires"),
    ({"terms": {"cancel_minutes": 2881}}, 422, "terms.cancel_minutes"),
    ({"terms": {"ahead_minutes": 60}}, 422, "terms.ahead_minutes"),  # where nobody needs to book
]


async def test_an_offer_that_cannot_be_is_refused_by_its_field_and_nothing_is_written(api: Api) -> None:
    venue = await api.venue()
    stands = await draft(api, venue)
    before = (await api.get(f"/v1/offers/{stands}")).json()
    for change, status, field in OFFERS_THAT_CANNOT_BE:
        made = await api.post(f"/v1/venues/{venue}/offers", {"title": "A swim", "price": 60, **change})
        assert (made.status_code, fields(made)) == (status, [field]), change
        changed = await api.send("PATCH", f"/v1/offers/{stands}", change)
        assert (changed.status_code, fields(changed)) == (status, [field]), change
    assert (await api.get(f"/v1/venues/{venue}/offers")).json()["offers"] == [before]


async def test_every_fault_is_told_at_once(api: Api) -> None:
    terms = {"windows": [{**EVENINGS, "closes": "18:00"}], "visit_minutes": 500, "closed": ["2026-12-25"] * 2}
    answer = await api.post(f"/v1/venues/{await api.venue()}/offers", {"title": "A swim", "price": 60, "terms": terms})
    assert fields(answer) == ["terms.windows[0].closes", "terms.closed", "terms.visit_minutes"]


async def test_a_published_offer_is_rewritten_and_what_is_not_named_stays(api: Api) -> None:
    venue = await api.venue()
    offer = await api.offer(venue, quota=40, windows=[EVENINGS])
    path = f"/v1/offers/{offer}"
    before = (await api.get(path)).json()
    assert (await api.send("PATCH", path, {})).json() == before
    after = (await api.send("PATCH", path, {"price": 90, "expect": "Warm water."})).json()
    assert after == before | {"price": 90, "expect": "Warm water.", "changed_at": after["changed_at"]}
    assert after["changed_at"] > before["changed_at"]
    terms = (await api.send("PATCH", path, {"terms": {"quota": 50}})).json()["terms"]
    assert terms == {"quota": 50}, "terms are given as a whole"
    await api.made(f"{path}/end")
    assert refusal(await api.send("PATCH", path, {"title": "x"})) == (409, "wrong_state")


async def test_what_stood_when_the_rules_were_others_is_left_alone(api: Api) -> None:
    offer = await api.offer(await api.venue(), price=480)
    assert (await api.send("PATCH", "/v1/rules", {"visit_cap_minutes": 240})).status_code == 200
    path = f"/v1/offers/{offer}"
    assert (await api.send("PATCH", path, {"title": "A long swim"})).json()["title"] == "A long swim"
    assert fields(await api.send("PATCH", path, {"price": 470})) == ["price"]


WHAT_AN_OFFER_MAY_BECOME = [
    ("draft", "published", 200),
    ("draft", "paused", 409),
    ("draft", "ended", 200),
    ("published", "published", 200),  # again: nothing changes
    ("published", "paused", 200),
    ("published", "ended", 200),
    ("paused", "published", 200),
    ("paused", "paused", 200),
    ("paused", "ended", 200),
    ("ended", "published", 409),
    ("ended", "paused", 409),
    ("ended", "ended", 200),
]


async def test_what_an_offer_may_become(api: Api) -> None:
    venue = await api.venue()
    for was, wanted, status in WHAT_AN_OFFER_MAY_BECOME:
        offer = await draft(api, venue)
        for act in WAY_TO[was]:
            await api.made(f"/v1/offers/{offer}/{act}")
        answer = await api.post(f"/v1/offers/{offer}/{ACTS[wanted]}")
        assert answer.status_code == status, (was, wanted)
        if status == 409:
            assert answer.json()["code"] == "wrong_state"
        stands = (await api.get(f"/v1/offers/{offer}")).json()["status"]
        assert stands == (wanted if status == 200 else was)


async def test_who_reads_an_offer_and_who_its_quota(api: Api) -> None:
    venue, other = await api.venue(), await api.venue("The theatre")
    offer = await api.offer(venue, quota=40, people=4)
    own, theirs = await api.till(venue), await api.till(other)
    person = await api.key("person", person=(await api.person())["id"])
    project = await api.key("project", await api.project())
    path = f"/v1/offers/{offer}"
    for token in (api.scheme, own):
        assert (await api.get(path, token)).json()["terms"] == {"quota": 40, "people": 4}
    for token in (theirs, person, project):
        assert (await api.get(path, token)).json()["terms"] == {"people": 4}
    assert refusal(await api.get(f"{path}/quota", theirs)) == (404, "not_found")
    assert refusal(await api.get(f"{path}/quota", person)) == (403, "forbidden")
    for hide, show in [
        (f"{path}/pause", f"{path}/publish"),
        (f"/v1/venues/{venue}/suspend", f"/v1/venues/{venue}/activate"),
    ]:
        await api.made(hide)
        assert (await api.get(path, own)).status_code == 200
        for token in (theirs, person, project):
            assert refusal(await api.get(path, token)) == (404, "not_found")
        await api.made(show)
        assert (await api.get(path, person)).status_code == 200


async def test_a_venue_lists_its_own_by_title_page_by_page(api: Api) -> None:
    venue, other = await api.venue(), await api.venue("The theatre")
    for title in ("Charlie", "Alpha", "Bravo"):
        await draft(api, venue, title=title)
    await draft(api, other)
    path, till = f"/v1/venues/{venue}/offers", await api.till(venue)
    page = (await api.get(path, till, limit=2)).json()
    rest = (await api.get(path, till, limit=2, cursor=page["next"])).json()
    assert [one["title"] for one in page["offers"] + rest["offers"]] == ["Alpha", "Bravo", "Charlie"]
    assert rest["next"] is None
    assert refusal(await api.get(f"/v1/venues/{other}/offers", till)) == (404, "not_found")
    assert refusal(await api.get(f"/v1/venues/{other}/offers", cursor=page["next"])) == (400, "wrong_parameters")


async def test_an_offer_that_is_not_there_and_a_venue_that_has_ended(api: Api) -> None:
    nobody, venue = uuid4(), await api.venue()
    for method, path in [
        ("GET", f"/v1/offers/{nobody}"),
        ("GET", f"/v1/offers/{nobody}/quota"),
        ("PATCH", f"/v1/offers/{nobody}"),
        ("GET", f"/v1/offers/{nobody}/occasions"),
    ]:
        assert refusal(await api.send(method, path, {} if method == "PATCH" else None)) == (404, "not_found"), path
    for act in ACTS.values():
        assert refusal(await api.post(f"/v1/offers/{nobody}/{act}")) == (404, "not_found")
    body = {"title": "A swim", "price": 60}
    assert refusal(await api.post(f"/v1/venues/{nobody}/offers", body)) == (404, "not_found")
    await api.made(f"/v1/venues/{venue}/end")
    assert refusal(await api.post(f"/v1/venues/{venue}/offers", body)) == (409, "wrong_state")


async def test_a_site_of_another_venue_is_none(api: Api) -> None:
    venue, other = await api.venue(), await api.venue("The theatre")
    site = (await api.made(f"/v1/venues/{other}/sites", {"name": "Stage"}))["id"]
    answer = await api.post(f"/v1/venues/{venue}/offers", {"title": "A swim", "price": 60, "site": site})
    assert (answer.status_code, fields(answer)) == (422, ["site"])


# --- the quota ------------------------------------------------------------------------------------------------


async def test_how_much_of_a_quota_is_used_is_what_the_journal_has(api: Api, dsn: str) -> None:
    ann, venue = (await api.person())["id"], await api.venue()
    offer, till = await api.offer(venue, price=15, quota=3), await api.till(venue)
    await api.give(await api.project(), {ann: 60})
    path, month = f"/v1/offers/{offer}/quota", f"{daytime():%Y-%m}"
    fresh = {"offer": offer, "month": "2026-02", "quota": 3, "used": 0, "left": 3}
    assert (await api.get(path, till, month="2026-02")).json() == fresh
    asked = {"offer": offer, "code": await api.card(ann), "name_checked": True, "party": {"adults": 2}}
    # At half past midnight on 1 July in London it is June in UTC.
    async with Api.running(dsn, scheme=api.scheme, clock=lambda: datetime(2027, 6, 30, 23, 30, tzinfo=UTC)) as later:
        assert (await later.get(path, till)).json()["month"] == "2027-07"
    visit = await api.made("/v1/redemptions", asked, token=till)
    assert (await api.get(path, till, month=month)).json() == {**fresh, "month": month, "used": 2, "left": 1}
    hold = await api.made("/v1/redemptions", {**asked, "party": {"adults": 1}, "capture": False}, token=till)
    assert (await api.get(path, month=month)).json() == {**fresh, "month": month, "used": 3, "left": 0}
    assert (await api.send("PATCH", f"/v1/offers/{offer}", {"terms": {"quota": 2}})).status_code == 200
    assert (await api.get(path, month=month)).json()["left"] == 0, "never below nothing"
    await api.made(f"/v1/redemptions/{hold['id']}/void", token=till)
    await api.made(f"/v1/redemptions/{visit['id']}/refund", {}, token=till)
    assert (await api.get(path, month=month)).json()["used"] == 0
    assert (await api.send("PATCH", f"/v1/offers/{offer}", {"terms": {}})).status_code == 200
    assert (await api.get(path, month=month)).json() == {**fresh, "month": month, "quota": None, "left": None}


async def test_a_month_is_one_of_the_calendar(api: Api) -> None:
    path = f"/v1/offers/{await api.offer(await api.venue())}/quota"
    for month in ("2026-13", "2026-00", "2026-1", "26-01", "2026-11-01", "2026-11\n", "1999-01"):
        answer = await api.get(path, month=month)
        assert (refusal(answer), fields(answer)) == ((400, "wrong_parameters"), ["month"]), month
