"""The service as a server sees it, and its documentation as a reader does."""

import asyncio
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import structlog

from ledger.app import create_app, remarks
from ledger.database import Embedded, migrate
from ledger.doors.api.examples import EXAMPLES
from ledger.doors.api.guard import ASGIApp
from ledger.doors.api.inputs import Input
from tests.doors.house import Api, register, settings_for


@pytest.fixture
async def api(dsn: str) -> Any:  # noqa: ANN401  # pytest's own type of an async generator says no more
    async with Api.running(dsn) as running:
        yield running


class Server:
    """What a server does with an application's lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._from: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, Any]:
        answering = self._app({"type": "lifespan"}, self._to.get, self._from.put)
        self._task = asyncio.ensure_future(answering)
        await self._to.put({"type": "lifespan.startup"})
        return await self._from.get()

    async def stop(self) -> Mapping[str, Any]:
        await self._to.put({"type": "lifespan.shutdown"})
        assert self._task is not None
        await self._task
        return await self._from.get()


async def test_it_answers_from_startup_to_shutdown(dsn: str) -> None:
    app = create_app(settings_for(dsn), dsn, tested=True)
    server = Server(app)
    assert (await server.start())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
    assert (await server.stop())["type"] == "lifespan.shutdown.complete"


async def test_it_does_not_start_without_its_database(dsn: str) -> None:
    server = Server(create_app(settings_for(dsn), dsn + "_that_is_not_there"))
    failed = await server.start()
    assert failed["type"] == "lifespan.startup.failed"
    assert "can't be reached" in failed["message"]


async def test_every_body_has_an_example_that_is_one(api: Api) -> None:
    document = (await api.client.get("/docs/openapi.json")).json()
    for struct, example in EXAMPLES.items():
        read: Any = msgspec.convert(example, type=struct, strict=False)
        # A request shows what is usual, and may leave out what it can do without; an answer is shown whole.
        assert issubclass(struct, Input) or msgspec.to_builtins(read).keys() == example.keys(), struct
        assert document["components"]["schemas"][struct.__name__]["examples"] == [example]
    named = {struct.__name__ for struct in EXAMPLES}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *(operation["responses"].values())]
            for body in bodies:
                reference = body.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
                assert reference.rpartition("/")[2] in named | {""}, path


async def test_without_its_database_it_says_try_again_and_mends_itself(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Embedded(tmp_path / "postgres", durable=False) as postgres:
        await asyncio.to_thread(migrate, postgres.dsn())
        async with Api.running(postgres.dsn()) as api:
            ann, project = await api.person(), await api.project()
            paths = f"/v1/people/{ann['id']}/balance", f"/v1/projects/{project}/registers"
            await asyncio.to_thread(postgres.stop)
            for answer in (await api.get(paths[0]), await api.post(paths[1], register({ann["id"]: 60}))):
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert answer.headers["retry-after"] == "2"
            assert (await api.client.get("/health/ready")).status_code == 503
            assert (await api.client.get("/health/live")).status_code == 200
            assert (await api.client.get("/metrics")).status_code == 200
            await asyncio.to_thread(postgres.start)
            assert (await api.post(paths[1], register({ann["id"]: 60}))).status_code == 201
            assert await api.balance(ann["id"]) == (60, 0)


def test_a_failures_trace_tells_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    def authenticate(digits: int) -> None:
        token = f"tc_demo_{digits}"
        raise RuntimeError(f"a defect, {len(token)} characters on")

    try:
        authenticate(123_456)
    except RuntimeError:
        structlog.get_logger("a door").error("request_failed", exc_info=sys.exc_info())

    said = "".join(capsys.readouterr())
    assert "in authenticate" in said
    assert "a defect, 14 characters on" in said
    assert "tc_demo_123456" not in said


async def test_a_failures_trace_shows_no_row_of_the_database(
    owner: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES (gen_random_uuid(), 'Ann', NULL)")
    except asyncpg.NotNullViolationError:
        structlog.get_logger("a door").error("request_failed", exc_info=sys.exc_info())

    said = "".join(capsys.readouterr())
    assert "NotNullViolationError" in said
    assert "Ann" not in said.replace("'Ann', NULL", "")


async def test_what_others_remark_is_written_alike_without_rows_or_lines_of_their_own(
    owner: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    log, written = logging.getLogger("a library"), remarks.handler()
    log.addHandler(written)
    try:
        await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES (gen_random_uuid(), 'Ann', NULL)")
    except asyncpg.NotNullViolationError as error:
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            log.warning("it was refused: %s", error)
            log.exception("it failed")
            log.warning("somebody sent %s", "a name\nand a line of its own")
    finally:
        log.removeHandler(written)

    said = capsys.readouterr().err
    told = [line for line in said.splitlines() if "request_id=r1" in line]
    assert len(told) == 3, said
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(warning|error) +\] ", line) for line in told), said
    assert "NotNullViolationError" in said
    assert "Ann" not in said.replace("'Ann', NULL", "")
    assert "a name\\nand a line of its own" in told[2]
