"""When an offer is open: the clock in London, its two odd nights, and the first minute at which it works."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.scheme.clock import LONDON
from ledger.scheme.refusals import Refusal
from ledger.scheme.rules import Rules
from ledger.scheme.terms import Charge, No, Offer, Party, Terms, Visitor, faults, open_from, weigh
from ledger.scheme.windows import DAYS, Window, in_words, is_open, next_opening
from tests.scheme.test_terms import offer as an_offer

RULES = Rules()
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def london(text: str) -> datetime:
    """What the clock in London shows; the first time, where it shows it twice."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def window(opens: str, closes: str, *days: Any) -> Window:  # noqa: ANN401  # a day's literal
    return Window(days=days or DAYS, opens=opens, closes=closes)


def of(*windows: Window, closed: Sequence[date] = ()) -> Offer:
    return msgspec.structs.replace(an_offer(), terms=Terms(windows=windows, closed=tuple(closed)))


def comes(offer: Offer, moment: datetime) -> Charge | No:
    return weigh(offer, RULES, Party(), Visitor(), moment)


# --- the edges of a window --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "is_in", "why"),
    [
        ("2026-11-18 18:59:59", False, "a second before"),
        ("2026-11-18 19:00:00", True, "the first minute"),
        ("2026-11-18 20:59:59", True, "the last"),
        ("2026-11-18 21:00:00", False, "it closes at 21:00 and is no longer open then"),
        ("2026-11-17 19:00:00", False, "on another day"),
        ("2026-07-15 18:00:00", True, "19:00 in London is 18:00 in UTC in summer"),
        ("2026-07-15 19:59:59", True, "the last minute of summer's"),
        ("2026-07-15 20:00:00", False, "21:00 in London"),
        ("2026-06-30 23:30:00", False, "already Wednesday in London, and night"),
    ],
)
def test_a_window_is_open_from_its_first_minute_to_its_last(*, moment: str, is_in: bool, why: str) -> None:
    assert is_open((window("19:00", "21:00", "wed"),), (), utc(moment)) is is_in, why


@pytest.mark.parametrize(
    ("windows", "closed", "moment", "is_in", "why"),
    [
        ((), (), "2026-11-18 03:00", True, "without windows it is always open"),
        ((), ("2026-11-18",), "2026-11-18 03:00", False, "but on closed dates"),
        ((), ("2026-11-18",), "2026-11-19 00:00", True, "until they are over"),
        ((window("00:00", "24:00", "wed"),), (), "2026-11-18 23:59", True, "the last minute of a whole day"),
        ((window("00:00", "24:00", "wed"),), (), "2026-11-19 00:00", False, "the next day"),
        ((window("22:00", "24:00", "wed"), window("00:00", "02:00", "thu")), (), "2026-11-19 00:00", True, "past it"),
        ((window("19:00", "21:00"),), ("2026-12-25",), "2026-12-25 19:30", False, "a closed date goes before"),
        ((window("00:00", "24:00"),), ("2026-07-01",), "2026-06-30 23:30", False, "July in London, June in UTC"),
        ((window("00:00", "24:00"),), ("2026-06-30",), "2026-06-30 23:30", True, "and June is over"),
        ((window("00:00", "24:00"),), ("2027-01-01",), "2026-12-31 23:59", True, "in winter both turn at once"),
    ],
)
def test_days_are_londons(
    *, windows: tuple[Window, ...], closed: tuple[str, ...], moment: str, is_in: bool, why: str
) -> None:
    assert is_open(windows, [date.fromisoformat(day) for day in closed], utc(moment)) is is_in, why


def test_a_moment_is_the_same_in_every_zone() -> None:
    it = of(window("19:00", "21:00", "wed"))
    for moment in (utc("2026-07-15 17:00"), utc("2026-07-15 18:30")):
        assert comes(it, moment) == comes(it, moment.astimezone(LONDON))


# --- from when it would work ------------------------------------------------------------------------------------

EVENING = window("19:00", "21:00", "mon", "tue", "wed", "thu", "fri")


