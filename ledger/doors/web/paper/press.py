"""Printing: a document becomes a PDF.

The data goes to the template as JSON, as one input, and stays data: no markup is ever built from it, so what looks like
markup in a name is printed as it was typed. Nothing else goes in, no clock either: the same document gives the same
bytes. The PDF is PDF/UA-1: tagged, with its title and language.

Its letters are Source Sans's, a package of their own, and a certificate's are Libertinus's, which Typst brings; the
machine's own fonts fill in for what those lack. If they lack a character as well, it is printed as an empty box; then
the document is tagged all the same, but can't claim the standard.

Measured, in seconds of a core: a slip or certificate 0.05, a register of 30 names 0.1, 300 cards 0.8 (0.6 MiB), 1,000
vouchers 4 (2.3 MiB). Where four others want the two cores as well, it takes four times as long.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Final

import msgspec
from msgspec import structs

from ledger.doors.web.about import NOBODY, About
from ledger.doors.web.paper import typesetting
from ledger.doors.web.paper.documents import Document
from ledger.doors.web.qr import qr_picture
from ledger.scheme.refusals import Declined, Refusal

# Each takes a core for as long as it is set, and the service's own processes want theirs.
AT_ONCE: Final = 2
# The longest document takes some seconds; whoever waited this long has pressed the button again.
SECONDS_MAX: Final = 30.0
# A dozen people at the desks press "print" together; more would wait beyond the limit above.
WAITING_MAX: Final = 12


def typeset(document: Document) -> bytes:
    """The PDF of a document. Blocks, and keeps it in memory for a while: the service uses a ``Press``."""
    return typesetting.compose(document.template, _data(document).decode())


class Press:
    """Prints for the pages: each document in a process of its own, `AT_ONCE` at a time."""

    def __init__(self, about: About = NOBODY, *, seconds: float = SECONDS_MAX, waiting: int = WAITING_MAX) -> None:
        self._about = about
        self._free = asyncio.Semaphore(AT_ONCE)
        self._seconds = seconds
        self._asked_max = AT_ONCE + waiting
        self._asked = 0

    async def pdf(self, document: Document) -> bytes:
        """The PDF of a document. Declined as ``busy`` if many wait, or if it isn't there after so many seconds.

        Nothing goes on when it was declined, or when whoever asked has gone.
        """
        if self._asked >= self._asked_max:
            raise Declined(Refusal.BUSY, "The printer is busy just now: please try again in a minute.")
        about = self._about
        document = structs.replace(
            document,
            scheme=document.scheme or about.scheme,
            address=document.address or about.address,
            phone=document.phone or about.phone,
        )
        self._asked += 1
        try:
            async with asyncio.timeout(self._seconds), self._free:
                # A thousand codes are drawn within a second, during which others have their turns.
                return await _printed(document.template, await asyncio.to_thread(_data, document))
        except TimeoutError as error:
            raise Declined(Refusal.BUSY, "This took too long to print: please try again in a minute.") from error
        finally:
            self._asked -= 1


def _data(document: Document) -> bytes:
    return msgspec.json.encode({"document": document, "drawn": {code: qr_picture(code) for code in document.codes()}})


async def _printed(template: str, data: bytes) -> bytes:
    # Without the service's environment, which holds its secrets; and what it says of an error may hold a name.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", typesetting.__file__, template), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}
    )
    try:
        pdf, _ = await process.communicate(data)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"typesetting {template} ended with {process.returncode}")
    return pdf
