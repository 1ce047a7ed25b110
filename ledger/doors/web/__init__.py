"""Pages: what people meet in a browser, on paper, at a till and at a kiosk.

To be read downward:

    access      who may open a page, and as whom they act there
    forms       what was typed, what is wrong with it, and the key by which it is done once
    pages       a template filled in, with its headers; files of `static/`
    places      the navigation
    refused     pages for what can't be done

and then a module for each part of the house, whose `routes` call the same verbs as the API. All of it works without
JavaScript; `static/site.js` only makes some of it quicker.
"""

from typing import Final

# Bodies of pages are forms; what is below these prefixes is another door's.
FORM: Final = ("application/x-www-form-urlencoded",)
OTHERS: Final = ("/v1", "/docs", "/health", "/log", "/metrics")


def is_page(path: str) -> bool:
    """Whether an address is one of the pages', found or not."""
    return not path.startswith(OTHERS)
