"""Cards and phone passes over HTTP: who may issue, show, block and end them, and what is known of them afterwards."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.scheme.codes import Pass, code_hash, pass_age, read_code, read_typed
from ledger.scheme.credentials import NEW_A_DAY
from tests.daytime import daytime
from tests.doors.house import Api, register

NOW = daytime().replace(minute=40, second=12, microsecond=0) + timedelta(hours=1)


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


class Cast(NamedTuple):
    """Ann with her key, Bob who helps her to book, Cy who only sees her balance, and desks."""

    ann: dict[str, Any]
    keys: dict[str, str]

    @property
    def cards(self) -> str:
        return f"/v1/people/{self.ann['id']}/cards"

    @property
    def listed(self) -> str:
        return f"/v1/people/{self.ann['id']}/credentials"

    @property
    def its_pass(self) -> str:
        return f"/v1/people/{self.ann['id']}/pass"


async def cast(api: Api) -> Cast:
    ann, bob, cy = [await api.person(name) for name in ("Ann", "Bob", "Cy")]
    for helper, may in ((bob, "book"), (cy, "balance")):
        await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": helper["id"], "may": [may]})
    project = await api.project()
    await api.give(project, {ann["id"]: 60})
    keys = {
        "the scheme": api.scheme,
        "her project": await api.key("project", project),
        "another project": await api.key("project", await api.project("Choir")),
        "a till": await api.till(await api.venue()),
        "herself": await api.key("person", person=ann["id"]),
        "her helper": await api.key("person", person=bob["id"]),
        "who sees her balance": await api.key("person", person=cy["id"]),
        "a stranger": await api.key("person", person=(await api.person("Di"))["id"]),
        "herself at work": await api.key("project", await api.project("Shed"), person=ann["id"]),
    }
    return Cast(ann, keys)


def told(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the reason or how the credential stands."""
    body = answer.json()
    return answer.status_code, body.get("code" if answer.status_code >= 400 else "status", "")


