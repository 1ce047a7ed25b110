"""Kiosks: the tablet at a project's door, where people see what they have and sign in and out by their card.

    a card, or the pass on a phone -> whose is it? (as at a till) -> ``balance``, ``check_in``, ``check_out``

Nothing of a person stays: each verb takes the code anew, and the kiosk's sign-in says only which device it is. A page
that has shown its answer forgets the person by showing the next one.

Whoever stands at it is anybody with a card in their hand. So it tells a first name, what they have, and their sessions
of this project today; and it does nothing but what a coordinator at the door would do for them: it signs them in to a
session of today that isn't over, expected or as long as a place is left, and out again. A kiosk speaks for nobody else,
nor for its project (``Caller.speaks_for``). That it looked stands in the person's acts, with the kiosk as who did: most
often it was themselves, and they are told that their card was shown there, for it may have been in other hands.

A card that is blocked, replaced or over is refused as at a till. A code that is nobody's counts as a wrong try of the
kiosk (``throttle``), once for each key; a locked one looks at none. Vouchers, slips and booking codes are for other
doors, and cost no try. A pass isn't used up by a kiosk, for nothing is spent; and whoever showed one may take their
time: it is judged as of when it was shown (``shown_at``), which the door vouches for, at most `TURN_MAX` ago.

The session is locked first and then the holder, as everywhere: two taps at once sign in once, and the last place is one
person's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts, throttle
from ledger.scheme.answers import Answers
from ledger.scheme.attendances import Presence, come, decline_full, leave, locked, state_of
from ledger.scheme.awards import lock_holders
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.codes import pass_age
from ledger.scheme.directory import Directory
from ledger.scheme.people import first_name
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sessions import Period
from ledger.scheme.terms import No
from ledger.scheme.tills import Code, code_of, is_slip, standing_of

# A project with more sessions in one day has several doors; the rest is for the coordinator's list.
SESSIONS_MAX: Final = 100
# Longer than anybody stands at a door.
TURN_MAX: Final = timedelta(hours=1)


class Today(Struct, frozen=True, kw_only=True):
    """A session of today, to choose from. Without ``places_left``, as many can come as like."""

    session: UUID
    title: str
    started_at: datetime
    ended_at: datetime
    places_left: int | None


class Expected(Struct, frozen=True, kw_only=True):
    """A session of today whose list somebody is on, and whether they are there."""

    session: UUID
    title: str
    started_at: datetime
    ended_at: datetime
    state: Presence


class Holding(Struct, frozen=True, kw_only=True):
    """What somebody sees at a kiosk: their first name, what they have in minutes, and their sessions here today."""

    name: str
    available: int
    held: int
    today: Sequence[Expected]


class Signed(Struct, frozen=True, kw_only=True):
    """Somebody signed in or out; ``minutes`` are those that wait for approval. No ``name``: they were erased since."""

    name: str | None
    session: UUID
    title: str
    state: Presence
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    minutes: int | None


class _CheckIn(Struct, frozen=True, tag="kiosk_check_in", tag_field="operation"):
    session: UUID
    code: str


class _CheckOut(Struct, frozen=True, tag="kiosk_check_out", tag_field="operation"):
    session: UUID
    code: str


class _Done(Struct, frozen=True):
    """What is kept of it: nothing that an erasure must reach."""

    holder: UUID
    state: Presence
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    minutes: int | None


_NOBODYS: Final = No(reason=Refusal.CODE_UNKNOWN, detail="")
_NO_CARD: Final = No(
    reason=Refusal.CODE_UNKNOWN, detail="This is not a card: please use your card, or the pass on your phone."
)
_HAVE_LEFT: Final[Mapping[Presence, str]] = MappingProxyType(
    {
        Presence.CHECKED_OUT: "You have signed out of this already.",
        Presence.AUTO_CLOSED: "This was signed out for you; the coordinator can put it right.",
        Presence.CONFIRMED: "Your hours for this are written down already.",
    }
)


class Kiosks:
    """What can be done at a project's kiosk."""

    def __init__(self, database: Database, directory: Directory, clock: Clock) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._answers = Answers(database, clock)

    async def today(self, caller: Caller) -> Sequence[Today]:
        """The project's sessions of today, by time, but for those that were cancelled."""
        now = self._clock()
        project = _project(caller)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_TODAY, project, *_day(now), SESSIONS_MAX)
        return [
            Today(
                session=row["id"],
                title=row["title"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                places_left=None if row["places"] is None else max(row["places"] - row["taken"], 0),
            )
            for row in rows
        ]

    async def balance(self, caller: Caller, typed: str, *, shown_at: datetime | None = None) -> Holding:
        """What whoever shows this card has, and their sessions of this project today. They can see that it looked."""
        now = self._clock()
        project, _, whose = await self._look(caller, typed, now, shown_at)
        if isinstance(whose, No):
            if whose is _NOBODYS:
                await self._count_wrong(caller, now)
            raise _declined(whose)
        async with self._database.transaction() as connection:
            raw = driver(connection)
            name = await raw.fetchval(_NAME, whose)
            if name is None:
                raise _declined(_NOBODYS)
            await acts.record(raw, caller, whose, "balance_read", None, now)
            wallet, held = account("wallet", whose), account("held", whose)
            found = await reading.balances(raw, [wallet, held])
            rows = await raw.fetch(_EXPECTED, whose, project, *_day(now), SESSIONS_MAX)
        return Holding(
            name=first_name(name),
            available=found[wallet],
            held=found[held],
            today=[
                Expected(
                    session=row["id"],
                    title=row["title"],
                    started_at=row["started_at"],
                    ended_at=row["ended_at"],
                    state=Presence(row["state"]),
                )
                for row in rows
            ],
        )

    async def check_in(
        self, caller: Caller, key: str, typed: str, session: UUID, *, shown_at: datetime | None = None
    ) -> tuple[Signed, bool]:
        """Sign whoever shows this card in to a session of today; and whether this is the replay of an answer."""
        return await self._sign(caller, key, typed, session, _CheckIn, shown_at)

    async def check_out(
        self, caller: Caller, key: str, typed: str, session: UUID, *, shown_at: datetime | None = None
    ) -> tuple[Signed, bool]:
        """Sign them out of it, and claim their hours; likewise."""
        return await self._sign(caller, key, typed, session, _CheckOut, shown_at)

    async def _sign(  # noqa: PLR0917  # each has its own type
        self,
        caller: Caller,
        key: str,
        typed: str,
        session: UUID,
        verb: type[_CheckIn | _CheckOut],
        shown_at: datetime | None,
    ) -> tuple[Signed, bool]:
        project, code, whose = await self._look(caller, typed, self._clock(), shown_at)

        async def work(raw: asyncpg.Connection, now: datetime) -> _Done:
            if isinstance(whose, No):
                raise _declined(whose)
            row = await locked(raw, session)
            first, after = _day(now)
            if row["project"] != project or not (row["started_at"] < after and row["ended_at"] >= first):
                raise Declined(Refusal.NOT_FOUND, "There is no such session here today.")
            await lock_holders(raw, [whose])
            was = await state_of(raw, session, whose)
            if verb is _CheckIn:
                await _decline_in(raw, row, was, now)
                done = await come(raw, caller, row, whose, None, now)
            else:
                _decline_out(was)
                done = await leave(raw, caller, row, whose, None, now)
            return _Done(whose, done.state, done.checked_in_at, done.checked_out_at, done.minutes)

        try:
            done, replayed = await self._answers.once(caller, key, verb(session, code.tag), work, _Done)
        except Declined as declined:
            if whose is _NOBODYS and declined.reason is Refusal.CODE_UNKNOWN and not declined.replayed:
                await self._count_wrong(caller, self._clock())
            raise
        async with self._database.reading() as connection:
            raw = driver(connection)
            name, title = await raw.fetchval(_NAME, done.holder), await raw.fetchval(_TITLE, session)
        signed = Signed(
            name=None if name is None else first_name(name),
            session=session,
            title=title,
            state=done.state,
            checked_in_at=done.checked_in_at,
            checked_out_at=done.checked_out_at,
            minutes=done.minutes,
        )
        return signed, replayed

    async def _look(
        self, caller: Caller, typed: str, now: datetime, shown_at: datetime | None
    ) -> tuple[UUID, Code, UUID | No]:
        """The kiosk's project, the code, and the holder whose card or pass it is, or why it is taken no more."""
        project = _project(caller)
        if caller.locked_until is not None and caller.locked_until > now:
            raise Declined(Refusal.TRY_AGAIN, works_at=caller.locked_until)
        code = code_of(self._directory.secret, typed)
        found = await self._directory.find(code=code.lookup)
        shown, rules = found.shown, found.rules
        if shown is None:
            return project, code, await self._unknown(code)
        if shown.kind not in {"card", "pass"}:
            return project, code, _NO_CARD
        if shown.holder is None:
            return project, code, _NOBODYS
        if shown.kind == "pass":
            secret, at = self._directory.secret, now if shown_at is None else max(shown_at, now - TURN_MAX)
            step = pass_age(secret, shown.id, code.mac, at, rules.pass_seconds, rules.pass_steps_tolerated)
            if step is None:
                return project, code, _NOBODYS
            if step == "stale":
                return project, code, No(reason=Refusal.CODE_STALE, detail="")
        return project, code, standing_of(shown, now) or shown.holder

    async def _unknown(self, code: Code) -> No:
        """What is said of a code that no credential has."""
        if isinstance(code.lookup, bytes):
            async with self._database.reading() as connection:
                if await is_slip(driver(connection), code.lookup):
                    return _NO_CARD
        return _NOBODYS

    async def _count_wrong(self, caller: Caller, now: datetime) -> None:
        assert caller.device is not None, "only kiosks ask"
        async with self._database.transaction() as connection:
            await throttle.wrong(driver(connection), caller.device, None, now)


def _project(caller: Caller) -> UUID:
    """The project at whose kiosk the caller stands. Declines what is no kiosk, a coordinator too."""
    if caller.scope is not Scope.PROJECT or caller.device is None or caller.object is None:
        raise Declined(Refusal.DEVICE_NOT_ALLOWED, "This is for an enrolled kiosk of a project.")
    return caller.object


def _declined(no: No) -> Declined:
    return Declined(no.reason, no.detail)


def _day(now: datetime) -> tuple[datetime, datetime]:
    """From when to when today is, in London."""
    today = day_of(now)
    first, after = Period(first=today, last=today).bounds
    assert first is not None, "it has a first day"
    assert after is not None, "and a last"
    return first, after


async def _decline_in(raw: asyncpg.Connection, row: asyncpg.Record, was: Presence | None, now: datetime) -> None:
    """Decline who has left, what is over, and who isn't expected where no place is left."""
    if was is Presence.CHECKED_IN:
        return
    if was is not None and was in _HAVE_LEFT:
        raise Declined(Refusal.WRONG_STATE, _HAVE_LEFT[was])
    if row["cancelled_at"] is None and row["ended_at"] <= now:
        raise Declined(Refusal.WRONG_STATE, "This session is over.")
    if was is not Presence.EXPECTED:
        await decline_full(raw, row)


def _decline_out(was: Presence | None) -> None:
    if was in {None, Presence.EXPECTED, Presence.ABSENT}:
        raise Declined(Refusal.WRONG_STATE, "You haven't signed in to this yet.")
    if was is Presence.AUTO_CLOSED or was is Presence.CONFIRMED:
        raise Declined(Refusal.WRONG_STATE, _HAVE_LEFT[was])


# Who was erased has no name, and isn't there.
_NAME = "SELECT p.name FROM scheme.holder h JOIN scheme.person p ON p.id = h.person WHERE h.id = $1"
_TITLE = """
SELECT coalesce(o.title, p.alias)
FROM scheme.session s
JOIN scheme.project p ON p.id = s.project
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.id = $1
"""
# None is longer than a day, and so the past is passed over by index. What isn't an opportunity's is called by the
# project's alias, for others may be looking on.
_TODAY = """
SELECT s.id, coalesce(o.title, p.alias) AS title, s.started_at, s.ended_at, o.places,
    (SELECT count(*) FROM scheme.attendance a WHERE a.session = s.id AND a.state <> 'absent') AS taken
FROM scheme.session s
JOIN scheme.project p ON p.id = s.project
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.project = $1 AND s.started_at >= $2::timestamptz - interval '24 hours' AND s.started_at < $3
    AND s.ended_at >= $2 AND s.cancelled_at IS NULL
ORDER BY s.started_at, s.id
LIMIT $4
"""
_EXPECTED = """
SELECT s.id, coalesce(o.title, p.alias) AS title, s.started_at, s.ended_at, a.state
FROM scheme.session s
JOIN scheme.attendance a ON a.session = s.id AND a.holder = $1 AND a.state <> 'absent'
JOIN scheme.project p ON p.id = s.project
LEFT JOIN scheme.opportunity o ON o.id = s.opportunity
WHERE s.project = $2 AND s.started_at >= $3::timestamptz - interval '24 hours' AND s.started_at < $4
    AND s.ended_at >= $3 AND s.cancelled_at IS NULL
ORDER BY s.started_at, s.id
LIMIT $5
"""
