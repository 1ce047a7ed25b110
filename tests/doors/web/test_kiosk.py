"""The kiosk at a project's door: what you have and signing in and out by a card, and then it knows nobody any more."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Error as NothingKept

from ledger.database import Database
from ledger.scheme.codes import code_for
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.sessions.conftest import Wall, act, opportunity, planned
from tests.doors.web.browser import Window
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.hands import Hands

URL = "http://localhost"


class Door:
    """A project's door with its tablet, by a clock on the wall."""

    def __init__(self, api: Api, wall: Wall, pages: Pages, entrance: Entrance) -> None:
        self.api, self.wall, self.pages, self.entrance = api, wall, pages, entrance
        self.project = ""

    async def shows(self, code: str, *, status: int = 200) -> Page:
        await self.pages.get("/kiosk")
        return await self.pages.submit("Go on", code=code, status=status)

    async def person(self, name: str = "Ann Archer", minutes: int = 165) -> tuple[dict[str, Any], str]:
        """Somebody with a card."""
        person = await self.api.person(name)
        began = self.wall.now - timedelta(days=1)
        register = {
            "started_at": began.isoformat(),
            "ended_at": (began + timedelta(hours=6)).isoformat(),
            "lines": [{"person": person["id"], "minutes": minutes}],
        }
        await self.api.made(f"/v1/projects/{self.project}/registers", register)
        return person, await self.api.card(person["id"])

    async def session(self, began: str = "08:00", ended: str = "11:00", places: int | None = None) -> str:
        opened = await opportunity(self.api, self.project, places)
        return await planned(self.api, self.wall, self.project, began, ended, opportunity=opened)


@pytest.fixture
async def door(dsn: str, database: Database) -> AsyncIterator[Door]:
    wall = Wall()
    async with Api.running(dsn, clock=wall) as api, Pages.of(api, url=URL) as pages:
        door = Door(api, wall, pages, Entrance(database, wall))
        door.project = await api.project()
        pages.sign_in(await door.entrance.kiosk(door.project))
        yield door


async def test_somebody_sees_what_they_have_signs_in_and_out_and_is_forgotten(door: Door) -> None:
    ann, card = await door.person()
    session = await door.session()
    await act(door.api, session, ann["id"], "book")
    assert "Mend a lamp" in await door.pages.get("/kiosk")
    page = await door.pages.submit("Go on", code=card.lower())

    assert page.heading == "Hello Ann"
    assert "2 credits 45 minutes to spend" in page
    assert "Archer" not in page
    page = await door.pages.submit("Sign in Mend a lamp")
    assert page.heading == "Welcome, Ann"
    assert "You are signed in to Mend a lamp since 9am." in page

    door.wall.set("10:30")
    page = await door.shows(card)
    page = await door.pages.submit("Sign out Mend a lamp")
    assert page.heading == "Thank you, Ann"
    assert "You gave 1 hour 30 minutes." in page
    page = await door.pages.click("Done")
    assert page.path == "/kiosk"
    assert "Ann" not in page.answer.text
    assert "You were here" in await door.shows(card)


async def test_whoever_isnt_expected_signs_in_where_there_is_room(door: Door) -> None:
    _, card = await door.person()
    await door.session(places=1)
    page = await door.shows(card)
    assert "1 place left" in await door.pages.get("/kiosk")
    await door.shows(card)
    assert (await door.pages.submit("Sign in Mend a lamp")).heading == "Welcome, Ann"
    _, other = await door.person("Bob Bell")
    page = await door.shows(other)
    assert page.buttons == ["I need more time"], "no place is left to sign in to"
    assert "All places are taken" in page
    assert "All places are taken" in await door.pages.get("/kiosk")


async def test_what_is_over_or_wasnt_planned_is_said(door: Door) -> None:
    ann, card = await door.person()
    assert "Nothing is planned here today." in await door.shows(card)
    door.wall.set("07:00")
    session = await door.session("08:00", "08:30")
    await act(door.api, session, ann["id"], "book")
    door.wall.set("09:00")
    page = await door.shows(card)
    assert "It is over" in page
    assert page.buttons == ["I need more time"]


async def test_a_page_of_somebody_goes_away_and_leaves_nothing_behind(door: Door) -> None:
    ann, card = await door.person()
    await door.session()
    for page in (await door.shows(card), await door.pages.submit("Sign in Mend a lamp")):
        assert page.answer.headers["refresh"] == "30;url=/kiosk"
        assert "no-store" in page.answer.headers["cache-control"]
        assert page.path == "/kiosk", "nothing of anybody stands in an address"
        assert ann["id"] not in page.answer.text
    start = await door.pages.get("/kiosk")
    assert start.answer.headers["clear-site-data"] == '"cache"'
    assert "refresh" not in start.answer.headers


