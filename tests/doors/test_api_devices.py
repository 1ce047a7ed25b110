"""Tills and kiosks over HTTP: made, enrolled by a code, moved and revoked; and what becomes of wrong codes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.scheme.codes import code_for, enrolment_code
from ledger.scheme.devices import ENROLLING_MAX, MADE_A_DAY
from tests.conftest import blocked
from tests.daytime import daytime
from tests.doors.house import Api

NOW = daytime().replace(microsecond=0)


class Clock:
    """Goes where it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(dsn: str, clock: Clock) -> AsyncIterator[Api]:
    async with Api.running(dsn, clock=clock) as api:
        yield api


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def enrol(api: Api, code: str) -> httpx.Response:
    """As a till sends it: without any key."""
    return await api.client.post("/v1/devices/enrol", json={"code": code})


async def expected(api: Api, venue: str, name: str = "the till") -> dict[str, Any]:
    return await api.made(f"/v1/venues/{venue}/devices", {"name": name})


def unknown_code() -> str:
    """One that reads well and is nobody's."""
    return code_for(b"?", "card", uuid4())


def unknown_enrolment() -> str:
    return enrolment_code(b"?", uuid4())


# --- enrolment ----------------------------------------------------------------------------------------------


async def test_a_till_is_enrolled_by_its_code_and_has_a_key_from_then_on(api: Api, owner: asyncpg.Connection) -> None:
    venue = await api.venue()
    made = await expected(api, venue)
    assert (made["device"]["status"], made["device"]["enrolled_at"]) == ("expected", None)
    enrolled = (await enrol(api, made["code"].lower().replace("-", " "))).json()
    assert enrolled["device"] == {
        **made["device"],
        "status": "active",
        "enrolled_at": enrolled["device"]["enrolled_at"],
    }
    ann, offer = await api.person(), await api.offer(venue)
    await api.give(await api.project(), {ann["id"]: 60})
    redeemed = await api.post("/v1/redemptions", await api.visit(offer, ann["id"]), enrolled["token"])
    assert redeemed.status_code == 201, redeemed.text
    key = await owner.fetchrow("SELECT scope, venue, device, label FROM scheme.api_key WHERE device IS NOT NULL")
    assert tuple(key or ()) == ("venue", UUID(venue), UUID(made["device"]["id"]), "the till")


async def test_no_code_or_token_is_stored(api: Api, owner: asyncpg.Connection) -> None:
    made = await expected(api, await api.venue())
    token = (await enrol(api, made["code"])).json()["token"]
    secrets = {made["code"].replace("-", ""), token.split("_")[3]}
    for table in ("device", "answer", "api_key", "outbox"):
        kept = str([tuple(row) for row in await owner.fetch(f"SELECT * FROM scheme.{table}")]).replace("-", "")
        assert not [secret for secret in secrets if secret in kept], table


async def test_the_same_key_makes_one_device_and_shows_the_same_code(api: Api) -> None:
    path = f"/v1/venues/{await api.venue()}/devices"
    first, again = [await api.post(path, {"name": "the till"}, key="till") for _ in range(2)]
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert told(await api.post(path, {"name": "the kiosk"}, key="till")) == (422, "key_reused")


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (timedelta(minutes=10) - timedelta(microseconds=1), 200),
        (timedelta(minutes=10), 409),
    ],
)
async def test_a_code_lasts_ten_minutes(timed: Api, clock: Clock, after: timedelta, status: int) -> None:
    made = await expected(timed, await timed.venue())
    clock.now += after
    assert (await enrol(timed, made["code"])).status_code == status


async def test_whether_a_code_is_unknown_was_used_is_over_or_revoked_is_not_told(timed: Api, clock: Clock) -> None:
    venue = await timed.venue()
    over, used, revoked = [await expected(timed, venue) for _ in range(3)]
    assert (await enrol(timed, used["code"])).status_code == 200
    await timed.made(f"/v1/devices/{revoked['device']['id']}/revoke")
    clock.now += timedelta(minutes=10)
    answers = []
    for code in (unknown_enrolment(), over["code"], used["code"], revoked["code"]):
        answer = (await enrol(timed, code)).json()
        del answer["request_id"]
        answers.append(answer)
    assert answers == [answers[0]] * 4
    assert (answers[0]["status"], answers[0]["code"]) == (409, "code_unknown")


