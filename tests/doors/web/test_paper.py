"""What is printed: every document says what it must, and nothing that it mustn't, whatever the names are like."""

import asyncio
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from msgspec import structs
from pypdf import PdfReader

from ledger.doors.web import paper
from ledger.doors.web.paper import (
    BalanceSlip,
    BalanceWords,
    Card,
    Cards,
    CardSize,
    CardWords,
    Certificate,
    CertificateWords,
    Document,
    OfferCount,
    Press,
    RegisterSheet,
    RegisterWords,
    SlipLine,
    SlipWords,
    ThankYou,
    ThankYouWords,
    Voucher,
    Vouchers,
    VoucherWords,
    translated,
    typeset,
)
from ledger.doors.web.paper.documents import (
    CARDS_MAX,
    EXPECTED_MAX,
    OFFERS_MAX,
    SLIP_LINES_MAX,
    TEXT_MAX,
    VOUCHERS_MAX,
)
from ledger.doors.web.qr import TEXT_MAX as QR_TEXT_MAX
from ledger.doors.web.qr import qr_svg
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.web.scanning import scanned

CODES = ["7K3M-9QXT-2AB", "0123-4567-89A", "ZZZZ-ZZZZ-ZZZ", "MMMM-WWWW-WMW", "8XJ2-R5TV-KQ1", "B4ND-1T00-0FF"]
LONG = "Wilhelmina Featherstonehaugh-Cholmondeley"
WELSH = "Siân Ŵyn ap Gruffŷdd"
ENDLESS = "W" * 200
SCHEME = "Cambridgeshire Time Credits"
MILLIMETRE = 72 / 25.4
A4 = (595, 842)
A6 = (298, 420)
CARD = (243, 153)


def cards(
    *names: str, size: CardSize = CardSize.SHEET, count: int | None = None, phone: str = "01632 960 123"
) -> Cards:
    count = len(names) if count is None else count
    return Cards(
        scheme=SCHEME,
        phone=phone,
        size=size,
        cards=[Card(name=names[i % len(names)], code=CODES[i % len(CODES)]) for i in range(count)],
    )


def register(*expected: str) -> RegisterSheet:
    return RegisterSheet(scheme=SCHEME, alias="Thursday Group", day="Thursday 14 May 2026", expected=expected)


def slips(note: str, count: int = 1) -> Vouchers:
    made = [Voucher(code=CODES[i % len(CODES)], worth="1 credit 15 minutes", note=note) for i in range(count)]
    return Vouchers(scheme=SCHEME, vouchers=made, words=SlipWords())


def bearers(count: int = 1) -> Vouchers:
    made = [Voucher(code=CODES[i % len(CODES)], worth="2 credits 30 minutes") for i in range(count)]
    return Vouchers(scheme=SCHEME, vouchers=made, last_day="30 September 2027")


def balance(name: str) -> BalanceSlip:
    line = SlipLine(day="12 May 2026", said="Gave time: Thursday Group", amount="+2 credits")
    return BalanceSlip(
        scheme=SCHEME, name=name, has="12 credits 45 minutes", on_hold="3 credits", day="14 May 2026", lines=[line]
    )


def certificate(name: str) -> Certificate:
    return Certificate(scheme=SCHEME, name=name, hours="50 hours", day="14 May 2026")


def thanks(venue: str, *offers: OfferCount) -> ThankYou:
    return ThankYou(scheme=SCHEME, venue=venue, month="April 2026", offers=offers, visits=131, credits="200 credits")


SWIM = OfferCount(offer="Family swim", visits=131, credits="200 credits")
ONE_OF_EACH: dict[str, Document] = {
    "cards": cards("Jo", WELSH),
    "one card": cards("Jo", size=CardSize.CARD),
    "large cards": cards("Jo", size=CardSize.LARGE),
    "register": register("Jo", "Mo"),
    "register of any day": structs.replace(register("Jo"), day=""),
    "slips": slips("Jo, Thursday Group"),
    "vouchers": bearers(),
    "balance": balance("Jo"),
    "large balance": structs.replace(balance("Jo"), large=True),
    "certificate": certificate("Jo"),
    "large certificate": structs.replace(certificate(LONG), large=True),
    "thanks": thanks("Parkside Pool", SWIM),
    "thanks for nothing": thanks("Parkside Pool"),
}
each = pytest.mark.parametrize("document", ONE_OF_EACH.values(), ids=ONE_OF_EACH)


