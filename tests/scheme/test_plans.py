"""Every statement of the scheme reads by index, however many people there are.

The statements are found in the code: whatever a module of the scheme hands to the database. Each is planned as the
service has it planned, for any arguments, on a nation's tables; what it would read from end to end is a table that
stays small or stands below with its reason. So a new statement is looked at without being listed anywhere.
"""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

import ledger.scheme
from ledger.database import Database
from ledger.scheme import claims, copies, erasure, outbox, standing
from tests.scheme.nation import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from tests.conftest import Postgres

# Read from end to end by whichever statement: these don't grow with the people.
SMALL: Mapping[str, str] = {
    "directory": "one row",
    "head": "likewise",
    "expiry": "likewise",
    "work": "a row for each job",
    "rules": "a row for each change of the rules: some dozens in a lifetime",
    "rules_pkey": "the same",
    "project": "some thousands in a nation",
    "venue": "likewise",
    "site": "one or two for each venue",
    "offer": "some thousands in a nation, and whoever looks for the nearest looks at all that are published",
    "offer_published": "the same",
    "district": "3,000 in the kingdom",
    "group": "likewise",
    "allocation": "a grant or two a year for each project that has a cap",
    "batch": "an afternoon at a printer each: some hundreds a year",
    "batch_printed_at": "likewise",
    "recovery": "two of the staff for each: some dozens a year",
    "recovery_live": "those that wait for the second: fewer yet",
}
# A module, and the table or index that it may read from end to end.
WHOLE: Mapping[tuple[str, str], str] = {
    ("overview", "letter_waiting"): "what is to be sent yet, until so many are counted",
    ("seeking", "opportunity_published"): "a few for each project, and whoever looks for the nearest looks at all",
    ("sessions", "attendance_open"): "whoever is checked in at this moment, looked through for who should not be",
    ("outbox", "outbox_waiting"): "in its order, until the page is full; what was delivered isn't in it",
    ("outbox", "outbox_at"): "likewise, and for an operator who asks for what was delivered too",
    ("letters", "letter_waiting"): "a demo's, where there are few",
}


# --- the statements ---------------------------------------------------------------------------------------------

_CALLS = {"fetch", "fetchrow", "fetchval", "execute", "executemany", "prepare", "cursor"}


def statements() -> dict[str, str]:
    """Each statement that the scheme sends, and where it does so first."""
    found: dict[str, str] = {}
    folder = Path(ledger.scheme.__path__[0])
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        module = importlib.import_module(f"ledger.scheme.{name}".removesuffix(".__init__"))
        for line, text in sent(path.read_text(encoding="utf-8"), vars(module)):
            if text.split(maxsplit=1)[0] in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}:
                found.setdefault(text, f"{name}:{line}")
            else:
                assert text.startswith("SET "), f"{name}:{line}: what kind of a statement is this? {text}"
    return found


def sent(source: str, names: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """What a module of that text and these names gives to a connection, with the line; one that can't be told fails."""
    tree = ast.parse(source)
    loops = {
        node.target.id: node.iter
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name)
    }

    def read(node: ast.expr) -> Iterator[str]:
        match node:
            case ast.IfExp():
                yield from read(node.body)
                yield from read(node.orelse)
            case ast.Subscript(value=of):  # any of a mapping
                yield from value(of).values()
            case ast.Name(id=name) if name in loops:
                yield from value(loops[name])
            case _:
                yield value(node)

    def value(node: ast.expr) -> Any:  # noqa: ANN401  # whatever the module holds
        return eval(ast.unparse(node), names)  # noqa: S307  # our own code

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS:
            for text in read(node.args[0]):
                yield node.lineno, text


def test_the_statements_are_found_wherever_they_are_written() -> None:
    found = statements()
    expected = {claims._WAITING, standing._STANDING, outbox._ALL, outbox._WAITING, *copies._PARTS.values()}
    assert expected | set(erasure._THEIR_WORDS) <= found.keys()
    assert claims._CLAIMS not in found, "a piece is no statement"
    assert len(found) > 150


def test_a_statement_that_cannot_be_told_is_not_passed_over() -> None:
    with pytest.raises(NameError):
        list(sent("async def f(raw, words): await raw.fetch(words)", {}))


# --- their plans ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def nation(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of a database of a nation's size."""
    name = await postgres.create()
    try:
        owner: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
        await settle(owner)
        await owner.close()
        yield postgres.dsn(name)
    finally:
        await postgres.drop(name)


