"""Passkeys on pages: made by an invitation, used to sign in, added and removed; and where somebody is signed in."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal.entries import new_key
from ledger.scheme.callers import OPERATOR
from ledger.scheme.one_time import OneTime
from ledger.scheme.passkeys import LIVE_MAX, NAME_MAX
from ledger.scheme.sign_ins import FRESH, SignIns, Strength
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.hands import Hands
from tests.scheme.authenticator import PRESENT, Authenticator, Lies


@pytest.fixture
async def ann(api: Api) -> str:
    return str((await api.person("Ann Lee"))["id"])


@pytest.fixture
async def link(database: Database, owner: asyncpg.Connection, ann: str) -> str:
    """The path of an invitation for Ann."""
    one_time = OneTime(database, daytime, await owner.fetchval("SELECT secret FROM scheme.directory"))
    invited, _ = await one_time.invite(OPERATOR, new_key(), ann, address_of_link="")  # type: ignore[arg-type]
    assert invited.link is not None
    return invited.link


def phone() -> Authenticator:
    return Authenticator(origin="https://localhost", rp_id="localhost")


def asked(page: Page) -> str:
    """What the page would have the authenticator asked."""
    [form] = [each for each in page.html.all("form") if "data-passkey" in each.attrib]
    return form.attrib["data-options"]


async def made(pages: Pages, link: str, name: str = "my phone") -> Authenticator:
    """Ann's phone, once she has made a passkey by her invitation and is signed in with it."""
    mine = phone()
    page = await pages.get(link)
    await pages.submit("Make my passkey", name=name, response=mine.create(asked(page)))
    return mine


# --- the first one --------------------------------------------------------------------------------------------


async def test_whoever_is_invited_makes_a_passkey_and_is_signed_in(pages: Pages, link: str, ann: str) -> None:
    page = await pages.get(link)
    assert page.heading == "Make your passkey"
    assert "Hello Ann Lee." in page
    page = await pages.submit("Make my passkey", name="my phone", response=phone().create(asked(page)))

    assert page.path == f"/people/{ann}"
    page = await pages.get(f"/people/{ann}/sign-ins")
    assert page.rows("Where you are signed in")[0][0] == "With a passkey (here)"
    assert "my phone" in page
    assert "Not used yet." in page


async def test_then_they_sign_in_with_it_whenever_they_like(pages: Pages, link: str, ann: str) -> None:
    mine = await made(pages, link)
    await pages.submit("Sign out")
    page = await pages.get("/sign-in")
    page = await pages.click("Sign in with a passkey")
    page = await pages.submit("Use my passkey", response=mine.get(asked(page)))

    assert page.path == f"/people/{ann}"
    assert pages.is_somebody


async def test_an_invitation_is_good_once_and_looking_at_it_does_not_use_it_up(
    api: Api, pages: Pages, link: str
) -> None:
    async with Pages.of(api) as scanner:
        for _ in range(3):
            assert (await scanner.get(link)).heading == "Make your passkey"
    await made(pages, link)
    async with Pages.of(api) as other:
        assert (await other.get(link, status=410)).heading == "This link is over"
        await other.post(link, {"key": "k", "name": "mine", "response": "{}"}, status=410)
        assert not other.is_somebody


@pytest.mark.parametrize("name", ["", "n" * (NAME_MAX + 1), "two\nlines"])
async def test_a_name_that_is_none_is_said_at_the_field_and_the_passkey_is_not_made_anew(
    pages: Pages, link: str, ann: str, name: str
) -> None:
    answer = phone().create(asked(await pages.get(link)))
    page = await pages.submit("Make my passkey", name=name, response=answer, status=422)
    assert "A name for it" in page.alert
    page = await pages.submit("Make my passkey", name="my phone")

    assert page.path == f"/people/{ann}"


@pytest.mark.parametrize(
    "lies",
    [{"challenge": "AAAA"}, {"origin": "https://evil.example"}, {"flags": PRESENT}],
    ids=["another challenge", "another site's", "not verified"],
)
async def test_what_was_not_asked_for_makes_nothing_and_can_be_tried_again(
    pages: Pages, link: str, ann: str, lies: Lies
) -> None:
    page = await pages.get(link)
    first = asked(page)
    answer = phone().create(first, **lies)
    page = await pages.submit("Make my passkey", name="my phone", response=answer, status=403)

    assert "please start again" in page.alert
    assert page.filled(link)["response"] == [""]
    assert asked(page) != first, "with a challenge of its own"
    assert not pages.is_somebody
    page = await pages.submit("Make my passkey", name="my phone", response=phone().create(asked(page)))
    assert page.path == f"/people/{ann}"


