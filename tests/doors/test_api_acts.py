"""The audit trail: who did what, in which capacity; and the auditor, who reads it and the books and nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Postgres
from tests.doors.house import Api
from tests.doors.routes import OPEN, ROUTES
from tests.faults.cancelled import READS
from tests.faults.cancelled import ROUTES as CHANGING
from tests.faults.cancelled.house import House

ID = "00000000-0000-4000-8000-000000000000"
AUDITED = {
    "/v1/acts",
    "/v1/entries",
    "/v1/entries/{entry}",
    "/v1/entries/{entry}/receipt",
    "/v1/trial-balance",
}


@pytest.fixture
async def auditor(api: Api) -> str:
    person = (await api.person("Olu"))["id"]
    await api.made("/v1/roles", {"person": person, "role": "auditor"})
    return await api.key("auditor", person=person)


async def trail(api: Api, token: str | None = None, **wanted: object) -> list[dict[str, Any]]:
    answer = await api.get("/v1/acts", token, **wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["acts"]
    return found


async def test_an_auditor_is_let_in_nowhere_but_to_the_books_and_the_trail(api: Api, auditor: str) -> None:
    for (method, path), scopes in ROUTES.items():
        if scopes == OPEN:
            continue
        address = "/".join(ID if part.startswith("{") else part for part in path.split("/"))
        answer = await api.send(method, address, None if method == "GET" else {}, auditor)
        let_in = method == "GET" and path in AUDITED
        assert (answer.status_code != 403) == let_in, (method, path, answer.text)
        assert ("auditor" in scopes) == let_in, (method, path)


async def test_an_auditor_reads_the_books_and_no_name(api: Api, auditor: str) -> None:
    ann, project = await api.person("Annabelle"), await api.project("The hidden valley")
    await api.give(project, {ann["id"]: 60})
    assert (await api.get(f"/v1/people/{ann['id']}/copy")).status_code == 200
    [entry] = (await api.get("/v1/entries", auditor)).json()["entries"]
    for path in ("/v1/entries", f"/v1/entries/{entry['id']}", "/v1/trial-balance", "/v1/acts"):
        answer = await api.get(path, auditor)
        assert answer.status_code == 200, path
        assert not {"Annabelle", "valley", "Olu"} & set(answer.text.replace('"', " ").split()), path


async def test_the_trail_tells_who_did_what_as_what_newest_first(api: Api, auditor: str) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance"]})
    bobs = await api.key("person", person=bob["id"])
    assert (await api.get(f"/v1/people/{ann['id']}/balance", bobs)).status_code == 200
    found = [act for act in await trail(api, auditor) if act["holder"] == ann["holder"]]
    assert [(act["verb"], act["scope"], act["person"]) for act in found] == [
        ("balance_read", "person", bob["id"]),
        ("helper_added", "scheme", None),
        ("person_added", "scheme", None),
    ]
    assert found[0]["by"] == bob["holder"]
    assert await trail(api) == await trail(api, auditor)


async def test_it_is_sifted_by_who_about_whom_what_and_since_when(api: Api) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    anns = await api.key("scheme", person=ann["id"])
    await api.made("/v1/projects", {"name": "Choir", "alias": "Tuesdays"}, token=anns)
    assert (await api.send("PATCH", f"/v1/people/{bob['id']}", {"name": "Rob"}, anns)).status_code == 200
    whole = await trail(api)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for wanted, name in (
        ({"by": ann["holder"]}, "by"),
        ({"holder": bob["holder"]}, "holder"),
        ({"verb": "person_changed"}, "verb"),
        ({"by": ann["holder"], "holder": bob["holder"], "verb": "person_changed", "since": "2026-01-01"}, "verb"),
    ):
        expected = [act for act in whole if all(act[key] == value for key, value in wanted.items() if key != "since")]
        assert 0 < len(expected) < len(whole), name
        assert await trail(api, **wanted) == expected
    assert await trail(api, since="2099-01-01") == []
    assert await trail(api, since="2026-01-01") == whole
    for wrong in ({"since": "2026-02-30"}, {"since": today + "T00:00"}, {"verb": "Looked"}, {"by": "Ann"}):
        assert (await api.get("/v1/acts", **wrong)).status_code == 400


async def test_it_is_read_in_pages_by_cursors_of_its_own(api: Api) -> None:
    for number in range(5):
        await api.project(f"Project {number}")
    whole = await trail(api)
    seen: list[dict[str, Any]] = []
    page = (await api.get("/v1/acts", limit=2)).json()
    cursor = page["next"]
    while True:
        seen += page["acts"]
        if page["next"] is None:
            break
        page = (await api.get("/v1/acts", limit=2, cursor=page["next"])).json()
    assert seen == whole
    assert (await api.get("/v1/acts", verb="project_added", cursor=cursor)).status_code == 400


# --- who volunteers at a sensitive project ----------------------------------------------------------------------


async def test_whoever_reads_names_at_a_sensitive_project_leaves_an_act(api: Api) -> None:
    """And nobody who reads them elsewhere, or their own hours."""
    told = {"name": "The long table", "alias": "Tuesdays", "sensitive": True}
    quiet, plain = (await api.made("/v1/projects", told))["id"], await api.project()
    reads = 0
    for project, recorded in ((quiet, True), (plain, False)):
        ann, chair = (await api.person("Ann"))["id"], await api.person("Dee")
        coordinator = await api.key("project", project, person=chair["id"])
        given = await api.give(project, {ann: 60})
        [claim] = given["claims"]
        for path in (
            f"/v1/sessions/{given['id']}/attendances",
            f"/v1/projects/{project}/claims?state=approved",
            f"/v1/projects/{project}/claims",
            f"/v1/claims/{claim}",
            f"/v1/people/{ann}/claims",
            f"/v1/people/{ann}",
        ):
            assert (await api.get(path, coordinator)).status_code == 200, path
            reads += recorded
            found = await trail(api, verb="people_of_sensitive_project")
            assert len(found) == reads, path
            assert {(act["by"], act["scope"], act["object"]) for act in found if recorded} <= {
                (chair["holder"], "project", project)
            }
        own = await api.key("person", person=ann)
        for path in (f"/v1/claims/{claim}", f"/v1/people/{ann}/claims"):
            assert (await api.get(path, own)).status_code == 200, path
    assert len(await trail(api, verb="people_of_sensitive_project")) == reads == 6
    assert (await api.get(f"/v1/sessions/{ID}/attendances")).status_code == 404
    assert (await api.get(f"/v1/projects/{quiet}/claims")).status_code == 200
    assert (await trail(api, verb="people_of_sensitive_project"))[0]["scope"] == "scheme"


async def test_staff_say_that_a_project_is_sensitive(api: Api) -> None:
    project = await api.project()
    for sensitive in (True, False):
        changed = await api.send("PATCH", f"/v1/projects/{project}", {"sensitive": sensitive})
        assert (changed.status_code, changed.json()["sensitive"]) == (200, sensitive)
        assert (await api.get(f"/v1/projects/{project}")).json() == changed.json()
    again = await api.send("PATCH", f"/v1/projects/{project}", {"sensitive": False})
    assert again.json() == (await api.get(f"/v1/projects/{project}")).json()
    assert len(await trail(api, verb="project_changed")) == 2
    own = await api.key("project", project)
    assert (await api.send("PATCH", f"/v1/projects/{project}", {"sensitive": True}, own)).status_code == 403


# --- every change by staff is in it -----------------------------------------------------------------------------

# The batcher writes what is done at a till, in transactions of its own; each entry tells its actor.
IN_THE_JOURNAL = {
    ("POST", "/v1/redemptions"),
    ("POST", "/v1/redemptions/{redemption}/capture"),
    ("POST", "/v1/redemptions/{redemption}/void"),
    ("POST", "/v1/redemptions/{redemption}/refund"),
}
BY_STAFF = sorted(
    route
    for route, scopes in ROUTES.items()
    if "scheme" in scopes and route[0] != "GET" and route not in IN_THE_JOURNAL | READS
)


@pytest.fixture(scope="module")
async def house(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    name = await postgres.create()
    try:
        async with House.open(postgres.dsn(name), tmp_path_factory.mktemp("house")) as house:
            yield house
    finally:
        await postgres.drop(name)


@pytest.mark.parametrize("route", BY_STAFF, ids=" ".join)
async def test_whatever_staff_change_is_written_down(house: House, route: tuple[str, str]) -> None:
    asked = await CHANGING[route](house)
    before: UUID | None = await house.owner.fetchval("SELECT max(id::text)::uuid FROM scheme.act")
    answer = await house.api.client.request(
        route[0],
        asked.path,
        json=asked.body,
        headers={"authorization": f"Bearer {house.api.scheme}", "idempotency-key": f"acts-{house.number()}"},
    )
    assert answer.status_code in {200, 201, 204}, answer.text
    acts = await house.owner.fetch("SELECT scope FROM scheme.act WHERE $1::uuid IS NULL OR id > $1", before)
    assert {row["scope"] for row in acts} == {"scheme"}, "nobody is told that staff did it"
