"""Invitations to make a passkey: by whom, whom, how they reach them, and how long they are good."""

from uuid import uuid4

import pytest

from ledger.database import Database, driver
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.one_time import (
    INVITED_A_DAY,
    Good,
    Purpose,
    end_invitations,
    take,
)
from ledger.scheme.refusals import Refusal
from tests.scheme.one_time.desk import ADDRESS, DAY, HERE, MINUTE, NOW, THERE, Desk, declined, link_in


async def test_staff_invite_somebody_to_make_a_passkey_by_a_letter_and_do_not_see_the_link(desk: Desk) -> None:
    ann = await desk.person()
    person = await desk.person_of(ann)
    invited, replayed = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (invited.written, invited.ends_at, replayed) == (True, NOW + DAY, False)
    assert invited.link is None, "it is for the eyes of whose mailbox it is"
    [letter] = await desk.post()
    assert (letter.recipient, letter.subject) == ("ann@example.org", "Set up your passkey")
    link = link_in(letter)
    assert len(link) == 22
    assert await desk.one_time.look(link, None) == Good(purpose=Purpose.PASSKEY, holder=ann, ends_at=NOW + DAY)
    [act] = await desk.owner.fetch("SELECT * FROM scheme.act")
    assert (act["verb"], act["holder"], act["by"]) == ("passkey_invited", ann, OPERATOR.identity)
    assert await desk.owner.fetchval("SELECT used_at FROM scheme.contact") == NOW


@pytest.mark.parametrize("email", [None, "unsafe@example.org"])
async def test_whoever_has_no_safe_address_is_invited_by_the_link_alone(desk: Desk, email: str | None) -> None:
    person = await desk.person_of(await desk.person(email=email, safe=False))
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (invited.written, await desk.counts()) == (False, (1, 0))
    assert invited.link is not None
    assert invited.link.startswith(f"{ADDRESS}/sign-in/")


async def test_nobody_invites_themselves(desk: Desk) -> None:
    una = await desk.person("Una")
    caller = Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=una)
    invited = desk.one_time.invite(caller, "k-1", await desk.person_of(una), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.WRONG_STATE
    assert await desk.counts() == (0, 0)


WAYS = {
    "a passkey": "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at)"
    " VALUES (decode(repeat('00', 16), 'hex'), $1, '', 0, 'phone', now())",
    "a passkey that ended": "INSERT INTO scheme.passkey"
    " (credential, holder, public_key, sign_count, name, made_at, ended_at)"
    " VALUES (decode(repeat('00', 16), 'hex'), $1, '', 0, 'phone', now(), now())",
    "an organisation": "INSERT INTO scheme.vouched (issuer, subject, holder, made_at)"
    " VALUES ('https://a.example', 'ann', $1, now())",
    "they left": "INSERT INTO scheme.act (id, at, by, key, scope, holder, verb)"
    " VALUES (gen_random_uuid(), now(), $1, $1, 'scheme', $1, 'left')",
}


@pytest.mark.parametrize("way", WAYS)
async def test_who_had_a_sure_way_in_is_invited_by_nobody_alone(desk: Desk, way: str) -> None:
    ann = await desk.person()
    await desk.owner.execute(WAYS[way], ann)
    invited = desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    reason, said, _ = await declined(invited)
    assert reason is Refusal.WRONG_STATE
    assert "two of the staff" in said
    assert await desk.counts() == (0, 0)


async def test_an_invitation_ends_when_they_come_in_another_way_first(desk: Desk, database: Database) -> None:
    ann = await desk.person(email=None)
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    link = (invited.link or "").rpartition("/")[2]
    async with database.transaction() as connection:
        await end_invitations(driver(connection), ann, desk.clock())
    assert await desk.one_time.look(link, None) is None


async def test_an_invitation_is_for_a_passkey_and_not_to_sign_in_and_works_once_in_any_browser(
    desk: Desk, database: Database
) -> None:
    ann = await desk.person(email=None)
    invited, _ = await desk.one_time.invite(OPERATOR, "k-1", await desk.person_of(ann), address_of_link=ADDRESS)
    link = (invited.link or "").rpartition("/")[2]
    assert (await declined(desk.one_time.use_link(link, HERE)))[0] is Refusal.LINK_USED
    desk.clock.now = NOW + DAY - MINUTE
    async with database.transaction() as connection:
        good = await take(driver(connection), link, None, Purpose.PASSKEY, desk.clock())
    assert good.holder == ann
    assert await desk.one_time.look(link, THERE) is None


async def test_a_link_to_sign_in_makes_no_passkey(desk: Desk, database: Database) -> None:
    await desk.person()
    sent = await desk.sent()
    async with database.transaction() as connection:
        used = take(driver(connection), sent.link, HERE, Purpose.PASSKEY, desk.clock())
        assert (await declined(used))[0] is Refusal.LINK_USED


async def test_an_invitation_ends_after_a_day_or_with_the_next_one(desk: Desk) -> None:
    person = await desk.person_of(await desk.person(email=None))
    links = []
    for number in range(2):
        invited, _ = await desk.one_time.invite(OPERATOR, f"k-{number}", person, address_of_link=ADDRESS)
        links.append((invited.link or "").rpartition("/")[2])
    assert await desk.one_time.look(links[0], None) is None
    assert await desk.one_time.look(links[1], None) is not None
    desk.clock.now = NOW + DAY
    assert await desk.one_time.look(links[1], None) is None


async def test_the_same_request_again_tells_the_same_link_and_nothing_of_it_is_kept(desk: Desk) -> None:
    person = await desk.person_of(await desk.person(email=None))
    first, _ = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    second, replayed = await desk.one_time.invite(OPERATOR, "k-1", person, address_of_link=ADDRESS)
    assert (second, replayed) == (first, True)
    assert await desk.counts() == (1, 0)
    kept = await desk.owner.fetchval("SELECT body FROM scheme.answer")
    assert first.link
    assert first.link.rpartition("/")[2] not in kept
    assert first.link not in repr(first)


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.SCHEME])
async def test_nobody_but_staff_invites(desk: Desk, scope: Scope) -> None:
    holder = await desk.person()
    caller = Caller(key=uuid4(), scope=scope, object=uuid4(), holder=holder)
    invited = desk.one_time.invite(caller, "k-1", await desk.person_of(holder), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.STAFF_ONLY
    assert await desk.counts() == (0, 0)


async def test_somebody_who_is_not_there_is_not_invited_and_nobody_too_often(desk: Desk) -> None:
    invited = desk.one_time.invite(OPERATOR, "k", uuid4(), address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.NOT_FOUND
    person = await desk.person_of(await desk.person())
    for number in range(INVITED_A_DAY):
        await desk.one_time.invite(OPERATOR, f"k-{number}", person, address_of_link=ADDRESS)
    invited = desk.one_time.invite(OPERATOR, "k-last", person, address_of_link=ADDRESS)
    assert (await declined(invited))[0] is Refusal.WRONG_STATE
