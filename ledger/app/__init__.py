"""The composition root: settings -> database -> journal -> scheme -> doors.

    engine   what runs in each process, opened and closed in order
    api      the application of the API
    pages    the application of the pages
    remarks  what is written to stderr

`serving` is the whole service; `create_app` is the same as an ASGI application, for servers that open and close by the
lifespan protocol. Nothing below reads the settings: what a module needs, it gets as an argument here.
"""

import contextlib
import gc
import traceback
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, cast

from prometheus_client import CollectorRegistry
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ledger.app import api, pages, remarks
from ledger.app.engine import running
from ledger.doors import web
from ledger.doors.api import openings, registers
from ledger.doors.api.guard import Allowance, ASGIApp, Receive, Scope, Send, guard
from ledger.doors.api.operations import RequestMetrics
from ledger.doors.web import refused
from ledger.scheme.clock import Clock, system_clock
from ledger.settings import Settings

remarks.configure()


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, dsn: str, *, clock: Clock = system_clock, tested: bool = False
) -> AsyncIterator[ASGIApp]:
    """The service on the database of that DSN, migrated before; the application answers until the block ends.

    A `tested` one accepts a server that loses commits when the power fails; leaves what comes round to the test, whose
    clock may leap a day between two requests; and makes a door when it is first asked for, as few tests ask for both.
    """
    async with running(settings, dsn, clock, tested=tested) as engine:
        registry = CollectorRegistry()
        metrics = RequestMetrics(registry)
        of_api = _Door(partial(api.application, engine, registry), lazily=tested)
        of_pages = _Door(partial(pages.application, engine), lazily=tested)

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await (of_pages if web.is_page(scope["path"]) else of_api)(scope, receive, send)

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
            draw=lambda scope, problem: refused.unread(scope, problem.status) if web.is_page(scope["path"]) else None,
            only_by_tls=settings.environment == "live" and settings.is_https,
        )
        # Nobody's word for who asks is taken but that of a proxy that the settings name.
        proxies = list(settings.trusted_proxies)
        yield cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", answering), proxies)) if proxies else answering


class _Door:
    """An application, made at once or when it is first asked."""

    def __init__(self, make: Callable[[], ASGIApp], *, lazily: bool) -> None:
        self._make = make
        self._made = None if lazily else make()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None:
            self._made = self._make()
        await self._made(scope, receive, send)


def create_app(settings: Settings, dsn: str, *, tested: bool = False) -> ASGIApp:
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
            async with serving(settings, dsn, tested=tested) as opened:
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
