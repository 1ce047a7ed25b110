"""Letters: written with what happened, sent once by whoever takes them, and gone when they are sent or over."""

import asyncio
import email
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from ledger.database import Database, driver
from ledger.doors.mail import Server, deliver, deliver_due, message
from ledger.scheme.letters import LEASE, PAUSES, Letter, Letters, Words, forget, write

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SENDER = "hello@credits.example"
WORDS = Words("Your link to sign in", "Hello Ann,\n\nhttps://credits.example/sign-in/abc\n")


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def letters(database: Database, clock: Hands) -> Letters:
    return Letters(database, clock)


async def written(
    database: Database,
    recipient: str = "ann@example.org",
    *,
    words: Words = WORDS,
    at: datetime = NOW,
    lasts: timedelta = DAY,
    holder: UUID | None = None,
) -> UUID:
    async with database.transaction() as connection:
        return await write(driver(connection), holder, recipient, words, at + lasts, at)


async def kept(owner: asyncpg.Connection) -> list[tuple[Any, ...]]:
    """What is kept of each: whom it was for, its words, and whether it was sent."""
    rows = await owner.fetch("SELECT recipient, body, sent_at FROM scheme.letter ORDER BY id")
    return [tuple(row) for row in rows]


# --- waiting ----------------------------------------------------------------------------------------------------


async def test_a_letter_is_written_with_what_happened_or_not_at_all(database: Database, letters: Letters) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as connection:
            await write(driver(connection), None, "ann@example.org", WORDS, NOW + DAY, NOW)
            raise RuntimeError
    assert await letters.due() == []


async def test_what_is_due_is_taken_by_one_however_many_ask_and_the_oldest_first(
    database: Database, letters: Letters
) -> None:
    ids = [await written(database, f"{number}@example.org") for number in range(10)]
    taken = await asyncio.gather(*[letters.due(3) for _ in range(8)])
    assert sorted(letter.id for some in taken for letter in some) == ids
    assert [await written(database, "late@example.org")] == [letter.id for letter in await letters.due()]


async def test_what_was_taken_by_somebody_who_was_killed_is_anybodys_after_the_lease(
    database: Database, letters: Letters, clock: Hands
) -> None:
    id_ = await written(database)
    assert [(letter.id, letter.tries) for letter in await letters.due()] == [(id_, 1)]
    clock.now += LEASE - SECOND
    assert await letters.due() == []
    clock.now += SECOND
    assert [(letter.id, letter.tries) for letter in await letters.due()] == [(id_, 2)]


async def test_what_failed_is_tried_after_growing_pauses_until_nobody_would_want_it(
    database: Database, letters: Letters, clock: Hands, owner: asyncpg.Connection
) -> None:
    await written(database, lasts=DAY)
    began, waits = NOW, []
    while due := await letters.due():
        await letters.failed(due[0])
        next_at = await owner.fetchval("SELECT next_at FROM scheme.letter WHERE body IS NOT NULL")
        if next_at is None:
            break
        waits.append(next_at - clock.now)
        clock.now = next_at
    assert waits == [*PAUSES, PAUSES[-1]]
    assert waits == sorted(waits)
    assert began + 12 * HOUR < clock.now < began + DAY, "tried until its last hours"
    assert await kept(owner) == [(None, None, None)]


async def test_what_was_sent_or_given_up_loses_its_words_and_whom_it_was_for(
    database: Database, letters: Letters, owner: asyncpg.Connection
) -> None:
    for _ in range(2):
        await written(database)
    sent, refused = await letters.due()
    await letters.sent(sent.id)
    await letters.failed(refused, for_good=True)
    assert await kept(owner) == [(None, None, NOW), (None, None, None)]


async def test_what_is_over_is_not_sent_and_is_forgotten(
    database: Database, letters: Letters, clock: Hands, owner: asyncpg.Connection
) -> None:
    await written(database, lasts=10 * MINUTE)
    clock.now = NOW + 10 * MINUTE
    assert await letters.due() == []
    assert await letters.latest(10) == []
    for moment, count in ((clock.now - SECOND, 0), (clock.now, 1), (clock.now, 0)):
        async with database.transaction() as connection:
            assert await forget(driver(connection), moment) == count
    assert await kept(owner) == []


async def test_the_demos_page_has_the_newest_that_wait(database: Database, letters: Letters) -> None:
    ids = [await written(database, f"{number}@example.org") for number in range(4)]
    await letters.sent(ids[3])
    assert [letter.id for letter in await letters.latest(2)] == [ids[2], ids[1]]
    assert [letter.body for letter in await letters.latest(1)] == [WORDS.body]


async def test_neither_words_nor_addresses_stand_in_what_is_logged(database: Database, letters: Letters) -> None:
    await written(database)
    [letter] = await letters.due()
    assert "ann" not in repr(letter)
    assert "abc" not in repr(letter)