async def test_of_two_that_have_the_same_code_one_is_enrolled(api: Api, owner: asyncpg.Connection) -> None:
    made = await expected(api, await api.venue())
    answers = await asyncio.gather(*(enrol(api, made["code"]) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
    assert await owner.fetchval("SELECT count(*) FROM scheme.api_key WHERE device IS NOT NULL") == 1


async def test_random_codes_are_not_heard_after_ten_and_staff_are_told(
    timed: Api, clock: Clock, owner: asyncpg.Connection
) -> None:
    made = await expected(timed, await timed.venue())
    answers = [told(await enrol(timed, unknown_enrolment())) for _ in range(12)]
    assert answers == [(409, "code_unknown")] * 10 + [(429, "try_again")] * 2
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'wrong_codes'") == 1
    assert (await enrol(timed, made["code"])).status_code == 200, "nobody keeps a till out by sending wrong ones"
    clock.now += timedelta(minutes=10)
    assert told(await enrol(timed, unknown_enrolment())) == (409, "code_unknown")


async def test_a_flood_of_codes_waits_for_one_connection_and_the_rest_hears_busy(
    api: Api, owner: asyncpg.Connection
) -> None:
    made = await expected(api, await api.venue())
    async with owner.transaction():
        # As if the database were slow: the right code waits for its row, and all behind it for their turn.
        await owner.execute("SELECT FROM scheme.device FOR UPDATE")
        first = asyncio.create_task(enrol(api, made["code"]))
        await blocked(owner)
        flood = {asyncio.create_task(enrol(api, unknown_enrolment())) for _ in range(30)}
        turned_away: set[asyncio.Task[httpx.Response]] = set()
        async with asyncio.timeout(10):
            while len(turned_away) < 30 - (ENROLLING_MAX - 1):
                done, flood = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
                turned_away |= done
        assert {told(task.result()) for task in turned_away} == {(503, "busy")}
        assert {task.result().headers["retry-after"] for task in turned_away} == {"1"}
        assert len(await blocked(owner)) == 1, "one connection, whatever was sent"
        assert (await api.get("/v1/people")).status_code == 200
    assert (await first).status_code == 200
    assert [told(await task) for task in flood] == [(409, "code_unknown")] * (ENROLLING_MAX - 1)


async def test_a_mistyped_code_costs_no_try(api: Api, owner: asyncpg.Connection) -> None:
    made = await expected(api, await api.venue())
    wrong = made["code"][:-1] + ("0" if made["code"][-1] != "0" else "1")
    for _ in range(20):
        answer = await enrol(api, wrong)
        assert told(answer) == (422, "wrong_values")
        assert answer.json()["fields"][0]["field"] == "code"
    assert await owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == 0


async def test_wrong_codes_do_not_empty_every_processes_memory(api: Api, owner: asyncpg.Connection) -> None:
    version = await owner.fetchval("SELECT version FROM scheme.directory")
    for _ in range(12):
        await enrol(api, unknown_enrolment())
    assert await owner.fetchval("SELECT version FROM scheme.directory") == version


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"code": 1}, 400), ({"code": "short"}, 422), ({"code": "0" * 41}, 422), ({"code": "U" * 14}, 422)],
)
async def test_bad_input_enrols_nothing(api: Api, body: object, status: int) -> None:
    answer = await api.client.post("/v1/devices/enrol", json=body)
    assert answer.status_code == status, answer.text


# --- a device's life ----------------------------------------------------------------------------------------


async def test_a_revoked_device_stops_at_once_in_every_process_with_all_its_keys(api: Api, dsn: str) -> None:
    venue = await api.venue()
    made = await expected(api, venue)
    tokens = [(await enrol(api, made["code"])).json()["token"]]
    body = {"scope": "venue", "object": venue, "label": "spare", "device": made["device"]["id"]}
    tokens.append((await api.made("/v1/keys", body))["token"])
    offer = await api.offer(venue)
    async with Api.running(dsn, scheme=api.scheme) as other:
        for service in (api, other):
            for token in tokens:
                assert (await service.get(f"/v1/offers/{offer}", token)).status_code == 200
        revoked = await api.made(f"/v1/devices/{made['device']['id']}/revoke")
        assert (revoked["status"], revoked["revoked_at"] is not None) == ("revoked", True)
        for service in (other, api):
            for token in tokens:
                assert (await service.get(f"/v1/offers/{offer}", token)).status_code == 401
    assert await api.made(f"/v1/devices/{made['device']['id']}/revoke") == revoked
    assert told(await api.post("/v1/keys", body)) == (422, "wrong_values")


