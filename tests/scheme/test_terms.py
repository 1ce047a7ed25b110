"""The rules of spending, a table each: one row per case, and why it is so at the end of the row."""

import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from ledger.scheme.people import AgeBand
from ledger.scheme.refusals import TABLE, Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.terms import Charge, Kind, No, Offer, Party, Terms, Visitor, faults, in_credits, open_from, weigh
from ledger.scheme.windows import DAYS, Window

RULES = Rules()
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
OFF_PEAK = Window(days=("mon", "tue", "wed", "thu", "fri"), opens="19:00", closes="21:00")
CHILD = Visitor(age_band="8_to_15")
FAMILY = Party(adults=1, children=2)


def offer(price: int = 60, kind: Kind = Kind.DROP_IN, **changes: Any) -> Offer:  # noqa: ANN401  # terms of any type
    of_offer = {name: changes.pop(name) for name in ("status", "venue_status") if name in changes}
    plain = Offer(
        id=uuid4(),
        venue=uuid4(),
        site=None,
        kind=kind,
        price=price,
        status="published",
        venue_status="active",
        terms=msgspec.convert(changes, Terms),
        redeemed="redeemed:0",
        reference="0",
    )
    return msgspec.structs.replace(plain, **of_offer)


def said(answer: Charge | No) -> Refusal | tuple[int, int]:
    """The reason of a "no", or the minutes and places of a charge."""
    return answer.reason if isinstance(answer, No) else (answer.minutes, answer.places)


# --- what it comes to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("party", "terms", "expected", "why"),
    [
        (Party(), {}, (60, 1), "whoever comes alone"),
        (Party(adults=2, children=1, young=1), {}, (240, 4), "everybody costs the same unless the offer says so"),
        (Party(adults=1, children=2), {"child_price": 30}, (120, 3), "a child's price"),
        (Party(adults=1, children=1, young=1), {"child_price": 30}, (120, 3), "a young child's is a child's"),
        (Party(adults=1, children=1, young=1), {"young_price": 15}, (135, 3), "a child's is an adult's"),
        (
            Party(adults=1, children=1, young=2),
            {"child_price": 30, "young_price": 0},
            (90, 2),
            "who is free takes no place",
        ),
        (Party(adults=0, children=1), {"child_price": 30}, (30, 1), "a child alone"),
        (Party(companion=True), {}, (120, 2), "a companion who isn't free is one more adult"),
        (Party(companion=True), {"companion_free": True}, (60, 1), "a free companion takes no place"),
        (Party(children=1, companion=True), {"companion_free": True, "child_price": 30}, (90, 2), "with a child too"),
    ],
)
def test_what_a_visit_comes_to(party: Party, terms: dict[str, Any], expected: tuple[int, int], why: str) -> None:
    assert said(weigh(offer(**terms), RULES, party, Visitor(), NOON)) == expected, why


# --- each rule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_offer", "expected", "why"),
    [
        ({"venue_status": "active"}, (60, 1), "as it should be"),
        ({"venue_status": "applied"}, Refusal.VENUE_PAUSED, "not yet one of ours"),
        ({"venue_status": "suspended"}, Refusal.VENUE_PAUSED, "paused"),
        ({"venue_status": "ended"}, Refusal.VENUE_PAUSED, "no more"),
        ({"status": "draft"}, Refusal.OFFER_CLOSED_NOW, "still being written"),
        ({"status": "paused"}, Refusal.OFFER_CLOSED_NOW, "having a break"),
        ({"status": "ended"}, Refusal.OFFER_CLOSED_NOW, "over"),
    ],
)
def test_the_venue_takes_credits_and_the_offer_is_published(
    of_offer: dict[str, Any], expected: Refusal | tuple[int, int], why: str
) -> None:
    answer = weigh(offer(**of_offer), RULES, Party(), Visitor(), NOON)
    assert said(answer) == expected, why
    assert isinstance(answer, Charge) or answer.works_at is None, "nobody knows when that will be over"


