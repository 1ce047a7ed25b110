"""The table of refusals is whole, and speaks kindly."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.journal.entries import KEPT, Failed, Kind, Outcome, Posted, Reason, Refused, Transfer, Unknown
from ledger.scheme.refusals import OUTAGES, TABLE, Declined, Refusal, settled
from tests.daytime import daytime

ID = uuid4()


def declined(outcome: Outcome) -> Declined:
    with pytest.raises(Declined) as caught:
        settled(outcome)
    return caught.value


def test_every_refusal_has_a_row() -> None:
    assert TABLE.keys() == set(Refusal)


@pytest.mark.parametrize("refusal", Refusal)
def test_its_sentences_blame_nobody_and_end_as_titles_do(refusal: Refusal) -> None:
    row = TABLE[refusal]
    assert 400 <= row.status < 600
    assert not row.staff.endswith(".")
    assert row.visitor.endswith((".", "?"))
    assert (row.retry_after is not None) == (row.status in {429, 503})
    assert len(row.staff) <= 80
    assert len(row.visitor) <= 90  # at a till it is read out, or stands on one line or two
    for word in ("invalid", "illegal", "failed", "fault", "balance", "wrong", "denied", "not allowed to", "must"):
        assert word not in f"{row.staff} {row.visitor}".lower()


def test_the_products_reasons_are_all_there() -> None:
    product = """
        insufficient_credits, code_unknown, code_stale, card_blocked, card_replaced, card_expired, already_used,
        offer_closed_now, quota_full, visit_limit, party_rule, age_rule, not_eligible, booking_needed,
        name_check_needed, device_not_allowed, venue_paused, offline_limit, try_again
    """
    assert [reason.value for reason in Refusal][:19] == [word.strip() for word in product.split(",")]


# --- whose floor it was -----------------------------------------------------------------------------------------

# The same in every process that runs tests: they are in the tests' names.
_H, _O, _C = (UUID(int=number).hex for number in range(1, 4))
_DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
_PLACES, _LIMIT = "All places for credits are taken for this", "This is more than"


@pytest.mark.parametrize(
    ("account", "reason", "begins", "again", "why"),
    [
        (f"wallet:{_H}", Refusal.INSUFFICIENT_CREDITS, "", None, "somebody's credits"),
        (f"held:{_H}", Refusal.INSUFFICIENT_CREDITS, "", None, "those on hold"),
        (f"pot:{_H}", Refusal.INSUFFICIENT_CREDITS, "", None, "a group's"),
        (f"paper:{_H}", Refusal.INSUFFICIENT_CREDITS, "", None, "a voucher's"),
        ("transit", Refusal.INSUFFICIENT_CREDITS, "", None, "nobody's in particular"),
        (f"allowance:{_O}:2026-11", Refusal.QUOTA_FULL, f"{_PLACES} month.", _DECEMBER, "a venue's quota"),
        (f"allowance:{_O}", Refusal.QUOTA_FULL, f"{_PLACES} time.", None, "an occasion's places, which are no more"),
        (
            f"limit:{_O}:{_H}.2026-11",
            Refusal.VISIT_LIMIT,
            f"{_LIMIT} one person can use here in a month.",
            _DECEMBER,
            "a person's monthly limit",
        ),
        (
            f"limit:gifts:{_H}.2026-11",
            Refusal.GIFT_LIMIT,
            f"{_LIMIT} one person gives in a month.",
            _DECEMBER,
            "gifts (rule 20)",
        ),
        (
            f"limit:{_C}:2026-11-22",
            Refusal.VISIT_LIMIT,
            f"{_LIMIT} a printed card is good for in a day.",
            datetime(2026, 11, 23, tzinfo=UTC),
            "a printed card's day (rule 23)",
        ),
        (f"limit:{_C}:pass.59474880", Refusal.ALREADY_USED, "This code was used a moment ago", None, "a phone pass"),
    ],
)
def test_whose_floor_was_in_the_way_tells_which_limit(
    account: str, reason: Refusal, begins: str, again: datetime | None, why: str
) -> None:
    refused = Refused(id=ID, reason=Reason.INSUFFICIENT, account=account, replayed=True)
    with pytest.raises(Declined) as caught:
        settled(refused, [Transfer("wallet:0", "redeemed:0", 90), Transfer(account, "counted:0", 60, -60)])
    assert (caught.value.reason, caught.value.works_at, caught.value.replayed) == (reason, again, True), why
    assert caught.value.detail.startswith(begins), why


@pytest.mark.parametrize(
    ("minutes", "most", "works", "why"),
    [
        (40, 40, True, "all places of a month at once: the next month has as many"),
        (41, 40, False, "one more than there ever are"),
        (1, 0, False, "a quota of zero is so next month too"),
    ],
)
def test_what_is_beyond_the_whole_limit_is_not_promised_for_later(
    *, minutes: int, most: int, works: bool, why: str
) -> None:
    account = f"allowance:{_O}:2026-11"
    with pytest.raises(Declined) as caught:
        settled(
            Refused(id=ID, reason=Reason.INSUFFICIENT, account=account),
            [Transfer(account, f"honoured:{_O}", minutes, -most)],
        )
    assert caught.value.works_at == (_DECEMBER if works else None), why


@pytest.mark.parametrize(
    ("period", "over", "why"),
    [
        ("2026-01", "2026-02-01T00:00", "31 days"),
        ("2026-02", "2026-03-01T00:00", "28"),
        ("2028-02", "2028-03-01T00:00", "29"),
        ("2026-12", "2027-01-01T00:00", "the year's turn"),
        ("2026-03", "2026-03-31T23:00", "begun in winter time, over in summer time"),
        ("2026-06", "2026-06-30T23:00", "in summer a month in London is over an hour before UTC's"),
        ("2026-10", "2026-11-01T00:00", "back in winter time"),
        ("2026-06-30", "2026-06-30T23:00", "a day in summer"),
        ("2026-03-29", "2026-03-29T23:00", "a day of 23 hours"),
        ("2026-10-25", "2026-10-26T00:00", "a day of 25 hours"),
        ("2026-12-31", "2027-01-01T00:00", "the year's last"),
    ],
)
def test_a_period_is_over_by_the_clock_in_london(period: str, over: str, why: str) -> None:
    account = f"limit:{_C}:{period}" if len(period) == len("2026-11-22") else f"allowance:{_O}:{period}"
    with pytest.raises(Declined) as caught:
        settled(Refused(id=ID, reason=Reason.INSUFFICIENT, account=account), [Transfer(account, "x:0", 1, -1)])
    assert caught.value.works_at == datetime.fromisoformat(over).replace(tzinfo=UTC), why


@pytest.mark.parametrize("reason", sorted({*KEPT, Reason.KEY_REUSED}))
def test_every_reason_that_the_journal_can_give_us_is_known(reason: Reason) -> None:
    assert declined(Refused(id=ID, reason=reason, replayed=True)).replayed


def test_differing_fields_are_named() -> None:
    assert declined(Refused(id=ID, reason=Reason.KEY_REUSED, fields=("offer",))).fields[0][0] == "offer"


def test_what_is_unknown_says_retry() -> None:
    assert declined(Unknown(ID)).reason is Refusal.UNKNOWN


@pytest.mark.parametrize(
    "outcome", [Failed(ID, "entry_id_key"), Refused(id=ID, reason=Reason.NO_TRANSFERS)], ids=["failed", "malformed"]
)
def test_a_defect_of_ours_is_no_refusal(outcome: Outcome) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        settled(outcome)


def test_what_was_posted_is_returned() -> None:
    now = daytime()
    posted = Posted(
        position=1,
        id=ID,
        kind=Kind.PLAIN,
        target=None,
        happened_at=now,
        recorded_at=now,
        actor=ID,
        reference="",
        transfers=(),
    )
    assert settled(posted) is posted


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (asyncpg.DiskFullError, Refusal.UNAVAILABLE),
        (asyncpg.TooManyConnectionsError, Refusal.UNAVAILABLE),
        (asyncpg.ReadOnlySQLTransactionError, Refusal.UNAVAILABLE),  # after a failover, on what is still a standby
        (asyncpg.IdleInTransactionSessionTimeoutError, Refusal.UNAVAILABLE),  # our process was stopped for a while
        (asyncpg.QueryCanceledError, Refusal.UNAVAILABLE),
        (asyncpg.DeadlockDetectedError, Refusal.BUSY),
        (asyncpg.InFailedSQLTransactionError, None),  # defects of ours stay failures
        (asyncpg.CheckViolationError, None),
    ],
)
def test_what_the_server_lacks_is_an_outage_and_what_we_do_wrong_is_not(
    error: type[Exception], refusal: Refusal | None
) -> None:
    assert next((OUTAGES[kind] for kind in error.__mro__ if kind in OUTAGES), None) is refusal
