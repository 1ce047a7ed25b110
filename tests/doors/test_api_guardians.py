"""Guardians and their consent over HTTP: a child's hours are recorded at once and wait for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.guardians import GUARDIANS_MAX, LAPSES_MAX, award_waiting, lapse
from tests.daytime import daytime
from tests.doors.house import Api, register
from tests.journal.conftest import audit

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OFFICE = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def person(api: Api, name: str = "Cat", age_band: str | None = "8_to_15") -> dict[str, Any]:
    return await api.made("/v1/people", {"name": name, "age_band": age_band})


async def family(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """A child of ten, and a guardian."""
    child, guardian = await person(api), await person(api, "Dee", None)
    await api.made(f"/v1/people/{child['id']}/guardians", {"guardian": guardian["id"]})
    return child, guardian


async def consent(api: Api, child: dict[str, Any], guardian: dict[str, Any], **options: str) -> dict[str, Any]:
    return await api.made(f"/v1/people/{child['id']}/consents", {"guardian": guardian["id"]}, **options)


async def newest(api: Api, child: dict[str, Any]) -> dict[str, Any]:
    """The newest consent of a child's first guardian."""
    found: dict[str, Any] = (await api.get(f"/v1/people/{child['id']}/guardians")).json()["guardians"][0]["consent"]
    return found


async def topics(owner: asyncpg.Connection, holder: str) -> list[str]:
    rows = await owner.fetch("SELECT topic FROM scheme.outbox WHERE holder = $1 ORDER BY at, id", UUID(holder))
    return [row["topic"] for row in rows]


# --- who has guardians, and who is one ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_band", "status"),
    [("under_8", 201), ("8_to_15", 201), ("16_to_17", 201), ("18_and_over", 422), (None, 422)],
)
async def test_only_somebody_under_18_has_guardians(api: Api, age_band: str | None, status: int) -> None:
    child, guardian = await person(api, "Cat", age_band), await person(api, "Dee", None)
    answer = await api.post(f"/v1/people/{child['id']}/guardians", {"guardian": guardian["id"]})
    assert answer.status_code == status
    if status == 422:
        assert fields(answer) == ["child"]


@pytest.mark.parametrize(
    ("age_band", "status"), [("under_8", 422), ("16_to_17", 422), ("18_and_over", 201), (None, 201)]
)
async def test_a_guardian_is_not_known_to_be_under_18(api: Api, age_band: str | None, status: int) -> None:
    child, guardian = await person(api), await person(api, "Dee", age_band)
    answer = await api.post(f"/v1/people/{child['id']}/guardians", {"guardian": guardian["id"]})
    assert answer.status_code == status
    if status == 422:
        assert fields(answer) == ["guardian"]


async def test_a_guardian_is_somebody_else_whom_we_know(api: Api) -> None:
    child, guardian = await family(api)
    path = f"/v1/people/{child['id']}/guardians"
    for wrong in (child["id"], str(uuid4())):
        answer = await api.post(path, {"guardian": wrong})
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["guardian"])
    nobody = await api.post(f"/v1/people/{uuid4()}/guardians", {"guardian": guardian["id"]})
    assert refusal(nobody) == (404, "not_found")
    assert refusal(await api.get(f"/v1/people/{uuid4()}/guardians")) == (404, "not_found")


async def test_adding_a_guardian_again_changes_nothing(api: Api, owner: asyncpg.Connection) -> None:
    child, guardian = await family(api)
    path = f"/v1/people/{child['id']}/guardians"
    before = (await api.get(path)).json()
    again = await api.made(path, {"guardian": guardian["id"]})
    assert (await api.get(path)).json() == before == {"guardians": [again]}
    assert (again["name"], again["ended_at"], again["consent"]) == ("Dee", None, None)
    verbs = await owner.fetch("SELECT verb FROM scheme.act WHERE holder = $1 ORDER BY at", UUID(child["holder"]))
    assert [row["verb"] for row in verbs] == ["person_added", "guardian_added"]


