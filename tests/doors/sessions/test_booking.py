"""People are booked onto sessions, by a project, themselves or a helper, as far as there are places."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import blocked
from tests.doors.house import Api
from tests.doors.sessions.conftest import Wall, act, book, fields, listed, opportunity, planned, refusal


async def test_a_project_expects_somebody(api: Api, wall: Wall) -> None:
    project, ann = await api.project(), await api.person()
    session, key = await planned(api, wall, project), await api.key("project", project)
    answer = await book(api, session, ann["id"], key)
    assert answer.status_code == 201
    assert answer.json() == {
        "session": session,
        "person": ann["id"],
        "name": "Ann",
        "state": "expected",
        "checked_in_at": None,
        "checked_out_at": None,
        "minutes": None,
        "claim": None,
    }
    assert (await book(api, session, ann["id"], key)).json() == answer.json()
    assert (await api.get(f"/v1/sessions/{session}")).json()["taken"] == 1
    nobody = await book(api, session, str(uuid4()), key)
    assert (refusal(nobody), fields(nobody)) == ((422, "wrong_values"), ["person"])
    assert (await act(api, session, ann["id"], "unbook", None, key)).status_code == 204
    assert refusal(await act(api, session, ann["id"], "unbook", None, key)) == (404, "not_found")
    assert await listed(api, session) == []


async def test_people_book_for_themselves_and_helpers_for_them_what_is_published(
    api: Api, wall: Wall, owner: asyncpg.Connection
) -> None:
    project, ann, bob, eve = (
        await api.project(),
        await api.person(),
        await api.person("Bob"),
        await api.person("Eve"),
    )
    what = await opportunity(api, project)
    session, private = await planned(api, wall, project, opportunity=what), await planned(api, wall, project)
    own, helper, stranger = [await api.key("person", person=one["id"]) for one in (ann, bob, eve)]
    await owner.execute(
        "INSERT INTO scheme.helping (id, helped, helper, may, began_at, began_by) "
        "SELECT gen_random_uuid(), $1, u.helper, u.may, $4, $1 "
        "FROM (VALUES ($2::uuid, ARRAY['book']), ($3::uuid, ARRAY['balance'])) u (helper, may)",
        *(UUID(one["id"]) for one in (ann, bob, eve)),
        wall.now,
    )
    for token, there, status in [
        (own, session, 201),
        (helper, session, 201),
        (stranger, session, 404),  # helps, but may not book
        (own, private, 404),
        (own, str(uuid4()), 404),
    ]:
        assert (await book(api, there, ann["id"], token)).status_code == status
    assert (await book(api, session, str(uuid4()), own)).status_code == 404
    assert (await act(api, session, ann["id"], "unbook", None, stranger)).status_code == 404
    assert (await act(api, session, ann["id"], "unbook", None, helper)).status_code == 204
    acts = await owner.fetch("SELECT verb, by FROM scheme.act WHERE object = $1", UUID(session))
    assert [(row["verb"], str(row["by"])) for row in acts] == [("cancel_booking", bob["holder"])]
    await owner.execute("UPDATE scheme.helping SET ended_at = $1, ended_by = helped", wall.now)
    assert (await book(api, session, ann["id"], helper)).status_code == 404
    # Who was booked by the project may cancel, published or not.
    await book(api, private, ann["id"])
    assert (await act(api, private, ann["id"], "unbook", None, own)).status_code == 204
    await api.made(f"/v1/opportunities/{what}/pause")
    assert (await book(api, session, ann["id"], own)).status_code == 404


async def test_many_at_once_for_the_last_places(api: Api, wall: Wall, owner: asyncpg.Connection) -> None:
    project = await api.project()
    what = await opportunity(api, project, places=2)
    session, people = (
        await planned(api, wall, project, opportunity=what),
        [await api.person(f"P{number}") for number in range(6)],
    )
    async with owner.transaction():
        # Everybody gets as far as they can without writing, before the first may write.
        await owner.execute("LOCK TABLE scheme.attendance IN SHARE ROW EXCLUSIVE MODE")
        booking = [asyncio.create_task(book(api, session, person["id"])) for person in people]
        await blocked(owner, len(people))
    answers = await asyncio.gather(*booking)
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 4
    assert {refusal(answer) for answer in answers if answer.status_code == 409} == {(409, "places_full")}
    first = next(person for person, answer in zip(people, answers, strict=True) if answer.status_code == 201)
    last = next(person for person, answer in zip(people, answers, strict=True) if answer.status_code == 409)
    assert (await book(api, session, first["id"])).status_code == 201, "who is booked stays booked"
    await act(api, session, first["id"], "unbook")
    assert (await book(api, session, last["id"])).status_code == 201
    # An absent person's place is free, and whoever stands at the door is recorded in any case.
    wall.set("10:15")
    await act(api, session, last["id"], "absent")
    assert (await book(api, session, first["id"])).status_code == 201
    assert refusal(await book(api, session, last["id"])) == (409, "places_full")
    assert (await act(api, session, last["id"], "check-in")).status_code == 200
    assert (await api.get(f"/v1/sessions/{session}")).json()["taken"] == 3


async def test_a_list_by_name_page_by_page(api: Api, wall: Wall) -> None:
    session = await planned(api, wall, await api.project())
    for name in ("dan", "Ann", "bea", "Ann", "Cem"):
        await book(api, session, (await api.person(name))["id"])
    path = f"/v1/sessions/{session}/attendances"
    seen: list[str] = []
    page = (await api.get(path, limit=2)).json()
    while True:
        seen += [one["name"] for one in page["attendances"]]
        if page["next"] is None:
            break
        page = (await api.get(path, limit=2, cursor=page["next"])).json()
    assert seen == ["Ann", "Ann", "bea", "Cem", "dan"]


@pytest.mark.parametrize("what", ["erased", "unbooked", "renamed"])
async def test_a_list_goes_on_where_it_was_whatever_became_of_the_last_one_shown(
    api: Api, wall: Wall, what: str
) -> None:
    session = await planned(api, wall, await api.project())
    people = {name: (await api.person(name))["id"] for name in ("Ann", "bea", "Cem", "dan")}
    for person in people.values():
        await book(api, session, person)
    path = f"/v1/sessions/{session}/attendances"
    page = (await api.get(path, limit=2)).json()
    if what == "erased":
        await api.made(f"/v1/people/{people['bea']}/erasure", {"give_to": "community"})
    elif what == "unbooked":
        await act(api, session, people["bea"], "unbook")
    else:
        await api.send("PATCH", f"/v1/people/{people['bea']}", {"name": "Zoe"})
    rest = (await api.get(path, cursor=page["next"])).json()["attendances"]
    assert [one["name"] for one in rest] == ["Cem", "dan"] + ["Zoe"] * (what == "renamed")
