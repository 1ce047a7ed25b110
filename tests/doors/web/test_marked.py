"""Every page in a language in which each sentence is «marked»: whatever isn't, nobody could translate.

The catalogue of that language has all sentences of the sources, each between « and », but for what is filled in. What
of a page then stands outside of them is what people wrote (it stands in the database), a number, a day or a code; or
it is a sentence that was forgotten.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import pytest
from babel import Locale
from babel.messages.catalog import Catalog

from ledger.database import driver
from ledger.doors.web import pages as web
from tests.doors.web import words
from tests.doors.web.checks import Html, said
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.opening import read
from tests.doors.web.places import PLACES, SCENES, Place, Scene, address

# In development and in the demo only, and of examples and of made-up people.
ENGLISH: Final = ("/style", "/demo")
# By what time it is.
LEFT_OUT: Final = ("coordinator-register-checked",)
_PLACEHOLDER: Final = re.compile(r"(%\(\w+\)s|%%)")
_MARKED: Final = re.compile("«[^«»]*»")
_SPOKEN: Final = ("aria-label", "alt", "title", "placeholder", "data-none")
_WELSH: Final = Locale("cy", "GB")
_DATES: Final = [*_WELSH.days["format"]["wide"].values(), *_WELSH.months["format"]["wide"].values()]
# Codes, ids, addresses, times and days are nobody's to translate. Days are in Welsh, whose place this language takes.
_SAME: Final = re.compile(
    r"[0-9a-f-]{8,}|\S+@\S+|https?://\S+|(?<!\w)/[a-z/-]+|\b[A-Z0-9-]*[0-9][A-Z0-9-]*\b|\b\d+(:\d+)?(am|pm|yb|yh)\b"
    r"|\b(" + "|".join(_DATES) + r")\b|a\(c\)|\b[A-Z]{4,}(-[A-Z]+)*\b"
)
# What the county's settings and its offers' own words come to: names as well.
_NAMES: Final = ("Time Credits", "Gym induction", "English", "Cymraeg")
_CACHES: Final = (web._catalogue, web.translations, web._environment, web._sentences, web._is_translated)


def marked(sentence: str) -> str:
    """The sentence with « and » around what there is to translate of it."""
    parts = _PLACEHOLDER.split(sentence)
    return "".join(part if index % 2 or not part.strip() else f"«{part}»" for index, part in enumerate(parts))


def catalogue(path: Path) -> Path:
    """The catalogue of all sentences, marked, written there."""
    made = Catalog(locale="cy")
    for message in words.template():
        if not isinstance(message.id, str):
            one, many = map(marked, message.id)
            made.add(tuple(message.id), (many, one, *[many] * (made.num_plurals - 2)), locations=message.locations)
        elif message.id:
            made.add(message.id, marked(message.id), locations=message.locations)
    words.write(path, made)
    return path


@pytest.fixture(scope="module")
def _marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Welsh is that language."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(web.CATALOGUES, "cy", catalogue(tmp_path_factory.mktemp("words") / "messages.po"))
        for cache in _CACHES:
            cache.cache_clear()
        yield
    for cache in _CACHES:
        cache.cache_clear()


@pytest.fixture(scope="module")
async def own_words(seen_county: County) -> Sequence[str]:
    """What people wrote, longest first, and the first word of each, by which people are called."""
    await seen_county.token("anybody")  # now all who are signed in here are there
    async with seen_county.entrance.database.reading() as connection:
        raw = driver(connection)
        columns = await raw.fetch(_TEXTS)
        found = {row[0] for each in columns for row in await raw.fetch(_text(each["table"], each["column"]))}
    texts = {said(text) for text in found if text and not re.fullmatch(r"[a-z0-9_]+|\{.*", text)}
    parts = {*_NAMES, *(part for text in texts for part in (text, text.split(" ")[0]))}
    return sorted(parts, key=len, reverse=True)


@asynccontextmanager
async def marked_pages(county: County, who: str) -> AsyncIterator[Pages]:
    """Somebody's browser in that language."""
    async with Pages.of(county.api, url=county.url, language="cy") as pages:
        if token := await county.token(who):
            pages.sign_in(token)
        pages.client.cookies.set("language", "cy", domain="localhost.local", path="/")

        yield pages


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize("place", [each for each in PLACES if each.path not in ENGLISH], ids=lambda place: place.name)
async def test_all_that_a_place_shows_can_be_translated(
    seen_county: County, own_words: Sequence[str], place: Place
) -> None:
    async with marked_pages(seen_county, place.who) as pages:
        page = await pages.get(await address(place, seen_county.known, pages.links))
        if place.press:
            page = await pages.submit(marked(place.press), status=422)
    forgotten = "\n".join(unmarked(page.html, own_words))
    assert not forgotten, f"not translatable, or nobody's words:\n{forgotten}"


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize("scene", [each for each in SCENES if each.name not in LEFT_OUT], ids=lambda scene: scene.name)
async def test_all_that_a_scene_shows_can_be_translated(
    seen_county: County, own_words: Sequence[str], scene: Scene
) -> None:
    typed = [text.format_map(seen_county.known) for step in scene.steps for text in step.typed.values()]
    written = [*(text for text in typed if text != "*"), *own_words]
    async with marked_pages(seen_county, scene.who) as pages:
        # A button may be named by how it begins.
        page = await read(pages, scene, seen_county.known, lambda words: marked(words).removesuffix("»"))
    forgotten = "\n".join(unmarked(page.html, written))
    assert not forgotten, f"not translatable, or nobody's words:\n{forgotten}"


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize(
    ("sentence", "said_so"),
    [
        ("This offer is not open then.", "«This offer is not open then.»"),
        ("must be at least 15", "«must be at least »15"),
        ("must have at most 200 characters", "«must have at most »200« characters»"),
        ("There are 5 helpers already, which is the most: end one first.", None),
        ("This comes to 5 credits 30 minutes; for one visit 1 credit can be used.", None),
        ("2 hours 40 becomes 2 hours 45.", "2« hours» 40« minutes»« becomes »2« hours» 45« minutes»«.»"),
        (
            "The visit is 18:00 on Saturday 21 November 2026.",
            "«The visit is »18:00« on »Dydd Sadwrn 21 Tachwedd 2026«.»",
        ),
        (
            "This offer isn't open then. It opens at 19:00.",
            "«This offer isn't open then. It opens »«at »19:00«.»",
        ),
        (
            "They can't be checked in: they are marked as absent.",
            "«They can't be checked in: »«they are marked as absent»«.»",
        ),
        ("What nobody wrote.", "What nobody wrote."),
    ],
)
def test_a_finished_sentence_is_found_with_what_was_filled_in(sentence: str, said_so: str | None) -> None:
    found = web._sentences("cy").say(sentence)
    if said_so is None:
        assert not re.search("[A-Za-z]", _MARKED.sub("", found)), found
    else:
        assert found == said_so
    assert said(web._sentences("en").say(sentence)) == sentence


