"""What the scheme says, in the reader's language: refusals, what is wrong with a value, why hours wait.

The scheme speaks English, to programs as to people, and what it says may have been stored since: a refusal is the same
for ever under its key. So nothing is marked where a sentence is made; here it is found again, as it stands or by the
pattern that it follows:

    There are 5 helpers already, which is the most: end one first.
    There are %(helpers_max)s helpers already, which is the most: end one first.     -> its translation, with 5

`scripts/words` reads the patterns out of the sources, and `test_words` fails where a refusal is none of them. What is
filled in is translated as well: a sentence within a sentence, an amount, a length of time, a moment. What isn't found
stays as it is. English costs nothing; of another language, some hundred patterns are tried for a page with a refusal.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeVar

from babel import Locale
from babel.messages.catalog import Catalog

# Where the sentences stand that come here finished; what a page says is looked up before anything is filled in, but
# for what is wrong with a field.
_SOURCES: Final = ("scheme/", "doors/fields.py")
_FAULT: Final = "must "
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
# As `terms.in_credits`, `hours.in_words`, `visits.in_words` and `windows.in_words` write them.
_AMOUNT: Final = re.compile(r"(\d+) credits?(?: (\d+) minutes?)?")
_LENGTH: Final = re.compile(r"(\d+) hours?(?: (\d+))?|(\d+) minutes?")
_DAYS: Final = re.compile(r"(\d+) days?")
_MOMENT: Final = re.compile(r"(at )?(\d\d:\d\d)(?: on (\w+ \d+ \w+(?: \d{4})?))?")
_ENGLISH: Final = Locale("en", "GB")
# A number and what it counts, where a line's end may part them.
_PARTED: Final = re.compile(r"(?<=\d) (?=[^\W\d])")
_COUNTED: Final = re.compile(r"(?<=\d) (?=(?:credit|minute|hour|day|month|year)s?\b)")
_NO_BREAK: Final = "\u00a0"
_Text = TypeVar("_Text", bound=str)


def together(words: _Text) -> _Text:
    """Return an amount or a length with each number on one line with its unit: "2 hours 45 minutes".

    For pages and paper. Whoever reads it aloud, searches it or copies it has the same words.
    """
    return type(words)(_PARTED.sub(_NO_BREAK, words))


def unparted(sentence: str) -> str:
    """Return a whole sentence, such as "It ends after 30 minutes.", likewise; not English, as it is."""
    return _COUNTED.sub(_NO_BREAK, sentence)


class _Pattern(NamedTuple):
    message: str
    matches: re.Pattern[str]


class Sentences:
    """The finished sentences of a language."""

    def __init__(  # what says each of them in that language
        self,
        catalogue: Catalog,
        locale: Locale,
        *,
        gettext: Callable[[str], str],
        ngettext: Callable[[str, str, int], str],
        credits_: Callable[[int], str],
        duration: Callable[[int], str],
    ) -> None:
        self._gettext = gettext
        self._ngettext = ngettext
        self._credits = credits_
        self._duration = duration
        self._patterns = sorted(_patterns(catalogue), key=lambda each: -len(_PLACEHOLDER.sub("", each.message)))
        self._names = {
            english: said
            for width in (("days", "format", "wide"), ("months", "format", "wide"))
            for english, said in zip(_names(_ENGLISH, *width), _names(locale, *width), strict=True)
        }

    def say(self, english: str) -> str:
        """Return the sentence in this language; as it is, where it isn't translated. Numbers stay with their units."""
        return unparted(self._said(english))

    def _said(self, english: str) -> str:
        translated = self._gettext(english) if english else ""
        if translated != english:
            return translated
        for pattern in self._patterns:
            if found := pattern.matches.fullmatch(english):
                values = {name: self._value(value) for name, value in found.groupdict().items()}
                return self._gettext(pattern.message) % values
        return english

    def _value(self, english: str) -> str:
        """What was filled in."""
        if found := _AMOUNT.fullmatch(english):
            return self._credits(60 * int(found[1]) + int(found[2] or 0))
        if found := _LENGTH.fullmatch(english):
            return self._duration(60 * int(found[1] or 0) + int(found[2] or found[3] or 0))
        if found := _DAYS.fullmatch(english):
            number = int(found[1])
            return together(self._ngettext("%(number)s day", "%(number)s days", number) % {"number": number})
        if found := _MOMENT.fullmatch(english):
            return self._moment(*found.groups())
        return self.say(english)

    def _moment(self, at: str | None, time: str, day: str | None) -> str:
        if day is None:
            return self._gettext("at %(time)s") % {"time": time} if at else time
        said = self._gettext("at %(time)s on %(day)s") if at else self._gettext("%(time)s on %(day)s")
        return said % {"time": time, "day": " ".join(self._names.get(word, word) for word in day.split())}


def _patterns(catalogue: Catalog) -> Iterable[_Pattern]:
    for message in catalogue:
        if not isinstance(message.id, str) or not message.string or not _PLACEHOLDER.search(message.id):
            continue
        if message.id.startswith(_FAULT) or any(place.startswith(_SOURCES) for place, _ in message.locations):
            parts = _PLACEHOLDER.split(message.id)  # text, name, text, name, ... text
            written = [
                f"(?P<{part}>.+?)" if index % 2 else re.escape(part.replace("%%", "%"))
                for index, part in enumerate(parts)
            ]
            yield _Pattern(message.id, re.compile("".join(written), re.DOTALL))


def _names(locale: Locale, kind: str, use: str, width: str) -> list[str]:
    """The names of the days of the week, or of the months, in order."""
    named = getattr(locale, kind)[use][width]
    return [named[number] for number in sorted(named)]
