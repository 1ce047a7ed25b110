"""What is printed of people, such as cards and balance slips: as documents in the language of whoever prints."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from litestar import Request

from ledger.doors.web.lines import why
from ledger.doors.web.pages import gettext, language_of, said_in
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

_Request = Request[Any, Any, Any]


def cards(request: _Request, named: Iterable[tuple[str, str]], size: CardSize) -> Cards:
    """Cards of these names and codes."""
    return Cards(
        language=language_of(request),
        words=translated(CardWords, gettext(request)),
        cards=[Card(name=name, code=code) for name, code in named],
        size=size,
    )


class Reader(Protocol):
    """Whom a document is for, and how they like it."""

    @property
    def name(self) -> str:
        """What they are called."""
        ...

    @property
    def large_print(self) -> bool:
        """Whether they read large print."""
        ...


class Owner(Reader, Protocol):
    """Somebody with what they have, in minutes."""

    @property
    def available(self) -> int:
        """What they can spend."""
        ...

    @property
    def held(self) -> int:
        """What is on hold."""
        ...


def balance_slip(request: _Request, owner: Owner, *, at: datetime, lines: Sequence[Line]) -> BalanceSlip:
    """A slip with what somebody has."""
    said, translate = said_in(request), gettext(request)
    return BalanceSlip(
        language=language_of(request),
        words=translated(BalanceWords, translate),
        large=owner.large_print,
        name=owner.name,
        has=said.credits(owner.available),
        on_hold=said.credits(owner.held) if owner.held else "",
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


def certificate(request: _Request, reader: Reader, *, hours: int, on: date) -> Certificate:
    """A certificate of so many hours, reached on that day."""
    said = said_in(request)
    return Certificate(
        language=language_of(request),
        words=translated(CertificateWords, gettext(request)),
        large=reader.large_print,
        name=reader.name,
        hours=said.duration(hours * 60),
        day=said.dated(on),
    )


def batch(request: _Request, codes: BatchCodes) -> Vouchers:
    """The vouchers of a batch that can still be used."""
    said = said_in(request)
    return Vouchers(
        language=language_of(request),
        words=translated(VoucherWords, gettext(request)),
        vouchers=[Voucher(code=each.code, worth=said.credits(codes.minutes)) for each in codes.vouchers],
        last_day=said.dated(codes.last_day),
    )
