"""The commands of vouchers and opening balances: on a server with everything in force, and the lists by themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click
import pytest

from ledger.database import Embedded, migrate
from ledger.doors.cli.lists import FILE_BYTES_MAX, Listed, read_list, told_by_row
from ledger.scheme.openings import LINES_MAX
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.test_cli_running import Commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANN = UUID(int=7)
NEXT_YEAR = f"{datetime.now(UTC) + timedelta(days=365):%Y-%m-%d}"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The command line on a server of its own; what a test makes the next one finds."""
    with Embedded(tmp_path_factory.mktemp("paper") / "data") as embedded:
        migrate(embedded.dsn())
        yield Commands(embedded.dsn())


def taken_over(commands: Commands, folder: Path, text: str, source: str) -> list[str]:
    """Take over that list, and return the people who were new."""
    file = folder / f"{source}.csv"
    file.write_text(text)
    opened = commands.run("opening", str(file), "--source", source, "--commit", "--json")
    assert opened.code == 0, opened.err
    return [newcomer["person"] for newcomer in opened.json["newcomers"]]


# --- vouchers -----------------------------------------------------------------------------------------------


def test_vouchers_are_printed_a_code_a_line_and_what_is_unused_is_voided(commands: Commands, tmp_path: Path) -> None:
    eve, ann = taken_over(commands, tmp_path, "name,minutes\nEve,600\nAnn,15\n", "vouchers")
    assert commands.run("person", "erase", eve, "--give-to", "community", "--yes").code == 0
    many = ("--count", "3", "--minutes", "60", "--last-day", NEXT_YEAR, "--label", "Winter swims", "--key", "k")
    first = commands.run("voucher", "print", "--pot", "community", *many)
    assert first.code == 0, first.err
    said, *codes, last = first.out.splitlines()
    assert said.startswith("Winter swims: 3 vouchers, 1 credit each, to be used until ")
    assert [bool(re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}", code)) for code in codes] == [True] * 3
    again = commands.run("voucher", "print", "--pot", "community", *many, "--json").json
    assert again["replayed"]
    assert [one["code"] for one in again["vouchers"]] == codes, "the same, and none twice"
    batch = last.removeprefix("batch ")
    assert commands.run("voucher", "codes", batch).out == first.out

    more = ("voucher", "print", "--pot", "community", "--count", "100", *many[2:-1], "another")
    assert commands.run(*more).code == 1
    voided = commands.run("voucher", "void", batch, "--key", "v")
    assert (voided.code, voided.out) == (0, "3 credits went back to the pot.\n")
    assert "already" in commands.run("voucher", "void", batch, "--key", "v").out
    assert commands.run("voucher", "codes", batch, "--json").json["vouchers"] == []
    assert commands.run("balance", ann).out == "15 minutes available\n"


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"--pot": "somebody's"}, 2, "a group's id or 'community'"),
        ({"--pot": str(uuid4())}, 1, "is no group of this scheme"),
        ({"--count": "0"}, 2, "1<=x<=1000"),
        ({"--count": "1001"}, 2, "1<=x<=1000"),
        ({"--minutes": "6001"}, 2, "1<=x<=6000"),
        ({"--minutes": "1h"}, 2, "not a valid integer"),
        ({"--last-day": "31/12/2026"}, 2, "does not match the format"),
        ({"--last-day": "2020-01-01"}, 1, "must be today or later"),
        ({"--label": "two\nlines"}, 2, "on one line"),
        ({"--label": " "}, 2, "on one line"),
        ({"--key": "with space"}, 2, "visible ASCII"),
        ({"--count": "1000", "--minutes": "6000"}, 1, "insufficient_credits"),
    ],
)
def test_what_cannot_be_printed_has_its_exit_code(
    commands: Commands, changed: dict[str, str], code: int, said: str
) -> None:
    options = {
        "--pot": "community",
        "--count": "3",
        "--minutes": "60",
        "--last-day": NEXT_YEAR,
        "--label": "Swims",
        "--key": str(uuid4()),
    } | changed
    found = commands.run("voucher", "print", *(word for option in options.items() for word in option))
    assert (found.code, said in found.err) == (code, True), found


