"""Figures of the scheme, how it is running, and its rules: changed once the change was seen."""

import asyncpg
import pytest

from ledger.database import Database
from ledger.journal.verifying import Broken, verify_journal
from ledger.scheme.clock import LONDON
from ledger.scheme.overview import record_verification
from ledger.scheme.rules import table
from tests.daytime import daytime
from tests.doors.house import Api, sign
from tests.doors.web.checks import SVG, text
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance

AGES = "By how long ago it was received, in whole credits"
FLOWS = "Earned and spent, in whole credits"


def bars(page: Page, title: str) -> list[list[float]]:
    """How long the bars of a chart are drawn, row by row, in hundredths of its width."""
    (table,) = [
        each for each in page.html.all("table") if any(one.tag == "caption" and text(one) == title for one in each)
    ]
    return [
        [float(bar.get("width", "").removesuffix("%")) for bar in row.iter(f"{SVG}rect")]
        for body in table.iter("tbody")
        for row in body.iter("tr")
    ]


async def test_what_is_left_and_what_came_and_went_stands_in_tables_too(api: Api, office: Pages) -> None:
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 240})
    await api.made("/v1/redemptions", await api.visit(await api.offer(venue), ann["id"]), token=await api.till(venue))
    page = await office.get("/staff/figures")

    assert "3 credits in people's wallets" in page
    ages = page.rows(AGES)
    assert (ages[0][0], ages[0][-1]) == ("This month and the 2 before", "3")
    assert bars(page, AGES) == [[100 * int(row[-1]) / 3] for row in ages], (
        "the longest fills it, and the rest are empty"
    )
    months = page.rows(FLOWS)
    assert (len(months), months[-1][-2:]) == (3, ["4", "1"])
    assert bars(page, FLOWS) == [[100 * int(figure) / 4 for figure in row[-2:]] for row in months], "earned, then spent"


async def test_figures_of_a_new_scheme_are_noughts(office: Pages) -> None:
    assert "0 credits in people's wallets" in await office.get("/staff/figures")
    page = await office.get("/staff/figures/demand")
    assert "No offer with monthly places was used then." in page


async def test_demand_stands_beside_the_places_there_are(api: Api, office: Pages) -> None:
    ann, project, venue = await api.person(), await api.project(), await api.venue("Parkside pool")
    await api.give(project, {ann["id"]: 240})
    offer = await api.offer(venue, title="A swim", quota=4)
    await api.made("/v1/redemptions", await api.visit(offer, ann["id"]), token=await api.till(venue))
    page = await office.get("/staff/figures/demand")

    row = page.rows("Places used, of those that there are")[0]
    assert (row[0], row[-1]) == ("A swim, Parkside pool", "1 / 4")
    assert bars(page, "Places used, of those that there are") == [[25]]
    earlier = await office.click("Older")
    assert earlier.rows("Places used, of those that there are")[0][-1] == "0 / 4"
    assert (await office.click("Newer")).heading == page.heading


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "1026-11", "2026-11-01", "x"])
async def test_a_month_that_there_is_not_is_not_found(office: Pages, month: str) -> None:
    await office.get(f"/staff/figures/demand?month={month}", status=404)


async def test_how_it_is_running_is_told_in_words(api: Api, office: Pages) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 60})
    page = await office.get("/staff/health")

    assert page.terms()["Entries"] == "1"
    assert page.terms()["Waiting to go out"] == "0"
    assert len(page.rows("Work in the background")) >= 10
    assert not [row[0] for row in page.rows("Work in the background") if "_" in row[0]]


