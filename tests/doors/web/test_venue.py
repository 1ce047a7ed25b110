"""A venue's own pages: today, the month's places, its thanks, its offers and its tills; for it and for staff alone."""

import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from ledger.database import Database
from ledger.doors.web.venue import _after, _before
from tests.doors.bookings.lido import NOW, Lido
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance

URL = "http://localhost"


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


@pytest.fixture
async def pages(lido: Lido, database: Database) -> AsyncIterator[Pages]:
    """Whoever manages the lido."""
    async with Pages.of(lido.api, url=URL) as opened:
        opened.sign_in(await Entrance(database, lido.clock).manager(lido.venue))
        yield opened


async def visit(lido: Lido, offer: str, person: dict[str, Any]) -> str:
    made = await lido.api.made("/v1/redemptions", await lido.api.visit(offer, person["id"]), token=lido.till)
    return str(made["id"])


async def test_a_venue_sees_who_is_booked_today_and_how_many_places_are_taken(lido: Lido, pages: Pages) -> None:
    assert "Nobody is booked for today" in await pages.get(f"/venues/{lido.venue}")
    assert "Your offers have no limit of places" in await pages.again()

    ann, bob = await lido.person("Ann Archer"), await lido.person("Bob Bell")
    swim = await lido.offer(quota=40)
    tour = await lido.offer("ticket", price=90)
    await lido.book(ann, tour, lido.clock.now + timedelta(hours=2), party={"adults": 1, "children": 1})
    await lido.book(bob, tour, lido.clock.now + timedelta(days=2))
    await visit(lido, swim, bob)
    page = await pages.again()

    assert page.heading == "The lido"
    assert page.rows("Booked for today") == [["2pm", "Ann", "1 adult, 1 child", "A swim", "Expected"]]
    assert page.rows("Places taken this month") == [["A swim", "", "1 of 40"]]
    assert page.terms()["Visits"] == "1"
    assert page.terms()["Credits honoured"] == "1 credit"
    assert "Archer" not in page
    assert not page.hard_to_read()


async def test_a_month_thanks_for_what_was_honoured_and_can_be_printed(lido: Lido, pages: Pages) -> None:
    ann, swim = await lido.person(minutes=300), await lido.offer()
    await visit(lido, swim, ann)
    given_back = await visit(lido, swim, ann)
    await lido.api.made(f"/v1/redemptions/{given_back}/refund", {}, token=lido.till)
    await pages.get(f"/venues/{lido.venue}")
    page = await pages.click("Thank-you statement")

    assert page.heading == "Thank you, The lido"
    assert page.rows("Visits by offer") == [["A swim", "1", "1 credit"]]
    assert page.terms()["Given back"] == "1 credit"
    assert "the numbers still grow" in page
    assert "Newer" not in page.links

    printed = await pages.file(page.links["Print it"])
    assert printed.headers["content-type"] == "application/pdf"
    assert printed.headers["cache-control"] == "no-store"
    said = " ".join(PdfReader(io.BytesIO(printed.content)).pages[0].extract_text().split())
    assert "Thank you, The lido" in said
    assert "November 2026" in said

    before = await pages.click("Older")
    assert "There were no visits in October 2026" in before
    assert (await pages.click("Newer")).rows("Visits by offer") == [["A swim", "1", "1 credit"]]


@pytest.mark.parametrize("asked", ["2026-12", "1999-12", "november", "2026-13", "0000-01", "2026-11-16"])
async def test_a_month_that_there_wasnt_is_this_one(lido: Lido, pages: Pages, asked: str) -> None:
    assert "November 2026" in await pages.get(f"/venues/{lido.venue}/month?month={asked}")


def test_months_follow_each_other() -> None:
    assert (_after(date(2026, 11, 1)), _after(date(2026, 12, 1))) == (date(2026, 12, 1), date(2027, 1, 1))
    assert (_before(date(2026, 12, 1)), _before(date(2027, 1, 1))) == (date(2026, 11, 1), date(2026, 12, 1))


async def test_offers_are_told_with_their_rules_in_plain_words(lido: Lido, pages: Pages) -> None:
    assert "There is nothing here yet" in await pages.get(f"/venues/{lido.venue}/offers")
    weekdays = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "10:00", "closes": "16:00"}
    await lido.offer(
        price=60,
        child_price=30,
        young_price=0,
        companion_free=True,
        low_talk=True,
        windows=[weekdays],
        closed=["2026-12-25"],
        quota=40,
        visit_minutes=240,
        month_minutes=480,
        requires=["gym_induction"],
    )
    await lido.offer("show", cancel_minutes=2880, people=1, children=False, from_years=18)
    await lido.offer(booking_needed=True, ahead_minutes=90, below_years=18)
    await lido.offer("course")
    draft = {"title": "Not yet", "price": 60}
    await lido.api.made(f"/v1/venues/{lido.venue}/offers", draft)
    page = await pages.again()
    for says in (
        "1 credit for an adult, 30 minutes for a child, no credits for a child under 8.",
        "A companion comes in free.",
        "Nobody has to talk.",
        "People just come.",
        "Open: Monday to Friday, 10am to 4pm.",
        "Closed on 25 December 2026.",
        "40 places a month for credits.",
        "Up to 4 credits for one visit.",
        "Up to 8 credits a month for each person.",
        "Up to 10 people together.",
        "Needed first: gym induction.",
        "At set times, booked beforehand.",
        "Bookings can be cancelled until 2 days before.",
        "1 person at a time.",
        "For people of 16 and over.",
        "For people of 18 and over.",
        "Booked at least 1 hour 30 minutes before.",
        "For people under 18.",
        "A course: all its sessions are booked together",
        "1 credit a person.",
        "Not open yet",
        "Open",
    ):
        assert says in page, says
    assert not page.hard_to_read()


