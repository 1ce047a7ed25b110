"""An empty Litestar POST, on the same server with the same settings as the service: what HTTP itself costs here."""

from __future__ import annotations

import sys

import msgspec
import uvicorn
from litestar import Litestar, post


class Asked(msgspec.Struct):
    """As many fields as a redemption has."""

    offer: str
    holder: str
    capture: bool = True


class Answer(msgspec.Struct):
    """A small answer."""

    id: str


@post("/hello")
async def hello(data: Asked) -> Answer:
    """Nothing behind it."""
    return Answer(data.holder)


if __name__ == "__main__":
    uvicorn.run(
        Litestar([hello], openapi_config=None),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
    )
