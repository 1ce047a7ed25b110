"""The service whose requests are cancelled, all that they are about, and what stands in its tables."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import asyncpg
import httpx
import msgspec

from ledger.app import serving
from ledger.database import Database
from ledger.scheme.callers import Scope
from ledger.scheme.keys import Keys
from ledger.scheme.roles import Roles
from tests.daytime import daytime
from tests.doors.house import SETTINGS, Api, register
from tests.doors.web.entrance import Entrance

# What the journal keeps of entries. Its other tables grow by themselves, or only by what is the first of its kind.
_JOURNAL = ["journal.entry", "journal.transfer", "journal.detail", "journal.refusal", "journal.refusal_detail"]


class Request(NamedTuple):
    """A request as it is sent, how many entries it posts, and what else tells that it was done.

    The ``token`` is a key's; of a page, the cookie of whoever is signed in.
    """

    path: str
    body: object = None
    token: str | None = None
    entries: int = 0
    changed: str = ""
    """SQL: a figure that it changes, of what no new row tells."""
    repeats: bool = True
    """Whether it may be asked again without a key, and changes nothing then."""
    batched: bool = False
    """Whether the batcher writes it, by itself: perhaps a moment after we looked."""


class House:
    """A service with one pooled connection, so that a request which kept it would be the last; and all its cast."""

    def __init__(self, api: Api, owner: asyncpg.Connection, entrance: Entrance) -> None:
        self.api = api
        self.owner = owner
        self.entrance = entrance
        self.project = self.venue = self.offer = self.till = self.group = self.guardian = self.published = ""
        self.keyed: dict[tuple[str, str], bool] = {}
        """Every route that the service has, and whether it takes an Idempotency-Key."""
        self._numbers = itertools.count(1)
        self._rows = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, folder: Path) -> AsyncIterator[Self]:
        settings = msgspec.structs.replace(SETTINGS, pool_size=1, data=folder)
        owner = await asyncpg.connect(dsn)
        try:
            async with (
                serving(settings, dsn, clock=daytime, tested=True) as app,
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
                Database.open(dsn) as database,
            ):
                keys = Keys(database, daytime, "test")
                _, scheme = await keys.create(Scope.SCHEME, None, "tests")
                house = cls(Api(client, scheme, keys, Roles(database, daytime)), owner, Entrance(database, daytime))
                await house._furnish()
                yield house
        finally:
            await owner.close()

    async def _furnish(self) -> None:
        api = self.api
        self.project, self.venue = await api.project(), await api.venue()
        self.offer, self.till = await api.offer(self.venue, price=15), await api.key("venue", self.venue)
        self.group = (await api.made("/v1/groups", {"name": "Choir"}))["id"]
        self.guardian = (await api.person("Dee"))["id"]
        self.published = await self.opportunity("publish")
        # High enough that no week's kind note comes into some rounds and not into others.
        assert (await api.send("PATCH", "/v1/rules", {"weekly_note_minutes": 10_000})).status_code == 200
        document = (await api.get("/docs/openapi.json")).json()
        self.keyed = {
            (method.upper(), path): any(each["name"] == "Idempotency-Key" for each in found.get("parameters", ()))
            for path, methods in document["paths"].items()
            for method, found in methods.items()
        }
        tables = await self.owner.fetch(
            "SELECT format('scheme.%I', tablename) FROM pg_tables WHERE schemaname = 'scheme' ORDER BY tablename"
        )
        names = [*(name for (name,) in tables), *_JOURNAL]
        self._rows = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in names)

    async def rows(self, asked: Request) -> dict[str, int]:
        """How many rows each table has, and the figure that the request changes: all of one moment."""
        changed = f" UNION ALL SELECT 'changed', ({asked.changed})" if asked.changed else ""
        return {row["name"]: row["rows"] for row in await self.owner.fetch(self._rows + changed)}

    def number(self) -> int:
        """Another one each time."""
        return next(self._numbers)

    # --- what requests are about -------------------------------------------------------------------------

    async def person(self, **known: object) -> dict[str, Any]:
        return await self.api.made("/v1/people", {"name": "Ann", **known})

    async def child(self) -> dict[str, Any]:
        """Of ten, with a guardian, and with an hour that was approved and waits for a consent."""
        child = await self.person(age_band="8_to_15")
        await self.api.made(f"/v1/people/{child['id']}/guardians", {"guardian": self.guardian})
        await self.api.give(self.project, {child["id"]: 60})
        return child

    async def consent(self, child: dict[str, Any]) -> str:
        body = {"guardian": self.guardian}
        return str((await self.api.made(f"/v1/people/{child['id']}/consents", body))["id"])

    async def project_of(self, status: str) -> str:
        body = {"name": "Choir", "alias": "Mondays", "status": status}
        return str((await self.api.made("/v1/projects", body))["id"])

    def hours(self, person: dict[str, Any], **more: object) -> dict[str, Any]:
        """Hours that somebody gave yesterday, as JSON."""
        times = register({}, hours=1)
        del times["lines"]
        return {"project": self.project, "person": person["id"], **times, **more}

    async def claim(self, **more: object) -> str:
        """Somebody's claim."""
        return str((await self.api.made("/v1/claims", self.hours(await self.person(), **more)))["id"])

    async def opportunity(self, status: str = "draft") -> str:
        body = {"title": "Soup kitchen", "kind": "weekly"}
        made = str((await self.api.made(f"/v1/projects/{self.project}/opportunities", body))["id"])
        if status != "draft":
            await self.api.made(f"/v1/opportunities/{made}/{status}")
        return made

    async def session(self, *, begun: bool = False) -> str:
        """One that goes on now, or is tomorrow, and that anybody may come to."""
        starts = daytime() + (timedelta(hours=-2) if begun else timedelta(days=1))
        times = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=4)).isoformat()}
        body = {**times, "opportunity": self.published}
        made = await self.api.made(f"/v1/projects/{self.project}/sessions", body)
        return str(made["sessions"][0]["id"])

    async def booked(self, *, begun: bool = False) -> tuple[str, str]:
        """A session, and who is expected there."""
        session, person = await self.session(begun=begun), await self.person()
        await self.api.made(f"/v1/sessions/{session}/attendances", {"person": person["id"]})
        return session, person["id"]

    async def redeemed(self, *, capture: bool) -> str:
        """A visit, or a hold for one."""
        ann = await self.person()
        await self.api.give(self.project, {ann["id"]: 15})
        body = {**await self.api.visit(self.offer, ann["id"]), "capture": capture}
        return str((await self.api.made("/v1/redemptions", body, token=self.till))["id"])


Prepare = Callable[[House], Awaitable[Request]]


def count(table: str, where: str) -> str:
    """SQL that counts the rows which are so."""
    return f"SELECT count(*) FROM {table} WHERE {where}"