def unmarked(page: Html, own: Sequence[str]) -> Iterator[str]:
    """What of a page isn't marked, and isn't people's own."""
    for text in shown(page.root):
        rest = _SAME.sub("|", outside := _MARKED.sub("|", text))
        if re.search("[A-Za-z]", rest):
            # What is too long for a line is cut behind a word.
            outside = re.sub("([^|…]+)…", lambda cut: "|" if _begins_own(cut[1], own) else cut[0], outside)
            for each in own:
                if each in outside:
                    outside = re.sub(rf"(?<!\w){re.escape(each)}(?!\w)", "|", outside)
            rest = _SAME.sub("|", outside)
            if re.search("[A-Za-z]", rest):
                yield f"{rest.strip('| ')!r} of {text!r}"


def _begins_own(words_: str, own: Sequence[str]) -> bool:
    return any(each.startswith(words_.strip()) for each in own)


def shown(element: Element) -> Iterator[str]:
    """All that is seen or read out of it."""
    if callable(element.tag) or element.tag in {"script", "style", "code", "pre", "textarea"}:
        return
    if "lang" in element.attrib and element.tag != "html":
        return
    yield from (element.attrib[name] for name in _SPOKEN if element.attrib.get(name))
    for text in (element.text, *(child.tail for child in element)):
        if text and said(text):
            yield said(text)
    for child in element:
        yield from shown(child)


def _text(table: str, column: str) -> str:
    return f'SELECT DISTINCT "{column}" FROM scheme."{table}"'


_TEXTS: Final = """
SELECT table_name AS table, column_name AS column
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'scheme' AND data_type = 'text' AND table_type = 'BASE TABLE'
"""
