"""The audit trail: who did what, in which capacity; and the auditor, who reads it and the books and nothing else."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import pytest

from ledger.scheme.callers import SCHEME
from tests.conftest import Postgres
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.routes import OPEN, ROUTES
from tests.doors.watched import NAMES, Watched
from tests.faults.cancelled import READS
from tests.faults.cancelled import ROUTES as CHANGING
from tests.faults.cancelled.house import House, Request

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
    today = f"{daytime():%Y-%m-%d}"
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


# --- whoever looks at somebody --------------------------------------------------------------------------------

# Routes that tell something of one person, by what stands in their addresses; and lists in which people stand.
OF_A_PERSON = {"person", "child", "claim", "booking", "gift", "credential", "redemption", "entry"}
OF_MANY = {
    "/v1/people",
    "/v1/acts",
    "/v1/entries",
    "/v1/projects/{project}/claims",
    "/v1/sessions/{session}/attendances",
    "/v1/venues/{venue}/bookings",
}
# What staff leave who call it, and what a helper does who may everything; None is who isn't let in.
LOOKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
    "/v1/people/{person}": (("contact_read",), None),
    "/v1/people/{person}/balance": ((), ("balance_read",)),
    "/v1/people/{person}/statement": (("statement_read", NAMES), ("statement_read", NAMES)),
    "/v1/people/{person}/endings": ((), ("endings_read",)),
    "/v1/people/{person}/claims": (("claims_read", NAMES), ("claims_read", NAMES)),
    "/v1/claims/{claim}": (("claims_read", NAMES), ("claims_read", NAMES)),
    "/v1/people/{person}/bookings": (("bookings_read",), ("bookings_read",)),
    "/v1/bookings/{booking}": (("bookings_read",), ("bookings_read",)),
    "/v1/people/{person}/gifts": (("gifts_read",), None),
    "/v1/gifts/{gift}": (("gifts_read", "gifts_read"), None),
    "/v1/people/{person}/eligibility": (("eligibility_read",), None),
    "/v1/people/{person}/copy": (("copy_read", NAMES), None),
    "/v1/credentials/{credential}/code": (("card_code_read",), None),
    "/v1/projects/{project}/claims": ((NAMES,), None),
    "/v1/sessions/{session}/attendances": ((NAMES,), None),
}
# What leaves none, whoever looks, and because of what.
NO_ACT = {
    "/v1/people": "a list of names tells nothing of what they do",
    "/v1/people/{person}/acts": "it is the trail itself",
    "/v1/acts": "it is the trail itself",
    "/v1/people/{person}/preferences": "how somebody likes to be spoken to",
    "/v1/people/{person}/helpers": "who may act for them, which the office keeps; a helper sees their own link",
    "/v1/people/{child}/guardians": "who answers for them, which the office keeps",
    "/v1/people/{person}/credentials": "which cards there are, without codes",
    "/v1/people/{person}/roles": "what they do for the scheme, which the office gave them",
    "/v1/entries": "by number",
    "/v1/entries/{entry}": "by number",
    "/v1/entries/{entry}/receipt": "by number",
    "/v1/redemptions/{redemption}": "by number: whose it is isn't told",
    "/v1/venues/{venue}/bookings": "a venue's own day, by first names",
}
# Only people themselves and their helpers call it.
HELPERS_ONLY = {"/v1/people/{person}/pass": ("pass_shown",)}


def test_every_route_that_tells_something_of_a_person_is_in_a_table() -> None:
    told = {
        path
        for (method, path), scopes in ROUTES.items()
        if method == "GET" and scopes & {"scheme", "person"}
        if path in OF_MANY or OF_A_PERSON & {part.strip("{}") for part in path.split("/")}
    }
    assert told == {*LOOKS, *NO_ACT, *HELPERS_ONLY}
    assert len(LOOKS) + len(NO_ACT) + len(HELPERS_ONLY) == len(told), "one is in two tables"


async def test_whoever_looks_at_somebody_leaves_what_the_tables_say(api: Api, owner: asyncpg.Connection) -> None:
    watched = await Watched.among(api, owner)
    await api.made(f"/v1/people/{watched.ids['person']}/pass", token=watched.helper_key)
    faults = []
    for path in sorted({*LOOKS, *NO_ACT, *HELPERS_ONLY}):
        by_staff, by_helper = LOOKS.get(path, (None, HELPERS_ONLY.get(path)))
        address = path.format(**watched.ids)
        for who, token, verbs in (("staff", api.scheme, by_staff), ("a helper", watched.helper_key, by_helper)):
            answer, written = await watched.left_by(api.get(address, token))
            told = f"{path} by {who}: {answer.status_code}, {[act.verb for act in written]}"
            is_list = path in OF_MANY
            if path in NO_ACT or verbs is None:
                right = not written and (path in NO_ACT or answer.status_code in {403, 404})
            elif is_list or path == "/v1/gifts/{gift}":
                right = answer.status_code == 200 and [act.verb for act in written] == list(verbs)
            else:
                right = answer.status_code == 200 and watched.about_her(written, verbs)
            capacities = {("scheme", act.scope) if who == "staff" else (act.by, act.scope) for act in written}
            right = right and capacities <= {("scheme", "scheme"), (watched.helper_holder, "person")}
            faults += [] if right else [told]
    assert not faults, "\n" + "\n".join(faults)


async def test_people_who_look_at_their_own_leave_none(api: Api, owner: asyncpg.Connection) -> None:
    watched = await Watched.among(api, owner)
    own = await api.key("person", person=watched.ids["person"])
    await api.made(f"/v1/people/{watched.ids['person']}/pass", token=own)
    for path in {*LOOKS, *NO_ACT, *HELPERS_ONLY} - OF_MANY - {"/v1/credentials/{credential}/code"}:
        _, written = await watched.left_by(api.get(path.format(**watched.ids), own))
        assert not written, path


# --- every change by staff and by a helper is in it -------------------------------------------------------------

BY_STAFF = sorted(
    route for route, scopes in ROUTES.items() if "scheme" in scopes and route[0] != "GET" and route not in READS
)
BY_PEOPLE = sorted(
    route for route, scopes in ROUTES.items() if "person" in scopes and route[0] != "GET" and route not in READS
)
# What a helper may do who may everything; the rest isn't theirs, and changes nothing.
HELPS = {
    ("POST", "/v1/claims"),
    ("PATCH", "/v1/claims/{claim}"),
    ("POST", "/v1/claims/{claim}/submit"),
    ("POST", "/v1/claims/{claim}/withdraw"),
    ("POST", "/v1/vouchers/claims"),
    ("POST", "/v1/bookings"),
    ("POST", "/v1/bookings/{booking}/change"),
    ("POST", "/v1/bookings/{booking}/cancel"),
    ("POST", "/v1/sessions/{session}/attendances"),
    ("DELETE", "/v1/sessions/{session}/attendances/{person}"),
    ("POST", "/v1/people/{person}/reinstatements"),
    ("POST", "/v1/people/{person}/pass"),
    ("POST", "/v1/credentials/{credential}/block"),
}
HELPS_EVERYBODY = """
INSERT INTO scheme.helping (id, helped, helper, may, began_at, began_by)
SELECT gen_random_uuid(), p.id, $1, '{balance,claim,book}', now(), p.id FROM scheme.person p
WHERE p.id <> $1 AND NOT EXISTS (SELECT FROM scheme.helping l WHERE l.helped = p.id AND l.helper = $1)
"""


@pytest.fixture(scope="module")
async def house(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    name = await postgres.create()
    try:
        async with House.open(postgres.dsn(name), tmp_path_factory.mktemp("house")) as house:
            yield house
    finally:
        await postgres.drop(name)


class Left(NamedTuple):
    """What a request left: its answer, the acts as what and by whom, and who stands as actor in the journal."""

    answer: httpx.Response
    acts: set[tuple[str, str]]
    actors: set[str]


async def left_by(house: House, route: tuple[str, str], asked: Request, token: str) -> Left:
    """Ask for it by that key."""
    act: UUID | None = await house.owner.fetchval("SELECT max(id::text)::uuid FROM scheme.act")
    position: int = await house.owner.fetchval("SELECT coalesce(max(position), 0) FROM journal.entry")
    headers = {"authorization": f"Bearer {token}", "idempotency-key": f"acts-{house.number()}"}
    answer = await house.api.client.request(route[0], asked.path, json=asked.body, headers=headers)
    acts = await house.owner.fetch("SELECT scope, by::text FROM scheme.act WHERE id > $1", act)
    actors = await house.owner.fetch("SELECT actor::text FROM journal.entry WHERE position > $1", position)
    return Left(answer, {(row["scope"], row["by"]) for row in acts}, {row["actor"] for row in actors})


@pytest.mark.parametrize("route", BY_STAFF, ids=" ".join)
async def test_whatever_staff_change_is_written_down(house: House, route: tuple[str, str]) -> None:
    """By whom, whatever key or sign-in they did it with: in the trail, and in the journal if credits moved."""
    sam = await house.person(name="Sam")
    token = await house.api.key("scheme", person=sam["id"])
    left = await left_by(house, route, await CHANGING[route](house), token)

    assert left.answer.status_code in {200, 201, 204}, left.answer.text
    assert left.acts == {("scheme", sam["holder"])}, "nobody is told that staff did it"
    assert left.actors <= {sam["holder"], str(SCHEME)}


@pytest.mark.parametrize("route", BY_PEOPLE, ids=" ".join)
async def test_whatever_a_helper_does_is_written_down(house: House, route: tuple[str, str]) -> None:
    bob = await house.person(name="Bob")
    token = await house.api.key("person", person=bob["id"])
    asked = await CHANGING[route](house)
    await house.owner.execute(HELPS_EVERYBODY, UUID(bob["id"]))
    left = await left_by(house, route, asked, token)

    if route in HELPS:
        assert left.answer.status_code in {200, 201, 204}, left.answer.text
        assert left.acts == {("person", bob["holder"])}
        assert left.actors <= {bob["holder"], str(SCHEME)}
    else:
        assert left.answer.status_code in {403, 404}, left.answer.text
        assert not left.acts
