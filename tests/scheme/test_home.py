"""A volunteer's home, and why each line of their statement stands there."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.expiry import Ending, expire
from ledger.scheme.home import COMING_MAX, NEWEST, Event, Home, Homes, Wait
from ledger.scheme.lapses import lapse_due
from ledger.scheme.lines import Line, Statements, Why, lines_of
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.bookings.lido import NOW, SATURDAY, Lido

STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Person = dict[str, Any]


class Town:
    """The lido, and what somebody there sees."""

    def __init__(self, lido: Lido, database: Database) -> None:
        self.lido, self.api, self.database = lido, lido.api, database

    async def person(self, name: str = "Ann Archer", minutes: int = 0, **more: Any) -> Person:  # noqa: ANN401
        """Somebody with so many minutes from elsewhere."""
        person = await self.lido.person(name, 0, **more)
        if minutes:
            lines = [{"person": person["id"], "minutes": minutes}]
            await self.api.made("/v1/openings", {"source": "timebank", "lines": lines})
        return person

    async def home(self, person: Person, caller: Caller | None = None) -> Home:
        return await Homes(self.database, self.lido.clock).of(caller or own(person), UUID(person["id"]))

    async def statement(self, person: Person, caller: Caller | None = None) -> list[Line]:
        """Oldest first."""
        statements = Statements(self.database, self.lido.clock)
        found = await statements.of(caller or own(person), UUID(person["id"]), before=None, limit=200)
        return list(reversed(found))

    async def post(self, debit: str, credit: str, minutes: int) -> None:
        now = self.lido.clock.now
        entry = Entry(id=uuid4(), transfers=(Transfer(debit, credit, minutes),), happened_at=now, actor=SCHEME)
        async with self.database.transaction() as connection:
            await post(driver(connection), CHART, [entry], now)

    async def claim(self, person: Person, began: datetime, minutes: int = 60, **more: object) -> str:
        body = {"project": self.lido.project, "person": person["id"], "minutes": minutes, **more}
        times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(minutes=minutes)).isoformat()}
        return str((await self.api.made("/v1/claims", {**body, **times}))["id"])

    async def gift(self, giver: Person, receiver: Person, verb: str = "", minutes: int = 15, **more: object) -> str:
        """A gift that is offered and, with a verb, settled."""
        body = {"receiver": receiver["id"], "minutes": minutes, **more}
        gift = str((await self.api.made(f"/v1/people/{giver['id']}/gifts", body))["id"])
        if verb:
            await self.api.made(f"/v1/gifts/{gift}/{verb}")
        return gift

    async def session(self, starts: datetime, **more: object) -> str:
        period = {"started_at": starts.isoformat(), "ended_at": (starts + 2 * HOUR).isoformat(), **more}
        made = await self.api.made(f"/v1/projects/{self.lido.project}/sessions", period)
        return str(made["sessions"][0]["id"])

    async def expect(self, person: Person, session: str) -> None:
        await self.api.made(f"/v1/sessions/{session}/attendances", {"person": person["id"]})


def own(person: Person) -> Caller:
    return Caller(key=uuid4(), scope=Scope.PERSON, object=None, holder=UUID(person["holder"]))


@pytest.fixture
async def town(dsn: str, database: Database) -> AsyncIterator[Town]:
    async with Lido.open(dsn) as lido:
        yield Town(lido, database)


# --- why a line stands there ------------------------------------------------------------------------------------


async def hours(town: Town, ann: Person) -> None:
    """Hours of every kind."""
    api, project = town.api, town.lido.project
    began = NOW - 9 * DAY
    times = {"started_at": began.isoformat(), "ended_at": (began + 6 * HOUR).isoformat()}
    lines = [{"person": ann["id"], "minutes": 240}, {"voucher": "the lady in blue", "minutes": 90}]
    recorded = await api.made(f"/v1/projects/{project}/registers", {**times, "lines": lines})
    for minutes in (180, 210):
        corrected = {"minutes": minutes, "reason": "It was raining"}
        await api.made(f"/v1/claims/{recorded['claims'][0]}/corrections", corrected)
    began -= DAY
    times = {"started_at": began.isoformat(), "ended_at": (began + 6 * HOUR).isoformat()}
    slips = {**times, "lines": [{"voucher": "her friend", "minutes": 75}]}
    (slip,) = (await api.made(f"/v1/projects/{project}/registers", slips))["vouchers"]
    await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": ann["id"]})


async def paper(town: Town, ann: Person) -> None:
    """What was printed, and what the community has to pass on: of Eve, who leaves."""
    eve = await town.person("Eve", 600)
    await town.api.made(f"/v1/people/{eve['id']}/erasure", {"give_to": "community"})
    last_day = (NOW + 90 * DAY).date().isoformat()
    printing = {"group": None, "label": "Winter", "minutes": 60, "count": 1, "last_day": last_day}
    batch = (await town.api.made("/v1/batches", printing))["id"]
    (voucher,) = (await town.api.get(f"/v1/batches/{batch}/codes")).json()["vouchers"]
    await town.api.made("/v1/vouchers/claims", {"code": voucher["code"], "person": ann["id"]})
    await town.api.made("/v1/notes", {"person": ann["id"], "notes": [{"serial": "SP-1", "minutes": 30}]})
    passed = {"person": ann["id"], "minutes": 45, "reason": "hard_winter"}
    await town.api.made("/v1/community-pot/passed-on", passed)


async def gifts(town: Town, ann: Person, bob: Person) -> None:
    for verb in ("accept", "decline", "take-back", ""):
        await town.gift(ann, bob, verb)
    await town.gift(bob, ann, "accept", 30)
    group = (await town.api.made("/v1/groups", {"name": "Tuesday gardeners"}))["id"]
    for path in (f"/v1/groups/{group}/pot/gifts", "/v1/community-pot/gifts"):
        await town.api.made(path, {"giver": ann["id"], "minutes": 15})


async def visits(town: Town, ann: Person) -> None:
    api, lido = town.api, town.lido
    swim = await lido.offer()
    shown = await api.visit(swim, ann["id"])
    at_once = await api.made("/v1/redemptions", shown, token=lido.till)
    await api.made(f"/v1/redemptions/{at_once['id']}/refund", {"minutes": 20}, token=lido.till)
    on_hold = await api.made("/v1/redemptions", {**shown, "capture": False}, token=lido.till)
    await api.made(f"/v1/redemptions/{on_hold['id']}/capture", {"minutes": 45}, token=lido.till)
    booked = [(await lido.book(ann, swim, SATURDAY + days * DAY))["id"] for days in (0, 1)]
    assert (await lido.cancel(booked[1], ann["key"])).status_code in {200, 201}
    late, sooner = await lido.book(ann, swim, SATURDAY + 3 * DAY), {"visit_at": (SATURDAY + 2 * DAY).isoformat()}
    await api.made(f"/v1/bookings/{late['id']}/change", sooner, token=ann["key"])


async def test_each_line_says_why(town: Town) -> None:
    """One of everything that the scheme does with a wallet; the figures follow from the helpers above."""
    ann, bob = await town.person(minutes=1200), await town.person("Bob Baker", 600)
    await hours(town, ann)
    await paper(town, ann)
    await gifts(town, ann, bob)
    await visits(town, ann)
    await town.post("goodwill:apology", account("wallet", UUID(ann["holder"])), 5)
    # The open gift lapses, and one of the bookings: nobody came.
    town.lido.clock.now = SATURDAY + 2 * DAY + HOUR
    (last, *_) = [row for row in (await town.home(ann)).coming if row.starts_at == SATURDAY + 2 * DAY]
    await town.api.made(f"/v1/bookings/{last.id}/no-show", token=town.lido.till)
    town.lido.clock.now = NOW + 31 * DAY
    async with town.database.transaction() as connection:
        await lapse_due(driver(connection), town.lido.clock.now)

    told = [(line.why, line.minutes, told_by(line)) for line in await town.statement(ann)]
    swim = "The lido", "A swim"
    assert told == [
        (Why.OPENING, 1200, ()),
        (Why.HOURS, 240, ("Saturdays",)),
        (Why.CORRECTION, -60, ("Saturdays",)),
        (Why.CORRECTION, 30, ("Saturdays",)),
        (Why.SLIP, 75, ("Saturdays",)),
        (Why.VOUCHER, 60, ()),
        (Why.NOTE, 30, ()),
        (Why.FROM_COMMUNITY, 45, ()),
        (Why.GIFT_GIVEN, -15, ("Bob",)),
        (Why.GIFT_OFFERED, -15, ()),
        (Why.GIFT_DECLINED, 15, ()),
        (Why.GIFT_OFFERED, -15, ()),
        (Why.GIFT_TAKEN_BACK, 15, ()),
        (Why.GIFT_OFFERED, -15, ()),
        (Why.GIFT_RECEIVED, 30, ("Bob",)),
        (Why.TO_POT, -15, ("Tuesday gardeners",)),
        (Why.TO_POT, -15, ()),
        (Why.SPENT, -60, swim),
        (Why.REFUND, 20, swim),
        (Why.SPENT, -60, (*swim, NOW)),
        (Why.REST, 15, (*swim, NOW)),
        (Why.ON_HOLD, -60, (*swim, SATURDAY)),
        (Why.ON_HOLD, -60, (*swim, SATURDAY + DAY)),
        (Why.CANCELLED, 60, (*swim, SATURDAY + DAY)),
        (Why.ON_HOLD, -60, (*swim, SATURDAY + 3 * DAY)),
        (Why.CHANGED, 60, (*swim, SATURDAY + 3 * DAY)),
        (Why.ON_HOLD, -60, (*swim, SATURDAY + 2 * DAY)),
        (Why.GOODWILL, 5, ()),
        (Why.LAPSED, 60, (*swim, SATURDAY + 2 * DAY)),
        (Why.LAPSED, 60, (*swim, SATURDAY)),
        (Why.GIFT_LAPSED, 15, ()),
    ]
    ended = await endings(town)
    assert {why for why, *_ in told} | ended == set(Why) - {Why.OTHER}, "one of each"


def told_by(line: Line) -> tuple[object, ...]:
    """What a line tells besides why."""
    found = line.project, line.venue, line.offer, line.visit_at, line.group, line.other
    return tuple(value for value in found if value is not None)


async def endings(town: Town) -> set[Why]:
    """Why credits ended: their time was over, and whoever had them left."""
    cas = await town.person("Cas", 60)
    changed = await town.api.send("PATCH", "/v1/rules", {"expiry_months": 6})
    assert changed.status_code == 200, changed.text
    town.lido.clock.now += 250 * DAY
    async with town.database.transaction() as connection:
        while await expire(driver(connection), town.lido.clock.now):
            pass
    await town.api.made(f"/v1/people/{cas['id']}/reinstatements")
    assert [line.why for line in await town.statement(cas)] == [Why.OPENING, Why.EXPIRED, Why.REINSTATED]
    found = {Why.EXPIRED, Why.REINSTATED}
    for to in ("community", "surrender"):
        dan = await town.person("Dan", 60)
        await town.api.made(f"/v1/people/{dan['id']}/erasure", {"give_to": to})
        async with town.database.reading() as connection:
            raw, holder = driver(connection), UUID(dan["holder"])
            (last, _) = await lines_of(raw, STAFF, holder, town.lido.clock.now, before=None, limit=9)
        assert (last.why, last.minutes, told_by(last)) == (Why.CLOSED, -60, ())
        found.add(last.why)
    return found


async def test_a_hold_says_whether_it_stands_and_all_say_what_they_are_about(town: Town) -> None:
    ann, bob = await town.person(minutes=600), await town.person("Bob")
    swim = await town.lido.offer()
    booked = [(await town.lido.book(ann, swim, SATURDAY + days * DAY))["id"] for days in (0, 1)]
    await town.lido.cancel(booked[1], ann["key"])
    offered, declined = await town.gift(ann, bob), await town.gift(ann, bob, "decline")
    _, *lines = await town.statement(ann)
    assert [(line.why, line.is_open, str(line.about)) for line in lines] == [
        (Why.ON_HOLD, True, booked[0]),
        (Why.ON_HOLD, False, booked[1]),
        (Why.CANCELLED, False, booked[1]),
        (Why.GIFT_OFFERED, True, offered),
        (Why.GIFT_OFFERED, False, declined),
        (Why.GIFT_DECLINED, False, declined),
    ]


async def test_a_pages_lines_go_on_where_the_last_ended(town: Town) -> None:
    ann = await town.person()
    for minutes in (15, 30, 45, 60):
        await town.post("opening:timebank", account("wallet", UUID(ann["holder"])), minutes)
    statements = Statements(town.database, town.lido.clock)
    first = await statements.of(own(ann), UUID(ann["id"]), before=None, limit=3)
    rest = await statements.of(own(ann), UUID(ann["id"]), before=first[-1].sequence, limit=3)
    assert [line.balance for line in (*first, *rest)] == [150, 90, 45, 15]
    assert await town.statement(await town.person("New")) == []


async def test_who_gave_is_told_to_the_two_and_staff_and_to_no_helper(town: Town) -> None:
    ann, bob, dee = await town.person(minutes=600), await town.person("Bob Baker"), await town.person("Dee")
    await town.gift(ann, bob, "accept")
    for person in (ann, bob):
        await town.api.made(f"/v1/people/{person['id']}/helpers", {"helper": dee["id"], "may": ["balance"]})

    async def names(person: Person, caller: Caller) -> list[str | None]:
        lines = await town.statement(person, caller)
        return [line.other for line in lines if line.why in {Why.GIFT_GIVEN, Why.GIFT_RECEIVED}]

    assert await names(ann, own(ann)) == await names(ann, STAFF) == ["Bob"]
    assert await names(bob, own(bob)) == await names(bob, STAFF) == ["Ann"]
    assert await names(ann, own(dee)) == await names(bob, own(dee)) == [None]
    await town.api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "surrender"})
    assert await names(bob, own(bob)) == [None]


async def test_a_child_without_consent_is_not_told_whose_gift_it_was(town: Town) -> None:
    ann, cat = await town.person(minutes=600), await town.person("Cat")
    await town.gift(ann, cat, "accept")
    await town.gift(ann, cat, words="Come and see me")
    for band, name, words in ((None, "Ann", "Come and see me"), ("8_to_15", None, None)):
        changed = await town.api.send("PATCH", f"/v1/people/{cat['id']}", {"age_band": band})
        assert changed.status_code == 200, changed.text
        (line,) = await town.statement(cat)
        (offered,) = (await town.home(cat)).gifts
        assert (line.why, line.other) == (Why.GIFT_RECEIVED, name)
        assert (offered.minutes, offered.giver, offered.words) == (15, name, words)


# --- a home -----------------------------------------------------------------------------------------------------


async def test_somebody_new_has_nothing_yet(town: Town) -> None:
    ann = await town.person()
    home = await town.home(ann)
    assert (home.name, home.available, home.held, home.ends, home.paused_at) == ("Ann Archer", 0, 0, (), None)
    assert not any([home.coming, home.claims, home.gifts, home.newest])


async def test_what_they_have_and_what_moved_last(town: Town) -> None:
    ann = await town.person(minutes=240)
    swim = await town.lido.offer()
    await town.lido.book(ann, swim, SATURDAY)
    for _ in range(2):
        await town.gift(ann, await town.person("Bob"))
    home = await town.home(ann)
    assert (home.available, home.held) == (150, 60)
    assert [line.why for line in home.newest] == [Why.GIFT_OFFERED, Why.GIFT_OFFERED, Why.ON_HOLD]
    assert len(home.newest) == NEWEST


async def test_what_is_coming_up_soonest_first(town: Town) -> None:
    """A visit of this morning is still there at noon; what was used, or is over, isn't, nor what they cancelled.

    What somebody else cancelled stays until its day is over, and says so; what was moved for them isn't cancelled.
    """
    ann = await town.person(minutes=480)
    town.lido.clock.now = NOW - 6 * HOUR
    swim, show = await town.lido.offer(), await town.lido.offer("show", price=90)
    (film,) = await town.lido.occasions(show, SATURDAY + 2 * HOUR)
    morning = await town.lido.book(ann, swim, NOW - 2 * HOUR)
    used = await town.lido.book(ann, swim, NOW - 3 * HOUR)
    cancelled = await town.lido.book(ann, swim, SATURDAY)
    closed, moved = [await town.lido.book(ann, swim, SATURDAY + 3 * HOUR) for _ in range(2)]
    assert (await town.lido.cancel(closed["id"], town.api.scheme)).status_code in {200, 201}
    later = {"visit_at": (SATURDAY + 4 * HOUR).isoformat()}
    change = await town.api.made(f"/v1/bookings/{moved['id']}/change", later)
    seat = await town.lido.book(ann, show, occasion=film)
    assert (await town.lido.capture(used["id"])).status_code == 201
    assert (await town.lido.cancel(cancelled["id"], ann["key"])).status_code in {200, 201}
    opportunity = {"title": "Weeding", "kind": "weekly", "place": "The walled garden"}
    weeding = await town.api.made(f"/v1/projects/{town.lido.project}/opportunities", opportunity)
    await town.api.made(f"/v1/opportunities/{weeding['id']}/publish")
    over = await town.session(NOW - 5 * HOUR)
    saturday = await town.session(SATURDAY, opportunity=weeding["id"])
    called_off = await town.session(SATURDAY + DAY)
    for session in (over, saturday, called_off):
        await town.expect(ann, session)
    await town.api.made(f"/v1/sessions/{called_off}/cancel")

    town.lido.clock.now = NOW
    coming = (await town.home(ann)).coming
    assert [(one.kind, str(one.id), one.title, one.where, one.place, one.starts_at, one.minutes) for one in coming] == [
        (Event.VISIT, morning["id"], "A swim", "The lido", None, NOW - 2 * HOUR, 60),
        (Event.SESSION, saturday, "Weeding", "Saturdays", "The walled garden", SATURDAY, 0),
        (Event.VISIT, seat["id"], "A swim", "The lido", None, SATURDAY + 2 * HOUR, 90),
        (Event.VISIT, closed["id"], "A swim", "The lido", None, SATURDAY + 3 * HOUR, 60),
        (Event.VISIT, change["bookings"][0]["id"], "A swim", "The lido", None, SATURDAY + 4 * HOUR, 60),
        (Event.SESSION, called_off, None, "Saturdays", None, SATURDAY + DAY, 0),
    ]
    assert [one.ends_at for one in coming[:4]] == [None, SATURDAY + 2 * HOUR, SATURDAY + 3 * HOUR, None]
    assert [one.cancelled for one in coming] == [False, False, False, True, False, True]
    assert not any(one.from_pot for one in coming)

    town.lido.clock.now = datetime(2026, 11, 17, tzinfo=UTC)
    assert [one.id for one in (await town.home(ann)).coming] == [one.id for one in coming[1:]], "the day is over"
    town.lido.clock.now = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert [str(one.id) for one in (await town.home(ann)).coming] == [called_off], "until its own day is over"
    town.lido.clock.now += timedelta(minutes=1)
    assert not (await town.home(ann)).coming


async def test_only_so_much_is_coming_up(town: Town) -> None:
    ann = await town.person()
    for days in range(COMING_MAX + 2):
        await town.expect(ann, await town.session(SATURDAY + days * DAY))
    coming = (await town.home(ann)).coming
    assert [one.starts_at for one in coming] == [SATURDAY + days * DAY for days in range(COMING_MAX)]


async def test_what_waits_for_somebody(town: Town) -> None:
    ann, bob = await town.person(), await town.person("Bob Baker", 600)
    waits = {}
    for days, state in enumerate(("draft", "submitted", "queried", "rejected"), 2):
        draft = {"draft": True} if state == "draft" else {}
        waits[state] = await town.claim(ann, NOW - days * DAY, **draft)
    for state, verb in (("queried", "query"), ("rejected", "reject")):
        await town.api.made(f"/v1/claims/{waits[state]}/{verb}", {"text": f"Which {verb}?"})
    gifts = [await town.gift(bob, ann, minutes=30, words="Thank you"), await town.gift(bob, ann)]
    await town.gift(bob, ann, "decline")
    home = await town.home(ann)
    assert [(str(one.id), one.wait, one.project, one.day, one.minutes, one.query) for one in home.claims] == [
        (waits["draft"], Wait.DRAFT, "Saturdays", date(2026, 11, 14), 60, None),
        (waits["submitted"], Wait.SUBMITTED, "Saturdays", date(2026, 11, 13), 60, None),
        (waits["queried"], Wait.QUERIED, "Saturdays", date(2026, 11, 12), 60, "Which query?"),
    ]
    assert {(str(one.id), one.minutes, one.giver, one.words) for one in home.gifts} == {
        (gifts[0], 30, "Bob", "Thank you"),
        (gifts[1], 15, "Bob", None),
    }
    town.lido.clock.now = NOW + 30 * DAY
    assert (await town.home(ann)).gifts == [], "their time is over, whether they lapsed yet or not"


async def test_a_childs_hours_wait_for_a_guardian(town: Town) -> None:
    cat = await town.person("Cat", age_band="8_to_15")
    await town.lido.give(cat["id"], 90)
    home = await town.home(cat)
    assert [(one.wait, one.minutes) for one in home.claims] == [(Wait.CONSENT, 90)]
    assert (home.available, home.newest) == (0, [])


async def test_what_ends_when_where_credits_end(town: Town) -> None:
    ann = await town.person(minutes=60)
    assert (await town.home(ann)).ends == ()
    await town.api.send("PATCH", "/v1/rules", {"expiry_months": 24})
    assert (await town.home(ann)).ends == [Ending(ends_on=date(2028, 11, 30), minutes=60)]


async def test_staff_see_all_of_it_and_a_helper_what_they_may_do_something_about(
    town: Town, owner: asyncpg.Connection
) -> None:
    ann, bob, dee = await town.person(minutes=600), await town.person("Bob", 600), await town.person("Dee")
    await town.lido.book(ann, await town.lido.offer(), SATURDAY)
    await town.claim(ann, NOW - 2 * DAY)
    await town.gift(bob, ann)

    async def parts(caller: Caller) -> tuple[int, int, int, int, int]:
        home = await town.home(ann, caller)
        return home.available, len(home.coming), len(home.claims), len(home.gifts), len(home.newest)

    for may, seen in (
        (["balance"], (540, 0, 0, 0, 2)),
        (["balance", "book"], (540, 1, 0, 0, 2)),
        (["balance", "claim"], (540, 0, 1, 0, 2)),
    ):
        link = await town.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": dee["id"], "may": may})
        assert await parts(own(dee)) == seen
        await town.api.made(f"/v1/helpers/{link['id']}/end")
    assert await parts(own(ann)) == await parts(STAFF) == (540, 1, 1, 1, 2)
    looks = "SELECT by FROM scheme.act WHERE verb = 'home_read' AND holder = $1 ORDER BY id"
    lookers = [row["by"] for row in await owner.fetch(looks, UUID(ann["holder"]))]
    assert lookers == [*[UUID(dee["holder"])] * 3, STAFF.identity], "another's look is an act, one's own isn't"


@pytest.mark.parametrize("scope", [Scope.PERSON, Scope.PROJECT, Scope.VENUE, Scope.AUDITOR])
async def test_to_anybody_else_nobody_is_there(town: Town, scope: Scope) -> None:
    ann, bob = await town.person(), await town.person("Bob")
    await town.lido.give(ann["id"], 60)
    object_ = {Scope.PROJECT: UUID(town.lido.project), Scope.VENUE: UUID(town.lido.venue)}.get(scope)
    caller = Caller(key=uuid4(), scope=scope, object=object_, holder=UUID(bob["holder"]))
    for asked in (town.home(ann, caller), town.statement(ann, caller)):
        with pytest.raises(Declined) as no:
            await asked
        assert no.value.reason is Refusal.NOT_FOUND
