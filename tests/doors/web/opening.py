"""Opens a place, and plays a scene, in a window: for whoever looks at all of them, as a test or as a picture."""

from collections.abc import Iterable, Mapping

from playwright.async_api import Page

from tests.doors.web.browser import Window
from tests.doors.web.places import PLACES, Place, Scene, address


async def opened(window: Window, place: Place, known: Mapping[str, str]) -> Page:
    """The page of it, or what is wrong with it once its button was pressed."""
    page = await window.go(await _address(window, place, known))
    return await window.press(place.press) if place.press else page


async def played(window: Window, scene: Scene, known: Mapping[str, str]) -> Page:
    """The page that stands there after its steps."""
    place = next((each for each in PLACES if each.path == scene.path), Place(scene.path, scene.who))
    page = await window.go(await _address(window, place, known), status=scene.status)
    for number, step in enumerate(scene.steps, 1):
        for name, value in step.typed.items():
            await _type(page, name, value.format_map(known))
        if scene.signed_out and number == len(scene.steps):
            await window.context.clear_cookies()
        await window.press(step.press)
    heading = await page.inner_text("h1")
    assert scene.says in heading, f"{scene.name} ends on {heading!r}: {await page.inner_text('main')}"
    return page


async def _address(window: Window, place: Place, known: Mapping[str, str]) -> str:
    async def links(path: str) -> Iterable[str]:
        await window.go(path)
        return await window.links()

    return await address(place, known, links)


async def _type(page: Page, name: str, value: str) -> None:
    field = page.locator(f"main [name='{name}']:not([type=hidden])")
    kind = await field.first.evaluate("field => field.type")
    if kind in {"radio", "checkbox"}:
        await (field if value == "*" else page.locator(f"main [name='{name}'][value='{value}']")).first.check()
    elif kind == "select-one" and value == "*":
        await field.select_option(index=1)
    elif kind == "select-one":
        await field.select_option(value)
    else:
        await field.first.fill(value)
