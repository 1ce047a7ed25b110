"""Pages with and without a browser: `pages` reads them as they are sent, `phone` and the rest in real Chromium.

Without Chromium the browser tests are skipped, which the summary says; where CI is set, they fail instead.
"""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest
from playwright.async_api import Browser

from ledger.database import Database
from ledger.scheme import demo
from tests.conftest import Postgres
from tests.daytime import daytime
from tests.doors.house import Api, settings_for
from tests.doors.web.browser import DESKTOP, PHONE, Window, chromium, launched, left_out, listening, served
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance, known_of, tokens_of


@pytest.fixture
def _listener() -> Iterator[socket.socket]:
    with listening() as opened:
        yield opened


@pytest.fixture
def url(request: pytest.FixtureRequest, _listener: socket.socket) -> str:
    """Where people open the service: its port, which is not https, if there is a browser in the test."""
    return f"http://localhost:{_listener.getsockname()[1]}" if "base" in request.fixturenames else URL


@pytest.fixture
async def api(dsn: str, url: str, _listener: socket.socket) -> AsyncIterator[Api]:
    """The service, which knows where people open it."""
    async with Api.running(dsn, settings=msgspec.structs.replace(settings_for(dsn), public_url=url)) as running:
        yield running


@pytest.fixture
async def pages(api: Api, url: str) -> AsyncIterator[Pages]:
    """The browser of somebody who isn't signed in, without script; it looks at every page."""
    async with Pages.of(api, url=url) as opened:
        yield opened


@pytest.fixture
def entrance(database: Database) -> Entrance:
    """Signs people and devices in: what `sign_in` of pages and of windows takes."""
    return Entrance(database, daytime)


@pytest.fixture
async def office(pages: Pages, entrance: Entrance) -> Pages:
    """A browser in which somebody of the staff is signed in."""
    pages.sign_in(await entrance.staff())
    return pages


@pytest.fixture(scope="session")
async def _chromium() -> AsyncIterator[Browser | None]:
    """One for all tests of this process: it takes a second to start."""
    executable = chromium()
    if executable is None:
        yield None
    else:
        async with launched(executable) as running:
            yield running


@pytest.fixture
def browser(_chromium: Browser | None) -> Browser:
    """Chromium."""
    if _chromium is None:
        left_out()
        raise AssertionError("left_out always raises")
    return _chromium


@pytest.fixture
async def base(api: Api, _listener: socket.socket) -> AsyncIterator[str]:
    """The address of the same service for browsers."""
    async with served(api.application, _listener) as address:
        yield address


@pytest.fixture
async def phone(browser: Browser, base: str) -> AsyncIterator[Window]:
    """A telephone."""
    async with Window.opened(browser, base, PHONE) as window:
        yield window


@pytest.fixture
async def desktop(browser: Browser, base: str) -> AsyncIterator[Window]:
    """A desk's screen."""
    async with Window.opened(browser, base, DESKTOP) as window:
        yield window


@pytest.fixture
async def no_script(browser: Browser, base: str) -> AsyncIterator[Window]:
    """A telephone without script."""
    async with Window.opened(browser, base, PHONE, script=False) as window:
        yield window


class County:
    """The demo county, three months after it began, answering pages and browsers alike; its front door is open."""

    def __init__(self, api: Api, url: str, known: Mapping[str, str], entrance: Entrance) -> None:
        self.api = api
        self.url = url
        self.known = known
        """The ids of Ann, her project, a venue and its offer, as addresses of pages take them, and what is typed."""
        self.entrance = entrance
        self._tokens: dict[str, str] = {}
        self._bare: tuple[Mapping[str, str], Mapping[str, str]] | None = None

    async def bare(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The ids of somebody new, a project and a venue that have nothing yet; and the cookies there."""
        if self._bare is None:
            known = await self.entrance.bare()
            self._bare = known, await tokens_of(self.entrance, known)
        return self._bare

    async def token(self, who: str) -> str:
        """The cookie of somebody in that capacity, at what is known; nobody's is empty."""
        if not self._tokens:
            self._tokens = await tokens_of(self.entrance, self.known)
        return self._tokens[who]


@pytest.fixture(scope="session")
async def _county(postgres: Postgres) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
    """Loaded once, to be copied: the database's name, and what is known of it."""
    name = await postgres.create()
    async with Database.open(postgres.dsn(name)) as database:
        shown = await demo.load(database, daytime, "demo")
    assert shown is not None
    yield name, known_of(shown)
    await postgres.drop(name)


@asynccontextmanager
async def _running(postgres: Postgres, template: str, known: Mapping[str, str]) -> AsyncIterator[County]:
    name = await postgres.create(template)
    dsn = postgres.dsn(name)
    with listening() as listener:
        url = f"http://localhost:{listener.getsockname()[1]}"
        async with (
            Api.running(
                dsn, settings=msgspec.structs.replace(settings_for(dsn), environment="demo", public_url=url)
            ) as api,
            served(api.application, listener),
            Database.open(dsn) as database,
        ):
            yield County(api, url, known, Entrance(database, daytime))
    await postgres.drop(name)


@pytest.fixture
async def county(postgres: Postgres, _county: tuple[str, Mapping[str, str]]) -> AsyncIterator[County]:
    """It, in a database of the test's own: to be changed."""
    async with _running(postgres, *_county) as county:
        yield county


@pytest.fixture(scope="module")
async def seen_county(postgres: Postgres, _county: tuple[str, Mapping[str, str]]) -> AsyncIterator[County]:
    """It, for all tests of a module: only to be looked at."""
    async with _running(postgres, *_county) as county:
        yield county
