"""The second assertion: whatever the judge thinks and whoever asks, the database keeps the journal's rules.

One journal stands for the whole module, and every attempt on it is rolled back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger.database import Database
from tests.journal.conftest import (
    Journal,
    audit,
    award,
    capture,
    entry,
    hold,
    insert_chart,
    reasons,
    refund,
    reversal,
    void,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Postgres

# position: what stands there
STANDING = (
    award("award", "ann", 500),  # 1
    hold("captured", "ann", 100),  # 2
    capture("capture", "captured", "ann", 60),  # 3: 60 to the pool, 40 back
    refund("refund", "capture", "ann", 20),  # 4
    award("reversed", "ann", 30),  # 5
    reversal("reversal", "reversed"),  # 6
    hold("open", "ann", 50),  # 7
    award("given", "bob", 10, details="{}"),  # 8
    hold("voided", "ann", 10),  # 9
    void("void", "voided"),  # 10
    entry("gift", ("wallet:ann", "transit", 40)),  # 11
    entry("taken back", ("transit", "wallet:ann", 10), kind=refund("", "", "", 1).kind, of="gift"),  # 12
    void("refused", "nothing"),
)
NEXT = 13


@pytest.fixture(scope="module")
async def standing(postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to a journal with an entry of every kind."""
    name = await postgres.create()
    connection: asyncpg.Connection = await asyncpg.connect(postgres.dsn(name))
    try:
        await insert_chart(connection)
        async with Database.open(postgres.dsn(name)) as database:
            outcomes = await Journal(database, connection).post(*STANDING)
        assert reasons(outcomes)[-2:] == ["refund", "target_unknown"]
        await connection.execute("INSERT INTO journal.checkpoint VALUES (12, now(), 'note')")
        await connection.execute("INSERT INTO journal.node VALUES (8, 7, decode(repeat('ab', 32), 'hex'))")
        yield connection
    finally:
        await connection.close()
        await postgres.drop(name)


