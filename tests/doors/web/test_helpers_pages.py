"""Helping: who may do what for whom, ended by either; and a guardian's word for a child, given and taken back."""

import pytest

from tests.doors.house import Api
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> str:
    """Signed in."""
    ann = str((await api.person("Ann Lee"))["id"])
    pages.sign_in(await entrance.person(ann))
    return ann


async def test_somebody_lets_another_help_by_their_card_and_ends_it(
    api: Api, pages: Pages, ann: str, entrance: Entrance
) -> None:
    bob = str((await api.person("Bob Ray"))["id"])
    page = await pages.get(f"/people/{ann}/helpers")
    assert "Nobody yet." in page
    await pages.click("Add somebody")
    page = await pages.submit("Let them help", status=422)
    assert "Who would you like to help you" in page.alert
    assert "What may they do" in page.alert
    assert "They can spend your credits: by booking, and at a till with your pass." in page, "what booking lets them do"
    assert "They can't spend anything." in page
    assert not page.hard_to_read()
    page = await pages.submit("Let them help", who="card", code=await api.card(bob), may=["book", "claim"])
    assert "They can help you now." in page
    assert "May: book, and show the pass; tell hours." in page

    async with Pages.of(api, url=pages.url) as bobs:
        bobs.sign_in(await entrance.person(bob))
        home = await bobs.get(f"/people/{bob}")
        assert home.link("Ann Lee") == f"/people/{ann}/bookings", "the first that they may open"
        for link, heading in (("Their hours", "Hours"), ("Their pass", "Their pass"), ("Their bookings", "Bookings")):
            await bobs.get(f"/people/{bob}/helpers")
            assert (await bobs.click(link)).heading == heading

        page = await pages.submit("End this")
        assert "That has ended, from this moment." in page
        assert "Nobody yet." in page
        await bobs.get(f"/people/{ann}/claims", status=404)


async def test_a_helper_stops_by_themselves(api: Api, pages: Pages, ann: str) -> None:
    bob = str((await api.person("Bob Ray"))["id"])
    await api.made(f"/v1/people/{bob}/helpers", {"helper": ann, "may": ["balance"]})
    page = await pages.get(f"/people/{ann}/helpers")
    assert "You may: see the credits." in page
    await pages.submit("Stop helping")
    await pages.get(f"/people/{bob}", status=404)


async def test_whoever_shares_a_group_can_be_chosen(api: Api, pages: Pages, ann: str) -> None:
    bob = str((await api.person("Bob Ray"))["id"])
    group = (await api.made("/v1/groups", {"name": "Tuesday club"}))["id"]
    for person in (ann, bob):
        await api.send("PUT", f"/v1/groups/{group}/members/{person}", {"keyholder": False})
    await pages.get(f"/people/{ann}/helpers/new")
    page = await pages.submit("Let them help", who="Bob", may=["balance"])
    assert "Bob Ray" in page
    await pages.get(f"/people/{ann}/helpers/new")
    page = await pages.submit("Let them help", who="Bob", may=["book"], status=409)
    assert "They help already" in page.alert


async def test_a_guardian_agrees_and_takes_it_back(api: Api, pages: Pages, ann: str, entrance: Entrance) -> None:
    kid = str((await api.made("/v1/people", {"name": "Kit Lee", "age_band": "8_to_15"}))["id"])
    await api.made(f"/v1/people/{kid}/guardians", {"guardian": ann})
    await api.give(await api.project(), {kid: 60})
    page = await pages.get(f"/people/{ann}/helpers")
    assert "Their hours wait until you agree." in page
    page = await pages.submit("I agree")
    assert "Thank you. They can go ahead." in page
    assert await api.balance(kid) == (60, 0)
    page = await pages.submit("I no longer agree")
    assert "Your consent is withdrawn." in page
    assert "I agree" in page.buttons[-2:] or any(words.startswith("I agree") for words in page.buttons)
    assert await api.balance(kid) == (60, 0), "what they have stays theirs"

    pages.sign_in(await entrance.person(kid))
    page = await pages.get(f"/people/{kid}/helpers")
    assert "Who answers for you" in page
    assert "Has not agreed yet" in page


async def test_nobody_else_sees_or_decides(api: Api, pages: Pages, ann: str, entrance: Entrance) -> None:
    kid = str((await api.made("/v1/people", {"name": "Kit Lee", "age_band": "8_to_15"}))["id"])
    await api.made(f"/v1/people/{kid}/guardians", {"guardian": ann})
    eve = str((await api.person("Eve"))["id"])
    await api.made(f"/v1/people/{ann}/helpers", {"helper": eve, "may": ["balance", "book", "claim"]})
    link = (await api.get(f"/v1/people/{ann}/helpers")).json()["helpers"][0]["id"]
    zoe = str((await api.person("Zoe"))["id"])
    pages.sign_in(await entrance.person(zoe))
    for path in (f"/people/{ann}/helpers", f"/people/{ann}/helpers/new"):
        await pages.get(path, status=404)
    await pages.post(f"/people/{zoe}/helpers", {"key": "a", "link": link}, status=404)
    for verb in ("consent", "withdraw"):
        await pages.post(f"/people/{zoe}/children/{kid}/{verb}", {"key": verb}, status=404)
        await pages.post(f"/people/{ann}/children/{kid}/{verb}", {"key": verb + "2"}, status=404)
    assert len((await api.get(f"/v1/people/{ann}/helpers")).json()["helpers"]) == 1


async def test_it_looks_right(api: Api, phone: Window, entrance: Entrance) -> None:
    ann, bob = str((await api.person("Ann Lee"))["id"]), str((await api.person("Bob Ray"))["id"])
    kid = str((await api.made("/v1/people", {"name": "Kit Lee", "age_band": "8_to_15"}))["id"])
    await api.made(f"/v1/people/{kid}/guardians", {"guardian": ann})
    for helped, helper in ((ann, bob), (bob, ann)):
        await api.made(f"/v1/people/{helped}/helpers", {"helper": helper, "may": ["balance", "book", "claim"]})
    await phone.sign_in(await entrance.person(ann))
    await every_size(await phone.go(f"/people/{ann}/helpers"))
    page = await phone.press("I agree Kit Lee")
    assert await page.get_by_text("Thank you. They can go ahead.").is_visible()
