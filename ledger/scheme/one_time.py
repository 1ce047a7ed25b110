"""One-time links and codes: somebody shows by their mailbox, or by staff who know them, that they are who they say.

    ask -> a letter: a link, and a code to type where that can't be opened -> use_link or use_code: a sign-in begins
    invite (staff) -> a link, by letter or, without an address, shown to staff -> take: once, a day, for a first passkey

**Whether an address is known can't be told.** ``ask`` does the same for every address: it counts, and returns. Only
then, apart from the request, the people of that address are looked for and written to; `settled` waits for that. What
was asked for in a process that is killed at that moment is lost, and asked for again. A code that is wrong gets the
same answer, by the same statements, whether any had been sent or not.

A link has 128 random bits, a code 50; of both only hashes are kept. They hold in the browser that asked, which is
known by 128 random bits in a cookie of its own: so a link that somebody else asked for, or that a scanner of mail
opened, signs nobody in.

**Why 50 bits are enough for the code.** Code and cookie open together, 178 bits: who reads the letter and hasn't the
browser has nothing, as with the link. So only somebody who asks, in a browser of their own, for another's letter can
guess; they have `TRIES` for each letter that they ask for. (A right code of their own lets them begin anew, and was a
letter, too.) Of 2^50 = 1.1 x 10^15 codes, one mailbox has 5 tries x `LETTERS_TO` an hour against it, from however many
networks, each at up to `PEOPLE_MAX` good codes: one success in 5 x 10^8 years. Against all mailboxes a network has 5 x
`LETTERS_FROM` an hour: a million networks wait for some 860 years.

Looking at a link (`look`) never uses it up. Whatever is wrong with one, the answer is `link_used`. The sign-in begins
in the transaction that uses it up, under the lock on whose it is: so none begins just behind an end of all of them.

**An invitation is for the first time.** One of the staff is enough to let somebody in who never was in by a passkey or
their organisation; who was, gets another by two (``recoveries``), or adds it themselves. It is never for whoever
invites. The link goes to the person's own address; only where there is no safe one is it told to staff, for the person
beside them. It ends when they come in another way first.

What bounds it: `LETTERS_TO` and `LETTERS_FROM`, counted for each hour of the clock (``attempts``); `PEOPLE_MAX` letters
for an address; `WRITING_MAX` requests whose letters aren't written yet; `TRIES` codes in a browser that asked, right
ones not counted, where it didn't ask none is looked at; `INVITED_A_DAY`. What is over is deleted within the hour. Staff
hear of many wrong codes (``throttle``).

An address that staff know not to be safe gets nothing. Somebody who is erased loses what was sent, at once.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import structlog
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts, attempts, letters, sign_ins, throttle
from ledger.scheme.answers import Answers
from ledger.scheme.attempts import What
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.codes import code_for, code_hash, read_code
from ledger.scheme.letters import Say, Words, english
from ledger.scheme.refusals import OUTAGES, Declined, Refusal
from ledger.scheme.sign_ins import Entered, Strength

LASTS: Final = timedelta(minutes=10)
INVITATION_LASTS: Final = timedelta(hours=24)
# Five tries are enough for whoever looks in the wrong mailbox first, and no flood for whoever didn't ask.
LETTERS_TO: Final = 5
# A library's computers share one address.
LETTERS_FROM: Final = 30
# A family, or a hostel, may share a mailbox.
PEOPLE_MAX: Final = 10
# For whoever misreads it twice; the sum is at the top. A slip of the finger costs no try.
TRIES: Final = 5
# Each is written within some 10 ms: the last waits for a second.
WRITING_MAX: Final = 100
INVITED_A_DAY: Final = 10
_LINK_BYTES: Final = 16
_FORGOTTEN_AT_ONCE: Final = 500


class Purpose(StrEnum):
    """What a link is for."""

    SIGN_IN = "sign_in"
    PASSKEY = "passkey"


class Good(Struct, frozen=True, kw_only=True):
    """A link that can be used now: what for, by whom, until when."""

    purpose: Purpose
    holder: UUID
    ends_at: datetime


class Invitation(Struct, frozen=True):
    """What is kept of an invitation: no link. ``written`` is whether a letter goes out."""

    id: UUID
    ends_at: datetime
    written: bool


class Invited(Struct, frozen=True, kw_only=True):
    """An invitation, and whether a letter goes out; only if not, ``link`` is for the person beside staff."""

    link: str | None
    ends_at: datetime
    written: bool

    def __repr__(self) -> str:
        """Without the link, which has no place in a log."""
        return f"Invited(ends_at={self.ends_at!r}, written={self.written!r})"


class _Invite(Struct, frozen=True, kw_only=True, tag="invite", tag_field="operation"):
    person: UUID


class OneTime:
    """Sending links and codes, and using them. ``say`` has the letters' words in other languages."""

    def __init__(self, database: Database, clock: Clock, secret: bytes, say: Say = english) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret
        self._say = say
        self._answers = Answers(database, clock)
        self._writing: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    # --- signing in by letter ----------------------------------------------------------------------------

    async def ask(self, email: str, browser: str, *, network: str, address_of_link: str) -> None:
        """Have whoever has that address written to, if anybody has; says nothing of it.

        ``browser`` is the value of the asking browser's cookie, ``network`` the address that it asks from, and
        ``address_of_link`` what the links begin with: the service's own.
        """
        assert browser, "a browser without a value could be any"
        if len(self._writing) >= WRITING_MAX:
            raise Declined(Refusal.BUSY)
        now, email = self._clock(), email.strip()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            # The network first, in every process, so that none waits for another in a circle; and whoever asks too
            # often from there uses up nobody's letters.
            here, whom = attempts.network(network), email.lower()
            heard = await attempts.heard(raw, self._secret, What.LETTER_FROM, here, LETTERS_FROM, now)
            if heard:
                await attempts.open_try(raw, _hash(browser), now)
                heard = await attempts.heard(raw, self._secret, What.LETTER_TO, whom, LETTERS_TO, now)
        if not heard:
            return
        writing = asyncio.create_task(self._write(email, browser, address_of_link, now), name="letters")
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def settled(self) -> None:
        """Return when all that was asked for before is written."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def _write(self, email: str, browser: str, address: str, now: datetime) -> None:
        """A letter for each person of that address. Raises nothing, for nobody waits."""
        log = structlog.get_logger(__name__)
        try:
            # One after the other, so that a flood has one connection of the pool.
            async with self._turn, self._database.transaction() as connection:
                raw = driver(connection)
                for row in await raw.fetch(_PEOPLE, email, PEOPLE_MAX):
                    id_, link, ends_at = uuid4(), _text(secrets.token_bytes(_LINK_BYTES)), now + LASTS
                    # Of random bits, so that not even the scheme's secret makes it anew.
                    code = code_for(secrets.token_bytes(), "one_time", id_)
                    hashes = _hash(link), code_hash(self._secret, code), _hash(browser)
                    await raw.execute(_MAKE, id_, Purpose.SIGN_IN.value, row["holder"], *hashes, now, ends_at)
                    words = sign_in_letter(partial(self._say, row["language"]), row["name"], _url(address, link), code)
                    await letters.write(raw, row["holder"], row["email"], words, ends_at, now)
        except tuple(OUTAGES) as error:
            log.warning("a letter could not be written", error=repr(error))
        except Exception:  # whoever asked asks again, and this is to be noticed
            log.exception("writing a letter failed")

    # --- using them --------------------------------------------------------------------------------------

    async def look(self, link: str, browser: str | None) -> Good | None:
        """What the link is good for in that browser; None if it was used or is over, or isn't this browser's."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(_GOOD, *_presented(link, browser), self._clock())
        return None if row is None else _good(row)

    async def use_link(self, link: str, browser: str | None, *, shared: bool = False) -> Entered:
        """Sign in whose link it is, and use it up; or decline it. ``shared``: others use this computer."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            row = await raw.fetchrow(_GOOD, *_presented(link, browser), now)
            if row is not None:
                await lock_holders(raw, [row["holder"]])
            good = await take(raw, link, browser, Purpose.SIGN_IN, now)
            return await sign_ins.enter(raw, Strength.LINK, now, good.holder, shared=shared)

    async def use_code(self, code: str, browser: str | None, *, shared: bool = False) -> Entered:
        """Sign in by a code likewise. Declines one that was mistyped by naming the field."""
        typed = read_code(code)
        if typed is None:
            raise Declined(Refusal.WRONG_VALUES, fields=(("code", "was mistyped: please look at it again"),))
        entered: Entered | None = None
        now, here = self._clock(), _hash(browser or "")
        async with self._database.transaction() as connection:
            raw = driver(connection)
            # Counted first, so that of many at once each waits for its turn; and where nothing was sent, as anywhere.
            tries = await attempts.tried(raw, here, now)
            hashed = code_hash(self._secret, typed)
            if tries is not None and tries <= TRIES and (found := await raw.fetchrow(_BY_CODE, here, hashed, now)):
                await lock_holders(raw, [found["holder"]])
                if await raw.fetchval(_USE, found["id"], now):
                    await raw.execute(_CONTACT_USED, found["holder"], now)
                    await attempts.succeeded(raw, here)
                    entered = await sign_ins.enter(raw, Strength.LINK, now, found["holder"], shared=shared)
            flood = entered is None and await throttle.wrong_sign_in(raw, now)
        # Behind the transaction, which keeps the counts.
        if entered is not None:
            return entered
        if flood or (tries is not None and tries > TRIES):
            raise Declined(
                Refusal.TRY_AGAIN, "Several codes were wrong: please open the link in our email, or try in an hour."
            )
        raise Declined(
            Refusal.LINK_USED, "This code is not in our newest email to you, was used, or is over: ask for another."
        )

    # --- invitations -------------------------------------------------------------------------------------

    async def invite(self, caller: Caller, key: str, person: UUID, *, address_of_link: str) -> tuple[Invited, bool]:
        """A link with which that person makes a first passkey; and whether this is the replay of an answer. For staff.

        An earlier one ends. Declines whoever invites themselves, and somebody who came in surely before.
        """

        async def work(raw: asyncpg.Connection, now: datetime) -> Invitation:
            if caller.scope is not Scope.SCHEME:
                raise Declined(Refusal.STAFF_ONLY)
            holder = await raw.fetchval(_LOCK, person)
            if holder is not None and holder == caller.holder:
                raise Declined(Refusal.WRONG_STATE, "You add a passkey of your own on the page of your sign-ins.")
            if holder is not None and await sign_ins.was_sure(raw, holder):
                raise Declined(
                    Refusal.WRONG_STATE,
                    "They had a sure way to sign in before. Another takes two of the staff: say that they lost it.",
                )
            return await invitation(raw, self._secret, caller, person, address_of_link, now, self._say)

        made, replayed = await self._answers.once(caller, key, _Invite(person=person), work, Invitation)
        link = None if made.written else _url(address_of_link, invitation_link(self._secret, made.id))
        return Invited(link=link, ends_at=made.ends_at, written=made.written), replayed


async def take(raw: asyncpg.Connection, link: str, browser: str | None, purpose: Purpose, now: datetime) -> Good:
    """Use up a link of that purpose in the caller's transaction, or decline it."""
    row = await raw.fetchrow(_TAKE, *_presented(link, browser), now, purpose.value)
    if row is None:
        raise Declined(Refusal.LINK_USED)
    await raw.execute(_CONTACT_USED, row["holder"], now)
    return _good(row)


