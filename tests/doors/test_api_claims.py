"""Claims over HTTP: who may tell of which hours, what the rules say of them, and who sees them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.doors.shed import NOON, TUESDAY, Shed, faults, refusal


@pytest.fixture
async def shed(dsn: str) -> AsyncIterator[Shed]:
    async with Shed.open(dsn) as opened:
        yield opened


async def topics(owner: asyncpg.Connection, claim: str) -> list[str]:
    rows = await owner.fetch("SELECT topic FROM scheme.outbox WHERE object = $1 ORDER BY at, id", claim)
    return [row["topic"] for row in rows]


# --- telling of hours -------------------------------------------------------------------------------------------


async def test_hours_are_claimed_and_the_claim_can_be_read(shed: Shed, owner: asyncpg.Connection) -> None:
    body = shed.hours(165, note="I stayed to sweep up.\nAgain.")
    answer = await shed.api.post("/v1/claims", body, shed.as_ann)
    step = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/claims/{step['id']}")
    assert (step["state"], step["minutes"], step["exceptions"], step["second_needed"]) == ("submitted", 165, [], False)
    claim = await shed.read(step["id"], shed.as_ann)
    assert (claim["person"], claim["name"], claim["project"]) == (shed.ann, "Ann", shed.project)
    assert (claim["state"], claim["minutes"], claim["counts"], claim["source"]) == ("submitted", 165, 165, "claim")
    assert (claim["awarded"], claim["consent_needed"], claim["approved_at"]) == (False, False, None)
    assert [(remark["kind"], remark["body"]) for remark in claim["remarks"]] == [
        ("note", "I stayed to sweep up.\nAgain.")
    ]
    assert await topics(owner, step["id"]) == ["claim_submitted"]
    assert await shed.api.trial_balance() == {}


async def test_without_minutes_it_is_the_time_from_start_to_end_rounded(shed: Shed) -> None:
    assert (await shed.claim(160))["minutes"] == 165
    assert (await shed.claim(80, at=TUESDAY - timedelta(days=1)))["minutes"] == 75


@pytest.mark.parametrize(
    ("start", "length", "minutes", "field", "said", "why"),
    [
        (-120, 90, 80, "minutes", "75 is the nearest", "rule 2: off the step, and the nearest is named"),
        (-120, 90, 7, "minutes", "must be 15 to 1440, in steps of 15", "rule 2: less than a step"),
        (-120, 60, 75, "minutes", "must be at most 60", "more than there was time for"),
        (-120, 121, None, "ended_at", "must not lie in the future", "rule 5: no future"),
        (60, 60, None, "started_at", "must not lie in the future", "nor does it begin there"),
        (-120, 0, None, "ended_at", "must be after started_at", "no length"),
        (-120, -60, None, "ended_at", "must be after started_at", "ends before it starts"),
        (-1800, 1500, None, "ended_at", "at most 24 hours", "25 hours long"),
        (-60 * 24 * 60 - 1, 60, None, "started_at", "must be at most 60 days ago", "rule 5: too long ago"),
    ],
)
async def test_what_is_wrong_by_itself_names_its_field_and_writes_nothing(
    *,
    shed: Shed,
    owner: asyncpg.Connection,
    start: int,
    length: int,
    minutes: int | None,
    field: str,
    said: str,
    why: str,
) -> None:
    body = shed.hours(length, at=NOON + timedelta(minutes=start), minutes=minutes)
    for answer in (
        await shed.api.post("/v1/claims", body, shed.as_ann, key="k"),
        await shed.api.post("/v1/claims", {**body, "draft": True}, shed.as_ann, key="k"),
    ):
        assert refusal(answer) == (422, "wrong_values"), why
        assert list(faults(answer)) == [field], why
        assert said in faults(answer)[field], why
    assert await owner.fetchval("SELECT count(*) FROM scheme.claim") == 0, why
    mended = await shed.api.post("/v1/claims", shed.hours(), shed.as_ann, key="k")
    assert mended.status_code == 201, why


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"minutes": 60.0}, 400, "a float"),
        ({"minutes": "60"}, 400, "a text"),
        ({"minutes": 0}, 422, "nothing"),
        ({"minutes": -60}, 422, "less than nothing"),
        ({"minutes": 10**23}, 422, "more than a day, by far"),
        ({"note": "x" * 2001}, 422, "a note that is too long"),
        ({"note": " \n "}, 422, "a note without words"),
        ({"started_at": "2026-11-17T10:00:00"}, 422, "a time without its zone"),
        ({"state": "approved"}, 400, "a field that isn't the claimant's"),
    ],
)
async def test_what_cannot_be_read_as_a_claim(shed: Shed, change: dict[str, object], status: int, why: str) -> None:
    answer = await shed.api.post("/v1/claims", shed.hours() | change, shed.as_ann)
    assert answer.status_code == status, (why, answer.text)


@pytest.mark.parametrize(
    ("before", "claimed", "state", "exceptions", "second", "why"),
    [
        ([], (10, 60), "submitted", [], False, "an hour is an hour"),
        ([], (4, 360), "submitted", [], False, "rule 8: 6 h are not above 6 h"),
        ([], (4, 375), "submitted", ["above_second_approval"], True, "rule 8: above 6 h in one go"),
        ([(4, 300, "")], (10, 180), "submitted", [], False, "rule 3: 8 h on the day exactly"),
        ([(4, 300, "")], (10, 195), "submitted", ["above_daily_cap"], True, "rule 3: above 8 h on the day"),
        ([(4, 360, "")], (-4, 195), "submitted", [], False, "rule 3: the day before is another day"),
        ([(10, 60, "")], (10, 60), "queried", ["overlapping"], False, "rule 6: at the same time"),
        ([(10, 60, "")], (9, 75), "queried", ["overlapping"], False, "rule 6: a quarter of an hour is enough"),
        ([(10, 60, "")], (11, 60), "submitted", [], False, "rule 6: one begins when the other ends"),
        ([(10, 60, "withdraw")], (10, 60), "submitted", [], False, "what was withdrawn doesn't count"),
        ([(10, 60, "reject")], (10, 60), "submitted", [], False, "nor what was rejected"),
        ([(10, 60, "draft")], (10, 60), "submitted", [], False, "nor a draft"),
        ([(10, 60, "query")], (10, 60), "queried", ["overlapping"], False, "what is queried counts"),
        ([(10, 60, "approve")], (10, 60), "queried", ["overlapping"], False, "what was approved counts"),
        ([(10, 60, "correct")], (10, 60), "submitted", [], False, "what was corrected to 0 doesn't"),
        ([(10, 60, "elsewhere")], (10, 60), "queried", ["overlapping"], False, "hours at another project count too"),
        ([(10, 60, "bob")], (10, 60), "submitted", [], False, "somebody else's don't"),
    ],
)
async def test_hours_are_weighed_against_what_stands_and_a_check_says_so_before(
    *,
    shed: Shed,
    before: list[tuple[int, int, str]],
    claimed: tuple[int, int],
    state: str,
    exceptions: list[str],
    second: bool,
    why: str,
) -> None:
    midnight = TUESDAY - timedelta(hours=10)
    for hour, minutes, then in before:
        more: dict[str, object] = {"draft": then == "draft"}
        if then == "elsewhere":
            more["project"] = await shed.api.project("Choir")
        token = shed.as_bob if then == "bob" else shed.as_ann
        earlier = await shed.claim(minutes, at=midnight + timedelta(hours=hour), token=token, **more)
        match then:
            case "withdraw":
                await shed.act(earlier["id"], "withdraw", token=shed.as_ann)
            case "reject" | "query":
                await shed.act(earlier["id"], then, {"text": "Was it you?"})
            case "approve" | "correct":
                assert await shed.approve(earlier["id"]) == ["awarded"]
        if then == "correct":
            await shed.act(earlier["id"], "corrections", {"minutes": 0, "reason": "It was Bob."}, shed.as_dan)
    hour, minutes = claimed
    body = shed.hours(minutes, at=midnight + timedelta(hours=hour))
    checked = await shed.api.made("/v1/claims/check", body, token=shed.as_ann)
    step = await shed.api.made("/v1/claims", body, token=shed.as_ann)
    for found in (checked, step):
        told = (found["state"], found["exceptions"], found["second_needed"], found["minutes"])
        assert told == (state, exceptions, second, minutes), why
    assert len(checked["explained"]) == len(exceptions), why
    assert (await shed.read(step["id"]))["explained"] == checked["explained"], why


@pytest.mark.parametrize(
    ("length", "minutes", "becomes", "said"),
    [
        (160, None, 165, ["2 hours 40 becomes 2 hours 45."]),
        (180, 80, 75, ["1 hour 20 becomes 1 hour 15."]),
        (20, None, 15, ["20 minutes becomes 15 minutes."]),
        (165, None, 165, []),
        (180, 165, 165, []),
    ],
)
async def test_the_rounding_is_shown_before_it_is_sent(
    *, shed: Shed, owner: asyncpg.Connection, length: int, minutes: int | None, becomes: int, said: list[str]
) -> None:
    body = shed.hours(length, minutes=minutes)
    checked = await shed.api.post("/v1/claims/check", body, shed.as_ann, key="")
    assert checked.status_code == 200, checked.text
    assert (checked.json()["minutes"], checked.json()["explained"]) == (becomes, said)
    assert await owner.fetchval("SELECT count(*) FROM scheme.claim") == 0
    sent = await shed.api.made("/v1/claims", body | {"minutes": checked.json()["minutes"]}, token=shed.as_ann)
    assert sent["minutes"] == becomes


async def test_a_check_refuses_what_a_claim_would_refuse(shed: Shed) -> None:
    ahead = await shed.api.post("/v1/claims/check", shed.hours(at=NOON), shed.as_ann)
    assert (refusal(ahead), list(faults(ahead))) == ((422, "wrong_values"), ["ended_at"])
    another = await shed.api.post("/v1/claims/check", shed.hours(person=shed.bob), shed.as_ann)
    assert refusal(another) == (404, "not_found")


async def test_a_week_above_the_soft_cap_is_noted_once_and_stops_nothing(shed: Shed, owner: asyncpg.Connection) -> None:
    monday = datetime.fromisoformat("2026-11-09T08:00:00+00:00")
    claims = [await shed.claim(300, at=monday + timedelta(days=day)) for day in range(4)]
    claims.append(await shed.claim(15, at=monday + timedelta(days=6)))
    claims.append(await shed.claim(15, at=monday + timedelta(days=5)))
    claims.append(await shed.claim(300, at=monday + timedelta(days=7)))
    assert {claim["state"] for claim in claims} == {"submitted"}
    noted = await owner.fetch("SELECT object, body FROM scheme.outbox WHERE topic = 'week_above_note'")
    assert [(str(row["object"]), row["body"]) for row in noted] == [(claims[4]["id"], '{"minutes":15}')]


async def test_a_queried_claim_that_is_changed_may_bring_the_week_above_it(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    monday = datetime.fromisoformat("2026-11-09T08:00:00+00:00")
    for day in range(4):
        await shed.claim(285, at=monday + timedelta(days=day))
    last = await shed.claim(60, at=monday + timedelta(days=4))
    await shed.act(last["id"], "query", {"text": "Was that all?"})
    assert "week_above_note" not in await topics(owner, last["id"])
    ended_at = (monday + timedelta(days=4, minutes=75)).isoformat()
    assert (await shed.api.send("PATCH", f"/v1/claims/{last['id']}", {"ended_at": ended_at}, shed.as_ann)).is_success
    await shed.act(last["id"], "submit", {}, shed.as_ann)
    assert (await topics(owner, last["id"])).count("week_above_note") == 1


async def test_fifty_at_once_with_one_key_are_one_claim(shed: Shed, owner: asyncpg.Connection) -> None:
    body = shed.hours(note="Twice, over bad wifi.")
    answers = await asyncio.gather(*(shed.api.post("/v1/claims", body, shed.as_ann, key="k") for _ in range(50)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await owner.fetchval("SELECT count(*) FROM scheme.claim") == 1
    assert await owner.fetchval("SELECT count(*) FROM scheme.remark") == 1


async def test_the_same_again_is_answered_as_it_was_then_and_something_else_is_refused(shed: Shed) -> None:
    first = await shed.api.post("/v1/claims", shed.hours(), shed.as_ann, key="k")
    assert await shed.approve(first.json()["id"]) == ["awarded"]
    body = shed.hours()
    body["started_at"] = "2026-11-17T11:00:00+01:00"
    again = await shed.api.post("/v1/claims", body, shed.as_ann, key="k")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    other = await shed.api.post("/v1/claims", shed.hours(75), shed.as_ann, key="k")
    assert refusal(other) == (422, "key_reused")
    assert refusal(await shed.api.post(f"/v1/claims/{first.json()['id']}/withdraw", None, shed.as_ann, "k")) == (
        422,
        "key_reused",
    )
    bobs = await shed.api.post("/v1/claims", shed.hours(), shed.as_bob, key="k")
    assert bobs.json()["id"] != first.json()["id"]


async def test_claims_of_one_person_at_once_do_not_miss_each_other(shed: Shed) -> None:
    claims = await asyncio.gather(*(shed.claim(300) for _ in range(10)))
    assert sorted(claim["state"] for claim in claims) == ["queried"] * 9 + ["submitted"]
    long = await asyncio.gather(
        *(shed.claim(180, at=TUESDAY - timedelta(days=n, hours=4 * m)) for n in (1, 2) for m in (0, 1, 2))
    )
    assert sorted("above_daily_cap" in claim["exceptions"] for claim in long) == [False] * 4 + [True] * 2


async def test_a_project_that_is_not_active_takes_no_claims(shed: Shed) -> None:
    draft = await shed.claim(draft=True)
    await shed.api.made(f"/v1/projects/{shed.project}/suspend")
    for path, body in (
        ("/v1/claims", shed.hours()),
        ("/v1/claims/check", shed.hours()),
        (f"/v1/claims/{draft['id']}/submit", {}),
    ):
        assert refusal(await shed.api.post(path, body, shed.as_ann)) == (409, "project_not_active"), path
    changed = await shed.api.send("PATCH", f"/v1/claims/{draft['id']}", {"minutes": 45}, shed.as_ann)
    assert refusal(changed) == (409, "project_not_active")
    assert (await shed.read(draft["id"]))["minutes"] == 60


# --- whose hours, and who sees them -------------------------------------------------------------------------------


async def test_who_may_claim_for_ann(shed: Shed) -> None:
    other = await shed.api.project("Choir")
    nobodys = await shed.api.key("project", shed.project)
    table: list[tuple[str, dict[str, Any], int, str]] = [
        (shed.as_ann, {}, 201, "her own"),
        (shed.as_ann, {"person": shed.ann}, 201, "her own, by name"),
        (await shed.helper("claim"), {"person": shed.ann}, 201, "a helper who may claim"),
        (await shed.helper("balance", "book"), {"person": shed.ann}, 404, "a helper who may not"),
        (shed.as_bob, {"person": shed.ann}, 404, "somebody else"),
        (shed.as_bob, {"person": str(uuid4())}, 404, "and nobody learns who is known"),
        (shed.as_carol, {"person": shed.ann}, 201, "the project where they were given"),
        (nobodys, {"person": shed.ann}, 201, "also by a key that nobody is behind"),
        (nobodys, {}, 422, "which then must say whose they are"),
        (shed.as_carol, {"person": shed.ann, "project": other}, 404, "not another project"),
        (shed.as_ann, {"project": other}, 201, "she may have given hours anywhere"),
        (shed.as_ann, {"project": str(uuid4())}, 404, "where there is a project"),
        (shed.api.scheme, {"person": shed.ann}, 201, "the scheme"),
        (shed.api.scheme, {"person": str(uuid4())}, 404, "for somebody who is there"),
        (await shed.api.key("venue", await shed.api.venue()), {"person": shed.ann}, 403, "never a venue"),
    ]
    for days, (token, more, status, why) in enumerate(table):
        at = TUESDAY - timedelta(days=days)
        answer = await shed.api.post("/v1/claims", shed.hours(at=at, **more), token)
        assert answer.status_code == status, (why, answer.text)
        checked = await shed.api.post("/v1/claims/check", shed.hours(at=at - timedelta(hours=4), **more), token)
        assert checked.status_code == (200 if status == 201 else status), (why, checked.text)
        if status == 201:
            assert (await shed.read(answer.json()["id"]))["person"] == shed.ann, why


async def test_a_coordinators_own_hours_are_claimed_like_anybodys_and_marked(shed: Shed) -> None:
    claim = await shed.claim(token=shed.as_carol)
    assert claim["exceptions"] == ["own_hours"]
    assert (await shed.read(claim["id"]))["person"] == shed.carol


async def test_what_a_helper_does_stands_in_the_persons_acts(shed: Shed) -> None:
    helper = await shed.helper("claim")
    claim = await shed.claim(draft=True, person=shed.ann, token=helper)
    await shed.api.send("PATCH", f"/v1/claims/{claim['id']}", {"minutes": 45}, helper)
    await shed.act(claim["id"], "submit", {}, helper)
    await shed.act(claim["id"], "withdraw", token=helper)
    acts = (await shed.api.get(f"/v1/people/{shed.ann}/acts", shed.as_ann)).json()["acts"]
    about = [act["verb"] for act in acts if act["object"] == claim["id"]]
    assert about == ["withdraw_claim", "submit_claim", "change_claim", "claim"]


async def test_who_sees_a_claim(shed: Shed) -> None:
    other = await shed.api.key("project", await shed.api.project("Choir"))
    helper = await shed.helper("claim")
    sent = await shed.claim()
    draft = await shed.claim(at=TUESDAY - timedelta(days=1), draft=True)
    carols = await shed.claim(at=TUESDAY - timedelta(days=2), draft=True, person=shed.ann, token=shed.as_carol)
    for claim, seen in (
        (sent, {"ann", "helper", "carol", "dan", "scheme"}),
        (draft, {"ann", "helper", "scheme"}),
        (carols, {"ann", "helper", "carol", "scheme"}),
    ):
        for name, token in {
            "ann": shed.as_ann,
            "helper": helper,
            "bob": shed.as_bob,
            "carol": shed.as_carol,
            "dan": shed.as_dan,
            "other": other,
            "scheme": shed.api.scheme,
        }.items():
            answer = await shed.api.get(f"/v1/claims/{claim['id']}", token)
            assert answer.status_code == (200 if name in seen else 404), name
            if name not in seen:
                for verb in ("submit", "withdraw"):
                    refused = await shed.api.post(f"/v1/claims/{claim['id']}/{verb}", {}, token)
                    assert refusal(refused) == (404, "not_found"), (name, verb)
                patched = await shed.api.send("PATCH", f"/v1/claims/{claim['id']}", {"minutes": 15}, token)
                assert refusal(patched) == (404, "not_found"), name
    assert (await shed.read(sent["id"]))["state"] == "submitted"
    missing = await shed.api.get(f"/v1/claims/{uuid4()}")
    assert refusal(missing) == (404, "not_found")


# --- changing, submitting, withdrawing ----------------------------------------------------------------------------


async def test_a_draft_counts_for_nothing_and_is_weighed_when_it_is_submitted(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    draft = await shed.claim(draft=True)
    assert draft["state"] == "draft"
    assert (await shed.read(draft["id"]))["counts"] == 0
    assert await topics(owner, draft["id"]) == []
    assert (await shed.claim())["state"] == "submitted"
    step = await shed.act(draft["id"], "submit", {"note": "Both."}, shed.as_ann)
    assert (step["state"], step["exceptions"]) == ("queried", ["overlapping"])
    assert await topics(owner, draft["id"]) == ["claim_queried"]


async def test_a_draft_that_lay_too_long_is_too_late(shed: Shed) -> None:
    draft = await shed.claim(draft=True)
    shed.now = NOON + timedelta(days=61)
    answer = await shed.api.post(f"/v1/claims/{draft['id']}/submit", {}, shed.as_ann)
    assert refusal(answer) == (409, "wrong_state")
    assert answer.json()["detail"] == (
        "The draft can't be submitted as it stands: started_at must be at most 60 days ago."
    )
    assert (await shed.read(draft["id"]))["state"] == "draft"


async def test_a_query_is_answered_and_nobody_is_late_for_it(shed: Shed, owner: asyncpg.Connection) -> None:
    await shed.claim()
    claim = await shed.claim(at=TUESDAY + timedelta(minutes=30))
    assert claim["state"] == "queried"
    shed.now = NOON + timedelta(days=70)
    started_at = (TUESDAY + timedelta(minutes=45)).isoformat()
    changed = await shed.api.send("PATCH", f"/v1/claims/{claim['id']}", {"started_at": started_at}, shed.as_ann)
    assert (changed.json()["minutes"], changed.json()["state"]) == (45, "queried")
    step = await shed.act(claim["id"], "submit", {"note": "I had two things to do."}, shed.as_ann)
    assert (step["state"], step["exceptions"]) == ("submitted", ["overlapping"])
    assert [remark["body"] for remark in (await shed.read(claim["id"]))["remarks"]] == ["I had two things to do."]
    assert await topics(owner, claim["id"]) == ["claim_queried", "claim_submitted"]


@pytest.mark.parametrize(
    ("change", "minutes", "why"),
    [
        ({}, 90, "nothing is changed"),
        ({"minutes": 60}, 60, "other minutes"),
        ({"ended_at": "2026-11-17T12:00:00Z"}, 120, "other times, and the minutes follow"),
        ({"started_at": "2026-11-17T10:40:00Z"}, 45, "rounded, 50 minutes are 45"),
        ({"started_at": "2026-11-17T09:00:00Z", "minutes": 90}, 90, "other times, and the minutes all the same"),
    ],
)
async def test_a_draft_is_changed(shed: Shed, change: dict[str, object], minutes: int, why: str) -> None:
    draft = await shed.claim(90, draft=True)
    answer = await shed.api.send("PATCH", f"/v1/claims/{draft['id']}", change, shed.as_ann)
    assert (answer.status_code, answer.json()["minutes"], answer.json()["state"]) == (200, minutes, "draft"), why
    assert await shed.read(draft["id"]) == answer.json(), why


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"minutes": 80}, 422, "minutes"),
        ({"minutes": 105}, 422, "minutes"),
        ({"ended_at": "2026-11-17T09:00:00Z"}, 422, "ended_at"),
        ({"started_at": "2026-09-01T09:00:00Z"}, 422, "ended_at"),
        ({"state": "approved"}, 400, "state"),
        ({"person": str(uuid4())}, 400, "person"),
    ],
)
async def test_a_change_keeps_the_rules(shed: Shed, change: dict[str, object], status: int, field: str) -> None:
    draft = await shed.claim(90, draft=True)
    answer = await shed.api.send("PATCH", f"/v1/claims/{draft['id']}", change, shed.as_ann)
    assert (answer.status_code, field in faults(answer)) == (status, True), answer.text
    assert (await shed.read(draft["id"]))["minutes"] == 90


async def in_state(shed: Shed, state: str) -> str:
    """A claim of Ann's in that state."""
    claim = str((await shed.claim(draft=state == "draft"))["id"])
    match state:
        case "queried":
            await shed.act(claim, "query", {"text": "When was it?"})
        case "rejected":
            await shed.act(claim, "reject", {"text": "We were closed."})
        case "withdrawn":
            await shed.act(claim, "withdraw", token=shed.as_ann)
        case "approved":
            assert await shed.approve(claim) == ["awarded"]
    assert (await shed.read(claim))["state"] == state
    return claim


