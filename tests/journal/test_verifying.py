"""Verifying: a sound journal, and every way in which a superuser might alter it unnoticed, one row each.

The book has one entry of each kind; `TAMPERINGS` says what is done to it, with all triggers and constraints out of the
way, and which position must be named. Above that stands the one who rewrites everything after a position so that rows,
leaves, nodes and frontier fit each other: only the checkpoints tell.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ledger.journal import log, posting
from ledger.journal.checkpoint import ProofError, Verifier
from ledger.journal.entries import Kind
from ledger.journal.leaf import encode
from ledger.journal.merkle import Frontier
from ledger.journal.verifying import (
    Broken,
    Verified,
    VerifiedAccount,
    open_notes,
    verify_account,
    verify_journal,
    verify_receipt,
    whole,
)
from tests.journal.conftest import (
    NOON,
    Journal,
    award,
    capture,
    entry,
    hold,
    id_of,
    insert_chart,
    refund,
    reversal,
    void,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import asyncpg

    from ledger.database import Database
    from ledger.journal.checkpoint import Checkpoint
    from ledger.journal.entries import Entry

ORIGIN = "test.example/journal"
LAST = 14
BOOK: Sequence[Entry] = (
    award("1", "ann", 600, reference="register 7"),
    award("2", "bob", 60, details='{"note":"diolch, ŵyr"}'),
    hold("3", "ann", 240),
    capture("4", "3", "ann", 180),
    hold("5", "ann", 60, at=NOON - timedelta(days=40)),  # type: ignore[arg-type]
    void("6", "5"),
    refund("7", "4", "ann", 45),
    reversal("8", "2"),
    entry("9", ("issued:shed", "wallet:ann", 15), ("issued:shed", "wallet:bob", 30), ("wallet:bob", "pot:x", 30)),
    hold("10", "ann", 60),
    entry("11", kind=Kind.LAPSE, of="10"),
    refund("12", "4", "ann", 100),
    award("13", "cat", 15),
    award("14", "ann", 15),
)


@pytest.fixture
def notary(tmp_path: Path) -> log.Notary:
    return log.Notary.open(tmp_path / "checkpoint.key", ORIGIN)


@pytest.fixture
async def book(database: Database, owner: asyncpg.Connection) -> Journal:
    """The book, posted, and nothing in the way of a superuser any more."""
    journal = Journal(database, owner)
    await insert_chart(owner)
    await journal.post(*BOOK)
    await unlock(owner)
    return journal


async def unlock(owner: asyncpg.Connection) -> None:
    for table in ("entry", "transfer", "account", "node", "checkpoint", "head", "kind"):
        await owner.execute(f"ALTER TABLE journal.{table} DISABLE TRIGGER USER")
    for table, name, kind in await owner.fetch(
        "SELECT conrelid::regclass::text, conname, contype::text FROM pg_constraint "
        "WHERE connamespace = 'journal'::regnamespace AND contype IN ('c', 'u', 'p') ORDER BY contype"
    ):
        if kind != "p" or table in {"journal.entry", "journal.transfer", "journal.detail", "journal.account"}:
            await owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    await owner.execute("DROP INDEX journal.entry_resolves_once, journal.entry_reverses_once")


def trusting(notary: log.Notary) -> list[Verifier]:
    return [Verifier.parse(notary.verifier)]


async def checkpoint(journal: Journal, notary: log.Notary) -> Checkpoint:
    note = await log.sign_next(journal.owner, notary, journal.clock)
    assert note is not None
    return trusting(notary)[0].open(note)


# ---- a sound journal


async def test_a_sound_journal_is_verified_with_its_counts(journal: Journal, notary: log.Notary) -> None:
    empty = await verify_journal(journal.owner)
    assert isinstance(empty, Verified)
    assert empty.entries == 0
    await journal.post(*BOOK)
    signed = await checkpoint(journal, notary)
    told: list[tuple[int, int]] = []
    verified = await verify_journal(
        journal.owner, verifiers=trusting(notary), progress=lambda done, of: told.append((done, of))
    )
    assert verified == Verified(
        entries=LAST, transfers=17, accounts=7, details=1, nodes=0, checkpoints=1, root=signed.root
    )
    assert told == [(LAST, LAST)]


async def test_chunks_nodes_and_checkpoints_fall_anywhere(
    journal: Journal, notary: log.Notary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets in earlier chunks, nodes and checkpoints inside, at and across the borders of chunks."""
    await journal.post(*BOOK)
    given = [await checkpoint(journal, notary)]
    for size in (50, 190, 6, 252, 20):
        await journal.post(*[award(f"{size}/{number}", f"h{number % 5}", 15) for number in range(size)])
        given.append(await checkpoint(journal, notary))
    await journal.post(refund("late", "4", "ann", 1))
    for chunk in (1, 7, 256, 1_000):
        monkeypatch.setattr(whole, "CHUNK_ENTRIES", chunk)
        verified = await verify_journal(journal.owner, verifiers=trusting(notary), against=given)
        assert isinstance(verified, Verified), verified
        assert (verified.entries, verified.nodes, verified.checkpoints) == (533, 2, 12)