class Planner:
    """Plans statements as the service's sessions have them planned: once, for any arguments."""

    def __init__(self, connection: asyncpg.Connection, leading: Mapping[str, str]) -> None:
        self._connection = connection
        self._leading = leading

    @classmethod
    async def opened(cls, connection: asyncpg.Connection) -> Planner:
        rows = await connection.fetch(
            "SELECT c.relname AS name, pg_get_indexdef(c.oid, 1, true) AS leading FROM pg_class c WHERE c.relkind = 'i'"
        )
        return cls(connection, {row["name"]: row["leading"] for row in rows})

    async def reads_whole(self, text: str) -> set[str]:
        """The tables and indexes that the statement would read from end to end."""
        await self._connection.execute(f"PREPARE planned AS {text}")
        arguments = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", text))))
        plan = await self._connection.fetchval(
            f"EXPLAIN (FORMAT JSON) EXECUTE planned{f'({arguments})' if arguments else ''}"
        )
        await self._connection.execute("DEALLOCATE planned")
        return read_whole(plan[0]["Plan"], self._leading)


def read_whole(plan: Mapping[str, Any], leading: Mapping[str, str]) -> set[str]:
    """The tables and indexes that a plan reads from end to end.

    Of an index, that is so unless the first of its columns is compared: by the others alone it is only sifted.
    """
    found = set()
    if plan["Node Type"] == "Seq Scan":
        found.add(plan["Relation Name"])
    elif "Index Name" in plan:
        compared = re.sub(r"\b\w+\.", "", plan.get("Index Cond", ""))  # without the tables' names
        compared = re.sub(r"\((\w+)\)(?=::)", r"\1", compared)  # and as an index of an expression is written
        column = leading[plan["Index Name"]]
        if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", compared) is None:
            found.add(plan["Index Name"])
    return found.union(*(read_whole(part, leading) for part in plan.get("Plans", ())))


async def test_the_nation_has_every_table(nation: str) -> None:
    """An empty table would be read by index or from end to end, as it happens, and say nothing."""
    connection = await asyncpg.connect(nation)
    rows = await connection.fetch("""
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'scheme'::regnamespace AND relkind = 'r' AND reltuples <= 0
    """)
    await connection.close()
    assert {row["name"] for row in rows} <= SMALL.keys()


async def test_no_statement_reads_a_table_that_grows_from_end_to_end(nation: str) -> None:
    used: set[tuple[str, str]] = set()
    wrong = []
    async with Database.open(nation) as database:
        connection = await database.connect()
        planner = await Planner.opened(connection)
        for text, place in statements().items():
            module = place.partition(":")[0]
            whole = {(module, name) for name in await planner.reads_whole(text) - SMALL.keys()}
            used |= whole
            wrong += [f"{place} reads all of {name}:\n{text}" for _, name in whole - WHOLE.keys()]
        await connection.close()
    assert not wrong, "\n".join(wrong)
    assert used == WHOLE.keys(), "what needs no exception any more is none"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("SELECT count(*) FROM scheme.claim WHERE by = $1", {"claim"}),
        ("SELECT id FROM scheme.holder WHERE CASE WHEN $1::uuid IS NULL THEN id = $2 ELSE person = $1 END", {"holder"}),
        ("SELECT id FROM scheme.outbox WHERE topic = $1 ORDER BY at, id LIMIT $2", {"outbox_at"}),
        ("SELECT minutes FROM scheme.claim WHERE id = $1", set()),
        ("SELECT id FROM scheme.claim WHERE holder = $1 AND day > $2", set()),
    ],
)
async def test_a_scan_would_be_noticed(nation: str, text: str, whole: set[str]) -> None:
    async with Database.open(nation) as database:
        connection = await database.connect()
        planner = await Planner.opened(connection)
        assert await planner.reads_whole(text) == whole
        await connection.close()


@pytest.mark.parametrize(
    ("condition", "whole"),
    [("(c.holder = $1)", {"once"}), ("((c.session = u.session) AND (c.holder = $1))", set()), (None, {"once"})],
)
def test_an_index_that_is_only_sifted_is_read_whole(condition: str | None, whole: set[str]) -> None:
    scan = {"Node Type": "Index Scan", "Index Name": "once", **({"Index Cond": condition} if condition else {})}
    assert read_whole({"Node Type": "Limit", "Plans": [scan]}, {"once": "session"}) == whole


async def test_what_goes_with_another_row_is_found_by_an_index(owner: asyncpg.Connection) -> None:
    """Foreign keys are looked up by PostgreSQL itself when the row that they name is deleted: in no plan of ours."""
    rows = await owner.fetch("""
        SELECT f.conname AS name, EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = f.conrelid AND i.indpred IS NULL AND i.indkey[0] = ANY(f.conkey)
        ) AS found
        FROM pg_constraint f
        WHERE f.contype = 'f' AND f.connamespace = 'scheme'::regnamespace
            AND (f.confdeltype IN ('c', 'n') OR has_table_privilege('timecredits_app', f.confrelid, 'DELETE'))
    """)
    assert {"helping_helped_fkey", "consent_guardian_fkey", "holder_person_fkey"} <= {row["name"] for row in rows}
    assert [row["name"] for row in rows if not row["found"]] == []
