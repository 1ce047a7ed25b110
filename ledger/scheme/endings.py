"""When credits end (rules 11 and 15): the dates, and what of a wallet ends on each. Pure, told by the journal alone.

**Lot by lot**, it is this. What comes into a wallet is a lot with an end date, the last day on which it lasts: that of
the month, London time, so many months after it was recorded, for from then on it could be spent (an award, an opening
balance, a note, a voucher, a gift that was accepted). Whatever leaves, takes of the lots that end soonest; of one date
first what was reinstated before. What comes back, comes back into the very lots it was taken from, what was taken last
first:

===========================================  ==================================================================
a hold's void or lapse, its uncaptured rest  keep their date; lots that ended meanwhile last `void_days` from then
a refund                                     the later of their date and `refund_days` from then
a reinstatement, which refunds an expiry     likewise, so from then; and isn't reinstated again once it has ended
===========================================  ==================================================================

Credits on hold have left the wallet, and don't end; expiry takes what is left in lots that have ended, which are those
that end soonest.

**No lot is stored.** Lots of one date are alike, so a wallet is so many minutes by date, and each entry that took some
remembers of which dates: ``Purse`` folds the wallet's lines, in their order, into that. Of a wallet that only received
and spent it is, by any date, *what it received with an end up to then less all that ever left*, or nothing.

**The rules of today** date everything, so that everybody's hour lasts as long. So that no change takes anything at once
(from none to two years, above all), no end lies before ``no_sooner``: the first notice's days after the last change.
"""

import calendar
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from msgspec import Struct

from ledger.journal.entries import Kind

NEVER = date.max
_MONTHS = 12


class Dating(Struct, frozen=True, kw_only=True):
    """What end dates are made by; with no months nothing ends."""

    months: int
    void_days: int
    refund_days: int
    no_sooner: date = date.min

    def received(self, day: date) -> date:
        """The end of what is received on that day."""
        if not self.months:
            return NEVER
        return max(_month_end(_month(day) + self.months), self.no_sooner)

    def returned(self, ends: date, day: date) -> date:
        """The end of what comes back from a hold on that day."""
        return ends if day <= ends else day + timedelta(days=self.void_days)

    def refunded(self, ends: date, day: date) -> date:
        """The end of what is refunded on that day."""
        return max(ends, day + timedelta(days=self.refund_days))

    def lasting_beyond(self, horizon: date) -> date | None:
        """What is received from this day on ends after the horizon; None if all of it does, whenever received."""
        if not self.months or horizon < self.no_sooner:
            return None
        ended = _month(horizon + timedelta(days=1)) - self.months
        return date(ended // _MONTHS, ended % _MONTHS + 1, 1)


class Line(Struct, frozen=True, gc=False):
    """A line of a wallet's statement, as far as endings need it; ``minutes`` is signed.

    ``origin`` is the entry that took what a return gives back: the hold, or the plain entry that is refunded.
    """

    sequence: int
    position: int
    day: date
    kind: Kind
    minutes: int
    origin: int | None
    is_expiry: bool
    """Whether it goes to, or comes from, what has ended."""


class Lapsed(NamedTuple):
    """An expiry: its entry's position, its day, how much of it may be reinstated, and when that would end."""

    position: int
    day: date
    minutes: int
    ends: date


class _Lot(NamedTuple):
    """Lots that are alike. They sort as they are spent."""

    ends: date
    is_fresh: bool  # never reinstated


class Purse:
    """A wallet by end date, folded from its lines."""

    def __init__(self, dating: Dating) -> None:
        self.sequence = 0
        """The number of the last line that was taken in."""
        self._dating = dating
        self._left: dict[_Lot, int] = {}
        self._taken: dict[int, list[tuple[_Lot, int]]] = {}
        self._back: dict[date, date] = {}
        self._expiries: dict[int, date] = {}

    def take(self, lines: Iterable[Line]) -> None:
        """Take in the lines that follow, in their order."""
        for line in lines:
            self.sequence = line.sequence
            if line.minutes > 0:
                self._receive(line)
            else:
                self._taken.setdefault(line.position, []).extend(self._spend(-line.minutes))
                if line.is_expiry:
                    self._expiries[line.position] = line.day

    @property
    def by_date(self) -> Mapping[date, int]:
        """Minutes by the last day on which they last, soonest first; what never ends stands at ``NEVER``."""
        found: dict[date, int] = {}
        for lot in sorted(self._left):
            found[lot.ends] = found.get(lot.ends, 0) + self._left[lot]
        return found

    def ended(self, day: date) -> Mapping[date, int]:
        """What is still there of what had ended before that day, by date."""
        return {ends: minutes for ends, minutes in self.by_date.items() if ends < day}

    def came_back_since(self, day: date) -> set[date]:
        """The dates of which something came back on that day or later."""
        return {ends for ends, last in self._back.items() if last >= day}

    def reinstatable(self, today: date, *, since: date) -> Sequence[Lapsed]:
        """The expiries from that day on of which something may be reinstated today, oldest first."""
        found = []
        for position, day in self._expiries.items():
            fresh = [(lot.ends, minutes) for lot, minutes in self._taken[position] if lot.is_fresh]
            if fresh and day >= since:
                ends = self._dating.refunded(min(fresh)[0], today)
                found.append(Lapsed(position, day, sum(minutes for _, minutes in fresh), ends))
        return found

    def _receive(self, line: Line) -> None:
        left = line.minutes
        taken = self._taken.get(line.origin, []) if line.origin is not None else []
        while left and taken:
            lot, minutes = taken.pop()
            back = min(left, minutes)
            if back < minutes:
                taken.append((lot, minutes - back))
            again = self._again(lot, line)
            self._add(again, back)
            self._back[again.ends] = line.day
            left -= back
        if left:
            self._add(_Lot(self._dating.received(line.day), is_fresh=True), left)

    def _again(self, lot: _Lot, line: Line) -> _Lot:
        """What a lot is when it comes back by that line."""
        changed = self._dating.refunded if line.kind is Kind.REFUND else self._dating.returned
        return _Lot(changed(lot.ends, line.day), lot.is_fresh and not line.is_expiry)

    def _add(self, lot: _Lot, minutes: int) -> None:
        self._left[lot] = self._left.get(lot, 0) + minutes

    def _spend(self, minutes: int) -> list[tuple[_Lot, int]]:
        taken = []
        for lot in sorted(self._left):
            part = min(minutes, self._left[lot])
            taken.append((lot, part))
            self._left[lot] -= part
            if not self._left[lot]:
                del self._left[lot]
            minutes -= part
            if not minutes:
                return taken
        raise AssertionError(f"{minutes} minutes left a wallet that hadn't got them")


def _month(day: date) -> int:
    """The number of a day's month, counted from the year 0."""
    return day.year * _MONTHS + day.month - 1


def _month_end(month: int) -> date:
    year, index = divmod(month, _MONTHS)
    return date(year, index + 1, calendar.monthrange(year, index + 1)[1])
