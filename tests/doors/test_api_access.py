"""Who may do what: every route, every scope."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import pytest

from ledger.scheme.callers import OPERATOR, Scope
from ledger.scheme.codes import code_for
from ledger.scheme.helping import May
from ledger.scheme.roles import OF_PROJECT, Grant, Role
from tests.doors.contract.service import NOW
from tests.doors.house import Api, sign, written
from tests.doors.routes import BESIDES, OPEN, ROUTES

ID = "00000000-0000-4000-8000-000000000000"
NOBODYS = code_for(b"another scheme's", "card", UUID(int=1))


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    """The service on the day after that of the document's examples, some of which are sent as they stand there."""
    async with Api.running(dsn, clock=lambda: NOW) as running:
        yield running


def addresses() -> Iterator[tuple[str, str, set[str]]]:
    """Those that take a key."""
    for (method, path), scopes in ROUTES.items():
        if scopes != OPEN:
            yield method, "/".join(ID if part.startswith("{") else part for part in path.split("/")), scopes


async def test_every_route_is_documented_and_listed_here(api: Api) -> None:
    document = (await api.client.get("/docs/openapi.json")).json()
    found = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/")
    }
    assert found.keys() == ROUTES.keys()
    for route, scopes in ROUTES.items():
        assert found[route]["summary"], route
        if scopes == OPEN:
            assert found[route]["security"] == [{}], route
        else:
            assert {"401", "403"} <= found[route]["responses"].keys(), route
            assert "security" not in found[route], route


async def test_besides_those_only_what_is_anybodys_is_answered(api: Api) -> None:
    found: set[str] = set()

    async def learning(scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        await api.application(scope, receive, send)
        found.update(route.path for route in scope["litestar_app"].routes)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(learning), base_url="http://localhost") as client:
        await client.get("/health/live")
    assert {path for path in found if not path.startswith("/v1/")} == BESIDES.keys()


async def test_nobody_gets_401_everywhere_and_before_their_body_is_read(api: Api) -> None:
    for method, path, _ in addresses():
        for headers in (
            {},
            {"authorization": "Bearer "},
            {"authorization": "Basic eDp5"},
            {"authorization": f"Bearer {api.scheme[:-1]}{'X' if api.scheme[-1] != 'X' else 'Y'}"},
            {"authorization": f"Bearer {api.scheme.replace('tc_test_', 'tc_live_')}"},
            {"authorization": "Bearer \u00e9".encode()},
        ):
            answer = await api.client.request(method, path, headers=headers)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_another_scope_gets_403_everywhere(api: Api) -> None:
    tokens = {
        "scheme": api.scheme,
        "project": await api.key("project", await api.project()),
        "venue": await api.key("venue", await api.venue()),
        "person": await api.key("person", person=(await api.person())["id"]),
        "auditor": await api.key("auditor", person=(await api.person())["id"]),
    }
    body = {"offer": ID, "code": NOBODYS}
    for method, path, scopes in addresses():
        for scope in tokens.keys() - scopes:
            if method == "GET":
                answer = await api.get(path, tokens[scope])
            else:
                answer = await api.send(method, path, body if path == "/v1/redemptions" else None, tokens[scope])
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path, scope)


class Strangers(NamedTuple):
    """What is somebody else's, by the names that addresses have for it; and the keys of those whose it is, by scope."""

    ids: dict[str, str]
    keys: dict[str, str]


