"""A coordinator's day: what is on, who comes, planning and cancelling, what can be done there, and what was given."""

from datetime import datetime, time, timedelta
from typing import Any

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme.clock import LONDON, day_of
from ledger.scheme.telling import tell
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance


class Club:
    """A project and its coordinator's browser."""

    def __init__(self, api: Api, pages: Pages, entrance: Entrance) -> None:
        self.api, self.pages, self.entrance = api, pages, entrance
        self.project = self.base = ""

    async def opened(self) -> "Club":
        self.project = await self.api.project("Repair cafe")
        self.base = f"/projects/{self.project}"
        self.pages.sign_in(await self.entrance.coordinator(self.project))
        return self

    async def session(self, *, begins: timedelta = timedelta(), hours: int = 2, **more: object) -> str:
        began = daytime().replace(second=0, microsecond=0) + begins
        times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=hours)).isoformat()}
        made = await self.api.made(f"/v1{self.base}/sessions", {**times, **more})
        return str(made["sessions"][0]["id"])

    async def regular(self, name: str) -> str:
        person = str((await self.api.person(name))["id"])
        await self.api.give(self.project, {person: 60}, days_ago=7)
        return person

    async def opportunity(self, **more: object) -> str:
        body = {"title": "Mend lamps", "kind": "weekly", **more}
        made = await self.api.made(f"/v1{self.base}/opportunities", body)
        await self.api.made(f"/v1/opportunities/{made['id']}/publish")
        return str(made["id"])


@pytest.fixture
async def club(api: Api, pages: Pages, entrance: Entrance) -> Club:
    return await Club(api, pages, entrance).opened()


# --- the day ------------------------------------------------------------------------------------------------


async def test_an_empty_day_says_what_to_do_next(club: Club) -> None:
    page = await club.pages.get(club.base)
    assert page.heading == "Repair cafe"
    assert page.links["Record a session anyway"] == f"{club.base}/register/new"
    assert page.links["Plan a session"] == f"{club.base}/sessions/new"
    assert not page.hard_to_read()


async def test_the_day_says_who_is_expected_and_who_is_here(club: Club) -> None:
    ann, bob = await club.regular("Ann Lee"), await club.regular("Bob Ray")
    opportunity = await club.opportunity()
    session = await club.session(begins=timedelta(minutes=1), opportunity=opportunity)
    await club.api.made(f"/v1/sessions/{session}/attendances", {"person": ann})
    await club.api.made(f"/v1/sessions/{session}/attendances/{bob}/check-in", {})
    later = await club.session(begins=timedelta(days=3), opportunity=opportunity)
    over = await club.session(begins=timedelta(days=-3))
    page = await club.pages.get(club.base)
    assert "Mend lamps" in page
    assert "Here: Bob Ray" in page
    assert "Expected: Ann Lee" in page
    assert page.links["Fill in the register"] == f"{club.base}/sessions/{session}/register"
    assert f"{club.base}/sessions/{later}" in page.links.values()
    assert f"{club.base}/sessions/{over}/register" in page.links.values(), "it is still to be recorded"


@pytest.mark.parametrize(
    ("begins", "main", "other"),
    [
        (timedelta(minutes=-5), "Fill in the register", "Sign people in"),
        (timedelta(minutes=5), "Sign people in", "Fill in the register"),
    ],
)
async def test_before_a_session_has_begun_its_register_is_no_main_thing_to_do(
    club: Club, begins: timedelta, main: str, other: str
) -> None:
    session = await club.session(begins=begins)

    def primary(page: Page) -> list[str]:
        return [page.html.name(link) for link in page.html.all("a") if link.get("class") == "button primary"]

    page = await club.pages.get(club.base)
    assert primary(page) == [main]
    assert other in page.links
    page = await club.pages.get(f"{club.base}/sessions/{session}")
    assert primary(page) == (["Print a blank sheet"] if begins > timedelta() else ["Fill in the register"])
    assert page.links["Fill in the register"] == f"{club.base}/sessions/{session}/register"


async def test_the_day_counts_what_waits(club: Club) -> None:
    ann = await club.regular("Ann Lee")
    began = daytime() - timedelta(days=2)
    claim = {"project": club.project, "person": ann, "minutes": 60}
    times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=1)).isoformat()}
    await club.api.made("/v1/claims", {**claim, **times})
    page = await club.pages.get(club.base)
    assert "Hours that wait for approval: 1." in page
    club.pages.sign_in(await club.entrance.approver(club.project))
    page = await club.pages.get(club.base)
    assert page.links["Look at them"] == f"{club.base}/approvals"
    assert "Today" not in page, "who approves alone is shown what is theirs"
    assert "Register" not in page


