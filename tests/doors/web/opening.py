"""Opens a place, and plays a scene, in a window: for whoever looks at all of them, as a test or as a picture.

`read` plays one without a browser.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from playwright.async_api import Page

from tests.doors.web import client
from tests.doors.web.browser import WAIT_MS, Window
from tests.doors.web.hands import Hands
from tests.doors.web.places import PLACES, Place, Scene, Step, address


async def opened(window: Window, place: Place, known: Mapping[str, str]) -> Page:
    """The page of it, or what is wrong with it once its button was pressed."""
    page = await window.go(await address(place, known, _links(window)))
    return await window.press(place.press) if place.press else page


async def played(window: Window, scene: Scene, known: Mapping[str, str]) -> Page:
    """The page that stands there after its steps, which are taken by the keyboard alone."""
    old = await _old(scene, _links(window))
    page = await window.go(await address(_place(scene), known, _links(window)), status=scene.status)
    hands = Hands(page)
    for number, step in enumerate(scene.steps, 1):
        if step.opens:
            await window.go(step.opens.format_map(known))
        if step.follows:
            await window.go(await _way(step, old, window.links, page.reload), status=step.status)
        if not step.press:
            continue
        await hands.skip()
        for field, value in step.typed.items():
            await hands.fill(field, value.format_map(known))
        if scene.signed_out and number == len(scene.steps):
            await window.context.clear_cookies()
        await hands.go(step.press)
    heading = await page.inner_text("h1")
    assert scene.says in heading, f"{scene.name} ends on {heading!r}: {await page.inner_text('main')}"
    return page


async def read(
    pages: client.Pages, scene: Scene, known: Mapping[str, str], say: Callable[[str], str] = str
) -> client.Page:
    """The same, in a browser without script; `say` is how the language of its pages has the words of a button."""

    async def here() -> Iterable[str]:
        assert pages.page is not None
        return pages.page.links.values()

    old = await _old(scene, pages.links)
    page = await pages.get(await address(_place(scene), known, pages.links), status=scene.status)
    for number, step in enumerate(scene.steps, 1):
        if step.opens:
            page = await pages.get(step.opens.format_map(known))
        if step.follows:
            page = await pages.get(await _way(step, old, here, pages.again), status=step.status)
        if not step.press:
            continue
        typed = {name: _chosen(page, name, text.format_map(known)) for name, text in step.typed.items()}
        if scene.signed_out and number == len(scene.steps):
            pages.client.cookies.delete(client.cookie_at(pages.url))
        # Some buttons are named by what somebody wrote, as people are.
        said = [words for words in page.buttons if words.startswith(say(step.press))]
        page = await pages.submit(min(said, key=len, default=step.press), typed, status=step.status)
    return page


async def _old(scene: Scene, links: Callable[[str], Awaitable[Iterable[str]]]) -> set[str]:
    """Where links lead that stand on the pages it opens before it begins: of letters, those sent before."""
    opening = [step for step in scene.steps if step.opens and step.follows]
    return {way for step in opening for way in step.ways(await links(step.opens))}


async def _way(
    step: Step, old: set[str], links: Callable[[], Awaitable[Iterable[str]]], again: Callable[[], Awaitable[object]]
) -> str:
    """Where the link leads that it follows, which is no old one; the page is loaded again until it has it."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while not (ways := [way for way in step.ways(await links()) if way not in old]):
            await again()
    return ways[0]


def _chosen(page: client.Page, name: str, value: str) -> str:
    """What is typed or chosen: of * the first there is."""
    if value != "*":
        return value
    fields = [each for each in page.html.all("input", "select") if each.get("name") == name]
    options = [each for field in fields for each in (field.iter("option") if field.tag == "select" else [field])]
    return next(first for each in options if each.get("type") != "hidden" and (first := each.get("value")))


def _place(scene: Scene) -> Place:
    return next((each for each in PLACES if each.path == scene.path), Place(scene.path, scene.who))


def _links(window: Window) -> Callable[[str], Awaitable[Iterable[str]]]:
    async def links(path: str) -> Iterable[str]:
        await window.go(path)
        return await window.links()

    return links
