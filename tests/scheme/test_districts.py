"""Districts and postcodes, and loading a list of them."""

import asyncpg
import pytest

from ledger.database import Database
from ledger.scheme.districts import ROWS_MAX, District, Districts, Loaded, district, postcode
from ledger.scheme.refusals import Declined, Refusal

POSTCODES = [
    # as told, as written, its district
    ("CB4 1DQ", "CB4 1DQ", "CB4"),
    ("cb41dq", "CB4 1DQ", "CB4"),
    ("m11ae", "M1 1AE", "M1"),
    ("M60 1NW", "M60 1NW", "M60"),
    ("cr26xh", "CR2 6XH", "CR2"),
    ("DN551PT", "DN55 1PT", "DN55"),
    ("w1a0ax", "W1A 0AX", "W1A"),
    ("ec1a 1bb", "EC1A 1BB", "EC1A"),
]


@pytest.mark.parametrize(("told", "written", "first_half"), POSTCODES)
def test_a_postcode_has_a_space_and_a_first_half(told: str, written: str, first_half: str) -> None:
    assert (postcode(told), district(told), district(first_half.lower())) == (written, first_half, first_half)


async def test_a_list_is_loaded_again_and_only_what_differs_is_written(
    database: Database, owner: asyncpg.Connection
) -> None:
    districts = Districts(database)
    first = [District("CB4", 52.2, 0.1), District("CB1", 52.1, 0.2), District("W1A", 51.5, -0.14)]
    assert await districts.load(first) == Loaded(districts=3, new=3, changed=0)
    assert await districts.load(first) == Loaded(districts=3, new=0, changed=0)
    second = [District("CB4", 52.25, 0.1), District("CB1", 52.1, 0.2), District("EC1A", 51.52, -0.1)]
    assert await districts.load(second) == Loaded(districts=3, new=1, changed=1)
    stand = await owner.fetch("SELECT name, latitude, longitude FROM scheme.district ORDER BY name")
    assert [tuple(row) for row in stand] == [
        ("CB1", 52.1, 0.2),
        ("CB4", 52.25, 0.1),
        ("EC1A", 51.52, -0.1),
        ("W1A", 51.5, -0.14),  # what a list leaves out stays
    ]


@pytest.mark.parametrize("count", [0, ROWS_MAX + 1])
async def test_a_list_is_bounded(database: Database, count: int) -> None:
    with pytest.raises(Declined) as declined:
        await Districts(database).load([District("CB4", 52.2, 0.1)] * count)
    assert (declined.value.reason, declined.value.fields[0][0]) == (Refusal.WRONG_VALUES, "districts")
