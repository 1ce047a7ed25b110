"""The audit: who did what and who looked at what, and the books, for whoever checks the scheme; all of it to be read.

Everybody is an id here, for the auditor's eyes as for staff's: to check that an act was right nobody's name is needed.
Whoever asks about their own tells their number, which stands on the page where they see who looked; staff see it too.

The trial balance is shown as accountants write it, in two columns that come to the same. In the journal a credit adds
and a debit takes away, so what stands above zero there is a credit balance here, and what stands below is a debit one.
"""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.database import Database, driver
from ledger.doors import cursors
from ledger.doors.fields import NUMBER_PATTERN
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.acts import LOOKS, OTHER, SAYS, as_what
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, page
from ledger.journal import log, reading
from ledger.journal.entries import Moved, Posted
from ledger.journal.reading import Total
from ledger.scheme.acts import Act, Acts, Wanted
from ledger.scheme.callers import SCHEME, Scope
from ledger.scheme.chart import COMMODITIES
from ledger.scheme.clock import day_of

# A screen and a half; whoever looks for something narrows it down.
ACTS: Final = 50
ENTRIES: Final = 25
# The choice among verbs that stands for each look there is.
ANY_LOOK: Final = "looked"
# Has done nothing, and nothing was done about them.
_NOBODY: Final = UUID(int=0)
_POSITION_PATTERN: Final = r"^[1-9][0-9]{0,17}$(?!\n)"

# What each kind of account is, for whoever reads the books.
_KINDS: Final = {
    "issued": _("Given by projects, for hours"),
    "opening": _("Brought in: what people had before"),
    "goodwill": _("Borne by the scheme"),
    "wallet": _("People can spend"),
    "held": _("On hold for people"),
    "pot": _("In pots"),
    "held_pot": _("On hold for pots"),
    "transit": _("Gifts on their way"),
    "paper": _("Printed vouchers and slips"),
    "redeemed": _("Honoured by venues"),
    "expired": _("Reached their end date"),
    "surrendered": _("Closed with nobody's name"),
    "allowance": _("Places of offers, used"),
    "held_allowance": _("Places on hold"),
    "honoured": _("Places visited"),
    "limit": _("Limits of people, used"),
    "held_limit": _("Limits on hold"),
    "counted": _("Counted against limits"),
    "allocation": _("Left of what funders granted"),
    "cap": _("Granted by funders"),
}


_Number = Annotated[str, Meta(pattern=NUMBER_PATTERN)]
_SHOWN: Final = 8


class Filter(Struct, frozen=True):
    """Which acts; of a number, the digits that are shown are enough."""

    by: _Number | None = None
    holder: _Number | None = None
    verb: Annotated[str, Meta(max_length=48, pattern=r"^[a-z_]*$")] = ""
    since: date | None = None
    until: date | None = None


class Row(NamedTuple):
    """A line of the trial balance as accountants write it: one of the two is None."""

    kind: str
    says: str
    debit: int | None
    credit: int | None


