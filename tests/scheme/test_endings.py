"""When credits end: the dates by hand, and the fold over a wallet's lines against lots that are kept one by one.

The model keeps every lot as a thing of its own, counts its months by walking through the calendar, and shares no code
with the fold. Both hear of the same entries, as the journal's judge posts them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from ledger.journal.entries import Entry, Kind, Posted, Transfer
from ledger.journal.judge import State, judge
from ledger.scheme.chart import CHART
from ledger.scheme.clock import day_of
from ledger.scheme.endings import NEVER, Dating, Line, Purse

DAY = timedelta(days=1)
TWO_YEARS = Dating(months=24, void_days=30, refund_days=30)


# --- the dates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded_at", "months", "ends"),
    [
        ("2026-11-14T12:00:00Z", 24, "2028-11-30"),
        ("2026-11-01T00:00:00Z", 24, "2028-11-30"),
        ("2026-11-30T23:59:59Z", 24, "2028-11-30"),
        ("2026-12-01T00:00:00Z", 24, "2028-12-31"),
        # The month's turn in London, in summer an hour before that in UTC
        ("2026-08-31T22:59:59Z", 24, "2028-08-31"),
        ("2026-08-31T23:00:00Z", 24, "2028-09-30"),
        ("2027-03-31T22:59:59Z", 12, "2028-03-31"),
        ("2027-03-31T23:00:00Z", 12, "2028-04-30"),
        ("2026-10-31T23:59:59Z", 24, "2028-10-31"),
        # The clocks change on the last Sunday of March and of October
        ("2027-03-28T00:59:59Z", 1, "2027-04-30"),
        ("2027-03-28T01:00:00Z", 1, "2027-04-30"),
        ("2027-10-31T00:30:00Z", 1, "2027-11-30"),
        ("2027-10-31T01:30:00Z", 1, "2027-11-30"),
        # February, and the 31st where the month has none
        ("2026-02-10T12:00:00Z", 24, "2028-02-29"),
        ("2028-02-29T12:00:00Z", 12, "2029-02-28"),
        ("2028-02-29T12:00:00Z", 48, "2032-02-29"),
        ("2026-12-31T12:00:00Z", 2, "2027-02-28"),
        ("2027-01-31T12:00:00Z", 1, "2027-02-28"),
        ("2026-12-15T12:00:00Z", 120, "2036-12-31"),
        ("2026-11-14T12:00:00Z", 0, "9999-12-31"),
    ],
)
def test_what_is_received_ends_with_a_month_in_london(recorded_at: str, months: int, ends: str) -> None:
    dating = Dating(months=months, void_days=30, refund_days=30)
    assert dating.received(day_of(datetime.fromisoformat(recorded_at))).isoformat() == ends


@pytest.mark.parametrize(
    ("ends", "day", "returned", "refunded"),
    [
        ("2028-11-30", "2028-10-30", "2028-11-30", "2028-11-30"),
        ("2028-11-30", "2028-10-31", "2028-11-30", "2028-11-30"),
        ("2028-11-30", "2028-11-01", "2028-11-30", "2028-12-01"),
        ("2028-11-30", "2028-11-30", "2028-11-30", "2028-12-30"),
        ("2028-11-30", "2028-12-01", "2028-12-31", "2028-12-31"),
        ("2028-11-30", "2029-01-30", "2029-03-01", "2029-03-01"),
        ("2028-02-29", "2028-01-30", "2028-02-29", "2028-02-29"),
        ("2028-02-29", "2028-03-01", "2028-03-31", "2028-03-31"),
        ("9999-12-31", "2028-03-01", "9999-12-31", "9999-12-31"),
    ],
    ids=[
        "31 days before",
        "30 days before",
        "29 days before",
        "on its last day",
        "on the day after",
        "two months later",
        "well before a 29 February",
        "after a 29 February",
        "what never ends",
    ],
)
def test_what_comes_back_keeps_its_date_or_lasts_thirty_days(ends: str, day: str, returned: str, refunded: str) -> None:
    original, on = date.fromisoformat(ends), date.fromisoformat(day)
    assert TWO_YEARS.returned(original, on).isoformat() == returned
    assert TWO_YEARS.refunded(original, on).isoformat() == refunded


@pytest.mark.parametrize(
    ("horizon", "since"),
    [
        ("2028-11-29", "2026-11-01"),
        ("2028-11-30", "2026-12-01"),
        ("2028-12-30", "2026-12-01"),
        ("2028-12-31", "2027-01-01"),
        ("2029-01-30", "2027-01-01"),
        ("2028-02-28", "2026-02-01"),
        ("2028-02-29", "2026-03-01"),
    ],
)
def test_what_is_received_from_a_day_on_lasts_beyond_the_horizon(horizon: str, since: str) -> None:
    until = date.fromisoformat(horizon)
    first = TWO_YEARS.lasting_beyond(until)
    assert first == date.fromisoformat(since)
    assert TWO_YEARS.received(first - DAY) <= until < TWO_YEARS.received(first)


def test_a_change_of_the_rules_puts_off_every_end() -> None:
    changed = Dating(months=24, void_days=30, refund_days=30, no_sooner=date(2027, 1, 20))
    assert changed.received(date(2020, 5, 1)) == date(2027, 1, 20)
    assert changed.received(date(2025, 1, 1)) == date(2027, 1, 31)
    assert changed.lasting_beyond(date(2027, 1, 19)) is None
    assert changed.lasting_beyond(date(2027, 1, 20)) == date(2025, 1, 1)
    assert Dating(months=0, void_days=30, refund_days=30).lasting_beyond(date(2027, 1, 20)) is None


# --- a wallet and its entries, as the journal posts them ------------------------------------------------------------


class Books:
    """A journal in memory, and the lines of one wallet in it."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.lines: list[Line] = []
        self._state = State(chart=CHART, batch=uuid4(), position=0, opened=0, recorded_at=_noon(today), frontier=b"")
        self._posted: dict[int, Posted] = {}

    @property
    def balance(self) -> int:
        wallet = self._state.accounts.get("wallet:ann")
        return 0 if wallet is None else wallet.balance

    def post(self, kind: Kind, *moves: tuple[str, str, int], of: UUID | None = None) -> UUID:
        transfers = tuple(Transfer(*move) for move in moves)
        entry = Entry(
            id=uuid4(), kind=kind, transfers=transfers, target=of, happened_at=_noon(self.today), actor=UUID(int=1)
        )
        (outcome,) = judge(self._state, [entry], _noon(self.today)).outcomes
        assert isinstance(outcome, Posted), outcome
        self._posted[outcome.position] = outcome
        self.lines += self._of_ann(outcome)
        return entry.id

    def position(self, id_: UUID) -> int:
        return next(posted.position for posted in self._posted.values() if posted.id == id_)

    def id_at(self, position: int) -> UUID:
        return self._posted[position].id

    def _of_ann(self, posted: Posted) -> Iterator[Line]:
        origin = posted.target
        if origin is not None:
            origin = self._posted[origin].target or origin
        for moved in posted.transfers:
            if "wallet:ann" in {moved.debit, moved.credit}:
                is_debit = moved.debit == "wallet:ann"
                yield Line(
                    sequence=moved.debit_sequence if is_debit else moved.credit_sequence,
                    position=posted.position,
                    day=day_of(posted.recorded_at),
                    kind=posted.kind,
                    minutes=-moved.minutes if is_debit else moved.minutes,
                    origin=origin,
                    is_expiry="expired" in {moved.debit, moved.credit},
                )


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


