"""One example of each body, as the documentation shows it: Ann gives two hours and a half and goes for a swim.

A module for each group of routes. A test holds them to their Structs: a field added there and forgotten here fails.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ledger.doors.api.examples import (
    bookings,
    books,
    care,
    claims,
    desk,
    expiry,
    gifts,
    paper,
    people,
    places,
    roles,
    running,
    venues,
)

EXAMPLES: Final[Mapping[type[msgspec.Struct], Mapping[str, Any]]] = {
    **bookings.EXAMPLES,
    **books.EXAMPLES,
    **care.EXAMPLES,
    **claims.EXAMPLES,
    **desk.EXAMPLES,
    **expiry.EXAMPLES,
    **gifts.EXAMPLES,
    **paper.EXAMPLES,
    **people.EXAMPLES,
    **places.EXAMPLES,
    **roles.EXAMPLES,
    **running.EXAMPLES,
    **venues.EXAMPLES,
}