def routes(access: Access, database: Database, acts: Acts, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of the audit."""
    auditor = access.only(Who.AUDITOR, Who.STAFF)

    @get("/audit", before_request=auditor)
    async def trail(request: PageRequest) -> Response[Any]:
        asked = {name: request.query_params.get(name, "").strip() for name in Filter.__struct_fields__}
        form = Form.blank(**asked)
        wanted = form.take(Filter)
        found: Sequence[Any] = []
        older = None
        if wanted is not None and wanted.since and wanted.until and wanted.until < wanted.since:
            form.fault("until", _("must be the first day or one after it"))
        who = await _whom(form, "by", acts), await _whom(form, "holder", acts)
        if wanted is not None and not form.failed:
            place = f"audit/{who}/{wanted.verb}/{wanted.since}/{wanted.until}"
            before = cursors.read_id(secret, place, request.query_params.get("before"))
            looks = wanted.verb == ANY_LOOK
            only = Wanted(
                by=who[0],
                holder=who[1],
                verb=None if looks else wanted.verb or None,
                verbs=list(LOOKS) if looks else None,
                since=wanted.since,
                until=wanted.until,
            )
            found, older = cursors.page(secret, place, await acts.page(only, before=before, limit=ACTS + 1), ACTS)
        said = gettext(request)
        return page(
            request,
            "audit/trail.html",
            status=form.status,
            form=form,
            asked={name: value for name, value in asked.items() if value},
            days=_by_day(found, said),
            verbs=[
                ("", said(_("Anything"))),
                (ANY_LOOK, said(_("Looked at anything"))),
                *sorted(((verb, said(words)) for verb, words in SAYS.items()), key=lambda pair: pair[1]),
            ],
            older=older,
            newest="before" not in request.query_params,
        )

    @get("/audit/books", before_request=auditor)
    async def books(request: PageRequest) -> Response[Any]:
        async with database.reading() as connection:
            raw = driver(connection)
            await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            position, kinds = await reading.position(raw), await reading.trial_balance(raw)
        credits_ = [_row(kind) for kind in kinds if kind.kind not in COMMODITIES]
        counted = [_row(kind) for kind in kinds if kind.kind in COMMODITIES]
        return page(
            request,
            "audit/books.html",
            position=position,
            rows=credits_,
            debit=sum(row.debit or 0 for row in credits_),
            credit=sum(row.credit or 0 for row in credits_),
            counted=counted,
            units=COMMODITIES,
        )

    @get("/audit/entries", before_request=auditor)
    async def entries(request: PageRequest) -> Response[Any]:
        async with database.reading() as connection:
            raw = driver(connection)
            newest = await reading.position(raw)
            top = min(_position(request, newest), newest)
            after = max(0, top - ENTRIES)
            found = await reading.feed(raw, after=after, limit=top - after) if top else []
        return page(
            request,
            "audit/entries.html",
            entries=[(entry, _credits(entry)) for entry in reversed(found)],
            older=after or None,
            newer=min(top + ENTRIES, newest) if top < newest else None,
        )

    @get("/audit/entries/{entry:uuid}", before_request=auditor)
    async def entry(request: PageRequest, entry: FromPath[UUID]) -> Response[Any]:
        async with database.reading() as connection:
            raw = driver(connection)
            posted = await reading.entry(raw, entry)
            if posted is None:
                raise NotFoundException
            target = await _at(raw, posted.target)
            done = await reading.resolution(raw, posted.position)
            receipt = await log.receipt(raw, entry)
        return page(
            request, "audit/entry.html", entry=posted, target=target, done=done, receipt=receipt, service=SCHEME
        )

    return [trail, books, entries, entry]


async def _whom(form: Form, name: str, acts: Acts) -> UUID | None:
    """Who is meant by the number in that field; None if it is empty, or wrong, with a sentence."""
    typed = form.value(name)
    if not typed or name in form.faults:
        return None
    found = await acts.ending(typed) if len(typed) == _SHOWN else [UUID(typed)]
    if len(found) > 1:
        form.fault(name, _("is the end of more than one number: please type the whole one"))
    return next(iter(found), _NOBODY)


def _by_day(acts: Sequence[Act], said: Callable[[str], str]) -> list[list[tuple[Act, str, str]]]:
    """The acts of each day in London, each with what was done and as what, in words."""
    told = [(act, said(SAYS.get(act.verb, OTHER)), said(_as_what(act))) for act in acts]
    return [list(group) for _day, group in groupby(told, key=lambda each: day_of(each[0].at))]


def _as_what(act: Act) -> str:
    if act.by == SCHEME:
        return _("Whoever runs the service")
    return _("A program of the office") if act.by == act.key and act.scope is Scope.SCHEME else as_what(act)


def _row(kind: Total) -> Row:
    says = _KINDS.get(kind.kind, "")
    if kind.balance < 0:
        return Row(kind.kind, says, -kind.balance, None)
    return Row(kind.kind, says, None, kind.balance)


def _credits(entry: Posted) -> list[Moved]:
    """What it moves of credits; what it counts besides stands on its own page."""
    return [each for each in entry.transfers if each.debit.partition(":")[0] not in COMMODITIES]


def _position(request: PageRequest, newest: int) -> int:
    """The newest entry to show."""
    asked = request.query_params.get("to")
    if asked is None:
        return newest
    try:
        return int(msgspec.convert(asked, Annotated[str, Meta(pattern=_POSITION_PATTERN)]))
    except msgspec.ValidationError:
        raise NotFoundException from None


async def _at(raw: Any, position: int | None) -> Posted | None:  # noqa: ANN401  # asyncpg's connection
    """The entry at a position."""
    if position is None:
        return None
    return next(iter(await reading.feed(raw, after=position - 1, limit=1)), None)
