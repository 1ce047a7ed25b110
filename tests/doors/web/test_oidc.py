"""The organisation's own sign-in: what is believed, what isn't, and whose account it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

from ledger.database import Database, driver
from ledger.doors.web.oidc import BODY_MAX, Client, Oidc
from ledger.scheme.challenges import LASTS
from ledger.scheme.clock import system_clock
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import FRESH
from ledger.scheme.vouching import Vouched, Vouching
from tests.conftest import blocked
from tests.doors.web.provider import CLIENT, SECRET, Provider, answer, consented, in_a_process, key, ok

BROWSER, OTHER_BROWSER = "the-cookie-of-this-browser", "the-cookie-of-another"
NETWORK = "192.0.2.1"
BACK = "http://localhost/sign-in/organisation"


class Asked(NamedTuple):
    """A site that asks a provider."""

    provider: Provider
    oidc: Oidc
    vouching: Vouching

    async def finished(self, browser: str = BROWSER, **query: str) -> Vouched:
        """A sign-in from its beginning to its end."""
        back = self.provider.consent(await self.oidc.begin(BROWSER, NETWORK))
        return await self.oidc.finish({**back, **query}, browser)


@pytest.fixture
def vouching(database: Database) -> Vouching:
    return Vouching(database, system_clock, bytes(32))


@pytest.fixture
async def asked(vouching: Vouching) -> AsyncIterator[Asked]:
    async with Provider.running() as provider, site(provider.issuer, vouching) as oidc:
        yield Asked(provider, oidc, vouching)


@contextlib.asynccontextmanager
async def site(issuer: str, vouching: Vouching, patience_seconds: float = 30) -> AsyncIterator[Oidc]:
    client = Client(issuer=issuer, id=CLIENT, secret=SECRET, redirect_uri=BACK)
    async with Oidc.running(client, vouching, system_clock, patience_seconds=patience_seconds) as oidc:
        yield oidc


async def reason(work: Awaitable[object]) -> Refusal:
    with pytest.raises(Declined) as caught:
        await work
    assert caught.value.detail.endswith(".")
    return caught.value.reason


# --- with a provider as others run it -------------------------------------------------------------------------


@pytest.fixture
async def real() -> AsyncIterator[str]:
    """The issuer of a provider in a process of its own."""
    async with in_a_process() as issuer:
        yield issuer


async def test_somebody_signs_in_by_a_real_provider(real: str, vouching: Vouching, owner: asyncpg.Connection) -> None:
    ann = await somebody(owner, "ann@example.org", "coordinator")
    async with site(real, vouching) as oidc:
        address = await oidc.begin(BROWSER, NETWORK)
        asked = dict(parse_qsl(urlsplit(address).query))
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT, BACK)
        assert (asked["code_challenge_method"], asked["max_age"]) == ("S256", str(15 * 60))
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) == 43

        back = await consented(address)
        assert await reason(oidc.finish({**back, "state": "another"}, BROWSER)) is Refusal.NOT_VERIFIED
        assert await reason(oidc.finish(back, OTHER_BROWSER)) is Refusal.NOT_VERIFIED
        vouched = await oidc.finish(back, BROWSER)
        assert vouched == Vouched(issuer=real, subject="ann-at-work", email="ann@example.org")
        assert (await vouching.sign_in(vouched)).holder == ann
        assert await reason(oidc.finish(back, BROWSER)) is Refusal.NOT_VERIFIED, "the state is used up"

        # A code that was used, brought back with a state that is good.
        fresh = dict(parse_qsl(urlsplit(await oidc.begin(BROWSER, NETWORK)).query))["state"]
        assert await reason(oidc.finish({**back, "state": fresh}, BROWSER)) is Refusal.NOT_VERIFIED

        # A code that was given for another sign-in has another nonce.
        stolen = await consented(await oidc.begin(OTHER_BROWSER, NETWORK))
        fresh = dict(parse_qsl(urlsplit(await oidc.begin(BROWSER, NETWORK)).query))["state"]
        assert await reason(oidc.finish({**stolen, "state": fresh}, BROWSER)) is Refusal.NOT_VERIFIED


# --- what is believed -----------------------------------------------------------------------------------------


async def test_what_the_provider_signed_for_this_sign_in_is_believed(asked: Asked) -> None:
    expected = Vouched(issuer=asked.provider.issuer, subject="ann-at-work", email="ann@example.org")
    assert await asked.finished() == expected
    assert await asked.finished(iss=asked.provider.issuer) == expected
    asked.provider.claims |= {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert await asked.finished() == expected
    asked.provider.claims["auth_time"] = int((datetime.now(UTC) - FRESH).timestamp())
    assert await asked.finished() == expected
    # Document and keys once, and one code for each.
    assert asked.provider.calls == ["/.well-known/openid-configuration", "/keys", *["/token"] * 4]


async def test_a_provider_that_takes_the_secret_in_the_form_gets_it_there(asked: Asked) -> None:
    asked.provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert (await asked.finished()).subject == "ann-at-work"


DOUBTFUL: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "for another audience": {"aud": "another"},
    "for others besides, and not said for whom": {"aud": [CLIENT, "another"]},
    "authorised for another": {"aud": [CLIENT, "another"], "azp": "another"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.test"},
    "no issuer": {"iss": None},
    "over": {"exp": 1_700_000_000},
    "never over": {"exp": None},
    "signed in the future": {"iat": 4_000_000_000},
    "not yet good": {"nbf": 4_000_000_000},
    "of who was asked long ago": {"auth_time": 1_700_000_000},
    "of who was never asked": {"auth_time": 0},
    "asked at no time": {"auth_time": "now"},
    "asked at an empty time": {"auth_time": ""},
    "another access token's": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject with a line break": {"sub": "a\nb"},
    "a subject that is too long": {"sub": "s" * 256},
}


@pytest.mark.parametrize("claims", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_a_token_that_is_not_for_this_sign_in_is_not_believed(asked: Asked, claims: dict[str, Any]) -> None:
    asked.provider.claims |= claims
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED


@pytest.mark.parametrize("alg", ["none", "HS256"])
async def test_a_token_that_anybody_could_make_is_not_believed(asked: Asked, alg: str) -> None:
    asked.provider.alg = alg
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED


@pytest.mark.parametrize("kid", ["one", "two"])
async def test_a_token_that_is_signed_by_another_key_is_not_believed(asked: Asked, kid: str) -> None:
    asked.provider.key = key(kid, 2)
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED


async def test_a_token_that_is_signed_by_a_short_key_is_not_believed_though_the_provider_publishes_it(
    asked: Asked,
) -> None:
    with pytest.warns(SecurityWarning):
        short = RSAKey.generate_key(2040, {"kid": "short", "use": "sig"})
    asked.provider.published.append(short)
    assert (await asked.finished()).subject == "ann-at-work", "by the other, which is long enough"
    asked.provider.key = short
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED


QUERIES: dict[str, dict[str, str]] = {
    "another state": {"state": "another"},
    "a state that is no ASCII": {"state": "\u2603\ud800"},
    "no code": {"code": ""},
    "a code that nobody gave": {"code": "another"},
    "a code that is too long": {"code": "c" * 3_000},
    "an error": {"error": "access_denied"},
    "another issuer's answer": {"iss": "https://evil.test"},
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_an_answer_that_is_not_to_this_sign_in_is_not_believed(asked: Asked, query: dict[str, str]) -> None:
    assert await reason(asked.finished(**query)) is Refusal.NOT_VERIFIED


async def test_a_provider_that_says_who_answers_always_says_it(asked: Asked) -> None:
    asked.provider.metadata["authorization_response_iss_parameter_supported"] = True
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED
    assert (await asked.finished(iss=asked.provider.issuer)).subject == "ann-at-work"


async def test_nothing_is_asked_of_the_provider_for_another_browser_or_a_second_time(asked: Asked) -> None:
    back = asked.provider.consent(await asked.oidc.begin(BROWSER, NETWORK))
    before = list(asked.provider.calls)
    assert await reason(asked.oidc.finish(back, OTHER_BROWSER)) is Refusal.NOT_VERIFIED
    assert asked.provider.calls == before
    await asked.oidc.finish(back, BROWSER)
    before = list(asked.provider.calls)
    assert await reason(asked.oidc.finish(back, BROWSER)) is Refusal.NOT_VERIFIED
    assert asked.provider.calls == before


async def test_a_code_that_was_caught_is_of_no_use_without_the_verifier(asked: Asked) -> None:
    caught = asked.provider.consent(await asked.oidc.begin(OTHER_BROWSER, NETWORK))
    mine = asked.provider.consent(await asked.oidc.begin(BROWSER, NETWORK))
    assert await reason(asked.oidc.finish({**mine, "code": caught["code"]}, BROWSER)) is Refusal.NOT_VERIFIED


async def test_a_sign_in_is_over_after_some_minutes(database: Database) -> None:
    now = system_clock()
    begun = await Vouching(database, lambda: now, bytes(32)).begin(BROWSER, NETWORK)
    assert (
        await reason(Vouching(database, lambda: now + LASTS, bytes(32)).resume(BROWSER, begun.state))
        is Refusal.NOT_VERIFIED
    )
    begun = await Vouching(database, lambda: now, bytes(32)).begin(BROWSER, NETWORK)
    assert await Vouching(database, lambda: now, bytes(32)).resume(BROWSER, begun.state) == begun
    assert len({begun.state, begun.nonce, begun.verifier}) == 3
    assert begun.verifier not in repr(begun)


async def test_new_keys_are_found_when_the_old_ones_have_gone(asked: Asked) -> None:
    now = system_clock()
    await asked.finished()
    asked.provider.key = key("two")
    asked.provider.published = [asked.provider.key]
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED, "they are looked for once a minute"
    assert asked.provider.calls.count("/keys") == 1
    asked.oidc._clock = lambda: now + LASTS / 4
    asked.provider.claims["exp"] = int(now.timestamp()) + 600
    assert (await asked.finished()).subject == "ann-at-work"
    assert asked.provider.calls.count("/keys") == 2


# --- whether the address counts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "user_info", "email"),
    [
        ({"email_verified": False}, {}, None),
        ({"email_verified": None}, {}, None),
        ({"email_verified": "true"}, {}, "ann@example.org"),
        ({"email_verified": "yes"}, {}, None),
        ({"email_verified": 1}, {}, None),
        ({"email": None}, {"sub": "ann-at-work"}, None),
        ({"email": None}, {"sub": "ann-at-work", "email": "a@b.c", "email_verified": True}, "a@b.c"),
        ({"email": None}, {"sub": "ann-at-work", "email": "a@b.c"}, None),
        ({"email": 7}, {"sub": "ann-at-work", "email": "a@b.c", "email_verified": True}, "a@b.c"),
    ],
)
async def test_an_address_counts_only_if_it_is_said_to_be_verified(
    asked: Asked, claims: dict[str, Any], user_info: dict[str, Any], email: str | None
) -> None:
    asked.provider.claims |= claims
    asked.provider.user_info = user_info
    assert (await asked.finished()).email == email


async def test_the_user_info_of_another_is_not_believed(asked: Asked) -> None:
    asked.provider.claims["email"] = None
    asked.provider.user_info = {"sub": "bob", "email": "bob@example.org", "email_verified": True}
    assert await reason(asked.finished()) is Refusal.NOT_VERIFIED


# --- a provider that is away ----------------------------------------------------------------------------------

_DISCOVERY = "/.well-known/openid-configuration"
BROKEN: dict[str, Callable[[str], bytes]] = {
    "an error": lambda _: answer(500, b"{}"),
    "not there": lambda _: answer(404, b"{}"),
    "moved": lambda path: answer(302, b"", location=path),
    "cut short": lambda _: answer(200, b"{", content_length="9"),
    "not JSON": lambda _: answer(200, b"<html>"),
    "nested without end": lambda _: answer(200, b"[" * 60_000),
    "of another kind": lambda _: ok({"issuer": 7, "id_token": 7, "keys": 7, "sub": 7}),
    "no text": lambda _: answer(200, b'{"issuer":"\xff","id_token":"\xff","keys":["\xff"],"sub":"\xff"}'),
    "no HTTP": lambda _: b"220 mail.example ESMTP\r\n",
    "nothing": lambda _: b"\n",
    "compressed": lambda _: answer(200, b"\x1f\x8b" + bytes(30), content_encoding="gzip"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("path", [_DISCOVERY, "/keys", "/token", "/user-info"])
async def test_a_provider_that_makes_no_sense_is_away(asked: Asked, path: str, broken: Callable[[str], bytes]) -> None:
    asked.provider.claims["email"] = None
    asked.provider.user_info = {"sub": "ann-at-work"}
    asked.provider.answers[path] = broken(path)
    assert await reason(asked.finished()) is Refusal.UNAVAILABLE
    del asked.provider.answers[path]
    assert (await asked.finished()).subject == "ann-at-work", "and the next sign-in finds it again"


@pytest.mark.parametrize("path", [_DISCOVERY, "/keys", "/token"])
async def test_a_provider_that_is_silent_is_not_waited_for(vouching: Vouching, path: str) -> None:
    async with Provider.running() as provider, site(provider.issuer, vouching, patience_seconds=0.5) as oidc:
        provider.silent_at = path
        assert await reason(Asked(provider, oidc, vouching).finished()) is Refusal.UNAVAILABLE


async def test_only_so_much_is_read(asked: Asked) -> None:
    asked.provider.metadata["padding"] = "x" * (BODY_MAX - 1_000)
    assert (await asked.finished()).subject == "ann-at-work"
    asked.provider.metadata["padding"] = "x" * BODY_MAX
    asked.oidc._fetched = None
    assert await reason(asked.finished()) is Refusal.UNAVAILABLE


async def test_a_provider_that_is_down_is_away(vouching: Vouching) -> None:
    async with Provider.running() as provider:
        issuer = provider.issuer
    async with site(issuer, vouching) as oidc:
        assert await reason(oidc.begin(BROWSER, NETWORK)) is Refusal.UNAVAILABLE


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"},
        {"jwks_uri": "http://evil.test/keys"},
        {"token_endpoint": "ftp://evil.test"},
        {"token_endpoint": "//evil.test"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://[evil"},
        {"userinfo_endpoint": "http://evil.test"},
    ],
)
async def test_a_provider_is_who_it_is_said_to_be_and_is_asked_by_tls(asked: Asked, metadata: dict[str, str]) -> None:
    asked.provider.metadata = metadata
    assert await reason(asked.oidc.begin(BROWSER, NETWORK)) is Refusal.UNAVAILABLE


@pytest.mark.parametrize("keys", [[], [{"kty": "none"}], [{"kty": "oct", "k": "AAAA"}], [{"kty": "RSA"}]])
async def test_a_provider_without_keys_is_away(asked: Asked, keys: list[dict[str, str]]) -> None:
    asked.provider.answers["/keys"] = ok({"keys": keys})
    assert await reason(asked.oidc.begin(BROWSER, NETWORK)) is Refusal.UNAVAILABLE


@pytest.mark.parametrize("issuer", ["http://sign-in.example", "sign-in.example", "", "http://[", "https://"])
async def test_an_issuer_without_tls_is_not_even_begun_with(vouching: Vouching, issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        async with site(issuer, vouching):
            pass


def test_the_secret_is_in_no_log() -> None:
    assert SECRET not in repr(Client(issuer="https://a.example", id="a", secret=SECRET, redirect_uri=BACK))


# --- whose account it is --------------------------------------------------------------------------------------


async def somebody(owner: asyncpg.Connection, email: str | None, role: str | None) -> UUID:
    person, holder, project = uuid4(), uuid4(), uuid4()
    await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES ($1, 'Ann', now())", person)
    await owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
    if email is not None:
        await owner.execute(
            "INSERT INTO scheme.contact (person, email, changed_at, used_at) VALUES ($1, $2, now(), now())",
            *(person, email),
        )
    if role == "coordinator":
        await owner.execute(
            "INSERT INTO scheme.project (id, name, alias, status, created_at)"
            " VALUES ($1, 'The shed', 'Saturdays', 'active', now())",
            project,
        )
    if role is not None:
        await owner.execute(
            "INSERT INTO scheme.role (id, holder, role, project, granted_at, granted_by)"
            " VALUES ($1, $2, $3, $4, now(), $1)",
            *(uuid4(), holder, role, project if role == "coordinator" else None),
        )
    return holder


def account(subject: str = "ann-at-work", email: str | None = "ann@example.org") -> Vouched:
    return Vouched(issuer="https://a.example", subject=subject, email=email)


@pytest.mark.parametrize("email", ["ann@example.org", "Ann@Example.ORG", "  ann@example.org "])
async def test_an_account_is_found_by_its_address_once_and_then_by_itself(
    vouching: Vouching, owner: asyncpg.Connection, email: str
) -> None:
    ann = await somebody(owner, "Ann@example.org", "staff")
    await somebody(owner, "bob@example.org", "staff")
    await somebody(owner, None, "staff")
    await somebody(owner, "ann@example.org", None)
    assert (await vouching.sign_in(account(email=email))).holder == ann
    await owner.execute("DELETE FROM scheme.contact")
    assert (await vouching.sign_in(account(email=None))).holder == ann
    assert (await vouching.sign_in(account(email="bob@example.org"))).holder == ann, "whatever its address is now"
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'organisation_vouched'") == 1


@pytest.mark.parametrize(
    ("people", "email"),
    [
        ([("ann@example.org", None)], "ann@example.org"),
        ([("ann@example.org", "staff"), ("ANN@example.org", "coordinator")], "ann@example.org"),
        ([("bob@example.org", "staff")], "ann@example.org"),
        ([("ann@example.org", "staff")], None),
        ([("ann@example.org", "staff")], " "),
        ([], "ann@example.org"),
    ],
    ids=["a volunteer", "two people", "another", "no verified address", "a blank one", "nobody"],
)
async def test_nobody_is_found_by_less(
    vouching: Vouching, owner: asyncpg.Connection, people: list[tuple[str, str | None]], email: str | None
) -> None:
    for each in people:
        await somebody(owner, *each)
    assert await reason(vouching.sign_in(account(email=email))) is Refusal.NOT_VERIFIED
    assert await owner.fetchval("SELECT count(*) FROM scheme.vouched") == 0


async def test_an_address_that_was_given_to_another_opens_nothing(
    vouching: Vouching, owner: asyncpg.Connection
) -> None:
    ann = await somebody(owner, "info@example.org", "staff")
    assert (await vouching.sign_in(account(email="info@example.org"))).holder == ann
    assert await reason(vouching.sign_in(account("bob", "info@example.org"))) is Refusal.NOT_VERIFIED
    other = Vouched(issuer="https://b.example", subject="bob", email="info@example.org")
    assert (await vouching.sign_in(other, sure=ann)).holder == ann, (
        "another organisation's own account is another matter"
    )


@pytest.mark.parametrize("before", ["a passkey", "a passkey that ended", "another organisation", "they left"])
async def test_who_had_a_sure_way_in_is_not_found_by_an_address_that_staff_may_have_changed(
    vouching: Vouching, owner: asyncpg.Connection, before: str
) -> None:
    ann, bob = await somebody(owner, "ann@example.org", "staff"), await somebody(owner, "bob@example.org", "staff")
    if before == "another organisation":
        await vouching.sign_in(Vouched(issuer="https://b.example", subject="ann", email="ann@example.org"))
    elif before == "they left":
        await owner.execute(
            "INSERT INTO scheme.act (id, at, by, key, scope, holder, verb)"
            " VALUES ($1, now(), $1, $1, 'scheme', $2, 'left')",
            *(uuid4(), ann),
        )
    else:
        await owner.execute(
            "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at, ended_at)"
            " VALUES ($1, $2, '', 0, 'my phone', now(), $3)",
            *(bytes(16), ann, None if before == "a passkey" else datetime.now(UTC)),
        )
    for sure in (None, bob):
        assert await reason(vouching.sign_in(account(), sure=sure)) is Refusal.NOT_VERIFIED
    assert (await vouching.sign_in(account(), sure=ann)).holder == ann, "who is in by a passkey adds it"
    assert (await vouching.sign_in(account())).holder == ann, "and is known by it from then on"


async def test_a_sign_in_that_waits_while_they_leave_does_not_begin(
    vouching: Vouching, database: Database, owner: asyncpg.Connection
) -> None:
    ann = await somebody(owner, "ann@example.org", "staff")
    await vouching.sign_in(account())
    async with database.transaction() as connection:
        await driver(connection).execute("SELECT FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE", ann)
        waits = asyncio.create_task(reason(vouching.sign_in(account())))
        await blocked(owner)
        await driver(connection).execute("UPDATE scheme.role SET ended_at = now(), ended_by = id")
        await driver(connection).execute("DELETE FROM scheme.vouched")
    assert await waits is Refusal.NOT_VERIFIED
    assert await owner.fetchval("SELECT count(*) FROM scheme.sign_in") == 1


async def test_a_role_that_ended_opens_nothing_at_first_sight(vouching: Vouching, owner: asyncpg.Connection) -> None:
    await somebody(owner, "ann@example.org", "staff")
    await owner.execute("UPDATE scheme.role SET ended_at = now(), ended_by = id")
    assert await reason(vouching.sign_in(account())) is Refusal.NOT_VERIFIED


async def test_at_once_an_account_is_one_and_of_two_accounts_one_is_theirs(
    vouching: Vouching, owner: asyncpg.Connection
) -> None:
    ann = await somebody(owner, "ann@example.org", "staff")
    entered = await asyncio.gather(*(vouching.sign_in(account()) for _ in range(4)))
    assert [each.holder for each in entered] == [ann] * 4
    await owner.execute("DELETE FROM scheme.vouched")
    found = await asyncio.gather(
        *(vouching.sign_in(account(subject)) for subject in ("a", "b", "c")), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in found) == ["Declined", "Declined", "Entered"]


async def test_an_account_of_somebody_who_was_erased_is_nobodys(vouching: Vouching, owner: asyncpg.Connection) -> None:
    ann = await somebody(owner, "ann@example.org", "staff")
    await vouching.sign_in(account())
    await owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", ann)
    assert await reason(vouching.sign_in(account())) is Refusal.NOT_VERIFIED
