"""The catalogues: everything that people read can be translated, and what is translated can be shown."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Message

from ledger.doors.web.pages import LOCALES, SAID, Said, _sentences, say, translations
from ledger.scheme.refusals import TABLE
from tests.doors.web import words
from tests.doors.web.checks import READING_AGE, hard_to_read, reading_age
from tests.doors.web.client import Pages

PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
FEW: Final = 60  # words of a file, of which many stand in no sentence
# Words of a message that is read by itself.
ENOUGH: Final = 10
ENOUGH_TO_VISITORS: Final = 8
LETTERS: Final = frozenset(f"scheme/{module}.py" for module in ("keyholder_news", "one_time", "recoveries", "tidings"))


def strings(message: Message) -> Sequence[str]:
    """What a message is translated to; nothing if it isn't."""
    found = message.string
    return [each for each in (found if isinstance(found, list | tuple) else [found]) if each]


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def translated(language: str) -> list[Message]:
    return [message for message in words.read(words.source(language), language) if message.id and strings(message)]


def test_the_catalogues_have_every_sentence_of_the_sources() -> None:
    found, stored = words.ids(words.template()), words.ids(words.read(words.TEMPLATE))
    assert sorted(map(str, found - stored)) == [], "run scripts/words"
    assert sorted(map(str, stored - found)) == [], "run scripts/words"
    for language in words.LANGUAGES:
        assert words.ids(words.read(words.source(language), language)) == stored, "run scripts/words"


def test_the_sources_are_read_whole() -> None:
    found = words.ids(words.template())
    assert {
        "Skip to the main part",  # a template
        "(optional)",  # a macro
        "Sign in",  # a place
        "That can't be done as it stands",  # what is marked by another name
        "This certificate is for",  # paper
        "Your link to sign in",  # a letter
        ("%(number)s credit", "%(number)s credits"),  # a filter
        "You helped at %(project)s",
    } <= found
    for row in TABLE.values():
        assert {f"{row.staff}.", row.visitor} <= found


