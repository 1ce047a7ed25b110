"""The API described: OpenAPI 3.1 at `/docs/openapi.json`, its page at `/docs`, problems at `/docs/problems`.

Nothing is loaded from outside: Swagger UI comes from the wheel `swagger-ui-py`, its validator badge (which
would send the document's address away) is off, and the pages' policy permits this site only. Assets have
the wheel's version in their address and are cached for good.

What Litestar leaves out or gets wrong (2.25) is mended once, when the document is first rendered; Litestar
keeps the result:

- errors are `application/problem+json` of the one schema `Problem`, as `default` of every operation besides
  the statuses it names; those that the guard may answer to any request are named everywhere;
- every object that a request can hold is closed (`additionalProperties: false`), for `Input` forbids
  unknown fields;
- `page_size` reads its integer as text to be strict: the document shows an integer.

Give `documentation(...)` to Litestar as `openapi_config`.
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import ResponseHeader
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPI, SecurityScheme
from litestar.params import FromPath

from ledger.doors.api.problems import KINDS, MEDIA_TYPE, Kind, Problem

PATH: Final = "/docs"

# Seen in Chromium with every operation open: Swagger UI draws icons from data: addresses and needs no more.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Examples = Mapping[type[msgspec.Struct], Mapping[str, Any]]

# What the guard may answer before a route is asked: for an address or header; for a body, looked for in all but GET.
_OF_ADDRESSES: Final = (HTTPStatus.BAD_REQUEST,)
_OF_BODIES: Final = (
    *_OF_ADDRESSES,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASSETS: Final = f"{PATH}/assets/{version('swagger-ui-py')}"
_TYPES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript; charset=utf-8",
}
_START: Final = b"""\
SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0
});
"""


@cache
def _asset(name: str) -> bytes:
    if name == "start.js":
        return _START
    spec = find_spec("swagger_ui")  # found, not imported: its code brings a template engine along
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return (Path(spec.submodule_search_locations[0]) / "static" / name).read_bytes()


@get("/assets/{release:str}/{name:str}", sync_to_thread=False)
def _serve_asset(release: FromPath[str], name: FromPath[str]) -> Response[bytes]:  # noqa: ARG001 - only names the address
    if name not in _TYPES:
        raise NotFoundException
    return Response(_asset(name), headers={"content-type": _TYPES[name], "cache-control": _FOREVER})


def _page(title: str, head: str, body: str) -> bytes:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f'<link rel="icon" href="{_ASSETS}/favicon-32x32.png">\n{head}</head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    ).encode()


class _SwaggerPage(OpenAPIRenderPlugin):
    """The page that reads the document."""

    def __init__(self, title: str) -> None:
        super().__init__(path="/")
        self._html = _page(
            title,
            f'<link rel="stylesheet" href="{_ASSETS}/swagger-ui.css">\n',
            f'<noscript>This page needs JavaScript; <a href="{PATH}/openapi.json">the document</a> does not.'
            f'</noscript>\n<div id="swagger-ui"></div>\n'
            f'<script src="{_ASSETS}/swagger-ui-bundle.js"></script>\n'
            f'<script src="{_ASSETS}/start.js"></script>\n',
        )

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - Litestar's signature
        return self._html


def _problems_page(kinds: Mapping[str, Kind]) -> bytes:
    sections = (
        f'<section id="{code}">\n<h2><code>{code}</code> - {kind.status}</h2>\n'
        f"<p>{html.escape(kind.title)}.</p>\n<p>{html.escape(kind.meaning)}</p>\n</section>\n"
        for code, kind in sorted(kinds.items())
    )
    return _page("Problems", "", f"<main>\n<h1>Problems</h1>\n{''.join(sections)}</main>\n")


# --- the document ----------------------------------------------------------------------------------


def _references(part: object) -> Iterator[str]:
    """Yield the names of the components that a part of the document refers to."""
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            yield from _references(child)


def _close(part: object) -> None:
    """Close every object in a part of the document that names its properties and says nothing of others."""
    if isinstance(part, dict):
        if "properties" in part:
            part.setdefault("additionalProperties", False)
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            _close(child)


def _settle_items(part: object) -> None:
    """Have a `tuple[X, ...]` be a list of X: Litestar (2.25) takes the dots for a type, and writes X or anything."""
    if isinstance(part, dict):
        match part.get("items"):
            case {"oneOf": [item, {**nothing}]} if not nothing:
                part["items"] = item
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            _settle_items(child)


def _mend(document: dict[str, Any]) -> dict[str, Any]:
    _settle_items(document)
    components: dict[str, Any] = document["components"].setdefault("schemas", {})
    _, problem_schemas = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    components.update(problem_schemas)
    asked: set[str] = set()
    for path_item in document["paths"].values():
        for method, operation in path_item.items():
            if not (isinstance(operation, dict) and "responses" in operation):
                continue
            operation["responses"] = _mended_answers(method, operation["responses"])
            for parameter in operation.get("parameters", ()):
                if parameter["schema"].get("type") == "integer":
                    parameter["schema"].pop("pattern", None)
            if body := operation.get("requestBody"):
                _close(body)
                asked.update(_references(body))
    closed: set[str] = set()
    while asked:
        name = asked.pop()
        closed.add(name)
        _close(components[name])
        asked.update(set(_references(components[name])) - closed)
    return document


def _mended_answers(method: str, answers: dict[str, Any]) -> dict[str, Any]:
    for refusal in _OF_ADDRESSES if method == "get" else _OF_BODIES:
        answers.setdefault(str(refusal.value), {"description": refusal.phrase})
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, answer in answers.items():
        if status.startswith(("4", "5")):
            answer["content"] = content
    return {**dict(sorted(answers.items())), "default": {"description": "Refused or failed", "content": content}}


class _Mended(OpenAPI):
    """Litestar's document, mended when it is rendered."""

    def __init__(self, plain: OpenAPI, examples: Examples) -> None:
        super().__init__(**{each.name: getattr(plain, each.name) for each in fields(plain) if each.init})
        self._examples = examples

    def to_schema(self) -> dict[str, Any]:
        document = _mend(super().to_schema())
        components = document["components"]["schemas"]
        for struct, example in self._examples.items():
            components[struct.__name__]["examples"] = [example]
        return document


