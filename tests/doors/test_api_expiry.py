"""Over HTTP: what of somebody's credits ends when, and asking for what has ended."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Posted, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import SCHEME, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.expiry import expire
from ledger.scheme.keys import Keys
from tests.doors.house import Api

DAY = timedelta(days=1)
BEGAN = datetime(2026, 1, 20, 12, tzinfo=UTC)
ENDED = datetime(2028, 2, 1, 12, tzinfo=UTC)


class Town:
    """The service at a moment that a test sets, with two years' expiry."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = BEGAN
        self.api: Api

    async def person(self, name: str = "Ann", minutes: int = 60) -> dict[str, Any]:
        """Somebody with so many minutes."""
        person = await self.api.person(name)
        if minutes:
            await self.post(account("issued", UUID(int=7)), account("wallet", UUID(person["holder"])), minutes)
        return person

    async def post(self, debit: str, credit: str, minutes: int) -> None:
        entry = Entry(id=uuid4(), transfers=(Transfer(debit, credit, minutes),), happened_at=self.now, actor=SCHEME)
        async with self.database.transaction() as connection:
            (outcome,) = await post(driver(connection), CHART, [entry], self.now)
        assert isinstance(outcome, Posted)

    async def at(self, moment: datetime, *, looking: bool = True) -> None:
        """Go there, with a new key for the scheme, and make the day's look."""
        self.now = moment
        _, self.api.scheme = await Keys(self.database, lambda: moment, "test").create(Scope.SCHEME, None, "tests")
        if looking:
            async with self.database.transaction() as connection:
                await expire(driver(connection), moment)

    async def key(self, person: dict[str, Any]) -> str:
        return await self.api.key("person", person=person["id"])

    async def endings(self, person: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/people/{person['id']}/endings", token)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def reinstate(self, person: dict[str, Any], **options: str) -> dict[str, Any]:
        return await self.api.made(f"/v1/people/{person['id']}/reinstatements", **options)

    async def refused(self, person: dict[str, Any], **options: str) -> tuple[int, str]:
        answer = await self.api.post(f"/v1/people/{person['id']}/reinstatements", **options)
        return answer.status_code, answer.json()["code"]


@pytest.fixture
async def town(dsn: str, database: Database) -> AsyncIterator[Town]:
    town = Town(database)
    async with Api.running(dsn, clock=lambda: town.now) as town.api:
        assert (await town.api.send("PATCH", "/v1/rules", {"expiry_months": 24})).status_code == 200
        yield town


async def test_what_ends_when_is_read_by_date(town: Town) -> None:
    ann = await town.person()
    assert await town.endings(ann) == {"endings": [{"ends_on": "2028-01-31", "minutes": 60}], "reinstatable": []}
    town.now += 40 * DAY
    wallet = account("wallet", UUID(ann["holder"]))
    await town.post(account("issued", UUID(int=7)), wallet, 90)
    await town.post(wallet, account("redeemed", UUID(int=8)), 20)
    assert (await town.endings(ann))["endings"] == [
        {"ends_on": "2028-01-31", "minutes": 40},
        {"ends_on": "2028-03-31", "minutes": 90},
    ]


async def test_where_credits_do_not_end_nothing_is_shown(town: Town) -> None:
    ann = await town.person()
    await town.api.send("PATCH", "/v1/rules", {"expiry_months": 0})
    assert await town.endings(ann) == {"endings": [], "reinstatable": []}
    assert await town.endings(await town.person("Bob", 0)) == {"endings": [], "reinstatable": []}


async def test_the_balance_is_what_the_journal_says_until_the_look_was_made(town: Town) -> None:
    ann = await town.person()
    await town.at(ENDED, looking=False)
    assert await town.api.balance(ann["id"]) == (60, 0)
    assert (await town.endings(ann))["endings"] == [{"ends_on": "2028-01-31", "minutes": 60}]
    await town.at(ENDED)
    assert await town.api.balance(ann["id"]) == (0, 0)
    assert await town.endings(ann) == {"endings": [], "reinstatable": [{"until": "2028-03-02", "minutes": 60}]}


@pytest.mark.parametrize(
    ("who", "status", "recorded"),
    [
        ("staff", 200, []),
        ("herself", 200, []),
        ("a helper who may read the balance", 200, ["endings_read"]),
        ("a helper who may book", 404, []),
        ("another person", 404, []),
        ("a project", 403, []),
    ],
)
async def test_who_may_see_what_ends(town: Town, who: str, status: int, recorded: list[str]) -> None:
    ann, bob = await town.person(), await town.person("Bob")
    if who.startswith("a helper"):
        may = ["balance"] if "balance" in who else ["book"]
        await town.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": may})
    tokens = {
        "staff": town.api.scheme,
        "herself": await town.key(ann),
        "a project": await town.api.key("project", await town.api.project()),
    }
    token = tokens.get(who) or await town.key(bob)
    answer = await town.api.get(f"/v1/people/{ann['id']}/endings", token)
    assert answer.status_code == status, answer.text
    acts = (await town.api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"]
    assert [act["verb"] for act in acts if act["verb"] == "endings_read"] == recorded


@pytest.mark.parametrize(
    ("who", "outcome", "recorded"),
    [
        ("staff", 201, ["credits_reinstated"]),
        ("herself", 201, []),
        ("a helper who may book", 201, ["credits_reinstated"]),
        ("a helper who may read the balance", 404, []),
        ("another person", 404, []),
        ("a project", 403, []),
    ],
)
async def test_who_may_ask_for_what_has_ended(town: Town, who: str, outcome: int, recorded: list[str]) -> None:
    ann, bob = await town.person(), await town.person("Bob")
    await town.at(ENDED)
    if who.startswith("a helper"):
        may = ["book"] if "book" in who else ["balance"]
        await town.api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": may})
    tokens = {
        "staff": await town.api.key("scheme"),
        "herself": await town.key(ann),
        "a project": await town.api.key("project", await town.api.project()),
    }
    token = tokens.get(who) or await town.key(bob)
    answer = await town.api.post(f"/v1/people/{ann['id']}/reinstatements", token=token)
    assert answer.status_code == outcome, answer.text
    assert await town.api.balance(ann["id"]) == (60 if outcome == 201 else 0, 0)
    acts = (await town.api.get(f"/v1/people/{ann['id']}/acts")).json()["acts"]
    assert [act["verb"] for act in acts if act["verb"] == "credits_reinstated"] == recorded


async def test_what_has_ended_comes_back_once_for_thirty_days(town: Town) -> None:
    ann = await town.person()
    await town.at(ENDED)
    town.now = ENDED + 3 * DAY
    given = await town.reinstate(ann, key="please")
    assert given == {
        "person": ann["id"],
        "minutes": 60,
        "ends_on": "2028-03-05",
        "reinstated_at": "2028-02-04T12:00:00Z",
    }
    again = await town.api.post(f"/v1/people/{ann['id']}/reinstatements", key="please")
    assert (again.json(), again.headers["idempotency-replayed"]) == (given, "true")
    assert await town.refused(ann) == (409, "wrong_state")
    assert await town.endings(ann) == {"endings": [{"ends_on": "2028-03-05", "minutes": 60}], "reinstatable": []}
    lines = (await town.api.get(f"/v1/people/{ann['id']}/statement")).json()["lines"]
    assert [(line["kind"], line["minutes"], line["other"]) for line in lines[:2]] == [
        ("refund", 60, "expired"),
        ("plain", -60, "expired"),
    ]

    await town.at(datetime(2028, 3, 6, 12, tzinfo=UTC))
    assert await town.api.balance(ann["id"]) == (0, 0)
    assert await town.endings(ann) == {"endings": [], "reinstatable": []}
    assert await town.refused(ann) == (409, "wrong_state")
    assert await town.api.trial_balance() == {"issued": -60, "expired": 60}


@pytest.mark.parametrize(
    ("asked_at", "rules", "outcome"),
    [
        (ENDED, {}, 201),
        (datetime(2028, 3, 2, 23, 59, 59, tzinfo=UTC), {}, 201),
        (datetime(2028, 3, 3, tzinfo=UTC), {}, 409),
        (ENDED + DAY, {"reinstatement_days": 1}, 201),
        (ENDED + 2 * DAY, {"reinstatement_days": 1}, 409),
        (ENDED, {"reinstatement_days": 0}, 201),
        (ENDED + DAY, {"reinstatement_days": 0}, 409),
        (ENDED + DAY, {"expiry_months": 0}, 201),
    ],
    ids=[
        "on the same day",
        "in the last second of the thirtieth day",
        "a second later",
        "the next day, where that is all",
        "the day after that",
        "on the same day, where that is all",
        "the next day",
        "since when nothing ends any more",
    ],
)
async def test_how_long_it_may_be_asked_for(
    town: Town, asked_at: datetime, rules: dict[str, int], outcome: int
) -> None:
    ann = await town.person()
    await town.at(ENDED)
    await town.api.send("PATCH", "/v1/rules", rules)
    town.now = asked_at
    answer = await town.api.post(f"/v1/people/{ann['id']}/reinstatements")
    assert answer.status_code == outcome, answer.text
    if "expiry_months" in rules:
        assert answer.json()["ends_on"] is None


async def test_what_ended_at_several_times_comes_back_together_and_is_told(town: Town) -> None:
    ann = await town.person()
    town.now += 40 * DAY
    await town.post(account("issued", UUID(int=7)), account("wallet", UUID(ann["holder"])), 45)
    await town.at(ENDED)
    # A look that comes late: what ended a month later has gone on another day.
    await town.at(datetime(2028, 4, 1, 12, tzinfo=UTC))
    await town.api.send("PATCH", "/v1/rules", {"reinstatement_days": 90})
    assert (await town.endings(ann))["reinstatable"] == [
        {"until": "2028-05-01", "minutes": 60},
        {"until": "2028-06-30", "minutes": 45},
    ]
    given = await town.reinstate(ann)
    assert (given["minutes"], given["ends_on"]) == (105, "2028-05-01")
    assert await town.api.balance(ann["id"]) == (105, 0)
    async with town.database.reading() as connection:
        bodies = await driver(connection).fetch("SELECT body FROM scheme.outbox WHERE topic = 'credits_reinstated'")
    assert [row["body"] for row in bodies] == ['{"minutes":105,"ends_on":"2028-05-01"}']


async def test_who_was_erased_is_not_there(town: Town) -> None:
    ann = await town.person()
    await town.at(ENDED)
    await town.api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert (await town.api.get(f"/v1/people/{ann['id']}/endings")).status_code == 404
    assert await town.refused(ann) == (404, "not_found")


@pytest.mark.parametrize("what", ["endings", "reinstatements"])
async def test_nobody_is_nobody(town: Town, what: str) -> None:
    path = f"/v1/people/{uuid4()}/{what}"
    answer = await (town.api.get(path) if what == "endings" else town.api.post(path))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"expiry_last_notice_days": 60}, "expiry_last_notice_days"),
        ({"expiry_first_notice_days": 14}, "expiry_last_notice_days"),
        ({"expiry_months": 121}, "expiry_months"),
        ({"expiry_months": -1}, "expiry_months"),
        ({"refund_extension_days": 367}, "refund_extension_days"),
    ],
)
async def test_rules_that_cannot_be_are_refused(town: Town, rules: dict[str, int], field: str) -> None:
    answer = await town.api.send("PATCH", "/v1/rules", rules)
    assert (answer.status_code, [fault["field"] for fault in answer.json()["fields"]]) == (422, [field])
