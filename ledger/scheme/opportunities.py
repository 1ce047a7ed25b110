"""Opportunities: what somebody could do at a project, described so that they can tell whether it is for them.

    draft -> published <-> paused -> ended

A project writes its own. Anybody with a key finds those that are published at active projects, and reads there the
project's alias and never its name. Tags say what helps people to come; ``USUAL_TAGS`` are those that everybody knows,
and others may be made up.

Making one is done once under the client's key; doing again what was done changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.projects import need_project
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Participation, Publication

USUAL_TAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "low_talk": "you won't have to talk",
        "step_free": "no steps on the way in or inside",
        "buddy": "somebody comes along with you",
        "fifteen_minutes": "a quarter of an hour is enough",
        "quiet": "a quiet place",
        "outdoors": "out of doors",
        "seated": "can be done sitting down",
        "accessible_toilet": "an accessible toilet",
        "on_a_bus_route": "a bus stops near by",
        "refreshments": "tea, coffee or something to eat",
        "children_welcome": "children can come along",
        "no_experience_needed": "nothing to know beforehand",
        "same_time_each_week": "the same day and time each week",
    }
)


class Kind(StrEnum):
    """How it is done."""

    ONE_OFF = "one_off"
    WEEKLY = "weekly"
    AT_HOME = "at_home"
    ONLINE = "online"


class Referral(StrEnum):
    """Whether somebody must be referred; with ``self_or_referred`` they can also refer themselves."""

    NONE = "none"
    NEEDED = "needed"
    SELF_OR_REFERRED = "self_or_referred"


class Details(Struct, frozen=True, kw_only=True):
    """What is told of it. ``minutes`` is how long it usually takes, ``places`` how many can come to one session."""

    title: str
    description: str
    kind: Kind
    minutes: int | None
    place: str | None
    district: str | None
    tags: Sequence[str]
    prerequisites: str
    joining_pence: int
    donation_note: str
    referral: Referral
    places: int | None


class Opportunity(Details, frozen=True, kw_only=True):
    """An opportunity as it may be shown; ``alias`` is its project's."""

    id: UUID
    project: UUID
    alias: str
    status: Publication
    created_at: datetime
    changed_at: datetime


class Draft(Struct, frozen=True, kw_only=True, tag="opportunity", tag_field="operation"):
    """A new one."""

    project: UUID
    details: Details


