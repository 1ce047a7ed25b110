"""Every "no" of the scheme: one enum, one table, and the exception that carries it to whoever renders it.

The table gives each its HTTP status, a sentence for the staff, a sentence for the visitor, and whether sending the same
again can help; by that alone the command line tells its exit codes 1 and 3 apart. Doors only render. No sentence blames
anybody, or tells of a balance, a project or another person's affairs. What is known of the very case stands in the
exception; ``to_visitor`` says what of it the visitor hears, so that nobody is told to ask what the screen shows.

The journal's own reasons come in through ``settled``, failures of the database through ``OUTAGES``.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import asyncpg
from sqlalchemy import exc

from ledger.database import CommitUnknown
from ledger.journal.batcher import QueueFull, Unavailable
from ledger.journal.entries import Failed, Outcome, Posted, Reason, Refused, Transfer
from ledger.scheme.clock import LONDON


class Refusal(StrEnum):
    """Why the scheme said no."""

    # A redemption
    INSUFFICIENT_CREDITS = "insufficient_credits"
    CODE_UNKNOWN = "code_unknown"
    CODE_STALE = "code_stale"
    CARD_BLOCKED = "card_blocked"
    CARD_REPLACED = "card_replaced"
    CARD_EXPIRED = "card_expired"
    ALREADY_USED = "already_used"
    OFFER_CLOSED_NOW = "offer_closed_now"
    QUOTA_FULL = "quota_full"
    VISIT_LIMIT = "visit_limit"
    PARTY_RULE = "party_rule"
    AGE_RULE = "age_rule"
    NOT_ELIGIBLE = "not_eligible"
    BOOKING_NEEDED = "booking_needed"
    NAME_CHECK_NEEDED = "name_check_needed"
    DEVICE_NOT_ALLOWED = "device_not_allowed"
    VENUE_PAUSED = "venue_paused"
    OFFLINE_LIMIT = "offline_limit"
    TRY_AGAIN = "try_again"
    # A gift
    GIFT_LIMIT = "gift_limit"
    # What follows one
    ALREADY_RESOLVED = "already_resolved"
    EXCEEDS_HOLD = "exceeds_hold"
    NOT_CAPTURED = "not_captured"
    EXCEEDS_CAPTURE = "exceeds_capture"
    ALREADY_REFUNDED = "already_refunded"
    # Hours
    OVERLAPPING_SESSION = "overlapping_session"
    PROJECT_NOT_ACTIVE = "project_not_active"
    OWN_HOURS = "own_hours"
    SAME_APPROVER = "same_approver"
    NEEDS_A_LOOK = "needs_a_look"
    CONSENT_NEEDED = "consent_needed"
    PLACES_FULL = "places_full"
    SENT_BEFORE = "sent_before"
    ALREADY_REVERSED = "already_reversed"
    # Any request
    WRONG_VALUES = "wrong_values"
    WRONG_STATE = "wrong_state"
    STAFF_ONLY = "staff_only"
    LINK_USED = "link_used"
    NOT_VERIFIED = "not_verified"
    NOT_FOUND = "not_found"
    KEY_REUSED = "key_reused"
    # The service
    UNKNOWN = "unknown"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


class Row(NamedTuple):
    """What follows from a refusal."""

    status: int
    staff: str
    visitor: str
    retry_after: int | None = None
    """Seconds after which the same request, with the same key, may fare better; None where it can't."""


