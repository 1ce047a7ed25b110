"""Sessions are planned, by London's clocks, listed, and called off."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from tests.doors.house import Api
from tests.doors.sessions.conftest import VERBS, Wall, act, book, fields, listed, opportunity, planned, refusal


async def test_a_session_is_planned_and_read(api: Api) -> None:
    project = await api.project()
    key, what = await api.key("project", project), await opportunity(api, project, places=12)
    body = {"opportunity": what, "started_at": "2026-11-21T10:00:00+00:00", "ended_at": "2026-11-21T13:30:00+01:00"}
    [made] = (await api.made(f"/v1/projects/{project}/sessions", body, token=key))["sessions"]
    assert made == {
        "id": made["id"],
        "project": project,
        "opportunity": what,
        "started_at": "2026-11-21T10:00:00Z",
        "ended_at": "2026-11-21T12:30:00Z",
        "places": 12,
        "taken": 0,
        "cancelled_at": None,
    }
    assert (await api.get(f"/v1/sessions/{made['id']}", key)).json() == made
    assert (await api.get(f"/v1/projects/{project}/sessions", key)).json() == {"sessions": [made], "next": None}


async def test_sessions_planned_twice_under_one_key_are_planned_once(api: Api) -> None:
    project = await api.project()
    path = f"/v1/projects/{project}/sessions"
    body = {"started_at": "2026-11-21T10:00:00Z", "ended_at": "2026-11-21T12:30:00Z", "repeat": 3}
    first = await api.post(path, body, key="k")
    again = await api.post(path, {**body, "started_at": "2026-11-21T11:00:00+01:00"}, key="k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await api.get(path)).json()["sessions"]) == 3
    assert refusal(await api.post(path, {**body, "repeat": 4}, key="k")) == (422, "key_reused")


ON_LONDONS_CLOCKS = [
    # Back on 25 October: ten o'clock is nine in UTC before it and ten after it.
    ("2026-10-17", "10:00", "12:30", ["17T09:00", "24T09:00", "31T10:00"]),
    # Forward on 28 March.
    ("2027-03-20", "10:00", "12:30", ["20T10:00", "27T10:00", "03T09:00"]),
    # On the very night: there is no 01:30 on 28 March, so it is an hour later on the wall.
    ("2027-03-21", "01:30", "02:15", ["21T01:30", "28T01:30", "04T00:30"]),
    # 01:30 comes twice on 25 October; the first is meant.
    ("2026-10-18", "01:30", "02:15", ["18T00:30", "25T00:30", "01T01:30"]),
]


async def test_weekly_sessions_keep_their_time_on_londons_clocks(api: Api, wall: Wall) -> None:
    project = await api.project()
    for day, began, ended, utc in ON_LONDONS_CLOCKS:
        wall.set("00:15", day)
        start, end = wall.at(began), wall.at(ended)
        body = {"started_at": start, "ended_at": end, "repeat": 3}
        made = (await api.made(f"/v1/projects/{project}/sessions", body))["sessions"]
        assert [session["started_at"][8:16] for session in made] == utc
        length = datetime.fromisoformat(end) - datetime.fromisoformat(start)
        for session in made:
            lasted = datetime.fromisoformat(session["ended_at"]) - datetime.fromisoformat(session["started_at"])
            assert lasted == length, session


A_SESSION_THAT_CANNOT_BE: list[tuple[dict[str, Any], int, str]] = [
    ({"ended_at": "2026-11-14T10:00:00Z"}, 422, "ended_at"),  # no length
    ({"ended_at": "2026-11-14T09:00:00Z"}, 422, "ended_at"),  # ends before it starts
    ({"ended_at": "2026-11-15T10:00:01Z"}, 422, "ended_at"),  # longer than a day
    ({"started_at": "2027-11-16T10:00:00Z", "ended_at": "2027-11-16T11:00:00Z"}, 422, "started_at"),
    ({"started_at": "2027-08-14T10:00:00Z", "ended_at": "2027-08-14T11:00:00Z", "repeat": 26}, 422, "repeat"),
    ({"started_at": "2026-09-14T10:00:00Z", "ended_at": "2026-09-14T11:00:00Z"}, 422, "started_at"),
    ({"started_at": "2026-11-14T10:00:00"}, 422, "started_at"),  # without its zone
    ({"started_at": "2026-11-31T10:00:00Z"}, 400, "started_at"),
    ({"repeat": 0}, 422, "repeat"),
    ({"repeat": 27}, 422, "repeat"),
    ({"repeat": "2"}, 400, "repeat"),
    ({"opportunity": str(uuid4())}, 422, "opportunity"),
    ({"places": 3}, 400, "places"),
]


async def test_a_session_that_cannot_be(api: Api) -> None:
    path = f"/v1/projects/{await api.project()}/sessions"
    for change, status, field in A_SESSION_THAT_CANNOT_BE:
        body = {"started_at": "2026-11-14T10:00:00Z", "ended_at": "2026-11-14T12:30:00Z", **change}
        answer = await api.post(path, body)
        assert (answer.status_code, fields(answer)) == (status, [field]), change
    assert (await api.get(path)).json()["sessions"] == []


async def test_sessions_are_planned_where_hours_can_be_given(api: Api, wall: Wall) -> None:
    one, other = await api.project(), await api.project("Choir")
    theirs, ended = await opportunity(api, other), await opportunity(api, one)
    await api.made(f"/v1/opportunities/{ended}/end")
    path = f"/v1/projects/{one}/sessions"
    body = {"started_at": wall.at("10:00"), "ended_at": wall.at("12:30")}
    answer = await api.post(path, {**body, "opportunity": theirs})
    assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["opportunity"])
    assert refusal(await api.post(path, {**body, "opportunity": ended})) == (409, "wrong_state")
    await api.made(f"/v1/projects/{one}/suspend")
    assert refusal(await api.post(path, body)) == (409, "project_not_active")


async def test_a_period_is_days_of_londons_calendar_both_included(api: Api, wall: Wall) -> None:
    wall.set("09:00", "2026-10-20")
    project = await api.project()
    # The night on which the clocks go back belongs to the 24th until midnight in London.
    for day, began in [("2026-10-24", "23:30"), ("2026-10-25", "00:30"), ("2026-10-25", "23:30"), ("2026-10-26", "9")]:
        start = datetime.fromisoformat(wall.at(f"{began:0>2}:00" if len(began) == 1 else began, day))
        body = {"started_at": start.isoformat(), "ended_at": (start + timedelta(hours=1)).isoformat()}
        await api.made(f"/v1/projects/{project}/sessions", body)
    path = f"/v1/projects/{project}/sessions"
    for first, last, count in [
        (None, None, 4),
        ("2026-10-25", "2026-10-25", 2),
        ("2026-10-24", "2026-10-25", 3),
        (None, "2026-10-24", 1),
        ("2026-10-26", None, 1),
        ("2026-10-27", None, 0),
        ("2026-10-26", "2026-10-25", 0),
    ]:
        query = {name: day for name, day in (("first_day", first), ("last_day", last)) if day is not None}
        assert len((await api.get(path, **query)).json()["sessions"]) == count, (first, last)
    seen: list[str] = []
    page = (await api.get(path, limit=1, first_day="2026-10-25")).json()
    while True:
        seen += [session["started_at"] for session in page["sessions"]]
        if page["next"] is None:
            break
        page = (await api.get(path, limit=1, first_day="2026-10-25", cursor=page["next"])).json()
    assert seen == ["2026-10-24T23:30:00Z", "2026-10-25T23:30:00Z", "2026-10-26T09:00:00Z"]
    for wrong in ("2026-02-30", "2026-13-01", "1999-01-01", "14/11/2026", "2026-11-14T10:00:00Z"):
        assert refusal(await api.get(path, first_day=wrong)) == (400, "wrong_parameters"), wrong


async def test_anybody_sees_when_one_can_come(api: Api, wall: Wall) -> None:
    project = await api.project()
    what = await opportunity(api, project, places=2)
    over = await planned(api, wall, project, "07:00", "08:00", opportunity=what)
    called_off = await planned(api, wall, project, "14:00", "15:00", opportunity=what)
    await api.made(f"/v1/sessions/{called_off}/cancel")
    now_on = await planned(api, wall, project, "08:30", "09:30", opportunity=what)
    later = await planned(api, wall, project, opportunity=what)
    await planned(api, wall, project)  # of nothing that is published
    ann = await api.person()
    await book(api, later, ann["id"])
    key = await api.key("person", person=ann["id"])
    path = f"/v1/opportunities/{what}/sessions"
    found = (await api.get(path, key)).json()["sessions"]
    assert [(one["id"], one["places"], one["taken"]) for one in found] == [(now_on, 2, 0), (later, 2, 1)]
    assert over not in {one["id"] for one in found}
    page = (await api.get(path, key, limit=1)).json()
    assert [one["id"] for one in (await api.get(path, key, cursor=page["next"])).json()["sessions"]] == [later]
    await api.made(f"/v1/opportunities/{what}/pause")
    assert refusal(await api.get(path, key)) == (404, "not_found")
    assert len((await api.get(path)).json()["sessions"]) == 2


async def test_whoever_is_expected_is_told_of_a_cancellation(api: Api, wall: Wall, owner: asyncpg.Connection) -> None:
    project = await api.project()
    session, people = await planned(api, wall, project), [await api.person(f"P{number}") for number in range(3)]
    for person in people:
        await book(api, session, person["id"])
    await act(api, session, people[2]["id"], "unbook")
    cancelled = await api.made(f"/v1/sessions/{session}/cancel")
    assert cancelled["cancelled_at"] == "2026-11-14T09:00:00Z"
    assert await api.made(f"/v1/sessions/{session}/cancel") == cancelled
    told = await owner.fetch("SELECT * FROM scheme.outbox WHERE topic = 'session_cancelled'")
    assert {str(row["holder"]) for row in told} == {person["holder"] for person in people[:2]}
    assert {(str(row["project"]), str(row["object"])) for row in told} == {(project, session)}
    assert len(told) == 2
    wall.set("10:30")
    for verb in ("book", "check-in"):
        assert refusal(await act(api, session, people[2]["id"], verb)) == (409, "wrong_state")


async def test_a_session_that_somebody_came_to_or_that_is_over_is_not_cancelled(api: Api, wall: Wall) -> None:
    project, ann = await api.project(), await api.person()
    session, other = await planned(api, wall, project), await planned(api, wall, project)
    wall.set("10:05")
    await act(api, session, ann["id"], "check-in")
    assert refusal(await api.post(f"/v1/sessions/{session}/cancel")) == (409, "wrong_state")
    wall.set("12:30")
    assert refusal(await api.post(f"/v1/sessions/{other}/cancel")) == (409, "wrong_state")


async def test_another_projects_session_is_not_there(api: Api, wall: Wall) -> None:
    project, ann = await api.project(), await api.person()
    session, key = await planned(api, wall, project), await api.key("project", await api.project("Choir"))
    await book(api, session, ann["id"])
    path = f"/v1/sessions/{session}"
    for answer in [
        await api.get(path, key),
        await api.get(f"{path}/attendances", key),
        await api.get(f"/v1/projects/{project}/sessions", key),
        await api.post(f"{path}/cancel", None, key),
        await api.get(f"/v1/sessions/{uuid4()}"),
        await book(api, str(uuid4()), ann["id"]),
        *[await act(api, session, ann["id"], verb, None, key) for verb in VERBS],
    ]:
        assert refusal(answer) == (404, "not_found")
    assert await listed(api, session) == [("Ann", "expected")]
