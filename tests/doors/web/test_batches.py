"""Vouchers that staff print: made from the community's pot, printed with their codes, ended early."""

import re
from datetime import timedelta

import pytest

from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.printed import words_of


@pytest.fixture
async def funded(api: Api, pages: Pages, entrance: Entrance) -> Api:
    """Staff are signed in, and the community's pot has four credits."""
    ann = (await api.person("Ann"))["id"]
    await api.give(await api.project(), {ann: 300})
    await api.made("/v1/community-pot/gifts", {"giver": ann, "minutes": 240})
    pages.sign_in(await entrance.staff())
    return api


def last_day() -> str:
    return f"{daytime() + timedelta(days=30):%Y-%m-%d}"


async def made(pages: Pages, **fields: str) -> None:
    await pages.get("/staff/batches/new")
    await pages.submit("Make them", {"label": "Open day", "minutes_hours": "1", "last_day": last_day(), **fields})


async def test_vouchers_are_made_printed_and_claimed(funded: Api, pages: Pages) -> None:
    page = await pages.get("/staff/batches")
    assert "No vouchers were printed yet." in page
    page = await pages.click("Print new vouchers")
    assert "The community's pot has 4 credits." in page
    await made(pages, count="3")
    page = pages.page or page
    assert page.heading == "Open day"
    assert "They are made. Now print them." in page

    pdf = (await pages.file(page.link("Print what is left"))).content
    text = words_of(pdf)
    codes = re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b", text)
    assert len(set(codes)) == 3
    assert "Open day" not in text
    assert "localhost/voucher" in text, "where its code is typed in"
    acts = (await funded.get("/v1/acts")).json()["acts"]
    assert acts[0]["verb"] == "codes_read"
    bob = (await funded.person("Bob"))["id"]
    await funded.made("/v1/vouchers/claims", {"person": bob, "code": codes[0]})
    page = await pages.again()
    assert page.terms()["Used"] == "1"
    assert [row[:2] for row in (await pages.get("/staff/batches")).rows()] == [["Open day", "3"]]


async def test_what_is_left_goes_back_when_they_are_ended(funded: Api, pages: Pages) -> None:
    await made(pages, count="3")
    page = await pages.submit("End them now")
    assert "the rest is back in the pot" in page
    assert page.terms()["Went back"] == "3"
    assert (await funded.get("/v1/community-pot")).json()["available"] == 240
    await pages.file(f"{page.path.partition('?')[0]}/print", status=404)


@pytest.mark.usefixtures("funded")
async def test_more_than_the_pot_has_and_what_is_missing_is_said(pages: Pages) -> None:
    await pages.get("/staff/batches/new")
    page = await pages.submit("Make them", status=422)
    assert "How many?" in page.alert
    fields = {"label": "Open day", "minutes_hours": "1", "last_day": last_day(), "count": "5"}
    page = await pages.submit("Make them", fields, status=409)
    assert "not enough credits" in page.alert


async def test_only_staff_print_money(funded: Api, pages: Pages, entrance: Entrance) -> None:
    await made(pages, count="3")
    assert pages.page is not None
    path = pages.page.path.partition("?")[0]
    pages.sign_in(await entrance.coordinator(await funded.project()))
    await pages.get("/staff/batches", status=403)
    await pages.get(path, status=404)
    await pages.file(f"{path}/print", status=404)
    await pages.post(f"{path}/end", {"key": "k"}, status=404)


@pytest.mark.usefixtures("funded")
async def test_the_words_are_easy_to_read(pages: Pages) -> None:
    await made(pages, count="3")
    assert pages.page is not None
    for path in ("/staff/batches", "/staff/batches/new", pages.page.path):
        assert not (await pages.get(path)).hard_to_read()