TABLE: Final[Mapping[Refusal, Row]] = MappingProxyType(
    {
        Refusal.INSUFFICIENT_CREDITS: Row(
            409,
            "There are not enough credits available for this",
            "This needs more credits than you have just now; nothing was taken.",
        ),
        Refusal.CODE_UNKNOWN: Row(
            409,
            "This code is not known: please read it once more",
            "We could not find this code; please try it once more or ask for help.",
        ),
        Refusal.CODE_STALE: Row(
            409,
            "This code has moved on: please scan the one on the phone now",
            "The code on your phone changes now and then; the one on your screen now will work.",
        ),
        Refusal.CARD_BLOCKED: Row(
            409,
            "This card is resting: the desk can help",
            "This card is resting at the moment; the desk can help, and your credits are safe.",
        ),
        Refusal.CARD_REPLACED: Row(
            409,
            "This card was replaced by a newer one",
            "There is a newer card than this one, and your credits are on it.",
        ),
        Refusal.CARD_EXPIRED: Row(
            409,
            "This card or code has reached its end date: the desk can help",
            "This has reached its end date; the desk can help.",
        ),
        Refusal.OFFER_CLOSED_NOW: Row(
            409,
            "This offer is not open then",
            "This offer is not open then; please ask when it is.",
        ),
        Refusal.QUOTA_FULL: Row(
            409,
            "All places for credits are taken for this time",
            "All places for credits are taken for this time; another may suit as well.",
        ),
        Refusal.VISIT_LIMIT: Row(
            409,
            "This is more than can be used for one visit, or in this time",
            "This is more than can be used for now; less may work, or another day.",
        ),
        Refusal.PARTY_RULE: Row(
            409,
            "This offer is for another size or mix of group",
            "This offer is for another size or mix of group; please ask what works.",
        ),
        Refusal.AGE_RULE: Row(
            409,
            "This offer is for another age",
            "This offer is for another age; please ask what else there is.",
        ),
        Refusal.NOT_ELIGIBLE: Row(
            409,
            "This offer asks for one more step first: the office can help",
            "This offer asks for one more step first; the office can help you with it.",
        ),
        Refusal.BOOKING_NEEDED: Row(
            409,
            "This offer is booked beforehand",
            "This offer is booked beforehand; please ask how.",
        ),
        Refusal.NAME_CHECK_NEEDED: Row(
            409,
            "Please ask for the first name and confirm it",
            "May we have your first name, please?",
        ),
        Refusal.DEVICE_NOT_ALLOWED: Row(
            403,
            "This till is not set up for this",
            "This till is not set up for this; please ask at the desk.",
        ),
        Refusal.OFFLINE_LIMIT: Row(
            409,
            "This is more than can be taken while the till is offline",
            "The till is offline and can take a little only; it will work once that is over.",
        ),
        Refusal.TRY_AGAIN: Row(
            429,
            "Several codes were not found: please wait a little",
            "Please wait a little before the next try, or ask at the desk.",
            600,
        ),
        Refusal.VENUE_PAUSED: Row(
            409,
            "The venue is not taking credits at the moment",
            "This venue is having a break from credits; yours are safe.",
        ),
        Refusal.GIFT_LIMIT: Row(
            409,
            "This is more than one person can give in a month",
            "This is more than can be given in one month; another month more can follow.",
        ),
        Refusal.ALREADY_RESOLVED: Row(
            409,
            "This was already captured, voided or lapsed",
            "This has already been settled.",
        ),
        Refusal.EXCEEDS_HOLD: Row(
            422,
            "This is more than was authorised",
            "This needs more credits than were put aside for it.",
        ),
        Refusal.NOT_CAPTURED: Row(
            409,
            "Nothing was captured, so there is nothing to give back",
            "No credits were taken for this visit.",
        ),
        Refusal.EXCEEDS_CAPTURE: Row(
            422,
            "This is more than was captured and not yet refunded",
            "These credits have already come back to you, or were never taken.",
        ),
        Refusal.ALREADY_REFUNDED: Row(
            409,
            "All of it was given back already",
            "These credits have already come back to you.",
        ),
        Refusal.OVERLAPPING_SESSION: Row(
            409,
            "Somebody listed has hours at the same time already",
            "These hours overlap with others of yours; the project will look into it.",
        ),
        Refusal.PROJECT_NOT_ACTIVE: Row(
            409,
            "The project is not active, so no hours can be recorded for it",
            "The project can't record hours at the moment.",
        ),
        Refusal.ALREADY_USED: Row(
            409,
            "This was used before",
            "This has been used already; please ask for help if that was not you.",
        ),
        Refusal.OWN_HOURS: Row(
            403,
            "Somebody else decides about one's own hours",
            "Somebody else at the project looks at these hours.",
        ),
        Refusal.SAME_APPROVER: Row(
            403,
            "A second person decides here",
            "A second person looks at this as well.",
        ),
        Refusal.NEEDS_A_LOOK: Row(
            403,
            "Somebody at the project looks at these hours first",
            "The project has a look at these hours first; please ask there.",
        ),
        Refusal.CONSENT_NEEDED: Row(
            409,
            "A guardian's consent is needed first",
            "A parent or guardian needs to agree first.",
        ),
        Refusal.SENT_BEFORE: Row(
            409,
            "This register was sent already; nothing is counted twice",
            "This was sent already; nothing is counted twice.",
        ),
        Refusal.PLACES_FULL: Row(
            409,
            "All places of this session are taken",
            "All places are taken this time; another day may suit as well.",
        ),
        Refusal.ALREADY_REVERSED: Row(
            409,
            "This was corrected already",
            "This has already been put right.",
        ),
        Refusal.WRONG_VALUES: Row(
            422,
            "A value is not allowed",
            "Something that was entered needs another look.",
        ),
        Refusal.WRONG_STATE: Row(
            409,
            "This can't be done from the state it is in",
            "This is not possible just now.",
        ),
        Refusal.STAFF_ONLY: Row(
            403,
            "This is changed by the office only",
            "Please ask the office to change this for you.",
        ),
        Refusal.NOT_VERIFIED: Row(
            403,
            "We could not check that this is you: please start again",
            "We could not check that this is you; please start again, or ask for help.",
        ),
        Refusal.LINK_USED: Row(
            410,
            "This link or code was used or is over",
            "This has been used already or is over; you can ask for a new one.",
        ),
        Refusal.NOT_FOUND: Row(
            404,
            "There is nothing here",
            "We could not find this.",
        ),
        Refusal.KEY_REUSED: Row(
            422,
            "This Idempotency-Key was used for something else",
            "The till has mixed up two requests; please ask them to start afresh.",
        ),
        Refusal.UNKNOWN: Row(
            503,
            "It is not known whether this was done: retry with the same key",
            "One moment please, we are checking whether this went through.",
            1,
        ),
        Refusal.BUSY: Row(
            503,
            "Too many requests are waiting; nothing was done",
            "One moment please, a lot is going on.",
            1,
        ),
        Refusal.UNAVAILABLE: Row(
            503,
            "Not available just now; nothing was done",
            "One moment please, we will be back shortly.",
            2,
        ),
    }
)


