"""The list of places is the list of pages, and each can be opened by whom it is for."""

from collections.abc import Iterable

import pytest
from playwright.async_api import Browser

from ledger.doors.web import is_page
from ledger.doors.web.access import Who
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.places import FILES, ONCE, PLACES, Place, address


async def test_every_page_is_on_the_list_of_places(pages: Pages) -> None:
    await pages.file("/health/live")
    answered = {path for path, methods in pages.routes if "GET" in methods and is_page(path)}
    assert answered == {place.path for place in PLACES} | FILES | ONCE


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_place_is_as_pages_are(seen_county: County, place: Place) -> None:
    async with Pages.of(seen_county.api, url=seen_county.url) as pages:
        if token := await seen_county.token(place.who):
            pages.sign_in(token)

        async def links(path: str) -> Iterable[str]:
            return (await pages.get(path)).links.values()

        await pages.get(await address(place, seen_county.known, links))
        if place.press:
            await pages.submit(place.press, status=422)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_place_is_so_at_every_size_by_day_and_night(
    seen_county: County,
    browser: Browser,
    place: Place,
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    async with Window.opened(browser, seen_county.url) as window:
        if token := await seen_county.token(place.who):
            await window.sign_in(token)

        async def links(path: str) -> Iterable[str]:
            await window.go(path)
            return await window.links()

        await window.go(await address(place, seen_county.known, links))
        if place.press:
            await window.press(place.press)
        await every_size(window.page, thorough=soak)


def test_a_place_says_who_opens_it_and_its_pictures_have_names_of_their_own() -> None:
    assert {place.who for place in PLACES} <= {str(who) for who in Who}
    assert {place.by for place in PLACES} - {""} <= {place.path for place in PLACES}
    assert len({place.name for place in PLACES}) == len(PLACES)


def test_a_place_is_filled_in_with_what_is_known() -> None:
    place = Place("/people/{person:uuid}/claims/{claim:uuid}", "person")
    assert place.filled({"person": "1"}) is None
    assert place.filled({"person": "1", "claim": "2"}) == "/people/1/claims/2"
    assert place.pattern.fullmatch("/people/1/claims/2")
    assert not place.pattern.fullmatch("/people/1/claims/2/3")
    assert place.name == "person-people-person-claims-claim"