def read(document: Document) -> PdfReader:
    return PdfReader(BytesIO(typeset(document)))


def text_of(document: Document) -> str:
    """Everything that can be read, with single spaces."""
    pdf = pypdfium2.PdfDocument(typeset(document))
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pdf).replace("\ufffe", "-").split())


def sizes(document: Document) -> list[tuple[int, int]]:
    return [(round(page.mediabox.width), round(page.mediabox.height)) for page in read(document).pages]


def root(pdf: PdfReader) -> dict[str, Any]:
    """What the whole file says of itself."""
    return cast("dict[str, Any]", pdf.root_object)


def tags(pdf: PdfReader, kind: str) -> list[dict[str, Any]]:
    """The tags of that kind, in reading order."""

    def below(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # whatever a PDF has there
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                yield from below(child)
        elif isinstance(node, dict):
            if node.get("/S") == kind:
                yield node
            if "/K" in node:
                yield from below(node["/K"])

    return list(below(root(pdf)["/StructTreeRoot"]))


# --- what every document is ----------------------------------------------------------------------------------


@each
def test_a_document_is_tagged_and_has_its_title_and_language(document: Document) -> None:
    pdf = read(document)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root(pdf)["/Metadata"].get_data()
    assert root(pdf)["/MarkInfo"]["/Marked"]
    assert root(pdf)["/ViewerPreferences"]["/DisplayDocTitle"]
    assert root(pdf)["/Lang"] == "en-GB"
    assert pdf.metadata is not None
    assert pdf.metadata.title
    assert pdf.metadata.author == SCHEME
    assert tags(pdf, "/H1")


@each
def test_the_same_document_gives_the_same_bytes_and_tells_no_time(document: Document) -> None:
    first = typeset(document)
    assert first == typeset(structs.replace(document))
    assert b"/CreationDate" not in first
    assert b"CreateDate" not in first


@each
def test_all_letters_are_inside_the_file(document: Document) -> None:
    fonts = [font for page in read(document).pages for font in cast("Any", page)["/Resources"]["/Font"].values()]
    descriptors = [font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts]
    assert descriptors
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in descriptors)
    names = {str(descriptor["/FontName"]).split("+")[1].split("-")[0] for descriptor in descriptors}
    assert names <= {"SourceSansPro", "LibertinusSerif"}


# --- words -----------------------------------------------------------------------------------------------------


WORDS: dict[type[Any], list[Document]] = {
    CardWords: [cards("Jo"), cards("Jo", phone="")],
    RegisterWords: [register("Jo")],
    VoucherWords: [bearers()],
    SlipWords: [slips("Jo")],
    BalanceWords: [balance("Jo"), structs.replace(balance("Jo"), lines=())],
    CertificateWords: [certificate("Jo")],
    ThankYouWords: [thanks("Parkside Pool", SWIM), thanks("Parkside Pool")],
}


@pytest.mark.parametrize("words", WORDS)
def test_every_word_comes_from_outside_and_is_used(words: type[Any]) -> None:
    """In a language of numbers: each sentence is its number with the values in it, and nothing English is left."""
    sentences = [field.default for field in structs.fields(words)]
    foreign = {s: " ".join([f"<{n}>", *re.findall(r"%\(\w+\)s", s)]) for n, s in enumerate(sentences)}
    said = ""
    for document in WORDS[words]:
        made = structs.replace(document, words=translated(words, foreign.__getitem__), language="cy")
        pdf = read(made)
        assert root(pdf)["/Lang"] == "cy-GB"
        alternatives = " ".join(str(tag["/Alt"]) for tag in tags(pdf, "/Figure"))
        assert pdf.metadata is not None
        said += f"{text_of(made)} {alternatives} {pdf.metadata.title} "
    unused = {"ends"} if words is SlipWords else set()
    for number, field in enumerate(structs.fields(words)):
        assert (f"<{number}>" in said) == (field.name not in unused), field.name
        assert len(field.default) < 6 or field.default not in said
    assert "%(" not in said


def test_welsh_letters_are_printed() -> None:
    for document in (cards(WELSH), register(WELSH), slips(WELSH), balance(WELSH), certificate(WELSH)):
        assert WELSH in text_of(document)


# --- names ------------------------------------------------------------------------------------------------------

