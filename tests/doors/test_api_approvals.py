"""Approvals over HTTP: many at once, exceptions, a second approver, never one's own; queries and rejections."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from tests.doors.shed import NOON, TUESDAY, Shed, faults, refusal


@pytest.fixture
async def shed(dsn: str) -> AsyncIterator[Shed]:
    async with Shed.open(dsn) as opened:
        yield opened


async def events(owner: asyncpg.Connection, claim: str) -> list[str]:
    rows = await owner.fetch("SELECT topic FROM scheme.outbox WHERE object = $1 ORDER BY at, id", claim)
    return [row["topic"] for row in rows]


async def entries(shed: Shed) -> list[str]:
    return [entry["id"] for entry in (await shed.api.get("/v1/entries", limit=200)).json()["entries"]]


def days(count: int) -> timedelta:
    return timedelta(days=count)


# --- one after the other ----------------------------------------------------------------------------------------


async def test_approval_and_award_are_one_and_the_claim_tells_so(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim(165))["id"]
    answer = await shed.approval(claim)
    assert answer.status_code == 201
    assert answer.json()["decisions"] == [{"claim": claim, "outcome": "awarded"}]
    assert answer.json()["minutes"] == 165
    assert await shed.api.balance(shed.ann) == (165, 0)
    entry = (await shed.api.get(f"/v1/entries/{claim}")).json()
    assert entry["happened_at"] == "2026-11-17T12:45:00Z"
    found = await shed.read(claim, shed.as_ann)
    assert (found["state"], found["awarded"], found["approved_at"]) == ("approved", True, "2026-11-18T12:00:00Z")
    assert await events(owner, claim) == ["claim_submitted", "awarded"]


async def test_each_claim_of_a_bulk_has_its_outcome_in_order(shed: Shed) -> None:
    other = await shed.api.project("Choir")

    async def claim(number: int, minutes: int = 60, **more: Any) -> str:  # noqa: ANN401  # whatever a claim may have
        return str((await shed.claim(minutes, at=TUESDAY - days(number), **more))["id"])

    plain, long, own = await claim(11), await claim(2, 375), await claim(3, token=shed.as_carol)
    earlier, overlapping, rejected, withdrawn = await claim(1), await claim(1), await claim(4), await claim(5)
    draft, elsewhere, asked = await claim(6, draft=True), await claim(7, project=other), await claim(8)
    approved, halfway, nobodys = await claim(9), await claim(10, 375), str(uuid4())
    await shed.act(rejected, "reject", {"text": "We were closed."})
    await shed.act(withdrawn, "withdraw", token=shed.as_ann)
    await shed.act(asked, "query", {"text": "Which day?"})
    assert await shed.approve(approved) == ["awarded"]
    assert await shed.approve(halfway) == ["waiting_for_second"]
    table = [
        (plain, "awarded", "awarded", "nothing stands against it"),
        (long, "has_exceptions", "waiting_for_second", "rule 8: above 6 h, so a second person decides too"),
        (own, "own_hours", "own_hours", "rule 7: never one's own"),
        (earlier, "has_exceptions", "awarded", "rule 6: somebody looks first, whichever came first"),
        (overlapping, "has_exceptions", "awarded", "rule 6: somebody looks first"),
        (rejected, "already_decided", "already_decided", "it was decided the other way"),
        (withdrawn, "withdrawn", "withdrawn", "it was taken back"),
        (draft, "not_found", "not_found", "it isn't the project's to see yet"),
        (elsewhere, "not_found", "not_found", "another project's"),
        (asked, "queried", "awarded", "it was asked about"),
        (approved, "awarded", "awarded", "it is, since before"),
        (halfway, "same_approver", "same_approver", "rule 8: the second is another"),
        (nobodys, "not_found", "not_found", "there is none"),
    ]
    claims = [claim for claim, *_ in table]
    carefully = await shed.approve(*claims)
    before = await shed.api.balance(shed.ann)
    assert [*zip(carefully, [why for *_, why in table], strict=True)] == [
        (outcome, why) for _, outcome, _, why in table
    ]
    assert before == (120, 0)
    despite = await shed.approve(*claims, despite_exceptions=True)
    assert [*zip(despite, [why for *_, why in table], strict=True)] == [(outcome, why) for _, _, outcome, why in table]
    assert await shed.api.balance(shed.ann) == (300, 0)
    assert len(await entries(shed)) == 5


@pytest.mark.parametrize(
    ("state", "status", "code", "why"),
    [
        ("own", 403, "own_hours", "rule 7: somebody else decides"),
        ("halfway", 403, "same_approver", "rule 8: a second person decides"),
        ("rejected", 409, "wrong_state", "it was decided the other way"),
        ("withdrawn", 409, "wrong_state", "it was taken back"),
        ("draft", 404, "not_found", "it isn't the project's to see yet"),
        ("elsewhere", 404, "not_found", "another project's"),
        ("missing", 404, "not_found", "there is none"),
    ],
)
async def test_of_one_claim_alone_why_not_is_a_refusal(
    *, shed: Shed, owner: asyncpg.Connection, state: str, status: int, code: str, why: str
) -> None:
    more: dict[str, Any] = {"token": shed.as_carol if state == "own" else shed.as_ann, "draft": state == "draft"}
    if state == "elsewhere":
        more["project"] = await shed.api.project("Choir")
    claim = (await shed.claim(375 if state == "halfway" else 60, **more))["id"]
    if state == "halfway":
        await shed.approve(claim)
    elif state == "rejected":
        await shed.act(claim, "reject", {"text": "We were closed."})
    elif state == "withdrawn":
        await shed.act(claim, "withdraw", token=shed.as_ann)
    elif state == "missing":
        claim = str(uuid4())
    before = await owner.fetch("SELECT * FROM scheme.claim")
    assert refusal(await shed.approval(claim, despite_exceptions=True)) == (status, code), why
    assert await owner.fetch("SELECT * FROM scheme.claim") == before, why
    assert await entries(shed) == [], why


@pytest.mark.parametrize(
    ("length", "overlaps", "why"),
    [(60, True, "it was queried for an overlap"), (60, False, "nothing is exceptional")],
)
async def test_a_claim_named_singly_is_looked_at_and_so_is_approved(
    *, shed: Shed, length: int, overlaps: bool, why: str
) -> None:
    if overlaps:
        await shed.claim(length)
    assert await shed.approve((await shed.claim(length))["id"]) == ["awarded"], why


async def test_above_the_threshold_two_people_decide(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim(420))["id"]
    assert await shed.approve(claim) == ["waiting_for_second"]
    found = await shed.read(claim)
    assert (found["state"], found["approved_at"], found["awarded"]) == ("submitted", "2026-11-18T12:00:00Z", False)
    assert await shed.api.balance(shed.ann) == (0, 0)
    assert refusal(await shed.approval(claim)) == (403, "same_approver")
    # Another key of Carol's is Carol still.
    again = await shed.api.key("project", shed.project, person=shed.carol)
    assert refusal(await shed.approval(claim, token=again)) == (403, "same_approver")
    assert await shed.approve(claim, token=shed.as_dan) == ["awarded"]
    assert await shed.api.balance(shed.ann) == (420, 0)
    assert await events(owner, claim) == ["claim_submitted", "second_approval_needed", "awarded"]


async def test_where_two_are_needed_two_keys_that_are_nobodys_are_not_two_people(shed: Shed) -> None:
    one, other = [await shed.api.key("project", shed.project) for _ in range(2)]
    claim, plain = (await shed.claim(420))["id"], (await shed.claim(at=TUESDAY - days(1)))["id"]

    async def is_refused(token: str) -> None:
        answer = await shed.approval(claim, token=token)
        assert refusal(answer) == (403, "same_approver")
        assert answer.json()["detail"] == "This needs two people, so use keys that say whose they are."

    for token in (one, other, shed.api.scheme):
        await is_refused(token)
    assert await shed.approve(claim, plain, token=one) == ["has_exceptions", "awarded"]
    assert await shed.approve(claim, plain, token=one, despite_exceptions=True) == ["person_needed", "awarded"]
    assert (await shed.read(claim))["approved_at"] is None
    assert await shed.approve(claim) == ["waiting_for_second"]
    for token in (one, other, shed.api.scheme):
        await is_refused(token)
    assert await shed.approve(claim, token=await shed.api.key("scheme", person=shed.dan)) == ["awarded"]
    assert await shed.api.balance(shed.ann) == (480, 0)


async def test_a_person_takes_the_first_place_of_a_key_that_is_nobodys(shed: Shed, owner: asyncpg.Connection) -> None:
    claim, key = (await shed.claim(420))["id"], uuid4()
    # As a register by a till's key may have left it.
    await owner.execute("UPDATE scheme.claim SET approver = $2, approved_at = now() WHERE id = $1", claim, key)
    assert await shed.approve(claim) == ["waiting_for_second"]
    assert refusal(await shed.approval(claim)) == (403, "same_approver")
    assert await shed.approve(claim, token=shed.as_dan) == ["awarded"]
    row = await owner.fetchrow(
        """
        SELECT (SELECT person FROM scheme.holder WHERE id = approver) AS first,
            (SELECT person FROM scheme.holder WHERE id = second_approver) AS second
        FROM scheme.claim WHERE id = $1
        """,
        claim,
    )
    assert row is not None
    assert [str(row["first"]), str(row["second"])] == [shed.carol, shed.dan]


async def test_the_second_approver_under_the_same_key_asks_something_else(shed: Shed) -> None:
    claim = (await shed.claim(420))["id"]
    first = await shed.approval(claim, key="k")
    assert first.json()["decisions"] == [{"claim": claim, "outcome": "waiting_for_second"}]
    assert refusal(await shed.approval(claim, token=shed.as_dan, key="k")) == (422, "key_reused")
    # Another key of Carol's is Carol still, and so is her retry.
    again = await shed.approval(claim, token=await shed.api.key("project", shed.project, person=shed.carol), key="k")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    assert await shed.approve(claim, token=shed.as_dan) == ["awarded"]


async def test_a_retry_under_a_new_key_of_the_projects_is_known_as_a_retry(shed: Shed) -> None:
    claim = (await shed.claim())["id"]
    old, new = [await shed.api.key("project", shed.project) for _ in range(2)]
    first = await shed.approval(claim, token=old, key="k")
    again = await shed.approval(claim, token=new, key="k")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")


async def test_own_hours_are_nobodys_to_approve_by_any_key_of_theirs(shed: Shed) -> None:
    claim = (await shed.claim(token=shed.as_carol))["id"]
    for token in (
        shed.as_carol,
        await shed.api.key("project", shed.project, person=shed.carol),
        await shed.api.key("scheme", person=shed.carol),
    ):
        assert refusal(await shed.approval(claim, token=token)) == (403, "own_hours")
    assert await shed.approve(claim, token=shed.as_dan) == ["awarded"]
    assert refusal(await shed.approval(claim)) == (403, "own_hours")


@pytest.mark.parametrize(
    ("change", "constraint", "why"),
    [
        ("approver = holder, approved_at = now()", "claim_is_approved_by_another", "rule 7, first"),
        (
            "approver = gen_random_uuid(), approved_at = now(), second_approver = holder, second_approved_at = now()",
            "claim_is_approved_by_another",
            "rule 7, second",
        ),
        (
            "approver = project, approved_at = now(), second_approver = project, second_approved_at = now()",
            "claim_is_approved_twice_by_two",
            "rule 8: two are two",
        ),
        ("state = 'approved'", "claim_approved_has_its_approvers", "approved by nobody"),
        (
            "state = 'approved', second_needed = true, approver = project, approved_at = now()",
            "claim_approved_has_its_approvers",
            "rule 8: approved by one, where two are needed",
        ),
        ("approver = project", "claim_approval_is_whole", "approved, nobody knows when"),
    ],
)
async def test_the_database_itself_refuses_it_to_the_service(
    *, shed: Shed, database: Database, change: str, constraint: str, why: str
) -> None:
    claim = (await shed.claim())["id"]
    with pytest.raises(asyncpg.CheckViolationError) as raised:
        async with database.transaction() as connection:
            await driver(connection).execute(f"UPDATE scheme.claim SET {change} WHERE id = $1", claim)
    assert raised.value.constraint_name == constraint, why
    assert (await shed.read(claim))["state"] == "submitted", why


# --- the same again, and at once ----------------------------------------------------------------------------------


async def test_approving_again_gives_the_same_answer_and_one_entry(shed: Shed) -> None:
    claims = [(await shed.claim(at=TUESDAY - days(number)))["id"] for number in range(3)]
    first = await shed.approval(*claims, key="k")
    again = await shed.approval(*claims, key="k")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    for token in (shed.as_carol, shed.as_dan):
        anew = (await shed.approval(*claims, token=token)).json()
        assert (anew["decisions"], anew["minutes"]) == (first.json()["decisions"], 0)
    assert await entries(shed) == claims
    assert refusal(await shed.approval(*claims[:2], key="k")) == (422, "key_reused")
    assert refusal(await shed.approval(*claims, key="k", despite_exceptions=True)) == (422, "key_reused")


async def test_two_coordinators_approve_the_same_fifty_at_once(shed: Shed) -> None:
    claims = [(await shed.claim(15, at=TUESDAY - timedelta(hours=number)))["id"] for number in range(50)]
    answers = await asyncio.gather(
        shed.approval(*claims, token=shed.as_carol), shed.approval(*reversed(claims), token=shed.as_dan)
    )
    for answer in answers:
        assert answer.status_code == 201, answer.text
        assert {decision["outcome"] for decision in answer.json()["decisions"]} == {"awarded"}
    assert sorted(answer.json()["minutes"] for answer in answers) == [0, 750]
    assert sorted(await entries(shed)) == sorted(claims)
    assert await shed.api.balance(shed.ann) == (750, 0)
    assert await shed.api.trial_balance() == {"issued": -750, "wallet": 750}


async def test_two_coordinators_at_once_are_the_two_that_long_days_need(shed: Shed) -> None:
    claims = [(await shed.claim(420, at=TUESDAY - days(number)))["id"] for number in range(10)]
    answers = await asyncio.gather(
        *(shed.approval(*claims, token=token, despite_exceptions=True) for token in (shed.as_carol, shed.as_dan))
    )
    outcomes = [{decision["outcome"] for decision in answer.json()["decisions"]} for answer in answers]
    assert sorted(outcomes, key=str) == [{"awarded"}, {"waiting_for_second"}]
    assert await shed.api.balance(shed.ann) == (4200, 0)


async def test_fifty_equal_requests_with_one_key_count_once(shed: Shed) -> None:
    claims = [(await shed.claim(at=TUESDAY - days(number)))["id"] for number in range(3)]
    answers = await asyncio.gather(*(shed.approval(*claims, key="k") for _ in range(50)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(await entries(shed)) == 3


async def test_a_withdrawal_and_an_approval_at_once_are_one_of_the_two(shed: Shed) -> None:
    for number in range(10):
        claim = (await shed.claim(at=TUESDAY - days(number)))["id"]
        approval, withdrawal = await asyncio.gather(
            shed.approval(claim), shed.api.post(f"/v1/claims/{claim}/withdraw", None, shed.as_ann)
        )
        assert sorted([approval.status_code, withdrawal.status_code]) == [201, 409]
        found = await shed.read(claim)
        assert found["awarded"] is (approval.status_code == 201)
        assert found["state"] == ("approved" if approval.status_code == 201 else "withdrawn")


async def test_a_thousand_in_one_call_and_no_more(shed: Shed, owner: asyncpg.Connection) -> None:
    template = (await shed.claim())["id"]
    rows = await owner.fetch(
        """
        INSERT INTO scheme.claim (id, project, holder, started_at, ended_at, day, minutes, source, state, exceptions,
            second_needed, rules, by, created_at, changed_at)
        SELECT gen_random_uuid(), project, holder, started_at - n * interval '1 day', ended_at - n * interval '1 day',
            day - n, 15, source, state, exceptions, second_needed, rules, by, created_at, changed_at
        FROM scheme.claim, generate_series(1, 1000) n WHERE id = $1 RETURNING id
        """,
        template,
    )
    claims = [str(row["id"]) for row in rows]
    over = await shed.approval(template, *claims)
    assert (refusal(over), list(faults(over))) == ((422, "wrong_values"), ["claims"])
    assert await shed.approve(*claims) == ["awarded"] * 1000
    assert await shed.api.balance(shed.ann) == (15_000, 0)
    assert await shed.api.trial_balance() == {"issued": -15_000, "wallet": 15_000}


# --- what else is asked of a request ------------------------------------------------------------------------------


async def test_nothing_is_named_twice_and_something_is_named(shed: Shed) -> None:
    claim = (await shed.claim())["id"]
    twice = await shed.approval(claim, str(uuid4()), claim)
    assert (refusal(twice), list(faults(twice))) == ((422, "wrong_values"), ["claims[2]"])
    assert refusal(await shed.approval()) == (422, "wrong_values")
    assert (await shed.approval(claim, despite_exceptions="yes")).status_code == 400
    assert await entries(shed) == []


async def test_a_project_is_anothers_or_not_there(shed: Shed) -> None:
    claim = (await shed.claim())["id"]
    other = await shed.api.project("Choir")
    as_other = await shed.api.key("project", other)
    assert refusal(await shed.approval(claim, token=as_other)) == (404, "not_found")
    path = f"/v1/projects/{other}/approvals"
    assert refusal(await shed.api.post(path, {"claims": [claim]}, as_other)) == (404, "not_found")
    assert refusal(await shed.api.post(f"/v1/projects/{uuid4()}/approvals", {"claims": [claim]})) == (404, "not_found")
    for verb in ("query", "reject"):
        answer = await shed.api.post(f"/v1/claims/{claim}/{verb}", {"text": "Why?"}, as_other)
        assert refusal(answer) == (404, "not_found")
    assert (await shed.read(claim))["state"] == "submitted"


async def test_a_project_that_is_not_active_gives_nothing_but_by_the_scheme(shed: Shed) -> None:
    claim = (await shed.claim())["id"]
    await shed.api.made(f"/v1/projects/{shed.project}/suspend")
    assert refusal(await shed.approval(claim)) == (409, "project_not_active")
    assert await shed.approve(claim, token=shed.api.scheme) == ["awarded"]


async def test_hours_of_somebody_under_16_wait_for_a_guardian(shed: Shed, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE scheme.person SET age_band = '8_to_15' WHERE id = $1", shed.ann)
    ann, bob = (await shed.claim())["id"], (await shed.claim(token=shed.as_bob))["id"]
    answer = await shed.approval(ann, bob)
    outcomes = [decision["outcome"] for decision in answer.json()["decisions"]]
    assert (outcomes, answer.json()["minutes"]) == (["waiting_for_consent", "awarded"], 60)
    found = await shed.read(ann)
    assert (found["state"], found["awarded"], found["consent_needed"]) == ("approved", False, True)
    assert await shed.approve(ann, bob, token=shed.as_dan) == ["waiting_for_consent", "awarded"]
    assert (await shed.read(bob))["consent_needed"] is False
    assert await shed.api.balance(shed.ann) == (0, 0)


@pytest.mark.parametrize("length", [60, 420])
async def test_hours_that_wait_for_a_guardian_are_rejected_before_they_are_awarded(
    shed: Shed, owner: asyncpg.Connection, length: int
) -> None:
    await owner.execute("UPDATE scheme.person SET age_band = '8_to_15' WHERE id = $1", shed.ann)
    body = shed.hours(length) | {"lines": [{"person": shed.ann, "minutes": length}]}
    del body["project"]
    recorded = await shed.api.made(f"/v1/projects/{shed.project}/registers", body, token=shed.as_carol)
    [claim] = recorded["claims"]
    if length > 360:
        assert await shed.approve(claim, token=shed.as_dan) == ["waiting_for_consent"]
    right = (await shed.claim(30, at=TUESDAY - days(1)))["id"]
    assert await shed.approve(right) == ["waiting_for_consent"]
    path = f"/v1/claims/{claim}/query"
    assert refusal(await shed.api.post(path, {"text": "So long?"}, shed.as_carol)) == (409, "wrong_state")
    step = await shed.act(claim, "reject", {"text": "It was half an hour, the day before."})
    assert step["state"] == "rejected"
    found = await shed.read(claim)
    assert (found["state"], found["counts"], found["awarded"]) == ("rejected", 0, False)
    assert (found["approved_at"], found["consent_needed"]) == (None, False)
    assert (await events(owner, claim))[-1] == "claim_rejected"
    await shed.api.made(f"/v1/people/{shed.ann}/guardians", {"guardian": shed.bob})
    given = await shed.api.made(f"/v1/people/{shed.ann}/consents", {"guardian": shed.bob})
    assert (given["claims"], given["minutes"]) == (1, 30)
    assert await shed.api.balance(shed.ann) == (30, 0)
    assert await entries(shed) == [right]
    assert refusal(await shed.api.post(f"/v1/claims/{right}/reject", {"text": "No."}, shed.as_carol)) == (
        409,
        "wrong_state",
    )


async def test_approving_hours_of_attendance_confirms_it(shed: Shed, owner: asyncpg.Connection) -> None:
    claims = [(await shed.claim(at=TUESDAY - days(number)))["id"] for number in range(2)]
    for claim in claims:
        await owner.execute(
            """
            WITH session AS (
                INSERT INTO scheme.session (id, project, started_at, ended_at, created_at, by)
                SELECT gen_random_uuid(), project, started_at, ended_at, created_at, by FROM scheme.claim WHERE id = $1
                RETURNING id
            ), attendance AS (
                INSERT INTO scheme.attendance (session, holder, state, checked_in_at, minutes, changed_at, by)
                SELECT session.id, c.holder, 'auto_closed', c.started_at, 90, c.created_at, c.by
                FROM scheme.claim c, session WHERE c.id = $1
            )
            UPDATE scheme.claim SET session = session.id, source = 'attendance', exceptions = '{auto_closed}'
            FROM session WHERE claim.id = $1
            """,
            claim,
        )
    assert await shed.approve(*claims) == ["has_exceptions"] * 2
    assert await shed.approve(claims[0]) == ["awarded"]
    rows = await owner.fetch("SELECT state, minutes FROM scheme.attendance ORDER BY state DESC")
    assert [tuple(row) for row in rows] == [("confirmed", 60), ("auto_closed", 90)]


async def test_hours_of_somebody_who_was_erased_are_not_there_and_stop_nobody_elses(
    shed: Shed, owner: asyncpg.Connection
) -> None:
    ann, bob = (await shed.claim())["id"], (await shed.claim(token=shed.as_bob))["id"]
    await owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", shed.ann_holder)
    assert await shed.approve(ann, bob) == ["not_found", "awarded"]


# --- queries and rejections ---------------------------------------------------------------------------------------


async def test_a_query_and_a_rejection_say_why_and_are_told(shed: Shed, owner: asyncpg.Connection) -> None:
    claim = (await shed.claim())["id"]
    step = await shed.act(claim, "query", {"text": "Which day was it?"})
    assert (step["state"], step["minutes"]) == ("queried", 60)
    await shed.act(claim, "query", {"text": "And until when?"})
    assert (await shed.act(claim, "reject", {"text": "We were closed."}))["state"] == "rejected"
    found = await shed.read(claim, shed.as_ann)
    assert [(remark["kind"], remark["body"]) for remark in found["remarks"]] == [
        ("query", "Which day was it?"),
        ("query", "And until when?"),
        ("rejection", "We were closed."),
    ]
    assert (found["state"], found["counts"]) == ("rejected", 0)
    assert await events(owner, claim) == ["claim_submitted", "claim_queried", "claim_queried", "claim_rejected"]


@pytest.mark.parametrize("verb", ["query", "reject"])
async def test_both_say_something_once(shed: Shed, verb: str) -> None:
    claim = (await shed.claim())["id"]
    path = f"/v1/claims/{claim}/{verb}"
    for text in ("", "  ", "x" * 2001):
        assert refusal(await shed.api.post(path, {"text": text}, shed.as_carol)) == (422, "wrong_values")
    assert (await shed.api.post(path, {}, shed.as_carol)).status_code == 400
    first = await shed.api.post(path, {"text": "Why?"}, shed.as_carol, key="k")
    again = await shed.api.post(path, {"text": "Why?"}, shed.as_carol, key="k")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    other = await shed.api.post(path, {"text": "Why not?"}, shed.as_carol, key="k")
    assert refusal(other) == (422, "key_reused")
    assert len((await shed.read(claim))["remarks"]) == 1


async def test_a_query_takes_back_the_first_approval_for_it_was_of_the_claim_as_it_stood(shed: Shed) -> None:
    claim = (await shed.claim(420))["id"]
    assert await shed.approve(claim) == ["waiting_for_second"]
    await shed.act(claim, "query", {"text": "All day?"}, shed.as_dan)
    assert (await shed.read(claim))["approved_at"] is None
    ended_at = (TUESDAY + timedelta(hours=8)).isoformat()
    await shed.api.send("PATCH", f"/v1/claims/{claim}", {"ended_at": ended_at}, shed.as_ann)
    await shed.act(claim, "submit", {"note": "Longer, even."}, shed.as_ann)
    assert await shed.approve(claim, token=shed.as_dan) == ["waiting_for_second"]
    assert await shed.approve(claim) == ["awarded"]
    assert await shed.api.balance(shed.ann) == (480, 0)


async def test_what_was_weighed_before_the_rules_changed_stays_as_it_was(shed: Shed) -> None:
    long = (await shed.claim(375))["id"]
    changed = await shed.api.send("PATCH", "/v1/rules", {"second_above_minutes": 480})
    assert changed.is_success, changed.text
    shed.now = NOON + timedelta(minutes=1)
    assert (await shed.claim(375, at=TUESDAY - days(1)))["exceptions"] == []
    assert (await shed.read(long))["explained"] == [
        "This is more than 6 hours in one go, so a second person has a look too."
    ]
    assert await shed.approve(long) == ["waiting_for_second"]
