"""Offers: what a venue gives for credits, at a price in minutes, under its terms.

    draft -> published <-> paused -> ended

An offer can be used and found while it is published and its venue active; a paused one stops at once, in every process
(see ``directory``). Its details and terms can be changed until it has ended. Whatever was redeemed or is on hold keeps
its price, which stands in its entry; other terms count as they are on the day.

Who reads what: the venue and the scheme all of it. Anybody else finds published ones, and never their quota: how much
a venue gives is between it and the scheme.

How many places of a month's quota are used is what the journal has on the account ``allowance:{offer}:{month}``, below
zero: captured and on hold alike. Making an offer is done once under the client's key.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts, rules
from ledger.scheme.answers import Answers
from ledger.scheme.callers import Caller
from ledger.scheme.chart import account
from ledger.scheme.clock import LONDON, Clock
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.states import Publication
from ledger.scheme.terms import Kind, Reach, Terms, faults
from ledger.scheme.venues import belongs

# With occasions, which the others haven't.
TIMED: Final = frozenset({Kind.SHOW, Kind.COURSE})


class Details(Struct, frozen=True, kw_only=True):
    """What an offer is. ``price`` in minutes; ``expect`` is for whoever is anxious about going; no site is all."""

    title: str
    price: int
    site: UUID | None = None
    kind: Kind = Kind.DROP_IN
    reach: Reach = Reach.LOCAL
    description: str = ""
    expect: str = ""
    terms: Terms = Terms()


class Offer(Details, frozen=True, kw_only=True):
    """An offer as it may be shown."""

    id: UUID
    venue: UUID
    status: Publication
    created_at: datetime
    changed_at: datetime


class NewOffer(Struct, frozen=True, kw_only=True, tag="offer", tag_field="operation"):
    """What is asked for."""

    venue: UUID
    details: Details


class Quota(Struct, frozen=True, kw_only=True):
    """The places of one month for credits: how many, used (visited or on hold), left. None where there is no quota."""

    offer: UUID
    month: str
    quota: int | None
    used: int
    left: int | None


class Lacks(Struct, frozen=True, kw_only=True):
    """What nobody can go by, or show a card at, where the offer is given: an open site, a till."""

    site: bool
    till: bool


class _Made(Struct, frozen=True):
    """The answer that is kept: no words."""

    id: UUID
    created_at: datetime


class Offers:
    """Making offers, changing them, opening and closing them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers = Answers(database, clock)

    async def create(self, caller: Caller, key: str, asked: NewOffer) -> tuple[Offer, bool]:
        """A new offer, a draft at first, and whether this is the replay of an answer."""

        async def work(raw: asyncpg.Connection, now: datetime) -> _Made:
            status = await raw.fetchval("SELECT status FROM scheme.venue WHERE id = $1 FOR SHARE", asked.venue)
            if status is None:
                raise Declined(Refusal.NOT_FOUND, "There is no such venue.")
            if status == "ended":
                raise Declined(Refusal.WRONG_STATE, "The venue has ended.")
            await _check_site(raw, asked.venue, asked.details.site)
            await _check_terms(raw, asked.details)
            made = _Made(uuid4(), now)
            await raw.execute(_CREATE, made.id, asked.venue, now, *_columns(asked.details))
            await acts.by_staff(raw, caller, "offer_added", made.id, now)
            return made

        made, replayed = await self._answers.once(caller, key, asked, work, _Made)
        offer = Offer(
            **{name: getattr(asked.details, name) for name in Details.__struct_fields__},
            id=made.id,
            venue=asked.venue,
            status=Publication.DRAFT,
            created_at=made.created_at,
            changed_at=made.created_at,
        )
        return offer, replayed

    async def get(self, caller: Caller, id_: UUID) -> Offer:
        """The offer; to others than its venue and the scheme, one that is published, without its quota."""
        async with self._database.reading() as connection:
            offer, own = await visible(driver(connection), caller, id_)
        if own:
            return offer
        return msgspec.structs.replace(offer, terms=msgspec.structs.replace(offer.terms, quota=None))

    async def of_venue(
        self, caller: Caller, venue: UUID, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Offer]:
        """All of a venue's, whatever their status, by title; ``after`` is the last one seen, by its title then."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            known = await raw.fetchval("SELECT id FROM scheme.venue WHERE id = $1", venue)
            if known is None or not belongs(caller, venue):
                raise Declined(Refusal.NOT_FOUND)
            rows = await raw.fetch(_OF_VENUE, venue, *(after or _BEFORE_ALL), limit)
        return [_offer(row) for row in rows]

    async def rewrite(self, caller: Caller, id_: UUID, changes: Mapping[str, Any]) -> Offer:
        """Set those of its details that are named, its terms as a whole. Declines one that has ended."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _offer(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE OF o", id_))
            if was.status is Publication.ENDED:
                raise Declined(Refusal.WRONG_STATE, "The offer has ended.")
            offer = msgspec.structs.replace(was, **changes)
            if offer.site != was.site:
                await _check_site(raw, was.venue, offer.site)
            # What stood when the rules were others needn't be mended for the sake of a title.
            if (offer.terms, offer.kind, offer.price) != (was.terms, was.kind, was.price):
                await _check_terms(raw, offer)
            if offer.kind not in TIMED and was.kind in TIMED and await raw.fetchval(_HAS_OCCASIONS, id_):
                raise Declined(Refusal.WRONG_VALUES, fields=(("kind", "must be show or course: it has occasions"),))
            if offer != was:
                await raw.execute(_REWRITE, id_, self._clock(), *_columns(offer))
                await acts.by_staff(raw, caller, "offer_changed", id_, self._clock())
            return _offer(await raw.fetchrow(_BY_ID, id_))

    async def change(self, caller: Caller, id_: UUID, status: Publication) -> Offer:
        """Publish, pause or end an offer. Declines what can't become of it (see `states`)."""
        async with self._database.transaction() as connection:
            raw = driver(connection)
            was = _offer(await raw.fetchrow(_BY_ID + " FOR NO KEY UPDATE OF o", id_)).status
            if was.becomes(status, "offer"):
                await raw.execute(
                    "UPDATE scheme.offer SET status = $2, changed_at = $3 WHERE id = $1",
                    id_,
                    status.value,
                    self._clock(),
                )
                await acts.by_staff(raw, caller, f"offer_{status}", id_, self._clock())
            return _offer(await raw.fetchrow(_BY_ID, id_))

    async def lacks(self, caller: Caller, id_: UUID) -> Lacks:
        """What is missing where it is given, to the venue and the scheme. It may be published so: one is online."""
        async with self._database.reading() as connection:
            raw = driver(connection)
            offer, own = await visible(raw, caller, id_)
            if not own:
                raise Declined(Refusal.NOT_FOUND)
            site, till = (await raw.fetch(_LACKS, offer.venue, offer.site))[0]
        return Lacks(site=site, till=till)

    async def quota(self, caller: Caller, id_: UUID, month: str | None) -> Quota:
        """How much of a month's quota is used, for the venue and the scheme; ``month`` as 2026-11, or the present."""
        month = month or self._clock().astimezone(LONDON).strftime("%Y-%m")
        async with self._database.reading() as connection:
            raw = driver(connection)
            offer, own = await visible(raw, caller, id_)
            if not own:
                raise Declined(Refusal.NOT_FOUND)
            allowance = f"{account('allowance', id_)}:{month}"
            used = -(await reading.balances(raw, [allowance]))[allowance]
        quota = offer.terms.quota
        left = None if quota is None else max(0, quota - used)
        return Quota(offer=id_, month=month, quota=quota, used=used, left=left)


