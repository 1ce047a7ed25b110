"""Who may open which page: every route that there is, by everybody there is, with what is theirs and what is another's.

The routes are the application's own, so a page that is added is in here by itself. What each visitor is answered is
derived from whom the route names, and from nothing that the application says at the time.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping
from datetime import timedelta
from enum import Enum, auto
from itertools import product
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from ledger.database import Database
from ledger.doors.web import is_page
from ledger.doors.web.access import ADMITTED, Who
from ledger.journal import log
from ledger.journal.entries import new_key
from ledger.scheme.sign_ins import FRESH, SignIns, Strength
from tests.conftest import Postgres
from tests.daytime import daytime
from tests.doors.house import Api, settings_for, written
from tests.doors.web import checks
from tests.doors.web.client import URL, cookie_at
from tests.doors.web.entrance import Entrance

OURS: Final[Mapping[str, str]] = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "origin": URL}
NOBODYS: Final = "00000000-0000-4000-8000-000000000000"
STATIC: Final = "/static/{name:str}"
# What a link by mail, or the device itself, is enough for.
WEAK: Final = frozenset({Who.PERSON, Who.TILL, Who.KIOSK})
# Whose an object in an address is, that decides who may: the rest of the address is that one's.
SCOPES: Final = frozenset({"person", "project", "venue"})
# Objects of one person, project or venue, which aren't there under another's address.
OWNED: Final = frozenset(
    {"session", "claim", "opportunity", "redemption", "booking", "entry", "device", "gift", "helper", "attendance"}
)
# What isn't there before a session's hours are recorded.
NOT_YET: Final = frozenset({"/projects/{project:uuid}/sessions/{session:uuid}/slips"})
THEIRS: Final = "/people/{person:uuid}"
# What a helper sees and does of whom they help, by what they may; nothing else is there for them.
HELPS: Final[Mapping[str, frozenset[str]]] = {
    "balance": frozenset({THEIRS, f"{THEIRS}/statement", f"{THEIRS}/slip"}),
    "claim": frozenset(
        f"{THEIRS}/{rest}"
        for rest in (
            *("claims", "claims/new", "claims/{claim:uuid}", "claims/{claim:uuid}/edit"),
            *("claims/{claim:uuid}/send", "claims/{claim:uuid}/withdraw", "vouchers"),
        )
    ),
    "book": frozenset(
        f"{THEIRS}/{rest}"
        for rest in (
            *("pass", "pass/{credential:uuid}/block", "sessions", "bookings", "bookings/{booking:uuid}"),
            *("bookings/{booking:uuid}/cancel", "bookings/{booking:uuid}/change"),
        )
    ),
}


class Route(NamedTuple):
    """A page's address, how it is asked, whom it names, None if it names nobody; if they sign in for it anew.

    And whether it is refused at a till and a kiosk, whoever else may open it.
    """

    method: str
    path: str
    who: tuple[Who, ...] | None
    freshly: bool = False
    not_at_devices: bool = False

    @property
    def names(self) -> list[str]:
        """Of the parameters of its address."""
        return [part[1:-1].partition(":")[0] for part in self.path.split("/") if part.startswith("{")]

    def at(self, ids: Mapping[str, str]) -> str:
        """Its address, of these objects."""
        parts = self.path.split("/")
        return "/".join(_one(part, ids) if part.startswith("{") else part for part in parts)


def _one(part: str, ids: Mapping[str, str]) -> str:
    name, _, kind = part[1:-1].partition(":")
    return ids.get(name, {"uuid": NOBODYS, "int": "404"}.get(kind, "x"))


class Said(Enum):
    """What somebody is answered."""

    IN = auto()
    SIGN_IN = auto()
    PASSKEY = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()


class Visitor(NamedTuple):
    """Somebody: what they are, and at which objects; whether they signed in with more than a link."""

    holds: Mapping[Who, Mapping[str, str]]
    strong: bool = True
    person: str = ""
    helps: Mapping[str, frozenset[str]] = MappingProxyType({})
    """What is there for them of somebody else, by that person."""
    also: tuple[Mapping[str, str], ...] = ()
    """Of whom else they try the pages."""

    def as_at(self, who: Who, ids: Mapping[str, str]) -> bool:
        """Whether they are that at the objects of an address: a role in a place is one there only."""
        return who in self.holds and all(ids.get(name, own) == own for name, own in self.holds[who].items())


def expected(route: Route, visitor: Visitor, ids: Mapping[str, str]) -> tuple[Said, Who | None]:
    """What they are to be answered, and as what they are let in."""
    assert route.who is not None
    here = {name: ids[name] for name in route.names if name in ids}
    if not visitor.holds:
        return (Said.IN, Who.ANYBODY) if Who.ANYBODY in route.who else (Said.SIGN_IN, None)
    if route.not_at_devices and visitor.holds.keys() <= {Who.TILL, Who.KIOSK}:
        return Said.FORBIDDEN, None
    held = [who for who in route.who if visitor.as_at(who, here)]
    enough = [who for who in held if who in WEAK or visitor.strong]
    if enough:
        return Said.IN, enough[0]
    if Who.ANYBODY in route.who:
        return Said.IN, Who.ANYBODY
    if held:
        return Said.PASSKEY, None
    return (Said.NOT_FOUND if route.names else Said.FORBIDDEN), None


def heard(route: Route, answer: httpx.Response) -> Said:
    """What they were answered."""
    location = answer.headers.get("location", "")
    if answer.status_code == 401 or location.startswith("/sign-in?next="):
        return Said.SIGN_IN
    if location.startswith("/sign-in/passkey?next=") or (
        answer.status_code == 403 and route.method == "POST" and 'href="/sign-in/passkey"' in answer.text
    ):
        return Said.PASSKEY
    return {403: Said.FORBIDDEN, 404: Said.NOT_FOUND}.get(answer.status_code, Said.IN)


# --- the world ------------------------------------------------------------------------------------------------


class World(NamedTuple):
    """A service with two of everything, and everybody with a cookie."""

    client: httpx.AsyncClient
    owner: asyncpg.Connection
    routes: list[Route]
    own: Mapping[str, str]
    others: Mapping[str, str]
    visitors: Mapping[str, Visitor]
    tokens: Mapping[str, str]

    async def ask(
        self,
        route: Route,
        ids: Mapping[str, str],
        visitor: str,
        said: Mapping[str, str] = OURS,
        *,
        form: Mapping[str, str] = {},  # never changed
    ) -> httpx.Response:
        """As a browser would, which says where it comes from."""
        token = self.tokens[visitor]
        headers = {**said, "cookie": f"{cookie_at(URL)}={token}"} if token else said
        if route.method == "GET":
            return await self.client.get(route.at(ids), headers=headers)
        headers = {**headers, "content-type": "application/x-www-form-urlencoded"}
        return await self.client.post(route.at(ids), content=urlencode(form), headers=headers)


async def routes_of(api: Api) -> list[Route]:
    """The routes of all pages, as the application that answers has them."""
    found: list[Litestar] = []
    application = api.application

    async def learning(scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        await application(scope, receive, send)
        found.append(scope["litestar_app"])

    async with httpx.AsyncClient(transport=httpx.ASGITransport(learning), base_url=URL) as client:
        await client.get("/")
    return [
        Route(method, route.path, *(ADMITTED.get(handler.resolve_before_request()) or [None]))  # type: ignore[arg-type]
        for route in found[0].routes
        if isinstance(route, HTTPRoute) and is_page(route.path) and route.path != STATIC
        for handler in route.route_handlers
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    ]


async def objects(api: Api, name: str) -> dict[str, str]:
    """Somebody with a project, a venue and what happens there: by the names that addresses have for it."""
    project, venue, ann = await api.project(), await api.venue(), await api.person(name)
    person = ann["id"]
    draft = {"title": "Soup kitchen", "kind": "weekly"}
    opportunity = await api.made(f"/v1/projects/{project}/opportunities", draft)
    await api.made(f"/v1/opportunities/{opportunity['id']}/publish")
    starts = (daytime() + timedelta(days=1)).replace(microsecond=0)
    times = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat()}
    planned = await api.made(f"/v1/projects/{project}/sessions", {**times, "opportunity": opportunity["id"]})
    session = planned["sessions"][0]["id"]
    await api.made(f"/v1/sessions/{session}/attendances", {"person": person})
    given = await api.give(project, {person: 240})
    offer, till = await api.offer(venue), await api.till(venue)
    redemption = await api.made("/v1/redemptions", await api.visit(offer, person), token=till)
    booking = await api.made("/v1/bookings", {"person": person, "offer": offer, "visit_at": starts.isoformat()})
    device = await api.made(f"/v1/projects/{project}/devices", {"name": "the tablet"})
    statement = (await api.get(f"/v1/people/{person}/statement")).json()
    return {
        "person": person,
        "project": project,
        "venue": venue,
        "opportunity": opportunity["id"],
        "session": session,
        "claim": given["claims"][0],
        "offer": offer,
        "redemption": redemption["id"],
        "booking": booking["id"],
        "device": device["device"]["id"],
        "entry": statement["lines"][0]["entry"],
    }


HOLDS: Final[Mapping[str, tuple[Who, str]]] = {
    "coordinator": (Who.COORDINATOR, "project"),
    "approver": (Who.APPROVER, "project"),
    "manager": (Who.MANAGER, "venue"),
    "staff": (Who.STAFF, ""),
    "auditor": (Who.AUDITOR, ""),
}
VISITORS: Final = (
    *("nobody", "the person", "the person by a passkey", "another volunteer"),
    *(f"a helper who may {may}" for may in HELPS),
    *("a helper no more", "a guardian"),
    *(f"{role} here" for role in HOLDS),
    *(f"{role} here by a link" for role in HOLDS),
    *("coordinator elsewhere", "approver elsewhere", "manager elsewhere"),
    *("till here", "till elsewhere", "kiosk here", "kiosk elsewhere"),
)
# Who has what weighs most to do, and is known by a second sign-in as well that isn't fresh any more.
LONG_AGO: Final = ("staff here", "the person by a passkey")
SECOND: Final = timedelta(seconds=1)
# To whom the others' objects are their own.
ELSEWHERE: Final = frozenset({"another volunteer", *(who for who in VISITORS if who.endswith("elsewhere"))})


async def everybody(
    api: Api, entrance: Entrance, own: Mapping[str, str], others: Mapping[str, str]
) -> Iterator[tuple[str, Visitor, str]]:
    """Each with what they are, and their cookie."""
    found = [("nobody", Visitor({}), "")]
    ann, bob = own["person"], others["person"]
    volunteer: dict[Who, Mapping[str, str]] = {Who.PERSON: {}}
    known = {"the person": Visitor(volunteer, person=ann), "another volunteer": Visitor(volunteer, person=bob)}
    for may, opens in HELPS.items():
        helper = (await api.person(f"Dee {may}"))["id"]
        await api.made(f"/v1/people/{ann}/helpers", {"helper": helper, "may": [may]})
        known[f"a helper who may {may}"] = Visitor(volunteer, person=helper, helps={ann: opens})
    former, guardian = (await api.person("Eve"))["id"], (await api.person("Gil"))["id"]
    link = await api.made(f"/v1/people/{ann}/helpers", {"helper": former, "may": list(HELPS)})
    await api.made(f"/v1/helpers/{link['id']}/end")
    known["a helper no more"] = Visitor(volunteer, person=former)
    child = (await api.made("/v1/people", {"name": "Cat", "age_band": "8_to_15"}))["id"]
    await api.made(f"/v1/people/{child}/guardians", {"guardian": guardian})
    known["a guardian"] = Visitor(volunteer, person=guardian, also=({"person": child, "child": child},))
    for who, visitor in known.items():
        holds = {**volunteer, Who.SURELY: {"person": visitor.person}}
        found.append((who, visitor._replace(holds=holds, strong=False), await entrance.person(visitor.person)))
    strong = Visitor({**volunteer, Who.SURELY: {"person": ann}}, person=ann)
    found.append(("the person by a passkey", strong, await entrance.person(ann, Strength.PASSKEY)))
    for where, ids in (("here", own), ("elsewhere", others)):
        for role, (who, at) in HOLDS.items():
            if where == "elsewhere" and not at:
                continue
            holds = {**volunteer, who: {at: ids[at]} if at else {}}
            person = (await api.person(f"{role} {where}"))["id"]
            opened = getattr(entrance, role)
            strong = await (opened(ids[at], person) if at else opened(person))
            found += [
                (f"{role} {where}", Visitor(holds), strong),
                (f"{role} {where} by a link", Visitor(holds, strong=False), await entrance.person(person)),
            ]
        found += [
            (f"till {where}", Visitor({Who.TILL: {}}), await entrance.till(ids["venue"])),
            (f"kiosk {where}", Visitor({Who.KIOSK: {}}), await entrance.kiosk(ids["project"])),
        ]
    return iter(found)


@pytest.fixture(scope="module")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    name = await postgres.create()
    dsn = postgres.dsn(name)
    settings = msgspec.structs.replace(settings_for(dsn), public_url=URL)
    async with (
        Api.running(dsn, settings=settings) as api,
        Database.open(dsn) as database,
        httpx.AsyncClient(transport=httpx.ASGITransport(api.application), base_url=URL) as client,
    ):
        own, others = await objects(api, "Ann"), await objects(api, "Bob")
        known = list(await everybody(api, Entrance(database, daytime), own, others))
        tokens = {who: token for who, _, token in known}
        now, past = (SignIns(database, clock) for clock in (daytime, lambda: daytime() - FRESH - SECOND))
        for who in LONG_AGO:
            present = await now.who(tokens[who])
            assert present is not None
            tokens[f"{who} long ago"] = await past.begin(Strength.PASSKEY, holder=present.holder)
        owner = await asyncpg.connect(dsn)
        # What was made up to here is proven, so that its receipts are there.
        await log.sign_next(owner, log.Notary.open(settings.signing_key_path, settings.origin), daytime)
        visitors = {who: visitor for who, visitor, _ in known}
        yield World(client, owner, await routes_of(api), own, others, visitors, tokens)
        await owner.close()
    await postgres.drop(name)


# --- the tables -----------------------------------------------------------------------------------------------


async def test_every_page_names_who_may_open_it(world: World) -> None:
    assert len(world.routes) > 50
    assert [f"{route.method} {route.path}" for route in world.routes if not route.who] == []


def cells(world: World, visitor: Visitor) -> Iterator[tuple[Route, Mapping[str, str], Said, Who | None]]:
    """Every address once: with what is theirs, with another's and, for a guardian, at the child's own."""
    for route in world.routes:
        for ids in (world.own, *([world.others] if set(route.names) & world.others.keys() else []), *visitor.also):
            said, as_what = expected(route, visitor, ids)
            if said is Said.IN and as_what in {Who.PERSON, Who.SURELY} and "person" in route.names:
                person = ids["person"]
                if visitor.person != person and route.path not in visitor.helps.get(person, ()):
                    said = Said.NOT_FOUND  # by the verb
            yield route, ids, said, as_what


@pytest.mark.parametrize("who", VISITORS)
async def test_everybody_is_answered_as_the_page_says(world: World, who: str) -> None:
    visitor = world.visitors[who]
    seen = list(cells(world, visitor))
    kept_out = [(route, ids, said) for route, ids, said, _ in seen if said is not Said.IN]
    before = await written(world.owner)
    faults = [fault for cell in kept_out for fault in await _kept_out(world, who, *cell)]
    changed = before.items() ^ (await written(world.owner)).items()
    faults += [f"{name} was written to" for name in sorted({name for name, _ in changed})]
    for route, ids, said, as_what in seen:
        if said is Said.IN and route.method == "GET":  # a form would be taken, and something done
            answer = await world.ask(route, ids, who)
            is_theirs = ids is (world.others if who in ELSEWHERE else world.own) and set(route.names) <= ids.keys()
            faults += [f"{_told(route, answer)}: {fault}" for fault in _let_in(route, answer, as_what, is_theirs)]
    assert not faults, "\n" + "\n".join(faults)


async def _kept_out(world: World, who: str, route: Route, ids: Mapping[str, str], said: Said) -> list[str]:
    """What is wrong with the answer to somebody whom the page isn't for."""
    # Whoever has to sign in hears of that whether the form has a key or not.
    answer = await world.ask(route, ids, who, form={} if said in {Said.SIGN_IN, Said.PASSKEY} else {"key": new_key()})
    found = heard(route, answer)
    # A form may be looked at before what it is about: it says what is missing, and nothing of the object.
    was_looked_at = said is Said.NOT_FOUND and route.method == "POST" and answer.status_code in {400, 422}
    faults = list(_headers(answer))
    if found is not said and not was_looked_at:
        faults.append(f"is no {said.name}")
    return [f"{_told(route, answer)}: {fault}" for fault in faults]


