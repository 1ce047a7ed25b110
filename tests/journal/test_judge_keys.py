"""The judge, when a key comes again: with the same content, with other content, or ruled out meanwhile."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from ledger.journal.entries import Entry, Kind, Posted, Reason, Refused
from ledger.journal.judge import judge
from tests.journal.conftest import NOON, award, entry, hold, id_of, reasons, replayed
from tests.journal.judging import FUNDS, PARTY, balances, empty, outcomes_of, took

BST = timezone(timedelta(hours=1))


def test_the_same_key_and_content_in_one_batch_is_posted_once_and_answered_twice() -> None:
    first, again = outcomes_of(award("k", "ann", 60), award("k", "ann", 60))

    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert (first.replayed, again.replayed) == (False, True)
    assert (first.position, first.transfers) == (again.position, again.transfers)


# The first, what asks again under its key, and the fields that differ.
OTHER_CONTENT: list[tuple[Entry, Entry, tuple[str, ...]]] = [
    (award("k", "ann", 60), award("k", "ann", 61), ("transfers",)),
    (award("k", "ann", 60), award("k", "ann", 60, reference="r"), ("reference",)),
    (award("k", "ann", 60), award("k", "ann", 60, details="{}"), ("details",)),
    (
        award("k", "ann", 60),
        entry("k", ("issued:shed", "wallet:bob", 60), at=NOON + timedelta(microseconds=1)),
        ("transfers", "happened_at"),
    ),
    (award("k", "ann", 60), hold("k", "ann", 60), ("kind",)),
    (award("k", "ann", 1, details='{"a":1,"b":2}'), award("k", "ann", 1, details='{"a":2,"c":3}'), ("a", "b", "c")),
    (award("k", "ann", 1, details='{"a":1}'), award("k", "ann", 1, details='{"a": 1}'), ()),
    (award("k", "ann", 1, details='{"a":1}'), award("k", "ann", 1), ()),
    (award("k", "ann", 1, details="[1]"), award("k", "ann", 1, details="[2]"), ()),
    (award("k", "ann", 1, details="[" * 4000), award("k", "ann", 1, details="[" * 3999), ()),
    (
        entry("k", refused="card_blocked", details='{"a":1}'),
        entry("k", refused="card_blocked", details='{"a":2}'),
        ("a",),
    ),
    (entry("k", refused="card_blocked"), entry("k", refused="card_blocked", at=NOON.replace(tzinfo=None)), ()),
]


@pytest.mark.parametrize(("first", "then", "fields"), OTHER_CONTENT)
def test_the_same_key_with_other_content_is_refused_and_says_what_differs(
    first: Entry, then: Entry, fields: tuple[str, ...]
) -> None:
    state = empty()
    outcomes = judge(state, [first, then, first], NOON).outcomes

    assert outcomes[1] == Refused(id=first.id, reason=Reason.KEY_REUSED, fields=fields)
    assert outcomes[2] == replayed(outcomes[0])
    assert state.position == sum(isinstance(outcome, Posted) for outcome in outcomes[:1])


SAME_CONTENT: list[tuple[Entry, Entry]] = [
    (award("k", "ann", 60), entry("k", ("issued:shed", "wallet:ann", 60), at=NOON.astimezone(BST))),
    # The price may have changed since: what was asked is the same.
    (award("k", "ann", 60, details="{}"), award("k", "bob", 90, details="{}")),
    (award("k", "ann", 60, details="{}"), entry("k", kind=Kind.HOLD, details="{}", refused="offer_closed_now")),
    (entry("k", details="{}", refused="quota_full"), award("k", "ann", 60, details="{}")),
    (entry("k", details="{}", refused="quota_full"), entry("k", details="{}", refused="card_blocked")),
    (
        entry("k", ("issued:shed", "wallet:ann", 60), refused="quota_full"),
        entry("k", ("issued:shed", "wallet:ann", 60), at=NOON.astimezone(BST)),
    ),
]


@pytest.mark.parametrize(
    ("first", "then"),
    SAME_CONTENT,
    ids=["zone", "price", "posted, then ruled out", "ruled out, then not", "another rule", "without details"],
)
def test_the_same_request_has_the_same_answer_whatever_the_rules_say_by_now(first: Entry, then: Entry) -> None:
    before, after = outcomes_of(first, then)

    assert after == replayed(before)


def test_a_capture_that_names_less_under_the_same_key_is_another_request() -> None:
    full = took("k", ("held:ann", "redeemed:pool", 60), ("held:bob", "redeemed:pool", 30), of="party")
    less = took("k", ("held:ann", "redeemed:pool", 60), of="party")

    *_, first, then = outcomes_of(*FUNDS, PARTY, full, less)

    assert isinstance(first, Posted)
    assert then == Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("transfers",))


def test_a_used_key_with_another_target_is_refused_even_when_the_details_are_the_same() -> None:
    outcomes = outcomes_of(
        award("award", "ann", 100),
        hold("h1", "ann", 50),
        hold("h2", "ann", 50),
        entry("k", ("held:ann", "redeemed:pool", 50), kind=Kind.CAPTURE, of="h1", details="{}"),
        entry("k", ("held:ann", "redeemed:pool", 50), kind=Kind.CAPTURE, of="h2", details="{}"),
        entry("k", ("held:ann", "redeemed:pool", 50), kind=Kind.CAPTURE, of="nothing", details="{}"),
    )

    assert reasons(outcomes[3:]) == ["capture", "key_reused", "key_reused"]
    assert outcomes[4] == outcomes[5] == Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("target",))


def test_a_used_key_of_no_target_is_refused_with_one_even_if_nobody_posted_that() -> None:
    outcomes = outcomes_of(
        award("k", "ann", 100, details="{}"),
        entry("k", kind=Kind.CAPTURE, of="nothing", details="{}", refused="card_blocked"),
    )

    assert outcomes[1] == Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("target",))


def test_a_refusal_by_a_rule_of_the_callers_moves_nothing_and_is_kept() -> None:
    state = empty()
    ruled_out = entry("k", ("issued:shed", "wallet:ann", 60), refused="quota_full", details="{}")

    judgement = judge(state, [ruled_out], NOON)

    assert judgement.outcomes == [Refused(id=id_of("k"), reason="quota_full")]
    assert judgement.refused == [(ruled_out, Refused(id=id_of("k"), reason="quota_full"))]
    assert (balances(state), state.position) == ({}, 0)


@pytest.mark.parametrize(
    ("ruled_out", "reason"),
    [
        (entry("k", refused="quota_full", at=NOON.replace(tzinfo=None)), Reason.TIME_WITHOUT_ZONE),
        (entry("k", refused="quota_full", reference="x" * 65), Reason.REFERENCE_TOO_LONG),
        (entry("k", refused="quota_full", details="x" * 4097), Reason.DETAILS_TOO_LONG),
    ],
)
def test_what_the_journal_could_not_store_is_malformed_even_when_a_rule_has_refused_it(
    ruled_out: Entry, reason: Reason
) -> None:
    judgement = judge(empty(), [ruled_out], NOON)

    assert judgement.outcomes == [Refused(id=id_of("k"), reason=reason)]
    assert judgement.refused == []
