"""The audit trail: what staff send leaves in it, and each page that staff, a helper or a project's people open.

And the words for it: the verbs are read out of the scheme's own code. What a helper sends is sent to the verbs that
`test_api_acts` has.
"""

import ast
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from ledger import scheme
from ledger.doors.web.access import Who
from ledger.doors.web.acts import BY, LOOKS, OTHER, SAYS
from ledger.journal.entries import new_key
from ledger.scheme.acts import NAMES_READ
from ledger.scheme.attendances import Presence
from ledger.scheme.callers import Scope
from ledger.scheme.outbox import Topic
from ledger.scheme.states import Participation, Publication
from tests.daytime import daytime
from tests.doors.house import Api, register
from tests.doors.test_api_acts import BY_STAFF
from tests.doors.watched import NAMES, Watched
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.places import FILES, PLACES
from tests.doors.web.test_access import OURS, routes_of

SCHEME: Final = Path(scheme.__file__).parent
# Where the verb stands among the arguments of what writes it.
WRITERS: Final[Mapping[str, int]] = {
    "record": 3,
    "by_staff": 2,
    "looked": 3,
    "looked_today": 3,
    "_post": 2,
    "_write_act": 2,
}
# Those that a module has for itself.
OWN_WRITERS: Final = {("redemptions", "_post"), ("redemptions", "_write_act")}
# A verb that is put together from a status: those it can have. A draft is not done, it is where something begins.
STATUSES: Final[Mapping[str, type[StrEnum]]] = {
    "offers": Publication,
    "opportunities": Publication,
    "projects": Participation,
    "venues": Participation,
}
BEGINNINGS: Final = {"draft", "applied"}
GIFTS: Final = ("accepted", "declined", "taken_back")


def verbs_of(module: str, written: ast.expr, tree: ast.Module) -> Iterator[str]:
    """What an argument can be: said outright, a topic, or put together from a status."""
    match written:
        case ast.Constant(value=str(said)):
            yield said
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="Topic"), attr=topic), attr="value"):
            yield Topic[topic].value
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="Presence"), attr=presence), attr="value"):
            yield Presence[presence].value
        case ast.Attribute(attr="value"):  # one of the module's topics
            yield from {Topic[topic].value for topic in topics(tree)}
        case ast.JoinedStr(values=[ast.Constant(value=str(before)), ast.FormattedValue()]):
            ends = GIFTS if module == "gifts" else [s for s in STATUSES[module] if s not in BEGINNINGS]
            yield from (before + end for end in ends)
        case ast.Name(id=name) if name.isupper():  # a constant of the module's own
            yield from constant(name, tree)
        case ast.Name(id="verb"):  # what the function before was told: found where it is called, or set
            yield from set_to(tree)
        case _:
            pytest.fail(f"what is written by {module}: {ast.unparse(written)}?")


def topics(tree: ast.Module) -> set[str]:
    """The topics that a module names."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Topic"
    }


def constant(name: str, tree: ast.Module) -> Iterator[str]:
    """The text that a constant is."""
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == name
            and isinstance(node.value, ast.Constant)
        ):
            yield str(node.value.value)


def set_to(tree: ast.Module) -> Iterator[str]:
    """The texts that are assigned to `verb`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "verb" for t in node.targets):
            constants = (each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant))
            yield from (each for each in constants if isinstance(each, str))


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The scheme's modules with all that they say; a package is one."""
    for path in sorted(SCHEME.iterdir()):
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            files = [path] if path.is_file() else sorted(path.rglob("*.py"))
            yield path.stem, ast.Module([node for file in files for node in ast.parse(file.read_text()).body], [])


def written() -> Iterator[tuple[str, str]]:
    """Each verb that a module of the scheme writes."""
    for module, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of = getattr(getattr(node.func, "value", None), "id", "")
            is_writer = of == "acts" or module == "acts" or (module, name) in OWN_WRITERS
            if name in WRITERS and is_writer:
                yield from ((module, verb) for verb in verbs_of(module, node.args[WRITERS[name]], tree))


