"""Codes that people type."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.scheme.clock import LONDON
from ledger.scheme.codes import (
    ALPHABET,
    Pass,
    Plain,
    code_for,
    code_hash,
    enrolment_code,
    link,
    pass_age,
    pass_code,
    pass_step,
    read_code,
    read_enrolment,
    read_typed,
    step_ends,
)

SECRET = b"s" * 32
CODE = code_for(SECRET, "voucher", UUID(int=7))
CREDENTIAL = UUID(int=9)
NOW = datetime(2026, 11, 21, 16, 40, tzinfo=UTC)  # a step begins, where each has 30 s
STEP = pass_step(NOW, 30)
PASS = pass_code(SECRET, 123_456_789, CREDENTIAL, STEP)
ENROLMENT = enrolment_code(SECRET, UUID(int=7))


def test_a_code_is_made_anew_from_the_secret_the_purpose_and_the_id() -> None:
    assert code_for(SECRET, "voucher", UUID(int=7)) == CODE
    others = {
        code_for(b"t" * 32, "voucher", UUID(int=7)),
        code_for(SECRET, "card", UUID(int=7)),
        code_for(SECRET, "voucher", UUID(int=8)),
    }
    assert CODE not in others
    assert len(others) == 3


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        CODE.lower(),
        CODE.replace("-", ""),
        CODE.replace("-", " "),
        f" {CODE} ",
        CODE.replace("0", "o").replace("1", "l"),
        CODE.replace("0", "O").replace("1", "I"),
        # As a scanner types a link, in capitals, and where the keyboard is another than it takes it for.
        link("https://credits.example.org", CODE),
        link("http://localhost:8080", CODE).upper(),
        link("https://till.example.org", CODE).replace("#", "£"),
        link("https://a.example", CODE).replace("://", "Ö--").replace("/", "-").replace("#", "§"),
    ],
)
def test_however_it_is_typed_it_is_the_same_code(typed: str) -> None:
    read = read_code(typed)
    assert read == CODE.replace("-", "")
    assert code_hash(SECRET, read) == code_hash(SECRET, CODE)


ELSEWHERE = f"https://b.example/#{CODE}"


@pytest.mark.parametrize(
    "typed",
    ["", CODE[:-1], CODE + "0", "U" * 11, "not a code!", "é" * 11, ELSEWHERE, link("https://b.example", "")],
)
def test_what_is_no_code_is_known_as_such(typed: str) -> None:
    assert read_code(typed) is None


@pytest.mark.parametrize("code", [CODE, PASS, ENROLMENT], ids=["plain", "pass", "enrolment"])
def test_every_single_mistyped_character_is_found(code: str) -> None:
    read = read_enrolment if code is ENROLMENT else read_typed
    text = code.replace("-", "")
    assert read(text) is not None
    for place, wrong in itertools.product(range(len(text)), ALPHABET):
        if wrong != text[place]:
            assert read(text[:place] + wrong + text[place + 1 :]) is None


def test_two_neighbours_that_changed_places_are_nearly_always_found() -> None:
    missed = swaps = 0
    for text in (code_for(SECRET, "voucher", uuid4()).replace("-", "") for _ in range(200)):
        for place in range(len(text) - 1):
            swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            if swapped != text:
                swaps += 1
                missed += read_code(swapped) is not None
    assert missed < swaps / 100


def test_their_length_tells_the_kinds_apart() -> None:
    assert [len(code.replace("-", "")) for code in (CODE, PASS, ENROLMENT)] == [11, 13, 14]
    assert read_typed(CODE) == Plain(CODE.replace("-", ""))
    assert isinstance(read_typed(PASS), Pass)
    assert read_typed(ENROLMENT) is None
    assert (read_code(PASS), read_code(ENROLMENT)) == (None, None)
    assert read_enrolment(ENROLMENT) == ENROLMENT.replace("-", "")
    assert (read_enrolment(CODE), read_enrolment(PASS)) == (None, None)


@given(st.text(max_size=40))
def test_any_text_is_read_without_a_failure(typed: str) -> None:
    for read in (read_typed, read_code, read_enrolment):
        read(typed)


@given(st.integers(0, 2**30 - 1), st.uuids(), st.integers(0, 2**32))
def test_a_pass_is_found_by_its_number_and_proved_by_the_rest(number: int, credential: UUID, step: int) -> None:
    code = pass_code(SECRET, number, credential, step)
    read = read_typed(code.lower().replace("-", " ").replace("0", "o"))
    assert isinstance(read, Pass)
    assert read.number == number
    then = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=30 * step)
    assert pass_age(SECRET, credential, read.mac, then, 30, 0) == step
    assert pass_age(b"t" * 32, credential, read.mac, then, 30, 0) is None
    assert pass_age(SECRET, UUID(int=credential.int ^ 1), read.mac, then, 30, 0) is None


def test_steps_are_counted_from_1970_on_in_any_zone() -> None:
    assert STEP == 1_795_279_200 // 30
    assert pass_step(NOW.astimezone(LONDON), 30) == STEP
    assert pass_step(NOW - timedelta(microseconds=1), 30) == STEP - 1
    assert step_ends(STEP, 30) == NOW + timedelta(seconds=30)
    assert pass_step(step_ends(STEP, 30), 30) == STEP + 1
    assert pass_step(NOW, 300) == STEP // 10


@pytest.mark.parametrize(
    ("microseconds", "tolerated", "age"),
    [
        (-30_000_001, 1, None),  # two steps ahead: shown by no clock
        (-30_000_000, 1, STEP),  # one ahead: the clock that showed it is before this one
        (-1, 1, STEP),
        (0, 1, STEP),
        (29_999_999, 1, STEP),
        (30_000_000, 1, STEP),  # the step before is tolerated
        (59_999_999, 1, STEP),
        (60_000_000, 1, "stale"),
        (90_000_000, 1, "stale"),  # worked example 5: a screenshot
        (30_000_000, 0, "stale"),
        (179_999_999, 5, STEP),
        (180_000_000, 5, "stale"),
        (3_629_999_999, 1, "stale"),  # known for an hour
        (3_630_000_000, 1, None),
    ],
)
def test_how_long_a_passes_code_holds(microseconds: int, tolerated: int, age: int | str | None) -> None:
    read = read_typed(PASS)
    assert isinstance(read, Pass)
    then = NOW + timedelta(microseconds=microseconds)
    assert pass_age(SECRET, CREDENTIAL, read.mac, then, 30, tolerated) == age


def test_longer_steps_are_known_as_stale_for_an_hour_too() -> None:
    longer = pass_step(NOW, 300)
    read = read_typed(pass_code(SECRET, 1, CREDENTIAL, longer))
    assert isinstance(read, Pass)
    ages = [
        pass_age(SECRET, CREDENTIAL, read.mac, NOW + timedelta(minutes=minutes), 300, 1) for minutes in (9, 10, 64, 65)
    ]
    assert ages == [longer, "stale", "stale", None]
