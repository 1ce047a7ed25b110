"""The proof over HTTP: what is handed out is enough to check the journal without trusting it."""

import base64

from ledger.database import Database
from ledger.journal import log
from ledger.journal.checkpoint import Verifier
from ledger.journal.merkle import verify_consistency
from ledger.journal.receipt import Receipt
from tests.daytime import daytime
from tests.doors.house import Api, settings_for


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


async def test_a_receipt_and_two_checkpoints_prove_an_entry_to_a_stranger(dsn: str) -> None:
    async with Api.running(dsn) as api:
        project, ann = await api.project(), await api.person()
        early = (await api.get("/log/checkpoint")).status_code
        first = await api.give(project, {ann["id"]: 60}, days_ago=2)
        old_note = await _sign(dsn)
        await api.give(project, {ann["id"]: 75})
        new_note = await _sign(dsn)

        verifier = Verifier.parse((await api.client.get("/log/key")).text.strip())
        newest = await api.client.get("/log/checkpoint")
        entry = first["claims"][0]
        receipt = await api.get(f"/v1/entries/{entry}/receipt")
        old, new = verifier.open(old_note), verifier.open(new_note)
        proof = (await api.client.get("/log/consistency", params={"old": old.size, "new": new.size})).json()

    assert early == 404
    assert newest.text == new_note
    assert newest.headers["content-type"].startswith("text/plain")
    assert Receipt.parse(receipt.text).verify(verifier) == new
    path = [base64.b64decode(each) for each in proof["path"]]
    assert verify_consistency(old.size, new.size, old.root, new.root, path)


async def test_a_receipt_is_for_the_scheme_alone_for_it_tells_balances(dsn: str) -> None:
    async with Api.running(dsn) as api:
        project, ann = await api.project(), await api.person()
        award = (await api.give(project, {ann["id"]: 60}))["claims"][0]
        await _sign(dsn)
        venue = await api.key("venue", await api.venue())
        as_venue = await api.get(f"/v1/entries/{award}/receipt", venue)
        of_nothing = await api.get(f"/v1/entries/{ann['id']}/receipt")
        of_the_future = await api.client.get("/log/consistency", params={"old": 1, "new": 99})
    assert (as_venue.status_code, of_nothing.status_code, of_the_future.status_code) == (403, 404, 404)
