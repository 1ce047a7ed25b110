"""Who came is checked in and out, or closed by rule where they forgot; their minutes become a claim."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import blocked
from tests.doors.house import Api
from tests.doors.sessions.conftest import Wall, act, book, claims, fields, forgotten, listed, planned, refusal, topics

# How somebody comes to each state.
WAY_TO: dict[str, list[str]] = {
    "nobody": [],
    "expected": ["book"],
    "checked_in": ["check-in"],
    "checked_out": ["check-in", "check-out"],
    "absent": ["book", "absent"],
    "confirmed": ["register"],
    "auto_closed": ["check-in", "forget"],
}

WHAT_AN_ATTENDANCE_MAY_BECOME = [
    ("nobody", "book", 201, "expected"),
    ("nobody", "unbook", 404, None),
    ("nobody", "check-in", 200, "checked_in"),
    ("nobody", "check-out", 409, None),
    ("nobody", "absent", 404, None),
    ("expected", "book", 201, "expected"),
    ("expected", "unbook", 204, None),
    ("expected", "check-in", 200, "checked_in"),
    ("expected", "check-out", 409, "expected"),
    ("expected", "absent", 200, "absent"),
    ("checked_in", "book", 201, "checked_in"),
    ("checked_in", "unbook", 409, "checked_in"),
    ("checked_in", "check-in", 200, "checked_in"),
    ("checked_in", "check-out", 200, "checked_out"),
    ("checked_in", "absent", 200, "absent"),
    ("checked_out", "book", 201, "checked_out"),
    ("checked_out", "unbook", 409, "checked_out"),
    ("checked_out", "check-in", 409, "checked_out"),
    ("checked_out", "check-out", 200, "checked_out"),
    ("checked_out", "absent", 409, "checked_out"),
    ("absent", "book", 201, "expected"),
    ("absent", "unbook", 409, "absent"),
    ("absent", "check-in", 200, "checked_in"),
    ("absent", "check-out", 409, "absent"),
    ("absent", "absent", 200, "absent"),
    ("confirmed", "unbook", 409, "confirmed"),
    ("confirmed", "check-in", 409, "confirmed"),
    ("confirmed", "check-out", 409, "confirmed"),
    ("confirmed", "absent", 409, "confirmed"),
    ("auto_closed", "check-in", 409, "auto_closed"),
    ("auto_closed", "check-out", 409, "auto_closed"),
    ("auto_closed", "absent", 409, "auto_closed"),
]


async def test_what_an_attendance_may_become(api: Api, wall: Wall, dsn: str) -> None:
    for was, verb, status, becomes in WHAT_AN_ATTENDANCE_MAY_BECOME:
        wall.set("09:00")
        project, ann = await api.project(), await api.person()
        session = await planned(api, wall, project, "08:00", "10:00")
        for step in WAY_TO[was]:
            if step == "forget":
                assert await forgotten(dsn, wall.now + timedelta(hours=4))
            elif step == "register":
                wall.set("10:00")
                lines = [{"person": ann["id"], "minutes": 60}]
                await api.made(f"/v1/projects/{project}/registers", {"session": session, "lines": lines})
            else:
                assert (await act(api, session, ann["id"], step)).status_code in {200, 201}
        answer = await act(api, session, ann["id"], verb)
        assert answer.status_code == status, (was, verb, answer.text)
        if status == 409:
            assert answer.json()["code"] == "wrong_state"
        assert await listed(api, session) == ([("Ann", becomes)] if becomes else [])


FROM_CHECK_IN_TO_CHECK_OUT = [
    ("10:00:00", "12:30:00", 150),
    ("10:02:40", "12:31:05", 150),
    ("10:00:00", "10:07:29", 0),  # just tea
    ("10:00:00", "10:07:30", 15),
    ("10:00:00", "10:22:29", 15),
    ("10:00:00", "10:22:30", 30),
    ("09:40:00", "13:10:00", 210),  # who comes early and stays on gave that too
    ("10:00:00", "10:00:00", 0),
]


async def test_minutes_from_check_in_to_check_out_become_a_claim(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    project = await api.project()
    key = await api.key("project", project)
    for came, left, minutes in FROM_CHECK_IN_TO_CHECK_OUT:
        wall.set("09:00")
        ann, session = await api.person(), await planned(api, wall, project)
        wall.set(came)
        inside = (await act(api, session, ann["id"], "check-in", None, key)).json()
        assert (inside["state"], inside["checked_in_at"], inside["minutes"]) == ("checked_in", wall.at(came), None)
        wall.set(left)
        outside = (await act(api, session, ann["id"], "check-out", None, key)).json()
        assert (outside["state"], outside["checked_out_at"]) == ("checked_out", wall.at(left))
        assert outside["minutes"] == minutes, (came, left)
        wall.set("16:00")
        assert (await act(api, session, ann["id"], "check-out", None, key)).json() == outside
        found = await claims(owner, session)
        if not minutes:
            assert (outside["claim"], found) == (None, [])
            continue
        [claim] = found
        assert str(claim["id"]) == outside["claim"]
        assert (claim["source"], claim["state"], claim["minutes"]) == ("attendance", "submitted", minutes)
        assert (claim["exceptions"], claim["second_needed"], claim["approver"]) == ([], False, None)
        assert (str(claim["project"]), str(claim["holder"])) == (project, ann["holder"])
        assert await api.balance(ann["id"]) == (0, 0), "it waits for the project's approval"
    assert await topics(owner) == ["claim_submitted"] * 6


WEIGHED: list[tuple[list[tuple[str, str]], str, str, str, list[str], bool]] = [
    # Earlier hours, from, to: the claim's state, its exceptions, whether a second approver is needed.
    ([], "08:00", "14:00", "submitted", [], False),
    ([], "08:00", "14:15", "submitted", ["above_second_approval"], True),
    ([("18:00", "20:00")], "08:00", "14:00", "submitted", [], False),  # eight hours exactly
    ([("18:00", "20:15")], "08:00", "14:00", "submitted", ["above_daily_cap"], True),
    ([("09:30", "10:30")], "10:00", "11:00", "queried", ["overlapping"], False),
    ([("09:00", "10:00")], "10:00", "11:00", "submitted", [], False),  # one after the other
]


async def test_a_claim_is_weighed_like_any_hours(api: Api, wall: Wall, owner: asyncpg.Connection) -> None:
    project, other = await api.project(), await api.project("Choir")
    wall.set("23:00")
    for earlier, came, left, state, exceptions, second in WEIGHED:
        ann = await api.person()
        for began, ended in earlier:
            there = await planned(api, wall, other, began, ended)
            await act(api, there, ann["id"], "check-in", wall.at(began))
            assert (await act(api, there, ann["id"], "check-out", wall.at(ended))).status_code == 200
        session = await planned(api, wall, project, "08:00", "22:00")
        await act(api, session, ann["id"], "check-in", wall.at(came))
        made = (await act(api, session, ann["id"], "check-out", wall.at(left))).json()
        [claim] = await claims(owner, session)
        assert str(claim["id"]) == made["claim"]
        assert (claim["state"], claim["exceptions"], claim["second_needed"]) == (state, exceptions, second)
        told = await owner.fetchval("SELECT topic FROM scheme.outbox WHERE object = $1", claim["id"])
        assert told == f"claim_{state}"


async def test_a_coordinator_who_checks_themselves_out_is_marked(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    project, ann = await api.project(), await api.person()
    session, key = await planned(api, wall, project), await api.key("project", project, person=ann["id"])
    wall.set("10:00")
    await act(api, session, ann["id"], "check-in", None, key)
    wall.set("12:00")
    await act(api, session, ann["id"], "check-out", None, key)
    [claim] = await claims(owner)
    assert (claim["state"], claim["exceptions"], str(claim["by"])) == ("submitted", ["own_hours"], ann["holder"])


async def test_a_week_above_the_soft_cap_is_noted_once(api: Api, wall: Wall, owner: asyncpg.Connection) -> None:
    project, ann = await api.project(), await api.person()
    for day in range(16, 21):  # Monday to Friday
        wall.set("16:00", f"2026-11-{day}")
        session = await planned(api, wall, project, "10:00", "15:30")
        await act(api, session, ann["id"], "check-in", wall.at("10:00"))
        await act(api, session, ann["id"], "check-out", wall.at("15:30"))
        # 20 hours are passed on Thursday.
        assert (await topics(owner)).count("week_above_note") == (1 if day >= 19 else 0), day


async def test_checked_out_at_once_from_two_tills_is_claimed_once(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    ann = await api.person()
    session = await planned(api, wall, await api.project())
    wall.set("10:00")
    await act(api, session, ann["id"], "check-in")
    wall.set("11:00")
    answers = await asyncio.gather(*(act(api, session, ann["id"], "check-out") for _ in range(6)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(await claims(owner)) == 1


async def test_two_sessions_ended_at_once_do_not_miss_each_other(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    ann, projects = await api.person(), [await api.project(), await api.project("Choir")]
    sessions = [await planned(api, wall, project) for project in projects]
    wall.set("10:00")
    for session in sessions:
        await act(api, session, ann["id"], "check-in")
    wall.set("11:00")
    await asyncio.gather(*(act(api, session, ann["id"], "check-out") for session in sessions))
    assert sorted(claim["state"] for claim in await claims(owner)) == ["queried", "submitted"]


async def test_who_has_a_claim_in_the_session_keeps_that_one(api: Api, wall: Wall, owner: asyncpg.Connection) -> None:
    project, ann = await api.project(), await api.person()
    session = await planned(api, wall, project)
    wall.set("10:00")
    await act(api, session, ann["id"], "check-in")
    for state in ("rejected", "withdrawn", "submitted"):
        await owner.execute("DELETE FROM scheme.claim")
        await owner.execute("UPDATE scheme.attendance SET state = 'checked_in', checked_out_at = NULL, minutes = NULL")
        await owner.execute(
            "INSERT INTO scheme.claim (id, project, session, holder, started_at, ended_at, day, minutes, source, "
            "state, exceptions, second_needed, rules, by, created_at, changed_at) SELECT gen_random_uuid(), $1, $2, "
            "$3, $4::timestamptz, $4 + interval '1 hour', '2026-11-14', 60, 'claim', $5, '{}', false, 1, $3, $4, $4",
            *(UUID(project), UUID(session), UUID(ann["holder"]), wall.now, state),
        )
        wall.set("11:30")
        left = (await act(api, session, ann["id"], "check-out")).json()
        [claim] = await claims(owner)
        assert (left["minutes"], left["claim"], claim["minutes"]) == (90, str(claim["id"]), 60)
        wall.set("10:00")


WHEN_IT_MAY_HAVE_BEEN = [
    ("15:00", "10:00", 200),
    ("15:00", "15:00", 200),
    ("15:00", "15:01", 422),  # in the future
    ("23:00", "00:00", 200),  # the day's first minute
    ("2026-11-15 09:00", "23:59", 200),  # sent on the next day
    ("2026-11-15 09:00", "2026-11-15 00:00", 422),  # the day after
    ("2026-11-15 09:00", "2026-11-13 23:59", 422),  # the day before
    ("2026-11-15 09:00", None, 409),  # by the clock, on another day
    ("2026-11-13 23:59", None, 409),
    ("2027-01-12 09:00", "10:30", 200),  # a till that was offline for long
    ("2027-01-14 09:00", "10:30", 422),  # longer than hours may lie back
]


async def test_when_it_may_have_been(api: Api, wall: Wall) -> None:
    ann, project = await api.person(), await api.project()
    for now, at, status in WHEN_IT_MAY_HAVE_BEEN:
        wall.set("09:00", "2026-11-14")
        session = await planned(api, wall, project)
        day, _, time = now.rpartition(" ")
        sent = None
        if at is not None:
            at_day, _, at_time = at.rpartition(" ")
            sent = wall.at(at_time, at_day)
        wall.set(time, day)
        answer = await act(api, session, ann["id"], "check-in", sent)
        assert answer.status_code == status, (now, at, answer.text)
        if status == 422:
            assert fields(answer) == ["at"]
        assert await listed(api, session) == ([("Ann", "checked_in")] if status == 200 else [])


async def test_a_moment_is_one(api: Api, wall: Wall) -> None:
    ann, session = await api.person(), await planned(api, wall, await api.project())
    wall.set("10:30")
    for body, status in [
        ({"at": "2026-11-14T10:00:00"}, 422),
        ({"at": 10}, 400),
        ({"when": "now"}, 400),
        ([], 400),
        (None, 400),
    ]:
        for verb in ("check-in", "check-out"):
            answer = await api.post(f"/v1/sessions/{session}/attendances/{ann['id']}/{verb}", body)
            assert answer.status_code == status, body
    assert await listed(api, session) == []


async def test_nobody_leaves_before_they_came_or_after_a_day_and_more(api: Api, wall: Wall) -> None:
    ann, project = await api.person(), await api.project()
    body = {"started_at": wall.at("12:00"), "ended_at": wall.at("11:00", "2026-11-15")}
    session = (await api.made(f"/v1/projects/{project}/sessions", body))["sessions"][0]["id"]
    wall.set("12:00", "2026-11-16")
    await act(api, session, ann["id"], "check-in", wall.at("12:00", "2026-11-14"))
    for day, time in [("2026-11-14", "11:59"), ("2026-11-15", "12:01")]:
        answer = await act(api, session, ann["id"], "check-out", wall.at(time, day))
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["at"]), time
    left = await act(api, session, ann["id"], "check-out", wall.at("12:00", "2026-11-15"))
    assert left.json()["minutes"] == 1440


async def test_nobody_is_absent_before_it_begins_and_none_is_booked_after_its_end(api: Api, wall: Wall) -> None:
    ann, session = await api.person(), await planned(api, wall, await api.project())
    await book(api, session, ann["id"])
    assert refusal(await act(api, session, ann["id"], "absent")) == (409, "wrong_state")
    wall.set("12:30")
    assert (await act(api, session, ann["id"], "absent")).status_code == 200
    bob = await api.person("Bob")
    assert refusal(await book(api, session, bob["id"])) == (409, "wrong_state")
    assert refusal(await act(api, session, str(uuid4()), "check-in")) == (404, "not_found")


async def test_a_suspended_project_checks_nobody_in_but_whoever_is_there_out(api: Api, wall: Wall) -> None:
    project, ann, bob = await api.project(), await api.person(), await api.person("Bob")
    session = await planned(api, wall, project)
    wall.set("10:00")
    await act(api, session, ann["id"], "check-in")
    await api.made(f"/v1/projects/{project}/suspend")
    for verb in ("book", "check-in"):
        assert refusal(await act(api, session, bob["id"], verb)) == (409, "project_not_active")
    wall.set("11:00")
    assert (await act(api, session, ann["id"], "check-out")).json()["minutes"] == 60


async def test_a_register_names_who_has_a_claim_in_the_session_whatever_became_of_it(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    project, ann = await api.project(), await api.person()
    session = await planned(api, wall, project)
    wall.set("10:00")
    await act(api, session, ann["id"], "check-in")
    wall.set("12:30")
    await act(api, session, ann["id"], "check-out")
    body = {"session": session, "lines": [{"person": ann["id"], "minutes": 60}]}
    for state in ("submitted", "withdrawn", "rejected"):
        await owner.execute("UPDATE scheme.claim SET state = $1", state)
        answer = await api.post(f"/v1/projects/{project}/registers", body)
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["lines[0].person"]), state


# --- who forgot to sign out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "began", "ended", "came", "left", "minutes"),
    [
        ("2026-11-14", "10:00", "12:30", "10:00", "2026-11-14T12:30:00Z", 150),  # the session's end
        ("2026-11-14", "10:00", "20:00", "10:30", "2026-11-14T14:30:00Z", 240),  # four hours, which come first
        ("2026-11-14", "10:00", "12:30", "12:25", "2026-11-14T12:30:00Z", 0),
        ("2026-11-14", "10:00", "12:30", "12:40", "2026-11-14T16:40:00Z", 240),  # came after its end
        # The clocks go back at 02:00 on 25 October: from midnight to three on the wall are four hours.
        ("2026-10-25", "00:00", "03:00", "00:00", "2026-10-25T03:00:00Z", 240),
        ("2026-10-25", "00:30", "03:00", "00:30", "2026-10-25T03:00:00Z", 210),
        ("2026-10-25", "00:30", "05:00", "00:30", "2026-10-25T03:30:00Z", 240),
        # And forward at 01:00 on 28 March: from midnight to three are two hours.
        ("2027-03-28", "00:00", "03:00", "00:00", "2027-03-28T02:00:00Z", 120),
        ("2027-03-28", "00:00", "09:00", "00:30", "2027-03-28T04:30:00Z", 240),
    ],
)
async def test_a_forgotten_sign_out_is_closed_by_rule_and_waits(
    api: Api,
    wall: Wall,
    *,
    dsn: str,
    owner: asyncpg.Connection,
    day: str,
    began: str,
    ended: str,
    came: str,
    left: str,
    minutes: int,
) -> None:
    wall.set("00:00", day)
    project, ann = await api.project(), await api.person()
    session = await planned(api, wall, project, began, ended)
    wall.set(came, day)
    await act(api, session, ann["id"], "check-in")
    due = datetime.fromisoformat(left)
    assert await forgotten(dsn, due - timedelta(seconds=1)) == 0
    assert await listed(api, session) == [("Ann", "checked_in")]

    assert await forgotten(dsn, due + timedelta(hours=9)) == 1

    [one] = (await api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    assert (one["state"], one["checked_out_at"], one["minutes"]) == ("auto_closed", left, minutes)
    found = await claims(owner)
    assert await topics(owner) == ["attendance_auto_closed"] + ["claim_submitted"] * len(found)
    [told] = await owner.fetch("SELECT holder, object, body FROM scheme.outbox WHERE topic LIKE 'attendance%'")
    assert (str(told["holder"]), str(told["object"])) == (ann["holder"], session)
    assert told["body"] == f'{{"minutes":{minutes}}}'
    assert bool(found) == bool(minutes)
    for claim in found:
        assert (claim["minutes"], claim["state"], claim["exceptions"]) == (minutes, "submitted", ["auto_closed"])
        assert (claim["source"], claim["day"].isoformat(), claim["approver"]) == ("attendance", day, None)
        assert claim["ended_at"] == due
    assert await api.balance(ann["id"]) == (0, 0)

    assert await forgotten(dsn, due + timedelta(days=9)) == 0
    assert await claims(owner) == found


async def test_who_signed_out_is_left_alone_and_who_is_still_there_too(api: Api, wall: Wall, dsn: str) -> None:
    project, people = await api.project(), [await api.person(name) for name in ("Ann", "Bob", "Cem", "Dan")]
    session, later = await planned(api, wall, project), await planned(api, wall, project, "10:00", "13:00")
    ann, bob, cem, dan = (person["id"] for person in people)
    await book(api, session, cem)
    wall.set("10:00")
    for there, person in [(session, ann), (session, bob), (later, dan)]:
        await act(api, there, person, "check-in")
    wall.set("11:00")
    await act(api, session, ann, "check-out")
    wall.set("12:45")
    assert await forgotten(dsn, wall.now) == 1
    assert await listed(api, session) == [("Ann", "checked_out"), ("Bob", "auto_closed"), ("Cem", "expected")]
    assert await listed(api, later) == [("Dan", "checked_in")]


async def test_one_person_forgotten_in_two_sessions_is_weighed_one_after_the_other(
    api: Api, wall: Wall, dsn: str, owner: asyncpg.Connection
) -> None:
    project, ann = await api.project(), await api.person()
    first = await planned(api, wall, project, "10:00", "12:00")
    second = await planned(api, wall, project, "11:00", "13:00")
    wall.set("11:00")
    await act(api, second, ann["id"], "check-in")
    await act(api, first, ann["id"], "check-in", wall.at("10:00"))
    wall.set("18:00")
    assert [await forgotten(dsn, wall.now) for _ in range(3)] == [1, 1, 0]
    found = {str(claim["session"]): (claim["state"], claim["exceptions"]) for claim in await claims(owner)}
    assert found == {first: ("submitted", ["auto_closed"]), second: ("queried", ["overlapping", "auto_closed"])}


async def test_runs_at_once_and_a_till_at_the_same_moment_claim_once(
    api: Api, wall: Wall, dsn: str, owner: asyncpg.Connection
) -> None:
    project, people = await api.project(), [await api.person(f"P{number}") for number in range(12)]
    sessions = [await planned(api, wall, project) for _ in range(3)]
    wall.set("10:00")
    for number, person in enumerate(people):
        await act(api, sessions[number % 3], person["id"], "check-in")
    wall.set("12:45")
    closed = await asyncio.gather(
        *(forgotten(dsn, wall.now) for _ in range(3)),
        *(act(api, sessions[number % 3], person["id"], "check-out") for number, person in enumerate(people)),
    )
    states = [state for session in sessions for _, state in await listed(api, session)]
    assert len(await claims(owner)) == 12
    assert states.count("auto_closed") == sum(count for count in closed if isinstance(count, int))
    assert set(states) <= {"auto_closed", "checked_out"}


async def test_whoever_is_erased_meanwhile_keeps_nobody_else_from_being_closed(
    api: Api, wall: Wall, dsn: str, owner: asyncpg.Connection
) -> None:
    session, people = await planned(api, wall, await api.project()), [await api.person(name) for name in ("Ann", "Bob")]
    ann, bob = people
    wall.set("10:00")
    for person in people:
        await act(api, session, person["id"], "check-in")
    wall.set("12:45")
    async with owner.transaction():
        # It finds both, and waits for the session.
        await owner.execute("SELECT FROM scheme.session FOR UPDATE")
        run = asyncio.create_task(forgotten(dsn, wall.now))
        await blocked(owner)
        await api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert await run == 1
    assert await listed(api, session) == [(bob["name"], "auto_closed")]


async def test_a_thousand_are_closed_at_a_time(api: Api, wall: Wall, dsn: str, owner: asyncpg.Connection) -> None:
    session = UUID(await planned(api, wall, await api.project()))
    await owner.execute(
        "WITH h AS (INSERT INTO scheme.holder (id) SELECT gen_random_uuid() FROM generate_series(1, 1050) RETURNING id)"
        " INSERT INTO scheme.attendance (session, holder, state, checked_in_at, changed_at, by)"
        " SELECT $1, id, 'checked_in', $2, $2, id FROM h",
        session,
        wall.now + timedelta(hours=1),
    )
    assert [await forgotten(dsn, wall.now + timedelta(hours=5)) for _ in range(3)] == [1000, 50, 0]
    assert await owner.fetchval("SELECT count(*) FROM scheme.claim WHERE minutes = 150") == 1050
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'attendance_auto_closed'") == 1050


async def test_a_claim_keeps_the_version_of_the_rules_that_it_was_weighed_by(
    api: Api, wall: Wall, dsn: str, owner: asyncpg.Connection
) -> None:
    project, ann, bob = await api.project(), await api.person(), await api.person("Bob")
    session = await planned(api, wall, project, "10:00", "20:00")
    wall.set("10:00")
    for person in (ann, bob):
        await act(api, session, person["id"], "check-in")
    wall.set("10:50")
    await act(api, session, ann["id"], "check-out")
    changes = '{"step_minutes": 30, "auto_close_minutes": 100}'
    await owner.execute("INSERT INTO scheme.rules (version, changed_at, changes) VALUES (2, now(), $1)", changes)
    wall.set("11:40")
    assert await forgotten(dsn, wall.now) == 1
    assert [(claim["minutes"], claim["rules"]) for claim in await claims(owner)] == [(45, 1), (90, 2)]
