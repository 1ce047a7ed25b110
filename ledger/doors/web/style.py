"""The page of all parts that pages are made of, in every state: for whoever designs or tests, never in the live house.

Its forms lead back to it and do nothing. Behind it stand the pages of what can't be done, by their status.
"""

from http import HTTPStatus
from typing import Any, Final

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import go, page
from ledger.doors.web.qr import qr_svg
from ledger.scheme.clock import Clock

_TYPED: Final[dict[str, str | list[str] | bool | None]] = {
    "name": "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    "email": "dilys at example.org",
    "postcode": "CB4",
    "typed": "K7QM2XR",
    "people": "-1",
    "adults": "-1",
    "price_hours": "1",
    "price_minutes": "7",
    "project": "garden",
    "minutes_hours": "2",
    "minutes_minutes": "75",
    "starts_day": "2026-11-31",
    "starts_time": "25:00",
    "channel": "sms",
    "needs": ["talk", "steps"],
    "note": "What I typed\nstays as I typed it.",
}
_FAULTS: Final = {
    "name": "must be 40 characters at most",
    "email": "must be an email address, such as ann@example.org",
    "typed": "We do not know this code. Please look at it once more.",
    "people": "must be at least 1",
    "adults": "must be at least 1",
    "price": "must be in steps of 15 minutes",
    "project": "is closed for now",
    "minutes": "must be a time below 24 hours",
    "starts": "must be a day, and a time such as 14:30",
    "answer": "is needed",
    "needs": "must be one of these at most",
    "large": "is needed",
    "note": "holds a character that can't be shown",
}
_LISTED: Final[dict[str, str | list[str] | bool | None]] = {
    "state_1": "came",
    "hours_1": "2",
    "minutes_1": "30",
    "state_2": "tea",
    "state_3": "absent",
    "state_4": "came",
    "hours_4": "26",
    "state_5": "came",
    "name_6": "Zoe",
    "hours_6": "2",
    "slip_6": "",
}


def routes(access: Access, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the routes of the page of all parts."""

    @get("/style", before_request=access.only(Who.ANYBODY))
    async def style(request: PageRequest) -> Response[Any]:
        wrong, listed = Form.blank(**_TYPED), Form.blank(**_LISTED)
        wrong.refuse("This was sent already. Nothing was done twice.")
        for name, says in _FAULTS.items():
            wrong.fault(name, says)
        listed.fault("hours_4", "must be at most 24")
        return page(
            request,
            "style.html",
            blank=Form.blank(),
            wrong=wrong,
            listed=listed,
            svg=qr_svg("K7QM2XR9", "Your pass as a QR code"),
            moment=clock(),
        )

    @get("/style/{status:int}", before_request=access.only(Who.ANYBODY))
    async def refused(request: PageRequest, status: FromPath[int]) -> Response[Any]:
        del request
        is_refusal = status in set(HTTPStatus) and status >= HTTPStatus.BAD_REQUEST
        raise HTTPException("It was sent already. Nothing was done twice.", status_code=status if is_refusal else 404)

    @post("/style", before_request=access.only(Who.ANYBODY), status_code=303)
    async def nothing(request: PageRequest) -> Response[Any]:
        del request
        return go("/style")

    return [style, refused, nothing]