async def test_a_child_has_twenty_guardians_at_most(api: Api, owner: asyncpg.Connection) -> None:
    child, _ = await family(api)
    others = [await person(api, "Dee", None) for _ in range(GUARDIANS_MAX)]
    path = f"/v1/people/{child['id']}/guardians"
    answers = [await api.post(path, {"guardian": other["id"]}) for other in others]
    assert [answer.status_code for answer in answers] == [201] * (GUARDIANS_MAX - 1) + [409]
    assert await owner.fetchval("SELECT count(*) FROM scheme.guardian") == GUARDIANS_MAX


# --- consent ------------------------------------------------------------------------------------------------


async def test_hours_wait_for_consent_which_awards_all_of_them_at_once(api: Api, owner: asyncpg.Connection) -> None:
    (child, guardian), bob, project = await family(api), await api.person("Bob"), await api.project()
    first = await api.give(project, {child["id"]: 60, bob["id"]: 60}, days_ago=3)
    await api.give(project, {child["id"]: 45}, days_ago=2)
    assert [(line["line"], line["state"], line["consent_needed"]) for line in first["attention"]] == [
        (0, "approved", True)
    ]
    assert await api.balance(child["id"]) == (0, 0)
    assert await api.balance(bob["id"]) == (60, 0)

    given = await consent(api, child, guardian)

    assert (given["claims"], given["minutes"]) == (2, 105)
    assert await api.balance(child["id"]) == (105, 0)
    await api.give(project, {child["id"]: 30}, days_ago=1)
    assert await api.balance(child["id"]) == (135, 0)
    assert await topics(owner, child["holder"]) == [
        *("award_waits_for_consent", "award_waits_for_consent", "consent_given", "awarded", "awarded", "awarded"),
    ]
    await audit(owner)


async def test_a_consent_sent_twice_counts_once(api: Api, owner: asyncpg.Connection) -> None:
    (child, guardian), project = await family(api), await api.project()
    await api.give(project, {child["id"]: 60})
    path, body = f"/v1/people/{child['id']}/consents", {"guardian": guardian["id"]}
    answers = await asyncio.gather(*(api.post(path, body, key="k") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await owner.fetchval("SELECT count(*) FROM scheme.consent") == 1
    assert await api.balance(child["id"]) == (60, 0)
    assert refusal(await api.post(path, {"guardian": child["id"]}, key="k")) == (422, "key_reused")


async def test_only_a_guardian_consents_and_only_for_somebody_under_18(api: Api, owner: asyncpg.Connection) -> None:
    (child, guardian), stranger = await family(api), await api.person("Eve")
    path = f"/v1/people/{child['id']}/consents"
    for wrong in (stranger["id"], str(uuid4())):
        answer = await api.post(path, {"guardian": wrong})
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["guardian"])
    assert refusal(await api.post(f"/v1/people/{uuid4()}/consents", {"guardian": guardian["id"]})) == (404, "not_found")
    await owner.execute("UPDATE scheme.person SET age_band = '18_and_over' WHERE id = $1", UUID(child["id"]))
    answer = await api.post(path, {"guardian": guardian["id"]})
    assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["child"])
    assert await owner.fetchval("SELECT count(*) FROM scheme.consent") == 0


@pytest.mark.parametrize(("age_band", "status"), [("16_to_17", 422), ("18_and_over", 201), (None, 201)])
async def test_a_guardian_who_turns_out_to_be_under_18_cannot_consent(
    api: Api, age_band: str | None, status: int
) -> None:
    child, guardian = await family(api)
    await api.send("PATCH", f"/v1/people/{guardian['id']}", {"age_band": age_band})
    for token in (api.scheme, await api.key("person", person=guardian["id"])):
        answer = await api.post(f"/v1/people/{child['id']}/consents", {"guardian": guardian["id"]}, token)
        assert answer.status_code == status
        if status == 422:
            assert fields(answer) == ["guardian"]


async def test_withdrawn_what_was_awarded_stays_and_later_hours_wait_again(api: Api, owner: asyncpg.Connection) -> None:
    (child, guardian), project = await family(api), await api.project()
    given = await consent(api, child, guardian)
    await api.give(project, {child["id"]: 60}, days_ago=3)
    withdrawn = await api.made(f"/v1/consents/{given['id']}/withdraw")
    assert (withdrawn["id"], withdrawn["state"]) == (given["id"], "withdrawn")
    assert await api.made(f"/v1/consents/{given['id']}/withdraw") == withdrawn
    await api.give(project, {child["id"]: 30}, days_ago=2)
    assert await api.balance(child["id"]) == (60, 0)
    assert (await consent(api, child, guardian))["minutes"] == 30
    assert await api.balance(child["id"]) == (90, 0)
    assert (await topics(owner, child["holder"])).count("consent_withdrawn") == 1
    assert refusal(await api.post(f"/v1/consents/{uuid4()}/withdraw")) == (404, "not_found")