async def test_whoever_needs_more_time_gets_it_as_often_as_they_like(door: Door) -> None:
    ann, card = await door.person()
    await door.session()
    page = await door.shows(card)
    assert "This page goes away by itself after half a minute." in page
    for _ in range(2):
        page = await door.pages.submit("I need more time")
        assert page.heading == "Hello Ann"
        assert page.answer.headers["refresh"] == "120;url=/kiosk"
        assert "This page goes away by itself after two minutes." in page
    await door.pages.submit("Sign in Mend a lamp")
    door.wall.set("09:02")
    page = await door.pages.submit("I need more time")
    assert page.heading == "Welcome, Ann"
    assert "You are signed in to Mend a lamp since 9am." in page, "it isn't done again"
    assert page.answer.headers["refresh"] == "120;url=/kiosk"
    assert ann["id"] not in page.answer.text

    page = await door.shows("7K3M", status=422)
    assert page.answer.headers["refresh"] == "30;url=/kiosk"
    page = await door.pages.submit("I need more time", code="7K3M 9QX")
    assert page.filled("Go on")["code"] == ["7K3M 9QX"], "whoever types is left to it"
    assert page.answer.headers["refresh"] == "120;url=/kiosk"


async def test_a_pass_that_moved_on_meanwhile_is_taken_until_its_turn_ends(door: Door) -> None:
    ann, _ = await door.person()
    await door.session()
    own = await door.api.key("person", person=ann["id"])
    await door.api.made(f"/v1/people/{ann['id']}/pass", token=own)
    code = (await door.api.get(f"/v1/people/{ann['id']}/pass", own)).json()["code"]
    await door.shows(code)
    door.wall.set("09:20")
    assert (await door.pages.submit("I need more time")).heading == "Hello Ann"
    assert (await door.pages.submit("Sign in Mend a lamp")).heading == "Welcome, Ann"
    assert (await door.shows(code, status=409)).heading == "Hello! Please show your card", "it is over for the next"


async def test_a_form_of_whoever_was_there_before_is_not_heard(door: Door) -> None:
    _, card = await door.person()
    session = await door.session()
    await door.shows(card)
    fields = {"key": door.pages.client.cookies["turn"], "code": card}
    assert (await door.pages.post("/kiosk", fields, status=200)).heading == "Hello Ann", "it is her turn still"
    await door.pages.click("Done")
    for more in ({}, {"do": "in", "session": session, "key": f"{fields['key']}.in.x"}):
        page = await door.pages.post("/kiosk", {**fields, **more}, status=200)
        assert page.heading == "Hello! Please show your card"
        assert "Ann" not in page.answer.text


async def test_a_second_tap_signs_in_once(door: Door) -> None:
    _, card = await door.person()
    await door.session()
    page = await door.shows(card)
    fields = page.filled("Sign in Mend a lamp")
    for _ in range(2):
        page = await door.pages.post("/kiosk", fields, status=200)
        assert page.heading == "Welcome, Ann"


async def test_a_refusal_is_said_on_the_page_of_whoever_it_is_for(door: Door) -> None:
    _, card = await door.person()
    await door.session("08:00", "09:30")
    page = await door.shows(card)
    door.wall.set("09:45")
    page = await door.pages.submit("Sign in Mend a lamp", status=409)
    assert page.heading == "Hello Ann"
    assert "This session is over." in page.alert
    assert page.answer.headers["refresh"] == "30;url=/kiosk"


