"""A register whose day or time is changed keeps what was typed; what is recorded leads to each person's hours."""

from datetime import timedelta

import pytest

from ledger.scheme.clock import LONDON
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance


class Table:
    """A project with three regulars, whose coordinator types in a sheet of paper of three days ago."""

    def __init__(self, api: Api, pages: Pages, project: str) -> None:
        self.api, self.pages, self.project = api, pages, project
        self.path = f"/projects/{project}/register/new"
        self.people: dict[str, str] = {}
        self.day = (daytime().astimezone(LONDON) - timedelta(days=3)).date()

    async def opened(self, begins: str = "18:00", ends: str = "20:00") -> Page:
        for name in ("Ann Lee", "Bob Ray", "Cy Fox"):
            self.people[name] = str((await self.api.person(name))["id"])
        await self.api.give(self.project, dict.fromkeys(self.people.values(), 60), days_ago=7)
        await self.pages.get(self.path)
        return await self.pages.submit("Go on", day=self.day.isoformat(), begins=begins, ends=ends)

    async def balance(self, name: str) -> int:
        return (await self.api.balance(self.people[name]))[0]


@pytest.fixture
async def table(api: Api, pages: Pages, entrance: Entrance) -> Table:
    project = await api.project()
    pages.sign_in(await entrance.coordinator(project))
    return Table(api, pages, project)


def _time(page: Page, key: str) -> tuple[str, str]:
    filled = page.filled("Check the register")
    return filled[f"hours_{key}"][0], filled[f"minutes_{key}"][0]


async def test_another_day_and_time_keep_all_that_was_typed(table: Table) -> None:
    page = await table.opened()
    new = min(name for name in page.filled("Check the register") if name.startswith("name_"))
    typed = {"state_0": "Came", "state_1": "Came", "hours_1": "1", "minutes_1": "15", "state_2": "tea", new: "Zoe"}
    page = await table.pages.submit("Change the day or time", typed)
    assert page.heading == "When was it?"
    assert "What you typed in the register stays." in page
    assert page.filled("Go on")["begins"] == ["18:00"]
    assert (await table.api.get("/v1/acts", verb="register")).json()["acts"] == [], "nothing is written"
    day = table.day - timedelta(days=1)
    page = await table.pages.submit("Go on", day=day.isoformat(), begins="18:00", ends="21:00")

    assert page.heading == "Register"
    assert "6pm to 9pm" in page
    filled = page.filled("Check the register")
    assert [filled[name] for name in ("state_0", "state_1", "state_2", new)] == [["came"], ["came"], ["tea"], ["Zoe"]]
    assert _time(page, "0") == ("3", "0"), "who stayed the whole time stays the whole of it"
    assert _time(page, "1") == ("1", "15"), "what was typed is as it was typed"
    assert _time(page, new[5:]) == ("3", "0")

    page = await table.pages.submit("Check the register")
    assert "4 people, 7 credits 15 minutes" in page
    await table.pages.submit("Send")
    assert (await table.balance("Ann Lee"), await table.balance("Bob Ray")) == (60 + 180, 60 + 75)


async def test_a_shorter_time_shortens_only_who_was_there_for_the_whole(table: Table) -> None:
    await table.opened()
    await table.pages.submit(
        "Change the day or time", {"state_0": "Came", "state_1": "Came", "hours_1": "1", "minutes_1": "30"}
    )
    page = await table.pages.submit("Go on", ends="19:00")
    assert (_time(page, "0"), _time(page, "1")) == (("1", "0"), ("1", "30"))
    page = await table.pages.submit("Check the register", status=422)
    assert "Bob Ray can have at most 1 hour here" in page.alert
    page = await table.pages.submit("Check the register", hours_1="0", minutes_1="30")
    assert "2 people, 1 credit 30 minutes" in page
    page = await table.pages.submit("Change")
    assert (_time(page, "0"), _time(page, "1")) == (("1", "0"), ("0", "30")), "the time is the same"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"begins": "6 o'clock"}, "From must be a time of day"),
        ({"day": "2099-01-01"}, "Day must not lie in the future"),
    ],
)
async def test_a_time_that_cannot_be_loses_nothing_either(table: Table, typed: dict[str, str], says: str) -> None:
    await table.opened()
    await table.pages.submit("Change the day or time", {"state_1": "Came", "hours_1": "x"})
    page = await table.pages.submit("Go on", {"ends": "19:00", **typed}, status=422)
    assert says in page.alert
    page = await table.pages.submit("Go on", day=table.day.isoformat(), begins="18:00", ends="19:00")
    filled = page.filled("Check the register")
    assert (filled["state_1"], filled["hours_1"]) == (["came"], ["x"])
    assert not page.alert, "nobody asked for a check yet"


async def test_enter_checks_the_register_and_changes_no_time(table: Table) -> None:
    page = await table.opened()
    first = next(each for each in page.html.all("button") if each.get("form") == "sheet")
    assert (first.text, first.get("name")) == ("Check the register", None), "it is what Enter presses"


async def test_from_the_recorded_register_a_persons_hours_are_put_right(table: Table) -> None:
    await table.opened()
    await table.pages.submit("Everybody came")
    await table.pages.submit("Check the register")
    page = await table.pages.submit("Send")
    assert page.terms()["People"] == "3"
    assert "choose the name and put the hours right" in page
    assert not page.hard_to_read()
    await table.pages.click("Bob Ray")
    await table.pages.click("Put these hours right")
    await table.pages.submit("See what changes", minutes_hours="1", minutes_minutes="0", reason="He left at seven.")
    await table.pages.submit("Put it right")
    assert await table.balance("Bob Ray") == 60 + 60
