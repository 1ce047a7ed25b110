"""A project at noon of a Wednesday: Ann and Bob give hours to it, Carol and Dan decide on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.doors.house import Api

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 17, 10, tzinfo=UTC)


class Shed:
    """The cast, by their ids and keys; ``now`` moves when a test sets it."""

    def __init__(self) -> None:
        self.now = NOON
        self.api: Api
        self.project = self.ann = self.bob = self.carol = self.dan = ""
        self.ann_holder = ""
        self.as_ann = self.as_bob = self.as_carol = self.as_dan = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator["Shed"]:
        shed = cls()
        async with Api.running(dsn, clock=lambda: shed.now) as api:
            shed.api = api
            shed.project = await api.project("Shed")
            ann = await api.person("Ann")
            shed.ann, shed.ann_holder = ann["id"], ann["holder"]
            shed.bob, shed.carol, shed.dan = [(await api.person(name))["id"] for name in ("Bob", "Carol", "Dan")]
            shed.as_ann = await api.key("person", person=shed.ann)
            shed.as_bob = await api.key("person", person=shed.bob)
            shed.as_carol = await api.key("project", shed.project, person=shed.carol)
            shed.as_dan = await api.key("project", shed.project, person=shed.dan)
            yield shed

    async def helper(self, *may: str) -> str:
        """A helper of Ann's, by their key."""
        helper = (await self.api.person("Hal"))["id"]
        await self.api.made(f"/v1/people/{self.ann}/helpers", {"helper": helper, "may": list(may)})
        return await self.api.key("person", person=helper)

    def hours(self, length: int = 60, *, at: datetime = TUESDAY, **more: object) -> dict[str, Any]:
        """Hours at the project that lasted so many minutes, as JSON."""
        ended_at = at + timedelta(minutes=length)
        return {"project": self.project, "started_at": at.isoformat(), "ended_at": ended_at.isoformat(), **more}

    async def claim(
        self, length: int = 60, *, at: datetime = TUESDAY, token: str = "", **more: object
    ) -> dict[str, Any]:
        """Ann's claim, unless another key is given."""
        return await self.api.made("/v1/claims", self.hours(length, at=at, **more), token=token or self.as_ann)

    async def awarded(self, length: int = 60, *, at: datetime = TUESDAY, token: str = "", **more: object) -> str:
        """The id of a claim of Ann's that Carol approved, and Dan where that was needed."""
        claim = await self.claim(length, at=at, token=token, **more)
        [outcome] = await self.approve(claim["id"])
        if outcome == "waiting_for_second":
            [outcome] = await self.approve(claim["id"], token=self.as_dan)
        assert outcome == "awarded"
        return str(claim["id"])

    async def approval(self, *claims: str, token: str = "", **more: Any) -> httpx.Response:  # noqa: ANN401  # a key, a flag
        """Carol approves, unless another key is given."""
        key = more.pop("key", None)
        path = f"/v1/projects/{self.project}/approvals"
        return await self.api.post(path, {"claims": claims, **more}, token or self.as_carol, key)

    async def approve(self, *claims: str, token: str = "", **more: Any) -> list[str]:  # noqa: ANN401  # the same
        """The outcomes, in order."""
        answer = await self.approval(*claims, token=token, **more)
        assert answer.status_code == 201, answer.text
        assert [decision["claim"] for decision in answer.json()["decisions"]] == list(claims)
        return [decision["outcome"] for decision in answer.json()["decisions"]]

    async def act(self, claim: str, verb: str, body: object = None, token: str = "") -> dict[str, Any]:
        """Submit, withdraw, query, reject: Carol does unless another key is given."""
        return await self.api.made(f"/v1/claims/{claim}/{verb}", body, token=token or self.as_carol)

    async def read(self, claim: str, token: str = "") -> dict[str, Any]:
        answer = await self.api.get(f"/v1/claims/{claim}", token or self.api.scheme)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def faults(answer: httpx.Response) -> dict[str, str]:
    return {field["field"]: field["message"] for field in answer.json()["fields"]}