HOSTILE = [
    "#set page(fill: red)",
    '"; #panic("x")',
    "*Jo* _Mo_ $x$ @a <b> = c",
    '{"name": "\\u0041"}',
    "\\n [Jo] // Mo",
    "%(code)s %(phone)s",
    "=HYPERLINK()",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_looks_like_markup_is_printed_as_it_was_typed(name: str) -> None:
    for document in (cards(name), register(name), slips(name), balance(name), certificate(name), thanks(name)):
        assert name.replace(" ", "") in text_of(document).replace(" ", "")


@pytest.mark.parametrize("name", ["محمد", "עזרא", "李伟", "Ana 😀", "\u202ejo", "\ufffe", "a\u0301\u0301\u0301"])
def test_any_letters_make_a_document(name: str) -> None:
    for document in (cards(name, "Jo"), register(name, "Jo"), certificate(name)):
        pdf = read(document)
        assert len(pdf.pages) == 1
        assert root(pdf)["/MarkInfo"]["/Marked"]
    assert "Jo" in text_of(cards(name, "Jo"))


def test_letters_that_run_to_the_left_are_text() -> None:
    assert sorted("محمد") == sorted(c for c in text_of(certificate("محمد")) if c > "\u0600")


@pytest.mark.parametrize("name", ["J", LONG, ENDLESS, "Wilhelmina " * 18, "W W " * 50])
def test_a_name_of_any_length_stays_in_its_place(name: str) -> None:
    assert sizes(cards(name, count=10)) == [A4]
    assert sizes(cards(name, size=CardSize.CARD)) == [CARD]
    assert sizes(cards(name, size=CardSize.LARGE)) == [A6]
    assert sizes(register(*[name] * 25)) == [A4]
    assert sizes(slips(name, 8)) == [A4]
    assert sizes(certificate(name)) == [A4[::-1]]
    assert sizes(thanks(name, SWIM)) == [A4]
    line = SlipLine(day="Wednesday 14 September 2026", said=name, amount="+1,002 credits 30 minutes")
    full = structs.replace(balance(name), scheme=name, lines=[line] * SLIP_LINES_MAX)
    assert sizes(full) == [A6]


@pytest.mark.parametrize(
    ("document", "width", "height"),
    [
        (cards("Jo", LONG, ENDLESS, WELSH, count=10), 85.6, 54),
        (cards(LONG, size=CardSize.CARD), 85.6, 54),
        (structs.replace(cards(ENDLESS, count=10), scheme=ENDLESS, phone="0" * 30), 85.6, 54),
        (structs.replace(slips(ENDLESS, 8), scheme=ENDLESS, last_day=ENDLESS), 95, 68),
        (bearers(8), 95, 68),
    ],
)
def test_nothing_is_printed_near_a_cut(document: Document, width: float, height: float) -> None:
    page = pypdfium2.PdfDocument(typeset(document))[0]
    across, up = (size / MILLIMETRE for size in page.get_size())
    margins = (across % width / 2, up % height / 2) if across > width + 1 else (0.0, 0.0)
    letters = page.get_textpage()
    for index in range(letters.count_chars()):
        left, bottom, right, top = (side / MILLIMETRE for side in letters.get_charbox(index))
        if right - left < 0.01:
            continue  # a space
        for low, high, margin, size in ((left, right, margins[0], width), (bottom, top, margins[1], height)):
            assert (low - margin) % size >= 3.9, (letters.get_text_range(index, 1), low)
            assert size - (high - margin) % size >= 3.9, (letters.get_text_range(index, 1), high)


# --- cards ----------------------------------------------------------------------------------------------------------


def test_a_card_says_a_name_a_code_and_whom_to_call_and_no_more() -> None:
    said = text_of(cards("Jo", size=CardSize.CARD))
    assert said == f"{SCHEME} Jo {CODES[0]} Found this card? Please call 01632 960 123."


def test_a_card_without_a_phone_line_can_be_handed_in() -> None:
    said = text_of(cards("Jo", size=CardSize.CARD, phone=""))
    assert said.endswith("Found this card? Please hand it in where you found it.")


@pytest.mark.parametrize(
    ("size", "count", "pages"),
    [
        (CardSize.SHEET, 1, [A4]),
        (CardSize.SHEET, 10, [A4]),
        (CardSize.SHEET, 11, [A4, A4]),
        (CardSize.CARD, 2, [CARD, CARD]),
        (CardSize.LARGE, 2, [A6, A6]),
    ],
)
def test_cards_come_as_cards_sheets_or_in_large_print(size: CardSize, count: int, pages: list[tuple[int, int]]) -> None:
    assert sizes(cards("Jo", size=size, count=count)) == pages


def test_large_print_is_large() -> None:
    page = pypdfium2.PdfDocument(typeset(cards(LONG, size=CardSize.LARGE)))[0]
    letters = page.get_textpage()
    count = letters.count_chars()
    points = {round(pypdfium2.raw.FPDFText_GetFontSize(letters.raw, index)) for index in range(count)}
    assert min(points - {1}) >= 16, "a space that pdfium adds between lines has size 1"


# --- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [cards("Jo", LONG, count=6), cards(ENDLESS, size=CardSize.LARGE, count=6), slips("Jo", 6), bearers(6)],
)
def test_a_printed_code_is_read_back_and_stands_beside_as_text(document: Document) -> None:
    scanned = []
    for page in pypdfium2.PdfDocument(typeset(document)):
        image = page.render(scale=3, grayscale=True)  # 216 dots an inch: an old phone's camera at arm's length
        pixels = memoryview(image.buffer).cast("B").cast("B", (image.height, image.stride))
        scanned += [found.text for found in zxingcpp.read_barcodes(pixels)]
    assert sorted(scanned) == sorted(CODES)
    assert all(code in text_of(document) for code in CODES)
    pictures = tags(read(document), "/Figure")
    assert [str(picture["/Alt"]) for picture in pictures] == [f"Code to scan: {code}" for code in CODES]


