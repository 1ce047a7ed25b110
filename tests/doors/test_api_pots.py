"""Pots over HTTP: who looks into a group's and spends from it, and what the community passes on (rule 21)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import CHART, account
from ledger.scheme.keyholders import Keyholders
from ledger.scheme.lapses import lapse_due
from ledger.scheme.pot_spends import OPEN_MAX
from tests.doors.bookings.lido import NOW, SATURDAY, Lido, refusal
from tests.journal.conftest import audit

Person = dict[str, Any]
SECOND = timedelta(seconds=1)


class Gardeners:
    """A group with a pot: Ann and Bob are its keyholders, Cas a member and Eve a stranger; and the lido's swim."""

    def __init__(self, lido: Lido, database: Database) -> None:
        self.lido, self.api, self.database = lido, lido.api, database
        self.group = self.offer = ""
        self.ann: Person = {}
        self.bob: Person = {}
        self.cas: Person = {}
        self.eve: Person = {}

    @property
    def pot(self) -> str:
        return f"/v1/groups/{self.group}/pot"

    async def come(self, minutes: int = 600) -> None:
        self.ann, self.bob, self.cas, self.eve = [
            await self.lido.person(name, minutes=0) for name in ("Ann", "Bob", "Cas", "Eve")
        ]
        self.group = (await self.api.made("/v1/groups", {"name": "Gardeners"}))["id"]
        for person, keyholder in ((self.ann, True), (self.bob, True), (self.cas, False)):
            assert (await self.put(person, keyholder=keyholder)).status_code == 200
        self.offer = await self.lido.offer()
        await self.fund(account("pot", UUID(self.group)), minutes)

    async def fund(self, to: str, minutes: int) -> None:
        entry = Entry(id=uuid4(), transfers=(Transfer("issued:x", to, minutes),), happened_at=NOW, actor=uuid4())
        async with self.database.transaction() as connection:
            await post(driver(connection), CHART, [entry], NOW)

    async def put(self, person: Person, *, keyholder: bool) -> httpx.Response:
        return await self.api.send("PUT", f"/v1/groups/{self.group}/members/{person['id']}", {"keyholder": keyholder})

    async def change(self, person: Person, *, keyholder: bool) -> None:
        """Have a member be a keyholder, or none: Ann proposes it, and Bob agrees, for there is something in the pot."""
        keyholders = Keyholders(self.database, self.lido.clock)
        ann, bob = [
            Caller(key=holder, scope=Scope.PERSON, object=None, holder=holder)
            for holder in (UUID(self.ann["holder"]), UUID(self.bob["holder"]))
        ]
        asked = UUID(self.group), UUID(person["id"])
        if not await keyholders.propose(ann, *asked, keyholder=keyholder):
            await keyholders.agree(bob, *asked)

    async def join(self, person: Person) -> None:
        """Have somebody new keep the pot as well."""
        assert (await self.put(person, keyholder=False)).status_code == 200
        await self.change(person, keyholder=True)

    async def leave(self, person: Person) -> None:
        await self.change(person, keyholder=False)
        gone = await self.api.send("DELETE", f"/v1/groups/{self.group}/members/{person['id']}")
        assert gone.status_code == 204

    async def rule(self, **values: int) -> None:
        assert (await self.api.send("PATCH", "/v1/rules", values)).status_code == 200

    async def spend(self, by: Person, adults: int = 1, *, token: str = "", **more: Any) -> httpx.Response:  # noqa: ANN401
        key = more.pop("key", None)
        body = {
            "keyholder": by["id"],
            "person": self.cas["id"],
            "offer": self.offer,
            "visit_at": SATURDAY.isoformat(),
            "party": {"adults": adults},
            **more,
        }
        return await self.api.post(f"{self.pot}/spends", body, token or by["key"], key)

    async def proposed(self, by: Person | None = None, token: str = "") -> str:
        """A spend of two credits by Ann, which waits."""
        await self.rule(pot_both_above_minutes=60)
        answer = await self.spend(by or self.ann, 2, token=token)
        assert (answer.status_code, answer.json()["state"]) == (201, "proposed"), answer.text
        return str(answer.json()["spend"])

    async def decide(self, verb: str, spend: str, by: Person, *, token: str = "") -> httpx.Response:
        return await self.api.post(f"/v1/pot-spends/{spend}/{verb}", {"keyholder": by["id"]}, token or by["key"])

    async def has(self) -> tuple[int, int]:
        found = (await self.api.get(self.pot)).json()
        return found["available"], found["held"]

    async def spends(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.api.get(f"{self.pot}/spends")).json()["spends"]
        return found


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


