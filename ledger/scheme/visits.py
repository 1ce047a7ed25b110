"""Visits: when somebody would come, as it can be booked: a moment, an occasion of a show, or a course's sessions.

A drop-in or a ticket is booked for a moment, a show for one of its occasions, a course with all of its sessions that
are still to come and can be booked. An occasion that is found here isn't cancelled until the transaction ends: whoever
cancels one waits, and then finds what was booked.

What bounds it: `AHEAD_MAX` ahead, `COURSE_MAX` sessions. Whether the offer is open then is for ``weigh`` to say.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.scheme.clock import LONDON
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.spending import Places
from ledger.scheme.terms import Kind, Offer, open_from

AHEAD_MAX: Final = timedelta(days=366)
# A term of two evenings a week; a transaction of some 20 ms.
COURSE_MAX: Final = 60


class Visit(Struct, frozen=True):
    """When it is; of a show or a course which occasion, with its places if they are limited."""

    at: datetime
    occasion: UUID | None = None
    places: Places | None = None


async def visits_of(
    raw: asyncpg.Connection,
    offer: Offer,
    rules: Rules,
    *,
    at: datetime | None,
    occasion: UUID | None,
    now: datetime,
    notice_given: bool = False,
) -> list[Visit]:
    """Each visit that is wanted; its occasion isn't cancelled until the transaction ends.

    With ``notice_given`` it needn't be as far ahead as the terms ask, for it was booked in time and stays then.
    """
    ahead = 0 if notice_given else offer.terms.ahead_minutes
    if offer.kind is Kind.COURSE:
        _absent("visit_at", at, "a course is booked with all of its sessions")
        _absent("occasion", occasion, "a course is booked with all of its sessions")
        return await _sessions(raw, offer, ahead, now)
    if offer.kind is Kind.SHOW:
        _absent("visit_at", at, "a show is booked by its occasion")
        row = None if occasion is None else await raw.fetchrow(_OCCASION, occasion, offer.id)
        if row is None:
            raise wrong("occasion", "must be one of this show's")
        if row["cancelled_at"] is not None:
            raise Declined(Refusal.OFFER_CLOSED_NOW, "This occasion was cancelled; another may suit.")
        _check_ahead("occasion", row["starts_at"], offer, rules, ahead, now)
        return [_visit(row)]
    _absent("occasion", occasion, "this offer has none: say when in `visit_at`")
    if at is None:
        raise wrong("visit_at", "must say when the visit is")
    _check_ahead("visit_at", at, offer, rules, ahead, now)
    return [Visit(at)]


async def _sessions(raw: asyncpg.Connection, offer: Offer, ahead: int, now: datetime) -> list[Visit]:
    soonest = now + timedelta(minutes=ahead)
    rows = await raw.fetch(_SESSIONS, offer.id, now, soonest, COURSE_MAX + 1)
    if not rows:
        raise Declined(Refusal.OFFER_CLOSED_NOW, "No session of this course can be booked any more.")
    if len(rows) > COURSE_MAX:
        raise Declined(
            Refusal.WRONG_STATE, f"This course has more than {COURSE_MAX} sessions to come: the most for one."
        )
    if rows[-1]["starts_at"] > now + AHEAD_MAX:
        raise Declined(Refusal.WRONG_STATE, f"This course ends more than {AHEAD_MAX.days} days from now.")
    return [_visit(row) for row in rows]


def _visit(row: asyncpg.Record) -> Visit:
    places = None if row["places"] is None else Places(row["id"], row["places"])
    return Visit(row["starts_at"], row["id"], places)


def _check_ahead(  # noqa: PLR0917  # each has its own type
    field: str, at: datetime, offer: Offer, rules: Rules, ahead: int, now: datetime
) -> None:
    """Decline what is too soon or too far to be booked; of what is too soon, when it is open from then on."""
    if at <= now:
        raise wrong(field, "must lie ahead")
    soonest = now + timedelta(minutes=ahead)
    if at < soonest:
        soonest = open_from(offer, rules, soonest) or soonest
        raise wrong(field, f"must be at least {_span(ahead)} ahead: {in_words(soonest)} or later")
    if at > now + AHEAD_MAX:
        raise wrong(field, f"must be at most {AHEAD_MAX.days} days ahead")


def _absent(field: str, value: object, why: str) -> None:
    if value is not None:
        raise wrong(field, f"must be left out: {why}")


def wrong(field: str, message: str) -> Declined:
    """What is to be raised of a value that can't be."""
    return Declined(Refusal.WRONG_VALUES, fields=((field, message),))


def in_words(moment: datetime) -> str:
    """The moment as it is said: "18:00 on Saturday 21 November 2026"."""
    then = moment.astimezone(LONDON)
    return f"{then:%H:%M} on {then:%A} {then.day} {then:%B %Y}"


def _span(minutes: int) -> str:
    """So many minutes as they are said: "2 days", "1 hour", "90 minutes"."""
    length, word = next(unit for unit in _UNITS if minutes % unit[0] == 0)
    return f"{minutes // length} {word}{'' if minutes == length else 's'}"


_UNITS: Final = ((1440, "day"), (60, "hour"), (1, "minute"))
_OCCASION = """
SELECT id, starts_at, places, cancelled_at FROM scheme.occasion WHERE id = $1 AND offer = $2 FOR SHARE
"""
_SESSIONS = """
SELECT id, starts_at, places FROM scheme.occasion
WHERE offer = $1 AND starts_at > $2 AND starts_at >= $3 AND cancelled_at IS NULL
ORDER BY starts_at, id LIMIT $4 FOR SHARE
"""
