"""Whose card it is, what it tells of them, and how many wrong codes are heard."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from ledger.scheme.attendances import Presence
from ledger.scheme.refusals import Declined, Refusal
from tests.doors.sessions.conftest import act, opportunity, planned
from tests.scheme.kiosks.conftest import HOUR, Door, refused, unknown_code, wrong_codes

# --- the balance --------------------------------------------------------------------------------------------


async def test_a_card_tells_a_first_name_what_they_have_and_their_sessions_here_today_and_nothing_else(
    door: Door,
) -> None:
    api, wall = door.api, door.wall
    ann, bob, elsewhere = await api.person("Ann Archer"), await api.person("Bob"), await api.project("Allotment")
    await door.give(ann, 135, 60)
    lamps = await opportunity(api, door.project)
    mending = await planned(api, wall, door.project, opportunity=lamps)
    late, bobs, cancelled, missed = [
        await planned(api, wall, door.project, *times)
        for times in (("18:00", "20:00"), ("10:00", "11:00"), ("13:00", "14:00"), ("09:00", "09:30"))
    ]
    there = await planned(api, wall, elsewhere)
    for session in (late, mending, cancelled, missed, there):
        await act(api, session, ann["id"], "book")
    await act(api, bobs, bob["id"], "book")
    await api.made(f"/v1/sessions/{cancelled}/cancel")
    wall.set("09:15")
    await act(api, missed, ann["id"], "absent")
    held = msgspec.to_builtins(await door.balance(await api.card(ann["id"])))
    assert held == {
        "name": "Ann",
        "available": 135,
        "held": 60,
        "today": [
            {
                "session": mending,
                "title": "Mend a lamp",
                "started_at": wall.at("10:00"),
                "ended_at": wall.at("12:30"),
                "state": "expected",
            },
            {
                "session": late,
                "title": "Saturdays",  # the project's alias: others may be looking on
                "started_at": wall.at("18:00"),
                "ended_at": wall.at("20:00"),
                "state": "expected",
            },
        ],
    }
    await door.check_in(await api.card(ann["id"]), mending)
    assert [one.state for one in (await door.balance(await api.card(ann["id"]))).today] == ["checked_in", "expected"]


async def test_that_a_kiosk_looked_stands_in_the_persons_acts(door: Door) -> None:
    ann = await door.api.person()
    code = await door.api.card(ann["id"])
    await door.balance(code)
    caller = await door.caller()
    own = await door.api.key("person", person=ann["id"])
    acts = (await door.api.get(f"/v1/people/{ann['id']}/acts", own)).json()["acts"]
    looks = [(act["by"], act["scope"]) for act in acts if act["verb"] == "balance_read"]
    assert looks == [(str(caller.device), "project")]


async def test_nothing_of_a_person_stays_in_a_kiosk(door: Door, owner: asyncpg.Connection) -> None:
    ann = await door.api.person("Ann Archer")
    code, session = await door.api.card(ann["id"]), await planned(door.api, door.wall, door.project)
    door.wall.set("10:00")
    await door.caller()

    async def kept() -> list[tuple[Any, ...]]:
        return [
            tuple(row)
            for table in ("sign_in", "device")
            for row in await owner.fetch(f"SELECT * FROM scheme.{table} ORDER BY id")
        ]

    before = await kept()
    await door.balance(code)
    await door.check_in(code, session)
    await door.check_out(code, session)
    assert await kept() == before
    answers = str([tuple(row) for row in await owner.fetch("SELECT * FROM scheme.answer WHERE operation ~ 'kiosk'")])
    assert "Ann" not in answers
    assert code.replace("-", "") not in answers


# --- which codes --------------------------------------------------------------------------------------------


async def code_of(door: Door, kind: str, person: str) -> str:
    """A code of that kind; cards are the person's."""
    api = door.api
    if kind == "nobody's":
        return unknown_code()
    if kind == "mistyped":
        good = unknown_code()
        return good[:-1] + ("0" if good[-1] != "0" else "1")
    if kind == "a slip":
        lines = [{"voucher": "Sam", "minutes": 60}]
        body = {"started_at": door.wall.at("07:00"), "ended_at": door.wall.at("08:00"), "lines": lines}
        made = await api.made(f"/v1/projects/{await api.project('x')}/registers", body)
        return str(made["vouchers"][0]["code"])
    body = {"expires_at": door.wall.at("09:30")} if kind == "expired" else {}
    issued = await api.made(f"/v1/people/{person}/cards", body)
    verb = {"blocked": "block", "replaced": "replace", "revoked": "revoke"}.get(kind)
    if verb:
        await api.made(f"/v1/credentials/{issued['credential']['id']}/{verb}")
    if kind == "expired":
        door.wall.set("09:30")
    return str(issued["code"])


