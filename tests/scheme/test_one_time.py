"""One-time links and codes: who can sign in with them, where, until when; and what nobody learns by asking."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from ledger.database import Database, driver
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.codes import code_for
from ledger.scheme.letters import Letter, Letters
from ledger.scheme.one_time import (
    INVITED_A_DAY,
    LETTERS_FROM,
    LETTERS_TO,
    PEOPLE_MAX,
    TRIES,
    WRITING_MAX,
    Good,
    OneTime,
    Purpose,
    end_invitations,
    forget,
    take,
)
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Entered, SignIns, Strength
from ledger.scheme.throttle import SIGN_IN
from tests.conftest import blocked

NOW = datetime(2026, 11, 22, 9, 50, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HERE, THERE = "this-browser", "another-browser"
ADDRESS = "https://credits.example"


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Sent(NamedTuple):
    """What a letter holds."""

    link: str
    code: str


class Desk:
    """Asking, and reading what came by mail."""

    def __init__(self, database: Database, owner: asyncpg.Connection, clock: Hands) -> None:
        self.clock = clock
        self.owner = owner
        self.one_time = OneTime(database, clock, b"s" * 32)
        self.letters = Letters(database, clock)
        self.sign_ins = SignIns(database, clock)

    async def person(
        self, name: str = "Ann", email: str | None = "ann@example.org", *, safe: bool | None = None
    ) -> UUID:
        """The new person's holder."""
        person, holder = uuid4(), uuid4()
        await self.owner.execute(
            "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())", person, name
        )
        await self.owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
        if email is not None:
            await self.owner.execute(
                "INSERT INTO scheme.contact (person, email, safe, changed_at, used_at) VALUES ($1, $2, $3, $4, $4)",
                *(person, email, safe, NOW - DAY),
            )
        return holder

    async def person_of(self, holder: UUID) -> UUID:
        person: UUID = await self.owner.fetchval("SELECT person FROM scheme.holder WHERE id = $1", holder)
        return person

    async def ask(self, email: str = "ann@example.org", browser: str = HERE, network: str = "192.0.2.1") -> None:
        await self.one_time.ask(email, browser, network=network, address_of_link=ADDRESS)
        await self.one_time.settled()

    async def post(self) -> list[Letter]:
        """The letters that lie there, the oldest first."""
        return list(reversed(await self.letters.latest(1_000)))

    async def sent(self, browser: str = HERE, network: str = "192.0.2.1") -> Sent:
        """What the letter holds that comes upon asking."""
        await self.ask(browser=browser, network=network)
        return read(await self.post())[-1]

    async def counts(self) -> tuple[int, int]:
        """How many links there are, and how many letters."""
        return (
            await self.owner.fetchval("SELECT count(*) FROM scheme.one_time"),
            await self.owner.fetchval("SELECT count(*) FROM scheme.letter"),
        )


def read(letters: list[Letter]) -> list[Sent]:
    return [
        Sent(
            re.findall(rf"{ADDRESS}/sign-in/(\S+)", letter.body)[0],
            re.findall(r"^\w{4}-\w{4}-\w{3}$", letter.body, re.MULTILINE)[0],
        )
        for letter in letters
    ]


def link_in(letter: Letter) -> str:
    """The link of an invitation's letter."""
    return str(re.findall(rf"{ADDRESS}/sign-in/(\S+)", letter.body)[0])


async def declined(work: Awaitable[object]) -> tuple[Refusal, str, tuple[tuple[str, str], ...]]:
    with pytest.raises(Declined) as refused:
        await work
    return refused.value.reason, refused.value.detail, refused.value.fields


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def desk(database: Database, owner: asyncpg.Connection, clock: Hands) -> AsyncIterator[Desk]:
    desk = Desk(database, owner, clock)
    yield desk
    await desk.one_time.settled()


# --- signing in -------------------------------------------------------------------------------------------------


async def test_the_link_that_came_signs_in_whose_address_it_is(desk: Desk) -> None:
    ann = await desk.person()
    await desk.person("Bob", "bob@example.org")
    sent = await desk.sent()
    entered = await desk.one_time.use_link(sent.link, HERE)
    assert entered.holder == ann
    present = await desk.sign_ins.who(entered.token)
    assert present is not None
    assert (present.holder, present.strength) == (ann, Strength.LINK)
    assert entered.token not in repr(entered)