# --- opening balances ---------------------------------------------------------------------------------------


def test_a_list_is_previewed_and_taken_over_once(commands: Commands, tmp_path: Path) -> None:
    (ann,) = taken_over(commands, tmp_path, "name,minutes\nAnn Other,30\n", "before")
    file = tmp_path / "balances.csv"
    file.write_text(f"person,name,minutes\n{ann},,150\n\n,Bob,45\n,ann other,60\n,Cat,15\n,cat,15\n,,\n")
    words = ("opening", str(file), "--source", "timebank")
    previewed = commands.run(*words)
    assert previewed.code == 0, previewed.err
    assert previewed.out.splitlines() == [
        "5 balances, 4 credits 45 minutes; 4 people are new.",
        "Somebody else has the same name in row 5, 6, 7: if they are the same person, name their id.",
        "Nothing was taken over: add --commit to do so.",
    ]
    assert commands.run(*words, "--json").json == {
        "committed": False,
        "lines": 5,
        "minutes": 285,
        "newcomers": 4,
        "namesakes": [2, 3, 4],
    }
    assert commands.run("balance", ann).out == "30 minutes available\n", "a preview writes nothing"

    first, again = commands.run(*words, "--commit"), commands.run(*words, "--commit")
    assert first.out.startswith("Took over 5 balances, 4 credits 45 minutes; 4 people are new.\nopening "), first
    assert "(already: nothing was counted twice)" in again.out
    assert commands.run("balance", ann).out == "3 credits available\n"
    refused = commands.run(*words, "--commit", "--key", "another-list")
    assert (refused.code, refused.err.splitlines()[1:]) == (
        1,
        [
            "  row 2, person has an opening balance from timebank already",
            *[f"  row {row}, name is that of somebody who had theirs from timebank" for row in (4, 5, 6, 7)],
        ],
    )


def test_somebody_of_a_name_that_came_before_is_named_by_their_row(commands: Commands, tmp_path: Path) -> None:
    taken_over(commands, tmp_path, "name,minutes\nIvy,30\nJo,15\n", "two_of_them")
    file = tmp_path / "more.csv"
    file.write_text("name,minutes\n\nIvy,60\nKay,15\njo,45\n")
    words = ("opening", str(file), "--source", "two_of_them")
    for commit in ((), ("--commit",)):
        refused = commands.run(*words, *commit, "--another", "5")
        assert (refused.code, refused.err.splitlines()[1:]) == (
            1,
            ["  row 3, name is that of somebody who had theirs from two_of_them"],
        )
    taken = commands.run(*words, "--another", "3", "--another", "5", "--commit")
    assert taken.out.startswith("Took over 3 balances, 2 credits; 3 people are new."), taken


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("person,minutes\n{nobody},60\n", "row 2, person is nobody of this scheme"),
        ("person,minutes\n{nobody},60\n\n{nobody},60\n", "row 4, person stands in row 2 already"),
        ("name,minutes\nBob,60\nEve,60001\n", "row 3, minutes must be 1 to 60,000"),
        ("name,minutes\nBob,0\n", "row 2, minutes must be 1 to 60,000"),
        ("name,minutes\n", "lines must be 1 to 5,000"),
    ],
)
@pytest.mark.parametrize("commit", [(), ("--commit",)], ids=["previewed", "committed"])
def test_what_the_scheme_has_against_a_list_is_told_by_its_rows(
    commands: Commands, tmp_path: Path, text: str, said: str, commit: tuple[str, ...]
) -> None:
    file = tmp_path / "balances.csv"
    file.write_text(text.format(nobody=uuid4()) if text.count("{nobody}") == 1 else text.format(nobody=ANN))
    found = commands.run("opening", str(file), "--source", "timebank", *commit)
    assert (found.code, found.err.splitlines()[1:2]) == (1, [f"  {said}"]), found