# --- tills ------------------------------------------------------------------------------------------------------


async def test_a_till_is_made_with_a_code_enrolled_and_taken_out_of_use(lido: Lido, pages: Pages) -> None:
    await lido.offer()
    assert "There is no till yet" not in await pages.get(f"/venues/{lido.venue}/tills"), "the lido has one"
    await pages.submit("Show its code", status=422)
    page = await pages.submit("Show its code", name="By the gate")
    code = next(page.html.name(each) for each in page.html.all("strong"))
    assert page.heading == "The code for By the gate"
    assert "Works once, until 12:10pm" in page
    assert "/enrol Type the code." in page, "the whole address, to be typed"
    assert code.replace("-", "") not in page.path.upper()

    listed = await pages.get(f"/venues/{lido.venue}/tills")
    assert "Waiting for its code" in listed
    assert code not in listed.text, "it is shown once"
    async with Pages.of(lido.api, url=URL) as tablet:
        await tablet.get("/enrol")
        assert (await tablet.submit("Set it up", code=code)).path.startswith("/till")
        listed = await pages.again()
        assert "By the gate In use since 16 November 2026" in listed
        page = await pages.submit("Take it out of use By the gate")
        assert "It is out of use." in page
        assert "By the gate, until 16 November 2026" in page
        assert "This till has to be set up again" in await tablet.get("/till", status=401), "at once"


async def test_sending_the_form_again_makes_no_second_till_and_its_code_runs_out(
    lido: Lido, pages: Pages, database: Database
) -> None:
    await pages.get(f"/venues/{lido.venue}/tills")
    fields = {"key": "once", "name": "By the gate"}
    codes = set()
    for _ in range(2):
        page = await pages.post(f"/venues/{lido.venue}/tills", fields, status=200)
        codes.add(next(page.html.name(each) for each in page.html.all("strong")))
    assert len(codes) == 1
    assert (await pages.get(f"/venues/{lido.venue}/tills")).text.count("Waiting for its code") == 1
    lido.clock.now += timedelta(minutes=10)
    late = await pages.again()
    assert "By the gate Its code ran out" in late
    assert "Waiting for its code" not in late
    pages.sign_in(await Entrance(database, lido.clock).staff())
    page = await pages.get(f"/staff/venues/{lido.venue}")
    assert ["By the gate", "Its code ran out"] in [row[:2] for row in page.rows("Tills and kiosks")]


async def test_a_till_stands_at_one_of_several_sites_or_is_carried_about(lido: Lido, pages: Pages) -> None:
    for name in ("Pool", "Courts"):
        await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": name})
    await pages.get(f"/venues/{lido.venue}/tills")
    await pages.submit("Show its code", name="Court 1", site="Courts")
    assert "Court 1 Waiting for its code Courts" in await pages.get(f"/venues/{lido.venue}/tills")


async def test_only_a_venues_own_tills_are_taken_out_of_use_there(lido: Lido, pages: Pages, database: Database) -> None:
    entrance = Entrance(database, lido.clock)
    other = await lido.api.venue("Elsewhere")
    await entrance.till(other)
    theirs = (await lido.api.get(f"/v1/venues/{other}/devices")).json()["devices"][0]["id"]
    path = f"/venues/{lido.venue}/tills/{theirs}/revoke"
    await pages.post(path, {"key": "k"}, status=404)
    pages.sign_in(await entrance.staff())
    await pages.post(path, {"key": "k"}, status=404)
    assert (await lido.api.get(f"/v1/venues/{other}/devices")).json()["devices"][0]["status"] == "active"


async def test_ten_tills_a_day_are_enough(lido: Lido, pages: Pages) -> None:
    await pages.get(f"/venues/{lido.venue}/tills")
    for number in range(9):  # and the one that is there
        await pages.post(f"/venues/{lido.venue}/tills", {"key": f"k{number}", "name": "Till"}, status=200)
    page = await pages.get(f"/venues/{lido.venue}/tills")
    page = await pages.submit("Show its code", name="One more", status=409)
    assert "10 were made within a day" in page.alert


# --- who may ----------------------------------------------------------------------------------------------------

PATHS = ("", "/month", "/month.pdf", "/offers", "/tills")


async def test_staff_see_what_the_venue_sees_and_others_dont(lido: Lido, database: Database) -> None:
    entrance, ann = Entrance(database, lido.clock), await lido.person()
    other = await lido.api.venue("Elsewhere")
    async with Pages.of(lido.api, url=URL) as browser:
        for path in PATHS:
            assert (await browser.get(f"/venues/{lido.venue}{path}")).path.startswith("/sign-in")
        browser.sign_in(await entrance.staff())
        for path in ("", "/month", "/offers", "/tills"):
            await browser.get(f"/venues/{lido.venue}{path}")
            await browser.get(f"/venues/{ann['id']}{path}", status=404)
        for token in (
            await entrance.person(ann["id"]),
            await entrance.manager(other),
            await entrance.till(lido.venue),
            await entrance.coordinator(lido.project),
        ):
            browser.sign_in(token)
            for path in PATHS:
                assert "The lido" not in await browser.get(f"/venues/{lido.venue}{path}", status=404)
            await browser.post(f"/venues/{lido.venue}/tills", {"key": "k", "name": "Mine"}, status=404)


async def test_a_day_of_many_bookings_stays_light(lido: Lido, pages: Pages) -> None:
    tour = await lido.offer("ticket", price=15)
    for number in range(12):
        someone = await lido.person(f"Person {number}", 60)
        await lido.book(someone, tour, NOW + timedelta(minutes=1 + number))
    page = await pages.get(f"/venues/{lido.venue}")
    assert len(page.rows("Booked for today")) == 12
