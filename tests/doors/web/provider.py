"""OpenID providers: our own in the test's loop, by the book or lying as told; and another's in a process of its own."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "time credits", "s3cret/+ &"
_HALF_A_MINUTE = 30


class Provider:
    """What it would say is made of its fields; ``answers`` replaces what it says at a path."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = key("one")
        self.published = [self.key]
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {"email": "ann@example.org", "email_verified": True}
        self.user_info: dict[str, Any] = {}
        self.alg = "RS256"
        self.answers: dict[str, bytes] = {}
        self.silent_at = ""
        self.calls: list[str] = []
        self._begun: dict[str, dict[str, str]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["Provider"]:
        """On a free port, until the context ends."""
        provider: Provider | None = None

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert provider is not None
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await provider._answer(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            provider = cls(server.sockets[0].getsockname()[1])
            yield provider

    def consent(self, address: str) -> dict[str, str]:
        """What the browser comes back with, when Ann has agreed on the page of that address."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._begun)}"
        self._begun[code] = asked
        return {"code": code, "state": asked["state"]}

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = line.split(" ")[1]
        self.calls.append(path)
        if path == self.silent_at:
            await reader.read()  # until the other side gives up
            return
        writer.write(self.answers.get(path) or self._said(path, headers, body))
        await writer.drain()

    def _said(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        match path:
            case "/.well-known/openid-configuration":
                return ok(self._metadata())
            case "/keys":
                return ok(KeySet(list(self.published)).as_dict(private=False))
            case "/token":
                return self._tokens(headers, {name: values[0] for name, values in parse_qs(body.decode()).items()})
            case "/user-info":
                right = headers.get("authorization") == "Bearer an-access-token"
                return ok(self.user_info) if right else answer(401, b"{}")
        return answer(404, b"")

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/user-info",
            **self.metadata,
        }

    def _tokens(self, headers: Mapping[str, str], form: dict[str, str]) -> bytes:
        if "client_secret_post" in self.metadata.get("token_endpoint_auth_methods_supported", []):
            shown = [form.pop("client_id", ""), form.pop("client_secret", "")]
        else:
            basic = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
            shown = [unquote(part) for part in basic.split(":")]
        if shown != [CLIENT, SECRET]:
            return answer(401, b'{"error":"invalid_client"}')
        begun = self._begun.pop(form["code"], None)
        proof = _base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        if begun is None or proof != begun["code_challenge"] or form["redirect_uri"] != begun["redirect_uri"]:
            return answer(400, b'{"error":"invalid_grant"}')
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "ann-at-work",
            "aud": CLIENT,
            "iat": now,
            "exp": now + _HALF_A_MINUTE,
            "nonce": begun["nonce"],
            **self.claims,
        }
        return ok({"id_token": self._signed(claims), "access_token": "an-access-token", "token_type": "Bearer"})

    def _signed(self, claims: dict[str, Any]) -> str:
        said = {name: value for name, value in claims.items() if value is not None}
        if self.alg in {"none", "HS256"}:  # by hand, for the library makes no such thing
            head = {"alg": self.alg, "kid": self.key.kid}
            text = ".".join(_base64url(json.dumps(part).encode()) for part in (head, said))
            public = self.key.as_pem(private=False)
            signature = hmac.digest(public, text.encode(), "sha256") if self.alg == "HS256" else b""
            return f"{text}.{_base64url(signature)}"
        return jwt.encode({"alg": self.alg, "kid": self.key.kid or ""}, said, self.key)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@functools.cache
def key(kid: str, number: int = 1) -> RSAKey:
    """The so-manieth key of that name, made once: that takes long."""
    del number
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def ok(body: object) -> bytes:
    return answer(200, json.dumps(body).encode())


def answer(status: int, body: bytes, **headers: str) -> bytes:
    fields = {"content-length": str(len(body)), "connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


# --- as others made it ----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def in_a_process() -> AsyncIterator[str]:
    """The issuer of a provider in a process of its own, which knows Ann."""
    claims = {"sub": "ann-at-work", "email": "ann@example.org", "email_verified": True}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--user-claims", json.dumps(claims)),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            found = None
            while found is None:
                line = (await process.stderr.readline()).decode()
                assert line, "the provider ended"
                found = re.search(r"running on (http://127\.0\.0\.1:\d+)", line)
        yield found[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        # Whatever it still says is read, so that it can end.
        await process.communicate()


async def consented(address: str) -> dict[str, str]:
    """What the browser is sent back with, once Ann has agreed on that provider's page."""
    back = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(address)).status_code == 200
        sent_back = await browser.post(address, data={"sub": "ann-at-work"})
    assert sent_back.status_code == 302, sent_back.text
    assert sent_back.headers["location"].startswith(f"{back}?")
    return dict(parse_qsl(urlsplit(sent_back.headers["location"]).query))
