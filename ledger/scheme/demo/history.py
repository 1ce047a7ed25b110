"""Three months of the county: registers of every week, claims, visits by card and pass, bookings, gifts and refunds."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from ledger.scheme.clock import LONDON
from ledger.scheme.demo.county import PROJECTS
from ledger.scheme.demo.places import Times
from ledger.scheme.demo.plan import (
    ANN,
    CHILDREN,
    GROUPS,
    TEENAGERS,
    Listed,
    Plan,
    coordinator_of,
    deputy_of,
    has_card,
    has_pass,
    moment,
    visitor,
)
from ledger.scheme.occasions import Times as Occasion
from ledger.scheme.rules import Rules
from ledger.scheme.terms import Charge, Kind, Offer, Party, weigh

CAPPED: Final = 7
"""The project whose funder caps what it gives; today little of that is left."""
# For so many days before today Ann gives nothing: whoever follows the README records hours of hers on them.
_LATER: Final = 12
_SWITCHBOARD: Final = 5
_ANNS: Final = (0, 6)  # she mends on Saturdays and gardens on Fridays
_SLOTS: Final = (640, 865, 1035, 1160)
_CHILDRENS: Final = (4, 9, 12)  # projects to which children come along
_PARTIES: Final = (
    *(Party(),) * 8,
    Party(adults=1, children=1),
    Party(adults=1, children=1, young=1),
    Party(adults=2),
    Party(adults=1, companion=True),
)
_NOTES: Final = (
    "I did the shopping for two of the callers.",
    "We rang round on the cold days.",
    "Wrote the cards for the birthdays.",
    "A long call on Saturday; Marcia took over at six.",
)
_WORDS: Final = (
    "For your swim!",
    "Thank you for the lift.",
    "Have an afternoon out on me.",
    None,
    "With love from the allotment.",
)
_CARD_DAY: Final = Rules().card_day_minutes
_NOBODY: Final = UUID(int=0)
_WEEK: Final = timedelta(weeks=1)


class History:
    """What lies behind: each day from the beginning until yesterday, planned in turn."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._first = (plan.began + timedelta(days=1)).astimezone(LONDON).date()
        self._used: Counter[tuple[object, ...]] = Counter()
        """Of quotas, monthly limits and places, as far as the plan has gone."""
        dice = plan.dice
        self._regulars: list[list[int]] = [[] for _ in PROJECTS]
        for who in range(CHILDREN.start):
            main = who % len(PROJECTS)
            self._regulars[main].append(who)
            if dice.random() * 10 < 4:  # noqa: PLR2004
                self._regulars[(main + dice.randrange(1, len(PROJECTS))) % len(PROJECTS)].append(who)
        for child in CHILDREN:
            self._regulars[_CHILDRENS[child % len(_CHILDRENS)]].append(child)
        for project in range(len(PROJECTS)):
            chairs = {coordinator_of(project), deputy_of(project)}
            self._regulars[project] = [who for who in self._regulars[project] if who not in chairs]
        for number, regulars in enumerate(self._regulars):
            regulars[:] = [who for who in regulars if who != ANN] + [ANN] * (number in _ANNS)

    def add(self) -> None:
        """Plan it all."""
        capped = 0
        for number in range((self._plan.today - self._first).days):
            day = self._first + timedelta(days=number)
            self._visits(day, number)
            self._bookings(day, number)
            self._gifts(day, number)
            self._pots(day, number)
            capped += self._registers(day)
            self._claims(day, number)
            if day.weekday() == 0:
                self._plan.add(moment(day, 240), self._plan.making.lapse_due)
        grant = capped * 100 // 91 // 15 * 15
        self._plan.add(self._plan.began + timedelta(hours=1), self._plan.making.allot, CAPPED, grant)

    # --- giving -------------------------------------------------------------------------------------------------

    def _registers(self, day: date) -> int:
        """The registers of a day; and what the capped project gave."""
        plan, capped = self._plan, 0
        for number, project in enumerate(PROJECTS):
            if project.day != day.weekday():
                continue
            lines = []
            for who in self._regulars[number]:
                came = plan.dice.random() * 100 < 68  # noqa: PLR2004
                short = plan.dice.choice((0, 0, 0, 0, 15, 30, 45))
                only_tea = project.tea and plan.dice.random() * 12 < 1
                if not came or (who == ANN and (plan.today - day).days <= _LATER):
                    continue
                minutes = 0 if only_tea else project.minutes - short
                lines.append((who, minutes))
                if who not in CHILDREN:
                    plan.purses[who] += minutes
            began, ended = moment(day, project.begins), moment(day, project.begins + project.minutes)
            chair = coordinator_of(number) if plan.dice.random() * 4 > 1 else deputy_of(number)
            told_at = ended + timedelta(minutes=plan.dice.randrange(15, 50))
            last = plan.today - day <= _WEEK
            if last and number == 0:  # her own, for somebody else to approve
                chair = coordinator_of(0)
                lines.append((chair, project.minutes))
            papers = [("A visitor from the market", 120)] if last and number in {0, 4} else []
            key = f"demo register {number} {day}"
            plan.add(told_at, plan.making.register, key, number, chair, (began, ended), lines, papers=papers)
            capped += sum(minutes for _, minutes in lines) if number == CAPPED else 0
        return capped

    def _claims(self, day: date, number: int) -> None:
        """Hours that were given at home, claimed and approved two days later."""
        plan = self._plan
        if day.weekday() not in {5, 6} or (plan.today - day).days < 4:  # noqa: PLR2004
            return
        who = self._regulars[_SWITCHBOARD][number % 15]
        if who == ANN:
            return
        key, minutes = f"demo claim {number}", plan.dice.choice((60, 75, 90, 105))
        period = (moment(day, 1050), moment(day, 1050 + minutes))
        plan.add(moment(day, 1210), plan.making.claim, key, _SWITCHBOARD, who, period, plan.dice.choice(_NOTES))
        chair = coordinator_of(_SWITCHBOARD)
        plan.add(moment(day + timedelta(days=2), 545), plan.making.approve, key, _SWITCHBOARD, chair)
        # Approved by then, and spent later.
        plan.purses[who] += minutes if (plan.today - day).days > 30 else 0  # noqa: PLR2004

    # --- spending -----------------------------------------------------------------------------------------------

    def _visits(self, day: date, number: int) -> None:
        plan, here = self._plan, set()
        if number < 6:  # noqa: PLR2004  # nobody has much yet
            return
        drop_ins = [
            one
            for one in plan.offers
            if one.offering.details.kind is Kind.DROP_IN and one.offering.liked and not one.offering.paused
        ]
        minutes = [slot + plan.dice.randrange(12) for slot in _SLOTS]
        for visit in range(plan.dice.randrange(9, 20)):
            (one,) = plan.dice.choices(drop_ins, [one.offering.liked for one in drop_ins])
            at, who = moment(day, plan.dice.choice(minutes)), plan.dice.randrange(CHILDREN.start)
            party = plan.dice.choice(_PARTIES)
            if visit == 0 and number % 6 == 0:  # Ann goes out about once a week
                who = ANN
            by_pass = has_pass(who) and (not has_card(who) or plan.dice.random() * 2 < 1)
            if who in here or not (by_pass or has_card(who)):
                continue
            if not by_pass and (charge := self._charge(one, who, party, at)) and charge.minutes > _CARD_DAY:
                continue
            if not self._takes(one, who, party, at):
                continue
            here.add(who)
            key = f"demo visit {number} {visit}"
            plan.add(at, plan.making.visit, key, one.venue, one.number, who, party, by_pass=by_pass)
            if plan.dice.randrange(40) == 0:
                plan.add(moment(day + timedelta(days=1), 560), plan.making.refund, key)

    def _charge(self, one: Listed, who: int, party: Party, at: datetime, *, booked: bool = False) -> Charge | None:
        details = one.offering.details
        offer = Offer(
            id=_NOBODY,
            venue=_NOBODY,
            site=None,
            kind=details.kind,
            price=details.price,
            status="published",
            venue_status="active",
            terms=details.terms,
            redeemed="",
            reference="",
        )
        charge = weigh(offer, Rules(), party, visitor(who), at.astimezone(LONDON), booked=booked)
        return charge if isinstance(charge, Charge) else None

    def _takes(
        self, one: Listed, who: int, party: Party, at: datetime, *, times: int = 1, booked: bool = False
    ) -> bool:
        """Whether they may, can pay, and nothing limits it; then it is reckoned with."""
        charge, terms = self._charge(one, who, party, at, booked=booked), one.offering.details.terms
        if charge is None:
            return False
        month = at.astimezone(LONDON).strftime("%Y-%m")
        taken, spent = (one.number, month), (one.number, month, who)
        if self._used[taken] + charge.places > (terms.quota or 1_000) or self._used[spent] + charge.minutes > (
            terms.month_minutes or 10_000
        ):
            return False
        if not self._plan.pays(who, charge.minutes * times):
            return False
        self._used[taken] += charge.places
        self._used[spent] += charge.minutes
        return True

    # --- booking ------------------------------------------------------------------------------------------------

    def _bookings(self, day: date, number: int) -> None:
        plan = self._plan
        booked = [one for one in plan.offers if one.offering.details.kind in {Kind.SHOW, Kind.TICKET}]
        if number > 8:  # noqa: PLR2004
            for turn in range(plan.dice.randrange(4)):
                (one,) = plan.dice.choices(booked, [one.offering.liked for one in booked])
                self._book(one, day, f"demo booking {number} {turn}")
        if self._first + 9 * _WEEK == day:
            self._book_pottery(day)

    def _book(self, one: Listed, day: date, key: str) -> None:
        """A ticket or a seat, booked on that day: most come, some cancel, some don't come."""
        plan, details = self._plan, one.offering.details
        ahead = max(details.terms.ahead_minutes // 1440, 3) + plan.dice.randrange(1, 9)
        who, party = plan.dice.randrange(CHILDREN.start), plan.dice.choice((Party(), Party(), Party(adults=2)))
        fate = plan.dice.randrange(12)
        if one.offering.times is None:
            occasion, visit_at = None, moment(day + timedelta(days=ahead), self._hour(one, day + timedelta(days=ahead)))
        else:
            found = list(self._upcoming(one.offering.times, day))[:2]
            if not found:
                return
            occasion, visit_at = plan.dice.choice(found)
            seats = party.adults + self._used[one.number, occasion]
            if seats > one.offering.times.places:
                return
            self._used[one.number, occasion] = seats
        if who == ANN or not self._takes(one, who, party, visit_at, booked=True):
            return
        at = moment(day, 565)
        if occasion is None:
            plan.add(at, plan.making.book, key, one.number, who, party, visit_at=visit_at)
        else:
            plan.add(at, plan.making.book, key, one.number, who, party, occasion=occasion)
        if fate == 0:
            plan.add(moment(day + timedelta(days=1), 570), plan.making.cancel, key, who)
        elif fate > 1 and visit_at.astimezone(LONDON).date() < plan.today:
            plan.add(visit_at + timedelta(minutes=4), plan.making.capture, key, one.venue)

    def _hour(self, one: Listed, day: date) -> int:
        windows = one.offering.details.terms.windows
        return 1110 if windows and windows[0].opens >= "12:00" else 660 + 15 * (day.day % 8)

    def _upcoming(self, times: Times, day: date) -> Iterator[tuple[int, datetime]]:
        """The occasions from four days ahead on, which can still be cancelled on the day after."""
        for number, occasion in enumerate(occasions(times, self._plan.began)):
            if occasion.starts_at.astimezone(LONDON).date() >= day + timedelta(days=4):
                yield number, occasion.starts_at

    def _book_pottery(self, day: date) -> None:
        """A course: six evenings, of which some are over."""
        plan, one = self._plan, self._plan.named("Pottery, six evenings")
        assert one.offering.times is not None
        evenings = occasions(one.offering.times, plan.began)
        richest = sorted(range(1, CHILDREN.start), key=lambda who: (-plan.purses[who], who))
        for who in richest[:7]:
            if self._takes(one, who, Party(), evenings[0].starts_at, times=len(evenings), booked=True):
                key = f"demo course {who}"
                plan.add(moment(day, 575), plan.making.book, key, one.number, who, Party())
                for session, evening in enumerate(evenings):
                    missed = plan.dice.randrange(9) == 0
                    if evening.ends_at.astimezone(LONDON).date() < plan.today and not missed:
                        plan.add(evening.starts_at, plan.making.capture, key, one.venue, session)

    # --- between people -----------------------------------------------------------------------------------------

    def _gifts(self, day: date, number: int) -> None:
        """An hour for somebody: most are accepted, one is declined, and two wait until they lapse."""
        plan = self._plan
        if number < 14 or number % 4:  # noqa: PLR2004
            return
        giver, receiver = plan.dice.sample([who for who in range(1, CHILDREN.start) if who not in TEENAGERS], 2)
        if not plan.pays(giver, 60):
            return
        key, tomorrow = f"demo gift {number}", moment(day + timedelta(days=1), 600)
        plan.add(moment(day, 580), plan.making.gift, key, giver, receiver, 60, _WORDS[number % len(_WORDS)])
        if number % 28 == 0 or tomorrow >= plan.now:
            return
        plan.add(tomorrow, plan.making.decline if number % 20 == 0 else plan.making.accept, key, receiver)

    def _pots(self, day: date, number: int) -> None:
        """On Sundays some give an hour to their group's pot, or to the community's."""
        plan = self._plan
        if number < 20 or day.weekday() != 6:  # noqa: PLR2004
            return
        for group, members in (*GROUPS, (None, tuple(range(150, 170)))):
            for turn in range(4):
                who = members[(number + turn) % len(members)]
                if plan.pays(who, 60):
                    key = f"demo pot {number} {group} {turn}"
                    plan.add(moment(day, 1180 + turn), plan.making.to_pot, key, who, group, 60)


def occasions(times: Times, began: datetime) -> list[Occasion]:
    """When a show or a course is, of what still lay ahead when the county began."""
    first = began.astimezone(LONDON).date()
    monday = first - timedelta(days=first.weekday())
    weeks = range(times.from_week, times.from_week + times.weeks)
    starts = [moment(monday + timedelta(weeks=week, days=times.day), times.begins) for week in weeks]
    return [
        Occasion(starts_at=at, ends_at=at + timedelta(minutes=times.minutes), places=times.places)
        for at in starts
        if at > began + timedelta(days=1)
    ]
