"""Somebody about whom everything is held: a row in each table that refers to people, a word in each free text.

Each word begins with `WORD` and says which field it stands in, so whoever greps for it is told what was left behind.
What no route writes yet, or only for a moment, is written by the database's owner.
"""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Kind, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import Scope
from ledger.scheme.chart import CHART, account
from tests.daytime import daytime
from tests.doors.house import Api, register

WORD = "zzq"
PHONE = "07700 900 321"  # in which no word can stand


class Whole(NamedTuple):
    """The person, and what is theirs."""

    id: str
    holder: UUID
    key: str
    project: str
    offer: str
    till: str
    card: str
    hold: str
    visit: str
    others: list[str]


async def whole_person(api: Api, database: Database, owner: asyncpg.Connection) -> Whole:
    """They have 255 minutes, 60 on hold, and give 15 away; 60 were spent, and 435 aren't decided on."""
    project = await api.project()
    body = register({}, days_ago=9)
    body["lines"] = [{"name": f"{WORD}-register-line", "minutes": 240}]
    recorded = await api.made(f"/v1/projects/{project}/registers", body)
    person = recorded["newcomers"][0]["person"]
    holder = await owner.fetchval("SELECT id FROM scheme.holder WHERE person = $1", UUID(person))
    dee, eve, cat = [(await api.person(name))["id"] for name in ("Dee", "Eve", "Cat")]

    await _family(api, person, dee, cat)
    reach = {"email": f"{WORD}-email@example.org", "phone": PHONE, "address": f"{WORD}-address"}
    changed = await api.send("PATCH", f"/v1/people/{person}", {"name": f"{WORD}-name", "contact": reach})
    assert changed.status_code == 200, changed.text
    preferred = await api.send("PATCH", f"/v1/people/{person}/preferences", {"quiet": True})
    assert preferred.status_code == 200, preferred.text
    _, key = await api.keys.create(Scope.PERSON, None, f"{WORD}-label", person=UUID(person))
    await api.made(f"/v1/people/{person}/helpers", {"helper": dee, "may": ["balance"]})
    await api.made(f"/v1/people/{eve}/helpers", {"helper": person, "may": ["balance"]})
    assert (await api.get(f"/v1/people/{eve}/balance", key)).status_code == 200
    await api.made("/v1/roles", {"person": person, "role": "coordinator", "project": project})
    await _ways_in(owner, holder)
    group = (await api.made("/v1/groups", {"name": "The choir"}))["id"]
    assert (await api.send("PUT", f"/v1/groups/{group}/members/{person}", {"keyholder": True})).status_code == 200

    given = await api.send("PUT", f"/v1/people/{person}/eligibility/{WORD}_word", {})
    assert given.status_code == 200, given.text

    claim = await _claim_slip(api, project, person)
    await api.made("/v1/notes", {"person": person, "notes": [{"serial": "SP-104", "minutes": 15}]})
    await api.give(await api.project("Soup kitchen"), {eve: 15}, days_ago=7)
    for giver, receiver in ((person, eve), (eve, person)):
        gift = {"receiver": receiver, "minutes": 15, "words": f"{WORD}-gift"}
        await api.made(f"/v1/people/{giver}/gifts", gift)
    await owner.execute(
        'INSERT INTO scheme.pot_spend (id, "group", proposed_by, actor, proposed_at, minutes, request)'
        " VALUES ($1, $2, $3, $3, now(), 60, '{}')",
        *(uuid4(), UUID(group), holder),
    )
    venue = await api.venue()
    offer, till = await api.offer(venue), await api.key("venue", venue)
    asked = await api.visit(offer, person)
    visit = await api.made("/v1/redemptions", asked, token=till)
    hold = await api.made("/v1/redemptions", {**asked, "capture": False}, token=till)
    corrected = {"minutes": 135, "reason": f"{WORD}-remark-correction"}
    await api.made(f"/v1/claims/{claim}/corrections", corrected)
    await _words(database, owner, holder)
    await _hours(api, project, person)
    return Whole(person, holder, key, project, offer, till, asked["code"], hold["id"], visit["id"], [dee, eve, cat])


async def _family(api: Api, person: str, dee: str, cat: str) -> None:
    """At ten they had a guardian, and now they are one."""
    for child, guardian in ((person, dee), (cat, person)):
        await api.send("PATCH", f"/v1/people/{child}", {"age_band": "8_to_15"})
        await api.made(f"/v1/people/{child}/guardians", {"guardian": guardian})
        await api.made(f"/v1/people/{child}/consents", {"guardian": guardian})
        await api.send("PATCH", f"/v1/people/{child}", {"age_band": None})