def test_every_verb_that_is_written_has_words() -> None:
    found = {*written(), ("acts", NAMES_READ)}

    assert len(found) > 90, "the verbs weren't found"
    assert {verb for _, verb in found} >= {"home_read", "credential_replaced", "gift_declined", "offer_paused"}
    assert sorted((module, verb) for module, verb in found if verb not in SAYS) == []


def test_the_words_are_short_and_no_two_verbs_share_them() -> None:
    assert all(1 <= len(words.split()) <= 9 for words in SAYS.values())
    assert len({*SAYS.values(), OTHER}) == len(SAYS) + 1
    assert set(BY) == set(Scope)
    assert [words for words in LOOKS.values() if "again" in words] == [], "whoever looks may do so for the first time"


# --- what a page leaves -----------------------------------------------------------------------------------------

# What staff leave who open a page about somebody.
STAFF: Final[Mapping[str, tuple[str, ...]]] = {
    "/staff/people/{person:uuid}": ("person_read",),
    "/staff/people/{person:uuid}/card": ("card_code_read", "person_read"),
    "/staff/people/{person:uuid}/card/{size:str}": ("card_code_read", "person_read"),
    "/staff/people/{person:uuid}/slip": ("person_read", "statement_read", NAMES),
    "/staff/people/{person:uuid}/credits": ("statement_read", NAMES),
    "/staff/people/{person:uuid}/visits/{visit:uuid}": ("bookings_read",),
    "/staff/people/{person:uuid}/bookings": ("bookings_read",),
    "/staff/people/{person:uuid}/bookings/{booking:uuid}": ("bookings_read",),
    "/staff/people/{person:uuid}/hours/new": ("claims_read", NAMES),
    "/staff/people/{person:uuid}/details": ("person_read",),
    "/staff/people/{person:uuid}/contact": ("contact_read",),
    "/staff/people/{person:uuid}/eligibility": ("eligibility_read",),
    "/staff/people/{person:uuid}/helpers": ("person_read",),
    "/staff/people/{person:uuid}/guardians": ("person_read",),
    "/staff/people/{person:uuid}/roles": ("person_read",),
    "/staff/people/{person:uuid}/leave": ("person_read",),
    "/staff/people/{person:uuid}/erase": ("person_read",),
}
# What they open about somebody that leaves none, and because of what.
STAFF_NONE: Final[Mapping[str, str]] = {
    "/staff/people/{person:uuid}/acts": "it is the trail itself",
}
# What leaves an act and is about several.
STAFF_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "/staff/approvals": (NAMES,),
    "/staff/approvals/{claim:uuid}": (NAMES,),
}
# What a helper leaves who opens one of somebody's pages; any other isn't there for them.
HELPER: Final[Mapping[str, tuple[str, ...]]] = {
    "/people/{person:uuid}": ("home_read", NAMES),
    "/people/{person:uuid}/statement": ("statement_read", NAMES),
    "/people/{person:uuid}/bookings": ("bookings_read",),
    "/people/{person:uuid}/bookings/{booking:uuid}": ("bookings_read",),
    "/people/{person:uuid}/bookings/{booking:uuid}/cancel": ("bookings_read",),
    "/people/{person:uuid}/bookings/{booking:uuid}/change": ("bookings_read",),
    "/people/{person:uuid}/claims": ("claims_read", NAMES),
    "/people/{person:uuid}/claims/new": ("claims_read", NAMES),
    "/people/{person:uuid}/claims/{claim:uuid}": ("claims_read", NAMES),
    "/people/{person:uuid}/claims/{claim:uuid}/edit": ("claims_read", NAMES),
    "/people/{person:uuid}/sessions": ("bookings_read", NAMES),
    "/people/{person:uuid}/pass": ("pass_shown",),
    "/people/{person:uuid}/slip": ("home_read", NAMES),
}
# What is there for a helper and leaves none, and because of what.
HELPER_NONE: Final[Mapping[str, str]] = {
    "/people/{person:uuid}/vouchers": "a form for a code, with nothing of theirs on it",
}
AT_A_PROJECT: Final = "/projects/{project:uuid}"
# What a coordinator, or an approver, leaves who asks for this at a sensitive project: once for each look at its people.
PROJECT: Final[Mapping[str, tuple[str, ...]]] = {
    f"GET {AT_A_PROJECT}": (NAMES,),
    f"GET {AT_A_PROJECT}/approvals": (NAMES,),
    f"GET {AT_A_PROJECT}/claims": (NAMES,),
    f"GET {AT_A_PROJECT}/claims/{{claim:uuid}}": (NAMES,),
    f"GET {AT_A_PROJECT}/claims/{{claim:uuid}}/correction": (NAMES,),
    f"GET {AT_A_PROJECT}/people": (NAMES,),
    f"GET {AT_A_PROJECT}/people/{{person:uuid}}": (NAMES,),
    f"GET {AT_A_PROJECT}/people/{{person:uuid}}/card/{{size:str}}": ("card_code_read", NAMES),
    f"GET {AT_A_PROJECT}/people/{{person:uuid}}/slip": ("balance_read", NAMES),
    f"GET {AT_A_PROJECT}/people/cards": (NAMES,),
    f"GET {AT_A_PROJECT}/people/cards?of={{packed:str}}": (NAMES,),
    f"GET {AT_A_PROJECT}/people/cards/{{size:str}}?of={{packed:str}}": ("card_code_read", NAMES),
    f"GET {AT_A_PROJECT}/register/new?day={{day:str}}&begins=10:00&ends=12:00": (NAMES,),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}": (NAMES,),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}/cancel": (NAMES,),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}/recorded": ("codes_read", NAMES),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}/register": (NAMES,),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}/sheet": (NAMES,),
    f"GET {AT_A_PROJECT}/sessions/{{session:uuid}}/slips": ("codes_read", NAMES),
    f"GET {AT_A_PROJECT}/sheet": (NAMES,),
    f"POST {AT_A_PROJECT}/approvals": (NAMES,),
    f"POST {AT_A_PROJECT}/claims/{{claim:uuid}}/correction": (NAMES,),
    f"POST {AT_A_PROJECT}/claims/{{claim:uuid}}/question": (NAMES,),
    f"POST {AT_A_PROJECT}/claims/{{claim:uuid}}/reject": (NAMES,),
    f"POST {AT_A_PROJECT}/people/cards": (NAMES,),
    f"POST {AT_A_PROJECT}/people/{{person:uuid}}/card": (NAMES,),
    f"POST {AT_A_PROJECT}/register/new": (NAMES, NAMES),
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/attendances": (NAMES,),
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/door": (NAMES, NAMES),
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/register": (NAMES, NAMES),
}
_PLANS: Final = "plans, with nobody on it"
_ELSEWHERE: Final = "says nothing itself, and leads to a page of the table"
# What they ask for that leaves none, and because of what: nobody's name is on what they get.
PROJECT_NONE: Final[Mapping[str, str]] = {
    f"GET {AT_A_PROJECT}/given": "sums",
    f"GET {AT_A_PROJECT}/opportunities": _PLANS,
    f"GET {AT_A_PROJECT}/opportunities/new": _PLANS,
    f"GET {AT_A_PROJECT}/opportunities/{{opportunity:uuid}}": _PLANS,
    f"GET {AT_A_PROJECT}/opportunities/{{opportunity:uuid}}/edit": _PLANS,
    f"GET {AT_A_PROJECT}/people/new": "a form for somebody whom nobody knows yet",
    f"GET {AT_A_PROJECT}/register/new": "asks for the day and the times first",
    f"GET {AT_A_PROJECT}/sessions/new": _PLANS,
    f"POST {AT_A_PROJECT}/claims/{{claim:uuid}}/approve": _ELSEWHERE,
    f"POST {AT_A_PROJECT}/opportunities/new": _PLANS,
    f"POST {AT_A_PROJECT}/opportunities/{{opportunity:uuid}}": _PLANS,
    f"POST {AT_A_PROJECT}/opportunities/{{opportunity:uuid}}/edit": _PLANS,
    f"POST {AT_A_PROJECT}/people/cards/make": _ELSEWHERE,
    f"POST {AT_A_PROJECT}/people/new": "a form for somebody whom nobody knows yet",
    f"POST {AT_A_PROJECT}/people/{{person:uuid}}/card/{{change:str}}": _ELSEWHERE,
    f"POST {AT_A_PROJECT}/sessions/new": _PLANS,
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/cancel": _ELSEWHERE,
}
# What is typed there, where a form wants more than a press.
_TIMES: Final = {"day": "{day:str}", "begins": "10:00", "ends": "12:00"}
PROJECT_TYPED: Final[Mapping[str, Mapping[str, str]]] = {
    f"POST {AT_A_PROJECT}/people/cards/make": {"person": "{person:uuid}"},
    f"POST {AT_A_PROJECT}/people/{{person:uuid}}/card/{{change:str}}": {"card": "{card:uuid}"},
    f"POST {AT_A_PROJECT}/register/new": {**_TIMES, "name_0": "Eve"},
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/attendances": {"person": "{person:uuid}", "do": "come"},
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/door": {"name": "Eve"},
    f"POST {AT_A_PROJECT}/sessions/{{session:uuid}}/register": {"name_0": "Eve"},
}
# What staff send by a page alone, in this order, and what it leaves about whom it concerns.
SENT: Final[Sequence[tuple[str, str]]] = (
    ("/staff/people/{person:uuid}/card/replace", "credential_replaced"),
    ("/staff/people/{person:uuid}/invitation", "passkey_invited"),
    ("/staff/people/{person:uuid}/recovery", "recovery_asked"),
    ("/staff/people/{person:uuid}/sign-out", "signed_out_everywhere"),
    ("/staff/recoveries/{recovery:uuid}/decline", "recovery_declined"),
    ("/staff/people/{person:uuid}/recovery", "recovery_asked"),
    ("/staff/recoveries/{recovery:uuid}/agree", "recovery_agreed"),
    ("/groups/{group:uuid}/people/{person:uuid}/give-keys", "keyholder_proposed"),
    ("/groups/{group:uuid}/people/{person:uuid}/decline", "keyholder_declined"),
    ("/groups/{group:uuid}/people/{person:uuid}/give-keys", "keyholder_proposed"),
    ("/groups/{group:uuid}/people/{person:uuid}/agree", "keyholder_changed"),
)
# What else they send, and the call by which a program does the same: `test_api_acts` makes each.
SENT_BY_PROGRAMS: Final[Mapping[str, str]] = {
    "/groups/{group:uuid}/people": "PUT /v1/groups/{group}/members/{person}",
    "/staff/approvals/{claim:uuid}/approve": "POST /v1/projects/{project}/approvals",
    "/staff/approvals/{claim:uuid}/query": "POST /v1/claims/{claim}/query",
    "/staff/approvals/{claim:uuid}/reject": "POST /v1/claims/{claim}/reject",
    "/staff/batches/new": "POST /v1/batches",
    "/staff/batches/{batch:uuid}/end": "POST /v1/batches/{batch}/void",
    "/staff/groups/new": "POST /v1/groups",
    "/staff/offers/{offer:uuid}/edit": "PATCH /v1/offers/{offer}",
    "/staff/offers/{offer:uuid}/occasions": "POST /v1/offers/{offer}/occasions",
    "/staff/offers/{offer:uuid}/occasions/{occasion:uuid}/cancel": "POST /v1/occasions/{occasion}/cancel",
    "/staff/offers/{offer:uuid}/status/{status:str}": "POST /v1/offers/{offer}/publish",
    "/staff/people/{person:uuid}/details": "PATCH /v1/people/{person}",
    "/staff/people/{person:uuid}/contact": "PATCH /v1/people/{person}",
    "/staff/people/{person:uuid}/eligibility": "PUT /v1/people/{person}/eligibility/{word}",
    "/staff/people/{person:uuid}/eligibility/withdraw": "DELETE /v1/people/{person}/eligibility/{word}",
    "/staff/people/{person:uuid}/helpers": "POST /v1/people/{person}/helpers",
    "/staff/people/{person:uuid}/helpers/{link:uuid}/end": "POST /v1/helpers/{helper}/end",
    "/staff/people/{person:uuid}/guardians": "POST /v1/people/{child}/guardians",
    "/staff/people/{person:uuid}/guardians/{guardian:uuid}/consent": "POST /v1/people/{child}/consents",
    "/staff/people/{person:uuid}/guardians/{guardian:uuid}/end": "POST /v1/people/{child}/guardians/{guardian}/end",
    "/staff/people/{person:uuid}/card": "POST /v1/people/{person}/cards",
    "/staff/people/{person:uuid}/credentials/{credential:uuid}/{change:str}": "POST /v1/credentials/{credential}/block",
    "/staff/people/{person:uuid}/hours/new": "POST /v1/claims",
    "/staff/people/{person:uuid}/bookings/{booking:uuid}": "POST /v1/bookings/{booking}/cancel",
    "/staff/people/{person:uuid}/visits/{visit:uuid}/refund": "POST /v1/redemptions/{redemption}/refund",
    "/staff/people/{person:uuid}/credits/reinstate": "POST /v1/people/{person}/reinstatements",
    "/staff/people/{person:uuid}/roles": "POST /v1/roles",
    "/staff/people/{person:uuid}/roles/{role:uuid}/end": "POST /v1/roles/{role}/end",
    "/staff/people/{person:uuid}/leave": "POST /v1/people/{person}/leave",
    "/staff/people/{person:uuid}/erase": "POST /v1/people/{person}/erasure",
    "/staff/people/new": "POST /v1/people",
    "/staff/projects/new": "POST /v1/projects",
    "/staff/projects/{project:uuid}/details": "PATCH /v1/projects/{project}",
    "/staff/projects/{project:uuid}/devices/new": "POST /v1/projects/{project}/devices",
    "/staff/projects/{project:uuid}/devices/{device:uuid}/revoke": "POST /v1/devices/{device}/revoke",
    "/staff/projects/{project:uuid}/grants": "POST /v1/projects/{project}/allocations",
    "/staff/projects/{project:uuid}/status/{status:str}": "POST /v1/projects/{project}/activate",
    "/staff/settings/{rule:str}": "PATCH /v1/rules",
    "/staff/venues/new": "POST /v1/venues",
    "/staff/venues/{venue:uuid}/details": "PATCH /v1/venues/{venue}",
    "/staff/venues/{venue:uuid}/devices/new": "POST /v1/venues/{venue}/devices",
    "/staff/venues/{venue:uuid}/devices/{device:uuid}/revoke": "POST /v1/devices/{device}/revoke",
    "/staff/venues/{venue:uuid}/offers/new": "POST /v1/venues/{venue}/offers",
    "/staff/venues/{venue:uuid}/sites/new": "POST /v1/venues/{venue}/sites",
    "/staff/venues/{venue:uuid}/sites/{site:uuid}": "PATCH /v1/sites/{site}",
    "/staff/venues/{venue:uuid}/sites/{site:uuid}/close": "POST /v1/sites/{site}/close",
    "/staff/venues/{venue:uuid}/status/{status:str}": "POST /v1/venues/{venue}/activate",
    "/venues/{venue:uuid}/tills": "POST /v1/venues/{venue}/devices",
    "/venues/{venue:uuid}/tills/{till:uuid}/revoke": "POST /v1/devices/{device}/revoke",
}


