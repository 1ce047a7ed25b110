"""The hot route's lane: it answers what the route would have, and takes only what is in order."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import httpx
import msgspec
import pytest

from ledger.doors.api.answers import Created
from ledger.doors.api.guard import Message, Receive, Scope, Send
from ledger.doors.api.lane import Lane
from ledger.doors.api.redemptions import PATH, RedemptionInput
from tests.doors.bookings.lido import Lido

# Litestar takes it for the same address, and the lane doesn't.
ROUTE = PATH + "/"


class Case(NamedTuple):
    what: str
    status: int
    body: Mapping[str, Any] = MappingProxyType({})
    headers: Mapping[str, str | None] = MappingProxyType({})
    in_order: bool = True
    raw: bytes | None = None


CASES = [
    Case("a redemption", 201),
    Case("one on hold", 201, {"capture": False}),
    Case("a party too large for the offer", 409, {"party": {"adults": 50}}),
    Case("another's offer", 404, {"offer": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1"}),
    Case("a mistyped code", 422, {"code": "AAAA-AAAA-AAB"}),
    Case("no key at all", 401, headers={"authorization": None}, in_order=False),
    Case("a key that nobody has", 401, headers={"authorization": "Bearer tc_demo_x"}, in_order=False),
    Case("something else than a key", 401, headers={"authorization": "Basic YTpi"}, in_order=False),
    Case("no Idempotency-Key", 400, headers={"idempotency-key": None}, in_order=False),
    Case("an Idempotency-Key that is too long", 400, headers={"idempotency-key": "k" * 256}, in_order=False),
    Case("one with a space", 400, headers={"idempotency-key": "k k"}, in_order=False),
    Case("a field of another type", 400, {"name_checked": "true"}, in_order=False),
    Case("a field that isn't there", 400, {"tip": 1}, in_order=False),
    Case("a value that can't be", 422, {"party": {"adults": -1}}, in_order=False),
    Case("no body", 400, raw=b"", in_order=False),
    Case("half a character", 400, raw=b'{"code": "\\ud800"}', in_order=False),
]


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


async def ask(lido: Lido, address: str, case: Case, body: Mapping[str, Any], key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {lido.till}", "content-type": "application/json", "idempotency-key": key}
    sent = {name: value for name, value in {**headers, **case.headers}.items() if value is not None}
    content = msgspec.json.encode({**body, **case.body}) if case.raw is None else case.raw
    return await lido.api.client.post(address, content=content, headers=sent)


def told(answer: httpx.Response, *apart: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """An answer but for what is its own."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "location"}}
    own = {"id", "recorded_at", "request_id", *apart}
    return answer.status_code, headers, {name: value for name, value in answer.json().items() if name not in own}


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_the_lane_answers_what_the_route_answers(lido: Lido, case: Case) -> None:
    ann, offer = await lido.person(), await lido.offer()
    body = {"code": await lido.api.card(ann["id"]), "offer": offer, "name_checked": True}

    by_lane, by_route = await ask(lido, PATH, case, body, "a"), await ask(lido, ROUTE, case, body, "b")

    assert by_lane.status_code == case.status, by_lane.text
    assert told(by_lane) == told(by_route)
    if case.status == 201:
        assert by_lane.headers["location"] == f"{PATH}/{by_lane.json()['id']}"
    # Given again by the other way: the same answer, as a replay where it is kept.
    again = [await ask(lido, ROUTE, case, body, "a"), await ask(lido, PATH, case, body, "b")]
    assert told(again[0]) == told(again[1])
    assert again[0].json().get("id") == by_lane.json().get("id")
    assert ("idempotency-replayed" in again[0].headers) == (case.status in {201, 409})


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_the_lane_takes_what_is_in_order_and_hands_on_the_rest_whole(case: Case) -> None:
    handled: list[tuple[str, str, RedemptionInput]] = []
    handed_on: list[list[Message]] = []
    given = {"authorization": "Bearer tc_known", "idempotency-key": "k", **case.headers}
    content = msgspec.json.encode({"code": "AAAA-AAAA-AAA", **case.body}) if case.raw is None else case.raw
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value is not None],
    }
    arriving: list[Message] = [
        {"type": "http.request", "body": content, "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return arriving.pop(0)

    async def application(_: Scope, receive: Receive, __: Send) -> None:
        handed_on.append([await receive(), await receive()])

    async def handle(token: str, key: str, body: RedemptionInput) -> Created[Any]:
        handled.append((token, key, body))
        return Created(body)

    async def send(_: Message) -> None: ...

    everything = list(arriving)
    await Lane(application, PATH, RedemptionInput, handle, {"tc_known"}.__contains__)(scope, receive, send)

    assert (len(handled), len(handed_on)) == ((1, 0) if case.in_order else (0, 1))
    if handed_on:
        assert handed_on == [everything]
    else:
        assert handled[0][:2] == ("tc_known", "k")


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("PUT", PATH), ("POST", ROUTE), ("POST", "/v1/quotes")])
async def test_the_lane_is_for_one_address_and_method(method: str, path: str) -> None:
    handed_on = []

    async def application(scope: Scope, _: Receive, __: Send) -> None:
        handed_on.append((scope["method"], scope["path"]))

    async def nobody(*_: object) -> NoReturn:
        raise AssertionError("this isn't the lane's")

    lane = Lane(application, PATH, RedemptionInput, nobody, lambda _: True)
    await lane({"type": "http", "method": method, "path": path, "headers": []}, nobody, nobody)

    assert handed_on == [(method, path)]