async def test_withdrawing_leaves_no_earlier_consent_of_the_same_guardian_behind(api: Api) -> None:
    (child, guardian), project = await family(api), await api.project()
    await consent(api, child, guardian)
    renewed = await consent(api, child, guardian)
    await api.made(f"/v1/consents/{renewed['id']}/withdraw")
    await api.give(project, {child["id"]: 30})
    assert await api.balance(child["id"]) == (0, 0)


async def test_one_guardians_consent_is_enough(api: Api) -> None:
    (child, guardian), other, project = await family(api), await api.person("Eve"), await api.project()
    await api.made(f"/v1/people/{child['id']}/guardians", {"guardian": other["id"]})
    withdrawn = await consent(api, child, guardian)
    await consent(api, child, other)
    await api.made(f"/v1/consents/{withdrawn['id']}/withdraw")
    await api.give(project, {child["id"]: 30})
    assert await api.balance(child["id"]) == (30, 0)


async def test_who_is_no_guardian_any_more_consents_no_more(api: Api, owner: asyncpg.Connection) -> None:
    (child, guardian), project = await family(api), await api.project()
    key = await api.key("person", person=guardian["id"])
    await consent(api, child, guardian)
    path = f"/v1/people/{child['id']}/guardians/{guardian['id']}/end"
    ended = await api.made(path)
    assert (ended["ended_at"] is None, ended["consent"]["state"]) == (False, "withdrawn")
    assert await api.made(path) == ended
    await api.give(project, {child["id"]: 30})
    assert await api.balance(child["id"]) == (0, 0)
    body = {"guardian": guardian["id"]}
    assert refusal(await api.post(f"/v1/people/{child['id']}/consents", body)) == (422, "wrong_values")
    assert refusal(await api.post(f"/v1/people/{child['id']}/consents", body, key)) == (404, "not_found")
    assert refusal(await api.post(f"/v1/people/{child['id']}/guardians/{uuid4()}/end")) == (404, "not_found")
    assert (await api.made(f"/v1/people/{child['id']}/guardians", body))["ended_at"] is None
    assert (await consent(api, child, guardian))["minutes"] == 30
    verbs = await owner.fetch("SELECT verb FROM scheme.act WHERE holder = $1 ORDER BY at, id", UUID(child["holder"]))
    assert [row["verb"] for row in verbs] == [
        "person_added",
        *("guardian_added", "consent_given", "guardian_ended", "consent_withdrawn", "guardian_added", "consent_given"),
    ]


# --- by the guardian's own key ------------------------------------------------------------------------------


async def test_a_guardian_consents_and_withdraws_by_their_own_key(api: Api) -> None:
    (child, guardian), project = await family(api), await api.project()
    key = await api.key("person", person=guardian["id"])
    await api.give(project, {child["id"]: 60})
    given = await consent(api, child, guardian, token=key)
    assert await api.balance(child["id"]) == (60, 0)
    listed = (await api.get(f"/v1/people/{child['id']}/guardians", key)).json()["guardians"]
    assert [one["consent"]["id"] for one in listed] == [given["id"]]
    assert (await api.made(f"/v1/consents/{given['id']}/withdraw", token=key))["state"] == "withdrawn"


async def test_to_everybody_else_the_child_and_its_consents_are_not_there(api: Api) -> None:
    (child, guardian), (other_child, other) = await family(api), await family(api)
    given = await consent(api, child, guardian)
    path = f"/v1/people/{child['id']}"
    for somebody in (other, other_child, child):
        key = await api.key("person", person=somebody["id"])
        for body in ({"guardian": guardian["id"]}, {"guardian": somebody["id"]}):
            assert refusal(await api.post(f"{path}/consents", body, key)) == (404, "not_found")
        assert refusal(await api.post(f"/v1/consents/{given['id']}/withdraw", token=key)) == (404, "not_found")
        listed = await api.get(f"{path}/guardians", key)
        assert listed.status_code == (200 if somebody is child else 404)
    assert (await newest(api, child))["state"] == "given"


