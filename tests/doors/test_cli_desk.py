"""`timecredits card`: given, replaced, blocked and unblocked at a desk without the API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import pytest

from ledger.database import Database, Embedded, migrate
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.clock import system_clock
from ledger.scheme.codes import read_code
from ledger.scheme.people import NewPerson, People
from tests.doors.test_cli import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Desk(NamedTuple):
    """A data folder, and the server that runs on it all the while."""

    data: Path
    dsn: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    data = tmp_path_factory.mktemp("desk") / "data"
    with Embedded(data) as embedded:
        migrate(embedded.dsn())
        yield Desk(data, embedded.dsn())


@pytest.fixture
def scheme(desk: Desk) -> Scheme:
    """With two people of the test's own, and nothing else."""

    async def fill() -> Scheme:
        office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
        async with Database.open(desk.dsn) as database:
            people = People(database, system_clock)
            ann, bob = [(await people.create(office, uuid4().hex, NewPerson(name=name)))[0] for name in ("Ann", "Bob")]
        nothing = uuid4()
        return Scheme(desk.data, nothing, nothing, ann.id, bob.id, device=nothing, cards={})

    return asyncio.run(fill())


def test_a_card_is_issued_and_its_code_is_shown_large(scheme: Scheme) -> None:
    said = scheme.run("card", "issue", scheme.ann, "--key", "ann")
    assert said.code == 0, said.err
    large, small = said.out.strip().split("\n\n")
    code = read_code(large)
    assert code is not None
    assert small.endswith(f"the QR code holds {code[:4]}-{code[4:8]}-{code[8:]}")
    again = scheme.run("card", "issue", scheme.ann, "--key", "ann", "--json")
    assert (again.json["replayed"], read_code(again.json["code"])) == (True, code)
    another = scheme.run("card", "issue", scheme.ann, "--json")
    assert (another.code, json.loads(another.err)["error"]) == (1, "wrong_state")


def test_a_card_is_replaced_and_a_retry_replaces_no_second_one(scheme: Scheme) -> None:
    none = scheme.run("card", "replace", scheme.ann, "--json")
    assert (none.code, json.loads(none.err)["error"]) == (1, "wrong_state")
    old = scheme.run("card", "issue", scheme.ann, "--json").json
    new, again = [scheme.run("card", "replace", scheme.ann, "--key", "lost", "--json").json for _ in range(2)]
    assert new["code"] != old["code"]
    assert again == {**new, "replayed": True}
    blocked = scheme.run("card", "block", old["credential"]["id"], "--json")
    assert (blocked.code, json.loads(blocked.err)["detail"]) == (1, "It was replaced already.")


def test_a_card_is_blocked_by_its_person_or_itself_and_works_again(scheme: Scheme) -> None:
    card = scheme.run("card", "issue", scheme.ann, "--json").json["credential"]["id"]
    for named in (scheme.ann, card):
        assert scheme.run("card", "block", named).out == "The card is blocked.\n"
        assert scheme.run("card", "unblock", named).out == "The card is active.\n"
    first, again = [scheme.run("card", "block", card, "--key", "once", "--json").json for _ in range(2)]
    assert (first["status"], first["replayed"], again["replayed"]) == ("blocked", False, True)


def test_a_card_ends_when_it_is_said(scheme: Scheme) -> None:
    issued = scheme.run("card", "issue", scheme.bob, "--until", "2099-01-01T00:00+0000", "--json").json
    assert issued["credential"]["expires_at"] == "2099-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("issue", "11111111-1111-4111-8111-111111111111"), 1, "not_found"),
        (("replace", "11111111-1111-4111-8111-111111111111"), 1, "not_found"),
        (("block", "11111111-1111-4111-8111-111111111111"), 1, "not_found"),
        (("issue", "Ann"), 2, ""),
        (("issue", "11111111-1111-4111-8111-111111111111", "--until", "tomorrow"), 2, ""),
        (("issue", "11111111-1111-4111-8111-111111111111", "--key", "two words"), 2, ""),
        (("lose",), 2, ""),
    ],
)
def test_what_is_wrong_is_told_by_the_exit_code(scheme: Scheme, words: tuple[str, ...], code: int, error: str) -> None:
    said = scheme.run("card", *words, *(["--json"] if error else []))
    assert said.code == code, said.err
    if error:
        assert json.loads(said.err)["error"] == error
