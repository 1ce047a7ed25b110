"""Acts: who did what for or about whom, so that whoever it concerns can see it.

What helpers do for somebody and what staff change about them is recorded in the transaction of the act itself. So is
who reads their contact or a copy of everything, and a helper or a project who looks at what they have; other reading,
such as of hours by those who decide on them, isn't, nor what people do for themselves. A row holds ids only, and stays
when a person is erased: it then concerns a holder that is nobody's.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.journal.entries import new_key
from ledger.scheme.keys import Caller, Scope


class Act(Struct, frozen=True, kw_only=True):
    """Something that was done: when, by whom under which key, what, and to which object, if not to the person."""

    id: UUID
    at: datetime
    by: UUID
    """The holder who acted, or the key where nobody in particular is behind it."""
    person: UUID | None
    """That holder's person, while they are known."""
    key: UUID
    scope: Scope
    verb: str
    object: UUID | None


def is_own(caller: Caller, holder: UUID) -> bool:
    """Whether this is the holder's own key: theirs as a person, not one that they use at work."""
    return caller.scope is Scope.PERSON and caller.holder == holder


async def record(  # noqa: PLR0917  # each has its own type, and the order is that of the sentence
    raw: asyncpg.Connection, caller: Caller, holder: UUID | None, verb: str, object_: UUID | None, now: datetime
) -> None:
    """Write that the caller did this for or about that holder, in their transaction; nothing if they are the same.

    ``None`` is for what concerns nobody in particular and is to be known all the same: who read codes that are money.
    """
    if holder is None or not is_own(caller, holder):
        await raw.execute(_RECORD, UUID(new_key()), now, caller.identity, caller.key, holder, verb, object_)


async def listed(raw: asyncpg.Connection, holder: UUID, *, before: UUID | None, limit: int) -> Sequence[Act]:
    """What was done for or about that holder, newest first; ``before`` is the last one seen."""
    return [
        Act(
            id=row["id"],
            at=row["at"],
            by=row["by"],
            person=row["person"],
            key=row["key"],
            scope=Scope(row["scope"]),
            verb=row["verb"],
            object=row["object"],
        )
        for row in await raw.fetch(_LISTED, holder, before, limit)
    ]


_RECORD = """
INSERT INTO scheme.act (id, at, by, key, holder, verb, object) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# The command line acts for the scheme without a key.
_LISTED = """
SELECT a.id, a.at, a.by, h.person, a.key, coalesce(k.scope, 'scheme') AS scope, a.verb, a.object
FROM scheme.act a
LEFT JOIN scheme.holder h ON h.id = a.by
LEFT JOIN scheme.api_key k ON k.id = a.key
WHERE a.holder = $1
    AND ($2::uuid IS NULL OR (a.at, a.id) < (SELECT last.at, last.id FROM scheme.act last WHERE last.id = $2))
ORDER BY a.at DESC, a.id DESC
LIMIT $3
"""
