"""Helpers over HTTP: what they may, and that it stops."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.helping import HELPERS_MAX, May, may_act
from tests.doors.house import Api


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


class Trio:
    """Ann, Bob who helps her, and Cai who has nothing to do with it: each with a key of their own."""

    def __init__(self, api: Api, people: dict[str, dict[str, Any]], keys: dict[str, str]) -> None:
        self.api, self.people, self.keys = api, people, keys
        self.ann, self.bob, self.cai = (people[name]["id"] for name in ("Ann", "Bob", "Cai"))
        self.path = f"/v1/people/{self.ann}"

    async def helper(self, *may: str, token: str | None = None) -> dict[str, Any]:
        body = {"helper": self.bob, "may": may or ["balance"]}
        return await self.api.made(f"{self.path}/helpers", body, token=token or self.keys["Ann"])

    async def end(self, link: str, token: str | None = None) -> httpx.Response:
        return await self.api.post(f"/v1/helpers/{link}/end", token=token or self.keys["Ann"])

    async def acts(self) -> list[tuple[str, str | None]]:
        """What was done for or about Ann, oldest first, and by whom."""
        found = await self.api.acts(self.people["Ann"]["id"], self.keys["Ann"])
        names = {person["id"]: name for name, person in self.people.items()}
        return [(act["verb"], names.get(act["person"])) for act in found]


@pytest.fixture
async def trio(api: Api) -> Trio:
    people = {name: await api.person(name) for name in ("Ann", "Bob", "Cai")}
    return Trio(api, people, {name: await api.key("person", person=person["id"]) for name, person in people.items()})


# --- what a helper may ------------------------------------------------------------------------------------


async def test_a_helper_reads_what_somebody_has_and_each_time_stands_in_the_acts(trio: Trio) -> None:
    bobs = trio.keys["Bob"]
    for what in ("balance", "statement"):
        assert refusal(await trio.api.get(f"{trio.path}/{what}", bobs)) == (404, "not_found")
    await trio.helper("balance")
    assert (await trio.api.get(f"{trio.path}/balance", bobs)).json() == {"available": 0, "held": 0}
    assert (await trio.api.get(f"{trio.path}/statement", bobs)).json() == {"lines": [], "next": None}
    await trio.api.get(f"{trio.path}/balance", trio.keys["Ann"])
    await trio.api.get(f"{trio.path}/balance")
    assert await trio.acts() == [("balance_read", "Bob"), ("statement_read", "Bob")]


async def test_a_helper_may_only_what_they_were_granted(trio: Trio) -> None:
    bobs = trio.keys["Bob"]
    await trio.helper("claim", "book")
    answers = [
        await trio.api.get(f"{trio.path}/balance", bobs),
        await trio.api.get(f"{trio.path}/statement", bobs),
    ]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
    assert await trio.acts() == []


async def test_a_helper_does_not_see_or_change_the_person_themselves(trio: Trio) -> None:
    bobs = trio.keys["Bob"]
    await trio.helper("balance", "claim", "book")
    answers = [
        await trio.api.get(trio.path, bobs),
        await trio.api.send("PATCH", trio.path, {"name": "x"}, bobs),
        await trio.api.get(f"{trio.path}/acts", bobs),
        await trio.api.post(f"{trio.path}/helpers", {"helper": trio.cai, "may": ["claim"]}, bobs),
        await trio.api.get(f"/v1/people/{trio.cai}/balance", bobs),
    ]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 5


async def test_helping_goes_one_way(trio: Trio) -> None:
    await trio.helper("balance")
    assert refusal(await trio.api.get(f"/v1/people/{trio.bob}/balance", trio.keys["Ann"])) == (404, "not_found")


@pytest.mark.parametrize(
    ("scope", "who", "granted", "ended", "asked", "answer"),
    [
        ("scheme", None, (), False, May.BOOK, True),
        ("scheme", "Cai", (), False, May.BOOK, True),
        ("person", "Ann", (), False, May.CLAIM, True),
        ("person", "Bob", (), False, May.CLAIM, False),
        ("person", "Bob", ("claim",), False, May.CLAIM, True),
        ("person", "Bob", ("claim",), False, May.BALANCE, False),
        ("person", "Bob", ("balance", "book"), False, May.BOOK, True),
        ("person", "Bob", ("claim",), True, May.CLAIM, False),
        ("person", "Cai", ("claim",), False, May.CLAIM, False),
        ("project", "Ann", (), False, May.CLAIM, False),
        ("project", "Bob", ("claim",), False, May.CLAIM, False),
        ("project", None, (), False, May.CLAIM, False),
        ("venue", None, (), False, May.BOOK, False),
    ],
)
async def test_who_may_act_for_whom(
    trio: Trio,
    database: Database,
    *,
    scope: str,
    who: str | None,
    granted: tuple[str, ...],
    ended: bool,
    asked: May,
    answer: bool,
) -> None:
    if granted:
        link = await trio.helper(*granted)
        if ended:
            await trio.end(link["id"])
    caller = Caller(
        key=uuid4(),
        scope=Scope(scope),
        object=uuid4() if scope in {"project", "venue"} else None,
        holder=UUID(trio.people[who]["holder"]) if who else None,
    )
    async with database.reading() as connection:
        assert await may_act(driver(connection), caller, UUID(trio.people["Ann"]["holder"]), asked) is answer
        assert not await may_act(driver(connection), caller, uuid4(), asked) or scope == "scheme"


# --- ending it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["Ann", "Bob", "the scheme"])
async def test_who_is_ended_may_nothing_from_then_on(trio: Trio, dsn: str, by: str) -> None:
    link, bobs = await trio.helper("balance"), trio.keys["Bob"]
    async with Api.running(dsn, scheme=trio.api.scheme) as other:
        for service in (trio.api, other):
            assert (await service.get(f"{trio.path}/balance", bobs)).status_code == 200
        ended = await trio.end(link["id"], trio.keys.get(by, trio.api.scheme))
        assert (ended.status_code, {**ended.json(), "ended_at": None}) == (201, link)
        assert ended.json()["ended_at"]
        for service in (other, trio.api):
            for what in ("balance", "statement", "helpers"):
                assert refusal(await service.get(f"{trio.path}/{what}", bobs)) == (404, "not_found")
    assert (await trio.api.get(f"{trio.path}/helpers")).json() == {"helpers": []}


async def test_a_statement_ends_between_two_of_its_pages(trio: Trio) -> None:
    project = await trio.api.project()
    for days in (1, 2, 3):
        await trio.api.give(project, {trio.ann: 60}, days_ago=days)
    link, bobs = await trio.helper("balance"), trio.keys["Bob"]
    page = (await trio.api.get(f"{trio.path}/statement", bobs, limit=2)).json()
    await trio.end(link["id"])
    following = await trio.api.get(f"{trio.path}/statement", bobs, limit=2, cursor=page["next"])
    assert refusal(following) == (404, "not_found")


async def test_ending_it_again_changes_nothing(trio: Trio, owner: asyncpg.Connection) -> None:
    link = await trio.helper()
    first, by_bob = await trio.end(link["id"]), await trio.end(link["id"], trio.keys["Bob"])
    assert first.json() == by_bob.json()
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'helper_ended'") == 1


async def test_of_many_who_end_it_at_once_one_does(trio: Trio, owner: asyncpg.Connection) -> None:
    link = await trio.helper()
    answers = await asyncio.gather(*(trio.end(link["id"], trio.keys[name]) for name in ["Ann", "Bob"] * 5))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE topic = 'helper_ended'") == 1


async def test_nobody_else_ends_it(trio: Trio) -> None:
    link = await trio.helper("balance")
    assert refusal(await trio.end(link["id"], trio.keys["Cai"])) == (404, "not_found")
    assert refusal(await trio.end(str(uuid4()))) == (404, "not_found")
    assert (await trio.api.get(f"{trio.path}/balance", trio.keys["Bob"])).status_code == 200


async def test_after_its_end_it_can_be_granted_anew(trio: Trio) -> None:
    first = await trio.helper("claim")
    await trio.end(first["id"])
    second = await trio.helper("balance")
    assert second["id"] != first["id"]
    assert (await trio.api.get(f"{trio.path}/balance", trio.keys["Bob"])).status_code == 200


# --- granting it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("may", "answer"),
    [
        (["balance"], ["balance"]),
        (["claim", "balance", "book"], ["balance", "book", "claim"]),
        (["book", "book"], ["book"]),
        ([], (422, "wrong_values")),
        (["spend"], (422, "wrong_values")),
        (["balance"] * 4, (422, "wrong_values")),
        (["Balance"], (422, "wrong_values")),
        ("balance", (400, "wrong_fields")),
        (None, (400, "wrong_fields")),
    ],
)
async def test_what_may_be_granted(trio: Trio, owner: asyncpg.Connection, may: object, answer: object) -> None:
    granted = await trio.api.post(f"{trio.path}/helpers", {"helper": trio.bob, "may": may})
    if isinstance(answer, list):
        assert (granted.status_code, granted.json()["may"]) == (201, answer)
    else:
        assert refusal(granted) == answer
        assert fields(granted)[0].startswith("may")
        assert await owner.fetchval("SELECT count(*) FROM scheme.helping") == 0


async def test_a_helper_is_another_person_of_the_scheme(trio: Trio) -> None:
    for helper in (trio.ann, str(uuid4())):
        answer = await trio.api.post(f"{trio.path}/helpers", {"helper": helper, "may": ["claim"]})
        assert (refusal(answer), fields(answer)) == ((422, "wrong_values"), ["helper"])


async def test_nobody_is_given_a_helper_by_others(trio: Trio) -> None:
    body = {"helper": trio.bob, "may": ["balance"]}
    for path in (trio.path, f"/v1/people/{uuid4()}"):
        assert refusal(await trio.api.post(f"{path}/helpers", body, trio.keys["Bob"])) == (404, "not_found")
    assert refusal(await trio.api.post(f"/v1/people/{uuid4()}/helpers", body)) == (404, "not_found")


async def test_a_pair_has_one_live_link(trio: Trio, owner: asyncpg.Connection) -> None:
    first = await trio.helper("balance", "claim")
    assert await trio.helper("claim", "balance", token=trio.api.scheme) == first
    other = await trio.api.post(f"{trio.path}/helpers", {"helper": trio.bob, "may": ["book"]}, key="k")
    assert refusal(other) == (409, "wrong_state")
    assert "balance, claim" in other.json()["detail"]
    again = await trio.api.post(f"{trio.path}/helpers", {"helper": trio.bob, "may": ["book"]}, key="k")
    assert (refusal(again), again.headers["idempotency-replayed"]) == ((409, "wrong_state"), "true")
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox") == 1


async def test_fifty_grants_at_once_make_one_link(trio: Trio, owner: asyncpg.Connection) -> None:
    body, path = {"helper": trio.bob, "may": ["claim"]}, f"{trio.path}/helpers"
    keys = ["one"] * 25 + [f"another-{number}" for number in range(25)]
    answers = await asyncio.gather(*(trio.api.post(path, body, key=key) for key in keys))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await owner.fetchval("SELECT count(*) FROM scheme.helping") == 1


async def test_a_key_means_what_it_meant(trio: Trio) -> None:
    path = f"{trio.path}/helpers"
    first = await trio.api.post(path, {"helper": trio.bob, "may": ["claim", "book"]}, key="k")
    again = await trio.api.post(path, {"helper": trio.bob, "may": ["book", "claim"]}, key="k")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    other = await trio.api.post(path, {"helper": trio.cai, "may": ["claim", "book"]}, key="k")
    assert refusal(other) == (422, "key_reused")
    assert refusal(await trio.api.post(f"/v1/helpers/{first.json()['id']}/end", key="k")) == (422, "key_reused")
    assert refusal(await trio.api.post(path, {"helper": trio.cai, "may": ["claim"]}, key="")) == (
        400,
        "idempotency_key",
    )


async def test_nobody_has_more_helpers_than_they_can_know(trio: Trio) -> None:
    people = [await trio.api.person("Di") for _ in range(HELPERS_MAX)]
    bodies = [{"helper": person["id"], "may": ["claim"]} for person in people]
    links = [await trio.api.made(f"{trio.path}/helpers", body) for body in bodies]
    body = {"helper": trio.bob, "may": ["claim"]}
    assert refusal(await trio.api.post(f"{trio.path}/helpers", body)) == (409, "wrong_state")
    assert len((await trio.api.get(f"{trio.path}/helpers")).json()["helpers"]) == HELPERS_MAX
    await trio.end(links[0]["id"])
    await trio.helper("claim")


# --- who knows of it --------------------------------------------------------------------------------------


async def test_the_list_shows_everybody_to_the_person_and_a_helper_themselves(trio: Trio) -> None:
    bob = await trio.helper("claim")
    cai = await trio.api.made(f"{trio.path}/helpers", {"helper": trio.cai, "may": ["balance"]})
    for token, expected in [
        (trio.keys["Ann"], [bob, cai]),
        (trio.api.scheme, [bob, cai]),
        (trio.keys["Bob"], [bob]),
        (trio.keys["Cai"], [cai]),
    ]:
        assert (await trio.api.get(f"{trio.path}/helpers", token)).json() == {"helpers": expected}
    for person in (trio.bob, str(uuid4())):
        assert refusal(await trio.api.get(f"/v1/people/{person}/helpers", trio.keys["Ann"])) == (404, "not_found")
    assert refusal(await trio.api.get(f"/v1/people/{uuid4()}/helpers")) == (404, "not_found")
    assert (await trio.api.get(f"/v1/people/{trio.bob}/helpers")).json() == {"helpers": []}


async def test_what_others_grant_and_end_stands_in_the_acts(trio: Trio) -> None:
    await trio.end((await trio.helper("claim"))["id"], trio.keys["Bob"])
    await trio.end((await trio.helper("claim", token=trio.api.scheme))["id"], trio.api.scheme)
    await trio.end((await trio.helper("claim"))["id"])
    assert await trio.acts() == [("helper_ended", "Bob"), ("helper_added", None), ("helper_ended", None)]


async def test_its_beginning_and_its_end_stand_in_the_outbox_without_a_name(
    trio: Trio, owner: asyncpg.Connection
) -> None:
    link = await trio.helper("claim")
    await trio.end(link["id"])
    rows = await owner.fetch("SELECT topic, holder, object, body FROM scheme.outbox ORDER BY at, id")
    assert [tuple(row) for row in rows] == [
        (topic, UUID(trio.people["Ann"]["holder"]), UUID(link["id"]), "{}")
        for topic in ("helper_added", "helper_ended")
    ]
