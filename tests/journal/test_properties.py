"""The journal against a small sequential model that shares no code with it, and against itself in other batches.

Hypothesis thinks up the entries: of all kinds, over few accounts, with small minutes and keys that collide, so that
most of them meet a floor, a target in some state, or their own past.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.database import Database, driver
from ledger.journal import posting, reading
from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Kind, Outcome, Posted, Refused
from tests.journal.conftest import CHART, NOON, audit, id_of, insert_chart
from tests.journal.model import MALFORMED, RESOLVING, Asked, Fact, Model, Move, Told, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from tests.conftest import Postgres


# ---- what is asked

NUMBERS = st.integers(0, 7)
ANY_KEY = st.builds("{}{}".format, st.sampled_from("aghcvry"), NUMBERS)
DETAILS = st.sampled_from(["", "", "", '{"a":1}', '{"a":2}'])
# What two or three awards come to, and what a wallet may be left with.
LEAST = st.sampled_from([None] * 6 + [-40, 3])
RULED_OUT = st.sampled_from([""] * 11 + ["card_blocked"])
ONE_IN_SIX = st.sampled_from([False] * 5 + [True])


Shape = tuple[str, str, tuple[Move, ...], str]
"""The first letter of its key, its kind, its moves, the first letter of its target's key."""


def shapes(number: int, minutes: int) -> tuple[list[Shape], list[Shape]]:
    """What could be, and what is malformed: `c3` captures the hold `h3` of the wallet that `a3` and `a1` filled."""
    who, other = ("ann", "bob") if number % 2 else ("bob", "ann")
    wallet, held, pool = f"wallet:{who}", f"held:{who}", "redeemed:pool"
    award = ("issued:shed", wallet, minutes + 12)
    taken = (held, pool, minutes)
    possible: list[Shape] = [
        ("a", "plain", (award,), ""),
        ("a", "plain", (award,), ""),
        ("a", "plain", (award, (wallet, "pot:club", minutes), ("pot:club", wallet, 1)), ""),
        ("g", "plain", ((wallet, f"wallet:{other}", minutes),), ""),
        ("h", "hold", ((wallet, held, minutes),), ""),
        ("h", "hold", ((wallet, held, 6),), ""),
        ("h", "hold", ((wallet, held, minutes), (f"wallet:{other}", f"held:{other}", 2)), ""),
        ("c", "capture", (taken,), "h"),
        ("c", "capture", ((held, pool, 3),), "h"),
        ("c", "capture", ((held, pool, 1), (held, "redeemed:gym", 1)), "h"),
        ("c", "capture", (taken, (f"held:{other}", pool, 2)), "h"),
        ("v", "void", (), "h"),
        ("v", "lapse", (), "h"),
        ("r", "refund", ((pool, wallet, minutes),), "c"),
        ("r", "refund", ((pool, wallet, 1),), "c"),
        ("y", "refund", ((pool, wallet, 1), ("redeemed:gym", wallet, 1)), "c"),
        ("r", "refund", ((f"wallet:{other}", wallet, 1),), "g"),
        ("y", "reversal", (), "g"),
        ("v", "reversal", (), "a"),
        ("y", "refund", ((wallet, "pot:club", 1),), "c"),  # of a rest that went back
    ]
    malformed: list[Shape] = [
        ("a", "plain", (), ""),
        ("a", "plain", ((wallet, wallet, 1),), ""),
        ("a", "plain", (("purse:x", wallet, 1),), ""),
        ("h", "hold", ((wallet, held, 0),), ""),
        ("v", "void", ((held, wallet, 1),), "h"),
        ("c", "capture", (taken,), ""),
        ("h", "hold", ((wallet, held, 1), ("pot:club", held, 1)), ""),
    ]
    return possible, malformed


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Something that could be, and now and then what couldn't."""
    number = draw(NUMBERS)
    possible, malformed = shapes(number, draw(st.integers(1, 9)))
    letter, kind, moves, target = draw(st.sampled_from(malformed if draw(ONE_IN_SIX) else possible))
    key = draw(ANY_KEY) if draw(ONE_IN_SIX) else f"{letter}{number}"
    of = (draw(ANY_KEY) if draw(ONE_IN_SIX) else f"{target}{number}") if target else None
    return Asked(key, kind, moves, of, draw(DETAILS), draw(RULED_OUT), draw(LEAST))