def _let_in(route: Route, answer: httpx.Response, as_what: Who | None, is_theirs: bool) -> Iterator[str]:  # noqa: FBT001
    """What is wrong with an answer to whom the route lets in: whether the object is theirs, the verb has seen."""
    yield from _headers(answer)
    found = heard(route, answer)
    if found in {Said.SIGN_IN, Said.PASSKEY} or (is_theirs and found is not Said.IN and route.path not in NOT_YET):
        yield f"is not shown to whom it is for, as {as_what}"


def _told(route: Route, answer: httpx.Response) -> str:
    return f"{route.method} {route.path}: {answer.status_code} {answer.headers.get('location', '')}"


# What a browser says of where a form comes from: it is heard if a page of ours sent it, and from nowhere else.
ELSEWHERE_SENT: Final[tuple[Mapping[str, str], ...]] = (
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "https://other.localhost"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site", "origin": URL},
    # Browsers that don't say the site
    {"origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": URL.replace("https:", "http:")},
    {"referer": f"{URL}/"},
    {},
)


async def test_no_form_is_heard_that_another_site_sent(world: World) -> None:
    faults, tried = [], 0
    before = await written(world.owner)
    for route in world.routes:
        if route.method == "GET":
            continue
        who, ids = next(
            (who, ids)
            for who, visitor in world.visitors.items()
            for ids in (world.own, world.others)
            if expected(route, visitor, ids)[0] is Said.IN
        )
        for said in ELSEWHERE_SENT:
            answer = await world.ask(route, ids, who, said)
            tried += 1
            if answer.status_code != 403 or "from another site" not in answer.text:
                faults.append(f"{_told(route, answer)} was heard, as it said {said}")
    changed = before.items() ^ (await written(world.owner)).items()
    assert not faults + sorted({name for name, _ in changed}), "\n".join(faults)
    assert tried > 500


