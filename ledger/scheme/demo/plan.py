"""The plan of the county: steps at their moments, and the people in it by their places.

Everything is told by places in lists, and the dice always fall alike: so a plan is the same whenever it is made for the
same beginning, and a load that was killed goes through the same steps again. Steps of one part of a day stand in no
order and are taken at once.

What is spent was given before: each purse is reckoned here too, a little lower than it is. So no step is refused.
"""

import random
from bisect import bisect
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from ledger.scheme.clock import LONDON, day_of
from ledger.scheme.demo.making import Making
from ledger.scheme.demo.places import VENUES, Offering
from ledger.scheme.terms import Visitor

SPAN: Final = timedelta(days=91)
"""How long ago the county began."""
ANN: Final = 0
BILAL: Final = 1
PEOPLE: Final = 214
CHILDREN: Final = range(200, PEOPLE)
GUARDIAN_BEFORE: Final = 150
"""A child's guardian stands so many places before them."""
WITHOUT_CONSENT: Final = 213
TEENAGERS: Final = range(180, 188)
INDUCTED: Final = range(4, 196, 11)
"""Who was shown round the gym."""
GROUPS: Final = (
    ("The Romsey gardeners", (19, 45, 58, 71, 84, 97)),
    ("The Thursday singers' outing", (20, 33, 46, 59, 72)),
)
"""Groups and who is in them, the two keyholders first."""
_SEED: Final = 4


class Step(NamedTuple):
    """What happens at a moment."""

    at: datetime
    run: Callable[[], Awaitable[object]]

    @property
    def part(self) -> tuple[date, int]:
        """The part of the day that it belongs to: night, day or evening. What follows from it comes in a later one."""
        return self.at.date(), bisect((7, 17), self.at.hour)


class Listed(NamedTuple):
    """An offer by its place in the list of all, with its venue's place."""

    number: int
    venue: int
    offering: Offering


class Plan:
    """Steps, and what everybody has by then."""

    def __init__(self, making: Making, began: datetime) -> None:
        self.making = making
        self.began = began
        self.now = began + SPAN
        self.today = day_of(self.now)
        self.steps: list[Step] = []
        self.purses = [0] * PEOPLE
        self.dice = random.Random(_SEED)  # noqa: S311  # nothing is kept secret with these
        pairs = [(venue, offering) for venue, spending in enumerate(VENUES) for offering in spending.offerings]
        self.offers = [Listed(number, venue, offering) for number, (venue, offering) in enumerate(pairs)]

    def add(self, at: datetime, run: Callable[..., Awaitable[object]], *args: Any, **named: Any) -> None:  # noqa: ANN401
        """Let this happen then, or now if that would lie ahead."""
        self.steps.append(Step(min(at, self.now), partial(run, *args, **named)))

    def pays(self, who: int, minutes: int) -> bool:
        """Take it from their purse, if so much is in it. Ann keeps some for whoever follows the README."""
        kept = 360 if who == ANN else 0
        if self.purses[who] < minutes + kept:
            return False
        self.purses[who] -= minutes
        return True

    def named(self, title: str) -> Listed:
        """The offer of that title."""
        return next(one for one in self.offers if one.offering.details.title == title)

    def in_order(self) -> Sequence[Step]:
        """The steps by their moments."""
        return sorted(self.steps, key=lambda step: step.at)


def moment(day: date, minute: int) -> datetime:
    """A minute of a day by the clock in London."""
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=LONDON).astimezone(UTC)


def coordinator_of(project: int) -> int:
    """Who speaks for it."""
    return 100 + project


def deputy_of(project: int) -> int:
    """Who speaks for it when the other is away, or when two have to."""
    return 120 + project


def manager_of(venue: int) -> int:
    """Who sees to the venue's side of it."""
    return 140 + venue


STAFF: Final = (165, 166)
"""Two, for some things need both."""
AUDITOR: Final = 167


def has_card(who: int) -> bool:
    """Whether somebody carries a card: three of four."""
    return who < CHILDREN.start and (who == ANN or who % 4 > 0)


def has_pass(who: int) -> bool:
    """Whether somebody has a pass on their phone: one of five, and most of those without a card."""
    return who < CHILDREN.start and (who % 5 == 1 or who % 8 == 4)  # noqa: PLR2004


def visitor(who: int) -> Visitor:
    """Somebody as an offer's terms look at them."""
    words = ("gym_induction",) if who in INDUCTED else ()
    return Visitor(age_band="16_to_17" if who in TEENAGERS else "18_and_over", eligible=words)