# --- the model --------------------------------------------------------------------------------------------------


class Lot(Struct):
    """So many minutes that came in together."""

    ends: date
    minutes: int
    was_reinstated: bool = False


class Lots:
    """A wallet lot by lot."""

    def __init__(self, dating: Dating) -> None:
        self._dating = dating
        self._lots: list[Lot] = []
        self._taken: dict[UUID, list[tuple[Lot, int]]] = {}
        self._expiries: list[UUID] = []

    @property
    def by_date(self) -> Mapping[date, int]:
        dates = sorted({lot.ends for lot in self._lots if lot.minutes})
        return {ends: sum(lot.minutes for lot in self._lots if lot.ends == ends) for ends in dates}

    def receive(self, minutes: int, today: date) -> None:
        ends = _last_of_month(today)
        for _ in range(self._dating.months):
            ends = _last_of_month(ends + DAY)
        self._lots.append(Lot(max(ends, self._dating.no_sooner), minutes))

    def take(self, entry: UUID, minutes: int) -> None:
        taken = self._taken[entry] = []
        for lot in sorted(self._lots, key=lambda lot: (lot.ends, not lot.was_reinstated)):
            part = min(lot.minutes, minutes)
            if part:
                lot.minutes -= part
                minutes -= part
                taken.append((lot, part))
        assert not minutes

    def give_back(self, entry: UUID, minutes: int, today: date) -> None:
        """From a hold, into the very lots."""
        for lot, part in self._last_taken(entry, minutes):
            if lot.ends >= today:
                lot.minutes += part
            else:
                extended = today + self._dating.void_days * DAY
                self._lots.append(Lot(extended, part, lot.was_reinstated))

    def refund(self, entry: UUID, minutes: int, today: date, *, reinstated: bool = False) -> None:
        for lot, part in self._last_taken(entry, minutes):
            ends = max(lot.ends, today + self._dating.refund_days * DAY)
            self._lots.append(Lot(ends, part, lot.was_reinstated or reinstated))

    def ended(self, today: date) -> Mapping[date, int]:
        return {ends: minutes for ends, minutes in self.by_date.items() if ends < today}

    def expire(self, entry: UUID, minutes: int) -> None:
        self.take(entry, minutes)
        self._expiries.append(entry)

    def reinstatable(self) -> Mapping[UUID, int]:
        fresh = {
            entry: sum(part for lot, part in self._taken[entry] if not lot.was_reinstated) for entry in self._expiries
        }
        return {entry: minutes for entry, minutes in fresh.items() if minutes}

    def _last_taken(self, entry: UUID, minutes: int) -> Iterator[tuple[Lot, int]]:
        taken = self._taken[entry]
        while minutes:
            lot, part = taken.pop()
            if part > minutes:
                taken.append((lot, part - minutes))
                part = minutes
            minutes -= part
            yield lot, part