@pytest.mark.parametrize(
    "who", ["the person", *(f"{role} here" for role, (_, at) in HOLDS.items() if at), "till here", "kiosk here"]
)
async def test_what_is_anothers_is_not_there_under_ones_own_address(world: World, who: str) -> None:
    faults: list[str] = []
    before = await written(world.owner)
    for route in world.routes:
        owned = OWNED & set(route.names)
        scopes = SCOPES & set(route.names)
        ids = {**world.others, **{name: world.own[name] for name in SCOPES}}
        said, as_what = expected(route, world.visitors[who], ids)
        is_scoped = bool(scopes) or as_what in {Who.TILL, Who.KIOSK}
        if not owned or not is_scoped or said is not Said.IN or as_what in {Who.STAFF, Who.AUDITOR, Who.ANYBODY}:
            continue
        faults += await _kept_out(world, who, route, ids, Said.NOT_FOUND)
    changed = before.items() ^ (await written(world.owner)).items()
    faults += [f"{name} was written to" for name in sorted({name for name, _ in changed})]
    assert not faults, "\n" + "\n".join(faults)


def _headers(answer: httpx.Response) -> Iterator[str]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if "no-store" not in headers.get("cache-control", ""):
        yield "it may be stored"
    if headers.get("x-content-type-options") != "nosniff":
        yield "its type may be guessed"
    if answer.content and headers.get("content-type", "").startswith("text/html"):
        yield from checks.has_safe_headers(headers, private=True)
    yield from checks.has_safe_cookies(answer.headers.get_list("set-cookie"))


