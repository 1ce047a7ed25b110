"""Namesakes: somebody new has the name of somebody known, and is perhaps the same.

Two of one name are two people, and programs that add somebody mean it. Who types a name is asked first: a desk's verb
declines with `NameKnown` and whoever it may be, unless it is told that this is another of that name.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.scheme.refusals import Declined, Refusal


class Namesake(Struct, frozen=True, kw_only=True):
    """Somebody of that name, and what tells them apart: to a project when they came, to the office the rest."""

    person: UUID
    name: str
    last_at: datetime | None = None
    """When they last came to the project, if they did."""
    since: datetime | None = None
    has_card: bool = False


class NameKnown(Declined):
    """These are called so already. Nothing was done, and the key is good for the same once more."""

    def __init__(self, people: Sequence[Namesake]) -> None:
        super().__init__(Refusal.WRONG_VALUES, fields=(("name", "is that of somebody who is known already"),))
        self.people = people
