"""The list of places is the list of pages; each, and each scene, is as pages are for whom it is for.

By real Chromium a page is loaded once and looked at from every side, in a window that stays open for its reader; by all
of axe's rules on a telephone and, on each day, in one more of `SHAPES`. With --soak it is in all of them.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from http import HTTPStatus
from typing import Final

import httpx
import pytest
from playwright.async_api import Browser

from ledger.doors.web import is_page
from ledger.doors.web import pages as web
from ledger.doors.web.access import Who
from tests.daytime import daytime
from tests.doors.web.browser import NARROW, SHAPES, Window, every_size, overflowing
from tests.doors.web.checks import READING_AGE
from tests.doors.web.client import Page as Shown
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.entrance import MARKUP
from tests.doors.web.opening import opened, played, read
from tests.doors.web.places import BARE, ELSEWHERE, FILES, ONCE, PLACES, REFUSING, SCENES, Place, Scene, address

# The demo's people have names that show what a page does with long ones.
LONG_NAMES: Final = (
    "a long word: featherstonehaugh",
    "a long word: llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
)
PARTED: Final = re.compile(r".*\d (?:credit|minute|hour|day|month|year|mile)s?\b.*")
# Lists that go on, from a place that the address names by `after` or `before`.
PAGED: Final = frozenset(
    {
        "/audit",
        "/do",
        "/groups/{group:uuid}/pot",
        "/groups/{group:uuid}/vouchers",
        "/people/{person:uuid}/bookings",
        "/people/{person:uuid}/claims",
        "/people/{person:uuid}/data/acts",
        "/people/{person:uuid}/statement",
        "/projects/{project:uuid}/approvals",
        "/projects/{project:uuid}/claims",
        "/projects/{project:uuid}/opportunities",
        "/projects/{project:uuid}/people",
        "/projects/{project:uuid}/people/cards",
        "/spend",
        "/staff/batches",
        "/staff/groups",
        "/staff/people",
        "/staff/people/{person:uuid}/acts",
        "/staff/people/{person:uuid}/bookings",
        "/staff/people/{person:uuid}/credits",
        "/staff/projects",
        "/staff/settings/changes",
        "/staff/venues",
        "/till/today",
    }
)


class Windows:
    """One for each reader, opened when it is first needed."""

    def __init__(self, county: County, stack: AsyncExitStack) -> None:
        self._county = county
        self._stack = stack
        self._open: dict[tuple[str, bool], Window] = {}

    async def of(self, browser: Browser, who: str, *, script: bool = True, token: str | None = None) -> Window:
        window = self._open.get((who, script))
        if window is None:
            window = await self._stack.enter_async_context(Window.opened(browser, self._county.url, script=script))
            self._open[who, script] = window
        await window.context.clear_cookies()  # a scene may have signed somebody out
        if token := token or await self._county.token(who):
            await window.sign_in(token)
        return window


@pytest.fixture(scope="module")
async def windows(seen_county: County) -> AsyncIterator[Windows]:
    async with AsyncExitStack() as stack:
        yield Windows(seen_county, stack)


async def test_every_page_is_on_the_list_of_places(seen_county: County) -> None:
    async with Pages.of(seen_county.api) as pages:
        await pages.get("/")
    answered = {path for path, methods in pages.routes if "GET" in methods and is_page(path)}
    assert answered == {place.path for place in PLACES} | FILES | ONCE | REFUSING


async def test_each_page_that_can_be_drawn_is_a_place_or_a_scene(seen_county: County) -> None:
    web._environment.cache_clear()  # each language's keeps the templates that it drew
    for each in (*PLACES, *SCENES):
        async with _reading(seen_county, each.who) as pages:
            if isinstance(each, Scene):
                assert each.says in (await read(pages, each, seen_county.known)).heading, each.name
            else:
                await pages.get(await address(each, seen_county.known, pages.links))
    folder = web.HERE / "templates"
    files = [path for path in folder.rglob("*.html") if "{% extends " in path.read_text("utf-8")]
    drawn = {name for _, name in web._environment("en").cache or ()}
    assert {path.relative_to(folder).as_posix() for path in files} - drawn == ELSEWHERE


@asynccontextmanager
async def _reading(county: County, who: str) -> AsyncIterator[Pages]:
    """Somebody's browser without script."""
    async with Pages.of(county.api, url=county.url) as pages:
        if token := await county.token(who):
            pages.sign_in(token)

        yield pages


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_place_is_as_pages_are(seen_county: County, place: Place) -> None:
    async with _reading(seen_county, place.who) as pages:
        where = await address(place, seen_county.known, pages.links)
        page = await pages.get(where)
        _is_easy(page)
        assert place.path in PAGED or not any(re.search("[?&](after|before)=", link) for link in page.links.values())
        if place.press:
            _is_easy(await pages.submit(place.press, status=422))
        # Whoever edits where a list goes on isn't shown another place of it, and is led on; elsewhere it says nothing.
        edited = "after=AAAA&before=AAAA"
        page = await pages.get(f"{where.partition('?')[0]}?{edited}", status=400 if place.path in PAGED else 200)
        assert ("This page of the list is not there any more." in page) is (place.path in PAGED)


