"""The service by a clock on the wall, and short words for what is done with a session.

A test sets the clock: `wall.set("10:30")` and then `act(api, session, person, "check-in")`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.scheme.sessions import close_forgotten
from tests.doors.house import Api

LONDON = ZoneInfo("Europe/London")
# What may be done about somebody's attendance: see `act`.
VERBS = ("book", "unbook", "check-in", "check-out", "absent")


class Wall:
    """The clock on the wall, which a test sets: `at("10:30")` is that time in London on the day it shows."""

    def __init__(self, day: str = "2026-11-14", time: str = "09:00") -> None:
        self.now = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=LONDON).astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def at(self, time: str, day: str = "", *, fold: int = 0) -> str:
        """A moment as JSON has it; the second of two with fold=1."""
        day = day or self.now.astimezone(LONDON).date().isoformat()
        moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=LONDON, fold=fold)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def set(self, time: str, day: str = "", *, fold: int = 0) -> None:
        self.now = datetime.fromisoformat(self.at(time, day, fold=fold))


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def api(dsn: str, wall: Wall) -> AsyncIterator[Api]:
    """The service by the clock on the wall."""
    async with Api.running(dsn, clock=wall) as running:
        yield running


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def planned(
    api: Api, wall: Wall, project: str, began: str = "10:00", ended: str = "12:30", **more: object
) -> str:
    body = {"started_at": wall.at(began), "ended_at": wall.at(ended), **more}
    return str((await api.made(f"/v1/projects/{project}/sessions", body))["sessions"][0]["id"])


async def opportunity(api: Api, project: str, places: int | None = None) -> str:
    body = {"title": "Mend a lamp", "kind": "weekly", "places": places}
    made = str((await api.made(f"/v1/projects/{project}/opportunities", body))["id"])
    await api.made(f"/v1/opportunities/{made}/publish")
    return made


async def book(api: Api, session: str, person: str, token: str | None = None) -> httpx.Response:
    return await api.post(f"/v1/sessions/{session}/attendances", {"person": person}, token)


async def act(  # noqa: PLR0917  # who, where, what and when read best in a row
    api: Api, session: str, person: str, verb: str, at: str | None = None, token: str | None = None
) -> httpx.Response:
    """Check somebody in or out, or call them absent; or book or unbook them."""
    path = f"/v1/sessions/{session}/attendances/{person}"
    if verb == "book":
        return await book(api, session, person, token)
    if verb == "unbook":
        return await api.send("DELETE", path, None, token)
    body = None if verb == "absent" else {} if at is None else {"at": at}
    return await api.post(f"{path}/{verb}", body, token)


async def listed(api: Api, session: str) -> list[tuple[str, str]]:
    found = (await api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    return [(one["name"], one["state"]) for one in found]


async def claims(owner: asyncpg.Connection, session: str | None = None) -> list[dict[str, Any]]:
    rows = await owner.fetch("SELECT * FROM scheme.claim ORDER BY created_at, started_at, id")
    return [dict(row) for row in rows if session in {None, str(row["session"])}]


async def topics(owner: asyncpg.Connection) -> list[str]:
    return [row["topic"] for row in await owner.fetch("SELECT topic FROM scheme.outbox ORDER BY topic")]


async def forgotten(dsn: str, now: datetime) -> int:
    """A run of the periodic work at that moment."""
    async with Database.open(dsn) as database, database.transaction() as connection:
        return await close_forgotten(driver(connection), now)
