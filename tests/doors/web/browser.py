"""Real Chromium on the running service: contexts of the sizes that people have, and what only a browser can judge.

Every context is held to its own origin: a request that leaves it fails the test, as does an error of script or policy
in the console. `every_size` looks at a page as phones, tables and desks see it, in light and dark, with small and
large text, and goes through all that a keyboard reaches.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page, Playwright, Request, async_playwright

from tests.doors.web.checks import said
from tests.doors.web.client import cookie_at

ARGUMENTS: Final = (
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",  # whatever a page asks elsewhere gets no answer
)
PHONE: Final = (390, 844)
DESKTOP: Final = (1280, 900)
NARROW: Final = (320, 640)
WAIT_MS: Final = 10_000  # of what takes a tenth of a second on a quiet machine

_LARGE: Final = " with text at 200 %"
_DARK: Final = ", dark"
# Widths and what is said of them, but for the telephone's own, by day and with plain text.
SHAPES: Final = tuple(
    (width, how) for how in ("", _LARGE, _DARK) for width, _ in (NARROW, PHONE, DESKTOP) if how or width != PHONE[0]
)

_AXE: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_LEFT_OUT: Final = (
    "LEFT OUT: there is no Chromium (apt-get install chromium, or set CHROMIUM), so no page was looked at"
)


def chromium() -> str | None:
    """Where Chromium is."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def left_out(environment: Mapping[str, str] = os.environ) -> None:
    """Say that browser tests are left out; where that may not be, in CI, fail."""
    if environment.get("CI"):
        pytest.fail(f"{_LEFT_OUT}; in CI that is a failure", pytrace=False)
    pytest.skip(_LEFT_OUT)


@contextlib.asynccontextmanager
async def launched(executable: str) -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await _launch(playwright, executable)
        try:
            yield browser
        finally:
            await browser.close()


async def _launch(playwright: Playwright, executable: str) -> Browser:
    return await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))


def listening() -> socket.socket:
    """A port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets it only where a socket says it is TCP; without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextlib.asynccontextmanager
async def served(application: Callable[..., Any], listener: socket.socket) -> AsyncIterator[str]:
    """Any application there. By the name localhost, which browsers hold for as safe as https: cookies are Secure."""
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", ws="none", log_config=None, access_log=False))
    # Not `serve`, which would take Ctrl-C away from pytest.
    running = asyncio.create_task(server._serve([listener]), name="server")
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True  # connections that browsers keep open
        await running


# One that verifies its user, and finds a passkey without being told whose.
_AUTHENTICATOR: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Window:
    """A browser's context, held to one origin; `page` is its tab."""

    def __init__(self, base: str, context: BrowserContext, page: Page) -> None:
        self.base = base
        self.context = context
        self.page = page
        self.left: list[str] = []
        """Addresses elsewhere that were asked for."""
        self.complained: list[str] = []
        """Errors of script and of the policy."""
        self._expected = 200

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, browser: Browser, base: str, size: tuple[int, int] = DESKTOP, *, script: bool = True, dark: bool = False
    ) -> AsyncIterator["Window"]:
        """A window with no cookies; whatever left or complained fails at its end."""
        context = await browser.new_context(
            base_url=base,
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=script,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="Europe/London",
            has_touch=size[0] < DESKTOP[0],
        )
        try:
            context.set_default_timeout(WAIT_MS)
            window = cls(base, context, await context.new_page())
            # Only watched: whatever is asked through here one by one takes its time, and is never kept by the browser.
            context.on("request", window._asked)
            context.on("page", window._listen)
            window._listen(window.page)
            yield window
            window.judge()
        finally:
            await context.close()

    def judge(self) -> None:
        """Fail if anything left or complained; and begin anew."""
        left, complained = self.left[:], self.complained[:]
        self.left.clear()
        self.complained.clear()
        assert not left, f"asked elsewhere: {left}"
        assert not complained, "\n".join(complained)

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complained.append(f"{page.url}: {error}"))
        page.on("console", lambda told: self._heard(page, told.type, told.text))

    def _heard(self, page: Page, kind: str, words: str) -> None:
        # A refused form is answered 4xx, which Chromium notes as an error; a file that is missing fails elsewhere.
        told = "Failed to load resource: the server responded with a status of"
        if kind == "error" and not words.startswith((f"{told} 4", f"{told} {self._expected}")):
            self.complained.append(f"{page.url}: {words}")

    def _asked(self, request: Request) -> None:
        address = request.url
        if not address.startswith(("data:", "blob:")) and urlsplit(address)[:2] != urlsplit(self.base)[:2]:
            self.left.append(address)

    async def sign_in(self, token: str) -> None:
        """Be whoever has that cookie (see `entrance.py`)."""
        await self.context.add_cookies(
            [{"name": cookie_at(self.base), "value": token, "url": self.base, "httpOnly": True, "sameSite": "Lax"}]
        )

    async def authenticator(self) -> str:
        """Give the tab a fingerprint reader that agrees to every passkey; its id, for more of CDP's WebAuthn."""
        devtools = await self.context.new_cdp_session(self.page)
        await devtools.send("WebAuthn.enable")
        made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
        return str(made["authenticatorId"])

    async def go(self, path: str, *, status: int = 200) -> Page:
        """Open that path; the page that stands there then."""
        self._expected = status
        answer = await self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{answer.status} {answer.url}"
        return self.page

    async def press(self, words: str) -> Page:
        """Press the button of these words, or the first that has them; the page that stands there then."""
        async with self.page.expect_event("load"):  # not `expect_navigation`, which a script's replaceState is, too
            button = self.page.get_by_role("button", name=words)
            exact = self.page.get_by_role("button", name=words, exact=True)
            await (exact if await exact.count() else button.first).click()
        return self.page

    async def links(self) -> list[str]:
        """Where the links of the page lead, as it says it."""
        found: list[str] = await self.page.eval_on_selector_all(
            "a[href]", "links => links.map(link => link.getAttribute('href'))"
        )
        return found


