"""`bench`: the figures and ratios of `ledger.bench`, on a PostgreSQL of its own."""

from pathlib import Path

import click


@click.command()
@click.option("--quick", is_flag=True, help="Less of everything: below 50 seconds instead of some fifteen minutes.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this file.")
def bench(*, quick: bool, file: Path | None) -> None:
    """Measure the journal and the service on this machine, durability on."""
    # Imported late: it brings the server, the load and everything else, which no other command needs.
    from ledger.bench.run import main  # noqa: PLC0415

    main(quick=quick, file=file)
