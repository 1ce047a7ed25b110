"""Pictures of pages are taken; a page that fails is named, and the others' are taken all the same."""

from pathlib import Path

from playwright.async_api import Browser

from tests.doors.web.conftest import County
from tests.doors.web.places import Place
from tests.doors.web.shots import Shot, Shown, take


async def test_a_page_that_fails_is_named_and_the_others_are_taken(
    browser: Browser, seen_county: County, tmp_path: Path
) -> None:
    shown = Shown(seen_county.url, {"anybody": ""}, seen_county.known, {}, {})
    start, lost = Place("/", "anybody", dark=True), Place("/nowhere", "anybody")
    shots = [Shot(start, "phone", dark=False), Shot(lost, "phone", dark=False), Shot(start, "desktop", dark=True)]
    (failed,) = await take(browser, shown, tmp_path, shots)
    assert failed.startswith("anybody-nowhere.phone.png: 404")
    assert {file.name for file in tmp_path.iterdir()} == {"anybody-start.phone.png", "anybody-start.desktop.dark.png"}
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())
