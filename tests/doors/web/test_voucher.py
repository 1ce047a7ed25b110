"""A slip's or a voucher's code is typed in on a page, and the credits are there; what can't be used is said kindly."""

from typing import Any
from uuid import uuid4

import pytest

from ledger.scheme.codes import code_for
from tests.doors.house import Api, register
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


async def slip(api: Api, project: str, minutes: int = 75, **more: Any) -> str:  # noqa: ANN401  # of a register
    """The code of the slip that a register prints for somebody without an account."""
    body = {**register({}, **more), "lines": [{"voucher": "Sam, in the blue jumper", "minutes": minutes}]}
    recorded = await api.made(f"/v1/projects/{project}/registers", body)
    return str(recorded["vouchers"][0]["code"])


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> str:
    """Signed in."""
    ann = str((await api.person("Ann Lee"))["id"])
    pages.sign_in(await entrance.person(ann))
    return ann


async def test_a_slip_is_typed_in_from_home_and_counts_once(api: Api, pages: Pages, ann: str) -> None:
    code = await slip(api, await api.project())
    await pages.get(f"/people/{ann}")
    page = await pages.click("A slip or voucher")
    assert not page.hard_to_read()
    page = await pages.submit("Add the credits", status=422)
    assert "The code on it is needed" in page.alert
    page = await pages.submit("Add the credits", code=code.lower().replace("-", " "))
    assert "The credits are added" in page
    assert await api.balance(ann) == (75, 0)
    home = await pages.click("See what you have")
    assert "You helped at Saturdays, by your slip" in home

    await pages.get("/voucher")
    assert (pages.page and pages.page.heading) == "A slip or voucher", "the address on the paper leads here"
    page = await pages.submit("Add the credits", code=code, status=409)
    assert "This one was used before, and each works once." in page.alert
    assert await api.balance(ann) == (75, 0)


async def test_a_code_that_is_none_is_told_kindly_and_many_are_not_heard(api: Api, pages: Pages, ann: str) -> None:
    good = await slip(api, await api.project())
    await pages.get(f"/people/{ann}/vouchers")
    page = await pages.submit("Add the credits", code=good[:-1] + ("2" if good[-1] == "3" else "3"), status=422)
    assert "mistyped" in page.alert, "which costs no try"
    for _ in range(10):
        page = await pages.submit("Add the credits", code=code_for(b"another scheme", "voucher", uuid4()), status=409)
        assert "We don't know this code." in page.alert
    page = await pages.submit("Add the credits", code=good, status=429)
    assert "Please wait an hour, or ask at any desk." in page.alert
    assert await api.balance(ann) == (0, 0)


async def test_hours_that_somebody_looks_at_first_wait_and_the_slip_stays_good(
    api: Api, pages: Pages, ann: str
) -> None:
    project = await api.project()
    await api.give(project, {ann: 60})
    code = await slip(api, project)
    await pages.get(f"/people/{ann}/vouchers")
    page = await pages.submit("Add the credits", code=code, status=403)
    assert "The project has a look at these hours first." in page.alert


@pytest.mark.parametrize("may", ["claim", "book", "balance"])
async def test_a_helper_adds_one_if_they_may_tell_hours(
    api: Api, pages: Pages, ann: str, entrance: Entrance, may: str
) -> None:
    bob = str((await api.person("Bob Ray"))["id"])
    await api.made(f"/v1/people/{ann}/helpers", {"helper": bob, "may": [may]})
    pages.sign_in(await entrance.person(bob))
    if may != "claim":
        await pages.get(f"/people/{ann}/vouchers", status=404)
        await pages.post(
            f"/people/{ann}/vouchers", {"key": "a", "code": await slip(api, await api.project())}, status=404
        )
        return
    await pages.get(f"/people/{bob}/helpers")
    page = await pages.click("Add a slip or voucher of theirs")
    assert "For Ann Lee" in page
    page = await pages.submit("Add the credits", code=await slip(api, await api.project()))
    assert "The credits are added" in page
    assert (await api.balance(ann), await api.balance(bob)) == ((75, 0), (0, 0))
