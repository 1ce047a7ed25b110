"""The organisation's own sign-in, by OpenID Connect: the code flow with PKCE, state and nonce, for staff.

    begin -> the organisation's page -> back here with a code -> finish: who it was, as the organisation signed it

Believed is only an ID token that is signed by a key which the issuer publishes (asymmetric algorithms only; RSA below
`_RSA_BITS_MIN` counts as not published), from that issuer, for this client, not over, and with the nonce of this very
sign-in; it began in the same browser, and ends once (``vouching``). An address counts if the organisation says that it
is verified; where the token doesn't tell one, the user-info endpoint is asked, for the same subject.

An organisation knows people for as long as it likes: so it is asked to have them show who they are now, unless they did
within `FRESH` (``max_age``). What is fresh here was therefore shown to it within twice that. A token that tells of
longer ago isn't believed; one that doesn't tell when is, for some providers never do, and are trusted to do as asked.

Where to ask is the issuer's to say, by its discovery document, and all of it by TLS, except on this very machine. Its
document and its keys are kept for `KEPT`; a key that isn't among them has them fetched anew, once a minute at most.

What bounds it: each call ends after `PATIENCE_SECONDS` and reads `BODY_MAX` bytes; no redirect is followed, and no
proxy or credential of the environment is used. A sign-in makes five calls at most.

What fails how: a provider that is away or makes no sense is ``unavailable``; what can't be believed is
``not_verified``. The reason is logged, without any token; whoever signs in is told to start again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.util import base64_to_int
from msgspec import Struct

from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import FRESH
from ledger.scheme.vouching import NAME_BYTES_MAX, Begun, Vouched, Vouching

PATIENCE_SECONDS: Final = 5.0
# Large organisations publish some dozen keys of 1.5 KB, with certificates.
BODY_MAX: Final = 64 * 1024
KEPT: Final = timedelta(hours=1)
_AGAIN: Final = timedelta(minutes=1)
# No HMAC, which whoever knows a public key could make, and not "none".
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_RSA_BITS_MIN: Final = 2048
_SKEW_SECONDS: Final = 60
_CODE_MAX: Final = 2048
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_Body = TypeVar("_Body", bound=Struct)


class Client(Struct, frozen=True, kw_only=True):
    """What the organisation knows us as; ``redirect_uri`` is the address of the page that calls ``finish``."""

    issuer: str
    id: str
    secret: str
    redirect_uri: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Client(issuer={self.issuer!r}, id={self.id!r}, redirect_uri={self.redirect_uri!r})"


class _Metadata(Struct, frozen=True):
    """What the discovery document says, as far as it is heeded."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(Struct, frozen=True):
    id_token: str
    access_token: str | None = None


class _Keys(Struct, frozen=True):
    keys: list[dict[str, Any]]


class _UserInfo(Struct, frozen=True):
    sub: str
    email: str | None = None
    email_verified: bool | str | None = None


class _Fetched(Struct, frozen=True):
    """What is kept of the provider's, and since when."""

    at: datetime
    metadata: _Metadata
    keys: KeySet


class _Doubtful(Exception):  # noqa: N818  # an expected answer of the provider's, not an error of ours
    """What can't be believed, and why."""


class _Away(Exception):  # noqa: N818  # the same
    """A provider that can't be asked, or makes no sense."""


