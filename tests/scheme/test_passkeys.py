"""Passkeys: what an authenticator must have signed, for whom, and how often it counts."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.database import Database, driver
from ledger.scheme import challenges, passkeys
from ledger.scheme.awards import lock_holders
from ledger.scheme.passkeys import LIVE_MAX, NAME_MAX, RESPONSE_MAX, Passkeys
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Entered
from tests.conftest import blocked
from tests.scheme.authenticator import PRESENT, VERIFIED, Authenticator, Lies, bytes_of, text_of

SITE, ORIGIN = "credits.example", "https://credits.example"
BROWSER, OTHER_BROWSER, NETWORK = "the-cookie-of-this-browser", "the-cookie-of-another", "192.0.2.1"
SECRET = bytes(32)
SECOND = timedelta(seconds=1)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def site(database: Database, time: Time) -> Passkeys:
    return Passkeys(database, time, SECRET, SITE, ORIGIN)


@pytest.fixture
async def ann(owner: asyncpg.Connection) -> UUID:
    return await somebody(owner, "Ann")


async def somebody(owner: asyncpg.Connection, name: str) -> UUID:
    person, holder = uuid4(), uuid4()
    await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())", person, name)
    await owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
    return holder


def phone(**settings_: str) -> Authenticator:
    return Authenticator(**{"origin": ORIGIN, "rp_id": SITE, **settings_})


async def added(site: Passkeys, holder: UUID, name: str = "my phone") -> Authenticator:
    """A phone with a passkey of that holder's."""
    made = phone()
    await site.finish_adding(holder, BROWSER, made.create(await site.begin_adding(holder, "Ann", BROWSER)), name)
    return made


async def rows(owner: asyncpg.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await owner.fetch("SELECT * FROM scheme.passkey ORDER BY made_at, credential")]


async def reason(work: Awaitable[object]) -> Refusal:
    with pytest.raises(Declined) as caught:
        await work
    return caught.value.reason


# --- adding ---------------------------------------------------------------------------------------------------


async def test_a_passkey_is_added_and_signs_its_person_in(site: Passkeys, ann: UUID, time: Time) -> None:
    mine = await added(site, ann)
    (kept,) = await site.list_of(ann)
    assert (kept.id, kept.name, kept.made_at, kept.used_at) == (text_of(mine.credential), "my phone", time.now, None)

    time.now += SECOND
    assert (await site.finish_sign_in(BROWSER, mine.get(await site.begin_sign_in(BROWSER, NETWORK)))).holder == ann
    assert [each.used_at for each in await site.list_of(ann)] == [time.now]


async def test_the_authenticator_is_asked_to_verify_and_to_keep_what_it_makes(site: Passkeys, ann: UUID) -> None:
    earlier = await added(site, ann)
    asked = json.loads(await site.begin_adding(ann, "Ann Archer", BROWSER))
    assert asked["rp"]["id"] == SITE
    assert bytes_of(asked["user"]["id"]) == ann.bytes
    assert asked["user"]["name"] == "Ann Archer"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["attestation"] == "none"
    assert [bytes_of(each["id"]) for each in asked["excludeCredentials"]] == [earlier.credential]
    assert len(bytes_of(asked["challenge"])) == 32

    asked = json.loads(await site.begin_sign_in(BROWSER, NETWORK))
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == (SITE, "required", [])


LIES = [
    pytest.param({"challenge": text_of(bytes(32))}, id="another challenge"),
    pytest.param({"challenge": "%"}, id="a challenge that is none"),
    pytest.param({"origin": "https://credits.example.evil.test"}, id="another origin"),
    pytest.param({"origin": "http://credits.example"}, id="the origin without TLS"),
    pytest.param({"cross_origin": True}, id="inside another site's page"),
    pytest.param({"rp_id": "evil.test"}, id="another site's id"),
    pytest.param({"flags": PRESENT}, id="no verification of the user"),
    pytest.param({"flags": VERIFIED}, id="nobody present"),
    pytest.param({"type": "payment.get"}, id="an answer to something else"),
]


