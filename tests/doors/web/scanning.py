"""What a scanner or a camera reads of a code's picture on a page."""

import re

import zxingcpp


def scanned(svg: str) -> list[str]:
    """The texts of the codes in that drawing (see `ledger.doors.web.qr`)."""
    return [found.text for found in zxingcpp.read_barcodes(_drawn(svg))]


def _drawn(svg: str) -> memoryview:
    """The pixels of the rectangles of its path, four to a module."""
    side = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0]) * 4
    pixels = bytearray(b"\xff" * side * side)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", svg):
        for row in range(int(y) * 4, int(y) * 4 + 4):
            start = row * side + int(x) * 4
            pixels[start : start + int(width) * 4] = bytes(int(width) * 4)
    return memoryview(pixels).cast("B", (side, side))