def _last_of_month(day: date) -> date:
    while (day + DAY).month == day.month:
        day += DAY
    return day


# --- what happens to it -----------------------------------------------------------------------------------------


class Life:
    """A wallet's history, told to the journal, the fold and the model alike."""

    def __init__(self, dating: Dating) -> None:
        self.books = Books(date(2026, 1, 29))
        self.model = Lots(dating)
        self.dating = dating
        self.purse = Purse(dating)
        self.holds: list[tuple[UUID, int, bool]] = []  # the entry, its minutes, and whether it is a gift
        self.visits: list[tuple[UUID, UUID, int, bool]] = []  # the entry, what took the credits, minutes, whether plain

    def award(self, minutes: int, _: int) -> None:
        self.books.post(Kind.PLAIN, ("issued:shed", "wallet:ann", minutes))
        self.model.receive(minutes, self.books.today)

    def receive_gift(self, minutes: int, _: int) -> None:
        self.books.post(Kind.PLAIN, ("issued:shed", "wallet:bob", minutes))
        gift = self.books.post(Kind.HOLD, ("wallet:bob", "transit", minutes))
        self.books.post(Kind.CAPTURE, ("transit", "wallet:ann", minutes), of=gift)
        self.model.receive(minutes, self.books.today)

    def visit(self, minutes: int, _: int) -> None:
        if minutes := min(minutes, self.books.balance):
            visit = self.books.post(Kind.PLAIN, ("wallet:ann", "redeemed:pool", minutes))
            self.model.take(visit, minutes)
            self.visits.append((visit, visit, minutes, True))

    def hold(self, minutes: int, which: int) -> None:
        if minutes := min(minutes, self.books.balance):
            is_gift = which % 3 == 0
            hold = self.books.post(Kind.HOLD, ("wallet:ann", "transit" if is_gift else "held:ann", minutes))
            self.model.take(hold, minutes)
            self.holds.append((hold, minutes, is_gift))

    def resolve(self, minutes: int, which: int) -> None:
        """Capture it whole or in part, or let it go; a gift is accepted or not."""
        if not self.holds:
            return
        hold, held, is_gift = self.holds.pop(which % len(self.holds))
        kept = min(minutes, held) if which % 2 else 0
        if is_gift:
            kept = held if kept else 0
        if kept:
            to = ("transit", "wallet:bob", kept) if is_gift else ("held:ann", "redeemed:pool", kept)
            capture = self.books.post(Kind.CAPTURE, to, of=hold)
            if not is_gift:
                self.visits.append((capture, hold, kept, False))
        else:
            self.books.post((Kind.VOID, Kind.LAPSE)[which % 4 // 2], of=hold)
        self.model.give_back(hold, held - kept, self.books.today)

    def refund(self, minutes: int, which: int) -> None:
        if not self.visits:
            return
        visit, origin, left, is_plain = self.visits.pop(which % len(self.visits))
        if is_plain and which % 5 == 0:
            self.books.post(Kind.REVERSAL, of=visit)
            self.model.give_back(origin, left, self.books.today)
            return
        minutes = min(minutes, left)
        self.books.post(Kind.REFUND, ("redeemed:pool", "wallet:ann", minutes), of=visit)
        self.model.refund(origin, minutes, self.books.today)
        if left > minutes:
            self.visits.append((visit, origin, left - minutes, False))

    def expire(self, *_: int) -> None:
        for ends, minutes in self.purse.ended(self.books.today).items():
            assert self.model.ended(self.books.today)[ends] == minutes
            expiry = self.books.post(Kind.PLAIN, ("wallet:ann", "expired", minutes))
            self.model.expire(expiry, minutes)

    def reinstate(self, *_: int) -> None:
        for lapsed in self.purse.reinstatable(self.books.today, since=date.min):
            expiry = self.books.id_at(lapsed.position)
            self.books.post(Kind.REFUND, ("expired", "wallet:ann", lapsed.minutes), of=expiry)
            self.model.refund(expiry, lapsed.minutes, self.books.today, reinstated=True)

    def correct(self, minutes: int, _: int) -> None:
        if minutes := min(minutes, self.books.balance):
            self.model.take(self.books.post(Kind.PLAIN, ("wallet:ann", "issued:shed", minutes)), minutes)

    def agree(self) -> None:
        """The fold has heard what the model has, and finds the same."""
        self.purse.take(self.books.lines[self.purse.sequence :])
        assert self.purse.by_date == self.model.by_date
        assert list(self.purse.by_date) == sorted(self.purse.by_date)
        assert sum(self.purse.by_date.values()) == self.books.balance
        assert self.purse.ended(self.books.today) == self.model.ended(self.books.today)
        reinstatable = self.purse.reinstatable(self.books.today, since=date.min)
        assert {self.books.id_at(one.position): one.minutes for one in reinstatable} == self.model.reinstatable()


HAPPENINGS = (
    *(Life.award, Life.award, Life.receive_gift, Life.visit, Life.hold, Life.hold),
    *(Life.resolve, Life.resolve, Life.refund, Life.expire, Life.expire, Life.reinstate, Life.correct),
)
STEPS = st.lists(
    st.tuples(st.integers(0, len(HAPPENINGS) - 1), st.integers(0, 40), st.integers(1, 90), st.integers(0, 59)),
    max_size=40,
)
DATINGS = st.builds(
    Dating,
    months=st.sampled_from([1, 1, 2, 3, 24]),
    void_days=st.sampled_from([0, 1, 30, 100]),
    refund_days=st.sampled_from([0, 1, 30, 100]),
    no_sooner=st.sampled_from([date.min, date.min, date(2026, 4, 20)]),
)


@given(steps=STEPS, dating=DATINGS)
@settings(max_examples=400, deadline=None)
def test_the_fold_finds_what_lots_would_at_every_step(steps: list[tuple[int, int, int, int]], dating: Dating) -> None:
    life = Life(dating)
    for happening, days, minutes, which in steps:
        life.books.today += days * DAY
        HAPPENINGS[happening](life, minutes, which)
        life.agree()
    afresh = Purse(dating)
    afresh.take(life.books.lines)
    assert afresh.by_date == life.purse.by_date, "it is the same, whether it was followed or read at once"


@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 90)), max_size=40),
    months=st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_of_who_only_receives_and_spends_it_is_what_came_less_what_left(
    steps: list[tuple[bool, int, int]], months: int
) -> None:
    life = Life(Dating(months=months, void_days=30, refund_days=30))
    received: dict[date, int] = {}
    left = 0
    for gives, days, minutes in steps:
        life.books.today += days * DAY
        if gives:
            life.award(minutes, 0)
            ends = life.dating.received(life.books.today)
            received[ends] = received.get(ends, 0) + minutes
        else:
            left += min(minutes, life.books.balance)
            life.visit(minutes, 0)
        life.agree()
        for until in received:
            there = sum(minutes for ends, minutes in life.purse.by_date.items() if ends <= until)
            came = sum(minutes for ends, minutes in received.items() if ends <= until)
            assert there == max(0, came - left)