async def strangers(api: Api) -> Strangers:
    """A child with a guardian and a helper, who gave hours to a project and went for a swim."""
    project, venue, group = await api.project(), await api.venue(), await api.made("/v1/groups", {"name": "Choir"})
    child, dee = await api.made("/v1/people", {"name": "Cat", "age_band": "8_to_15"}), await api.person("Dee")
    person = child["id"]
    await api.made(f"/v1/people/{person}/guardians", {"guardian": dee["id"]})
    consent = await api.made(f"/v1/people/{person}/consents", {"guardian": dee["id"]})
    helper = await api.made(f"/v1/people/{person}/helpers", {"helper": dee["id"], "may": ["balance"]})
    draft = {"title": "Soup kitchen", "kind": "weekly"}
    opportunity = await api.made(f"/v1/projects/{project}/opportunities", draft)
    starts = NOW + timedelta(days=1)
    times = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat()}
    planned = await api.made(f"/v1/projects/{project}/sessions", {**times, "opportunity": opportunity["id"]})
    session = planned["sessions"][0]["id"]
    await api.made(f"/v1/sessions/{session}/attendances", {"person": person})
    given = await api.give(project, {person: 120})
    offer, till = await api.offer(venue), await api.key("venue", venue)
    # A project reads the codes of the cards that it issued, and of no others.
    coordinator = await api.key("project", project)
    await api.made(f"/v1/people/{person}/cards", {}, token=coordinator)
    redemption = await api.made("/v1/redemptions", await api.visit(offer, person), token=till)
    booking = await api.made("/v1/bookings", {"person": person, "offer": offer, "visit_at": starts.isoformat()})
    ids = {"project": project, "venue": venue, "offer": offer, "person": person, "child": person, "session": session}
    ids |= {"group": group["id"], "guardian": dee["id"], "helper": helper["id"], "consent": consent["id"]}
    ids |= {"opportunity": opportunity["id"], "claim": given["claims"][0], "redemption": redemption["id"]}
    ids |= {"booking": booking["id"], "entry": given["claims"][0]}
    ids["device"] = (await api.made(f"/v1/projects/{project}/devices", {"name": "the tablet"}))["device"]["id"]
    await api.give(project, {dee["id"]: 120})
    gift = await api.made(f"/v1/people/{dee['id']}/gifts", {"receiver": person, "minutes": 15})
    for keyholder in (person, dee["id"]):
        await api.send("PUT", f"/v1/groups/{group['id']}/members/{keyholder}", {"keyholder": True})
    await api.made(f"/v1/groups/{group['id']}/pot/gifts", {"giver": dee["id"], "minutes": 60})
    await api.send("PATCH", "/v1/rules", {"pot_both_above_minutes": 15})
    visit = {"keyholder": dee["id"], "person": person, "offer": offer, "visit_at": starts.isoformat()}
    spend = await api.made(f"/v1/groups/{group['id']}/pot/spends", visit)
    ids |= {"gift": gift["id"], "spend": spend["spend"]}
    keys = {
        "project": coordinator,
        "venue": till,
        "person": await api.key("person", person=person),
        "guardian": await api.key("person", person=dee["id"]),
    }
    await api.made(f"/v1/people/{person}/pass", token=keys["person"])
    found = (await api.get(f"/v1/people/{person}/credentials")).json()["credentials"]
    ids["credential"] = next(each["id"] for each in found if each["kind"] == "card")
    # An active venue and what it has published are there for everybody.
    await api.made(f"/v1/venues/{venue}/suspend")
    return Strangers(ids, keys)


class Door(NamedTuple):
    """A route with an id in its address, a scope that may use it, and an example of what is sent there."""

    method: str
    path: str
    scope: str
    body: dict[str, Any] | None

    def at(self, ids: Mapping[str, str]) -> str:
        """Its address, of these objects."""
        return self.path.format_map(ids)


