"""Health and metrics, as probes and scrapers meet them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import Litestar
from prometheus_client import CollectorRegistry

from ledger.doors.api.guard import guard
from ledger.doors.api.operations import RequestMetrics, operations
from ledger.doors.api.problems import HANDLERS, MEDIA_TYPE


@asynccontextmanager
async def serving(
    reason: str | None = None, *, token: str | None = None, open_to_all: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    """The three routes behind the guard, with a registry of their own."""

    async def ready() -> str | None:
        return reason

    registry = CollectorRegistry()
    metrics = RequestMetrics(registry)
    application = Litestar(
        operations(ready=ready, registry=registry, metrics_token=token, metrics_open=open_to_all),
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    transport = httpx.ASGITransport(guard(application, hosts=["localhost"], observe=metrics.observe))
    async with (
        application.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


async def test_live_asks_nobody() -> None:
    async with serving("the database is away") as client:
        answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_ready_when_there_is_no_reason_against_it() -> None:
    async with serving() as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_not_ready_says_why_and_when_to_ask_again() -> None:
    async with serving("The database is away.") as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.headers["content-type"]) == (503, MEDIA_TYPE)
    assert (answer.json()["detail"], answer.headers["retry-after"]) == ("The database is away.", "5")


@pytest.mark.parametrize(
    ("token", "open_to_all", "authorization", "status"),
    [
        (None, False, None, 404),
        (None, False, "Bearer ", 404),
        (None, False, "Bearer None", 404),
        ("right", False, None, 404),
        ("right", False, "Bearer wrong", 404),
        ("right", False, "Basic right", 404),
        ("right", False, "right", 404),
        ("right", False, "Bearer r\xefght", 404),
        ("right", False, "Bearer right", 200),
        ("right", False, "bearer right", 200),
        ("right", True, None, 200),
        (None, True, None, 200),
    ],
)
async def test_metrics_are_not_there_for_strangers(
    token: str | None,
    open_to_all: bool,  # noqa: FBT001 - a table's column
    authorization: str | None,
    status: int,
) -> None:
    headers = [(b"authorization", authorization.encode("latin-1"))] if authorization else []
    async with serving(token=token, open_to_all=open_to_all) as client:
        answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain" if status == 200 else MEDIA_TYPE)


async def test_requests_are_counted_and_timed_by_route_template_method_and_status() -> None:
    async with serving(open_to_all=True) as client:
        await client.get("/health/live")
        await client.head("/health/live")
        await client.get("/nowhere/at/all")
        await client.request("BREW", "/health/live")
        await client.post("/health/live", content=b"{", headers={"content-type": "application/json"})
        text = (await client.get("/metrics")).text
    for sample in (
        'http_requests_total{method="GET",route="/health/live",status="200"} 1.0',
        'http_requests_total{method="HEAD",route="/health/live",status="200"} 1.0',
        'http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'http_requests_total{method="POST",route="unmatched",status="400"} 1.0',
        'http_request_duration_seconds_count{method="GET",route="/health/live"} 1.0',
    ):
        assert sample in text
    assert 'method="other"' in text
    assert "BREW" not in text
    assert "nowhere" not in text