async def test_erased_details_are_no_damage(journal: Journal) -> None:
    await journal.post(*BOOK)
    await journal.owner.execute("DELETE FROM journal.detail")
    verified = await verify_journal(journal.owner)
    assert isinstance(verified, Verified)
    assert verified.details == 0


async def test_an_auditor_who_may_read_no_details_verifies_all_else(journal: Journal) -> None:
    await journal.post(*BOOK)
    connection = await journal.database.connect()
    try:
        await connection.execute("SET ROLE timecredits_app")
        assert isinstance(await verify_journal(connection), Verified)
    finally:
        await connection.close()
    await journal.owner.execute("SET ROLE timecredits_auditor")
    try:
        verified = await verify_journal(journal.owner)
    finally:
        await journal.owner.execute("RESET ROLE")
    assert isinstance(verified, Verified)
    assert verified.details == 0


# ---- tampering


class Tampering(NamedTuple):
    """What a superuser does, and the position that must be named. `until` where it can't be known exactly."""

    name: str
    statements: tuple[str, ...]
    position: int
    why: str
    until: int | None = None


def change(table: str, what: str, where: str) -> str:
    return f"UPDATE journal.{table} SET {what} WHERE {where}"


SWAP = (
    "UPDATE journal.{0} SET position = -3 WHERE position = 3",
    "UPDATE journal.{0} SET position = 3 WHERE position = 4",
    "UPDATE journal.{0} SET position = 4 WHERE position = -3",
)
COPY_ENTRY = (
    "INSERT INTO journal.entry SELECT {0}, target, happened_at, recorded_at, gen_random_uuid(), actor, kind, nonce,"
    " leaf, commitment, reference FROM journal.entry WHERE position = {1}"
)
COPY_TRANSFER = (
    "INSERT INTO journal.transfer SELECT {0}, debit, credit, minutes, debit_sequence, debit_balance, credit_sequence,"
    " credit_balance, debit_floor, line FROM journal.transfer WHERE position = {1}"
)
SHIFT = "UPDATE journal.{0} SET position = position + 1 WHERE position >= 5"
NAME = "UPDATE journal.account SET name = {1} WHERE name = {0}"
UNFIT = "don't fit its leaf"

