"""The command line, as the installed command in a process of its own, on a data folder with everything in force."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.database import Database, Embedded, migrate
from ledger.doors.cli.answers import Verb, credits_text
from ledger.doors.cli.scheme import read_register
from ledger.journal.checkpoint import Signer, Verifier
from ledger.journal.receipt import Receipt
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.clock import system_clock
from ledger.scheme.credentials import Credentials
from ledger.scheme.keys import Keys
from ledger.scheme.offers import Details, NewOffer, Offers
from ledger.scheme.people import NewPerson, People
from ledger.scheme.projects import NewProject, Projects
from ledger.scheme.registers import Line
from ledger.scheme.states import Publication
from ledger.scheme.venues import NewVenue, Venues
from tests.conftest import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
VERIFIER = Signer("nobody.example/journal", Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
SESSION = ("--started", f"{DAY:%Y-%m-%dT10:00+0000}", "--ended", f"{DAY:%Y-%m-%dT13:00+0000}")


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever the command answers
        return json.loads(self.out)


class Scheme(NamedTuple):
    """A data folder with a project, an offer and two people, and nothing posted yet."""

    data: Path
    project: UUID
    offer: UUID
    ann: UUID
    bob: UUID
    device: UUID
    cards: dict[UUID, str]

    def redeem(self, who: UUID, key: str) -> tuple[object, ...]:
        """The command by which the till takes an hour's credits by their card."""
        asked = ("--device", self.device, "--offer", self.offer, "--name-checked")
        return ("redeem", self.cards[who], *asked, "--key", key)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
        return {**kept, "LEDGER_DATA": str(self.data), "COLUMNS": "200"}

    def run(self, *words: object, given: str | None = None, **environment: str) -> Said:
        done = subprocess.run(
            [BIN / "timecredits", *map(str, words)],
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=self.environment | environment,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def scheme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheme]:
    """Its server runs all the while, as beside a service: each command would start and stop one of its own."""
    data = tmp_path_factory.mktemp("cli") / "data"

    async def fill(dsn: str) -> Scheme:
        async with Database.open(dsn) as database:
            office = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
            venue, _ = await Venues(database, system_clock).create(office, "pool", NewVenue(name="The pool"))
            swim = NewOffer(venue=venue.id, details=Details(title="A swim", price=60))
            offer, _ = await Offers(database, system_clock).create(office, "swim", swim)
            await Offers(database, system_clock).change(office, offer.id, Publication.PUBLISHED)
            people = People(database, system_clock)
            shed = NewProject(name="The shed", alias="Thursdays")
            project, _ = await Projects(database, system_clock).create(office, "shed", shed)
            ann, _ = await people.create(office, "ann", NewPerson(name="Ann"))
            bob, _ = await people.create(office, "bob", NewPerson(name="Bob"))
            till, _ = await Keys(database, system_clock, "demo").create(Scope.VENUE, venue.id, "the till")
            assert till.device is not None
            cards = {
                who.id: str((await Credentials(database, system_clock).issue_card(office, who.name, who.id))[0].code)
                for who in (ann, bob)
            }
        return Scheme(data, project.id, offer.id, ann.id, bob.id, till.device, cards)

    with Embedded(data) as embedded:
        migrate(embedded.dsn())
        yield asyncio.run(fill(embedded.dsn()))


@pytest.fixture
def own(scheme: Scheme, tmp_path: Path) -> Scheme:
    """A data folder of the test's own, in which nothing has been started yet."""
    return scheme._replace(data=tmp_path / "own")


