"""Hours of a project: what waits is approved, asked about or declined, and what was awarded is put right."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.doors.web.project_hours import Came
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance


class Shed:
    """A project with somebody who approves, and people who claim."""

    def __init__(self, api: Api, project: str) -> None:
        self.api, self.project = api, project
        self.base = f"/projects/{project}"

    async def claims(self, person: str, minutes: int = 60, *, days_ago: int = 1, note: str | None = None) -> str:
        """Hours that the person says they gave."""
        began = daytime().replace(microsecond=0) - timedelta(days=days_ago, hours=8)
        body: dict[str, Any] = {"project": self.project, "person": person, "minutes": minutes, "note": note}
        times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=7)).isoformat()}
        return str((await self.api.made("/v1/claims", {**body, **times}))["id"])

    async def state(self, claim: str) -> str:
        return str((await self.api.get(f"/v1/claims/{claim}")).json()["state"])


@pytest.fixture
async def shed(api: Api, pages: Pages, entrance: Entrance) -> Shed:
    """Its approver is signed in."""
    project = await api.project("The tool shed")
    pages.sign_in(await entrance.approver(project))
    return Shed(api, project)


async def person(api: Api, name: str) -> str:
    return str((await api.person(name))["id"])


# --- what waits ------------------------------------------------------------------------------------------------------


async def test_where_nothing_waits_somebody_is_thanked(shed: Shed, pages: Pages) -> None:
    page = await pages.get(f"{shed.base}/approvals")
    assert page.heading == "Hours to approve"
    assert "The tool shed" in page
    assert "Nothing is waiting. Thank you." in page


async def test_what_is_as_usual_is_ticked_and_approved_at_once(api: Api, shed: Shed, pages: Pages) -> None:
    ann, bob = await person(api, "Ann Lee"), await person(api, "Bob")
    claims = [await shed.claims(ann, 90), await shed.claims(bob, 60)]
    page = await pages.get(f"{shed.base}/approvals")
    assert sorted(page.filled("Approve")["claim"]) == sorted(claims)

    page = await pages.submit("Approve the ticked hours")
    assert "You approved 2 claims. They gave 2 credits 30 minutes." in page
    assert "Nothing is waiting" in page
    assert (await api.balance(ann), await api.balance(bob)) == ((90, 0), (60, 0))
    page = await pages.again()
    assert "You approved 2 claims" in page, "reloading shows the same, and does nothing"


async def test_what_isnt_ticked_goes_on_waiting(api: Api, shed: Shed, pages: Pages) -> None:
    ann, bob = await shed.claims(await person(api, "Ann")), await shed.claims(await person(api, "Bob"))
    await pages.get(f"{shed.base}/approvals")
    page = await pages.submit("Approve", claim=ann)

    assert "You approved one claim. It gave 1 credit." in page
    assert page.filled("Approve")["claim"] == [bob]
    assert (await shed.state(ann), await shed.state(bob)) == ("approved", "submitted")


async def test_where_nothing_is_ticked_somebody_is_told_what_to_do(api: Api, shed: Shed, pages: Pages) -> None:
    await shed.claims(await person(api, "Ann"))
    await pages.get(f"{shed.base}/approvals")
    page = await pages.submit("Approve", claim=[], status=422)
    assert "Tick the hours that you approve." in page.alert


async def test_sending_it_twice_approves_once(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await person(api, "Ann")
    await shed.claims(ann)
    filled = (await pages.get(f"{shed.base}/approvals")).filled("Approve")
    for _ in range(2):
        page = await pages.post(f"{shed.base}/approvals", filled, status=200)
        assert "You approved one claim. It gave 1 credit." in page
    assert await api.balance(ann) == (60, 0)


async def test_what_changed_meanwhile_is_left_as_it_is_and_said(api: Api, shed: Shed, pages: Pages) -> None:
    ann, bob = await shed.claims(await person(api, "Ann")), await shed.claims(await person(api, "Bob"))
    await pages.get(f"{shed.base}/approvals")
    await api.made(f"/v1/claims/{bob}/withdraw")
    page = await pages.submit("Approve")

    assert "You approved one claim." in page
    assert "One had changed in the meantime. It is as it was." in page
    assert (await shed.state(ann), await shed.state(bob)) == ("approved", "withdrawn")


async def test_what_is_unusual_stands_on_top_with_why_and_is_in_no_list_of_ticks(
    api: Api, shed: Shed, pages: Pages
) -> None:
    await shed.claims(await person(api, "Ann"))
    await shed.claims(await person(api, "Bob"), 420)
    page = await pages.get(f"{shed.base}/approvals")

    assert len(page.filled("Approve")["claim"]) == 1
    assert "It is long for one time, so two people approve it." in page
    assert page.text.index("Bob") < page.text.index("Ann")


async def test_hours_at_the_same_time_are_both_looked_at_and_lead_to_each_other(
    api: Api, shed: Shed, pages: Pages
) -> None:
    ann = await person(api, "Ann")
    told, bobs = await shed.claims(ann), await shed.claims(await person(api, "Bob"))
    page = await pages.get(f"{shed.base}/approvals")
    assert set(page.filled("Approve")["claim"]) == {told, bobs}
    later = await shed.claims(ann, 30)

    sent = await pages.submit("Approve the ticked hours")
    assert "You approved one claim." in sent
    assert "One had changed in the meantime." in sent
    assert "Approve the ticked hours" not in sent.buttons
    assert sent.text.count("They gave other hours at the same time:") == 2
    leads = [link.get("href") for link in sent.html.all("a")]
    assert [leads.count(f"{shed.base}/claims/{claim}") for claim in (told, later)] == [2, 2], "each leads to the other"
    assert (await shed.state(told), await shed.state(later)) == ("submitted", "queried")

    page = await pages.get(f"{shed.base}/claims/{told}")
    assert "at the same time:" in page
    assert "which wait too." in page
    assert f"{shed.base}/claims/{later}" in page.links.values()
    assert not page.hard_to_read()
    await pages.submit("Approve")
    page = await pages.get(f"{shed.base}/claims/{later}")
    assert "which are approved." in page
    assert "A question was asked" not in page, "nobody asked any"
    page = await pages.get(f"{shed.base}/approvals")
    assert "which are approved." in page
    assert "Approve the ticked hours" not in page.buttons


async def test_of_hours_elsewhere_a_project_hears_only_that_there_are_some(
    api: Api, shed: Shed, pages: Pages, entrance: Entrance
) -> None:
    ann, there = await person(api, "Ann"), Shed(api, await api.project("The choir"))
    here, sung = await shed.claims(ann), await there.claims(ann)
    for path in (f"claims/{here}", "approvals"):
        page = await pages.get(f"{shed.base}/{path}")
        assert "They gave hours at another project at the same time." in page
        assert "The choir" not in page.answer.text
        assert sung not in page.answer.text
        assert "which wait too" not in page
    await api.made(f"/v1/claims/{here}/withdraw")
    pages.sign_in(await entrance.approver(there.project))
    page = await pages.get(f"{there.base}/approvals")
    assert "They told of other hours at the same time, but those do not count any more." in page
    assert "A question was asked" not in page


async def test_many_are_read_page_by_page(api: Api, shed: Shed, pages: Pages) -> None:
    people = [await person(api, f"Person {number:02}") for number in range(52)]
    for number, each in enumerate(people):
        await shed.claims(each, 420 if number == 51 else 60)
    first = await pages.get(f"{shed.base}/approvals")
    assert "Person 51" in first
    second = await pages.click("Show the next ones")

    assert (len(first.filled("Approve")["claim"]), len(second.filled("Approve")["claim"])) == (49, 2)
    await pages.get(f"{shed.base}/approvals?after=AAAA", status=400)


def test_what_came_of_an_approval_fits_into_an_address() -> None:
    most = Came(1_000 * 1_440, 1_000, 1_000, 1_000, 1_000)
    assert Came.read(most.number()) == most
    assert most.number() < 1 << 64
    assert Came.read(Came(90, 1, 0, 3, 2).number()) == Came(90, 1, 0, 3, 2)


async def test_nobody_makes_up_what_came_of_it(shed: Shed, pages: Pages) -> None:
    await pages.get(f"{shed.base}/approvals?approved=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", status=400)


# --- one claim -------------------------------------------------------------------------------------------------------


async def test_a_claim_is_approved_by_itself(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await person(api, "Ann Lee")
    claim = await shed.claims(ann, 75, note="Sharpened the saws.")
    await pages.get(f"{shed.base}/approvals")
    page = await pages.click("Look closer")
    assert page.heading == "Ann Lee, 1 hour 15 minutes"
    assert "Sharpened the saws." in page
    assert "Ann Lee gets 1 credit 15 minutes at once." in page

    page = await pages.submit("Approve")
    assert "Approved. They have their credits." in page
    assert await api.balance(ann) == (75, 0)
    assert (page.path.partition("?")[0], "Approve" in page.buttons) == (f"{shed.base}/claims/{claim}", False)


async def test_a_question_is_asked_and_the_hours_wait(api: Api, shed: Shed, pages: Pages) -> None:
    claim = await shed.claims(await person(api, "Ann"))
    await pages.get(f"{shed.base}/claims/{claim}")
    page = await pages.submit("Send the question", status=422)
    assert "needed" in page.alert
    page = await pages.submit("Send the question", text="Was that the Tuesday?")

    assert "Your question is on its way." in page
    assert "Was that the Tuesday?" in page
    assert await shed.state(claim) == "queried"
    page = await pages.get(f"{shed.base}/approvals")
    assert "A question was asked, and the answer isn't here yet." in page


async def test_hours_are_declined_with_a_reason_that_is_kept(api: Api, shed: Shed, pages: Pages) -> None:
    claim = await shed.claims(await person(api, "Ann"))
    await pages.get(f"{shed.base}/claims/{claim}")
    page = await pages.submit("Do not approve", text="Thank you! These stand on Monday's list already.")

    assert "These hours are not approved." in page
    assert "These stand on Monday's list already." in page
    assert await shed.state(claim) == "rejected"
    assert not {"Approve", "Do not approve"} & set(page.buttons)


async def test_what_another_decided_meanwhile_is_said(api: Api, shed: Shed, pages: Pages) -> None:
    claim = await shed.claims(await person(api, "Ann"))
    await pages.get(f"{shed.base}/claims/{claim}")
    await api.made(f"/v1/claims/{claim}/reject", {"text": "No."})
    page = await pages.submit("Do not approve", text="No.", status=409)
    assert "This claim is rejected." in page


async def test_two_people_approve_a_long_day(api: Api, shed: Shed, pages: Pages, entrance: Entrance) -> None:
    ann = await person(api, "Ann")
    claim = await shed.claims(ann, 420)
    page = await pages.get(f"{shed.base}/claims/{claim}")
    assert "After you, a second person looks. Then Ann gets 7 credits." in page
    page = await pages.submit("Approve")
    assert "Approved. Now a second person has a look." in page
    assert "You approved this. A second person has to look too." in page
    assert "Approve" not in page.buttons
    assert await api.balance(ann) == (0, 0)

    pages.sign_in(await entrance.approver(shed.project))
    page = await pages.get(f"{shed.base}/approvals")
    assert "One person approved this. A second one has to look too." in page
    await pages.click("Ann")
    page = await pages.submit("Approve")
    assert "They have their credits" in page
    assert await api.balance(ann) == (420, 0)


async def test_ones_own_hours_are_said_to_be_anothers_to_approve(
    api: Api, shed: Shed, pages: Pages, entrance: Entrance
) -> None:
    cleo = await person(api, "Cleo")
    pages.sign_in(await entrance.coordinator(shed.project, cleo))
    claim = await shed.claims(cleo)
    page = await pages.get(f"{shed.base}/approvals")
    assert "These are your own hours, so somebody else approves them." in page
    assert "Approve the ticked hours" not in page.buttons
    page = await pages.click("Cleo")
    assert not {"Approve", "Send the question", "Do not approve"} & set(page.buttons)
    await pages.post(f"{shed.base}/claims/{claim}/approve", {"key": "another-tab"}, status=403)
    assert await shed.state(claim) == "submitted"


async def test_a_childs_hours_wait_for_the_guardian(api: Api, shed: Shed, pages: Pages) -> None:
    kit = (await api.made("/v1/people", {"name": "Kit", "age_band": "8_to_15"}))["id"]
    claim = await shed.claims(kit)
    await pages.get(f"{shed.base}/claims/{claim}")
    page = await pages.submit("Approve")
    assert "The credits wait for a guardian, and are safe until then." in page
    assert "Do not approve" in page.buttons


async def test_anothers_project_is_not_there(api: Api, shed: Shed, pages: Pages, entrance: Entrance) -> None:
    claim = await shed.claims(await person(api, "Ann"))
    other = await api.project("The other one")
    pages.sign_in(await entrance.coordinator(other))
    for path in (f"{shed.base}/approvals", f"{shed.base}/claims", f"{shed.base}/claims/{claim}"):
        await pages.get(path, status=404)
    await pages.get(f"/projects/{other}/claims/{claim}", status=404)


# --- earlier ones, and putting them right ---------------------------------------------------------------------------


async def test_earlier_hours_are_listed_by_what_became_of_them(api: Api, shed: Shed, pages: Pages) -> None:
    people = {(await person(api, f"Person {number:02}")): 60 for number in range(27)}
    await api.give(shed.project, people)
    await api.made(f"/v1/claims/{await shed.claims(await person(api, 'Bob'))}/reject", {"text": "Sorry."})
    page = await pages.get(f"{shed.base}/claims")
    assert page.text.count("Person ") == 25
    assert (await pages.click("Older")).text.count("Person ") == 2
    page = await pages.submit("Show", state="rejected")
    assert page.text.count("Bob") == 1
    page = await pages.submit("Show", state="withdrawn")
    assert "There are none." in page


async def _correcting(pages: Pages, claim: str, base: str, hours: int, minutes: int = 0) -> Page:
    await pages.get(f"{base}/claims/{claim}")
    await pages.click("Put these hours right")
    return await pages.submit(
        "See what changes", minutes_hours=hours, minutes_minutes=minutes, reason="She left at noon."
    )


async def test_hours_are_put_right_after_it_was_seen_what_happens(api: Api, shed: Shed, pages: Pages) -> None:
    ann = await person(api, "Ann")
    claim = (await api.give(shed.project, {ann: 180}))["claims"][0]
    page = await _correcting(pages, claim, shed.base, 2)
    assert page.heading == "Is this right?"
    assert "Ann has 1 credit less to spend." in page
    assert await api.balance(ann) == (180, 0), "nothing has changed yet"

    page = await pages.submit("Change something")
    assert page.filled()["reason"] == ["She left at noon."]
    await pages.submit("See what changes", minutes_hours="1")
    page = await pages.submit("Put it right")
    assert "It is put right. They can read why on their page." in page
    assert page.rows("What was put right")[0][1:] == ["3 hours", "1 hour", "She left at noon."]
    assert await api.balance(ann) == (60, 0)


async def test_what_was_used_already_is_borne_by_the_scheme_and_looking_is_recorded(
    api: Api, shed: Shed, pages: Pages
) -> None:
    ann = await person(api, "Ann")
    claim = (await api.give(shed.project, {ann: 180}))["claims"][0]
    offer = await api.offer(venue := await api.venue(), 120)
    await api.made("/v1/redemptions", await api.visit(offer, ann), token=await api.till(venue))
    page = await _correcting(pages, claim, shed.base, 0)
    assert "Ann has 1 credit less to spend." in page
    assert "They have used 2 credits of it already." in page
    acts = (await api.get(f"/v1/people/{ann}/acts")).json()["acts"]
    assert [act["verb"] for act in acts].count("balance_read") == 1

    await pages.submit("Put it right")
    assert await api.balance(ann) == (0, 0)
    page = await _correcting(pages, claim, shed.base, 3)
    assert "Ann gets 1 credit more." in page
    assert "The scheme gets back 2 credits." in page


async def test_a_figure_that_cannot_be_is_said_at_the_field(api: Api, shed: Shed, pages: Pages) -> None:
    claim = (await api.give(shed.project, {await person(api, "Ann"): 180}))["claims"][0]
    await pages.get(f"{shed.base}/claims/{claim}/correction")
    page = await pages.submit("See what changes", minutes_minutes="7", reason="x", status=422)
    assert "in steps of 15" in page.alert
    page = await pages.submit("See what changes", minutes_minutes="0", reason="", status=422)
    assert "Why?" in page.alert


async def test_ones_own_hours_are_put_right_by_somebody_else(
    api: Api, shed: Shed, pages: Pages, entrance: Entrance
) -> None:
    cleo = await person(api, "Cleo")
    claim = (await api.give(shed.project, {cleo: 180}))["claims"][0]
    pages.sign_in(await entrance.coordinator(shed.project, cleo))
    page = await pages.get(f"{shed.base}/claims/{claim}")
    assert "ask somebody else here to put them right" in page
    page = await pages.get(f"{shed.base}/claims/{claim}/correction")
    assert "Somebody else here can put them right." in page
    assert "See what changes" not in page.buttons


async def test_hours_that_were_not_approved_cannot_be_put_right(api: Api, shed: Shed, pages: Pages) -> None:
    claim = await shed.claims(await person(api, "Ann"))
    page = await pages.get(f"{shed.base}/claims/{claim}/correction")
    assert "Only hours that were approved can be put right." in page


async def test_the_words_are_easy_to_read(api: Api, shed: Shed, pages: Pages) -> None:
    await shed.claims(await person(api, "Ann"))
    claim = await shed.claims(await person(api, "Bob"), 420)
    for path in ("approvals", "claims", f"claims/{claim}"):
        assert not (await pages.get(f"{shed.base}/{path}")).hard_to_read()
