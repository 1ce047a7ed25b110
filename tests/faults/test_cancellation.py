"""Clients that go away: a request cancelled at each of its awaits, for every route that changes something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import msgspec
import pytest

from ledger.app import serving
from ledger.database import Database
from ledger.scheme.clock import system_clock
from ledger.scheme.keys import Keys, Scope
from tests.conftest import cancelled_at
from tests.doors.house import SETTINGS, Api, register
from tests.journal.conftest import audit


class Request(NamedTuple):
    """A request, and the SQL that counts what it makes; without a key if it is of a kind that takes none."""

    path: str
    body: object = None
    token: str | None = None
    key: str = ""
    made: str = ""


class House(NamedTuple):
    """A service with one pooled connection, so that a request which kept it would be the last; and all its cast."""

    api: Api
    ann: dict[str, Any]
    project: str
    venue: str
    offer: str
    till: str
    days: Iterator[int]

    async def redeemed(self, *, capture: bool) -> str:
        body = {"offer": self.offer, "holder": self.ann["holder"], "capture": capture}
        return str((await self.api.made("/v1/redemptions", body, token=self.till))["id"])

    async def awarded(self) -> str:
        given = await self.api.give(self.project, {self.ann["id"]: 15}, days_ago=next(self.days))
        return str(given["awards"][0])


@pytest.fixture
async def house(dsn: str, tmp_path: Path) -> AsyncIterator[House]:
    async with (
        serving(msgspec.structs.replace(SETTINGS, pool_size=1, data=tmp_path), dsn, durable=False) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        async with Database.open(dsn) as database:
            _, scheme = await Keys(database, system_clock, "test").create(Scope.SCHEME, None, "tests")
        api = Api(client, scheme)
        ann, project, venue = await api.person(), await api.project(), await api.venue()
        offer, till = await api.offer(venue, price=15), await api.key("venue", venue)
        for days in (2, 3, 4):
            await api.give(project, {ann["id"]: 240}, days_ago=days)
        yield House(api, ann, project, venue, offer, till, iter(range(5, 60)))


ENTRIES = "SELECT position FROM journal.head"


async def a_person(_: House, __: str) -> Request:
    return Request("/v1/people", {"name": "Bob"}, made="SELECT count(*) FROM scheme.person")


async def a_project(_: House, __: str) -> Request:
    body = {"name": "Choir", "alias": "Mondays"}
    return Request("/v1/projects", body, made="SELECT count(*) FROM scheme.project")


async def a_venue(_: House, __: str) -> Request:
    return Request("/v1/venues", {"name": "The theatre"}, made="SELECT count(*) FROM scheme.venue")


async def an_offer(house: House, _: str) -> Request:
    body = {"title": "A play", "price": 120}
    return Request(f"/v1/venues/{house.venue}/offers", body, made="SELECT count(*) FROM scheme.offer")


async def a_key(_: House, __: str) -> Request:
    body = {"scope": "scheme", "label": "another"}
    return Request("/v1/keys", body, made="SELECT count(*) FROM scheme.api_key")


async def a_revocation(house: House, _: str) -> Request:
    made = await house.api.made("/v1/keys", {"scope": "scheme", "label": "another"})
    return Request(
        f"/v1/keys/{made['id']}/revoke", made="SELECT count(*) FROM scheme.api_key WHERE revoked_at IS NOT NULL"
    )


def a_change(to: str, word: str) -> Callable[[House, str], Awaitable[Request]]:
    async def change(house: House, _: str) -> Request:
        body = {"title": "A play", "price": 120}
        offer = (await house.api.made(f"/v1/venues/{house.venue}/offers", body))["id"]
        if to != "publish":
            await house.api.made(f"/v1/offers/{offer}/publish")
        return Request(
            f"/v1/offers/{offer}/{to}",
            made=f"SELECT count(*) FROM scheme.offer WHERE id = '{offer}' AND status = '{word}'",
        )

    return change


async def a_register(house: House, key: str) -> Request:
    body = register({house.ann["id"]: 15}, days_ago=next(house.days))
    return Request(f"/v1/projects/{house.project}/registers", body, key=key, made=ENTRIES)


async def a_reversal(house: House, key: str) -> Request:
    return Request(f"/v1/awards/{await house.awarded()}/reversal", key=key, made=ENTRIES)


async def a_redemption(house: House, key: str) -> Request:
    body = {"offer": house.offer, "holder": house.ann["holder"]}
    return Request("/v1/redemptions", body, house.till, key, ENTRIES)


def a_step(step: str) -> Callable[[House, str], Awaitable[Request]]:
    async def taken(house: House, key: str) -> Request:
        redemption = await house.redeemed(capture=step == "refund")
        return Request(f"/v1/redemptions/{redemption}/{step}", None if step == "void" else {}, house.till, key, ENTRIES)

    return taken


ROUTES: dict[str, Callable[[House, str], Awaitable[Request]]] = {
    "/v1/people": a_person,
    "/v1/projects": a_project,
    "/v1/venues": a_venue,
    "/v1/venues/{venue}/offers": an_offer,
    "/v1/offers/{offer}/publish": a_change("publish", "published"),
    "/v1/offers/{offer}/pause": a_change("pause", "paused"),
    "/v1/offers/{offer}/end": a_change("end", "ended"),
    "/v1/keys": a_key,
    "/v1/keys/{key}/revoke": a_revocation,
    "/v1/projects/{project}/registers": a_register,
    "/v1/awards/{entry}/reversal": a_reversal,
    "/v1/redemptions": a_redemption,
    "/v1/redemptions/{redemption}/capture": a_step("capture"),
    "/v1/redemptions/{redemption}/void": a_step("void"),
    "/v1/redemptions/{redemption}/refund": a_step("refund"),
}


async def test_every_route_that_changes_something_is_cancelled_below(house: House) -> None:
    paths = (await house.api.get("/docs/openapi.json")).json()["paths"]
    assert {path for path, methods in paths.items() if set(methods) - {"get", "parameters"}} == set(ROUTES)
    assert {method for methods in paths.values() for method in methods} <= {"get", "post", "parameters"}


@pytest.mark.parametrize("route", ROUTES)
async def test_a_request_cancelled_at_any_await_leaves_nothing_open_and_its_key_still_counts_once(
    house: House, owner: asyncpg.Connection, route: str
) -> None:
    nth, cancelled = 0, True
    while cancelled:
        nth += 1
        asked = await ROUTES[route](house, f"cancelled-{nth}")
        before = await owner.fetchval(asked.made)

        cancelled = await is_cancelled(house, asked, nth)

        await nothing_is_open(owner)
        # The one connection of the pool is back, or this would be refused after a while.
        assert (await house.api.get("/v1/trial-balance")).status_code == 200
        done = await owner.fetchval(asked.made) - before
        assert done in ({0, 1} if cancelled else {1})
        if asked.key:
            again = await house.api.post(asked.path, asked.body, asked.token, asked.key)
            assert again.status_code == 201, again.text
            assert "idempotency-replayed" in again.headers or not done
            assert await owner.fetchval(asked.made) == before + 1
    assert nth >= 3, "the directory's answer and the journal's were each waited for, and neither came"
    await audit(owner)


async def is_cancelled(house: House, asked: Request, nth: int) -> bool:
    """Send it, and cancel it at its nth await; False if it had fewer and was answered."""
    try:
        answer = await asyncio.create_task(
            cancelled_at(house.api.post(asked.path, asked.body, asked.token, asked.key), nth)
        )
    except asyncio.CancelledError:
        return True
    assert answer.status_code in {200, 201}, answer.text
    return False


async def nothing_is_open(owner: asyncpg.Connection) -> None:
    """No session is in a transaction without working on it; a connection that was cut takes a moment to be noticed."""
    async with asyncio.timeout(5):
        while await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        ):
            pass
