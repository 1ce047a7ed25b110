"""Vouchers that staff print from the community's pot, or from a group's that asked for it.

A batch is made, printed, looked at, and ended early.

A voucher's code is money. The sheet is made anew for each printing, and that somebody did so stands in the trail.
"""

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Minutes, Name
from ledger.doors.web import printed
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page, pdf
from ledger.doors.web.paper import Press
from ledger.scheme.groups import Groups
from ledger.scheme.paper import COUNT_MAX, Paper, Printing
from ledger.scheme.pots import Pots
from ledger.scheme.refusals import Declined, Refusal

BATCHES: Final = 25


class New(Struct, frozen=True):
    """Vouchers to be printed."""

    label: Name
    minutes: Minutes
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)]
    last_day: date
    group: UUID | None = None
    """From whose pot; the community's, if from nobody's."""


class Source(Struct, frozen=True):
    """From whose pot."""

    group: UUID | None = None


def routes(  # noqa: PLR0917  # each has its own type
    access: Access, paper: Paper, pots: Pots, groups: Groups, press: Press, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of vouchers."""
    staff = access.only(Who.STAFF)

    async def new_page(request: PageRequest, form: Form) -> Response[Any]:
        of = Form.blank(group=form.value("group")).take(Source)
        group = await groups.get(of.group) if of is not None and of.group is not None else None
        pot = await pots.community() if group is None else await pots.get(request.user.caller, group.id)
        return page(
            request, "staff/new_batch.html", status=form.status, form=form, pot=pot, group=group, most=COUNT_MAX
        )

    async def batch_page(request: PageRequest, batch: UUID, form: Form) -> Response[Any]:
        found = await paper.get(batch)
        group = None if found.group is None else await groups.get(found.group)
        return page(request, "staff/batch.html", status=form.status, form=form, batch=found, group=group)

    @get("/staff/batches", before_request=staff)
    async def listed(request: PageRequest) -> Response[Any]:
        after = cursors.read_id(secret, "batches", request.query_params.get("after"))
        found = await paper.all(after=after, limit=BATCHES + 1)
        shown, older = cursors.page(secret, "batches", found, BATCHES)
        return page(request, "staff/batches.html", batches=shown, older=older, newest=after is None)

    @get("/staff/batches/new", before_request=staff)
    async def new(request: PageRequest) -> Response[Any]:
        return await new_page(request, Form.asked(request))

    @post("/staff/batches/new", before_request=staff, status_code=303)
    async def make(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(New)
        if typed is not None:
            with form.heeding():
                asked = Printing(
                    group=typed.group,
                    label=typed.label,
                    minutes=typed.minutes,
                    count=typed.count,
                    last_day=typed.last_day,
                )
                batch, _replayed = await paper.print(request.user.caller, form.key, asked)
                return go(f"/staff/batches/{batch.id}", "batch_made")
        return await new_page(request, form)

    @get("/staff/batches/{batch:uuid}", before_request=staff)
    async def one(request: PageRequest, batch: FromPath[UUID]) -> Response[Any]:
        return await batch_page(request, batch, Form.blank())

    @get("/staff/batches/{batch:uuid}/print", before_request=staff)
    async def sheet(request: PageRequest, batch: FromPath[UUID]) -> Response[Any]:
        codes = await paper.codes(request.user.caller, batch)
        if not codes.vouchers:
            raise Declined(Refusal.NOT_FOUND, "None of these vouchers can be used any more.")
        return pdf(await press.pdf(printed.batch(request, codes)), "vouchers")

    @post("/staff/batches/{batch:uuid}/end", before_request=staff, status_code=303)
    async def end(request: PageRequest, batch: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await paper.void(request.user.caller, form.key, batch)
            return go(f"/staff/batches/{batch}", "batch_ended")
        return await batch_page(request, batch, form)

    return [listed, new, make, one, sheet, end]
