"""The demo's front door: a visitor comes in as anybody of the county, as a till, or as a kiosk. Only in the demo."""

import re
from datetime import datetime, time, timedelta
from pathlib import Path

import msgspec
import pytest

from ledger.database import Database, driver
from ledger.scheme.callers import OPERATOR
from ledger.scheme.clock import LONDON, day_of
from ledger.scheme.demo.cast import tablets
from ledger.scheme.people import NewPerson, People
from ledger.scheme.sign_ins import FRESH
from ledger.scheme.telling import tell
from tests.daytime import daytime
from tests.doors.house import Api, settings_for
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.entrance import Entrance

URL = "http://localhost"
README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
TOUR = README[README.index("## Five minutes with the pages") : README.index("## The main job")]


async def test_the_front_door_opens_every_part_of_the_house(county: County) -> None:
    assert [(each.place, each.page) for each in await tablets(county.entrance.database)] == [
        ("Parkside Pool", "/till"),
        ("Mill Road Repair Cafe", "/kiosk"),
    ]
    async with Pages.of(county.api, url=county.url) as pages:
        await pages.get("/demo")
        page = await pages.submit("The front desk")
        assert page.path == "/till"
        assert "A swim" in page
        today = await pages.get("/till/today")
        assert "Came " in " ".join(today.buttons)
        assert "1 credit" in today
        await pages.get("/demo")
        page = await pages.submit("The tablet by the tea urn")
        assert page.path == "/kiosk"
        assert "Mend things, or make the tea" in page
        await pages.post("/demo/device", {"key": "k", "device": "none", "to": "/till"}, status=200)
        await pages.get("/demo")
        page = await pages.submit("Ann ")
        assert page.heading.startswith("Hello")

        # Nobody here has a passkey to show once more, however long ago they came in.
        before = Entrance(county.entrance.database, lambda: daytime() - FRESH - timedelta(seconds=1))
        pages.sign_in(await before.staff())
        await pages.get(f"/staff/people/{county.known['person']}/contact")
        assert "Saved." in await pages.submit("Save", phone="01223 100 200")

        # Of three months that were made up nobody hears; of what is done now they do.
        await _tell(county.entrance.database)
        assert "There are no emails yet." in await pages.get("/demo/letters")
        pages.sign_in(await county.token("coordinator"))
        page = await pages.get(f"/projects/{county.known['project']}")
        days = [each for each in page.links.values() if re.fullmatch(r"/projects/[^/]+/sessions/[0-9a-f-]{36}", each)]
        while "email from us" not in await pages.get(f"{days.pop()}/cancel"):
            pass
        assert "Please ring or tell them" in await pages.submit("Yes, cancel it")
        await _tell(county.entrance.database)
        page = await pages.get("/demo/letters")
        assert "Something that you planned is cancelled" in page
        assert "ann.fletcher@example.org" in page
        assert "Mill Road Repair Cafe" not in page, "its alias is"


async def _tell(database: Database) -> None:
    """Tell people what happened, as it is at noon."""
    noon = datetime.combine(day_of(daytime()), time(12), LONDON)
    async with database.transaction() as connection:
        await tell(driver(connection), noon + timedelta(days=1))


async def test_a_newcomer_goes_through_the_house_as_the_readme_says(county: County) -> None:
    """Each *word* is a link or a button of the page before the eyes, or of the one that this person came in at."""
    when = {"day": county.known["yesterday"], "begins": "10:00", "ends": "12:30"}
    typed = {
        ("Ann Fletcher", "Go on"): {"visit_at_day": county.known["soon"], "visit_at_time": "10:00"},
        ("The front desk", "Check"): {"offer": "A swim", "code": county.known["card"]},
        ("The front desk", "Take 1 credit"): {"name_checked": "yes"},
        ("Sophie Papworth", "Go on"): when,
        ("Femi Campbell", "Find"): {"name": "Ann"},
    }
    ends = {
        "Ann Fletcher": "A receipt",
        "The front desk": "Today, ",
        "Sophie Papworth": "Hours to approve",
        "Sheila Thurlow": "Hours to approve",
        "Femi Campbell": "Rules of the scheme",
        "Arjun Chowdhury": "All entries",
    }
    assert re.findall(r"\*\*([^*]+)\*\*", TOUR) == list(ends)
    async with Pages.of(county.api, url=county.url) as pages:
        who, start, shown, page = "", "", set(), await pages.get("/demo")
        for name, way in re.findall(r"\*\*([^*]+)\*\*|(?<!\*)\*([^*]+)\*(?!\*)", re.sub(r"\s+", " ", TOUR)):
            if name:
                await pages.get("/demo")
                page = await pages.submit(name)
                who, start = name, page.path
            else:
                if not {way} & {*page.links, *page.buttons}:
                    page = await pages.get(start)
                page = await (pages.click(way) if way in page.links else pages.submit(way, typed.get((who, way), {})))
            shown |= {who} if ends[who] in page.heading else set()
        assert shown == set(ends)


@pytest.mark.parametrize("path", ["/demo", "/demo/letters"])
async def test_elsewhere_there_is_no_such_door(pages: Pages, path: str) -> None:
    await pages.get(path, status=404)


async def test_a_scheme_with_people_of_its_own_has_none_though_nobody_set_its_environment(
    dsn: str, database: Database
) -> None:
    ann, _ = await People(database, daytime).create(OPERATOR, "ann", NewPerson(name="Ann"))
    settings = msgspec.structs.replace(settings_for(dsn), environment="demo")
    async with Api.running(dsn, settings=settings) as api, Pages.of(api, url=URL) as pages:
        for path in ("/demo", "/demo/letters"):
            await pages.get(path, status=404)
        await pages.post("/demo", {"key": "k", "person": str(ann.id), "to": "/"}, status=404)
        await pages.post("/demo/device", {"key": "k", "device": str(ann.id), "to": "/till"}, status=404)
        assert not pages.is_somebody
