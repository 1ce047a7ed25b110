"""Whose service this is: the scheme's name, who answers for what is kept, and how to reach the office.

Set where the service runs (``ledger.settings``), for it stands in a privacy notice and on paper, and so isn't changed
by a click. Staff see it on the page of the scheme's rules.
"""

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct


class About(Struct, frozen=True, kw_only=True):
    """The scheme, as people are told of it; what isn't set is empty."""

    scheme: str = "Time Credits"
    controller: str = ""
    """Who answers for what is kept (UK GDPR's "controller"), with a postal address."""
    email: str = ""
    phone: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """Where people open the service, as they type it."""
        parts = urlsplit(self.url)
        return parts.netloc if parts.scheme == "https" else self.url


NOBODY: Final = About()
"""Nothing is set."""
