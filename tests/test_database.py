"""The embedded PostgreSQL, the transactions, and what is refused at start: all on real servers."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ledger.database import CommitUnknown, Database, Embedded, Unfit, check, driver, migrate
from ledger.database.sessions import SILENCE_MS_MAX
from tests.conftest import Postgres, blocked, cancelled_at


async def _run(dsn: str, *statements: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


# ---- the embedded server


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """A server of the test's own, durable as in production, and stopped whatever happens."""
    server = Embedded(tmp_path / "data")
    try:
        yield server
    finally:
        server.stop()


async def test_a_restart_keeps_the_data(embedded: Embedded) -> None:
    embedded.start()
    await _run(embedded.dsn(), "CREATE TABLE kept AS SELECT 42 AS value", "SELECT 1")
    embedded.stop()
    assert embedded.pid is None
    embedded.start()
    assert await _run(embedded.dsn(), "SELECT value FROM kept") == 42


async def test_a_killed_server_is_recovered_at_the_next_start(embedded: Embedded) -> None:
    embedded.start()
    await _run(embedded.dsn(), "CREATE TABLE kept AS SELECT 42 AS value", "SELECT 1")
    pid = embedded.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert embedded.pid == pid, "the pid file of a killed server stays"
    embedded.stop()
    embedded.start()
    assert embedded.pid != pid
    assert await _run(embedded.dsn(), "SELECT value FROM kept") == 42


async def test_a_killed_server_is_recovered_while_its_sessions_are_still_busy(embedded: Embedded) -> None:
    embedded.start()
    busy = await asyncpg.connect(embedded.dsn())
    # It computes without ever waiting, so it doesn't notice that its postmaster is gone.
    computing = asyncio.create_task(
        busy.fetchval("SELECT count(*) FROM generate_series(1, 1000000000000) AS n, LATERAL (SELECT n) AS m")
    )
    pid = embedded.pid
    assert pid is not None
    active = f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {busy.get_server_pid()}"
    while not await _run(embedded.dsn(), active):
        pass
    os.kill(pid, signal.SIGKILL)
    embedded.stop()
    embedded.start()
    with pytest.raises(asyncpg.PostgresConnectionError):
        await computing
    assert await _run(embedded.dsn(), "SELECT 1") == 1