async def invitation(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection,
    secret: bytes,
    caller: Caller,
    person: UUID,
    address: str,
    now: datetime,
    say: Say = english,
) -> Invitation:
    """Invite somebody to make a passkey, in the caller's transaction, who has seen to it that they may."""
    # Their holder is locked, so that they aren't erased meanwhile, and one is invited after the other.
    row = await raw.fetchrow(_PERSON, person)
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    holder, email = row["holder"], row["email"]
    if await raw.fetchval(_INVITED_SINCE, holder, now - INVITATION_LASTS) >= INVITED_A_DAY:
        raise Declined(
            Refusal.WRONG_STATE, f"They were invited {INVITED_A_DAY} times within a day: please try again tomorrow."
        )
    await end_invitations(raw, holder, now)
    made = Invitation(uuid4(), now + INVITATION_LASTS, written=email is not None)
    link = invitation_link(secret, made.id)
    await raw.execute(_MAKE, made.id, Purpose.PASSKEY.value, holder, _hash(link), None, None, now, made.ends_at)
    if email is not None:
        words = invitation_letter(partial(say, row["language"]), row["name"], _url(address, link))
        await letters.write(raw, holder, email, words, made.ends_at, now)
        await raw.execute(_CONTACT_USED, holder, now)
    await acts.record(raw, caller, holder, "passkey_invited", made.id, now)
    return made


