"""Ann, who has credits, Bob, and what one gives the other."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.doors.house import Api

Person = dict[str, Any]
Fund = Callable[..., Any]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def word(answer: httpx.Response) -> str:
    return "201" if answer.status_code == 201 else str(answer.json()["code"])


async def pair(api: Api, fund: Fund, minutes: int = 600) -> tuple[Person, Person]:
    """Ann, who has so many minutes, and Bob."""
    ann, bob = await api.person("Ann"), await api.person("Bob")
    await fund(ann, minutes)
    return ann, bob


async def offered(api: Api, ann: Person, bob: Person, minutes: int = 120, **more: Any) -> httpx.Response:  # noqa: ANN401
    token, key = more.pop("token", None), more.pop("key", None)
    body = {"receiver": bob["id"], "minutes": minutes, **more}
    return await api.post(f"/v1/people/{ann['id']}/gifts", body, token, key)


async def gift(api: Api, ann: Person, bob: Person, minutes: int = 120, **more: Any) -> str:  # noqa: ANN401
    answer = await offered(api, ann, bob, minutes, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def state(api: Api, id_: str) -> str:
    return str((await api.get(f"/v1/gifts/{id_}")).json()["state"])


async def aged(api: Api, name: str, band: str | None, *, consent: bool = False) -> Person:
    """Somebody of that age band, for whom a guardian consented or not."""
    person = await api.made("/v1/people", {"name": name, "age_band": band})
    if consent:
        guardian = (await api.person("Dee"))["id"]
        await api.made(f"/v1/people/{person['id']}/guardians", {"guardian": guardian})
        await api.made(f"/v1/people/{person['id']}/consents", {"guardian": guardian})
    return person


async def topics(owner: asyncpg.Connection, person: Person) -> list[str]:
    rows = await owner.fetch(
        "SELECT topic FROM scheme.outbox WHERE holder = $1 ORDER BY at, id", UUID(person["holder"])
    )
    return [row["topic"] for row in rows]


async def sums(owner: asyncpg.Connection) -> dict[str, int]:
    """The balance of each kind of account, what counts towards limits too."""
    return {
        row["name"]: row["balance"]
        for row in await owner.fetch("SELECT name, balance FROM journal.kind WHERE balance <> 0")
    }