def _is_easy(page: Shown) -> None:
    """Somebody of eleven can read it, and no line ends between a number and its unit."""
    shown = [text for each in page.html.all("main") for text in each.itertext()]
    # Of all parts nothing is worked out, and a letter is shown as it is sent.
    assert page.heading in {"All parts", "The demo's mailbox"} or PARTED.findall("\n".join(shown)) == []
    assert [each for each in page.hard_to_read() if each not in LONG_NAMES] == []
    assert page.reading_age() <= READING_AGE


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_place_is_so_at_every_size_by_day_and_night(
    seen_county: County,
    windows: Windows,
    browser: Browser,
    place: Place,
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    window = await windows.of(browser, place.who)
    page = await opened(window, place, seen_county.known)
    if place.press:
        await _leads_into_what_is_wrong(window)
    await every_size(page, further=SHAPES if soak else _today(place))
    window.judge()


@pytest.mark.parametrize("place", [place for place in PLACES if place.press], ids=lambda place: place.name)
async def test_without_script_too_what_is_wrong_has_the_focus_and_leads_to_the_field(
    seen_county: County, windows: Windows, browser: Browser, place: Place
) -> None:
    window = await windows.of(browser, place.who, script=False)
    await opened(window, place, seen_county.known)
    await _leads_into_what_is_wrong(window)
    window.judge()


async def _leads_into_what_is_wrong(window: Window) -> None:
    """The summary of errors has the focus; from there, by the keyboard, its first link leads into the field."""
    page = window.page
    await page.wait_for_function("document.activeElement.matches('[data-errors]')")
    fields = await page.locator("[data-errors] a").evaluate_all("links => links.map(link => link.hash.slice(1))")
    if fields:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_function("id => document.activeElement.id === id", arg=fields[0])
    assert await page.evaluate("document.activeElement.matches('[data-errors], input, select, textarea')")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_what_stands_after_some_steps_is_so_too(
    seen_county: County,
    windows: Windows,
    browser: Browser,
    scene: Scene,
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    window = await windows.of(browser, scene.who)
    page = await played(window, scene, seen_county.known)
    _is_easy(Shown(httpx.Response(scene.status, text=await page.content())))
    await every_size(page, further=SHAPES if soak else _today(scene))
    window.judge()


@pytest.mark.parametrize("place", BARE, ids=lambda place: place.name)
async def test_what_is_empty_and_has_a_long_name_fits_the_narrowest_window(
    seen_county: County, windows: Windows, browser: Browser, place: Place
) -> None:
    known, tokens = await seen_county.bare()
    window = await windows.of(browser, place.who, token=tokens[place.who])
    await window.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    page = await opened(window, place, known)
    faults = await overflowing(page)
    assert not faults, "\n".join(faults)
    # A name is letters, whatever it looks like: shown as it was written, wherever it is.
    told = Shown(httpx.Response(HTTPStatus.OK, text=await page.content()))
    texts = [*told.html.root.itertext(), *(each for one in told.html.root.iter() for each in one.attrib.values())]
    assert [each for each in texts if "x&" in each and MARKUP not in each] == []
    assert MARKUP in told.text or not place.path.startswith("/staff/")
    window.judge()


def _shape(each: Place | Scene, day: date) -> tuple[int, str]:
    """In which it is looked at on that day: each day another, and on each day all of them at some place."""
    return SHAPES[((*PLACES, *SCENES).index(each) + day.toordinal()) % len(SHAPES)]


def _today(each: Place | Scene) -> tuple[tuple[int, str]]:
    return (_shape(each, daytime().date()),)


def test_within_eight_days_each_place_is_looked_at_in_all_shapes() -> None:
    assert len(SHAPES) == 8
    days = [date(2026, 12, 28) + timedelta(days=number) for number in range(8)]
    for each in (*PLACES, *SCENES):
        assert {_shape(each, day) for day in days} == set(SHAPES)
    assert {_shape(each, days[0]) for each in PLACES} == set(SHAPES)


def test_a_place_says_who_opens_it_and_its_pictures_have_names_of_their_own() -> None:
    assert {place.who for place in (*PLACES, *SCENES)} <= {str(who) for who in Who}
    assert {place.by for place in PLACES} - {""} <= {place.path for place in PLACES}
    names = [place.name for place in (*PLACES, *SCENES)]
    assert len(set(names)) == len(names)


def test_a_place_is_filled_in_with_what_is_known() -> None:
    place = Place("/people/{person:uuid}/claims/{claim:uuid}", "person")
    assert place.filled({"person": "1"}) is None
    assert place.filled({"person": "1", "claim": "2"}) == "/people/1/claims/2"
    assert place.pattern.fullmatch("/people/1/claims/2")
    assert not place.pattern.fullmatch("/people/1/claims/2/3")
    assert place.name == "person-people-person-claims-claim"