async def doors(api: Api) -> list[Door]:
    """Those at something, or for somebody, of all scopes but the scheme's own, to which nothing is somebody else's."""
    document = (await api.client.get("/docs/openapi.json")).json()
    found = []
    for (method, path), scopes in ROUTES.items():
        body, is_for = None, False
        if (content := document["paths"][path][method.lower()].get("requestBody")) is not None:
            name = content["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            [body] = schema["examples"]
            # A slip's code is good in the hand of whoever has it.
            is_for = "person" in schema["properties"] and "code" not in schema["properties"]
        if "{" not in path and is_for:
            body = {**(body or {}), "person": ID}
        if "{" in path or is_for:
            found += [Door(method, path, scope, body) for scope in sorted(scopes - {"auditor", "scheme"})]
    return found


async def test_another_ones_object_is_not_there_on_any_route(api: Api, owner: asyncpg.Connection) -> None:
    theirs = (await strangers(api)).ids
    nobodys = dict.fromkeys(theirs, ID)
    bob = (await api.person("Bob"))["id"]
    keys = {
        "person": await api.key("person", person=bob),
        "project": await api.key("project", await api.project(), person=bob),
        "venue": await api.key("venue", await api.venue()),
    }
    before = await written(owner)
    for door in await doors(api):
        # Whom they would speak for, if they could: themselves.
        own = dict.fromkeys({"person", "guardian", "helper", "keyholder"} & (door.body or {}).keys(), bob)
        answers: list[dict[str, Any]] = []
        for ids in (theirs, nobodys):
            answer = await api.client.request(
                door.method,
                door.at(ids),
                headers={"authorization": f"Bearer {keys[door.scope]}", "idempotency-key": f"{len(answers)}"},
                json=door.body and {**door.body, **own},
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (door, answer.text)
            answers.append({name: value for name, value in answer.json().items() if name != "request_id"})
        assert answers[0] == answers[1], f"{door} tells what is there from what isn't"
    assert await written(owner) == before


# What is a draft is shown by this; after these there is less left, so they come last, in this order.
FIRST = ("publish",)
LAST = (
    "DELETE",
    "take-back",
    "no-show",
    "cancel",
    "withdraw",
    "reject",
    "pause",
    "end",
    "replace",
    "revoke",
    "erasure",
)


# What in an address is the guardian's to do: for their child, or with the gift that they gave.
GUARDIANS = {"child", "consent", "take_back"}
# Done by another scope a moment ago, and gone since.
GONE = {("DELETE", "/v1/sessions/{session}/attendances/{person}", "project")}


def turn(door: Door) -> int:
    """When it is tried, so that what it is about is there."""
    said = {door.method, door.path.rpartition("/")[2]}
    return -1 if said & {*FIRST} else next((at for at, word in enumerate(LAST, 1) if word in said), 0)


# Who stands beside somebody, by a key of their own, and what of that one's is there for them: nothing else is. A role
# opens nothing by it, nor has every role a key of its own: an approver approves on pages (`test_access` has which).
_HELPING: Final = ("GET", "/v1/people/{person}/helpers")
BESIDE: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "balance": frozenset(
        {_HELPING, *(("GET", f"/v1/people/{{person}}/{it}") for it in ("balance", "statement", "endings"))}
    ),
    "claim": frozenset(
        {
            _HELPING,
            ("POST", "/v1/claims"),
            ("POST", "/v1/claims/check"),
            ("GET", "/v1/people/{person}/claims"),
            ("GET", "/v1/claims/{claim}"),
            ("PATCH", "/v1/claims/{claim}"),
            ("POST", "/v1/claims/{claim}/submit"),
            ("POST", "/v1/claims/{claim}/withdraw"),
        }
    ),
    "book": frozenset(
        {
            _HELPING,
            ("POST", "/v1/bookings"),
            ("GET", "/v1/people/{person}/bookings"),
            ("GET", "/v1/bookings/{booking}"),
            ("POST", "/v1/bookings/{booking}/change"),
            ("POST", "/v1/bookings/{booking}/cancel"),
            ("POST", "/v1/sessions/{session}/attendances"),
            ("DELETE", "/v1/sessions/{session}/attendances/{person}"),
            ("GET", "/v1/people/{person}/credentials"),
            ("GET", "/v1/people/{person}/pass"),
            ("POST", "/v1/people/{person}/pass"),
            ("POST", "/v1/credentials/{credential}/block"),
            ("POST", "/v1/people/{person}/reinstatements"),
        }
    ),
    "former helper": frozenset(),
    # Another's consent is that one's to withdraw.
    "guardian": frozenset({("GET", "/v1/people/{child}/guardians"), ("POST", "/v1/people/{child}/consents")}),
    **dict.fromkeys(Role, frozenset()),
}
# Published, and so there for everybody.
PUBLISHED: Final = {("GET", "/v1/opportunities/{opportunity}"), ("GET", "/v1/opportunities/{opportunity}/sessions")}


async def test_who_stands_beside_somebody_may_what_they_were_let_and_nothing_else(
    api: Api, owner: asyncpg.Connection
) -> None:
    theirs = (await strangers(api)).ids
    await api.made(f"/v1/opportunities/{theirs['opportunity']}/publish")
    beside = {who: await standing(api, who, theirs) for who in BESIDE}
    sent = itertools.count()

    async def asked(who: str, door: Door, ids: Mapping[str, str]) -> httpx.Response:
        own, key = beside[who]
        known = {**ids, "guardian": own, "helper": own, "keyholder": own}
        return await api.client.request(
            door.method,
            door.at(ids),
            headers={"authorization": f"Bearer {key}", "idempotency-key": f"beside-{next(sent)}"},
            json=door.body and {name: known.get(name, value) for name, value in door.body.items()},
        )

    found = [door for door in await doors(api) if door.scope == "person" and door[:2] not in PUBLISHED]
    assert {door[:2] for door in found} >= {route for routes in BESIDE.values() for route in routes}
    nobodys = {**dict.fromkeys(theirs, ID), **{name: theirs[name] for name in ("offer", "project")}}
    before = await written(owner)
    for who, opened in BESIDE.items():
        for door in found:
            if door[:2] not in opened:
                answers = [await asked(who, door, ids) for ids in (theirs, nobodys)]
                assert [answer.status_code for answer in answers] == [404] * 2, (who, door[:2])
                told = [(answer.json()["code"], answer.json()["detail"]) for answer in answers]
                assert told == [("not_found", told[0][1])] * 2, (who, door[:2])
    assert await written(owner) == before
    done = 0
    for who, opened in BESIDE.items():
        for door in sorted((door for door in found if door[:2] in opened), key=turn):
            answer = await asked(who, door, theirs)
            assert answer.is_success or answer.status_code == 409, (who, door[:2], answer.text)
            done += answer.is_success
    assert done >= 18


async def standing(api: Api, who: str, theirs: Mapping[str, str]) -> tuple[str, str]:
    """Somebody who stands beside them as that, and a person's key of theirs."""
    other, path = (await api.person(who))["id"], f"/v1/people/{theirs['person']}"
    if who == "guardian":
        await api.made(f"{path}/guardians", {"guardian": other})
    elif who in set(Role):
        role = Role(who)
        project = UUID(theirs["project"]) if role in OF_PROJECT else None
        venue = UUID(theirs["venue"]) if role is Role.MANAGER else None
        await api.roles.grant(OPERATOR, who, Grant(person=UUID(other), role=role, project=project, venue=venue))
    else:
        former = who == "former helper"
        made = await api.made(f"{path}/helpers", {"helper": other, "may": [*May] if former else [who]})
        if former:
            await api.made(f"/v1/helpers/{made['id']}/end")
    return other, await api.key("person", person=other)


async def test_to_whom_it_belongs_it_is_there_on_each_of_these_routes(api: Api, dsn: str) -> None:
    ids, keys = await strangers(api)
    await sign(dsn)  # without which no entry has a receipt yet
    found = await doors(api)
    reads = [door for door in found if door.method == "GET"]
    assert len(reads) >= 20
    for door in reads:
        # A draft is its project's alone, and a suspended venue, with what it offers, its own.
        if "{opportunity}" in door.path and door.scope != "project":
            continue
        if ("{venue}" in door.path or "{offer}" in door.path) and door.scope != "venue":
            continue
        answer = await api.get(door.at(ids), keys[door.scope])
        assert answer.status_code == 200, (door, answer.text)
    ids |= {"receiver": ids["guardian"], "giver": ids["person"], "keyholder": ids["person"]}
    done = 0
    for number, door in enumerate(sorted((each for each in found if each.method != "GET"), key=turn)):
        whose = "guardian" if GUARDIANS & {*re.findall(r"\w+", door.path.replace("-", "_"))} else door.scope
        answer = await api.client.request(
            door.method,
            door.at(ids),
            headers={"authorization": f"Bearer {keys[whose]}", "idempotency-key": f"own-{number}"},
            json=door.body and {name: ids.get(name, value) for name, value in door.body.items()},
        )
        # What can't be done in this order says why, and not that it isn't there, or isn't theirs to do.
        assert answer.is_success or answer.status_code in {409, 422} or door[:3] in GONE, (door, answer.text)
        done += answer.is_success
    assert done >= 30


async def test_a_revoked_key_stops_at_once_in_every_process(api: Api, dsn: str) -> None:
    venue = await api.venue()
    made = await api.made("/v1/keys", {"scope": "venue", "object": venue, "label": "a till"})
    offer, ann = await api.offer(venue), await api.person()
    body = await api.visit(offer, ann["id"])
    async with Api.running(dsn, scheme=api.scheme) as other:
        for service in (api, other):
            assert (await service.get(f"/v1/offers/{offer}", made["token"])).status_code == 200
            assert (await service.post("/v1/redemptions", body, made["token"])).status_code == 409
        revoked = await api.made(f"/v1/keys/{made['id']}/revoke")
        assert revoked["revoked_at"]
        for service in (other, api):
            assert (await service.post("/v1/redemptions", body, made["token"])).status_code == 401
            assert (await service.get(f"/v1/offers/{offer}", made["token"])).status_code == 401
        assert await api.made(f"/v1/keys/{made['id']}/revoke") == revoked


async def test_a_key_ends_when_it_expires(dsn: str) -> None:
    now = NOW
    async with Api.running(dsn, clock=lambda: now) as api:
        ends = (now + timedelta(days=1)).isoformat()
        body = {"scope": "scheme", "label": "for a day", "expires_at": ends}
        token = (await api.made("/v1/keys", body))["token"]
        assert (await api.get("/v1/trial-balance", token)).status_code == 200
        now += timedelta(days=1)
        assert (await api.get("/v1/trial-balance", token)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "object_", "field"),
    [
        (Scope.SCHEME, ID, "object"),
        (Scope.VENUE, None, "object"),
        (Scope.VENUE, ID, "object"),
        (Scope.PROJECT, ID, "object"),
    ],
)
async def test_a_key_names_what_it_is_for(api: Api, scope: str, object_: str | None, field: str) -> None:
    answer = await api.post("/v1/keys", {"scope": scope, "object": object_, "label": "x"})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, field)