@pytest.fixture
async def gardeners(lido: Lido, database: Database) -> Gardeners:
    made = Gardeners(lido, database)
    await made.come()
    return made


def outcome(answer: httpx.Response) -> str:
    body = answer.json()
    return str(body["state"] if answer.status_code == 201 else body["code"])


# --- looking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"), [("ann", 200), ("bob", 200), ("cas", 404), ("eve", 404), ("another", 404), ("scheme", 200)]
)
async def test_keyholders_and_the_scheme_look_into_a_groups_pot(gardeners: Gardeners, who: str, status: int) -> None:
    api = gardeners.api
    choir = (await api.made("/v1/groups", {"name": "Choir"}))["id"]
    await api.send("PUT", f"/v1/groups/{choir}/members/{gardeners.eve['id']}", {"keyholder": True})
    people = {"ann": gardeners.ann, "bob": gardeners.bob, "cas": gardeners.cas, "another": gardeners.eve}
    token = api.scheme if who == "scheme" else people.get(who, gardeners.eve)["key"]
    for path in ("", "/statement", "/spends"):
        assert (await api.get(gardeners.pot + path, token)).status_code == status
    assert (await api.get(f"/v1/groups/{uuid4()}/pot", token)).status_code == 404


async def test_a_keyholder_at_work_is_no_keyholder(gardeners: Gardeners) -> None:
    """A project's key with Ann behind it speaks for the project."""
    token = await gardeners.api.key("project", gardeners.lido.project, person=gardeners.ann["id"])
    assert refusal(await gardeners.api.get(gardeners.pot, token)) == (403, "forbidden")


async def test_a_statement_tells_what_kind_of_account_it_was_and_never_whose(gardeners: Gardeners) -> None:
    api = gardeners.api
    await gardeners.fund(account("wallet", UUID(gardeners.eve["holder"])), 120)
    given = await api.post(
        f"{gardeners.pot}/gifts", {"giver": gardeners.eve["id"], "minutes": 45}, gardeners.eve["key"]
    )
    assert given.status_code == 201, given.text
    assert (await gardeners.spend(gardeners.ann)).status_code == 201
    lines: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await api.get(f"{gardeners.pot}/statement", gardeners.bob["key"], limit=1, **query)).json()
        lines += page["lines"]
        if page["next"] is None:
            break
        query = {"cursor": page["next"]}
    assert [(line["other"], line["minutes"], line["balance"]) for line in lines] == [
        ("held_pot", -60, 585),
        ("wallet", 45, 645),
        ("issued", 600, 600),
    ]
    assert refusal(await api.get(f"/v1/people/{gardeners.eve['id']}/statement", **query)) == (400, "wrong_parameters")


# --- spending -----------------------------------------------------------------------------------------------