TAMPERINGS = (
    # Rows edited.
    Tampering("minutes", (change("transfer", "minutes = 30", "position = 2"),), 2, "should be at its transfer"),
    Tampering("balance", (change("transfer", "credit_balance = 0", "position = 2"),), 2, "should be at its transfer"),
    Tampering(
        "sequence", (change("transfer", "debit_sequence = 9", "position = 13"),), 13, "should be at its transfer"
    ),
    Tampering(
        "whole chain",
        (change("transfer", "minutes = 30, debit_balance = -630, credit_balance = 30", "position = 2"),),
        2,
        UNFIT,
    ),
    Tampering("debit account", (change("transfer", "debit = 99", "position = 4"),), 4, "account 99 has no row"),
    Tampering("debit is credit", (change("transfer", "debit = credit", "position = 4"),), 4, "stays where it is"),
    Tampering("floor of a row", (change("transfer", "debit_floor = -900", "position = 3"),), 3, "another floor"),
    Tampering("no floor", (change("transfer", "debit_floor = NULL", "position = 3"),), 3, "another floor"),
    Tampering("line", (change("transfer", "line = 5", "position = 9 AND line = 2"),), 9, "transfer 2 is missing"),
    Tampering("happened_at", (change("entry", "happened_at = now()", "position = 5"),), 5, UNFIT),
    Tampering(
        "happened never", (change("entry", "happened_at = 'infinity'", "position = 5"),), 5, "can't have written"
    ),
    Tampering("recorded_at", (change("entry", "recorded_at = recorded_at + '1 us'", "position = 13"),), 13, UNFIT),
    Tampering(
        "recorded before", (change("entry", "recorded_at = '2001-01-01'", "position = 7"),), 7, "before the entry"
    ),
    Tampering("actor", (change("entry", "actor = gen_random_uuid()", "position = 8"),), 8, UNFIT),
    Tampering("id", (change("entry", "id = gen_random_uuid()", "position = 1"),), 1, UNFIT),
    Tampering("kind", (change("entry", "kind = 'lapse'", "position = 6"),), 6, UNFIT),
    Tampering("target", (change("entry", "target = 3", "position = 6"),), 6, UNFIT),
    Tampering("reference", (change("entry", "reference = 'register 8'", "position = 1"),), 1, UNFIT),
    Tampering("reference gone", (change("entry", "reference = NULL", "position = 1"),), 1, UNFIT),
    Tampering("nonce", (change("entry", "nonce = substr(nonce, 2) || '\\x00'", "position = 12"),), 12, UNFIT),
    Tampering("short nonce", (change("entry", "nonce = '\\x00'", "position = 12"),), 12, ""),
    Tampering("leaf", (change("entry", "leaf = sha256('x')", "position = 10"),), 10, UNFIT),
    Tampering("commitment", (change("entry", "commitment = sha256('x')", "position = 2"),), 2, UNFIT),
    Tampering("commitment gone", (change("entry", "commitment = NULL", "position = 2"),), 2, UNFIT),
    Tampering(
        "NULL where none may be",
        ("ALTER TABLE journal.entry ALTER actor DROP NOT NULL", change("entry", "actor = NULL", "position = 11")),
        11,
        "",
    ),
    Tampering(
        "NULL in a transfer",
        (
            "ALTER TABLE journal.transfer ALTER minutes DROP NOT NULL",
            change("transfer", "minutes = NULL", "position = 11"),
        ),
        11,
        "",
    ),
    Tampering("details", (change("detail", "body = '{}'", "position = 2"),), 2, "details are not those"),
    Tampering("salt", (change("detail", "salt = sha256('x')", "position = 2"),), 2, "details are not those"),
    Tampering("details moved", (change("detail", "position = 3", "position = 2"),), 3, "details are not those"),
    Tampering("details after", (change("detail", "position = 50", "position = 2"),), 50, "after the head's position"),
    # Rows deleted, inserted, swapped.
    Tampering("entry deleted", ("DELETE FROM journal.entry WHERE position = 5",), 5, "missing"),
    Tampering("transfers deleted", ("DELETE FROM journal.transfer WHERE position = 5",), 5, "no transfers"),
    Tampering(
        "a transfer deleted", ("DELETE FROM journal.transfer WHERE position = 9 AND line = 1",), 9, "transfer 1 is"
    ),
    Tampering("last entry deleted", ("DELETE FROM journal.entry WHERE position = 14",), LAST, "missing"),
    Tampering("first entry deleted", ("DELETE FROM journal.entry WHERE position = 1",), 1, "missing"),
    Tampering(
        "deleted and closed up",
        (
            *(f"DELETE FROM journal.{table} WHERE position = 5" for table in ("entry", "transfer")),
            *(
                f"UPDATE journal.{table} SET position = position - 1 WHERE position > 5"
                for table in ("entry", "transfer")
            ),
        ),
        5,
        "should be at its transfer",
    ),
    Tampering(
        "inserted",
        (SHIFT.format("entry"), SHIFT.format("transfer"), COPY_ENTRY.format(5, 2), COPY_TRANSFER.format(5, 2)),
        5,
        "should be at its transfer",
    ),
    Tampering("appended", (COPY_ENTRY.format(15, 14), COPY_TRANSFER.format(15, 14)), 15, "after the head's position"),
    Tampering("transfer appended", (COPY_TRANSFER.format(15, 14),), 15, "after the head's position"),
    Tampering("prepended", (COPY_ENTRY.format(0, 1), COPY_TRANSFER.format(0, 1)), 0, "before the first position"),
    Tampering("doubled", (COPY_ENTRY.format(6, 6),), 6, ""),
    Tampering("swapped", (*(s.format("entry") for s in SWAP), *(s.format("transfer") for s in SWAP)), 3, ""),
    Tampering("entries swapped", tuple(s.format("entry") for s in SWAP), 3, ""),
    Tampering(
        "truncated",
        ("TRUNCATE journal.entry, journal.transfer",),
        1,
        "missing",
    ),
    # Accounts.
    Tampering(
        "owners swapped",
        (
            NAME.format("'wallet:bob'", "'wallet:x'"),
            NAME.format("'wallet:ann'", "'wallet:bob'"),
            NAME.format("'wallet:x'", "'wallet:ann'"),
        ),
        1,
        UNFIT,
    ),
    Tampering("renamed", (NAME.format("'wallet:cat'", "'wallet:dog'"),), 13, UNFIT),
    Tampering("two of one name", (NAME.format("'wallet:cat'", "'wallet:bob'"),), 2, "two accounts"),
    Tampering("of no kind", (NAME.format("'wallet:cat'", "'purse:cat'"),), 13, "chart doesn't have"),
    Tampering("account deleted", ("DELETE FROM journal.account WHERE name = 'pot:x'",), 9, "has no row"),
    Tampering("last account deleted", ("DELETE FROM journal.account WHERE name = 'wallet:cat'",), 13, "has no row"),
    Tampering("account added", ("INSERT INTO journal.account VALUES (8, 0, 'wallet:dog')",), LAST, "the head counts"),
    Tampering(
        "account's floor", (change("account", "floor = -60", "name = 'wallet:bob'"),), 2, "floor of 'wallet:bob'"
    ),
    # What stands beside the log.
    Tampering(
        "head's frontier", ("UPDATE journal.head SET frontier = decode(repeat('ab', 96), 'hex')",), LAST, "frontier"
    ),
    Tampering("head behind", ("UPDATE journal.head SET position = 13",), LAST, "after the head's position 13"),
    Tampering("head ahead", ("UPDATE journal.head SET position = 16",), 15, "missing"),
    Tampering("head's accounts", ("UPDATE journal.head SET accounts = 9",), LAST, "the head counts 9 accounts"),
    Tampering("head's time", ("UPDATE journal.head SET recorded_at = '2001-01-01'",), LAST, "the head's time"),
    Tampering("head gone", ("DELETE FROM journal.head",), 0, "no head"),
    Tampering(
        "a kind's total", (change("kind", "balance = balance + 1", "name = 'wallet'"),), LAST, "'wallet' come to"
    ),
    Tampering("a kind's floor", (change("kind", "floor = NULL", "name = 'held'"),), 3, "floor of 'held:ann'"),
    Tampering("a node that isn't", ("INSERT INTO journal.node VALUES (8, 0, sha256('x'))",), LAST, "nodes"),
    Tampering(
        "checkpoint's note", (change("checkpoint", "note = replace(note, E'\\n7\\n', E'\\n8\\n')", "size = 7"),), 7, ""
    ),
    Tampering("checkpoint's size", (change("checkpoint", "size = 9", "size = 7"),), 9, "is one of 7"),
    Tampering("checkpoint's future", (change("checkpoint", "size = 90", "size = 7"),), 15, "a tree of 90", 90),
)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=[tampering.name for tampering in TAMPERINGS])
async def test_tampering_is_named_by_its_first_bad_position(
    database: Database, owner: asyncpg.Connection, notary: log.Notary, tampering: Tampering
) -> None:
    journal = Journal(database, owner)
    await insert_chart(owner)
    await journal.post(*BOOK[:7])
    await checkpoint(journal, notary)
    await journal.post(*BOOK[7:])
    await unlock(owner)
    for statement in tampering.statements:
        await owner.execute(statement)
    found = await verify_journal(owner, verifiers=trusting(notary))
    assert isinstance(found, Broken), found
    assert (found.position, found.until) == (tampering.position, tampering.until or tampering.position), found
    assert tampering.why in found.why


