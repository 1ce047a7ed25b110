"""Clients that go away: a request cancelled at each of its awaits, for every route that changes something.

Of each route one request is let through first, and what it leaves in the tables is its measure: the same request,
cancelled anywhere, leaves all of that or nothing; asked again, all of it, once.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Mapping

import asyncpg
import httpx
import pytest

from ledger.journal.entries import new_key
from tests.conftest import WAIT_SECONDS, Postgres, cancelled_at
from tests.doors.web.client import cookie_at
from tests.faults.cancelled import PAGES, READS, ROUTES
from tests.faults.cancelled.house import House, Request
from tests.journal.conftest import audit

Route = tuple[str, str]
CHANGING = {**ROUTES, **PAGES}
DONE = {200, 201, 204, 303}


@pytest.fixture(scope="module")
async def house(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    name = await postgres.create()
    try:
        async with House.open(postgres.dsn(name), tmp_path_factory.mktemp("house")) as house:
            yield house
            await audit(house.owner)
    finally:
        await postgres.drop(name)


async def test_every_route_that_changes_something_is_cancelled_below(house: House) -> None:
    assert {route for route in house.keyed if route[0] != "GET" and route not in READS} == set(ROUTES)
    assert {method for method, _ in house.keyed} <= {"GET", "POST", "PATCH", "PUT", "DELETE"}


@pytest.mark.parametrize("route", CHANGING, ids=" ".join)
async def test_a_request_cancelled_at_any_await_leaves_nothing_open_and_is_done_wholly_or_not_at_all(
    house: House, route: Route
) -> None:
    whole = await let_through(house, route)
    after_cancelling: list[dict[str, int]] = []
    for nth in itertools.count(1):
        asked = await CHANGING[route](house)
        key = f"cancelled-{house.number()}" if house.keyed.get(route) else ""
        before = await house.rows(asked)

        cancelled = await is_cancelled(send(house, route, asked, key), nth)

        await nothing_is_open(house.owner)
        # The one connection of the pool is back, or this would be refused after a while.
        assert (await house.api.get("/v1/trial-balance")).status_code == 200
        done = change(before, await house.rows(asked))
        assert done in ([{}, whole] if cancelled else [whole])
        if cancelled:
            after_cancelling.append(done)
        # Either way all of its statements are known to the pool's connection again: the next one has as many awaits.
        if not key and not asked.repeats:
            assert await let_through(house, route) == whole
        else:
            again = await send(house, route, asked, key)
            assert again.status_code in DONE, again.text
            # What the batcher was about to write may have been done a moment after we looked.
            assert "idempotency-replayed" in again.headers or not (key and done)
            assert change(before, await house.rows(asked)) == whole
        if not cancelled:
            assert after_cancelling[0] == {}, "it was cancelled before it began"
            assert asked.batched or after_cancelling[-1] == whole, "it was cancelled behind its COMMIT"
            break


async def let_through(house: House, route: Route) -> dict[str, int]:
    """Ask once, and return what it left in the tables."""
    asked = await CHANGING[route](house)
    before = await house.rows(asked)
    answer = await send(house, route, asked, "let-through" + str(house.number()) if house.keyed.get(route) else "")
    assert answer.status_code in DONE, answer.text
    left = change(before, await house.rows(asked))
    assert left.get("journal.entry", 0) == asked.entries
    assert left.keys() - {"scheme.answer", "scheme.act"}, "there is something to tell by whether it was done"
    assert left.get("changed", 1) == 1
    return left


async def send(house: House, route: Route, asked: Request, key: str) -> httpx.Response:
    if route in PAGES:
        cookie = f"{cookie_at(str(house.api.client.base_url))}={asked.token}"
        headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}
        return await house.api.client.post(asked.path, data={"key": new_key()}, headers=headers)
    headers = {"authorization": f"Bearer {asked.token or house.api.scheme}"}
    if key:
        headers["idempotency-key"] = key
    return await house.api.client.request(route[0], asked.path, json=asked.body, headers=headers)


def change(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """By how much each figure differs, where it does."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


async def is_cancelled(request: Coroutine[object, object, httpx.Response], nth: int) -> bool:
    """Cancel it at its nth await; False if it had fewer and was answered."""
    try:
        answer = await asyncio.create_task(cancelled_at(request, nth))
    except asyncio.CancelledError:
        return True
    assert answer.status_code in DONE, answer.text
    return False


async def nothing_is_open(owner: asyncpg.Connection) -> None:
    """No session is in a transaction without working on it; a connection that was cut takes a moment to be noticed."""
    async with asyncio.timeout(WAIT_SECONDS):
        while await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        ):
            pass
