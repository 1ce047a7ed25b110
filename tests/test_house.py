"""The rules of the house, over the syntax of every module: each message names the remedy.

A rule is a pure function from a module to the sentences against it, so that each is tested on an example that
breaks it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
LINES_MAX = 600

# Imports point down: a room may import itself and the rooms named here.
MAY_IMPORT: dict[str, set[str]] = {
    "ledger": set(),
    "ledger.settings": set(),
    "ledger.database": set(),
    "ledger.journal": {"ledger.database"},
    "ledger.scheme": {"ledger.journal", "ledger.database"},
    "ledger.doors.api": {"ledger.doors", "ledger.scheme", "ledger.journal", "ledger.database"},
    "ledger.doors.web": {"ledger.doors", "ledger.scheme", "ledger.journal", "ledger.database"},
    "ledger.app": {
        *("ledger.doors.api", "ledger.doors.web", "ledger.doors"),
        *("ledger.scheme", "ledger.journal", "ledger.database", "ledger.settings"),
    },
    "ledger.doors.cli": {
        *("ledger.app", "ledger.bench", "ledger.doors"),
        *("ledger.scheme", "ledger.journal", "ledger.database", "ledger.settings"),
    },
    # A client and a judge of the whole, from outside: it may look everywhere, and only the command line calls it.
    "ledger.bench": {
        *("ledger.app", "ledger.doors", "ledger.doors.api"),
        *("ledger.scheme", "ledger.journal", "ledger.database", "ledger.settings"),
    },
    # What the doors share: the fields that people and programs fill in, outgoing mail.
    "ledger.doors": {"ledger.scheme", "ledger.journal", "ledger.database"},
}
# Packages from outside that belong in some rooms only.
BELONGS = {
    "litestar": ("ledger.doors.api", "ledger.doors.web", "ledger.doors", "ledger.app", "ledger.bench"),
    "click": ("ledger.doors.cli",),
    "rich": ("ledger.doors.cli", "ledger.bench"),
    "sqlalchemy": ("ledger.database", "ledger.journal", "ledger.scheme", "ledger.bench"),
    "asyncpg": ("ledger.database", "ledger.journal", "ledger.scheme", "ledger.bench"),
    "alembic": ("ledger.database",),
}
DRAWERS = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}
# Seconds of time, in modules about minutes of credit: (module, name of the argument, attribute or function). And
# degrees of the globe.
SECONDS_ALLOWED: set[tuple[str, str]] = {
    ("ledger.scheme.districts", "Latitude"),
    ("ledger.scheme.districts", "Longitude"),
}
# Who says the time, what runs in a process of its own or speaks with one, and what keeps a date for us.
ASK_THE_MACHINES_CLOCK = (
    *("ledger.scheme.clock", "ledger.app", "ledger.doors.cli", "ledger.bench"),
    *("tests.daytime", "tests.doors.test_cli", "tests.faults.conftest", "tests.faults.test_interleavings"),
    *("tests.doors.web.test_oidc", "tests.doors.web.test_organisation"),
    *("tests.doors.web.shots", "tests.doors.web.words"),
)
_JOURNAL_SQL = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|COPY|MERGE\s+INTO)\s+(?:ONLY\s+)?\"?journal\b",
    re.IGNORECASE,
)


class Module(NamedTuple):
    """A module's dotted name, its text and its syntax."""

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, name: str, text: str) -> "Module":
        return cls(name, text, ast.parse(text))

    @property
    def room(self) -> str:
        return _room(self.name)

    @property
    def imports(self) -> Iterator[str]:
        """Everything imported, as dotted names."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                here = self.name.split(".")[: -node.level] if node.level else []
                source = ".".join([*here, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield f"{source}.{alias.name}"


def _room(name: str) -> str:
    """The innermost room that a dotted name lies in."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in MAY_IMPORT:
            return ".".join(parts[:length])
    return ""


def imports_point_down(module: Module) -> Iterator[str]:
    for name in module.imports:
        target = _room(name)
        # `from ledger import __version__` and the like: the top holds nothing that could point up.
        if target in {"", "ledger", module.room} or target in MAY_IMPORT[module.room]:
            continue
        remedy = (
            "take the value as an argument; app and cli read the settings"
            if target == "ledger.settings"
            else "move what both need down, or pass it in from above"
        )
        yield f"{module.name} imports {name}, which lies above or beside it: {remedy}"