async def test_no_secret_is_stored_or_told_again(api: Api) -> None:
    made = await api.made("/v1/keys", {"scope": "scheme", "label": "x"})
    assert made["token"].startswith("tc_test_")
    assert "token" not in await api.made(f"/v1/keys/{made['id']}/revoke")


async def test_what_an_offer_may_become(api: Api) -> None:
    offer = await api.offer(await api.venue())
    await api.made(f"/v1/offers/{offer}/publish")  # again: nothing changes
    await api.made(f"/v1/offers/{offer}/pause")
    await api.made(f"/v1/offers/{offer}/end")
    answer = await api.post(f"/v1/offers/{offer}/publish")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


async def test_the_feed_in_order_without_gaps(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    for days in (1, 2, 3):
        await api.give(project, {ann["id"]: 60}, days_ago=days)
    first = (await api.get("/v1/entries", limit=2)).json()["entries"]
    rest = (await api.get("/v1/entries", after=2)).json()["entries"]
    assert [entry["position"] for entry in first + rest] == [1, 2, 3]
    assert (await api.get(f"/v1/entries/{rest[0]['id']}")).json() == rest[0]
    assert (await api.get(f"/v1/entries/{ID}")).status_code == 404
    for wrong in ("-1", "1e2", "1.0", "01", "9" * 20):
        assert (await api.get("/v1/entries", after=wrong)).status_code == 400


async def test_metrics_and_health(api: Api) -> None:
    assert (await api.client.get("/health/ready")).status_code == 200
    text = (await api.client.get("/metrics")).text
    assert "journal_position 0.0" in text
    assert "journal_queue_entries 0.0" in text


async def test_a_key_is_in_the_name_of_whoever_makes_it(api: Api) -> None:
    """So one key doesn't become two people: two approvers of long days, or a pot's two keyholders."""
    ann, project = (await api.person("Ann"))["id"], await api.project()
    hers = await api.key("scheme", person=ann)
    for maker, person in ((hers, ann), (api.scheme, None)):
        for body in ({"scope": "scheme"}, {"scope": "project", "object": project}):
            made = await api.made("/v1/keys", {**body, "label": "x"}, token=maker)
            assert made["person"] == person
            again = await api.post("/v1/keys", {"scope": "scheme", "label": "x"}, made["token"])
            assert again.status_code == (201 if body["scope"] == "scheme" else 403)
            assert again.json().get("person") == (person if body["scope"] == "scheme" else None)
    own = await api.made("/v1/keys", {"scope": "person", "label": "x"}, token=hers)
    assert (await api.get(f"/v1/people/{ann}/balance", own["token"])).status_code == 200
    nobodys = await api.post("/v1/keys", {"scope": "person", "label": "x"})
    assert (nobodys.status_code, nobodys.json()["fields"][0]["field"]) == (422, "scope")
    another = await api.post("/v1/keys", {"scope": "person", "person": ann, "label": "x"})
    assert another.status_code == 400, "nobody says in whose name it is"
