"""The lido and whoever books there: a service whose clock a test can put on, people with credits, and offers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ledger.scheme.chart import COMMODITIES
from tests.doors.house import Api

# A Monday at noon in London, in winter.
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is put on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Lido:
    """The service, its clock, a project where hours are given, and the lido with a till."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.project = self.venue = self.till = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, now: datetime = NOW) -> AsyncIterator["Lido"]:
        clock = Clock(now)
        async with Api.running(dsn, clock=clock) as api:
            lido = cls(api, clock)
            lido.project, lido.venue = await api.project(), await api.venue("The lido")
            lido.till = await api.till(lido.venue)
            yield lido

    # --- whoever comes ----------------------------------------------------------------------------------

    async def person(self, name: str = "Ann Archer", minutes: int = 240, age_band: str | None = None) -> dict[str, Any]:
        """Somebody with so many minutes, and their key in it."""
        person = await self.api.made("/v1/people", {"name": name})
        if minutes:
            await self.give(person["id"], minutes)
        if age_band is not None:
            changed = await self.api.send("PATCH", f"/v1/people/{person['id']}", {"age_band": age_band})
            assert changed.status_code == 200, changed.text
        return {**person, "key": await self.api.key("person", person=person["id"])}

    async def give(self, person: str, minutes: int) -> None:
        began = self.clock.now - timedelta(days=1)
        times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=6)).isoformat()}
        body = {**times, "lines": [{"person": person, "minutes": minutes}]}
        await self.api.made(f"/v1/projects/{self.project}/registers", body)

    # --- what there is ----------------------------------------------------------------------------------

    async def offer(self, kind: str = "drop_in", price: int = 60, venue: str = "", **terms: object) -> str:
        """A published offer."""
        body = {"title": "A swim", "price": price, "kind": kind, "terms": terms}
        offer = await self.api.made(f"/v1/venues/{venue or self.venue}/offers", body)
        await self.api.made(f"/v1/offers/{offer['id']}/publish")
        return str(offer["id"])

    async def occasions(self, offer: str, *starts: datetime, places: int | None = None) -> list[str]:
        """Its occasions at those times, an hour each."""
        times = [
            {"starts_at": at.isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat(), "places": places}
            for at in starts
        ]
        made = await self.api.made(f"/v1/offers/{offer}/occasions", {"occasions": times})
        return [each["id"] for each in made["occasions"]]

    # --- booking ----------------------------------------------------------------------------------------

    async def ask(
        self, person: dict[str, Any], offer: str, at: datetime | None = None, key: str | None = None, **more: object
    ) -> httpx.Response:
        """Ask for a booking by the person's own key."""
        body = {"person": person["id"], "offer": offer, **more}
        if at is not None:
            body["visit_at"] = at.isoformat()
        return await self.api.post("/v1/bookings", body, person["key"], key)

    async def book(
        self, person: dict[str, Any], offer: str, at: datetime | None = None, **more: object
    ) -> dict[str, Any]:
        """A booking that is made; of a course, its first session's."""
        return (await self.enrol(person, offer, at, **more))[0]

    async def enrol(
        self, person: dict[str, Any], offer: str, at: datetime | None = None, **more: object
    ) -> list[dict[str, Any]]:
        """The bookings that are made, one for each session of a course."""
        answer = await self.ask(person, offer, at, None, **more)
        assert answer.status_code == 201, answer.text
        return list(answer.json()["bookings"])

    async def cancel(self, booking: str, token: str, *, course: bool = False) -> httpx.Response:
        return await self.api.post(f"/v1/bookings/{booking}/cancel", {"course": course}, token)

    async def capture(self, booking: str) -> httpx.Response:
        return await self.api.post(f"/v1/redemptions/{booking}/capture", {}, self.till)

    async def state(self, booking: str) -> str:
        return str((await self.api.get(f"/v1/bookings/{booking}")).json()["status"])

    async def counters(self) -> dict[str, int]:
        """What is taken or held of places and limits, by kind; those of zero left out."""
        kinds = (await self.api.get("/v1/trial-balance")).json()["kinds"]
        return {kind["kind"]: kind["balance"] for kind in kinds if kind["kind"] in COMMODITIES and kind["balance"]}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the reason of a no."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
