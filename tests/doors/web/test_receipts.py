"""Receipts: for whose line it is, to be kept, and to be checked by anybody."""

from typing import Any
from uuid import UUID

import pytest

from ledger.journal.checkpoint import Verifier
from ledger.journal.receipt import Receipt
from tests.doors.house import Api, sign
from tests.doors.web.client import Pages
from tests.doors.web.entrance import Entrance


@pytest.fixture
async def ann(api: Api, pages: Pages, entrance: Entrance) -> dict[str, Any]:
    """Somebody with 165 minutes, who is signed in."""
    ann = await api.person("Ann Lee")
    await api.give(await api.project(), {ann["id"]: 165})
    pages.sign_in(await entrance.person(ann["id"]))
    return ann


async def receipt_of(pages: Pages, ann: dict[str, Any]) -> str:
    """The file of her newest line."""
    await pages.get(f"/people/{ann['id']}/statement")
    page = await pages.click("You helped at Saturdays")
    file = await pages.file(page.link("Keep the receipt file"))
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    return file.text


async def test_each_line_leads_to_its_receipt_in_plain_facts(dsn: str, pages: Pages, ann: dict[str, Any]) -> None:
    await sign(dsn)
    await pages.get(f"/people/{ann['id']}")
    page = await pages.click("You helped at Saturdays")

    assert page.heading == "A receipt"
    assert "You helped at Saturdays" in page
    assert page.terms()["Credits"] == "+2 credits 45 minutes"
    assert page.terms()["You had then"] == "2 credits 45 minutes"


async def test_the_file_proves_the_line_to_a_stranger(dsn: str, api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await sign(dsn)
    text = await receipt_of(pages, ann)

    verifier = Verifier.parse((await api.client.get("/log/key")).text.strip())
    assert Receipt.parse(text).verify(verifier).size >= 1


async def test_anybody_checks_a_receipt_by_pasting_it(dsn: str, api: Api, pages: Pages, ann: dict[str, Any]) -> None:
    await sign(dsn)
    text = await receipt_of(pages, ann)
    async with Pages.of(api) as stranger:
        await stranger.get("/verify")
        page = await stranger.submit("Check it", receipt=f"\n  {text.strip()}  \n\n")

        assert "This receipt is true" in page
        assert page.terms()["Credits"] == "2 credits 45 minutes"
        assert "Ann" not in page
        assert "Repair cafe" not in page


async def test_one_button_checks_ones_own(dsn: str, pages: Pages, ann: dict[str, Any]) -> None:
    await sign(dsn)
    await receipt_of(pages, ann)

    assert "This receipt is true" in await pages.submit("Check it now")


@pytest.mark.parametrize("part", ["extra", "index", "signature", "path"])
async def test_a_receipt_that_was_changed_is_not_true(
    dsn: str, api: Api, pages: Pages, ann: dict[str, Any], part: str
) -> None:
    await api.give(await api.project("Garden"), {ann["id"]: 15}, days_ago=3)
    await sign(dsn)
    lines = (await receipt_of(pages, ann)).split("\n")
    at = {"extra": 1, "index": 2, "path": 3, "signature": -2}[part]
    line = lines[at]
    if part == "index":
        lines[at] = "index 1" if line == "index 0" else "index 0"
    else:  # another letter of the base64
        lines[at] = line[:-8] + {"A": "B"}.get(line[-8], "A") + line[-7:]
    await pages.get("/verify")
    page = await pages.submit("Check it", receipt="\n".join(lines))

    assert "This receipt is not true" in page
    assert "This receipt is true" not in page


@pytest.mark.parametrize("text", ["", "hello", "c2sp.org/tlog-proof@v1\nextra AAAA", "<script>alert(1)</script>"])
async def test_what_is_no_receipt_is_asked_for_again(pages: Pages, text: str) -> None:
    await pages.get("/verify")
    page = await pages.submit("Check it", receipt=text, status=422)

    assert ("This is not a whole receipt." if text else "is needed") in page.alert


async def test_a_line_of_this_moment_has_its_receipt_soon(pages: Pages, ann: dict[str, Any]) -> None:
    await pages.get(f"/people/{ann['id']}/statement")
    page = await pages.click("You helped at Saturdays")

    assert "This line was written a moment ago." in page
    await pages.click("Look again")


async def test_a_receipt_is_for_its_person_alone(
    dsn: str, api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    await sign(dsn)
    bob = await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance"]})
    await pages.get(f"/people/{ann['id']}/statement")
    page = await pages.click("You helped at Saturdays")
    entry = page.path.rpartition("/")[2]
    pages.sign_in(await entrance.person(bob["id"]))
    await pages.get(f"/people/{ann['id']}/receipts/{entry}", status=404)
    await pages.file(f"/people/{ann['id']}/receipts/{entry}/file", status=404)
    await pages.get(f"/people/{bob['id']}/receipts/{entry}", status=404)
    assert "You helped at Saturdays" not in (await pages.get(f"/people/{ann['id']}/statement")).links

    by_key = {
        name: (await api.get(f"/v1/entries/{entry}/receipt", await api.key("person", person=who["id"]))).status_code
        for name, who in (("ann", ann), ("bob", bob))
    }
    assert by_key == {"ann": 200, "bob": 404}


async def test_a_gifts_receipt_is_the_givers_alone_for_it_tells_what_they_gave(
    dsn: str, api: Api, pages: Pages, entrance: Entrance, ann: dict[str, Any]
) -> None:
    bob = await api.person("Bob")
    for who in (ann, bob):
        answer = await api.send("PATCH", f"/v1/people/{who['id']}", {"age_band": "18_and_over"})
        assert answer.status_code == 200
    hers, his = [await api.key("person", person=who["id"]) for who in (ann, bob)]
    gift = await api.made(f"/v1/people/{ann['id']}/gifts", {"receiver": bob["id"], "minutes": 60}, token=hers)
    await api.made(f"/v1/gifts/{gift['id']}/accept", token=his)
    await sign(dsn)
    await pages.get(f"/people/{ann['id']}/statement")
    page = await pages.click("Your gift to Bob")
    given = Receipt.parse((await pages.file(page.link("Keep the receipt file"))).text).leaf
    assert UUID(ann["holder"]).hex.encode() in given
    assert UUID(bob["holder"]).hex.encode() not in given

    pages.sign_in(await entrance.person(bob["id"]))
    await pages.get(f"/people/{bob['id']}/statement")
    page = await pages.click("A gift from Ann")
    entry = page.path.rpartition("/")[2]
    assert "So our staff keep it." in page
    assert "Keep the receipt file" not in page.links
    await pages.file(f"/people/{bob['id']}/receipts/{entry}/file", status=404)
    assert (await api.get(f"/v1/entries/{entry}/receipt", his)).status_code == 404
    assert UUID(ann["holder"]).hex.encode() in Receipt.parse((await api.get(f"/v1/entries/{entry}/receipt")).text).leaf