async def test_so_does_the_code_however_it_is_typed(desk: Desk) -> None:
    ann = await desk.person()
    sent = await desk.sent()
    assert (await desk.one_time.use_code(f" {sent.code.lower().replace('-', ' ')}", HERE)).holder == ann


async def test_the_letter_is_addressed_named_and_says_what_to_do(desk: Desk) -> None:
    await desk.person("Siân", "Sian@Example.org")
    await desk.ask("  sIAN@example.ORG ")
    [letter] = await desk.post()
    assert (letter.recipient, letter.subject) == ("Sian@Example.org", "Your link to sign in")
    assert letter.body.startswith("Hello Siân,\n")
    assert letter.ends_at == NOW + 10 * MINUTE


async def test_the_letter_speaks_the_language_that_they_chose(desk: Desk, database: Database) -> None:
    holder = await desk.person()
    await desk.owner.execute(
        "INSERT INTO scheme.preference (person, language, changed_at) VALUES ($1, 'cy', now())",
        await desk.person_of(holder),
    )
    heard = []

    def say(language: str, sentence: str) -> str:
        heard.append(language)
        return f"[{sentence}]"

    one_time = OneTime(database, desk.clock, b"s" * 32, say)
    await one_time.ask("ann@example.org", HERE, network="192.0.2.1", address_of_link=ADDRESS)
    await one_time.settled()
    [letter] = await desk.post()
    assert set(heard) == {"cy"}
    assert letter.subject == "[Your link to sign in]"
    assert letter.body.startswith("[Hello Ann,")


async def test_everybody_who_shares_the_address_gets_a_letter_of_their_own(desk: Desk) -> None:
    family = {
        name: await desk.person(name, email) for name, email in (("Ann", "us@example.org"), ("Bob", "US@example.org"))
    }
    await desk.ask("us@example.org")
    letters = await desk.post()
    for letter, sent in zip(letters, read(letters), strict=True):
        name = letter.body.split()[1].strip(",")
        assert (await desk.one_time.use_link(sent.link, HERE)).holder == family.pop(name)
    assert family == {}


async def test_an_address_that_very_many_share_gets_some_letters_only(desk: Desk) -> None:
    for number in range(PEOPLE_MAX + 2):
        await desk.person(f"Person {number}")
    await desk.ask()
    assert await desk.counts() == (PEOPLE_MAX, PEOPLE_MAX)


async def test_an_address_known_to_be_unsafe_is_not_written_to(desk: Desk) -> None:
    await desk.person(safe=False)
    await desk.ask()
    assert await desk.counts() == (0, 0)


