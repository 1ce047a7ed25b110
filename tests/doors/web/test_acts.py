"""Everything that is written into the audit trail has words: the verbs are read out of the scheme's own code."""

import ast
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest

from ledger import scheme
from ledger.doors.web.acts import BY, OTHER, SAYS
from ledger.scheme import offers, opportunities, projects, venues
from ledger.scheme.attendances import Presence
from ledger.scheme.callers import Scope
from ledger.scheme.outbox import Topic

SCHEME: Final = Path(scheme.__file__).parent
# Where the verb stands among the arguments of what writes it.
WRITERS: Final[Mapping[str, int]] = {"record": 3, "by_staff": 2, "_looked_at": 2}
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
            is_writer = of == "acts" or module == "acts" or (module, name) == ("people", "_looked_at")
            if name in WRITERS and is_writer:
                yield from ((module, verb) for verb in verbs_of(module, node.args[WRITERS[name]], tree))


def test_every_verb_that_is_written_has_words() -> None:
    found = set(written())

    assert len(found) > 90, "the verbs weren't found"
    assert {verb for _, verb in found} >= {"home_read", "credential_replaced", "gift_declined", "offer_paused"}
    assert sorted((module, verb) for module, verb in found if verb not in SAYS) == []


def test_the_words_are_short_and_no_two_verbs_share_them() -> None:
    assert all(1 <= len(words.split()) <= 9 for words in SAYS.values())
    assert len({*SAYS.values(), OTHER}) == len(SAYS) + 1
    assert set(BY) == set(Scope)