# What is said of the very case says the visitor more than the table does, and nothing that isn't for them: when it
# opens, that it is a slip for hours, at which site. The others' sentences may tell of a rule or of a till's work.
_FOR_THE_VISITOR_TOO: Final = frozenset({Refusal.OFFER_CLOSED_NOW, Refusal.CODE_UNKNOWN, Refusal.DEVICE_NOT_ALLOWED})


def to_visitor(reason: Refusal, detail: str) -> str:
    """What the visitor is told: of this very case, where what the staff are told of it is for them as well."""
    return detail if detail and reason in _FOR_THE_VISITOR_TOO else TABLE[reason].visitor


class Declined(Exception):  # noqa: N818  # "raise Declined(...)": an expected answer, not an error of ours
    """The scheme says no: the reason, a sentence on this very case, the fields at fault, and whether a replay.

    ``works_at`` is the moment from which the same would work, where it can be known. ``used_up`` says that nothing was
    done under the key and never will be, for the refusal stands with it: whatever is asked next goes under another.
    """

    def __init__(
        self,
        reason: Refusal,
        detail: str = "",
        *,
        fields: tuple[tuple[str, str], ...] = (),
        works_at: datetime | None = None,
        replayed: bool = False,
        used_up: bool = False,
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
        self.fields = fields
        self.works_at = works_at
        self.replayed = replayed
        self.used_up = used_up


# The journal's words where the scheme has others. Of another kind than the act wants is, for a redemption, one that
# was captured on the spot: nothing is on hold.
_IN_OUR_WORDS: Final[Mapping[str, Refusal]] = {
    Reason.INSUFFICIENT: Refusal.INSUFFICIENT_CREDITS,
    Reason.TARGET_UNKNOWN: Refusal.NOT_FOUND,
    Reason.TARGET_OF_OTHER_KIND: Refusal.ALREADY_RESOLVED,
}

OUTAGES: Final[Mapping[type[Exception], Refusal]] = MappingProxyType(
    {
        CommitUnknown: Refusal.UNKNOWN,
        QueueFull: Refusal.BUSY,
        Unavailable: Refusal.UNAVAILABLE,
        exc.TimeoutError: Refusal.BUSY,  # no connection became free in time
        # No connection, or it was lost before COMMIT was sent.
        OSError: Refusal.UNAVAILABLE,
        exc.InterfaceError: Refusal.UNAVAILABLE,
        exc.OperationalError: Refusal.UNAVAILABLE,
        asyncpg.InterfaceError: Refusal.UNAVAILABLE,
        asyncpg.InternalClientError: Refusal.UNAVAILABLE,  # the server said goodbye, and hasn't hung up yet
        asyncpg.PostgresConnectionError: Refusal.UNAVAILABLE,
        asyncpg.OperatorInterventionError: Refusal.UNAVAILABLE,  # shutting down, starting up, cancelled
        asyncpg.InsufficientResourcesError: Refusal.UNAVAILABLE,  # the disk is full, or too many are connected
        asyncpg.ReadOnlySQLTransactionError: Refusal.UNAVAILABLE,  # a standby, that is about to be promoted
        asyncpg.IdleInTransactionSessionTimeoutError: Refusal.UNAVAILABLE,  # this process was stopped for a while
        asyncpg.LockNotAvailableError: Refusal.BUSY,
        asyncpg.TransactionRollbackError: Refusal.BUSY,  # a deadlock: none is known, and then a retry helps
    }
)
"""What the database or the queue may raise, as the refusal it comes to. Anything else is a failure of ours."""


def settled(outcome: Outcome, asked: Iterable[Transfer] = ()) -> Posted:
    """The entry as posted; raises ``Declined`` where it wasn't, or can't be known to have been.

    With the transfers that were ``asked`` for, it says from when they would work if a limit stood in the way that is
    counted anew then, and they are within it.
    """
    if type(outcome) is Posted:
        return outcome
    if isinstance(outcome, Refused):
        if outcome.reason == Reason.INSUFFICIENT and outcome.account is not None:
            raise _used_up(outcome.account, asked, replayed=outcome.replayed)
        reason = _IN_OUR_WORDS.get(outcome.reason) or Refusal(outcome.reason)
        fields = tuple((field, "differs from what came first under this key") for field in outcome.fields)
        raise Declined(reason, fields=fields, replayed=outcome.replayed)
    if isinstance(outcome, Failed):
        raise RuntimeError(f"the database refused what the judge had accepted: {outcome.constraint}")  # noqa: TRY004  # no wrong type, but a defect
    raise Declined(Refusal.UNKNOWN)


def _used_up(account: str, asked: Iterable[Transfer], *, replayed: bool) -> Declined:
    """By the account whose floor stood in the way, which limit that was; ``spending`` gives them their names."""
    kind, _, owner = account.partition(":")
    if kind not in {"allowance", "limit"}:
        return Declined(Refusal.INSUFFICIENT_CREDITS, replayed=replayed)
    of, _, period = owner.partition(":")
    person, _, period = period.rpartition(".")
    if person == "pass":
        detail = "This code was used a moment ago: the phone will show a new one."
        return Declined(Refusal.ALREADY_USED, detail, replayed=replayed)
    if kind == "allowance":
        reason = Refusal.QUOTA_FULL
        detail = f"All places for credits are taken for this {'month' if period else 'time'}."
    elif person:
        reason = Refusal.GIFT_LIMIT if of == "gifts" else Refusal.VISIT_LIMIT
        detail = f"This is more than one person {'gives' if of == 'gifts' else 'can use here'} in a month."
    else:
        reason = Refusal.VISIT_LIMIT
        detail = "This is more than a printed card is good for in a day."
    fits = any(each.debit == account and each.minutes <= -(each.least or 0) for each in asked)
    return Declined(reason, detail, works_at=_end(period) if fits and period else None, replayed=replayed)


def _end(period: str) -> datetime:
    """When a day ("2026-11-22") or a month ("2026-11") is over in London, in UTC."""
    if len(period) == len("2026-11-22"):
        following = date.fromisoformat(period) + timedelta(days=1)
    else:
        following = (date.fromisoformat(f"{period}-01") + timedelta(days=31)).replace(day=1)
    return datetime.combine(following, time(), LONDON).astimezone(UTC)
