"""A group's pot, for its keyholders: what is in it, proposing a visit, and agreeing to what another proposed.

    find an offer -> who goes, when, with whom -> booked at once, or it waits for another keyholder -> agreed, declined

Who keeps a pot is for the verbs to say; to anybody else there is none.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.booking import Choice
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page
from ledger.scheme.bookings import Wanted
from ledger.scheme.finding import Finding
from ledger.scheme.finding import Wanted as Sought
from ledger.scheme.group_pots import GroupPot, GroupPots, Why
from ledger.scheme.pot_spends import Decide, PotSpends, Propose, State
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.terms import Kind

OFFERS: Final = 20
_WHY: Final = {
    Why.GIFT: _("A gift to the pot"),
    Why.ON_HOLD: _("On hold for a visit"),
    Why.CAME_BACK: _("Came back from a visit"),
    Why.REFUND: _("A venue gave it back"),
    Why.PRINTED: _("Vouchers were printed"),
    Why.UNUSED: _("Vouchers that nobody used"),
    Why.OTHER: _("Put right by the scheme"),
}
_STATES: Final = {
    State.PROPOSED: _("Waiting"),
    State.BOOKED: _("Booked"),
    State.DECLINED: _("Not booked"),
    State.LAPSED: _("Nobody answered in time"),
}
_DONE: Final = {State.BOOKED: "pot_booked", State.PROPOSED: "pot_proposed", State.DECLINED: "pot_declined"}


class Visit(Choice, frozen=True, kw_only=True):
    """What somebody chose, as of any booking, and who of the group goes."""

    person: UUID


class Search(Struct, frozen=True):
    """Words of what they look for."""

    words: Annotated[str, Meta(max_length=100)] = ""


def routes(
    access: Access, pots: GroupPots, spends: PotSpends, finding: Finding, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of a group's pot."""
    keyholder = access.only(Who.PERSON)

    async def pot_page(request: PageRequest, group: UUID, form: Form) -> Response[Any]:
        cursor, name = request.query_params.get("before"), f"pot-lines/{group}"
        before = None if cursor is None else cursors.read(secret, name, cursor)
        pot = await pots.get(request.user.caller, group, before=before)
        return page(
            request,
            "group/pot.html",
            status=form.status,
            pot=pot,
            form=form,
            why=_WHY,
            states=_STATES,
            me=_me(request),
            older=cursors.sign(secret, name, pot.lines[-1].sequence) if pot.has_older else None,
            newest=cursor is None,
        )

    @get("/groups/{group:uuid}/pot", before_request=keyholder)
    async def look(request: PageRequest, group: FromPath[UUID]) -> Response[Any]:
        return await pot_page(request, group, Form.blank())

    @get("/groups/{group:uuid}/pot/propose", before_request=keyholder)
    async def find(request: PageRequest, group: FromPath[UUID]) -> Response[Any]:
        pot = await pots.get(request.user.caller, group)
        form = Form.blank(words=request.query_params.get("words", "").strip())
        sought = form.take(Search)
        found = []
        if sought is not None:
            found = list(await finding.search(Sought(words=sought.words or None), after=None, limit=OFFERS))
        return page(request, "group/find.html", status=form.status, pot=pot, form=form, found=found, most=OFFERS)

    async def visit_page(request: PageRequest, pot: GroupPot, offer: UUID, form: Form) -> Response[Any]:
        shown = await finding.show(offer)
        return page(request, "group/propose.html", status=form.status, pot=pot, offer=shown, form=form)

    @get("/groups/{group:uuid}/pot/propose/{offer:uuid}", before_request=keyholder)
    async def choose(request: PageRequest, group: FromPath[UUID], offer: FromPath[UUID]) -> Response[Any]:
        pot = await pots.get(request.user.caller, group)
        return await visit_page(request, pot, offer, Form.blank(person=str(_me(request)), adults="1"))

    @post("/groups/{group:uuid}/pot/propose/{offer:uuid}", before_request=keyholder, status_code=303)
    async def propose(request: PageRequest, group: FromPath[UUID], offer: FromPath[UUID]) -> Response[Any]:
        form, pot = await Form.sent(request), await pots.get(request.user.caller, group)
        visit = form.take(Visit)
        shows = (await finding.show(offer)).kind is Kind.SHOW
        if visit is not None and shows and visit.occasion is None:
            form.fault("occasion", gettext(request)("Please choose one of these times."))
        elif visit is not None:
            wanted = Wanted(
                person=visit.person,
                offer=offer,
                visit_at=visit.visit_at,
                occasion=visit.occasion,
                party=visit.party,
            )
            with form.heeding():
                asked = Propose(group=group, keyholder=_me(request), wanted=wanted)
                step, _replayed = await spends.propose(request.user.caller, form.key, asked)
                return go(f"/groups/{group}/pot", _DONE[step.state])
        return await visit_page(request, pot, offer, form)

    @post(
        "/groups/{group:uuid}/pot/spends/{spend:uuid}/{answer:str}",
        before_request=keyholder,
        status_code=303,
    )
    async def decide(
        request: PageRequest, group: FromPath[UUID], spend: FromPath[UUID], answer: FromPath[str]
    ) -> Response[Any]:
        form = await Form.sent(request)
        if answer not in {"agree", "decline"}:
            raise Declined(Refusal.NOT_FOUND)
        asked = Decide(spend=spend, keyholder=_me(request), agreed=answer == "agree")
        with form.heeding():
            step, _replayed = await spends.decide(request.user.caller, form.key_for(answer, spend.hex), asked)
            return go(f"/groups/{group}/pot", _DONE[step.state])
        return await pot_page(request, group, form)

    return [look, find, choose, propose, decide]


def _me(request: PageRequest) -> UUID:
    present = request.user.present
    assert present is not None, "the page is for people"
    assert present.person is not None, "the page is for people"
    return present.person
