"""The desk: finding somebody, their card in their hand within a minute, and all that is kept about them."""

import re
from uuid import UUID

from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance

# Not a part of an id, which may be all digits there.
CODE = r"(?<![\w-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}(?![\w-])"


async def told(api: Api, person: str) -> list[str]:
    """What was done for or about somebody, newest first."""
    return [act["verb"] for act in (await api.get(f"/v1/people/{person}/acts")).json()["acts"]]


# --- finding ------------------------------------------------------------------------------------------------


async def test_the_office_begins_with_a_search_and_says_when_nothing_waits(office: Pages) -> None:
    page = await office.get("/staff")

    assert page.heading == "The office"
    assert "autofocus" in page.field("Find a person").attrib
    assert "Nothing. Everything is looked after." in page


async def test_people_are_found_by_a_word_of_their_name(api: Api, office: Pages) -> None:
    ann = await api.made("/v1/people", {"name": "Ann Lee", "age_band": "18_and_over"})
    await api.person("Bob")
    await office.get("/staff")
    page = await office.submit("Find", name="le")

    assert page.heading == "Find a person"
    assert "People with a name that begins with le" in page
    assert [row[:2] for row in page.rows()] == [["Ann Lee", "18 or over"]]
    assert (await office.click("Ann Lee")).path == f"/staff/people/{ann['id']}?name=le"
    assert (await office.click("Find a person")).path == "/staff/people?name=le"


async def test_a_search_tells_nobodys_contact_and_looks_at_none(api: Api, office: Pages) -> None:
    body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "phone": "01223 123456"}}
    ann = await api.made("/v1/people", body)
    before = await told(api, ann["id"])
    found = await office.get("/staff/people?name=Ann")
    assert await told(api, ann["id"]) == before
    opened = await office.click("Ann Lee")

    for page in (found, opened):
        assert "ann@example.org" not in page.answer.text
        assert "123456" not in page.answer.text
    assert await told(api, ann["id"]) == ["person_read", *before], "a name in a list is no look at somebody"


async def test_nobody_found_is_an_invitation_to_make_them_known(office: Pages) -> None:
    await office.get("/staff/people?name=Zebedee")
    page = await office.click("Somebody new")
    assert page.heading == "Somebody new"


async def test_many_are_found_page_by_page(api: Api, office: Pages) -> None:
    for number in range(27):
        await api.person(f"Ann {number:02}")
    first = await office.get("/staff/people?name=ann")
    second = await office.click("Show more people")

    assert (len(first.rows()), len(second.rows())) == (25, 2)
    await office.get("/staff/people?name=bob&after=AAAA", status=400)


async def test_somebody_new_needs_only_a_name(office: Pages) -> None:
    await office.get("/staff/people/new")
    page = await office.submit("Add them", status=422)
    assert "is needed" in page.alert
    page = await office.submit("Add them", name="Ann Lee", age_band="8 to 15")

    assert page.heading == "Ann Lee"
    assert "They have no card." in page
    assert page.terms()["Age"] == "8 to 15 Change name and age"


async def test_who_has_the_name_of_somebody_known_is_asked_about_and_may_be_the_same(api: Api, office: Pages) -> None:
    first, second = await api.person("Ann Lee"), await api.person("Ann Lee")
    await api.card(second["id"])
    await office.get("/staff/people/new")
    page = await office.submit("Add them", name="ann lee", age_band="8 to 15")
    assert page.heading == "Who is it?"
    (carded,) = [words for words in page.buttons if words.endswith(", has a card")]
    assert [words for words in page.buttons if words.startswith("Ann Lee, known since ")][1:] == [carded]
    page = await office.submit("Change what you typed")
    assert page.filled("Add them")["age_band"] == ["8_to_15"]
    await office.submit("Add them")
    assert (await office.submit(carded)).path == f"/staff/people/{second['id']}"
    found = (await api.get("/v1/people", name="Ann")).json()["people"]
    assert {each["id"] for each in found} == {first["id"], second["id"]}


