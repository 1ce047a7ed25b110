"""The public pages, read by somebody who isn't signed in."""

from html import escape
from typing import Any, cast

import asyncpg
import pytest
from litestar import Litestar, get
from msgspec import structs

from ledger.doors.web import FORM
from ledger.doors.web.access import Access as PageAccess
from ledger.doors.web.access import Who
from ledger.doors.web.pages import HERE, static_file, static_url
from ledger.doors.web.refused import HANDLERS
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import SignIns
from tests.doors.house import Api, settings_for, written
from tests.doors.web.browser import Window
from tests.doors.web.checks import CHECKS, Html, has_safe_headers
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance


async def test_the_start_page_says_what_this_is_and_where_to_go(pages: Pages) -> None:
    page = await pages.get("/")

    assert page.heading == "An hour given is an hour to enjoy"
    assert {"Give time", "Spend credits", "How it works", "Sign in"} <= set(page.links)


async def test_an_address_that_is_none_has_a_page_with_a_way_on(pages: Pages) -> None:
    page = await pages.get("/nothing/here", status=404)

    assert page.heading == "There is nothing here"
    assert page.links["Go to the start page"] == "/"


ABOUT = {
    "scheme": "Borough Time Credits",
    "controller": "The Borough Trust, 1 High Street, Borough BR1 1AA",
    "contact_email": "office@credits.example",
    "contact_phone": "01632 960 123",
}


async def test_they_say_how_it_works_what_can_be_expected_and_whose_it_is(dsn: str) -> None:
    async with (
        Api.running(dsn, settings=structs.replace(settings_for(dsn), public_url=URL, **ABOUT)) as api,
        Pages.of(api) as pages,
    ):
        await api.send("PATCH", "/v1/rules", {"contact_months": 6})
        await pages.get("/")
        how = await pages.click("How it works")
        assert "Each hour is one Time Credit." in how
        assert how.terms()["What a venue sees"].endswith("Never what you have, or where you help.")
        assert how.terms()["What we need from you"].startswith("Only a name")
        assert {"Find something to do", "See what credits are good for", "Check a receipt"} <= set(how.links)

        accessibility = await pages.click("Accessibility")
        assert "level AA of the Web Content Accessibility Guidelines 2.2" in accessibility
        assert "What is not as it should be yet" in accessibility
        privacy = await pages.click("Privacy")
        assert "Borough Time Credits. The Borough Trust, 1 High Street, Borough BR1 1AA answers for" in privacy
        assert "We forget it 6 months after we last used it." in privacy, "as the rule says"
        assert "ico.org.uk" in privacy
        for page in (accessibility, privacy):
            assert page.terms()["By email"] == "office@credits.example"
            assert page.terms()["By phone"] == "01632 960 123"
        for page in (how, accessibility, privacy):
            assert not page.hard_to_read()


