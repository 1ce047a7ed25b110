"""The page-test client, on a small house of its own: it does what a browser does, and looks at whatever it gets."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from uuid import UUID

import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath

from tests.doors.web.client import Pages
from tests.doors.web.test_checks import SAFE

HEADERS: Final = {name: value for name, value in SAFE.items() if name != "content-type"}
COOKIE: Final = "__Host-sign-in=token; Path=/; Secure; HttpOnly; SameSite=Lax"
ANN: Final = "0199d3b0-0000-7000-8000-000000000001"
HOURS: Final = """
<p>You gave 2 credits.</p>
<ul><li><a href="/">Home</a></li><li><a href="/members/{ann}">Ann Jones</a></li></ul>
<dl><dt>Given</dt><dd>2 credits</dd><dt>Spent</dt><dd>1 credit</dd></dl>
<form method="post" action="/hours" id="claim"><input type="hidden" name="key" value="k1">
<label for="minutes">Minutes</label><input id="minutes" name="minutes" value="60">
<label for="what">What you did</label><textarea id="what" name="what">
</textarea>
<label>Where <select name="where"><option value="1">Repair cafe</option>
<option value="2">Library</option></select></label>
<fieldset><legend>When</legend><label><input type="radio" name="day" value="0" checked> Today</label>
<label><input type="radio" name="day" value="1"> Yesterday</label></fieldset>
<fieldset><legend>With whom</legend><label><input type="checkbox" name="with" value="b"> Bilal</label>
<label><input type="checkbox" name="with" value="c"> Carys</label></fieldset>
<label><input type="checkbox" name="again" value="yes"> Every week</label>
<label>Off <input name="off" disabled value="x"></label>
<button name="then" value="more">Send and add more</button><button>Send</button></form>
<form method="get" action="/members"><label>Name <input name="name" type="search"></label><button>Find</button></form>
<table><caption>Months</caption><thead><tr><th>Month</th><th>Given</th></tr></thead>
<tbody><tr><th>May</th><td>2 credits</td></tr></tbody></table>
"""


def _page(heading: str, body: str = "", status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading} - Time Credits</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/site.css"></head>
<body><main id="main"><h1>{heading}</h1>{body.replace("{ann}", ANN)}</main></body></html>"""
    return Response(html.encode(), status_code=status, media_type="text/html", headers={**HEADERS, **(headers or {})})


def _to(path: str, status: int = 303, headers: Mapping[str, str] | None = None) -> Response[None]:
    return Response(None, status_code=status, headers={"location": path, **(headers or {})})


@get("/")
async def _home() -> Response[bytes]:
    return _page("Home", '<a href="/hours">Your hours</a> <a href="/hours">Your hours again</a>')


@get("/hours")
async def _hours() -> Response[bytes]:
    return _page("Your hours", HOURS)


@post("/hours")
async def _claim(request: Request[Any, Any, Any]) -> Response[Any]:
    minutes = (await request.form())["minutes"]
    if minutes == "60":
        return _to("/thanks#main", headers={"set-cookie": COOKIE})
    typed = "" if minutes == "lost" else minutes
    body = HOURS.replace('value="60"', f'value="{typed}" aria-invalid="true" aria-describedby="why"')
    told = '<div role="alert" tabindex="-1"><p id="why">Say how long</p><a href="#minutes">Minutes</a></div>'
    return _page("Your hours", told + body, 422)


@get("/thanks")
async def _thanks() -> Response[bytes]:
    return _page("Thank you", "<p>You gave 1 credit.</p>")


@get("/members")
async def _people() -> Response[bytes]:
    return _page("People")


@get("/members/{person:uuid}")
async def _person(person: FromPath[UUID]) -> Response[bytes]:
    return _page("Ann Jones", f"<p>{person}</p>")


@get("/static/{name:str}")
async def _static(name: FromPath[str]) -> Response[bytes]:
    return Response(b"", status_code=200 if name == "site.css" else 404, media_type="text/css")


@post("/again/{status:int}")
async def _again(status: FromPath[int]) -> Response[Any]:
    return _to("/hours", status)


@get("/bad/{what:str}")
async def _bad(what: FromPath[str]) -> Response[Any]:
    answers: dict[str, Response[Any]] = {
        "markup": _page("Bad", "<p><div>x</div></p>"),
        "link": _page("Bad", '<a href="/nowhere">Away</a>'),
        "person": _page("Bad", '<a href="/members/ann">Ann</a>'),
        "form": _page("Bad", '<form method="post" action="/members"><button>Send</button></form>'),
        "picture": _page("Bad", '<img src="/static/none.png" alt="">'),
        "header": _page("Bad", headers={"x-content-type-options": "no"}),
        "kept": _page("Bad", headers={"cache-control": "max-age=60"}),
        "cookie": _page("Bad", headers={"set-cookie": "sign-in=token; Path=/"}),
        "away": _to("https://evil.example/"),
        "slashes": _to("//evil.example/"),
        "round": _to("/bad/round"),
        "status": _page("Bad", status=418),
    }
    return answers[what]


