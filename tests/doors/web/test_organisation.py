"""Signing in by the organisation: through the running service, with a provider as others run it and one that lies."""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
import pytest
from playwright.async_api import Browser

from ledger.database import Database
from ledger.doors.web.organisation import BACK
from ledger.scheme.clock import system_clock
from tests.doors.house import Api, settings_for
from tests.doors.web.browser import SHAPES, Window, every_size, listening, served
from tests.doors.web.client import URL, Page, Pages, cookie_at
from tests.doors.web.entrance import Entrance
from tests.doors.web.provider import CLIENT, SECRET, Provider, consented, in_a_process


class Site(NamedTuple):
    """A service with an organisation's sign-in, and a browser at it; Ann coordinates a project there."""

    api: Api
    pages: Pages
    ann: str
    project: str

    async def begun(self, pages: Pages | None = None) -> str:
        """Where the browser is sent by the link."""
        headers = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
        answer = await (pages or self.pages).client.get("/sign-in/organisation", headers=headers)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def back(self, query: Mapping[str, str], *, status: int = 200, pages: Pages | None = None) -> Page:
        """The page where somebody ends who is sent back with that."""
        return await (pages or self.pages).get(f"{BACK}?{urlencode(query)}", status=status)


async def _site(dsn: str, database: Database, issuer: str) -> AsyncIterator[Site]:
    settings = msgspec.structs.replace(
        settings_for(dsn), public_url=URL, oidc_issuer=issuer, oidc_client=CLIENT, oidc_secret=SECRET
    )
    # Its provider asks the machine's clock.
    async with Api.running(dsn, clock=system_clock, settings=settings) as api, Pages.of(api) as pages:
        body = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "safe": True}}
        ann, project = str((await api.made("/v1/people", body))["id"]), await api.project()
        await Entrance(database, system_clock).coordinator(project, ann)
        yield Site(api, pages, ann, project)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider.running() as running:
        yield running


@pytest.fixture
async def site(dsn: str, database: Database, provider: Provider) -> AsyncIterator[Site]:
    async for each in _site(dsn, database, provider.issuer):
        yield each


@pytest.fixture
async def real_site(dsn: str, database: Database) -> AsyncIterator[Site]:
    """One with a provider in a process of its own."""
    async with in_a_process() as issuer:
        async for each in _site(dsn, database, issuer):
            yield each


async def test_somebody_signs_in_by_their_organisation_where_they_were_going(real_site: Site) -> None:
    site, wanted = real_site, f"/projects/{real_site.project}"
    page = await site.pages.get(wanted)
    assert page.links["Sign in with your organisation"] == "/sign-in/organisation"
    address = await site.begun()
    assert dict(parse_qsl(urlsplit(address).query))["redirect_uri"] == URL + BACK
    page = await site.back(await consented(address))

    assert page.path == wanted, "a coordinator's page: it is as good as a passkey"
    page = await site.pages.get(f"/people/{site.ann}/sign-ins")
    assert page.rows("Where you are signed in")[0][0] == "Through your organisation (here)"


async def test_coming_back_a_second_time_signs_nobody_in(real_site: Site) -> None:
    back = await consented(await real_site.begun())
    await real_site.back(back)
    await real_site.pages.submit("Sign out")
    page = await real_site.back(back, status=403)

    assert page.heading == "Your organisation's sign-in did not work"
    assert {"Start again", "Sign in another way"} <= page.links.keys()
    assert not real_site.pages.is_somebody