@pytest.fixture
async def watched(api: Api, owner: asyncpg.Connection) -> Watched:
    return await Watched.among(api, owner)


def address(path: str, ids: Mapping[str, str]) -> str | None:
    """Where that page is of these; None if something in it isn't known."""
    names = re.findall(r"\{(\w+):", path)
    return re.sub(r"\{(\w+):\w+\}", lambda found: ids[found[1]], path) if set(names) <= ids.keys() else None


async def opened(pages: Pages, path: str) -> httpx.Response:
    return await pages.client.get(path, headers={"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"})


def pages_of(who: str, under: str) -> set[str]:
    return {place.path for place in PLACES if place.who == who} | {path for path in FILES if path.startswith(under)}


async def test_whatever_staff_open_about_somebody_leaves_what_the_table_says(
    pages: Pages, entrance: Entrance, watched: Watched
) -> None:
    pages.sign_in(await entrance.staff())
    every = pages_of("staff", "/staff")
    assert {path for path in every if "{person" in path} == {*STAFF, *STAFF_NONE}
    faults = []
    for path in sorted(every):
        where = address(path, watched.ids)
        if where is None:
            assert path not in STAFF
            continue
        answer, written = await watched.left_by(opened(pages, where))
        if path in STAFF_LISTS:
            right = [act.verb for act in written] == list(STAFF_LISTS[path])
        else:
            right = watched.about_her(written, STAFF.get(path, ()))
        if not right or (path in STAFF and answer.status_code != 200) or {act.scope for act in written} - {"scheme"}:
            faults.append(f"{path}: {answer.status_code}, {[act.verb for act in written]}")
    assert not faults, "\n" + "\n".join(faults)