async def test_an_approver_for_whom_nothing_waits_is_thanked(club: Club) -> None:
    club.pages.sign_in(await club.entrance.approver(club.project))
    assert "Nothing waits for you." in await club.pages.get(club.base)


async def test_who_looks_at_a_sensitive_projects_day_is_written_down(club: Club) -> None:
    await club.api.send("PATCH", f"/v1{club.base}", {"sensitive": True})
    session = await club.session()
    await club.pages.get(club.base)
    await club.pages.get(f"{club.base}/sessions/{session}/register")
    acts = (await club.api.get("/v1/acts", verb="people_of_sensitive_project")).json()["acts"]
    assert len(acts) == 2


# --- sessions -----------------------------------------------------------------------------------------------


async def test_sessions_are_planned_weekly_in_one_go(club: Club) -> None:
    await club.opportunity(places=8)
    await club.pages.get(f"{club.base}/sessions/new")
    day = day_of(daytime()) + timedelta(days=7)
    page = await club.pages.submit(
        "Plan it", day=day.isoformat(), begins="10:00", ends="12:30", repeat="3", opportunity="Mend lamps"
    )
    assert page.heading == "Mend lamps"
    assert "10am to 12:30pm" in page
    assert "They are all planned." in page
    found = (await club.api.get(f"/v1{club.base}/sessions")).json()["sessions"]
    began = [datetime.fromisoformat(each["started_at"]).astimezone(LONDON) for each in found]
    assert [each.date() for each in began] == [day + timedelta(weeks=week) for week in range(3)]
    assert {f"{each:%H:%M}" for each in began} == {"10:00"}


async def test_a_session_can_end_after_midnight(club: Club) -> None:
    await club.pages.get(f"{club.base}/sessions/new")
    day = day_of(daytime()) + timedelta(days=7)
    await club.pages.submit("Plan it", day=day.isoformat(), begins="22:00", ends="06:00")
    found = (await club.api.get(f"/v1{club.base}/sessions")).json()["sessions"][0]
    length = datetime.fromisoformat(found["ended_at"]) - datetime.fromisoformat(found["started_at"])
    assert length == timedelta(hours=8)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"day": ""}, "Day is needed"),
        ({"begins": "noon"}, "From"),
        ({"repeat": "0"}, "How many weeks? This must be at least 1"),
        ({"repeat": "60"}, "How many weeks? This must be at most 26"),
        ({"day": "2020-01-01"}, "Day must be at most 60 days ago"),
        ({"day": "2099-01-01"}, "Day must be at most a year ahead"),
    ],
)
async def test_what_cannot_be_planned_is_said_at_its_field(club: Club, typed: dict[str, str], says: str) -> None:
    await club.pages.get(f"{club.base}/sessions/new")
    day = day_of(daytime()) + timedelta(days=7)
    fields = {"day": day.isoformat(), "begins": "10:00", "ends": "12:00", **typed}
    page = await club.pages.submit("Plan it", fields, status=422)
    assert says in page.alert
    assert not (await club.api.get(f"/v1{club.base}/sessions")).json()["sessions"]


async def test_people_are_signed_in_and_out_by_the_coordinator(club: Club) -> None:
    ann, bob = await club.regular("Ann Lee"), await club.regular("Bob Ray")
    session = await club.session()
    await club.api.made(f"/v1/sessions/{session}/attendances", {"person": ann})
    page = await club.pages.get(f"{club.base}/sessions/{session}")
    page = await club.pages.submit("Sign in Ann Lee")
    assert "Saved." in page
    assert "came at" in page
    page = await club.pages.submit("Sign in", name="bob ray")
    assert "Sign out Bob Ray" in page.buttons
    page = await club.pages.submit("Not here Bob Ray")
    page = await club.pages.submit("Sign out Ann Lee")
    assert "left at" in page
    states = {
        each["person"]: each["state"]
        for each in (await club.api.get(f"/v1/sessions/{session}/attendances")).json()["attendances"]
    }
    assert states == {ann: "checked_out", bob: "absent"}