# --- signing in -----------------------------------------------------------------------------------------------


async def test_without_a_browser_that_knows_passkeys_the_page_says_what_else_there_is(pages: Pages) -> None:
    page = await pages.get("/sign-in/passkey")

    assert "This one can't use it." in page
    assert {"Sign in by a link", "All ways to sign in"} <= page.links.keys()
    assert "Sign in with your organisation" not in page.links
    assert not page.hard_to_read()


async def test_a_passkey_that_is_not_known_signs_nobody_in(pages: Pages, link: str) -> None:
    await made(pages, link)
    await pages.submit("Sign out")
    page = await pages.get("/sign-in/passkey")
    page = await pages.submit("Use my passkey", response=phone().get(asked(page)), status=403)

    assert "not known here" in page.alert
    assert not pages.is_somebody


@pytest.mark.parametrize("response", ["", "{}", "null", "[" * 1_000, "\u2603", "x" * 20_000])
async def test_what_is_no_answer_signs_nobody_in(pages: Pages, response: str) -> None:
    await pages.get("/sign-in/passkey")
    await pages.submit("Use my passkey", response=response, status=403)

    assert not pages.is_somebody


async def test_an_answer_is_worth_nothing_in_another_browser_or_a_second_time(
    api: Api, pages: Pages, link: str
) -> None:
    mine = await made(pages, link)
    await pages.submit("Sign out")
    answer = mine.get(asked(await pages.get("/sign-in/passkey")))
    async with Pages.of(api) as other:
        await other.get("/sign-in/passkey")
        await other.submit("Use my passkey", response=answer, status=403)
    await pages.submit("Use my passkey", response=answer)
    await pages.get("/sign-in/passkey")
    await pages.submit("Use my passkey", response=answer, status=403)


async def test_who_needs_a_passkey_is_told_why_and_gets_where_they_were_going(
    pages: Pages, entrance: Entrance, link: str, ann: str
) -> None:
    mine = await made(pages, link)
    by_link = await entrance.person(ann)
    pages.sign_in(by_link)
    page = await pages.get(f"/people/{ann}/passkeys/new")
    assert page.heading == "Sign in with a passkey"
    assert "You are signed in by a link." in page
    page = await pages.submit("Use my passkey", response=mine.get(asked(page)))

    assert (page.path, page.heading) == (f"/people/{ann}/passkeys/new", "Add a passkey")
    pages.sign_in(by_link)
    assert (await pages.get(f"/people/{ann}")).heading == "Sign in", "the sign-in by link ended with it"


async def test_a_role_is_used_by_a_passkey_only(
    api: Api, pages: Pages, entrance: Entrance, link: str, ann: str
) -> None:
    project = await api.project()
    mine = await made(pages, link)
    await entrance.coordinator(project, ann)
    pages.sign_in(await entrance.person(ann))
    page = await pages.get(f"/projects/{project}")
    assert page.heading == "Sign in with a passkey"
    page = await pages.submit("Use my passkey", response=mine.get(asked(page)))

    assert page.path == f"/projects/{project}"


# --- somebody's own -------------------------------------------------------------------------------------------


async def test_somebody_sees_where_they_are_signed_in_and_ends_it_everywhere(
    api: Api, pages: Pages, entrance: Entrance, ann: str
) -> None:
    for _ in range(2):
        pages.sign_in(await entrance.person(ann))
    async with Pages.of(api) as library:
        library.sign_in(await entrance.person(ann))
        await library.get(f"/people/{ann}")
        page = await pages.get(f"/people/{ann}/sign-ins")
        rows = page.rows("Where you are signed in")
        assert [row[0] for row in rows] == ["By a link or code (here)", *["By a link or code"] * 2]
        assert not page.hard_to_read()
        page = await pages.submit("Sign out everywhere")

        assert (page.path.partition("?")[0], pages.is_somebody) == ("/", False)
        assert "You are signed out everywhere." in page
        assert (await library.get(f"/people/{ann}")).heading == "Sign in"


