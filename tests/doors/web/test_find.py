"""Finding somewhere to spend and something to do: for everybody, by place and by need, in plain words."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest
from babel import Locale

from ledger.database import Database, driver
from ledger.doors.web.do import Search as Seeking
from ledger.doors.web.spend import Search as Spending
from ledger.doors.web.times import opening
from ledger.scheme.clock import LONDON
from ledger.scheme.opportunities import USUAL_TAGS
from ledger.scheme.windows import DAYS, Window
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance

WEEK = DAYS[:5]


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ([(WEEK, "09:00", "16:00")], ["Monday to Friday, 9am to 4pm"]),
        ([(DAYS, "00:00", "24:00")], ["Every day, midnight to midnight"]),
        ([(("wed", "sat", "sun"), "10:00", "16:30")], ["Wednesday, Saturday and Sunday, 10am to 4:30pm"]),
        ([(("mon", "tue", "wed", "sat"), "10:00", "12:00")], ["Monday to Wednesday and Saturday, 10am to 12pm"]),
        ([(("tue",), "10:00", "12:00"), (("mon",), "10:00", "12:00")], ["Monday and Tuesday, 10am to 12pm"]),
        (
            [(("sun",), "14:00", "18:00"), (("fri",), "09:00", "10:00")],
            ["Friday, 9am to 10am", "Sunday, 2pm to 6pm"],
        ),
        ([], []),
    ],
)
def test_opening_times_are_told_as_people_say_them(windows: list[Any], says: list[str]) -> None:
    given = [Window(days=days, opens=opens, closes=closes) for days, opens, closes in windows]
    assert opening(given, str, Locale("en", "GB")) == says


@pytest.fixture
async def districts(database: Database) -> None:
    """Cambridge, and Ely some fourteen miles away."""
    async with database.transaction() as connection:
        await driver(connection).execute(
            "INSERT INTO scheme.district (name, latitude, longitude) VALUES ('CB4', 52.22, 0.13), ('CB7', 52.40, 0.26)"
        )


async def site(api: Api, venue: str, postcode: str, *, step_free: bool = True) -> None:
    body = {"name": "The hall", "address": "High Street", "postcode": postcode, "step_free": step_free}
    await api.made(f"/v1/venues/{venue}/sites", body)


@pytest.mark.usefixtures("districts")
async def test_a_stranger_finds_what_is_near_first(api: Api, pages: Pages) -> None:
    far, near = await api.venue("Ely pool"), await api.venue("Arbury pool")
    await site(api, far, "CB7 4AU")
    await site(api, near, "CB4 1DQ")
    await api.offer(far, title="A long swim", companion_free=True)
    await api.offer(near, title="A short swim")
    await pages.get("/spend")
    page = await pages.submit("Find", near="cb4 1dq")

    assert page.text.index("A short swim") < page.text.index("A long swim")
    assert "close to you" in page
    assert "about 14 miles away" in page
    assert page.filled("Find")["near"] == ["cb4 1dq"], "what was asked for is kept"
    offer = await pages.click("A long swim")
    assert "It is about 14 miles away." in offer
    assert "kilomet" not in page.answer.text + offer.answer.text
    assert offer.terms()["Price"] == "1 credit each; a companion comes free"
    assert "/spend?near=cb4+1dq" in offer.answer.text, "back to what was asked for"


# The scheme's whole kilometres, and what people here read.
FAR = (
    (0, "close to you"),
    (1, "under a mile away"),
    (2, "about 1\u00a0mile away"),
    (3, "about 2\u00a0miles away"),
    (5, "about 3\u00a0miles away"),
    (22, "about 14\u00a0miles away"),
    (161, "about 100\u00a0miles away"),
)


async def test_how_far_it_is_is_told_in_miles_on_lists_and_on_its_page(
    api: Api, pages: Pages, database: Database
) -> None:
    """A district's middle is as far north of CB4's as is said: a degree is some 111 kilometres."""
    async with database.transaction() as connection:
        await driver(connection).executemany(
            "INSERT INTO scheme.district (name, latitude, longitude) VALUES ($1, 52.22 + $2 / 111.19, 0.13)",
            [(f"CB{4 + number}", km) for number, (km, _) in enumerate(FAR)],
        )
    project = await api.project()
    for number, (km, _) in enumerate(FAR):
        venue = await api.venue(f"Pool {km}")
        await site(api, venue, f"CB{4 + number} 1DQ")
        await api.offer(venue, title=f"Swim {km}")
        await opportunity(api, project, f"Dig {km}", district=f"CB{4 + number}")
    for path, what in (("/spend", "Swim"), ("/do", "Dig")):
        await pages.get(path)
        found = await pages.submit("Find", near="CB4")
        assert [text for _, text in FAR if f", {text}" not in found.answer.text] == [], what
    for km, text in FAR:
        await pages.get("/spend?near=CB4")
        offer = await pages.click(f"Swim {km}")
        assert f"It is {text}." in offer.answer.text


@pytest.mark.usefixtures("districts")
@pytest.mark.parametrize("near", ["ZZ1", "12", "nowhere", "hello there"])
async def test_a_place_that_is_not_known_is_said_at_its_field(pages: Pages, near: str) -> None:
    await pages.get("/spend")
    page = await pages.submit("Find", near=near, status=422)
    assert "Where are you" in page.alert
    assert "characters" not in page.alert, "how long it may be says nothing of what is wanted"
    await pages.get("/do")
    page = await pages.submit("Find", near=near, status=422)
    assert "Where are you" in page.alert


# What somebody ticks or types, and what is left of the three offers: each choice leaves something out.
SPENDING: Final[tuple[tuple[Mapping[str, Any], set[str]], ...]] = (
    ({}, {"A swim", "Tea dance", "A tour"}),
    ({"words": "SWIM"}, {"A swim"}),
    ({"reach": "In town"}, {"A swim"}),
    ({"reach": "In the county"}, {"Tea dance"}),
    ({"reach": "A day out, farther away"}, {"A tour"}),
    ({"today": True}, {"A swim", "Tea dance"}),
    ({"low_talk": True}, {"A swim"}),
    ({"low_talk": True, "quiet": True}, set()),
    ({"quiet": True}, {"A tour"}),
    ({"step_free": True}, {"A swim", "Tea dance"}),
    ({"companion_free": True}, {"Tea dance"}),
)


async def test_what_somebody_needs_narrows_it(api: Api, pages: Pages) -> None:
    assert {name for asked, _ in SPENDING for name in asked} == {*Spending.__struct_fields__} - {"near"}
    level, steep = await api.venue("Parkside pool"), await api.venue("The tower")
    await site(api, level, "CB4 1DQ")
    await site(api, steep, "CB4 1DQ", step_free=False)
    await api.offer(level, title="A swim", low_talk=True)
    dance = await api.offer(level, title="Tea dance", companion_free=True)
    today = daytime().astimezone(LONDON).date()
    quiet = [{"days": ["mon"], "opens": "10:00", "closes": "12:00"}]
    closed = [(today + timedelta(days=days)).isoformat() for days in (0, 1)]  # it may be past midnight soon
    tour = await api.offer(steep, title="A tour", quiet=quiet, closed=closed)
    for offer, reach in ((dance, "county"), (tour, "national")):
        assert (await api.send("PATCH", f"/v1/offers/{offer}", {"reach": reach})).is_success
    for asked, found in SPENDING:
        await pages.get("/spend")
        page = await pages.submit("Find", asked)
        assert {title for title in ("A swim", "Tea dance", "A tour") if title in page.links} == found, asked
        assert page.text.count("You won't have to talk") == 1 + ("A swim" in found), "a choice, and a fact of the swim"
        assert ("Fewer choices may find more" in page) is (not found), asked


async def test_a_long_list_is_gone_through_with_its_filters(api: Api, pages: Pages) -> None:
    venue = await api.venue()
    for number in range(14):
        await api.offer(venue, title=f"Swim {number:02}")
    await api.offer(venue, title="A film")
    await pages.get("/spend")
    first = await pages.submit("Find", words="swim")
    second = await pages.click("Show more")

    assert [title for title in second.links if title.startswith("Swim")] == ["Swim 12", "Swim 13"]
    assert "A film" not in {*first.links, *second.links}


async def test_an_offer_tells_all_before_anybody_goes(api: Api, pages: Pages) -> None:
    venue = await api.venue("Corner Theatre")
    offer = await api.made(
        f"/v1/venues/{venue}/offers",
        {
            "title": "A tour",
            "price": 120,
            "kind": "ticket",
            "expect": "Three ladders.",
            "terms": {
                "windows": [{"days": ["wed", "fri"], "opens": "11:00", "closes": "12:30"}],
                "quiet": [{"days": ["fri"], "opens": "11:00", "closes": "12:00"}],
                "low_talk": True,
                "closed": ["2026-12-25"],
                "child_price": 60,
                "young_price": 0,
                "from_years": 8,
                "people": 4,
                "ahead_minutes": 4320,
                "cancel_minutes": 120,
                "requires": ["induction"],
                "quota": 40,
            },
        },
    )
    await api.made(f"/v1/offers/{offer['id']}/publish")
    page = await pages.get(f"/spend/{offer['id']}")

    assert page.terms() == {
        "Price": "2 credits each; children 1 credit; under 8 free",
        "When": "Wednesday and Friday, 11am to 12:30pm",
        "Closed on": "25 December 2026",
        "Quiet times": "Friday, 11am to 12pm",
        "Talking": "You won't have to talk. Your name at the desk is enough.",
        "Who it is for": "People of 8 and over",
        "How many together": "Up to 4 people",
        "Book": "At least 3 days before",
        "Cancelling": "Free until 2 hours before",
    }
    assert "Three ladders." in page
    assert "one step first" in page
    assert "40" not in page.text, "how much a venue gives is its own affair"


async def test_one_that_takes_a_break_says_so_and_a_draft_is_not_there(api: Api, pages: Pages) -> None:
    venue = await api.venue()
    offer = await api.offer(venue)
    draft = await api.made(f"/v1/venues/{venue}/offers", {"title": "Soon", "price": 60})
    await api.made(f"/v1/offers/{offer}/pause")

    page = await pages.get(f"/spend/{offer}")
    assert "having a break from credits" in page
    assert "Book" not in page.links
    await pages.get(f"/spend/{draft['id']}", status=404)


# --- something to do ------------------------------------------------------------------------------------


async def opportunity(api: Api, project: str, title: str = "Mend things", **more: object) -> str:
    body = {"title": title, "description": "Lamps and toys.", "kind": "weekly", **more}
    made = await api.made(f"/v1/projects/{project}/opportunities", body)
    await api.made(f"/v1/opportunities/{made['id']}/publish")
    return str(made["id"])


async def session(api: Api, project: str, opportunity_: str, *, days: int = 3) -> str:
    starts = daytime().replace(microsecond=0) + timedelta(days=days)
    body = {
        "opportunity": opportunity_,
        "started_at": starts.isoformat(),
        "ended_at": (starts + timedelta(hours=2)).isoformat(),
    }
    return str((await api.made(f"/v1/projects/{project}/sessions", body))["sessions"][0]["id"])


@pytest.mark.usefixtures("districts")
async def test_a_stranger_finds_something_to_do_near_by(api: Api, pages: Pages) -> None:
    project = await api.project()
    await opportunity(api, project, "Dig", district="CB7", tags=["outdoors"], minutes=120)
    await opportunity(api, project, "Sort books", district="CB4", tags=["low_talk", "seated"], minutes=60)
    await opportunity(api, project, "Ring somebody", kind="at_home", minutes=15)
    page = await pages.get("/do")
    assert {"Dig", "Sort books", "Ring somebody"} <= set(page.links)

    near = await pages.submit("Find", near="CB4")
    assert near.text.index("Sort books") < near.text.index("Dig") < near.text.index("Ring somebody")
    assert "CB4, close to you" in near
    assert "CB7, about 14 miles away" in near
    await pages.get("/do")
    await pages.submit("Find", words="dig")
    dig = await pages.click("Dig")
    assert 'href="/do?words=dig"' in dig.answer.text, "back to what was asked for"


async def test_what_helps_somebody_to_come_narrows_what_there_is_to_do(api: Api, pages: Pages) -> None:
    """Each choice finds the one that is so, and leaves all others out."""
    project = await api.project()
    offered: dict[str, dict[str, Any]] = {
        "words": {"description": "Turnips."},
        "anywhere": {"kind": "at_home"},
        "short": {"minutes": 15},
    }
    offered |= {name: {"tags": [name]} for name in Seeking.__struct_fields__ if name in USUAL_TAGS}
    assert {*offered} == {*Seeking.__struct_fields__} - {"near"}
    for name, said in offered.items():
        await opportunity(api, project, f"Of {name}", **said)

    async def found(asked: Mapping[str, str | bool]) -> set[str]:
        await pages.get("/do")
        page = await pages.submit("Find", asked)
        assert ("Fewer choices may find more" in page) is not any(title.startswith("Of ") for title in page.links)
        return {title.removeprefix("Of ") for title in page.links if title.startswith("Of ")}

    assert await found({}) == {*offered}
    for name in offered:
        assert await found({name: "turnip" if name == "words" else True}) == {name}
    assert await found({"low_talk": True, "quiet": True}) == set()


@pytest.mark.usefixtures("districts")
async def test_a_long_list_of_things_to_do_is_gone_through_near_to_far(api: Api, pages: Pages) -> None:
    project = await api.project()
    for number in range(13):
        await opportunity(api, project, f"Dig {number:02}", district="CB7")
    await opportunity(api, project, "Sort books", district="CB4")
    await opportunity(api, project, "Ring somebody", kind="online")
    await pages.get("/do")
    first = await pages.submit("Find", near="CB4")
    second = await pages.click("Show more")

    assert [title for title in first.links if title.startswith(("Dig", "Sort"))][:2] == ["Sort books", "Dig 00"]
    assert [title for title in second.links if title.startswith(("Dig", "Ring"))] == [
        "Dig 11",
        "Dig 12",
        "Ring somebody",
    ]


async def test_what_it_costs_and_whom_it_is_for_are_said_before(api: Api, pages: Pages) -> None:
    project = await api.project("Secret recovery cafe")
    it = await opportunity(
        api, project, joining_pence=1000, referral="self_or_referred", minutes=90, donation_note="Give what you like."
    )
    page = await pages.get(f"/do/{it}")

    assert page.terms()["Joining costs"] == "£10 once, to join"
    assert page.terms()["Who it is for"] == "Everybody: come by yourself, or be sent by somebody"
    assert page.terms()["How long"] == "About 1 hour 30 minutes"
    assert "No day is planned just now." in page
    assert "Secret" not in page.answer.text, "a project is told by its alias"


async def test_somebody_comes_with_one_press_and_stays_away_with_another(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    project, ann = await api.project(), await api.person("Ann Lee")
    it = await opportunity(api, project)
    await session(api, project, it)
    stranger = await pages.get(f"/do/{it}")
    assert "Sign in first" in stranger
    assert "I'll come" not in stranger.buttons

    pages.sign_in(await entrance.person(ann["id"]))
    await pages.get(f"/do/{it}")
    page = await pages.submit("I'll come")
    assert "You are on the list. See you there." in page
    home = await pages.get(f"/people/{ann['id']}/sessions")
    assert "Mend things" in home.links
    page = await pages.submit("Take off the list")
    assert "You are off the list. Nobody minds." in page
    assert "Nothing is planned." in page


async def test_a_helper_puts_somebody_on_the_list(api: Api, pages: Pages, entrance: Entrance) -> None:
    project, ann, bob = await api.project(), await api.person("Ann Lee"), await api.person("Bob")
    it = await opportunity(api, project)
    when = await session(api, project, it)
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["book"]})
    pages.sign_in(await entrance.person(bob["id"]))
    await pages.get(f"/do/{it}")
    page = await pages.submit("Ann Lee will come")
    assert "They are on the list." in page
    assert page.path.startswith(f"/people/{ann['id']}/sessions")
    assert "Of Ann Lee" in page
    listed = (await api.get(f"/v1/sessions/{when}/attendances")).json()["attendances"]
    assert [each["person"] for each in listed] == [ann["id"]]

    eve = await api.person("Eve")
    await pages.post(f"/do/{it}", {"key": "k", "session": when, "person": eve["id"]}, status=404)


async def test_a_time_that_is_full_says_so_kindly(api: Api, pages: Pages, entrance: Entrance) -> None:
    project, ann, bob = await api.project(), await api.person("Ann"), await api.person("Bob")
    it = await opportunity(api, project, places=1)
    when = await session(api, project, it)
    pages.sign_in(await entrance.person(ann["id"]))
    page = await pages.get(f"/do/{it}")
    assert "1 place left" in page
    await api.made(f"/v1/sessions/{when}/attendances", {"person": bob["id"]})
    page = await pages.submit("I'll come", status=409)
    assert "That time is full just now. Another one may suit." in page.alert
    assert "Full just now" in page
    assert "I'll come" not in page.buttons


async def test_a_helper_sees_where_somebody_is_expected_and_others_do_not(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann, bob, eve = await api.person("Ann"), await api.person("Bob"), await api.person("Eve")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["book"]})
    pages.sign_in(await entrance.person(bob["id"]))
    assert (await pages.get(f"/people/{ann['id']}/sessions")).heading == "Where they are expected"
    pages.sign_in(await entrance.person(eve["id"]))
    await pages.get(f"/people/{ann['id']}/sessions", status=404)
