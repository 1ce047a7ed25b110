"""Roles: given and ended by staff, and all of it at once when somebody leaves."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from ledger.database import Database
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.devices import Devices, NewDevice
from ledger.scheme.leaving import Leaving
from ledger.scheme.refusals import Declined
from ledger.scheme.roles import ASKED_LASTS, ROLES_MAX, Grant, Role
from ledger.scheme.sign_ins import SignIns, Strength
from tests.daytime import daytime
from tests.doors.house import Api

NOBODY = "00000000-0000-4000-8000-000000000000"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def granted(api: Api, person: str, role: str = "staff", **place: str) -> dict[str, Any]:
    """A role of theirs; that of the staff as only the operator gives it alone."""
    if role == "staff":
        made, _ = await api.roles.grant(OPERATOR, uuid4().hex, Grant(person=UUID(person), role=Role.STAFF))
        return dict(msgspec.to_builtins(made))
    return await api.made("/v1/roles", {"person": person, "role": role, **place})


async def roles_of(api: Api, person: str, token: str | None = None) -> list[tuple[str, str | None]]:
    answer = await api.get(f"/v1/people/{person}/roles", token)
    assert answer.status_code == 200, answer.text
    return [(role["role"], role["place"]) for role in answer.json()["roles"]]


async def staff(api: Api, name: str) -> tuple[str, str]:
    """One of the staff, and a key of theirs that speaks for the scheme."""
    person = (await api.person(name))["id"]
    await granted(api, person)
    return person, await api.key("scheme", person=person)


async def test_a_role_is_granted_at_its_place_and_ended(api: Api, owner: asyncpg.Connection) -> None:
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    await granted(api, ann["id"], "manager", venue=venue)
    for role in ("coordinator", "approver"):
        await granted(api, ann["id"], role, project=project)
    made = await granted(api, ann["id"], "auditor")
    assert (made["person"], made["project"], made["venue"], made["ended_at"]) == (ann["id"], None, None, None)
    own = await api.key("person", person=ann["id"])
    assert await roles_of(api, ann["id"], own) == [
        ("approver", "Repair cafe"),
        ("auditor", None),
        ("coordinator", "Repair cafe"),
        ("manager", "Parkside pool"),
    ]
    ended = await api.made(f"/v1/roles/{made['id']}/end")
    assert ended["ended_at"]
    assert await api.made(f"/v1/roles/{made['id']}/end") == ended
    assert ("auditor", None) not in await roles_of(api, ann["id"])
    rows = await owner.fetch(
        "SELECT verb, holder, object FROM scheme.act WHERE object = $1 ORDER BY id", UUID(made["id"])
    )
    assert [tuple(row) for row in rows] == [
        (verb, UUID(ann["holder"]), UUID(made["id"])) for verb in ("role_granted", "role_ended")
    ]
    topics = await owner.fetch(
        "SELECT topic, holder FROM scheme.outbox WHERE object = $1 ORDER BY id", UUID(made["id"])
    )
    assert [tuple(row) for row in topics] == [tuple(row)[:2] for row in rows]


async def test_the_same_again_finds_the_role_that_they_have(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = (await api.person())["id"], await api.project()
    first = await granted(api, ann, "coordinator", project=project)
    assert await granted(api, ann, "coordinator", project=project) == first
    assert await owner.fetchval("SELECT count(*) FROM scheme.role") == 1
    await api.made(f"/v1/roles/{first['id']}/end")
    assert (await granted(api, ann, "coordinator", project=project))["id"] != first["id"]


@pytest.mark.parametrize(
    ("role", "place", "fields"),
    [
        ("coordinator", {}, ["project"]),
        ("approver", {"venue": "venue"}, ["project", "venue"]),
        ("coordinator", {"project": NOBODY}, ["project"]),
        ("manager", {}, ["venue"]),
        ("manager", {"venue": NOBODY}, ["venue"]),
        ("manager", {"venue": "venue", "project": "project"}, ["project"]),
        ("staff", {"project": "project"}, ["project"]),
        ("auditor", {"venue": "venue"}, ["venue"]),
    ],
)
async def test_a_role_names_its_place(api: Api, role: str, place: dict[str, str], fields: list[str]) -> None:
    places = {"project": await api.project(), "venue": await api.venue(), NOBODY: NOBODY}
    body = {"person": (await api.person())["id"], "role": role, **{name: places[of] for name, of in place.items()}}
    answer = await api.post("/v1/roles", body)
    assert refusal(answer) == (422, "wrong_values"), answer.text
    assert [fault["field"] for fault in answer.json()["fields"]] == fields


async def test_nobody_has_a_role_who_is_not_there_or_at_what_has_ended(api: Api) -> None:
    answer = await api.post("/v1/roles", {"person": NOBODY, "role": "staff"})
    assert (refusal(answer), answer.json()["fields"][0]["field"]) == ((422, "wrong_values"), "person")
    ann, project = (await api.person())["id"], await api.project()
    await api.made(f"/v1/projects/{project}/end")
    answer = await api.post("/v1/roles", {"person": ann, "role": "approver", "project": project})
    assert refusal(answer) == (409, "wrong_state")
    assert await roles_of(api, ann) == []


async def test_nobody_gives_themselves_a_role(api: Api) -> None:
    ann, anns = await staff(api, "Ann")
    answer = await api.post("/v1/roles", {"person": ann, "role": "auditor"}, anns)
    assert refusal(answer) == (409, "wrong_state")
    assert await roles_of(api, ann) == [("staff", None)]


async def test_staff_are_made_by_two_of_the_staff(api: Api) -> None:
    """So one of them doesn't make a second one of themselves, who agrees to whatever takes two."""
    (_, unas), (_, toms) = await staff(api, "Una"), await staff(api, "Tom")
    ann, bob = (await api.person("Ann"))["id"], (await api.person("Bob"))["id"]
    body = {"person": ann, "role": "staff"}
    assert refusal(await api.post("/v1/roles", body)) == (403, "staff_only"), "a key with nobody behind it"
    first = await api.made("/v1/roles", body, token=unas)
    again = await api.made("/v1/roles", body, token=unas)
    assert (first["waits"], again) == (True, first)
    assert await roles_of(api, ann) == []
    assert (await api.made("/v1/roles", {"person": bob, "role": "staff"}, token=toms))["waits"], "another matter"
    second = await api.made("/v1/roles", body, token=toms)
    assert (second["waits"], await roles_of(api, ann)) == (False, [("staff", None)])
    assert [act["verb"] for act in await api.acts(ann)] == ["staff_asked", "role_granted"]

    # What was asked for before is used up.
    await api.made(f"/v1/roles/{second['id']}/end")
    assert (await api.made("/v1/roles", body, token=toms))["waits"]


