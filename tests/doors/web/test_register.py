"""The register, as a coordinator fills it in: the grid, the check, what was sent, and everything that can be wrong."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.scheme.clock import LONDON
from ledger.scheme.sign_ins import Strength
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.printed import words_of


class Hall:
    """A project with a session of two and a half hours, which ended an hour ago, and its coordinator's browser."""

    def __init__(self, api: Api, pages: Pages, entrance: Entrance) -> None:
        self.api, self.pages, self.entrance = api, pages, entrance
        self.project = self.session = self.path = ""
        self.lead: dict[str, Any] = {}

    async def opened(self, *, ended: timedelta = timedelta(hours=1)) -> "Hall":
        self.project = await self.api.project()
        self.lead = await self.api.person("Olive Chair")
        now = daytime().replace(second=0, microsecond=0)
        times = {
            "started_at": (now - ended - timedelta(minutes=150)).isoformat(),
            "ended_at": (now - ended).isoformat(),
        }
        made = await self.api.made(f"/v1/projects/{self.project}/sessions", times)
        self.session = made["sessions"][0]["id"]
        self.path = f"/projects/{self.project}/sessions/{self.session}/register"
        self.pages.sign_in(await self.entrance.coordinator(self.project, self.lead["id"]))
        return self

    async def regular(self, name: str, *, days_ago: int = 7) -> str:
        """Somebody who came last week."""
        person = str((await self.api.person(name))["id"])
        await self.api.give(self.project, {person: 60}, days_ago=days_ago)
        return person

    async def grid(self) -> Page:
        return await self.pages.get(self.path)

    async def balance(self, person: str) -> int:
        return (await self.api.balance(person))[0]

    def key(self, page: Page, person: str) -> str:
        """The number of somebody's row."""
        return next(name[7:] for name, value in page.filled().items() if value == [person] and name[:7] == "person_")


@pytest.fixture
async def hall(api: Api, pages: Pages, entrance: Entrance) -> Hall:
    return await Hall(api, pages, entrance).opened()


async def test_the_regulars_are_listed_and_nobody_is_said_to_have_come(hall: Hall) -> None:
    ann, bob = await hall.regular("Ann Lee"), await hall.regular("Bob Ray")
    page = await hall.grid()
    filled = page.filled()
    for person in (ann, bob):
        key = hall.key(page, person)
        assert filled[f"state_{key}"] == ["absent"]
        assert (filled[f"hours_{key}"], filled[f"minutes_{key}"]) == (["2"], ["30"])
    assert not page.hard_to_read()


async def test_a_register_is_checked_and_then_sent(hall: Hall) -> None:
    ann, bob = await hall.regular("Ann Lee"), await hall.regular("Bob Ray")
    page = await hall.grid()
    first, second = hall.key(page, ann), hall.key(page, bob)
    page = await hall.pages.submit(
        "Check the register",
        {f"state_{first}": "Came", f"state_{second}": "Came", f"hours_{second}": "0", f"minutes_{second}": "40"},
    )
    assert page.heading == "Check the register"
    assert "2 people, 3 credits 15 minutes" in page
    assert "40 minutes becomes 45 minutes" in page, "the rounded figure is shown before it is sent"
    assert await hall.balance(ann) == 60, "nothing is written by looking"
    page = await hall.pages.submit("Send")
    assert page.heading == "Thank you"
    assert "The register is recorded." in page
    assert (await hall.balance(ann), await hall.balance(bob)) == (60 + 150, 60 + 45)
    assert (await hall.pages.again()).heading == "Thank you"
    assert await hall.balance(ann) == 60 + 150


