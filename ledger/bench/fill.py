"""Entries in bulk, as a scheme at work makes them: hours recognised by a few projects, credited to many wallets."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from ledger.journal.batcher import Batcher
from ledger.journal.entries import Entry, Posted, Transfer, entry_id, new_key

ACTOR = uuid.UUID(int=1)


def now() -> datetime:
    """The bench's clock."""
    return datetime.now(UTC)


class Awards:
    """Awards of an hour from one of ``projects`` to one of ``wallets``, each entry new."""

    def __init__(self, wallets: int, projects: int = 20, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a repeatable bench, not a secret
        self.projects = [f"issued:{self._uuid().hex}" for _ in range(projects)]
        self.wallets = [f"wallet:{self._uuid().hex}" for _ in range(wallets)]

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128))

    def only(self, wallets: int) -> Awards:
        """Awards to a few of these wallets, chosen at random: who is about on one day."""
        fewer = Awards(0)
        fewer.projects = self.projects
        fewer.wallets = self._random.sample(self.wallets, wallets)
        return fewer

    def take(self, count: int) -> list[Entry]:
        """The next entries."""
        at = now()
        choice = self._random.choice
        return [
            Entry(
                id=entry_id(ACTOR, new_key()),
                transfers=(Transfer(choice(self.projects), choice(self.wallets), 60),),
                happened_at=at,
                actor=ACTOR,
            )
            for _ in range(count)
        ]


async def fill(batcher: Batcher, awards: Awards, count: int, told: Callable[[int], None] = lambda _: None) -> None:
    """Post that many awards, telling how many after each portion."""
    for size in _portions(count, 20_000):
        outcomes = await batcher.post_all(awards.take(size))
        if not all(isinstance(outcome, Posted) for outcome in outcomes):
            raise RuntimeError("the bench's own entry was refused")
        told(size)


def _portions(count: int, most: int) -> Iterator[int]:
    while count > 0:
        yield min(count, most)
        count -= most