@pytest.mark.parametrize(
    ("verb", "becomes", "states"),
    [
        ("change", "", {"draft", "queried"}),
        ("submit", "submitted", {"draft", "queried"}),
        ("withdraw", "withdrawn", {"draft", "submitted", "queried"}),
        ("query", "queried", {"submitted", "queried"}),
        ("reject", "rejected", {"submitted", "queried"}),
    ],
)
async def test_what_may_be_done_from_which_state(shed: Shed, verb: str, becomes: str, states: set[str]) -> None:
    for state in ("draft", "submitted", "queried", "approved", "rejected", "withdrawn"):
        claim = await in_state(shed, state)
        decides = verb in {"query", "reject"}
        body = {"text": "Why?"} if decides else {}
        if verb == "change":
            answer = await shed.api.send("PATCH", f"/v1/claims/{claim}", {"minutes": 45}, shed.as_ann)
        else:
            # Only the scheme sees a draft and may decide.
            token = shed.api.scheme if decides else shed.as_ann
            answer = await shed.api.post(f"/v1/claims/{claim}/{verb}", body, token)
        if state in states:
            assert answer.is_success, (state, answer.text)
            assert answer.json()["state"] == (becomes or state), state
        else:
            assert refusal(answer) == (409, "wrong_state"), state
            assert state in answer.json()["detail"], state
        assert (await shed.read(claim))["state"] == (becomes or state if state in states else state)
        if (await shed.read(claim))["counts"]:
            await leave_room(shed, claim)