async def test_a_stranger_at_the_door_goes_on_the_register(club: Club) -> None:
    session = await club.session()
    await club.pages.get(f"{club.base}/sessions/{session}")
    page = await club.pages.submit("Sign in", name="Zoe", status=422)
    assert "Name is nobody who has been here. Write them on the register" in page.alert
    for _ in range(2):
        await club.regular("Ann Lee")
    page = await club.pages.submit("Sign in", name="Ann Lee", status=422)
    assert "Name is what more than one person is called" in page.alert


async def test_signing_out_whoever_is_out_is_said_and_harms_nothing(club: Club) -> None:
    ann = await club.regular("Ann Lee")
    session = await club.session()
    here = f"{club.base}/sessions/{session}/attendances"
    page = await club.pages.post(here, {"person": ann, "do": "leave"}, status=409)
    assert "They can't be checked out" in page
    await club.pages.post(here, {"person": ann, "do": "dance"}, status=400)
    await club.pages.post(here, {"person": ann, "do": "come"}, status=403, site="cross-site")


async def test_a_session_is_cancelled_and_everybody_who_was_expected_hears_of_it(
    club: Club, database: Database, owner: asyncpg.Connection
) -> None:
    """By a letter, or from somebody who is asked to tell them; and each by their own pages."""
    ann, bob = await club.regular("Ann Lee"), await club.regular("Bob Ray")
    contact = {"email": "ann@example.org", "channel": "email"}
    assert (await club.api.send("PATCH", f"/v1/people/{ann}", {"contact": contact})).is_success
    session = await club.session(begins=timedelta(days=2))
    for person in (ann, bob):
        await club.api.made(f"/v1/sessions/{session}/attendances", {"person": person})
    await club.pages.get(f"{club.base}/sessions/{session}")
    asked = await club.pages.click("Cancel this session")
    assert "2 people are expected." in asked
    page = await club.pages.submit("Yes, cancel it")
    assert "This session is cancelled." in page
    for each, heading in ((asked, "Whom to ring or tell afterwards"), (page, "Please ring or tell them")):
        assert "1 person gets an email from us." in each
        said = each.text[each.text.index(heading) :].partition("Who was expected")[0]
        assert ("Bob Ray" in said, "Ann Lee" in said) == (True, False)
    assert "Cancel this session" not in page.links
    assert "It is cancelled already." in await club.pages.get(f"{club.base}/sessions/{session}/cancel")
    assert "Nobody is expected" not in await club.pages.get(club.base)
    async with database.transaction() as connection:
        await tell(driver(connection), datetime.combine(day_of(daytime()), time(12), LONDON) + timedelta(days=1))
    letters = await owner.fetch("SELECT recipient, subject, body FROM scheme.letter ORDER BY subject")
    subjects = ["About the hours that you gave", "Something that you planned is cancelled"]
    assert [each["subject"] for each in letters] == subjects
    assert {each["recipient"] for each in letters} == {"ann@example.org"}
    letter = letters[-1]
    assert "You were expected at Saturdays" in letter["body"]
    assert "Repair cafe" not in letter["body"]
    for person in (ann, bob):
        club.pages.sign_in(await club.entrance.person(person))
        home = await club.pages.get(f"/people/{person}")
        assert [row[0] for row in home.rows("Coming up")] == ["Cancelled: Helping at Saturdays"]
        sessions = await club.pages.get(f"/people/{person}/sessions")
        assert "Cancelled: Helping at Saturdays" in sessions
        assert not any("Take off the list" in each for each in sessions.buttons)


async def test_a_session_to_which_somebody_came_is_not_cancelled(club: Club) -> None:
    ann = await club.regular("Ann Lee")
    session = await club.session()
    await club.pages.get(f"{club.base}/sessions/{session}/cancel")
    await club.api.made(f"/v1/sessions/{session}/attendances/{ann}/check-in", {})
    page = await club.pages.submit("Yes, cancel it", status=409)
    assert "Somebody has come to this session." in page.alert


# --- what people can do -------------------------------------------------------------------------------------