@pytest.mark.parametrize("since", ["they left", "it was long ago"])
async def test_who_asked_is_of_the_staff_and_asked_of_late(dsn: str, since: str) -> None:
    now = daytime()
    async with Api.running(dsn, clock=lambda: now) as api:
        (una, unas), (_, toms) = await staff(api, "Una"), await staff(api, "Tom")
        body = {"person": (await api.person("Ann"))["id"], "role": "staff"}
        await api.made("/v1/roles", body, token=unas)
        if since == "they left":
            await api.made(f"/v1/people/{una}/leave")
        else:
            now += ASKED_LASTS
        assert (await api.made("/v1/roles", body, token=toms))["waits"]


async def test_the_scheme_keeps_one_of_its_staff(api: Api) -> None:
    ann, anns = await staff(api, "Ann")
    [role] = (await api.get(f"/v1/people/{ann}/roles")).json()["roles"]
    erasure = {"give_to": "community"}
    paths = {f"/v1/roles/{role['id']}/end": None, f"/v1/people/{ann}/leave": None, f"/v1/people/{ann}/erasure": erasure}
    for path, body in paths.items():
        answer = await api.post(path, body, token=anns)
        assert refusal(answer) == (409, "wrong_state")
        assert "the last of the scheme's staff" in answer.json()["detail"]
    await staff(api, "Bob")
    assert (await api.made(f"/v1/roles/{role['id']}/end", token=anns))["ended_at"]