async def test_nobody_sees_or_ends_anothers_sign_ins_not_even_who_helps_them(
    api: Api, pages: Pages, entrance: Entrance, ann: str
) -> None:
    bob = (await api.person("Bob"))["id"]
    await api.made(f"/v1/people/{ann}/helpers", {"helper": bob, "may": ["balance"]})
    theirs = await entrance.person(ann)
    for token in (await entrance.person(bob, Strength.PASSKEY), await entrance.staff()):
        pages.sign_in(token)
        for path in ("sign-ins", "passkeys/new"):
            assert (await pages.get(f"/people/{ann}/{path}", status=404)).heading == "There is nothing here"
        other = UUID(int=0)
        for path in (
            "sign-ins/end",
            f"sign-ins/{other}/end",
            "passkeys/new",
            "passkeys/AAAA/end",
            "passkeys/AAAA/name",
        ):
            await pages.post(f"/people/{ann}/{path}", {"key": "k"}, status=404)
    pages.sign_in(theirs)
    assert (await pages.get(f"/people/{ann}")).path == f"/people/{ann}"


async def test_a_second_passkey_is_added_and_the_first_removed(pages: Pages, link: str, ann: str) -> None:
    mine, second = await made(pages, link), phone()
    await pages.get(f"/people/{ann}/sign-ins")
    page = await pages.click("Add a passkey")
    page = await pages.submit("Make this passkey", name="the one at work", response=second.create(asked(page)))
    assert (page.path.partition("?")[0], "the one at work" in page) == (f"/people/{ann}/sign-ins", True)
    assert "It is your only one." not in page
    page = await pages.submit("Remove my phone")
    assert "That passkey does not work any more." in page
    assert "It is your only one." in page

    page = await pages.get("/sign-in/passkey")
    await pages.submit("Use my passkey", response=mine.get(asked(page)), status=403)
    page = await pages.get("/sign-in/passkey")
    assert (await pages.submit("Use my passkey", response=second.get(asked(page)))).path == f"/people/{ann}"


async def test_a_passkey_is_given_another_name(pages: Pages, link: str, ann: str) -> None:
    await made(pages, link, "phone")
    await pages.get(f"/people/{ann}/sign-ins")
    page = await pages.submit("Save", name="", status=422)
    assert "A name for it" in page.alert
    page = await pages.submit("Save", name="my old phone")
    assert "Saved." in page
    assert "my old phone" in page


async def test_one_other_browser_is_signed_out_and_nobody_elses(
    api: Api, pages: Pages, entrance: Entrance, database: Database, ann: str
) -> None:
    sign_ins = SignIns(database, daytime)
    forgotten, here = await entrance.person(ann), await entrance.person(ann)
    others = await entrance.person((await api.person("Bob"))["id"])
    pages.sign_in(others)
    page = await pages.get(f"/people/{ann}/sign-ins", status=404)
    pages.sign_in(here)
    page = await pages.get(f"/people/{ann}/sign-ins")
    [button] = [each for each in page.buttons if each.startswith("Sign out there")]
    page = await pages.submit(button)
    assert "You are signed out there." in page
    assert [row[0] for row in page.rows("Where you are signed in")] == ["By a link or code (here)"]
    pages.sign_in(forgotten)
    assert (await pages.get(f"/people/{ann}")).heading == "Sign in"

    pages.sign_in(others)
    theirs = await sign_ins.who(others)
    assert theirs is not None
    pages.sign_in(here)
    await pages.post(f"/people/{ann}/sign-ins/{theirs.sign_in}/end", {"key": "k"}, status=404)
    own = await sign_ins.who(here)
    assert own is not None
    page = await pages.post(f"/people/{ann}/sign-ins/{own.sign_in}/end", {"key": "k"}, status=200)
    assert "You are signed out." in page
    assert (await pages.get(f"/people/{ann}")).heading == "Sign in"


async def test_a_link_by_mail_neither_adds_nor_removes_a_passkey(
    pages: Pages, entrance: Entrance, link: str, ann: str
) -> None:
    mine = await made(pages, link)
    pages.sign_in(await entrance.person(ann))
    await pages.get(f"/people/{ann}/sign-ins")
    page = await pages.submit("Remove my phone", status=403)
    assert page.heading == "Please sign in once more"
    assert page.links["Sign in (opens beside this page)"] == "/sign-in/passkey"
    answer = phone().create(asked(await pages.get("/sign-in/passkey")).replace('"rpId"', '"user":{"id":""},"rpId"'))
    await pages.post(f"/people/{ann}/passkeys/new", {"key": "k", "name": "thief's", "response": answer}, status=403)

    await pages.get("/sign-in/passkey")
    page = await pages.again()
    await pages.submit("Use my passkey", response=mine.get(asked(page)))
    page = await pages.get(f"/people/{ann}/sign-ins")
    assert "my phone" in page
    assert "thief's" not in page


