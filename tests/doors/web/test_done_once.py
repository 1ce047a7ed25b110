"""Every form of every page: refused, mended, done, and done once.

The forms are those that the pages have, filled in as somebody would who does what the page says is missing; so a form
that is added is in here by itself. Each goes one way:

    sent by somebody whose sign-in is over -> a page that keeps it all -> signed in again, and sent from there
                                           -> at a till or a kiosk, a page that keeps nothing: it was a visitor's code
    with something wrong in it -> the summary leads to each field that is named, and all that was typed stands there
    mended on that page, as often as it says something -> done
    the same bytes once more, a double click, or Back and send again -> answered as the first time, and nothing is done

`ways.py` says what is typed where a form wants something of its own, which forms can't go all of that way, and which
are sent elsewhere; each with the reason. The routes are the application's: a new one whose form isn't met here fails.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from html import unescape
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest

from ledger.database import Database
from ledger.doors.web.access import Who
from ledger.journal.entries import new_key
from ledger.scheme.sign_ins import Strength
from tests.conftest import Postgres
from tests.daytime import daytime
from tests.doors.house import Api, settings_for, written
from tests.doors.web import checks
from tests.doors.web.browser import Window
from tests.doors.web.checks import Html, said
from tests.doors.web.client import URL, Page, Pages, cookie_at
from tests.doors.web.conftest import County
from tests.doors.web.entrance import Entrance
from tests.doors.web.places import PLACES, Place, address
from tests.doors.web.sheets import Sheet, Values, sheets
from tests.doors.web.test_access import routes_of
from tests.doors.web.ways import ELSEWHERE, EMAIL, LEADS_ON, NEVER_REFUSED, OTHERWISE, TYPED, WAYS, Way, mailed, scenery
from tests.scheme.authenticator import Authenticator

# Without which other forms have nothing left to be about: these come last, in this order.
LAST: Final = (
    *("/staff/people/{person:uuid}/bookings", "/query", "/absent", "/withdraw", "/reject", "/approve", "/edit"),
    *("/close", "/cancel", "/refund", "/block", "/revoke", "/status/"),
    *("/passkeys/new", "/sign-in/", "/recovery", "/sign-out", "/recoveries", "/leave", "/end", "/erase"),
)
# Where two rows tell of two requests, and nobody has more by it: who was let in, what was tried, read or set again.
TOLD: Final = frozenset({"scheme.sign_in", "scheme.challenge", "scheme.wrong_code", "scheme.act"})
REFUSED: Final = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT})
TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.SEE_OTHER})
# What looking at a page, or trying, leaves: who saw whom, and what was refused, and under which key.
TRIED: Final = frozenset(
    {
        *("scheme.act", "scheme.contact", "scheme.wrong_code", "scheme.challenge", "scheme.attempt", "scheme.answer"),
        *("journal.head", "journal.refusal", "journal.refusal_detail"),
    }
)
Tables = Mapping[str, tuple[int, int]]
DEVICES: Final = frozenset({Who.TILL, Who.KIOSK})
# As often as a page may say that something is missing still.
TRIES: Final = 5
STEPS: Final = 3


class Desk:
    """Sends forms, and remembers what became of them."""

    def __init__(
        self, county: County, owner: asyncpg.Connection, known: Mapping[str, str], phone: Authenticator
    ) -> None:
        self.county = county
        self.known = dict(known)
        self.who: dict[str, tuple[Who, ...]] = {}
        """Who may send each route's form."""
        self.met: set[str] = set()
        """The routes whose forms were found."""
        self.filled: set[str] = set()
        """The routes whose forms have a field."""
        self.kept: set[str] = set()
        """The routes whose form was kept while somebody signed in again."""
        self.refused: set[str] = set()
        """The routes that said what was wrong."""
        self.done: set[str] = set()
        """The routes that did, or showed, what they were asked."""
        self.faults: list[str] = []
        self._owner = owner
        self._phone = phone

    @asynccontextmanager
    async def opened(self, way: Way, *, anew: bool = False) -> AsyncIterator[tuple[Pages, list[Sheet]]]:
        """A page as it is now, for whom it is, and the forms there."""
        async with Pages.of(self.county.api, url=self.county.url) as pages:
            if token := await self._token(way.who, anew=anew):
                pages.sign_in(token)

            async def read(path: str) -> Html:
                return Html((await pages.client.get(path, follow_redirects=True)).text)

            async def links(path: str) -> Iterable[str]:
                answer = await pages.client.get(path, follow_redirects=True)
                return map(unescape, re.findall(r'<a [^>]*href="([^"]*)"', answer.text))

            if way.mailed:
                await pages.sent("/sign-in", {"key": [new_key()], "email": [EMAIL]})
                self.known |= await mailed(self.county.entrance.database, after=self.known["link"])
            path = await address(way.path, self.known, links) if isinstance(way.path, Place) else way.path
            there = sheets(await read(path.format_map(self.known)))
            yield pages, [each for each in there if each.action.endswith(way.sends)]

    async def _token(self, who: str, *, anew: bool) -> str:
        if who == Who.SURELY:
            return await self.county.entrance.person(self.known["person"], Strength.PASSKEY)
        if who == Who.PERSON and anew:  # whom another form may have signed out everywhere
            return await self.county.entrance.person(self.known["person"])
        return await self.county.token(who)

    @staticmethod
    def route(pages: Pages, sheet: Sheet) -> str:
        """The template of where it is sent."""
        return pages.route("POST", urlsplit(sheet.action).path) or sheet.action

    async def send(self, pages: Pages, sheet: Sheet, step: int = 1) -> None:
        """Send it all the way; and so what the answer asks, if it asks whether that is right."""
        route = self.route(pages, sheet)
        self.met.add(route)
        if sheet.fields:
            self.filled.add(route)
        before = await written(self._owner)
        values, answer = await self._mended(pages, sheet, before)
        after = await self._once(pages, sheet, values, answer)
        if answer.status_code not in TAKEN:
            self._fault(route, f"is not done, but {Page(answer)!r}"[:500])
            return
        self.done.add(route)
        if route in LEADS_ON:
            answer = await pages.client.get(answer.headers["location"])
        if answer.status_code == HTTPStatus.OK and step < STEPS and not grown(before, after):
            asked = {self.route(pages, each): each for each in reversed([*sheets(Html(answer.text))])}
            for other, each in asked.items():  # the first of those that lead to the same
                if other not in self.met or (other == route and not each.fields):
                    await self.send(pages, each, step + 1)

    async def _mended(self, pages: Pages, sheet: Sheet, before: Tables) -> tuple[Values, httpx.Response]:
        """Send it too late, then with something wrong, and then as often as its page says that something is missing.

        Returns what was sent at last, and the answer.
        """
        route, spoilt = self.route(pages, sheet), sheet.spoilt
        wanted = self._wanted(route, sheet)
        if spoilt is not None and "response" in wanted:  # a passkey's, which nobody types
            spoilt["response"] = wanted["response"]
        values = await self._signed_out_meanwhile(pages, sheet, spoilt or wanted, before)
        answer = await pages.sent(sheet.action, values)
        for nth in range(TRIES):
            if answer.status_code not in REFUSED or not sheet.fields:
                break
            if changed := different(before, await written(self._owner)) - TRIED:
                self._fault(route, f"refused it with {answer.status_code}, and wrote to {changed}")
            if (shown := self._told(route, sheet, values, answer)) is None:
                break
            # First as it stood before, with what goes unseen with the form as it is shown now.
            unseen = {name: each for name, each in shown.values.items() if name not in sheet.names}
            is_spoilt = nth == 0 and spoilt is not None
            values = sheet.seen(wanted) | unseen if is_spoilt else shown.put_right(nth)
            answer = await pages.sent(sheet.action, values)
        return values, answer

    def _wanted(self, route: str, sheet: Sheet) -> Values:
        """What somebody means who fills it in; but for what the page has to ask for."""
        values = sheet.values
        for name, says in TYPED.get(route, {}).items():
            if name in sheet.names:
                values[name] = [says.format_map(self.known)]
        kind = sheet.form.get("data-passkey")
        if kind is not None:
            asked = sheet.form.attrib["data-options"]
            new = Authenticator(origin=self.county.url, rp_id="localhost")
            values["response"] = [new.create(asked) if kind == "create" else self._phone.get(asked)]
        return values

    async def _signed_out_meanwhile(self, pages: Pages, sheet: Sheet, values: Values, before: Tables) -> Values:
        """What the form has in it that is kept while somebody signs in again, after it was sent too late."""
        route = self.route(pages, sheet)
        if Who.ANYBODY in self.who[route]:
            return values
        name = cookie_at(self.county.url)
        token = pages.client.cookies[name]
        pages.sign_in("which is over")
        answer = await pages.sent(sheet.action, values)
        pages.sign_in(token)
        page = Page(answer)
        kept = next((each for each in sheets(page.html) if each.action == sheet.action), None)
        if DEVICES.issuperset(self.who[route]):
            if answer.status_code != HTTPStatus.UNAUTHORIZED or "was not done" not in page.alert or kept is not None:
                self._fault(route, f"{answer.status_code} at a device that is none, or it keeps the form: {page!r}")
            if changed := different(before, await written(self._owner)):
                self._fault(route, f"wrote to {changed} without a sign-in")
            return values
        if answer.status_code != HTTPStatus.UNAUTHORIZED or "Nothing is lost" not in page.alert or kept is None:
            self._fault(route, f"{answer.status_code} without a sign-in, and the form isn't kept: {page!r}")
            return values
        if changed := different(before, await written(self._owner)):
            self._fault(route, f"wrote to {changed} without a sign-in")
        found = kept.values
        for name, typed in values.items():
            if (wanted := [*filter(None, map(said, typed))]) != [*map(said, found.get(name, ()))]:
                self._fault(route, f"{name} was {wanted}, and is {found.get(name)} after somebody has to sign in")
        self.kept.add(route)
        return found

    def _told(self, route: str, sheet: Sheet, sent: Values, answer: httpx.Response) -> Sheet | None:
        """The form as it is shown again; once it said what is wrong with it."""
        page = Html(answer.text)
        shown = sheet.on(page)
        if shown is None:
            self._fault(route, f"{answer.status_code}, and the form isn't shown again: {Page(answer)!r}")
            return None
        for fault in (*checks.shows_again(page, shown.form, sent), *checks.points_at_what_is_there(page)):
            self._fault(route, fault)
        self.refused.add(route)
        return shown

    async def _once(self, pages: Pages, sheet: Sheet, values: Values, answer: httpx.Response) -> Tables:
        """Send the same bytes once more; what stood in the tables before that."""
        route = self.route(pages, sheet)
        after = await written(self._owner)
        again = await pages.sent(sheet.action, values)
        if route in OTHERWISE:
            if OTHERWISE[route] not in Page(again):
                self._fault(route, f"does not say {OTHERWISE[route]!r} the second time, but {Page(again)!r}")
        elif (one := _seen(answer)) != (other := _seen(again)):
            self._fault(route, f"{one}, and then {other}")
        if more := grown(after, await written(self._owner)):
            self._fault(route, f"{answer.status_code}, and then more was written to {more}")
        return after

    def _fault(self, route: str, says: str) -> None:
        self.faults.append(f"{route}: {says}")


