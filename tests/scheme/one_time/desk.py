"""Asking for links and codes, and reading what came by mail."""

import re
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database
from ledger.scheme.letters import Letter, Letters
from ledger.scheme.one_time import (
    OneTime,
)
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import SignIns

NOW = datetime(2026, 11, 22, 9, 50, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HERE, THERE = "this-browser", "another-browser"
ADDRESS = "https://credits.example"


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Sent(NamedTuple):
    """What a letter holds."""

    link: str
    code: str


class Desk:
    """Asking, and reading what came by mail."""

    def __init__(self, database: Database, owner: asyncpg.Connection, clock: Hands) -> None:
        self.clock = clock
        self.owner = owner
        self.one_time = OneTime(database, clock, b"s" * 32)
        self.letters = Letters(database, clock)
        self.sign_ins = SignIns(database, clock)

    async def person(
        self, name: str = "Ann", email: str | None = "ann@example.org", *, safe: bool | None = None
    ) -> UUID:
        """The new person's holder."""
        person, holder = uuid4(), uuid4()
        await self.owner.execute(
            "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())", person, name
        )
        await self.owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
        if email is not None:
            await self.owner.execute(
                "INSERT INTO scheme.contact (person, email, safe, changed_at, used_at) VALUES ($1, $2, $3, $4, $4)",
                *(person, email, safe, NOW - DAY),
            )
        return holder

    async def person_of(self, holder: UUID) -> UUID:
        person: UUID = await self.owner.fetchval("SELECT person FROM scheme.holder WHERE id = $1", holder)
        return person

    async def ask(self, email: str = "ann@example.org", browser: str = HERE, network: str = "192.0.2.1") -> None:
        await self.one_time.ask(email, browser, network=network, address_of_link=ADDRESS)
        await self.one_time.settled()

    async def post(self) -> list[Letter]:
        """The letters that lie there, the oldest first."""
        return list(reversed(await self.letters.latest(1_000)))

    async def sent(self, browser: str = HERE, network: str = "192.0.2.1") -> Sent:
        """What the letter holds that comes upon asking."""
        await self.ask(browser=browser, network=network)
        return read(await self.post())[-1]

    async def counts(self) -> tuple[int, int]:
        """How many links there are, and how many letters."""
        return (
            await self.owner.fetchval("SELECT count(*) FROM scheme.one_time"),
            await self.owner.fetchval("SELECT count(*) FROM scheme.letter"),
        )


def read(letters: list[Letter]) -> list[Sent]:
    return [
        Sent(
            re.findall(rf"{ADDRESS}/sign-in/(\S+)", letter.body)[0],
            re.findall(r"^\w{4}-\w{4}-\w{3}$", letter.body, re.MULTILINE)[0],
        )
        for letter in letters
    ]


def link_in(letter: Letter) -> str:
    """The link of an invitation's letter."""
    return str(re.findall(rf"{ADDRESS}/sign-in/(\S+)", letter.body)[0])


async def declined(work: Awaitable[object]) -> tuple[Refusal, str, tuple[tuple[str, str], ...]]:
    with pytest.raises(Declined) as refused:
        await work
    return refused.value.reason, refused.value.detail, refused.value.fields