def invitation_link(secret: bytes, id_: UUID) -> str:
    """The link of that invitation: made anew from the scheme's secret, so that a replay can tell it."""
    return _text(hmac.digest(secret, b"invitation\0" + id_.bytes, hashlib.sha256)[:_LINK_BYTES])


async def end_invitations(raw: asyncpg.Connection, holder: UUID, now: datetime) -> None:
    """End what invites that holder, in the caller's transaction: they came in, or are invited anew."""
    await raw.execute(_END_INVITATIONS, holder, now)


async def forget(raw: asyncpg.Connection, now: datetime) -> int:
    """Delete some of what is over and some counts of a day ago, and return how many they were."""
    over = (await raw.execute(_FORGET, now, _FORGOTTEN_AT_ONCE)).split()[-1]
    return int(over) + await attempts.forget(raw, now)


# --- the letters --------------------------------------------------------------------------------------------


def sign_in_letter(_: Callable[[str], str], name: str, link: str, code: str) -> Words:
    """What somebody is written who asked to sign in."""
    body = _(
        "Hello {name},\n"
        "\n"
        "Open this link to sign in to Time Credits:\n"
        "\n"
        "{link}\n"
        "\n"
        "Or type this code on the page where you asked for it:\n"
        "\n"
        "{code}\n"
        "\n"
        "They work once, for 10 minutes, in the browser where you asked.\n"
        "\n"
        "Please keep them to yourself: we never ask for your code.\n"
        "If you did not ask to sign in, you need do nothing.\n"
        "\n"
        "With thanks,\n"
        "Time Credits\n"
    )
    return Words(_("Your link to sign in"), body.format(name=name, link=link, code=code))


