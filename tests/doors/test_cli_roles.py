"""`timecredits role` and `timecredits audit`: the first of the staff is made here, and what was done is read."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from ledger.database import Database, Embedded, migrate
from ledger.scheme.callers import OPERATOR
from ledger.scheme.clock import system_clock
from ledger.scheme.people import NewPerson, People
from ledger.scheme.projects import NewProject, Projects
from tests.doors.test_cli import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def scheme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheme]:
    data = tmp_path_factory.mktemp("roles") / "data"

    async def fill(dsn: str) -> Scheme:
        async with Database.open(dsn) as database:
            people = People(database, system_clock)
            ann, bob = [(await people.create(OPERATOR, name, NewPerson(name=name)))[0] for name in ("Ann", "Bob")]
            asked = NewProject(name="The shed", alias="Tuesdays")
            project, _ = await Projects(database, system_clock).create(OPERATOR, "shed", asked)
        return Scheme(data, project.id, uuid4(), ann.id, bob.id, device=uuid4(), cards={})

    with Embedded(data) as embedded:
        migrate(embedded.dsn())
        yield asyncio.run(fill(embedded.dsn()))


def test_a_role_is_granted_listed_and_ended_and_the_trail_tells_it(scheme: Scheme) -> None:
    project = str(scheme.project)
    words = ("role", "grant", scheme.ann, "coordinator", "--project", project, "--key", "ann")
    said = scheme.run(*words)
    assert said.code == 0, said.err
    assert said.out.startswith("They are coordinator now.\nrole ")
    made = scheme.run(*words, "--json").json
    assert made["replayed"]
    assert made["id"] in said.out
    listed = scheme.run("role", "list", "--project", project)
    assert all(word in listed.out for word in ("coordinator", "The shed", "Ann"))
    [held] = scheme.run("role", "list", "--json").json
    assert (held["id"], held["name"], held["place"]) == (made["id"], "Ann", "The shed")
    assert scheme.run("role", "end", made["id"]).out == "They are not coordinator there any more.\n"
    assert scheme.run("role", "list", "--json").json == []
    acts = scheme.run("audit", "--limit", "2", "--json").json
    assert [(act["verb"], act["scope"], act["object"]) for act in acts] == [
        (verb, "scheme", made["id"]) for verb in ("role_ended", "role_granted")
    ]
    [granted] = scheme.run("audit", "--before", acts[0]["id"], "--verb", "role_granted", "--json").json
    assert granted == acts[1]
    assert scheme.run("audit", "--since", "2099-01-01", "--json").json == []
    assert all(word in scheme.run("audit").out for word in ("role_ended", "person_added", acts[0]["holder"]))


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("role", "grant", NOBODY, "staff"), 1, "wrong_values"),
        (("role", "grant", NOBODY, "manager"), 1, "wrong_values"),
        (("role", "end", NOBODY), 1, "not_found"),
        (("role", "grant", NOBODY, "queen"), 2, ""),
        (("role", "list", "--project", NOBODY, "--venue", NOBODY), 2, ""),
        (("audit", "--since", "yesterday"), 2, ""),
        (("audit", "--limit", "0"), 2, ""),
    ],
)
def test_what_is_wrong_is_told_by_the_exit_code(scheme: Scheme, words: tuple[str, ...], code: int, error: str) -> None:
    said = scheme.run(*words, *(["--json"] if error else []))
    assert said.code == code, said.err
    if error:
        assert json.loads(said.err)["error"] == error