@pytest.mark.parametrize(
    ("kind", "reason", "counts"),
    [
        ("active", None, False),
        ("blocked", Refusal.CARD_BLOCKED, False),
        ("replaced", Refusal.CARD_REPLACED, False),
        ("revoked", Refusal.CODE_UNKNOWN, False),
        ("expired", Refusal.CARD_EXPIRED, False),
        ("a slip", Refusal.CODE_UNKNOWN, False),
        ("mistyped", Refusal.WRONG_VALUES, False),
        ("nobody's", Refusal.CODE_UNKNOWN, True),
    ],
)
async def test_a_card_is_taken_or_refused_as_at_a_till(
    door: Door, owner: asyncpg.Connection, kind: str, reason: Refusal | None, *, counts: bool
) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    code = await code_of(door, kind, ann["id"])
    offer = await door.api.offer(venue := await door.api.venue())
    at_till = {"offer": offer, "code": code, "name_checked": True}
    heard = (await door.api.post("/v1/redemptions", at_till, await door.api.till(venue))).json()["code"]
    assert heard == (reason or Refusal.INSUFFICIENT_CREDITS)
    tries = await wrong_codes(owner)
    if reason is None:
        assert (await door.balance(code)).name == "Ann"
        assert (await door.check_in(code, session)).state is Presence.CHECKED_IN
    else:
        for asked in (door.balance(code), door.check_in(code, session), door.check_out(code, session)):
            assert (await refused(asked))[0] is reason
    assert await wrong_codes(owner) - tries == (3 if counts else 0)


async def test_a_bookings_code_is_for_the_venue_and_costs_no_try(door: Door, owner: asyncpg.Connection) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    await door.give(ann, 120)
    body = {
        "person": ann["id"],
        "offer": await door.api.offer(await door.api.venue()),
        "visit_at": door.wall.at("15:00"),
    }
    booking = await door.api.made("/v1/bookings", body)
    code = (await door.api.get(f"/v1/bookings/{booking['id']}")).json()["code"]
    for asked in (door.balance(code), door.check_in(code, session), door.check_out(code, session)):
        assert await refused(asked) == (
            Refusal.CODE_UNKNOWN,
            "This is not a card: please use your card, or the pass on your phone.",
        )
    assert await wrong_codes(owner) == 0


async def test_the_pass_on_a_phone_works_while_it_is_of_now_and_is_not_used_up(
    door: Door, owner: asyncpg.Connection
) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    await door.give(ann, 120)
    own = await door.api.key("person", person=ann["id"])
    await door.api.made(f"/v1/people/{ann['id']}/pass", token=own)
    door.wall.set("10:00")
    code = (await door.api.get(f"/v1/people/{ann['id']}/pass", own)).json()["code"]
    assert (await door.balance(code)).available == 120
    assert (await door.check_in(code, session, "tap")).name == "Ann"
    venue = await door.api.venue()
    visit = {"offer": await door.api.offer(venue), "code": code}
    assert (await door.api.post("/v1/redemptions", visit, await door.api.till(venue))).status_code == 201
    door.wall.now += timedelta(minutes=5)
    assert (await refused(door.balance(code)))[0] is Refusal.CODE_STALE
    assert (await door.check_in(code, session, "tap")).state is Presence.CHECKED_IN, "it was told so before"
    door.wall.now += timedelta(hours=3)
    assert (await refused(door.balance(code)))[0] is Refusal.CODE_UNKNOWN
    assert await wrong_codes(owner) == 1


async def test_who_was_erased_is_unknown_and_a_late_retry_names_nobody(door: Door) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    code = await door.api.card(ann["id"])
    door.wall.set("10:00")
    await door.check_in(code, session, "tap")
    await door.check_out(code, session)
    await door.api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": "community"})
    assert (await refused(door.balance(code)))[0] is Refusal.CODE_UNKNOWN
    again = await door.check_in(code, session, "tap")
    assert (again.name, again.state) == (None, Presence.CHECKED_IN)


# --- wrong codes --------------------------------------------------------------------------------------------


async def test_ten_wrong_codes_lock_a_kiosk_for_an_hour_and_its_neighbour_works_on(
    door: Door, owner: asyncpg.Connection
) -> None:
    ann, session = await door.api.person(), await planned(door.api, door.wall, door.project)
    code, neighbour = await door.api.card(ann["id"]), await door.enrolled(door.project)
    door.wall.set("10:00")
    for number in range(10):
        typed = unknown_code()
        tapped = door.check_in(typed, session) if number % 2 else door.balance(typed)
        assert (await refused(tapped))[0] is Refusal.CODE_UNKNOWN, number
    caller = await door.caller()
    assert caller.locked_until == door.wall() + HOUR
    for typed in (code, unknown_code()):
        for asked in (door.balance(typed), door.check_in(typed, session), door.check_out(typed, session)):
            with pytest.raises(Declined) as declined:
                await asked
            assert (declined.value.reason, declined.value.works_at) == (Refusal.TRY_AGAIN, caller.locked_until)
    assert len(await door.kiosks.today(caller)) == 1, "it shows the sessions of today"
    assert (await door.kiosks.balance(await door.caller(neighbour), code)).name == "Ann"
    alerts = await owner.fetch("SELECT object, body FROM scheme.outbox WHERE topic = 'wrong_codes'")
    assert [(row["object"], json.loads(row["body"])["count"]) for row in alerts] == [(caller.device, 10)]
    door.wall.now += HOUR
    assert (await door.balance(code)).name == "Ann"


async def test_a_wrong_code_counts_once_for_each_key_and_all_of_those_at_once(
    door: Door, owner: asyncpg.Connection
) -> None:
    session, code = await planned(door.api, door.wall, door.project), unknown_code()
    for _ in range(3):
        assert (await refused(door.check_in(code, session, "tap")))[0] is Refusal.CODE_UNKNOWN
    assert await wrong_codes(owner) == 1
    await asyncio.gather(*(refused(door.balance(unknown_code())) for _ in range(9)))
    assert await wrong_codes(owner) == 10
    assert (await door.caller()).locked_until == door.wall() + HOUR