async def test_a_spend_is_a_visit_of_a_member_that_the_pot_pays_for(
    gardeners: Gardeners, owner: asyncpg.Connection
) -> None:
    api, lido = gardeners.api, gardeners.lido
    step = (await gardeners.spend(gardeners.ann, 2)).json()
    assert (step["state"], step["minutes"]) == ("booked", 120)
    assert await gardeners.has() == (480, 120)
    booking = (await api.get(f"/v1/bookings/{step['booking']}", gardeners.cas["key"])).json()
    assert (booking["person"], booking["group"], booking["minutes"]) == (gardeners.cas["id"], gardeners.group, 120)
    lido.clock.now = SATURDAY
    assert (await lido.capture(step["booking"])).status_code == 201
    assert await gardeners.has() == (480, 0)
    assert await api.balance(gardeners.cas["id"]) == (0, 0)
    assert await api.trial_balance() == {"issued": -600, "pot": 480, "redeemed": 120}
    [spend] = await gardeners.spends()
    assert (spend["id"], spend["state"], spend["booking"]) == (step["spend"], "booked", step["booking"])
    assert (spend["proposed_by"], spend["agreed_by"]) == (gardeners.ann["id"], None)
    assert spend["party"] == {"adults": 2, "children": 0, "young": 0, "companion": False}
    await audit(owner)


@pytest.mark.parametrize(("end", "available"), [("cancel", 600), ("lapse", 600)])
async def test_what_is_not_used_goes_back_to_the_pot(gardeners: Gardeners, end: str, available: int) -> None:
    step = (await gardeners.spend(gardeners.ann)).json()
    if end == "cancel":
        assert (await gardeners.lido.cancel(step["booking"], gardeners.cas["key"])).status_code == 201
    else:
        async with gardeners.database.transaction() as connection:
            assert await lapse_due(driver(connection), SATURDAY + timedelta(days=2)) == 1
    assert await gardeners.has() == (available, 0)


@pytest.mark.parametrize(
    ("limit", "adults", "expected"),
    [
        (120, 2, "booked"),
        (119, 2, "proposed"),
        (0, 1, "proposed"),
        (60_000, 8, "booked"),
    ],
    ids=["up to the limit", "a minute above it", "whatever it is", "never"],
)
async def test_above_the_limit_another_keyholder_agrees_first(
    gardeners: Gardeners, limit: int, adults: int, expected: str
) -> None:
    await gardeners.rule(pot_both_above_minutes=limit)
    assert outcome(await gardeners.spend(gardeners.ann, adults)) == expected


@pytest.mark.parametrize(("evenings", "expected"), [(5, "booked"), (6, "proposed")])
async def test_the_limit_is_twenty_credits_unless_the_scheme_says_otherwise(
    gardeners: Gardeners, evenings: int, expected: str
) -> None:
    await gardeners.fund(account("pot", UUID(gardeners.group)), 2_000)
    course = await gardeners.lido.offer("course", price=240)
    await gardeners.lido.occasions(course, *[SATURDAY + timedelta(days=7 * week) for week in range(evenings)])
    answer = await gardeners.spend(gardeners.ann, offer=course, visit_at=None)
    assert (outcome(answer), answer.json()["minutes"]) == (expected, 240 * evenings)


async def test_what_waits_holds_nothing_and_is_booked_once_another_agrees(
    gardeners: Gardeners, owner: asyncpg.Connection
) -> None:
    spend = await gardeners.proposed()
    assert await gardeners.has() == (600, 0)
    for table in ("booking", "lapse", "credential"):
        assert await owner.fetchval(f"SELECT count(*) FROM scheme.{table}") == 0, table
    assert refusal(await gardeners.decide("agree", spend, gardeners.ann)) == (403, "same_approver")
    agreed = (await gardeners.decide("agree", spend, gardeners.bob)).json()
    assert (agreed["spend"], agreed["state"], agreed["minutes"]) == (spend, "booked", 120)
    assert await gardeners.has() == (480, 120)
    [listed] = await gardeners.spends()
    assert (listed["proposed_by"], listed["agreed_by"]) == (gardeners.ann["id"], gardeners.bob["id"])
    assert listed["booking"] == agreed["booking"]
    told = await owner.fetch(
        "SELECT topic, holder FROM scheme.outbox WHERE topic LIKE 'pot_spend%' ORDER BY at, id",
    )
    assert [(row["topic"], str(row["holder"])) for row in told] == [
        ("pot_spend_proposed", gardeners.bob["holder"]),
        ("pot_spend_agreed", gardeners.ann["holder"]),
    ]
    for verb in ("agree", "decline"):
        assert refusal(await gardeners.decide(verb, spend, gardeners.bob)) == (409, "wrong_state")


