"""What a reader of a document finds in it, in the order in which it is drawn."""

import io

import pypdfium2  # type: ignore[import-untyped]


def words_of(pdf: bytes) -> str:
    """All of its words, with single spaces."""
    document = pypdfium2.PdfDocument(io.BytesIO(pdf))
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def smallest_in(pdf: bytes) -> float:
    """How high its smallest letters are set, in points."""
    (page,) = pypdfium2.PdfDocument(io.BytesIO(pdf))
    text = page.get_textpage()
    boxes = [text.get_charbox(number, loose=True) for number in range(text.count_chars())]
    return float(min(top - bottom for _left, bottom, _right, top in boxes if top > bottom))
