"""The phone pass and the card: made by one button, shown as it is now, and stopped by whose it is."""

import re
from typing import Any

import pytest

from tests.doors.house import Api
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance

CODE = re.compile(r"\w{4}-\w{4}-\w{4}-\w")


@pytest.fixture
async def ann(api: Api) -> dict[str, Any]:
    return await api.person("Ann Lee")


def code_on(page: Page) -> str:
    found = CODE.search(page.text)
    assert found is not None, page
    return found[0]


async def test_one_button_makes_a_pass_and_the_page_shows_it(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.person(ann["id"]))
    before = await pages.get(f"/people/{ann['id']}/pass")
    page = await pages.submit("Make my pass")

    assert "A pass is a code on your phone." in before
    assert page.path == f"/people/{ann['id']}/pass"
    assert 'aria-label="The pass, for a scanner"' in page.answer.text
    assert "Or read out this code:" in page
    assert "I would like to pay with Time Credits." in page
    token = await api.key("person", person=ann["id"])
    before_it = (await api.get(f"/v1/people/{ann['id']}/pass", token)).json()["code"]
    shown = code_on(await pages.again())
    assert shown in {before_it, (await api.get(f"/v1/people/{ann['id']}/pass", token)).json()["code"]}


async def test_the_button_pressed_twice_makes_one_pass(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.person(ann["id"]))
    path = f"/people/{ann['id']}/pass"
    key = (await pages.get(path)).filled(path)["key"][0]
    for _ in range(2):
        await pages.post(path, {"key": key}, status=200)

    listed = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    assert [each["kind"] for each in listed] == ["pass"]


async def test_a_till_takes_the_code_that_the_page_shows_once(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    await api.give(await api.project(), {ann["id"]: 120})
    venue = await api.venue()
    offer, till = await api.offer(venue), await api.till(venue)
    pages.sign_in(await entrance.person(ann["id"]))
    await pages.get(f"/people/{ann['id']}/pass")
    code = code_on(await pages.submit("Make my pass"))
    taken = await api.post("/v1/redemptions", {"offer": offer, "code": code}, till)
    again = await api.post("/v1/redemptions", {"offer": offer, "code": code}, till)

    assert taken.status_code == 201, taken.text
    assert again.json()["code"] == "already_used"


async def test_a_pass_that_is_stopped_shows_no_code_and_says_what_helps(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.person(ann["id"]))
    await pages.get(f"/people/{ann['id']}/pass")
    await pages.submit("Make my pass")
    page = await pages.submit("Stop my pass")

    assert "It is stopped. Nobody can use it" in page
    assert "Any desk can let the pass work again." in page
    assert CODE.search(page.text) is None
    assert "At the till" not in page
    (stopped,) = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    assert stopped["status"] == "blocked"


async def test_a_lost_card_is_stopped_by_its_person_and_credits_are_safe(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    await api.give(await api.project(), {ann["id"]: 120})
    venue = await api.venue()
    visit = await api.visit(await api.offer(venue), ann["id"])
    pages.sign_in(await entrance.person(ann["id"]))
    page = await pages.get(f"/people/{ann['id']}/pass")
    assert "Works" in page
    stopped = await pages.submit("I lost my card")
    refused = await api.post("/v1/redemptions", visit, await api.till(venue))

    assert "Any desk can print a new card" in stopped
    assert "I lost my card" not in stopped.buttons
    assert refused.json()["code"] == "card_blocked"
    assert await api.balance(ann["id"]) == (120, 0)


async def test_whoever_has_no_card_is_told_how_to_get_one(
    pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.person(ann["id"]))
    assert "There is no card. If you would like one, ask at any desk." in await pages.get(f"/people/{ann['id']}/pass")


async def test_a_card_that_became_another_meanwhile_is_said_kindly(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    await api.card(ann["id"])
    pages.sign_in(await entrance.person(ann["id"]))
    await pages.get(f"/people/{ann['id']}/pass")
    (card,) = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    await api.made(f"/v1/credentials/{card['id']}/replace")
    page = await pages.submit("I lost my card", status=409)

    assert "It was replaced already." in page.alert


async def test_a_pass_is_for_its_person_and_for_a_helper_who_may_book(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    bob, cat = await api.person("Bob"), await api.person("Cat")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["book"]})
    path = f"/people/{ann['id']}/pass"
    pages.sign_in(await entrance.person(cat["id"]))
    await pages.get(path, status=404)
    await pages.post(path, {"key": "one"}, status=404)
    pages.sign_in(await entrance.person(bob["id"]))
    before = await pages.get(path)
    page = await pages.submit("Make their pass")
    assert page.heading == "Their pass"
    assert "Your" not in before.text + page.text, "it is somebody else's"

    verbs = {act["verb"] for act in (await api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"]}
    assert {"credential_issued", "pass_shown"} <= verbs


async def test_without_a_script_the_next_code_comes_by_itself_or_by_a_link(
    pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.person(ann["id"]))
    await pages.get(f"/people/{ann['id']}/pass")
    page = await pages.submit("Make my pass")
    refresh = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+)"></noscript>', page.answer.text)

    assert refresh is not None
    assert 1 <= int(refresh[1]) <= 30
    assert CODE.search((await pages.click("Show the next code")).text)


async def test_in_a_browser_the_pass_redraws_itself_while_it_is_looked_at(
    api: Api, phone: Window, entrance: Entrance, ann: dict[str, Any]
) -> None:
    assert (await api.send("PATCH", "/v1/rules", {"pass_seconds": 15})).status_code == 200
    await phone.sign_in(await entrance.person(ann["id"]))
    await phone.go(f"/people/{ann['id']}/pass")
    page = await phone.press("Make my pass")
    first = await page.inner_text(".typed strong")
    drawn = await page.inner_html("#pass svg")
    assert CODE.fullmatch(first)
    # One step at most, and a third of it until the page asks.
    await page.wait_for_function(
        "code => document.querySelector('.typed strong').innerText !== code", arg=first, timeout=30_000
    )

    assert CODE.fullmatch(await page.inner_text(".typed strong"))
    assert await page.inner_html("#pass svg") != drawn
    await every_size(page)


async def test_in_a_browser_without_script_it_is_loaded_anew_when_the_code_ends(
    api: Api, no_script: Window, entrance: Entrance, ann: dict[str, Any]
) -> None:
    assert (await api.send("PATCH", "/v1/rules", {"pass_seconds": 15})).status_code == 200
    await no_script.sign_in(await entrance.person(ann["id"]))
    await no_script.go(f"/people/{ann['id']}/pass")
    page = await no_script.press("Make my pass")
    first = await page.inner_text(".typed strong")
    async with page.expect_navigation(timeout=30_000):
        pass

    assert await page.inner_text(".typed strong") != first
