"""A service under test: started whole on a database, spoken to over HTTP, with short words for what tests need."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import msgspec

from ledger.app import serving
from ledger.database import Database
from ledger.journal import log
from ledger.scheme.callers import OPERATOR, Scope
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.keys import Keys
from ledger.scheme.roles import Grant, Role, Roles
from ledger.settings import Settings
from tests.daytime import daytime

# Places and limits: no credits, and in nobody's way in a test of something else.
COUNTERS = frozenset({"allowance", "held_allowance", "honoured", "limit", "held_limit", "counted"})
# By which staff make somebody known and able to ask: in the acts of everybody in a test.
SCENERY = frozenset({"person_added", "key_made"})
SETTINGS = Settings(environment="test", pool_size=8)
# Signing keys, a folder for each database: services on one database share a key, as in life.
_KEYS = tempfile.TemporaryDirectory(prefix="ledger-tests-keys-")
_numbers = itertools.count(1)
# On which a key in somebody's name stands.
_ROLES = {"project": Role.COORDINATOR, "scheme": Role.STAFF, "auditor": Role.AUDITOR}


def settings_for(dsn: str) -> Settings:
    """The settings of a service on that database."""
    return msgspec.structs.replace(SETTINGS, data=Path(_KEYS.name) / urlsplit(dsn).path.strip("/"))


async def written(owner: asyncpg.Connection) -> dict[str, tuple[int, int]]:
    """What stands in each table there is: how many rows, and a sum that changes with each that is written anew.

    But for checkpoints: those the service signs by itself, whether anybody asks for anything or not.
    """
    tables = [row["name"] for row in await owner.fetch(_TABLES)]
    counted = " UNION ALL ".join(
        f"SELECT '{name}', count(*), coalesce(sum(xmin::text::bigint), 0)::bigint FROM {name}" for name in tables
    )
    return {name: (rows, sum_) for name, rows, sum_ in await owner.fetch(counted)}


_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name
FROM pg_tables WHERE schemaname IN ('journal', 'scheme') AND tablename <> 'checkpoint'
"""