async def test_a_bad_node_is_named_by_what_it_stands_over(book: Journal, notary: log.Notary) -> None:
    await book.post(*[award(f"more {number}", "ann", 15) for number in range(600)])
    await checkpoint(book, notary)
    for statement in (
        "UPDATE journal.node SET hash = sha256('x') WHERE index = 1",
        "DELETE FROM journal.node WHERE index = 1",
    ):
        await book.owner.execute(statement)
        assert await verify_journal(book.owner) == Broken(
            257, 512, "the stored node at level 8, index 1 is not over these leaves"
        )


# ---- entries that don't fit their targets, consistent in all else


FEED = entry(
    "feed", *[("issued:shed", name, 999) for name in ("wallet:ann", "wallet:bob", "held:ann", "redeemed:pool")]
)


@pytest.mark.parametrize(
    ("target", "kind", "moves", "why"),
    [
        (3, "void", ((("held:ann", "wallet:ann", 0),)), "resolved already"),
        (5, "capture", ((("held:ann", "redeemed:pool", 0),)), "resolved already"),
        (1, "void", ((("wallet:ann", "issued:shed", 600),)), "no hold"),
        (2, "reversal", ((("wallet:bob", "issued:shed", 60),)), "has been"),
        (1, "reversal", ((("wallet:ann", "issued:shed", 1),)), "doesn't undo it exactly"),
        (3, "reversal", ((("held:ann", "wallet:ann", 240),)), "can't be reversed"),
        (4, "refund", ((("redeemed:pool", "wallet:ann", 36),)), "more was refunded"),
        (4, "refund", ((("wallet:ann", "redeemed:pool", 1),)), "more was refunded"),
        (3, "refund", ((("held:ann", "wallet:ann", 1),)), "can't be refunded"),
        (2, "refund", ((("wallet:bob", "issued:shed", 1),)), "can't be refunded"),
        (15, "lapse", ((("held:ann", "wallet:ann", 59),)), "to the minute"),
        (15, "capture", ((("held:ann", "redeemed:pool", 61),)), "to the minute"),
        (99, "refund", ((("redeemed:pool", "wallet:ann", 1),)), "no such entry"),
    ],
)
async def test_a_forged_entry_does_not_fit_its_target(
    book: Journal, target: int, kind: str, moves: tuple[tuple[str, str, int], ...], why: str
) -> None:
    """Position 17 is written as a plain entry, then made into what the judge would have refused."""
    await book.post(hold("15", "ann", 60))
    await book.post(FEED)
    moves = tuple((debit, credit, minutes or 1) for debit, credit, minutes in moves)
    await book.post(entry("forged", *moves))
    await book.owner.execute(f"UPDATE journal.entry SET kind = '{kind}', target = {target} WHERE position = 17")
    await rewrite(book.owner, 17)
    found = await verify_journal(book.owner)
    assert isinstance(found, Broken)
    assert (found.position, found.until) == (17, 17)
    assert why in found.why


