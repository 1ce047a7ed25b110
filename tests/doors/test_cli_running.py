"""The commands of what keeps the scheme running, on a server with everything in force."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from click.testing import CliRunner

from ledger.database import Embedded, migrate
from ledger.doors.cli import main
from ledger.scheme.periodic import JOBS
from ledger.scheme.rules import Rules

ANN = UUID("5d0c6b1e-6a53-4f0e-9a4e-0c6f2f6b8a01")
HOLDER = UUID("9b2f3c44-1d7a-4c58-8f0b-7a1e5d3c2b02")
PROJECT = UUID("1f4e8d2a-93b6-4d0f-a1c7-2b5e6f7a8b03")


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever the command answers
        return json.loads(self.out)


class Commands:
    """The command line on one database, and its owner's statements."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def run(self, *words: str) -> Said:
        done = CliRunner(env={"LEDGER_DSN": self._dsn, "COLUMNS": "300"}).invoke(main, words)
        return Said(done.exit_code, done.stdout, done.stderr)

    def execute(self, statement: str, *arguments: object) -> None:
        async def owned() -> None:
            connection = await asyncpg.connect(self._dsn)
            try:
                await connection.execute(statement, *arguments)
            finally:
                await connection.close()

        asyncio.run(owned())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for these tests: the commands refuse one that isn't durable."""
    with Embedded(tmp_path_factory.mktemp("running") / "data") as embedded:
        migrate(embedded.dsn())
        yield embedded.dsn()


@pytest.fixture
def commands(server: str) -> Commands:
    """The commands, with what earlier tests did to rules, work and outbox undone."""
    found = Commands(server)
    found.execute("DELETE FROM scheme.rules WHERE version > 1")
    found.execute(
        "TRUNCATE scheme.work, scheme.outbox, scheme.contact, scheme.project, scheme.person CASCADE;"
        "DROP FUNCTION IF EXISTS scheme.fail CASCADE"
    )
    return found


def test_the_rules_are_listed_with_their_meaning(commands: Commands) -> None:
    shown = commands.run("rules")
    assert shown.code == 0, shown.err
    assert "version 1" in shown.out
    [cap] = [line for line in shown.out.splitlines() if "daily_cap_minutes" in line]
    assert "480 minutes" in cap
    assert "a second person looks" in cap
    [later] = [line for line in shown.out.splitlines() if "sms_characters" in line]
    assert "does nothing yet" in later
    assert commands.run("rules", "list").out == shown.out
    found = commands.run("rules", "--json").json
    assert (found["version"], [rule["name"] for rule in found["rules"]]) == (1, list(Rules.__struct_fields__))


def test_rules_are_set_by_name_and_what_changed_is_told(commands: Commands) -> None:
    done = commands.run("rules", "set", "daily_cap_minutes=420", "back_days = 30")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "Version 2 of the rules is in force.",
        "  daily_cap_minutes: 480 minutes -> 420 minutes",
        "  back_days: 60 days -> 30 days",
    ]
    again = commands.run("rules", "set", "daily_cap_minutes=420", "goods_for_credits=no", "no_show=credits_return")
    assert (again.code, again.out) == (0, "Nothing differs: version 2 stays in force.\n")
    assert commands.run("rules", "set", "back_days=45", "--json").json["version"] == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "Missing argument"),
        (["daily_cap"], 2, "'daily_cap' is no rule's name and value"),
        (["daily_cap=420"], 2, "'daily_cap=420' is no rule's name and value"),
        (["daily_cap_minutes"], 2, "is no rule's name and value"),
        (["daily_cap_minutes="], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["daily_cap_minutes=8h"], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["daily_cap_minutes=-60"], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["daily_cap_minutes=1441"], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["daily_cap_minutes=" + "9" * 5000], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["daily_cap_minutes=\u0664\u0662\u0660"], 2, "daily_cap_minutes takes 15 to 1440, in minutes."),
        (["goods_for_credits=1"], 2, "goods_for_credits takes no or yes."),
        (["own_hours=allowed"], 2, "own_hours takes another_approves."),
        (["back_days=30", "back_days=40"], 2, "Name each rule once."),
        (["second_above_minutes=495"], 1, "second_above_minutes must be at most daily_cap_minutes"),
        (["goods_for_credits=yes"], 1, "goods_for_credits can't be changed yet"),
        (["back_days=30", "reminders=2"], 1, "reminders can't be changed yet"),
    ],
)
def test_what_cannot_be_set_is_said_and_changes_nothing(
    commands: Commands, words: list[str], code: int, said: str
) -> None:
    done = commands.run("rules", "set", *words)
    assert done.code == code, done.err
    assert said in done.err
    assert commands.run("rules", "--json").json["version"] == 1


