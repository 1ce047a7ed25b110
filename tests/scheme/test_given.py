"""What was given, by a project in a quarter and by a venue in a month: by hand, and so that it tells of nobody."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ledger.database import Database
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.given import SMALL, Figures, Given, ProjectGave, VenueMonth, hidden, quarter_of
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.bookings.lido import Lido

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HIDDEN = Figures(minutes=None, people=None, sessions=None)
PEOPLE = [UUID(int=number) for number in range(12)]


class Town:
    """The lido's people: twelve of them, who give at the weekend."""

    def __init__(self, lido: Lido, database: Database) -> None:
        self.lido, self.api, self.given = lido, lido.api, Given(database)
        self.people: list[dict[str, Any]] = []

    async def opportunity(self, title: str) -> str:
        path = f"/v1/projects/{self.lido.project}/opportunities"
        made = await self.api.made(path, {"title": title, "kind": "weekly"})
        await self.api.made(f"/v1/opportunities/{made['id']}/publish")
        return str(made["id"])

    async def session(self, at: datetime, minutes: Mapping[int, int], opportunity: str | None = None) -> list[str]:
        """Minutes by person, entered the day after; their claims."""
        self.lido.clock.now = at - DAY
        period = {"started_at": at.isoformat(), "ended_at": (at + 6 * HOUR).isoformat()}
        body = period if opportunity is None else {**period, "opportunity": opportunity}
        planned = await self.api.made(f"/v1/projects/{self.lido.project}/sessions", body)
        self.lido.clock.now = at + DAY
        lines = [{"person": self.people[who]["id"], "minutes": gave} for who, gave in minutes.items()]
        register = {"session": planned["sessions"][0]["id"], "lines": lines}
        recorded = await self.api.made(f"/v1/projects/{self.lido.project}/registers", register)
        return list(recorded["claims"])

    async def quarter(self, day: date, caller: Caller = STAFF) -> ProjectGave:
        return await self.given.by_project(caller, UUID(self.lido.project), day)

    async def month(self, day: date, caller: Caller = STAFF) -> VenueMonth:
        return await self.given.venue_month(caller, UUID(self.lido.venue), day)


@pytest.fixture
async def town(dsn: str, database: Database) -> AsyncIterator[Town]:
    async with Lido.open(dsn, datetime(2026, 6, 1, 12, tzinfo=UTC)) as lido:
        town = Town(lido, database)
        town.people = [await lido.person(f"Person {number}", 0) for number in range(12)]
        yield town


def told(figures: Figures) -> tuple[int | None, int | None, int | None]:
    return figures.minutes, figures.people, figures.sessions


# --- a project's quarter ----------------------------------------------------------------------------------------


async def test_a_quarter_by_opportunity_and_month(town: Town) -> None:
    weeding, soup = await town.opportunity("Weeding"), await town.opportunity("Soup")
    first, second = dict.fromkeys(range(6), 60), dict.fromkeys(range(2, 9), 45)
    await town.session(datetime(2026, 6, 30, 9, tzinfo=UTC), first, weeding)  # the quarter before
    # In London the first of July: half past midnight, in summer.
    await town.session(datetime(2026, 6, 30, 23, 30, tzinfo=UTC), first, weeding)
    claims = await town.session(datetime(2026, 7, 11, 9, tzinfo=UTC), second, soup)
    await town.session(datetime(2026, 8, 8, 9, tzinfo=UTC), second, weeding)
    corrected = {"minutes": 90, "reason": "Stayed to clean up"}
    await town.api.made(f"/v1/claims/{claims[0]}/corrections", corrected)

    july = await town.quarter(date(2026, 8, 20))

    assert (july.name, july.alias, july.first_day, july.last_day) == (
        *("Repair cafe", "Saturdays"),
        *(date(2026, 7, 1), date(2026, 9, 30)),
    )
    assert told(july.total) == (6 * 60 + 7 * 45 + 45 + 7 * 45, 9, 3)
    assert [(one.title, told(one.figures)) for one in july.opportunities] == [
        ("Soup", (7 * 45 + 45, 7, 1)),
        ("Weeding", (6 * 60 + 7 * 45, 9, 2)),
    ]
    assert [(one.month, told(one.figures)) for one in july.months] == [
        (date(2026, 7, 1), (6 * 60 + 7 * 45 + 45, 9, 2)),
        (date(2026, 8, 1), (7 * 45, 7, 1)),
    ]
    assert told((await town.quarter(date(2026, 4, 1))).total) == (360, 6, 1)
    assert told((await town.quarter(date(2026, 10, 1))).total) == (0, 0, 0)


