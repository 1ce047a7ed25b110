"""Every route that changes something, as a client asks for it whose request is then cancelled: a table for each group.

``test_cancellation`` takes a route, prepares what it needs, and asks; what stands here says how.
"""

from typing import Final

from tests.faults.cancelled import bookings, desk, gifts, hours, paper, people, places, spending
from tests.faults.cancelled.house import Prepare

ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    **bookings.ROUTES,
    **desk.ROUTES,
    **gifts.ROUTES,
    **paper.ROUTES,
    **people.ROUTES,
    **places.ROUTES,
    **hours.ROUTES,
    **spending.ROUTES,
}

# What no program asks for, by the cookie of a page.
PAGES: Final[dict[tuple[str, str], Prepare]] = {**desk.PAGES}

# It is sent by POST, for it has a body, and writes nothing.
READS: Final = {("POST", "/v1/claims/check"), ("POST", "/v1/quotes")}
