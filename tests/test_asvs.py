"""asvs.md keeps to what it says of itself: every requirement once, each with an answer, and what it names is there.

Each check is a pure function from the file's text to the sentences against it, so that each is tried on an example
that breaks it. Whether an answer is true, no test can see: that is for whoever reads the code.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
REPORT = Path(__file__).with_name("asvs.md")

# ASVS 5.0.0: of each section the level of its first requirement, of its second, and so on.
LEVELS = """
1.1 22         1.2 1111122223        1.3 112222222223  1.4 222           1.5 123
2.1 122        2.2 112               2.3 12223         2.4 23
3.1 3          3.2 113               3.3 12223         3.4 11222233      3.5 11122333  3.6 3     3.7 22333
4.1 12233      4.2 23333             4.3 22            4.4 1222
5.1 2          5.2 112333            5.3 113           5.4 222
6.1 122        6.2 111111112222      6.3 11223333      6.4 112233        6.5 22222333  6.6 2223  6.7 33  6.8 2222
7.1 222        7.2 1111              7.3 22            7.4 11222         7.5 223       7.6 22
8.1 1233       8.2 1123              8.3 133           8.4 23
9.1 111        9.2 1222
10.1 22        10.2 223              10.3 22223        10.4 1111122222233333           10.5 22222  10.6 22  10.7 222
11.1 2233      11.2 22233            11.3 11233        11.4 1222         11.5 23       11.6 23   11.7 33
12.1 12233     12.2 11               12.3 22223
13.1 2333      13.2 222223           13.3 2233         13.4 1222233
14.1 22        14.2 12223333         14.3 122
15.1 12233     15.2 12233            15.3 1222222      15.4 3333
16.1 2         16.2 22222            16.3 2222         16.4 222          16.5 2223
17.1 23        17.2 22223333         17.3 22
"""
# Of level 3, what the house took upon itself.
TAKEN_ON = {"2.3.5", "7.5.3", "8.3.2", "15.4.1", "15.4.2", "15.4.3", "15.4.4", "16.5.4"}

HELD = "held"
OTHER_ANSWERS = ("not held", "decided otherwise", "not applicable")
NOTHING = "-"

_RANGE = re.compile(r"(\d+\.\d+)\.(\d+) to (\d+\.\d+)\.(\d+)")
_NUMBER = re.compile(r"\d+\.\d+\.\d+")
_NAMED = re.compile(r"`([^`]+)`")
_COUNTS = re.compile(
    r"<!-- counts -->\nOf (\d+) requirements (\d+) are held, (\d+) are not held, "
    r"(\d+) are decided otherwise and (\d+) are not applicable\.\n<!-- /counts -->"
)


class Row(NamedTuple):
    """A row of a chapter's table."""

    chapter: str
    named: str
    about: str
    answer: str
    shown: str
    cells: int

    @property
    def requirements(self) -> list[str]:
        """Each by itself, ranges written out."""
        return [each for part in self.named.split(", ") for each in _written_out(part)]

    @property
    def kind(self) -> str:
        return next((each for each in OTHER_ANSWERS if self.answer.startswith(each)), HELD)


def _written_out(part: str) -> list[str]:
    span = _RANGE.fullmatch(part)
    if span is None or span[1] != span[3]:
        return [part]
    return [f"{span[1]}.{number}" for number in range(int(span[2]), int(span[4]) + 1)]


def rows(text: str) -> Iterator[Row]:
    chapter = ""
    for line in text.splitlines():
        if line.startswith("## "):
            chapter = line.split()[1]
        elif line.startswith("| ") and not line.startswith("| requirement |"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            named, about, answer, shown = [*cells, "", "", "", ""][:4]
            yield Row(chapter, named, about, answer, shown, len(cells))


@cache
def wanted() -> tuple[str, ...]:
    sections = re.findall(r"(\d+\.\d+) (\d+)", LEVELS)
    return tuple(
        name
        for section, levels in sections
        for number, level in enumerate(levels, 1)
        if (name := f"{section}.{number}") in TAKEN_ON or level != "3"
    )


@cache
def _tests_of(path: Path) -> frozenset[str]:
    """The tests of a file, by its syntax: importing it would need all that it needs."""
    outer = ast.parse(path.read_text("utf-8")).body
    inner = [node for each in outer if isinstance(each, ast.ClassDef) for node in each.body]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in [*outer, *inner] if isinstance(node, functions))
    return frozenset(name for name in names if name.startswith("test_"))


# --- the checks -----------------------------------------------------------------------------------------------


def every_requirement_stands_once(text: str) -> Iterator[str]:
    found = Counter(each for row in rows(text) for each in row.requirements)
    yield from (f"{each} has no row" for each in wanted() if each not in found)
    yield from (f"{each} is none of those that we hold ourselves to" for each in found if each not in wanted())
    yield from (f"{each} stands {times} times" for each, times in found.items() if times > 1)


def every_row_stands_in_its_chapter(text: str) -> Iterator[str]:
    for row in rows(text):
        if any(each.partition(".")[0] != row.chapter for each in row.requirements):
            yield f"{row.named} stands in chapter {row.chapter}"