async def test_who_is_signed_in_came_and_for_as_long_as_is_left(api: Api, pages: Pages, entrance: Entrance) -> None:
    hall = await Hall(api, pages, entrance).opened(ended=timedelta(minutes=-90))  # it began an hour ago
    ann, bob = await hall.regular("Ann Lee"), await hall.regular("Bob Ray")
    at = f"/v1/sessions/{hall.session}/attendances"
    await api.made(at, {"person": bob})
    await api.made(f"{at}/{ann}/check-in", {})
    page = await hall.grid()
    filled, came, expected = page.filled(), hall.key(page, ann), hall.key(page, bob)
    assert (filled[f"state_{came}"], filled[f"state_{expected}"]) == (["came"], ["absent"])
    assert (filled[f"hours_{came}"], filled[f"minutes_{came}"]) == (["1"], ["30"])
    assert "signed in at" in page
    assert "expected" in page
    refused = await pages.submit("Check the register", status=422)
    assert "You can send the register when the session is over" in refused.alert


async def test_everybody_came_without_a_script(hall: Hall) -> None:
    for name in ("Ann Lee", "Bob Ray", "Cy Fox"):
        await hall.regular(name)
    new = next(each for each in (await hall.grid()).filled() if each.startswith("name_"))
    page = await hall.pages.submit("Everybody came", {"hours_1": "1", "minutes_1": "x", new: "Zoe"})
    filled = page.filled()
    assert [filled[f"state_{number}"] for number in range(3)] == [["came"]] * 3
    assert [filled[each] for each in ("hours_1", "minutes_1", new)] == [["1"], ["x"], ["Zoe"]], "what was typed stays"
    assert "There is something to put right" not in page, "nobody asked for a check yet"
    assert "4 people, 8 credits 30 minutes" in await hall.pages.submit("Check the register", minutes_1="")


async def test_a_newcomer_a_slip_and_somebody_who_had_tea(hall: Hall) -> None:
    ann = await hall.regular("Ann Lee")
    first, second, third = sorted(name for name in (await hall.grid()).filled() if name.startswith("name_"))[:3]
    page = await hall.pages.submit(
        "Check the register",
        {
            "state_0": "tea",
            first: "Zoe",
            second: "A visitor",
            second.replace("name", "slip"): True,
            second.replace("name", "hours"): "1",
            second.replace("name", "minutes"): "",
            third: "  ann   LEE ",
            third.replace("name", "state"): "tea",
        },
        status=422,
    )
    assert "ann LEE stands here twice" in page.alert
    page = await hall.pages.submit("Check the register", {third.replace("name", "state"): "absent"})
    assert "3 people, 3 credits 30 minutes" in page
    assert "new here: gets an account" in page
    assert "gets a slip with a code" in page
    page = await hall.pages.submit("Send")
    assert await hall.balance(ann) == 60, "just tea is no credit"
    assert "Slips to hand out" in page
    code = next(part for part in page.text.split() if part.count("-") == 2 and len(part) == 13)
    dave = (await hall.api.person("Dave"))["id"]
    await hall.api.made("/v1/vouchers/claims", {"code": code, "person": dave})
    assert await hall.balance(dave) == 60
    assert code not in await hall.pages.again(), "a slip that was claimed is no slip any more"
    people = (await hall.api.get("/v1/people", name="Zoe")).json()["people"]
    assert [await hall.balance(each["id"]) for each in people] == [150]


async def test_a_name_that_the_project_knows_is_that_person(hall: Hall) -> None:
    long_ago = await hall.regular("Ann Lee", days_ago=59)
    for number in range(41):
        await hall.regular(f"Regular {number}")
        if number > 1:
            break
    page = await hall.grid()
    name = next(each for each in page.filled() if each.startswith("name_"))
    # She is among the regulars; typed besides, she is the same person.
    key = hall.key(page, long_ago)
    page = await hall.pages.submit("Check the register", {name: "ann lee", f"state_{key}": "absent"})
    assert "Ann Lee, last here on" in page
    await hall.pages.submit("Send")
    assert await hall.balance(long_ago) == 60 + 150


