"""The kiosk at a project's door: what you have, and signing in and out, by a card; then it forgets you.

    /kiosk   a card is typed or scanned -> hello, what you have, today's sessions -> in or out -> done -> the next one

Nothing of anybody stands in an address: what is shown of somebody is the answer to a form, and the card's code travels
in the page's forms from one step to the next. Such a page goes back to the start by itself after `FORGETS_SECONDS`;
"Done" does so at once. "I need more time" sends the page's own form once more, for the same page and
`FORGETS_LATER_SECONDS`, as often as somebody likes; what was done by it isn't done again. A pass on a phone moves on
meanwhile: that its code held when it was shown goes with the forms of that turn, signed.

At the start it is the next person's turn: its form has a new key, a cookie holds the same one, and only forms of that
turn are heard. So Back, which would send the form of whoever was here before once more, leads to the start; and the
start tells the browser to forget the pages before it.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from ledger.doors import cursors
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.scheme.clock import Clock
from ledger.scheme.kiosks import Kiosks
from ledger.scheme.refusals import TABLE, Declined

# Others may be waiting, and looking on; whoever reads slowly asks for more.
FORGETS_SECONDS: Final = 30
FORGETS_LATER_SECONDS: Final = 120
# Back shows nothing of who was here before, not even from the browser's memory.
_FORGOTTEN: Final = {"clear-site-data": '"cache"'}


class Shown(Struct, frozen=True):
    """What was typed or scanned, and what is to be done; without a session it is to be looked at.

    With ``more`` it was asked for already, and is to be shown for longer; ``type`` looks at nothing: they still type.
    """

    code: Annotated[str, Meta(min_length=1, max_length=40)]
    do: Literal["look", "in", "out"] = "look"
    session: UUID | None = None
    more: Literal["", "show", "type"] = ""


def routes(access: Access, kiosks: Kiosks, clock: Clock, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of a kiosk."""

    async def start(request: PageRequest, form: Form, *, forgets: int = 0) -> Response[Any]:
        """The first page; with what somebody typed on it, it forgets that after so many seconds."""
        caller = request.user.caller
        until = caller.locked_until
        return page(
            request,
            "kiosk/start.html",
            status=form.status,
            headers={**_FORGOTTEN, **(_in(forgets) if forgets else {})},
            form=form,
            forgets=forgets,
            today=await kiosks.today(caller),
            locked_until=until if until is not None and until > clock() else None,
        )

    async def hello(request: PageRequest, form: Form, typed: Shown) -> Response[Any]:
        caller = request.user.caller
        shown_at = _shown_at(form, secret) or clock()
        holding = await kiosks.balance(caller, typed.code, shown_at=shown_at)
        forgets = _forgets(typed)
        return page(
            request,
            "kiosk/hello.html",
            status=form.status,
            headers=_in(forgets),
            form=form,
            forgets=forgets,
            holding=holding,
            today=await kiosks.today(caller),
            now=clock(),
            turn=turn_of(form),
            since=cursors.sign(secret, _turn(form), int(shown_at.timestamp())),
        )

    @get("/kiosk", before_request=access.only(Who.KIOSK))
    async def wait(request: PageRequest) -> Response[Any]:
        form = Form.blank()
        answer = await start(request, form)
        answer.set_cookie(access.turn(form.key))
        return answer

    @post("/kiosk", before_request=access.only(Who.KIOSK), status_code=200)
    async def shown(request: PageRequest) -> Response[Any]:
        form = await Form.sent(request)
        if turn_of(form) != request.cookies.get(access.turn_cookie):
            return go("/kiosk")
        if form.value("more") == "type":
            return await start(request, form, forgets=FORGETS_LATER_SECONDS)
        typed = form.take(Shown)
        if typed is None:
            return await start(request, form, forgets=FORGETS_SECONDS)
        try:
            if typed.session is not None:
                sign = kiosks.check_out if typed.do == "out" else kiosks.check_in
                signed, _ = await sign(
                    request.user.caller, form.key, typed.code, typed.session, shown_at=_shown_at(form, secret)
                )
                forgets = _forgets(typed)
                return page(
                    request, "kiosk/signed.html", headers=_in(forgets), signed=signed, form=form, forgets=forgets
                )
        except Declined as declined:
            _heed(form, declined)
        # What can't be done is said where they were; if that isn't shown to them either, at the start.
        try:
            return await hello(request, form, typed)
        except Declined as declined:
            _heed(form, declined)
            return await start(request, form, forgets=FORGETS_SECONDS)

    return [wait, shown]


def _in(seconds: int) -> dict[str, str]:
    """The header by which a page goes back to the start."""
    return {"refresh": f"{seconds};url=/kiosk"}


def _forgets(typed: Shown) -> int:
    return FORGETS_LATER_SECONDS if typed.more else FORGETS_SECONDS


def _shown_at(form: Form, secret: bytes) -> datetime | None:
    """When, in this turn, the code was first shown here and held; None if it wasn't yet."""
    since = form.value("since")
    return datetime.fromtimestamp(cursors.read(secret, _turn(form), since), UTC) if since else None


def _turn(form: Form) -> str:
    return f"kiosk/{turn_of(form)}"


def turn_of(form: Form) -> str:
    """Whose turn a form belongs to: its key begins with it."""
    return form.key.partition(".")[0]


def _heed(form: Form, declined: Declined) -> None:
    """Say a refusal in the words that are meant for the visitor: nobody else stands at a kiosk."""
    row = TABLE[declined.reason]
    form.heed(declined)
    if not declined.fields and not declined.detail:
        form.refuse(row.visitor, row.status)