async def test_whatever_a_helper_opens_of_somebodys_leaves_what_the_table_says(
    api: Api, pages: Pages, entrance: Entrance, watched: Watched
) -> None:
    pages.sign_in(await entrance.person(watched.helper))
    await api.made(f"/v1/people/{watched.ids['person']}/pass", token=watched.helper_key)
    every = {path for path in pages_of("person", "/people") if "{person" in path}
    assert {*HELPER, *HELPER_NONE} <= every
    faults = []
    for path in sorted(every):
        where = address(path, watched.ids)
        assert where is not None, path
        answer, written = await watched.left_by(opened(pages, where))
        if path in HELPER:
            # Hours that were sent are there to be looked at, but not to be edited any more.
            right = answer.status_code in {200, 409} and watched.about_her(written, HELPER[path])
        else:
            right = (path in HELPER_NONE or answer.status_code in {403, 404}) and not written
        if not right or {(act.scope, act.by) for act in written} - {("person", watched.helper_holder)}:
            faults.append(f"{path}: {answer.status_code}, {[act.verb for act in written]}")
    assert not faults, "\n" + "\n".join(faults)


async def test_whatever_staff_send_is_written_down(
    api: Api, pages: Pages, entrance: Entrance, watched: Watched
) -> None:
    """Each form of theirs is in a table; those that no program can send are sent, by two of them in turn."""
    group = (await api.made("/v1/groups", {"name": "The choir"}))["id"]
    joined = await api.send("PUT", f"/v1/groups/{group}/members/{watched.ids['person']}", {"keyholder": False})
    assert joined.is_success, joined.text
    # Where there are credits, two decide who keeps them.
    await api.made(f"/v1/groups/{group}/pot/gifts", {"giver": watched.ids["person"], "minutes": 15})
    one, another = await entrance.staff(), await entrance.staff()
    pages.sign_in(one)
    await pages.get("/staff")
    forms = {route.path for route in await routes_of(api) if route.method == "POST" and Who.STAFF in (route.who or ())}
    ids = {**watched.ids, "group": group, "recovery": str(UUID(int=0))}
    alone = {pages.route("POST", address(path, ids) or "") for path, _ in SENT}
    assert forms == {*alone, *SENT_BY_PROGRAMS}
    assert not alone & {*SENT_BY_PROGRAMS}
    assert {tuple(call.split()) for call in SENT_BY_PROGRAMS.values()} <= {*BY_STAFF}
    for path, verb in SENT:
        pages.sign_in(another if path.endswith("/agree") else one)
        where = address(path, ids)
        assert where is not None
        answer, written = await watched.left_by(
            pages.client.post(where, data={"key": new_key()}, headers={"sec-fetch-site": "same-origin"})
        )
        assert answer.status_code in {200, 303}, f"{path}: {answer.text}"
        done = [act for act in written if act.verb == verb]
        assert [(act.scope, act.holder) for act in done] == [("scheme", watched.holder)], path
        if verb == "recovery_asked":
            ids["recovery"] = str(done[0].object)


