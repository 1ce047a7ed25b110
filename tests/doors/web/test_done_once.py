"""What a form asks is done once: every form with a key, of every page of the demo county, is sent twice.

The forms are those that the pages have, filled in as somebody would who does what the page says is missing; so a form
that is added is in here by itself. The same bytes once more are a double click, or Back and send again: they are
answered as the first time, and nothing more is written anywhere.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import asyncpg
import httpx
import msgspec
import pytest

from ledger.database import Database
from ledger.scheme.clock import system_clock
from tests.conftest import Postgres
from tests.doors.house import Api, settings_for, written
from tests.doors.web import checks
from tests.doors.web.browser import Window
from tests.doors.web.checks import Html
from tests.doors.web.client import URL, Page, Pages
from tests.doors.web.conftest import County
from tests.doors.web.entrance import Entrance
from tests.doors.web.places import PLACES, Place, address

# Without which other forms have nothing left to be about: these come last, in this order.
LAST: Final = (
    *("/withdraw", "/reject", "/approve", "/edit", "/close", "/cancel", "/refund", "/block", "/revoke", "/status/"),
    *("/recovery", "/sign-out", "/leave", "/end", "/erase"),
)
# Where two rows tell of two requests, and nobody has more by it: who was let in, what was tried, read or set again.
TOLD: Final = frozenset({"scheme.sign_in", "scheme.challenge", "scheme.wrong_code", "scheme.act"})
UNTAKEN: Final = HTTPStatus.UNPROCESSABLE_ENTITY
# As often as a page may say that something is missing still.
TRIES: Final = 5
STEPS: Final = 3


class Sheet(NamedTuple):
    """A form with a button that sends it."""

    html: Html
    form: Element
    button: Element

    @property
    def action(self) -> str:
        return self.button.get("formaction", self.form.get("action", ""))

    @property
    def pressed(self) -> str:
        """What the button sends of itself, by which it is told from the form's others."""
        return f"{self.button.get('name', '')}={self.button.get('value', '')}"

    @property
    def values(self) -> dict[str, list[str]]:
        """As a browser would send it; of what is to be chosen from and isn't yet, the first."""
        values = checks.filled(self.html, self.form)
        for control in checks.controls(self.html, self.form):
            name = control.get("name", "")
            if control.get("type") == "radio":
                values.setdefault(name, [control.get("value", "on")])
            elif control.tag == "select" and values.get(name) == [""]:
                values[name] = [next((each for each in map(checks.option_value, control.iter("option")) if each), "")]
        if "name" in self.button.attrib:
            values.setdefault(self.button.attrib["name"], []).append(self.button.get("value", ""))
        return values


def sheets(html: Html) -> Iterator[Sheet]:
    """The forms with a key, once for each of their buttons."""
    for form in html.all("form"):
        if form.get("method", "get").lower() == "post" and "key" in checks.filled(html, form):
            for button in checks.submitters(html, form):
                yield Sheet(html, form, button)


class Desk:
    """Sends forms twice, and remembers what became of them."""

    def __init__(self, county: County, owner: asyncpg.Connection, code: str) -> None:
        self.county = county
        self._owner = owner
        self._code = code
        self.taken: set[str] = set()
        """The routes that did, or showed, what they were asked."""
        self.faults: list[str] = []

    @asynccontextmanager
    async def opened(self, place: Place) -> AsyncIterator[tuple[Pages, list[Sheet]]]:
        """An example of a place, as it is now, and the forms there."""
        async with Pages.of(self.county.api, url=self.county.url) as pages:
            if token := await self.county.token(place.who):
                pages.sign_in(token)

            async def read(path: str) -> Html:
                return Html((await pages.client.get(path, follow_redirects=True)).text)

            async def links(path: str) -> Iterable[str]:
                return [each.get("href", "") for each in (await read(path)).all("a")]

            yield pages, list(sheets(await read(await address(place, self.county.known, links))))

    @staticmethod
    def route(pages: Pages, sheet: Sheet) -> str:
        """The template of where it is sent."""
        return pages.route("POST", urlsplit(sheet.action).path) or ""

    async def send(self, pages: Pages, sheet: Sheet, step: int = 1) -> None:
        """Send it, and then the same bytes once more; and so what the answer asks, if it asks whether that is right."""
        route = self.route(pages, sheet)
        before = await written(self._owner)
        values, answer = await self._until_taken(pages, sheet)
        after = await written(self._owner)
        again = await pages.sent(sheet.action, values)
        if (one := _seen(answer)) != (other := _seen(again)):
            self.faults.append(f"{route}: {one}, and then {other}")
        if more := [name for name in grown(after, await written(self._owner)) if answer.status_code != UNTAKEN]:
            self.faults.append(f"{route}: {answer.status_code}, and then more was written to {more}")
        if answer.status_code in {200, 303}:
            self.taken.add(route)
        if answer.status_code == HTTPStatus.OK and step < STEPS and not grown(before, after):
            for asked in sheets(Html(answer.text)):
                if asked.action == sheet.action:
                    await self.send(pages, asked, step + 1)

    async def _until_taken(self, pages: Pages, sheet: Sheet) -> tuple[dict[str, list[str]], httpx.Response]:
        """Send it, with what is said to be missing, until it is taken or can't be; what was sent, and the answer."""
        values = sheet.values
        answer = await pages.sent(sheet.action, values)
        for nth in range(TRIES):
            if answer.status_code != UNTAKEN:
                break
            for field in Html(answer.text).elements:
                if field.get("aria-invalid") != "true" or not (name := field.get("name")):
                    continue
                if field.get("type") in {"checkbox", "radio"}:
                    values.setdefault(name, [field.get("value", "on")])
                elif field.tag == "select":
                    values[name] = [[*map(checks.option_value, field.iter("option"))][-1]]
                else:
                    values[name] = [self._typed(name, nth)]
            answer = await pages.sent(sheet.action, values)
        return values, answer

    def _typed(self, name: str, nth: int) -> str:
        """What somebody would type where something is missing, or wrong for the nth time."""
        day = datetime.now(UTC) + timedelta(days=(-1, 1, 8, 30)[nth % 4])
        known = {
            "day": (day.date().isoformat(),),
            "time": ("10:00", "11:00", "14:00"),
            "begins": ("10:00",),
            "ends": ("12:00",),
            "hours": ("1", "0"),
            "minutes": ("0", "15", "30"),
            "email": ("robin@example.org",),
            "name": ("Robin", "Robin Redbreast"),
            "code": (self._code,),
        }
        values = next((values for ends, values in known.items() if name.endswith(ends)), ("Robin", "5", "60", "2"))
        return values[nth % len(values)]