async def test_who_is_signed_in_is_led_to_what_is_kept_about_them(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = (await api.person("Ann"))["id"]
    pages.sign_in(await entrance.person(ann))
    page = await pages.get("/privacy")
    assert "The office tells you who answers for what is kept about you." in page, "where nobody is set"
    assert (await pages.click("What we keep about you")).heading == "What we keep about you"


EXIT = "Leave this site quickly"


async def test_public_pages_can_be_left_quickly_whoever_is_signed_in(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    offer = await api.offer(await api.venue())
    public = ("/do", "/spend", f"/spend/{offer}", "/how-it-works", "/accessibility", "/privacy", "/verify")
    for path in ("/", "/sign-in", *public):
        assert EXIT in (await pages.get(path)).links
    ann = (await api.person("Ann"))["id"]
    pages.sign_in(await entrance.person(ann))
    for path in public:
        assert EXIT in (await pages.get(path)).links
    assert EXIT not in (await pages.get(f"/people/{ann}")).links


@pytest.mark.parametrize("way", ["keys", "click", "no script"])
async def test_leaving_quickly_empties_the_page_and_takes_its_place(phone: Window, no_script: Window, way: str) -> None:
    window = no_script if way == "no script" else phone
    await window.context.route("https://www.bbc.co.uk/**", lambda route: route.fulfill(body="Sunny"))
    await window.go("/how-it-works")
    page = await window.go("/spend")
    if way == "keys":
        for _ in range(3):
            await page.keyboard.press("Escape")
    else:
        await page.get_by_role("link", name=EXIT).click()
    await page.wait_for_url("https://www.bbc.co.uk/weather")
    assert window.left, "it is the one thing that leads elsewhere"
    window.left.clear()
    await page.go_back()
    assert page.url.endswith("/spend" if way == "no script" else "/how-it-works"), "with a script, Back skips it"


@pytest.mark.parametrize("words", ["100% of it", "%(name)s", "<b>bold</b>"])
async def test_what_is_refused_is_told_as_text_whatever_it_holds(words: str) -> None:
    """A refusal may quote a name; in a template's `_()` that would be a format, and markup."""

    @get("/refuse", before_request=PageAccess(cast("SignIns", None), URL).only(Who.ANYBODY))
    async def refuse() -> None:
        raise Declined(Refusal.WRONG_STATE, words)

    application = Litestar([refuse], exception_handlers=dict(HANDLERS))
    async with Pages.of(application) as pages:
        answer = await pages.client.get("/refuse")

    assert answer.status_code == 409
    assert escape(words, quote=False) in answer.text


DAMAGED: dict[str, tuple[int, dict[str, Any]]] = {
    "a form as long as a book": (413, {"method": "POST", "url": "/sign-in", "content": b"email=" + b"a" * 70_000}),
    "a filter twice": (400, {"method": "GET", "url": "/do?near=CB1&near=CB2"}),
    "a key in the address": (400, {"method": "GET", "url": "/spend?token=tc_test_1"}),
    "a NUL in the address": (400, {"method": "GET", "url": "/do?near=%00"}),
    "broken UTF-8 in the address": (400, {"method": "GET", "url": "/do?near=%ff"}),
    "another site's name": (400, {"method": "GET", "url": "/", "headers": {"host": "evil.example"}}),
    "a file instead of a form": (415, {"method": "POST", "url": "/sign-in", "files": {"email": b"a"}}),
    "a hundred headers": (431, {"method": "GET", "url": "/", "headers": {f"x-{n}": "1" for n in range(101)}}),
}


@pytest.mark.parametrize("what", DAMAGED)
async def test_what_is_refused_before_anybody_reads_it_is_told_by_a_page_too(
    api: Api, owner: asyncpg.Connection, what: str
) -> None:
    status, request = DAMAGED[what]
    headers = {"accept-language": "cy", "content-type": FORM[0], **request.get("headers", {})}
    if "files" in request:
        del headers["content-type"]
    before = await written(owner)

    answer = await api.client.request(**{**request, "headers": headers})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    page = Html(answer.text)
    assert [said for check in CHECKS for said in check(page)] == []
    assert list(has_safe_headers(answer.headers, private=True)) == []
    assert 'lang="cy"' in answer.text
    assert await written(owner) == before


async def test_a_method_that_a_page_has_not_is_told_with_those_it_has(pages: Pages) -> None:
    answer = await pages.client.delete("/do")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_each_file_of_the_pages_says_its_type_and_once_how_its_letters_are_written(pages: Pages) -> None:
    types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in (HERE / "static").iterdir():
        answer = await pages.file(static_url(file.name))
        assert answer.headers["content-type"] == f"{types[file.suffix]}; charset=utf-8"


def test_all_script_there_is_is_below_five_kib() -> None:
    (script,) = (HERE / "static").glob("*.js")
    assert len(static_file(static_url(script.name).removeprefix("/static/")).content) < 5 * 1024
