"""Signing in by a letter: by its link or its code, once, in the browser that asked; and out again."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
from playwright.async_api import Page as Tab

from ledger.app import serving
from ledger.database import Database, driver
from ledger.doors.web.refused import plain_path
from ledger.scheme.clock import LONDON
from ledger.scheme.letters import Letters
from ledger.scheme.one_time import LETTERS_TO
from ledger.scheme.sign_ins import SHARED, Strength, begin
from tests.daytime import daytime
from tests.doors.house import Api, settings_for
from tests.doors.web.browser import Window, every_size
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.hands import Hands


@pytest.fixture
async def ann(api: Api) -> str:
    """Somebody whose address is known."""
    body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "safe": True}}
    return str((await api.made("/v1/people", body))["id"])


async def asked(pages: Pages, database: Database, *, first: str = "/sign-in") -> tuple[str, str]:
    """Ask for a letter, wait until it is there, and read the link's path and the code from it."""
    await pages.get(first)
    page = await pages.submit("Send me the link", email="Ann@example.org")
    assert page.heading == "Look in your mail"
    return await came(database)


async def came(database: Database) -> tuple[str, str]:
    """The same of the letter that comes."""
    letters = Letters(database, daytime)
    while not (latest := await letters.latest(1)):
        pass
    body = latest[0].body
    link = re.search(r"https?://localhost(?::\d+)?(/sign-in/\S+)", body)
    code = re.search(r"\b\w{4}-\w{4}-\w{3}\b", body)
    assert link is not None, body
    assert code is not None, body
    return link[1], code[0]


async def test_behind_a_proxy_that_is_named_each_network_is_counted_and_nobody_elses_word_is_taken(
    dsn: str, owner: asyncpg.Connection
) -> None:
    settings = msgspec.structs.replace(settings_for(dsn), public_url=URL, trusted_proxies=("10.0.0.0/8",))
    asks = [
        ("10.0.0.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1"),  # what whoever asks says is not what the proxy says
        ("10.0.0.1", "192.0.2.2, 10.0.0.2"),
        ("198.51.100.1", "192.0.2.3"),
        ("198.51.100.1", "192.0.2.4"),
    ]
    async with serving(settings, dsn, tested=True) as app:
        for peer, forwarded in asks:
            transport = httpx.ASGITransport(app, client=(peer, 1234))
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                answer = await client.post(
                    "/sign-in",
                    data={"key": "k", "email": "nobody@example.org"},
                    headers={"x-forwarded-for": forwarded, "sec-fetch-site": "same-origin"},
                )
                assert answer.headers["location"] == "/sign-in/code"
    rows = await owner.fetch("SELECT count FROM scheme.attempt WHERE what = 'letter_from' ORDER BY count")
    assert [row["count"] for row in rows] == [1, 2, 2], "192.0.2.2, 192.0.2.1, and the peer who is no proxy of ours"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("way", ["link", "code"])
async def test_somebody_signs_in_by_the_link_or_by_the_code_also_on_a_shared_computer(
    *, pages: Pages, database: Database, ann: str, way: str, shared: bool
) -> None:
    link, code = await asked(pages, database)
    typed: dict[str, Any] = {"shared": True} if shared else {}
    if way == "link":
        page = await pages.get(link)
    else:
        page = await pages.get("/sign-in/code")
        typed["code"] = code.lower().replace("-", " ")
    assert "This is a shared computer" in page
    assert f"signed out when the browser is closed, or after {SHARED.unused // timedelta(minutes=1)} minutes" in page
    page = await pages.submit("Sign in", typed)

    assert page.path == f"/people/{ann}"
    assert "Ann Lee" in page.answer.text
    [begun] = [each for each in pages.client.cookies.jar if each.name == "__Host-sign-in"]
    assert begun.expires is None if shared else begun.expires is not None, "the cookie ends with the browser"
    [row] = (await pages.get(f"/people/{ann}/sign-ins")).rows()
    assert row[0] == ("By a link or code, on a shared computer (here)" if shared else "By a link or code (here)")


async def test_whoever_was_on_their_way_to_a_page_gets_there(pages: Pages, database: Database, ann: str) -> None:
    link, _ = await asked(pages, database, first=f"/people/{ann}/preferences")
    await pages.get(link)
    page = await pages.submit("Sign in")

    assert page.path == f"/people/{ann}/preferences"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", ""]
)
async def test_nobody_is_sent_to_another_site(pages: Pages, database: Database, ann: str, elsewhere: str) -> None:
    link, _ = await asked(pages, database, first=f"/sign-in?next={elsewhere}")
    await pages.get(link)
    page = await pages.submit("Sign in")

    assert page.path == f"/people/{ann}"


async def test_looking_at_a_link_does_not_use_it_up_and_using_it_does(
    pages: Pages, database: Database, ann: str
) -> None:
    link, code = await asked(pages, database)
    for _ in range(3):
        await pages.get(link)
    await pages.submit("Sign in")

    assert (await pages.get(link, status=410)).heading == "This link is over"
    assert ann in (await pages.get("/")).path
    await pages.get("/sign-in/code")
    page = await pages.submit("Sign in", code=code, status=410)
    assert "ask for another" in page.alert


