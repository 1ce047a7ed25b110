"""Who may do what: every route, every scope."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ledger.scheme.keys import Scope
from tests.doors.house import Api

ID = "00000000-0000-4000-8000-000000000000"

# Every route under /v1 with the scopes that may use it. A route that isn't here fails the first test.
ROUTES: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/projects"): {"scheme"},
    ("GET", "/v1/projects/{project}"): {"scheme"},
    ("POST", "/v1/projects/{project}/registers"): {"project", "scheme"},
    ("POST", "/v1/awards/{entry}/reversal"): {"project", "scheme"},
    ("POST", "/v1/people"): {"scheme"},
    ("GET", "/v1/people/{person}"): {"scheme"},
    ("GET", "/v1/people/{person}/balance"): {"project", "scheme"},
    ("GET", "/v1/people/{person}/statement"): {"scheme"},
    ("POST", "/v1/venues"): {"scheme"},
    ("GET", "/v1/venues/{venue}"): {"scheme"},
    ("POST", "/v1/venues/{venue}/offers"): {"scheme"},
    ("GET", "/v1/offers/{offer}"): {"venue", "scheme"},
    ("POST", "/v1/offers/{offer}/publish"): {"scheme"},
    ("POST", "/v1/offers/{offer}/pause"): {"scheme"},
    ("POST", "/v1/offers/{offer}/end"): {"scheme"},
    ("POST", "/v1/redemptions"): {"venue"},
    ("GET", "/v1/redemptions/{redemption}"): {"venue", "scheme"},
    ("POST", "/v1/redemptions/{redemption}/capture"): {"venue"},
    ("POST", "/v1/redemptions/{redemption}/void"): {"venue"},
    ("POST", "/v1/redemptions/{redemption}/refund"): {"venue"},
    ("POST", "/v1/keys"): {"scheme"},
    ("POST", "/v1/keys/{key}/revoke"): {"scheme"},
    ("GET", "/v1/entries"): {"scheme"},
    ("GET", "/v1/entries/{entry}"): {"scheme"},
    ("GET", "/v1/entries/{entry}/receipt"): {"scheme"},
    ("GET", "/v1/trial-balance"): {"scheme"},
}


def addresses() -> Iterator[tuple[str, str, set[str]]]:
    for (method, path), scopes in ROUTES.items():
        yield method, "/".join(ID if part.startswith("{") else part for part in path.split("/")), scopes


async def test_every_route_is_documented_and_listed_here(api: Api) -> None:
    document = (await api.client.get("/docs/openapi.json")).json()
    found = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/")
    }
    assert found.keys() == ROUTES.keys()
    for route in ROUTES:
        assert found[route]["summary"], route
        assert {"401", "403"} <= found[route]["responses"].keys(), route


async def test_nobody_gets_401_everywhere_and_before_their_body_is_read(api: Api) -> None:
    for method, path, _ in addresses():
        for headers in (
            {},
            {"authorization": "Bearer "},
            {"authorization": "Basic eDp5"},
            {"authorization": f"Bearer {api.scheme[:-1]}{'X' if api.scheme[-1] != 'X' else 'Y'}"},
            {"authorization": f"Bearer {api.scheme.replace('tc_test_', 'tc_live_')}"},
            {"authorization": "Bearer \u00e9".encode()},
        ):
            answer = await api.client.request(method, path, headers=headers)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_another_scope_gets_403_everywhere(api: Api) -> None:
    tokens = {
        "scheme": api.scheme,
        "project": await api.key("project", await api.project()),
        "venue": await api.key("venue", await api.venue()),
    }
    body = {"offer": ID, "holder": ID}
    for method, path, scopes in addresses():
        for scope in {"scheme", "project", "venue"} - scopes:
            if method == "GET":
                answer = await api.get(path, tokens[scope])
            else:
                answer = await api.post(path, body if path == "/v1/redemptions" else None, tokens[scope])
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path, scope)


async def test_a_revoked_key_stops_at_once_in_every_process(api: Api, dsn: str) -> None:
    venue = await api.venue()
    made = await api.made("/v1/keys", {"scope": "venue", "object": venue, "label": "a till"})
    offer, ann = await api.offer(venue), await api.person()
    body = {"offer": offer, "holder": ann["holder"]}
    async with Api.running(dsn, scheme=api.scheme) as other:
        for service in (api, other):
            assert (await service.get(f"/v1/offers/{offer}", made["token"])).status_code == 200
            assert (await service.post("/v1/redemptions", body, made["token"])).status_code == 409
        revoked = await api.made(f"/v1/keys/{made['id']}/revoke")
        assert revoked["revoked_at"]
        for service in (other, api):
            assert (await service.post("/v1/redemptions", body, made["token"])).status_code == 401
            assert (await service.get(f"/v1/offers/{offer}", made["token"])).status_code == 401
        assert await api.made(f"/v1/keys/{made['id']}/revoke") == revoked


async def test_a_key_ends_when_it_expires(dsn: str) -> None:
    now = datetime.now(UTC)
    async with Api.running(dsn, clock=lambda: now) as api:
        ends = (now + timedelta(days=1)).isoformat()
        body = {"scope": "scheme", "label": "for a day", "expires_at": ends}
        token = (await api.made("/v1/keys", body))["token"]
        assert (await api.get("/v1/trial-balance", token)).status_code == 200
        now += timedelta(days=1)
        assert (await api.get("/v1/trial-balance", token)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "object_", "field"),
    [
        (Scope.SCHEME, ID, "object"),
        (Scope.VENUE, None, "object"),
        (Scope.VENUE, str(uuid4()), "object"),
        (Scope.PROJECT, str(uuid4()), "object"),
    ],
)
async def test_a_key_names_what_it_is_for(api: Api, scope: str, object_: str | None, field: str) -> None:
    answer = await api.post("/v1/keys", {"scope": scope, "object": object_, "label": "x"})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, field)


async def test_no_secret_is_stored_or_told_again(api: Api) -> None:
    made = await api.made("/v1/keys", {"scope": "scheme", "label": "x"})
    assert made["token"].startswith("tc_test_")
    assert "token" not in await api.made(f"/v1/keys/{made['id']}/revoke")


async def test_what_an_offer_may_become(api: Api) -> None:
    offer = await api.offer(await api.venue())
    await api.made(f"/v1/offers/{offer}/publish")  # again: nothing changes
    await api.made(f"/v1/offers/{offer}/pause")
    await api.made(f"/v1/offers/{offer}/end")
    answer = await api.post(f"/v1/offers/{offer}/publish")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


async def test_the_feed_in_order_without_gaps(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    for days in (1, 2, 3):
        await api.give(project, {ann["id"]: 60}, days_ago=days)
    first = (await api.get("/v1/entries", limit=2)).json()["entries"]
    rest = (await api.get("/v1/entries", after=2)).json()["entries"]
    assert [entry["position"] for entry in first + rest] == [1, 2, 3]
    assert (await api.get(f"/v1/entries/{rest[0]['id']}")).json() == rest[0]
    assert (await api.get(f"/v1/entries/{ID}")).status_code == 404
    for wrong in ("-1", "1e2", "1.0", "01", "9" * 20):
        assert (await api.get("/v1/entries", after=wrong)).status_code == 400


async def test_metrics_and_health(api: Api) -> None:
    assert (await api.client.get("/health/ready")).status_code == 200
    text = (await api.client.get("/metrics")).text
    assert "journal_position 0.0" in text
    assert "journal_queue_entries 0.0" in text
