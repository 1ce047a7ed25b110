"""The page of all parts: for whoever builds the pages, and in no live service."""

import msgspec

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
        await live.get("/style", status=404)
