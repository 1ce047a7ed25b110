"""What is kept about somebody: seen, copied, and erased by themselves alone."""

from typing import Any

import pytest

from tests.doors.house import Api
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> dict[str, Any]:
    """Somebody, who is signed in."""
    body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "channel": "email"}, "age_band": "18_and_over"}
    ann = await api.made("/v1/people", body)
    pages.sign_in(await entrance.person(ann["id"]))
    return ann


async def test_somebody_sees_what_is_known_of_them_and_nothing_that_they_never_gave(
    pages: Pages, ann: dict[str, Any]
) -> None:
    page = await pages.get(f"/people/{ann['id']}/data")

    assert page.terms() == {
        "Name": "Ann Lee",
        "Age": "18 or over",
        "Email": "ann@example.org",
        "We reach you by": "Email",
    }
    assert page.hard_to_read() == []


async def test_a_copy_is_a_file_with_everything(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await api.give(await api.project(), {ann["id"]: 60})
    page = await pages.get(f"/people/{ann['id']}/data")
    file = await pages.file(page.link("Take a copy"))

    assert file.headers["content-type"] == "application/json"
    assert file.headers["content-disposition"].startswith('attachment; filename="time-credits-')
    assert file.headers["cache-control"] == "no-store"
    assert (file.json()["person"]["name"], file.json()["available"]) == ("Ann Lee", 60)


async def test_whoever_looked_is_told_in_plain_words(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    bob = await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance"]})
    async with Pages.of(api) as his:
        his.sign_in(await entrance.person(bob["id"]))
        await his.get(f"/people/{ann['id']}")
    await api.get(f"/v1/people/{ann['id']}/copy")
    page = await pages.get(f"/people/{ann['id']}/data")

    said = [(what, who) for what, who, _when in page.rows("Who looked, and who did something for you")]
    assert said[:3] == [
        ("Read a copy of everything", "Our staff"),
        ("Opened the home page", "Somebody who helps"),
        ("Added a helper", "Our staff"),
    ]
    assert "Bob" not in page


async def test_a_long_list_of_looks_is_read_page_by_page(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    for _ in range(27):
        await api.get(f"/v1/people/{ann['id']}/copy")
    await pages.get(f"/people/{ann['id']}/data")
    first = await pages.click("Everything that was written down")
    second = await pages.click("Older")

    # With that she was made known.
    assert (len(first.rows()), len(second.rows())) == (25, 3)
    assert "Older" not in second.links
    await pages.get(f"/people/{ann['id']}/data/acts?before=AAAA", status=400)


async def test_a_newcomers_page_says_that_nobody_looked(api: Api, pages: Pages, entrance: Entrance) -> None:
    project = await api.project()
    dee = await api.made("/v1/people", {"name": "Dee"}, token=await api.key("project", project))
    pages.sign_in(await entrance.person(dee["id"]))
    assert "Nobody. If somebody else opens your pages" in await pages.get(f"/people/{dee['id']}/data")
    assert "Nobody. If somebody else opens your pages" in await pages.get(f"/people/{dee['id']}/data/acts")


@pytest.mark.parametrize(
    ("choice", "kind"), [("Give them to somebody who needs them", "pot"), ("Let them go", "surrendered")]
)
async def test_erasing_takes_a_tick_and_a_button_and_says_goodbye(
    api: Api, pages: Pages, ann: dict[str, Any], choice: str, kind: str
) -> None:
    await api.give(await api.project(), {ann["id"]: 90})
    page = await pages.get(f"/people/{ann['id']}/data/erase")
    assert "You have 1 credit 30 minutes." in page
    assert "your work here" not in page
    page = await pages.submit("Erase me", give_to=choice, sure=True)

    assert (page.path, page.heading) == ("/goodbye", "Goodbye, and thank you")
    assert not pages.is_somebody
    assert (await api.get(f"/v1/people/{ann['id']}")).status_code == 404
    assert (await api.trial_balance())[kind] == 90
    assert "Sign in" in page.links, "and is shown as to anybody"


async def test_goodbye_is_said_to_whom_was_just_erased_and_to_nobody_else(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    # To nobody before, and to her neither while she is here.
    assert (await pages.get("/goodbye")).path == f"/people/{ann['id']}"
    async with Pages.of(api) as other:
        assert (await other.get("/goodbye")).path == "/"
    fields = {"key": ["goes"], "give_to": ["surrender"], "sure": ["yes"]}
    answer = await pages.sent(f"/people/{ann['id']}/data/erase", fields)
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith("__Host-erased")]
    assert "Max-Age=120;" in cookie, "whoever comes to a shared computer next is not told of it"
    for _ in range(2):
        assert (await pages.get("/goodbye")).heading == "Goodbye, and thank you", "and it can be loaded anew"

    bob = (await api.person("Bob"))["id"]
    pages.sign_in(await entrance.person(bob))
    assert (await pages.get("/goodbye")).path == f"/people/{bob}"


async def test_in_a_browser_goodbye_is_as_pages_are_in_every_shape(api: Api, phone: Window, entrance: Entrance) -> None:
    ann = (await api.person())["id"]
    await phone.sign_in(await entrance.person(ann))
    page = await phone.go(f"/people/{ann}/data/erase")
    await page.locator("[name=sure]").check()
    await page.locator("[name=give_to]").first.check()
    await phone.press("Erase me")
    assert await page.inner_text("h1") == "Goodbye, and thank you"
    await every_size(page)


async def test_without_the_tick_nothing_is_erased_and_what_was_chosen_is_kept(
    api: Api, pages: Pages, ann: dict[str, Any]
) -> None:
    await pages.get(f"/people/{ann['id']}/data/erase")
    page = await pages.submit("Erase me", give_to="Let them go", status=422)

    assert "Please tick this box if you are sure." in page.alert
    assert page.filled()["give_to"] == ["surrender"]
    assert (await api.get(f"/v1/people/{ann['id']}")).status_code == 200


async def test_whoever_works_here_reads_what_ends_with_them_and_the_last_of_the_staff_stays(
    pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    pages.sign_in(await entrance.staff(ann["id"]))
    page = await pages.get(f"/people/{ann['id']}/data/erase")
    assert "your work here, and the tills and kiosks that you set up" in page
    page = await pages.submit("Erase me", sure=True, status=409)
    assert "the last of the scheme's staff" in page.alert


async def test_after_erasing_every_browser_of_theirs_is_nobodys(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    async with Pages.of(api) as other:
        other.sign_in(await entrance.person(ann["id"]))
        await pages.get(f"/people/{ann['id']}/data/erase")
        await pages.submit("Erase me", sure=True)
        page = await other.get(f"/people/{ann['id']}")

    assert page.heading == "Sign in"


async def test_they_are_for_nobody_else_not_even_a_helper(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    bob = await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance", "book", "claim"]})
    pages.sign_in(await entrance.person(bob["id"]))
    base = f"/people/{ann['id']}/data"
    for path in (base, f"{base}/acts", f"{base}/erase"):
        await pages.get(path, status=404)
    await pages.file(f"{base}/copy", status=404)
    await pages.post(f"{base}/erase", {"key": "one", "give_to": "community", "sure": "yes"}, status=404)
    await pages.post(f"{base}/erase", {"key": "two", "give_to": "community"}, status=404)

    assert (await api.get(f"/v1/people/{ann['id']}")).status_code == 200
