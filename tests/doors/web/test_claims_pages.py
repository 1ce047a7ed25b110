"""Telling hours: the rounded figure is seen before it is sent; drafts, questions and answers; each state in words."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance

LONDON = ZoneInfo("Europe/London")


def yesterday(hour: int = 10, *, days: int = 1) -> dict[str, str]:
    day = (daytime().astimezone(LONDON) - timedelta(days=days)).date()
    return {"started_at_day": day.isoformat(), "started_at_time": f"{hour:02}:00"}


class Cast:
    """Ann and a project."""

    def __init__(self, api: Api, ann: str, project: str) -> None:
        self.api, self.ann, self.project = api, ann, project
        self.claims = f"/people/{ann}/claims"

    async def told(self, pages: Pages, hours: str = "2", minutes: str = "40", **more: str) -> Page:
        """Tell of yesterday, and look."""
        await pages.get(f"{self.claims}/new")
        fields = {**yesterday(), "project": "Saturdays", "minutes_hours": hours, "minutes_minutes": minutes, **more}
        return await pages.submit("Go on", fields)

    async def the_one(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/v1/people/{self.ann}/claims")).json()["claims"][0]
        return found


@pytest.fixture
async def cast(api: Api, pages: Pages, entrance: Entrance) -> Cast:
    """Signed in as Ann."""
    ann = str((await api.person("Ann Lee"))["id"])
    pages.sign_in(await entrance.person(ann))
    return Cast(api, ann, await api.project("Recovery cafe"))


async def test_the_rounded_figure_is_seen_before_it_is_sent(cast: Cast, pages: Pages) -> None:
    page = await pages.get(cast.claims)
    assert "No hours yet." in page
    await pages.click("Tell us your hours")
    page = await cast.told(pages, note="I mended a lamp.")

    assert page.heading == "Is this right?"
    assert page.terms()["It counts as"] == "2 credits 45 minutes"
    assert "2 hours 40 becomes 2 hours 45." in page
    assert "Recovery" not in page.answer.text, "a project is told by its alias"
    assert (await cast.api.get(f"/v1/people/{cast.ann}/claims")).json()["claims"] == [], "nothing is sent yet"

    page = await pages.submit("Send it")
    assert "Sent." in page
    found = await cast.the_one()
    assert (found["state"], found["minutes"]) == ("submitted", 165)
    page = await pages.click("Saturdays,")
    assert page.terms()["It counts as"] == "2 credits 45 minutes"
    assert "I mended a lamp." in page


async def test_that_what_they_know_comes_first_is_said_once_they_know_any(cast: Cast, pages: Pages) -> None:
    said = "Places you know come first."
    assert said not in await pages.get(f"{cast.claims}/new")
    await cast.told(pages)
    await pages.submit("Send it")
    assert said in await pages.get(f"{cast.claims}/new")


async def test_one_page_sent_twice_tells_once(cast: Cast, pages: Pages) -> None:
    check = await cast.told(pages)
    fields = {name: values[0] for name, values in check.filled(f"{cast.claims}/new").items()} | {"sure": "send"}
    for _ in range(2):
        await pages.post(f"{cast.claims}/new", fields, status=200)
    assert len((await cast.api.get(f"/v1/people/{cast.ann}/claims")).json()["claims"]) == 1


async def test_whoever_would_rather_change_something_finds_what_they_told(cast: Cast, pages: Pages) -> None:
    await cast.told(pages, note="Lamps.")
    page = await pages.submit("Change something")
    filled = page.filled("Go on")
    assert (filled["minutes_minutes"], filled["note"], filled["project"]) == (["40"], ["Lamps."], [cast.project])


async def test_a_draft_is_changed_and_then_sent(cast: Cast, pages: Pages) -> None:
    await cast.told(pages)
    page = await pages.submit("Keep it for later")
    assert "Kept as a draft." in page
    page = await pages.click("Saturdays,")
    assert "Nobody sees this until you send it." in page
    page = await pages.click("Change it first")
    assert page.filled("Save")["minutes_minutes"] == ["45"]
    page = await pages.submit("Save", minutes_hours="1", minutes_minutes="20")
    assert page.terms()["It counts as"] == "1 credit 15 minutes"
    page = await pages.submit("Send it", note="As I said.")
    assert "Somebody at the project will look at it." in page
    assert (await cast.the_one())["state"] == "submitted"


async def test_a_question_is_answered(cast: Cast, pages: Pages) -> None:
    await cast.told(pages)
    await pages.submit("Send it")
    claim = (await cast.the_one())["id"]
    await cast.api.made(f"/v1/claims/{claim}/query", {"text": "Was it the hall or the yard?"})
    page = await pages.get(f"{cast.claims}/{claim}")
    assert "They have a question" in page
    assert "Was it the hall or the yard?" in page
    page = await pages.submit("Send it", note="The yard.")
    assert "Sent" in page
    assert "The yard." in page


async def test_where_nobody_asked_anything_nobody_is_asked_to_answer(cast: Cast, pages: Pages) -> None:
    for _ in range(2):
        await cast.told(pages)
        await pages.submit("Send it")
    page = await pages.get(f"/people/{cast.ann}")
    assert "Saturdays looks first, because the times overlap" in page
    page = await pages.get(cast.claims)
    assert "The project looks first" in page
    assert "They have a question" not in page
    claim = await cast.the_one()
    assert (claim["state"], claim["asked"]) == ("queried", False)

    page = await pages.get(f"{cast.claims}/{claim['id']}")
    assert "The times overlap with other hours, so somebody has a look first." in page
    assert "Other hours at the same time" in page.terms()
    assert "Send it" not in page.buttons
    assert "Your answer" not in page
    assert not page.hard_to_read()
    page = await pages.click("Change the times")
    page = await pages.submit("Save", {**yesterday(20), "minutes_hours": "1", "minutes_minutes": "0"})
    assert "Somebody at the project will look at it." in page
    assert (await cast.the_one())["state"] == "submitted"


async def test_hours_are_taken_back(cast: Cast, pages: Pages) -> None:
    await cast.told(pages)
    await pages.submit("Send it")
    await pages.click("Saturdays,")
    page = await pages.submit("Take it back")
    assert "You took it back." in page
    page = await pages.click("Saturdays,")
    assert "These hours are not counted, as was wished." in page
    assert "Take it back" not in page.buttons
    await pages.get(f"{cast.claims}/{(await cast.the_one())['id']}/edit", status=409)


async def test_what_was_decided_meanwhile_is_told(cast: Cast, pages: Pages) -> None:
    await cast.told(pages)
    await pages.submit("Send it")
    await pages.click("Saturdays,")
    claim = (await cast.the_one())["id"]
    await cast.api.made(f"/v1/claims/{claim}/reject", {"text": "That was another day."})
    page = await pages.submit("Take it back", status=409)
    assert "Something was done with these hours meanwhile." in page.alert
    assert "rejected" not in page.answer.text
    assert "Not counted" in page
    assert "That was another day." in page


async def test_approved_hours_became_credits_and_a_correction_is_shown(cast: Cast, pages: Pages) -> None:
    await cast.told(pages)
    await pages.submit("Send it")
    claim = (await cast.the_one())["id"]
    await cast.api.made(f"/v1/projects/{cast.project}/approvals", {"claims": [claim]})
    await cast.api.made(f"/v1/claims/{claim}/corrections", {"minutes": 120, "reason": "We counted again."})
    page = await pages.get(f"{cast.claims}/{claim}")
    assert "Became credits" in page
    assert page.terms()["It counts as"] == "2 credits"
    assert "2 credits 45 minutes became 2 credits. We counted again." in page


async def test_a_long_day_says_beforehand_that_a_second_person_looks(cast: Cast, pages: Pages) -> None:
    page = await cast.told(pages, "7", "0")
    assert "This is more than 6 hours in one go, so a second person has a look too." in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"project": ""}, "Where did you help"),
        ({"minutes_hours": "", "minutes_minutes": ""}, "How long did you help"),
        ({"minutes_hours": "0", "minutes_minutes": "0"}, "This must be at least 1 minute"),
        ({"minutes_hours": "two"}, "whole hours and minutes"),
        ({"started_at_day": ""}, "must be a day, and a time such as 14:30"),
        (yesterday(days=90), "at most 60 days ago"),
        (yesterday(11, days=0), "How long did you help? Please tell us once it is over"),
        (yesterday(days=-400), "When did you begin? Please tell us once it is over"),
    ],
)
async def test_what_can_not_be_is_said_at_its_field_and_kept(
    cast: Cast, pages: Pages, fields: dict[str, str], says: str
) -> None:
    await pages.get(f"{cast.claims}/new")
    typed = {**yesterday(), "project": "Saturdays", "minutes_hours": "2", "minutes_minutes": "0", "note": "Lamps."}
    page = await pages.submit("Go on", {**typed, **fields}, status=422)
    assert says in page.alert
    assert page.filled("Go on")["note"] == ["Lamps."]


async def test_a_project_that_takes_a_break_is_not_offered(cast: Cast, pages: Pages) -> None:
    await cast.api.made(f"/v1/projects/{cast.project}/suspend")
    page = await pages.get(f"{cast.claims}/new")
    assert "No project of that name takes hours just now." in page


async def test_projects_that_somebody_knows_come_first(cast: Cast, pages: Pages) -> None:
    known = str((await cast.api.made("/v1/projects", {"name": "Zoo", "alias": "Zebras"}))["id"])
    await cast.api.give(known, {cast.ann: 60})
    page = await pages.get(f"{cast.claims}/new")
    options = [text for text in page.text.split("Please choose ")[1].split() if text in {"Zebras", "Saturdays"}]
    assert options == ["Zebras", "Saturdays"]


async def test_a_child_hears_that_a_guardian_is_awaited(cast: Cast, api: Api, pages: Pages) -> None:
    await api.send("PATCH", f"/v1/people/{cast.ann}", {"age_band": "8_to_15"})
    await api.give(cast.project, {cast.ann: 60})
    page = await pages.get(cast.claims)
    assert "Waits for a parent or guardian" in page
    page = await pages.click("Saturdays,")
    assert "They can be spent as soon as a parent or guardian agrees." in page


async def test_a_helper_tells_for_somebody_and_others_may_not(
    cast: Cast, api: Api, pages: Pages, entrance: Entrance
) -> None:
    bob, eve = await api.person("Bob"), await api.person("Eve")
    await api.made(f"/v1/people/{cast.ann}/helpers", {"helper": bob["id"], "may": ["claim"]})
    pages.sign_in(await entrance.person(bob["id"]))
    await cast.told(pages)
    await pages.submit("Send it")
    claim = (await cast.the_one())["id"]
    pages.sign_in(await entrance.person(eve["id"]))
    for path in (cast.claims, f"{cast.claims}/new", f"{cast.claims}/{claim}", f"/people/{eve['id']}/claims/{claim}"):
        await pages.get(path, status=404)
    await pages.post(f"{cast.claims}/{claim}/withdraw", {"key": "k"}, status=404)


async def test_a_long_list_is_read_page_by_page(cast: Cast, pages: Pages) -> None:
    for days in range(1, 24):
        await cast.api.give(cast.project, {cast.ann: 15}, days_ago=days)
    first = await pages.get(cast.claims)
    second = await pages.click("Older")
    assert (first.text.count("Became credits"), second.text.count("Became credits")) == (20, 3)