def test_work_that_is_due_is_run_and_then_stands_done(commands: Commands) -> None:
    before = commands.run("work", "--json").json
    assert [job["name"] for job in before] == [job.name for job in JOBS]
    assert {job["ran_at"] for job in before} == {None}
    assert commands.run("work").out.count("never") == 2 * len(JOBS)

    first = commands.run("work", "run", "remove_contacts")
    assert (first.code, first.out) == (0, "remove_contacts: done\n")
    rest = commands.run("work", "run")
    said = {job.name: "not due" if job.name == "remove_contacts" else "done" for job in JOBS}
    assert (rest.code, rest.out) == (0, "".join(f"{name}: {outcome}\n" for name, outcome in said.items()))

    after = commands.run("work", "list", "--json").json
    assert all(job["ran_at"] and job["lag_seconds"] < 60 and job["failed_at"] is None for job in after)


def test_what_was_dealt_with_is_counted(commands: Commands) -> None:
    commands.execute(_PERSON, ANN, "Ann")
    commands.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", HOLDER, ANN)
    commands.execute(
        "INSERT INTO scheme.contact (person, phone, changed_at, used_at)"
        " VALUES ($1, '01223 000000', now(), now() - interval '25 months')",
        ANN,
    )
    assert commands.run("work", "run", "remove_contacts", "--json").json == [
        {"name": "remove_contacts", "outcome": "done", "count": 1}
    ]
    [event] = commands.run("outbox", "--json").json
    assert (event["topic"], event["holder"]) == ("contact_removed", str(HOLDER))


@pytest.mark.parametrize(("sqlstate", "code", "said"), [("22000", 70, "failed"), ("53100", 3, "unavailable")])
def test_work_that_fails_says_so_by_its_exit_code_and_stops_no_other(
    commands: Commands, sqlstate: str, code: int, said: str
) -> None:
    commands.execute(
        "CREATE FUNCTION scheme.fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE 'Ann' USING ERRCODE = '{sqlstate}'; END $$;"
        "CREATE TRIGGER fail BEFORE UPDATE ON scheme.consent EXECUTE FUNCTION scheme.fail()"
    )
    done = commands.run("work", "run")
    assert done.code == code
    outcomes = {job.name: said if job.name == "lapse_consents" else "done" for job in JOBS}
    assert done.out.splitlines() == [f"{name}: {outcome}" for name, outcome in outcomes.items()]
    assert "job=lapse_consents" in done.err
    jobs = {job["name"]: job for job in commands.run("work", "--json").json}
    assert {name for name, job in jobs.items() if job["failed_at"]} == {"lapse_consents"}
    assert {name for name, job in jobs.items() if not job["ran_at"]} == {"lapse_consents"}


def test_an_unknown_job_is_a_usage_error(commands: Commands) -> None:
    done = commands.run("work", "run", "make_tea")
    assert done.code == 2
    assert "close_forgotten" in done.err


def test_what_waits_is_listed_oldest_first_without_any_name(commands: Commands) -> None:
    commands.execute(_PERSON, ANN, "Annabel")
    commands.execute(
        "INSERT INTO scheme.project (id, name, alias, status, created_at)"
        " VALUES ($1, 'Recovery cafe', 'Thursdays', 'active', now())",
        PROJECT,
    )
    commands.execute(_EVENT, 1, "awarded", HOLDER, PROJECT, None)
    commands.execute(_EVENT, 3, "corrected", None, None, None)
    commands.execute(_EVENT, 4, "awarded", HOLDER, PROJECT, datetime.now(UTC))
    shown = commands.run("outbox")
    assert shown.code == 0, shown.err
    rows = [line for line in shown.out.splitlines() if "minutes 150" in line]
    assert ["corrected" in row for row in rows] == [True, False]
    assert "Thursdays" in rows[1]
    assert str(HOLDER) in rows[1]
    assert "Annabel" not in shown.out
    assert "Recovery" not in shown.out

    found = commands.run("outbox", "--json")
    assert [(event["topic"], event["alias"], event["body"]) for event in found.json] == [
        ("corrected", None, {"minutes": 150}),
        ("awarded", "Thursdays", {"minutes": 150}),
    ]
    assert [event["topic"] for event in commands.run("outbox", "--topic", "awarded", "--json").json] == ["awarded"]
    assert len(commands.run("outbox", "--limit", "1", "--json").json) == 1
    everything = commands.run("outbox", "--all", "--json").json
    assert [event["delivered_at"] is None for event in everything] == [False, True, True]


@pytest.mark.parametrize("words", [["--topic", "made_tea"], ["--limit", "0"], ["--limit", "1e2"]])
def test_what_is_no_topic_or_limit_is_a_usage_error(commands: Commands, words: list[str]) -> None:
    assert commands.run("outbox", *words).code == 2


_PERSON = "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())"
_EVENT = """
INSERT INTO scheme.outbox (id, at, topic, holder, project, body, delivered_at)
VALUES (gen_random_uuid(), now() - make_interval(hours => $1), $2, $3, $4, '{"minutes":150}', $5)
"""
