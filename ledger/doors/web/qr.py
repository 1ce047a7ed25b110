"""QR codes: as inline SVG for pages, and as the same picture for what is printed.

A code's picture is drawn from its modules as one path of black on white, in whole units and without a style: a strict
Content-Security-Policy lets it pass, dark mode leaves it readable, and a printer finds no seams in it.

Error correction is M or the better one that costs no larger picture. ``TEXT_MAX`` characters bound it: beyond, the
modules of a code the size of a stamp are too small for an old phone. Longer or empty text is a ``ValueError``.

What a phone shows at a till, a pass or a booking, holds a link to the till's page with the code in its fragment
(`codes.link`): the tablet's own camera opens it, and the page needs no camera. No browser sends a fragment, so the code
is in no log; what stays in the tablet's history is a code that was used, or a pass's that changed within a minute. A
printed card's or voucher's code lasts, and would lie in every history of whoever points a phone at it: theirs hold the
code alone, for a scanner or to be typed.
"""

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Final

import segno
from markupsafe import Markup

# Version 10 at most: 57 modules a side, each half a millimetre where the picture is three centimetres wide.
TEXT_MAX: Final = 200
# The white around it that a reader needs, in modules: the standard asks for four.
QUIET: Final = 4


def qr_svg(text: str, label: str) -> Markup:
    """The code of that text, for a page; ``label`` is what a screen reader says instead."""
    return Markup(_svg(text, QUIET, f' role="img" aria-label="{escape(label)}"'))  # noqa: S704  # escaped


def qr_picture(text: str) -> str:
    """The code of that text as an SVG file without white around it, for paper that is white."""
    return _svg(text, 0, "")


def _svg(text: str, border: int, attributes: str) -> str:
    if not 0 < len(text) <= TEXT_MAX:
        raise ValueError(f"a QR code holds 1 to {TEXT_MAX} characters, not {len(text)}")
    rows = [[module == 1 for module in row] for row in segno.make(text, error="m", micro=False).matrix]
    side = len(rows) + 2 * border
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"{attributes}>'
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{"".join(_runs(rows, border))}"/></svg>'
    )


def _runs(rows: list[list[bool]], border: int) -> Iterator[str]:
    """A rectangle for each run of black modules in a row."""
    for y, row in enumerate(rows, border):
        x = border
        for black, modules in groupby(row):
            width = len(list(modules))
            if black:
                yield f"M{x} {y}h{width}v1h-{width}z"
            x += width
