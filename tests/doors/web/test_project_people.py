"""People of a project and their cards: found, made known, given a card, a lost one replaced; sheets and slips."""

import io
import re
from datetime import timedelta
from uuid import UUID

import pypdfium2  # type: ignore[import-untyped]
import pytest

from ledger.database import Database
from ledger.doors.web.project_people import FOUND, _packed
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.project_people import CHOSEN_MAX, ProjectPeople
from ledger.scheme.refusals import Declined
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.printed import words_of


class Shed:
    """A project whose coordinator is signed in, with people who gave hours there."""

    def __init__(self, api: Api, project: str) -> None:
        self.api, self.project = api, project
        self.base = f"/projects/{project}/people"

    async def known(self, name: str, minutes: int = 60) -> str:
        """Somebody who gave hours here."""
        person = str((await self.api.person(name))["id"])
        await self.api.give(self.project, {person: minutes})
        return person

    async def session(self) -> str:
        """One that is planned for tomorrow."""
        starts = daytime().replace(microsecond=0) + timedelta(days=1)
        period = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat()}
        made = await self.api.made(f"/v1/projects/{self.project}/sessions", period)
        return str(made["sessions"][0]["id"])

    async def acts(self, person: str) -> list[str]:
        return [act["verb"] for act in (await self.api.get(f"/v1/people/{person}/acts")).json()["acts"]]


@pytest.fixture
async def shed(api: Api, pages: Pages, entrance: Entrance) -> Shed:
    project = await api.project("The tool shed")
    pages.sign_in(await entrance.coordinator(project))
    return Shed(api, project)


def listed(page: Page) -> list[str]:
    """The people on a list, by name."""
    return [words for words, href in page.links.items() if re.search(r"^/projects/.*/people/[0-9a-f-]{36}$", href)]


# --- finding ---------------------------------------------------------------------------------------------------------


async def test_where_nobody_came_yet_somebody_new_is_the_next_step(shed: Shed, pages: Pages) -> None:
    page = await pages.get(shed.base)
    assert page.heading == "People and cards"
    assert "Nobody has been here yet." in page
    assert "Somebody new" in page.links


async def test_somebody_is_found_by_the_beginning_of_any_of_their_names(api: Api, shed: Shed, pages: Pages) -> None:
    for name in ("Ann Lee", "Leroy", "Bob Marlee"):
        await shed.known(name)
    await api.person("Leanne, who never came")
    await pages.get(shed.base)
    page = await pages.submit("Find", name="le")
    assert listed(page) == ["Ann Lee", "Leroy"]
    page = await pages.submit("Find", name="Zoe")
    assert "Nobody of that name" in page


async def test_many_are_found_page_by_page(api: Api, shed: Shed, pages: Pages) -> None:
    people = {str((await api.person(f"Person {number:02}"))["id"]): 60 for number in range(FOUND + 2)}
    await api.give(shed.project, people)
    first = await pages.get(shed.base)
    second = await pages.click("Show more people")
    assert (len(listed(first)), len(listed(second))) == (FOUND, 2)
    await pages.get(f"{shed.base}?after=AAAA", status=400)


@pytest.mark.parametrize("typed", ["%25", "_", "'", "\\\\", "%20", "x" * 5000])
async def test_whatever_is_typed_finds_at_most_nobody(shed: Shed, pages: Pages, typed: str) -> None:
    await pages.get(f"{shed.base}?name={typed}")


async def test_who_reads_names_of_a_sensitive_project_is_written_down(api: Api, shed: Shed, pages: Pages) -> None:
    await api.send("PATCH", f"/v1/projects/{shed.project}", {"sensitive": True})
    await pages.get(shed.base)
    acts = (await api.get("/v1/acts")).json()["acts"]
    assert acts[0]["verb"] == "people_of_sensitive_project"
    assert acts[0]["object"] == shed.project


async def test_who_was_listed_by_mistake_is_nobody_here(api: Api, shed: Shed, pages: Pages) -> None:
    ann = str((await api.person("Ann"))["id"])
    claim = (await api.give(shed.project, {ann: 60}, days_ago=2))["claims"][0]
    await api.made(f"/v1/claims/{claim}/corrections", {"minutes": 0, "reason": "Another Ann."})
    # A register leaves an attendance too: that she came stays known.
    assert "Ann" in await pages.get(shed.base)