async def test_somebody_new_of_a_known_name_is_added_by_one_more_press_and_once(api: Api, office: Pages) -> None:
    page = await office.get("/staff/people/new")
    filled = page.filled("Add them")
    first = await office.submit("Add them", name="Ann Lee")
    again = await office.post("/staff/people/new", {**filled, "name": "Ann Lee"}, status=200)
    assert again.path.partition("?")[0] == first.path.partition("?")[0], "a second click asks nothing"
    await office.get("/staff/people/new")
    page = await office.submit("Add them", name="Ann Lee", age_band="8 to 15")
    page = await office.submit("Somebody new of that name")
    assert page.terms()["Age"] == "8 to 15 Change name and age"
    assert len((await api.get("/v1/people", name="Ann Lee")).json()["people"]) == 2


async def test_people_of_one_surname_are_listed_by_name_and_with_their_cards(api: Api, office: Pages) -> None:
    names = ["Cy Lee", "Ann Lee", "Dee Lee", "Bob Lee"]
    made = {name: await api.person(name) for name in names}
    await api.card(made["Bob Lee"]["id"])
    page = await office.get("/staff/people?name=lee")
    assert [(row[0], row[3]) for row in page.rows()] == [
        ("Ann Lee", ""),
        ("Bob Lee", "Has a card"),
        ("Cy Lee", ""),
        ("Dee Lee", ""),
    ]


# --- cards --------------------------------------------------------------------------------------------------


