"""One example of each body, as the documentation shows it: Ann gives two hours and a half and goes for a swim.

A module for each group of routes. A test holds them to their Structs: a field added there and forgotten here fails.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.examples import books, care, claims, people, places, running

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    **books.EXAMPLES,
    **care.EXAMPLES,
    **claims.EXAMPLES,
    **people.EXAMPLES,
    **places.EXAMPLES,
    **running.EXAMPLES,
}