@dataclass
class _Documentation(OpenAPIConfig):
    examples: Examples = field(default_factory=dict)

    def to_openapi_schema(self) -> OpenAPI:
        return _Mended(super().to_openapi_schema(), self.examples)


def documentation(
    *,
    title: str,
    version: str,
    description: str,
    kinds: Mapping[str, Kind] = KINDS,
    examples: Examples = MappingProxyType({}),
) -> OpenAPIConfig:
    """Return Litestar's `openapi_config`; one for each application.

    Args:
        title: of the API and of the page.
        version: of the API.
        description: what it is for, in Markdown.
        examples: by the Struct of a body, one that shows it.
        kinds: every problem that `type` may lead to: `KINDS` and the refusals of the scheme.
    """
    problems_html = _problems_page(kinds)

    @get("/problems", media_type="text/html", sync_to_thread=False)
    def problems_page() -> bytes:
        return problems_html

    return _Documentation(
        title=title,
        version=version,
        description=description,
        render_plugins=[_SwaggerPage(title)],
        examples=examples,
        openapi_router=Router(
            PATH,
            route_handlers=[_serve_asset, problems_page],
            include_in_schema=False,
            response_headers=[ResponseHeader(name="content-security-policy", value=_POLICY)],
        ),
        components=Components(
            security_schemes={
                "apiKey": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="tc_<environment>_<id>_<secret>_<checksum>"
                )
            }
        ),
        security=[{"apiKey": []}],
    )
