"""Paper notes of the scheme before this one: each is taken in once, for ever."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.scheme.notes import NOTES_MAX, as_read
from tests.doors.house import Api
from tests.doors.test_api_registers import refusal
from tests.journal.conftest import audit


def brought(person: str, *serials: str, minutes: int = 60) -> dict[str, Any]:
    return {"person": person, "notes": [{"serial": serial, "minutes": minutes} for serial in serials]}


def faults(answer: httpx.Response) -> dict[str, str]:
    return {field["field"]: field["message"] for field in answer.json()["fields"]}


async def test_what_notes_are_worth_goes_into_a_wallet_in_one_entry(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    body = {"person": ann["id"], "notes": [{"serial": "SP-1", "minutes": 60}, {"serial": "SP-2", "minutes": 30}]}
    first, again = await api.post("/v1/notes", body, key="k"), await api.post("/v1/notes", body, key="k")
    taken = first.json()
    assert (first.status_code, taken["notes"], taken["minutes"], taken["person"]) == (201, 2, 90, ann["id"])
    assert (again.json(), again.headers["idempotency-replayed"]) == (taken, "true")
    assert await api.balance(ann["id"]) == (90, 0)
    assert await api.trial_balance() == {"opening": -90, "wallet": 90}
    entry = (await api.get(first.headers["location"])).json()
    assert [(one["debit"], one["minutes"]) for one in entry["transfers"]] == [("opening:notes", 90)]
    assert await owner.fetchval("SELECT body FROM scheme.outbox WHERE topic = 'notes_taken'") == '{"minutes":90}'
    acts = await api.acts(ann["id"])
    assert [(act["verb"], act["object"]) for act in acts] == [("notes_taken", taken["id"])]
    await audit(owner)


@pytest.mark.parametrize(
    ("typed", "read"),
    [("sp-104 882", "SP104882"), ("SP104882", "SP104882"), (" s p-1-", "SP1"), ("CB/01.7#A", "CB/01.7#A"), ("--", "")],
)
def test_a_serial_is_the_same_however_it_is_typed(typed: str, read: str) -> None:
    assert as_read(typed) == read


async def test_the_same_note_typed_in_another_way_is_the_same_request(api: Api) -> None:
    ann = await api.person()
    await api.made("/v1/notes", brought(ann["id"], "sp-1"), key="k")
    again = await api.post("/v1/notes", brought(ann["id"], "SP 1"), key="k")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")


async def test_a_note_that_is_known_stops_all_and_is_named(api: Api) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    await api.made("/v1/notes", brought(ann["id"], "A1", "A2"))
    refused = await api.post("/v1/notes", brought(bob["id"], "B1", "a-2", "B2", "A 1"), key="k")
    assert refusal(refused) == (409, "already_used")
    assert faults(refused) == {
        "notes[1].serial": "was taken in before",
        "notes[3].serial": "was taken in before",
    }
    again = await api.post("/v1/notes", brought(bob["id"], "B1", "a-2", "B2", "A 1"), key="k")
    assert (faults(again), again.headers["idempotency-replayed"]) == (faults(refused), "true")
    assert await api.balance(bob["id"]) == (0, 0)
    await api.made("/v1/notes", brought(bob["id"], "B1", "B2"))
    assert await api.balance(bob["id"]) == (120, 0)


@pytest.mark.parametrize(
    ("notes", "status", "field", "said"),
    [
        ([], 422, "notes", "at least 1"),
        ([{"serial": "A1", "minutes": 60}] * (NOTES_MAX + 1), 422, "notes", "at most 100"),
        ([{"serial": "A1", "minutes": 60}, {"serial": "a 1", "minutes": 60}], 422, "notes[1].serial", "notes[0] too"),
        ([{"serial": " - ", "minutes": 60}], 422, "notes[0].serial", "a letter or a digit"),
        ([{"serial": "", "minutes": 60}], 422, "notes[0].serial", "at least 1"),
        ([{"serial": "A" * 65, "minutes": 60}], 422, "notes[0].serial", "at most 64"),
        ([{"serial": "A\u2013" + "1", "minutes": 60}], 422, "notes[0].serial", "letters, digits"),
        ([{"serial": "A1\n", "minutes": 60}], 422, "notes[0].serial", "letters, digits"),
        ([{"serial": "A1", "minutes": 0}], 422, "notes[0].minutes", "at least 1"),
        ([{"serial": "A1", "minutes": -60}], 422, "notes[0].minutes", "at least 1"),
        ([{"serial": "A1", "minutes": 6_001}], 422, "notes[0].minutes", "at most 6000"),
        ([{"serial": "A1", "minutes": 60.0}], 400, "notes[0].minutes", "must be a whole number"),
        ([{"serial": "A1"}], 400, "notes[0].minutes", "is required"),
    ],
)
async def test_wrong_notes_are_told_by_their_place_and_nothing_is_written(
    api: Api, notes: list[object], status: int, field: str, said: str
) -> None:
    ann = await api.person()
    refused = await api.post("/v1/notes", {"person": ann["id"], "notes": notes}, key="k")
    assert refused.status_code == status, refused.text
    assert said in faults(refused).get(field, ""), faults(refused)
    mended = await api.post("/v1/notes", brought(ann["id"], "A1"), key="k")
    assert mended.status_code == 201, "the note is as new, and so is the key"
    assert await api.balance(ann["id"]) == (60, 0)


async def test_nobody_is_given_what_nobody_brought(api: Api) -> None:
    assert refusal(await api.post("/v1/notes", brought(str(uuid4()), "A1"))) == (404, "not_found")


async def test_of_two_who_bring_one_note_at_once_one_wins(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    for number in range(8):
        # In opposite orders: who waits for whom would otherwise hang on the order they were typed in.
        one, two = f"N{number}", f"M{number}"
        answers = await asyncio.gather(
            api.post("/v1/notes", brought(ann["id"], one, two)), api.post("/v1/notes", brought(bob["id"], two, one))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
    taken = await owner.fetch("SELECT holder, count(*) FROM scheme.note GROUP BY holder")
    assert sum(row["count"] for row in taken) == 16
    for person in (ann, bob):
        brought_in = sum(60 * row["count"] for row in taken if row["holder"] == UUID(person["holder"]))
        assert await api.balance(person["id"]) == (brought_in, 0)
    assert await api.trial_balance() == {"opening": -960, "wallet": 960}
    await audit(owner)


async def test_who_brought_notes_finds_them_in_their_copy_and_a_serial_outlives_an_erasure(api: Api) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    taken = await api.made("/v1/notes", brought(ann["id"], "sp-1"))
    notes = (await api.get(f"/v1/people/{ann['id']}/copy")).json()["notes"]
    assert [(note["serial"], note["minutes"], note["entry"]) for note in notes] == [("SP1", 60, taken["id"])]
    await api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert refusal(await api.post("/v1/notes", brought(bob["id"], "SP1"))) == (409, "already_used")
