"""What the office looks after: rights and passkeys, second approvals, projects, venues, offers and their tills."""

import re
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from ledger.doors.web.forms import Form
from ledger.doors.web.staff import terms
from ledger.scheme.one_time import INVITED_A_DAY
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.windows import Window
from tests.daytime import daytime
from tests.doors.house import Api, register
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance

# --- rights -------------------------------------------------------------------------------------------------


async def test_a_role_is_given_where_it_is_chosen_and_ended(api: Api, office: Pages) -> None:
    ann, _ = await api.person("Ann Lee"), await api.project("Repair cafe")
    await office.get(f"/staff/people/{ann['id']}/roles")
    page = await office.submit("Go on", status=422)
    assert "Choose one" in page.alert
    await office.submit("Go on", role="Coordinator")
    page = await office.submit("Make them coordinator", status=422)
    assert "must say of which project" in page.alert
    page = await office.submit("Make them coordinator", project="Repair cafe")
    assert page.rows("Roles")[0][0] == "Coordinator of Repair cafe"
    page = await office.submit("End Coordinator of Repair cafe")

    assert "Nothing yet." in page


async def test_an_auditor_and_a_manager_are_made_likewise(api: Api, office: Pages) -> None:
    ann, _ = await api.person("Ann Lee"), await api.venue("Parkside pool")
    await office.get(f"/staff/people/{ann['id']}/roles?role=manager")
    await office.submit("Make them manager of a venue", venue="Parkside pool")
    await office.get(f"/staff/people/{ann['id']}/roles?role=auditor")
    page = await office.submit("Make them auditor")

    assert sorted(row[0] for row in page.rows("Roles")) == ["Auditor of the scheme", "Manager of Parkside pool"]
    await office.get("/staff")
    page = await office.click("Staff and auditors")
    assert [row[1] for row in page.rows("At work for the scheme")] == ["Staff", "Auditor"], "a manager is its venue's"
    assert (await office.click("Ann Lee")).path == f"/staff/people/{ann['id']}/roles"


