"""Tills and kiosks in a browser: enrolled by the same codes, signed in instead of given a key, and at work."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database
from ledger.journal.batcher import Batcher
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.chart import CHART
from ledger.scheme.codes import code_for, enrolment_code
from ledger.scheme.devices import Devices, Kind, NewDevice, Status
from ledger.scheme.directory import Directory
from ledger.scheme.redemptions import Redemptions, State
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import Present, SignIns, Strength
from ledger.scheme.terms import Party
from ledger.scheme.tills import Quote, Tills, Wanted
from tests.daytime import daytime
from tests.doors.house import Api

NOW = daytime().replace(microsecond=0)


class Clock:
    """Goes where it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Browser:
    """What the pages call: the verbs, on the same database."""

    def __init__(self, database: Database, batcher: Batcher, directory: Directory, clock: Clock) -> None:
        self.devices = Devices(database, clock, "test")
        self.sign_ins = SignIns(database, clock)
        self.tills = Tills(database, batcher, directory, clock)
        self.redemptions = Redemptions(database, batcher, directory, clock)
        self._directory = directory

    async def enrolled(self, code: str) -> Present:
        _, token = await self.devices.enrol_here(code)
        return await self.present(token)

    async def present(self, token: str) -> Present:
        present = await self.sign_ins.who(token)
        assert present is not None
        return present

    async def quote(self, caller: Caller, offer: str, code: str) -> Quote:
        read = self.tills.code(code)
        found = await self._directory.find(offer=UUID(offer), code=read.lookup)
        wanted = Wanted(offer=UUID(offer), party=Party(adults=1), name_checked=True)
        return await self.tills.quote(caller, wanted, read, found)

    async def redeem(self, caller: Caller, offer: str, code: str, key: str, *, capture: bool = True) -> UUID:
        read = self.tills.code(code)
        found = await self._directory.find(offer=UUID(offer), code=read.lookup)
        wanted = Wanted(offer=UUID(offer), party=Party(adults=1), name_checked=True)
        redemption, _ = await self.tills.redeem(caller, key, wanted, read, found, capture=capture)
        return redemption.id


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(dsn: str, clock: Clock) -> AsyncIterator[Api]:
    async with Api.running(dsn, clock=clock) as api:
        yield api


@pytest.fixture
async def browser(dsn: str, clock: Clock) -> AsyncIterator[Browser]:
    async with (
        Database.open(dsn) as database,
        Batcher.running(database.connect, CHART, clock) as batcher,
        Directory.running(database.connect, clock, "test") as directory,
    ):
        yield Browser(database, batcher, directory, clock)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def enrol(api: Api, code: str) -> httpx.Response:
    """As a till sends it that has no browser."""
    return await api.client.post("/v1/devices/enrol", json={"code": code})


async def expected(api: Api, venue: str) -> dict[str, Any]:
    return await api.made(f"/v1/venues/{venue}/devices", {"name": "the till"})


def unknown_code() -> str:
    """One that reads well and is nobody's."""
    return code_for(b"?", "card", uuid4())


def unknown_enrolment() -> str:
    return enrolment_code(b"?", uuid4())


def at_the_till(present: Present) -> Caller:
    """Whom the pages ask as: see `web.access`."""
    return Caller(
        key=present.sign_in,
        scope=Scope.VENUE,
        object=present.venue,
        device=present.device,
        site=present.site,
        locked_until=present.locked_until,
    )


# --- enrolment ----------------------------------------------------------------------------------------------


async def test_a_till_is_signed_in_by_the_same_code_once_and_no_key_is_made(
    timed: Api, clock: Clock, browser: Browser, owner: asyncpg.Connection
) -> None:
    venue = await timed.venue()
    made = await expected(timed, venue)
    device, token = await browser.devices.enrol_here(made["code"].lower())
    assert (device.kind, device.status, device.enrolled_at) == (Kind.TILL, Status.ACTIVE, clock.now)
    present = await browser.present(token)
    assert (present.strength, present.device, present.venue, present.holder, present.roles) == (
        *(Strength.DEVICE, device.id, UUID(venue), None),
        (),
    )
    for _ in range(2):
        with pytest.raises(Declined) as declined:
            await browser.devices.enrol_here(made["code"])
        assert declined.value.reason is Refusal.CODE_UNKNOWN
    assert told(await enrol(timed, made["code"])) == (409, "code_unknown")
    assert await owner.fetchval("SELECT count(*) FROM scheme.api_key WHERE device IS NOT NULL") == 0
    stored = str([tuple(row) for row in await owner.fetch("SELECT * FROM scheme.sign_in")])
    assert token not in stored


