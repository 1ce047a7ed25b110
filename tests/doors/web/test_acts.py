"""The audit trail: what each page leaves in it that staff or a helper open, or that staff send; and the words for it.

The verbs are read out of the scheme's own code. What a helper sends is sent to the verbs that `test_api_acts` has.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import pytest

from ledger import scheme
from ledger.doors.web.acts import BY, OTHER, SAYS
from ledger.journal.entries import new_key
from ledger.scheme import offers, opportunities, projects, venues
from ledger.scheme.acts import NAMES_READ
from ledger.scheme.attendances import Presence
from ledger.scheme.callers import Scope
from ledger.scheme.outbox import Topic
from tests.doors.house import Api
from tests.doors.test_api_acts import BY_STAFF
from tests.doors.watched import NAMES, Watched
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.places import FILES, PLACES

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
    "offers": offers.Status,
    "opportunities": opportunities.Status,
    "projects": projects.Status,
    "venues": venues.Status,
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
# What staff send about somebody by a page alone, in this order, and what it leaves.
SENT: Final[Mapping[str, str]] = {
    "/staff/people/{person:uuid}/card/replace": "credential_replaced",
    "/staff/people/{person:uuid}/invitation": "passkey_invited",
    "/staff/people/{person:uuid}/recovery": "recovery_asked",
    "/staff/people/{person:uuid}/sign-out": "signed_out_everywhere",
}
# What else they send, and the call by which a program does the same: `test_api_acts` makes each.
SENT_BY_PROGRAMS: Final[Mapping[str, str]] = {
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


async def test_whatever_staff_send_about_somebody_is_written_down(
    pages: Pages, entrance: Entrance, watched: Watched
) -> None:
    pages.sign_in(await entrance.staff())
    await pages.get("/staff")
    sent = {path for path, methods in pages.routes if "POST" in methods and path.startswith("/staff/people/{person")}
    assert sent == {*SENT, *SENT_BY_PROGRAMS}
    assert {tuple(call.split()) for call in SENT_BY_PROGRAMS.values()} <= {*BY_STAFF}
    for path, verb in SENT.items():
        where = address(path, watched.ids)
        assert where is not None
        answer, written = await watched.left_by(
            pages.client.post(where, data={"key": new_key()}, headers={"sec-fetch-site": "same-origin"})
        )
        assert answer.status_code in {200, 303}, f"{path}: {answer.text}"
        done = [act for act in written if act.verb == verb]
        assert [(act.scope, act.holder) for act in done] == [("scheme", watched.holder)], path
