"""Groups: the office makes them; who keeps a pot takes two to change; what was printed from it is there to see."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from ledger.database import Database
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.keyholders import Keyholders
from ledger.scheme.letters import Letters
from ledger.scheme.pot_spends import WAITS_FOR
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Strength
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web import checks
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance


class Gardeners:
    """Ann and Bob keep a pot of four credits, Cas and Dee share it."""

    def __init__(self, api: Api, pages: Pages, entrance: Entrance, group: str, people: dict[str, str]) -> None:
        self.api, self.pages, self.entrance = api, pages, entrance
        self.group, self.people = group, people
        self.base = f"/groups/{group}/people"

    async def seen_by(self, name: str) -> Page:
        """The group as that member sees it, or the office by two people."""
        staff = {"Office": "staff", "Other office": "staff"}
        if name in staff and name not in self.people:
            self.people[name] = str((await self.api.person(name))["id"])
            self.pages.sign_in(await self.entrance.staff(self.people[name]))
        else:
            strength = Strength.PASSKEY if name in staff else Strength.LINK
            self.pages.sign_in(await self.entrance.person(self.people[name], strength))
        return await self.pages.get(self.base)

    async def keyholders(self) -> list[str]:
        members = (await self.api.get(f"/v1/groups/{self.group}")).json()["members"]
        return [each["name"] for each in members if each["keyholder"]]

    async def told(self, database: Database) -> list[tuple[str, str]]:
        """Whom letters went to since this was asked last, and what each says first."""
        letters = Letters(database, daytime)
        found = await letters.due()
        for each in found:
            assert not checks.hard_to_read(each.body)
            await letters.sent(each.id)
        return sorted((each.recipient.partition("@")[0], each.body.split("\n\n")[1]) for each in found)


@pytest.fixture
async def gardeners(api: Api, pages: Pages, entrance: Entrance) -> Gardeners:
    people = {name: str((await api.person(name))["id"]) for name in ("Ann", "Bob", "Cas", "Dee")}
    group = str((await api.made("/v1/groups", {"name": "The gardeners"}))["id"])
    for name, person in people.items():
        body = {"keyholder": name in {"Ann", "Bob"}}
        assert (await api.send("PUT", f"/v1/groups/{group}/members/{person}", body)).is_success
    await api.give(await api.project(), {people["Cas"]: 300})
    await api.made(f"/v1/groups/{group}/pot/gifts", {"giver": people["Cas"], "minutes": 240})
    return Gardeners(api, pages, entrance, group, people)


async def test_the_office_makes_a_group_and_says_who_keeps_its_pot(api: Api, pages: Pages, entrance: Entrance) -> None:
    for name in ("Ann Lee", "Bob Ray"):
        await api.person(name)
    pages.sign_in(await entrance.staff())
    await pages.get("/staff")
    page = await pages.click("Groups")
    assert "There is no group yet." in page
    await pages.click("Make a group")
    page = await pages.submit("Make it", status=422)
    assert "What is it called?" in page.alert
    page = await pages.submit("Make it", name="The gardeners")
    assert page.heading == "Who shares the pot of The gardeners"
    assert "The pot can be spent from once it has 2 keyholders." in page
    for name in ("Ann Lee", "Bob Ray"):
        await pages.submit("Find", name=name[:3])
        await pages.submit("Add them", person=name)
        page = await pages.submit(f"Make a keyholder {name}")
    assert page.terms()["Keyholders"] == "2"
    assert "once it has" not in page, "as long as the pot is empty, one of the office says so"
    assert "Nobody else's name begins like that." in await pages.submit("Find", name="Ann")
    assert not page.hard_to_read()
    await pages.get("/staff/groups")
    assert (await pages.click("The gardeners")).heading == page.heading


@pytest.mark.parametrize(("first", "second"), [("Ann", "Bob"), ("Ann", "Office"), ("Office", "Bob")])
async def test_a_keyholder_is_made_by_two(gardeners: Gardeners, first: str, second: str) -> None:
    pages = gardeners.pages
    await gardeners.seen_by(first)
    page = await pages.submit("Make a keyholder Cas")
    assert "Proposed. Now another keyholder has to agree" in page
    assert "Agree Cas" not in page.buttons, "not by whoever proposed it"
    assert await gardeners.keyholders() == ["Ann", "Bob"]
    page = await gardeners.seen_by(second)
    assert f"{first} proposed it." in page
    await pages.submit("Agree Cas")
    assert await gardeners.keyholders() == ["Ann", "Bob", "Cas"]
    acts = [act["verb"] for act in await gardeners.api.acts(gardeners.people["Cas"])]
    assert acts[-2:] == ["keyholder_proposed", "keyholder_changed"]


async def test_a_change_of_keyholder_is_told_to_whom_it_concerns_as_it_is_proposed_and_as_it_is_done(
    gardeners: Gardeners, database: Database, owner: asyncpg.Connection
) -> None:
    pages, people, pot = gardeners.pages, gardeners.people, "your group's pot"
    for name in ("Ann", "Bob", "Cas", "Dee"):
        contact = {"email": f"{name}@example.org", "safe": True}
        assert (await gardeners.api.send("PATCH", f"/v1/people/{people[name]}", {"contact": contact})).is_success

    await gardeners.seen_by("Ann")
    await pages.submit("Make a keyholder Cas")
    await pages.post(f"{gardeners.base}/{people['Cas']}/give-keys", {"key": "again"}, status=200)
    assert await gardeners.told(database) == [
        ("Bob", f"It was proposed that somebody else keeps {pot} with you."),
        ("Cas", f"It was proposed that you help to keep {pot}: to decide what its credits are spent on."),
    ], "whoever proposed it knows, nobody is told twice, and Dee only shares it"
    await gardeners.seen_by("Bob")
    await pages.submit("Agree Cas")
    assert await gardeners.told(database) == [
        ("Ann", f"Somebody else now keeps {pot} with you."),
        ("Cas", f"You now help to keep {pot}: you decide, with others, what its credits are spent on."),
    ]

    # Whoever has no safe address is told otherwise: that waits.
    unsafe = {"email": "Cas@example.org", "safe": False}
    assert (await gardeners.api.send("PATCH", f"/v1/people/{people['Cas']}", {"contact": unsafe})).is_success
    await owner.execute("DELETE FROM scheme.outbox WHERE topic LIKE 'keyholder%'")
    await gardeners.seen_by("Office")
    await pages.submit("No longer a keyholder Bob")
    assert await gardeners.told(database) == [
        ("Ann", f"It was proposed that somebody no longer keeps {pot} with you."),
        ("Bob", f"It was proposed that you no longer keep {pot}."),
    ]
    await gardeners.seen_by("Ann")
    await pages.submit("Agree Bob")
    assert await gardeners.told(database) == [("Bob", f"You no longer keep {pot}. Thank you for all that you did.")]
    rows = await owner.fetch(
        "SELECT o.topic, h.person, o.object, o.body FROM scheme.outbox o JOIN scheme.holder h ON h.id = o.holder"
        " WHERE o.topic LIKE 'keyholder%' ORDER BY o.at, o.id"
    )
    assert [tuple(row) for row in rows] == [
        (topic, UUID(people["Cas"]), UUID(gardeners.group), '{"keyholder":0}')
        for topic in ("keyholder_proposed", "keyholder_changed")
    ]


async def test_to_propose_what_another_proposed_is_to_agree(gardeners: Gardeners) -> None:
    page = await gardeners.seen_by("Ann")
    asked = f"{gardeners.base}/{gardeners.people['Bob']}/take-keys"
    fields = {"key": page.filled("No longer a keyholder Bob")["key"][0]}
    for name, left in (("Ann", ["Ann", "Bob"]), ("Office", ["Ann"])):
        await gardeners.seen_by(name)
        await gardeners.pages.post(asked, fields, status=200)
        assert await gardeners.keyholders() == left


@pytest.mark.parametrize(("who", "words"), [("Ann", "Take it back Cas"), ("Bob", "Better not Cas")])
async def test_a_change_is_declined_by_either(gardeners: Gardeners, who: str, words: str) -> None:
    await gardeners.seen_by("Ann")
    await gardeners.pages.submit("Make a keyholder Cas")
    agree = f"{gardeners.base}/{gardeners.people['Cas']}/agree"
    page = await gardeners.seen_by(who)
    fields = {"key": page.filled(words)["key"][0]}
    page = await gardeners.pages.submit(words)
    assert "Make a keyholder Cas" in page.buttons
    await gardeners.seen_by("Bob")
    late = await gardeners.pages.post(agree, {**fields, "key": "late"}, status=409)
    assert "This doesn't wait any more" in late.alert
    assert await gardeners.keyholders() == ["Ann", "Bob"]


async def test_nobody_agrees_to_what_they_proposed_nor_makes_themselves_a_keyholder(gardeners: Gardeners) -> None:
    pages, people = gardeners.pages, gardeners.people
    await gardeners.seen_by("Ann")
    await pages.submit("Make a keyholder Cas")
    own = await pages.post(f"{gardeners.base}/{people['Cas']}/agree", {"key": "a"}, status=403)
    assert "Please ask another keyholder, or the office" in own.alert
    await gardeners.seen_by("Office")
    await pages.post(f"{gardeners.base}", {"key": "b", "person": people["Office"]}, status=200)
    own = await pages.post(f"{gardeners.base}/{people['Office']}/give-keys", {"key": "c"}, status=403)
    assert "Others decide whether you become a keyholder." in own.alert
    assert await gardeners.keyholders() == ["Ann", "Bob"]


async def test_the_office_takes_members_out_but_keyholders_only_by_two(gardeners: Gardeners) -> None:
    page = await gardeners.seen_by("Office")
    assert "Take out Ann" not in page.buttons
    late = await gardeners.pages.post(f"{gardeners.base}/{gardeners.people['Ann']}/leave", {"key": "a"}, status=409)
    assert "two people decide who keeps it" in late.alert
    page = await gardeners.pages.submit("Take out Dee")
    assert "Dee" not in page
    # To be put in once more changes nothing of whether they keep it.
    await gardeners.pages.post(gardeners.base, {"key": "b", "person": gardeners.people["Ann"]}, status=200)
    assert await gardeners.keyholders() == ["Ann", "Bob"]


async def test_a_pot_with_one_keyholder_has_a_way_to_another(gardeners: Gardeners) -> None:
    await gardeners.api.made(f"/v1/people/{gardeners.people['Bob']}/erasure", {"give_to": "community"})
    await gardeners.seen_by("Ann")
    await gardeners.pages.get(f"/groups/{gardeners.group}/pot")
    page = await gardeners.pages.click("Propose somebody")
    assert "Add somebody" not in page, "the list is the office's"
    await gardeners.pages.submit("Make a keyholder Dee")
    await gardeners.seen_by("Office")
    await gardeners.pages.submit("Agree Dee")
    assert await gardeners.keyholders() == ["Ann", "Dee"]


async def test_who_keeps_no_pot_finds_none(gardeners: Gardeners) -> None:
    pages, cas = gardeners.pages, gardeners.people["Cas"]
    for token in (
        await gardeners.entrance.person(cas),
        await gardeners.entrance.coordinator(await gardeners.api.project("Choir")),
    ):
        pages.sign_in(token)
        for path in (gardeners.base, f"/groups/{gardeners.group}/vouchers"):
            await pages.get(path, status=404)
        for step in ("give-keys", "take-keys", "agree", "decline", "leave"):
            await pages.post(f"{gardeners.base}/{cas}/{step}", {"key": step}, status=404)
    await gardeners.seen_by("Ann")
    for step in ("leave", "else"):  # the office's, and nobody's
        await pages.post(f"{gardeners.base}/{cas}/{step}", {"key": step}, status=404)
    await pages.post(gardeners.base, {"key": "a", "person": cas}, status=404)


async def test_what_is_proposed_lapses_and_ends_with_the_keys_of_whoever_proposed_it(
    gardeners: Gardeners, database: Database, owner: asyncpg.Connection
) -> None:
    group, cas = UUID(gardeners.group), UUID(gardeners.people["Cas"])

    async def caller(name: str) -> Caller:
        holder = await owner.fetchval("SELECT id FROM scheme.holder WHERE person = $1", UUID(gardeners.people[name]))
        return Caller(key=holder, scope=Scope.PERSON, object=None, holder=holder)

    ann, bob = await caller("Ann"), await caller("Bob")

    def at(later: timedelta) -> Keyholders:
        clock: Clock = lambda: daytime() + later  # noqa: E731
        return Keyholders(database, clock)

    assert not await at(timedelta()).propose(ann, group, cas, keyholder=True)
    late = at(WAITS_FOR + timedelta(seconds=1))
    assert [member.change for member in (await late.of(bob, group)).members] == [None] * 4
    with pytest.raises(Declined) as caught:
        await late.agree(bob, group, cas)
    assert caught.value.reason is Refusal.WRONG_STATE

    await owner.execute(
        "UPDATE scheme.membership SET keyholder = false WHERE person = $1", UUID(gardeners.people["Ann"])
    )
    with pytest.raises(Declined) as caught:
        await at(timedelta()).agree(bob, group, cas)
    assert caught.value.reason is Refusal.WRONG_STATE
    # Whoever proposes it then doesn't agree with nobody.
    assert not await at(timedelta()).propose(bob, group, cas, keyholder=True)


async def test_vouchers_are_printed_from_a_groups_pot_and_seen_by_its_keyholders(gardeners: Gardeners) -> None:
    pages = gardeners.pages
    await gardeners.seen_by("Ann")
    page = await pages.click("Vouchers from this pot")
    assert "No vouchers were printed from this pot yet." in page
    assert "Print new vouchers" not in page.links

    await gardeners.seen_by("Office")
    await pages.click("Vouchers from this pot")
    page = await pages.click("Print new vouchers")
    assert "In the pot of The gardeners: 4 credits." in page
    page = await pages.submit("Make them", status=422)
    assert "In the pot of The gardeners: 4 credits." in page
    day = f"{daytime() + timedelta(days=30):%Y-%m-%d}"
    fields = {"label": "Open day", "minutes_hours": "1", "last_day": day}
    page = await pages.submit("Make them", fields, count="21", status=409)
    assert "vouchers of 20 credits at most are printed within a day. More takes two keyholders" in page.alert
    page = await pages.submit("Make them", fields, count="3")
    assert page.terms()["From"] == "The pot of The gardeners"

    await gardeners.seen_by("Ann")
    page = await pages.click("Vouchers from this pot")
    assert page.rows()[0][:5] == ["Open day", "1 credit", "0", "3", "0"]
    page = await pages.get(f"/groups/{gardeners.group}/pot")
    assert "1 credit to spend together" in page
    assert "Vouchers were printed" in page


async def test_a_coordinator_who_keeps_a_pot_goes_there_from_their_projects_day(gardeners: Gardeners) -> None:
    project = await gardeners.api.project("Choir")
    gardeners.pages.sign_in(await gardeners.entrance.coordinator(project, gardeners.people["Ann"]))
    await gardeners.pages.get(f"/projects/{project}")
    page = await gardeners.pages.click("The pot of The gardeners")
    assert page.heading == "The pot of The gardeners"
    gardeners.pages.sign_in(await gardeners.entrance.coordinator(project, gardeners.people["Cas"]))
    assert "The pot of" not in await gardeners.pages.get(f"/projects/{project}")


async def test_older_lines_of_a_pot_have_pages(gardeners: Gardeners) -> None:
    for _number in range(11):
        body = {"giver": gardeners.people["Cas"], "minutes": 5}
        await gardeners.api.made(f"/v1/groups/{gardeners.group}/pot/gifts", body)
    await gardeners.seen_by("Ann")
    page = await gardeners.pages.get(f"/groups/{gardeners.group}/pot")
    assert page.text.count("+5 minutes") == 10
    assert "+4 credits" not in page
    page = await gardeners.pages.click("Older")
    assert page.text.count("+5 minutes") == 1
    assert "+4 credits" in page
    assert "Older" not in page.links
    page = await gardeners.pages.click("Newer")
    assert page.text.count("+5 minutes") == 10
    await gardeners.pages.get(f"/groups/{gardeners.group}/pot?before=x", status=400)
