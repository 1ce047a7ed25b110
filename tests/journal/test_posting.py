"""The door in a caller's transaction, what it stores, and what it makes of a key that it has stored."""

from __future__ import annotations

import asyncio
import random
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec
import pytest

from ledger.database import Database, driver
from ledger.journal import posting, reading
from ledger.journal.entries import Entry, Kind, Posted, Reason, Refused
from ledger.journal.judge import State, judge
from tests.conftest import blocked
from tests.journal.conftest import (
    CHART,
    NOON,
    Journal,
    audit,
    award,
    capture,
    entry,
    hold,
    id_of,
    insert_chart,
    reasons,
    refund,
    replayed,
    reversal,
    steady_clock,
    void,
)
from tests.journal.test_judge import BEFORE, REFUSALS
from tests.journal.test_judge_keys import OTHER_CONTENT, SAME_CONTENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Postgres


class Stop(Exception):  # noqa: N818  # it stops a transaction, and nothing is wrong
    """Thrown by a test to end a transaction."""


# ---- the caller's transaction


async def test_outside_a_transaction_the_door_is_closed(journal: Journal) -> None:
    connection = await journal.database.connect()
    try:
        with pytest.raises(RuntimeError, match="needs a transaction"):
            await posting.post(connection, CHART, [award("a", "ann", 60)], NOON)
    finally:
        await connection.close()
    assert await reading.position(journal.owner) == 0


async def test_what_the_caller_rolls_back_was_never_posted(journal: Journal) -> None:
    await journal.post(award("kept", "ann", 60))
    with pytest.raises(Stop):
        async with journal.database.transaction() as connection:
            outcomes = await posting.post(
                driver(connection), CHART, [award("gone", "ann", 30), void("refused", "gone")], NOON
            )
            assert reasons(outcomes) == ["plain", "target_of_other_kind"]
            assert await reading.balances(driver(connection), ["wallet:ann"]) == {"wallet:ann": 90}
            raise Stop

    assert await journal.balances("wallet:ann", "issued:shed") == [60, -60]
    assert reasons(await journal.post(void("refused", "kept"), award("gone", "ann", 30))) == [
        "target_of_other_kind",
        "plain",
    ]
    assert await journal.balances("wallet:ann") == [90]


async def test_what_a_savepoint_takes_back_is_gone_and_the_rest_of_the_transaction_stays(journal: Journal) -> None:
    async with journal.database.transaction() as connection:
        raw = driver(connection)
        first = await posting.post(raw, CHART, [award("1", "ann", 60)], NOON)
        with pytest.raises(Stop):
            async with raw.transaction():
                await posting.post(raw, CHART, [award("2", "ann", 60)], NOON)
                raise Stop
        third = await posting.post(raw, CHART, [award("3", "ann", 5), award("1", "ann", 60)], NOON)

    assert reasons([*first, *third]) == ["plain", "plain", "plain*"]
    assert await journal.balances("wallet:ann") == [65]


async def test_the_callers_rows_and_the_entry_commit_together(journal: Journal) -> None:
    await journal.owner.execute(
        "CREATE TABLE scheme.workflow (id int); GRANT ALL ON scheme.workflow TO timecredits_app"
    )
    for number in (1, 2):
        with nullcontext() if number == 1 else pytest.raises(Stop):
            async with journal.database.transaction() as connection:
                await driver(connection).execute("INSERT INTO scheme.workflow VALUES ($1)", number)
                await posting.post(driver(connection), CHART, [award(str(number), "ann", 60)], NOON)
                if number == 2:
                    raise Stop

    assert [row["id"] for row in await journal.owner.fetch("SELECT id FROM scheme.workflow")] == [1]
    assert await journal.balances("wallet:ann") == [60]


async def test_a_second_writer_waits_for_the_first_to_commit_and_sees_what_it_did(journal: Journal) -> None:
    await journal.post(award("award", "ann", 60))
    async with journal.database.transaction() as connection:
        await posting.post(driver(connection), CHART, [hold("first", "ann", 60)], NOON)
        second = asyncio.create_task(journal.post(hold("second", "ann", 60)))
        await blocked(journal.owner)
        assert not second.done()

    assert await second == [Refused(id=id_of("second"), reason=Reason.INSUFFICIENT, account="wallet:ann")]


