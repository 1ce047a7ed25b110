"""Hours: the rules on what somebody gave, by itself and against what stands. Pure: no I/O, no clock.

Registers, claims and attendance weigh hours by the same few rules (2 to 8 of the product's table):

- a figure is rounded to the step, half up, and to one step at least;
- above the daily cap, or as one entry above the threshold, a second approver is needed;
- sessions of one person that overlap are queried;
- nobody approves their own;
- a week above the soft cap is noted for staff, and never stops anything.

What is not as usual is told by ``Exceptional``, in the words of the columns that keep it, and to people by
``explained``. Lengths are reckoned between moments, so the nights on which the clocks change are as long as they were.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from ledger.scheme.rules import Rules

SESSION_MAX = timedelta(hours=24)
# How far back the office may write hours down: as long as anything else is kept of whoever stopped coming (rule 28).
OFFICE_BACK_DAYS: Final = 730


class State(StrEnum):
    """A claim's state. One that is approved is awarded when its entry stands in the journal."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    QUERIED = "queried"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Exceptional(StrEnum):
    """Why somebody should look before they approve."""

    OVERLAPPING = "overlapping"
    ABOVE_DAILY_CAP = "above_daily_cap"
    ABOVE_SECOND_APPROVAL = "above_second_approval"
    OWN_HOURS = "own_hours"
    AUTO_CLOSED = "auto_closed"


class Weighed(Struct, frozen=True):
    """What the rules say of some hours."""

    exceptions: tuple[Exceptional, ...]
    second_needed: bool

    @property
    def overlapping(self) -> bool:
        """Whether they are queried before anybody approves."""
        return Exceptional.OVERLAPPING in self.exceptions


def rounded(minutes: int, step: int) -> int:
    """The minutes to the nearest step, half up, and one step at least."""
    return max((2 * minutes + step) // (2 * step) * step, step)


def of_period(rules: Rules, started_at: datetime, ended_at: datetime) -> int:
    """The minutes that a period comes to: its length, rounded, and never above a day's last step."""
    step = rules.step_minutes
    seconds = int((ended_at.astimezone(UTC) - started_at.astimezone(UTC)).total_seconds())
    return min(rounded(seconds, step * 60) // 60, _most(step))


def _most(step: int) -> int:
    return int(SESSION_MAX.total_seconds()) // 60 // step * step


def weigh(  # what the rules look at, each by its name
    rules: Rules,
    minutes: int,
    *,
    day_minutes: int,
    overlapping: bool = False,
    own: bool = False,
    auto_closed: bool = False,
) -> Weighed:
    """Judge hours of that many minutes; ``day_minutes`` is what counts for the person on that day already.

    ``own`` says that whoever would approve them gave them.
    """
    found = {
        Exceptional.OVERLAPPING: overlapping,
        Exceptional.ABOVE_DAILY_CAP: day_minutes + minutes > rules.daily_cap_minutes,
        Exceptional.ABOVE_SECOND_APPROVAL: minutes > rules.second_above_minutes,
        Exceptional.OWN_HOURS: own,
        Exceptional.AUTO_CLOSED: auto_closed,
    }
    second = found[Exceptional.ABOVE_DAILY_CAP] or found[Exceptional.ABOVE_SECOND_APPROVAL]
    return Weighed(tuple(exception for exception, is_so in found.items() if is_so), second)


def crosses_week_note(rules: Rules, before: int, after: int) -> bool:
    """Whether a week that came to ``before`` minutes comes above the soft cap now: worth a kind word, once."""
    return before <= rules.weekly_note_minutes < after


def period_faults(
    rules: Rules,
    started_at: datetime,
    ended_at: datetime,
    now: datetime,
    *,
    told_at: datetime | None = None,
    by_office: bool = False,
) -> Sequence[tuple[str, str]]:
    """What is wrong with a period in which hours were given, field by field.

    ``told_at`` is when they were first told of, where that was earlier: nobody is late for having been asked back.
    ``by_office``: staff write down what lies further back than others may tell.
    """
    back_days = max(rules.back_days, OFFICE_BACK_DAYS) if by_office else rules.back_days
    faults = []
    if ended_at <= started_at:
        faults.append(("ended_at", "must be after started_at"))
    elif ended_at - started_at > SESSION_MAX:
        faults.append(("ended_at", "must be at most 24 hours after started_at"))
    if ended_at > now:
        # Of a day that is still to come, it is the day that is wrong, and not how long it was.
        faults.append(("started_at" if started_at > now else "ended_at", "must not lie in the future"))
    if started_at < (told_at or now) - timedelta(days=back_days):
        faults.append(("started_at", f"must be at most {back_days} days ago"))
    return faults


def minutes_fault(rules: Rules, minutes: int, *, least: int) -> str:
    """What is wrong with a figure as it was sent, or nothing. It must have been rounded already."""
    step = rules.step_minutes
    if minutes == 0 and least == 0:
        return ""
    most = _most(step)
    if not step <= minutes <= most:
        return f"must be {least or step} to {most}, in steps of {step}"
    if minutes % step:
        return f"must be in steps of {step}: {rounded(minutes, step)} is the nearest"
    return ""


def in_words(minutes: int) -> str:
    """A length of time as people say it: "2 hours 40", "1 hour", "45 minutes"."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} minute{'' if rest == 1 else 's'}"
    return f"{hours} hour{'' if hours == 1 else 's'}{f' {rest}' if rest else ''}"


def explained(rules: Rules, exception: Exceptional) -> str:
    """Why somebody looks first, in a sentence for whoever gave the hours, and for the project that looks."""
    match exception:
        case Exceptional.OVERLAPPING:
            return "The times overlap with other hours, so somebody has a look first."
        case Exceptional.ABOVE_DAILY_CAP:
            cap = in_words(rules.daily_cap_minutes)
            return f"The day comes to more than {cap}, so a second person has a look too."
        case Exceptional.ABOVE_SECOND_APPROVAL:
            above = in_words(rules.second_above_minutes)
            return f"This is more than {above} in one go, so a second person has a look too."
        case Exceptional.OWN_HOURS:
            return "Nobody approves their own hours, so somebody else has a look."
        case Exceptional.AUTO_CLOSED:
            return "Nobody signed out, so the time is as it was planned and somebody has a look first."


def reasons(rules: Rules, exceptions: Sequence[str], *, overlapping: bool) -> list[str]:
    """Why somebody looks first at hours that were weighed, each ``explained``; ``overlapping``: by now they do."""
    found = [Exceptional(exception) for exception in exceptions]
    if overlapping and Exceptional.OVERLAPPING not in found:
        found.insert(0, Exceptional.OVERLAPPING)
    return [explained(rules, exception) for exception in found]
