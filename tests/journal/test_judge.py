"""The judge, as a table: one row for each way to say no, and each kind's way to say yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from ledger.journal.entries import KEPT, MINUTES_MAX, TRANSFERS_MAX, Entry, Kind, Posted, Reason, Refused
from ledger.journal.judge import State, judge
from tests.journal.conftest import (
    CHART,
    NOON,
    Move,
    award,
    capture,
    entry,
    hold,
    id_of,
    moves_of,
    reasons,
    refund,
    reversal,
    void,
)
from tests.journal.judging import FUNDS, PARTY, balances, empty, outcomes_of, took

if TYPE_CHECKING:
    from collections.abc import Sequence


# What stands in the journal before each row of the table.
BEFORE = (
    award("award", "ann", 1000),
    entry("to pot", ("issued:shed", "pot:club", 100)),
    hold("hold", "ann", 100),
    hold("captured", "ann", 100),
    capture("capture", "captured", "ann", 60),
    hold("voided", "ann", 50),
    void("void", "voided"),
    hold("lapsed", "ann", 50),
    entry("lapse", kind=Kind.LAPSE, of="lapsed"),
    refund("refund", "capture", "ann", 20),
    award("reversed", "ann", 30),
    reversal("reversal", "reversed"),
    entry("gift", ("wallet:ann", "transit", 40)),
    entry("gift back", ("transit", "wallet:ann", 10), kind=Kind.REFUND, of="gift"),
    hold("spent", "ann", 100),
    capture("spent whole", "spent", "ann", 100),
)


REFUSALS: list[tuple[str, Reason, Entry]] = [
    ("a plain entry without transfers", Reason.NO_TRANSFERS, entry("x")),
    ("a hold without transfers", Reason.NO_TRANSFERS, entry("x", kind=Kind.HOLD)),
    ("a capture without transfers", Reason.NO_TRANSFERS, took("x", of="hold")),
    ("a refund without transfers", Reason.NO_TRANSFERS, entry("x", kind=Kind.REFUND, of="capture")),
    (
        "a transfer too many",
        Reason.TOO_MANY_TRANSFERS,
        entry("x", *[("issued:shed", "wallet:ann", 1)] * (TRANSFERS_MAX + 1)),
    ),
    *(
        (
            f"a {kind} that says what it moves",
            Reason.TRANSFERS_ARE_DERIVED,
            entry("x", ("held:ann", "wallet:ann", 100), kind=kind, of="hold"),
        )
        for kind in (Kind.VOID, Kind.LAPSE, Kind.REVERSAL)
    ),
    *(
        (f"{minutes} minutes", Reason.MINUTES_OUT_OF_RANGE, entry("x", ("issued:shed", "wallet:ann", minutes)))
        for minutes in (0, -60, MINUTES_MAX + 1)
    ),
    ("from an account to itself", Reason.SAME_ACCOUNT, entry("x", ("wallet:ann", "wallet:ann", 1))),
    *(
        (f"the account name {name!r}", Reason.ACCOUNT_NAME_INVALID, entry("x", ("issued:shed", name, 1)))
        for name in (
            *("", "Wallet:ann", "wallet:", ":ann", "wallet:a:b:c", "wallet:ann\n", "wallet:a b", "wallet:\u00e9"),
            *("9wallet:ann", "wallet-x:ann", "wallet:" + "a" * 65, "w" * 33),
        )
    ),
    (
        "an invalid name on the debit side",
        Reason.ACCOUNT_NAME_INVALID,
        entry("x", ("Issued:shed", "wallet:ann", 1)),
    ),
    ("a kind outside the chart", Reason.ACCOUNT_KIND_UNKNOWN, entry("x", ("issued:shed", "purse:ann", 1))),
    ("a kind outside the chart, debited", Reason.ACCOUNT_KIND_UNKNOWN, entry("x", ("purse:a", "wallet:ann", 1))),
    *(
        (f"a {kind} of nothing", Reason.TARGET_MISSING, entry("x", kind=kind))
        for kind in (Kind.VOID, Kind.LAPSE, Kind.REVERSAL)
    ),
    *(
        (f"a {kind} of nothing", Reason.TARGET_MISSING, entry("x", ("held:ann", "redeemed:pool", 1), kind=kind))
        for kind in (Kind.CAPTURE, Kind.REFUND)
    ),
    *(
        (
            f"a {kind} entry with a target",
            Reason.TARGET_NOT_WANTED,
            entry("x", ("wallet:ann", "held:ann", 1), kind=kind, of="hold"),
        )
        for kind in (Kind.PLAIN, Kind.HOLD)
    ),
    (
        "a time without a zone",
        Reason.TIME_WITHOUT_ZONE,
        entry("x", ("issued:shed", "wallet:ann", 1), at=NOON.replace(tzinfo=None)),
    ),
    (
        "a reference of 66 bytes in 33 letters",
        Reason.REFERENCE_TOO_LONG,
        entry("x", ("issued:shed", "wallet:ann", 1), reference="\u00e9" * 33),
    ),
    (
        "details of 4,097 bytes",
        Reason.DETAILS_TOO_LONG,
        entry("x", ("issued:shed", "wallet:ann", 1), details="x" * 4097),
    ),
    (
        "details of 4,098 bytes in 2,049 letters",
        Reason.DETAILS_TOO_LONG,
        entry("x", ("issued:shed", "wallet:ann", 1), details="\u00e9" * 2049),
    ),
    (
        "a hold that credits an account twice, so that no rest would know its way back",
        Reason.HOLD_AMBIGUOUS,
        entry("x", ("wallet:ann", "held:ann", 1), ("pot:club", "held:ann", 1), kind=Kind.HOLD),
    ),
    ("another amount under a used key", Reason.KEY_REUSED, award("award", "ann", 999)),
    ("another kind under a used key", Reason.KEY_REUSED, hold("award", "ann", 1000)),
    ("another target under a used key", Reason.KEY_REUSED, void("void", "hold")),
    (
        "another time under a used key",
        Reason.KEY_REUSED,
        entry("lapse", kind=Kind.LAPSE, of="lapsed", at=NOON + timedelta(1)),
    ),
    ("a target that nobody posted", Reason.TARGET_UNKNOWN, void("x", "nothing")),
    ("a void of itself", Reason.TARGET_UNKNOWN, void("x", "x")),
    ("a refund of what nobody posted", Reason.TARGET_UNKNOWN, refund("x", "nothing", "ann", 1)),
    ("a capture of a plain entry", Reason.TARGET_OF_OTHER_KIND, capture("x", "award", "ann", 1)),
    ("a void of a capture", Reason.TARGET_OF_OTHER_KIND, void("x", "capture")),
    ("a lapse of a void", Reason.TARGET_OF_OTHER_KIND, entry("x", kind=Kind.LAPSE, of="void")),
    *(
        (f"a reversal of a {target}", Reason.TARGET_OF_OTHER_KIND, reversal("x", target))
        for target in ("hold", "capture", "void", "lapse", "refund", "reversal")
    ),
    *(
        (f"a refund of a {target}", Reason.TARGET_OF_OTHER_KIND, refund("x", target, "ann", 1))
        for target in ("hold", "void", "lapse", "refund", "reversal")
    ),
    *(
        (f"a {kind} of a hold that was {target}", Reason.ALREADY_RESOLVED, entry("x", *moves, kind=kind, of=target))
        for target in ("captured", "voided", "lapsed")
        for kind, moves in (
            (Kind.CAPTURE, [("held:ann", "redeemed:pool", 1)]),
            (Kind.VOID, []),
            (Kind.LAPSE, []),
        )
    ),
    ("a minute more than was held", Reason.EXCEEDS_HOLD, capture("x", "hold", "ann", 101)),
    (
        "a minute more than was held, in two parts",
        Reason.EXCEEDS_HOLD,
        took("x", ("held:ann", "redeemed:pool", 60), ("held:ann", "redeemed:gym", 41), of="hold"),
    ),
    (
        "a capture from an account that the hold didn't fill",
        Reason.EXCEEDS_HOLD,
        took("x", ("wallet:ann", "redeemed:pool", 1), of="hold"),
    ),
    ("a second reversal", Reason.ALREADY_REVERSED, reversal("x", "reversed")),
    (
        "a refund of what was reversed",
        Reason.ALREADY_REVERSED,
        entry("x", ("wallet:ann", "issued:shed", 1), kind=Kind.REFUND, of="reversed"),
    ),
    ("a reversal of what was refunded in part", Reason.ALREADY_REFUNDED, reversal("x", "gift")),
    ("refunds above the capture, together", Reason.EXCEEDS_CAPTURE, refund("x", "capture", "ann", 41)),
    (
        "refunds above the capture, in one entry",
        Reason.EXCEEDS_CAPTURE,
        entry(
            "x",
            ("redeemed:pool", "wallet:ann", 21),
            ("redeemed:pool", "pot:club", 20),
            kind=Kind.REFUND,
            of="capture",
        ),
    ),
    (
        "a refund of the capture's returned rest",
        Reason.EXCEEDS_CAPTURE,
        entry("x", ("wallet:ann", "pot:club", 1), kind=Kind.REFUND, of="capture"),
    ),
    (
        "a refund from an account that the capture didn't credit",
        Reason.EXCEEDS_CAPTURE,
        entry("x", ("redeemed:gym", "wallet:ann", 1), kind=Kind.REFUND, of="capture"),
    ),
    (
        "refunds above a plain entry, together",
        Reason.EXCEEDS_CAPTURE,
        entry("x", ("transit", "wallet:ann", 31), kind=Kind.REFUND, of="gift"),
    ),
    ("a minute more than there is", Reason.INSUFFICIENT, entry("x", ("pot:club", "wallet:ann", 101))),
    (
        "a minute below a floor that the transfer itself brings",
        Reason.INSUFFICIENT,
        entry("x", ("issued:other", "wallet:ann", 41, -40)),
    ),
    (
        "a minute below what the transfer wants left, above the kind's own floor",
        Reason.INSUFFICIENT,
        entry("x", ("pot:club", "wallet:ann", 91, 10)),
    ),
    (
        "a minute more than there is, whatever floor it brings",
        Reason.INSUFFICIENT,
        entry("x", ("pot:club", "wallet:ann", 101, -9)),
    ),
    ("a spend from an account never used", Reason.INSUFFICIENT, entry("x", ("wallet:bob", "transit", 1))),
    (
        "a reversal of what has been spent since",
        Reason.INSUFFICIENT,
        reversal("x", "award"),
    ),
]


def test_every_reason_stands_in_the_table() -> None:
    assert {reason for _, reason, _ in REFUSALS} == set(Reason)


@pytest.mark.parametrize(("reason", "offender"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_the_journal_says_no_and_nothing_moves(reason: Reason, offender: Entry) -> None:
    state = empty()
    before = judge(state, BEFORE, NOON)
    assert all(isinstance(outcome, Posted) for outcome in before.outcomes)
    standing, position = balances(state), state.position

    judgement = judge(state, [offender], NOON)

    (outcome,) = judgement.outcomes
    assert isinstance(outcome, Refused)
    assert (outcome.id, outcome.reason, outcome.replayed) == (offender.id, reason, False)
    assert (balances(state), state.position) == (standing, position)
    assert (judgement.posted, judgement.touched, list(judgement.opened)) == ([], {}, [])
    if reason in KEPT:
        assert judgement.refused == [(offender, outcome)]
        (again,) = judge(state, [offender], NOON).outcomes
        assert again == Refused(id=offender.id, reason=reason, account=outcome.account, replayed=True)
    else:
        assert judgement.refused == []
        if reason is not Reason.KEY_REUSED:
            mended = Entry(
                id=offender.id, transfers=award("x", "ann", 1).transfers, happened_at=NOON, actor=offender.actor
            )
            assert reasons(judge(state, [mended], NOON).outcomes) == ["plain"]


@pytest.mark.parametrize(("reason", "offender"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_in_the_same_batch_it_is_refused_for_the_same_and_the_others_go_on(reason: Reason, offender: Entry) -> None:
    judgement = judge(empty(), [*BEFORE, offender, award("last", "ann", 1)], NOON)

    *before, refused, last = judgement.outcomes
    assert all(isinstance(outcome, Posted) for outcome in before)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert isinstance(last, Posted)
    assert last.position == len(BEFORE) + 1


def test_the_account_whose_floor_stood_in_the_way_is_named() -> None:
    (outcome,) = outcomes_of(entry("x", ("issued:shed", "wallet:ann", 5), ("wallet:bob", "wallet:ann", 1)))

    assert outcome == Refused(id=id_of("x"), reason=Reason.INSUFFICIENT, account="wallet:bob")


# ---- yes


def test_down_to_the_floor_that_a_transfer_brings_and_the_next_one_may_bring_another() -> None:
    outcomes = outcomes_of(
        entry("one", ("issued:quota", "wallet:ann", 39, -40)),
        entry("two", ("issued:quota", "wallet:ann", 1, -40)),
        entry("full", ("issued:quota", "wallet:ann", 1, -40)),
        entry("raised", ("issued:quota", "wallet:ann", 1, -41)),
        entry("lowered", ("issued:quota", "wallet:ann", 1, -10)),
    )

    assert reasons(outcomes) == ["plain", "plain", "insufficient", "plain", "insufficient"]


def test_the_same_key_with_another_floor_asks_for_the_same() -> None:
    outcomes = outcomes_of(
        entry("one", ("issued:quota", "wallet:ann", 40, -40)),
        entry("one", ("issued:quota", "wallet:ann", 40, -10)),
        entry("two", ("issued:quota", "wallet:ann", 1, -40)),
        entry("two", ("issued:quota", "wallet:ann", 1, -99)),
    )

    assert reasons(outcomes) == ["plain", "plain*", "insufficient", "insufficient*"]


def test_a_plain_entry_moves_what_it_says_with_each_accounts_sequence_and_balance() -> None:
    outcomes = outcomes_of(
        award("one", "ann", 60),
        entry("two", ("wallet:ann", "wallet:bob", 20), ("wallet:bob", "wallet:ann", 5), reference="r", details="{}"),
    )

    assert isinstance(outcomes[1], Posted)
    assert outcomes[1].position == 2
    assert (outcomes[1].happened_at, outcomes[1].recorded_at) == (NOON, NOON)
    assert (outcomes[1].reference, outcomes[1].details, outcomes[1].target) == ("r", "{}", None)
    rows = [
        (moved.debit_sequence, moved.debit_balance, moved.credit_sequence, moved.credit_balance)
        for moved in outcomes[1].transfers
    ]
    assert rows == [(2, 40, 1, 20), (2, 15, 3, 45)]


@pytest.mark.parametrize(
    ("resolution", "moved"),
    [
        (
            void("x", "party"),
            [("held:ann", "wallet:ann", 60), ("held:bob", "wallet:bob", 30), ("held_pot:club", "pot:club", 90)],
        ),
        (
            entry("x", kind=Kind.LAPSE, of="party"),
            [("held:ann", "wallet:ann", 60), ("held:bob", "wallet:bob", 30), ("held_pot:club", "pot:club", 90)],
        ),
        (
            took("x", ("held:bob", "redeemed:pool", 20), of="party"),
            [
                ("held:bob", "redeemed:pool", 20),
                ("held:ann", "wallet:ann", 60),
                ("held:bob", "wallet:bob", 10),
                ("held_pot:club", "pot:club", 90),
            ],
        ),
        (
            took("x", ("held_pot:club", "redeemed:pool", 90), ("held:ann", "redeemed:gym", 60), of="party"),
            [
                ("held_pot:club", "redeemed:pool", 90),
                ("held:ann", "redeemed:gym", 60),
                ("held:bob", "wallet:bob", 30),
            ],
        ),
        (
            took(
                "x",
                ("held:ann", "redeemed:pool", 59),
                ("held:ann", "redeemed:gym", 1),
                ("held:bob", "redeemed:pool", 30),
                ("held_pot:club", "redeemed:pool", 90),
                of="party",
            ),
            [
                ("held:ann", "redeemed:pool", 59),
                ("held:ann", "redeemed:gym", 1),
                ("held:bob", "redeemed:pool", 30),
                ("held_pot:club", "redeemed:pool", 90),
            ],
        ),
    ],
    ids=["void", "lapse", "a part of one", "all of two", "the whole, split"],
)
def test_a_hold_of_several_transfers_is_resolved_to_the_minute(resolution: Entry, moved: list[Move]) -> None:
    state = empty()
    *_, outcome = judge(state, [*FUNDS, PARTY, resolution], NOON).outcomes

    assert moves_of(outcome) == moved
    assert isinstance(outcome, Posted)
    assert outcome.target == 4
    assert [state.accounts[name].balance for name in ("held:ann", "held:bob", "held_pot:club")] == [0, 0, 0]


def test_a_reversal_undoes_the_transfers_in_opposite_order() -> None:
    # Undone in the same order, the first would find the wallet empty.
    *_, outcome = outcomes_of(
        entry("in and on", ("issued:shed", "wallet:ann", 60), ("wallet:ann", "transit", 60)),
        reversal("x", "in and on"),
    )

    assert moves_of(outcome) == [("transit", "wallet:ann", 60), ("wallet:ann", "issued:shed", 60)]


def test_refunds_come_in_parts_until_nothing_of_the_capture_is_left() -> None:
    outcomes = outcomes_of(
        award("award", "ann", 100),
        hold("hold", "ann", 100),
        capture("capture", "hold", "ann", 60),
        refund("1", "capture", "ann", 20),
        refund("2", "capture", "ann", 40),
        refund("3", "capture", "ann", 1),
    )

    assert reasons(outcomes) == ["plain", "hold", "capture", "refund", "refund", "exceeds_capture"]


def test_a_capture_that_hands_the_rest_back_itself_can_refund_only_what_the_venue_got() -> None:
    outcomes = outcomes_of(
        award("award", "ann", 100),
        hold("hold", "ann", 100),
        took("capture", ("held:ann", "redeemed:pool", 60), ("held:ann", "wallet:ann", 40), of="hold"),
        entry("1", ("wallet:ann", "redeemed:pool", 40), kind=Kind.REFUND, of="capture"),
    )

    assert reasons(outcomes) == ["plain", "hold", "capture", "exceeds_capture"]


def test_targets_may_stand_in_the_same_batch() -> None:
    state = empty()
    outcomes = judge(
        state,
        [
            award("award", "ann", 300),
            hold("hold", "ann", 120),
            capture("capture", "hold", "ann", 90),
            refund("refund", "capture", "ann", 30),
            award("wrong", "ann", 60),
            reversal("reversal", "wrong"),
            void("too late", "hold"),
            refund("too much", "capture", "ann", 61),
            reversal("again", "wrong"),
        ],
        NOON,
    ).outcomes

    assert reasons(outcomes) == [
        *("plain", "hold", "capture", "refund", "plain", "reversal"),
        *("already_resolved", "exceeds_capture", "already_reversed"),
    ]
    assert [outcome.target for outcome in outcomes if isinstance(outcome, Posted)] == [None, None, 2, 3, None, 5]
    assert state.accounts["wallet:ann"].balance == 240


# ---- floors


def test_a_floor_holds_at_every_transfer_and_not_only_at_the_end() -> None:
    outcomes = outcomes_of(
        entry("before it is there", ("wallet:ann", "transit", 10), ("issued:shed", "wallet:ann", 10)),
        entry("after", ("issued:shed", "wallet:ann", 10), ("wallet:ann", "transit", 10)),
    )

    assert reasons(outcomes) == ["insufficient", "plain"]


def test_a_refusal_in_the_middle_of_an_entry_puts_every_transfer_before_it_back() -> None:
    state = empty()
    judge(state, [award("award", "ann", 60), entry("pot", ("issued:shed", "pot:club", 5))], NOON)
    standing = balances(state)

    (outcome,) = judge(
        state,
        [
            entry(
                "x",
                ("wallet:ann", "transit", 30),
                ("issued:shed", "wallet:ann", 1),
                ("transit", "wallet:new", 30),
                ("wallet:ann", "transit", 31),
                ("pot:club", "transit", 6),
                ("issued:shed", "wallet:ann", 1),
            ),
        ],
        NOON,
    ).outcomes

    assert outcome == Refused(id=id_of("x"), reason=Reason.INSUFFICIENT, account="pot:club")
    assert balances(state) == standing
    assert all(account.balance == account.sequence == 0 for account in state.accounts.values() if not account.id)


def test_an_account_that_only_a_refused_entry_named_is_opened_by_the_next_that_uses_it() -> None:
    state = empty()
    judgement = judge(
        state,
        [
            entry("refused", ("wallet:bob", "wallet:ann", 1)),
            award("ann", "ann", 1),
            award("bob", "bob", 1),
        ],
        NOON,
    )

    assert reasons(judgement.outcomes) == ["insufficient", "plain", "plain"]
    opened = {name: account.id for name, account in judgement.touched.items()}
    assert opened == {"issued:shed": 1, "wallet:ann": 2, "wallet:bob": 3}
    assert list(judgement.opened) == [1, 2, 3]


@pytest.mark.parametrize("kind", sorted(CHART))
def test_exactly_the_kinds_with_a_floor_have_one(kind: str) -> None:
    (outcome,) = outcomes_of(entry("x", (f"{kind}:x", "issued:other", 1)))

    assert isinstance(outcome, Posted if CHART[kind] is None else Refused)


def test_a_floor_may_lie_below_zero() -> None:
    state = State(chart={"credit": -60, "wallet": 0}, batch=UUID(int=0), recorded_at=NOON)
    outcomes = judge(state, [entry(key, ("credit:x", "wallet:ann", 30)) for key in "abc"], NOON).outcomes

    assert reasons(outcomes) == ["plain", "plain", "insufficient"]


# ---- limits that are still allowed


def test_the_limits_themselves_are_allowed() -> None:
    outcomes = outcomes_of(
        entry("many", *[("issued:shed", "wallet:ann", 1)] * TRANSFERS_MAX),
        entry("much", ("issued:shed", "wallet:" + "a" * 64, MINUTES_MAX)),
        entry("words", ("issued:shed", "a_b:x", 1)),
        award("reference", "ann", 1, reference="\u00e9" * 32),
        award("details", "ann", 1, details="\u00e9" * 2048),
        entry("period", ("issued:shed", "allowance:swim.x_1:2026-06", 1)),
    )

    assert reasons(outcomes) == ["plain", "plain", "account_kind_unknown", "plain", "plain", "plain"]


# ---- order and time


def test_positions_count_the_posted_alone() -> None:
    outcomes = outcomes_of(
        award("1", "ann", 1), entry("2"), void("3", "nothing"), award("1", "ann", 1), award("4", "ann", 1)
    )

    assert [outcome.position for outcome in outcomes if isinstance(outcome, Posted) and not outcome.replayed] == [1, 2]


def test_recorded_at_never_goes_back_when_the_clock_does() -> None:
    state = empty()
    moments = []
    for clock in (NOON, NOON - timedelta(hours=1), NOON + timedelta(microseconds=1)):
        (outcome,) = judge(state, [award(str(clock), "ann", 1)], clock).outcomes
        assert isinstance(outcome, Posted)
        moments.append(outcome.recorded_at)

    assert moments == [NOON, NOON, NOON + timedelta(microseconds=1)]


def test_happened_at_may_lie_anywhere() -> None:
    long_ago = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(days=1)
    (outcome,) = outcomes_of(entry("k", ("issued:shed", "wallet:ann", 1), at=long_ago))

    assert isinstance(outcome, Posted)
    assert (outcome.happened_at, outcome.recorded_at) == (long_ago, NOON)


def test_judging_in_one_batch_or_one_at_a_time_is_the_same() -> None:
    everything: Sequence[Entry] = [*BEFORE, *(offender for _, _, offender in REFUSALS), *BEFORE]
    alone = empty()

    together = judge(empty(), everything, NOON).outcomes

    assert together == [outcome for each in everything for outcome in judge(alone, [each], NOON).outcomes]