@pytest.mark.parametrize(
    "text", ["7K3M-9QXT-2AB", "https://example.org/p/7K3M-9QXT-2AB?x=1&y=2", "ŵŷ", "x" * QR_TEXT_MAX]
)
def test_a_code_on_a_page_is_read_back(text: str) -> None:
    assert scanned(qr_svg(text, "A code")) == [text]


def test_a_code_on_a_page_needs_no_style_and_is_named() -> None:
    svg = qr_svg("7K3M", '"><script>alert(1)</script>')
    assert "style" not in svg
    assert "<script" not in svg
    assert 'role="img" aria-label="&quot;&gt;&lt;script&gt;' in svg
    assert hasattr(svg, "__html__"), "a template would show the markup"


@pytest.mark.parametrize("text", ["", "x" * (QR_TEXT_MAX + 1)])
def test_a_code_holds_something_and_not_too_much(text: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        qr_svg(text, "A code")


# --- registers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expected", "rows", "pages"), [(0, 30, 1), (25, 30, 1), (26, 31, 2), (60, 65, 2)])
def test_a_register_has_the_names_and_room_for_more(expected: int, rows: int, pages: int) -> None:
    document = register(*(f"Somebody {number:02}" for number in range(expected)))
    said = text_of(document)
    assert said.count("Somebody ") == expected
    assert len(tags(read(document), "/TR")) == rows + 1
    for page in range(1, pages + 1):
        assert f"Page {page} of {pages}" in said
    assert len(sizes(document)) == pages


def test_a_register_says_the_alias_the_day_and_its_columns() -> None:
    said = text_of(register("Jo"))
    for word in ("Thursday Group", "Thursday 14 May 2026", "Name", "In", "Out", "Hours", "Just tea", "Signature"):
        assert word in said


def test_the_head_of_a_table_is_tagged_on_its_columns() -> None:
    for document, columns in ((register("Jo"), 7), (thanks("Parkside Pool", SWIM), 3)):
        assert len(tags(read(document), "/TH")) == columns


# --- vouchers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (8, 1), (9, 2)])
def test_vouchers_come_eight_to_a_page(count: int, pages: int) -> None:
    assert sizes(bearers(count)) == [A4] * pages


def test_a_voucher_says_what_it_is_worth_and_until_when() -> None:
    said = text_of(bearers())
    for word in ("Time Credits voucher", "2 credits 30 minutes", CODES[0], "Use it by 30 September 2027"):
        assert word in said


def test_a_slip_says_what_was_earned_and_has_no_last_day() -> None:
    said = text_of(slips("Jo, Thursday Group, 14 May 2026"))
    assert "You have earned 1 credit 15 minutes" in said
    assert "Jo, Thursday Group, 14 May 2026" in said
    assert "Use it by" not in said


# --- slips, certificates, thanks ---------------------------------------------------------------------------------


def test_a_balance_slip_says_what_there_is_and_what_is_on_hold() -> None:
    said = text_of(balance("Jo"))
    assert "Jo You have 12 credits 45 minutes On hold for what you have booked 3 credits" in said
    assert "12 May 2026 +2 credits Gave time: Thursday Group" in said
    assert "As it was on 14 May 2026" in said


def test_a_balance_slip_says_nothing_of_holds_where_there_are_none() -> None:
    assert "On hold" not in text_of(structs.replace(balance("Jo"), on_hold=""))


def test_a_certificate_says_the_name_the_hours_and_the_scheme() -> None:
    said = text_of(certificate(LONG))
    for word in (LONG, "50 hours", f"Signed for {SCHEME}", "14 May 2026"):
        assert word in said


def test_a_venue_is_thanked_with_its_visits_by_offer() -> None:
    other = OfferCount(offer="Gym", visits=31, credits="30 credits 30 minutes")
    said = text_of(thanks("Parkside Pool", SWIM, other))
    assert "Thank you, Parkside Pool" in said
    assert "Family swim 131 200 credits Gym 31 30 credits 30 minutes All together 131 200 credits" in said


def test_a_venue_without_visits_is_thanked_too() -> None:
    said = text_of(thanks("Parkside Pool"))
    assert "There were no visits in April 2026." in said
    assert "you welcomed people" not in said


# --- what bounds them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: cards("Jo", count=0),
        lambda: cards("Jo", count=CARDS_MAX + 1),
        lambda: cards("x" * (TEXT_MAX + 1)),
        lambda: bearers(VOUCHERS_MAX + 1),
        lambda: register(*["Jo"] * (EXPECTED_MAX + 1)),
        lambda: thanks("Parkside Pool", *[SWIM] * (OFFERS_MAX + 1)),
        lambda: structs.replace(balance("Jo"), lines=[SlipLine(day="", said="", amount="")] * (SLIP_LINES_MAX + 1)),
    ],
)
def test_a_document_that_is_too_much_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="in a document"):
        make()


