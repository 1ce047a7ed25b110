"""Exports: what accountants' own tools make of them, and that nothing is lost, doubled or run as a formula."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies

from ledger.journal import exporting, log, reading
from ledger.journal.entries import Kind, Moved, Posted
from ledger.journal.exporting import Form, Unexportable, beancount_account, export
from ledger.journal.judge import ACCOUNT_NAME
from ledger.journal.leaf import EPOCH, encode
from tests.journal.conftest import Journal, award, capture, entry, hold, refund

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.journal.entries import Entry

COMMODITIES = {"allowance": "ALLOWANCE-MIN", "opening": "ALLOWANCE-MIN"}
HOLDER = "0f0c2c0e-7a4b-4c4e-9d8e-000000000001"
BOOK: Sequence[Entry] = (
    award("1", "ann", 600, reference='=HYPERLINK("http://x")'),
    award("2", HOLDER, 60, reference="ŵyr; \\ | \"q\" 'a', b"),
    hold("3", "ann", 240, details='{"name":"Blodwen"}'),
    capture("4", "3", "ann", 180, reference="@SUM(1)"),
    refund("5", "4", "ann", 45),
    entry(
        "6",
        ("issued:a.b_c-d", "pot:Shed", 30),
        ("issued:a.b_c-d", "paper:X-1", 30),
        ("pot:Shed", "held_pot:Shed", 20),
        reference="two\nlines\tand a tab",
    ),
    award("7", "ann", 15, reference="-1"),
    entry("8", ("opening:quota", "allowance:pool:june", 2400), reference="+1"),
)
bean_check = Path(sys.executable).with_name("bean-check")
hledger = shutil.which("hledger")


async def exported(journal: Journal, form: Form, after: int = 0) -> str:
    return "".join([part async for part in export(journal.owner, form, after=after, commodities=COMMODITIES)])


@pytest.mark.parametrize("form", Form)
async def test_an_export_goes_on_where_another_ended(
    journal: Journal, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.post(*BOOK[:3])
    begun = await exported(journal, form)
    await journal.post(*BOOK[3:])
    whole = await exported(journal, form)
    assert begun + await exported(journal, form, after=3) == whole
    assert await exported(journal, form, after=len(BOOK)) == ""
    monkeypatch.setattr(exporting, "CHUNK_ENTRIES", 2)
    assert await exported(journal, form) == whole
    assert "Blodwen" not in whole, "people's own words stay"


async def test_progress_is_told_by_position(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    await journal.post(*BOOK)
    monkeypatch.setattr(exporting, "CHUNK_ENTRIES", 3)
    told: list[tuple[int, int]] = []
    async for _ in export(journal.owner, Form.CSV, after=1, progress=lambda done, of: told.append((done, of))):
        pass
    assert told == [(4, 8), (7, 8), (8, 8)]


async def test_json_lines_are_enough_to_compute_the_tree(journal: Journal) -> None:
    posted = await journal.post(*BOOK)
    lines = [json.loads(line) for line in (await exported(journal, Form.JSONL)).splitlines()]
    assert [line["position"] for line in lines] == list(range(1, len(BOOK) + 1))
    for line, outcome in zip(lines, posted, strict=True):
        assert isinstance(outcome, Posted)
        again = Posted(
            position=line["position"],
            id=UUID(line["id"]),
            kind=Kind(line["kind"]),
            target=line["target"],
            happened_at=EPOCH.fromisoformat(line["happened_at"]),
            recorded_at=EPOCH.fromisoformat(line["recorded_at"]),
            actor=UUID(line["actor"]),
            reference=line["reference"],
            transfers=tuple(Moved(**transfer) for transfer in line["transfers"]),
        )
        committed = bytes.fromhex(line["commitment"]) if line["commitment"] else None
        leaf = encode(again, bytes.fromhex(line["nonce"]), committed)
        assert sha256(b"\0" + leaf).hexdigest() == line["leaf"]


async def test_csv_is_read_back_whole_and_holds_no_formula(journal: Journal) -> None:
    await journal.post(*BOOK)
    rows = list(csv.DictReader(io.StringIO(await exported(journal, Form.CSV), newline="")))
    assert len(rows) == 11
    assert [row["reference"] for row in rows if row["line"] == "0"] == [
        '\'=HYPERLINK("http://x")',
        "ŵyr; \\ | \"q\" 'a', b",
        "",
        "'@SUM(1)",
        "",
        "two\nlines\tand a tab",
        "'-1",
        "'+1",
    ]
    assert {row["debit_balance"] for row in rows if row["debit"] == "issued:shed"} == {"-600", "-660", "-675"}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


async def test_beancount_accepts_the_export_and_agrees_on_the_balances(journal: Journal, tmp_path: Path) -> None:
    await journal.post(*BOOK)
    file = tmp_path / "journal.beancount"
    file.write_text(await exported(journal, Form.BEANCOUNT), encoding="utf-8")
    checked = run(bean_check, file)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert '\n  account: "issued:a.b_c-d"\n' in text
    assert "open Equity:Issued:Y-a-db-uc--d MIN" in text
    assert f"open Assets:Wallet:{HOLDER} MIN" in text
    sums: dict[str, int] = {}
    for account, minutes in re.findall(r"^  ([A-Z]\S+)  (-?\d+) MIN$", text, re.MULTILINE):
        sums[account] = sums.get(account, 0) + int(minutes)
    balances = await reading.balances(journal.owner, ["wallet:ann", "issued:shed", "paper:X-1"])
    assert sums["Assets:Wallet:X-ann"] == balances["wallet:ann"]
    assert sums["Equity:Issued:X-shed"] == balances["issued:shed"]
    assert sums["Assets:Paper:X-X-1"] == balances["paper:X-1"]


@pytest.mark.skipif(hledger is None, reason="hledger is not installed")
async def test_hledger_accepts_the_export_and_agrees_on_the_balances(journal: Journal, tmp_path: Path) -> None:
    await journal.post(*BOOK)
    file = tmp_path / "journal.hledger"
    file.write_text(await exported(journal, Form.HLEDGER), encoding="utf-8")
    assert hledger is not None
    checked = run(hledger, "-f", file, "check", "--strict", "ordereddates")
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    balances = run(hledger, "-f", file, "balance", "--flat", "--no-total", "-O", "csv")
    found = {row["account"]: row["balance"] for row in csv.DictReader(io.StringIO(balances.stdout))}
    expected = await reading.balances(journal.owner, ["wallet:ann", f"wallet:{HOLDER}", "issued:shed"])
    assert found["assets:wallet:ann"] == f"{expected['wallet:ann']} MIN"
    assert found[f"assets:wallet:{HOLDER}"] == f"{expected[f'wallet:{HOLDER}']} MIN"
    assert found["equity:issued:shed"] == f"{expected['issued:shed']} MIN"


@pytest.mark.parametrize("form", [Form.BEANCOUNT, Form.HLEDGER])
async def test_a_transfer_between_two_commodities_is_refused(journal: Journal, form: Form) -> None:
    await journal.post(entry("1", ("issued:shed", "allowance:pool:june", 60)))
    with pytest.raises(Unexportable, match="position 1: issued:shed counts MIN"):
        await exported(journal, form)


async def test_a_gap_is_not_papered_over(journal: Journal) -> None:
    await journal.post(*BOOK[:2])
    await journal.owner.execute("BEGIN")
    await journal.owner.execute("ALTER TABLE journal.entry DISABLE TRIGGER USER")
    await journal.owner.execute("DELETE FROM journal.entry WHERE position = 2")
    with pytest.raises(log.Damaged, match="position 2"):
        await exported(journal, Form.CSV)
    await journal.owner.execute("ROLLBACK")


names = strategies.from_regex(ACCOUNT_NAME, fullmatch=True)


@hypothesis.given(names, names)
def test_beancount_names_are_valid_and_stay_different(one: str, other: str) -> None:
    valid = re.compile(r"Assets(:[A-Z0-9][A-Za-z0-9-]*)+")
    assert valid.fullmatch(beancount_account("Assets", one))
    assert (beancount_account("Assets", one) == beancount_account("Assets", other)) == (one == other)
