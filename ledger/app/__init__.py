"""The composition root: settings -> database -> journal -> scheme -> doors.

    engine   what runs in each process, opened and closed in order
    api      the routes of the API
    pages    the routes of the pages

`serving` is the whole service; `create_app` is the same as an ASGI application, for servers that open and close by the
lifespan protocol. Nothing below reads the settings: what a module needs, it gets as an argument here.
"""

import contextlib
import gc
import io
import re
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any, Final, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry
from structlog.typing import ExcInfo
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ledger.app import api, pages
from ledger.app.engine import running
from ledger.doors import web
from ledger.doors.api import openings, registers
from ledger.doors.api.answers import HANDLERS, KINDS, methods
from ledger.doors.api.examples import EXAMPLES
from ledger.doors.api.guard import Allowance, ASGIApp, Receive, Scope, Send, guard
from ledger.doors.api.inputs import StrictRequest
from ledger.doors.api.openapi import documentation
from ledger.doors.api.operations import RequestMetrics
from ledger.doors.application import Application
from ledger.doors.web import refused
from ledger.scheme.clock import Clock, system_clock
from ledger.settings import Settings

_ABOUT: Final = """\
People give an hour at a community project and receive one Time Credit; they spend it at a partner venue.

All amounts are whole minutes: 60 are one Time Credit. Whatever moves credits takes an `Idempotency-Key`; the same key
and content again gives the same answer and never counts twice. Refusals are `application/problem+json`; each `code` is
explained [here](/docs/problems)."""


def _by_door(kind: type[Exception] | int) -> Callable[[Any, Any], Any]:
    """Whichever door the address belongs to renders the refusal: a page or a problem."""
    of_api, of_pages = HANDLERS.get(kind, HANDLERS[Exception]), refused.HANDLERS.get(kind, refused.HANDLERS[Exception])
    return lambda request, exc: (of_pages if web.is_page(request.scope["path"]) else of_api)(request, exc)


_HANDLERS: Final = {kind: _by_door(kind) for kind in {*HANDLERS, *refused.HANDLERS}}

_DETAIL: Final = re.compile(r"\nDETAIL:.*?(?=\n\n|\nHINT:|\Z)", re.DOTALL)


def _trace(out: TextIO, exception: ExcInfo) -> None:
    """Write a plain trace without PostgreSQL's DETAIL, which shows whole rows."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exception)
    out.write(_DETAIL.sub("", plain.getvalue()))


# structlog's own way with a trace, where rich is installed, prints every local variable: keys, names, whole requests.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_trace),
    ],
    logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # where all other remarks go
)


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, dsn: str, *, clock: Clock = system_clock, durable: bool = True
) -> AsyncIterator[ASGIApp]:
    """The service on the database of that DSN, migrated before; the application answers until the block ends.

    `durable=False`, for tests only, accepts a server that loses commits when the power fails.
    """
    async with running(settings, dsn, clock, durable=durable) as engine:
        registry = CollectorRegistry()
        metrics = RequestMetrics(registry)
        application = Application(
            [*api.routes(engine, registry), *pages.routes(engine)],
            request_class=StrictRequest,
            exception_handlers=_HANDLERS,
            before_request=methods,
            openapi_config=documentation(
                title="Time Credits",
                version=version("timecredits"),
                description=_ABOUT,
                kinds=KINDS,
                examples=EXAMPLES,
            ),
            logging_config=None,
        )
        # Litestar's own lifespan isn't entered: nothing of ours hangs on it.
        answering = guard(
            api.lane(engine, application),
            hosts=settings.hosts,
            allowances={
                "/": Allowance(types=web.FORM),
                **dict.fromkeys(web.OTHERS, Allowance()),
                **registers.ALLOWANCES,
                **openings.ALLOWANCES,
            },
            observe=metrics.observe,
            only_by_tls=settings.environment == "live" and settings.is_https,
        )
        # Nobody's word for who asks is taken but that of a proxy that the settings name.
        proxies = list(settings.trusted_proxies)
        yield cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", answering), proxies)) if proxies else answering


def create_app(settings: Settings, dsn: str, *, durable: bool = True) -> ASGIApp:
    """The service as an ASGI application, which opens and closes with the server's lifespan messages."""
    answering: ASGIApp | None = None

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif answering is None:
            raise RuntimeError("requests are answered between lifespan's startup and shutdown only")
        else:
            await answering(scope, receive, send)

    async def live(receive: Receive, send: Send) -> None:
        nonlocal answering
        await receive()  # lifespan.startup
        started = False
        try:
            async with serving(settings, dsn, durable=durable) as opened:
                answering = opened
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()  # lifespan.shutdown
                answering = None
        except Exception:
            failed = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{failed}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    return application


def settle_memory() -> None:
    """Leave what was loaded at start out of every later collection of garbage.

    Each full collection walked all of it, 60 ms in which nobody was answered. Requests leave few cycles behind, so the
    young are looked at less often too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
