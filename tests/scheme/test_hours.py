"""The rules on hours, a table each: one row per case, and why it is so at the end of the row."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ledger.scheme.hours import (
    Exceptional,
    crosses_week_note,
    explained,
    in_words,
    minutes_fault,
    of_period,
    period_faults,
    rounded,
    weigh,
)
from ledger.scheme.rules import Rules

RULES = Rules()
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
BST, GMT = timezone(timedelta(hours=1)), UTC


# --- rule 2: the step -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "step", "expected", "why"),
    [
        (60, 15, 60, "on the step"),
        (160, 15, 165, "2 h 40 is nearer to 2 h 45 than to 2 h 30"),
        (80, 15, 75, "1 h 20 is nearer to 1 h 15"),
        (67, 15, 60, "just below the half"),
        (68, 15, 75, "just above the half"),
        (45, 30, 60, "a half goes up"),
        (15, 30, 30, "a half goes up, from nothing too"),
        (1, 15, 15, "one step at least"),
        (0, 15, 15, "one step at least, however short"),
        (7, 1, 7, "a step of a minute rounds nothing"),
    ],
)
def test_a_figure_is_rounded_to_the_step(minutes: int, step: int, expected: int, why: str) -> None:
    assert rounded(minutes, step) == expected, why


def test_rounding_twice_changes_nothing_and_moves_by_half_a_step_at_most() -> None:
    for step in range(1, 61):
        for minutes in range(1, 1441):
            once = rounded(minutes, step)
            assert once % step == 0
            assert rounded(once, step) == once
            assert once == step or -step < 2 * (once - minutes) <= step


@pytest.mark.parametrize(
    ("minutes", "least", "said", "why"),
    [
        (165, 15, "", "on the step"),
        (1440, 15, "", "a whole day"),
        (0, 0, "", "just tea, where that may be"),
        (160, 15, "must be in steps of 15: 165 is the nearest", "off the step, and the nearest is named"),
        (1439, 15, "must be in steps of 15: 1440 is the nearest", "the nearest is never above a day"),
        (14, 15, "must be 15 to 1440, in steps of 15", "less than a step"),
        (0, 15, "must be 15 to 1440, in steps of 15", "a claim has minutes"),
        (-60, 0, "must be 15 to 1440, in steps of 15", "nobody gives less than nothing"),
        (1455, 15, "must be 15 to 1440, in steps of 15", "more than a day"),
    ],
)
def test_a_figure_that_was_sent_must_be_rounded_already(minutes: int, least: int, said: str, why: str) -> None:
    assert minutes_fault(RULES, minutes, least=least) == said, why


@pytest.mark.parametrize(
    ("started_at", "ended_at", "expected", "why"),
    [
        (NOON, NOON + timedelta(hours=2, minutes=40), 165, "rounded"),
        (NOON, NOON + timedelta(minutes=22, seconds=29), 15, "seconds count: just below the half"),
        (NOON, NOON + timedelta(minutes=22, seconds=30), 30, "seconds count: the half goes up"),
        (NOON, NOON + timedelta(hours=24), 1440, "a whole day"),
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=BST),
            datetime(2026, 10, 25, 2, 30, tzinfo=GMT),
            180,
            "the night the clocks go back has an hour more",
        ),
        (
            datetime(2026, 3, 29, 0, 30, tzinfo=GMT),
            datetime(2026, 3, 29, 3, 30, tzinfo=BST),
            120,
            "the night they go forward has one less",
        ),
        (
            datetime(2026, 10, 25, 1, 30, tzinfo=BST),
            datetime(2026, 10, 25, 1, 30, tzinfo=GMT),
            60,
            "half past one to half past one: the offset tells them apart",
        ),
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=ZoneInfo("Europe/London")),
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/London")),
            180,
            "reckoned between moments, and not on the clock on the wall",
        ),
    ],
)
def test_a_period_comes_to_its_length_rounded(
    started_at: datetime, ended_at: datetime, expected: int, why: str
) -> None:
    assert of_period(RULES, started_at, ended_at) == expected, why


def test_a_whole_day_is_never_rounded_above_itself() -> None:
    for step in range(1, 61):
        most = of_period(Rules(step_minutes=step), NOON, NOON + timedelta(hours=24))
        assert most <= 1440
        assert minutes_fault(Rules(step_minutes=step), most, least=step) == ""


# --- rules 3, 6, 7, 8 and 9: what somebody looks at first ---------------------------------------------------------

OVERLAPPING, DAY, LONG, OWN, CLOSED = (
    Exceptional.OVERLAPPING,
    Exceptional.ABOVE_DAILY_CAP,
    Exceptional.ABOVE_SECOND_APPROVAL,
    Exceptional.OWN_HOURS,
    Exceptional.AUTO_CLOSED,
)


@pytest.mark.parametrize(
    ("minutes", "before", "told", "exceptions", "second", "why"),
    [
        (60, 0, {}, (), False, "an hour is an hour"),
        (360, 0, {}, (), False, "rule 8: 6 h are not above 6 h"),
        (375, 0, {}, (LONG,), True, "rule 8: an entry above 6 h"),
        (120, 360, {}, (), False, "rule 3: the day comes to 8 h exactly"),
        (135, 360, {}, (DAY,), True, "rule 3: the day comes to more than 8 h"),
        (495, 0, {}, (DAY, LONG), True, "rules 3 and 8 at once"),
        (60, 0, {"overlapping": True}, (OVERLAPPING,), False, "rule 6: queried, and one approver is enough"),
        (60, 0, {"own": True}, (OWN,), False, "rule 7: somebody else, and one of them is enough"),
        (60, 0, {"auto_closed": True}, (CLOSED,), False, "rule 9: waits for a human"),
        (375, 0, {"overlapping": True, "own": True}, (OVERLAPPING, LONG, OWN), True, "all that is so is told"),
    ],
)
def test_hours_are_weighed(
    *, minutes: int, before: int, told: dict[str, bool], exceptions: tuple[Exceptional, ...], second: bool, why: str
) -> None:
    weighed = weigh(RULES, minutes, day_minutes=before, **told)
    assert (weighed.exceptions, weighed.second_needed) == (exceptions, second), why
    assert weighed.overlapping is (OVERLAPPING in exceptions), why


def test_every_exception_has_its_sentence_with_the_schemes_own_figures() -> None:
    said = {
        exception: explained(Rules(daily_cap_minutes=600, second_above_minutes=90), exception)
        for exception in Exceptional
    }
    assert len(set(said.values())) == len(Exceptional)
    assert "10 hours" in said[DAY]
    assert "1 hour 30" in said[LONG]


# --- rule 4: the week -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected", "why"),
    [
        (0, 1200, False, "20 h are not above 20 h"),
        (1185, 1200, False, "nor is reaching them"),
        (1200, 1215, True, "now it is"),
        (600, 1800, True, "in one go, too"),
        (1215, 1230, False, "it was said once"),
        (1215, 1215, False, "nothing changed"),
    ],
)
def test_a_week_is_noted_when_it_comes_above_the_soft_cap(*, before: int, after: int, expected: bool, why: str) -> None:
    assert crosses_week_note(RULES, before, after) is expected, why


# --- rule 5: back-dating, and no future -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started", "ended", "fields", "why"),
    [
        (timedelta(hours=-2), timedelta(hours=-1), [], "an hour ago"),
        (timedelta(hours=-2), timedelta(), [], "until this moment"),
        (timedelta(days=-60), timedelta(days=-59, hours=-23), [], "60 days ago to the second"),
        (timedelta(hours=-24), timedelta(), [], "a day is as long as it gets"),
        (timedelta(days=-60, seconds=-1), timedelta(days=-59, hours=-23), ["started_at"], "more than 60 days ago"),
        (timedelta(hours=-1), timedelta(seconds=1), ["ended_at"], "in the future"),
        (timedelta(hours=1), timedelta(hours=2), ["started_at"], "wholly in the future: so is its day"),
        (timedelta(hours=-1), timedelta(hours=-1), ["ended_at"], "no length"),
        (timedelta(hours=-1), timedelta(hours=-2), ["ended_at"], "ends before it starts"),
        (timedelta(hours=-25), timedelta(), ["ended_at"], "longer than a day"),
        (timedelta(days=-61), timedelta(days=-62), ["ended_at", "started_at"], "all that is wrong is told"),
    ],
)
def test_a_period_in_which_hours_may_have_been_given(
    started: timedelta, ended: timedelta, fields: list[str], why: str
) -> None:
    assert [field for field, _ in period_faults(RULES, NOON + started, NOON + ended, NOON)] == fields, why


def test_nobody_is_late_for_having_been_asked_back() -> None:
    started_at = NOON - timedelta(days=70)
    ended_at = started_at + timedelta(hours=1)
    assert period_faults(RULES, started_at, ended_at, NOON)
    assert not period_faults(RULES, started_at, ended_at, NOON, told_at=NOON - timedelta(days=30))


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0 minutes"),
        (1, "1 minute"),
        (45, "45 minutes"),
        (60, "1 hour"),
        (90, "1 hour 30"),
        (160, "2 hours 40"),
        (480, "8 hours"),
    ],
)
def test_lengths_are_told_as_people_say_them(minutes: int, said: str) -> None:
    assert in_words(minutes) == said
