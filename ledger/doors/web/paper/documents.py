"""What is printed, as data: each document is a Struct, and has the Struct of its words beside it.

Whoever prints hands in everything as it is to be read: days, amounts and words in the reader's language. No document
holds a project's name or what somebody needs: slips and registers say the project's neutral alias, cards say a name to
be called by and no more. The templates hold no sentence; ``translated`` makes the words of another language.

Each list is bounded, as a page of the service prints at a time what a person at a printer can deal with. Beyond it,
the Struct can't be made: ``ValueError``.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import ClassVar, Final, TypeVar

from msgspec import Struct, structs

# Thirty sheets of ten: a morning with a guillotine.
CARDS_MAX: Final = 300
# As many as a batch has (``ledger.scheme.paper.COUNT_MAX``): 125 sheets of eight.
VOUCHERS_MAX: Final = 1_000
# Ten sheets on a clipboard; whoever expects more prints a register for each group.
EXPECTED_MAX: Final = 300
# What a slip the size of a postcard holds.
SLIP_LINES_MAX: Final = 5
# A month of a venue: an offer each hour of a week, five sheets long.
OFFERS_MAX: Final = 168
# A name and an alias of 200 characters each, as the service takes them, and a day.
TEXT_MAX: Final = 500


def N_(message: str) -> str:  # noqa: N802  # Babel looks for this name
    """Mark a sentence for the catalogue; it is looked up later, in the reader's language."""
    return message


class CardWords(Struct, frozen=True, kw_only=True):
    """The words of cards."""

    title: str = N_("Time Credits cards")
    code: str = N_("Code to scan: %(code)s")
    found: str = N_("Found this card? Please call %(phone)s.")
    found_without_phone: str = N_("Found this card? Please hand it in where you found it.")


class RegisterWords(Struct, frozen=True, kw_only=True):
    """The words of a register."""

    title: str = N_("Register")
    project: str = N_("Where")
    day: str = N_("Day")
    leader: str = N_("Filled in by")
    number: str = N_("No.")
    name: str = N_("Name to be called by")
    came: str = N_("In")
    left: str = N_("Out")
    hours: str = N_("Hours")
    tea: str = N_("Just tea")
    signature: str = N_("Signature")
    hint: str = N_("Just tea: tick this if somebody came along and gave no time. They are welcome too.")
    page: str = N_("Page %(page)s of %(pages)s")


class VoucherWords(Struct, frozen=True, kw_only=True):
    """The words of vouchers that anybody who brings them may use."""

    title: str = N_("Time Credits voucher")
    worth: str = N_("Worth")
    code: str = N_("Code to scan: %(code)s")
    ends: str = N_("Use it by %(day)s")
    use: str = N_("Show it at a venue that takes Time Credits, or add it to your own at %(address)s. It works once.")


class SlipWords(VoucherWords, frozen=True, kw_only=True):
    """The words of vouchers for hours that somebody gave who had no account yet."""

    title: str = N_("Thank you for your time")
    worth: str = N_("You have earned")
    use: str = N_("Sign in at %(address)s and type the code, and they are yours. Or ask at any desk. It works once.")


class BalanceWords(Struct, frozen=True, kw_only=True):
    """The words of a balance slip."""

    title: str = N_("Your Time Credits")
    has: str = N_("You have")
    on_hold: str = N_("On hold for what you have booked")
    lately: str = N_("The last few changes")
    nothing: str = N_("Nothing yet. It starts with your first hour.")
    at: str = N_("As it was on %(day)s")
    keep: str = N_("This slip is for you to read. Nobody can spend it.")


class CertificateWords(Struct, frozen=True, kw_only=True):
    """The words of a certificate."""

    title: str = N_("Thank you")
    to: str = N_("This certificate is for")
    given: str = N_("who has given")
    hours: str = N_("of their time to other people")
    closing: str = N_("Each of those hours was a gift to somebody.")
    signed: str = N_("Signed for %(scheme)s")
    day: str = N_("Date")


class ThankYouWords(Struct, frozen=True, kw_only=True):
    """The words of a venue's statement."""

    title: str = N_("Thank you, %(venue)s")
    opening: str = N_(
        "In %(month)s you welcomed people who had given their time to others. This is what you made possible."
    )
    caption: str = N_("Visits and credits honoured in %(month)s")
    offer: str = N_("Offer")
    visits: str = N_("Visits")
    credits: str = N_("Credits honoured")
    total: str = N_("All together")
    nothing: str = N_("There were no visits in %(month)s. Thank you for keeping your door open.")
    closing: str = N_("Each credit is an hour that somebody gave. Thank you for making it worth so much.")
    page: str = N_("Page %(page)s of %(pages)s")


_Words = TypeVar("_Words", bound=Struct)


def translated(words: type[_Words], gettext: Callable[[str], str]) -> _Words:
    """Those words in another language: ``gettext`` is the catalogue's own, which leaves ``%(name)s`` as it stands."""
    return words(**{field.name: gettext(field.default) for field in structs.fields(words)})


class Document(Struct, frozen=True, kw_only=True):
    """What all documents have: the language of the words as BCP 47 has it, and what the press puts in.

    That is whose scheme it is, where people open it as they type it, and the telephone of the office; what was set
    before stays.
    """

    template: ClassVar[str]

    scheme: str = ""
    address: str = ""
    phone: str = ""
    language: str = "en"

    def codes(self) -> Sequence[str]:
        """What is to be drawn as QR codes."""
        return ()