@pytest.mark.parametrize(
    ("offer", "moment", "works_at", "words", "why"),
    [
        (of(EVENING), "2026-11-18 17:30", "2026-11-18 19:00", "at 19:00", "later the same day"),
        (of(EVENING), "2026-11-18 18:59:30", "2026-11-18 19:00", "at 19:00", "in half a minute"),
        (of(EVENING), "2026-11-18 21:00", "2026-11-19 19:00", "at 19:00 on Thursday 19 November", "the next day"),
        (of(EVENING), "2026-11-20 21:00", "2026-11-23 19:00", "at 19:00 on Monday 23 November", "after the weekend"),
        (
            of(EVENING, closed=[date(2026, 11, 23)]),
            "2026-11-20 21:00",
            "2026-11-24 19:00",
            "at 19:00 on Tuesday 24 November",
            "a closed date is no opening",
        ),
        (
            of(closed=[date(2026, 12, 25), date(2026, 12, 26)]),
            "2026-12-25 12:00",
            "2026-12-27 00:00",
            "at 00:00 on Sunday 27 December",
            "an offer without windows opens with the day",
        ),
        (
            of(window("10:00", "11:00", "fri")),
            "2026-12-31 12:00",
            "2027-01-01 10:00",
            "at 10:00 on Friday 1 January",
            "year",
        ),
        (
            of(window("00:00", "01:00", "wed")),
            "2026-06-30 22:30",
            "2026-06-30 23:00",
            "at 00:00 on Wednesday 1 July",
            "July",
        ),
        (
            of(window("10:00", "11:00"), window("08:00", "09:00")),
            "2026-11-18 07:00",
            "2026-11-18 08:00",
            "at 08:00",
            "the first of two, in whatever order they stand",
        ),
    ],
)
def test_it_says_from_when_it_would_work(offer: Offer, moment: str, works_at: str, words: str, why: str) -> None:
    answer = comes(offer, utc(moment))
    assert isinstance(answer, No), why
    assert (answer.reason, answer.works_at) == (Refusal.OFFER_CLOSED_NOW, utc(works_at)), why
    assert answer.detail == f"This offer isn't open then. It opens {words}.", why


def test_what_would_not_work_then_either_is_not_promised() -> None:
    moment = utc("2026-11-18 17:30")
    for adults, works_at in ((8, utc("2026-11-18 19:00")), (9, None)):
        answer = weigh(of(EVENING), RULES, Party(adults=adults), Visitor(), moment)
        assert isinstance(answer, No)
        assert answer.works_at == works_at
        assert answer.detail == "This offer isn't open then. It opens at 19:00."


def test_what_is_far_away_is_not_promised() -> None:
    mondays = [date(2026, 11, 23) + number * 7 * DAY for number in range(100)]
    it = of(window("10:00", "11:00", "mon"), closed=mondays)
    answer = comes(it, utc("2026-11-18 12:00"))
    assert isinstance(answer, No)
    assert (answer.detail, answer.works_at) == ("This offer isn't open then.", None)


def test_a_hundred_closed_dates_in_a_row_are_looked_past() -> None:
    it = of(window("10:00", "11:00", "mon"), closed=[date(2026, 11, 18) + number * DAY for number in range(100)])
    answer = comes(it, utc("2026-11-18 12:00"))
    assert isinstance(answer, No)
    assert answer.works_at == utc("2027-03-01 10:00")


def test_from_a_moment_on_it_is_open_then_or_with_the_next_window() -> None:
    it = of(EVENING)
    assert open_from(it, RULES, utc("2026-11-18 20:00")) == utc("2026-11-18 20:00")
    assert open_from(it, RULES, utc("2026-12-01 00:00")) == utc("2026-12-01 19:00")


# --- the night of 29 March 2026: after 00:59 comes 02:00 -----------------------------------------------------------


@pytest.mark.parametrize(
    ("opens", "closes", "moment", "works_at", "shows", "why"),
    [
        ("00:30", "03:00", "2026-03-29 00:00", "2026-03-29 00:30", "00:30", "before the gap, in winter time"),
        ("01:30", "03:00", "2026-03-29 00:00", "2026-03-29 01:00", "02:00", "begins in the gap: open when it is over"),
        ("01:00", "02:01", "2026-03-29 00:30", "2026-03-29 01:00", "02:00", "begins with the gap, a minute is left"),
        ("02:00", "03:00", "2026-03-29 00:30", "2026-03-29 01:00", "02:00", "begins where the gap ends"),
        ("03:00", "04:00", "2026-03-29 00:30", "2026-03-29 02:00", "03:00", "in summer time"),
        ("01:00", "02:00", "2026-03-29 00:30", "2026-03-30 00:00", "01:00", "all of it is missing: the next day"),
        ("01:15", "01:45", "2026-03-28 02:00", "2026-03-30 00:15", "01:15", "the same from the evening before"),
    ],
)
def test_when_the_clocks_go_forward(  # noqa: PLR0917  # a table's columns
    opens: str, closes: str, moment: str, works_at: str, shows: str, why: str
) -> None:
    answer = comes(of(window(opens, closes)), utc(moment))
    assert isinstance(answer, No), why
    assert answer.works_at == utc(works_at), why
    assert answer.detail.startswith(f"This offer isn't open then. It opens at {shows}"), why


def test_the_missing_hour_is_open_to_nobody() -> None:
    it = (window("01:00", "02:00"),)
    night = [utc("2026-03-29 00:00") + number * MINUTE for number in range(180)]
    assert not any(is_open(it, (), moment) for moment in night)


# --- the night of 25 October 2026: after 01:59 comes 01:00 once more -----------------------------------------------


