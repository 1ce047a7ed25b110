"""Bookings over HTTP: made, refused, and what they hold."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.doors.lido import SATURDAY, Lido, refusal


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


async def test_a_booking_holds_the_credits_and_tells_its_code(lido: Lido) -> None:
    ann, swim = await lido.person(), await lido.offer(cancel_minutes=1440)

    answer = await lido.ask(ann, swim, SATURDAY, party={"adults": 1, "children": 2})

    assert answer.status_code == 201, answer.text
    booked = answer.json()
    (booking,) = booked["bookings"]
    assert answer.headers["location"] == f"/v1/bookings/{booked['id']}"
    assert (booked["id"], booked["minutes"], await lido.api.balance(ann["id"])) == (booking["id"], 180, (60, 180))
    code = booking.pop("code")
    assert booking.pop("made_at") == lido.clock.now.isoformat().replace("+00:00", "Z")
    assert booking == {
        "id": booked["id"],
        "person": ann["id"],
        "offer": swim,
        "title": "A swim",
        "venue": lido.venue,
        "venue_name": "The lido",
        "site": None,
        "occasion": None,
        "course": None,
        "visit_at": "2026-11-21T10:00:00Z",
        "cancel_until": "2026-11-20T10:00:00Z",
        "party": {"adults": 1, "children": 2, "young": 0, "companion": False},
        "minutes": 180,
        "status": "authorised",
        "group": None,
    }
    read = (await lido.api.get(f"/v1/bookings/{booked['id']}", ann["key"])).json()
    assert read["code"] == code