class CardSize(StrEnum):
    """How cards come out: each a page of a card's size, ten to a sheet of A4 with cut marks, or each on A6."""

    CARD = "card"
    SHEET = "sheet"
    LARGE = "large"


class Card(Struct, frozen=True, kw_only=True):
    """One card: the name to be called by, and the code as it is typed."""

    name: str
    code: str


class Cards(Document, frozen=True, kw_only=True):
    """Cards. Whoever finds one learns whom to call, and nothing of what its owner needs."""

    template: ClassVar[str] = "cards.typ"

    cards: Sequence[Card]
    size: CardSize = CardSize.SHEET
    words: CardWords = CardWords()

    def __post_init__(self) -> None:
        _bounded("cards", self.cards, 1, CARDS_MAX)
        _short(self.scheme, self.phone, *(text for card in self.cards for text in (card.name, card.code)))

    def codes(self) -> Sequence[str]:
        """The cards' codes."""
        return [card.code for card in self.cards]


class RegisterSheet(Document, frozen=True, kw_only=True):
    """A register to fill in by hand: the names expected, and empty rows up to thirty, or a few more."""

    template: ClassVar[str] = "register.typ"

    alias: str
    """The project's neutral alias: the sheet lies about on a table."""
    day: str
    """And from when to when, as it is to be read; empty: it is written in by hand."""
    expected: Sequence[str] = ()
    words: RegisterWords = RegisterWords()

    def __post_init__(self) -> None:
        _bounded("expected names", self.expected, 0, EXPECTED_MAX)
        _short(self.scheme, self.alias, self.day, *self.expected)


class Voucher(Struct, frozen=True, kw_only=True):
    """One voucher: its code, its worth as it is read ("2 credits 30 minutes"), and a line for whoever cuts it."""

    code: str
    worth: str
    note: str = ""
    """A name, or the neutral alias and the day; never what the project is for."""


class Vouchers(Document, frozen=True, kw_only=True):
    """Vouchers, eight to a page: with ``SlipWords`` those for hours that somebody gave, else a batch's."""

    template: ClassVar[str] = "vouchers.typ"

    vouchers: Sequence[Voucher]
    last_day: str = ""
    words: VoucherWords = VoucherWords()

    def __post_init__(self) -> None:
        _bounded("vouchers", self.vouchers, 1, VOUCHERS_MAX)
        texts = (text for voucher in self.vouchers for text in (voucher.code, voucher.worth, voucher.note))
        _short(self.scheme, self.last_day, *texts)

    def codes(self) -> Sequence[str]:
        """The vouchers' codes."""
        return [voucher.code for voucher in self.vouchers]


class SlipLine(Struct, frozen=True, kw_only=True):
    """A line of a statement: the day, plain words with the neutral alias, and the credits with + or -."""

    day: str
    said: str
    amount: str


class BalanceSlip(Document, frozen=True, kw_only=True):
    """What somebody has, on a slip to take away: of A6, or of A4 in large print."""

    template: ClassVar[str] = "balance.typ"

    large: bool = False
    name: str
    has: str
    on_hold: str = ""
    """Empty if there is nothing."""
    day: str
    lines: Sequence[SlipLine] = ()
    """The newest first."""
    words: BalanceWords = BalanceWords()

    def __post_init__(self) -> None:
        _bounded("lines", self.lines, 0, SLIP_LINES_MAX)
        texts = (text for line in self.lines for text in (line.day, line.said, line.amount))
        _short(self.scheme, self.name, self.has, self.on_hold, self.day, *texts)


class Certificate(Document, frozen=True, kw_only=True):
    """A milestone that somebody chose to celebrate. ``hours`` is as it is read: "50 hours"."""

    template: ClassVar[str] = "certificate.typ"

    large: bool = False
    name: str
    hours: str
    day: str
    words: CertificateWords = CertificateWords()

    def __post_init__(self) -> None:
        _short(self.scheme, self.name, self.hours, self.day)


class OfferCount(Struct, frozen=True, kw_only=True):
    """What an offer honoured: the visits, and the credits as they are read."""

    offer: str
    visits: int
    credits: str


class ThankYou(Document, frozen=True, kw_only=True):
    """A venue's month: what it honoured, by offer and all together."""

    template: ClassVar[str] = "thank_you.typ"

    venue: str
    month: str
    offers: Sequence[OfferCount] = ()
    visits: int
    credits: str
    words: ThankYouWords = ThankYouWords()

    def __post_init__(self) -> None:
        _bounded("offers", self.offers, 0, OFFERS_MAX)
        _short(self.scheme, self.venue, self.month, self.credits, *(o.offer for o in self.offers))


def _bounded(what: str, items: Sequence[object], least: int, most: int) -> None:
    if not least <= len(items) <= most:
        raise ValueError(f"there can be {least} to {most:,} {what} in a document, not {len(items):,}")


def _short(*texts: str) -> None:
    if any(len(text) > TEXT_MAX for text in texts):
        raise ValueError(f"a text in a document has at most {TEXT_MAX} characters")