@pytest.mark.parametrize("who", ["ann", "bob"])
async def test_either_keyholder_declines(gardeners: Gardeners, who: str) -> None:
    spend = await gardeners.proposed()
    by = gardeners.ann if who == "ann" else gardeners.bob
    assert outcome(await gardeners.decide("decline", spend, by)) == "declined"
    assert [one["state"] for one in await gardeners.spends()] == ["declined"]
    assert refusal(await gardeners.decide("agree", spend, gardeners.bob)) == (409, "wrong_state")
    assert await gardeners.has() == (600, 0)


@pytest.mark.parametrize(
    ("after", "expected"),
    [(timedelta(days=14) - SECOND, "booked"), (timedelta(days=14), "wrong_state"), (timedelta(days=60), "wrong_state")],
)
async def test_a_spend_waits_for_fourteen_days(gardeners: Gardeners, after: timedelta, expected: str) -> None:
    await gardeners.rule(pot_both_above_minutes=60)
    later = SATURDAY + timedelta(days=90)
    spend = (await gardeners.spend(gardeners.ann, 2, visit_at=later.isoformat())).json()["spend"]
    [listed] = await gardeners.spends()
    assert datetime.fromisoformat(listed["lapses_at"]) == NOW + timedelta(days=14)
    gardeners.lido.clock.now = NOW + after
    assert outcome(await gardeners.decide("agree", spend, gardeners.bob)) == expected
    assert [one["state"] for one in await gardeners.spends()] == ["booked" if expected == "booked" else "lapsed"]


# --- who may ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "named", "proposes", "agrees"),
    [
        ("ann", "ann", "booked", "same_approver"),
        ("bob", "bob", "booked", "booked"),
        ("bob", "ann", "not_found", "not_found"),
        ("ann", "bob", "not_found", "not_found"),
        ("cas", "cas", "not_found", "not_found"),
        ("eve", "eve", "not_found", "not_found"),
        ("scheme", "bob", "booked", "booked"),
        ("scheme", "ann", "booked", "same_approver"),
        ("scheme", "cas", "not_found", "not_found"),
        ("scheme", "nobody", "not_found", "not_found"),
    ],
)
async def test_keyholders_decide_by_their_own_keys_or_staff_for_them(
    gardeners: Gardeners, *, signed: str, named: str, proposes: str, agrees: str
) -> None:
    people = {"ann": gardeners.ann, "bob": gardeners.bob, "cas": gardeners.cas, "eve": gardeners.eve}
    token = gardeners.api.scheme if signed == "scheme" else people[signed]["key"]
    by = people.get(named, {"id": str(uuid4())})
    spend = await gardeners.proposed()
    assert outcome(await gardeners.spend(by, token=token)) == proposes
    assert outcome(await gardeners.decide("agree", spend, by, token=token)) == agrees
    expected = "not_found" if "not_found" in agrees else "wrong_state" if agrees == "booked" else "declined"
    assert outcome(await gardeners.decide("decline", spend, by, token=token)) == expected


async def test_nobody_proposes_for_one_keyholder_and_agrees_for_the_other(gardeners: Gardeners) -> None:
    spend = await gardeners.proposed(token=gardeners.api.scheme)

    said = await gardeners.decide("agree", spend, gardeners.bob, token=gardeners.api.scheme)

    assert refusal(said) == (403, "same_approver")
    assert outcome(await gardeners.decide("agree", spend, gardeners.bob)) == "booked"