async def test_a_killed_service_leaves_a_server_that_the_next_start_replaces(embedded: Embedded) -> None:
    # The process that started it is killed; the server lives on, and the folder's lock is free.
    program = f"""
import os, signal
from pathlib import Path
from ledger.database import Embedded
server = Embedded(Path({str(embedded.folder)!r}), durable=False)
server.start()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    left_over = embedded.pid
    assert left_over is not None
    embedded.start()
    assert embedded.pid != left_over
    assert await _run(embedded.dsn(), "SHOW fsync") == "on", "it runs with this start's settings"


async def test_a_pid_file_that_names_another_program_is_forgotten(embedded: Embedded) -> None:
    embedded.start()
    embedded.stop()
    pid_file = embedded.folder / "cluster" / "postmaster.pid"
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        pid_file.write_text(f"{other.pid}\n{pid_file.parent}\n1\n5432\n\n\n\n\n")
        embedded.start()
        assert other.poll() is None, "the other program is left alone"
        other.kill()
    assert await _run(embedded.dsn(), "SELECT 1") == 1


def test_a_folder_in_use_is_refused_with_the_process_that_uses_it(embedded: Embedded) -> None:
    embedded.start()
    with pytest.raises(Unfit, match=rf"in use by process {os.getpid()}:.*LEDGER_DATA"):
        Embedded(embedded.folder).start()


def test_an_interrupted_first_start_leaves_nothing_half_made(embedded: Embedded) -> None:
    half_made = embedded.folder / "cluster.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    embedded.start()
    assert not half_made.exists()


async def test_a_deep_folder_gets_a_short_socket(tmp_path: Path) -> None:
    with Embedded(tmp_path / ("deep" * 30), durable=False) as server:
        assert await _run(server.dsn(), "SELECT 1") == 1
        socket_folder = Path(str(await _run(server.dsn(), "SHOW unix_socket_directories")))
    assert not socket_folder.exists()


async def test_settings_are_given_to_the_server(tmp_path: Path) -> None:
    with Embedded(tmp_path, durable=False, settings={"work_mem": "7MB", "cluster_name": "it's here"}) as server:
        assert await _run(server.dsn(), "SHOW work_mem") == "7MB"
        assert await _run(server.dsn(), "SHOW cluster_name") == "it's here"
        assert await _run(server.dsn(), "SHOW data_checksums") == "on"


def test_a_start_that_fails_shows_what_postgres_said_and_frees_the_folder(embedded: Embedded) -> None:
    with pytest.raises(Unfit, match="no_such_setting"):
        Embedded(embedded.folder, settings={"no_such_setting": "1"}).start()
    embedded.start()


# ---- transactions


async def test_a_transaction_is_begun_before_the_first_statement(database: Database) -> None:
    async with database.transaction() as connection:
        assert driver(connection).is_in_transaction()
        await driver(connection).execute("SET LOCAL work_mem = '5MB'")
        assert (await connection.execute(text("SHOW work_mem"))).scalar_one() == "5MB"


async def test_every_session_has_the_same_settings(database: Database) -> None:
    names = [
        "role",
        "search_path",
        "statement_timeout",
        "lock_timeout",
        "TimeZone",
        "jit",
        "application_name",
    ]
    query = "SELECT array_agg(current_setting(name) ORDER BY name) FROM unnest($1::text[]) name"
    apart = await database.connect()
    try:
        async with database.transaction() as connection:
            assert await driver(connection).fetchval(query, names) == await apart.fetchval(query, names)
        assert await apart.fetchval("SELECT current_user") == "timecredits_app"
        assert await apart.fetchval("""SELECT '{"a": [1]}'::jsonb""") == {"a": [1]}
    finally:
        await apart.close()


async def test_a_setting_can_be_changed_for_one_connection(database: Database) -> None:
    apart = await database.connect(statement_timeout="0")
    try:
        assert await apart.fetchval("SHOW statement_timeout") == "0"
    finally:
        await apart.close()


async def test_reading_refuses_to_write(database: Database, owner: asyncpg.Connection) -> None:
    await _open_notes(owner)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.reading() as connection:
            await driver(connection).execute("INSERT INTO public.note VALUES (1)")


@pytest.fixture
async def notes(owner: asyncpg.Connection) -> asyncpg.Connection:
    """A table that the service may write, seen from outside."""
    await _open_notes(owner)
    return owner


async def _open_notes(owner: asyncpg.Connection) -> None:
    await owner.execute(
        """
        GRANT USAGE ON SCHEMA public TO timecredits_app; CREATE TABLE public.note (id int PRIMARY KEY, refers
        int REFERENCES public.note DEFERRABLE INITIALLY DEFERRED); GRANT ALL ON public.note TO
        timecredits_app;
        """
    )


async def _count(owner: asyncpg.Connection) -> int:
    return int(await owner.fetchval("SELECT count(*) FROM public.note"))


async def test_leaving_normally_commits_and_an_exception_rolls_back(
    database: Database, notes: asyncpg.Connection
) -> None:
    async with database.transaction() as connection:
        await driver(connection).execute("INSERT INTO public.note VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await driver(connection).execute("INSERT INTO public.note VALUES (2)")
            raise ZeroDivisionError
    with pytest.raises(DBAPIError):
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO public.note VALUES (3)"))
            await connection.execute(text("INSERT INTO public.note VALUES (1)"))
    assert await _count(notes) == 1
    assert await _open_transactions(notes) == 0


async def test_savepoints_work_through_both_layers(database: Database, notes: asyncpg.Connection) -> None:
    async with database.transaction() as connection:
        raw = driver(connection)
        await raw.execute("INSERT INTO public.note VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with raw.transaction():
                await raw.execute("INSERT INTO public.note VALUES (1)")
        with pytest.raises(DBAPIError):
            async with connection.begin_nested():
                await connection.execute(text("INSERT INTO public.note VALUES (1)"))
        await raw.execute("INSERT INTO public.note VALUES (2)")
    assert await _count(notes) == 2


async def test_a_swallowed_error_cannot_look_committed(database: Database, notes: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError, match="swallowed"):
        async with database.transaction() as connection:
            await driver(connection).execute("INSERT INTO public.note VALUES (1)")
            with pytest.raises(asyncpg.UndefinedTableError):
                await driver(connection).execute("SELECT * FROM nowhere.nothing")
    assert await _count(notes) == 0


async def test_a_refusal_at_commit_is_a_refusal(database: Database, notes: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with database.transaction() as connection:
            await driver(connection).execute("INSERT INTO public.note VALUES (1, 99)")
    assert await _count(notes) == 0
    assert await _open_transactions(notes) == 0


async def test_a_lost_answer_to_commit_is_unknown(database: Database, notes: asyncpg.Connection) -> None:
    # A deferred trigger runs inside COMMIT and waits for a lock of ours; then the session is ended.
    await _commit_waits_for(notes)
    async with notes.transaction():
        await notes.execute("SELECT pg_advisory_xact_lock(1)")
        committing = asyncio.create_task(_insert(database))
        [pid] = await blocked(notes)
        await notes.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(CommitUnknown):
            await committing
    async with database.transaction() as connection:  # the pool replaced the connection that died
        await driver(connection).execute("INSERT INTO public.note VALUES (2)")


async def test_a_warning_at_commit_is_unknown(database: Database, notes: asyncpg.Connection) -> None:
    # As PostgreSQL warns when the wait for a synchronous standby was cancelled.
    await _on_commit(notes, "RAISE WARNING 'not replicated'")
    with pytest.raises(CommitUnknown, match="not replicated"):
        await _insert(database)
    assert await _count(notes) == 1


async def test_a_cancelled_commit_is_waited_for(database: Database, notes: asyncpg.Connection) -> None:
    await _commit_waits_for(notes)
    async with notes.transaction():
        await notes.execute("SELECT pg_advisory_xact_lock(1)")
        committing = asyncio.create_task(_insert(database))
        await blocked(notes)
        for _ in range(3):
            committing.cancel()
            await asyncio.wait([committing], timeout=0.01)
            assert not committing.done(), "COMMIT is on its way: its end is waited for"
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert await _count(notes) == 1


async def test_cancelling_at_any_await_leaves_no_open_transaction(
    database: Database, notes: asyncpg.Connection
) -> None:
    nth, outcome = 0, "cancelled"
    while outcome == "cancelled":
        nth += 1
        try:
            await asyncio.create_task(cancelled_at(_insert(database, nth), nth))
            outcome = "finished"
        except asyncio.CancelledError:
            pass
        assert await _open_transactions(notes) == 0
        async with database.transaction() as connection:
            await driver(connection).execute("INSERT INTO public.note VALUES ($1)", -nth)
    assert nth > 4, "BEGIN, preparing, INSERT and COMMIT were each cancelled once"
    assert await notes.fetchval("SELECT count(*) FROM public.note WHERE id < 0") == nth


async def test_a_row_that_nobody_waits_for_any_more_is_nobody_elses_answer(
    database: Database, notes: asyncpg.Connection
) -> None:
    async with notes.transaction():
        await notes.execute("SELECT pg_advisory_xact_lock(1)")
        asking = asyncio.create_task(database.row("SELECT pg_advisory_xact_lock_shared(1), 1 AS asked"))
        await blocked(notes)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    for asked in range(20):
        row = await database.row("SELECT $1::int AS asked", asked)
        assert row is not None
        assert row["asked"] == asked
    assert await database.row("SELECT FROM public.note") is None
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.row("SELECT 1 / 0")
    assert await _open_transactions(notes) == 0


async def _insert(database: Database, number: int = 1) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO public.note VALUES (:number)"), {"number": number})


async def _on_commit(owner: asyncpg.Connection, action: str) -> None:
    await owner.execute(
        f"""
        CREATE FUNCTION public.at_commit() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {action}; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON public.note DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION public.at_commit();
        """
    )


async def _commit_waits_for(owner: asyncpg.Connection) -> None:
    await _on_commit(owner, "PERFORM pg_advisory_xact_lock(1)")


async def _open_transactions(owner: asyncpg.Connection) -> int:
    return int(
        await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
        )
    )


# ---- what is refused at start


async def test_a_sound_database_is_accepted(database: Database) -> None:
    await check(database, durable=False)


async def test_a_server_that_loses_commits_is_refused(embedded: Embedded) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        with Embedded(embedded.folder, settings={setting: "off"}) as server:
            async with Database.open(server.dsn(), role="ledger") as database:
                with pytest.raises(Unfit, match=rf"^{setting} is off.*{setting} = on"):
                    await check(database)


async def test_a_role_that_loses_commits_is_refused(embedded: Embedded) -> None:
    embedded.start()
    await asyncio.to_thread(migrate, embedded.dsn())
    async with Database.open(embedded.dsn()) as database:
        await check(database)
        await _run(embedded.dsn(), "ALTER DATABASE postgres SET synchronous_commit = off", "SELECT 1")
        with pytest.raises(Unfit, match="synchronous_commit is off"):
            await check(database)


async def test_a_server_without_checksums_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Embedded(tmp_path, durable=False) as server:
        server.stop()
        server._run("pg_checksums", "--disable", "-D", tmp_path / "cluster")
        server.start()
        await asyncio.to_thread(migrate, server.dsn())
        with caplog.at_level(logging.WARNING):
            async with Database.open(server.dsn()) as database:
                await check(database, durable=False)
    assert "pg_checksums --enable" in caplog.text


async def test_a_database_without_schema_is_refused(postgres: Postgres) -> None:
    name = await postgres.create("template0")
    try:
        async with Database.open(postgres.dsn(name)) as database:
            with pytest.raises(Unfit, match=r"version none.*timecredits migrate"):
                await check(database, durable=False)
    finally:
        await postgres.drop(name)


async def test_another_schema_version_is_refused(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE migration.alembic_version SET version_num = '9999'")
    with pytest.raises(Unfit, match=r"version 9999.*timecredits migrate"):
        await check(database, durable=False)


@pytest.mark.parametrize("table", ["entry", "transfer"])
@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE", "UPDATE (minutes)"])
async def test_a_role_that_could_change_the_past_is_refused(
    database: Database, owner: asyncpg.Connection, table: str, privilege: str
) -> None:
    column = "minutes" if table == "transfer" else "kind"
    await owner.execute(f"GRANT {privilege.replace('minutes', column)} ON journal.{table} TO timecredits_app")
    with pytest.raises(Unfit, match=r"REVOKE|should lack"):
        await check(database, durable=False)
    await owner.execute(f"REVOKE ALL ON journal.{table} FROM timecredits_app")


@pytest.mark.parametrize("table", ["account", "refusal", "node", "checkpoint"])
@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_nor_may_it_change_what_stands_beside_the_entries(
    database: Database, owner: asyncpg.Connection, table: str, privilege: str
) -> None:
    await owner.execute(f"GRANT {privilege} ON journal.{table} TO timecredits_app")
    with pytest.raises(Unfit, match=f"{table}.*REVOKE"):
        await check(database, durable=False)


async def test_the_owner_is_refused_as_the_services_role(dsn: str) -> None:
    async with Database.open(dsn, role="timecredits_owner") as database:
        with pytest.raises(Unfit):
            await check(database, durable=False)


async def test_a_server_that_is_not_there_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with Database.open(f"postgresql://nobody@/x?host={tmp_path}") as database:
        with pytest.raises(Unfit, match="LEDGER_DSN"):
            await check(database)


# ---- migrations


async def test_migrating_again_and_at_once_changes_nothing(postgres: Postgres) -> None:
    name = await postgres.create("template0")
    try:
        program = f"from ledger.database import migrate; migrate({postgres.dsn(name)!r})"
        several = [await asyncio.create_subprocess_exec(sys.executable, "-c", program) for _ in range(3)]
        assert [await process.wait() for process in several] == [0, 0, 0]
        assert await _run(postgres.dsn(name), "SELECT count(*) FROM migration.alembic_version") == 1
    finally:
        await postgres.drop(name)


async def test_a_login_user_without_superpowers_can_migrate_and_serve(postgres: Postgres) -> None:
    name = await postgres.create("template0")
    user = f"{name}_deployer"
    await postgres.run(f"CREATE ROLE {user} LOGIN PASSWORD 'deploy' IN ROLE timecredits_migrate, timecredits_app")
    await postgres.run(f"ALTER DATABASE {name} OWNER TO {user}")
    dsn = postgres.dsn(name).replace("://ledger@", f"://{user}:deploy@")
    try:
        await asyncio.to_thread(migrate, dsn)
        async with Database.open(dsn) as database:
            await check(database, durable=False)
    finally:
        await postgres.drop(name)
        await postgres.run(f"DROP ROLE {user}")


async def test_the_service_starts_as_a_login_user_who_may_not_migrate(postgres: Postgres, dsn: str) -> None:
    user = f"{urlsplit(dsn).path[1:]}_service"
    await postgres.run(f"CREATE ROLE {user} LOGIN PASSWORD 'service' IN ROLE timecredits_app")
    its_own = dsn.replace("://ledger@", f"://{user}:service@")
    try:
        await asyncio.to_thread(migrate, its_own)  # as `serve` does: there is nothing to do
        await _run(dsn, "UPDATE migration.alembic_version SET version_num = '0000' RETURNING 1")
        with pytest.raises(Unfit, match="timecredits migrate"):
            await asyncio.to_thread(migrate, its_own)
    finally:
        await postgres.run(f"DROP ROLE {user}")


async def test_everything_is_owned_by_the_owner_and_nothing_is_public(owner: asyncpg.Connection) -> None:
    strangers = await owner.fetch(
        """
        SELECT c.oid::regclass, c.relowner::regrole FROM pg_class c JOIN pg_namespace n ON n.oid =
        c.relnamespace WHERE n.nspname IN ('journal', 'scheme', 'migration') AND c.relowner <>
        'timecredits_owner'::regrole
        """
    )
    assert strangers == []
    public = await owner.fetch(
        """
        SELECT 'schema ' || nspname FROM pg_namespace, aclexplode(nspacl) a
        WHERE nspname IN ('journal', 'scheme', 'migration', 'public') AND a.grantee = 0
        UNION ALL
        SELECT 'table ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            aclexplode(c.relacl) a
        WHERE n.nspname IN ('journal', 'scheme', 'migration') AND a.grantee = 0 UNION ALL SELECT 'function '
        || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
            aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE n.nspname IN ('journal', 'scheme', 'migration') AND a.grantee = 0
        """
    )
    assert public == [], "REVOKE it from PUBLIC in its SQL file"


async def test_a_server_that_falls_silent_is_noticed_by_the_system(dsn: str) -> None:
    """Over TCP, where a cable can be cut: asyncpg itself would wait for ever."""
    parts = urlsplit(dsn)
    path = f"{parse_qs(parts.query).get('host', [''])[0]}/.s.PGSQL.{parts.port or 5432}"

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(path)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    tcp_dsn = dsn
    listening = None
    if not parts.hostname:
        listening = await asyncio.start_server(forward, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        tcp_dsn = urlunsplit(parts._replace(netloc=f"ledger@127.0.0.1:{port}", query="sslmode=disable"))
    async with Database.open(tcp_dsn) as database:
        connection = await database.connect()
        sock = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # asyncpg's own
        options = [
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        ]
        await connection.close()
    if listening is not None:
        listening.close()
    assert options == [1, SILENCE_MS_MAX]