@st.composite
def story(draw: st.DrawFn) -> list[Asked]:
    """The life of one hold or gift, in an order that leads somewhere."""
    number = draw(NUMBERS)
    possible, _ = shapes(number, draw(st.integers(1, 9)))
    lives = (
        *(
            "awarded held taken repaid rest-too",
            "awarded held taken repaid repaid-in-parts",
            "awarded held freed taken",
        ),
        *("awarded held taken-or-more lapsed", "awarded held lapsed freed repaid", "awarded held taken undone"),
        *("awarded given undone undone-again", "awarded given given-back undone", "awarded given undone given-back"),
    )
    at = {"awarded": 0, "given": 3, "held": 5, "taken": 8, "freed": 11, "repaid": 14, "repaid-in-parts": 15}
    at |= {"taken-or-more": 7, "rest-too": 19, "lapsed": 12, "given-back": 16, "undone": 17, "undone-again": 17}
    told: list[Asked] = []
    for step in draw(st.sampled_from(lives)).split():
        letter, kind, moves, target = possible[at[step]]
        key = f"{letter}{number}{'again' if step.endswith('again') else ''}"
        told.append(Asked(key, kind, moves, f"{target}{number}" if target else None, draw(DETAILS)))
    return told


def entries_of(at_most: int, at_least: int = 1) -> st.SearchStrategy[list[Asked]]:
    """Single entries and stories, one after the other."""
    parts = st.lists(st.one_of(asked().map(lambda each: [each]), story()), min_size=at_least, max_size=at_most)
    return parts.map(lambda parts: [each for part in parts for each in part])


# ---- a loop beside pytest's


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine to its end, in a loop that belongs to this module's synchronous tests."""
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _open(stack: AsyncExitStack, postgres: Postgres) -> tuple[Database, asyncpg.Connection]:
    name = await postgres.create()
    stack.push_async_callback(postgres.drop, name)
    owner: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
    stack.push_async_callback(owner.close)
    await insert_chart(owner)
    return await stack.enter_async_context(Database.open(postgres.dsn(name))), owner


# ---- a batch, and the same one at a time