async def test_what_staff_do_for_a_keyholder_is_recorded(gardeners: Gardeners) -> None:
    spend = await gardeners.proposed()
    await gardeners.decide("agree", spend, gardeners.bob, token=gardeners.api.scheme)
    acts = (await gardeners.api.get(f"/v1/people/{gardeners.bob['id']}/acts")).json()["acts"]
    assert ("pot_spend_agreed", spend) in [(act["verb"], act["object"]) for act in acts]


@pytest.mark.parametrize(
    ("keyholders", "needed", "limit", "expected"),
    [
        (1, 2, 1_200, "wrong_state"),
        (2, 2, 1_200, "booked"),
        (2, 3, 1_200, "wrong_state"),
        (1, 1, 1_200, "booked"),
        (1, 1, 0, "wrong_state"),
        (2, 1, 0, "proposed"),
    ],
)
async def test_a_pot_is_spent_from_once_it_has_its_keyholders(
    gardeners: Gardeners, *, keyholders: int, needed: int, limit: int, expected: str
) -> None:
    await gardeners.rule(pot_keyholders=needed, pot_both_above_minutes=limit)
    await gardeners.change(gardeners.bob, keyholder=keyholders == 2)
    assert outcome(await gardeners.spend(gardeners.ann)) == expected


async def erased(gardeners: Gardeners, person: Person) -> None:
    await gardeners.api.made(f"/v1/people/{person['id']}/erasure", {"give_to": "community"})


async def demoted(gardeners: Gardeners) -> None:
    await gardeners.change(gardeners.ann, keyholder=False)


async def emptied(gardeners: Gardeners) -> None:
    await gardeners.rule(pot_both_above_minutes=1_200)
    assert [outcome(await gardeners.spend(gardeners.bob, adults)) for adults in (8, 1)] == ["booked", "booked"]


async def priced(gardeners: Gardeners, minutes: int) -> None:
    changed = await gardeners.api.send("PATCH", f"/v1/offers/{gardeners.offer}", {"price": minutes})
    assert changed.status_code == 200, changed.text


async def paused(gardeners: Gardeners) -> None:
    await gardeners.api.made(f"/v1/offers/{gardeners.offer}/pause")


async def late(gardeners: Gardeners) -> None:
    gardeners.lido.clock.now = SATURDAY + SECOND


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (demoted, "wrong_state"),
        (lambda gardeners: erased(gardeners, gardeners.ann), "wrong_state"),
        (lambda gardeners: gardeners.leave(gardeners.bob), "not_found"),
        (lambda gardeners: gardeners.leave(gardeners.cas), "wrong_values"),
        (lambda gardeners: erased(gardeners, gardeners.cas), "wrong_values"),
        (emptied, "insufficient_credits"),
        (lambda gardeners: priced(gardeners, 61), "wrong_state"),
        (lambda gardeners: priced(gardeners, 45), "booked"),
        (paused, "offer_closed_now"),
        (late, "wrong_values"),
    ],
    ids=[
        "the proposer is no keyholder",
        "the proposer is erased",
        "who decides is no keyholder",
        "the visitor left",
        "the visitor is erased",
        "the pot is empty",
        "it costs more",
        "it costs less",
        "the offer is paused",
        "the time is past",
    ],
)
async def test_what_changed_since_it_was_proposed_counts(
    gardeners: Gardeners, change: Callable[[Gardeners], Awaitable[None]], expected: str
) -> None:
    spend = await gardeners.proposed()
    await gardeners.join(gardeners.eve)  # so that there are still two, whoever goes
    await change(gardeners)
    before = await gardeners.has()
    assert outcome(await gardeners.decide("agree", spend, gardeners.bob)) == expected
    if expected != "booked":
        assert await gardeners.has() == before
        assert outcome(await gardeners.decide("decline", spend, gardeners.eve)) == "declined"


