"""The public pages, read by somebody who isn't signed in."""

from html import escape
from typing import cast

import pytest
from litestar import Litestar, get

from ledger.doors.web.access import Access as PageAccess
from ledger.doors.web.access import Who
from ledger.doors.web.pages import HERE, static_file, static_url
from ledger.doors.web.refused import HANDLERS
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import SignIns
from tests.doors.web.client import URL, Pages


async def test_the_start_page_says_what_this_is_and_where_to_go(pages: Pages) -> None:
    page = await pages.get("/")

    assert page.heading == "An hour given is an hour to enjoy"
    assert {"Give time", "Spend credits", "How it works", "Sign in"} <= set(page.links)


async def test_an_address_that_is_none_has_a_page_with_a_way_on(pages: Pages) -> None:
    page = await pages.get("/nothing/here", status=404)

    assert page.heading == "There is nothing here"
    assert page.links["Go to the start page"] == "/"


@pytest.mark.parametrize("words", ["100% of it", "%(name)s", "<b>bold</b>"])
async def test_what_is_refused_is_told_as_text_whatever_it_holds(words: str) -> None:
    """A refusal may quote a name; in a template's `_()` that would be a format, and markup."""

    @get("/refuse", before_request=PageAccess(cast("SignIns", None), "test", URL).only(Who.ANYBODY))
    async def refuse() -> None:
        raise Declined(Refusal.WRONG_STATE, words)

    application = Litestar([refuse], exception_handlers=dict(HANDLERS))
    async with Pages.of(application) as pages:
        answer = await pages.client.get("/refuse")

    assert answer.status_code == 409
    assert escape(words, quote=False) in answer.text


def test_the_scripts_of_any_page_are_below_five_kib() -> None:
    names = [path.name for path in (HERE / "static").glob("*.js")]
    sizes = {name[:-3]: len(static_file(static_url(name).removeprefix("/static/")).content) for name in names}

    core = sizes.pop("site")
    assert {"live", "passkey", "register"} == set(sizes)
    assert core + max(sizes.values()) < 5 * 1024, "a page has the one and at most one of the others"
