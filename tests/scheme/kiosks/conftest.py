"""A tablet at a project's door, by a clock on the wall, and short words for those who come."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.codes import code_for
from ledger.scheme.devices import Devices
from ledger.scheme.directory import Directory
from ledger.scheme.kiosks import Holding, Kiosks, Signed
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import SignIns
from tests.doors.house import Api
from tests.doors.sessions.conftest import Wall

HOUR = timedelta(hours=1)


class Door:
    """The tablet at a project's door, and those who come."""

    def __init__(self, api: Api, wall: Wall, database: Database, directory: Directory) -> None:
        self.api = api
        self.wall = wall
        self.database = database
        self.kiosks = Kiosks(database, directory, wall)
        self.devices = Devices(database, wall, "test")
        self.sign_ins = SignIns(database, wall)
        self.project = ""
        self.token = ""
        self._keys = 0

    async def enrolled(self, project: str) -> str:
        """The cookie's value of a new kiosk of that project."""
        made = await self.api.made(f"/v1/projects/{project}/devices", {"name": "the tablet"})
        return (await self.devices.enrol_here(made["code"]))[1]

    async def caller(self, token: str = "") -> Caller:
        """Whom the kiosk's pages ask as: see `web.access`."""
        present = await self.sign_ins.who(token or self.token)
        assert present is not None
        return Caller(
            key=present.sign_in,
            scope=Scope.PROJECT,
            object=present.project,
            device=present.device,
            locked_until=present.locked_until,
        )

    async def give(self, person: dict[str, Any], available: int, held: int = 0) -> None:
        wallet, on_hold = account("wallet", UUID(person["holder"])), account("held", UUID(person["holder"]))
        given = (Transfer("issued:x", wallet, available + held), Transfer(wallet, on_hold, held))
        entry = Entry(
            id=uuid4(),
            transfers=tuple(each for each in given if each.minutes),
            happened_at=self.wall(),
            actor=uuid4(),
        )
        async with self.database.transaction() as connection:
            await post(driver(connection), CHART, [entry], self.wall())

    async def balance(self, code: str) -> Holding:
        return await self.kiosks.balance(await self.caller(), code)

    async def check_in(self, code: str, session: str, key: str = "") -> Signed:
        return (await self.kiosks.check_in(await self.caller(), key or self._key(), code, UUID(session)))[0]

    async def check_out(self, code: str, session: str, key: str = "") -> Signed:
        return (await self.kiosks.check_out(await self.caller(), key or self._key(), code, UUID(session)))[0]

    def _key(self) -> str:
        self._keys += 1
        return f"tap {self._keys}"


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def door(dsn: str, wall: Wall, database: Database) -> AsyncIterator[Door]:
    async with (
        Api.running(dsn, clock=wall) as api,
        Directory.running(database.connect, wall, "test") as directory,
    ):
        door = Door(api, wall, database, directory)
        door.project = await api.project()
        door.token = await door.enrolled(door.project)
        yield door


async def refused(asked: Any) -> tuple[Refusal, str]:  # noqa: ANN401  # whatever it would answer
    """The refusal that this hears, with its sentence."""
    with pytest.raises(Declined) as declined:
        await asked
    return declined.value.reason, declined.value.detail


async def wrong_codes(owner: asyncpg.Connection) -> int:
    return int(await owner.fetchval("SELECT count(*) FROM scheme.wrong_code"))


def unknown_code() -> str:
    """One that reads well and is nobody's."""
    return code_for(b"?", "card", uuid4())