def every_row_has_an_answer(text: str) -> Iterator[str]:
    for row in rows(text):
        if row.cells != 4:
            yield f"{row.named} has {row.cells} cells, and not 4"
        if not row.about:
            yield f"{row.named} doesn't say what it is about"
        rest = row.answer.removeprefix(row.kind) if row.kind != HELD else row.answer
        if not re.search(r"\w", rest):
            yield f"{row.named} is not answered, or not why"
        if row.kind == "not applicable" and not rest.startswith(": "):
            yield f"{row.named}: write `not applicable: why`"


def what_is_held_is_shown(text: str) -> Iterator[str]:
    for row in rows(text):
        if not row.shown:
            yield f"{row.named} leaves the last cell empty: write {NOTHING} where nothing can show it"
        elif row.kind in {HELD, "decided otherwise"} and not _NAMED.search(row.shown):
            yield f"{row.named} is shown by nothing: name a test or a module, or say `not held: ...`"


def what_is_named_is_there(text: str) -> Iterator[str]:
    for row in rows(text):
        of_the_house = [named for named in _NAMED.findall(row.answer) if named.startswith(("ledger/", "tests/"))]
        for named in [*of_the_house, *_NAMED.findall(row.shown)]:
            path, _, test = named.partition("::")
            file = ROOT / path
            if not file.is_file() or (test and test not in _tests_of(file)):
                yield f"{row.named} names {named}, which is not there"
            elif not test and path.startswith("tests/"):
                yield f"{row.named} names {path} and none of its tests"


def the_counts_are_true(text: str) -> Iterator[str]:
    told = _COUNTS.search(text)
    kinds = Counter(row.kind for row in rows(text) for _ in row.requirements)
    counts = [sum(kinds.values()), *(kinds[kind] for kind in (HELD, *OTHER_ANSWERS))]
    if told is None or [int(each) for each in told.groups()] != counts:
        yield (
            f"The head has to say: Of {counts[0]} requirements {counts[1]} are held, {counts[2]} are not held, "
            f"{counts[3]} are decided otherwise and {counts[4]} are not applicable."
        )


CHECKS: tuple[Callable[[str], Iterator[str]], ...] = (
    every_requirement_stands_once,
    every_row_stands_in_its_chapter,
    every_row_has_an_answer,
    what_is_held_is_shown,
    what_is_named_is_there,
    the_counts_are_true,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_report_keeps_its_rule(check: Callable[[str], Iterator[str]]) -> None:
    found = list(check(REPORT.read_text("utf-8")))
    assert not found, "\n" + "\n".join(found)


def test_the_table_of_levels_is_that_of_the_standard() -> None:
    levels = Counter("".join(re.findall(r"\d+\.\d+ (\d+)", LEVELS)))
    assert levels == {"1": 70, "2": 183, "3": 92}, "as its release notes count them"
    assert len(wanted()) == 70 + 183 + len(TAKEN_ON)
    assert set(wanted()) >= TAKEN_ON


@pytest.mark.parametrize(
    ("check", "was", "becomes"),
    [
        (every_requirement_stands_once, "\n| 8.3.1 |", "\n| 8.3.3 |"),
        (every_requirement_stands_once, "\n| 8.3.1 |", "\n| 8.3.1, 8.3.2 |"),
        (every_requirement_stands_once, "6.2.1 to 6.2.12", "6.2.1 to 6.2.11"),
        (every_requirement_stands_once, "\n| 15.4.4 |", "\n| 15.4.1 |"),
        (every_row_stands_in_its_chapter, "\n## 9 ", "\n## 10 "),
        (every_row_has_an_answer, "| decided on the server |", "| |"),
        (every_row_has_an_answer, "| decided on the server |", "| decided | on the server |"),
        (every_row_has_an_answer, "| decided on the server |", ""),
        (every_row_has_an_answer, "by the door and again by the verb; pages work without script", ""),
        (every_row_has_an_answer, "by the door and again by the verb; pages work without script", "not held:"),
        (every_row_has_an_answer, "not applicable: no WebRTC", "not applicable"),
        (every_row_has_an_answer, "not applicable: no WebRTC", "not applicable, for there is no WebRTC"),
        (what_is_held_is_shown, "not applicable: no WebRTC", "there is no WebRTC"),
        (what_is_held_is_shown, "not applicable: no WebRTC", "decided otherwise: there is no WebRTC"),
        (what_is_held_is_shown, "not applicable: no WebRTC | - |", "not applicable: no WebRTC | |"),
        (what_is_named_is_there, "tests/doors/test_guard.py::test_bad_input", "tests/doors/test_guard.py::test_input"),
        (what_is_named_is_there, "tests/doors/test_guard.py::test_bad_input", "tests/doors/test_gard.py::test_input"),
        (what_is_named_is_there, "tests/doors/test_guard.py::test_bad_input", "tests/doors/test_guard.py"),
        (what_is_named_is_there, "`ledger/scheme/sign_ins.py` |", "`ledger/scheme/sign_in.py` |"),
        (what_is_named_is_there, "`ledger/app/remarks.py` |", "`ledger/app/remark.py` |"),
        (the_counts_are_true, "not applicable: no WebRTC", "not held: no WebRTC"),
        (the_counts_are_true, "<!-- counts -->\nOf ", "<!-- counts -->\nOf 1"),
    ],
)
def test_each_check_catches_an_example(check: Callable[[str], Iterator[str]], was: str, becomes: str) -> None:
    text = REPORT.read_text("utf-8")
    assert was in text, "the example has to be of the report as it stands"
    assert list(check(text.replace(was, becomes, 1)))
