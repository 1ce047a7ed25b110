"""API keys as texts."""

import os
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from ledger.scheme.keys import parse, token


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_a_token_is_read_as_it_was_made(id_: UUID, secret: bytes) -> None:
    presented = parse(token("live", id_, secret), "live")
    assert presented is not None
    assert presented.id == id_
    assert presented.secret_hash not in secret


@given(st.uuids(), st.data())
def test_a_slip_of_one_character_is_noticed(id_: UUID, data: st.DataObject) -> None:
    good = token("test", id_, os.urandom(32))
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from(sorted(set("0123456789ABCDEFGHJKMNPQRSTVWXYZ_") - {good[place]})))
    # One in 2^30 slips passes the checksum, and then fails by its secret.
    assert parse(good[:place] + other + good[place + 1 :], "test") is None


@given(st.text(max_size=120))
def test_any_text_is_read_without_a_failure(text: str) -> None:
    assert parse(text, "test") is None


def test_a_key_is_of_one_environment() -> None:
    made = token("test", uuid4(), os.urandom(32))
    assert parse(made, "live") is None


def test_a_token_looks_as_it_is_documented() -> None:
    parts = token("demo", uuid4(), os.urandom(32)).split("_")
    assert parts[:2] == ["tc", "demo"]
    assert [len(part) for part in parts[2:]] == [26, 52, 6]
