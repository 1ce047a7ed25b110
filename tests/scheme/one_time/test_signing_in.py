"""Links and codes to sign in with: who can sign in with them, where, until when; and what nobody learns by asking."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from ledger.database import Database, driver
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import OPERATOR
from ledger.scheme.codes import code_for
from ledger.scheme.one_time import (
    LETTERS_FROM,
    LETTERS_TO,
    PEOPLE_MAX,
    TRIES,
    WRITING_MAX,
    Good,
    OneTime,
    Purpose,
    forget,
)
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Entered, Strength
from ledger.scheme.throttle import SIGN_IN
from tests.conftest import blocked
from tests.scheme.one_time.desk import (
    ADDRESS,
    DAY,
    HERE,
    HOUR,
    MINUTE,
    NOW,
    THERE,
    Desk,
    Sent,
    declined,
    read,
)

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
