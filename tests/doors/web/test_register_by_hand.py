"""A register of thirty in a real browser: by the keyboard alone, by a thumb, and without a script.

What it takes is counted: key presses, taps and screens to scroll. Nothing waits for a clock: at the 0.28 seconds that a
key takes whoever types like most people, and at two a name that is read and tapped, both stay below ninety seconds.
"""

from datetime import timedelta

import pytest
from playwright.async_api import Locator, Page

from tests.daytime import daytime
from tests.doors.house import Api, register
from tests.doors.web.browser import Window, words_of
from tests.doors.web.entrance import Entrance

PEOPLE = 30
SECONDS_MAX = 90
A_KEY = 0.28
A_LOOK = 1.35
A_TAP = 2.0
TARGET_PX = 44


class Hall:
    """A project with thirty regulars, and a session of two and a half hours that is just over."""

    def __init__(self, api: Api, entrance: Entrance) -> None:
        self.api, self.entrance = api, entrance
        self.people: list[str] = []
        self.project = self.path = self.coordinator = ""

    async def opened(self) -> "Hall":
        self.project = await self.api.project()
        names = [f"{first} {last}" for last in ("Lee", "Ray", "Fox") for first in _FIRST_NAMES]
        self.people = [str((await self.api.person(name))["id"]) for name in names]
        lines = register(dict.fromkeys(self.people, 60), days_ago=7)
        await self.api.made(f"/v1/projects/{self.project}/registers", lines)
        ended = daytime().replace(second=0, microsecond=0) - timedelta(minutes=1)
        times = {"started_at": (ended - timedelta(minutes=150)).isoformat(), "ended_at": ended.isoformat()}
        made = await self.api.made(f"/v1/projects/{self.project}/sessions", times)
        self.path = f"/projects/{self.project}/sessions/{made['sessions'][0]['id']}/register"
        self.coordinator = await self.entrance.coordinator(self.project)
        return self

    async def balances(self) -> list[int]:
        return [(await self.api.balance(person))[0] - 60 for person in self.people]


_FIRST_NAMES = ("Abe", "Bea", "Cy", "Dot", "Eve", "Flo", "Gus", "Hal", "Ida", "Jo")


class Thumb:
    """Somebody's thumb, whose taps are counted, and who finds what it taps."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.taps = 0

    async def tap(self, place: Locator) -> None:
        box = await place.bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= TARGET_PX, "a thumb finds it"
        await place.tap()
        self.taps += 1

    async def press(self, words: str) -> None:
        await self.tap(self._page.get_by_role("button", name=words))

    async def send(self) -> None:
        """Check what was tapped, and send it."""
        await self.press("Check the register")
        await self.press("Send")
        await self._page.get_by_role("heading", name="Thank you").wait_for()


class Keyboard:
    """Somebody's hands, whose key presses are counted."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.presses = 0

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._page.keyboard.press(key)
            self.presses += 1

    async def type(self, words: str) -> None:
        await self._page.keyboard.type(words)
        self.presses += len(words)

    async def skip(self) -> None:
        """Past what every page begins with, to its main part."""
        await self.press("Tab", "Enter")
        await self._page.wait_for_function("document.activeElement.id === 'main'")

    async def enter(self) -> None:
        """Send what stands there."""
        async with self._page.expect_event("load"):
            await self.press("Enter")

    async def focused(self) -> str:
        found: str = await self._page.evaluate("document.activeElement.name || document.activeElement.textContent")
        return found.strip()


@pytest.fixture
async def hall(api: Api, entrance: Entrance) -> Hall:
    return await Hall(api, entrance).opened()