async def test_of_two_who_end_each_others_role_at_once_one_stays(api: Api) -> None:
    people = [await staff(api, name) for name in ("Ann", "Bob")]
    found = {each["person"]: each["id"] for each in (await api.get("/v1/roles")).json()["roles"]}
    answers = await asyncio.gather(
        api.post(f"/v1/roles/{found[people[1][0]]}/end", token=people[0][1]),
        api.post(f"/v1/people/{people[0][0]}/leave", token=people[1][1]),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
    assert len((await api.get("/v1/roles")).json()["roles"]) == 1


async def test_nobody_has_more_roles_than_can_be_told(api: Api) -> None:
    ann = (await api.person())["id"]
    for number in range(ROLES_MAX):
        await granted(api, ann, "coordinator", project=await api.project(f"Project {number}"))
    assert refusal(await api.post("/v1/roles", {"person": ann, "role": "staff"})) == (409, "wrong_state")


async def test_roles_are_listed_by_their_place_in_pages(api: Api) -> None:
    project, other, venue = await api.project(), await api.project("Choir"), await api.venue()
    ann, bob = await api.person("Ann"), await api.person("Bob")
    for person in (ann, bob):
        await granted(api, person["id"], "coordinator", project=project)
    await granted(api, bob["id"], "approver", project=other)
    await granted(api, bob["id"], "manager", venue=venue)
    gone = await granted(api, ann["id"], "manager", venue=venue)
    await api.made(f"/v1/roles/{gone['id']}/end")

    async def names(**wanted: str) -> list[tuple[str, str, str | None]]:
        found: list[tuple[str, str, str | None]] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await api.get("/v1/roles", limit=1, **wanted, **cursor)).json()
            found += [(role["name"], role["role"], role["place"]) for role in page["roles"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    ours = [("Ann", "coordinator", "Repair cafe"), ("Bob", "coordinator", "Repair cafe")]
    pool = [("Bob", "manager", "Parkside pool")]
    assert await names(project=project) == ours
    assert await names(venue=venue) == pool
    assert await names() == [*ours, ("Bob", "approver", "Choir"), *pool]
    cursor = (await api.get("/v1/roles", limit=1)).json()["next"]
    assert (await api.get("/v1/roles", project=project, cursor=cursor)).status_code == 400


async def test_with_a_role_end_the_keys_that_stood_on_it_and_no_others(api: Api) -> None:
    project, other, ann = await api.project(), await api.project("Choir"), await api.person()
    kept = {
        "a person's own": await api.key("person", person=ann["id"]),
        "at another project": await api.key("project", other, person=ann["id"]),
        "another's": await api.key("project", project, person=(await api.person("Bob"))["id"]),
        "nobody's": await api.key("project", project),
    }
    ended = await granted(api, ann["id"], "coordinator", project=project)
    made, key = await api.keys.create(Scope.PROJECT, UUID(project), "theirs", person=UUID(ann["id"]))
    await granted(api, (await api.person("Una"))["id"])
    office = await granted(api, ann["id"])
    await api.made(f"/v1/roles/{ended['id']}/end")
    assert (await api.get("/v1/rules", key)).status_code == 200, "it stands on another role of theirs"
    await api.made(f"/v1/roles/{office['id']}/end")
    assert (await api.get("/v1/rules", key)).status_code == 401
    assert {whose: (await api.get("/v1/rules", each)).status_code for whose, each in kept.items()} == dict.fromkeys(
        kept, 200
    )
    assert [(act["verb"], act["object"]) for act in (await api.acts(ann["id"]))[-2:]] == [
        ("role_ended", office["id"]),
        ("key_revoked", str(made.id)),
    ]


async def test_a_code_that_waits_ends_with_any_role_of_whoever_made_it(api: Api, database: Database) -> None:
    """A till in use stays, for it is the venue's."""
    ann, venue = await api.person(), await api.venue()
    role = await granted(api, ann["id"], "manager", venue=venue)
    code, till = await devices_of(database, UUID(ann["holder"]), UUID(venue))
    await api.made(f"/v1/roles/{role['id']}/end")
    assert refusal(await api.post("/v1/devices/enrol", {"code": code})) == (409, "code_unknown")
    assert (await api.get("/v1/rules", till)).status_code == 200


@pytest.mark.parametrize("scope", [Scope.SCHEME, Scope.PERSON, Scope.VENUE])
async def test_no_key_is_made_by_who_was_let_in_and_lost_their_role_meanwhile(api: Api, scope: Scope) -> None:
    ann, venue = await api.person(), UUID(await api.venue())
    then = Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=UUID(ann["holder"]))
    with pytest.raises(Declined):
        await api.keys.create(scope, venue if scope is Scope.VENUE else None, "late", by=then)
    assert (await api.get(f"/v1/venues/{venue}/devices")).json()["devices"] == []


async def test_anothers_roles_are_not_there(api: Api) -> None:
    ann, bob = (await api.person())["id"], await api.key("person", person=(await api.person("Bob"))["id"])
    await granted(api, ann)
    for person in (ann, NOBODY):
        assert refusal(await api.get(f"/v1/people/{person}/roles", bob)) == (404, "not_found")


@pytest.mark.parametrize("way", ["leave", "erasure"])
async def test_who_leaves_loses_all_at_once_and_stays_a_volunteer_unless_they_are_erased(
    api: Api, database: Database, owner: asyncpg.Connection, way: str
) -> None:
    project = await api.project()
    ann, bob = await api.person(), await api.person("Bob")
    await granted(api, bob["id"])
    for person in (ann, bob):
        await granted(api, person["id"], "coordinator", project=project)
    await api.give(project, {ann["id"]: 60})
    sign_ins = SignIns(database, daytime)
    cookies = {
        person["holder"]: await sign_ins.begin(Strength.PASSKEY, holder=UUID(person["holder"])) for person in (ann, bob)
    }
    keys = {
        person["holder"]: [
            await api.key("person", person=person["id"]),
            await api.key("project", project, person=person["id"]),
        ]
        for person in (ann, bob)
    }
    for person in (ann, bob):
        await proofs_of(owner, UUID(person["holder"]))

    venue = UUID(await api.venue())
    devices = {
        UUID(person["holder"]): await devices_of(database, UUID(person["holder"]), venue) for person in (ann, bob)
    }
    path, body = f"/v1/people/{ann['id']}/{way}", {"give_to": "community"} if way == "erasure" else {}
    left = await api.made(path, body, key="leaves")

    counts = {"roles": 1, "sign_ins": 1, "passkeys": 1, "codes": 1, "organisations": 1, "keys": 2, "devices": 2}
    if way == "leave":
        assert {name: left[name] for name in counts} == counts
    assert await api.made(path, body, key="leaves") == left
    assert await sign_ins.who(cookies[ann["holder"]]) is None
    assert await sign_ins.who(cookies[bob["holder"]]) is not None
    for holder, expected in ((ann["holder"], 401), (bob["holder"], 200)):
        for key in keys[holder]:
            assert (await api.get("/v1/rules", key)).status_code == expected
    for holder, (code, till) in devices.items():
        answers = (409, 401) if holder == UUID(ann["holder"]) else (200, 200)
        enrolled = await api.post("/v1/devices/enrol", {"code": code})
        assert (enrolled.status_code, (await api.get("/v1/rules", till)).status_code) == answers
    for table, live in LIVE.items():
        whose = "created_by" if table == "device" else "holder"
        found = await owner.fetch(f"SELECT {whose} AS holder FROM scheme.{table} WHERE {live}")
        assert {row["holder"] for row in found} == {UUID(bob["holder"])}, table
    if way == "erasure":
        return
    assert await roles_of(api, ann["id"]) == []
    assert await api.balance(ann["id"]) == (60, 0)
    act = await owner.fetchrow("SELECT holder, object FROM scheme.act WHERE verb = 'left'")
    assert act is not None
    assert tuple(act) == (UUID(ann["holder"]), None)
    assert await owner.fetchval("SELECT holder FROM scheme.outbox WHERE topic = 'left'") == UUID(ann["holder"])
    again = await api.made(f"/v1/people/{ann['id']}/leave")
    assert {name: again[name] for name in counts} == dict.fromkeys(counts, 0)


async def test_a_device_that_stands_where_it_belongs_is_kept_and_a_code_never(api: Api, database: Database) -> None:
    ann = await api.person()
    await granted(api, (await api.person("Bob"))["id"])
    holder, leaving = UUID(ann["holder"]), Leaving(database, daytime)
    made = [await devices_of(database, holder, UUID(await api.venue())) for _ in range(2)]
    kept, other = await leaving.devices(OPERATOR, UUID(ann["id"]))
    left, _ = await leaving.leave(OPERATOR, "leaves", UUID(ann["id"]), keep=[kept.id])
    assert left.devices == 3, "the other one, and both that waited for their codes"
    assert [(await api.get("/v1/rules", till)).status_code for _, till in made] == [401, 200]
    assert [each.id for each in await leaving.devices(OPERATOR, UUID(ann["id"]))] == [kept.id]
    acts = (await api.get("/v1/acts", verb="device_revoked")).json()["acts"]
    assert str(other.id) in [act["object"] for act in acts]
    assert len(acts) == left.devices
    anybody = Caller(key=holder, scope=Scope.PROJECT, object=holder, holder=holder)
    for work in (leaving.devices(anybody, UUID(ann["id"])), leaving.leave(anybody, "again", UUID(ann["id"]))):
        with pytest.raises(Declined):
            await work
    await api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert (await api.get("/v1/rules", made[1][1])).status_code == 200, "the office looked at it when they left"


async def test_a_code_that_was_made_while_they_left_is_not_taken(
    api: Api, database: Database, owner: asyncpg.Connection
) -> None:
    """It was asked for before, by somebody who was let in then, and is written after all else has ended."""
    ann = await api.person()
    code, _ = await devices_of(database, UUID(ann["holder"]), UUID(await api.venue()))
    await owner.execute(
        "INSERT INTO scheme.act (id, at, by, key, scope, holder, verb) VALUES ($1, $3, $1, $1, 'scheme', $2, 'left')",
        *(uuid4(), UUID(ann["holder"]), daytime()),
    )
    assert refusal(await api.post("/v1/devices/enrol", {"code": code})) == (409, "code_unknown")


async def test_nobody_leaves_who_is_not_there(api: Api) -> None:
    assert refusal(await api.post(f"/v1/people/{NOBODY}/leave")) == (404, "not_found")
    assert refusal(await api.post(f"/v1/roles/{NOBODY}/end")) == (404, "not_found")


async def test_who_is_erased_has_no_role_any_more(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    await granted(api, ann["id"], "coordinator", project=await api.project())
    await api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert await owner.fetchval("SELECT count(*) FROM scheme.role WHERE ended_at IS NULL") == 0
    assert (await api.get("/v1/roles")).json()["roles"] == []


LIVE = {
    "role": "ended_at IS NULL AND role = 'coordinator'",
    "sign_in": "ended_at IS NULL",
    "passkey": "ended_at IS NULL",
    "one_time": "used_at IS NULL",
    "vouched": "true",
    "api_key": "revoked_at IS NULL AND holder IS NOT NULL",
    "device": "revoked_at IS NULL",
    "recovery": "ended_at IS NULL AND agreed_at IS NULL",
}
"""By which somebody can act, or come to: each table, and what is live in it."""


async def proofs_of(owner: asyncpg.Connection, holder: UUID) -> None:
    """A passkey, an open link, an organisation that vouches for them, and a recovery that somebody asked for."""
    now = daytime()
    passkey = "INSERT INTO scheme.passkey VALUES ($1, $2, '\\x00', 0, 'my phone', $3)"
    await owner.execute(passkey, uuid4().bytes, holder, now)
    columns = "id, purpose, holder, link_hash, made_at, ends_at"
    link = f"INSERT INTO scheme.one_time ({columns}) VALUES ($1, 'sign_in', $2, $3, $4, $4)"
    await owner.execute(link, uuid4(), holder, uuid4().bytes * 2, now)
    await owner.execute(
        "INSERT INTO scheme.vouched VALUES ('https://id.example', $1, $2, $3)", str(holder), holder, now
    )
    asked = "INSERT INTO scheme.recovery (id, holder, asked_at, asked_by) VALUES ($1, $2, $3, $4)"
    await owner.execute(asked, uuid4(), holder, now, uuid4())


async def devices_of(database: Database, holder: UUID, venue: UUID) -> tuple[str, str]:
    """The code of a till that this holder of the staff expects, and the key of one that they had enrolled."""
    devices = Devices(database, daytime, "test")
    caller = Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=holder)
    codes = []
    for number in range(2):
        new = NewDevice(name=f"till {number}", venue=venue)
        codes.append((await devices.create(caller, f"{holder}-{venue}-{number}", new))[0].code)
    return codes[1], (await devices.enrol(codes[0])).token