def packages_stay_in_their_rooms(module: Module) -> Iterator[str]:
    for name in module.imports:
        rooms = BELONGS.get(name.split(".")[0])
        if rooms is not None and module.room not in rooms:
            yield (
                f"{module.name} imports {name}, which belongs in {', '.join(rooms)}: put the work there "
                f"behind a verb, and call the verb"
            )


def balances_change_through_the_journal(module: Module) -> Iterator[str]:
    if module.room == "ledger.journal":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _JOURNAL_SQL.search(node.value):
            if node.value == ast.get_docstring(module.tree, clean=False):
                continue
            if module.name == "ledger.database.schema" and node.value.endswith(" journal."):
                continue  # the check at start, which tries to change the past and must fail
            yield f"{module.name}:{node.lineno} writes to the journal's tables: post an entry instead"
        if (
            isinstance(node, ast.keyword)
            and node.arg == "schema_name"
            and isinstance(node.value, ast.Constant)
            and node.value.value == "journal"
        ):
            yield f"{module.name}:{node.value.lineno} copies into the journal: post entries instead"


def doors_hold_no_sql(module: Module) -> Iterator[str]:
    if not module.name.startswith("ledger.doors"):
        return
    sql = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE \S+ SET|DELETE FROM|WITH \S+ AS)\s", re.IGNORECASE)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and sql.search(node.value):
            yield f"{module.name}:{node.lineno} holds SQL: put it in a verb or read of the scheme or journal"


def nothing_is_a_drawer(module: Module) -> Iterator[str]:
    for part in module.name.split("."):
        for word in DRAWERS & set(part.split("_")):
            yield f"{module.name} is called {word!r}: name it for the noun it keeps, and move the rest"


def credits_are_never_floats(module: Module) -> Iterator[str]:
    if module.room not in {"ledger.journal", "ledger.scheme"}:
        return
    owners = _owners(module.tree)
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant | ast.Name):
            continue
        is_float = isinstance(node.value, float) if isinstance(node, ast.Constant) else node.id in {"float", "Decimal"}
        if is_float and (module.name, owners.get(node, "")) not in SECONDS_ALLOWED:
            yield (
                f"{module.name}:{node.lineno} has a float or Decimal: credits are integer minutes. "
                f"If these are seconds of time, allow ({module.name!r}, {owners.get(node, '')!r}) above"
            )


def _owners(tree: ast.Module) -> dict[ast.AST, str]:
    """For each node, the name of what it is assigned or annotated to, else of the function around it."""
    owners: dict[ast.AST, str] = {}

    def walk(node: ast.AST, owner: str) -> None:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                owner = name
            case ast.arg(arg=name) | ast.AnnAssign(target=ast.Name(id=name)):
                owner = name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.keyword(arg=str(name)):
                owner = name
            case ast.AnnAssign(target=ast.Attribute(attr=name)) | ast.Assign(targets=[ast.Attribute(attr=name)]):
                owner = name
        owners[node] = owner
        for child in ast.iter_child_nodes(node):
            walk(child, owner)

    walk(tree, "")
    return owners


def times_have_a_zone(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"utcnow", "utcfromtimestamp"}:
            yield f"{module.name}:{node.lineno} makes a time without a zone: use datetime.now(UTC)"


def the_clock_is_injected(module: Module) -> Iterator[str]:
    if module.name.startswith(ASK_THE_MACHINES_CLOCK):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.ImportFrom(names=names) if any(each.name == "system_clock" for each in names):
                pass
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "today"):
                pass
            case _:
                continue
        remedy = "tests.daytime" if module.name.startswith("tests.") else "a Clock that it is given"
        yield f"{module.name}:{node.lineno} asks the machine's clock: take the time from {remedy}"