# ---- a rewrite in which everything fits


async def rewrite(owner: asyncpg.Connection, first: int) -> None:
    """Make the leaves, nodes and frontier anew from the rows: all that can be done without the key."""
    size = await owner.fetchval("SELECT max(position) FROM journal.entry")
    frontier = Frontier()
    rows = await owner.fetch(posting.ENTRIES_BY_POSITION, list(range(1, size + 1)))
    nodes = []
    for row in sorted(rows, key=lambda row: int(row["position"])):
        position = row["position"]
        seal = await owner.fetchrow("SELECT nonce, commitment, leaf FROM journal.entry WHERE position = $1", position)
        assert seal is not None
        leaf = seal["leaf"]
        if position >= first:
            leaf = sha256(b"\0" + encode(posting.posted_from(row), seal["nonce"], seal["commitment"])).digest()
            await owner.execute("UPDATE journal.entry SET leaf = $2 WHERE position = $1", position, leaf)
        nodes += frontier.extend([leaf])
    await owner.execute("DELETE FROM journal.node")
    await owner.executemany("INSERT INTO journal.node VALUES ($1, $2, $3)", [tuple(node) for node in nodes])
    await owner.execute("UPDATE journal.head SET position = $1, frontier = $2", size, frontier.to_bytes())


async def edit(owner: asyncpg.Connection, position: int) -> None:
    await owner.execute("UPDATE journal.entry SET reference = 'never was' WHERE position = $1", position)
    await rewrite(owner, position)


