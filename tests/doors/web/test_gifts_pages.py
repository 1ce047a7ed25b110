"""Gifts: to whom one knows or whose card one sees, into a pot, to everybody; accepted, sent back or taken back."""

import pytest

from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance


class Cast:
    """Ann, who has four credits, and Bob, who shares a group with her."""

    def __init__(self, api: Api, ann: str, bob: str, group: str) -> None:
        self.api, self.ann, self.bob, self.group = api, ann, bob, group
        self.gifts = f"/people/{ann}/gifts"

    async def given(self, pages: Pages, minutes: str = "1 credit", words: str = "") -> Page:
        """Choose, look, and give."""
        await pages.get(f"{self.gifts}/new")
        await pages.submit("Go on", to="Bob", minutes=minutes, words=words)
        return await pages.submit("Give it")


@pytest.fixture
async def cast(api: Api, pages: Pages, entrance: Entrance) -> Cast:
    """Signed in as Ann."""
    ann, bob = str((await api.person("Ann Lee"))["id"]), str((await api.person("Bob Ray"))["id"])
    await api.give(await api.project(), {ann: 240})
    group = str((await api.made("/v1/groups", {"name": "Tuesday club"}))["id"])
    for person in (ann, bob):
        answer = await api.send("PUT", f"/v1/groups/{group}/members/{person}", {"keyholder": False})
        assert answer.is_success, answer.text
    pages.sign_in(await entrance.person(ann))
    return Cast(api, ann, bob, group)


async def test_what_may_be_given_is_said_before_anything_is_typed(cast: Cast, pages: Pages) -> None:
    page = await pages.get(cast.gifts)
    assert "No gifts yet." in page
    page = await pages.click("Give credits")
    assert (
        "You can give 10 credits more this month. The most in a month is 10 credits. You have 4 credits to spend."
        in page
    )
    page = await pages.submit("Go on", to="Bob", minutes="1 credit", words="For the bus.")
    assert page.terms() == {"For": "Bob", "How much": "1 credit", "Your words": "For the bus."}
    assert await cast.api.balance(cast.ann) == (240, 0), "nothing is given yet"
    page = await pages.submit("Give it")
    assert "Offered. It is theirs as soon as they accept it." in page
    assert "Ray" not in page.answer.text, "a first name is enough"
    assert (await cast.api.balance(cast.ann))[0] == 180


async def test_one_page_sent_twice_gives_once(cast: Cast, pages: Pages) -> None:
    await pages.get(f"{cast.gifts}/new")
    check = await pages.submit("Go on", to="Bob", minutes="1 credit")
    fields = {name: values[0] for name, values in check.filled(f"{cast.gifts}/new").items()} | {"sure": "yes"}
    for _ in range(2):
        await pages.post(f"{cast.gifts}/new", fields, status=200)
    assert (await cast.api.balance(cast.ann))[0] == 180


async def test_whoever_would_rather_change_something_finds_what_they_chose(cast: Cast, pages: Pages) -> None:
    await pages.get(f"{cast.gifts}/new")
    await pages.submit("Go on", to="Bob", minutes="2 credits", words="For you")
    page = await pages.submit("Change something")
    filled = page.filled("Go on")
    assert (filled["to"], filled["minutes"], filled["words"]) == ([cast.bob], ["120"], ["For you"])


async def test_a_gift_is_accepted(cast: Cast, pages: Pages, entrance: Entrance) -> None:
    await cast.given(pages, words="For the bus.")
    async with Pages.of(cast.api, url=pages.url) as bobs:
        bobs.sign_in(await entrance.person(cast.bob))
        page = await bobs.get(f"/people/{cast.bob}/gifts")
        assert "1 credit from Ann" in page
        assert "For the bus." in page
        assert "You need not take it." in page
        page = await bobs.submit("Accept it")
        assert "The credits are yours." in page
        assert await cast.api.balance(cast.bob) == (60, 0)
        assert "From Ann" in page
    assert "To Bob" in await pages.get(cast.gifts), "whoever accepted is named"


async def test_a_gift_is_sent_back_with_thanks(cast: Cast, pages: Pages, entrance: Entrance) -> None:
    await cast.given(pages)
    async with Pages.of(cast.api, url=pages.url) as bobs:
        bobs.sign_in(await entrance.person(cast.bob))
        await bobs.get(f"/people/{cast.bob}/gifts")
        page = await bobs.submit("No, thank you")
        assert "The gift has gone back, with thanks." in page
    assert await cast.api.balance(cast.ann) == (240, 0)
    page = await pages.get(cast.gifts)
    assert "Came back, with thanks" in page
    assert "Bob" not in page.text, "who declined isn't named"


async def test_a_gift_is_taken_back_until_it_is_accepted(cast: Cast, pages: Pages, entrance: Entrance) -> None:
    await cast.given(pages)
    page = await pages.submit("Take it back")
    assert "You took it back." in page
    assert await cast.api.balance(cast.ann) == (240, 0)

    await cast.given(pages)
    async with Pages.of(cast.api, url=pages.url) as bobs:
        bobs.sign_in(await entrance.person(cast.bob))
        await bobs.get(f"/people/{cast.bob}/gifts")
        await bobs.submit("Accept it")
    page = await pages.submit("Take it back", status=409)
    assert "This gift isn't open any more" in page.alert


@pytest.mark.parametrize(
    ("to", "whom"), [("The pot of Tuesday club", "The pot of Tuesday club"), ("Everybody", "Everybody")]
)
async def test_a_gift_to_a_pot_is_at_once_and_that_is_said_before(cast: Cast, pages: Pages, to: str, whom: str) -> None:
    await pages.get(f"{cast.gifts}/new")
    page = await pages.submit("Go on", to=to, minutes="2 credits")
    assert page.terms()["For"].startswith(whom)
    assert "can't be taken back" in page
    page = await pages.submit("Give it")
    assert "It is in the pot. Thank you." in page
    assert await cast.api.balance(cast.ann) == (120, 0)


