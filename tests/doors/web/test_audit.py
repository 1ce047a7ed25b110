"""The audit: who did what, by ids and never by names, and the books as accountants read them."""

import re
from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from ledger.doors.web.acts import SAYS
from ledger.scheme.clock import day_of
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.watched import Watched
from tests.doors.web.checks import said
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance

LOOKED = SAYS["eligibility_read"]
PATHS = ("/audit", "/audit/books", "/audit/entries")


@pytest.fixture
async def auditor(pages: Pages, entrance: Entrance) -> Pages:
    """A browser in which the auditor is signed in."""
    pages.sign_in(await entrance.auditor())
    return pages


async def test_acts_are_read_by_number_and_nobody_is_named(api: Api, auditor: Pages) -> None:
    ann = await api.person("Annabel Lee")
    await api.get(f"/v1/people/{ann['id']}/eligibility")
    page = await auditor.get("/audit")

    newest = page.rows(page.html.all("caption")[0].text or "")[0]
    assert newest[1].startswith("A program of the office")
    assert newest[2] == LOOKED
    assert ann["holder"][-8:] in newest[3]
    assert "Annabel" not in page.answer.text


async def test_acts_are_narrowed_down(api: Api, auditor: Pages) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    for each in (ann, bob):
        await api.get(f"/v1/people/{each['id']}/eligibility")
    await auditor.get("/audit")
    page = await auditor.submit("Show", verb="eligibility_read", holder=ann["holder"])

    assert [row[2] for row in page.rows()] == [LOOKED]
    assert page.filled("Show")["holder"] == [ann["holder"]]
    today = day_of(daytime())
    for since, until, found in (
        (today + timedelta(days=1), "", False),
        ("", today - timedelta(days=1), False),
        (today, today, True),
        ("", date.max, True),
    ):
        page = await auditor.submit("Show", since=str(since), until=str(until))
        assert ("Nothing like that was done." in page) is not found, (since, until)
    page = await auditor.submit("Show", since=str(today), until=str(today - timedelta(days=1)), status=422)
    assert "Up to this day must be the first day or one after it" in page.alert
    page = await auditor.submit("Show", holder="Ann", since="", until="", status=422)
    assert "must be a number as it is shown, or its last eight digits" in page.alert
    assert len((await auditor.click("Show everything")).rows()) > 2


async def test_the_digits_that_are_shown_of_a_number_find_it(
    api: Api, auditor: Pages, owner: asyncpg.Connection
) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    for each in (ann, bob):
        await api.get(f"/v1/people/{each['id']}/eligibility")
    page = await auditor.get(f"/audit?holder={ann['holder']}")
    (shown,) = {row[1].split()[-1] for row in page.rows()}
    page = await auditor.submit("Show", holder=ann["holder"][-8:].upper(), by=shown, verb="eligibility_read")
    assert [row[3] for row in page.rows()] == [ann["holder"][-8:]]
    assert page.filled("Show")["by"] == [shown]
    assert "Nothing like that was done." in await auditor.submit("Show", holder="0" * 8)
    alike = f"00000000-0000-4000-8000-0000{ann['holder'][-8:]}"
    await owner.execute("INSERT INTO scheme.holder (id) VALUES ($1)", UUID(alike))
    page = await auditor.submit("Show", holder=ann["holder"][-8:], status=422)
    assert "is the end of more than one number" in page.alert


async def test_the_auditor_finds_who_looked_at_somebody_and_on_which_day(
    api: Api, auditor: Pages, owner: asyncpg.Connection
) -> None:
    ann, bob = await api.person("Ann"), await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance"]})
    bobs = await api.key("person", person=bob["id"])
    for token in (bobs, api.scheme):
        assert (await api.get(f"/v1/people/{ann['id']}/statement", token)).status_code == 200
    await owner.execute("UPDATE scheme.act SET at = at - interval '3 days' WHERE scope = 'person'")
    page = await auditor.get(f"/audit?holder={ann['holder']}&verb=looked")

    days = [said(each.text or "") for each in page.html.all("h2")]
    assert len(days) == 2, "each day stands by itself, the newest first"
    tables = [page.rows(f"What was done on {day}, newest first") for day in days]
    assert [[row[2] for row in rows] for rows in tables] == [["Looked at the statement"]] * 2
    (office,), (helper,) = tables
    assert office[1].startswith("A program of the office")
    assert helper[1] == f"Somebody who helps {bob['holder'][-8:]}"
    page = await auditor.click(bob["holder"][-8:])
    assert [row[2] for row in page.rows()] == ["Looked at the statement"]