async def test_a_guardian_sees_no_other_guardian(api: Api) -> None:
    (child, guardian), other = await family(api), await api.person("Eve")
    await api.made(f"/v1/people/{child['id']}/guardians", {"guardian": other["id"]})
    path = f"/v1/people/{child['id']}/guardians"
    seen = {}
    for somebody in (guardian, other, child):
        key = await api.key("person", person=somebody["id"])
        seen[somebody["id"]] = [one["name"] for one in (await api.get(path, key)).json()["guardians"]]
    assert seen == {guardian["id"]: ["Dee"], other["id"]: ["Eve"], child["id"]: ["Dee", "Eve"]}


# --- its end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "months", "ends"),
    [
        ("2026-06-01T11:00:00+00:00", 12, "2027-06-01T11:00:00Z"),
        ("2026-03-28T12:00:00+00:00", 1, "2026-04-28T11:00:00Z"),
        ("2026-10-24T23:30:00+00:00", 1, "2026-11-25T00:30:00Z"),
        ("2028-02-29T09:00:00+00:00", 12, "2029-02-28T09:00:00Z"),
        ("2026-08-31T08:00:00+00:00", 6, "2027-02-28T09:00:00Z"),
    ],
    ids=["a year", "into summer time", "into winter time, past midnight", "a leap day", "to a shorter month"],
)
async def test_it_lasts_for_months_of_the_clock_on_the_wall(dsn: str, given: str, months: int, ends: str) -> None:
    async with Api.running(dsn, clock=lambda: datetime.fromisoformat(given)) as api:
        await api.send("PATCH", "/v1/rules", {"consent_months": months})
        child, guardian = await family(api)
        made = await consent(api, child, guardian)
    assert made["ends_at"] == ends


async def test_hours_wait_again_from_its_end_whether_or_not_that_was_noticed(
    dsn: str, database: Database, owner: asyncpg.Connection
) -> None:
    now = NOON
    async with Api.running(dsn, clock=lambda: now) as api:
        await api.send("PATCH", "/v1/rules", {"consent_months": 1})
        (child, guardian), project = await family(api), await api.project()
        given = await consent(api, child, guardian)
        ends = datetime.fromisoformat(given["ends_at"])
        for days_ago, at in ((3, ends - timedelta(seconds=1)), (2, ends), (1, ends + timedelta(days=2))):
            now, started = at, at - timedelta(days=days_ago)
            body = register({child["id"]: 60})
            body |= {"started_at": started.isoformat(), "ended_at": (started + timedelta(hours=2)).isoformat()}
            await api.made(f"/v1/projects/{project}/registers", body)
            assert await api.balance(child["id"]) == (60, 0)
        assert (await newest(api, child))["state"] == "lapsed"
        late = await api.made(f"/v1/consents/{given['id']}/withdraw")
        assert (late["state"], late["withdrawn_at"]) == ("lapsed", None)
        assert (await consent(api, child, guardian))["minutes"] == 120

    assert await lapsed_by(database, ends - timedelta(microseconds=1)) == 0
    assert "consent_lapsed" not in await topics(owner, child["holder"])


async def test_the_end_of_one_is_not_told_while_another_holds(
    dsn: str, database: Database, owner: asyncpg.Connection
) -> None:
    now = NOON
    async with Api.running(dsn, clock=lambda: now) as api:
        child, guardian = await family(api)
        first = await consent(api, child, guardian)
        now += timedelta(days=300)
        second = await consent(api, child, guardian)
    for given, told in ((first, 0), (second, 1)):
        assert await lapsed_by(database, datetime.fromisoformat(given["ends_at"])) == 1
        assert (await topics(owner, child["holder"])).count("consent_lapsed") == told


async def lapsed_by(database: Database, now: datetime) -> int:
    async with database.transaction() as connection:
        return await lapse(driver(connection), now)