async def leave_room(shed: Shed, claim: str) -> None:
    """Make the claim count for nothing, so that the next one overlaps nothing."""
    if (await shed.read(claim))["state"] == "approved":
        await shed.act(claim, "corrections", {"minutes": 0, "reason": "Room."}, shed.as_dan)
    else:
        await shed.act(claim, "withdraw", token=shed.as_ann)


async def test_a_project_decides_on_what_others_told_and_does_not_rewrite_it(shed: Shed) -> None:
    anns = (await shed.claim())["id"]
    await shed.act(anns, "query", {"text": "When was it?"})
    carols = (await shed.claim(at=TUESDAY - timedelta(days=1), person=shed.ann, token=shed.as_carol))["id"]
    await shed.act(carols, "query", {"text": "When was it?"})
    nobodys = await shed.api.key("project", shed.project)
    before = [await shed.read(claim) for claim in (anns, carols)]
    for claim, token in ((anns, shed.as_carol), (anns, nobodys), (carols, shed.as_dan), (carols, nobodys)):
        answers = [
            await shed.api.send("PATCH", f"/v1/claims/{claim}", {"minutes": 15}, token),
            await shed.api.post(f"/v1/claims/{claim}/submit", {"note": "So it was."}, token),
            await shed.api.post(f"/v1/claims/{claim}/withdraw", None, token),
        ]
        for answer in answers:
            assert refusal(answer) == (409, "wrong_state")
            assert "ask back about them, or reject them" in answer.json()["detail"]
    assert [await shed.read(claim) for claim in (anns, carols)] == before
    another_key = await shed.api.key("project", shed.project, person=shed.carol)
    changed = await shed.api.send("PATCH", f"/v1/claims/{carols}", {"minutes": 45}, another_key)
    assert changed.json()["minutes"] == 45
    assert (await shed.act(carols, "submit", {}, shed.as_carol))["state"] == "submitted"
    assert (await shed.act(carols, "withdraw", token=shed.as_ann))["state"] == "withdrawn"
    assert (await shed.act(anns, "withdraw", token=shed.api.scheme))["state"] == "withdrawn"