async def test_a_key_is_for_a_device_of_its_venue(api: Api) -> None:
    venue, elsewhere = await api.venue(), await api.venue("The theatre")
    waits = (await expected(api, venue))["device"]["id"]
    made = await expected(api, elsewhere)
    await enrol(api, made["code"])
    for device in (made["device"]["id"], waits, str(uuid4())):
        answer = await api.post("/v1/keys", {"scope": "venue", "object": venue, "label": "x", "device": device})
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, "device")
    answer = await api.post("/v1/keys", {"scope": "scheme", "label": "x", "device": waits})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, "device")
    assert (await api.made("/v1/keys", {"scope": "venue", "object": venue, "label": "the kiosk"}))["device"]
    names = [each["name"] for each in (await api.get(f"/v1/venues/{venue}/devices")).json()["devices"]]
    assert names == ["the till", "the kiosk"]


async def test_a_device_is_called_another_and_moved_to_another_site_of_its_venue(
    api: Api, owner: asyncpg.Connection
) -> None:
    venue, elsewhere = await api.venue(), await api.venue("The theatre")
    sites = {name: uuid4() for name in ("north", "south", "closed", "another venue's")}
    for name, site in sites.items():
        await owner.execute(
            "INSERT INTO scheme.site (id, venue, name, address, created_at, closed_at)"
            " VALUES ($1, $2, $3, '', now(), CASE WHEN $3 = 'closed' THEN now() END)",
            *(site, UUID(elsewhere if name == "another venue's" else venue), name),
        )
    body = {"name": "the till", "site": str(sites["north"])}
    device = (await api.made(f"/v1/venues/{venue}/devices", body))["device"]
    path = f"/v1/devices/{device['id']}"
    assert (await api.send("PATCH", path, {"name": "the kiosk"})).json() == {**device, "name": "the kiosk"}
    moved = (await api.send("PATCH", path, {"site": str(sites["south"])})).json()
    assert (moved["name"], moved["site"]) == ("the kiosk", str(sites["south"]))
    assert (await api.send("PATCH", path, {"site": None})).json()["site"] is None
    for wrong in ("closed", "another venue's"):
        answer = await api.send("PATCH", path, {"site": str(sites[wrong])})
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, "site")
        created = await api.post(f"/v1/venues/{venue}/devices", {"name": "x", "site": str(sites[wrong])})
        assert (created.status_code, created.json()["fields"][0]["field"]) == (422, "site")
    for wrong_body in ({"name": None}, {"name": ""}, {"venue": elsewhere}, {"status": "active"}):
        assert (await api.send("PATCH", path, wrong_body)).status_code in {400, 422}
    await api.made(f"{path}/revoke")
    assert told(await api.send("PATCH", path, {"name": "x"})) == (409, "wrong_state")


async def test_the_list_goes_on_page_by_page(api: Api) -> None:
    venue = await api.venue()
    made = [(await expected(api, venue, f"till {number}"))["device"]["name"] for number in range(5)]
    path = f"/v1/venues/{venue}/devices"
    pages = [(await api.get(path, limit=2)).json()]
    while pages[-1]["next"] is not None:
        pages.append((await api.get(path, limit=2, cursor=pages[-1]["next"])).json())
    assert [[each["name"] for each in page["devices"]] for page in pages] == [made[:2], made[2:4], made[4:]]
    other = f"/v1/venues/{await api.venue()}/devices"
    assert (await api.get(other, cursor=pages[0]["next"])).status_code == 400
    assert (await api.get(other)).json() == {"devices": [], "next": None}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/venues/{}/devices", {"name": "x"}),
        ("GET", "/v1/venues/{}/devices", None),
        ("POST", "/v1/projects/{}/devices", {"name": "x"}),
        ("GET", "/v1/projects/{}/devices", None),
        ("PATCH", "/v1/devices/{}", {"name": "x"}),
        ("POST", "/v1/devices/{}/revoke", None),
    ],
)
async def test_what_is_not_there_is_not_found(api: Api, method: str, path: str, body: object) -> None:
    headers = {"authorization": f"Bearer {api.scheme}", "idempotency-key": "x"}
    answer = await api.client.request(method, path.format(uuid4()), json=body, headers=headers)
    assert told(answer) == (404, "not_found")


