"""The time by which tests run: now, were it noon in London when this process began.

"An hour ago" is then today, "in two hours" too, and no midnight comes between what a test makes and what it looks at,
at whatever hour the tests are run. Days stay what they are: what holds on a Monday or in the week in which the clocks
change is met on such days. A process of its own asks the machine's clock, and so does the test that starts it.
"""

from datetime import datetime, time, timedelta
from typing import Final

from ledger.scheme.clock import LONDON, day_of, system_clock

_BEGAN: Final = system_clock()
_NOON: Final = datetime.combine(day_of(_BEGAN), time(12), LONDON)
SHIFT: Final[timedelta] = _NOON - _BEGAN
"""What is added to the machine's clock."""


def daytime() -> datetime:
    """The present moment by tests' clock, in UTC."""
    return system_clock() + SHIFT