class _Made(Struct, frozen=True):
    """The answer that is kept: people's words aren't."""

    id: UUID


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody looks for; ``self_referral`` are those that nobody need refer them to."""

    kind: Kind | None = None
    tags: Sequence[str] = ()
    district: str | None = None
    self_referral: bool = False


class Opportunities:
    """Writing opportunities, opening and closing them, and finding them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, draft: Draft) -> tuple[Opportunity, bool]:
        """A new one, a draft at first; and whether it was made before under this key."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            if await need_project(raw, caller, draft.project) is Participation.ENDED:
                raise Declined(Refusal.WRONG_STATE, "The project has ended.")
            id_ = uuid4()
            await raw.execute(_CREATE, id_, draft.project, now, *_columns(draft.details))
            await acts.by_staff(raw, caller, "opportunity_added", id_, now)
            return _Made(id_)

        made, replayed = await self._answers.once(caller, key, draft, work, _Made)
        return await self.get(caller, made.id), replayed

    async def get(self, caller: Caller, id_: UUID) -> Opportunity:
        """The opportunity; one that isn't published is there for its project and the scheme alone."""
        async with self._database.reading() as connection:
            row = await driver(connection).fetchrow(_BY_ID, id_)
        if row is None or not (row["shown"] or caller.speaks_for(row["project"])):
            raise Declined(Refusal.NOT_FOUND)
        return _opportunity(row)

    async def published(self, wanted: Wanted, *, after: tuple[str, UUID] | None, limit: int) -> Sequence[Opportunity]:
        """Those that are published at active projects, by title; ``after`` is the last one seen, by its title then."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(
                _PUBLISHED,
                wanted.kind and wanted.kind.value,
                list(wanted.tags),
                wanted.district,
                wanted.self_referral,
                *(after or _BEFORE_ALL),
                limit,
            )
        return [_opportunity(row) for row in rows]

    async def of_project(
        self, caller: Caller, project: UUID, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Opportunity]:
        """All of a project's, whatever their status, by title; likewise."""
        if not caller.speaks_for(project):
            raise Declined(Refusal.NOT_FOUND)
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_OF_PROJECT, project, *(after or _BEFORE_ALL), limit)
        return [_opportunity(row) for row in rows]

    async def rewrite(self, caller: Caller, id_: UUID, changes: Mapping[str, Any]) -> Opportunity:
        """Set those of its details that are named. Declines one that has ended."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = await _own(raw, caller, id_)
            if was.status is Publication.ENDED:
                raise Declined(Refusal.WRONG_STATE, "The opportunity has ended.")
            details = msgspec.structs.replace(was, **changes)
            if details != was:
                await raw.execute(_REWRITE, id_, self._clock(), *_columns(details))
                await acts.by_staff(raw, caller, "opportunity_changed", id_, self._clock())
            return _opportunity(await raw.fetchrow(_BY_ID, id_))

    async def change(self, caller: Caller, id_: UUID, status: Publication) -> Opportunity:
        """Publish, pause or end it. Declines what can't become of it (see `states`)."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = (await _own(raw, caller, id_)).status
            if was.becomes(status, "opportunity"):
                await raw.execute(
                    "UPDATE scheme.opportunity SET status = $2, changed_at = $3 WHERE id = $1",
                    id_,
                    status.value,
                    self._clock(),
                )
                await acts.by_staff(raw, caller, f"opportunity_{status}", id_, self._clock())
            return _opportunity(await raw.fetchrow(_BY_ID, id_))


def told(row: asyncpg.Record) -> dict[str, Any]:
    """What is told of an opportunity, by name; the row may have more."""
    words = {"kind": Kind(row["kind"]), "referral": Referral(row["referral"]), "status": Publication(row["status"])}
    return {name: words.get(name, row[name]) for name in Opportunity.__struct_fields__}


async def _own(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> Opportunity:
    """The opportunity, locked; others' aren't there."""
    row = await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE OF o", id_)
    if row is None or not caller.speaks_for(row["project"]):
        raise Declined(Refusal.NOT_FOUND)
    return _opportunity(row)


def _columns(details: Details) -> list[object]:
    return [getattr(details, name) for name in Details.__struct_fields__]


def _opportunity(row: asyncpg.Record | None) -> Opportunity:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    return Opportunity(**told(row))


# No title is empty.
_BEFORE_ALL: Final = ("", None)
# The columns of `Details`, in its order.
_COLUMNS = ", ".join(Details.__struct_fields__)
_CREATE = f"""
INSERT INTO scheme.opportunity (id, project, status, created_at, changed_at, {_COLUMNS})
VALUES ($1, $2, 'draft', $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""  # noqa: S608  # names of our own
_REWRITE = f"""
UPDATE scheme.opportunity SET changed_at = $2, ({_COLUMNS}) = ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
WHERE id = $1
"""  # noqa: S608  # names of our own
_SELECT = """
SELECT o.*, p.alias, o.status = 'published' AND p.status = 'active' AS shown
FROM scheme.opportunity o JOIN scheme.project p ON p.id = o.project
"""
_BY_ID = _SELECT + "WHERE o.id = $1"
_PUBLISHED = _SELECT + (
    "WHERE o.status = 'published' AND p.status = 'active'"
    " AND ($1::text IS NULL OR o.kind = $1) AND o.tags @> $2::text[] AND ($3::text IS NULL OR o.district = $3)"
    " AND (NOT $4::boolean OR o.referral <> 'needed')"
    " AND (o.title, o.id) > ($5::text, $6::uuid)"
    " ORDER BY o.title, o.id LIMIT $7"
)
_OF_PROJECT = _SELECT + (
    "WHERE o.project = $1 AND (o.title, o.id) > ($2::text, $3::uuid) ORDER BY o.title, o.id LIMIT $4"
)
