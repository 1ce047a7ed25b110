"""What somebody can be cleared for, as the office reads and types it: `gym_induction` is "Gym induction".

An offer asks for it in words of the office's own, and somebody is cleared for what an offer asks for: it is chosen from
a list, so a slip of the pen clears nobody for nothing.
"""

import re
import unicodedata
from collections.abc import Iterable


def plain(word: str) -> str:
    """The words that people read."""
    return word.replace("_", " ").capitalize()


def typed(text: str) -> list[str]:
    """What was typed, several with commas between them, as offers keep it; accents are left out."""
    return [word for each in text.split(",") if (word := _word(each))]


def said(words: Iterable[str]) -> str:
    """The same back again."""
    return ", ".join(map(plain, words))


def _word(label: str) -> str:
    letters = unicodedata.normalize("NFKD", label.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")