async def test_of_two_people_of_one_name_the_row_asks_which(hall: Hall) -> None:
    one, other = await hall.regular("Ann Lee", days_ago=8), await hall.regular("Ann Lee", days_ago=9)
    page = await hall.grid()
    name = next(each for each in page.filled() if each.startswith("name_"))
    who = name.replace("name", "who")
    page = await hall.pages.submit("Check the register", {name: "Ann Lee"}, status=422)
    assert "Ann Lee is a name that more than one person has: say who it is" in page.alert
    assert who in page.filled()
    page = await hall.pages.submit("Check the register", {who: other})
    await hall.pages.submit("Send")
    assert (await hall.balance(one), await hall.balance(other)) == (60, 60 + 150)


async def test_somebody_new_can_have_a_name_that_is_known(hall: Hall) -> None:
    ann = await hall.regular("Ann Lee")
    page = await hall.grid()
    name = next(each for each in page.filled() if each.startswith("name_"))
    await hall.pages.submit("Check the register", {name: "Ann Lee"})
    page = await hall.pages.submit("Change")
    page = await hall.pages.submit("Check the register", {name.replace("name", "who"): "Somebody new of that name"})
    assert "new here: gets an account" in page
    await hall.pages.submit("Send")
    assert await hall.balance(ann) == 60
    # Another name typed over it is looked up anew.
    found = (await hall.api.get("/v1/people", name="Ann Lee")).json()["people"]
    assert sorted([await hall.balance(each["id"]) for each in found]) == [60, 150]


async def test_whom_a_row_was_said_to_be_does_not_stick_to_another_name(hall: Hall) -> None:
    ann, bob = await hall.regular("Ann Lee"), await hall.regular("Bob Ray")
    name = next(each for each in (await hall.grid()).filled() if each.startswith("name_"))
    await hall.pages.submit("Check the register", {name: "Ann Lee"})
    await hall.pages.submit("Change")
    page = await hall.pages.submit("Check the register", {name: "Bob Ray"})
    assert "Bob Ray, last here on" in page
    await hall.pages.submit("Send")
    assert (await hall.balance(ann), await hall.balance(bob)) == (60, 60 + 150)


async def test_what_waits_is_told_before_and_after_with_the_reason(hall: Hall) -> None:
    await hall.api.give(hall.project, {hall.lead["id"]: 60}, days_ago=7)
    ann = await hall.regular("Ann Lee")
    await hall.grid()
    page = await hall.pages.submit("Everybody came")
    page = await hall.pages.submit("Check the register")
    assert "1 waits for somebody else" in page
    assert "Olive Chair: Nobody approves their own hours, so somebody else has a look." in page
    page = await hall.pages.submit("Send")
    assert "What waits, and why" in page
    assert "Nobody approves their own hours" in page
    assert page.terms()["Waiting"].startswith("2 credits 30 minutes")
    assert await hall.balance(ann) == 60 + 150


async def test_a_double_click_and_going_back_record_once(hall: Hall) -> None:
    ann = await hall.regular("Ann Lee")
    page = await hall.grid()
    name = next(each for each in page.filled() if each.startswith("name_"))
    page = await hall.pages.submit("Check the register", {"state_0": "Came", name: "Zoe"})
    fields: dict[str, Any] = {**page.filled("Send"), "step": "send"}
    await hall.pages.submit("Send")
    for _ in range(2):
        again = await hall.pages.post(hall.path, fields, status=200)
        assert again.heading == "Thank you", "the same answer, though Zoe is known by now"
    assert await hall.balance(ann) == 60 + 150
    assert len((await hall.api.get("/v1/people", name="Zoe")).json()["people"]) == 1
    other = await hall.pages.post(hall.path, {**fields, "minutes_0": "15"}, status=409)
    assert "Nothing was counted twice" in other.alert
    assert await hall.balance(ann) == 60 + 150


async def test_a_second_register_says_who_is_recorded_already(hall: Hall) -> None:
    await hall.regular("Ann Lee")
    await hall.grid()
    page = await hall.pages.submit("Check the register", {"state_0": "Came"})
    before = page.filled("Send")
    await hall.pages.submit("Send")
    page = await hall.grid()
    assert "1 person is recorded already" in page
    assert "person_0" not in page.filled()
    late = await hall.pages.post(hall.path, {**before, "key": "another", "step": "send"}, status=422)
    assert "Ann Lee has hours in this session already" in late.alert


