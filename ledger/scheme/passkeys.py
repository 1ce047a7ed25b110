"""Passkeys: somebody proves who they are with what they hold, their phone or a security key, and who they are to it.

    begin_adding -> the browser asks the authenticator -> finish_adding: the public key is kept
    begin_sign_in -> likewise, any passkey of this site that it has -> finish_sign_in: whose it is, signed in

Each begins with a challenge (``challenges``): random, of that browser, good for one answer within five minutes. What is
answered must be signed over that challenge, for this origin and this site's id, by somebody whom the authenticator has
verified (a fingerprint, a face, its own PIN); in signing in, by the key that is known under the credential's id, for
the holder whom the authenticator names, with a count above the last one, if it counts at all. Attestation isn't asked
for: who made somebody's phone is nobody's business. ``webauthn`` does the checking.

A passkey is discoverable, always: nobody types who they are, and an address can't be tried for being known.

Somebody's are added, ended and signed in with under the lock on them, and a sign-in begins in the transaction that
checked the answer: so when all of theirs end, none begins just behind it.

What bounds it: `LIVE_MAX` passkeys of somebody, and as many that ended; `RESPONSE_MAX` characters of an answer.

What fails how: whatever doesn't verify is ``not_verified``, in one sentence whatever the reason was; it used up its
challenge, and nothing else was written.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    bytes_to_base64url,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from ledger.database import Database, driver
from ledger.scheme import challenges, one_time, outbox, sign_ins
from ledger.scheme.awards import lock_holders
from ledger.scheme.challenges import Purpose
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Entered, Strength

# A phone, a computer at work, one at home and a key in the drawer; with more nobody knows which is where.
LIVE_MAX: Final = 10
# Browsers send some 2,000; attestation, which isn't asked for, would add a chain of certificates.
RESPONSE_MAX: Final = 16_384
NAME_MAX: Final = 100
_CREDENTIAL_BYTES: Final = range(16, 1024)
_PUBLIC_KEY_BYTES_MAX: Final = 2048
_PROMPT_MILLISECONDS: Final = challenges.LASTS.seconds * 1000
_SITE: Final = "Time Credits"

_Answer = TypeVar("_Answer", RegistrationCredential, AuthenticationCredential)


class Passkey(Struct, frozen=True, kw_only=True):
    """A passkey that works; ``id`` is the authenticator's own for it, in base64url."""

    id: str
    name: str
    made_at: datetime
    used_at: datetime | None


