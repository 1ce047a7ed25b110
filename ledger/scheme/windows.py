"""When an offer is open: weekly windows and closed dates, by the clock in London (rule 18).

A window is open from its first minute up to its last, at whatever moment the clock on the wall shows them: on the night
when the clocks go back, one between 01:00 and 02:00 is open twice, on the night when they go forward not at all.
``next_opening`` is right on both.

Pure, and bounded: an offer has at most 28 windows and 100 closed dates, and nobody is told of an opening farther away
than those can put it.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from ledger.scheme.clock import LONDON

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Zero-padded, so that times compare as text; 24:00 is the end of the day.
OPENS_PATTERN: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
CLOSES_PATTERN: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)"
Opens = Annotated[str, Meta(pattern=OPENS_PATTERN)]
Closes = Annotated[str, Meta(pattern=CLOSES_PATTERN)]

DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open on these days from ``opens`` up to, and no longer at, ``closes``. One past midnight is two windows."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)]
    opens: Opens
    closes: Closes


def is_open(windows: Sequence[Window], closed: Collection[date], moment: datetime) -> bool:
    """Whether it is open at this moment. Without windows it always is, but on closed dates."""
    local = moment.astimezone(LONDON)
    if closed and local.date() in closed:
        return False
    if not windows:
        return True
    day, now = DAYS[local.weekday()], _SHOWN[local.hour * 60 + local.minute]
    for window in windows:  # noqa: SIM110  # twice as quick as any(), and every redemption comes by
        if window.opens <= now < window.closes and day in window.days:
            return True
    return False


def next_opening(windows: Sequence[Window], closed: Collection[date], after: datetime) -> datetime | None:
    """The first minute, in UTC, at which it is open again after a moment when it isn't; None if that is far away."""
    day = after.astimezone(LONDON).date()
    for _ in range(_DAYS_AHEAD):
        days_own = [window for window in windows or _ALWAYS if DAYS[day.weekday()] in window.days]
        if days_own and day not in closed:
            opens = (turn for turn in _turns(days_own, day) if turn > after and is_open(days_own, (), turn))
            if (first := min(opens, default=None)) is not None:
                return first
        day += timedelta(days=1)
    return None


def in_words(opening: datetime, after: datetime) -> str:
    """When that is: "at 19:00" on the same day, else "at 10:00 on Tuesday 24 November"."""
    then = opening.astimezone(LONDON)
    at = f"at {then:%H:%M}"
    return at if then.date() == after.astimezone(LONDON).date() else f"{at} on {then:%A} {then.day} {then:%B}"


def _turns(windows: Sequence[Window], day: date) -> Iterator[datetime]:
    """Every moment of a day, and some more, at which something that was closed can be open.

    That is when the clock shows a window's beginning, which it may do twice; and when it is put forward past one, or
    back into one: always at 01:00 in UTC (Summer Time Order 2002).
    """
    for window in windows:
        opens = datetime.combine(day, time.fromisoformat(window.opens), LONDON)
        yield opens.astimezone(UTC)
        yield opens.replace(fold=1).astimezone(UTC)
    yield datetime.combine(day, time(1), UTC)


_SHOWN: Final = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))
_ALWAYS: Final = (Window(days=DAYS, opens="00:00", closes="24:00"),)
# As many as can be closed in a row, and the week after them.
_DAYS_AHEAD: Final = 100 + 8