async def test_something_to_do_is_described_opened_paused_and_ended(club: Club) -> None:
    await club.pages.get(f"{club.base}/opportunities")
    await club.pages.click("Describe something")
    fields: dict[str, Any] = {"title": "Mend lamps", "kind": "Every week", "places": "8", "joining": "10"}
    page = await club.pages.submit("Save", {**fields, "tags": ["seated", "quiet"], "district": "CB4"})
    assert page.heading == "Mend lamps"
    assert "Only you see it" in page
    assert page.terms()["Joining costs"] == "£10.00"
    assert "How long" not in page.terms()
    page = await club.pages.submit("Open it")
    assert "Everybody can find it." in page
    await club.pages.click("Change the words")
    page = await club.pages.submit("Save", description="Lamps & <wires>", minutes_hours="1", minutes_minutes="30")
    assert "Lamps & <wires>" in page
    assert page.terms()["How long"] == "1 hour 30 minutes"
    assert page.terms()["Places"] == "8", "the rest stays"
    page = await club.pages.submit("Pause it")
    assert "Nobody finds it" in page
    page = await club.pages.submit("Yes, end it")
    assert "It is over" in page
    assert "Change the words" not in page.links
    refused = await club.pages.post(page.path.partition("?")[0], {"do": "publish"}, status=409)
    assert "ended" in refused
    assert "Mend lamps" in await club.pages.get(f"{club.base}/opportunities")


async def test_what_is_wrong_with_a_description_is_said_and_kept(club: Club) -> None:
    await club.pages.get(f"{club.base}/opportunities/new")
    page = await club.pages.submit(
        "Save", title="", district="Cambridge", minutes_minutes="5", tags=["quiet"], status=422
    )
    assert "Title is needed" in page.alert
    assert "District must be the first half of a postcode" in page.alert
    assert page.filled()["tags"] == ["quiet"]
    page = await club.pages.submit("Save", title="Mend", district="", status=422)
    assert "at least 15 minutes" in page.alert


async def test_anothers_opportunity_is_not_here(club: Club) -> None:
    other = await club.api.project("Choir")
    made = await club.api.made(f"/v1/projects/{other}/opportunities", {"title": "Sing", "kind": "weekly"})
    await club.api.made(f"/v1/opportunities/{made['id']}/publish")
    await club.pages.get(f"{club.base}/opportunities/{made['id']}", status=404)
    await club.pages.post(f"{club.base}/opportunities/{made['id']}", {"do": "end"}, status=404)


# --- what was given -----------------------------------------------------------------------------------------


async def test_small_counts_are_hidden(club: Club) -> None:
    assert "No hours are recorded for this quarter yet." in await club.pages.get(f"{club.base}/given")
    people = [str((await club.api.person(f"Person {number}"))["id"]) for number in range(5)]
    await club.api.give(club.project, dict.fromkeys(people[:4], 60), days_ago=0 if _first_of_quarter() else 1)
    page = await club.pages.get(f"{club.base}/given")
    assert "So we show none." in page
    assert "4" not in page.terms().values()


async def test_what_was_given_is_told_by_month(api: Api, pages: Pages, entrance: Entrance) -> None:
    club = await Club(api, pages, entrance).opened()
    people = [str((await api.person(f"Person {number}"))["id"]) for number in range(6)]
    await api.give(club.project, dict.fromkeys(people, 90), days_ago=2)
    given = (daytime().astimezone(LONDON) - timedelta(days=2)).date()
    quarter = given.replace(month=(given.month - 1) // 3 * 3 + 1, day=1)
    page = await pages.get(f"{club.base}/given?quarter={quarter}")
    assert page.terms()["Time given"] == "9 hours"
    assert page.terms()["People"] == "6"
    assert page.rows("By what people did") == [["Other sessions and hours", "9 hours", "6", "1"]]
    await pages.get(f"{club.base}/given?quarter=nonsense")


def _first_of_quarter() -> bool:
    today = day_of(daytime())
    return (today.month % 3, today.day) == (1, 1)


# --- who may ------------------------------------------------------------------------------------------------


async def test_nobody_but_its_coordinator_opens_them(club: Club) -> None:
    session = await club.session()
    other = await club.api.project("Choir")
    here = f"{club.base}/sessions/{session}"
    paths = [here, f"{here}/cancel", f"{club.base}/sessions/new", f"{club.base}/given", f"{club.base}/opportunities"]
    volunteer = await club.entrance.person((await club.api.person())["id"])
    for token in (await club.entrance.coordinator(other), await club.entrance.approver(club.project), volunteer):
        club.pages.sign_in(token)
        for path in paths:
            assert (await club.pages._send("GET", path)).status_code in {403, 404}, path
    club.pages.sign_in(volunteer)
    await club.pages.get(club.base, status=404)