@pytest.mark.parametrize("where", ["a planned session", "a sheet of paper"])
async def test_two_tabs_of_newcomers_are_recorded_once_and_the_second_is_shown_what_stands(
    hall: Hall, where: str
) -> None:
    path = hall.path
    if where == "a sheet of paper":
        day = (daytime().astimezone(LONDON) - timedelta(days=3)).date().isoformat()
        path = f"/projects/{hall.project}/register/new?day={day}&begins=10%3A00&ends=12%3A30"
    sent = []
    for _tab in range(2):
        new = [each for each in (await hall.pages.get(path)).filled() if each.startswith("name_")]
        typed: dict[str, str | bool] = {new[0]: "Zoe", new[1]: "A visitor", new[1].replace("name", "slip"): True}
        page = await hall.pages.submit("Check the register", typed)
        sent.append({**page.filled("Send"), "step": "send"})
    action = path.partition("?")[0]
    first = await hall.pages.post(action, sent[0], status=200)
    assert "The register is recorded." in first
    second = await hall.pages.post(action, sent[1], status=200)
    assert "This register was sent already." in second
    assert second.path.partition("?")[0] == first.path.partition("?")[0]
    assert second.terms()["People"] == "2"
    assert len((await hall.api.get("/v1/people", name="Zoe")).json()["people"]) == 1


async def test_another_newcomer_of_the_same_name_is_recorded_where_somebody_says_so(hall: Hall) -> None:
    new = next(each for each in (await hall.grid()).filled() if each.startswith("name_"))
    await hall.pages.submit("Check the register", {new: "Zoe"})
    await hall.pages.submit("Send")
    new = next(each for each in (await hall.grid()).filled() if each.startswith("name_"))
    page = await hall.pages.submit("Check the register", {new: "Zoe"}, status=422)
    assert "Zoe has hours in this session already" in page.alert
    who = new.replace("name", "who")
    await hall.pages.submit("Check the register", {new: "Zoe", who: "Somebody new of that name"})
    assert "The register is recorded." in await hall.pages.submit("Send")
    assert len((await hall.api.get("/v1/people", name="Zoe")).json()["people"]) == 2


ROWS: list[tuple[dict[str, str], str]] = [
    ({"hours_0": "", "minutes_0": ""}, "Ann Lee needs a time, or Just tea"),
    ({"hours_0": "two"}, "Ann Lee needs whole hours and minutes"),
    ({"hours_0": "3"}, "Ann Lee can have at most 2 hours 30 minutes here"),
    ({"hours_0": "-1"}, "Ann Lee needs whole hours and minutes"),
    ({"hours_0": "99999"}, "Ann Lee needs whole hours and minutes"),
    ({"state_0": "absent"}, "Nobody is on the register yet"),
    ({"name_1": "x" * 201}, "is too long a name"),
    ({"name_1": "Zoe", "slip_1": "yes", "state_1": "tea"}, "Zoe gave no time, so there is no slip to print"),
    ({"name_1": "Zoe", "name_2": "zoe"}, "zoe stands here twice"),
]


@pytest.mark.parametrize(("typed", "says"), ROWS)
async def test_what_is_wrong_stands_at_its_row_and_all_that_was_typed_stays(
    hall: Hall, typed: dict[str, str], says: str
) -> None:
    await hall.regular("Ann Lee")
    fields = {name: value[0] for name, value in (await hall.grid()).filled().items()}
    page = await hall.pages.post(hall.path, {**fields, "state_0": "came", **typed}, status=422)
    assert says in page.alert
    filled = page.filled()
    assert all(filled[name] == [value] for name, value in typed.items() if value)


