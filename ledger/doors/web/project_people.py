"""People of a project and their cards: find somebody, give them a card, replace a lost one, print, and their slip.

A lost card is replaced by one button: from then on the old one is refused at every till, and the new one waits to be
printed. What another desk issued can be blocked here, and nothing more: then the page says so.

Cards for many are made in two steps, for a page is only ever looked at: who is chosen stands in the address, cards that
are missing are made by a button, and the sheet is printed from there. That a code was read stands in each one's acts.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import Name
from ledger.doors.web import namesakes, printed
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, go, page, pdf
from ledger.doors.web.paper import CardSize, Press
from ledger.doors.web.project_hours import around
from ledger.scheme.clock import Clock, day_of
from ledger.scheme.credentials import Credentials
from ledger.scheme.namesakes import NameKnown
from ledger.scheme.project_people import CHOSEN_MAX, ProjectPeople
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sessions import Period, Session, Sessions

FOUND: Final = 25
# Where somebody new is expected: today and the days that a coordinator has in mind.
_AHEAD: Final = timedelta(days=14)
_SESSIONS: Final = 8
_BEGINNING_MAX: Final = 100
_ID_BYTES: Final = 16
_SIZES: Final = {
    CardSize.CARD: _("The size of a bank card"),
    CardSize.SHEET: _("On a sheet of paper, to cut out"),
    CardSize.LARGE: _("In large print"),
}


class New(Struct, frozen=True):
    """Somebody new, and when they come; `who` answers which of that name it is, once that was asked."""

    name: Name
    session: UUID
    who: str = ""


class Held(Struct, frozen=True):
    """The card that somebody has in mind: not one that took its place since."""

    card: UUID


class Chosen(Struct, frozen=True):
    """Whose cards."""

    person: Annotated[list[UUID], Meta(min_length=1, max_length=CHOSEN_MAX)]


def routes(  # noqa: PLR0917  # each has its own type
    access: Access,
    people: ProjectPeople,
    credentials: Credentials,
    sessions: Sessions,
    press: Press,
    secret: bytes,
    clock: Clock,
) -> list[HTTPRouteHandler]:
    """Return the routes of a project's people."""
    coordinator = access.only(Who.COORDINATOR)

    # --- finding and making known --------------------------------------------------------------------------

    async def found(request: PageRequest, project: UUID, template: str, size: int, **more: Any) -> Response[Any]:  # noqa: ANN401
        """People whose names begin as was typed, a page of them."""
        begins = _typed(request.query_params.get("name", ""))
        place = f"people/{project}/{begins}"
        after = cursors.read_named(secret, place, request.query_params.get("after"))
        some = await people.named(request.user.caller, project, begins, after=after, limit=size + 1)
        shown, following = cursors.page_named(secret, place, some, size, lambda one: one.name)
        return page(
            request,
            template,
            people=shown,
            begins=begins,
            search=Form.blank(name=begins),
            following=following,
            first=after is None,
            **around(request, project),
            **more,
        )

    @get("/projects/{project:uuid}/people", before_request=coordinator)
    async def listed(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        return await found(request, project, "project/people.html", FOUND)

    async def new_page(request: PageRequest, project: UUID, form: Form) -> Response[Any]:
        today = day_of(clock())
        return page(
            request,
            "project/new_person.html",
            status=form.status,
            form=form,
            sessions=await _open(sessions, request, project, today),
            **around(request, project),
        )

    @get("/projects/{project:uuid}/people/new", before_request=coordinator)
    async def new(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        return await new_page(request, project, Form.blank())

    @post("/projects/{project:uuid}/people/new", before_request=coordinator, status_code=303)
    async def welcome(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form, caller = await Form.sent(request), request.user.caller
        typed = None if form.value("step") == "change" else form.take(New)
        if typed is not None:
            another = typed.who == namesakes.new(typed.name)
            with form.heeding():
                try:
                    welcomed, _replayed = await people.welcome(
                        caller, form.key, project, typed.name, typed.session, another=another
                    )
                except NameKnown as known:
                    same = next((each.person for each in known.people if str(each.person) == typed.who), None)
                    if same is None:
                        action = f"/projects/{project}/people/new"
                        return namesakes.asked(request, form, known, action, **around(request, project))
                    await people.expect(caller, project, same, typed.session)
                    return go(f"/projects/{project}/people/{same}", "on_the_list")
                return go(f"/projects/{project}/people/{welcomed.person}", "welcomed")
        return await new_page(request, project, form)

    # --- one of them ---------------------------------------------------------------------------------------

    async def person_page(request: PageRequest, project: UUID, id_: UUID, form: Form) -> Response[Any]:
        known = await people.get(request.user.caller, project, id_)
        return page(
            request,
            "project/person.html",
            status=form.status,
            form=form,
            person=known,
            sizes=[(size.value, says) for size, says in _SIZES.items()],
            **around(request, project),
        )

    @get("/projects/{project:uuid}/people/{person:uuid}", before_request=coordinator)
    async def one(request: PageRequest, project: FromPath[UUID], person: FromPath[UUID]) -> Response[Any]:
        return await person_page(request, project, person, Form.blank())

    @post("/projects/{project:uuid}/people/{person:uuid}/card", before_request=coordinator, status_code=303)
    async def issue(request: PageRequest, project: FromPath[UUID], person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await credentials.issue_card(request.user.caller, form.key_for("issue"), person)
            return go(f"/projects/{project}/people/{person}", "card_made")
        return await person_page(request, project, person, form)

    @post(
        "/projects/{project:uuid}/people/{person:uuid}/card/{change:str}",
        before_request=coordinator,
        status_code=303,
    )
    async def change(
        request: PageRequest, project: FromPath[UUID], person: FromPath[UUID], change: FromPath[str]
    ) -> Response[Any]:
        caller, form = request.user.caller, await Form.sent(request)
        held = form.take(Held)
        if change not in _CHANGED or held is None:
            raise Declined(Refusal.NOT_FOUND)
        key = form.key_for(change, held.card.hex)
        with form.heeding():
            match change:
                case "replace":
                    await credentials.replace(caller, key, held.card)
                case "block":
                    await credentials.block(caller, key, held.card)
                case _:
                    await credentials.unblock(caller, key, held.card)
            return go(f"/projects/{project}/people/{person}", _CHANGED[change])
        return await person_page(request, project, person, form)

    @get("/projects/{project:uuid}/people/{person:uuid}/card/{size:str}", before_request=coordinator)
    async def card(
        request: PageRequest, project: FromPath[UUID], person: FromPath[UUID], size: FromPath[str]
    ) -> Response[Any]:
        await people.get(request.user.caller, project, person)
        return await _printed(request, credentials, press, [person], size)

    @get("/projects/{project:uuid}/people/{person:uuid}/slip", before_request=coordinator)
    async def slip(request: PageRequest, project: FromPath[UUID], person: FromPath[UUID]) -> Response[Any]:
        told = await people.slip(request.user.caller, project, person)
        document = printed.balance_slip(request, told, at=told.at, lines=told.lines)
        return pdf(await press.pdf(document), "slip")

    # --- many at once --------------------------------------------------------------------------------------

    async def sheet_page(request: PageRequest, project: UUID, chosen: Sequence[UUID], form: Form) -> Response[Any]:
        known = await people.chosen(request.user.caller, project, chosen)
        return page(
            request,
            "project/card_sheet.html",
            status=form.status,
            form=form,
            printable=[one for one in known if one.printable],
            missing=[one for one in known if one.card is None],
            others=[one for one in known if one.card is not None and not one.printable],
            of=_packed([one.id for one in known]),
            sizes=[(size.value, _SIZES[size]) for size in (CardSize.SHEET, CardSize.LARGE, CardSize.CARD)],
            **around(request, project),
        )

    @get("/projects/{project:uuid}/people/cards", before_request=coordinator)
    async def sheet(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        chosen = _chosen(request)
        if chosen:
            return await sheet_page(request, project, chosen, Form.blank())
        return await found(request, project, "project/choose_people.html", CHOSEN_MAX, form=Form.blank())

    @post("/projects/{project:uuid}/people/cards", before_request=coordinator, status_code=303)
    async def choose(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        if chosen is not None:
            return go(f"/projects/{project}/people/cards?of={_packed(chosen.person)}")
        form.faults = {"person": _("Tick somebody, 50 people at most.")}
        return await found(request, project, "project/choose_people.html", CHOSEN_MAX, form=form, status=form.status)

    @post("/projects/{project:uuid}/people/cards/make", before_request=coordinator, status_code=303)
    async def make(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        if chosen is None:
            raise Declined(Refusal.NOT_FOUND)
        with form.heeding():
            await credentials.issue_cards(request.user.caller, form.key, chosen.person)
            return go(f"/projects/{project}/people/cards?of={_packed(chosen.person)}")
        return await sheet_page(request, project, chosen.person, form)

    @get("/projects/{project:uuid}/people/cards/{size:str}", before_request=coordinator)
    async def printed_sheet(request: PageRequest, project: FromPath[UUID], size: FromPath[str]) -> Response[Any]:
        known = await people.chosen(request.user.caller, project, _chosen(request))
        return await _printed(request, credentials, press, [one.id for one in known], size)

    return [listed, new, welcome, one, issue, change, card, slip, sheet, choose, make, printed_sheet]


_CHANGED: Final = {"replace": "card_replaced_here", "block": "card_blocked_here", "unblock": "card_unblocked_here"}


async def _printed(
    request: PageRequest, credentials: Credentials, press: Press, people: Sequence[UUID], size: str
) -> Response[Any]:
    """Their cards as a PDF."""
    if size not in set(CardSize):
        raise Declined(Refusal.NOT_FOUND)
    named = [(card.name, card.code) for card in await credentials.card_codes(request.user.caller, people)]
    if not named:
        raise Declined(Refusal.NOT_FOUND, "There is no card here that you can print.")
    return pdf(await press.pdf(printed.cards(request, named, CardSize(size))), "cards")


async def _open(sessions: Sessions, request: PageRequest, project: UUID, today: date) -> Sequence[Session]:
    """The next sessions that somebody can be put on the list of."""
    period = Period(first=today, last=today + _AHEAD)
    found = await sessions.of_project(request.user.caller, project, period, after=None, limit=_SESSIONS)
    return [session for session in found if session.cancelled_at is None]


def _typed(name: str) -> str:
    """What was typed to find somebody by."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_BEGINNING_MAX]


def _chosen(request: PageRequest) -> Sequence[UUID]:
    """Who stands in the address."""
    try:
        packed = urlsafe_b64decode(request.query_params.get("of", ""))
        return [UUID(bytes=packed[start : start + _ID_BYTES]) for start in range(0, len(packed), _ID_BYTES)]
    except ValueError:
        raise Declined(Refusal.NOT_FOUND) from None


def _packed(people: Sequence[UUID]) -> str:
    """These people for an address: fifty ids are a thousand characters."""
    return urlsafe_b64encode(b"".join(person.bytes for person in people)).decode()
