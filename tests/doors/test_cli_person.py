"""`timecredits person`: a copy of everything held about somebody, and erasure."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from ledger.database import Database, Embedded, migrate
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.clock import system_clock
from ledger.scheme.copies import Copy
from ledger.scheme.credentials import Credentials
from ledger.scheme.keys import Keys
from ledger.scheme.offers import Details, NewOffer, Offers
from ledger.scheme.people import NewPerson, People
from ledger.scheme.projects import NewProject, Projects
from ledger.scheme.states import Publication
from ledger.scheme.venues import NewVenue, Venues
from tests.doors.test_cli import SESSION, Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scheme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheme]:
    """Ann and Bob gave two hours and a half and 45 minutes; of Ann's, 60 minutes are on hold."""
    data = tmp_path_factory.mktemp("person") / "data"

    async def fill(dsn: str) -> Scheme:
        async with Database.open(dsn) as database:
            office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
            venue, _ = await Venues(database, system_clock).create(office, "pool", NewVenue(name="The pool"))
            swim = NewOffer(venue=venue.id, details=Details(title="A swim", price=60))
            offer, _ = await Offers(database, system_clock).create(office, "swim", swim)
            await Offers(database, system_clock).change(office, offer.id, Publication.PUBLISHED)
            shed = NewProject(name="The shed", alias="Thursdays")
            project, _ = await Projects(database, system_clock).create(office, "shed", shed)
            ann, _ = await People(database, system_clock).create(office, "ann", NewPerson(name="Ann"))
            bob, _ = await People(database, system_clock).create(office, "bob", NewPerson(name="Bob"))
            till, _ = await Keys(database, system_clock, "demo").create(Scope.VENUE, venue.id, "the till")
            assert till.device is not None
            cards = {
                who.id: str((await Credentials(database, system_clock).issue_card(office, who.name, who.id))[0].code)
                for who in (ann, bob)
            }
        return Scheme(data, project.id, offer.id, ann.id, bob.id, till.device, cards)

    with Embedded(data) as embedded:
        migrate(embedded.dsn())
        made = asyncio.run(fill(embedded.dsn()))
        register = data.parent / "register.csv"
        register.write_text(f"person,minutes\n{made.ann},150\n{made.bob},45\n")
        posted = made.run("register", "post", register, "--project", made.project, *SESSION)
        asked = ("--device", made.device, "--offer", made.offer, "--name-checked", "--hold")
        held = made.run("redeem", made.cards[made.ann], *asked, "--key", "visit")
        assert (posted.code, held.code) == (0, 0), posted.err + held.err
        yield made


def test_the_copy_of_a_person(scheme: Scheme) -> None:
    shown = scheme.run("person", "copy", scheme.bob)
    assert shown.code == 0, shown.err
    assert shown.out.startswith("Bob, known since 20")
    assert ": 45 minutes available.\n" in shown.out
    assert "\n  claims 1\n" in shown.out
    whole = scheme.run("person", "copy", scheme.bob, "--json")
    copy = msgspec.json.decode(whole.out, type=Copy)
    assert (copy.person.id, copy.available, len(copy.wallet)) == (scheme.bob, 45, 1)
    verbs = ["copy_read", "credential_issued", "person_added"]
    assert [act.verb for act in copy.acts] == verbs, "the copy before, the card, and that they are known at all"
    nobody = scheme.run("person", "copy", uuid4(), "--json")
    assert (nobody.code, json.loads(nobody.err)["error"]) == (1, "not_found")


def test_erasing_a_person(scheme: Scheme) -> None:
    erase = ("person", "erase", scheme.ann, "--give-to", "community")
    unsure = scheme.run(*erase)
    assert unsure.code == 2
    assert "can't be undone" in unsure.err
    assert scheme.run("balance", scheme.ann).out == "1 credit 30 minutes available; 1 credit on hold\n"

    erased = scheme.run(*erase, "--yes")

    assert erased.code == 0, erased.err
    assert erased.out == (
        "Erased. 2 credits 30 minutes went to the community's pot. Holds at venues that were voided first: 1.\n"
    )
    again = scheme.run(*erase, "--yes", "--json")
    assert again.code == 0
    assert (again.json["replayed"], again.json["minutes"], again.json["holds"]) == (True, 150, 1)
    otherwise = scheme.run("person", "erase", scheme.ann, "--give-to", "surrender", "--yes", "--json")
    assert (otherwise.code, json.loads(otherwise.err)["error"]) == (1, "not_found")
    for command in ("balance", "statement"):
        assert scheme.run(command, scheme.ann).code == 1
    assert scheme.run("verify", "journal").code == 0


@pytest.mark.parametrize("give_to", [(), ("--give-to", "me")], ids=["nothing said", "nowhere known"])
def test_it_must_say_where_the_credits_go(scheme: Scheme, give_to: tuple[str, ...]) -> None:
    said = scheme.run("person", "erase", scheme.bob, *give_to, "--yes")
    assert said.code == 2
    assert "--give-to" in said.err
    assert scheme.run("balance", scheme.bob).code == 0