async def test_thirty_people_by_the_keyboard_alone(hall: Hall, desktop: Window) -> None:
    await desktop.sign_in(hall.coordinator)
    page = await desktop.go(hall.path)
    hands = Keyboard(page)
    await hands.skip()
    while not (await hands.focused()).startswith("state_"):
        await hands.press("Tab")
    for number in range(PEOPLE):
        assert await hands.focused() == f"state_{number}", "one key goes on to the next person"
        if number == 7:  # who isn't here is passed over
            await hands.press("Tab")
        elif number == 9:  # who had tea alone
            await hands.press("ArrowLeft", "Tab")
        elif number == 11:  # who left early: back to the time, and on
            await hands.press("ArrowRight", "Shift+Tab", "Shift+Tab", "0", "Tab", "4", "5", "Tab", "Tab")
        else:
            await hands.press("ArrowRight", "Tab")
    assert (await hands.focused()).startswith("name_")
    await hands.type("Zoe")
    await hands.enter()
    assert await page.locator("h1").inner_text() == "Check the register"
    assert "30 people, 70 credits 45 minutes" in await words_of(page)
    await hands.skip()
    await hands.press("Tab")
    assert await hands.focused() == "step"
    await hands.enter()
    assert await page.locator("h1").inner_text() == "Thank you"

    balances = await hall.balances()
    assert sorted(balances) == [0, 0, 45, *[150] * 27]
    assert hands.presses <= 90, hands.presses
    assert hands.presses * A_KEY + PEOPLE * A_LOOK < SECONDS_MAX


async def test_thirty_people_by_a_thumb(hall: Hall, phone: Window) -> None:
    await phone.sign_in(hall.coordinator)
    page = await phone.go(hall.path)
    thumb, rows = Thumb(page), page.locator("#register fieldset")
    assert await rows.count() == PEOPLE
    height = int(await page.evaluate("document.documentElement.scrollHeight"))
    for number in range(PEOPLE):
        await thumb.tap(rows.nth(number).locator("label", has_text="Just tea" if number == 3 else "Came"))
    await thumb.send()
    assert sorted(await hall.balances()) == [0, *[150] * 29]
    assert thumb.taps * A_TAP < SECONDS_MAX, thumb.taps
    assert height < 8 * 844, "some screens, scrolled as one goes down the names"


async def test_everybody_at_one_tap_and_then_the_exceptions(hall: Hall, phone: Window) -> None:
    await phone.sign_in(hall.coordinator)
    page = await phone.go(hall.path)
    thumb, rows = Thumb(page), page.locator("#register fieldset")
    await thumb.press("Everybody came")
    # A name is found by its beginning; what stands there is kept meanwhile.
    await page.get_by_label("Find a name").fill("eve fox")
    assert await rows.locator("visible=true").locator("legend").all_inner_texts() == ["Eve Fox"]
    await thumb.tap(rows.filter(has_text="Eve Fox").locator("label", has_text="Not here"))
    await page.get_by_label("Find a name").fill("")
    await thumb.send()
    assert sorted(await hall.balances()) == [0, *[150] * 29]
    assert thumb.taps == 4, "one for all, one for who isn't here, and two to send it"


async def test_a_row_is_added_as_one_types(hall: Hall, desktop: Window) -> None:
    await desktop.sign_in(hall.coordinator)
    page = await desktop.go(hall.path)
    names = page.locator("#added input[list]")
    before = await names.count()
    for number in range(before + 3):
        await names.nth(number).fill(f"Newcomer {number}")
    assert await names.count() == before + 4
    await desktop.press("Check the register")
    assert f"{before + 3} people" in await words_of(page)
    await desktop.press("Change")
    found = [await names.nth(number).input_value() for number in range(before + 3)]
    assert found == [f"Newcomer {number}" for number in range(before + 3)]


async def test_who_goes_back_finds_what_was_typed(hall: Hall, desktop: Window) -> None:
    await desktop.sign_in(hall.coordinator)
    page = await desktop.go(hall.path)
    first, names = page.locator("#register fieldset").first, page.locator("#added input[list]")
    await first.locator("label", has_text="Came").click()
    await first.get_by_label("Hours").fill("1")
    for number in range(await names.count() + 2):
        await names.nth(number).fill(f"Newcomer {number}")
    before = await page.locator("#sheet [name]:not([type=hidden])").evaluate_all(_TYPED)
    await desktop.press("Check the register")
    await page.evaluate("history.back()")  # Playwright's own asks a page that may be leaving
    await page.get_by_role("heading", name="Register", exact=True).wait_for()
    assert await page.locator("#sheet [name]:not([type=hidden])").evaluate_all(_TYPED) == before
    await desktop.press("Check the register")
    await desktop.press("Send")
    await page.goto(hall.path)
    assert await names.first.input_value() == "", "opened anew, it is empty"


_TYPED = "fields => fields.map(field => [field.name, field.type === 'radio' ? field.checked : field.value])"
