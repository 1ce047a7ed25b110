"""An authenticator in software: it makes passkeys and signs with them as a phone would, and lies where it is told to.

Every byte is made here, by the WebAuthn specification; of the library under test nothing is used.
"""

import base64
import hashlib
import json
import os
from typing import Any, TypedDict, Unpack

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
_FLAGS = PRESENT | VERIFIED


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "===")


class Lies(TypedDict, total=False):
    """What is said instead of the truth."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool
    rp_id: str
    user_handle: bytes
    flags: int


class Authenticator:
    """A device with one passkey of one site, once it has made it."""

    def __init__(self, origin: str, rp_id: str) -> None:
        self.origin = origin
        self.rp_id = rp_id
        self.credential = os.urandom(32)
        self.user_handle = b""
        self.sign_count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: str, **lies: Unpack[Lies]) -> str:
        """The answer to `PublicKeyCredentialCreationOptions`."""
        asked = json.loads(options)
        self.user_handle = bytes_of(asked["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential).to_bytes(2) + self.credential + cbor2.dumps(public_key)
        data = self._data(ATTESTED, lies) + attested
        return self._answer(
            {
                "clientDataJSON": self._client_data("webauthn.create", asked, lies),
                "attestationObject": text_of(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            }
        )

    def get(self, options: str, *, counts: int = 1, **lies: Unpack[Lies]) -> str:
        """The answer to `PublicKeyCredentialRequestOptions`; it counts by so much, or not at all."""
        self.sign_count += counts
        client_data = self._client_data("webauthn.get", json.loads(options), lies)
        data = self._data(0, lies)
        signed = data + hashlib.sha256(bytes_of(client_data)).digest()
        return self._answer(
            {
                "clientDataJSON": client_data,
                "authenticatorData": text_of(data),
                "signature": text_of(self._key.sign(signed, ec.ECDSA(hashes.SHA256()))),
                "userHandle": text_of(lies.get("user_handle", self.user_handle)),
            }
        )

    def _client_data(self, kind: str, asked: dict[str, Any], lies: Lies) -> str:
        said = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", asked["challenge"]),
            "origin": lies.get("origin", self.origin),
            "crossOrigin": lies.get("cross_origin", False),
        }
        return text_of(json.dumps(said).encode())

    def _data(self, more: int, lies: Lies) -> bytes:
        site = hashlib.sha256(lies.get("rp_id", self.rp_id).encode()).digest()
        return site + bytes([lies.get("flags", _FLAGS) | more]) + self.sign_count.to_bytes(4)

    def _answer(self, response: dict[str, str]) -> str:
        id_ = text_of(self.credential)
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response})
