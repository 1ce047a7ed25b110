"""Finding something to do, for everybody: by place and by what helps; one opportunity; and coming to its sessions.

Nobody needs to be known to look. Who is signed in comes with one press and stays away with another, no word needed.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import gettext, go, page
from ledger.doors.web.searching import SHOWN, Near, Words, found_page
from ledger.doors.web.trusted import name_of
from ledger.scheme.attendances import Attendances
from ledger.scheme.helping import Helpers, May
from ledger.scheme.opportunities import USUAL_TAGS
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.seeking import Found, Seeking, Wanted

# On a card.
TAGS_SHOWN: Final = 4

# What stands on a page of each tag that everybody knows; others are said as they are written.
TAGS: Final = {
    "low_talk": marked("You won't have to talk"),
    "step_free": marked("No steps"),
    "buddy": marked("Somebody comes along with you"),
    "fifteen_minutes": marked("A quarter of an hour is enough"),
    "quiet": marked("A quiet place"),
    "outdoors": marked("Out of doors"),
    "seated": marked("Can be done sitting down"),
    "accessible_toilet": marked("An accessible toilet"),
    "on_a_bus_route": marked("A bus stops near by"),
    "refreshments": marked("Tea, coffee or a bite to eat"),
    "children_welcome": marked("Children can come along"),
    "no_experience_needed": marked("Nothing to know before"),
    "same_time_each_week": marked("The same time each week"),
}
assert set(TAGS) == set(USUAL_TAGS), "a tag that everybody knows has words"


class Search(Struct, frozen=True):
    """What somebody seeks."""

    near: Near | None = None
    words: Words | None = None
    anywhere: bool = False
    short: bool = False
    low_talk: bool = False
    step_free: bool = False
    seated: bool = False
    quiet: bool = False
    buddy: bool = False
    children_welcome: bool = False
    no_experience_needed: bool = False


# Those of its fields that are tags, in the order in which they are shown.
_ASKED: Final = tuple(name for name in Search.__struct_fields__ if name in TAGS)


class Chosen(Struct, frozen=True):
    """Which session, and who comes."""

    session: UUID
    person: UUID | None = None


def routes(
    access: Access, seeking: Seeking, attendances: Attendances, helpers: Helpers, secret: bytes
) -> list[HTTPRouteHandler]:
    """Return the routes of finding something to do and coming to it."""
    return [*_finding(access, seeking, attendances, helpers, secret), *_coming(access, attendances, helpers)]


def _finding(
    access: Access, seeking: Seeking, attendances: Attendances, helpers: Helpers, secret: bytes
) -> list[HTTPRouteHandler]:
    @get("/do", before_request=access.only(Who.ANYBODY))
    async def do(request: PageRequest) -> Response[Any]:
        form, found, more = Form.asked(request), list[Found](), None
        search = form.take(Search)
        if search is not None:
            wanted = Wanted(
                near=search.near,
                words=search.words,
                tags=[tag for tag in _ASKED if getattr(search, tag)],
                anywhere=search.anywhere,
                short=search.short,
            )
            with form.heeding():
                place = "/do?" + repr(search)
                after = cursors.read_named(secret, place, form.value("after") or None)
                all_ = await seeking.search(wanted, after=after, limit=SHOWN + 1)
                shown, more = cursors.page_named(secret, place, all_, SHOWN, lambda one: one.order)
                found = list(shown)
        return found_page(
            request,
            "do/search.html",
            Search,
            form,
            found,
            more,
            labels={one.id: labels(request, one.tags[:TAGS_SHOWN]) for one in found},
            boxes=list(zip(_ASKED, labels(request, _ASKED), strict=True)),
        )

    @get("/do/{opportunity:uuid}", before_request=access.only(Who.PERSON, Who.ANYBODY))
    async def one(request: PageRequest, opportunity: FromPath[UUID]) -> Response[Any]:
        return await shown(request, opportunity, Form.blank())

    @post("/do/{opportunity:uuid}", before_request=access.only(Who.PERSON), status_code=303)
    async def come(request: PageRequest, opportunity: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        present = request.user.present
        assert present is not None, "the page is for people"
        if chosen is not None and present.person is not None:
            try:
                person = chosen.person or present.person
                await attendances.book(request.user.caller, chosen.session, person)
                if person != present.person:
                    return go(f"/people/{person}/sessions", "on_the_list")
                return go(f"/do/{opportunity}", "coming")
            except Declined as declined:
                if declined.reason is Refusal.NOT_FOUND:
                    raise
                form.heed(declined)
                if declined.reason is Refusal.PLACES_FULL:
                    form.refuse(gettext(request)("That time is full just now. Another one may suit."))
        return await shown(request, opportunity, form)

    async def shown(request: PageRequest, opportunity: UUID, form: Form) -> Response[Any]:
        present = request.user.present
        found = await seeking.show(opportunity, None if present is None else present.holder)
        may_come = present is not None and present.person is not None
        others = await helpers.helped(request.user.caller) if may_come and request.user.caller is not None else ()
        return page(
            request,
            "do/opportunity.html",
            status=form.status,
            form=form,
            opportunity=found.opportunity,
            query=Form.asked(request).query(Search),
            public=True,
            times=found.times,
            labels=labels(request, found.opportunity.tags),
            may_come=may_come,
            others=[each for each in others if May.BOOK in each.may],
        )

    return [do, one, come]


def _coming(access: Access, attendances: Attendances, helpers: Helpers) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/sessions", before_request=access.only(Who.PERSON))
    async def sessions(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await listed(request, person, Form.blank())

    @post("/people/{person:uuid}/sessions", before_request=access.only(Who.PERSON), status_code=303)
    async def leave(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = form.take(Chosen)
        if chosen is not None:
            try:
                await attendances.cancel(request.user.caller, chosen.session, person)
            except Declined as declined:
                # Whoever isn't on the list any more is where they wanted to be.
                if declined.reason is not Refusal.NOT_FOUND:
                    form.heed(declined)
            if not form.failed:
                return go(f"/people/{person}/sessions", "not_coming")
        return await listed(request, person, form)

    async def listed(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        expected = await attendances.expected(request.user.caller, person)
        return page(
            request,
            "do/sessions.html",
            status=form.status,
            form=form,
            person=person,
            sessions=expected,
            name=await name_of(request, helpers, person),
        )

    return [sessions, leave]


def labels(request: PageRequest, tags: Sequence[str]) -> list[str]:
    """The tags, in the words by which people look for them."""
    said = gettext(request)
    return [said(TAGS.get(tag) or tag.replace("_", " ").capitalize()) for tag in tags]
