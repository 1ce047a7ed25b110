"""A month in a county, over HTTP: projects' registers, redemptions at several venues, a correction, a refund.

It ends in balances that can be checked by hand, in a trial balance of zero, in a log that verifies, and in books that
the accounting tools accept.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledger.database import Database
from ledger.journal.exporting import Form, export
from ledger.journal.verifying import Verified, verify_journal
from ledger.scheme.chart import COMMODITIES
from tests.doors.house import Api, register


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with Api.running(dsn) as running:
        yield running


async def test_a_month_in_a_county(api: Api, database: Database, tmp_path: Path) -> None:
    people: dict[str, dict[str, Any]] = {
        name: await api.person(name) for name in ("Ann", "Bilal", "Carys", "Dev", "Edith")
    }
    ids = {name: person["id"] for name, person in people.items()}

    async def given(project: str, days_ago: int, **minutes: int) -> dict[str, str]:
        """The claims by name."""
        token = coordinators[project]
        body = {ids[name]: amount for name, amount in minutes.items()}
        recorded = await api.made(f"/v1/projects/{project}/registers", register(body, days_ago=days_ago), token=token)
        return dict(zip(minutes, recorded["claims"], strict=True))

    async def spent(offer: str, name: str, *, capture: bool = True) -> str:
        body = {**await api.visit(offer, ids[name]), "capture": capture}
        return str((await api.made("/v1/redemptions", body, token=tills[offer]))["id"])

    async def done(redemption: str, offer: str, act: str, body: object = None) -> None:
        await api.made(f"/v1/redemptions/{redemption}/{act}", body, token=tills[offer])

    # The cast: two projects with their coordinators' keys, three venues with an offer and a till each.
    repair, garden = await api.project("Repair cafe"), await api.project("The garden room")
    coordinators = {project: await api.key("project", project) for project in (repair, garden)}
    pool, theatre, tower = [await api.venue(name) for name in ("Pool", "Theatre", "Tower")]
    swim, seat, ticket = (
        await api.offer(pool, 60, "A swim"),
        await api.offer(theatre, 120, "A seat"),
        await api.offer(tower, 180, "A ticket"),
    )
    tills = {offer: await api.key("venue", venue) for offer, venue in ((swim, pool), (seat, theatre), (ticket, tower))}

    # Week 1: 2 h 40 becomes 165, 1 h 20 becomes 75. Week 2: the garden, with a slip: Dev's 345 should be 45.
    await given(repair, 28, Ann=165, Bilal=75, Carys=150)
    claims = await given(garden, 21, Dev=345, Edith=120)
    await given(repair, 14, Ann=150, Bilal=150)
    assert await api.balance(ids["Ann"]) == (315, 0)

    # The correction, by a new entry; the register stays as it was.
    slip = {"minutes": 45, "reason": "It was 45 minutes, not all morning"}
    await api.made(f"/v1/claims/{claims['Dev']}/corrections", slip, token=coordinators[garden])
    assert await api.balance(ids["Dev"]) == (45, 0)

    # Spending: swims, a seat put on hold and captured, one given back, half a swim refunded.
    await spent(swim, "Ann")
    await spent(swim, "Bilal")
    booked = await spent(seat, "Carys", capture=False)
    assert await api.balance(ids["Carys"]) == (30, 120)
    await done(booked, seat, "capture", {})
    given_back = await spent(seat, "Edith", capture=False)
    await done(given_back, seat, "void")
    visit = await spent(ticket, "Ann")
    await done(visit, ticket, "refund", {"minutes": 90})

    # Dev has 45 and a swim is 60.
    answer = await api.post("/v1/redemptions", await api.visit(swim, ids["Dev"]), tills[swim])
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_credits")

    balances = {name: await api.balance(id_) for name, id_ in ids.items()}
    assert balances == {
        "Ann": (165 + 150 - 60 - 180 + 90, 0),
        "Bilal": (75 + 150 - 60, 0),
        "Carys": (150 - 120, 0),
        "Dev": (45, 0),
        "Edith": (120, 0),
    }
    issued = 165 + 75 + 150 + 120 + 150 + 150 + 45
    assert await api.trial_balance() == {
        "issued": -issued,
        "wallet": issued - (60 + 60 + 120 + 90),
        "redeemed": 60 + 60 + 120 + 90,
    }
    entries = (await api.get("/v1/entries", limit=200)).json()["entries"]
    assert [entry["position"] for entry in entries] == list(range(1, len(entries) + 1))
    assert {entry["kind"] for entry in entries} == {
        *("plain", "hold", "capture", "void", "refund"),
    }

    await _closes(database, entries, tmp_path)


async def _closes(database: Database, entries: list[dict[str, Any]], tmp_path: Path) -> None:
    """The log verifies, and the accounting tools accept the books."""
    connection = await database.connect()
    try:
        verified = await verify_journal(connection)
        books = {
            form: "".join([part async for part in export(connection, form, commodities=COMMODITIES)]) for form in Form
        }
    finally:
        await connection.close()
    assert isinstance(verified, Verified)
    assert verified.entries == len(entries)
    assert all(entry["id"] in books[Form.JSONL] and entry["id"] in books[Form.CSV] for entry in entries)
    await _accepts([Path(sys.executable).parent / "bean-check"], tmp_path / "books.beancount", books[Form.BEANCOUNT])
    if hledger := shutil.which("hledger"):
        await _accepts([hledger, "check", "--strict", "-f"], tmp_path / "books.hledger", books[Form.HLEDGER])


async def _accepts(tool: list[Any], file: Path, book: str) -> None:
    file.write_text(book, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *tool, file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