@pytest.mark.parametrize("lies", LIES)
async def test_what_is_not_as_asked_adds_nothing(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, lies: Lies
) -> None:
    options = await site.begin_adding(ann, "Ann", BROWSER)
    answer = phone().create(options, **lies)
    assert await reason(site.finish_adding(ann, BROWSER, answer, "my phone")) is Refusal.NOT_VERIFIED
    assert await rows(owner) == []
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox") == 0


async def test_a_challenge_is_of_one_browser_one_person_and_five_minutes(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    bob = await somebody(owner, "Bob")
    options = await site.begin_adding(ann, "Ann", BROWSER)
    answer = phone().create(options)
    assert await reason(site.finish_adding(ann, OTHER_BROWSER, answer, "a")) is Refusal.NOT_VERIFIED
    assert await reason(site.finish_adding(bob, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    time.now += challenges.LASTS
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED
    assert await rows(owner) == []

    time.now -= SECOND
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED, "it was used up"
    answer = phone().create(await site.begin_adding(ann, "Ann", BROWSER))
    time.now += challenges.LASTS - SECOND
    assert (await site.finish_adding(ann, BROWSER, answer, "a")).name == "a"


async def test_an_answer_adds_once(site: Passkeys, ann: UUID, owner: asyncpg.Connection) -> None:
    answer = phone().create(await site.begin_adding(ann, "Ann", BROWSER))
    await site.finish_adding(ann, BROWSER, answer, "a")
    before = await rows(owner)
    assert await reason(site.finish_adding(ann, BROWSER, answer, "b")) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before


async def test_a_credential_that_is_known_is_nobody_elses(site: Passkeys, ann: UUID, owner: asyncpg.Connection) -> None:
    mine = await added(site, ann)
    bob = await somebody(owner, "Bob")
    before = await rows(owner)
    stolen = phone()
    stolen.credential = mine.credential
    answer = stolen.create(await site.begin_adding(bob, "Bob", BROWSER))
    assert await reason(site.finish_adding(bob, BROWSER, answer, "a")) is Refusal.WRONG_STATE
    assert await rows(owner) == before


@pytest.mark.parametrize("length", [0, 15, 1024])
async def test_a_credential_has_an_id_of_a_sensible_length(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, length: int
) -> None:
    odd = phone()
    odd.credential = bytes(length)
    answer = odd.create(await site.begin_adding(ann, "Ann", BROWSER))
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED
    assert await rows(owner) == []


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00", "n" * (NAME_MAX + 1)])
async def test_a_name_that_is_none_is_mended_and_sent_again(site: Passkeys, ann: UUID, name: str) -> None:
    answer = phone().create(await site.begin_adding(ann, "Ann", BROWSER))
    assert await reason(site.finish_adding(ann, BROWSER, answer, name)) is Refusal.WRONG_VALUES
    assert (await site.finish_adding(ann, BROWSER, answer, "n" * NAME_MAX)).name == "n" * NAME_MAX


async def test_somebody_has_so_many_at_most_however_they_are_sent(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection
) -> None:
    for number in range(LIVE_MAX - 2):
        await added(site, ann, f"phone {number}")
    answers = [phone().create(await site.begin_adding(ann, "Ann", BROWSER)) for _ in range(4)]
    found = await asyncio.gather(
        *(site.finish_adding(ann, BROWSER, answer, "at once") for answer in answers), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in found) == ["Declined", "Declined", "Passkey", "Passkey"]
    assert await reason(site.begin_adding(ann, "Ann", BROWSER)) is Refusal.WRONG_STATE

    for _ in range(LIVE_MAX + 2):
        await site.end(ann, (await site.list_of(ann))[0].id)
        await added(site, ann, "another")
    assert len(await rows(owner)) <= 2 * LIVE_MAX + 1, "of those that ended, no more are kept than may be live"


async def test_nothing_is_begun_for_somebody_who_was_erased(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection
) -> None:
    mine = await added(site, ann)
    answer = phone().create(await site.begin_adding(ann, "Ann", BROWSER))
    await owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", ann)
    assert await reason(site.begin_adding(ann, "Ann", BROWSER)) is Refusal.NOT_FOUND
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_FOUND
    signed = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    assert await reason(site.finish_sign_in(BROWSER, signed)) is Refusal.NOT_VERIFIED


# --- signing in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lies", [*LIES, pytest.param({"user_handle": b""}, id="nobody named")])
async def test_what_is_not_as_asked_signs_nobody_in(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, lies: Lies
) -> None:
    mine = await added(site, ann)
    before = await rows(owner)
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK), **lies)
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before
    assert (await site.finish_sign_in(BROWSER, mine.get(await site.begin_sign_in(BROWSER, NETWORK)))).holder == ann, (
        "the next one does"
    )


def _swap_credential(ann: Authenticator, bob: Authenticator, options: str) -> str:
    ann.credential = bob.credential
    return ann.get(options)


def _swap_credential_and_name(ann: Authenticator, bob: Authenticator, options: str) -> str:
    ann.credential = bob.credential
    return ann.get(options, user_handle=bob.user_handle)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda ann, bob, options: ann.get(options, user_handle=bob.user_handle), id="naming another"),
        pytest.param(_swap_credential, id="under another's credential"),
        pytest.param(_swap_credential_and_name, id="under another's credential and name"),
        pytest.param(lambda _, bob, options: phone().get(options, user_handle=bob.user_handle), id="an unknown one"),
    ],
)
async def test_nobody_signs_in_as_another(
    site: Passkeys,
    ann: UUID,
    owner: asyncpg.Connection,
    forged: Callable[[Authenticator, Authenticator, str], str],
) -> None:
    bob = await somebody(owner, "Bob")
    anns, bobs = await added(site, ann), await added(site, bob)
    before = await rows(owner)
    answer = forged(anns, bobs, await site.begin_sign_in(BROWSER, NETWORK))
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before


