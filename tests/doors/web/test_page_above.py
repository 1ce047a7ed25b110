"""An address that only takes forms, asked for as a page is: it leads to the page above it, for whoever may send it.

So does a telephone that has let go of the answer to a form and loads it anew. The routes are the application's own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from ledger.doors.web.access import Who
from tests.doors.house import Api
from tests.doors.web.client import URL, Pages, cookie_at
from tests.doors.web.entrance import Entrance
from tests.doors.web.test_access import OURS, Route, Said, Visitor, everybody, expected, objects, routes_of

# Who act for themselves alone, whatever the address says.
ONES_OWN: Final = frozenset({Who.PERSON, Who.SURELY})


def shape(path: str) -> str:
    """An address without what its parameters are called: by which it is told whether there is a page."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def only_forms(routes: list[Route]) -> Iterator[Route]:
    """Those of which there is no page."""
    pages = {shape(route.path) for route in routes if route.method == "GET"}
    yield from (route for route in routes if route.method == "POST" and shape(route.path) not in pages)


def is_theirs(route: Route, who: str, visitor: Visitor, ids: Mapping[str, str]) -> bool:
    """Whether they may send the form, about these objects."""
    said, as_what = expected(route, visitor, ids)
    if said is not Said.IN or who.endswith("elsewhere") or not set(route.names) <= ids.keys():
        return False
    return as_what not in ONES_OWN or "person" not in route.names or visitor.person == ids["person"]


async def asked(client: httpx.AsyncClient, path: str, token: str) -> httpx.Response:
    """As by a browser whose address bar is pressed once more."""
    cookie = {"cookie": f"{cookie_at(URL)}={token}"} if token else {}
    return await client.get(path, headers={**OURS, "sec-fetch-site": "none", **cookie})


async def test_an_address_that_only_takes_forms_leads_to_the_page_above_it(api: Api, entrance: Entrance) -> None:
    own, others = await objects(api, "Ann"), await objects(api, "Bob")
    known: list[tuple[str, Visitor, str]] = list(await everybody(api, entrance, own, others))
    routes = await routes_of(api)
    found, faults, shown = list(only_forms(routes)), [], set()
    assert len(found) > 50
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.application), base_url=URL) as client:
        for route in found:
            for who, visitor, token in known:
                here = f"{route.path} as {who}"
                answer = await asked(client, route.at(own), token)
                above = answer.headers.get("location", "")
                if answer.status_code != 303 or not urlsplit(route.at(own)).path.startswith(above):
                    faults.append(f"{here}: {answer.status_code} {above}")
                    continue
                if who == "nobody" or not is_theirs(route, who, visitor, own):
                    continue
                page = await asked(client, above, token)
                if page.status_code == 303:
                    page = await asked(client, page.headers["location"], token)
                # Hours that are approved by now have no page to approve them on, which is said to whom it was for.
                if page.status_code not in {200, 409} or page.url.path == "/sign-in":
                    faults.append(f"{here}: {above} is answered with {page.status_code}")
                shown.add(route.path)
    assert not faults, "\n" + "\n".join(faults)
    assert len(shown) > 20


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_what_no_browser_sends_is_still_told_which_methods_there_are(pages: Pages, method: str) -> None:
    answer = await pages.client.request(method, "/sign-out")

    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("path", ["//evil.example/sign-out", "/sign-out/", "/\\evil.example/../sign-out"])
async def test_it_leads_nowhere_but_to_a_page_of_this_site(pages: Pages, path: str) -> None:
    answer = await pages.client.get(URL + path)

    assert answer.status_code in {303, 404}
    assert answer.headers.get("location", "/") == "/"