# --- by hand ----------------------------------------------------------------------------------------------------


@pytest.fixture
def life() -> Life:
    """60 minutes that end on 31 January 2028, and 60 that end a month later."""
    life = Life(TWO_YEARS)
    life.award(60, 0)
    life.books.today = date(2026, 2, 10)
    life.award(60, 0)
    life.agree()
    assert life.purse.by_date == {date(2028, 1, 31): 60, date(2028, 2, 29): 60}
    return life


def test_spending_takes_what_ends_soonest(life: Life) -> None:
    life.visit(90, 0)
    life.agree()
    assert life.purse.by_date == {date(2028, 2, 29): 30}


def test_a_partial_capture_takes_what_ends_soonest_and_the_rest_keeps_its_date(life: Life) -> None:
    life.hold(120, 1)
    life.resolve(70, 1)
    life.agree()
    assert life.purse.by_date == {date(2028, 2, 29): 50}


def test_credits_on_hold_do_not_end_and_a_late_void_lasts_thirty_days_more(life: Life) -> None:
    life.hold(90, 1)
    life.books.today = date(2028, 2, 10)
    life.agree()
    assert life.purse.ended(life.books.today) == {}
    life.resolve(0, 0)
    life.agree()
    assert life.purse.by_date == {date(2028, 2, 29): 60, date(2028, 3, 11): 60}
    assert life.purse.came_back_since(date(2028, 2, 10)) == {date(2028, 2, 29), date(2028, 3, 11)}
    assert life.purse.came_back_since(date(2028, 2, 11)) == set()