def test_as_many_as_allowed_are_printed() -> None:
    assert len(pypdfium2.PdfDocument(typeset(cards(LONG, count=CARDS_MAX)))) == CARDS_MAX / 10
    assert len(pypdfium2.PdfDocument(typeset(bearers(VOUCHERS_MAX)))) == VOUCHERS_MAX / 8


# --- the press --------------------------------------------------------------------------------------------------------


def children() -> set[str]:
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


async def test_the_press_prints_the_same_while_the_service_goes_on() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watch = asyncio.create_task(others())
    document = cards(LONG, count=50)
    pdf = await Press().pdf(document)
    watch.cancel()
    assert turns > 100
    assert pdf == typeset(document)


async def test_what_takes_too_long_is_declined_and_ended() -> None:
    before = children()
    with pytest.raises(Declined) as declined:
        await Press(seconds=0.02).pdf(bearers(40))
    assert declined.value.reason is Refusal.BUSY
    assert children() <= before


async def test_when_whoever_asked_has_gone_nothing_goes_on() -> None:
    before = children()
    press = Press()
    asked = asyncio.create_task(press.pdf(bearers(200)))
    while children() <= before:  # noqa: ASYNC110  # a process tells nobody that it started
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert children() <= before


async def test_whoever_comes_when_many_wait_is_asked_to_come_again() -> None:
    press = Press(waiting=1)
    answers = await asyncio.gather(*(press.pdf(cards("Jo")) for _ in range(4)), return_exceptions=True)
    assert [isinstance(answer, bytes) for answer in answers] == [True, True, True, False]
    assert isinstance(answers[3], Declined)
    assert answers[3].reason is Refusal.BUSY
    assert (await press.pdf(cards("Jo"))).startswith(b"%PDF")


async def test_a_failure_names_the_template_and_nobody() -> None:
    class Broken(Certificate, frozen=True, kw_only=True):
        template = "nowhere.typ"

    with pytest.raises(RuntimeError) as failed:
        await Press().pdf(Broken(scheme=SCHEME, name=LONG, hours="", day=""))
    assert "nowhere.typ" in str(failed.value)
    assert LONG not in str(failed.value)


def test_templates_hold_no_words_and_evaluate_nothing() -> None:
    for template in Path(paper.__path__[0]).glob("*.typ"):
        code = re.sub(r"//.*", "", template.read_text(encoding="utf-8"))
        assert "eval(" not in code
        said = [text for text in re.findall(r'"([^"]*)"', code) if re.search(r"[A-Za-z]\w* \w", text)]
        assert set(said) <= {"Source Sans Pro", "Libertinus Serif"}