# --- sending ----------------------------------------------------------------------------------------------------


class Post:
    """A mail server: what came, and what it answers to whom."""

    def __init__(self) -> None:
        self.came: list[tuple[str | None, list[str], EmailMessage]] = []
        self.raw: list[bytes] = []
        self.answers: dict[str, str] = {}
        self.full = ""
        self.connections = 0
        self.arrived: asyncio.Queue[None] = asyncio.Queue()

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802  # the same
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the same
        if self.full:
            return self.full
        assert isinstance(envelope.content, bytes)
        self.raw.append(envelope.content)
        parsed = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        self.came.append((envelope.mail_from, envelope.rcpt_tos, parsed))
        self.arrived.put_nowait(None)
        return "250 OK"


@asynccontextmanager
async def listening(post: Post, **options: Any) -> AsyncIterator[Server]:  # noqa: ANN401  # whatever aiosmtpd takes
    """A real SMTP server of this test's own."""
    loop = asyncio.get_running_loop()
    open_: list[SMTP] = []

    def serve() -> SMTP:
        open_.append(SMTP(post, loop=loop, hostname="mail.example", **options))
        return open_[-1]

    server = await loop.create_server(serve, "127.0.0.1", 0)
    try:
        yield Server(host="127.0.0.1", port=server.sockets[0].getsockname()[1], encrypted=False)
    finally:
        server.close()
        for each in open_:
            if each.transport is not None:
                each.transport.close()
        await server.wait_closed()


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
async def server(post: Post) -> AsyncIterator[Server]:
    async with listening(post) as server:
        yield server


async def test_a_letter_comes_as_it_was_written_in_plain_text_with_the_headers_that_mail_has(
    database: Database, letters: Letters, post: Post, server: Server, owner: asyncpg.Connection
) -> None:
    id_ = await written(database)
    assert await deliver_due(letters, server, SENDER) == 1
    [(mail_from, recipients, mail)] = post.came
    assert (mail_from, recipients) == (SENDER, ["ann@example.org"])
    assert {name: mail[name] for name in ("From", "To", "Subject", "Message-ID", "Auto-Submitted", "Date")} == {
        "From": f"Time Credits <{SENDER}>",
        "To": "ann@example.org",
        "Subject": "Your link to sign in",
        "Message-ID": f"<{id_}@credits.example>",
        "Auto-Submitted": "auto-generated",
        "Date": "Sun, 22 Nov 2026 09:00:00 +0000",
    }
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == WORDS.body
    assert await kept(owner) == [(None, None, NOW)]
    assert await deliver_due(letters, server, SENDER) == 0


async def test_names_and_words_in_any_language_come_whole(
    database: Database, letters: Letters, post: Post, server: Server
) -> None:
    words = Words("Eich dolen i fewngofnodi, Siân", "Helo Siân ŵ €,\n" + "gair " * 300 + "\n.\nhttps://a.example/x=y\n")
    await written(database, words=words)
    await deliver_due(letters, server, SENDER)
    [(_, _, mail)] = post.came
    assert mail["Subject"] == words.subject
    assert mail.get_content().replace("\r\n", "\n") == words.body
    assert max(len(line) for line in post.raw[0].split(b"\r\n")) <= 998


async def test_all_that_is_due_goes_over_one_connection(
    database: Database, letters: Letters, post: Post, server: Server
) -> None:
    for number in range(5):
        await written(database, f"{number}@example.org")
    assert await deliver_due(letters, server, SENDER) == 5
    assert sorted(to for _, [to], _ in post.came) == [f"{number}@example.org" for number in range(5)]
    assert post.connections == 1


@pytest.mark.parametrize(
    ("answer", "tried_again"), [("550 No such mailbox", False), ("450 Try again later", True), ("452 Full", True)]
)
async def test_a_mailbox_that_is_not_there_is_given_up_one_that_is_full_tried_again_and_the_others_get_theirs(
    *,
    database: Database,
    letters: Letters,
    post: Post,
    server: Server,
    clock: Hands,
    answer: str,
    tried_again: bool,
) -> None:
    post.answers["gone@example.org"] = answer
    await written(database, "gone@example.org")
    await written(database, "ann@example.org")
    with structlog.testing.capture_logs() as logs:
        await deliver_due(letters, server, SENDER)
    assert [to for _, [to], _ in post.came] == ["ann@example.org"]
    assert "gone@" not in str(logs)
    post.answers.clear()
    clock.now += PAUSES[0]
    assert await deliver_due(letters, server, SENDER) == int(tried_again)
    assert len(post.came) == 1 + int(tried_again)


async def test_a_letter_that_the_server_refuses_for_good_is_given_up(
    database: Database, letters: Letters, post: Post, server: Server, owner: asyncpg.Connection
) -> None:
    post.full = "554 Refused"
    await written(database)
    await deliver_due(letters, server, SENDER)
    assert await kept(owner) == [(None, None, None)]