async def words_of(page: Page, selector: str = "main") -> str:
    """What is read there, with single spaces, as of a `client.Page`: that a space doesn't break, nobody reads."""
    return said(await page.inner_text(selector))


async def axe(page: Page, *rules: str) -> list[str]:
    """What axe finds on a page as it stands: a line for each place, with what to do about it. All rules, or these."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE_SCRIPT)
    asked = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _AXE}
    # Only what is wrong leaves the page: the rest is megabytes.
    found = await page.evaluate(
        "runOnly => axe.run({runOnly, resultTypes: ['violations']}).then(results => results.violations)", asked
    )
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


async def overflowing(page: Page) -> list[str]:
    """What makes a page wider than its window: nobody should have to scroll sideways to read."""
    found: list[str] = await page.evaluate(_OVERFLOWING)
    return found


async def by_keyboard(page: Page) -> list[str]:
    """What is wrong with the focus: all that a keyboard reaches has it in turn, shows it, and isn't covered then."""
    await page.keyboard.press("Tab")  # for what has the focus shows it only to whoever uses the keyboard
    found: list[str] = await page.evaluate(_BY_KEYBOARD)
    return found


async def every_size(page: Page, *, further: Collection[tuple[int, str]] = ()) -> None:
    """Look at a page, where it stands, at every width, in light and dark, with text at 100 and 200 %; fail with all.

    It is loaded once. What its shape decides - what is too wide, too small to press, covered, or has no focus - is
    looked at in every shape; by all of axe's rules on a telephone by day, and for its colours by night. In what is
    `further` of `SHAPES` by all of them as well: an eighth of a second each. What is within something that scrolls by
    itself, as a wide table may, isn't too wide.
    """
    faults: list[str] = []
    size = page.viewport_size

    async def look(how: str, *rules: str) -> None:
        looks = (width, how) in {(PHONE[0], ""), *further}
        found = await axe(page, *(() if looks else rules)) if looks or rules else []
        faults.extend(f"{urlsplit(page.url).path} at {width} px{how}: {fault}" for fault in found)

    for width, height in (NARROW, DESKTOP, PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        is_phone = (width, height) == PHONE
        await look("", "target-size")
        shape = f"{urlsplit(page.url).path} at {width} px"
        faults += [f"{shape}: {fault}" for fault in [*await overflowing(page), *await by_keyboard(page)]]
        # As a browser with a larger font does: sizes in rem follow, others stay too small.
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        large = [*await overflowing(page), *await _small(page), *(await by_keyboard(page) if is_phone else ())]
        faults += [f"{shape}{_LARGE}: {fault}" for fault in large]
        await look(_LARGE)
        await page.evaluate("document.documentElement.style.fontSize = ''")
        if is_phone or (width, _DARK) in further:
            await page.emulate_media(color_scheme="dark")
            await look(_DARK, "color-contrast")
            await page.emulate_media(color_scheme="light")
    if size is not None:
        await page.set_viewport_size(size)
    assert not faults, "\n" + "\n".join(dict.fromkeys(faults))


async def _small(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(_SMALL)
    return found


# An element that ends beyond the window, and that nothing around it cuts off or lets scroll.
_OVERFLOWING: Final = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const told = element => element.outerHTML.slice(0, 160);
    const kept = element => {
        for (let up = element; up; up = up.parentElement)
            if (up !== document.documentElement && up !== document.body
                && getComputedStyle(up).overflowX !== 'visible') return true;
        return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter(
        element => element.getBoundingClientRect().right > width + 1 && !kept(element)
    );
    const inmost = wide.filter(element => !wide.some(other => other !== element && element.contains(other)));
    return [
        `scrolls sideways: ${document.documentElement.scrollWidth} px in ${width}`,
        ...inmost.slice(0, 5).map(element => `too wide: ${told(element)}`)
    ];
}"""

# Words that didn't grow with the rest: below what 200 % of the smallest text, 14 px, would be.
_SMALL: Final = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const small = new Set();
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const read = walker.currentNode.data.trim() && !element.closest('svg, script, style, noscript');
        if (read && element.checkVisibility() && parseFloat(getComputedStyle(element).fontSize) < 26)
            small.add(element);
    }
    return [...small].slice(0, 5).map(element => `text doesn't grow: ${element.outerHTML.slice(0, 160)}`);
}"""

# Radios of a group are reached by the arrows, one after the other; what only script reaches is no stop.
_BY_KEYBOARD: Final = """() => {
    const told = element => element.outerHTML.slice(0, 160);
    const stops = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')];
    const reached = stops.filter(
        element => element.tabIndex >= 0 && !element.disabled && element.type !== 'hidden'
            && element.getClientRects().length && element.checkVisibility({visibilityProperty: true})
    );
    const ringed = (element, pseudo) => {
        const {outlineStyle, outlineWidth} = getComputedStyle(element, pseudo);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    };
    const faults = [];
    let above = null, lowest = -Infinity;
    for (const stop of reached) {
        if (stop.tabIndex > 0) faults.push(`comes before its turn: ${told(stop)}`);
        stop.focus();
        if (document.activeElement !== stop) { faults.push(`takes no focus: ${told(stop)}`); continue; }
        // A tile shows it by its whole face, a radio that is drawn by its words.
        const shown = ringed(stop) || ringed(stop, '::after')
            || (stop.nextElementSibling && ringed(stop.nextElementSibling));
        if (!shown) faults.push(`shows no focus: ${told(stop)}`);
        const {left, top, width, height} = stop.getClientRects()[0];
        const [x, y] = [left + width / 2, top + height / 2];
        const hit = document.elementFromPoint(x, y);
        if (!hit) faults.push(`has the focus out of sight: ${told(stop)}`);
        else if (!hit.contains(stop) && !stop.contains(hit) && !hit.closest('label')?.contains(stop))
            faults.push(`is covered by ${told(hit)}: ${told(stop)}`);
        const fixed = [...function* () { for (let up = stop; up; up = up.parentElement) yield up; }()]
            .some(up => getComputedStyle(up).position === 'fixed');
        if (fixed) continue;
        const place = stop.getBoundingClientRect();
        if (above && innerWidth < 400 && place.bottom + scrollY <= lowest + 1)
            faults.push(`comes after what stands below it, ${told(above)}: ${told(stop)}`);
        above = stop;
        lowest = place.top + scrollY;
    }
    document.activeElement.blur();
    scrollTo(0, 0);
    return faults;
}"""