# --- what can't be spent ------------------------------------------------------------------------------------


async def test_what_cannot_be_spent_is_refused_and_nothing_is_written(
    gardeners: Gardeners, owner: asyncpg.Connection
) -> None:
    for body, expected in (
        ({"party": {"adults": 0}}, (409, "party_rule")),
        ({"party": {"adults": 11}}, (409, "party_rule")),
        ({"party": {"adults": 10}}, (409, "visit_limit")),
        ({"person": gardeners.eve["id"]}, (422, "wrong_values")),
        ({"person": str(uuid4())}, (422, "wrong_values")),
        ({"offer": str(uuid4())}, (404, "not_found")),
        ({"visit_at": None}, (422, "wrong_values")),
        ({"visit_at": (NOW - SECOND).isoformat()}, (422, "wrong_values")),
        ({"visit_at": "2026-11-21T10:00:00"}, (422, "wrong_values")),
        ({"minutes": 60}, (400, "wrong_fields")),
    ):
        answer = await gardeners.spend(gardeners.ann, **body)
        assert refusal(answer) == expected, body
    for table in ("pot_spend", "booking", "lapse"):
        assert await owner.fetchval(f"SELECT count(*) FROM scheme.{table}") == 0, table
    assert await gardeners.has() == (600, 0)


async def test_no_more_is_spent_than_there_is(gardeners: Gardeners) -> None:
    answers = await asyncio.gather(
        *(gardeners.spend((gardeners.ann, gardeners.bob)[number % 2], 2) for number in range(10))
    )
    assert Counter(map(outcome, answers)) == {"booked": 5, "insufficient_credits": 5}
    assert await gardeners.has() == (0, 600)


async def test_of_whoever_decides_at_once_exactly_one_wins(gardeners: Gardeners) -> None:
    await gardeners.join(gardeners.eve)
    for _ in range(5):
        before, spend = await gardeners.has(), await gardeners.proposed()
        answers = await asyncio.gather(
            gardeners.decide("agree", spend, gardeners.bob),
            gardeners.decide("agree", spend, gardeners.eve),
            gardeners.decide("decline", spend, gardeners.ann),
        )
        became = Counter(map(outcome, answers))
        assert became.pop("wrong_state") == 2
        after = await gardeners.has()
        assert after == ((before[0] - 120, before[1] + 120) if "booked" in became else before)


async def test_a_group_has_so_many_spends_that_wait(gardeners: Gardeners, owner: asyncpg.Connection) -> None:
    spend = await gardeners.proposed()
    await owner.execute(
        'INSERT INTO scheme.pot_spend (id, "group", proposed_by, actor, proposed_at, minutes, request)'
        ' SELECT gen_random_uuid(), "group", proposed_by, actor, proposed_at, minutes, request'
        " FROM scheme.pot_spend, generate_series(2, $1)",
        OPEN_MAX,
    )
    assert outcome(await gardeners.spend(gardeners.ann, 2)) == "wrong_state"
    assert outcome(await gardeners.spend(gardeners.ann, 1)) == "booked"
    assert outcome(await gardeners.decide("decline", spend, gardeners.bob)) == "declined"
    assert outcome(await gardeners.spend(gardeners.ann, 2)) == "proposed"
    assert len(await gardeners.spends()) == OPEN_MAX + 2


async def test_the_same_key_spends_once(gardeners: Gardeners) -> None:
    for adults, state in ((1, "booked"), (3, "proposed")):
        await gardeners.rule(pot_both_above_minutes=120)
        first, again = [await gardeners.spend(gardeners.ann, adults, key=f"k{adults}") for _ in range(2)]
        assert (outcome(first), first.json()) == (state, again.json())
        assert again.headers["idempotency-replayed"] == "true"
    assert refusal(await gardeners.spend(gardeners.ann, 2, key="k1")) == (422, "key_reused")
    assert len(await gardeners.spends()) == 2
    assert await gardeners.has() == (540, 60)


