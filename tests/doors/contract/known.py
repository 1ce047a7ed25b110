"""Ids that exist, by the words of the document: what stands for `{project}` in an address is a `project` in a body.

A made-up id names nothing: all that one would ever see is 404. So most of them are exchanged for one that an earlier
answer told.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

# Of each kind are kept the first, which belong together, and the newest.
FIRST = 3
NEWEST = 3


class Known:
    """Ids by what they are called; `withheld` are never offered."""

    def __init__(
        self,
        document: Mapping[str, Any],
        ids: Mapping[str, list[str]] | None = None,
        *,
        withheld: Collection[str] = (),
    ) -> None:
        self.ids = dict(ids or {})
        self._withheld = withheld
        self._told = {*itertools.chain.from_iterable(self.ids.values())}
        # What follows `/people/` is a person, call it `{person}` or `{child}`, and `people` in a body are many.
        self._kinds: dict[str, str] = {}
        for path in document["paths"]:
            for word, part in itertools.pairwise(path.split("/")):
                if part.startswith("{"):
                    self._same(word, part.strip("{}"))

    def _same(self, word: str, name: str) -> None:
        """Both stand for one kind from now on, with all that stand for either."""
        one, other = self.kind(word), self.kind(name)
        self._kinds |= {word: one, name: one, **{each: one for each, kind in self._kinds.items() if kind == other}}

    def kind(self, name: str) -> str:
        """What an id of that name stands for: the same for all names of one kind."""
        return self._kinds.get(name, name)

    def named_by(self, path: str) -> str:
        """What an address speaks of: its last word that stands for many things; the others are what is done to them."""
        return next((word for word in reversed(path.split("/")) if word in self._kinds or word.endswith("s")), "")

    def learn(self, path: str, answer: object) -> None:
        """Keep the ids of an answer, what it calls `id` by the address that gave it."""
        for name, id_ in _ids_in(answer, self.named_by(path)):
            self._told.add(id_)
            ids = self.ids.setdefault(self.kind(name), [])
            if id_ not in ids and id_ not in self._withheld:
                ids.append(id_)
                del ids[FIRST:-NEWEST]

    def forget(self, ids: Collection[str]) -> None:
        """Offer these no more."""
        self.ids = {kind: [each for each in known if each not in ids] for kind, known in self.ids.items()}

    def exchanged(self, value: Any, turn: int, name: str = "") -> Any:  # noqa: ANN401  # JSON, or what says "no body"
        """The same with three of four made-up ids exchanged for one known by that name, or else a person's."""
        if isinstance(value, dict):
            return {key: self.exchanged(inner, turn, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.exchanged(inner, turn + place, name) for place, inner in enumerate(value)]
        made_up = _id(value)
        known = self.ids.get(self.kind(name)) or self.ids.get(self.kind("person"))
        if made_up is None or value in self._told or not known:
            return value
        turn += made_up.int
        return value if turn % 4 == 0 else known[turn // 4 % len(known)]


def _ids_in(value: object, own: str, name: str = "") -> Iterator[tuple[str, str]]:
    """The ids in an answer, each with its name; what is called `id` has that of the thing around it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _ids_in(inner, key, own if key == "id" else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner, own, name)
    elif _id(value) is not None:
        yield name, str(value)


def _id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
