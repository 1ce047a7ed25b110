"""What the journal forgets of an owner; the audit at the end of each test says that it still holds."""

from ledger.database import driver
from ledger.journal.entries import Kind
from ledger.journal.erasing import forget_details, forget_refusals, open_holds
from ledger.journal.verifying import Verified, verify_journal
from tests.journal.conftest import Journal, award, capture, entry, hold, id_of, reasons, replayed, void


async def forget(journal: Journal, *accounts: str, mentioned: tuple[str, ...] = ()) -> tuple[int, int]:
    async with journal.database.transaction() as connection:
        raw = driver(connection)
        refusals = await forget_refusals(raw, accounts, [id_of(key) for key in mentioned])
        return await forget_details(raw, accounts), refusals


async def test_the_words_of_an_owners_entries_go_and_others_stay(journal: Journal) -> None:
    await journal.post(
        award("1", "ann", 60, details='{"note":"for ann"}'),
        award("2", "bob", 60, details='{"note":"for bob"}'),
        hold("3", "ann", 30, details='{"note":"ann again"}'),
        award("4", "ann", 15),
        entry("5", ("wallet:bob", "wallet:ann", 15), details='{"note":"bob to ann"}'),
    )
    assert await forget(journal, "wallet:ann", "held:ann") == (3, 0)
    bodies = await journal.owner.fetch("SELECT body FROM journal.detail")
    assert [row["body"] for row in bodies] == ['{"note":"for bob"}']
    assert await forget(journal, "wallet:ann", "held:ann") == (0, 0)
    verified = await verify_journal(journal.owner)
    assert isinstance(verified, Verified), verified


async def test_refusals_at_their_floor_or_that_name_them_lose_their_words(journal: Journal) -> None:
    ann, bob = id_of("ann"), id_of("bob")
    refused = await journal.post(
        award("1", "ann", 60),
        hold("short", "ann", 75, details='{"note":"too much"}'),
        hold("bobs", "bob", 15, details='{"note":"nothing there"}'),
        entry("rule", refused="offer_closed_now", details=f'{{"holder":"{ann}"}}'),
        entry("bobs rule", refused="offer_closed_now", details=f'{{"holder":"{bob}"}}'),
        entry("of entry", kind=Kind.REVERSAL, of="1", refused="x_rule", details=f'{{"of":"{id_of("1")}"}}'),
        entry("wordless", refused="offer_closed_now"),
    )
    assert reasons(refused) == [
        *("plain", "insufficient", "insufficient", "offer_closed_now", "offer_closed_now", "x_rule"),
        "offer_closed_now",
    ]
    assert await forget(journal, "wallet:ann", "held:ann", mentioned=("ann",)) == (0, 3)
    left = {row["id"] for row in await journal.owner.fetch("SELECT id FROM journal.refusal_detail")}
    assert left == {id_of("bobs"), id_of("bobs rule"), id_of("wordless")}


async def test_who_retries_under_a_key_without_words_hears_the_same_whatever_they_ask(journal: Journal) -> None:
    first = award("1", "ann", 60, details='{"note":"for ann"}')
    refused = hold("2", "ann", 75, details='{"note":"too much"}')
    before = await journal.post(first, refused)
    await forget(journal, "wallet:ann", "held:ann")
    again = await journal.post(
        award("1", "ann", 600, details='{"note":"more"}'), hold("2", "ann", 15, details='{"note":"less"}')
    )
    assert reasons(again) == ["plain*", "insufficient*"]
    assert again[1] == replayed(before[1])
    assert await journal.balances("wallet:ann") == [60]


async def test_open_holds_are_those_that_nothing_resolved(journal: Journal) -> None:
    await journal.post(
        award("0", "ann", 600),
        award("00", "bob", 60),
        *(hold(str(number), "ann", 15) for number in range(1, 6)),
        hold("bobs", "bob", 15),
        void("v", "2"),
        capture("c", "4", "ann", 15),
        entry("l", kind=Kind.LAPSE, of="5"),
    )
    async with journal.database.reading() as connection:
        assert await open_holds(driver(connection), "held:ann") == [id_of("1"), id_of("3")]
        assert await open_holds(driver(connection), "held:nobody") == []
