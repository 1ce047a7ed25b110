"""When something is open, in words: weekly windows as "Monday to Friday, 9am to 4pm".

Windows of the same hours are told together, days in a row as a span; a week is "Every day".
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import time
from typing import Final

from babel import Locale
from babel.dates import format_time, get_day_names
from babel.lists import format_list

from ledger.scheme.windows import DAYS, Window

# Two days in a row are named one by one.
_SPAN: Final = 3


def opening(windows: Sequence[Window], said: Callable[[str], str], locale: Locale) -> list[str]:
    """A sentence for each time of day at which it is open."""
    hours: dict[tuple[str, str], set[int]] = {}
    for window in windows:
        hours.setdefault((window.opens, window.closes), set()).update(DAYS.index(day) for day in window.days)
    return [
        said("%(days)s, %(opens)s to %(closes)s")
        % {
            "days": _days(days, said, locale),
            "opens": _clock(opens, said, locale),
            "closes": _clock(closes, said, locale),
        }
        for (opens, closes), days in sorted(hours.items(), key=lambda each: (min(each[1]), each[0]))
    ]


def _days(days: set[int], said: Callable[[str], str], locale: Locale) -> str:
    if len(days) == len(DAYS):
        return said("Every day")
    names = get_day_names("wide", locale=locale)
    told: list[str] = []
    for run in _runs(sorted(days)):
        if len(run) < _SPAN:
            told += (names[day] for day in run)
        else:
            told.append(said("%(first)s to %(last)s") % {"first": names[run[0]], "last": names[run[-1]]})
    return format_list(told, "standard", locale)


def _runs(days: Sequence[int]) -> Iterator[list[int]]:
    """Days that follow one another."""
    run: list[int] = []
    for day in days:
        if run and day != run[-1] + 1:
            yield run
            run = []
        run.append(day)
    yield run


def _clock(shown: str, said: Callable[[str], str], locale: Locale) -> str:
    if shown in {"00:00", "24:00"}:
        return said("midnight")
    return format_time(time.fromisoformat(shown), "h:mma", locale=locale).lower().replace(":00", "")