async def test_a_link_opened_in_another_browser_signs_nobody_in(
    api: Api, pages: Pages, database: Database, ann: str
) -> None:
    link, _ = await asked(pages, database)
    async with Pages.of(api) as other:
        assert (await other.get(link, status=410)).heading == "This link is over"
        page = await other.post(link, {"key": "k"}, status=410)
        assert page.heading == "This link is over"
        assert not other.is_somebody
    await pages.get(link)
    assert (await pages.submit("Sign in")).path == f"/people/{ann}"


async def test_an_address_that_nobody_has_gets_the_same_page_and_no_letter(
    pages: Pages, database: Database, ann: str
) -> None:
    await pages.get("/sign-in")
    unknown = await pages.submit("Send me the link", email="nobody@example.org")
    link, _ = await asked(pages, database)  # the next one's letter is the first there is

    assert unknown.heading == "Look in your mail"
    assert len(await Letters(database, daytime).latest(10)) == 1
    assert (link, ann) != ("", "")


@pytest.mark.parametrize(
    "typed", ["", "ann", "ann@", "ann@example.org@", "a nn@example.org", "x" * 250 + "@example.org"]
)
async def test_what_is_no_address_is_said_at_the_field(pages: Pages, typed: str) -> None:
    await pages.get("/sign-in")
    page = await pages.submit("Send me the link", email=typed, status=422)

    assert page.alert


async def test_a_new_sign_in_has_a_new_cookie_and_ends_the_one_before(
    pages: Pages, database: Database, entrance: Entrance, ann: str
) -> None:
    before = await entrance.person(ann)
    pages.sign_in(before)
    link, _ = await asked(pages, database)
    await pages.get(link)
    await pages.submit("Sign in")
    after = pages.client.cookies["__Host-sign-in"]

    assert after != before
    pages.sign_in(before)
    assert (await pages.get(f"/people/{ann}")).heading == "Sign in"


async def test_after_signing_out_the_cookie_is_worth_nothing(pages: Pages, entrance: Entrance, ann: str) -> None:
    token = await entrance.person(ann)
    pages.sign_in(token)
    await pages.get(f"/people/{ann}")
    page = await pages.submit("Sign out")

    assert (page.path.partition("?")[0], pages.is_somebody) == ("/", False)
    assert "You are signed out." in page
    pages.sign_in(token)
    assert (await pages.get(f"/people/{ann}")).heading == "Sign in"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
