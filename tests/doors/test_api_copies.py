"""The copy of everything that is held about one person, over HTTP."""

from collections import Counter
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec

from ledger.database import Database, driver
from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.chart import CHART, account
from ledger.scheme.copies import HELD, LEFT_OUT, ROWS_MAX, Copy
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.whole_person import PHONE, WORD, whole_person


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def copied(api: Api, person: str, token: str | None = None) -> Copy:
    answer = await api.get(f"/v1/people/{person}/copy", token)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Copy)


async def columns_about_people(owner: asyncpg.Connection) -> set[str]:
    """The columns of the scheme that hold an id of a person or holder, or of whatever else isn't said by a key."""
    references = {
        (row["relname"], row["attname"]): (row["to_table"], row["to_column"])
        for row in await owner.fetch(
            "SELECT t.relname, a.attname, f.relname AS to_table, fa.attname AS to_column"
            " FROM pg_constraint c"
            " CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (here, there)"
            " JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.here"
            " JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.there"
            " WHERE c.contype = 'f' AND t.relnamespace = 'scheme'::regnamespace"
        )
    }
    about = set()
    for row in await owner.fetch(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'scheme'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'uuid'::regtype"
    ):
        column = at = (row["relname"], row["attname"])
        while at in references:
            at = references[at]
        if at in {("person", "id"), ("holder", "id")} or (at == column and at[1] != "id"):
            about.add(".".join(column))
    return about - {"person.id", "holder.id"}


# --- complete -----------------------------------------------------------------------------------------------


async def test_every_column_that_refers_to_a_person_is_copied_or_left_out_for_a_reason(
    owner: asyncpg.Connection,
) -> None:
    about = await columns_about_people(owner)
    assert {*HELD, *LEFT_OUT} == about, "add the rows to the copy, or the column to LEFT_OUT with its reason"
    assert not HELD.keys() & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


async def test_nothing_that_is_held_is_missing(api: Api, database: Database, owner: asyncpg.Connection) -> None:
    whole = await whole_person(api, database, owner)
    held: Counter[str] = Counter()
    for column, part in HELD.items():
        table, name = column.split(".")
        rows = f'SELECT count(*) FROM scheme."{table}" WHERE "{name}" = ANY($1::uuid[])'
        held[part] += await owner.fetchval(rows, [UUID(whole.id), whole.holder])
    assert [part for part, count in held.items() if count == 0] == [], "a part of which nothing is tested"

    copy = msgspec.structs.asdict(await copied(api, whole.id))

    single = {"person", "contact", "preference"}
    assert {part: 1 if part in single else len(copy[part]) for part in held} == held
    assert [part for part in ("remarks", "corrections", "wallet", "held") if not copy[part]] == []
    assert copy["cut"] == []


async def test_it_says_every_word_that_is_held(api: Api, database: Database, owner: asyncpg.Connection) -> None:
    whole = await whole_person(api, database, owner)
    text = (await api.get(f"/v1/people/{whole.id}/copy")).text
    words = [
        *("name", "email@example.org", "address", "label", "event", "entry", "gift", "passkey", "subject"),
        *("recipient@example.org", "about"),
    ]
    remarks = [f"remark-{kind}" for kind in ("note", "query", "reject", "correction")]
    assert [word for word in [*words, *remarks] if f"{WORD}-{word}" not in text] == []
    assert PHONE in text
    key = await owner.fetchrow("SELECT secret_hash FROM scheme.api_key WHERE holder = $1", whole.holder)
    assert key is not None
    assert key["secret_hash"].hex() not in text
    assert whole.key not in text
    assert "secret" not in text


async def test_its_figures_are_those_of_the_statement(api: Api, database: Database, owner: asyncpg.Connection) -> None:
    whole = await whole_person(api, database, owner)
    copy = await copied(api, whole.id)
    assert (copy.available, copy.on_hold) == await api.balance(whole.id) == (255, 60)
    assert (copy.wallet[0].balance, copy.held[0].balance) == (255, 60)
    assert sum(line.minutes for line in copy.wallet) == 255
    awarded = {line.entry for line in copy.wallet} | {slip.claim for slip in copy.vouchers}
    states = {(claim.id in awarded, claim.state) for claim in copy.claims}
    assert states == {(True, "approved"), (False, "submitted"), (False, "queried"), (False, "rejected")}
    assert {claim.alias for claim in copy.claims} == {"Saturdays"}, "and never what the project is about"


async def test_somebody_new_has_a_copy_too(api: Api) -> None:
    ann = await api.person()
    copy = await copied(api, ann["id"])
    assert (copy.person.name, copy.contact, copy.available, copy.on_hold) == ("Ann", None, 0, 0)
    assert not any([copy.wallet, copy.held, copy.claims, copy.attendance, copy.keys, copy.events])


# --- bounded ------------------------------------------------------------------------------------------------


async def test_a_long_statement_is_whole(api: Api, database: Database) -> None:
    ann = await api.person()
    now, wallet = daytime(), account("wallet", UUID(ann["holder"]))
    entries = [
        Entry(id=uuid4(), transfers=(Transfer("issued:x", wallet, 15),), happened_at=now, actor=uuid4())
        for _ in range(450)
    ]
    for portion, lines in ((entries[:400], 400), (entries[400:], 450)):  # two whole pages, and a part of a third
        async with database.transaction() as connection:
            await post(driver(connection), CHART, portion, now)
        copy = await copied(api, ann["id"])
        assert copy.available == 15 * lines
        assert [line.balance for line in copy.wallet] == list(range(15 * lines, 0, -15))
        assert copy.cut == []


async def test_of_more_than_it_can_hold_the_newest_are_there_and_the_list_is_named(
    api: Api, owner: asyncpg.Connection
) -> None:
    ann = await api.person()
    await owner.execute(
        "INSERT INTO scheme.outbox (id, at, topic, holder, body)"
        " SELECT gen_random_uuid(), now() - make_interval(secs => n), 'awarded', $1, n::text"
        " FROM generate_series(0, $2) n",
        *(UUID(ann["holder"]), ROWS_MAX),
    )
    copy = await copied(api, ann["id"])
    assert (len(copy.events), copy.cut) == (ROWS_MAX, ["events"])
    assert (copy.events[0].body, copy.events[-1].body) == ("0", str(ROWS_MAX - 1))


# --- for whom -----------------------------------------------------------------------------------------------


async def test_for_the_scheme_and_their_own_key_alone(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob = await api.person(), await api.person("Bob")
    await api.made(f"/v1/people/{ann['id']}/helpers", {"helper": bob["id"], "may": ["balance", "claim", "book"]})
    own, helpers = await api.key("person", person=ann["id"]), await api.key("person", person=bob["id"])
    assert (await copied(api, ann["id"], own)).person.name == "Ann"
    assert refusal(await api.get(f"/v1/people/{ann['id']}/copy", helpers)) == (404, "not_found")
    assert refusal(await api.get(f"/v1/people/{uuid4()}/copy")) == (404, "not_found")
    count = "SELECT count(*) FROM scheme.act WHERE verb = 'copy_read' AND holder = $1"
    assert await owner.fetchval(count, UUID(ann["holder"])) == 0
    await copied(api, ann["id"])
    assert await owner.fetchval(count, UUID(ann["holder"])) == 1
