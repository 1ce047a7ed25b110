"""Somebody at whom others look: Ann, who volunteers at a sensitive project, with one of everything that is hers.

`test_api_acts` and `web/test_acts` open everything there is about her, and see in the audit trail what that left.
"""

from collections.abc import Awaitable, Collection
from datetime import timedelta
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import asyncpg

from ledger.scheme.acts import NAMES_READ
from tests.daytime import daytime
from tests.doors.house import Api

Answer = TypeVar("Answer")
# That she volunteers at a sensitive project, in the tables below.
NAMES: Final = NAMES_READ


class Written(NamedTuple):
    """An act that was written: what, as what, by whom, and about whom."""

    verb: str
    scope: str
    by: UUID
    holder: UUID | None
    object: UUID | None


class Watched:
    """Ann, who is helped by Bob in everything; and all that addresses may name of hers."""

    def __init__(self, api: Api, owner: asyncpg.Connection) -> None:
        self.api = api
        self.owner = owner
        self.ids: dict[str, str] = {}
        self.holder = self.helper_holder = UUID(int=0)
        self.helper = self.helper_key = ""

    @classmethod
    async def among(cls, api: Api, owner: asyncpg.Connection) -> "Watched":
        """Ann, made known to that service."""
        watched = cls(api, owner)
        await watched._made()
        return watched

    async def _made(self) -> None:
        api = self.api
        contact = {"email": "ann@example.org", "safe": True}
        ann = await api.made("/v1/people", {"name": "Ann Lee", "contact": contact})
        bob, cai = await api.person("Bob"), (await api.person("Cai"))["id"]
        self.holder, self.helper_holder = UUID(ann["holder"]), UUID(bob["holder"])
        self.helper, self.helper_key = bob["id"], await api.key("person", person=bob["id"])
        person = ann["id"]
        link = {"helper": self.helper, "may": ["balance", "claim", "book"]}
        await api.made(f"/v1/people/{person}/helpers", link)
        told = {"name": "The long table", "alias": "Tuesdays", "sensitive": True}
        project = (await api.made("/v1/projects", told))["id"]
        opportunity = await api.made(f"/v1/projects/{project}/opportunities", {"title": "Soup", "kind": "weekly"})
        await api.made(f"/v1/opportunities/{opportunity['id']}/publish")
        starts = daytime().replace(microsecond=0) + timedelta(days=1)
        times = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat()}
        planned = await api.made(f"/v1/projects/{project}/sessions", {**times, "opportunity": opportunity["id"]})
        session = planned["sessions"][0]["id"]
        await api.made(f"/v1/sessions/{session}/attendances", {"person": person})
        await api.give(project, {person: 240}, days_ago=3)
        offer = await api.offer(await api.venue(), price=15)
        booking = await api.made("/v1/bookings", {"person": person, "offer": offer, "visit_at": starts.isoformat()})
        gift = await api.made(f"/v1/people/{person}/gifts", {"receiver": cai, "minutes": 15})
        card = await api.made(f"/v1/people/{person}/cards", {})
        statement = (await api.get(f"/v1/people/{person}/statement")).json()
        visit = await api.made(
            "/v1/redemptions", await api.visit(offer, person), token=await api.till(await self._venue(offer))
        )
        self.ids = {
            "person": person,
            "child": person,
            "project": project,
            "session": session,
            "opportunity": opportunity["id"],
            "claim": await self._waiting(person, project),
            "booking": booking["id"],
            "offer": offer,
            "gift": gift["id"],
            "credential": card["credential"]["id"],
            "entry": statement["lines"][-1]["entry"],
            "redemption": visit["id"],
            "visit": visit["id"],
            "venue": await self._venue(offer),
            "size": "card",
            "hours": "10",
        }

    async def _venue(self, offer: str) -> str:
        return str((await self.api.get(f"/v1/offers/{offer}")).json()["venue"])

    async def _waiting(self, person: str, project: str) -> str:
        """Hours that one person has approved, and that wait for another."""
        started = daytime().replace(microsecond=0) - timedelta(days=10)
        ended = started + timedelta(hours=7)
        times = {"started_at": started.isoformat(), "ended_at": ended.isoformat()}
        claim = await self.api.made("/v1/claims", {"project": project, "person": person, **times})
        dee = await self.api.key("project", project, person=(await self.api.person("Dee"))["id"])
        await self.api.made(f"/v1/projects/{project}/approvals", {"claims": [claim["id"]]}, token=dee)
        return str(claim["id"])

    async def left_by(self, request: Awaitable[Answer]) -> tuple[Answer, Collection[Written]]:
        """What a request is answered, and the acts that it left; with none before it, for some are left once a day."""
        await self.owner.execute("DELETE FROM scheme.act")
        answer = await request
        rows = await self.owner.fetch("SELECT verb, scope, by, holder, object FROM scheme.act ORDER BY id")
        return answer, [Written(**row) for row in rows]

    def about_her(self, written: Collection[Written], verbs: Collection[str]) -> bool:
        """Whether these are just those acts, each about her, and the sensitive project named where one is."""
        project = UUID(self.ids["project"])
        return sorted(act.verb for act in written) == sorted(verbs) and all(
            act.holder == self.holder and (act.verb != NAMES or act.object == project) for act in written
        )