async def test_nobody_gives_themselves_a_role_and_the_last_of_the_staff_stays(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    sam = await api.person("Sam Cole")
    pages.sign_in(await entrance.staff(sam["id"]))
    await pages.get(f"/staff/people/{sam['id']}/roles?role=auditor")
    assert "Nobody gives themselves a role" in (await pages.submit("Make them auditor", status=409)).alert
    await pages.get(f"/staff/people/{sam['id']}/roles")
    assert "last of the scheme's staff" in (await pages.submit("End Staff", status=409)).alert
    await pages.get(f"/staff/people/{sam['id']}/leave")
    assert "last of the scheme's staff" in (await pages.submit("End all of it", status=409)).alert


async def test_who_leaves_loses_all_that_is_for_work_and_the_page_says_so_before(
    api: Api, office: Pages, entrance: Entrance
) -> None:
    ann, project = await api.person("Ann Lee"), await api.project("Repair cafe")
    async with Pages.of(api) as hers:
        hers.sign_in(await entrance.coordinator(project, ann["id"]))
        await hers.get(f"/people/{ann['id']}")
        await office.get(f"/staff/people/{ann['id']}/roles")
        page = await office.click("They leave")
        assert "Coordinator of Repair cafe" in page
        assert "1 sign-in" in page
        page = await office.submit("End all of it")
        assert page.terms()["What they may do at work"].startswith("Volunteer")
        assert (await hers.get(f"/people/{ann['id']}")).heading == "Sign in"


async def test_what_they_set_up_stops_when_they_leave_but_for_what_is_ticked(
    api: Api, office: Pages, entrance: Entrance
) -> None:
    sam, venue = await api.person("Sam"), await api.venue("Parkside pool")
    token = await entrance.staff(sam["id"])
    async with Pages.of(api) as his:
        his.sign_in(token)
        for name in ("Front desk", "My own tablet"):
            await his.get(f"/staff/venues/{venue}/devices/new")
            page = await his.submit("Add it, and show the code", name=name)
            code = re.search(r"\b\w{4}-\w{4}-\w{4}-\w{2}\b", page.text)
            assert code is not None
            await api.made("/v1/devices/enrol", {"code": code[0]})
    await office.get(f"/staff/people/{sam['id']}/leave")
    await office.submit("End all of it", keep="Front desk, Parkside pool")
    found = (await api.get(f"/v1/venues/{venue}/devices")).json()["devices"]
    assert {each["name"]: each["status"] for each in found} == {"Front desk": "active", "My own tablet": "revoked"}


async def test_somebody_becomes_staff_by_two_of_them(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, sam, kim = await api.person("Ann Lee"), await api.person("Sam"), await api.person("Kim")
    sams, kims = await entrance.staff(sam["id"]), await entrance.staff(kim["id"])
    path = f"/staff/people/{ann['id']}/roles?role=staff"
    pages.sign_in(sams)
    await pages.get(path)
    page = await pages.submit("Make them staff")
    assert "Somebody else of the staff has to agree." in page
    assert "You asked that they become staff." in page
    assert "Nothing yet." in page
    pages.sign_in(kims)
    assert "Sam asked that they become staff." in await pages.get(path)
    page = await pages.submit("Make them staff")
    assert page.rows("Roles")[0][0] == "Staff of the scheme"
    assert "asked that they become staff" not in page


async def test_somebody_is_signed_out_everywhere(api: Api, office: Pages, entrance: Entrance) -> None:
    ann = await api.person("Ann Lee")
    async with Pages.of(api) as hers:
        hers.sign_in(await entrance.person(ann["id"]))
        await hers.get(f"/people/{ann['id']}")
        await office.get(f"/staff/people/{ann['id']}")
        page = await office.submit("Sign out everywhere")
        assert "They are not signed in anywhere." in page
        assert (await hers.get(f"/people/{ann['id']}")).heading == "Sign in"
    assert (await api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"][0]["verb"] == "signed_out_everywhere"


async def test_the_link_of_an_invitation_is_in_a_letter_and_not_on_the_page(
    api: Api, office: Pages, owner: asyncpg.Connection
) -> None:
    ann = await api.made("/v1/people", {"name": "Ann Lee", "contact": {"email": "ann@example.org"}})
    await office.get(f"/staff/people/{ann['id']}")
    page = await office.submit("Invite to make a passkey")
    assert "We have sent them an email with the link." in page
    assert "/sign-in/" not in page.answer.text.replace('href="/sign-in/', "")
    letter = await owner.fetchval("SELECT body FROM scheme.letter WHERE recipient = 'ann@example.org'")
    assert "https://localhost/sign-in/" in letter


async def test_who_had_a_passkey_is_not_invited_but_lost_it(api: Api, office: Pages, owner: asyncpg.Connection) -> None:
    """Else one of the staff could take the place of anybody, of another of the staff too."""
    kim = await api.person("Kim")
    await owner.execute(
        "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at, ended_at)"
        " SELECT $1, id, '', 0, 'phone', now(), now() FROM scheme.holder WHERE person = $2::uuid",
        *(bytes(16), kim["id"]),
    )
    page = await office.get(f"/staff/people/{kim['id']}")
    assert "Invite to make a passkey" not in page.buttons
    assert "They lost their passkey" in page.buttons
    page = await office.post(f"/staff/people/{kim['id']}/invitation", {"key": "k"}, status=409)
    assert "takes two of the staff" in page.alert
    assert await owner.fetchval("SELECT count(*) FROM scheme.one_time") == 0


async def test_an_invitation_is_shown_to_whoever_sits_beside_them_if_they_have_no_address(
    api: Api, office: Pages
) -> None:
    ann = await api.person("Ann Lee")
    await office.get(f"/staff/people/{ann['id']}")
    page = await office.submit("Invite to make a passkey")
    link = re.search(r"https://localhost(/sign-in/[\w-]+)", page.text)

    assert link is not None
    assert link[1] not in page.path
    async with Pages.of(api) as hers:
        assert "passkey" in (await hers.get(link[1])).text


async def test_too_many_invitations_are_refused_in_words(api: Api, office: Pages) -> None:
    ann = await api.person("Ann Lee")
    for number in range(INVITED_A_DAY):
        await office.post(f"/staff/people/{ann['id']}/invitation", {"key": f"k-{number}"}, status=200)
    page = await office.post(f"/staff/people/{ann['id']}/invitation", {"key": "one-more"}, status=409)

    assert "please try again tomorrow" in page.alert


async def test_a_lost_passkey_takes_two_of_the_staff(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann, sam, kim = await api.person("Ann Lee"), await api.person("Sam"), await api.person("Kim")
    sams, kims = await entrance.staff(sam["id"]), await entrance.staff(kim["id"])
    pages.sign_in(sams)
    page = await pages.post(f"/staff/people/{ann['id']}/recovery", {"key": "k"}, status=200)
    assert page.heading == "Lost passkeys"
    assert "You asked for this: another of the staff agrees." in page
    assert "Agree Ann Lee" not in page.buttons
    recovery = next(form for form in re.findall(r"/staff/recoveries/([0-9a-f-]{36})/", page.answer.text))
    page = await pages.post(f"/staff/recoveries/{recovery}/agree", {"key": "k2"}, status=403)
    assert "another of the staff agrees" in page.alert
    pages.sign_in(kims)
    page = await pages.get("/staff/recoveries")
    assert page.terms()["Asked by"] == "Sam"
    assert page.terms()["Their contact was changed"] == "Never"
    page = await pages.submit("Agree Ann Lee")

    assert page.heading == "A new passkey for Ann Lee"
    assert "/sign-in/" in page
    assert "Nobody waits for a new passkey." in await pages.get("/staff/recoveries")


async def test_a_lost_passkey_can_be_declined_and_nobody_asks_for_themselves(
    api: Api, pages: Pages, entrance: Entrance
) -> None:
    ann, sam = await api.person("Ann Lee"), await api.person("Sam")
    pages.sign_in(await entrance.staff(sam["id"]))
    page = await pages.post(f"/staff/people/{sam['id']}/recovery", {"key": "k"}, status=403)
    assert "somebody else of the staff" in page.alert
    await pages.post(f"/staff/people/{ann['id']}/recovery", {"key": "k2"}, status=200)
    page = await pages.submit("Take it back Ann Lee")

    assert "Declined. Nothing has changed." in page
    assert "Nobody waits" in page


# --- second approvals ---------------------------------------------------------------------------------------


async def long_hours(api: Api, *, approved_by: str | None = "Bob") -> dict[str, Any]:
    """Somebody's seven hours in a register, which is its writer's approval: the person."""
    ann, project = await api.person("Ann Lee"), await api.project("Repair cafe")
    writer = (await api.person(approved_by))["id"] if approved_by else None
    token = await api.key("project", project, person=writer)
    await api.made(f"/v1/projects/{project}/registers", register({ann["id"]: 420}), token=token)
    return ann


async def test_long_hours_are_approved_by_a_second_person(api: Api, office: Pages) -> None:
    ann = await long_hours(api)
    page = await office.get("/staff")
    assert page.links["Hours that need a second approver"] == "/staff/approvals"
    page = await office.click("Hours that need a second approver")
    assert page.terms()["How long"] == "7 hours"
    page = await office.submit("Approve Ann Lee")

    assert "Nothing waits for a second approver." in page
    assert await api.balance(ann["id"]) == (420, 0)


async def test_a_program_s_approval_counts_as_none(api: Api, office: Pages) -> None:
    ann = await long_hours(api, approved_by=None)
    page = await office.get("/staff/approvals")
    assert page.terms()["First approved by"] == "Nobody yet: it takes two."
    page = await office.submit("Approve Ann Lee")

    assert "Somebody else has to approve it too." in page
    assert "You can't be the second here" in page
    assert await api.balance(ann["id"]) == (0, 0)


async def test_they_are_asked_about_or_refused_with_words(api: Api, office: Pages) -> None:
    ann = await long_hours(api)
    await office.get("/staff/approvals")
    await office.click("Ask back, or say no")
    assert "is needed" in (await office.submit("Ask back", status=422)).alert
    page = await office.submit("Say no", text="You went home at noon, we think.")

    assert "Nothing waits for a second approver." in page
    assert await api.balance(ann["id"]) == (0, 0)


async def test_what_another_decided_meanwhile_is_said_and_not_told_as_done(api: Api, office: Pages) -> None:
    await long_hours(api)
    await office.get("/staff/approvals")
    question = await office.click("Ask back, or say no")
    await office.submit("Say no", text="You went home at noon, we think.")
    office.page = question  # in another's window
    page = await office.submit("Ask back", text="When did you go home?", status=409)

    assert "This claim is rejected." in page.alert
    assert "Done." not in page
    page = await office.get(question.path, status=409)
    assert "Somebody has decided about these hours meanwhile." in page.alert


async def test_whoever_gave_the_hours_is_not_the_second(api: Api, pages: Pages, entrance: Entrance) -> None:
    ann = await long_hours(api)
    pages.sign_in(await entrance.staff(ann["id"]))
    page = await pages.get("/staff/approvals")

    assert "You can't be the second here" in page
    assert "Approve Ann Lee" not in page.buttons


# --- projects and venues ------------------------------------------------------------------------------------


async def test_a_project_is_added_renamed_suspended_and_ended(office: Pages) -> None:
    await office.get("/staff/projects")
    await office.click("Add a project")
    assert "is needed" in (await office.submit("Add it", name="Mood group", status=422)).alert
    page = await office.submit("Add it", name="Mood group", alias="Saturdays", sensitive=True)
    assert page.terms()["Sensitive"].startswith("Yes")
    await office.click("Change name and alias")
    page = await office.submit("Save", alias="Sundays")
    assert page.terms()["Alias, on paper"].startswith("Sundays")
    page = await office.submit("Suspend it")
    assert page.terms()["How it stands"] == "Suspended"
    page = await office.submit("Open it")
    page = await office.submit("End it now")

    assert page.terms()["How it stands"] == "Ended"
    assert not [button for button in page.buttons if button in {"Open it", "End it now", "Write it down"}]
    assert [row[0] for row in (await office.get("/staff/projects?status=ended")).rows()] == ["Mood group"]
    await office.click("Mood group")
    assert (await office.click("Projects")).path == "/staff/projects?status=ended", "the filter is as it was"
    assert "There is none like that." in await office.get("/staff/projects?status=applied")


async def test_what_a_funder_granted_is_written_down(api: Api, office: Pages) -> None:
    await office.get(f"/staff/projects/{await api.project()}")
    page = await office.submit("Write it down", funder="The council", credits="x", status=422)
    assert page.alert
    page = await office.submit("Write it down", credits="100")

    assert page.rows("Grants")[0][:2] == ["The council", "100 credits"]
    assert page.terms()["Left"] == "100 credits"


async def test_a_kiosks_code_is_shown_once_and_it_is_put_out_of_use(api: Api, office: Pages) -> None:
    project = await api.project()
    await office.get(f"/staff/projects/{project}/devices/new")
    page = await office.submit("Add it, and show the code", name="By the door")
    code = re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{2,4})+", page.text)
    assert code is not None
    page = await office.get(f"/staff/projects/{project}")
    assert code[0] not in page.answer.text
    assert page.rows("Tills and kiosks")[0][:2] == ["By the door", "Not set up yet"]
    page = await office.submit("Take out of use By the door")
    assert "None yet." in page


async def test_a_venue_with_its_site_and_till(office: Pages) -> None:
    await office.get("/staff/venues/new")
    page = await office.submit("Add it", name="Parkside pool")
    await office.click("Add a site")
    page = await office.submit("Add it", name="Town", postcode="hello there", status=422)
    assert "must be a postcode" in page.alert
    page = await office.submit("Add it", postcode="CB1 1LY", step_free="Yes")
    assert page.rows("Sites")[0] == ["Town", "CB1 1LY", "Step-free", ""]
    await office.click("Town")
    page = await office.submit("Save", name="Town baths")
    await office.click("Add a till")
    page = await office.submit("Add it, and show the code", name="Front desk", site="Town baths")
    assert f"go to {office.url}/enrol" in page
    page = await office.click("Parkside pool")
    assert page.rows("Tills and kiosks")[0][0] == "Front desk"
    await office.click("Town baths")
    page = await office.submit("Close it now")

    assert page.rows("Sites")[0][3] == "Closed"
    page = await office.submit("Take out of use Front desk")
    assert "It is out of use." in page


# --- offers -------------------------------------------------------------------------------------------------


async def test_an_offer_is_written_published_paused_and_ended(api: Api, office: Pages) -> None:
    venue = await api.venue("Parkside pool")
    await office.get(f"/staff/venues/{venue}/offers/new")
    page = await office.submit(
        "Save the draft",
        title="Family swim",
        windows="Mon-Fri 19:00-21:00\nSat, Sun 10-16",
        closed="2026-12-25\n26/12/2026",
        quiet="Tue 19:00 to 20:00",
        low_talk=True,
        quota="40",
        child_price_hours="0",
        child_price_minutes="30",
        requires="Pool induction, D\u00e9j\u00e0 vu",
        visit_minutes_hours="4",
        status=200,
    )
    assert page.heading == "Family swim"
    assert page.terms()["How it stands"] == "Draft"
    assert "Monday to Friday, 7pm to 9pm" in page
    assert "25 December 2026" in page
    assert "40 places a month" in page
    assert "Nobody has to talk." in page
    edit = await office.click("Change it")
    assert edit.filled("Save")["low_talk"] == ["yes"]
    assert edit.filled("Save")["windows"] == ["Mon-Fri 19:00-21:00\nSat, Sun 10:00-16:00"]
    assert edit.filled("Save")["requires"] == ["Pool induction, Deja vu"]
    assert "Offers ask for these already: Deja vu, Pool induction." in edit
    page = await office.submit("Save", price_hours="2", low_talk=False)
    assert "2 credits for an adult" in page
    assert "Nobody has to talk." not in page
    page = await office.submit("Publish it")
    assert page.terms()["Left"] == "40"
    page = await office.submit("Pause it")
    assert "Family swim" in await office.get("/staff/venues/paused")
    await office.click("Family swim")
    page = await office.submit("End it now")

    assert page.terms()["How it stands"] == "Ended"
    assert "Change it" not in page.links


async def test_what_an_offer_lacks_to_be_used_is_said_where_it_is_published(api: Api, office: Pages) -> None:
    venue = await api.venue("Parkside pool")
    await office.get(f"/staff/venues/{venue}/offers/new")
    page = await office.submit("Save the draft", title="Cream tea", price_hours="1")
    nowhere, nobody = "It has no open site, so nobody is told where to go.", "It has no till"
    assert (nowhere in page, nobody in page) == (True, True)
    page = await office.submit("Publish it")
    assert (nowhere in page, nobody in page) == (True, True), "it stands there still"
    await office.click("Add what is missing at Parkside pool")
    await office.click("Add a till")
    await office.submit("Add it, and show the code", name="Front desk")
    await office.click("Parkside pool")
    page = await office.click("Cream tea")
    assert (nowhere in page, nobody in page) == (True, False)
    await office.click("Add what is missing at Parkside pool")
    await office.click("Add a site")
    await office.submit("Add it", name="Town")
    page = await office.click("Cream tea")
    assert (nowhere in page, nobody in page) == (False, False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"title": ""}, "is needed"),
        ({"windows": "whenever"}, "a line that we can't read"),
        ({"windows": "Mon 25:00-26:00"}, "a line that we can't read"),
        ({"windows": "Mon 12:00-09:00"}, "must be later than opens"),
        ({"windows": "Mon 9-12\nMon 11-13"}, "must not overlap"),
        ({"closed": "Christmas"}, "no date"),
        ({"closed": "2026-02-30"}, "no date"),
        ({"quota": "many"}, "must be a whole number"),
        ({"people": "0"}, "must be from 1 to 50"),
        ({"price_hours": "", "price_minutes": ""}, "is needed"),
        ({"price_hours": "9"}, "must be at most"),
        ({"visit_minutes_hours": "x"}, "must be whole hours and minutes"),
        ({"month_minutes_minutes": "30"}, "must be at least the price"),
        ({"requires": "x" * 49}, "at most 48 of them"),
        ({"from_years": "18", "below_years": "8"}, "must be more than"),
        ({"ahead_minutes_hours": "2"}, "must be 0 where nobody needs to book"),
    ],
)
async def test_what_is_wrong_with_an_offer_is_said_at_its_field(
    api: Api, office: Pages, fields: dict[str, str], says: str
) -> None:
    await office.get(f"/staff/venues/{await api.venue()}/offers/new")
    page = await office.submit("Save the draft", {"title": "A swim", **fields}, status=422)
    assert says in page.alert