async def test_a_card_is_given_and_printed(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await office.get(f"/staff/people/{ann['id']}")
    page = await office.submit("Give a card and print it")

    assert page.heading == "The card of Ann Lee"
    code = re.search(CODE, page.answer.text)
    assert code is not None
    assert code[0] == await api.card(ann["id"])
    assert code[0] not in page.path
    for words in ("Print the card", "In large print", "For a card printer"):
        printed = await office.file(page.link(words))
        assert printed.headers["content-type"] == "application/pdf"
        assert printed.headers["cache-control"] == "no-store"
    assert "card_code_read" in await told(api, ann["id"])


async def test_a_lost_card_is_replaced_in_one_step_and_the_old_one_is_known_as_replaced(
    api: Api, office: Pages
) -> None:
    ann, project = await api.person("Ann Lee"), await api.project()
    await api.give(project, {ann["id"]: 120})
    venue = await api.venue()
    offer, till = await api.offer(venue), await api.till(venue)
    old = await api.card(ann["id"])
    await office.get("/staff")
    await office.submit("Find", name="Ann L")
    await office.click("Ann Lee")
    page = await office.submit("Replace and print")

    assert "The old card does not work any more" in page
    refused = await api.post("/v1/redemptions", {"offer": offer, "code": old, "name_checked": True}, token=till)
    assert refused.json()["code"] == "card_replaced"
    new = await api.card(ann["id"])
    assert new != old
    await api.made("/v1/redemptions", {"offer": offer, "code": new, "name_checked": True}, token=till)


async def test_replace_pressed_twice_makes_one_new_card(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await api.card(ann["id"])
    page = await office.get(f"/staff/people/{ann['id']}")
    fields = {name: values[0] for name, values in page.filled(f"/staff/people/{ann['id']}/card/replace").items()}
    for _ in range(2):
        await office.post(f"/staff/people/{ann['id']}/card/replace", fields, status=200)

    found = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    assert sorted(each["status"] for each in found) == ["active", "replaced"]


async def test_a_card_is_blocked_and_unblocked_and_ended(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await api.card(ann["id"])
    await office.get(f"/staff/people/{ann['id']}")
    assert "Blocked" in await office.submit("Block the card")
    assert "It works again" in await office.submit("Unblock the card")
    page = await office.submit("End for good the card")

    assert "They have no card." in page
    assert [row[1] for row in page.rows("Cards and passes before")] == ["Ended"]


async def test_what_ends_a_card_or_a_pass_for_good_is_tucked_away(api: Api, office: Pages) -> None:
    """Blocking is undone in a press, and stands there; ending isn't, and is looked for, with what it means."""
    ann = await api.person("Ann Lee")
    await api.card(ann["id"])
    await api.made(f"/v1/people/{ann['id']}/pass", None, token=await api.key("person", person=ann["id"]))
    page = await office.get(f"/staff/people/{ann['id']}")
    for what in ("card", "phone pass"):
        (tucked,) = [each for each in page.html.all("details") if f"End the {what} for good" in page.html.name(each)]
        assert "never works again" in page.html.name(tucked)
        assert "End for good" in page.html.name(tucked)
    page = await office.submit("End for good the phone pass")
    assert [row[0].partition(",")[0] for row in page.rows("Cards and passes before")] == ["Phone pass"]


async def test_what_became_of_a_card_meanwhile_is_said_on_the_page(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await api.card(ann["id"])
    await office.get(f"/staff/people/{ann['id']}")
    card = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"][0]["id"]
    await api.made(f"/v1/credentials/{card}/revoke")
    page = await office.submit("Block the card", status=409)

    assert "It was revoked already." in page.alert
    page = await office.post(f"/staff/people/{ann['id']}/credentials/{card}/eat", {"key": "k"}, status=404)
    assert page.heading == "There is nothing here"


async def test_without_a_card_there_is_none_to_print(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await office.get(f"/staff/people/{ann['id']}/card", status=404)
    await office.file(f"/staff/people/{ann['id']}/card/sheet", status=404)
    await office.file(f"/staff/people/{ann['id']}/card/poster", status=404)


async def test_what_somebody_has_is_printed_for_them(api: Api, office: Pages) -> None:
    ann, project = await api.person("Ann Lee"), await api.project("Mood group")
    await api.give(project, {ann["id"]: 120})
    page = await office.get(f"/staff/people/{ann['id']}")
    assert "2 credits" in page
    assert "Mood group" not in page.answer.text
    printed = await office.file(page.link("Print what they have"))

    assert printed.content.startswith(b"%PDF")


# --- what is known of them ----------------------------------------------------------------------------------


async def test_looking_at_a_contact_is_written_down_and_shows_what_to_heed(api: Api, office: Pages) -> None:
    body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "safe": False}}
    ann = await api.made("/v1/people", body)
    page = await office.get(f"/staff/people/{ann['id']}/contact")

    assert "It is not safe to contact them here" in page
    assert page.filled("Save")["email"] == ["ann@example.org"]
    assert (await told(api, ann["id"]))[0] == "contact_read"


async def test_a_contact_is_changed_and_taken_away(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await office.get(f"/staff/people/{ann['id']}/contact")
    page = await office.submit("Save", email="ann", phone="12", status=422)
    assert "must be an email address" in page.alert
    page = await office.submit("Save", email="ann@example.org", phone="", channel="By email", safe="yes")
    assert "Saved." in page
    assert page.terms()["How to reach them"].startswith("Known.")
    await office.get(f"/staff/people/{ann['id']}/contact")
    page = await office.submit("Save", email="", phone="", address="", channel="", safe="")
    assert page.terms()["How to reach them"].startswith("Not known")


async def test_name_and_age_are_changed(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    await office.get(f"/staff/people/{ann['id']}/details")
    assert "is needed" in (await office.submit("Save", name="", status=422)).alert
    page = await office.submit("Save", name="Annie Lee", age_band="16 or 17")

    assert (page.heading, page.terms()["Age"]) == ("Annie Lee", "16 or 17 Change name and age")


async def test_somebody_is_cleared_for_something_and_not_any_more(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    page = await office.get(f"/staff/people/{ann['id']}/eligibility")
    assert "No offer asks for anything first." in page
    await api.offer(await api.venue(), requires=["gym_induction"])
    await office.again()
    assert "is needed" in (await office.submit("Clear them", status=422)).alert
    page = await office.submit("Clear them", word="Gym induction", last_day="2099-12-31")
    assert page.rows("Cleared for")[0][0] == "Gym induction"
    assert page.rows("Cleared for")[0][2] == "1 January 2100"
    page = await office.submit("Take back Gym induction")

    assert "Nothing yet." in page
    assert {"eligibility_given", "eligibility_withdrawn", "eligibility_read"} <= set(await told(api, ann["id"]))


async def test_a_helper_is_found_by_name_and_chosen(api: Api, office: Pages) -> None:
    ann, bob = await api.person("Ann Lee"), await api.person("Bob Hill")
    await office.get(f"/staff/people/{ann['id']}/helpers")
    await office.submit("Find", name="bob")
    page = await office.submit("Let them help", helper="Bob Hill", status=422)
    assert "Choose at least one" in page.alert
    page = await office.submit("Let them help", may=["Book, and show their pass", "See what they have"])
    assert page.rows("Helpers")[0][:2] == ["Bob Hill", "see what they have; book, and show their pass"]
    assert "Ann Lee" in (await office.get(f"/staff/people/{bob['id']}")).terms()["Whom they look after"]
    await office.get(f"/staff/people/{ann['id']}/helpers")
    page = await office.submit("End the help of Bob Hill")

    assert "Nobody helps them." in page


async def test_nobody_is_offered_as_their_own_helper(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    page = await office.get(f"/staff/people/{ann['id']}/helpers?name=ann")
    assert "Nobody has a name that begins like that" in page


async def test_a_childs_guardian_is_put_down_and_agrees(api: Api, office: Pages) -> None:
    child = await api.made("/v1/people", {"name": "Cleo", "age_band": "8_to_15"})
    mother = await api.made("/v1/people", {"name": "Dora Hill", "age_band": "18_and_over"})
    await office.get(f"/staff/people/{child['id']}/guardians?name=dora")
    page = await office.submit("Name them as guardian", guardian="Dora Hill")
    assert page.rows("Guardians")[0][:2] == ["Dora Hill", "Not yet"]
    page = await office.submit("They agree Dora Hill")
    assert page.rows("Guardians")[0][1].startswith("until ")
    assert "agreed until" in (await office.get(f"/staff/people/{child['id']}")).terms()["Guardians"]
    await office.get(f"/staff/people/{child['id']}/guardians")
    page = await office.submit("End Dora Hill")

    assert "They have no guardian here yet." in page
    assert mother["id"] not in page.answer.text


async def test_a_grown_ups_guardian_is_refused_in_words(api: Api, office: Pages) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "age_band": "18_and_over"})
    await api.made("/v1/people", {"name": "Dora", "age_band": "18_and_over"})
    await office.get(f"/staff/people/{ann['id']}/guardians?name=dora")
    page = await office.submit("Name them as guardian", guardian="Dora", status=422)

    assert "Write down their age first" in page.alert


async def test_who_did_what_for_somebody_is_read_page_by_page_with_names(
    api: Api, office: Pages, entrance: Entrance
) -> None:
    ann, sam = await api.person("Ann Lee"), await api.person("Sam Cole")
    office.sign_in(await entrance.staff(sam["id"]))
    await api.card(ann["id"])
    for _ in range(25):
        await office.get(f"/staff/people/{ann['id']}/eligibility")
    page = await office.get(f"/staff/people/{ann['id']}/acts")
    assert page.heading == "What was done for Ann Lee"
    assert "Sam Cole, " in page
    older = await office.click("Older")

    assert "Made a card or pass" in older
    assert "Sam Cole" not in older


async def test_somebody_is_erased_once_it_is_meant(api: Api, office: Pages) -> None:
    ann, project = await api.person("Ann Lee"), await api.project()
    await api.give(project, {ann["id"]: 120})
    await office.get(f"/staff/people/{ann['id']}/erase")
    page = await office.submit("Erase them", status=422)
    assert "Tick this" in page.alert
    page = await office.submit("Erase them", sure=True, give_to="To the community pot")

    assert "They are erased." in page
    await office.get(f"/staff/people/{ann['id']}", status=404)
    assert (await api.trial_balance())["pot"] == 120


# --- who may ------------------------------------------------------------------------------------------------

PERSONAL = ("", "/acts", "/card", "/contact", "/details", "/eligibility", "/erase", "/guardians", "/helpers", "/slip")


async def test_somebody_who_is_not_there_is_not_found(office: Pages) -> None:
    for path in PERSONAL:
        await office.get(f"/staff/people/{UUID(int=1)}{path}", status=404)


async def test_only_staff_open_the_desk(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, other = await api.person("Ann Lee"), await api.person("Bob")
    for token in (
        await entrance.person(other["id"]),
        await entrance.coordinator(await api.project()),
        await entrance.auditor(),
    ):
        pages.sign_in(token)
        for path in ("/staff", "/staff/people", "/staff/people/new"):
            await pages.get(path, status=403)
        for path in PERSONAL:
            await pages.get(f"/staff/people/{ann['id']}{path}", status=404)