class Passkeys:
    """Adding passkeys, signing in with them, and ending them."""

    def __init__(  # each has its own type
        self, database: Database, clock: Clock, secret: bytes, rp_id: str, origin: str
    ) -> None:
        """``rp_id`` is the site's host name, ``origin`` how its pages' addresses begin: "https://credits.example"."""
        self._database = database
        self._clock = clock
        self._secret = secret
        self._rp_id = rp_id
        self._origin = origin

    # --- adding ------------------------------------------------------------------------------------------

    async def begin_adding(self, holder: UUID, name_to_show: str, browser: str) -> str:
        """What the browser is to ask its authenticator for, as JSON: ``PublicKeyCredentialCreationOptions``.

        ``browser`` is the value of its cookie; ``name_to_show`` is what the authenticator lists the passkey under.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await lock_holders(raw, [holder])
            live = await raw.fetch(_LIVE, holder)
            if len(live) >= LIVE_MAX:
                raise _too_many()
            challenge = await challenges.make(raw, Purpose.ADD, browser, now, holder=holder)
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=_SITE,
            user_id=holder.bytes,
            user_name=name_to_show,
            challenge=challenge,
            timeout=_PROMPT_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=row["credential"]) for row in live],
        )
        return options_to_json(options)

    async def finish_adding(self, holder: UUID, browser: str, response: str, name: str) -> Passkey:
        """Keep the passkey that the authenticator made, by the browser's JSON, under that name of the person's own."""
        made, _ = await self._finish_adding(holder, browser, response, name, invitation=None)
        return made

    async def finish_invited(  # each has its own type
        self, holder: UUID, browser: str, response: str, name: str, invitation: str
    ) -> Entered:
        """The same for somebody who isn't in yet, by the link of an invitation (``one_time``); and sign them in.

        The link is used up with it. Whichever way a passkey is added, all other invitations end.
        """
        _, entered = await self._finish_adding(holder, browser, response, name, invitation=invitation)
        assert entered is not None, "who is invited comes in"
        return entered

    async def _finish_adding(
        self, holder: UUID, browser: str, response: str, name: str, *, invitation: str | None
    ) -> tuple[Passkey, Entered | None]:
        _check_name(name)
        now = self._clock()
        entered: Entered | None = None
        answer = _read(response, parse_registration_credential_json)
        declined: Declined | None = None
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await lock_holders(raw, [holder])
            challenge = await _taken(raw, Purpose.ADD, browser, now, answer, holder)
            made = None if challenge is None or answer is None else self._made(answer, challenge)
            if made is None:
                declined = Declined(Refusal.NOT_VERIFIED, "This passkey could not be checked: please start again.")
            elif len(await raw.fetch(_LIVE, holder)) >= LIVE_MAX:
                declined = _too_many()
            elif not await raw.fetchval(
                _ADD, made.credential_id, holder, made.credential_public_key, made.sign_count, name, now, LIVE_MAX
            ):
                declined = Declined(Refusal.WRONG_STATE, "This passkey was added before.")
            else:
                if invitation is not None:
                    good = await one_time.take(raw, invitation, browser, one_time.Purpose.PASSKEY, now)
                    if good.holder != holder:
                        raise Declined(Refusal.LINK_USED)
                    entered = await sign_ins.enter(raw, Strength.PASSKEY, now, holder)
                await one_time.end_invitations(raw, holder, now)
                await outbox.put(raw, [Event(topic=Topic.PASSKEY_ADDED, holder=holder)], now)
        # Behind the transaction, which has used up the challenge.
        if declined is not None or made is None:
            raise declined or AssertionError("what is made or declined")
        return Passkey(id=bytes_to_base64url(made.credential_id), name=name, made_at=now, used_at=None), entered

    def _made(self, answer: RegistrationCredential, challenge: bytes) -> VerifiedRegistration | None:
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001  # of bytes from outside, which break its parsers in more ways than it names
            return None
        fits = len(made.credential_id) in _CREDENTIAL_BYTES and len(made.credential_public_key) <= _PUBLIC_KEY_BYTES_MAX
        return made if fits else None

    # --- signing in --------------------------------------------------------------------------------------

    async def begin_sign_in(self, browser: str, network: str) -> str:
        """What the browser is to ask its authenticator for, as JSON: ``PublicKeyCredentialRequestOptions``.

        ``network`` is the address that it asks from.
        """
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await challenges.asked(raw, self._secret, network, now)
            challenge = await challenges.make(raw, Purpose.SIGN_IN, browser, now)
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_PROMPT_MILLISECONDS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    async def finish_sign_in(self, browser: str, response: str) -> Entered:
        """Sign in the holder whose passkey signed, by the browser's JSON."""
        now = self._clock()
        answer = _read(response, parse_authentication_credential_json)
        entered: Entered | None = None
        async with self._database.transaction() as connection:
            raw = driver(connection)
            challenge = await _taken(raw, Purpose.SIGN_IN, browser, now, answer, None)
            if challenge is not None and answer is not None:
                # The holder before the passkey, in the order of whatever ends them. Both locked: of two answers with
                # one count the second is told from the first.
                if (whose := await raw.fetchval(_WHOSE, answer.raw_id)) is not None:
                    await raw.execute(_LOCK, whose)
                row = await raw.fetchrow(_KNOWN, answer.raw_id)
                signed = None if row is None else self._signed(answer, challenge, row)
                if row is not None and signed is not None:
                    await raw.execute(_USED, answer.raw_id, signed.new_sign_count, now)
                    entered = await sign_ins.enter(raw, Strength.PASSKEY, now, row["holder"])
        # Behind the transaction, which has used up the challenge.
        if entered is None:
            raise Declined(
                Refusal.NOT_VERIFIED,
                "This passkey is not known here, or could not be checked: please start again, or sign in another way.",
            )
        return entered

    def _signed(
        self, answer: AuthenticationCredential, challenge: bytes, row: asyncpg.Record
    ) -> VerifiedAuthentication | None:
        holder: UUID = row["holder"]
        if answer.response.user_handle != holder.bytes:
            return None
        try:
            return verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=row["public_key"],
                credential_current_sign_count=row["sign_count"],
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001  # the same
            return None

    # --- those that there are ----------------------------------------------------------------------------

    async def list_of(self, holder: UUID) -> Sequence[Passkey]:
        """Somebody's passkeys that work, the oldest first."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_LIVE, holder)
        return [
            Passkey(
                id=bytes_to_base64url(row["credential"]),
                name=row["name"],
                made_at=row["made_at"],
                used_at=row["used_at"],
            )
            for row in rows
        ]

    async def rename(self, holder: UUID, id_: str, name: str) -> None:
        """Call a passkey of the holder's own by another name."""
        _check_name(name)
        async with self._database.transaction() as connection:
            if not await driver(connection).fetchval(_RENAME, _credential(id_), holder, name):
                raise Declined(Refusal.NOT_FOUND)

    async def end(self, holder: UUID, id_: str) -> None:
        """End a passkey of the holder's own, for good; again, and nothing changes.

        The last one too: whoever has a role then signs in another way, or is helped by two of the staff.
        """
        now, credential = self._clock(), _credential(id_)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_THEIRS, credential, holder)
            if row is None:
                raise Declined(Refusal.NOT_FOUND)
            if row["ended_at"] is None:
                await raw.execute(_END, credential, now)
                await outbox.put(raw, [Event(topic=Topic.PASSKEY_ENDED, holder=holder)], now)