async def test_transactions_that_name_accounts_in_opposite_order_never_deadlock(journal: Journal) -> None:
    await journal.post(award("a", "ann", 100), award("b", "bob", 100))
    ann_to_bob, bob_to_ann = ("wallet:ann", "wallet:bob", 1), ("wallet:bob", "wallet:ann", 1)

    outcomes = await asyncio.gather(
        *(
            journal.post(entry(f"{number}", *([ann_to_bob, bob_to_ann][:: 1 if number % 2 else -1])))
            for number in range(30)
        )
    )

    assert sorted(outcome.position for (outcome,) in outcomes if isinstance(outcome, Posted)) == list(range(3, 33))
    assert await journal.balances("wallet:ann", "wallet:bob") == [100, 100]


async def test_what_the_database_refuses_though_the_judge_did_not_is_raised_and_nothing_stays(
    journal: Journal,
) -> None:
    await journal.owner.execute("ALTER TABLE journal.transfer ADD CONSTRAINT unlucky CHECK (minutes <> 13) NOT VALID")

    with pytest.raises(asyncpg.CheckViolationError) as raised:
        await journal.post(award("1", "ann", 12), award("2", "ann", 13))

    assert raised.value.constraint_name == "unlucky"
    assert await reading.position(journal.owner) == 0


async def test_no_entries_are_a_batch_too(journal: Journal) -> None:
    assert await journal.post() == []
    assert await reading.position(journal.owner) == 0


# ---- keys, after storage


@pytest.mark.parametrize("erased", [False, True], ids=["", "erased"])
@pytest.mark.parametrize("details", ["", '{"hours":"1"}'], ids=["own fields", "details"])
async def test_a_replay_from_storage_is_the_first_answer(journal: Journal, details: str, *, erased: bool) -> None:
    entries = [
        award("award", "ann", 300, details=details, reference="week 1"),
        hold("hold", "ann", 120, details=details),
        capture("capture", "hold", "ann", 90, details=details),
        refund("refund", "capture", "ann", 30),
        reversal("gone", "award"),
        hold("h2", "ann", 10),
        void("void", "h2"),
        entry("rule", refused="card_blocked", details=details),
        award("other", "bob", 5),
        reversal("reversal", "other"),
    ]
    first = [outcome for each in entries for outcome in await journal.post(each)]
    assert reasons(first) == [
        *("plain", "hold", "capture", "refund", "insufficient", "hold", "void"),
        *("card_blocked", "plain", "reversal"),
    ]
    if erased:
        await journal.owner.execute("DELETE FROM journal.detail")
    expected = [
        msgspec.structs.replace(outcome, details="") if erased and isinstance(outcome, Posted) else outcome
        for outcome in map(replayed, first)
    ]

    for _ in range(2):
        assert await journal.post(*entries) == expected
        assert await journal.post(*reversed(entries)) == expected[::-1]


@pytest.mark.parametrize(("first", "then", "fields"), OTHER_CONTENT)
async def test_other_content_under_a_stored_key_is_refused_as_it_would_be_in_the_same_batch(
    journal: Journal, first: Entry, then: Entry, fields: tuple[str, ...]
) -> None:
    (before,) = await journal.post(first)

    assert await journal.post(then) == [Refused(id=first.id, reason=Reason.KEY_REUSED, fields=fields)]
    assert await journal.post(first) == [replayed(before)]


@pytest.mark.parametrize(("first", "then"), SAME_CONTENT)
async def test_the_same_content_under_a_stored_key_gets_the_stored_answer(
    journal: Journal, first: Entry, then: Entry
) -> None:
    (before,) = await journal.post(first)

    assert await journal.post(then) == [replayed(before)]


