"""Occasions over HTTP: when a show is given, or a session of a course, and how many places are left."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.daytime import daytime
from tests.doors.house import Api

TOMORROW = daytime().replace(microsecond=0) + timedelta(days=1)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


def times(days: int = 0, *, hours: float = 2, places: int | None = None) -> dict[str, Any]:
    """One that begins so many days after tomorrow."""
    starts = TOMORROW + timedelta(days=days)
    return {
        "starts_at": starts.isoformat().replace("+00:00", "Z"),
        "ends_at": (starts + timedelta(hours=hours)).isoformat().replace("+00:00", "Z"),
        "places": places,
    }


async def show(api: Api, kind: str = "show", **terms: object) -> str:
    body = {"title": "A play", "price": 60, "kind": kind, "terms": terms}
    offer = (await api.made(f"/v1/venues/{await api.venue()}/offers", body))["id"]
    await api.made(f"/v1/offers/{offer}/publish")
    return str(offer)


async def added(api: Api, offer: str, *occasions: dict[str, Any]) -> list[dict[str, Any]]:
    found = await api.made(f"/v1/offers/{offer}/occasions", {"occasions": list(occasions)})
    return list(found["occasions"])


async def test_a_season_is_added_at_once_and_once(api: Api) -> None:
    offer = await show(api)
    path, body = f"/v1/offers/{offer}/occasions", {"occasions": [times(3, places=12), times(1), times(2, places=0)]}
    first, again = await api.post(path, body, key="k"), await api.post(path, body, key="k")
    assert (first.status_code, first.json()) == (201, again.json())
    made = first.json()["occasions"]
    for one, asked in zip(made, body["occasions"], strict=True):
        assert one == one | asked | {"offer": offer, "left": asked["places"], "cancelled_at": None}
    assert (await api.get(path)).json() == {"occasions": [made[1], made[2], made[0]], "next": None}
    assert refusal(await api.post(path, {"occasions": [times(9)]}, key="k")) == (422, "key_reused")
    assert refusal(await api.post(path, body, key="")) == (400, "idempotency_key")


async def test_only_shows_and_courses_have_them_and_stay_what_they_are(api: Api) -> None:
    for kind, status in [("show", 201), ("course", 201), ("drop_in", 409), ("ticket", 409)]:
        offer = await show(api, kind)
        answer = await api.post(f"/v1/offers/{offer}/occasions", {"occasions": [times()]})
        assert answer.status_code == status, kind
        changed = await api.send("PATCH", f"/v1/offers/{offer}", {"kind": "ticket"})
        assert changed.status_code == (422 if status == 201 else 200), kind
        if status == 201:
            assert fields(changed) == ["kind"]
            other = "course" if kind == "show" else "show"
            assert (await api.send("PATCH", f"/v1/offers/{offer}", {"kind": other})).status_code == 200


A_SECOND = timedelta(seconds=1).total_seconds() / 3600
OCCASIONS_THAT_CANNOT_BE: list[tuple[list[dict[str, Any]], int, list[str]]] = [
    ([], 422, ["occasions"]),
    ([times(-2)], 422, ["occasions[0].starts_at"]),
    ([times(1, hours=0)], 422, ["occasions[0].ends_at"]),
    ([times(1), times(2, hours=24 + A_SECOND)], 422, ["occasions[1].ends_at"]),
    ([times(1), times(1)], 422, ["occasions[1].starts_at"]),
    ([times()], 422, ["occasions[0].starts_at"]),  # there is one already
    ([times(1, places=-1)], 422, ["occasions[0].places"]),
    ([times(1, places=100_001)], 422, ["occasions[0].places"]),
    ([{**times(1), "starts_at": "2026-12-01T10:00:00"}], 422, ["occasions[0].starts_at"]),
    ([{**times(1), "left": 3}], 400, ["occasions[0].left"]),
    (
        [times(-3), times(-2, hours=-1)],
        422,
        ["occasions[0].starts_at", "occasions[1].starts_at", "occasions[1].ends_at"],
    ),
    ([times(day) for day in range(1, 402)], 422, ["occasions"]),
    ([times(day) for day in range(1, 401)], 422, ["occasions"]),  # with the one that is there
]


async def test_occasions_that_cannot_be_and_none_of_the_others_is_added(api: Api) -> None:
    offer = await show(api)
    await added(api, offer, times())
    for occasions, status, wrong in OCCASIONS_THAT_CANNOT_BE:
        answer = await api.post(f"/v1/offers/{offer}/occasions", {"occasions": occasions})
        assert (answer.status_code, fields(answer)) == (status, wrong), occasions[:2]
    assert len((await api.get(f"/v1/offers/{offer}/occasions")).json()["occasions"]) == 1
    await added(api, offer, *(times(day) for day in range(1, 400)))
    assert fields(await api.post(f"/v1/offers/{offer}/occasions", {"occasions": [times(500)]})) == ["occasions"]


async def test_what_is_left_is_what_the_journal_has(api: Api) -> None:
    ann, offer = (await api.person())["id"], await show(api)
    await api.give(await api.project(), {ann: 240})
    (occasion,) = await added(api, offer, times(1, places=3))
    booked = {"person": ann, "offer": offer, "occasion": occasion["id"], "party": {"adults": 2}}
    await api.made("/v1/bookings", booked)
    path = f"/v1/offers/{offer}/occasions"
    assert (await api.get(path)).json()["occasions"][0]["left"] == 1
    for places, left in [(5, 3), (1, 0), (None, None), (2, 0)]:
        changed = await api.send("PATCH", f"/v1/occasions/{occasion['id']}", {"places": places})
        assert (changed.status_code, changed.json()["places"], changed.json()["left"]) == (200, places, left)
    assert fields(await api.send("PATCH", f"/v1/occasions/{occasion['id']}", {})) == ["places"]


async def test_one_is_cancelled_once_and_its_bookings_come_undone(api: Api, owner: asyncpg.Connection) -> None:
    ann, offer = (await api.person())["id"], await show(api)
    await api.give(await api.project(), {ann: 240})
    one, other = await added(api, offer, times(1, places=3), times(2, places=3))
    for occasion in (one, other):
        await api.made("/v1/bookings", {"person": ann, "offer": offer, "occasion": occasion["id"]})
    assert await api.balance(ann) == (120, 120)
    cancelled = await api.made(f"/v1/occasions/{one['id']}/cancel")
    assert (cancelled["cancelled_at"] is not None, cancelled["left"]) == (True, 3)
    assert await api.balance(ann) == (180, 60)
    assert await api.made(f"/v1/occasions/{one['id']}/cancel") == cancelled
    told = await owner.fetch("SELECT object FROM scheme.outbox WHERE topic = 'occasion_cancelled'")
    assert [str(row["object"]) for row in told] == [one["id"]]
    assert refusal(await api.send("PATCH", f"/v1/occasions/{one['id']}", {"places": 9})) == (409, "wrong_state")
    assert [each["id"] for each in (await api.get(f"/v1/offers/{offer}/occasions")).json()["occasions"]] == [
        one["id"],
        other["id"],
    ]


async def test_what_is_over_stays_as_it_was(api: Api, dsn: str) -> None:
    offer = await show(api)
    past, next_ = await added(api, offer, times(1), times(9))
    now = TOMORROW + timedelta(days=1, hours=2)  # the first has just ended
    async with Api.running(dsn, scheme=api.scheme, clock=lambda: now) as later:
        assert refusal(await later.post(f"/v1/occasions/{past['id']}/cancel")) == (409, "wrong_state")
        answer = await later.send("PATCH", f"/v1/occasions/{past['id']}", {"places": 9})
        assert refusal(answer) == (409, "wrong_state")
        path = f"/v1/offers/{offer}/occasions"
        assert [each["id"] for each in (await later.get(path)).json()["occasions"]] == [next_["id"]]
        since = f"{TOMORROW:%Y-%m-%d}"
        both = (await later.get(path, since=since)).json()["occasions"]
        assert [each["id"] for each in both] == [past["id"], next_["id"]]
        for wrong in ("2026-02-30", "tomorrow", "2026-11-28T10:00"):
            assert refusal(await later.get(path, since=wrong)) == (400, "wrong_parameters")


async def test_they_are_there_for_whomever_the_offer_is_page_by_page(api: Api) -> None:
    offer = await show(api, quota=9)
    await added(api, offer, *(times(day) for day in (4, 0, 2)))
    path = f"/v1/offers/{offer}/occasions"
    person = await api.key("person", person=(await api.person())["id"])
    page = (await api.get(path, person, limit=2)).json()
    rest = (await api.get(path, person, limit=2, cursor=page["next"])).json()
    starts = [each["starts_at"] for each in page["occasions"] + rest["occasions"]]
    assert (starts, rest["next"]) == ([times(day)["starts_at"] for day in (0, 2, 4)], None)
    await api.made(f"/v1/offers/{offer}/pause")
    assert refusal(await api.get(path, person)) == (404, "not_found")
    assert refusal(await api.get(path, await api.till(await api.venue("Other")))) == (404, "not_found")
    assert (await api.get(path)).status_code == 200
    await api.made(f"/v1/offers/{offer}/end")
    assert refusal(await api.post(path, {"occasions": [times(7)]})) == (409, "wrong_state")


async def test_one_that_is_not_there(api: Api) -> None:
    nobody = uuid4()
    assert refusal(await api.post(f"/v1/offers/{nobody}/occasions", {"occasions": [times()]})) == (404, "not_found")
    assert refusal(await api.send("PATCH", f"/v1/occasions/{nobody}", {"places": 1})) == (404, "not_found")
    assert refusal(await api.post(f"/v1/occasions/{nobody}/cancel")) == (404, "not_found")