@pytest.mark.parametrize(("age_band", "told"), [("under_8", True), ("8_to_15", True), ("16_to_17", False)])
async def test_its_end_is_told_once_and_only_where_it_matters(
    api: Api, database: Database, owner: asyncpg.Connection, age_band: str, *, told: bool
) -> None:
    child, guardian = await family(api)
    withdrawn = await consent(api, child, guardian)
    await api.made(f"/v1/consents/{withdrawn['id']}/withdraw")
    ends = datetime.fromisoformat((await consent(api, child, guardian))["ends_at"])
    await owner.execute("UPDATE scheme.person SET age_band = $2 WHERE id = $1", UUID(child["id"]), age_band)
    assert [await lapsed_by(database, at) for at in (ends, ends, ends + timedelta(days=9))] == [1, 0, 0]
    assert (await topics(owner, child["holder"])).count("consent_lapsed") == told


async def test_lapsing_is_done_in_portions_until_nothing_is_left(
    api: Api, database: Database, owner: asyncpg.Connection
) -> None:
    child, guardian = await family(api)
    await owner.execute(
        "INSERT INTO scheme.consent (id, child, guardian, given_at, given_by, ends_at)"
        " SELECT gen_random_uuid(), $1, $2, $3::timestamptz, $2, $3::timestamptz + interval '1 day'"
        " FROM generate_series(1, $4)",
        UUID(child["id"]),
        UUID(guardian["id"]),
        NOON,
        LAPSES_MAX + 7,
    )
    assert [await lapsed_by(database, NOON + timedelta(days=1)) for _ in range(3)] == [LAPSES_MAX, 7, 0]


# --- no longer a child --------------------------------------------------------------------------------------


async def test_at_16_whatever_waited_is_awarded(api: Api, database: Database, owner: asyncpg.Connection) -> None:
    child, project = await person(api), await api.project()
    holder = UUID(child["holder"])
    await api.give(project, {child["id"]: 60})
    awarded = []
    for age_band in ("8_to_15", "16_to_17", "16_to_17"):
        async with database.transaction() as connection:
            raw = driver(connection)
            await lock_holders(raw, [holder])
            await raw.execute("UPDATE scheme.person SET age_band = $2 WHERE id = $1", UUID(child["id"]), age_band)
            awarded.append([due.minutes for due in await award_waiting(raw, OFFICE, holder, daytime())])
    assert awarded == [[], [60], []]
    assert await api.balance(child["id"]) == (60, 0)
    assert await topics(owner, child["holder"]) == ["award_waits_for_consent", "awarded"]


# --- at the same moment -------------------------------------------------------------------------------------


async def test_an_approval_and_a_consent_at_once_never_miss_each_other(
    api: Api, dsn: str, owner: asyncpg.Connection
) -> None:
    """Two services; in each round registers that approve hours run into a consent, in any order."""
    async with Api.running(dsn, scheme=api.scheme) as other:
        project = await api.project()
        path = f"/v1/projects/{project}/registers"
        waited = set()
        for _ in range(25):
            child, guardian = await family(api)
            posts = [
                (api if days % 2 else other).post(path, register({child["id"]: 15}, days_ago=days))
                for days in range(1, 7)
            ]
            posts.insert(3, other.post(f"/v1/people/{child['id']}/consents", {"guardian": guardian["id"]}))
            answers = await asyncio.gather(*posts)
            assert {answer.status_code for answer in answers} == {201}
            waited.add(answers[3].json()["claims"])
            assert await api.balance(child["id"]) == (90, 0)
    assert len(waited) > 1, "the consent came at different places among the approvals"
    await audit(owner)


async def test_a_consent_holds_for_an_approval_that_asked_the_time_before_it(
    dsn: str, owner: asyncpg.Connection
) -> None:
    """Two services whose clocks are a minute apart: what is committed counts, not what the clocks say."""
    async with Api.running(dsn) as api:
        child, guardian = await family(api)
        project = await api.project()
        slow = lambda: daytime() - timedelta(minutes=1)  # noqa: E731  # a clock in one line
        await consent(api, child, guardian)
        async with Api.running(dsn, scheme=api.scheme, clock=slow) as other:
            await other.give(project, {child["id"]: 30})
        assert await api.balance(child["id"]) == (30, 0)
    await audit(owner)