class Api:
    """A running service and a key of its scheme. Ids and tokens are the texts that JSON has."""

    def __init__(
        self, client: httpx.AsyncClient, scheme: str, keys: Keys, roles: Roles, clock: Clock = daytime
    ) -> None:
        self.client = client
        self.scheme = scheme
        self.keys = keys
        self.roles = roles
        self.clock = clock

    @classmethod
    @asynccontextmanager
    async def running(
        cls, dsn: str, *, scheme: str = "", clock: Clock = daytime, settings: Settings | None = None
    ) -> AsyncIterator["Api"]:
        """The service on that database, without what comes round; a second one may be given the first one's key."""
        async with (
            serving(settings or settings_for(dsn), dsn, clock=clock, tested=True) as app,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
            Database.open(dsn) as database,
        ):
            keys = Keys(database, clock, "test")
            if not scheme:
                _, scheme = await keys.create(Scope.SCHEME, None, "tests")
            yield cls(client, scheme, keys, Roles(database, clock), clock)

    @property
    def application(self) -> Callable[..., Any]:
        """The service as an ASGI application."""
        transport = self.client._transport
        assert isinstance(transport, httpx.ASGITransport)
        return transport.app

    async def get(self, path: str, token: str | None = None, **query: object) -> httpx.Response:
        return await self.client.get(
            path,
            headers={"authorization": f"Bearer {token or self.scheme}"},
            params={name: str(value) for name, value in query.items()},
        )

    async def post(
        self, path: str, body: object = None, token: str | None = None, key: str | None = None
    ) -> httpx.Response:
        """Post JSON with an Idempotency-Key: a fresh one unless one is given, none if it is empty."""
        headers = {"authorization": f"Bearer {token or self.scheme}"}
        if key != "":
            headers["idempotency-key"] = key or f"key-{next(_numbers)}"
        return await self.client.post(path, json=body, headers=headers)

    async def send(self, method: str, path: str, body: object = None, token: str | None = None) -> httpx.Response:
        """Any other method: what needs no key."""
        headers = {"authorization": f"Bearer {token or self.scheme}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def made(self, path: str, body: object = None, **options: str) -> dict[str, Any]:
        """The body of a post that succeeds."""
        answer = await self.post(path, body, **options)
        assert answer.status_code in {200, 201}, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def acts(self, person: str, token: str | None = None) -> list[dict[str, Any]]:
        """What was done for or about somebody, oldest first; not what the operator and staff did to make the scene."""
        found = (await self.get(f"/v1/people/{person}/acts", token)).json()["acts"]
        return [act for act in reversed(found) if act["verb"] not in SCENERY and act["key"] != str(OPERATOR.key)]

    # --- the cast ---------------------------------------------------------------------------------------

    async def key(self, scope: str, object_: str | None = None, *, person: str | None = None) -> str:
        """A key; `person` is whose it is, by their id: as only the operator says it, who gives them the role for it."""
        if person is not None:
            of, whose = UUID(object_) if object_ else None, UUID(person)
            if scope in _ROLES:
                grant = Grant(person=whose, role=_ROLES[scope], project=of)
                await self.roles.grant(OPERATOR, f"role-{next(_numbers)}", grant)
            return (await self.keys.create(Scope(scope), of, "their own", person=whose))[1]
        body = {"scope": scope, "object": object_, "label": "a till"}
        return str((await self.made("/v1/keys", body))["token"])

    async def till(self, venue: str) -> str:
        """The key of a new till there."""
        return await self.key("venue", venue)

    async def card(self, person: str) -> str:
        """The code of that person's card, which they are given if they have none."""
        issued = await self.post(f"/v1/people/{person}/cards", {})
        if issued.status_code == 201:
            return str(issued.json()["code"])
        found = (await self.get(f"/v1/people/{person}/credentials")).json()["credentials"]
        card = next(each["id"] for each in found if each["kind"] == "card" and each["status"] == "active")
        return str((await self.get(f"/v1/credentials/{card}/code")).json()["code"])

    async def visit(self, offer: str, person: str) -> dict[str, Any]:
        """What a till asks for when that person shows their card."""
        return {"offer": offer, "code": await self.card(person), "name_checked": True}

    async def person(self, name: str = "Ann") -> dict[str, Any]:
        return await self.made("/v1/people", {"name": name})

    async def project(self, name: str = "Repair cafe") -> str:
        return str((await self.made("/v1/projects", {"name": name, "alias": "Saturdays"}))["id"])

    async def venue(self, name: str = "Parkside pool") -> str:
        return str((await self.made("/v1/venues", {"name": name}))["id"])

    async def offer(self, venue: str, price: int = 60, title: str = "A swim", **terms: object) -> str:
        """A published offer of these terms."""
        body = {"title": title, "price": price, "terms": terms}
        offer = await self.made(f"/v1/venues/{venue}/offers", body)
        await self.made(f"/v1/offers/{offer['id']}/publish")
        return str(offer["id"])

    async def give(self, project: str, given: Mapping[str, int], *, days_ago: int = 1) -> dict[str, Any]:
        """Record a register: minutes by person."""
        return await self.made(
            f"/v1/projects/{project}/registers", register(given, days_ago=days_ago, clock=self.clock)
        )

    async def balance(self, person: str) -> tuple[int, int]:
        """Available and held."""
        found = (await self.get(f"/v1/people/{person}/balance")).json()
        return found["available"], found["held"]

    async def trial_balance(self) -> dict[str, int]:
        """The sums of credits by kind, those of zero left out; their total is zero. Places are no credits."""
        found = (await self.get("/v1/trial-balance")).json()
        assert found["total"] == 0
        return {
            kind["kind"]: kind["balance"] for kind in found["kinds"] if kind["balance"] and kind["kind"] not in COUNTERS
        }


async def sign(dsn: str) -> None:
    """Sign for everything that stands in the journal, as the service does every ten seconds."""
    settings = settings_for(dsn)
    async with Database.open(dsn) as database:
        connection = await database.connect()
        try:
            notary = log.Notary.open(settings.signing_key_path, settings.origin)
            await log.sign_next(connection, notary, daytime)
        finally:
            await connection.close()


def register(given: Mapping[str, int], *, days_ago: int = 1, hours: int = 8, clock: Clock = daytime) -> dict[str, Any]:
    """A register's JSON: a session that began so many days ago, at this time of day in London.

    By another clock two days were one day there, late at night before the clocks went back.
    """
    started = (clock().astimezone(LONDON).replace(microsecond=0) - timedelta(days=days_ago)).astimezone(UTC)
    return {
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(hours=hours)).isoformat(),
        "lines": [{"person": person, "minutes": minutes} for person, minutes in given.items()],
    }