async def test_of_two_gifts_that_wait_each_says_for_whom(cast: Cast, pages: Pages) -> None:
    """As it was said before they were given: who is known by name, and a card's holder not."""
    eve = str((await cast.api.person("Zoe Moon"))["id"])
    await cast.given(pages)
    await pages.get(f"{cast.gifts}/new")
    await pages.submit("Go on", to="card", minutes="1 credit", code=await cast.api.card(eve))
    page = await pages.submit("Give it")
    assert "1 credit for Bob" in page
    assert "1 credit for whoever's card you saw" in page
    assert ("Ray" in page, "Zoe" in page) == (False, False)
    page = await pages.submit("Take it back 1 credit for Bob")
    assert "for Bob" not in page
    assert "for whoever's card you saw" in page


async def test_somebody_is_named_by_the_card_they_show(cast: Cast, pages: Pages) -> None:
    eve = str((await cast.api.person("Zoe Moon"))["id"])
    code = await cast.api.card(eve)
    await pages.get(f"{cast.gifts}/new")
    page = await pages.submit("Go on", to="card", minutes="1 credit", code=code.lower())
    assert page.terms()["For"] == "Whoever's card you saw"
    assert "Zoe" not in page.answer.text, "a card tells its holder's name to nobody"
    assert code not in page.answer.text.upper(), "a card's code stands on no page"
    await pages.submit("Give it")
    assert (await cast.api.get(f"/v1/people/{eve}/gifts", side="received")).json()["gifts"][0]["minutes"] == 60


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"to": None}, "Who is it for"),
        ({"to": "card", "code": ""}, "read it once more"),
        ({"to": "card", "code": "0000-0000-001"}, "read it once more"),
        ({"to": "card", "code": "0000-0000-000"}, "is on no card that works now"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    cast: Cast, pages: Pages, fields: dict[str, str | None], says: str
) -> None:
    await pages.get(f"{cast.gifts}/new")
    page = await pages.submit("Go on", {"minutes": "1 credit", "words": "For you", **fields}, status=422)
    assert says in page.alert
    assert page.filled("Go on")["words"] == ["For you"]


async def test_nobody_guesses_cards(cast: Cast, pages: Pages) -> None:
    await pages.get(f"{cast.gifts}/new")
    for _ in range(10):
        await pages.submit("Go on", to="card", code="0000-0000-000", minutes="1 credit", status=422)
    page = await pages.submit("Go on", to="card", code="0000-0000-000", minutes="1 credit", status=429)
    assert "Several codes were not found." in page.alert


async def test_people_are_offered_by_what_they_share_and_only_if_they_let_themselves_be_named(
    cast: Cast, api: Api, pages: Pages
) -> None:
    eve, dan = await api.person("Zoe Moon"), await api.person("Dan Wood")
    await api.made(f"/v1/people/{cast.ann}/helpers", {"helper": dan["id"], "may": ["book"]})
    page = await pages.get(f"{cast.gifts}/new")
    assert "Bob" in page
    assert "Dan" in page
    assert "Zoe" not in page
    answer = await api.send("PATCH", f"/v1/people/{cast.bob}/preferences", {"named": False})
    assert answer.is_success, answer.text
    page = await pages.get(f"{cast.gifts}/new")
    assert "Bob" not in page
    assert eve["id"] not in page.answer.text


async def test_the_months_limit_and_an_empty_purse_are_said_kindly(
    cast: Cast, api: Api, pages: Pages, entrance: Entrance
) -> None:
    for days in (2, 3):
        await api.give(await api.project(), {cast.ann: 300}, days_ago=days)
    await cast.given(pages, minutes="9 credits")
    await pages.get(f"{cast.gifts}/new")
    await pages.submit("Go on", to="Bob", minutes="1 credit")
    async with Pages.of(api, url=pages.url) as other:
        other.sign_in(await entrance.person(cast.ann))
        await cast.given(other)
    page = await pages.submit("Give it", status=409)
    assert "This is more than can be given in one month. It will work from" in page.alert
    assert "You have given all that one month allows. Thank you." in page

    pages.sign_in(await entrance.person(cast.bob))
    page = await pages.get(f"/people/{cast.bob}/gifts/new")
    assert "There is nothing to give just now. That is quite all right." in page


async def test_a_child_gives_with_a_guardians_word_only(cast: Cast, pages: Pages) -> None:
    await cast.api.send("PATCH", f"/v1/people/{cast.ann}", {"age_band": "16_to_17"})
    await pages.get(f"{cast.gifts}/new")
    await pages.submit("Go on", to="Bob", minutes="1 credit")
    page = await pages.submit("Give it", status=409)
    assert "A parent or guardian has to agree first." in page.alert


async def test_nobody_else_sees_or_answers_them_not_even_a_helper(
    cast: Cast, api: Api, pages: Pages, entrance: Entrance
) -> None:
    await cast.given(pages)
    gift = (await api.get(f"/v1/people/{cast.ann}/gifts", side="given")).json()["gifts"][0]["id"]
    eve = await api.person("Eve")
    await api.made(f"/v1/people/{cast.ann}/helpers", {"helper": eve["id"], "may": ["balance", "book", "claim"]})
    pages.sign_in(await entrance.person(eve["id"]))
    await pages.get(cast.gifts, status=404)
    await pages.get(f"{cast.gifts}/new", status=404)
    for answer in ("accept", "decline", "take_back"):
        await pages.post(f"/people/{eve['id']}/gifts", {"key": answer, "gift": gift, "answer": answer}, status=404)
