"""A group's pot: its keyholders see what is in it, propose visits, and agree to each other's; nobody else finds it."""

from datetime import timedelta

import pytest

from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


class Gardeners:
    """Ann and Bob keep the pot, Cas is a member. Ann is signed in."""

    def __init__(self, api: Api, group: str, people: dict[str, str], offer: str) -> None:
        self.api, self.group, self.people, self.offer = api, group, people, offer
        self.base = f"/groups/{group}/pot"

    @property
    def visit(self) -> dict[str, str]:
        """Cas in a week, by herself."""
        day = daytime() + timedelta(days=7)
        return {"person": self.people["Cas"], "visit_at_day": f"{day:%Y-%m-%d}", "visit_at_time": "14:30"}

    async def has(self) -> tuple[int, int]:
        found = (await self.api.get(f"/v1/groups/{self.group}/pot")).json()
        return found["available"], found["held"]


@pytest.fixture
async def gardeners(api: Api, pages: Pages, entrance: Entrance) -> Gardeners:
    people = {name: str((await api.person(name))["id"]) for name in ("Ann", "Bob", "Cas")}
    group = str((await api.made("/v1/groups", {"name": "The gardeners"}))["id"])
    for name, person in people.items():
        body = {"keyholder": name != "Cas"}
        assert (await api.send("PUT", f"/v1/groups/{group}/members/{person}", body)).is_success
    await api.give(await api.project(), {people["Cas"]: 300})
    await api.made(f"/v1/groups/{group}/pot/gifts", {"giver": people["Cas"], "minutes": 240})
    pages.sign_in(await entrance.person(people["Ann"]))
    return Gardeners(api, group, people, await api.offer(await api.venue()))


async def test_a_keyholder_finds_the_pot_from_home_and_sees_what_is_in_it(gardeners: Gardeners, pages: Pages) -> None:
    await pages.get(f"/people/{gardeners.people['Ann']}")
    page = await pages.click("The pot of The gardeners")
    assert page.heading == "The pot of The gardeners"
    assert "4 credits to spend together" in page
    assert "A gift to the pot" in page
    assert "Who shares it" in " ".join(page.html.root.itertext())


async def test_who_keeps_no_pot_finds_none(gardeners: Gardeners, pages: Pages, entrance: Entrance) -> None:
    pages.sign_in(await entrance.person(gardeners.people["Cas"]))
    page = await pages.get(f"/people/{gardeners.people['Cas']}")
    assert not [words for words in page.links if words.startswith("The pot of")]
    for path in ("", "/propose", f"/propose/{gardeners.offer}"):
        await pages.get(f"{gardeners.base}{path}", status=404)
    fields = {"key": "k", "adults": "1", **gardeners.visit}
    await pages.post(f"{gardeners.base}/propose/{gardeners.offer}", fields, status=404)


async def test_a_small_visit_is_booked_at_once(gardeners: Gardeners, pages: Pages) -> None:
    await pages.get(gardeners.base)
    await pages.click("Propose something to do")
    page = await pages.submit("Find", words="nothing like this")
    assert "Nothing like that was found." in page
    await pages.submit("Find", words="swim")
    await pages.click("A swim")
    page = await pages.submit("Propose it", status=422)
    assert "When would you like to come?" in page.alert
    page = await pages.submit("Propose it", gardeners.visit)
    assert "It is booked, and the pot pays." in page
    assert page.rows("What the pot paid for")[0][2:] == ["Cas", "1 credit", "Booked"]
    assert await gardeners.has() == (180, 60)


async def test_a_large_one_waits_for_another_keyholder_who_agrees(
    api: Api, gardeners: Gardeners, pages: Pages, entrance: Entrance
) -> None:
    await api.send("PATCH", "/v1/rules", {"pot_both_above_minutes": 60})
    await pages.get(f"{gardeners.base}/propose/{gardeners.offer}")
    page = await pages.submit("Propose it", gardeners.visit, adults="2")
    assert "Now another keyholder has to agree." in page
    assert "Agree and book it" not in page.buttons, "not by whoever proposed it"
    assert await gardeners.has() == (240, 0)

    pages.sign_in(await entrance.person(gardeners.people["Bob"]))
    page = await pages.get(gardeners.base)
    assert "Ann proposed it." in page
    assert "For Cas, 2 adults" in page
    page = await pages.submit("Agree and book it")
    assert "It is booked, and the pot pays." in page
    assert await gardeners.has() == (120, 120)


@pytest.mark.parametrize(("who", "words"), [("Ann", "Take it back"), ("Bob", "Better not")])
async def test_a_large_one_is_declined_by_either(
    api: Api, gardeners: Gardeners, pages: Pages, entrance: Entrance, *, who: str, words: str
) -> None:
    await api.send("PATCH", "/v1/rules", {"pot_both_above_minutes": 60})
    await pages.get(f"{gardeners.base}/propose/{gardeners.offer}")
    await pages.submit("Propose it", gardeners.visit, adults="2")
    pages.sign_in(await entrance.person(gardeners.people[who]))
    filled = (await pages.get(gardeners.base)).filled(words)
    page = await pages.submit(words)
    assert "It is not booked, and the credits stay in the pot." in page
    assert page.rows("What the pot paid for")[0][-1] == "Not booked"

    spend = (await api.get(f"/v1/groups/{gardeners.group}/pot/spends")).json()["spends"][0]["id"]
    late = await pages.post(f"{gardeners.base}/spends/{spend}/agree", {**filled, "key": "another"}, status=409)
    assert "was declined" in late.alert
    await pages.post(f"{gardeners.base}/spends/{spend}/forget", filled, status=404)


async def test_more_than_there_is_is_refused_in_words_and_nothing_typed_is_lost(
    gardeners: Gardeners, pages: Pages
) -> None:
    await pages.get(f"{gardeners.base}/propose/{gardeners.offer}")
    page = await pages.submit("Propose it", gardeners.visit, adults="5", status=409)
    assert "This needs more credits" in page.alert
    assert page.filled("Propose it")["adults"] == ["5"]


async def test_a_pot_with_one_keyholder_says_what_is_missing(api: Api, gardeners: Gardeners, pages: Pages) -> None:
    await api.made(f"/v1/people/{gardeners.people['Bob']}/erasure", {"give_to": "community"})
    page = await pages.get(gardeners.base)
    assert "A pot needs more than one keyholder before you can spend from it." in page
    assert "Propose something to do" not in page.links


async def test_the_words_are_easy_to_read(gardeners: Gardeners, pages: Pages) -> None:
    for path in ("", "/propose", f"/propose/{gardeners.offer}"):
        assert not (await pages.get(f"{gardeners.base}{path}")).hard_to_read()
