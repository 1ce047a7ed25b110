"""An empty Litestar POST, on the same server with the same settings as the service: what HTTP itself costs here."""

from __future__ import annotations

import sys

import msgspec
import uvicorn
from litestar import Litestar, post


class Coming(msgspec.Struct):
    """A party."""

    adults: int
    children: int
    companion: bool


class Asked(msgspec.Struct):
    """The same body as a redemption's."""

    offer: str
    code: str
    party: Coming
    name_checked: bool


class Answer(msgspec.Struct):
    """A small answer."""

    id: str


@post("/hello")
async def hello(data: Asked) -> Answer:
    """Nothing behind it."""
    return Answer(data.code)


if __name__ == "__main__":
    uvicorn.run(
        Litestar([hello], openapi_config=None),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
    )