async def test_what_weighs_most_is_done_once_they_showed_that_it_is_them_with_what_they_had_typed(
    api: Api, pages: Pages, database: Database, link: str, ann: str
) -> None:
    mine = await made(pages, link)
    bob = (await api.person("Bob"))["id"]
    before = Entrance(database, lambda: daytime() - FRESH - timedelta(seconds=1))
    pages.sign_in(old := await before.staff(ann))
    await pages.get(f"/staff/people/{bob}/contact")
    question = await pages.submit("Save", email="bob@example.org", status=403)
    assert question.heading == "Please show once more that it is you"
    assert not question.hard_to_read()
    await pages.get(f"/staff/people/{bob}/contact")
    assert pages.page is not None
    assert pages.page.filled()["email"] == [""], "nothing was written"

    page = await pages.get(question.links["Sign in (opens beside this page)"])
    await pages.submit("Use my passkey", response=mine.get(asked(page)))
    pages.page = question  # it was open beside
    await pages.submit("Send again")
    page = await pages.get(f"/staff/people/{bob}/contact")
    assert page.filled()["email"] == ["bob@example.org"]

    pages.sign_in(old)
    assert (await pages.get("/staff")).heading == "Sign in", "the old sign-in ended with it"


async def test_who_adds_a_passkey_long_after_they_signed_in_shows_one_first(
    pages: Pages, database: Database, link: str, ann: str
) -> None:
    mine = await made(pages, link)
    before = Entrance(database, lambda: daytime() - FRESH - timedelta(seconds=1))
    pages.sign_in(await before.person(ann, Strength.PASSKEY))
    page = await pages.get(f"/people/{ann}/passkeys/new")
    assert page.heading == "Sign in with a passkey"
    assert "Please show once more that it is you." in page
    page = await pages.submit("Use my passkey", response=mine.get(asked(page)))

    assert (page.path, page.heading) == (f"/people/{ann}/passkeys/new", "Add a passkey")


async def test_a_volunteer_is_told_that_they_need_none(pages: Pages, entrance: Entrance, ann: str) -> None:
    pages.sign_in(await entrance.person(ann))
    page = await pages.get(f"/people/{ann}/sign-ins")

    assert "need none for your own pages" in page
    assert "Add a passkey" not in page.links


async def test_with_as_many_as_there_can_be_they_are_told_to_remove_one(pages: Pages, link: str, ann: str) -> None:
    await made(pages, link)
    page = await pages.get(f"/people/{ann}/sign-ins")
    for number in range(1, LIVE_MAX):
        page = await pages.get(f"/people/{ann}/passkeys/new")
        page = await pages.submit("Make this passkey", name=f"key {number}", response=phone().create(asked(page)))

    assert "first remove one" in page
    assert "Add a passkey" not in page.links
    page = await pages.get(f"/people/{ann}/passkeys/new", status=409)
    assert "end one first" in page


# --- in a browser ---------------------------------------------------------------------------------------------


async def test_in_a_browser_a_passkey_is_made_and_signs_in_by_the_keyboard_alone(
    phone: Window, link: str, ann: str
) -> None:
    await phone.authenticator()
    page, hands = await phone.go(link), Hands(phone.page)
    assert not await page.get_by_text("This one can't use it.").is_visible()
    await hands.go("Make my passkey")
    await hands.mend()
    await hands.write("my phone")
    await hands.enter()
    await page.wait_for_url(f"**/people/{ann}")
    await every_size(await phone.go(f"/people/{ann}/sign-ins"))

    await hands.go("Sign out")
    await hands.go("Sign in")
    await hands.go("Sign in with a passkey")
    await hands.go("Use my passkey")
    await page.wait_for_url(f"**/people/{ann}")


async def test_in_a_browser_an_authenticator_that_declines_is_said_on_the_page_and_can_be_asked_again(
    phone: Window, link: str
) -> None:
    await phone.authenticator()  # which knows no passkey yet
    page, hands = await phone.go("/sign-in/passkey"), Hands(phone.page)
    status, button = page.locator("[data-passkey] [role=status]"), page.get_by_role("button", name="Use my passkey")
    await hands.to("Use my passkey")
    for _ in range(2):
        await status.evaluate("status => status.textContent = ''")
        await hands.press("Enter")
        await page.get_by_text("Your phone or computer did not finish.").wait_for()
        assert await button.evaluate("button => document.activeElement === button"), "it keeps the focus"
    assert link


async def test_in_a_browser_without_script_the_page_says_what_else_there_is(no_script: Window, link: str) -> None:
    await no_script.go(link)
    assert await no_script.page.get_by_text("This one can't use it.").is_visible()
    assert not await no_script.page.get_by_role("button", name="Make my passkey").is_visible()
