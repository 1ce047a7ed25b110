"""The list of places is the list of pages; each, and each scene, is as pages are for whom it is for.

By real Chromium a page is loaded once and looked at from every side, in a window that stays open for its reader.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest
from playwright.async_api import Browser

from ledger.doors.web import is_page
from ledger.doors.web.access import Who
from tests.doors.web.browser import NARROW, Window, every_size, overflowing
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.opening import opened, played
from tests.doors.web.places import BARE, FILES, ONCE, PLACES, REFUSING, SCENES, Place, Scene, address

READING_AGE: Final = 11  # issue 5
# The demo's people have names that show what a page does with long ones.
LONG_NAMES: Final = (
    "a long word: featherstonehaugh",
    "a long word: llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
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
        await pages.file("/health/live")
    answered = {path for path, methods in pages.routes if "GET" in methods and is_page(path)}
    assert answered == {place.path for place in PLACES} | FILES | ONCE | REFUSING


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_place_is_as_pages_are(seen_county: County, place: Place) -> None:
    async with Pages.of(seen_county.api, url=seen_county.url) as pages:
        if token := await seen_county.token(place.who):
            pages.sign_in(token)

        async def links(path: str) -> list[str]:
            return list((await pages.get(path)).links.values())

        page = await pages.get(await address(place, seen_county.known, links))
        assert [each for each in page.hard_to_read() if each not in LONG_NAMES] == []
        assert page.reading_age() <= READING_AGE
        if place.press:
            await pages.submit(place.press, status=422)


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
    await every_size(page, thorough=soak)
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
    await every_size(await played(window, scene, seen_county.known), thorough=soak)
    window.judge()


@pytest.mark.parametrize("place", BARE, ids=lambda place: place.name)
async def test_what_is_empty_and_has_a_long_name_fits_the_narrowest_window(
    seen_county: County, windows: Windows, browser: Browser, place: Place
) -> None:
    known, tokens = await seen_county.bare()
    window = await windows.of(browser, place.who, token=tokens[place.who])
    await window.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    faults = await overflowing(await opened(window, place, known))
    assert not faults, "\n".join(faults)
    window.judge()


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
