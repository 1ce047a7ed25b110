"""Commands of the books: verify, checkpoint, receipt, export. They read, and trust nothing that they can recompute.

That the whole journal was verified, and with what result, is kept for the staff's page.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import UUID

import click

from ledger.doors.cli.answers import REFUSED, UNVERIFIED, Answer, Verb, credits_text, progress
from ledger.doors.cli.server import remark, settings, with_database
from ledger.journal import exporting, log
from ledger.journal.checkpoint import Checkpoint, Verifier
from ledger.journal.verifying import Broken, open_notes, verify_account, verify_journal, verify_receipt
from ledger.scheme.chart import COMMODITIES
from ledger.scheme.clock import system_clock
from ledger.scheme.overview import record_verification
from ledger.scheme.refusals import OUTAGES

if TYPE_CHECKING:
    from ledger.database import Database
    from ledger.settings import Settings

_existing = click.Path(exists=True, path_type=Path)
_verifier = click.option(
    "--verifier",
    "keys",
    metavar="KEY",
    multiple=True,
    help="A key to trust, name+id+base64; more than one if it was replaced. Default: this service's own.",
)
_against = click.option(
    "--against",
    type=_existing,
    multiple=True,
    help="A file of checkpoints kept elsewhere, or a folder of them: the log must continue each.",
)


@click.group()
def verify() -> None:
    """Check the journal, an account or a receipt; the first bad position is named."""


@verify.command("journal", cls=Verb)
@_against
@_verifier
def verify_journal_(against: tuple[Path, ...], keys: tuple[str, ...]) -> Answer:
    """Recompute the whole journal: every entry, chain, floor, target, node and checkpoint."""
    of = settings()
    verifiers = _verifiers(of, keys)
    checkpoints = _checkpoints(against, verifiers)

    async def work(database: Database) -> Answer:
        async with log.long_reading(database.connect) as connection:
            with progress("Verifying") as told:
                found = await verify_journal(connection, verifiers=verifiers, against=checkpoints, progress=told)
        # For the staff's page; where it can't be kept, what was found is said all the same.
        with suppress(*OUTAGES):
            await record_verification(database, system_clock(), sound=not isinstance(found, Broken))
        if isinstance(found, Broken):
            return _broken(found)
        remarks = "" if verifiers else "\nCheckpoints were not looked at: there is no key to trust (--verifier)."
        return Answer(
            {
                "verified": True,
                "root": found.root.hex(),
                **_counts(found, "entries transfers accounts details nodes checkpoints"),
            },
            f"Verified: {found.entries:,} entries, {found.transfers:,} transfers, {found.accounts:,} accounts, "
            f"{found.details:,} details, {found.checkpoints:,} checkpoints.\nroot {found.root.hex()}{remarks}",
        )

    return with_database(of, work)


@verify.command("account", cls=Verb)
@click.argument("name")
@_against
@_verifier
def verify_account_(name: str, against: tuple[Path, ...], keys: tuple[str, ...]) -> Answer:
    """Prove every transfer of the account NAME, as in `wallet:5f0c...`, to be in the log, and none to be missing."""
    of = settings()
    verifiers = _verifiers(of, keys)
    checkpoints = _checkpoints(against, verifiers)

    async def work(database: Database) -> Answer:
        async with log.long_reading(database.connect) as connection:
            with progress("Proving") as told:
                found = await verify_account(connection, name, verifiers=verifiers, against=checkpoints, progress=told)
        if found is None:
            return Answer({"verified": False, "why": "unknown account"}, f"No entry has touched {name}.", REFUSED)
        if isinstance(found, Broken):
            return _broken(found)
        return Answer(
            {"verified": True, "root": found.root.hex(), **_counts(found, "account transfers balance size")},
            f"Verified: {name} has {credits_text(found.balance)} ({found.balance} minutes) "
            f"after {found.transfers:,} transfers, all proven in a log of {found.size:,} entries.",
        )

    return with_database(of, work)


@verify.command("receipt", cls=Verb)
@click.argument("file", type=click.File(encoding="utf-8"))
@_verifier
def verify_receipt_(file: IO[str], keys: tuple[str, ...]) -> Answer:
    """Check a receipt, offline: no database is asked. FILE may be - for standard input."""
    verifiers = _verifiers(settings(), keys)
    if not verifiers:
        raise click.UsageError("Name the key that you trust: --verifier name+id+base64.")
    try:
        text = file.read()
    except UnicodeDecodeError:
        raise click.UsageError("This is not a receipt: it is not text in UTF-8.") from None
    proven = verify_receipt(text, verifiers[0])
    entry, checkpoint_ = proven.entry, proven.checkpoint
    moves = "\n".join(f"  {each.debit} -> {each.credit}  {each.minutes} minutes" for each in entry.transfers)
    return Answer(
        {"verified": True, "origin": checkpoint_.origin, "size": checkpoint_.size, "entry": entry},
        f"Verified: {checkpoint_.origin} holds this entry among its first {checkpoint_.size:,}.\n"
        f"position {entry.position}, {entry.kind}, recorded {entry.recorded_at.isoformat()}\n{moves}",
    )


@click.command(cls=Verb)
@click.option("--sign", is_flag=True, help="Sign what was added, now, with the key of this service.")
def checkpoint(*, sign: bool) -> Answer:
    """Show the newest signed checkpoint: keep it elsewhere, and give it to `verify --against`."""
    of = settings()

    async def work(database: Database) -> Answer:
        async with log.long_reading(database.connect) as connection:
            if sign:
                await log.sign_next(connection, _notary(of), system_clock)
            note = await log.newest_checkpoint(connection)
        if note is None:
            text = "There is nothing to sign yet." if sign else "Nothing has been signed yet."
            return Answer({"note": None}, text, REFUSED)
        verifier = _notary(of).verifier if of.signing_key_path.exists() else None
        if verifier is not None:
            remark(f"verifier key: {verifier}")
        return Answer({"note": note, "verifier": verifier}, note.rstrip("\n"))

    return with_database(of, work)


@click.command(cls=Verb)
@click.argument("entry", type=click.UUID)
def receipt(entry: UUID) -> Answer:
    """Write the receipt of the entry with that id, which `verify receipt` checks offline."""

    async def work(database: Database) -> Answer:
        async with log.long_reading(database.connect) as connection:
            text = await log.receipt(connection, entry)
        if text is None:
            return Answer({"receipt": None}, "No checkpoint covers such an entry yet.", REFUSED)
        return Answer({"receipt": text}, text.rstrip("\n"))

    return with_database(settings(), work)


@click.command(cls=Verb)
@click.argument("form", metavar="FORMAT", type=click.Choice([form.value for form in exporting.Form]))
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; default: standard output.")
@click.option("--after", type=click.IntRange(0), default=0, help="Go on after this position.")
def export(form: str, output: Path | None, after: int) -> Answer | None:
    """Write the whole journal as jsonl, csv, beancount or hledger."""
    try:
        # Bytes, so that lines end on every machine as the format has them.
        file = output.open("wb") if output else sys.stdout.buffer
    except OSError as error:
        raise click.UsageError(f"{output} can't be written: {error.strerror}.") from None

    async def work(database: Database) -> int:
        last = after

        def tell(done: int, total: int) -> None:
            nonlocal last
            last = done
            told(done, total)

        with progress("Exporting") as told:
            async with log.long_reading(database.connect) as connection:
                parts = exporting.export(
                    connection, exporting.Form(form), after=after, commodities=COMMODITIES, progress=tell
                )
                async for text in parts:
                    file.write(text.encode())
        file.flush()
        return last

    with file if output else nullcontext():
        last = with_database(settings(), work)
    if output is None:
        return None
    return Answer({"last": last}, f"Written up to position {last:,}; go on later with --after {last}.")


def _verifiers(of: Settings, keys: tuple[str, ...]) -> list[Verifier]:
    """The keys that the caller trusts, or else this service's own, if it has one."""
    if keys:
        return [Verifier.parse(key, of.origin) for key in keys]
    if of.signing_key_path.exists():
        return [Verifier.parse(_notary(of).verifier)]
    return []


def _notary(of: Settings) -> log.Notary:
    """This service's own key, made at first use."""
    try:
        return log.Notary.open(of.signing_key_path, of.origin)
    except ValueError as error:
        raise click.UsageError(f"{of.signing_key_path}: {error}") from None


def _checkpoints(against: tuple[Path, ...], verifiers: list[Verifier]) -> list[Checkpoint]:
    files = [
        file
        for path in against
        for file in (sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path])
    ]
    if files and not verifiers:
        raise click.UsageError("Name the key that signed the checkpoints: --verifier name+id+base64.")
    try:
        return [each for file in files for each in open_notes(file.read_text(encoding="utf-8"), verifiers)]
    except UnicodeDecodeError:
        raise click.UsageError("These are not checkpoints: they are not text in UTF-8.") from None


def _broken(found: Broken) -> Answer:
    where = f"position {found.position:,}"
    if found.until != found.position:
        where = f"a position from {found.position:,} to {found.until:,}"
    value = {"verified": False, "position": found.position, "until": found.until, "why": found.why}
    return Answer(value, f"Broken: {where} is the first that is bad: {found.why}.", UNVERIFIED)


def _counts(found: object, names: str) -> dict[str, object]:
    return {name: getattr(found, name) for name in names.split()}
