"""What somebody prints for themselves: certificates at milestones that they chose, and a slip with what they have."""

from typing import Any

import pytest

from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance
from tests.doors.web.printed import smallest_in, words_of


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> dict[str, Any]:
    """Somebody who gave 11 hours on two days, and is signed in."""
    ann, project = await api.person("Ann Lee"), await api.project()
    await api.give(project, {ann["id"]: 300}, days_ago=9)
    await api.give(project, {ann["id"]: 360}, days_ago=4)
    pages.sign_in(await entrance.person(ann["id"]))
    return ann


LARGE_PRINT = 14.8
"""How high a letter's box is, in points, of the 16 that who reads large print needs."""


async def chosen(api: Api, ann: dict[str, Any], *milestones: int) -> None:
    answer = await api.send("PATCH", f"/v1/people/{ann['id']}/preferences", {"milestones": milestones})
    assert answer.status_code == 200, answer.text


async def test_whoever_chose_none_is_asked_for_nothing(pages: Pages, ann: dict[str, Any]) -> None:
    page = await pages.get(f"/people/{ann['id']}/certificates")

    assert "You have given 11 hours so far. Thank you." in page
    assert "You chose none." in page


async def test_a_milestone_that_was_reached_has_a_certificate_and_the_others_are_to_come(
    api: Api, pages: Pages, ann: dict[str, Any]
) -> None:
    await chosen(api, ann, 5, 10, 50)
    page = await pages.get(f"/people/{ann['id']}/certificates")

    links = [href.rpartition("/")[2] for href in page.links.values() if "/certificates/" in href]
    assert sorted(links) == ["10", "5"]
    assert "The one for 50 hours Still to come" in page
    file = await pages.file(f"/people/{ann['id']}/certificates/10")
    assert file.headers["content-type"] == "application/pdf"
    said = words_of(file.content)
    assert "Ann Lee" in said
    assert "10 hours" in said
    assert "Repair cafe" not in said
    for hours in (50, 11, 0):
        await pages.file(f"/people/{ann['id']}/certificates/{hours}", status=404)


async def test_what_is_put_right_counts_as_it_stands(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await chosen(api, ann, 10)
    claims = (await api.get(f"/v1/people/{ann['id']}/claims")).json()["claims"]
    newest = next(each["id"] for each in claims if each["minutes"] == 360)
    await api.made(f"/v1/claims/{newest}/corrections", {"minutes": 60, "reason": "We closed early."})
    page = await pages.get(f"/people/{ann['id']}/certificates")

    assert "You have given 6 hours so far." in page
    assert "Still to come" in page


async def test_a_slip_is_printed_with_what_they_have(pages: Pages, ann: dict[str, Any]) -> None:
    page = await pages.get(f"/people/{ann['id']}/certificates")
    file = await pages.file(page.link("Print the slip"))

    said = words_of(file.content)
    assert "11 credits" in said
    assert "You helped at Saturdays" in said
    assert "Repair cafe" not in said


async def test_whoever_reads_large_print_gets_it_on_paper_at_every_desk(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    await chosen(api, ann, 10)
    project = (await api.get(f"/v1/people/{ann['id']}/claims")).json()["claims"][0]["project"]
    desks = {
        f"/people/{ann['id']}/slip": await entrance.person(ann["id"]),
        f"/people/{ann['id']}/certificates/10": await entrance.person(ann["id"]),
        f"/projects/{project}/people/{ann['id']}/slip": await entrance.coordinator(project),
        f"/staff/people/{ann['id']}/slip": await entrance.staff(),
    }
    for large in (False, True):
        await api.send("PATCH", f"/v1/people/{ann['id']}/preferences", {"large_print": large})
        for path, token in desks.items():
            pages.sign_in(token)
            size = smallest_in((await pages.file(path)).content)
            assert (size >= LARGE_PRINT) is large, f"{path}: {size} points"


async def test_they_are_for_their_person_alone(api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]) -> None:
    await chosen(api, ann, 5)
    bob = await api.person("Bob")
    pages.sign_in(await entrance.person(bob["id"]))
    await pages.get(f"/people/{ann['id']}/certificates", status=404)
    for path in ("certificates/5", "slip"):
        await pages.file(f"/people/{ann['id']}/{path}", status=404)