def _json(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def standing(api: Api, person: str) -> list[tuple[str, str]]:
    found = (await api.get(f"/v1/people/{person}/credentials")).json()["credentials"]
    return [(each["kind"], each["status"]) for each in found]


# --- cards --------------------------------------------------------------------------------------------------


async def test_a_card_is_issued_with_a_code_that_is_stored_nowhere(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    issued = await api.made(f"/v1/people/{ann['id']}/cards", {})
    assert issued["credential"]["kind"] == "card"
    assert issued["credential"]["status"] == "active"
    code = read_code(issued["code"])
    assert code is not None
    secret = await owner.fetchval("SELECT secret FROM scheme.directory")
    row = await owner.fetchrow("SELECT * FROM scheme.credential")
    assert row is not None
    assert (row["id"], row["code_hash"]) == (UUID(issued["credential"]["id"]), code_hash(secret, code))
    for table in ("credential", "answer", "outbox", "act"):
        kept = str([tuple(row) for row in await owner.fetch(f"SELECT * FROM scheme.{table}")])
        assert code not in kept.replace("-", ""), table


async def test_the_same_key_issues_one_card_and_shows_the_same_code(api: Api) -> None:
    ann = await api.person()
    path = f"/v1/people/{ann['id']}/cards"
    first, again = [await api.post(path, {}, key="a-card-for-Ann") for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    ends = (daytime() + timedelta(days=1)).isoformat()
    assert told(await api.post(path, {"expires_at": ends}, key="a-card-for-Ann")) == (422, "key_reused")


async def test_a_person_has_one_card(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    path = f"/v1/people/{ann['id']}/cards"
    answers = await asyncio.gather(*(api.post(path, {}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"wrong_state"}
    assert await standing(api, ann["id"]) == [("card", "active")]
    with pytest.raises(asyncpg.UniqueViolationError, match="credential_live"):
        await owner.execute(
            "INSERT INTO scheme.credential (id, kind, status, holder, code_hash, issued_at, issued_by, changed_at,"
            " changed_by) SELECT gen_random_uuid(), kind, 'blocked', holder, sha256(code_hash), issued_at, issued_by,"
            " changed_at, changed_by FROM scheme.credential"
        )


async def test_a_card_is_replaced_in_one_step_and_known_as_replaced(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    old = await api.made(f"/v1/people/{ann['id']}/cards", {})
    path = f"/v1/credentials/{old['credential']['id']}/replace"
    new = await api.made(path, key="replaced")
    assert new["code"] != old["code"]
    assert await api.made(path, key="replaced") == new
    assert told(await api.post(path)) == (409, "wrong_state")
    assert await standing(api, ann["id"]) == [("card", "active"), ("card", "replaced")]
    row = await owner.fetchrow("SELECT status, replaced_by FROM scheme.credential WHERE replaced_by IS NOT NULL")
    assert tuple(row or ()) == ("replaced", UUID(new["credential"]["id"]))


async def test_of_two_desks_that_replace_the_same_card_one_does(api: Api) -> None:
    ann = await api.person()
    card = (await api.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
    answers = await asyncio.gather(*(api.post(f"/v1/credentials/{card}/replace") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    assert await standing(api, ann["id"]) == [("card", "active"), ("card", "replaced")]


# From which state, to do what: what is answered, and how it stands then.
STEPS = [
    ("active", "block", 201, "blocked"),
    ("active", "unblock", 201, "active"),
    ("active", "replace", 201, "replaced"),
    ("active", "revoke", 201, "revoked"),
    ("blocked", "block", 201, "blocked"),
    ("blocked", "unblock", 201, "active"),
    ("blocked", "replace", 201, "replaced"),
    ("blocked", "revoke", 201, "revoked"),
    ("replaced", "block", 409, "replaced"),
    ("replaced", "unblock", 409, "replaced"),
    ("replaced", "replace", 409, "replaced"),
    ("replaced", "revoke", 409, "replaced"),
    ("revoked", "block", 409, "revoked"),
    ("revoked", "unblock", 409, "revoked"),
    ("revoked", "replace", 409, "revoked"),
    ("revoked", "revoke", 201, "revoked"),
]
_TO = {"active": [], "blocked": ["block"], "replaced": ["replace"], "revoked": ["revoke"]}


@pytest.mark.parametrize("kind", ["card", "pass"])
async def test_what_may_become_of_a_card_or_pass(api: Api, kind: str) -> None:
    for before, verb, status, after in STEPS:
        ann = await api.person()
        if kind == "card":
            id_ = (await api.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
        else:
            own = await api.key("person", person=ann["id"])
            id_ = (await api.made(f"/v1/people/{ann['id']}/pass", token=own))["id"]
        for step in _TO[before]:
            await api.made(f"/v1/credentials/{id_}/{step}")
        answer = await api.post(f"/v1/credentials/{id_}/{verb}")
        assert answer.status_code == status, (before, verb, answer.text)
        found = (await api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
        assert [each["status"] for each in found if each["id"] == id_] == [after], (before, verb)


async def test_what_changes_nothing_tells_nobody(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    card = (await api.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
    for verb in ("block", "block", "unblock", "unblock", "revoke", "revoke"):
        await api.made(f"/v1/credentials/{card}/{verb}")
    topics = [row["topic"] for row in await owner.fetch("SELECT topic FROM scheme.outbox ORDER BY at, id")]
    assert topics == ["credential_issued", "credential_blocked", "credential_unblocked", "credential_revoked"]
    assert [act["verb"] for act in await api.acts(ann["id"])] == topics


async def test_a_card_ends_when_it_was_said_and_can_be_replaced_then(timed: Api, clock: Clock) -> None:
    ann = await timed.person()
    path, ends = f"/v1/people/{ann['id']}/cards", NOW + timedelta(days=30)
    assert told(await timed.post(path, {"expires_at": NOW.isoformat()})) == (422, "wrong_values")
    first = (await timed.made(path, {"expires_at": ends.isoformat()}))["credential"]
    second = (await timed.made(f"/v1/credentials/{first['id']}/replace"))["credential"]
    assert second["expires_at"] == first["expires_at"] == _json(ends)
    clock.now = ends - timedelta(microseconds=1)
    assert (await standing(timed, ann["id"]))[0] == ("card", "active")
    clock.now = ends
    assert (await standing(timed, ann["id"]))[0] == ("card", "expired")
    third = (await timed.made(f"/v1/credentials/{second['id']}/replace"))["credential"]
    assert (third["status"], third["expires_at"]) == ("active", None)


async def test_ten_new_cards_a_day_are_the_most(timed: Api, clock: Clock) -> None:
    ann = await timed.person()
    card = (await timed.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
    for _ in range(NEW_A_DAY - 1):
        card = (await timed.made(f"/v1/credentials/{card}/replace"))["credential"]["id"]
    assert told(await timed.post(f"/v1/credentials/{card}/replace")) == (409, "wrong_state")
    assert (await standing(timed, ann["id"]))[0] == ("card", "active"), "the last one works on"
    clock.now += timedelta(days=1)
    assert (await timed.post(f"/v1/credentials/{card}/replace")).status_code == 201


async def test_the_list_goes_on_page_by_page(api: Api) -> None:
    ann = await api.person()
    path = f"/v1/people/{ann['id']}/credentials"
    card = (await api.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
    made = [card]
    for _ in range(4):
        made.append((await api.made(f"/v1/credentials/{made[-1]}/replace"))["credential"]["id"])
    pages = [(await api.get(path, limit=2)).json()]
    while pages[-1]["next"] is not None:
        pages.append((await api.get(path, limit=2, cursor=pages[-1]["next"])).json())
    assert [[each["id"] for each in page["credentials"]] for page in pages] == [
        [made[4], made[3]],
        [made[2], made[1]],
        [made[0]],
    ]
    other = await api.person()
    assert (await api.get(f"/v1/people/{other['id']}/credentials", cursor=pages[0]["next"])).status_code == 400


# --- who may ------------------------------------------------------------------------------------------------

STAFF = {"the scheme"}
DESK = STAFF | {"her project"}
THEIRS = {"herself", "her helper"}


async def asked_by_each(api: Api, who: Cast, method: str, path: str, body: object = None) -> dict[str, int]:
    """The status that each gets; whoever it works for, it does so once more for the next."""
    answers = {}
    for name, token in who.keys.items():
        send = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
        answers[name] = (await api.client.request(method, path, json=body, headers=send)).status_code
    return answers


@pytest.mark.parametrize(
    ("issued_by", "method", "path", "who"),
    [
        ("the scheme", "GET", "{listed}", DESK | THEIRS),
        ("the scheme", "GET", "/v1/credentials/{card}/code", STAFF),
        ("the scheme", "POST", "/v1/credentials/{card}/block", DESK | THEIRS),
        ("the scheme", "POST", "/v1/credentials/{card}/unblock", STAFF),
        ("the scheme", "POST", "/v1/credentials/{card}/revoke", STAFF),
        ("her project", "GET", "/v1/credentials/{card}/code", DESK),
        ("her project", "POST", "/v1/credentials/{card}/block", DESK | THEIRS),
        ("her project", "POST", "/v1/credentials/{card}/unblock", DESK),
        ("her project", "POST", "/v1/credentials/{card}/revoke", DESK),
        ("the scheme", "POST", "/v1/credentials/{pass_}/block", DESK | THEIRS),
        ("the scheme", "POST", "/v1/credentials/{pass_}/unblock", STAFF),
        ("the scheme", "POST", "/v1/credentials/{pass_}/revoke", STAFF),
        ("the scheme", "POST", "{its_pass}", THEIRS),
        ("the scheme", "GET", "{its_pass}", THEIRS),
    ],
)
async def test_who_may(api: Api, issued_by: str, method: str, path: str, who: set[str]) -> None:
    of = await cast(api)
    card = (await api.made(of.cards, {}, token=of.keys[issued_by]))["credential"]["id"]
    pass_ = (await api.made(of.its_pass, token=of.keys["herself"]))["id"]
    address = path.format(card=card, pass_=pass_, listed=of.listed, its_pass=of.its_pass)
    answers = await asked_by_each(api, of, method, address)
    assert {name for name, status in answers.items() if status in {200, 201}} == who
    assert {status for name, status in answers.items() if name not in who} <= {403, 404}


@pytest.mark.parametrize("desk", sorted(DESK))
async def test_a_desk_issues_and_replaces(api: Api, desk: str) -> None:
    of = await cast(api)
    card = (await api.made(of.cards, {}, token=of.keys[desk]))["credential"]["id"]
    await api.made(f"/v1/credentials/{card}/replace", token=of.keys[desk])


@pytest.mark.parametrize("stranger", ["another project", "herself at work", "herself", "her helper", "a till"])
async def test_nobody_else_does(api: Api, stranger: str) -> None:
    of = await cast(api)
    card = (await api.made(of.cards, {}))["credential"]["id"]
    for path in (of.cards, f"/v1/credentials/{card}/replace"):
        assert (await api.post(path, {}, of.keys[stranger])).status_code in {403, 404}
    assert await standing(api, of.ann["id"]) == [("card", "active")]


async def test_a_project_that_names_somebody_in_a_register_gets_no_hold_of_their_card(
    api: Api, owner: asyncpg.Connection
) -> None:
    of = await cast(api)
    card = (await api.made(of.cards, {}, token=of.keys["her project"]))["credential"]["id"]
    other = of.keys["another project"]
    project = await owner.fetchval("SELECT id FROM scheme.project WHERE name = 'Choir'")
    await api.made(f"/v1/projects/{project}/registers", register({of.ann["id"]: 15}), token=other)
    assert told(await api.get(f"/v1/credentials/{card}/code", other)) == (403, "staff_only")
    for verb in ("replace", "unblock", "revoke"):
        assert told(await api.post(f"/v1/credentials/{card}/{verb}", token=other)) == (403, "staff_only"), verb
    assert await standing(api, of.ann["id"]) == [("card", "active")]
    assert told(await api.post(f"/v1/credentials/{card}/block", token=other)) == (201, "blocked"), "it protects"
    told_of = "SELECT topic FROM scheme.outbox WHERE object = $1 AND holder = $2 ORDER BY at, id"
    rows = await owner.fetch(told_of, UUID(card), UUID(of.ann["holder"]))
    assert [row["topic"] for row in rows] == ["credential_issued", "credential_blocked"]


async def test_a_card_that_staff_replaced_is_theirs_from_then_on(api: Api) -> None:
    of = await cast(api)
    old = (await api.made(of.cards, {}, token=of.keys["her project"]))["credential"]["id"]
    new = (await api.made(f"/v1/credentials/{old}/replace"))["credential"]["id"]
    assert told(await api.get(f"/v1/credentials/{new}/code", of.keys["her project"])) == (403, "staff_only")


async def test_a_project_issues_a_card_to_whoever_came_to_it(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    key = await api.key("project", project)
    assert told(await api.post(f"/v1/people/{ann['id']}/cards", {}, key)) == (404, "not_found")
    starts = daytime() + timedelta(days=1)
    times = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat()}
    session = (await api.made(f"/v1/projects/{project}/sessions", times))["sessions"][0]["id"]
    await api.made(f"/v1/sessions/{session}/attendances", {"person": ann["id"]}, token=key)
    assert (await api.post(f"/v1/people/{ann['id']}/cards", {}, key)).status_code == 201


async def test_a_card_is_printed_anew_and_that_stands_in_the_acts(api: Api) -> None:
    of = await cast(api)
    issued = await api.made(of.cards, {}, token=of.keys["her project"])
    card = issued["credential"]["id"]
    shown = (await api.get(f"/v1/credentials/{card}/code", of.keys["her project"])).json()
    assert shown == {"credential": card, "code": issued["code"]}
    acts = (await api.get(f"/v1/people/{of.ann['id']}/acts", of.keys["herself"])).json()["acts"]
    assert [(act["verb"], act["scope"], act["object"]) for act in acts[:2]] == [
        ("card_code_read", "project", card),
        ("credential_issued", "project", card),
    ]
    await api.made(f"/v1/credentials/{card}/revoke")
    assert told(await api.get(f"/v1/credentials/{card}/code")) == (409, "wrong_state")


@pytest.mark.parametrize("path", ["/v1/credentials/{}/block", "/v1/credentials/{}/replace", "/v1/people/{}/cards"])
async def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert told(await api.post(path.format(uuid4()), {} if "cards" in path else None)) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"expires_at": "2026-11-21T16:40:00"}, 422),
        ({"expires_at": "tomorrow"}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"kind": "pass"}, 400),
        ([], 400),
    ],
)
async def test_bad_input_issues_nothing(api: Api, body: object, status: int) -> None:
    ann = await api.person()
    answer = await api.post(f"/v1/people/{ann['id']}/cards", body)
    assert answer.status_code == status, answer.text
    assert await standing(api, ann["id"]) == []


# --- passes -------------------------------------------------------------------------------------------------


async def test_a_pass_changes_with_every_step_and_says_when(
    timed: Api, clock: Clock, owner: asyncpg.Connection
) -> None:
    of = await cast(timed)
    token = of.keys["herself"]
    assert told(await timed.get(of.its_pass, token)) == (404, "not_found")
    made = await timed.made(of.its_pass, token=token)
    shown = (await timed.get(of.its_pass, token)).json()
    assert (shown["credential"], shown["ends_at"]) == (made["id"], _json(NOW.replace(second=30)))
    row = await owner.fetchrow("SELECT number, code_hash FROM scheme.credential WHERE kind = 'pass'")
    secret = await owner.fetchval("SELECT secret FROM scheme.directory")
    assert row is not None
    assert row["code_hash"] is None
    read = read_typed(shown["code"])
    assert isinstance(read, Pass)
    assert read.number == row["number"]
    assert pass_age(secret, UUID(made["id"]), read.mac, clock.now, 30, 0) == clock.now.timestamp() // 30
    clock.now = NOW.replace(second=29, microsecond=999_999)
    assert (await timed.get(of.its_pass, token)).json() == shown
    clock.now = NOW.replace(second=30)
    later = (await timed.get(of.its_pass, token)).json()
    assert (later["code"] != shown["code"], later["ends_at"]) == (True, _json(NOW.replace(minute=41, second=0)))


async def test_how_often_it_changes_is_a_rule(timed: Api) -> None:
    of = await cast(timed)
    await timed.made(of.its_pass, token=of.keys["herself"])
    changed = await timed.send("PATCH", "/v1/rules", {"pass_seconds": 300, "pass_steps_tolerated": 2})
    assert changed.status_code == 200, changed.text
    assert (await timed.get(of.its_pass, of.keys["herself"])).json()["ends_at"] == _json(
        NOW.replace(minute=45, second=0)
    )


async def test_whoever_has_a_pass_is_given_that(api: Api) -> None:
    of = await cast(api)
    answers = await asyncio.gather(*(api.made(of.its_pass, token=of.keys["herself"]) for _ in range(6)))
    assert len({answer["id"] for answer in answers}) == 1
    assert await api.made(of.its_pass, token=of.keys["her helper"]) == answers[0]
    assert await standing(api, of.ann["id"]) == [("pass", "active")]


async def test_a_blocked_pass_shows_nothing_and_comes_back_when_it_is_unblocked(api: Api) -> None:
    of = await cast(api)
    own = of.keys["herself"]
    pass_ = (await api.made(of.its_pass, token=own))["id"]
    await api.made(f"/v1/credentials/{pass_}/block", token=own)
    assert told(await api.get(of.its_pass, own)) == (409, "card_blocked")
    assert told(await api.post(of.its_pass, token=own)) == (409, "card_blocked")
    await api.made(f"/v1/credentials/{pass_}/unblock")
    assert (await api.get(of.its_pass, own)).json()["credential"] == pass_


async def test_a_pass_that_was_replaced_has_another_number(api: Api, owner: asyncpg.Connection) -> None:
    of = await cast(api)
    own = of.keys["herself"]
    pass_ = (await api.made(of.its_pass, token=own))["id"]
    new = await api.made(f"/v1/credentials/{pass_}/replace")
    assert new["code"] is None
    assert (await api.get(of.its_pass, own)).json()["credential"] == new["credential"]["id"]
    assert await owner.fetchval("SELECT count(DISTINCT number) FROM scheme.credential") == 2
    assert told(await api.get(f"/v1/credentials/{new['credential']['id']}/code")) == (409, "wrong_state")


async def test_a_revoked_pass_makes_room_for_another(api: Api) -> None:
    of = await cast(api)
    own = of.keys["herself"]
    pass_ = (await api.made(of.its_pass, token=own))["id"]
    await api.made(f"/v1/credentials/{pass_}/revoke")
    assert told(await api.get(of.its_pass, own)) == (404, "not_found")
    assert (await api.made(of.its_pass, token=own))["id"] != pass_


async def test_a_helper_who_shows_the_pass_stands_in_the_acts_once_a_day(timed: Api, clock: Clock) -> None:
    of = await cast(timed)
    await timed.made(of.its_pass, token=of.keys["herself"])

    async def acts() -> list[str]:
        found = (await timed.get(f"/v1/people/{of.ann['id']}/acts")).json()["acts"]
        return [act["verb"] for act in found if act["verb"] == "pass_shown"]

    for _ in range(3):
        assert (await timed.get(of.its_pass, of.keys["herself"])).status_code == 200
    assert await acts() == []
    for _ in range(3):
        assert (await timed.get(of.its_pass, of.keys["her helper"])).status_code == 200
        clock.now += timedelta(seconds=30)
    assert await acts() == ["pass_shown"]
    clock.now += timedelta(days=1)
    assert (await timed.get(of.its_pass, of.keys["her helper"])).status_code == 200
    assert await acts() == ["pass_shown"] * 2


async def test_a_number_that_is_taken_is_not_given_twice(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([5, 5, 5, 7])
    monkeypatch.setattr("secrets.randbits", lambda _: next(numbers))
    keys = [
        (person["id"], await api.key("person", person=person["id"])) for person in [await api.person() for _ in "ab"]
    ]
    made = [await api.made(f"/v1/people/{person}/pass", token=key) for person, key in keys]
    assert [each["status"] for each in made] == ["active", "active"]
    assert next(numbers, None) is None


# --- an end to it -------------------------------------------------------------------------------------------


async def test_an_erased_person_has_none_that_work_and_that_there_were_others_is_not_told(
    api: Api, owner: asyncpg.Connection
) -> None:
    of = await cast(api)
    card = (await api.made(of.cards, {}))["credential"]["id"]
    await api.made(f"/v1/credentials/{card}/replace")
    await api.made(of.its_pass, token=of.keys["herself"])
    await api.made(f"/v1/people/{of.ann['id']}/erasure", {"give_to": "surrender"})
    rows = await owner.fetch("SELECT status, replaced_by FROM scheme.credential")
    assert [tuple(row) for row in rows] == [("revoked", None)] * 3
    for path in (of.listed, of.its_pass):
        assert (await api.get(path, of.keys["the scheme"])).status_code in {403, 404}
    for verb in ("replace", "unblock", "block", "revoke"):
        assert told(await api.post(f"/v1/credentials/{card}/{verb}")) == (404, "not_found")


async def test_a_copy_lists_them_without_their_codes(api: Api) -> None:
    of = await cast(api)
    issued = await api.made(of.cards, {})
    pass_ = await api.made(of.its_pass, token=of.keys["herself"])
    copy = await api.get(f"/v1/people/{of.ann['id']}/copy", of.keys["herself"])
    assert {(each["id"], each["kind"]) for each in copy.json()["credentials"]} == {
        (issued["credential"]["id"], "card"),
        (pass_["id"], "pass"),
    }
    assert issued["code"] not in copy.text
