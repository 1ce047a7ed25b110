"""How letters speak to whom they are for: sentences, moments and days, as the pages say them in that language."""

from functools import cache
from typing import Final

from ledger.doors.web.pages import LOCALES, Said, say, translations
from ledger.scheme.telling import Voice


@cache
def _said(language: str) -> Said:
    return Said(translations(language), LOCALES[language])


VOICE: Final = Voice(
    say,
    lambda language, moment: _said(language).moment(moment),
    lambda language, day: _said(language).dated(day),
)
