"""Chromium on pages of our own making: what is looked at in it is seen, and what is wrong fails."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.doors.web.browser import PHONE, SHAPES, Window, axe, every_size, left_out, listening, overflowing, served

GOOD = "<p>You gave 2 credits.</p>"
BAD = {
    "/good": GOOD,
    "/wide": '<p id="wide">W</p>',
    "/scrolls": '<div id="scrolls" tabindex="0"><p id="wide">W</p></div>',
    "/pale": '<p id="pale">You can hardly read this.</p>',
    "/small": '<p id="small">This stays small.</p>',
    "/tiny": '<button class="tiny">a</button><button class="tiny">b</button>',
    "/unringed": '<form><button id="unringed">Send</button></form>',
    "/covered": '<div id="covers"></div><form><button>Send</button></form>',
    "/early": '<form><button>One</button><button tabindex="2">Two</button></form>',
    "/upside": '<div id="upside"><p><a href="/good">One</a></p><p><a href="/good">Two</a></p></div>',
    "/night": '<p id="night"><button></button></p>',
    "/outside": '<img alt="" src="https://t.example/pixel">',
    "/script": "<script>throw new Error('inline')</script>",
    "/form": "<form><button>Send</button></form>",
    "/error": "<script src='/error.js'></script>",
}
STYLE = """body { font: 1rem sans-serif; color: #111; background: #fff; margin: 1rem }
#wide { width: 2000px } #scrolls { overflow-x: auto } #pale { color: #ccc } #small { font-size: 14px }
:focus-visible { outline: 3px solid #111 } #unringed { outline: none } #covers { position: fixed; inset: 0 }
.tiny { width: 10px; height: 10px; padding: 0; overflow: hidden }
#upside { display: flex; flex-direction: column-reverse }
#night { display: none }
@media (min-width: 1000px) and (prefers-color-scheme: dark) { #night { display: block } }"""
PASSKEY = """() => navigator.credentials.create({ publicKey: {
    rp: { name: "Time Credits" }, user: { id: new Uint8Array(16), name: "ann", displayName: "Ann" },
    challenge: new Uint8Array(32), pubKeyCredParams: [{ type: "public-key", alg: -7 }],
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
}}).then(made => made.type)"""
POLICY = b"default-src 'none'; style-src 'self'; script-src 'self'; img-src * data:"


async def _application(scope: MutableMapping[str, Any], _receive: object, send: Any) -> None:  # noqa: ANN401  # ASGI
    path = scope["path"]
    kind, body = "text/html; charset=utf-8", ""
    if path == "/site.css":
        kind, body = "text/css", STYLE
    elif path == "/error.js":
        kind, body = "text/javascript", "throw new Error('broken')"
    elif path in BAD:
        body = f"""<!doctype html><html lang="en"><title>Page</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/site.css"><main><h1>Page</h1>{BAD[path]}</main></html>"""
    headers = [(b"content-type", kind.encode()), (b"content-security-policy", POLICY)]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": (body or "Nothing").encode()})


@pytest.fixture
async def site() -> AsyncIterator[str]:
    with listening() as listener:
        async with served(_application, listener) as base:
            yield base


async def test_a_page_that_is_as_it_should_be_is_so_at_every_size(browser: Browser, site: str) -> None:
    async with Window.opened(browser, site, PHONE) as window:
        await every_size(await window.go("/good"))
        assert await axe(window.page) == []
        assert await overflowing(await window.go("/scrolls")) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/wide", "too wide: <p id=.wide.>"),
        ("/pale", "color-contrast"),
        ("/small", "text doesn't grow: <p id=.small.>"),
        ("/tiny", "target-size"),
        ("/unringed", "shows no focus: <button id=.unringed.>"),
        ("/covered", "is covered by <div id=.covers.>"),
        ("/early", "comes before its turn: <button tabindex=.2.>Two"),
        ("/upside", "comes after what stands below it, .*One.*: .*Two"),
    ],
)
async def test_what_only_a_browser_sees_fails(browser: Browser, site: str, path: str, why: str) -> None:
    async with Window.opened(browser, site) as window:
        page = await window.go(path)
        with pytest.raises(AssertionError, match=why):
            await every_size(page)


async def test_further_shapes_are_looked_at_by_all_rules(browser: Browser, site: str) -> None:
    async with Window.opened(browser, site) as window:
        page = await window.go("/night")
        dark_at_a_desk = (1280, ", dark")
        await every_size(page, further={*SHAPES} - {dark_at_a_desk})
        with pytest.raises(AssertionError, match="at 1280 px, dark: button-name"):
            await every_size(page, further=[dark_at_a_desk])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/outside", "asked elsewhere: .*t.example"),
        ("/script", "Content Security Policy"),
        ("/error", "broken"),
    ],
)
async def test_what_leaves_or_complains_fails(browser: Browser, site: str, path: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        async with Window.opened(browser, site) as window:
            await window.go(path)


async def test_links_are_read_and_buttons_pressed(browser: Browser, site: str) -> None:
    async with Window.opened(browser, site) as window:
        assert (await (await window.go("/form")).title()) == "Page"
        assert await window.links() == []
        assert (await window.press("Send")).url == f"{site}/form?"
        with pytest.raises(AssertionError, match="404"):
            await window.go("/nowhere")


async def test_a_passkey_is_made_without_a_finger(browser: Browser, site: str) -> None:
    async with Window.opened(browser, site) as window:
        await window.go("/good")
        await window.authenticator()
        assert await window.page.evaluate(PASSKEY) == "public-key"


async def test_without_script_none_runs(browser: Browser, site: str) -> None:
    async with Window.opened(browser, site, script=False) as window:
        await window.go("/error")


def test_leaving_browser_tests_out_is_said_and_is_a_failure_in_ci() -> None:
    with pytest.raises(pytest.skip.Exception, match="LEFT OUT: there is no Chromium"):
        left_out({})
    with pytest.raises(pytest.fail.Exception, match="in CI that is a failure"):
        left_out({"CI": "1"})
