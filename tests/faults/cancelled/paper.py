"""What is on paper, and what comes from before."""

from datetime import timedelta
from typing import Final

from tests.daytime import daytime
from tests.faults.cancelled.house import House, Prepare, Request


async def _fill(house: House, minutes: int) -> None:
    """Have so much more in the community's pot: of somebody who leaves."""
    lines = [{"name": f"Eve {house.number()}", "minutes": minutes}]
    (eve,) = (await house.api.made("/v1/openings", {"source": "timebank", "lines": lines}))["newcomers"]
    await house.api.made(f"/v1/people/{eve['person']}/erasure", {"give_to": "community"})


async def a_batch(house: House) -> Request:
    await _fill(house, 120)
    body = {
        "group": None,
        "label": "Winter swims",
        "minutes": 60,
        "count": 2,
        "last_day": f"{daytime() + timedelta(days=90):%Y-%m-%d}",
    }
    return Request("/v1/batches", body, entries=1)


async def an_end_of_a_batch(house: House) -> Request:
    asked = await a_batch(house)
    batch = (await house.api.made(asked.path, asked.body))["id"]
    return Request(f"/v1/batches/{batch}/void", entries=1)


async def notes(house: House) -> Request:
    ann = await house.person()
    serials = [f"SP-{house.number()}" for _ in range(2)]
    body = {"person": ann["id"], "notes": [{"serial": serial, "minutes": 60} for serial in serials]}
    return Request("/v1/notes", body, entries=1)


async def balances(house: House) -> Request:
    ann = await house.person()
    lines = [{"person": ann["id"], "minutes": 60}, {"name": f"Bob {house.number()}", "minutes": 45}]
    return Request("/v1/openings", {"source": "timebank", "lines": lines}, entries=2)


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/batches"): a_batch,
    ("POST", "/v1/batches/{batch}/void"): an_end_of_a_batch,
    ("POST", "/v1/notes"): notes,
    ("POST", "/v1/openings"): balances,
}