async def test_who_acted_by_a_page_is_known_when_their_sign_in_is_long_gone(
    api: Api, pages: Pages, entrance: Entrance, owner: asyncpg.Connection
) -> None:
    watched = await Watched.among(api, owner)
    sam = await api.person("Sam")
    pages.sign_in(await entrance.staff(sam["id"]))
    await pages.get("/staff/people/{person}/visits/{visit}".format(**watched.ids))
    await pages.submit("Give back all")
    await owner.execute("DELETE FROM scheme.sign_in")
    pages.sign_in(await entrance.auditor())
    page = await pages.get("/audit/entries")
    page = await pages.click(page.rows()[0][0])
    assert page.terms()["Who"] == sam["holder"]
    page = await pages.click(sam["holder"])

    assert {row[2] for row in page.rows()} == {"Gave a visit back", "Looked at the bookings"}
    assert {row[1] for row in page.rows()} == {f"Our staff {sam['holder'][-8:]}"}


async def test_a_long_trail_is_read_page_by_page(api: Api, auditor: Pages) -> None:
    ann = await api.person("Ann")
    for _ in range(55):
        await api.get(f"/v1/people/{ann['id']}/eligibility")
    first = await auditor.get("/audit?verb=eligibility_read")
    second = await auditor.click("Older")

    assert (len(first.rows()), len(second.rows())) == (50, 5)
    assert (await auditor.click("Newer")).rows() == first.rows()
    await auditor.get("/audit?before=AAAA", status=400)


async def test_the_books_balance_in_two_columns(api: Api, auditor: Pages) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 165})
    page = await auditor.get("/audit/books")
    rows = {row[0]: row[1:] for row in page.rows("Credits, in hours and minutes")}

    assert "It balances: 2 credits 45 minutes on both sides." in page
    assert rows["Given by projects, for hours issued"] == ["2:45", ""]
    assert rows["People can spend wallet"] == ["", "2:45"]
    assert rows["Sum"] == ["2:45", "2:45"]
    assert "the signs that accountants use" in page


async def test_entries_are_read_newest_first_and_each_by_itself(api: Api, auditor: Pages) -> None:
    ann, project = await api.person(), await api.project()
    for days in range(1, 28):
        await api.give(project, {ann["id"]: 15}, days_ago=days)
    first = await auditor.get("/audit/entries")
    second = await auditor.click("Older")
    assert ([row[0] for row in first.rows()][:2], len(second.rows())) == (["27", "26"], 2)
    assert (await auditor.click("Newer")).rows() == first.rows()
    entry = await auditor.click("27")

    assert entry.heading == "Entry 27"
    assert [row[4] for row in entry.rows()] == ["15"]
    assert ann["holder"].replace("-", "")[-8:] in entry
    assert re.search("No checkpoint covers it yet|The proof that this entry", entry.text)


@pytest.mark.parametrize("to", ["0", "-1", "x", "1e3", "1" * 30])
async def test_a_position_that_there_is_not_is_not_found(auditor: Pages, to: str) -> None:
    await auditor.get(f"/audit/entries?to={to}", status=404)


async def test_the_first_day_has_no_entry_and_says_so(auditor: Pages) -> None:
    assert "There is no entry yet." in await auditor.get("/audit/entries")
    assert "It balances: 0 credits" in await auditor.get("/audit/books")
    await auditor.get("/audit/entries/00000000-0000-0000-0000-000000000001", status=404)


async def test_what_follows_on_an_entry_is_linked_both_ways(api: Api, auditor: Pages) -> None:
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 120})
    offer, till = await api.offer(venue), await api.till(venue)
    visit = await api.visit(offer, ann["id"])
    hold = await api.made("/v1/redemptions", {**visit, "capture": False}, token=till)
    await api.made(f"/v1/redemptions/{hold['id']}/void", token=till)
    page = await auditor.get("/audit/entries")
    assert [row[1] for row in page.rows()][:2] == ["Hold ended", "On hold"]
    page = await auditor.click(page.rows()[1][0])
    ended = await auditor.click(page.terms()["Hold ended"])

    assert ended.terms()["Follows on"] == page.heading


async def test_only_the_auditor_and_staff_open_it(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = await api.person()
    for token in (await entrance.person(ann["id"]), await entrance.coordinator(await api.project())):
        pages.sign_in(token)
        for path in PATHS:
            await pages.get(path, status=403)
    pages.sign_in(await entrance.staff())
    for path in PATHS:
        await pages.get(path)


async def test_the_auditor_opens_nothing_of_the_office(auditor: Pages) -> None:
    for path in ("/staff", "/staff/settings", "/staff/figures", "/staff/people", "/staff/venues"):
        await auditor.get(path, status=403)