async def test_a_spend_stands_in_the_copies_of_both_keyholders(gardeners: Gardeners) -> None:
    spend = await gardeners.proposed()
    await gardeners.decide("agree", spend, gardeners.bob)
    for person in (gardeners.ann, gardeners.bob):
        copy = (await gardeners.api.get(f"/v1/people/{person['id']}/copy")).json()
        assert [held["id"] for held in copy["pot_spends"]] == [spend]


# --- the community's ----------------------------------------------------------------------------------------


async def test_what_was_given_to_the_community_is_passed_on(gardeners: Gardeners, owner: asyncpg.Connection) -> None:
    api, ann, eve = gardeners.api, gardeners.ann, gardeners.eve
    await gardeners.fund(account("wallet", UUID(ann["holder"])), 300)
    await api.made("/v1/community-pot/gifts", {"giver": ann["id"], "minutes": 300}, token=ann["key"])
    for token in (api.scheme, eve["key"], gardeners.lido.till, await api.key("project", gardeners.lido.project)):
        assert (await api.get("/v1/community-pot", token)).json() == {"available": 300}
    asked = {"person": eve["id"], "minutes": 180, "reason": "welcome"}
    first, again = [await api.post("/v1/community-pot/passed-on", asked, key="k") for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert (first.json()["person"], first.json()["minutes"]) == (eve["id"], 180)
    assert refusal(await api.post("/v1/community-pot/passed-on", asked)) == (409, "insufficient_credits")
    assert await api.balance(eve["id"]) == (180, 0)
    assert (await api.get("/v1/community-pot")).json() == {"available": 120}
    acts = await api.acts(eve["id"])
    assert [(act["verb"], act["object"]) for act in acts] == [("community_gave", first.json()["id"])]
    assert await owner.fetchval("SELECT body FROM journal.detail") == '{"reason":"welcome"}'
    await audit(owner)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"minutes": 0}, (422, "wrong_values")),
        ({"reason": ""}, (422, "wrong_values")),
        ({"reason": "She is poor"}, (422, "wrong_values")),
        ({"person": str(uuid4())}, (404, "not_found")),
    ],
)
async def test_what_cannot_be_passed_on(gardeners: Gardeners, body: dict[str, Any], expected: tuple[int, str]) -> None:
    await gardeners.fund("pot:community", 300)
    asked = {"person": gardeners.eve["id"], "minutes": 60, "reason": "welcome", **body}
    assert refusal(await gardeners.api.post("/v1/community-pot/passed-on", asked)) == expected
    assert (await gardeners.api.get("/v1/community-pot")).json() == {"available": 300}


async def test_only_staff_pass_on_and_why_goes_with_the_person(gardeners: Gardeners, owner: asyncpg.Connection) -> None:
    api, eve = gardeners.api, gardeners.eve
    await gardeners.fund("pot:community", 300)
    asked = {"person": eve["id"], "minutes": 60, "reason": "welcome"}
    assert refusal(await api.post("/v1/community-pot/passed-on", asked, eve["key"])) == (403, "forbidden")
    await api.made("/v1/community-pot/passed-on", asked)
    await api.made(f"/v1/people/{eve['id']}/erasure", {"give_to": "community"})
    assert (await api.get("/v1/community-pot")).json() == {"available": 300}
    assert await owner.fetchval("SELECT count(*) FROM journal.detail") == 0
    await audit(owner)


async def test_more_is_not_passed_on_than_there_is_whoever_asks_at_once(gardeners: Gardeners) -> None:
    await gardeners.fund("pot:community", 300)
    asked = {"person": gardeners.eve["id"], "minutes": 60, "reason": "welcome"}
    answers = await asyncio.gather(*(gardeners.api.post("/v1/community-pot/passed-on", asked) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 5}
    assert (await gardeners.api.get("/v1/community-pot")).json() == {"available": 0}
