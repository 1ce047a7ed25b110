"""The whole journal as text, for programs and accountants: JSON Lines, CSV, beancount, hledger.

`export` gives the text in pieces, in the order of positions, with a bounded memory: one chunk of rows. Nothing is kept
between entries, so any export can go on where another ended (`after`), and the two together are the whole: an account
is declared by the entry that carries its transfer number 1, and the header is written only at the very beginning. What
is posted meanwhile is left out: the export ends where the journal stood when it began.

**Signs.** A transfer takes minutes from its debit account and adds them to its credit account. In JSON and CSV minutes
are positive, and the balances are as the journal has them. In beancount and hledger a posting that takes away is
negative, so the balances are the same as the journal's. The header of each file says so.

**Accounts.** beancount and hledger want a root. A kind with a floor, which holds something, is under `Assets`; one
without, where credits come from, under `Equity`. In beancount every part of a name begins with a capital or a digit and
has no dots or underscores: `wallet:5f0c` is `Assets:Wallet:5f0c`, `wallet:ann` is `Assets:Wallet:X-ann`, and the
metadata of its `open` have the journal's own name. No two accounts share a name there.

**Commodities.** The unit is one minute, `MIN`. Kinds that count something else (what a venue will still honour, say)
get a commodity of their own from the caller, for the journal knows nothing of kinds; so they stay apart in every trial
balance. A transfer between two commodities can't be written in either format, and raises `Unexportable`.

**Dates** of transactions are those of recording, in UTC, which never go backwards; the day on which it happened stands
in the metadata. Details, people's own words, aren't exported: what is exported can't be erased.

In CSV, cells of text that a spreadsheet would take for a formula get an apostrophe before them. `Damaged` is raised at
a position that is missing or can't be read; what came before it has been given.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from ledger.journal.leaf import EPOCH, KIND_CODE
from ledger.journal.log import Line, Row, head, read

MINUTES = "MIN"
# 2,000 entries are about 1 MB of text.
CHUNK_ENTRIES = 2_000

_KIND = {code: kind for kind, code in KIND_CODE.items()}
_SIGNS = "an account that minutes are taken from has a negative posting; balances are those of the journal, in minutes"


class Unexportable(Exception):  # noqa: N818  # as in "the journal is unexportable"
    """A transfer that the format can't express with these commodities."""


class Form(StrEnum):
    """The formats."""

    JSONL = "jsonl"
    CSV = "csv"
    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


class Chart(NamedTuple):
    """What the accounting formats need to know of kinds of accounts."""

    without_floor: frozenset[str]
    commodities: Mapping[str, str]

    def commodity(self, account: str) -> str:
        """What the account counts."""
        return self.commodities.get(account.partition(":")[0], MINUTES)

    def root(self, account: str) -> str:
        """Where it stands in an accountant's chart."""
        return "Equity" if account.partition(":")[0] in self.without_floor else "Assets"


class Booked(NamedTuple):
    """An entry as the formats write it, with the names of its accounts by id."""

    row: Row
    names: Mapping[int, str]

    @property
    def id(self) -> str:
        """The entry's id."""
        return str(UUID(bytes=self.row.id))

    @property
    def actor(self) -> str:
        """Who asked, pseudonymously."""
        return str(UUID(bytes=self.row.actor))

    @property
    def kind(self) -> str:
        """What the entry does."""
        return _KIND[self.row.kind].value

    @property
    def reference(self) -> str:
        """The word for finding it."""
        return self.row.reference.decode()

    @property
    def happened_at(self) -> str:
        """ISO 8601, UTC, microseconds."""
        return _moment(self.row.happened_at)

    @property
    def recorded_at(self) -> str:
        """The same."""
        return _moment(self.row.recorded_at)

    def moves(self) -> Iterator[tuple[str, str, Line]]:
        """Debit account, credit account and the whole transfer."""
        for line in self.row.lines:
            yield self.names[line[1]], self.names[line[2]], line

    def opened(self) -> list[str]:
        """The accounts that this entry is the first to touch."""
        return [
            name
            for debit, credit, line in self.moves()
            for name, sequence in ((debit, line[4]), (credit, line[6]))
            if sequence == 1
        ]