async def test_nothing_that_was_sent_can_be_read_from_what_is_kept(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()
    [row] = await desk.owner.fetch("SELECT * FROM scheme.one_time")
    kept = " ".join(value.hex() if isinstance(value, bytes) else str(value) for value in row.values())
    for secret in (sent.link, sent.code, HERE, sent.code.replace("-", "")):
        assert secret not in kept
        assert secret.encode().hex() not in kept
    assert row["link_hash"] == hashlib.sha256(sent.link.encode()).digest()
    assert row["code_hash"] != hashlib.sha256(sent.code.replace("-", "").encode()).digest(), "50 bits want a keyed hash"
    # Not even whoever knows the secret and the id can make it anew.
    assert code_for(b"s" * 32, "one_time", row["id"]) != sent.code
    assert len(sent.link) == 22  # 128 bits in base64


# --- what uses them up ------------------------------------------------------------------------------------------


Use = Callable[[Desk, Sent, str | None], Awaitable[Entered]]
USES: list[Use] = [
    lambda desk, sent, browser: desk.one_time.use_link(sent.link, browser),
    lambda desk, sent, browser: desk.one_time.use_code(sent.code, browser),
]


@pytest.mark.parametrize("second", USES)
@pytest.mark.parametrize("first", USES)
async def test_link_and_code_work_once_between_them(desk: Desk, first: Use, second: Use) -> None:
    await desk.person()
    sent = await desk.sent()
    await first(desk, sent, HERE)
    assert (await declined(second(desk, sent, HERE)))[0] is Refusal.LINK_USED


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("browser", [THERE, "", None])
async def test_they_work_in_the_browser_that_asked_alone_and_a_try_elsewhere_harms_nothing(
    desk: Desk, use: Use, browser: str | None
) -> None:
    await desk.person()
    sent = await desk.sent()
    assert await desk.one_time.look(sent.link, browser) is None
    assert (await declined(use(desk, sent, browser)))[0] is Refusal.LINK_USED
    await use(desk, sent, HERE)


@pytest.mark.parametrize("use", USES)
async def test_they_work_for_ten_minutes(desk: Desk, use: Use) -> None:
    await desk.person()
    first = await desk.sent()
    desk.clock.now = NOW + 10 * MINUTE
    assert await desk.one_time.look(first.link, HERE) is None
    assert (await declined(use(desk, first, HERE)))[0] is Refusal.LINK_USED
    second = await desk.sent()
    desk.clock.now += 10 * MINUTE - timedelta(microseconds=1)
    await use(desk, second, HERE)


async def test_looking_at_a_link_any_number_of_times_never_uses_it_up(desk: Desk) -> None:
    ann = await desk.person()
    sent = await desk.sent()
    for browser in (None, THERE, HERE, HERE):
        good = await desk.one_time.look(sent.link, browser)
        assert good == (
            Good(purpose=Purpose.SIGN_IN, holder=ann, ends_at=NOW + 10 * MINUTE) if browser == HERE else None
        )
    await desk.one_time.use_link(sent.link, HERE)
    assert await desk.one_time.look(sent.link, HERE) is None


@pytest.mark.parametrize("use", USES)
async def test_of_many_at_the_same_moment_one_wins(desk: Desk, use: Use) -> None:
    await desk.person()
    sent = await desk.sent()
    answers = await asyncio.gather(*[use(desk, sent, HERE) for _ in range(TRIES)], return_exceptions=True)
    assert sum(isinstance(answer, Entered) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, Declined)} == {Refusal.LINK_USED}


async def test_a_second_letter_leaves_the_first_good(desk: Desk) -> None:
    await desk.person()
    first, second = await desk.sent(), await desk.sent()
    assert first != second
    await desk.one_time.use_code(second.code, HERE)
    await desk.one_time.use_link(first.link, HERE)


@pytest.mark.parametrize("link", ["", "x", "A" * 22, "é", "\udcff", "x" * 10_000, "\0"])
async def test_what_is_no_link_of_ours_is_answered_as_one_that_was_used(desk: Desk, link: str) -> None:
    await desk.person()
    await desk.ask()
    assert await desk.one_time.look(link, HERE) is None
    assert (await declined(desk.one_time.use_link(link, HERE)))[0] is Refusal.LINK_USED


