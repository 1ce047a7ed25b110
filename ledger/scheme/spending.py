"""Spending: the transfers that a visit comes to, from being held to being taken or given back.

                  held             taken                   given back
    credits       wallet -> held   -> redeemed:{venue}     -> wallet
    places        allowance -> held_allowance -> honoured  -> allowance
    limits        limit -> held_limit -> counted           -> limit

The whole is one entry, so that what somebody has, what a venue still honours and what a limit leaves are judged at one
place under one lock. Allowances and limits are counters that start at nothing in each period and go down; a transfer
from one brings its own floor (``Transfer.least``), which is the limit as it stands that day: a quota that is raised
counts at once, and no month need be opened. A void or a lapse gives all of it back, counters too.

The first transfer is the credits. Periods are months and days in London, of the visit. A pass's code counts to one, so
that it is used once, and no refund gives it back; a hold that is voided does, for what is left of its half minute. A
quota or limit that is set later counts from then on.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ledger.journal.entries import Moved, Transfer
from ledger.scheme.clock import LONDON
from ledger.scheme.terms import Charge, Offer

# The other side of each counter, on hold and taken.
_HELD: Final = {"wallet": "held", "pot": "held_pot", "allowance": "held_allowance", "limit": "held_limit"}
# Who used how much of a limit is told by the limit; what all used of all limits is one account.
_COUNTED: Final = "counted"
_CREDITS: Final = frozenset({"held", "held_pot"})
_USED_ONCE: Final = ":pass."


class Limit(Struct, frozen=True, gc=False):
    """A counter of what somebody uses: ``of`` is what it is kept for, ``most`` how far it may go in that period."""

    of: str
    period: str
    used: int
    most: int


class Places(Struct, frozen=True, gc=False):
    """A quota of places beside the offer's own: an occasion's."""

    of: UUID
    most: int


def card_limit(holder: UUID, at: datetime, minutes: int, most: int) -> Limit:
    """What somebody may spend a day by a printed card (rule 23), in minutes, however many cards they had."""
    return Limit(f"card.{holder.hex}", at.astimezone(LONDON).date().isoformat(), minutes, most)


def pass_limit(credential: UUID, step: int) -> Limit:
    """A phone pass's code is used once."""
    return Limit(credential.hex, f"pass.{step}", 1, 1)


def spend(  # what a visit is
    offer: Offer,
    charge: Charge,
    payer: str,
    holder: UUID | None,
    visit_at: datetime,
    *,
    limits: Iterable[Limit] = (),
    places: Places | None = None,
    hold: bool,
) -> tuple[Transfer, ...]:
    """The transfers of a visit: taken at once, or put on hold.

    ``payer`` is the account that the credits come from (``wallet:...``, ``pot:...``; a voucher's ``paper:...`` can't be
    held); ``holder`` who comes, for a person's monthly limit.
    """
    kind, _, owner = payer.partition(":")
    month = ""
    moved = [Transfer(payer, f"{_HELD[kind]}:{owner}" if hold else offer.redeemed, charge.minutes)]
    terms = offer.terms
    if terms.quota is not None or terms.month_minutes is not None:
        month = visit_at.astimezone(LONDON).date().isoformat()[:7]  # strftime takes 1 us more
    if terms.quota is not None:
        moved.append(_count("allowance", offer.reference, month, charge.places, terms.quota, hold=hold))
    if places is not None:
        moved.append(_count("allowance", places.of.hex, "", charge.places, places.most, hold=hold))
    if terms.month_minutes is not None and holder is not None:
        of = offer.reference + holder.hex
        moved.append(
            Transfer(
                f"limit:{offer.reference}:{holder.hex}.{month}",
                f"held_limit:{of}" if hold else _COUNTED,
                charge.minutes,
                -terms.month_minutes,
            )
        )
    moved += [_count("limit", limit.of, limit.period, limit.used, limit.most, hold=hold) for limit in limits]
    return tuple(moved)


def take(held: Iterable[Moved], redeemed: str, minutes: int | None) -> tuple[Transfer, ...]:
    """The transfers of a capture: so many minutes of the credits (all of them for None), and what they used of limits.

    Places are taken whole, for whoever came for less still came; the rest goes back with the capture.
    """
    taken = []
    for moved in held:
        kind, _, owner = moved.credit.partition(":")
        if kind in _CREDITS:
            taken.append(Transfer(moved.credit, redeemed, minutes or moved.minutes))
        else:
            part = minutes if minutes is not None and kind == "held_limit" and _USED_ONCE not in moved.debit else None
            used = moved.minutes if part is None else min(part, moved.minutes)
            taken.append(Transfer(moved.credit, _taken(kind, owner), used))
    return tuple(taken)


def give_back(
    spent: Iterable[Moved], captured: Iterable[Moved], payer: str, minutes: int, *, whole: bool
) -> tuple[Transfer, ...]:
    """The transfers of a refund: minutes of the credits to who paid, and of limits; with all of them, the places.

    ``spent`` is how the visit was entered, ``captured`` how it was taken: the same, where it was taken at once. What
    was counted in a month comes back to that month, whenever it is given back.
    """
    origin = {moved.credit: moved.debit for moved in spent}
    back = []
    for moved in captured:
        kind = moved.credit.partition(":")[0]
        start = origin.get(moved.debit, moved.debit)
        if kind == "redeemed":
            back.append(Transfer(moved.credit, payer, minutes))
        elif (kind == "honoured" and whole) or (kind == "counted" and _USED_ONCE not in start):
            back.append(
                Transfer(moved.credit, start, moved.minutes if kind == "honoured" else min(minutes, moved.minutes))
            )
    return tuple(back)


def credits_of(moves: Iterable[Moved], kind: str) -> int:
    """The minutes that went into accounts of that kind (``redeemed``, ``held`` ...)."""
    return sum(moved.minutes for moved in moves if moved.credit.startswith(f"{kind}:"))


def _count(kind: str, of: str, period: str, used: int, most: int, *, hold: bool) -> Transfer:
    held = _HELD[kind]
    side = f"{held}:{of}" if hold else _taken(held, of)
    return Transfer(f"{kind}:{of}:{period}" if period else f"{kind}:{of}", side, used, -most)


def _taken(held: str, of: str) -> str:
    """Where a counter goes when the visit was made."""
    return f"honoured:{of}" if held == "held_allowance" else _COUNTED
