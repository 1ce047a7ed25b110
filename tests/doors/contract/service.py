"""The service on a port of its own, and a small scheme in it with a key of each scope."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn

from ledger.app import serving
from ledger.database import Database
from ledger.scheme.callers import Scope
from ledger.scheme.keys import Keys
from tests.doors.contract.known import Known
from tests.doors.house import settings_for

# The day after that of the document's examples: their sessions are recent in every year to come.
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@contextlib.contextmanager
def answering(dsn: str) -> Iterator[str]:
    """The service on that database, in a thread with a loop of its own; gives the address it answers at."""
    began = time.monotonic()
    ready = Future[uvicorn.Server]()

    def clock() -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - began)

    async def serve(listener: socket.socket) -> None:
        async with serving(settings_for(dsn), dsn, clock=clock, tested=True) as application:
            server = uvicorn.Server(
                uvicorn.Config(application, lifespan="off", ws="none", log_config=None, access_log=False)
            )
            ready.set_result(server)  # who connects before it accepts waits in the listener's queue
            await server.serve([listener])

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        # asyncio sets it only where a socket says it is TCP; without it each answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        running = pool.submit(asyncio.run, serve(listener))
        wait({ready, running}, return_when=FIRST_COMPLETED)  # type: ignore[arg-type]  # futures are invariant
        if running.done():
            running.result()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ready.result().should_exit = True
            running.result()


async def _named(dsn: str, scope: Scope, person: UUID) -> dict[str, Any]:
    """A key in somebody's name, which only the operator makes."""
    async with Database.open(dsn) as database:
        key, token = await Keys(database, lambda: NOW, "test").create(scope, None, "fuzzing", person=person)
    return {"id": str(key.id), "token": token}


