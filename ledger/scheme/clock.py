"""The time, injected: whoever needs it takes a ``Clock``, so that a test can be at any moment it likes."""

from collections.abc import Callable
from datetime import UTC, date, datetime
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