class Oidc:
    """Signing in by one organisation."""

    def __init__(
        self, client: Client, vouching: Vouching, clock: Clock, http: httpx.AsyncClient, patience_seconds: float
    ) -> None:
        self._client = client
        self._vouching = vouching
        self._clock = clock
        self._http = http
        self._patience_seconds = patience_seconds
        self._fetching = asyncio.Lock()
        self._fetched: _Fetched | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, client: Client, vouching: Vouching, clock: Clock, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> AsyncIterator["Oidc"]:
        """Ready to be asked until the context ends. Nothing is fetched before somebody signs in."""
        if not _is_private(client.issuer):
            raise ValueError(f"the issuer {client.issuer} must begin with https://")
        # Not compressed, so that what is read is as long as what it becomes.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with httpx.AsyncClient(headers=headers, timeout=patience_seconds, trust_env=False) as http:
            yield cls(client, vouching, clock, http, patience_seconds)

    async def begin(self, browser: str, network: str) -> str:
        """The address at the organisation to send the browser of that cookie to."""
        try:
            metadata = (await self._provider()).metadata
        except _Away as away:
            raise _unavailable(away) from None
        begun = await self._vouching.begin(browser, network)
        address: str = prepare_grant_uri(
            metadata.authorization_endpoint,
            client_id=self._client.id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope="openid email",
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
            max_age=int(FRESH.total_seconds()),
        )
        return address

    async def finish(self, query: Mapping[str, str], browser: str) -> Vouched:
        """Who it was, by the query that the browser was sent back with; ``Vouching.holder`` knows whose that is."""
        begun = await self._vouching.resume(browser, query.get("state", ""))
        try:
            return await self._asked(query, begun)
        except _Doubtful as doubt:
            structlog.get_logger(__name__).warning("an organisation's sign-in was not believed", reason=str(doubt))
            raise Declined(
                Refusal.NOT_VERIFIED, "Your organisation did not confirm who you are: please start again."
            ) from None
        except _Away as away:
            raise _unavailable(away) from None

    async def _asked(self, query: Mapping[str, str], begun: Begun) -> Vouched:
        provider = await self._provider()
        metadata = provider.metadata
        # RFC 9207: an answer that was meant for another provider is told by its issuer.
        required = metadata.authorization_response_iss_parameter_supported
        if query.get("iss", None if required else metadata.issuer) != metadata.issuer:
            raise _Doubtful("the answer is another issuer's")
        if "error" in query:
            raise _Doubtful(f"the organisation answered {query['error'][:40]!r}")
        code = query.get("code", "")
        if not 1 <= len(code) <= _CODE_MAX:
            raise _Doubtful("there is no code")
        tokens = await self._tokens(metadata, code, begun.verifier)
        claims = await self._claims(tokens, begun.nonce)
        subject = claims["sub"]
        if not 1 <= len(subject.encode(errors="replace")) <= NAME_BYTES_MAX or not subject.isprintable():
            raise _Doubtful("the subject is no name")
        told = _UserInfo(subject, _text(claims.get("email")), claims.get("email_verified"))
        if told.email is None and metadata.userinfo_endpoint and tokens.access_token:
            told = await self._user_info(metadata.userinfo_endpoint, tokens.access_token)
            if told.sub != subject:
                raise _Doubtful("the user-info is another's")
        # Some say it as a text.
        verified = told.email_verified is True or told.email_verified == "true"
        return Vouched(issuer=metadata.issuer, subject=subject, email=told.email if verified else None)

    # --- what the provider says --------------------------------------------------------------------------

    async def _provider(self, older_than: timedelta = KEPT) -> _Fetched:
        """The provider's document and keys, fetched anew if they are older than that."""
        async with self._fetching:
            now = self._clock()
            if self._fetched is None or now >= self._fetched.at + older_than:
                self._fetched = await self._fetch(now)
            return self._fetched

    async def _fetch(self, now: datetime) -> _Fetched:
        issuer = self._client.issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = await self._call(_Metadata, "GET", address)
        if metadata.issuer != issuer:
            raise _Away(f"the provider calls itself {metadata.issuer[:100]!r}")
        addresses = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        for each in (*addresses, metadata.userinfo_endpoint or issuer):
            if not _is_private(each) or (urlsplit(issuer).scheme == "https" and urlsplit(each).scheme != "https"):
                raise _Away("the provider names an address without TLS")
        published = await self._call(_Keys, "GET", metadata.jwks_uri)
        signing = [each for each in published.keys if each.get("use", "sig") == "sig" and each.get("kty") != "oct"]
        try:
            keys = KeySet.import_key_set({"keys": [each for each in signing if not _is_short(each)]})
        except Exception as error:  # noqa: BLE001  # of data from outside, which breaks it in more ways than it names
            raise _Away(f"the provider's keys can't be read: {type(error).__name__}") from None
        return _Fetched(now, metadata, keys)

    async def _tokens(self, metadata: _Metadata, code: str, verifier: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
        }
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749, 2.3.1: both are encoded as in a form first.
            auth = httpx.BasicAuth(quote(self._client.id, safe=""), quote(self._client.secret, safe=""))
            return await self._call(_Tokens, "POST", metadata.token_endpoint, data=form, auth=auth)
        form |= {"client_id": self._client.id, "client_secret": self._client.secret}
        return await self._call(_Tokens, "POST", metadata.token_endpoint, data=form)

    async def _claims(self, tokens: _Tokens, nonce: str) -> dict[str, Any]:
        """The ID token's claims, once its signature and all that makes it ours are checked."""
        keys = (await self._provider()).keys
        try:
            try:
                token = jwt.decode(tokens.id_token, keys, algorithms=_ALGORITHMS)
            except InvalidKeyIdError:
                keys = (await self._provider(older_than=_AGAIN)).keys
                token = jwt.decode(tokens.id_token, keys, algorithms=_ALGORITHMS)
            options = {
                "iss": {"essential": True, "value": self._client.issuer},
                "aud": {"essential": True, "value": self._client.id},
            }
            params = {"nonce": nonce, "client_id": self._client.id, "access_token": tokens.access_token}
            claims = CodeIDToken(token.claims, token.header, options, params)
            now = int(self._clock().timestamp())
            claims.validate(now=now, leeway=_SKEW_SECONDS)
            if claims.get("auth_time", now) < now - FRESH.total_seconds() - _SKEW_SECONDS:
                raise _Doubtful("they showed who they are too long ago")  # noqa: TRY301  # as the library says all else
        except (_Away, _Doubtful):
            raise
        except Exception as error:  # noqa: BLE001  # the same
            raise _Doubtful(f"the ID token doesn't hold: {error}"[:200]) from None
        return dict(claims)

    async def _user_info(self, address: str, access_token: str) -> _UserInfo:
        return await self._call(_UserInfo, "GET", address, headers={"authorization": f"Bearer {access_token}"})

    async def _call(self, kind: type[_Body], method: str, address: str, **request: Any) -> _Body:  # noqa: ANN401  # httpx's own
        """The JSON that is answered, if it is of that kind; within the bounds."""
        try:
            async with (
                asyncio.timeout(self._patience_seconds),
                self._http.stream(method, address, **request) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > BODY_MAX:
                        raise _Away("the provider's answer is too long")
                if method == "POST" and answer.status_code == httpx.codes.BAD_REQUEST:
                    raise _Doubtful("the code was not taken")
                if answer.status_code != httpx.codes.OK:
                    raise _Away(f"the provider answered {answer.status_code}")
                return msgspec.json.decode(body, type=kind)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            raise _Away(f"the provider can't be asked: {type(error).__name__}") from None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_short(key: Mapping[str, Any]) -> bool:
    """Whether it is one of RSA by which others could sign, for it can be broken (NIST SP 800-131A)."""
    return key.get("kty") == "RSA" and base64_to_int(key["n"]).bit_length() < _RSA_BITS_MIN


def _is_private(address: str) -> bool:
    """Whether nobody can listen on the way: TLS, or this very machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _unavailable(away: _Away) -> Declined:
    structlog.get_logger(__name__).warning("an organisation's sign-in is away", reason=str(away))
    return Declined(
        Refusal.UNAVAILABLE,
        "Your organisation's sign-in can't be reached just now: please try again in a minute, or sign in another way.",
    )
