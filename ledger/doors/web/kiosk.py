"""The kiosk at a project's door: what you have, and signing in and out, by a card; then it forgets you.

    /kiosk   a card is typed or scanned -> hello, what you have, today's sessions -> in or out -> done -> the next one

Nothing of anybody stands in an address: what is shown of somebody is the answer to a form, and the card's code travels
in the page's forms from one step to the next. Such a page goes back to the start by itself after `FORGETS_SECONDS`;
"Done" does so at once.

At the start it is the next person's turn: its form has a new key, a cookie holds the same one, and only forms of that
turn are heard. So Back, which would send the form of whoever was here before once more, leads to the start; and the
start tells the browser to forget the pages before it.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.clock import Clock
from ledger.scheme.kiosks import Kiosks
from ledger.scheme.refusals import TABLE, Declined

# As long as a slow reader takes for the page; whoever wants more time asks again.
FORGETS_SECONDS: Final = 30
_FORGETTING: Final = {"refresh": f"{FORGETS_SECONDS};url=/kiosk"}
# Back shows nothing of who was here before, not even from the browser's memory.
_FORGOTTEN: Final = {"clear-site-data": '"cache"'}


class Shown(Struct, frozen=True):
    """What was typed or scanned, and what is to be done; without a session it is to be looked at."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]
    do: Literal["look", "in", "out"] = "look"
    session: UUID | None = None


def routes(access: Access, kiosks: Kiosks, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the routes of a kiosk."""

    async def start(request: PageRequest, form: Form) -> Response[Any]:
        caller = request.user.caller
        until = caller.locked_until
        answer = page(
            request,
            "kiosk/start.html",
            status=form.status,
            headers={**_FORGOTTEN, **(_FORGETTING if form.failed else {})},
            form=form,
            today=await kiosks.today(caller),
            locked_until=until if until is not None and until > clock() else None,
        )
        if not form.failed:
            answer.set_cookie(access.turn(form.key))
        return answer

    async def hello(request: PageRequest, form: Form, code: str) -> Response[Any]:
        caller = request.user.caller
        return page(
            request,
            "kiosk/hello.html",
            status=form.status,
            headers=_FORGETTING,
            form=form,
            holding=await kiosks.balance(caller, code),
            today=await kiosks.today(caller),
            now=clock(),
            turn=turn_of(form),
        )

    @get("/kiosk", before_request=access.only(Who.KIOSK))
    async def wait(request: PageRequest) -> Response[Any]:
        return await start(request, Form.blank())

    @post("/kiosk", before_request=access.only(Who.KIOSK), status_code=200)
    async def shown(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        if turn_of(form) != request.cookies.get(access.turn_cookie):
            return go("/kiosk")
        typed = form.take(Shown)
        if typed is None:
            return await start(request, form)
        try:
            if typed.session is not None:
                sign = kiosks.check_out if typed.do == "out" else kiosks.check_in
                signed, _ = await sign(request.user.caller, form.key, typed.code, typed.session)
                return page(request, "kiosk/signed.html", headers=_FORGETTING, signed=signed)
        except Declined as declined:
            _heed(form, declined)
        # What can't be done is said where they were; if that isn't shown to them either, at the start.
        try:
            return await hello(request, form, typed.code)
        except Declined as declined:
            _heed(form, declined)
            return await start(request, form)

    return [wait, shown]


def turn_of(form: Form) -> str:
    """Whose turn a form belongs to: its key begins with it."""
    return form.key.partition(".")[0]


def _heed(form: Form, declined: Declined) -> None:
    """Say a refusal in the words that are meant for the visitor: nobody else stands at a kiosk."""
    row = TABLE[declined.reason]
    form.heed(declined)
    if not declined.fields and not declined.detail:
        form.refuse(row.visitor, row.status)
