"""A browser without script that looks at every page it gets: `Pages` asks, `Page` is what came.

    pages.sign_in(await entrance.person(ann))             # the fixture `pages` was nobody's until here
    page = await pages.get("/volunteer")                  # one h1, labels, links that lead somewhere ... or it fails
    page = await pages.click("Tell us about your hours")
    page = await pages.submit("Send", minutes="90")       # that button's form, its other fields as they stand
    assert page.heading == "Thank you"

It keeps cookies, goes where a 303 sends it, and says where a request comes from as browsers do. It does nothing that a
browser wouldn't: a field that isn't in the form, or an option that isn't in the list, is the test's mistake. For what
no browser would send, there is `post`.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlencode, urljoin, urlsplit
from xml.etree.ElementTree import Element

import httpx

from ledger.doors.web import is_page
from ledger.doors.web.access import Access
from ledger.scheme.sign_ins import SignIns
from tests.doors.house import Api
from tests.doors.routes import BESIDES
from tests.doors.web import checks
from tests.doors.web.checks import Html, said, text

URL: Final = "https://localhost"
REDIRECTS_MAX: Final = 3
Value = str | int | bool | Sequence[str] | None


class Page:
    """A page as it came, and what is on it. All words have single spaces."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.html = Html(answer.text)

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def path(self) -> str:
        """Where it is, with the query."""
        return self.answer.url.raw_path.decode()

    @property
    def heading(self) -> str:
        """Its h1."""
        return text(self.html.all("h1")[0])

    @property
    def text(self) -> str:
        """All that is read out of its main part."""
        return text(next(iter(self.html.all("main")), self.html.root))

    def __contains__(self, words: str) -> bool:
        """Whether it says so."""
        return said(words) in self.text

    def __repr__(self) -> str:
        return f"<{self.status} {self.path}: {self.text[:2000]}>"

    @property
    def alert(self) -> str:
        """What is wrong, as its error summary says it; empty if nothing is."""
        return next((text(each) for each in self.html.elements if each.get("role") == "alert"), "")

    @property
    def links(self) -> dict[str, str]:
        """Where each link leads, by its words."""
        return {self.html.name(each): each.get("href", "") for each in self.html.all("a")}

    @property
    def buttons(self) -> list[str]:
        return [self.html.name(each) for form in self.html.all("form") for each in checks.submitters(self.html, form)]

    def filled(self, form: str | None = None) -> dict[str, list[str]]:
        """What stands in the fields of a form, by name: of the button's or action, or of the only one in main."""
        return checks.filled(self.html, self._form(form)[0])

    def field(self, label: str) -> Element:
        """The field of that label; in words of its own, for its legend can be needed to tell it."""
        found = [each for each in self.html.all("input", "select", "textarea") if self.html.name(each) == label]
        assert len(found) == 1, f"{len(found)} fields are called {label!r} on {self!r}"
        return found[0]

    def rows(self, caption: str = "") -> list[list[str]]:
        """The words of a table's body, or of its only table."""
        tables = [
            table
            for table in self.html.all("table")
            if not caption or any(each.tag == "caption" and text(each) == caption for each in table)
        ]
        assert len(tables) == 1, f"{len(tables)} tables are called {caption!r} on {self!r}"
        rows = [row for body in tables[0].iter("tbody") for row in body.iter("tr")]
        return [[text(cell) for cell in row if cell.tag in {"th", "td"}] for row in rows]

    def terms(self) -> dict[str, str]:
        """Its lists of facts: what stands beside each term."""
        found: dict[str, str] = {}
        term = ""
        for each in self.html.all("dt", "dd"):
            if each.tag == "dt":
                term = text(each)
            else:
                found[term] = said(f"{found.get(term, '')} {text(each)}")
        return found

    def reading_age(self) -> float:
        """From what age most people can read its sentences."""
        return checks.reading_age("\n".join(text(each) for each in self.html.all("p", "li")))

    def hard_to_read(self) -> list[str]:
        """What someone of eleven would stumble over, in its paragraphs and lists."""
        parts = [text(each) for each in self.html.all("p", "li", "h1", "h2", "h3", "label", "legend")]
        return checks.hard_to_read("\n".join(parts))

    # ---- for the client

    def link(self, words: str) -> str:
        """Where the link of these words leads; the beginning of them is enough if it is one link's only."""
        found = {href for name, href in self.links.items() if name == words}
        found = found or {href for name, href in self.links.items() if name.startswith(words)}
        assert len(found) == 1, f"{len(found)} links say {words!r}; there are {sorted(self.links)} on {self!r}"
        return found.pop()

    def sent(
        self, which: str, fields: Mapping[str, Value]
    ) -> tuple[str, str, dict[str, list[str]], dict[str, list[str]]]:
        """The method and address of a form, what a browser would send of it, and only what was typed."""
        form, button = self._form(which)
        values = checks.filled(self.html, form)
        for name, value in fields.items():
            values[name] = self._typed(form, name, value)
        typed = dict(values)
        action = form.get("action", "")
        if button is not None:
            action = button.get("formaction", action)
            if "name" in button.attrib:
                values.setdefault(button.attrib["name"], []).append(button.get("value", ""))
        return form.get("method", "get").lower(), action, values, typed

    def _form(self, which: str | None) -> tuple[Element, Element | None]:
        """The form of that action (/...), that id (#...) or that button, or the only one; and the button pressed."""
        forms = self.html.all("form")
        if which is None:
            forms = [each for each in forms if self.html.within(each, "main") is not None]
            assert len(forms) == 1, f"there are {len(forms)} forms on {self!r}"
            return forms[0], None
        if which.startswith(("/", "#")):
            found = [each for each in forms if which in (each.get("action"), f"#{each.get('id')}")]
            assert len(found) == 1, f"{len(found)} forms are {which!r} on {self!r}"
            return found[0], next(iter(checks.submitters(self.html, found[0])), None)
        pressed = [(form, each) for form in forms for each in checks.submitters(self.html, form)]
        named = [(form, each) for form, each in pressed if self.html.name(each) == which]
        named = named or [(form, each) for form, each in pressed if self.html.name(each).startswith(which)]
        assert len(named) == 1, f"{len(named)} buttons say {which!r}; there are {self.buttons} on {self!r}"
        assert "disabled" not in named[0][1].attrib, f"the button {which!r} can't be pressed on {self!r}"
        return named[0]

    def _typed(self, form: Element, name: str, value: Value) -> list[str]:
        fields = [
            each for each in checks.controls(self.html, form) if each.get("name") == name and each.tag != "button"
        ]
        names = sorted({each.get("name", "") for each in checks.controls(self.html, form)})
        assert fields, f"the form has no field {name!r}, only {names}, on {self!r}"
        first = fields[0]
        kind = first.get("type", "text") if first.tag == "input" else first.tag
        if kind not in {"checkbox", "radio", "select"}:
            assert len(fields) == 1 or not isinstance(value, str), f"{len(fields)} fields are called {name!r}"
            return (
                list(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else [_word(value)]
            )
        if kind == "select":
            options = {text(each): checks.option_value(each) for each in first.iter("option")}
        else:
            options = {self.html.name(each): each.get("value", "on") for each in fields}
        if isinstance(value, bool):
            assert kind == "checkbox", f"{name!r} is no checkbox"
            return [next(iter(options.values()))] if value else []
        return [_option(each, options) for each in _several(value)]


def _word(value: Value) -> str:
    return "" if value is None else str(value)


def _several(value: Value) -> Iterable[str]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (str(value),)


def _option(said_or_value: str, options: Mapping[str, str]) -> str:
    assert said_or_value in {*options, *options.values()}, f"{said_or_value!r} is none of {options}"
    return said_or_value if said_or_value in options.values() else options[said_or_value]


def cookie_at(url: str) -> str:
    """What the cookie of a sign-in is called at that address."""
    return Access(cast("SignIns", None), url).cookie


class Pages:
    """Somebody's browser. Each has cookies of its own."""

    def __init__(self, app: Callable[..., Any], *, url: str = URL, language: str = "en-GB") -> None:
        self.url = url
        self._app = app
        self.routes: list[tuple[str, set[str]]] = []
        """What the application answers, by template and methods: known once it answered something."""
        self._fetched: set[str] = set()
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._learning),
            base_url=url,
            headers={
                "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
                "accept-language": language,
                "user-agent": "Mozilla/5.0 (tests)",
            },
        )
        self.page: Page | None = None
        """The one before the eyes."""

    @classmethod
    @asynccontextmanager
    async def of(
        cls, service: Api | Callable[..., Any], *, url: str = URL, language: str = "en-GB"
    ) -> AsyncIterator["Pages"]:
        """A new browser at that service, or at any ASGI application."""
        pages = cls(service.application if isinstance(service, Api) else service, url=url, language=language)
        async with pages.client:
            yield pages

    async def _learning(self, scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        """Hand a request on, and read the routes of the application that answered it."""
        await self._app(scope, receive, send)
        if not self.routes and is_page(scope["path"]) and (application := scope.get("litestar_app")) is not None:
            found = sorted(application.routes, key=lambda route: route.path.count("{"))  # /a/new is no /a/{b}
            self.routes = [(route.path, set(getattr(route, "methods", {"GET"}))) for route in found]

    def sign_in(self, token: str) -> None:
        """Be whoever has that cookie (see `entrance.py`)."""
        self.client.cookies.set(cookie_at(self.url), token, domain="localhost.local", path="/")

    @property
    def is_somebody(self) -> bool:
        """Whether pages are shown as somebody's."""
        return cookie_at(self.url) in self.client.cookies

    async def get(self, path: str, *, status: int = 200) -> Page:
        """Type an address into the browser."""
        return await self._go("GET", path, status=status, site="none")

    async def links(self, path: str) -> Iterable[str]:
        """Where the links of that page lead."""
        return (await self.get(path)).links.values()

    async def click(self, words: str, *, status: int = 200) -> Page:
        """Follow the link of these words, on the page before the eyes."""
        return await self._go("GET", self._here(self._shown.link(words)), status=status)

    async def submit(
        self, which: str, fields: Mapping[str, Value] | None = None, /, *, status: int = 200, **more: Value
    ) -> Page:
        """Fill in fields and press a button, named by its words, or by its form's action (/...) or id (#...).

        A value is a text; for radios and selects an option's words or value, for a checkbox True or False, for several
        a list. Fields that aren't named stay as the page has them. `status` is that of the page it ends on.
        """
        method, action, values, typed = self._shown.sent(which, {**(fields or {}), **more})
        address = self._here(action)
        if method == "get":
            return await self._go("GET", f"{address.partition('?')[0]}?{urlencode(values, doseq=True)}", status=status)
        page = await self._go("POST", address, values, status=status)
        if page.status >= HTTPStatus.BAD_REQUEST:
            _none(checks.tells_what_is_wrong(page.html, action, typed), page)
        return page

    async def post(self, path: str, fields: Mapping[str, Value], *, status: int, site: str = "same-origin") -> Page:
        """Send what no form has: an answer is looked at like any other."""
        values = {
            name: [_word(value)] if isinstance(value, str | int | None) else list(value)
            for name, value in fields.items()
        }
        return await self._go("POST", path, values, status=status, site=site)

    async def sent(self, path: str, values: Mapping[str, Sequence[str]]) -> httpx.Response:
        """Send a form with just these values, and only hear what is answered."""
        return await self._send("POST", path, values)

    async def again(self, *, status: int = 200) -> Page:
        """Reload."""
        return await self._go("GET", self._shown.path, status=status)

    async def file(self, path: str, *, status: int = 200) -> httpx.Response:
        """Fetch what is no page: a PDF, a picture, a file to keep."""
        answer = await self._send("GET", path)
        assert answer.status_code == status, f"{answer.status_code} {path}: {answer.text[:2000]}"
        return answer

    # ---- how it goes there

    @property
    def _is_secure(self) -> bool:
        return self.url.startswith("https:")

    @property
    def _shown(self) -> Page:
        assert self.page is not None, "no page was opened yet"
        return self.page

    def _here(self, address: str) -> str:
        """An address on the page, seen from the page."""
        whole = urljoin(str(self._shown.answer.url), address)
        assert whole.startswith(f"{self.url}/"), f"{address} is of another site"
        return whole.removeprefix(self.url).partition("#")[0]

    async def _send(
        self, method: str, path: str, fields: Mapping[str, Sequence[str]] | None = None, site: str = "same-origin"
    ) -> httpx.Response:
        headers = {
            "sec-fetch-site": site,
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
            "sec-fetch-user": "?1",
        }
        content = None
        if fields is not None:
            headers |= {"content-type": "application/x-www-form-urlencoded", "origin": self.url}
            lines = {name: [_lines(each) for each in values] for name, values in fields.items()}
            content = urlencode(lines, doseq=True)
        return await self.client.request(method, path, content=content, headers=headers)

    async def _go(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Sequence[str]] | None = None,
        *,
        status: int,
        site: str = "same-origin",
    ) -> Page:
        answer = await self._send(method, path, fields, site)
        for _ in range(REDIRECTS_MAX):
            if not answer.has_redirect_location:
                break
            where, kind = answer.headers["location"], answer.status_code
            assert kind == HTTPStatus.SEE_OTHER or method == "GET", f"a form is answered by 303, not {kind}"
            assert where.startswith("/"), f"{where} is not a path of this site"
            assert not urlsplit(where).netloc, f"{where} is not a path of this site"
            self._look_at_cookies(answer)
            answer = await self._send("GET", where.partition("#")[0], site=site)
        self.page = page = Page(answer)
        assert answer.status_code == status, f"{answer.status_code} instead of {status}: {page!r}"
        await self._look(page)
        return page

    # ---- how it looks at what came

    def _look_at_cookies(self, answer: httpx.Response) -> None:
        faults = list(checks.has_safe_cookies(answer.headers.get_list("set-cookie"), secure=self._is_secure))
        assert not faults, f"{answer.url}:\n" + "\n".join(faults)

    async def _look(self, page: Page) -> None:
        """Fail with everything that is against it."""
        headers = {name.lower(): value for name, value in page.answer.headers.items()}
        faults = [
            *checks.has_safe_headers(headers, private=self.is_somebody),
            *checks.has_safe_cookies(page.answer.headers.get_list("set-cookie"), secure=self._is_secure),
            *(fault for check in checks.CHECKS for fault in check(page.html)),
            *self._leads_somewhere(page),
        ]
        for address in sorted(checks.resources(page.html) - self._fetched):
            answer = await self._send("GET", self._here(address))
            if not answer.is_success:
                faults.append(f"{address} answers {answer.status_code}")
            self._fetched.add(address)
        _none(faults, page)

    def _leads_somewhere(self, page: Page) -> Iterable[str]:
        """Each link and form goes to a route: known by its template, so nothing is fetched."""
        for method, address in sorted(checks.destinations(page.html)):
            path = urlsplit(self._here(address)).path
            if self.route(method, path) is None and not (method == "GET" and any(map(_is_at(path), BESIDES))):
                yield f"{method} {path} is no route"

    def route(self, method: str, path: str) -> str | None:
        """The template of the route that answers an address."""
        return next(filter(_is_at(path), (template for template, methods in self.routes if method in methods)), None)


def _none(faults: Iterable[str], page: Page) -> None:
    found = list(faults)
    assert not found, f"{page.path} ({page.status}):\n  " + "\n  ".join(found)


def _lines(typed: str) -> str:
    return re.sub(r"\r?\n", "\r\n", typed)


_PARAMETERS: Final = {"path": ".*", "uuid": "[0-9a-f-]{36}", "int": r"-?\d+"}


def _is_at(path: str) -> Callable[[str], bool]:
    return lambda template: _pattern(template).fullmatch(path) is not None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """The paths of a route, as Litestar writes it: /a/{b:uuid}."""
    parts = re.split(r"\{[^:}]+(?::(\w+))?\}", template)
    # Between texts stand the types of the parameters.
    texts, types = map(re.escape, parts[::2]), [_PARAMETERS.get(each or "", "[^/]+") for each in parts[1::2]]
    return re.compile("".join(text_ + type_ for text_, type_ in zip(texts, [*types, ""], strict=True)) + "/?")