@pytest.fixture
def running(own: Scheme) -> Iterator[str]:
    """A service, started for the first time; at the end Ctrl-C, which must be a clean end."""
    process = subprocess.Popen(
        [BIN / "timecredits", "serve", "--empty", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=own.environment,
    )
    try:
        assert process.stderr is not None
        said = ""
        while "database" not in said:
            line = process.stderr.readline()
            assert line, f"it ended with {process.wait()}, and said: {said}"
            said += line
        found = re.search(r"is at (\S+) ", said)
        assert found is not None, said
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")


@pytest.fixture(scope="module")
def posts(scheme: Scheme, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """The command that posts a register of two."""
    register = tmp_path_factory.mktemp("register") / "register.csv"
    register.write_text(f"person,minutes\n{scheme.ann},150\n{scheme.bob},45\n")
    return ("register", "post", register, "--project", scheme.project, *SESSION)


def test_hours_are_recorded_and_spent(scheme: Scheme, posts: tuple[object, ...]) -> None:
    previewed = scheme.run(*posts, "--preview")
    assert (previewed.code, previewed.out) == (0, "2 people, 3 credits 15 minutes. Nothing was recorded.\n")
    recorded = scheme.run(*posts, "--json")
    assert recorded.code == 0, recorded.err
    assert (recorded.json["lines"], recorded.json["awarded"], recorded.json["replayed"]) == (2, 195, False)
    again = scheme.run(*posts)
    assert again.code == 0
    assert "nothing was counted twice" in again.out
    overlapping = scheme.run(*posts, "--key", "another")
    assert overlapping.code == 0
    assert "Recorded 2 people, 0 credits.\nline 1 waits for somebody to look at it (overlapping)" in overlapping.out

    assert scheme.run("balance", scheme.ann).out == "2 credits 30 minutes available\n"
    redeem = scheme.redeem(scheme.ann, "visit-1")
    first, second = scheme.run(*redeem, "--json"), scheme.run(*redeem, "--json")
    assert first.code == second.code == 0
    assert first.json["id"] == second.json["id"]
    assert (first.json["replayed"], second.json["replayed"]) == (False, True)
    refused = scheme.run(*scheme.redeem(scheme.bob, "visit-2"))
    assert (refused.code, refused.err.split(":")[0]) == (1, "insufficient_credits")
    assert scheme.run("balance", scheme.ann, "--json").json == {"available": 90, "held": 0}
    statement = scheme.run("statement", scheme.ann, "--json").json
    assert [line["minutes"] for line in statement] == [-60, 150]
    assert "-60" in scheme.run("statement", scheme.ann).out


def test_what_was_posted_is_proven_and_exported(scheme: Scheme, posts: tuple[object, ...], tmp_path: Path) -> None:
    assert scheme.run(*posts).code == 0
    first = scheme.run(*scheme.redeem(scheme.ann, "visit-1"), "--json")
    signed = scheme.run("checkpoint", "--sign", "--json")
    assert signed.code == 0, signed.err
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "1").write_text(signed.json["note"])
    verifier = signed.json["verifier"]
    assert Verifier.parse(verifier).open(signed.json["note"]).size == 3

    receipt = scheme.run("receipt", first.json["id"], "--json").json["receipt"]
    assert Receipt.parse(receipt).verify(Verifier.parse(verifier)).size == 3
    offline = scheme.run("verify", "receipt", "-", "--verifier", verifier, given=receipt, LEDGER_DATA=str(tmp_path))
    assert offline.code == 0, offline.err
    assert "position 3, plain" in offline.out
    forged = scheme.run("verify", "receipt", "-", "--verifier", verifier, given=receipt.replace("index 2", "index 1"))
    assert (forged.code, forged.err.split(":")[0]) == (4, "unverified")

    verified = scheme.run("verify", "journal", "--against", kept, "--json")
    assert verified.code == 0, verified.err
    assert (verified.json["entries"], verified.json["checkpoints"]) == (3, 2)
    proven = scheme.run("verify", "account", f"issued:{scheme.project.hex}", "--against", kept / "1")
    assert (proven.code, "minus 3 credits 15 minutes (-195 minutes) after 2 transfers" in proven.out) == (0, True)
    assert scheme.run("verify", "account", "wallet:nobody").code == 1

    checked = subprocess.run(
        [BIN / "bean-check", "/dev/stdin"],
        input=scheme.run("export", "beancount").out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    written = scheme.run("export", "jsonl", "--output", tmp_path / "all.jsonl", "--after", 1, "--json")
    assert written.json == {"last": 3}
    assert [json.loads(line)["position"] for line in (tmp_path / "all.jsonl").read_text().splitlines()] == [2, 3]


def test_a_first_start_shows_the_demo_and_a_second_keeps_it(own: Scheme) -> None:
    said = [serve_once(own), serve_once(own)]
    assert re.search(r"^  TILL=tc_demo_\w+$", said[0], re.MULTILINE), said[0]
    assert re.search(r"^  ANN=[0-9a-f-]{36} ", said[0], re.MULTILINE), said[0]
    assert "tc_demo" not in said[1], "its keys are shown once"
    first = r"^To look around, open http://127\.0\.0\.1:\d+/demo in a browser"
    assert all(re.search(first, each, re.MULTILINE) for each in said), said
    verified = own.run("verify", "journal", "--json")
    assert (verified.code, verified.json["entries"] > 30) == (0, True), verified


def test_a_live_journal_never_gets_the_demo(own: Scheme) -> None:
    said = serve_once(own, LEDGER_ENVIRONMENT="live")
    assert not re.search("tc_live|/demo", said), said
    verified = own.run("verify", "journal", "--json")
    assert (verified.code, verified.json["entries"]) == (0, 0), verified


def serve_once(own: Scheme, **environment: str) -> str:
    """What the service says at its start; then it is stopped, as an orchestrator does."""
    process = subprocess.Popen(
        [BIN / "timecredits", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=own.environment | environment,
    )
    assert process.stderr is not None
    said = ""
    while "database" not in said:
        line = process.stderr.readline()
        assert line, f"it ended with {process.wait()}, and said: {said}"
        said += line
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not (own.data / "cluster" / "postmaster.pid").exists(), "PostgreSQL was stopped with it"
    return said


def test_a_running_service_does_by_itself_what_comes_round(own: Scheme, running: str) -> None:
    assert running
    deadline = time.monotonic() + WAIT_SECONDS
    jobs = own.run("work", "list", "--json").json
    while any(job["ran_at"] is None for job in jobs):
        assert time.monotonic() < deadline, jobs
        jobs = own.run("work", "list", "--json").json
    assert {job["failed_at"] for job in jobs} == {None}


def test_commands_share_the_server_of_a_running_service(own: Scheme, running: str) -> None:
    with urllib.request.urlopen(f"{running}/health/ready", timeout=10) as answer:  # noqa: S310  # our own address
        assert answer.status == 200
    assert own.run("verify", "journal").code == 0
    refused = own.run("serve", "--port", running.rpartition(":")[2])
    assert (refused.code, "choose a --port" in refused.out) == (3, True)
    refused = own.run("serve", "--port", "0")
    assert (refused.code, "is in use by process" in refused.err) == (3, True)


def test_a_journal_that_was_altered_ends_with_four(own: Scheme) -> None:
    assert own.run("migrate", "--json").json == {"migrated": True}

    async def tamper(dsn: str) -> None:
        async with Database.open(dsn, role="ledger") as database:
            connection = await database.connect()
            await connection.execute("UPDATE journal.kind SET balance = 60 WHERE name = 'wallet'")
            await connection.close()

    with Embedded(own.data) as embedded:
        asyncio.run(tamper(embedded.dsn()))
    found = own.run("verify", "journal", "--json")
    assert found.code == 4, found.err
    assert (found.json["verified"], found.json["position"]) == (False, 0)
    assert "the accounts of kind 'wallet' come to 0" in own.run("verify", "journal").out

    async def is_kept(dsn: str) -> bool:
        async with Database.open(dsn) as database:
            connection = await database.connect()
            kept = "SELECT failed_at > ran_at IS NOT FALSE FROM scheme.work WHERE name = 'verify_journal'"
            found = await connection.fetchval(kept)
            await connection.close()
            return bool(found)

    with Embedded(own.data) as embedded:
        assert asyncio.run(is_kept(embedded.dsn())), "staff are told of it"


def test_keys_are_made_and_revoked(scheme: Scheme) -> None:
    made = scheme.run("key", "create", "project", "--for", scheme.project, "--days", 30, "--json")
    assert made.code == 0, made.err
    assert made.json["token"].startswith("tc_demo_")
    hers = ("key", "create", "project", "--for", scheme.project, "--person", scheme.ann, "--json")
    assert "must be a coordinator of that project" in scheme.run(*hers).err
    role = scheme.run("role", "grant", scheme.ann, "coordinator", "--project", scheme.project)
    assert role.code == 0, role.err
    own = scheme.run(*hers)
    assert (own.code, own.json["person"]) == (0, str(scheme.ann))
    assert scheme.run("key", "create", "person", "--person", scheme.ann).code == 0
    assert scheme.run("key", "create", "person").code == 1
    revoked = scheme.run("key", "revoke", made.json["id"], "--json")
    assert revoked.json["revoked_at"] is not None
    assert scheme.run("key", "revoke", uuid4()).code == 1
    assert scheme.run("key", "create", "venue").code == 1


@pytest.mark.parametrize(
    ("words", "environment", "code", "said"),
    [
        (("balance", "nobody"), {}, 2, "is not a valid UUID"),
        (("redeem", "CODE", "--device", UUID(int=1), "--key", ""), {}, 2, "1 to 255 visible ASCII characters"),
        (("redeem", "CODE", "--device", UUID(int=1), "--key", "a b"), {}, 2, "1 to 255 visible ASCII characters"),
        (("redeem", "CODE", "--device", UUID(int=1), "--key", "k" * 256), {}, 2, "1 to 255 visible ASCII characters"),
        (("key", "create", "scheme", "--days", 10**9), {}, 2, "1<=x<=1095"),
        (("key", "create", "scheme", "--label", "x" * 201), {}, 2, "1 to 200 characters"),
        (("statement", UUID(int=1), "--before", 2**63), {}, 2, "is not in the range"),
        (("export", "pdf"), {}, 2, "'pdf' is not one of"),
        (("verify", "journal"), {"LEDGER_DATA": "/nowhere"}, 2, "There is no journal in /nowhere"),
        (("verify", "journal"), {"LEDGER_PORT": "http"}, 2, "LEDGER_PORT"),
        (("verify", "journal"), {"LEDGER_DSN": "postgresql://nobody@127.0.0.1:1/none"}, 3, "can't be reached"),
        (("verify", "journal", "--verifier", "nonsense"), {}, 4, "has the form name+keyid+base64"),
        (("verify", "receipt", "-"), {"LEDGER_DATA": "/nowhere"}, 2, "Name the key that you trust"),
        (("balance", UUID(int=1)), {}, 1, "not_found"),
        (("export", "csv", "--output", "/nowhere/x.csv"), {}, 2, "can't be written"),
        (("checkpoint", "--sign"), {"LEDGER_SIGNING_KEY": "/etc/hostname"}, 2, "not an unencrypted private key"),
        (("verify", "journal", "--verifier", VERIFIER, "--against", sys.executable), {}, 2, "not text in UTF-8"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    scheme: Scheme, words: tuple[object, ...], environment: dict[str, str], code: int, said: str
) -> None:
    found = scheme.run(*words, **environment)
    assert (found.code, said in found.err) == (code, True), found
    assert "Traceback" not in found.err


def test_a_reader_who_has_enough_is_no_error(scheme: Scheme) -> None:
    piped = subprocess.run(
        ["bash", "-c", f"'{BIN}/timecredits' export csv | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env=scheme.environment,
        check=False,
    )
    assert (piped.stdout, piped.stderr) == ("0\n", "")


# ---- a register's file

PERSON = UUID(int=7)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has the columns []"),
        (b"person,minutes,person\n", "has the columns"),
        (b"person,time\n", "has the columns"),
        ("person,minutes\n".encode("utf-16"), "not in UTF-8"),
        (b"person,minutes\n\0,1\n", "NUL"),
        (f"person,minutes\n{PERSON}\n".encode(), "row 2: has 1 columns"),
        (f"person,minutes\n{PERSON},60\n{PERSON},1h\n".encode(), "row 3: has no whole number"),
        (f"person,minutes\n{PERSON},-60\n".encode(), "row 2: has no whole number"),
        (f"person,minutes\n{PERSON},1.0\n".encode(), "row 2: has no whole number"),
        (b"person,minutes\nAnn,60\n", "row 2: has no person's id"),
        (b"minutes\n60\n", "has the columns ['minutes']"),
        (b"name,minutes\n,60\n", "row 2: must say who it was in one of name, person, voucher"),
        (b"name,voucher,minutes\nAnn,Ann,60\n", "row 2: must say who it was"),
        (b"name,minutes\n" + b"A" * 201 + b",60\n", "row 2: has a name that isn't 1 to 200 characters"),
        (b'person,minutes\n"Ann,60\n', "row 2: unexpected end of data"),
        (b"person,minutes\n" + f"{PERSON},60\n".encode() * 5_001, "more than 5,000 rows"),
        (b"person,minutes\n" + b"x,x\n" * 30, "... and 10 more"),
        (b" " * (5 * 1024 * 1024 + 1), "larger than 5 MiB"),
    ],
)
def test_a_file_that_is_no_register_is_refused_with_its_rows(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "register.csv"
    file.write_bytes(data)
    with pytest.raises(click.UsageError) as found:
        read_register(file)
    assert said in found.value.message


def test_spreadsheets_ways_of_writing_a_register_are_read(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_bytes(f'\N{ZERO WIDTH NO-BREAK SPACE}Minutes, Person\r\n"60", {PERSON}\r\n\r\n'.encode())
    [line] = read_register(file)
    assert (line.person, line.minutes) == (PERSON, 60)


def test_somebody_new_and_somebody_without_an_account_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(f"person,name,voucher,minutes\n{PERSON},,,60\n,Zoe,,30\n,,Sam in blue,15\n")
    assert read_register(file) == [Line(60, PERSON), Line(30, name="Zoe"), Line(15, voucher="Sam in blue")]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 credits"),
        (60, "1 credit"),
        (165, "2 credits 45 minutes"),
        (1, "1 minute"),
        (-195, "minus 3 credits 15 minutes"),
    ],
)
def test_minutes_are_said_as_people_say_them(minutes: int, text: str) -> None:
    assert credits_text(minutes) == text


def test_a_defect_is_told_as_one_and_never_as_a_refusal() -> None:
    @click.command(cls=Verb)
    def broken() -> None:
        raise RuntimeError("nobody foresaw this")

    said = CliRunner().invoke(broken)

    assert said.exit_code == 70
    assert "nobody foresaw this" in said.stderr
    assert "defect" in said.stderr
