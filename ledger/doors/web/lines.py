"""A line of a statement in a person's words: why it stands there, in at most twelve of them.

Somebody else who reads it, such as a helper, isn't told "you" of what another did.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from litestar import Request

from ledger.doors.web.pages import _, gettext, said_in
from ledger.scheme.lines import Line, Why

# A sentence must be taken in at a glance; what it names is cut to what the rest of it leaves.
WORDS_MAX: Final = 12

_SAYS: Final[Mapping[Why, str]] = {
    Why.HOURS: _("You helped at %(project)s"),
    Why.SLIP: _("You helped at %(project)s, by your slip"),
    Why.CORRECTION: _("Your hours at %(project)s were put right"),
    Why.SPENT: _("%(offer)s at %(venue)s"),
    Why.ON_HOLD: _("On hold for %(offer)s"),
    Why.CANCELLED: _("Back again: %(offer)s was cancelled"),
    Why.CHANGED: _("Back again: %(offer)s was changed"),
    Why.LAPSED: _("Back again: %(offer)s was not used"),
    Why.REST: _("Back again: %(offer)s came to less"),
    Why.REFUND: _("%(venue)s gave it back"),
    Why.GIFT_OFFERED: _("A gift from you, not answered yet"),
    Why.GIFT_GIVEN: _("Your gift to %(other)s"),
    Why.GIFT_DECLINED: _("Your gift came back, with thanks"),
    Why.GIFT_TAKEN_BACK: _("You took your gift back"),
    Why.GIFT_LAPSED: _("Your gift came back after 30 days"),
    Why.GIFT_RECEIVED: _("A gift from %(other)s"),
    Why.TO_POT: _("Your gift to %(group)s"),
    Why.FROM_COMMUNITY: _("From the community pot"),
    Why.VOUCHER: _("From a printed voucher"),
    Why.NOTE: _("Your paper notes"),
    Why.OPENING: _("What you had before"),
    Why.EXPIRED: _("Reached their end date"),
    Why.REINSTATED: _("Ended credits came back"),
    Why.GOODWILL: _("From the scheme"),
    Why.CLOSED: _("This account was closed"),
    Why.OTHER: _("Put right by the scheme"),
}
_SAYS_OF_ANOTHER: Final[Mapping[Why, str]] = {
    Why.HOURS: _("Helped at %(project)s"),
    Why.SLIP: _("Helped at %(project)s, by a slip"),
    Why.CORRECTION: _("Hours at %(project)s were put right"),
    Why.GIFT_OFFERED: _("A gift of theirs, not answered yet"),
    Why.GIFT_GIVEN: _("Their gift to %(other)s"),
    Why.GIFT_DECLINED: _("Their gift came back, with thanks"),
    Why.GIFT_TAKEN_BACK: _("They took their gift back"),
    Why.GIFT_LAPSED: _("Their gift came back after 30 days"),
    Why.TO_POT: _("Their gift to %(group)s"),
    Why.NOTE: _("Their paper notes"),
    Why.OPENING: _("What they had before"),
}
_CAME_BACK: Final = _("A gift from you that came back since")
_CAME_BACK_TO_ANOTHER: Final = _("A gift of theirs that came back since")
_BACK_SINCE: Final = _("Was on hold for %(offer)s, and came back")
_NAMELESS: Final[Mapping[str, str]] = {
    "project": _("a project"),
    "venue": _("a venue"),
    "offer": _("a visit"),
    "other": _("somebody"),
    "group": _("the community pot"),
}


class Drawn(NamedTuple):
    """A line as a page shows it: `parts.lines` takes these."""

    why: str
    day: str
    amount: str
    href: str


def drawn(
    request: Request[Any, Any, Any], person: UUID, lines: Sequence[Line], *, links: bool = False
) -> Sequence[Drawn]:
    """Return the lines of that person in the reader's words; their own with links to the receipts, if asked for."""
    said, words = gettext(request), said_in(request)
    present = request.user.present
    own = present is not None and present.person == person
    base = f"/people/{person}/receipts/" if own and links else ""
    return [
        Drawn(
            why(line, said, own=own),
            words.dated(line.happened_at),
            ("+" if line.minutes > 0 else "") + words.credits(line.minutes),
            base and f"{base}{line.entry}",
        )
        for line in lines
    ]


def why(line: Line, said: Callable[[str], str], *, own: bool = True) -> str:
    """Return the sentence, in the language of `said`; not `own`, as it is told to somebody else."""
    sentence = _SAYS[line.why] if own else _SAYS_OF_ANOTHER.get(line.why, _SAYS[line.why])
    if not line.is_open:
        came_back = _CAME_BACK if own else _CAME_BACK_TO_ANOTHER
        sentence = {Why.GIFT_OFFERED: came_back, Why.ON_HOLD: _BACK_SINCE}.get(line.why, sentence)
    said_so = said(sentence)
    named = [field for field in _NAMELESS if f"%({field})s" in said_so]
    room = (WORDS_MAX - len(said_so.split()) + len(named)) // (len(named) or 1)
    return said_so % {field: _short(getattr(line, field), room) or said(_NAMELESS[field]) for field in named}


def _short(name: str | None, room: int) -> str:
    words = (name or "").split()
    return " ".join(words[:room]).rstrip(",;:") + ("\u2026" if len(words) > room else "")