async def test_a_stored_capture_is_compared_by_its_target_and_by_all_that_it_named(journal: Journal) -> None:
    funds = [award("a", "ann", 200), award("b", "bob", 60)]
    two = [("wallet:ann", "held:ann", 60), ("wallet:bob", "held:bob", 30)]
    holds = [entry("h1", *two, kind=Kind.HOLD), entry("h2", *two, kind=Kind.HOLD)]
    ann, bob = ("held:ann", "redeemed:pool", 60), ("held:bob", "redeemed:pool", 30)
    both = entry("k", ann, bob, kind=Kind.CAPTURE, of="h1")
    _, _, _, _, first = await journal.post(*funds, *holds, both)

    assert await journal.post(
        both,
        entry("k", ann, bob, kind=Kind.CAPTURE, of="h2"),
        entry("k", ann, kind=Kind.CAPTURE, of="h1"),
        entry("k", ann, ("held:bob", "redeemed:pool", 31), kind=Kind.CAPTURE, of="h1"),
        void("k", "h1"),
    ) == [
        replayed(first),
        Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("target",)),
        Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("transfers",)),
        Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("transfers",)),
        Refused(id=id_of("k"), reason=Reason.KEY_REUSED, fields=("kind",)),
    ]


async def test_where_the_details_were_erased_the_first_answer_stands_whatever_is_asked(journal: Journal) -> None:
    (first,) = await journal.post(award("k", "ann", 60, details='{"note":"with a friend"}'))
    await journal.owner.execute("DELETE FROM journal.detail")

    (again,) = await journal.post(award("k", "ann", 90, details='{"note":"something else"}'))

    assert isinstance(first, Posted)
    assert again == msgspec.structs.replace(first, details="", replayed=True)
    assert await journal.balances("wallet:ann") == [60]


async def test_where_a_refusals_details_were_erased_it_stands_whatever_is_asked(journal: Journal) -> None:
    (first,) = await journal.post(entry("k", details='{"note":"in tears"}', refused="visit_limit"))
    await journal.owner.execute("DELETE FROM journal.refusal_detail")

    (again,) = await journal.post(entry("k", details='{"note":"something else"}'))

    assert isinstance(first, Refused)
    assert again == msgspec.structs.replace(first, replayed=True)


async def test_every_refusal_of_the_table_is_the_same_from_storage(journal: Journal) -> None:
    offenders = []
    for number, (_, _, offender) in enumerate(REFUSALS):
        if offender.id == id_of("x"):
            own = id_of(f"x{number}")
            offender = msgspec.structs.replace(  # noqa: PLW2901  # the same, with a key of its own
                offender, id=own, target=own if offender.target == id_of("x") else offender.target
            )
        offenders.append(offender)
    for each in BEFORE:
        assert reasons(await journal.post(each)) == [each.kind.value]
    state = State(chart=CHART, batch=UUID(int=0), recorded_at=NOON)
    expected = judge(state, [*BEFORE, *offenders], NOON).outcomes[len(BEFORE) :]

    assert [outcome for each in offenders for outcome in await journal.post(each)] == expected
    assert reasons(expected) == [reason for _, reason, _ in REFUSALS]


# ---- what is stored