async def test_a_form_from_elsewhere_is_not_heard(pages: Pages, entrance: Entrance, ann: str, site: str) -> None:
    pages.sign_in(await entrance.person(ann))
    await pages.post("/sign-out", {}, status=403, site=site)

    assert (await pages.get(f"/people/{ann}")).path == f"/people/{ann}"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://localhost", 303),
        ("https://evil.example", 403),
        ("null", 403),
        ("https://localhost.evil.example", 403),
        (None, 403),
    ],
)
async def test_a_browser_that_does_not_say_the_site_is_known_by_the_origin(
    pages: Pages, origin: str | None, status: int
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", **({"origin": origin} if origin else {})}
    answer = await pages.client.post("/sign-out", headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/people/1/claims?before=a", "/people/1/claims?before=a"),
        ("/", "/"),
        ("", "/"),
        ("people", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("/\u3002evil.example", "/"),
        ("/caf\u00e9", "/"),
    ],
)
def test_where_somebody_goes_on_is_a_path_of_this_site(wanted: str, path: str) -> None:
    assert plain_path(wanted) == path


# --- what nobody learns by asking -----------------------------------------------------------------------------


async def test_the_same_is_answered_whether_the_address_is_known_or_not(api: Api, ann: str) -> None:
    answers = []
    for email in ("ann@example.org", "nobody@example.org"):
        async with Pages.of(api) as pages:
            await pages.get("/sign-in")
            page = await pages.submit("Send me the link", email=email)
            headers = {name: value for name, value in page.answer.headers.items() if name != "x-request-id"}
            answers.append((page.status, page.path, headers, re.sub(r'name="key" value="[^"]+"', "", page.answer.text)))

    assert answers[0] == answers[1]
    assert ann not in answers[0][3]


async def test_a_code_that_was_never_sent_is_answered_as_one_that_was_and_is_wrong(api: Api, ann: str) -> None:
    answers = []
    for email in ("ann@example.org", "nobody@example.org"):
        async with Pages.of(api) as pages:
            await pages.get("/sign-in")
            await pages.submit("Send me the link", email=email)
            page = await pages.submit("Sign in", code="0000-0000-000", status=410)
            answers.append(page.text)

    assert answers[0] == answers[1]
    assert ann not in answers[0]


async def test_whoever_asks_too_often_sees_the_same_page_and_no_more_letters_come(dsn: str, database: Database) -> None:
    now = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    settings = msgspec.structs.replace(settings_for(dsn), public_url=URL)
    async with Api.running(dsn, clock=lambda: now, settings=settings) as api, Pages.of(api) as pages:
        for name in ("ann", "bob"):
            contact = {"email": f"{name}@example.org", "safe": True}
            await api.made("/v1/people", {"name": name, "contact": contact})
        seen = set()
        # They are written one after the other: when the last one's has come, no other is on its way.
        for email in [*["ann@example.org"] * (LETTERS_TO + 1), "bob@example.org"]:
            await pages.get("/sign-in")
            page = await pages.submit("Send me the link", email=email)
            seen.add((page.status, page.path, page.text))
        letters = Letters(database, lambda: now)
        while not (sent := [each.recipient for each in await letters.latest(50)]).count("bob@example.org"):
            pass

    assert len(seen) == 1
    assert sent.count("ann@example.org") == LETTERS_TO


# --- while a form is open -------------------------------------------------------------------------------------


async def told(api: Api) -> dict[str, Any]:
    """What somebody types who tells of yesterday's hours."""
    await api.project()
    day = (daytime().astimezone(LONDON) - timedelta(days=1)).date()
    return {
        "started_at_day": day.isoformat(),
        "started_at_time": "10:00",
        "project": "Saturdays",
        "minutes_hours": "2",
        "minutes_minutes": "40",
        "note": 'I mended a lamp, "carefully" & well.',
    }


async def test_what_was_typed_is_kept_when_the_sign_in_on_a_shared_computer_has_ended_meanwhile(
    dsn: str, database: Database
) -> None:
    now = daytime()
    settings = msgspec.structs.replace(settings_for(dsn), public_url=URL)
    async with Api.running(dsn, clock=lambda: now, settings=settings) as api, Pages.of(api) as pages:
        ann = await api.person()

        async def come_in() -> None:
            async with database.transaction() as connection:
                holder = UUID(ann["holder"])
                pages.sign_in(await begin(driver(connection), Strength.LINK, now, holder=holder, shared=True))

        fields = await told(api)
        await come_in()
        await pages.get(f"/people/{ann['id']}/claims/new")
        # What an open page fetches by itself keeps nobody signed in who has gone.
        now += SHARED.unused / 2
        await pages.client.get(f"/people/{ann['id']}/pass", headers={"sec-fetch-dest": "empty"})
        now += SHARED.unused / 2
        page = await pages.submit("Go on", fields, status=401)
        assert page.heading == "Please sign in once more"
        assert "Nothing is lost" in page.alert
        assert not page.hard_to_read()

        await come_in()
        page = await pages.submit("Send again")
        assert page.heading == "Is this right?"
        await pages.submit("Send it")
        [claim] = (await api.get(f"/v1/people/{ann['id']}/claims")).json()["claims"]
        assert claim["minutes"] == 165
        assert fields["note"] in await pages.get(f"/people/{ann['id']}/claims/{claim['id']}")


async def test_in_a_browser_somebody_signs_in_beside_the_form_and_sends_it_again(
    api: Api, phone: Window, entrance: Entrance, database: Database, ann: str
) -> None:
    fields = await told(api)
    await phone.sign_in(await entrance.person(ann))
    await phone.go(f"/people/{ann}/claims/new")
    page = phone.page
    for name, value in fields.items():
        field = page.locator(f"[name={name}]")
        if await field.evaluate("field => field.tagName") == "SELECT":
            await field.select_option(label=value)
        else:
            await field.fill(value)
    await phone.context.clear_cookies()
    await phone.press("Go on")
    await every_size(page)
    async with phone.context.expect_page() as opening:
        await page.get_by_role("link", name="Sign in (opens beside this page)").click()
    beside = await opening.value
    await _by_code(beside, database)
    await beside.close()

    await phone.press("Send again")
    assert await page.get_by_role("heading", level=1).inner_text() == "Is this right?"
    assert await page.get_by_text("2 hours 40 becomes 2 hours 45.").is_visible()


async def _by_code(tab: Tab, database: Database) -> None:
    await tab.get_by_label("Your email address").fill("ann@example.org")
    await tab.get_by_role("button", name="Send me the link").click()
    await tab.wait_for_url("**/sign-in/code")
    _, code = await came(database)
    await tab.get_by_label("The code from the email").fill(code)
    await tab.get_by_role("button", name="Sign in", exact=True).click()
    await tab.wait_for_url("**/people/*")


async def _by_link(window: Window, database: Database, ann: str) -> None:
    hands = Hands(await window.go(f"/people/{ann}/preferences"))
    await hands.type("Your email address", "ann@example.org")
    await hands.go("Send me the link")
    link, _ = await came(database)
    await window.go(link)
    await hands.skip()
    await hands.go("Sign in")
    assert window.page.url.endswith(f"/people/{ann}/preferences")


async def test_in_a_browser_somebody_signs_in_by_the_link(phone: Window, database: Database, ann: str) -> None:
    await _by_link(phone, database, ann)


async def test_without_script_somebody_signs_in_by_the_link(no_script: Window, database: Database, ann: str) -> None:
    await _by_link(no_script, database, ann)