async def test_what_does_not_count_is_not_counted(town: Town) -> None:
    """Hours that wait, were rejected, or were taken back whole; a slip is hours of nobody in particular."""
    at = datetime(2026, 7, 11, 9, tzinfo=UTC)
    claims = await town.session(at, dict.fromkeys(range(7), 60))
    await town.api.made(f"/v1/claims/{claims[0]}/corrections", {"minutes": 0, "reason": "Was not there"})
    for who, verb in ((7, ""), (8, "reject")):
        times = {"started_at": at.isoformat(), "ended_at": (at + HOUR).isoformat(), "minutes": 60}
        body = {"project": town.lido.project, "person": town.people[who]["id"], **times}
        claim = await town.api.made("/v1/claims", body)
        if verb:
            await town.api.made(f"/v1/claims/{claim['id']}/{verb}", {"text": "No"})
    slip = {"started_at": at.isoformat(), "ended_at": (at + HOUR).isoformat()}
    await town.api.made(
        f"/v1/projects/{town.lido.project}/registers", {**slip, "lines": [{"voucher": "a visitor", "minutes": 30}]}
    )
    assert told((await town.quarter(date(2026, 7, 1))).total) == (6 * 60 + 30, 6, 2)


async def test_small_counts_are_hidden_and_cannot_be_worked_out(town: Town) -> None:
    """Three came to soup; so as not to tell by the rest, sewing is hidden too, of which fewest know besides."""
    weeding, soup, sewing = [await town.opportunity(title) for title in ("Weeding", "Soup", "Sewing")]
    at = datetime(2026, 7, 4, 9, tzinfo=UTC)
    await town.session(at, dict.fromkeys(range(8), 60), weeding)
    await town.session(at + 7 * DAY, dict.fromkeys(range(3), 60), soup)
    await town.session(at + 14 * DAY, dict.fromkeys(range(5, 11), 60), sewing)
    july = await town.quarter(at.date())
    assert told(july.total) == (17 * 60, 11, 3)
    assert [(one.title, told(one.figures)) for one in july.opportunities] == [
        ("Sewing", told(HIDDEN)),
        ("Soup", told(HIDDEN)),
        ("Weeding", (480, 8, 1)),
    ]
    assert [told(one.figures) for one in july.months] == [(17 * 60, 11, 3)]


async def test_of_four_people_nothing_is_told_but_that_there_were_some(town: Town) -> None:
    weeding = await town.opportunity("Weeding")
    await town.session(datetime(2026, 7, 4, 9, tzinfo=UTC), dict.fromkeys(range(SMALL - 1), 60), weeding)
    await town.session(datetime(2026, 8, 1, 9, tzinfo=UTC), {0: 60})
    quarter = await town.quarter(date(2026, 9, 1))
    assert quarter.total == HIDDEN
    assert quarter.total.is_hidden
    assert [(one.title, one.figures) for one in quarter.opportunities] == [("Weeding", HIDDEN), (None, HIDDEN)]
    assert [one.figures for one in quarter.months] == [HIDDEN, HIDDEN]


@pytest.mark.parametrize(
    ("parts", "hides", "why"),
    [
        ({}, "", "there is nothing"),
        ({"a": range(5), "b": range(9)}, "", "five are enough"),
        ({"a": range(4), "b": range(9), "c": range(6)}, "ac", "the smallest other, or it would follow from the sum"),
        ({"a": range(2), "b": range(2, 4), "c": range(9)}, "abc", "four in two parts are four all the same"),
        ({"a": range(4), "b": range(4, 8), "c": range(9)}, "ab", "eight in two parts"),
        ({"a": (), "b": range(9), "c": range(5)}, "ac", "slips are somebody's"),
        ({"a": range(4)}, "a", "there is no other"),
    ],
)
def test_which_parts_are_hidden(parts: Mapping[str, Sequence[int]], hides: str, why: str) -> None:
    found = hidden({part: [PEOPLE[who] for who in people] for part, people in parts.items()})
    assert found == set(hides), why


@drawn(st.dictionaries(st.integers(0, 8), st.sets(st.sampled_from(PEOPLE), min_size=1), max_size=9))
def test_what_is_missing_of_a_sum_is_never_a_small_count(parts: dict[int, set[UUID]]) -> None:
    found = hidden(parts)
    assert all(len(people) >= SMALL for part, people in parts.items() if part not in found)
    missing = set().union(*(parts[part] for part in found))
    assert not found or found == set(parts) or (len(found) > 1 and len(missing) >= SMALL)


@pytest.mark.parametrize(
    ("day", "first"),
    [
        (date(2026, 1, 1), date(2026, 1, 1)),
        (date(2026, 3, 31), date(2026, 1, 1)),
        (date(2026, 5, 31), date(2026, 4, 1)),
        (date(2026, 12, 31), date(2026, 10, 1)),
    ],
)
def test_the_quarter_of_a_day(day: date, first: date) -> None:
    assert quarter_of(day) == first


