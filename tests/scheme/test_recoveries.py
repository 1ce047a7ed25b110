"""Recovery: who may give somebody back their way in, and what ends with it."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from ledger.database import Database, driver
from ledger.scheme import recoveries
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.one_time import OneTime, Purpose
from ledger.scheme.passkeys import Passkeys
from ledger.scheme.recoveries import LASTS, Recoveries
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.sign_ins import SignIns, Strength
from tests.scheme.authenticator import Authenticator

HERE, BROWSER = "https://credits.example", "a-cookie"
SECRET = bytes(32)
SECOND = timedelta(seconds=1)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A scheme with people, some of them staff."""

    def __init__(self, database: Database, owner: asyncpg.Connection) -> None:
        self.time = Time()
        self.database = database
        self.owner = owner
        self.recoveries = Recoveries(database, self.time, SECRET)
        self.passkeys = Passkeys(database, self.time, SECRET, "credits.example", HERE)
        self.sign_ins = SignIns(database, self.time)
        self.one_time = OneTime(database, self.time, SECRET)

    async def person(self, name: str, *, email: str | None = None, staff: bool = False) -> "Person":
        person, holder = uuid4(), uuid4()
        await self.owner.execute(
            "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())", person, name
        )
        await self.owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
        made = Person(id=person, holder=holder)
        if email is not None:
            await self.contact(made, email)
        if staff:
            await self.owner.execute(
                "INSERT INTO scheme.role (id, holder, role, granted_at, granted_by) VALUES ($1, $2, 'staff', $3, $1)",
                *(uuid4(), holder, self.time.now),
            )
        return made

    async def contact(self, person: "Person", email: str) -> None:
        await self.owner.execute(
            "INSERT INTO scheme.contact (person, email, changed_at, used_at) VALUES ($1, $2, $3, $3)"
            " ON CONFLICT (person) DO UPDATE SET email = $2, changed_at = $3",
            *(person.id, email, self.time.now),
        )

    async def passkey(self, person: "Person") -> Authenticator:
        phone = Authenticator(HERE, "credits.example")
        options = await self.passkeys.begin_adding(person.holder, "Ann", BROWSER)
        await self.passkeys.finish_adding(person.holder, BROWSER, phone.create(options), "my phone")
        return phone

    async def leaves(self, person: "Person") -> None:
        await self.owner.execute(
            "UPDATE scheme.role SET ended_at = $2, ended_by = $1 WHERE holder = $1", person.holder, self.time.now
        )

    async def ask(self, staff: "Person", person: "Person") -> UUID:
        return (await self.recoveries.ask(staff.caller, str(uuid4()), person.id))[0]

    async def agree(self, staff: "Person", recovery: UUID, key: str = "") -> recoveries.Agreed:
        key = key or str(uuid4())
        return (await self.recoveries.agree(staff.caller, key, recovery, address_of_link=HERE))[0]

    async def topics(self) -> list[str]:
        rows = await self.owner.fetch("SELECT topic FROM scheme.outbox WHERE topic LIKE 'recovery%' ORDER BY at, id")
        return [row["topic"] for row in rows]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    holder: UUID

    @property
    def caller(self) -> Caller:
        """They as staff: what a page makes of their sign-in."""
        return Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=self.holder)


@pytest.fixture
async def desk(database: Database, owner: asyncpg.Connection) -> Desk:
    return Desk(database, owner)


async def declined(work: Awaitable[object]) -> Declined:
    with pytest.raises(Declined) as caught:
        await work
    return caught.value


async def test_two_of_the_staff_give_somebody_a_new_way_in_and_the_old_ones_end(desk: Desk) -> None:
    ann = await desk.person("Ann", email="ann@example.org")
    una, tom = await desk.person("Una", staff=True), await desk.person("Tom", staff=True)
    lost = await desk.passkey(ann)
    signed_in = await desk.sign_ins.begin(Strength.PASSKEY, holder=ann.holder)

    id_ = await desk.ask(una, ann)
    assert await desk.passkeys.list_of(ann.holder) != [], "nothing ends before another agrees"
    (waiting,) = await desk.recoveries.waiting(tom.caller)
    assert (waiting.id, waiting.person, waiting.name, waiting.asked_by_name) == (id_, ann.id, "Ann", "Una")
    assert (waiting.ends_at, waiting.contact_changed_at) == (desk.time.now + LASTS, desk.time.now)

    agreed = await desk.agree(tom, id_)
    assert (agreed.written, agreed.link) == (True, None), "who agreed isn't told what the letter says"
    assert await desk.recoveries.waiting(una.caller) == []
    assert await desk.passkeys.list_of(ann.holder) == []
    assert await desk.sign_ins.who(signed_in) is None
    answer = lost.get(await desk.passkeys.begin_sign_in(BROWSER, "192.0.2.1"))
    assert (await declined(desk.passkeys.finish_sign_in(BROWSER, answer))).reason is Refusal.NOT_VERIFIED

    letter = await desk.owner.fetchrow("SELECT recipient, body FROM scheme.letter")
    assert letter is not None
    assert letter["recipient"] == "ann@example.org"
    (line,) = [line for line in letter["body"].splitlines() if line.startswith(HERE)]
    assert await _made_by(desk, ann, line.rpartition("/")[2]) == ann.holder
    assert await desk.topics() == ["recovery_asked", "recovery_agreed"]
    acts = await desk.owner.fetch("SELECT verb, by FROM scheme.act WHERE holder = $1 ORDER BY at, id", ann.holder)
    assert {(act["verb"], act["by"]) for act in acts} >= {
        ("recovery_asked", una.holder),
        ("recovery_agreed", tom.holder),
    }


