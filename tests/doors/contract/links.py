"""What the document says between the lines: which answers' ids a body may take up, and an example of each body.

The links to addresses are inferred by schemathesis itself: the `id` in what `POST /v1/projects` answers is a
`{project}`. That it may stand as `project` in a body, it doesn't see.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.doors.contract.known import Known


def examples(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The example of each request that has a body, by its operation's label."""
    for method, path, operation in operations(document):
        for example in _schema(operation.get("requestBody"), document).get("examples", ()):
            yield f"{method} {path}", example


def add_links(document: dict[str, Any]) -> None:
    """Add to whatever makes something a link to every request whose body names such a thing."""
    known = Known(document)
    takers = [
        (operation["operationId"], name, known.kind(name))
        for _, _, operation in operations(document)
        for name in _ids_of(operation.get("requestBody"), document)
    ]
    for _, path, operation in operations(document):
        if (answer := operation["responses"].get("201")) is None:
            continue
        own = known.named_by(path)
        told = {known.kind(own if name == "id" else name): name for name in _ids_of(answer, document)}
        answer["links"] = {
            f"{told[kind]} as {name} of {taker}": {
                "operationId": taker,
                "requestBody": {name: f"$response.body#/{told[kind]}"},
            }
            for taker, name, kind in takers
            if kind in told
        }


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each with its method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _ids_of(holder: Mapping[str, Any] | None, document: Mapping[str, Any]) -> Iterator[str]:
    """The names under which a JSON object holds ids, without those of what lies deeper in it."""
    for name, each in _schema(holder, document).get("properties", {}).items():
        if any(one.get("format") == "uuid" for one in (each, *each.get("anyOf", ()), *each.get("oneOf", ()))):
            yield name


def _schema(holder: Mapping[str, Any] | None, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the JSON that a request or an answer holds."""
    schema: Mapping[str, Any] = (holder or {}).get("content", {}).get("application/json", {}).get("schema", {})
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    return schema
