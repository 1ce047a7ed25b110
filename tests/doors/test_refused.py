"""How a refusal of the scheme's looks over HTTP: one shape, two sentences, and from when it would work."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, get
from litestar.params import FromPath

from ledger.doors.api.answers import HANDLERS, KINDS
from ledger.doors.api.guard import guard
from ledger.doors.api.problems import MEDIA_TYPE, Problem
from ledger.scheme.clock import LONDON
from ledger.scheme.refusals import TABLE, Declined, Refusal


@get("/plain/{reason:str}")
async def plain(reason: FromPath[str]) -> None:
    raise Declined(Refusal(reason))


@get("/closed")
async def closed() -> None:
    summer_evening = datetime(2026, 7, 1, 19, tzinfo=LONDON)
    raise Declined(Refusal.OFFER_CLOSED_NOW, "It opens at 19:00.", works_at=summer_evening, replayed=True)


@get("/values")
async def values() -> None:
    raise Declined(Refusal.WRONG_VALUES, fields=(("price", "must be at most 480"), ("terms.closed", "must be empty")))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    application = Litestar(
        [plain, closed, values], exception_handlers=HANDLERS, logging_config=None, openapi_config=None
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard(application, hosts=["localhost"])), base_url="http://localhost"
    ) as it:
        yield it


@pytest.mark.parametrize("reason", Refusal)
async def test_every_refusal_is_a_problem_with_a_sentence_each_for_staff_and_visitor(
    client: httpx.AsyncClient, reason: Refusal
) -> None:
    row = TABLE[reason]
    answer = await client.get(f"/plain/{reason.value}")
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (row.status, MEDIA_TYPE)
    assert (told["title"], told["detail"], told["visitor"]) == (row.staff, f"{row.staff}.", row.visitor)
    assert (told["code"], told["type"]) == (reason.value, f"/docs/problems#{reason.value}")
    assert told.get("retry_after") == row.retry_after
    assert answer.headers.get("retry-after") == (None if row.retry_after is None else str(row.retry_after))
    assert not told.keys() & {"works_at", "fields"}, "what there isn't is left out"
    assert reason.value in KINDS
    msgspec.convert(told, Problem)


async def test_it_says_in_utc_from_when_it_would_work(client: httpx.AsyncClient) -> None:
    answer = await client.get("/closed")
    assert (answer.json()["detail"], answer.json()["works_at"]) == ("It opens at 19:00.", "2026-07-01T18:00:00Z")
    assert answer.headers["idempotency-replayed"] == "true"


async def test_fields_are_named_and_said_in_the_detail(client: httpx.AsyncClient) -> None:
    told = (await client.get("/values")).json()
    assert told["detail"] == "`price` must be at most 480. `terms.closed` must be empty."
    assert [fault["field"] for fault in told["fields"]] == ["price", "terms.closed"]