# Who volunteers there.
NAMED: Final = re.compile(r"\b(Ann Lee|Eve|Sam)\b")


async def at_the_project(api: Api, watched: Watched) -> dict[str, str]:
    """What is there: Eve, whose card it made, and a register with a slip, besides all that is Ann's."""
    project, eve = watched.ids["project"], (await api.person("Eve"))["id"]
    slip = {**register({}, days_ago=2), "lines": [{"person": eve, "minutes": 60}, {"voucher": "Sam", "minutes": 75}]}
    recorded = (await api.made(f"/v1/projects/{project}/registers", slip))["id"]
    card = await api.made(f"/v1/people/{eve}/cards", {}, token=await api.key("project", project))
    return {
        **watched.ids,
        "person": eve,
        "card": card["credential"]["id"],
        "change": "block",
        "packed": urlsafe_b64encode(UUID(eve).bytes).decode(),
        "day": (daytime() - timedelta(days=1)).date().isoformat(),
        "recorded": recorded,
    }


async def test_whoever_sees_by_a_page_who_volunteers_at_a_sensitive_project_leaves_it_in_the_trail(
    api: Api, pages: Pages, entrance: Entrance, watched: Watched
) -> None:
    """Its coordinator, and its approver where they are let in: every page, file and form there is for them."""
    routes = {
        f"{route.method} {route.path}": route.who or ()
        for route in await routes_of(api)
        if {Who.COORDINATOR, Who.APPROVER} & {*(route.who or ())}
    }
    asked = sorted({*PROJECT, *PROJECT_NONE})
    assert {each.partition("?")[0] for each in asked} == {*routes}
    assert {*PROJECT_TYPED} <= {*asked}
    ids = await at_the_project(api, watched)
    at_it = "project", UUID(ids["project"])
    faults = []
    for who in (Who.APPROVER, Who.COORDINATOR):
        pages.sign_in(await getattr(entrance, who.value)(ids["project"]))
        for each in asked:
            method, _, path = each.partition(" ")
            if who not in routes[each.partition("?")[0]]:
                continue
            is_after = path.endswith(("/recorded", "/slips"))
            where = address(path, {**ids, "session": ids["recorded"]} if is_after else ids)
            assert where is not None, each
            typed = {name: address(value, ids) for name, value in PROJECT_TYPED.get(each, {}).items()}
            form = {"key": new_key(), **typed} if method == "POST" else None
            answer, written = await watched.left_by(pages.client.request(method, where, data=form, headers=OURS))
            left = sorted(act.verb for act in written if method == "GET" or act.verb == NAMES)
            right = left == sorted(PROJECT.get(each, ())) and not (each in PROJECT_NONE and NAMED.search(answer.text))
            right = right and {(act.scope, act.object) for act in written if act.verb == NAMES} <= {at_it}
            if not right or answer.status_code not in ({200} if method == "GET" else {303, 409, 422}):
                faults.append(f"{who} {each}: {answer.status_code}, {[act.verb for act in written]}")
    assert not faults, "\n" + "\n".join(faults)