def _seen(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """What somebody sees of an answer: where it leads, or under which keys its forms go on."""
    keys = re.findall(r'name="key" value="([^"]+)"', answer.text)
    # A page of many things may have more forms than the one that was sent, each time with keys of their own.
    return answer.status_code, answer.headers.get("location", ""), keys[:1] if len(set(keys)) == 1 else []


def different(before: Tables, after: Tables) -> set[str]:
    """The tables in which something was written."""
    return {name for name, _ in before.items() ^ after.items()}


def grown(before: Tables, after: Tables) -> list[str]:
    """The tables that have more rows."""
    return [name for name, (rows, _) in after.items() if rows > before[name][0] and name not in TOLD]


def turn(route: str) -> int:
    """When it is sent, so that what the others are about is there."""
    return next((at for at, word in enumerate(LAST, 1) if word in route), 0)


@pytest.fixture
async def desk(postgres: Postgres, _county: tuple[str, Mapping[str, str]]) -> AsyncIterator[Desk]:
    template, known = _county
    name = await postgres.create(template)
    dsn = postgres.dsn(name)
    settings = msgspec.structs.replace(settings_for(dsn), environment="demo", public_url=URL)
    async with Api.running(dsn, settings=settings) as api, Database.open(dsn) as database:
        owner = await asyncpg.connect(dsn)
        county = County(api, URL, known, Entrance(database, daytime))
        phone = Authenticator(origin=URL, rp_id="localhost")
        desk = Desk(county, owner, await scenery(dsn, county, owner, phone), phone)
        desk.who = {each.path: each.who or () for each in await routes_of(api) if each.method == "POST"}
        yield desk
        await owner.close()
    await postgres.drop(name)


async def test_what_is_refused_is_mended_and_what_is_done_is_done_once(desk: Desk) -> None:
    found: dict[tuple[str, str], tuple[Way, Pages, Sheet]] = {}
    sent: set[str] = set()
    async with AsyncExitStack() as open_pages:
        for way in (*WAYS, *(Way(place, place.who) for place in PLACES)):
            pages, there = await open_pages.enter_async_context(desk.opened(way))
            for sheet in there:
                desk.met.add(desk.route(pages, sheet))
                found.setdefault((desk.route(pages, sheet), sheet.pressed), (way, pages, sheet))
        for (route, pressed), (way, pages, sheet) in sorted(found.items(), key=lambda each: turn(each[0][0])):
            keys = set(checks.filled(sheet.html, sheet.form).get("key", ()))
            if not turn(route) and not keys & sent:
                sent |= keys
                await desk.send(pages, sheet)
                continue
            # Opened anew: for a key of its own and, where the one example is done with, for another, if there is one.
            async with desk.opened(way, anew=True) as (again, there):
                which = (each for each in there if (desk.route(again, each), each.pressed) == (route, pressed))
                await desk.send(again, next(which, sheet))
    assert not desk.faults, "\n" + "\n".join(desk.faults)
    assert desk.done | ELSEWHERE.keys() == desk.who.keys(), "each route has a form here, or a reason"
    assert not desk.done & ELSEWHERE.keys()
    open_to = {route: set(desk.who[route]) for route in desk.done}
    assert desk.kept == {route for route, who in open_to.items() if Who.ANYBODY not in who and not who <= DEVICES}
    assert desk.filled - desk.refused == NEVER_REFUSED.keys()


async def test_what_was_refused_is_mended_and_done_once_whichever_copy_of_the_form_is_sent(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann = (await api.person())["id"]
    await api.give(await api.project(), {ann: 240})
    tomorrow = (daytime() + timedelta(days=1)).replace(microsecond=0)
    visit = {"person": ann, "offer": await api.offer(await api.venue()), "visit_at": tomorrow.isoformat()}
    path = f"/people/{ann}/bookings/{(await api.made('/v1/bookings', visit))['id']}/change"
    pages.sign_in(await entrance.person(ann))
    first = (await pages.get(path)).filled()
    sure = {"sure": ["yes"]}  # as the page sends it that asks whether it is right
    refused = Page(await pages.sent(path, {**first, **sure, "adults": ["5"]}))
    second = refused.filled()

    for _ in range(2):  # a double click, or Back and send again
        again = Page(await pages.sent(path, {**first, **sure, "adults": ["5"]}))
        assert (again.status, again.alert, again.filled()) == (409, refused.alert, second)
    back = Page(await pages.sent(path, {**first, **sure, "adults": ["2"]}))
    assert (back.status, back.filled()) == (422, {**second, "adults": ["2"]})
    assert "could not be done" in back.alert
    done = [await pages.sent(path, {**second, **sure, "adults": ["2"]}) for _ in range(2)]
    assert [answer.status_code for answer in done] == [303, 303]
    late = Page(await pages.sent(path, {**second, **sure, "adults": ["3"]}))
    assert (late.status, late.filled()["key"]) == (422, second["key"])
    assert "You sent this before, and that counts." in late.alert
    assert await api.balance(ann) == (120, 120)


async def test_in_a_browser_back_and_send_again_is_once_and_back_and_something_else_is_another(
    phone: Window, entrance: Entrance
) -> None:
    """The page is asked for anew when somebody goes back to it, for it may not be kept; and so has another key."""
    await phone.sign_in(await entrance.staff())
    addresses: list[str] = []
    for name in ("Robin", "Robin", "Wren"):
        if addresses:
            await phone.page.go_back()
        else:
            await phone.go("/staff/people/new")
        await phone.page.locator("[name=name]").fill(name)
        await phone.press("Add them")
        addresses.append(urlsplit(phone.page.url).path)
    assert addresses[0] == addresses[1] != addresses[2]
