"""What operators ask: is the process alive, is it ready for work, and how has it been doing.

- `/health/live` answers 200 as long as the event loop turns. It asks nobody: a database that is away is no
  reason to restart the process.
- `/health/ready` answers 200, or 503 with the reason that the injected `ready` gives. A `ready` that raises
  is a failure of ours: 500, logged.
- `/metrics` is Prometheus' text. Without the bearer token it is 404, as if it weren't there, unless it is
  open to all (demo, test).

`RequestMetrics.observe` goes to the guard: 1 to 1.5 us a request, for what it counts into is looked up once
per method, route and status. Litestar's own Prometheus middleware (2.25, measured on Python 3.11) took 24 us,
as much again as an empty POST.

Labels are bounded: the route is a template, never a path; methods nobody defined are counted as `other`.
"""

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ledger.doors.api.problems import KINDS, problem

Ready = Callable[[], Awaitable[str | None]]
"""Returns why no work can be taken, as a sentence without secrets, or None."""

# A lone redemption takes about 5 ms, a full queue 0.7 s; beyond 10 s clients have given up.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READY_RETRY_S: Final = 5  # about as often as orchestrators probe


class RequestMetrics:
    """Requests counted and timed; one for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests",
            "Requests answered, by method, route template and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from the request's head to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._known: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        if method not in _METHODS:
            method = "other"
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            label = route or "unmatched"  # refused by the guard, or no such route
            known = self._known[key] = (
                self._requests.labels(method, label, str(status)).inc,
                self._seconds.labels(method, label).observe,
            )
        count, time = known
        count()
        time(seconds)


def operations(
    *,
    ready: Ready,
    registry: CollectorRegistry,
    metrics_token: str | None = None,
    metrics_open: bool = False,
    refresh: Callable[[], Awaitable[None]] | None = None,
) -> list[HTTPRouteHandler]:
    """Return the three routes. They stand outside /v1 and its documentation, and ask for no API key.

    `refresh` is awaited before each scrape, for figures that have to be asked for; it must not raise.
    """
    expected = metrics_token.encode() if metrics_token else None

    @get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @get("/health/ready", include_in_schema=False)
    async def readiness() -> Response[Any]:
        if reason := await ready():
            kind = KINDS["unavailable"]
            return problem(kind.status, kind.title, reason, code="unavailable", retry_after=_READY_RETRY_S).response()
        return Response({"status": "ready"})

    @get("/metrics", include_in_schema=False)
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        admitted = expected is not None and scheme.lower() == "bearer" and compare_digest(given.encode(), expected)
        if not (metrics_open or admitted):
            raise NotFoundException
        if refresh is not None:
            await refresh()
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return [live, readiness, metrics]