async def test_using_one_counts_as_use_of_the_address(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()

    async def used_at() -> datetime:
        at: datetime = await desk.owner.fetchval("SELECT used_at FROM scheme.contact")
        return at

    assert await used_at() == NOW - DAY, "that a stranger asked is no use"
    await desk.one_time.use_link(sent.link, HERE)
    assert await used_at() == NOW


# --- guessing ---------------------------------------------------------------------------------------------------


def wrong(number: int) -> str:
    """A code that is well formed, and nobody's."""
    return code_for(b"no secret of ours", "wrong", UUID(int=number))


async def test_after_five_wrong_codes_none_is_heard_in_that_browser_and_the_link_still_works(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()
    answers = {await declined(desk.one_time.use_code(wrong(n), HERE)) for n in range(TRIES)}
    assert [answer[0] for answer in answers] == [Refusal.LINK_USED]
    answers = {await declined(desk.one_time.use_code(code, HERE)) for code in (wrong(TRIES), sent.code)}
    assert [answer[0] for answer in answers] == [Refusal.TRY_AGAIN], "the same answer, wrong or right"
    await desk.one_time.use_link(sent.link, HERE)


async def test_after_four_wrong_codes_the_right_one_works_and_the_count_begins_anew(desk: Desk) -> None:
    await desk.person()
    for _ in range(2):
        sent = await desk.sent()
        for number in range(TRIES - 1):
            await declined(desk.one_time.use_code(wrong(number), HERE))
        await desk.one_time.use_code(sent.code, HERE)


async def test_wrong_codes_of_one_browser_are_nothing_to_another(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()
    for number in range(TRIES + 3):
        await declined(desk.one_time.use_code(wrong(number), THERE))
    await desk.one_time.use_code(sent.code, HERE)


async def test_of_fifty_wrong_codes_at_once_five_are_heard(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()
    tries = [desk.one_time.use_code(wrong(number), HERE) for number in range(50)]
    await asyncio.gather(*tries, return_exceptions=True)
    assert (await declined(desk.one_time.use_code(sent.code, HERE)))[0] is Refusal.TRY_AGAIN
    assert await desk.owner.fetchval("SELECT count FROM scheme.attempt WHERE what = 'code_in'") == 51


async def test_codes_are_read_only_where_something_was_asked_for_and_others_leave_no_row_each(desk: Desk) -> None:
    """A cookie costs nothing: whoever sends a new one with each code writes no more than tells staff of it."""
    await desk.person()
    sent = await desk.sent()
    heard = [await declined(desk.one_time.use_code(wrong(n), f"cookie-{n}")) for n in range(30)]
    assert {reason for reason, _, _ in heard[: SIGN_IN.most]} == {Refusal.LINK_USED}
    assert {reason for reason, _, _ in heard[SIGN_IN.most :]} == {Refusal.TRY_AGAIN}
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.attempt WHERE what = 'code_in'") == 1
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == SIGN_IN.most
    told = await desk.owner.fetch("SELECT topic, object, body::text FROM scheme.outbox")
    assert [(row["topic"], row["object"], json.loads(row["body"])) for row in told] == [
        ("wrong_codes", None, {"count": 10, "within_minutes": 10, "where": "sign_in"})
    ]
    await desk.one_time.use_code(sent.code, HERE)


async def test_a_code_that_came_before_the_hour_is_read_after_it(desk: Desk) -> None:
    await desk.person()
    desk.clock.now = NOW.replace(minute=59)
    sent = await desk.sent()
    desk.clock.now += 2 * MINUTE
    for number in range(TRIES - 1):
        await declined(desk.one_time.use_code(wrong(number), HERE))
    await desk.one_time.use_code(sent.code, HERE)


@pytest.mark.parametrize("use", USES)
async def test_a_link_that_waits_while_their_ways_in_end_signs_nobody_in(
    desk: Desk, database: Database, use: Use
) -> None:
    ann = await desk.person()
    sent = await desk.sent()
    async with database.transaction() as connection:
        raw = driver(connection)
        await lock_holders(raw, [ann])
        waits = asyncio.create_task(declined(use(desk, sent, HERE)))
        await blocked(desk.owner)
        await raw.execute("UPDATE scheme.one_time SET used_at = $2 WHERE holder = $1", ann, NOW)
    assert (await waits)[0] is Refusal.LINK_USED
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.sign_in") == 0


async def test_a_slip_of_the_finger_is_told_and_costs_no_try(desk: Desk) -> None:
    await desk.person()
    sent = await desk.sent()
    slipped = sent.code[:-1] + ("0" if sent.code[-1] != "0" else "1")
    for _ in range(TRIES + 1):
        reason, _, fields = await declined(desk.one_time.use_code(slipped, HERE))
        assert (reason, [name for name, _ in fields]) == (Refusal.WRONG_VALUES, ["code"])
    await desk.one_time.use_code(sent.code, HERE)


# --- what nobody learns -----------------------------------------------------------------------------------------


async def test_asking_does_the_same_whether_an_address_is_known_or_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def listening(connection: AsyncConnection) -> asyncpg.Connection:
        raw = driver(connection)
        raw.remove_query_logger(logger)
        raw.add_query_logger(logger)
        return raw

    def logger(record: asyncpg.connection.LoggedQuery) -> None:
        told.append(record.query)

    monkeypatch.setattr("ledger.scheme.one_time.driver", listening)
    await desk.person()
    until_the_answer = []
    for email in ("ann@example.org", "nobody@example.org"):
        told.clear()
        await desk.one_time.ask(email, HERE, network="192.0.2.1", address_of_link=ADDRESS)
        until_the_answer.append([query for query in told if not query.startswith("BEGIN")])
        await desk.one_time.settled()
        assert any("contact" in query for query in told), "looked for behind the answer"
    assert until_the_answer[0] == until_the_answer[1]
    assert len(until_the_answer[0]) > 1
    assert not [query for query in until_the_answer[0] if "contact" in query]
    assert await desk.counts() == (1, 1)


async def test_a_wrong_code_is_answered_alike_whether_anything_was_sent_or_not(desk: Desk) -> None:
    await desk.person()
    await desk.ask(browser=HERE)
    await desk.ask("nobody@example.org", browser=THERE)
    answers = []
    for browser in (HERE, THERE):
        answers.append([await declined(desk.one_time.use_code(wrong(number), browser)) for number in range(TRIES + 1)])
        desk.clock.now += SIGN_IN.within
    assert answers[0] == answers[1]
    rows = await desk.owner.fetch("SELECT count FROM scheme.attempt WHERE what = 'code_in'")
    assert [row["count"] for row in rows] == [TRIES + 1] * 2, "as much is written in both"


async def test_letters_that_are_held_back_are_in_the_log_once_an_hour_without_whose_they_are(desk: Desk) -> None:
    await desk.person()
    with capture_logs() as logs:
        for number in range(LETTERS_TO + 3):
            await desk.ask(network=f"192.0.2.{number}")
        assert [(each["what"], each["log_level"]) for each in logs] == [("letter_to", "warning")]
        await desk.owner.execute("UPDATE scheme.attempt SET count = $1 WHERE what = 'letter_from'", LETTERS_FROM)
        for number in range(3):
            await desk.ask(f"{number}@example.org", network="192.0.2.1")
    assert [each["what"] for each in logs] == ["letter_to", "letter_from"]
    assert "ann" not in str(logs)
    assert "192" not in str(logs)


# --- how often --------------------------------------------------------------------------------------------------


async def test_an_address_gets_five_letters_an_hour_and_whoever_asks_for_more_hears_the_same(desk: Desk) -> None:
    await desk.person()
    for number in range(LETTERS_TO + 3):
        await desk.ask("ann@example.org" if number % 2 else " ANN@example.org", network=f"192.0.2.{number}")
    assert await desk.counts() == (LETTERS_TO, LETTERS_TO)
    desk.clock.now = NOW + HOUR
    await desk.ask()
    assert await desk.counts() == (LETTERS_TO + 1, LETTERS_TO + 1)


@pytest.mark.parametrize(
    ("networks", "heard"),
    [
        (["192.0.2.1"] * 3, 1),
        (["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2"], 2),
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"], 2),
        (["a socket", "a socket", "another"], 2),
    ],
)
async def test_thirty_an_hour_are_heard_from_one_network(desk: Desk, networks: list[str], heard: int) -> None:
    for number in range(PEOPLE_MAX):
        await desk.person(f"Person {number}", f"person-{number}@example.org")
    for network in networks:
        await desk.ask("nobody@example.org", network=network)
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.attempt WHERE what = 'letter_from'") == heard
    await desk.owner.execute("UPDATE scheme.attempt SET count = $1 - 1 WHERE what = 'letter_from'", LETTERS_FROM)
    await desk.ask("person-1@example.org", network=networks[0])
    assert (await desk.counts())[1] == 1
    await desk.ask("person-2@example.org", network=networks[0])
    assert (await desk.counts())[1] == 1
    to = await desk.owner.fetchval("SELECT count(*) FROM scheme.attempt WHERE what = 'letter_to'")
    assert to == 2, "whoever asks too often uses up nobody's letters"


async def test_fifty_requests_at_once_send_five_letters(desk: Desk) -> None:
    await desk.person()
    asked = [
        desk.one_time.ask("ann@example.org", HERE, network=f"192.0.2.{number}", address_of_link=ADDRESS)
        for number in range(50)
    ]
    await asyncio.gather(*asked)
    await desk.one_time.settled()
    assert await desk.counts() == (LETTERS_TO, LETTERS_TO)


async def test_when_too_many_letters_are_to_be_written_whoever_asks_is_told_to_wait(desk: Desk) -> None:
    await desk.one_time._turn.acquire()
    for number in range(WRITING_MAX):
        await desk.one_time.ask(f"{number}@example.org", HERE, network=f"198.51.{number}.1", address_of_link=ADDRESS)
    asked = desk.one_time.ask("ann@example.org", HERE, network="192.0.2.1", address_of_link=ADDRESS)
    assert (await declined(asked))[0] is Refusal.BUSY
    desk.one_time._turn.release()
    await desk.one_time.settled()
    await desk.ask()


# --- erasure ----------------------------------------------------------------------------------------------------


async def test_somebody_erased_is_not_written_to_and_a_link_of_theirs_signs_nobody_in(
    desk: Desk, database: Database
) -> None:
    ann = await desk.person()
    sent = await desk.sent()
    async with database.transaction() as connection:
        await driver(connection).execute("SELECT FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE", ann)
        asked = asyncio.create_task(desk.ask())
        await blocked(desk.owner)
        await driver(connection).execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", ann)
    await asked
    assert await desk.counts() == (1, 1), "the letter that was about to be written isn't"
    assert (await declined(desk.one_time.use_link(sent.link, HERE)))[0] is Refusal.NOT_FOUND


# --- invitations ------------------------------------------------------------------------------------------------


async def test_staff_invite_somebody_to_make_a_passkey_by_a_letter_and_do_not_see_the_link(desk: Desk) -> None:
    ann = await desk.person()
    person = await desk.person_of(ann)
    invited, replayed = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (invited.written, invited.ends_at, replayed) == (True, NOW + DAY, False)
    assert invited.link is None, "it is for the eyes of whose mailbox it is"
    [letter] = await desk.post()
    assert (letter.recipient, letter.subject) == ("ann@example.org", "Set up your passkey")
    link = link_in(letter)
    assert len(link) == 22
    assert await desk.one_time.look(link, None) == Good(purpose=Purpose.PASSKEY, holder=ann, ends_at=NOW + DAY)
    [act] = await desk.owner.fetch("SELECT * FROM scheme.act")
    assert (act["verb"], act["holder"], act["by"]) == ("passkey_invited", ann, OPERATOR.identity)
    assert await desk.owner.fetchval("SELECT used_at FROM scheme.contact") == NOW


@pytest.mark.parametrize("email", [None, "unsafe@example.org"])
async def test_whoever_has_no_safe_address_is_invited_by_the_link_alone(desk: Desk, email: str | None) -> None:
    person = await desk.person_of(await desk.person(email=email, safe=False))
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (invited.written, await desk.counts()) == (False, (1, 0))
    assert invited.link is not None
    assert invited.link.startswith(f"{ADDRESS}/sign-in/")


async def test_nobody_invites_themselves(desk: Desk) -> None:
    una = await desk.person("Una")
    caller = Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=una)
    invited = desk.one_time.invite(caller, "k-1", await desk.person_of(una), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.WRONG_STATE
    assert await desk.counts() == (0, 0)


WAYS = {
    "a passkey": "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at)"
    " VALUES (decode(repeat('00', 16), 'hex'), $1, '', 0, 'phone', now())",
    "a passkey that ended": "INSERT INTO scheme.passkey"
    " (credential, holder, public_key, sign_count, name, made_at, ended_at)"
    " VALUES (decode(repeat('00', 16), 'hex'), $1, '', 0, 'phone', now(), now())",
    "an organisation": "INSERT INTO scheme.vouched (issuer, subject, holder, made_at)"
    " VALUES ('https://a.example', 'ann', $1, now())",
    "they left": "INSERT INTO scheme.act (id, at, by, key, scope, holder, verb)"
    " VALUES (gen_random_uuid(), now(), $1, $1, 'scheme', $1, 'left')",
}


@pytest.mark.parametrize("way", WAYS)
async def test_who_had_a_sure_way_in_is_invited_by_nobody_alone(desk: Desk, way: str) -> None:
    ann = await desk.person()
    await desk.owner.execute(WAYS[way], ann)
    invited = desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    reason, said, _ = await declined(invited)
    assert reason is Refusal.WRONG_STATE
    assert "two of the staff" in said
    assert await desk.counts() == (0, 0)


async def test_an_invitation_ends_when_they_come_in_another_way_first(desk: Desk, database: Database) -> None:
    ann = await desk.person(email=None)
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    link = (invited.link or "").rpartition("/")[2]
    async with database.transaction() as connection:
        await end_invitations(driver(connection), ann, desk.clock())
    assert await desk.one_time.look(link, None) is None


async def test_an_invitation_is_for_a_passkey_and_not_to_sign_in_and_works_once_in_any_browser(
    desk: Desk, database: Database
) -> None:
    ann = await desk.person(email=None)
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    link = (invited.link or "").rpartition("/")[2]
    assert (await declined(desk.one_time.use_link(link, HERE)))[0] is Refusal.LINK_USED
    desk.clock.now = NOW + DAY - MINUTE
    async with database.transaction() as connection:
        good = await take(driver(connection), link, None, Purpose.PASSKEY, desk.clock())
    assert good.holder == ann
    assert await desk.one_time.look(link, THERE) is None


async def test_a_link_to_sign_in_makes_no_passkey(desk: Desk, database: Database) -> None:
    await desk.person()
    sent = await desk.sent()
    async with database.transaction() as connection:
        used = take(driver(connection), sent.link, HERE, Purpose.PASSKEY, desk.clock())
        assert (await declined(used))[0] is Refusal.LINK_USED


async def test_an_invitation_ends_after_a_day_or_with_the_next_one(desk: Desk) -> None:
    person = await desk.person_of(await desk.person(email=None))
    links = []
    for number in range(2):
        invited, _ = await desk.one_time.invite(OPERATOR, f"k-{number}", person, address_of_link=ADDRESS)
        links.append((invited.link or "").rpartition("/")[2])
    assert await desk.one_time.look(links[0], None) is None
    assert await desk.one_time.look(links[1], None) is not None
    desk.clock.now = NOW + DAY
    assert await desk.one_time.look(links[1], None) is None


async def test_the_same_request_again_tells_the_same_link_and_nothing_of_it_is_kept(desk: Desk) -> None:
    person = await desk.person_of(await desk.person(email=None))
    first, _ = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    second, replayed = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (second, replayed) == (first, True)
    assert await desk.counts() == (1, 0)
    kept = await desk.owner.fetchval("SELECT body FROM scheme.answer")
    assert first.link
    assert first.link.rpartition("/")[2] not in kept
    assert first.link not in repr(first)


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.SCHEME])
async def test_nobody_but_staff_invites(desk: Desk, scope: Scope) -> None:
    holder = await desk.person()
    caller = Caller(key=uuid4(), scope=scope, object=uuid4(), holder=holder)
    invited = desk.one_time.invite(caller, "k-1", await desk.person_of(holder), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.STAFF_ONLY
    assert await desk.counts() == (0, 0)


async def test_somebody_who_is_not_there_is_not_invited_and_nobody_too_often(desk: Desk) -> None:
    invited = desk.one_time.invite(OPERATOR, "k", uuid4(), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.NOT_FOUND
    person = await desk.person_of(await desk.person())
    for number in range(INVITED_A_DAY):
        await desk.one_time.invite(OPERATOR, f"k-{number}", person, address_of_link=ADDRESS)
    invited = desk.one_time.invite(OPERATOR, "k-last", person, address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.WRONG_STATE


# --- forgetting -------------------------------------------------------------------------------------------------


async def test_what_is_over_is_forgotten_and_what_is_good_stays(desk: Desk, database: Database) -> None:
    person = await desk.person_of(await desk.person())
    await desk.ask()
    await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)

    async def forgotten(moment: datetime) -> int:
        async with database.transaction() as connection:
            return await forget(driver(connection), moment)

    assert await forgotten(NOW + 10 * MINUTE - timedelta(microseconds=1)) == 0
    assert await forgotten(NOW + 10 * MINUTE) == 1
    assert await forgotten(NOW + DAY) == 4, "the invitation, and the counts of the network, the mailbox and the browser"
    assert await forgotten(NOW + DAY) == 0
