"""The page of all parts: for whoever builds the pages, and in no live service."""

import re

import msgspec

from ledger.doors.web.pages import HERE
from tests.doors.house import Api, settings_for
from tests.doors.web.client import Pages


async def test_it_shows_every_part_and_its_forms_do_nothing(pages: Pages) -> None:
    page = await pages.get("/style")

    assert page.heading == "All parts"
    assert "This was sent already." in page.alert
    page = await pages.submit("Save the register")
    assert page.path == "/style"


async def test_the_live_service_has_no_such_page(dsn: str) -> None:
    settings = msgspec.structs.replace(settings_for(dsn), environment="live", public_url="https://localhost")
    async with Api.running(dsn, settings=settings) as api, Pages.of(api) as live:
        page = await live.get("/style", status=404)
        # It stands nowhere else: whoever tries the service on this machine isn't bound to https for a year.
        assert page.answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_no_part_is_missing_there() -> None:
    parts, style = ((HERE / "templates" / name).read_text("utf-8") for name in ("parts.html", "style.html"))
    # What a page never draws by itself: `form` writes these, and others of the parts the small drawings.
    of_others = {"errors", "hidden", "mark", "arrow", "sign"}
    assert set(re.findall(r"{% macro ([a-z]\w*)", parts)) - of_others == set(re.findall(r"parts\.(\w+)\(", style))