class Scheme:
    """One of most things: a project with a session, a venue with an offer, two people with credits, one with a child.

    What begins here is what chance would rarely make, for it needs several that fit together.
    """

    def __init__(self, client: httpx.Client, boss: str, dsn: str) -> None:
        self._client = client
        self._boss = boss
        self.document: dict[str, Any] = client.get("/docs/openapi.json").json()
        self.known = Known(self.document)
        project = self._made("/v1/projects", {"name": "Repair cafe", "alias": "Saturdays"})["id"]
        venue = self._made("/v1/venues", {"name": "Parkside pool"})["id"]
        offer = self._made(f"/v1/venues/{venue}/offers", {"title": "A swim", "price": 15})["id"]
        self._made(f"/v1/offers/{offer}/publish")
        self._made(f"/v1/venues/{venue}/sites", {"name": "Parkside", "postcode": "CB1 1LY"})
        self._a_play_is_given(venue)
        ann, bilal = (self._made("/v1/people", {"name": name}) for name in ("Ann", "Bilal"))
        self._hours_are_given(project, ann["id"], bilal["id"])
        self._somebody_cares(ann["id"], bilal["id"])
        self._vouchers_are_printed()
        whose = {
            "scheme": {},
            "project": {"object": project},
            "venue": {"object": venue},
        }
        keys = {
            scope: self._sent("/v1/keys", {"scope": scope, "label": "fuzzing", **rest}) for scope, rest in whose.items()
        }
        role = self._made("/v1/roles", {"person": bilal["id"], "role": "auditor"})["id"]
        keys |= {
            scope: asyncio.run(_named(dsn, Scope(scope), UUID(person["id"])))
            for scope, person in (("person", ann), ("auditor", bilal))
        }
        self.tokens = {scope: key["token"] for scope, key in keys.items()}
        # And what would take a key with it: the device of the venue's, the role of the auditor's.
        self.keys = [*(key["id"] for key in keys.values()), keys["venue"]["device"], role]
        # By the project, for it may do the rest only with cards that it issued.
        card = self._made(f"/v1/people/{bilal['id']}/cards", {}, token=self.tokens["project"])["code"]
        self._made(f"/v1/people/{ann['id']}/pass", token=self.tokens["person"])
        self._made(f"/v1/venues/{venue}/devices", {"name": "the kiosk"})
        on_hold = {"offer": offer, "code": card, "name_checked": True, "capture": False}
        self._made("/v1/redemptions", on_hold, token=self.tokens["venue"])
        booked = {"person": ann["id"], "offer": offer, "visit_at": (NOW + timedelta(days=2)).isoformat()}
        self._made("/v1/bookings", booked)
        self._somebody_gives(ann["id"], bilal["id"], offer)

    def _a_play_is_given(self, venue: str) -> None:
        """On two evenings; bookings are of the swim."""
        play = self._sent(f"/v1/venues/{venue}/offers", {"title": "A play", "price": 15, "kind": "show"})["id"]
        self._made(f"/v1/offers/{play}/publish")
        evenings = [
            {"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=2)).isoformat()}
            for begins in (NOW + timedelta(days=7), NOW + timedelta(days=8))
        ]
        self._made(f"/v1/offers/{play}/occasions", {"occasions": evenings})

    def _hours_are_given(self, project: str, ann: str, bilal: str) -> None:
        """Yesterday, and in a session that goes on now."""
        lines = [{"person": person, "minutes": 240} for person in (ann, bilal)]
        self._made(f"/v1/projects/{project}/registers", {**_session(NOW - timedelta(days=1)), "lines": lines})
        plan = self._made(f"/v1/projects/{project}/sessions", _session(NOW - timedelta(hours=1)))
        self._made(f"/v1/sessions/{plan['sessions'][0]['id']}/attendances", {"person": bilal})

    def _somebody_cares(self, ann: str, bilal: str) -> None:
        """Bilal helps Ann, and answers for Carys."""
        self._made(f"/v1/people/{ann}/helpers", {"helper": bilal, "may": ["balance"]})
        carys = self._made("/v1/people", {"name": "Carys", "age_band": "8_to_15"})["id"]
        self._made(f"/v1/people/{carys}/guardians", {"guardian": bilal})
        self._made(f"/v1/people/{carys}/consents", {"guardian": bilal})

    def _vouchers_are_printed(self) -> None:
        """From the community's pot, in which enough is left for others: of somebody who has gone."""
        opening = {"source": "timebank", "lines": [{"name": "Eirlys", "minutes": 60_000}]}
        gone = self._sent("/v1/openings", opening)["newcomers"][0]["person"]
        self._sent(f"/v1/people/{gone}/erasure", {"give_to": "community"})
        last_day = f"{NOW + timedelta(days=90):%Y-%m-%d}"
        self._made("/v1/batches", {"group": None, "label": "Swims", "minutes": 60, "count": 5, "last_day": last_day})

    def _somebody_gives(self, ann: str, bilal: str, offer: str) -> None:
        """Bilal offers Ann a gift; both keep a pot, from which two of them may go for a swim once Ann agrees."""
        for minutes in (15, 30, 15):
            self._made(f"/v1/people/{bilal}/gifts", {"receiver": ann, "minutes": minutes, "words": "For you"})
        self._made("/v1/community-pot/gifts", {"giver": ann, "minutes": 30})
        group = self._made("/v1/groups", {"name": "Tuesday gardeners"})["id"]
        for person in (ann, bilal):
            answer = self._client.put(
                f"/v1/groups/{group}/members/{person}",
                json={"keyholder": True},
                headers={"authorization": f"Bearer {self._boss}"},
            )
            assert answer.is_success, answer.text
        self._made(f"/v1/groups/{group}/pot/gifts", {"giver": ann, "minutes": 60})
        changed = self._client.patch(
            "/v1/rules", json={"pot_both_above_minutes": 15}, headers={"authorization": f"Bearer {self._boss}"}
        )
        assert changed.is_success, changed.text
        visit = {"person": bilal, "offer": offer, "visit_at": (NOW + timedelta(days=3)).isoformat()}
        self._made(f"/v1/groups/{group}/pot/spends", {"keyholder": bilal, **visit, "party": {"adults": 2}})

    def _made(self, path: str, body: object = None, *, token: str = "") -> Any:  # noqa: ANN401  # JSON
        answer = self._sent(path, body, token=token)
        self.known.learn(path, answer)
        return answer

    def _sent(self, path: str, body: object, *, token: str = "") -> Any:  # noqa: ANN401  # the same
        """The answer, without its ids becoming known: those of the keys stay so, or they would be revoked."""
        headers = {"authorization": f"Bearer {token or self._boss}", "idempotency-key": uuid4().hex}
        answer = self._client.post(path, json=body, headers=headers)
        assert answer.is_success, (path, answer.text)
        return answer.json()


def _session(began: datetime) -> dict[str, str]:
    return {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=4)).isoformat()}
