"""Pages for everybody: what this is, whose it is, the files of the pages, and the choice of language."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web.about import About
from ledger.doors.web.access import Access, PageRequest, Who, start_of
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import LANGUAGES, go, page, static_file
from ledger.doors.web.refused import plain_path
from ledger.scheme.rules import Rulebook


def routes(access: Access, about: About, rulebook: Rulebook) -> list[HTTPRouteHandler]:
    """Return the routes of the public pages."""

    @get("/", before_request=access.only(Who.ANYBODY))
    async def home(request: PageRequest) -> Response[Any]:
        start = start_of(request.user.present)
        if start is not None:
            return go(start)
        return page(request, "public/home.html", public=True)

    @get("/how-it-works", before_request=access.only(Who.ANYBODY))
    async def how(request: PageRequest) -> Response[Any]:
        return page(request, "public/how.html", public=True)

    @get("/accessibility", before_request=access.only(Who.ANYBODY))
    async def accessibility(request: PageRequest) -> Response[Any]:
        return page(request, "public/accessibility.html", public=True, about=about)

    @get("/privacy", before_request=access.only(Who.ANYBODY))
    async def privacy(request: PageRequest) -> Response[Any]:
        months = (await rulebook.in_force()).rules.contact_months
        present = request.user.present
        mine = None if present is None or present.person is None else f"/people/{present.person}/data"
        return page(request, "public/privacy.html", public=True, about=about, months=months, mine=mine)

    @post("/language", before_request=access.only(Who.ANYBODY), status_code=303)
    async def language(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request, keyed=False)
        answer = go(plain_path(form.value("back")))
        chosen = form.value("language")
        if chosen in LANGUAGES:
            answer.set_cookie(access.language(chosen))
        return answer

    @get("/static/{name:str}", sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        return static_file(name)

    return [home, how, accessibility, privacy, language, static]
