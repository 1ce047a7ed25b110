"""The table of refusals is whole, and speaks kindly."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from ledger.journal.entries import KEPT, Failed, Kind, Outcome, Posted, Reason, Refused, Unknown
from ledger.scheme.refusals import OUTAGES, TABLE, Declined, Refusal, settled

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
    assert (row.retry_after is not None) == (row.status == 503)
    for word in ("invalid", "illegal", "failed", "fault", "balance"):
        assert word not in f"{row.staff} {row.visitor}".lower()


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
    now = datetime.now(UTC)
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
