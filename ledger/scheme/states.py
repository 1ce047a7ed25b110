"""How what is opened and closed stands, and what may become of it.

    a project, a venue:        applied -> active    <-> suspended -> ended
    an offer, an opportunity:  draft   -> published <-> paused    -> ended

Any that hasn't ended can be ended, and that is final. Doing again what was done changes nothing.
"""

from enum import StrEnum
from typing import Self

from ledger.scheme.refusals import Declined, Refusal


class _State(StrEnum):
    """Four states, in this order: how it begins, open, shut for a while, ended."""

    @property
    def following(self) -> tuple[Self, ...]:
        """What may become of it now."""
        begun, opened, shut, ended = type(self)
        return {begun: (opened, ended), opened: (shut, ended), shut: (opened, ended), ended: ()}[self]

    def becomes(self, wanted: Self, what: str) -> bool:
        """Whether anything changes; declines what can't become of it. ``what`` it is called: "offer" or the like."""
        if wanted is self:
            return False
        if wanted not in self.following:
            stands = "a draft" if self == "draft" else self
            raise Declined(Refusal.WRONG_STATE, f"The {what} is {stands}; it can't become {wanted}.")
        return True


class Participation(_State):
    """How a project or venue stands: it takes part while it is ``active``."""

    APPLIED = "applied"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Publication(_State):
    """How an offer or opportunity stands: everybody finds it while it is ``published``."""

    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    ENDED = "ended"
