"""Somebody who has a keyboard and nothing else: Tab, Enter, Space, the arrows, and what they type."""

from datetime import date, time
from typing import Any, Final

from playwright.async_api import Page

# Of Tab, from the top of a page: more than the longest page has stops.
STOPS_MAX: Final = 150


class Hands:
    """On the tab of a window. Whatever is looked for is gone to by Tab, from where the focus stands."""

    def __init__(self, page: Page, *, script: bool = True) -> None:
        self.page = page
        self.script = script
        self.presses = 0

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            self.presses += 1

    async def skip(self) -> None:
        """Past what every page begins with, to its main part; where a page puts the focus itself, stay there."""
        if not await self.page.locator("[autofocus]").count():
            await self.press("Tab", "Enter")
            await self.page.wait_for_function("document.activeElement.id === 'main'")

    async def mend(self) -> None:
        """From the summary of what is wrong, which has the focus, into the first field that it leads to."""
        await self.page.wait_for_function("document.activeElement.matches('[data-errors]')")
        await self.press("Tab", "Enter")
        await self.page.wait_for_function("document.activeElement.matches('input, select, textarea')")

    async def to(self, name: str) -> None:
        """Go on to the field, link or button that is called so, or begins so; Tab starts again at the page's end."""
        for _ in range(STOPS_MAX):
            if (await self.called()).startswith(name):
                return
            await self.press("Tab")
        stops = await self.page.inner_text("body")
        raise AssertionError(f"no Tab leads to {name!r} on {self.page.url}: {stops}")

    async def type(self, name: str, value: str) -> None:
        """Go to the field that is called so, or begins so, and put that in: see `fill`."""
        await self.to(name)
        await self._put(value)

    async def fill(self, field: str, value: str) -> None:
        """Go to the field that its form sends by that name, and put in what is to be sent.

        A day as 2026-11-22, a time as 10:30. Of a list the value or the beginning of its words, of radios and
        checkboxes the value; of each * for the first there is.
        """
        for _ in range(STOPS_MAX):
            stop = await self._stop()
            if stop["name"] == field and (stop["type"] != "checkbox" or value in {"*", stop["value"]}):
                return await self._put(value)
            await self.press("Tab")
        raise AssertionError(f"no Tab leads to the field {field!r} on {self.page.url}")

    async def _put(self, value: str) -> None:
        match (await self._stop())["type"]:
            case "checkbox":
                await self.press("Space")
            case "radio":
                await self.press("Space")
                for _ in range(STOPS_MAX):
                    if value in {"*", (await self._stop())["value"]}:
                        return
                    await self.press("ArrowDown")
                raise AssertionError(f"no arrow leads to {value!r} on {self.page.url}")
            case "select-one" if value == "*":
                await self.press("ArrowDown")
            case "select-one":
                await self.write((await self._stop())["options"].get(value, value))
            case "date":  # as this Chromium has it typed
                await self.write(f"{date.fromisoformat(value):%m%d%Y}")
            case "time":
                await self.write(f"{time.fromisoformat(value):%I%M%p}")
            case _:
                await self.press("ControlOrMeta+a")
                await self.page.keyboard.insert_text(value)  # at once: a letter takes as long as a Tab
                self.presses += len(value)

    async def write(self, words: str) -> None:
        """Type where the focus stands."""
        await self.page.keyboard.type(words)
        self.presses += len(words)

    async def choose(self, legend: str, name: str) -> None:
        """Go to the radios of that question, and by the arrows to the one of that name."""
        for _ in range(STOPS_MAX):
            if (await self.group()).startswith(legend):
                break
            await self.press("Tab")
        await self.press("Space")
        for _ in range(STOPS_MAX):
            if (await self.called()).startswith(name):
                return
            await self.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {name!r} of {legend!r}")

    async def go(self, name: str) -> None:
        """Go to a link or a button, and press Enter; the page that it leads to stands there then."""
        await self.to(name)
        await self.enter()

    async def enter(self) -> None:
        async with self.page.expect_event("load"):  # not `expect_navigation`, which a script's replaceState is, too
            await self.press("Enter")

    async def called(self) -> str:
        """What the field, link or button is called that has the focus; nothing if none has it."""
        found: str = await self.page.evaluate(_CALLED)
        return found

    async def group(self) -> str:
        """Of which question the radio is that has the focus, if it is one."""
        found: str = await self.page.evaluate(_LEGEND)
        return found

    async def _stop(self) -> dict[str, Any]:
        """What has the focus: a field's name, type, value and, of a list, its options' words by their values."""
        found: dict[str, Any] = await self.page.evaluate(_STOP)
        return found


_CALLED: Final = """() => {
    const here = document.activeElement;
    const labels = [...(here.labels || [])].map(label => label.textContent).join(' ');
    return here.tabIndex < 0 ? '' : (here.getAttribute('aria-label') || labels || here.textContent)
        .replace(/\\s+/g, ' ').trim();
}"""
_STOP: Final = """() => {
    const {name, type, value, options = []} = document.activeElement;
    return {name, type, value, options: Object.fromEntries([...options].map(each => [each.value, each.text]))};
}"""
_LEGEND: Final = """() => {
    const group = document.activeElement.type === 'radio' && document.activeElement.closest('fieldset');
    return group ? group.querySelector('legend').textContent.trim() : '';
}"""