async def test_anothers_people_are_not_there(api: Api, shed: Shed, pages: Pages, entrance: Entrance) -> None:
    ann = await shed.known("Ann")
    other = await api.project("The other one")
    pages.sign_in(await entrance.coordinator(other))
    for path in (shed.base, f"{shed.base}/{ann}", f"{shed.base}/new", f"{shed.base}/cards"):
        await pages.get(path, status=404)
    await pages.get(f"/projects/{other}/people/{ann}", status=404)
    for path in (f"{ann}/slip", f"{ann}/card/sheet"):
        await pages.file(f"/projects/{other}/people/{path}", status=404)
    for path in (f"{ann}/card", f"{ann}/card/replace"):
        fields = {"key": "k", "card": str(UUID(int=7))}
        await pages.post(f"/projects/{other}/people/{path}", fields, status=404)


# --- somebody new ----------------------------------------------------------------------------------------------------


async def test_somebody_new_is_put_on_a_list_and_given_a_card(api: Api, shed: Shed, pages: Pages) -> None:
    session = await shed.session()
    await pages.get(shed.base)
    await pages.click("Somebody new")
    page = await pages.submit("Add them", status=422)
    assert "What would they like to be called?" in page.alert
    page = await pages.submit("Add them", name="Zoë", session=session)
    assert page.heading == "Zoë"
    assert "They are on the list." in page
    page = await pages.submit("Make a card")
    assert "The card is made. Now print it." in page
    people = (await api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    assert [(each["name"], each["state"]) for each in people] == [("Zoë", "expected")]
    assert "Print a slip" not in page.links, "no hours of hers were approved here"


async def test_a_second_click_makes_nobody_twice(shed: Shed, pages: Pages) -> None:
    await shed.session()
    filled = (await pages.get(f"{shed.base}/new")).filled("Add them")
    options = [each.get("value") for each in (await pages.again()).html.all("input") if each.get("name") == "session"]
    fields = {**filled, "name": "Zoe", "session": str(options[0])}
    first = await pages.post(f"{shed.base}/new", fields, status=200)
    second = await pages.post(f"{shed.base}/new", fields, status=200)
    assert first.path == second.path
    assert listed(await pages.get(shed.base)) == ["Zoe"]


async def test_who_has_the_name_of_somebody_known_here_is_asked_about_and_is_one_of_them_by_one_press(
    api: Api, shed: Shed, pages: Pages
) -> None:
    session, ann = await shed.session(), await shed.known("Ann Lee")
    await api.person("Ann Lee")  # whom this project doesn't know
    await pages.get(f"{shed.base}/new")
    page = await pages.submit("Add them", name="ann lee", session=session)
    assert page.heading == "Who is it?"
    (same,) = [words for words in page.buttons if words.startswith("Ann Lee, last here on ")]
    page = await pages.submit("Change what you typed")
    assert (page.heading, page.filled("Add them")["name"]) == ("Somebody new", ["ann lee"])
    await pages.submit("Add them")
    page = await pages.submit(same)
    assert page.path.startswith(f"{shed.base}/{ann}")
    assert "They are on the list." in page
    people = (await api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    assert [each["person"] for each in people] == [ann]


async def test_somebody_new_of_a_known_name_is_added_by_one_more_press_and_once(
    api: Api, shed: Shed, pages: Pages
) -> None:
    session = await shed.session()
    for name in ("Ann Lee", "Bob"):
        await pages.get(f"{shed.base}/new")
        await pages.submit("Add them", name=name, session=session)
    await pages.get(f"{shed.base}/new")
    page = await pages.submit("Add them", name="Ann Lee", session=session)
    assert "Ann Lee, not here yet" in page.buttons
    fields = {**page.filled("Somebody new of that name"), "who": "new Ann Lee"}
    typed_over = await pages.post(f"{shed.base}/new", {**fields, "name": "Bob"}, status=200)
    assert typed_over.heading == "Who is it?", "the answer was about another name"
    assert "Bob, not here yet" in typed_over.buttons
    first = await pages.post(f"{shed.base}/new", fields, status=200)
    second = await pages.post(f"{shed.base}/new", fields, status=200)
    assert first.path == second.path
    people = (await api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    assert [each["name"] for each in people] == ["Ann Lee", "Ann Lee", "Bob"]


async def test_without_a_session_the_register_is_the_way(shed: Shed, pages: Pages) -> None:
    page = await pages.get(f"{shed.base}/new")
    assert "No session is planned" in page
    assert "Add them" not in page.buttons


# --- a card ----------------------------------------------------------------------------------------------------------


async def test_a_card_is_made_printed_blocked_and_unblocked(shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann Lee")
    page = await pages.get(f"{shed.base}/{ann}")
    assert "No card" in page
    page = await pages.submit("Make a card")
    for words, size in (("The size", (243, 153)), ("On a sheet", (595, 842)), ("In large", (298, 420))):
        pdf = (await pages.file(page.link(words))).content
        (sheet,) = pypdfium2.PdfDocument(io.BytesIO(pdf))
        assert (round(sheet.get_width()), round(sheet.get_height())) == size
        assert "Ann Lee" in words_of(pdf)
    assert "card_code_read" in await shed.acts(ann)

    page = await pages.submit("Only block it")
    assert "The card is blocked." in page
    assert not [words for words in page.links if words.startswith("On a sheet")], "it is of no use now"
    page = await pages.submit("Let it work again")
    assert "The card works again." in page


async def test_a_lost_card_is_replaced_in_one_step(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann")
    visit = {"offer": await api.offer(venue := await api.venue()), "name_checked": True}
    await pages.get(f"{shed.base}/{ann}")
    page = await pages.submit("Make a card")
    old = words_of((await pages.file(page.link("On a sheet"))).content)
    lost = filled = page.filled("Make a new card")
    page = await pages.submit("Make a new card in its place")
    assert "The old card has stopped. Now print the new one." in page
    new = words_of((await pages.file(page.link("On a sheet"))).content)

    till = await api.till(venue)
    refused = await api.post("/v1/redemptions", {**visit, "code": _code(old)}, token=till)
    assert (refused.status_code, refused.json()["code"]) == (409, "card_replaced")
    assert (await api.post("/v1/redemptions", {**visit, "code": _code(new)}, token=till)).status_code == 201

    page = await pages.post(f"{shed.base}/{ann}/card/replace", filled, status=200)
    assert _code(words_of((await pages.file(page.link("On a sheet"))).content)) == _code(new), "a second click"
    page = await pages.post(f"{shed.base}/{ann}/card/replace", {**lost, "key": "an-old-tab"}, status=409)
    assert "It was replaced already." in page.alert


def _code(card: str) -> str:
    return next(word for word in card.split() if word.count("-") == 2 and len(word) == 13)


async def test_what_another_desk_made_is_only_blocked_here(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann")
    await api.card(ann)
    page = await pages.get(f"{shed.base}/{ann}")
    assert "Another desk made this card." in page
    assert page.buttons == ["Sign out", "Block the card", "Cymraeg"]
    await pages.file(f"{shed.base}/{ann}/card/sheet", status=404)
    page = await pages.submit("Block the card")
    assert "The card is blocked." in page


async def test_a_second_card_for_somebody_is_refused_and_said(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann")
    await pages.get(f"{shed.base}/{ann}")
    await api.card(ann)
    page = await pages.submit("Make a card", status=409)
    assert "They have a card already" in page.alert


# --- many at once ----------------------------------------------------------------------------------------------------


async def test_cards_for_many_are_made_and_printed_on_one_sheet(api: Api, shed: Shed, pages: Pages) -> None:
    people = {name: await shed.known(name) for name in ("Ann", "Bob", "Cy", "Dee")}
    await api.card(people["Cy"])
    await pages.get(shed.base)
    await pages.click("Print many cards")
    page = await pages.submit("Go on", status=422)
    assert "Tick somebody, 50 people at most." in page.alert
    assert "Cy" not in page, "another desk made that card"
    page = await pages.submit("Go on", person=[people[name] for name in ("Ann", "Bob")])
    assert "2 people have no card yet" in page

    filled = page.filled("Make the cards")
    page = await pages.submit("Make the cards")
    assert "2 cards can be printed" in page
    said = words_of((await pages.file(page.link("On a sheet"))).content)
    assert [name in said for name in ("Ann", "Bob", "Cy", "Dee")] == [True, True, False, False]
    page = await pages.get(f"{shed.base}/cards?of={_packed([UUID(person) for person in people.values()])}")
    assert "Not printed here" in page
    assert "2 cards can be printed" in page

    page = await pages.post(f"{shed.base}/cards/make", filled, status=200)
    assert words_of((await pages.file(page.link("On a sheet"))).content) == said, "a second click"


async def test_strangers_are_left_out(api: Api, shed: Shed, pages: Pages) -> None:
    stranger = UUID((await api.person("Stranger"))["id"])
    page = await pages.get(f"{shed.base}/cards?of={_packed([stranger])}")
    assert "Choose some people first." in page
    await pages.file(f"{shed.base}/cards/sheet?of={_packed([stranger])}", status=404)
    await pages.post(f"{shed.base}/cards/make", {"key": "k", "person": str(stranger)}, status=404)
    await pages.get(f"{shed.base}/cards?of=nonsense", status=404)
    many = [UUID(int=number) for number in range(1, CHOSEN_MAX + 2)]
    await pages.get(f"{shed.base}/cards?of={_packed(many)}", status=422)


# --- a slip ----------------------------------------------------------------------------------------------------------


async def test_a_slip_says_what_they_have_and_nothing_of_elsewhere(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann Lee", 180)
    other = str((await api.made("/v1/projects", {"name": "The clinic", "alias": "Green door"}))["id"])
    await api.give(other, {ann: 60}, days_ago=3)
    await api.made(
        "/v1/redemptions",
        await api.visit(await api.offer(venue := await api.venue("Parkside pool")), ann),
        token=await api.till(venue),
    )
    page = await pages.get(f"{shed.base}/{ann}")
    said = words_of((await pages.file(page.link("Print a slip"))).content)
    assert "Ann Lee You have 3 credits" in said
    assert "You helped at Saturdays" in said, "the neutral name"
    for elsewhere in ("The tool shed", "Green door", "Parkside", "swim"):
        assert elsewhere not in said
    assert "balance_read" in await shed.acts(ann)


# --- the verb --------------------------------------------------------------------------------------------------------


async def test_a_kiosk_or_a_venue_finds_nobody(shed: Shed, database: Database) -> None:
    people, project = ProjectPeople(database, daytime), UUID(shed.project)
    for scope, device in ((Scope.PROJECT, UUID(int=1)), (Scope.VENUE, None), (Scope.PERSON, None)):
        caller = Caller(key=UUID(int=2), scope=scope, object=project, holder=UUID(int=3), device=device)
        with pytest.raises(Declined):
            await people.named(caller, project, "", after=None, limit=5)
        with pytest.raises(Declined):
            await people.slip(caller, project, UUID(int=4))


async def test_the_words_are_easy_to_read(shed: Shed, pages: Pages) -> None:
    ann = await shed.known("Ann")
    session = await shed.session()
    for path in ("", f"/{ann}", "/new", "/cards", f"/cards?of={_packed([UUID(ann)])}"):
        assert not (await pages.get(f"{shed.base}{path}")).hard_to_read()
    await pages.get(f"{shed.base}/new")
    page = await pages.submit("Add them", name="Ann", session=session)
    assert page.heading == "Who is it?"
    assert not page.hard_to_read()


# --- the whole way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_desk_replaces_a_lost_card(
    api: Api, entrance: Entrance, phone: Window, no_script: Window, *, script: bool
) -> None:
    window = phone if script else no_script
    shed = Shed(api, await api.project("The tool shed"))
    ann = await shed.known("Ann Lee")
    await window.sign_in(await entrance.coordinator(shed.project))
    page = await window.go(shed.base)
    await page.get_by_label("Find somebody").fill("ann")
    await window.press("Find")
    await page.get_by_role("link", name="Ann Lee").click()
    await window.press("Make a card")
    old = (await api.get(f"/v1/people/{ann}/credentials")).json()["credentials"][0]["id"]
    lost = (await api.get(f"/v1/credentials/{old}/code")).json()["code"]
    await window.press("Make a new card in its place")
    assert "The old card has stopped." in await page.inner_text("main")
    if script:
        await every_size(page)

    venue = await api.venue()
    visit = {"offer": await api.offer(venue), "code": lost, "name_checked": True}
    refused = await api.post("/v1/redemptions", visit, token=await api.till(venue))
    assert refused.json()["code"] == "card_replaced"