async def test_a_sheet_of_paper_is_typed_in_afterwards(hall: Hall) -> None:
    ann = await hall.regular("Ann Lee")
    page = await hall.pages.get(f"/projects/{hall.project}/register/new")
    assert page.heading == "When was it?"
    day = (daytime().astimezone(LONDON) - timedelta(days=3)).date().isoformat()
    page = await hall.pages.submit("Go on", day=day, begins="10:00", ends="11:30")
    assert page.heading == "Register"
    page = await hall.pages.submit("Check the register", state_0="Came")
    assert "1 person, 1 credit 30 minutes" in page
    sent = {**page.filled("Send"), "step": "send"}
    await hall.pages.submit("Send")
    assert (await hall.pages.post(f"/projects/{hall.project}/register/new", sent, status=200)).heading == "Thank you"
    assert await hall.balance(ann) == 60 + 90
    query = f"day={day}&begins=10%3A30&ends=12%3A00"
    page = await hall.pages.get(f"/projects/{hall.project}/register/new?{query}")
    page = await hall.pages.submit("Check the register", state_0="Came")
    assert "There is a session at this time already" in page
    assert "The times overlap with other hours" in page


TIMES: list[tuple[dict[str, str], str]] = [
    ({"day": "yesterday"}, "Day must be a day"),
    ({"begins": ""}, "From must be a time of day"),
    ({"ends": "25:00"}, "To must be a time of day"),
    ({"begins": "14:00", "ends": "13:00"}, "To must be after the beginning"),
    ({"day": "2099-01-01"}, "Day must not lie in the future"),
    ({"day": "2020-01-01"}, "Day must be at most 60 days ago"),
]


@pytest.mark.parametrize(("typed", "says"), TIMES)
async def test_a_time_that_cannot_be_is_said_at_its_field(hall: Hall, typed: dict[str, str], says: str) -> None:
    day = (daytime().astimezone(LONDON) - timedelta(days=3)).date().isoformat()
    fields = {"day": day, "begins": "10:00", "ends": "11:30", **typed}
    query = "&".join(f"{name}={value.replace(':', '%3A')}" for name, value in fields.items())
    page = await hall.pages.get(f"/projects/{hall.project}/register/new?{query}", status=422)
    assert says in page.alert
    assert {name: value[0] for name, value in page.filled().items() if name in fields} == fields


async def test_a_night_ends_on_the_next_day(hall: Hall) -> None:
    await hall.regular("Ann Lee")
    day = (daytime().astimezone(LONDON) - timedelta(days=3)).date().isoformat()
    page = await hall.pages.get(f"/projects/{hall.project}/register/new?day={day}&begins=22%3A00&ends=06%3A00")
    assert page.filled()["hours_0"] == ["8"]


async def test_what_was_typed_is_kept_where_the_sign_in_ran_out(hall: Hall) -> None:
    ann = await hall.regular("Ann Lee")
    fields = {name: value[0] for name, value in (await hall.grid()).filled().items()}
    hall.pages.client.cookies.clear()
    page = await hall.pages.post(hall.path, {**fields, "state_0": "came"}, status=401)
    assert page.heading == "Please sign in once more"
    hall.pages.sign_in(await hall.entrance.person(hall.lead["id"], Strength.PASSKEY))
    page = await hall.pages.submit("Send again")
    assert "1 person, 2 credits 30 minutes" in page
    await hall.pages.submit("Send")
    assert await hall.balance(ann) == 60 + 150


async def test_a_cancelled_session_has_no_register(api: Api, pages: Pages, entrance: Entrance) -> None:
    hall = await Hall(api, pages, entrance).opened(ended=timedelta(hours=-5))
    await api.made(f"/v1/sessions/{hall.session}/cancel", {})
    page = await hall.grid()
    assert "This session was cancelled" in page
    assert "Check the register" not in page.buttons