@pytest.mark.parametrize(
    ("band", "limits", "party", "expected", "why"),
    [
        (None, {"from_years": 18}, Party(), (60, 1), "whose age isn't known counts as grown up"),
        (None, {"below_years": 18}, Party(), Refusal.AGE_RULE, "here too"),
        ("18_and_over", {"from_years": 18}, Party(), (60, 1), "from 18"),
        ("16_to_17", {"from_years": 18}, Party(), Refusal.AGE_RULE, "too young"),
        ("16_to_17", {"from_years": 16}, Party(), (60, 1), "from 16"),
        ("8_to_15", {"from_years": 16}, Party(adults=0, children=1), Refusal.AGE_RULE, "too young"),
        ("8_to_15", {"from_years": 8}, Party(adults=0, children=1), (60, 1), "from 8"),
        ("under_8", {"from_years": 8}, Party(), Refusal.AGE_RULE, "too young"),
        ("under_8", {}, Party(adults=1, young=1), (120, 2), "no limit"),
        ("16_to_17", {"below_years": 18}, Party(), (60, 1), "under 18"),
        ("18_and_over", {"below_years": 18}, Party(), Refusal.AGE_RULE, "too old"),
        ("8_to_15", {"below_years": 16}, Party(adults=0, children=1), (60, 1), "under 16"),
        ("16_to_17", {"below_years": 16}, Party(), Refusal.AGE_RULE, "too old"),
        ("under_8", {"below_years": 8}, Party(adults=1, young=1), (120, 2), "under 8, an adult comes along"),
        ("8_to_15", {"below_years": 8}, Party(adults=0, children=1), Refusal.AGE_RULE, "too old"),
        ("8_to_15", {"from_years": 8, "below_years": 16}, Party(adults=0, children=1), (60, 1), "between the two"),
        ("under_8", {"from_years": 8, "below_years": 16}, Party(), Refusal.AGE_RULE, "below both"),
        ("16_to_17", {"from_years": 8, "below_years": 16}, Party(), Refusal.AGE_RULE, "above both"),
        (None, {"from_years": 18}, FAMILY, Refusal.AGE_RULE, "no children where it is for people of 18 and over"),
        (None, {"from_years": 16}, Party(young=1), Refusal.AGE_RULE, "nor where it is from 16"),
        (None, {"from_years": 8}, FAMILY, (180, 3), "children where it is from 8"),
        (None, {"from_years": 8}, Party(young=1), Refusal.AGE_RULE, "but no younger ones"),
        ("8_to_15", {"children": False}, Party(), Refusal.AGE_RULE, "no children, whoever's card it is"),
        ("under_8", {"children": False}, Party(), Refusal.AGE_RULE, "nor younger ones"),
        ("16_to_17", {"children": False}, Party(), (60, 1), "at 16 one is none"),
        (None, {"children": False}, Party(), (60, 1), "nor is whoever's age isn't known"),
    ],
)
def test_an_age_is_told_by_its_band(
    band: str | None, limits: dict[str, Any], party: Party, expected: Refusal | tuple[int, int], why: str
) -> None:
    assert said(weigh(offer(**limits), RULES, party, Visitor(age_band=band), NOON)) == expected, why


def test_every_band_has_its_place() -> None:
    for band in AgeBand:
        assert isinstance(
            weigh(offer(from_years=0, below_years=18), RULES, Party(), Visitor(age_band=band), NOON), Charge
        ) is (band is not AgeBand.ADULT)


@pytest.mark.parametrize(
    ("visitor", "requires", "expected", "why"),
    [
        (Visitor(), (), (60, 1), "nothing is asked for"),
        (Visitor(eligible=("gym_induction",)), ("gym_induction",), (60, 1), "done"),
        (Visitor(eligible=("client", "gym_induction", "other")), ("gym_induction", "client"), (60, 1), "all of them"),
        (Visitor(eligible=("client",)), ("gym_induction", "client"), Refusal.NOT_ELIGIBLE, "one of two"),
        (Visitor(), ("client",), Refusal.NOT_ELIGIBLE, "none"),
        (Visitor(age_band="8_to_15", lacks_consent=True), (), Refusal.CONSENT_NEEDED, "under 16, nobody agreed yet"),
    ],
)
def test_what_an_offer_asks_for_must_be_there(
    visitor: Visitor, requires: tuple[str, ...], expected: Refusal | tuple[int, int], why: str
) -> None:
    answer = weigh(offer(requires=requires), RULES, Party(), visitor, NOON)
    assert said(answer) == expected, why
    if isinstance(answer, No):
        assert not any(word in answer.detail for word in ("client", "induction")), "it would tell of a need"


