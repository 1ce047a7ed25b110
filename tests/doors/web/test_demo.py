"""The demo's front door: a visitor comes in as anybody of the county, as a till, or as a kiosk. Only in the demo."""

import re
from pathlib import Path

import msgspec
import pytest

from ledger.database import Database
from ledger.scheme import demo
from ledger.scheme.callers import OPERATOR
from ledger.scheme.clock import system_clock
from ledger.scheme.demo.cast import tablets
from ledger.scheme.people import NewPerson, People
from tests.conftest import Postgres
from tests.doors.house import Api, settings_for
from tests.doors.web.client import Pages

URL = "http://localhost"
README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
TOUR = README[README.index("## Five minutes with the pages") : README.index("## The main job")]


async def test_the_front_door_opens_every_part_of_the_house(postgres: Postgres) -> None:
    name = await postgres.create()
    dsn = postgres.dsn(name)
    async with Database.open(dsn) as database:
        await demo.load(database, system_clock, "demo")
        assert [(each.place, each.page) for each in await tablets(database)] == [
            ("Parkside Pool", "/till"),
            ("Mill Road Repair Cafe", "/kiosk"),
        ]
    settings = msgspec.structs.replace(settings_for(dsn), environment="demo")
    async with Api.running(dsn, settings=settings) as api, Pages.of(api, url=URL) as pages:
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
        for who in re.findall(r"\*\*([^*]+)\*\*", TOUR):
            door = await pages.get("/demo")
            assert who in door.buttons, "whom the README tells a newcomer to be"
            await pages.submit(who)
    await postgres.drop(name)


@pytest.mark.parametrize("path", ["/demo", "/demo/letters"])
async def test_elsewhere_there_is_no_such_door(pages: Pages, path: str) -> None:
    await pages.get(path, status=404)


async def test_a_scheme_with_people_of_its_own_has_none_though_nobody_set_its_environment(
    dsn: str, database: Database
) -> None:
    ann, _ = await People(database, system_clock).create(OPERATOR, "ann", NewPerson(name="Ann"))
    settings = msgspec.structs.replace(settings_for(dsn), environment="demo")
    async with Api.running(dsn, settings=settings) as api, Pages.of(api, url=URL) as pages:
        for path in ("/demo", "/demo/letters"):
            await pages.get(path, status=404)
        await pages.post("/demo", {"key": "k", "person": str(ann.id), "to": "/"}, status=404)
        await pages.post("/demo/device", {"key": "k", "device": str(ann.id), "to": "/till"}, status=404)
        assert not pages.is_somebody