async def test_an_answer_signs_in_once_in_its_browser_in_its_time(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    mine = await added(site, ann)
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    before = await rows(owner)
    assert await reason(site.finish_sign_in(OTHER_BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before
    assert (await site.finish_sign_in(BROWSER, answer)).holder == ann
    before = await rows(owner)
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED

    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    time.now += challenges.LASTS
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before


async def test_an_answer_that_waits_while_all_of_theirs_end_signs_nobody_in(
    site: Passkeys, ann: UUID, database: Database, owner: asyncpg.Connection, time: Time
) -> None:
    mine = await added(site, ann)
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    async with database.transaction() as connection:
        await lock_holders(driver(connection), [ann])
        waits = asyncio.create_task(reason(site.finish_sign_in(BROWSER, answer)))
        await blocked(owner)
        await passkeys.end_all(driver(connection), ann, time.now)
    assert await waits is Refusal.NOT_VERIFIED
    assert await owner.fetchval("SELECT count(*) FROM scheme.sign_in") == 0


async def test_of_answers_sent_at_once_one_signs_in(site: Passkeys, ann: UUID) -> None:
    mine = await added(site, ann)
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    found = await asyncio.gather(*(site.finish_sign_in(BROWSER, answer) for _ in range(5)), return_exceptions=True)
    assert [each.holder for each in found if isinstance(each, Entered)] == [ann]


@pytest.mark.parametrize("counts", [0, -1])
async def test_a_count_that_does_not_rise_is_that_of_a_copy(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, counts: int
) -> None:
    mine = await added(site, ann)
    await site.finish_sign_in(BROWSER, mine.get(await site.begin_sign_in(BROWSER, NETWORK), counts=5))
    before = await rows(owner)
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK), counts=counts)
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before


async def test_an_authenticator_that_never_counts_is_taken(site: Passkeys, ann: UUID) -> None:
    mine = await added(site, ann)
    for _ in range(2):
        assert (
            await site.finish_sign_in(BROWSER, mine.get(await site.begin_sign_in(BROWSER, NETWORK), counts=0))
        ).holder == ann


async def test_a_passkey_is_answered_alike_whether_it_is_known_or_not(site: Passkeys, ann: UUID) -> None:
    mine = await added(site, ann)
    sentences = set()
    for answer in (
        phone().get(await site.begin_sign_in(BROWSER, NETWORK), user_handle=ann.bytes),
        mine.get(await site.begin_sign_in(BROWSER, NETWORK), flags=PRESENT),
    ):
        with pytest.raises(Declined) as caught:
            await site.finish_sign_in(BROWSER, answer)
        sentences.add(caught.value.detail)
    assert len(sentences) == 1


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.binary(max_size=60).map(text_of),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
_SHAPED = st.fixed_dictionaries(
    {"id": _ANY, "rawId": _ANY, "type": st.just("public-key") | _ANY},
    optional={
        "response": st.fixed_dictionaries(
            {
                "clientDataJSON": _ANY
                | _ANY.map(
                    lambda challenge: text_of(json.dumps({"type": "webauthn.get", "challenge": challenge}).encode())
                ),
            },
            optional={"attestationObject": _ANY, "authenticatorData": _ANY, "signature": _ANY, "userHandle": _ANY},
        )
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.text(max_size=60) | _ANY.map(json.dumps) | _SHAPED.map(json.dumps))
async def test_whatever_is_sent_is_answered(site: Passkeys, ann: UUID, answer: str) -> None:
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED


@pytest.mark.parametrize("size", [3, 37, 60, 100])
@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "attestationObject"])
async def test_what_was_cut_short_or_garbled_is_refused(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, part: str, size: int
) -> None:
    mine = await added(site, ann)
    before = await rows(owner)
    options = await site.begin_sign_in(BROWSER, NETWORK)
    made = (
        mine.get(options) if part != "attestationObject" else phone().create(await site.begin_adding(ann, "A", BROWSER))
    )
    answer = json.loads(made)
    whole = bytes_of(answer["response"][part])
    for bad in (whole[:size] if len(whole) > size else b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        answer["response"][part] = text_of(bad)
        text = json.dumps(answer)
        work = site.finish_adding(ann, BROWSER, text, "a") if "attest" in part else site.finish_sign_in(BROWSER, text)
        assert await reason(work) is Refusal.NOT_VERIFIED
    assert await rows(owner) == before


async def test_an_answer_that_is_too_long_is_not_even_parsed(site: Passkeys, ann: UUID) -> None:
    mine = await added(site, ann)
    answer = json.loads(mine.get(await site.begin_sign_in(BROWSER, NETWORK)))
    answer["padding"] = "x" * RESPONSE_MAX
    assert await reason(site.finish_sign_in(BROWSER, json.dumps(answer))) is Refusal.NOT_VERIFIED
    del answer["padding"]
    assert (await site.finish_sign_in(BROWSER, json.dumps(answer))).holder == ann


# --- ending ---------------------------------------------------------------------------------------------------


async def test_a_passkey_that_ended_signs_nobody_in(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    mine = await added(site, ann)
    time.now += SECOND
    spare = await added(site, ann, "the key in the drawer")
    first, second = await site.list_of(ann)
    await site.end(ann, first.id)
    assert await site.list_of(ann) == [second]
    answer = mine.get(await site.begin_sign_in(BROWSER, NETWORK))
    assert await reason(site.finish_sign_in(BROWSER, answer)) is Refusal.NOT_VERIFIED
    assert (await site.finish_sign_in(BROWSER, spare.get(await site.begin_sign_in(BROWSER, NETWORK)))).holder == ann

    ended = await rows(owner)
    await site.end(ann, first.id)
    assert await rows(owner) == ended, "ending it again changes nothing"
    topics = [row["topic"] for row in await owner.fetch("SELECT topic FROM scheme.outbox ORDER BY at, id")]
    assert topics == ["passkey_added", "passkey_added", "passkey_ended"]


@pytest.mark.parametrize("id_", ["", "%", "a", "AAAA", "\u2603", "theirs"])
async def test_nobody_ends_or_renames_what_is_not_theirs(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, id_: str
) -> None:
    theirs = await added(site, await somebody(owner, "Bob"))
    before = await rows(owner)
    named = text_of(theirs.credential) if id_ == "theirs" else id_
    assert await reason(site.end(ann, named)) is Refusal.NOT_FOUND
    assert await reason(site.rename(ann, named, "mine")) is Refusal.NOT_FOUND
    assert await rows(owner) == before


async def test_a_passkey_is_called_what_its_person_calls_it_while_it_works(site: Passkeys, ann: UUID) -> None:
    await added(site, ann)
    (kept,) = await site.list_of(ann)
    await site.rename(ann, kept.id, "the old phone")
    assert [each.name for each in await site.list_of(ann)] == ["the old phone"]
    for name in ("", " ", "a\nb", "n" * (NAME_MAX + 1)):
        assert await reason(site.rename(ann, kept.id, name)) is Refusal.WRONG_VALUES
    await site.end(ann, kept.id)
    assert await reason(site.rename(ann, kept.id, "gone")) is Refusal.NOT_FOUND


async def test_all_of_somebodys_end_at_once_with_what_is_being_added(
    site: Passkeys, database: Database, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    bob = await somebody(owner, "Bob")
    await added(site, ann)
    await added(site, ann, "another")
    await added(site, bob)
    answer = phone().create(await site.begin_adding(ann, "Ann", BROWSER))
    async with database.transaction() as connection:
        assert await passkeys.end_all(driver(connection), ann, time.now) == 2
    assert await site.list_of(ann) == []
    assert len(await site.list_of(bob)) == 1
    assert await reason(site.finish_adding(ann, BROWSER, answer, "a")) is Refusal.NOT_VERIFIED


# --- challenges -----------------------------------------------------------------------------------------------


async def test_challenges_are_bounded_by_browser_and_go_when_they_are_over(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    mine = await added(site, ann)
    first = await site.begin_sign_in(BROWSER, NETWORK)
    for _ in range(challenges.EACH_BROWSER + 5):
        time.now += SECOND
        await site.begin_sign_in(BROWSER, NETWORK)
    time.now += SECOND
    last = await site.begin_sign_in(BROWSER, NETWORK)
    assert await owner.fetchval("SELECT count(*) FROM scheme.challenge") == challenges.EACH_BROWSER
    assert await reason(site.finish_sign_in(BROWSER, mine.get(first))) is Refusal.NOT_VERIFIED
    assert (await site.finish_sign_in(BROWSER, mine.get(last))).holder == ann

    time.now += challenges.LASTS
    await site.begin_sign_in(OTHER_BROWSER, NETWORK)
    assert await owner.fetchval("SELECT count(*) FROM scheme.challenge") == 1


async def test_of_a_browsers_cookie_only_the_hash_is_kept(site: Passkeys, owner: asyncpg.Connection) -> None:
    await site.begin_sign_in(BROWSER, NETWORK)
    kept = await owner.fetchval("SELECT browser_hash FROM scheme.challenge")
    assert kept == hashlib.sha256(BROWSER.encode()).digest()


async def test_whoever_asks_without_a_cookie_each_time_is_counted_by_the_network(
    site: Passkeys, ann: UUID, owner: asyncpg.Connection, time: Time
) -> None:
    """The rows that nobody in particular can write are so many a network and five minutes."""
    await site.begin_sign_in("cookie-0", NETWORK)
    await owner.execute("UPDATE scheme.attempt SET count = $1 - 2 WHERE what = 'challenge_from'", challenges.FROM)
    for cookie in ("cookie-1", "cookie-2"):
        await site.begin_sign_in(cookie, NETWORK)
    for cookie in ("cookie-3", "cookie-4"):
        assert await reason(site.begin_sign_in(cookie, NETWORK)) is Refusal.TRY_AGAIN
    await site.begin_sign_in("cookie-5", "192.0.2.2")
    assert await owner.fetchval("SELECT count(*) FROM scheme.challenge") == 4, "and another network's"
    time.now += timedelta(hours=1)
    await site.begin_sign_in(BROWSER, NETWORK)

    for number in range(challenges.EACH_BROWSER + 3):
        await site.begin_adding(ann, "Ann", f"cookie-{number}")
    found = await owner.fetchval("SELECT count(*) FROM scheme.challenge WHERE holder = $1", ann)
    assert found == challenges.EACH_BROWSER, "an invitation's link writes no more either"