async def end_all(raw: asyncpg.Connection, holder: UUID, now: datetime) -> int:
    """End all of the holder's, in the caller's transaction, with whatever is being added; and return how many."""
    await raw.execute("DELETE FROM scheme.challenge WHERE holder = $1", holder)
    return int((await raw.execute(_END_ALL, holder, now)).split()[-1])


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or name.isspace():
        raise Declined(Refusal.WRONG_VALUES, fields=(("name", f"must be a name of at most {NAME_MAX} characters"),))


def _credential(id_: str) -> bytes:
    try:
        return base64url_to_bytes(id_)
    except ValueError:
        raise Declined(Refusal.NOT_FOUND) from None


def _read(response: str, parse: Callable[[str], _Answer]) -> _Answer | None:
    """What the browser sent, if it is of the form; none of it is to be trusted yet."""
    if len(response) > RESPONSE_MAX:
        return None
    try:
        return parse(response)
    except Exception:  # noqa: BLE001  # the same
        return None


async def _taken(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection,
    purpose: Purpose,
    browser: str,
    now: datetime,
    answer: RegistrationCredential | AuthenticationCredential | None,
    holder: UUID | None,
) -> bytes | None:
    """The challenge that is answered, if it is one of ours; from then on it is none."""
    if answer is None:
        return None
    try:
        answered = parse_client_data_json(answer.response.client_data_json)
    except Exception:  # noqa: BLE001  # the same
        return None
    if answered.cross_origin:
        return None
    return await challenges.take(
        raw, purpose, browser, now, holder=holder, is_it=lambda each: each == answered.challenge
    )


def _too_many() -> Declined:
    return Declined(Refusal.WRONG_STATE, f"You have {LIVE_MAX} passkeys already, which is the most: end one first.")


_LIVE = """
SELECT credential, name, made_at, used_at FROM scheme.passkey
WHERE holder = $1 AND ended_at IS NULL ORDER BY made_at, credential
"""
# Of those that ended no more are kept than may be live, so nobody fills the table by adding and ending.
_ADD = """
WITH forgotten AS (
    DELETE FROM scheme.passkey WHERE credential = ANY(ARRAY(
        SELECT credential FROM scheme.passkey WHERE holder = $2 AND ended_at IS NOT NULL
        ORDER BY ended_at DESC, credential OFFSET $7
    ))
)
INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING true
"""
_WHOSE = "SELECT holder FROM scheme.passkey WHERE credential = $1"
_LOCK = "SELECT FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE"
_KNOWN = """
SELECT p.holder, p.public_key, p.sign_count FROM scheme.passkey p JOIN scheme.holder h ON h.id = p.holder
WHERE p.credential = $1 AND p.ended_at IS NULL AND h.person IS NOT NULL
FOR UPDATE OF p
"""
_USED = "UPDATE scheme.passkey SET sign_count = $2, used_at = $3 WHERE credential = $1"
_THEIRS = "SELECT ended_at FROM scheme.passkey WHERE credential = $1 AND holder = $2 FOR UPDATE"
_RENAME = """
UPDATE scheme.passkey SET name = $3 WHERE credential = $1 AND holder = $2 AND ended_at IS NULL RETURNING true
"""
_END = "UPDATE scheme.passkey SET ended_at = $2 WHERE credential = $1"
_END_ALL = "UPDATE scheme.passkey SET ended_at = $2 WHERE holder = $1 AND ended_at IS NULL"