def every_module_says_what_it_is(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield f"{module.name} lacks a docstring: what it promises, in what order, what bounds it, what fails"


def a_module_stays_readable(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines > LINES_MAX:
        yield f"{module.name} has {lines} lines, over {LINES_MAX}: make it a folder of the same name"


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    imports_point_down,
    packages_stay_in_their_rooms,
    balances_change_through_the_journal,
    doors_hold_no_sql,
    nothing_is_a_drawer,
    credits_are_never_floats,
    times_have_a_zone,
    the_clock_is_injected,
    every_module_says_what_it_is,
    a_module_stays_readable,
)


def _modules(of: str = "ledger") -> Iterator[Module]:
    for path in sorted((ROOT / of).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Module.parse(name, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Callable[[Module], Iterator[str]]) -> None:
    found = [sentence for module in _modules() for sentence in rule(module)]
    assert not found, "\n" + "\n".join(found)


def test_tests_run_by_day_at_whatever_hour_they_are_run() -> None:
    found = [sentence for module in _modules("tests") for sentence in the_clock_is_injected(module)]
    assert not found, "\n" + "\n".join(found)


def test_a_file_of_tests_stays_readable_too() -> None:
    found = {path.relative_to(ROOT): len(path.read_bytes().splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    long = {path: lines for path, lines in found.items() if lines > LINES_MAX}
    assert not long, f"over {LINES_MAX} lines: make it a folder of the same name, a file for each idea: {long}"


def test_every_folder_of_the_package_is_a_known_room() -> None:
    for module in _modules():
        assert module.room != "ledger" or module.name == "ledger", (
            f"{module.name} is in no room: move it into journal, scheme or doors, or add it to MAY_IMPORT"
        )


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (imports_point_down, "ledger.journal.judge", "from ledger.scheme import hours"),
        (imports_point_down, "ledger.journal.judge", "import ledger.doors.api"),
        (imports_point_down, "ledger.journal.judge", "from ..scheme import hours"),
        (imports_point_down, "ledger.journal.judge", "from ledger.app import run"),
        (imports_point_down, "ledger.scheme.hours", "def f():\n    from ledger.settings import Settings"),
        (imports_point_down, "ledger.scheme.hours", "from ledger.doors.api import problems"),
        (imports_point_down, "ledger.doors.api.keys", "from ledger.doors import cli"),
        (imports_point_down, "ledger.doors.api.keys", "from ledger.settings import Settings"),
        (imports_point_down, "ledger.doors.cli", "from ledger.doors.api import keys"),
        (imports_point_down, "ledger.database", "from ledger.journal import judge"),
        (packages_stay_in_their_rooms, "ledger.scheme.hours", "from litestar import Request"),
        (packages_stay_in_their_rooms, "ledger.doors.api.keys", "import sqlalchemy.ext.asyncio"),
        (packages_stay_in_their_rooms, "ledger.doors.cli", "import asyncpg"),
        (
            balances_change_through_the_journal,
            "ledger.scheme.hours",
            "q = 'UPDATE journal.account SET balance = 1'",
        ),
        (
            balances_change_through_the_journal,
            "ledger.scheme.hours",
            "q = f'insert into journal.{table} values (1)'",
        ),
        (balances_change_through_the_journal, "ledger.scheme.hours", "copy('entry', schema_name='journal')"),
        (balances_change_through_the_journal, "ledger.database", "q = 'DELETE FROM journal.entry'"),
        (doors_hold_no_sql, "ledger.doors.api.keys", "q = 'SELECT 1 FROM scheme.key'"),
        (nothing_is_a_drawer, "ledger.journal.utils", ""),
        (nothing_is_a_drawer, "ledger.scheme.pot_manager", ""),
        (credits_are_never_floats, "ledger.journal.judge", "half = 0.5"),
        (credits_are_never_floats, "ledger.scheme.hours", "def f(minutes: float) -> None: ..."),
        (credits_are_never_floats, "ledger.scheme.hours", "x = float('1')"),
        (times_have_a_zone, "ledger.app", "t = datetime.utcnow()"),
        (the_clock_is_injected, "ledger.scheme.hours", "t = datetime.now(UTC)"),
        (the_clock_is_injected, "ledger.doors.api.keys", "from ledger.scheme.clock import system_clock"),
        (the_clock_is_injected, "tests.doors.house", "t = date.today()"),
        (every_module_says_what_it_is, "ledger.app", "x = 1"),
        (a_module_stays_readable, "ledger.app", "\n" * 601),
    ],
)
def test_each_rule_catches_an_example(rule: Callable[[Module], Iterator[str]], name: str, text: str) -> None:
    assert list(rule(Module.parse(name, text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "ledger.journal.judge",
            '"""J."""\nfrom ledger.database import driver\nfrom ledger.journal import entries',
        ),
        ("ledger.scheme.hours", '"""H."""\nfrom sqlalchemy import text\nq = "SELECT 1 FROM journal.account"'),
        ("ledger.doors.api.keys", '"""K."""\nfrom litestar import get\nfrom ledger.scheme import keys'),
        ("ledger.doors.cli", '"""C."""\nfrom ledger.app import serve\nfrom ledger.settings import Settings'),
    ],
)
def test_what_is_allowed_passes(name: str, text: str) -> None:
    assert [sentence for rule in RULES for sentence in rule(Module.parse(name, text))] == []


def test_examples_are_other_ones_each_time_in_ci_too() -> None:
    assert not hypothesis.settings().derandomize, "tests/conftest.py loads a profile that says so"
