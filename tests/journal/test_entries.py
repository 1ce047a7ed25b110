"""Keys and the entries' ids that are made of them."""

import time
from uuid import UUID

import pytest

from ledger.journal.entries import entry_id, new_key

ANN, BOB = UUID(int=1), UUID(int=2)
TIMED = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize(
    ("key", "begins"),
    [
        (TIMED, "01890a5dac96"),
        (TIMED.upper(), "01890a5dac96"),
        (f"{TIMED} 17", "01890a5dac96"),  # a register's seventeenth line
        (f"{TIMED}1", None),
        (TIMED.replace("-", ""), None),
        (TIMED.replace("-774b", "-474b"), None),  # version 4
        (TIMED.replace("-bcce", "-3cce"), None),  # another variant
        (f"x{TIMED}", None),
        ("visit-1", None),
    ],
)
def test_an_id_begins_with_the_time_of_a_key_that_tells_it(key: str, begins: str | None) -> None:
    id_ = entry_id(ANN, key)
    assert id_ == entry_id(ANN, key)
    assert (id_.version, id_.variant) == (8, "specified in RFC 4122")
    assert (id_.hex[:12] == "01890a5dac96") is (begins is not None)


def test_every_principal_and_every_key_has_its_own_id() -> None:
    keys = ["visit-1", "visit-2", TIMED, TIMED.upper(), f"{TIMED} 1", f"{TIMED} 2"]
    assert len({entry_id(principal, key) for principal in (ANN, BOB) for key in keys}) == 2 * len(keys)


def test_a_new_key_is_a_uuid_of_version_7_that_tells_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    key = new_key()
    assert UUID(key).version == 7
    assert before <= UUID(key).int >> 80 <= time.time_ns() // 1_000_000
    assert entry_id(ANN, key).int >> 80 == UUID(key).int >> 80
    assert key != new_key()


def test_keys_made_one_after_the_other_are_in_that_order() -> None:
    keys = [new_key() for _ in range(10_000)]
    assert keys == sorted(set(keys))
