"""The OpenAPI document is kept: schemathesis asks every route for what the document allows and for what it doesn't.

A route may answer what the document says of it and nothing else, and never with 5xx: in single requests (the examples,
every boundary, random ones) and in chains that follow ids from one answer into the next request. Routes are taken from
the document, so a new one is asked as soon as it is served.

Off, as they can't be: see `contract/schemathesis.toml`. `Problem` as `default` of every operation is taken out of the
document before, for "or anything else" is no promise that could be broken.

schemathesis runs as its own process: its pytest fixtures don't go together with pytest 9.2 (4.32).
"""

import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
import pytest

from ledger.database import Database
from ledger.journal.verifying import Verified, verify_journal
from ledger.scheme.callers import Scope
from ledger.scheme.keys import Keys
from tests.doors.contract.links import add_links, operations
from tests.doors.contract.service import NOW, Scheme, answering
from tests.journal.conftest import audit

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "contract" / "schemathesis.toml"
SOAK_SECONDS = 180  # for each run, again and again from single requests to chains
# Of all routes; the others are asked too, but need states that chance rarely makes.
SUCCEEDING = 0.85


class Report(NamedTuple):
    """How it ended, and what schemathesis said."""

    passed: bool
    said: str


class House:
    """A running service with a scheme in it, and schemathesis to ask it."""

    def __init__(self, base: str, boss: str, dsn: str, folder: Path, *, soak: bool) -> None:
        self._base = base
        self._folder = folder
        # CI asks the same every time; the night goes on asking, and something else each time.
        self._effort = (
            ("--seed", str(secrets.randbits(32)), "--max-time", str(SOAK_SECONDS)) if soak else ("--seed", "1")
        )
        with httpx.Client(base_url=base) as client:
            self._scheme = Scheme(client, boss, dsn)
        self.document = self._scheme.document
        for _, _, operation in operations(self.document):
            del operation["responses"]["default"]
        add_links(self.document)

    async def asked(self, *options: str, examples: int, scope: str = "") -> Report:
        """So many examples asked, and of chains as many; with the key of that scope wherever it may be used."""
        given = {
            "document": self.document,
            "tokens": self._scheme.tokens,
            "keys": self._scheme.keys,
            "ids": self._scheme.known.ids,
            "scope": scope,
        }
        for name, content in (("given", given), ("document", self.document)):
            (self._folder / f"{name}.json").write_text(json.dumps(content))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", "document.json"),
            *("--url", self._base, "--no-color", "--max-examples", str(examples), *self._effort, *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._folder,
            env={
                **os.environ,
                "CONTRACT": "given.json",
                "PYTHONPATH": str(ROOT),
                "PYTHONHASHSEED": "0",
                "COLUMNS": "120",
            },
        )
        said, _ = await process.communicate()
        return Report(process.returncode == 0, said.decode())

    async def succeeded(self) -> set[str]:
        """The routes that have answered with success, as the service counts them."""
        async with httpx.AsyncClient(base_url=self._base) as client:
            metrics = (await client.get("/metrics")).text
        counted = re.findall(r'^http_requests_total\{method="(\w+)",route="([^"]+)",status="2', metrics, re.MULTILINE)
        return {f"{method} {route}" for method, route in counted}


@pytest.fixture
async def house(dsn: str, database: Database, tmp_path: Path, *, soak: bool) -> AsyncIterator[House]:
    """Whatever was asked of it, in the end its books balance and its log verifies."""
    with answering(dsn) as base:
        _, boss = await Keys(database, lambda: NOW, "test").create(Scope.SCHEME, None, "tests")
        yield await asyncio.to_thread(House, base, boss, dsn, tmp_path, soak=soak)
    connection: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await audit(connection)
        assert isinstance(await verify_journal(connection), Verified)
        assert await connection.fetchval("SELECT sum(balance) FROM journal.kind") == 0
    finally:
        await connection.close()


async def test_every_route_answers_as_the_document_says(house: House) -> None:
    report = await house.asked(examples=10)
    assert report.passed, report.said
    routes = {f"{method} {path}" for method, path, _ in operations(house.document)}
    never = sorted(routes - await house.succeeded())
    assert len(never) <= len(routes) * (1 - SUCCEEDING), f"never asked with success: {never}\n{report.said}"


@pytest.mark.parametrize("scope", list(Scope))
async def test_so_it_does_in_chains_with_a_key_of_each_scope(house: House, scope: Scope) -> None:
    report = await house.asked("--phases", "stateful", examples=4, scope=scope)
    assert report.passed, report.said


async def test_a_document_that_is_not_kept_is_found_out(house: House) -> None:
    """Three promises that are none: a status left out, a field too many, a value that is never taken."""
    del house.document["paths"]["/v1/projects/{project}"]["get"]["responses"]["404"]
    schemas = house.document["components"]["schemas"]
    schemas["Project"]["required"].append("colour")
    schemas["ProjectInput"]["properties"]["name"] = {"type": "integer"}
    only = ("--include-path-regex", "^/v1/projects($|/{project}$)", "--phases", "examples,coverage")
    report = await house.asked(*only, examples=1)
    assert not report.passed
    for found in ("Undocumented status code", "Response violates schema", "Schema-valid request rejected"):
        assert found in report.said
