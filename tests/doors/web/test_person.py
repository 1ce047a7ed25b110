"""Somebody's own pages: what they have, what is coming up, and their statement, for nobody else's eyes."""

from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest

from ledger.doors.web.lines import why
from ledger.scheme.lines import Line, Why
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


@pytest.mark.parametrize(("reason", "is_open", "named"), list(product(Why, (True, False), (True, False))))
def test_every_line_says_why_in_at_most_twelve_words(reason: Why, *, is_open: bool, named: bool) -> None:
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
        venue=long,
        offer=long,
        visit_at=None,
        group=long,
        other=long,
        is_open=is_open,
    )
    said = why(line, str)

    assert 2 <= len(said.split()) <= 12
    assert "%" not in said