@pytest.mark.parametrize(
    "recipient", ["ann", "@", "ann@", "a@b@c", "a b@example.org", "ann@example.org, eve@example.org", "é@example.org"]
)
async def test_what_is_no_address_is_given_up_and_is_in_nobodys_way(
    *, database: Database, letters: Letters, post: Post, server: Server, owner: asyncpg.Connection, recipient: str
) -> None:
    await written(database, recipient)
    await written(database, "bob@example.org")
    await deliver_due(letters, server, SENDER)
    assert [to for _, [to], _ in post.came] == ["bob@example.org"]
    assert await kept(owner) == [(None, None, None), (None, None, NOW)]


def test_a_line_break_in_a_subject_makes_no_header_of_its_own() -> None:
    letter = Letter(
        id=uuid4(),
        at=NOW,
        recipient="a@example.org",
        subject="x\r\nBcc: eve@example.org",
        body="",
        tries=1,
        ends_at=NOW,
    )
    with pytest.raises(ValueError, match="linefeed"):
        message(letter, SENDER)


def test_an_address_in_another_alphabet_is_written_as_mail_wants_it() -> None:
    letter = Letter(id=uuid4(), at=NOW, recipient="ann@bücher.example", subject="x", body="", tries=1, ends_at=NOW)
    assert message(letter, SENDER)["To"] == "ann@xn--bcher-kva.example"


def nobody_listens() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_a_server_that_is_away_is_tried_again(
    database: Database, letters: Letters, clock: Hands, post: Post, server: Server
) -> None:
    for _ in range(2):
        await written(database)
    away = Server(host="127.0.0.1", port=nobody_listens(), encrypted=False)
    assert await deliver_due(letters, away, SENDER) == 2
    assert await letters.due() == []
    clock.now += PAUSES[0]
    assert await deliver_due(letters, server, SENDER) == 2
    assert len(post.came) == 2


async def test_a_password_is_not_given_to_a_server_that_does_not_encrypt(
    database: Database, letters: Letters, post: Post, owner: asyncpg.Connection
) -> None:
    heard = []

    def authenticate(*given: object) -> AuthResult:
        heard.append(given)
        return AuthResult(success=True)

    await written(database)
    async with listening(post, authenticator=authenticate, auth_require_tls=False) as plain:
        server = Server.read(f"smtp://post:unseen@127.0.0.1:{plain.port}")
        with structlog.testing.capture_logs() as logs:
            await deliver_due(letters, server, SENDER)
    assert (heard, post.came) == ([], [])
    assert "unseen" not in str(logs)
    assert await owner.fetchval("SELECT body FROM scheme.letter") == WORDS.body, "it waits for better days"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", Server(host="mail.example", port=587, encrypted=False)),
        ("smtp://localhost:25/", Server(host="localhost", port=25, encrypted=False)),
        ("smtps://[::1]", Server(host="::1", port=465, encrypted=True)),
        (
            "smtps://me%40mail.example:a%2Fb%3A@mail.example:2465",
            Server(host="mail.example", port=2465, encrypted=True, user="me@mail.example", password="a/b:"),
        ),
    ],
)
def test_where_mail_goes_is_read_from_an_address(url: str, server: Server) -> None:
    assert Server.read(url) == server
    assert "a/b:" not in repr(server)


async def test_sending_ends_when_it_is_told_to_even_at_the_moment_of_an_answer(
    database: Database, letters: Letters, post: Post, server: Server
) -> None:
    for _ in range(10):
        sending = asyncio.create_task(deliver(letters, server, SENDER, every_seconds=0.01))
        await written(database)
        async with asyncio.timeout(30):
            await post.arrived.get()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending


async def test_two_processes_send_each_letter_once_and_go_on_when_the_server_comes_back(
    *, database: Database, letters: Letters, post: Post, server: Server, dsn: str, clock: Hands
) -> None:
    async with Database.open(dsn) as other:
        works = [deliver(of, server, SENDER, every_seconds=0.01) for of in (letters, Letters(other, clock))]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            post.full = "421 Not now"
            await written(database, "first@example.org")
            async with asyncio.timeout(30):
                while not await _failed(database):  # noqa: ASYNC110  # a database rings no bell
                    await asyncio.sleep(0)
                post.full = ""
                clock.now += HOUR
                for number in range(30):
                    await written(database, f"{number}@example.org")
                for _ in range(31):
                    await post.arrived.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert len({to for _, [to], _ in post.came}) == len(post.came) == 31


async def _failed(database: Database) -> bool:
    """Whether the first was tried and put off: for less than it was leased."""
    async with database.reading() as connection:
        next_at: datetime = await driver(connection).fetchval("SELECT next_at FROM scheme.letter")
        return next_at == NOW + PAUSES[0]