def noise(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes  # noqa: S311  # the same in both runs, which is the point


def mixed(count: int) -> list[Entry]:
    """That many entries of every kind that are all posted, about as many with details as without."""
    entries: list[Entry] = []
    for number in range(count):
        n, who = f"{number}", f"p{number % 7}"
        match number % 8:
            case 0 | 1:
                each = award(n, who, 60 + number, details=f'{{"n":{number}}}', reference="r" * (number % 3))
            case 2:
                each = hold(n, f"p{(number - 1) % 7}", 30)
            case 3:
                each = capture(n, f"{number - 1}", f"p{(number - 2) % 7}", 20, details="{}")
            case 4:
                each = refund(n, f"{number - 1}", f"p{(number - 3) % 7}", 5)
            case 5:
                each = hold(n, f"p{(number - 4) % 7}", 2)
            case 6:
                each = void(n, f"{number - 1}")
            case _:
                each = entry(n, ("issued:shed", f"wallet:new{number}", 9), ("issued:other", f"wallet:{who}", 1))
        entries.append(each)
    return entries


TABLES = ("head", "kind", "account", "entry", "transfer", "detail", "refusal", "node")


async def all_rows(connection: asyncpg.Connection) -> dict[str, list[object]]:
    return {
        table: [tuple(row) for row in await connection.fetch(f"SELECT t::text FROM journal.{table} t ORDER BY 1")]
        for table in TABLES
    }


@pytest.mark.parametrize("count", [1, posting.COPY_FROM_ENTRIES, 600])
async def test_rows_by_copy_and_rows_by_one_statement_are_the_same(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    entries = [*mixed(count), entry("rule", refused="quota_full", details="{}"), void("nothing", "nowhere")]
    written = {}
    for copied, threshold in ((True, count), (False, count + 1)):
        monkeypatch.setattr(posting, "COPY_FROM_ENTRIES", threshold)
        name = await postgres.create()
        owner = await asyncpg.connect(postgres.dsn(name))
        try:
            await insert_chart(owner)
            async with Database.open(postgres.dsn(name)) as database:
                connection = await database.connect()
                said: list[str] = []
                connection.add_query_logger(lambda query: said.append(query.query))  # noqa: B023  # used at once
                state = await posting.read(connection, CHART, entries)
                judgement = judge(state, entries, NOON)
                assert await posting.write(connection, posting.seal(state, judgement, noise(count)))
                await connection.close()
            assert any("INSERT INTO journal.entry" in query for query in said) is not copied
            await audit(owner)
            written[copied] = await all_rows(owner)
        finally:
            await owner.close()
            await postgres.drop(name)

    assert written[True] == written[False]
    assert [len(written[True][table]) for table in ("entry", "refusal")] == [count, 2]


async def test_a_batch_that_was_judged_before_the_head_moved_writes_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for threshold in (1, 100):
        monkeypatch.setattr(posting, "COPY_FROM_ENTRIES", threshold)
        key = str(threshold)
        connection = await journal.database.connect()
        state = await posting.read(connection, CHART, [award(key, "ann", 1)])
        sealed = posting.seal(state, judge(state, [award(key, "ann", 1)], NOON))
        await journal.post(award(f"before {key}", "bob", 1))
        rows = await all_rows(journal.owner)

        assert await posting.write(connection, sealed) is False
        assert await all_rows(journal.owner) == rows
        await connection.close()


async def test_batches_of_every_size_leave_a_sound_journal(journal: Journal) -> None:
    entries = mixed(1_100)
    start = 0
    for size in (1, 2, 7, 246, 250, 1, 249, 300, 44):
        await journal.post(*entries[start : start + size])
        start += size

    assert start == len(entries)
    assert await reading.position(journal.owner) == len(entries)
    nodes = await journal.owner.fetchval("SELECT count(*) FROM journal.node")
    assert nodes == len(entries) // 256  # and `audit` has recomputed them


async def test_recorded_at_never_decreases_even_when_the_clock_goes_back(journal: Journal) -> None:
    journal.clock = steady_clock(-timedelta(seconds=1))
    posted = [outcome for number in range(3) for outcome in await journal.post(award(str(number), "ann", 1))]
    journal.clock = lambda: NOON + timedelta(days=1)
    posted += await journal.post(award("later", "ann", 1))

    moments = [outcome.recorded_at for outcome in posted if isinstance(outcome, Posted)]
    first = NOON - timedelta(seconds=1)
    assert moments == [first, first, first, NOON + timedelta(days=1)]


async def test_moments_are_kept_to_the_microsecond(journal: Journal) -> None:
    moment = datetime.fromisoformat("1969-12-31T23:59:59.999999-12:00")
    journal.clock = lambda: NOON + timedelta(microseconds=1)
    await journal.post(entry("k", ("issued:shed", "wallet:ann", 1), at=moment))

    found = await reading.entry(journal.owner, id_of("k"))

    assert found is not None
    assert (found.happened_at, found.recorded_at) == (moment, NOON + timedelta(microseconds=1))


async def test_of_refusals_only_those_that_were_well_formed_are_stored(journal: Journal) -> None:
    await journal.post(entry("malformed"), void("by state", "nothing"), entry("by rule", refused="visit_limit"))

    rows = await journal.owner.fetch(
        "SELECT id, reason, body FROM journal.refusal JOIN journal.refusal_detail USING (id) ORDER BY reason"
    )
    assert [tuple(row) for row in rows] == [
        (id_of("by state"), "target_unknown", ""),
        (id_of("by rule"), "visit_limit", ""),
    ]