LIES: dict[str, dict[str, str]] = {
    "another state": {"state": "another"},
    "no state": {"state": ""},
    "no code": {"code": ""},
    "a code that nobody gave": {"code": "another"},
    "an answer for another": {"iss": "https://evil.example"},
    "that they declined": {"error": "access_denied"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_is_not_the_answer_signs_nobody_in(site: Site, provider: Provider, lie: dict[str, str]) -> None:
    page = await site.back({**provider.consent(await site.begun()), **lie}, status=403)

    assert page.heading == "Your organisation's sign-in did not work"
    assert not site.pages.is_somebody


@pytest.mark.parametrize("query", ["", "?state=", "?code=a&state=b", "?error=server_error", "?state=" + "s" * 3_000])
async def test_who_comes_back_without_having_gone_is_not_signed_in(site: Site, query: str) -> None:
    page = await site.pages.get(BACK + query, status=403)

    assert "please start again" in page
    assert not site.pages.is_somebody


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
async def test_a_link_on_another_site_begins_nothing_and_shows_the_way_in(
    site: Site, provider: Provider, where: str
) -> None:
    headers = {"sec-fetch-site": where, "sec-fetch-mode": "navigate"}
    wanted = f"/projects/{site.project}"
    answer = await site.pages.client.get(f"/sign-in/organisation?next={wanted}", headers=headers)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={quote(wanted)}")
    assert not answer.headers.get_list("set-cookie")
    assert provider.calls == []
    page = await site.pages.get(answer.headers["location"])
    assert page.links["Sign in with your organisation"] == "/sign-in/organisation"
    page = await site.back(provider.consent(await site.begun()))
    assert page.path == wanted


@pytest.mark.parametrize("said", [{}, {"sec-fetch-site": "none"}], ids=["an old browser", "a bookmark"])
async def test_who_comes_by_no_link_of_another_site_goes_straight_on(site: Site, said: dict[str, str]) -> None:
    answer = await site.pages.client.get("/sign-in/organisation", headers=said)
    assert "code_challenge" in answer.headers["location"]


async def test_in_a_browser_another_sites_link_ends_at_the_page_to_sign_in_and_its_own_goes_on(
    site: Site, provider: Provider, browser: Browser
) -> None:
    with listening() as listener:
        async with served(site.api.application, listener) as base, await browser.new_context() as context:
            page = await context.new_page()
            await page.goto(f'data:text/html,<a href="{base}/sign-in/organisation">Win</a>')
            await page.click("text=Win")
            await page.wait_for_url(f"{base}/sign-in")
            assert provider.calls == []
            async with page.expect_request(f"{provider.issuer}/authorize?**"):
                await page.click("text=Sign in with your organisation")


async def test_in_a_browser_what_did_not_work_is_as_pages_are_in_every_shape(site: Site, browser: Browser) -> None:
    with listening() as listener:
        async with served(site.api.application, listener) as base, Window.opened(browser, base) as window:
            page = await window.go(BACK, status=403)
            assert await page.inner_text("h1") == "Your organisation's sign-in did not work"
            await every_size(page, further=SHAPES)


async def test_at_a_till_it_is_not_gone_there_nor_taken_back_from(
    site: Site, database: Database, provider: Provider
) -> None:
    back = provider.consent(await site.begun())
    token = await Entrance(database, system_clock).till(await site.api.venue())
    site.pages.sign_in(token)
    assert (await site.pages.get("/sign-in/organisation", status=403)).heading == "This is a till"
    assert (await site.back(back, status=403)).heading == "This is a till"
    assert site.pages.client.cookies[cookie_at(URL)] == token

    del site.pages.client.cookies[cookie_at(URL)]
    await site.back(back)
    assert site.pages.is_somebody, "and the way was still open"


async def test_an_answer_that_is_given_to_another_browser_signs_nobody_in_there(site: Site, provider: Provider) -> None:
    back = provider.consent(await site.begun())
    async with Pages.of(site.api) as other:
        await site.begun(other)
        await site.back(back, status=403, pages=other)
        assert not other.is_somebody
    await site.back(back)
    assert site.pages.is_somebody


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another"}, {"exp": 1_700_000_000}, {"email": "bob@example.org"}],
    ids=["another nonce", "for another", "over", "somebody we don't know"],
)
async def test_what_the_organisation_does_not_say_of_ann_signs_nobody_in(
    site: Site, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims |= claims
    page = await site.back(provider.consent(await site.begun()), status=403)

    assert page.heading == "Your organisation's sign-in did not work"
    assert not site.pages.is_somebody


async def test_who_only_volunteers_is_not_signed_in_by_their_organisation(site: Site, provider: Provider) -> None:
    await site.api.made("/v1/people", {"name": "Vi", "contact": {"email": "vi@example.org", "safe": True}})
    provider.claims |= {"email": "vi@example.org"}
    page = await site.back(provider.consent(await site.begun()), status=403)

    assert "ask the office" in page


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
async def test_a_provider_that_is_away_is_said_so_on_the_way_there(site: Site, provider: Provider, path: str) -> None:
    provider.answers[path] = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    page = await site.pages.get("/sign-in/organisation", status=503)

    assert "try again in a minute" in page
    assert "Sign in another way" in page.links


async def test_a_provider_that_goes_away_meanwhile_is_said_so_on_the_way_back(site: Site, provider: Provider) -> None:
    back = provider.consent(await site.begun())
    provider.answers["/token"] = b"HTTP/1.1 502 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    page = await site.back(back, status=503)

    assert "can't be reached" in page
    assert not site.pages.is_somebody


async def test_where_no_organisation_is_set_there_is_no_such_way(pages: Pages) -> None:
    page = await pages.get("/sign-in")
    assert "Sign in with your organisation" not in page.links
    for path in ("/sign-in/organisation", BACK):
        await pages.get(path, status=410 if path.count("/") == 2 else 404)
