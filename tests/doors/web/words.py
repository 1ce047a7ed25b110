"""The catalogues of the pages' words: what there is to translate, read out of the sources, and what is translated.

    templates, the Python of the pages, letters, refusals, rules  ->  messages.pot  ->  each language's messages.po

What a page says is marked where it stands. What the scheme says is not: it speaks English, to programs as well, and
whatever reads as a sentence there (`_reads_as_a_sentence`) is one that a page may have to say in another language
(`ledger.doors.web.sentences`). What it fills in becomes a placeholder: f"must be {most} at most" is "must be %(most)s
at most", and of two words to choose from each makes a sentence of its own.

`scripts/words` writes both; `test_words` fails where a sentence isn't in them. A catalogue changes only where words do:
sorted, without line numbers, and with the date of the last change of words. Translations of sentences that are gone
are left out; nothing is guessed from a sentence that is alike.
"""

import ast
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2 import TemplateSyntaxError

from ledger.doors import web
from ledger.scheme import rules
from ledger.scheme.refusals import TABLE

WEB: Final = Path(web.__file__).parent
PACKAGE: Final = WEB.parent.parent
TEMPLATE: Final = WEB / "locale" / "messages.pot"
LANGUAGES: Final = ("cy",)
# What marks or looks up a sentence: in Python by these names, in templates `_` and `ngettext`.
KEYWORDS: Final[Mapping[str, tuple[int, ...] | None]] = {
    "_": None,
    "marked": None,
    "N_": None,
    "gettext": None,
    "_gettext": None,  # of `ledger.doors.web.sentences`
    "said": None,  # what `pages.gettext(request)` gave
    "ngettext": (1, 2),
}
# Modules whose sentences people read: the pages', and the scheme's where it writes letters.
PYTHON: Final = (WEB, PACKAGE / "scheme")
# Where it is said what can't be done, and why: in the scheme, and of what was typed.
SAYING: Final = (PACKAGE / "scheme", PACKAGE / "doors" / "fields.py", WEB)
# Nobody reads these in a page: people's own words, in the demo, and what a document of the API says of a field.
_NOT_SAID: Final = ("demo", "copies")
# A fault is a sentence without its subject, which is the field's name.
_FAULT: Final = re.compile(r"(must|is|has|can't|can|holds|differs|stands|was|needs|they|their|nobody)\b")
_WHOLE: Final = re.compile(r"([A-Z]|%\(\w+\)s ).*([.?!]|: %\(\w+\)s)", re.DOTALL)
_PLACEHOLDERS: Final = "# A name in %(...)s or {...} stands for something, and has to stand in a translation as it is."
# How a language counts, where it isn't as Babel has it: Welsh says 2, 3 and 6 in ways of their own, and none too.
PLURALS: Final[Mapping[str, str]] = {
    "cy": "nplurals=6; plural=(n==0) ? 0 : (n==1) ? 1 : (n==2) ? 2 : (n==3) ? 3 : (n==6) ? 4 : 5;"
}

Message = str | tuple[str, ...]


def extracted() -> Iterator[tuple[Message, str]]:
    """Every sentence, singular with plural where it has one, and the file where it stands."""
    for folder in PYTHON:
        for path in sorted(folder.rglob("*.py")):
            yield from _of(path, "python", {"encoding": "utf-8"})
            yield from ((sentence, str(path.relative_to(PACKAGE))) for sentence in _looked_up(path))
    for place in SAYING:
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            where = str(path.relative_to(PACKAGE))
            if not any(name in path.parts for name in _NOT_SAID):
                yield from ((sentence, where) for sentence in _said(ast.parse(path.read_text())))
    for path in sorted((WEB / "templates").rglob("*.html")):
        yield from _of(path, "jinja2", {"extensions": "jinja2.ext.do", "silent": "false", "encoding": "utf-8"})
    for row in TABLE.values():
        # As they are shown: the staff's has a full stop put behind it.
        yield f"{row.staff}.", "scheme/refusals.py"
        yield row.visitor, "scheme/refusals.py"
    for setting in rules.table():
        yield setting.meaning, "scheme/rules.py"


def _of(path: Path, method: str, options: Mapping[str, str]) -> Iterator[tuple[Message, str]]:
    where = str(path.relative_to(PACKAGE))
    with path.open("rb") as file:
        try:
            found = list(extract(method, file, keywords=KEYWORDS, options=options))
        except TemplateSyntaxError as error:
            raise SyntaxError(f"{path}, line {error.lineno}: {error.message}") from None
    for _line, message, _comments, _context in found:
        if message and all(message if isinstance(message, tuple) else (message,)):
            yield message, where


