"""The API's description, and its pages without any request to another site."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from msgspec import Meta

from ledger.doors.api.guard import guard
from ledger.doors.api.inputs import IdempotencyKey, Input, StrictRequest, page_size
from ledger.doors.api.openapi import documentation
from ledger.doors.api.problems import HANDLERS, KINDS
from ledger.doors.fields import Minutes, Moment, Name


class Line(Input, frozen=True, kw_only=True):
    name: Name
    minutes: Minutes
    happened_at: Moment | None = None


class Register(Input, frozen=True, kw_only=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=5_000)]


@post("/v1/registers")
async def post_register(data: JSONBody[Register], idempotency_key: IdempotencyKey) -> int:
    return len(data.lines) + len(idempotency_key)


@get("/v1/lines", dependencies={"page_size": Provide(page_size, sync_to_thread=False)})
async def list_lines(page_size: NamedDependency[int]) -> int:
    return page_size


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    application = Litestar(
        [post_register, list_lines],
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=documentation(title="Toy <API>", version="1.0.0", description="A toy."),
    )
    transport = httpx.ASGITransport(guard(application, hosts=["localhost"]))
    # No lifespan: anyio forbids leaving Litestar's in another task than the one in which a fixture began it.
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as it:
        yield it


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/docs/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_it_is_openapi_3_1_with_a_bearer_key(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    [(name, scheme)] = document["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["security"] == [{name: []}]


def test_every_operation_answers_refusals_with_a_problem(document: dict[str, Any]) -> None:
    for path_item in document["paths"].values():
        for operation in path_item.values():
            refusals = {status: it for status, it in operation["responses"].items() if not status.startswith("2")}
            assert "default" in refusals
            for refusal in refusals.values():
                [(media_type, content)] = refusal["content"].items()
                assert media_type == "application/problem+json"
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert {"type", "title", "status", "detail", "request_id"} == set(
        document["components"]["schemas"]["Problem"]["required"]
    )


def test_what_the_guard_may_answer_is_named_everywhere(document: dict[str, Any]) -> None:
    assert document["paths"]["/v1/registers"]["post"]["responses"].keys() >= {"400", "413", "415", "422"}
    asked = document["paths"]["/v1/lines"]["get"]["responses"].keys()
    assert "400" in asked
    assert not asked & {"413", "415", "422"}


def test_what_a_request_holds_is_closed_and_bounded(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    [register] = [schema for name, schema in schemas.items() if name.endswith("Register")]
    [line] = [schema for name, schema in schemas.items() if name.endswith("Line")]
    assert register["additionalProperties"] is False
    assert line["additionalProperties"] is False
    assert line["required"] == ["minutes", "name"]
    assert (line["properties"]["minutes"]["minimum"], line["properties"]["minutes"]["maximum"]) == (1, 6_000)
    assert line["properties"]["name"]["maxLength"] == 200
    assert register["properties"]["lines"]["maxItems"] == 5_000


def test_what_is_answered_stays_open(document: dict[str, Any]) -> None:
    assert "additionalProperties" not in document["components"]["schemas"]["Problem"]


def test_the_key_and_the_page_size_are_described(document: dict[str, Any]) -> None:
    [key] = document["paths"]["/v1/registers"]["post"]["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert key["schema"]["maxLength"] == 255
    [limit] = document["paths"]["/v1/lines"]["get"]["parameters"]
    assert (limit["name"], limit["in"], limit["required"]) == ("limit", "query", False)
    assert limit["schema"]["type"] == "integer"
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"], limit["schema"]["default"]) == (
        1,
        200,
        25,
    )
    assert "pattern" not in limit["schema"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)):
        assert reference in document["components"]["schemas"]


def test_the_documentation_documents_the_product_only(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {"/v1/registers", "/v1/lines"}


async def test_the_document_is_mended_once_and_then_the_same(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/docs/openapi.json"), await client.get("/docs/openapi.json")
    assert first.content == second.content


class Loads(HTMLParser):
    """What a page loads, and what it has inline."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in {"script", "img", "iframe"} and (source := found.get("src")):
            self.addresses.append(source)
        if tag == "link" and (source := found.get("href")):
            self.addresses.append(source)
        self.inline_scripts += tag == "script" and "src" not in found


@pytest.mark.parametrize("page", ["/docs", "/docs/problems"])
async def test_a_page_loads_nothing_from_outside(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    loads = Loads()
    loads.feed(answer.text)
    assert loads.inline_scripts == 0
    assert not re.search(r"(https?:)?//", answer.text)
    for address in loads.addresses:
        asset = await client.get(address)
        assert asset.status_code == 200, address
        assert "immutable" in asset.headers["cache-control"]
        assert "python" not in asset.headers["content-type"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert "unsafe" not in policy


async def test_swagger_reads_our_document_and_sends_it_to_no_validator(client: httpx.AsyncClient) -> None:
    loads = Loads()
    loads.feed((await client.get("/docs")).text)
    [start] = [address for address in loads.addresses if address.endswith("start.js")]
    script = (await client.get(start)).text
    assert 'url: "/docs/openapi.json"' in script
    assert "validatorUrl: null" in script


@pytest.mark.parametrize("name", ["swagger-editor.js", "..%2f__init__.py", "nothing"])
async def test_nothing_else_of_the_wheel_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/assets/0/{name}")).status_code == 404


async def test_every_problem_has_its_paragraph(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs/problems")).text
    for code in KINDS:
        assert f'id="{code}"' in page


async def test_the_title_is_text(client: httpx.AsyncClient) -> None:
    assert "<title>Toy &lt;API&gt;</title>" in (await client.get("/docs")).text