async def _made_by(desk: Desk, person: Person, link: str) -> UUID:
    """The holder who signs in with the passkey that is made by an invitation's link."""
    good = await desk.one_time.look(link, BROWSER)
    assert good is not None
    assert good.purpose is Purpose.PASSKEY
    phone = Authenticator(HERE, "credits.example")
    answer = phone.create(await desk.passkeys.begin_adding(good.holder, "Ann", BROWSER))
    await desk.passkeys.finish_invited(person.holder, BROWSER, answer, "the new phone", link)
    assert await desk.one_time.look(link, BROWSER) is None, "the link is used up with the passkey"
    options = await desk.passkeys.begin_sign_in(BROWSER, "192.0.2.1")
    return (await desk.passkeys.finish_sign_in(BROWSER, phone.get(options))).holder


async def test_who_has_no_address_is_given_the_link_by_whoever_agreed(desk: Desk) -> None:
    ann, una, tom = [await desk.person(name, staff=name != "Ann") for name in ("Ann", "Una", "Tom")]
    agreed = await desk.agree(tom, await desk.ask(una, ann))
    assert not agreed.written
    assert agreed.link is not None
    assert agreed.link.startswith(f"{HERE}/sign-in/")
    assert agreed.link not in repr(agreed)
    assert await _made_by(desk, ann, agreed.link.rpartition("/")[2]) == ann.holder


