"""Erasing a person over HTTP: all that told who they were is gone, and the sums stay right."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ledger.database import Database, driver
from ledger.journal import log
from ledger.journal.checkpoint import Checkpoint, Verifier
from ledger.journal.merkle import verify_consistency
from ledger.journal.verifying import Verified, verify_journal
from ledger.scheme import outbox
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.refusals import Declined
from ledger.scheme.sessions import close_forgotten
from tests.conftest import blocked
from tests.daytime import daytime
from tests.doors.house import Api, register, settings_for
from tests.doors.whole_person import PHONE, WORD, whole_person
from tests.journal.conftest import audit

GIVEN = {"give_to": "community"}

# Words of a closed list, ids, figures, and what is about projects, venues and the scheme. Another column of text must
# either be given a word by `whole_person` or be listed here, with whom it can't be about.
NOT_ABOUT_PEOPLE = {
    *("person.age_band", "contact.channel", "preference.language", "helping.may", "attendance.state"),
    *("claim.source", "claim.state", "claim.exceptions", "remark.kind"),
    *("api_key.scope", "role.role", "act.scope", "act.verb", "outbox.topic", "work.name"),
    *("group.name", "project.name", "project.alias", "project.status", "venue.name", "venue.status"),
    *("offer.title", "offer.status", "offer.kind", "offer.reach", "offer.description", "offer.expect", "offer.terms"),
    *("site.name", "site.address", "site.postcode", "district.name", "allocation.funder"),
    *("opportunity.title", "opportunity.description", "opportunity.kind", "opportunity.status", "opportunity.place"),
    *("opportunity.district", "opportunity.tags", "opportunity.prerequisites", "opportunity.donation_note"),
    "opportunity.referral",
    *("challenge.purpose", "vouched.issuer"),  # an organisation
    *("credential.kind", "credential.status", "device.name", "device.status"),  # a till, not a person
    *("sign_in.strength", "one_time.purpose", "attempt.what"),
    "pot_spend.request",  # ids and figures
    "booking.party",  # how many of which age
    *("batch.label", "note.serial"),  # what is printed on many for anybody, and what was printed before
    "voucher.label",  # it goes when somebody claims the slip, and until then nobody knows whom it is about
    # What a client made up as a key, and answers that hold ids and figures by the rule of `scheme.answers`.
    *("answer.key", "answer.operation", "answer.refusal", "answer.body", "rules.changes"),
    *("account.name", "kind.name", "entry.reference", "refusal.reason", "refusal.account", "checkpoint.note"),
}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def erase(api: Api, person: str, **options: str) -> dict[str, Any]:
    return await api.made(f"/v1/people/{person}/erasure", GIVEN, **options)


async def balances(owner: asyncpg.Connection) -> dict[str, int]:
    rows = await owner.fetch("SELECT name, balance FROM journal.balance WHERE balance <> 0")
    return {row["name"].partition(":")[0]: row["balance"] for row in rows}


def is_about_them(text: str) -> bool:
    """Whether a word of theirs stands in it, be it in bytes that are shown in hexadecimal."""
    return any(word in text or word.encode().hex() in text for word in (WORD, PHONE))


async def columns_with_words(owner: asyncpg.Connection) -> dict[str, set[str]]:
    """Each text column of the scheme and the journal, with the words that stand in it."""
    found: dict[str, set[str]] = {}
    for row in await owner.fetch(
        "SELECT c.oid::regclass::text AS name, c.relname, a.attname FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace IN ('scheme'::regnamespace, 'journal'::regnamespace) AND c.relkind = 'r'"
        " AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype)"
    ):
        values = await owner.fetch(f'SELECT "{row["attname"]}"::text AS value FROM {row["name"]}')
        words = {value["value"] for value in values if is_about_them(value["value"] or "")}
        found[f"{row['relname']}.{row['attname']}"] = words
    return found


async def dump(owner: asyncpg.Connection) -> str:
    """Every row of every table of ours, as text; bytes are in hexadecimal there."""
    tables = await owner.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    )
    rows = [row[0] for table in tables for row in await owner.fetch(f"SELECT t::text FROM {table['name']} t")]
    return "\n".join(rows)


# --- what goes ----------------------------------------------------------------------------------------------


async def test_no_word_about_them_is_left_anywhere(api: Api, database: Database, owner: asyncpg.Connection) -> None:
    whole = await whole_person(api, database, owner)
    words = await columns_with_words(owner)
    assert {column for column, found in words.items() if not found} == NOT_ABOUT_PEOPLE
    assert is_about_them(await dump(owner))

    erased = await erase(api, whole.id)

    after = await dump(owner)
    assert [row for row in after.splitlines() if is_about_them(row)] == []
    assert (erased["minutes"], erased["holds"]) == (330, 3)
    await audit(owner)


async def test_rows_about_them_go_and_ids_and_figures_stay(
    api: Api, database: Database, owner: asyncpg.Connection
) -> None:
    whole = await whole_person(api, database, owner)
    bodies = {"entry": 0, "transfer": 0, "refusal": 0}
    for table in bodies:
        bodies[table] = await owner.fetchval(f"SELECT count(*) FROM journal.{table}")
    acts = await owner.fetchval("SELECT count(*) FROM scheme.act")
    await erase(api, whole.id)

    ways_in = ("passkey", "challenge", "vouched", "sign_in", "one_time", "letter")
    for table in ("contact", "preference", "helping", "membership", "guardian", "consent", "remark", *ways_in):
        assert await owner.fetchval(f"SELECT count(*) FROM scheme.{table}") == 0, table
    claims = await owner.fetch("SELECT state FROM scheme.claim WHERE holder = $1 ORDER BY created_at", whole.holder)
    states = [row["state"] for row in claims]
    assert states == ["approved", "approved", "withdrawn", "withdrawn", "rejected"], "what waited is withdrawn"
    attendance = await owner.fetch("SELECT state FROM scheme.attendance WHERE holder = $1", whole.holder)
    assert {row["state"] for row in attendance} == {"confirmed"}, "bookings are free again"
    assert await owner.fetchval("SELECT count(*) FROM scheme.recovery WHERE ended_at IS NULL") == 0
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE holder = $1", whole.holder) == 0
    # That they were erased, and that a child has lost their guardian and a consent.
    assert await owner.fetchval("SELECT count(*) FROM scheme.act") == acts + 3
    for table, count in bodies.items():
        assert await owner.fetchval(f"SELECT count(*) FROM journal.{table}") >= count, table
    holder = await owner.fetchrow("SELECT person, closed_at FROM scheme.holder WHERE id = $1", whole.holder)
    assert holder is not None
    assert (holder["person"], holder["closed_at"] is None) == (None, False)
    assert [(await api.get(f"/v1/people/{other}")).status_code for other in whole.others] == [200, 200, 200]


async def test_what_was_delivered_stays(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 60}, days_ago=2)
    await owner.execute("UPDATE scheme.outbox SET delivered_at = at")
    await api.give(project, {ann["id"]: 60})
    await erase(api, ann["id"])
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox") == 1


async def test_with_a_guardian_their_consent_goes_and_hours_wait_again(api: Api) -> None:
    child = await api.made("/v1/people", {"name": "Cat", "age_band": "8_to_15"})
    dee, project = await api.person("Dee"), await api.project()
    await api.made(f"/v1/people/{child['id']}/guardians", {"guardian": dee["id"]})
    await api.made(f"/v1/people/{child['id']}/consents", {"guardian": dee["id"]})
    await api.give(project, {child["id"]: 60}, days_ago=2)
    await erase(api, dee["id"])
    await api.give(project, {child["id"]: 60})
    assert await api.balance(child["id"]) == (60, 0)
    assert (await api.get(f"/v1/people/{child['id']}/guardians")).json() == {"guardians": []}


async def test_that_a_child_has_lost_a_guardian_and_their_consent_is_told(api: Api, owner: asyncpg.Connection) -> None:
    dee, key = await api.person("Dee"), ""
    key = await api.key("person", person=dee["id"])
    children, consents = {}, {}
    for name in ("Cat", "Eve", "Bob"):
        child = await api.made("/v1/people", {"name": name, "age_band": "8_to_15"})
        await api.made(f"/v1/people/{child['id']}/guardians", {"guardian": dee["id"]})
        children[name] = child
    for name in ("Cat", "Eve"):
        path = f"/v1/people/{children[name]['id']}/consents"
        consents[name] = (await api.made(path, {"guardian": dee["id"]}))["id"]
    await api.made(f"/v1/people/{children['Eve']['id']}/guardians/{dee['id']}/end")
    told = "SELECT holder, object FROM scheme.outbox WHERE topic = 'consent_withdrawn'"
    before = await owner.fetch(told)

    await erase(api, dee["id"], token=key)

    after = [row for row in await owner.fetch(told) if row not in before]
    assert [(str(row["holder"]), str(row["object"])) for row in after] == [(children["Cat"]["holder"], consents["Cat"])]
    for name, verbs in (
        ("Cat", ["consent_withdrawn", "guardian_ended"]),
        ("Bob", ["guardian_ended"]),
        ("Eve", []),
    ):
        rows = await owner.fetch(
            "SELECT verb FROM scheme.act WHERE holder = $1 AND by = $2 ORDER BY verb",
            *(UUID(children[name]["holder"]), UUID(dee["holder"])),
        )
        assert [row["verb"] for row in rows] == verbs


async def test_it_waits_for_nobody_who_corrects_a_slip_that_they_claimed(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    body = {**register({}), "lines": [{"voucher": "Ann", "minutes": 60}]}
    slip = (await api.made(f"/v1/projects/{project}/registers", body))["vouchers"][0]
    await api.made("/v1/vouchers/claims", {"code": slip["code"], "person": ann["id"]})
    async with asyncio.timeout(10), owner.transaction():
        # As a correction does that began before the slip was claimed, and wants the claim next.
        await owner.execute("SELECT FROM scheme.voucher FOR UPDATE")
        assert (await erase(api, ann["id"]))["minutes"] == 60


async def test_what_a_lapse_tells_them_in_the_same_moment_goes_too(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.person()
    async with owner.transaction():
        # As a lapse does, which locks no holder.
        await owner.execute("SELECT FROM journal.head FOR UPDATE")
        erasing = asyncio.create_task(erase(api, ann["id"]))
        await blocked(owner)
        event = Event(topic=Topic.HOLD_LAPSED, holder=UUID(ann["holder"]), object=uuid4(), body={"minutes": 60})
        await outbox.put(owner, [event], daytime())
    await erasing
    assert await owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE holder = $1", UUID(ann["holder"])) == 0


# --- the credits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("give_to", "kind"), [("community", "pot"), ("surrender", "surrendered")])
async def test_what_they_have_goes_where_they_say_and_the_sums_stay_right(
    api: Api, owner: asyncpg.Connection, give_to: str, kind: str
) -> None:
    ann, bob, project, venue = await api.person(), await api.person("Bob"), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 240, bob["id"]: 60})
    offer, till = await api.offer(venue), await api.key("venue", venue)
    asked = await api.visit(offer, ann["id"])
    await api.made("/v1/redemptions", asked, token=till)
    holds = [(await api.made("/v1/redemptions", {**asked, "capture": False}, token=till))["id"] for _ in range(3)]
    await api.made(f"/v1/redemptions/{holds[1]}/void", token=till)

    erased = await api.made(f"/v1/people/{ann['id']}/erasure", {"give_to": give_to})

    assert {name: erased[name] for name in ("person", "give_to", "minutes", "holds")} == {
        "person": ann["id"],
        "give_to": give_to,
        "minutes": 180,
        "holds": 2,
    }
    assert await api.trial_balance() == {"issued": -300, "wallet": 60, "redeemed": 60, kind: 180}
    assert await api.balance(bob["id"]) == (60, 0)
    states = [(await api.get(f"/v1/redemptions/{hold}", till)).json()["status"] for hold in holds]
    assert states == ["voided"] * 3
    await audit(owner)


async def test_who_has_nothing_is_erased_without_an_entry(api: Api) -> None:
    ann = await api.person()
    erased = await erase(api, ann["id"])
    assert (erased["minutes"], erased["holds"]) == (0, 0)
    assert (await api.get("/v1/entries")).json()["entries"] == []
    assert refusal(await api.get(f"/v1/people/{ann['id']}")) == (404, "not_found")


async def test_the_log_verifies_before_and_after_and_an_old_checkpoint_still_proves(dsn: str) -> None:
    async with (
        Api.running(dsn) as api,
        Database.open(dsn) as database,
    ):
        owner = await asyncpg.connect(dsn)
        try:
            whole = await whole_person(api, database, owner)
            old_note = await _sign(dsn)
            verifier = Verifier.parse((await api.client.get("/log/key")).text.strip())
            old = verifier.open(old_note)
            await _verified(owner, verifier, old)
            await erase(api, whole.id)
            new = verifier.open(await _sign(dsn))
            assert new.size == old.size + 4, "three voids, and what went to the community"
            await _verified(owner, verifier, old)
            proof = (await api.client.get("/log/consistency", params={"old": old.size, "new": new.size})).json()
            path = [base64.b64decode(each) for each in proof["path"]]
            assert verify_consistency(old.size, new.size, old.root, new.root, path)
            await audit(owner)
        finally:
            await owner.close()


async def _sign(dsn: str) -> str:
    settings = settings_for(dsn)
    async with Database.open(dsn) as database:
        connection = await database.connect()
        try:
            notary = log.Notary.open(settings.signing_key_path, settings.origin)
            await log.sign_next(connection, notary, daytime)
            note = await log.newest_checkpoint(connection)  # or the service was quicker
        finally:
            await connection.close()
    assert note is not None
    return note


async def _verified(owner: asyncpg.Connection, verifier: Verifier, against: Checkpoint) -> None:
    found = await verify_journal(owner, verifiers=[verifier], against=[against])
    assert isinstance(found, Verified), found


# --- once, and by whom --------------------------------------------------------------------------------------


async def test_erased_once_and_the_same_answer_for_ever(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 60})
    path = f"/v1/people/{ann['id']}/erasure"
    answers = await asyncio.gather(*(api.post(path, GIVEN, key="k") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert refusal(await api.post(path, {"give_to": "surrender"}, key="k")) == (422, "key_reused")
    assert refusal(await api.post(path, GIVEN)) == (404, "not_found")
    assert await api.trial_balance() == {"issued": -60, "pot": 60}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"give_to": "me"}, 422),
        ({"give_to": None}, 400),
        ({"give_to": "community", "really": True}, 400),
        (None, 400),
    ],
)
async def test_it_must_say_where_the_credits_go(api: Api, body: object, status: int) -> None:
    ann = await api.person()
    answer = await api.post(f"/v1/people/{ann['id']}/erasure", body)
    assert answer.status_code == status, answer.text
    assert (await api.post(f"/v1/people/{ann['id']}/erasure", GIVEN, key="")).status_code == 400
    assert (await api.get(f"/v1/people/{ann['id']}")).status_code == 200


async def test_by_their_own_key_and_nobody_elses(api: Api) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    own, others = await api.key("person", person=ann["id"]), await api.key("person", person=bob["id"])
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance", "claim", "book"]})
    path = f"/v1/people/{ann['id']}/erasure"
    assert refusal(await api.post(path, GIVEN, others)) == (404, "not_found")
    assert refusal(await api.post(f"/v1/people/{uuid4()}/erasure", GIVEN, own)) == (404, "not_found")
    await api.made(path, GIVEN, token=own, key="k")
    assert refusal(await api.post(path, GIVEN, own, key="k")) == (401, "unauthorized")


async def test_their_keys_stop_at_once_in_every_process(api: Api, dsn: str) -> None:
    ann, project = await api.person(), await api.project()
    keys = [await api.key("person", person=ann["id"]), await api.key("project", project, person=ann["id"])]
    async with Api.running(dsn, scheme=api.scheme) as other:
        for service in (api, other):
            assert [(await service.get("/v1/rules", key)).status_code for key in keys] == [200, 200]
        await erase(api, ann["id"])
        for service in (other, api):
            assert [(await service.get("/v1/rules", key)).status_code for key in keys] == [401, 401]
    with pytest.raises(Declined):
        await api.key("person", person=ann["id"])


async def test_to_every_verb_they_are_not_there_any_more(
    api: Api, database: Database, owner: asyncpg.Connection
) -> None:
    whole = await whole_person(api, database, owner)
    await erase(api, whole.id)
    sums, path = await api.trial_balance(), f"/v1/people/{whole.id}"
    for read in ("", "/balance", "/statement", "/copy", "/guardians", "/helpers", "/acts"):
        assert refusal(await api.get(path + read)) == (404, "not_found"), read
    listed = (await api.get(f"/v1/projects/{whole.project}/claims", state="approved")).json()["claims"]
    assert len(listed) == 2, "the project's hours stay"
    for claim in listed:
        assert (claim["person"], claim["name"]) == (None, None)
        approve = await api.post(f"/v1/projects/{whole.project}/approvals", {"claims": [claim["id"]]})
        correct = await api.post(f"/v1/claims/{claim['id']}/corrections", {"minutes": 15, "reason": "x"})
        assert refusal(approve) == refusal(correct) == (404, "not_found")
    line = await api.post(f"/v1/projects/{whole.project}/registers", register({whole.id: 60}))
    assert (refusal(line), line.json()["fields"][0]["field"]) == ((422, "wrong_values"), "lines[0].person")
    redeem = {"offer": whole.offer, "code": whole.card, "name_checked": True}
    for capture in (True, False):
        answer = await api.post("/v1/redemptions", {**redeem, "capture": capture}, whole.till)
        assert refusal(answer) == (409, "code_unknown")
    assert refusal(await api.post(f"/v1/redemptions/{whole.hold}/capture", {}, whole.till)) == (
        409,
        "already_resolved",
    )
    for _ in range(2):
        refund = await api.post(f"/v1/redemptions/{whole.visit}/refund", {}, whole.till, key="r")
        assert refusal(refund) == (409, "code_unknown")
    assert await api.trial_balance() == sums


async def test_what_a_till_had_heard_it_hears_again(api: Api, owner: asyncpg.Connection) -> None:
    """The words are gone that tell what was asked, so whatever is asked now gets the answer, and nothing moves."""
    ann, project, venue = await api.person(), await api.project(), await api.venue()
    await api.give(project, {ann["id"]: 90})
    offer, till = await api.offer(venue), await api.key("venue", venue)
    asked = await api.visit(offer, ann["id"])
    before = [await api.post("/v1/redemptions", asked, till, key=key) for key in ("visit", "again")]
    assert [answer.status_code for answer in before] == [201, 409]
    back = await api.post(f"/v1/redemptions/{before[0].json()['id']}/refund", {"minutes": 15}, till, key="back")
    await erase(api, ann["id"])
    sums = await api.trial_balance()
    after = [await api.post("/v1/redemptions", asked, till, key=key) for key in ("visit", "again")]
    assert after[0].json() == before[0].json()
    assert refusal(after[1]) == refusal(before[1]) == (409, "insufficient_credits")
    again = await api.post(f"/v1/redemptions/{before[0].json()['id']}/refund", {"minutes": 15}, till, key="back")
    assert (again.status_code, again.json()) == (201, back.json())
    assert {answer.headers["idempotency-replayed"] for answer in (*after, again)} == {"true"}
    assert await api.trial_balance() == sums
    await audit(owner)


# --- at the same moment -------------------------------------------------------------------------------------


async def test_redemptions_and_an_erasure_at_once_lose_no_credit(api: Api, dsn: str, owner: asyncpg.Connection) -> None:
    venue, project = await api.venue(), await api.project()
    offer, till = await api.offer(venue, price=15), await api.key("venue", venue)
    taken: set[int] = set()
    async with Api.running(dsn, scheme=api.scheme) as other:
        for number in range(60):
            if number >= 15 and len(taken) > 1:
                break
            place = number % 11  # where among the others the erasure stands
            ann = await api.person()
            await api.give(project, {ann["id"]: 120})
            asked = await api.visit(offer, ann["id"])
            visit = await api.made("/v1/redemptions", asked, token=till)
            asks: list[Awaitable[httpx.Response]] = [
                (api if number % 2 else other).post(
                    "/v1/redemptions",
                    {**asked, "capture": number % 3 == 0},
                    till,
                )
                for number in range(9)
            ]
            asks.insert(2, other.post(f"/v1/redemptions/{visit['id']}/refund", {}, till))
            asks.insert(place, api.post(f"/v1/people/{ann['id']}/erasure", GIVEN))
            answers = await asyncio.gather(*asks)
            erased = answers.pop(place)
            assert erased.status_code == 201, erased.text
            assert {answer.status_code for answer in answers} <= {201, 409}
            spent = 15 * sum(answer.json().get("status") == "captured" for answer in answers)
            spent += 15 * (answers[2].status_code != 201)
            assert erased.json()["minutes"] == 120 - spent
            taken.add(spent)
            left = await owner.fetch(
                "SELECT name, balance FROM journal.balance WHERE name = ANY($1::text[]) AND balance <> 0",
                [f"{kind}:{UUID(ann['holder']).hex}" for kind in ("wallet", "held")],
            )
            assert [tuple(row) for row in left] == []
    assert len(taken) > 1, "the erasure came at different places among the redemptions"
    await audit(owner)


async def test_whatever_pays_or_names_them_at_the_same_moment_comes_before_or_is_declined(
    api: Api, dsn: str, database: Database, owner: asyncpg.Connection
) -> None:
    """Registers, a new key, a consent, bookings ...: each wins or loses whole, and nothing of theirs is left behind."""
    project, dee = await api.project(), await api.person("Dee")
    now_on, to_come = [await session(owner, project, timedelta(hours=hours)) for hours in (-1, 30)]
    choose = random.Random(20261122)  # noqa: S311  # an order, not a secret
    seen: set[tuple[int, ...]] = set()
    async with Api.running(dsn, scheme=api.scheme) as other:
        for _ in range(12):
            child = await api.made("/v1/people", {"name": WORD, "age_band": "8_to_15"})
            path = f"/v1/people/{child['id']}"
            await api.made(f"{path}/guardians", {"guardian": dee["id"]})
            await api.give(project, {child["id"]: 60}, days_ago=9)
            asks: list[tuple[str, dict[str, Any]]] = [
                (f"/v1/projects/{project}/registers", register({child["id"]: 30}, days_ago=1)),
                (f"/v1/projects/{project}/registers", register({child["id"]: 375}, days_ago=2)),
                (f"{path}/consents", {"guardian": dee["id"]}),
                (f"{path}/guardians", {"guardian": dee["id"]}),
                (f"{path}/helpers", {"helper": dee["id"], "may": ["book"]}),
                (f"/v1/sessions/{to_come}/attendances", {"person": child["id"]}),
                (f"/v1/sessions/{now_on}/attendances/{child['id']}/check-in", {}),
                (f"{path}/erasure", GIVEN),
            ]
            choose.shuffle(asks)
            key = asyncio.create_task(api.key("person", person=child["id"]))
            answers = await asyncio.gather(*(choose.choice([api, other]).post(*ask) for ask in asks))
            await asyncio.wait([key])
            codes = [answer.status_code for answer in answers]
            assert codes[asks.index((f"{path}/erasure", GIVEN))] == 201
            assert set(codes) <= {200, 201, 404, 422}, [answer.text for answer in answers]
            seen.add(tuple(sorted(codes)))
            assert await left_of(owner, UUID(child["holder"])) == {}
    assert len(seen) > 1, "the erasure came at different places among the others"
    assert WORD not in await dump(owner)
    async with database.transaction() as connection:
        assert await close_forgotten(driver(connection), daytime() + timedelta(days=2)) == 0
    await audit(owner)


async def session(owner: asyncpg.Connection, project: str, begins: timedelta) -> UUID:
    """A session of two hours that begins after so much time."""
    id_, started = uuid4(), daytime() + begins
    await owner.execute(
        "INSERT INTO scheme.session (id, project, started_at, ended_at, created_at, by)"
        " VALUES ($1, $2, $3, $4, now(), $1)",
        *(id_, UUID(project), started, started + timedelta(hours=2)),
    )
    return id_


async def left_of(owner: asyncpg.Connection, holder: UUID) -> dict[str, int]:
    """What somebody still has or waits for."""
    row = await owner.fetchrow(
        "SELECT"
        " (SELECT sum(balance)::int FROM journal.balance WHERE name IN ('wallet:' || $2, 'held:' || $2)) AS minutes,"
        " (SELECT count(*) FROM scheme.api_key WHERE holder = $1 AND revoked_at IS NULL) AS keys,"
        " (SELECT count(*) FROM scheme.claim WHERE holder = $1 AND state IN ('submitted', 'queried')) AS claims,"
        " (SELECT count(*) FROM scheme.attendance WHERE holder = $1 AND state <> 'confirmed') AS bookings,"
        " (SELECT count(*) FROM scheme.outbox WHERE holder = $1) AS events",
        *(holder, holder.hex),
    )
    assert row is not None
    return {name: count for name, count in row.items() if count}


async def test_it_can_be_told_from_the_books_when_it_was(api: Api, owner: asyncpg.Connection) -> None:
    ann, project = await api.person(), await api.project()
    await api.give(project, {ann["id"]: 60})
    erased = await erase(api, ann["id"])
    last = (await api.get("/v1/entries", after=1)).json()["entries"][0]
    assert (last["reference"], last["kind"]) == ("erasure", "plain")
    assert [(moved["credit"], moved["minutes"]) for moved in last["transfers"]] == [("pot:community", 60)]
    act = await owner.fetchrow("SELECT at, holder FROM scheme.act WHERE verb = 'person_erased'")
    assert act is not None
    assert (act["holder"], act["at"]) == (UUID(ann["holder"]), datetime.fromisoformat(erased["erased_at"]))
    assert act["at"].astimezone(UTC) <= daytime()
    assert json.loads(await owner.fetchval("SELECT body FROM scheme.answer WHERE operation = 'erase_person'")) == erased
