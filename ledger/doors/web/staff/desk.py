"""The desk: what waits, finding somebody, and all that is done for a person while they stand there.

A lost card is the case to be quick in: find them, press "Replace and print", print. The old card is known as replaced
from then on at every till, so nothing has to be blocked first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.fields import PREFIX_PATTERN, Name
from ledger.doors.web import data, namesakes
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.acts import OTHER, SAYS
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page, pdf
from ledger.doors.web.paper import CardSize, Press
from ledger.doors.web.printed import balance_slip, cards
from ledger.doors.web.qr import qr_svg
from ledger.scheme.acts import Act
from ledger.scheme.clock import Clock
from ledger.scheme.credentials import Credential, Credentials, Kind, Status
from ledger.scheme.desk import AtDesk, Desk
from ledger.scheme.lines import Statements
from ledger.scheme.namesakes import NameKnown
from ledger.scheme.overview import COUNT_MAX, Overview
from ledger.scheme.people import AgeBand, NewPerson, People
from ledger.scheme.refusals import Declined, Refusal

# What a screen shows without scrolling far: whoever finds more types one letter more.
FOUND: Final = 25
ACTS: Final = 25
_SLIP_LINES: Final = 5

AGES: Final = (
    ("", _("Not known")),
    *((band.value, says) for band, says in data.AGES.items()),
)
_CHANGES: Final = {"block": "card_blocked", "unblock": "card_unblocked", "revoke": "card_ended"}

_Prefix = Annotated[str, Meta(max_length=200, pattern=PREFIX_PATTERN)]


class FindForm(Struct, frozen=True):
    """How a word of their name begins."""

    name: _Prefix = ""


class NewForm(Struct, frozen=True):
    """Somebody to be made known; `who` answers which of that name it is, once that was asked."""

    name: Name
    age_band: AgeBand | None = None
    who: str = ""


def routes(  # noqa: PLR0917  # each has its own type
    access: Access,
    desk: Desk,
    people: People,
    credentials: Credentials,
    statements: Statements,
    overview: Overview,
    press: Press,
    secret: bytes,
    clock: Clock,
) -> list[HTTPRouteHandler]:
    """Return the routes of the desk."""
    staff = access.only(Who.STAFF)

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        """A person at the desk, with what was refused just now, if anything was."""
        found = await desk.of(request.user.caller, person)
        return page(
            request,
            "staff/person.html",
            status=form.status,
            form=form,
            query=Form.asked(request).query(FindForm),
            person=found,
            card=_live(found, Kind.CARD),
            phone_pass=_live(found, Kind.PASS),
            former=[each for each in found.credentials if not _is_live(each)],
            acts=told(found.acts, found.names, gettext(request)),
            ages=dict(AGES),
        )

    # --- finding ---------------------------------------------------------------------------------------

    @get("/staff", before_request=staff)
    async def home(request: PageRequest) -> Response[Any]:
        running = await overview.running(request.user.caller)
        return page(
            request,
            "staff/home.html",
            form=Form.blank(),
            waiting=running.waiting,
            alerts=running.alerts,
            now=clock(),
            most=COUNT_MAX,
        )

    @get("/staff/people", before_request=staff)
    async def find(request: PageRequest) -> Response[Any]:
        form = Form.blank(name=request.query_params.get("name", "").strip())
        wanted = form.take(FindForm)
        prefix = wanted.name if wanted is not None else ""
        place = f"staff/people/{prefix}"
        after = cursors.read_named(secret, place, request.query_params.get("after"))
        found = await people.named(prefix, after=after, limit=FOUND + 1) if wanted is not None else []
        shown_, following = cursors.page_named(secret, place, found, FOUND, lambda one: one.name)
        return page(
            request,
            "staff/find.html",
            status=form.status,
            form=form,
            people=shown_,
            with_cards=await desk.with_cards(request.user.caller, [each.id for each in shown_]),
            prefix=prefix,
            query=form.query(FindForm),
            following=following,
            ages=dict(AGES),
        )

    @get("/staff/people/new", before_request=staff)
    async def newcomer(request: PageRequest) -> Response[Any]:
        return page(request, "staff/new_person.html", form=Form.blank(), ages=AGES)

    @post("/staff/people/new", before_request=staff, status_code=303)
    async def add(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        typed = None if form.value("step") == "change" else form.take(NewForm)
        if typed is not None:
            asked = NewPerson(name=typed.name, age_band=typed.age_band)
            another = typed.who == namesakes.new(typed.name)
            with form.heeding():
                try:
                    person, _replayed = await people.create(request.user.caller, form.key, asked, another=another)
                except NameKnown as known:
                    if typed.who in {str(each.person) for each in known.people}:
                        return go(f"/staff/people/{typed.who}")
                    return namesakes.asked(request, form, known, "/staff/people/new")
                return go(f"/staff/people/{person.id}", "person_added")
        return page(request, "staff/new_person.html", status=form.status, form=form, ages=AGES)

    @get("/staff/people/{person:uuid}", before_request=staff)
    async def at_desk(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @get("/staff/people/{person:uuid}/acts", before_request=staff)
    async def acts(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place = f"staff/acts/{person}"
        before = cursors.read_id(secret, place, request.query_params.get("before"))
        found = await people.acts_about(request.user.caller, person, before=before, limit=ACTS + 1)
        rows, older = cursors.page(secret, place, found, ACTS)
        about = {act.person for act in rows if act.person is not None}
        names = await desk.names(request.user.caller, about | {person})
        return page(
            request,
            "staff/person_acts.html",
            person=person,
            name=names[person],
            acts=told(rows, names, gettext(request)),
            older=older,
            newest=before is None,
        )

    # --- cards and passes --------------------------------------------------------------------------------

    @post("/staff/people/{person:uuid}/card", before_request=staff, status_code=303)
    async def issue(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await credentials.issue_card(request.user.caller, form.key_for("issue"), person)
            return go(f"/staff/people/{person}/card")
        return await shown(request, person, form)

    @post("/staff/people/{person:uuid}/card/replace", before_request=staff, status_code=303)
    async def replace(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await credentials.replace_card(request.user.caller, form.key_for("replace"), person)
            return go(f"/staff/people/{person}/card", "card_replaced")
        return await shown(request, person, form)

    @post(
        "/staff/people/{person:uuid}/credentials/{credential:uuid}/{change:str}",
        before_request=staff,
        status_code=303,
    )
    async def change(
        request: PageRequest, person: FromPath[UUID], credential: FromPath[UUID], change: FromPath[str]
    ) -> Response[Any]:
        if change not in _CHANGES:
            raise Declined(Refusal.NOT_FOUND)
        form = await Form.sent(request)
        verb = {"block": credentials.block, "unblock": credentials.unblock, "revoke": credentials.revoke}[change]
        with form.heeding():
            await verb(request.user.caller, form.key_for(change, credential.hex), credential)
            return go(f"/staff/people/{person}", _CHANGES[change])
        return await shown(request, person, form)

    async def code_of(request: PageRequest, person: UUID) -> tuple[str, AtDesk]:
        """The code of their card, and who they are. That it was read is recorded."""
        card = await credentials.live_card(person)
        if card is None:
            raise Declined(Refusal.NOT_FOUND, _("They have no card: give them one first."))
        code = (await credentials.card_code(request.user.caller, card)).code
        return code, await desk.of(request.user.caller, person)

    @get("/staff/people/{person:uuid}/card", before_request=staff)
    async def card(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        code, found = await code_of(request, person)
        drawn = qr_svg(code, gettext(request)(_("The card's code, to scan")))
        return page(request, "staff/card.html", person=found, code=code, qr=drawn)

    @get("/staff/people/{person:uuid}/card/{size:str}", before_request=staff)
    async def printed(request: PageRequest, person: FromPath[UUID], size: FromPath[str]) -> Response[Any]:
        if size not in set(CardSize):
            raise Declined(Refusal.NOT_FOUND)
        code, found = await code_of(request, person)
        return pdf(await press.pdf(cards(request, [(found.name, code)], CardSize(size))), "card")

    @get("/staff/people/{person:uuid}/slip", before_request=staff)
    async def slip(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await desk.of(request.user.caller, person)
        lines = await statements.of(request.user.caller, person, before=None, limit=_SLIP_LINES)
        document = balance_slip(request, found, at=clock(), lines=lines)
        return pdf(await press.pdf(document), "slip")

    return [home, find, newcomer, add, at_desk, acts, issue, replace, change, card, printed, slip]


def told(
    acts: Sequence[Act], names: Mapping[UUID, str], said: Callable[[str], str]
) -> list[tuple[Act, str | None, str]]:
    """Acts, with who acted, by name where they are known, and what they did."""
    return [(act, names.get(act.person) if act.person else None, said(SAYS.get(act.verb, OTHER))) for act in acts]


def _is_live(credential: Credential) -> bool:
    return credential.status in {Status.ACTIVE, Status.BLOCKED, Status.EXPIRED}


def _live(person: AtDesk, kind: Kind) -> Credential | None:
    """The card or pass that they have: there is one at most."""
    return next((each for each in person.credentials if each.kind is kind and _is_live(each)), None)