async def test_of_browsers_and_tills_that_have_the_same_code_one_is_enrolled(
    timed: Api, browser: Browser, owner: asyncpg.Connection
) -> None:
    made = await expected(timed, await timed.venue())
    here = [browser.devices.enrol_here(made["code"]) for _ in range(3)]
    there = [enrol(timed, made["code"]) for _ in range(3)]
    answers = await asyncio.gather(*here, *there, return_exceptions=True)
    assert len([one for one in answers if isinstance(one, tuple) or getattr(one, "status_code", 0) == 200]) == 1
    known = (
        "SELECT (SELECT count(*) FROM scheme.sign_in) + (SELECT count(*) FROM scheme.api_key WHERE device IS NOT NULL)"
    )
    assert await owner.fetchval(known) == 1


@pytest.mark.parametrize("kind", ["till", "kiosk"])
@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (timedelta(minutes=10) - timedelta(microseconds=1), None),
        (timedelta(minutes=10), Refusal.CODE_UNKNOWN),
    ],
)
async def test_in_a_browser_a_code_lasts_ten_minutes_too(  # noqa: PLR0917  # two are fixtures
    timed: Api, clock: Clock, browser: Browser, kind: str, after: timedelta, reason: Refusal | None
) -> None:
    place = f"venues/{await timed.venue()}" if kind == "till" else f"projects/{await timed.project()}"
    made = await timed.made(f"/v1/{place}/devices", {"name": "x"})
    clock.now += after
    try:
        assert (await browser.enrolled(made["code"])).device is not None
        heard = None
    except Declined as declined:
        heard = declined.reason
    assert heard is reason


async def test_wrong_codes_in_a_browser_and_over_http_are_counted_together_and_mistyped_ones_never(
    timed: Api, browser: Browser
) -> None:
    made = await expected(timed, await timed.venue())

    async def typed(code: str) -> Refusal:
        with pytest.raises(Declined) as declined:
            await browser.devices.enrol_here(code)
        return declined.value.reason

    wrong = made["code"][:-1] + ("0" if made["code"][-1] != "0" else "1")
    assert [await typed(wrong) for _ in range(12)] == [Refusal.WRONG_VALUES] * 12
    assert [await typed(unknown_enrolment()) for _ in range(5)] == [Refusal.CODE_UNKNOWN] * 5
    assert [told(await enrol(timed, unknown_enrolment()))[1] for _ in range(6)] == [
        *["code_unknown"] * 5,
        "try_again",
    ]
    assert await typed(unknown_enrolment()) is Refusal.TRY_AGAIN
    assert (await browser.enrolled(made["code"])).venue is not None


async def test_revoking_a_device_signs_its_browser_out_at_once(
    timed: Api, clock: Clock, browser: Browser, owner: asyncpg.Connection
) -> None:
    venue, project = await timed.venue(), await timed.project()
    for place in (f"venues/{venue}", f"projects/{project}"):
        made = await timed.made(f"/v1/{place}/devices", {"name": "x"})
        neighbour = await timed.made(f"/v1/{place}/devices", {"name": "y"})
        tokens = [(await browser.devices.enrol_here(each["code"]))[1] for each in (made, neighbour)]
        await timed.made(f"/v1/devices/{made['device']['id']}/revoke")
        assert [await browser.sign_ins.who(token) is not None for token in tokens] == [False, True]
        ended = "SELECT ended_at FROM scheme.sign_in WHERE device = $1"
        assert await owner.fetchval(ended, UUID(made["device"]["id"])) == clock.now


async def test_a_kiosk_gets_no_api_key_and_its_code_still_works_in_its_browser(
    timed: Api, browser: Browser, owner: asyncpg.Connection
) -> None:
    made = await timed.made(f"/v1/projects/{await timed.project()}/devices", {"name": "the tablet"})
    assert told(await enrol(timed, made["code"])) == (409, "wrong_state")
    present = await browser.enrolled(made["code"])
    assert (str(present.device), present.device_name) == (made["device"]["id"], "the tablet")
    assert await owner.fetchval("SELECT count(*) FROM scheme.api_key WHERE device IS NOT NULL") == 0


# --- who may ------------------------------------------------------------------------------------------------


