"""The main journeys, whole, in real Chromium: by the keyboard alone, on a desk's screen, with and without script.

Each person has a window of their own, as in life: what one of them did is what the next one sees.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Protocol

import pytest
from playwright.async_api import Browser

from ledger.database import Database
from ledger.scheme.clock import LONDON
from tests.daytime import daytime
from tests.doors.house import Api, register
from tests.doors.web.browser import DESKTOP, PHONE, Window, axe, words_of
from tests.doors.web.checks import said
from tests.doors.web.entrance import Entrance
from tests.doors.web.hands import Hands
from tests.doors.web.scanning import scanned
from tests.doors.web.test_sign_in import came


class Sit(Protocol):
    """Sits down somebody, by their cookie, at a window of their own."""

    def __call__(self, token: str, size: tuple[int, int] = DESKTOP) -> Awaitable[Hands]: ...


SOON = (daytime().astimezone(LONDON) + timedelta(days=3)).date().isoformat()
LATELY = (daytime().astimezone(LONDON) - timedelta(days=3)).date().isoformat()


@pytest.fixture(params=[True, False], ids=["script", "no script"])
async def sit(request: pytest.FixtureRequest, browser: Browser, base: str) -> AsyncIterator[Sit]:
    async with AsyncExitStack() as stack:

        async def down(token: str, size: tuple[int, int] = DESKTOP) -> Hands:
            window = await stack.enter_async_context(Window.opened(browser, base, size, script=request.param))
            if token:
                await window.sign_in(token)
            return Hands(window.page, script=request.param)

        yield down


async def test_from_the_register_by_the_approvals_to_what_somebody_has(api: Api, entrance: Entrance, sit: Sit) -> None:
    project = await api.project("The tool shed")
    ann, bob = str((await api.person("Ann Lee"))["id"]), str((await api.person("Bob Ray"))["id"])
    await api.made(f"/v1/projects/{project}/registers", register({ann: 60, bob: 60}, days_ago=7))
    ended = daytime().replace(second=0, microsecond=0) - timedelta(minutes=1)
    times = {"started_at": (ended - timedelta(hours=7)).isoformat(), "ended_at": ended.isoformat()}
    session = (await api.made(f"/v1/projects/{project}/sessions", times))["sessions"][0]["id"]

    cleo = await sit(await entrance.coordinator(project))
    await cleo.page.goto(f"/projects/{project}/sessions/{session}/register")
    await cleo.skip()
    for name, hours in (("Ann Lee", "7"), ("Bob Ray", "1")):
        await cleo.choose(name, "Came")
        assert name in await cleo.group()
        await cleo.press("Shift+Tab", "Shift+Tab")
        await cleo.type("Hours", hours)
        await cleo.press("Tab", "Tab")
    await cleo.go("Check the register")
    await cleo.go("Send")
    assert await cleo.page.inner_text("h1") == "Thank you"
    assert await api.balance(bob) == (120, 0), "what is short is theirs at once"
    assert await api.balance(ann) == (60, 0), "a long day waits"

    dora = await sit(await _approver_of_much(api, entrance, project), PHONE)
    await dora.page.goto("/do")
    await _walk_the_menu(dora)
    await dora.go("The tool shed")
    await dora.go("Ann Lee")
    await dora.go("Approve")

    at_home = await sit(await entrance.person(ann))
    await at_home.page.goto(f"/people/{ann}")
    assert "8 credits" in await words_of(at_home.page)


async def _approver_of_much(api: Api, entrance: Entrance, project: str) -> str:
    """Somebody with so many places to go that they fold into a menu on a telephone."""
    dora = (await api.person("Dora May"))["id"]
    for _ in range(2):
        await entrance.coordinator(await api.project(), dora)
    return await entrance.approver(project, dora)


async def _walk_the_menu(hands: Hands) -> None:
    """Open the menu and close it in each way there is, and leave it open."""
    menu = hands.page.get_by_role("navigation")

    async def press(*keys: str, shown: bool, at: str = "Menu") -> None:
        await hands.press(*keys)
        assert (await menu.is_visible(), await hands.called()) == (shown, at), keys

    await hands.to("Menu")
    await press("Enter", shown=True)
    await press("Enter", shown=False)
    await press("Space", shown=True)
    await press("Escape", shown=False)
    await press("Enter", "Tab", shown=True, at="Home")
    await press("Escape", shown=False)
    await press("Enter", shown=True)
    if hands.script:
        assert await axe(hands.page) == []
    await hands.to("Sign out")
    assert not await menu.is_visible(), "it covers nothing that has the focus"
    await press("Shift+Tab", shown=True)


async def test_from_the_pass_to_the_till_and_back(api: Api, entrance: Entrance, base: str, sit: Sit) -> None:
    ann, project, venue = await api.person("Ann Archer"), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 240})
    await api.offer(venue)

    her = await sit(await entrance.person(ann["id"]))
    await her.page.goto(f"/people/{ann['id']}")
    await her.go("Show my pass")
    await her.go("Make my pass")
    (shown,) = scanned(await her.page.locator(".pass svg").evaluate("svg => svg.outerHTML"))
    code = await her.page.inner_text(".typed strong")
    assert shown == f"{base}/till#{code}", "the picture opens the till with the code that stands below it"

    till = await sit(await entrance.till(venue))
    await till.page.goto("/till")
    await till.page.wait_for_function("document.activeElement.name === 'code'")
    if till.script:
        await till.page.goto(shown)  # as the tablet's camera does
        await till.page.wait_for_function("code => document.getElementById('code').value === code", arg=code)
        assert till.page.url == f"{base}/till", "no code stays in the address"
    else:
        await till.write(shown)  # as a scanner does, where the cursor is
    await till.type("Adults", "2")
    await till.enter()
    assert "Yes" in await till.page.inner_text(".verdict .word")
    await till.go("Take 2 credits")
    assert "2 credits taken" in await words_of(till.page, ".verdict")
    assert await api.balance(ann["id"]) == (120, 0)
    await till.to("Give it back")
    await till.press("Enter")
    await till.go("Give back all: 2 credits")
    assert "All of it was given back" in await till.page.inner_text("main")

    await her.go("Home")
    assert "4 credits" in await words_of(her.page)
    await her.go("All lines")
    assert "Parkside pool gave it back" in await her.page.inner_text("main")
    assert [said(line.split("\n")[-1]) for line in await her.page.locator(".lines li").all_inner_texts()][:2] == [
        "+2 credits",
        "\u22122 credits",
    ]


async def test_a_desk_replaces_a_lost_card(api: Api, entrance: Entrance, sit: Sit) -> None:
    ann, project, venue = await api.person("Ann Lee"), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 120})
    await api.offer(venue)
    lost = await api.card(ann["id"])
    token = await entrance.staff()
    desk, till = await sit(token), await sit(await entrance.till(venue))

    async def shown(code: str) -> str:
        await till.page.goto("/till")
        await till.type("Code", code)
        await till.enter()
        return await till.page.inner_text(".verdict")

    await desk.page.goto("/staff")
    await desk.page.wait_for_function("document.activeElement.name === 'name'")  # one types at once
    await desk.write("ann l")
    await desk.enter()
    await desk.go("Ann Lee")
    before = desk.presses
    await desk.go("Block")
    assert "This card is resting" in await shown(lost)
    await desk.go("Replace and print")
    assert desk.presses - before < 90, "a minute, for whoever goes from stop to stop"
    await desk.to("Print the card")
    address = await desk.page.evaluate("document.activeElement.href")
    # It opens a PDF, which a browser without a window has nothing to show in: it is fetched instead.
    printed = await desk.page.request.get(address)
    assert printed.headers["content-type"] == "application/pdf"

    assert "replaced by a newer one" in await shown(lost)
    new = next(
        each
        for each in (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
        if each["status"] == "active"
    )
    code = (await api.get(f"/v1/credentials/{new['id']}/code")).json()["code"]
    assert "Yes" in await shown(code)


async def test_somebody_signs_in_books_gives_and_signs_out(api: Api, database: Database, sit: Sit) -> None:
    contact = {"email": "ann@example.org", "safe": True}
    ann = str((await api.made("/v1/people", {"name": "Ann Lee", "contact": contact}))["id"])
    bob = str((await api.person("Bob Ray"))["id"])
    await api.give(await api.project(), {ann: 240})
    group = str((await api.made("/v1/groups", {"name": "Tuesday club"}))["id"])
    for person in (ann, bob):
        await api.send("PUT", f"/v1/groups/{group}/members/{person}", {"keyholder": False})
    offer = await api.offer(await api.venue())

    her = await sit("")
    await her.page.goto(f"/spend/{offer}/book")  # which asks who it is, and comes back
    await her.type("Your email address", "ann@example.org")
    await her.go("Send me the link")
    _, code = await came(database)
    await her.type("The code from the email", code)
    await her.go("Sign in")
    await her.type("Day", SOON)
    await her.type("Time", "10:00")
    await her.go("Go on")
    await her.go("Book it")
    assert await api.balance(ann) == (180, 60)
    await her.go("Home")
    await her.go("Gifts")
    await her.go("Give credits")
    await her.choose("Who is it for?", "Bob")
    await her.type("How much?", "1 credit")
    await her.go("Go on")
    await her.go("Give it")
    assert await api.balance(ann) == (120, 60)
    await her.go("Home")
    await her.go("Tell us your hours")
    await her.type("Where", "Saturdays")
    await her.type("Day", LATELY)
    await her.type("Time", "10:00")
    await her.type("Hours", "2")
    await her.go("Go on")
    await her.go("Send it")
    claims = (await api.get(f"/v1/people/{ann}/claims")).json()["claims"]
    assert (120, "submitted") in [(claim["minutes"], claim["state"]) for claim in claims]
    await her.go("Sign out")
    assert "signed out" in await her.page.inner_text("main")