def test_a_batch_gives_what_the_same_entries_give_one_at_a_time(
    postgres: Postgres,
    run: Callable[[Coroutine[Any, Any, Any]], Any],
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    runs = 0
    stack = AsyncExitStack()
    database, owner = run(_open(stack, postgres))
    batcher = run(stack.enter_async_context(Batcher.running(database.connect, CHART, lambda: NOON)))

    async def post(entries: list[Entry]) -> list[Outcome]:
        async with database.transaction() as connection:
            return await posting.post(driver(connection), CHART, entries, NOON)

    async def in_runs(entries: list[Asked], cuts: list[int]) -> tuple[list[Told], list[Told], list[Told]]:
        nonlocal runs
        runs += 1
        found = []
        for name in ("alone", "batch", "parts"):
            start = await reading.position(owner)
            here = [each.entry(f"{name}{runs}") for each in entries]
            if name == "batch":
                outcomes = await post(here)
            elif name == "alone":
                outcomes = [outcome for each in here for outcome in await post([each])]
            else:
                edges = [0, *sorted(cut % (len(here) + 1) for cut in cuts), len(here)]
                parts = [here[first:last] for first, last in pairwise(edges)]
                outcomes = [outcome for part in await asyncio.gather(*map(batcher.post_all, parts)) for outcome in part]
            found.append([_without_run(outcome, f"{name}{runs}", start) for outcome in outcomes])
        return found[0], found[1], found[2]

    @settings(
        max_examples=3_000 if soak else 150,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(entries_of(14, 3), st.lists(st.integers(0, 25), max_size=3))
    def the_same(entries: list[Asked], cuts: list[int]) -> None:
        alone, batch, parts = run(in_runs(entries, cuts))
        assert batch == alone
        assert parts == alone

    try:
        the_same()
        run(audit(owner))
    finally:
        run(stack.aclose())


def _without_run(outcome: Outcome, run: str, start: int) -> Told:
    """All of an outcome but what must differ between runs: ids, and where in the journal they stand."""
    if isinstance(outcome, Posted):
        moves = tuple(
            (
                *(name.removesuffix(f".{run}") for name in (moved.debit, moved.credit)),
                *(
                    moved.minutes,
                    moved.debit_sequence,
                    moved.debit_balance,
                    moved.credit_sequence,
                    moved.credit_balance,
                ),
            )
            for moved in outcome.transfers
        )
        target = None if outcome.target is None else outcome.target - start
        return (outcome.position - start, target, outcome.kind, moves, outcome.details, outcome.replayed)
    assert isinstance(outcome, Refused), outcome
    account = None if outcome.account is None else outcome.account.removesuffix(f".{run}")
    return (str(outcome.reason), account, outcome.fields, outcome.replayed)


# ---- the journal, and the model


class Machine(RuleBasedStateMachine):
    """Two batchers and a caller with transactions of its own, on one journal."""

    postgres: Postgres
    run: Callable[[Coroutine[Any, Any, Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.clock = NOON
        self.stack = AsyncExitStack()
        self.checked = 0
        type(self).run(self._begin())

    async def _begin(self) -> None:
        self.database, self.owner = await _open(self.stack, self.postgres)
        self.batchers = [
            await self.stack.enter_async_context(Batcher.running(self.database.connect, CHART, lambda: self.clock))
            for _ in range(2)
        ]

    def teardown(self) -> None:
        try:
            type(self).run(self._end())
        finally:
            type(self).run(self.stack.aclose())

    async def _end(self) -> None:
        for account in await self._accounts():
            await self._check_account(account)
        await audit(self.owner)

    def _expect(self, entries: list[Asked]) -> list[Told]:
        return [self.model.ask(each, self.clock) for each in entries]

    # -- what happens

    @rule(entries=entries_of(3))
    def post_in_a_callers_transaction(self, entries: list[Asked]) -> None:
        async def post() -> list[Outcome]:
            async with self.database.transaction() as connection:
                return await posting.post(driver(connection), CHART, [each.entry() for each in entries], self.clock)

        outcomes = type(self).run(post())
        assert [told(outcome) for outcome in outcomes] == self._expect(entries)

    @rule(entries=entries_of(2))
    def post_and_roll_back(self, entries: list[Asked]) -> None:
        async def post() -> list[Outcome]:
            connection = await self.database.connect()
            transaction = connection.transaction()
            await transaction.start()
            outcomes = await posting.post(connection, CHART, [each.entry() for each in entries], self.clock)
            await transaction.rollback()
            await connection.close()
            return outcomes

        expected = self.model.copy()
        outcomes = type(self).run(post())
        assert [told(outcome) for outcome in outcomes] == [expected.ask(each, self.clock) for each in entries]

    @rule(which=st.integers(0, 1), parts=st.lists(entries_of(2), min_size=1, max_size=3))
    def post_through_a_batcher(self, which: int, parts: list[list[Asked]]) -> None:
        async def post() -> list[list[Outcome]]:
            batcher = self.batchers[which]
            return await asyncio.gather(*(batcher.post_all([each.entry() for each in part]) for part in parts))

        outcomes = [outcome for part in type(self).run(post()) for outcome in part]
        assert [told(outcome) for outcome in outcomes] == self._expect([each for part in parts for each in part])

    @rule(which=st.integers(0, 1), shuffle=st.randoms(use_true_random=False))
    def replay_everything(self, which: int, shuffle: Any) -> None:  # noqa: ANN401  # Hypothesis's own Random
        entries = [first for first, _ in self.model.answers.values()]
        shuffle.shuffle(entries)
        outcomes = type(self).run(self.batchers[which].post_all([each.entry() for each in entries]))
        assert [told(outcome) for outcome in outcomes] == self._expect(entries)
        assert all(getattr(outcome, "replayed", False) for outcome in outcomes)

    @rule(number=st.integers(0, 30))
    def erase_details(self, number: int) -> None:
        with_details = [fact.asked.key for fact in self.model.facts if fact.asked.details]
        if with_details:
            key = with_details[number % len(with_details)]
            self.model.erased.add(key)
            type(self).run(
                self.owner.execute(
                    "DELETE FROM journal.detail d USING journal.entry e WHERE e.position = d.position AND e.id = $1",
                    id_of(key),
                )
            )

    @rule(seconds=st.integers(-5, 10))
    def set_the_clock(self, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)

    # -- what then holds

    @invariant()
    def the_journal_holds_what_the_model_holds(self) -> None:
        type(self).run(self._check())

    async def _check(self) -> None:
        facts = self.model.facts
        feed = [posted async for posted in self._feed()]
        assert [(each.position, each.id, each.kind.value, each.recorded_at, told(each)[2]) for each in feed] == [
            (number, id_of(fact.asked.key), fact.asked.kind, fact.recorded_at, tuple(fact.moves))
            for number, fact in enumerate(facts, 1)
        ]
        position_of = {fact.asked.key: number for number, fact in enumerate(facts, 1)}
        assert [each.target for each in feed] == [position_of.get(fact.asked.of or "") for fact in facts]
        assert [each.details for each in feed] == [
            "" if fact.asked.key in self.model.erased else fact.asked.details for fact in facts
        ]

        balances = self.model.balances()
        assert await reading.balances(self.owner, list(balances)) == balances
        assert all(balance >= 0 for name, balance in balances.items() if not name.startswith("issued"))
        assert sum(total.balance for total in await reading.trial_balance(self.owner)) == 0
        self._check_targets(facts)
        accounts = await self._accounts()
        if accounts:
            self.checked += 1
            await self._check_account(accounts[self.checked % len(accounts)])
        if self.checked % 5 == 0:
            await audit(self.owner)

    async def _feed(self) -> AsyncIterator[Posted]:
        after = 0
        while page := await reading.feed(self.owner, after=after, limit=20):
            for posted in page:
                yield posted
            after = page[-1].position

    def _check_targets(self, facts: list[Fact]) -> None:
        for target in facts:
            done = [fact for fact in facts if fact.asked.of == target.asked.key]
            resolved = [fact for fact in done if fact.asked.kind in RESOLVING]
            assert len(resolved) <= 1, "a hold is resolved once"
            assert sum(fact.asked.kind == "reversal" for fact in done) <= 1
            for fact in resolved:
                moved = sum(minutes for *_, minutes in fact.moves)
                assert moved == sum(minutes for *_, minutes in target.moves), "captured + returned = authorised"
            refunded = sum(minutes for fact in done if fact.asked.kind == "refund" for *_, minutes in fact.moves)
            assert refunded <= sum(minutes for *_, minutes in target.moves[: len(target.asked.moves)])

    async def _accounts(self) -> list[str]:
        return sorted({name for fact in self.model.facts for move in fact.moves for name in move[:2]})

    async def _check_account(self, account: str) -> None:
        """Its statement, and its balance as of every position and moment."""
        balance = 0
        lines: list[tuple[int, int, int, int, str]] = []
        at_moment: dict[datetime, int] = {}
        for number, fact in enumerate(self.model.facts, 1):
            for debit, credit, minutes in fact.moves:
                for this, other, signed in ((debit, credit, -minutes), (credit, debit, minutes)):
                    if this == account:
                        balance += signed
                        lines.append((number, len(lines) + 1, signed, balance, other))
            assert await reading.balance_at(self.owner, account, number) == balance
            at_moment[fact.recorded_at] = balance
        for moment, then in at_moment.items():
            assert await reading.balance_at(self.owner, account, moment) == then
        statement = []
        before = None
        while page := await reading.statement(self.owner, account, before=before, limit=7):
            statement += page
            before = page[-1].sequence
        assert [
            (line.position, line.sequence, line.minutes, line.balance, line.other) for line in reversed(statement)
        ] == lines


def test_the_journal_does_what_the_model_does(
    postgres: Postgres,
    run: Callable[[Coroutine[Any, Any, Any]], Any],
    soak: bool,  # noqa: FBT001  # a fixture
) -> None:
    class Here(Machine):
        pass

    Here.postgres = postgres
    Here.run = staticmethod(run)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=600 if soak else 25,
            stateful_step_count=50 if soak else 20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a failure takes five minutes, for each try needs a journal of its own: look again with --soak.
            phases=[Phase.generate, Phase.shrink] if soak else [Phase.generate],
        ),
    )


def test_the_entries_that_hypothesis_thinks_up_meet_every_rule_of_the_model() -> None:
    met: set[str] = set()

    @settings(max_examples=600, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(entries_of(14, 5))
    def look(entries: list[Asked]) -> None:
        model = Model()
        for each in entries:
            answer = model.ask(each, NOON)
            met.add(each.kind if answer[0] == "yes" else str(answer[1]))

    look()

    assert met >= {kind.value for kind in Kind} | {
        *("insufficient", "key_reused", "target_unknown", "target_of_other_kind", "exceeds_hold", "exceeds_capture"),
        *("already_resolved", "already_reversed", "already_refunded", "card_blocked"),
        *MALFORMED,
    }