@pytest.mark.parametrize(
    ("what", "says", "status"),
    [
        ("nothing", "Your card's code is needed", 422),
        ("a slip of the finger", "Your card's code was mistyped: please look at it again", 422),
        ("nobody's", "We could not find this code", 409),
        ("blocked", "This card is resting at the moment; the desk can help, and your credits are safe.", 409),
        ("a slip", "This is not a card: please use your card, or the pass on your phone.", 409),
    ],
)
async def test_what_cant_be_shown_is_said_kindly(door: Door, what: str, says: str, status: int) -> None:
    ann, card = await door.person()
    code = {"nothing": "", "a slip of the finger": "ABC", "nobody's": code_for(b"?", "card", uuid4())}.get(what, card)
    if what == "blocked":
        credentials = (await door.api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
        await door.api.made(f"/v1/credentials/{credentials[0]['id']}/block")
    if what == "a slip":
        began = door.wall.now - timedelta(days=1)
        body = {
            "started_at": began.isoformat(),
            "ended_at": (began + timedelta(hours=2)).isoformat(),
            "lines": [{"voucher": "A visitor", "minutes": 60}],
        }
        recorded = await door.api.made(f"/v1/projects/{door.project}/registers", body)
        code = recorded["vouchers"][0]["code"]
    page = await door.shows(code, status=status)
    assert says in page.alert
    assert not page.hard_to_read()


async def test_a_kiosk_that_heard_too_many_wrong_codes_rests_and_says_until_when(door: Door) -> None:
    _, card = await door.person()
    for _ in range(10):
        await door.shows(code_for(b"?", "card", uuid4()), status=409)
    assert "We look at cards again from 10am" in await door.pages.get("/kiosk")
    page = await door.pages.submit("Go on", code=card, status=429)
    assert "Please wait a little" in page.alert
    door.wall.set("11:01")
    assert (await door.shows(card)).heading == "Hello Ann"


async def test_a_look_by_card_is_told_as_that_and_not_as_somebody_elses(door: Door) -> None:
    ann, card = await door.person()
    await door.shows(card)
    looked = "Looked at how many credits there are"
    [told] = [
        each
        for each in (await door.api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"]
        if each["verb"] == "balance_read"
    ]
    assert told["device"] == told["by"]
    # A project that looks by itself, as for a slip, isn't that.
    await door.api.get(f"/v1/people/{ann['id']}/balance", await door.api.key("project", door.project))

    door.pages.sign_in(await door.entrance.person(ann["id"]))
    page = await door.pages.get(f"/people/{ann['id']}/data/acts")
    said = [who for what, who, _when in page.rows("Who looked, and who did something for you") if what == looked]
    assert said == ["A project", "Your card, shown at a kiosk"]
    door.pages.sign_in(await door.entrance.staff())
    assert "Their card, shown at a kiosk" in await door.pages.get(f"/staff/people/{ann['id']}/acts")
    assert "Their card, shown at a kiosk" in await door.pages.get("/audit")


async def test_a_kiosk_is_no_ones_but_a_kiosks(door: Door) -> None:
    ann, _ = await door.person()
    async with Pages.of(door.api, url=URL) as browser:
        page = await browser.get("/kiosk", status=401)
        assert page.heading == "This kiosk has to be set up again"
        assert "They ask the office for a new code." in page, "a project has no page for that"
        assert page.links["Set it up again"] == "/enrol"
        assert "/sign-in" not in page.answer.text
        for token in (
            await door.entrance.person(ann["id"]),
            await door.entrance.coordinator(door.project),
            await door.entrance.till(await door.api.venue()),
        ):
            browser.sign_in(token)
            await browser.get("/kiosk", status=403)


# --- in a browser -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_in_and_out_at_a_kiosk_by_keys_or_a_scanner(
    api: Api, entrance: Entrance, desktop: Window, no_script: Window, *, script: bool
) -> None:
    window = desktop if script else no_script
    wall, ann, project = Wall(), await api.person("Ann Archer"), await api.project()
    wall.now = daytime() - timedelta(minutes=30)
    opened = await opportunity(api, project)
    period = {"started_at": wall.now.isoformat(), "ended_at": (wall.now + timedelta(hours=2)).isoformat()}
    await api.made(f"/v1/projects/{project}/sessions", {**period, "opportunity": opened})
    card = await api.card(ann["id"])
    await window.sign_in(await entrance.kiosk(project))
    page, hands = window.page, Hands(window.page)
    for verb, says in (("Sign in", "Welcome, Ann"), ("Sign out", "Thank you, Ann")):
        await window.go("/kiosk")
        await page.wait_for_function("document.activeElement.name === 'code'")
        await hands.write(card[:4])
        await hands.enter()
        await hands.mend()
        if not script:
            await hands.press("End")
        await hands.write(card[4:6])
        await hands.go("I need more time")
        await page.wait_for_function("document.activeElement.name === 'code'")
        if not script:
            await hands.press("End")
        await hands.write(card[6:])
        await hands.enter()  # as a scanner does, too
        assert await page.inner_text("h1") == "Hello Ann"
        await hands.go("I need more time")
        assert "after two minutes" in await page.inner_text("main")
        await hands.go(f"{verb} Mend a lamp")
        assert await page.inner_text("h1") == says
        await hands.go("Done")
        assert "Ann" not in await page.content()
        for _ in range(3):
            # Chromium asks before it sends a form once more, on a page of its own.
            async with page.expect_event("framenavigated"):
                with suppress(NothingKept):
                    await page.go_back(wait_until="commit")
            assert "Ann" not in await page.evaluate("document.documentElement.textContent")
