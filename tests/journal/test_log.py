"""The stored log: its rows, proofs that the RFC's verifier accepts, and a signer that never contradicts itself."""

from __future__ import annotations

import asyncio
import stat
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ledger.journal import log, posting
from ledger.journal.checkpoint import Verifier
from ledger.journal.entries import Posted
from ledger.journal.leaf import decode, encode
from ledger.journal.merkle import EMPTY_ROOT, Frontier, verify_consistency, verify_inclusion
from ledger.journal.receipt import Receipt
from tests.journal.conftest import (
    NOON,
    Journal,
    award,
    capture,
    entry,
    hold,
    id_of,
    refund,
    reversal,
    steady_clock,
    void,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import asyncpg

    from ledger.database import Database
    from ledger.journal.entries import Entry, Outcome

ORIGIN = "test.example/journal"

# Every kind of entry, several transfers, references and details, Welsh letters.
BOOK: Sequence[Entry] = (
    award("1", "ann", 600, reference="register 7"),
    award("2", "bob", 60, details='{"note":"diolch yn fawr, ŵyr"}'),
    hold("3", "ann", 240),
    capture("4", "3", "ann", 180, details='{"party":3}'),
    hold("5", "ann", 60, at=NOON - timedelta(days=40)),  # type: ignore[arg-type]
    void("6", "5"),
    refund("7", "4", "ann", 45),
    reversal("8", "2"),
    entry("9", ("issued:shed", "wallet:ann", 15), ("issued:shed", "wallet:bob", 30), ("wallet:bob", "pot:x", 30)),
)


@pytest.fixture
def notary(tmp_path: Path) -> log.Notary:
    return log.Notary.open(tmp_path / "checkpoint.key", ORIGIN)


def reopened(notary: log.Notary) -> log.Notary:
    """The same key and state, in a process that has just started."""
    return log.Notary.open(notary.key, ORIGIN)


async def sign(journal: Journal, notary: log.Notary) -> str | None:
    return await log.sign_next(journal.owner, notary, journal.clock)


async def many(journal: Journal, count: int) -> list[Outcome]:
    return await journal.post(*[award(f"many {number}", f"holder{number % 7}", 15) for number in range(count)])


async def tamper(owner: asyncpg.Connection, *statements: str) -> None:
    """What a superuser can do with the triggers out of the way."""
    for table in ("entry", "transfer", "account", "node", "checkpoint", "head", "kind"):
        await owner.execute(f"ALTER TABLE journal.{table} DISABLE TRIGGER USER")
    for statement in statements:
        await owner.execute(statement)


# ---- rows


async def test_a_row_encodes_to_the_leaf_that_the_writer_made(journal: Journal) -> None:
    posted = await journal.post(*BOOK)
    [(rows, names)] = [chunk async for chunk in log.read(journal.owner, 0, len(BOOK))]
    assert len(rows) == len(BOOK)
    for row, outcome in zip(rows, posted, strict=True):
        assert isinstance(outcome, Posted)
        leaf = log.encode(row, lambda account, names=names: log.prefixed(names[account].encode()))  # type: ignore[misc]
        assert leaf == encode(outcome, row.nonce, row.commitment or None)


async def test_rows_come_in_chunks_and_a_gap_is_named(journal: Journal, owner: asyncpg.Connection) -> None:
    await many(journal, 10)
    sizes = [len(rows) async for rows, _ in log.read(owner, 2, 9, chunk=3)]
    assert sizes == [3, 3, 1]
    with pytest.raises(log.Damaged, match="missing") as found:
        [chunk async for chunk in log.read(owner, 8, 12)]
    assert found.value.position == 11


# ---- proofs


async def test_roots_and_proofs_from_the_rows_are_those_of_the_tree(journal: Journal) -> None:
    size = 600  # two stored nodes and a rest
    await many(journal, size)
    leaves = [row.leaf for row in await log.fetch(journal.owner, 1, size)]
    roots = {0: EMPTY_ROOT}
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
        roots[frontier.size] = frontier.root()
    for at in (0, 1, 255, 256, 257, 512, 599, 600):
        assert await log.root(journal.owner, at) == roots[at]
    assert (await log.head(journal.owner)).root == roots[size]
    for position, at in ((1, 1), (1, 600), (256, 256), (257, 600), (600, 600), (77, 300)):
        path = await log.inclusion(journal.owner, position, at)
        assert verify_inclusion(position - 1, at, leaves[position - 1], path, roots[at])
    together = await log.inclusions(journal.owner, [5, 599], 600)
    assert together == [await log.inclusion(journal.owner, 5, 600), await log.inclusion(journal.owner, 599, 600)]
    for old, new in pairwise((0, 1, 255, 256, 300, 512, 599, 600)):
        path = await log.consistency(journal.owner, old, new)
        assert verify_consistency(old, new, roots[old], roots[new], path)


async def test_a_missing_node_is_named_by_its_first_position(database: Database, owner: asyncpg.Connection) -> None:
    journal = Journal(database, owner)
    await many(journal, 600)
    await tamper(owner, "DELETE FROM journal.node WHERE index = 1")
    with pytest.raises(log.Damaged, match="level 8, index 1 is missing") as found:
        await log.inclusion(owner, 1, 600)
    assert found.value.position == 257


# ---- receipts


async def test_a_receipt_proves_every_entry_offline(journal: Journal, notary: log.Notary) -> None:
    posted = await journal.post(*BOOK)
    assert await log.receipt(journal.owner, id_of("1")) is None, "no checkpoint covers it yet"
    await sign(journal, notary)
    for outcome in posted:
        assert isinstance(outcome, Posted)
        text = await log.receipt(journal.owner, outcome.id)
        assert text is not None
        receipt = Receipt.parse(text)
        assert receipt.verify(Verifier.parse(notary.verifier)).size == len(BOOK)
        decoded, _, _ = decode(receipt.leaf)
        assert decoded.transfers == outcome.transfers
    await journal.post(award("10", "ann", 15))
    assert await log.receipt(journal.owner, id_of("10")) is None, "nor this one"
    assert await log.receipt(journal.owner, id_of("nobody's")) is None


async def test_no_receipt_is_given_for_altered_rows(
    database: Database, owner: asyncpg.Connection, notary: log.Notary
) -> None:
    journal = Journal(database, owner)
    await journal.post(*BOOK)
    await sign(journal, notary)
    await tamper(owner, "UPDATE journal.transfer SET minutes = minutes + 1 WHERE position = 2")
    with pytest.raises(log.Damaged, match="don't fit its leaf"):
        await log.receipt(owner, id_of("2"))


# ---- the signer


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = log.Notary.open(tmp_path / "new" / "checkpoint.key", ORIGIN)
    again = log.Notary.open(tmp_path / "new" / "checkpoint.key", ORIGIN)
    assert first.verifier == again.verifier
    assert stat.S_IMODE((tmp_path / "new" / "checkpoint.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["checkpoint.key"]


async def test_it_signs_what_was_added_and_nothing_twice(journal: Journal, notary: log.Notary) -> None:
    verifier = Verifier.parse(notary.verifier)
    assert await sign(journal, notary) is None, "an empty log has nothing to vouch for"
    for round_ in range(1, 4):
        await journal.post(award(f"{round_}", "ann", 15))
        note = await sign(journal, notary)
        assert note is not None
        assert verifier.open(note).size == round_
        assert verifier.open(note).root == await log.root(journal.owner, round_)
        assert await log.newest_checkpoint(journal.owner) == note
        assert await sign(journal, reopened(notary)) is None
    assert notary.signed_size == 3


async def test_a_long_unsigned_log_is_read_in_chunks(
    journal: Journal, notary: log.Notary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(journal, 1_100)
    monkeypatch.setattr(log, "CHUNK_ENTRIES", 7)
    note = await sign(journal, notary)
    assert note is not None
    assert Verifier.parse(notary.verifier).open(note).root == (await log.head(journal.owner)).root


async def test_a_crash_before_the_note_was_stored_gives_the_same_note(
    database: Database, owner: asyncpg.Connection, notary: log.Notary
) -> None:
    journal = Journal(database, owner)
    await journal.post(*BOOK)
    note = await sign(journal, notary)
    await tamper(owner, "DELETE FROM journal.checkpoint")
    assert await sign(journal, reopened(notary)) == note


async def test_a_lost_state_file_is_made_anew_from_the_whole_log(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*BOOK)
    await sign(journal, notary)
    notary.state.unlink()
    assert await sign(journal, reopened(notary)) is None
    assert notary.state.exists()
    await journal.post(award("10", "ann", 15))
    assert await sign(journal, reopened(notary)) is not None


async def test_only_one_process_signs(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*BOOK)
    with reopened(notary).locked() as ours:
        assert ours
        assert await sign(journal, notary) is None
    assert await sign(journal, notary) is not None


_REWRITE_1 = "UPDATE journal.entry SET reference = 'other' WHERE position = 9"
_REWIND = (
    "DELETE FROM journal.entry WHERE position = 9",
    "DELETE FROM journal.transfer WHERE position = 9",
    "UPDATE journal.head SET position = 8, frontier = '\\x{frontier}'",
)


@pytest.mark.parametrize(
    ("statements", "lost", "why"),
    [
        (_REWIND, False, "has 8 entries, and a tree of 9 has been signed"),
        (_REWIND, True, "has 8 entries, and a tree of 9 has been signed"),
        (("UPDATE journal.head SET frontier = decode(repeat('ab', 64), 'hex')",), False, "another root"),
        ((_REWRITE_1,), True, "don't fit its leaf"),
        (("UPDATE journal.checkpoint SET note = replace(note, 'test.', 'fake.')",), False, "isn't ours"),
        (("UPDATE journal.checkpoint SET size = 8",), False, "is one of 9 entries"),
        (
            ("UPDATE journal.head SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 255)",),
            True,
            "another root",
        ),
    ],
)
async def test_it_refuses_what_does_not_continue_what_it_signed(
    database: Database,
    owner: asyncpg.Connection,
    notary: log.Notary,
    *,
    statements: tuple[str, ...],
    lost: bool,
    why: str,
) -> None:
    journal = Journal(database, owner)
    await journal.post(*BOOK[:8])
    shorter = (await log.head(owner)).frontier.hex()
    await journal.post(BOOK[8])
    await sign(journal, notary)
    if lost:
        notary.state.unlink()
    await tamper(owner, *[statement.replace("{frontier}", shorter) for statement in statements])
    with pytest.raises(log.Damaged, match=why):
        await sign(journal, reopened(notary))


async def test_it_refuses_a_sibling_that_fits_in_itself(
    database: Database, owner: asyncpg.Connection, notary: log.Notary
) -> None:
    """Another journal, sound in every row, put in the place of the one that was signed: a restored backup, say."""
    journal = Journal(database, owner)
    await journal.post(award("1", "ann", 15))
    await sign(journal, notary)
    await tamper(
        owner,
        *[f"TRUNCATE journal.{table}" for table in ("entry", "transfer", "account", "checkpoint")],
        "UPDATE journal.head SET position = 0, accounts = 0, frontier = ''",
        "UPDATE journal.kind SET balance = 0",
    )
    await journal.post(award("1", "bob", 15), award("2", "bob", 15))
    with pytest.raises(log.Damaged, match="not a continuation of what was signed"):
        await sign(journal, notary)


async def test_an_altered_state_file_is_refused(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*BOOK)
    await sign(journal, notary)
    for text in ("", "{}x", notary.state.read_text().replace('"size":9', '"size":8')):
        notary.state.write_text(text)
        with pytest.raises(log.Damaged, match="not what was written there"):
            await sign(journal, notary)


async def test_the_loop_signs_until_cancelled_and_shows_what_is_wrong(
    database: Database, owner: asyncpg.Connection, notary: log.Notary, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(database, owner)
    await journal.post(*BOOK)
    looked = asyncio.Event()

    async def connect(**session: str) -> asyncpg.Connection:
        looked.set()
        return await database.connect(**session)

    task = asyncio.create_task(log.run(connect, notary, steady_clock(), every_seconds=0))
    try:
        async with asyncio.timeout(20):
            while await log.newest_checkpoint(owner) is None:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
            assert looked.is_set()
            await tamper(owner, "UPDATE journal.head SET frontier = decode(repeat('ab', 64), 'hex')")
            while notary.failure is None:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)
    finally:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "not signed" in notary.failure
    assert "CRITICAL" in {record.levelname for record in caplog.records}


async def test_posting_reads_what_the_log_reads(journal: Journal) -> None:
    """The two readers of the same rows agree on what an entry is."""
    await journal.post(*BOOK)
    rows = {row.position: row for row in await log.fetch_at(journal.owner, [2, 9])}
    for record in await journal.owner.fetch(posting.ENTRIES_BY_POSITION, [2, 9]):
        posted = posting.posted_from(record)
        assert rows[posted.position].id == posted.id.bytes
        assert len(rows[posted.position].lines) == len(posted.transfers)
