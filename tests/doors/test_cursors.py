"""Cursors: whoever was given one may use it, as it was given and for its own list."""

from uuid import UUID

import pytest

from ledger.doors import cursors
from ledger.doors.cursors import WrongCursor

SECRET = b"s" * 32
THING = UUID("0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e")


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**64 - 1])
def test_a_number_is_read_as_it_was_signed(number: int) -> None:
    assert cursors.read(SECRET, "statement/1", cursors.sign(SECRET, "statement/1", number)) == number


def test_an_id_is_read_as_it_was_signed() -> None:
    assert cursors.read_id(SECRET, "people", cursors.sign_id(SECRET, "people", THING)) == THING


@pytest.mark.parametrize("name", ["", "Ann", "Zoë", "\U0001f9f6" * 200])
def test_a_name_and_an_id_are_read_as_they_were_signed(name: str) -> None:
    cursor = cursors.sign_named(SECRET, "people", (name, THING))
    assert cursors.read_named(SECRET, "people", cursor) == (name, THING)
    assert len(cursor) <= 1200, "what the routes take"
    for other in (cursor[:-1], cursor + "A", cursor.swapcase(), cursors.sign(SECRET, "people", 7), "A", "...."):
        with pytest.raises(WrongCursor):
            cursors.read_named(SECRET, "people", other)
    with pytest.raises(WrongCursor):
        cursors.read_named(SECRET, "people/1", cursor)


GIVEN = cursors.sign(SECRET, "people", 7)


@pytest.mark.parametrize(
    "cursor",
    [
        "0",
        "A",
        "....",
        GIVEN[:-1],
        GIVEN + "A",
        GIVEN + "=",
        GIVEN[:5] + "." + GIVEN[5:],  # base64 reads past what is none of its letters
        GIVEN.swapcase(),
        cursors.sign(SECRET, "people/1", 7),
        cursors.sign(b"t" * 32, "people", 7),
        cursors.sign_id(SECRET, "people", THING),
    ],
)
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(WrongCursor):
        cursors.read(SECRET, "people", cursor)


def test_each_last_letter_but_its_own_is_refused() -> None:
    for letter in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") - {GIVEN[-1]}:
        with pytest.raises(WrongCursor):
            cursors.read(SECRET, "people", GIVEN[:-1] + letter)