@pytest.mark.parametrize(
    ("opens", "closes", "moment", "works_at", "why"),
    [
        ("01:30", "01:45", "2026-10-25 00:00", "2026-10-25 00:30", "the first time that the clock shows it"),
        ("01:30", "01:45", "2026-10-25 00:45", "2026-10-25 01:30", "over, and again an hour later"),
        ("01:30", "01:45", "2026-10-25 01:45", "2026-10-26 01:30", "over twice: the next day"),
        ("00:00", "01:30", "2026-10-25 00:30", "2026-10-25 01:00", "closed at 01:30, and the clock goes back into it"),
        ("01:00", "02:00", "2026-10-24 23:59", "2026-10-25 00:00", "two hours long that night, from the first on"),
        ("02:00", "03:00", "2026-10-25 00:59", "2026-10-25 02:00", "02:00 comes once, in winter time"),
        ("00:30", "01:00", "2026-10-25 00:00", "2026-10-26 00:30", "closed when the clock goes back: the next night"),
    ],
)
def test_when_the_clocks_go_back(opens: str, closes: str, moment: str, works_at: str, why: str) -> None:
    answer = comes(of(window(opens, closes)), utc(moment))
    assert isinstance(answer, No), why
    assert answer.works_at == utc(works_at), why


def test_the_repeated_hour_is_open_both_times() -> None:
    it = (window("01:00", "02:00"),)
    night = [utc("2026-10-24 23:00") + number * MINUTE for number in range(300)]
    assert sum(is_open(it, (), moment) for moment in night) == 120


# --- always -----------------------------------------------------------------------------------------------------

_ODD_NIGHTS = (utc("2026-03-29 01:00"), utc("2026-10-25 01:00"))
_minutes_of_day = st.one_of(st.integers(0, 1439), st.integers(0, 180))  # nights are where it is odd


@st.composite
def _windows(draw: st.DrawFn) -> Window:
    opens, closes = draw(_minutes_of_day), draw(st.one_of(st.integers(1, 1440), st.integers(1, 200)))
    opens, closes = min(opens, closes - 1), max(opens + 1, closes)
    return Window(
        days=tuple(draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))),
        opens=f"{opens // 60:02}:{opens % 60:02}",
        closes=f"{closes // 60:02}:{closes % 60:02}",
    )


@st.composite
def _cases(draw: st.DrawFn) -> tuple[tuple[Window, ...], tuple[date, ...], datetime]:
    near = draw(st.sampled_from((*_ODD_NIGHTS, utc("2026-07-01 00:00"), utc("2027-01-01 00:00"))))
    moment = near + timedelta(seconds=draw(st.one_of(st.integers(-7 * 86_400, 7 * 86_400), st.integers(-9_000, 9_000))))
    today = moment.astimezone(LONDON).date()
    closed = draw(st.lists(st.integers(-1, 9), max_size=4, unique=True))
    return tuple(draw(st.lists(_windows(), max_size=4))), tuple(today + number * DAY for number in closed), moment


def _shown(windows: Sequence[Window], closed: Sequence[date], moment: datetime) -> bool:
    """The rule said a second time, as plainly as can be: what does the clock on the wall show?"""
    local = moment.astimezone(LONDON)
    day, now = f"{local:%a}".lower(), f"{local:%H:%M}"
    return local.date() not in closed and (
        not windows or any(day in each.days and each.opens <= now < each.closes for each in windows)
    )


@given(_cases())
@example(((window("01:30", "02:30"),), (), utc("2026-03-29 00:10:30")))
@example(((window("00:00", "01:30"),), (), utc("2026-10-25 00:40:59")))
def test_it_works_from_the_first_minute_at_which_it_is_accepted(
    case: tuple[tuple[Window, ...], tuple[date, ...], datetime],
) -> None:
    windows, closed, moment = case
    it = of(*windows, closed=closed)
    answer = comes(it, moment)
    assert isinstance(answer, Charge) is _shown(windows, closed, moment)
    if isinstance(answer, Charge):
        return
    first = moment.replace(second=0) + MINUTE
    minutes = (first + number * MINUTE for number in range(8 * 1440))
    found = next((each for each in minutes if _shown(windows, closed, each)), None)
    if found is not None:
        assert answer.works_at == found
        assert in_words(found, moment) in answer.detail
    else:
        assert answer.works_at is None or answer.works_at >= first + 8 * DAY
    if answer.works_at is not None:
        assert comes(it, answer.works_at) == Charge(60, 1)
        assert next_opening(windows, closed, answer.works_at - MINUTE) == answer.works_at


@given(_cases(), st.randoms())
def test_the_order_of_windows_changes_nothing(
    case: tuple[tuple[Window, ...], tuple[date, ...], datetime],
    shuffle: Any,  # noqa: ANN401  # hypothesis's Random
) -> None:
    windows, closed, moment = case
    otherwise = list(windows)
    shuffle.shuffle(otherwise)
    one, other = of(*windows, closed=closed), of(*otherwise, closed=closed)
    assert comes(one, moment) == comes(other, moment)
    assert bool(faults(one.terms, one.kind, RULES, 60)) is bool(faults(other.terms, other.kind, RULES, 60))