@pytest.mark.parametrize(
    ("line", "window"),
    [
        ("Mon-Fri 9:00-12:00", Window(days=("mon", "tue", "wed", "thu", "fri"), opens="09:00", closes="12:00")),
        ("monday 9-24", Window(days=("mon",), opens="09:00", closes="24:00")),
        ("Sat, Sun 10:30 - 16:00", Window(days=("sat", "sun"), opens="10:30", closes="16:00")),
        ("Tue Thu 10 to 16", Window(days=("tue", "thu"), opens="10:00", closes="16:00")),
        (
            "every day 0:00-6:00",
            Window(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), opens="00:00", closes="06:00"),
        ),
        ("Weekends 9:00\u201312:00", Window(days=("sat", "sun"), opens="09:00", closes="12:00")),
    ],
)
def test_opening_hours_are_read_as_they_hang_on_a_door_and_written_so_again(line: str, window: Window) -> None:
    def read(typed: str) -> tuple[Window, ...]:
        form = Form.blank(title="A swim", kind="drop_in", reach="local", price_hours="1", windows=typed)
        found = terms.taken(form)
        assert found is not None, form.faults
        return found.terms.windows

    assert read(line) == (window,)
    assert read(terms.hours([window])) == (window,)


def test_a_refusal_of_terms_is_said_at_the_form_s_own_fields() -> None:
    form = Form.blank(windows="Mon 9-12")
    fields = (("terms.windows[0].closes", "must be later"), ("terms.quota", "must be less than terms.people"))
    terms.heed(form, Declined(Refusal.WRONG_VALUES, fields=fields))
    assert form.faults == {"windows": "must be later", "quota": "must be less than people"}


