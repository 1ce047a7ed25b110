"""The desk puts somebody's credits right: given back late, cancelled late, brought back, written down late."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ledger.database import Database, driver
from ledger.scheme.callers import Scope
from ledger.scheme.expiry import expire
from ledger.scheme.keys import Keys
from tests.doors.house import Api, settings_for
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance

DAY = timedelta(days=1)
BEGAN = datetime(2026, 1, 20, 12, tzinfo=UTC)
TWO_YEARS_ON = datetime(2028, 2, 1, 12, tzinfo=UTC)


class Desk:
    """An office at a moment that a test sets, and Ann, who has four credits."""

    def __init__(self, database: Database, api: Api, pages: Pages) -> None:
        self.database, self.api, self.pages = database, api, pages
        self.now = BEGAN
        self.ann = self.project = self.venue = self.offer = ""

    @property
    def base(self) -> str:
        return f"/staff/people/{self.ann}"

    async def open(self) -> None:
        """Ann gave four hours yesterday, and a pool asks one for a swim."""
        self.ann, self.project = str((await self.api.person("Ann Lee"))["id"]), await self.api.project()
        self.venue = await self.api.venue()
        self.offer = await self.api.offer(self.venue, 60, "A swim", cancel_minutes=24 * 60)
        body = {"started_at": (BEGAN - DAY).isoformat(), "ended_at": (BEGAN - DAY + timedelta(hours=4)).isoformat()}
        lines = [{"person": self.ann, "minutes": 240}]
        await self.api.made(f"/v1/projects/{self.project}/registers", {**body, "lines": lines})
        await self.at(BEGAN)

    async def at(self, moment: datetime) -> None:
        """Go there, with a key of the scheme, and somebody of the staff at the desk, who are of that day."""
        self.now = moment
        _, self.api.scheme = await Keys(self.database, lambda: moment, "test").create(Scope.SCHEME, None, "tests")
        self.pages.sign_in(await Entrance(self.database, lambda: self.now).staff())

    async def swim(self) -> str:
        """A visit that is paid for."""
        visit = await self.api.visit(self.offer, self.ann)
        return str((await self.api.made("/v1/redemptions", visit, token=await self.api.till(self.venue)))["id"])

    async def booked(self, starts: datetime, title: str = "A play", *, kind: str = "show", evenings: int = 1) -> str:
        """A show that Ann booked, or a course of so many evenings, which can be cancelled until a day before."""
        terms = {"booking_needed": True, "cancel_minutes": 24 * 60}
        body = {"title": title, "price": 60, "kind": kind, "terms": terms}
        offer = str((await self.api.made(f"/v1/venues/{self.venue}/offers", body))["id"])
        await self.api.made(f"/v1/offers/{offer}/publish")
        times = [starts + number * 7 * DAY for number in range(evenings)]
        occasions = [
            {"starts_at": each.isoformat(), "ends_at": (each + timedelta(hours=2)).isoformat(), "places": 9}
            for each in times
        ]
        await self.api.made(f"/v1/offers/{offer}/occasions", {"occasions": occasions})
        found = (await self.api.get(f"/v1/offers/{offer}/occasions")).json()["occasions"]
        wanted = {"person": self.ann, "offer": offer, "occasion": None if kind == "course" else found[0]["id"]}
        return str((await self.api.made("/v1/bookings", wanted))["id"])

    async def told(self) -> list[str]:
        """What was done for or about Ann, the newest first."""
        return [act["verb"] for act in (await self.api.get(f"/v1/people/{self.ann}/acts")).json()["acts"]]


@pytest.fixture
async def desk(dsn: str, database: Database) -> AsyncIterator[Desk]:
    """It, on a Tuesday at noon."""
    opened: list[Desk] = []
    async with (
        Api.running(
            dsn,
            clock=lambda: opened[0].now if opened else BEGAN,
            settings=msgspec.structs.replace(settings_for(dsn), public_url=URL),
        ) as api,
        Pages.of(api) as pages,
    ):
        opened.append(Desk(database, api, pages))
        await opened[0].open()
        yield opened[0]


# --- every line ---------------------------------------------------------------------------------------------


async def test_the_office_reads_somebodys_lines_as_what_another_did(desk: Desk) -> None:
    await desk.swim()
    await desk.pages.get(desk.base)
    page = await desk.pages.click("All lines")

    assert page.heading == "Credits of Ann Lee"
    assert "After the newest line they have 3 credits to spend." in page
    assert "A swim at Parkside pool 20 January 2026" in page
    assert "Helped at Saturdays" in page


async def test_lines_go_on_on_the_next_page(desk: Desk) -> None:
    for _ in range(13):
        await desk.api.made(f"/v1/redemptions/{await desk.swim()}/refund", {})
    page = await desk.pages.get(f"{desk.base}/credits")
    assert page.text.count("20 January 2026") == 25
    page = await desk.pages.click("Older")
    assert page.text.count("January 2026") == 2
    await desk.pages.get(f"{desk.base}/credits?before=AAAA", status=400)


# --- giving back --------------------------------------------------------------------------------------------


async def test_what_the_till_can_give_back_no_more_the_office_can(desk: Desk) -> None:
    visit = await desk.swim()
    till = await desk.api.till(desk.venue)
    await desk.at(BEGAN + 3 * DAY)
    refused = await desk.api.post(f"/v1/redemptions/{visit}/refund", {}, token=till)
    assert refused.json()["code"] == "wrong_state"

    await desk.pages.get(f"{desk.base}/credits")
    page = await desk.pages.click("A swim at Parkside pool")
    assert page.terms()["Taken"] == "1 credit"
    page = await desk.pages.submit("Give this back", minutes_minutes="15")
    assert "Given back." in page
    assert await desk.api.balance(desk.ann) == (195, 0)
    page = await desk.pages.submit("Give back all: 45 minutes")

    assert (page.terms()["How it stands"], page.terms()["Given back"]) == ("Given back", "1 credit")
    assert "Give it back" not in page
    assert await desk.api.balance(desk.ann) == (240, 0)
    assert (await desk.told()).count("visit_refunded") == 2


async def test_a_visit_of_long_ago_is_not_given_back_and_it_says_so(desk: Desk) -> None:
    visit = await desk.swim()
    await desk.at(BEGAN + 31 * DAY)
    await desk.pages.get(f"{desk.base}/visits/{visit}")
    page = await desk.pages.submit("Give back all", status=409)

    assert "A visit can be refunded for 30 days after it." in page.alert
    assert await desk.api.balance(desk.ann) == (180, 0)


async def test_more_than_was_taken_is_not_given_back_and_less_is_asked_anew(desk: Desk) -> None:
    visit = await desk.swim()
    await desk.pages.get(f"{desk.base}/visits/{visit}")
    await desk.pages.submit("Give this back", minutes_hours="2", status=422)
    page = await desk.pages.submit("Give this back", minutes_hours="1", minutes_minutes="0")

    assert page.terms()["Given back"] == "1 credit"


async def test_a_visit_or_booking_is_there_at_its_persons_address_only(desk: Desk) -> None:
    visit, booking = await desk.swim(), await desk.booked(BEGAN + 5 * DAY)
    bob = str((await desk.api.person("Bob"))["id"])
    for address in (f"visits/{visit}", f"bookings/{booking}"):
        await desk.pages.get(f"{desk.base}/{address}")
        await desk.pages.get(f"/staff/people/{bob}/{address}", status=404)
    await desk.pages.post(f"/staff/people/{bob}/visits/{visit}/refund", {"key": "k"}, status=404)
    await desk.pages.post(f"/staff/people/{bob}/bookings/{booking}", {"key": "k"}, status=404)
    assert await desk.api.balance(desk.ann) == (120, 60)


# --- cancelling late ----------------------------------------------------------------------------------------


async def test_what_they_can_cancel_no_more_the_office_can(desk: Desk) -> None:
    booking = await desk.booked(BEGAN + 5 * DAY)
    late = BEGAN + 5 * DAY - timedelta(hours=2)
    await desk.at(late)
    theirs = await desk.api.key("person", person=desk.ann)
    refused = await desk.api.post(f"/v1/bookings/{booking}/cancel", {}, token=theirs)
    assert refused.json()["code"] == "wrong_state"

    await desk.pages.get(desk.base)
    await desk.pages.click("Bookings")
    page = await desk.pages.click("A play")
    assert page.terms()["How it stands"] == "Expected"
    page = await desk.pages.submit("Cancel it")

    assert "It is cancelled, and the credits are back." in page
    assert "A play Parkside pool, Sunday 25 January, 12pm Cancelled" in page
    assert await desk.api.balance(desk.ann) == (240, 0)
    assert "cancel_booking" in await desk.told()
    await desk.pages.get(f"{desk.base}/bookings/{booking}")
    assert "Cancel it" not in (await desk.pages.again()).buttons


async def test_of_a_course_one_evening_or_all_that_are_left(desk: Desk) -> None:
    await desk.booked(BEGAN + 5 * DAY, "Pottery", kind="course", evenings=3)
    await desk.pages.get(f"{desk.base}/bookings")
    first = next(href for words, href in desk.pages.page.links.items() if words == "Pottery")  # type: ignore[union-attr]
    await desk.pages.get(first)
    await desk.pages.submit("Cancel it", course=False)
    assert await desk.api.balance(desk.ann) == (120, 120)


async def test_a_booking_that_was_used_is_given_back_as_a_visit(desk: Desk) -> None:
    booking = await desk.booked(BEGAN + 5 * DAY)
    await desk.at(BEGAN + 5 * DAY)
    page = await desk.pages.get(f"{desk.base}/bookings/{booking}")
    form = page.filled("Cancel it")
    await desk.api.made(f"/v1/redemptions/{booking}/capture", {}, token=await desk.api.till(desk.venue))
    page = await desk.pages.post(f"{desk.base}/bookings/{booking}", {"key": form["key"][0]}, status=409)
    assert "It was used or cancelled before" in page.alert
    page = await desk.pages.click("Give it back")

    assert page.terms()["Taken"] == "1 credit"


# --- bringing back ------------------------------------------------------------------------------------------


async def test_what_ended_lately_is_brought_back_once(desk: Desk) -> None:
    await desk.api.send("PATCH", "/v1/rules", {"expiry_months": 24})
    await desk.at(TWO_YEARS_ON)
    async with desk.database.transaction() as connection:
        await expire(driver(connection), TWO_YEARS_ON)
    assert await desk.api.balance(desk.ann) == (0, 0)
    page = await desk.pages.get(f"{desk.base}/credits")
    assert "4 credits, until 2 March 2028" in page
    form = page.filled("Bring them back")
    page = await desk.pages.submit("Bring them back")

    assert "They are back, and can be spent." in page
    assert "Ended, and can come back" not in page
    assert await desk.api.balance(desk.ann) == (240, 0)
    assert "credits_reinstated" in await desk.told()
    await desk.pages.post(f"{desk.base}/credits/reinstate", {"key": form["key"][0]}, status=200)
    page = await desk.pages.post(f"{desk.base}/credits/reinstate", {"key": "another"}, status=409)
    assert "Nothing of theirs ended within the last 30 days" in page.alert
    assert await desk.api.balance(desk.ann) == (240, 0)


# --- old hours ----------------------------------------------------------------------------------------------


async def test_hours_of_long_ago_are_written_down_and_the_project_approves_them(desk: Desk) -> None:
    long_ago = (BEGAN - 200 * DAY).date().isoformat()
    await desk.pages.get(desk.base)
    page = await desk.pages.click("Write down old hours")
    assert page.heading == "Hours of Ann Lee"
    told = {"project": "Saturdays", "started_at_day": long_ago, "started_at_time": "10:00", "note": "On the sheet."}
    page = await desk.pages.submit(
        "Write them down", {**told, "minutes_hours": "2", "minutes_minutes": "40"}, status=422
    )
    assert "165 is the nearest" in page.alert
    page = await desk.pages.submit("Write them down", minutes_minutes="45")

    assert "Written down. Somebody at the project approves them next." in page
    assert "claim" in await desk.told()
    assert await desk.api.balance(desk.ann) == (240, 0), "nobody has approved them yet"
    claims = (await desk.api.get(f"/v1/projects/{desk.project}/claims?state=submitted")).json()["claims"]
    assert [(each["minutes"], each["exceptions"]) for each in claims] == [(165, [])]
    await desk.api.made(f"/v1/projects/{desk.project}/approvals", {"claims": [claims[0]["id"]]})
    assert await desk.api.balance(desk.ann) == (405, 0)


async def test_hours_that_cannot_be_are_asked_again_as_they_were_typed(desk: Desk) -> None:
    for days, time, hours, says in (
        (731, "10:00", "2", "must be at most 730 days ago"),
        (0, "11:00", "2", "It ends later than now"),
        (5, "10:00", "", "is needed"),
    ):
        day = (BEGAN - days * DAY).date().isoformat()
        await desk.pages.get(f"{desk.base}/hours/new")
        told = {"project": "Saturdays", "started_at_day": day, "started_at_time": time, "minutes_hours": hours}
        page = await desk.pages.submit("Write them down", told, status=422)
        assert says in page.alert
        assert page.filled("Write them down")["started_at_day"] == [day]
