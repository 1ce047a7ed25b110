"""Outgoing mail: the letters that wait, sent by SMTP, by a task that runs for as long as the service does.

    take what is due (a lease) -> one connection to the server -> each letter -> sent, or failed (see ``letters``)

No transaction is open while a server is spoken to. The mails are plain text: no pictures, no tracking, nothing to load.

What bounds it: `SECONDS` for an answer of the server, and for a whole turn less than the lease. What fails how: a
server that is away or full, or that doesn't know our password, is tried again later; a letter that it will never take
(an address that there isn't) is given up. Neither an address nor words are logged.
"""

import asyncio
import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog
from msgspec import Struct

from ledger.scheme.letters import LEASE, LEASED_MAX, Letter, Letters
from ledger.scheme.refusals import OUTAGES

# Somebody waits in front of the screen; an index tells that nothing is due, within half a millisecond.
POLL_SECONDS: Final = 2
SECONDS: Final = 20
_TURN_SECONDS: Final = LEASE.total_seconds() - SECONDS
_PORTS: Final = {"smtp": 587, "smtps": 465}
_FOR_GOOD: Final = 500
_NAME: Final = "Time Credits"
# RFC 5322's dot-atom.
_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)


class Server(Struct, frozen=True, kw_only=True):
    """Where mail is handed over. Encrypted from the start, or as soon as the server offers it; passwords never else."""

    host: str
    port: int
    encrypted: bool
    user: str | None = None
    password: str | None = None

    @classmethod
    def read(cls, url: str) -> Self:
        """By its address ``smtp[s]://user:password@host:port``; what isn't a letter or digit may be %-encoded."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            encrypted=parts.scheme == "smtps",
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    def __repr__(self) -> str:
        """Without user and password, for this ends up in logs."""
        return f"Server({self.host}:{self.port})"


async def deliver(letters: Letters, server: Server, sender: str, *, every_seconds: float = POLL_SECONDS) -> None:
    """Send what is due, again and again until cancelled. Whatever goes wrong is logged and tried again."""
    log = structlog.get_logger(__name__)
    while True:
        _stop_if_cancelled()
        taken = 0
        try:
            taken = await deliver_due(letters, server, sender)
        except tuple(OUTAGES) as error:
            log.warning("mail waits for the database", error=repr(error))
        except Exception:  # mail that stopped unnoticed would be worse
            log.exception("mail met what it doesn't know")
        if taken < LEASED_MAX:
            await asyncio.sleep(every_seconds)


async def deliver_due(letters: Letters, server: Server, sender: str) -> int:
    """Send the letters that are due, as many as are leased at a time, and return how many these were."""
    due = await letters.due()
    if not due:
        return 0
    left = list(due)
    try:
        async with asyncio.timeout(_TURN_SECONDS), _client(server, sender) as client:
            while left:
                await _hand_over(letters, client, left[0], sender)
                left.pop(0)
                _stop_if_cancelled()
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        structlog.get_logger(__name__).warning("the mail server could not be used", server=server, error=_why(error))
        await _all_failed(letters, left)
    return len(due)


def message(letter: Letter, sender: str) -> EmailMessage:
    """The letter as RFC 5322 has it. Raises ValueError if there can't be such an address."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(_NAME, addr_spec=sender)
    mail["To"] = _address(letter.recipient)
    mail["Subject"] = letter.subject
    mail["Date"] = letter.at
    # Of the letter's id: sent a second time, it is known as the same.
    mail["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2]}>"
    # So that no "I am on holiday" answers it (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.body, cte="7bit" if letter.body.isascii() else "quoted-printable")
    return mail


def _stop_if_cancelled() -> None:
    """Hear a cancellation that came with the server's answer: Python 3.11's ``wait_for`` keeps that to itself."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _address(recipient: str) -> Address:
    """One address and no more, its domain as mail wants it; what would have to be quoted is nobody's."""
    local, _, domain = recipient.rpartition("@")
    domain = domain.encode("idna").decode()
    if not _LOCAL.fullmatch(local) or not domain:
        raise ValueError("no address")
    return Address(username=local, domain=domain)


def _client(server: Server, sender: str) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.encrypted,
        # A password is given over an encrypted connection or not at all; without one, encryption is used if offered.
        start_tls=None if server.encrypted or server.user is None else True,
        username=server.user,
        password=server.password,
        local_hostname=sender.rpartition("@")[2],
        timeout=SECONDS,
    )


async def _hand_over(letters: Letters, client: aiosmtplib.SMTP, letter: Letter, sender: str) -> None:
    """One letter, over an open connection; raises what the server says of the connection or of us."""
    log = structlog.get_logger(__name__).bind(letter=str(letter.id))
    try:
        mail = message(letter, sender)
        await client.send_message(mail, sender=sender)
    except ValueError:
        log.warning("a letter has no address that mail can be sent to")
        await letters.failed(letter, for_good=True)
    except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as error:
        code = _code(error)
        log.warning("a letter was not taken", code=code, tries=letter.tries)
        await letters.failed(letter, for_good=code >= _FOR_GOOD)
    else:
        await letters.sent(letter.id)


async def _all_failed(letters: Letters, left: Sequence[Letter]) -> None:
    for letter in left:
        await letters.failed(letter)


def _code(error: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) -> int:
    if isinstance(error, aiosmtplib.SMTPDataError):
        return error.code
    return error.recipients[0].code


def _why(error: Exception) -> str:
    """What it was, without what a server says, which may name whom the letter is for."""
    code = f" {error.code}" if isinstance(error, aiosmtplib.SMTPResponseException) else ""
    return f"{type(error).__name__}{code}"