def test_a_refund_near_the_end_lasts_thirty_days_and_what_was_taken_last_comes_first(life: Life) -> None:
    life.visit(90, 0)
    life.books.today = date(2028, 1, 31)
    life.refund(40, 1)
    life.agree()
    # 30 of those that ended on 29 February, and 10 of those of 31 January.
    assert life.purse.by_date == {date(2028, 2, 29): 30, date(2028, 3, 1): 40}


def test_what_was_reinstated_is_spent_first_and_is_not_reinstated_again(life: Life) -> None:
    life.books.today = date(2028, 2, 1)
    life.expire()
    life.agree()
    assert [tuple(one)[1:] for one in life.purse.reinstatable(life.books.today, since=life.books.today)] == [
        (date(2028, 2, 1), 60, date(2028, 3, 2))
    ]
    assert not life.purse.reinstatable(life.books.today, since=date(2028, 2, 2))
    life.reinstate()
    life.agree()
    assert life.purse.by_date == {date(2028, 2, 29): 60, date(2028, 3, 2): 60}
    assert not life.purse.reinstatable(life.books.today, since=date.min)
    life.books.today = date(2028, 3, 3)
    life.expire()
    life.agree()
    [again] = life.purse.reinstatable(life.books.today, since=date.min)
    assert (again.minutes, life.books.balance) == (60, 0), "only the other 60, which ended for the first time"


def test_of_one_date_what_was_reinstated_is_spent_first(life: Life) -> None:
    life.visit(60, 0)
    life.books.today = date(2028, 3, 1)
    life.agree()
    for happens in (life.expire, life.agree, life.reinstate, life.agree):
        happens()
    life.refund(60, 1)
    life.agree()
    assert life.purse.by_date == {date(2028, 3, 31): 120}
    life.visit(70, 0)
    life.books.today = date(2028, 4, 1)
    life.agree()
    life.expire()
    life.agree()
    [again] = life.purse.reinstatable(life.books.today, since=date.min)
    assert again.minutes == 50, "10 of those that were refunded were spent, and all that were reinstated"


def test_without_expiry_nothing_ends() -> None:
    life = Life(Dating(months=0, void_days=30, refund_days=30))
    life.books.post(Kind.PLAIN, ("issued:shed", "wallet:ann", 60))
    hold = life.books.post(Kind.HOLD, ("wallet:ann", "held:ann", 20))
    life.books.today = date(2099, 1, 1)
    life.books.post(Kind.VOID, of=hold)
    life.purse.take(life.books.lines)
    assert life.purse.by_date == {NEVER: 60}
    assert life.purse.ended(date(2099, 1, 1)) == {}
