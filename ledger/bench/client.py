"""The load: a process of its own that sends prepared requests over keep-alive connections.

A connection sends its next request as soon as the last is answered.

``python -m ledger.bench.client PORT CONNECTIONS FILE`` reads requests from FILE (each a 4-byte length and its bytes,
whole, with headers), sends every one of them once, and prints a line of JSON: requests, seconds, answers by status,
and the median and 99th percentile of the latency in milliseconds.

It parses no more of an answer than its status and length, which takes about 12 us, an eighth of what an empty
Litestar POST costs its server: the server's core is busy, this one's isn't.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

# A round takes a second or two; a server that has stopped answering must not stop the bench for ever.
SECONDS_MAX = 120

_LENGTH = struct.Struct(">I")


def pack(requests: list[bytes]) -> bytes:
    """The file's bytes for these requests."""
    return b"".join(_LENGTH.pack(len(request)) + request for request in requests)


def _unpack(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


class _Load:
    def __init__(self, requests: Iterator[bytes], connections: int) -> None:
        self.requests = requests
        self.open = connections
        self.latencies: list[int] = []
        self.statuses: dict[str, int] = {}
        self.done = asyncio.get_running_loop().create_future()


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._sent_at = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = next(self._load.requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.lower().partition(b"content-length: ")
        if len(body) < int(rest.partition(b"\r\n")[0] or b"0"):
            return
        load = self._load
        load.latencies.append(time.perf_counter_ns() - self._sent_at)
        status = self._received[9:12].decode()
        load.statuses[status] = load.statuses.get(status, 0) + 1
        self._received = b""
        self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._load.open -= 1
        if self._load.open == 0 and not self._load.done.done():
            self._load.done.set_result(None)


async def _run(port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    load = _Load(iter(requests), connections)
    started = time.perf_counter_ns()
    await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(load), "127.0.0.1", port) for _ in range(connections))
    )
    async with asyncio.timeout(SECONDS_MAX):
        await load.done
    nanoseconds = time.perf_counter_ns() - started
    latencies = sorted(load.latencies)
    return {
        "requests": len(latencies),
        "seconds": nanoseconds / 1e9,
        "statuses": load.statuses,
        "p50_ms": latencies[len(latencies) // 2] / 1e6,
        "p99_ms": latencies[len(latencies) * 99 // 100] / 1e6,
    }


if __name__ == "__main__":
    port, connections, file = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    prepared = list(_unpack(file.read_bytes()))
    sys.stdout.write(json.dumps(uvloop.run(_run(port, connections, prepared))) + "\n")