class House:
    """Some pages, right and wrong, and the requests that they got, but for files."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        routes = [_home, _hours, _claim, _thanks, _people, _person, _static, _again, _bad]
        self.application = Litestar(routes, openapi_config=None, before_request=self._note)

    async def _note(self, request: Request[Any, Any, Any]) -> None:
        if not request.url.path.startswith("/static"):
            self.requests.append({"form": (await request.body()).decode(), **request.headers})


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[Pages]:
    async with Pages.of(house.application) as pages:
        yield pages


async def test_it_says_where_a_request_comes_from_as_a_browser_does(house: House, visitor: Pages) -> None:
    await visitor.get("/")
    await visitor.click("Your hours")
    await visitor.submit("Send")
    typed, clicked, sent, led = house.requests
    assert [each["sec-fetch-site"] for each in house.requests] == ["none", "same-origin", "same-origin", "same-origin"]
    assert sent["origin"] == "https://localhost"
    assert sent["content-type"] == "application/x-www-form-urlencoded"
    assert "origin" not in {**typed, **clicked, **led}


async def test_a_form_is_sent_as_it_stands_on_the_page(house: House, visitor: Pages) -> None:
    await visitor.get("/hours")
    await visitor.submit("Send")
    assert house.requests[1]["form"] == "key=k1&minutes=60&what=&where=1&day=0"


async def test_what_is_typed_and_chosen_goes_with_it(house: House, visitor: Pages) -> None:
    await visitor.get("/hours")
    await visitor.submit(
        "Send and add more", {"with": ["Bilal", "c"]}, what="A chair\nand a lamp", where="Library", day="1", again=True
    )
    assert house.requests[1]["form"] == (
        "key=k1&minutes=60&what=A+chair%0D%0Aand+a+lamp&where=2&day=1&with=b&with=c&again=yes&then=more"
    )


@pytest.mark.parametrize("which", ["/hours", "#claim", "Send and"])
async def test_a_form_is_named_by_its_action_its_id_or_its_button(visitor: Pages, which: str) -> None:
    await visitor.get("/hours")
    assert (await visitor.submit(which)).heading == "Thank you"


async def test_a_search_goes_into_the_address(house: House, visitor: Pages) -> None:
    await visitor.get("/hours")
    page = await visitor.submit("Find", name="Ann Jones")
    assert page.path == "/members?name=Ann+Jones"
    assert "content-type" not in house.requests[1]


async def test_it_keeps_cookies_and_goes_where_it_is_sent(house: House, visitor: Pages) -> None:
    await visitor.get("/hours")
    page = await visitor.submit("Send")
    assert (page.path, page.heading, page.status) == ("/thanks", "Thank you", 200)
    assert house.requests[-1]["cookie"] == "__Host-sign-in=token"
    assert visitor.is_somebody
    assert (await visitor.again()).heading == "Thank you"


async def test_a_page_is_read_by_its_words(visitor: Pages) -> None:
    page = await visitor.get("/hours")
    assert "You gave 2 credits." in page
    assert "You gave 3 credits." not in page
    assert page.links == {"Home": "/", "Ann Jones": f"/members/{ANN}"}
    assert page.buttons == ["Send and add more", "Send", "Find"]
    assert page.rows("Months") == [["May", "2 credits"]]
    assert page.terms() == {"Given": "2 credits", "Spent": "1 credit"}
    assert page.filled("Send")["minutes"] == ["60"]
    assert page.field("Minutes").get("id") == "minutes"
    assert page.alert == ""
    assert page.hard_to_read() == []


async def test_a_refused_form_is_looked_at(visitor: Pages) -> None:
    await visitor.get("/hours")
    page = await visitor.submit("Send", minutes="an hour", status=422)
    assert page.alert == "Say how long Minutes"
    with pytest.raises(AssertionError, match="what was typed into 'minutes'"):
        await visitor.submit("Send", minutes="lost", status=422)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"hours": "1"}, "no field 'hours'"),
        ({"where": "Museum"}, "'Museum' is none of"),
        ({"day": "2"}, "'2' is none of"),
        ({"day": True}, "'day' is no checkbox"),
    ],
)
async def test_it_sends_only_what_a_browser_would(visitor: Pages, fields: dict[str, str | bool], why: str) -> None:
    await visitor.get("/hours")
    with pytest.raises(AssertionError, match=why):
        await visitor.submit("Send", fields)


async def test_words_that_could_mean_several_are_the_tests_mistake(visitor: Pages) -> None:
    await visitor.get("/hours")
    with pytest.raises(AssertionError, match="0 buttons say 'Save'"):
        await visitor.submit("Save")
    with pytest.raises(AssertionError, match="0 links say 'Nowhere'"):
        await visitor.click("Nowhere")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("markup", "HTML: "),
        ("link", "GET /nowhere is no route"),
        ("person", "GET /members/ann is no route"),
        ("form", "POST /members is no route"),
        ("picture", "/static/none.png answers 404"),
        ("header", "X-Content-Type-Options is nosniff"),
        ("cookie", "the cookie sign-in begins with __Host-"),
        ("away", "not a path of this site"),
        ("slashes", "not a path of this site"),
        ("round", "instead of 200"),
        ("status", "418 instead of 200"),
    ],
)
async def test_what_is_wrong_with_a_page_fails_the_test(visitor: Pages, what: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        await visitor.get(f"/bad/{what}")


async def test_a_page_of_somebody_signed_in_is_never_kept(visitor: Pages) -> None:
    await visitor.get("/bad/kept")
    visitor.sign_in("token")
    with pytest.raises(AssertionError, match="Cache-Control is no-store"):
        await visitor.get("/bad/kept")


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_form_is_answered_by_303_only(visitor: Pages, status: int) -> None:
    with pytest.raises(AssertionError, match=f"303, not {status}"):
        await visitor.post(f"/again/{status}", {}, status=200)
    await visitor.post("/again/303", {}, status=200)


async def test_what_is_no_page_is_fetched_as_a_file(visitor: Pages) -> None:
    answer = await visitor.file("/static/site.css")
    assert answer.headers["content-type"].startswith("text/css")