async def test_dates_of_a_show_are_added_week_by_week_and_cancelled(api: Api, office: Pages) -> None:
    venue = await api.venue()
    offer = await api.made(f"/v1/venues/{venue}/offers", {"title": "A play", "price": 60, "kind": "show"})
    page = await office.get(f"/staff/offers/{offer['id']}")
    assert "No date is planned." in page
    page = await office.submit("Add them", status=422)
    assert page.alert
    day = (daytime() + timedelta(days=20)).date().isoformat()
    fields = {"starts_at_day": day, "starts_at_time": "19:30", "lasts_hours": "2", "places": "20", "weeks": "3"}
    page = await office.submit("Add them", fields)
    dates = page.rows("Dates to come")
    assert [row[1:3] for row in dates] == [["9:30pm", "20 of 20"]] * 3
    page = await office.submit(f"Cancel it {dates[0][0]}")

    assert page.rows("Dates to come")[0][3] == "Cancelled"
    past = {**fields, "starts_at_day": "2020-01-01", "weeks": "1"}
    assert "must lie ahead" in (await office.submit("Add them", past, status=422)).alert


async def test_only_staff_open_these(api: Api, pages: Pages, entrance: Entrance) -> None:
    venue, project = await api.venue(), await api.project()
    offer = await api.offer(venue)
    tokens = (await entrance.manager(venue), await entrance.coordinator(project), await entrance.auditor())
    for token in tokens:
        pages.sign_in(token)
        for path in (
            "/staff/projects",
            "/staff/venues",
            "/staff/approvals",
            "/staff/recoveries",
            "/staff/venues/paused",
        ):
            await pages.get(path, status=403)
        for path in (f"/staff/projects/{project}", f"/staff/venues/{venue}", f"/staff/offers/{offer}"):
            await pages.get(path, status=404)