def _seen(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """What somebody sees of an answer: where it leads, or under which keys its forms go on."""
    html = Html(answer.text) if answer.text.startswith("<!doctype") else None
    keys = [key for form in html.all("form") for key in checks.filled(html, form).get("key", ())] if html else []
    # A page of many things may have more forms than the one that was sent, each time with keys of their own.
    return answer.status_code, answer.headers.get("location", ""), keys[:1] if len(set(keys)) == 1 else []


def grown(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> list[str]:
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
        county = County(api, URL, known, Entrance(database, system_clock))
        yield Desk(county, owner, known["card"])
        await owner.close()
    await postgres.drop(name)


async def test_what_is_sent_twice_is_done_once(desk: Desk) -> None:
    found: dict[tuple[str, str], Place] = {}
    for place in PLACES:
        async with desk.opened(place) as (pages, there):
            for sheet in there:
                found.setdefault((desk.route(pages, sheet), sheet.pressed), place)
    for (route, pressed), place in sorted(found.items(), key=lambda each: turn(each[0][0])):
        # Opened anew: for a key of its own and, where the one example is done with, for another, if there is one.
        with suppress(LookupError):
            async with desk.opened(place) as (pages, there):
                which = (each for each in there if (desk.route(pages, each), each.pressed) == (route, pressed))
                if (again := next(which, None)) is not None:
                    await desk.send(pages, again)
    assert not desk.faults, "\n" + "\n".join(desk.faults)
    # The others have no key, or ask for somebody to be looked up first: those are sent twice where they are tested.
    assert len(desk.taken) >= 60, sorted(desk.taken)


async def test_what_was_refused_is_mended_and_done_once_whichever_copy_of_the_form_is_sent(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann = (await api.person())["id"]
    await api.give(await api.project(), {ann: 240})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    visit = {"person": ann, "offer": await api.offer(await api.venue()), "visit_at": tomorrow.isoformat()}
    path = f"/people/{ann}/bookings/{(await api.made('/v1/bookings', visit))['id']}/change"
    pages.sign_in(await entrance.person(ann))
    first = (await pages.get(path)).filled()
    refused = await pages.submit(path, adults="5", status=409)
    second = refused.filled()

    for _ in range(2):  # a double click, or Back and send again
        again = Page(await pages.sent(path, {**first, "adults": ["5"]}))
        assert (again.status, again.alert, again.filled()) == (409, refused.alert, second)
    back = Page(await pages.sent(path, {**first, "adults": ["2"]}))
    assert (back.status, back.filled()) == (422, {**second, "adults": ["2"]})
    assert "could not be done" in back.alert
    done = [await pages.sent(path, {**second, "adults": ["2"]}) for _ in range(2)]
    assert [answer.status_code for answer in done] == [303, 303]
    late = Page(await pages.sent(path, {**second, "adults": ["3"]}))
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
        await phone.press("Make them known")
        addresses.append(urlsplit(phone.page.url).path)
    assert addresses[0] == addresses[1] != addresses[2]