async def attempt(
    connection: asyncpg.Connection, *statements: str, role: str | None = None, replica: bool = False
) -> tuple[str, str | None] | None:
    """The SQLSTATE and the constraint (or trigger) by which it was refused; None if it was not."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        if replica:
            await connection.execute("SET LOCAL session_replication_role = replica")
        if role is not None:
            await connection.execute(f"SET LOCAL ROLE {role}")
        for statement in statements:
            await connection.execute(statement)
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except asyncpg.PostgresError as error:
        return str(error.sqlstate), error.constraint_name
    else:
        return None
    finally:
        await transaction.rollback()


# ---- the past, and whoever tries to change it

GROWING = ("account", "entry", "transfer", "node", "refusal", "checkpoint")
COLUMN = {
    **dict.fromkeys(("entry", "transfer", "detail"), "position"),
    **dict.fromkeys(("account", "refusal"), "id"),
    "node": "index",
    "checkpoint": "note",
    "kind": "name",
    "head": "singleton",
}
TABLES = tuple(COLUMN)


def changes(table: str) -> dict[str, str]:
    column = COLUMN[table]
    return {
        "UPDATE": f"UPDATE journal.{table} SET {column} = {column}",
        "UPDATE of nothing": f"UPDATE journal.{table} SET {column} = {column} WHERE false",
        "DELETE": f"DELETE FROM journal.{table}",
        "TRUNCATE": f"TRUNCATE journal.{table}",
        "TRUNCATE of more": f"TRUNCATE journal.{table}, journal.detail CASCADE",
    }


@pytest.mark.parametrize("table", TABLES)
async def test_the_service_lacks_every_right_to_change_the_past(standing: asyncpg.Connection, table: str) -> None:
    for name, statement in changes(table).items():
        if (table, name) != ("detail", "DELETE"):  # which is erasure's: the entry and its commitment stay
            assert await attempt(standing, statement, role="timecredits_app") == ("42501", None), statement


@pytest.mark.parametrize("replica", [False, True], ids=["", "as a replica"])
@pytest.mark.parametrize("role", [None, "timecredits_owner"], ids=["superuser", "owner"])
@pytest.mark.parametrize("table", GROWING)
async def test_what_stands_is_changed_by_nobody(
    standing: asyncpg.Connection, table: str, role: str | None, *, replica: bool
) -> None:
    for name, statement in changes(table).items():
        if name == "TRUNCATE of more" and role is None:
            continue  # said of the owner already
        refused = await attempt(standing, statement, role=role, replica=replica)
        assert refused == ("23001", f"{table}_only_grows"), statement


@pytest.mark.parametrize("replica", [False, True], ids=["", "as a replica"])
@pytest.mark.parametrize(
    ("statement", "trigger"),
    [
        ("DELETE FROM journal.head", "head_stays"),
        ("TRUNCATE journal.head", "head_stays"),
        ("DELETE FROM journal.kind WHERE name = 'paper'", "kind_stays"),
        ("TRUNCATE journal.kind", "kind_stays"),
        ("UPDATE journal.head SET position = position - 1", "head_goes_forward"),
        ("UPDATE journal.head SET accounts = accounts - 1", "head_goes_forward"),
        ("UPDATE journal.head SET recorded_at = recorded_at - interval '1 us'", "head_goes_forward"),
        ("UPDATE journal.kind SET floor = NULL WHERE name = 'wallet'", "kind_keeps_its_rule"),
        ("UPDATE journal.kind SET floor = -60 WHERE name = 'wallet'", "kind_keeps_its_rule"),
        ("UPDATE journal.kind SET floor = 0 WHERE name = 'issued'", "kind_keeps_its_rule"),
        ("UPDATE journal.kind SET name = 'purse' WHERE name = 'wallet'", "kind_keeps_its_rule"),
    ],
)
async def test_the_head_and_the_chart_only_go_forward(
    standing: asyncpg.Connection, statement: str, trigger: str, *, replica: bool
) -> None:
    assert await attempt(standing, statement, replica=replica) == ("23001", trigger)


async def test_every_trigger_of_the_journal_fires_always(standing: asyncpg.Connection) -> None:
    rows = await standing.fetch(
        "SELECT tgname, tgenabled::text FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
        "WHERE relnamespace = 'journal'::regnamespace AND NOT tgisinternal"
    )
    assert {row["tgenabled"] for row in rows} == {"A"}
    assert {row["tgname"] for row in rows} == {
        *(f"{table}_only_grows" for table in GROWING),
        *("head_stays", "kind_stays", "head_goes_forward", "kind_keeps_its_rule", "entry_fits_target"),
    }


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO journal.head VALUES (true, gen_random_uuid(), 0, 0, now(), '')",
        "INSERT INTO journal.kind (name) VALUES ('purse')",
        "UPDATE journal.kind SET floor = floor",
        "ALTER TABLE journal.entry DISABLE TRIGGER entry_only_grows",
        "DROP TRIGGER entry_only_grows ON journal.entry",
        "ALTER TABLE journal.transfer DROP CONSTRAINT transfer_moves_minutes",
        "DROP TABLE journal.detail",
        "CREATE TABLE journal.mine ()",
        "CREATE OR REPLACE FUNCTION journal.refuse_change() RETURNS trigger LANGUAGE sql RETURN NULL",
        "CREATE RULE mine AS ON INSERT TO journal.entry DO INSTEAD NOTHING",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY journal.entry TO '/tmp/stolen'",
    ],
)
async def test_the_service_cannot_loosen_the_rules(standing: asyncpg.Connection, statement: str) -> None:
    refused = await attempt(standing, statement, role="timecredits_app")
    assert refused is not None
    assert refused[0] == "42501"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("timecredits_auditor", "SELECT FROM journal.detail"),
        ("timecredits_auditor", "SELECT FROM journal.refusal"),
        ("timecredits_auditor", "INSERT INTO journal.node VALUES (8, 0, decode(repeat('ab', 32), 'hex'))"),
        ("timecredits_auditor", "UPDATE journal.head SET position = position"),
        ("timecredits_report", "SELECT FROM journal.entry"),
        ("timecredits_report", "SELECT FROM journal.account"),
        ("timecredits_report", "SELECT FROM journal.detail"),
    ],
)
async def test_who_only_reads_reads_only_what_is_theirs(
    standing: asyncpg.Connection, role: str, statement: str
) -> None:
    assert await attempt(standing, statement, role=role) == ("42501", None)


# ---- what can't be written

HASH = "decode(repeat('ab', 32), 'hex')"
SALT = "decode(repeat('ab', 16), 'hex')"


def an_entry(  # noqa: PLR0917  # the columns that the rows below change
    kind: str = "plain",
    target: str = "NULL",
    position: int = NEXT,
    id_: str = "gen_random_uuid()",
    nonce: str = SALT,
    leaf: str = HASH,
    commitment: str = "NULL",
    reference: str = "NULL",
) -> str:
    return (
        "INSERT INTO journal.entry (position, target, happened_at, recorded_at, id, actor, kind, nonce, leaf, "
        f"commitment, reference) VALUES ({position}, {target}, now(), now(), {id_}, gen_random_uuid(), "
        f"'{kind}', {nonce}, {leaf}, {commitment}, {reference})"
    )


def a_transfer(  # noqa: PLR0917  # as above
    debit: str,
    credit: str,
    minutes: int,
    line: int = 0,
    position: int = NEXT,
    debit_sequence: int = 100,
    credit_sequence: int = 100,
    debit_balance: int = 0,
    floor: str = "0",
) -> str:
    def account(name: str) -> str:
        return f"(SELECT id FROM journal.account WHERE name = '{name}')"

    return (
        "INSERT INTO journal.transfer (position, debit, credit, minutes, debit_sequence, debit_balance, "
        f"credit_sequence, credit_balance, debit_floor, line) VALUES ({position}, {account(debit)}, {account(credit)}, "
        f"{minutes}, {debit_sequence + line}, {debit_balance}, {credit_sequence + line}, 0, {floor}, {line})"
    )


def a_refusal(reason: str = "x", hash_: str = HASH, id_: str = "gen_random_uuid()") -> str:
    return (
        f"INSERT INTO journal.refusal (recorded_at, id, commitment, reason) VALUES (now(), {id_}, {hash_}, '{reason}')"
    )


ONE_ID = "'00000000-0000-8000-8000-000000000001'"


def asked_in_vain(salt: str = SALT, body: str = "''", id_: str = "gen_random_uuid()") -> str:
    return f"INSERT INTO journal.refusal_detail (id, salt, body) VALUES ({id_}, {salt}, {body})"


def resolving(kind: str, target: int, *transfers: str) -> tuple[str, ...]:
    return (an_entry(kind, str(target)), *transfers)


WALLET, HELD, POOL, SHED = "wallet:ann", "held:ann", "redeemed:pool", "issued:shed"

# Statements, and the constraint that refuses them.
UNWRITABLE: list[tuple[str, tuple[str, ...], str]] = [
    # imbalance
    ("no minutes", (a_transfer(SHED, WALLET, 0),), "transfer_moves_minutes"),
    ("negative minutes", (a_transfer(SHED, WALLET, -60),), "transfer_moves_minutes"),
    ("to the same account", (a_transfer(WALLET, WALLET, 1),), "transfer_between_two_accounts"),
    # floors
    ("below the floor", (a_transfer(WALLET, POOL, 1, debit_balance=-1),), "transfer_respects_floor"),
    (
        "a control total below its floor",
        ("UPDATE journal.kind SET balance = -1 WHERE name = 'wallet'",),
        "kind_respects_floor",
    ),
    # counted once
    ("a position twice", (an_entry(position=12),), "entry_pkey"),
    ("a position of 0", (an_entry(position=0),), "entry_position_is_positive"),
    ("an id twice", (an_entry(id_="(SELECT id FROM journal.entry WHERE position = 1)"),), "entry_id_key"),
    ("a line twice", (a_transfer(SHED, WALLET, 1, position=1),), "transfer_pkey"),
    ("a negative line", (a_transfer(SHED, WALLET, 1, line=-1),), "transfer_counts"),
    ("a debit's sequence number 0", (a_transfer(SHED, WALLET, 1, debit_sequence=0),), "transfer_counts"),
    ("a credit's sequence number 0", (a_transfer(SHED, WALLET, 1, credit_sequence=0),), "transfer_counts"),
    ("a debit's sequence twice", (a_transfer(SHED, WALLET, 1, debit_sequence=1),), "transfer_debit_sequence_key"),
    ("a credit's sequence twice", (a_transfer(SHED, WALLET, 1, credit_sequence=1),), "transfer_credit_sequence_key"),
    ("an account's number twice", ("INSERT INTO journal.account VALUES (1, NULL, 'wallet:new')",), "account_pkey"),
    ("an account's name twice", ("INSERT INTO journal.account VALUES (99, NULL, 'wallet:ann')",), "account_name_key"),
    (
        "an account's number 0",
        ("INSERT INTO journal.account VALUES (0, NULL, 'wallet:new')",),
        "account_id_is_positive",
    ),
    ("a kind twice", ("INSERT INTO journal.kind (name) VALUES ('wallet')",), "kind_pkey"),
    ("a kind that is no word", ("INSERT INTO journal.kind (name) VALUES ('wallet:ann')",), "kind_name_is_a_word"),
    ("details twice", (f"INSERT INTO journal.detail VALUES (8, {SALT}, '')",), "detail_pkey"),
    ("a refusal twice", (a_refusal(id_="(SELECT id FROM journal.refusal)"),), "refusal_pkey"),
    ("a node twice", (f"INSERT INTO journal.node VALUES (8, 7, {HASH})",), "node_pkey"),
    ("a checkpoint twice", ("INSERT INTO journal.checkpoint VALUES (12, now(), '')",), "checkpoint_pkey"),
    (
        "a second head",
        ("INSERT INTO journal.head VALUES (true, gen_random_uuid(), 0, 0, now(), '')",),
        "head_pkey",
    ),
    (
        "a head that is no head",
        ("INSERT INTO journal.head VALUES (false, gen_random_uuid(), 0, 0, now(), '')",),
        "head_is_one_row",
    ),
    (
        "a negative count",
        ("INSERT INTO journal.head VALUES (true, gen_random_uuid(), -1, 0, now(), '')",),
        "head_counts",
    ),
    ("a frontier of half a hash", (f"UPDATE journal.head SET frontier = {SALT}",), "head_frontier_is_whole_hashes"),
    (
        "a frontier of 64 hashes",
        ("UPDATE journal.head SET frontier = decode(repeat('ab', 64 * 32), 'hex')",),
        "head_frontier_is_whole_hashes",
    ),
    # shapes
    ("a plain entry with a target", (an_entry(target="1"),), "entry_target_fits_kind"),
    ("a hold with a target", (an_entry("hold", "1"),), "entry_target_fits_kind"),
    *(
        (f"a {kind} without a target", (an_entry(kind),), "entry_target_fits_kind")
        for kind in ("capture", "void", "lapse", "refund", "reversal")
    ),
    ("a target still to come", (an_entry("void", str(NEXT + 1)),), "entry_target_is_earlier"),
    ("a target that is itself", (an_entry("void", str(NEXT)),), "entry_target_is_earlier"),
    ("a short nonce", (an_entry(nonce="''"),), "entry_hashes"),
    ("a short leaf", (an_entry(leaf=SALT),), "entry_hashes"),
    ("a short commitment", (an_entry(commitment=SALT),), "entry_commitment_is_a_hash"),
    ("a long reference", (an_entry(reference="repeat('x', 65)"),), "entry_reference_is_short"),
    ("a short salt", ("INSERT INTO journal.detail VALUES (7, '', '')",), "detail_salt_is_whole"),
    ("long details", (f"INSERT INTO journal.detail VALUES (7, {SALT}, repeat('x', 4097))",), "detail_is_bounded"),
    ("a refusal's short salt", (asked_in_vain(salt="''"),), "refusal_detail_salt_is_whole"),
    ("a refusal's short commitment", (a_refusal(hash_=SALT),), "refusal_commitment_is_a_hash"),
    ("a reason that is no word", (a_refusal("No!"),), "refusal_reason_is_a_word"),
    ("a refusal's long details", (asked_in_vain(body="repeat('x', 4097)"),), "refusal_detail_is_bounded"),
    (
        "what was refused, twice",
        (asked_in_vain(id_=ONE_ID), asked_in_vain(id_=ONE_ID)),
        "refusal_detail_pkey",
    ),
    ("a node of a level between", (f"INSERT INTO journal.node VALUES (9, 0, {HASH})",), "node_is_stored"),
    ("a leaf as a node", (f"INSERT INTO journal.node VALUES (0, 0, {HASH})",), "node_is_stored"),
    ("a node before the first", (f"INSERT INTO journal.node VALUES (8, -1, {HASH})",), "node_is_stored"),
    ("a node that is no hash", (f"INSERT INTO journal.node VALUES (16, 0, {SALT})",), "node_is_a_hash"),
    (
        "a long note",
        ("INSERT INTO journal.checkpoint VALUES (13, now(), repeat('x', 4097))",),
        "checkpoint_note_is_bounded",
    ),
    # resolved once
    *(
        (
            f"a {kind} of a hold that was {how}",
            resolving(kind, target, a_transfer(HELD, WALLET, 100)),
            "entry_resolves_once",
        )
        for kind in ("capture", "void", "lapse")
        for how, target in (("captured", 2), ("voided", 9))
    ),
    ("a second reversal", resolving("reversal", 5, a_transfer(WALLET, SHED, 30)), "entry_reverses_once"),
    # to the minute
    ("a void of nothing", resolving("void", 7), "entry_fits_target"),
    ("a void of less", resolving("void", 7, a_transfer(HELD, WALLET, 49)), "entry_fits_target"),
    ("a capture of more", resolving("capture", 7, a_transfer(HELD, POOL, 51)), "entry_fits_target"),
    (
        "a capture of more, in parts",
        resolving("capture", 7, a_transfer(HELD, POOL, 50), a_transfer(HELD, WALLET, 1, 1)),
        "entry_fits_target",
    ),
    ("a capture from elsewhere", resolving("capture", 7, a_transfer(WALLET, POOL, 50)), "entry_fits_target"),
    (
        "a capture from elsewhere as well",
        resolving("capture", 7, a_transfer(HELD, POOL, 50), a_transfer(WALLET, POOL, 1, 1)),
        "entry_fits_target",
    ),
    ("a lapse of a plain entry", resolving("lapse", 8, a_transfer("wallet:bob", SHED, 10)), "entry_fits_target"),
    ("a capture of a capture", resolving("capture", 3, a_transfer(POOL, WALLET, 60)), "entry_fits_target"),
    ("a reversal of less", resolving("reversal", 8, a_transfer("wallet:bob", SHED, 9)), "entry_fits_target"),
    ("a reversal of a hold", resolving("reversal", 7, a_transfer(HELD, WALLET, 50)), "entry_fits_target"),
    (
        "a reversal of a refunded gift",
        resolving("reversal", 11, a_transfer("transit", WALLET, 40)),
        "entry_fits_target",
    ),
    ("refunds above the capture", resolving("refund", 3, a_transfer(POOL, WALLET, 41)), "entry_fits_target"),
    ("refunds above the gift", resolving("refund", 11, a_transfer("transit", WALLET, 31)), "entry_fits_target"),
    ("a refund from elsewhere", resolving("refund", 8, a_transfer(WALLET, SHED, 1)), "entry_fits_target"),
    ("a refund of what was reversed", resolving("refund", 5, a_transfer(WALLET, SHED, 1)), "entry_fits_target"),
    ("a refund of a hold", resolving("refund", 7, a_transfer(HELD, WALLET, 1)), "entry_fits_target"),
    ("a refund of a refund", resolving("refund", 4, a_transfer(WALLET, POOL, 1)), "entry_fits_target"),
    (
        "a target that never was",
        (an_entry("void", "20", position=21), a_transfer(HELD, WALLET, 50, position=21)),
        "entry_fits_target",
    ),
]


@pytest.mark.parametrize("replica", [False, True], ids=["", "as a replica"])
@pytest.mark.parametrize(
    ("statements", "constraint"), [row[1:] for row in UNWRITABLE], ids=[row[0] for row in UNWRITABLE]
)
async def test_it_cannot_be_written(
    standing: asyncpg.Connection, statements: tuple[str, ...], constraint: str, *, replica: bool
) -> None:
    refused = await attempt(standing, *statements, replica=replica)

    assert refused is not None, "it was written"
    assert (refused[0] in {"23505", "23514"}, refused[1]) == (True, constraint)


@pytest.mark.parametrize(
    "statements",
    [
        resolving("void", 7, a_transfer(HELD, WALLET, 50)),
        resolving("capture", 7, a_transfer(HELD, POOL, 20), a_transfer(HELD, WALLET, 30, 1)),
        resolving("reversal", 8, a_transfer("wallet:bob", SHED, 10)),
        resolving("refund", 3, a_transfer(POOL, WALLET, 40)),
        resolving("refund", 11, a_transfer("transit", WALLET, 30)),
        (a_transfer(SHED, WALLET, 1, debit_balance=-(10**15), floor="NULL"),),
    ],
    ids=["void", "capture", "reversal", "refund of a capture", "refund of a gift", "no floor"],
)
async def test_what_is_right_can_be_written_so_that_the_table_above_proves_something(
    standing: asyncpg.Connection, statements: tuple[str, ...]
) -> None:
    assert await attempt(standing, *statements, role="timecredits_app") is None


async def test_every_named_constraint_stands_in_the_table(standing: asyncpg.Connection) -> None:
    rows = await standing.fetch("""
        SELECT conname AS name FROM pg_constraint
        WHERE connamespace = 'journal'::regnamespace AND contype IN ('c', 'p', 'u', 'x', 'f', 't')
        UNION
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'journal'::regnamespace AND i.indisunique
    """)
    assert {row["name"] for row in rows} == {constraint for _, _, constraint in UNWRITABLE}


async def test_only_what_may_be_unknown_may_be_null(standing: asyncpg.Connection) -> None:
    rows = await standing.fetch("""
        SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'journal'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attnotnull
    """)
    assert {row["name"] for row in rows} == {
        *("kind.floor", "account.floor", "transfer.debit_floor"),
        *("entry.target", "entry.commitment", "entry.reference"),
        "refusal.account",
    }


async def test_the_postings_of_double_entry_add_up_to_nothing(standing: asyncpg.Connection) -> None:
    rows = await standing.fetch("SELECT position, sum(minutes) AS sum, count(*) FROM journal.posting GROUP BY 1")
    assert {row["sum"] for row in rows} == {0}
    assert len(rows) == NEXT - 1


async def test_no_function_of_the_journal_may_be_called_by_everybody_or_with_a_foreign_search_path(
    standing: asyncpg.Connection,
) -> None:
    rows = await standing.fetch(
        "SELECT proname, proconfig, has_function_privilege('public', oid, 'EXECUTE') AS by_all "
        "FROM pg_proc WHERE pronamespace = 'journal'::regnamespace"
    )
    assert len(rows) >= 4
    for row in rows:
        assert not row["by_all"], row["proname"]
        assert row["proconfig"] is not None, row["proname"]
        assert any(re.match(r"search_path=pg_catalog, *pg_temp", each) for each in row["proconfig"]), row["proname"]


async def test_after_all_that_the_journal_is_as_it_was(standing: asyncpg.Connection) -> None:
    transaction = standing.transaction()
    await transaction.start()
    # The one row that the fixture made up is the only one that doesn't belong.
    await standing.execute("ALTER TABLE journal.node DISABLE TRIGGER ALL; DELETE FROM journal.node")
    await audit(standing)
    await transaction.rollback()
    assert await standing.fetchval("SELECT position FROM journal.head") == NEXT - 1
