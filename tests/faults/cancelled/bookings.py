"""What is booked beforehand."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from tests.daytime import daytime
from tests.faults.cancelled.house import House, Request


async def _wanted(house: House) -> dict[str, object]:
    ann = await house.person()
    await house.api.give(house.project, {ann["id"]: 60})
    return {"person": ann["id"], "offer": house.offer, "visit_at": _in(days=2)}


async def _booked(house: House) -> str:
    return str((await house.api.made("/v1/bookings", await _wanted(house)))["id"])


def _in(*, days: int) -> str:
    return (daytime() + timedelta(days=days)).isoformat()


async def a_booking(house: House) -> Request:
    return Request("/v1/bookings", await _wanted(house), entries=1)


async def a_change(house: House) -> Request:
    booking = await _booked(house)
    return Request(f"/v1/bookings/{booking}/change", {"visit_at": _in(days=3)}, entries=2)


async def a_cancellation(house: House) -> Request:
    return Request(f"/v1/bookings/{await _booked(house)}/cancel", {}, entries=1)


async def a_no_show(house: House) -> Request:
    booking = await _booked(house)
    then = "UPDATE scheme.booking SET visit_at = made_at, cancel_until = made_at WHERE id = $1"
    await house.owner.execute(then, UUID(booking))
    return Request(f"/v1/bookings/{booking}/no-show", token=house.till, entries=1)


ROUTES: Final = {
    ("POST", "/v1/bookings"): a_booking,
    ("POST", "/v1/bookings/{booking}/change"): a_change,
    ("POST", "/v1/bookings/{booking}/cancel"): a_cancellation,
    ("POST", "/v1/bookings/{booking}/no-show"): a_no_show,
}
