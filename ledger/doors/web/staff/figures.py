"""Figures of the whole scheme, and how it is running: charts whose bars stand beside their numbers, in tables.

A month's demand is chosen by its link; there is no form to fill in. Figures that were made a while ago say as of when.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.pages import Said, _, gettext, page, said_in
from ledger.doors.web.sentences import together, unparted
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.overview import COUNT_MAX, Aged, Demand, Flow, Overview

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100

_ELSEWHERE: Final = {
    "held": _("On hold, for what people booked"),
    "pot": _("In pots"),
    "held_pot": _("On hold, from pots"),
    "transit": _("Gifts that are not answered yet"),
    "paper": _("Printed vouchers and slips"),
}
_WORK: Final = {
    "close_forgotten": _("Close sign-ins that were forgotten"),
    "lapse_consents": _("End guardians' consents that ran out"),
    "release_cancelled": _("Give back what was booked for cancelled dates"),
    "lapse_holds": _("Give back holds that ran out"),
    "expire_credits": _("End credits that reached their date"),
    "end_batches": _("End printed vouchers that ran out"),
    "remove_contacts": _("Remove contacts that nobody uses"),
    "tell_people": _("Write to people about what happened"),
    "forget_told": _("Forget what people were told long ago"),
    "forget_wrong_codes": _("Forget wrong codes"),
    "forget_letters": _("Forget emails that were sent"),
    "forget_one_time": _("Forget links that ran out"),
    "forget_sign_ins": _("Forget sign-ins that ended"),
    "verify_journal": _("Check the whole journal"),
}


def routes(access: Access, overview: Overview, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the routes of figures and of health."""
    staff = access.only(Who.STAFF)

    @get("/staff/figures", before_request=staff)
    async def figures(request: PageRequest) -> Response[Any]:
        caller = request.user.caller
        outstanding, flows = await overview.outstanding(caller), await overview.months(caller)
        said, words = gettext(request), said_in(request)
        return page(
            request,
            "staff/figures.html",
            outstanding=outstanding,
            ages=[(_age(each, said), each.minutes, _whole(each.minutes)) for each in outstanding.ages],
            wallets=[(_age(each, said), f"{each.wallets:,}") for each in outstanding.ages],
            elsewhere=[(said(_ELSEWHERE[each.kind]), each.minutes) for each in outstanding.elsewhere],
            flows=[_flow(each, words) for each in _since_the_first(flows)],
        )

    @get("/staff/figures/demand", before_request=staff)
    async def demand(request: PageRequest) -> Response[Any]:
        month = _month(request.query_params.get("month"), day_of(clock()))
        found = await overview.demand(request.user.caller, month)
        later = (month + timedelta(days=31)).replace(day=1)
        return page(
            request,
            "staff/demand.html",
            month=month,
            points=[_used(each) for each in found],
            offers=found,
            earlier=(month - timedelta(days=1)).replace(day=1),
            later=later if later <= day_of(clock()) else None,
        )

    @get("/staff/health", before_request=staff)
    async def health(request: PageRequest) -> Response[Any]:
        running = await overview.running(request.user.caller)
        work = [(_WORK.get(each.name, each.name), each) for each in running.work]
        return page(request, "staff/health.html", running=running, work=work, most=COUNT_MAX)

    return [figures, demand, health]


def _age(aged: Aged, said: Callable[[str], str]) -> str:
    """How old it is, as people say it."""
    if aged.from_months == 0:
        return said(_("This month and the 2 before"))
    if aged.to_months is None:
        return unparted(said(_("2 years or longer")))
    return together(said(_("%(first)s to %(last)s months")) % {"first": aged.from_months, "last": aged.to_months - 1})


def _whole(minutes: int) -> str:
    """Minutes in credits, to the nearest whole one, for a column of them."""
    return f"{(minutes + 30) // 60:,}"


def _since_the_first(flows: Sequence[Flow]) -> Sequence[Flow]:
    """Without the months before anything was earned or spent; the last three are always there."""
    first = next((at for at, each in enumerate(flows) if each.earned or each.spent), len(flows))
    return flows[min(first, len(flows) - 3) :]


def _flow(flow: Flow, words: Said) -> tuple[str, int, str, int, str]:
    return (
        words.month(flow.month),
        flow.earned,
        _whole(flow.earned),
        flow.spent,
        _whole(flow.spent),
    )


def _used(demand: Demand) -> tuple[str, int, str]:
    """An offer, the percent of its places that are used, and the places."""
    percent = 100 * demand.used // demand.quota if demand.quota else 100 * bool(demand.used)
    return f"{demand.title}, {demand.venue_name}", percent, f"{demand.used:,} / {demand.quota:,}"


def _month(asked: str | None, today: date) -> date:
    """The first day of the month that was asked for; the current one if none was."""
    if asked is None:
        return today.replace(day=1)
    try:
        month = date.fromisoformat(f"{asked}-01")
    except ValueError:
        raise NotFoundException from None
    if not _FIRST_YEAR < month.year < _LAST_YEAR:
        raise NotFoundException
    return month