@pytest.mark.parametrize(
    ("party", "terms", "expected", "why"),
    [
        (Party(adults=0), {}, Refusal.PARTY_RULE, "nobody"),
        (Party(adults=0, companion=True), {"companion_free": True}, Refusal.PARTY_RULE, "a free companion alone"),
        (Party(adults=0, companion=True), {}, Refusal.PARTY_RULE, "a companion alone, who isn't free"),
        (Party(adults=4), {"people": 4}, (240, 4), "as many as can come together"),
        (Party(adults=5), {"people": 4}, Refusal.PARTY_RULE, "one more"),
        (Party(adults=2, children=2, young=1), {"people": 4}, Refusal.PARTY_RULE, "children count"),
        (Party(adults=4, companion=True), {"people": 4, "companion_free": True}, (240, 4), "a free companion doesn't"),
        (Party(adults=4, companion=True), {"people": 4}, Refusal.PARTY_RULE, "one who isn't does"),
        (FAMILY, {"children": False}, Refusal.PARTY_RULE, "no children"),
        (Party(young=1), {"children": False}, Refusal.PARTY_RULE, "no young children"),
        (Party(adults=2), {"children": False}, (120, 2), "adults among themselves"),
        (Party(adults=1, young=2), {}, (180, 3), "two under 8 with an adult"),
        (Party(adults=1, young=3), {}, Refusal.PARTY_RULE, "three under 8"),
        (Party(adults=2, young=4), {}, (360, 6), "four with two adults"),
        (Party(adults=2, young=5), {}, Refusal.PARTY_RULE, "five"),
        (Party(adults=1, children=3), {}, (240, 4), "from 8 on it is no matter how many"),
        (Party(adults=1, young=3), {"young_per_adult": False}, (240, 4), "where the offer doesn't mind"),
        (Party(adults=0, young=1), {}, Refusal.PARTY_RULE, "under 8 and alone"),
        (Party(adults=0, children=1, young=1), {}, Refusal.PARTY_RULE, "an older child is no adult"),
        (Party(adults=1, young=4, companion=True), {}, (360, 6), "a companion who isn't free is an adult"),
        (
            Party(adults=1, young=3, companion=True),
            {"companion_free": True},
            Refusal.PARTY_RULE,
            "a free companion is there for somebody else",
        ),
        (
            Party(adults=0, children=2),
            {"child_price": 0},
            Refusal.PARTY_RULE,
            "nobody is charged, so there is nothing to redeem",
        ),
        (Party(adults=1, children=2), {"child_price": 0}, (60, 1), "one is"),
    ],
)
def test_a_party_fits_the_offer(
    party: Party, terms: dict[str, Any], expected: Refusal | tuple[int, int], why: str
) -> None:
    assert said(weigh(offer(**terms), RULES, party, Visitor(), NOON)) == expected, why


@pytest.mark.parametrize(
    ("band", "party", "booked", "fits", "why"),
    [
        (None, Party(adults=0, children=2), True, False, "whoever it is for comes too, and is taken for grown up"),
        ("18_and_over", Party(adults=0, young=1), True, False, "a grown-up"),
        ("16_to_17", Party(adults=0, children=1), True, False, "for a party grown up from 16 on"),
        ("8_to_15", Party(adults=0, children=2), True, True, "a child is one of the children"),
        ("under_8", Party(adults=0, young=1), True, True, "or of those under 8, where no adult is asked for"),
        (None, Party(adults=1, children=2), True, True, "counted among the adults"),
        (None, Party(adults=0, children=2), False, True, "at a till they stand there, and pay for the children"),
    ],
)
def test_whoever_books_is_one_of_those_who_come(
    *, band: str | None, party: Party, booked: bool, fits: bool, why: str
) -> None:
    swim, visitor = offer(young_per_adult=False), Visitor(age_band=band)
    answer = weigh(swim, RULES, party, visitor, NOON, booked=booked)
    assert isinstance(answer, Charge) == fits, why
    if isinstance(answer, No):
        assert answer.reason is Refusal.PARTY_RULE


def test_how_many_young_children_come_with_an_adult_is_the_schemes_to_say() -> None:
    three = Party(adults=1, young=3)
    assert isinstance(weigh(offer(), Rules(young_per_adult=3), three, Visitor(), NOON), Charge)
    answer = weigh(offer(), Rules(young_per_adult=1), three, Visitor(), NOON)
    assert isinstance(answer, No)
    assert answer.detail == "Up to one child under 8 can come with each adult."