# --- a project's kiosks ---------------------------------------------------------------------------------------


async def test_a_project_makes_lists_renames_and_revokes_its_kiosks_and_anothers_are_not_there(api: Api) -> None:
    project, elsewhere = await api.project(), await api.project("Allotment")
    own, foreign = [await api.key("project", each) for each in (project, elsewhere)]
    path = f"/v1/projects/{project}/devices"
    made = await api.made(path, {"name": "the tablet"}, token=own)
    device = made["device"]
    assert {name: device[name] for name in ("kind", "project", "venue", "site", "status")} == {
        "kind": "kiosk",
        "project": project,
        "venue": None,
        "site": None,
        "status": "expected",
    }
    by_staff = (await api.made(path, {"name": "another"}))["device"]
    for token in (own, api.scheme):
        assert (await api.get(path, token)).json() == {"devices": [device, by_staff], "next": None}
    theirs = f"/v1/devices/{device['id']}"
    for method, where, body in (
        ("POST", path, {"name": "x"}),
        ("GET", path, None),
        ("PATCH", theirs, {"name": "x"}),
        ("POST", f"{theirs}/revoke", None),
    ):
        headers = {"authorization": f"Bearer {foreign}", "idempotency-key": "x"}
        assert told(await api.client.request(method, where, json=body, headers=headers)) == (404, "not_found"), where
    renamed = await api.send("PATCH", theirs, {"name": "the door"}, own)
    assert renamed.json() == {**device, "name": "the door"}
    assert told(await api.send("PATCH", theirs, {"site": str(uuid4())}, own)) == (422, "wrong_values")
    assert (await api.made(f"{theirs}/revoke", token=own))["status"] == "revoked"
    assert [each["status"] for each in (await api.get(path, own)).json()["devices"]] == ["revoked", "expected"]


async def test_a_project_has_no_say_in_a_venues_tills(api: Api) -> None:
    venue, own = await api.venue(), await api.key("project", await api.project())
    till = (await expected(api, venue))["device"]["id"]
    assert told(await api.send("PATCH", f"/v1/devices/{till}", {"name": "x"}, own)) == (404, "not_found")
    assert told(await api.post(f"/v1/devices/{till}/revoke", token=own)) == (404, "not_found")


async def test_a_project_makes_ten_kiosks_a_day_itself_and_staff_make_more(timed: Api, clock: Clock) -> None:
    project = await timed.project()
    own, path = await timed.key("project", project), f"/v1/projects/{project}/devices"
    answers = await asyncio.gather(*(timed.post(path, {"name": "x"}, own) for _ in range(MADE_A_DAY + 1)))
    assert sorted(answer.status_code for answer in answers) == [201] * MADE_A_DAY + [409]
    assert (await timed.post(path, {"name": "x"})).status_code == 201
    assert told(await timed.post(path, {"name": "x"}, own)) == (409, "wrong_state")
    clock.now += timedelta(days=1)
    assert (await timed.post(path, {"name": "x"}, own)).status_code == 201


# --- wrong codes at a till ----------------------------------------------------------------------------------


