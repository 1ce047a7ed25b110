"""Days in an address, as London's calendar has them: `?since=2026-11-14`.

Taken as text and matched first, because Litestar would read other forms too; what no calendar has is refused (400).
"""

from datetime import date
from typing import Final

from ledger.doors.api.problems import Refused
from ledger.doors.fields import Fault

DAY_PATTERN: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$(?!\n)"


def day(name: str, text: str | None) -> date | None:
    """Return the day that the parameter of that name says, or None where it isn't there."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fault = Fault(name, "is no day of the calendar")
        raise Refused("wrong_parameters", f"`{name}` {fault.message}.", fields=[fault]) from None