async def test_a_blank_sheet_has_who_is_expected_and_who_often_comes_and_the_alias(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    hall = await Hall(api, pages, entrance).opened(ended=timedelta(minutes=-90))  # it began an hour ago
    bob, zoe = await hall.regular("Bob Ray"), (await api.person("Zoe"))["id"]
    await hall.regular("Ann Lee")
    for person in (bob, zoe):
        await api.made(f"/v1/sessions/{hall.session}/attendances", {"person": person})
    page = await pages.get(f"/projects/{hall.project}")
    words = words_of((await pages.file(page.link("Print a blank sheet"))).content)
    assert "1 Ann Lee 2 Bob Ray 3 Zoe 4" in words, words
    assert "Saturdays" in words
    assert "Repair cafe" not in words, "a sheet lies about"
    began = daytime().astimezone(LONDON) - timedelta(minutes=60)
    assert f"{began:%A} {began.day} {began:%B}" in words


async def test_a_sheet_for_a_day_without_a_plan_has_who_often_comes_and_a_line_for_the_day(hall: Hall) -> None:
    for name in ("Bob Ray", "Ann Lee"):
        await hall.regular(name)
    page = await hall.pages.get(f"/projects/{hall.project}")
    words = words_of((await hall.pages.file(page.link("Print a sheet for any day"))).content)
    assert "1 Ann Lee 2 Bob Ray 3" in words
    assert "Saturdays" in words
    assert "Day" in words
    assert "Repair cafe" not in words
    assert str(daytime().astimezone(LONDON).year) not in words, "which day it is, is written by hand"


async def test_the_slips_are_printed(hall: Hall) -> None:
    await hall.regular("Ann Lee")
    here = f"/projects/{hall.project}/sessions/{hall.session}"
    await hall.pages.file(f"{here}/slips", status=404)
    name = next(each for each in (await hall.grid()).filled() if each.startswith("name_"))
    await hall.pages.submit("Check the register", {name: "A visitor", name.replace("name", "slip"): True})
    page = await hall.pages.submit("Send")
    words = words_of((await hall.pages.file(page.links["Print the slips"])).content)
    code = next(part for part in page.text.split() if part.count("-") == 2 and len(part) == 13)
    for said in ("A visitor", "Saturdays", "2 credits 30 minutes", code):
        assert said in words, said
    assert "Repair cafe" not in words


async def test_nobody_but_its_coordinator_opens_a_register(hall: Hall) -> None:
    other = await hall.api.project("Choir")
    here = f"/projects/{hall.project}/sessions/{hall.session}"
    paths = [hall.path, f"{here}/recorded", f"{here}/sheet", f"{here}/slips"]
    paths += [f"/projects/{hall.project}/{path}" for path in ("register/new", "sheet")]
    for token in (
        await hall.entrance.coordinator(other),
        await hall.entrance.approver(hall.project),
        await hall.entrance.staff(),
        await hall.entrance.kiosk(hall.project),
    ):
        hall.pages.sign_in(token)
        for path in paths:
            assert (await hall.pages._send("GET", path)).status_code in {403, 404}, path
    # Another project's session isn't this one's.
    hall.pages.sign_in(await hall.entrance.coordinator(other))
    await hall.pages.get(f"/projects/{other}/sessions/{hall.session}/register", status=404)


async def test_from_the_register_through_a_second_look_to_the_credits(hall: Hall) -> None:
    lead = hall.lead["id"]
    await hall.api.give(hall.project, {lead: 60}, days_ago=7)
    await hall.grid()
    await hall.pages.submit("Everybody came")
    await hall.pages.submit("Check the register")
    page = await hall.pages.submit("Send")
    assert page.terms()["Waiting"].startswith("2 credits 30 minutes")
    hall.pages.sign_in(await hall.entrance.approver(hall.project))
    page = await hall.pages.get(f"/projects/{hall.project}")
    await hall.pages.click("Look at them")
    await hall.pages.click("Olive Chair")
    await hall.pages.submit("Approve")
    assert await hall.balance(lead) == 60 + 150
    hall.pages.sign_in(await hall.entrance.coordinator(hall.project))
    page = await hall.pages.get(hall.path.replace("/register", "/recorded"))
    assert page.terms()["Waiting"] == "0 credits"