async def test_an_invitation_adds_one_passkey_and_only_to_its_person(desk: Desk) -> None:
    ann, bob = await desk.person("Ann"), await desk.person("Bob")
    una, tom = await desk.person("Una", staff=True), await desk.person("Tom", staff=True)
    agreed = await desk.agree(tom, await desk.ask(una, ann))
    link = (agreed.link or "").rpartition("/")[2]

    async def added(holder: UUID) -> object:
        phone = Authenticator(HERE, "credits.example")
        answer = phone.create(await desk.passkeys.begin_adding(holder, "Ann", BROWSER))
        return await desk.passkeys.finish_invited(holder, BROWSER, answer, "a phone", link)

    assert (await declined(added(bob.holder))).reason is Refusal.LINK_USED
    found = await asyncio.gather(*(added(ann.holder) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["Declined", "Declined", "Entered"]
    assert len(await desk.passkeys.list_of(ann.holder)) == 1
    assert await desk.passkeys.list_of(bob.holder) == []


# --- who may --------------------------------------------------------------------------------------------------


async def test_nobody_is_both_and_nobody_decides_about_their_own(desk: Desk) -> None:
    ann = await desk.person("Ann", staff=True)
    una = await desk.person("Una", staff=True)
    tom = await desk.person("Tom", staff=True)
    assert (await declined(desk.ask(ann, ann))).reason is Refusal.SAME_APPROVER
    id_ = await desk.ask(una, ann)
    assert (await declined(desk.agree(una, id_))).reason is Refusal.SAME_APPROVER
    assert (await declined(desk.agree(ann, id_))).reason is Refusal.SAME_APPROVER
    assert [each.id for each in await desk.recoveries.waiting(tom.caller)] == [id_]
    for asked_by, agreed_by in ((una, una), (ann, una), (una, ann)):
        with pytest.raises(asyncpg.CheckViolationError, match="recovery_is_agreed_by_another"):
            await desk.owner.execute(
                "UPDATE scheme.recovery SET asked_by = $2, agreed_by = $3, agreed_at = now() WHERE id = $1",
                *(id_, asked_by.holder, agreed_by.holder),
            )
    await desk.agree(tom, id_)


async def test_it_takes_staff_who_are_somebody(desk: Desk) -> None:
    ann, una, tom = await desk.person("Ann"), await desk.person("Una", staff=True), await desk.person("Tom", staff=True)
    id_ = await desk.ask(una, ann)
    left = await desk.person("Eve", staff=True)
    await desk.leaves(left)
    nobody = (
        OPERATOR,
        msgspec.structs.replace(tom.caller, holder=None),
        msgspec.structs.replace(tom.caller, scope=Scope.PERSON),
        msgspec.structs.replace(tom.caller, scope=Scope.PROJECT, object=uuid4()),
        ann.caller,
        left.caller,
    )
    for caller in nobody:
        for work in (
            desk.recoveries.ask(caller, str(uuid4()), ann.id),
            desk.recoveries.agree(caller, str(uuid4()), id_, address_of_link=HERE),
            desk.recoveries.decline(caller, id_),
            desk.recoveries.waiting(caller),
        ):
            assert (await declined(work)).reason is Refusal.STAFF_ONLY
    assert [each.id for each in await desk.recoveries.waiting(tom.caller)] == [id_]


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    una = await desk.person("Una", staff=True)
    for work in (
        desk.recoveries.ask(una.caller, "a", uuid4()),
        desk.recoveries.agree(una.caller, "b", uuid4(), address_of_link=HERE),
        desk.recoveries.decline(una.caller, uuid4()),
    ):
        assert (await declined(work)).reason is Refusal.NOT_FOUND


# --- once, and in time ----------------------------------------------------------------------------------------


async def test_asking_and_agreeing_again_is_once(desk: Desk) -> None:
    ann, una, tom, eve = [await desk.person(name, staff=name != "Ann") for name in ("Ann", "Una", "Tom", "Eve")]
    first = await desk.recoveries.ask(una.caller, "asks", ann.id)
    assert first[1] is False
    assert await desk.recoveries.ask(una.caller, "asks", ann.id) == (first[0], True)
    assert await desk.ask(una, ann) == first[0], "under another key it is the same one too"
    assert "agree to that" in (await declined(desk.ask(tom, ann))).detail

    agreed = await desk.agree(tom, first[0], "agrees")
    assert await desk.agree(tom, first[0], "agrees") == agreed
    assert (await declined(desk.agree(eve, first[0]))).reason is Refusal.WRONG_STATE
    assert (await declined(desk.recoveries.decline(eve.caller, first[0]))).reason is Refusal.WRONG_STATE
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.one_time") == 1
    assert await desk.topics() == ["recovery_asked", "recovery_agreed"]


async def test_of_two_who_agree_at_once_one_does(desk: Desk) -> None:
    ann, una, tom, eve = [await desk.person(name, staff=name != "Ann") for name in ("Ann", "Una", "Tom", "Eve")]
    id_ = await desk.ask(una, ann)
    found = await asyncio.gather(desk.agree(tom, id_), desk.agree(eve, id_), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["Agreed", "Declined"]
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.one_time") == 1


@pytest.mark.parametrize("why", ["too late", "the asker left", "the address was changed", "declined", "declined twice"])
async def test_what_is_over_can_be_asked_for_anew_and_not_agreed_to(desk: Desk, why: str) -> None:
    ann = await desk.person("Ann", email="ann@example.org")
    una, tom, eve = [await desk.person(name, staff=True) for name in ("Una", "Tom", "Eve")]
    phone = await desk.passkey(ann)
    id_ = await desk.ask(una, ann)
    desk.time.now += SECOND
    match why:
        case "too late":
            desk.time.now += LASTS - SECOND
        case "the asker left":
            await desk.leaves(una)
        case "the address was changed":
            await desk.contact(ann, "una@example.org")
        case "declined" | "declined twice":
            await desk.recoveries.decline(tom.caller, id_)
            if why == "declined twice":
                await desk.recoveries.decline(eve.caller, id_)
            assert await desk.topics() == ["recovery_asked", "recovery_declined"]
    assert (await declined(desk.agree(tom, id_))).reason is Refusal.WRONG_STATE
    answer = phone.get(await desk.passkeys.begin_sign_in(BROWSER, "192.0.2.1"))
    assert (await desk.passkeys.finish_sign_in(BROWSER, answer)).holder == ann.holder, "what they have still works"
    assert await desk.owner.fetchval("SELECT count(*) FROM scheme.one_time") == 0

    again = await desk.ask(eve, ann)
    assert again != id_
    assert (await desk.agree(tom, again)).written


async def test_one_that_waits_can_be_agreed_to_until_the_last_second(desk: Desk) -> None:
    ann, una, tom = [await desk.person(name, staff=name != "Ann") for name in ("Ann", "Una", "Tom")]
    id_ = await desk.ask(una, ann)
    desk.time.now += LASTS - SECOND
    assert [each.id for each in await desk.recoveries.waiting(tom.caller)] == [id_]
    await desk.agree(tom, id_)

    await desk.ask(una, ann)
    desk.time.now += LASTS
    assert await desk.recoveries.waiting(tom.caller) == []


async def test_an_erasure_ends_what_waits(desk: Desk) -> None:
    ann, una, tom = [await desk.person(name, staff=name != "Ann") for name in ("Ann", "Una", "Tom")]
    id_ = await desk.ask(una, ann)
    async with desk.database.transaction() as connection:
        await recoveries.end_all(driver(connection), ann.holder, desk.time.now)
    assert await desk.recoveries.waiting(tom.caller) == []
    await desk.owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", ann.holder)
    assert (await declined(desk.agree(tom, id_))).reason is Refusal.NOT_FOUND