async def visible(raw: asyncpg.Connection, caller: Caller, id_: UUID) -> tuple[Offer, bool]:
    """The offer, and whether it is the caller's to look at whole; to others, one that isn't published isn't there."""
    row = await raw.fetchrow(_BY_ID, id_)
    offer = _offer(row)
    own = belongs(caller, offer.venue)
    if not own and (row is None or not row["shown"]):
        raise Declined(Refusal.NOT_FOUND)
    return offer, own


async def _check_site(raw: asyncpg.Connection, venue: UUID, site: UUID | None) -> None:
    """Decline a site that isn't an open one of the venue's; until the transaction ends, nobody closes it."""
    if site is not None and await raw.fetchval(_OPEN_SITE, site, venue) is None:
        raise Declined(Refusal.WRONG_VALUES, fields=(("site", "is no open site of this venue"),))


async def _check_terms(raw: asyncpg.Connection, details: Details) -> None:
    force = await rules.in_force(raw)
    if wrong := faults(details.terms, details.kind, force.rules, details.price):
        raise Declined(Refusal.WRONG_VALUES, fields=wrong)


def _columns(details: Details) -> list[object]:
    told = {name: getattr(details, name) for name in Details.__struct_fields__}
    return list({**told, "terms": msgspec.json.encode(details.terms).decode()}.values())


def _offer(row: asyncpg.Record | None) -> Offer:
    if row is None:
        raise Declined(Refusal.NOT_FOUND)
    read: dict[str, Any] = {
        "kind": Kind(row["kind"]),
        "reach": Reach(row["reach"]),
        "status": Publication(row["status"]),
        "terms": msgspec.json.decode(row["terms"], type=Terms),
    }
    return Offer(**{name: read.get(name, row[name]) for name in Offer.__struct_fields__})


# No title is empty.
_BEFORE_ALL: Final = ("", None)
# The columns of `Details`, in its order.
_COLUMNS = ", ".join(Details.__struct_fields__)
_CREATE = f"""
INSERT INTO scheme.offer (id, venue, status, created_at, changed_at, {_COLUMNS})
VALUES ($1, $2, 'draft', $3, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""  # noqa: S608  # names of our own
_REWRITE = f"""
UPDATE scheme.offer SET changed_at = $2, ({_COLUMNS}) = ($3, $4, $5, $6, $7, $8, $9, $10) WHERE id = $1
"""  # noqa: S608  # names of our own
_SELECT = """
SELECT o.*, o.status = 'published' AND v.status = 'active' AS shown
FROM scheme.offer o JOIN scheme.venue v ON v.id = o.venue
"""
_BY_ID = _SELECT + "WHERE o.id = $1"
_OF_VENUE = _SELECT + ("WHERE o.venue = $1 AND (o.title, o.id) > ($2::text, $3::uuid) ORDER BY o.title, o.id LIMIT $4")
# Closing it waits until the offer stands.
_OPEN_SITE = "SELECT id FROM scheme.site WHERE id = $1 AND venue = $2 AND closed_at IS NULL FOR SHARE"
_LACKS = """
SELECT
    NOT EXISTS (
        SELECT FROM scheme.site WHERE venue = $1 AND closed_at IS NULL AND ($2::uuid IS NULL OR id = $2)
    ),
    NOT EXISTS (
        SELECT FROM scheme.device
        WHERE venue = $1 AND status <> 'revoked' AND ($2::uuid IS NULL OR site IS NULL OR site = $2)
    )
"""
_HAS_OCCASIONS = "SELECT EXISTS (SELECT FROM scheme.occasion WHERE offer = $1)"
