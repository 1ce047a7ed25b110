"""The time, injected: whoever needs it takes a ``Clock``, so that a test can be at any moment it likes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present moment, with its zone."""


def system_clock() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


# Days, weeks and months of the scheme are the clock's on the wall, in summer too.
LONDON: Final = ZoneInfo("Europe/London")


def day_of(moment: datetime) -> date:
    """The day on which something counts: the date in London."""
    return moment.astimezone(LONDON).date()


def end_of(day: date) -> datetime:
    """The moment at which a day of the scheme is over: the next midnight in London."""
    return datetime.combine(day + timedelta(days=1), time(), LONDON)
