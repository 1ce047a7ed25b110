"""Somebody who has a keyboard and nothing else: Tab, Enter, Space, the arrows, and what they type."""

from typing import Final

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

    async def to(self, name: str) -> None:
        """Go on to the field, link or button that is called so, or begins so; Tab starts again at the page's end."""
        for _ in range(STOPS_MAX):
            if (await self._called()).startswith(name):
                return
            await self.press("Tab")
        stops = await self.page.inner_text("body")
        raise AssertionError(f"no Tab leads to {name!r} on {self.page.url}: {stops}")

    async def type(self, name: str, words: str) -> None:
        """Go to a field and type; in a list, the beginning of what is chosen; a day as 11222026, a time as 1030AM."""
        await self.to(name)
        await self.press("ControlOrMeta+a")
        await self.write(words)

    async def write(self, words: str) -> None:
        """Type where the focus stands."""
        await self.page.keyboard.type(words)
        self.presses += len(words)

    async def tick(self, name: str) -> None:
        await self.to(name)
        await self.press("Space")

    async def choose(self, legend: str, name: str) -> None:
        """Go to the radios of that question, and by the arrows to the one of that name."""
        for _ in range(STOPS_MAX):
            if (await self.group()).startswith(legend):
                break
            await self.press("Tab")
        await self.press("Space")
        for _ in range(STOPS_MAX):
            if (await self._called()).startswith(name):
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

    async def group(self) -> str:
        """Of which question the radio is that has the focus, if it is one."""
        found: str = await self.page.evaluate(_LEGEND)
        return found

    async def _called(self) -> str:
        found: str = await self.page.evaluate(_CALLED)
        return found


_CALLED: Final = """() => {
    const here = document.activeElement;
    const labels = [...(here.labels || [])].map(label => label.textContent).join(' ');
    return (here.getAttribute('aria-label') || labels || (here === document.body ? '' : here.textContent))
        .replace(/\\s+/g, ' ').trim();
}"""
_LEGEND: Final = """() => {
    const group = document.activeElement.type === 'radio' && document.activeElement.closest('fieldset');
    return group ? group.querySelector('legend').textContent.trim() : '';
}"""