async def test_hours_of_a_register_are_not_changed_as_a_claim(shed: Shed) -> None:
    earlier = await shed.claim()
    body = shed.hours(90)
    body["lines"] = [{"person": shed.ann, "minutes": 60}]
    del body["project"]
    recorded = await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)
    [waiting] = recorded["attention"]
    assert waiting["state"] == "queried"
    answer = await shed.api.send("PATCH", f"/v1/claims/{waiting['claim']}", {"minutes": 45}, shed.as_ann)
    assert refusal(answer) == (409, "wrong_state")
    await shed.act(earlier["id"], "withdraw", token=shed.as_ann)
    assert (await shed.act(waiting["claim"], "submit", {"note": "Count this."}, shed.as_ann))["state"] == "submitted"


async def test_there_is_an_end_to_remarks(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim())["id"]
    await owner.execute(
        "INSERT INTO scheme.remark"
        " SELECT gen_random_uuid(), $1, 'query', 'Why?', $1, now() FROM generate_series(1, 100)",
        claim,
    )
    answer = await shed.api.post(f"/v1/claims/{claim}/query", {"text": "Why?"}, shed.as_carol)
    assert refusal(answer) == (409, "wrong_state")
    assert (await shed.read(claim))["state"] == "submitted"
    assert (await shed.act(claim, "reject", {"text": "Let us talk."}))["state"] == "rejected"


async def test_no_words_are_kept_in_answers_or_told_in_events(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim(note="lavender"))["id"]
    await shed.act(claim, "query", {"text": "lavender"})
    await shed.act(claim, "submit", {"note": "lavender"}, shed.as_ann)
    await shed.approve(claim)
    await shed.act(claim, "corrections", {"minutes": 15, "reason": "lavender"}, shed.as_dan)
    assert await owner.fetchval("SELECT count(*) FROM scheme.remark WHERE body = 'lavender'") == 4
    for table, column in (("answer", "body"), ("outbox", "body")):
        found = await owner.fetchval(f"SELECT count(*) FROM scheme.{table} WHERE {column} ~ 'lavender|Ann|Carol'")
        assert found == 0, table
    for table in ("entry", "detail"):
        assert await owner.fetchval(f"SELECT count(*) FROM journal.{table} t WHERE t::text LIKE '%lavender%'") == 0
