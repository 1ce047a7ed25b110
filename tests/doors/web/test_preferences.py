"""Preferences: one form; what was saved shows with the very next page."""

from typing import Any

import pytest

from tests.doors.house import Api
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> dict[str, Any]:
    """Somebody, who is signed in."""
    ann = await api.person("Ann Lee")
    pages.sign_in(await entrance.person(ann["id"]))
    return ann


async def preference(api: Api, ann: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/people/{ann['id']}/preferences")).json()
    return found


async def test_a_newcomer_finds_the_defaults(pages: Pages, ann: dict[str, Any]) -> None:
    page = await pages.get(f"/people/{ann['id']}/preferences")

    assert page.heading == "How you would like it"
    filled = page.filled(f"/people/{ann['id']}/preferences")
    assert {name: filled.get(name) for name in ("language", "named", "large_print", "milestones")} == {
        "language": ["en"],
        "named": ["yes"],
        "large_print": None,
        "milestones": None,
    }


async def test_large_print_and_language_show_at_once(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await pages.get(f"/people/{ann['id']}/preferences")
    page = await pages.submit("Save", language="Cymraeg", large_print=True)

    assert '<html lang="cy" class="large">' in page.answer.text
    assert pages.client.cookies["__Host-language"] == "cy"
    assert (await preference(api, ann))["language"] == "cy"


async def test_what_was_chosen_is_kept_and_can_be_taken_back(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await pages.get(f"/people/{ann['id']}/preferences")
    page = await pages.submit("Save", quiet=True, named=False, milestones=["10 hours", "50 hours"])
    kept = await preference(api, ann)
    assert "Saved." in page
    assert (kept["quiet"], kept["named"], kept["milestones"]) == (True, False, [10, 50])
    await pages.submit("Save", quiet=False, named=True, milestones=["50 hours"])
    kept = await preference(api, ann)

    assert (kept["quiet"], kept["named"], kept["milestones"]) == (False, True, [50])


async def test_a_break_begins_and_ends_with_a_tick_and_kind_words(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await pages.get(f"/people/{ann['id']}/preferences")
    page = await pages.submit("Save", paused=True)
    assert "Take all the time you need. Your credits stay yours." in page
    assert "You are taking a break." in await pages.get(f"/people/{ann['id']}")
    since = (await preference(api, ann))["paused_at"]
    await pages.get(f"/people/{ann['id']}/preferences")
    await pages.submit("Save", quiet=True)
    assert (await preference(api, ann))["paused_at"] == since, "another change doesn't begin it anew"
    page = await pages.submit("Save", paused=False)

    assert "Take all the time you need." not in page
    assert (await preference(api, ann))["paused_at"] is None


async def test_how_to_be_reached_is_chosen_and_the_address_stays(api: Api, pages: Pages, entrance: Entrance) -> None:
    dee = await api.made("/v1/people", {"name": "Dee", "contact": {"email": "dee@example.org", "channel": "email"}})
    pages.sign_in(await entrance.person(dee["id"]))
    path = f"/people/{dee['id']}/preferences"
    assert (await pages.get(path)).filled(path)["channel"] == ["email"]
    page = await pages.submit("Save", channel="No, I look at my own page")

    assert page.filled(path)["channel"] == ["in_person"]
    contact = (await api.get(f"/v1/people/{dee['id']}")).json()["contact"]
    assert (contact["email"], contact["channel"]) == ("dee@example.org", "in_person")


async def test_whoever_never_said_how_need_not_say_it_now(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await pages.get(f"/people/{ann['id']}/preferences")
    await pages.submit("Save", quiet=True)
    assert (await api.get(f"/v1/people/{ann['id']}")).json()["contact"] is None
    page = await pages.submit("Save", channel="Yes, by email")
    assert "by post" not in page, "nobody is promised what nothing does"

    assert (await api.get(f"/v1/people/{ann['id']}")).json()["contact"]["channel"] == "email"


async def test_who_told_a_desk_to_write_by_post_keeps_that(api: Api, pages: Pages, entrance: Entrance) -> None:
    dee = await api.made("/v1/people", {"name": "Dee", "contact": {"channel": "post"}})
    pages.sign_in(await entrance.person(dee["id"]))
    path = f"/people/{dee['id']}/preferences"
    await pages.get(path)
    page = await pages.submit("Save", quiet=True)

    assert page.filled(path)["channel"] == ["post"]
    assert "No, rather by post" in page


async def test_milestones_of_ones_own_stay_to_be_seen(api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    path = f"/v1/people/{ann['id']}/preferences"
    assert (await api.send("PATCH", path, {"milestones": [75]})).status_code == 200
    await pages.get(f"/people/{ann['id']}/preferences")
    await pages.submit("Save", milestones=["75 hours", "100 hours"])

    assert (await preference(api, ann))["milestones"] == [75, 100]


async def test_what_no_form_of_ours_sends_is_said_at_its_field(pages: Pages, ann: dict[str, Any]) -> None:
    path = f"/people/{ann['id']}/preferences"
    page = await pages.post(path, {"key": "one", "language": "xx", "milestones": "0", "named": "yes"}, status=422)

    assert "Your language" in page.alert
    assert "When would you like a certificate?" in page.alert


async def test_they_are_for_nobody_else_not_even_a_helper(
    api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    bob = await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance", "book", "claim"]})
    pages.sign_in(await entrance.person(bob["id"]))
    path = f"/people/{ann['id']}/preferences"
    await pages.get(path, status=404)
    await pages.post(path, {"key": "one", "language": "en"}, status=404)

    assert (await preference(api, ann))["named"] is True