def _moment(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def export(
    connection: asyncpg.Connection,
    form: Form,
    *,
    after: int = 0,
    commodities: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[str]:
    """The entries after a position as text, in pieces. `commodities` are by kind of account; all others are `MIN`."""
    kinds = await connection.fetch("SELECT name FROM journal.kind WHERE floor IS NULL")
    chart = Chart(frozenset(row["name"] for row in kinds), commodities or {})
    begin, write = _FORMS[form]
    size = (await head(connection)).size
    if after == 0:
        yield begin(chart)
    async for rows, names in read(connection, after, size, CHUNK_ENTRIES):
        yield "".join([write(Booked(row, names), chart) for row in rows])
        if progress is not None:
            progress(rows[-1].position, size)


# --- JSON Lines and CSV -----------------------------------------------------------------------------------------------


def _begin_jsonl(_chart: Chart) -> str:
    return ""


def _write_jsonl(booked: Booked, _chart: Chart) -> str:
    """All that the leaf is made of, so that whoever has the export can compute the tree."""
    row = booked.row
    entry = {
        "position": row.position,
        "id": booked.id,
        "kind": booked.kind,
        "target": row.target or None,
        "happened_at": booked.happened_at,
        "recorded_at": booked.recorded_at,
        "actor": booked.actor,
        "reference": booked.reference,
        "nonce": row.nonce.hex(),
        "commitment": row.commitment.hex() or None,
        "leaf": row.leaf.hex(),
        "transfers": [
            {
                "debit": debit,
                "credit": credit,
                "minutes": line[3],
                "debit_sequence": line[4],
                "debit_balance": line[5],
                "credit_sequence": line[6],
                "credit_balance": line[7],
            }
            for debit, credit, line in booked.moves()
        ],
    }
    return msgspec.json.encode(entry).decode() + "\n"


_COLUMNS = (
    *("position", "line", "id", "kind", "target", "happened_at", "recorded_at", "actor", "reference"),
    *("debit", "credit", "minutes", "debit_sequence", "debit_balance", "credit_sequence", "credit_balance"),
)
_FORMULA = re.compile(r"[=+\-@\t\r]")
_QUOTED = re.compile(r'[",\r\n]')


def _begin_csv(_chart: Chart) -> str:
    return ",".join(_COLUMNS) + "\r\n"


def _write_csv(booked: Booked, _chart: Chart) -> str:
    """RFC 4180: a line for each transfer, the entry's fields in each."""
    row = booked.row
    before = f"{booked.id},{booked.kind},{row.target or ''},{booked.happened_at},{booked.recorded_at},{booked.actor}"
    reference = _cell(booked.reference)
    return "".join(
        [
            f"{row.position},{line[9]},{before},{reference},{_cell(debit)},{_cell(credit)},"
            f"{line[3]},{line[4]},{line[5]},{line[6]},{line[7]}\r\n"
            for debit, credit, line in booked.moves()
        ]
    )


def _cell(text: str) -> str:
    """Text from outside, harmless in a spreadsheet. Numbers are our own and need no guard, a minus sign included."""
    if _FORMULA.match(text):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


# --- beancount --------------------------------------------------------------------------------------------------------

_PLAIN_PART = re.compile(r"(?![XY]-)[A-Z0-9][A-Za-z0-9-]*")
_DASHED_PART = re.compile(r"[A-Za-z0-9-]+")
_ESCAPES = str.maketrans({"-": "--", ".": "-d", "_": "-u"})


def beancount_account(root: str, name: str) -> str:
    """The account's name for beancount; different names stay different."""
    kind, *owners = name.split(":")
    return ":".join([root, kind.capitalize().replace("_", "-"), *map(_part, owners)])


def _part(owner: str) -> str:
    if _PLAIN_PART.fullmatch(owner):
        return owner
    return f"X-{owner}" if _DASHED_PART.fullmatch(owner) else f"Y-{owner.translate(_ESCAPES)}"


def _begin_beancount(chart: Chart) -> str:
    units = sorted({MINUTES, *chart.commodities.values()})
    commodities = "".join(f"1970-01-01 commodity {unit}\n" for unit in units)
    return (
        f"; Signs: {_SIGNS}.\n; Dates are those of recording, in UTC.\n"
        f'option "title" "Time Credits"\noption "operating_currency" "{MINUTES}"\n{commodities}'
    )


def _write_beancount(booked: Booked, chart: Chart) -> str:
    row = booked.row
    day = booked.recorded_at[:10]
    parts = []
    for name in booked.opened():
        account = beancount_account(chart.root(name), name)
        parts.append(f'{day} open {account} {chart.commodity(name)}\n  account: "{name}"\n')
    parts.append(
        f'\n{day} * "{booked.kind}" {_quoted(booked.reference)}\n  position: {row.position}\n  id: "{booked.id}"\n'
        f'  happened: {booked.happened_at[:10]}\n  actor: "{booked.actor}"\n'
    )
    if row.target:
        parts.append(f"  target: {row.target}\n")
    for name, minutes, unit in _postings(booked, chart):
        parts.append(f"  {beancount_account(chart.root(name), name)}  {minutes} {unit}\n")
    return "".join(parts)


def _quoted(text: str) -> str:
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    return "".join([character if character.isprintable() else " " for character in text])


def _postings(booked: Booked, chart: Chart) -> Iterator[tuple[str, int, str]]:
    """Account, signed minutes and commodity: two a transfer."""
    for debit, credit, line in booked.moves():
        unit = chart.commodity(debit)
        if chart.commodity(credit) != unit:
            raise Unexportable(
                f"position {line[0]}: {debit} counts {unit} and {credit} counts {chart.commodity(credit)}"
            )
        yield debit, -line[3], unit
        yield credit, line[3], unit


# --- hledger ----------------------------------------------------------------------------------------------------------


def _begin_hledger(chart: Chart) -> str:
    units = sorted({MINUTES, *chart.commodities.values()})
    commodities = "".join(f"commodity 1. {_symbol(unit)}\n" for unit in units)
    return f"; Signs: {_SIGNS}.\n; Dates are those of recording, in UTC.\n{commodities}"


def _write_hledger(booked: Booked, chart: Chart) -> str:
    row = booked.row
    parts = [f"account {chart.root(name).lower()}:{name}\n" for name in booked.opened()]
    target = f", target:{row.target}" if row.target else ""
    parts.append(
        f"\n{booked.recorded_at[:10]} * ({row.position}) {booked.kind}{_described(booked.reference)}\n"
        f"    ; id:{booked.id}, happened:{booked.happened_at[:10]}, actor:{booked.actor}{target}\n"
    )
    for name, minutes, unit in _postings(booked, chart):
        parts.append(f"    {chart.root(name).lower()}:{name}  {minutes} {_symbol(unit)}\n")
    return "".join(parts)


def _described(reference: str) -> str:
    """The reference as a note behind the kind; what hledger reads as something else becomes a blank."""
    note = re.sub(r"[;|]", " ", _one_line(reference)).strip()
    return f" | {note}" if note else ""


def _symbol(unit: str) -> str:
    return unit if unit.isalpha() else f'"{unit}"'


_FORMS: dict[Form, tuple[Callable[[Chart], str], Callable[[Booked, Chart], str]]] = {
    Form.JSONL: (_begin_jsonl, _write_jsonl),
    Form.CSV: (_begin_csv, _write_csv),
    Form.BEANCOUNT: (_begin_beancount, _write_beancount),
    Form.HLEDGER: (_begin_hledger, _write_hledger),
}
