"""Somebody's own pages: what they have, what is coming up, and their statement, for nobody else's eyes."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest

from ledger.database import Database, driver
from ledger.doors.web.lines import why
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from ledger.scheme.clock import day_of
from ledger.scheme.lines import Line, Why
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


async def test_a_newcomer_is_told_what_to_do_next(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = await api.person("Ann Lee")
    pages.sign_in(await entrance.person(ann["id"]))
    page = await pages.get(f"/people/{ann['id']}")

    assert page.heading == "Hello Ann"
    assert "0 credits to spend" in page
    assert "Nothing is planned." in page
    assert "Your first hour will stand here." in page


async def test_somebody_sees_what_they_have_and_why(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, project = await api.person("Ann Lee"), await api.project("Repair cafe")
    await api.give(project, {ann["id"]: 165})
    venue = await api.venue("Parkside pool")
    visit = await api.visit(await api.offer(venue, title="A swim"), ann["id"])
    await api.made("/v1/redemptions", visit, token=await api.till(venue))
    pages.sign_in(await entrance.person(ann["id"]))
    page = await pages.get(f"/people/{ann['id']}")

    assert "1 credit 45 minutes to spend" in page
    assert "A swim at Parkside pool" in page
    assert "You helped at Saturdays" in page, "by the name that tells nothing"
    statement = await pages.click("All lines")
    assert "you have 1 credit 45 minutes to spend" in statement


async def test_a_long_statement_is_read_page_by_page(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, project = await api.person(), await api.project()
    for days in range(1, 31):
        await api.give(project, {ann["id"]: 15}, days_ago=days)
    pages.sign_in(await entrance.person(ann["id"]))
    first = await pages.get(f"/people/{ann['id']}/statement")
    second = await pages.click("Older")

    assert (first.text.count("You helped at"), second.text.count("You helped at")) == (25, 5)
    assert "Older" not in second.links
    await pages.get(f"/people/{ann['id']}/statement?before=AAAA", status=400)


async def test_a_statement_says_that_its_order_is_not_that_of_the_days_it_shows(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann, project = await api.person(), await api.project()
    for days in (1, 5):  # what was given first is written down last
        await api.give(project, {ann["id"]: 60}, days_ago=days)
    pages.sign_in(await entrance.person(ann["id"]))
    own = await pages.get(f"/people/{ann['id']}/statement")
    pages.sign_in(await entrance.staff())
    at_the_desk = await pages.get(f"/staff/people/{ann['id']}/credits")

    shown = [f"{day_of(daytime() - timedelta(days=days)):%-d %B %Y}" for days in (5, 1)]
    for page in (own, at_the_desk):
        assert re.findall(r"\d+ [A-Z]\w+ 20\d\d", page.text) == shown
        assert "What was added last stands first." in page
        assert "newest first" not in page


async def test_nobody_opens_anothers_pages(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    pages.sign_in(await entrance.person(bob["id"]))
    for path in (f"/people/{ann['id']}", f"/people/{ann['id']}/statement"):
        assert (await pages.get(path, status=404)).heading == "There is nothing here"


async def test_a_helper_opens_them_in_their_own_name_and_the_person_can_see_that(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance"]})
    pages.sign_in(await entrance.person(bob["id"]))
    page = await pages.get(f"/people/{ann['id']}")

    assert page.heading == "Ann"
    acts = (await api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"]
    assert (acts[0]["verb"], acts[0]["person"]) == ("home_read", bob["id"])


async def test_all_that_matters_now_stands_on_the_home_page(
    api: Api, pages: Pages, entrance: Entrance, database: Database
) -> None:
    ann, bob, kid = [str((await api.person(name))["id"]) for name in ("Ann Lee", "Bob Ray", "Kim Bo")]
    await _received_in_each_month(database, ann, months=8)
    project, venue = await api.project("Repair cafe"), await api.venue("Parkside pool")
    await api.give(project, {ann: 165, bob: 60})
    offer = await api.offer(venue, title="A swim")
    soon = daytime().replace(microsecond=0) + timedelta(days=3)
    await api.made("/v1/bookings", {"person": ann, "offer": offer, "visit_at": soon.isoformat()})
    await api.made(f"/v1/people/{bob}/gifts", {"receiver": ann, "minutes": 15, "words": "For you"})
    began = daytime().replace(microsecond=0) - timedelta(days=2)
    times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=1)).isoformat()}
    await api.made("/v1/claims", {"project": project, "person": ann, "minutes": 60, **times})
    await api.made(f"/v1/people/{kid}/helpers", {"helper": ann, "may": ["claim"]})
    await api.send("PATCH", "/v1/rules", {"expiry_months": 24})

    pages.sign_in(await entrance.person(ann))
    page = await pages.get(f"/people/{ann}")
    assert "And 1 credit on hold for what you booked." in page
    assert [row[0] for row in page.rows("Coming up")] == ["A swim"]
    assert page.link("A swim").startswith(f"/people/{ann}/bookings/")
    assert "Saturdays will look at them" in page, "hours on their way"
    assert "15 minutes from Bob. For you" in page
    assert page.link("Kim Bo") == f"/people/{kid}/claims"
    assert not page.hard_to_read()
    ends = re.findall(r"Until (\d+ \w+ \d{4}) ", page.text)
    days = [datetime.strptime(day, "%d %B %Y").replace(tzinfo=UTC) for day in ends]
    assert len(days) == 8, "all of them, the later ones unfolded; what ends first is what is on hold"
    assert days == sorted(days)


HELPED = {
    "balance": {"All lines", "Helping"},
    "book": {"All lines", "Helping", "Find something to enjoy", "Show their pass", "A swim"},
    "claim": {"All lines", "Helping", "Tell us their hours"},
}


@pytest.mark.parametrize("may", HELPED)
async def test_a_helper_is_shown_only_what_they_may_open_and_is_never_told_you(
    api: Api, pages: Pages, entrance: Entrance, may: str
) -> None:
    ann, bob = [str((await api.person(name))["id"]) for name in ("Ann Lee", "Bob Ray")]
    project = await api.project()
    await api.give(project, {ann: 225})
    offer = await api.offer(await api.venue())
    soon = daytime().replace(microsecond=0) + timedelta(days=3)
    await api.made("/v1/bookings", {"person": ann, "offer": offer, "visit_at": soon.isoformat()})
    await api.send("PATCH", f"/v1/people/{ann}/preferences", {"paused": True})
    await api.made(f"/v1/people/{ann}/helpers", {"helper": bob, "may": sorted({"balance", may})})
    pages.sign_in(await entrance.person(bob))
    page = await pages.get(f"/people/{ann}")

    within = {name: href for name, href in page.links.items() if name in page.text}
    assert HELPED[may] <= set(within)
    for href in within.values():
        await pages.get(href)
    page = await pages.get(f"/people/{ann}")
    assert "They are taking a break." in page
    assert ("What is coming up is not shown to you." in page) == (may != "book")
    assert ("Coming up" in page) == (may == "book")
    assert not re.search(r"\b(You|Your|your)\b", page.text.replace("shown to you", "")), page.text
    statement = await pages.click("All lines")
    assert "Helped at Saturdays" in statement
    assert "they have 2 credits 45 minutes" in statement


async def test_a_guardian_hears_at_home_that_hours_wait_for_their_word(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann = str((await api.person("Ann Lee"))["id"])
    kid = str((await api.made("/v1/people", {"name": "Kit Lee", "age_band": "8_to_15"}))["id"])
    await api.made(f"/v1/people/{kid}/guardians", {"guardian": ann})
    pages.sign_in(await entrance.person(ann))
    page = await pages.get(f"/people/{ann}")
    assert "You have not agreed for Kit Lee yet." in page
    await pages.click("Look at it, and agree")
    await pages.submit("I agree")
    assert "You have not agreed" not in await pages.get(f"/people/{ann}")


async def _received_in_each_month(database: Database, person: str, months: int) -> None:
    """As if the journal were as old: no door writes into the past."""
    async with database.transaction() as connection:
        raw = driver(connection)
        holder = await raw.fetchval("SELECT id FROM scheme.holder WHERE person = $1", UUID(person))
        for ago in range(months, 0, -1):
            at = daytime() - timedelta(days=31 * ago)
            received = Transfer("opening:notes", account("wallet", holder), 60)
            await post(raw, CHART, [Entry(id=uuid4(), transfers=(received,), happened_at=at, actor=uuid4())], at)


@pytest.mark.parametrize(
    ("reason", "is_open", "named", "own"), list(product(Why, (True, False), (True, False), (True, False)))
)
def test_every_line_says_why_in_at_most_twelve_words(reason: Why, *, is_open: bool, named: bool, own: bool) -> None:
    long = "The Cambridge and District Society of Friends of the Botanic Garden" if named else None
    line = Line(
        entry=UUID(int=1),
        sequence=1,
        why=reason,
        minutes=60,
        balance=60,
        happened_at=datetime(2026, 11, 22, tzinfo=UTC),
        recorded_at=datetime(2026, 11, 22, tzinfo=UTC),
        about=None,
        project=long,
        project_id=None,
        venue=long,
        offer=long,
        visit_at=None,
        group=long,
        other=long,
        is_open=is_open,
    )
    said = why(line, str, own=own)

    assert 2 <= len(said.split()) <= 12
    assert "%" not in said
    assert own or "you" not in said.lower().split()