@pytest.mark.parametrize(
    ("kind", "booking_needed", "booked", "expected", "why"),
    [
        (Kind.DROP_IN, False, False, (60, 1), "just come"),
        (Kind.DROP_IN, False, True, (60, 1), "booked all the same"),
        (Kind.DROP_IN, True, False, Refusal.BOOKING_NEEDED, "this one is booked"),
        (Kind.DROP_IN, True, True, (60, 1), "and it is"),
        (Kind.SHOW, False, False, Refusal.BOOKING_NEEDED, "a show is booked"),
        (Kind.SHOW, False, True, (60, 1), "and it is"),
        (Kind.COURSE, False, False, Refusal.BOOKING_NEEDED, "a course is booked"),
        (Kind.TICKET, False, False, Refusal.BOOKING_NEEDED, "a ticket is for a day agreed beforehand"),
        (Kind.TICKET, True, True, (60, 1), "and it is"),
    ],
)
def test_what_is_booked_beforehand(
    *, kind: Kind, booking_needed: bool, booked: bool, expected: Refusal | tuple[int, int], why: str
) -> None:
    it = offer(kind=kind, booking_needed=booking_needed)
    assert said(weigh(it, RULES, Party(), Visitor(), NOON, booked=booked)) == expected, why


@pytest.mark.parametrize(
    ("price", "adults", "visit_minutes", "cap", "expected", "why"),
    [
        (60, 8, None, 480, (480, 8), "exactly at the limit"),
        (60, 9, None, 480, Refusal.VISIT_LIMIT, "one person more"),
        (480, 1, None, 480, (480, 1), "exactly, by one"),
        (481, 1, None, 480, Refusal.VISIT_LIMIT, "a minute above"),
        (60, 2, 120, 480, (120, 2), "at the offer's own"),
        (121, 1, 120, 480, Refusal.VISIT_LIMIT, "a minute above the offer's own"),
        (60, 3, 600, 120, Refusal.VISIT_LIMIT, "the scheme's stands where the offer's is wider"),
        (60, 2, 600, 120, (120, 2), "and is reached"),
    ],
)
def test_one_visit_has_a_limit(  # noqa: PLR0917  # a table's columns
    price: int, adults: int, visit_minutes: int | None, cap: int, expected: Refusal | tuple[int, int], why: str
) -> None:
    it = offer(price=price, visit_minutes=visit_minutes)
    assert said(weigh(it, Rules(visit_cap_minutes=cap), Party(adults=adults), Visitor(), NOON)) == expected, why


def test_the_limit_is_said_in_credits() -> None:
    answer = weigh(offer(price=75), RULES, Party(adults=7), Visitor(), NOON)
    assert isinstance(answer, No)
    assert answer.detail == "This comes to 8 credits 45 minutes; for one visit 8 credits can be used."
    assert [in_credits(minutes) for minutes in (0, 1, 45, 60, 61, 240)] == [
        *("0 credits", "1 minute", "45 minutes", "1 credit", "1 credit 1 minute", "4 credits"),
    ]


# --- in what order ----------------------------------------------------------------------------------------------