def refusing(path: Path) -> Iterator[tuple[int, str]]:
    """What a module says of what it refuses, with the line: all that stands there as words."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for expression in said_of(node):
            yield from ((expression.lineno, text) for text in told(tree, expression) if " " in text)


def said_of(node: ast.AST) -> list[ast.expr]:
    """What a refusal, or a fault of a form, is told by."""
    match node:
        case ast.Call(func=ast.Name(id="Declined" | "wrong") | ast.Attribute(attr="fault"), args=[_, *said]):
            pass
        case ast.Call(func=ast.Attribute(attr="refuse"), args=[first, *_]):
            said = [first]
        case ast.Call(func=ast.Name(id="No")):
            said = []
        case _:
            return []
    return [*said, *(each.value for each in node.keywords if each.arg in {"detail", "fields"})]


def told(tree: ast.Module, expression: ast.expr) -> Iterator[str]:
    """The words of an expression: its own, or of what is assigned to its name in that module."""
    match expression:
        case ast.Name(id=name):
            for node in ast.walk(tree):
                match node:
                    case (
                        ast.Assign(targets=[ast.Name(id=assigned)], value=value)
                        | ast.AnnAssign(target=ast.Name(id=assigned), value=ast.expr() as value)
                    ) if assigned == name:
                        yield from told(tree, value)
        case ast.Tuple(elts=[ast.Constant(), says]):  # a field, and what is wrong with it
            yield from told(tree, says)
        case ast.Tuple(elts=several) | ast.List(elts=several):
            for each in several:
                yield from told(tree, each)
        case _:
            yield from words.sentences(expression)


def test_whatever_is_refused_can_be_said_in_another_language() -> None:
    known = words.ids(words.template())
    places = [path for part in ("scheme", "doors/web") for path in sorted((words.PACKAGE / part).rglob("*.py"))]
    found = [(f"{path.relative_to(words.PACKAGE)}:{line}", text) for path in places for line, text in refusing(path)]
    assert len(found) > 200  # else nothing was looked at
    assert [each for each in found if each[1] not in known] == []


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_translation_stands_for_all_that_its_sentence_stands_for(language: str) -> None:
    wrong = []
    for message in translated(language):
        singular = message.id if isinstance(message.id, str) else message.id[0]
        expected = placeholders(message.id if isinstance(message.id, str) else message.id[-1])
        # "One credit" may leave out the number that it is.
        allowed = [expected] if isinstance(message.id, str) else [expected, placeholders(singular)]
        wrong += [(message.id, each) for each in strings(message) if placeholders(each) not in allowed]
    assert wrong == []


# What stands for a number, and after it a word that there is another form of for one.
COUNTED: Final = re.compile(
    r"%\((num|number|count|amount|taken|places|used|limit|left)\)s"
    r" (are|were|come|wait|go|have|people|children|(?!is\b|was\b|has\b)\w+(?<!s)s)\b|[Tt]here are %\(amount\)s"
)


def test_whatever_is_counted_has_a_form_for_one() -> None:
    one_form = [
        message
        for message in words.template()
        if isinstance(message.id, str)
        and COUNTED.search(message.id)
        and any(place.startswith("doors/web/") for place, _ in message.locations)
    ]
    assert [(message.id, message.locations) for message in one_form] == []
    assert COUNTED.search("%(amount)s come back") and COUNTED.search("%(num)s visits")  # noqa: PT018
    assert not COUNTED.search("%(num)s is")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_translation_has_every_form_and_is_sure_of_it(language: str) -> None:
    catalog = words.read(words.source(language), language)
    assert [message.id for message in catalog if message.id and message.fuzzy] == []
    plurals = [message for message in translated(language) if message.pluralizable]
    assert [message.id for message in plurals if len(strings(message)) != catalog.num_plurals] == []


def test_welsh_counts_in_six_ways() -> None:
    catalog = words.read(words.source("cy"), "cy")
    assert catalog.num_plurals == 6
    plurals = [message for message in translated("cy") if message.pluralizable]
    assert len(plurals) >= 3
    assert {len(strings(message)) for message in plurals} == {6}
    cy = Said(translations("cy"), catalog.locale)
    assert [cy.credits(60 * number) for number in (0, 1, 2, 3, 4, 6, 7, 40)] == [
        "0\u00a0credyd",
        "1\u00a0credyd",
        "2\u00a0gredyd",
        "3\u00a0chredyd",
        "4\u00a0credyd",
        "6\u00a0chredyd",
        "7\u00a0credyd",
        "40\u00a0credyd",
    ]
    said_so = [cy.credits(minutes) for minutes in (45, 62, 165)]
    assert said_so == ["45\u00a0munud", "1\u00a0credyd 2\u00a0funud", "2\u00a0gredyd 45\u00a0munud"]


def test_a_line_never_ends_between_a_number_and_its_unit() -> None:
    en = Said(translations("en"), LOCALES["en"])
    assert [en.credits(minutes) for minutes in (60, -165)] == ["1\u00a0credit", "\u22122\u00a0credits 45\u00a0minutes"]
    assert [en.duration(minutes) for minutes in (45, 165)] == ["45\u00a0minutes", "2\u00a0hours 45\u00a0minutes"]
    assert en.days(14) == "14\u00a0days"
    # Sentences that the scheme made, with plain spaces: programs read them too.
    finished = _sentences("en").say("This comes to 5 credits 30 minutes; for one visit 1 credit can be used.")
    assert finished == "This comes to 5\u00a0credits 30\u00a0minutes; for one visit 1\u00a0credit can be used."
    assert _sentences("en").say("Room 5 houses 3 minutes") == "Room 5 houses 3\u00a0minutes"


def test_every_sentence_there_is_can_be_read_at_eleven() -> None:
    """Letters, refusals, flashes and rules as well as pages: each by itself, if it says enough, and file by file."""
    said: dict[str, list[str]] = {}
    for message in words.template():
        for where, _ in message.locations:
            said.setdefault(where, []).extend([message.id] if isinstance(message.id, str) else message.id)
    to_visitors = {*SAID.values(), *(row.visitor for row in TABLE.values())}
    faults = []
    for where, sentences in sorted(said.items()):
        whole = "\n".join(sentences)
        faults += [f"{where}: {each}" for each in hard_to_read(whole)]
        wholes = [whole] if len(whole.split()) >= FEW else []
        enough = {each: ENOUGH_TO_VISITORS if each in to_visitors or where in LETTERS else ENOUGH for each in sentences}
        for read in (*wholes, *(each for each, least in enough.items() if len(each.split()) >= least)):
            if (age := reading_age(read)) > READING_AGE:
                faults.append(f"{where}, from {age:.1f} years on: {read[:200]}")
    assert {*said} >= LETTERS
    assert not faults, "\n" + "\n".join(faults)


def test_what_is_not_translated_yet_is_english() -> None:
    assert say("cy", "A sentence that is in no catalogue.") == "A sentence that is in no catalogue."
    assert (say("cy", "Sign in"), say("en", "Sign in")) == ("Mewngofnodi", "Sign in")


async def test_a_page_in_welsh_says_so_and_is(pages: Pages) -> None:
    page = await pages.get("/")
    assert '<html lang="en">' in page.answer.text
    page = await pages.submit("Cymraeg")

    assert '<html lang="cy">' in page.answer.text
    assert page.links["Mewngofnodi"] == "/sign-in"
    assert {"Hafan", "Hygyrchedd", "Preifatrwydd"} <= set(page.links)
    partly = "Mae rhai geiriau ar y tudalennau hyn yn Saesneg yn unig o hyd."
    assert partly in page.answer.text
    assert "in English only so far" not in (await pages.submit("English")).answer.text
    await pages.submit("Cymraeg")
    assert '<html lang="cy">' in (await pages.get("/nothing", status=404)).answer.text


async def test_a_browser_that_asks_for_welsh_is_given_it(pages: Pages) -> None:
    async with Pages.of(pages._app, language="cy-GB,en;q=0.5") as welsh:
        assert "Mewngofnodi" in (await welsh.get("/")).links
