"""Codes that people type."""

import itertools
from uuid import UUID, uuid4

import pytest

from ledger.scheme.codes import ALPHABET, code_for, code_hash, read_code

SECRET = b"s" * 32
CODE = code_for(SECRET, "voucher", UUID(int=7))


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
    ],
)
def test_however_it_is_typed_it_is_the_same_code(typed: str) -> None:
    read = read_code(typed)
    assert read == CODE.replace("-", "")
    assert code_hash(SECRET, read) == code_hash(SECRET, CODE)


@pytest.mark.parametrize("typed", ["", CODE[:-1], CODE + "0", "U" * 11, "not a code!", "é" * 11])
def test_what_is_no_code_is_known_as_such(typed: str) -> None:
    assert read_code(typed) is None


def test_every_single_mistyped_character_is_found() -> None:
    text = CODE.replace("-", "")
    for place, wrong in itertools.product(range(len(text)), ALPHABET):
        if wrong != text[place]:
            assert read_code(text[:place] + wrong + text[place + 1 :]) is None


def test_two_neighbours_that_changed_places_are_nearly_always_found() -> None:
    missed = swaps = 0
    for text in (code_for(SECRET, "voucher", uuid4()).replace("-", "") for _ in range(200)):
        for place in range(len(text) - 1):
            swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            if swapped != text:
                swaps += 1
                missed += read_code(swapped) is not None
    assert missed < swaps / 100