def _looked_up(path: Path) -> Iterator[str]:
    """What Babel doesn't find: the sentences of `gettext(request)("...")`, a call of what a call gave."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Call(func=ast.Name(id="gettext")), args=[ast.Constant(value=str(sentence)), *_]):
                yield sentence


def _said(node: ast.AST) -> Iterator[str]:
    """The sentences in a piece of Python, but for its docstrings and what only programmers are told."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield from filter(_reads_as_a_sentence, sentences(node))
        return
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Assert() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name.endswith("Error"):
                pass
            case ast.keyword(arg="description"):
                pass
            case _:
                yield from _said(child)


def sentences(node: ast.expr) -> list[str]:
    """A string of the sources as what a translator reads: one for each choice of words that it makes itself."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            return [_numbered("".join(each)) for each in product(*map(_choices, values))]
        case ast.IfExp(body=body, orelse=orelse):
            return [*sentences(body), *sentences(orelse)]
        case _:
            return []


def _choices(part: ast.expr) -> list[str]:
    """What can stand in a place of an f-string."""
    match part:
        case ast.Constant(value=str(text)):
            return [text.replace("%", "%%")]
        case ast.JoinedStr():
            return sentences(part)
        case ast.FormattedValue(value=ast.IfExp(body=body, orelse=orelse)):
            return [*_choices(body), *_choices(orelse)]
        case ast.FormattedValue(value=expression):
            return [f"%({_name(expression)})s"]
        case _:
            return [f"%({_name(part)})s"]


def _numbered(sentence: str) -> str:
    """The same with a name for each that it fills in: the second `value` is `value_2`."""
    names = Counter[str]()

    def named(found: re.Match[str]) -> str:
        names[found[1]] += 1
        return f"%({found[1]}_{names[found[1]]})s" if names[found[1]] > 1 else found[0]

    return re.sub(r"%\((\w+)\)s", named, sentence)


def _name(expression: ast.expr) -> str:
    """What a translator calls that which is filled in."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr="value" | "days", value=ast.Name(id=name)):
            return name.strip("_").lower()
        case ast.Attribute(attr=name):
            return name
        case ast.Call(args=[first, *_]) | ast.Subscript(slice=first):
            return _name(first)
        case ast.Constant(value=str(name)):
            return name
        case _:
            return "value"


def _reads_as_a_sentence(text: str) -> bool:
    return " " in text.strip() and bool(_WHOLE.fullmatch(text) or _FAULT.match(text)) and "\n" not in text


@cache
def template() -> Catalog:
    """The catalogue of all there is to translate: read once, for it takes a second."""
    catalog = Catalog(project="Time Credits", charset="utf-8", header_comment=_PLACEHOLDERS, fuzzy=False)
    for message, where in sorted(extracted(), key=lambda each: (each[1], str(each[0]))):
        catalog.add(message, locations=[(where, 0)])
    return catalog


def source(language: str) -> Path:
    """Where a language's catalogue is."""
    return WEB / "locale" / language / "LC_MESSAGES" / "messages.po"


def read(path: Path, language: str | None = None) -> Catalog:
    """A catalogue as it is stored; an empty one if there is none yet."""
    if path.is_file():
        with path.open("rb") as file:
            return read_po(file, locale=language)
    empty = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    if language is not None:
        empty += f'"Plural-Forms: {PLURALS[language]}\\n"\n'
    return read_po(io.BytesIO(empty.encode()), locale=language)


def ids(catalog: Catalog) -> set[Message]:
    """Its sentences."""
    return {_message(message.id) for message in catalog if message.id}


def _message(id_: object) -> Message:
    return id_ if isinstance(id_, str) else tuple(id_)  # type: ignore[arg-type]  # lists or tuples


def write(path: Path, catalog: Catalog) -> None:
    """Store a catalogue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=120, include_lineno=False, sort_by_file=True, ignore_obsolete=True)


def update() -> Mapping[str, tuple[int, int]]:
    """Write all catalogues anew, and return for each language how many sentences are translated, of how many."""
    new, old = template(), read(TEMPLATE)
    changed = ids(new) != ids(old)
    date = datetime.now(UTC).replace(second=0, microsecond=0) if changed else old.creation_date
    new.creation_date = new.revision_date = date
    write(TEMPLATE, new)
    told = {}
    for language in LANGUAGES:
        catalog = read(source(language), language)
        catalog.update(new, no_fuzzy_matching=True)
        catalog.project, catalog.header_comment, catalog.fuzzy = new.project, _PLACEHOLDERS, False
        catalog.creation_date = catalog.revision_date = date
        write(source(language), catalog)
        done = sum(1 for message in catalog if message.id and _is_translated(message.string) and not message.fuzzy)
        told[language] = (done, len(ids(catalog)))
    return told


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, list | tuple) and string else bool(string)


if __name__ == "__main__":
    for language, (done, of) in update().items():
        sys.stdout.write(f"{language}: {done} of {of} sentences are translated\n")
