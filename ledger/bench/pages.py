"""Pages against the API calls behind them: what drawing a page adds, in a county of the demo's size.

Each page is fetched by whom it is for, and in turn what a program would ask of the API to know the same, each over a
connection that is kept. The figure is the ratio of the medians; a page may take twice as long as its calls.
"""

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from ledger.bench.http import running_service
from ledger.database import Database
from ledger.scheme import demo
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import day_of, system_clock
from ledger.scheme.people import People
from ledger.scheme.roles import Role, Roles
from ledger.scheme.sessions import Period, Sessions
from ledger.scheme.sign_ins import SignIns, Strength


class Compared(NamedTuple):
    """A page, and the calls that tell the same; opened by Ann, or by whoever has that role at the first project."""

    name: str
    page: str
    calls: Sequence[str]
    role: Role | None = None


COMPARED: Final = (
    Compared(
        "home",
        "/people/{person}",
        (
            "/v1/people/{person}/balance",
            "/v1/people/{person}/statement?limit=3",
            "/v1/people/{person}/bookings",
            "/v1/people/{person}/claims",
            "/v1/people/{person}/gifts",
        ),
    ),
    Compared("statement", "/people/{person}/statement", ("/v1/people/{person}/statement",)),
    Compared("spend", "/spend", ("/v1/offers",)),
    Compared("do", "/do", ("/v1/opportunities",)),
    Compared(
        "approvals",
        "/projects/{project}/approvals",
        ("/v1/projects/{project}/claims?state=submitted",),
        Role.COORDINATOR,
    ),
    Compared(
        "register",
        "/projects/{project}/sessions/{session}/register",
        ("/v1/sessions/{session}", "/v1/sessions/{session}/attendances"),
        Role.COORDINATOR,
    ),
)


async def measure_pages(dsn: str, rounds: int, reads: int) -> dict[str, float]:
    """A ratio for each page of ``COMPARED``, on a freshly migrated database of that DSN, which gets the demo."""
    async with Database.open(dsn) as database:
        county = await demo.load(database, system_clock, "demo")
        assert county is not None, "the database was empty"
        holders = await _holders(database, county)
        cookies = {
            role: await SignIns(database, system_clock).begin(Strength.PASSKEY, holder=holder)
            for role, holder in holders.items()
        }
        session = await _session(database, county)
    names = {"person": county.person.id, "project": county.project.id, "session": session}
    tokens = {None: county.person_token, Role.COORDINATOR: county.project_token}
    figures = {}
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder:
        async with running_service(dsn, Path(folder)) as service, _connected(service.port) as get:
            for compared in COMPARED:
                page = get(compared.page.format_map(names), f"Cookie: sign-in={cookies[compared.role]}")
                calls = [
                    get(call.format_map(names), f"Authorization: Bearer {tokens[compared.role]}")
                    for call in compared.calls
                ]
                ratios = [await _median([page], reads) / await _median(calls, reads) for _ in range(rounds)]
                figures[f"page_{compared.name}_vs_calls"] = statistics.median(ratios)
    return figures


async def _holders(database: Database, county: demo.Demo) -> dict[Role | None, UUID]:
    found: dict[Role | None, UUID] = {None: county.person.holder}
    people = People(database, system_clock)
    for held in await Roles(database, system_clock).page(project=county.project.id, after=None, limit=10):
        if held.person is not None:
            found[held.role] = await people.holder(held.person)
    return found


async def _session(database: Database, county: demo.Demo) -> UUID:
    """The last one that has begun, of whose register the coordinator would be writing."""
    now = system_clock()
    period = Period(first=day_of(now - timedelta(days=14)), last=day_of(now))
    caller = Caller(key=UUID(int=0), scope=Scope.SCHEME, object=None)
    found = await Sessions(database, system_clock).of_project(caller, county.project.id, period, after=None, limit=100)
    return [session.id for session in found if session.started_at <= now][-1]


Get = Callable[[], Awaitable[None]]


async def _median(calls: Sequence[Get], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        for call in calls:
            await call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[Callable[[str, str], Get]]:
    """What makes a GET over one kept connection, by path and the header that says who asks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    def getting(path: str, header: str) -> Get:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode()

        async def get() -> None:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the bench expected an answer 200 of {path} and got {head!r}")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))

        return get

    try:
        yield getting
    finally:
        writer.close()
