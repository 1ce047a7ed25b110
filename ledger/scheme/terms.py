"""An offer's terms, and the one question that they answer: may this party come then, and what is it charged?

    venue active -> offer published -> consent -> age -> eligible -> party -> booked? -> open then? -> one visit's limit

``weigh`` is pure: no clock, no database. The first rule that stands in the way answers, with a sentence on this very
case and, where that can be known, the moment from which it would work. What depends on others' visits (the month's
quota, a person's monthly limit, what there is to spend) isn't weighed here but by the journal, as floors of the entry
(see ``spending``), so that it holds under any interleaving.

Windows and dates are by the clock in London (rule 17), whatever zone a moment comes in. Prices and limits in minutes.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ledger.scheme.refusals import Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.windows import Window, in_words, is_open, next_opening


class Kind(StrEnum):
    """How an offer is used. Only a drop-in can be used without having been booked."""

    DROP_IN = "drop_in"
    SHOW = "show"  # at set times
    COURSE = "course"  # all of its sessions, captured one by one
    TICKET = "ticket"  # on a day and time agreed beforehand


class Reach(StrEnum):
    """From how far people come for it."""

    LOCAL = "local"
    COUNTY = "county"
    NATIONAL = "national"


Price = Annotated[int, Meta(ge=0, le=6000)]
Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$(?!\n)")]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules of an offer. What isn't set doesn't restrict, but for the scheme's own rules."""

    windows: Annotated[tuple[Window, ...], Meta(max_length=28)] = ()  # none: always open
    closed: Annotated[tuple[date, ...], Meta(max_length=100)] = ()
    quiet: Annotated[tuple[Window, ...], Meta(max_length=28)] = ()  # quiet times: told, not enforced
    low_talk: bool = False  # whoever comes won't have to talk: told, not enforced
    quota: Annotated[int, Meta(ge=0, le=100_000)] | None = None  # places a calendar month; who is charged takes one
    visit_minutes: Annotated[int, Meta(ge=1, le=6000)] | None = None
    month_minutes: Annotated[int, Meta(ge=1, le=60_000)] | None = None  # a person
    people: Annotated[int, Meta(ge=1, le=50)] = 10  # of one party, a free companion not counted
    child_price: Price | None = None  # None: as for an adult
    young_price: Price | None = None  # None: as for a child
    children: bool = True  # whether anybody under 16 may come
    young_per_adult: bool = True  # whether rule 19 holds: so many under 8 for each adult at most
    companion_free: bool = False
    from_years: Literal[0, 8, 16, 18] = 0  # bands are all that is asked, so these are all that can be told apart
    below_years: Literal[8, 16, 18] | None = None
    requires: Annotated[tuple[Word, ...], Meta(max_length=5)] = ()
    booking_needed: bool = False
    ahead_minutes: Annotated[int, Meta(ge=0, le=525_600)] = 0  # how long beforehand it must be booked
    cancel_minutes: Annotated[int, Meta(ge=0, le=20_160)] = 0  # how long beforehand it can be cancelled


class Offer(Struct, frozen=True, kw_only=True):
    """An offer as whoever weighs it needs it, in any process's memory (see ``directory``)."""

    id: UUID
    venue: UUID
    site: UUID | None
    kind: Kind
    price: int
    status: str
    venue_status: str
    terms: Terms
    redeemed: str  # the venue's account
    reference: str  # the offer's id as entries have it


