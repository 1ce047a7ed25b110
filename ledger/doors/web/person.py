"""Somebody's own pages: what they have, what is coming up, and every line of their statement.

The same pages are opened by a helper or a guardian, as themselves: the verbs see to what each may know.
"""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.lines import drawn
from ledger.doors.web.pages import page
from ledger.scheme.guardians import ConsentState, Guardians
from ledger.scheme.helping import Helpers
from ledger.scheme.home import Homes
from ledger.scheme.lines import Statements
from ledger.scheme.people import first_name

# What a phone shows in two screens.
LINES: Final = 25
# Half a year of endings; those behind them are unfolded.
ENDINGS: Final = 6


def routes(  # noqa: PLR0917  # the verbs of two pages
    access: Access,
    homes: Homes,
    statements: Statements,
    helpers: Helpers,
    guardians: Guardians,
    secret: bytes,
) -> list[HTTPRouteHandler]:
    """Return the routes of somebody's home and statement."""

    @get("/people/{person:uuid}", before_request=access.only(Who.PERSON))
    async def home(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await homes.of(request.user.caller, person)
        own = _is_own(request, person)
        helped = await helpers.helped(request.user.caller) if own else ()
        children = await guardians.children(request.user.caller) if own else ()
        return page(
            request,
            "person/home.html",
            home=found,
            newest=drawn(request, person, found.newest, links=True),
            soon=found.ends[:ENDINGS],
            later=found.ends[ENDINGS:],
            own=own,
            first=first_name(found.name),
            helped=helped,
            unanswered=[
                each.name for each in children if each.consent is None or each.consent.state is not ConsentState.GIVEN
            ],
        )

    @get("/people/{person:uuid}/statement", before_request=access.only(Who.PERSON))
    async def statement(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        place, cursor = f"statement/{person}", request.query_params.get("before")
        before = cursors.read(secret, place, cursor) if cursor else None
        found = await statements.of(request.user.caller, person, before=before, limit=LINES + 1)
        shown = found[:LINES]
        older = cursors.sign(secret, place, shown[-1].sequence) if len(found) > LINES else None
        return page(
            request,
            "person/statement.html",
            person=person,
            own=_is_own(request, person),
            balance=shown[0].balance if shown and before is None else None,
            lines=drawn(request, person, shown, links=True),
            older=older,
            newest=before is None,
        )

    return [home, statement]


def _is_own(request: PageRequest, person: UUID) -> bool:
    present = request.user.present
    return present is not None and present.person == person
