"""Two doors, two keys: a browser's cookie opens no route of the API, and an API key no page.

The one would let any page that a reader opens write in their name; the other would put a key into a browser, where
links and forms of others reach it.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

import httpx
import pytest

from ledger.database import Database
from ledger.doors.web import is_page
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.routes import OPEN, ROUTES
from tests.doors.web.client import Pages, cookie_at
from tests.doors.web.entrance import Entrance, tokens_of

ID = "00000000-0000-4000-8000-000000000000"
OURS = {"sec-fetch-site": "same-origin"}
# The settings' own: where a service listens that was told nothing else.
URL = "http://127.0.0.1:8000"


@pytest.fixture
async def known(api: Api) -> Mapping[str, str]:
    """What the addresses are filled in with; the keys and cookies are those of the same people and places."""
    venue = await api.venue()
    return {
        "person": (await api.person())["id"],
        "project": await api.project(),
        "venue": venue,
        "offer": await api.offer(venue),
    }


@pytest.fixture
async def cookies(database: Database, known: Mapping[str, str]) -> Mapping[str, str]:
    """Of somebody in each capacity."""
    return await tokens_of(Entrance(database, daytime), known)


def filled(path: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: known.get(found[1], ID), path)


async def test_a_cookie_is_nobody_at_the_api(api: Api, known: Mapping[str, str], cookies: Mapping[str, str]) -> None:
    assert {"person", "coordinator", "approver", "manager", "staff", "auditor", "till", "kiosk"} <= cookies.keys()
    for who, token in cookies.items():
        signed_in = OURS | {"cookie": f"{cookie_at(URL)}={token}"}
        if who == "staff":
            assert (await api.client.get("/staff", headers=signed_in)).status_code == HTTPStatus.OK, "a page knows them"
        for method, path in (route for route, scopes in ROUTES.items() if scopes != OPEN):
            for headers in (signed_in, signed_in | {"authorization": f"Bearer {token}"}):
                answer = await api.client.request(method, filled(path, known), headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (who, method, path)


async def test_what_is_open_at_the_api_is_answered_to_a_cookie_as_to_nobody(
    api: Api, known: Mapping[str, str], cookies: Mapping[str, str]
) -> None:
    signed_in = OURS | {"cookie": f"{cookie_at(URL)}={cookies['staff']}"}
    for method, path in (route for route, scopes in ROUTES.items() if scopes == OPEN):
        alone, known_here = [
            await api.client.request(method, filled(path, known), headers=headers) for headers in (OURS, signed_in)
        ]
        assert (known_here.status_code, "set-cookie" in known_here.headers) == (alone.status_code, False), path


async def test_a_key_is_nobody_at_the_pages(api: Api, known: Mapping[str, str]) -> None:
    tokens = {
        "scheme": api.scheme,
        "auditor": await api.key("auditor", person=known["person"]),
        "project": await api.key("project", known["project"], person=known["person"]),
        "venue": await api.key("venue", known["venue"]),
        "person": await api.key("person", person=known["person"]),
    }
    for token in tokens.values():
        assert (await api.get("/v1/rules", token)).status_code in {HTTPStatus.OK, HTTPStatus.FORBIDDEN}, "they are live"

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.headers.get("location", "")

    async with Pages.of(api, url=URL) as pages:
        await pages.client.get("/")
        closed = 0
        for method, path in ((each, path) for path, methods in pages.routes for each in methods if is_page(path)):
            address, form = filled(path, known), None if method in {"GET", "HEAD"} else {"key": "one"}
            nobody = told(await pages.client.request(method, address, headers=OURS, data=form))
            closed += nobody[1].startswith("/sign-in") or nobody[0] == HTTPStatus.UNAUTHORIZED
            for scope, token in tokens.items():
                for headers in (
                    {"authorization": f"Bearer {token}"},
                    {"cookie": f"{cookie_at(URL)}={token}"},
                ):
                    answer = await pages.client.request(method, address, headers=OURS | headers, data=form)
                    assert told(answer) == nobody, (scope, method, path)
        assert closed > 30, "most pages are somebody's"
