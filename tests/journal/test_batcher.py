"""The batcher while its connections stand: strangers, offenders, cancellations and rivals."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import msgspec
import pytest

from ledger.journal import posting
from ledger.journal.batcher import AHEAD_FROM_ENTRIES, Batcher, QueueFull, Unavailable
from ledger.journal.entries import Entry, Failed, Kind, Posted, Reason, Refused
from ledger.journal.posting import COPY_FROM_ENTRIES
from tests.conftest import blocked
from tests.journal.batching import PORTIONS, head_locked, running
from tests.journal.conftest import (
    CHART,
    NOON,
    Journal,
    award,
    capture,
    entry,
    hold,
    id_of,
    reasons,
    refund,
    replayed,
    reversal,
    void,
)

# ---- batches


async def test_a_lone_entry_goes_at_once_without_taking_the_lock_first(journal: Journal) -> None:
    said: list[str] = []
    async with running(journal, said=said) as batcher:
        outcome = await batcher.post(award("a", "ann", 60))

        assert isinstance(outcome, Posted)
        assert batcher.batches == 1
    assert not any("FOR UPDATE" in query for query in said)
    assert await journal.balances("wallet:ann") == [60]


async def test_strangers_share_a_batch_and_each_gets_the_answer_to_what_it_asked(journal: Journal) -> None:
    async with running(journal) as batcher:
        outcomes = await asyncio.gather(*(batcher.post(award(f"{n}", f"p{n}", n)) for n in range(1, 201)))

        assert batcher.batches <= 5  # of the 200 half, of the rest half, down to 12
    assert [(outcome.id, outcome.transfers[0].minutes) for outcome in outcomes if isinstance(outcome, Posted)] == [
        (id_of(f"{n}"), n) for n in range(1, 201)
    ]


async def test_entries_are_judged_in_the_order_in_which_they_came(journal: Journal) -> None:
    async with running(journal, batch_max=7) as batcher:
        outcomes = await asyncio.gather(
            batcher.post_all([award(f"a{n}", "ann", 1) for n in range(20)]),
            batcher.post(award("b", "bob", 1)),
            batcher.post_all([award(f"c{n}", "ann", 1) for n in range(5)]),
        )

    posted = [
        [outcome.position for outcome in part if isinstance(outcome, Posted)]
        for part in (outcomes[0], [outcomes[1]], outcomes[2])
    ]
    # The first may have more than a batch holds; then others come between its portions, and never before them.
    assert [len(part) for part in posted] == [20, 1, 5]
    assert posted[0] == sorted(posted[0])
    assert posted[0][:7] == list(range(1, 8))
    assert posted[1][0] < posted[2][0]
    assert posted[2] == list(range(posted[2][0], posted[2][0] + 5))


async def test_a_refusal_fails_no_stranger(journal: Journal) -> None:
    async with running(journal) as batcher:
        outcomes = await asyncio.gather(
            *(
                batcher.post(each)
                for each in (hold("h", "ann", 1), award("a", "ann", 1), entry("x"), hold("i", "ann", 1))
            )
        )

    assert reasons(outcomes) == ["insufficient", "plain", "no_transfers", "hold"]


async def test_when_the_queue_is_full_the_next_is_turned_away_and_all_before_it_are_posted(journal: Journal) -> None:
    async with running(journal, queue_max=10) as batcher:
        async with head_locked(journal):
            first = asyncio.create_task(batcher.post(award("first", "ann", 1)))
            await blocked(journal.owner)
            waiting = [asyncio.create_task(batcher.post(award(f"{n}", "ann", 1))) for n in range(10)]
            await asyncio.sleep(0)

            assert batcher.waiting == 10
            with pytest.raises(QueueFull):
                await batcher.post(award("too many", "ann", 1))
            with pytest.raises(QueueFull):
                await batcher.post_all([award(f"too {n}", "ann", 1) for n in range(2)])
        outcomes = await asyncio.gather(first, *waiting)
        assert (batcher.waiting, reasons([await batcher.post(award("after", "ann", 1))])) == (0, ["plain"])

    assert reasons(outcomes) == ["plain"] * 11
    assert await journal.balances("wallet:ann") == [12]


async def test_a_cancelled_caller_cancels_no_batch(journal: Journal) -> None:
    async with running(journal) as batcher:
        async with head_locked(journal):
            writing = asyncio.create_task(batcher.post(award("writing", "ann", 1)))
            await blocked(journal.owner)
            queued = asyncio.create_task(batcher.post(award("queued", "ann", 1)))
            stranger = asyncio.create_task(batcher.post(award("stranger", "ann", 1)))
            await asyncio.sleep(0)
            writing.cancel()
            queued.cancel()
            gone = await asyncio.gather(writing, queued, return_exceptions=True)
        assert reasons([await stranger]) == ["plain"]
        assert all(isinstance(each, asyncio.CancelledError) for each in gone)

        again = await batcher.post_all([award("writing", "ann", 1), award("queued", "ann", 1)])
    assert reasons(again) == ["plain*", "plain*"]
    assert await journal.balances("wallet:ann") == [3]


async def test_closing_writes_what_waits_and_then_takes_nothing_more(journal: Journal) -> None:
    async with running(journal, batch_max=10) as batcher:
        tasks = [asyncio.create_task(batcher.post(award(f"{n}", "ann", 1))) for n in range(95)]
        await asyncio.sleep(0)

    assert reasons([await task for task in tasks]) == ["plain"] * 95
    with pytest.raises(Unavailable):
        await batcher.post(award("late", "ann", 1))
    assert await journal.balances("wallet:ann") == [95]


async def test_closing_that_is_cancelled_leaves_no_connection_open(journal: Journal) -> None:
    opened: asyncio.Future[list[asyncpg.Connection | None]] = asyncio.get_running_loop().create_future()

    async def life() -> None:
        async with running(journal) as batcher:
            waiting = asyncio.create_task(batcher.post(award("waiting", "ann", 1)))
            await blocked(journal.owner)
            opened.set_result([batcher._reader, batcher._writer])
            waiting.cancel()

    async with head_locked(journal):
        living = asyncio.create_task(life())
        connections = await opened
        living.cancel()  # it waits for the writer, who waits for the head
        with pytest.raises(asyncio.CancelledError):
            await living

    assert [connection is not None and connection.is_closed() for connection in connections] == [True, True]


# ---- reading ahead


@pytest.mark.parametrize("count", [AHEAD_FROM_ENTRIES, COPY_FROM_ENTRIES + 50])
async def test_a_target_may_stand_in_the_batch_that_is_still_being_written(journal: Journal, count: int) -> None:
    people = [f"p{n}" for n in range(count)]
    chunks = [
        [award(f"award {who}", who, 100) for who in people],
        [hold(f"hold {who}", who, 60, details="{}") for who in people],
        [capture(f"capture {who}", f"hold {who}", who, 50) for who in people],
        [refund(f"refund {who}", f"capture {who}", who, 30) for who in people],
        [*(void(f"void {who}", f"hold {who}") for who in people)],
        [*(refund(f"more {who}", f"capture {who}", who, 21) for who in people)],
        [*(hold(f"hold {who}", who, 60, details="{}") for who in people)],
        [*(hold(f"again {who}", who, 81) for who in people)],
    ]
    said: list[str] = []
    async with running(journal, batch_max=count, said=said) as batcher:
        outcomes = await asyncio.gather(*map(batcher.post_all, chunks))
        assert batcher.batches == len(chunks)

    assert [set(reasons(part)) for part in outcomes] == [
        *({"plain"}, {"hold"}, {"capture"}, {"refund"}, {"already_resolved"}, {"exceeds_capture"}),
        *({"hold*"}, {"insufficient"}),
    ]
    # In a small batch the holds that come again weren't looked for; the write found them, and the next stood on it.
    assert sum("FOR UPDATE" in query for query in said) == (2 if count < COPY_FROM_ENTRIES else 0), (
        "each was judged while the one before was written"
    )
    assert await journal.balances("wallet:p0", f"wallet:p{count - 1}", "redeemed:pool") == [80, 80, 20 * count]


async def test_what_was_done_to_a_target_is_still_known_two_batches_later_whatever_is_replayed_between(
    journal: Journal,
) -> None:
    count = COPY_FROM_ENTRIES + 50

    def chunk(number: int, *entries: Entry) -> list[Entry]:
        return [*entries, *(award(f"filler {number} {n}", f"p{n}", 1) for n in range(count - len(entries)))]

    start = [
        *(award("award", "ann", 100), hold("h1", "ann", 10), void("v1", "h1"), hold("h2", "ann", 10), void("v2", "h2")),
        *(hold("h3", "ann", 50), capture("c3", "h3", "ann", 50), refund("r3", "c3", "ann", 40)),
    ]
    chunks = [
        chunk(0, *start),
        chunk(1, hold("h1", "ann", 10), void("v1", "h1"), capture("c3", "h3", "ann", 50)),
        chunk(2, void("w1", "h1"), void("w2", "h2"), refund("s3", "c3", "ann", 11)),
        chunk(3, hold("h1", "ann", 10), hold("h2", "ann", 10)),
        chunk(4, void("x1", "h1"), void("x2", "h2"), refund("t3", "c3", "ann", 10), refund("u3", "c3", "ann", 1)),
    ]
    said: list[str] = []
    async with running(journal, batch_max=count, said=said) as batcher:
        outcomes = await asyncio.gather(*map(batcher.post_all, chunks))

    assert [reasons(part)[:4] for part in outcomes[1:]] == [
        ["hold*", "void*", "capture*", "plain"],
        ["already_resolved", "already_resolved", "exceeds_capture", "plain"],
        ["hold*", "hold*", "plain", "plain"],
        ["already_resolved", "already_resolved", "refund", "exceeds_capture"],
    ]
    assert not any("FOR UPDATE" in query for query in said), "and the database had not to say it"


async def test_reading_ahead_gives_what_one_batch_after_the_other_gives(
    journal: Journal,
    twin: Journal,
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    # Few accounts and near targets, so that nearly every entry depends on one in the batch before it.
    choose = random.Random(20260601)  # noqa: S311  # a table of examples, not a secret
    entries: list[Entry] = []
    for number in range(30_000 if soak else 2_000):
        again = choose.random() < 0.1 and number > 0
        entries.append(choose.choice(entries[-300:]) if again else _any_entry(choose, number, entries))
    journal.clock = twin.clock = lambda: NOON
    said: list[str] = []
    async with running(journal, queue_max=30_000, batch_max=COPY_FROM_ENTRIES, said=said) as batcher:
        parts = await asyncio.gather(
            *(batcher.post_all(entries[at : at + 50]) for at in range(0, len(entries), 50)),
        )
    ahead = [outcome for part in parts for outcome in part]

    alone = [outcome for at in range(0, len(entries), 97) for outcome in await twin.post(*entries[at : at + 97])]

    assert not any("FOR UPDATE" in query for query in said)
    assert ahead == alone
    kinds = {kind.value for kind in Kind} - {"lapse"}
    assert kinds | {"insufficient", "key_reused", "plain*", "already_resolved"} <= set(reasons(ahead))


def _any_entry(choose: random.Random, number: int, past: list[Entry]) -> Entry:
    """Mostly something that the journal would do, in a wallet that is nearly empty, against something recent."""
    key = f"k{number if choose.random() < 0.95 else choose.randrange(number + 1)}"
    who, other = choose.sample(["ann", "bob", "cat"], 2)
    wanted = choose.choice([Kind.PLAIN, Kind.HOLD, Kind.CAPTURE])
    target = choose.choice([each for each in past[-400:] if each.kind is wanted] or [award("none", who, 1)])
    of = target.id if target.id in {each.id for each in past} else id_of("none")
    if target.transfers and choose.random() < 0.9:
        who = next(
            (each.debit.partition(":")[2] for each in target.transfers if each.debit.startswith(("wallet", "held"))),
            who,
        )
    match choose.randrange(9):
        case 0 | 1:
            return award(key, who, choose.randrange(1, 40))
        case 2:
            return entry(key, (f"wallet:{who}", f"wallet:{other}", choose.randrange(1, 20)))
        case 3 | 4:
            return hold(key, who, choose.randrange(1, 30))
        case 5:
            made = capture(key, "", who, choose.randrange(1, 15))
        case 6:
            made = void(key, "")
        case 7:
            made = reversal(key, "")
        case _:
            made = refund(key, "", who, choose.randrange(1, 10))
    return msgspec.structs.replace(made, target=of)


# ---- offenders


@pytest.mark.parametrize("count", PORTIONS)
async def test_what_the_database_alone_refuses_fails_and_all_others_are_posted(journal: Journal, count: int) -> None:
    await journal.owner.execute("ALTER TABLE journal.transfer ADD CONSTRAINT unlucky CHECK (minutes <> 13) NOT VALID")
    entries = [award(f"{n}", "ann", 13 if n in {1, count - 1} else 12) for n in range(count)]
    async with running(journal) as batcher:
        outcomes = await batcher.post_all(entries)
        again = await batcher.post_all(entries[:3])

    assert [outcome for outcome in outcomes if not isinstance(outcome, Posted)] == [
        Failed(id_of("1"), "unlucky"),
        Failed(id_of(f"{count - 1}"), "unlucky"),
    ]
    assert again == [replayed(outcomes[0]), Failed(id_of("1"), "unlucky"), replayed(outcomes[2])]
    assert await journal.balances("wallet:ann") == [12 * (count - 2)]


UNWRITABLE = {
    "a lone surrogate": ("\ud800", "UnicodeEncodeError"),
    "a NUL": ("\0", "22021"),
}


@pytest.mark.parametrize("word", UNWRITABLE)
@pytest.mark.parametrize("where", ["details", "reference"])
async def test_text_that_cannot_be_written_fails_alone_and_moves_nothing(
    journal: Journal, where: str, word: str
) -> None:
    text, why = UNWRITABLE[word]
    poison = award("poison", "ann", 60, **{where: text})
    async with running(journal) as batcher:
        together = await asyncio.gather(
            batcher.post(award("1", "ann", 1)), batcher.post(poison), batcher.post(award("2", "ann", 1))
        )
        # Alone, with the balances that the batcher remembers: a minute of it would be spent here.
        alone = [
            await batcher.post(each)
            for each in (award("3", "ann", 1), poison, hold("h", "ann", 4), hold("i", "ann", 3))
        ]

    assert reasons(together) == ["plain", "failed", "plain"]
    assert together[1] == alone[1] == Failed(id_of("poison"), why)
    assert reasons(alone) == ["plain", "failed", "insufficient", "hold"]
    assert await journal.balances("wallet:ann", "held:ann") == [0, 3]


# ---- rivals


async def test_batchers_of_two_processes_on_one_journal_post_everything_once(journal: Journal) -> None:
    there, back = ("wallet:ann", "wallet:bob", 1), ("wallet:bob", "wallet:ann", 1)
    await journal.post(award("a", "ann", 1_000), award("b", "bob", 1_000))
    async with running(journal) as one, running(journal) as two:
        mine = [entry(f"1 {n}", there, back) for n in range(400)]
        theirs = [entry(f"2 {n}", back, there) for n in range(400)]
        parts = await asyncio.gather(
            *(
                batcher.post(each)
                for pair in zip(mine, theirs, strict=True)
                for batcher, each in zip((one, two), pair, strict=True)
            ),
            *(batcher.post(award(f"both {n}", "cat", 1)) for n in range(100) for batcher in (one, two)),
        )

    posted = [outcome for outcome in parts if isinstance(outcome, Posted)]
    assert len(posted) == len(parts)
    assert sorted(outcome.position for outcome in posted if not outcome.replayed) == list(range(3, 903))
    assert await journal.balances("wallet:ann", "wallet:bob", "wallet:cat") == [1_000, 1_000, 100]


async def test_a_batch_read_ahead_is_judged_anew_when_a_rival_moved_the_head(journal: Journal) -> None:
    await journal.post(award("a", "ann", 5))
    async with running(journal) as batcher:
        async with head_locked(journal):
            # Judged already on five minutes, and waiting for the head ...
            spending = asyncio.create_task(batcher.post_all([hold(f"{n}", "ann", 1) for n in range(5)]))
            await blocked(journal.owner)
            # ... of which the holder of the lock now takes three.
            await posting.post(journal.owner, CHART, [entry("rival", ("wallet:ann", "transit", 3))], journal.clock())
        outcomes = await spending
        after = await batcher.post_all([award("b", "ann", 1), hold("6", "ann", 2), hold("7", "ann", 1)])

    assert reasons(outcomes) == ["hold", "hold", "insufficient", "insufficient", "insufficient"]
    assert reasons(after) == ["plain", "insufficient", "hold"]
    assert await journal.balances("wallet:ann", "held:ann", "transit") == [0, 3, 3]


async def test_a_refusal_is_the_same_in_every_process_though_it_would_pass_by_now(journal: Journal) -> None:
    spend = hold("spend", "ann", 60)
    async with running(journal) as one, running(journal) as two:
        first = await one.post(spend)
        await two.post(award("a", "ann", 100))
        again = [await two.post(spend), await one.post(spend), *await journal.post(spend)]

    assert first == Refused(id=id_of("spend"), reason=Reason.INSUFFICIENT, account="wallet:ann")
    assert again == [replayed(first)] * 3


async def test_of_a_refusal_and_a_posting_of_one_id_in_two_processes_one_wins_and_both_hear_it(
    journal: Journal,
) -> None:
    async with running(journal) as one, running(journal) as two:
        for number in range(40):
            key = f"k{number}"
            posted = award(key, "ann", 1, details="{}")
            ruled_out = award(key, "ann", 1, details="{}", refused="quota_full")
            pair = [one.post(posted), two.post(ruled_out)][:: 1 if number % 2 else -1]
            outcomes = await asyncio.gather(*pair)
            assert len({type(outcome) for outcome in outcomes}) == 1
            assert sorted(bool(getattr(outcome, "replayed", None)) for outcome in outcomes) == [False, True]


# ---- without reading


async def _calm(batcher: Batcher, word: str = "calm") -> None:
    """Post until the batcher knows ann and bob and has seen nobody else write, nor a key again."""
    for number in range(5):
        await batcher.post(award(f"{word}-{number}", "ann", 60))
        await batcher.post(award(f"{word}-{number}-bob", "bob", 60))


async def test_on_accounts_that_nobody_else_touches_an_entry_is_one_statement(journal: Journal) -> None:
    said: list[str] = []
    async with running(journal, said=said) as batcher:
        await _calm(batcher)
        said.clear()
        outcomes = [await batcher.post(award(f"{number}", "ann", 1)) for number in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Posted] * 3
    assert len([query for query in said if "journal." in query]) == 3


async def test_a_key_that_comes_again_is_found_though_nobody_looked_for_it(journal: Journal) -> None:
    async with running(journal) as batcher:
        spend = hold("too-much", "ann", 1_000_000)
        first = [await batcher.post(award("a", "ann", 60)), await batcher.post(spend)]
        again, other = [], []
        for word, entry in (("one", award("a", "ann", 60)), ("two", spend)):
            await _calm(batcher, word)
            again.append(await batcher.post(entry))
        await _calm(batcher, "three")
        other.append(await batcher.post(award("a", "bob", 60)))

    assert again == [replayed(outcome) for outcome in first]
    assert reasons(other) == ["key_reused"]
    assert await journal.balances("wallet:ann", "wallet:bob") == [60 + 15 * 60, 15 * 60]


async def test_what_a_rival_wrote_is_seen_though_nobody_read(journal: Journal) -> None:
    async with running(journal) as batcher:
        await _calm(batcher)
        (spent,) = await journal.post(hold("elsewhere", "ann", 300))
        refused = await batcher.post(hold("here", "ann", 1))
        await journal.post(award("more", "ann", 30))
        allowed = await batcher.post(hold("there", "ann", 30))

    assert isinstance(spent, Posted)
    assert reasons([refused]) == [Reason.INSUFFICIENT]
    assert isinstance(allowed, Posted)
    assert await journal.balances("wallet:ann", "wallet:bob") == [0, 300]


async def test_strangers_of_a_key_that_came_again_are_posted_with_it(journal: Journal) -> None:
    async with running(journal) as batcher:
        await _calm(batcher)
        outcomes = await asyncio.gather(
            *(batcher.post(award(key, "ann", 60)) for key in ("calm-1", "new", "calm-2", "newer"))
        )

    assert [bool(getattr(outcome, "replayed", None)) for outcome in outcomes] == [True, False, True, False]
    assert await journal.balances("wallet:ann") == [7 * 60]
