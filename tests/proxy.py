"""A proxy in front of PostgreSQL that looks at what passes, and loses what it is told to lose."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

_READY = b"Z\0\0\0\5"
"""PostgreSQL's answer to a statement is whole when it ends in this, and one byte that tells of the transaction."""


class Proxy:
    """Stands between a service and the server. A message is known by some bytes that no other one contains."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._real = urlsplit(dsn)
        self._folder = folder
        self.dsn = urlunsplit(
            self._real._replace(netloc=f"{self._real.username or ''}@", query=f"host={quote(str(folder))}")
        )
        self.lose_answer_to: bytes | None = None
        """The answer to the next message that contains this, once it is there, and the connection with it."""
        self.lose: bytes | None = None
        """The next message that contains this, and the connection with it."""
        self._after: bytes | None = None
        self._number = 0
        self.on_loss: Callable[[], None] = lambda: None
        """Called at the moment of the loss."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def after(self) -> bytes | None:
        """Either loss only on a connection on which this has passed since it was set; None is any connection."""
        return self._after

    @after.setter
    def after(self, marker: bytes | None) -> None:
        self._after = marker
        self._number += 1

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._folder / ".s.PGSQL.5432")

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        (self._folder / ".s.PGSQL.5432").unlink(missing_ok=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = parse_qs(self._real.query).get("host", [self._real.hostname or "localhost"])[0]
        port = self._real.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        from_server, to_server = await self._dial()
        link = _Link(self)
        try:
            done, rest = await asyncio.wait(
                [
                    asyncio.create_task(link.forward(from_client, to_server)),
                    asyncio.create_task(link.answer(from_server, to_client)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for each in rest:
                each.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # by `stop`: asyncio's server would log it as an error
        finally:
            to_client.close()
            to_server.close()
            self._tasks.discard(task)


class _Link:
    """One connection through the proxy; it ends when either direction does."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._passed = -1
        self._losing = False

    async def forward(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        proxy = self._proxy
        while data := await client.read(65_536):
            if proxy.after is None or proxy.after in data:
                self._passed = proxy._number
            may_lose = self._passed == proxy._number
            if may_lose and proxy.lose is not None and proxy.lose in data:
                proxy.lose = None
                proxy.on_loss()
                return
            if may_lose and proxy.lose_answer_to is not None and proxy.lose_answer_to in data:
                proxy.lose_answer_to, self._losing = None, True
            server.write(data)

    async def answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        whole = b""
        while data := await server.read(65_536):
            if not self._losing:
                client.write(data)
                continue
            whole += data
            if whole[-6:-1] == _READY:
                self._proxy.on_loss()
                return