async def test_a_manager_has_a_say_in_the_tills_of_their_venue_and_a_till_or_kiosk_in_none(
    timed: Api, browser: Browser
) -> None:
    venue, elsewhere, project = await timed.venue(), await timed.venue("The theatre"), await timed.project()
    till = UUID((await expected(timed, venue))["device"]["id"])
    kiosk = UUID((await timed.made(f"/v1/projects/{project}/devices", {"name": "x"}))["device"]["id"])
    ann = uuid4()

    def caller(scope: Scope, object_: str | None, device: UUID | None = None) -> Caller:
        holder = ann if device is None else None
        return Caller(
            key=SCHEME, scope=scope, object=None if object_ is None else UUID(object_), holder=holder, device=device
        )

    callers = {
        "staff": caller(Scope.SCHEME, None),
        "manager": caller(Scope.VENUE, venue),
        "manager elsewhere": caller(Scope.VENUE, elsewhere),
        "coordinator": caller(Scope.PROJECT, project),
        "till": caller(Scope.VENUE, venue, till),
        "kiosk": caller(Scope.PROJECT, project, kiosk),
        "auditor": caller(Scope.AUDITOR, None),
        "ann": Caller(key=SCHEME, scope=Scope.PERSON, object=None, holder=ann),
    }
    may: dict[str, list[str]] = {}
    reasons = set()
    devices = browser.devices
    for name, who in callers.items():
        verbs = {
            "make a till": devices.create(who, f"till {name}", NewDevice(venue=UUID(venue), name="x")),
            "list tills": devices.of_venue(who, UUID(venue), after=None, limit=9),
            "rename a till": devices.change(who, till, name="x"),
            "make a kiosk": devices.create(who, f"kiosk {name}", NewDevice(project=UUID(project), name="x")),
            "list kiosks": devices.of_project(who, UUID(project), after=None, limit=9),
            "rename a kiosk": devices.change(who, kiosk, name="x"),
        }
        may[name] = []
        for verb, asked in verbs.items():
            try:
                await asked
                may[name].append(verb)
            except Declined as declined:
                reasons.add(declined.reason)
    assert reasons == {Refusal.NOT_FOUND}
    tills, kiosks = ["make a till", "list tills", "rename a till"], ["make a kiosk", "list kiosks", "rename a kiosk"]
    assert may == {
        **{name: [] for name in callers},
        "staff": tills + kiosks,
        "manager": tills,
        "coordinator": kiosks,
    }


# --- a till at work -----------------------------------------------------------------------------------------


async def test_a_till_in_a_browser_quotes_redeems_holds_captures_voids_and_refunds_and_is_who_did_it(
    timed: Api, browser: Browser, owner: asyncpg.Connection
) -> None:
    venue = await timed.venue()
    offer, ann = await timed.offer(venue), await timed.person()
    await timed.give(await timed.project(), {ann["id"]: 240})
    code = await timed.card(ann["id"])
    made = await expected(timed, venue)
    present = await browser.enrolled(made["code"])
    caller = at_the_till(present)
    quoted = await browser.quote(caller, offer, code)
    assert (quoted.accepted, quoted.minutes, quoted.name) == (True, 60, "Ann")
    spent = await browser.redeem(caller, offer, code, "a")
    assert await browser.redeem(caller, offer, code, "a") == spent
    held, dropped = [await browser.redeem(caller, offer, code, key, capture=False) for key in "bc"]
    steps = [
        await browser.redemptions.capture(caller, "d", held, None),
        await browser.redemptions.void(caller, "e", dropped),
        await browser.redemptions.refund(caller, "f", spent, 15),
    ]
    stand = [await browser.redemptions.get(caller, each) for each in (spent, held, dropped)]
    assert [each.status for each in stand] == [State.PARTIALLY_REFUNDED, State.CAPTURED, State.VOIDED]
    assert await timed.balance(ann["id"]) == (240 - 45 - 60, 0)
    entries = [spent, held, dropped, *[step.id for step, _ in steps]]
    actors = await owner.fetch("SELECT DISTINCT actor FROM journal.entry WHERE id = ANY($1)", entries)
    assert [row["actor"] for row in actors] == [present.device]
    await timed.made(f"/v1/devices/{present.device}/revoke")
    assert (await timed.get(f"/v1/redemptions/{spent}")).json()["status"] == "partially_refunded"


async def test_a_till_in_a_browser_sees_nothing_of_another_venue(timed: Api, browser: Browser) -> None:
    venue, elsewhere = await timed.venue(), await timed.venue("The theatre")
    offer, ann = await timed.offer(venue), await timed.person()
    await timed.give(await timed.project(), {ann["id"]: 240})
    code = await timed.card(ann["id"])
    here, there = [
        at_the_till(await browser.enrolled((await expected(timed, each))["code"])) for each in (venue, elsewhere)
    ]
    spent = await browser.redeem(here, offer, code, "a")
    for asked in (
        browser.redeem(there, offer, code, "b"),
        browser.redemptions.get(there, spent),
        browser.redemptions.refund(there, "c", spent, None),
    ):
        with pytest.raises(Declined) as declined:
            await asked
        assert declined.value.reason is Refusal.NOT_FOUND


async def test_ten_wrong_codes_lock_a_till_in_a_browser_too(timed: Api, clock: Clock, browser: Browser) -> None:
    venue = await timed.venue()
    offer = await timed.offer(venue)
    _, token = await browser.devices.enrol_here((await expected(timed, venue))["code"])
    for number in range(10):
        caller = at_the_till(await browser.present(token))
        assert (await browser.quote(caller, offer, unknown_code())).reason is Refusal.CODE_UNKNOWN, number
    caller = at_the_till(await browser.present(token))
    assert caller.locked_until == clock.now + timedelta(hours=1)
    with pytest.raises(Declined) as declined:
        await browser.quote(caller, offer, unknown_code())
    assert (declined.value.reason, declined.value.works_at) == (Refusal.TRY_AGAIN, caller.locked_until)