class Party(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who comes: the holder is one of the adults, children (8 to 15) or young (under 8). A companion comes on top."""

    adults: Annotated[int, Meta(ge=0, le=100)] = 1
    children: Annotated[int, Meta(ge=0, le=100)] = 0
    young: Annotated[int, Meta(ge=0, le=100)] = 0
    companion: bool = False


class Visitor(Struct, frozen=True, kw_only=True):
    """Whose credits they are, as far as a rule may ask."""

    age_band: str | None = None  # None: not told, and taken for grown up, as everywhere
    lacks_consent: bool = False  # under 16, without a guardian's consent that holds
    eligible: tuple[str, ...] = ()


class Charge(Struct, frozen=True):
    """Yes: what it comes to, and how many places of the quota it takes."""

    minutes: int
    places: int


class No(Struct, frozen=True, kw_only=True):
    """No: which rule, a sentence for the staff on this very case, and from when it would work."""

    reason: Refusal
    detail: str
    works_at: datetime | None = None


def weigh(
    offer: Offer, rules: Rules, party: Party, visitor: Visitor, visit_at: datetime, *, booked: bool = False
) -> Charge | No:
    """What a visit then comes to, or why it can't be. ``booked``: it is, or is being, booked beforehand."""
    charge = _charge(offer, party)
    return (
        _not_offered(offer)
        or _not_for(offer.terms, party, visitor)
        or _not_together(offer.terms, rules, party, charge)
        or (_not_along(party, visitor) if booked else None)
        or _not_then(offer, rules, visit_at, charge, booked=booked)
        or _too_much(offer.terms, rules, charge)
        or charge
    )


def open_from(offer: Offer, rules: Rules, moment: datetime) -> datetime | None:
    """The first minute from that moment on at which the offer is open by its windows; None if that is far away."""
    terms = offer.terms
    if not rules.offer_windows or is_open(terms.windows, terms.closed, moment):
        return moment
    return next_opening(terms.windows, terms.closed, moment)


def faults(terms: Terms, kind: Kind, rules: Rules, price: int) -> tuple[tuple[str, str], ...]:
    """What of an offer's terms doesn't go together, or would make it an offer to nobody: fields and messages."""
    return (
        *_faults_of_windows("windows", terms.windows),
        *_faults_of_windows("quiet", terms.quiet),
        *_faults_of_lists(terms, rules),
        *_faults_of_numbers(terms, kind, rules, price),
    )


def in_credits(minutes: int) -> str:
    """Minutes as people say them: "4 credits", "2 credits 45 minutes", "45 minutes", "0 credits"."""
    whole, rest = divmod(minutes, 60)
    said = [f"{whole} credit{'s' * (whole != 1)}"] if whole or not rest else []
    said += [f"{rest} minute{'s' * (rest != 1)}"] if rest else []
    return " ".join(said)


def _charge(offer: Offer, party: Party) -> Charge:
    adult = offer.price
    child = adult if offer.terms.child_price is None else offer.terms.child_price
    young = child if offer.terms.young_price is None else offer.terms.young_price
    adults = _adults(offer.terms, party)
    return Charge(
        adults * adult + party.children * child + party.young * young,
        (adults if adult else 0) + (party.children if child else 0) + (party.young if young else 0),
    )


def _adults(terms: Terms, party: Party) -> int:
    """A companion who isn't free is one more of them."""
    return party.adults + 1 if party.companion and not terms.companion_free else party.adults


def _not_offered(offer: Offer) -> No | None:
    if offer.venue_status != "active":
        return No(reason=Refusal.VENUE_PAUSED, detail="This venue isn't taking credits at the moment.")
    if offer.status != "published":
        return No(reason=Refusal.OFFER_CLOSED_NOW, detail="This offer isn't open for credits at the moment.")
    return None


def _not_for(terms: Terms, party: Party, visitor: Visitor) -> No | None:
    if visitor.lacks_consent:
        return No(reason=Refusal.CONSENT_NEEDED, detail="A guardian's consent is needed first; the office can help.")
    least, below = terms.from_years, terms.below_years
    years = _YEARS[visitor.age_band]
    if not terms.children and years < _GROWN_UP:
        return No(reason=Refusal.AGE_RULE, detail=f"This offer is for people of {_GROWN_UP} and over.")
    if least or below is not None:
        if years < least or (least and party.young) or (least >= _GROWN_UP and party.children):
            return No(reason=Refusal.AGE_RULE, detail=f"This offer is for people of {least} and over.")
        if below is not None and years >= below:
            return No(reason=Refusal.AGE_RULE, detail=f"This offer is for people under {below}.")
    for word in terms.requires:
        if word not in visitor.eligible:
            return No(reason=Refusal.NOT_ELIGIBLE, detail=_ONE_STEP_FIRST)
    return None


def _not_together(terms: Terms, rules: Rules, party: Party, charge: Charge) -> No | None:
    adults, with_them = _adults(terms, party), party.children + party.young
    if not party.adults + with_them:
        why = "Please enter who comes with the companion." if party.companion else "Please enter who comes."
    elif adults + with_them > terms.people:
        why = f"This offer takes {'one person' if terms.people == 1 else f'up to {terms.people} people'} at a time."
    elif with_them and not terms.children:
        why = f"This offer is for people of {_GROWN_UP} and over."
    elif terms.young_per_adult and party.young > rules.young_per_adult * adults:
        most, below = rules.young_per_adult, rules.young_below_years
        why = f"Up to {'one child' if most == 1 else f'{most} children'} under {below} can come with each adult."
    elif not charge.minutes:
        why = "Nobody here is charged: they are welcome without credits."
    else:
        return None
    return No(reason=Refusal.PARTY_RULE, detail=why)


def _not_along(party: Party, visitor: Visitor) -> No | None:
    """Who books comes; at a till a card may pay for the children alone, for whoever shows it stands there."""
    if party.adults or _YEARS[visitor.age_band] < _GROWN_UP:
        return None
    detail = "Whoever it is for comes too: please count one adult at least."
    return No(reason=Refusal.PARTY_RULE, detail=detail)


def _not_then(offer: Offer, rules: Rules, visit_at: datetime, charge: Charge, *, booked: bool) -> No | None:
    terms = offer.terms
    if not booked and (offer.kind is not Kind.DROP_IN or terms.booking_needed):
        return No(reason=Refusal.BOOKING_NEEDED, detail="This offer is booked beforehand.")
    opening = open_from(offer, rules, visit_at)
    if opening is visit_at:
        return None
    detail = "This offer isn't open then."
    if opening is not None:
        detail = f"This offer isn't open then. It opens {in_words(opening, visit_at)}."
    # What is too much for one visit wouldn't work then either.
    works_at = opening if charge.minutes <= _visit_limit(terms, rules) else None
    return No(reason=Refusal.OFFER_CLOSED_NOW, detail=detail, works_at=works_at)


def _too_much(terms: Terms, rules: Rules, charge: Charge) -> No | None:
    most = _visit_limit(terms, rules)
    if charge.minutes <= most:
        return None
    detail = f"This comes to {in_credits(charge.minutes)}; for one visit {in_credits(most)} can be used."
    return No(reason=Refusal.VISIT_LIMIT, detail=detail)


def _visit_limit(terms: Terms, rules: Rules) -> int:
    most = terms.visit_minutes
    return rules.visit_cap_minutes if most is None or most > rules.visit_cap_minutes else most


def _faults_of_windows(name: str, windows: Sequence[Window]) -> Iterator[tuple[str, str]]:
    """One that is over before it begins, a day twice, two on the same day at the same time."""
    for index, window in enumerate(windows):
        field = f"terms.{name}[{index}]"
        if window.closes <= window.opens:
            yield f"{field}.closes", "must be later than opens: one that goes past midnight is two windows"
        if len(set(window.days)) < len(window.days):
            yield f"{field}.days", "must name each day once"
        for earlier, other in enumerate(windows[:index]):
            if {*window.days} & {*other.days} and window.opens < other.closes and other.opens < window.closes:
                yield field, f"must not overlap terms.{name}[{earlier}]"


def _faults_of_lists(terms: Terms, rules: Rules) -> Iterator[tuple[str, str]]:
    if len(set(terms.closed)) < len(terms.closed):
        yield "terms.closed", "must name each date once"
    if len(set(terms.requires)) < len(terms.requires):
        yield "terms.requires", "must name each word once"
    if not rules.offer_windows:
        kept = (name for name in ("windows", "closed") if getattr(terms, name))
        yield from ((f"terms.{name}", "must be empty: this scheme's offers keep to none (rule 18)") for name in kept)


def _faults_of_numbers(terms: Terms, kind: Kind, rules: Rules, price: int) -> Iterator[tuple[str, str]]:
    if terms.below_years is not None and terms.below_years <= terms.from_years:
        yield "terms.below_years", f"must be more than from_years, which is {terms.from_years}"
    if not terms.children and terms.below_years is not None and terms.below_years <= _GROWN_UP:
        yield "terms.below_years", f"must be more than {_GROWN_UP} where no children may come: else nobody could"
    if terms.visit_minutes is not None and terms.visit_minutes > rules.visit_cap_minutes:
        yield "terms.visit_minutes", f"must be at most {rules.visit_cap_minutes}, as for every visit (rule 16)"
    if price > (most := _visit_limit(terms, rules)):
        yield "price", f"must be at most {most}, which can be used for one visit: else nobody could come"
    if terms.month_minutes is not None and terms.month_minutes < price:
        yield "terms.month_minutes", f"must be at least the price, which is {price}: else nobody could come"
    if terms.cancel_minutes > rules.cancel_notice_max_minutes:
        yield "terms.cancel_minutes", f"must be at most {rules.cancel_notice_max_minutes} (rule 14)"
    if terms.ahead_minutes and kind is Kind.DROP_IN and not terms.booking_needed:
        yield "terms.ahead_minutes", "must be 0 where nobody needs to book"


# From what age somebody of a band is; whoever's isn't known counts as grown up.
_YEARS: Final = {None: 18, "under_8": 0, "8_to_15": 8, "16_to_17": 16, "18_and_over": 18}
_GROWN_UP: Final = 16  # for a party: below it they are its children
# No word of what it is: that could tell of a need.
_ONE_STEP_FIRST: Final = "This offer asks for one more step first; the office can help with it."