def test_a_source_is_a_word(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "balances.csv"
    file.write_text("name,minutes\nBob,60\n")
    found = commands.run("opening", str(file), "--source", "the time bank", "--commit")
    assert (found.code, "source must be a word" in found.err) == (1, True), found


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has the columns []"),
        (b"name,minutes,name\n", "more than one is called name"),
        (b"name,Minutes,minutes \n", "more than one is called minutes"),
        (b"name,minutes,voucher\n", "minutes and one or more of name, person"),
        (b"name,balance\n", "minutes and one or more of name, person"),
        (b"minutes\n60\n", "minutes and one or more of name, person"),
        ("name,minutes\nBob,60\n".encode("utf-16"), "not in UTF-8 (row 1, byte 0)"),
        (b"name,minutes\nBob,60\nZo\xeb,60\n", "not in UTF-8 (row 3, byte 22)"),
        (b"name,minutes\nBob,60\nE\0ve,60\n", "NUL characters (row 3)"),
        (b"name,minutes\nBob\n", "row 2: has 1 columns instead of 2"),
        (b"name,minutes\nBob,60,\n", "row 2: has 3 columns instead of 2"),
        (b"name,minutes\nBob,60\n\nEve,1h\n", "row 4: has no whole number of minutes"),
        (b"name,minutes\nBob,1.5\n", "row 2: has no whole number of minutes"),
        (b"name,minutes\nBob,-60\n", "row 2: has no whole number of minutes"),
        (b"name,minutes\nBob,1e3\n", "row 2: has no whole number of minutes"),
        (b"name,minutes\nBob,\n", "row 2: has no whole number of minutes"),
        (b"name,minutes\n,60\n", "row 2: must say who it was in one of name, person"),
        (f"name,person,minutes\nBob,{ANN},60\n".encode(), "row 2: must say who it was in one of name, person"),
        (b"person,minutes\nBob,60\n", "row 2: has no person's id"),
        (b"name,minutes\n" + b"B" * 201 + b",60\n", "row 2: has a name that isn't 1 to 200 characters"),
        (b'name,minutes\n"Bob\nEve",60\n', "row 3: has a name that isn't 1 to 200 characters on one line"),
        (b'name,minutes\n"Bob,60\n', "row 2: unexpected end of data"),
        (b'name,minutes\n"Bob"by,60\n', "row 2: "),
        (b"name,minutes\n" + b"B" * 140_000 + b",60\n", "row 2: field larger than field limit"),
        (b"name,minutes\n" + b"x,x\n" * 30, "... and 10 more"),
        (b"name,minutes\n" + b"Bob,60\n" * (LINES_MAX + 1), "more than 5,000 rows"),
        (b"name,minutes\n" + b"Bob,60\n" * (FILE_BYTES_MAX // 7), "larger than 5 MiB"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_its_rows(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "balances.csv"
    file.write_bytes(data)
    with pytest.raises(click.UsageError) as found:
        read_list(file, "a list of balances", {"person", "name"}, LINES_MAX)
    assert said in found.value.message


def test_names_are_read_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "balances.csv"
    file.write_bytes('\ufeffName, Minutes\r\n"O\u2019Neil, Zo\u00eb", 60\r\n=HYPERLINK(),5\r\n'.encode())
    assert read_list(file, "a list", {"name"}, 10) == [
        Listed(2, 60, None, "name", "O\u2019Neil, Zo\u00eb"),
        Listed(3, 5, None, "name", "=HYPERLINK()"),
    ]


def test_what_is_declined_of_a_line_is_told_by_its_row() -> None:
    lines = [Listed(2, 60, ANN, "person", ""), Listed(7, 60, ANN, "person", "")]
    fields = (("lines[1].person", "stands in lines[0] already"), ("lines[1]", "must differ"), ("source", "is no word"))
    with pytest.raises(Declined) as found, told_by_row(lines):
        raise Declined(Refusal.WRONG_VALUES, "No.", fields=fields, replayed=True)
    assert found.value.fields == (
        ("row 7, person", "stands in row 2 already"),
        ("row 7", "must differ"),
        ("source", "is no word"),
    )
    assert (found.value.reason, found.value.detail, found.value.replayed) == (Refusal.WRONG_VALUES, "No.", True)