def invitation_letter(_: Callable[[str], str], name: str, link: str) -> Words:
    """What somebody is written whom staff invite to make a passkey."""
    body = _(
        "Hello {name},\n"
        "\n"
        "With this link you can set up a new way to sign in to Time Credits: a passkey. "
        "It uses the lock of your phone or computer, so there is no password to remember.\n"
        "\n"
        "{link}\n"
        "\n"
        "The link works once, for 24 hours. Please open it on the phone or computer that you will sign in with, "
        "and keep it to yourself.\n"
        "\n"
        "If you did not expect this email, please ask the office before you open the link.\n"
        "\n"
        "With thanks,\n"
        "Time Credits\n"
    )
    return Words(_("Set up your passkey"), body.format(name=name, link=link))


def _good(row: asyncpg.Record) -> Good:
    return Good(purpose=Purpose(row["purpose"]), holder=row["holder"], ends_at=row["ends_at"])


def _url(address: str, link: str) -> str:
    return f"{address}/sign-in/{link}"


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _presented(link: str, browser: str | None) -> tuple[bytes, bytes]:
    return _hash(link), _hash(browser or "")


# In the order of holders' locks everywhere. Of one who is being erased, it waits for the end, and then finds nobody.
_PEOPLE = """
SELECT h.id AS holder, p.name, c.email, coalesce(f.language, 'en') AS language
FROM scheme.contact c
JOIN scheme.person p ON p.id = c.person
JOIN scheme.holder h ON h.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE lower(c.email) = lower($1) AND c.safe IS NOT FALSE
ORDER BY h.id LIMIT $2
FOR SHARE OF h
"""
_PERSON = """
SELECT h.id AS holder, p.name, CASE WHEN c.safe IS NOT FALSE THEN c.email END AS email,
    coalesce(f.language, 'en') AS language
FROM scheme.person p
JOIN scheme.holder h ON h.person = p.id
LEFT JOIN scheme.contact c ON c.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE p.id = $1
FOR NO KEY UPDATE OF h
"""
_MAKE = """
INSERT INTO scheme.one_time (id, purpose, holder, link_hash, code_hash, browser_hash, made_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_GOOD = """
SELECT purpose, holder, ends_at FROM scheme.one_time
WHERE link_hash = $1 AND (browser_hash IS NULL OR browser_hash = $2) AND used_at IS NULL AND ends_at > $3
"""
# Of two at once the second waits, and then finds it used.
_TAKE = """
UPDATE scheme.one_time SET used_at = $3
WHERE link_hash = $1 AND (browser_hash IS NULL OR browser_hash = $2) AND used_at IS NULL AND ends_at > $3
    AND purpose = $4
RETURNING purpose, holder, ends_at
"""
_BY_CODE = """
SELECT id, holder FROM scheme.one_time
WHERE browser_hash = $1 AND code_hash = $2 AND used_at IS NULL AND ends_at > $3
"""
# Likewise.
_USE = "UPDATE scheme.one_time SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING true"
_LOCK = "SELECT id FROM scheme.holder WHERE person = $1 FOR NO KEY UPDATE"
_INVITED_SINCE = "SELECT count(*) FROM scheme.one_time WHERE holder = $1 AND made_at > $2 AND purpose = 'passkey'"
_END_INVITATIONS = """
UPDATE scheme.one_time SET used_at = $2 WHERE holder = $1 AND purpose = 'passkey' AND used_at IS NULL
"""
_CONTACT_USED = """
UPDATE scheme.contact SET used_at = $2 WHERE person = (SELECT person FROM scheme.holder WHERE id = $1)
"""
_FORGET = """
DELETE FROM scheme.one_time WHERE id = ANY(ARRAY(SELECT id FROM scheme.one_time WHERE ends_at <= $1 LIMIT $2))
"""