@pytest.mark.parametrize("position", [1, 2, 6, 7, 8, 13, 14])
@pytest.mark.parametrize("stored", ["kept", "deleted"])
async def test_a_consistent_rewrite_lies_between_two_checkpoints(
    database: Database, owner: asyncpg.Connection, notary: log.Notary, position: int, stored: str
) -> None:
    journal = Journal(database, owner)
    await insert_chart(owner)
    given = []
    for start, end in ((0, 2), (2, 7), (7, LAST)):
        await journal.post(*BOOK[start:end])
        given.append(await checkpoint(journal, notary))
    await unlock(owner)
    await edit(owner, position)
    if stored == "deleted":
        await owner.execute("DELETE FROM journal.checkpoint")
        assert isinstance(await verify_journal(owner, verifiers=trusting(notary)), Verified), "nobody could tell"
    found = await verify_journal(owner, verifiers=trusting(notary), against=given if stored == "deleted" else ())
    assert isinstance(found, Broken)
    expected = (1, 2) if position <= 2 else (3, 7) if position <= 7 else (8, LAST)
    assert (found.position, found.until) == expected
    assert "history was rewritten" in found.why


async def test_with_a_checkpoint_for_each_entry_the_rewrite_is_named_exactly(
    database: Database, owner: asyncpg.Connection, notary: log.Notary
) -> None:
    journal = Journal(database, owner)
    await insert_chart(owner)
    given = []
    for each in BOOK:
        await journal.post(each)
        given.append(await checkpoint(journal, notary))
    await unlock(owner)
    await edit(owner, 11)
    for against in ((), given):
        found = await verify_journal(owner, verifiers=trusting(notary), against=against)
        assert isinstance(found, Broken)
        assert (found.position, found.until) == (11, 11)