# Each breaks one rule more than the one above it; the first rule that stands in the way speaks.
_IN_ORDER: list[tuple[Refusal, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (Refusal.VENUE_PAUSED, {"venue_status": "suspended"}, {}, {}),
    (Refusal.OFFER_CLOSED_NOW, {"status": "paused"}, {}, {}),
    (Refusal.CONSENT_NEEDED, {}, {"lacks_consent": True}, {}),
    (Refusal.AGE_RULE, {"from_years": 18}, {"age_band": "8_to_15"}, {}),
    (Refusal.NOT_ELIGIBLE, {"requires": ("client",)}, {}, {}),
    (Refusal.PARTY_RULE, {"people": 8}, {}, {"adults": 9}),
    (Refusal.BOOKING_NEEDED, {"booking_needed": True}, {}, {}),
    (Refusal.OFFER_CLOSED_NOW, {"windows": [msgspec.to_builtins(OFF_PEAK)]}, {}, {}),
    (Refusal.VISIT_LIMIT, {"visit_minutes": 30}, {}, {}),
]


@pytest.mark.parametrize("first", range(len(_IN_ORDER)), ids=lambda first: f"{first}-{_IN_ORDER[first][0]}")
def test_the_first_rule_in_the_way_speaks(first: int) -> None:
    terms: dict[str, Any] = {}
    visitor: dict[str, Any] = {}
    party: dict[str, Any] = {}
    for _, of_terms, of_visitor, of_party in _IN_ORDER[first:]:
        terms |= of_terms
        visitor |= of_visitor
        party |= of_party
    answer = weigh(offer(**terms), RULES, Party(**party), Visitor(**visitor), NOON)
    assert said(answer) is _IN_ORDER[first][0]


@pytest.mark.parametrize("only", range(len(_IN_ORDER)), ids=lambda only: f"{only}-{_IN_ORDER[only][0]}")
def test_each_rule_stands_in_the_way_alone_too(only: int) -> None:
    reason, terms, visitor, party = _IN_ORDER[only]
    answer = weigh(offer(**terms), RULES, Party(**party), Visitor(**visitor), NOON)
    assert said(answer) is reason


def test_what_the_staff_read_is_a_whole_sentence_and_says_no_more_than_it_must() -> None:
    for reason, terms, visitor, party in _IN_ORDER:
        answer = weigh(offer(**terms), RULES, Party(**party), Visitor(**visitor), NOON)
        assert isinstance(answer, No)
        assert re.fullmatch(r"[A-Z].*\.", answer.detail)
        assert not re.search(r"balance|child of|they are (under|over)|because", answer.detail)
        assert TABLE[reason].status == 409


# --- worked example 3 -------------------------------------------------------------------------------------------


def test_a_family_swims_off_peak() -> None:
    swim = offer(price=60, windows=[msgspec.to_builtins(OFF_PEAK)])
    evening = datetime(2026, 11, 18, 19, 0, tzinfo=UTC)

    assert weigh(swim, RULES, FAMILY, Visitor(), evening) == Charge(180, 3)  # of 240, that leaves 60

    too_early = weigh(swim, RULES, FAMILY, Visitor(), datetime(2026, 11, 18, 17, 30, tzinfo=UTC))
    assert too_early == No(
        reason=Refusal.OFFER_CLOSED_NOW, detail="This offer isn't open then. It opens at 19:00.", works_at=evening
    )

    too_many_young = weigh(swim, RULES, Party(adults=1, young=3), Visitor(), evening)
    assert too_many_young == No(reason=Refusal.PARTY_RULE, detail="Up to 2 children under 8 can come with each adult.")


# --- what an offer's terms may be -------------------------------------------------------------------------------


def window(opens: str, closes: str, *days: Any) -> Window:  # noqa: ANN401  # a day's literal
    return Window(days=days or ("mon",), opens=opens, closes=closes)


@pytest.mark.parametrize(
    ("terms", "kind", "price", "fields", "why"),
    [
        (Terms(), Kind.DROP_IN, 60, [], "the plainest"),
        (Terms(windows=(OFF_PEAK,), quiet=(OFF_PEAK,), quota=40, visit_minutes=480), Kind.DROP_IN, 60, [], "a swim"),
        (Terms(quota=0), Kind.DROP_IN, 60, [], "a venue may honour none for a while"),
        (Terms(windows=(window("21:00", "19:00"),)), Kind.DROP_IN, 60, ["terms.windows[0].closes"], "past midnight"),
        (Terms(windows=(window("19:00", "19:00"),)), Kind.DROP_IN, 60, ["terms.windows[0].closes"], "no time at all"),
        (Terms(quiet=(window("19:00", "18:59"),)), Kind.DROP_IN, 60, ["terms.quiet[0].closes"], "quiet times too"),
        (Terms(windows=(window("19:00", "24:00"),)), Kind.DROP_IN, 60, [], "until midnight"),
        (
            Terms(windows=(window("09:00", "10:00", "mon", "mon"),)),
            Kind.DROP_IN,
            60,
            ["terms.windows[0].days"],
            "twice",
        ),
        (
            Terms(windows=(window("09:00", "12:00", "mon", "tue"), window("11:59", "13:00", "tue"))),
            Kind.DROP_IN,
            60,
            ["terms.windows[1]"],
            "two at once",
        ),
        (
            Terms(windows=(window("09:00", "12:00"), window("12:00", "13:00"))),
            Kind.DROP_IN,
            60,
            [],
            "one after the other",
        ),
        (
            Terms(windows=(window("09:00", "12:00"), window("09:00", "12:00", "tue"))),
            Kind.DROP_IN,
            60,
            [],
            "the same on another day",
        ),
        (Terms(closed=(date(2026, 12, 25),) * 2), Kind.DROP_IN, 60, ["terms.closed"], "the same date twice"),
        (Terms(requires=("client", "client")), Kind.DROP_IN, 60, ["terms.requires"], "the same word twice"),
        (Terms(from_years=16, below_years=18), Kind.DROP_IN, 60, [], "16 and 17"),
        (Terms(from_years=16, below_years=16), Kind.DROP_IN, 60, ["terms.below_years"], "nobody"),
        (Terms(from_years=18, below_years=8), Kind.DROP_IN, 60, ["terms.below_years"], "nobody"),
        (Terms(children=False, below_years=16), Kind.DROP_IN, 60, ["terms.below_years"], "children, but no children"),
        (Terms(children=False, below_years=18), Kind.DROP_IN, 60, [], "16 and 17 once more"),
        (Terms(cancel_minutes=2880), Kind.SHOW, 60, [], "two days beforehand"),
        (Terms(cancel_minutes=2881), Kind.SHOW, 60, ["terms.cancel_minutes"], "more than rule 14 lets a venue ask"),
        (Terms(visit_minutes=481), Kind.DROP_IN, 60, ["terms.visit_minutes"], "an offer may set less than rule 16"),
        (Terms(visit_minutes=59), Kind.DROP_IN, 60, ["price"], "nobody could come"),
        (Terms(visit_minutes=60), Kind.DROP_IN, 60, [], "one could"),
        (Terms(), Kind.DROP_IN, 481, ["price"], "above the scheme's limit for one visit"),
        (Terms(), Kind.DROP_IN, 480, [], "exactly"),
        (Terms(month_minutes=59), Kind.DROP_IN, 60, ["terms.month_minutes"], "nobody could come, not once"),
        (Terms(month_minutes=60), Kind.DROP_IN, 60, [], "once a month"),
        (Terms(ahead_minutes=60), Kind.DROP_IN, 60, ["terms.ahead_minutes"], "nobody needs to book"),
        (Terms(ahead_minutes=60, booking_needed=True), Kind.DROP_IN, 60, [], "everybody does"),
        (Terms(ahead_minutes=60), Kind.TICKET, 60, [], "a ticket is booked"),
        (
            Terms(windows=(window("10:00", "09:00"),), below_years=8, from_years=16, cancel_minutes=9999),
            Kind.DROP_IN,
            60,
            ["terms.windows[0].closes", "terms.below_years", "terms.cancel_minutes"],
            "all of it is told at once",
        ),
    ],
)
def test_terms_that_do_not_go_together_are_named(
    terms: Terms, kind: Kind, price: int, fields: list[str], why: str
) -> None:
    found = faults(terms, kind, RULES, price)
    assert [field for field, _ in found] == fields, why
    assert all(message.startswith("must ") and not message.endswith(".") for _, message in found)


def test_a_scheme_without_windows_has_offers_that_are_always_open() -> None:
    without = Rules(offer_windows=False)
    terms = Terms(windows=(OFF_PEAK,), closed=(NOON.date(),))
    assert [field for field, _ in faults(terms, Kind.DROP_IN, without, 60)] == ["terms.windows", "terms.closed"]
    older = msgspec.structs.replace(offer(), terms=terms)
    assert weigh(older, without, Party(), Visitor(), NOON) == Charge(60, 1)
    assert open_from(older, without, NOON) == NOON


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"windows": [{"days": ["mon"], "opens": "9:00", "closes": "10:00"}]}, "an hour has two figures"),
        ({"windows": [{"days": ["mon"], "opens": "24:00", "closes": "24:00"}]}, "nothing begins at the end of a day"),
        ({"windows": [{"days": ["mon"], "opens": "09:00", "closes": "24:01"}]}, "nor ends after it"),
        ({"windows": [{"days": ["mon"], "opens": "09:60", "closes": "10:00"}]}, "no such minute"),
        ({"windows": [{"days": ["mon"], "opens": "09:00\n", "closes": "10:00"}]}, "nor with a line's end"),
        ({"windows": [{"days": [], "opens": "09:00", "closes": "10:00"}]}, "on no day"),
        ({"windows": [{"days": ["Monday"], "opens": "09:00", "closes": "10:00"}]}, "not a day's word"),
        ({"closed": ["2026-02-30"]}, "no such day"),
        ({"from_years": 12}, "bands are all that is known"),
        ({"quota": -1}, "fewer than none"),
        ({"people": 0}, "a party of nobody"),
        ({"requires": ["Already a client"]}, "a word, no sentence"),
        ({"price": 60}, "no field of these"),
    ],
)
def test_terms_that_are_none_are_not_read(terms: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(terms, Terms)
        pytest.fail(why)


def test_an_offer_with_plain_terms_keeps_none() -> None:
    assert msgspec.json.encode(Terms()) == b"{}"
    swim = Terms(windows=(Window(days=DAYS, opens="19:00", closes="24:00"),), closed=(date(2026, 12, 25),))
    assert msgspec.json.decode(msgspec.json.encode(swim), type=Terms) == swim
