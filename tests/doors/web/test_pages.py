"""What all pages have: what was done is said to who did it, the choice of language, and where a form comes from."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from playwright.async_api import Browser

from ledger.database import Database
from ledger.doors.web.places import navigation
from ledger.scheme.roles import Held, Role
from ledger.scheme.sign_ins import Present, Strength
from tests.daytime import daytime
from tests.doors.house import Api, settings_for
from tests.doors.web.browser import PHONE, Window, listening, served
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance

DONE = "Your new passkey works from now on."


@pytest.mark.parametrize(
    ("came", "is_said"),
    [
        ({"sec-fetch-site": "same-origin"}, True),  # as the answer to a form leads on
        ({"sec-fetch-site": "none"}, False),  # typed, or out of a letter
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "referer": f"{URL}/sign-in"}, False),
        # Browsers that don't say the site
        ({"referer": f"{URL}/sign-in"}, True),
        ({"referer": "https://evil.example/"}, False),
        ({"referer": "null"}, False),
        ({}, False),
    ],
)
async def test_that_something_was_done_is_said_only_where_our_own_page_leads(
    pages: Pages,
    came: dict[str, str],
    is_said: bool,  # noqa: FBT001  # of the table
) -> None:
    answer = await pages.client.get("/how-it-works?done=passkey_added", headers=came)

    assert (DONE in answer.text) is is_said


async def test_in_another_language_the_page_is_the_same_with_all_that_was_asked_of_it(pages: Pages) -> None:
    await pages.get("/spend?q=swim&today=yes&done=saved")
    page = await pages.submit("Cymraeg")

    assert page.path == "/spend?q=swim&today=yes"
    assert page.html.all("html")[0].get("lang") == "cy"


async def test_the_language_is_not_chosen_on_the_answer_to_a_form_which_would_lose_what_was_typed(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann = (await api.person())["id"]
    pages.sign_in(await entrance.person(ann))
    path = f"/people/{ann}/data/erase"
    assert "Cymraeg" in (await pages.get(path)).buttons
    assert "Cymraeg" not in (await pages.submit(path, status=422)).buttons
    pages.sign_in("nobody")
    page = await pages.submit(path, status=401)
    assert "Nothing is lost" in page
    assert "Cymraeg" not in page.buttons


async def test_what_is_kept_until_somebody_has_signed_in_again_goes_to_where_it_was_sent(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    """With the query; and without a key, where the form had none."""
    ann = (await api.person())["id"]
    path = f"/people/{ann}/sign-ins/end?from=here"
    page = await pages.post(path, {"words": "as they were typed"}, status=401)
    [form] = [each for each in page.html.all("form") if each.get("action") == path]
    assert page.filled(form.get("action"))["words"] == ["as they were typed"]
    pages.sign_in(await entrance.person(ann))
    assert (await pages.submit("Send again")).path != path


Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def test_in_an_old_browser_that_does_not_say_the_site_our_forms_are_heard(
    dsn: str, database: Database, browser: Browser
) -> None:
    """By the `Origin` that it says itself, and so by what our pages let it say of where it comes from."""
    with listening() as listener:
        url = f"http://localhost:{listener.getsockname()[1]}"
        async with Api.running(dsn, settings=msgspec.structs.replace(settings_for(dsn), public_url=url)) as api:
            application = api.application
            origins: list[str] = []

            async def old(scope: MutableMapping[str, Any], receive: Receive, send: object) -> None:
                headers = [each for each in scope["headers"] if not each[0].startswith(b"sec-fetch-")]
                origins.extend(value.decode() for name, value in headers if name == b"origin")
                await application({**scope, "headers": headers}, receive, send)

            ann = (await api.person())["id"]
            async with served(old, listener), Window.opened(browser, url, PHONE, script=False) as window:
                await window.sign_in(await Entrance(database, daytime).person(ann))
                await window.go(f"/people/{ann}")
                await window.press("Sign out")
                assert await window.page.get_by_text("You are signed out.").is_visible()
            assert origins == [url]


SHED, BAKERY = UUID(int=1), UUID(int=2)
ROLES = (
    Held(id=UUID(int=11), role=Role.COORDINATOR, project=SHED, place="Shed"),
    Held(id=UUID(int=12), role=Role.APPROVER, project=SHED, place="Shed's hours"),
    Held(id=UUID(int=13), role=Role.APPROVER, project=BAKERY, place="Bakery"),
    Held(id=UUID(int=14), role=Role.STAFF),
)


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/do", "Give time"),
        ("/do/1", "Give time"),
        (f"/projects/{SHED}", "Shed"),
        (f"/projects/{SHED}/people", "Shed"),
        (f"/projects/{SHED}/approvals", "Shed's hours"),
        (f"/projects/{BAKERY}/approvals", "Bakery"),
        (f"/projects/{BAKERY}/claims/1", "Bakery"),
        ("/staff/venues", "The office"),
        ("/groups/1", "The office"),
        ("/privacy", None),
    ],
)
def test_the_navigation_marks_where_somebody_is(path: str, marked: str | None) -> None:
    present = Present(
        sign_in=UUID(int=3),
        strength=Strength.PASSKEY,
        holder=UUID(int=4),
        person=UUID(int=5),
        name="Ann",
        roles=ROLES,
        device=None,
        device_name=None,
        venue=None,
        site=None,
        project=None,
        locked_until=None,
    )
    assert [place.label for place in navigation(present, path, str) if place.is_current] == ([marked] if marked else [])