async def test_a_project_reads_its_own_and_no_other(town: Town) -> None:
    own = Caller(key=uuid4(), scope=Scope.PROJECT, object=UUID(town.lido.project))
    assert (await town.quarter(date(2026, 7, 1), own)).name == "Repair cafe"
    for scope, object_ in (
        *((scope, uuid4()) for scope in Scope if scope is not Scope.SCHEME),
        (Scope.VENUE, UUID(town.lido.project)),
    ):
        with pytest.raises(Declined) as no:
            await town.quarter(date(2026, 7, 1), Caller(key=uuid4(), scope=scope, object=object_, holder=uuid4()))
        assert no.value.reason is Refusal.NOT_FOUND
    with pytest.raises(Declined) as no:
        await town.given.by_project(STAFF, uuid4(), date(2026, 7, 1))
    assert no.value.reason is Refusal.NOT_FOUND


# --- a venue's month --------------------------------------------------------------------------------------------


async def test_a_venues_month_with_what_was_given_back(town: Town) -> None:
    """June: three swims of 60; 15 of one and all of another go back, in July the rest. July: a seat of 120."""
    lido, api = town.lido, town.api
    swim = await lido.offer(quota=40)
    seat = await lido.offer("show", 120)
    await lido.offer()  # which nobody takes
    evening = datetime(2026, 7, 31, 19, tzinfo=UTC)
    (first, second) = await lido.occasions(seat, evening, evening + 30 * DAY)
    ann = town.people[0]
    await api.made("/v1/openings", {"source": "timebank", "lines": [{"person": ann["id"], "minutes": 900}]})

    lido.clock.now = datetime(2026, 6, 30, 22, 59, 59, tzinfo=UTC)  # a second to midnight
    shown = await api.visit(swim, ann["id"])
    visits = [await api.made("/v1/redemptions", shown, token=lido.till) for _ in range(3)]
    await api.made(f"/v1/redemptions/{visits[0]['id']}/refund", {"minutes": 15}, token=lido.till)
    await api.made(f"/v1/redemptions/{visits[2]['id']}/refund", {}, token=lido.till)
    lido.clock.now += timedelta(seconds=1)
    await api.made(f"/v1/redemptions/{visits[1]['id']}/refund", {})
    booked = [await lido.book(ann, seat, occasion=occasion) for occasion in (first, second)]
    await lido.book(ann, swim, evening)
    lido.clock.now = evening
    assert (await lido.capture(booked[0]["id"])).status_code == 201

    june = await town.month(date(2026, 6, 15))
    assert (june.name, june.month, june.visits, june.minutes, june.refunded) == (
        *("The lido", date(2026, 6, 1)),
        *(2, 105, 75),
    )
    by_offer = {str(each.offer): each for each in june.offers}
    assert {(each.title, each.visits, each.minutes) for each in june.offers} == {("A swim", 2, 105), ("A swim", 0, 0)}
    # Places of a visit that is given back whole are free again, whenever that is.
    assert (by_offer[swim].quota, by_offer[swim].used, by_offer[swim].refunded) == (40, 1, 75)

    july = await town.month(date(2026, 7, 31))
    assert (july.visits, july.minutes, july.refunded) == (1, 120 - 60, 60)
    by_offer = {str(each.offer): each for each in july.offers}
    assert (by_offer[swim].visits, by_offer[swim].minutes, by_offer[swim].used) == (0, -60, 1)
    assert (by_offer[seat].visits, by_offer[seat].minutes, by_offer[seat].quota) == (1, 120, None)
    august = await town.month(date(2026, 8, 1))
    assert (august.visits, august.minutes, len(august.offers)) == (0, 0, 3)


async def test_an_offer_that_ended_is_told_of_while_something_of_it_was_used(town: Town) -> None:
    swim = await town.lido.offer()
    now = town.lido.clock.now
    ann = await town.lido.person()
    await town.api.made("/v1/redemptions", await town.api.visit(swim, ann["id"]), token=town.lido.till)
    await town.api.made(f"/v1/offers/{swim}/end")
    assert [each.visits for each in (await town.month(now.date())).offers] == [1]
    assert (await town.month(date(2026, 5, 1))).offers == []


async def test_a_venue_reads_its_own_and_no_other(town: Town) -> None:
    day = date(2026, 7, 1)
    own = Caller(key=uuid4(), scope=Scope.VENUE, object=UUID(town.lido.venue))
    assert (await town.month(day, own)).visits == 0
    for scope in Scope:
        if scope is not Scope.SCHEME:
            object_ = uuid4() if scope is Scope.VENUE else UUID(town.lido.venue)
            with pytest.raises(Declined) as no:
                await town.month(day, Caller(key=uuid4(), scope=scope, object=object_, holder=uuid4()))
            assert no.value.reason is Refusal.NOT_FOUND
    with pytest.raises(Declined) as no:
        await town.given.venue_month(STAFF, uuid4(), day)
    assert no.value.reason is Refusal.NOT_FOUND
