"""Opening balances: what people had elsewhere, taken over from a list, all of it or nothing."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.scheme.openings import LINES_MAX, MINUTES_MAX
from tests.doors.house import Api
from tests.doors.test_api_notes import faults
from tests.doors.test_api_registers import refusal
from tests.journal.conftest import audit

NOBODY = str(uuid4())


def listed(*lines: dict[str, Any], source: str = "timebank") -> dict[str, Any]:
    return {"source": source, "lines": list(lines)}


async def test_each_line_is_an_entry_and_newcomers_get_a_wallet(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    body = listed({"person": ann["id"], "minutes": 150}, {"name": "Bob", "minutes": 7}, {"name": "Bob", "minutes": 8})
    first, again = await api.post("/v1/openings", body, key="k"), await api.post("/v1/openings", body, key="k")
    opened = first.json()
    assert (first.status_code, opened["source"], opened["lines"], opened["minutes"]) == (201, "timebank", 3, 165)
    assert (again.json(), again.headers["idempotency-replayed"]) == (opened, "true")
    assert await api.balance(ann["id"]) == (150, 0)
    assert [newcomer["line"] for newcomer in opened["newcomers"]] == [1, 2]
    for newcomer, minutes in zip(opened["newcomers"], (7, 8), strict=True):
        assert (await api.get(f"/v1/people/{newcomer['person']}")).json()["name"] == "Bob"
        assert await api.balance(newcomer["person"]) == (minutes, 0)
    (line,) = (await api.get(f"/v1/people/{ann['id']}/statement")).json()["lines"]
    assert (line["other"], line["entry"]) == ("opening:timebank", opened["id"])
    assert await api.trial_balance() == {"opening": -165, "wallet": 165}
    told = await owner.fetch("SELECT holder, body FROM scheme.outbox WHERE topic = 'balance_opened' ORDER BY body")
    assert [row["body"] for row in told] == ['{"minutes":150}', '{"minutes":7}', '{"minutes":8}']
    assert told[0]["holder"] == UUID(ann["holder"])
    await audit(owner)


async def test_the_answer_that_is_kept_has_no_name(api: Api, owner: asyncpg.Connection) -> None:
    await api.made("/v1/openings", listed({"name": "Bartholomew", "minutes": 60}))
    assert "Bartholomew" not in await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'open_balances'")


ANN = "{ann}"


@pytest.mark.parametrize(
    ("body", "status", "field", "said"),
    [
        (listed(), 422, "lines", "at least 1"),
        (listed(*[{"name": "Bob", "minutes": 60}] * (LINES_MAX + 1)), 422, "lines", "at most 5000"),
        (listed({"name": "Bob", "minutes": 0}), 422, "lines[0].minutes", "at least 1"),
        (listed({"name": "Bob", "minutes": -60}), 422, "lines[0].minutes", "at least 1"),
        (listed({"name": "Bob", "minutes": MINUTES_MAX + 1}), 422, "lines[0].minutes", "at most 60000"),
        (listed({"name": "Bob", "minutes": 10**23}), 422, "lines[0].minutes", ""),
        (listed({"name": "Bob", "minutes": "60"}), 400, "lines[0].minutes", "whole number"),
        (listed({"name": "Bob", "minutes": True}), 400, "lines[0].minutes", "whole number"),
        (listed({"name": "Bob"}), 400, "lines[0].minutes", "is required"),
        (listed({"minutes": 60}), 422, "lines[0]", "one of person and name"),
        (listed({"name": "Bob", "person": ANN, "minutes": 60}), 422, "lines[0]", "one of person and name"),
        (listed({"person": ANN, "minutes": 60, "another": True}), 422, "lines[0].another", "goes with a name"),
        (listed({"name": "", "minutes": 60}), 422, "lines[0].name", "at least 1"),
        (listed({"person": "ann", "minutes": 60}), 400, "lines[0].person", ""),
        (listed({"person": NOBODY, "minutes": 60}), 422, "lines[0].person", "nobody of this scheme"),
        (listed({"person": ANN, "minutes": 1}, {"person": ANN, "minutes": 2}), 422, "lines[1].person", "in lines[0]"),
        (listed({"name": "Bob", "minutes": 60}, {"person": NOBODY, "minutes": 1}), 422, "lines[1].person", "nobody"),
        (listed({"name": "Bob", "minutes": 60}, source="Time bank"), 422, "source", "small letters"),
        (listed({"name": "Bob", "minutes": 60}, source="notes"), 422, "source", "paper notes"),
        (listed({"name": "Bob", "minutes": 60, "balance": 1}), 400, "lines[0].balance", ""),
    ],
)
async def test_a_wrong_list_is_told_by_its_lines_and_nothing_is_written(
    api: Api, body: dict[str, Any], status: int, field: str, said: str
) -> None:
    ann = await api.person()
    lines = [{name: ann["id"] if value == ANN else value for name, value in line.items()} for line in body["lines"]]
    refused = await api.post("/v1/openings", {**body, "lines": lines}, key="k")
    assert refused.status_code == status, refused.text
    assert field in faults(refused), faults(refused)
    assert said in faults(refused)[field], faults(refused)
    assert [person["name"] for person in (await api.get("/v1/people")).json()["people"]] == ["Ann"]
    mended = await api.post("/v1/openings", listed({"person": ann["id"], "minutes": 60}), key="k")
    assert mended.status_code == 201, "a list that was wrong can be mended and sent again"


async def test_of_one_source_everybody_has_one(api: Api) -> None:
    ann = await api.person()
    await api.made("/v1/openings", listed({"person": ann["id"], "minutes": 60}))
    mended = listed({"person": ann["id"], "minutes": 90}, {"name": "Bob", "minutes": 60})
    refused = await api.post("/v1/openings", mended)
    assert (refusal(refused), faults(refused)) == (
        (422, "wrong_values"),
        {"lines[0].person": "has an opening balance from timebank already"},
    )
    await api.made("/v1/openings", listed({"person": ann["id"], "minutes": 30}, source="tempo"))
    assert await api.balance(ann["id"]) == (90, 0)
    assert await api.trial_balance() == {"opening": -90, "wallet": 90}


async def test_a_name_that_came_with_an_earlier_list_comes_again_only_as_another(api: Api) -> None:
    first = listed({"name": "Bob", "minutes": 60}, {"name": "Eve Hall", "minutes": 45})
    await api.made("/v1/openings", first)
    refused = await api.post("/v1/openings", first)
    assert (refusal(refused), faults(refused)) == (
        (422, "wrong_values"),
        {f"lines[{number}].name": "is that of somebody who had theirs from timebank" for number in range(2)},
    )
    spelt = await api.post("/v1/openings", listed({"name": "EVE hall", "minutes": 45}, {"name": "Di", "minutes": 1}))
    assert list(faults(spelt)) == ["lines[0].name"]
    await api.made("/v1/openings", listed({"name": "Bob", "minutes": 30, "another": True}))
    await api.made("/v1/openings", listed({"name": "Bob", "minutes": 15}, source="tempo"))
    assert await api.trial_balance() == {"opening": -150, "wallet": 150}


async def test_of_two_lists_of_the_same_names_at_once_one_wins(api: Api) -> None:
    body = listed({"name": "Bob", "minutes": 60}, {"name": "Eve", "minutes": 45})
    answers = await asyncio.gather(*(api.post("/v1/openings", body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 5]
    assert await api.trial_balance() == {"opening": -105, "wallet": 105}


async def test_of_two_lists_at_once_that_share_somebody_one_wins(api: Api, owner: asyncpg.Connection) -> None:
    people = [(await api.person())["id"] for _ in range(6)]
    lines = [{"person": person, "minutes": 60} for person in people]
    answers = await asyncio.gather(
        *(api.post("/v1/openings", listed(*order)) for order in (lines, lines[::-1], lines[:3], lines[3:]))
    )
    won = [answer.json()["minutes"] for answer in answers if answer.status_code == 201]
    assert won in ([360], [180, 180], [180]), "never somebody twice"
    assert await api.trial_balance() == {"opening": -sum(won), "wallet": sum(won)}
    assert {(await api.balance(person))[0] for person in people} <= {0, 60}
    await audit(owner)


async def test_a_list_of_all_that_fits_is_taken_over(api: Api) -> None:
    lines = [{"name": f"Person {number}", "minutes": number} for number in range(1, LINES_MAX + 1)]
    opened = await api.made("/v1/openings", listed(*lines))
    total = LINES_MAX * (LINES_MAX + 1) // 2
    assert (opened["lines"], opened["minutes"], len(opened["newcomers"])) == (LINES_MAX, total, LINES_MAX)
    assert await api.trial_balance() == {"opening": -total, "wallet": total}