async def test_a_log_cut_short_is_named_by_the_first_that_is_missing(book: Journal, notary: log.Notary) -> None:
    given = await checkpoint(book, notary)
    owner = book.owner
    await owner.execute("DELETE FROM journal.checkpoint")
    for table in ("entry", "transfer"):
        await owner.execute(f"DELETE FROM journal.{table} WHERE position > 12")
    await rewrite(owner, 99)
    found = await verify_journal(owner, against=[given])
    assert isinstance(found, Broken)
    assert (found.position, found.until) == (13, 14)


# ---- one account


async def test_an_account_is_proven_transfer_by_transfer(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*BOOK)
    signed = await checkpoint(journal, notary)
    verified = await verify_account(journal.owner, "wallet:ann", verifiers=trusting(notary), against=[signed])
    assert verified == VerifiedAccount(account="wallet:ann", transfers=11, balance=595, size=LAST, root=signed.root)
    assert await verify_account(journal.owner, "wallet:nobody") is None


async def test_an_account_longer_than_a_page_is_proven_too(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*[award(f"{number}", f"h{number % 2}", 15) for number in range(450)])
    await checkpoint(journal, notary)
    verified = await verify_account(journal.owner, "issued:shed", verifiers=trusting(notary))
    assert isinstance(verified, VerifiedAccount)
    assert (verified.transfers, verified.balance) == (450, -6_750)


@pytest.mark.parametrize(
    ("statement", "position", "until"),
    [
        (change("transfer", "minutes = minutes + 1", "position = 4 AND line = 1"), 4, 4),
        (change("entry", "reference = 'x'", "position = 9"), 9, 9),
        ("DELETE FROM journal.entry WHERE position = 5", 5, 5),
        ("DELETE FROM journal.transfer WHERE position = 5", 6, 6),
        (change("account", "name = 'wallet:dan'", "name = 'held:ann'"), 3, 3),
        ("UPDATE journal.head SET position = 13", 14, 14),
        (change("entry", "leaf = sha256('x')", "position = 13"), 1, 14),
    ],
)
async def test_an_account_that_was_tampered_with_is_named(
    book: Journal, notary: log.Notary, statement: str, position: int, until: int
) -> None:
    given = await checkpoint(book, notary)
    await book.owner.execute(statement)
    found = await verify_account(book.owner, "wallet:ann", against=[given])
    assert isinstance(found, Broken), found
    assert (found.position, found.until) == (position, until), found


# ---- notes and receipts, without a journal


async def test_a_receipt_tells_the_entry_that_it_proves(journal: Journal, notary: log.Notary) -> None:
    await journal.post(*BOOK)
    await checkpoint(journal, notary)
    text = await log.receipt(journal.owner, id_of("4"))
    assert text is not None
    proven = verify_receipt(text, Verifier.parse(notary.verifier))
    assert (proven.entry.position, proven.entry.kind, proven.checkpoint.size) == (4, Kind.CAPTURE, LAST)
    other = log.Notary.open(notary.key.with_name("other"), ORIGIN)
    with pytest.raises(ProofError, match="not signed by the trusted key"):
        verify_receipt(text, Verifier.parse(other.verifier))


async def test_notes_are_read_one_after_another(journal: Journal, notary: log.Notary) -> None:
    notes = []
    for number in range(3):
        await journal.post(award(f"{number}", "ann", 15))
        notes.append(await log.sign_next(journal.owner, notary, journal.clock) or "")
    older = log.Notary.open(notary.key.with_name("older"), ORIGIN)
    verifiers = [Verifier.parse(older.verifier), *trusting(notary)]
    for separator in ("", "\n", "\n\n"):
        opened = await asyncio.to_thread(open_notes, separator.join(notes), verifiers)
        assert [each.size for each in opened] == [1, 2, 3]
    assert open_notes("", verifiers) == []
    for damaged in ("nonsense", notes[0].replace("test.", "fake."), notes[0].split("\n\n")[1]):
        with pytest.raises(ProofError):
            open_notes(damaged, verifiers)
