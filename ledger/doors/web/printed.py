"""What is printed of people, such as cards and balance slips: as documents in the language of whoever prints."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from litestar import Request

from ledger.doors.web.lines import why
from ledger.doors.web.pages import Visit, gettext, language_of, said_in
from ledger.doors.web.paper import (
    BalanceSlip,
    BalanceWords,
    Card,
    Cards,
    CardSize,
    CardWords,
    Certificate,
    CertificateWords,
    SlipLine,
    Voucher,
    Vouchers,
    VoucherWords,
    translated,
)
from ledger.scheme.lines import Line
from ledger.scheme.paper import BatchCodes

SCHEME_NAME: Final = "Time Credits"

_Request = Request[Any, Any, Any]


def cards(request: _Request, named: Iterable[tuple[str, str]], size: CardSize) -> Cards:
    """Cards of these names and codes."""
    return Cards(
        scheme=SCHEME_NAME,
        language=_language(request),
        words=translated(CardWords, gettext(request)),
        cards=[Card(name=name, code=code) for name, code in named],
        size=size,
    )


def balance_slip(
    request: _Request, name: str, *, available: int, held: int, at: datetime, lines: Sequence[Line]
) -> BalanceSlip:
    """A slip with what somebody has."""
    said, translate = said_in(request), gettext(request)
    return BalanceSlip(
        scheme=SCHEME_NAME,
        language=_language(request),
        words=translated(BalanceWords, translate),
        name=name,
        has=said.credits(available),
        on_hold=said.credits(held) if held else "",
        day=said.dated(at),
        lines=[
            SlipLine(
                day=said.dated(line.happened_at),
                said=why(line, translate),
                amount=("+" if line.minutes > 0 else "") + said.credits(line.minutes),
            )
            for line in lines
        ],
    )


def certificate(request: _Request, name: str, *, hours: int, on: date) -> Certificate:
    """A certificate of so many hours, reached on that day."""
    said = said_in(request)
    return Certificate(
        scheme=SCHEME_NAME,
        language=_language(request),
        words=translated(CertificateWords, gettext(request)),
        name=name,
        hours=said.duration(hours * 60),
        day=said.dated(on),
    )


def batch(request: _Request, codes: BatchCodes) -> Vouchers:
    """The vouchers of a batch that can still be used."""
    said = said_in(request)
    return Vouchers(
        scheme=SCHEME_NAME,
        language=_language(request),
        words=translated(VoucherWords, gettext(request)),
        vouchers=[Voucher(code=each.code, worth=said.credits(codes.minutes)) for each in codes.vouchers],
        last_day=said.dated(codes.last_day),
    )


def _language(request: _Request) -> str:
    return language_of(request, (request.scope.get("user") or Visit(None, None)).present)
