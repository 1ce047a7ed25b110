"""The page of all parts: for whoever builds the pages, and in no live service."""

import re

import msgspec

from ledger.doors.web.pages import HERE
from tests.doors.house import Api, settings_for
from tests.doors.web.client import Pages


async def test_it_shows_every_part_and_its_forms_do_nothing(pages: Pages) -> None:
    page = await pages.get("/style")

    assert page.heading == "All parts"
    assert "This was sent already." in page.alert
    page = await pages.submit("Save the register")
    assert page.path == "/style"


async def test_the_live_service_has_no_such_page(dsn: str) -> None:
    settings = msgspec.structs.replace(settings_for(dsn), environment="live", public_url="https://localhost")
    async with Api.running(dsn, settings=settings) as api, Pages.of(api) as live:
        page = await live.get("/style", status=404)
        # It stands nowhere else: whoever tries the service on this machine isn't bound to https for a year.
        assert page.answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_no_part_is_missing_there() -> None:
    parts, style = ((HERE / "templates" / name).read_text("utf-8") for name in ("parts.html", "style.html"))
    # What a page never draws by itself: `form` writes these, and others of the parts the small drawings.
    of_others = {"errors", "hidden", "mark", "arrow", "sign"}
    assert set(re.findall(r"{% macro ([a-z]\w*)", parts)) - of_others == set(re.findall(r"parts\.(\w+)\(", style))


# What pages draw without a part, by template, and why no part does for it.
BY_HAND = {
    "audit/entry.html": ({"textarea"}, "a receipt to be copied: nobody types in it"),
    "booking/check.html": ({"form"}, "holds what was typed, hidden, until it is said to be right"),
    "claim/check.html": ({"form"}, "likewise"),
    "gift/check.html": ({"form"}, "likewise"),
    "project/correcting.html": ({"form"}, "likewise"),
    "project/register.html": ({"button"}, "stands outside of its form"),
    "public/demo.html": ({"form"}, "each button is a person"),
    "sign_in/again.html": ({"form"}, "holds what was sent, of whatever form"),
    "sign_in/passkeys.html": ({"form"}, "the browser's own passkeys take it over"),
    "till/fields.html": ({"fieldset"}, "four parts that are one question"),
    "staff/question.html": ({"button"}, "the second of a form, which leads elsewhere"),
}


def test_pages_are_made_of_parts_and_what_is_not_has_a_reason() -> None:
    drawn = {}
    for path in sorted((HERE / "templates").rglob("*.html")):
        name = path.relative_to(HERE / "templates").as_posix()
        visible = re.sub(r'<input type="hidden"', "", path.read_text("utf-8"))
        if found := set(re.findall(r"<(form|table|button|select|textarea|input|fieldset|dl)\b", visible)):
            drawn[name] = found
    frame = {"layout.html", "parts.html", "style.html"}
    assert {name: found for name, found in drawn.items() if name not in frame} == {
        name: found for name, (found, _why) in BY_HAND.items()
    }


def test_all_colours_are_tokens_of_the_one_style_sheet() -> None:
    (sheet,) = (HERE / "static").glob("*.css")
    colour = re.compile(r"#[0-9a-f]{3,8}\b(?! \.)|\b(?:rgb|hsl|oklch|color-mix)a?\(", re.IGNORECASE)
    lines = [line.strip() for line in sheet.read_text("utf-8").splitlines()]
    by_hand = [line for line in lines if not line.startswith("--") and colour.search(line)]
    # What a camera reads, and a till's yes or no on paper, have the same colours by day, by night and in print.
    assert [line.partition(" {")[0] for line in by_hand] == [".qr", ".verdict"]