async def test_how_the_log_stands_is_told_as_it_is(
    api: Api, office: Pages, dsn: str, database: Database, owner: asyncpg.Connection
) -> None:
    async def looked_through() -> None:
        """As `timecredits verify journal` does."""
        found = await verify_journal(owner)
        await record_verification(database, daytime(), sound=not isinstance(found, Broken))

    page = await office.get("/staff/health")
    assert "Every entry is signed" in page
    assert (page.terms()["Entries"], page.terms()["Newest entry"], page.terms()["Signed"]) == (
        "0",
        "None yet",
        "Not yet",
    )
    assert page.terms()["Last whole check that found all well"].startswith("None is known.")

    await api.give(await api.project(), {(await api.person())["id"]: 60})
    page = await office.again()
    assert "The newest entry is not signed yet." in page
    assert (page.terms()["Entries"], page.terms()["Not signed yet"]) == ("1", "1")

    await sign(dsn)
    page = await office.again()
    assert "Every entry is signed, so nobody can change it unseen." in page
    assert page.terms()["Signed"].startswith("1 entry, on ")
    assert page.terms()["Not signed yet"] == "0"

    await looked_through()
    page = await office.again()
    verified = page.terms()["Last whole check that found all well"]
    assert verified.startswith(daytime().astimezone(LONDON).strftime("%A %-d %B"))

    await owner.execute("UPDATE journal.kind SET balance = balance + 60 WHERE name = 'wallet'")
    await looked_through()
    page = await office.again()
    assert "A check of the whole journal found something wrong" in page
    assert "Every entry is signed" not in page
    assert page.terms()["Last whole check that found all well"] == verified


async def test_every_rule_is_shown_with_what_it_means(office: Pages) -> None:
    page = await office.get("/staff/settings")
    for setting in table():
        assert setting.meaning in page


async def test_a_rule_is_changed_once_the_change_was_seen(api: Api, office: Pages, entrance: Entrance) -> None:
    sam = await api.person("Sam Cole")
    office.sign_in(await entrance.staff(sam["id"]))
    await office.get("/staff/settings/daily_cap_minutes")
    page = await office.submit("See what changes", value="420")
    assert (page.terms()["Now"], page.terms()["From now on"]) == ("8 hours", "7 hours")
    assert "Nothing has changed yet" in page
    page = await office.submit("Change it")

    assert "Saved." in page
    history = await office.get("/staff/settings/changes")
    assert "Sam Cole" in history
    assert "from 8 hours to 7 hours" in history


async def test_yes_or_no_is_chosen(office: Pages) -> None:
    await office.get("/staff/settings/card_name_check")
    await office.submit("See what changes", value="No")
    await office.submit("Change it")
    assert (await office.get("/staff/settings/card_name_check")).terms()["Now"] == "No"


@pytest.mark.parametrize("typed", ["", "x", "-1", "14", "1441", "4.5", "480", "9" * 20])
async def test_what_a_rule_can_not_be_is_said_and_nothing_changes(office: Pages, typed: str) -> None:
    await office.get("/staff/settings/daily_cap_minutes")
    page = await office.submit("See what changes", value=typed, status=422)
    assert page.alert
    page = await office.post("/staff/settings/daily_cap_minutes", {"key": "k", "value": "100000"}, status=422)
    assert page.alert
    assert "Nothing yet: the rules are as they come." in await office.get("/staff/settings/changes")


async def test_rules_that_do_not_go_together_are_said_in_words(office: Pages) -> None:
    for rule, value, says in (
        ("second_above_minutes", "900", "must be at most 8 hours, as in rule 3"),
        ("daily_cap_minutes", "300", "It does not go with rule 8, which is 6 hours. Change that one first."),
        ("expiry_last_notice_days", "60", "must be less than 60 days, as in rule 11"),
        ("step_minutes", "25", "must divide a credit of 60 minutes evenly"),
    ):
        await office.get(f"/staff/settings/{rule}")
        page = await office.submit("See what changes", value=value, status=422)
        assert says in page.alert, "nobody is shown what can't be"
        assert "From now on" not in page.terms()
        page = await office.post(f"/staff/settings/{rule}", {"key": "k", "value": value}, status=422)
        assert says in page.alert


@pytest.mark.parametrize("rule", ["credit_minutes", "no_show", "offline_day_minutes"])
async def test_what_can_not_be_changed_has_no_form(office: Pages, rule: str) -> None:
    page = await office.get(f"/staff/settings/{rule}")
    assert "can't be changed" in page
    await office.post(f"/staff/settings/{rule}", {"key": "k", "value": "1"}, status=422)
    await office.get("/staff/settings/nonsense", status=404)


async def test_only_staff_open_these(api: Api, pages: Pages, entrance: Entrance) -> None:
    for token in (await entrance.auditor(), await entrance.manager(await api.venue())):
        pages.sign_in(token)
        for path in ("/staff/figures", "/staff/figures/demand", "/staff/health", "/staff/settings"):
            await pages.get(path, status=403)