async def test_ten_wrong_codes_lock_a_till_for_an_hour_and_its_neighbour_works_on(timed: Api, clock: Clock) -> None:
    venue = await timed.venue()
    offer, till, kiosk = await timed.offer(venue), await timed.till(venue), await timed.till(venue)
    ann = await timed.person()
    await timed.give(await timed.project(), {ann["id"]: 240})
    good = await timed.visit(offer, ann["id"])
    for number in range(10):
        path = ("/v1/redemptions", "/v1/quotes")[number % 2]
        answer = await timed.post(path, {"offer": offer, "code": unknown_code()}, till)
        assert "code_unknown" in answer.text, answer.text
        clock.now += timedelta(minutes=1)
    for body in (good, {"offer": offer, "code": unknown_code()}):
        locked = await timed.post("/v1/redemptions", body, till)
        assert told(locked) == (429, "try_again")
        assert int(locked.headers["retry-after"]) <= 3600
    assert (await timed.post("/v1/redemptions", good, kiosk)).status_code == 201
    clock.now = NOW + timedelta(hours=1)
    assert (await timed.post("/v1/redemptions", good, till)).status_code == 201
    devices = (await timed.get(f"/v1/venues/{venue}/devices")).json()["devices"]
    assert {each["locked_until"] for each in devices} == {None, clock.now.isoformat().replace("+00:00", "Z")}


async def test_a_mistyped_a_stale_a_blocked_and_a_replayed_code_cost_no_try(
    timed: Api, clock: Clock, owner: asyncpg.Connection
) -> None:
    venue = await timed.venue()
    offer, till, ann = await timed.offer(venue), await timed.till(venue), await timed.person()
    own = await timed.key("person", person=ann["id"])
    await timed.made(f"/v1/people/{ann['id']}/pass", token=own)
    stale = (await timed.get(f"/v1/people/{ann['id']}/pass", own)).json()["code"]
    blocked = await timed.made(f"/v1/people/{ann['id']}/cards", {})
    await timed.made(f"/v1/credentials/{blocked['credential']['id']}/block")
    clock.now += timedelta(seconds=90)
    good = unknown_code()
    mistyped = good[:-1] + ("0" if good[-1] != "0" else "1")
    for code, reason in ((mistyped, "wrong_values"), (stale, "code_stale"), (blocked["code"], "card_blocked")):
        for _ in range(4):
            answer = await timed.post("/v1/redemptions", {"offer": offer, "code": code}, till)
            assert answer.json()["code"] == reason
    for _ in range(12):
        answer = await timed.post("/v1/redemptions", {"offer": offer, "code": good}, till, key="once")
        assert answer.json()["code"] == "code_unknown"
    assert await owner.fetchval("SELECT count(*) FROM scheme.wrong_code") == 1


async def test_wrong_slips_are_counted_by_who_types_them(api: Api) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    keys = {who["id"]: await api.key("person", person=who["id"]) for who in (ann, bob)}

    async def typed(who: dict[str, Any], key: str | None = None) -> tuple[int, str]:
        body = {"code": unknown_code(), "person": who["id"]}
        return told(await api.post("/v1/vouchers/claims", body, keys[who["id"]], key))

    assert [await typed(ann) for _ in range(10)] == [(409, "code_unknown")] * 10
    assert await typed(ann, "kept-for-later") == (429, "try_again")
    assert await typed(bob) == (409, "code_unknown")


# --- at once, everywhere ------------------------------------------------------------------------------------


async def test_the_old_card_is_known_as_replaced_at_once_in_a_second_process_and_the_new_one_works(
    api: Api, dsn: str
) -> None:
    venue = await api.venue()
    offer, till, ann = await api.offer(venue), await api.till(venue), await api.person()
    await api.give(await api.project(), {ann["id"]: 240})
    issued = await api.made(f"/v1/people/{ann['id']}/cards", {})

    async def shown(service: Api, code: str) -> tuple[int, str]:
        body = {"offer": offer, "code": code, "name_checked": True}
        return told(await service.post("/v1/redemptions", body, till))

    async with Api.running(dsn, scheme=api.scheme) as other:
        assert (await shown(other, issued["code"]))[0] == 201
        new = await api.made(f"/v1/credentials/{issued['credential']['id']}/replace")
        assert await shown(other, issued["code"]) == (409, "card_replaced")
        assert (await shown(other, new["code"]))[0] == 201
        await api.made(f"/v1/credentials/{new['credential']['id']}/block")
        assert await shown(other, new["code"]) == (409, "card_blocked")
        await other.made(f"/v1/credentials/{new['credential']['id']}/unblock")
        assert (await shown(api, new["code"]))[0] == 201
        await other.made(f"/v1/credentials/{new['credential']['id']}/revoke")
        assert await shown(api, new["code"]) == (409, "code_unknown")
        assert await api.balance(ann["id"]) == (60, 0)
