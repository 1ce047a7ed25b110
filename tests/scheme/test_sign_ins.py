"""Sign-ins: who is known in a browser, for how long, and what ends it at once."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.roles import Role
from ledger.scheme.sign_ins import FRESH, LIVE_MAX, SHARED, Present, SignIns, Strength, begin, enter, forget

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Somebody(NamedTuple):
    """A person and their holder."""

    person: UUID
    holder: UUID


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def sign_ins(database: Database, clock: Hands) -> SignIns:
    return SignIns(database, clock)


@pytest.fixture
async def ann(owner: asyncpg.Connection) -> Somebody:
    ann = Somebody(uuid4(), uuid4())
    await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES ($1, 'Ann', now())", ann.person)
    await owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", ann.holder, ann.person)
    return ann


async def place(owner: asyncpg.Connection, table: str, name: str) -> UUID:
    columns, values = ("alias, ", "'Saturdays', ") if table == "project" else ("", "")
    id_: UUID = await owner.fetchval(
        f"INSERT INTO scheme.{table} (id, name, {columns}status, created_at)"
        f" VALUES (gen_random_uuid(), $1, {values}'active', now()) RETURNING id",
        name,
    )
    return id_


async def device(owner: asyncpg.Connection, of: str, id_: UUID) -> UUID:
    made: UUID = await owner.fetchval(
        f"INSERT INTO scheme.device (id, {of}, name, status, created_at, created_by)"
        " VALUES (gen_random_uuid(), $1, 'by the door', 'active', now(), gen_random_uuid()) RETURNING id",
        id_,
    )
    return made


async def role(owner: asyncpg.Connection, holder: UUID, name: str, *, project: UUID | None = None) -> UUID:
    id_: UUID = await owner.fetchval(
        "INSERT INTO scheme.role (id, holder, role, project, granted_at, granted_by)"
        " VALUES (gen_random_uuid(), $1, $2, $3, now(), gen_random_uuid()) RETURNING id",
        *(holder, name, project),
    )
    return id_


async def known(sign_ins: SignIns, token: str) -> Present:
    present = await sign_ins.who(token)
    assert present is not None
    return present


async def test_somebody_who_signed_in_is_known_by_the_cookie(sign_ins: SignIns, ann: Somebody) -> None:
    token = await sign_ins.begin(Strength.LINK, holder=ann.holder)
    present = await known(sign_ins, token)
    assert (present.strength, present.holder, present.person, present.name) == (
        *(Strength.LINK, ann.holder, ann.person, "Ann"),
    )
    assert (present.roles, present.device, present.language, present.large_print) == ((), None, "en", False)


async def test_for_fifteen_minutes_a_sign_in_is_fresh_and_use_does_not_make_it_so_again(
    sign_ins: SignIns, clock: Hands, ann: Somebody
) -> None:
    assert 15 * MINUTE == FRESH
    token = await sign_ins.begin(Strength.PASSKEY, holder=ann.holder)
    clock.now += FRESH
    assert (await known(sign_ins, token)).is_fresh
    clock.now += timedelta(microseconds=1)
    assert not (await known(sign_ins, token)).is_fresh
    clock.now += 2 * HOUR  # so long that its use is noted
    await known(sign_ins, token)
    assert not (await known(sign_ins, token)).is_fresh


async def test_every_sign_in_has_a_value_of_its_own_of_which_only_the_hash_is_kept(
    sign_ins: SignIns, ann: Somebody, owner: asyncpg.Connection
) -> None:
    tokens = {await sign_ins.begin(Strength.LINK, holder=ann.holder) for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) == 43 for token in tokens)  # 256 bits in base64
    kept = {row["token_hash"] for row in await owner.fetch("SELECT token_hash FROM scheme.sign_in")}
    assert kept == {hashlib.sha256(token.encode()).digest() for token in tokens}


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\udcff" * 43, "é" * 43, "x" * 5_000, "\0" * 43])
async def test_what_is_no_cookie_of_ours_is_nobody(sign_ins: SignIns, ann: Somebody, token: str) -> None:
    await sign_ins.begin(Strength.LINK, holder=ann.holder)
    assert await sign_ins.who(token) is None


async def test_a_cookie_with_one_character_changed_is_nobody(sign_ins: SignIns, ann: Somebody) -> None:
    token = await sign_ins.begin(Strength.LINK, holder=ann.holder)
    assert await sign_ins.who(("A" if token[0] != "A" else "B") + token[1:]) is None


async def test_roles_and_preferences_are_those_of_this_very_moment(
    sign_ins: SignIns, ann: Somebody, owner: asyncpg.Connection
) -> None:
    project = await place(owner, "project", "Repair cafe")
    token = await sign_ins.begin(Strength.PASSKEY, holder=ann.holder)
    assert (await known(sign_ins, token)).roles == ()
    coordinating = await role(owner, ann.holder, "coordinator", project=project)
    await role(owner, ann.holder, "staff")
    await owner.execute(
        "INSERT INTO scheme.preference (person, language, large_print, changed_at) VALUES ($1, 'cy', true, now())",
        ann.person,
    )
    present = await known(sign_ins, token)
    assert [(held.role, held.project, held.venue, held.place) for held in present.roles] == [
        (Role.COORDINATOR, project, None, "Repair cafe"),
        (Role.STAFF, None, None, None),
    ]
    assert (present.language, present.large_print) == ("cy", True)
    await owner.execute(
        "UPDATE scheme.role SET ended_at = now(), ended_by = gen_random_uuid() WHERE id = $1", coordinating
    )
    assert [held.role for held in (await known(sign_ins, token)).roles] == [Role.STAFF]


async def test_anothers_roles_are_not_mine(sign_ins: SignIns, ann: Somebody, owner: asyncpg.Connection) -> None:
    other = await owner.fetchval("INSERT INTO scheme.holder (id) VALUES (gen_random_uuid()) RETURNING id")
    await role(owner, other, "staff")
    assert (await known(sign_ins, await sign_ins.begin(Strength.PASSKEY, holder=ann.holder))).roles == ()


async def test_a_till_is_known_with_its_venue_and_whether_it_is_locked(
    sign_ins: SignIns, owner: asyncpg.Connection
) -> None:
    venue = await place(owner, "venue", "Parkside pool")
    till = await device(owner, "venue", venue)
    token = await sign_ins.begin(Strength.DEVICE, device=till)
    present = await known(sign_ins, token)
    assert (present.device, present.device_name, present.venue, present.project) == (till, "by the door", venue, None)
    assert (present.holder, present.person, present.name, present.locked_until) == (None, None, None, None)
    await owner.execute("UPDATE scheme.venue SET locked_until = $1", NOW + HOUR)
    assert (await known(sign_ins, token)).locked_until == NOW + HOUR


async def test_a_kiosk_is_known_with_its_project(sign_ins: SignIns, owner: asyncpg.Connection) -> None:
    project = await place(owner, "project", "Men's shed")
    token = await sign_ins.begin(Strength.DEVICE, device=await device(owner, "project", project))
    present = await known(sign_ins, token)
    assert (present.project, present.venue, present.site) == (project, None, None)


async def test_a_device_that_is_revoked_is_nobody_at_once(sign_ins: SignIns, owner: asyncpg.Connection) -> None:
    till = await device(owner, "venue", await place(owner, "venue", "Parkside pool"))
    token = await sign_ins.begin(Strength.DEVICE, device=till)
    await owner.execute("UPDATE scheme.device SET status = 'revoked', revoked_at = now()")
    assert await sign_ins.who(token) is None
    with pytest.raises(Declined) as declined:
        await sign_ins.begin(Strength.DEVICE, device=till)
    assert declined.value.reason is Refusal.NOT_FOUND


async def test_a_device_is_signed_in_in_one_browser(sign_ins: SignIns, owner: asyncpg.Connection) -> None:
    till = await device(owner, "venue", await place(owner, "venue", "Parkside pool"))
    first, second = [await sign_ins.begin(Strength.DEVICE, device=till) for _ in range(2)]
    assert await sign_ins.who(first) is None
    assert await sign_ins.who(second) is not None


async def test_somebody_erased_is_nobody_at_once(sign_ins: SignIns, ann: Somebody, owner: asyncpg.Connection) -> None:
    token = await sign_ins.begin(Strength.LINK, holder=ann.holder)
    await owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now()")
    assert await sign_ins.who(token) is None
    with pytest.raises(Declined) as declined:
        await sign_ins.begin(Strength.LINK, holder=ann.holder)
    assert declined.value.reason is Refusal.NOT_FOUND


@pytest.mark.parametrize(
    ("strength", "unused", "used_daily"),
    [
        (Strength.LINK, timedelta(days=90), timedelta(days=365)),
        (Strength.PASSKEY, timedelta(hours=12), timedelta(hours=12)),
        (Strength.ORGANISATION, timedelta(hours=12), timedelta(hours=12)),
    ],
)
async def test_a_sign_in_lasts_as_long_as_its_strength_says(
    *, sign_ins: SignIns, clock: Hands, ann: Somebody, strength: Strength, unused: timedelta, used_daily: timedelta
) -> None:
    token = await sign_ins.begin(strength, holder=ann.holder)
    clock.now = NOW + unused - timedelta(microseconds=1)
    assert await sign_ins.who(token) is not None
    token = await sign_ins.begin(strength, holder=ann.holder)
    clock.now += unused
    assert await sign_ins.who(token) is None

    began = clock.now
    token = await sign_ins.begin(strength, holder=ann.holder)
    while await sign_ins.who(token) is not None:
        assert clock.now < began + used_daily
        clock.now += DAY / 4
    assert clock.now >= began + used_daily


async def test_on_a_shared_computer_it_ends_after_half_an_hour_without_a_page_and_within_the_day(
    sign_ins: SignIns, database: Database, clock: Hands, ann: Somebody
) -> None:
    async def shared() -> str:
        async with database.transaction() as connection:
            entered = await enter(driver(connection), Strength.LINK, clock.now, ann.holder, shared=True)
        assert entered.shared
        return entered.token

    token = await shared()
    clock.now = NOW + SHARED.unused - timedelta(microseconds=1)
    assert await sign_ins.who(token) is not None
    clock.now += SHARED.unused
    assert await sign_ins.who(token) is None, "it was idle for longer than that"

    began, token = clock.now, await shared()
    for _ in range(5):  # each page moves the end, by the minute
        clock.now += SHARED.unused - MINUTE
        assert await sign_ins.who(token) is not None
    assert [each.shared for each in await sign_ins.of(ann.holder)] == [True]
    while await sign_ins.who(token) is not None:
        assert clock.now < began + 12 * HOUR
        clock.now += SHARED.unused / 2
    assert clock.now < began + 12 * HOUR + SHARED.unused / 2


async def test_only_a_sign_in_by_link_is_said_to_be_on_a_shared_computer(database: Database, ann: Somebody) -> None:
    async with database.transaction() as connection:
        with pytest.raises(AssertionError):
            await begin(driver(connection), Strength.PASSKEY, NOW, holder=ann.holder, shared=True)


async def test_a_till_in_use_stays_signed_in_for_years_and_one_in_a_drawer_for_a_year(
    sign_ins: SignIns, clock: Hands, owner: asyncpg.Connection
) -> None:
    till = await device(owner, "venue", await place(owner, "venue", "The lido"))
    token = await sign_ins.begin(Strength.DEVICE, device=till)
    for _ in range(5):
        clock.now += timedelta(days=364)
        assert await sign_ins.who(token) is not None
    clock.now += timedelta(days=365)
    assert await sign_ins.who(token) is None


async def test_that_it_was_seen_is_written_once_an_hour_however_many_ask_at_once(
    sign_ins: SignIns, clock: Hands, ann: Somebody, owner: asyncpg.Connection
) -> None:
    token = await sign_ins.begin(Strength.LINK, holder=ann.holder)

    async def seen() -> tuple[datetime, str]:
        row = await owner.fetchrow("SELECT seen_at, xmin::text AS writer FROM scheme.sign_in")
        assert row is not None
        return row["seen_at"], row["writer"]

    begun = await seen()
    clock.now = NOW + HOUR - MINUTE
    await known(sign_ins, token)
    assert await seen() == begun
    clock.now = NOW + HOUR
    await asyncio.gather(*[known(sign_ins, token) for _ in range(8)])
    assert (await seen())[0] == NOW + HOUR
    written = await seen()
    clock.now += HOUR - MINUTE
    await known(sign_ins, token)
    assert await seen() == written


async def test_a_sign_in_that_ended_is_nobody_and_the_others_stay(sign_ins: SignIns, ann: Somebody) -> None:
    here, there = [await sign_ins.begin(Strength.LINK, holder=ann.holder) for _ in range(2)]
    present = await known(sign_ins, here)
    for _ in range(2):
        await sign_ins.end(present.sign_in)
    assert await sign_ins.who(here) is None
    assert await sign_ins.who(there) is not None


async def test_all_of_somebodys_end_at_once_and_nobody_elses(
    sign_ins: SignIns, ann: Somebody, owner: asyncpg.Connection
) -> None:
    bob = await owner.fetchval(
        "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, 'Bob', now()) RETURNING id", uuid4()
    )
    holder = await owner.fetchval("INSERT INTO scheme.holder (id, person) VALUES ($1, $2) RETURNING id", uuid4(), bob)
    theirs = [await sign_ins.begin(Strength.LINK, holder=ann.holder) for _ in range(3)]
    other = await sign_ins.begin(Strength.LINK, holder=holder)
    assert await sign_ins.end_all(ann.holder) == 3
    assert await sign_ins.end_all(ann.holder) == 0
    assert [await sign_ins.who(token) for token in theirs] == [None] * 3
    assert await sign_ins.who(other) is not None


async def test_the_oldest_ends_when_there_are_too_many_even_if_all_begin_at_once(
    sign_ins: SignIns, clock: Hands, ann: Somebody, owner: asyncpg.Connection
) -> None:
    first = await sign_ins.begin(Strength.LINK, holder=ann.holder)
    clock.now += MINUTE
    await asyncio.gather(*[sign_ins.begin(Strength.LINK, holder=ann.holder) for _ in range(LIVE_MAX + 3)])
    assert await sign_ins.who(first) is None
    assert await owner.fetchval("SELECT count(*) FROM scheme.sign_in WHERE ended_at IS NULL") == LIVE_MAX


async def test_what_ended_is_forgotten_after_thirty_days(
    sign_ins: SignIns, database: Database, ann: Somebody, owner: asyncpg.Connection
) -> None:
    ended, left, _live = [await sign_ins.begin(strength, holder=ann.holder) for strength in list(Strength)[:3]]
    await sign_ins.end((await known(sign_ins, ended)).sign_in)
    assert await sign_ins.who(left) is not None

    async def forgotten(moment: datetime) -> int:
        async with database.transaction() as connection:
            return await forget(driver(connection), moment)

    assert await forgotten(NOW + 30 * DAY - MINUTE) == 0
    assert await forgotten(NOW + 30 * DAY) == 1
    assert await forgotten(NOW + 30 * DAY + 12 * HOUR) == 2
    assert await owner.fetchval("SELECT count(*) FROM scheme.sign_in") == 0


async def test_somebody_is_told_where_they_are_signed_in_and_of_nobody_else(
    sign_ins: SignIns, clock: Hands, owner: asyncpg.Connection, ann: Somebody
) -> None:
    other = Somebody(uuid4(), uuid4())
    await owner.execute("INSERT INTO scheme.person (id, name, created_at) VALUES ($1, 'Bob', now())", other.person)
    await owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", other.holder, other.person)
    await sign_ins.begin(Strength.LINK, holder=other.holder)
    ended = await sign_ins.who(await sign_ins.begin(Strength.LINK, holder=ann.holder))
    assert ended is not None
    await sign_ins.end(ended.sign_in)
    first = await sign_ins.begin(Strength.LINK, holder=ann.holder)
    clock.now += DAY
    await sign_ins.begin(Strength.PASSKEY, holder=ann.holder)
    clock.now += HOUR
    await sign_ins.who(first)

    found = await sign_ins.of(ann.holder)
    assert [(each.strength, each.made_at, each.seen_at) for each in found] == [
        (Strength.LINK, NOW, NOW + DAY + HOUR),
        (Strength.PASSKEY, NOW + DAY, NOW + DAY),
    ]
    clock.now += 12 * HOUR
    assert [each.strength for each in await sign_ins.of(ann.holder)] == [Strength.LINK], "the other ran out"