# What weighs most: whose sign-in began longer ago shows once more who they are.
OFFICE: Final = "/staff/people/{person:uuid}"
FRESHLY: Final = frozenset(
    {
        f"POST {OFFICE}/contact",
        f"POST {OFFICE}/erase",
        f"POST {OFFICE}/guardians",
        f"POST {OFFICE}/guardians/{{guardian:uuid}}/consent",
        f"POST {OFFICE}/helpers",
        f"POST {OFFICE}/invitation",
        f"POST {OFFICE}/leave",
        f"POST {OFFICE}/roles",
        f"POST {OFFICE}/roles/{{role:uuid}}/end",
        "POST /staff/projects/{project:uuid}/devices/new",
        "POST /staff/recoveries/{recovery:uuid}/agree",
        "POST /staff/settings/{rule:str}",
        "POST /staff/venues/{venue:uuid}/devices/new",
        f"GET {THEIRS}/passkeys/new",
        f"POST {THEIRS}/passkeys/new",
        f"POST {THEIRS}/passkeys/{{passkey:str}}/end",
        "POST /venues/{venue:uuid}/tills",
    }
)


async def test_what_weighs_most_asks_who_it_is_once_more_and_keeps_what_was_typed(world: World) -> None:
    asking = [route for route in world.routes if route.freshly]
    assert {f"{route.method} {route.path}" for route in asking} == FRESHLY
    before = await written(world.owner)
    faults, tried = [], 0
    for route, who in product(asking, LONG_AGO):
        if expected(route, world.visitors[who], world.own)[0] is not Said.IN:
            continue
        answer = await world.ask(route, world.own, f"{who} long ago", form={"key": "its-own", "reason": "as typed"})
        kept = ('name="key" value="its-own"', 'name="reason" value="as typed"', "Please show once more that it is you")
        is_kept = route.method == "GET" or all(words in answer.text for words in kept)
        faults += [_told(route, answer)] if heard(route, answer) is not Said.PASSKEY or not is_kept else []
        tried += 1
    changed = before.items() ^ (await written(world.owner)).items()
    assert not faults + sorted({name for name, _ in changed}), "\n".join(faults)
    assert tried >= len(FRESHLY)