async def _claim_slip(api: Api, project: str, person: str) -> str:
    """A slip, whose label is gone by then."""
    body = register({}, days_ago=5)
    body["lines"] = [{"voucher": f"{WORD}-slip", "minutes": 120}]
    slip = (await api.made(f"/v1/projects/{project}/registers", body))["vouchers"][0]
    claimed = await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": person})
    return str(claimed["claim"])


async def _ways_in(owner: asyncpg.Connection, holder: UUID) -> None:
    """A passkey, one that is being added, an account at their organisation, a recovery that waits; mail, a sign-in."""
    await owner.execute(
        "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at)"
        " VALUES ($1, $2, '', 0, $3, now())",
        *(holder.bytes, holder, f"{WORD}-passkey"),
    )
    await owner.execute(
        "INSERT INTO scheme.challenge (id, purpose, challenge, holder, browser_hash, ends_at)"
        " VALUES ($1, 'add', $2, $3, $2, now())",
        *(uuid4(), bytes(32), holder),
    )
    await owner.execute(
        "INSERT INTO scheme.vouched (issuer, subject, holder, made_at) VALUES ('https://a.example', $1, $2, now())",
        *(f"{WORD}-subject", holder),
    )
    await owner.execute(
        "INSERT INTO scheme.recovery (id, holder, asked_at, asked_by) VALUES ($1, $2, now(), $1)",
        *(uuid4(), holder),
    )
    await owner.execute(
        "INSERT INTO scheme.sign_in (id, token_hash, holder, strength, made_at, seen_at, ends_at)"
        " VALUES ($1, $2, $3, 'link', now(), now(), now() + interval '90 days')",
        *(uuid4(), bytes(32), holder),
    )
    await owner.execute(
        "INSERT INTO scheme.one_time (id, purpose, holder, link_hash, made_at, ends_at)"
        " VALUES ($1, 'sign_in', $2, $3, now(), now() + interval '10 minutes')",
        *(uuid4(), holder, bytes(32)),
    )
    await owner.execute(
        "INSERT INTO scheme.letter (id, at, holder, recipient, subject, body, next_at, ends_at)"
        " VALUES ($1, now(), $2, $3, $4, $5, now(), now() + interval '10 minutes')",
        *(uuid4(), holder, f"{WORD}-recipient@example.org", f"{WORD}-about", f"Hello {WORD}-body"),
    )


async def _words(database: Database, owner: asyncpg.Connection, holder: UUID) -> None:
    """What nobody writes yet: words in an event and in the journal."""
    now = daytime()
    await owner.execute(
        "INSERT INTO scheme.outbox (id, at, topic, holder, body) VALUES ($1, $2, 'queried', $3, $4)",
        *(uuid4(), now, holder, f'{{"said":"{WORD}-event"}}'),
    )
    wallet, held = account("wallet", holder), account("held", holder)
    asked = [
        Entry(
            id=uuid4(),
            kind=kind,
            transfers=(Transfer(wallet, held, minutes),),
            happened_at=now,
            actor=uuid4(),
            details=f'{{"holder":"{holder}","said":"{WORD}-{said}"}}',
            refused=refused,
        )
        for kind, minutes, said, refused in (
            (Kind.HOLD, 15, "entry", ""),
            (Kind.HOLD, 6_000, "refused-by-floor", ""),
            (Kind.HOLD, 15, "refused-by-rule", "venue_paused"),
        )
    ]
    async with database.transaction() as connection:
        raw = driver(connection)
        await post(raw, CHART, asked, now)
        back = Entry(id=uuid4(), kind=Kind.VOID, target=asked[0].id, happened_at=now, actor=uuid4())
        await post(raw, CHART, [back], now)


async def _hours(api: Api, project: str, person: str) -> None:
    """Hours that wait for an approval, that were queried and rejected; a session they are booked for."""
    await api.give(project, {person: 375}, days_ago=3)
    for days_ago, verb in ((4, "query"), (2, "reject")):
        ended = daytime() - timedelta(days=days_ago)
        claimed = {
            "project": project,
            "person": person,
            "started_at": (ended - timedelta(hours=1)).isoformat(),
            "ended_at": ended.isoformat(),
            "minutes": 60,
            "note": f"{WORD}-remark-note",
        }
        claim = (await api.made("/v1/claims", claimed))["id"]
        await api.made(f"/v1/claims/{claim}/{verb}", {"text": f"{WORD}-remark-{verb}"})
    tomorrow = daytime() + timedelta(days=1)
    period = {"started_at": tomorrow.isoformat(), "ended_at": (tomorrow + timedelta(hours=2)).isoformat()}
    (planned,) = (await api.made(f"/v1/projects/{project}/sessions", period))["sessions"]
    await api.made(f"/v1/sessions/{planned['id']}/attendances", {"person": person})
